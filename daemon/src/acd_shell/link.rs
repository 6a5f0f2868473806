//! The line to the call server: connects, subscribes from where we were, turns messages into inputs and commands
//! into requests.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use acd::Input;
use call::{Accepted, CallCommand, CallEvent, Refusal, RefusalCode, SnapshotItem};
use protocol::client::{Async, ClientError, Message};
use protocol::wire::{Envelope, Hello, Role, Welcome};
use protocol::{Fault, PROTOCOL, calls};
use serde_json::{Value, json};

use super::keeper::Heard;

/// The name under which the call server remembers our keys: the same in every life.
const CLIENT: &str = "acd";

/// What a request was for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Sent {
    Command(u64),
    /// And the key of the command.
    Recall(u64, String),
    Subscribe,
    Other,
}

/// The connection, once there is one.
pub struct Link {
    client: Async,
    sent: BTreeMap<u64, Sent>,
    instance: u32,
    snapshot: Vec<SnapshotItem>,
    /// The number of the last event that happened before we came, until it is worked in.
    behind: Option<u64>,
    /// Said once a connection.
    has_said_misunderstood: bool,
    /// The call server waits for us after each `time` event.
    pub lockstep: bool,
}

/// Something for the call centre, on the call server's clock. (One at a time, moved once: its size costs nothing.)
#[allow(clippy::large_enum_variant)]
#[derive(Debug)]
pub enum Told {
    /// An input, when it became true, and what was heard with it.
    Input {
        /// The input.
        input: Input,
        /// The call server's clock; absent: it has just happened here.
        at_us: Option<u64>,
        /// What has been heard once it is worked in.
        heard: Heard,
        /// To be acknowledged when it is safe: the number of an ended leg's event.
        ack: Option<u64>,
        /// To be answered when it is worked through (lockstep): the number of a `time` event.
        time: Option<u64>,
    },
    /// Nothing for the call centre.
    Nothing,
    /// Another controller took over: we stand back.
    Dethroned,
}

impl Link {
    /// Connects as controller.
    ///
    /// # Errors
    /// Nobody listens, or there is another controller and `takeover` is not wanted.
    pub async fn connect(path: &Path, takeover: bool) -> Result<(Self, Welcome), ClientError> {
        let hello =
            Hello { protocol: PROTOCOL, client: CLIENT.into(), role: Role::Controller, takeover };
        let (client, welcome) = Async::connect(path, &hello).await?;
        let instance = u32::from_str_radix(&welcome.instance, 16)
            .map_err(|_| ClientError::Garbled(format!("instance {:?}", welcome.instance)))?;
        let link = Self {
            client,
            sent: BTreeMap::new(),
            instance,
            snapshot: Vec::new(),
            behind: None,
            has_said_misunderstood: false,
            lockstep: welcome.lockstep,
        };
        Ok((link, welcome))
    }

    /// Asks what the command of this key was answered, without making it. To be said before
    /// [`Link::subscribe`]: then the answer comes before every event.
    ///
    /// # Errors
    /// As [`Link::command`].
    pub fn recall(&mut self, tag: u64, key: String) -> Result<(), ClientError> {
        self.request("recall", json!({ "key": key }), Sent::Recall(tag, key))
    }

    /// Wants every event after `heard`, those up to `newest` first ([`Link::has_caught_up`]); with nothing heard,
    /// or with too much missed, a snapshot.
    ///
    /// # Errors
    /// As [`Link::command`].
    pub fn subscribe(&mut self, heard: Option<u64>, newest: u64) -> Result<(), ClientError> {
        self.behind = heard.filter(|&heard| heard < newest).map(|_| newest);
        let from = heard.map_or(0, |heard| heard + 1);
        self.request("subscribe", json!({ "from": from }), Sent::Subscribe)
    }

    /// Whether everything that happened before we came is worked in, as events or by a snapshot.
    pub const fn has_caught_up(&self) -> bool {
        self.behind.is_none()
    }

    /// The call server's life.
    pub const fn instance(&self) -> u32 {
        self.instance
    }

    fn request(&mut self, method: &str, params: Value, what: Sent) -> Result<(), ClientError> {
        let id = self.client.send(method, params)?;
        self.sent.insert(id, what);
        Ok(())
    }

    /// Sends a command under its key.
    ///
    /// # Errors
    /// The connection is gone or takes nothing any more.
    pub fn command(
        &mut self,
        tag: u64,
        key: String,
        command: &CallCommand,
    ) -> Result<(), ClientError> {
        let (method, mut params) = calls::request(command);
        if let Value::Object(params) = &mut params {
            params.insert("key".into(), Value::String(key));
        }
        self.request(&method, params, Sent::Command(tag))
    }

    /// Says that we are there.
    ///
    /// # Errors
    /// As [`Link::command`].
    pub fn ping(&mut self) -> Result<(), ClientError> {
        self.request("ping", json!({}), Sent::Other)
    }

    /// Says that everything up to `seq` is safe with us.
    ///
    /// # Errors
    /// As [`Link::command`].
    pub fn acknowledge(&mut self, seq: u64) -> Result<(), ClientError> {
        self.request("ack", json!({ "seq": seq }), Sent::Other)
    }

    /// Says that the `time` event of this number is worked through.
    ///
    /// # Errors
    /// As [`Link::command`].
    pub fn time_taken(&mut self, seq: u64) -> Result<(), ClientError> {
        self.request("time", json!({ "seq": seq }), Sent::Other)
    }

    /// Writes what the socket takes at once.
    ///
    /// # Errors
    /// The connection is gone.
    pub fn flush(&mut self) -> Result<(), ClientError> {
        self.client.flush()
    }

