//! The ears as a whole: progress, fax, beep, who answered; no heap; the same on every CPU; nothing breaks them.

mod signals;

use dsp::ears::{Answerer, Ears, EarsSettings, Fax, Heard, Listen, SitCode, Sound};
use dsp::generate::{Step, ToneSpec};
use dsp::lanes::Cpu;
use dsp::zones::Zone;
use signals::{Signal, hear, hear_with, noise, played, silence, sine, tones, voice, with};
use tdm::heap::{Watch, without_heap};
use tdm::{Block, Law, Rng, SampleTime, Timeslot};

#[global_allocator]
static WATCH: Watch = Watch;

const EVERYTHING: Listen = Listen {
    prints: true,
    dtmf: true,
    progress: true,
    answer: true,
    fax: true,
    beep: true,
    mf: None,
    machine_from_percent: 0,
};

fn progress(signal: &Signal, zones: &[&str]) -> Vec<(u64, Sound)> {
    let listen = Listen { progress: true, ..Listen::default() };
    let sound = |(at, heard)| match heard {
        Heard::Progress(sound) => Some((at, sound)),
        Heard::SitCode(_) => None,
        other => panic!("{other:?}"),
    };
    hear(signal, Law::A, zones, listen).into_iter().filter_map(sound).collect()
}

fn answer(signal: &Signal) -> Option<(u64, Answerer)> {
    let listen = Listen { answer: true, ..Listen::default() };
    hear(signal, Law::A, &["cn"], listen).into_iter().find_map(|(at, heard)| match heard {
        Heard::Answer { who, .. } => Some((at, who)),
        _ => None,
    })
}

fn tone_of(zone: &str, name: &str) -> ToneSpec {
    Zone::by_key(zone).unwrap().tone(name).unwrap()
}

#[test]
fn each_zone_tells_its_ring_back_busy_and_congestion() {
    for zone in ["cn", "us", "gb", "de", "fr", "ru", "br", "es", "it", "jp"] {
        for (name, sound) in [
            ("ringback", Sound::Ringback),
            ("busy", Sound::Busy),
            ("congestion", Sound::Congestion),
        ] {
            let Some(spec) = Zone::by_key(zone).unwrap().tone(name) else { continue };
            let mut signal = silence(300);
            signal.extend(played(spec.at_dbm0(-18.0), 9000));
            let heard = progress(&with(signal, noise(3, -45.0)), &[zone]);
            let first = heard.first().map(|(_, sound)| *sound);
            let same_cadence = Zone::by_key(zone).unwrap().tones.iter().any(|tone| {
                tone.sound() != Some(sound)
                    && tone.sound() == first
                    && tone
                        .spec
                        .steps
                        .iter()
                        .map(|s| s.millis)
                        .eq(spec.steps.iter().map(|s| s.millis))
            });
            assert!(first == Some(sound) || same_cadence, "{zone} {name}: {heard:?}");
        }
    }
}

/// GB/T 3380: ring-back is known a quarter of a second after its first second.
#[test]
fn ring_back_is_known_soon_after_its_first_period() {
    let mut signal = silence(200);
    signal.extend(played(tone_of("cn", "ringback"), 6000));
    let heard = progress(&signal, &["cn"]);
    let [(at, Sound::Ringback)] = heard[..] else { panic!("{heard:?}") };
    assert!((1200..=1450).contains(&at), "{at}");
}

#[test]
fn a_cadence_is_known_from_any_starting_point() {
    for (name, sound) in
        [("busy", Sound::Busy), ("congestion", Sound::Congestion), ("unobtainable", Sound::Vacant)]
    {
        for skipped in [50, 170, 390, 610, 930, 1210] {
            let whole = played(tone_of("cn", name), 9000);
            let heard = progress(&whole[skipped * 8..].to_vec(), &["cn"]);
            let first = heard.first().map(|(_, sound)| *sound);
            assert_eq!(first, Some(sound), "{name} from {skipped} ms: {heard:?}");
        }
    }
}

#[test]
fn special_information_tones_are_known_in_any_zone() {
    for hz in [[950.0, 1400.0, 1800.0], [913.8, 1370.6, 1776.7], [985.2, 1428.5, 1776.7]] {
        let mut signal = silence(300);
        for hz in hz {
            signal.extend(tones([hz, 0.0], [-20.0, -200.0], 330, 0));
        }
        signal.extend(silence(500));
        let heard = progress(&signal, &["cn"]);
        assert_eq!(heard.first().map(|(_, s)| *s), Some(Sound::Sit), "{hz:?} {heard:?}");
    }
}

