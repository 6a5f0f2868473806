//! The beep after which one may speak: a tone, steady, gliding or fading, once or twice, with quiet around it.
//!
//! What makes it no voice: it comes out of quiet and goes into quiet, what the line carries beside it is no more than
//! before and after, and its frequency is a straight line over time, whatever its slope. A tone that words came before
//! is an answering machine's; one that sounds first may be the network's, and is a beep only where no network has tones.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

use core::ops::RangeInclusive;

use crate::frame::Frame;
use crate::spectrum::HOP_MILLIS;
use crate::voice::Activity;

/// Frequencies of beeps; and of those that no words come before: below are the tones of networks.
const HZ: RangeInclusive<f32> = 350.0..=2800.0;
const BARE_HZ_MIN: f32 = 640.0;
/// A modem answers at 2,100 Hz (V.25); a fax calls at 1,100 Hz for half a second (T.30), and says nothing before.
const CED_HZ: RangeInclusive<f32> = 2050.0..=2150.0;
const CNG_HZ: RangeInclusive<f32> = 1057.0..=1143.0;
const CNG_MILLIS: RangeInclusive<u32> = 400..=600;
/// How long they last. A shorter tone may be a pure vowel.
const MILLIS: RangeInclusive<u32> = 136..=2000;
/// Share of the power a tone begins with, and goes on with: it may fade into the noise.
const BEGINS_SHARE: f32 = 0.7;
const SHARE: f32 = 0.5;
/// The weakest beep: −45 dBm0.
const POWER_MIN: f32 = 5e-6;
/// How far it moves from frame to frame, in Hz: a third of an octave in 150 ms.
const MOVES_HZ: f32 = 40.0;
/// Its edge is where it falls 9 dB below its level, which a fading one takes with it: 57 dB a second.
const EDGE: f32 = 0.125;
const FADE: f32 = 0.9;
/// Frames at less than half of the level are edges: the window is not filled with it. So many of all are not.
const FULL: f32 = 0.5;
const FULL_SHARE: f32 = 0.55;
/// Frames without it until it is over: 88 ms, for a second beep may follow the first after 80.
const GAP_FRAMES: u8 = 11;
/// Frames without it from which on another tone is not its edge, and how loud that must be beside it.
const OTHER_FRAMES: u8 = 4;
const OTHER_LEVEL: f32 = 0.02;
/// Frames whose least power is that of the line, before the beep and after it; and how much of a beep's it may be.
const AROUND: usize = 6;
const AROUND_SHARE: f32 = 0.1;
/// After it a room may still ring.
const AFTER_SHARE: f32 = 0.06;
const AFTER_RISE: f32 = 4.0;
/// The noise of a line moves by so much.
const NOISE_RISE: f32 = 1.6;
/// What is beside the tone and was not on the line, as a share of all. Of 33,000 stretches of vowels one in fifteen has
/// so little.
const BESIDE_MAX: f32 = 0.02;
/// How far the frequency may lie off a straight line over time, as a standard deviation in Hz for a tone at 0 Hz, and by
/// how much more for each Hz: where it is short, and where it is too long for a vowel. Pitch moves, and by its share.
const BENDS_HZ: f32 = 0.7;
const BENDS_LONG_HZ: f32 = 1.4;
const BENDS_MORE: f32 = 0.003;
const LONG_MILLIS: u32 = 256;
/// What moves by more Hz a frame glides, as voices do as well: it must last, and bend less.
const GLIDES_HZ: f32 = 0.2;
const GLIDE_MILLIS: u32 = 144;
const GLIDE_BENDS: f32 = 0.7;
/// Sound that is no tone makes words: so many frames as loud as the beep, or more that are less loud. Noise between the
/// tones of a network is far below them. And frames of it in a row until it is counted: the edges of tones are as wide.
const WORDS_FRAMES: f32 = 1.5;
const ROW_FRAMES: u8 = 4;
const TONE_SHARE: f32 = 0.9;
/// Frames that make a tone, of whatever kind.
const TONE_FRAMES: f32 = 4.0;
/// And frames after which it may become a beep: 64 ms.
const COMING_FRAMES: f32 = 8.0;

