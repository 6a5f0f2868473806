//! The procedures that are often got wrong, each told as one story.

use tdm::Instant;

use super::*;
use crate::{LinkSettings, Side};

const START: Instant = Instant::seconds(1);
const T200_MILLIS: u64 = 1000;

// Frames of the user (we) and of the network (the peer), by hand. Commands of the network carry the bit.
const SABME: [u8; 3] = [0x00, 0x01, 0x7F];
const PEER_SABME: [u8; 3] = [0x02, 0x01, 0x7F];
const UA: [u8; 3] = [0x02, 0x01, 0x73];
const PEER_UA: [u8; 3] = [0x00, 0x01, 0x73];
const PEER_DISC: [u8; 3] = [0x02, 0x01, 0x53];
const DISC: [u8; 3] = [0x00, 0x01, 0x53];
const DM: [u8; 3] = [0x02, 0x01, 0x1F];

fn peer_dm(last: bool) -> [u8; 3] {
    [0x00, 0x01, 0x0F | u8::from(last) << 4]
}
fn supervisory(address: u8, kind: u8, nr: u8, poll: bool) -> [u8; 4] {
    [address, 0x01, kind, nr << 1 | u8::from(poll)]
}
fn rr(nr: u8, last: bool) -> Vec<u8> {
    supervisory(0x02, 0x01, nr, last).to_vec()
}
fn poll(nr: u8) -> Vec<u8> {
    supervisory(0x00, 0x01, nr, true).to_vec()
}
fn peer_rr(nr: u8, last: bool) -> [u8; 4] {
    supervisory(0x00, 0x01, nr, last)
}
fn peer_poll(nr: u8) -> [u8; 4] {
    supervisory(0x02, 0x01, nr, true)
}
fn peer_rnr(nr: u8, last: bool) -> [u8; 4] {
    supervisory(0x00, 0x05, nr, last)
}
fn peer_rej(nr: u8) -> [u8; 4] {
    supervisory(0x00, 0x09, nr, false)
}
fn information(ns: u8, nr: u8, text: &[u8]) -> Vec<u8> {
    [&[0x00, 0x01, ns << 1, nr << 1], text].concat()
}
fn peer_information(ns: u8, nr: u8, poll: bool, text: &[u8]) -> Vec<u8> {
    [&[0x02, 0x01, ns << 1, nr << 1 | u8::from(poll)], text].concat()
}

struct Rig {
    link: Link,
    now: Instant,
    events: Vec<LinkEvent>,
    deadline: Option<Instant>,
}

impl Rig {
    fn down() -> Self {
        let link = Link::new(Side::User, LinkSettings::default());
        Self { link, now: START, events: Vec::new(), deadline: None }
    }
    /// Established, state 7, all numbers zero.
    fn up() -> Self {
        let mut rig = Self::down();
        rig.link.start(rig.now);
        assert_eq!(rig.said(), [SABME]);
        assert!(rig.hears(&PEER_UA).is_empty());
        assert_eq!(rig.told(), [LinkEvent::Up]);
        rig
    }
    /// What goes out until the link waits.
    fn said(&mut self) -> Vec<Vec<u8>> {
        let mut said = Vec::new();
        loop {
            match self.link.poll() {
                LinkOutput::Transmit(frame) => said.push(frame.octets().to_vec()),
                LinkOutput::Event(event) => self.events.push(event),
                LinkOutput::Wait(deadline) => {
                    self.deadline = deadline;
                    return said;
                }
            }
        }
    }
    fn hears(&mut self, frame: &[u8]) -> Vec<Vec<u8>> {
        self.link.handle_frame(self.now, frame);
        self.said()
    }
    fn sends(&mut self, text: &[u8]) -> Vec<Vec<u8>> {
        assert!(self.link.send(self.now, text));
        self.said()
    }
    /// On to the next deadline.
    fn elapses(&mut self) -> Vec<Vec<u8>> {
        self.now = self.deadline.expect("a timer runs");
        self.link.elapsed(self.now);
        self.said()
    }
    fn told(&mut self) -> Vec<LinkEvent> {
        std::mem::take(&mut self.events)
    }
    fn faults(&self, fault: Fault) -> u64 {
        self.link.faults().of(fault)
    }
}

