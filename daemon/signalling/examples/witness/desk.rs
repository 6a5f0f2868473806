//! The calls of our end: what they shall come to, and whether they did.

use std::collections::BTreeMap;

use call::{Cause, Number};
use signalling::{
    ChannelWish, Clearing, Event, IncomingCall, LegKey, Order, Outgoing, PriSettings, Redirecting,
};
use tdm::{Instant, Timeslot};

/// What calls shall come to, in turn. 0: answered; 19: rings until the caller gives up; 900: not a word.
const MIXED: [u16; 8] = [0, 1, 17, 18, 21, 27, 34, 19];
/// Nobody says anything about it.
pub const SILENCE: u16 = 900;
/// CALL PROCEEDING and not a word more, until T310 clears.
pub const PROCEEDS: u16 = 901;
/// ALERTING and not a word more, until T301 clears.
pub const ALERTS: u16 = 902;

/// How calls are made and treated here.
#[derive(Clone, Debug)]
pub struct Habits {
    /// All calls shall come to this; mixed outcomes when `None`.
    pub outcome: Option<u16>,
    /// Calls of ours at a time.
    pub at_once: usize,
    /// An answered call of ours is hung up after this; never when `None`.
    pub hold_millis: Option<u64>,
    /// A call that rings here is answered after this.
    pub ring_millis: u64,
    /// A call of ours that rings in vain is given up after this.
    pub patience_millis: u64,
    /// Hunts from the lowest channel; otherwise from the highest.
    pub hunts_up: bool,
    /// Every call insists on its channel; otherwise every third leaves it open.
    pub insists: bool,
    /// The caller's name.
    pub name: Option<String>,
    /// From where calls were sent on.
    pub redirecting: Option<Redirecting>,
}

impl Default for Habits {
    fn default() -> Self {
        Self {
            outcome: None,
            at_once: 20,
            hold_millis: Some(30),
            ring_millis: 40,
            patience_millis: 150,
            hunts_up: false,
            insists: false,
            name: None,
            redirecting: None,
        }
    }
}

/// The calls.
pub struct Desk {
    habits: Habits,
    law: tdm::Law,
    to_place: usize,
    placed: usize,
    begun: u32,
    taken: usize,
    /// Channels in the order in which they are hunted, and whether each is taken.
    channels: Vec<(Timeslot, bool)>,
    /// Outcomes of calls that met another on their channel.
    again: Vec<u16>,
    calls: BTreeMap<LegKey, Call>,
    agenda: Vec<(Instant, Order)>,
    /// When the first call began and the last one ended.
    pub span: Option<(Instant, Instant)>,
    /// Calls that ended as wanted.
    pub passed: usize,
    /// Calls of ours that met another on their channel.
    pub met: usize,
    /// Calls that were lost with 41 or 27.
    pub lost: usize,
    /// Those that did not end as wanted, in words.
    pub failures: Vec<String>,
    /// The last call that came in.
    pub last_incoming: Option<IncomingCall>,
    /// Whether losses are what is wanted.
    pub may_lose: bool,
}

#[derive(Clone, Copy)]
struct Call {
    outcome: u16,
    answered: bool,
}