/// A tone, or what may be one, as it is followed.
#[derive(Clone, Copy, Debug, Default)]
struct Run {
    from_hz: f32,
    from_power: f32,
    hz: f32,
    /// Power of the line before.
    before: f32,
    level: f32,
    /// From the first frame to the latest that had it; frames since.
    frames: u32,
    gap: u8,
    /// Of the frames that are full of it: how many, sums for a straight line in which louder frames weigh more, power,
    /// what is beside one and beside two tones of it, how many have two.
    count: f32,
    weight: f32,
    time: f32,
    times: f32,
    moved: f32,
    moved_squares: f32,
    moved_times: f32,
    power: f32,
    beside_one: f32,
    beside_two: f32,
    seconds: f32,
}

/// The beeps of one lane.
#[derive(Clone, Debug, Default)]
pub struct BeepEar {
    run: Option<Run>,
    /// Powers of the latest frames, and where the oldest is.
    latest: [f32; AROUND],
    oldest: usize,
    /// Sum of the power of the frames that had sound that is no tone.
    words: f32,
    row: u8,
    has_had_tone: bool,
}

impl BeepEar {
    /// Takes a frame and what the voice detector says of it. Says the frequency of a beep where it began, in Hz, 110 ms
    /// after its end.
    pub fn take(&mut self, frame: &Frame, activity: Activity) -> Option<u16> {
        self.hear_words(frame, activity);
        let may_matter = self.run.is_some() || frame.tone_share >= BEGINS_SHARE;
        let found = if may_matter { self.follow(frame) } else { None };
        if let Some(slot) = self.latest.get_mut(self.oldest) {
            *slot = frame.power;
        }
        self.oldest = if self.oldest >= AROUND - 1 { 0 } else { self.oldest.saturating_add(1) };
        found
    }

    /// Takes a frame in which a tone is followed, or one may begin.
    fn follow(&mut self, frame: &Frame) -> Option<u16> {
        let is_tonal = frame.tone_share >= SHARE && frame.power >= POWER_MIN;
        let may_begin = is_tonal && frame.first_share >= SHARE && frame.tone_share >= BEGINS_SHARE;
        let Some(run) = &mut self.run else {
            self.run = may_begin.then(|| Run::new(frame, least(&self.latest)));
            return None;
        };
        if is_tonal && run.follow(frame) {
            return None;
        }
        run.gap = run.gap.saturating_add(1);
        if run.gap >= GAP_FRAMES {
            return self.over(least(&self.latest));
        }
        if run.gap >= OTHER_FRAMES && may_begin && run.is_another(frame) {
            self.has_had_tone |= run.count >= TONE_FRAMES;
            self.run = Some(Run::new(frame, least(&self.latest)));
        }
        None
    }

    /// Counts sound that is no tone.
    fn hear_words(&mut self, frame: &Frame, activity: Activity) {
        if !activity.is_active || frame.tone_share >= TONE_SHARE {
            self.row = 0;
            return;
        }
        self.row = self.row.saturating_add(1);
        if self.row > ROW_FRAMES {
            self.words += frame.power;
        }
    }

    /// Whether what sounds, or did just now, may become one.
    pub fn is_coming(&self) -> bool {
        self.run.is_some_and(|run| run.count >= COMING_FRAMES)
    }

    /// The tone is over: what it was.
    fn over(&mut self, after: f32) -> Option<u16> {
        let run = self.run.take()?;
        let has_words = self.words >= WORDS_FRAMES * run.mean();
        let is_first = !self.has_had_tone;
        self.has_had_tone |= run.count >= TONE_FRAMES;
        let is_of_fax = CED_HZ.contains(&run.from_hz)
            || !has_words && CNG_HZ.contains(&run.mean_hz()) && CNG_MILLIS.contains(&run.millis());
        let may_be = has_words || is_first && run.from_hz >= BARE_HZ_MIN;
        let is_beep = may_be && !is_of_fax && run.is_beep(after);
        is_beep.then_some(run.from_hz as u16)
    }
}

impl Run {
    fn new(frame: &Frame, before: f32) -> Self {
        let hz = frame.first_hz;
        let level = frame.power;
        Self { from_hz: hz, hz, before, level, frames: 1, ..Self::default() }
    }

