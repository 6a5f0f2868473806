//! Trunk groups: in which order channels are tried, what becomes of numbers, who calls, where calls overflow to.

use call::{
    CallCommand, CallEvent, Cause, Dial, Diversion, DiversionReason, Number, NumberType,
    RefusalCode,
};
use media::{GroupSettings, Hunt, Media, MediaSettings, Pattern, Rewrite, Rule, SettingsError};
use signalling::{Event, Order, ServiceStatus, Timeslots};
use tdm::Instant;

use crate::bench::*;

/// Two groups of a span each.
fn two() -> MediaSettings {
    let mut settings = settings(2);
    settings.groups = vec![
        GroupSettings::new("public", vec![span(0)]),
        GroupSettings::new("other", vec![span(1)]),
    ];
    settings
}
fn rule(pattern: &str, strip: u8, prepend: &str, kind: Option<NumberType>) -> Rewrite {
    let pattern = Pattern::parse(pattern).expect("a pattern");
    let prepend = prepend.into();
    Rewrite(vec![Rule {
        pattern,
        when: None,
        strip,
        prepend,
        kind,
        plan: None,
        presentation: None,
    }])
}
fn dial(digits: &str) -> CallCommand {
    CallCommand::Dial(dial_to(digits))
}
/// What the last SETUP asked for.
fn outgoing(bench: &mut Bench, n: usize) -> signalling::Outgoing {
    let orders = bench.orders(n);
    let call = orders.into_iter().rev().find_map(|order| match order {
        Order::Call(outgoing) => Some(outgoing),
        _ => None,
    });
    call.expect("a call went out")
}

#[test]
fn channels_are_tried_in_the_order_of_the_group() {
    // Three calls at once, then the first ends and after the guard time a fourth is made.
    for (hunt, expected) in [
        (Hunt::Up, [1, 2, 3, 1]),
        (Hunt::Down, [31, 30, 29, 31]),
        (Hunt::Opposite, [31, 30, 29, 28]),
        (Hunt::LongestIdle, [31, 30, 29, 28]),
    ] {
        let mut settings = settings(1);
        settings.groups[0].hunt = hunt;
        let mut bench = Bench::new(settings);
        let mut slots = Vec::new();
        let mut first = None;
        for n in 0..4 {
            bench.must(dial("5551234"));
            let (key, timeslot) = bench.last_call(0);
            first = first.or(Some(key));
            slots.push(timeslot.index());
            if let Some(key) = first.filter(|_| n == 2) {
                bench.tell(0, Event::Proceeding { key, timeslot: slot(slots[0]), in_band: false });
                bench.hangs_up(key, Cause::USER_BUSY);
                bench.pass(1000);
            }
        }
        assert_eq!(slots, expected, "{hunt:?}");
    }
}

#[test]
fn numbers_are_rewritten_on_the_line_and_nowhere_else() {
    let mut settings = settings(1);
    let numbers = &mut settings.groups[0].numbers;
    numbers.called_out = rule("00.", 2, "", Some(NumberType::International));
    numbers.calling_out = rule("4XXX", 0, "0755", None);
    numbers.called_in = rule("0755.", 4, "", None);
    numbers.calling_in = rule(".", 0, "9", None);
    let mut bench = Bench::new(settings);
    let leg = bench.must(dial("004930")).leg.expect("a leg");
    let sent = outgoing(&mut bench, 0);
    assert_eq!(
        (sent.called.digits.as_str(), sent.called.kind),
        ("4930", NumberType::International)
    );
    assert_eq!(sent.calling.map(|n| n.digits).as_deref(), Some("07554000"));
    // The controller sees what it dialled.
    let (key, timeslot) = (sent.key, sent.channel.timeslot);
    bench.tell(0, Event::Proceeding { key, timeslot, in_band: false });
    bench.hangs_up(key, Cause::USER_BUSY);
    assert_eq!(bench.summary(leg).called.digits, "004930");

    let call = signalling::IncomingCall {
        key: signalling::LegKey(2),
        timeslot: slot(3),
        called: Number::unknown("07558001"),
        calling: Some(Number::unknown("13800138000")),
        name: None,
        redirecting: None,
    };
    bench.tell(0, Event::Incoming(call));
    let told = bench.said().into_iter().find_map(|event| match event {
        call::CallEvent::Incoming { called, calling, .. } => Some((called, calling)),
        _ => None,
    });
    let (called, calling) = told.expect("it came in");
    assert_eq!(called.digits, "8001");
    assert_eq!(calling.map(|n| n.digits).as_deref(), Some("913800138000"));
}

