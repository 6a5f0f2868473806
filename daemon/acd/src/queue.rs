//! Queues: who waits, what he hears meanwhile, who gets whom.

use call::{Accepted, CallCommand, CallId, Dial, OperationId, PlayEnd, PlayItem, Refusal, StopOn};

use crate::Acd;
use crate::limits::{AGENT_FAULTS_MAX, REOFFER_MICROS};
use crate::settings::{AgentKind, NodeKind};
use crate::state::{AgentState, Purpose, Sound, Stage, Work};

/// How often a waiting call is looked at while the call server is away.
const AWAY_MICROS: u64 = 1_000_000;
const MINUTE_MICROS: u128 = 60_000_000;

impl Acd {
    /// The caller queues. What he hears begins only when nobody takes him in the same step.
    pub(crate) fn enqueue(
        &mut self,
        call: CallId,
        node: String,
        queue: String,
        wait_max_millis: u32,
    ) {
        let now = self.now_us();
        if let Some(visit) = self.state.visits.get_mut(&call) {
            visit.queued_us.get_or_insert(now);
            visit.queue = Some(queue);
            visit.sound = Sound::Silence;
        }
        let overflow_us = (wait_max_millis > 0).then(|| now + u64::from(wait_max_millis) * 1000);
        let stage = Stage::Queued { node, again_us: Some(now), overflow_us, hold_off_us: None };
        self.set_stage(call, stage);
    }

    /// Back to the front: what was tried did not work, and it was not the caller's fault.
    pub(crate) fn bring_to_front(&mut self, call: CallId, hold_off: bool) {
        let now = self.now_us();
        let Some(visit) = self.state.visits.get_mut(&call) else { return };
        let node = match &visit.stage {
            Stage::Offered { node, .. } => Some(node.clone()),
            _ => None,
        };
        visit.front = true;
        visit.queued_us.get_or_insert(now);
        let (flow, queue) = (visit.flow.clone(), visit.queue.clone());
        let Some(node) = node.or_else(|| self.queue_node(&flow, queue.as_deref())) else {
            self.let_go(call, call::Cause::TEMPORARY_FAILURE);
            return;
        };
        if let Some(NodeKind::Queue { queue, .. }) = self.node(&flow, &node).map(|n| n.kind.clone())
            && let Some(visit) = self.state.visits.get_mut(&call)
        {
            visit.queue = Some(queue);
        }
        let hold_off_us = hold_off.then_some(now + REOFFER_MICROS);
        let again_us = Some(now + REOFFER_MICROS);
        self.set_stage(call, Stage::Queued { node, again_us, overflow_us: None, hold_off_us });
    }

    /// The node of a flow at which `queue` is waited for; the first queue node when it is not given.
    pub(crate) fn queue_node(&self, flow: &str, queue: Option<&str>) -> Option<String> {
        let flow = self.settings.flows.iter().find(|f| f.name == flow)?;
        let fits = |wanted: Option<&str>| {
            flow.nodes.iter().find(|node| {
                matches!(&node.kind, NodeKind::Queue { queue, .. }
                    if wanted.is_none_or(|w| w == queue))
            })
        };
        fits(queue).or_else(|| fits(None)).map(|node| node.name.clone())
    }

    /// A moment of a waiting call has come.
    pub(crate) fn visit_due(&mut self, call: CallId) {
        let now = self.now_us();
        let due = |at: Option<u64>| at.is_some_and(|at| at <= now);
        let Some(visit) = self.state.visits.get(&call) else { return };
        let Stage::Queued { node, again_us, overflow_us, hold_off_us } = visit.stage.clone() else {
            return;
        };
        if !self.state.core.present {
            // Nobody would hear it: everything waits for the call server, and is looked at again.
            let later = |at: Option<u64>| at.map(|at| at.max(now + AWAY_MICROS));
            let (again_us, overflow_us) = (later(again_us), later(overflow_us));
            self.set_stage(call, Stage::Queued { node, again_us, overflow_us, hold_off_us: None });
            return;
        }
        if due(overflow_us) {
            let flow = visit.flow.clone();
            let next = match self.node(&flow, &node).map(|n| n.kind.clone()) {
                Some(NodeKind::Queue { overflow, .. }) => overflow,
                _ => None,
            };
            match next {
                Some(next) => self.enter(call, next),
                None => self.let_go(call, call::Cause::NORMAL_CLEARING),
            }
            return;
        }
        let hold_off_us = hold_off_us.filter(|&at| at > now);
        let next_us = again_us.filter(|&at| at > now);
        let stage = Stage::Queued { node, again_us: next_us, overflow_us, hold_off_us };
        self.set_stage(call, stage);
        if due(again_us) {
            self.sound_of_queue(call, true);
        }
    }