impl Desk {
    /// A desk that places calls when told.
    pub fn new(habits: Habits, settings: &PriSettings) -> Self {
        let mut channels: Vec<_> = settings.channels.iter().map(|t| (t, false)).collect();
        if !habits.hunts_up {
            channels.reverse();
        }
        Self {
            habits,
            law: settings.dialect.carrier.law(),
            to_place: 0,
            placed: 0,
            begun: 0,
            taken: 0,
            channels,
            again: Vec::new(),
            calls: BTreeMap::new(),
            agenda: Vec::new(),
            span: None,
            passed: 0,
            met: 0,
            lost: 0,
            failures: Vec::new(),
            last_incoming: None,
            may_lose: false,
        }
    }
    /// So many calls more.
    pub const fn place(&mut self, calls: usize) {
        self.to_place += calls;
    }
    /// Calls that are not over.
    pub fn live(&self) -> usize {
        self.calls.len()
    }
    /// Of these, answered.
    pub fn answered(&self) -> usize {
        self.calls.values().filter(|call| call.answered).count()
    }
    /// Nothing is under way and nothing will be.
    pub fn is_idle(&self) -> bool {
        self.calls.is_empty() && self.to_place == 0 && self.again.is_empty()
    }
    /// Calls that are over.
    pub const fn over(&self) -> usize {
        self.passed + self.failures.len() + self.lost
    }
    /// Hangs up what is answered, ours and theirs.
    pub fn hang_up_all(&mut self, now: Instant) {
        let keys: Vec<LegKey> = self.calls.keys().copied().collect();
        self.agenda.extend(keys.into_iter().map(|key| (now, Self::hang_up(key))));
    }
    /// Another call, when one is due and a channel free.
    pub fn next_call(&mut self, now: Instant) -> Option<Order> {
        let ours = self.calls.keys().filter(|key| Self::is_ours(**key)).count();
        if ours >= self.habits.at_once || !self.channels.iter().any(|(_, taken)| !taken) {
            return None;
        }
        if let Some(outcome) = self.again.pop() {
            return self.begin(now, outcome);
        }
        self.to_place = self.to_place.checked_sub(1)?;
        let mixed = MIXED.get(self.placed % MIXED.len()).copied().unwrap_or_default();
        self.placed += 1;
        self.begin(now, self.habits.outcome.unwrap_or(mixed))
    }
    fn begin(&mut self, now: Instant, outcome: u16) -> Option<Order> {
        let (timeslot, taken) = self.channels.iter_mut().find(|(_, taken)| !*taken)?;
        *taken = true;
        let key = LegKey(self.begun * 2 + 1);
        let called = Number::unknown(format!("{:05}{outcome:03}", self.begun % 100_000));
        self.begun += 1;
        self.span = self.span.or(Some((now, now)));
        self.calls.insert(key, Call { outcome, answered: false });
        Some(Order::Call(Outgoing {
            key,
            channel: ChannelWish {
                timeslot: *timeslot,
                exclusive: self.habits.insists || !self.begun.is_multiple_of(3),
            },
            called,
            calling: Some(Number::unknown("5551234")),
            name: self.habits.name.clone(),
            redirecting: self.habits.redirecting.clone(),
            law: self.law,
        }))
    }
    /// Calls we place carry odd keys, calls we take even ones.
    const fn is_ours(key: LegKey) -> bool {
        key.0 % 2 == 1
    }
    fn take(&mut self, timeslot: Timeslot, taken: bool) {
        if let Some(channel) = self.channels.iter_mut().find(|(channel, _)| *channel == timeslot) {
            channel.1 = taken;
        }
    }
    fn later(&mut self, now: Instant, millis: u64, order: Order) {
        self.agenda.push((now.plus_millis(millis), order));
    }
    const fn hang_up(key: LegKey) -> Order {
        Order::Clear { key, cause: Cause::NORMAL_CLEARING, in_band: false }
    }
    /// An event of a call.
    pub fn handle(&mut self, now: Instant, event: Event) {
        match event {
            Event::Incoming(call) => {
                self.take(call.timeslot, true);
                self.treat(now, &call);
                self.last_incoming = Some(call);
            }
            Event::Connected { key, timeslot } => {
                self.take(timeslot, true);
                if let Some(call) = self.calls.get_mut(&key) {
                    call.answered = true;
                }
                if let Some(millis) = self.habits.hold_millis.filter(|_| Self::is_ours(key)) {
                    self.later(now, millis, Self::hang_up(key));
                }
            }
            Event::Alerting { key, timeslot, .. } => {
                self.take(timeslot, true);
                if self.calls.get(&key).is_some_and(|call| call.outcome == 19) {
                    self.later(now, self.habits.patience_millis, Self::hang_up(key));
                }
            }
            Event::Proceeding { timeslot, .. } => self.take(timeslot, true),
            Event::Ended { key, timeslot, glare: true, .. } => {
                // The call goes out on another channel; this one may be free by and by.
                self.met += 1;
                self.again.extend(self.calls.remove(&key).map(|call| call.outcome));
                timeslot.into_iter().for_each(|timeslot| self.give_back(timeslot));
            }
            Event::Ended { key, timeslot, clearing, .. } => {
                timeslot.into_iter().for_each(|timeslot| self.give_back(timeslot));
                self.judge(now, key, clearing);
            }
            _ => {}
        }
    }
    /// A channel is free again; among equals it is hunted last.
    fn give_back(&mut self, timeslot: Timeslot) {
        self.take(timeslot, false);
    }
    fn treat(&mut self, now: Instant, call: &IncomingCall) {
        let key = call.key;
        let digits = &call.called.digits;
        let outcome = digits.len().checked_sub(3).and_then(|at| digits.get(at..));
        let outcome = outcome.and_then(|text| text.parse().ok()).unwrap_or(1);
        self.taken += 1;
        self.span = self.span.or(Some((now, now)));
        self.calls.insert(key, Call { outcome, answered: false });
        match outcome {
            SILENCE => {}
            0 | 19 => {
                self.later(now, 0, Order::Proceed { key });
                self.later(now, 0, Order::Alert { key, in_band: self.taken.is_multiple_of(2) });
                if outcome == 0 {
                    self.later(now, self.habits.ring_millis, Order::Connect { key });
                }
            }
            cause => {
                // One is refused at once, one after CALL PROCEEDING, one after ringing.
                match self.taken % 3 {
                    0 => {}
                    1 => self.later(now, 0, Order::Proceed { key }),
                    _ => self.later(now, 0, Order::Alert { key, in_band: false }),
                }
                let cause = Cause(u8::try_from(cause).unwrap_or(31));
                self.later(now, 10, Order::Clear { key, cause, in_band: false });
            }
        }
    }
    fn judge(&mut self, now: Instant, key: LegKey, clearing: Clearing) {
        let Some(Call { outcome, .. }) = self.calls.remove(&key) else {
            self.failures.push(format!("{key:?} ended twice"));
            return;
        };
        self.span = self.span.map(|(first, _)| (first, now));
        let ours = Self::is_ours(key);
        let expected = match outcome {
            0 | 19 => (Cause::NORMAL_CLEARING, !ours),
            // T303: nobody is there. Who never heard of us tells us nothing: we hang up.
            SILENCE if ours => (Cause::NO_USER_RESPONDING, false),
            SILENCE => (Cause::NORMAL_CLEARING, false),
            PROCEEDS => (Cause::NO_USER_RESPONDING, false),
            ALERTS => (Cause::NO_ANSWER, false),
            cause => (Cause(u8::try_from(cause).unwrap_or(31)), ours),
        };
        let is_loss = matches!(clearing.cause.0, 18 | 27 | 38 | 41 | 102);
        if (clearing.cause, clearing.by_far_end) == expected {
            self.passed += 1;
        } else if self.may_lose && is_loss {
            self.lost += 1;
        } else {
            self.failures.push(format!("{key:?} wanted {outcome:03}, got {clearing:?}"));
        }
    }
    /// When something is to be done.
    pub fn due(&self) -> Option<Instant> {
        self.agenda.iter().map(|(at, _)| *at).min()
    }
    /// What is to be done now.
    pub fn take_due(&mut self, now: Instant) -> Vec<Order> {
        if self.due().is_none_or(|due| due > now) {
            return Vec::new();
        }
        let (due, later): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.agenda).into_iter().partition(|(at, _)| *at <= now);
        self.agenda = later;
        due.into_iter().map(|(_, order)| order).collect()
    }
}
