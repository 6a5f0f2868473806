//! One span of the far side: its D-channel, its channels, and who is on them.

use std::collections::VecDeque;
use std::sync::Arc;

use call::{Number, NumberType, Presentation, Screening};
use signalling::pri::Interface;
use signalling::{
    ChannelWish, Clearing, Event, IncomingCall, InterfaceOutput, LegKey, Order, Outgoing,
    PriSettings, ServiceStatus, Timeslots,
};
use tdm::hdlc::{Decoder, Encoder};
use tdm::{Block, Frame, Instant, Law, Timeslot};

use crate::caller::Caller;
use crate::ear::Ear;
use crate::ledger::{CallTruth, PartyKind};
use crate::mouth::Mouth;
use crate::party::{Party, Scene, Shared, Signal, Wish};
use crate::scenario::{self, SpanKind};
use crate::subscriber::Subscriber;
use crate::telephone::Telephone;

/// A channel rests so long after a call before a caller gets it, as long as others are free.
const GUARD_MILLIS: u64 = 100;

/// A caller on the way to a channel: new, or driven from one by a call of the other side.
pub struct Placing {
    /// Who calls.
    pub caller: Caller,
    /// The call in the ledger.
    pub record: usize,
}

struct Call {
    key: LegKey,
    timeslot: Timeslot,
    party: Party,
    ear: Ear,
    mouth: Mouth,
    record: usize,
    /// Clearing has begun: nothing more is wished for.
    is_clearing: bool,
}

/// One span.
pub struct Span {
    number: u8,
    kind: SpanKind,
    law: Law,
    d_channel: Timeslot,
    interface: Interface,
    encoder: Encoder,
    decoder: Decoder,
    /// Frames for which the encoder had no room yet.
    backlog: VecDeque<Frame>,
    received: Vec<Frame>,
    events: VecDeque<Event>,
    wishes: Vec<(LegKey, Wish)>,
    wake: Option<Instant>,
    calls: Vec<Call>,
    next_key: u32,
    /// When a channel was last freed.
    freed_millis: [Option<u64>; tdm::TIMESLOTS],
    failed: Timeslots,
    line_is_up: bool,
    line_was_up: bool,
    link_is_up: bool,
    /// Callers whose channel was taken by the other side.
    pub displaced: Vec<Placing>,
}

impl Span {
    /// A span of the scenario, `number` from 1. Its line is up until [`Span::line`] says otherwise.
    pub fn new(number: u8, span: &scenario::Span) -> Self {
        Self {
            number,
            kind: span.kind,
            law: span.companding(),
            d_channel: span.carrier().d_channel(),
            interface: Interface::new(
                PriSettings::new(span.side.into(), span.spoken()).over(span.carrier()),
            ),
            encoder: Encoder::new(),
            decoder: Decoder::new(),
            backlog: VecDeque::new(),
            received: Vec::new(),
            events: VecDeque::new(),
            wishes: Vec::new(),
            wake: None,
            calls: Vec::new(),
            next_key: 1,
            freed_millis: [None; tdm::TIMESLOTS],
            failed: Timeslots::NONE,
            line_is_up: true,
            line_was_up: false,
            link_is_up: false,
            displaced: Vec::new(),
        }
    }

    /// What is behind it.
    pub const fn kind(&self) -> SpanKind {
        self.kind
    }
    /// Whether layer 2 is up.
    pub const fn is_in_service(&self) -> bool {
        self.link_is_up
    }
    /// Calls on it.
    pub fn calls(&self) -> usize {
        self.calls.len()
    }
    /// The physical line came up or went down; acted on in the next millisecond.
    pub fn line(&mut self, is_up: bool) {
        self.line_is_up = is_up;
    }

