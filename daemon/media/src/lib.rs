//! The call server as a pure machine: legs, switch table, trunk groups, prompts, lease, fallbacks.
//!
//! D-channel frames, line states, heard sounds and commands go in; frames, commands to the tick thread and
//! numbered-by-the-caller events come out. Time is an argument everywhere: no clock, no I/O, no thread.

mod core;
mod engine;
mod settings;
mod view;

pub use core::{Media, Output, RecorderOrder};
pub use engine::Engine;
pub use settings::{
    CallRate, GroupSettings, Limits, MediaSettings, Orphan, SettingsError, Signalling,
    SpanSettings, Timing,
};
pub use view::{Counters, GroupStatus, SpanStatus, Status};
