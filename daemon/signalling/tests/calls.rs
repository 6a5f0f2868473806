//! Calls between a user and a network: how they begin and how they end.

mod bench;

use bench::{Bench, NETWORK, USER, outgoing, slot};
use call::{Cause, Location, Number, NumberType, Plan, Presentation, Screening};
use signalling::{Clearing, Dialect, Event, LegKey, Order, Overlap, PriSettings, Side};

const SETUP: u8 = 0x05;
const DISCONNECT: u8 = 0x45;
const RELEASE: u8 = 0x4D;
const RELEASE_COMPLETE: u8 = 0x5A;

fn ended(event: &Event) -> Option<(LegKey, Clearing, bool)> {
    match event {
        Event::Ended { key, clearing, glare, .. } => Some((*key, *clearing, *glare)),
        _ => None,
    }
}
fn end_of(bench: &mut Bench, end: usize) -> (LegKey, Clearing, bool) {
    let events = bench.take(end);
    events.iter().find_map(ended).unwrap_or_else(|| panic!("end {end} did not end: {events:?}"))
}

#[test]
fn call_rings_is_answered_and_cleared_from_either_side() {
    for (from, clears) in [(USER, USER), (USER, NETWORK), (NETWORK, USER), (NETWORK, NETWORK)] {
        let mut bench = Bench::up(1);
        let far = bench.answered(from);
        let key = if clears == from { LegKey(1) } else { far };
        bench.clear(clears, key, 16);
        bench.run_millis(100);
        let (_, near, _) = end_of(&mut bench, clears);
        assert!(near.cause == Cause(16) && !near.by_far_end);
        let (_, other, _) = end_of(&mut bench, 1 - clears);
        assert!(other.cause == Cause(16) && other.by_far_end);
        bench.assert_idle();
        assert_eq!(bench.messages(clears).last_chunk(), Some(&[DISCONNECT, RELEASE_COMPLETE]));
        assert_eq!(bench.messages(1 - clears).last(), Some(&RELEASE));
    }
}

#[test]
fn every_step_before_the_answer_is_told_in_order_with_what_is_to_be_heard() {
    let mut bench = Bench::up(1);
    bench.call(USER, outgoing(7, 3, true));
    bench.run_millis(50);
    let key = bench.incoming(NETWORK).key;
    for order in [
        Order::Proceed { key },
        Order::Progress { key, cause: Some(Cause(17)) },
        Order::Alert { key, in_band: true },
        Order::Connect { key },
    ] {
        bench.order(NETWORK, order);
        bench.run_millis(50);
    }
    let (key, timeslot) = (LegKey(7), slot(3));
    let expected = [
        Event::Proceeding { key, timeslot, in_band: false },
        Event::Progress { key, in_band: true, cause: Some(Cause(17)) },
        Event::Alerting { key, timeslot, in_band: true },
        Event::Connected { key, timeslot },
    ];
    assert_eq!(bench.take(USER), expected);
}

#[test]
fn progress_as_first_answer_is_preceded_by_call_proceeding() {
    let mut bench = Bench::up(1);
    bench.call(USER, outgoing(1, 3, true));
    bench.run_millis(50);
    let key = bench.incoming(NETWORK).key;
    bench.order(NETWORK, Order::Progress { key, cause: None });
    bench.run_millis(50);
    assert_eq!(bench.messages(NETWORK), [0x02, 0x03]);
}

#[test]
fn numbers_cross_with_type_plan_presentation_and_screening() {
    let mut bench = Bench::up(1);
    let called = Number {
        digits: "861012345678".into(),
        kind: NumberType::International,
        plan: Plan::E164,
        ..Number::default()
    };
    let calling = Number {
        digits: "1088".into(),
        kind: NumberType::Subscriber,
        plan: Plan::Private,
        presentation: Presentation::Restricted,
        screening: Screening::UserPassed,
    };
    for from in [USER, NETWORK] {
        let call = signalling::Outgoing {
            called: called.clone(),
            calling: Some(calling.clone()),
            ..outgoing(1 + 2 * from as u32, 5 + from, true)
        };
        bench.call(from, call);
        bench.run_millis(50);
        let incoming = bench.incoming(1 - from);
        assert_eq!(incoming.called, called);
        let kept = incoming.calling.expect("kept for tracing");
        assert_eq!((kept.digits.as_str(), kept.shown()), ("1088", None));
        assert_eq!(kept, calling);
    }
}

