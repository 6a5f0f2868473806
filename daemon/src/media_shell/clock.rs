//! The process's time: the host's monotonic clock, or in lockstep the ticks that were worked through.

use std::sync::Arc;
use std::sync::atomic::Ordering::Acquire;
use std::time::SystemTime;

use tdm::Instant;

use super::rings::Shared;

/// Tells every thread the time.
#[derive(Clone)]
pub struct Clock {
    zero: std::time::Instant,
    lockstep: Option<Arc<Shared>>,
}

impl Clock {
    /// Zero is now. With `lockstep` time passes with the ticks.
    pub fn new(lockstep: Option<Arc<Shared>>) -> Self {
        Self { zero: std::time::Instant::now(), lockstep }
    }
    /// The time.
    pub fn now(&self) -> Instant {
        match &self.lockstep {
            Some(shared) => Instant::millis(shared.ticks.load(Acquire)),
            None => self.host(),
        }
    }
    /// The host's monotonic time, whatever ticks.
    pub fn host(&self) -> Instant {
        Instant::default().plus(self.zero.elapsed())
    }
    /// UTC minus [`Clock::now`], in µs.
    pub fn utc_offset_us(&self) -> i64 {
        let utc = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let utc = i64::try_from(utc.as_micros()).unwrap_or(i64::MAX);
        utc.saturating_sub(i64::try_from(self.now().as_micros()).unwrap_or(i64::MAX))
    }
}
