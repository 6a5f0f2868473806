//! Person or machine, after the answer: waiting for the ear's verdict, and acting on it at once when armed.

use call::{Accepted, CallEvent, Cause, LegId, OnPerson, OperationId, Otherwise, Refusal, Verdict};
use dsp::ears::{Answerer, Fax, Listen};
use tdm::SampleTime;

use crate::leg::{Judgement, Purpose, State};
use crate::machine::{LegTimer, Media, OperationKind, Timer, wrong_state};
use crate::outcome::Note;

impl Media {
    pub(crate) fn judge(&mut self, id: LegId, within_millis: u32) -> Result<Accepted, Refusal> {
        let leg = self.live(id)?;
        if leg.state != State::Answered {
            let state = crate::leg::state_name(leg.state);
            return Err(wrong_state("leg", state, format!("leg {id} is not answered")));
        }
        if leg.judgement.is_some() {
            return Err(wrong_state("leg", "judging", format!("leg {id} is being judged")));
        }
        self.timer_value("within_millis", within_millis)?;
        let operation = self.begin_operation(id, OperationKind::Judge);
        self.begin_judgement(id, None, Some(operation), within_millis);
        Ok(Accepted { operation: Some(operation), ..Accepted::default() })
    }

    pub(crate) fn begin_judgement(
        &mut self,
        id: LegId,
        arm: Option<OnPerson>,
        operation: Option<OperationId>,
        within_millis: u32,
    ) {
        let since = self.now;
        let Some(leg) = self.legs.get_mut(&id) else { return };
        leg.judgement = Some(Judgement { since, arm, operation, within_millis });
        let listen = Listen { dtmf: true, answer: true, fax: true, ..Listen::default() };
        self.listen(id, listen);
        self.set_timer(Timer::Leg(id, LegTimer::Judge), within_millis);
    }

    /// The ear's final word.
    pub(crate) fn judged(&mut self, id: LegId, who: Answerer, score: f32, at: SampleTime) {
        let verdict = match who {
            Answerer::Human => Verdict::Human,
            Answerer::Machine => Verdict::Machine,
            Answerer::NotSure => Verdict::NotSure,
            Answerer::Fax => Verdict::Fax,
            Answerer::Silence => Verdict::Silence,
        };
        let words = match verdict {
            Verdict::Human => "a short greeting",
            Verdict::Machine => "a recording",
            Verdict::NotSure => "neither clear",
            Verdict::Fax => "a fax",
            Verdict::Silence => "nothing heard",
        };
        let reason = format!("{words}, evidence for a machine {score:.2}");
        self.verdict(id, verdict, reason, Some(at));
    }

    /// The called end of a fax says enough. A calling tone alone does not: people's lines carry it, too.
    pub(crate) fn fax_judged(&mut self, id: LegId, fax: Fax) {
        if matches!(fax, Fax::Ced | Fax::Preamble) {
            self.verdict(id, Verdict::Fax, String::from("fax tone"), None);
        }
    }

    pub(crate) fn judge_timed_out(&mut self, id: LegId) {
        let Some(judgement) = self.legs.get(&id).and_then(|leg| leg.judgement.as_ref()) else {
            return;
        };
        let reason = format!("no verdict within {} ms", judgement.within_millis);
        self.verdict(id, Verdict::NotSure, reason, None);
    }

    /// Abandons a judgement without a verdict.
    pub(crate) fn drop_judgement(&mut self, id: LegId, why: &str) {
        let Some(judgement) = self.take_judgement(id) else { return };
        if let Some(operation) = judgement.operation {
            self.end_operation(operation);
            self.event(CallEvent::Failed { operation, what: String::from(why) });
        }
    }

    fn take_judgement(&mut self, id: LegId) -> Option<Judgement> {
        let leg = self.legs.get_mut(&id)?;
        let judgement = leg.judgement.take()?;
        let answered = leg.state == State::Answered;
        self.timers.cancel(Timer::Leg(id, LegTimer::Judge));
        if answered {
            self.listen(id, Listen { dtmf: true, ..Listen::default() });
        }
        Some(judgement)
    }

    /// Reports a verdict and does what was armed for it, all in the same block.
    fn verdict(&mut self, id: LegId, verdict: Verdict, reason: String, at: Option<SampleTime>) {
        let Some(judgement) = self.take_judgement(id) else { return };
        let after = self.now.millis_since(judgement.since);
        if let Some(leg) = self.legs.get_mut(&id) {
            leg.verdict = Some((verdict, reason.clone()));
        }
        if let Some(operation) = judgement.operation {
            self.end_operation(operation);
        }
        let event = CallEvent::Verdict {
            leg: id,
            verdict,
            reason,
            after_millis: u32::try_from(after).unwrap_or(u32::MAX),
            acted: judgement.arm.is_some(),
        };
        match at {
            Some(at) => self.event_at(event, at),
            None => self.event(event),
        }
        let Some(arm) = judgement.arm else { return self.answered_alone(id) };
        match verdict {
            Verdict::Human | Verdict::NotSure => self.give_person(id, arm),
            Verdict::Machine | Verdict::Fax | Verdict::Silence => {
                self.clear(id, Cause::NORMAL_CLEARING, Note::Verdict);
            }
        }
    }

    /// A person is there: to the waiting leg, or what else was armed.
    fn give_person(&mut self, person: LegId, arm: OnPerson) {
        let agent = arm.bridge.filter(|&agent| agent != person && self.free_leg(agent).is_ok());
        if let (Some(agent), Ok(())) = (agent, self.free_leg(person)) {
            return self.join(person, agent, true);
        }
        match arm.otherwise {
            Otherwise::SafeHarbour(prompt) => self.safe_harbour(person, Some(&prompt)),
            Otherwise::Hangup => self.clear(person, Cause::NORMAL_CLEARING, Note::Verdict),
        }
    }

    /// The prompt for a person nobody talks to, then release.
    pub(crate) fn safe_harbour(&mut self, id: LegId, prompt: Option<&str>) {
        let score = match prompt {
            Some(prompt) => self.names.once(prompt),
            None => self.names.safe_harbour(),
        };
        self.timers.cancel(Timer::Leg(id, LegTimer::SafeHarbour));
        match score {
            Some(score) => self.start_play(id, Purpose::SafeHarbour, score),
            None => self.safe_harbour_played(id),
        }
    }

    pub(crate) fn safe_harbour_played(&mut self, id: LegId) {
        self.clear(id, Cause::NORMAL_CLEARING, Note::SafeHarbour);
    }
}
