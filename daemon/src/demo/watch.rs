//! What the demonstration sees of its house: it asks the three sockets, as any client would.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use exchange::{CallTruth, Offering, Truth};
use protocol::client::{Blocking, ClientError};
use protocol::wire::{Hello, Role};
use serde::Deserialize;
use serde_json::{Value, json};

use super::summary::{BoardCounts, Report};
use crate::paths::Paths;

/// Each attempt is given the client's patience.
const ORDER_ATTEMPTS: u32 = 4;

/// Whether the other side answered, and said no.
fn is_refusal(error: &anyhow::Error) -> bool {
    error.downcast_ref::<ClientError>().is_some_and(|e| matches!(e, ClientError::Refused(_)))
}

/// A socket that is asked, and connected to again when its process was started anew.
struct Line {
    path: PathBuf,
    role: Role,
    client: Option<Blocking>,
}

impl Line {
    fn new(path: PathBuf, role: Role) -> Self {
        Self { path, role, client: None }
    }

    fn ask<T: for<'a> Deserialize<'a>>(
        &mut self,
        method: &str,
        params: Value,
    ) -> anyhow::Result<T> {
        let client = match &mut self.client {
            Some(client) => client,
            None => {
                let hello = Hello {
                    protocol: protocol::PROTOCOL,
                    client: "demo".to_owned(),
                    role: self.role,
                    takeover: false,
                };
                let (mut client, _) = Blocking::connect(&self.path, &hello)
                    .with_context(|| format!("socket {}", self.path.display()))?;
                client.patience = Duration::from_secs(3);
                self.client.insert(client)
            }
        };
        match client.call(method, params) {
            Ok(value) => Ok(serde_json::from_value(value)?),
            Err(error) => {
                self.client = None;
                Err(anyhow::Error::new(error).context(format!("method {method}")))
            }
        }
    }
}

/// The three sockets.
pub struct Watch {
    media: Line,
    acd: Line,
    emulate: Line,
    keys: u64,
}

/// The far side.
#[derive(Clone, Debug, Deserialize)]
pub struct Far {
    /// The exchange's counts.
    pub truth: Truth,
    /// Whether callers still come.
    pub offering: Offering,
}

/// A look at the house.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The call centre's counts.
    pub report: Report,
    /// The exchange's.
    pub far: Far,
    /// The call server's status.
    pub status: Value,
    /// The agents.
    pub agents: Value,
    /// The queues.
    pub queues: Value,
}

#[derive(Deserialize)]
struct Page {
    calls: Vec<CallTruth>,
    next: Option<usize>,
}

impl Watch {
    /// Looks at the house below `paths`.
    pub fn new(paths: &Paths) -> Self {
        Self {
            media: Line::new(paths.media_socket(), Role::Observer),
            acd: Line::new(paths.acd_socket(), Role::Controller),
            emulate: Line::new(paths.emulate_socket(), Role::Controller),
            keys: 0,
        }
    }

    /// Looks at everything.
    ///
    /// # Errors
    /// When a process does not answer; it may be starting.
    pub fn look(&mut self) -> anyhow::Result<Seen> {
        Ok(Seen {
            report: self.acd.ask("report", json!({}))?,
            far: self.emulate.ask("truth", json!({}))?,
            status: self.media.ask("status", json!({}))?,
            agents: self.acd.ask("agents", json!({}))?,
            queues: self.acd.ask("queues", json!({}))?,
        })
    }

    /// Asks the call centre to change something. The key makes a repetition harmless, so a busy or restarting
    /// call centre is asked again.
    ///
    /// # Errors
    /// When it refuses, or does not answer after several attempts.
    pub fn order(&mut self, method: &str, mut params: Value) -> anyhow::Result<Value> {
        self.keys += 1;
        if let Some(object) = params.as_object_mut() {
            object.insert("key".into(), json!(format!("demo-{}", self.keys)));
        }
        let mut attempt = 1;
        loop {
            match self.acd.ask(method, params.clone()) {
                Err(error) if attempt < ORDER_ATTEMPTS && !is_refusal(&error) => attempt += 1,
                result => return result,
            }
        }
    }

    /// Lets nobody call any more.
    ///
    /// # Errors
    /// When the emulator does not answer.
    pub fn stop_offering(&mut self) -> anyhow::Result<()> {
        self.keys += 1;
        let params = json!({"key": format!("demo-{}", self.keys)});
        self.emulate.ask::<Value>("stop_offering", params).map(drop)
    }

    /// Every call of the network.
    ///
    /// # Errors
    /// When the emulator does not answer.
    pub fn calls(&mut self) -> anyhow::Result<Vec<CallTruth>> {
        let (mut calls, mut from) = (Vec::new(), Some(0));
        while let Some(at) = from {
            let page: Page = self.emulate.ask("calls", json!({"from": at}))?;
            calls.extend(page.calls);
            from = page.next;
        }
        Ok(calls)
    }
}

impl Seen {
    /// The first board's counts.
    pub fn board(&self) -> BoardCounts {
        let board = &self.status["boards"][0];
        let count = |name: &str| board[name].as_u64().unwrap_or_default();
        BoardCounts {
            interrupts: count("interrupts"),
            missed: count("missed"),
            gaps: count("gaps"),
            lost_millis: count("lost_millis"),
        }
    }

    /// Milliseconds for which the line had nothing to send.
    pub fn underruns(&self) -> u64 {
        self.status["rings"]["underruns"].as_u64().unwrap_or_default()
    }

    /// Whether nobody is in the house any more but agents, as both sides see it.
    pub fn is_empty(&self) -> bool {
        let ours = self.report.inbound.here + self.report.outbound.in_flight;
        let theirs = self.far.truth.inbound.here + self.far.truth.signalled.here;
        ours + theirs == 0
    }
}
