//! What peers in the field do that no standard forbids, and what must not cost a call: blocked channels, RESTARTs
//! nobody answers, channels taken out and used again, messages that cross our CONNECT.

mod bench;

use bench::{Bench, NETWORK, NOW, USER, engine, outgoing, slot};
use call::Cause;
use signalling::q931::{Body, Engine, EngineOutput, Header};
use signalling::{
    ChannelChoice, Dialect, Event, Failure, LegKey, Order, PriSettings, RestartForm, Side,
    Timeslots,
};
use tdm::Timeslot;

const ALERTING: u8 = 0x01;
const CONNECT: u8 = 0x07;
const CONNECT_ACKNOWLEDGE: u8 = 0x0F;
const RESTART: u8 = 0x46;
const RELEASE: u8 = 0x4D;
const STATUS_ENQUIRY: u8 = 0x75;

/// What the engine sent (code, cause) and told.
fn outputs(engine: &mut Engine) -> (Vec<(u8, Option<u8>)>, Vec<Event>) {
    let (sent, told) = bench::outputs(engine);
    let cause = |octets: &[u8]| {
        // What is no call control is maintenance: its code stands at the same place.
        let body = Header::parse(octets).ok().map(|(_, elements)| Body::parse(elements))?;
        body.cause.good().map(|c| c.cause.0)
    };
    (sent.iter().map(|octets| (octets[4], cause(octets))).collect(), told)
}
/// SETUP of the peer, reference `n`, with this channel identification.
fn setup(n: u8, channel: &[u8]) -> Vec<u8> {
    let mut message = vec![8, 2, 0, n, 5, 4, 3, 0x80, 0x90, 0xA3];
    if !channel.is_empty() {
        message.extend([0x18, channel.len() as u8]);
        message.extend(channel);
    }
    message.extend([0x70, 2, 0x81, b'9']);
    message
}
const fn exclusive(number: u8) -> [u8; 3] {
    [0xA9, 0x83, 0x80 | number]
}
const fn preferred(number: u8) -> [u8; 3] {
    [0xA1, 0x83, 0x80 | number]
}
/// Where the call of `message` was put, or the cause with which it was refused.
fn placed(engine: &mut Engine, message: &[u8]) -> Result<Timeslot, u8> {
    engine.message(NOW, message);
    let (sent, told) = outputs(engine);
    let offered = told.iter().find_map(|event| match event {
        Event::Incoming(call) => Some(call.timeslot),
        _ => None,
    });
    offered.ok_or_else(|| {
        let told_so = told.iter().any(|event| matches!(event, Event::Refused { .. }));
        assert!(told_so, "refused and nobody was told: {told:?}");
        sent.iter().find_map(|(_, cause)| *cause).expect("refused with a cause")
    })
}
const ANY: [u8; 1] = [0xA3];

#[test]
fn calls_that_leave_their_channel_open_pass_by_the_blocked_ones() {
    let mut network = engine(PriSettings::e1(Side::Network));
    let blocked = Timeslots::from_bits(0b110);
    let rest = Timeslots::from_bits(Timeslots::E1_PRI.bits() & !blocked.bits());
    network.order(NOW, Order::Use { channels: rest });
    assert_eq!(placed(&mut network, &setup(1, &ANY)), Ok(slot(3)));
    assert_eq!(placed(&mut network, &setup(2, &[])), Ok(slot(4)));
    assert_eq!(placed(&mut network, &setup(3, &preferred(1))), Ok(slot(5)));
    assert_eq!(placed(&mut network, &setup(4, &exclusive(1))), Err(44));
    assert_eq!(placed(&mut network, &setup(5, &exclusive(9))), Ok(slot(9)));
    // A span that is drained as a whole has nothing left to offer.
    network.order(NOW, Order::Use { channels: Timeslots::NONE });
    assert_eq!(placed(&mut network, &setup(6, &ANY)), Err(34));
    network.order(NOW, Order::Use { channels: Timeslots::E1_PRI });
    assert_eq!(placed(&mut network, &setup(7, &exclusive(1))), Ok(slot(1)));
}