    /// Whether the frame still has the tone, which is then followed.
    fn follow(&mut self, frame: &Frame) -> bool {
        let moved = |hz: f32| (hz - self.hz).abs();
        let is_second = frame.second_hz > 0.0 && moved(frame.second_hz) < moved(frame.first_hz);
        let hz = if is_second { frame.second_hz } else { frame.first_hz };
        let is_near = moved(hz) <= MOVES_HZ;
        if !is_near || frame.power < EDGE * self.level {
            return false;
        }
        self.frames = self.frames.saturating_add(u32::from(self.gap)).saturating_add(1);
        self.gap = 0;
        self.level = (self.level * FADE).max(frame.power);
        self.hz = hz;
        if frame.power >= FULL * self.level {
            self.take(frame);
        }
        true
    }

    fn take(&mut self, frame: &Frame) {
        if self.count == 0.0 {
            (self.from_hz, self.from_power) = (self.hz, frame.power);
        }
        let weight = frame.power / self.from_power.max(1e-12);
        let (time, moved) = (self.frames as f32, self.hz - self.from_hz);
        self.count += 1.0;
        self.weight += weight;
        self.time += weight * time;
        self.times += weight * time * time;
        self.moved += weight * moved;
        self.moved_squares += weight * moved * moved;
        self.moved_times += weight * moved * time;
        self.power += frame.power;
        self.beside_one += frame.power * (1.0 - frame.first_share);
        self.beside_two += frame.power * (1.0 - frame.tone_share);
        self.seconds += if frame.second_hz > 0.0 { 1.0 } else { 0.0 };
    }

    /// Whether the frame has another tone.
    fn is_another(&self, frame: &Frame) -> bool {
        HZ.contains(&frame.first_hz)
            && frame.power >= OTHER_LEVEL * self.level
            && (frame.first_hz - self.hz).abs() > MOVES_HZ
    }

    /// Its mean power, and frequency.
    fn mean(&self) -> f32 {
        self.power / self.count.max(1.0)
    }
    fn mean_hz(&self) -> f32 {
        self.from_hz + self.moved / self.weight.max(1e-6)
    }

    const fn millis(&self) -> u32 {
        self.frames.saturating_mul(HOP_MILLIS)
    }

    /// How much the frequency moves for each frame, and how far it lies off this line: both in Hz.
    fn line(&self) -> (f32, f32) {
        let n = self.weight.max(1e-6);
        let (time, moved) = (self.time / n, self.moved / n);
        let times = (self.times / n - time * time).max(1e-3);
        let both = self.moved_times / n - time * moved;
        let squares = (self.moved_squares / n - moved * moved).max(0.0);
        (both / times, (squares - both * both / times).max(0.0).sqrt())
    }

    /// What is beside the tone and was not on the line, as a share of all.
    fn beside(&self, beside: f32, after: f32) -> f32 {
        let noise = NOISE_RISE * self.before.max(after) * self.count;
        (beside - noise) / self.power.max(1e-12)
    }

    /// Whether it was a beep, when the line has `after` now.
    fn is_beep(&self, after: f32) -> bool {
        let mean = self.mean();
        let is_apart = self.before <= AROUND_SHARE * mean
            && after <= (AFTER_SHARE * mean).max(AFTER_RISE * self.before);
        let is_double = self.seconds > 0.5 * self.count;
        let beside = if is_double { self.beside_two } else { self.beside_one };
        let millis = self.millis();
        // What rings when it is struck has more than one tone and dies away; a beep of two tones does not.
        HZ.contains(&self.from_hz)
            && MILLIS.contains(&millis)
            && self.count >= FULL_SHARE * self.frames as f32
            && is_apart
            && self.beside(beside, after) <= BESIDE_MAX
            && (!is_double || self.level >= FULL * self.from_power)
            && self.is_straight(millis, is_double)
    }

    /// Whether the frequency is a straight line: two tones at once do not glide.
    fn is_straight(&self, millis: u32, is_double: bool) -> bool {
        let (glides, bends) = self.line();
        let bends_max = if millis < LONG_MILLIS { BENDS_HZ } else { BENDS_LONG_HZ };
        let bends_max = bends_max * (1.0 + BENDS_MORE * self.from_hz);
        if glides.abs() <= GLIDES_HZ && !is_double {
            bends <= bends_max
        } else {
            let may_glide = !is_double && millis >= GLIDE_MILLIS;
            (may_glide || glides.abs() <= GLIDES_HZ) && bends <= GLIDE_BENDS * bends_max
        }
    }
}

/// The least of some powers.
fn least(powers: &[f32; AROUND]) -> f32 {
    powers.iter().fold(f32::MAX, |a, &b| a.min(b))
}
