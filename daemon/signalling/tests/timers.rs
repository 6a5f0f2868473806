//! Every timer of Q.931 that runs here: what happens to the millisecond before it, and what after.

mod bench;

use bench::{Bench, NETWORK, USER, outgoing, slot};
use call::Cause;
use signalling::{Event, Failure, LegKey, Order, PriSettings, Side};

const SETUP: u8 = 0x05;
const DISCONNECT: u8 = 0x45;
const RESTART: u8 = 0x46;
const RELEASE: u8 = 0x4D;
const RELEASE_COMPLETE: u8 = 0x5A;
const STATUS_ENQUIRY: u8 = 0x75;

fn verdict(bench: &mut Bench, end: usize) -> Option<Cause> {
    bench.take(end).iter().find_map(|event| match event {
        Event::Ended { clearing, .. } => Some(clearing.cause),
        _ => None,
    })
}
/// A user whose layer 3 peer says nothing: the far engine takes calls and nobody answers them.
fn offered() -> (Bench, LegKey) {
    let mut bench = Bench::up(1);
    bench.call(USER, outgoing(1, 1, true));
    bench.run_millis(50);
    let key = bench.incoming(NETWORK).key;
    (bench, key)
}
/// The messages of the user from which `forget` was last called.
fn cause_in(message: &[u8]) -> Option<u8> {
    let (_, elements) = signalling::q931::Header::parse(message).ok()?;
    let body = signalling::q931::Body::parse(elements);
    body.cause.good().map(|element| element.cause.0)
}

#[test]
fn t303_repeats_setup_once_and_then_nobody_is_there() {
    let (mut bench, _) = offered();
    bench.run_millis(3900);
    assert_eq!(bench.messages(USER), [SETUP]);
    bench.run_millis(100);
    assert_eq!(bench.messages(USER), [SETUP, SETUP]);
    bench.run_millis(3900);
    assert_eq!(verdict(&mut bench, USER), None);
    bench.run_millis(200);
    assert_eq!(bench.messages(USER), [SETUP, SETUP, RELEASE_COMPLETE]);
    assert_eq!(bench.call_control(USER).last().and_then(|m| cause_in(m)), Some(102));
    assert_eq!(verdict(&mut bench, USER), Some(Cause::NO_USER_RESPONDING));
    assert_eq!(verdict(&mut bench, NETWORK), Some(Cause::TIMER_EXPIRY));
    bench.assert_idle();
}

#[test]
fn t310_and_t301_clear_with_102_on_the_line_and_18_or_19_for_the_call_server() {
    for (alerted, millis, expected) in [(false, 60_000, 18), (true, 180_000, 19)] {
        let (mut bench, key) = offered();
        let order =
            if alerted { Order::Alert { key, in_band: false } } else { Order::Proceed { key } };
        bench.order(NETWORK, order);
        bench.run_millis(millis - 100);
        assert_eq!(verdict(&mut bench, USER), None);
        bench.run_millis(300);
        assert_eq!(verdict(&mut bench, USER), Some(Cause(expected)));
        assert_eq!(verdict(&mut bench, NETWORK), Some(Cause::TIMER_EXPIRY));
        bench.assert_idle();
    }
}

#[test]
fn user_that_hears_something_does_not_hurry_with_t310() {
    let (mut bench, key) = offered();
    bench.order(NETWORK, Order::Progress { key, cause: None });
    bench.run_millis(170_000);
    assert_eq!(verdict(&mut bench, USER), None);
}

