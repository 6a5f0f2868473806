//! What the signalling engines tell, handled one event at a time.

use call::{CallEvent, Cause, ChannelState, Direction, LegId, Progress};
use dsp::ears::Listen;
use signalling::{Clearing, Event, LegKey, Order};
use tdm::{Channel, Timeslot};

use crate::door::is_withheld;
use crate::leg::{End, State, place};
use crate::machine::{LegTimer, Media, Timer};
use crate::outcome::Note;
use crate::trouble::Trouble;

/// What is listened for before an answer.
fn early() -> Listen {
    Listen { progress: true, prints: true, ..Listen::default() }
}

impl Media {
    pub(crate) fn signal(&mut self, span: usize, event: Event) {
        match event {
            Event::LinkUp => self.link_changed(span, true),
            Event::LinkDown => self.link_changed(span, false),
            Event::Incoming(incoming) => {
                self.trouble(span, Trouble::RestartUnanswered, false);
                self.incoming(span, incoming);
            }
            Event::Refused { timeslot, called, calling, cause } => {
                self.refused_by_engine(span, timeslot, called, calling, cause);
            }
            Event::Failed { key, why } => self.engine_gave_up(span, key, why),
            Event::RestartUnanswered { .. } => {
                self.trouble(span, Trouble::RestartUnanswered, true);
            }
            Event::Proceeding { key, timeslot, in_band } => {
                self.progressed(span, key, Some(timeslot), in_band, Progress::Proceeding, None);
            }
            Event::Alerting { key, timeslot, in_band } => {
                self.progressed(span, key, Some(timeslot), in_band, Progress::Alerting, None);
            }
            Event::Progress { key, in_band, cause } => {
                self.progressed(span, key, None, in_band, Progress::Other, cause);
            }
            Event::Connected { key, timeslot } => self.connected(span, key, timeslot),
            Event::DisconnectInBand { key, clearing } => {
                self.disconnecting(span, key, clearing);
            }
            Event::Clearing { key, clearing } => {
                if let Some(id) = self.known(span, key) {
                    self.far_end_clears(id, clearing);
                }
            }
            Event::Ended { key, timeslot: _, clearing, glare } => {
                if clearing.by_far_end {
                    self.exchange_spoke(span);
                    self.judge_cause(span, clearing.cause);
                }
                if let Some(span) = self.spans.get_mut(span) {
                    *span.causes.entry(clearing.cause.0).or_default() += 1;
                }
                // Calls refused at the door, and those of a lost board, end unnoticed.
                if let Some(&id) = self.keys.get(&(span, key)) {
                    self.over(id, clearing, glare);
                }
            }
            Event::Named { key, name } => {
                let leg = self.known(span, key).and_then(|leg| self.legs.get(&leg));
                if let Some(leg) = leg.filter(|leg| !is_withheld(leg.calling.as_ref())) {
                    self.event(CallEvent::Named { leg: leg.id, name });
                }
            }
            Event::Service { timeslot, status } => self.far_end_serves(span, timeslot, status),
            Event::Restarted { timeslot } => {
                self.trouble(span, Trouble::RestartUnanswered, false);
                self.restarted(span, timeslot);
            }
            Event::ChannelFailed { timeslot } => self.channel_failed(span, timeslot),
        }
    }

    fn known(&mut self, span: usize, key: LegKey) -> Option<LegId> {
        let leg = self.keys.get(&(span, key)).copied();
        if leg.is_none() {
            self.counters.stray_events += 1;
        }
        leg
    }

    /// A sign of the far end before the answer. The first one that names the channel opens the ears: tones and
    /// announcements are often there before anybody promises them.
    fn progressed(
        &mut self,
        span: usize,
        key: LegKey,
        timeslot: Option<Timeslot>,
        in_band: bool,
        progress: Progress,
        cause: Option<Cause>,
    ) {
        let Some(id) = self.known(span, key) else { return };
        self.exchange_spoke(span);
        if timeslot.is_some_and(|t| !self.settle_channel(id, t)) {
            return;
        }
        let now = self.now;
        let Some(leg) = self.legs.get_mut(&id) else { return };
        if leg.state != State::Dialling {
            return;
        }
        leg.in_band |= in_band;
        leg.progress_cause = cause.or(leg.progress_cause);
        if progress == Progress::Alerting {
            leg.alerted.get_or_insert(now);
        }
        let (settled, promised) = (leg.settled, leg.promised);
        // From here on the no-answer timer bounds it.
        self.timers.cancel(Timer::Leg(id, LegTimer::Stuck));
        if settled {
            self.listen(id, early());
        }
        self.event(CallEvent::Progressed { leg: id, progress, in_band, cause });
        promised.into_iter().for_each(|waiting| self.settle(waiting));
    }

