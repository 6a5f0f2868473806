//! The `[acd]` section of the configuration: data, and the check that it hangs together.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::keep::{DecisionsSettings, KeepSettings};
use crate::limits::{AGENTS_MAX, CAMPAIGNS_MAX, MESSAGE_WAIT_MILLIS_MAX, NODES_MAX};

/// The whole section.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Who may connect to `acd.sock`: `user:NAME`, `user:UID`, `group:NAME`, `group:GID`; our own user when empty.
    #[serde(default)]
    pub allow: Vec<String>,
    /// The trunk group behind which the agents' telephones are.
    #[serde(default = "defaults::agent_group")]
    pub agent_group: String,
    /// How long an agent's telephone may ring for a call before the call goes back to the front of its queue.
    #[serde(default = "defaults::ring_millis")]
    pub ring_millis: u32,
    /// How long a nailed agent's telephone may ring at sign-in.
    #[serde(default = "defaults::sign_in_ring_millis")]
    pub sign_in_ring_millis: u32,
    /// How long an agent who did not answer is paused; 0: until he says that he is ready.
    #[serde(default = "defaults::no_answer_pause_millis")]
    pub no_answer_pause_millis: u32,
    /// Time to write up a call, unless the queue or campaign says otherwise.
    #[serde(default = "defaults::wrap_up_millis")]
    pub wrap_up_millis: u32,
    /// What callers in a flow or queue get while no controller is there.
    #[serde(default)]
    pub fallback: FallbackSettings,
    /// Who may take calls.
    #[serde(default, rename = "agent")]
    pub agents: Vec<AgentSettings>,
    /// Where calls wait.
    #[serde(default, rename = "queue")]
    pub queues: Vec<QueueSettings>,
    /// What callers go through.
    #[serde(default, rename = "flow")]
    pub flows: Vec<FlowSettings>,
    /// Which calls go into which flow; the first that fits.
    #[serde(default, rename = "route")]
    pub routes: Vec<RouteSettings>,
    /// Lists to be dialled.
    #[serde(default, rename = "campaign")]
    pub campaigns: Vec<CampaignSettings>,
    /// How long recordings of decisions are kept, and how many.
    #[serde(default)]
    pub decisions: DecisionsSettings,
}

/// What media does with a waiting caller when the call centre is away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FallbackSettings {
    /// Played first.
    #[serde(default)]
    pub prompt: Option<String>,
    /// Then music for so long, at most 120 s.
    #[serde(default = "defaults::fallback_hold_millis")]
    pub hold_millis: u32,
}

impl Default for FallbackSettings {
    fn default() -> Self {
        Self { prompt: None, hold_millis: defaults::fallback_hold_millis() }
    }
}

/// How an agent's telephone is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AgentKind {
    /// Called at sign-in; the leg stays up; a beep announces each call.
    Nailed,
    /// Called for each call.
    Rung,
}

/// An agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentSettings {
    /// The name by which everything else knows him.
    pub name: String,
    /// His telephone, dialled on the agents' group.
    pub extension: String,
    /// How the telephone is used.
    pub kind: AgentKind,
    /// The queues he serves.
    #[serde(default)]
    pub queues: Vec<String>,
    /// What he can do, and how well (1 to 9).
    #[serde(default)]
    pub skills: BTreeMap<String, u8>,
    /// The campaigns whose people he talks to; only for nailed agents.
    #[serde(default)]
    pub campaigns: Vec<String>,
    /// Signed in by the program itself as soon as the call server is there.
    #[serde(default)]
    pub at_start: bool,
}

/// A queue. Served: the highest of `priority` + `ageing_per_minute` x minutes waited over all queues; within a
/// queue the order of arrival.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueueSettings {
    /// Its name.
    pub name: String,
    /// Points with which a call enters.
    #[serde(default)]
    pub priority: u32,
    /// Points a call gains for a minute of waiting, so that nobody starves.
    #[serde(default = "defaults::ageing_per_minute")]
    pub ageing_per_minute: u32,
    /// Skills an agent must have, each with the least level.
    #[serde(default)]
    pub skills: BTreeMap<String, u8>,
    /// Overrides the general wrap-up time.
    #[serde(default)]
    pub wrap_up_millis: Option<u32>,
    /// Record the conversations.
    #[serde(default)]
    pub record: bool,
}

/// A flow: nodes by name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlowSettings {
    /// Its name.
    pub name: String,
    /// The node it begins with.
    pub start: String,
    /// The nodes.
    #[serde(rename = "node")]
    pub nodes: Vec<NodeSettings>,
}

