//! Two clocks: the host's monotonic one in microseconds, and a board's in samples.

use core::fmt;
use core::time::Duration;

/// Samples a second on every timeslot. G.711, §2.
pub const SAMPLE_RATE_HZ: u64 = 8000;

/// A moment of the host's monotonic clock, in microseconds since the process chose its zero.
///
/// In tests the moment is virtual: nothing below the shells reads a clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    /// `micros` after zero.
    pub const fn micros(micros: u64) -> Self {
        Self(micros)
    }
    /// `millis` after zero.
    pub const fn millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1000))
    }
    /// `seconds` after zero.
    pub const fn seconds(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1_000_000))
    }
    /// Microseconds since zero.
    pub const fn as_micros(self) -> u64 {
        self.0
    }
    /// Whole milliseconds since zero.
    pub const fn as_millis(self) -> u64 {
        self.0 / 1000
    }
    /// This much later.
    pub const fn plus_micros(self, micros: u64) -> Self {
        Self(self.0.saturating_add(micros))
    }
    /// This much later.
    pub const fn plus_millis(self, millis: u64) -> Self {
        Self(self.0.saturating_add(millis.saturating_mul(1000)))
    }
    /// This much later.
    pub fn plus(self, duration: Duration) -> Self {
        self.plus_micros(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX))
    }
    /// Microseconds since `earlier`; zero when `earlier` is later.
    pub const fn micros_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
    /// Whole milliseconds since `earlier`; zero when `earlier` is later.
    pub const fn millis_since(self, earlier: Self) -> u64 {
        self.micros_since(earlier) / 1000
    }
    /// The duration since `earlier`; zero when `earlier` is later.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.micros_since(earlier))
    }
}

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06} s", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

/// A moment of one board's clock: samples of 125 µs since that board's DMA first ran.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SampleTime(u64);

impl SampleTime {
    /// `samples` after zero.
    pub const fn samples(samples: u64) -> Self {
        Self(samples)
    }
    /// `millis` after zero.
    pub const fn millis(millis: u64) -> Self {
        Self(millis.saturating_mul(8))
    }
    /// Samples since zero.
    pub const fn as_samples(self) -> u64 {
        self.0
    }
    /// Whole milliseconds since zero.
    pub const fn as_millis(self) -> u64 {
        self.0 / 8
    }
    /// This much later.
    pub const fn plus_samples(self, samples: u64) -> Self {
        Self(self.0.saturating_add(samples))
    }
    /// Samples since `earlier`; zero when `earlier` is later.
    pub const fn samples_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// Which board's clock a [`SampleTime`] counts. Zero is the first board of the configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClockId(pub u8);
