//! Lines, links, restarts, channels out of use, and the watch over stuck calls.

use call::{Accepted, CallEvent, Cause, ChannelState, LegId, Location, Refusal, RefusalCode};
use signalling::{Clearing, Order, ServiceStatus, Timeslots};
use tdm::{Alarm, Alarms, Channel, Instant, SpanId, Timeslot};

use crate::leg::{End, State};
use crate::machine::{Media, Timer};
use crate::names::bad_value;
use crate::outcome::Note;
use crate::trunk::Span;

/// A channel whose RESTART failed is restarted again after this.
const RESTART_AGAIN_MILLIS: u32 = 60_000;

/// An alarm in a word.
pub(crate) const fn alarm_name(alarm: Alarm) -> &'static str {
    match alarm {
        Alarm::LossOfSignal => "loss_of_signal",
        Alarm::LossOfFrame => "loss_of_frame",
        Alarm::AlarmIndication => "alarm_indication",
        Alarm::RemoteAlarm => "remote_alarm",
        Alarm::BoardGone => "board_gone",
        Alarm::MultiframeLost => "multiframe_lost",
        Alarm::MultiframeRemote => "multiframe_remote",
    }
}

impl Media {
    pub(crate) fn line_changed(&mut self, index: usize, up: bool, alarms: Alarms) {
        let Some(span) = self.spans.get_mut(index) else { return };
        let before = std::mem::replace(&mut span.alarms, alarms);
        let turned = std::mem::replace(&mut span.up, up) != up;
        let number = span.id.number() as u8;
        let gone = alarms.has(Alarm::BoardGone) && !before.has(Alarm::BoardGone);
        let changed = before
            .iter()
            .filter(|&a| !alarms.has(a))
            .map(|a| (a, false))
            .chain(alarms.iter().filter(|&a| !before.has(a)).map(|a| (a, true)));
        for (alarm, on) in changed {
            let alarm = String::from(alarm_name(alarm));
            self.event(CallEvent::Alarm { span: number, alarm, on });
        }
        if gone {
            self.board_gone(index);
        }
        if turned {
            self.order(index, Order::Line { up });
        }
    }

    /// The board of a span is gone: nothing can be said or heard on it any more. Answered calls end with 41, the
    /// others with 27 (destination out of order).
    fn board_gone(&mut self, index: usize) {
        if let Some(span) = self.spans.get_mut(index) {
            span.restart_owed = true;
        }
        let legs: Vec<LegId> =
            self.legs.values().filter(|leg| leg.span == index).map(|leg| leg.id).collect();
        for id in legs {
            let answered = self.legs.get(&id).is_some_and(|leg| leg.answered.is_some());
            let cause = match answered {
                true => Cause::TEMPORARY_FAILURE,
                false => Cause::DESTINATION_OUT_OF_ORDER,
            };
            self.clear(id, cause, Note::BoardGone);
            let clearing = Clearing { cause, location: Location::User, by_far_end: false };
            self.finish(id, clearing);
        }
    }

    pub(crate) fn link_changed(&mut self, index: usize, up: bool) {
        let Some(span) = self.spans.get_mut(index) else { return };
        let number = span.id.number() as u8;
        if std::mem::replace(&mut span.link, up) != up {
            self.event(CallEvent::Link { span: number, up });
        }
        let Some(span) = self.spans.get_mut(index) else { return };
        let owed = up && std::mem::take(&mut span.restart_owed);
        if up && !(owed && span.restarts) {
            self.announce_closed(index, None);
        }
        let Some(span) = self.spans.get_mut(index) else { return };
        if owed && span.restarts {
            span.restarting = span.slots().map(|(timeslot, _)| timeslot).collect();
            self.order(index, Order::Restart { timeslot: None });
        }
    }

    /// Whoever carries out what the call server decides is behind: far ends keep what they have to say until it is told
    /// that that is over. Tell it at every change.
    pub fn behind(&mut self, now: Instant, on: bool) {
        self.at(now);
        for index in 0..self.spans.len() {
            self.order(index, Order::Behind { on });
        }
        self.run();
    }

    /// A channel, or the whole interface, was restarted by the far end, or by us and acknowledged. Calls on it were
    /// ended by the engine, each with its own event.
    pub(crate) fn restarted(&mut self, index: usize, timeslot: Option<Timeslot>) {
        let Some(span) = self.spans.get_mut(index) else { return };
        let mut changed;
        match timeslot {
            None => {
                changed = !std::mem::take(&mut span.restarting).is_empty();
                for (_, slot) in span.slots_mut() {
                    changed |= std::mem::take(&mut slot.failed);
                }
            }
            // Of an interface that is restarted channel by channel, each is there again by itself.
            Some(t) => {
                changed = span.restarting.has(t);
                span.restarting = span.restarting.with(t, false);
                if let Some(slot) = span.slot_mut(t) {
                    changed |= std::mem::take(&mut slot.failed);
                }
            }
        }
        let span_id = span.id;
        for t in (0..tdm::TIMESLOTS).filter_map(Timeslot::new) {
            if timeslot.is_none_or(|only| only == t) {
                self.timers.cancel(Timer::Restart(Channel { span: span_id, timeslot: t }));
            }
        }
        if changed {
            self.channel_event(index, timeslot, ChannelState::Idle);
        }
        self.announce_closed(index, timeslot);
    }

