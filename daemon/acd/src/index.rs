//! Orders that follow from the state and are kept beside it for speed: who waits, who is idle, what is due.
//! Never part of a snapshot: [`Index::of`] makes it anew.

use std::collections::{BTreeMap, BTreeSet};

use call::CallId;

use crate::settings::{AgentKind, AgentSettings, Settings};
use crate::state::{Agent, AgentState, Campaign, Pending, Stage, State, Visit};

/// What a moment is waited for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    Agent(String),
    Visit(CallId),
    Campaign(String),
    Pending(u64),
}

/// Place in a queue: those at the front, then by arrival.
type Place = (bool, u64, CallId);

#[derive(Clone, Debug, Default)]
pub struct Index {
    /// By agent: what he may serve.
    serves: BTreeMap<String, Vec<String>>,
    dials_for: BTreeMap<String, Vec<String>>,
    kinds: BTreeMap<String, AgentKind>,
    waiting: BTreeMap<String, BTreeSet<Place>>,
    places: BTreeMap<CallId, (String, Place)>,
    idle: BTreeMap<String, BTreeSet<(u64, String)>>,
    idle_for_campaign: BTreeMap<String, BTreeSet<(u64, String)>>,
    idle_since: BTreeMap<String, u64>,
    due: BTreeSet<(u64, Timer)>,
    due_at: BTreeMap<Timer, u64>,
    running: BTreeSet<String>,
}

impl Index {
    pub fn of(settings: &Settings, state: &State) -> Self {
        let mut index = Self::default();
        for agent in &settings.agents {
            index.kinds.insert(agent.name.clone(), agent.kind);
            index.serves.insert(agent.name.clone(), queues_of(settings, agent));
            index.dials_for.insert(agent.name.clone(), agent.campaigns.clone());
        }
        for (name, agent) in state.agents.iter() {
            index.agent(name, agent);
        }
        for (&call, visit) in state.visits.iter() {
            index.visit(call, Some(visit));
        }
        for (name, campaign) in state.campaigns.iter() {
            index.campaign(name, campaign);
        }
        for (&tag, pending) in state.pending.iter() {
            index.pending(tag, Some(pending));
        }
        index
    }

    /// The agent is as he is: notes whether he is idle and what he waits for.
    pub fn agent(&mut self, name: &str, agent: &Agent) {
        let due = match agent.state {
            AgentState::WrapUp { until_us } => Some(until_us),
            AgentState::Paused { until_us, .. } => until_us,
            AgentState::SigningIn { retry_us, .. } => retry_us,
            _ => None,
        };
        self.arm(Timer::Agent(name.into()), due);
        if let Some(since) = self.idle_since.remove(name) {
            let key = (since, name.to_owned());
            for idle in self.idle.values_mut().chain(self.idle_for_campaign.values_mut()) {
                idle.remove(&key);
            }
        }
        let free = match self.kinds.get(name) {
            Some(AgentKind::Nailed) => agent.leg.is_some() && agent.up,
            Some(AgentKind::Rung) => agent.leg.is_none() && !agent.dialling,
            None => false,
        };
        if agent.state != AgentState::Ready || !free {
            return;
        }
        let key = (agent.idle_us, name.to_owned());
        self.idle_since.insert(name.into(), agent.idle_us);
        for queue in self.serves.get(name).into_iter().flatten() {
            self.idle.entry(queue.clone()).or_default().insert(key.clone());
        }
        for campaign in self.dials_for.get(name).into_iter().flatten() {
            self.idle_for_campaign.entry(campaign.clone()).or_default().insert(key.clone());
        }
    }

    /// The call is as it is, or gone.
    pub fn visit(&mut self, call: CallId, visit: Option<&Visit>) {
        if let Some((queue, place)) = self.places.remove(&call)
            && let Some(waiting) = self.waiting.get_mut(&queue)
        {
            waiting.remove(&place);
        }
        let mut due = None;
        if let Some(visit) = visit
            && let Stage::Queued { again_us, overflow_us, hold_off_us, .. } = &visit.stage
        {
            due = [*again_us, *overflow_us, *hold_off_us].into_iter().flatten().min();
            if hold_off_us.is_none()
                && let Some(queue) = &visit.queue
            {
                let since = visit.waiting_since_us.unwrap_or(visit.arrived_us);
                let place = (!visit.front, visit.queued_us.unwrap_or(since), call);
                self.waiting.entry(queue.clone()).or_default().insert(place);
                self.places.insert(call, (queue.clone(), place));
            }
        }
        self.arm(Timer::Visit(call), due);
    }

