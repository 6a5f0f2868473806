//! Media without a controller: what becomes of each leg while nobody is there to say so.
//!
//! * Bridged legs stay, whatever happens.
//! * 3 s after the loss (`Timing::lease_millis`):
//!   * ringing inbound legs get the orphan policy;
//!   * unanswered outbound legs are cleared;
//!   * answered legs that are alone get their fallback: its prompt, its music for at most 120 s, release with 41.
//!     An inbound leg without a stored one gets the announcement and is released. An outbound leg without one was
//!     a person, who gets the safe-harbour prompt, or is an agent's nailed leg, which stays for the successor.
//!   * A collect or a play that ends by itself runs to its end first; a play that repeats has no end and is stopped.
//! * A person who was dialled and is alone hears the safe-harbour prompt within 2 s of the answer or the loss,
//!   whichever is later, and is released.
//! * What was armed in advance (`on_person`, `bridge`, `stop_on`) is done, controller or not.
//! * Nothing new is dialled.
//!
//! A controller that comes back finds fallbacks waiting with music, takes over with its first command to a leg,
//! and stops the clocks of orphans at once.

use call::{Accepted, CallEvent, Cause, Direction, Fallback, LegId, Refusal};
use signalling::Order;
use tdm::Instant;

use crate::Orphan;
use crate::leg::{FallbackStage, Leg, Purpose, State};
use crate::machine::{LegTimer, Media, Timer};
use crate::names::limit;
use crate::outcome::Note;

/// Whether a controller is there, and since when not.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lease {
    pub(crate) present: bool,
    lost: Instant,
    /// It is gone for longer than the lease.
    expired: bool,
}

impl Lease {
    pub(crate) const fn new(now: Instant) -> Self {
        Self { present: false, lost: now, expired: false }
    }
    /// Whether a call that was asked for may still be tried again.
    pub(crate) const fn may_dial(&self) -> bool {
        self.present
    }
}

impl Media {
    pub(crate) fn controller_changed(&mut self, present: bool) {
        if self.lease.present == present {
            return;
        }
        let legs: Vec<LegId> = self.legs.keys().copied().collect();
        if present {
            self.lease.present = true;
            self.lease.expired = false;
            self.timers.cancel(Timer::Lease);
            legs.into_iter().for_each(|leg| self.back_under_control(leg));
        } else {
            self.lease = Lease::new(self.now);
            self.set_timer(Timer::Lease, self.settings.timing.lease_millis);
            legs.into_iter().for_each(|leg| self.answered_alone(leg));
        }
    }

    fn back_under_control(&mut self, id: LegId) {
        for timer in [LegTimer::SafeHarbour, LegTimer::Orphan, LegTimer::Fallback] {
            self.timers.cancel(Timer::Leg(id, timer));
        }
        if let Some(leg) = self.legs.get_mut(&id)
            && std::mem::take(&mut leg.announced)
        {
            self.settle(id);
        }
    }

    pub(crate) fn lease_expired(&mut self) {
        if self.lease.present {
            return;
        }
        self.lease.expired = true;
        let legs: Vec<LegId> = self.legs.keys().copied().collect();
        for id in legs {
            match self.legs.get(&id).map(|leg| leg.state) {
                Some(State::Offered) => self.offered_to_nobody(id),
                Some(State::Dialling | State::Listening) => {
                    self.clear(id, Cause::NORMAL_CLEARING, Note::ControllerLost);
                }
                Some(State::Answered) => self.alone(id),
                Some(State::Answering | State::Ending) | None => {}
            }
        }
    }

    /// A ringing inbound call, when nobody is there to take it.
    pub(crate) fn offered_to_nobody(&mut self, id: LegId) {
        let Some(leg) = self.legs.get(&id) else { return };
        if !self.lease.expired || leg.state != State::Offered {
            return;
        }
        let (span, key, alerted, in_band) = (leg.span, leg.key, leg.alerted.is_some(), leg.in_band);
        match self.settings.orphan {
            Orphan::Ring if alerted => {}
            Orphan::Ring => self.ring(id),
            Orphan::Reject => self.clear(id, Cause::SWITCH_CONGESTION, Note::ControllerLost),
            Orphan::Announce => {
                self.set_timer(
                    Timer::Leg(id, LegTimer::Orphan),
                    self.settings.timing.orphan_millis,
                );
                if let Some(leg) = self.legs.get_mut(&id) {
                    leg.announced = true;
                }
                // ALERTING even so: it stops the network's T310, which would end the call after 10 s.
                match (alerted, in_band) {
                    (false, _) => self.ring(id),
                    (true, false) => self.order(span, Order::Progress { key, cause: None }),
                    (true, true) => {}
                }
                self.settle(id);
            }
        }
    }

    pub(crate) fn orphan_over(&mut self, id: LegId) {
        if !self.lease.present && self.legs.get(&id).is_some_and(|l| l.state == State::Offered) {
            self.clear(id, Cause::SWITCH_CONGESTION, Note::ControllerLost);
        }
    }

    /// A leg without partner was answered, judged, or has lost its controller: a person among them must not be
    /// left in silence.
    pub(crate) fn answered_alone(&mut self, id: LegId) {
        if self.lease.present {
            return;
        }
        let Some(leg) = self.legs.get(&id) else { return };
        if self.is_left_person(leg) {
            let from = leg.answered.unwrap_or(self.now).max(self.lease.lost);
            let millis = u64::from(self.settings.timing.safe_harbour_millis);
            let due = from.plus_millis(millis).max(self.now);
            self.timers.set(Timer::Leg(id, LegTimer::SafeHarbour), due);
        } else {
            self.alone(id);
        }
    }