#[test]
fn every_cause_before_and_after_the_first_answer_arrives_with_its_location() {
    for from in [USER, NETWORK] {
        for cause in 1..=127 {
            for answered_first in [false, true] {
                let mut bench = Bench::up(1);
                bench.call(from, outgoing(1, 1, true));
                bench.run_millis(50);
                let key = bench.incoming(1 - from).key;
                if answered_first {
                    bench.order(1 - from, Order::Proceed { key });
                }
                bench.clear(1 - from, key, cause);
                bench.run_millis(100);
                let (_, clearing, glare) = end_of(&mut bench, from);
                let location = if from == USER { Location::PublicLocal } else { Location::User };
                let expected = Clearing { cause: Cause(cause), location, by_far_end: true };
                // The channel was taken: another may be tried at once.
                let taken = !answered_first && [6, 44].contains(&cause);
                assert_eq!((clearing, glare), (expected, taken));
                let (_, own, _) = end_of(&mut bench, 1 - from);
                assert_eq!((own.cause, own.by_far_end), (Cause(cause), false));
                bench.assert_idle();
            }
        }
    }
}

#[test]
fn caller_that_gives_up_before_any_answer_leaves_nothing_behind() {
    for from in [USER, NETWORK] {
        let mut bench = Bench::up(1);
        bench.call(from, outgoing(1, 1, true));
        bench.clear(from, LegKey(1), 16);
        bench.run_millis(100);
        end_of(&mut bench, from);
        end_of(&mut bench, 1 - from);
        bench.assert_idle();
    }
}

#[test]
fn crossing_disconnects_end_in_release_on_both_sides() {
    let mut bench = Bench::up(1);
    let far = bench.answered(USER);
    bench.clear(USER, LegKey(1), 16);
    bench.clear(NETWORK, far, 31);
    bench.run_millis(100);
    assert_eq!(end_of(&mut bench, USER).1.cause, Cause(16));
    assert_eq!(end_of(&mut bench, NETWORK).1.cause, Cause(31));
    bench.assert_idle();
    for end in [USER, NETWORK] {
        // §5.3.5: RELEASE answers RELEASE, no RELEASE COMPLETE is due.
        assert_eq!(bench.messages(end).last_chunk(), Some(&[DISCONNECT, RELEASE]));
    }
}

#[test]
fn busy_tone_behind_a_disconnect_is_listened_to_until_released() {
    let mut bench = Bench::up(1);
    bench.call(USER, outgoing(1, 1, true));
    bench.run_millis(50);
    let key = bench.incoming(NETWORK).key;
    bench.order(NETWORK, Order::Clear { key, cause: Cause(17), in_band: true });
    bench.run_millis(1000);
    let clearing = Clearing { cause: Cause(17), location: Location::PublicLocal, by_far_end: true };
    let listening = Event::DisconnectInBand { key: LegKey(1), clearing };
    assert_eq!(bench.take(USER).last(), Some(&listening));
    bench.order(USER, Order::Release { key: LegKey(1) });
    bench.run_millis(100);
    assert_eq!(end_of(&mut bench, USER).1, clearing);
    assert_eq!(end_of(&mut bench, NETWORK).1.cause, Cause(17));
    bench.assert_idle();
}

#[test]
fn tone_nobody_listens_to_any_more_ends_with_t306() {
    let mut bench = Bench::up(1);
    bench.call(USER, outgoing(1, 1, true));
    bench.run_millis(50);
    let key = bench.incoming(NETWORK).key;
    bench.order(NETWORK, Order::Clear { key, cause: Cause(17), in_band: true });
    bench.run_millis(29_900);
    assert!(bench.take(USER).iter().all(|event| ended(event).is_none()));
    bench.run_millis(200);
    assert_eq!(end_of(&mut bench, USER).1.cause, Cause(17));
    bench.assert_idle();
}