    /// The engine gave a channel up.
    pub(crate) fn channel_failed(&mut self, index: usize, timeslot: Timeslot) {
        let Some(span) = self.spans.get_mut(index) else { return };
        let channel = span.channel(timeslot);
        let Some(slot) = span.slot_mut(timeslot) else { return };
        // Out of service by the channel from now on; the rest of the interface goes on.
        slot.failed = true;
        span.restarting = span.restarting.with(timeslot, false);
        self.set_timer(Timer::Restart(channel), RESTART_AGAIN_MILLIS);
        self.channel_event(index, Some(timeslot), ChannelState::OutOfService);
    }

    /// The far end said what a channel is good for, or agreed with what we said.
    pub(crate) fn far_end_serves(
        &mut self,
        index: usize,
        timeslot: Timeslot,
        status: ServiceStatus,
    ) {
        let Some(span) = self.spans.get_mut(index) else { return };
        let Some(slot) = span.slot_mut(timeslot) else { return };
        let is_out = status != ServiceStatus::InService;
        if std::mem::replace(&mut slot.far_out, is_out) == is_out {
            return;
        }
        if let Some(state) = span.slot(timeslot).map(|slot| span.state(timeslot, slot)) {
            self.channel_event(index, Some(timeslot), state);
        }
    }

    pub(crate) fn restart_again(&mut self, channel: Channel) {
        let Some(index) = self.spans.iter().position(|s| s.id == channel.span) else { return };
        let failed = self
            .spans
            .get(index)
            .and_then(|s| s.slot(channel.timeslot))
            .is_some_and(|slot| slot.failed);
        if failed {
            self.set_timer(Timer::Restart(channel), RESTART_AGAIN_MILLIS);
            self.order(index, Order::Restart { timeslot: Some(channel.timeslot) });
        }
    }

    /// A leg was in one state for too long: something is lost, and nobody but us will find it.
    pub(crate) fn stuck(&mut self, id: LegId) {
        let Some(leg) = self.legs.get(&id) else { return };
        let (index, channel, end) = (leg.span, leg.channel, leg.end);
        let (cause, what) = match leg.state {
            State::Offered => (Cause::TIMER_EXPIRY, "offered"),
            State::Answering => (Cause::TEMPORARY_FAILURE, "answering"),
            State::Dialling => (Cause::TIMER_EXPIRY, "dialling"),
            State::Ending => (Cause::TEMPORARY_FAILURE, "ending"),
            State::Answered | State::Listening => return,
        };
        self.counters.stuck += 1;
        if leg.state != State::Ending {
            return self.clear(id, cause, Note::Stuck(what));
        }
        // The engine does not let go of it. The channel is not to be trusted until it was restarted.
        if let Some(channel) = channel {
            if let Some(slot) = self.slot_mut(channel) {
                slot.failed = true;
            }
            self.channel_event(index, Some(channel.timeslot), ChannelState::OutOfService);
            self.set_timer(Timer::Restart(channel), RESTART_AGAIN_MILLIS);
            self.order(index, Order::Restart { timeslot: Some(channel.timeslot) });
        }
        let clearing = match end {
            Some(End { clearing, .. }) => clearing,
            None => Clearing { cause, location: Location::User, by_far_end: false },
        };
        self.finish(id, clearing);
    }

    /// Span and timeslot of a command, both as people count them.
    fn place_of(
        &self,
        span: u8,
        timeslot: Option<u8>,
    ) -> Result<(usize, Option<Timeslot>), Refusal> {
        let id = usize::from(span).checked_sub(1).and_then(SpanId::new);
        let index = id.and_then(|id| self.spans.iter().position(|s| s.id == id));
        let Some(index) = index else {
            return Err(bad_value("span", format!("there is no span {span}")));
        };
        let Some(number) = timeslot else { return Ok((index, None)) };
        let slot = Timeslot::new(usize::from(number));
        match slot.filter(|&t| self.spans.get(index).is_some_and(|s| s.slot(t).is_some())) {
            Some(slot) => Ok((index, Some(slot))),
            None => {
                let what = format!("timeslot {number} of span {span} carries no calls");
                Err(bad_value("timeslot", what))
            }
        }
    }

    fn set_use(
        &mut self,
        (index, timeslot): (usize, Option<Timeslot>),
        blocked: bool,
        draining: bool,
    ) -> ChannelState {
        let Some(span) = self.spans.get_mut(index) else { return ChannelState::OutOfService };
        match timeslot {
            None => {
                (span.blocked, span.draining) = (blocked, draining);
                match (blocked, draining) {
                    (true, _) => ChannelState::Blocked,
                    (false, true) => ChannelState::Draining,
                    (false, false) if span.in_use() => ChannelState::Idle,
                    (false, false) => ChannelState::OutOfService,
                }
            }
            Some(t) => {
                if let Some(slot) = span.slot_mut(t) {
                    (slot.blocked, slot.draining) = (blocked, draining);
                }
                span.slot(t).map_or(ChannelState::OutOfService, |slot| span.state(t, slot))
            }
        }
    }

