//! The DTMF receiver against each limit of Q.24, and what it must not take for a key.

mod signals;

use dsp::ears::{Heard, Listen};
use dsp::generate::{DTMF_KEYS, DtmfSource};
use signals::{hear, keys, noise, silence, sine, tones, voice, with};
use tdm::{Law, Rng};

const ALL: &str = "123A456B789C*0#D";

/// All keys, each changed by `change(low, high) -> (hz, levels)`, `on` and `off` milliseconds.
fn dialled(
    on: u32,
    off: u32,
    mut change: impl FnMut(f32, f32) -> ([f32; 2], [f32; 2]),
) -> signals::Signal {
    let mut signal = silence(150);
    for key in DTMF_KEYS {
        let (low, high) = DtmfSource::tones_of(key).unwrap();
        let (hz, levels) = change(low, high);
        signal.extend(tones(hz, levels, on, off));
    }
    signal.extend(silence(100));
    signal
}

fn plain(level_dbm0: f32) -> impl FnMut(f32, f32) -> ([f32; 2], [f32; 2]) {
    move |low, high| ([low, high], [level_dbm0; 2])
}

#[test]
fn every_key_of_40_ms_is_heard_and_none_of_20_ms() {
    for on in [40, 45, 60, 200] {
        assert_eq!(keys(&dialled(on, 50, plain(-10.0))), ALL, "{on} ms");
    }
    for on in [5, 10, 15, 20] {
        assert_eq!(keys(&dialled(on, 50, plain(-10.0))), "", "{on} ms");
    }
}

/// Q.24, table A-1: 1.5 % off is a key; 3.5 % off is none.
#[test]
fn both_tones_may_be_off_by_1_5_percent_and_neither_by_3_5() {
    for percent in [-1.5_f32, 1.5] {
        let off = 1.0 + percent / 100.0;
        let signal = dialled(50, 50, |low, high| ([low * off, high * off], [-10.0; 2]));
        assert_eq!(keys(&signal), ALL, "{percent} %");
    }
    for percent in [-6.0_f32, -4.0, -3.5, 3.5, 4.0, 6.0] {
        let off = 1.0 + percent / 100.0;
        let low_off = dialled(60, 50, |low, high| ([low * off, high], [-10.0; 2]));
        let high_off = dialled(60, 50, |low, high| ([low, high * off], [-10.0; 2]));
        assert_eq!([keys(&low_off), keys(&high_off)], ["", ""], "{percent} %");
    }
}

#[test]
fn the_low_tone_may_be_8_5_db_louder_or_4_5_db_weaker_and_neither_by_14() {
    let twisted = |db: f32| {
        let levels = if db > 0.0 { [-6.0, -6.0 - db] } else { [-6.0 + db, -6.0] };
        keys(&dialled(50, 50, |low, high| ([low, high], levels)))
    };
    for db in [-4.5, 0.0, 8.5] {
        assert_eq!(twisted(db), ALL, "{db} dB");
    }
    for db in [-14.0, 14.0, 20.0, -20.0] {
        assert_eq!(twisted(db), "", "{db} dB");
    }
}

#[test]
fn levels_from_0_to_minus_45_dbm0_are_keys_and_minus_48_is_none() {
    for level in [0.0, -3.0, -25.0, -40.0, -45.0] {
        assert_eq!(keys(&dialled(50, 50, plain(level))), ALL, "{level} dBm0");
    }
    for level in [-48.0, -55.0] {
        assert_eq!(keys(&dialled(50, 50, plain(level))), "", "{level} dBm0");
    }
}

#[test]
fn a_pause_of_25_ms_parts_equal_keys_and_an_interruption_of_10_ms_does_not() {
    for (pause, heard) in [(10, "5"), (5, "5"), (25, "55"), (40, "55")] {
        let mut signal = silence(100);
        signal.extend(signals::key(b'5', 60, pause, -10.0));
        signal.extend(signals::key(b'5', 60, 100, -10.0));
        assert_eq!(keys(&signal), heard, "{pause} ms");
    }
}