#[test]
fn t313_clears_a_connect_that_nobody_acknowledges() {
    let mut bench = Bench::up(1);
    bench.call(NETWORK, outgoing(1, 1, true));
    bench.run_millis(50);
    let key = bench.incoming(USER).key;
    // Layer 2 holds (its T200 outlasts the cut), layer 3 hears nothing.
    let settings = bench.ends[USER].settings().timers;
    assert_eq!(settings.t313_millis, 4000);
    let mut user = signalling::q931::Engine::new(PriSettings::e1(Side::User));
    drop(bench);
    user.link_up(tdm::Instant::default());
    let setup = [8, 2, 0, 1, 5, 0xA1, 4, 3, 0x80, 0x90, 0xA3, 0x18, 3, 0xA9, 0x83, 0x81];
    let setup = [&setup[..], &[0x70, 2, 0x81, b'1']].concat();
    user.message(tdm::Instant::default(), &setup);
    user.order(tdm::Instant::default(), Order::Connect { key });
    let due = user.deadline().expect("T313 runs");
    assert_eq!(due, tdm::Instant::millis(4000));
    while user.poll().is_some() {}
    user.elapsed(due);
    let outputs: Vec<_> = std::iter::from_fn(|| user.poll()).collect();
    let sent = outputs.iter().find_map(|output| match output {
        signalling::q931::EngineOutput::Send(message) => Some(message.clone()),
        signalling::q931::EngineOutput::Event(_) => None,
    });
    let sent = sent.expect("DISCONNECT");
    assert_eq!((sent[4], cause_in(&sent)), (DISCONNECT, Some(102)));
}

/// A bare user engine in a call, for peers that answer nothing.
fn lone_user() -> (signalling::q931::Engine, tdm::Instant) {
    let now = tdm::Instant::seconds(1);
    let mut user = signalling::q931::Engine::new(PriSettings::e1(Side::User));
    user.link_up(now);
    user.order(now, Order::Call(outgoing(1, 1, true)));
    // CALL PROCEEDING on timeslot 1, then CONNECT; reference 1, flag 1.
    user.message(now, &[8, 2, 0x80, 1, 2, 0x18, 3, 0xA9, 0x83, 0x81]);
    user.message(now, &[8, 2, 0x80, 1, 7]);
    while user.poll().is_some() {}
    (user, now)
}
/// The codes of what the engine sends, and its events, when it is woken at its deadline.
fn next(user: &mut signalling::q931::Engine) -> (u64, Vec<u8>, Vec<Event>) {
    let at = user.deadline().expect("a timer runs");
    user.elapsed(at);
    let (mut codes, mut events) = (Vec::new(), Vec::new());
    while let Some(output) = user.poll() {
        match output {
            signalling::q931::EngineOutput::Send(message) => codes.push(message[4]),
            signalling::q931::EngineOutput::Event(event) => events.push(event),
        }
    }
    (at.as_millis() - 1000, codes, events)
}

#[test]
fn t305_t308_and_t316_end_a_call_with_a_dead_peer_and_take_the_channel_out_of_service() {
    let (mut user, now) = lone_user();
    let clear = Order::Clear { key: LegKey(1), cause: Cause(16), in_band: false };
    user.order(now, clear);
    while user.poll().is_some() {}
    assert_eq!(next(&mut user), (30_000, vec![RELEASE], vec![]));
    assert_eq!(next(&mut user), (34_000, vec![RELEASE], vec![]));
    let (at, codes, events) = next(&mut user);
    assert_eq!((at, codes), (38_000, vec![RESTART]));
    let [Event::Ended { clearing, timeslot, .. }, Event::ChannelFailed { timeslot: failed }] =
        events[..]
    else {
        panic!("{events:?}");
    };
    assert_eq!((clearing.cause, clearing.by_far_end), (Cause(16), false));
    assert_eq!((timeslot, failed), (Some(slot(1)), slot(1)));
    // T316: a second RESTART, then the channel stays out of service.
    let unanswered = Event::RestartUnanswered { timeslot: Some(slot(1)) };
    assert_eq!(next(&mut user), (158_000, vec![RESTART], vec![unanswered.clone()]));
    let gone = Event::ChannelFailed { timeslot: slot(1) };
    assert_eq!(next(&mut user), (278_000, vec![], vec![unanswered, gone]));
    user.order(now, Order::Call(outgoing(3, 1, true)));
    assert!(matches!(
        user.poll(),
        Some(signalling::q931::EngineOutput::Event(Event::Ended { clearing, .. }))
            if clearing.cause == Cause::CHANNEL_NOT_AVAILABLE
    ));
}