    pub(crate) fn block(&mut self, span: u8, timeslot: Option<u8>) -> Result<Accepted, Refusal> {
        self.use_command(span, timeslot, true, false)
    }

    pub(crate) fn unblock(&mut self, span: u8, timeslot: Option<u8>) -> Result<Accepted, Refusal> {
        self.use_command(span, timeslot, false, false)
    }

    pub(crate) fn drain_channels(
        &mut self,
        span: u8,
        timeslot: Option<u8>,
    ) -> Result<Accepted, Refusal> {
        let accepted = self.use_command(span, timeslot, false, true)?;
        let (index, timeslot) = self.place_of(span, timeslot)?;
        self.tell_if_empty(index, timeslot);
        Ok(accepted)
    }

    /// RESTART, by hand: what is stuck at either end is idle afterwards.
    pub(crate) fn restart_command(
        &mut self,
        span: u8,
        timeslot: Option<u8>,
    ) -> Result<Accepted, Refusal> {
        let (index, timeslot) = self.place_of(span, timeslot)?;
        if !self.spans.get(index).is_some_and(|span| span.link) {
            let what = format!("the D-channel of span {span} is down");
            return Err(Refusal::new(RefusalCode::SpanDown, "span", what));
        }
        self.order(index, Order::Restart { timeslot });
        Ok(Accepted::default())
    }

    fn use_command(
        &mut self,
        span: u8,
        timeslot: Option<u8>,
        blocked: bool,
        draining: bool,
    ) -> Result<Accepted, Refusal> {
        let place = self.place_of(span, timeslot)?;
        let before = self.spans.get(place.0).map(Span::open).unwrap_or_default();
        let state = self.set_use(place, blocked, draining);
        self.tell_use(place, before);
        self.channel_event(place.0, place.1, state);
        Ok(Accepted::default())
    }
    /// The engine hears what new calls may have, and the far end too, where there are words for it.
    fn tell_use(&mut self, (index, only): (usize, Option<Timeslot>), before: Timeslots) {
        let Some(span) = self.spans.get_mut(index) else { return };
        let open = span.open();
        let named = |t: Timeslot| only.is_none_or(|only| only == t);
        let mut back = Timeslots::NONE;
        for (timeslot, slot) in span.slots_mut().filter(|(t, _)| named(*t) && open.has(*t)) {
            // Whoever took it out: now it is wanted, and the far end may say no again.
            if std::mem::take(&mut slot.far_out) || !before.has(timeslot) {
                back = back.with(timeslot, true);
            }
        }
        self.order(index, Order::Use { channels: open });
        for timeslot in back.iter() {
            self.order(index, Order::Service { timeslot, status: ServiceStatus::InService });
        }
        if before != open {
            self.announce_closed(index, None);
        }
    }
    /// Idle channels that are blocked or drained, all or only this one: an exchange that knows maintenance messages puts
    /// no call there. One with a call is told of when that has ended.
    fn announce_closed(&mut self, index: usize, only: Option<Timeslot>) {
        let Some(span) = self.spans.get(index) else { return };
        let open = span.open();
        let named = |t: Timeslot| only.is_none_or(|only| only == t);
        let idle =
            span.slots().filter(|(t, slot)| named(*t) && !open.has(*t) && slot.leg.is_none());
        let closed: Timeslots = idle.map(|(timeslot, _)| timeslot).collect();
        for timeslot in closed.iter() {
            self.order(index, Order::Service { timeslot, status: ServiceStatus::OutOfService });
        }
    }

    /// A channel was given back: perhaps it, or its span, was the last to be drained.
    pub(crate) fn tell_drained(&mut self, index: usize, channel: Option<Channel>) {
        let Some(span) = self.spans.get(index) else { return };
        let slot = channel.and_then(|c| span.slot(c.timeslot));
        let closed = channel.filter(|c| slot.is_some() && !span.open().has(c.timeslot));
        if let Some(Channel { timeslot, .. }) = closed {
            let status = ServiceStatus::OutOfService;
            self.order(index, Order::Service { timeslot, status });
        }
        let Some(span) = self.spans.get(index) else { return };
        let slot = channel.and_then(|c| span.slot(c.timeslot));
        let (whole, single) = (span.draining, slot.is_some_and(|s| s.draining));
        if single {
            self.tell_if_empty(index, channel.map(|c| c.timeslot));
        }
        if whole {
            self.tell_if_empty(index, None);
        }
    }

    fn tell_if_empty(&mut self, index: usize, timeslot: Option<Timeslot>) {
        let Some(span) = self.spans.get(index) else { return };
        let empty = match timeslot {
            Some(t) => span.slot(t).is_some_and(|slot| slot.leg.is_none()),
            None => span.busy() == 0,
        };
        if empty {
            let (span, timeslot) = (span.id.number() as u8, timeslot.map(|t| t.index() as u8));
            self.event(CallEvent::Drained { span, timeslot });
        }
    }
}
