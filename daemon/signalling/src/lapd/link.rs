//! The data link of one D-channel. Q.921, §5, states 4 to 8.

use std::collections::VecDeque;

use tdm::Instant;

use super::fault::{Fault, Faults};
use super::frame::{Control, Frame, FrameError, Supervisory};
use super::sequence::Sequence;
use crate::{LinkSettings, Side};

/// Messages a link keeps, acknowledged or not: a busy second of a full interface many times over.
pub const QUEUE_MESSAGES_MAX: usize = 4096;

/// What the link tells layer 3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkEvent {
    /// Established, after it was down.
    Up,
    /// Established anew without having been down. Whether the peer has these messages, oldest first, nobody knows:
    /// they were not acknowledged, and the link has thrown them away (§5.5.1.2).
    Reset {
        /// What went to [`Link::send`] and may be lost.
        unacknowledged: Vec<Vec<u8>>,
    },
    /// Established anew without having been down; nothing was on its way. The peer may have started afresh.
    Renewed,
    /// Down. The link goes on trying by itself as long as the line is up.
    Down,
    /// A message of the peer.
    Message(Vec<u8>),
}

/// What [`Link::poll`] yields.
// A frame is handed on at once and by value: boxing it would cost more than its size.
#[allow(clippy::large_enum_variant)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkOutput {
    /// A frame for the line, without FCS.
    Transmit(tdm::Frame),
    /// Something for layer 3.
    Event(LinkEvent),
    /// Nothing more; wake me then.
    Wait(Option<Instant>),
}

/// What is watched over in state 7: one of the two always runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Supervision {
    /// T200: something is outstanding, or the peer is busy.
    Acknowledgement(Instant),
    /// T203: nothing is.
    Idle(Instant),
}

/// Q.921, §5: the states of a terminal with its TEI assigned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// 4. `retry`: when to try again; never while the line is down.
    Down { retry: Option<Instant> },
    /// 5: SABME is out.
    Establishing { due: Instant, repeats: u8 },
    /// 6: DISC is out.
    Releasing { due: Instant, repeats: u8 },
    /// 7.
    Established(Supervision),
    /// 8: a poll is out.
    Recovering { due: Instant, polls: u8 },
}

/// One end of a data link. Starts with its line down.
pub struct Link {
    side: Side,
    settings: LinkSettings,
    /// The physical line is there; without it nothing is heard and nothing said.
    line: bool,
    state: State,
    /// What layer 3 believes.
    reported_up: bool,
    /// V(S), V(A), V(R).
    send: Sequence,
    acknowledged: Sequence,
    receive: Sequence,
    peer_busy: bool,
    own_busy: bool,
    /// Messages came meanwhile and were thrown away.
    dropped_while_busy: bool,
    rejecting: bool,
    acknowledge_pending: bool,
    /// From V(A) on: first what is outstanding, then what waits.
    messages: VecDeque<Vec<u8>>,
    outputs: VecDeque<LinkOutput>,
    faults: Faults,
    traffic: Traffic,
}

/// What went over a link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Frames we sent.
    pub sent: u64,
    /// Frames that came, sound or not.
    pub received: u64,
    /// Messages that were sent more than once.
    pub repeated: u64,
    /// How often the link came up or began anew.
    pub established: u64,
    /// How often it was lost.
    pub lost: u64,
}

impl Link {
    /// A link whose line is down.
    pub fn new(side: Side, settings: LinkSettings) -> Self {
        Self {
            side,
            settings: LinkSettings { k: settings.k.clamp(1, 127), ..settings },
            line: false,
            state: State::Down { retry: None },
            reported_up: false,
            send: Sequence::default(),
            acknowledged: Sequence::default(),
            receive: Sequence::default(),
            peer_busy: false,
            own_busy: false,
            dropped_while_busy: false,
            rejecting: false,
            acknowledge_pending: false,
            messages: VecDeque::new(),
            outputs: VecDeque::new(),
            faults: Faults::default(),
            traffic: Traffic::default(),
        }
    }
    /// What went over it so far.
    pub const fn traffic(&self) -> Traffic {
        self.traffic
    }
    /// What went wrong so far.
    pub const fn faults(&self) -> &Faults {
        &self.faults
    }
    /// Whether messages can be sent.
    pub const fn is_up(&self) -> bool {
        self.reported_up
    }
    /// Whether the peer takes no messages for a while: RNR.
    pub const fn is_peer_busy(&self) -> bool {
        self.peer_busy
    }
    /// Messages not acknowledged yet.
    pub fn backlog(&self) -> usize {
        self.messages.len()
    }

