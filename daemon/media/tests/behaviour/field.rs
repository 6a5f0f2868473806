//! Exchanges as they are: silent ones, ones that refuse what we send, blocked channels at both ends, collisions.

use call::{CallCommand, CallEvent, Cause, Number, Outcome, RefusalCode};
use media::{GroupSettings, Pattern, Rewrite, Rule, Signalling};
use signalling::{Event, Failure, Order, ServiceStatus, Timeslots};

use crate::bench::*;

fn alarm(alarm: &str, on: bool) -> CallEvent {
    CallEvent::Alarm { span: 1, alarm: alarm.into(), on }
}
fn service(orders: &[Order], wanted: ServiceStatus) -> Vec<usize> {
    let named = orders.iter().filter_map(|order| match order {
        Order::Service { timeslot, status } if *status == wanted => Some(timeslot.index()),
        _ => None,
    });
    named.collect()
}
fn last_use(orders: &[Order]) -> Option<Timeslots> {
    orders.iter().rev().find_map(|order| match order {
        Order::Use { channels } => Some(*channels),
        _ => None,
    })
}

#[test]
fn the_engine_hears_what_is_blocked_drained_and_open_again_and_so_does_the_exchange() {
    let mut bench = Bench::new(settings(1));
    let all = Timeslots::E1_PRI;
    let (_, key) = bench.talker(2);
    bench.orders(0);
    bench.must(CallCommand::Block { span: 1, timeslot: Some(1) });
    let orders = bench.orders(0);
    assert_eq!(last_use(&orders), Some(all.with(slot(1), false)));
    assert_eq!(service(&orders, ServiceStatus::OutOfService), [1]);
    // One with a call is told of when that has ended: the call shall not suffer.
    bench.must(CallCommand::Drain { span: 1, timeslot: Some(2) });
    let orders = bench.orders(0);
    assert_eq!(last_use(&orders), Some(all.with(slot(1), false).with(slot(2), false)));
    assert!(!service(&orders, ServiceStatus::OutOfService).contains(&2));
    bench.hangs_up(key, Cause::NORMAL_CLEARING);
    assert_eq!(service(&bench.orders(0), ServiceStatus::OutOfService), [2]);
    bench.must(CallCommand::Block { span: 1, timeslot: None });
    let orders = bench.orders(0);
    assert_eq!(last_use(&orders), Some(Timeslots::NONE));
    assert_eq!(service(&orders, ServiceStatus::OutOfService).len(), 30);
    bench.must(CallCommand::Unblock { span: 1, timeslot: None });
    let orders = bench.orders(0);
    assert_eq!(last_use(&orders), Some(all.with(slot(1), false).with(slot(2), false)));
    let back = service(&orders, ServiceStatus::InService);
    assert!(back.len() == 28 && !back.contains(&1) && !back.contains(&2), "{back:?}");
    // An exchange that was restarted has forgotten; it is told again.
    bench.tell(0, Event::Restarted { timeslot: None });
    assert_eq!(service(&bench.orders(0), ServiceStatus::OutOfService), [1, 2]);
}

#[test]
fn unblocking_takes_back_a_channel_that_the_far_end_had_taken_out() {
    let mut bench = Bench::new(settings(1));
    let timeslot = slot(31);
    bench.tell(0, Event::Service { timeslot, status: ServiceStatus::OutOfService });
    bench.orders(0);
    bench.must(CallCommand::Unblock { span: 1, timeslot: Some(31) });
    assert_eq!(service(&bench.orders(0), ServiceStatus::InService), [31]);
    bench.must(CallCommand::Dial(dial_to("1")));
    assert_eq!(bench.last_call(0).1, timeslot);
}

