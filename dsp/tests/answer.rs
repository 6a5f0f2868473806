//! Who answered: what is no speech is never a person, and how long one waits after what was said.

mod signals;

use dsp::ears::{Answerer, Ears, EarsSettings, Heard, Listen};
use dsp::g711;
use dsp::generate::ToneSpec;
use dsp::zones::Zone;
use signals::{Signal, hear, noise, played, silence, tones, voice, with};
use tdm::{Block, Law, SAMPLES, SampleTime, Timeslot};

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

/// "Northwind Trading, good morning, what can I do for you?", then it is our turn; and who then hears nothing says hello.
#[test]
fn a_firms_greeting_and_then_quiet_is_a_person() {
    let (mut persons, mut in_time) = (0, 0);
    for seed in 0..8_u64 {
        for millis in [1500, 2200, 2900, 3300] {
            let mut signal = said(seed, millis, 2400);
            signal.extend(said(seed + 50, 400, 2500).split_off(500 * 8));
            let (at, who) = answer(&signal).unwrap();
            assert_ne!(who, Answerer::Machine, "seed {seed}, {millis} ms");
            persons += usize::from(who == Answerer::Human);
            in_time += usize::from(at < 500 + u64::from(millis) + 2050);
        }
    }
    assert!(persons >= 28, "{persons} of 32");
    assert!(in_time >= 16, "{in_time} of 32 within two seconds of what they said");
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

/// Ears that have heard this, and what they said of who answered.
fn heard(signal: &Signal) -> (Ears, Timeslot, Option<Answerer>) {
    let mut ears = Ears::new(EarsSettings { law: Law::A, ..EarsSettings::default() });
    let lane = Timeslot::new(5).unwrap();
    ears.listen(lane, Listen { answer: true, ..Listen::default() });
    let (mut block, mut verdict) = (Block::idle(Law::A), None);
    for (milli, samples) in signal.chunks_exact(SAMPLES).enumerate() {
        block.at = SampleTime::millis(milli as u64);
        block.set_timeslot(lane, std::array::from_fn(|n| g711::encode_f32(Law::A, samples[n])));
        ears.hear(&block, &mut |hearing| {
            if let Heard::Answer { who, .. } = hearing.heard {
                verdict = verdict.or(Some(who));
            }
        });
    }
    (ears, lane, verdict)
}

/// Who says a firm's name and hangs up when nobody answers was no machine, though no verdict had fallen.
#[test]
fn who_hangs_up_after_a_word_was_a_person_and_who_said_nothing_was_nobody() {
    let mut persons = 0;
    for seed in 0..8 {
        let (mut ears, lane, verdict) = heard(&said(seed, 2600, 1100));
        assert_eq!(verdict, None, "seed {seed}");
        let end = ears.answer_ends(lane);
        let Some(Heard::Answer { who, .. }) = end else { panic!("seed {seed}: {end:?}") };
        assert_ne!(who, Answerer::Machine, "seed {seed}");
        persons += usize::from(who == Answerer::Human);
        assert_eq!(ears.answer_ends(lane), None, "seed {seed}: a verdict falls once");
    }
    assert!(persons >= 6, "{persons} of 8");
    let (mut ears, lane, verdict) = heard(&with(silence(1500), noise(3, -50.0)));
    assert_eq!((verdict, ears.answer_ends(lane)), (None, None));
}

/// Long before the verdict falls it can be seen where it tends to; a hello tends elsewhere.
#[test]
fn who_has_spoken_for_three_seconds_is_provisionally_a_machine() {
    for seed in 0..8 {
        let (ears, lane, verdict) = heard(&said(seed, 3000, 10));
        let speaks_on = ears.answer_provisional(lane).unwrap();
        assert_eq!(verdict, None, "seed {seed}");
        let (ears, lane, _) = heard(&said(seed, 700, 400));
        let hello = ears.answer_provisional(lane);
        assert!(speaks_on > 0.5, "seed {seed}: {speaks_on}");
        assert!(hello.is_none_or(|hello| hello < 0.4), "seed {seed}: {hello:?}");
    }
    let (ears, lane, _) = heard(&silence(1000));
    assert_eq!(ears.answer_provisional(lane), None);
}

/// Whoever shows calls on a screen hears of it without asking: early, and a few times at most.
#[test]
fn what_a_verdict_tends_to_is_told_before_it_falls_and_not_often() {
    let listen = Listen { answer: true, ..Listen::default() };
    let mut told_early = 0;
    for seed in 0..8 {
        let said = said(seed, 9000, 2500);
        let heard = hear(&said, Law::A, &["cn"], listen);
        let verdict = heard.iter().position(|(_, heard)| matches!(heard, Heard::Answer { .. }));
        let verdict = verdict.unwrap_or(heard.len());
        let told: Vec<(u64, f32)> = (heard.iter().take(verdict))
            .filter_map(|(at, heard)| match heard {
                Heard::AnswerTends(machine) => Some((*at, *machine)),
                _ => None,
            })
            .collect();
        assert!(told.len() <= usize::from(dsp::answer::tends::TELLS_MAX), "seed {seed}: {told:?}");
        told_early += usize::from(told.iter().any(|&(at, machine)| at <= 3500 && machine > 0.6));
        let later = &heard[verdict.min(heard.len())..];
        assert!(!later.iter().any(|(_, heard)| matches!(heard, Heard::AnswerTends(_))));
    }
    assert!(told_early >= 6, "{told_early} of 8 within three seconds of speech");
    let nobody = hear(&with(silence(6000), noise(3, -45.0)), Law::A, &["cn"], listen);
    assert!(!nobody.iter().any(|(_, heard)| matches!(heard, Heard::AnswerTends(_))));
}

/// CNG is 1,100 Hz for half a second; so is many a beep, but that comes after words.
#[test]
fn a_tone_of_a_calling_fax_after_words_is_a_machines_beep() {
    let cng = tones([1100.0, 0.0], [-12.0, -200.0], 500, 3000);
    for seed in 0..4 {
        let mut signal = said(seed, 2600, 500);
        signal.extend(&cng);
        let found = answer(&signal);
        assert_eq!(found.map(|(_, who)| who), Some(Answerer::Machine), "seed {seed}: {found:?}");
    }
    let mut fax = silence(900);
    fax.extend(&cng);
    assert_eq!(answer(&fax).map(|(_, who)| who), Some(Answerer::Fax));
}

/// Somebody says hello and waits; a line that crackles far below the voice does not keep the verdict back.
#[test]
fn a_line_that_crackles_far_below_the_voice_does_not_hold_up_the_verdict() {
    let (mut crackle, mut in_time) = (noise(9, -46.0), 0);
    for seed in 0..8 {
        let mut signal = said(seed, 700, 4000);
        for (n, sample) in signal.iter_mut().enumerate().skip(1300 * 8) {
            let is_crackling = n / 8 % 300 < 60;
            *sample += if is_crackling { crackle() } else { 0.0 };
        }
        let found = answer(&signal);
        in_time += usize::from(found.is_some_and(|(at, _)| at < 1200 + 2400));
    }
    assert!(in_time >= 6, "{in_time} of 8");
}

/// Four notes and a rest, as a music box or a waiting tune has them: a voice that waits, but that it holds its notes.
#[test]
fn a_melody_of_held_notes_is_no_person() {
    for seed in 0..10_u32 {
        let mut signal = silence(300 + 70 * seed);
        for n in 0..7_u32 {
            let step = [0, 4, 7, 12, 5, 9, 2][((n * 3 + seed) % 7) as usize];
            let hz = (180.0 + 11.0 * seed as f32) * 2.0_f32.powf(step as f32 / 12.0);
            signal.extend((0..3600).map(|at| {
                let seconds = at as f32 / 8000.0;
                let edge = (at.min(3600 - at) as f32 / 120.0).min(1.0);
                let turn = core::f32::consts::TAU * hz * seconds;
                let partials = (1..=6).map(|k| (turn * k as f32).sin() / (k as f32).powf(1.3));
                0.09 * edge * (-2.0 * seconds).exp() * partials.sum::<f32>()
            }));
            if n == 3 {
                signal.extend(silence(1500));
            }
        }
        signal.extend(silence(4000));
        let found = answer(&with(signal, noise(u64::from(seed), -58.0)));
        assert!(!matches!(found, Some((_, Answerer::Human))), "seed {seed}: {found:?}");
    }
}

/// A text of so long, a beep, and then this; what was said first, and how long after the beep's end or the words somebody
/// else was.
fn after_a_beep(seed: u64, millis: u32, then: &Signal) -> (Option<Answerer>, Option<u64>) {
    let mut signal = silence(500);
    signal.extend(voice(seed, millis));
    signal.extend(silence(300));
    signal.extend(tones([1000.0, 0.0], [-15.0, -200.0], 400, 0));
    let begins = signal.len() as u64 / 8;
    signal.extend(then);
    let listen = Listen { answer: true, ..Listen::default() };
    let heard = hear(&with(signal, noise(seed, -52.0)), Law::A, &["cn"], listen);
    let first = heard.iter().find_map(|(_, heard)| match heard {
        Heard::Answer { who, .. } => Some(*who),
        _ => None,
    });
    let revised = heard.iter().find_map(|(at, heard)| match heard {
        Heard::AnswerRevised { who: Answerer::Human | Answerer::NotSure, .. } => Some(at - begins),
        _ => None,
    });
    (first, revised)
}

/// "Leave a message", a beep, and nothing: what is quiet then is a machine that records.
#[test]
fn a_machine_that_has_beeped_and_is_quiet_stays_one() {
    for seed in 0..12 {
        for millis in [500, 900, 1200, 1600, 2600] {
            let (first, revised) = after_a_beep(seed, millis, &silence(8000));
            assert!(first.is_some(), "seed {seed}, {millis} ms");
            assert_eq!(revised, None, "seed {seed}, {millis} ms");
        }
    }
}

/// Somebody comes to the telephone while his machine records.
#[test]
fn who_talks_back_after_the_beep_is_a_person() {
    let mut persons = 0;
    for seed in 0..12 {
        let mut then = silence(1500);
        then.extend(voice(seed + 300, 500));
        then.extend(silence(3000));
        let (first, revised) = after_a_beep(seed, 900, &then);
        assert_eq!(first, Some(Answerer::Machine), "seed {seed}");
        assert!(revised.is_none_or(|at| (2000..3600).contains(&at)), "seed {seed}: {revised:?}");
        persons += usize::from(revised.is_some());
    }
    assert!(persons >= 9, "{persons} of 12");
}
