//! What really happened, counted on the other side.

use serde::{Deserialize, Serialize};

/// Calls lost, by stage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lost {
    /// Refused for want of a channel, group or capacity.
    pub trunk: u64,
    /// Left before queueing.
    pub ivr: u64,
    /// Left while queued.
    pub queue: u64,
    /// Left while a telephone rang for them.
    pub agent: u64,
}

/// Calls towards us.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inbound {
    /// Calls that reached us.
    pub offered: u64,
    /// Heard an agent.
    pub answered: u64,
    /// Were told what they wanted by the flow.
    pub served: u64,
    /// Lost, by stage.
    pub lost: Lost,
    /// Calls for which the exchange found no free channel.
    pub unseen: u64,
}

/// Calls we dialled, by what the subscriber was.
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

/// The exchange's own counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Truth {
    /// Calls towards us.
    pub inbound: Inbound,
    /// Calls we dialled.
    pub outbound: Outbound,
}
