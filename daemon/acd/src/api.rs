//! Requests on the call centre's socket: each is answered in the step that brings it.

use call::{Refusal, RefusalCode};
use serde_json::{Value, json};

use crate::action::AcdEvent;
use crate::input::ApiRequest;
use crate::losses::{Inbound, Outbound};
use crate::settings::AgentKind;
use crate::state::Stage;
use crate::{Acd, erlang, list};

/// Bad rows named in one refusal; the number of all is always told.
const BAD_ROWS_SHOWN: usize = 50;
/// Entries of one answer: a line of the socket holds them.
const ENTRIES_MAX: usize = 250;

impl Acd {
    pub(crate) fn api(&mut self, request: u64, ask: ApiRequest) {
        let answer = self.serve(ask);
        self.reply(request, answer);
    }

    fn serve(&mut self, ask: ApiRequest) -> Result<Value, Refusal> {
        let done = |()| json!({});
        match ask {
            ApiRequest::SignIn { agent } => self.sign_in(&agent).map(done),
            ApiRequest::SignOut { agent } => self.sign_out(&agent).map(done),
            ApiRequest::Ready { agent } => self.ready(&agent).map(done),
            ApiRequest::Pause { agent, reason } => self.pause(&agent, reason).map(done),
            ApiRequest::WrapUpEnd { agent } => self.wrap_up_end(&agent).map(done),
            ApiRequest::Disposition { agent, was } => self.disposition(&agent, was).map(done),
            ApiRequest::ListLoad { campaign, csv, good_rows_only } => {
                self.list_load(&campaign, &csv, good_rows_only)
            }
            ApiRequest::CampaignStart { campaign } => self.campaign_start(&campaign),
            ApiRequest::CampaignStop { campaign } => self.campaign_stop(&campaign),
            ApiRequest::Agents {}
            | ApiRequest::Queues {}
            | ApiRequest::Calls {}
            | ApiRequest::Campaigns {}
            | ApiRequest::Report {}
            | ApiRequest::Hours {} => Ok(self.look(&ask)),
        }
    }

    /// The answer to a request that only looks: nothing changes, so nothing need be journalled first.
    pub fn look(&self, ask: &ApiRequest) -> Value {
        match ask {
            ApiRequest::Agents {} => self.agents_now(),
            ApiRequest::Queues {} => self.queues_now(),
            ApiRequest::Calls {} => self.calls_now(),
            ApiRequest::Campaigns {} => self.campaigns_now(),
            ApiRequest::Report {} => self.report(),
            ApiRequest::Hours {} => self.hours_report(),
            _ => Value::Null,
        }
    }

    // Lists.

    fn known_campaign(&self, name: &str) -> Result<bool, Refusal> {
        let configured = self.settings.campaigns.iter().any(|c| c.name == name);
        match self.state.campaigns.get(name) {
            Some(campaign) if configured => Ok(campaign.running || campaign.in_flight > 0),
            _ => Err(Refusal::new(
                RefusalCode::UnknownCall,
                "campaign",
                format!("no campaign is called {name:?}"),
            )),
        }
    }

    fn list_load(&mut self, name: &str, csv: &str, good_only: bool) -> Result<Value, Refusal> {
        if self.known_campaign(name)? {
            let mut refusal = Refusal::new(
                RefusalCode::WrongState,
                "campaign",
                format!("campaign {name} has calls: stop it and let them end"),
            );
            refusal.state = Some("running".into());
            return Err(refusal);
        }
        let parsed = list::parse(csv);
        let bad = parsed.bad.len();
        let shown: Vec<_> = parsed.bad.into_iter().take(BAD_ROWS_SHOWN).collect();
        if bad > 0 && !good_only {
            let lines: Vec<String> =
                shown.iter().map(|row| format!("line {}: {}", row.line, row.what)).collect();
            let mut refusal = Refusal::new(
                RefusalCode::BadValue,
                "list",
                format!("{bad} bad rows, nothing was loaded: {}", lines.join("; ")),
            );
            refusal.field = Some("csv".into());
            return Err(refusal);
        }
        let rows = parsed.rows.len();
        self.fill_list(name, parsed.rows);
        Ok(json!({"rows": rows, "bad": bad, "bad_rows": shown}))
    }

    fn campaign_start(&mut self, name: &str) -> Result<Value, Refusal> {
        self.known_campaign(name)?;
        let empty = self.state.campaigns.get(name).is_none_or(|c| c.contacts == 0);
        if empty {
            return Err(Refusal::new(
                RefusalCode::WrongState,
                "campaign",
                format!("campaign {name} has no list"),
            ));
        }
        self.with_campaign(name, |campaign| campaign.running = true);
        self.publish(AcdEvent::Campaign { campaign: name.into(), state: "running".into() });
        Ok(json!({}))
    }

    fn campaign_stop(&mut self, name: &str) -> Result<Value, Refusal> {
        self.known_campaign(name)?;
        self.with_campaign(name, |campaign| campaign.running = false);
        self.publish(AcdEvent::Campaign { campaign: name.into(), state: "stopped".into() });
        Ok(json!({}))
    }

    // Looking.

    fn agents_now(&self) -> Value {
        let now = self.now_us();
        let agents: Vec<Value> = self
            .state
            .agents
            .iter()
            .take(ENTRIES_MAX)
            .map(|(name, agent)| {
                json!({
                    "agent": name,
                    "kind": match self.index.kind(name) {
                        Some(AgentKind::Nailed) => "nailed",
                        Some(AgentKind::Rung) => "rung",
                        None => "gone",
                    },
                    "state": agent.state.word(),
                    "reason": agent.state.reason(),
                    "for_millis": now.saturating_sub(agent.since_us) / 1000,
                    "call": agent.state.work().and_then(|work| self.call_of(work)),
                    "calls": agent.calls,
                })
            })
            .collect();
        let mut states = std::collections::BTreeMap::<&str, u64>::new();
        for (_, agent) in self.state.agents.iter() {
            *states.entry(agent.state.word()).or_default() += 1;
        }
        json!({"agents": agents, "states": states})
    }

