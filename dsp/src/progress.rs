//! Call progress: the tones of the network by their cadence; speech and music of early media, roughly.
//!
//! What is heard becomes a list of marks, tone and pause in turn, each with its duration; it is held
//! against every pattern of the zones, from any starting point, as it grows. A verdict falls as soon as
//! what was heard agrees with one class only (nearly: plans contradict each other) and is long enough
//! for speech not to have done it by chance. Special information tones are known by their three rising
//! frequencies, in any zone. E.180, E.182.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

mod plans;
mod scene;
mod sit;

pub use plans::Plans;
use plans::{Mark, Votes};
use scene::Scene;
pub use sit::SitCode;

use crate::ears::Sound;
use crate::frame::Frame;
use crate::spectrum::HOP_MILLIS;
use crate::tones::{Change, Tone};

/// Tones and pauses that are remembered.
const MARKS_MAX: usize = 12;
/// Marks that may be a cadence; a vowel can look like a tone for a moment.
const MARKS_OF_CADENCE: usize = 3;
/// The pause after an on-period after which it is sure to be one.
const PAUSE_MILLIS: u32 = 120;
/// A tone that goes on so long needs no end to be known.
const LONG_TONE_MILLIS: u32 = 1380;
/// And so long, to be none of the interrupted ones.
const ENDLESS_MILLIS: u32 = 3200;
/// A pause longer than any cadence's.
const PAUSE_MAX_MILLIS: u32 = 16_000;
/// The first on-period of a ring-back is at least so long.
const RING_MILLIS_MIN: u32 = 250;
/// Share of the votes a class needs.
const MAJORITY: f32 = 0.7;
/// With so many marks the greatest share is enough: the plans contradict each other.
const MARKS_ENOUGH: usize = 6;
/// Votes for the lesser of busy and congestion, as a share of the greater, that leave the question open.
const QUESTION: f32 = 0.3;
/// Frames between two counts of the votes while nothing changes.
const RECOUNT_FRAMES: u8 = 10;
/// And when something has been said already.
const RECOUNT_SETTLED_FRAMES: u8 = 60;
/// The tones of a cadence hold at least this share of the power.
const SHARE_MIN: f32 = 0.80;
/// And move at most so far. Slow enough drift would be a voice.
const DRIFT_MAX_HZ: f32 = 20.0;
/// Sound that is no tone, between the tones, after which it is no cadence.
const OTHER_MAX_MILLIS: u32 = 200;
/// Fewer marks than this prove little: then the tone must be clear, with this share of the power and hardly any
/// other sound behind it. So is a tone 9 dB over noise, and hardly a note of music.
const MARKS_PROVE: usize = 4;
const CLEAR_SHARE: f32 = 0.88;
const CLEAR_OTHER_MAX_MILLIS: u32 = 60;
/// A single tone says nothing before this, and is not worth a count.
const HEARD_MILLIS_MIN: u32 = 250;
/// An interrupted tone is known no sooner: the syllables of a voice may come as fast as the fastest of them.
const INTERRUPTED_MILLIS: u32 = 400;

/// Lowest and highest frequency of each of the three special information tones. E.180, §7; the
/// North American codes lie inside.
const SIT_HZ: [core::ops::RangeInclusive<f32>; 3] =
    [890.0..=1010.0, 1340.0..=1470.0, 1730.0..=1860.0];
/// How long each is: 330 ± 70 ms, and the codes' 274 and 380 ± 5 %.
const SIT_MILLIS: core::ops::RangeInclusive<u32> = 220..=460;
/// The most between two of them, with what framing adds to 30 ms.
const SIT_GAP_MILLIS: u32 = 70;

/// The progress receiver of one lane.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    marks: [Mark; MARKS_MAX],
    len: usize,
    /// When the latest tone ended.
    ended_millis: Option<u32>,
    /// Other sound since then.
    other_millis: u32,
    /// The share of the power that the latest tone had.
    share: f32,
    sit_stage: usize,
    /// The latest tones that may be the first and the second of them, and what the third made of it.
    sit_first: Tone,
    sit_second: Tone,
    sit_code: SitCode,
    sit_end_millis: u32,
    until_recount: u8,
    said: Option<Sound>,
    scene: Scene,
}

impl Progress {
    /// Takes what changed among the tones at `at_millis`.
    pub fn change(&mut self, change: &Change) {
        match change {
            Change::Began(tone) => {
                if let Some(ended) = self.ended_millis
                    && self.len > 0
                    && self.other_millis <= OTHER_MAX_MILLIS
                {
                    self.pause(tone.from_millis.saturating_sub(ended));
                } else {
                    self.len = 0;
                }
                let is_cut = tone.from_millis <= 40;
                self.push(Mark { hz: tone.hz, millis: 0, is_open: true, is_cut });
            }
            Change::Ended(tone) => {
                self.close(tone);
                self.sit(tone);
            }
        }
        self.until_recount = 0;
    }

