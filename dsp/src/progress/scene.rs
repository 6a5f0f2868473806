//! Speech or music: what sounds in early media that is no tone of the network.
//!
//! Music holds its notes: the strongest frequency stays where it is. A voice glides, waits for breath and between
//! words, and its level moves from look to look less abruptly than notes begin. Five numbers say how much of each
//! was heard; their weighted sum speaks for music above zero. It is asked again and again from 1.5 s of sound on,
//! and has to be ever less sure until 5.2 s. Noise of rooms and lines is told by having neither notes nor pauses, or
//! hardly a harmonic; hum by a level that only trembles.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

use crate::ears::Sound;
use crate::frame::Frame;
use crate::tones::Tone;

/// Looks with sound after which a scene is judged if that is sure, and judged for good.
const SURE_FRAMES: u32 = 190;
const LAST_FRAMES: u32 = 650;
/// Looks with sound between two judgements.
const BETWEEN_FRAMES: u32 = 10;
/// How sure it has to be at first.
const SURE: f32 = 5.2;
/// Looks of quiet after which a shorter one is judged, and the least of sound in it.
const WAIT_FRAMES: u32 = 50;
const FRAMES_MIN: u32 = 70;
/// Looks of quiet that end a scene.
const QUIET_FRAMES: u32 = 250;

/// A look 15 dB below the loudest, which is forgotten by 1 dB a second, is a pause.
const PAUSE_SHARE: f32 = 0.03;
const LOUD_LEAK: f32 = 0.998;
/// A note holds its frequency within so many Hz for 64 ms.
const STILL_HZ: f32 = 5.0;
/// A look is part of something steady if the frequency moved by less than this in 32 ms.
const STEADY_HZ: f32 = 7.0;
/// The strongest peak of either has this share of the power.
const PEAK_SHARE: f32 = 0.2;
/// Most that a level moves from look to look, in dB.
const MOVE_MAX_DB: f32 = 20.0;

/// What speaks for music, fitted to four hours of prompts, greetings, sentences and music: share of looks within a
/// note, and of steady ones; share 16 dB below the loudest twentieth; longest pause, as a share of 0.4 s; dB from
/// look to look.
const STILL_WEIGHT: f32 = 30.0;
const STEADY_WEIGHT: f32 = 4.0;
const WEAK_WEIGHT: f32 = -9.6;
const PAUSE_WEIGHT: f32 = -3.9;
const MOVES_WEIGHT: f32 = 2.2;
const BIAS: f32 = -1.55;
/// And if it has been quiet for 0.4 s.
const OVER_BIAS: f32 = -0.7;

/// A harmonic look, as [`crate::voice`] has it.
const VOICED_PEAK_SHARE: f32 = 0.3;
const VOICED_LOW_SHARE: f32 = 0.5;
/// What holds no tone and never pauses, or is hardly harmonic, is the noise of a room or a line …
const HISS_STEADY_SHARE: f32 = 0.2;
const HISS_LOW_SHARE: f32 = 0.05;
const HISS_VOICED_SHARE: f32 = 0.47;
const HISS_FIRST_SHARE: f32 = 0.42;
/// … and what stays at its level (standard deviation in dB) but for a trembling from look to look, and mostly within
/// so many Hz of where it began, a hum.
const HUM_MOVES_DB: f32 = 1.7;
const HUM_TREMBLE: f32 = 0.36;
const HUM_HZ: f32 = 15.0;
const HUM_SHARE: f32 = 0.7;

/// Levels that are counted: bins of 1.25 and 1.76 dB in turn, from −82 dB on.
const LEVELS: usize = 64;
const LEVEL_BITS: u32 = 22;
const LEVEL_FIRST: u32 = 200;
/// Of the looks, one in so many is at least as loud as the level that others are compared with …
const LOUDEST: u32 = 20;
/// … which are weak if they are so many bins lower.
const WEAK_BINS: usize = 10;

/// The scene on one lane, from its first sound.
#[derive(Clone, Debug)]
pub struct Scene {
    /// First frequencies of the latest looks, the newest first.
    hz: [f32; 9],
    /// Level of the look before.
    level_db: f32,
    quiet_frames: u32,
    seen: Seen,
    /// What was said of it.
    said: Option<Sound>,
}