/// A name and where a call was diverted are told with the call, or behind it; a caller who is withheld has no name.
#[test]
fn a_caller_is_told_with_name_and_diversion_and_a_withheld_one_without_a_name() {
    for withheld in [false, true] {
        let mut settings = settings(1);
        settings.groups[0].numbers.calling_in = rule(".", 0, "0", None);
        let mut bench = Bench::new(settings);
        let presentation = match withheld {
            true => call::Presentation::Restricted,
            false => call::Presentation::Allowed,
        };
        let key = signalling::LegKey(2);
        let call = signalling::IncomingCall {
            key,
            timeslot: slot(3),
            called: Number::unknown("8001"),
            calling: Some(Number { presentation, ..Number::unknown("5551") }),
            name: Some("Lin".into()),
            redirecting: Some(signalling::Redirecting {
                number: Number::unknown("4711"),
                reason: 15,
            }),
        };
        bench.tell(0, Event::Incoming(call));
        bench.tell(0, Event::Named { key, name: "Lin Wei".into() });
        let (mut at_once, mut later) = (None, None);
        for event in bench.said() {
            match event {
                call::CallEvent::Incoming { name, diverted, .. } => {
                    at_once = Some((name, diverted))
                }
                call::CallEvent::Named { name, .. } => later = Some(name),
                _ => {}
            }
        }
        let (name, diverted) = at_once.expect("it came in");
        assert_eq!(name.as_deref(), (!withheld).then_some("Lin"));
        assert_eq!(later.as_deref(), (!withheld).then_some("Lin Wei"));
        let diverted = diverted.expect("it was diverted");
        assert_eq!(diverted.reason, call::DiversionReason::Always);
        assert_eq!(diverted.from.digits, "04711", "the rules of callers' numbers count here, too");
    }
}

#[test]
fn name_and_diversion_of_a_dial_go_out_with_its_call_again_after_a_collision_too() {
    let mut bench = Bench::new(settings(1));
    let reason = DiversionReason::NoReply;
    let diverted = Some(Diversion { from: Number::unknown("4711"), reason });
    let named = Dial { name: Some("Lin Wei".into()), diverted, ..dial_to("1") };
    bench.must(call::CallCommand::Dial(named));
    let first = outgoing(&mut bench, 0);
    let from = first.redirecting.as_ref().map(|from| (from.number.digits.as_str(), from.reason));
    assert_eq!(from, Some(("4711", 2)));
    assert_eq!(first.name.as_deref(), Some("Lin Wei"));
    let clearing =
        signalling::Clearing { cause: Cause(44), location: call::Location::User, by_far_end: true };
    let timeslot = Some(first.channel.timeslot);
    bench.tell(0, Event::Ended { key: first.key, timeslot, clearing, glare: true });
    let second = outgoing(&mut bench, 0);
    assert_ne!(second.channel.timeslot, first.channel.timeslot);
    assert_eq!(second.name.as_deref(), Some("Lin Wei"));
    assert_eq!(second.redirecting, first.redirecting);
    let long = Dial { name: Some("x".repeat(81)), ..dial_to("1") };
    assert!(bench.command(call::CallCommand::Dial(long)).is_err());
}

#[test]
fn the_group_says_who_calls_when_the_dial_does_not_or_always() {
    for (always, expected) in [(false, "5550"), (true, "4000")] {
        let mut settings = settings(1);
        settings.groups[0].number_always = always;
        let mut bench = Bench::new(settings);
        bench.must(dial("1"));
        assert_eq!(outgoing(&mut bench, 0).calling.map(|n| n.digits).as_deref(), Some("4000"));
        let given = Dial { calling: Some(Number::unknown("5550")), ..dial_to("1") };
        bench.must(CallCommand::Dial(given));
        assert_eq!(outgoing(&mut bench, 0).calling.map(|n| n.digits).as_deref(), Some(expected));
    }
}