#[test]
fn a_call_names_its_channel_as_it_is_set_and_goes_where_the_far_end_puts_it() {
    use ChannelChoice::{Any, AsWished, Exclusive, Preferred};
    let wishes = [(AsWished, false), (AsWished, true), (Exclusive, false), (Preferred, true)];
    let named = wishes.map(|(choice, exclusive)| {
        let mut user = engine(PriSettings { choice, ..PriSettings::e1(Side::User) });
        user.order(NOW, Order::Call(outgoing(1, 7, exclusive)));
        let Some(EngineOutput::Send(message)) = user.poll() else { panic!("no SETUP") };
        Body::parse(&message[5..]).channel_contents.to_vec()
    });
    assert_eq!(named, [preferred(7), exclusive(7), exclusive(7), preferred(7)]);
    // Left open: the far end puts it on a channel that we had not thought of.
    let mut user = engine(PriSettings { choice: Any, ..PriSettings::e1(Side::User) });
    user.order(NOW, Order::Call(outgoing(1, 7, true)));
    let Some(EngineOutput::Send(message)) = user.poll() else { panic!("no SETUP") };
    assert_eq!(Body::parse(&message[5..]).channel_contents, ANY);
    user.message(NOW, &[8, 2, 0x80, 1, 2, 0x18, 3, 0xA9, 0x83, 0x94]);
    let proceeding = Event::Proceeding { key: LegKey(1), timeslot: slot(20), in_band: false };
    assert_eq!(outputs(&mut user).1, [proceeding]);
    // A network has to name one.
    let mut network = engine(PriSettings { choice: Any, ..PriSettings::e1(Side::Network) });
    network.order(NOW, Order::Call(outgoing(1, 7, true)));
    let Some(EngineOutput::Send(message)) = network.poll() else { panic!("no SETUP") };
    assert_eq!(Body::parse(&message[5..]).channel_contents, preferred(7));
}

#[test]
fn a_refused_call_is_told_with_its_numbers_and_its_cause() {
    let mut network = engine(PriSettings::e1(Side::Network));
    let data = [8, 2, 0, 1, 5, 4, 2, 0x88, 0x90, 0x6C, 2, 0x80, b'5', 0x70, 2, 0x81, b'9'];
    network.message(NOW, &data);
    let (sent, told) = outputs(&mut network);
    assert_eq!(sent, [(0x5A, Some(65))]);
    let [Event::Refused { called, calling: Some(calling), cause: Cause(65), .. }] = &told[..]
    else {
        panic!("{told:?}");
    };
    assert_eq!((called.digits.as_str(), calling.digits.as_str()), ("9", "5"));
    for (message, cause) in [
        (&[8, 2, 0, 2, 5, 4, 3, 0x80, 0x90, 0xA3, 0x70, 2, 0x81, b'x'][..], 28),
        (&[8, 2, 0, 3, 5, 0x70, 2, 0x81, b'9'], 96),
        (&setup(4, &exclusive(16)), 44),
    ] {
        assert_eq!(placed(&mut network, message), Err(cause), "{message:02X?}");
    }
}

