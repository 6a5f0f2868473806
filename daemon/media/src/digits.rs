//! Digits from telephones: typed ahead, collected, kept secret.

use call::{Accepted, CallEvent, CollectEnd, LegId, PlayEnd, Refusal};
use tdm::SampleTime;

use crate::leg::{Collect, State};
use crate::machine::{LegTimer, Media, OperationKind, Timer, wrong_state};
use crate::names::{bad_value, limit};

impl Media {
    pub(crate) fn collect(
        &mut self,
        id: LegId,
        max_digits: u8,
        first_millis: u32,
        next_millis: u32,
        terminators: String,
        secret: bool,
    ) -> Result<Accepted, Refusal> {
        let leg = self.live(id)?;
        if leg.state != State::Answered {
            let state = crate::leg::state_name(leg.state);
            return Err(wrong_state("leg", state, format!("leg {id} is not answered")));
        }
        if leg.collect.is_some() {
            let what = format!("leg {id} collects digits already");
            return Err(wrong_state("leg", "collecting", what));
        }
        let most = self.settings.limits.collect_digits;
        if max_digits == 0 {
            return Err(bad_value("max_digits", String::from("at least one digit")));
        }
        if max_digits > most {
            return Err(limit("max_digits", u64::from(most), format!("at most {most} digits")));
        }
        self.timer_value("first_millis", first_millis)?;
        self.timer_value("next_millis", next_millis)?;
        if terminators.len() > 16 || !terminators.chars().all(is_digit) {
            let what = String::from("at most 16 of 0 to 9, A to D, * and #");
            return Err(bad_value("terminators", what));
        }
        let operation = self.begin_operation(id, OperationKind::Collect);
        let Some(leg) = self.legs.get_mut(&id) else { return Ok(Accepted::default()) };
        leg.collect = Some(Collect {
            operation,
            digits: String::new(),
            max_digits,
            first_millis,
            next_millis,
            terminators,
            secret,
            timed: false,
        });
        // What was typed ahead has been told as `dtmf` events: none of it can be a secret.
        let ahead = std::mem::take(&mut leg.typed);
        for digit in ahead.into_iter().filter(|_| !secret) {
            self.take_digit(id, digit);
        }
        self.start_first_digit(id);
        Ok(Accepted { operation: Some(operation), ..Accepted::default() })
    }

    /// A key was pressed.
    pub(crate) fn digit(&mut self, id: LegId, digit: char, at: SampleTime) {
        let most = usize::from(self.settings.limits.typed_ahead);
        if !is_digit(digit) {
            return;
        }
        let Some(leg) = self.legs.get_mut(&id) else { return };
        match &leg.collect {
            Some(collect) if collect.secret => {}
            _ => self.event_at(CallEvent::Dtmf { leg: id, digit }, at),
        }
        self.take_digit(id, digit);
        if let Some(leg) = self.legs.get_mut(&id) {
            while leg.typed.len() > most {
                leg.typed.pop_front();
            }
        }
    }

    /// Gives a digit to the collect, or keeps it for the next one.
    fn take_digit(&mut self, id: LegId, digit: char) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let Some(collect) = &mut leg.collect else {
            return leg.typed.push_back(digit);
        };
        if collect.terminators.contains(digit) {
            return self.end_collect(id, CollectEnd::Terminator);
        }
        collect.digits.push(digit);
        collect.timed = true;
        let next_millis = collect.next_millis;
        if collect.digits.len() >= usize::from(collect.max_digits) {
            return self.end_collect(id, CollectEnd::Complete);
        }
        self.set_timer(Timer::Leg(id, LegTimer::Collect), next_millis);
    }

    /// The first digit's time runs from the end of a play that has one, else at once.
    pub(crate) fn start_first_digit(&mut self, id: LegId) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        if leg.play.is_some_and(|play| !play.repeat) {
            return;
        }
        if let Some(collect) = leg.collect.as_mut().filter(|c| !c.timed) {
            collect.timed = true;
            let millis = collect.first_millis;
            self.set_timer(Timer::Leg(id, LegTimer::Collect), millis);
        }
    }

    pub(crate) fn collect_timed_out(&mut self, id: LegId) {
        self.end_collect(id, CollectEnd::Timeout);
    }

    /// A collect is over. A prompt that any digit stops, stops with it: the digits came before it could.
    pub(crate) fn end_collect(&mut self, id: LegId, why: CollectEnd) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        let Some(collect) = leg.collect.take() else { return };
        let barge = leg.play.is_some_and(|play| play.stop_on_dtmf);
        let alive = leg.state != State::Ending;
        self.timers.cancel(Timer::Leg(id, LegTimer::Collect));
        self.end_operation(collect.operation);
        if alive && barge && matches!(why, CollectEnd::Complete | CollectEnd::Terminator) {
            let to = self.legs.get(&id).and_then(|leg| leg.channel);
            self.end_play(id, PlayEnd::Dtmf);
            if let Some(to) = to {
                self.pipeline(dsp::pipeline::Command::StopPlay { to });
            }
            self.settle(id);
        }
        let count = u8::try_from(collect.digits.len()).unwrap_or(u8::MAX);
        let digits = (!collect.secret).then_some(collect.digits);
        let operation = collect.operation;
        self.event(CallEvent::Collected { operation, leg: id, digits, count, why });
        if alive {
            self.alone(id);
        }
    }
}

/// A key of Q.23.
const fn is_digit(c: char) -> bool {
    matches!(c, '0'..='9' | 'A'..='D' | '*' | '#')
}