#[test]
fn a_call_without_a_place_goes_to_the_overflow_group_and_the_refusal_is_of_the_first() {
    let mut settings = two();
    settings.groups[0].capacity = Some(1);
    settings.groups[0].overflow = Some("other".into());
    settings.groups[1].number = Some(Number::unknown("7000"));
    settings.groups[1].capacity = Some(1);
    let mut bench = Bench::new(settings);
    bench.must(dial("1"));
    bench.must(dial("2"));
    // On the other group's span, with its number.
    let sent = outgoing(&mut bench, 1);
    assert_eq!((sent.called.digits.as_str(), sent.calling.map(|n| n.digits)), {
        ("2", Some("7000".into()))
    });
    let refused = bench.command(dial("3")).expect_err("both are full");
    assert_eq!(refused.code, RefusalCode::Limit);
    assert!(refused.message.contains("public"), "{}", refused.message);
    let status = bench.media.status();
    assert_eq!((status.groups[0].overflowed, status.groups[1].in_use), (1, 1));
}

#[test]
fn an_overflow_that_leads_nowhere_or_in_a_circle_is_refused() {
    let mut nowhere = two();
    nowhere.groups[0].overflow = Some("third".into());
    let mut circle = two();
    circle.groups[0].overflow = Some("other".into());
    circle.groups[1].overflow = Some("public".into());
    let error = |settings| Media::new(settings, 1, Instant::millis(0)).err();
    assert!(matches!(error(nowhere), Some(SettingsError::NoSuchOverflow { .. })));
    assert!(matches!(error(circle), Some(SettingsError::OverflowLoop { .. })));
}

#[test]
fn the_group_bounds_how_long_a_call_may_ring() {
    let mut settings = settings(1);
    settings.groups[0].no_answer_millis = Some(5000);
    let mut bench = Bench::new(settings);
    let dial = Dial { no_answer_millis: 60_000, ..dial_to("1") };
    bench.must(CallCommand::Dial(dial));
    let (key, timeslot) = bench.last_call(0);
    bench.tell(0, Event::Alerting { key, timeslot, in_band: false });
    bench.orders(0);
    bench.pass(4990);
    assert_eq!(bench.orders(0), []);
    bench.pass(20);
    let cleared = Order::Clear { key, cause: Cause::NORMAL_CLEARING, in_band: false };
    assert_eq!(bench.orders(0), [cleared]);
}

#[test]
fn a_channel_the_far_end_took_out_of_service_is_not_tried_until_it_is_back() {
    let mut settings = settings(1);
    settings.groups[0].hunt = Hunt::Up;
    let mut bench = Bench::new(settings);
    let timeslot = slot(1);
    bench.tell(0, Event::Service { timeslot, status: ServiceStatus::OutOfService });
    bench.must(dial("1"));
    assert_eq!(bench.last_call(0).1, slot(2));
    bench.tell(0, Event::Service { timeslot, status: ServiceStatus::InService });
    bench.must(dial("2"));
    assert_eq!(bench.last_call(0).1, slot(1));
}

/// The far end moves a call to the channel another of our calls has just asked for: that one goes out anew.
#[test]
fn a_call_moved_onto_another_s_channel_gets_it_and_the_other_is_dialled_again() {
    let mut bench = Bench::new(settings(1));
    bench.must(dial("1"));
    let (first, _) = bench.last_call(0);
    bench.must(dial("2"));
    let (second, wanted) = bench.last_call(0);
    bench.tell(0, Event::Alerting { key: first, timeslot: wanted, in_band: false });
    bench.orders(0);
    let clearing = theirs(Cause::CHANNEL_NOT_AVAILABLE);
    bench.tell(0, Event::Ended { key: second, timeslot: None, clearing, glare: true });
    let again = outgoing(&mut bench, 0);
    assert_eq!(again.called.digits, "2");
    assert_ne!(again.channel.timeslot, wanted);
}