    /// A person who was dialled, is with nobody and was with nobody, and for whom nothing is armed.
    fn is_left_person(&self, leg: &Leg) -> bool {
        let answered_meanwhile = leg.answered.is_some_and(|at| at >= self.lease.lost);
        let person =
            leg.is_dialled_person() || (leg.direction == Direction::Outbound && answered_meanwhile);
        person
            && leg.is_free()
            && !leg.was_bridged
            && leg.fallback.is_none()
            && leg.judgement.is_none()
            && !leg.awaits_beep()
            && leg
                .play
                .is_none_or(|play| !matches!(play.purpose, Purpose::SafeHarbour | Purpose::Message))
    }

    pub(crate) fn safe_harbour_due(&mut self, id: LegId) {
        let left = |leg: &Leg| self.is_left_person(leg);
        if !self.lease.present && self.legs.get(&id).is_some_and(left) {
            self.safe_harbour(id, None);
        }
    }

    /// A leg is with nobody, and perhaps nobody is there to decide about it. Called whenever something that kept
    /// it busy is over.
    pub(crate) fn alone(&mut self, id: LegId) {
        let Some(leg) = self.legs.get(&id) else { return };
        let busy = !leg.is_free()
            || leg.falling.is_some()
            || leg.judgement.is_some()
            || leg.awaits_beep()
            || leg.collect.is_some()
            || leg.play.is_some_and(|play| match play.purpose {
                Purpose::Operation(_) => !play.repeat,
                Purpose::SafeHarbour | Purpose::Fallback | Purpose::Beep | Purpose::Message => true,
                Purpose::Ambient(_) => false,
            });
        if !self.lease.expired || busy {
            return;
        }
        if leg.fallback.is_some() || leg.direction == Direction::Inbound {
            self.fall_back(id);
        } else if self.is_left_person(leg) {
            self.safe_harbour(id, None);
        } else if leg.is_dialled_person() {
            self.clear(id, Cause::NORMAL_CLEARING, Note::ControllerLost);
        }
        // What is left are nailed legs of agents: they stay for the next controller.
    }

    /// Takes the fallback of a leg: its prompt first.
    fn fall_back(&mut self, id: LegId) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let stored = leg.fallback.clone();
        let hold_millis = stored.as_ref().map_or(0, |f| f.hold_millis);
        leg.falling = Some(FallbackStage::Prompt { hold_millis });
        self.counters.fell_back += 1;
        self.event(CallEvent::FellBack { leg: id });
        self.stop_play(id);
        let prompt = match stored {
            Some(fallback) => fallback.prompt.and_then(|p| self.names.once(&p)),
            None => self.names.announcement_once(),
        };
        match prompt {
            Some(score) => self.start_play(id, Purpose::Fallback, score),
            None => self.fallback_played(id),
        }
    }

    /// The prompt is over: music, waiting for a controller.
    pub(crate) fn fallback_played(&mut self, id: LegId) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let Some(FallbackStage::Prompt { hold_millis }) = leg.falling else { return };
        if hold_millis == 0 && !self.lease.present {
            return self.clear(id, Cause::TEMPORARY_FAILURE, Note::ControllerLost);
        }
        leg.falling = Some(FallbackStage::Hold);
        if !self.lease.present {
            self.set_timer(Timer::Leg(id, LegTimer::Fallback), hold_millis);
        }
        self.settle(id);
    }

    pub(crate) fn fallback_over(&mut self, id: LegId) {
        if !self.lease.present && self.legs.get(&id).is_some_and(|leg| leg.falling.is_some()) {
            self.clear(id, Cause::TEMPORARY_FAILURE, Note::ControllerLost);
        }
    }

    /// A controller decides about a leg: its fallback is over.
    pub(crate) fn take_over(&mut self, id: LegId) {
        self.cancel_waiting(id);
        let Some(leg) = self.legs.get_mut(&id) else { return };
        if leg.falling.take().is_some() {
            if leg.play.is_some_and(|play| play.purpose == Purpose::Fallback) {
                self.stop_play(id);
            }
            self.settle(id);
        }
    }

    pub(crate) fn cancel_waiting(&mut self, id: LegId) {
        for timer in [LegTimer::SafeHarbour, LegTimer::Fallback, LegTimer::TalksBack] {
            self.timers.cancel(Timer::Leg(id, timer));
        }
    }

    pub(crate) fn set_fallback(
        &mut self,
        id: LegId,
        fallback: Fallback,
    ) -> Result<Accepted, Refusal> {
        self.live(id)?;
        if let Some(prompt) = &fallback.prompt {
            self.prompt_exists("fallback.prompt", prompt)?;
        }
        let most = self.settings.timing.fallback_hold_millis;
        if fallback.hold_millis > most {
            let what = format!("a fallback holds for at most {most} ms");
            return Err(limit("fallback.hold_millis", u64::from(most), what));
        }
        if let Some(leg) = self.legs.get_mut(&id) {
            leg.fallback = Some(fallback);
        }
        Ok(Accepted::default())
    }
}
