//! Counting what came, what was answered and what was lost, so that sums close. The words are those of the
//! house's section 5: offered = answered + served + lost + still here.

use call::Outcome;
use serde::{Deserialize, Serialize};

use crate::action::CallResult;

/// Where calls were lost. The places exclude each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lost {
    /// Refused by us for want of channel, group or capacity.
    pub trunk: u64,
    /// Left before queueing.
    pub ivr: u64,
    /// Left while queued.
    pub queue: u64,
    /// Left while an agent's telephone rang and none had answered before.
    pub agent: u64,
}

impl Lost {
    /// All of them.
    pub const fn sum(&self) -> u64 {
        self.trunk + self.ivr + self.queue + self.agent
    }
}

/// Calls that came to us.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inbound {
    /// All that reached us.
    pub offered: u64,
    /// An agent spoke with the caller.
    pub answered: u64,
    /// The flow gave what the caller came for, and no agent spoke.
    pub served: u64,
    /// The rest of those that are over.
    pub lost: Lost,
}

impl Inbound {
    /// Counts a call that is over.
    pub const fn end(&mut self, result: CallResult) {
        match result {
            CallResult::Answered => self.answered += 1,
            CallResult::Served => self.served += 1,
            CallResult::LostTrunk => self.lost.trunk += 1,
            CallResult::LostIvr => self.lost.ivr += 1,
            CallResult::LostQueue => self.lost.queue += 1,
            CallResult::LostAgent => self.lost.agent += 1,
            CallResult::Dialled(_) => {}
        }
    }
    /// Calls that are over.
    pub const fn ended(&self) -> u64 {
        self.answered + self.served + self.lost.sum()
    }
}

/// Calls that we dialled for campaigns: dialled = the sum of the words + still in flight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Outbound {
    pub dialled: u64,
    pub person: u64,
    pub machine: u64,
    /// A fax; the shortest summaries add it to `other`.
    pub fax: u64,
    pub busy: u64,
    pub no_answer: u64,
    pub vacant: u64,
    pub congestion: u64,
    pub other: u64,
    /// Of the persons: nobody was there for them.
    pub abandoned: u64,
}

impl Outbound {
    /// Counts a result.
    pub const fn end(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Person => self.person += 1,
            Outcome::Machine => self.machine += 1,
            Outcome::Fax => self.fax += 1,
            Outcome::Busy => self.busy += 1,
            Outcome::NoAnswer => self.no_answer += 1,
            Outcome::Vacant => self.vacant += 1,
            Outcome::Congestion => self.congestion += 1,
            Outcome::Other => self.other += 1,
        }
    }
    /// All results.
    pub const fn ended(&self) -> u64 {
        self.person
            + self.machine
            + self.fax
            + self.busy
            + self.no_answer
            + self.vacant
            + self.congestion
            + self.other
    }
}

/// Everything since the beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Calls that came.
    pub inbound: Inbound,
    /// Calls that we dialled.
    pub outbound: Outbound,
    /// How long the answered ones had waited in queues, in all.
    pub waited_us: u64,
    /// Time that channels were held by inbound calls that are over: for the traffic in erlangs.
    pub held_us: u64,
}

/// One hour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HourCounts {
    /// Calls that came in this hour; results counted in the hour in which they ended.
    pub inbound: Inbound,
    /// Calls dialled likewise.
    pub outbound: Outbound,
    /// Channel time of inbound calls that ended in this hour.
    pub held_us: u64,
}
