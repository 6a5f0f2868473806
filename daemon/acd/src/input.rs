//! What reaches the call centre.

use call::{Accepted, CallEvent, Refusal, SnapshotItem};
use serde::{Deserialize, Serialize};

use crate::action::Was;

/// One thing that happened. The journal holds these as they are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Input {
    /// The call server tells.
    Media(CallEvent),
    /// The call server is there, and this is all it has: the first connection, a new life of it, or too much was
    /// missed. The summaries of legs that ended in between came before, as [`CallEvent::Ended`].
    MediaSnapshot(u32, Vec<SnapshotItem>),
    /// The call server is there again, in the same life, and all that happened in between was told: first the answers
    /// to what had none, then the events.
    MediaResumed,
    /// The connection to the call server is lost.
    MediaGone,
    /// The answer to the command of this tag.
    Answered {
        /// As in [`crate::Action::Command`].
        tag: u64,
        /// Accepted, or why not.
        answer: Result<Accepted, Refusal>,
    },
    /// Somebody asks on the socket.
    Api {
        /// Comes back in [`crate::Action::Reply`].
        request: u64,
        /// What for.
        ask: ApiRequest,
    },
    /// A moment asked for by [`crate::Action::WakeAt`] has come, or simply time has passed.
    Elapsed,
}

/// What agents, supervisors and programs may ask. The method on the socket is the variant in snake case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "method", content = "params", rename_all = "snake_case", deny_unknown_fields)]
pub enum ApiRequest {
    /// An agent comes. A nailed one's telephone is called.
    SignIn {
        /// Who.
        agent: String,
    },
    /// He leaves, after the call he has.
    SignOut {
        /// Who.
        agent: String,
    },
    /// He takes calls: ends a pause or the wrap-up.
    Ready {
        /// Who.
        agent: String,
    },
    /// He takes none, after the call he has.
    Pause {
        /// Who.
        agent: String,
        /// Why, in a word of the operator's.
        reason: String,
    },
    /// He is done writing up.
    WrapUpEnd {
        /// Who.
        agent: String,
    },
    /// Who answered the dialled call that he has, or had last: a person, or a machine after all.
    Disposition {
        /// Who says so.
        agent: String,
        /// Who it was.
        was: Was,
    },
    /// All agents and their states.
    Agents {},
    /// All queues: waiting, longest wait, agents.
    Queues {},
    /// All calls in the house.
    Calls {},
    /// The state of all campaigns.
    Campaigns {},
    /// Puts a list into a campaign that is not running; what was there is replaced.
    ListLoad {
        /// Which.
        campaign: String,
        /// The text: a number in the first column; a first line without any digit is a heading.
        csv: String,
        /// Take the good rows though there are bad ones.
        #[serde(default)]
        good_rows_only: bool,
    },
    /// Starts to dial, or goes on.
    CampaignStart {
        /// Which.
        campaign: String,
    },
    /// Dials nothing new; calls in flight come to their end.
    CampaignStop {
        /// Which.
        campaign: String,
    },
    /// Counts of calls and losses, in and out.
    Report {},
    /// The same by hour.
    Hours {},
}
