//! What really happened, counted on the other side, in the words of the reports.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Calls lost, by stage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lost {
    /// Refused before an answer.
    pub trunk: u64,
    /// Left before asking for an agent.
    pub ivr: u64,
    /// Left while waiting for an agent.
    pub queue: u64,
    /// Left while a telephone rang for them.
    pub agent: u64,
}

/// Calls towards us. `offered = answered + served + lost + released + here`; `unseen` stands beside it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inbound {
    /// Calls that reached us.
    pub offered: u64,
    /// Heard an agent.
    pub answered: u64,
    /// Heard the information they asked for.
    pub served: u64,
    /// Lost, by stage.
    pub lost: Lost,
    /// Answered, then released from our side without agent or information: turned away.
    pub released: u64,
    /// Still in the middle of it.
    pub here: u64,
    /// Calls for which the exchange found no free channel, or got no word from us.
    pub unseen: u64,
}

/// Calls we dialled, by what the subscriber was. `dialled` is the sum of the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Outbound {
    pub dialled: u64,
    pub person: u64,
    pub machine: u64,
    pub busy: u64,
    pub no_answer: u64,
    pub vacant: u64,
    pub congestion: u64,
    pub other: u64,
}

/// Calls we dialled, by what was signalled.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signalled {
    /// There was a CONNECT.
    pub answered: u64,
    /// We cleared before there was one.
    pub given_up: u64,
    /// The exchange cleared before there was one, by cause.
    pub refused: BTreeMap<u8, u64>,
    /// Neither yet.
    pub here: u64,
}

/// Conversations, proved by ear: somebody outside heard an agent's pilot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audio {
    /// Callers who heard an agent.
    pub callers: u64,
    /// Persons called who heard an agent.
    pub persons: u64,
    /// The longest time within any conversation in which the agent was not heard. Half a second counts
    /// as a hold; measured in steps of 80 ms.
    pub longest_gap_millis: u32,
}

/// The exchange's own counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Truth {
    /// Calls towards us.
    pub inbound: Inbound,
    /// Calls we dialled, by what the subscriber was.
    pub outbound: Outbound,
    /// The same calls by what was signalled.
    pub signalled: Signalled,
    /// Conversations.
    pub audio: Audio,
}