    /// The next message. May be dropped and called again.
    ///
    /// # Errors
    /// The connection is gone, or what comes is no protocol.
    pub async fn next(&mut self) -> Result<Message, ClientError> {
        self.client.next().await
    }

    /// What a message means, after `heard`.
    ///
    /// # Errors
    /// The subscription was refused for good.
    pub fn understand(&mut self, message: Message, heard: Heard) -> Result<Told, ClientError> {
        if let Message::Event(Envelope { seq, .. }) | Message::SnapshotEnd { seq } = &message
            && self.behind.is_some_and(|newest| newest <= *seq)
        {
            self.behind = None;
        }
        Ok(match message {
            Message::Answer { id, result } => return self.answer(id, result, heard),
            Message::Event(envelope) if envelope.seq <= heard.seq => Told::Nothing,
            Message::Event(envelope) => {
                let heard = Heard { seq: envelope.seq, ..heard };
                match calls::event(&envelope) {
                    None => Told::Nothing,
                    Some(event) => {
                        let time = matches!(event, CallEvent::Time { .. }).then_some(envelope.seq);
                        let ack = matches!(event, CallEvent::Ended(_)).then_some(envelope.seq);
                        let at_us = Some(envelope.at_us);
                        Told::Input { input: Input::Media(event), at_us, heard, ack, time }
                    }
                }
            }
            Message::Gap { .. } => {
                // Remembered by the next input: nothing was worked in yet.
                self.snapshot.clear();
                Told::Nothing
            }
            // One we had before: only our acknowledgement was lost.
            Message::Summary(envelope) if envelope.seq <= heard.seq => Told::Nothing,
            Message::Summary(envelope) => {
                let heard = Heard { seq: envelope.seq, needs_snapshot: true, ..heard };
                match calls::event(&envelope) {
                    None => Told::Nothing,
                    Some(event) => Told::Input {
                        input: Input::Media(event),
                        at_us: Some(envelope.at_us),
                        heard,
                        ack: Some(envelope.seq),
                        time: None,
                    },
                }
            }
            Message::SnapshotBegin { .. } => {
                self.snapshot.clear();
                Told::Nothing
            }
            Message::SnapshotPart { items } => {
                // Items of a kind this version does not know are left out.
                let known = items.into_iter().filter_map(|item| serde_json::from_value(item).ok());
                self.snapshot.extend(known);
                Told::Nothing
            }
            Message::SnapshotEnd { seq } => Told::Input {
                input: Input::MediaSnapshot(self.instance, core::mem::take(&mut self.snapshot)),
                at_us: None,
                heard: Heard { seq, needs_snapshot: false, ..heard },
                ack: None,
                time: None,
            },
        })
    }

    fn answer(
        &mut self,
        id: u64,
        result: Result<Value, Fault>,
        heard: Heard,
    ) -> Result<Told, ClientError> {
        if let Err(fault) = &result
            && fault.code == Fault::INVALID_PARAMS
            && !std::mem::replace(&mut self.has_said_misunderstood, true)
        {
            tracing::warn!(%fault, "the call server does not understand a command: is it of an earlier version?");
        }
        let fault = match self.sent.remove(&id) {
            // It never came there; or a call server of before does not know the question.
            Some(Sent::Recall(..)) if never_came(&result) => return Ok(Told::Nothing),
            // This is no answer of the command: it may have been made, and is not to be made again under a new key.
            Some(Sent::Recall(tag, key)) if is_busy(&result) => {
                self.recall(tag, key)?;
                return Ok(Told::Nothing);
            }
            Some(Sent::Command(tag) | Sent::Recall(tag, _)) => match refusal(result) {
                Err(Refusal { code: RefusalCode::NotController, .. }) => {
                    return Ok(Told::Dethroned);
                }
                answer => {
                    let input = Input::Answered { tag, answer };
                    return Ok(Told::Input { input, at_us: None, heard, ack: None, time: None });
                }
            },
            Some(Sent::Subscribe) => match result {
                Ok(_) => return Ok(Told::Nothing),
                Err(fault) => return Err(ClientError::Refused(fault)),
            },
            Some(Sent::Other) | None => match result {
                Ok(_) => return Ok(Told::Nothing),
                Err(fault) => fault,
            },
        };
        Ok(match fault.refusal().map(|refusal| refusal.code) {
            Some(RefusalCode::NotController) => Told::Dethroned,
            _ => {
                tracing::warn!(%fault, "the call server refused");
                Told::Nothing
            }
        })
    }
}

/// Whether the answer to a recall says that there is none.
fn never_came(result: &Result<Value, Fault>) -> bool {
    match result {
        Ok(value) => value.is_null(),
        Err(fault) => fault.code == Fault::METHOD_NOT_FOUND,
    }
}

/// Whether too many wait for the answer a recall asks for.
fn is_busy(result: &Result<Value, Fault>) -> bool {
    let refusal = result.as_ref().err().and_then(Fault::refusal);
    refusal.is_some_and(|refusal| refusal.code == RefusalCode::Busy && refusal.what == "recall")
}

/// An answer in the words of the `call` crate; a fault of the protocol itself is a bad value of ours.
fn refusal(result: Result<Value, Fault>) -> Result<Accepted, Refusal> {
    match result {
        Ok(value) => serde_json::from_value(value).map_err(|error| {
            Refusal::new(RefusalCode::BadValue, "answer", format!("not understood: {error}"))
        }),
        Err(fault) => Err(fault.refusal().unwrap_or_else(|| {
            Refusal::new(RefusalCode::BadValue, fault.data.what.clone(), fault.message.clone())
        })),
    }
}

/// Where the call server listens.
pub fn socket(paths: &crate::paths::Paths) -> PathBuf {
    paths.media_socket()
}
