//! What a peer gets for messages that make no sense (Q.931, §5.8), RESTART both ways (§5.5), and a million
//! inputs that nobody should send.

mod bench;

use bench::{Bench, NETWORK, USER, outgoing, slot};
use call::Cause;
use signalling::pri::Interface;
use signalling::q931::{Body, Engine, EngineOutput, Header};
use signalling::{Dialect, Event, InterfaceOutput, Order, PriSettings, Side};
use tdm::{Instant, Rng};

const NOW: Instant = Instant::seconds(1);

/// The code of a message, its cause, its call state.
type Answer = (u8, Option<u8>, Option<u8>);

/// A user with a call (reference 1, ours) that is proceeding on timeslot 1.
fn proceeding() -> Engine {
    let mut user = Engine::new(PriSettings::e1(Side::User));
    user.link_up(NOW);
    user.order(NOW, Order::Call(outgoing(1, 1, true)));
    user.message(NOW, &[8, 2, 0x80, 1, 2, 0x18, 3, 0xA9, 0x83, 0x81]);
    while user.poll().is_some() {}
    user
}
/// What the engine sends for `message`: code, cause, call state.
fn answers(user: &mut Engine, message: &[u8]) -> Vec<Answer> {
    user.message(NOW, message);
    let mut answers = Vec::new();
    while let Some(output) = user.poll() {
        if let EngineOutput::Send(octets) = output {
            let (header, elements) = Header::parse(&octets).expect("our own message");
            let body = Body::parse(elements);
            let cause = body.cause.good().map(|element| element.cause.0);
            answers.push((header.code, cause, body.call_state.good().copied()));
        }
    }
    answers
}
/// A SETUP of the network on timeslot 5 with one element taken out or put in.
fn setup(without: Option<u8>, with: &[u8]) -> Vec<u8> {
    let elements: [(u8, &[u8]); 3] =
        [(0x04, &[3, 0x80, 0x90, 0xA3]), (0x18, &[3, 0xA9, 0x83, 0x85]), (0x70, &[2, 0x81, b'9'])];
    let mut message = vec![8, 2, 0, 9, 5, 0xA1];
    message.extend(with);
    for (code, contents) in elements.into_iter().filter(|(code, _)| Some(*code) != without) {
        message.push(code);
        message.extend(contents);
    }
    message
}

#[test]
fn messages_for_unknown_references_are_answered_as_the_standard_says() {
    let expected: [(&[u8], Vec<Answer>); 8] = [
        // SETUP that claims to be ours, RELEASE COMPLETE: ignored.
        (&[8, 2, 0x80, 7, 5], vec![]),
        (&[8, 2, 0, 7, 0x5A], vec![]),
        (&[8, 2, 0, 7, 0x4D], vec![(0x5A, Some(81), None)]),
        (&[8, 2, 0, 7, 0x45, 8, 2, 0x80, 0x90], vec![(0x5A, Some(81), None)]),
        (&[8, 2, 0, 7, 0x7D, 8, 2, 0x80, 0x9E, 0x14, 1, 10], vec![(0x5A, Some(101), None)]),
        (&[8, 2, 0, 7, 0x7D, 8, 2, 0x80, 0x9E, 0x14, 1, 0], vec![]),
        (&[8, 2, 0, 7, 0x75], vec![(0x7D, Some(30), Some(0))]),
        (&[8, 2, 0, 7, 0x33], vec![(0x5A, Some(81), None)]),
    ];
    for (message, answer) in expected {
        assert_eq!(answers(&mut proceeding(), message), answer, "{message:02X?}");
    }
}

#[test]
fn messages_that_are_none_are_ignored_and_counted() {
    let mut user = proceeding();
    for message in [&[][..], &[8], &[8, 2, 0, 1], &[3, 2, 0, 1, 0x0F], &[8, 0, 0x62], &[8, 9, 0]] {
        assert_eq!(answers(&mut user, message), []);
    }
    assert_eq!(user.counters().malformed, 6);
}

#[test]
fn unknown_and_unexpected_messages_are_answered_with_status_and_change_nothing() {
    let mut user = proceeding();
    assert_eq!(answers(&mut user, &[8, 2, 0x80, 1, 0x5F]), [(0x7D, Some(97), Some(3))]);
    assert_eq!(answers(&mut user, &[8, 2, 0x80, 1, 0x0D]), [(0x7D, Some(101), Some(3))]);
    assert_eq!(answers(&mut user, &[8, 2, 0x80, 1, 0x75]), [(0x7D, Some(30), Some(3))]);
    // A SETUP on a reference in use, NOTIFY, FACILITY: nothing.
    for code in [0x05, 0x6E, 0x62] {
        assert_eq!(answers(&mut user, &[8, 2, 0x80, 1, code]), []);
    }
    // And the call goes on: CONNECT is acknowledged.
    assert_eq!(answers(&mut user, &[8, 2, 0x80, 1, 7]), [(0x0F, None, None)]);
}