#[test]
fn both_ends_start_at_once_and_each_waits_for_the_answer_to_its_own_sabme() {
    let mut rig = Rig::down();
    rig.link.start(START);
    assert_eq!(rig.said(), [SABME]);
    assert_eq!(rig.hears(&PEER_SABME), [UA]);
    assert_eq!(rig.told(), []);
    assert!(rig.hears(&PEER_UA).is_empty());
    assert_eq!(rig.told(), [LinkEvent::Up]);
}

#[test]
fn nobody_there_is_called_four_times_and_then_again_for_ever() {
    let mut rig = Rig::down();
    rig.link.start(START);
    let mut sabmes = rig.said().len();
    for _ in 0..1000 {
        sabmes += rig.elapses().len();
    }
    // 1 + N200 SABMEs in 4 s, then a pause of 1 s: four in five wakings.
    assert_eq!(sabmes, 801);
    assert_eq!(rig.faults(Fault::EstablishUnanswered), 200);
    assert_eq!(rig.told(), []);
}

#[test]
fn sabme_on_an_established_link_resets_it_and_says_so_only_when_something_was_outstanding() {
    let mut rig = Rig::up();
    assert_eq!(rig.hears(&PEER_SABME), [UA]);
    assert_eq!(rig.told(), [LinkEvent::Renewed]);
    assert_eq!(rig.sends(b"lost"), [information(0, 0, b"lost")]);
    assert_eq!(rig.hears(&PEER_SABME), [UA]);
    assert_eq!(rig.told(), [LinkEvent::Reset { unacknowledged: vec![b"lost".to_vec()] }]);
    assert_eq!(rig.faults(Fault::PeerReestablished), 2);
    assert_eq!(rig.sends(b"new"), [information(0, 0, b"new")]);
}

#[test]
fn disc_takes_the_link_down_and_it_comes_up_again_by_itself() {
    let mut rig = Rig::up();
    assert_eq!(rig.hears(&PEER_DISC), [UA]);
    assert_eq!(rig.told(), [LinkEvent::Down]);
    assert!(!rig.link.send(rig.now, b"nobody hears"));
    assert_eq!(rig.elapses(), [SABME]);
    assert_eq!(rig.now, START.plus_millis(T200_MILLIS));
    rig.hears(&PEER_UA);
    assert_eq!(rig.told(), [LinkEvent::Up]);
}

#[test]
fn disc_and_sabme_are_answered_in_every_state_as_the_table_says() {
    let mut down = Rig::up();
    down.hears(&PEER_DISC);
    assert_eq!(down.hears(&PEER_DISC), [DM]);
    assert_eq!(down.hears(&PEER_SABME), [UA]);
    let mut releasing = Rig::up();
    releasing.link.release(START);
    assert_eq!(releasing.said(), [DISC]);
    assert_eq!(releasing.hears(&PEER_SABME), [DM]);
    assert_eq!(releasing.hears(&PEER_DISC), [UA]);
    assert!(releasing.hears(&PEER_UA).is_empty());
    assert_eq!(releasing.told(), [LinkEvent::Down]);
    assert_eq!(releasing.deadline, None);
}

#[test]
fn dm_refuses_invites_or_reestablishes_by_state_and_final_bit() {
    let mut refused = Rig::down();
    refused.link.start(START);
    refused.said();
    assert!(refused.hears(&peer_dm(false)).is_empty());
    assert!(refused.hears(&peer_dm(true)).is_empty());
    assert_eq!(refused.hears(&peer_dm(false)), [SABME], "an invitation in state 4");
    let mut up = Rig::up();
    assert!(up.hears(&peer_dm(true)).is_empty(), "only logged in state 7");
    assert_eq!(up.faults(Fault::UnexpectedDmFinal), 1);
    assert_eq!(up.hears(&peer_dm(false)), [SABME]);
    let mut recovering = Rig::up();
    assert_eq!(recovering.elapses(), [poll(0)]);
    assert_eq!(recovering.hears(&peer_dm(true)), [SABME], "both do in state 8");
}

