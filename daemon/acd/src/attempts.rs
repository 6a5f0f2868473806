//! Campaigns: lists dialled in precise mode. Every call in flight has an idle nailed agent reserved for it, so a
//! person who answers always finds one.

use call::{
    Accepted, CallCommand, CallId, Cause, Dial, Disposition, LegId, MachineMessage, Number,
    OnPerson, Otherwise, Outcome, Refusal, RefusalCode, Summary, Verdict,
};

use crate::Acd;
use crate::action::{AcdEvent, CallRecord, CallResult};
use crate::agents::recording_name;
use crate::keep;
use crate::limits::CAMPAIGN_BACKOFF_MICROS;
use crate::state::{AgentState, Attempt, Contact, ContactState, Ending, Purpose, Role, Work};

impl Acd {
    /// Dials as many contacts as there are idle agents for them; campaigns with the fewest calls first.
    pub(crate) fn dial(&mut self) {
        if !self.state.core.present {
            return;
        }
        while let Some((campaign, agent)) = self.next_to_dial() {
            let Some(line) = self.take_contact(&campaign) else {
                self.list_is_through(&campaign);
                continue;
            };
            self.dial_contact(&campaign, line, &agent);
        }
    }

    fn next_to_dial(&self) -> Option<(String, String)> {
        let ready = |name: &&str| {
            if self.index.longest_idle_for_campaign(name).is_none() {
                return false;
            }
            let Some(campaign) = self.state.campaigns.get(*name) else { return false };
            let most = self.settings.campaigns.iter().find(|c| c.name == **name);
            let below =
                most.is_some_and(|c| c.in_flight_max == 0 || campaign.in_flight < c.in_flight_max);
            let exhausted = campaign.again.is_empty() && !self.has_fresh(name, campaign.next_line);
            campaign.hold_off_us.is_none() && below && (!exhausted || campaign.in_flight == 0)
        };
        let name = self
            .index
            .running()
            .filter(ready)
            .min_by_key(|name| self.state.campaigns.get(*name).map_or(0, |c| c.in_flight))?;
        Some((name.to_owned(), self.index.longest_idle_for_campaign(name)?.to_owned()))
    }

    fn has_fresh(&self, campaign: &str, from_line: u32) -> bool {
        self.state
            .contacts
            .starting_at((campaign.to_owned(), from_line))
            .next()
            .is_some_and(|((of, _), _)| of == campaign)
    }

    /// The next line to be dialled.
    fn take_contact(&mut self, name: &str) -> Option<u32> {
        let key = name.to_owned();
        let campaign = self.state.campaigns.get_mut(&key)?;
        if let Some(line) = campaign.again.pop_front() {
            return Some(line);
        }
        let from = campaign.next_line;
        let found = self
            .state
            .contacts
            .starting_at((key.clone(), from))
            .take_while(|((of, _), _)| of == name)
            .find(|(_, contact)| contact.state == ContactState::Fresh)
            .map(|((_, line), _)| *line)?;
        self.state.campaigns.get_mut(&key)?.next_line = found + 1;
        Some(found)
    }

    /// Every contact has its result: the campaign stops by itself.
    fn list_is_through(&mut self, name: &str) {
        self.with_campaign(name, |campaign| {
            campaign.running = false;
            campaign.next_line = u32::MAX;
        });
        self.publish(AcdEvent::Campaign { campaign: name.into(), state: "done".into() });
    }

    pub(crate) fn with_campaign(
        &mut self,
        name: &str,
        change: impl FnOnce(&mut crate::state::Campaign),
    ) {
        if let Some(campaign) = self.state.campaigns.get_mut(&name.to_owned()) {
            change(campaign);
            self.index.campaign(name, campaign);
        }
    }

