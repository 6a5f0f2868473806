//! Peers and lines that do not get well by themselves: what was lost with a link, who never answers, who answers
//! late or elsewhere. No channel is lost for it, no call held for ever, none taken for another.

mod bench;

use bench::{Bench, NETWORK, NOW, USER, engine, outgoing, outputs, slot};
use call::Cause;
use signalling::q931::{Body, Engine};
use signalling::{
    ChannelChoice, Dialect, Event, LegKey, Order, PriSettings, RestartForm, ServiceStatus, Side,
    Timeslots,
};
use tdm::Instant;

const SETUP: u8 = 0x05;
const CONNECT_ACKNOWLEDGE: u8 = 0x0F;
const RESTART: u8 = 0x46;
const RELEASE: u8 = 0x4D;
const RESTART_ACKNOWLEDGE: u8 = 0x4E;
const RELEASE_COMPLETE: u8 = 0x5A;
const STATUS_ENQUIRY: u8 = 0x75;

fn user() -> Engine {
    engine(PriSettings::e1(Side::User))
}
fn codes(sent: &[Vec<u8>]) -> Vec<u8> {
    sent.iter().map(|message| message[4]).collect()
}
/// SETUP of the network, reference `n`, exclusively on channel `n`.
fn setup(n: u8) -> Vec<u8> {
    let head = [8, 2, 0, n, SETUP, 4, 3, 0x80, 0x90, 0xA3, 0x18, 3, 0xA9, 0x83, 0x80 | n];
    [&head[..], &[0x70, 2, 0x81, b'9']].concat()
}
/// An answer of the peer to our call 1: `code`, on this channel when there is one.
fn answer(code: u8, channel: Option<u8>) -> Vec<u8> {
    let mut message = vec![8, 2, 0x80, 1, code];
    message.extend(channel.into_iter().flat_map(|n| [0x18, 3, 0xA9, 0x83, 0x80 | n]));
    message
}
/// Lets every timer run out until `end`; what was sent and told, and when.
fn run(engine: &mut Engine, end: Instant) -> (Vec<(Instant, u8)>, Vec<Event>) {
    let (mut sent, mut told) = (Vec::new(), Vec::new());
    while let Some(due) = engine.deadline().filter(|due| *due <= end) {
        engine.elapsed(due);
        let (messages, events) = outputs(engine);
        sent.extend(codes(&messages).into_iter().map(|code| (due, code)));
        told.extend(events);
    }
    (sent, told)
}

#[test]
fn a_channel_whose_release_nobody_answers_is_not_lost_where_no_restart_is_taken() {
    let mut user = engine(PriSettings { restart_at_start: false, ..PriSettings::e1(Side::User) });
    user.order(NOW, Order::Call(outgoing(1, 7, true)));
    user.message(NOW, &answer(2, None));
    user.order(NOW, Order::Clear { key: LegKey(1), cause: Cause(16), in_band: false });
    outputs(&mut user);
    let (sent, told) = run(&mut user, NOW.plus_millis(600_000));
    assert!(sent.iter().all(|(_, code)| *code == RELEASE), "{sent:02X?}");
    assert!(told.iter().any(|event| matches!(event, Event::Ended { .. })));
    assert!(user.may_call(slot(7)), "the channel is lost: {told:?}");
}

#[test]
fn a_restart_waits_for_the_link_and_goes_out_again_as_it_was() {
    for form in [RestartForm::Interface, RestartForm::List] {
        let mut user = engine(PriSettings { restart_form: form, ..PriSettings::e1(Side::User) });
        user.order(NOW, Order::Restart { timeslot: None });
        let first = outputs(&mut user).0;
        user.link_down(NOW.plus_millis(100));
        outputs(&mut user);
        let (sent, told) = run(&mut user, NOW.plus_millis(300_000));
        assert_eq!((sent, told), (vec![], vec![]), "nobody was there to answer");
        user.link_up(NOW.plus_millis(300_000));
        assert_eq!(outputs(&mut user).0, first, "{form:?}");
    }
}

