//! The call server tells all it has; the call centre makes its own picture agree, and leaves nothing open.
//!
//! * A leg of ours that is not there any more ended without a summary: its call is closed with cause 41.
//! * A caller nobody speaks with goes on where he was: his node anew, his place in the queue as it was.
//! * A call with an agent goes on when the two still hear each other, else the caller comes to the front.
//! * A leg we do not know is adopted: a caller queues, a talking one goes on talking, an agent's telephone is his.
//! * In a new life of the call server no leg of ours exists: everything is closed with 41 and agents are called anew.

/// The reason in the record of a call that ended because the call server fell.
pub const CUT: &str = "the call server no longer has it";

use std::collections::BTreeMap;

use call::{CallCommand, Cause, Direction, LegId, LegNow, LegState, Location, SnapshotItem};

use crate::Acd;
use crate::settings::AgentKind;
use crate::state::{AgentState, Ending, Purpose, Role, Sound, Stage, Work};

type Legs = BTreeMap<LegId, LegNow>;

impl Acd {
    pub(crate) fn reconcile(&mut self, instance: u32, items: Vec<SnapshotItem>) {
        let legs: Legs = items
            .into_iter()
            .filter_map(|item| match item {
                SnapshotItem::Leg(leg) if leg.state != LegState::Ending => Some((leg.leg, leg)),
                _ => None,
            })
            .collect();
        if self.state.core.instance != Some(instance) {
            self.forget_instance();
            self.state.core.instance = Some(instance);
        }
        self.set_present(true);
        self.settle_pending(&legs);
        self.close_missing(&legs);
        for (leg, now) in &legs {
            if self.state.legs.get(leg).is_none() {
                self.adopt(now, &legs);
            }
        }
        self.agree_on_agents(&legs);
        self.agree_on_visits(&legs);
        self.agree_on_attempts(&legs);
        self.release_targets();
        self.settle_early(None);
        self.call_missing_telephones();
    }

    /// Nothing of another life exists any more.
    fn forget_instance(&mut self) {
        for tag in self.state.pending.keys() {
            self.drop_pending(tag);
        }
        for operation in self.state.transfers.keys() {
            self.state.transfers.remove(&operation);
        }
    }

    /// What was asked and not answered: a dial may have been accepted, and is sent again under its key to learn
    /// its leg. So is a recording, which the record of its call names, while what it was to be of goes on; and so is its
    /// end. Everything else follows anew from what there is.
    fn settle_pending(&mut self, legs: &Legs) {
        use CallCommand::{Dial, Record, StopRecord, Transfer};
        for tag in self.state.pending.keys() {
            let Some(pending) = self.state.pending.get(&tag) else { continue };
            match (&pending.command, pending.purpose.clone()) {
                (Dial(_) | Transfer { .. } | StopRecord { .. }, _) => self.send_again(tag),
                (&Record { leg, early, .. }, Purpose::Record(_, name)) => match legs.get(&leg) {
                    Some(now) if !is_to_be_recorded(now, early) => {
                        self.drop_pending(tag);
                        self.recording_lost(leg, &name);
                    }
                    _ => self.send_again(tag),
                },
                _ => self.drop_pending(tag),
            }
        }
    }

    /// Legs of ours that are gone without a word.
    fn close_missing(&mut self, legs: &Legs) {
        for leg in self.state.legs.keys() {
            if legs.contains_key(&leg) {
                continue;
            }
            let Some(role) = self.state.legs.remove(&leg) else { continue };
            let ending = Ending {
                cause: Cause::TEMPORARY_FAILURE,
                location: Location::User,
                by_us: true,
                outcome: None,
                reason: CUT.into(),
            };
            match role {
                Role::Caller(call) => self.close_visit(call, &ending),
                Role::Contact(id) => self.close_attempt(id, &ending),
                Role::Agent(name) => self.telephone_missing(&name),
                Role::Target(work) => self.target_ended(leg, work),
            }
        }
        // Dials of another life that never had a leg.
        let lost: Vec<u64> = self
            .state
            .attempts
            .iter()
            .filter(|(id, attempt)| attempt.leg.is_none() && !self.is_pending(**id))
            .map(|(&id, _)| id)
            .collect();
        for id in lost {
            self.attempt_answered(
                id,
                Err(call::Refusal::new(
                    call::RefusalCode::UnknownCall,
                    "dial",
                    "the call server was started anew",
                )),
            );
        }
    }

    fn is_pending(&self, attempt: u64) -> bool {
        self.state.pending.iter().any(|(_, p)| p.purpose == Purpose::Attempt(attempt))
    }

    fn telephone_missing(&mut self, name: &str) {
        self.with_agent(name, |agent| {
            agent.leg = None;
            agent.up = false;
            agent.consult = None;
        });
    }

