//! The objects on the lines.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Fault;
use crate::fault::clipped;

/// Octets a `key`, a client's name or a request's id may have.
pub const NAME_OCTETS_MAX: usize = 64;

/// Who a client wants to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Looks on; may maintain (block, drain) but makes no calls.
    #[default]
    Observer,
    /// Commands calls. On `media.sock` there is one at a time.
    Controller,
}

/// Parameters of `hello`, the first request on a connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hello {
    /// [`crate::PROTOCOL`].
    pub protocol: u32,
    /// The client's name: keys are remembered under it, so it stays the same over restarts.
    pub client: String,
    /// What it wants to be.
    #[serde(default)]
    pub role: Role,
    /// Become controller even though there is one.
    #[serde(default)]
    pub takeover: bool,
}

/// The answer to `hello`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// The version spoken from here on.
    pub protocol: u32,
    /// Changes when the server restarts; ids carry it.
    pub instance: String,
    /// The server's clock, in µs. Monotonic; virtual in tests.
    pub now: u64,
    /// The last event's number.
    pub seq: u64,
    /// Raised by every new controller.
    pub epoch: u64,
    /// UTC in µs since 1970 minus `now`.
    pub utc_offset_us: i64,
    /// The server waits for `time {seq}` after each `time` event.
    pub lockstep: bool,
}

/// An event as it crosses the socket; `event` and `data` are the event's own words.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Envelope {
    /// Counted from 1 without holes.
    pub seq: u64,
    /// When it became true, on the server's clock in µs.
    pub at_us: u64,
    /// When it became true in samples of a board, where a sample decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_sample: Option<u64>,
    /// Which board's clock counts `at_sample`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock: Option<u8>,
    /// The event's name.
    pub event: String,
    /// What belongs to it.
    #[serde(default)]
    pub data: Value,
}

/// A request as it came in.
pub(crate) struct Incoming {
    pub id: Value,
    pub method: String,
    pub params: Map<String, Value>,
    pub key: Option<String>,
}

/// Reads one line. The error comes with the id to answer it under.
pub(crate) fn parse(line: &[u8]) -> Result<Incoming, Box<(Value, Fault)>> {
    let refuse = |id: &Value, message: &str| {
        Box::new((id.clone(), Fault::new(Fault::INVALID_REQUEST, "request", message)))
    };
    let value: Value = serde_json::from_slice(line).map_err(|e| {
        Box::new((Value::Null, Fault::new(Fault::PARSE, "line", format!("no JSON: {e}"))))
    })?;
    let Value::Object(mut object) = value else {
        return Err(refuse(&Value::Null, "a line carries one object; batches are not spoken"));
    };
    let id = match object.remove("id") {
        Some(Value::Number(n)) => Value::Number(n),
        Some(Value::String(s)) if s.len() <= NAME_OCTETS_MAX => Value::String(s),
        Some(_) => return Err(refuse(&Value::Null, "`id` is a number or a string of 64 octets")),
        None => return Err(refuse(&Value::Null, "`id` is missing: every request is answered")),
    };
    if object.remove("jsonrpc").as_ref().and_then(Value::as_str) != Some("2.0") {
        return Err(refuse(&id, "`jsonrpc` must be \"2.0\""));
    }
    let Some(Value::String(method)) = object.remove("method") else {
        return Err(refuse(&id, "`method` is missing or no string"));
    };
    let mut params = match object.remove("params") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(map)) => map,
        Some(_) => {
            let fault = Fault::invalid_params(&method, "`params` is an object with names");
            return Err(Box::new((id, fault)));
        }
    };
    if let Some(extra) = object.keys().next() {
        return Err(refuse(&id, &format!("a request has no member `{}`", clipped(extra))));
    }
    let key = match params.remove("key") {
        None => None,
        Some(Value::String(key)) if !key.is_empty() && key.len() <= NAME_OCTETS_MAX => Some(key),
        Some(_) => {
            let fault = Fault::invalid_params(&method, "`key` is a string of 1 to 64 octets");
            return Err(Box::new((id, fault.field("key").limit(NAME_OCTETS_MAX as u64))));
        }
    };
    Ok(Incoming { id, method, params, key })
}

/// What stands behind the id in an answer: `"result":…` or `"error":…`.
pub(crate) fn outcome(answer: &Result<Value, Fault>) -> String {
    match answer {
        Ok(result) => format!("\"result\":{result}"),
        Err(fault) => {
            format!("\"error\":{}", serde_json::to_value(fault).unwrap_or(Value::Null))
        }
    }
}

/// An answer's line.
pub(crate) fn answer_line(id: &Value, outcome: &str) -> String {
    format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},{outcome}}}\n")
}

/// The line of a message nobody asked for: an event, a gap, a part of a snapshot.
pub(crate) fn notice_line(method: &str, params: &Value) -> String {
    format!("{{\"jsonrpc\":\"2.0\",\"method\":\"{method}\",\"params\":{params}}}\n")
}
