//! The machine: takes an input, hands it to the part that knows, sets what follows, says when it wants to wake.

use call::{
    Accepted, CallCommand, CallEvent, Cause, LegId, Refusal, RefusalCode, Summary, ToneClass,
};
use tdm::{Instant, Rng};

use crate::action::{AcdEvent, Action, CallRecord};
use crate::index::{Index, Timer};
use crate::input::Input;
use crate::limits::{BUSY_RETRY_MICROS, BUSY_TRIES_MAX, HOURS_MAX};
use crate::losses::HourCounts;
use crate::settings::{Problem, Settings};
use crate::state::{Core, Patch, Pending, Purpose, Role, State};

/// A call centre. One input at a time, its actions in order.
#[derive(Clone, Debug)]
pub struct Acd {
    pub(crate) settings: Settings,
    pub(crate) state: State,
    pub(crate) index: Index,
    core_before: Core,
    out: Vec<Action>,
    woken: Option<u64>,
}

impl Acd {
    /// A call centre nobody has called yet. `seed` makes the keys of its commands differ from those of other lives.
    ///
    /// # Errors
    /// Everything in `settings` that does not hang together.
    pub fn new(settings: Settings, seed: u64) -> Result<Self, Vec<Problem>> {
        let mut state = State::default();
        state.core.nonce = Rng::from_seed(seed).next_u64();
        Self::restore(settings, state)
    }

    /// A call centre that goes on from `state`, with settings that may have changed: agents and campaigns that are
    /// no longer configured are gone, new ones are there.
    ///
    /// # Errors
    /// Everything in `settings` that does not hang together.
    pub fn restore(settings: Settings, state: State) -> Result<Self, Vec<Problem>> {
        let problems = settings.problems();
        if !problems.is_empty() {
            return Err(problems);
        }
        let index = Index::of(&settings, &state);
        let core_before = state.core.clone();
        let mut acd = Self { settings, state, index, core_before, out: Vec::new(), woken: None };
        acd.fit_to_settings();
        Ok(acd)
    }

    /// Takes one input at `now` and says what to do. Time never runs back: an earlier `now` counts as the latest.
    pub fn step(&mut self, now: Instant, input: Input) -> Vec<Action> {
        self.state.core.now_us = self.state.core.now_us.max(now.as_micros());
        match input {
            Input::Media(event) => self.media(event),
            Input::MediaSnapshot(instance, items) => self.reconcile(instance, items),
            Input::MediaResumed => self.resumed(),
            Input::MediaGone => self.set_present(false),
            Input::Answered { tag, answer } => self.answered(tag, answer),
            Input::Api { request, ask } => self.api(request, ask),
            Input::Elapsed => {}
        }
        self.offer();
        while let Some(timer) = self.index.take_due(self.state.core.now_us) {
            match timer {
                Timer::Agent(name) => self.agent_due(&name),
                Timer::Visit(call) => self.visit_due(call),
                Timer::Campaign(name) => self.campaign_due(&name),
                Timer::Pending(tag) => self.send_again(tag),
            }
        }
        self.offer();
        self.dial();
        let next = self.index.next_due();
        if next != self.woken
            && let Some(at) = next
        {
            self.out.push(Action::WakeAt(Instant::micros(at)));
        }
        self.woken = next;
        core::mem::take(&mut self.out)
    }

    /// What the steps since the last time changed. The journal keeps it beside input and actions.
    pub fn take_patch(&mut self) -> Patch {
        let patch = self.state.take_patch(&self.core_before);
        self.core_before = self.state.core.clone();
        patch
    }

    /// Makes the changes another life decided; decides nothing.
    pub fn apply(&mut self, patch: Patch) {
        self.state.apply(patch);
        self.core_before = self.state.core.clone();
        self.woken = None;
    }

    /// To be called after the last [`Acd::apply`]: orders what follows from the state.
    pub fn recovered(&mut self) {
        self.index = Index::of(&self.settings, &self.state);
        self.fit_to_settings();
    }

    /// Everything remembered, for a snapshot.
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// The settings it works by.
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The key under which the command of `tag` is sent: the same for every repetition, in every life.
    pub fn key(&self, tag: u64) -> String {
        format!("{:016x}-{tag}", self.state.core.nonce)
    }

    /// The latest moment seen.
    pub const fn now(&self) -> Instant {
        Instant::micros(self.state.core.now_us)
    }

    /// When [`Input::Elapsed`] is wanted next.
    pub fn next_due(&self) -> Option<Instant> {
        self.index.next_due().map(Instant::micros)
    }