/// A node of a flow. (Keys it does not know are refused by [`NodeKind`], which gets all the others.)
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeSettings {
    /// Its name within the flow.
    pub name: String,
    /// A caller who gets here was served, even when no agent answers.
    #[serde(default)]
    pub served: bool,
    /// What it does.
    #[serde(flatten)]
    pub kind: NodeKind,
}

/// What a node does. In the file: the key `kind` beside the fields of the variant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum NodeKind {
    /// Plays prompts, then goes on.
    Announce {
        /// By name.
        prompts: Vec<String>,
        /// The node behind it.
        next: String,
    },
    /// Plays prompts and takes one digit; digits interrupt the prompts.
    Menu {
        /// By name.
        prompts: Vec<String>,
        /// Digit to node.
        choices: BTreeMap<String, String>,
        /// How long the digit may take after the prompts.
        #[serde(default = "defaults::menu_millis")]
        first_millis: u32,
        /// How often the menu is said.
        #[serde(default = "defaults::menu_tries")]
        tries: u8,
        /// Where callers go who choose nothing.
        otherwise: String,
    },
    /// Waits for an agent.
    Queue {
        /// The queue.
        queue: String,
        /// Played on entering, before the position.
        #[serde(default)]
        prompts: Vec<String>,
        /// Played before the number of the caller's position; no position is said without it.
        #[serde(default)]
        position_prompt: Option<String>,
        /// The position is said anew after this; 0: only once.
        #[serde(default)]
        position_every_millis: u32,
        /// The prompt that is music.
        #[serde(default = "defaults::music")]
        music: String,
        /// The longest wait; 0: as long as the caller likes.
        #[serde(default)]
        wait_max_millis: u32,
        /// Where callers go then.
        #[serde(default)]
        overflow: Option<String>,
    },
    /// Releases the call.
    Hangup {
        /// With this cause. Q.850.
        #[serde(default = "defaults::hangup_cause")]
        cause: u8,
    },
}

/// Calls of a group, or to a number, go into a flow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteSettings {
    /// The trunk group; any when absent.
    #[serde(default)]
    pub group: Option<String>,
    /// The called number begins with this; any when absent.
    #[serde(default)]
    pub called_prefix: Option<String>,
    /// The flow.
    pub flow: String,
    /// How many channels bring these calls: with it, calls the exchange could not place are estimated.
    #[serde(default)]
    pub channels: Option<u16>,
}

/// A list and how it is dialled: precise, never more calls in flight than idle agents.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CampaignSettings {
    /// Its name.
    pub name: String,
    /// The trunk group to dial on.
    pub group: String,
    /// The number shown; the group's own when absent.
    #[serde(default)]
    pub caller: Option<String>,
    /// Give up unanswered after this.
    #[serde(default = "defaults::no_answer_millis")]
    pub no_answer_millis: u32,
    /// How long after the answer person or machine may stay open; then it counts as a person.
    #[serde(default = "defaults::judge_millis")]
    pub judge_millis: u32,
    /// From which probability on, in percent, an answer is a machine's: the trade between people who are lost and
    /// machines that pass. 20 to 99; absent: the usual.
    #[serde(default)]
    pub machine_from_percent: Option<u8>,
    /// Left at machines after their beep; without it they are released at once.
    #[serde(default)]
    pub message: Option<String>,
    /// How long the beep is waited for after the verdict.
    #[serde(default = "defaults::message_wait_millis")]
    pub message_wait_millis: u32,
    /// Said to a person when no agent is there.
    #[serde(default = "defaults::safe_harbour")]
    pub safe_harbour: String,
    /// Overrides the general wrap-up time.
    #[serde(default)]
    pub wrap_up_millis: Option<u32>,
    /// Record the conversations.
    #[serde(default)]
    pub record: bool,
    /// Record what is said before an answer and is no known announcement, to make it known.
    #[serde(default)]
    pub record_unknown: bool,
    /// Keep what is heard of those who answer, so that verdicts can be checked.
    #[serde(default)]
    pub keep_decisions: Option<KeepSettings>,
    /// The most calls in flight, whatever the agents do; 0: no other limit.
    #[serde(default)]
    pub in_flight_max: u32,
}

/// A fault of the section: where, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The table it stands in, such as `queue "sales"`.
    pub place: String,
    /// The key, or the value that a person can search for in the file.
    pub key: String,
    /// A sentence.
    pub message: String,
}

impl core::fmt::Display for Problem {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}: {}: {}", self.place, self.key, self.message)
    }
}

