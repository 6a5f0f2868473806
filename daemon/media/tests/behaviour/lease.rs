//! Media without a controller: each sentence of the promise.

use call::{
    CallCommand, CallEvent, Cause, Dial, Fallback, LegId, OnPerson, Otherwise, PlayItem,
    RefusalCode, StopOn,
};
use dsp::ears::Answerer;
use dsp::pipeline;
use media::Orphan;
use signalling::{Event, Order};

use crate::bench::*;

fn fallback(leg: LegId, prompt: Option<&str>, hold_millis: u32) -> CallCommand {
    let fallback = Fallback { prompt: prompt.map(str::to_owned), hold_millis };
    CallCommand::SetFallback { leg, fallback }
}

fn plays(leg: LegId, prompt: &str, repeat: bool) -> CallCommand {
    let items = vec![PlayItem::Prompt(prompt.into())];
    CallCommand::Play { leg, items, repeat, stop_on: StopOn::Never }
}

#[test]
fn bridged_legs_stay() {
    let mut bench = Bench::new(settings(1));
    let ((a, _), (b, _)) = (bench.talker(1), bench.talker(2));
    bench.must(fallback(a, Some("sorry"), 0));
    bench.must(CallCommand::Bridge { a, b, beep: false });
    bench.controller(false);
    bench.pass(3_600_000);
    assert!(bench.hear_each_other(at(1), at(2)));
    assert!(!bench.has_ended(a) && !bench.has_ended(b));
}

#[test]
fn after_three_seconds_a_leg_in_a_flow_gets_its_prompt_its_music_and_its_release() {
    let mut bench = Bench::new(settings(1));
    let (leg, _) = bench.talker(1);
    bench.must(fallback(leg, Some("sorry"), 120_000));
    bench.must(plays(leg, "music", true));
    bench.controller(false);
    bench.pass(2999);
    assert!(!bench.events.contains(&CallEvent::FellBack { leg }));
    assert_eq!(bench.plays(at(1)), ["music"]);
    bench.pass(1);
    assert!(bench.events.contains(&CallEvent::FellBack { leg }));
    assert_eq!(bench.plays(at(1)), ["sorry"]);
    bench.pass(4000);
    bench.play_ends(at(1), pipeline::PlayEnd::Finished);
    assert_eq!(bench.plays(at(1)), ["music"]);
    bench.pass(119_999);
    assert!(!bench.has_ended(leg));
    bench.pass(1);
    let summary = bench.summary(leg);
    assert_eq!((summary.cause, summary.cleared_by_us), (Cause::TEMPORARY_FAILURE, true));
}

#[test]
fn a_fallback_holds_for_120_seconds_at_most() {
    let mut bench = Bench::new(settings(1));
    let (leg, _) = bench.talker(1);
    let refusal = bench.command(fallback(leg, None, 120_001)).unwrap_err();
    assert_eq!((refusal.code, refusal.limit), (RefusalCode::Limit, Some(120_000)));
    let refusal = bench.command(fallback(leg, Some("nix"), 0)).unwrap_err();
    assert_eq!(refusal.code, RefusalCode::BadValue);
}

#[test]
fn a_caller_without_a_stored_fallback_hears_the_announcement_and_is_released() {
    let mut bench = Bench::new(settings(1));
    let (leg, _) = bench.talker(1);
    bench.controller(false);
    bench.pass(3000);
    assert_eq!(bench.plays(at(1)), ["announce"]);
    bench.play_ends(at(1), pipeline::PlayEnd::Finished);
    assert_eq!(bench.summary(leg).cause, Cause::TEMPORARY_FAILURE);
}

#[test]
fn a_controller_that_comes_back_in_time_finds_everything_as_it_was() {
    let mut bench = Bench::new(settings(1));
    let (leg, _) = bench.talker(1);
    let (ringing, _) = bench.caller(0, 2);
    let (dialled, _, _) = bench.dialled(dial_to("1"));
    bench.controller(false);
    bench.pass(2999);
    bench.controller(true);
    bench.pass(10_000);
    assert!(bench.events.iter().all(|e| !matches!(e, CallEvent::FellBack { .. })));
    assert!([leg, ringing, dialled].iter().all(|&leg| !bench.has_ended(leg)));
}

