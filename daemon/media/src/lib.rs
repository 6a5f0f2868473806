//! The call server as a pure machine: legs, switch table, trunk groups, prompts by name, lease, fallbacks.
//!
//! D-channel frames, states of lines, what the ears heard and what a controller wants go in; D-channel frames,
//! commands to the tick thread and events come out. It makes no sound and hears none, knows no agent, no queue
//! and no socket, and has no clock: time is an argument of every input.
//!
//! Two sums close at every moment, and [`Counters`] shows them: every leg that began is there or has told its one
//! `ended`; every operation that was accepted runs or has told its one ending event.
//!
//! ```
//! use media::{Media, MediaSettings, Output, SpanSettings};
//! use signalling::Side;
//! use tdm::{Alarms, Instant, SpanId};
//!
//! let span = SpanId::new(0).unwrap();
//! let tones = vec![("ringback".into(), dsp::pipeline::ToneId(0)), ("beep".into(), dsp::pipeline::ToneId(1))];
//! let mut settings = MediaSettings::new(tones);
//! settings.spans.push(SpanSettings::e1(span, Side::User));
//! let mut media = Media::new(settings, 1, Instant::millis(0)).unwrap();
//! media.line(Instant::millis(0), span, true, Alarms::NONE);
//! while !matches!(media.poll(), Output::Wait(_)) {}
//! assert_eq!(media.status().spans[0].channels.len(), 30);
//! ```

mod bucket;
mod dial;
mod digits;
mod door;
mod ending;
mod engine;
mod judge;
mod keep;
mod lease;
mod leg;
mod machine;
mod names;
mod outcome;
mod play;
mod record;
mod rewrite;
mod settings;
mod signal;
mod switch;
mod timers;
mod transfer;
mod trouble;
mod trunk;
mod upkeep;
mod view;

pub use engine::Engine;
pub use machine::{Media, Output, RecorderOrder, RecordingKind};
pub use play::sit_code;
pub use rewrite::{Pattern, PatternError, Rewrite, Rule, Undialable};
pub use settings::{
    CallRate, GroupSettings, Hunt, Limits, MediaSettings, Numbers, Orphan, SettingsError,
    Signalling, SpanSettings, Timing,
};
pub use trouble::trouble_words;
pub use view::{Counters, GroupStatus, LinkCounters, SpanStatus, Status};