    /// A leg nobody here knows.
    fn adopt(&mut self, leg: &LegNow, legs: &Legs) {
        match leg.direction {
            Direction::Inbound if leg.state == LegState::Offered => self.incoming(
                leg.call,
                leg.leg,
                leg.group.clone(),
                leg.channel,
                leg.called.clone(),
                leg.calling.clone(),
            ),
            Direction::Inbound => self.adopt_caller(leg, legs),
            Direction::Outbound if self.is_agents(&leg.group, &leg.called) => {
                self.adopt_telephone(leg);
            }
            Direction::Outbound => {
                let awaited = self.state.pending.iter().any(|(_, pending)| {
                    matches!(&pending.command, CallCommand::Dial(dial) if dial.called == leg.called)
                        || matches!(pending.command, CallCommand::Transfer { .. })
                });
                // A dial of ours whose answer is on its way brings its leg along.
                if !awaited {
                    self.adopt_attempt(leg);
                }
            }
        }
    }

    fn adopt_caller(&mut self, leg: &LegNow, legs: &Legs) {
        let flow = self.route(&leg.group, &leg.called);
        let mut visit =
            self.new_visit(leg.leg, leg.group.clone(), leg.called.clone(), leg.calling.clone());
        visit.channel = leg.channel;
        visit.flow = flow.unwrap_or_default();
        let call = leg.call;
        if self.state.visits.contains(&call) {
            self.hang_up(leg.leg, Cause::TEMPORARY_FAILURE);
            return;
        }
        self.state.core.counts.inbound.offered += 1;
        self.hour().inbound.offered += 1;
        self.state.legs.insert(leg.leg, Role::Caller(call));
        let talks = leg.peer.is_some_and(|peer| legs.contains_key(&peer));
        // Whoever is found talking was answered by somebody.
        visit.answered = talks;
        let queue = self.queue_node(&visit.flow, None);
        let flow = visit.flow.clone();
        self.state.visits.insert(call, visit);
        if talks {
            self.set_stage(call, Stage::Talking { agent: None });
            return;
        }
        self.set_caller_fallback(leg.leg);
        match queue {
            Some(node) => self.enter(call, node),
            None => match self.settings.flows.iter().find(|f| f.name == flow) {
                Some(flow) => self.enter(call, flow.start.clone()),
                None => self.let_go(call, Cause::TEMPORARY_FAILURE),
            },
        }
    }

    fn adopt_telephone(&mut self, leg: &LegNow) {
        let found = self.settings.agents.iter().find(|a| a.extension == leg.called.digits);
        let Some(name) = found.map(|a| a.name.clone()) else { return };
        let Some(agent) = self.state.agents.get(&name) else { return };
        if agent.dialling && leg.peer.is_none() {
            // The answer to our dial brings the leg along.
            return;
        }
        if agent.leg.is_some() {
            self.hang_up(leg.leg, Cause::NORMAL_CLEARING);
            return;
        }
        self.state.legs.insert(leg.leg, Role::Agent(name.clone()));
        let up = leg.state == LegState::Answered;
        self.with_agent(&name, |agent| {
            agent.leg = Some(leg.leg);
            agent.up = up;
        });
        if let Some(AgentState::Offline { .. }) = self.state.agents.get(&name).map(|a| &a.state)
            && self.index.kind(&name) == Some(AgentKind::Nailed)
        {
            // His telephone is up, so he had signed in; only we had forgotten.
            self.set_agent(&name, AgentState::SigningIn { tries: 1, retry_us: None });
        }
    }

    /// Every agent has the state his telephone says.
    fn agree_on_agents(&mut self, legs: &Legs) {
        for name in self.state.agents.keys() {
            let Some(agent) = self.state.agents.get(&name) else { continue };
            let (state, leg) = (agent.state.clone(), agent.leg);
            let dialling = self.state.pending.iter().any(|(_, pending)| match &pending.purpose {
                Purpose::SignIn(of) | Purpose::Ring(_, of) => *of == name,
                _ => false,
            });
            self.with_agent(&name, |agent| agent.dialling = dialling);
            let now = leg.and_then(|leg| legs.get(&leg));
            let up = now.is_some_and(|now| now.state == LegState::Answered);
            self.with_agent(&name, |agent| agent.up = up);
            let party = now.and_then(|now| now.peer).and_then(|peer| match self.role(peer)? {
                Role::Caller(call) => Some(Work::Visit(call)),
                Role::Contact(id) => Some(Work::Attempt(id)),
                Role::Agent(_) | Role::Target(_) => None,
            });
            if let Some(work) = party {
                if state.work().is_some_and(|has| has != work) {
                    self.part(&name, state.work());
                }
                self.talk(work, &name);
                continue;
            }
            if let (Some(leg), false) = (leg, state.work().is_some())
                && self.index.kind(&name) == Some(AgentKind::Rung)
            {
                // A rung telephone has no sense without its call.
                self.hang_up(leg, Cause::NORMAL_CLEARING);
            }
            match state {
                AgentState::Offline { .. } => {
                    if let Some(leg) = leg {
                        self.hang_up(leg, Cause::NORMAL_CLEARING);
                    }
                }
                AgentState::SigningIn { .. } if up => self.agent_answered(&name),
                AgentState::Ready | AgentState::WrapUp { .. } | AgentState::Paused { .. }
                    if leg.is_none() && self.index.kind(&name) == Some(AgentKind::Nailed) =>
                {
                    self.set_agent(&name, AgentState::SigningIn { tries: 0, retry_us: None });
                }
                // Held, or consulting: the two do not hear each other, and both are there.
                AgentState::Talking { work, held: true } if up && self.leg_of(work).is_some() => {}
                AgentState::Reserved { work: Work::Attempt(id) }
                    if up && self.state.attempts.contains(&id) => {}
                AgentState::Ringing { .. } if leg.is_some() || dialling => {}
                AgentState::Talking { .. }
                | AgentState::Reserved { .. }
                | AgentState::Ringing { .. } => self.part(&name, state.work()),
                _ => {}
            }
        }
    }

