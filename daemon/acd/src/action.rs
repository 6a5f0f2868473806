//! What the call centre wants done.

use call::{CallCommand, CallId, Cause, Diversion, Location, Outcome, Refusal, Verdict};
use serde::{Deserialize, Serialize};
use tdm::Instant;

/// One thing to do, in order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Ask the call server. Sent with the key of the tag ([`crate::Acd::key`]): a repetition does nothing twice.
    Command {
        /// Comes back in [`crate::Input::Answered`].
        tag: u64,
        /// What to ask.
        command: CallCommand,
        /// The journal must be on the disk first.
        promise: bool,
    },
    /// Answer a request on the socket. A success is a promise.
    Reply {
        /// As in [`crate::Input::Api`].
        request: u64,
        /// The result, or why not.
        answer: Result<serde_json::Value, Refusal>,
    },
    /// Tell whoever listens on the socket.
    Publish(AcdEvent),
    /// Keep this for ever.
    Record(CallRecord),
    /// Step with [`crate::Input::Elapsed`] at this moment, unless something comes before. The last one holds.
    WakeAt(#[serde(with = "moment")] Instant),
}

/// What listeners of the call centre's socket are told. The event's name is the variant in snake case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", content = "data", rename_all = "snake_case")]
pub enum AcdEvent {
    /// An agent's state changed.
    Agent {
        /// Who.
        agent: String,
        /// `offline`, `signing_in`, `ready`, `reserved`, `ringing`, `talking`, `wrap_up`, `paused`.
        state: String,
        /// Why, when there is something to say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// The call he is in, or that is meant for him.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        call: Option<CallId>,
    },
    /// An incoming call came into another stage.
    Call {
        /// Which.
        call: CallId,
        /// `arrived`, `flow`, `queued`, `offered`, `talking`, `transferred`, `ending`.
        stage: String,
        /// The node, queue or agent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<String>,
    },
    /// An incoming call is over.
    CallEnded {
        /// Which.
        call: CallId,
        /// What became of it.
        result: CallResult,
    },
    /// A dialled call has its result.
    Result {
        /// Of which campaign; absent when it was found without its list.
        campaign: Option<String>,
        /// Whom.
        number: String,
        /// The word.
        outcome: Outcome,
        /// What decided it.
        reason: String,
    },
    /// A campaign was started, was stopped, or has no contact left.
    Campaign {
        /// Which.
        campaign: String,
        /// `running`, `stopped`, `done`.
        state: String,
    },
    /// The call server came or went.
    Media {
        /// Whether it is there.
        present: bool,
    },
}

/// What became of a call, one word for each. The losses are those of the house's section 5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallResult {
    /// An agent spoke with the caller.
    Answered,
    /// The flow gave the caller what he came for.
    Served,
    /// Refused by us for want of channel, group or capacity.
    LostTrunk,
    /// Left before queueing.
    LostIvr,
    /// Left while queued.
    LostQueue,
    /// Left while an agent's telephone rang, before any had answered.
    LostAgent,
    /// Dialled by us: the word for it.
    Dialled(Outcome),
}

impl CallResult {
    /// The word in tables and exports.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Served => "served",
            Self::LostTrunk => "lost_trunk",
            Self::LostIvr => "lost_ivr",
            Self::LostQueue => "lost_queue",
            Self::LostAgent => "lost_agent",
            Self::Dialled(Outcome::Person) => "person",
            Self::Dialled(Outcome::Machine) => "machine",
            Self::Dialled(Outcome::Fax) => "fax",
            Self::Dialled(Outcome::Busy) => "busy",
            Self::Dialled(Outcome::NoAnswer) => "no_answer",
            Self::Dialled(Outcome::Vacant) => "vacant",
            Self::Dialled(Outcome::Congestion) => "congestion",
            Self::Dialled(Outcome::Other) => "other",
        }
    }
}

/// Who answered a dialled call, in the word of the agent who had it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Was {
    /// Somebody to talk to.
    Person,
    /// A recording.
    Machine,
}

impl Was {
    /// The word in tables and exports.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Machine => "machine",
        }
    }
}

/// The record of a call. Times are UTC in microseconds; a restricted number is kept and marked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallRecord {
    /// The call.
    pub call: CallId,
    /// Whether it came to us.
    pub inbound: bool,
    /// The trunk group.
    pub group: String,
    /// Span (from 1) and timeslot.
    pub channel: Option<(u8, u8)>,
    /// Who was called.
    pub called: String,
    /// Who called; empty when unknown.
    pub calling: String,
    /// The caller's number may not be shown.
    pub calling_restricted: bool,
    /// The caller's name, when it may be shown.
    #[serde(default)]
    pub name: Option<String>,
    /// From where the call was sent on to us.
    #[serde(default)]
    pub diverted: Option<Diversion>,
    /// When it reached us, or was dialled.
    pub started_utc_us: i64,
    /// When it was over.
    pub ended_utc_us: i64,
    /// How long it waited in queues, ringing included.
    pub waited_millis: u64,
    /// How long it talked with agents.
    pub talked_millis: u64,
    /// The last queue.
    pub queue: Option<String>,
    /// The campaign.
    pub campaign: Option<String>,
    /// The line of the list, from 1.
    pub line: Option<u32>,
    /// The agent who talked, or was the last to be meant.
    pub agent: Option<String>,
    /// The recording's name.
    pub recording: Option<String>,
    /// What became of it.
    pub result: CallResult,
    /// What decided that, in words.
    pub reason: String,
    /// Why it ended. Q.850.
    pub cause: Cause,
    /// Who said so.
    pub location: Location,
    /// Whether we cleared.
    pub cleared_by_us: bool,
    /// The ear's first word on who answered, and how long after the answer it fell.
    #[serde(default)]
    pub judged: Option<(Verdict, u32)>,
    /// The agent's word on it.
    #[serde(default)]
    pub was: Option<Was>,
    /// The name of what was kept of the answer, to check that first word.
    #[serde(default)]
    pub kept: Option<String>,
}

mod moment {
    use serde::{Deserialize, Deserializer, Serializer};
    use tdm::Instant;

    pub fn serialize<S: Serializer>(at: &Instant, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(at.as_micros())
    }
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Instant, D::Error> {
        u64::deserialize(from).map(Instant::micros)
    }
}