#[test]
fn a_call_the_engine_refuses_is_offered_refused_and_told_with_its_cause() {
    let mut bench = Bench::new(settings(1));
    let (called, calling) = (Number::unknown("9"), Some(Number::unknown("5")));
    bench.tell(0, Event::Refused { timeslot: None, called, calling, cause: Cause(65) });
    let told = bench.said();
    let [CallEvent::Refused { group, called, calling: Some(_), cause: Cause(65), .. }] = &told[..]
    else {
        panic!("{told:?}");
    };
    assert_eq!((group.as_str(), called.digits.as_str()), ("public", "9"));
    let status = bench.media.status();
    assert_eq!((status.groups[0].offered, status.groups[0].refused), (1, 1));
    assert_eq!(status.counters.refused_signalling, 1);
}

#[test]
fn a_dead_exchange_is_no_unanswered_call_but_an_alarm_until_it_speaks_again() {
    let mut bench = Bench::new(settings(1));
    let ended = |bench: &mut Bench, key, why, cause| {
        bench.tell(0, Event::Failed { key, why });
        let clearing = ours(cause);
        bench.tell(0, Event::Ended { key, timeslot: None, clearing, glare: false });
    };
    for (why, cause, outcome, words, cries) in [
        (Failure::Timer("T303"), 18, Outcome::Congestion, "T303", true),
        (Failure::Timer("T310"), 18, Outcome::Other, "T310", false),
        (Failure::Link, 27, Outcome::Congestion, "D-channel", false),
    ] {
        let (leg, key, timeslot) = bench.dialled(dial_to("1"));
        ended(&mut bench, key, why, Cause(cause));
        let summary = bench.summary(leg);
        assert_eq!(summary.outcome, Some(outcome), "{why:?}");
        assert!(summary.cleared_by_us && summary.reason.contains(words), "{}", summary.reason);
        let raised = bench.media.status().spans[0].alarms.contains(&"exchange_silent".into());
        assert_eq!(raised, cries, "{why:?}");
        let (_, key, _) = bench.dialled(dial_to("1"));
        bench.tell(0, Event::Proceeding { key, timeslot, in_band: false });
        bench.hangs_up(key, Cause::USER_BUSY);
        assert_eq!(bench.said().contains(&alarm("exchange_silent", false)), cries);
    }
    // Somebody's telephone rang all the time of T301: that is an unanswered call.
    let (leg, key, timeslot) = bench.dialled(dial_to("1"));
    bench.tell(0, Event::Alerting { key, timeslot, in_band: false });
    ended(&mut bench, key, Failure::Timer("T301"), Cause::NO_ANSWER);
    assert_eq!(bench.summary(leg).outcome, Some(Outcome::NoAnswer));
    assert!(!bench.said().contains(&alarm("exchange_silent", true)));
}

#[test]
fn causes_that_find_fault_with_our_configuration_raise_an_alarm_until_a_call_is_taken() {
    let mut bench = Bench::new(settings(1));
    for cause in [17, 34, 41, 16] {
        let (_, key, _) = bench.dialled(dial_to("1"));
        bench.hangs_up(key, Cause(cause));
    }
    assert!(!bench.said().contains(&alarm("calls_rejected", true)));
    let (_, key, _) = bench.dialled(dial_to("1"));
    bench.hangs_up(key, Cause(57));
    assert!(bench.said().contains(&alarm("calls_rejected", true)));
    let (_, key, _) = bench.connected(dial_to("1"));
    bench.hangs_up(key, Cause::NORMAL_CLEARING);
    assert!(bench.said().contains(&alarm("calls_rejected", false)));
}

