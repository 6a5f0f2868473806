//! The server's side of a socket as a pure machine.
//!
//! The shell owns the sockets. It tells [`Server::connected`], [`Server::received`], [`Server::closed`],
//! after each of them drains [`Server::poll`] down to [`Output::Wait`], and writes to every connection
//! what [`Server::line`] gives while its socket takes it. What the server does not know itself comes out
//! as [`Output::Request`] and is answered by [`Server::answer`], at once or much later.
//!
//! Events are published once and kept in one log; a subscriber is a position in it. So a slow reader
//! costs nothing, and one that falls [`BEHIND_EVENTS_MAX`] events or [`BEHIND_OCTETS_MAX`] octets behind
//! gets a `gap`, what it must not miss, and a snapshot instead.

mod connection;
mod keys;
mod log;
mod unread;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use call::RefusalCode;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::wire::{self, Envelope, Hello, Incoming, Role, Welcome};
use crate::{Fault, INTEGER_MAX, LINE_OCTETS_MAX, PROTOCOL, SILENT_MICROS};
use connection::{Connection, Feed, REQUESTS_MAX};
pub use keys::REMEMBERED_MICROS;
use keys::{Keys, Seen};
use log::Log;
use unread::Unread;
pub use unread::{NoSpill, Spill};

/// A reader so many events behind gets a gap.
pub const BEHIND_EVENTS_MAX: u64 = 8192;
/// A reader so many octets behind gets a gap.
pub const BEHIND_OCTETS_MAX: u64 = 4 << 20;
/// Events kept for readers that come back.
pub const LOG_EVENTS: usize = 200_000;
/// Unacknowledged summaries kept in memory; more go to the [`Spill`].
pub const UNREAD_MAX: usize = 100_000;
/// Keys remembered at once.
pub const KEYS_MAX: usize = 200_000;
/// Octets of remembered requests and answers.
pub const KEY_OCTETS_MAX: usize = 64 << 20;
/// Connections at once.
pub const CONNECTIONS_MAX: usize = 1024;
/// Octets of snapshot items in one `snapshot_part`, so that its line keeps [`LINE_OCTETS_MAX`].
const PART_OCTETS_MAX: usize = LINE_OCTETS_MAX - 128;

const _: () = assert!((BEHIND_EVENTS_MAX as usize) < LOG_EVENTS);
const _: () = assert!(PART_OCTETS_MAX > LINE_OCTETS_MAX / 2);

/// Who may use a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everybody the socket lets in. Changes nothing, takes no key.
    Read,
    /// Everybody the socket lets in. Changes something: takes a key.
    Maintain,
    /// The controller alone. Takes a key.
    Control,
}

/// What a server is built from.
pub struct Settings {
    /// This life of the process.
    pub instance: String,
    /// Methods beside the server's own.
    pub methods: BTreeMap<String, Access>,
    /// One controller at a time, with epochs and a lease. Otherwise everybody may be one.
    pub exclusive: bool,
    /// Whether a controller must answer each `time` event.
    pub lockstep: bool,
    /// UTC minus the server's clock, in µs.
    pub utc_offset_us: i64,
    /// Events kept, see [`LOG_EVENTS`].
    pub log_events: usize,
    /// Summaries kept in memory, see [`UNREAD_MAX`].
    pub unread_max: usize,
    /// Where more of them go.
    pub spill: Box<dyn Spill>,
}

impl Settings {
    /// The house's limits, one controller, no spill.
    pub fn new(instance: impl Into<String>, methods: &[(&str, Access)]) -> Self {
        Self {
            instance: instance.into(),
            methods: methods.iter().map(|(m, a)| ((*m).to_owned(), *a)).collect(),
            exclusive: true,
            lockstep: false,
            utc_offset_us: 0,
            log_events: LOG_EVENTS,
            unread_max: UNREAD_MAX,
            spill: Box::new(NoSpill),
        }
    }
}

/// A request the server does not answer itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Give it back to [`Server::answer`].
    pub token: u64,
    /// Where it came from.
    pub connection: u64,
    /// The client's name.
    pub client: String,
    /// The method, one of [`Settings::methods`].
    pub method: String,
    /// Its parameters, without the key.
    pub params: Map<String, Value>,
    /// The key, when the method takes one.
    pub key: Option<String>,
}

