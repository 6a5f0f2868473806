//! Music from a seed: a melody over chords, in the manner of a few instruments, with or without a drum.

use super::Signal;
use tdm::{Rng, SAMPLES};

/// What plays: partials and their gains, how fast a note fades (1/s), how deep it trembles.
struct Instrument {
    partials: &'static [(f64, f64)],
    fade: f64,
    vibrato: f64,
}

const INSTRUMENTS: [Instrument; 5] = [
    // Piano, organ, strings, flute, bells.
    Instrument {
        partials: &[(1.0, 1.0), (2.0, 0.5), (3.01, 0.3), (4.02, 0.2), (5.05, 0.1)],
        fade: 2.5,
        vibrato: 0.0,
    },
    Instrument {
        partials: &[(0.5, 0.4), (1.0, 1.0), (2.0, 0.6), (4.0, 0.3)],
        fade: 0.0,
        vibrato: 0.0,
    },
    Instrument {
        partials: &[(1.0, 1.0), (2.0, 0.5), (3.0, 0.33), (4.0, 0.25), (5.0, 0.2)],
        fade: 0.3,
        vibrato: 0.004,
    },
    Instrument { partials: &[(1.0, 1.0), (2.0, 0.25), (3.0, 0.08)], fade: 0.2, vibrato: 0.005 },
    Instrument { partials: &[(1.0, 1.0), (2.76, 0.5), (5.4, 0.2)], fade: 3.0, vibrato: 0.0 },
];
const SCALE: [i32; 7] = [0, 2, 4, 5, 7, 9, 11];

fn hz_of(root: i32, degree: i32) -> f64 {
    let semitones = root + 12 * degree.div_euclid(7) + SCALE[degree.rem_euclid(7) as usize];
    440.0 * 2_f64.powf(f64::from(semitones - 69) / 12.0)
}

fn play(signal: &mut Signal, from: usize, len: usize, hz: f64, gain: f64, with: &Instrument) {
    let mut phase = 0.0;
    for (n, sample) in signal.iter_mut().skip(from).take(len).enumerate() {
        let t = n as f64 / 8000.0;
        let tremble = 1.0 + with.vibrato * (std::f64::consts::TAU * 5.5 * t).sin();
        phase += std::f64::consts::TAU * hz * tremble / 8000.0;
        let edge = (n as f64 / 80.0).min((len - n) as f64 / 160.0).min(1.0);
        let audible = with.partials.iter().filter(|(k, _)| k * hz < 3600.0);
        let tone: f64 = audible.map(|(k, gain)| gain * (k * phase).sin()).sum();
        *sample += (gain * edge * (-with.fade * t).exp() * tone) as f32;
    }
}

/// So much music, its loudest tenth of a second at `level_dbm0`.
pub fn music(seed: u64, millis: u32, level_dbm0: f32) -> Signal {
    let mut rng = Rng::from_seed(seed);
    let samples = millis as usize * SAMPLES;
    let mut signal = vec![0.0; samples];
    let lead = &INSTRUMENTS[rng.below(5) as usize];
    let under = &INSTRUMENTS[rng.below(3) as usize];
    let root = rng.between(45, 60) as i32;
    let beat = rng.between(2400, 5600) as usize;
    for bar in (0..samples).step_by(4 * beat) {
        let degree = rng.below(6) as i32;
        for third in [0, 2, 4] {
            play(&mut signal, bar, 4 * beat, hz_of(root, degree + third), 0.3, under);
        }
    }
    let (mut at, mut degree) = (0, 10);
    while at < samples {
        let len = beat * [1, 1, 2, 2, 3][rng.below(5) as usize] / 2;
        degree = (degree + rng.below(5) as i32 - 2).clamp(7, 18);
        if rng.below(8) > 0 {
            play(&mut signal, at, len, hz_of(root, degree), 0.7, lead);
        }
        at += len;
    }
    if rng.below(3) == 0 {
        for from in (0..samples).step_by(beat) {
            for (n, sample) in signal.iter_mut().skip(from).take(1200).enumerate() {
                *sample += (0.4 * rng.normal() * (-(n as f64) / 250.0).exp()) as f32;
            }
        }
    }
    let loudest = signal.chunks(800).map(|part| part.iter().map(|x| x * x).sum::<f32>() / 800.0);
    let peak = dsp::g711::peak_of_dbm0(level_dbm0) / std::f32::consts::SQRT_2;
    let gain = peak / loudest.fold(1e-9, f32::max).sqrt();
    signal.iter_mut().for_each(|x| *x *= gain);
    signal
}
