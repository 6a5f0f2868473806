//! A call server and the people behind it, as small as the words of the `call` crate allow. It keeps its own
//! truth: who heard whom, who left where.

use std::collections::{BTreeMap, VecDeque};

use call::{
    Accepted, CallCommand, CallEvent, CallId, Cause, CollectEnd, Dial, Direction, Disposition,
    Diversion, DiversionReason, LegId, LegNow, LegState, Location, Number, OnPerson, OperationId,
    Outcome, PlayEnd, Refusal, RefusalCode, SnapshotItem, StopOn, Summary, Verdict,
};
use tdm::Rng;

/// A prompt the call centre has and the call server has not.
pub const UNKNOWN_PROMPT: &str = "added_later";

/// What is to happen by itself.
#[derive(Clone, Debug, PartialEq)]
pub enum Later {
    PlayDone(LegId, OperationId),
    CollectDone(LegId, OperationId, Option<char>),
    PickUp(LegId),
    RingOut(LegId),
    HangUp(LegId, Cause),
    Judge(LegId),
    CallIn,
}

#[derive(Clone, Debug)]
pub struct Leg {
    pub now: LegNow,
    pub play: Option<OperationId>,
    pub playing: Vec<call::PlayItem>,
    pub on_person: Option<OnPerson>,
    pub bridge_at_answer: Option<LegId>,
    pub outcome: Option<Outcome>,
    pub held: bool,
    /// What it would get without a call centre is stored.
    pub fallback: bool,
    /// The people of a caller: whether they ever talked to an agent.
    pub talked: bool,
    /// It hears what was stored for when nobody is there.
    pub fell_back: bool,
    pub arrived_us: u64,
}

/// How people behave.
#[derive(Clone, Debug)]
pub struct Manners {
    pub talk_us: u64,
    pub patience_us: u64,
    pub prompt_us: u64,
    pub ring_us: u64,
    /// One agent's telephone in so many is not picked up; 0: all are.
    pub never_answers: u64,
    pub arrival_us: u64,
    pub digit: bool,
    /// Each command may be refused as busy with this probability.
    pub busy: f64,
}

impl Default for Manners {
    fn default() -> Self {
        Self {
            talk_us: 20_000_000,
            patience_us: 40_000_000,
            prompt_us: 2_000_000,
            ring_us: 2_000_000,
            never_answers: 5,
            arrival_us: 3_000_000,
            digit: true,
            busy: 0.02,
        }
    }
}

/// What the model saw with its own eyes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Truth {
    pub offered: u64,
    pub answered: u64,
    pub dialled: u64,
    pub persons: u64,
    pub machines: u64,
    pub waited_us: u64,
    pub waits: u64,
}

#[derive(Clone)]
pub struct Model {
    pub instance: u32,
    pub now_us: u64,
    pub rng: Rng,
    pub manners: Manners,
    pub legs: BTreeMap<LegId, Leg>,
    pub later: BTreeMap<(u64, u64), Later>,
    pub events: VecDeque<CallEvent>,
    pub truth: Truth,
    /// Answers by tag, as keys are remembered.
    pub answered: BTreeMap<u64, Result<Accepted, Refusal>>,
    /// Every recording is refused.
    pub records_nothing: bool,
    /// A dial that says what is to be kept is not understood.
    pub knows_no_keep: bool,
    /// The name on the display of the telephone that was called last.
    pub display: Option<String>,
    /// Whom an agent calls beside the party he holds: who asked.
    pub consulted: BTreeMap<LegId, LegId>,
    count: u32,
    order: u64,
}

impl Model {
    pub fn new(seed: u64, manners: Manners) -> Self {
        Self {
            instance: 1,
            now_us: 0,
            rng: Rng::from_seed(seed),
            manners,
            legs: BTreeMap::new(),
            later: BTreeMap::new(),
            events: VecDeque::new(),
            truth: Truth::default(),
            answered: BTreeMap::new(),
            records_nothing: false,
            knows_no_keep: false,
            display: None,
            consulted: BTreeMap::new(),
            count: 0,
            order: 0,
        }
    }

