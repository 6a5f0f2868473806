//! Timeslots become events, numbers and verdicts. No I/O, no clock, no allocation once built.
//!
//! Two doors: [`ears`] hears a span's lanes (detectors), [`pipeline`] joins ears, players, recorders and
//! the switch into one step a millisecond. This crate never sees a call.

pub mod ears;
pub mod g711;
pub mod generate;
pub mod pipeline;
pub mod zones;