/// The far end takes no RESTART at all, and its calls prove channel after channel; ours go there, too.
#[test]
fn a_peer_that_answers_no_restart_is_heard_when_it_calls_and_its_call_is_not_restarted() {
    let mut user = engine(PriSettings::e1(Side::User));
    user.order(NOW, Order::Restart { timeslot: None });
    assert_eq!(outputs(&mut user).0, [(RESTART, None)]);
    user.message(NOW, &setup(1, &exclusive(7)));
    let (_, told) = outputs(&mut user);
    let [Event::Restarted { timeslot: Some(proved) }, Event::Incoming(call)] = &told[..] else {
        panic!("{told:?}");
    };
    assert_eq!((*proved, call.timeslot), (slot(7), slot(7)));
    // T316 runs out: a second RESTART would end the call that is there.
    let due = user.deadline().expect("T316");
    user.elapsed(due);
    let (sent, told) = outputs(&mut user);
    assert!(told.contains(&Event::RestartUnanswered { timeslot: None }), "{told:?}");
    assert!(!told.contains(&Event::ChannelFailed { timeslot: slot(7) }), "{told:?}");
    assert!(sent.iter().all(|(code, _)| *code == RESTART), "channel by channel from now on");
    assert_eq!(user.calls(), 1);
    // The others wait for a RESTART of their own, and a call proves them as well.
    let message = setup(2, &exclusive(20));
    user.message(due, &message);
    assert!(outputs(&mut user).1.iter().any(|event| matches!(event, Event::Incoming(_))));
    // Ours may go where theirs have been, and only there.
    for (n, message) in [(1, [8, 2, 0, 1, 0x5A]), (2, [8, 2, 0, 2, 0x5A])] {
        user.message(due, &message);
        assert_eq!(user.calls(), 2 - n);
    }
    outputs(&mut user);
    user.order(due, Order::Call(outgoing(1, 20, true)));
    assert_eq!(outputs(&mut user).0, [(5, None)]);
    user.order(due, Order::Call(outgoing(3, 21, true)));
    assert!(matches!(outputs(&mut user).1[..], [Event::Ended { key: LegKey(3), .. }]));
}

/// A RESTART that is acknowledged late after all was done at the far end behind its own SETUP: the call is gone.
#[test]
fn a_late_acknowledgement_ends_the_call_that_crossed_our_restart() {
    let mut user = engine(PriSettings::e1(Side::User));
    user.order(NOW, Order::Restart { timeslot: None });
    assert_eq!(placed(&mut user, &setup(1, &exclusive(7))), Ok(slot(7)));
    user.message(NOW, &[8, 2, 0x80, 0, 0x4E, 0x79, 1, 0x86]);
    assert_eq!(user.calls(), 0);
    assert!(outputs(&mut user).1.contains(&Event::Restarted { timeslot: None }));
}

#[test]
fn a_call_proves_a_channel_that_failed_and_one_that_was_taken_out_of_service() {
    let mut user = engine(PriSettings::new(Side::User, Dialect::NI1));
    // SERVICE: 9 out of service, then a call on it all the same.
    let out = [3, 2, 0, 0, 0x0F, 1, 1, 0xC2, 0x18, 3, 0xA9, 0x83, 0x89];
    user.message(NOW, &out);
    outputs(&mut user);
    user.order(NOW, Order::Call(outgoing(1, 9, true)));
    assert!(matches!(outputs(&mut user).1[..], [Event::Ended { .. }]), "not by us");
    user.message(NOW, &setup(1, &exclusive(9)));
    let (_, told) = outputs(&mut user);
    let back = Event::Service { timeslot: slot(9), status: signalling::ServiceStatus::InService };
    assert!(told.contains(&back), "{told:?}");
    assert!(told.iter().any(|event| matches!(event, Event::Incoming(_))), "{told:?}");
    // RESTART of the far end puts its channels back as well.
    for restart in [
        &[8, 2, 0, 0, RESTART, 0x79, 1, 0x86][..],
        &[8, 2, 0, 0, RESTART, 0x18, 3, 0xA9, 0x83, 0x89, 0x79, 1, 0x80],
    ] {
        user.message(NOW, &out);
        outputs(&mut user);
        user.message(NOW, restart);
        assert!(outputs(&mut user).1.contains(&back), "{restart:02X?}");
        user.order(NOW, Order::Call(outgoing(3, 9, true)));
        assert_eq!(outputs(&mut user).0, [(5, None)]);
        user.message(NOW, &[8, 2, 0x80, 1, 0x5A]);
        user.message(NOW, &[8, 2, 0x80, 2, 0x5A]);
        outputs(&mut user);
    }
    // And so does our own word.
    user.message(NOW, &out);
    let status = signalling::ServiceStatus::InService;
    user.order(NOW, Order::Service { timeslot: slot(9), status });
    outputs(&mut user);
    user.order(NOW, Order::Call(outgoing(5, 9, true)));
    assert_eq!(outputs(&mut user).0, [(5, None)]);
}

