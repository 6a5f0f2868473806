//! Timeslots become events, numbers and verdicts. No I/O, no clock, no allocation once built.
//!
//! Two doors: [`ears`] hears a span's lanes (detectors), [`pipeline`] joins ears, players, recorders and
//! the switch into one step a millisecond. This crate never sees a call.

pub mod answer;
mod beep;
mod dtmf;
pub mod ears;
mod fax;
pub mod fingerprint;
mod frame;
pub mod g711;
pub mod generate;
pub mod lanes;
pub mod mf;
mod pair;
pub mod pipeline;
mod progress;
mod spectrum;
mod tones;
mod voice;
pub mod zones;
