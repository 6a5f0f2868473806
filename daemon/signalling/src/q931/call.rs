//! One call on the interface: where it stands and what it waits for. Q.931, §2.1 and §9.

use call::{Cause, Number};
use tdm::{Instant, Timeslot};

use super::header::CallReference;
use crate::{CallTimers, Clearing, IncomingCall, LegKey, Side};

/// Who chose the reference, and its value: together they name a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CallId {
    /// We sent SETUP.
    pub ours: bool,
    /// 1 to 32767.
    pub value: u16,
}

impl CallId {
    /// As it goes on the line from here.
    pub const fn reference(self) -> CallReference {
        CallReference { value: self.value, to_originator: !self.ours }
    }
    /// The call a message of the peer speaks of.
    pub const fn of(reference: CallReference) -> Self {
        Self { ours: reference.to_originator, value: reference.value }
    }
}

/// How far a call has come, the same for both sides: [`Call::state`] gives the standard's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// SETUP is out, or in, and nothing else.
    Setup,
    /// SETUP ACKNOWLEDGE: more digits are awaited.
    Overlap,
    /// CALL PROCEEDING.
    Proceeding,
    /// ALERTING.
    Alerting,
    /// A user sent CONNECT and waits for its acknowledgement.
    Connecting,
    /// Speech.
    Active,
    /// We sent DISCONNECT.
    Disconnecting,
    /// DISCONNECT with sound came, we listen.
    Listening,
    /// We sent RELEASE.
    Releasing,
}

/// Q.931, tables 9-1 and 9-2. A call has one running at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timer {
    T301,
    T302,
    T303,
    T304,
    T305,
    T306,
    T308,
    T309,
    T310,
    T313,
    T322,
    /// Ours: somebody listens to a DISCONNECT with sound and neither side goes on.
    Listening,
}

impl Timer {
    fn millis(self, timers: &CallTimers) -> u64 {
        u64::from(match self {
            Self::T301 => timers.t301_millis,
            Self::T302 => timers.t302_millis,
            Self::T303 => timers.t303_millis,
            Self::T304 => timers.t304_millis,
            Self::T305 => timers.t305_millis,
            Self::T306 => timers.t306_millis,
            Self::T308 => timers.t308_millis,
            Self::T309 => timers.t309_millis,
            Self::T310 => timers.t310_millis,
            Self::T313 => timers.t313_millis,
            Self::T322 => timers.t322_millis,
            // The network's T306 bounds the sound; twice that, and its RELEASE was lost.
            Self::Listening => timers.t306_millis.saturating_mul(2),
        })
    }
    /// This timer with the moment at which it runs out.
    pub fn from(self, now: Instant, timers: &CallTimers) -> Option<(Self, Instant)> {
        Some((self, now.plus_millis(self.millis(timers))))
    }
}

/// A call.
#[derive(Clone, Debug)]
pub struct Call {
    pub id: CallId,
    pub key: LegKey,
    pub phase: Phase,
    pub timer: Option<(Timer, Instant)>,
    /// Its channel; `None` once it lost it to a call of the peer and waits for another.
    pub timeslot: Option<Timeslot>,
    /// We asked for this channel and no other.
    pub exclusive: bool,
    /// The channel is agreed on: the first answer crossed.
    pub settled: bool,
    /// The peer named it.
    pub named: bool,
    /// Both sides took the same channel at the same moment.
    pub collided: bool,
    /// The call server knows of it.
    pub announced: bool,
    /// The SETUP, to be sent once more.
    pub setup: Vec<u8>,
    /// How often the message was sent that the timer watches.
    pub attempts: u8,
    /// The first reason to clear it, which is the verdict.
    pub clearing: Option<Clearing>,
    /// Digits of the number that did not go out yet. Overlap sending.
    pub digits_left: String,
    /// The peer was told that the number is complete.
    pub said_complete: bool,
    /// What is told of it once its number is complete.
    pub offer: Option<IncomingCall>,
}