/// SERVICE of both ends crossed: what is told is what counts, and the last word is the answer to ours.
#[test]
fn a_channel_is_as_good_as_the_last_word_of_the_far_end_says_and_as_was_told() {
    use signalling::ServiceStatus::{InService, OutOfService};
    let acknowledged = |change| [3, 2, 0x80, 0, 0x07, 1, 1, change, 0x18, 3, 0xA9, 0x83, 0x89];
    let out = [3, 2, 0, 0, 0x0F, 1, 1, 0xC2, 0x18, 3, 0xA9, 0x83, 0x89];
    for (status, change) in [(InService, 0xC0), (OutOfService, 0xC2)] {
        let mut user = engine(PriSettings::new(Side::User, Dialect::NI1));
        user.order(NOW, Order::Service { timeslot: slot(9), status });
        user.message(NOW, &out);
        assert!(!user.may_call(slot(9)));
        outputs(&mut user);
        user.message(NOW, &acknowledged(change));
        let told = outputs(&mut user).1;
        assert_eq!(told, [Event::Service { timeslot: slot(9), status }]);
        assert_eq!(user.may_call(slot(9)), status == InService);
    }
}

/// A network is active with its CONNECT; what the user says about ALERTING crosses it.
#[test]
fn a_status_that_crosses_our_connect_is_answered_with_a_question_and_costs_no_call() {
    let status =
        |cause: u8, state: u8| [8, 2, 0, 1, 0x7D, 8, 2, 0x80, 0x80 | cause, 0x14, 1, state];
    for state in 1..=4 {
        let mut network = engine(PriSettings::e1(Side::Network));
        assert!(placed(&mut network, &setup(1, &exclusive(1))).is_ok());
        network.order(NOW, Order::Alert { key: LegKey(2), in_band: true });
        network.order(NOW, Order::Connect { key: LegKey(2) });
        assert_eq!(outputs(&mut network).0, [(ALERTING, None), (CONNECT, None)]);
        network.message(NOW, &status(99, state));
        network.message(NOW, &status(100, state));
        assert_eq!(outputs(&mut network).0, [(STATUS_ENQUIRY, None)]);
        network.message(NOW, &[8, 2, 0, 1, CONNECT_ACKNOWLEDGE]);
        network.message(NOW, &status(30, 10));
        assert_eq!((outputs(&mut network).0, network.calls()), (vec![], 1), "state {state}");
        assert_eq!(network.deadline(), None, "nothing is waited for any more");
        // Asked, and still not there: now it is a contradiction.
        network.message(NOW, &status(30, state));
        let (sent, told) = outputs(&mut network);
        assert_eq!(sent, [(RELEASE, Some(101))]);
        let why = Failure::Contradiction;
        assert_eq!(told.first(), Some(&Event::Failed { key: LegKey(2), why }));
    }
}

#[test]
fn a_user_waits_for_its_acknowledgement_whatever_state_the_network_was_in() {
    for state in [1, 2, 3, 4, 6, 7, 9] {
        let mut user = engine(PriSettings::e1(Side::User));
        assert!(placed(&mut user, &setup(1, &exclusive(1))).is_ok());
        user.order(NOW, Order::Connect { key: LegKey(2) });
        outputs(&mut user);
        user.message(NOW, &[8, 2, 0, 1, 0x7D, 8, 2, 0x80, 0xE3, 0x14, 1, state]);
        assert_eq!((outputs(&mut user).0, user.calls()), (vec![], 1), "state {state}");
        user.message(NOW, &[8, 2, 0, 1, CONNECT_ACKNOWLEDGE]);
        assert!(matches!(outputs(&mut user).1[..], [Event::Connected { .. }]));
    }
}

