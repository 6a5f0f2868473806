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

/// Quiet after speech that is waiting for an answer.
const WAITS_MILLIS: u32 = 640;
/// Longer speech than this, when it ends, is a machine's.
const UTTERANCE_MAX_MILLIS: u32 = 2500;
/// Speech that goes on for so long is a machine's without waiting for its end.
const SPEAKS_ON_MILLIS: u32 = 3000;
/// Less voice than this is a click or a breath.
const VOICE_MIN_MILLIS: u32 = 64;
/// So much quiet from the start is nobody.
const SILENCE_MILLIS: u32 = 5000;

/// The answer judge of one lane.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    first_millis: Option<u32>,
    last_millis: u32,
    voice_millis: u32,
    is_over: bool,
}

impl Answer {
    /// Takes a frame: whether it is voice.
    pub fn take(&mut self, at_millis: u32, is_voice: bool) -> Option<(Answerer, f32)> {
        if self.is_over {
            return None;
        }
        if is_voice {
            self.first_millis.get_or_insert(at_millis);
            self.last_millis = at_millis;
            self.voice_millis = self.voice_millis.saturating_add(HOP_MILLIS);
        }
        let Some(first) = self.first_millis else {
            return (at_millis >= SILENCE_MILLIS).then(|| self.say(Answerer::Silence, 0.5));
        };
        let spoke = self.last_millis.saturating_sub(first);
        let quiet = at_millis.saturating_sub(self.last_millis);
        if quiet >= WAITS_MILLIS {
            if self.voice_millis < VOICE_MIN_MILLIS {
                // A click: as if nothing had been.
                (self.first_millis, self.voice_millis) = (None, 0);
                return None;
            }
            let score = evidence(spoke);
            let who = if score < 0.5 { Answerer::Human } else { Answerer::Machine };
            return Some(self.say(who, score));
        }
        (spoke >= SPEAKS_ON_MILLIS).then(|| self.say(Answerer::Machine, evidence(spoke)))
    }
    /// A beep was heard. `None` when a verdict has fallen already.
    pub fn beep(&mut self) -> Option<(Answerer, f32)> {
        (!self.is_over).then(|| self.say(Answerer::Machine, 0.99))
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
    let x = (spoke_millis as f32 - UTTERANCE_MAX_MILLIS as f32) / 364.0;
    1.0 / (1.0 + (-x).exp())
}
