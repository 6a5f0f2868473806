//! The global call reference: RESTART both ways. Q.931, §5.5.

use std::collections::VecDeque;

use call::Cause;
use tdm::{Instant, Timeslot};

use super::call::Call;
use super::channels::ChannelId;
use super::compose::Composer;
use super::engine::Engine;
use super::header::{CallReference, Header, MessageType};
use super::message::{Body, RestartClass};
use crate::{Clearing, Event, Failure, RestartForm, Timeslots};

/// Q.931, §4.5.7: the states of the global call reference.
const STATE_NULL: u8 = 0;
const STATE_RESTART_REQUEST: u8 = 61;
/// Coding of the restart indicator. §4.5.25.
const CLASS_CHANNELS: u8 = 0;
const CLASS_INTERFACE: u8 = 6;

/// A RESTART that was sent this shortly ago is not repeated when the link is set up anew without a loss.
const RENEWED_MILLIS: u32 = 1000;

/// Who restarted a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Restarter {
    Us,
    FarEnd,
}

/// A RESTART of ours that is out.
#[derive(Clone, Copy, Debug)]
struct InProgress {
    what: Option<Timeslot>,
    attempts: u8,
    sent: Instant,
    due: Instant,
    /// Channels of it on which the far end called meanwhile.
    proved: Timeslots,
}

impl InProgress {
    fn covers(&self, timeslot: Timeslot) -> bool {
        let named = self.what.is_none_or(|restarted| restarted == timeslot);
        named && !self.proved.has(timeslot)
    }
}

/// Our own RESTARTs: one at a time, the others wait.
#[derive(Clone, Debug, Default)]
pub struct Restarts {
    current: Option<InProgress>,
    waiting: VecDeque<Option<Timeslot>>,
}

impl Restarts {
    /// The link is down: nobody can answer. What was out goes out anew, for the first time, when it is back.
    pub fn wait_for_link(&mut self) {
        if let Some(current) = self.current.take() {
            self.waiting.push_front(current.what);
        }
    }
    /// T316 stood still for so long.
    pub fn postpone(&mut self, micros: u64) {
        if let Some(current) = &mut self.current {
            current.due = current.due.plus_micros(micros);
        }
    }
    /// When T316 runs out.
    pub fn due(&self) -> Option<Instant> {
        self.current.map(|current| current.due)
    }
    /// Whether `timeslot` is being restarted: no new call of ours belongs there.
    pub fn covers(&self, timeslot: Timeslot) -> bool {
        let waits = |what: &Option<Timeslot>| what.is_none_or(|restarted| restarted == timeslot);
        self.current.is_some_and(|current| current.covers(timeslot))
            || self.waiting.iter().any(waits)
    }
    /// The far end calls on `timeslot`: its RESTART is waited for no longer. Whether it was.
    ///
    /// One that is out stays so: should it be acknowledged yet, the far end has ended that call.
    pub fn forgive(&mut self, timeslot: Timeslot) -> bool {
        let covered = self.covers(timeslot);
        self.waiting.retain(|what| *what != Some(timeslot));
        if let Some(current) = &mut self.current {
            current.proved = current.proved.with(timeslot, true);
        }
        covered
    }
}

