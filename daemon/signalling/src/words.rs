//! What crosses between an interface engine and the media core, whatever the signalling system is.

use call::{Cause, Location, Number};
use tdm::{Frame, Instant, Law, Timeslot};

use crate::Timeslots;

/// Which side of the interface we are. Q.921 and Q.931 are not symmetric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The customer.
    User,
    /// The exchange.
    Network,
}

/// A call on one interface. Chosen by the media core for outgoing calls (odd), by the engine for incoming
/// ones (even); never reused while the process lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LegKey(pub u32);

/// Which channel a call should have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelWish {
    /// The B-channel.
    pub timeslot: Timeslot,
    /// No other will do.
    pub exclusive: bool,
}

/// From where and why a call was sent on. Q.931, §4.6.7 of Q.952; octet 3b of the redirecting number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Redirecting {
    /// Whom the caller had wanted.
    pub number: Number,
    /// 0 unknown, 1 busy, 2 no reply, 4 deflection, 9 out of order, 10 by the called terminal, 15 unconditional.
    pub reason: u8,
}

/// What a channel is good for, as maintenance messages say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceStatus {
    /// Calls may use it.
    InService,
    /// Taken out for tests.
    Maintenance,
    /// Taken out.
    OutOfService,
}

/// An outgoing call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// How it will be spoken of.
    pub key: LegKey,
    /// The channel, chosen by the trunk group.
    pub channel: ChannelWish,
    /// Whom.
    pub called: Number,
    /// Who calls.
    pub calling: Option<Number>,
    /// The caller's name, sent as the dialect has it and where it has it.
    pub name: Option<String>,
    /// From where the call was sent on.
    pub redirecting: Option<Redirecting>,
    /// Speech, coded so.
    pub law: Law,
}

/// What the media core orders.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Order {
    /// SETUP.
    Call(Outgoing),
    /// CALL PROCEEDING, with a channel other than the offered one when the call wished for it.
    Proceed { key: LegKey },
    /// ALERTING; `in_band`: we play something (progress indicator 8).
    Alert { key: LegKey, in_band: bool },
    /// PROGRESS with indicator 8: early sound without ringing.
    Progress { key: LegKey, cause: Option<Cause> },
    /// CONNECT.
    Connect { key: LegKey },
    /// Clear, whatever the state. `in_band`: DISCONNECT with indicator 8 (network side), the tone runs
    /// until T306 or [`Order::Release`].
    Clear { key: LegKey, cause: Cause, in_band: bool },
    /// Goes on from a DISCONNECT with in-band sound to RELEASE.
    Release { key: LegKey },
    /// RESTART of one channel, or of the whole interface.
    Restart { timeslot: Option<Timeslot> },
    /// SERVICE: takes a channel out of use at both ends, or puts it back. Nothing where the dialect has none.
    Service { timeslot: Timeslot, status: ServiceStatus },
    /// The channels that new calls may have, whoever makes them: those the operator has not blocked. All of the
    /// interface's at first. Calls that are there stay.
    Use { channels: Timeslots },
    /// The call server is behind and takes no messages for now, or takes them again: the far end is told (RNR), and
    /// keeps what it has to say. Q.921, §5.6.6.
    Behind { on: bool },
    /// The physical line came up or went down.
    Line { up: bool },
}

/// A call that came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncomingCall {
    /// How it will be spoken of.
    pub key: LegKey,
    /// The channel it named; on a network side the channel the engine chose when the call left it open.
    pub timeslot: Timeslot,
    /// Whom it wants.
    pub called: Number,
    /// Who calls.
    pub calling: Option<Number>,
    /// The caller's name, when it was sent and may be shown.
    pub name: Option<String>,
    /// From where the call was sent on. A restricted number is kept for tracing and never shown.
    pub redirecting: Option<Redirecting>,
}

/// Why and by whom a call is cleared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clearing {
    /// Q.850.
    pub cause: Cause,
    /// Who named it.
    pub location: Location,
    /// The far end began it; false when our own [`Order::Clear`] did, or what [`Event::Failed`] names.
    pub by_far_end: bool,
}

/// What on our side of an interface ended a call that nobody wanted to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// A timer of Q.931, by its name: the far end did not go on in time.
    Timer(&'static str),
    /// The D-channel was lost below the call, or there was none to begin with.
    Link,
    /// The far end says it is in a state that contradicts ours, or moved the call where it cannot be.
    Contradiction,
    /// We restarted the channel.
    Restart,
}

/// What an interface engine tells.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Event {
    /// Layer 2 is up.
    LinkUp,
    /// Layer 2 is down; calls not active were ended, active ones wait for T309.
    LinkDown,
    /// SETUP received and sound.
    Incoming(IncomingCall),
    /// SETUP received and refused here: no voice, no good number, no channel. Numbers as far as they could be read.
    Refused { timeslot: Option<Timeslot>, called: Number, calling: Option<Number>, cause: Cause },
    /// Why a call of ours, or of theirs, is about to end by itself; told before its `Clearing` or `Ended`.
    Failed { key: LegKey, why: Failure },
    /// The caller's name, which came after SETUP.
    Named { key: LegKey, name: String },
    /// CALL PROCEEDING or SETUP ACKNOWLEDGE: the channel is settled, its receive path may be opened.
    Proceeding { key: LegKey, timeslot: Timeslot, in_band: bool },
    /// ALERTING.
    Alerting { key: LegKey, timeslot: Timeslot, in_band: bool },
    /// PROGRESS.
    Progress { key: LegKey, in_band: bool, cause: Option<Cause> },
    /// CONNECT (outgoing) or CONNECT ACKNOWLEDGE not needed any more (incoming): speech both ways.
    Connected { key: LegKey, timeslot: Timeslot },
    /// DISCONNECT with in-band sound: the channel stays for listening until [`Order::Release`].
    DisconnectInBand { key: LegKey, clearing: Clearing },
    /// The far end began to clear; the channel is not free yet.
    Clearing { key: LegKey, clearing: Clearing },
    /// Channel and reference are free. `glare`: the channel was taken before any answer; the same call may
    /// be tried at once on another.
    Ended { key: LegKey, timeslot: Option<Timeslot>, clearing: Clearing, glare: bool },
    /// The far end restarted a channel (`None`: the interface), or our own RESTART was acknowledged.
    Restarted { timeslot: Option<Timeslot> },
    /// T316: our RESTART of a channel, or of the interface (`None`), is not answered.
    RestartUnanswered { timeslot: Option<Timeslot> },
    /// RESTART failed N316 times, or RELEASE went unanswered twice: out of service until restarted, or until the
    /// far end itself calls on it.
    ChannelFailed { timeslot: Timeslot },
    /// The far end changed what a channel is good for, or acknowledged that we did.
    Service { timeslot: Timeslot, status: ServiceStatus },
}

/// What `poll` yields.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum InterfaceOutput {
    /// A frame for the D-channel, without FCS.
    Transmit(Frame),
    Event(Event),
    /// Nothing more; wake me then.
    Wait(Option<Instant>),
}