impl Default for Settings {
    /// No agents, no queues, no flows; every time at its default.
    fn default() -> Self {
        Self {
            allow: Vec::new(),
            agent_group: defaults::agent_group(),
            ring_millis: defaults::ring_millis(),
            sign_in_ring_millis: defaults::sign_in_ring_millis(),
            no_answer_pause_millis: defaults::no_answer_pause_millis(),
            wrap_up_millis: defaults::wrap_up_millis(),
            fallback: FallbackSettings::default(),
            agents: Vec::new(),
            queues: Vec::new(),
            flows: Vec::new(),
            routes: Vec::new(),
            campaigns: Vec::new(),
            decisions: DecisionsSettings::default(),
        }
    }
}

impl Settings {
    /// Every prompt that is mentioned, each once.
    pub fn prompts(&self) -> BTreeSet<&str> {
        let mut all = BTreeSet::new();
        all.extend(self.fallback.prompt.as_deref());
        all.extend(self.campaigns.iter().map(|c| c.safe_harbour.as_str()));
        all.extend(self.campaigns.iter().filter_map(|c| c.message.as_deref()));
        for node in self.flows.iter().flat_map(|flow| &flow.nodes) {
            match &node.kind {
                NodeKind::Announce { prompts, .. } | NodeKind::Menu { prompts, .. } => {
                    all.extend(prompts.iter().map(String::as_str));
                }
                NodeKind::Queue { prompts, position_prompt, music, .. } => {
                    all.extend(prompts.iter().map(String::as_str));
                    all.extend(position_prompt.as_deref());
                    all.insert(music);
                }
                NodeKind::Hangup { .. } => {}
            }
        }
        all
    }

    /// Every trunk group that is mentioned.
    pub fn groups(&self) -> BTreeSet<&str> {
        let mut all = BTreeSet::new();
        if !self.agents.is_empty() {
            all.insert(self.agent_group.as_str());
        }
        all.extend(self.routes.iter().filter_map(|r| r.group.as_deref()));
        all.extend(self.campaigns.iter().map(|c| c.group.as_str()));
        all
    }

    /// Whatever does not hang together: names that lead nowhere, doubles, limits.
    pub fn problems(&self) -> Vec<Problem> {
        let mut found = Vec::new();
        let mut limit = |what: &str, have: usize, max: usize| {
            if have > max {
                found.push(Problem {
                    place: "acd".into(),
                    key: what.into(),
                    message: format!("{have} are more than the limit of {max}"),
                });
            }
        };
        limit("agent", self.agents.len(), AGENTS_MAX);
        limit("campaign", self.campaigns.len(), CAMPAIGNS_MAX);
        for flow in &self.flows {
            limit("node", flow.nodes.len(), NODES_MAX);
        }
        doubles("agent", self.agents.iter().map(|a| a.name.as_str()), &mut found);
        doubles("agent extension", self.agents.iter().map(|a| a.extension.as_str()), &mut found);
        doubles("queue", self.queues.iter().map(|q| q.name.as_str()), &mut found);
        doubles("flow", self.flows.iter().map(|f| f.name.as_str()), &mut found);
        doubles("campaign", self.campaigns.iter().map(|c| c.name.as_str()), &mut found);
        self.check_agents(&mut found);
        self.check_campaigns(&mut found);
        self.decisions.problems(&mut found);
        for flow in &self.flows {
            self.check_flow(flow, &mut found);
        }
        for route in &self.routes {
            if !self.flows.iter().any(|flow| flow.name == route.flow) {
                found.push(Problem {
                    place: "route".into(),
                    key: route.flow.clone(),
                    message: "no flow has this name".into(),
                });
            }
        }
        found
    }

    fn check_agents(&self, found: &mut Vec<Problem>) {
        for agent in &self.agents {
            let place = format!("agent \"{}\"", agent.name);
            if agent.extension.is_empty()
                || agent.extension.len() > 32
                || !agent.extension.bytes().all(|c| c.is_ascii_digit() || c == b'*' || c == b'#')
            {
                found.push(Problem {
                    place: place.clone(),
                    key: "extension".into(),
                    message: format!("\"{}\" is no telephone: 1 to 32 digits", agent.extension),
                });
            }
            for queue in &agent.queues {
                if !self.queues.iter().any(|q| &q.name == queue) {
                    found.push(Problem {
                        place: place.clone(),
                        key: queue.clone(),
                        message: "no queue has this name".into(),
                    });
                }
            }
            for campaign in &agent.campaigns {
                if !self.campaigns.iter().any(|c| &c.name == campaign) {
                    found.push(Problem {
                        place: place.clone(),
                        key: campaign.clone(),
                        message: "no campaign has this name".into(),
                    });
                }
                if agent.kind != AgentKind::Nailed {
                    found.push(Problem {
                        place: place.clone(),
                        key: campaign.clone(),
                        message: "only a nailed agent gets dialled calls".into(),
                    });
                }
            }
        }
    }

