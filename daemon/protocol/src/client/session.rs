//! What a client says and hears, without a socket.

use std::collections::VecDeque;

use serde::Deserialize;
use serde_json::{Value, json};

use super::ClientError;
use crate::wire::Envelope;
use crate::{Fault, FaultData, LINE_OCTETS_MAX};

/// What a server said.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// The answer to the request that was given this number.
    Answer {
        /// As [`Session::request`] returned it.
        id: u64,
        /// The result or the error.
        result: Result<Value, Fault>,
    },
    /// Something happened.
    Event(Envelope),
    /// Events were lost to this reader; summaries and a snapshot follow.
    Gap {
        /// The first that is missing.
        lost_from: u64,
        /// The last that is missing.
        lost_to: u64,
    },
    /// A kept event out of the gap that no controller acknowledged yet.
    Summary(Envelope),
    /// A snapshot of the state after event `seq` begins.
    SnapshotBegin {
        /// The event.
        seq: u64,
    },
    /// Some of its items.
    SnapshotPart {
        /// The items.
        items: Vec<Value>,
    },
    /// The snapshot is complete; events after `seq` follow.
    SnapshotEnd {
        /// The event.
        seq: u64,
    },
}

/// Lines out, octets in, messages out.
#[derive(Debug, Default)]
pub struct Session {
    last_id: u64,
    input: Vec<u8>,
    messages: VecDeque<Message>,
}

#[derive(Deserialize)]
struct Line {
    id: Option<Value>,
    method: Option<String>,
    #[serde(default)]
    params: Value,
    result: Option<Value>,
    error: Option<Fault>,
}

impl Session {
    /// A request: its number, and the line to send.
    pub fn request(&mut self, method: &str, params: Value) -> (u64, String) {
        self.last_id += 1;
        let id = self.last_id;
        let params = if params.is_null() { json!({}) } else { params };
        let line = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        (id, format!("{line}\n"))
    }

    /// Octets came in, in pieces of any size.
    ///
    /// # Errors
    /// A line is too long or no message: nothing sensible can be read after it.
    pub fn received(&mut self, mut octets: &[u8]) -> Result<(), ClientError> {
        while !octets.is_empty() {
            let end = octets.iter().position(|&o| o == b'\n');
            let (piece, rest) = octets.split_at(end.map_or(octets.len(), |e| e + 1));
            octets = rest;
            if self.input.len() + piece.len() > LINE_OCTETS_MAX {
                return Err(ClientError::Garbled("a line is too long".into()));
            }
            self.input.extend_from_slice(piece);
            if end.is_some() {
                let message = read(&self.input)?;
                self.messages.extend(message);
                self.input.clear();
            }
        }
        Ok(())
    }

    /// The next message that is complete.
    pub fn message(&mut self) -> Option<Message> {
        self.messages.pop_front()
    }
    /// Puts `messages` before those that came behind them.
    pub(super) fn put_back(&mut self, messages: VecDeque<Message>) {
        for message in messages.into_iter().rev() {
            self.messages.push_front(message);
        }
    }
}

/// `None` for a notice of a kind this version does not know: newer servers may have more.
fn read(line: &[u8]) -> Result<Option<Message>, ClientError> {
    let garbled = |e: serde_json::Error| ClientError::Garbled(e.to_string());
    let line: Line = serde_json::from_slice(line).map_err(garbled)?;
    let Some(method) = line.method else {
        let Some(id) = line.id.as_ref().and_then(Value::as_u64) else {
            return match line.error {
                Some(fault) => Err(ClientError::Refused(fault)),
                None => Err(ClientError::Garbled("an answer without an id".into())),
            };
        };
        let result = match line.error {
            Some(fault) => Err(fault),
            None => Ok(line.result.unwrap_or(Value::Null)),
        };
        return Ok(Some(Message::Answer { id, result }));
    };
    #[derive(Deserialize)]
    struct Gap {
        lost_from: u64,
        lost_to: u64,
    }
    #[derive(Deserialize)]
    struct Seq {
        seq: u64,
    }
    #[derive(Deserialize)]
    struct Items {
        items: Vec<Value>,
    }
    fn get<T: serde::de::DeserializeOwned>(params: Value) -> Result<T, ClientError> {
        serde_json::from_value(params).map_err(|e| ClientError::Garbled(e.to_string()))
    }
    Ok(Some(match method.as_str() {
        "event" => Message::Event(get(line.params)?),
        "summary" => Message::Summary(get(line.params)?),
        "gap" => {
            let Gap { lost_from, lost_to } = get(line.params)?;
            Message::Gap { lost_from, lost_to }
        }
        "snapshot_begin" => Message::SnapshotBegin { seq: get::<Seq>(line.params)?.seq },
        "snapshot_part" => Message::SnapshotPart { items: get::<Items>(line.params)?.items },
        "snapshot_end" => Message::SnapshotEnd { seq: get::<Seq>(line.params)?.seq },
        _ => return Ok(None),
    }))
}

/// A refusal made on the client's own side.
pub(super) fn own_fault(message: impl Into<String>) -> Fault {
    Fault { code: Fault::INTERNAL, message: message.into(), data: FaultData::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What came before an answer that was waited for, and what came behind it in the same read, keeps its order.
    #[test]
    fn messages_around_an_awaited_answer_keep_their_order() {
        let mut session = Session::default();
        let event = |seq: u64| {
            format!(
                "{{\"jsonrpc\":\"2.0\",\"method\":\"event\",\"params\":{{\"seq\":{seq},\"at_us\":1,\"event\":\"x\"}}}}\n"
            )
        };
        let answer = "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{}}\n";
        let lines = [event(1), event(2), answer.into(), event(3), event(4)].concat();
        session.received(lines.as_bytes()).unwrap();
        let mut others = VecDeque::new();
        loop {
            match session.message().unwrap() {
                Message::Answer { id: 7, .. } => break,
                other => others.push_back(other),
            }
        }
        session.put_back(others);
        let seqs: Vec<u64> = core::iter::from_fn(|| session.message())
            .filter_map(|message| match message {
                Message::Event(envelope) => Some(envelope.seq),
                _ => None,
            })
            .collect();
        assert_eq!(seqs, [1, 2, 3, 4]);
    }
}
