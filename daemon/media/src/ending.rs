//! How legs end: everything that runs on them is taken off at once, the channel is free when the far end agrees.

use call::{
    Accepted, CallEvent, Cause, CollectEnd, DialAgain, Direction, Disposition, LegId, Location,
    PlayEnd, Refusal, Summary,
};
use dsp::ears::Listen;
use dsp::pipeline;
use signalling::{Clearing, Order, Side};

use crate::leg::{End, Leg, State, place};
use crate::machine::{LegTimer, Media, Timer};
use crate::names::bad_value;
use crate::outcome::{self, Note, Unanswered};
use crate::trouble;

impl Media {
    pub(crate) fn hang_up(&mut self, id: LegId, cause: Cause) -> Result<Accepted, Refusal> {
        self.live(id)?;
        if !(1..=127).contains(&cause.0) {
            return Err(bad_value("cause", String::from("causes are 1 to 127 (Q.850)")));
        }
        self.clear(id, cause, Note::Command);
        Ok(Accepted::default())
    }

    /// Clears a leg, whatever its state. Safe to call twice.
    pub(crate) fn clear(&mut self, id: LegId, cause: Cause, note: Note) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        if leg.state == State::Ending {
            return;
        }
        let side = self.spans.get(leg.span).map(|s| s.side);
        let location = match side {
            Some(Side::Network) => Location::PublicLocal,
            _ => Location::User,
        };
        let clearing = Clearing { cause, location, by_far_end: false };
        let (span, key, listening) = (leg.span, leg.key, leg.state == State::Listening);
        leg.end.get_or_insert(End { clearing, note: Some(note) });
        self.end_leg(id);
        let order = if listening {
            Order::Release { key }
        } else {
            Order::Clear { key, cause, in_band: false }
        };
        self.order(span, order);
    }

    /// A leg begins to end, whoever began it: all that runs on it stops, whoever listened to it is told.
    pub(crate) fn end_leg(&mut self, id: LegId) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        leg.state = State::Ending;
        LegTimer::ALL.iter().for_each(|&t| self.timers.cancel(Timer::Leg(id, t)));
        self.set_timer(Timer::Leg(id, LegTimer::Stuck), self.settings.timing.stuck_ending_millis);
        self.detach(id);
    }

    fn detach(&mut self, id: LegId) {
        // The pipeline hears of it below, where the whole channel is cleared.
        let _ = self.end_play(id, PlayEnd::Stopped);
        self.end_collect(id, CollectEnd::Stopped);
        self.end_recording(id);
        self.drop_judgement(id, "the leg ended before a verdict");
        let Some(leg) = self.legs.get(&id) else { return };
        if let Some(transfer) = leg.transfer {
            let cause = leg.end.map_or(Cause::NORMAL_CLEARING, |e| e.clearing.cause);
            self.transfer_leg_gone(transfer, id, cause);
        }
        self.unlink(id);
        let Some(leg) = self.legs.get_mut(&id) else { return };
        leg.source = None;
        leg.watch = None;
        leg.listen = Listen::default();
        if let Some(on) = leg.channel {
            self.pipeline(pipeline::Command::Clear { on });
        }
    }

    /// Takes a leg out of the switch table; whoever was with it is alone.
    fn unlink(&mut self, id: LegId) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        leg.holding = false;
        let (peer, waits_for, promised) =
            (leg.peer.take(), leg.waits_for.take(), leg.promised.take());
        if let Some(peer) = peer {
            if let Some(other) = self.legs.get_mut(&peer) {
                other.peer = None;
                other.holding = false;
            }
            self.settle(peer);
            self.alone(peer);
        }
        if let Some(dialled) = waits_for {
            if let Some(other) = self.legs.get_mut(&dialled) {
                other.promised = None;
            }
            self.clear(dialled, Cause::NORMAL_CLEARING, Note::NobodyWaits);
        }
        if let Some(waiting) = promised {
            if let Some(other) = self.legs.get_mut(&waiting) {
                other.waits_for = None;
            }
            self.settle(waiting);
            self.alone(waiting);
        }
    }

    /// The engine is done with a leg: channel and reference are free. A collision is tried again.
    pub(crate) fn over(&mut self, id: LegId, clearing: Clearing, glare: bool) {
        let Some(leg) = self.legs.get(&id) else { return };
        if self.collided(leg, clearing, glare) && self.dial_again(id) {
            return;
        }
        self.finish(id, clearing);
    }

    /// The leg is gone. Its one `ended` is told here and nowhere else.
    pub(crate) fn finish(&mut self, id: LegId, clearing: Clearing) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        leg.end.get_or_insert(End { clearing, note: None });
        if leg.state != State::Ending {
            self.end_leg(id);
        }
        LegTimer::ALL.iter().for_each(|&t| self.timers.cancel(Timer::Leg(id, t)));
        let Some(leg) = self.legs.remove(&id) else { return };
        self.keys.remove(&(leg.span, leg.key));
        self.give_back(&leg);
        if let Some(operation) = leg.dialled.operation {
            self.end_operation(operation);
        }
        self.counters.legs_ended += 1;
        let group = match self.groups.get_mut(leg.group) {
            Some(group) => {
                group.in_use = group.in_use.saturating_sub(1);
                group.settings.name.clone()
            }
            None => String::new(),
        };
        let summary = summary(&leg, group, clearing, self.now.as_micros());
        self.event(CallEvent::Ended(summary));
        self.tell_drained(leg.span, leg.channel);
    }

    /// The channel of a leg rests for the guard time.
    pub(crate) fn give_back(&mut self, leg: &Leg) {
        let now = self.now;
        if let Some(channel) = leg.channel
            && let Some(slot) = self.slot_mut(channel)
            && slot.leg == Some(leg.id)
        {
            slot.leg = None;
            slot.released = Some(now);
        }
    }
}

