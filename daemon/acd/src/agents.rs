//! Agents: how they come and go, what their telephones do, what follows a call.

use call::{
    Accepted, CallCommand, CallId, Cause, Dial, Fallback, LegId, Number, Refusal, RefusalCode,
    Summary,
};

use crate::Acd;
use crate::action::{AcdEvent, Was};
use crate::limits::{RECORDING_PREFIX_MAX, SIGN_IN_RETRY_MICROS, SIGN_IN_TRIES_MAX};
use crate::settings::{AgentKind, AgentSettings};
use crate::state::{Agent, AgentState, Purpose, Role, Sound, Stage, Then, Typed, Work};

impl Acd {
    /// Agents and campaigns are those of the settings: new ones come, others go.
    pub(crate) fn fit_to_settings(&mut self) {
        let now = self.now_us();
        for agent in &self.settings.agents {
            if !self.state.agents.contains(&agent.name) {
                self.state.agents.insert(agent.name.clone(), Agent::new(now, agent));
            }
        }
        for name in self.state.agents.keys() {
            let configured = self.settings.agents.iter().any(|a| a.name == name);
            let free = self.state.agents.get(&name).is_some_and(|a| a.leg.is_none() && !a.dialling);
            if !configured && free {
                self.state.agents.remove(&name);
                self.state.last_dialled.remove(&name);
            } else if !configured && let Some(agent) = self.state.agents.get_mut(&name) {
                agent.then = Then::SignOut;
            }
        }
        for campaign in &self.settings.campaigns {
            if !self.state.campaigns.contains(&campaign.name) {
                self.state.campaigns.insert(campaign.name.clone(), Default::default());
            }
        }
        for name in self.state.campaigns.keys() {
            let configured = self.settings.campaigns.iter().any(|c| c.name == name);
            if !configured && let Some(campaign) = self.state.campaigns.get_mut(&name) {
                campaign.running = false;
            }
        }
        self.index = crate::index::Index::of(&self.settings, &self.state);
    }

    /// Puts an agent into a state: notes since when, reorders, tells.
    pub(crate) fn set_agent(&mut self, name: &str, state: AgentState) {
        let now = self.now_us();
        let Some(agent) = self.state.agents.get_mut(&name.to_owned()) else { return };
        if agent.state.word() != state.word() {
            agent.since_us = now;
        }
        agent.state = state;
        self.index.agent(name, agent);
        let (reason, word) = match &agent.state {
            AgentState::Offline { reason } | AgentState::Paused { reason, .. } => {
                (Some(reason.clone()), agent.state.word())
            }
            other => (None, other.word()),
        };
        let call = agent.state.work().and_then(|work| self.call_of(work));
        self.publish(AcdEvent::Agent { agent: name.into(), state: word.into(), reason, call });
    }

    /// Changes something beside an agent's state.
    pub(crate) fn with_agent(&mut self, name: &str, change: impl FnOnce(&mut Agent)) {
        if let Some(agent) = self.state.agents.get_mut(&name.to_owned()) {
            change(agent);
            self.index.agent(name, agent);
        }
    }

    /// The telephone of an agent.
    pub(crate) fn extension(&self, name: &str) -> Number {
        let agent = self.settings.agents.iter().find(|a| a.name == name);
        Number::unknown(agent.map(|a| a.extension.clone()).unwrap_or_default())
    }

    // Coming and going.

    /// An agent comes. Refused when he is there already.
    pub(crate) fn sign_in(&mut self, name: &str) -> Result<(), Refusal> {
        let agent = self.known_agent(name)?;
        match &agent.state {
            AgentState::Offline { .. } => {
                self.with_agent(name, |agent| agent.then = Then::GoOn);
                self.begin(name);
                Ok(())
            }
            _ if agent.then == Then::SignOut => {
                self.with_agent(name, |agent| agent.then = Then::GoOn);
                Ok(())
            }
            state => Err(wrong_state(name, state)),
        }
    }

    /// From offline to ready, by way of the telephone when it is a nailed agent.
    fn begin(&mut self, name: &str) {
        let now = self.now_us();
        self.with_agent(name, |agent| {
            agent.idle_us = now;
            agent.faults = 0;
        });
        let has_leg = self.state.agents.get(name).is_some_and(|a| a.leg.is_some() && a.up);
        if self.index.kind(name) == Some(AgentKind::Nailed) && !has_leg {
            self.set_agent(name, AgentState::SigningIn { tries: 0, retry_us: None });
            self.call_telephone(name);
        } else {
            self.set_agent(name, AgentState::Ready);
        }
    }

