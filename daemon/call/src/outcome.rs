//! What became of a call, in the words of the reports.

use serde::{Deserialize, Serialize};

use crate::{Cause, Verdict};

/// What became of a dialled call. One word a call; the words exclude each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Answered, and a person spoke.
    Person,
    /// Answered by a recording.
    Machine,
    /// Answered by a fax.
    Fax,
    /// Busy.
    Busy,
    /// Rang out, or nobody responded.
    NoAnswer,
    /// The number does not exist or changed.
    Vacant,
    /// The network had no way.
    Congestion,
    /// Anything else; the reason stands beside it.
    Other,
}

impl Outcome {
    /// What a signalled cause means before an answer, where the cause alone decides. Q.850.
    ///
    /// Causes 16 and 31 before an answer say nothing: the sound decides, `None`.
    pub const fn of_cause(cause: Cause) -> Option<Self> {
        Some(match cause.0 {
            16 | 31 | 127 => return None,
            17 => Self::Busy,
            18 | 19 => Self::NoAnswer,
            1 | 2 | 3 | 4 | 22 | 28 => Self::Vacant,
            33 | 34 | 35 | 37 | 38 | 41 | 42 | 43 | 44 | 45 | 46 | 47 | 6 => Self::Congestion,
            _ => Self::Other,
        })
    }
    /// What a verdict on the sound after an answer means.
    pub const fn of_verdict(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Human | Verdict::NotSure => Self::Person,
            Verdict::Machine => Self::Machine,
            Verdict::Fax => Self::Fax,
            Verdict::Silence => Self::Other,
        }
    }
}

/// How a leg ended, seen from the call server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Disposition {
    /// There was a CONNECT.
    Answered,
    /// There was none.
    NotAnswered,
    /// We refused it at the door: no channel, capacity or group.
    Refused,
}