/// What was counted since the first sound.
#[derive(Clone, Debug)]
struct Seen {
    frames: u32,
    /// Looks with sound; of these within a note, steady, harmonic.
    active: u32,
    still: u32,
    steady: u32,
    voiced: u32,
    /// The frequency of the first note, and how many looks were at it again.
    first_hz: f32,
    same: u32,
    /// Pauses, the one that goes on, the longest.
    low: u32,
    low_run: u32,
    pause: u32,
    loud: f32,
    /// Of the looks with sound: sums of the strongest peak's share, of how far the level moved, of the level in dB,
    /// and of its square.
    first_share: f32,
    moved_db: f32,
    level_db: f32,
    level_db_squared: f32,
    levels: [u16; LEVELS],
}

impl Default for Scene {
    fn default() -> Self {
        Self { hz: [0.0; 9], level_db: 0.0, quiet_frames: 0, seen: Seen::NOTHING, said: None }
    }
}

/// The level of a power in dB, within 0.3 dB: exponent and mantissa of a float are nearly its logarithm.
fn level_db(power: f32) -> f32 {
    const DB_A_BIT: f32 = 3.010_3 / (1 << 23) as f32;
    (power.max(1e-9).to_bits() as f32 - 1.0_f32.to_bits() as f32) * DB_A_BIT
}

impl Scene {
    /// Takes a look, the tone that sounds in it, and whether it is louder than the line; says what the scene is,
    /// once, when it `may_speak`.
    pub fn take(
        &mut self,
        frame: &Frame,
        tone: Option<&Tone>,
        is_voice: bool,
        may_speak: bool,
    ) -> Option<Sound> {
        let [now, a, b, c, before, d, e, f, _] = self.hz;
        self.hz = [frame.first_hz, now, a, b, c, before, d, e, f];
        let level_db = level_db(frame.power);
        let moved_db = (level_db - self.level_db).abs().min(MOVE_MAX_DB);
        self.level_db = level_db;
        if tone.is_some_and(Tone::is_steady) {
            // A tone of the network or of a machine is no scene.
            self.quiet_frames = 0;
            return None;
        }
        if is_voice || tone.is_some() {
            self.quiet_frames = 0;
        } else {
            self.quiet_frames = self.quiet_frames.saturating_add(1);
            if self.quiet_frames > QUIET_FRAMES {
                (self.seen, self.said) = (Seen::NOTHING, None);
            }
        }
        if self.seen.active == 0 && self.quiet_frames > 0 {
            return None;
        }
        let is_peak = frame.first_share > PEAK_SHARE;
        let [newest, _, _, _, recent, _, _, _, oldest] = self.hz;
        let is_still = is_peak && (newest - oldest).abs() < STILL_HZ;
        let is_steady = is_peak && (newest - recent).abs() < STEADY_HZ;
        self.seen.count(frame, [is_still, is_steady], level_db, moved_db);
        let sound = self.seen.judge(self.quiet_frames).filter(|_| may_speak)?;
        if sound.is_none() {
            // Noise: what comes after it is judged by itself.
            self.seen = Seen::NOTHING;
        }
        let is_new = sound.is_some() && sound != self.said;
        if is_new {
            self.said = sound;
        }
        sound.filter(|_| is_new)
    }
}

impl Seen {
    const NOTHING: Self = Self {
        frames: 0,
        active: 0,
        still: 0,
        steady: 0,
        voiced: 0,
        first_hz: 0.0,
        same: 0,
        low: 0,
        low_run: 0,
        pause: 0,
        loud: 0.0,
        first_share: 0.0,
        moved_db: 0.0,
        level_db: 0.0,
        level_db_squared: 0.0,
        levels: [0; LEVELS],
    };