    fn media(&mut self, event: CallEvent) {
        match event {
            CallEvent::Incoming { leg, call, group, channel, called, calling, name, diverted } => {
                self.incoming(call, leg, group, Some(channel), called, calling);
                self.brought(call, name, diverted);
            }
            CallEvent::Named { leg, name } => self.named(leg, name),
            CallEvent::Refused { call, group, called, calling, cause } => {
                self.refused(call, &group, &called, calling.as_ref(), cause);
            }
            CallEvent::Dialling { leg, channel, .. } | CallEvent::Moved { leg, channel, .. } => {
                self.dialling(leg, channel);
            }
            CallEvent::Answered { leg } => self.leg_answered(leg),
            CallEvent::Verdict { leg, verdict, reason, after_millis, acted, .. } => {
                if let Some(Role::Contact(id)) = self.role(leg) {
                    self.attempt_judged(id, verdict, reason, after_millis, acted);
                }
            }
            CallEvent::VerdictRevised { leg, verdict, reason } => {
                if let Some(Role::Contact(id)) = self.role(leg) {
                    self.attempt_judged_anew(id, verdict, reason);
                }
            }
            CallEvent::Dtmf { leg, digit } => self.dtmf(leg, digit),
            CallEvent::PlayEnded { operation, leg, why } => self.play_ended(operation, leg, why),
            CallEvent::Collected { operation, leg, digits, .. } => {
                self.collected(operation, leg, digits.as_deref());
            }
            CallEvent::Bridged { a, b } => self.bridged(a, b),
            CallEvent::Held { leg, on } => self.held(leg, on),
            CallEvent::Transferred { operation, to, .. } => self.transferred(operation, to),
            CallEvent::Failed { operation, .. } => self.transferred(operation, None),
            CallEvent::FellBack { leg } => self.fell_back(leg),
            CallEvent::Ended(summary) => self.leg_ended(&summary),
            CallEvent::Time { utc_offset_us } => self.state.core.utc_offset_us = utc_offset_us,
            CallEvent::Tone {
                leg,
                class: ToneClass::Announcement | ToneClass::Talk,
                answered: false,
                ..
            } => self.attempt_spoken_to(leg),
            CallEvent::Recorded { leg, name, dropped: true, .. } => {
                self.recording_lost(leg, &name);
            }
            CallEvent::Recorded { leg, name, dropped: false, .. } => self.attempt_kept(leg, name),
            CallEvent::Tone { .. }
            | CallEvent::Progressed { .. }
            | CallEvent::Announced { .. }
            | CallEvent::SpeakNow { .. }
            | CallEvent::Leaning { .. }
            | CallEvent::Unbridged { .. }
            | CallEvent::Disconnecting { .. }
            | CallEvent::Channel { .. }
            | CallEvent::Alarm { .. }
            | CallEvent::Link { .. }
            | CallEvent::Drained { .. } => {}
        }
    }

    fn leg_answered(&mut self, leg: LegId) {
        match self.role(leg) {
            Some(Role::Caller(call)) => self.caller_answered(call),
            Some(Role::Agent(name)) => self.agent_answered(&name),
            Some(Role::Contact(id)) => self.attempt_taken(id),
            Some(Role::Target(_)) | None => {}
        }
    }

    pub(crate) fn leg_ended(&mut self, summary: &Summary) {
        match self.state.legs.remove(&summary.leg) {
            Some(Role::Caller(call)) => self.visit_ended(call, summary),
            Some(Role::Agent(name)) => self.agent_leg_ended(&name, summary),
            Some(Role::Contact(id)) => self.attempt_ended(id, summary),
            Some(Role::Target(work)) => self.target_ended(summary.leg, work),
            None if self.may_be_awaited(summary) => self.keep_early(summary),
            None => self.stranger_ended(summary),
        }
    }

