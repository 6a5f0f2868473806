//! One damaged frame of every kind, thrown at an interface with calls up: it is answered as the standards say, and
//! the calls beside it do not notice. The peer is written here, frame by frame.

mod bench;

use bench::{outgoing, slot};
use signalling::lapd::Fault;
use signalling::pri::Interface;
use signalling::q931::{Body, Header};
use signalling::{Event, InterfaceOutput, LegKey, Order, PriSettings, Side};
use tdm::Instant;

const NOW: Instant = Instant::seconds(1);
/// Calls of ours, references 1 to 3, answered.
const BYSTANDERS: u8 = 3;
/// The call that gets the damage: reference 4 of ours, proceeding.
const VICTIM: u8 = 4;

/// A user's interface and what its peer, a network, must remember to speak to it.
struct Stage {
    user: Interface,
    /// N(S) of the network's next I frame, and of the user's.
    sends: u8,
    expects: u8,
    frames: Vec<Vec<u8>>,
    messages: Vec<Vec<u8>>,
    events: Vec<Event>,
}

impl Stage {
    fn new() -> Self {
        let user = Interface::new(PriSettings::e1(Side::User));
        let (frames, messages, events) = (Vec::new(), Vec::new(), Vec::new());
        let mut stage = Self { user, sends: 0, expects: 0, frames, messages, events };
        stage.user.order(NOW, Order::Line { up: true });
        stage.drain();
        stage.throw(&[0, 1, 0x73]);
        for n in 1..=VICTIM {
            let key = 2 * u32::from(n) - 1;
            stage.user.order(NOW, Order::Call(outgoing(key, usize::from(n), true)));
            stage.drain();
            stage.say(&[8, 2, 0x80, n, 2, 0x18, 3, 0xA9, 0x83, 0x80 | n]);
            if n <= BYSTANDERS {
                stage.say(&[8, 2, 0x80, n, 7]);
            }
        }
        stage.forget();
        stage
    }
    fn forget(&mut self) {
        self.frames.clear();
        self.messages.clear();
        self.events.clear();
    }
    fn drain(&mut self) {
        loop {
            match self.user.poll() {
                InterfaceOutput::Transmit(frame) => {
                    let octets = frame.octets().to_vec();
                    if octets.get(2).is_some_and(|control| control & 1 == 0) {
                        self.expects = (self.expects + 1) % 128;
                        self.messages.push(octets[4..].to_vec());
                    }
                    if octets.get(2) == Some(&0x7F) {
                        // Established anew: both count from zero.
                        (self.sends, self.expects) = (0, 0);
                    }
                    self.frames.push(octets);
                }
                InterfaceOutput::Event(event) => self.events.push(event),
                InterfaceOutput::Wait(_) => return,
            }
        }
    }
    /// A frame as it is.
    fn throw(&mut self, frame: &[u8]) {
        self.user.handle_frame(NOW, frame);
        self.drain();
    }
    /// A message in a sound I frame.
    fn say(&mut self, message: &[u8]) {
        let header = [2, 1, self.sends << 1, self.expects << 1];
        self.sends = (self.sends + 1) % 128;
        self.throw(&[&header[..], message].concat());
    }
    /// Code, cause and state of what was said to the peer.
    fn answers(&self) -> Vec<(u8, Option<u8>, Option<u8>)> {
        let understand = |message: &Vec<u8>| {
            let (header, elements) = Header::parse(message).expect("our own message");
            let body = Body::parse(elements);
            let cause = body.cause.good().map(|element| element.cause.0);
            (header.code, cause, body.call_state.good().copied())
        };
        self.messages.iter().map(understand).collect()
    }
    fn was_reestablished(&self) -> bool {
        self.frames.iter().any(|frame| frame.get(2) == Some(&0x7F))
    }
    /// Every bystander is active, says so when asked, and nobody was told anything about it.
    fn assert_bystanders_noticed_nothing(&mut self, what: &str) {
        let touched = self.events.iter().any(|event| match event {
            Event::Clearing { key, .. }
            | Event::Ended { key, .. }
            | Event::Progress { key, .. } => key.0 < 2 * u32::from(VICTIM) - 1,
            _ => false,
        });
        assert!(!touched, "{what}: {:?}", self.events);
        for n in 1..=BYSTANDERS {
            self.messages.clear();
            self.say(&[8, 2, 0x80, n, 0x75]);
            assert_eq!(self.answers(), [(0x7D, Some(30), Some(10))], "{what}: call {n}");
        }
    }
}

type Answer = (u8, Option<u8>, Option<u8>);