/// The first ten channels of a span are for who calls us and no others; the rest of the span dials.
fn split() -> MediaSettings {
    let mut settings = settings(1);
    let first_ten = Timeslots::from_bits(0b111_1111_1110);
    settings.groups = vec![
        GroupSettings::new("public", vec![span(0)]),
        GroupSettings {
            channels: vec![(span(0), first_ten)],
            hunt: Hunt::Up,
            ..GroupSettings::new("other", Vec::new())
        },
    ];
    settings
}

#[test]
fn groups_may_share_a_span_and_each_keeps_to_its_channels() {
    let mut settings = split();
    settings.groups[0].hunt = Hunt::Up;
    let mut bench = Bench::new(settings);
    let idle = |bench: &Bench| {
        let status = bench.media.status();
        status.groups.iter().map(|g| (g.capacity, g.idle, g.in_use)).collect::<Vec<_>>()
    };
    assert_eq!(idle(&bench), [(20, 20, 0), (10, 10, 0)]);
    bench.must(dial("1"));
    assert_eq!(outgoing(&mut bench, 0).channel.timeslot, slot(11), "the lowest that is its own");
    let to_other = |digits| CallCommand::Dial(Dial { group: "other".into(), ..dial_to(digits) });
    for n in 1..=10 {
        bench.must(to_other("2"));
        assert_eq!(outgoing(&mut bench, 0).channel.timeslot, slot(n));
    }
    let refused = bench.command(to_other("2")).expect_err("ten and no eleventh");
    assert_eq!(refused.code, RefusalCode::Limit);
    assert_eq!(idle(&bench), [(20, 19, 1), (10, 0, 10)]);
}

#[test]
fn a_call_that_comes_in_belongs_to_the_group_of_its_channel() {
    let mut bench = Bench::new(split());
    let group_of = |bench: &mut Bench, n: usize| {
        bench.setup(0, n);
        let found = bench.said().into_iter().find_map(|event| match event {
            CallEvent::Incoming { group, .. } => Some(group),
            _ => None,
        });
        found.expect("it was offered")
    };
    assert_eq!(group_of(&mut bench, 3), "other");
    assert_eq!(group_of(&mut bench, 20), "public");
    // One the engine refuses by itself, too.
    let (called, cause) = (Number::unknown("9"), Cause(65));
    bench.tell(0, Event::Refused { timeslot: Some(slot(4)), called, calling: None, cause });
    let refused = bench.said().into_iter().find_map(|event| match event {
        CallEvent::Refused { group, .. } => Some(group),
        _ => None,
    });
    assert_eq!(refused.as_deref(), Some("other"));
    let status = bench.media.status();
    assert_eq!(
        status.groups.iter().map(|g| (g.offered, g.in_use)).collect::<Vec<_>>(),
        [(1, 1), (2, 1)]
    );
}

#[test]
fn channels_that_are_not_there_or_in_two_groups_are_refused() {
    let named = |channels: Vec<(tdm::SpanId, Timeslots)>| {
        let mut settings = split();
        settings.groups[1].channels = channels;
        settings.check().expect_err("cannot be")
    };
    let one = |n: usize| Timeslots::NONE.with(slot(n), true);
    let (group, span) = (String::from("other"), span(0));
    assert_eq!(
        named(vec![(span, one(16))]),
        SettingsError::NoSuchChannel { group: group.clone(), span, timeslot: slot(16) }
    );
    assert_eq!(
        named(vec![(span, one(3)), (span, one(3))]),
        SettingsError::ChannelInTwoGroups {
            span,
            timeslot: slot(3),
            group: group.clone(),
            other: group.clone()
        }
    );
    assert_eq!(named(Vec::new()), SettingsError::EmptyGroup { group });
    let all = named(vec![(span, Timeslots::E1_PRI)]);
    assert_eq!(all, SettingsError::EmptyGroup { group: "public".into() });
}