    /// The line is there: establish, and go on trying for ever.
    pub fn start(&mut self, now: Instant) {
        self.line = true;
        if matches!(self.state, State::Down { .. }) {
            self.establish(now);
        }
    }
    /// The line is gone: down at once, without a word.
    pub fn stop(&mut self) {
        self.line = false;
        self.fall(None);
    }
    /// Ends the link with DISC; it stays down until [`Link::start`] or the peer's SABME.
    pub fn release(&mut self, now: Instant) {
        if matches!(self.state, State::Established(_) | State::Recovering { .. }) {
            self.messages.clear();
            self.command(Control::Disconnect { poll: true });
            self.state = State::Releasing { due: self.t200(now), repeats: 0 };
        } else {
            self.fall(None);
        }
    }
    /// Sends a message; false when the link is down, the message too long or [`QUEUE_MESSAGES_MAX`] wait.
    pub fn send(&mut self, now: Instant, message: &[u8]) -> bool {
        if !self.reported_up || message.len() > usize::from(self.settings.n201) {
            return false;
        }
        if self.messages.len() >= QUEUE_MESSAGES_MAX {
            self.faults.count(Fault::QueueFull);
            return false;
        }
        self.messages.push_back(message.to_vec());
        self.transmit(now);
        true
    }
    /// Layer 3 takes no messages for a while, or takes them again. Q.921, §5.6.6.
    ///
    /// What the peer sent before our RNR reached it is thrown away, and asked for with REJ in the end (§3.6.6): the peer
    /// need not wait for its T200.
    pub fn set_busy(&mut self, busy: bool) {
        if self.own_busy == busy {
            return;
        }
        self.own_busy = busy;
        let dropped = std::mem::take(&mut self.dropped_while_busy);
        if !matches!(self.state, State::Established(_) | State::Recovering { .. }) {
            return;
        }
        if !busy && dropped {
            self.rejecting = true;
            self.acknowledge_pending = false;
            let reject = Supervisory::Reject;
            self.respond(Control::Supervisory { kind: reject, nr: self.receive, poll: false });
        } else {
            self.supervisory(false, false);
        }
    }

    /// A frame of the peer, without FCS.
    pub fn handle_frame(&mut self, now: Instant, octets: &[u8]) {
        if !self.line {
            return;
        }
        self.traffic.received += 1;
        let peer = match self.side {
            Side::User => Side::Network,
            Side::Network => Side::User,
        };
        match Frame::parse(octets, peer) {
            Ok(Frame { sapi: 0, tei: 0, command, control, information }) => {
                self.handle_control(now, command, control, information);
            }
            // TEI management and other services: not ours, and no reason to fail.
            Ok(_) | Err(FrameError::Address) => self.faults.count(Fault::OtherAddress),
            // §2.9: what is too short to be a frame is thrown away without a word.
            Err(FrameError::Truncated) => self.faults.count(Fault::TooShort),
            Err(FrameError::Control { .. }) => self.violation(now, Fault::UndefinedControl),
        }
    }
    fn handle_control(&mut self, now: Instant, command: bool, control: Control, rest: &[u8]) {
        use Control::*;
        let may_command = match control {
            Information { .. } | SetBalancedMode { .. } | Disconnect { .. } => command,
            UnnumberedAck { .. } | DisconnectedMode { .. } | FrameReject => !command,
            Supervisory { .. } | UnnumberedInformation | ExchangeIdentification => true,
        };
        if !may_command {
            self.faults.count(Fault::SameSide);
            return;
        }
        // Stray octets behind SABME, DISC, UA and DM occur in the field: counted, tolerated.
        let unnumbered = matches!(
            control,
            SetBalancedMode { .. }
                | Disconnect { .. }
                | UnnumberedAck { .. }
                | DisconnectedMode { .. }
        );
        if unnumbered && !rest.is_empty() {
            self.faults.count(Fault::UnexpectedInformation);
        }
        match control {
            SetBalancedMode { poll } => self.on_sabme(now, poll),
            Disconnect { poll } => self.on_disc(now, poll),
            UnnumberedAck { last } => self.on_ua(now, last),
            DisconnectedMode { last } => self.on_dm(now, last),
            Supervisory { .. } if !rest.is_empty() => self.violation(now, Fault::WrongLength),
            Supervisory { kind, nr, poll } => self.on_supervisory(now, kind, nr, command, poll),
            Information { .. } if rest.len() > usize::from(self.settings.n201) => {
                self.violation(now, Fault::InformationTooLong);
            }
            Information { ns, nr, poll } => self.on_information(now, ns, nr, poll, rest),
            FrameReject => self.violation(now, Fault::FrameReject),
            UnnumberedInformation | ExchangeIdentification => {}
        }
    }