    /// Calls a nailed agent's telephone, unless it is being called or the call server is away.
    fn call_telephone(&mut self, name: &str) {
        let Some(agent) = self.state.agents.get(name) else { return };
        if agent.dialling || agent.leg.is_some() || !self.state.core.present {
            return;
        }
        if let AgentState::SigningIn { tries, .. } = agent.state {
            let tries = tries.saturating_add(1);
            self.with_agent(name, |agent| {
                agent.dialling = true;
                agent.state = AgentState::SigningIn { tries, retry_us: None };
            });
            let dial = Dial {
                group: self.settings.agent_group.clone(),
                called: self.extension(name),
                calling: None,
                name: None,
                call: None,
                diverted: None,
                no_answer_millis: self.settings.sign_in_ring_millis,
                on_person: None,
                bridge: None,
            };
            self.ask(CallCommand::Dial(dial), Purpose::SignIn(name.into()));
        }
    }

    /// The call server is there: whoever is signing in is called, and whoever comes by himself comes.
    pub(crate) fn call_missing_telephones(&mut self) {
        for name in self.state.agents.keys() {
            self.call_telephone(&name);
        }
    }

    pub(crate) fn sign_in_answered(&mut self, name: &str, answer: Result<Accepted, Refusal>) {
        match answer {
            Ok(Accepted { leg: Some(leg), .. }) => self.telephone_has_leg(name, leg),
            Ok(_) => self.sign_in_failed(name, "the call server gave no leg"),
            Err(refusal) => {
                self.with_agent(name, |agent| agent.dialling = false);
                self.sign_in_failed(name, &refusal.message);
            }
        }
    }

    fn telephone_has_leg(&mut self, name: &str, leg: LegId) {
        self.state.legs.insert(leg, Role::Agent(name.into()));
        self.with_agent(name, |agent| {
            agent.dialling = false;
            agent.leg = Some(leg);
            agent.up = false;
        });
        if let Some(AgentState::Offline { .. }) = self.state.agents.get(name).map(|a| &a.state) {
            // He left before his telephone rang.
            self.hang_up(leg, Cause::NORMAL_CLEARING);
        }
    }

    /// The telephone was not reached: again in a while, and after some times not again.
    fn sign_in_failed(&mut self, name: &str, why: &str) {
        let Some(AgentState::SigningIn { tries, .. }) =
            self.state.agents.get(name).map(|a| a.state.clone())
        else {
            return;
        };
        if tries >= SIGN_IN_TRIES_MAX {
            let reason = format!("telephone not reached: {why}");
            self.set_agent(name, AgentState::Offline { reason });
        } else {
            let retry_us = Some(self.now_us() + SIGN_IN_RETRY_MICROS);
            self.set_agent(name, AgentState::SigningIn { tries, retry_us });
        }
    }

    /// An agent's telephone was picked up.
    pub(crate) fn agent_answered(&mut self, name: &str) {
        self.with_agent(name, |agent| agent.up = true);
        let Some(agent) = self.state.agents.get(name) else { return };
        if let (AgentState::SigningIn { .. }, Some(leg)) = (&agent.state, agent.leg) {
            // Without us a waiting telephone stays up for two minutes: long enough for a successor.
            let fallback = Fallback { prompt: None, hold_millis: 120_000 };
            self.ask(CallCommand::SetFallback { leg, fallback }, Purpose::Nothing);
            self.come_to_rest(name, false);
        }
    }

    /// An agent leaves; what he has comes first.
    pub(crate) fn sign_out(&mut self, name: &str) -> Result<(), Refusal> {
        let agent = self.known_agent(name)?;
        match agent.state {
            AgentState::Offline { .. } => return Err(wrong_state(name, &agent.state)),
            AgentState::Reserved { .. }
            | AgentState::Ringing { .. }
            | AgentState::Talking { .. } => {
                self.with_agent(name, |agent| agent.then = Then::SignOut);
            }
            _ => self.leave(name, "signed out"),
        }
        Ok(())
    }