/// The North American codes and the international tones: frequencies of the first two, lengths of all three.
fn sit_codes() -> [(SitCode, [f32; 2], [u32; 3]); 9] {
    use SitCode::*;
    let (low, high) = ([913.8, 1370.6], [985.2, 1428.5]);
    let (short, long) = (274, 380);
    [
        (Intercept, [low[0], low[1]], [short, short, long]),
        (VacantCode, [high[0], low[1]], [long, short, long]),
        (ReorderLocal, [low[0], high[1]], [short, long, long]),
        (ReorderLongDistance, [high[0], low[1]], [short, long, long]),
        (NoCircuitLocal, [high[0], high[1]], [long, long, long]),
        (NoCircuitLongDistance, [low[0], low[1]], [long, long, long]),
        (Ineffective, [low[0], high[1]], [long, short, long]),
        // The code that is kept free says nothing.
        (International, [high[0], high[1]], [short, short, long]),
        (International, [950.0, 1400.0], [330, 330, 330]),
    ]
}

fn sit_code_of(signal: &Signal) -> Option<SitCode> {
    let listen = Listen { progress: true, ..Listen::default() };
    let heard = hear(signal, Law::A, &["us"], listen);
    let at = heard.iter().position(|(_, heard)| matches!(heard, Heard::SitCode(_)))?;
    assert_eq!(heard.get(at + 1).map(|(_, next)| *next), Some(Heard::Progress(Sound::Sit)));
    match heard.get(at) {
        Some((_, Heard::SitCode(code))) => Some(*code),
        _ => None,
    }
}

/// All together up to 1.5 % too fast or too slow, each for itself by 0.5 %; up to 30 ms between the tones; levels 3 dB
/// apart, from −9 to −33 dBm0; noise 20 dB below; words right behind.
#[test]
fn special_information_tones_say_their_code_through_lines_of_any_quality() {
    let mut rng = Rng::from_seed(17);
    let mut uniform = |from: f32, to: f32| from + (to - from) * rng.unit() as f32;
    for (turn, speed) in [0.985, 0.993, 1.0, 1.007, 1.015].into_iter().enumerate() {
        for (code, [first, second], lengths) in sit_codes() {
            let third = if first == 950.0 { 1800.0 } else { 1776.7 };
            let level = uniform(-33.0, -9.0);
            let mut signal = silence(300);
            for (hz, millis) in [first, second, third].into_iter().zip(lengths) {
                let hz = hz * speed * uniform(0.995, 1.005);
                let levels = [level + uniform(-1.5, 1.5), -200.0];
                signal.extend(tones([hz, 0.0], levels, millis, uniform(0.0, 30.0) as u32));
            }
            signal.extend(voice(turn as u64, 400));
            let signal = with(signal, noise(turn as u64, level - 20.0));
            assert_eq!(sit_code_of(&signal), Some(code), "{first} {second} {speed} {level}");
        }
    }
}

#[test]
fn speech_is_an_announcement_and_never_a_tone() {
    for seed in 0..10 {
        let mut signal = silence(300);
        signal.extend(voice(seed, 9000));
        let heard = progress(&signal, &[]);
        for (at, sound) in &heard {
            let is_scene = matches!(sound, Sound::Announcement | Sound::Music);
            assert!(is_scene, "seed {seed}: {sound:?} at {at}");
        }
        assert!(!heard.is_empty(), "seed {seed}");
    }
}

#[test]
fn silence_and_noise_are_no_progress() {
    assert_eq!(progress(&silence(8000), &[]), []);
    assert_eq!(progress(&with(silence(8000), noise(7, -35.0)), &[]), []);
}

fn fax(signal: &Signal) -> Vec<Fax> {
    let listen = Listen { fax: true, ..Listen::default() };
    let fax = |(_, heard)| match heard {
        Heard::Fax(fax) => fax,
        other => panic!("{other:?}"),
    };
    hear(signal, Law::A, &["cn"], listen).into_iter().map(fax).collect()
}