    pub fn after(&mut self, micros: u64, later: Later) {
        self.order += 1;
        self.later.insert((self.now_us + micros, self.order), later);
    }

    pub fn next_us(&self) -> Option<u64> {
        self.later.keys().next().map(|&(at, _)| at)
    }

    fn number(&mut self) -> u32 {
        self.count += 1;
        self.count
    }

    fn exponential(&mut self, mean_us: u64) -> u64 {
        self.rng.exponential(mean_us as f64) as u64
    }

    /// Makes one thing that is due happen.
    pub fn happen(&mut self) {
        let Some((&key, _)) = self.later.iter().next() else { return };
        let Some(later) = self.later.remove(&key) else { return };
        self.now_us = self.now_us.max(key.0);
        match later {
            Later::CallIn => {
                self.call_in("100");
                let next = self.exponential(self.manners.arrival_us);
                self.after(next, Later::CallIn);
            }
            Later::PlayDone(leg, operation) => {
                self.stop_play(leg, Some(operation), PlayEnd::Finished)
            }
            Later::CollectDone(leg, operation, digit) => {
                if self.legs.contains_key(&leg) {
                    self.events.push_back(CallEvent::Collected {
                        operation,
                        leg,
                        digits: Some(digit.map(String::from).unwrap_or_default()),
                        count: u8::from(digit.is_some()),
                        why: if digit.is_some() {
                            CollectEnd::Complete
                        } else {
                            CollectEnd::Timeout
                        },
                    });
                }
            }
            Later::PickUp(leg) => self.pick_up(leg),
            Later::RingOut(leg) => {
                if self.legs.get(&leg).is_some_and(|l| l.now.state != LegState::Answered) {
                    self.set_outcome(leg, Outcome::NoAnswer);
                    self.end(leg, Cause::NO_ANSWER, true);
                }
            }
            Later::HangUp(leg, cause) => self.end(leg, cause, false),
            Later::Judge(leg) => self.judge(leg),
        }
    }

    fn set_outcome(&mut self, leg: LegId, outcome: Outcome) {
        if let Some(leg) = self.legs.get_mut(&leg) {
            leg.outcome = Some(outcome);
        }
    }

    fn new_leg(
        &mut self,
        call: Option<CallId>,
        direction: Direction,
        group: &str,
        called: Number,
    ) -> LegId {
        let leg = LegId::new(self.instance, self.number());
        let call = call.unwrap_or(CallId::new(self.instance, leg.number));
        let state =
            if direction == Direction::Inbound { LegState::Offered } else { LegState::Dialling };
        self.legs.insert(
            leg,
            Leg {
                now: LegNow {
                    leg,
                    call,
                    direction,
                    group: group.into(),
                    channel: Some((1, 1)),
                    state,
                    peer: None,
                    called,
                    calling: None,
                    started_us: self.now_us,
                    answered_us: None,
                },
                play: None,
                playing: Vec::new(),
                on_person: None,
                bridge_at_answer: None,
                outcome: None,
                held: false,
                fallback: false,
                talked: false,
                fell_back: false,
                arrived_us: self.now_us,
            },
        );
        leg
    }

    /// Somebody calls us.
    pub fn call_in(&mut self, called: &str) -> LegId {
        let leg = self.new_leg(None, Direction::Inbound, "public", Number::unknown(called));
        self.truth.offered += 1;
        let patience = self.exponential(self.manners.patience_us);
        if self.manners.patience_us < u64::MAX / 4 {
            self.after(patience, Later::HangUp(leg, Cause::NORMAL_CLEARING));
        }
        let call = self.legs[&leg].now.call;
        self.events.push_back(CallEvent::Incoming {
            leg,
            call,
            group: "public".into(),
            channel: (1, 1),
            called: Number::unknown(called),
            calling: Some(Number::unknown("5551234")),
            name: Some("Lin Wei".into()),
            diverted: Some(Diversion {
                from: Number::unknown("4711"),
                reason: DiversionReason::Busy,
            }),
        });
        leg
    }