/// For 14 s nobody may answer: longer than T303 twice, T313, T308 twice and T322 thrice.
#[test]
fn timers_stand_still_while_the_far_end_is_told_to_wait() {
    for what in ["connect", "setup", "release"] {
        let mut bench = Bench::up(1);
        let from = if what == "connect" { NETWORK } else { USER };
        if what == "setup" {
            bench.order(USER, Order::Behind { on: true });
        }
        bench.call(from, outgoing(1, 1, true));
        bench.run_millis(100);
        let key = bench.incoming(1 - from).key;
        match what {
            "connect" => {
                bench.order(USER, Order::Behind { on: true });
                bench.order(USER, Order::Connect { key });
            }
            "release" => {
                bench.order(NETWORK, Order::Connect { key });
                bench.run_millis(100);
                bench.order(USER, Order::Behind { on: true });
                bench.clear(USER, LegKey(1), 16);
            }
            _ => bench.order(NETWORK, Order::Alert { key, in_band: false }),
        }
        bench.run_millis(14_000);
        assert!(bench.ends[NETWORK].link_backlog().0, "an operator sees who waits for whom");
        let told = bench.take(USER);
        let failed = |events: &[Event]| events.iter().any(|e| matches!(e, Event::Failed { .. }));
        assert!(!failed(&told), "{what}: {told:?}");
        bench.order(USER, Order::Behind { on: false });
        bench.run_millis(8000);
        let told = bench.take(USER);
        assert!(!failed(&told) && !told.is_empty(), "{what}: {told:?}");
        let good = |event: &Event| {
            matches!(
                (what, event),
                ("connect", Event::Connected { .. })
                    | ("setup", Event::Alerting { .. })
                    | ("release", Event::Ended { .. })
            )
        };
        assert!(told.iter().any(good), "{what}: {told:?}");
    }
}

#[test]
fn a_channel_that_is_open_again_is_told_when_there_is_a_link_and_when_the_word_was_lost() {
    let mut user = engine(PriSettings::new(Side::User, Dialect::NI2));
    user.link_down(NOW);
    user.order(NOW, Order::Service { timeslot: slot(5), status: ServiceStatus::InService });
    assert!(outputs(&mut user).0.is_empty());
    user.link_up(NOW);
    let said = outputs(&mut user).0;
    assert_eq!(said.len(), 1, "{said:02X?}");
    user.link_reset(NOW, &said);
    assert_eq!(outputs(&mut user).0, said);
    // SERVICE ACKNOWLEDGE: known there, and said no more.
    let mut acknowledged = said[0].clone();
    (acknowledged[2], acknowledged[4]) = (0x80, 0x0F);
    user.message(NOW, &acknowledged);
    user.link_down(NOW);
    outputs(&mut user);
    user.link_up(NOW);
    assert!(outputs(&mut user).0.is_empty());
}

#[test]
fn what_was_said_of_a_call_is_not_said_again_of_the_next_one_with_its_reference() {
    let mut user = user();
    user.message(NOW, &setup(1));
    let key = LegKey(2);
    user.order(NOW, Order::Proceed { key });
    user.order(NOW, Order::Connect { key });
    user.message(NOW, &[8, 2, 0, 1, RELEASE, 8, 2, 0x82, 0x90]);
    let stale = outputs(&mut user).0;
    assert_eq!(codes(&stale), [0x02, 0x07, RELEASE_COMPLETE]);
    user.link_reset(NOW, &stale);
    let again = outputs(&mut user).0;
    assert_eq!(codes(&again), [RELEASE_COMPLETE], "the call is gone");
    user.message(NOW, &setup(1));
    outputs(&mut user);
    user.link_reset(NOW, &stale);
    assert_eq!(codes(&outputs(&mut user).0), [STATUS_ENQUIRY], "another call");
}

#[test]
fn a_setup_that_was_sent_twice_into_a_silent_link_goes_out_once() {
    let mut user = user();
    user.order(NOW, Order::Call(outgoing(1, 7, true)));
    let mut lost = outputs(&mut user).0;
    let due = user.deadline().expect("T303");
    user.elapsed(due);
    lost.extend(outputs(&mut user).0);
    assert_eq!(codes(&lost), [SETUP, SETUP]);
    user.link_reset(due, &lost);
    assert_eq!(codes(&outputs(&mut user).0), [SETUP]);
}

#[test]
fn an_answer_to_a_restart_that_the_link_lost_is_said_again() {
    let mut user = user();
    user.message(NOW, &[8, 2, 0, 0, RESTART, 0x79, 1, 0x86]);
    let sent = outputs(&mut user).0;
    assert_eq!(codes(&sent), [RESTART_ACKNOWLEDGE]);
    user.link_reset(NOW, &sent);
    assert_eq!(outputs(&mut user).0, sent);
}

#[test]
fn a_caller_the_far_end_has_forgotten_does_not_ring_on() {
    let mut user = user();
    user.message(NOW, &setup(1));
    user.order(NOW, Order::Alert { key: LegKey(2), in_band: false });
    outputs(&mut user);
    user.link_renewed(NOW);
    assert_eq!(codes(&outputs(&mut user).0), [STATUS_ENQUIRY]);
    user.message(NOW, &[8, 2, 0, 1, 0x7D, 8, 2, 0x82, 0x9E, 0x14, 1, 0]);
    let told = outputs(&mut user).1;
    assert!(matches!(told[..], [Event::Ended { key: LegKey(2), .. }]), "{told:?}");
}

