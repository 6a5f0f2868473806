//! Errors as they stand on a line.

use call::{Refusal, RefusalCode};
use serde::{Deserialize, Serialize};

/// What helps to mend an error.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultData {
    /// The method, parameter or thing that was refused.
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

/// The `error` member of an answer: one of JSON-RPC's five, or a [`RefusalCode`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message} (error {code}, {})", data.what)]
pub struct Fault {
    /// JSON-RPC 2.0, §5.1, or [`RefusalCode`] as a number.
    pub code: i32,
    /// A sentence.
    pub message: String,
    /// What helps to mend it.
    #[serde(default)]
    pub data: FaultData,
}

impl Fault {
    /// The line is no JSON.
    pub const PARSE: i32 = -32700;
    /// JSON, but no request.
    pub const INVALID_REQUEST: i32 = -32600;
    /// No such method.
    pub const METHOD_NOT_FOUND: i32 = -32601;
    /// The method does not take these parameters.
    pub const INVALID_PARAMS: i32 = -32602;
    /// Our own mistake.
    pub const INTERNAL: i32 = -32603;

    /// An error with this code about `what`.
    pub fn new(code: i32, what: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            data: FaultData { what: what.into(), ..FaultData::default() },
        }
    }
    /// The method is unknown.
    pub fn unknown_method(method: &str) -> Self {
        Self::new(Self::METHOD_NOT_FOUND, clipped(method), "there is no such method")
    }
    /// The parameters of `method` are wrong; `why` says which and what would be right.
    pub fn invalid_params(method: &str, why: impl Into<String>) -> Self {
        Self::new(Self::INVALID_PARAMS, clipped(method), why)
    }
    /// This user may not connect at all.
    pub fn denied_peer(uid: u32, gid: u32) -> Self {
        let why = format!(
            "user {uid}, group {gid} may not connect: `allow` of the configuration names neither"
        );
        Self::refused(RefusalCode::Denied, "connect", why)
    }
    /// As a line that answers no request.
    pub fn line(&self) -> String {
        let line = serde_json::json!({ "jsonrpc": "2.0", "id": null, "error": self });
        format!("{line}\n")
    }
    /// The same with the field that was wrong.
    #[must_use]
    pub fn field(mut self, field: impl Into<String>) -> Self {
        self.data.field = Some(field.into());
        self
    }
    /// The same with the limit that was hit.
    #[must_use]
    pub fn limit(mut self, limit: u64) -> Self {
        self.data.limit = Some(limit);
        self
    }
    /// The same with the state that forbade it.
    #[must_use]
    pub fn state(mut self, state: impl Into<String>) -> Self {
        self.data.state = Some(state.into());
        self
    }
    /// As the refusal it was made from; `None` for JSON-RPC's own five.
    pub fn refusal(&self) -> Option<Refusal> {
        use RefusalCode::*;
        let code = [
            UnknownCall,
            WrongState,
            Busy,
            Limit,
            NotController,
            NoChannel,
            SpanDown,
            BadValue,
            KeyReused,
            Denied,
        ]
        .into_iter()
        .find(|&code| code as i32 == self.code)?;
        Some(Refusal {
            code,
            message: self.message.clone(),
            what: self.data.what.clone(),
            limit: self.data.limit,
            state: self.data.state.clone(),
            field: self.data.field.clone(),
        })
    }
    /// A refusal with this code.
    pub(crate) fn refused(
        code: RefusalCode,
        what: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self::new(code as i32, what, message)
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        let Refusal { code, message, what, limit, state, field } = refusal;
        Self { code: code as i32, message, data: FaultData { what, limit, state, field } }
    }
}

/// What a client sent, short enough to be sent back.
pub(crate) fn clipped(text: &str) -> String {
    text.chars().take(64).collect()
}
