//! The rig with the call centre behind it: the whole house in one thread and in virtual time.
//!
//! What crosses the socket between `media` and `acd` crosses a function here; everything else is the same
//! code that the processes run.

use std::collections::{BTreeMap, VecDeque};

use acd::{Acd, Action, ApiRequest, CallRecord, Input};
use anyhow::{Result, anyhow};
use call::{CallEvent, Refusal};
use exchange::{CallTruth, Truth};
use serde_json::Value;
use tdm::Instant;

use crate::demo::summary::{BoardCounts, Evidence, Report, Summary};
use crate::media_shell::signal_work::Said;
use crate::rig::Rig;

/// The rig, the call centre, and what was kept of the calls.
pub struct House {
    /// Boards, lines, detectors and the call server.
    pub rig: Rig,
    acd: Acd,
    settings: acd::Settings,
    seed: u64,
    wake: Option<Instant>,
    /// The call centre is away: nobody hears events, nobody commands.
    away: bool,
    replies: BTreeMap<u64, Result<Value, Refusal>>,
    requests: u64,
    records: Vec<CallRecord>,
    /// What the call server told and no call centre has heard: it is kept by the socket's log.
    unheard: VecDeque<CallEvent>,
}

impl House {
    /// The call centre of `settings` behind `rig`; it has just connected.
    ///
    /// # Errors
    /// When the settings do not hang together.
    pub fn new(rig: Rig, settings: acd::Settings, seed: u64) -> Result<Self> {
        let acd = Acd::new(settings.clone(), seed).map_err(|p| anyhow!("{p:?}"))?;
        let mut house = Self {
            rig,
            acd,
            settings,
            seed,
            wake: None,
            away: true,
            replies: BTreeMap::new(),
            requests: 0,
            records: Vec::new(),
            unheard: VecDeque::new(),
        };
        house.connect();
        Ok(house)
    }

    /// A millisecond of everything.
    pub fn millisecond(&mut self) {
        self.rig.millisecond();
        while let Some(said) = self.rig.said() {
            let Said::Event { event, .. } = said else { continue };
            self.unheard.push_back(event);
        }
        if self.away {
            return;
        }
        while let Some(event) = self.unheard.pop_front() {
            self.step(Input::Media(event));
        }
        if self.wake.is_some_and(|at| at <= self.rig.now()) {
            self.wake = None;
            self.step(Input::Elapsed);
        }
    }

    /// Lets milliseconds pass until `done`, at most `millis`. Whether it was.
    pub fn run_until(&mut self, millis: u64, mut done: impl FnMut(&mut Self) -> bool) -> bool {
        for _ in 0..millis {
            if done(self) {
                return true;
            }
            self.millisecond();
        }
        done(self)
    }

    /// Asks the call centre as a client of its socket would.
    ///
    /// # Errors
    /// Why it refuses.
    pub fn ask(&mut self, ask: ApiRequest) -> Result<Value, Refusal> {
        self.requests += 1;
        let request = self.requests;
        self.step(Input::Api { request, ask });
        self.replies.remove(&request).unwrap_or(Ok(Value::Null))
    }

    /// The call centre falls, with all it knows. The call server sees the socket close.
    pub fn fall(&mut self) {
        self.away = true;
        self.wake = None;
        self.rig.controller(false);
    }

    /// A call centre that goes on from what the fallen one had on disk (everything, in this house).
    ///
    /// # Errors
    /// When the state cannot be taken up.
    pub fn rise(&mut self) -> Result<()> {
        let state = self.acd.state().clone();
        let settings = self.settings.clone();
        self.acd = Acd::restore(settings, state).map_err(|p| anyhow!("{p:?}"))?;
        self.acd.recovered();
        self.connect();
        Ok(())
    }

    /// A call centre that knows nothing but what the call server tells it.
    ///
    /// # Errors
    /// When the settings do not hang together.
    pub fn rise_empty(&mut self) -> Result<()> {
        self.seed = self.seed.wrapping_add(1);
        self.acd = Acd::new(self.settings.clone(), self.seed).map_err(|p| anyhow!("{p:?}"))?;
        self.connect();
        Ok(())
    }

    /// The call centre's state.
    pub fn acd(&self) -> &Acd {
        &self.acd
    }

    /// The records of the calls that are over.
    pub fn records(&self) -> &[CallRecord] {
        &self.records
    }

    /// The account of both sides; `scenario` names the network in the configuration.
    ///
    /// # Errors
    /// When there is no such network, or the report cannot be read.
    pub fn summary(&mut self, scenario: &str) -> Result<Summary> {
        let report = self.ask(ApiRequest::Report {}).map_err(|r| anyhow!("{r}"))?;
        let report: Report = serde_json::from_value(report)?;
        let exchange = self.rig.exchange(scenario).ok_or_else(|| anyhow!("no {scenario}"))?;
        let (truth, calls): (Truth, Vec<CallTruth>) = (exchange.truth(), exchange.calls());
        let (came, dialled): (Vec<_>, Vec<_>) = self.records.iter().partition(|r| r.inbound);
        let word = |r: &CallRecord| r.result.word().to_owned();
        let results = dialled.iter().map(|r| (r.called.clone(), word(r))).collect();
        let callers = came.iter().map(|r| (r.calling.clone(), word(r))).collect();
        let board = BoardCounts::default();
        let underruns = 0;
        let (calls, results, callers) = (&calls, &results, &callers);
        let evidence = Evidence { report, truth, calls, results, callers, board, underruns };
        Ok(Summary::of(&evidence))
    }

    /// Events in the order they were told, then everything is as it was.
    fn connect(&mut self) {
        self.away = false;
        self.rig.controller(true);
        // It fell without seeing the connection go, and says nothing before it knows all that happened.
        self.step(Input::MediaGone);
        // The socket first tells the summaries of legs that ended meanwhile, then the snapshot.
        let missed: Vec<CallEvent> = self.unheard.drain(..).collect();
        for event in missed {
            if matches!(event, CallEvent::Ended(_)) {
                self.step(Input::Media(event));
            }
        }
        let snapshot = self.rig.snapshot();
        self.step(Input::MediaSnapshot(1, snapshot));
    }

    fn step(&mut self, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            for action in self.acd.step(self.rig.now(), input) {
                match action {
                    Action::Command { tag, command, .. } => {
                        let answer = self.rig.command(command);
                        inputs.push_back(Input::Answered { tag, answer });
                    }
                    Action::Reply { request, answer } => {
                        self.replies.insert(request, answer);
                    }
                    Action::Publish(_) => {}
                    Action::Record(record) => self.records.push(record),
                    Action::WakeAt(at) => self.wake = Some(at),
                }
            }
        }
    }
}
