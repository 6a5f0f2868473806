//! Callers: how they come in, what they are counted as, how they leave.

use std::collections::BTreeSet;

use call::{
    Accepted, CallCommand, CallId, Cause, Direction, Disposition, Diversion, Fallback, LegId,
    Location, Number, Presentation, Refusal, RefusalCode, Summary,
};

use crate::Acd;
use crate::action::{AcdEvent, CallRecord, CallResult};
use crate::limits::CALLS_MAX;
use crate::state::{AgentState, Ending, Purpose, Role, Sound, Stage, Visit, Work};

/// How many refused calls are remembered, so that their summaries are not counted a second time.
const REFUSED_MAX: usize = 4096;

impl Acd {
    /// A call has come in. Answered at once when a route takes it; refused when none does.
    pub(crate) fn incoming(
        &mut self,
        call: CallId,
        leg: LegId,
        group: String,
        channel: Option<(u8, u8)>,
        called: Number,
        calling: Option<Number>,
    ) {
        if self.state.legs.contains(&leg) || self.state.visits.contains(&call) {
            return;
        }
        let flow = self.route(&group, &called);
        let full = self.state.visits.len() >= CALLS_MAX;
        let mut visit = self.new_visit(leg, group, called, calling);
        visit.channel = channel;
        visit.flow = flow.clone().unwrap_or_default();
        self.state.visits.insert(call, visit);
        self.state.legs.insert(leg, Role::Caller(call));
        self.count_offered();
        self.publish_stage(call);
        if flow.is_none() || full {
            let cause = if full { Cause::SWITCH_CONGESTION } else { Cause::UNALLOCATED_NUMBER };
            if let Some(visit) = self.state.visits.get_mut(&call) {
                visit.refused = true;
            }
            self.let_go(call, cause);
        } else {
            self.ask(CallCommand::Answer { leg }, Purpose::Answer(call));
        }
    }

    /// What else a call brought along.
    pub(crate) fn brought(
        &mut self,
        call: CallId,
        name: Option<String>,
        diverted: Option<Diversion>,
    ) {
        if let Some(visit) = self.state.visits.get_mut(&call) {
            (visit.name, visit.diverted) = (name, diverted);
        }
    }

    /// The caller's name came after the call.
    pub(crate) fn named(&mut self, leg: LegId, name: String) {
        if let Some(Role::Caller(call)) = self.role(leg)
            && let Some(visit) = self.state.visits.get_mut(&call)
        {
            visit.name = Some(name);
        }
    }

    pub(crate) fn new_visit(
        &self,
        leg: LegId,
        group: String,
        called: Number,
        calling: Option<Number>,
    ) -> Visit {
        Visit {
            leg,
            group,
            channel: None,
            called,
            calling,
            name: None,
            diverted: None,
            flow: String::new(),
            stage: Stage::Arriving,
            arrived_us: self.now_us(),
            queued_us: None,
            queue: None,
            front: false,
            served: false,
            answered: false,
            waited_us: 0,
            waiting_since_us: None,
            talked_us: 0,
            talking_since_us: None,
            agent: None,
            recording: None,
            sound: Sound::Silence,
            refused: false,
            failures: 0,
        }
    }

    /// The flow for a call: of the first route that fits.
    pub(crate) fn route(&self, group: &str, called: &Number) -> Option<String> {
        let fits = |route: &&crate::RouteSettings| {
            route.group.as_ref().is_none_or(|g| g == group)
                && route.called_prefix.as_ref().is_none_or(|p| called.digits.starts_with(p))
        };
        self.settings.routes.iter().find(fits).map(|route| route.flow.clone())
    }

    pub(crate) fn answer_answered(&mut self, call: CallId, answer: &Result<Accepted, Refusal>) {
        // In a wrong state: answered before, or gone; either is told. Otherwise it cannot be answered, and must go.
        if answer.as_ref().is_err_and(|refusal| refusal.code != RefusalCode::WrongState) {
            self.let_go(call, Cause::TEMPORARY_FAILURE);
        }
    }

    /// We answered and the call stands: into the flow.
    pub(crate) fn caller_answered(&mut self, call: CallId) {
        let Some(visit) = self.state.visits.get(&call) else { return };
        if visit.stage != Stage::Arriving {
            return;
        }
        let (leg, flow) = (visit.leg, visit.flow.clone());
        self.set_caller_fallback(leg);
        let start =
            self.settings.flows.iter().find(|f| f.name == flow).map(|flow| flow.start.clone());
        match start {
            Some(node) => self.enter(call, node),
            None => self.let_go(call, Cause::TEMPORARY_FAILURE),
        }
    }

    pub(crate) fn set_caller_fallback(&mut self, leg: LegId) {
        let fallback = Fallback {
            prompt: self.settings.fallback.prompt.clone(),
            hold_millis: self.settings.fallback.hold_millis,
        };
        self.ask(CallCommand::SetFallback { leg, fallback }, Purpose::Nothing);
    }