    /// Takes a frame; `tone` is what sounds, `is_voice` whether anything is louder than the line.
    pub fn take(
        &mut self,
        at_millis: u32,
        frame: &Frame,
        tone: Option<&Tone>,
        is_voice: bool,
        plans: &Plans,
    ) -> Option<Sound> {
        if let Some(tone) = tone {
            self.other_millis = 0;
            self.share = tone.share;
        } else if is_voice {
            self.other_millis = self.other_millis.saturating_add(HOP_MILLIS);
            if self.other_millis > OTHER_MAX_MILLIS {
                (self.len, self.sit_stage) = (0, 0);
            }
        }
        // Between the tones of a cadence there is no scene.
        let is_scene = self.len < MARKS_OF_CADENCE;
        let scene = self.scene.take(frame, tone, is_voice, is_scene);
        self.grow(at_millis, tone);
        let sound = self.sit_now(tone).or_else(|| self.recount(plans)).or(scene)?;
        if self.said == Some(sound) {
            return None;
        }
        self.said = Some(sound);
        Some(sound)
    }

    /// Which special information tone the latest was.
    pub const fn sit_code(&self) -> SitCode {
        self.sit_code
    }

    fn push(&mut self, mark: Mark) {
        if self.len >= MARKS_MAX {
            self.drop_oldest();
        }
        if let Some(slot) = self.marks.get_mut(self.len) {
            *slot = mark;
            self.len = self.len.saturating_add(1);
        }
    }
    /// Forgets the oldest tone and the pause behind it.
    fn drop_oldest(&mut self) {
        let by = 2.min(self.len);
        self.marks.rotate_left(by);
        self.len = self.len.saturating_sub(by);
    }
    fn open(&mut self) -> Option<&mut Mark> {
        self.len.checked_sub(1).and_then(|i| self.marks.get_mut(i))
    }
    fn pause(&mut self, millis: u32) {
        match self.open() {
            Some(mark) if mark.is_pause() => (mark.millis, mark.is_open) = (millis, false),
            // Two tones without a pause: a new frequency.
            Some(_) if millis < 2 * HOP_MILLIS => {}
            Some(_) => self.push(Mark { millis, ..Mark::default() }),
            None => {}
        }
    }
    fn close(&mut self, tone: &Tone) {
        self.ended_millis = Some(tone.to_millis);
        self.other_millis = 0;
        self.share = tone.share;
        let is_impure = tone.share < SHARE_MIN || tone.drift_hz > DRIFT_MAX_HZ;
        if let Some(mark) = self.open().filter(|mark| !mark.is_pause()) {
            (mark.hz, mark.millis, mark.is_open) = (tone.hz, tone.millis(), false);
        }
        if is_impure {
            self.len = 0;
        }
    }
    /// Lets the open mark grow to now.
    fn grow(&mut self, at_millis: u32, tone: Option<&Tone>) {
        if let Some(tone) = tone {
            let is_impure = tone.share < SHARE_MIN || tone.drift_hz > DRIFT_MAX_HZ;
            if let Some(mark) = self.open().filter(|mark| !mark.is_pause()) {
                (mark.hz, mark.millis) = (tone.hz, tone.millis());
            }
            if is_impure {
                self.len = 0;
            }
            return;
        }
        let Some(ended) = self.ended_millis.filter(|_| self.len > 0) else { return };
        let millis = at_millis.saturating_sub(ended);
        if millis > PAUSE_MAX_MILLIS {
            self.len = 0;
            return;
        }
        match self.open() {
            Some(mark) if mark.is_pause() => mark.millis = millis,
            Some(mark) if !mark.is_open => {
                self.push(Mark { millis, is_open: true, ..Mark::default() });
            }
            _ => {}
        }
    }

    /// Counts the votes when something changed, or now and then.
    fn recount(&mut self, plans: &Plans) -> Option<Sound> {
        if self.len == 0 {
            return None;
        }
        if let Some(frames) = self.until_recount.checked_sub(1) {
            self.until_recount = frames;
            return None;
        }
        if let Some(Mark { millis: ..HEARD_MILLIS_MIN, .. }) = self.marks.first()
            && self.len == 1
        {
            return None;
        }
        let is_clear = self.share >= CLEAR_SHARE && self.other_millis <= CLEAR_OTHER_MAX_MILLIS;
        let is_settled = self.said.is_some_and(|said| plans::CLASSES.contains(&said));
        self.until_recount = if is_settled { RECOUNT_SETTLED_FRAMES } else { RECOUNT_FRAMES };
        loop {
            let marks = self.marks.get(..self.len)?;
            let votes = plans.votes(marks);
            if votes.of_any(&plans::CLASSES) > 0.0 {
                return decide(marks, &votes).filter(|_| is_clear || marks.len() >= MARKS_PROVE);
            }
            // What begins no cadence by itself ends none either: then all before it is forgotten at once.
            let latest = if self.len.is_multiple_of(2) { 2 } else { 1 };
            let last = marks.get(self.len.saturating_sub(latest)..)?;
            if self.len <= 2 || plans.votes(last).of_any(&plans::CLASSES) <= 0.0 {
                while self.len > 2 {
                    self.drop_oldest();
                }
                // A mark that only grows longer fits no better: the next change is waited for.
                self.until_recount = u8::MAX;
                return None;
            }
            self.drop_oldest();
        }
    }

