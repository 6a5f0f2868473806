//! Facts from data sheets: registers of board and framer, PCI identities, DMA layouts, image headers.
//!
//! No behaviour lives here: driver and emulator each write down what a register *does*, so that the two
//! can disagree. `no_std`, no dependencies. A module a chip:
//!
//! * [`pci`]: the configuration header every board has.
//! * [`model`]: which boards there are.
//! * [`wct4xxp`]: the FPGA of TE205P to TE820, BAR 0.
//! * [`falc`]: the QuadFALC framer behind its local bus.
//! * [`image`]: the image file of the eight-port board.
//! * [`dma`]: how a millisecond of all ports lies in host memory.
//!
//! ```
//! use firmware_headers::{Reg, ReadOnly, falc, wct4xxp};
//! /// Who made the board. PCI Local Bus 3.0, §6.2.1.
//! const VENDOR_ID: Reg<u16, ReadOnly> = Reg::at(0x00);
//! assert_eq!(VENDOR_ID.offset, firmware_headers::pci::VENDOR_ID.offset);
//! // The address of the third port's alarms on the local bus.
//! let address = falc::FRS0.offset | 2 << wct4xxp::LADDR_PORT_SHIFT | wct4xxp::LADDR_LOWER_PORTS;
//! assert_eq!(address, 0x424C);
//! ```
#![no_std]

pub mod dma;
pub mod falc;
pub mod image;
pub mod model;
pub mod pci;
mod reg;
pub mod wct4xxp;

pub use reg::{Access, ReadOnly, ReadWrite, Readable, Reg, Word, Writable, WriteOnly};
