//! How calls end. Q.931, §5.3.

use call::{Cause, Location};
use tdm::Instant;

use super::call::{Call, Phase, Timer, is_glare};
use super::engine::Engine;
use super::header::MessageType;
use super::message::{Body, CauseElement, Found, ProgressElement};
use crate::{Clearing, Event, Failure, Side};

impl Engine {
    /// Frees channel and reference. `cause` is the verdict unless there is one already.
    pub(super) fn end(&mut self, now: Instant, call: Call, cause: Cause) {
        let clearing = call.clearing.unwrap_or(self.own(cause));
        if let Some(timeslot) = call.timeslot {
            self.note_free(now, timeslot);
        }
        if call.announced {
            let glare = call.id.ours && !call.settled && is_glare(clearing.cause, call.collided);
            self.tell(Event::Ended { key: call.key, timeslot: call.timeslot, clearing, glare });
        }
    }
    /// Ends a call of which the peer said why.
    fn end_by_peer(&mut self, now: Instant, mut call: Call, cause: CauseElement) {
        let CauseElement { cause, location } = cause;
        call.clearing.get_or_insert(Clearing { cause, location, by_far_end: true });
        self.end(now, call, cause);
    }
    fn cause_of(body: &Body<'_>, otherwise: Cause) -> CauseElement {
        let unsaid = CauseElement { cause: otherwise, location: Location::default() };
        body.cause.good().copied().unwrap_or(unsaid)
    }
    /// What was wrong with a clearing message, for the answer to carry. §5.8.6, §5.8.7.
    fn complaint(body: &Body<'_>, cause_is_mandatory: bool) -> Option<Cause> {
        match body.cause {
            Found::Bad => Some(Cause::INVALID_ELEMENT),
            Found::Absent if cause_is_mandatory => Some(Cause::MANDATORY_ELEMENT_MISSING),
            _ if body.not_comprehended.is_some() => Some(Cause::MANDATORY_ELEMENT_MISSING),
            _ => body.unknown.map(|_| Cause::UNKNOWN_ELEMENT),
        }
    }

    pub(super) fn on_disconnect(
        &mut self,
        now: Instant,
        mut call: Call,
        body: &Body<'_>,
    ) -> Option<Call> {
        let CauseElement { cause, location } = Self::cause_of(body, Cause::NORMAL_UNSPECIFIED);
        let complaint = Self::complaint(body, true);
        match call.phase {
            Phase::Releasing => Some(call),
            // §5.3.5: both at once.
            Phase::Disconnecting | Phase::Listening => self.release(now, call, complaint),
            _ => {
                let clearing = Clearing { cause, location, by_far_end: true };
                call.clearing = Some(clearing);
                let in_band = body.has_progress(ProgressElement::IN_BAND);
                let listens = call.announced && call.timeslot.is_some();
                if in_band && listens && self.settings.side == Side::User {
                    call.phase = Phase::Listening;
                    call.timer = Timer::Listening.from(now, &self.settings.timers);
                    self.tell(Event::DisconnectInBand { key: call.key, clearing });
                    return Some(call);
                }
                if call.announced {
                    self.tell(Event::Clearing { key: call.key, clearing });
                }
                self.release(now, call, complaint)
            }
        }
    }
    pub(super) fn on_release(&mut self, now: Instant, call: Call, body: &Body<'_>) -> Option<Call> {
        // §5.3.5: when both released, nobody answers.
        if call.phase != Phase::Releasing {
            let first = !call.is_clearing();
            let complaint = Self::complaint(body, first);
            let complete = self
                .compose(&call, MessageType::ReleaseComplete)
                .cause_if(complaint, self.settings.location);
            self.send(complete);
        }
        self.end_by_peer(now, call, Self::cause_of(body, Cause::NORMAL_UNSPECIFIED));
        None
    }
    pub(super) fn on_release_complete(
        &mut self,
        now: Instant,
        call: Call,
        body: &Body<'_>,
    ) -> Option<Call> {
        self.end_by_peer(now, call, Self::cause_of(body, Cause::NORMAL_UNSPECIFIED));
        None
    }