impl Engine {
    /// Calls on the channels end here at once, then the peer is told.
    pub(super) fn order_restart(&mut self, now: Instant, timeslot: Option<Timeslot>) {
        let which = self.restarted(timeslot);
        self.end_on(now, which, timeslot.is_none(), Restarter::Us);
        if timeslot.is_none() && self.settings.restart_form == RestartForm::OneByOne {
            self.restart_one_by_one(which);
            return self.next_restart(now);
        }
        let current = self.restarts.current.map(|current| current.what);
        if current == Some(timeslot) || self.restarts.waiting.contains(&timeslot) {
            return;
        }
        self.restarts.waiting.push_back(timeslot);
        self.next_restart(now);
    }
    fn restarted(&self, timeslot: Option<Timeslot>) -> Timeslots {
        match timeslot {
            Some(timeslot) => Timeslots::NONE.with(timeslot, true),
            None => self.settings.channels,
        }
    }
    fn next_restart(&mut self, now: Instant) {
        if !self.link_up || self.restarts.current.is_some() {
            return;
        }
        while let Some(what) = self.restarts.waiting.pop_front() {
            let taken = self.restarted(what).iter().any(|t| self.occupant(t).is_some());
            match what {
                _ if !taken => return self.send_restart(now, what, 1),
                // The far end called on it while it waited: it is in order, and the call shall live.
                Some(timeslot) => self.in_order(timeslot),
                None => self.restart_one_by_one(self.settings.channels),
            }
        }
    }
    fn send_restart(&mut self, now: Instant, what: Option<Timeslot>, attempts: u8) {
        let due = now.plus_millis(u64::from(self.settings.timers.t316_millis));
        let proved = Timeslots::NONE;
        self.restarts.current = Some(InProgress { what, attempts, sent: now, due, proved });
        let (channels, class) = match (what, self.settings.restart_form) {
            (Some(timeslot), _) => (vec![self.settings.numbers.number(timeslot)], CLASS_CHANNELS),
            (None, RestartForm::List) => {
                let numbers = self.settings.channels.iter();
                (numbers.map(|t| self.settings.numbers.number(t)).collect(), CLASS_CHANNELS)
            }
            (None, RestartForm::Interface | RestartForm::OneByOne) => (vec![], CLASS_INTERFACE),
        };
        let message = Self::global_message(MessageType::Restart, false)
            .channel_contents(&ChannelId::list(channels))
            .restart(class);
        self.send(message);
    }
    /// The peer set up the link anew and lost nothing on it, but may be another one than the one that was asked. Who
    /// sets it up over and over does not get a RESTART each time.
    pub(super) fn restart_renewed(&mut self, now: Instant) {
        let is_fresh =
            |current: InProgress| now.micros_since(current.sent) < u64::from(RENEWED_MILLIS) * 1000;
        if !self.restarts.current.is_some_and(is_fresh) {
            self.restart_again(now);
        }
    }
    /// The link was away: what was out may be lost.
    pub(super) fn restart_again(&mut self, now: Instant) {
        let Some(current) = self.restarts.current else { return self.next_restart(now) };
        let which = self.restarted(current.what);
        if which.iter().any(|timeslot| self.occupant(timeslot).is_some()) {
            // Called on meanwhile: to send it again would end that call. T316 settles the rest.
            return;
        }
        self.send_restart(now, current.what, current.attempts);
    }
    /// T316: once more, then the channels are out of service. §5.5.1.
    pub(super) fn restart_elapsed(&mut self, now: Instant) {
        let Some(current) = self.restarts.current.filter(|current| current.due <= now) else {
            return;
        };
        self.tell(Event::RestartUnanswered { timeslot: current.what });
        let which = self.restarted(current.what);
        let carries = which.iter().any(|timeslot| self.occupant(timeslot).is_some());
        if current.attempts < self.settings.timers.n316 && !carries {
            return self.send_restart(now, current.what, current.attempts + 1);
        }
        // A RESTART more would end calls that live: the far end takes none, and works.
        self.restarts.current = None;
        for timeslot in which.iter() {
            if self.occupant(timeslot).is_some() {
                self.in_order(timeslot);
                continue;
            }
            self.failed = self.failed.with(timeslot, true);
            self.tell(Event::ChannelFailed { timeslot });
        }
        if current.what.is_none() {
            self.restart_one_by_one(self.settings.channels);
        }
        self.next_restart(now);
    }
    /// A channel proved to be good although its RESTART was not answered.
    pub(super) fn in_order(&mut self, timeslot: Timeslot) {
        self.failed = self.failed.with(timeslot, false);
        self.tell(Event::Restarted { timeslot: Some(timeslot) });
    }
    /// The peer does not take a RESTART of the whole interface; that of a channel it may.
    fn restart_one_by_one(&mut self, channels: Timeslots) {
        for timeslot in channels.iter() {
            if !self.restarts.waiting.contains(&Some(timeslot)) {
                self.restarts.waiting.push_back(Some(timeslot));
            }
        }
    }
    /// A STATUS on the global reference: a RESTART of ours is out and the peer did not do it. That of the interface
    /// is tried channel by channel then. A channel whose RESTART it does not *know* (81, 97, 98, 101) is idle there,
    /// for layer 2 works and there is no call of ours on it; one it has not got (82), or whose RESTART it knows and
    /// cannot read (96, 100), stays out.
    fn on_global_status(&mut self, now: Instant, body: &Body<'_>) {
        let Some(current) = self.restarts.current.take() else { return };
        let cause = body.cause.good().map(|element| element.cause);
        let refused = [
            Cause::CHANNEL_DOES_NOT_EXIST,
            Cause::MANDATORY_ELEMENT_MISSING,
            Cause::INVALID_ELEMENT,
        ];
        match current.what {
            None => self.restart_one_by_one(self.settings.channels),
            Some(timeslot) if cause.is_some_and(|cause| refused.contains(&cause)) => {
                if !current.proved.has(timeslot) {
                    self.failed = self.failed.with(timeslot, true);
                    self.tell(Event::ChannelFailed { timeslot });
                }
            }
            Some(timeslot) if current.proved.has(timeslot) => {}
            Some(timeslot) => {
                let which = Some(Timeslots::NONE.with(timeslot, true));
                self.came_back(now, which, Restarter::Us);
            }
        }
        self.next_restart(now);
    }

