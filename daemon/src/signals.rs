//! SIGTERM, SIGINT and their like as something to look at instead of something that happens.

use anyhow::Result;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// The signals that end a process, held back in all its threads.
pub struct Signals {
    fd: SignalFd,
}

impl Signals {
    /// Holds SIGTERM and SIGINT back from here on. Call it before any thread begins.
    ///
    /// # Errors
    /// The host refuses.
    pub fn take() -> Result<Self> {
        Self::of(&[Signal::SIGTERM, Signal::SIGINT])
    }
    /// The same, and SIGHUP: for a command that ends when its terminal goes.
    ///
    /// # Errors
    /// The host refuses.
    pub fn take_with_hangup() -> Result<Self> {
        Self::of(&[Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP])
    }
    fn of(signals: &[Signal]) -> Result<Self> {
        let set: SigSet = signals.iter().copied().collect();
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

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::signal::raise;

    #[test]
    fn a_hangup_is_looked_at_by_who_asked_for_it() {
        // A signal raised is its own thread's alone.
        let thread = std::thread::spawn(|| {
            let mut signals = Signals::take_with_hangup().unwrap();
            assert!(!signals.end_asked().unwrap());
            raise(Signal::SIGHUP).unwrap();
            signals.end_asked().unwrap()
        });
        assert!(thread.join().unwrap());
    }
}
