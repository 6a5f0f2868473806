//! What people and machines say: recordings inside the binary. Origin and licences: `voices/ORIGIN.md`.

use std::sync::Arc;

use dsp::g711;
use dsp::generate::{Repeat, Step, ToneSpec};
use tdm::{Law, Rng};

use crate::wav::{self, WavError};

macro_rules! voice {
    ($name:literal) => {
        ($name, include_bytes!(concat!("../../voices/", $name, ".wav")))
    };
}

mod files;

/// Level of the noise every party's line has.
const NOISE_DBM0: f32 = -62.0;
/// Samples of noise before it repeats: 2 s less a prime, so that no two parties stay in step.
const NOISE_SAMPLES: usize = 15_991;
/// Samples of one note of ring-back music; 32 make 8 s.
const MUSIC_NOTE_SAMPLES: usize = 2000;

/// A recording: A-law octets, 8 kHz.
#[derive(Clone, Debug)]
pub struct Voice {
    /// Folder and name in `voices/`.
    pub name: String,
    /// A-law.
    pub octets: Arc<[u8]>,
}

impl Voice {
    /// How long it lasts.
    pub fn millis(&self) -> u32 {
        u32::try_from(self.octets.len() / 8).unwrap_or(u32::MAX)
    }
    /// Linear samples, full scale ±1.0.
    pub fn samples(&self) -> impl Iterator<Item = f32> + '_ {
        self.octets.iter().map(|&octet| g711::A_TO_F32[usize::from(octet)])
    }
}

/// The recordings a network's people speak with, by what they are for. None of the lists is empty.
#[derive(Clone, Debug)]
pub struct Voices {
    /// A person's short answer.
    pub hellos: Vec<Voice>,
    /// A person's long answer: a firm's greeting.
    pub businesses: Vec<Voice>,
    /// A voicemail's greeting, without its beep.
    pub greetings: Vec<Voice>,
    /// Snippets of conversations.
    pub talks: Vec<Voice>,
    /// Ring-back music.
    pub musics: Vec<Voice>,
    /// What a scenario's announcements name beside all these: put here by whoever reads files.
    pub recordings: Vec<Voice>,
    /// The noise of a line.
    pub noise: Arc<[f32]>,
}

impl Voices {
    /// The recordings that come with the source, and music made here.
    ///
    /// # Panics
    /// When a file that was built in is no A-law WAV; a test reads every one.
    pub fn embedded() -> Self {
        let read = |files: &[(&str, &[u8])]| {
            let voices: Result<Vec<_>, WavError> =
                files.iter().map(|(name, file)| voice_of(name, file)).collect();
            voices.expect("the files built in are A-law WAVs")
        };
        let mut noise = dsp::generate::NoiseSource::new(Rng::from_seed(450), NOISE_DBM0);
        Self {
            hellos: read(files::HELLOS),
            businesses: read(files::BUSINESSES),
            greetings: read(files::GREETINGS),
            talks: read(files::TALKS),
            musics: (0..3).map(melody).collect(),
            recordings: Vec::new(),
            noise: (0..NOISE_SAMPLES).map(|_| noise.next_sample()).collect(),
        }
    }

    /// Every recording that is built in.
    pub fn all(&self) -> impl Iterator<Item = &Voice> {
        [&self.hellos, &self.businesses, &self.greetings, &self.talks, &self.musics]
            .into_iter()
            .flatten()
    }

    /// The recording a scenario names.
    pub fn named(&self, name: &str) -> Option<&Voice> {
        self.recordings.iter().chain(self.all()).find(|voice| voice.name == name)
    }
}

/// Reads one recording.
///
/// # Errors
/// As [`wav::alaw`].
pub fn voice_of(name: &str, file: &[u8]) -> Result<Voice, WavError> {
    Ok(Voice { name: name.to_owned(), octets: wav::alaw(file)?.into() })
}

/// Chance picks one of a list.
pub(crate) fn pick<'a>(voices: &'a [Voice], rng: &mut Rng) -> Option<&'a Voice> {
    voices.get(rng.below(voices.len() as u64) as usize)
}

/// A voicemail's beep, at one of the usual frequencies, without end.
pub(crate) fn beep(rng: &mut Rng) -> ToneSpec {
    // A spec borrows its steps for ever; the few beeps that exist are data.
    let index = rng.below(BEEPS.len() as u64) as usize;
    ToneSpec { steps: &BEEPS[index], repeat: Repeat::Once, level_dbm0: -12.0 }
}

/// Frequencies voicemail systems beep with.
const BEEP_HZ: [f32; 6] = [1000.0, 850.0, 1400.0, 440.0, 620.0, 1770.0];
const fn beep_steps(hz: f32) -> [Step; 1] {
    [Step { hz: [hz, 0.0, 0.0], am_hz: 0.0, quieter_db: 0.0, millis: None }]
}
static BEEPS: [[Step; 1]; 6] = [
    beep_steps(BEEP_HZ[0]),
    beep_steps(BEEP_HZ[1]),
    beep_steps(BEEP_HZ[2]),
    beep_steps(BEEP_HZ[3]),
    beep_steps(BEEP_HZ[4]),
    beep_steps(BEEP_HZ[5]),
];

/// Our own music: 32 plucked notes of a pentatonic scale, by chance.
fn melody(seed: u64) -> Voice {
    const SCALE_HZ: [f32; 8] = [261.6, 293.7, 329.6, 392.0, 440.0, 523.3, 587.3, 659.3];
    let mut rng = Rng::from_seed(0x4D55_5349_4300 + seed);
    let mut octets = Vec::with_capacity(32 * MUSIC_NOTE_SAMPLES);
    let mut degree = 3_u64;
    for _ in 0..32 {
        degree = (degree + 7 + rng.below(5)) % SCALE_HZ.len() as u64;
        let hz = SCALE_HZ[degree as usize];
        let mut partials =
            [1.0, 2.0, 3.0].map(|multiple| dsp::generate::Oscillator::new(hz * multiple));
        for n in 0..MUSIC_NOTE_SAMPLES {
            let swell = (n as f32 / 60.0).min(1.0);
            let decay = (-(n as f32) / 1400.0).exp();
            let [a, b, c] = &mut partials;
            let tone = a.next_sample() + 0.5 * b.next_sample() + 0.25 * c.next_sample();
            octets.push(g711::encode_f32(Law::A, 0.22 * swell * decay * tone));
        }
    }
    Voice { name: format!("music/{seed}"), octets: octets.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_enough_different_voices_of_the_lengths_they_stand_for() {
        let voices = Voices::embedded();
        assert!(voices.hellos.len() >= 20);
        assert!(voices.hellos.iter().all(|v| (300..=1600).contains(&v.millis())));
        assert!(voices.businesses.len() >= 10);
        assert!(voices.businesses.iter().all(|v| (1500..=3500).contains(&v.millis())));
        assert!(voices.greetings.len() >= 12);
        assert!(voices.greetings.iter().all(|v| v.millis() >= 4000));
        assert!(voices.talks.iter().all(|v| v.millis() >= 3000));
        let octets: usize = voices.all().map(|v| v.octets.len()).sum();
        assert!(octets < 3_500_000, "{octets}");
    }

    #[test]
    fn every_recording_has_its_origin_written_down() {
        let origin = include_str!("../voices/ORIGIN.md");
        for (name, _) in [files::HELLOS, files::BUSINESSES, files::GREETINGS, files::TALKS].concat()
        {
            let known = origin.contains(&format!("`{name}.wav`"))
                || name.starts_with("greeting/synthetic_");
            assert!(known, "{name}");
        }
    }
}
