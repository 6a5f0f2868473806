//! What the call centre remembers: plain data, fit for a snapshot, changed only through tables that know what
//! was touched.

use call::{
    CallCommand, CallId, Cause, Diversion, LegId, Location, Number, OperationId, Outcome, Summary,
    Verdict,
};
use serde::{Deserialize, Serialize};

use crate::action::{CallRecord, Was};
use crate::losses::{Counts, HourCounts};
use crate::table::{Changes, Table};

/// The shape of [`State`] and [`Patch`]: raised whenever an older program could not read them.
pub const SCHEMA: u32 = 1;

/// An agent's work: which call, of which kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Work {
    /// A caller.
    Visit(CallId),
    /// A dialled call.
    Attempt(u64),
}

/// What an agent does. Each variant carries what its state needs and nothing else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AgentState {
    /// Not there.
    Offline {
        /// Why.
        reason: String,
    },
    /// A nailed agent's telephone is being called.
    SigningIn {
        /// How often it was.
        tries: u8,
        /// When it is called next, when it is not ringing now.
        retry_us: Option<u64>,
    },
    /// Waits for a call.
    Ready,
    /// Chosen: a bridge is on its way, or a dialled call may bring a person.
    Reserved {
        /// For this.
        work: Work,
    },
    /// His telephone rings.
    Ringing {
        /// For this.
        work: Work,
    },
    /// Talks.
    Talking {
        /// In this.
        work: Work,
        /// The other hears music.
        held: bool,
    },
    /// Writes up.
    WrapUp {
        /// Until then.
        until_us: u64,
    },
    /// Takes no calls.
    Paused {
        /// Why.
        reason: String,
        /// Ready by itself then.
        until_us: Option<u64>,
    },
}

impl AgentState {
    /// The word for listeners.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Offline { .. } => "offline",
            Self::SigningIn { .. } => "signing_in",
            Self::Ready => "ready",
            Self::Reserved { .. } => "reserved",
            Self::Ringing { .. } => "ringing",
            Self::Talking { .. } => "talking",
            Self::WrapUp { .. } => "wrap_up",
            Self::Paused { .. } => "paused",
        }
    }
    /// Why he takes no calls, when that was said.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Offline { reason } | Self::Paused { reason, .. } => Some(reason),
            _ => None,
        }
    }
    /// What he has, or is meant for.
    pub const fn work(&self) -> Option<Work> {
        match self {
            Self::Reserved { work } | Self::Ringing { work } | Self::Talking { work, .. } => {
                Some(*work)
            }
            _ => None,
        }
    }
}

/// What follows the work an agent has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Then {
    /// Wrap-up and the next call.
    #[default]
    GoOn,
    /// A pause.
    Pause(String),
    /// He leaves.
    SignOut,
}

/// A `*` code half typed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Typed {
    /// From the star on; empty: none begun.
    pub keys: String,
    /// When the last key came.
    pub last_us: u64,
}

/// An agent as he stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agent {
    /// What he does.
    pub state: AgentState,
    /// Since when.
    pub since_us: u64,
    /// Since when he has had no call: who has waited longest is next.
    pub idle_us: u64,
    /// What follows.
    pub then: Then,
    /// His telephone's leg.
    pub leg: Option<LegId>,
    /// The leg was answered.
    pub up: bool,
    /// A dial of his telephone is on its way and has no leg yet.
    pub dialling: bool,
    /// Whom he consults: its leg.
    pub consult: Option<LegId>,
    /// Connections that failed in a row.
    pub faults: u8,
    /// The code he is typing.
    pub typed: Typed,
    /// The wrap-up time that follows his present work.
    pub wrap_up_millis: u32,
    /// Calls he answered since the beginning.
    pub calls: u64,
    /// What he talked in last, or talks in.
    #[serde(default)]
    pub last_work: Option<Work>,
}

/// How far a caller has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Not answered by us yet.
    Arriving,
    /// In a node of the flow that speaks or asks.
    Node {
        /// Which.
        node: String,
        /// What is under way there.
        step: NodeStep,
        /// How often the menu was said.
        tries: u8,
    },
    /// Waits.
    Queued {
        /// The node.
        node: String,
        /// When the position is said anew.
        again_us: Option<u64>,
        /// When the wait is too long.
        overflow_us: Option<u64>,
        /// Not offered before: the last attempt to connect failed.
        hold_off_us: Option<u64>,
    },
    /// An agent is reserved or his telephone rings.
    Offered {
        /// The node he waits at.
        node: String,
        /// Who.
        agent: String,
    },
    /// Talks with an agent; `None`: with somebody else (transferred, or found talking after a restart).
    Talking {
        /// Who.
        agent: Option<String>,
    },
    /// Told to go.
    Ending,
}

impl Stage {
    /// The word for listeners.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Arriving => "arrived",
            Self::Node { .. } => "flow",
            Self::Queued { .. } => "queued",
            Self::Offered { .. } => "offered",
            Self::Talking { agent: Some(_) } => "talking",
            Self::Talking { agent: None } => "transferred",
            Self::Ending => "ending",
        }
    }
}

