//! Whether an echo canceller module is on the board. It is recognised and left alone: without it in the path
//! the sound passes straight through. Register map G.2.

use bus::{Bus, Space};
use firmware_headers::wct4xxp as regs;

use super::local_bus::write_board;
use crate::error::Result;

/// Two registers of the module that keep what is written, and what is written to them.
const ADDRESS: (u32, u32) = (0xA, 0x5678);
const DATA: (u32, u32) = (0x4, 0x1234);
const LATCH: u32 = regs::LADDR_ECHO_LATCH;

fn write<B: Bus>(bus: &B, (register, value): (u32, u32)) -> Result<()> {
    write_board(bus, &regs::LDATA, regs::LDATA_ECHO_ADDRESS | register)?;
    write_board(bus, &regs::LADDR, regs::LADDR_WRITE | LATCH)?;
    write_board(bus, &regs::LDATA, value)?;
    write_board(bus, &regs::LADDR, regs::LADDR_WRITE | LATCH | regs::LADDR_ECHO)?;
    write_board(bus, &regs::LADDR, 0)
}

fn read<B: Bus>(bus: &B, register: u32) -> Result<u32> {
    write_board(bus, &regs::LDATA, regs::LDATA_ECHO_ADDRESS | register)?;
    write_board(bus, &regs::LADDR, regs::LADDR_WRITE | LATCH)?;
    write_board(bus, &regs::LADDR, LATCH)?;
    write_board(bus, &regs::LADDR, regs::LADDR_READ | LATCH | regs::LADDR_ECHO)?;
    let value = bus.read(Space::Bar0, &regs::LDATA)? & 0xFFFF;
    write_board(bus, &regs::LADDR, 0)?;
    Ok(value)
}

/// Whether the module answers; `None` on boards whose image reaches it by a path that is not tried here.
pub fn is_there<B: Bus>(bus: &B, version: u32) -> Result<Option<bool>> {
    if version < regs::VERSION_WIDE_ECHO_PATH {
        return Ok(None);
    }
    write_board(bus, &regs::GPIOCTL, regs::GPIOCTL_OUTPUTS | regs::GPIOCTL_ECHO)?;
    write(bus, ADDRESS)?;
    write(bus, DATA)?;
    let answers = read(bus, DATA.0)? == DATA.1 && read(bus, ADDRESS.0)? == ADDRESS.1;
    write_board(bus, &regs::GPIOCTL, regs::GPIOCTL_OUTPUTS)?;
    Ok(Some(answers))
}