    fn on_sabme(&mut self, now: Instant, poll: bool) {
        match self.state {
            State::Releasing { .. } => {
                return self.respond(Control::DisconnectedMode { last: poll });
            }
            // §5.5.1.1: both at once. Ours is still waiting for its own UA.
            State::Establishing { .. } => {
                return self.respond(Control::UnnumberedAck { last: poll });
            }
            State::Down { .. } => {}
            State::Established(_) | State::Recovering { .. } => {
                self.faults.count(Fault::PeerReestablished);
            }
        }
        self.respond(Control::UnnumberedAck { last: poll });
        self.come_up(now);
    }
    fn on_disc(&mut self, now: Instant, poll: bool) {
        match self.state {
            State::Down { .. } | State::Establishing { .. } => {
                self.respond(Control::DisconnectedMode { last: poll });
            }
            State::Releasing { .. } => self.respond(Control::UnnumberedAck { last: poll }),
            State::Established(_) | State::Recovering { .. } => {
                self.respond(Control::UnnumberedAck { last: poll });
                self.fall(Some(self.retry(now)));
            }
        }
    }
    fn on_ua(&mut self, now: Instant, last: bool) {
        match self.state {
            _ if !last => self.faults.count(Fault::UnexpectedUa),
            State::Establishing { .. } => self.come_up(now),
            State::Releasing { .. } => self.fall(None),
            State::Down { .. } | State::Established(_) | State::Recovering { .. } => {
                self.faults.count(Fault::UnexpectedUaFinal);
            }
        }
    }
    fn on_dm(&mut self, now: Instant, last: bool) {
        match (self.state, last) {
            // The peer invites us. §5.5.1.3.
            (State::Down { retry: Some(_) }, false) => self.establish(now),
            (State::Establishing { .. }, true) => self.fall(Some(self.retry(now))),
            (State::Releasing { .. }, true) => self.fall(None),
            (State::Established(_), true) => self.faults.count(Fault::UnexpectedDmFinal),
            (State::Recovering { .. }, true) => self.violation(now, Fault::UnexpectedDmFinal),
            (State::Established(_) | State::Recovering { .. }, false) => {
                self.violation(now, Fault::UnexpectedDm);
            }
            (State::Down { .. } | State::Establishing { .. } | State::Releasing { .. }, _) => {}
        }
    }

    fn on_information(
        &mut self,
        now: Instant,
        ns: Sequence,
        nr: Sequence,
        poll: bool,
        rest: &[u8],
    ) {
        if !matches!(self.state, State::Established(_) | State::Recovering { .. }) {
            return;
        }
        if self.own_busy {
            self.dropped_while_busy = true;
            if poll {
                self.supervisory(false, true);
            }
        } else if ns == self.receive {
            self.receive = ns.next();
            self.rejecting = false;
            if !rest.is_empty() {
                self.tell(LinkEvent::Message(rest.to_vec()));
            }
            if poll {
                self.supervisory(false, true);
            } else {
                self.acknowledge_pending = true;
            }
        } else if self.rejecting {
            // §5.8.1: one REJ is out already; a poll still gets its answer.
            if poll {
                self.supervisory(false, true);
            }
        } else {
            self.rejecting = true;
            self.acknowledge_pending = false;
            let reject = Supervisory::Reject;
            self.respond(Control::Supervisory { kind: reject, nr: self.receive, poll });
        }
        // The acknowledgement counts even where the information was thrown away.
        if !self.is_valid(nr) {
            return self.violation(now, Fault::WrongReceiveNumber);
        }
        match self.state {
            State::Established(_) if self.peer_busy => self.accept(nr),
            State::Established(_) => self.acknowledge(now, nr),
            _ => self.accept(nr),
        }
        self.transmit(now);
    }
    fn on_supervisory(
        &mut self,
        now: Instant,
        kind: Supervisory,
        nr: Sequence,
        command: bool,
        poll: bool,
    ) {
        let recovering = match self.state {
            State::Established(_) => false,
            State::Recovering { .. } => true,
            State::Down { .. } | State::Establishing { .. } | State::Releasing { .. } => return,
        };
        if command && poll {
            self.supervisory(false, true);
        }
        if !command && poll && !recovering {
            self.faults.count(Fault::UnexpectedFinal);
        }
        if !self.is_valid(nr) {
            return self.violation(now, Fault::WrongReceiveNumber);
        }
        self.peer_busy = kind == Supervisory::ReceiverNotReady;
        let answered = recovering && !command && poll;
        if answered || (!recovering && kind == Supervisory::Reject) {
            // §5.6.4 and §5.6.7: everything from N(R) on goes out again.
            self.accept(nr);
            self.traffic.repeated += u64::from(self.send.since(nr));
            self.send = nr;
            self.state = State::Established(Supervision::Idle(self.t203(now)));
        } else if recovering {
            self.accept(nr);
        } else if !self.peer_busy {
            self.acknowledge(now, nr);
        } else {
            self.accept(nr);
        }
        if self.peer_busy && matches!(self.state, State::Established(_)) {
            self.state = State::Established(Supervision::Acknowledgement(self.t200(now)));
        }
        self.transmit(now);
    }