    fn dial_contact(&mut self, name: &str, line: u32, agent: &str) {
        let key = (name.to_owned(), line);
        let Some(settings) = self.settings.campaigns.iter().find(|c| c.name == name) else {
            return;
        };
        let (group, caller) = (settings.group.clone(), settings.caller.clone());
        let (nonce, next) = (self.state.core.nonce, self.state.core.attempt + 1);
        let keep = settings.keep_decisions.and_then(|keep| keep.draw(name, nonce, next));
        let on_person = OnPerson {
            bridge: self.state.agents.get(agent).and_then(|a| a.leg),
            within_millis: settings.judge_millis,
            machine_from_percent: settings.machine_from_percent,
            message: settings.message.as_ref().map(|prompt| MachineMessage {
                prompt: prompt.clone(),
                wait_millis: settings.message_wait_millis,
            }),
            keep,
            otherwise: Otherwise::SafeHarbour(settings.safe_harbour.clone()),
        };
        let no_answer_millis = settings.no_answer_millis;
        let Some(contact) = self.state.contacts.get_mut(&key) else { return };
        contact.state = ContactState::Dialling;
        let number = contact.number.clone();
        self.state.core.attempt += 1;
        let id = self.state.core.attempt;
        let attempt = Attempt {
            campaign: Some(name.into()),
            line,
            number: number.clone(),
            leg: None,
            call: None,
            group: group.clone(),
            channel: None,
            agent: Some(agent.into()),
            started_us: self.now_us(),
            answered_us: None,
            verdict: None,
            judged: None,
            was: None,
            talking_since_us: None,
            talked_us: 0,
            connected: false,
            recording: None,
            kept: None,
        };
        self.state.attempts.insert(id, attempt);
        self.with_campaign(name, |campaign| campaign.in_flight += 1);
        self.set_agent(agent, AgentState::Reserved { work: Work::Attempt(id) });
        let dial = Dial {
            group,
            called: Number::unknown(number),
            calling: caller.map(Number::unknown),
            name: None,
            call: None,
            diverted: None,
            no_answer_millis,
            on_person: Some(on_person),
            bridge: None,
        };
        self.ask(CallCommand::Dial(dial), Purpose::Attempt(id));
    }

    pub(crate) fn attempt_answered(&mut self, id: u64, answer: Result<Accepted, Refusal>) {
        match answer {
            Ok(Accepted { leg: Some(leg), call, .. }) => {
                self.state.legs.insert(leg, Role::Contact(id));
                let campaign = self.state.attempts.get_mut(&id).and_then(|attempt| {
                    attempt.leg = Some(leg);
                    attempt.call = call;
                    attempt.campaign.clone()
                });
                self.count_dialled(campaign.as_deref());
            }
            Ok(_) => self.not_dialled(id, Err("the call server gave no leg".into())),
            Err(refusal) => {
                // Only what is wrong with this number: a prompt the call server has not got would cost the whole list.
                let of_number = matches!(refusal.field.as_deref(), Some("called" | "calling"));
                let senseless = refusal.code == RefusalCode::BadValue && of_number
                    || refusal.code == RefusalCode::Denied;
                let why = if senseless { Err(refusal.message) } else { Ok(()) };
                self.not_dialled(id, why);
            }
        }
    }

    fn count_dialled(&mut self, campaign: Option<&str>) {
        self.state.core.counts.outbound.dialled += 1;
        self.hour().outbound.dialled += 1;
        if let Some(name) = campaign {
            self.with_campaign(name, |campaign| campaign.results.dialled += 1);
        }
    }

    /// Refused before anything was dialled: the contact comes first again, or never when it is senseless.
    fn not_dialled(&mut self, id: u64, why: Result<(), String>) {
        let Some(attempt) = self.state.attempts.remove(&id) else { return };
        let until = self.now_us() + CAMPAIGN_BACKOFF_MICROS;
        if let Some(name) = &attempt.campaign {
            let again = why.is_ok();
            if let Some(contact) = self.state.contacts.get_mut(&(name.clone(), attempt.line)) {
                contact.state = match why {
                    Ok(()) => ContactState::Fresh,
                    Err(reason) => ContactState::Refused(reason),
                };
            }
            self.with_campaign(name, |campaign| {
                campaign.in_flight = campaign.in_flight.saturating_sub(1);
                if again {
                    campaign.again.push_front(attempt.line);
                    campaign.hold_off_us = Some(until);
                } else {
                    campaign.done += 1;
                }
            });
        }
        if let Some(agent) = attempt.agent {
            self.work_over(&agent, Work::Attempt(id), false);
        }
    }

