//! What a span's line means: alarms and their timing, the choice of a clock, counters. Pure machines.

mod alarms;
mod clock;
mod counters;
mod multiframe;
mod performance;
mod slips;

pub use alarms::{Debounce, LineHealth};
pub use clock::{Candidate, ClockChoice, OWN, choose};
pub use counters::{Counters, Latched};
pub use multiframe::MultiframeHealth;
pub use performance::{Interval, Performance, QUARTER_SECONDS, QUARTERS, Second};
pub use slips::SlipWatch;