/// What [`Server::poll`] yields.
#[derive(Debug, PartialEq)]
pub enum Output {
    /// Somebody asks; answer with [`Server::answer`].
    Request(Request),
    /// A subscriber needs a snapshot; give it with [`Server::snapshot`].
    Snapshot {
        /// For whom.
        connection: u64,
    },
    /// A controller is there, or none is any more (gone, or silent for 2 s). Exclusive servers only.
    Controller {
        /// Whether one is.
        present: bool,
        /// Its epoch.
        epoch: u64,
    },
    /// The controller has safe what it was told up to here.
    Acknowledged {
        /// The event's number.
        seq: u64,
    },
    /// The controller has worked through the `time` event with this number (lockstep).
    TimeTaken {
        /// The event's number.
        seq: u64,
    },
    /// Write what [`Server::line`] still has if that goes at once, then close.
    Close {
        /// Which.
        connection: u64,
        /// Why, for the log.
        why: &'static str,
    },
    /// Nothing more; call [`Server::elapsed`] then.
    Wait(Option<u64>),
}

/// When an event became true.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    /// On the server's clock, in µs.
    pub at_us: u64,
    /// In samples of a board, with the number of that board's clock.
    pub sample: Option<(u64, u8)>,
}

struct Pending {
    connection: u64,
    id: Value,
    key: Option<keys::Id>,
}

/// The machine. See the module's head for how it is driven.
pub struct Server {
    settings: Settings,
    connections: BTreeMap<u64, Connection>,
    log: Log,
    unread: Unread,
    keys: Keys,
    pending: HashMap<u64, Pending>,
    next_token: u64,
    controller: Option<u64>,
    epoch: u64,
    reported_present: bool,
    outputs: VecDeque<Output>,
}

impl Server {
    /// A server nobody is connected to.
    pub fn new(mut settings: Settings) -> Self {
        let spill = std::mem::replace(&mut settings.spill, Box::new(NoSpill));
        Self {
            log: Log::new(settings.log_events.max(1)),
            unread: Unread::new(settings.unread_max, spill),
            keys: Keys::new(KEYS_MAX, KEY_OCTETS_MAX),
            settings,
            connections: BTreeMap::new(),
            pending: HashMap::new(),
            next_token: 1,
            controller: None,
            epoch: 0,
            reported_present: false,
            outputs: VecDeque::new(),
        }
    }

    /// Number of the newest event.
    pub fn seq(&self) -> u64 {
        self.log.newest()
    }
    /// Summaries kept in memory that no controller acknowledged.
    pub fn unacknowledged(&mut self) -> usize {
        self.unread.len()
    }
    /// Summaries that found no place any more.
    pub fn unacknowledged_lost(&self) -> u64 {
        self.unread.lost
    }
    /// Whether a controller holds the lease as far as was reported.
    pub fn controlled(&self) -> bool {
        self.reported_present
    }
    /// UTC stepped.
    pub fn set_utc_offset(&mut self, utc_offset_us: i64) {
        self.settings.utc_offset_us = utc_offset_us;
    }

    /// A client connected. Past [`CONNECTIONS_MAX`] it is closed again.
    pub fn connected(&mut self, now_us: u64, connection: u64) {
        let full = self.connections.len() >= CONNECTIONS_MAX;
        let known = self.connections.entry(connection).or_insert_with(|| Connection::new(now_us));
        if full {
            known.closing = true;
            self.report_closing(connection, "too many connections");
        }
    }

    /// The socket of a connection closed.
    pub fn closed(&mut self, now_us: u64, connection: u64) {
        self.connections.remove(&connection);
        if self.controller == Some(connection) {
            self.controller = None;
        }
        self.look_for_controller(now_us);
    }

    /// Octets came in, in pieces of any size.
    pub fn received(&mut self, now_us: u64, connection: u64, mut octets: &[u8]) {
        if let Some(c) = self.connections.get_mut(&connection) {
            c.heard_us = now_us;
        }
        while !octets.is_empty() {
            let Some(c) = self.connections.get_mut(&connection) else { break };
            if c.closing {
                break;
            }
            let end = octets.iter().position(|&o| o == b'\n');
            let (piece, rest) = octets.split_at(end.map_or(octets.len(), |e| e + 1));
            octets = rest;
            if c.input.len() + piece.len() > LINE_OCTETS_MAX {
                let fault = Fault::new(Fault::INVALID_REQUEST, "line", "the line is too long");
                let outcome = wire::outcome(&Err(fault.limit(LINE_OCTETS_MAX as u64)));
                c.send(wire::answer_line(&Value::Null, &outcome));
                c.closing = true;
                c.input = Vec::new();
                self.report_closing(connection, "over-long line");
                break;
            }
            c.input.extend_from_slice(piece);
            if end.is_some() {
                let mut line = std::mem::take(&mut c.input);
                while line.last().is_some_and(|o| matches!(o, b'\n' | b'\r')) {
                    line.pop();
                }
                if !line.is_empty() {
                    self.handle_line(now_us, connection, &line);
                }
                line.clear();
                if let Some(c) = self.connections.get_mut(&connection) {
                    c.input = line;
                }
            }
        }
        self.look_for_controller(now_us);
    }