#[test]
fn what_ends_a_call_without_anybody_s_wish_is_named_and_is_not_the_far_end() {
    let mut bench = Bench::up(1);
    bench.call(USER, outgoing(1, 1, true));
    bench.run_millis(9000);
    let told = bench.take(USER);
    let [Event::Failed { key, why }, Event::Ended { clearing, .. }] = told[..] else {
        panic!("{told:?}");
    };
    assert_eq!((key, why), (LegKey(1), Failure::Timer("T303")));
    assert_eq!((clearing.cause, clearing.by_far_end), (Cause::NO_USER_RESPONDING, false));
    bench.take(NETWORK);
    bench.call(USER, outgoing(3, 1, true));
    bench.run_millis(50);
    bench.order(USER, Order::Line { up: false });
    let told = bench.take(USER);
    assert_eq!(told.first(), Some(&Event::Failed { key: LegKey(3), why: Failure::Link }));
    bench.call(USER, outgoing(5, 1, true));
    let told = bench.take(USER);
    assert_eq!(told.first(), Some(&Event::Failed { key: LegKey(5), why: Failure::Link }));
}

#[test]
fn a_restart_the_peer_cannot_do_leaves_the_channel_out_and_one_it_does_not_know_does_not() {
    for (cause, stays_out) in [(82, true), (96, true), (100, true), (81, false), (97, false)] {
        let mut user = engine(PriSettings::e1(Side::User));
        user.order(NOW, Order::Restart { timeslot: Some(slot(2)) });
        user.message(NOW, &[8, 2, 0x80, 0, 0x7D, 8, 2, 0x80, 0x80 | cause, 0x14, 1, 0]);
        let (_, told) = outputs(&mut user);
        let failed = told.contains(&Event::ChannelFailed { timeslot: slot(2) });
        let back = told.contains(&Event::Restarted { timeslot: Some(slot(2)) });
        assert_eq!((failed, back), (stays_out, !stays_out), "cause {cause}: {told:?}");
    }
}

#[test]
fn a_late_acknowledgement_of_another_channel_ends_no_call_and_no_wait() {
    let mut user = engine(PriSettings::e1(Side::User));
    for timeslot in [1, 2] {
        user.order(NOW, Order::Restart { timeslot: Some(slot(timeslot)) });
    }
    outputs(&mut user);
    let acknowledge = |n: u8| [8, 2, 0x80, 0, 0x4E, 0x18, 3, 0xA9, 0x83, 0x80 | n, 0x79, 1, 0x80];
    user.message(NOW, &acknowledge(1));
    assert_eq!(outputs(&mut user).0, [(RESTART, None)], "now the second");
    user.message(NOW, &acknowledge(1));
    let (_, told) = outputs(&mut user);
    assert_eq!((told, user.counters().unexpected), (vec![], 1));
    user.message(NOW, &acknowledge(2));
    assert_eq!(outputs(&mut user).1, [Event::Restarted { timeslot: Some(slot(2)) }]);
    // One of a channel does not answer that of the interface; one without a channel does.
    user.order(NOW, Order::Restart { timeslot: None });
    user.message(NOW, &acknowledge(2));
    assert!(!outputs(&mut user).1.contains(&Event::Restarted { timeslot: None }));
    user.message(NOW, &[8, 2, 0x80, 0, 0x4E]);
    assert!(outputs(&mut user).1.contains(&Event::Restarted { timeslot: None }));
}