#[test]
fn network_chooses_the_channel_when_setup_leaves_it_open_or_the_preferred_one_is_taken() {
    let mut bench = Bench::up(1);
    bench.call(USER, outgoing(1, 1, true));
    bench.run_millis(50);
    bench.incoming(NETWORK);
    // SETUP on reference 0x100 without channel: bearer speech, sending complete, number 22.
    let setup = [8, 2, 1, 0, SETUP, 0xA1, 4, 3, 0x80, 0x90, 0xA3, 0x70, 3, 0x81, b'2', b'2'];
    let mut network = signalling::q931::Engine::new(PriSettings::e1(Side::Network));
    network.link_up(bench.now);
    network.message(bench.now, &setup);
    let incoming = std::iter::from_fn(|| network.poll()).find_map(|output| match output {
        signalling::q931::EngineOutput::Event(Event::Incoming(call)) => Some(call),
        _ => None,
    });
    assert_eq!(incoming.map(|call| call.timeslot), Some(slot(1)));
    // The bench's own user asks for 2 while the network holds it.
    bench.call(NETWORK, outgoing(3, 2, true));
    bench.run_millis(50);
    bench.incoming(USER);
    let taken = signalling::q931::ChannelId::contents(2, false);
    let setup = [&setup[..11], &[0x18, 3], &taken, &setup[11..]].concat();
    let information = [&[0, 1, 2, 2][..], &setup].concat();
    bench.inject(USER, &information);
    bench.run_until(50, |bench| !bench.events[NETWORK].is_empty());
    assert_eq!(bench.incoming(NETWORK).timeslot, slot(3));
}

#[test]
fn exclusive_wish_for_a_taken_channel_is_refused_with_44_and_full_interface_with_34() {
    let network = PriSettings {
        channels: [slot(1), slot(2)].into_iter().collect(),
        ..PriSettings::e1(Side::Network)
    };
    let mut bench = Bench::with(1, PriSettings::e1(Side::User), network).brought_up();
    bench.call(USER, outgoing(1, 9, true));
    bench.run_millis(50);
    assert_eq!(end_of(&mut bench, USER).1.cause, Cause(44));
    bench.call(USER, outgoing(3, 1, true));
    bench.call(USER, outgoing(5, 9, false));
    bench.run_millis(50);
    bench.take(NETWORK);
    bench.call(USER, outgoing(7, 10, false));
    bench.run_millis(50);
    assert_eq!(end_of(&mut bench, USER).1.cause, Cause(34));
}

#[test]
fn preferred_channel_may_be_moved_by_the_first_answer() {
    let network =
        PriSettings { channels: [slot(4)].into_iter().collect(), ..PriSettings::e1(Side::Network) };
    let mut bench = Bench::with(1, PriSettings::e1(Side::User), network).brought_up();
    bench.call(USER, outgoing(1, 9, false));
    bench.run_millis(50);
    let key = bench.incoming(NETWORK).key;
    bench.order(NETWORK, Order::Proceed { key });
    bench.run_millis(50);
    let (key, timeslot) = (LegKey(1), slot(4));
    assert_eq!(bench.one(USER), Event::Proceeding { key, timeslot, in_band: false });
}

/// Both ends take timeslot 9 in the same millisecond. Annex D.
#[test]
fn glare_is_decided_alike_on_both_ends_and_told_as_glare() {
    for user_insists in [false, true] {
        for network_insists in [false, true] {
            let mut bench = Bench::up(1);
            bench.call(USER, outgoing(1, 9, user_insists));
            bench.call(NETWORK, outgoing(1, 9, network_insists));
            bench.run_millis(50);
            let network_keeps = network_insists || !user_insists;
            let (winner, loser) = if network_keeps { (NETWORK, USER) } else { (USER, NETWORK) };
            // Whoever keeps the channel reaches the other end on it.
            let at_loser = bench.take(loser);
            let won = at_loser.iter().find_map(|event| match event {
                Event::Incoming(call) => Some(call.clone()),
                _ => None,
            });
            let won = won.unwrap_or_else(|| panic!("{at_loser:?}"));
            assert_eq!(won.timeslot, slot(9));
            bench.order(loser, Order::Connect { key: won.key });
            bench.run_millis(50);
            let both_insist = user_insists && network_insists;
            if both_insist {
                let (key, clearing, glare) =
                    at_loser.iter().find_map(ended).expect("the loser's call ended");
                assert_eq!((key, clearing.cause, glare), (LegKey(1), Cause(44), true));
            } else {
                // The other was moved.
                let at_winner = bench.take(winner);
                let moved = at_winner.iter().find_map(|event| match event {
                    Event::Incoming(call) => Some(call.clone()),
                    _ => None,
                });
                let moved = moved.unwrap_or_else(|| panic!("{at_winner:?}"));
                assert_ne!(moved.timeslot, slot(9));
                bench.order(winner, Order::Alert { key: moved.key, in_band: false });
                bench.run_millis(50);
                let timeslot = moved.timeslot;
                let alerting = Event::Alerting { key: LegKey(1), timeslot, in_band: false };
                assert!(bench.take(loser).contains(&alerting));
            }
        }
    }
}

