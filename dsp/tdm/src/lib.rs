//! The words every room uses for timeslots: time, places, a millisecond of a span, its status, the
//! rings between threads, and the bit-level machines that live on a timeslot (HDLC, elastic buffer).
//!
//! This crate refuses to know what a sample means: no law is decoded, no tone is heard, no call exists.
//!
//! ```
//! use tdm::{Block, Instant, Law, Timeslot};
//! let block = Block::idle(Law::A);
//! assert_eq!(block.octets[7][Timeslot::new(31).unwrap().index()], 0xD5);
//! assert_eq!(Instant::millis(2).plus_millis(3), Instant::millis(5));
//! ```

mod block;
pub mod elastic;
mod frame;
pub mod hdlc;
pub mod heap;
mod law;
mod place;
mod random;
mod status;
mod time;

pub use block::{Block, DOctets, SAMPLES, TIMESLOTS};
pub use frame::{FRAME_OCTETS_MAX, Frame};
pub use law::Law;
pub use place::{CHANNELS_MAX, Channel, SPANS_MAX, SpanId, Timeslot};
pub use random::Rng;
pub use status::{Alarm, Alarms, LineMode, SpanStatus};
pub use time::{ClockId, Instant, SAMPLE_RATE_HZ, SampleTime};