#[test]
fn unexpected_ua_is_logged_and_changes_nothing() {
    let mut rig = Rig::up();
    assert!(rig.hears(&PEER_UA).is_empty());
    assert!(rig.hears(&[0x00, 0x01, 0x63]).is_empty());
    assert_eq!([Fault::UnexpectedUaFinal, Fault::UnexpectedUa].map(|f| rig.faults(f)), [1, 1]);
    assert!(rig.link.is_up());
}

#[test]
fn message_in_sequence_is_delivered_and_acknowledged_by_itself_when_nothing_follows() {
    let mut rig = Rig::up();
    assert_eq!(rig.hears(&peer_information(0, 0, false, b"a")), [rr(1, false)]);
    assert_eq!(rig.hears(&peer_information(1, 0, true, b"b")), [rr(2, true)]);
    let messages = [b"a", b"b"].map(|text| LinkEvent::Message(text.to_vec()));
    assert_eq!(rig.told(), messages);
}

#[test]
fn acknowledgement_rides_on_a_message_that_goes_out_anyway() {
    let mut rig = Rig::up();
    rig.link.handle_frame(START, &peer_information(0, 0, false, b"a"));
    assert!(rig.link.poll_early().is_some(), "the message");
    assert!(rig.link.poll_early().is_none(), "no acknowledgement yet");
    assert_eq!(rig.sends(b"answer"), [information(0, 1, b"answer")]);
}

#[test]
fn gap_is_rejected_once_and_polls_meanwhile_are_answered() {
    let mut rig = Rig::up();
    let rej = supervisory(0x02, 0x09, 0, false).to_vec();
    assert_eq!(rig.hears(&peer_information(1, 0, false, b"b")), [rej]);
    assert!(rig.hears(&peer_information(2, 0, false, b"c")).is_empty());
    assert_eq!(rig.hears(&peer_information(3, 0, true, b"d")), [rr(0, true)]);
    assert_eq!(rig.told(), []);
    assert_eq!(rig.hears(&peer_information(0, 0, false, b"a")), [rr(1, false)]);
    // The exception is over: the next gap is rejected again.
    let rej = supervisory(0x02, 0x09, 1, true).to_vec();
    assert_eq!(rig.hears(&peer_information(2, 0, true, b"c")), [rej], "F copies P");
}

#[test]
fn own_receiver_busy_drops_messages_and_answers_only_polls() {
    let mut rig = Rig::up();
    rig.sends(b"x");
    rig.link.set_busy(true);
    assert_eq!(rig.said(), [supervisory(0x02, 0x05, 0, false)]);
    assert!(rig.hears(&peer_information(0, 1, false, b"a")).is_empty());
    let busy = supervisory(0x02, 0x05, 0, true).to_vec();
    assert_eq!(rig.hears(&peer_information(0, 1, true, b"a")), [busy]);
    assert_eq!(rig.told(), []);
    // Its acknowledgement counted all the same: nothing is outstanding.
    assert_eq!(rig.link.backlog(), 0);
    // What was thrown away is asked for at once: the peer need not wait for its T200.
    rig.link.set_busy(false);
    assert_eq!(rig.said(), [supervisory(0x02, 0x09, 0, false)]);
    assert_eq!(rig.hears(&peer_information(0, 1, false, b"a")), [rr(1, false)]);
    assert_eq!(rig.told(), [LinkEvent::Message(b"a".to_vec())]);
}

#[test]
fn own_receiver_busy_is_said_again_on_a_link_that_begins_anew_and_ends_with_rr_where_nothing_came()
{
    let mut rig = Rig::up();
    rig.link.set_busy(true);
    assert_eq!(rig.said(), [supervisory(0x02, 0x05, 0, false)]);
    assert!(rig.hears(&peer_information(0, 0, false, b"a")).is_empty());
    let anew = [UA.to_vec(), supervisory(0x02, 0x05, 0, false).to_vec()];
    assert_eq!(rig.hears(&PEER_SABME), anew);
    rig.link.set_busy(false);
    assert_eq!(rig.said(), [rr(0, false)]);
    assert_eq!(rig.hears(&peer_information(0, 0, false, b"b")), [rr(1, false)]);
}

