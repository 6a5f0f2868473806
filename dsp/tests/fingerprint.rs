//! Known recordings in early media: which are recognised and when, which are not, and that listening takes no heap. On
//! voices made here; what recorded announcements give is measured by `tests/answer/announcements.py`.

mod signals;

use std::sync::Arc;

use dsp::ears::{Answerer, Ears, EarsSettings, Heard, Listen};
use dsp::fingerprint::{Index, Print};
use dsp::g711;
use signals::{Signal, noise, silence, voice, with};
use tdm::heap::{Watch, without_heap};
use tdm::{Block, Law, Rng, SAMPLES, SampleTime, TIMESLOTS, Timeslot};

#[global_allocator]
static WATCH: Watch = Watch;

fn prints() -> Listen {
    Listen { prints: true, progress: true, ..Listen::default() }
}

fn ears(index: &Arc<Index>, law: Law) -> Ears {
    Ears::new(EarsSettings { law, prints: Arc::clone(index), ..EarsSettings::default() })
}

/// What is recognised on each of up to 32 lines, and at which millisecond.
fn recognised(index: &Arc<Index>, law: Law, lines: &[Signal]) -> Vec<Vec<(u64, u16)>> {
    let mut ears = ears(index, law);
    for lane in (0..lines.len()).filter_map(Timeslot::new) {
        ears.listen(lane, prints());
    }
    let mut heard = vec![Vec::new(); lines.len()];
    let millis = lines.iter().map(Vec::len).max().unwrap_or(0) / SAMPLES;
    for milli in 0..millis {
        let mut block = Block::idle(law);
        block.at = SampleTime::millis(milli as u64);
        for (row, n) in block.octets.iter_mut().zip(milli * SAMPLES..) {
            for (octet, line) in row.iter_mut().zip(lines) {
                *octet = g711::encode_f32(law, line.get(n).copied().unwrap_or_default());
            }
        }
        ears.hear(&block, &mut |hearing| {
            if let Heard::Print(print) = hearing.heard {
                heard[usize::from(hearing.lane)].push((hearing.at.as_millis(), print));
            }
        });
    }
    heard
}

fn loudness(signal: &Signal) -> f32 {
    (signal.iter().map(|x| x * x).sum::<f32>() / signal.len() as f32).sqrt()
}

/// Eight announcements, each from four offsets: other levels, noise 10 dB below, either law.
#[test]
fn announcements_are_recognised_within_2500_ms_from_any_offset_in_noise_and_at_any_level() {
    let known: Vec<Signal> = (0..8).map(|n| voice(1000 + n, 5000)).collect();
    let prints: Vec<(Print, u8)> = known.iter().map(|x| (Print::of(x), 0)).collect();
    let index = Arc::new(Index::new(&prints));
    let mut rng = Rng::from_seed(5);
    let (mut lines, mut right) = (Vec::new(), Vec::new());
    for (print, signal) in known.iter().enumerate() {
        for turn in 0..4 {
            let from = rng.below(2400 * SAMPLES as u64) as usize;
            let level_dbm0 = -32.0 + 20.0 * rng.unit() as f32;
            let gain = g711::peak_of_dbm0(level_dbm0) / 2_f32.sqrt() / loudness(signal);
            let softer = signal[from..].iter().map(|x| x * gain).collect();
            let noise = noise(turn + 10 * print as u64, level_dbm0 - 10.0);
            lines.push([silence(100 + 7 * turn as u32), with(softer, noise)].concat());
            right.push(print as u16);
        }
    }
    for law in [Law::A, Law::Mu] {
        for (line, (heard, right)) in recognised(&index, law, &lines).iter().zip(&right).enumerate()
        {
            assert!(
                matches!(heard[..], [(at, print)] if print == *right && at <= 2600),
                "{law:?}, line {line}: {heard:?} is not {right}"
            );
        }
    }
}

/// Four minutes of other voices, and of noise, against 200 prints.
#[test]
fn other_speech_is_nobodys_announcement() {
    let mut prints: Vec<(Print, u8)> =
        (0..8).map(|n| (Print::of(&voice(1000 + n, 5000)), 0)).collect();
    for n in 0..192 {
        prints.push((prints[n % 8].0.disguised(n as u32 + 1), 0));
    }
    let index = Arc::new(Index::new(&prints));
    let mut lines: Vec<Signal> = (0..24).map(|n| voice(5000 + n, 10_000)).collect();
    lines.push(with(silence(10_000), noise(1, -25.0)));
    let heard = recognised(&index, Law::A, &lines);
    assert!(heard.iter().all(Vec::is_empty), "{heard:?}");
}

/// A network says "the number you have dialled" before very different things.
#[test]
fn announcements_that_begin_alike_are_named_once_they_differ() {
    let (begin, off, vacant) = (voice(1, 2500), voice(2, 3000), voice(3, 3000));
    let [off, vacant] = [off, vacant].map(|end| [begin.clone(), end].concat());
    let prints = |meanings: [u8; 2]| {
        let [a, b] = meanings;
        Arc::new(Index::new(&[(Print::of(&off), a), (Print::of(&vacant), b)]))
    };
    for (line, right) in [(&off, 0), (&vacant, 1)] {
        let heard = recognised(&prints([0, 1]), Law::A, std::slice::from_ref(line));
        assert!(
            matches!(heard[0][..], [(2500.., print)] if print == right),
            "{heard:?} is not {right}"
        );
        let heard = recognised(&prints([0, 0]), Law::A, std::slice::from_ref(line));
        assert!(matches!(heard[0][0], (..2000, _)), "of one meaning either will do: {heard:?}");
    }
}

