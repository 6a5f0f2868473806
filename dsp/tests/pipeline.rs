//! The pipeline's promises: what is connected is heard, what is played ends once, what is recorded stays
//! aligned, and a tick never touches the heap.

mod signals;

use std::sync::Arc;

use dsp::ears::{EarsSettings, Heard, Listen};
use dsp::g711;
use dsp::generate::{Repeat, Step, ToneSpec};
use dsp::mf::Mf;
use dsp::pipeline::{
    Command, Event, Library, Piece, Pipeline, PipelineSettings, PlayEnd, PromptId, Recorded, Score,
    ToneId, What,
};
use rtrb::Consumer;
use signals::{noise, silence, voice, with};
use tdm::heap::{Watch, without_heap};
use tdm::{Block, Channel, Law, SampleTime, Timeslot};

#[global_allocator]
static HEAP: Watch = Watch;

/// A pipeline with its spans' blocks, stepped by hand.
struct Bench {
    pipeline: Pipeline,
    recordings: Vec<Consumer<Recorded>>,
    received: Vec<Block>,
    transmitted: Vec<Block>,
    events: Vec<Event>,
    now: SampleTime,
}

impl Bench {
    fn new(laws: &[Law]) -> Self {
        let prompts = [
            ("nine".to_owned(), (0..9).map(|n| (n + 1) * 1000).collect()),
            ("long".to_owned(), vec![8000; 80]),
        ];
        let tones = [("pips".to_owned(), PIPS)];
        let library = Arc::new(Library::new(&prompts, &tones).unwrap());
        let spans = laws.iter().map(|&law| EarsSettings { law, ..EarsSettings::default() });
        let settings = PipelineSettings { spans: spans.collect(), library, recorders: 2 };
        let (pipeline, recordings) = Pipeline::new(settings);
        let idle: Vec<Block> = laws.iter().map(|&law| Block::idle(law)).collect();
        Self {
            pipeline,
            recordings,
            received: idle.clone(),
            transmitted: idle,
            events: Vec::with_capacity(4096),
            now: SampleTime::default(),
        }
    }

    fn command(&mut self, command: Command) {
        let events = &mut self.events;
        self.pipeline.command(self.now, command, &mut |event| events.push(event));
    }

    fn tick(&mut self) {
        let Self { pipeline, received, transmitted, events, now, .. } = self;
        pipeline.tick(*now, received, transmitted, &mut |event| events.push(event));
        *now = now.plus_samples(8);
    }

    fn hears(&self, channel: Channel) -> [u8; 8] {
        self.transmitted[channel.span.index()].timeslot(channel.timeslot)
    }

    fn say(&mut self, channel: Channel, octets: [u8; 8]) {
        self.received[channel.span.index()].set_timeslot(channel.timeslot, octets);
    }

    fn play(&mut self, to: Channel, pieces: &[Piece], repeat: bool, stop_on_dtmf: bool) {
        let score = Score::new(pieces, repeat, stop_on_dtmf).unwrap();
        self.command(Command::Play { to, token: 7, score });
    }

    fn play_ends(&self) -> Vec<PlayEnd> {
        let ended = |e: &Event| match e.what {
            What::PlayEnded { token: 7, why } => Some(why),
            _ => None,
        };
        self.events.iter().filter_map(ended).collect()
    }
}

const fn step(hz: f32, millis: u32) -> Step {
    Step { hz: [hz, 0.0, 0.0], am_hz: 0.0, quieter_db: 0.0, millis: Some(millis) }
}

/// A long pip once, then short ones for ever.
const PIPS: ToneSpec = ToneSpec {
    steps: &[step(1000.0, 3), step(0.0, 1), step(500.0, 2), step(0.0, 1)],
    repeat: Repeat::From(2),
    level_dbm0: -10.0,
};

fn channel(span: usize, timeslot: usize) -> Channel {
    Channel::new(span, timeslot).unwrap()
}

const COUNT: [u8; 8] = [1, 2, 3, 4, 5, 6, 7, 8];

#[test]
fn a_connection_is_one_way_and_in_the_same_millisecond() {
    let mut bench = Bench::new(&[Law::A, Law::A]);
    let (a, b) = (channel(0, 1), channel(1, 31));
    bench.command(Command::Connect { from: a, to: b });
    bench.say(a, COUNT);
    bench.say(b, [9; 8]);
    bench.tick();
    assert_eq!(bench.hears(b), COUNT);
    assert_eq!(bench.hears(a), [0xD5; 8]);
    bench.command(Command::Disconnect { to: b });
    bench.tick();
    assert_eq!(bench.hears(b), [0xD5; 8]);
}