#[test]
fn window_holds_seven_messages_and_opens_with_each_acknowledgement() {
    let mut rig = Rig::up();
    let texts: Vec<Vec<u8>> = (0..300_u16).map(|n| n.to_be_bytes().to_vec()).collect();
    for text in &texts {
        assert!(rig.link.send(START, text));
    }
    assert_eq!(rig.said().len(), 7);
    // Numbers wrap at 128 on the way.
    for (nr, next) in (1..=293_u16).zip(7_usize..) {
        let said = rig.hears(&peer_rr((nr % 128) as u8, false));
        assert_eq!(said, [information((next % 128) as u8, 0, &texts[next])]);
    }
    assert!(rig.hears(&peer_rr((300_u16 % 128) as u8, false)).is_empty());
    assert_eq!(rig.link.backlog(), 0);
    assert_eq!(rig.link.faults().total(), 0);
}

#[test]
fn rej_brings_everything_from_its_number_again() {
    let mut rig = Rig::up();
    for text in [b"a", b"b", b"c"] {
        rig.sends(text);
    }
    assert_eq!(rig.hears(&peer_rej(1)), [information(1, 0, b"b"), information(2, 0, b"c")]);
    let command = supervisory(0x02, 0x09, 2, true);
    let said = rig.hears(&command);
    assert_eq!(said, [rr(0, true), information(2, 0, b"c")], "the answer to its poll goes first");
}

#[test]
fn acknowledgement_of_what_was_never_sent_reestablishes() {
    let mut rig = Rig::up();
    rig.sends(b"a");
    assert_eq!(rig.hears(&peer_rr(2, false)), [SABME]);
    assert_eq!(rig.faults(Fault::WrongReceiveNumber), 1);
    rig.hears(&PEER_UA);
    assert_eq!(rig.told(), [LinkEvent::Reset { unacknowledged: vec![b"a".to_vec()] }]);
}

#[test]
fn lost_message_is_polled_for_and_sent_again_from_where_the_answer_says() {
    let mut rig = Rig::up();
    rig.sends(b"a");
    rig.sends(b"b");
    assert_eq!(rig.elapses(), [poll(0)]);
    assert_eq!(rig.now, START.plus_millis(T200_MILLIS));
    assert!(rig.sends(b"c").is_empty(), "no new messages in state 8");
    // Only the answer ends the recovery, not what crosses it.
    assert!(rig.hears(&peer_rr(0, false)).is_empty());
    let again = [information(1, 0, b"b"), information(2, 0, b"c")];
    assert_eq!(rig.hears(&peer_rr(1, true)), again);
    assert_eq!(rig.faults(Fault::UnexpectedFinal), 0);
}

#[test]
fn command_with_poll_during_recovery_is_answered_and_only_moves_the_acknowledgement() {
    let mut rig = Rig::up();
    rig.sends(b"a");
    rig.elapses();
    assert_eq!(rig.hears(&peer_poll(1)), [rr(0, true)]);
    assert_eq!(rig.link.backlog(), 0);
    assert_eq!(rig.elapses(), [poll(0)], "still recovering");
}

#[test]
fn three_polls_after_t200_and_four_after_t203_go_unanswered_before_the_link_is_called_anew() {
    let mut busy = Rig::up();
    busy.sends(b"a");
    let said: Vec<_> = (0..4).flat_map(|_| busy.elapses()).collect();
    assert_eq!(said, [poll(0), poll(0), poll(0), SABME.to_vec()]);
    assert_eq!(busy.faults(Fault::PollUnanswered), 1);
    let mut idle = Rig::up();
    let said: Vec<_> = (0..5).flat_map(|_| idle.elapses()).collect();
    assert_eq!(said, [poll(0), poll(0), poll(0), poll(0), SABME.to_vec()]);
    assert_eq!(idle.now, START.plus_millis(10_000 + 4 * T200_MILLIS));
}

#[test]
fn dead_peer_is_told_as_down_and_called_for_ever() {
    let mut rig = Rig::up();
    let mut sabmes = 0;
    for _ in 0..100 {
        sabmes += rig.elapses().iter().filter(|frame| **frame == SABME).count();
    }
    assert_eq!(rig.told(), [LinkEvent::Down]);
    assert!(sabmes > 70, "{sabmes}");
}

