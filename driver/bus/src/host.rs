//! The host's side: what a driver may do with a function.

use std::sync::Arc;
use std::time::Duration;

use firmware_headers::{Readable, Reg, Word, Writable};

/// Which address space of the function an access goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Space {
    /// Configuration space.
    Config,
    /// The memory of BAR 0.
    Bar0,
}

/// Why an access failed.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// Unplugged, or the process behind the socket is gone.
    #[error("the board is gone: {0}")]
    Gone(String),
    /// The device address space below 4 GiB, or a limit of the host, is used up.
    #[error("no DMA memory for {octets} octets: {why}")]
    NoDma {
        /// How many octets were asked for.
        octets: usize,
        /// The limit that was hit, and what usually helps.
        why: String,
    },
}

/// What every access returns.
pub type Result<T> = std::result::Result<T, BusError>;

/// Memory both sides see. Dropped, the device address is free again.
pub trait DmaMemory: Send + Sync {
    /// Copies out of the region. Reads past the end give zeros and are a bug of the caller.
    fn read(&self, offset: usize, into: &mut [u8]);
    /// Copies into the region. Writes past the end are dropped and are a bug of the caller.
    fn write(&self, offset: usize, from: &[u8]);
}

/// Zeroed memory at a device address below 4 GiB that holds until the region is dropped.
#[derive(Clone)]
pub struct DmaRegion {
    /// What the device is told.
    pub device_address: u32,
    /// Octets.
    pub len: usize,
    /// The host's view.
    pub memory: Arc<dyn DmaMemory>,
}

/// One PCI function as a driver sees it: registers, memory it may write to, interrupts.
///
/// `read`, `write` and `wait` fail with [`BusError::Gone`] once the board was unplugged or the
/// socket to it closed, and in no other way; `dma` also says which limit it hit.
pub trait Bus {
    /// Reads a register.
    fn read<W: Word, A: Readable>(&self, space: Space, reg: &Reg<W, A>) -> Result<W>;

    /// Posted: the write has left for the device, which may not have seen it yet.
    fn write<W: Word, A: Writable>(&self, space: Space, reg: &Reg<W, A>, to: W) -> Result<()>;

    /// Zeroed memory at a device address that holds until the region is dropped.
    fn dma(&self, octets: usize) -> Result<DmaRegion>;

    /// Waits for an interrupt; `false` when `timeout` passed without one. INTx is masked once it fired.
    fn wait(&mut self, timeout: Duration) -> Result<bool>;

    /// Lets the masked INTx fire again; a level still asserted fires at once.
    fn unmask(&mut self) -> Result<()>;
}
