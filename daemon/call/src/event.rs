//! What the call server tells: one variant, one thing that happened. The event's name on the socket is the
//! variant's in snake case.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    CallId, Cause, DialAgain, Disposition, Diversion, LegId, Location, Meaning, Number,
    OperationId, Outcome, SitCode,
};

/// Who began a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// The far end.
    Inbound,
    /// We.
    Outbound,
}

/// A class of call-progress sound. Before an answer, sound is early media and never an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToneClass {
    /// It rings there.
    Ringback,
    /// Subscriber busy.
    Busy,
    /// Network congestion, reorder.
    Congestion,
    /// Vacant number tone.
    Vacant,
    /// Special information tone.
    Sit,
    /// Dial tone.
    Dial,
    /// A recorded announcement.
    Announcement,
    /// Music.
    Music,
    /// Somebody talks.
    Talk,
    /// A fax.
    Fax,
}

/// Who answered, judged by ear.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// A person.
    Human,
    /// A recording.
    Machine,
    /// A fax.
    Fax,
    /// Nothing was heard.
    Silence,
    /// The time was up; treated as a person.
    NotSure,
}

impl Verdict {
    /// The word for it, the same everywhere.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Human => "human",
            Self::Machine => "machine",
            Self::Fax => "fax",
            Self::Silence => "silence",
            Self::NotSure => "not_sure",
        }
    }
}

/// Why a play ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlayEnd {
    /// Played to its end.
    Finished,
    /// Barge-in.
    Dtmf,
    /// Stopped or replaced by a command, a bridge, a hang-up.
    Stopped,
}

/// Why a collect ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CollectEnd {
    /// As many digits as asked for.
    Complete,
    /// A terminator, which is not among the digits.
    Terminator,
    /// The first or the next digit did not come in time.
    Timeout,
    /// Stopped by a command or a hang-up.
    Stopped,
}

/// How far an outgoing call has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Progress {
    /// The network has the number.
    Proceeding,
    /// It rings.
    Alerting,
    /// Something else, with a cause perhaps.
    Other,
}

/// What a channel can be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChannelState {
    /// Free.
    Idle,
    /// Carries a call.
    Busy,
    /// Taken out of use by the operator.
    Blocked,
    /// No new calls; the last may end.
    Draining,
    /// Being restarted with the far end, or the span is down.
    OutOfService,
}