#[test]
fn a_connection_between_laws_is_transcoded_both_ways() {
    let mut bench = Bench::new(&[Law::A, Law::Mu]);
    let (a, b) = (channel(0, 5), channel(1, 6));
    bench.command(Command::Connect { from: a, to: b });
    bench.command(Command::Connect { from: b, to: a });
    bench.say(a, [Law::A.idle(); 8]);
    bench.say(b, [g711::encode(Law::Mu, 8000); 8]);
    bench.tick();
    assert!(g711::decode(Law::Mu, bench.hears(b)[0]).unsigned_abs() <= 8);
    let heard = i32::from(g711::decode(Law::A, bench.hears(a)[0]));
    assert!((heard - 8000).abs() < 300, "{heard}");
}

/// A call that speaks R2 switches its receiver on when registers begin, and from one system to another; a compelled
/// signal lasts until it is stopped.
#[test]
fn register_signals_are_played_and_heard_by_the_call_that_asks_for_them() {
    let mut bench = Bench::new(&[Law::A]);
    let (sends, hears, deaf) = (channel(0, 1), channel(0, 18), channel(0, 19));
    for mf in [Mf::R2Forward, Mf::R2Backward, Mf::Bell] {
        let listen = Listen { mf: Some(mf), ..Listen::default() };
        bench.command(Command::Listen { on: hears, listen });
        for signal in [1, 7, 15] {
            bench.events.clear();
            let piece = Piece::Signal { system: mf, signal, millis: u32::MAX };
            bench.play(sends, &[piece], false, false);
            for milli in 0..160 {
                if milli == 90 {
                    bench.command(Command::StopPlay { to: sends });
                }
                bench.tick();
                let octets = bench.hears(sends);
                [hears, deaf].into_iter().for_each(|to| bench.say(to, octets));
            }
            let heard: Vec<(Channel, Heard)> = bench
                .events
                .iter()
                .filter_map(|event| match event.what {
                    What::Heard(heard) => Some((event.channel, heard)),
                    _ => None,
                })
                .collect();
            let wanted = [Heard::Mf(signal), Heard::MfEnd(signal)].map(|heard| (hears, heard));
            assert_eq!(heard, wanted, "{mf:?} {signal}");
            assert_eq!(bench.play_ends(), [PlayEnd::Stopped]);
        }
        bench.command(Command::Listen { on: hears, listen: Listen::default() });
    }
    let wrong = Piece::Signal { system: Mf::Bell, signal: 16, millis: 1 };
    bench.play(sends, &[wrong], false, false);
    bench.tick();
    assert_eq!(bench.hears(sends), [Law::A.idle(); 8]);
}

#[test]
fn a_prompt_plays_over_the_connection_and_gives_it_back() {
    let mut bench = Bench::new(&[Law::A]);
    let (a, b) = (channel(0, 1), channel(0, 2));
    bench.command(Command::Connect { from: a, to: b });
    bench.say(a, COUNT);
    bench.play(b, &[Piece::Prompt(PromptId(0))], false, false);
    bench.tick();
    let wanted: Vec<u8> = (1..=8).map(|n| g711::encode(Law::A, n * 1000)).collect();
    assert_eq!(bench.hears(b), wanted[..]);
    assert!(bench.play_ends().is_empty());
    bench.tick();
    assert_eq!(bench.hears(b)[0], g711::encode(Law::A, 9000));
    assert_eq!(bench.hears(b)[1..], [0xD5; 7]);
    assert_eq!(bench.play_ends(), [PlayEnd::Finished]);
    bench.tick();
    assert_eq!(bench.hears(b), COUNT);
}

/// 3 ms, pause, then 2 ms and pause again and again, and no sample more than was asked for.
#[test]
fn a_tone_turns_from_where_its_plan_says_for_exactly_its_time() {
    let mut bench = Bench::new(&[Law::A]);
    let a = channel(0, 3);
    bench.play(a, &[Piece::Tone { tone: ToneId(0), millis: 12 }], false, false);
    let mut sounds = Vec::new();
    for _ in 0..14 {
        bench.tick();
        sounds.push(bench.hears(a) != [0xD5; 8]);
    }
    let wanted = [1, 1, 1, 0, 1, 1, 0, 1, 1, 0, 1, 1, 0, 0].map(|s| s == 1);
    assert_eq!(sounds, wanted);
    assert_eq!(bench.play_ends(), [PlayEnd::Finished]);
}