impl Call {
    /// A call we begin.
    pub fn outgoing(id: CallId, key: LegKey, timeslot: Timeslot, exclusive: bool) -> Self {
        Self { exclusive, announced: true, ..Self::new(id, key, timeslot) }
    }
    /// A call the peer begins.
    pub fn incoming(id: CallId, offer: IncomingCall) -> Self {
        Self { offer: Some(offer.clone()), ..Self::new(id, offer.key, offer.timeslot) }
    }
    fn new(id: CallId, key: LegKey, timeslot: Timeslot) -> Self {
        Self {
            id,
            key,
            phase: Phase::Setup,
            timer: None,
            timeslot: Some(timeslot),
            exclusive: true,
            settled: false,
            named: false,
            collided: false,
            announced: false,
            setup: Vec::new(),
            attempts: 1,
            clearing: None,
            digits_left: String::new(),
            said_complete: false,
            offer: None,
        }
    }
    /// The call state as Q.931, §2.1 and §4.5.7, numbers it.
    pub fn state(&self, side: Side) -> u8 {
        let from_user = self.id.ours == (side == Side::User);
        let pick = |user: u8, network: u8| if from_user { user } else { network };
        let own = |user: u8, network: u8| if side == Side::User { user } else { network };
        match self.phase {
            Phase::Setup => pick(1, 6),
            Phase::Overlap => pick(2, 25),
            Phase::Proceeding => pick(3, 9),
            Phase::Alerting => pick(4, 7),
            Phase::Connecting => 8,
            Phase::Active => 10,
            Phase::Disconnecting => own(11, 12),
            Phase::Listening => own(12, 11),
            Phase::Releasing => 19,
        }
    }
    /// Whether it is being cleared from this side.
    pub const fn is_clearing(&self) -> bool {
        matches!(self.phase, Phase::Disconnecting | Phase::Listening | Phase::Releasing)
    }
    /// Whether `phase` comes before an answer and after, or at, SETUP.
    pub const fn is_establishing(&self) -> bool {
        matches!(self.phase, Phase::Setup | Phase::Overlap | Phase::Proceeding | Phase::Alerting)
    }
    /// Whether a peer that says it is in `theirs` can still meet us here: its message may be on its way,
    /// or a timer will repair it. Q.931, §5.8.11 leaves the rest to us.
    pub const fn is_compatible(&self, theirs: u8) -> bool {
        // Clearing messages are repeated by their own timers.
        if matches!(theirs, 11 | 12 | 19) {
            return true;
        }
        match self.phase {
            Phase::Setup | Phase::Overlap | Phase::Proceeding | Phase::Alerting => {
                matches!(theirs, 1..=4 | 6..=9 | 25)
            }
            // Whatever it was in before it saw our CONNECT, or is in since.
            Phase::Connecting => matches!(theirs, 1..=4 | 6..=10 | 25),
            Phase::Active => matches!(theirs, 8 | 10),
            Phase::Disconnecting | Phase::Listening | Phase::Releasing => true,
        }
    }
    /// Whether a peer that says it is in `theirs` may just not have seen our CONNECT yet: a network is active as
    /// soon as it has sent it. §5.1.8.
    pub const fn may_lag(&self, theirs: u8) -> bool {
        !self.id.ours && matches!(self.phase, Phase::Active) && matches!(theirs, 1..=4)
    }
    /// Digits that came after SETUP.
    pub fn add_digits(&mut self, digits: &str) {
        if let Some(offer) = &mut self.offer {
            let room = 32_usize.saturating_sub(offer.called.digits.len());
            offer.called.digits.extend(digits.chars().take(room));
        }
    }
    /// Takes the terminator off a number that has one and more than it.
    pub fn end_number(&mut self) {
        if let Some(offer) = &mut self.offer
            && offer.called.digits.len() > 1
            && offer.called.digits.ends_with('#')
        {
            offer.called.digits.pop();
        }
    }
    /// Whether the number has no digit yet.
    pub fn has_no_digits(&self) -> bool {
        self.offer
            .as_ref()
            .is_none_or(|IncomingCall { called: Number { digits, .. }, .. }| digits.is_empty())
    }
}

/// Causes that, as the first answer to SETUP, mean the channel was taken: another one may be tried at once.
/// 44 and 6 always do; 34 (annex D) only where both sides were seen to take the channel, else there is none.
pub fn is_glare(cause: Cause, collided: bool) -> bool {
    let taken = [Cause::CHANNEL_NOT_AVAILABLE, Cause::CHANNEL_UNACCEPTABLE].contains(&cause);
    taken || (collided && cause == Cause::NO_CIRCUIT)
}
