//! Outgoing calls: the group's channel, the no-answer timer, and another channel after a collision.

use call::{
    Accepted, CallEvent, CallId, Cause, Dial, Direction, KeepDecision, LegId, Number, Otherwise,
    Refusal, RefusalCode,
};
use signalling::{ChannelWish, Clearing, Order, Outgoing, Redirecting, Side};
use tdm::Timeslot;

use crate::leg::{Leg, State, place};
use crate::machine::{LegTimer, Media, OperationKind, Timer, wrong_state};
use crate::names::{bad_value, limit};
use crate::outcome::Note;

/// Digits a number may have.
const DIGITS_MAX: usize = 32;
/// Characters the name of a kept answer may begin with, so that the call has room behind them.
const KEEP_OF_MAX: usize = 40;
/// Octets a caller's name may have; what a dialect has no room for is left off on the line.
const NAME_OCTETS_MAX: usize = 80;

impl Media {
    pub(crate) fn dial(&mut self, dial: Dial) -> Result<Accepted, Refusal> {
        self.check_dial(&dial)?;
        let (leg, call) = self.place(&dial.group, dial.called, dial.calling, dial.call)?;
        let operation = self.begin_operation(leg, OperationKind::Dial);
        if let Some(new) = self.legs.get_mut(&leg) {
            new.dialled.operation = Some(operation);
            new.dialled.name = dial.name;
            new.dialled.diverted = dial.diverted;
            new.dialled.on_person = dial.on_person;
            new.promised = dial.bridge;
        }
        if let Some(waiting) = dial.bridge.and_then(|w| self.legs.get_mut(&w)) {
            waiting.waits_for = Some(leg);
        }
        self.send_setup(leg, dial.no_answer_millis);
        self.tell_dialling(operation, leg);
        Ok(Accepted { operation: Some(operation), leg: Some(leg), call: Some(call) })
    }

    fn check_dial(&self, dial: &Dial) -> Result<(), Refusal> {
        self.timer_value("no_answer_millis", dial.no_answer_millis)?;
        if dial.name.as_ref().is_some_and(|name| name.len() > NAME_OCTETS_MAX) {
            let what = format!("a name has at most {NAME_OCTETS_MAX} octets");
            return Err(limit("name", NAME_OCTETS_MAX as u64, what));
        }
        dial.diverted.as_ref().map_or(Ok(()), |it| check_number("diverted", &it.from, 1))?;
        if dial.on_person.is_some() && dial.bridge.is_some() {
            let what = "a call is bridged at the answer or after the verdict, not both";
            return Err(bad_value("bridge", String::from(what)));
        }
        if let Some(bridge) = dial.bridge {
            self.free_leg(bridge)?;
        }
        if let Some(arm) = &dial.on_person {
            self.timer_value("within_millis", arm.within_millis)?;
            arm.bridge.map_or(Ok(()), |leg| self.live(leg).map(drop))?;
            if let Otherwise::SafeHarbour(prompt) = &arm.otherwise {
                self.prompt_exists("else", prompt)?;
            }
            if let Some(message) = &arm.message {
                self.prompt_exists("message", &message.prompt)?;
                self.timer_value("wait_millis", message.wait_millis)?;
            }
            arm.keep.as_ref().map_or(Ok(()), |keep| self.check_keep(keep))?;
            if let Some(percent) = arm.machine_from_percent
                && !(20..=99).contains(&percent)
            {
                let what = format!("{percent} is not between 20 and 99");
                return Err(bad_value("machine_from_percent", what));
            }
        }
        Ok(())
    }

    fn check_keep(&self, keep: &KeepDecision) -> Result<(), Refusal> {
        crate::record::check_name(&keep.of)?;
        if keep.of.len() > KEEP_OF_MAX {
            let what = format!("the name begins with at most {KEEP_OF_MAX} characters");
            return Err(limit("keep.of", KEEP_OF_MAX as u64, what));
        }
        // Whatever else is called is removed by nobody.
        let prefix = KeepDecision::PREFIX;
        if !keep.of.starts_with(prefix) {
            let what = format!("{} does not begin with {prefix}", keep.of);
            return Err(bad_value("keep.of", what));
        }
        if keep.millis > KeepDecision::MILLIS_MAX {
            let most = KeepDecision::MILLIS_MAX;
            let what = format!("an answer is kept for at most {most} ms");
            return Err(limit("keep.millis", u64::from(most), what));
        }
        self.timer_value("keep.millis", keep.millis)
    }