    pub(crate) fn campaign_due(&mut self, name: &str) {
        self.with_campaign(name, |campaign| campaign.hold_off_us = None);
    }

    pub(crate) fn dialling(&mut self, leg: LegId, channel: (u8, u8)) {
        if let Some(Role::Contact(id)) = self.role(leg)
            && let Some(attempt) = self.state.attempts.get_mut(&id)
        {
            attempt.channel = Some(channel);
        }
    }

    /// A call server of before does not know what keeps an answer, and refuses the whole dial: dialled is more than
    /// kept, so the same is asked without it. Whether this was done.
    pub(crate) fn dials_without_keep(&mut self, tag: u64, refusal: &Refusal) -> bool {
        let of_keep = match refusal.field.as_deref() {
            Some(field) => field.starts_with("keep"),
            None => refusal.what == "dial",
        } && refusal.code == RefusalCode::BadValue;
        let Some(pending) = self.state.pending.get(&tag).filter(|_| of_keep) else { return false };
        let (mut command, purpose) = (pending.command.clone(), pending.purpose.clone());
        let CallCommand::Dial(Dial { on_person: Some(arm), .. }) = &mut command else {
            return false;
        };
        if arm.keep.take().is_none() {
            return false;
        }
        self.drop_pending(tag);
        self.ask(command, purpose);
        true
    }

    /// Somebody has answered. What was said before was no announcement, and nobody asked whether the conversation may be
    /// recorded: the call server has thrown it away by itself, and refuses the stop. One of before has not.
    pub(crate) fn attempt_taken(&mut self, id: u64) {
        let now = self.now_us();
        let Some(attempt) = self.state.attempts.get_mut(&id) else { return };
        if attempt.answered_us.is_some() {
            return;
        }
        attempt.answered_us = Some(now);
        if let (Some(_), Some(leg)) = (attempt.recording.take(), attempt.leg) {
            self.ask(CallCommand::StopRecord { leg }, Purpose::Nothing);
        }
    }

    /// Person or machine. A machine nobody hung up on is released by us.
    pub(crate) fn attempt_judged(
        &mut self,
        id: u64,
        verdict: Verdict,
        reason: String,
        after_millis: u32,
        acted: bool,
    ) {
        let of_call = self.state.attempts.get_mut(&id);
        // Nobody who talks is let go for what is heard in a conversation.
        let Some(attempt) = of_call.filter(|attempt| !attempt.connected) else { return };
        let outcome = Outcome::of_verdict(verdict);
        attempt.verdict = Some((outcome, reason));
        attempt.judged = Some((verdict, after_millis));
        // A machine that is left a message needs no agent: the next call may have him.
        let is_left_message = acted && outcome == Outcome::Machine;
        let campaign = attempt.campaign.as_deref();
        let of = |c: &&crate::settings::CampaignSettings| Some(c.name.as_str()) == campaign;
        let has_message =
            self.settings.campaigns.iter().find(of).is_some_and(|c| c.message.is_some());
        if let Some(agent) = attempt.agent.take_if(|_| is_left_message && has_message) {
            self.work_over(&agent, Work::Attempt(id), false);
        }
        let Some(attempt) = self.state.attempts.get_mut(&id) else { return };
        if !acted
            && outcome != Outcome::Person
            && let Some(leg) = attempt.leg
        {
            self.hang_up(leg, Cause::NORMAL_CLEARING);
        }
    }