    /// The channel for the next caller: the lowest that has rested, else the lowest.
    pub fn free_channel(&self, now_millis: u64) -> Option<Timeslot> {
        let is_free = |t: &Timeslot| {
            !self.failed.has(*t) && !self.calls.iter().any(|call| call.timeslot == *t)
        };
        let free = || self.interface.settings().channels.iter().filter(is_free);
        let has_rested = |t: &Timeslot| {
            let freed = self.freed_millis.get(t.index()).copied().flatten();
            freed.is_none_or(|freed| now_millis >= freed + GUARD_MILLIS)
        };
        free().find(has_rested).or_else(|| free().next())
    }

    /// Sends a caller's SETUP.
    pub fn place(
        &mut self,
        now_millis: u64,
        placing: Placing,
        timeslot: Timeslot,
        shared: &mut Shared,
    ) {
        let key = LegKey(self.next_key);
        self.next_key = self.next_key.wrapping_add(2);
        let Placing { caller, record } = placing;
        let presentation = if shared.percent(shared.scenario.callers.restricted_percent) {
            Presentation::Restricted
        } else {
            Presentation::Allowed
        };
        let outgoing = Outgoing {
            key,
            channel: ChannelWish { timeslot, exclusive: true },
            called: Number::unknown(shared.scenario.our_number.as_str()),
            calling: Some(Number {
                digits: caller.number().to_owned(),
                kind: NumberType::National,
                presentation,
                screening: Screening::Network,
                ..Number::default()
            }),
            name: None,
            redirecting: None,
            law: self.law,
        };
        shared.ledger.with(record, |call| {
            call.span = self.number;
            call.timeslot = u8::try_from(timeslot.index()).ok();
        });
        self.admit(key, timeslot, Party::Caller(caller), record, shared);
        self.order(Instant::millis(now_millis), Order::Call(outgoing));
    }

    /// One millisecond of the line: `sent` by the other side, `received` by it.
    pub fn millisecond(
        &mut self,
        now_millis: u64,
        sent: &Block,
        received: &mut Block,
        shared: &mut Shared,
    ) {
        let now = Instant::millis(now_millis);
        if self.line_is_up != self.line_was_up {
            self.line_was_up = self.line_is_up;
            self.order(now, Order::Line { up: self.line_is_up });
        }
        self.listen_to_d_channel(now, sent);
        if self.wake.is_some_and(|wake| wake <= now) {
            self.interface.elapsed(now);
            self.drain();
        }
        self.handle_events(now_millis, shared);
        self.act(now_millis, sent, received, shared);
        self.fulfil(now, now_millis, shared);
        self.speak_on_d_channel(received);
    }

    fn listen_to_d_channel(&mut self, now: Instant, sent: &Block) {
        let (frames, octets) = (&mut self.received, sent.timeslot(self.d_channel));
        self.decoder.push(&octets, |octets| frames.extend(Frame::new(octets)));
        for frame in std::mem::take(&mut self.received) {
            self.interface.handle_frame(now, frame.octets());
            self.drain();
        }
    }

    fn speak_on_d_channel(&mut self, received: &mut Block) {
        while let Some(frame) = self.backlog.front() {
            if !self.encoder.push(frame) {
                break;
            }
            self.backlog.pop_front();
        }
        let mut octets = [0; tdm::SAMPLES];
        self.encoder.octets(&mut octets);
        received.set_timeslot(self.d_channel, octets);
    }

    fn order(&mut self, now: Instant, order: Order) {
        self.interface.order(now, order);
        self.drain();
    }

    fn drain(&mut self) {
        loop {
            match self.interface.poll() {
                InterfaceOutput::Transmit(frame) => self.backlog.push_back(frame),
                InterfaceOutput::Event(event) => self.events.push_back(event),
                InterfaceOutput::Wait(wake) => {
                    self.wake = wake;
                    return;
                }
            }
        }
    }

    fn admit(
        &mut self,
        key: LegKey,
        timeslot: Timeslot,
        party: Party,
        record: usize,
        shared: &mut Shared,
    ) {
        let ear = Ear::new(self.law, party.listens_for());
        let mouth = Mouth::new(self.law, Arc::clone(&shared.voices.noise), &mut shared.rng);
        let is_clearing = false;
        self.calls.push(Call { key, timeslot, party, ear, mouth, record, is_clearing });
    }