#[test]
fn every_kind_of_damaged_message_is_answered_as_the_standard_says_and_no_other_call_notices() {
    let v = VICTIM;
    let status = |cause| vec![(0x7D, Some(cause), Some(3))];
    let setup = |elements: &[u8]| [&[8, 2, 0, 9, 5][..], elements].concat();
    let bearer = [4, 3, 0x80, 0x90, 0xA3];
    let channel = [0x18, 3, 0xA9, 0x83, 0x85];
    let number = [0x70, 2, 0x81, b'9'];
    let refused = |cause| vec![(0x5A, Some(cause), None)];
    let none: Vec<Answer> = Vec::new();
    let cases: Vec<(&str, Vec<u8>, Vec<Answer>)> = vec![
        ("nothing at all", vec![], none.clone()),
        ("wrong discriminator", vec![9, 2, 0x80, v, 0x45], none.clone()),
        ("maintenance where there is none", vec![3, 2, 0, 0, 0x0F, 1, 1, 0xC0], none.clone()),
        ("reference of length 1", vec![8, 1, v, 0x45], none.clone()),
        ("reference of length 15", vec![8, 15, 0x80, v, 0x45], none.clone()),
        ("dummy reference", vec![8, 0, 0x62], none.clone()),
        ("cut in the reference", vec![8, 2, 0x80], none.clone()),
        ("cut before the message type", vec![8, 2, 0x80, v], none.clone()),
        ("unknown message", vec![8, 2, 0x80, v, 0x5F], status(97)),
        ("message of another state", vec![8, 2, 0x80, v, 0x0F], status(101)),
        ("SETUP ACKNOWLEDGE after CALL PROCEEDING", vec![8, 2, 0x80, v, 0x0D], status(101)),
        ("RESUME on a call", vec![8, 2, 0x80, v, 0x26], status(101)),
        ("PROGRESS without its indicator", vec![8, 2, 0x80, v, 3], status(96)),
        ("PROGRESS with a bad one", vec![8, 2, 0x80, v, 3, 0x1E, 1, 0x80], status(100)),
        ("element that must be understood", vec![8, 2, 0x80, v, 1, 0x0F, 1, 1], status(96)),
        ("length past the end", vec![8, 2, 0x80, v, 3, 0x1E, 9, 0x80], status(96)),
        ("SETUP with nothing in it", setup(&[]), refused(96)),
        ("SETUP without bearer", setup(&[&channel[..], &number].concat()), refused(96)),
        ("SETUP without channel", setup(&[&bearer[..], &number].concat()), refused(96)),
        ("SETUP with a bad bearer", setup(&[&[4, 1, 0x80][..], &channel].concat()), refused(100)),
        (
            "SETUP on a channel in use",
            { setup(&[&bearer[..], &[0x18, 3, 0xA9, 0x83, 0x81], &number].concat()) },
            refused(44),
        ),
        (
            "SETUP on timeslot 16",
            { setup(&[&bearer[..], &[0x18, 3, 0xA9, 0x83, 0x90], &number].concat()) },
            refused(44),
        ),
        ("SETUP that claims to be ours", vec![8, 2, 0x80, 99, 5], none.clone()),
        ("RELEASE on an unknown call", vec![8, 2, 0, 99, 0x4D], refused(81)),
        ("RELEASE COMPLETE on an unknown call", vec![8, 2, 0, 99, 0x5A], none.clone()),
        ("CONNECT on an unknown call", vec![8, 2, 0, 99, 7], refused(81)),
        (
            "STATUS 10 on an unknown call",
            { vec![8, 2, 0, 99, 0x7D, 8, 2, 0x80, 0x9E, 0x14, 1, 10] },
            refused(101),
        ),
        (
            "STATUS 0 on an unknown call",
            { vec![8, 2, 0, 99, 0x7D, 8, 2, 0x80, 0x9E, 0x14, 1, 0] },
            none.clone(),
        ),
        ("STATUS without a state", vec![8, 2, 0x80, v, 0x7D, 8, 2, 0x80, 0x9E], none.clone()),
        ("STATUS ENQUIRY on an unknown call", vec![8, 2, 0, 99, 0x75], {
            vec![(0x7D, Some(30), Some(0))]
        }),
        ("SETUP on the global reference", vec![8, 2, 0, 0, 5], vec![(0x7D, Some(81), Some(0))]),
        ("RESTART without indicator", vec![8, 2, 0, 0, 0x46], vec![(0x7D, Some(96), Some(0))]),
        ("RESTART of a class nobody has", vec![8, 2, 0, 0, 0x46, 0x79, 1, 0x83], {
            vec![(0x7D, Some(100), Some(0))]
        }),
        ("DISCONNECT without cause", vec![8, 2, 0x80, v, 0x45], vec![(0x4D, Some(96), None)]),
        (
            "DISCONNECT with an unknown element",
            { vec![8, 2, 0x80, v, 0x45, 8, 2, 0x80, 0x90, 0x55, 1, 1] },
            vec![(0x4D, Some(99), None)],
        ),
        ("RELEASE out of order", vec![8, 2, 0x80, v, 0x4D, 8, 2, 0x80, 0x90], {
            vec![(0x5A, None, None)]
        }),
        ("segment of nothing", vec![8, 2, 0x80, v, 0x60, 0, 2, 0, 7], none.clone()),
        ("segment without its element", vec![8, 2, 0x80, v, 0x60], none),
    ];
    for (what, message, answer) in cases {
        let mut stage = Stage::new();
        stage.say(&message);
        assert_eq!(stage.answers(), answer, "{what}");
        assert!(!stage.was_reestablished(), "{what}");
        stage.assert_bystanders_noticed_nothing(what);
        // And the next call of the peer is an ordinary one.
        stage.forget();
        stage.say(
            &[&[8, 2, 0, 50, 5, 0xA1][..], &bearer, &[0x18, 3, 0xA9, 0x83, 0x8A], &number].concat(),
        );
        let incoming = stage
            .events
            .iter()
            .any(|e| matches!(e, Event::Incoming(call) if call.timeslot == slot(10)));
        assert!(incoming, "{what}: {:?}", stage.events);
    }
}