    fn leave(&mut self, name: &str, reason: &str) {
        let leg = self.state.agents.get(name).and_then(|a| a.leg);
        self.with_agent(name, |agent| {
            agent.then = Then::GoOn;
            agent.typed = Typed::default();
        });
        self.set_agent(name, AgentState::Offline { reason: reason.into() });
        if let Some(leg) = leg {
            self.hang_up(leg, Cause::NORMAL_CLEARING);
        }
    }

    /// He takes calls again, or still does after the present one.
    pub(crate) fn ready(&mut self, name: &str) -> Result<(), Refusal> {
        let agent = self.known_agent(name)?;
        match agent.state {
            AgentState::Paused { .. } | AgentState::WrapUp { .. } => {
                self.with_agent(name, |agent| {
                    agent.faults = 0;
                    agent.then = Then::GoOn;
                });
                self.come_to_rest(name, false);
                Ok(())
            }
            AgentState::Ready
            | AgentState::Reserved { .. }
            | AgentState::Ringing { .. }
            | AgentState::Talking { .. } => {
                self.with_agent(name, |agent| agent.then = Then::GoOn);
                Ok(())
            }
            AgentState::Offline { .. } | AgentState::SigningIn { .. } => {
                Err(wrong_state(name, &agent.state))
            }
        }
    }

    /// He takes no calls, from now or after the present one.
    pub(crate) fn pause(&mut self, name: &str, reason: String) -> Result<(), Refusal> {
        if reason.len() > 64 {
            let mut refusal =
                Refusal::new(RefusalCode::BadValue, "reason", "longer than 64 octets");
            refusal.field = Some("reason".into());
            return Err(refusal);
        }
        let agent = self.known_agent(name)?;
        match agent.state {
            AgentState::Ready | AgentState::WrapUp { .. } | AgentState::Paused { .. } => {
                self.set_agent(name, AgentState::Paused { reason, until_us: None });
                Ok(())
            }
            AgentState::Reserved { .. }
            | AgentState::Ringing { .. }
            | AgentState::Talking { .. }
            | AgentState::SigningIn { .. } => {
                self.with_agent(name, |agent| agent.then = Then::Pause(reason));
                Ok(())
            }
            AgentState::Offline { .. } => Err(wrong_state(name, &agent.state)),
        }
    }

    pub(crate) fn wrap_up_end(&mut self, name: &str) -> Result<(), Refusal> {
        let agent = self.known_agent(name)?;
        match agent.state {
            AgentState::WrapUp { .. } => {
                self.come_to_rest(name, false);
                Ok(())
            }
            _ => Err(wrong_state(name, &agent.state)),
        }
    }

    /// Who it was, in the word of the agent who has the dialled call, or had the last one.
    pub(crate) fn disposition(&mut self, name: &str, was: Was) -> Result<(), Refusal> {
        let agent = self.known_agent(name)?.clone();
        if let AgentState::Talking { work: Work::Attempt(id), .. } = agent.state
            && let Some(attempt) = self.state.attempts.get_mut(&id)
        {
            attempt.was = Some(was);
            return Ok(());
        }
        let Some(record) = self.state.last_dialled.get_mut(&name.to_owned()) else {
            return Err(wrong_state(name, &agent.state));
        };
        record.was = Some(was);
        let record = record.clone();
        // A record that is put again takes the place of the first.
        self.record(record);
        Ok(())
    }

    fn known_agent(&self, name: &str) -> Result<&Agent, Refusal> {
        self.state.agents.get(name).ok_or_else(|| {
            Refusal::new(RefusalCode::UnknownCall, "agent", format!("no agent is called {name:?}"))
        })
    }

    // What follows.

    /// His part in `work` is over; `talked`: he had the other party on the line.
    pub(crate) fn work_over(&mut self, name: &str, work: Work, talked: bool) {
        let Some(agent) = self.state.agents.get(name) else { return };
        if agent.state.work() != Some(work) {
            return;
        }
        let (leg, consult) = (agent.leg, agent.consult);
        self.with_agent(name, |agent| {
            agent.consult = None;
            agent.typed = Typed::default();
        });
        if let Some(consult) = consult {
            self.hang_up(consult, Cause::NORMAL_CLEARING);
        }
        if self.index.kind(name) != Some(AgentKind::Nailed)
            && let Some(leg) = leg
        {
            self.hang_up(leg, Cause::NORMAL_CLEARING);
        }
        self.come_to_rest(name, talked);
    }

