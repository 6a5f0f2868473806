//! Call centre and model joined by one virtual clock, with everything checked after every step.

use std::collections::VecDeque;

use call::CallCommand;
use serde_json::Value;
use tdm::Instant;

use super::model::{Manners, Model};
use crate::settings::{
    AgentKind, AgentSettings, CampaignSettings, FlowSettings, NodeKind, NodeSettings,
    QueueSettings, RouteSettings,
};
use crate::state::Stage;
use crate::{Acd, Action, ApiRequest, CallRecord, Input, Settings};

pub struct World {
    pub acd: Acd,
    /// Only gets patches; must always be equal.
    pub shadow: Acd,
    pub model: Model,
    pub records: Vec<CallRecord>,
    pub inputs: Vec<(Instant, Input, Vec<Action>)>,
    pub keep_inputs: bool,
    pub check_steps: bool,
    pub connected: bool,
    pub steps: u64,
    seed: u64,
    pub to_model: VecDeque<(u64, CallCommand)>,
    reply: Option<Result<Value, call::Refusal>>,
}

impl World {
    pub fn new(seed: u64, settings: Settings, manners: Manners) -> Self {
        let acd = Acd::new(settings.clone(), seed).unwrap();
        let shadow = Acd::new(settings, seed).unwrap();
        Self {
            acd,
            shadow,
            model: Model::new(seed, manners),
            records: Vec::new(),
            inputs: Vec::new(),
            keep_inputs: false,
            check_steps: true,
            connected: false,
            steps: 0,
            seed,
            to_model: VecDeque::new(),
            reply: None,
        }
    }

    pub fn connect(&mut self) {
        self.connected = true;
        let snapshot = Input::MediaSnapshot(self.model.instance, self.model.snapshot());
        self.model.events.clear();
        self.feed(snapshot);
    }

    pub fn feed(&mut self, input: Input) {
        let now = Instant::micros(self.model.now_us);
        let before = super::check::Before::of(&self.acd);
        let actions = self.acd.step(now, input.clone());
        if let Err(what) = before.check(&self.acd, &actions) {
            panic!("seed {}, step {}, after {input:?}: {what}", self.seed, self.steps);
        }
        self.shadow.apply(self.acd.take_patch());
        self.steps += 1;
        if self.keep_inputs {
            self.inputs.push((now, input.clone(), actions.clone()));
        }
        for action in actions {
            match action {
                Action::Command { tag, command, .. } => self.to_model.push_back((tag, command)),
                Action::Reply { answer, .. } => self.reply = Some(answer),
                Action::Record(record) => self.records.push(record),
                Action::Publish(_) | Action::WakeAt(_) => {}
            }
        }
        if self.check_steps
            && let Err(what) = super::check::check(&self.acd)
        {
            panic!("seed {}, step {}, after {input:?}: {what}", self.seed, self.steps);
        }
    }

    pub fn api(&mut self, ask: ApiRequest) -> Result<Value, call::Refusal> {
        self.feed(Input::Api { request: 1, ask });
        self.settle();
        self.reply.take().expect("every request is answered in its step")
    }

    /// Everything that is on its way arrives.
    pub fn settle(&mut self) {
        if !self.connected {
            return;
        }
        loop {
            if let Some((tag, command)) = self.to_model.pop_front() {
                let answer = self.model.obey(tag, command);
                self.feed(Input::Answered { tag, answer });
            } else if let Some(event) = self.model.events.pop_front() {
                self.feed(Input::Media(event));
            } else {
                break;
            }
        }
        self.callers_have_a_fallback();
    }

    /// Whoever waits in a flow or queue would not be left in silence if the call centre fell now.
    fn callers_have_a_fallback(&self) {
        for (call, visit) in self.acd.state.visits.iter() {
            let waits = matches!(visit.stage, Stage::Node { .. } | Stage::Queued { .. });
            if !waits || self.model.legs.get(&visit.leg).is_none_or(|leg| leg.fallback) {
                continue;
            }
            let asked = self.acd.state.pending.iter().any(|(_, pending)| {
                matches!(pending.command, CallCommand::SetFallback { leg, .. } if leg == visit.leg)
            });
            assert!(asked, "seed {}, step {}: {call} has no fallback", self.seed, self.steps);
        }
    }