    fn count(
        &mut self,
        frame: &Frame,
        [is_still, is_steady]: [bool; 2],
        level_db: f32,
        moved_db: f32,
    ) {
        let level = (frame.power.to_bits() >> LEVEL_BITS).saturating_sub(LEVEL_FIRST) as usize;
        if let Some(count) = self.levels.get_mut(level.min(LEVELS - 1)) {
            *count = count.saturating_add(1);
        }
        self.frames = self.frames.saturating_add(1);
        self.loud = (self.loud * LOUD_LEAK).max(frame.power);
        if frame.power < PAUSE_SHARE * self.loud {
            self.low = self.low.saturating_add(1);
            self.low_run = self.low_run.saturating_add(1);
            self.pause = self.pause.max(self.low_run);
            return;
        }
        self.low_run = 0;
        self.active = self.active.saturating_add(1);
        let is_voiced = frame.first_share > VOICED_PEAK_SHARE && frame.low_share > VOICED_LOW_SHARE;
        let counts = [&mut self.still, &mut self.steady, &mut self.voiced];
        for (count, is_so) in counts.into_iter().zip([is_still, is_steady, is_voiced]) {
            *count = count.saturating_add(u32::from(is_so));
        }
        if is_still {
            if self.first_hz <= 0.0 {
                self.first_hz = frame.first_hz;
            }
            let is_same = (frame.first_hz - self.first_hz).abs() < HUM_HZ;
            self.same = self.same.saturating_add(u32::from(is_same));
        }
        self.first_share += frame.first_share;
        self.moved_db += moved_db;
        self.level_db += level_db;
        self.level_db_squared += level_db * level_db;
    }

    /// What it is, if it is time to say so: noise is `None` as well.
    fn judge(&self, quiet_frames: u32) -> Option<Option<Sound>> {
        // Music does not wait; who has spoken and waits has spoken.
        let is_over = quiet_frames >= WAIT_FRAMES && self.active >= FRAMES_MIN;
        let is_due = self.active >= SURE_FRAMES && self.active.is_multiple_of(BETWEEN_FRAMES);
        if !is_over && (!is_due || self.low_run > 0) {
            return None;
        }
        if (is_over || self.active.is_multiple_of(SURE_FRAMES)) && self.is_noise() {
            return Some(None);
        }
        let missing = LAST_FRAMES.saturating_sub(self.active) as f32;
        let sure = if is_over { 0.0 } else { SURE * missing / (LAST_FRAMES - SURE_FRAMES) as f32 };
        let music = self.music() + if is_over { OVER_BIAS } else { 0.0 };
        (music.abs() >= sure).then_some(Some(if music > 0.0 {
            Sound::Music
        } else {
            Sound::Announcement
        }))
    }

    /// What speaks for music.
    fn music(&self) -> f32 {
        let active = self.active.max(1) as f32;
        STILL_WEIGHT * self.still as f32 / active
            + STEADY_WEIGHT * self.steady as f32 / active
            + WEAK_WEIGHT * self.weak() as f32 / self.frames.max(1) as f32
            + PAUSE_WEIGHT * self.pause.min(WAIT_FRAMES) as f32 / WAIT_FRAMES as f32
            + MOVES_WEIGHT * self.moved_db / active
            + BIAS
    }

    /// Looks that are 16 dB below the loudest twentieth.
    fn weak(&self) -> u32 {
        let mut louder = 0_u32;
        let loudest = self.levels.iter().rposition(|&looks| {
            louder = louder.saturating_add(u32::from(looks));
            louder.saturating_mul(LOUDEST) >= self.frames
        });
        let weak = loudest.unwrap_or_default().saturating_sub(WEAK_BINS);
        self.levels.iter().take(weak).map(|&looks| u32::from(looks)).sum()
    }

    fn is_noise(&self) -> bool {
        let active = self.active.max(1) as f32;
        let share = |looks: u32| looks as f32 / active;
        let low = self.low as f32 / self.frames.max(1) as f32;
        let is_hiss = share(self.steady) < HISS_STEADY_SHARE
            && (low < HISS_LOW_SHARE
                || self.first_share < HISS_FIRST_SHARE * active
                || share(self.voiced) < HISS_VOICED_SHARE);
        let mean_db = self.level_db / active;
        let moves_db = (self.level_db_squared / active - mean_db * mean_db).max(0.0).sqrt();
        let is_hum = moves_db < HUM_MOVES_DB
            && self.moved_db > HUM_TREMBLE * moves_db * active
            && self.same as f32 > HUM_SHARE * self.still as f32;
        is_hiss || is_hum
    }
}