    /// A message on the global call reference.
    pub(super) fn global(&mut self, now: Instant, header: Header, body: &Body<'_>) {
        let to_us = header.call.to_originator;
        match MessageType::from_code(header.code) {
            Some(MessageType::Restart) if !to_us => self.on_restart(now, body),
            Some(MessageType::RestartAcknowledge) if to_us => {
                self.on_restart_acknowledge(now, body);
            }
            Some(MessageType::Status) if to_us => self.on_global_status(now, body),
            Some(MessageType::Status) => {}
            _ => {
                self.counters.unexpected += 1;
                self.global_status(to_us, Cause::INVALID_CALL_REFERENCE);
            }
        }
    }
    fn global_message(message: MessageType, to_originator: bool) -> Composer {
        Composer::new(CallReference { value: 0, to_originator }, message)
    }
    fn global_status(&mut self, was_to_us: bool, cause: Cause) {
        let out = was_to_us && self.restarts.current.is_some();
        let state = if out { STATE_RESTART_REQUEST } else { STATE_NULL };
        let message = Self::global_message(MessageType::Status, !was_to_us)
            .cause(cause, self.settings.location)
            .call_state(state);
        self.send(message);
    }
    /// §5.5.2: calls there end without a word, and the answer names the same channels.
    fn on_restart(&mut self, now: Instant, body: &Body<'_>) {
        self.counters.restarts += 1;
        let class = match body.restart.demand() {
            Ok(&class) => class,
            Err(cause) => return self.bad_restart(cause),
        };
        let (which, code, contents) = match class {
            RestartClass::Channels => match body.channel.demand() {
                Ok(id) if id.slots.is_empty() => {
                    return self.bad_restart(Cause::MANDATORY_ELEMENT_MISSING);
                }
                Ok(id) => (Some(id.slots), CLASS_CHANNELS, body.channel_contents),
                Err(cause) => return self.bad_restart(cause),
            },
            RestartClass::Interface => {
                let echo = body.channel.good().map_or(&[][..], |_| body.channel_contents);
                (None, CLASS_INTERFACE, echo)
            }
            RestartClass::AllInterfaces => (None, 7, &[][..]),
        };
        self.back_in_service(which.unwrap_or(self.settings.channels));
        self.came_back(now, which, Restarter::FarEnd);
        let message = Self::global_message(MessageType::RestartAcknowledge, true)
            .channel_contents(contents)
            .restart(code);
        self.send(message);
    }
    fn bad_restart(&mut self, cause: Cause) {
        self.counters.bad_element += 1;
        self.global_status(false, cause);
    }
    /// The peer is done. What it began on the channels before is void: its messages come in order.
    ///
    /// One that names other channels is a late answer to an earlier RESTART; one that names none is taken as it is.
    fn on_restart_acknowledge(&mut self, now: Instant, body: &Body<'_>) {
        let named = body.channel.good().map_or(Timeslots::NONE, |id| id.slots);
        let of_channels = body.restart.good() == Some(&RestartClass::Channels);
        let all = self.settings.channels;
        let sent_list = self.settings.restart_form == RestartForm::List;
        let meant = |current: &InProgress| match current.what {
            Some(timeslot) => named.is_empty() || named.has(timeslot),
            None if sent_list => true,
            None => !of_channels || all.iter().all(|t| named.has(t)),
        };
        let Some(current) = self.restarts.current.filter(meant) else {
            self.counters.unexpected += 1;
            return;
        };
        self.restarts.current = None;
        let left_out = Timeslots::from_bits(all.bits() & !named.bits());
        if current.what.is_none() && sent_list && !named.is_empty() && !left_out.is_empty() {
            // It knows only some of the list: the others are asked for by name.
            let known = Timeslots::from_bits(named.bits() & all.bits());
            self.came_back(now, Some(known), Restarter::Us);
            self.restart_one_by_one(left_out);
            return self.next_restart(now);
        }
        let which = current.what.map(|timeslot| Timeslots::NONE.with(timeslot, true));
        self.came_back(now, which, Restarter::Us);
        self.next_restart(now);
    }
    /// Channels are idle and in service again: those in `which`, or all.
    fn came_back(&mut self, now: Instant, which: Option<Timeslots>, whose: Restarter) {
        let slots = which.unwrap_or(self.settings.channels);
        self.end_on(now, slots, which.is_none(), whose);
        self.failed = Timeslots::from_bits(self.failed.bits() & !slots.bits());
        match which {
            None => self.tell(Event::Restarted { timeslot: None }),
            Some(slots) => {
                for timeslot in slots.iter() {
                    self.tell(Event::Restarted { timeslot: Some(timeslot) });
                }
            }
        }
    }
    /// Ends the calls on `which` without messages; `all`: those that wait for a channel too.
    fn end_on(&mut self, now: Instant, which: Timeslots, all: bool, whose: Restarter) {
        let there = |call: &Call| call.timeslot.map_or(all, |timeslot| which.has(timeslot));
        for id in self.ids(there) {
            let Some(mut call) = self.calls.remove(&id) else { continue };
            let cause = Cause::TEMPORARY_FAILURE;
            let by_far_end = whose == Restarter::FarEnd;
            if !by_far_end {
                self.explain(&call, Failure::Restart);
            }
            call.clearing.get_or_insert(Clearing { by_far_end, ..self.own(cause) });
            self.end(now, call, cause);
        }
    }
}
