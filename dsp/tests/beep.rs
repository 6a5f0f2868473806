//! The beep after words: every kind of it, on lines as they are; and what is none.

mod signals;

use dsp::ears::{Answerer, Heard, Listen};
use dsp::zones::Zone;
use signals::{Signal, hear, noise, played, silence, sine, tones, voice, with};
use tdm::Law;

const RATE: f32 = 8000.0;

fn beeps(signal: &Signal) -> Vec<(u64, u16)> {
    let listen = Listen { beep: true, ..Listen::default() };
    let beep = |(at, heard)| match heard {
        Heard::Beep(hz) => Some((at, hz)),
        _ => None,
    };
    hear(signal, Law::A, &["cn"], listen).into_iter().filter_map(beep).collect()
}

/// A tone of `millis` whose frequency goes from one to the other and whose amplitude falls by `fade_db` a second.
fn tone([from_hz, to_hz]: [f32; 2], millis: u32, fade_db: f32) -> Signal {
    let samples = (millis * 8) as usize;
    let (mut phase, mut signal) = (0.0_f32, Signal::new());
    for n in 0..samples {
        let way = n as f32 / samples as f32;
        phase = (phase + (from_hz + (to_hz - from_hz) * way) / RATE).fract();
        let edge = (n.min(samples - n) as f32 / 40.0).min(1.0);
        let level = 0.18 * 10_f32.powf(-fade_db * n as f32 / RATE / 20.0);
        signal.push(edge * level * (core::f32::consts::TAU * phase).sin());
    }
    signal
}

/// Words, a pause, `beep`, quiet, over a line's noise; and when the beep is over, in milliseconds.
fn left(seed: u64, beep: Signal, noise_dbm0: f32) -> (Signal, u64) {
    let mut signal = silence(300);
    signal.extend(voice(seed, 2200));
    signal.extend(silence(150 + 90 * (seed % 8) as u32));
    signal.extend(beep);
    let end = signal.len() as u64 / 8;
    signal.extend(silence(900));
    (with(signal, noise(seed, noise_dbm0)), end)
}

/// Steady and gliding, in noise 13 dB below; of two tones, or fading, with noise 20 dB below where it begins: each once,
/// with its frequency.
#[test]
fn every_kind_of_beep_after_words_is_found_within_150_ms_of_its_end_in_noise() {
    for (seed, hz) in (0..).zip([385.0, 440.0, 620.0, 850.0, 1000.0, 1320.0, 1750.0, 1990.0]) {
        let two = tone([hz, hz], 400, 0.0).into_iter().zip(tone([1.47 * hz, 1.47 * hz], 400, 0.0));
        let kinds = [
            ("150 ms", tone([hz, hz], 150, 0.0)),
            ("steady", tone([hz, hz], 600, 0.0)),
            ("up", tone([hz, 1.2 * hz], 350, 0.0)),
            ("down", tone([hz, 0.8 * hz], 500, 0.0)),
            ("fading", tone([hz, hz], 700, 35.0)),
            ("two tones", two.map(|(a, b)| 0.6 * (a + b)).collect()),
        ];
        for (kind, beep) in kinds {
            let begin = (beep.len() / 8) as u64;
            let noise_dbm0 = if matches!(kind, "fading" | "two tones") { -33.0 } else { -26.5 };
            let (signal, end) = left(seed, beep, noise_dbm0);
            let found = beeps(&signal);
            let [(at, found_hz)] = found[..] else { panic!("{kind}, {hz} Hz: {found:?}") };
            // What fades is over when it has sunk into the noise.
            let from = if kind == "fading" { end - begin + 150 } else { end };
            assert!((from..=end + 150).contains(&at), "{kind}, {hz} Hz: {at}, end {end}");
            assert!(
                (f32::from(found_hz) - hz).abs() < 25.0 || kind == "two tones",
                "{kind}: {found_hz}"
            );
        }
    }
}

