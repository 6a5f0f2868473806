//! The call server and a real network side over frames: what one end says is what the other one tells.

use std::collections::VecDeque;

use call::{CallCommand, CallEvent, Cause, Disposition, Number, Outcome, RefusalCode, Summary};
use media::{Media, Output};
use signalling::pri::Interface;
use signalling::{ChannelWish, Event, InterfaceOutput, LegKey, Order, Outgoing, PriSettings, Side};
use tdm::{Alarms, Frame, Instant, Law};

use crate::bench::{INSTANCE, dial_to, settings, slot, span};

/// One span, its far end, and 2 ms of line between them.
struct Pair {
    media: Media,
    far: Interface,
    now: Instant,
    wakes: [Option<Instant>; 2],
    air: VecDeque<(Instant, bool, Frame)>,
    up: bool,
    events: Vec<CallEvent>,
    heard: Vec<Event>,
    frames: u64,
}

impl Pair {
    fn new() -> Self {
        let now = Instant::seconds(1);
        let mut pair = Self {
            media: Media::new(settings(1), INSTANCE, now).unwrap(),
            far: Interface::new(PriSettings::e1(Side::Network)),
            now,
            wakes: [None; 2],
            air: VecDeque::new(),
            up: false,
            events: Vec::new(),
            heard: Vec::new(),
            frames: 0,
        };
        pair.media.controller(now, true);
        pair.line(true);
        pair.pass(2000);
        pair
    }
    fn line(&mut self, up: bool) {
        self.up = up;
        self.air.clear();
        self.media.line(self.now, span(0), up, Alarms::NONE);
        self.far.order(self.now, Order::Line { up });
        self.drain();
    }
    fn order(&mut self, order: Order) {
        self.far.order(self.now, order);
        self.drain();
    }
    fn command(&mut self, command: CallCommand) -> Result<call::Accepted, call::Refusal> {
        let answer = self.media.command(self.now, command);
        self.drain();
        answer
    }
    fn drain(&mut self) {
        let arrives = self.now.plus_millis(2);
        loop {
            match self.media.poll() {
                Output::Frame { frame, .. } if self.up => {
                    self.air.push_back((arrives, false, frame));
                }
                Output::Event(CallEvent::Time { .. }, _) => {}
                Output::Event(event, _) => self.events.push(event),
                Output::Wait(at) => break self.wakes[0] = at,
                _ => {}
            }
        }
        loop {
            match self.far.poll() {
                InterfaceOutput::Transmit(frame) if self.up => {
                    self.air.push_back((arrives, true, frame));
                }
                InterfaceOutput::Transmit(_) => {}
                InterfaceOutput::Event(event) => self.heard.push(event),
                InterfaceOutput::Wait(at) => break self.wakes[1] = at,
            }
        }
    }
    fn pass(&mut self, millis: u64) {
        let end = self.now.plus_millis(millis);
        loop {
            let frame = self.air.front().map(|&(at, ..)| at);
            let [near, far] = self.wakes;
            let next = [frame, near, far].into_iter().flatten().min();
            let Some(at) = next.filter(|&at| at <= end) else { break };
            self.now = self.now.max(at);
            if frame == Some(at)
                && let Some((_, to_us, frame)) = self.air.pop_front()
            {
                self.frames += 1;
                match to_us {
                    true => self.media.frame(self.now, span(0), frame.octets()),
                    false => self.far.handle_frame(self.now, frame.octets()),
                }
            } else if near == Some(at) {
                self.media.elapsed(self.now);
            } else {
                self.far.elapsed(self.now);
            }
            self.drain();
        }
        self.now = end;
    }
    /// The key of the call that has just come in over there.
    fn rung(&mut self) -> LegKey {
        let keys = self.heard.iter().rev().find_map(|event| match event {
            Event::Incoming(call) => Some(call.key),
            _ => None,
        });
        keys.expect("a call came in over there")
    }
    fn ended(&mut self) -> Vec<Summary> {
        let ended = std::mem::take(&mut self.events).into_iter().filter_map(|event| match event {
            CallEvent::Ended(summary) => Some(summary),
            _ => None,
        });
        ended.collect()
    }
}

#[test]
fn two_hundred_calls_end_exactly_as_the_far_end_says() {
    let mut pair = Pair::new();
    let clear = |key, cause| Order::Clear { key, cause: Cause(cause), in_band: false };
    for round in 0..200 {
        pair.command(CallCommand::Dial(dial_to("5551234"))).unwrap();
        pair.pass(20);
        let key = pair.rung();
        let (cause, outcome) = match round % 8 {
            0 => {
                pair.order(Order::Alert { key, in_band: false });
                pair.pass(500);
                pair.order(Order::Connect { key });
                pair.pass(3000);
                pair.order(clear(key, 16));
                (16, None)
            }
            1 => {
                pair.order(Order::Alert { key, in_band: false });
                pair.pass(30_000);
                (16, Some(Outcome::NoAnswer))
            }
            n => {
                let causes = [
                    (1, Outcome::Vacant),
                    (17, Outcome::Busy),
                    (18, Outcome::NoAnswer),
                    (21, Outcome::Other),
                    (27, Outcome::Other),
                    (34, Outcome::Congestion),
                ];
                let (cause, outcome) = causes[n - 2];
                if round % 3 == 0 {
                    pair.order(Order::Proceed { key });
                    pair.pass(100);
                }
                pair.order(clear(key, cause));
                (cause, Some(outcome))
            }
        };
        pair.pass(200);
        let ended = pair.ended();
        let [summary] = &ended[..] else { panic!("round {round}: {ended:?}") };
        assert_eq!((summary.cause, summary.outcome), (Cause(cause), outcome), "round {round}");
        let answered = round % 8 == 0;
        assert_eq!(summary.disposition == Disposition::Answered, answered, "round {round}");
        assert_eq!(summary.cleared_by_us, round % 8 == 1, "round {round}");
    }
    assert_eq!((pair.media.status().legs, pair.far.calls()), (0, 0));
}

