//! Person or machine: what is said after the answer, by its rhythm.
//!
//! People say little and wait; machines speak on. The evidence is how long the first utterance is until
//! somebody waits. Before that counts it must be speech: voiced, its level moving as syllables do, no tone
//! and no hum. A beep is a machine, fax tones are a fax; tones and quiet are silence; a sound that is
//! neither speech nor tone leaves the question open.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

use crate::ears::{Answerer, Fax};
use crate::frame::Frame;
use crate::spectrum::HOP_MILLIS;
use crate::tones::Tone;
use crate::voice::Activity;

/// Quiet after speech that is waiting for an answer: so many milliseconds behind an utterance up to so
/// long. A hello is known by its brevity; behind a sentence another may follow, or a beep.
const WAITS: [(u32, u32); 5] =
    [(700, 680), (1200, 780), (1600, 1000), (2000, 1320), (u32::MAX, 1560)];
/// A tone that sounds when the wait is over may become a beep: it is heard to its end, up to so long.
const HOLD_MILLIS: u32 = 2100;
/// Speech that goes on for so long is a machine's. Business greetings end before, most recordings do not.
const SPEAKS_ON_MILLIS: u32 = 3650;
/// Less voiced sound than this is a click, a breath or a noise.
const VOICED_MIN_MILLIS: u32 = 88;
/// Share of an utterance that is voiced, if it is one; and if its level moves this much, as whispered words do
/// and the clatter of a kitchen does not.
const VOICED_SHARE_MIN: f32 = 0.4;
const BREATHY_SHARE_MIN: f32 = 0.3;
const BREATHY_MOVES_DB: f32 = 7.0;
/// How much the level of speech moves: its standard deviation in dB. Tones, hum and the noise of a room
/// mostly stay within 3 dB, music within 4; words have vowels and consonants, 5 dB and more.
const MOVES_MIN_DB: f32 = 3.6;
/// What goes on for seconds is no person, be it speech or music.
const MOVES_ON_MIN_DB: f32 = 2.8;
/// Share of an utterance within tones, if it is speech.
const TONE_SHARE_MAX: f32 = 0.5;
/// Share of it at an unchanged frequency, if it is speech whose level does not move this much.
const STILL_SHARE_MAX: f32 = 0.65;
const STILL_MOVES_DB: f32 = 5.0;
/// A frequency that has not changed since the last look, in Hz.
const STILL_HZ: f32 = 4.0;
/// A tone among sounds: its share of the power, how far it moves, how long it lasts. Vowels move on.
const TONE_POWER_SHARE: f32 = 0.85;
const TONE_DRIFT_HZ: f32 = 12.0;
const TONE_MILLIS: u32 = 64;
/// Of a sound that is no speech, so much within tones, or so much at an unchanged frequency, makes it one
/// of the network's.
const NETWORK_TONE_SHARE: f32 = 0.3;
const NETWORK_STILL_SHARE: f32 = 0.5;
/// What a machine has said before its beep, at least.
const VOICED_BEFORE_BEEP_MILLIS: u32 = 300;
/// When what was no speech by then is judged.
const NOBODY_MILLIS: u32 = 5000;
/// Sound of unknown kind in that time that leaves the question open.
const UNKNOWN_MILLIS: u32 = 150;

/// One look at the lane, as the judge sees it.
#[derive(Clone, Copy, Debug, Default)]
struct Look {
    at_millis: u32,
    activity: Activity,
    level_db: f32,
    is_tone: bool,
    is_still: bool,
}

/// Sound from its beginning until somebody waits.
#[derive(Clone, Copy, Debug, Default)]
struct Utterance {
    first_millis: Option<u32>,
    last_millis: u32,
    /// Looks with sound, and how many of these are voiced, within a tone, at an unchanged frequency.
    active: u32,
    voiced: u32,
    tone: u32,
    still: u32,
    /// Sum of the levels in dB, and of their squares.
    level_db: f32,
    level_db_squared: f32,
}

impl Utterance {
    fn take(&mut self, look: &Look) {
        if !look.activity.is_active {
            return;
        }
        self.first_millis.get_or_insert(look.at_millis);
        self.last_millis = look.at_millis;
        self.active = self.active.saturating_add(1);
        self.voiced = self.voiced.saturating_add(u32::from(look.activity.is_voiced));
        self.tone = self.tone.saturating_add(u32::from(look.is_tone));
        self.still = self.still.saturating_add(u32::from(look.is_still));
        self.level_db += look.level_db;
        self.level_db_squared += look.level_db * look.level_db;
    }
    /// Share of the looks with sound.
    fn share(&self, looks: u32) -> f32 {
        looks as f32 / self.active.max(1) as f32
    }
    const fn voiced_millis(&self) -> u32 {
        self.voiced.saturating_mul(HOP_MILLIS)
    }
    /// Standard deviation of its level, in dB.
    fn moves_db(&self) -> f32 {
        let looks = self.active.max(1) as f32;
        let mean = self.level_db / looks;
        (self.level_db_squared / looks - mean * mean).max(0.0).sqrt()
    }
    /// Whether somebody spoke, if the level of speech moves by at least `moves_min_db`.
    fn is_speech(&self, moves_min_db: f32) -> bool {
        let moves_db = self.moves_db();
        let is_breathy = moves_db >= BREATHY_MOVES_DB;
        let voiced_min = if is_breathy { BREATHY_SHARE_MIN } else { VOICED_SHARE_MIN };
        self.voiced_millis() >= VOICED_MIN_MILLIS
            && self.share(self.voiced) >= voiced_min
            && moves_db >= moves_min_db
            && self.share(self.tone) <= TONE_SHARE_MAX
            && (self.share(self.still) <= STILL_SHARE_MAX || moves_db >= STILL_MOVES_DB)
    }
    /// Whether it is a tone of the network, given that it is no speech.
    fn is_network_tone(&self) -> bool {
        self.share(self.tone) >= NETWORK_TONE_SHARE || self.share(self.still) >= NETWORK_STILL_SHARE
    }
}