#[test]
fn setup_with_missing_bad_or_uncomprehended_elements_is_refused() {
    let expected: [(Vec<u8>, u8); 7] = [
        (setup(Some(0x04), &[]), 96),
        (setup(Some(0x18), &[]), 96),
        (setup(Some(0x04), &[0x04, 1, 0x80]), 100),
        (setup(Some(0x18), &[0x18, 1, 0x89]), 100),
        // An element nobody knows whose code demands to be understood.
        (setup(None, &[0x03, 1, 1]), 96),
        // Data calls.
        (setup(Some(0x04), &[0x04, 2, 0x88, 0x90]), 88),
        (setup(Some(0x70), &[0x70, 2, 0x81, b'x']), 28),
    ];
    for (message, cause) in expected {
        let answer = answers(&mut proceeding(), &message);
        assert_eq!(answer, [(0x5A, Some(cause), None)], "{message:02X?}");
    }
}

#[test]
fn unknown_optional_repeated_disordered_elements_and_trailing_garbage_are_no_reason_to_refuse() {
    let garbage = [&setup(None, &[])[..], &[0x28, 9, b'x']].concat();
    let twice = [&setup(None, &[])[..], &[0x70, 3, 0x81, b'1', b'2']].concat();
    for message in [setup(None, &[0x55, 2, 1, 2]), setup(None, &[0x96, 0x01, 1, 1]), garbage, twice]
    {
        let mut user = proceeding();
        let in_other_codeset = message.contains(&0x96);
        user.message(NOW, &message);
        let outputs: Vec<_> = std::iter::from_fn(|| user.poll()).collect();
        match (&outputs[..], in_other_codeset) {
            ([EngineOutput::Event(Event::Incoming(call))], false) => {
                assert_eq!(call.called.digits, "9");
            }
            // Behind a locking shift nothing is of codeset 0: the bearer is missing.
            ([EngineOutput::Send(message), EngineOutput::Event(Event::Refused { .. })], true) => {
                assert_eq!(message[4], 0x5A);
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn disconnect_without_or_with_bad_cause_is_released_with_96_or_100() {
    for (message, complaint) in [
        (&[8, 2, 0x80, 1, 0x45][..], 96),
        (&[8, 2, 0x80, 1, 0x45, 8, 1, 0x80], 100),
        (&[8, 2, 0x80, 1, 0x45, 8, 2, 0x80, 0x90, 0x55, 1, 1], 99),
    ] {
        assert_eq!(answers(&mut proceeding(), message), [(0x4D, Some(complaint), None)]);
    }
}

#[test]
fn progress_without_its_indicator_is_answered_with_status_96() {
    let answer = answers(&mut proceeding(), &[8, 2, 0x80, 1, 3]);
    assert_eq!(answer, [(0x7D, Some(96), Some(3))]);
}

#[test]
fn status_that_contradicts_us_clears_the_call_and_null_ends_it_without_a_word() {
    let status = |state| [8, 2, 0x80, 1, 0x7D, 8, 2, 0x80, 0x9E, 0x14, 1, state];
    assert_eq!(answers(&mut proceeding(), &status(4)), []);
    assert_eq!(answers(&mut proceeding(), &status(10)), [(0x4D, Some(101), None)]);
    let mut user = proceeding();
    assert_eq!(answers(&mut user, &status(0)), []);
    assert_eq!(user.calls(), 0);
}

#[test]
fn release_in_any_state_is_completed_and_release_complete_is_not_answered() {
    let mut user = proceeding();
    assert_eq!(answers(&mut user, &[8, 2, 0x80, 1, 0x4D]), [(0x5A, Some(96), None)]);
    assert_eq!(user.calls(), 0);
    let mut user = proceeding();
    assert_eq!(answers(&mut user, &[8, 2, 0x80, 1, 0x5A]), []);
    assert_eq!(user.calls(), 0);
}

#[test]
fn messages_on_the_global_reference_other_than_restart_get_status_81() {
    let mut user = proceeding();
    assert_eq!(answers(&mut user, &[8, 2, 0, 0, 0x05]), [(0x7D, Some(81), Some(0))]);
    // Indicator missing, and channels announced without any.
    assert_eq!(answers(&mut user, &[8, 2, 0, 0, 0x46]), [(0x7D, Some(96), Some(0))]);
    let no_channel = [8, 2, 0, 0, 0x46, 0x79, 1, 0x80];
    assert_eq!(answers(&mut user, &no_channel), [(0x7D, Some(96), Some(0))]);
}

#[test]
fn restart_of_the_peer_ends_the_calls_it_names_and_is_acknowledged_with_the_same_channels() {
    let cases: [(&[u8], &[u8], bool); 4] = [
        // One channel, a list, a map, the interface: all but the list of others hit timeslot 1.
        (&[0x18, 3, 0xA9, 0x83, 0x81, 0x79, 1, 0x80], &[0xA9, 0x83, 0x81], true),
        (&[0x18, 4, 0xA9, 0x83, 0x02, 0x83, 0x79, 1, 0x80], &[0xA9, 0x83, 0x02, 0x83], false),
        (&[0x18, 6, 0xA9, 0x93, 0, 0, 0, 2, 0x79, 1, 0x80], &[0xA9, 0x93, 0, 0, 0, 2], true),
        (&[0x79, 1, 0x86], &[], true),
    ];
    for (elements, echo, hit) in cases {
        let mut user = proceeding();
        let message = [&[8, 2, 0, 0, 0x46][..], elements].concat();
        user.message(NOW, &message);
        let outputs: Vec<_> = std::iter::from_fn(|| user.poll()).collect();
        let ended = outputs.iter().any(|output| {
            matches!(output, EngineOutput::Event(Event::Ended { clearing, .. })
                if clearing.cause == Cause::TEMPORARY_FAILURE)
        });
        assert_eq!(ended, hit);
        let Some(EngineOutput::Send(answer)) = outputs.last() else { panic!("{outputs:?}") };
        let (header, elements) = Header::parse(answer).expect("our own message");
        assert!(header.code == 0x4E && header.call.is_global() && header.call.to_originator);
        assert_eq!(Body::parse(elements).channel_contents, echo);
    }
}

#[test]
fn restarts_that_cross_leave_both_sides_idle_and_in_service() {
    let mut bench = Bench::up(1);
    bench.answered(USER);
    bench.order(USER, Order::Restart { timeslot: None });
    bench.order(NETWORK, Order::Restart { timeslot: Some(slot(1)) });
    bench.order(NETWORK, Order::Restart { timeslot: Some(slot(2)) });
    bench.run_millis(1000);
    for end in [USER, NETWORK] {
        let events = bench.take(end);
        let cause = events.iter().find_map(|event| match event {
            Event::Ended { clearing, .. } => Some(clearing.cause),
            _ => None,
        });
        assert_eq!(cause, Some(Cause::TEMPORARY_FAILURE), "{events:?}");
        assert!(events.contains(&Event::Restarted { timeslot: None }));
        assert!(events.contains(&Event::Restarted { timeslot: Some(slot(2)) }));
    }
    bench.assert_idle();
    bench.answered(NETWORK);
}

/// Another peer on the same wire has never heard of the RESTART that the one before it left unanswered.
#[test]
fn restart_left_unanswered_goes_out_again_when_the_peer_sets_up_the_link_anew() {
    let mut user = Engine::new(PriSettings::e1(Side::User));
    let restarts = |user: &mut Engine| {
        let sent = std::iter::from_fn(|| user.poll());
        sent.filter(|out| matches!(out, EngineOutput::Send(it) if it.get(4) == Some(&0x46))).count()
    };
    user.link_up(NOW);
    user.order(NOW, Order::Restart { timeslot: None });
    assert_eq!(restarts(&mut user), 1);
    assert!(!user.may_call(slot(1)));
    // Not for each of many.
    user.link_renewed(NOW.plus_millis(100));
    user.link_renewed(NOW.plus_millis(200));
    assert_eq!(restarts(&mut user), 0);
    user.link_renewed(NOW.plus_millis(5000));
    assert_eq!(restarts(&mut user), 1);
    user.message(NOW.plus_millis(5100), &[8, 2, 0x80, 0, 0x4E, 0x79, 1, 0x86]);
    assert!(user.may_call(slot(1)));
    user.link_renewed(NOW.plus_millis(10_000));
    assert_eq!(restarts(&mut user), 0, "nothing is out any more");
}

#[test]
fn restart_ordered_while_the_link_is_down_goes_out_when_it_is_up() {
    let mut bench = Bench::new(1);
    bench.order(USER, Order::Restart { timeslot: None });
    bench.order(USER, Order::Line { up: true });
    bench.order(NETWORK, Order::Line { up: true });
    bench.run_millis(200);
    assert!(bench.take(USER).contains(&Event::Restarted { timeslot: None }));
}

/// What every kind of message that is put together, dialled digit by digit or about maintenance looks like.
fn rare_messages() -> Vec<Vec<u8>> {
    let setup = setup(None, &[]);
    let (first, last) = setup[5..].split_at(8);
    let piece = |left: u8, part: &[u8]| [&[8, 2, 0, 9, 0x60, 0, 2, left, 5][..], part].concat();
    let service = |discriminator: u8, code: u8, status: u8| {
        vec![discriminator, 2, 0, 0, code, 1, 1, 0xC0 | status, 0x18, 3, 0xA9, 0x83, 0x85]
    };
    let mut acknowledged = service(3, 7, 2);
    acknowledged[2] = 0x80;
    vec![
        piece(0x81, first),
        piece(0, last),
        vec![8, 2, 0, 9, 0x7B, 0x70, 2, 0x81, b'4'],
        vec![8, 2, 0, 9, 0x7B, 0x2C, 1, b'#'],
        vec![8, 2, 0, 10, 5, 4, 3, 0x80, 0x90, 0xA3, 0x18, 3, 0xA9, 0x83, 0x86],
        vec![8, 2, 0x80, 1, 0x0D, 0x18, 3, 0xA9, 0x83, 0x81],
        service(3, 0x0F, 2),
        service(3, 0x0F, 0),
        service(0x43, 7, 1),
        acknowledged,
        vec![8, 2, 0, 9, 0x62, 0x1C, 4, 0x91, 0xA1, 1, 0],
    ]
}

/// Valid messages of one call, to be spoiled.
fn seeds() -> Vec<Vec<u8>> {
    let mut bench = Bench::up(1);
    let far = bench.answered(USER);
    bench.order(NETWORK, Order::Restart { timeslot: Some(slot(7)) });
    bench.clear(NETWORK, far, 16);
    bench.run_millis(1000);
    bench.sent.into_iter().map(|(_, frame)| frame).collect()
}

fn drain(interface: &mut Interface) -> usize {
    let mut frames = 0;
    loop {
        match interface.poll() {
            InterfaceOutput::Transmit(_) => frames += 1,
            InterfaceOutput::Event(Event::Incoming(call)) => {
                // What was offered is taken, so that every state is reached.
                interface.order(NOW, Order::Connect { key: call.key });
            }
            InterfaceOutput::Event(_) => {}
            InterfaceOutput::Wait(_) => return frames,
        }
    }
}

/// Three quarters are valid messages with octets changed, dropped or doubled, in good LAPD frames, so that
/// they reach call control; one quarter are frames spoiled as a whole.
#[test]
fn million_arbitrary_and_mutated_inputs_leave_the_interface_sound() {
    let mut rng = Rng::from_seed(5);
    let seeds = seeds();
    let mut ends = [Side::User, Side::Network].map(|side| Interface::new(PriSettings::e1(side)));
    let mut engines = [Side::User, Side::Network].map(|side| {
        let mut engine = Engine::new(PriSettings::e1(side));
        engine.link_up(NOW);
        engine
    });
    for end in &mut ends {
        end.order(NOW, Order::Line { up: true });
    }
    let (mut frames, mut messages, mut incoming) = (0, 0_usize, 0_usize);
    for n in 0..1_000_000_u32 {
        let which = rng.below(2) as usize;
        let mut input = seeds[rng.below(seeds.len() as u64) as usize].clone();
        for _ in 0..rng.below(4) {
            let at = rng.below(input.len() as u64) as usize;
            match rng.below(4) {
                0 => input[at] = rng.next_u64() as u8,
                1 => input[at] ^= 1 << rng.below(8),
                2 if input.len() > 1 => drop(input.remove(at)),
                _ => input.insert(at, rng.next_u64() as u8),
            }
        }
        if n % 4 == 0 {
            ends[which].handle_frame(NOW, &input);
            frames += drain(&mut ends[which]);
            continue;
        }
        let engine = &mut engines[which];
        engine.message(NOW, input.get(4..).unwrap_or_default());
        if rng.chance(0.01) {
            engine.order(NOW, Order::Call(outgoing(n * 2 + 1, rng.below(32) as usize, true)));
        }
        let mut offered = Vec::new();
        while let Some(output) = engine.poll() {
            match output {
                EngineOutput::Send(message) => {
                    assert!(message.len() <= 260, "longer than a frame: {message:02X?}");
                    messages += 1;
                }
                EngineOutput::Event(Event::Incoming(call)) => offered.push(call.key),
                EngineOutput::Event(_) => {}
            }
        }
        for key in offered {
            incoming += 1;
            let order = match rng.below(3) {
                0 => Order::Connect { key },
                1 => Order::Clear { key, cause: Cause(17), in_band: true },
                _ => Order::Alert { key, in_band: true },
            };
            engine.order(NOW, order);
        }
        assert!(engine.calls() <= 31 + 31, "more calls than channels");
    }
    assert!(
        frames > 1000 && messages > 100_000 && incoming > 1000,
        "{frames} {messages} {incoming}"
    );
}

/// The same for every dialect, digits one by one, messages in pieces and maintenance, while time goes on and every
/// timer may run out: no engine panics, says more than a frame holds, keeps what it should forget, or is woken for
/// nothing.
#[test]
fn mutated_inputs_in_every_dialect_with_time_passing_leave_the_engine_sound() {
    let mut rng = Rng::from_seed(6);
    let inputs: Vec<Vec<u8>> =
        seeds().into_iter().filter_map(|frame| frame.get(4..).map(<[u8]>::to_vec)).collect();
    let inputs: Vec<Vec<u8>> =
        rare_messages().into_iter().chain(inputs.into_iter().filter(|m| m.len() > 4)).collect();
    let (mut services, mut lost, mut overlap, mut timeouts) = (0, 0, 0, 0);
    for dialect in Dialect::ALL {
        for side in [Side::User, Side::Network] {
            let mut settings = PriSettings::new(side, dialect);
            settings.overlap.receive = true;
            settings.overlap.digits = Some(4);
            let mut engine = Engine::new(settings);
            let mut now = NOW;
            engine.link_up(now);
            for n in 0..20_000_u32 {
                let mut input = inputs[rng.below(inputs.len() as u64) as usize].clone();
                for _ in 0..rng.below(3) {
                    let at = rng.below(input.len() as u64) as usize;
                    match rng.below(4) {
                        0 => input[at] = rng.next_u64() as u8,
                        1 => input[at] ^= 1 << rng.below(8),
                        2 if input.len() > 1 => drop(input.remove(at)),
                        _ => input.insert(at, rng.next_u64() as u8),
                    }
                }
                engine.message(now, &input);
                match rng.below(300) {
                    0 => engine
                        .order(now, Order::Restart { timeslot: rng.chance(0.5).then(|| slot(3)) }),
                    1 => engine.order(
                        now,
                        Order::Call(outgoing(n * 2 + 1, 1 + rng.below(20) as usize, true)),
                    ),
                    2 => engine.link_down(now),
                    3 => engine.link_reset(now, std::slice::from_ref(&input)),
                    _ => {}
                }
                if rng.chance(0.02) {
                    engine.link_up(now);
                }
                now = now.plus_millis(rng.below(400));
                while let Some(due) = engine.deadline().filter(|due| *due <= now) {
                    engine.elapsed(due);
                    assert!(engine.deadline().is_none_or(|next| next > due), "woken for nothing");
                }
                let mut offered = Vec::new();
                while let Some(output) = engine.poll() {
                    match output {
                        EngineOutput::Send(message) => {
                            overlap += u32::from(message.get(4) == Some(&0x0D));
                            assert!(message.len() <= 260, "longer than a frame: {message:02X?}");
                        }
                        EngineOutput::Event(Event::Incoming(call)) => offered.push(call.key),
                        EngineOutput::Event(_) => {}
                    }
                }
                for key in offered {
                    let connect = rng.chance(0.5);
                    let clear = Order::Clear { key, cause: Cause(17), in_band: false };
                    engine.order(now, if connect { Order::Connect { key } } else { clear });
                }
                assert!(engine.calls() <= 62, "more calls than channels");
            }
            // Everything that can end by itself does.
            engine.link_down(now);
            while let Some(due) = engine.deadline().filter(|due| *due < now.plus_millis(600_000)) {
                engine.elapsed(due);
                while engine.poll().is_some() {}
            }
            assert_eq!(engine.calls(), 0, "{} {side:?}", dialect.name);
            let counters = engine.counters();
            services += counters.services;
            lost += counters.segments_lost;
            timeouts += counters.timeouts;
        }
    }
    let reached = [services, lost, timeouts, u64::from(overlap)];
    assert!(reached.iter().all(|count| *count > 100), "{reached:?}");
}