    fn pick_up(&mut self, leg: LegId) {
        let Some(entry) = self.legs.get_mut(&leg) else { return };
        if entry.now.state == LegState::Answered {
            return;
        }
        entry.now.state = LegState::Answered;
        entry.now.answered_us = Some(self.now_us);
        let (bridge, judged) = (entry.bridge_at_answer, entry.on_person.is_some());
        self.events.push_back(CallEvent::Answered { leg });
        if let Some(other) = bridge
            && self.legs.get(&other).is_some_and(|l| l.now.state == LegState::Answered)
        {
            self.bridge(other, leg);
        }
        if judged {
            self.after(600_000, Later::Judge(leg));
        }
    }

    fn judge(&mut self, leg: LegId) {
        let Some(entry) = self.legs.get(&leg) else { return };
        let Some(on_person) = entry.on_person.clone() else { return };
        let machine = entry.now.called.digits.ends_with('7');
        let verdict = if machine { Verdict::Machine } else { Verdict::Human };
        self.events.push_back(CallEvent::Verdict {
            leg,
            verdict,
            reason: "by the model".into(),
            after_millis: 600,
            acted: true,
            features: Default::default(),
        });
        if machine {
            self.truth.machines += 1;
            self.set_outcome(leg, Outcome::Machine);
            if on_person.message.is_some() {
                // Its greeting, the beep, our message.
                return self.after(8_000_000, Later::HangUp(leg, Cause::NORMAL_CLEARING));
            }
            self.end(leg, Cause::NORMAL_CLEARING, true);
            return;
        }
        self.truth.persons += 1;
        self.set_outcome(leg, Outcome::Person);
        let free = |l: &Leg| l.now.state == LegState::Answered && l.now.peer.is_none();
        match on_person.bridge.filter(|b| self.legs.get(b).is_some_and(free)) {
            Some(agent) => self.bridge(leg, agent),
            None => self.after(2_000_000, Later::HangUp(leg, Cause::NORMAL_CLEARING)),
        }
    }

    fn bridge(&mut self, a: LegId, b: LegId) {
        for (one, other) in [(a, b), (b, a)] {
            let operation = self.legs.get(&one).and_then(|l| l.play);
            self.stop_play(one, operation, PlayEnd::Stopped);
            let Some(leg) = self.legs.get_mut(&one) else { continue };
            leg.held = false;
            if let Some(old) = leg.now.peer.replace(other)
                && old != other
                && let Some(old) = self.legs.get_mut(&old)
            {
                old.now.peer = None;
            }
        }
        self.events.push_back(CallEvent::Bridged { a, b });
        for one in [a, b] {
            let talk = self.exponential(self.manners.talk_us);
            let Some(leg) = self.legs.get_mut(&one) else { continue };
            if leg.now.direction == Direction::Inbound && !leg.talked {
                leg.talked = true;
                self.truth.answered += 1;
                self.truth.waits += 1;
                self.truth.waited_us += self.now_us - leg.arrived_us;
                self.later.retain(|_, l| *l != Later::HangUp(one, Cause::NORMAL_CLEARING));
                self.after(talk, Later::HangUp(one, Cause::NORMAL_CLEARING));
            } else if leg.on_person.is_some() {
                self.after(talk, Later::HangUp(one, Cause::NORMAL_CLEARING));
            }
        }
    }

    fn stop_play(&mut self, leg: LegId, operation: Option<OperationId>, why: PlayEnd) {
        if let Some(entry) = self.legs.get_mut(&leg)
            && entry.play.is_some()
            && entry.play == operation
            && let Some(operation) = entry.play.take()
        {
            entry.playing.clear();
            self.events.push_back(CallEvent::PlayEnded { operation, leg, why });
        }
    }