    /// Every party hears, decides and speaks.
    fn act(&mut self, now_millis: u64, sent: &Block, received: &mut Block, shared: &mut Shared) {
        let mut wishes = Vec::new();
        for call in &mut self.calls {
            call.ear.hear(&sent.timeslot(call.timeslot));
            let mut scene = Scene {
                now_millis,
                ear: &mut call.ear,
                mouth: &mut call.mouth,
                shared,
                record: call.record,
                wishes: &mut wishes,
            };
            if call.is_clearing {
                call.party.linger(&mut scene);
            } else {
                call.party.tick(&mut scene);
            }
            let mut octets = [0; tdm::SAMPLES];
            call.mouth.fill(&mut octets);
            received.set_timeslot(call.timeslot, octets);
            self.wishes.extend(wishes.drain(..).map(|wish| (call.key, wish)));
        }
    }

    /// Turns what the parties wished for into orders, and goes on until nothing more happens.
    fn fulfil(&mut self, now: Instant, now_millis: u64, shared: &mut Shared) {
        while !self.wishes.is_empty() {
            for (key, wish) in std::mem::take(&mut self.wishes) {
                let Some(call) = self.calls.iter_mut().find(|call| call.key == key) else {
                    continue;
                };
                if call.is_clearing {
                    continue;
                }
                let order = match wish {
                    Wish::Proceed => Order::Proceed { key },
                    Wish::Alert { in_band } => Order::Alert { key, in_band },
                    Wish::Progress => Order::Progress { key, cause: None },
                    Wish::Connect => Order::Connect { key },
                    Wish::Clear { cause, in_band } => {
                        call.is_clearing = true;
                        Order::Clear { key, cause, in_band }
                    }
                };
                self.order(now, order);
            }
            self.handle_events(now_millis, shared);
        }
    }

    fn handle_events(&mut self, now_millis: u64, shared: &mut Shared) {
        while let Some(event) = self.events.pop_front() {
            self.handle(now_millis, event, shared);
        }
    }

    fn handle(&mut self, now_millis: u64, event: Event, shared: &mut Shared) {
        match event {
            Event::LinkUp => self.link_is_up = true,
            Event::LinkDown => self.link_is_up = false,
            Event::Incoming(incoming) => self.come_in(now_millis, &incoming, shared),
            Event::Proceeding { key, timeslot, .. } | Event::Alerting { key, timeslot, .. } => {
                self.settle(key, timeslot, shared);
                self.tell(now_millis, key, Signal::Proceeding, shared);
            }
            Event::Progress { key, .. } => self.tell(now_millis, key, Signal::Proceeding, shared),
            Event::Connected { key, timeslot } => {
                self.settle(key, timeslot, shared);
                self.tell(now_millis, key, Signal::Connected, shared);
            }
            Event::DisconnectInBand { key, clearing } | Event::Clearing { key, clearing } => {
                self.begin_clearing(now_millis, key, clearing, shared);
                if matches!(event, Event::DisconnectInBand { .. }) {
                    self.order(Instant::millis(now_millis), Order::Release { key });
                }
            }
            Event::Ended { key, clearing, glare, .. } => {
                self.end(now_millis, key, clearing, glare, shared);
            }
            Event::Restarted { timeslot: None } => self.failed = Timeslots::NONE,
            Event::Restarted { timeslot: Some(timeslot) } => {
                self.failed = self.failed.with(timeslot, false);
            }
            Event::Service { timeslot, status } => {
                self.failed = self.failed.with(timeslot, status != ServiceStatus::InService);
            }
            // Nobody here has a display; a call that was never one, or fails, ends by its other events.
            Event::Named { .. }
            | Event::Refused { .. }
            | Event::Failed { .. }
            | Event::RestartUnanswered { .. } => {}
            Event::ChannelFailed { timeslot } => self.failed = self.failed.with(timeslot, true),
        }
    }