/// A jingle before all of four hundred announcements, most of which mean one thing, and as loud as they are: nothing is
/// said while it plays, whatever the most of them mean, and the right one once the words are heard.
#[test]
fn nothing_is_said_while_what_hundreds_of_recordings_share_is_played() {
    let jingle = voice(1, 3000);
    let ends: Vec<Signal> = (0..400).map(|n| voice(100 + n % 40, 3000)).collect();
    let prints: Vec<(Print, u8)> = ends
        .iter()
        .enumerate()
        .map(|(n, end)| {
            let print = Print::of(&[jingle.clone(), end.clone()].concat());
            // Forty of them are as they are, the last four mean something else; the others share the jingle alone.
            let shared = 3000 / 16;
            let words = print.words().iter().zip(print.disguised(n as u32 + 1).words().to_vec());
            let own = n < 40;
            let words = words.enumerate().map(|(at, (&word, other))| {
                if own || at < shared { word } else { other & 0x000F_FFFF | word & 0x8000_0000 }
            });
            (Print::from_words(words), u8::from((36..40).contains(&n)))
        })
        .collect();
    let index = Arc::new(Index::new(&prints));
    let line = |n: usize| {
        let signal = [jingle.clone(), ends[n].clone()].concat();
        with(signal.iter().map(|x| 0.4 * x).collect(), noise(n as u64, -40.0))
    };
    let lines: Vec<Signal> = [3, 36].into_iter().map(line).collect();
    let heard = recognised(&index, Law::A, &lines);
    for (heard, right) in heard.iter().zip([3, 36]) {
        let is_late = heard.first().is_some_and(|(at, _)| (3000..=5500).contains(at));
        let is_right = heard.last().is_some_and(|(at, print)| *at <= 5500 && *print == right);
        assert!(is_late && is_right, "{heard:?} is not {right}");
    }
}

#[test]
fn a_recording_is_known_to_be_there_already_and_a_common_beginning_is_not_enough() {
    let (begin, off, vacant) = (voice(1, 2000), voice(2, 3000), voice(3, 3000));
    let [off, vacant] = [off, vacant].map(|end| [begin.clone(), end].concat());
    let again: Signal = with(off[5000..].iter().map(|x| 0.3 * x).collect(), noise(4, -50.0));
    let [off, vacant, again] = [off, vacant, again].map(|signal| Print::of(&signal));
    assert!(again.is_in(&off) && off.is_in(&off));
    assert!(!vacant.is_in(&off) && !again.is_in(&vacant));
}

/// Who says word for word what a recording says is one.
#[test]
fn known_words_after_an_answer_are_a_machines_as_soon_as_they_are_known() {
    let (greeting, other) = (voice(1, 6000), voice(2, 6000));
    let index = Arc::new(Index::new(&[(Print::of(&greeting), 0)]));
    let mut ears = ears(&index, Law::A);
    let listen = Listen { prints: true, answer: true, ..Listen::default() };
    let (known, unknown) = (Timeslot::new(3).unwrap(), Timeslot::new(4).unwrap());
    ears.listen(known, listen);
    ears.listen(unknown, listen);
    let (mut print, mut verdict) = (None, None);
    let milliseconds = greeting.as_chunks::<SAMPLES>().0.iter().zip(other.as_chunks::<SAMPLES>().0);
    for (milli, (greeting, other)) in milliseconds.enumerate() {
        let mut block = Block::idle(Law::A);
        block.at = SampleTime::millis(milli as u64);
        block.set_timeslot(known, greeting.map(|x| g711::encode_f32(Law::A, x)));
        block.set_timeslot(unknown, other.map(|x| g711::encode_f32(Law::A, x)));
        ears.hear(&block, &mut |hearing| match hearing.heard {
            Heard::Print(_) => {
                assert_eq!(hearing.lane, 3);
                print = Some(milli);
            }
            Heard::Answer { who, score } if hearing.lane == 3 => {
                assert_eq!((who, score), (Answerer::Machine, 1.0));
                verdict = Some(milli);
            }
            _ => {}
        });
    }
    assert!(print.is_some_and(|at| at < 2500), "{print:?}");
    assert_eq!(print, verdict);
}

#[test]
fn listening_leaves_the_heap_alone() {
    let signal = voice(1000, 3000);
    let index = Arc::new(Index::new(&[(Print::of(&signal), 0)]));
    let mut ears = ears(&index, Law::A);
    let mut found = 0;
    without_heap(|| {
        for lane in (0..TIMESLOTS).filter_map(Timeslot::new) {
            ears.listen(lane, prints());
        }
        for samples in signal.as_chunks::<SAMPLES>().0 {
            let mut block = Block::idle(Law::A);
            for (row, &x) in block.octets.iter_mut().zip(samples) {
                *row = [g711::encode_f32(Law::A, x); TIMESLOTS];
            }
            ears.hear(&block, &mut |hearing| {
                found += u32::from(matches!(hearing.heard, Heard::Print(0)));
            });
        }
    });
    assert_eq!(found, TIMESLOTS as u32);
}