fn summary(leg: &Leg, group: String, last: Clearing, ended_us: u64) -> Summary {
    let End { clearing, note } = leg.end.unwrap_or(End { clearing: last, note: None });
    let (outcome, reason) = match (leg.direction, leg.answered) {
        (Direction::Inbound, _) => {
            let who = if clearing.by_far_end { "the caller's side" } else { "us" };
            let released = || format!("released by {who}, cause {}", clearing.cause);
            let failed = || leg.failure.map_or_else(released, trouble::words);
            (None, note.map_or_else(failed, Note::words))
        }
        (Direction::Outbound, Some(_)) => {
            let asked = leg.dialled.on_person.is_some() && !leg.was_bridged;
            outcome::answered(leg.verdict.as_ref(), asked)
        }
        (Direction::Outbound, None) => {
            // A cause in PROGRESS is a verdict; a plain one behind it is only the end.
            let named = clearing.by_far_end.then_some(clearing.cause);
            let telling = |c: &call::Cause| call::Outcome::of_cause(*c).is_some();
            let cause = named.filter(telling).or(leg.progress_cause.filter(telling)).or(named);
            let (outcome, reason) = outcome::unanswered(Unanswered {
                cause,
                sounds: leg.sounds,
                alerted: leg.alerted.is_some(),
                note,
                failure: leg.failure,
            });
            (Some(outcome), reason)
        }
    };
    Summary {
        leg: leg.id,
        call: leg.call,
        direction: leg.direction,
        group,
        channel: leg.last_channel.map(place),
        called: leg.called.clone(),
        calling: leg.calling.clone(),
        started_us: leg.started.as_micros(),
        alerted_us: leg.alerted.map(tdm::Instant::as_micros),
        answered_us: leg.answered.map(tdm::Instant::as_micros),
        ended_us,
        disposition: match leg.answered {
            Some(_) => Disposition::Answered,
            None => Disposition::NotAnswered,
        },
        outcome,
        reason,
        cause: clearing.cause,
        location: clearing.location,
        cleared_by_us: !clearing.by_far_end,
        dial_again: outcome
            .filter(|_| leg.answered.is_none())
            .map(|outcome| DialAgain::of_call(outcome, clearing.cause)),
    }
}