    fn answered(&mut self, tag: u64, answer: Result<Accepted, Refusal>) {
        if answer.as_ref().is_err_and(|refusal| self.dials_without_keep(tag, refusal)) {
            return;
        }
        let Some(mut pending) = self.state.pending.remove(&tag) else { return };
        self.index.pending(tag, None);
        // A ring or table that was full: the same again, a little later, under a new tag, because the old
        // one's key would only repeat the refusal.
        if let Err(Refusal { code: RefusalCode::Busy, .. }) = answer
            && pending.tries < BUSY_TRIES_MAX
        {
            pending.tries += 1;
            pending.due_us = Some(self.state.core.now_us + BUSY_RETRY_MICROS);
            self.keep_pending(pending);
            return;
        }
        let leg = answer.as_ref().ok().and_then(|accepted| accepted.leg);
        match pending.purpose {
            Purpose::Nothing | Purpose::Hangup(_) => {}
            Purpose::Record(leg, name) => {
                // Recorded already: by this very command, when its answer was forgotten meanwhile.
                let is_lost = |refusal: &Refusal| {
                    let state = refusal.state.as_deref();
                    (refusal.code, state) != (RefusalCode::WrongState, Some("recording"))
                };
                if answer.as_ref().is_err_and(is_lost) {
                    self.recording_lost(leg, &name);
                }
            }
            Purpose::Answer(call) => self.answer_answered(call, &answer),
            Purpose::Prompts(call) => self.prompts_answered(call, answer),
            Purpose::Digit(call) => self.digit_answered(call, answer),
            Purpose::Announce(call) => self.announce_answered(call, answer),
            Purpose::Bridge(call, agent) => self.bridge_answered(call, &agent, &answer),
            Purpose::SignIn(agent) => self.sign_in_answered(&agent, answer),
            Purpose::Ring(call, agent) => self.ring_answered(call, &agent, answer),
            Purpose::Attempt(id) => self.attempt_answered(id, answer),
            Purpose::Transfer(transfer) => self.transfer_answered(transfer, answer),
        }
        self.settle_early(leg);
    }

    /// Everything that has no answer yet is sent, in the order it was decided, under its old key: done once at most,
    /// answered for sure.
    fn resumed(&mut self) {
        self.set_present(true);
        for tag in self.state.pending.keys() {
            self.send_again(tag);
        }
        self.call_missing_telephones();
    }

    pub(crate) fn set_present(&mut self, present: bool) {
        if self.state.core.present != present {
            self.state.core.present = present;
            self.out.push(Action::Publish(AcdEvent::Media { present }));
        }
    }

    // Tools of all parts.

    pub(crate) const fn now_us(&self) -> u64 {
        self.state.core.now_us
    }
    /// `at_us` as UTC, in microseconds.
    pub(crate) fn utc_us(&self, at_us: u64) -> i64 {
        i64::try_from(at_us).unwrap_or(i64::MAX).saturating_add(self.state.core.utc_offset_us)
    }
    pub(crate) fn role(&self, leg: LegId) -> Option<Role> {
        self.state.legs.get(&leg).cloned()
    }
    pub(crate) fn publish(&mut self, event: AcdEvent) {
        self.out.push(Action::Publish(event));
    }
    pub(crate) fn record(&mut self, record: CallRecord) {
        self.out.push(Action::Record(record));
    }
    pub(crate) fn reply(&mut self, request: u64, answer: Result<serde_json::Value, Refusal>) {
        self.out.push(Action::Reply { request, answer });
    }
    /// Asks the call server; what it is for comes back with the answer.
    pub(crate) fn ask(&mut self, command: CallCommand, purpose: Purpose) -> u64 {
        let promise = matches!(purpose, Purpose::Attempt(_));
        let tag = self.keep_pending(Pending { command, purpose, promise, tries: 0, due_us: None });
        self.send(tag);
        tag
    }
    pub(crate) fn hang_up(&mut self, leg: LegId, cause: Cause) {
        self.ask(CallCommand::Hangup { leg, cause }, Purpose::Hangup(leg));
    }
    fn keep_pending(&mut self, pending: Pending) -> u64 {
        self.state.core.tag += 1;
        let tag = self.state.core.tag;
        self.index.pending(tag, Some(&pending));
        self.state.pending.insert(tag, pending);
        tag
    }
    pub(crate) fn drop_pending(&mut self, tag: u64) {
        if self.state.pending.remove(&tag).is_some() {
            self.index.pending(tag, None);
        }
    }
    /// Sends a command again under its tag.
    pub(crate) fn send_again(&mut self, tag: u64) {
        if let Some(pending) = self.state.pending.get_mut(&tag) {
            pending.due_us = None;
            self.index.pending(tag, None);
            self.send(tag);
        }
    }
    /// While the call server is away, and while we work in what it did without us, nothing is said: what we would say
    /// was decided on what we knew then. It waits among the pending.
    fn send(&mut self, tag: u64) {
        if !self.state.core.present {
            return;
        }
        if let Some(Pending { command, promise, .. }) = self.state.pending.get(&tag) {
            let (command, promise) = (command.clone(), *promise);
            self.out.push(Action::Command { tag, command, promise });
        }
    }
    /// The counts of the present hour of UTC.
    pub(crate) fn hour(&mut self) -> &mut HourCounts {
        let hour = self.utc_us(self.state.core.now_us).div_euclid(3_600_000_000);
        if !self.state.hours.contains(&hour) {
            while self.state.hours.len() >= HOURS_MAX
                && let Some(&oldest) = self.state.hours.first_key()
            {
                self.state.hours.remove(&oldest);
            }
        }
        self.state.hours.entry_mut(&hour)
    }
}
