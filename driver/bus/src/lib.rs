//! One PCI function, seen from the host ([`Bus`]) and from the card ([`Device`]).
//!
//! Three back ends carry the host side: [`in_process`], [`VfioUser`] over a socket, and [`Vfio`] through the
//! kernel; [`pci`] lists what the machine has. [`conformance`] holds them to one behaviour; [`Trace`], [`Delay`] and
//! [`Break`] wrap any of them. All `unsafe` of PCI is in this crate.
//!
//! This crate refuses to know any board: what a register means is its callers' business.
//!
//! ```
//! use bus::{Bus, Space, conformance::Probe, in_process};
//! let (host, card) = in_process(Probe::default());
//! host.write(Space::Bar0, &Probe::SCRATCH, 7)?;
//! card.millisecond();
//! assert_eq!(host.read(Space::Bar0, &Probe::SCRATCH)?, 7);
//! # Ok::<(), bus::BusError>(())
//! ```

mod addresses;
mod card;
pub mod conformance;
mod descriptors;
mod host;
mod in_process;
mod lent;
mod mapping;
pub mod pci;
mod reached;
mod vfio;
mod vfio_user;
mod wrappers;

pub use card::{Device, HostMemory};
pub use descriptors::{receive_with_descriptors, send_with_descriptors};
pub use firmware_headers::{ReadOnly, ReadWrite, Readable, Reg, Word, Writable, WriteOnly};
pub use host::{Bus, BusError, DmaMemory, DmaRegion, Result, Space};
pub use in_process::{Card, InProcess, in_process};
pub use lent::LentMemory;
pub use mapping::SharedMapping;
pub use reached::Reached;
pub use vfio::{OpenError, Registering, Vfio, could_open};
pub use vfio_user::{ANSWER_TIMEOUT, VfioUser};
pub use wrappers::{Access, Break, Delay, Failure, Trace};