#[test]
fn t309_keeps_active_calls_over_a_short_loss_of_the_link_and_no_longer() {
    for (away_millis, survives) in [(20_000, true), (60_000, false)] {
        let mut bench = Bench::up(1);
        bench.answered(USER);
        bench.call(USER, outgoing(3, 2, true));
        bench.run_millis(50);
        bench.take(NETWORK);
        bench.forget();
        bench.order(USER, Order::Line { up: false });
        bench.order(NETWORK, Order::Line { up: false });
        let events = bench.take(USER);
        // The call that only rang is over at once.
        let lost = Event::Failed { key: LegKey(3), why: Failure::Link };
        assert_eq!(events.first(), Some(&lost));
        let [Event::Ended { key: LegKey(3), clearing, .. }, Event::LinkDown] = events[1..] else {
            panic!("{events:?}");
        };
        assert_eq!(clearing.cause, Cause::DESTINATION_OUT_OF_ORDER);
        bench.run_millis(away_millis);
        bench.order(USER, Order::Line { up: true });
        bench.order(NETWORK, Order::Line { up: true });
        bench.run_millis(10_000);
        let calls = [USER, NETWORK].map(|end| bench.ends[end].calls());
        assert_eq!(calls, if survives { [1, 1] } else { [0, 0] });
        let asked = bench.messages(USER).contains(&STATUS_ENQUIRY);
        assert_eq!(asked, survives, "the other side is asked about calls that were kept");
        if !survives {
            let verdict = verdict(&mut bench, USER);
            assert_eq!(verdict, Some(Cause::DESTINATION_OUT_OF_ORDER));
        }
    }
}

#[test]
fn call_the_peer_forgot_during_the_loss_of_the_link_ends_when_it_is_asked() {
    let mut bench = Bench::up(1);
    let far = bench.answered(USER);
    bench.order(NETWORK, Order::Line { up: false });
    bench.clear(NETWORK, far, 16);
    bench.order(NETWORK, Order::Line { up: true });
    bench.run_millis(5000);
    assert_eq!(verdict(&mut bench, USER), Some(Cause::TEMPORARY_FAILURE));
    bench.assert_idle();
}

#[test]
fn enquiry_without_answer_is_repeated_and_then_clears_with_41() {
    let (mut user, now) = lone_user();
    user.link_down(now);
    user.link_up(now);
    while user.poll().is_some() {}
    assert_eq!(next(&mut user), (4000, vec![STATUS_ENQUIRY], vec![]));
    assert_eq!(next(&mut user), (8000, vec![STATUS_ENQUIRY], vec![]));
    let (at, codes, events) = next(&mut user);
    assert_eq!((at, codes), (12_000, vec![DISCONNECT]));
    let [Event::Failed { why, .. }, Event::Clearing { clearing, .. }] = events[..] else {
        panic!("{events:?}");
    };
    assert_eq!(why, Failure::Timer("T322"));
    assert_eq!(clearing.cause, Cause::TEMPORARY_FAILURE);
}