    /// Without work: he leaves, pauses, writes up or is ready, in this order.
    fn come_to_rest(&mut self, name: &str, talked: bool) {
        let now = self.now_us();
        let Some(agent) = self.state.agents.get_mut(&name.to_owned()) else { return };
        let wrap_up_millis = u64::from(agent.wrap_up_millis);
        if talked {
            agent.idle_us = now;
        }
        match core::mem::take(&mut agent.then) {
            Then::SignOut => self.leave(name, "signed out"),
            Then::Pause(reason) => {
                self.set_agent(name, AgentState::Paused { reason, until_us: None });
            }
            Then::GoOn if talked && wrap_up_millis > 0 => {
                let until_us = now + wrap_up_millis * 1000;
                self.set_agent(name, AgentState::WrapUp { until_us });
            }
            Then::GoOn => {
                // Writing up is no waiting.
                let worked = matches!(
                    self.state.agents.get(name).map(|a| &a.state),
                    Some(AgentState::WrapUp { .. } | AgentState::Paused { .. })
                );
                if worked {
                    self.with_agent(name, |agent| agent.idle_us = now);
                }
                self.set_agent(name, AgentState::Ready);
            }
        }
    }

    /// A moment of an agent has come.
    pub(crate) fn agent_due(&mut self, name: &str) {
        match self.state.agents.get(name).map(|a| a.state.clone()) {
            Some(AgentState::WrapUp { .. } | AgentState::Paused { until_us: Some(_), .. }) => {
                self.come_to_rest(name, false);
            }
            Some(AgentState::SigningIn { tries, .. }) => {
                self.with_agent(name, |agent| {
                    agent.state = AgentState::SigningIn { tries, retry_us: None };
                });
                self.call_telephone(name);
            }
            _ => {}
        }
    }

    // The telephone.

    /// The answer to the dial of a rung agent's telephone.
    pub(crate) fn ring_answered(
        &mut self,
        call: call::CallId,
        name: &str,
        answer: Result<Accepted, Refusal>,
    ) {
        let rings = self.state.agents.get(name).is_some_and(
            |a| matches!(a.state, AgentState::Ringing { work } if work == Work::Visit(call)),
        );
        match answer {
            Ok(Accepted { leg: Some(leg), .. }) => {
                self.telephone_has_leg(name, leg);
                if !rings {
                    // The caller left in between.
                    self.hang_up(leg, Cause::NORMAL_CLEARING);
                }
            }
            other => {
                let why = other.err().map_or_else(|| "no leg".into(), |refusal| refusal.message);
                self.with_agent(name, |agent| agent.dialling = false);
                if rings {
                    self.did_not_answer(call, name, &why);
                }
            }
        }
    }

    /// The call goes back to the front of its queue, the agent to a pause with the reason.
    fn did_not_answer(&mut self, call: call::CallId, name: &str, why: &str) {
        self.bring_to_front(call, false);
        let millis = u64::from(self.settings.no_answer_pause_millis);
        let until_us = (millis > 0).then(|| self.now_us() + millis * 1000);
        let leaves = self.state.agents.get(name).is_some_and(|a| a.then == Then::SignOut);
        if leaves {
            self.leave(name, "signed out");
        } else {
            self.set_agent(name, AgentState::Paused { reason: why.into(), until_us });
        }
    }

    /// An agent's leg is gone.
    pub(crate) fn agent_leg_ended(&mut self, name: &str, summary: &Summary) {
        let known = self.state.agents.get(name).is_some_and(|a| a.leg == Some(summary.leg));
        if !known {
            return;
        }
        self.with_agent(name, |agent| {
            agent.leg = None;
            agent.up = false;
        });
        let normal = matches!(summary.cause, Cause::NORMAL_CLEARING | Cause::NORMAL_UNSPECIFIED);
        let Some(state) = self.state.agents.get(name).map(|a| a.state.clone()) else { return };
        match state {
            AgentState::Talking { work, .. } => {
                self.work_lost(work, normal);
                self.work_over(name, work, true);
            }
            AgentState::Ringing { work: Work::Visit(call) } => {
                let why = if summary.outcome == Some(call::Outcome::Busy) {
                    "telephone busy"
                } else if summary.outcome == Some(call::Outcome::NoAnswer) || normal {
                    "no answer"
                } else {
                    "telephone not reached"
                };
                self.did_not_answer(call, name, why);
            }
            AgentState::Reserved { work } | AgentState::Ringing { work } => {
                self.work_lost(work, false);
                self.work_over(name, work, false);
            }
            AgentState::SigningIn { .. } => self.sign_in_failed(name, &summary.reason),
            _ => {}
        }
        if self.index.kind(name) == Some(AgentKind::Nailed) {
            self.nailed_leg_lost(name, normal);
        }
    }

