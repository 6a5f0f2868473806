//! What was said since the answer, in numbers: bursts and pauses, level, syllables, pitch, tone.
//!
//! Looks go in, one every 8 ms and in the order of time; [`Rhythm::features`] says at any moment what they
//! amount to. Causal: nothing waits for what is still to come.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

use super::phrases::Phrases;
use crate::spectrum::HOP_MILLIS;
use crate::voice::Activity;

/// How many numbers the model sees.
pub const FEATURES: usize = OWN + PHRASES;
/// Those of bursts, levels and spectra, and those of phrases.
const OWN: usize = 32;
const PHRASES: usize = 10;
/// Their names, in their order; milliseconds, dB, Hz or shares as the name says.
pub const NAMES: [&str; FEATURES] = [
    "onset_ms",
    "since_ms",
    "quiet_ms",
    "span_ms",
    "first_burst_ms",
    "this_burst_ms",
    "longest_burst_ms",
    "bursts",
    "first_gap_ms",
    "latest_gap_ms",
    "longest_gap_ms",
    "mean_gap_ms",
    "sounding_ms",
    "sounding_share",
    "voiced_share",
    "level_moves_db",
    "peak_over_mean_db",
    "over_floor_db",
    "burst_level_change_db",
    "end_level_db",
    "syllables",
    "syllables_a_second",
    "since_syllable_ms",
    "hz_mean",
    "hz_moves",
    "low_share_mean",
    "low_share_moves",
    "peak_share_mean",
    "still_share",
    "tone_share",
    "floor_db",
    "end_hz_change",
    "phrases",
    "stops",
    "phrases_span_ms",
    "loud_ms",
    "first_phrase_ms",
    "this_phrase_ms",
    "longest_phrase_ms",
    "latest_pause_ms",
    "longest_pause_ms",
    "since_loud_ms",
];

/// Quiet that parts two bursts of speech: longer than the closure of a plosive, shorter than a comma.
const PARTS_MILLIS: u32 = 120;
/// A dip and a rise of so much part two syllables.
const SYLLABLE_DB: f32 = 3.5;
/// Share of a new look in the followed level: 24 ms; in the ends of an utterance: 160 ms.
const LEVEL_SHARE: f32 = 0.33;
const END_SHARE: f32 = 0.05;

/// What notes are to a voice, of which they last so long at least: the strongest partial moves by less than so many Hz and
/// the share below 1 kHz by less than so much (standard deviations).
const HELD_MILLIS: u32 = 400;
const HELD_HZ: f32 = 45.0;
const HELD_LOW_SHARE: f32 = 0.03;

/// One look at the lane.
#[derive(Clone, Copy, Debug, Default)]
pub struct Look {
    /// When, in milliseconds since the answer.
    pub at_millis: u32,
    /// What the voice detector says.
    pub activity: Activity,
    /// Its power, full scale 1.0.
    pub power: f32,
    /// Power of the line between the words.
    pub floor: f32,
    /// Frequency of the strongest peak, in Hz.
    pub hz: f32,
    /// Its share of the power.
    pub peak_share: f32,
    /// Share of the power below 1 kHz.
    pub low_share: f32,
    /// Within a tone of the network or of a machine.
    pub is_tone: bool,
    /// At the frequency of the look before.
    pub is_still: bool,
}

/// Count, sum and sum of squares.
#[derive(Clone, Copy, Debug, Default)]
struct Moments {
    count: f32,
    sum: f32,
    squares: f32,
}

impl Moments {
    fn take(&mut self, x: f32) {
        self.count += 1.0;
        self.sum += x;
        self.squares += x * x;
    }
    fn mean(&self) -> f32 {
        self.sum / self.count.max(1.0)
    }
    /// Standard deviation.
    fn moves(&self) -> f32 {
        (self.squares / self.count.max(1.0) - self.mean() * self.mean()).max(0.0).sqrt()
    }
}