    /// Puts a call into another stage: accounts its waiting and talking, reorders, tells.
    pub(crate) fn set_stage(&mut self, call: CallId, stage: Stage) {
        let now = self.now_us();
        let Some(visit) = self.state.visits.get_mut(&call) else { return };
        let waits = matches!(stage, Stage::Queued { .. } | Stage::Offered { .. });
        let talks = matches!(stage, Stage::Talking { .. });
        visit.settle(now, waits, talks);
        let same = core::mem::discriminant(&visit.stage) == core::mem::discriminant(&stage);
        visit.stage = stage;
        self.index.visit(call, Some(visit));
        if !(same && waits) {
            self.publish_stage(call);
        }
    }

    fn publish_stage(&mut self, call: CallId) {
        let Some(visit) = self.state.visits.get(&call) else { return };
        let at = match &visit.stage {
            Stage::Node { node, .. } => Some(node.clone()),
            Stage::Queued { .. } => visit.queue.clone(),
            Stage::Offered { agent, .. } => Some(agent.clone()),
            Stage::Talking { agent } => agent.clone(),
            Stage::Arriving | Stage::Ending => None,
        };
        let stage = visit.stage.word().into();
        self.publish(AcdEvent::Call { call, stage, at });
    }

    /// Tells a caller to go. What it counts as is decided when the leg has ended.
    pub(crate) fn let_go(&mut self, call: CallId, cause: Cause) {
        let Some(visit) = self.state.visits.get(&call) else { return };
        let leg = visit.leg;
        if visit.stage != Stage::Ending {
            self.part_from_agent(call);
            self.set_stage(call, Stage::Ending);
            self.hang_up(leg, cause);
        }
    }

    /// The agent of a call that ends goes on.
    fn part_from_agent(&mut self, call: CallId) {
        let Some(visit) = self.state.visits.get(&call) else { return };
        match &visit.stage {
            Stage::Offered { agent, .. } => {
                let agent = agent.clone();
                self.work_over(&agent, Work::Visit(call), false);
            }
            Stage::Talking { agent: Some(agent) } => {
                let agent = agent.clone();
                self.work_over(&agent, Work::Visit(call), true);
            }
            _ => {}
        }
    }

    /// A caller's leg is gone: count, record, forget.
    pub(crate) fn visit_ended(&mut self, call: CallId, summary: &Summary) {
        let ending = Ending {
            cause: summary.cause,
            location: summary.location,
            by_us: summary.cleared_by_us,
            outcome: None,
            reason: summary.reason.clone(),
        };
        if let Some(visit) = self.state.visits.get_mut(&call) {
            visit.channel = visit.channel.or(summary.channel);
            visit.refused |= summary.disposition == Disposition::Refused;
        }
        self.close_visit(call, &ending);
    }

    /// As [`Acd::visit_ended`], with or without a summary.
    pub(crate) fn close_visit(&mut self, call: CallId, ending: &Ending) {
        let Some(visit) = self.state.visits.get(&call) else { return };
        let result = self.result_of(visit);
        self.drop_targets(Work::Visit(call));
        self.part_from_agent(call);
        let now = self.now_us();
        if let Some(visit) = self.state.visits.get_mut(&call) {
            visit.settle(now, false, false);
        }
        let Some(visit) = self.state.visits.remove(&call) else { return };
        self.index.visit(call, None);
        self.state.legs.remove(&visit.leg);
        let held_us = now.saturating_sub(visit.arrived_us);
        let counts = &mut self.state.core.counts;
        counts.inbound.end(result);
        counts.held_us += held_us;
        if visit.answered {
            counts.waited_us += visit.waited_us;
        }
        let hour = self.hour();
        hour.inbound.end(result);
        hour.held_us += held_us;
        self.publish(AcdEvent::CallEnded { call, result });
        self.record(CallRecord {
            call,
            inbound: true,
            calling_restricted: restricted(visit.calling.as_ref()),
            calling: visit.calling.map(|n| n.digits).unwrap_or_default(),
            name: visit.name,
            diverted: visit.diverted,
            group: visit.group,
            channel: visit.channel,
            called: visit.called.digits,
            started_utc_us: self.utc_us(visit.arrived_us),
            ended_utc_us: self.utc_us(now),
            waited_millis: visit.waited_us / 1000,
            talked_millis: visit.talked_us / 1000,
            queue: visit.queue,
            campaign: None,
            line: None,
            agent: visit.agent,
            recording: visit.recording,
            result,
            reason: ending.reason.clone(),
            cause: ending.cause,
            location: ending.location,
            cleared_by_us: ending.by_us,
            judged: None,
            was: None,
            kept: None,
        });
    }

    /// The word for a call that ends as it stands. House, section 5.
    fn result_of(&self, visit: &Visit) -> CallResult {
        let rings = |agent: &String| {
            matches!(
                self.state.agents.get(agent).map(|a| &a.state),
                Some(AgentState::Ringing { .. })
            )
        };
        if visit.answered {
            CallResult::Answered
        } else if visit.refused {
            CallResult::LostTrunk
        } else if visit.served {
            CallResult::Served
        } else if matches!(&visit.stage, Stage::Offered { agent, .. } if rings(agent)) {
            CallResult::LostAgent
        } else if visit.queued_us.is_some() {
            CallResult::LostQueue
        } else {
            CallResult::LostIvr
        }
    }