    fn check_campaigns(&self, found: &mut Vec<Problem>) {
        for campaign in &self.campaigns {
            let place = format!("campaign \"{}\"", campaign.name);
            campaign.keep_decisions.iter().for_each(|keep| keep.problems(&place, found));
            let percent = campaign.machine_from_percent;
            if let Some(percent) = percent.filter(|percent| !(20..=99).contains(percent)) {
                found.push(Problem {
                    place: place.clone(),
                    key: "machine_from_percent".into(),
                    message: format!("{percent} is not between 20 and 99"),
                });
            }
            if !(1..=MESSAGE_WAIT_MILLIS_MAX).contains(&campaign.message_wait_millis) {
                found.push(Problem {
                    place,
                    key: "message_wait_millis".into(),
                    message: format!("a beep is waited for 1 to {MESSAGE_WAIT_MILLIS_MAX} ms"),
                });
            }
        }
    }

    fn check_flow(&self, flow: &FlowSettings, found: &mut Vec<Problem>) {
        let place = format!("flow \"{}\"", flow.name);
        doubles("node", flow.nodes.iter().map(|n| n.name.as_str()), found);
        let mut wanted = vec![&flow.start];
        for node in &flow.nodes {
            match &node.kind {
                NodeKind::Announce { next, prompts } => {
                    wanted.push(next);
                    if prompts.is_empty() {
                        // A ring of silent nodes would turn for ever within one step.
                        found.push(Problem {
                            place: place.clone(),
                            key: node.name.clone(),
                            message: "an announcement needs a prompt".into(),
                        });
                    }
                }
                NodeKind::Menu { choices, otherwise, prompts, tries, .. } => {
                    wanted.push(otherwise);
                    wanted.extend(choices.values());
                    let digit = |key: &str| {
                        key.len() == 1 && key.bytes().all(|c| b"0123456789*#ABCD".contains(&c))
                    };
                    for key in choices.keys().filter(|key| !digit(key)) {
                        found.push(Problem {
                            place: place.clone(),
                            key: key.clone(),
                            message: "a choice is one of 0-9 * # A-D".into(),
                        });
                    }
                    if prompts.is_empty() || *tries == 0 {
                        found.push(Problem {
                            place: place.clone(),
                            key: node.name.clone(),
                            message: "a menu needs a prompt and at least one try".into(),
                        });
                    }
                }
                NodeKind::Queue { queue, overflow, .. } => {
                    wanted.extend(overflow);
                    if !self.queues.iter().any(|q| &q.name == queue) {
                        found.push(Problem {
                            place: place.clone(),
                            key: queue.clone(),
                            message: "no queue has this name".into(),
                        });
                    }
                }
                NodeKind::Hangup { cause } => {
                    if !(1..=127).contains(cause) {
                        found.push(Problem {
                            place: place.clone(),
                            key: node.name.clone(),
                            message: format!("{cause} is no cause of Q.850: 1 to 127"),
                        });
                    }
                }
            }
        }
        for name in wanted {
            if !flow.nodes.iter().any(|node| &node.name == name) {
                found.push(Problem {
                    place: place.clone(),
                    key: name.clone(),
                    message: "no node of the flow has this name".into(),
                });
            }
        }
    }
}

fn doubles<'a>(what: &str, names: impl Iterator<Item = &'a str>, found: &mut Vec<Problem>) {
    let mut seen = BTreeSet::new();
    for name in names {
        if !seen.insert(name) {
            found.push(Problem {
                place: what.into(),
                key: name.into(),
                message: "this name is used twice".into(),
            });
        }
    }
}

mod defaults {
    pub fn agent_group() -> String {
        "pbx".into()
    }
    pub fn ring_millis() -> u32 {
        12_000
    }
    pub fn sign_in_ring_millis() -> u32 {
        30_000
    }
    pub fn no_answer_pause_millis() -> u32 {
        30_000
    }
    pub fn wrap_up_millis() -> u32 {
        10_000
    }
    pub fn fallback_hold_millis() -> u32 {
        120_000
    }
    pub fn ageing_per_minute() -> u32 {
        1
    }
    pub fn menu_millis() -> u32 {
        5_000
    }
    pub fn menu_tries() -> u8 {
        2
    }
    pub fn music() -> String {
        "music".into()
    }
    pub fn hangup_cause() -> u8 {
        16
    }
    pub fn no_answer_millis() -> u32 {
        30_000
    }
    pub fn judge_millis() -> u32 {
        12_000
    }
    pub fn message_wait_millis() -> u32 {
        30_000
    }
    pub fn safe_harbour() -> String {
        "safe_harbour".into()
    }
}