    pub fn campaign(&mut self, name: &str, campaign: &Campaign) {
        if campaign.running {
            self.running.insert(name.into());
        } else {
            self.running.remove(name);
        }
        self.arm(Timer::Campaign(name.into()), campaign.hold_off_us);
    }

    pub fn pending(&mut self, tag: u64, pending: Option<&Pending>) {
        self.arm(Timer::Pending(tag), pending.and_then(|p| p.due_us));
    }

    fn arm(&mut self, timer: Timer, at_us: Option<u64>) {
        if let Some(old) = self.due_at.remove(&timer) {
            self.due.remove(&(old, timer.clone()));
        }
        if let Some(at_us) = at_us {
            self.due_at.insert(timer.clone(), at_us);
            self.due.insert((at_us, timer));
        }
    }

    /// The next moment something is due.
    pub fn next_due(&self) -> Option<u64> {
        self.due.first().map(|&(at, _)| at)
    }

    /// Takes one timer that is due.
    pub fn take_due(&mut self, now_us: u64) -> Option<Timer> {
        if self.next_due()? > now_us {
            return None;
        }
        let (_, timer) = self.due.pop_first()?;
        self.due_at.remove(&timer);
        Some(timer)
    }

    /// Queues with both a call and an idle agent: the first place of each.
    pub fn matches(&self) -> impl Iterator<Item = (&str, Place)> {
        self.waiting.iter().filter_map(|(queue, waiting)| {
            let place = waiting.first()?;
            self.idle.get(queue)?.first()?;
            Some((queue.as_str(), *place))
        })
    }

    /// Who has been idle longest among those who serve the queue.
    pub fn longest_idle(&self, queue: &str) -> Option<&str> {
        self.idle.get(queue)?.first().map(|(_, name)| name.as_str())
    }
    /// Likewise among those who take a campaign's calls.
    pub fn longest_idle_for_campaign(&self, campaign: &str) -> Option<&str> {
        self.idle_for_campaign.get(campaign)?.first().map(|(_, name)| name.as_str())
    }
    /// Idle agents of a queue.
    pub fn idle_count(&self, queue: &str) -> usize {
        self.idle.get(queue).map_or(0, BTreeSet::len)
    }
    /// Calls that wait in a queue.
    pub fn waiting_count(&self, queue: &str) -> usize {
        self.waiting.get(queue).map_or(0, BTreeSet::len)
    }
    /// When the first of the queue queued.
    pub fn first_waiting_us(&self, queue: &str) -> Option<u64> {
        self.waiting.get(queue)?.iter().map(|&(_, at, _)| at).min()
    }
    /// The place of a call in its queue, from 1.
    pub fn position(&self, call: CallId) -> Option<usize> {
        let (queue, place) = self.places.get(&call)?;
        Some(self.waiting.get(queue)?.range(..=*place).count())
    }
    /// Campaigns that dial.
    pub fn running(&self) -> impl Iterator<Item = &str> {
        self.running.iter().map(String::as_str)
    }
    /// How an agent's telephone is used.
    pub fn kind(&self, agent: &str) -> Option<AgentKind> {
        self.kinds.get(agent).copied()
    }
    /// Whether the two were made alike.
    #[cfg(test)]
    pub fn same_as(&self, other: &Self) -> bool {
        fn full<V>(map: &BTreeMap<String, BTreeSet<V>>) -> Vec<(&String, &BTreeSet<V>)> {
            map.iter().filter(|(_, set)| !set.is_empty()).collect()
        }
        full(&self.waiting) == full(&other.waiting)
            && full(&self.idle) == full(&other.idle)
            && full(&self.idle_for_campaign) == full(&other.idle_for_campaign)
            && self.due == other.due
            && self.running == other.running
    }
}

/// The queues an agent is in and has the skills for.
fn queues_of(settings: &Settings, agent: &AgentSettings) -> Vec<String> {
    let able = |name: &&String| {
        settings.queues.iter().any(|queue| {
            queue.name == **name
                && queue
                    .skills
                    .iter()
                    .all(|(skill, least)| agent.skills.get(skill).is_some_and(|has| has >= least))
        })
    };
    agent.queues.iter().filter(able).cloned().collect()
}
