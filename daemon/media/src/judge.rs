//! Person or machine, after the answer: waiting for the ear's verdict, and acting on it at once when armed.

use std::collections::BTreeMap;

use call::{Accepted, CallEvent, Cause, LegId, OnPerson, OperationId, Otherwise, Refusal, Verdict};
use dsp::answer::rhythm::{FEATURES, NAMES};
use dsp::ears::{Answerer, Fax, Heard, Listen};
use tdm::SampleTime;

use crate::leg::{Judgement, Purpose, State, Watch};
use crate::machine::{LegTimer, Media, OperationKind, Timer, wrong_state};
use crate::outcome::Note;

/// After a verdict nobody acts on, who answered is listened to for so long.
const WATCH_MILLIS: u32 = 30_000;
/// So long somebody who was taken for a machine waits for an agent. The ear knows 0.7 to 1.4 s after his words that it
/// was wrong, and nobody is to be left in silence for more than two seconds.
const ANOTHER_AGENT_MILLIS: u32 = 500;

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
        let machine_from_percent =
            arm.as_ref().and_then(|arm| arm.machine_from_percent).unwrap_or_default();
        let features = BTreeMap::new();
        leg.judgement = Some(Judgement { since, arm, operation, within_millis, features });
        leg.watch = None;
        let listen = Listen {
            dtmf: true,
            answer: true,
            fax: true,
            prints: true,
            machine_from_percent,
            ..Listen::default()
        };
        if leg.listen.answer {
            // Whoever was listened to until now is judged anew.
            self.listen(id, Listen { answer: false, ..listen });
        }
        self.listen(id, listen);
        self.set_timer(Timer::Leg(id, LegTimer::Judge), within_millis);
    }

    /// The ear's final word.
    pub(crate) fn judged(&mut self, id: LegId, who: Answerer, score: f32, at: SampleTime) {
        let verdict = verdict_of(who);
        // Time was up before, and somebody was told so.
        if self.legs.get(&id).is_some_and(|leg| leg.judgement.is_none() && leg.watch.is_some()) {
            return self.revised(id, who, score, at);
        }
        let words = match verdict {
            Verdict::Human => "a short greeting",
            Verdict::Machine => "a recording",
            Verdict::NotSure => "neither clear",
            Verdict::Fax => "a fax",
            Verdict::Silence => "nothing heard",
        };
        let reason = match self.recognised(id, verdict) {
            Some(known) => known,
            None => format!("{words}, evidence for a machine {score:.2}"),
        };
        self.verdict(id, verdict, reason, Some(at));
    }

    /// Which known words make a verdict a machine's, if they do.
    fn recognised(&mut self, id: LegId, verdict: Verdict) -> Option<String> {
        let known = self.legs.get_mut(&id)?.recognised.take()?;
        (verdict == Verdict::Machine).then_some(known)
    }

    /// What the verdict tends to while it is open.
    pub(crate) fn leans(&mut self, id: LegId, machine: f32, at: SampleTime) {
        let Some(judgement) = self.legs.get(&id).and_then(|leg| leg.judgement.as_ref()) else {
            return;
        };
        let after = self.now.millis_since(judgement.since);
        let after_millis = u32::try_from(after).unwrap_or(u32::MAX);
        // A probability: it fits.
        let machine_thousandths = (machine.clamp(0.0, 1.0) * 1000.0).round() as u16;
        self.event_at(CallEvent::Leaning { leg: id, machine_thousandths, after_millis }, at);
    }

    /// What the next verdict, or its change, goes by.
    pub(crate) fn reason_heard(&mut self, id: LegId, features: &[f32; FEATURES]) {
        let judgement = self.legs.get_mut(&id).and_then(|leg| leg.judgement.as_mut());
        let Some(judgement) = judgement else { return };
        judgement.features = named(features);
    }

    /// The ear has changed its mind after its final word.
    pub(crate) fn revised(&mut self, id: LegId, who: Answerer, score: f32, at: SampleTime) {
        let verdict = verdict_of(who);
        let known = self.recognised(id, verdict);
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let Some(watch) = &leg.watch else { return };
        let is_person = matches!(verdict, Verdict::Human | Verdict::NotSure);
        let message = watch.message.clone();
        let before = leg.verdict.as_ref().map_or("", |(_, reason)| reason.as_str());
        let now = known.unwrap_or_else(|| format!("evidence for a machine {score:.2}"));
        let reason = format!("{before}; then otherwise, {now}");
        leg.verdict = Some((verdict, reason.clone()));
        self.event_at(CallEvent::VerdictRevised { leg: id, verdict, reason }, at);
        match message {
            Some(_) if is_person => self.talks_back(id),
            Some(_) if verdict == Verdict::Fax => {
                self.clear(id, Cause::NORMAL_CLEARING, Note::Verdict);
            }
            _ => {}
        }
    }

    /// A machine's beep has ended.
    pub(crate) fn speak_now(&mut self, id: LegId, hz: u16, at: SampleTime) {
        let Some(watch) = self.legs.get(&id).and_then(|leg| leg.watch.clone()) else { return };
        let acted = watch.message.is_some() && !watch.is_leaving;
        self.event_at(CallEvent::SpeakNow { leg: id, hz, acted }, at);
        let Some((prompt, _)) = watch.message.filter(|_| acted) else { return };
        // It is listened to on: somebody may pick up while the message is left.
        self.timers.cancel(Timer::Leg(id, LegTimer::Judge));
        if let Some(watch) = self.legs.get_mut(&id).and_then(|leg| leg.watch.as_mut()) {
            watch.is_leaving = true;
        }
        match self.names.once(&prompt) {
            Some(score) => self.start_play(id, Purpose::Message, score),
            None => self.clear(id, Cause::NORMAL_CLEARING, Note::Verdict),
        }
    }

    /// A machine that was to be left a message is a person. The agent who was meant for him is free since the first
    /// word: the controller may have another for him, now; else he hears what was armed for who finds nobody.
    fn talks_back(&mut self, id: LegId) {
        self.end_watch(id);
        self.stop_play(id);
        if self.lease.present {
            self.set_timer(Timer::Leg(id, LegTimer::TalksBack), ANOTHER_AGENT_MILLIS);
        } else {
            self.nobody_came(id);
        }
    }

    /// No agent has come for a person.
    pub(crate) fn nobody_came(&mut self, id: LegId) {
        let Some(leg) = self.legs.get(&id).filter(|leg| leg.is_free()) else { return };
        let armed = leg.dialled.on_person.as_ref();
        if let Some(otherwise) = armed.map(|arm| arm.otherwise.clone()) {
            self.nobody_for(id, otherwise);
        }
    }

    /// The message was played to its end.
    pub(crate) fn message_left(&mut self, id: LegId) {
        if let Some((_, reason)) = self.legs.get_mut(&id).and_then(|leg| leg.verdict.as_mut()) {
            reason.push_str(", message left");
        }
        self.clear(id, Cause::NORMAL_CLEARING, Note::MessageLeft);
    }

    fn begin_watch(&mut self, id: LegId, watch: Watch, millis: u32) {
        if let Some(leg) = self.legs.get_mut(&id) {
            leg.watch = Some(watch);
            self.set_timer(Timer::Leg(id, LegTimer::Judge), millis);
        }
    }

    /// Nobody listens for who it is any more.
    pub(crate) fn end_watch(&mut self, id: LegId) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        if leg.watch.take().is_some() {
            self.timers.cancel(Timer::Leg(id, LegTimer::Judge));
            self.listen(id, Listen { dtmf: true, ..Listen::default() });
        }
    }

    /// The called end of a fax says enough. A calling tone alone does not: people's lines carry it, too.
    pub(crate) fn fax_judged(&mut self, id: LegId, fax: Fax) {
        if matches!(fax, Fax::Ced | Fax::Preamble) {
            self.verdict(id, Verdict::Fax, String::from("fax tone"), None);
        }
    }

    pub(crate) fn judge_timed_out(&mut self, id: LegId) {
        if let Some(watch) = self.legs.get(&id).and_then(|leg| leg.watch.clone()) {
            self.end_watch(id);
            if watch.message.is_some() {
                self.clear(id, Cause::NORMAL_CLEARING, Note::NoBeep);
            }
            return;
        }
        let Some(judgement) = self.legs.get(&id).and_then(|leg| leg.judgement.as_ref()) else {
            return;
        };
        let reason = format!("no verdict within {} ms", judgement.within_millis);
        self.verdict(id, Verdict::NotSure, reason, None);
    }

    /// Abandons a judgement without a verdict.
    pub(crate) fn drop_judgement(&mut self, id: LegId, why: &str) {
        let Some(judgement) = self.take_judgement(id, false) else { return };
        match judgement.operation {
            Some(operation) => {
                self.end_operation(operation);
                self.event(CallEvent::Failed { operation, what: String::from(why) });
            }
            None if judgement.arm.is_some() => {
                if let Some(leg) = self.legs.get_mut(&id).filter(|leg| leg.state == State::Ending) {
                    leg.unjudged = Some(judgement);
                }
            }
            None => {}
        }
    }

    /// What the ear makes of a call that ended before the verdict. Nothing follows from it, and it says nothing of what
    /// became of the call.
    pub(crate) fn judged_at_the_end(&mut self, id: LegId, heard: Heard, at: SampleTime) {
        match heard {
            Heard::AnswerReason(features) => {
                let unjudged = self.legs.get_mut(&id).and_then(|leg| leg.unjudged.as_mut());
                if let Some(judgement) = unjudged {
                    judgement.features = named(&features);
                }
            }
            Heard::Answer { who, score } => {
                let unjudged = self.legs.get_mut(&id).and_then(|leg| leg.unjudged.take());
                let Some(judgement) = unjudged else { return };
                let after = self.now.millis_since(judgement.since);
                let event = CallEvent::Verdict {
                    leg: id,
                    verdict: verdict_of(who),
                    reason: format!("when the call ended, evidence for a machine {score:.2}"),
                    after_millis: u32::try_from(after).unwrap_or(u32::MAX),
                    acted: true,
                    features: judgement.features,
                };
                self.event_at(event, at);
            }
            _ => {}
        }
    }

    fn take_judgement(&mut self, id: LegId, goes_on: bool) -> Option<Judgement> {
        let leg = self.legs.get_mut(&id)?;
        let judgement = leg.judgement.take()?;
        let answered = leg.state == State::Answered;
        self.timers.cancel(Timer::Leg(id, LegTimer::Judge));
        if answered && !goes_on {
            self.listen(id, Listen { dtmf: true, ..Listen::default() });
        }
        Some(judgement)
    }

    /// Reports a verdict and does what was armed for it, all in the same block.
    fn verdict(&mut self, id: LegId, verdict: Verdict, reason: String, at: Option<SampleTime>) {
        let arm = self.legs.get(&id).and_then(|leg| leg.judgement.as_ref()?.arm.as_ref());
        let is_machine = verdict == Verdict::Machine;
        let message = arm.filter(|_| is_machine).and_then(|arm| arm.message.clone());
        // Whoever acts on the verdict by himself may want to know what comes of it.
        let goes_on = arm.is_none() || message.is_some();
        let Some(judgement) = self.take_judgement(id, goes_on) else { return };
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
            features: judgement.features,
        };
        match at {
            Some(at) => self.event_at(event, at),
            None => self.event(event),
        }
        let Some(arm) = judgement.arm else {
            self.begin_watch(id, Watch { message: None, is_leaving: false }, WATCH_MILLIS);
            return self.answered_alone(id);
        };
        if let Some(message) = message {
            let message_of = Some((message.prompt, arm.otherwise));
            let watch = Watch { message: message_of, is_leaving: false };
            return self.begin_watch(id, watch, message.wait_millis);
        }
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
        self.nobody_for(person, arm.otherwise);
    }

    fn nobody_for(&mut self, person: LegId, otherwise: Otherwise) {
        match otherwise {
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

/// Features by name, in thousandths.
fn named(features: &[f32; FEATURES]) -> BTreeMap<String, i64> {
    let thousandths = |x: &f32| (f64::from(*x) * 1000.0).round() as i64;
    let named = NAMES.iter().zip(features);
    named.map(|(name, x)| (String::from(*name), thousandths(x))).collect()
}

const fn verdict_of(who: Answerer) -> Verdict {
    match who {
        Answerer::Human => Verdict::Human,
        Answerer::Machine => Verdict::Machine,
        Answerer::NotSure => Verdict::NotSure,
        Answerer::Fax => Verdict::Fax,
        Answerer::Silence => Verdict::Silence,
    }
}
