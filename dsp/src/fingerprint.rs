//! Known recordings, recognised by what changes in them: the announcements of networks.
//!
//! A recording is a row of words, twenty bits each 16 ms: in which of 21 bands its power grows more than in
//! the neighbour's. An [`Index`] says where in which recordings a word stands. A [`Listener`] looks up the words of a
//! line, with the doubtful bits turned, and follows what it finds until nothing else can be meant. So a line costs a
//! few looks into a table, however many recordings there are; and level, tilt, noise and codecs hardly matter.
//!
//! The bands come out of the spectra that a lane has anyway. Nothing of it takes heap, locks or asks a clock.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

pub(crate) mod bands;
mod index;
mod listener;
mod words;

pub use bands::{BANDS, Row};
pub use index::{Index, PRINTS_MAX, Print, SOUNDING_MIN_MILLIS};
pub use listener::{Listener, Match};
pub use words::{WORD_MILLIS, Word, Words};
