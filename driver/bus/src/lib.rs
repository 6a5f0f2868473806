//! One PCI function, seen from the host ([`Bus`]) and from the card ([`Device`]).
//!
//! Three back ends carry the host side: in process, over a vfio-user socket, and the kernel's VFIO. All
//! `unsafe` of PCI is in this crate.

mod addresses;
mod card;
mod host;
mod in_process;
mod mapping;

pub use card::{Device, HostMemory};
pub use firmware_headers::{ReadOnly, ReadWrite, Readable, Reg, Word, Writable, WriteOnly};
pub use host::{Bus, BusError, DmaMemory, DmaRegion, Result, Space};
pub use in_process::{Card, InProcess, in_process};
pub use mapping::SharedMapping;