#[test]
fn busy_peer_is_polled_and_gets_the_rest_when_it_is_ready() {
    let mut rig = Rig::up();
    rig.sends(b"a");
    assert!(rig.hears(&peer_rnr(1, false)).is_empty());
    assert!(rig.sends(b"b").is_empty());
    for _ in 0..20 {
        assert_eq!(rig.elapses(), [poll(0)], "polled for as long as it answers");
        assert!(rig.hears(&peer_rnr(1, true)).is_empty());
    }
    assert_eq!(rig.hears(&peer_rr(1, false)), [information(1, 0, b"b")]);
    assert!(rig.link.is_up());
}

#[test]
fn supervisory_final_nobody_asked_for_is_logged_and_its_number_counts() {
    let mut rig = Rig::up();
    rig.sends(b"a");
    assert!(rig.hears(&peer_rr(1, true)).is_empty());
    assert_eq!(rig.faults(Fault::UnexpectedFinal), 1);
    assert_eq!(rig.link.backlog(), 0);
}

#[test]
fn idle_link_is_polled_every_t203_and_traffic_puts_the_poll_off() {
    let mut rig = Rig::up();
    rig.now = START.plus_millis(9000);
    rig.hears(&peer_information(0, 0, false, b"a"));
    assert_eq!(rig.deadline, Some(START.plus_millis(19_000)));
    assert_eq!(rig.elapses(), [poll(1)]);
    assert!(rig.hears(&peer_rr(0, true)).is_empty());
    assert_eq!(rig.deadline, Some(rig.now.plus_millis(10_000)));
}

#[test]
fn stray_octet_behind_dm_and_disc_is_tolerated_and_other_violations_reestablish() {
    let mut rig = Rig::up();
    assert_eq!(rig.hears(&[0x02, 0x01, 0x53, 0x00]), [UA]);
    assert_eq!(rig.faults(Fault::UnexpectedInformation), 1);
    let long = peer_information(0, 0, false, &[0; 261]);
    let violations: [(&[u8], Fault); 4] = [
        (&[0x02, 0x01, 0x01, 0x00, 0x00], Fault::WrongLength),
        (&[0x02, 0x01, 0x33], Fault::UndefinedControl),
        (&[0x00, 0x01, 0x97, 0, 0, 0, 0, 0], Fault::FrameReject),
        (&long, Fault::InformationTooLong),
    ];
    for (frame, fault) in violations {
        let mut rig = Rig::up();
        assert_eq!(rig.hears(frame), [SABME], "{fault:?}");
        assert_eq!(rig.faults(fault), 1);
    }
}

#[test]
fn two_users_facing_each_other_are_found_out_and_other_addresses_ignored() {
    let mut rig = Rig::down();
    rig.link.start(START);
    rig.said();
    assert!(rig.hears(&SABME).is_empty());
    assert_eq!(rig.faults(Fault::SameSide), 1);
    // TEI management: identity check request.
    assert!(rig.hears(&[0xFE, 0xFF, 0x03, 0x0F, 0, 0, 4, 0xFF]).is_empty());
    assert_eq!(rig.faults(Fault::OtherAddress), 1);
}

#[test]
fn line_that_is_down_neither_hears_nor_speaks() {
    let mut rig = Rig::up();
    rig.link.stop();
    assert!(rig.said().is_empty());
    assert_eq!((rig.told(), rig.deadline), (vec![LinkEvent::Down], None));
    assert!(rig.hears(&PEER_SABME).is_empty());
    rig.link.start(START);
    assert_eq!(rig.said(), [SABME]);
}

#[test]
fn faults_carry_the_letters_of_the_standard() {
    let letters: String = [
        Fault::UnexpectedFinal,
        Fault::PeerReestablished,
        Fault::PollUnanswered,
        Fault::WrongReceiveNumber,
        Fault::InformationTooLong,
        Fault::SameSide,
    ]
    .map(Fault::letter)
    .into_iter()
    .collect();
    assert_eq!(letters, "AFIJO-");
}
