//! The configuration header of a conventional PCI function. PCI Local Bus 3.0, chapter 6.

use crate::{ReadOnly, ReadWrite, Reg};

/// Octets of a conventional function's configuration space. §6.1.
pub const CONFIG_OCTETS: u32 = 256;

/// Who made the board. All ones when nobody answers. §6.2.1.
pub const VENDOR_ID: Reg<u16, ReadOnly> = Reg::at(0x00);
/// Which board of that maker. §6.2.1.
pub const DEVICE_ID: Reg<u16, ReadOnly> = Reg::at(0x02);

/// Device control. §6.2.2, table 6-1.
pub const COMMAND: Reg<u16, ReadWrite> = Reg::at(0x04);
/// The board answers accesses to its I/O BARs.
pub const COMMAND_IO: u16 = 1 << 0;
/// The board answers accesses to its memory BARs.
pub const COMMAND_MEMORY: u16 = 1 << 1;
/// Lets the board master the bus. Without it no sample ever reaches memory.
pub const COMMAND_BUS_MASTER: u16 = 1 << 2;
/// Keeps INTx deasserted. Since PCI 2.3; older boards hold it at zero.
pub const COMMAND_INTX_DISABLE: u16 = 1 << 10;

/// Device status. §6.2.3, table 6-2.
pub const STATUS: Reg<u16, ReadWrite> = Reg::at(0x06);
/// The function wants an interrupt, whether or not INTx is disabled. Since PCI 2.3.
pub const STATUS_INTERRUPT: u16 = 1 << 3;
/// A list of capabilities begins at [`CAPABILITIES`].
pub const STATUS_CAPABILITIES: u16 = 1 << 4;
/// DEVSEL timing "medium".
pub const STATUS_DEVSEL_MEDIUM: u16 = 1 << 9;

/// Stepping of the silicon. §6.2.1.
pub const REVISION: Reg<u8, ReadOnly> = Reg::at(0x08);
/// Class, sub-class and interface in bits 31:8, the revision below. §6.2.1.
pub const CLASS: Reg<u32, ReadOnly> = Reg::at(0x08);
/// "Communication controller, other". Appendix D.
pub const CLASS_COMMUNICATION_OTHER: u32 = 0x07_8000;
/// In dwords. §6.2.4.
pub const CACHE_LINE: Reg<u8, ReadWrite> = Reg::at(0x0C);
/// In bus clocks. §6.2.4.
pub const LATENCY_TIMER: Reg<u8, ReadWrite> = Reg::at(0x0D);
/// 0x00: an ordinary function. §6.2.1.
pub const HEADER_TYPE: Reg<u8, ReadOnly> = Reg::at(0x0E);
/// Where the first region is. All ones written here read back as the size mask. §6.2.5.1.
pub const BAR0: Reg<u32, ReadWrite> = Reg::at(0x10);
/// Which generation of the family the board is of, on the boards of this crate. §6.2.4.
pub const SUBSYSTEM_VENDOR_ID: Reg<u16, ReadOnly> = Reg::at(0x2C);
/// Not tested by anybody for the boards of this crate. §6.2.4.
pub const SUBSYSTEM_ID: Reg<u16, ReadOnly> = Reg::at(0x2E);
/// Start of the capability list; zero on boards without one. §6.7.
pub const CAPABILITIES: Reg<u8, ReadOnly> = Reg::at(0x34);
/// Scratch octet for the host. §6.2.4.
pub const INTERRUPT_LINE: Reg<u8, ReadWrite> = Reg::at(0x3C);
/// 1 = INTA. §6.2.4.
pub const INTERRUPT_PIN: Reg<u8, ReadOnly> = Reg::at(0x3D);
/// How long a burst takes, in 250 ns. §6.2.4.
pub const MIN_GNT: Reg<u8, ReadOnly> = Reg::at(0x3E);
/// How often the bus is wanted, in 250 ns. §6.2.4.
pub const MAX_LAT: Reg<u8, ReadOnly> = Reg::at(0x3F);
