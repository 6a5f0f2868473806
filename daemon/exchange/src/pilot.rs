//! Pilots: two quiet tones by which the parties of this network know each other.
//!
//! An agent's telephone and a caller (or a person called) each send their own pair all through a
//! conversation. Who hears the other's pair hears the other: proof of the whole audio path, both ways, that
//! no prompt, tone or music can give by accident.
//!
//! The pairs lie above every DTMF, progress and signalling tone (highest: DTMF 1633 Hz, CED 2100 Hz,
//! single-frequency signalling 2600 Hz) and inside the 3400 Hz of a channel. All are multiples of 12.5 Hz,
//! one turn in a block of [`PILOT_BLOCK`] samples, so that neither leaks into the other's measurement.

use dsp::g711;
use dsp::generate::Oscillator;

/// Samples one measurement takes: 80 ms.
pub const PILOT_BLOCK: usize = 640;
/// Level of each tone: far below speech, far above the steps of A-law.
pub const PILOT_DBM0: f32 = -33.0;
/// Below this a tone is not there.
const HEARD_DBM0: f32 = -41.0;
/// The tones of a pair may differ by so much, in dB.
const TWIST_DB: f32 = 5.0;
/// A tone stands so far above its neighbourhood, in dB: speech has no such line spectrum up there.
const CLEAR_DB: f32 = 9.0;
/// Where the neighbourhood is measured, in bins from the tone. A bin is 12.5 Hz in a block.
const BESIDE_BINS: f32 = 3.0;

/// Who sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pilot {
    /// A telephone of the PBX.
    Agent,
    /// A caller, or a person called.
    Caller,
}

impl Pilot {
    /// Its two frequencies.
    pub const fn hz(self) -> [f32; 2] {
        match self {
            Self::Agent => [2900.0, 3250.0],
            Self::Caller => [2750.0, 3100.0],
        }
    }
    /// What the other side of a conversation sends.
    pub const fn other(self) -> Self {
        match self {
            Self::Agent => Self::Caller,
            Self::Caller => Self::Agent,
        }
    }
    /// Whether `block` (linear, full scale ±1.0) carries it. A shorter block than [`PILOT_BLOCK`] tells
    /// less surely; below 160 samples the two tones of a pair are neighbours' neighbours.
    pub fn is_in(self, block: &[f32]) -> bool {
        let beside_hz = BESIDE_BINS * 8000.0 / block.len().max(1) as f32;
        let [low, high] = self.hz().map(|hz| level_dbm0(block, hz));
        (low - high).abs() <= TWIST_DB
            && low.min(high) >= HEARD_DBM0
            && self.hz().iter().zip([low, high]).all(|(&hz, level)| {
                [hz - beside_hz, hz + beside_hz]
                    .iter()
                    .all(|&beside| level_dbm0(block, beside) <= level - CLEAR_DB)
            })
    }
}

/// Level in dBm0 of the sine of `hz` in `block`, by Goertzel's recurrence.
///
/// A sine of peak p has |X|² = (p·n/2)² over n samples, so p² = 4|X|²/n².
pub fn level_dbm0(block: &[f32], hz: f32) -> f32 {
    let coefficient = 2.0 * (core::f32::consts::TAU * hz / 8000.0).cos();
    let (mut s1, mut s2) = (0.0_f32, 0.0_f32);
    for &x in block {
        let s0 = x + coefficient * s1 - s2;
        (s2, s1) = (s1, s0);
    }
    let power = s1 * s1 + s2 * s2 - coefficient * s1 * s2;
    let n = block.len().max(1) as f32;
    g711::dbm0_of_mean_square(2.0 * power.max(0.0) / (n * n))
}

/// Sends a pilot.
#[derive(Clone, Debug)]
pub struct PilotSource {
    tones: [Oscillator; 2],
    peak: f32,
}

impl PilotSource {
    /// Of this party.
    pub fn new(pilot: Pilot) -> Self {
        Self { tones: pilot.hz().map(Oscillator::new), peak: g711::peak_of_dbm0(PILOT_DBM0) }
    }
    /// The next sample, full scale ±1.0.
    #[inline]
    pub fn next_sample(&mut self) -> f32 {
        let [low, high] = &mut self.tones;
        self.peak * (low.next_sample() + high.next_sample())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Voices;
    use tdm::Law;

    /// `source` through A-law, block by block.
    fn blocks(samples: &[f32]) -> impl Iterator<Item = [f32; PILOT_BLOCK]> + '_ {
        samples.chunks_exact(PILOT_BLOCK).map(|chunk| {
            core::array::from_fn(|n| {
                let octet = g711::encode_f32(Law::A, chunk[n]);
                g711::A_TO_F32[usize::from(octet)]
            })
        })
    }

    #[test]
    fn each_pilot_is_heard_alone_and_under_speech_and_never_taken_for_the_other() {
        let voices = Voices::embedded();
        for pilot in [Pilot::Agent, Pilot::Caller] {
            let (mut heard, mut all) = (0, 0);
            for voice in &voices.talks {
                let mut source = PilotSource::new(pilot);
                let mixed: Vec<f32> =
                    voice.samples().map(|sample| sample + source.next_sample()).collect();
                for block in blocks(&mixed) {
                    all += 1;
                    heard += usize::from(pilot.is_in(&block));
                    assert!(!pilot.other().is_in(&block), "{}", voice.name);
                }
            }
            assert!(heard * 100 >= all * 93, "{pilot:?}: {heard} of {all}");
            let mut source = PilotSource::new(pilot);
            let alone: Vec<f32> = (0..80_000).map(|_| source.next_sample()).collect();
            assert!(blocks(&alone).all(|block| pilot.is_in(&block)));
        }
    }

    #[test]
    fn no_voice_no_greeting_and_no_noise_is_a_pilot() {
        let voices = Voices::embedded();
        let mut blocks_seen = 0;
        for voice in voices.all() {
            let samples: Vec<f32> = voice.samples().collect();
            for block in blocks(&samples) {
                blocks_seen += 1;
                assert!(!Pilot::Agent.is_in(&block), "{}", voice.name);
                assert!(!Pilot::Caller.is_in(&block), "{}", voice.name);
            }
        }
        assert!(blocks_seen > 3000, "{blocks_seen}");
        // Loud white noise shows a pilot's lines in a block now and then; an ear wants two blocks in a row.
        let mut noise = dsp::generate::NoiseSource::new(tdm::Rng::from_seed(3), -20.0);
        let mut ear = crate::ear::Ear::new(Law::A, Pilot::Agent);
        for _ in 0..100_000 {
            ear.hear(&core::array::from_fn(|_| g711::encode_f32(Law::A, noise.next_sample())));
            assert!(!ear.hears_pilot());
        }
    }

    #[test]
    fn the_level_of_a_sine_is_its_level() {
        let mut tone = Oscillator::new(2900.0);
        let peak = g711::peak_of_dbm0(-20.0);
        let block: Vec<f32> = (0..PILOT_BLOCK).map(|_| peak * tone.next_sample()).collect();
        assert!((level_dbm0(&block, 2900.0) + 20.0).abs() < 0.05);
        assert!(level_dbm0(&block, 3250.0) < -60.0);
    }
}
