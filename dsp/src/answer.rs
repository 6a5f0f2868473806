//! Person or machine: what is said after the answer, by its rhythm.
//!
//! People say little and wait; machines speak on. The evidence is voice activity alone: how long the
//! first utterance is until somebody waits, how soon it began, how it is divided. A beep is a machine,
//! fax tones are a fax, and what is no voice (tones, line noise) is silence.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

use crate::ears::{Answerer, Fax};
use crate::spectrum::HOP_MILLIS;
use crate::voice::Activity;

/// Quiet after speech that is waiting for an answer: so many milliseconds behind an utterance up to so
/// long. A hello is known by its brevity; behind a sentence another may follow, or a beep.
const WAITS: [(u32, u32); 3] = [(1100, 640), (1900, 950), (u32::MAX, 1350)];
/// Speech that goes on for so long is a machine's. Business greetings end before, most recordings do not.
const SPEAKS_ON_MILLIS: u32 = 3650;
/// Less voiced sound than this is a click, a breath or a noise.
const VOICED_MIN_MILLIS: u32 = 88;
/// Share of an utterance that is voiced, if it is one.
const VOICED_SHARE_MIN: f32 = 0.3;
/// What a machine has said before its beep, at least.
const VOICED_BEFORE_BEEP_MILLIS: u32 = 300;
/// So much quiet from the start is nobody.
const SILENCE_MILLIS: u32 = 5000;

/// The answer judge of one lane.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    first_millis: Option<u32>,
    last_millis: u32,
    active_millis: u32,
    voiced_millis: u32,
    is_over: bool,
    /// Frames wait here until it is sure that no tone began in them.
    latest: [Activity; DELAY],
}

/// Frames that wait: what a tone takes to be known as one.
const DELAY: usize = 12;

impl Answer {
    /// A tone sounds: what seemed to be a voice just now was its beginning.
    pub const fn tone(&mut self) {
        self.latest = [Activity { is_active: false, is_voiced: false }; DELAY];
    }
    /// Takes what a frame is to the voice detector.
    pub fn take(&mut self, at_millis: u32, activity: Activity) -> Option<(Answerer, f32)> {
        if self.is_over {
            return None;
        }
        let [.., oldest] = self.latest;
        self.latest.rotate_right(1);
        if let Some(newest) = self.latest.first_mut() {
            *newest = activity;
        }
        let activity = oldest;
        if activity.is_active {
            self.first_millis.get_or_insert(at_millis);
            self.last_millis = at_millis;
            self.active_millis = self.active_millis.saturating_add(HOP_MILLIS);
            let voiced = if activity.is_voiced { HOP_MILLIS } else { 0 };
            self.voiced_millis = self.voiced_millis.saturating_add(voiced);
        }
        let Some(first) = self.first_millis else {
            return (at_millis >= SILENCE_MILLIS).then(|| self.say(Answerer::Silence, 0.5));
        };
        let spoke = self.last_millis.saturating_sub(first);
        let quiet = at_millis.saturating_sub(self.last_millis);
        let is_speech = self.voiced_millis >= VOICED_MIN_MILLIS
            && self.voiced_millis as f32 >= VOICED_SHARE_MIN * self.active_millis as f32;
        let waits = WAITS.iter().find(|(up_to, _)| spoke <= *up_to);
        if waits.is_some_and(|(_, millis)| quiet >= *millis) {
            if !is_speech {
                // A noise: as if nothing had been.
                (self.first_millis, self.active_millis, self.voiced_millis) = (None, 0, 0);
                return None;
            }
            return Some(self.say(Answerer::Human, evidence(spoke)));
        }
        if spoke < SPEAKS_ON_MILLIS {
            return None;
        }
        if !is_speech {
            return (at_millis >= SILENCE_MILLIS).then(|| self.say(Answerer::Silence, 0.5));
        }
        Some(self.say(Answerer::Machine, evidence(spoke)))
    }
    /// A beep was heard. `None` when a verdict has fallen already, or nobody has spoken before it.
    pub fn beep(&mut self) -> Option<(Answerer, f32)> {
        let spoke = self.first_millis.is_some() && self.voiced_millis >= VOICED_BEFORE_BEEP_MILLIS;
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

/// Evidence for a machine in the length of an utterance: 0.5 at the limit, 0.1 and 0.9 at ±0.8 s.
fn evidence(spoke_millis: u32) -> f32 {
    let x = (spoke_millis as f32 - SPEAKS_ON_MILLIS as f32) / 364.0;
    1.0 / (1.0 + (-x).exp())
}