    fn come_in(&mut self, now_millis: u64, incoming: &IncomingCall, shared: &mut Shared) {
        let called = incoming.called.digits.as_str();
        let calling = incoming.calling.as_ref().map(|number| number.digits.clone());
        let (kind, party) = match self.kind {
            SpanKind::Network => {
                let subscriber = Subscriber::new(called, now_millis, shared);
                (PartyKind::Subscriber, Party::Subscriber(subscriber))
            }
            SpanKind::Pbx => {
                let telephone = Telephone::new(called, calling.clone(), shared);
                (PartyKind::Telephone, Party::Telephone(telephone))
            }
        };
        let mut truth = CallTruth::new(kind, self.number, called, now_millis);
        truth.timeslot = u8::try_from(incoming.timeslot.index()).ok();
        truth.calling = calling;
        if let Party::Subscriber(subscriber) = &party {
            truth.subscriber = Some(subscriber.kind());
            truth.voice = subscriber.voice_name().map(str::to_owned);
        }
        let record = shared.ledger.open(truth);
        self.admit(incoming.key, incoming.timeslot, party, record, shared);
    }

    /// The channel may be another than the one asked for.
    fn settle(&mut self, key: LegKey, timeslot: Timeslot, shared: &mut Shared) {
        if let Some(call) = self.calls.iter_mut().find(|call| call.key == key) {
            call.timeslot = timeslot;
            let number = u8::try_from(timeslot.index()).ok();
            shared.ledger.with(call.record, |call| call.timeslot = number);
        }
    }

    fn tell(&mut self, now_millis: u64, key: LegKey, signal: Signal, shared: &mut Shared) {
        let Some(call) = self.calls.iter_mut().find(|call| call.key == key) else { return };
        let mut wishes = Vec::new();
        let mut scene = Scene {
            now_millis,
            ear: &mut call.ear,
            mouth: &mut call.mouth,
            shared,
            record: call.record,
            wishes: &mut wishes,
        };
        call.party.signal(signal, &mut scene);
        self.wishes.extend(wishes.into_iter().map(|wish| (key, wish)));
    }

    fn begin_clearing(
        &mut self,
        now_millis: u64,
        key: LegKey,
        clearing: Clearing,
        shared: &mut Shared,
    ) {
        self.tell(now_millis, key, Signal::Clearing, shared);
        if let Some(call) = self.calls.iter_mut().find(|call| call.key == key) {
            call.is_clearing = true;
            if is_theirs(&self.interface, clearing) {
                shared.ledger.received(call.record, clearing.cause);
                shared.ledger.with(call.record, |call| call.reached = true);
            } else {
                shared.ledger.sent(call.record, clearing.cause);
            }
        }
    }

    fn end(
        &mut self,
        now_millis: u64,
        key: LegKey,
        clearing: Clearing,
        glare: bool,
        shared: &mut Shared,
    ) {
        self.tell(now_millis, key, Signal::Clearing, shared);
        let Some(at) = self.calls.iter().position(|call| call.key == key) else { return };
        let call = self.calls.swap_remove(at);
        if let Some(freed) = self.freed_millis.get_mut(call.timeslot.index()) {
            *freed = Some(now_millis);
        }
        let record = call.record;
        if glare {
            match call.party {
                // The network looks for another channel and tells nobody.
                Party::Caller(mut caller) => {
                    caller.begin_again(now_millis, shared);
                    self.displaced.push(Placing { caller, record });
                    return;
                }
                _ => shared.ledger.with(record, |call| call.void = true),
            }
        }
        let is_theirs = is_theirs(&self.interface, clearing);
        if is_theirs {
            shared.ledger.received(record, clearing.cause);
        } else {
            shared.ledger.sent(record, clearing.cause);
        }
        shared.ledger.with(record, |call| {
            call.ended_millis = Some(now_millis);
            call.reached |= is_theirs;
        });
    }
}

/// Whether the other side cleared: not the network's party, nor a timer or a lost link of the network's.
fn is_theirs(interface: &Interface, clearing: Clearing) -> bool {
    clearing.by_far_end && clearing.location != interface.settings().location
}