    /// Starts what a waiting caller hears: the announcement with the position, or music.
    pub(crate) fn sound_of_queue(&mut self, call: CallId, announce: bool) {
        let now = self.now_us();
        let position = self.index.position(call);
        let Some(visit) = self.state.visits.get(&call) else { return };
        let (leg, flow, stage) = (visit.leg, visit.flow.clone(), visit.stage.clone());
        let name = match &stage {
            // The bridge is on its way, and perhaps made: nothing may come between the two.
            Stage::Offered { agent, .. } if self.is_reserved(agent) => return,
            Stage::Queued { node, .. } | Stage::Offered { node, .. } => node.clone(),
            _ => return,
        };
        let Some(NodeKind::Queue {
            prompts, position_prompt, position_every_millis, music, ..
        }) = self.node(&flow, &name).map(|n| n.kind.clone())
        else {
            return;
        };
        if let Stage::Queued { node, again_us, overflow_us, hold_off_us } = stage {
            let every = u64::from(position_every_millis) * 1000;
            let next = (every > 0).then(|| now + every);
            let again_us = if announce { next } else { again_us };
            self.set_stage(call, Stage::Queued { node, again_us, overflow_us, hold_off_us });
        }
        let mut items: Vec<PlayItem> = prompts.into_iter().map(PlayItem::Prompt).collect();
        if let (Some(prompt), Some(position)) = (position_prompt, position) {
            items.push(PlayItem::Prompt(prompt));
            items.push(PlayItem::Digits(position.to_string()));
        }
        let announce = announce && !items.is_empty();
        if let Some(visit) = self.state.visits.get_mut(&call) {
            visit.sound = if announce { Sound::Asked } else { Sound::Music };
        }
        let (items, repeat, purpose) = if announce {
            (items, false, Purpose::Announce(call))
        } else {
            (vec![PlayItem::Prompt(music)], true, Purpose::Nothing)
        };
        self.ask(CallCommand::Play { leg, items, repeat, stop_on: StopOn::Never }, purpose);
    }

    fn is_reserved(&self, agent: &str) -> bool {
        let state = self.state.agents.get(agent).map(|a| &a.state);
        matches!(state, Some(AgentState::Reserved { .. }))
    }

    pub(crate) fn announce_answered(&mut self, call: CallId, answer: Result<Accepted, Refusal>) {
        let Some(visit) = self.state.visits.get_mut(&call) else { return };
        if visit.sound != Sound::Asked {
            return;
        }
        match answer {
            Ok(Accepted { operation: Some(operation), .. }) => {
                visit.sound = Sound::Announcement(operation);
            }
            _ => self.sound_of_queue(call, false),
        }
    }

    pub(crate) fn announcement_ended(
        &mut self,
        call: CallId,
        operation: OperationId,
        why: PlayEnd,
    ) {
        let Some(visit) = self.state.visits.get(&call) else { return };
        if visit.sound == Sound::Announcement(operation) && why != PlayEnd::Stopped {
            self.sound_of_queue(call, false);
        }
    }

    /// Brings waiting calls and idle agents together until one of the two is used up.
    ///
    /// Next is the call with the highest score over all queues (`priority` + `ageing_per_minute` x minutes
    /// waited; those at the front of their queue as if they had waited for ever); it gets the agent who has
    /// been idle longest among those who serve its queue.
    pub(crate) fn offer(&mut self) {
        if !self.state.core.present {
            return;
        }
        while let Some((call, agent)) = self.next_match() {
            self.assign(call, agent);
        }
    }

