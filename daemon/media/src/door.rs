//! Incoming calls: who is let in, who is refused at the door, and how those inside are rung for and answered.

use call::{
    Accepted, CallEvent, Cause, ChannelState, Direction, Diversion, DiversionReason, LegId, Number,
    Presentation, Refusal,
};
use signalling::{IncomingCall, Order};
use tdm::Channel;

use crate::leg::{Leg, State, place, state_name};
use crate::machine::{LegTimer, Media, Timer, wrong_state};

/// Why a call does not come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Door {
    /// 34: no group, or the channel is not in use.
    NoChannel,
    /// 17: the group carries as many calls as it may.
    Full,
    /// 42: calls come faster than the group may take them.
    TooFast,
    /// 42: signalling is behind, or the table of legs is full.
    Overload,
    /// 44: the channel it named is taken.
    Taken,
}

impl Door {
    const fn cause(self) -> Cause {
        match self {
            Self::NoChannel => Cause::NO_CIRCUIT,
            Self::Full => Cause::USER_BUSY,
            Self::TooFast | Self::Overload => Cause::SWITCH_CONGESTION,
            Self::Taken => Cause::CHANNEL_NOT_AVAILABLE,
        }
    }
}

/// Whether a caller does not want to be known.
pub(crate) fn is_withheld(calling: Option<&Number>) -> bool {
    calling.is_some_and(|number| number.presentation == Presentation::Restricted)
}

impl Media {
    /// SETUP came in.
    pub(crate) fn incoming(&mut self, span: usize, mut incoming: IncomingCall) {
        if self.keys.contains_key(&(span, incoming.key)) {
            self.counters.stray_events += 1;
            return;
        }
        let group = self.spans.get(span).and_then(|s| s.slot(incoming.timeslot)?.group);
        if let Some(group) = group.and_then(|g| self.groups.get_mut(g)) {
            group.offered += 1;
            let numbers = &group.settings.numbers;
            incoming.called = numbers.called_in.apply(&incoming.called);
            incoming.calling = incoming.calling.map(|n| numbers.calling_in.apply(&n));
            if let Some(from) = &mut incoming.redirecting {
                from.number = numbers.calling_in.apply(&from.number);
            }
        }
        match self.admit(span, group, &incoming) {
            Ok((group, channel)) => self.let_in(span, group, channel, incoming),
            Err(why) => self.refuse(span, group, incoming, why),
        }
    }

    /// Whether there is a place for this call. Overload is refused first: it must cost least.
    fn admit(
        &mut self,
        index: usize,
        group: Option<usize>,
        incoming: &IncomingCall,
    ) -> Result<(usize, Channel), Door> {
        let late = u64::from(self.settings.timing.queue_age_millis) * 1000;
        let legs_max = self.settings.limits.legs as usize;
        if self.queue_age_micros > late || self.legs.len() >= legs_max {
            return Err(Door::Overload);
        }
        let group_index = group.ok_or(Door::NoChannel)?;
        let span = self.spans.get(index).ok_or(Door::NoChannel)?;
        let channel = span.channel(incoming.timeslot);
        let slot = span.slot(incoming.timeslot).ok_or(Door::NoChannel)?;
        let state = span.state_for_caller(slot);
        let displaced = slot.leg.filter(|leg| self.gives_way(*leg));
        match state {
            ChannelState::Idle => {}
            ChannelState::Busy if displaced.is_some() => {}
            ChannelState::Busy => return Err(Door::Taken),
            ChannelState::Blocked | ChannelState::Draining | ChannelState::OutOfService => {
                return Err(Door::NoChannel);
            }
        }
        let now = self.now;
        let group = self.groups.get_mut(group_index).ok_or(Door::NoChannel)?;
        if group.in_use >= group.capacity {
            return Err(Door::Full);
        }
        if group.bucket.as_mut().is_some_and(|bucket| !bucket.take(now)) {
            return Err(Door::TooFast);
        }
        displaced.into_iter().for_each(|leg| self.displace(leg));
        Ok((group_index, channel))
    }

    /// Whether an outgoing call on a channel gives way to an incoming one: the far end has not answered it yet, so
    /// it will be refused or moved. (Q.931, annex D: the network's call keeps the channel.)
    pub(crate) fn gives_way(&self, leg: LegId) -> bool {
        self.legs.get(&leg).is_some_and(|leg| {
            leg.direction == Direction::Outbound && leg.state == State::Dialling && !leg.settled
        })
    }