#[test]
fn a_repeated_score_goes_on_until_stopped_and_ends_once() {
    let mut bench = Bench::new(&[Law::A]);
    let a = channel(0, 4);
    bench.play(a, &[Piece::Prompt(PromptId(1)), Piece::Silence { millis: 3 }], true, false);
    (0..100).for_each(|_| bench.tick());
    assert!(bench.play_ends().is_empty());
    bench.command(Command::StopPlay { to: a });
    bench.command(Command::StopPlay { to: a });
    assert_eq!(bench.play_ends(), [PlayEnd::Stopped]);
}

/// Empty pieces, an unknown prompt, a score of nothing: each ends instead of turning for ever.
#[test]
fn a_score_without_a_sample_ends_at_once() {
    for repeat in [false, true] {
        let mut bench = Bench::new(&[Law::A]);
        let a = channel(0, 4);
        let nothing = [Piece::Silence { millis: 0 }, Piece::Prompt(PromptId(999))];
        bench.play(a, &nothing, repeat, false);
        bench.tick();
        assert_eq!(bench.play_ends(), [PlayEnd::Finished]);
        bench.play(a, &[], repeat, false);
        bench.tick();
        assert_eq!(bench.play_ends().len(), 2);
    }
}

#[test]
fn a_new_play_replaces_the_old_which_is_reported_as_stopped() {
    let mut bench = Bench::new(&[Law::A]);
    let a = channel(0, 4);
    bench.play(a, &[Piece::Prompt(PromptId(1))], false, false);
    bench.tick();
    bench.play(a, &[Piece::Prompt(PromptId(0))], false, false);
    assert_eq!(bench.play_ends(), [PlayEnd::Stopped]);
}

#[test]
fn a_digit_stops_the_prompt_in_the_block_in_which_it_is_recognised() {
    let mut bench = Bench::new(&[Law::A]);
    let (a, other) = (channel(0, 7), channel(0, 8));
    bench.command(Command::Listen { on: a, listen: Listen { dtmf: true, ..Listen::default() } });
    bench.play(a, &[Piece::Prompt(PromptId(1))], true, true);
    bench.play(other, &[Piece::Prompt(PromptId(1))], true, true);
    let hz = |f: f64, n: u32| (f64::from(n) * f * std::f64::consts::TAU / 8000.0).sin();
    let mut stopped_at = None;
    for milli in 0..60_u32 {
        let octets = std::array::from_fn(|n| {
            let n = milli * 8 + n as u32;
            g711::encode(Law::A, ((hz(770.0, n) + hz(1336.0, n)) * 6000.0) as i16)
        });
        bench.say(a, octets);
        bench.tick();
        if stopped_at.is_none() && !bench.play_ends().is_empty() {
            stopped_at = Some(milli);
            assert_eq!(bench.hears(a), [0xD5; 8], "the prompt was heard in the block of the digit");
        }
    }
    let digit = |e: &&Event| e.what == What::Heard(Heard::Dtmf(b'5')) && e.channel == a;
    assert_eq!(bench.events.iter().filter(digit).count(), 1);
    assert_eq!(bench.play_ends(), [PlayEnd::Dtmf]);
    assert!(stopped_at.is_some_and(|m| m <= 45), "{stopped_at:?}");
    assert_ne!(bench.hears(other), [0xD5; 8], "another channel's prompt was stopped");
}

#[test]
fn a_recording_has_both_directions_and_an_end() {
    let mut bench = Bench::new(&[Law::A]);
    let (a, b) = (channel(0, 1), channel(0, 2));
    bench.command(Command::Connect { from: b, to: a });
    bench.command(Command::Record { on: a, recorder: 1 });
    bench.say(a, COUNT);
    bench.say(b, [9; 8]);
    bench.tick();
    bench.command(Command::Clear { on: a });
    bench.tick();
    let ring = &mut bench.recordings[1];
    assert_eq!(ring.pop(), Ok(Recorded { lost_millis: 0, octets: Some((COUNT, [9; 8])) }));
    assert_eq!(ring.pop(), Ok(Recorded { lost_millis: 0, octets: None }));
    assert!(ring.pop().is_err());
}