    fn next_match(&self) -> Option<(CallId, String)> {
        let now = self.now_us();
        let (queue, (.., call)) =
            self.index.matches().max_by_key(|&(queue, (back, at, call))| {
                (!back, self.score(queue, now.saturating_sub(at)), core::cmp::Reverse((at, call)))
            })?;
        Some((call, self.index.longest_idle(queue)?.to_owned()))
    }

    /// Points of a call, in sixty-millionths so that each microsecond of waiting counts.
    fn score(&self, queue: &str, waited_us: u64) -> u128 {
        self.settings.queues.iter().find(|q| q.name == queue).map_or(0, |q| {
            u128::from(q.priority) * MINUTE_MICROS
                + u128::from(q.ageing_per_minute) * u128::from(waited_us)
        })
    }

    fn assign(&mut self, call: CallId, agent: String) {
        let work = Work::Visit(call);
        let Some(visit) = self.state.visits.get(&call) else { return };
        let Stage::Queued { node, .. } = visit.stage.clone() else { return };
        let (caller, calling, sound) = (visit.leg, visit.calling.clone(), visit.sound);
        let name = visit.name.clone();
        if let Some(visit) = self.state.visits.get_mut(&call) {
            visit.agent = Some(agent.clone());
        }
        self.set_stage(call, Stage::Offered { node, agent: agent.clone() });
        let leg = self.state.agents.get(&agent).and_then(|a| a.leg);
        if let (Some(AgentKind::Nailed), Some(leg)) = (self.index.kind(&agent), leg) {
            self.set_agent(&agent, AgentState::Reserved { work });
            let bridge = CallCommand::Bridge { a: caller, b: leg, beep: true };
            self.ask(bridge, Purpose::Bridge(call, agent));
            return;
        }
        if sound == Sound::Silence {
            self.sound_of_queue(call, false);
        }
        if let Some(entry) = self.state.agents.get_mut(&agent) {
            entry.dialling = true;
        }
        self.set_agent(&agent, AgentState::Ringing { work });
        let dial = Dial {
            group: self.settings.agent_group.clone(),
            called: self.extension(&agent),
            calling,
            name,
            call: Some(call),
            diverted: None,
            no_answer_millis: self.settings.ring_millis,
            on_person: None,
            bridge: Some(caller),
        };
        self.ask(CallCommand::Dial(dial), Purpose::Ring(call, agent));
    }

    /// Media could not bridge: the caller is leaving, or the agent's leg is. Whoever stays goes on.
    pub(crate) fn bridge_answered(
        &mut self,
        call: CallId,
        agent: &str,
        answer: &Result<Accepted, Refusal>,
    ) {
        if answer.is_ok() {
            return;
        }
        let offered = matches!(
            self.state.visits.get(&call).map(|v| &v.stage),
            Some(Stage::Offered { agent: to, .. }) if to == agent
        );
        if !offered {
            return;
        }
        self.bring_to_front(call, true);
        if self.failed_too_often(call) {
            self.let_go(call, call::Cause::TEMPORARY_FAILURE);
        }
        let name = agent.to_owned();
        let faults = self.state.agents.get_mut(&name).map_or(0, |entry| {
            entry.faults = entry.faults.saturating_add(1);
            entry.faults
        });
        self.work_over(agent, Work::Visit(call), false);
        if faults >= AGENT_FAULTS_MAX {
            let reason = "calls cannot be connected".to_owned();
            self.set_agent(agent, AgentState::Paused { reason, until_us: None });
        }
    }

    /// Seconds of the longest present wait in a queue.
    pub(crate) fn longest_wait_millis(&self, queue: &str) -> u64 {
        let now = self.now_us();
        self.index.first_waiting_us(queue).map_or(0, |at| now.saturating_sub(at) / 1000)
    }
}