    /// Follows the three special information tones.
    fn sit(&mut self, tone: &Tone) {
        let [low, high] = tone.hz;
        let is_at = |stage: usize| {
            high == 0.0
                && SIT_HZ.get(stage).is_some_and(|range| range.contains(&low))
                && SIT_MILLIS.contains(&tone.millis())
        };
        let gap = tone.from_millis.saturating_sub(self.sit_end_millis);
        self.sit_stage = match self.sit_stage {
            1 if is_at(1) && gap <= SIT_GAP_MILLIS => {
                self.sit_second = *tone;
                2
            }
            _ if is_at(0) => {
                self.sit_first = *tone;
                1
            }
            _ => 0,
        };
        self.sit_end_millis = tone.to_millis;
    }
    fn sit_now(&mut self, tone: Option<&Tone>) -> Option<Sound> {
        let tone = tone.filter(|_| self.sit_stage == 2)?;
        let [low, high] = tone.hz;
        let gap = tone.from_millis.saturating_sub(self.sit_end_millis);
        let is_third = high == 0.0
            && SIT_HZ.get(2).is_some_and(|range| range.contains(&low))
            && gap <= SIT_GAP_MILLIS
            && tone.millis() >= 100;
        is_third.then(|| {
            self.sit_stage = 0;
            self.sit_code = SitCode::of(&self.sit_first, &self.sit_second, tone);
            Sound::Sit
        })
    }
}

/// Which class the marks are, if that is sure by now.
fn decide(marks: &[Mark], votes: &Votes) -> Option<Sound> {
    let open = marks.last()?;
    let tones_done = marks.iter().filter(|mark| !mark.is_pause() && !mark.is_open).count();
    let first = marks.first()?;
    let tone_millis = if open.is_pause() { 0 } else { open.millis };
    let ring = votes.of(Sound::Ringback);
    let busy = votes.of_any(&[Sound::Busy, Sound::Congestion]);
    let is_heard = marks.iter().map(|mark| mark.millis).sum::<u32>() >= INTERRUPTED_MILLIS;
    let vacant = votes.of_any(&[Sound::Vacant, Sound::Sit]);
    // Nobody hears dial tone or call waiting on a call that is being set up: they speak when alone.
    let all = ring + busy + vacant;
    let needed = if marks.len() >= MARKS_ENOUGH { 0.0 } else { MAJORITY * all };
    if all <= 0.0 {
        let is_dial = votes.of(Sound::Dial) > 0.0 && tone_millis >= ENDLESS_MILLIS;
        let is_waiting = votes.of(Sound::CallWaiting) > 0.0 && tones_done >= 2;
        return is_dial.then_some(Sound::Dial).or_else(|| is_waiting.then_some(Sound::CallWaiting));
    }
    if ring >= needed && ring >= busy && ring >= vacant {
        let is_period_over = open.is_pause()
            && open.millis >= PAUSE_MILLIS
            && marks.iter().any(|m| !m.is_pause() && m.millis >= RING_MILLIS_MIN && !m.is_cut);
        // The next tone comes too soon, or too late, for any other class.
        let is_ring_alone = busy + vacant <= 0.0
            && tones_done >= 1
            && marks.len() >= 3
            && first.millis >= RING_MILLIS_MIN
            && !first.is_cut;
        let is_known = is_period_over
            || is_ring_alone
            || tones_done >= 2
            || (tone_millis >= LONG_TONE_MILLIS && votes.of(Sound::Dial) < 4.0 * ring)
            || (tones_done >= 1 && first.is_cut && marks.len() >= 3);
        return is_known.then_some(Sound::Ringback);
    }
    if busy >= needed && busy >= vacant {
        let (plain, congested) = (votes.of(Sound::Busy), votes.of(Sound::Congestion));
        // Some plans begin both alike: then more of it is waited for.
        let is_open_question = plain.min(congested) > QUESTION * plain.max(congested);
        let needed = if is_open_question { 3 } else { 1 };
        let is_known = tones_done > needed || (tones_done >= needed && tone_millis >= 100);
        let busier = plain >= congested;
        return (is_known && is_heard).then_some(if busier {
            Sound::Busy
        } else {
            Sound::Congestion
        });
    }
    let is_known = tones_done >= 3 || tone_millis >= ENDLESS_MILLIS;
    (vacant >= needed && is_known && is_heard).then_some(Sound::Vacant)
}
