//! Person or machine, and what is armed for each.

use call::{CallCommand, CallEvent, Cause, Dial, LegId, OnPerson, Otherwise, Outcome, Verdict};
use dsp::ears::{Answerer, Fax, Heard};
use dsp::pipeline;

use crate::bench::*;

fn armed(bridge: Option<LegId>) -> Dial {
    let otherwise = Otherwise::SafeHarbour("sorry".into());
    let on_person = Some(OnPerson {
        bridge,
        within_millis: 4000,
        machine_from_percent: None,
        message: None,
        keep: None,
        otherwise,
    });
    Dial { on_person, ..dial_to("5551") }
}

#[test]
fn a_person_is_given_to_the_waiting_agent_with_a_beep_in_the_same_block() {
    let mut bench = Bench::new(settings(1));
    let (agent, _) = bench.talker(1);
    let (leg, _, channel) = bench.connected(armed(Some(agent)));
    assert!(bench.lane(channel).listen.answer);
    bench.pass(900);
    bench.said();
    bench.verdict(channel, Answerer::Human);
    let said = bench.said();
    assert!(
        matches!(
            &said[0],
            CallEvent::Verdict { verdict: Verdict::Human, acted: true, after_millis: 900, .. }
        ),
        "{said:?}"
    );
    assert_eq!(said[1], CallEvent::Bridged { a: leg, b: agent });
    assert!(bench.hear_each_other(channel, at(1)));
    assert_eq!(bench.plays(at(1)), ["beep"]);
    assert!(!bench.lane(channel).listen.answer);
}

#[test]
fn without_a_free_agent_a_person_hears_the_safe_harbour_prompt_and_is_released() {
    let mut bench = Bench::new(settings(1));
    let ((agent, _), (other, _)) = (bench.talker(1), bench.talker(2));
    let (leg, _, channel) = bench.connected(armed(Some(agent)));
    bench.must(CallCommand::Bridge { a: other, b: agent, beep: false });
    bench.verdict(channel, Answerer::Human);
    assert_eq!(bench.plays(channel), ["sorry"]);
    bench.play_ends(channel, pipeline::PlayEnd::Finished);
    let summary = bench.summary(leg);
    assert_eq!((summary.outcome, summary.cause), (Some(Outcome::Person), Cause(16)));
    assert!(bench.hear_each_other(at(1), at(2)));
}

#[test]
fn machines_faxes_and_silence_are_released() {
    let mut bench = Bench::new(settings(1));
    for (heard, outcome) in [
        (Heard::Answer { who: Answerer::Machine, score: 0.9 }, Outcome::Machine),
        (Heard::Fax(Fax::Ced), Outcome::Fax),
        (Heard::Answer { who: Answerer::Silence, score: 0.5 }, Outcome::Other),
    ] {
        let (leg, _, channel) = bench.connected(armed(None));
        bench.hear(channel, heard);
        let summary = bench.summary(leg);
        assert_eq!(summary.outcome, Some(outcome));
        assert!(summary.cleared_by_us && !summary.reason.is_empty());
        bench.pass(200);
    }
}

#[test]
fn when_the_time_is_up_it_counts_as_a_person() {
    let mut bench = Bench::new(settings(1));
    let (agent, _) = bench.talker(1);
    let (leg, _, channel) = bench.connected(armed(Some(agent)));
    bench.pass(3999);
    assert!(!bench.hear_each_other(channel, at(1)));
    bench.pass(1);
    assert!(bench.hear_each_other(channel, at(1)));
    let verdict = bench.events.iter().find_map(|e| match e {
        CallEvent::Verdict { leg: l, verdict, .. } if *l == leg => Some(*verdict),
        _ => None,
    });
    assert_eq!(verdict, Some(Verdict::NotSure));
    // The ear's late word changes nothing.
    bench.verdict(channel, Answerer::Machine);
    assert!(!bench.has_ended(leg));
}

#[test]
fn who_hangs_up_before_the_verdict_is_other() {
    let mut bench = Bench::new(settings(1));
    let (leg, key, _) = bench.connected(armed(None));
    bench.hangs_up(key, Cause::NORMAL_CLEARING);
    assert_eq!(bench.summary(leg).outcome, Some(Outcome::Other));
}

#[test]
fn a_judgement_on_request_ends_with_a_verdict_or_fails_with_the_leg() {
    let mut bench = Bench::new(settings(1));
    let (leg, _, channel) = bench.connected(dial_to("1"));
    let judge = CallCommand::Judge { leg, within_millis: 4000 };
    bench.must(judge.clone());
    assert!(bench.command(judge.clone()).is_err());
    bench.said();
    bench.verdict(channel, Answerer::Machine);
    assert!(matches!(
        bench.said()[..],
        [CallEvent::Verdict { verdict: Verdict::Machine, acted: false, .. }]
    ));
    let operation = bench.operation(judge);
    bench.must(CallCommand::Hangup { leg, cause: Cause::NORMAL_CLEARING });
    let failed = bench
        .events
        .iter()
        .any(|e| matches!(e, CallEvent::Failed { operation: o, .. } if *o == operation));
    assert!(failed);
    assert_eq!(bench.summary(leg).outcome, Some(Outcome::Machine));
}