#[test]
fn a_restart_nobody_answers_is_an_alarm_and_may_be_left_out() {
    let mut bench = Bench::cold(settings(1));
    bench.scripts[0].lock().unwrap().no_restart = true;
    bench.lines_up();
    bench.tell(0, Event::RestartUnanswered { timeslot: None });
    bench.tell(0, Event::RestartUnanswered { timeslot: None });
    let raised = alarm("restart_unanswered", true);
    assert_eq!(bench.said().iter().filter(|event| **event == raised).count(), 1);
    bench.tell(0, Event::Restarted { timeslot: Some(slot(4)) });
    assert!(bench.said().contains(&alarm("restart_unanswered", false)));

    let mut without = settings(1);
    let Signalling::Pri(pri) = &mut without.spans[0].signalling;
    pri.restart_at_start = false;
    let mut bench = Bench::cold(without);
    bench.controller(true);
    bench.lines_up();
    assert_eq!(bench.orders(0), [Order::Line { up: true }]);
    bench.must(CallCommand::Dial(dial_to("1")));
}

#[test]
fn a_span_or_a_channel_is_restarted_by_command_while_its_link_is_up() {
    let mut bench = Bench::new(settings(1));
    bench.orders(0);
    bench.must(CallCommand::Restart { span: 1, timeslot: None });
    bench.must(CallCommand::Restart { span: 1, timeslot: Some(9) });
    let named = [None, Some(slot(9))].map(|timeslot| Order::Restart { timeslot });
    assert_eq!(bench.orders(0), named);
    bench.tell(0, Event::LinkDown);
    for (span, code) in [(1, RefusalCode::SpanDown), (2, RefusalCode::BadValue)] {
        let refusal = bench.command(CallCommand::Restart { span, timeslot: None }).unwrap_err();
        assert_eq!(refusal.code, code);
    }
}

#[test]
fn a_rule_that_makes_no_number_or_too_long_a_one_refuses_the_call_and_is_named() {
    let rule = |pattern: &str, strip, prepend: &str| Rule {
        pattern: Pattern::parse(pattern).unwrap(),
        when: None,
        strip,
        prepend: prepend.into(),
        kind: None,
        plan: None,
        presentation: None,
    };
    let mut settings = settings(1);
    let rules = vec![rule("1.", 0, ""), rule("2.", 5, ""), rule("3.", 0, &"0".repeat(32))];
    settings.groups[0].numbers.called_out = Rewrite(rules);
    let mut bench = Bench::new(settings);
    bench.orders(0);
    for (digits, named) in [("2345", "rule 2"), ("3", "rule 3")] {
        let refusal = bench.command(CallCommand::Dial(dial_to(digits))).unwrap_err();
        assert_eq!(refusal.code, RefusalCode::BadValue);
        assert!(refusal.message.contains(named), "{}", refusal.message);
    }
    assert_eq!((bench.orders(0).len(), bench.media.status().legs), (0, 0));
    bench.must(CallCommand::Dial(dial_to("1")));
}

#[test]
fn a_call_that_collides_on_the_last_channel_goes_to_the_overflow_group() {
    let mut settings = settings(2);
    settings.groups = vec![
        GroupSettings { overflow: Some("other".into()), ..settings.groups[0].clone() },
        GroupSettings::new("other", vec![span(1)]),
    ];
    settings.groups[0].spans = vec![span(0)];
    let mut bench = Bench::new(settings);
    for timeslot in (1..31).filter(|&t| t != 16) {
        bench.must(CallCommand::Block { span: 1, timeslot: Some(timeslot) });
    }
    let (leg, key, timeslot) = bench.dialled(dial_to("1"));
    let clearing = theirs(Cause::CHANNEL_NOT_AVAILABLE);
    bench.tell(0, Event::Ended { key, timeslot: Some(timeslot), clearing, glare: true });
    let (key, timeslot) = bench.last_call(1);
    bench.tell(1, Event::Connected { key, timeslot });
    assert!(bench.events.contains(&CallEvent::Answered { leg }));
    let groups = bench.media.status().groups;
    assert_eq!((groups[0].in_use, groups[0].overflowed, groups[1].in_use), (0, 1, 1));
    bench.tell(1, Event::Ended { key, timeslot: Some(timeslot), clearing, glare: false });
    assert_eq!(bench.summary(leg).group, "other");
    assert_eq!(bench.media.status().groups[1].in_use, 0);
}