#[test]
fn a_successor_finds_the_held_and_takes_over_with_its_first_command() {
    let mut bench = Bench::new(settings(1));
    let (leg, _) = bench.talker(1);
    bench.must(fallback(leg, None, 60_000));
    bench.controller(false);
    bench.pass(30_000);
    assert_eq!(bench.plays(at(1)), ["music"]);
    bench.controller(true);
    bench.pass(200_000);
    assert_eq!(bench.plays(at(1)), ["music"], "it waits for the controller now");
    bench.must(plays(leg, "welcome", false));
    bench.play_ends(at(1), pipeline::PlayEnd::Finished);
    assert!(bench.plays(at(1)).is_empty());
}

#[test]
fn an_orphaned_ringing_call_hears_the_announcement_unanswered_then_42_after_30_seconds() {
    let mut bench = Bench::new(settings(1));
    let (leg, key) = bench.caller(0, 1);
    bench.orders(0);
    bench.controller(false);
    bench.pass(3000);
    assert_eq!(bench.orders(0), [Order::Alert { key, in_band: true }]);
    assert_eq!(bench.plays(at(1))[0], "announce");
    bench.pass(29_999);
    assert!(!bench.has_ended(leg));
    bench.pass(1);
    let summary = bench.summary(leg);
    assert_eq!((summary.cause, summary.answered_us), (Cause::SWITCH_CONGESTION, None));
}

#[test]
fn an_orphan_policy_may_reject_or_ring() {
    for (orphan, ended) in [(Orphan::Reject, true), (Orphan::Ring, false)] {
        let mut settings = settings(1);
        settings.orphan = orphan;
        let mut bench = Bench::new(settings);
        bench.controller(false);
        bench.pass(10_000);
        let (leg, _) = bench.caller(0, 1);
        bench.pass(60_000);
        assert_eq!(bench.has_ended(leg), ended);
        match orphan {
            Orphan::Ring => assert_eq!(bench.plays(at(1)), ["ringback"]),
            _ => assert_eq!(bench.summary(leg).cause, Cause::SWITCH_CONGESTION),
        }
    }
}

#[test]
fn a_controller_that_comes_back_can_still_answer_an_orphan() {
    let mut bench = Bench::new(settings(1));
    let (leg, _) = bench.caller(0, 1);
    bench.controller(false);
    bench.pass(20_000);
    bench.controller(true);
    assert_eq!(bench.plays(at(1)), ["ringback"], "it rings, and the announcement is over");
    bench.pass(60_000);
    bench.must(CallCommand::Answer { leg });
    assert!(bench.events.contains(&CallEvent::Answered { leg }));
}

#[test]
fn unanswered_outbound_legs_are_cleared() {
    let mut bench = Bench::new(settings(1));
    let (silent, _, _) = bench.dialled(dial_to("1"));
    let (rings, key, timeslot) = bench.dialled(dial_to("2"));
    bench.tell(0, Event::Alerting { key, timeslot, in_band: false });
    bench.controller(false);
    bench.pass(2999);
    assert!(!bench.has_ended(silent) && !bench.has_ended(rings));
    bench.pass(1);
    assert!(bench.summary(silent).cleared_by_us && bench.summary(rings).cleared_by_us);
}

#[test]
fn a_person_answered_meanwhile_hears_the_safe_harbour_prompt_within_two_seconds() {
    let mut bench = Bench::new(settings(1));
    let (leg, key, timeslot) = bench.dialled(dial_to("1"));
    bench.controller(false);
    bench.pass(1000);
    bench.tell(0, Event::Connected { key, timeslot });
    bench.pass(1999);
    let channel = at(timeslot.index());
    assert_eq!(bench.plays(channel), ["safe_harbour"]);
    bench.play_ends(channel, pipeline::PlayEnd::Finished);
    assert_eq!(bench.summary(leg).cause, Cause::NORMAL_CLEARING);
}

#[test]
fn a_judged_person_who_waits_for_a_decision_is_not_left_in_silence() {
    let mut bench = Bench::new(settings(1));
    let (leg, _, channel) = bench.connected(dial_to("1"));
    bench.must(CallCommand::Judge { leg, within_millis: 4000 });
    bench.verdict(channel, Answerer::Human);
    bench.controller(false);
    bench.pass(1999);
    assert_eq!(bench.plays(channel), ["safe_harbour"]);
}

