//! What a simulated party says: recordings, tones, digits and pauses in order, over a noise floor.

use std::collections::VecDeque;
use std::sync::Arc;

use dsp::g711;
use dsp::generate::{DtmfSource, ToneSource, ToneSpec};
use tdm::{DOctets, Law, Rng};

use crate::pilot::{Pilot, PilotSource};
use crate::voices::Voice;

/// Pieces that may wait; a party that says more than this forgets the rest.
const PIECES_MAX: usize = 16;
/// How long a finger stays on a key, and off it.
const KEY_ON_MILLIS: u32 = 90;
const KEY_OFF_MILLIS: u32 = 90;
/// Level of each tone of a key. Q.24, annex A: −3 to −24 dBm0 are found.
const KEY_DBM0: f32 = -9.0;

/// A piece of what is said.
#[derive(Clone, Debug)]
pub enum Piece {
    /// A recording.
    Voice(Voice),
    /// Quiet.
    Pause {
        /// How long.
        millis: u32,
    },
    /// A tone, to its own end or for so long.
    Tone {
        /// Which.
        spec: ToneSpec,
        /// How long at most.
        millis: u32,
    },
    /// A DTMF key.
    Key(u8),
}

#[derive(Clone, Debug)]
enum Playing {
    Voice { octets: Arc<[u8]>, at: usize },
    Pause { samples: u32 },
    Tone { source: ToneSource, samples: u32 },
    Key(DtmfSource),
}

/// One party's mouth.
#[derive(Clone, Debug)]
pub struct Mouth {
    law: Law,
    waiting: VecDeque<Piece>,
    playing: Option<Playing>,
    pilot: Option<PilotSource>,
    /// Talks all the time; what it says, over and over.
    chatter: Option<(Arc<[u8]>, usize)>,
    gain: f32,
    noise: Arc<[f32]>,
    noise_at: usize,
}

impl Mouth {
    /// A mouth on a line of this law. `rng` decides how loud it speaks (0 to 6 dB below the recording).
    pub fn new(law: Law, noise: Arc<[f32]>, rng: &mut Rng) -> Self {
        let noise_at = rng.below(noise.len() as u64) as usize;
        let gain = 10.0_f32.powf(-(rng.unit() as f32) * 6.0 / 20.0);
        Self {
            law,
            waiting: VecDeque::new(),
            playing: None,
            pilot: None,
            chatter: None,
            gain,
            noise,
            noise_at,
        }
    }
    /// Says this after what waits already.
    pub fn say(&mut self, piece: Piece) {
        if self.waiting.len() < PIECES_MAX {
            self.waiting.push_back(piece);
        }
    }
    /// Falls silent; the pilot goes on.
    pub fn hush(&mut self) {
        self.waiting.clear();
        self.playing = None;
        self.chatter = None;
    }
    /// Whether all is said.
    pub fn is_done(&self) -> bool {
        self.playing.is_none() && self.waiting.is_empty()
    }
    /// Sends a pilot, or no longer.
    pub fn pilot(&mut self, pilot: Option<Pilot>) {
        self.pilot = pilot.map(PilotSource::new);
    }
    /// Talks without end, from somewhere in `voice` on.
    pub fn chat(&mut self, voice: &Voice, rng: &mut Rng) {
        let at = rng.below(voice.octets.len() as u64) as usize;
        self.chatter = Some((Arc::clone(&voice.octets), at));
    }

    /// The next millisecond on the line.
    pub fn fill(&mut self, octets: &mut DOctets) {
        for octet in octets {
            let mut sample = self.spoken();
            if let Some(pilot) = &mut self.pilot {
                sample += pilot.next_sample();
            }
            *octet = g711::encode_f32(self.law, sample + self.floor());
        }
    }

    fn floor(&mut self) -> f32 {
        let sample = self.noise.get(self.noise_at).copied().unwrap_or_default();
        self.noise_at = if self.noise_at + 1 < self.noise.len() { self.noise_at + 1 } else { 0 };
        sample
    }

    fn spoken(&mut self) -> f32 {
        loop {
            if self.playing.is_none() {
                self.playing = self.waiting.pop_front().and_then(begin);
            }
            match &mut self.playing {
                None if self.waiting.is_empty() => return self.chatted(),
                None => {}
                Some(playing) => match playing.next_sample(self.gain) {
                    Some(sample) => return sample,
                    None => self.playing = None,
                },
            }
        }
    }

    fn chatted(&mut self) -> f32 {
        let Some((octets, at)) = &mut self.chatter else { return 0.0 };
        let sample = octets.get(*at).map_or(0.0, |&octet| g711::A_TO_F32[usize::from(octet)]);
        *at = if *at + 1 < octets.len() { *at + 1 } else { 0 };
        sample * self.gain
    }
}

fn begin(piece: Piece) -> Option<Playing> {
    Some(match piece {
        Piece::Voice(voice) => Playing::Voice { octets: voice.octets, at: 0 },
        Piece::Pause { millis } => Playing::Pause { samples: millis.saturating_mul(8) },
        Piece::Tone { spec, millis } => {
            Playing::Tone { source: ToneSource::new(spec), samples: millis.saturating_mul(8) }
        }
        Piece::Key(key) => {
            Playing::Key(DtmfSource::new(key, KEY_ON_MILLIS, KEY_OFF_MILLIS, KEY_DBM0)?)
        }
    })
}

impl Playing {
    /// The next sample, `None` at the end. Only recordings take `gain`: tones have a level of their own.
    fn next_sample(&mut self, gain: f32) -> Option<f32> {
        match self {
            Self::Voice { octets, at } => {
                let octet = *octets.get(*at)?;
                *at += 1;
                Some(g711::A_TO_F32[usize::from(octet)] * gain)
            }
            Self::Pause { samples } => {
                *samples = samples.checked_sub(1)?;
                Some(0.0)
            }
            Self::Tone { source, samples } => {
                *samples = samples.checked_sub(1)?;
                (!source.is_over()).then(|| source.next_sample())
            }
            Self::Key(source) => (!source.is_over()).then(|| source.next_sample()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Voices;
    use crate::ear::Ear;

    #[test]
    fn pieces_follow_each_other_and_then_there_is_only_noise() {
        let voices = Voices::embedded();
        let mut rng = Rng::from_seed(1);
        let mut mouth = Mouth::new(Law::A, Arc::clone(&voices.noise), &mut rng);
        let hello = voices.hellos[0].clone();
        let speaks_millis = hello.millis();
        mouth.say(Piece::Pause { millis: 500 });
        mouth.say(Piece::Voice(hello));
        mouth.say(Piece::Key(b'1'));
        let mut ear = Ear::new(Law::A, Pilot::Agent);
        let mut millis = 0_u32;
        while !mouth.is_done() {
            let mut octets = [0; 8];
            mouth.fill(&mut octets);
            ear.hear(&octets);
            millis += 1;
            if millis == 500 {
                assert_eq!(ear.sound_millis, 0);
            }
        }
        let expected = 500 + speaks_millis + KEY_ON_MILLIS + KEY_OFF_MILLIS;
        assert!(millis.abs_diff(expected) <= 2, "{millis} ms, not {expected}");
        assert!(ear.sound_millis > 200);
        ear.forget();
        for _ in 0..1000 {
            let mut octets = [0; 8];
            mouth.fill(&mut octets);
            ear.hear(&octets);
        }
        assert_eq!(ear.sound_millis, 0);
    }
}