#[test]
fn dial_tone_as_loud_as_each_tone_and_hum_12_db_louder_do_not_matter() {
    let dial = with(with(dialled(60, 60, plain(-16.0)), sine(350.0, -16.0)), sine(440.0, -16.0));
    assert_eq!(keys(&dial), ALL);
    let hum = with(dialled(60, 60, plain(-16.0)), sine(50.0, -4.0));
    assert_eq!(keys(&hum), ALL);
}

/// 8 dB between both tones together and the noise from 0 to 4 kHz.
#[test]
fn noise_8_db_under_the_tones_hides_no_key() {
    for seed in 0..4 {
        let signal = with(dialled(50, 50, plain(-12.0)), noise(seed, -12.0 + 3.01 - 8.0));
        assert_eq!(keys(&signal), ALL, "seed {seed}");
    }
}

#[test]
fn a_key_is_reported_within_30_ms_and_released_once() {
    let mut signal = silence(100);
    signal.extend(signals::key(b'#', 80, 100, -10.0));
    let listen = Listen { dtmf: true, ..Listen::default() };
    for law in [Law::A, Law::Mu] {
        let heard = hear(&signal, law, &["cn"], listen);
        let [(down, Heard::Dtmf(b'#')), (up, Heard::DtmfEnd(b'#'))] = heard[..] else {
            panic!("{heard:?}")
        };
        assert!((120..=130).contains(&down), "{down}");
        assert!((180..=205).contains(&up), "{up}");
    }
}

#[test]
fn voices_noise_and_lone_tones_are_no_keys() {
    for seed in 0..30 {
        assert_eq!(keys(&voice(seed, 8000)), "", "voice of seed {seed}");
    }
    assert_eq!(keys(&with(silence(20_000), noise(1, -15.0))), "");
    for hz in [697.0, 941.0, 1209.0, 1633.0, 425.0, 1100.0, 2100.0] {
        assert_eq!(keys(&with(silence(500), sine(hz, -8.0))), "", "{hz} Hz");
    }
    for (a, b) in
        [(697.0, 770.0), (1209.0, 1477.0), (350.0, 440.0), (480.0, 620.0), (950.0, 1400.0)]
    {
        assert_eq!(keys(&tones([a, b], [-8.0; 2], 500, 100)), "", "{a} + {b} Hz");
    }
}

/// Random keys anywhere inside the standard.
/// The notes of a chord come one after the other; both tones of a key begin together, and are heard in the same noise.
#[test]
fn a_tone_that_comes_to_another_makes_no_key() {
    for seed in 0..8 {
        let chord = |alone: u32| {
            let mut low = tones([687.0, 0.0], [-10.0, -90.0], alone + 48, 200);
            let mut high = silence(alone);
            high.extend(tones([1220.0, 0.0], [-15.0, -90.0], 48, 200));
            low.iter_mut().zip(&high).for_each(|(low, high)| *low += high);
            low
        };
        let mut signal = silence(300);
        (0..5).for_each(|_| signal.extend(chord(60)));
        assert_eq!(keys(&with(signal, noise(seed, -21.0))), "", "{seed}");
        let mut signal = silence(300);
        (0..5).for_each(|_| signal.extend(chord(0)));
        assert_eq!(keys(&with(signal, noise(seed, -21.0))), "11111", "{seed}");
    }
}

#[test]
fn random_keys_inside_the_standard_are_all_heard() {
    let mut rng = Rng::from_seed(24);
    let mut dial = String::new();
    let mut signal = silence(150);
    let mut within = |low: f64, high: f64| (low + (high - low) * rng.unit()) as f32;
    for _ in 0..600 {
        let key = DTMF_KEYS[within(0.0, 15.999) as usize];
        let (low, high) = DtmfSource::tones_of(key).unwrap();
        let (twist, top) = (within(-4.0, 8.0), within(-30.0, 0.0));
        let levels = if twist > 0.0 { [top, top - twist] } else { [top + twist, top] };
        let hz = [low * within(0.985, 1.015), high * within(0.985, 1.015)];
        let (on, off) = (within(40.0, 100.0) as u32, within(40.0, 100.0) as u32);
        signal.extend(tones(hz, levels, on, off));
        dial.push(char::from(key));
    }
    signal.extend(silence(50));
    assert_eq!(keys(&signal), dial);
}
