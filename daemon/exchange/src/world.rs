//! The network as a whole: its spans, its clock, and the callers who look for a channel.

use std::sync::Arc;

use dsp::zones::Zone;
use tdm::{Alarm, Block, Rng, SampleTime};

use crate::arrivals::Stream;
use crate::caller::Caller;
use crate::ledger::{CallTruth, Ledger, PartyKind};
use crate::party::{Shared, Tones};
use crate::scenario::{Scenario, ScenarioError, SpanKind};
use crate::span::{Placing, Span};
use crate::voices::Voices;

/// The first caller's number; the others follow.
const FIRST_CALLER: u64 = 13_500_000_001;

/// How far the offering of calls has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Offering {
    /// Not every span is in service yet.
    Waiting,
    /// Callers come, for so long still.
    Running {
        /// Until the last may come.
        left_millis: u64,
    },
    /// Nobody comes any more.
    Over,
}

/// A board's clock that may begin again at zero, as one that never runs back.
#[derive(Clone, Copy, Debug, Default)]
struct Clock {
    past_millis: u64,
    last_millis: u64,
}

impl Clock {
    fn at(&mut self, at: SampleTime) -> u64 {
        let millis = at.as_millis();
        if millis < self.last_millis {
            self.past_millis += self.last_millis + 1;
        }
        self.last_millis = millis;
        self.past_millis + millis
    }
}

/// Everything behind the spans.
pub struct World {
    pub shared: Shared,
    spans: Vec<Span>,
    clocks: Vec<Clock>,
    stream: Stream,
    now_millis: Option<u64>,
    began_millis: u64,
    offering_from: Option<u64>,
    is_stopped: bool,
    next_caller: u64,
    next_span: usize,
}

impl World {
    pub fn new(scenario: Scenario, seed: u64, voices: Voices) -> Result<Self, ScenarioError> {
        let rng = Rng::from_seed(seed);
        let zone = Zone::by_key(&scenario.zone);
        let Some(tones) = zone.and_then(Tones::of) else {
            return Err(ScenarioError::Value {
                key: "zone",
                value: scenario.zone,
                why: "has no ring-back and busy tones",
            });
        };
        for announcement in &scenario.subscribers.announcements {
            if voices.named(&announcement.recording).is_none() {
                return Err(ScenarioError::Value {
                    key: "subscribers.announcement",
                    value: announcement.recording.clone(),
                    why: "is no recording: name a file `….wav`, or one that is built in",
                });
            }
        }
        let spans = scenario.spans.iter().zip(1..).map(|(span, n)| Span::new(n, span)).collect();
        Ok(Self {
            spans,
            clocks: vec![Clock::default(); scenario.spans.len()],
            stream: Stream::new(&scenario.callers, rng.fork(1)),
            now_millis: None,
            began_millis: 0,
            offering_from: None,
            is_stopped: false,
            next_caller: FIRST_CALLER,
            next_span: 0,
            shared: Shared {
                scenario: Arc::new(scenario),
                seed,
                voices,
                tones,
                rng: rng.fork(2),
                ledger: Ledger::default(),
                ringing: std::collections::BTreeMap::new(),
                engaged: std::collections::BTreeMap::new(),
            },
        })
    }

    /// One millisecond of one span.
    pub fn millisecond(&mut self, span: usize, at: SampleTime, sent: &Block, back: &mut Block) {
        let Some(clock) = self.clocks.get_mut(span) else { return };
        let now = clock.at(at);
        if self.now_millis.is_none() {
            self.began_millis = now;
        }
        if self.now_millis.is_none_or(|before| before < now) {
            self.now_millis = Some(now);
            self.offer(now);
        }
        if let Some(span) = self.spans.get_mut(span) {
            span.millisecond(now, sent, back, &mut self.shared);
        }
    }

    /// The line towards a span changed. A remote alarm alone leaves layer 2 to find out by itself.
    pub fn line(&mut self, span: usize, condition: Option<Alarm>) {
        if let Some(span) = self.spans.get_mut(span) {
            span.line(matches!(condition, None | Some(Alarm::RemoteAlarm)));
        }
    }

    /// How far the offering has come.
    pub fn offering(&self) -> Offering {
        let length = self.shared.scenario.offering_millis;
        match (self.offering_from, self.now_millis) {
            _ if self.is_stopped => Offering::Over,
            (Some(from), Some(now)) if now >= from + length => Offering::Over,
            (Some(from), Some(now)) => {
                Offering::Running { left_millis: (from + length).saturating_sub(now).min(length) }
            }
            _ => Offering::Waiting,
        }
    }

    /// No more callers.
    pub fn stop(&mut self) {
        self.is_stopped = true;
    }

    /// Calls on each span, and whether its layer 2 is up.
    pub fn spans(&self) -> impl Iterator<Item = (usize, bool)> + '_ {
        self.spans.iter().map(|span| (span.calls(), span.is_in_service()))
    }

    fn offer(&mut self, now: u64) {
        self.place_displaced(now);
        if self.offering_from.is_none() {
            let scenario = &self.shared.scenario;
            let are_all_up = self.spans.iter().all(Span::is_in_service);
            if are_all_up || now >= self.began_millis + scenario.wait_for_spans_millis {
                self.offering_from = Some(now + scenario.settle_millis);
            }
        }
        let Some(from) = self.offering_from.filter(|&from| from <= now) else { return };
        if self.is_stopped || now >= from + self.shared.scenario.offering_millis {
            return;
        }
        for _ in 0..self.stream.due(now - from) {
            let number = self.next_caller.to_string();
            self.next_caller += 1;
            let called = self.shared.scenario.our_number.clone();
            let mut call = CallTruth::new(PartyKind::Caller, 0, &called, now);
            call.calling = Some(number.clone());
            let record = self.shared.ledger.open(call);
            let caller = Caller::new(number, now, &mut self.shared);
            self.place(now, Placing { caller, record });
        }
    }

    fn place_displaced(&mut self, now: u64) {
        let displaced: Vec<_> =
            self.spans.iter_mut().flat_map(|span| span.displaced.drain(..)).collect();
        for placing in displaced {
            self.place(now, placing);
        }
    }

    /// Public spans in service take turns; a caller who finds no channel on any is unseen.
    fn place(&mut self, now: u64, placing: Placing) {
        let count = self.spans.len();
        for turn in 0..count {
            let index = (self.next_span + turn) % count;
            let Some(span) = self.spans.get_mut(index) else { continue };
            if span.kind() != SpanKind::Network || !span.is_in_service() {
                continue;
            }
            if let Some(timeslot) = span.free_channel(now) {
                self.next_span = index + 1;
                return span.place(now, placing, timeslot, &mut self.shared);
            }
        }
        self.shared.ledger.with(placing.record, |call| {
            call.unseen = true;
            call.ended_millis = Some(now);
        });
    }
}