    /// A leg that can be bridged now.
    pub(crate) fn free_leg(&self, id: LegId) -> Result<(), Refusal> {
        let leg = self.live(id)?;
        if leg.is_free() {
            return Ok(());
        }
        let state = match leg.state {
            State::Answered if leg.peer.is_some() => "bridged",
            State::Answered if leg.waits_for.is_some() => "waits for a dialled leg",
            State::Answered => "transfer",
            other => crate::leg::state_name(other),
        };
        Err(wrong_state("leg", state, format!("leg {id} cannot be bridged: {state}")))
    }

    /// A timer of a command: from 1 ms to the limit.
    pub(crate) fn timer_value(&self, field: &str, millis: u32) -> Result<(), Refusal> {
        let most = self.settings.limits.timer_millis;
        match millis {
            0 => Err(bad_value(field, format!("{field} must be at least 1 ms"))),
            m if m > most => {
                Err(limit(field, u64::from(most), format!("{field} is at most {most} ms")))
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn prompt_exists(&self, field: &str, prompt: &str) -> Result<(), Refusal> {
        match self.names.prompt(prompt) {
            Some(_) => Ok(()),
            None => Err(bad_value(field, format!("there is no prompt named {prompt}"))),
        }
    }

    /// Finds a channel and makes the leg on it. Nothing is changed when refused.
    pub(crate) fn place(
        &mut self,
        group: &str,
        called: Number,
        calling: Option<Number>,
        call: Option<CallId>,
    ) -> Result<(LegId, CallId), Refusal> {
        if !self.lease.present {
            let what = "nothing is dialled without a controller";
            return Err(Refusal::new(RefusalCode::NotController, "dial", what));
        }
        check_number("called", &called, 1)?;
        calling.as_ref().map_or(Ok(()), |n| check_number("calling", n, 0))?;
        if let Some(call) = call
            && (call.instance != self.instance || call.number > self.last_call || call.number == 0)
        {
            let what = format!("there was no call {call}");
            return Err(Refusal::new(RefusalCode::UnknownCall, "call", what));
        }
        let legs_max = self.settings.limits.legs;
        if self.legs.len() >= legs_max as usize {
            let what = format!("at most {legs_max} legs at a time");
            return Err(limit("legs", u64::from(legs_max), what));
        }
        let Some(index) = self.groups.iter().position(|g| g.settings.name == group) else {
            return Err(bad_value("group", format!("there is no group named {group}")));
        };
        self.can_dial(index, &called, calling.as_ref())?;
        let (index, span, timeslot) =
            self.take_channel_or_overflow(index, &called, calling.as_ref())?;
        let own = self.groups.get(index).map(|g| (&g.settings.number, g.settings.number_always));
        let calling = match own {
            Some((Some(number), always)) if always || calling.is_none() => Some(number.clone()),
            _ => calling,
        };
        let call = match call {
            Some(call) => call,
            None => self.next_call(),
        };
        let id = self.next_leg();
        let Some(on) = self.spans.get_mut(span) else {
            return Err(Refusal::new(RefusalCode::NoChannel, "group", "no free channel"));
        };
        let (key, channel) = (on.next_key(), on.channel(timeslot));
        let mut leg = Leg::new(id, call, Direction::Outbound, (span, key), self.now);
        leg.group = index;
        leg.channel = Some(channel);
        leg.last_channel = Some(channel);
        leg.called = called;
        leg.calling = calling;
        self.enrol(leg);
        Ok((id, call))
    }

    /// A channel of this group, else of the one it overflows into, and so on: the settings know no circle. The
    /// refusal is the first group's, which is what was asked for.
    fn take_channel_or_overflow(
        &mut self,
        first: usize,
        called: &Number,
        calling: Option<&Number>,
    ) -> Result<(usize, usize, Timeslot), Refusal> {
        let refusal = match self.take_channel(first) {
            Ok((span, timeslot)) => return Ok((first, span, timeslot)),
            Err(refusal) => refusal,
        };
        let mut index = first;
        while let Some(next) = self.overflow_of(index) {
            let can = self.can_dial(next, called, calling).is_ok();
            if let Some((span, timeslot)) = can.then(|| self.take_channel(next).ok()).flatten() {
                if let Some(group) = self.groups.get_mut(first) {
                    group.overflowed += 1;
                }
                return Ok((next, span, timeslot));
            }
            index = next;
        }
        Err(refusal)
    }
    /// Whether the rules of a group make numbers of these that can be dialled.
    fn can_dial(
        &self,
        index: usize,
        called: &Number,
        calling: Option<&Number>,
    ) -> Result<(), Refusal> {
        let Some(group) = self.groups.get(index) else { return Ok(()) };
        let (name, numbers) = (&group.settings.name, &group.settings.numbers);
        let refused = |field: &'static str, rules: &'static str| {
            move |why| bad_value(field, format!("{rules} of group {name}: {why}"))
        };
        numbers.called_out.dialled(called, 1).map_err(refused("called", "called_out"))?;
        let calling = match (&group.settings.number, calling) {
            (Some(own), given) if given.is_none() || group.settings.number_always => Some(own),
            (_, given) => given,
        };
        let calling = calling.map(|number| numbers.calling_out.dialled(number, 0));
        calling.transpose().map(drop).map_err(refused("calling", "calling_out"))
    }
    fn overflow_of(&self, index: usize) -> Option<usize> {
        let name = self.groups.get(index)?.settings.overflow.as_ref()?;
        self.groups.iter().position(|group| group.settings.name == *name)
    }

    fn take_channel(&mut self, index: usize) -> Result<(usize, Timeslot), Refusal> {
        let (now, guard) = (self.now, self.settings.timing.guard_millis);
        let Some(group) = self.groups.get_mut(index) else {
            return Err(Refusal::new(RefusalCode::NoChannel, "group", "no such group"));
        };
        let name = &group.settings.name;
        if group.in_use >= group.capacity {
            let most = u64::from(group.capacity);
            return Err(limit("capacity", most, format!("group {name} carries {most} calls")));
        }
        if !group.any_up(&self.spans) {
            let what = format!("no span of group {name} is in service");
            return Err(Refusal::new(RefusalCode::SpanDown, "group", what));
        }
        let Some(found) = group.hunt(&self.spans, now, guard, &[]) else {
            let what = format!("group {name} has no free channel");
            return Err(Refusal::new(RefusalCode::NoChannel, "group", what));
        };
        if group.bucket.as_mut().is_some_and(|bucket| !bucket.take(now)) {
            let rate = group.settings.rate.map_or(0, |r| u64::from(r.per_second));
            let what = format!("group {name} takes {rate} calls a second");
            return Err(limit("rate", rate, what));
        }
        group.dialled += 1;
        Ok(found)
    }

    /// Sends the SETUP of a placed leg and starts its clocks.
    pub(crate) fn send_setup(&mut self, id: LegId, no_answer_millis: u32) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let group = self.groups.get(leg.group).and_then(|g| g.settings.no_answer_millis);
        let no_answer_millis = group.map_or(no_answer_millis, |most| most.min(no_answer_millis));
        leg.dialled.no_answer_millis = no_answer_millis;
        self.set_timer(Timer::Leg(id, LegTimer::NoAnswer), no_answer_millis);
        self.set_timer(Timer::Leg(id, LegTimer::Stuck), self.settings.timing.stuck_dialling_millis);
        self.order_call(id);
    }

    pub(crate) fn tell_dialling(&mut self, operation: call::OperationId, id: LegId) {
        let Some(leg) = self.legs.get(&id) else { return };
        let Some(channel) = leg.channel.map(place) else { return };
        self.event(CallEvent::Dialling { operation, leg: id, call: leg.call, channel });
    }

    fn order_call(&mut self, id: LegId) {
        let Some(leg) = self.legs.get(&id) else { return };
        let (Some(span), Some(channel)) = (self.spans.get(leg.span), leg.channel) else { return };
        let numbers = self.groups.get(leg.group).map(|group| &group.settings.numbers);
        let called =
            numbers.map_or_else(|| leg.called.clone(), |n| n.called_out.apply(&leg.called));
        let calling = leg.calling.as_ref().map(|calling| match numbers {
            Some(numbers) => numbers.calling_out.apply(calling),
            None => calling.clone(),
        });
        let order = Order::Call(Outgoing {
            key: leg.key,
            // A network settles the channel with its SETUP; a user leaves it the choice. Q.931, §5.1.2, §5.2.3.1.
            channel: ChannelWish {
                timeslot: channel.timeslot,
                exclusive: span.side == Side::Network,
            },
            called,
            calling,
            name: leg.dialled.name.clone(),
            redirecting: leg.dialled.diverted.as_ref().map(|diverted| Redirecting {
                number: numbers.map_or_else(
                    || diverted.from.clone(),
                    |numbers| numbers.calling_out.apply(&diverted.from),
                ),
                reason: diverted.reason.bits(),
            }),
            law: span.law,
        });
        self.order(leg.span, order);
    }

    /// Whether an ended leg only collided with another call on its channel: the engine says so, or the far end
    /// refused the channel (44, 6) before it said anything else.
    pub(crate) fn collided(&self, leg: &Leg, clearing: Clearing, glare: bool) -> bool {
        let refused = [Cause::CHANNEL_NOT_AVAILABLE, Cause::CHANNEL_UNACCEPTABLE];
        let displaced_34 = clearing.cause == Cause::NO_CIRCUIT && leg.channel.is_none();
        leg.direction == Direction::Outbound
            && leg.state == State::Dialling
            && leg.answered.is_none()
            && leg.alerted.is_none()
            && leg.end.is_none_or(|end| end.note.is_none())
            && (glare || displaced_34 || (refused.contains(&clearing.cause) && !leg.settled))
    }

    /// Tries a collided call at once on another channel, unnoticed. `false`: no more tries, or no channel.
    pub(crate) fn dial_again(&mut self, id: LegId) -> bool {
        let retries = usize::from(self.settings.limits.glare_retries);
        let Some(leg) = self.legs.get(&id) else { return false };
        let mut collisions = leg.dialled.collisions.clone();
        collisions.extend(leg.channel);
        if collisions.len() > retries || !self.lease.may_dial() {
            return false;
        }
        self.end_recording(id);
        let Some(old) = self.legs.get(&id).cloned() else { return false };
        let Some((group, span, timeslot)) = self.another_channel(&old, &collisions) else {
            return false;
        };
        self.change_group(id, group);
        self.give_back(&old);
        self.keys.remove(&(old.span, old.key));
        let Some(on) = self.spans.get_mut(span) else { return false };
        let (key, channel) = (on.next_key(), on.channel(timeslot));
        if let Some(slot) = on.slot_mut(timeslot) {
            slot.leg = Some(id);
        }
        self.keys.insert((span, key), id);
        if let Some(on) = old.channel.filter(|_| old.settled) {
            self.pipeline(dsp::pipeline::Command::Clear { on });
        }
        let Some(leg) = self.legs.get_mut(&id) else { return false };
        leg.state = State::Dialling;
        leg.end = None;
        leg.settled = false;
        leg.in_band = false;
        leg.source = None;
        leg.listen = dsp::ears::Listen::default();
        (leg.span, leg.key, leg.channel) = (span, key, Some(channel));
        leg.last_channel = Some(channel);
        leg.dialled.collisions = collisions;
        self.counters.glare_retries += 1;
        self.order_call(id);
        self.event(CallEvent::Moved { leg: id, channel: place(channel), glare: true });
        true
    }

    /// A channel for a call that collided: of its group, else of one the group overflows into that has room.
    fn another_channel(
        &self,
        leg: &Leg,
        collisions: &[tdm::Channel],
    ) -> Option<(usize, usize, Timeslot)> {
        let first = leg.group;
        let (now, guard) = (self.now, self.settings.timing.guard_millis);
        let mut index = first;
        loop {
            let group = self.groups.get(index)?;
            // In its own group the call has its place already.
            let has_room = index == first || group.in_use < group.capacity;
            let can = self.can_dial(index, &leg.called, leg.calling.as_ref()).is_ok();
            let found = group.hunt(&self.spans, now, guard, collisions).filter(|_| has_room && can);
            if let Some((span, timeslot)) = found {
                return Some((index, span, timeslot));
            }
            index = self.overflow_of(index)?;
        }
    }
    fn change_group(&mut self, id: LegId, to: usize) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let from = std::mem::replace(&mut leg.group, to);
        if from == to {
            return;
        }
        if let Some(group) = self.groups.get_mut(from) {
            group.in_use = group.in_use.saturating_sub(1);
            group.overflowed += 1;
        }
        if let Some(group) = self.groups.get_mut(to) {
            group.in_use = group.in_use.saturating_add(1);
            group.dialled += 1;
        }
    }

    /// The no-answer timer ran out.
    pub(crate) fn nobody_answered(&mut self, id: LegId) {
        let Some(leg) = self.legs.get(&id) else { return };
        let millis = leg.dialled.no_answer_millis;
        if leg.state == State::Dialling {
            self.clear(id, Cause::NORMAL_CLEARING, Note::NoAnswer { millis });
        }
    }
}

fn check_number(field: &str, number: &Number, at_least: usize) -> Result<(), Refusal> {
    let digits = &number.digits;
    if digits.len() > DIGITS_MAX {
        let what = format!("a number has at most {DIGITS_MAX} digits");
        return Err(limit(field, DIGITS_MAX as u64, what));
    }
    if digits.len() < at_least {
        return Err(bad_value(field, String::from("a number has at least one digit")));
    }
    match digits.chars().find(|c| !matches!(c, '0'..='9' | '*' | '#')) {
        None => Ok(()),
        Some(c) => Err(bad_value(field, format!("digits are 0 to 9, * and #, not {c:?}"))),
    }
}
