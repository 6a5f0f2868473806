//! SIGTERM and SIGINT as something to look at instead of something that happens.

use anyhow::Result;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// The signals that end a process, held back in all its threads.
pub struct Signals {
    fd: SignalFd,
}

impl Signals {
    /// Holds them back from here on. Call it before any thread begins.
    ///
    /// # Errors
    /// The host refuses.
    pub fn take() -> Result<Self> {
        let mut set = SigSet::empty();
        set.add(Signal::SIGTERM);
        set.add(Signal::SIGINT);
        set.thread_block()?;
        let fd = SignalFd::with_flags(&set, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;
        Ok(Self { fd })
    }
    /// Whether one has come.
    ///
    /// # Errors
    /// The host refuses.
    pub fn end_asked(&mut self) -> Result<bool> {
        Ok(self.fd.read_signal()?.is_some())
    }
}
