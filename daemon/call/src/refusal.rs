//! Why a command was not accepted: the codes of the socket, and what a person needs to mend it.

use serde::{Deserialize, Serialize};

use crate::{CallId, LegId, OperationId};

/// The error codes beside JSON-RPC's own five.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(i32)]
pub enum RefusalCode {
    /// No such leg, call, agent or operation, or no longer.
    UnknownCall = 1,
    /// It exists, but not in a state in which this can be done.
    WrongState = 2,
    /// A ring or table is full for the moment: try again.
    Busy = 3,
    /// A limit of the configuration or of the program.
    Limit = 4,
    /// Another controller took over, or the client is an observer.
    NotController = 5,
    /// No free channel in the group.
    NoChannel = 6,
    /// The span is not in service.
    SpanDown = 7,
    /// A parameter has no sensible meaning.
    BadValue = 8,
    /// The key was used with other parameters.
    KeyReused = 9,
    /// This client may not.
    Denied = 10,
}

/// A refused command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// Which kind.
    pub code: RefusalCode,
    /// A sentence.
    pub message: String,
    /// What was refused: the method, parameter or thing.
    pub what: String,
    /// The limit that was hit, when one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// The state it was in, when that was the reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// The field that was wrong, when one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

impl Refusal {
    /// A refusal of `what` for `code`.
    pub fn new(code: RefusalCode, what: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            what: what.into(),
            limit: None,
            state: None,
            field: None,
        }
    }
}

/// The answer to an accepted command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// What ends later with an event, when anything does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<OperationId>,
    /// The leg that was made, when one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leg: Option<LegId>,
    /// Its call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<CallId>,
}