#[test]
fn a_call_whose_channel_was_left_open_waits_for_the_message_that_names_it() {
    let any = PriSettings { choice: ChannelChoice::Any, ..PriSettings::e1(Side::User) };
    let mut user = engine(any);
    user.order(NOW, Order::Call(outgoing(1, 7, true)));
    outputs(&mut user);
    user.message(NOW, &answer(2, None));
    assert_eq!(outputs(&mut user).1, [], "nobody knows yet where to listen");
    user.message(NOW, &answer(1, Some(20)));
    let told = outputs(&mut user).1;
    let alerting = Event::Alerting { key: LegKey(1), timeslot: slot(20), in_band: false };
    assert_eq!(told, [alerting]);
    // And one that only preferred its channel goes along.
    let mut user = self::user();
    user.order(NOW, Order::Call(outgoing(1, 7, false)));
    outputs(&mut user);
    user.message(NOW, &answer(0x0D, None));
    user.message(NOW, &answer(2, Some(20)));
    user.message(NOW, &answer(7, None));
    let told = outputs(&mut user).1;
    assert_eq!(told.last(), Some(&Event::Connected { key: LegKey(1), timeslot: slot(20) }));
}

#[test]
fn a_far_end_that_sets_up_its_link_over_and_over_and_answers_nothing_loses_its_calls() {
    let mut user = user();
    user.order(NOW, Order::Call(outgoing(1, 1, true)));
    user.message(NOW, &answer(7, Some(1)));
    outputs(&mut user);
    let mut now = NOW;
    for _ in 0..6 {
        now = now.plus_millis(10_000);
        run(&mut user, now);
        user.link_renewed(now);
    }
    run(&mut user, now.plus_millis(120_000));
    assert_eq!(user.calls(), 0);
}

#[test]
fn a_call_may_be_moved_onto_a_channel_we_gave_up() {
    let mut user = user();
    user.order(NOW, Order::Restart { timeslot: Some(slot(9)) });
    user.message(NOW, &[8, 2, 0x80, 0, 0x7D, 8, 2, 0x80, 0xD2, 0x14, 1, 0]);
    outputs(&mut user);
    assert!(!user.may_call(slot(9)));
    user.order(NOW, Order::Call(outgoing(1, 7, false)));
    user.message(NOW, &answer(2, Some(9)));
    let told = outputs(&mut user).1;
    let proceeding = Event::Proceeding { key: LegKey(1), timeslot: slot(9), in_band: false };
    assert!(told.contains(&proceeding), "{told:?}");
    assert!(told.contains(&Event::Restarted { timeslot: Some(slot(9)) }), "{told:?}");
}

#[test]
fn a_far_end_that_begins_with_progress_is_heard_and_not_called_again() {
    let mut user = user();
    user.order(NOW, Order::Call(outgoing(1, 1, true)));
    outputs(&mut user);
    user.message(NOW, &[8, 2, 0x80, 1, 3, 0x18, 3, 0xA9, 0x83, 0x81, 0x1E, 2, 0x82, 0x88]);
    let told = outputs(&mut user).1;
    let proceeding = Event::Proceeding { key: LegKey(1), timeslot: slot(1), in_band: true };
    assert_eq!(told.first(), Some(&proceeding), "{told:?}");
    let (sent, _) = run(&mut user, NOW.plus_millis(50_000));
    assert_eq!(sent, []);
}

#[test]
fn a_connect_that_is_said_again_gets_its_acknowledgement_again() {
    let mut network = engine(PriSettings::e1(Side::Network));
    network.order(NOW, Order::Call(outgoing(1, 1, true)));
    outputs(&mut network);
    for _ in 0..2 {
        network.message(NOW, &answer(7, None));
        assert_eq!(codes(&outputs(&mut network).0), [CONNECT_ACKNOWLEDGE]);
    }
}

/// Nothing of the above leaves the engine with more channels than it has.
#[test]
fn a_restart_of_the_interface_does_not_end_who_called_while_it_waited() {
    let mut user = user();
    user.order(NOW, Order::Restart { timeslot: None });
    outputs(&mut user);
    user.message(NOW, &setup(3));
    outputs(&mut user);
    user.order(NOW, Order::Connect { key: LegKey(2) });
    user.message(NOW, &[8, 2, 0, 3, CONNECT_ACKNOWLEDGE]);
    outputs(&mut user);
    user.link_down(NOW.plus_millis(100));
    outputs(&mut user);
    user.link_up(NOW.plus_millis(200));
    let sent = outputs(&mut user).0;
    let restarts = sent.iter().filter(|message| message[4] == RESTART);
    let named: Timeslots = restarts
        .filter_map(|message| Body::parse(&message[5..]).channel.good()?.single())
        .collect();
    assert!(!named.is_empty() && !named.has(slot(3)), "{sent:02X?}");
    assert_eq!(user.calls(), 1);
}
