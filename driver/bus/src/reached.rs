//! A function by whichever way the configuration says.

use std::time::Duration;

use firmware_headers::{Readable, Reg, Word, Writable};

use crate::{Bus, DmaRegion, Result, Space, Vfio, VfioUser};

/// A function in this machine, or behind a socket.
pub enum Reached {
    /// In a slot.
    Slot(Box<Vfio>),
    /// Behind a socket.
    Socket(VfioUser),
}

impl Bus for Reached {
    fn read<W: Word, A: Readable>(&self, space: Space, reg: &Reg<W, A>) -> Result<W> {
        match self {
            Self::Slot(bus) => bus.read(space, reg),
            Self::Socket(bus) => bus.read(space, reg),
        }
    }
    fn write<W: Word, A: Writable>(&self, space: Space, reg: &Reg<W, A>, to: W) -> Result<()> {
        match self {
            Self::Slot(bus) => bus.write(space, reg, to),
            Self::Socket(bus) => bus.write(space, reg, to),
        }
    }
    fn dma(&self, octets: usize) -> Result<DmaRegion> {
        match self {
            Self::Slot(bus) => bus.dma(octets),
            Self::Socket(bus) => bus.dma(octets),
        }
    }
    fn wait(&mut self, timeout: Duration) -> Result<bool> {
        match self {
            Self::Slot(bus) => bus.wait(timeout),
            Self::Socket(bus) => bus.wait(timeout),
        }
    }
    fn unmask(&mut self) -> Result<()> {
        match self {
            Self::Slot(bus) => bus.unmask(),
            Self::Socket(bus) => bus.unmask(),
        }
    }
}
