//! What differs from dialect to dialect: how a call is asked for and answered, names, maintenance, numbers of
//! channels; and what every dialect carries: digits one by one, diverted calls, messages in pieces.

mod bench;

use bench::{Bench, NETWORK, USER, outgoing, slot};
use call::{Cause, Number, Presentation};
use signalling::q931::{Body, Engine, EngineOutput, Header};
use signalling::{
    Bearer, ChannelNumbers, Dialect, Event, LegKey, NameCarrier, Order, Outgoing, Overlap,
    PriSettings, Redirecting, ServiceStatus, Side,
};
use tdm::{Instant, Law};

const NOW: Instant = Instant::seconds(1);
const NETWORK_FACILITIES: u8 = 0x20;

fn pair(dialect: Dialect) -> Bench {
    let [user, network] = [Side::User, Side::Network].map(|side| PriSettings::new(side, dialect));
    Bench::with(1, user, network).brought_up()
}
fn overlapping(user: Overlap, network: Overlap, dialect: Dialect) -> Bench {
    let user = PriSettings { overlap: user, ..PriSettings::new(Side::User, dialect) };
    let network = PriSettings { overlap: network, ..PriSettings::new(Side::Network, dialect) };
    Bench::with(1, user, network).brought_up()
}
fn named(key: u32, name: &str) -> Outgoing {
    Outgoing { name: Some(name.into()), ..outgoing(key, 1, true) }
}

#[test]
fn every_dialect_carries_a_call_each_way_and_acknowledges_the_answer_as_it_should() {
    for dialect in Dialect::ALL {
        for from in [USER, NETWORK] {
            let mut bench = pair(dialect);
            let far = bench.answered(from);
            let acknowledged = bench.messages(from).contains(&0x0F);
            assert!(acknowledged, "{} from {from}", dialect.name);
            bench.clear(from, LegKey(1), 16);
            bench.run_millis(100);
            let ended = |event: &Event| {
                matches!(event, Event::Ended { key, clearing, .. }
                if (*key == far || *key == LegKey(1)) && clearing.cause == Cause(16))
            };
            assert!(bench.take(1 - from).iter().any(ended) && bench.take(from).iter().any(ended));
            bench.assert_idle();
        }
    }
}

/// Both ends of a private network wait for the acknowledgement of their CONNECT; a public network does not.
#[test]
fn only_symmetric_networks_wait_for_the_acknowledgement_of_their_connect() {
    for dialect in [Dialect::QSIG, Dialect::EURO_ISDN] {
        let mut bench = pair(dialect);
        bench.call(USER, outgoing(1, 1, true));
        bench.run_millis(50);
        let key = bench.incoming(NETWORK).key;
        bench.order(NETWORK, Order::Connect { key });
        let at_once = bench.take(NETWORK) == [Event::Connected { key, timeslot: slot(1) }];
        assert_eq!(at_once, !dialect.symmetric, "{}", dialect.name);
        bench.run_millis(50);
        let later = bench.take(NETWORK) == [Event::Connected { key, timeslot: slot(1) }];
        assert_eq!(later, dialect.symmetric, "{}", dialect.name);
    }
}

#[test]
fn setup_says_that_the_number_is_complete_only_where_that_is_spoken() {
    for dialect in Dialect::ALL {
        let mut bench = pair(dialect);
        bench.call(USER, outgoing(1, 1, true));
        let setup = bench.call_control(USER).remove(0);
        let (_, elements) = Header::parse(&setup).expect("our own");
        let said = Body::parse(elements).sending_complete;
        assert_eq!(said, dialect.sending_complete, "{}", dialect.name);
    }
}

#[test]
fn the_callers_name_crosses_as_each_dialect_carries_it_and_is_cut_to_its_length() {
    let long = "A Name Longer Than Any Display In Any Country Would Ever Show To Anybody Who Looks At It, Or Not";
    for dialect in Dialect::ALL {
        for from in [USER, NETWORK] {
            let mut bench = pair(dialect);
            bench.call(from, named(1, long));
            bench.run_millis(100);
            let told = bench.incoming(1 - from).name;
            let only_down = dialect.names == NameCarrier::DisplayFromNetwork && from == USER;
            let cut = long.get(..usize::from(dialect.name_octets_max)).map(|n| n.trim().to_owned());
            let expected = cut.filter(|_| !only_down);
            assert_eq!(told.map(|n| n.trim().to_owned()), expected, "{}", dialect.name);
        }
    }
}