    /// Commands on their way are lost with the connection.
    pub fn cut(&mut self) {
        self.connected = false;
        self.to_model.clear();
        self.feed(Input::MediaGone);
    }

    /// Runs to `until_us` by whatever comes first.
    pub fn run(&mut self, until_us: u64) {
        self.settle();
        loop {
            let wake = self.acd.next_due().map(Instant::as_micros);
            let next = [wake, self.model.next_us()].into_iter().flatten().min();
            let Some(at) = next.filter(|&at| at <= until_us) else { break };
            if self.model.next_us() == Some(at) {
                self.model.happen();
            } else {
                self.model.now_us = self.model.now_us.max(at);
                self.feed(Input::Elapsed);
            }
            self.settle();
        }
        self.model.now_us = self.model.now_us.max(until_us);
    }

    pub fn report(&mut self) -> Value {
        self.api(ApiRequest::Report {}).unwrap()
    }
}

pub fn agent(name: &str, extension: &str, kind: AgentKind) -> AgentSettings {
    AgentSettings {
        name: name.into(),
        extension: extension.into(),
        kind,
        queues: vec!["sales".into()],
        skills: Default::default(),
        campaigns: if kind == AgentKind::Nailed { vec!["autumn".into()] } else { Vec::new() },
        at_start: true,
    }
}

pub fn queue(name: &str) -> QueueSettings {
    QueueSettings {
        name: name.into(),
        priority: 0,
        ageing_per_minute: 1,
        skills: Default::default(),
        wrap_up_millis: None,
        record: true,
    }
}

fn node(name: &str, served: bool, kind: NodeKind) -> NodeSettings {
    NodeSettings { name: name.into(), served, kind }
}

/// A centre with a menu, a queue, an information node that serves, and a campaign.
pub fn centre(nailed: usize, rung: usize) -> Settings {
    let mut agents: Vec<AgentSettings> = (0..nailed)
        .map(|n| agent(&format!("n{n:02}"), &format!("80{n:02}"), AgentKind::Nailed))
        .collect();
    agents.extend(
        (0..rung).map(|n| agent(&format!("r{n:02}"), &format!("81{n:02}"), AgentKind::Rung)),
    );
    let flow = FlowSettings {
        name: "main".into(),
        start: "welcome".into(),
        nodes: vec![
            node(
                "welcome",
                false,
                NodeKind::Announce { prompts: vec!["welcome".into()], next: "menu".into() },
            ),
            node(
                "menu",
                false,
                NodeKind::Menu {
                    prompts: vec!["menu".into()],
                    choices: [("1", "wait"), ("2", "info")]
                        .map(|(a, b)| (a.to_owned(), b.to_owned()))
                        .into(),
                    first_millis: 2000,
                    tries: 2,
                    otherwise: "bye".into(),
                },
            ),
            node(
                "info",
                true,
                NodeKind::Announce { prompts: vec!["served_info".into()], next: "bye".into() },
            ),
            node(
                "wait",
                false,
                NodeKind::Queue {
                    queue: "sales".into(),
                    prompts: vec!["queue_wait".into()],
                    position_prompt: Some("position".into()),
                    position_every_millis: 10_000,
                    music: "music".into(),
                    wait_max_millis: 0,
                    overflow: None,
                },
            ),
            node("bye", false, NodeKind::Hangup { cause: 16 }),
        ],
    };
    Settings {
        agents,
        queues: vec![queue("sales")],
        flows: vec![flow],
        routes: vec![RouteSettings {
            group: Some("public".into()),
            called_prefix: None,
            flow: "main".into(),
            channels: None,
        }],
        campaigns: vec![CampaignSettings {
            name: "autumn".into(),
            group: "public".into(),
            caller: None,
            no_answer_millis: 12_000,
            judge_millis: 3000,
            machine_from_percent: None,
            message: None,
            message_wait_millis: 30_000,
            safe_harbour: "safe_harbour".into(),
            wrap_up_millis: None,
            record: false,
            record_unknown: false,
            keep_decisions: None,
            in_flight_max: 0,
        }],
        wrap_up_millis: 1000,
        ring_millis: 6000,
        no_answer_pause_millis: 10_000,
        ..Settings::default()
    }
}