/// T.30: CNG 1100 ± 38 Hz, 0.5 s on, 3 s off; CED 2100 ± 15 Hz.
#[test]
fn fax_tones_are_known_within_their_tolerances() {
    for hz in [1062.0, 1100.0, 1138.0] {
        let mut signal = silence(400);
        signal.extend(tones([hz, 0.0], [-15.0, -200.0], 500, 600));
        assert_eq!(fax(&with(signal, noise(2, -45.0))), [Fax::Cng], "{hz} Hz");
    }
    for hz in [2085.0, 2100.0, 2115.0] {
        let mut signal = silence(400);
        signal.extend(tones([hz, 0.0], [-15.0, -200.0], 2600, 200));
        assert_eq!(fax(&signal), [Fax::Ced], "{hz} Hz");
    }
    // Phase reversals every 450 ms, as V.25 asks for against echo cancellers.
    let mut turns = silence(400);
    let mut tone = tones([2100.0, 0.0], [-15.0, -200.0], 2700, 200);
    tone.iter_mut().enumerate().filter(|(n, _)| n / 3600 % 2 == 1).for_each(|(_, x)| *x = -*x);
    turns.extend(tone);
    assert_eq!(fax(&turns), [Fax::Ced]);
}

#[test]
fn the_preamble_of_v21_flags_is_known() {
    let mut signal = silence(300);
    let mut phase = 0.0_f64;
    for n in 0..8000_u32 {
        let bit = [0, 1, 1, 1, 1, 1, 1, 0][(n * 300 / 8000 % 8) as usize];
        phase += if bit == 1 { 1650.0 } else { 1850.0 } / 8000.0;
        signal.push((0.12 * (std::f64::consts::TAU * phase).sin()) as f32);
    }
    signal.extend(silence(300));
    assert_eq!(fax(&signal), [Fax::Preamble]);
}

#[test]
fn a_beep_is_reported_soon_after_its_end_with_its_frequency() {
    let listen = Listen { beep: true, ..Listen::default() };
    for (hz, millis) in [(440.0, 250), (1000.0, 300), (1400.0, 200), (850.0, 500)] {
        let mut signal = voice(5, 3000);
        signal.extend(silence(400));
        let end = signal.len() as u64 / 8 + u64::from(millis);
        signal.extend(tones([hz, 0.0], [-12.0, -200.0], millis, 600));
        let heard = hear(&with(signal, noise(2, -50.0)), Law::A, &["cn"], listen);
        let [(at, Heard::Beep(found))] = heard[..] else { panic!("{hz} Hz: {heard:?}") };
        assert!(at >= end && at <= end + 150, "{hz} Hz: {at} after {end}");
        assert!((f32::from(found) - hz).abs() < 12.0, "{hz} Hz: {found}");
    }
}

/// The buzz of the tests is at the edge of what is a voice: some are left open, none is a machine.
#[test]
fn a_short_hello_is_a_person_within_0_8_s() {
    let mut persons = 0;
    for seed in 0..20 {
        let mut signal = with(silence(500), || 0.0);
        signal.extend(voice(seed, 700));
        signal.extend(silence(5000));
        let (at, who) = answer(&with(signal, noise(seed, -50.0))).unwrap();
        assert_ne!(who, Answerer::Machine, "seed {seed}");
        // Where it may have been no voice the longest wait is waited.
        assert!(who != Answerer::Human || at < 500 + 700 + 2100, "seed {seed}: {at}");
        persons += usize::from(who == Answerer::Human && at < 500 + 700 + 850);
    }
    assert!(persons >= 12, "{persons} of 20");
}

#[test]
fn who_speaks_on_is_a_machine_and_so_is_who_beeps() {
    for seed in 0..10 {
        let mut signal = silence(500);
        signal.extend(voice(seed, 9000));
        let (at, who) = answer(&with(signal, noise(seed, -50.0))).unwrap();
        assert_eq!(who, Answerer::Machine, "seed {seed}");
        assert!(at < 500 + 7200, "seed {seed}: {at}");
    }
    let mut short = silence(500);
    short.extend(voice(3, 1500));
    short.extend(silence(400));
    short.extend(tones([1000.0, 0.0], [-12.0, -200.0], 300, 1500));
    assert_eq!(answer(&short).map(|(_, who)| who), Some(Answerer::Machine));
}

#[test]
fn silence_noise_tones_and_fax_are_no_person() {
    let ring = |zone| played(tone_of(zone, "ringback"), 9000);
    let fax = tones([2100.0, 0.0], [-12.0, -200.0], 3000, 500);
    let busy = played(tone_of("cn", "busy"), 9000);
    let signals = [
        (silence(7000), Answerer::Silence),
        (with(silence(7000), noise(4, -30.0)), Answerer::Silence),
        (ring("cn"), Answerer::Silence),
        (busy, Answerer::Silence),
        (with(silence(300), sine(50.0, -20.0)).into_iter().chain(fax).collect(), Answerer::Fax),
    ];
    for (i, (signal, who)) in signals.into_iter().enumerate() {
        assert_eq!(answer(&signal).map(|(_, who)| who), Some(who), "signal {i}");
    }
}