    /// Without a call centre for longer than the lease: what rings is cleared, who is alone and for whom nothing runs
    /// to an end by itself gets what was stored.
    pub fn help_yourself(&mut self) {
        let unanswered =
            |l: &Leg| l.now.direction == Direction::Outbound && l.now.state != LegState::Answered;
        for leg in self.find(unanswered) {
            self.end(leg, Cause::NORMAL_CLEARING, true);
        }
        let alone = |l: &Leg| {
            l.now.direction == Direction::Inbound
                && l.now.state == LegState::Answered
                && l.now.peer.is_none()
                && !l.fell_back
        };
        for leg in self.find(alone) {
            let plays = self.legs[&leg].play;
            let runs = self.later.values().any(|later| match later {
                Later::PlayDone(of, operation) => *of == leg && Some(*operation) == plays,
                Later::CollectDone(of, ..) => *of == leg,
                _ => false,
            });
            if runs {
                continue;
            }
            self.stop_play(leg, plays, PlayEnd::Stopped);
            if let Some(entry) = self.legs.get_mut(&leg) {
                entry.fell_back = true;
            }
            self.events.push_back(CallEvent::FellBack { leg });
        }
    }

    fn find(&self, which: impl Fn(&Leg) -> bool) -> Vec<LegId> {
        self.legs.values().filter(|leg| which(leg)).map(|leg| leg.now.leg).collect()
    }

    /// A leg is gone; its peer, if any, is alone.
    pub fn end(&mut self, leg: LegId, cause: Cause, by_us: bool) {
        let operation = self.legs.get(&leg).and_then(|l| l.play);
        self.stop_play(leg, operation, PlayEnd::Stopped);
        let Some(gone) = self.legs.remove(&leg) else { return };
        self.consulted.retain(|target, asker| *target != leg && *asker != leg);
        for other in self.legs.values_mut() {
            if other.now.peer == Some(leg) {
                other.now.peer = None;
                other.held = false;
            }
        }
        let answered = gone.now.state == LegState::Answered;
        self.events.push_back(CallEvent::Ended(Summary {
            leg,
            call: gone.now.call,
            direction: gone.now.direction,
            group: gone.now.group,
            channel: gone.now.channel,
            called: gone.now.called,
            calling: gone.now.calling,
            started_us: gone.now.started_us,
            alerted_us: None,
            answered_us: gone.now.answered_us,
            ended_us: self.now_us,
            disposition: if answered { Disposition::Answered } else { Disposition::NotAnswered },
            outcome: gone.outcome.filter(|_| gone.now.direction == Direction::Outbound),
            reason: "as the model says".into(),
            cause,
            location: Location::User,
            cleared_by_us: by_us,
            dial_again: None,
        }));
    }

    /// Obeys a command, once for each tag.
    pub fn obey(&mut self, tag: u64, command: CallCommand) -> Result<Accepted, Refusal> {
        if let Some(answer) = self.answered.get(&tag) {
            return answer.clone();
        }
        let busy = self.rng.chance(self.manners.busy);
        let answer = if busy {
            Err(Refusal::new(RefusalCode::Busy, "ring", "full"))
        } else {
            self.try_to(command)
        };
        self.answered.insert(tag, answer.clone());
        answer
    }

    fn up(&self, leg: LegId) -> Result<(), Refusal> {
        match self.legs.get(&leg) {
            None => Err(Refusal::new(RefusalCode::UnknownCall, "leg", "no such leg")),
            Some(l) if l.now.state != LegState::Answered => {
                Err(Refusal::new(RefusalCode::WrongState, "leg", "not answered"))
            }
            Some(_) => Ok(()),
        }
    }