    fn count_offered(&mut self) {
        self.state.core.counts.inbound.offered += 1;
        self.hour().inbound.offered += 1;
    }

    /// A call that the call server refused at the door.
    pub(crate) fn refused(
        &mut self,
        call: CallId,
        group: &str,
        called: &Number,
        calling: Option<&Number>,
        cause: Cause,
    ) {
        let now = self.now_us();
        let known = &mut self.state.refused;
        if known.contains(&call) || self.state.visits.contains(&call) {
            return;
        }
        known.insert(call, now);
        if known.len() > REFUSED_MAX
            && let Some(&oldest) = known.first_key()
        {
            known.remove(&oldest);
        }
        self.count_unseen_end(
            CallResult::LostTrunk,
            CallRecord {
                call,
                inbound: true,
                group: group.into(),
                channel: None,
                called: called.digits.clone(),
                calling: calling.map(|n| n.digits.clone()).unwrap_or_default(),
                calling_restricted: restricted(calling),
                name: None,
                diverted: None,
                started_utc_us: self.utc_us(now),
                ended_utc_us: self.utc_us(now),
                waited_millis: 0,
                talked_millis: 0,
                queue: None,
                campaign: None,
                line: None,
                agent: None,
                recording: None,
                result: CallResult::LostTrunk,
                reason: "refused at the door".into(),
                cause,
                location: Location::User,
                cleared_by_us: true,
                judged: None,
                was: None,
                kept: None,
            },
        );
    }

    /// Counts and records a call that is over before we ever saw it.
    fn count_unseen_end(&mut self, result: CallResult, record: CallRecord) {
        self.count_offered();
        self.state.core.counts.inbound.end(result);
        self.hour().inbound.end(result);
        self.publish(AcdEvent::CallEnded { call: record.call, result });
        self.record(record);
    }

    /// The end of a leg we know nothing of: it came and went while nobody watched, or was refused.
    pub(crate) fn stranger_ended(&mut self, summary: &Summary) {
        if summary.disposition == Disposition::Refused && summary.direction == Direction::Inbound {
            let Summary { call, group, called, calling, cause, .. } = summary;
            self.refused(*call, group, called, calling.as_ref(), *cause);
            return;
        }
        if summary.direction == Direction::Outbound {
            if !self.is_agents(&summary.group, &summary.called) {
                self.stranger_dialled(summary);
            }
            return;
        }
        let held_us = summary.ended_us.saturating_sub(summary.started_us);
        let now = self.now_us();
        self.state.core.counts.held_us += held_us;
        self.count_unseen_end(
            CallResult::LostIvr,
            CallRecord {
                call: summary.call,
                inbound: true,
                group: summary.group.clone(),
                channel: summary.channel,
                called: summary.called.digits.clone(),
                calling: summary.calling.as_ref().map(|n| n.digits.clone()).unwrap_or_default(),
                calling_restricted: restricted(summary.calling.as_ref()),
                name: None,
                diverted: None,
                started_utc_us: self.utc_us(now.saturating_sub(held_us)),
                ended_utc_us: self.utc_us(now),
                waited_millis: 0,
                talked_millis: 0,
                queue: None,
                campaign: None,
                line: None,
                agent: None,
                recording: None,
                result: CallResult::LostIvr,
                reason: format!("nobody watched: {}", summary.reason),
                cause: summary.cause,
                location: summary.location,
                cleared_by_us: summary.cleared_by_us,
                judged: None,
                was: None,
                kept: None,
            },
        );
    }

    /// Whether this is a call to an agent's telephone.
    pub(crate) fn is_agents(&self, group: &str, called: &Number) -> bool {
        group == self.settings.agent_group
            && self.settings.agents.iter().any(|a| a.extension == called.digits)
    }

    /// The legs to which the other party of `work` was, or may be, sent have no more sense.
    pub(crate) fn drop_targets(&mut self, work: Work) {
        let targets: BTreeSet<LegId> = self
            .state
            .legs
            .iter()
            .filter(|(_, role)| **role == Role::Target(work))
            .map(|(&leg, _)| leg)
            .collect();
        for leg in targets {
            self.hang_up(leg, Cause::NORMAL_CLEARING);
        }
    }
}

impl Visit {
    /// Closes the present wait or talk and opens what the next stage is.
    fn settle(&mut self, now_us: u64, waits: bool, talks: bool) {
        if !waits && let Some(since) = self.waiting_since_us.take() {
            self.waited_us += now_us.saturating_sub(since);
        }
        if !talks && let Some(since) = self.talking_since_us.take() {
            self.talked_us += now_us.saturating_sub(since);
        }
        if waits {
            self.waiting_since_us.get_or_insert(now_us);
        }
        if talks {
            self.talking_since_us.get_or_insert(now_us);
        }
    }
}

pub(crate) fn restricted(number: Option<&Number>) -> bool {
    number.is_some_and(|n| n.presentation != Presentation::Allowed)
}