    /// The other party of an agent whose telephone is gone: released when he hung up, kept when the line failed.
    fn work_lost(&mut self, work: Work, hung_up: bool) {
        match work {
            Work::Visit(call) if hung_up => self.let_go(call, Cause::NORMAL_CLEARING),
            Work::Visit(call) => {
                self.bring_to_front(call, false);
                if let Some(visit) = self.state.visits.get_mut(&call) {
                    visit.sound = Sound::Silence;
                }
            }
            Work::Attempt(id) => self.attempt_lost_agent(id),
        }
    }

    /// A nailed agent hung up, which is how one leaves; or his line failed, and he is called again.
    fn nailed_leg_lost(&mut self, name: &str, normal: bool) {
        match self.state.agents.get(name).map(|a| a.state.clone()) {
            Some(AgentState::Offline { .. } | AgentState::SigningIn { .. }) | None => {}
            Some(_) if normal => {
                self.set_agent(name, AgentState::Offline { reason: "telephone hung up".into() });
            }
            Some(AgentState::Paused { reason, .. }) => {
                self.with_agent(name, |agent| agent.then = Then::Pause(reason));
                self.call_again(name);
            }
            Some(_) => self.call_again(name),
        }
    }

    fn call_again(&mut self, name: &str) {
        let retry_us = Some(self.now_us() + SIGN_IN_RETRY_MICROS);
        self.set_agent(name, AgentState::SigningIn { tries: 0, retry_us });
    }

    // Talk.

    /// Two legs hear each other: caller and agent, contact and agent, or somebody and whom he was sent to.
    pub(crate) fn bridged(&mut self, a: LegId, b: LegId) {
        let (one, two) = (self.role(a), self.role(b));
        match (one, two) {
            (Some(Role::Caller(call)), Some(Role::Agent(name)))
            | (Some(Role::Agent(name)), Some(Role::Caller(call))) => {
                self.talk(Work::Visit(call), &name);
            }
            (Some(Role::Contact(id)), Some(Role::Agent(name)))
            | (Some(Role::Agent(name)), Some(Role::Contact(id))) => {
                self.talk(Work::Attempt(id), &name);
            }
            _ => {}
        }
    }

    /// `work` and the agent talk. Anything else either of them was thought to have is over.
    pub(crate) fn talk(&mut self, work: Work, name: &str) {
        let wrap_up = self.wrap_up_of(work);
        let was = self.state.agents.get(name).map(|a| a.state.clone());
        if let Some(AgentState::Talking { work: same, .. }) = was
            && same == work
        {
            return;
        }
        self.with_agent(name, |agent| {
            agent.wrap_up_millis = wrap_up;
            agent.faults = 0;
            agent.calls += 1;
            agent.up = true;
            // His word is on this call from now on.
            agent.last_work = Some(work);
        });
        self.state.last_dialled.remove(&name.to_owned());
        self.set_agent(name, AgentState::Talking { work, held: false });
        match work {
            Work::Visit(call) => {
                if let Some(leg) = self.leg_of(work) {
                    self.forget_sounds(leg);
                }
                if let Some(visit) = self.state.visits.get_mut(&call) {
                    visit.answered = true;
                    visit.front = false;
                    visit.sound = Sound::Silence;
                    visit.agent = Some(name.into());
                }
                self.set_stage(call, Stage::Talking { agent: Some(name.into()) });
            }
            Work::Attempt(id) => self.attempt_talks(id, name),
        }
        self.start_recording(work);
    }