#[test]
fn name_of_a_caller_who_withholds_the_number_does_not_go_out() {
    for dialect in Dialect::ALL {
        let mut bench = pair(dialect);
        let calling = Number { presentation: Presentation::Restricted, ..Number::unknown("0815") };
        bench.call(NETWORK, Outgoing { calling: Some(calling), ..named(1, "Ann Lee") });
        bench.run_millis(50);
        let incoming = bench.incoming(USER);
        assert_eq!(incoming.name, None, "{}", dialect.name);
        let kept = incoming.calling.expect("kept for tracing");
        assert_eq!((kept.digits.as_str(), kept.shown()), ("0815", None));
    }
}

/// NI-2 announces the name in SETUP and sends it in FACILITY.
#[test]
fn name_that_comes_after_setup_is_told_on_its_own() {
    let mut bench = pair(Dialect::NI2);
    bench.call(NETWORK, outgoing(1, 1, true));
    bench.run_millis(50);
    let key = bench.incoming(USER).key;
    // FACILITY of reference 1, I frame 1 of the network.
    let name = [0xA1, 13, 2, 1, 2, 2, 1, 0, 0x80, 5, b'M', b'a', b'r', b'i', b'a'];
    let facility = [&[0x1C, 19, 0x9F, 0x8B, 1, 0][..], &name].concat();
    bench.inject(NETWORK, &[&[2, 1, 2, 0, 8, 2, 0, 1, 0x62][..], &facility].concat());
    bench.run_millis(50);
    assert_eq!(bench.one(USER), Event::Named { key, name: "Maria".into() });
}

#[test]
fn diverted_call_says_from_where_and_why() {
    for dialect in Dialect::ALL {
        let mut bench = pair(dialect);
        let number = Number { presentation: Presentation::Restricted, ..Number::unknown("4000") };
        let redirecting = Redirecting { number, reason: 15 };
        let call = Outgoing { redirecting: Some(redirecting.clone()), ..outgoing(1, 1, true) };
        bench.call(NETWORK, call);
        bench.run_millis(50);
        assert_eq!(bench.incoming(USER).redirecting, Some(redirecting));
    }
}

#[test]
fn digits_that_do_not_stand_in_setup_follow_its_acknowledgement() {
    let send = Overlap { send_first: Some(1), ..Overlap::default() };
    let receive = Overlap { receive: true, ..Overlap::default() };
    for first in [0, 1, 3, 4, 9] {
        let send = Overlap { send_first: Some(first), ..send };
        let mut bench = overlapping(send, receive, Dialect::EURO_ISDN);
        bench.call(USER, outgoing(1, 1, true));
        bench.run_millis(100);
        assert_eq!(bench.incoming(NETWORK).called.digits, "4711", "{first} in SETUP");
        // SETUP, INFORMATION with the rest and the mark that it is complete.
        assert_eq!(bench.messages(USER), [0x05, 0x7B]);
        let information = bench.call_control(USER).remove(1);
        let (_, elements) = Header::parse(&information).expect("our own");
        assert!(Body::parse(elements).sending_complete);
    }
}

/// A network side that was offered `4711` and waits for more, and when that began.
fn waiting_for_digits(digits: Option<u8>) -> (Engine, Instant) {
    let now = Instant::seconds(1);
    let overlap = Overlap { receive: true, digits, send_first: None };
    let mut network = Engine::new(PriSettings { overlap, ..PriSettings::e1(Side::Network) });
    network.link_up(now);
    let setup = [8, 2, 0, 1, 5, 4, 3, 0x80, 0x90, 0xA3, 0x18, 3, 0xA9, 0x83, 0x81];
    network.message(now, &[&setup[..], &[0x70, 5, 0x81, b'4', b'7', b'1', b'1']].concat());
    assert!(taken_in(&mut network).is_empty());
    (network, now)
}
/// The calls that were told.
fn taken_in(engine: &mut Engine) -> Vec<String> {
    std::iter::from_fn(|| engine.poll())
        .filter_map(|output| match output {
            EngineOutput::Event(Event::Incoming(call)) => Some(call.called.digits),
            _ => None,
        })
        .collect()
}
/// INFORMATION with one more digit.
fn one_more(digit: u8) -> Vec<u8> {
    vec![8, 2, 0, 1, 0x7B, 0x70, 2, 0x81, digit]
}

