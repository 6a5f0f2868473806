//! Facts from data sheets: registers of board and framer, PCI identities, DMA layouts, image headers.
//!
//! No behaviour lives here: driver and emulator each write down what a register *does*, so that the two
//! can disagree. `no_std`, no dependencies.
//!
//! ```
//! use firmware_headers::{Reg, ReadOnly};
//! /// Who made the board. PCI Local Bus 3.0, §6.2.1.
//! const VENDOR_ID: Reg<u16, ReadOnly> = Reg::at(0x00);
//! assert_eq!(VENDOR_ID.offset, 0);
//! ```
#![no_std]

mod reg;

pub use reg::{Access, ReadOnly, ReadWrite, Readable, Reg, Word, Writable, WriteOnly};
