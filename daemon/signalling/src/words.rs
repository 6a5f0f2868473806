//! What crosses between an interface engine and the media core, whatever the signalling system is.

use call::{Cause, Location, Number};
use tdm::{Frame, Instant, Law, Timeslot};

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
    /// Display text, when any.
    pub display: Option<String>,
}

/// Why and by whom a call is cleared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clearing {
    /// Q.850.
    pub cause: Cause,
    /// Who named it.
    pub location: Location,
    /// The far end, a timer or a lost link began it; false when our own [`Order::Clear`] did.
    pub by_far_end: bool,
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
    /// RESTART failed N316 times, or RELEASE went unanswered twice: out of service until restarted.
    ChannelFailed { timeslot: Timeslot },
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