    /// RELEASE, T308.
    pub(super) fn release(
        &mut self,
        now: Instant,
        mut call: Call,
        cause: Option<Cause>,
    ) -> Option<Call> {
        call.phase = Phase::Releasing;
        call.attempts = 1;
        call.timer = Timer::T308.from(now, &self.settings.timers);
        let message =
            self.compose(&call, MessageType::Release).cause_if(cause, self.settings.location);
        self.send(message);
        Some(call)
    }
    /// T305 or T306: the peer does not go on, so we do, with the original cause. §5.3.3, §5.3.4.
    pub(super) fn release_anew(&mut self, now: Instant, call: Call) -> Option<Call> {
        let cause = call.clearing.map(|clearing| clearing.cause);
        self.release(now, call, cause)
    }
    /// T308: once more, then the channel is out of service until a RESTART brings it back. §5.3.3.
    pub(super) fn on_release_timeout(&mut self, now: Instant, mut call: Call) -> Option<Call> {
        if call.attempts < 2 {
            let cause = call.clearing.map(|clearing| clearing.cause);
            let kept = self.release(now, call, cause);
            return kept.map(|call| Call { attempts: 2, ..call });
        }
        let timeslot = call.timeslot;
        call.timer = None;
        self.end(now, call, Cause::TIMER_EXPIRY);
        // An exchange that takes no RESTART would never bring it back: should the call be there yet, it says so to the
        // next one (44), which goes to another channel.
        if let Some(timeslot) = timeslot.filter(|_| self.settings.restart_at_start) {
            self.failed = self.failed.with(timeslot, true);
            self.tell(Event::ChannelFailed { timeslot });
            self.order_restart(now, Some(timeslot));
        }
        None
    }
    /// Begins to clear for a reason of ours: DISCONNECT, T305.
    fn disconnect(&mut self, now: Instant, mut call: Call, cause: Cause) -> Option<Call> {
        call.phase = Phase::Disconnecting;
        call.timer = Timer::T305.from(now, &self.settings.timers);
        let message =
            self.compose(&call, MessageType::Disconnect).cause(cause, self.settings.location);
        self.send(message);
        Some(call)
    }
    /// Something on this interface failed: the call server hears of it and the peer too.
    pub(super) fn fail(&mut self, now: Instant, mut call: Call, cause: Cause) -> Option<Call> {
        let clearing = *call.clearing.get_or_insert(self.own(cause));
        if call.announced {
            self.tell(Event::Clearing { key: call.key, clearing });
        }
        self.disconnect(now, call, cause)
    }
    /// A timer ran out: 102 for the peer, `verdict` for the call server.
    pub(super) fn timed_out(
        &mut self,
        now: Instant,
        mut call: Call,
        verdict: Cause,
        timer: &'static str,
    ) -> Option<Call> {
        self.explain(&call, Failure::Timer(timer));
        call.clearing = Some(self.own(verdict));
        self.fail(now, call, Cause::TIMER_EXPIRY)
    }

    /// Clears in whatever state the call is.
    pub(super) fn order_clear(
        &mut self,
        now: Instant,
        mut call: Call,
        cause: Cause,
        in_band: bool,
    ) -> Option<Call> {
        let location = self.settings.location;
        call.clearing.get_or_insert(Clearing { cause, location, by_far_end: false });
        if !self.link_up {
            // Nobody hears us; a peer that still knows the call finds out when it asks.
            self.end(now, call, cause);
            return None;
        }
        match call.phase {
            Phase::Releasing => Some(call),
            Phase::Listening => self.release(now, call, None),
            Phase::Disconnecting if matches!(call.timer, Some((Timer::T306, _))) => {
                self.release_anew(now, call)
            }
            Phase::Disconnecting => Some(call),
            // §5.3.2 a: a SETUP that got no other answer is refused at once.
            Phase::Setup if !call.id.ours && !in_band => {
                let message =
                    self.compose(&call, MessageType::ReleaseComplete).cause(cause, location);
                self.send(message);
                self.end(now, call, cause);
                None
            }
            _ if in_band && self.settings.side == Side::Network => {
                let message = self
                    .compose(&call, MessageType::Disconnect)
                    .cause(cause, location)
                    .in_band(true, location);
                let first = call.phase == Phase::Setup && !call.id.ours;
                if first {
                    // The user must know its channel before it can listen.
                    call = self.proceed(call)?;
                }
                self.send(message);
                call.phase = Phase::Disconnecting;
                call.timer = Timer::T306.from(now, &self.settings.timers);
                Some(call)
            }
            _ => self.disconnect(now, call, cause),
        }
    }
    /// Goes on from a DISCONNECT with sound, ours or the peer's.
    pub(super) fn order_release(&mut self, now: Instant, call: Call) -> Option<Call> {
        match (call.phase, call.timer) {
            (Phase::Listening, _) => self.release(now, call, None),
            (Phase::Disconnecting, Some((Timer::T306, _))) => self.release_anew(now, call),
            _ => Some(call),
        }
    }
}