/// The answer judge of one lane.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    utterance: Utterance,
    /// The latest look with sound, whatever it becomes.
    sounded_millis: u32,
    /// Sound that was neither speech nor tone.
    unknown_millis: u32,
    /// The frequency of the look before.
    hz: f32,
    is_over: bool,
    /// Looks wait here until it is sure that no tone began in them.
    latest: [Look; DELAY],
}

/// Looks that wait: what a tone takes to be known as one.
const DELAY: usize = 12;

impl Answer {
    /// Takes a look: the frame, what it is to the voice detector, and the tone that sounds in it.
    pub fn take(
        &mut self,
        at_millis: u32,
        frame: &Frame,
        activity: Activity,
        tone: Option<&Tone>,
    ) -> Option<(Answerer, f32)> {
        if self.is_over {
            return None;
        }
        let is_still = (frame.first_hz - self.hz).abs() < STILL_HZ;
        self.hz = frame.first_hz;
        let is_steady = tone.is_some_and(Tone::is_steady);
        let newest = if is_steady {
            // What seemed to be a voice just now was the tone's beginning.
            self.latest = [Look::default(); DELAY];
            self.sounded_millis = self.utterance.last_millis;
            Look::default()
        } else {
            let level_db = 10.0 * frame.power.max(1e-9).log10();
            let is_tone = tone.is_some_and(is_tone);
            Look { at_millis, activity, level_db, is_tone, is_still }
        };
        if newest.activity.is_active {
            self.sounded_millis = at_millis;
        }
        let [.., oldest] = self.latest;
        self.latest.rotate_right(1);
        if let Some(slot) = self.latest.first_mut() {
            *slot = newest;
        }
        self.utterance.take(&oldest);
        self.judge(at_millis, is_steady)
    }

    fn judge(&mut self, at_millis: u32, is_steady: bool) -> Option<(Answerer, f32)> {
        let utterance = self.utterance;
        let is_late = at_millis >= NOBODY_MILLIS;
        let Some(first) = utterance.first_millis else {
            return is_late.then(|| self.nobody());
        };
        let spoke = utterance.last_millis.saturating_sub(first);
        if spoke >= SPEAKS_ON_MILLIS {
            if utterance.is_speech(MOVES_ON_MIN_DB) {
                return Some(self.say(Answerer::Machine, evidence(spoke)));
            }
            return is_late.then(|| {
                self.was_no_speech();
                self.nobody()
            });
        }
        let quiet = at_millis.saturating_sub(utterance.last_millis.max(self.sounded_millis));
        let wait = WAITS.iter().find(|(up_to, _)| spoke <= *up_to).map_or(0, |(_, wait)| *wait);
        let is_held = is_steady && quiet < wait.saturating_add(HOLD_MILLIS);
        if quiet < wait || is_held {
            return None;
        }
        if utterance.is_speech(MOVES_MIN_DB) {
            return Some(self.say(Answerer::Human, evidence(spoke)));
        }
        self.was_no_speech();
        None
    }

    /// Forgets the utterance, as if nothing had been; but a sound of unknown kind is remembered.
    fn was_no_speech(&mut self) {
        if !self.utterance.is_network_tone() {
            let millis = self.utterance.active.saturating_mul(HOP_MILLIS);
            self.unknown_millis = self.unknown_millis.saturating_add(millis);
        }
        self.utterance = Utterance::default();
    }
    /// Nobody has spoken in time.
    fn nobody(&mut self) -> (Answerer, f32) {
        let is_unknown = self.unknown_millis >= UNKNOWN_MILLIS;
        self.say(if is_unknown { Answerer::NotSure } else { Answerer::Silence }, 0.5)
    }

    /// A beep was heard. `None` when a verdict has fallen already, or nobody has spoken before it.
    pub fn beep(&mut self) -> Option<(Answerer, f32)> {
        let spoke = self.utterance.voiced_millis() >= VOICED_BEFORE_BEEP_MILLIS
            && self.utterance.is_speech(MOVES_ON_MIN_DB);
        (spoke && !self.is_over).then(|| self.say(Answerer::Machine, 0.99))
    }
    /// A fax was heard. `None` when a verdict has fallen already.
    pub fn fax(&mut self, fax: Fax) -> Option<(Answerer, f32)> {
        let _ = fax;
        (!self.is_over).then(|| self.say(Answerer::Fax, 1.0))
    }

    fn say(&mut self, who: Answerer, score: f32) -> (Answerer, f32) {
        self.is_over = true;
        (who, score)
    }
}

/// Whether a tone that sounds is one of the network or of a machine; noise may lie over it.
fn is_tone(tone: &Tone) -> bool {
    tone.millis() >= TONE_MILLIS && tone.share >= TONE_POWER_SHARE && tone.drift_hz <= TONE_DRIFT_HZ
}

/// Evidence for a machine in the length of an utterance: 0.5 at the limit, 0.1 and 0.9 at ±0.8 s.
fn evidence(spoke_millis: u32) -> f32 {
    let x = (spoke_millis as f32 - SPEAKS_ON_MILLIS as f32) / 364.0;
    1.0 / (1.0 + (-x).exp())
}