#[test]
fn an_armed_call_reaches_its_agent_without_a_controller() {
    let mut bench = Bench::new(settings(1));
    let (agent, _) = bench.talker(1);
    let otherwise = Otherwise::SafeHarbour("sorry".into());
    let on_person = OnPerson {
        bridge: Some(agent),
        within_millis: 4000,
        machine_from_percent: None,
        message: None,
        keep: None,
        otherwise,
    };
    let dial = Dial { on_person: Some(on_person), ..dial_to("1") };
    let (leg, _, channel) = bench.connected(dial);
    bench.controller(false);
    bench.pass(2500);
    assert!(bench.plays(channel).is_empty());
    bench.verdict(channel, Answerer::Human);
    assert!(bench.hear_each_other(channel, at(1)));
    bench.pass(600_000);
    assert!(!bench.has_ended(leg) && !bench.has_ended(agent));
}

#[test]
fn a_nailed_leg_of_an_agent_stays_for_the_successor() {
    let mut bench = Bench::new(settings(1));
    let (agent, _, _) = bench.connected(dial_to("8001"));
    bench.pass(10);
    bench.controller(false);
    bench.pass(3_600_000);
    assert!(!bench.has_ended(agent));
}

#[test]
fn collects_plays_and_records_run_to_their_end_before_the_fallback() {
    let mut bench = Bench::new(settings(1));
    let (leg, _) = bench.talker(1);
    bench.must(fallback(leg, Some("sorry"), 1000));
    bench.must(CallCommand::Record { leg, name: "r".into(), early: false });
    bench.must(plays(leg, "welcome", false));
    bench.must(CallCommand::Collect {
        leg,
        max_digits: 4,
        first_millis: 5000,
        next_millis: 5000,
        terminators: String::new(),
        secret: false,
    });
    bench.controller(false);
    bench.pass(10_000);
    assert_eq!(bench.plays(at(1)), ["welcome"]);
    bench.play_ends(at(1), pipeline::PlayEnd::Finished);
    bench.pass(4000);
    bench.press(at(1), "77");
    bench.pass(4999);
    assert!(bench.plays(at(1)).is_empty(), "the collect still runs");
    bench.pass(1);
    assert!(bench.events.iter().any(|e| matches!(e, CallEvent::Collected {
        digits: Some(d), .. } if d == "77")));
    assert_eq!(bench.plays(at(1)), ["sorry"]);
    assert!(bench.lane(at(1)).recorder.is_some());
    bench.play_ends(at(1), pipeline::PlayEnd::Finished);
    bench.pass(1000);
    assert!(bench.has_ended(leg));
    assert!(bench.events.iter().any(|e| matches!(e, CallEvent::Recorded { .. })));
}

#[test]
fn nothing_new_is_dialled_not_even_after_a_collision() {
    let mut bench = Bench::new(settings(1));
    let (leg, key, timeslot) = bench.dialled(dial_to("1"));
    bench.controller(false);
    let refusal = bench.command(CallCommand::Dial(dial_to("1"))).unwrap_err();
    assert_eq!(refusal.code, RefusalCode::NotController);
    bench.orders(0);
    let clearing = theirs(Cause::CHANNEL_NOT_AVAILABLE);
    bench.tell(0, Event::Ended { key, timeslot: Some(timeslot), clearing, glare: true });
    assert!(bench.has_ended(leg));
    assert!(bench.orders(0).iter().all(|order| !matches!(order, Order::Call(_))));
}

#[test]
fn who_is_left_by_its_peer_meanwhile_gets_what_it_would_have_got() {
    let mut bench = Bench::new(settings(1));
    let ((caller, _), (agent, agent_key)) = (bench.talker(1), bench.talker(2));
    bench.must(fallback(caller, Some("sorry"), 0));
    bench.must(CallCommand::Bridge { a: caller, b: agent, beep: false });
    bench.controller(false);
    bench.pass(60_000);
    bench.hangs_up(agent_key, Cause::NORMAL_CLEARING);
    assert_eq!(bench.plays(at(1)), ["sorry"]);
    bench.play_ends(at(1), pipeline::PlayEnd::Finished);
    assert_eq!(bench.summary(caller).cause, Cause::TEMPORARY_FAILURE);
}

#[test]
fn a_server_that_never_had_a_controller_announces_too() {
    let mut bench = Bench::cold(settings(1));
    bench.lines_up();
    bench.pass(3000);
    let (leg, _) = bench.caller(0, 1);
    assert_eq!(bench.plays(at(1))[0], "announce");
    bench.pass(30_000);
    assert_eq!(bench.summary(leg).cause, Cause::SWITCH_CONGESTION);
}