    fn try_to(&mut self, command: CallCommand) -> Result<Accepted, Refusal> {
        let none = Accepted::default();
        match command {
            CallCommand::Answer { leg } => {
                let Some(entry) = self.legs.get_mut(&leg) else {
                    return Err(Refusal::new(RefusalCode::UnknownCall, "leg", "no such leg"));
                };
                entry.now.state = LegState::Answered;
                entry.now.answered_us = Some(self.now_us);
                self.events.push_back(CallEvent::Answered { leg });
                Ok(none)
            }
            CallCommand::Hangup { leg, cause } => {
                if !self.legs.contains_key(&leg) {
                    return Err(Refusal::new(RefusalCode::UnknownCall, "leg", "no such leg"));
                }
                self.end(leg, cause, true);
                Ok(none)
            }
            CallCommand::Play { leg, items, repeat, stop_on } => {
                self.up(leg)?;
                if self.talks(leg) {
                    return Err(Refusal::new(RefusalCode::WrongState, "leg", "bridged"));
                }
                let old = self.legs[&leg].play;
                self.stop_play(leg, old, PlayEnd::Stopped);
                let operation = OperationId::new(self.instance, self.number());
                if let Some(l) = self.legs.get_mut(&leg) {
                    l.play = Some(operation);
                    l.playing = items;
                }
                if !repeat {
                    let part = if stop_on == StopOn::Dtmf { 2 } else { 1 };
                    self.after(self.manners.prompt_us / part, Later::PlayDone(leg, operation));
                }
                Ok(Accepted { operation: Some(operation), ..none })
            }
            CallCommand::Collect { leg, first_millis, .. } => {
                self.up(leg)?;
                let operation = OperationId::new(self.instance, self.number());
                let digit = match self.rng.below(6) {
                    _ if !self.manners.digit => Some('1'),
                    0 => None,
                    1 => Some('9'),
                    2 => Some('2'),
                    _ => Some('1'),
                };
                let after = if digit.is_some() { 300_000 } else { u64::from(first_millis) * 1000 };
                self.after(after, Later::CollectDone(leg, operation, digit));
                Ok(Accepted { operation: Some(operation), ..none })
            }
            CallCommand::Bridge { a, b, .. } => {
                self.up(a)?;
                self.up(b)?;
                let completes = self.consulted.get(&b).is_some_and(|&asker| {
                    self.legs.get(&a).is_some_and(|party| party.now.peer == Some(asker))
                });
                if !completes && [a, b].iter().any(|leg| self.legs[leg].now.peer.is_some()) {
                    return Err(Refusal::new(RefusalCode::WrongState, "leg", "bridged"));
                }
                self.consulted.remove(&b);
                self.bridge(a, b);
                Ok(none)
            }
            CallCommand::Dial(dial)
                if self.knows_no_keep
                    && dial.on_person.as_ref().is_some_and(|p| p.keep.is_some()) =>
            {
                Err(Refusal::new(RefusalCode::BadValue, "dial", "unknown field `keep`"))
            }
            CallCommand::Dial(dial) => {
                let message = dial.on_person.as_ref().and_then(|arm| arm.message.as_ref());
                if message.is_some_and(|message| message.prompt == UNKNOWN_PROMPT) {
                    let mut refusal = Refusal::new(RefusalCode::BadValue, "dial", "no such prompt");
                    refusal.field = Some("message".into());
                    return Err(refusal);
                }
                Ok(self.dial(dial))
            }
            CallCommand::Hold { leg } => self.hold(leg, true),
            CallCommand::Retrieve { leg } => self.hold(leg, false),
            CallCommand::SetFallback { leg, .. } => {
                self.up(leg)?;
                if let Some(l) = self.legs.get_mut(&leg) {
                    l.fallback = true;
                }
                Ok(none)
            }
            CallCommand::Record { .. } if self.records_nothing => {
                Err(Refusal::new(RefusalCode::Limit, "recorders", "none is free"))
            }
            CallCommand::Record { leg, early: false, .. } => self.up(leg).map(|()| none),
            CallCommand::Record { leg, .. } => match self.up(leg) {
                Ok(()) => Err(Refusal::new(RefusalCode::WrongState, "leg", "answered")),
                Err(_) => Ok(none),
            },
            CallCommand::StopRecord { .. } => {
                Err(Refusal::new(RefusalCode::WrongState, "leg", "not recording"))
            }
            CallCommand::Transfer { leg, called, group, kind } => {
                self.up(leg)?;
                let Some(peer) = self.legs[&leg].now.peer else {
                    return Err(Refusal::new(RefusalCode::WrongState, "leg", "no peer"));
                };
                let call = self.legs[&peer].now.call;
                let target = self.new_leg(Some(call), Direction::Outbound, &group, called);
                let operation = OperationId::new(self.instance, self.number());
                if kind == call::TransferKind::Blind {
                    for one in [leg, peer] {
                        if let Some(l) = self.legs.get_mut(&one) {
                            l.now.peer = None;
                        }
                    }
                    self.pick_up(target);
                    self.bridge(peer, target);
                    self.events.push_back(CallEvent::Transferred {
                        operation,
                        leg,
                        to: Some(target),
                        cause: None,
                    });
                } else {
                    self.consulted.insert(target, leg);
                    self.pick_up(target);
                }
                Ok(Accepted { operation: Some(operation), leg: Some(target), call: Some(call) })
            }
            other => panic!("the call centre asked for {other:?}"),
        }
    }

