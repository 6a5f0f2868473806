//! Known recordings, recognised by their landmarks: the announcements of networks.
//!
//! A recording is a constellation: the strongest points of its spectrogram, wherever in it one begins to listen.
//! Two neighbours of them make a landmark: two frequencies and the time between. [`Index`] says which recordings have
//! a landmark and where; a [`Listener`] collects votes, and enough of them for one recording at one displacement are
//! a match. Noise takes landmarks away and adds others, but adds none that agree. Works at any level: only the
//! order of neighbouring powers counts.
//!
//! After A. Wang, "An Industrial-Strength Audio Search Algorithm", ISMIR 2003; sizes chosen for telephone speech.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

mod index;
mod landmarks;

pub use index::{Index, Listener, Match, PRINTS_MAX};
pub use landmarks::{FRAME_MILLIS, Landmark, Landmarks};

/// The landmarks of a whole recording of linear samples at 8 kHz, full scale ±1.0.
pub fn print_of(samples: &[f32]) -> Vec<Landmark> {
    let mut landmarks = Landmarks::default();
    let mut print = Vec::new();
    // What is still inside the windows at the end comes out with some silence behind it.
    let silence = [0.0; tdm::SAMPLES];
    let blocks = samples.as_chunks::<{ tdm::SAMPLES }>().0.iter();
    for block in blocks.chain(core::iter::repeat_n(&silence, landmarks::LAG_MILLIS)) {
        landmarks.take(block, |landmark| print.push(landmark));
    }
    print
}
