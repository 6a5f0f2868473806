//! What was said, cut where somebody pauses: by level under the voice's own, not over the line's noise.
//!
//! Over a quiet line the end of every word is heard, over a noisy one only the vowels are: what parts two bursts of sound
//! says as much about the line as about who speaks. A phrase therefore ends where the level stays so far below the
//! loudest of the voice that neither noise nor a room's tail, as telephones have them, reaches it.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]
#![cfg_attr(test, allow(clippy::arithmetic_side_effects))]

use crate::spectrum::HOP_MILLIS;

/// Below the loudest by so much is a pause. Vowels of a sentence lie within 12 dB; noise 13 dB below the voice's mean
/// lies 19 dB below its loudest.
const BELOW_DB: f32 = 16.0;
/// How fast the loudest is forgotten: 2 dB a second. Who turns away from the telephone is still heard.
const FORGETS_DB: f32 = 0.016;
/// A pause between two phrases: longer than any closure within a word.
const PAUSE_MILLIS: u32 = 200;
/// A pause between two sentences.
const STOP_MILLIS: u32 = 350;

/// Phrases since the answer.
#[derive(Clone, Copy, Debug, Default)]
pub struct Phrases {
    loudest_db: f32,
    first_millis: Option<u32>,
    last_millis: u32,
    from_millis: u32,
    /// Pauses that parted two phrases, and those long enough for sentences.
    pauses: u32,
    stops: u32,
    latest_pause_millis: u32,
    longest_pause_millis: u32,
    first_phrase_millis: u32,
    longest_phrase_millis: u32,
    /// Looks within phrases that were loud.
    loud: u32,
}

impl Phrases {
    /// Takes a look with sound: when, and its level in dB, smoothed over some looks.
    pub fn take(&mut self, at_millis: u32, level_db: f32) {
        let Some(first) = self.first_millis else {
            self.first_millis = Some(at_millis);
            (self.last_millis, self.from_millis) = (at_millis, at_millis);
            (self.loudest_db, self.loud) = (level_db, 1);
            return;
        };
        self.loudest_db = (self.loudest_db - FORGETS_DB).max(level_db);
        if level_db < self.loudest_db - BELOW_DB {
            return;
        }
        let pause = at_millis.saturating_sub(self.last_millis);
        if pause >= PAUSE_MILLIS {
            if self.pauses == 0 {
                self.first_phrase_millis = self.last_millis.saturating_sub(first);
            }
            self.pauses = self.pauses.saturating_add(1);
            self.stops = self.stops.saturating_add(u32::from(pause >= STOP_MILLIS));
            self.latest_pause_millis = pause;
            self.longest_pause_millis = self.longest_pause_millis.max(pause);
            self.longest_phrase_millis = self.longest_phrase_millis.max(self.phrase_millis());
            self.from_millis = at_millis;
        }
        self.last_millis = at_millis;
        self.loud = self.loud.saturating_add(1);
    }

    /// The phrase that is spoken, or was last.
    fn phrase_millis(&self) -> u32 {
        self.last_millis.saturating_sub(self.from_millis)
    }

    /// From the first loud look to the latest.
    pub fn span_millis(&self) -> u32 {
        self.first_millis.map_or(0, |first| self.last_millis.saturating_sub(first))
    }
    /// How long nothing was loud; 0 before anything was.
    pub fn quiet_millis(&self, at_millis: u32) -> u32 {
        self.first_millis.map_or(0, |_| at_millis.saturating_sub(self.last_millis))
    }

    /// What they amount to at `at_millis`, in the order of the last names of [`super::rhythm::NAMES`].
    pub fn features(&self, at_millis: u32) -> [f32; 10] {
        let span = self.span_millis();
        let first_phrase = if self.pauses == 0 { span } else { self.first_phrase_millis };
        [
            self.pauses.saturating_add(1),
            self.stops,
            span,
            self.loud.saturating_mul(HOP_MILLIS),
            first_phrase,
            self.phrase_millis(),
            self.longest_phrase_millis.max(self.phrase_millis()),
            self.latest_pause_millis,
            self.longest_pause_millis,
            self.quiet_millis(at_millis),
        ]
        .map(|number| number as f32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two phrases of 400 ms with half a second between them, vowels 12 dB apart, over noise of this level.
    fn said(noise_db: f32) -> [f32; 10] {
        let mut phrases = Phrases::default();
        for look in 0..200_u32 {
            let at_millis = look * HOP_MILLIS;
            let speaks = (100..500).contains(&at_millis) || (1000..1400).contains(&at_millis);
            let vowel_db = if look % 20 < 10 { -20.0 } else { -32.0 };
            let level_db = if speaks { vowel_db } else { -90.0 };
            phrases.take(at_millis, f32::max(level_db, noise_db));
        }
        phrases.features(1600)
    }

    #[test]
    fn a_noisy_line_has_the_same_phrases_as_a_quiet_one() {
        let quiet = said(-90.0);
        let [phrases, stops, _, _, _, phrase, _, pause, _, since] = quiet;
        assert_eq!((phrases, stops), (2.0, 1.0), "{quiet:?}");
        assert!((380.0..=400.0).contains(&phrase), "{phrase}");
        assert!((490.0..=520.0).contains(&pause), "{pause}");
        assert!((190.0..=220.0).contains(&since), "{since}");
        // What came before the first word is its own phrase there; the rest is the same.
        let [.., phrase_in_noise, _, pause_in_noise, _, since_in_noise] = said(-40.0);
        assert_eq!((phrase, pause, since), (phrase_in_noise, pause_in_noise, since_in_noise));
    }
}
