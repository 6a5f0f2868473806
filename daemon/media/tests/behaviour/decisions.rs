//! What is kept of an answer so that the verdict can be checked, and what is said of it before and after.

use call::{
    CallCommand, CallEvent, Cause, Dial, KeepDecision, LegId, OnPerson, Otherwise, Outcome,
    RefusalCode,
};
use call::{MachineMessage, Verdict};
use dsp::ears::{Answerer, Heard};
use dsp::pipeline;
use media::{RecorderOrder, RecordingKind};

use crate::bench::*;

fn armed(bridge: Option<LegId>, message: bool) -> Dial {
    let on_person = OnPerson {
        bridge,
        within_millis: 8500,
        machine_from_percent: None,
        message: message.then(|| MachineMessage { prompt: "welcome".into(), wait_millis: 20_000 }),
        keep: Some(KeepDecision { of: "answer-autumn".into(), millis: 8000 }),
        otherwise: Otherwise::SafeHarbour("sorry".into()),
    };
    Dial { on_person: Some(on_person), ..dial_to("5551") }
}

/// Recordings that are complete: name and length.
fn recorded(bench: &Bench) -> Vec<(String, u32)> {
    let of = |event: &CallEvent| match event {
        CallEvent::Recorded { name, millis, dropped: false, .. } => Some((name.clone(), *millis)),
        _ => None,
    };
    bench.events.iter().filter_map(of).collect()
}

#[test]
fn an_answer_is_kept_from_connect_until_an_agent_has_it_and_nothing_of_the_conversation() {
    let mut bench = Bench::new(settings(1));
    let (agent, _) = bench.talker(1);
    let (leg, key, timeslot) = bench.dialled(armed(Some(agent), false));
    bench.pass(5000);
    assert!(bench.recorders.is_empty(), "nothing before the answer");
    bench.tell(0, signalling::Event::Connected { key, timeslot });
    let channel = at(timeslot.index());
    let Some(RecorderOrder::Open { name, kind, .. }) = bench.recorders.last().cloned() else {
        panic!("{:?}", bench.recorders)
    };
    assert_eq!(kind, RecordingKind::Answer);
    assert!(name.starts_with("answer-autumn-c"), "{name}");
    bench.pass(1400);
    bench.said();
    bench.verdict(channel, Answerer::Human);
    // Complete before the two are joined, in the same block.
    let said = bench.said();
    let at_of = |wanted: &dyn Fn(&CallEvent) -> bool| said.iter().position(wanted).unwrap();
    let kept =
        at_of(&|e| matches!(e, CallEvent::Recorded { leg: l, millis: 1400, .. } if *l == leg));
    let joined = at_of(&|e| *e == CallEvent::Bridged { a: leg, b: agent });
    assert!(kept < joined, "{said:?}");
    assert_eq!(bench.lane(channel).recorder, None);
    bench.pass(20_000);
    assert_eq!(bench.recorders.len(), 2, "{:?}", bench.recorders);
}

#[test]
fn an_answer_is_kept_for_its_time_or_to_the_end_of_the_call_controller_or_not() {
    let mut bench = Bench::new(settings(1));
    let (leg, _, channel) = bench.connected(armed(None, true));
    bench.verdict(channel, Answerer::Machine);
    bench.controller(false);
    bench.pass(7999);
    assert!(recorded(&bench).is_empty());
    bench.pass(1);
    assert_eq!(recorded(&bench)[0].1, 8000);
    assert!(!bench.has_ended(leg));
    bench.controller(true);
    bench.said();

    let (leg, _, channel) = bench.connected(armed(None, false));
    bench.pass(3000);
    bench.verdict(channel, Answerer::Machine);
    assert!(bench.has_ended(leg));
    assert_eq!(recorded(&bench)[0].1, 3000);
    let ended = bench.events.iter().position(|e| matches!(e, CallEvent::Ended(_)));
    let kept = bench.events.iter().position(|e| matches!(e, CallEvent::Recorded { .. }));
    assert!(kept < ended, "the record is written when the recording is known");
}

#[test]
fn recordings_that_were_asked_for_go_first() {
    let mut settings = settings(1);
    settings.limits.recorders = 4;
    let mut bench = Bench::new(settings);
    let calls: Vec<_> = (0..4).map(|_| bench.connected(armed(None, false))).collect();
    assert_eq!(bench.recorders.len(), 3, "a quarter is left for what is asked for");
    let (leg, _, channel) = calls[0];
    bench.pass(500);
    bench.must(CallCommand::Record { leg, name: "wanted".into(), early: false });
    assert_eq!(recorded(&bench)[0].1, 500);
    assert!(bench.lane(channel).recorder.is_some());
    // The time of what was kept is no time of this one.
    bench.pass(8000);
    assert!(bench.lane(channel).recorder.is_some());
    bench.must(CallCommand::StopRecord { leg });
    assert_eq!(recorded(&bench).last().unwrap(), &("wanted".to_owned(), 8000));
}

#[test]
fn what_cannot_be_written_is_kept_under_no_name() {
    let mut bench = Bench::new(settings(1));
    let (leg, key, _) = bench.connected(armed(None, false));
    let Some(RecorderOrder::Open { name, .. }) = bench.recorders.last().cloned() else {
        panic!("{:?}", bench.recorders)
    };
    bench.media.recording_fails(bench.now, &name);
    bench.hangs_up(key, Cause::NORMAL_CLEARING);
    assert!(recorded(&bench).is_empty());
    assert!(bench.has_ended(leg));
}