#[test]
fn number_is_complete_by_its_length_by_a_terminator_or_by_t302() {
    // What the receiver knows, the digits one by one, what is told.
    for (digits, more, told, after_t302) in [
        (Some(6), "12", "471112", false),
        (None, "12#", "471112", false),
        (None, "12", "471112", true),
    ] {
        let (mut network, mut now) = waiting_for_digits(digits);
        let mut all = Vec::new();
        for digit in more.bytes() {
            assert_eq!(all, Vec::<String>::new());
            now = now.plus_millis(1000);
            network.elapsed(now);
            network.message(now, &one_more(digit));
            all = taken_in(&mut network);
        }
        if after_t302 {
            // It runs anew with every digit.
            let due = now.plus_millis(15_000);
            assert_eq!((all.len(), network.deadline()), (0, Some(due)));
            network.elapsed(due);
            all = taken_in(&mut network);
        }
        assert_eq!(all, [told]);
    }
}

#[test]
fn digits_after_call_proceeding_mean_nothing_and_a_number_that_never_ends_is_cleared() {
    let (mut network, now) = waiting_for_digits(Some(5));
    network.message(now, &one_more(b'1'));
    assert_eq!(taken_in(&mut network), ["47111"]);
    network.order(now, Order::Proceed { key: LegKey(2) });
    while network.poll().is_some() {}
    network.message(now, &one_more(b'9'));
    assert_eq!(network.poll(), None);

    // No digit at all, and none comes: 28 at T302.
    let receive = Overlap { receive: true, digits: Some(4), send_first: None };
    let send = Overlap { send_first: Some(2), ..Overlap::default() };
    let mut bench = overlapping(send, receive, Dialect::NI2);
    let nobody = Outgoing { called: Number::default(), ..outgoing(1, 1, true) };
    bench.call(USER, nobody);
    bench.run_millis(15_200);
    let cause = bench.take(USER).into_iter().find_map(|event| match event {
        Event::Ended { clearing, .. } => Some(clearing.cause),
        _ => None,
    });
    assert_eq!(cause, Some(Cause::INVALID_NUMBER));
    bench.assert_idle();
}

/// The elements of the first SETUP of `settings`, in their order: code and contents.
fn setup_elements(settings: PriSettings) -> Vec<(u8, Vec<u8>)> {
    let mut engine = Engine::new(settings);
    engine.link_up(NOW);
    engine.order(NOW, Order::Call(named(1, "Ann")));
    let sent = std::iter::from_fn(|| engine.poll()).find_map(|output| match output {
        EngineOutput::Send(message) => Some(message),
        EngineOutput::Event(_) => None,
    });
    let message = sent.expect("SETUP");
    let (_, elements) = Header::parse(&message).expect("our own");
    let elements = signalling::q931::Elements::of(elements);
    elements.map(|element| (element.code, element.contents.to_vec())).collect()
}

#[test]
fn a_call_asks_for_speech_or_audio_and_for_the_service_of_the_network_that_it_is_set_to() {
    for dialect in Dialect::ALL {
        for (bearer, capability) in [(Bearer::Speech, 0x80), (Bearer::Audio, 0x90)] {
            for (side, facility) in
                [(Side::User, None), (Side::User, Some(0xE3)), (Side::Network, Some(0xE3))]
            {
                let usual = PriSettings::new(side, dialect);
                let all =
                    setup_elements(PriSettings { bearer, network_facility: facility, ..usual });
                let of = |code| all.iter().find(|(it, _)| *it == code).map(|(_, what)| &what[..]);
                // The law is the call's: `outgoing` says A-law.
                assert_eq!(of(0x04), Some(&[capability, 0x90, 0xA3][..]));
                // Without a network identification, and only towards a network.
                let wanted = facility.filter(|_| side == Side::User).map(|octet| vec![0, octet]);
                assert_eq!(of(NETWORK_FACILITIES), wanted.as_deref(), "{}", dialect.name);
                let variable = all.iter().map(|(code, _)| *code).filter(|code| code & 0x80 == 0);
                assert!(variable.is_sorted(), "{}: {all:02X?}", dialect.name);
            }
        }
    }
}