/// QSIG: both ends are users in this, whichever is the network of layer 2. What shows it is the network of EuroISDN,
/// which hurries the same call with T310, and the same QSIG without the sound.
#[test]
fn where_both_ends_are_alike_neither_hurries_a_call_it_can_hear() {
    let timed_out = |dialect, caller: usize, hears: bool, after_millis| {
        let settings = |side| PriSettings::new(side, dialect);
        let mut bench = Bench::with(1, settings(Side::User), settings(Side::Network)).brought_up();
        bench.call(caller, outgoing(1, 1, true));
        bench.run_millis(50);
        let key = bench.incoming(1 - caller).key;
        let order =
            if hears { Order::Progress { key, cause: None } } else { Order::Proceed { key } };
        bench.order(1 - caller, order);
        bench.run_millis(after_millis);
        let t310 = Event::Failed { key: LegKey(1), why: Failure::Timer("T310") };
        bench.take(caller).contains(&t310)
    };
    for caller in [USER, NETWORK] {
        assert!(!timed_out(Dialect::QSIG, caller, true, 600_000), "caller {caller}");
        assert!(!timed_out(Dialect::QSIG, caller, false, 119_900), "caller {caller}");
        assert!(timed_out(Dialect::QSIG, caller, false, 120_100), "caller {caller}");
    }
    assert!(timed_out(Dialect::EURO_ISDN, NETWORK, true, 10_100));
    assert!(!timed_out(Dialect::EURO_ISDN, USER, true, 600_000));
}

/// The settings of a user that restarts its interface so.
fn restarting(restart_form: RestartForm) -> Engine {
    engine(PriSettings { restart_form, ..PriSettings::e1(Side::User) })
}
/// The channels that the last message names, and its restart indicator.
fn restarted(engine: &mut Engine) -> (Timeslots, u8) {
    let Some(EngineOutput::Send(message)) = engine.poll() else { panic!("no RESTART") };
    assert_eq!(message[4], RESTART);
    let body = Body::parse(&message[5..]);
    let named = body.channel.good().map_or(Timeslots::NONE, |id| id.slots);
    (named, *message.last().expect("the indicator ends it"))
}
/// RESTART ACKNOWLEDGE that names these channels.
fn acknowledged(numbers: &[u8]) -> Vec<u8> {
    let mut contents = vec![0xA9, 0x83];
    contents.extend(numbers);
    *contents.last_mut().expect("a number") |= 0x80;
    let head = [8, 2, 0x80, 0, 0x4E, 0x18, contents.len() as u8];
    [&head[..], &contents, &[0x79, 1, 0x80]].concat()
}

#[test]
fn an_interface_is_restarted_in_the_form_the_far_end_takes() {
    let mut user = restarting(RestartForm::Interface);
    user.order(NOW, Order::Restart { timeslot: None });
    assert_eq!(restarted(&mut user), (Timeslots::NONE, 0x86));

    // All channels in one list; the same list comes back, or none, and the interface is idle.
    let all: Vec<u8> = Timeslots::E1_PRI.iter().map(|t| t.index() as u8).collect();
    for answer in [acknowledged(&all), vec![8, 2, 0x80, 0, 0x4E, 0x79, 1, 0x80]] {
        let mut user = restarting(RestartForm::List);
        user.order(NOW, Order::Restart { timeslot: None });
        assert_eq!(restarted(&mut user), (Timeslots::E1_PRI, 0x80));
        assert!(!user.may_call(slot(1)));
        user.message(NOW, &answer);
        assert_eq!(outputs(&mut user), (vec![], vec![Event::Restarted { timeslot: None }]));
        assert!(user.may_call(slot(1)));
    }

    // One after the other, each when the one before has its answer.
    let mut user = restarting(RestartForm::OneByOne);
    user.order(NOW, Order::Restart { timeslot: None });
    for number in all {
        let timeslot = slot(usize::from(number));
        assert_eq!(restarted(&mut user), (Timeslots::NONE.with(timeslot, true), 0x80));
        assert_eq!((user.poll(), user.may_call(timeslot)), (None, false));
        user.message(NOW, &acknowledged(&[number]));
        assert!(user.may_call(timeslot));
        let event = user.poll();
        let back = Event::Restarted { timeslot: Some(timeslot) };
        assert_eq!(event, Some(EngineOutput::Event(back)));
    }
    assert_eq!(user.poll(), None);
}