/// The other side hangs up after a few words, before a verdict has fallen.
#[test]
fn who_is_being_judged_when_the_call_ends_gets_a_verdict_and_the_heap_is_left_alone() {
    let mut bench = Bench::new(&[Law::A]);
    let a = channel(0, 5);
    let listen = Listen { answer: true, fax: true, ..Listen::default() };
    let clear = |bench: &mut Bench| {
        bench.events.clear();
        without_heap(|| bench.command(Command::Clear { on: a }));
        let heard = bench.events.iter().filter_map(|event| match event.what {
            What::Heard(heard) => Some(heard),
            _ => None,
        });
        heard.collect::<Vec<_>>()
    };
    bench.command(Command::Listen { on: a, listen });
    let mut words = silence(500);
    words.extend(voice(3, 2600));
    words.extend(silence(1100));
    for samples in with(words, noise(3, -50.0)).chunks_exact(8) {
        bench.say(a, std::array::from_fn(|n| g711::encode_f32(Law::A, samples[n])));
        bench.tick();
    }
    let heard = clear(&mut bench);
    assert!(matches!(heard[..], [Heard::AnswerReason(_), Heard::Answer { .. }]), "{heard:?}");
    assert!(clear(&mut bench).is_empty(), "nobody is judged there any more");
}

/// 2 s fit; then a writer that comes back finds how much silence to write, and the end even when late.
#[test]
fn a_recorder_that_overflows_says_how_much_was_lost() {
    let mut bench = Bench::new(&[Law::A]);
    let a = channel(0, 1);
    bench.command(Command::Record { on: a, recorder: 0 });
    (0..2300).for_each(|_| bench.tick());
    bench.command(Command::StopRecord { on: a });
    let overflows = |e: &&Event| matches!(e.what, What::RecorderOverflow { recorder: 0, .. });
    assert_eq!(bench.events.iter().filter(overflows).count(), 1);
    let mut millis = 0;
    let mut ended = false;
    while !ended {
        match bench.recordings[0].pop() {
            Ok(block) => {
                millis += block.lost_millis + u32::from(block.octets.is_some());
                ended = block.octets.is_none();
            }
            Err(_) => bench.tick(),
        }
    }
    assert_eq!(millis, 2300);
    bench.command(Command::Record { on: a, recorder: 0 });
    bench.tick();
    assert!(bench.recordings[0].pop().is_ok(), "the recorder is not free again");
}

#[test]
fn what_names_no_span_of_this_host_is_passed_over() {
    let mut bench = Bench::new(&[Law::A]);
    let (here, there) = (channel(0, 1), channel(9, 1));
    bench.command(Command::Connect { from: there, to: here });
    bench.command(Command::Connect { from: here, to: there });
    bench.command(Command::Record { on: here, recorder: 77 });
    bench.command(Command::Clear { on: there });
    bench.tick();
    assert_eq!(bench.hears(here), [0xD5; 8]);
}

#[test]
fn a_busy_tick_leaves_the_heap_alone() {
    let mut bench = Bench::new(&[Law::A, Law::Mu]);
    let all = Listen {
        dtmf: true,
        progress: true,
        answer: true,
        fax: true,
        beep: true,
        ..Listen::default()
    };
    for t in 1..=15 {
        let (a, b) = (channel(0, t), channel(1, t + 15));
        bench.command(Command::Connect { from: a, to: b });
        bench.command(Command::Connect { from: b, to: a });
        bench.command(Command::Listen { on: a, listen: all });
        bench.play(a, &[Piece::Prompt(PromptId(0)), Piece::Silence { millis: 2 }], true, true);
    }
    bench.command(Command::Record { on: channel(0, 1), recorder: 0 });
    let mut noise = tdm::Rng::from_seed(1);
    let Bench { pipeline, received, transmitted, .. } = &mut bench;
    let mut heard = 0_u32;
    for milli in 0..3000_u64 {
        for row in received.iter_mut().flat_map(|b| &mut b.octets).flatten() {
            *row = noise.next_u64() as u8;
        }
        let now = SampleTime::millis(milli);
        without_heap(|| pipeline.tick(now, received, transmitted, &mut |_| heard += 1));
    }
    let unused = Timeslot::new(16).unwrap();
    assert_eq!(transmitted[0].timeslot(unused), [0xD5; 8]);
}