    /// Time passed.
    pub fn elapsed(&mut self, now_us: u64) {
        self.look_for_controller(now_us);
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Output {
        if let Some(output) = self.outputs.pop_front() {
            return output;
        }
        let lease = self.controller.filter(|_| self.reported_present);
        let lease = lease.and_then(|c| self.connections.get(&c));
        Output::Wait(lease.map(|c| c.heard_us + SILENT_MICROS))
    }

    fn handle_line(&mut self, now_us: u64, connection: u64, line: &[u8]) {
        let (id, result) = match wire::parse(line) {
            Ok(incoming) => {
                let id = incoming.id.clone();
                match self.request(now_us, connection, incoming) {
                    Ok(None) => return,
                    Ok(Some(result)) => (id, Ok(result)),
                    Err(fault) => (id, Err(fault)),
                }
            }
            Err(refused) => (refused.0, Err(refused.1)),
        };
        self.send(connection, &id, &wire::outcome(&result));
    }

    /// `None`: the answer comes later, or was sent already.
    fn request(
        &mut self,
        now_us: u64,
        connection: u64,
        incoming: Incoming,
    ) -> Result<Option<Value>, Fault> {
        if incoming.method == "hello" {
            return self.hello(now_us, connection, incoming.params).map(Some);
        }
        let Some(c) = self.connections.get(&connection) else { return Ok(None) };
        if c.client.is_none() {
            let fault = Fault::refused(
                RefusalCode::WrongState,
                crate::fault::clipped(&incoming.method),
                "the first request on a connection is `hello`",
            );
            return Err(fault.state("no hello"));
        }
        match incoming.method.as_str() {
            "ping" => Ok(Some(json!({ "now": now_us }))),
            "subscribe" => self.subscribe(connection, incoming.params).map(Some),
            "unsubscribe" => {
                if let Some(c) = self.connections.get_mut(&connection) {
                    c.feed = Feed::Off;
                }
                Ok(Some(json!({})))
            }
            "ack" | "time" => self.taken(connection, &incoming).map(Some),
            "recall" => self.recall(now_us, connection, incoming),
            _ => self.forward(now_us, connection, incoming),
        }
    }

    fn hello(
        &mut self,
        now_us: u64,
        connection: u64,
        params: Map<String, Value>,
    ) -> Result<Value, Fault> {
        let hello: Hello = serde_json::from_value(Value::Object(params))
            .map_err(|e| Fault::invalid_params("hello", e.to_string()))?;
        if hello.protocol != PROTOCOL {
            let fault = Fault::refused(
                RefusalCode::BadValue,
                "hello",
                format!("version {} is not spoken here", hello.protocol),
            );
            return Err(fault.field("protocol").limit(u64::from(PROTOCOL)));
        }
        if hello.client.is_empty() || hello.client.len() > wire::NAME_OCTETS_MAX {
            let why = "`client` has 1 to 64 octets";
            let fault = Fault::refused(RefusalCode::BadValue, "hello", why);
            return Err(fault.field("client").limit(wire::NAME_OCTETS_MAX as u64));
        }
        if hello.role == Role::Controller && self.settings.exclusive {
            let other = self.controller.filter(|&c| c != connection);
            if other.is_some() && !hello.takeover {
                let why = "there is a controller; `takeover` replaces it";
                let fault = Fault::refused(RefusalCode::NotController, "hello", why);
                return Err(fault.state("controlled"));
            }
            if self.controller != Some(connection) {
                self.epoch += 1;
                self.reported_present = false;
            }
            self.controller = Some(connection);
        } else if self.controller == Some(connection) {
            self.controller = None;
        }
        let epoch = self.epoch;
        if let Some(c) = self.connections.get_mut(&connection) {
            c.client = Some(hello.client);
            c.role = hello.role;
            c.epoch = epoch;
        }
        let welcome = Welcome {
            protocol: PROTOCOL,
            instance: self.settings.instance.clone(),
            now: now_us,
            seq: self.log.newest(),
            epoch,
            utc_offset_us: self.settings.utc_offset_us,
            lockstep: self.settings.lockstep,
        };
        Ok(serde_json::to_value(welcome).unwrap_or(Value::Null))
    }

    fn subscribe(&mut self, connection: u64, params: Map<String, Value>) -> Result<Value, Fault> {
        let newest = self.log.newest();
        let from = number(&params, "subscribe", "from")?;
        if from > newest + 1 {
            let fault = Fault::refused(
                RefusalCode::BadValue,
                "subscribe",
                "`from` lies in the future: after a restart of the server begin with 0",
            );
            return Err(fault.field("from").limit(newest + 1));
        }
        let inside = from >= self.log.oldest() && from > 0;
        if let Some(c) = self.connections.get_mut(&connection) {
            c.feed = if inside {
                Feed::Live { next: from, replay: newest }
            } else {
                Feed::Behind { lost_from: from }
            };
        }
        Ok(json!({ "seq": newest }))
    }

    fn taken(&mut self, connection: u64, incoming: &Incoming) -> Result<Value, Fault> {
        self.may_control(connection, &incoming.method)?;
        let seq = number(&incoming.params, &incoming.method, "seq")?;
        if seq > self.log.newest() {
            let why = "no event has this number yet";
            let fault = Fault::refused(RefusalCode::BadValue, incoming.method.as_str(), why);
            return Err(fault.field("seq").limit(self.log.newest()));
        }
        if incoming.method == "ack" {
            self.unread.acknowledge(seq);
            self.outputs.push_back(Output::Acknowledged { seq });
        } else {
            self.outputs.push_back(Output::TimeTaken { seq });
        }
        Ok(json!({}))
    }

    /// What the request of a key was answered, for one who fell before the answer came; `null` when it never came
    /// here. Answers go out before events: who recalls before he subscribes knows every operation and leg of his
    /// before he is told what became of them.
    fn recall(
        &mut self,
        now_us: u64,
        connection: u64,
        incoming: Incoming,
    ) -> Result<Option<Value>, Fault> {
        let Incoming { id, key, .. } = incoming;
        let Some(key) = key else {
            let why = "the `key` of the request that may have been made";
            return Err(Fault::invalid_params("recall", why).field("key"));
        };
        let Some(c) = self.connections.get(&connection) else { return Ok(None) };
        let key_id = (c.client.clone().unwrap_or_default(), key);
        let is_there = |connection| self.connections.contains_key(&connection);
        match self.keys.recall(now_us, &key_id, (connection, &id), is_there) {
            Seen::Answered(outcome) => {
                self.send(connection, &id, &outcome);
                Ok(None)
            }
            Seen::Pending => Ok(None),
            Seen::New | Seen::Reused => Ok(Some(Value::Null)),
            Seen::Full => {
                let why = "too many wait for this answer";
                Err(Fault::refused(RefusalCode::Busy, "recall", why))
            }
        }
    }

    fn may_control(&self, connection: u64, method: &str) -> Result<(), Fault> {
        let Some(c) = self.connections.get(&connection) else { return Ok(()) };
        let current = !self.settings.exclusive || self.controller == Some(connection);
        if c.role == Role::Controller && current {
            return Ok(());
        }
        let fault = if c.role == Role::Controller {
            let why = "another controller took over";
            Fault::refused(RefusalCode::NotController, method, why).limit(self.epoch)
        } else {
            let why = "this client said hello as an observer";
            Fault::refused(RefusalCode::NotController, method, why)
        };
        Err(fault.state(format!("epoch {} of {}", c.epoch, self.epoch)))
    }

    fn forward(
        &mut self,
        now_us: u64,
        connection: u64,
        incoming: Incoming,
    ) -> Result<Option<Value>, Fault> {
        let Incoming { id, method, params, key } = incoming;
        let Some(&access) = self.settings.methods.get(&method) else {
            return Err(Fault::unknown_method(&method));
        };
        if access == Access::Control {
            self.may_control(connection, &method)?;
        }
        let Some(c) = self.connections.get(&connection) else { return Ok(None) };
        if c.requests >= REQUESTS_MAX {
            let why = "too many requests of this connection are being worked on";
            let fault = Fault::refused(RefusalCode::Busy, method, why);
            return Err(fault.limit(REQUESTS_MAX as u64));
        }
        let client = c.client.clone().unwrap_or_default();
        let key_id = match (access, &key) {
            (Access::Read, _) => None,
            (Access::Maintain | Access::Control, Some(key)) => Some((client.clone(), key.clone())),
            (Access::Maintain | Access::Control, None) => {
                let why = "a request that changes something carries a `key` in its `params`";
                return Err(Fault::invalid_params(&method, why).field("key"));
            }
        };
        if let Some(key_id) = &key_id {
            let request = format!("{method} {}", Value::Object(params.clone()));
            let is_there = |connection| self.connections.contains_key(&connection);
            match self.keys.begin(now_us, key_id, request, (connection, &id), is_there) {
                Seen::New => {}
                Seen::Pending => return Ok(None),
                Seen::Answered(outcome) => {
                    self.send(connection, &id, &outcome);
                    return Ok(None);
                }
                Seen::Reused => {
                    let why = "this key was used for another request in the last ten minutes";
                    let fault = Fault::refused(RefusalCode::KeyReused, method, why);
                    return Err(fault.field("key"));
                }
                Seen::Full => {
                    let why = "too many keys are remembered";
                    let fault = Fault::refused(RefusalCode::Limit, method, why);
                    return Err(fault.limit(KEYS_MAX as u64));
                }
            }
        }
        if let Some(c) = self.connections.get_mut(&connection) {
            c.requests += 1;
        }
        let token = self.next_token;
        self.next_token += 1;
        self.pending.insert(token, Pending { connection, id, key: key_id });
        let request = Request { token, connection, client, method, params, key };
        self.outputs.push_back(Output::Request(request));
        Ok(None)
    }

    /// Answers a request. An unknown token is ignored: it was answered before.
    pub fn answer(&mut self, _now_us: u64, token: u64, result: Result<Value, Fault>) {
        let Some(Pending { connection, id, key }) = self.pending.remove(&token) else { return };
        let mut outcome: Arc<str> = wire::outcome(&result).into();
        if outcome.len() > LINE_OCTETS_MAX - 256 {
            let why = "the answer does not fit a line; ask for less";
            let fault = Fault::refused(RefusalCode::Limit, "answer", why);
            outcome = wire::outcome(&Err(fault.limit(LINE_OCTETS_MAX as u64))).into();
        }
        if let Some(c) = self.connections.get_mut(&connection) {
            c.requests = c.requests.saturating_sub(1);
        }
        self.send(connection, &id, &outcome);
        if let Some(key) = key {
            for (other, id) in self.keys.finish(&key, &outcome) {
                self.send(other, &id, &outcome);
            }
        }
    }

    /// Numbers an event, keeps it and gives it to the subscribers. `event` serialises to an object with
    /// `event` and `data`. `keep`: until the controller acknowledges it. Returns its number.
    pub fn publish(&mut self, stamp: Stamp, event: &impl Serialize, keep: bool) -> u64 {
        let seq = self.log.newest() + 1;
        let mut words = match serde_json::to_value(event) {
            Ok(Value::Object(words)) => words,
            Ok(_) | Err(_) => Map::new(),
        };
        let envelope = Envelope {
            seq,
            at_us: stamp.at_us,
            at_sample: stamp.sample.map(|s| s.0),
            clock: stamp.sample.map(|s| s.1),
            event: match words.remove("event") {
                Some(Value::String(name)) => name,
                _ => String::new(),
            },
            data: words.remove("data").unwrap_or(Value::Null),
        };
        let params = serde_json::to_value(&envelope).unwrap_or(Value::Null);
        if keep {
            self.unread.keep(seq, wire::notice_line("summary", &params).into());
        }
        self.log.push(wire::notice_line("event", &params).into());
        for c in self.connections.values_mut() {
            if let Feed::Live { next, replay } = c.feed {
                let read = replay.max(next.saturating_sub(1));
                let late = seq - read >= BEHIND_EVENTS_MAX
                    || self.log.octets_after(read) >= BEHIND_OCTETS_MAX
                    || next < self.log.oldest();
                if late {
                    c.feed = Feed::Behind { lost_from: next };
                }
            }
        }
        seq
    }

    /// The state after the newest event, for a subscriber that asked. Items are cut into lines here; an
    /// item that fits no line is left out and returned as an error with its index.
    ///
    /// # Errors
    /// Indices of items above the limit of a line.
    pub fn snapshot<T: Serialize>(
        &mut self,
        connection: u64,
        items: &[T],
    ) -> Result<(), Vec<usize>> {
        let Some(c) = self.connections.get_mut(&connection) else { return Ok(()) };
        let Feed::Asked { lost_from } = c.feed else { return Ok(()) };
        let seq = self.log.newest();
        let mut lines: VecDeque<Arc<str>> = VecDeque::new();
        lines.push_back(wire::notice_line("snapshot_begin", &json!({ "seq": seq })).into());
        let (mut part, mut too_long) = (String::new(), Vec::new());
        let mut flush = |part: &mut String| {
            if !part.is_empty() {
                let line = format!(
                    "{{\"jsonrpc\":\"2.0\",\"method\":\"snapshot_part\",\"params\":{{\"items\":[{part}]}}}}\n"
                );
                lines.push_back(line.into());
                part.clear();
            }
        };
        for (index, item) in items.iter().enumerate() {
            let text = serde_json::to_string(item).unwrap_or_default();
            if text.is_empty() || text.len() > PART_OCTETS_MAX {
                too_long.push(index);
                continue;
            }
            if part.len() + text.len() + 1 > PART_OCTETS_MAX {
                flush(&mut part);
            }
            if !part.is_empty() {
                part.push(',');
            }
            part.push_str(&text);
        }
        flush(&mut part);
        lines.push_back(wire::notice_line("snapshot_end", &json!({ "seq": seq })).into());
        let gap = json!({ "lost_from": lost_from, "lost_to": seq });
        c.send(wire::notice_line("gap", &gap));
        c.feed = Feed::Unread { after: 0, seq, then: lines };
        if too_long.is_empty() { Ok(()) } else { Err(too_long) }
    }

    /// The next line for a connection whose socket takes one; it ends with a line feed.
    pub fn line(&mut self, _now_us: u64, connection: u64) -> Option<Arc<str>> {
        let c = self.connections.get_mut(&connection)?;
        if let Some(line) = c.answers.pop_front() {
            c.answer_octets = c.answer_octets.saturating_sub(line.len());
            return Some(line);
        }
        loop {
            match &mut c.feed {
                Feed::Off | Feed::Asked { .. } => return None,
                Feed::Live { next, .. } => {
                    let line = Arc::clone(self.log.get(*next)?);
                    *next += 1;
                    return Some(line);
                }
                Feed::Behind { lost_from } => {
                    c.feed = Feed::Asked { lost_from: *lost_from };
                    self.outputs.push_back(Output::Snapshot { connection });
                    return None;
                }
                Feed::Unread { after, seq, then } => {
                    if let Some((kept, line)) = self.unread.after(*after)
                        && kept <= *seq
                    {
                        *after = kept;
                        return Some(line);
                    }
                    c.feed = Feed::Snapshot { lines: std::mem::take(then), seq: *seq };
                }
                Feed::Snapshot { lines, seq } => {
                    if let Some(line) = lines.pop_front() {
                        return Some(line);
                    }
                    let next = *seq + 1;
                    c.feed = if next < self.log.oldest() {
                        Feed::Behind { lost_from: next }
                    } else {
                        Feed::Live { next, replay: *seq }
                    };
                }
            }
        }
    }

    fn send(&mut self, connection: u64, id: &Value, outcome: &str) {
        let Some(c) = self.connections.get_mut(&connection) else { return };
        let was_closing = c.closing;
        c.send(wire::answer_line(id, outcome));
        if c.closing && !was_closing {
            self.report_closing(connection, "does not read its answers");
        }
    }

    fn report_closing(&mut self, connection: u64, why: &'static str) {
        if let Some(c) = self.connections.get_mut(&connection)
            && !c.close_reported
        {
            c.close_reported = true;
            self.outputs.push_back(Output::Close { connection, why });
        }
    }

    fn look_for_controller(&mut self, now_us: u64) {
        let present = self
            .controller
            .and_then(|c| self.connections.get(&c))
            .is_some_and(|c| now_us.saturating_sub(c.heard_us) < SILENT_MICROS);
        if present != self.reported_present {
            self.reported_present = present;
            self.outputs.push_back(Output::Controller { present, epoch: self.epoch });
        }
    }
}

fn number(params: &Map<String, Value>, method: &str, field: &str) -> Result<u64, Fault> {
    match params.get(field).and_then(Value::as_u64) {
        Some(n) if n <= INTEGER_MAX => Ok(n),
        _ => {
            let why = format!("`{field}` is an integer from 0 to 2^53 - 1");
            Err(Fault::invalid_params(method, why).field(field))
        }
    }
}

#[cfg(test)]
mod tests;
