//! The board's local bus: how one register of the framer is reached. Register map B.5.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

use bus::{Bus, Space, Word, Writable};
use firmware_headers::{Reg, falc, wct4xxp as regs};

use crate::error::{BoardError, Result};

/// Reads of the status before a command is taken to hang. One read is about 7 µs on hardware, and the
/// slowest command takes a few line clocks.
const BUSY_READS_MAX: u32 = 1000;

/// Writes a board register, then reads VERSION: the write has arrived, and time for it has passed.
pub fn write_board<B: Bus, A: Writable>(bus: &B, reg: &Reg<u32, A>, to: u32) -> Result<()> {
    bus.write(Space::Bar0, reg, to)?;
    bus.read(Space::Bar0, &regs::VERSION)?;
    Ok(())
}

/// The address phase of `register` of `port`: port number in two bits, and which half of the chips.
fn address(port: usize, register: u8) -> u32 {
    let half = if port < 4 { regs::LADDR_LOWER_PORTS } else { 0 };
    let port = (port as u32 & 0b11).wrapping_shl(regs::LADDR_PORT_SHIFT);
    u32::from(register) | port | half
}

/// Reads one framer register: seven accesses, three of them the reads of VERSION that the framer needs
/// between its strobes.
pub fn read<B: Bus>(bus: &B, port: usize, register: u8) -> Result<u8> {
    let at = address(port, register);
    write_board(bus, &regs::LADDR, at)?;
    write_board(bus, &regs::LADDR, at | regs::LADDR_FRAMER | regs::LADDR_READ)?;
    let value = bus.read(Space::Bar0, &regs::FRAMER_DATA)?;
    write_board(bus, &regs::LADDR, at)?;
    Ok(value)
}

/// Writes one framer register: eight accesses, four of them reads of VERSION.
pub fn write<B: Bus>(bus: &B, port: usize, register: u8, value: u8) -> Result<()> {
    let at = address(port, register);
    write_board(bus, &regs::LADDR, at)?;
    write_board(bus, &regs::LDATA, value.into())?;
    write_board(bus, &regs::LADDR, at | regs::LADDR_FRAMER | regs::LADDR_WRITE)?;
    write_board(bus, &regs::LADDR, at)?;
    Ok(())
}

/// Gives the framer a command when it has finished the one before.
pub fn command<B: Bus>(bus: &B, port: usize, value: u8) -> Result<()> {
    for _ in 0..BUSY_READS_MAX {
        if read(bus, port, offset(&falc::SIS))? & falc::SIS_CEC == 0 {
            return write(bus, port, offset(&falc::CMDR), value);
        }
    }
    Err(BoardError::FramerBusy { port, reads: BUSY_READS_MAX })
}

/// A framer register's offset within its port.
pub const fn offset<W: Word, A>(reg: &Reg<W, A>) -> u8 {
    (reg.offset & regs::LADDR_REGISTER) as u8
}