#[test]
fn what_an_answer_to_a_list_leaves_out_is_restarted_by_itself() {
    let mut user = restarting(RestartForm::List);
    user.order(NOW, Order::Restart { timeslot: None });
    restarted(&mut user);
    let known: Vec<u8> = (1..=29).filter(|n| *n != 16).collect();
    user.message(NOW, &acknowledged(&known));
    let (sent, told) = outputs(&mut user);
    assert_eq!((sent.len(), told.len()), (1, known.len()), "30 by itself, then 31");
    assert!(user.may_call(slot(29)) && !user.may_call(slot(30)));
    user.message(NOW, &acknowledged(&[30]));
    // It has no 31: STATUS 82.
    user.message(NOW, &[8, 2, 0x80, 0, 0x7D, 8, 2, 0x80, 0xD2, 0x14, 1, 0]);
    assert!(user.may_call(slot(30)) && !user.may_call(slot(31)));
    // And to one that takes no list at all, every channel by itself.
    let mut user = restarting(RestartForm::List);
    user.order(NOW, Order::Restart { timeslot: None });
    restarted(&mut user);
    user.message(NOW, &[8, 2, 0x80, 0, 0x7D, 8, 2, 0x80, 0xE4, 0x14, 1, 0]);
    assert_eq!(restarted(&mut user), (Timeslots::NONE.with(slot(1), true), 0x80));
}

/// The call server is behind: what the far end has to say waits there, and nothing of it is lost.
#[test]
fn a_far_end_that_is_told_to_wait_keeps_its_messages_and_no_call_is_lost() {
    for behind in [USER, NETWORK] {
        let far = 1 - behind;
        let mut bench = Bench::up(1);
        bench.call(far, outgoing(1, 1, true));
        bench.run_millis(100);
        let standing = bench.incoming(behind).key;
        bench.order(behind, Order::Behind { on: true });
        bench.run_millis(10);
        bench.forget();
        for n in 1..=12 {
            bench.call(far, outgoing(2 * n + 1, n as usize + 1, true));
        }
        bench.run_millis(3000);
        assert_eq!(bench.take(behind), [], "nothing is taken");
        assert_eq!(bench.messages(far), [], "and nothing sent, for it was told in time");
        // The other direction is open.
        bench.order(behind, Order::Connect { key: standing });
        bench.run_millis(100);
        assert!(matches!(bench.take(far)[..], [Event::Connected { .. }]));
        bench.order(behind, Order::Behind { on: false });
        bench.run_millis(200);
        let came = bench.take(behind);
        let calls = came.iter().filter(|event| matches!(event, Event::Incoming(_))).count();
        assert_eq!(calls, 12, "end {behind}: {came:?}");
        assert_eq!(bench.ends[behind].link_faults().total(), 0);
    }
}

/// A call from `caller`; `step` of its called side, or of the caller, goes lost with the link, which is established
/// anew at once because the peer hears nonsense. Gives the events of both ends within half a second.
fn reset_after(caller: usize, step: impl FnOnce(&mut Bench, LegKey) -> usize) -> [Vec<Event>; 2] {
    let mut bench = Bench::up(1);
    let called = 1 - caller;
    bench.call(caller, outgoing(1, 1, true));
    bench.run_millis(50);
    let key = bench.incoming(called).key;
    bench.order(called, Order::Proceed { key });
    bench.run_millis(50);
    bench.take(caller);
    bench.take(called);
    bench.cut = true;
    let from = step(&mut bench, key);
    bench.run_millis(50);
    bench.cut = false;
    // I-frame whose N(R) was never sent: the other end has to establish anew. Q.921, §5.8.5.
    let address = if from == USER { 0 } else { 2 };
    bench.inject(from, &[address, 1, 0, 120 << 1, 8]);
    bench.run_millis(500);
    [bench.take(caller), bench.take(called)]
}