#[test]
fn order_for_a_channel_the_peer_has_just_taken_ends_at_once_as_glare() {
    let mut bench = Bench::up(1);
    bench.call(NETWORK, outgoing(1, 9, true));
    bench.run_millis(50);
    bench.incoming(USER);
    bench.call(USER, outgoing(1, 9, true));
    let (key, clearing, glare) = end_of(&mut bench, USER);
    assert_eq!((key, clearing.cause, glare), (LegKey(1), Cause(44), true));
}

#[test]
fn call_without_link_ends_at_once() {
    let mut bench = Bench::new(1);
    bench.call(USER, outgoing(1, 9, true));
    assert_eq!(end_of(&mut bench, USER).1.cause, Cause::NETWORK_OUT_OF_ORDER);
}

#[test]
fn digits_are_collected_until_the_number_is_complete_or_t302_runs_out() {
    let patient = Overlap { receive: true, ..Overlap::default() };
    let open = Dialect { sending_complete: false, ..Dialect::EURO_ISDN };
    let user = PriSettings { dialect: open, ..PriSettings::e1(Side::User) };
    let network = PriSettings { overlap: patient, ..PriSettings::e1(Side::Network) };
    let mut bench = Bench::with(1, user, network).brought_up();
    bench.call(USER, outgoing(1, 9, true));
    bench.run_millis(50);
    assert_eq!(bench.messages(NETWORK), [0x0D]);
    assert_eq!(bench.take(NETWORK), []);
    // INFORMATION with 9, then 9 and sending complete; reference 1, flag 0.
    bench.inject(USER, &[0, 1, 2, 2, 8, 2, 0, 1, 0x7B, 0x70, 2, 0x81, b'9']);
    bench.inject(USER, &[0, 1, 4, 2, 8, 2, 0, 1, 0x7B, 0xA1, 0x70, 2, 0x81, b'8']);
    bench.run_millis(50);
    assert_eq!(bench.incoming(NETWORK).called.digits, "471198");

    let mut bench = {
        let user = PriSettings { dialect: open, ..PriSettings::e1(Side::User) };
        let network = PriSettings { overlap: patient, ..PriSettings::e1(Side::Network) };
        Bench::with(1, user, network).brought_up()
    };
    bench.call(USER, outgoing(1, 9, true));
    bench.run_millis(14_900);
    assert_eq!(bench.take(NETWORK), []);
    bench.run_millis(200);
    assert_eq!(bench.incoming(NETWORK).called.digits, "4711");
}

#[test]
fn thirty_calls_fill_the_interface_and_all_of_them_end() {
    let mut bench = Bench::up(1);
    let timeslots: Vec<usize> = (1..32).filter(|n| *n != 16).collect();
    for (n, &timeslot) in timeslots.iter().enumerate() {
        bench.call(USER, outgoing(n as u32 * 2 + 1, timeslot, true));
    }
    bench.run_millis(1000);
    let keys: Vec<LegKey> = bench
        .take(NETWORK)
        .into_iter()
        .map(|event| match event {
            Event::Incoming(call) => call.key,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(keys.len(), 30);
    for &key in &keys {
        bench.order(NETWORK, Order::Connect { key });
    }
    bench.run_millis(1000);
    for &key in &keys {
        bench.clear(NETWORK, key, 16);
    }
    bench.run_millis(2000);
    let ends = |events: Vec<Event>| events.iter().filter_map(ended).count();
    assert_eq!([USER, NETWORK].map(|end| ends(bench.take(end))), [30, 30]);
    bench.assert_idle();
}