    fn start_recording(&mut self, work: Work) {
        let named = match work {
            Work::Visit(call) => self.state.visits.get(&call).and_then(|visit| {
                let queue =
                    self.settings.queues.iter().find(|q| Some(&q.name) == visit.queue.as_ref())?;
                (queue.record && visit.recording.is_none())
                    .then(|| (visit.leg, recording_name(&queue.name, call)))
            }),
            Work::Attempt(id) => self.state.attempts.get(&id).and_then(|attempt| {
                let campaign = self
                    .settings
                    .campaigns
                    .iter()
                    .find(|c| Some(&c.name) == attempt.campaign.as_ref())?;
                (campaign.record && attempt.recording.is_none())
                    .then_some((attempt.leg?, recording_name(&campaign.name, attempt.call?)))
            }),
        };
        let Some((leg, name)) = named else { return };
        match work {
            Work::Visit(call) => {
                if let Some(visit) = self.state.visits.get_mut(&call) {
                    visit.recording = Some(name.clone());
                }
            }
            Work::Attempt(id) => {
                if let Some(attempt) = self.state.attempts.get_mut(&id) {
                    attempt.recording = Some(name.clone());
                }
            }
        }
        let purpose = Purpose::Record(leg, name.clone());
        self.ask(CallCommand::Record { leg, name, early: false }, purpose);
    }

    fn wrap_up_of(&self, work: Work) -> u32 {
        let own = match work {
            Work::Visit(call) => self.state.visits.get(&call).and_then(|visit| {
                let queues = &self.settings.queues;
                queues.iter().find(|q| Some(&q.name) == visit.queue.as_ref())?.wrap_up_millis
            }),
            Work::Attempt(id) => self.state.attempts.get(&id).and_then(|attempt| {
                let campaigns = &self.settings.campaigns;
                let name = attempt.campaign.as_ref();
                campaigns.iter().find(|c| Some(&c.name) == name)?.wrap_up_millis
            }),
        };
        own.unwrap_or(self.settings.wrap_up_millis)
    }

    /// The call an agent's work belongs to.
    pub(crate) fn call_of(&self, work: Work) -> Option<call::CallId> {
        match work {
            Work::Visit(call) => Some(call),
            Work::Attempt(id) => self.state.attempts.get(&id)?.call,
        }
    }

    pub(crate) fn held(&mut self, leg: LegId, on: bool) {
        if let Some(Role::Agent(name)) = self.role(leg)
            && let Some(AgentState::Talking { work, .. }) =
                self.state.agents.get(&name).map(|a| a.state.clone())
        {
            self.with_agent(&name, |agent| agent.state = AgentState::Talking { work, held: on });
        }
    }
}

impl Agent {
    /// An agent who is not there, unless he comes by himself.
    pub(crate) fn new(now_us: u64, settings: &AgentSettings) -> Self {
        let state = match settings.kind {
            _ if !settings.at_start => AgentState::Offline { reason: "never signed in".into() },
            AgentKind::Nailed => AgentState::SigningIn { tries: 0, retry_us: None },
            AgentKind::Rung => AgentState::Ready,
        };
        Self {
            state,
            since_us: now_us,
            idle_us: now_us,
            then: Then::GoOn,
            leg: None,
            up: false,
            dialling: false,
            consult: None,
            faults: 0,
            typed: Typed::default(),
            wrap_up_millis: 0,
            calls: 0,
            last_work: None,
        }
    }
}

pub(crate) fn wrong_state(name: &str, state: &AgentState) -> Refusal {
    let message = format!("agent {name} is {}", state.word());
    let mut refusal = Refusal::new(RefusalCode::WrongState, "agent", message);
    refusal.state = Some(state.word().into());
    refusal
}

/// The name of a recording, of letters, digits, hyphens, points and underscores only, whatever its queue or
/// campaign is called; the call makes it one of a kind.
pub(crate) fn recording_name(of: &str, call: CallId) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    let of: String = of.chars().take(RECORDING_PREFIX_MAX).map(plain).collect();
    format!("{of}-{call}")
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_recording_has_a_plain_name_whatever_its_queue_is_called() {
        let call = call::CallId::new(1, 7);
        assert_eq!(super::recording_name("sales", call), "sales-c1.7");
        assert_eq!(super::recording_name("销售 ../2", call), "______2-c1.7");
    }
}