/// NI-2 sends originating line information in codeset 6; others have elements of their own in 4, 5 and 7.
#[test]
fn elements_of_other_codesets_are_passed_over_and_what_follows_them_is_read() {
    for dialect in Dialect::ALL {
        for codeset in [4_u8, 5, 6, 7] {
            let mut user = Engine::new(PriSettings::new(Side::User, dialect));
            user.link_up(NOW);
            while user.poll().is_some() {}
            let head = [8, 2, 0, 1, 5, 4, 3, 0x80, 0x90, 0xA2, 0x18, 3, 0xA9, 0x83, 0x81];
            // For one element between others, then for the rest. 01 and 08 mean something else in codeset 0.
            let once = [0x98 | codeset, 0x01, 1, 0x3D, 0x70, 2, 0x81, b'9'];
            let rest = [0x90 | codeset, 0x08, 2, 0x81, 0x91, 0x70, 2, 0x81, b'7'];
            user.message(NOW, &[&head[..], &once, &rest].concat());
            assert_eq!(taken_in(&mut user), ["9"], "{}, codeset {codeset}", dialect.name);
            assert_eq!((user.counters().bad_element, user.counters().unexpected), (0, 0));
        }
    }
}

#[test]
fn channel_taken_out_of_service_is_not_used_until_it_is_back() {
    for dialect in Dialect::ALL {
        let mut bench = pair(dialect);
        let timeslot = slot(3);
        for status in [ServiceStatus::OutOfService, ServiceStatus::InService] {
            bench.forget();
            bench.order(NETWORK, Order::Service { timeslot, status });
            bench.run_millis(100);
            let expected = vec![Event::Service { timeslot, status }];
            let expected = if dialect.has_maintenance() { expected } else { Vec::new() };
            // The far end is told, and we that it agreed.
            assert_eq!(bench.take(USER), expected, "{}", dialect.name);
            assert_eq!(bench.take(NETWORK), expected, "{}", dialect.name);
            let is_out = status == ServiceStatus::OutOfService && dialect.has_maintenance();
            bench.call(USER, outgoing(1, 3, true));
            bench.clear(USER, LegKey(1), 16);
            bench.run_millis(200);
            let refused = |event: &Event| {
                matches!(event, Event::Ended { clearing, .. }
                    if clearing.cause == Cause::CHANNEL_NOT_AVAILABLE)
            };
            assert_eq!(bench.take(USER).iter().any(refused), is_out, "{}", dialect.name);
            bench.take(NETWORK);
        }
    }
}

/// The coding is that of the message, whatever our own is.
#[test]
fn service_is_acknowledged_in_the_coding_in_which_it_came() {
    for (discriminator, service, acknowledge) in [(0x03, 0x0F, 0x07), (0x43, 0x07, 0x0F)] {
        for dialect in [Dialect::NI2, Dialect::NI1] {
            let mut bench = pair(dialect);
            let elements = [1, 1, 0xC2, 0x18, 3, 0xA9, 0x83, 0x85];
            let header = [2, 1, 0, 0, discriminator, 2, 0, 0, service];
            bench.inject(NETWORK, &[&header[..], &elements].concat());
            bench.run_millis(50);
            // The far end's link knows nothing of that frame and begins anew; then the answer goes out again.
            let mut answer = bench.call_control(USER);
            answer.dedup();
            let expected = [&[discriminator, 2, 0x80, 0, acknowledge][..], &elements].concat();
            assert_eq!(answer, [expected], "{}", dialect.name);
        }
    }
}

#[test]
fn channels_numbered_without_a_hole_are_the_same_timeslots_at_both_ends() {
    let logical = |side| PriSettings {
        numbers: ChannelNumbers::Logical,
        ..PriSettings::new(side, Dialect::QSIG)
    };
    for timeslot in [1, 15, 17, 31] {
        let mut bench = Bench::with(1, logical(Side::User), logical(Side::Network)).brought_up();
        bench.call(USER, outgoing(1, timeslot, true));
        bench.run_millis(50);
        let incoming = bench.incoming(NETWORK);
        assert_eq!(incoming.timeslot, slot(timeslot));
        bench.order(NETWORK, Order::Connect { key: incoming.key });
        bench.run_millis(50);
        let connected = Event::Connected { key: LegKey(1), timeslot: slot(timeslot) };
        assert_eq!(bench.take(USER).last(), Some(&connected));
    }
}

