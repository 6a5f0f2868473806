//! Signals for the tests of the ears: what a line may carry, as closures that give a sample at a time.
#![allow(dead_code, reason = "each test binary uses its part")]

pub mod music;
pub mod sets;

use dsp::ears::{Ears, EarsSettings, Heard, Listen};
use dsp::g711;
use dsp::generate::{DtmfSource, Oscillator, ToneSource, ToneSpec};
use dsp::lanes::Cpu;
use dsp::zones::Zone;
use tdm::{Block, Law, Rng, SAMPLES, SampleTime, Timeslot};

/// The lane the tests listen on.
pub const LANE: usize = 21;

/// Samples of a signal, full scale ±1.0.
pub type Signal = Vec<f32>;

pub fn silence(millis: u32) -> Signal {
    vec![0.0; millis as usize * SAMPLES]
}

pub fn key(key: u8, on_millis: u32, off_millis: u32, level_dbm0: f32) -> Signal {
    let (low, high) = DtmfSource::tones_of(key).expect("a key");
    tones([low, high], [level_dbm0; 2], on_millis, off_millis)
}

pub fn tones(hz: [f32; 2], level_dbm0: [f32; 2], on_millis: u32, off_millis: u32) -> Signal {
    let mut source = DtmfSource::from_hz(hz, level_dbm0, on_millis, off_millis);
    let mut signal = Signal::new();
    while !source.is_over() {
        signal.push(source.next_sample());
    }
    signal
}

pub fn played(spec: ToneSpec, millis: u32) -> Signal {
    let mut source = ToneSource::new(spec);
    (0..millis as usize * SAMPLES).map(|_| source.next_sample()).collect()
}

pub fn with(mut signal: Signal, mut other: impl FnMut() -> f32) -> Signal {
    signal.iter_mut().for_each(|x| *x += other());
    signal
}

pub fn noise(seed: u64, level_dbm0: f32) -> impl FnMut() -> f32 {
    let mut source = dsp::generate::NoiseSource::new(Rng::from_seed(seed), level_dbm0);
    move || source.next_sample()
}

/// Something like a voice: harmonics of a pitch that glides, under formants that change with each
/// syllable, with gaps between the syllables.
pub fn voice(seed: u64, millis: u32) -> Signal {
    let mut rng = Rng::from_seed(seed);
    let mut signal = Signal::new();
    let mut pitch = 90.0 + 130.0 * rng.unit();
    let mut phase = 0.0_f64;
    while signal.len() < millis as usize * SAMPLES {
        let len = rng.between(90, 260) as usize * SAMPLES;
        let formants = [
            (300.0 + 500.0 * rng.unit(), 90.0, 1.0),
            (900.0 + 1300.0 * rng.unit(), 130.0, 0.5),
            (2300.0 + 700.0 * rng.unit(), 200.0, 0.25),
        ];
        let glide = 1.0 + 0.35 * (rng.unit() - 0.5);
        let gap = rng.between(20, 90) as usize * SAMPLES;
        for n in 0..len {
            let at = n as f64 / len as f64;
            let hz = pitch * (1.0 + (glide - 1.0) * at);
            phase += hz / 8000.0;
            let loud = (std::f64::consts::PI * at).sin().powf(0.5);
            let mut x = 0.0;
            for harmonic in 1..=(3400.0 / hz) as u32 {
                let f = f64::from(harmonic) * hz;
                let gain: f64 = formants
                    .iter()
                    .map(|(centre, width, gain)| gain / (1.0 + ((f - centre) / width).powi(2)))
                    .sum();
                x += gain * (std::f64::consts::TAU * phase * f64::from(harmonic)).sin();
            }
            signal.push((0.12 * loud * x) as f32);
        }
        pitch = (pitch * glide).clamp(80.0, 260.0);
        signal.extend(std::iter::repeat_n(0.0, gap));
    }
    signal.truncate(millis as usize * SAMPLES);
    signal
}

pub fn sine(hz: f32, level_dbm0: f32) -> impl FnMut() -> f32 {
    let (mut oscillator, peak) = (Oscillator::new(hz), g711::peak_of_dbm0(level_dbm0));
    move || peak * oscillator.next_sample()
}

/// What is heard, with the millisecond at which it was.
pub fn hear(signal: &Signal, law: Law, zones: &[&str], listen: Listen) -> Vec<(u64, Heard)> {
    hear_with(Cpu::detect(), signal, law, zones, listen)
}

pub fn hear_with(
    cpu: Cpu,
    signal: &Signal,
    law: Law,
    zones: &[&str],
    listen: Listen,
) -> Vec<(u64, Heard)> {
    let zones = zones.iter().map(|key| Zone::by_key(key).expect("a zone")).collect();
    let mut ears = Ears::with_cpu(EarsSettings { law, zones, ..EarsSettings::default() }, cpu);
    let lane = Timeslot::new(LANE).expect("a lane");
    ears.listen(lane, listen);
    let mut heard = Vec::new();
    let mut block = Block::idle(law);
    for (milli, samples) in signal.chunks_exact(SAMPLES).enumerate() {
        block.at = SampleTime::millis(milli as u64);
        let mut octets = [law.idle(); SAMPLES];
        for (octet, &sample) in octets.iter_mut().zip(samples) {
            *octet = g711::encode_f32(law, sample);
        }
        block.set_timeslot(lane, octets);
        ears.hear(&block, &mut |hearing| {
            assert_eq!(usize::from(hearing.lane), LANE);
            heard.push((hearing.at.as_millis(), hearing.heard));
        });
    }
    heard
}

/// The keys that were heard, in order.
pub fn keys(signal: &Signal) -> String {
    let listen = Listen { dtmf: true, ..Listen::default() };
    hear(signal, Law::A, &["cn"], listen)
        .iter()
        .filter_map(|(_, heard)| match heard {
            Heard::Dtmf(key) => Some(char::from(*key)),
            _ => None,
        })
        .collect()
}