/// Speech and pauses since the answer.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rhythm {
    /// The first look with sound.
    pub first_millis: Option<u32>,
    /// The latest look with sound.
    pub last_millis: u32,
    burst_from_millis: u32,
    first_burst_millis: u32,
    longest_burst_millis: u32,
    bursts: u32,
    gaps: u32,
    first_gap_millis: u32,
    latest_gap_millis: u32,
    longest_gap_millis: u32,
    gaps_millis: u32,
    /// Looks with sound, and how many of these are voiced, within a tone, at an unchanged frequency.
    active: u32,
    voiced: u32,
    tone: u32,
    still: u32,
    level: Moments,
    first_burst_level: Moments,
    burst_level: Moments,
    peak_db: f32,
    followed_db: f32,
    end_db: f32,
    hz: Moments,
    end_hz: f32,
    low: Moments,
    peak_share: Moments,
    floor: f32,
    syllables: u32,
    is_rising: bool,
    turn_db: f32,
    syllable_millis: u32,
    /// The same by the voice's own level.
    pub phrases: Phrases,
}

impl Rhythm {
    /// Takes a look.
    pub fn take(&mut self, look: &Look) {
        if !look.activity.is_active {
            return;
        }
        self.burst(look.at_millis);
        let level_db = db(look.power);
        self.floor = look.floor;
        self.active = self.active.saturating_add(1);
        self.voiced = self.voiced.saturating_add(u32::from(look.activity.is_voiced));
        self.tone = self.tone.saturating_add(u32::from(look.is_tone));
        self.still = self.still.saturating_add(u32::from(look.is_still));
        self.level.take(level_db);
        self.burst_level.take(level_db);
        if self.bursts <= 1 {
            self.first_burst_level.take(level_db);
        }
        self.peak_share.take(look.peak_share);
        if look.activity.is_voiced {
            self.end_hz = followed(self.end_hz, look.hz, END_SHARE, self.hz.count);
            self.hz.take(look.hz);
            self.low.take(look.low_share);
        }
        self.syllable(look.at_millis, level_db);
    }

    /// A look with sound: it goes on, or begins after a pause.
    fn burst(&mut self, at_millis: u32) {
        let Some(first) = self.first_millis else {
            self.first_millis = Some(at_millis);
            (self.last_millis, self.burst_from_millis, self.bursts) = (at_millis, at_millis, 1);
            return;
        };
        let gap = at_millis.saturating_sub(self.last_millis);
        if gap >= PARTS_MILLIS {
            if self.gaps == 0 {
                self.first_gap_millis = gap;
                self.first_burst_millis = self.last_millis.saturating_sub(first);
            }
            self.gaps = self.gaps.saturating_add(1);
            self.gaps_millis = self.gaps_millis.saturating_add(gap);
            self.latest_gap_millis = gap;
            self.longest_gap_millis = self.longest_gap_millis.max(gap);
            self.longest_burst_millis = self.longest_burst_millis.max(self.burst_millis());
            self.burst_from_millis = at_millis;
            self.bursts = self.bursts.saturating_add(1);
            self.burst_level = Moments::default();
        }
        self.last_millis = at_millis;
    }

    /// Follows the level; a peak between two dips is a syllable.
    fn syllable(&mut self, at_millis: u32, level_db: f32) {
        let db = followed(self.followed_db, level_db, LEVEL_SHARE, self.level.count - 1.0);
        self.followed_db = db;
        self.phrases.take(at_millis, db);
        self.end_db = followed(self.end_db, level_db, END_SHARE, self.level.count - 1.0);
        if self.level.count <= 1.0 {
            (self.peak_db, self.turn_db, self.is_rising) = (level_db, db, true);
        }
        self.peak_db = self.peak_db.max(level_db);
        if self.is_rising {
            self.turn_db = self.turn_db.max(db);
            if db < self.turn_db - SYLLABLE_DB {
                self.syllables = self.syllables.saturating_add(1);
                self.syllable_millis = at_millis;
                (self.is_rising, self.turn_db) = (false, db);
            }
        } else {
            self.turn_db = self.turn_db.min(db);
            if db > self.turn_db + SYLLABLE_DB {
                (self.is_rising, self.turn_db) = (true, db);
            }
        }
    }