/// What is under way in a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeStep {
    /// A command was sent and not answered.
    Asked,
    /// Prompts are played.
    Playing(OperationId),
    /// A digit is awaited.
    Collecting(OperationId),
}

/// What a waiting caller hears.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sound {
    /// Nothing of ours.
    #[default]
    Silence,
    /// An announcement was asked for.
    Asked,
    /// An announcement.
    Announcement(OperationId),
    /// Music until something replaces it.
    Music,
}

/// An incoming call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Visit {
    /// The caller's leg.
    pub leg: LegId,
    /// The trunk group.
    pub group: String,
    /// Span (from 1) and timeslot.
    pub channel: Option<(u8, u8)>,
    /// Who was called.
    pub called: Number,
    /// Who called.
    pub calling: Option<Number>,
    /// The caller's name, when it may be shown.
    #[serde(default)]
    pub name: Option<String>,
    /// From where the call was sent on to us.
    #[serde(default)]
    pub diverted: Option<Diversion>,
    /// The flow it goes through.
    pub flow: String,
    /// How far it has come.
    pub stage: Stage,
    /// When it came.
    pub arrived_us: u64,
    /// When it first queued.
    pub queued_us: Option<u64>,
    /// The last queue.
    pub queue: Option<String>,
    /// It goes before those who came earlier: an agent's telephone rang for it in vain.
    pub front: bool,
    /// The flow came to a node marked so.
    pub served: bool,
    /// An agent answered; then it is no loss any more.
    pub answered: bool,
    /// Time in queues so far, the present wait excluded.
    pub waited_us: u64,
    /// Since when it waits.
    pub waiting_since_us: Option<u64>,
    /// Time with agents so far, the present talk excluded.
    pub talked_us: u64,
    /// Since when it talks.
    pub talking_since_us: Option<u64>,
    /// The agent who talked last, or is meant.
    pub agent: Option<String>,
    /// The recording.
    pub recording: Option<String>,
    /// What it hears while it waits.
    pub sound: Sound,
    /// We refused it for want of room: a loss at the trunk.
    pub refused: bool,
    /// Commands for it that failed: a call that only fails is let go.
    pub failures: u8,
}

/// A dialled call of a campaign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// The campaign; absent when the call was found without its list.
    pub campaign: Option<String>,
    /// The line of the list.
    pub line: u32,
    /// Whom.
    pub number: String,
    /// The leg, once accepted.
    pub leg: Option<LegId>,
    /// The call, once accepted.
    pub call: Option<CallId>,
    /// The trunk group.
    pub group: String,
    /// Span (from 1) and timeslot.
    pub channel: Option<(u8, u8)>,
    /// The agent reserved for it.
    pub agent: Option<String>,
    /// When it was dialled.
    pub started_us: u64,
    /// When it was answered.
    pub answered_us: Option<u64>,
    /// What the ear said, and why.
    pub verdict: Option<(Outcome, String)>,
    /// Its first word, and how long after the answer it fell.
    #[serde(default)]
    pub judged: Option<(Verdict, u32)>,
    /// The agent's word.
    #[serde(default)]
    pub was: Option<Was>,
    /// Since when it talks to an agent.
    pub talking_since_us: Option<u64>,
    /// Time with agents so far.
    pub talked_us: u64,
    /// An agent had it.
    pub connected: bool,
    /// The recording.
    pub recording: Option<String>,
    /// The recording of the decision who answered, once it is complete.
    #[serde(default)]
    pub kept: Option<String>,
}

/// A row of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// The number.
    pub number: String,
    /// What became of it.
    pub state: ContactState,
}

/// What became of a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContactState {
    /// Not dialled yet.
    Fresh,
    /// In flight.
    Dialling,
    /// Dialled.
    Done(Outcome, String),
    /// Never dialled: the call server found the number senseless.
    Refused(String),
}

/// A campaign as it stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Campaign {
    /// Dials.
    pub running: bool,
    /// The line behind the last one taken.
    pub next_line: u32,
    /// Lines that were taken and not dialled: first again.
    pub again: std::collections::VecDeque<u32>,
    /// Rows in the list.
    pub contacts: u32,
    /// Calls in flight or talking.
    pub in_flight: u32,
    /// Contacts that are through.
    pub done: u32,
    /// Nothing is dialled before.
    pub hold_off_us: Option<u64>,
    /// The results.
    pub results: crate::losses::Outbound,
}

/// Why a command was sent: what its answer is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Nobody waits for the answer.
    Nothing,
    /// A caller's CONNECT.
    Answer(CallId),
    /// A node's prompts.
    Prompts(CallId),
    /// A menu's digit.
    Digit(CallId),
    /// A queue's announcement.
    Announce(CallId),
    /// A caller and a nailed agent.
    Bridge(CallId, String),
    /// A nailed agent's telephone at sign-in.
    SignIn(String),
    /// An agent's telephone for a call.
    Ring(CallId, String),
    /// A contact.
    Attempt(u64),
    /// A transfer by an agent's code.
    Transfer(Transfer),
    /// The end of a leg we must be rid of.
    Hangup(LegId),
    /// The recording of a leg, of this name.
    Record(LegId, String),
}