    /// The far end named the channel of an outgoing call. `false`: it is not to be had, and the call is cleared.
    pub(crate) fn settle_channel(&mut self, id: LegId, timeslot: Timeslot) -> bool {
        let now = self.now;
        let Some(leg) = self.legs.get_mut(&id) else { return false };
        if leg.direction == Direction::Inbound || leg.state == State::Ending {
            return leg.state != State::Ending;
        }
        let Some(span) = self.spans.get(leg.span) else { return false };
        let channel = Channel { span: span.id, timeslot };
        // The far end gave it a channel another call of ours asked for and did not get yet.
        let rival = span.slot(timeslot).and_then(|slot| slot.leg).filter(|rival| *rival != id);
        if let Some(rival) = rival.filter(|rival| self.gives_way(*rival)) {
            self.displace(rival);
        }
        let Some(leg) = self.legs.get_mut(&id) else { return false };
        let Some(span) = self.spans.get_mut(leg.span) else { return false };
        if leg.channel != Some(channel) {
            match span.slot_mut(timeslot) {
                Some(slot) if slot.leg.is_none() => slot.leg = Some(id),
                _ => {
                    self.clear(id, Cause::CHANNEL_UNACCEPTABLE, Note::ChannelUnacceptable);
                    return false;
                }
            }
            let old = leg.channel.replace(channel);
            leg.last_channel = Some(channel);
            leg.source = None;
            leg.listen = Listen::default();
            if let Some(slot) = old.and_then(|old| span.slot_mut(old.timeslot)) {
                slot.leg = None;
                slot.released = Some(now);
            }
            if let Some(on) = old {
                self.pipeline(dsp::pipeline::Command::Clear { on });
            }
            self.event(CallEvent::Moved { leg: id, channel: place(channel), glare: false });
        }
        if let Some(leg) = self.legs.get_mut(&id) {
            leg.settled = true;
        }
        true
    }

    fn connected(&mut self, span: usize, key: LegKey, timeslot: Timeslot) {
        let Some(id) = self.known(span, key) else { return };
        self.exchange_spoke(span);
        self.trouble(span, Trouble::CallsRejected, false);
        if self.settle_channel(id, timeslot) {
            self.answered(id);
        }
    }

    /// Speech both ways, whoever called.
    fn answered(&mut self, id: LegId) {
        let now = self.now;
        let Some(leg) = self.legs.get_mut(&id) else { return };
        if !matches!(leg.state, State::Answering | State::Offered | State::Dialling) {
            return;
        }
        leg.state = State::Answered;
        leg.answered = Some(now);
        leg.announced = false;
        let (group, operation, promised, transfer, arm) = (
            leg.group,
            leg.dialled.operation.take(),
            leg.promised.take(),
            leg.transfer,
            leg.dialled.on_person.clone(),
        );
        self.drop_early_recording(id);
        for timer in [LegTimer::Stuck, LegTimer::NoAnswer, LegTimer::Orphan] {
            self.timers.cancel(Timer::Leg(id, timer));
        }
        if let Some(group) = self.groups.get_mut(group) {
            group.answered += 1;
        }
        self.event(CallEvent::Answered { leg: id });
        if let Some(operation) = operation {
            self.end_operation(operation);
        }
        self.listen(id, Listen { dtmf: true, ..Listen::default() });
        if let Some(transfer) = transfer {
            self.target_answered(transfer, id);
        } else if let Some(waiting) = promised {
            if let Some(leg) = self.legs.get_mut(&waiting) {
                leg.waits_for = None;
            }
            self.join(waiting, id, false);
        } else if let Some(arm) = arm {
            let (within, keep) = (arm.within_millis, arm.keep.clone());
            self.begin_judgement(id, Some(arm), None, within);
            keep.iter().for_each(|keep| self.begin_keeping(id, keep));
        }
        self.settle(id);
        self.answered_alone(id);
    }

    /// DISCONNECT with something to hear: before the answer it is listened to, afterwards nobody cares.
    fn disconnecting(&mut self, span: usize, key: LegKey, clearing: Clearing) {
        let Some(id) = self.known(span, key) else { return };
        let Some(leg) = self.legs.get_mut(&id) else { return };
        leg.end.get_or_insert(End { clearing, note: None });
        match leg.state {
            State::Dialling if leg.settled => {
                leg.state = State::Listening;
                leg.in_band = true;
                let knows_words = !self.settings.announcements.is_empty();
                let (promised, heard_all) = (leg.promised, leg.sounds.is_final(knows_words));
                let waits_for_words = leg.sounds.waits_for_words(knows_words);
                self.timers.cancel(Timer::Leg(id, LegTimer::NoAnswer));
                self.timers.cancel(Timer::Leg(id, LegTimer::Stuck));
                self.event(CallEvent::Disconnecting { leg: id, cause: clearing.cause });
                if heard_all && promised.is_none() {
                    return self.release(id);
                }
                self.listen(id, early());
                let millis = self.settings.timing.disconnect_listen_millis;
                self.set_timer(Timer::Leg(id, LegTimer::Listen), millis);
                if waits_for_words && promised.is_none() {
                    let timer = Timer::Leg(id, LegTimer::Listen);
                    self.shorten_timer(timer, crate::play::RECOGNISED_WITHIN_MILLIS);
                }
                promised.into_iter().for_each(|waiting| self.settle(waiting));
            }
            State::Ending => self.order(span, Order::Release { key }),
            _ => self.release(id),
        }
    }

    /// Enough was heard of a DISCONNECT's sound.
    pub(crate) fn listened_enough(&mut self, id: LegId) {
        if self.legs.get(&id).is_some_and(|leg| leg.state == State::Listening) {
            self.release(id);
        }
    }

    /// Goes on from a DISCONNECT with sound.
    pub(crate) fn release(&mut self, id: LegId) {
        let Some(leg) = self.legs.get(&id) else { return };
        let (span, key) = (leg.span, leg.key);
        self.end_leg(id);
        self.order(span, Order::Release { key });
    }

    fn far_end_clears(&mut self, id: LegId, clearing: Clearing) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        leg.end.get_or_insert(End { clearing, note: None });
        if leg.state != State::Ending {
            self.end_leg(id);
        }
    }

    pub(crate) fn channel_event(
        &mut self,
        span: usize,
        timeslot: Option<Timeslot>,
        state: ChannelState,
    ) {
        let Some(span) = self.spans.get(span) else { return };
        let span = span.id.number() as u8;
        let timeslot = timeslot.map(|t| t.index() as u8);
        self.event(CallEvent::Channel { span, timeslot, state });
    }
}