    /// Words before the answer that are no known announcement: kept where the campaign wants to make them known.
    pub(crate) fn attempt_spoken_to(&mut self, leg: LegId) {
        let Some(Role::Contact(id)) = self.role(leg) else { return };
        let Some(attempt) = self.state.attempts.get(&id) else { return };
        let of =
            |c: &&crate::settings::CampaignSettings| Some(&c.name) == attempt.campaign.as_ref();
        let wants = self.settings.campaigns.iter().find(of).is_some_and(|c| c.record_unknown);
        if let (true, None, None, Some(call)) =
            (wants, attempt.answered_us, &attempt.recording, attempt.call)
            && let Some(attempt) = self.state.attempts.get_mut(&id)
        {
            let name = recording_name("unknown", call);
            attempt.recording = Some(name.clone());
            let purpose = Purpose::Record(leg, name.clone());
            self.ask(CallCommand::Record { leg, name, early: true }, purpose);
        }
    }

    /// A recording that was asked for is not there: it was refused, could not be written, or nobody wants it.
    pub(crate) fn recording_lost(&mut self, leg: LegId, name: &str) {
        let recording = match self.role(leg) {
            Some(Role::Contact(id)) => self.state.attempts.get_mut(&id).map(|a| &mut a.recording),
            Some(Role::Caller(call)) => self.state.visits.get_mut(&call).map(|v| &mut v.recording),
            Some(Role::Agent(_) | Role::Target(_)) | None => None,
        };
        if let Some(recording) = recording {
            recording.take_if(|known| known == name);
        }
    }

    /// What the call server has kept of the answer is complete.
    pub(crate) fn attempt_kept(&mut self, leg: LegId, name: String) {
        let Some(Role::Contact(id)) = self.role(leg) else { return };
        if let Some(attempt) = self.state.attempts.get_mut(&id)
            && let (Some(campaign), Some(call)) = (&attempt.campaign, attempt.call)
            && keep::is_of(&name, campaign, call)
        {
            attempt.kept = Some(name);
        }
    }

    /// Who was taken for one is another. A machine that talks back is a person.
    pub(crate) fn attempt_judged_anew(&mut self, id: u64, verdict: Verdict, reason: String) {
        let outcome = Outcome::of_verdict(verdict);
        if let Some(attempt) = self.state.attempts.get_mut(&id) {
            attempt.verdict = Some((outcome, reason));
        }
        if outcome == Outcome::Person {
            self.find_another(id);
        }
    }

    /// A person whose agent has gone on to the next call, because he was taken for a machine: an idle one gets him. No
    /// other call is short of an agent for it, since each in flight has its own. With none the call server does for
    /// the person what was armed.
    fn find_another(&mut self, id: u64) {
        let Some(attempt) = self.state.attempts.get(&id) else { return };
        let (None, false, Some(leg)) = (&attempt.agent, attempt.connected, attempt.leg) else {
            return;
        };
        let Some(campaign) = attempt.campaign.as_deref() else { return };
        let Some(agent) = self.index.longest_idle_for_campaign(campaign).map(str::to_owned) else {
            return;
        };
        let Some(to) = self.state.agents.get(&agent).and_then(|a| a.leg) else { return };
        if let Some(attempt) = self.state.attempts.get_mut(&id) {
            attempt.agent = Some(agent.clone());
        }
        self.set_agent(&agent, AgentState::Reserved { work: Work::Attempt(id) });
        self.ask(CallCommand::Bridge { a: leg, b: to, beep: true }, Purpose::Nothing);
    }

    pub(crate) fn attempt_talks(&mut self, id: u64, name: &str) {
        let now = self.now_us();
        self.attempt_taken(id);
        if let Some(attempt) = self.state.attempts.get_mut(&id) {
            attempt.connected = true;
            attempt.agent = Some(name.into());
            attempt.talking_since_us.get_or_insert(now);
        }
    }

    /// The person talks to somebody else now.
    pub(crate) fn attempt_sent_on(&mut self, id: u64) {
        let now = self.now_us();
        if let Some(attempt) = self.state.attempts.get_mut(&id)
            && let Some(since) = attempt.talking_since_us.take()
        {
            attempt.talked_us += now.saturating_sub(since);
        }
    }

