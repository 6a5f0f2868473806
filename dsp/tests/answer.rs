//! Who answered: what is no speech is never a person, and how long one waits after what was said.

mod signals;

use dsp::ears::{Answerer, Heard, Listen};
use dsp::generate::ToneSpec;
use dsp::zones::Zone;
use signals::{Signal, hear, noise, played, silence, tones, voice, with};
use tdm::Law;

fn answer(signal: &Signal) -> Option<(u64, Answerer)> {
    let listen = Listen { answer: true, ..Listen::default() };
    hear(signal, Law::A, &["cn"], listen).into_iter().find_map(|(at, heard)| match heard {
        Heard::Answer { who, .. } => Some((at, who)),
        _ => None,
    })
}

fn tone_of(zone: &Zone, name: &str) -> Option<ToneSpec> {
    zone.tone(name).map(|spec| spec.at_dbm0(-18.0))
}

/// Half a second of a quiet line, then `millis` of voice, then quiet, all under the noise of a line.
fn said(seed: u64, millis: u32, quiet_millis: u32) -> Signal {
    let mut signal = silence(500);
    signal.extend(voice(seed, millis));
    signal.extend(silence(quiet_millis));
    with(signal, noise(seed, -50.0))
}

/// An exchange that connects and then plays its tone has not found anybody, however the line hisses.
#[test]
fn tones_of_the_network_behind_a_connect_are_no_person() {
    for key in ["cn", "us", "gb", "de", "fr", "jp", "ru", "br"] {
        let zone = Zone::by_key(key).unwrap();
        for name in ["ringback", "busy", "congestion"] {
            let Some(spec) = tone_of(zone, name) else { continue };
            for (start_millis, noise_dbm0) in [(60, -60.0), (430, -40.0), (900, -35.0)] {
                let mut signal = silence(start_millis);
                signal.extend(played(spec, 9000));
                let found = answer(&with(signal, noise(7, noise_dbm0)));
                let is_person = found.is_none_or(|(_, who)| who == Answerer::Human);
                assert!(!is_person, "{key} {name} at {noise_dbm0} dBm0: {found:?}");
            }
        }
    }
}

/// A fan, a car that passes: it comes, its level drifts, it goes.
#[test]
fn noise_that_comes_and_goes_is_no_person() {
    for seed in 0..12_u32 {
        let mut source = noise(u64::from(seed), -28.0);
        let (period, depth) = (3000.0 + 900.0 * seed as f32, 0.05 * seed as f32);
        let mut signal = silence(200 + 150 * seed);
        signal.extend((0..16_000).map(|n| {
            let swell = 1.0 - depth * (n as f32 / period * core::f32::consts::TAU).cos();
            swell * source()
        }));
        signal.extend(silence(6000));
        let found = answer(&with(signal, noise(99, -60.0)));
        let is_nobody =
            matches!(found, Some((_, Answerer::Silence | Answerer::NotSure | Answerer::Machine)));
        assert!(is_nobody, "seed {seed}: {found:?}");
    }
}

/// "Northwind Trading, good morning, what can I do for you?", and then it is our turn.
#[test]
fn a_firms_greeting_and_then_quiet_is_a_person() {
    let mut persons = 0;
    for seed in 0..8_u64 {
        for millis in [1500, 2200, 2900, 3300] {
            let (at, who) = answer(&said(seed, millis, 3500)).unwrap();
            assert_ne!(who, Answerer::Machine, "seed {seed}, {millis} ms");
            let is_in_time = at < 500 + u64::from(millis) + 2050;
            assert!(who != Answerer::Human || is_in_time, "seed {seed}, {millis} ms: {at}");
            persons += usize::from(who == Answerer::Human);
        }
    }
    assert!(persons >= 28, "{persons} of 32");
}

/// The pause before the beep may be longer than a person is waited for; the beep has begun by then.
#[test]
fn a_beep_that_sounds_when_the_wait_is_over_is_waited_for() {
    for seed in 0..8 {
        let mut signal = said(seed, 2600, 1350);
        signal.extend(tones([950.0, 0.0], [-14.0, -200.0], 600, 1500));
        let found = answer(&signal);
        assert_eq!(found.map(|(_, who)| who), Some(Answerer::Machine), "seed {seed}: {found:?}");
    }
}

/// A reader takes a breath.
#[test]
fn a_breath_between_two_sentences_makes_no_person() {
    for seed in 0..8 {
        let mut signal = said(seed, 1700, 900);
        signal.extend(said(seed + 100, 7500, 10).split_off(500 * 8));
        let found = answer(&signal);
        assert_eq!(found.map(|(_, who)| who), Some(Answerer::Machine), "seed {seed}: {found:?}");
    }
}