    pub(crate) fn displace(&mut self, id: LegId) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        if let Some(channel) = leg.channel.take() {
            leg.dialled.collisions.push(channel);
            if let Some(slot) = self.slot_mut(channel) {
                slot.leg = None;
            }
        }
    }

    fn let_in(&mut self, span: usize, group: usize, channel: Channel, incoming: IncomingCall) {
        let (id, call) = (self.next_leg(), self.next_call());
        let key = incoming.key;
        let mut leg = Leg::new(id, call, Direction::Inbound, (span, key), self.now);
        leg.group = group;
        leg.channel = Some(channel);
        leg.last_channel = Some(channel);
        leg.settled = true;
        leg.called = incoming.called;
        leg.calling = incoming.calling;
        let diverted = incoming.redirecting.map(|from| Diversion {
            from: from.number,
            reason: DiversionReason::from_bits(from.reason),
        });
        let event = CallEvent::Incoming {
            leg: id,
            call,
            group: self.group_name(group),
            channel: place(channel),
            called: leg.called.clone(),
            calling: leg.calling.clone(),
            // A number that is withheld takes its owner's name along.
            name: incoming.name.filter(|_| !is_withheld(leg.calling.as_ref())),
            diverted,
        };
        self.enrol(leg);
        self.order(span, Order::Proceed { key });
        self.set_timer(Timer::Leg(id, LegTimer::Stuck), self.settings.timing.stuck_offered_millis);
        self.event(event);
        self.offered_to_nobody(id);
    }

    /// A leg begins.
    pub(crate) fn enrol(&mut self, leg: Leg) {
        if let Some(slot) = leg.channel.and_then(|channel| self.slot_mut(channel)) {
            slot.leg = Some(leg.id);
        }
        if let Some(group) = self.groups.get_mut(leg.group) {
            group.in_use = group.in_use.saturating_add(1);
        }
        self.keys.insert((leg.span, leg.key), leg.id);
        self.counters.legs_begun += 1;
        self.legs.insert(leg.id, leg);
    }

    pub(crate) fn group_name(&self, group: usize) -> String {
        self.groups.get(group).map(|g| g.settings.name.clone()).unwrap_or_default()
    }

    fn refuse(&mut self, span: usize, group: Option<usize>, incoming: IncomingCall, why: Door) {
        let counters = &mut self.counters;
        *match why {
            Door::NoChannel => &mut counters.refused_no_channel,
            Door::Full => &mut counters.refused_capacity,
            Door::TooFast => &mut counters.refused_rate,
            Door::Overload => &mut counters.refused_overload,
            Door::Taken => &mut counters.refused_channel,
        } += 1;
        if let Some(group) = group.and_then(|g| self.groups.get_mut(g)) {
            group.refused += 1;
        }
        let cause = why.cause();
        self.order(span, Order::Clear { key: incoming.key, cause, in_band: false });
        let event = CallEvent::Refused {
            call: self.next_call(),
            group: group.map(|g| self.group_name(g)).unwrap_or_default(),
            called: incoming.called,
            calling: incoming.calling,
            cause,
        };
        self.event(event);
    }

    /// ALERTING with our ring-back tone.
    pub(crate) fn alert(&mut self, id: LegId) -> Result<Accepted, Refusal> {
        let leg = self.live(id)?;
        if leg.state != State::Offered || leg.alerted.is_some() {
            let what = format!("leg {id} does not wait for an alert");
            return Err(wrong_state("leg", state_name(leg.state), what));
        }
        self.ring(id);
        Ok(Accepted::default())
    }

    /// Rings for the caller of an offered leg.
    pub(crate) fn ring(&mut self, id: LegId) {
        let now = self.now;
        let Some(leg) = self.legs.get_mut(&id) else { return };
        leg.alerted = Some(now);
        leg.in_band = true;
        let (span, key) = (leg.span, leg.key);
        self.order(span, Order::Alert { key, in_band: true });
        self.settle(id);
    }

    /// CONNECT.
    pub(crate) fn answer(&mut self, id: LegId) -> Result<Accepted, Refusal> {
        let leg = self.live(id)?;
        if leg.state != State::Offered {
            let what = format!("leg {id} cannot be answered");
            return Err(wrong_state("leg", state_name(leg.state), what));
        }
        let Some(leg) = self.legs.get_mut(&id) else { return Ok(Accepted::default()) };
        leg.state = State::Answering;
        leg.announced = false;
        let (span, key) = (leg.span, leg.key);
        self.timers.cancel(Timer::Leg(id, LegTimer::Orphan));
        let millis = self.settings.timing.stuck_answering_millis;
        self.set_timer(Timer::Leg(id, LegTimer::Stuck), millis);
        self.order(span, Order::Connect { key });
        self.settle(id);
        Ok(Accepted::default())
    }
}