    /// The agent reserved for, or talking in, a dialled call is gone. Unanswered, media's safe harbour takes a
    /// person; one who was talking is released.
    pub(crate) fn attempt_lost_agent(&mut self, id: u64) {
        self.attempt_sent_on(id);
        let Some(attempt) = self.state.attempts.get(&id) else { return };
        if let (true, Some(leg)) = (attempt.connected, attempt.leg) {
            self.hang_up(leg, Cause::NORMAL_CLEARING);
        }
    }

    pub(crate) fn attempt_ended(&mut self, id: u64, summary: &Summary) {
        if let Some(attempt) = self.state.attempts.get_mut(&id) {
            attempt.channel = attempt.channel.or(summary.channel);
        }
        let ending = Ending {
            cause: summary.cause,
            location: summary.location,
            by_us: summary.cleared_by_us,
            outcome: summary.outcome,
            reason: summary.reason.clone(),
        };
        self.close_attempt(id, &ending);
    }

    /// A dialled call is over: one word for it, with its reason.
    pub(crate) fn close_attempt(&mut self, id: u64, ending: &Ending) {
        self.drop_targets(Work::Attempt(id));
        self.attempt_sent_on(id);
        if let Some(agent) = self.state.attempts.get(&id).and_then(|a| a.agent.clone()) {
            let talked = self.state.attempts.get(&id).is_some_and(|a| a.connected);
            self.work_over(&agent, Work::Attempt(id), talked);
        }
        let Some(attempt) = self.state.attempts.remove(&id) else { return };
        if let Some(leg) = attempt.leg {
            self.state.legs.remove(&leg);
        }
        let (outcome, reason) = word_for(&attempt, ending);
        let abandoned = outcome == Outcome::Person && !attempt.connected;
        let count = |results: &mut crate::Outbound| {
            results.end(outcome);
            results.abandoned += u64::from(abandoned);
        };
        count(&mut self.state.core.counts.outbound);
        count(&mut self.hour().outbound);
        if let Some(name) = &attempt.campaign {
            if let Some(contact) = self.state.contacts.get_mut(&(name.clone(), attempt.line)) {
                contact.state = ContactState::Done(outcome, reason.clone());
            }
            self.with_campaign(name, |campaign| {
                campaign.in_flight = campaign.in_flight.saturating_sub(1);
                campaign.done += 1;
                count(&mut campaign.results);
            });
        }
        self.publish(AcdEvent::Result {
            campaign: attempt.campaign.clone(),
            number: attempt.number.clone(),
            outcome,
            reason: reason.clone(),
        });
        let now = self.now_us();
        let had = attempt.agent.clone().filter(|_| attempt.connected);
        let record = CallRecord {
            call: attempt.call.unwrap_or(CallId::new(self.state.core.instance.unwrap_or(0), 0)),
            inbound: false,
            group: attempt.group,
            channel: attempt.channel,
            called: attempt.number,
            calling: String::new(),
            calling_restricted: false,
            name: None,
            diverted: None,
            started_utc_us: self.utc_us(attempt.started_us),
            ended_utc_us: self.utc_us(now),
            waited_millis: 0,
            talked_millis: attempt.talked_us / 1000,
            queue: None,
            line: attempt.campaign.is_some().then_some(attempt.line),
            campaign: attempt.campaign,
            agent: attempt.agent.filter(|_| attempt.connected),
            recording: attempt.recording,
            result: CallResult::Dialled(outcome),
            reason,
            cause: ending.cause,
            location: ending.location,
            cleared_by_us: ending.by_us,
            judged: attempt.judged,
            was: attempt.was,
            kept: attempt.kept,
        };
        if let Some(agent) = had {
            // A call that he sent on may end after one he had later.
            let later = |last: &CallRecord| last.started_utc_us > record.started_utc_us;
            let had_last = self.state.agents.get(&agent).and_then(|a| a.last_work);
            if had_last == Some(Work::Attempt(id))
                && !self.state.last_dialled.get(&agent).is_some_and(later)
            {
                self.state.last_dialled.insert(agent, record.clone());
            }
        }
        self.record(record);
    }