/// A user with a call of the network, reference 9, on timeslot 5, that is proceeding.
fn proceeding() -> Engine {
    let mut user = Engine::new(PriSettings::e1(Side::User));
    let setup = [8, 2, 0, 9, 5, 4, 3, 0x80, 0x90, 0xA3, 0x18, 3, 0xA9, 0x83, 0x85];
    user.link_up(NOW);
    user.message(NOW, &setup);
    user.message(NOW, &[8, 2, 0, 9, 0x7B, 0xA1, 0x70, 2, 0x81, b'4']);
    user.order(NOW, Order::Proceed { key: LegKey(2) });
    while user.poll().is_some() {}
    user
}

#[test]
fn setup_in_pieces_is_one_call() {
    let mut user = Engine::new(PriSettings::e1(Side::User));
    user.link_up(NOW);
    while user.poll().is_some() {}
    let first = [8, 2, 0, 9, 0x60, 0, 2, 0x81, 5, 4, 3, 0x80, 0x90, 0xA3, 0x18, 3];
    let second = [8, 2, 0, 9, 0x60, 0, 2, 0, 5, 0xA9, 0x83, 0x85, 0x70, 3, 0x81, b'4', b'2'];
    user.message(NOW, &first);
    assert_eq!((user.poll(), user.deadline()), (None, Some(Instant::seconds(5))));
    user.message(NOW, &second);
    let Some(EngineOutput::Event(Event::Incoming(call))) = user.poll() else { panic!("no call") };
    assert_eq!((call.called.digits.as_str(), call.timeslot), ("42", slot(5)));
}

#[test]
fn services_nobody_has_are_refused_in_their_own_words_and_the_call_goes_on() {
    for (request, refusal) in [(0x24, 0x30), (0x31, 0x37), (0x25, 0x21)] {
        let mut user = proceeding();
        user.message(NOW, &[8, 2, 0, 9, request]);
        let expected = vec![8, 2, 0x80, 9, refusal, 8, 2, 0x80, 0x80 | 69];
        assert_eq!(user.poll(), Some(EngineOutput::Send(expected)));
        assert_eq!((user.poll(), user.calls()), (None, 1));
    }
}

/// A peer that knows no RESTART of the interface, but that of a channel.
#[test]
fn restart_of_the_interface_that_is_not_understood_is_tried_channel_by_channel() {
    let mut user = Engine::new(PriSettings::e1(Side::User));
    let now = NOW;
    user.link_up(now);
    user.order(now, Order::Restart { timeslot: None });
    let (mut restarted, mut named) = (0, 0);
    while let Some(output) = user.poll() {
        match output {
            EngineOutput::Send(message) => {
                let (header, elements) = Header::parse(&message).expect("our own");
                assert_eq!(header.code, 0x46);
                let body = Body::parse(elements);
                match body.channel.good() {
                    // STATUS 97, restart request.
                    None => user.message(now, &[8, 2, 0x80, 0, 0x7D, 8, 2, 0x82, 0xE1, 0x14, 1, 0]),
                    Some(_) => {
                        named += 1;
                        let channel = body.channel_contents;
                        let echo = [&[8, 2, 0x80, 0, 0x4E, 0x18, 3][..], channel].concat();
                        user.message(now, &[&echo[..], &[0x79, 1, 0x80]].concat());
                    }
                }
            }
            EngineOutput::Event(Event::Restarted { timeslot }) => {
                restarted += u32::from(timeslot.is_some());
            }
            EngineOutput::Event(_) => {}
        }
    }
    assert_eq!((named, restarted), (30, 30));
}

#[test]
fn speech_is_asked_for_in_the_law_of_the_order() {
    for (law, coding) in [(Law::A, 0xA3), (Law::Mu, 0xA2)] {
        let mut bench = pair(Dialect::NI2);
        bench.call(USER, Outgoing { law, ..outgoing(1, 1, true) });
        let setup = bench.call_control(USER).remove(0);
        assert!(setup.windows(5).any(|part| part == [4, 3, 0x80, 0x90, coding]));
    }
}