/// Keys, tones, speech and noise on all lanes at once.
fn busy_span(millis: usize) -> Vec<Block> {
    let mut rng = Rng::from_seed(1);
    let signals: Vec<Signal> = (0..32_u64)
        .map(|lane| match lane % 4 {
            0 => voice(lane, millis as u32),
            1 => played(tone_of("cn", "busy"), millis as u32),
            2 => with(silence(millis as u32), noise(lane, -20.0)),
            _ => {
                let key = b"123456789*0#"[rng.below(12) as usize];
                (0..millis / 120).flat_map(|_| signals::key(key, 60, 60, -10.0)).collect()
            }
        })
        .collect();
    let block = |milli: usize| {
        let mut block = Block::idle(Law::A);
        block.at = SampleTime::millis(milli as u64);
        for (n, row) in block.octets.iter_mut().enumerate() {
            for (octet, signal) in row.iter_mut().zip(&signals) {
                let sample = signal.get(milli * 8 + n).copied().unwrap_or(0.0);
                *octet = dsp::g711::encode_f32(Law::A, sample);
            }
        }
        block
    };
    (0..millis).map(block).collect()
}

#[test]
fn hearing_and_switching_detectors_leave_the_heap_alone() {
    let blocks = busy_span(2000);
    let mut ears = Ears::new(EarsSettings { law: Law::A, ..EarsSettings::default() });
    let events = without_heap(|| {
        let mut events = 0_u32;
        for lane in 0..32 {
            ears.listen(Timeslot::new(lane).unwrap(), EVERYTHING);
        }
        for block in &blocks {
            ears.hear(block, &mut |_| events += 1);
        }
        ears.listen(Timeslot::new(3).unwrap(), Listen::default());
        events
    });
    assert!(events > 100, "{events}");
}

#[test]
fn every_cpu_hears_the_same_events() {
    let mut signal = silence(200);
    for key in b"15#" {
        signal.extend(signals::key(*key, 60, 60, -12.0));
    }
    signal.extend(played(tone_of("us", "ringback"), 3000));
    signal.extend(voice(8, 6000));
    let signal = with(signal, noise(9, -38.0));
    let [portable, others @ ..] =
        Cpu::ALL.map(|cpu| hear_with(cpu, &signal, Law::A, &[], EVERYTHING));
    assert!(portable.len() > 5, "{portable:?}");
    for other in others {
        assert_eq!(portable, other);
    }
}

/// Overflow checks are on in tests: whatever octets come, nothing overflows, panics or hears from lanes
/// that nobody listens on.
#[test]
fn arbitrary_blocks_break_nothing() {
    let mut rng = Rng::from_seed(0xEA5);
    let mut ears = Ears::new(EarsSettings { law: Law::Mu, ..EarsSettings::default() });
    for round in 0..40_000_u64 {
        let mut block = Block::idle(Law::Mu);
        block.at = SampleTime::samples(rng.next_u64());
        let kind = round / 100 % 4;
        for octet in block.octets.iter_mut().flatten() {
            *octet = match kind {
                0 => rng.next_u64() as u8,
                1 => [0x00, 0x80][rng.below(2) as usize],
                2 => 0x80,
                _ => *octet,
            };
        }
        if rng.chance(0.05) {
            let listen = if rng.chance(0.5) { EVERYTHING } else { Listen::default() };
            ears.listen(Timeslot::new(rng.below(31) as usize).unwrap(), listen);
        }
        ears.hear(&block, &mut |hearing| assert!(hearing.lane < 31));
    }
}

#[test]
fn a_detector_that_is_switched_on_again_starts_anew() {
    let mut ears = Ears::new(EarsSettings { law: Law::A, ..EarsSettings::default() });
    let lane = Timeslot::new(2).unwrap();
    let listen = Listen { answer: true, ..Listen::default() };
    let mut verdicts = 0;
    for _ in 0..2 {
        ears.listen(lane, listen);
        for _ in 0..6000 {
            ears.hear(&Block::idle(Law::A), &mut |_| verdicts += 1);
        }
        ears.listen(lane, Listen::default());
    }
    assert_eq!(verdicts, 2);
    let step = Step::default();
    assert!(step.is_silence());
}
