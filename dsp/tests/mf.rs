//! The register receivers against the limits of Q.455, and what they must not take for a signal.

mod signals;

use dsp::ears::{Heard, Listen};
use dsp::generate::DtmfSource;
use dsp::mf::{Mf, SIGNALS};
use signals::{Signal, hear, noise, silence, sine, tones, voice, with};
use tdm::Law;

const SYSTEMS: [Mf; 3] = [Mf::R2Forward, Mf::R2Backward, Mf::Bell];

/// What a receiver of `system` says, with the milliseconds.
fn heard(signal: &Signal, system: Mf) -> Vec<(u64, Heard)> {
    hear(signal, Law::A, &["cn"], Listen { mf: Some(system), ..Listen::default() })
}

/// The signals that were recognised, in order.
fn recognised(signal: &Signal, system: Mf) -> Vec<u8> {
    let on = |(_, heard): &(u64, Heard)| match heard {
        Heard::Mf(signal) => Some(*signal),
        _ => None,
    };
    heard(signal, system).iter().filter_map(on).collect()
}

/// All signals of a system, its tones changed by `change(hz) -> (hz, levels)`.
fn sent(
    system: Mf,
    on_millis: u32,
    off_millis: u32,
    change: impl Fn([f32; 2]) -> ([f32; 2], [f32; 2]),
) -> Signal {
    let mut signal = silence(100);
    for number in 1..=SIGNALS {
        let (hz, levels) = change(system.tones_of(number).expect("a signal"));
        signal.extend(tones(hz, levels, on_millis, off_millis));
    }
    signal.extend(silence(100));
    signal
}

fn all() -> Vec<u8> {
    (1..=SIGNALS).collect()
}

#[test]
fn every_signal_is_recognised_within_30_ms_and_let_go_within_30() {
    for system in SYSTEMS {
        for signal in 1..=SIGNALS {
            let mut line = silence(100);
            let mut source = DtmfSource::mf(system, signal, 70, 60, -11.5).expect("a signal");
            while !source.is_over() {
                line.push(source.next_sample());
            }
            let heard = heard(&line, system);
            let [(on, Heard::Mf(a)), (off, Heard::MfEnd(b))] = heard[..] else {
                panic!("{system:?} {signal}: {heard:?}")
            };
            assert_eq!((a, b), (signal, signal), "{system:?}");
            assert!((120..=130).contains(&on), "{system:?} {signal}: {on}");
            assert!((175..=200).contains(&off), "{system:?} {signal}: {off}");
        }
    }
}

/// Q.455: ±10 Hz, −5 to −35 dBm0, 7 dB between the two.
#[test]
fn limits_of_q455_are_met_from_corner_to_corner() {
    for system in [Mf::R2Forward, Mf::R2Backward] {
        for off_hz in [-10.0, 10.0] {
            for levels in [[-5.0, -5.0], [-35.0, -35.0], [-12.0, -19.0], [-19.0, -12.0]] {
                let line = sent(system, 60, 60, |[a, b]| ([a + off_hz, b + off_hz], levels));
                assert_eq!(recognised(&line, system), all(), "{system:?} {off_hz} Hz {levels:?}");
            }
        }
    }
}

#[test]
fn what_is_far_off_weak_or_lopsided_is_no_signal() {
    for system in SYSTEMS {
        for (off_hz, levels) in [
            ([40.0, 0.0], [-12.0; 2]),
            ([0.0, -40.0], [-12.0; 2]),
            ([0.0, 0.0], [-38.5; 2]),
            ([0.0, 0.0], [-8.0, -22.0]),
            ([0.0, 0.0], [-12.0, -200.0]),
        ] {
            let line = sent(system, 60, 60, |[a, b]| ([a + off_hz[0], b + off_hz[1]], levels));
            assert_eq!(recognised(&line, system), [], "{system:?} {off_hz:?} {levels:?}");
        }
    }
}

#[test]
fn bursts_of_12_ms_are_nothing_and_interruptions_of_7_ms_are_bridged() {
    for system in SYSTEMS {
        let burst = sent(system, 12, 60, |hz| (hz, [-11.5; 2]));
        assert_eq!(recognised(&burst, system), [], "{system:?}");
        let hz = system.tones_of(5).expect("a signal");
        for (pause, signals) in [(4, 1), (7, 1), (25, 2), (40, 2)] {
            let mut line = silence(100);
            line.extend(tones(hz, [-11.5; 2], 60, pause));
            line.extend(tones(hz, [-11.5; 2], 60, 100));
            assert_eq!(recognised(&line, system).len(), signals, "{system:?} {pause} ms");
        }
    }
}

/// A signal may follow another without a pause, as in pulses after a backward signal.
#[test]
fn a_signal_that_replaces_another_ends_it() {
    let mut line = silence(100);
    for signal in [3, 7] {
        line.extend(tones(Mf::R2Forward.tones_of(signal).expect("a signal"), [-11.5; 2], 60, 0));
    }
    line.extend(silence(60));
    let said: Vec<Heard> = heard(&line, Mf::R2Forward).into_iter().map(|(_, said)| said).collect();
    assert_eq!(said, [Heard::Mf(3), Heard::MfEnd(3), Heard::Mf(7), Heard::MfEnd(7)]);
}

/// What the other end hears of itself: the other direction 10 dB above, as an echo.
#[test]
fn the_other_direction_10_db_louder_hides_nothing_and_is_nothing() {
    for (system, other) in [(Mf::R2Forward, Mf::R2Backward), (Mf::R2Backward, Mf::R2Forward)] {
        for echo in [1, 6, 15] {
            let [a, b] = other.tones_of(echo).expect("a signal");
            let line = sent(system, 60, 60, |hz| (hz, [-20.0; 2]));
            let line = with(with(line, sine(a, -10.0)), sine(b, -10.0));
            assert_eq!(recognised(&line, system), all(), "{system:?} under {echo}");
            let alone = with(with(silence(500), sine(a, -10.0)), sine(b, -10.0));
            assert_eq!(recognised(&alone, system), [], "{system:?}: {echo}");
        }
    }
}

/// A voice has its harmonics where R2's backward tones are: that receiver is only asked while signals are due.
#[test]
fn noise_12_db_below_hides_nothing_and_neither_noise_nor_voices_are_signals() {
    for system in SYSTEMS {
        let line = with(sent(system, 60, 60, |hz| (hz, [-12.0; 2])), noise(3, -12.0 + 3.0 - 12.0));
        assert_eq!(recognised(&line, system), all(), "{system:?}");
        assert_eq!(recognised(&with(silence(10_000), noise(1, -15.0)), system), [], "{system:?}");
        for seed in (0..6).filter(|_| system != Mf::R2Backward) {
            assert_eq!(recognised(&voice(seed, 5000), system), [], "{system:?}, seed {seed}");
        }
    }
}