    fn burst_millis(&self) -> u32 {
        self.last_millis.saturating_sub(self.burst_from_millis)
    }
    /// From the first sound to the latest.
    pub fn span_millis(&self) -> u32 {
        self.first_millis.map_or(0, |first| self.last_millis.saturating_sub(first))
    }
    /// Share of the looks with sound.
    fn share(&self, looks: u32) -> f32 {
        looks as f32 / self.active.max(1) as f32
    }
    /// How long it sounded, pauses left out.
    pub const fn sounding_millis(&self) -> u32 {
        self.active.saturating_mul(HOP_MILLIS)
    }
    /// How long it was voiced.
    pub const fn voiced_millis(&self) -> u32 {
        self.voiced.saturating_mul(HOP_MILLIS)
    }
    /// Share of it that was voiced.
    pub fn voiced_share(&self) -> f32 {
        self.share(self.voiced)
    }
    /// Share of it within tones.
    pub fn tone_share(&self) -> f32 {
        self.share(self.tone)
    }
    /// Share of it at an unchanged frequency.
    pub fn still_share(&self) -> f32 {
        self.share(self.still)
    }
    /// Standard deviation of the level, in dB.
    pub fn moves_db(&self) -> f32 {
        self.level.moves()
    }

    /// How far the line is below what sounds, in dB.
    pub fn over_floor_db(&self) -> f32 {
        self.level.mean() - db(self.floor)
    }
    /// Whether it holds its notes: neither the frequency of the strongest partial moves nor the share of the low ones.
    /// Vowels do not follow one another like that for long.
    pub fn is_held(&self) -> bool {
        self.sounding_millis() >= HELD_MILLIS
            && self.hz.moves() < HELD_HZ
            && self.low.moves() < HELD_LOW_SHARE
    }

    /// What was said so far, at `at_millis`, when it has been quiet for `quiet_millis`.
    pub fn features(&self, at_millis: u32, quiet_millis: u32) -> [f32; FEATURES] {
        let ms = |millis: u32| millis as f32;
        let first = self.first_millis.unwrap_or(at_millis);
        let span = self.span_millis();
        let first_burst = if self.gaps == 0 { span } else { self.first_burst_millis };
        let sounding = self.sounding_millis();
        let floor_db = db(self.floor);
        let own: [f32; OWN] = [
            ms(first),
            ms(at_millis.saturating_sub(first)),
            ms(quiet_millis),
            ms(span),
            ms(first_burst),
            ms(self.burst_millis()),
            ms(self.longest_burst_millis.max(self.burst_millis())),
            ms(self.bursts),
            ms(self.first_gap_millis),
            ms(self.latest_gap_millis),
            ms(self.longest_gap_millis),
            ms(self.gaps_millis) / ms(self.gaps.max(1)),
            ms(sounding),
            ms(sounding) / ms(span.max(HOP_MILLIS)),
            self.voiced_share(),
            self.moves_db(),
            self.peak_db - self.level.mean(),
            self.over_floor_db(),
            self.burst_level.mean() - self.first_burst_level.mean(),
            self.end_db - self.level.mean(),
            ms(self.syllables),
            1000.0 * ms(self.syllables) / ms(sounding.max(HOP_MILLIS)),
            ms(self.last_millis.saturating_sub(self.syllable_millis)),
            self.hz.mean(),
            self.hz.moves(),
            self.low.mean(),
            self.low.moves(),
            self.peak_share.mean(),
            self.still_share(),
            self.tone_share(),
            floor_db,
            self.end_hz - self.hz.mean(),
        ];
        let mut features = [0.0; FEATURES];
        let all = own.into_iter().chain(self.phrases.features(at_millis));
        features.iter_mut().zip(all).for_each(|(feature, of)| *feature = of);
        features
    }
}

/// `of`, moved towards `x`; the first one of all is `x` itself.
fn followed(of: f32, x: f32, share: f32, before: f32) -> f32 {
    if before < 1.0 { x } else { of + share * (x - of) }
}
/// Power in dB of full scale.
fn db(power: f32) -> f32 {
    10.0 * power.clamp(1e-9, 1.0).log10()
}