    /// The moment of [`LinkOutput::Wait`] came.
    pub fn elapsed(&mut self, now: Instant) {
        if self.deadline().is_none_or(|due| now < due) {
            return;
        }
        let next = self.t200(now);
        match self.state {
            State::Down { .. } => self.establish(now),
            State::Establishing { repeats, .. } if repeats >= self.settings.n200 => {
                self.faults.count(Fault::EstablishUnanswered);
                self.fall(Some(self.retry(now)));
            }
            State::Establishing { repeats, .. } => {
                self.command(Control::SetBalancedMode { poll: true });
                self.state = State::Establishing { due: next, repeats: repeats + 1 };
            }
            State::Releasing { repeats, .. } if repeats >= self.settings.n200 => {
                self.faults.count(Fault::ReleaseUnanswered);
                self.fall(None);
            }
            State::Releasing { repeats, .. } => {
                self.command(Control::Disconnect { poll: true });
                self.state = State::Releasing { due: next, repeats: repeats + 1 };
            }
            // §5.6.7: T200 counts its poll, T203 does not.
            State::Established(Supervision::Acknowledgement(_)) => self.poll_peer(next, 1),
            State::Established(Supervision::Idle(_)) => self.poll_peer(next, 0),
            State::Recovering { polls, .. } if polls >= self.settings.n200 => {
                self.violation(now, Fault::PollUnanswered);
            }
            State::Recovering { polls, .. } => self.poll_peer(next, polls + 1),
        }
    }
    fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Down { retry } => retry,
            State::Establishing { due, .. }
            | State::Releasing { due, .. }
            | State::Established(Supervision::Acknowledgement(due) | Supervision::Idle(due))
            | State::Recovering { due, .. } => Some(due),
        }
    }
    /// The next thing to do. An acknowledgement that found no message to ride on goes out last.
    pub fn poll(&mut self) -> LinkOutput {
        if self.outputs.is_empty() && self.acknowledge_pending {
            self.supervisory(false, false);
        }
        self.outputs.pop_front().unwrap_or(LinkOutput::Wait(self.deadline()))
    }
    /// As [`Link::poll`], but leaves a pending acknowledgement for a message that may follow.
    pub(crate) fn poll_early(&mut self) -> Option<LinkOutput> {
        self.outputs.pop_front()
    }

    fn t200(&self, now: Instant) -> Instant {
        now.plus_millis(u64::from(self.settings.t200_millis))
    }
    fn t203(&self, now: Instant) -> Instant {
        now.plus_millis(u64::from(self.settings.t203_millis))
    }
    fn retry(&self, now: Instant) -> Instant {
        now.plus_millis(u64::from(self.settings.retry_millis))
    }
    fn establish(&mut self, now: Instant) {
        self.clear_exceptions();
        self.command(Control::SetBalancedMode { poll: true });
        self.state = State::Establishing { due: self.t200(now), repeats: 0 };
    }
    /// Into state 7 with all numbers zero. Q.921, §5.5.1.2.
    fn come_up(&mut self, now: Instant) {
        self.traffic.established += 1;
        let lost = self.send != self.acknowledged;
        self.clear_exceptions();
        (self.send, self.acknowledged, self.receive) = Default::default();
        self.state = State::Established(Supervision::Idle(self.t203(now)));
        if !self.reported_up {
            self.messages.clear();
            self.reported_up = true;
            self.tell(LinkEvent::Up);
        } else if lost {
            let unacknowledged = std::mem::take(&mut self.messages).into();
            self.tell(LinkEvent::Reset { unacknowledged });
        } else {
            self.tell(LinkEvent::Renewed);
        }
        if self.own_busy {
            // The peer begins afresh and knows nothing of it.
            self.supervisory(false, false);
        }
        self.transmit(now);
    }
    fn fall(&mut self, retry: Option<Instant>) {
        self.clear_exceptions();
        self.messages.clear();
        (self.send, self.acknowledged) = Default::default();
        self.state = State::Down { retry };
        if self.reported_up {
            self.reported_up = false;
            self.traffic.lost += 1;
            self.tell(LinkEvent::Down);
        }
    }
    /// A wrong of the peer: logged always, and on an established link the reason to establish it anew.
    fn violation(&mut self, now: Instant, fault: Fault) {
        self.faults.count(fault);
        if matches!(self.state, State::Established(_) | State::Recovering { .. }) {
            self.establish(now);
        }
    }
    fn clear_exceptions(&mut self) {
        (self.peer_busy, self.rejecting, self.acknowledge_pending) = (false, false, false);
        self.dropped_while_busy = false;
    }
    fn poll_peer(&mut self, due: Instant, polls: u8) {
        self.supervisory(true, true);
        self.state = State::Recovering { due, polls };
    }
    fn is_valid(&self, nr: Sequence) -> bool {
        nr.since(self.acknowledged) <= self.send.since(self.acknowledged)
    }
    /// V(A) = N(R): what lies before needs no keeping.
    fn accept(&mut self, nr: Sequence) {
        for _ in 0..nr.since(self.acknowledged) {
            self.messages.pop_front();
        }
        self.acknowledged = nr;
    }
    /// As [`Self::accept`], with the timers of state 7. Q.921, §5.6.3.2.
    fn acknowledge(&mut self, now: Instant, nr: Sequence) {
        let fresh = nr != self.acknowledged;
        self.accept(nr);
        if nr == self.send {
            self.state = State::Established(Supervision::Idle(self.t203(now)));
        } else if fresh {
            self.state = State::Established(Supervision::Acknowledgement(self.t200(now)));
        }
    }
    /// Sends what the window allows.
    fn transmit(&mut self, now: Instant) {
        while let State::Established(supervision) = self.state {
            let outstanding = self.send.since(self.acknowledged);
            if self.peer_busy || outstanding >= self.settings.k {
                return;
            }
            let Some(message) = self.messages.get(usize::from(outstanding)) else { return };
            let control = Control::Information { ns: self.send, nr: self.receive, poll: false };
            let frame = control.frame(true, self.side, message);
            self.traffic.sent += 1;
            self.outputs.extend(frame.map(LinkOutput::Transmit));
            self.send = self.send.next();
            self.acknowledge_pending = false;
            if matches!(supervision, Supervision::Idle(_)) {
                self.state = State::Established(Supervision::Acknowledgement(self.t200(now)));
            }
        }
    }
    /// RR, or RNR while busy: as a command it polls, as a response it answers or acknowledges.
    fn supervisory(&mut self, command: bool, poll: bool) {
        self.acknowledge_pending = false;
        let kind =
            if self.own_busy { Supervisory::ReceiverNotReady } else { Supervisory::ReceiverReady };
        let control = Control::Supervisory { kind, nr: self.receive, poll };
        self.out(control, command);
    }
    fn command(&mut self, control: Control) {
        self.out(control, true);
    }
    fn respond(&mut self, control: Control) {
        self.out(control, false);
    }
    fn out(&mut self, control: Control, command: bool) {
        self.traffic.sent += 1;
        self.outputs.extend(control.frame(command, self.side, &[]).map(LinkOutput::Transmit));
    }
    fn tell(&mut self, event: LinkEvent) {
        self.outputs.push_back(LinkOutput::Event(event));
    }
}
