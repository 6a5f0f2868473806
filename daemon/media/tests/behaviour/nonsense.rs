//! Engines and ears that say anything at any time: nothing falls, and the books stay in order.

use std::collections::BTreeSet;

use call::{CallCommand, CallEvent, Cause, LegId, Number, SnapshotItem};
use dsp::ears::{Answerer, Fax, Heard, Sound};
use dsp::pipeline::{self, PlayEnd, What};
use signalling::{Event, IncomingCall, LegKey};
use tdm::{Alarm, Alarms, Channel, Rng, SampleTime, Timeslot};

use crate::bench::*;

fn any_event(rng: &mut Rng, keys: u64) -> Event {
    let key = LegKey(rng.below(keys) as u32);
    let timeslot = Timeslot::new(rng.below(32) as usize).unwrap();
    let in_band = rng.chance(0.5);
    let cause = Cause(rng.below(128) as u8);
    let clearing = if rng.chance(0.8) { theirs(cause) } else { ours(cause) };
    match rng.below(20) {
        0..=3 => Event::Incoming(IncomingCall {
            key,
            timeslot,
            called: Number::unknown("1"),
            calling: None,
            name: None,
            redirecting: None,
        }),
        4 | 5 => Event::Proceeding { key, timeslot, in_band },
        6 | 7 => Event::Alerting { key, timeslot, in_band },
        8 => Event::Progress { key, in_band, cause: rng.chance(0.5).then_some(cause) },
        9..=11 => Event::Connected { key, timeslot },
        12 => Event::DisconnectInBand { key, clearing },
        13 => Event::Clearing { key, clearing },
        14 | 15 => {
            let timeslot = rng.chance(0.5).then_some(timeslot);
            Event::Ended { key, timeslot, clearing, glare: rng.chance(0.3) }
        }
        16 => Event::Restarted { timeslot: rng.chance(0.5).then_some(timeslot) },
        17 => Event::ChannelFailed { timeslot },
        18 => Event::LinkUp,
        _ if rng.chance(0.1) => Event::LinkDown,
        _ => Event::LinkUp,
    }
}

fn any_what(rng: &mut Rng) -> What {
    let token = rng.below(200) as u32;
    match rng.below(12) {
        8 => What::Heard(Heard::SpeakNow(rng.below(9000) as u16)),
        9 => What::Heard(Heard::Print(rng.below(4) as u16)),
        10 => What::Heard(Heard::AnswerRevised { who: Answerer::Human, score: f32::INFINITY }),
        11 => What::Heard(Heard::AnswerReason([f32::NAN; dsp::answer::rhythm::FEATURES])),
        0 => What::PlayEnded { token, why: PlayEnd::Finished },
        1 => What::PlayEnded { token, why: PlayEnd::Dtmf },
        2 => What::RecorderOverflow { recorder: rng.below(8) as u16, samples: u32::MAX },
        3 => What::Heard(Heard::Answer { who: Answerer::Human, score: f32::NAN }),
        4 => What::Heard(Heard::Answer { who: Answerer::Machine, score: 1.0 }),
        5 => What::Heard(Heard::Fax(Fax::Preamble)),
        6 => What::Heard(Heard::Progress(Sound::Busy)),
        _ => What::Heard(Heard::Dtmf(rng.below(256) as u8)),
    }
}

fn nonsense(seed: u64) {
    let mut rng = Rng::from_seed(seed);
    let mut bench = Bench::new(settings(2));
    let (mut living, mut gone) = (BTreeSet::<LegId>::new(), BTreeSet::new());
    for step in 0..10_000 {
        let n = rng.below(2) as usize;
        match rng.below(8) {
            0..=3 => {
                let event = any_event(&mut rng, 60);
                bench.tell(n, event);
            }
            4 => {
                let what = any_what(&mut rng);
                let channel = Channel::new(rng.below(4) as usize, rng.below(32) as usize).unwrap();
                let at = SampleTime::samples(rng.next_u64());
                bench.media.heard(bench.now, pipeline::Event { at, channel, what });
                bench.drain();
            }
            5 => bench.pass(rng.below(400)),
            6 => {
                let any: Vec<LegId> = living.iter().copied().collect();
                let leg = any.get(rng.below(any.len().max(1) as u64) as usize).copied();
                let leg = leg.unwrap_or(LegId::new(INSTANCE, 1));
                let command = match rng.below(6) {
                    0 => CallCommand::Answer { leg },
                    1 => CallCommand::Alert { leg },
                    2 => CallCommand::Hangup { leg, cause: Cause(16) },
                    3 => CallCommand::Dial(call::Dial { bridge: Some(leg), ..dial_to("1") }),
                    _ => CallCommand::Dial(dial_to("1")),
                };
                if let Ok(accepted) = bench.command(command) {
                    living.extend(accepted.leg);
                }
            }
            _ => {
                let up = rng.chance(0.9);
                let gone = Alarms::NONE.with(Alarm::BoardGone, !up && rng.chance(0.5));
                bench.media.line(bench.now, span(n), up, gone);
                bench.drain();
                bench.controller(rng.chance(0.9));
            }
        }
        for event in bench.said() {
            match event {
                CallEvent::Incoming { leg, .. } => assert!(living.insert(leg), "seed {seed}"),
                CallEvent::Ended(summary) => {
                    let was = living.remove(&summary.leg) && gone.insert(summary.leg);
                    assert!(was, "seed {seed}, step {step}: {summary:?}");
                }
                _ => {}
            }
        }
        let mut channels = BTreeSet::new();
        let mut there = BTreeSet::new();
        for item in bench.media.snapshot() {
            if let SnapshotItem::Leg(leg) = item {
                there.insert(leg.leg);
                let alone = leg.channel.is_none_or(|channel| channels.insert(channel));
                assert!(alone, "seed {seed}, step {step}: two on {:?}", leg.channel);
            }
        }
        assert_eq!(there, living, "seed {seed}, step {step}");
    }
    assert!(gone.len() > 300, "seed {seed}: {} calls only", gone.len());
}

#[test]
fn whatever_engines_and_ears_say_each_leg_ends_once_and_shares_no_channel() {
    (0..5).for_each(nonsense);
}
