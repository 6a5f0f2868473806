//! What a scenario must be to make sense.

use call::{Cause, Outcome};
use dsp::zones::Zone;
use tdm::SPANS_MAX;

use super::{Scenario, ScenarioError, within};

/// Calls of a burst beyond which a scenario is a mistake.
const BURST_CALLS_MAX: u32 = 100_000;
/// Calls of a second beyond which a scenario is a mistake.
const CALLS_PER_SECOND_MAX: f64 = 1000.0;

impl Scenario {
    /// Refuses the first value that makes no sense.
    pub(super) fn check(&self) -> Result<(), ScenarioError> {
        if self.spans.is_empty() || self.spans.len() > SPANS_MAX {
            return Err(wrong("span", self.spans.len(), "spans: there must be 1 to 64"));
        }
        if Zone::by_key(&self.zone).is_none() {
            return Err(wrong("zone", &self.zone, "is no known country"));
        }
        if !is_number(&self.our_number) {
            return Err(wrong("our_number", &self.our_number, "is no number of 1 to 32 digits"));
        }
        self.check_callers()?;
        self.check_subscribers()?;
        for row in &self.pbx.telephones {
            check_row("pbx.telephones", &row.from, &row.to)?;
        }
        check_percent("pbx.never_answers_percent", self.pbx.never_answers_percent)
    }

    fn check_callers(&self) -> Result<(), ScenarioError> {
        let callers = &self.callers;
        if !(0.0..=CALLS_PER_SECOND_MAX).contains(&callers.per_second) {
            return Err(wrong("callers.per_second", callers.per_second, "is not 0 to 1000"));
        }
        for key in [callers.agent_key, callers.information_key] {
            if !matches!(key, '0'..='9' | 'A'..='D' | '*' | '#') {
                return Err(wrong("callers", key, "is no DTMF key"));
            }
        }
        if let Some(burst) = callers.bursts.iter().find(|burst| burst.calls > BURST_CALLS_MAX) {
            return Err(wrong("callers.burst", burst.calls, "is more than 100,000"));
        }
        let kinds = u16::from(callers.leave_in_ivr_percent)
            + u16::from(callers.information_percent)
            + u16::from(callers.silent_percent);
        if kinds > 100 {
            return Err(wrong("callers", kinds, "percent of callers do without an agent"));
        }
        check_percent("callers.barge_in_percent", callers.barge_in_percent)?;
        check_percent("callers.leave_at_ring_percent", callers.leave_at_ring_percent)?;
        check_percent("callers.restricted_percent", callers.restricted_percent)
    }

    fn check_subscribers(&self) -> Result<(), ScenarioError> {
        let subscribers = &self.subscribers;
        let sum: u16 = subscribers.mix.shares().iter().map(|&(_, share)| u16::from(share)).sum();
        let ringback = &subscribers.ringback;
        let refusal = &subscribers.refusal;
        let no_answer = &subscribers.no_answer;
        for (key, sum) in [
            ("subscribers.mix", sum),
            ("subscribers.ringback", sum_of([ringback.told, ringback.tone, ringback.music])),
            ("subscribers.refusal", sum_of([refusal.at_once, refusal.tone, refusal.tone_first])),
            (
                "subscribers.no_answer",
                sum_of([no_answer.rings, no_answer.cause_18, no_answer.cause_19]),
            ),
        ] {
            if sum != 100 {
                return Err(wrong(key, sum, "is the sum of the shares; it must be 100"));
            }
        }
        check_percent("subscribers.business_percent", subscribers.business_percent)?;
        check_causes(
            "subscribers.congestion_causes",
            &subscribers.congestion_causes,
            Outcome::Congestion,
        )?;
        check_causes("subscribers.other_causes", &subscribers.other_causes, Outcome::Other)?;
        for row in &subscribers.numbers {
            check_row("subscribers.numbers", &row.from, &row.to)?;
        }
        for row in &subscribers.announcements {
            check_row("subscribers.announcement", &row.from, &row.to)?;
            if !(1..=127).contains(&row.cause) {
                return Err(wrong("subscribers.announcement", row.cause, "is no cause (Q.850)"));
            }
            if row.turns == Some(0) {
                return Err(wrong("subscribers.announcement", 0, "turns say nothing"));
            }
        }
        Ok(())
    }
}

fn wrong(key: &'static str, value: impl ToString, why: &'static str) -> ScenarioError {
    ScenarioError::Value { key, value: value.to_string(), why }
}

fn sum_of(shares: [u8; 3]) -> u16 {
    shares.into_iter().map(u16::from).sum()
}

fn check_percent(key: &'static str, percent: u8) -> Result<(), ScenarioError> {
    if percent > 100 { Err(wrong(key, percent, "is more than 100")) } else { Ok(()) }
}

/// Causes must mean what they are sent for, or truth and report could never agree.
fn check_causes(key: &'static str, causes: &[u8], outcome: Outcome) -> Result<(), ScenarioError> {
    if causes.is_empty() {
        return Err(wrong(key, "[]", "names no cause"));
    }
    match causes.iter().find(|&&c| c > 127 || Outcome::of_cause(Cause(c)) != Some(outcome)) {
        Some(cause) => Err(wrong(key, cause, "does not mean that (Q.850)")),
        None => Ok(()),
    }
}

fn check_row(key: &'static str, from: &str, to: &str) -> Result<(), ScenarioError> {
    if !is_number(from) || !is_number(to) || !within(from, from, to) {
        return Err(wrong(key, format!("{from} to {to}"), "is no row of numbers"));
    }
    Ok(())
}

fn is_number(text: &str) -> bool {
    (1..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
}