#[test]
fn every_kind_of_damaged_frame_is_counted_by_its_letter_and_costs_no_call() {
    let long = [&[2, 1, 8 << 1, 4 << 1][..], &[8; 261]].concat();
    // What it is, the frame, its letter, whether the link begins anew.
    let cases: Vec<(&str, Vec<u8>, Fault, bool)> = vec![
        ("undefined control", vec![2, 1, 0x3F], Fault::UndefinedControl, true),
        ("information behind RR", vec![0, 1, 1, 8, 9, 9], Fault::WrongLength, true),
        ("cut S frame", vec![0, 1, 1], Fault::TooShort, false),
        ("cut I frame", vec![2, 1, 8 << 1], Fault::TooShort, false),
        ("an address and nothing else", vec![2, 1], Fault::TooShort, false),
        (
            "management with an undefined control",
            vec![0xFC, 0xFF, 0xEF],
            Fault::OtherAddress,
            false,
        ),
        ("another service with one", vec![0x40, 3, 0xEF], Fault::OtherAddress, false),
        ("another service, cut", vec![0x40, 3, 1], Fault::OtherAddress, false),
        ("another terminal with one", vec![2, 3, 0x3F], Fault::OtherAddress, false),
        ("too much information", long, Fault::InformationTooLong, true),
        ("N(R) of a frame never sent", vec![0, 1, 1, 99 << 1], Fault::WrongReceiveNumber, true),
        ("FRMR", vec![0, 1, 0x87, 0, 0, 0, 0, 0], Fault::FrameReject, true),
        ("DM with F = 0", vec![0, 1, 0x0F], Fault::UnexpectedDm, true),
        ("DM with F = 1", vec![0, 1, 0x1F], Fault::UnexpectedDmFinal, false),
        ("UA nobody asked for", vec![0, 1, 0x73], Fault::UnexpectedUaFinal, false),
        ("UA with F = 0", vec![0, 1, 0x63], Fault::UnexpectedUa, false),
        ("S response with F = 1", vec![0, 1, 1, 7 << 1 | 1], Fault::UnexpectedFinal, false),
        ("our own frame back", vec![0, 1, 8 << 1, 8, 8, 2], Fault::SameSide, false),
        ("another terminal", vec![2, 0xFF, 3, 0x0F], Fault::OtherAddress, false),
        ("an address without its end", vec![2, 0, 0x7F], Fault::OtherAddress, false),
    ];
    for (what, frame, fault, anew) in cases {
        let mut stage = Stage::new();
        stage.throw(&frame);
        assert_eq!(stage.user.link_faults().of(fault), 1, "{what}");
        assert_eq!(stage.was_reestablished(), anew, "{what}");
        if anew {
            stage.throw(&[0, 1, 0x73]);
        }
        stage.assert_bystanders_noticed_nothing(what);
    }
}

/// Receiver not ready: nothing is sent until it is ready, polls are answered, nothing is lost.
#[test]
fn busy_peer_is_waited_for_and_asked_and_no_call_notices() {
    let mut stage = Stage::new();
    let expects = stage.expects;
    stage.throw(&[0, 1, 5, expects << 1]);
    stage.user.order(NOW, Order::Clear { key: LegKey(7), cause: call::Cause(16), in_band: false });
    stage.drain();
    assert!(stage.messages.is_empty(), "sent to a busy peer: {:?}", stage.messages);
    let later = NOW.plus_millis(1000);
    stage.user.elapsed(later);
    stage.drain();
    assert_eq!(stage.frames.last().map(|f| f[2..].to_vec()), Some(vec![1, stage.sends << 1 | 1]));
    stage.user.handle_frame(later, &[0, 1, 1, expects << 1 | 1]);
    stage.drain();
    assert_eq!(stage.answers(), [(0x45, Some(16), None)]);
    stage.assert_bystanders_noticed_nothing("busy peer");
}

/// Empty I frames, UI and XID carry nothing for us, and are no reason for anything.
#[test]
fn management_and_identification_are_passed_over() {
    let mut stage = Stage::new();
    for frame in [&[2, 1, 0xAF, 0x82][..], &[2, 1, 0x03], &[0xFE, 0xFF, 3, 0x0F, 0, 1, 4, 0xFF]] {
        stage.throw(frame);
        assert!(!stage.was_reestablished() && stage.messages.is_empty(), "{frame:02X?}");
    }
    stage.say(&[]);
    stage.assert_bystanders_noticed_nothing("management");
}