/// A command without an answer yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// The command.
    pub command: CallCommand,
    /// What for.
    pub purpose: Purpose,
    /// The disk comes first.
    pub promise: bool,
    /// How often it was refused as busy.
    pub tries: u8,
    /// When it is sent again; `None`: it is on its way.
    pub due_us: Option<u64>,
}

/// What a leg is to us.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// A caller.
    Caller(CallId),
    /// An agent's telephone.
    Agent(String),
    /// A contact.
    Contact(u64),
    /// Where an agent's caller was, or may be, sent.
    Target(Work),
}

/// A transfer under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transfer {
    /// Who asked.
    pub agent: String,
    /// What is sent on.
    pub work: Work,
    /// Without consultation.
    pub blind: bool,
}

/// What is one of a kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Core {
    /// Time as far as it has come. It never runs back.
    pub now_us: u64,
    /// What must be added to it for UTC.
    pub utc_offset_us: i64,
    /// Makes this line of lives different from others, in the keys of commands.
    pub nonce: u64,
    /// The last tag given.
    pub tag: u64,
    /// The last attempt's number.
    pub attempt: u64,
    /// The call server's life.
    pub instance: Option<u32>,
    /// The call server is there.
    pub present: bool,
    /// The counts of calls.
    pub counts: Counts,
}

/// Everything.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// What is one of a kind.
    pub core: Core,
    /// Agents by name.
    pub agents: Table<String, Agent>,
    /// Callers in the house.
    pub visits: Table<CallId, Visit>,
    /// Dialled calls in flight or talking.
    pub attempts: Table<u64, Attempt>,
    /// Campaigns by name.
    pub campaigns: Table<String, Campaign>,
    /// Rows of lists by campaign and line.
    pub contacts: Table<(String, u32), Contact>,
    /// Commands without an answer.
    pub pending: Table<u64, Pending>,
    /// What each leg is.
    pub legs: Table<LegId, Role>,
    /// Dialled legs that ended before we learned whose they were.
    #[serde(default)]
    pub early: Table<LegId, Summary>,
    /// Transfers under way.
    pub transfers: Table<OperationId, Transfer>,
    /// Calls refused lately, so that their summaries are not counted again; when.
    pub refused: Table<CallId, u64>,
    /// Counts by hour of UTC since 1970.
    pub hours: Table<i64, HourCounts>,
    /// By agent: the last dialled call he had, once it was over. Apart from him, so that it is written down when it
    /// changes and not whenever he does.
    #[serde(default)]
    pub last_dialled: Table<String, CallRecord>,
}

/// What steps changed: the decided outcome itself, so that recovery decides nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct Patch {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub core: Option<Core>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub agents: Changes<String, Agent>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub visits: Changes<CallId, Visit>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attempts: Changes<u64, Attempt>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub campaigns: Changes<String, Campaign>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub contacts: Changes<(String, u32), Contact>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pending: Changes<u64, Pending>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub legs: Changes<LegId, Role>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub early: Changes<LegId, Summary>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub transfers: Changes<OperationId, Transfer>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub refused: Changes<CallId, u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hours: Changes<i64, HourCounts>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub last_dialled: Changes<String, CallRecord>,
}

impl State {
    /// What was changed since the last time.
    pub fn take_patch(&mut self, core_before: &Core) -> Patch {
        Patch {
            core: (self.core != *core_before).then(|| self.core.clone()),
            agents: self.agents.take_changes(),
            visits: self.visits.take_changes(),
            attempts: self.attempts.take_changes(),
            campaigns: self.campaigns.take_changes(),
            contacts: self.contacts.take_changes(),
            pending: self.pending.take_changes(),
            legs: self.legs.take_changes(),
            early: self.early.take_changes(),
            transfers: self.transfers.take_changes(),
            refused: self.refused.take_changes(),
            hours: self.hours.take_changes(),
            last_dialled: self.last_dialled.take_changes(),
        }
    }

    /// Makes the changes that another life of this program decided.
    pub fn apply(&mut self, patch: Patch) {
        if let Some(core) = patch.core {
            self.core = core;
        }
        self.agents.apply(patch.agents);
        self.visits.apply(patch.visits);
        self.attempts.apply(patch.attempts);
        self.campaigns.apply(patch.campaigns);
        self.contacts.apply(patch.contacts);
        self.pending.apply(patch.pending);
        self.legs.apply(patch.legs);
        self.early.apply(patch.early);
        self.transfers.apply(patch.transfers);
        self.refused.apply(patch.refused);
        self.hours.apply(patch.hours);
        self.last_dialled.apply(patch.last_dialled);
    }
}

/// Why a leg ended, as far as records care.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// Q.850.
    pub cause: Cause,
    /// Who named it.
    pub location: Location,
    /// Whether we cleared.
    pub by_us: bool,
    /// The word of the call server for a dialled leg.
    pub outcome: Option<Outcome>,
    /// What decided it.
    pub reason: String,
}