#[test]
fn what_the_link_lost_when_it_was_established_anew_is_said_again_at_once() {
    for caller in [USER, NETWORK] {
        let called = 1 - caller;
        let [to_caller, to_called] = reset_after(caller, |bench, key| {
            bench.order(called, Order::Connect { key });
            called
        });
        let connected =
            |events: &[Event]| events.iter().any(|event| matches!(event, Event::Connected { .. }));
        assert!(connected(&to_caller) && connected(&to_called), "{to_caller:?} {to_called:?}");

        let [to_caller, _] = reset_after(caller, |bench, key| {
            bench.order(called, Order::Alert { key, in_band: false });
            called
        });
        let alerting = |event: &Event| matches!(event, Event::Alerting { .. });
        assert!(to_caller.iter().any(alerting), "caller {caller}: {to_caller:?}");

        let [to_caller, to_called] = reset_after(caller, |bench, key| {
            bench.clear(called, key, 17);
            called
        });
        let ended = |event: &Event| matches!(event, Event::Ended { .. });
        assert!(to_caller.iter().any(|event| matches!(event, Event::Clearing { .. })));
        assert!(to_called.iter().any(ended) || to_caller.iter().any(ended), "{to_called:?}");

        // A SETUP of another call.
        let [_, to_called] = reset_after(caller, |bench, _| {
            bench.call(caller, outgoing(3, 2, true));
            caller
        });
        let incoming = to_called.iter().filter(|event| matches!(event, Event::Incoming(_)));
        assert_eq!(incoming.count(), 1, "caller {caller}: {to_called:?}");
    }
}

/// While a link is silent T303 repeats the SETUP into it; of the two one goes out when the link is there again.
#[test]
fn a_setup_that_was_repeated_into_a_silent_link_goes_out_once_when_it_is_established_anew() {
    let mut user = engine(PriSettings::e1(Side::User));
    user.order(NOW, Order::Call(outgoing(1, 1, true)));
    let Some(EngineOutput::Send(setup)) = user.poll() else { panic!("no SETUP") };
    let later = NOW.plus_millis(4000);
    user.elapsed(later);
    assert_eq!(user.poll(), Some(EngineOutput::Send(setup.clone())));
    user.link_reset(later, &[setup.clone(), setup]);
    assert_eq!(outputs(&mut user).0, [(5, None)]);
}

/// Q.921, §5.5.1: the far end's first SABME was lost on a line that came up later here than there. It answers ours and
/// waits on; its T200 sets up anew a link that we took for good. What was begun meanwhile is not lost.
#[test]
fn a_call_placed_on_a_link_that_the_far_end_sets_up_a_second_time_arrives_once() {
    for (early, late) in [(NETWORK, USER), (USER, NETWORK)] {
        let mut bench = Bench::new(1);
        bench.cut = true;
        bench.order(early, Order::Line { up: true });
        bench.run_millis(300);
        bench.cut = false;
        bench.order(late, Order::Line { up: true });
        bench.run_millis(50);
        assert_eq!(bench.take(late), [Event::LinkUp]);
        assert_eq!(bench.take(early), [], "it waits for the answer to its own");
        bench.call(late, outgoing(1, 1, true));
        bench.run_millis(500);
        assert_eq!(bench.take(early), []);
        // T200, a SABME, and the SETUP that nobody had acknowledged.
        bench.run_millis(300);
        let [Event::LinkUp, Event::Incoming(call)] = &bench.take(early)[..] else {
            panic!("end {early}");
        };
        bench.order(early, Order::Connect { key: call.key });
        bench.run_millis(10_000);
        let told = bench.take(late);
        assert!(matches!(told[..], [Event::Connected { .. }]), "{told:?}");
        assert_eq!(bench.ends[late].link_traffic().established, 2);
        bench.clear(late, LegKey(1), 16);
        bench.run_millis(100);
        bench.assert_idle();
    }
}