    /// A dialled call that came and went while nobody watched.
    pub(crate) fn stranger_dialled(&mut self, summary: &Summary) {
        self.count_dialled(None);
        self.state.core.attempt += 1;
        let id = self.state.core.attempt;
        let now = self.now_us();
        let lasted_us = summary.ended_us.saturating_sub(summary.started_us);
        self.state.attempts.insert(
            id,
            Attempt {
                campaign: None,
                line: 0,
                number: summary.called.digits.clone(),
                leg: None,
                call: Some(summary.call),
                group: summary.group.clone(),
                channel: summary.channel,
                agent: None,
                started_us: now.saturating_sub(lasted_us),
                answered_us: (summary.disposition == Disposition::Answered).then_some(now),
                verdict: None,
                judged: None,
                was: None,
                talking_since_us: None,
                talked_us: 0,
                connected: false,
                recording: None,
                kept: None,
            },
        );
        self.attempt_ended(id, summary);
    }

    /// A dialled call found in the call server that no list of ours remembers.
    pub(crate) fn adopt_attempt(&mut self, leg: &call::LegNow) -> u64 {
        self.count_dialled(None);
        self.state.core.attempt += 1;
        let id = self.state.core.attempt;
        self.state.legs.insert(leg.leg, Role::Contact(id));
        self.state.attempts.insert(
            id,
            Attempt {
                campaign: None,
                line: 0,
                number: leg.called.digits.clone(),
                leg: Some(leg.leg),
                call: Some(leg.call),
                group: leg.group.clone(),
                channel: leg.channel,
                agent: None,
                started_us: self.now_us(),
                answered_us: leg.answered_us.map(|_| self.now_us()),
                verdict: None,
                judged: None,
                was: None,
                talking_since_us: None,
                talked_us: 0,
                connected: false,
                recording: None,
                kept: None,
            },
        );
        id
    }

    /// Puts rows into a campaign in the place of what was there.
    pub(crate) fn fill_list(&mut self, name: &str, rows: Vec<crate::list::Row>) {
        let old: Vec<_> = self
            .state
            .contacts
            .starting_at((name.to_owned(), 0))
            .take_while(|((of, _), _)| of == name)
            .map(|(key, _)| key.clone())
            .collect();
        for key in old {
            self.state.contacts.remove(&key);
        }
        let count = u32::try_from(rows.len()).unwrap_or(u32::MAX);
        for row in rows {
            let contact = Contact { number: row.number, state: ContactState::Fresh };
            self.state.contacts.insert((name.to_owned(), row.line), contact);
        }
        self.with_campaign(name, |campaign| {
            *campaign = crate::state::Campaign { contacts: count, ..Default::default() };
        });
    }
}

/// The word for a dialled call: what media says, else what was heard, else that an agent had it, else the cause.
fn word_for(attempt: &Attempt, ending: &Ending) -> (Outcome, String) {
    if attempt.connected {
        let why = attempt.verdict.as_ref().map(|(_, why)| why.clone());
        return (Outcome::Person, why.unwrap_or_else(|| ending.reason.clone()));
    }
    if let Some(outcome) = ending.outcome {
        return (outcome, ending.reason.clone());
    }
    if let Some((outcome, reason)) = &attempt.verdict {
        return (*outcome, reason.clone());
    }
    if attempt.answered_us.is_some() {
        return (Outcome::Other, format!("answered and not judged: {}", ending.reason));
    }
    // A call that we cut says nothing of the network, whatever cause stands for it.
    if ending.by_us {
        return (Outcome::Other, ending.reason.clone());
    }
    let outcome = Outcome::of_cause(ending.cause).unwrap_or(Outcome::Other);
    (outcome, format!("cause {}", ending.cause))
}