    /// An agent and his work have lost each other.
    fn part(&mut self, name: &str, work: Option<Work>) {
        let Some(work) = work else { return };
        let talked = matches!(
            self.state.agents.get(name).map(|a| &a.state),
            Some(AgentState::Talking { .. })
        );
        if let Work::Visit(call) = work
            && self.state.visits.contains(&call)
        {
            self.bring_to_front(call, false);
        }
        self.work_over(name, work, talked);
        let gone = self.state.agents.get(name).is_some_and(|a| a.leg.is_none());
        let here = !matches!(
            self.state.agents.get(name).map(|a| &a.state),
            Some(AgentState::Offline { .. }) | None
        );
        if gone && here && self.index.kind(name) == Some(AgentKind::Nailed) {
            self.set_agent(name, AgentState::SigningIn { tries: 0, retry_us: None });
        }
    }

    /// Every caller goes on from where he stands.
    fn agree_on_visits(&mut self, legs: &Legs) {
        for call in self.state.visits.keys() {
            let Some(visit) = self.state.visits.get(&call) else { continue };
            let Some(now) = legs.get(&visit.leg) else { continue };
            let bridged = now.peer.is_some_and(|peer| legs.contains_key(&peer));
            match visit.stage.clone() {
                Stage::Arriving if now.state == LegState::Answered => self.caller_answered(call),
                Stage::Arriving => {
                    let leg = visit.leg;
                    if !self.answer_is_pending(call) {
                        self.ask(CallCommand::Answer { leg }, Purpose::Answer(call));
                    }
                }
                Stage::Node { .. } | Stage::Queued { .. } if bridged => {
                    self.set_stage(call, Stage::Talking { agent: None });
                }
                Stage::Node { .. } | Stage::Queued { .. } => self.enter_again(call),
                Stage::Offered { agent, .. } => {
                    let meant = self.state.agents.get(&agent).and_then(|a| a.state.work());
                    if meant != Some(Work::Visit(call)) {
                        self.bring_to_front(call, false);
                    }
                }
                Stage::Talking { agent: None } if !bridged => {
                    if let Some(visit) = self.state.visits.get_mut(&call) {
                        visit.sound = Sound::Silence;
                    }
                    self.bring_to_front(call, false);
                }
                Stage::Talking { .. } => {}
                Stage::Ending => {
                    let leg = visit.leg;
                    self.hang_up(leg, Cause::NORMAL_CLEARING);
                }
            }
        }
    }

    /// Whom a party was to be sent to, when the party is gone.
    fn release_targets(&mut self) {
        let alone = |role: &Role| match role {
            Role::Target(work) => self.leg_of(*work).is_none(),
            _ => false,
        };
        let legs = self.state.legs.iter().filter(|(_, role)| alone(role)).map(|(&leg, _)| leg);
        for leg in legs.collect::<Vec<_>>() {
            self.hang_up(leg, Cause::NORMAL_CLEARING);
        }
    }

    fn answer_is_pending(&self, call: call::CallId) -> bool {
        self.state.pending.iter().any(|(_, p)| p.purpose == Purpose::Answer(call))
    }

    /// Contacts that were connected and have nobody any more are released.
    fn agree_on_attempts(&mut self, legs: &Legs) {
        for id in self.state.attempts.keys() {
            let Some(attempt) = self.state.attempts.get(&id) else { continue };
            let Some(now) = attempt.leg.and_then(|leg| legs.get(&leg)) else { continue };
            let held = attempt.agent.as_ref().and_then(|name| self.state.agents.get(name)).is_some_and(
                |agent| matches!(agent.state, AgentState::Talking { work, .. } if work == Work::Attempt(id)),
            );
            let leg = now.leg;
            let connected = attempt.connected;
            if now.state == LegState::Answered {
                self.attempt_taken(id);
            }
            if connected && now.peer.is_none() && !held {
                self.hang_up(leg, Cause::NORMAL_CLEARING);
            }
        }
    }
}

/// A conversation goes on, or nobody has answered yet: a caller who waits again is not recorded.
fn is_to_be_recorded(leg: &LegNow, early: bool) -> bool {
    if early { leg.state != LegState::Answered } else { leg.peer.is_some() }
}