    fn hold(&mut self, leg: LegId, on: bool) -> Result<Accepted, Refusal> {
        self.up(leg)?;
        let Some(entry) = self.legs.get_mut(&leg).filter(|l| l.now.peer.is_some() && l.held != on)
        else {
            return Err(Refusal::new(RefusalCode::WrongState, "leg", "alone, or so already"));
        };
        entry.held = on;
        self.events.push_back(CallEvent::Held { leg, on });
        Ok(Accepted::default())
    }

    /// Whether a leg hears another.
    pub fn talks(&self, leg: LegId) -> bool {
        let consults = |leg: LegId| self.consulted.values().any(|&asker| asker == leg);
        let held = |leg: LegId| consults(leg) || self.legs.get(&leg).is_some_and(|l| l.held);
        let peer = self.legs.get(&leg).and_then(|l| l.now.peer);
        peer.is_some_and(|peer| !held(leg) && !held(peer))
    }

    fn dial(&mut self, dial: Dial) -> Accepted {
        let Dial { group, called, call, no_answer_millis, on_person, bridge, name, .. } = dial;
        self.display = name;
        let last = called.digits.chars().last().unwrap_or('0');
        let leg = self.new_leg(call, Direction::Outbound, &group, called);
        let operation = OperationId::new(self.instance, self.number());
        let campaign = on_person.is_some();
        let call = self.legs.get_mut(&leg).map(|l| {
            l.on_person = on_person;
            l.bridge_at_answer = bridge;
            l.now.call
        });
        self.events.push_back(CallEvent::Dialling {
            operation,
            leg,
            call: call.unwrap_or(CallId::new(0, 0)),
            channel: (1, 2),
        });
        let ring = 1 + self.exponential(self.manners.ring_us);
        let silent = bridge.is_some()
            && self.manners.never_answers > 0
            && self.rng.below(self.manners.never_answers) == 0;
        self.after(u64::from(no_answer_millis) * 1000, Later::RingOut(leg));
        if campaign {
            self.truth.dialled += 1;
            match last {
                '4' => {
                    self.set_outcome(leg, Outcome::Busy);
                    self.after(ring, Later::HangUp(leg, Cause::USER_BUSY));
                }
                '5' => {}
                '6' => {
                    self.set_outcome(leg, Outcome::Vacant);
                    self.after(ring, Later::HangUp(leg, Cause::UNALLOCATED_NUMBER));
                }
                _ => self.after(ring, Later::PickUp(leg)),
            }
        } else if !silent {
            self.after(ring, Later::PickUp(leg));
        }
        Accepted { operation: Some(operation), leg: Some(leg), call }
    }

    /// All there is, for a controller that comes anew.
    pub fn snapshot(&self) -> Vec<SnapshotItem> {
        self.legs.values().map(|leg| SnapshotItem::Leg(leg.now.clone())).collect()
    }

    /// Falls and comes back: another life, without a leg.
    pub fn restart(&mut self) {
        self.instance += 1;
        self.legs.clear();
        self.events.clear();
        self.answered.clear();
        self.later.retain(|_, later| *later == Later::CallIn);
    }
}