/// "Speak now" into the second half of a beep would be cut off by it.
#[test]
fn a_beep_of_two_with_80_ms_between_is_one() {
    for (seed, hz) in (0..).zip([440.0, 850.0, 1000.0, 1420.0, 1815.0]) {
        for millis in [110, 200, 400] {
            let mut beep = tone([hz, hz], millis, 0.0);
            beep.extend(silence(80));
            beep.extend(tone([hz, hz], millis, 0.0));
            let (signal, end) = left(seed, beep, -34.0);
            let found = beeps(&signal);
            assert!(
                matches!(found[..], [(at, _)] if at > end && at <= end + 150),
                "{hz} Hz: {found:?}"
            );
        }
    }
}

/// Its hum, its busy tone, its ring-back: each cadence of each plan, with a line's noise in the pauses.
#[test]
fn tones_of_a_network_are_no_beeps() {
    for key in ["cn", "us", "gb", "de", "fr", "jp", "ru", "br", "it", "au"] {
        let Some(zone) = Zone::by_key(key) else { continue };
        for name in ["ringback", "busy", "congestion", "dial"] {
            let Some(spec) = zone.tone(name).map(|spec| spec.at_dbm0(-18.0)) else { continue };
            for noise_dbm0 in [-60.0, -38.0] {
                let mut signal = silence(333);
                signal.extend(played(spec, 9000));
                let found = beeps(&with(signal, noise(7, noise_dbm0)));
                assert_eq!(found, [], "{key} {name} at {noise_dbm0} dBm0");
            }
        }
    }
}

/// And a fax that calls, whose tone comes before any words, at the ends of its tolerance.
#[test]
fn a_calling_fax_does_not_beep() {
    for hz in [1062.0, 1100.0, 1138.0] {
        let mut signal = silence(600);
        for _ in 0..2 {
            signal.extend(tones([hz, 0.0], [-15.0, -200.0], 500, 3000));
        }
        assert_eq!(beeps(&with(signal, noise(2, -45.0))), [], "{hz} Hz");
    }
}

/// A vowel may be as pure as a beep, and a phrase may end with it; things ring when they are struck.
#[test]
fn neither_voices_nor_what_rings_when_struck_beeps() {
    for seed in 0..24 {
        let mut signal = silence(200);
        for part in 0..5 {
            signal.extend(voice(100 * seed + part, 700 + 150 * part as u32));
            signal.extend(silence(300));
        }
        assert_eq!(beeps(&with(signal, noise(seed, -50.0))), [], "voice {seed}");
    }
    for seed in 0..12_u32 {
        let mut signal = with(silence(400), noise(u64::from(seed), -20.0));
        for strike in 0..4_u32 {
            let hz = 500.0 + 97.0 * (seed + 3 * strike) as f32;
            let mut rings = [sine(hz, -14.0), sine(1.62 * hz, -16.0)];
            let struck = (0..4800).map(|n| {
                let fade = (-(n as f32) / RATE / 0.06).exp();
                fade * rings.iter_mut().map(|ring| ring()).sum::<f32>()
            });
            signal.extend(struck);
        }
        assert_eq!(beeps(&with(signal, noise(9, -58.0))), [], "strikes {seed}");
    }
}

/// The verdict waits while the tone that may become a beep sounds, and until it is known to have been one.
#[test]
fn a_fading_beep_that_sounds_when_the_wait_is_over_makes_a_machine() {
    for seed in 0..6 {
        let mut signal = silence(400);
        signal.extend(voice(seed, 2400));
        signal.extend(silence(1000));
        signal.extend(tone([900.0, 900.0], 900, 20.0));
        signal.extend(silence(2500));
        let listen = Listen { answer: true, ..Listen::default() };
        let heard = hear(&with(signal, noise(seed, -48.0)), Law::A, &["cn"], listen);
        let who = heard.iter().find_map(|(_, heard)| match heard {
            Heard::Answer { who, .. } => Some(*who),
            _ => None,
        });
        assert_eq!(who, Some(Answerer::Machine), "seed {seed}");
        assert!(heard.iter().any(|(_, heard)| matches!(heard, Heard::SpeakNow(_))), "seed {seed}");
    }
}