/// T304 runs from SETUP ACKNOWLEDGE, anew with the digits that follow it, and not at all behind CALL PROCEEDING.
#[test]
fn t304_clears_a_number_that_the_far_end_never_finds_complete() {
    for (side, millis) in [(Side::User, 30_000), (Side::Network, 20_000)] {
        let overlap = signalling::Overlap { send_first: Some(2), ..Default::default() };
        let now = tdm::Instant::seconds(1);
        let mut engine =
            signalling::q931::Engine::new(PriSettings { overlap, ..PriSettings::e1(side) });
        engine.link_up(now);
        engine.order(now, Order::Call(outgoing(1, 1, true)));
        let later = tdm::Instant::seconds(3);
        engine.message(later, &[8, 2, 0x80, 1, 0x0D, 0x18, 3, 0xA9, 0x83, 0x81]);
        while engine.poll().is_some() {}
        let (at, codes, events) = next(&mut engine);
        assert_eq!((at, codes), (2000 + millis, vec![DISCONNECT]));
        assert_eq!(events[0], Event::Failed { key: LegKey(1), why: Failure::Timer("T304") });
        let Event::Clearing { clearing, .. } = events[1] else { panic!("{events:?}") };
        assert_eq!((clearing.cause, clearing.by_far_end), (Cause::TIMER_EXPIRY, false));
    }
}

/// T306, and twice T306 for a tone that we listen to and the far end forgot.
#[test]
fn t306_ends_a_tone_behind_disconnect_at_the_network_and_its_double_at_a_user_nobody_releases() {
    let mut bench = Bench::up(1);
    bench.call(USER, outgoing(1, 1, true));
    bench.run_millis(50);
    let key = bench.incoming(NETWORK).key;
    bench.forget();
    bench.order(NETWORK, Order::Clear { key, cause: Cause(17), in_band: true });
    bench.run_millis(29_900);
    assert!(!bench.messages(NETWORK).contains(&RELEASE));
    bench.run_millis(200);
    assert!(bench.messages(NETWORK).contains(&RELEASE));
    assert_eq!(verdict(&mut bench, USER), Some(Cause::USER_BUSY));
    bench.assert_idle();

    let (mut user, now) = lone_user();
    user.message(now, &[8, 2, 0x80, 1, 0x45, 8, 2, 0x82, 0x91, 0x1E, 2, 0x82, 0x88]);
    while user.poll().is_some() {}
    let (at, codes, _) = next(&mut user);
    assert_eq!((at, codes), (60_000, vec![RELEASE]));
}

#[test]
fn t309_of_nothing_clears_active_calls_as_soon_as_the_link_is_lost() {
    let now = tdm::Instant::seconds(1);
    let mut settings = PriSettings::e1(Side::User);
    settings.timers.t309_millis = 0;
    let mut user = signalling::q931::Engine::new(settings);
    user.link_up(now);
    user.order(now, Order::Call(outgoing(1, 1, true)));
    user.message(now, &[8, 2, 0x80, 1, 7, 0x18, 3, 0xA9, 0x83, 0x81]);
    while user.poll().is_some() {}
    user.link_down(now);
    assert_eq!((user.calls(), user.deadline()), (0, None));
}

/// The answer ends the watch: what T302 to T313 were for has happened.
#[test]
fn no_timer_runs_in_a_conversation() {
    let mut bench = Bench::up(1);
    bench.answered(USER);
    bench.run_millis(3_600_000);
    assert_eq!([USER, NETWORK].map(|end| bench.ends[end].calls()), [1, 1]);
}

#[test]
fn t305_is_four_seconds_in_north_america_and_thirty_elsewhere() {
    for dialect in signalling::Dialect::ALL {
        let now = tdm::Instant::seconds(1);
        let mut user = signalling::q931::Engine::new(PriSettings::new(Side::User, dialect));
        user.link_up(now);
        user.order(now, Order::Call(outgoing(1, 1, true)));
        user.message(now, &[8, 2, 0x80, 1, 2, 0x18, 3, 0xA9, 0x83, 0x81]);
        while user.poll().is_some() {}
        user.order(now, Order::Clear { key: LegKey(1), cause: Cause(16), in_band: false });
        while user.poll().is_some() {}
        let expected = if dialect.has_maintenance() { 4000 } else { 30_000 };
        assert_eq!(next(&mut user).0, expected, "{}", dialect.name);
    }
}