#[test]
fn a_call_that_ends_before_the_verdict_gets_one_and_its_outcome_stays_what_it_was() {
    let mut bench = Bench::new(settings(1));
    let (leg, key, channel) = bench.connected(armed(None, false));
    bench.pass(900);
    let clearing = theirs(Cause::NORMAL_CLEARING);
    bench.tell(0, signalling::Event::Clearing { key, clearing });
    bench.said();
    // The tick thread, when it clears the channel.
    let mut features = [0.0; dsp::answer::rhythm::FEATURES];
    features[0] = 0.32;
    bench.hear(channel, Heard::AnswerReason(features));
    bench.verdict(channel, Answerer::Human);
    let said = bench.said();
    let [
        CallEvent::Verdict {
            verdict: Verdict::Human,
            after_millis: 900,
            acted: true,
            features,
            ..
        },
    ] = &said[..]
    else {
        panic!("{said:?}")
    };
    assert_eq!(features.get(dsp::answer::rhythm::NAMES[0]), Some(&320));
    // Once, and nothing follows.
    bench.verdict(channel, Answerer::Machine);
    bench.hear(channel, Heard::SpeakNow(1000));
    assert!(bench.said().is_empty());
    bench.tell(0, signalling::Event::Ended { key, timeslot: None, clearing, glare: false });
    assert_eq!(bench.summary(leg).outcome, Some(Outcome::Other));
}

#[test]
fn what_a_verdict_tends_to_is_told_while_it_is_open_and_nothing_follows_from_it() {
    let mut bench = Bench::new(settings(1));
    let (agent, _) = bench.talker(1);
    let (leg, _, channel) = bench.connected(armed(Some(agent), false));
    bench.pass(1800);
    bench.said();
    bench.hear(channel, Heard::AnswerTends(0.8764));
    let leaning = CallEvent::Leaning { leg, machine_thousandths: 876, after_millis: 1800 };
    assert_eq!(bench.said(), [leaning]);
    bench.verdict(channel, Answerer::Human);
    bench.said();
    bench.hear(channel, Heard::AnswerTends(0.2));
    assert!(bench.said().is_empty(), "too late");
}

/// While its beep is awaited, and while the message is being left.
#[test]
fn a_machine_that_talks_back_may_have_another_agent() {
    for is_leaving in [false, true] {
        let mut bench = Bench::new(settings(1));
        let (agent, _) = bench.talker(1);
        let (leg, _, channel) = bench.connected(armed(None, true));
        bench.verdict(channel, Answerer::Machine);
        if is_leaving {
            bench.hear(channel, Heard::SpeakNow(1000));
            assert_eq!(bench.plays(channel), ["welcome"]);
            assert!(bench.lane(channel).listen.answer, "somebody may pick up");
        }
        bench.hear(channel, Heard::AnswerRevised { who: Answerer::Human, score: 0.02 });
        assert!(bench.plays(channel).is_empty(), "no message for a person");
        bench.pass(300);
        bench.must(CallCommand::Bridge { a: leg, b: agent, beep: true });
        assert!(bench.hear_each_other(channel, at(1)));
        bench.pass(10_000);
        assert!(bench.hear_each_other(channel, at(1)) && bench.plays(channel).is_empty());
        assert!(!bench.lane(channel).listen.answer);
    }
}

/// The ear knows up to 1.2 s after the words; two seconds are what may pass.
#[test]
fn a_machine_that_talks_back_hears_the_safe_harbour_prompt_when_no_agent_comes() {
    for present in [true, false] {
        let mut bench = Bench::new(settings(1));
        let (leg, _, channel) = bench.connected(armed(None, true));
        bench.verdict(channel, Answerer::Machine);
        bench.controller(present);
        bench.hear(channel, Heard::AnswerRevised { who: Answerer::Human, score: 0.02 });
        bench.pass(if present { 800 } else { 0 });
        assert_eq!(bench.plays(channel), ["sorry"]);
        bench.hear(channel, Heard::SpeakNow(1000));
        assert_eq!(bench.plays(channel), ["sorry"]);
        bench.play_ends(channel, pipeline::PlayEnd::Finished);
        assert_eq!(bench.summary(leg).outcome, Some(Outcome::Person));
    }
}

/// Nothing but what is called so is ever removed again, and more than half a minute is a conversation.
#[test]
fn an_answer_is_kept_under_no_name_that_is_never_removed_and_for_half_a_minute_at_most() {
    let mut bench = Bench::new(settings(1));
    for (of, millis, refused) in [
        ("answer-autumn", 30_000, None),
        ("autumn", 8000, Some(RefusalCode::BadValue)),
        ("Answer-autumn", 8000, Some(RefusalCode::BadValue)),
        ("answer-autumn", 0, Some(RefusalCode::BadValue)),
        ("answer-autumn", 30_001, Some(RefusalCode::Limit)),
    ] {
        let mut dial = armed(None, false);
        if let Some(arm) = &mut dial.on_person {
            arm.keep = Some(KeepDecision { of: of.into(), millis });
        }
        let answer = bench.command(CallCommand::Dial(dial)).map_err(|refusal| refusal.code);
        assert_eq!(answer.err(), refused, "{of} {millis}");
    }
}

/// A call centre stops what an earlier version of itself began before the answer.
#[test]
fn what_is_kept_of_an_answer_is_no_recording_that_can_be_stopped() {
    let mut bench = Bench::new(settings(1));
    let (leg, _, channel) = bench.connected(armed(None, false));
    let refusal = bench.command(CallCommand::StopRecord { leg }).unwrap_err();
    assert_eq!(refusal.state.as_deref(), Some("not recording"));
    assert!(bench.lane(channel).recorder.is_some());
}