#[test]
fn an_incoming_call_is_answered_and_numbers_arrive_with_all_they_say() {
    let mut pair = Pair::new();
    let calling = Number {
        digits: "13800138000".into(),
        presentation: call::Presentation::Restricted,
        screening: call::Screening::Network,
        kind: call::NumberType::National,
        ..Number::default()
    };
    pair.order(Order::Call(Outgoing {
        key: LegKey(1),
        channel: ChannelWish { timeslot: slot(9), exclusive: true },
        called: Number::unknown("4000"),
        calling: Some(calling.clone()),
        name: None,
        redirecting: None,
        law: Law::A,
    }));
    pair.pass(20);
    let leg = pair.events.iter().find_map(|event| match event {
        CallEvent::Incoming { leg, channel: (1, 9), calling: Some(n), .. } if *n == calling => {
            Some(*leg)
        }
        _ => None,
    });
    let leg = leg.expect("the call, with its restricted number");
    pair.command(CallCommand::Alert { leg }).unwrap();
    pair.command(CallCommand::Answer { leg }).unwrap();
    pair.pass(20);
    assert!(pair.events.contains(&CallEvent::Answered { leg }));
    let connected = Event::Connected { key: LegKey(1), timeslot: slot(9) };
    assert!(pair.heard.contains(&connected));
    pair.command(CallCommand::Hangup { leg, cause: Cause::NORMAL_CLEARING }).unwrap();
    pair.pass(50);
    assert_eq!(pair.ended().len(), 1);
    assert_eq!(pair.far.calls(), 0);
}

#[test]
fn an_answered_call_survives_ten_seconds_without_a_line_and_an_unanswered_one_does_not() {
    let mut pair = Pair::new();
    let answered = pair.command(CallCommand::Dial(dial_to("1"))).unwrap().leg.unwrap();
    pair.pass(20);
    let key = pair.rung();
    pair.order(Order::Connect { key });
    pair.pass(20);
    assert!(pair.events.contains(&CallEvent::Answered { leg: answered }));
    let ringing = pair.command(CallCommand::Dial(dial_to("2"))).unwrap().leg.unwrap();
    pair.pass(20);

    pair.line(false);
    let ended: Vec<_> = pair.ended().into_iter().map(|s| (s.leg, s.cause)).collect();
    assert_eq!(ended, [(ringing, Cause::DESTINATION_OUT_OF_ORDER)]);
    let refusal = pair.command(CallCommand::Dial(dial_to("3"))).unwrap_err();
    assert_eq!(refusal.code, RefusalCode::SpanDown);
    pair.pass(10_000);
    pair.line(true);
    pair.pass(10_000);
    assert!(pair.ended().is_empty());
    assert_eq!(pair.media.status().legs, 1);

    pair.order(Order::Clear { key, cause: Cause::NORMAL_CLEARING, in_band: false });
    pair.pass(100);
    let ended: Vec<_> = pair.ended().into_iter().map(|s| (s.leg, s.cause)).collect();
    assert_eq!(ended, [(answered, Cause::NORMAL_CLEARING)]);
}

#[test]
fn an_answered_call_ends_with_t309_when_the_line_stays_away() {
    let mut pair = Pair::new();
    let leg = pair.command(CallCommand::Dial(dial_to("1"))).unwrap().leg.unwrap();
    pair.pass(20);
    let key = pair.rung();
    pair.order(Order::Connect { key });
    pair.pass(20);
    pair.line(false);
    pair.pass(29_000);
    assert!(pair.ended().is_empty());
    pair.pass(2000);
    let ended: Vec<_> = pair.ended().into_iter().map(|s| (s.leg, s.cause)).collect();
    assert_eq!(ended, [(leg, Cause::DESTINATION_OUT_OF_ORDER)]);
}

#[test]
fn an_announcement_with_the_disconnect_is_heard_and_classified() {
    let mut pair = Pair::new();
    let leg = pair.command(CallCommand::Dial(dial_to("1"))).unwrap().leg.unwrap();
    pair.pass(20);
    let key = pair.rung();
    pair.order(Order::Clear { key, cause: Cause(31), in_band: true });
    pair.pass(20);
    assert!(pair.events.contains(&CallEvent::Disconnecting { leg, cause: Cause(31) }));
    let (span_number, timeslot) = pair
        .events
        .iter()
        .find_map(|event| match event {
            CallEvent::Dialling { channel, .. } => Some(*channel),
            _ => None,
        })
        .unwrap();
    let channel = tdm::Channel::new(usize::from(span_number) - 1, usize::from(timeslot)).unwrap();
    let heard = dsp::ears::Heard::Progress(dsp::ears::Sound::Vacant);
    let what = dsp::pipeline::What::Heard(heard);
    let event = dsp::pipeline::Event { at: tdm::SampleTime::millis(1), channel, what };
    pair.pass(2000);
    pair.media.heard(pair.now, event);
    pair.drain();
    pair.pass(50);
    let ended = pair.ended();
    assert_eq!(ended.len(), 1);
    assert_eq!((ended[0].outcome, ended[0].cause), (Some(Outcome::Vacant), Cause(31)));
    assert_eq!(pair.far.calls(), 0);
}