    fn queues_now(&self) -> Value {
        let queues: Vec<Value> = self
            .settings
            .queues
            .iter()
            .take(ENTRIES_MAX)
            .map(|queue| {
                json!({
                    "queue": queue.name,
                    "waiting": self.index.waiting_count(&queue.name),
                    "longest_wait_millis": self.longest_wait_millis(&queue.name),
                    "idle_agents": self.index.idle_count(&queue.name),
                })
            })
            .collect();
        json!({"queues": queues})
    }

    fn calls_now(&self) -> Value {
        let now = self.now_us();
        let calls: Vec<Value> = self
            .state
            .visits
            .iter()
            .take(ENTRIES_MAX)
            .map(|(call, visit)| {
                json!({
                    "call": call,
                    "stage": visit.stage.word(),
                    "caller": visit.calling.as_ref().and_then(|n| n.shown()),
                    "name": visit.name,
                    "diverted_from": visit.diverted.as_ref().and_then(|d| d.from.shown()),
                    "diverted_why": visit.diverted.as_ref().map(|d| d.reason),
                    "queue": visit.queue,
                    "agent": visit.agent,
                    "position": self.index.position(*call),
                    "for_millis": now.saturating_sub(visit.arrived_us) / 1000,
                })
            })
            .collect();
        json!({"calls": calls, "inbound": self.state.visits.len(), "outbound": self.state.attempts.len()})
    }

    fn campaigns_now(&self) -> Value {
        let campaigns: Vec<Value> = self
            .state
            .campaigns
            .iter()
            .take(ENTRIES_MAX)
            .map(|(name, campaign)| {
                json!({
                    "campaign": name,
                    "running": campaign.running,
                    "contacts": campaign.contacts,
                    "done": campaign.done,
                    "in_flight": campaign.in_flight,
                    "results": campaign.results,
                })
            })
            .collect();
        json!({"campaigns": campaigns})
    }

    /// Counts of everything since the beginning. `unaccounted` is what the sums leave open: zero.
    pub fn report(&self) -> Value {
        let counts = &self.state.core.counts;
        let waiting = |visit: &&crate::state::Visit| {
            matches!(visit.stage, Stage::Queued { .. } | Stage::Offered { .. })
        };
        let here = self.state.visits.len() as u64;
        let in_flight = self.state.attempts.iter().filter(|(_, a)| a.leg.is_some()).count() as u64;
        let inbound = &counts.inbound;
        let outbound = &counts.outbound;
        let open = inbound.offered.abs_diff(inbound.ended() + here)
            + outbound.dialled.abs_diff(outbound.ended() + in_flight);
        let mean_wait_millis =
            counts.waited_us.checked_div(inbound.answered).unwrap_or_default() / 1000;
        json!({
            "inbound": inbound_json(inbound, here, self.unseen_estimate()),
            "outbound": outbound_json(outbound, in_flight),
            "waiting": self.state.visits.iter().map(|(_, v)| v).filter(waiting).count(),
            "mean_wait_millis": mean_wait_millis,
            "unaccounted": open,
        })
    }

    fn hours_report(&self) -> Value {
        let channels = self.channels();
        let hours: Vec<Value> = self
            .state
            .hours
            .iter()
            .rev()
            .take(ENTRIES_MAX / 2)
            .map(|(hour, counts)| {
                let carried = counts.held_us as f64 / 3.6e9;
                let needed = (channels > 0).then(|| {
                    let offered = erlang::offered_from_carried(carried, channels);
                    erlang::channels_for(offered, 0.01)
                });
                json!({
                    "hour_utc": hour.saturating_mul(3600),
                    "inbound": counts.inbound,
                    "outbound": counts.outbound,
                    "carried_erlang": carried,
                    "channels_for_1_percent": needed,
                })
            })
            .collect();
        json!({"hours": hours})
    }

    /// Channels that bring calls, as far as the routes say.
    fn channels(&self) -> u16 {
        self.settings.routes.iter().filter_map(|route| route.channels).fold(0, u16::saturating_add)
    }

    /// Calls the exchange could not place, by Erlang B from the carried traffic; absent when the routes do not say
    /// how many channels there are.
    fn unseen_estimate(&self) -> Option<f64> {
        let channels = self.channels();
        if channels == 0 {
            return None;
        }
        let unseen = self
            .state
            .hours
            .iter()
            .map(|(_, hour)| {
                let carried = hour.held_us as f64 / 3.6e9;
                let offered = erlang::offered_from_carried(carried, channels);
                let blocked = erlang::blocked(offered, channels);
                hour.inbound.offered as f64 * blocked / (1.0 - blocked).max(1e-9)
            })
            .sum::<f64>();
        Some((unseen * 10.0).round() / 10.0)
    }
}

fn inbound_json(counts: &Inbound, here: u64, unseen: Option<f64>) -> Value {
    json!({
        "offered": counts.offered,
        "answered": counts.answered,
        "served": counts.served,
        "lost": counts.lost,
        "here": here,
        "unseen": unseen,
    })
}

fn outbound_json(counts: &Outbound, in_flight: u64) -> Value {
    json!({
        "dialled": counts.dialled,
        "person": counts.person,
        "machine": counts.machine,
        "busy": counts.busy,
        "no_answer": counts.no_answer,
        "vacant": counts.vacant,
        "congestion": counts.congestion,
        "other": counts.other + counts.fax,
        "abandoned": counts.abandoned,
        "in_flight": in_flight,
    })
}