/// All that is to be kept of an ended leg. Unknown times are absent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// The leg.
    pub leg: LegId,
    /// Its call.
    pub call: CallId,
    /// Who began it.
    pub direction: Direction,
    /// The trunk group.
    pub group: String,
    /// The span, counted from 1, and its timeslot; absent when no channel was had.
    pub channel: Option<(u8, u8)>,
    /// Who was called.
    pub called: Number,
    /// Who called.
    pub calling: Option<Number>,
    /// When it began.
    pub started_us: u64,
    /// When it rang.
    pub alerted_us: Option<u64>,
    /// When it was answered.
    pub answered_us: Option<u64>,
    /// When it ended.
    pub ended_us: u64,
    /// Whether it was answered, not, or refused by us.
    pub disposition: Disposition,
    /// Outbound: one word.
    pub outcome: Option<Outcome>,
    /// What decided the outcome, in words.
    pub reason: String,
    /// The cause.
    pub cause: Cause,
    /// Who named it.
    pub location: Location,
    /// Whether we cleared.
    pub cleared_by_us: bool,
    /// Outbound and not answered: whether it makes sense to dial again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dial_again: Option<DialAgain>,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", content = "data", rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum CallEvent {
    /// A call has come in on a group. Nothing was answered yet.
    Incoming {
        leg: LegId,
        call: CallId,
        group: String,
        channel: (u8, u8),
        called: Number,
        calling: Option<Number>,
        /// The caller's name, when it came with the call and may be shown.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// From where the call was sent on, when it was.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        diverted: Option<Diversion>,
    },
    /// The name of the caller of an incoming leg, which came after the call.
    Named { leg: LegId, name: String },
    /// An incoming call was refused by us at the door; it had no leg for a controller.
    Refused { call: CallId, group: String, called: Number, calling: Option<Number>, cause: Cause },
    /// An outgoing leg has a channel and was sent.
    Dialling { operation: OperationId, leg: LegId, call: CallId, channel: (u8, u8) },
    /// A leg has another channel than before: the far end chose so, or (`glare`) the call met another on its channel
    /// and was sent anew.
    Moved { leg: LegId, channel: (u8, u8), glare: bool },
    /// The far end reports progress; `in_band`: there is something to hear.
    Progressed { leg: LegId, progress: Progress, in_band: bool, cause: Option<Cause> },
    /// Early media was classified. Never an answer.
    Tone {
        leg: LegId,
        class: ToneClass,
        answered: bool,
        /// Of special information tones: which.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sit: Option<SitCode>,
    },
    /// CONNECT.
    Answered { leg: LegId },
    /// A known announcement was recognised: of the network, in early media, and never an answer; or, after an answer
    /// that is being judged, of a machine.
    Announced { leg: LegId, announcement: String, means: Meaning },
    /// Before the verdict: how probable a machine is by now, in thousandths, whenever that has moved; at most eight
    /// times. Free to change, and nothing follows from it.
    Leaning { leg: LegId, machine_thousandths: u16, after_millis: u32 },
    /// Who answered. `acted` says that an armed action followed, or that none can: the call ended before, and this is
    /// what the ear makes of it.
    Verdict {
        leg: LegId,
        verdict: Verdict,
        reason: String,
        after_millis: u32,
        acted: bool,
        /// What the ear went by, by name, in thousandths. Absent when it did not hear anybody speak.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        features: BTreeMap<String, i64>,
    },
    /// Who answered turns out to be somebody else: a machine talks back, a person was a greeting.
    VerdictRevised { leg: LegId, verdict: Verdict, reason: String },
    /// A machine's beep has ended, at this frequency: a message may be left from now on. `acted`: it is being left.
    SpeakNow { leg: LegId, hz: u16, acted: bool },
    /// A digit was pressed.
    Dtmf { leg: LegId, digit: char },
    /// A play is over.
    PlayEnded { operation: OperationId, leg: LegId, why: PlayEnd },
    /// A collect is over. `digits` is absent when the collect was secret and shown as length only.
    Collected {
        operation: OperationId,
        leg: LegId,
        digits: Option<String>,
        count: u8,
        why: CollectEnd,
    },
    /// Two legs hear each other.
    Bridged { a: LegId, b: LegId },
    /// They no longer do, and both are still up.
    Unbridged { a: LegId, b: LegId },
    /// The peer of a leg hears music, or no longer does.
    Held { leg: LegId, on: bool },
    /// A transfer came to its end.
    Transferred { operation: OperationId, leg: LegId, to: Option<LegId>, cause: Option<Cause> },
    /// A recording is complete.
    Recorded {
        leg: LegId,
        name: String,
        millis: u32,
        lost_millis: u32,
        /// Nothing is left of it: it could not be written, or was one of early words that was not wanted.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        dropped: bool,
    },
    /// The leg is gone.
    Ended(Summary),
    /// The far end began to clear, with something to hear; we listen for at most 15 s.
    Disconnecting { leg: LegId, cause: Cause },
    /// A fallback was taken because no controller was there.
    FellBack { leg: LegId },
    /// A channel or a whole span changed what it can be used for.
    Channel { span: u8, timeslot: Option<u8>, state: ChannelState },
    /// An alarm was raised or cleared on a span (counted from 1).
    Alarm { span: u8, alarm: String, on: bool },
    /// The signalling link of a span came up or went down.
    Link { span: u8, up: bool },
    /// A drained span or channel is empty.
    Drained { span: u8, timeslot: Option<u8> },
    /// An operation failed after it had been accepted.
    Failed { operation: OperationId, what: String },
    /// Time passes: at least every 100 ms.
    Time { utc_offset_us: i64 },
}
