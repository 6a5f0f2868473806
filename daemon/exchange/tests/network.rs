//! The network held against the other side of its signalling: user-side interfaces over HDLC on timeslot 16,
//! a handful of rules for what to do with calls, and octets copied between channels. No board, virtual time.

use std::collections::{BTreeMap, VecDeque};

use call::{Cause, Number};
use dsp::g711;
use dsp::generate::Oscillator;
use emulator::FarEnd;
use exchange::scenario::{Numbers, Spoken};
use exchange::{
    CallTruth, Exchange, Offering, PartyKind, Scenario, Standing, SubscriberKind, Truth, Voices,
};
use signalling::pri::Interface;
use signalling::{
    ChannelWish, Dialect, Event, InterfaceOutput, LegKey, Order, Outgoing, PriSettings, Side,
};
use tdm::hdlc::{Decoder, Encoder};
use tdm::{Block, Frame, Instant, Law, SampleTime, Timeslot};

const PBX: usize = 3;

/// A channel: span from 0, timeslot.
type Place = (usize, usize);

/// Our side of one span's D-channel.
struct Port {
    interface: Interface,
    d_channel: Timeslot,
    law: Law,
    encoder: Encoder,
    decoder: Decoder,
    backlog: VecDeque<Frame>,
    wake: Option<Instant>,
    is_up: bool,
    busy: [bool; 32],
}

impl Port {
    /// The end that faces this one.
    fn facing(span: &exchange::scenario::Span) -> Self {
        let side = match Side::from(span.side) {
            Side::Network => Side::User,
            Side::User => Side::Network,
        };
        let settings = PriSettings::new(side, span.spoken()).over(span.carrier());
        Self {
            interface: Interface::new(settings),
            d_channel: span.carrier().d_channel(),
            law: span.companding(),
            encoder: Encoder::new(),
            decoder: Decoder::new(),
            backlog: VecDeque::new(),
            wake: None,
            is_up: false,
            busy: [false; 32],
        }
    }
    fn drain(&mut self, events: &mut Vec<Event>) {
        loop {
            match self.interface.poll() {
                InterfaceOutput::Transmit(frame) => self.backlog.push_back(frame),
                InterfaceOutput::Event(event) => events.push(event),
                InterfaceOutput::Wait(wake) => {
                    self.wake = wake;
                    return;
                }
            }
        }
    }
}

/// What a leg of ours is for.
#[derive(Clone, Debug, PartialEq)]
enum Use {
    Caller { since: u64, key: Option<u8> },
    Dialled { give_up: u64, rings: bool },
    Agent { rung_for: Option<Place> },
}

#[derive(Clone, Debug)]
struct Leg {
    place: Place,
    key: LegKey,
    number: String,
    is_answered: bool,
    is_clearing: bool,
    purpose: Use,
}

/// What our side noted.
#[derive(Debug, Default, PartialEq)]
struct Notes {
    offered: u64,
    refused: u64,
    answered: u64,
    served: u64,
    bridged: u64,
    dialled: u64,
    outbound_answered: u64,
    given_up: u64,
    causes: BTreeMap<u8, u64>,
}

/// A switch with rules: answers callers, plays a tone, hears a key, connects them to free agents.
struct House {
    exchange: Exchange,
    lines: Vec<Box<dyn FarEnd>>,
    ports: Vec<Port>,
    heard: Vec<Block>,
    legs: Vec<Leg>,
    /// Who hears whom.
    from: BTreeMap<Place, Place>,
    keys: BTreeMap<Place, Vec<f32>>,
    prompt: Oscillator,
    now: u64,
    next_key: u32,
    notes: Notes,
    /// Callers are accepted while there are fewer.
    capacity: usize,
    answers: bool,
    failed_frames: u64,
}

impl House {
    fn new(scenario: Scenario, seed: u64) -> Self {
        let ports = scenario.spans.iter().map(Port::facing).collect();
        let exchange = Exchange::new(scenario, seed, Voices::embedded()).expect("a network");
        let lines = exchange.far_ends();
        Self {
            heard: vec![Block::idle(Law::A); lines.len()],
            exchange,
            lines,
            ports,
            legs: Vec::new(),
            from: BTreeMap::new(),
            keys: BTreeMap::new(),
            prompt: Oscillator::new(1000.0),
            now: 0,
            next_key: 1,
            notes: Notes::default(),
            capacity: usize::MAX,
            answers: true,
            failed_frames: 0,
        }
    }

    fn run(&mut self, millis: u64) {
        for _ in 0..millis {
            self.millisecond();
        }
    }

    fn run_until(&mut self, what: &str, most_millis: u64, mut done: impl FnMut(&Self) -> bool) {
        for _ in 0..most_millis {
            if done(self) {
                return;
            }
            self.millisecond();
        }
        panic!("not within {most_millis} ms: {what}; {:?}", self.exchange.truth());
    }

    fn millisecond(&mut self) {
        let at = SampleTime::millis(self.now);
        let prompt: [f32; 8] = core::array::from_fn(|_| 0.1 * self.prompt.next_sample());
        let before = self.heard.clone();
        for span in 0..self.lines.len() {
            let Port { law, d_channel, .. } = self.ports[span];
            let mut sent = Block::idle(law);
            for leg in self.legs.iter().filter(|leg| leg.place.0 == span) {
                let slot = Timeslot::new(leg.place.1).expect("a timeslot");
                match (self.from.get(&leg.place), &leg.purpose) {
                    (Some(&(from, timeslot)), _) => {
                        let from_slot = Timeslot::new(timeslot).expect("a timeslot");
                        sent.set_timeslot(slot, before[from].timeslot(from_slot));
                    }
                    // Two seconds of prompt after the answer, and of information after its key.
                    (None, Use::Caller { since, key })
                        if leg.is_answered && *key != Some(b'1') && self.now < since + 2000 =>
                    {
                        sent.set_timeslot(slot, prompt.map(|it| g711::encode_f32(law, it)));
                    }
                    _ => {}
                }
            }
            let port = &mut self.ports[span];
            while port.backlog.front().is_some_and(|frame| port.encoder.push(frame)) {
                port.backlog.pop_front();
            }
            let mut octets = [0; 8];
            port.encoder.octets(&mut octets);
            sent.set_timeslot(d_channel, octets);
            let mut received = Block::idle(law);
            self.lines[span].millisecond(at, &sent, &mut received);
            self.heard[span] = received;
            self.hear_d_channel(span);
        }
        self.decide();
        self.now += 1;
    }

    fn hear_d_channel(&mut self, span: usize) {
        let now = Instant::millis(self.now);
        let (mut frames, mut events) = (Vec::new(), Vec::new());
        let port = &mut self.ports[span];
        let octets = self.heard[span].timeslot(port.d_channel);
        port.decoder.push(&octets, |frame| frames.push(frame.to_vec()));
        if self.now == 0 {
            port.interface.order(now, Order::Line { up: true });
            port.drain(&mut events);
        }
        for frame in frames {
            port.interface.handle_frame(now, &frame);
            port.drain(&mut events);
        }
        if port.wake.is_some_and(|wake| wake <= now) {
            port.interface.elapsed(now);
            port.drain(&mut events);
        }
        self.failed_frames += port.decoder.counters().bad();
        for event in events {
            self.handle(span, event);
        }
    }

    fn order(&mut self, span: usize, order: Order) {
        let mut events = Vec::new();
        let port = &mut self.ports[span];
        port.interface.order(Instant::millis(self.now), order);
        port.drain(&mut events);
        for event in events {
            self.handle(span, event);
        }
    }

    fn handle(&mut self, span: usize, event: Event) {
        match event {
            Event::LinkUp => self.ports[span].is_up = true,
            Event::LinkDown => self.ports[span].is_up = false,
            Event::Incoming(call) => {
                self.notes.offered += 1;
                let callers =
                    self.legs.iter().filter(|l| matches!(l.purpose, Use::Caller { .. })).count();
                let place = (span, call.timeslot.index());
                let is_refused = callers >= self.capacity;
                self.ports[span].busy[place.1] = true;
                self.legs.push(Leg {
                    place,
                    key: call.key,
                    number: call.calling.map(|n| n.digits).unwrap_or_default(),
                    is_answered: false,
                    is_clearing: is_refused,
                    purpose: Use::Caller { since: self.now, key: None },
                });
                if is_refused {
                    self.notes.refused += 1;
                    let cause = Cause::SWITCH_CONGESTION;
                    self.order(span, Order::Clear { key: call.key, cause, in_band: false });
                } else if self.answers {
                    self.order(span, Order::Proceed { key: call.key });
                    self.order(span, Order::Connect { key: call.key });
                    if let Some(leg) = self.leg_mut(span, call.key) {
                        leg.is_answered = true;
                    }
                } else {
                    self.order(span, Order::Alert { key: call.key, in_band: false });
                }
            }
            Event::Alerting { key, .. } => {
                if let Some(leg) = self.leg_mut(span, key)
                    && let Use::Dialled { rings, .. } = &mut leg.purpose
                {
                    *rings = true;
                }
            }
            Event::Connected { key, timeslot } => self.connected(span, key, timeslot),
            Event::DisconnectInBand { key, clearing } => {
                self.cleared(span, key, clearing.cause);
                self.order(span, Order::Release { key });
            }
            Event::Clearing { key, clearing } => self.cleared(span, key, clearing.cause),
            Event::Ended { key, clearing, glare, .. } => {
                if glare {
                    self.glared(span, key);
                }
                self.cleared(span, key, clearing.cause);
                if let Some(at) =
                    self.legs.iter().position(|leg| leg.place.0 == span && leg.key == key)
                {
                    let leg = self.legs.swap_remove(at);
                    self.ports[span].busy[leg.place.1] = false;
                    self.keys.remove(&leg.place);
                }
            }
            _ => {}
        }
    }

    /// Lost the channel to a call of theirs: dials anew, as a trunk group does.
    fn glared(&mut self, span: usize, key: LegKey) {
        let Some(leg) = self.leg_mut(span, key) else { return };
        leg.is_clearing = true;
        let number = leg.number.clone();
        self.notes.dialled -= 1;
        assert!(self.dial(&number, &[0, 1, 2]), "no channel for {number} after glare");
    }

    fn connected(&mut self, span: usize, key: LegKey, timeslot: Timeslot) {
        let Some(leg) = self.leg_mut(span, key) else { return };
        leg.place.1 = timeslot.index();
        if leg.is_answered {
            return;
        }
        leg.is_answered = true;
        let leg = leg.clone();
        match leg.purpose {
            Use::Dialled { .. } => self.notes.outbound_answered += 1,
            Use::Agent { rung_for: Some(caller) } => {
                self.bridge(caller, leg.place);
            }
            _ => {}
        }
    }

    fn cleared(&mut self, span: usize, key: LegKey, cause: Cause) {
        let Some(leg) = self.leg_mut(span, key) else { return };
        if std::mem::replace(&mut leg.is_clearing, true) {
            return;
        }
        let leg = leg.clone();
        if matches!(leg.purpose, Use::Dialled { .. }) && !leg.is_answered {
            *self.notes.causes.entry(cause.0).or_default() += 1;
        }
        if let Some(peer) = self.from.remove(&leg.place) {
            self.from.remove(&peer);
        }
        // Whom a telephone rang for is gone, or who rang is.
        let ringing = self.legs.iter().find(|other| {
            other.purpose == Use::Agent { rung_for: Some(leg.place) } && !other.is_clearing
        });
        if let Some((span, key)) = ringing.map(|leg| (leg.place.0, leg.key)) {
            self.clear(span, key);
        }
    }

    fn clear(&mut self, span: usize, key: LegKey) {
        if let Some(leg) = self.leg_mut(span, key) {
            leg.is_clearing = true;
        }
        self.order(span, Order::Clear { key, cause: Cause::NORMAL_CLEARING, in_band: false });
    }

    fn leg_mut(&mut self, span: usize, key: LegKey) -> Option<&mut Leg> {
        self.legs.iter_mut().find(|leg| leg.place.0 == span && leg.key == key)
    }

    fn bridge(&mut self, a: Place, b: Place) {
        self.from.insert(a, b);
        self.from.insert(b, a);
        self.notes.bridged += 1;
    }

    /// Dials on the highest free channel of the first span that has one.
    fn dial(&mut self, number: &str, spans: &[usize]) -> bool {
        self.call(number, spans, None, Use::Dialled { give_up: self.now + 12_000, rings: false })
    }

    fn call(&mut self, number: &str, spans: &[usize], calling: Option<&str>, purpose: Use) -> bool {
        let found = spans.iter().find_map(|&span| {
            let Port { interface, busy, .. } = &self.ports[span];
            let channels = interface.settings().channels.iter().rev().map(|t| t.index());
            channels.filter(|&t| !busy[t]).map(|t| (span, t)).next()
        });
        let Some(place) = found else { return false };
        let key = LegKey(self.next_key);
        self.next_key += 2;
        self.ports[place.0].busy[place.1] = true;
        self.notes.dialled += u64::from(matches!(purpose, Use::Dialled { .. }));
        let number = number.to_owned();
        self.legs.push(Leg {
            place,
            key,
            number: number.clone(),
            is_answered: false,
            is_clearing: false,
            purpose,
        });
        let timeslot = Timeslot::new(place.1).expect("a timeslot");
        let outgoing = Outgoing {
            key,
            channel: ChannelWish { timeslot, exclusive: true },
            called: Number::unknown(number),
            calling: calling.map(Number::unknown),
            name: None,
            redirecting: None,
            law: self.ports[place.0].law,
        };
        self.order(place.0, Order::Call(outgoing));
        true
    }

    /// Hears keys, gives up, connects.
    fn decide(&mut self) {
        self.hear_keys();
        let now = self.now;
        let late: Vec<_> = self
            .legs
            .iter()
            .filter(|leg| {
                !leg.is_answered
                    && !leg.is_clearing
                    && matches!(leg.purpose, Use::Dialled { give_up, .. } if now >= give_up)
            })
            .map(|leg| (leg.place.0, leg.key))
            .collect();
        for (span, key) in late {
            self.notes.given_up += 1;
            self.clear(span, key);
        }
        let waiting: Vec<Place> =
            self.legs.iter().filter(|l| self.waits(l)).map(|l| l.place).collect();
        for place in waiting {
            let Some(agent) = self.free_agent() else { break };
            if matches!(self.leg_at(place).purpose, Use::Caller { .. }) {
                self.notes.answered += 1;
            }
            self.bridge(place, agent);
        }
    }

    fn leg_at(&self, place: Place) -> &Leg {
        self.legs.iter().find(|leg| leg.place == place).expect("a leg")
    }

    fn waits(&self, leg: &Leg) -> bool {
        let wants = match leg.purpose {
            Use::Caller { key, .. } => key == Some(b'1'),
            // A person has said hello by now; machines get an agent too, who hears them out.
            Use::Dialled { .. } => true,
            Use::Agent { .. } => false,
        };
        wants && leg.is_answered && !leg.is_clearing && !self.from.contains_key(&leg.place)
    }

    fn free_agent(&self) -> Option<Place> {
        let free = self.legs.iter().find(|leg| {
            leg.purpose == Use::Agent { rung_for: None }
                && leg.is_answered
                && !leg.is_clearing
                && !self.from.contains_key(&leg.place)
        });
        free.map(|leg| leg.place)
    }

    /// Listens for 1 and 2 on callers' channels, 20 ms at a time, by their four tones.
    fn hear_keys(&mut self) {
        let listening: Vec<Place> = self
            .legs
            .iter()
            .filter(|leg| leg.is_answered && matches!(leg.purpose, Use::Caller { key: None, .. }))
            .map(|leg| leg.place)
            .collect();
        for place in listening {
            let octets = self.heard[place.0].timeslot(Timeslot::new(place.1).expect("a timeslot"));
            let block = self.keys.entry(place).or_default();
            let heard = g711::linear(self.ports[place.0].law);
            block.extend(octets.iter().map(|&octet| heard[usize::from(octet)]));
            if block.len() < 160 {
                continue;
            }
            let level = |hz: f32| exchange_level(block, hz);
            let key = if level(697.0) < -20.0 {
                None
            } else if level(1209.0) > -20.0 {
                Some(b'1')
            } else if level(1336.0) > -20.0 {
                Some(b'2')
            } else {
                None
            };
            block.clear();
            let now = self.now;
            if let Some(pressed) = key {
                self.notes.served += u64::from(pressed == b'2');
                let leg = self.legs.iter_mut().find(|leg| leg.place == place).expect("a leg");
                leg.purpose = Use::Caller { since: now, key };
            }
        }
    }

    fn sign_in(&mut self, agents: std::ops::RangeInclusive<u32>) {
        for extension in agents {
            let agent = Use::Agent { rung_for: None };
            assert!(self.call(&extension.to_string(), &[PBX], None, agent));
        }
        self.run(500);
        assert!(self.legs.iter().all(|leg| leg.is_answered), "a nailed telephone stays silent");
    }

    fn start(scenario: Scenario, seed: u64) -> Self {
        let mut house = Self::new(scenario, seed);
        house.run_until("links up", 5000, |house| house.ports.iter().all(|port| port.is_up));
        house
    }

    fn truth(&self) -> Truth {
        self.exchange.truth()
    }
}

/// The level of one tone in dBm0.
fn exchange_level(block: &[f32], hz: f32) -> f32 {
    let coefficient = 2.0 * (core::f32::consts::TAU * hz / 8000.0).cos();
    let (mut s1, mut s2) = (0.0_f32, 0.0_f32);
    for &x in block {
        (s2, s1) = (s1, x + coefficient * s1 - s2);
    }
    let power = s1 * s1 + s2 * s2 - coefficient * s1 * s2;
    let n = block.len() as f32;
    g711::dbm0_of_mean_square(2.0 * power / (n * n))
}

fn quiet() -> Scenario {
    let mut scenario = Scenario::demo();
    scenario.callers.per_second = 0.0;
    scenario.callers.bursts.clear();
    scenario
}

fn closes(truth: &Truth) {
    let inbound = &truth.inbound;
    let lost = inbound.lost.trunk + inbound.lost.ivr + inbound.lost.queue + inbound.lost.agent;
    let sum = inbound.answered + inbound.served + lost + inbound.released + inbound.here;
    assert_eq!(inbound.offered, sum, "{inbound:?}");
    let outbound = &truth.outbound;
    let kinds = outbound.person
        + outbound.machine
        + outbound.busy
        + outbound.no_answer
        + outbound.vacant
        + outbound.congestion
        + outbound.other;
    assert_eq!(outbound.dialled, kinds, "{outbound:?}");
    let signalled = &truth.signalled;
    let ways = signalled.answered
        + signalled.given_up
        + signalled.refused.values().sum::<u64>()
        + signalled.here;
    assert_eq!(outbound.dialled, ways, "{signalled:?}");
}

#[test]
fn a_dialled_list_meets_every_kind_and_both_sides_count_the_same() {
    let mut house = House::start(quiet(), 7);
    house.sign_in(8001..=8024);
    for number in 13_900_000_000_u64..13_900_000_100 {
        let number = number.to_string();
        house.run_until("a channel", 30_000, |house| {
            house.legs.iter().filter(|l| matches!(l.purpose, Use::Dialled { .. })).count() < 24
        });
        assert!(house.dial(&number, &[0, 1, 2]));
        house.run(200);
    }
    house.run_until("the list is over", 60_000, |house| {
        !house.legs.iter().any(|leg| matches!(leg.purpose, Use::Dialled { .. }))
    });
    let (truth, notes) = (house.truth(), &house.notes);
    closes(&truth);
    assert_eq!(truth.outbound.dialled, 100);
    assert_eq!(notes.outbound_answered, truth.signalled.answered);
    assert_eq!(notes.given_up, truth.signalled.given_up);
    let sent: BTreeMap<u8, u64> = truth.signalled.refused.clone();
    assert_eq!(notes.causes, sent);
    assert_eq!(truth.signalled.answered, truth.outbound.person + truth.outbound.machine);
    for cause in [1, 17, 34, 42] {
        assert!(sent.contains_key(&cause), "{sent:?}");
    }
    assert!(truth.outbound.other >= 3 && truth.outbound.no_answer >= 8, "{truth:?}");
    // Every person found an agent and heard him all the time; no machine ever did.
    assert_eq!(truth.audio.persons, truth.outbound.person);
    assert!(truth.audio.longest_gap_millis <= 400, "{:?}", truth.audio);
    for call in house.exchange.calls() {
        let is_person = call.subscriber == Some(SubscriberKind::Person);
        if call.party == PartyKind::Subscriber {
            assert_eq!(call.talked, is_person, "{call:?}");
        }
    }
    assert_eq!(house.failed_frames, 0);
}

#[test]
fn callers_press_wait_talk_and_leave_and_every_stage_is_counted() {
    let mut scenario = Scenario::demo();
    scenario.offering_millis = 40_000;
    let mut house = House::new(scenario, 3);
    house.capacity = 60;
    house.run_until("links up", 5000, |house| house.ports.iter().all(|port| port.is_up));
    house.sign_in(8001..=8006);
    house.run_until("the offering is over", 60_000, |house| {
        house.exchange.offering() == Offering::Over
    });
    house.run_until("the last has left", 40_000, |house| house.truth().inbound.here == 0);
    house.run(3000);
    let (truth, notes) = (house.truth(), &house.notes);
    closes(&truth);
    let inbound = truth.inbound;
    assert!(inbound.offered + inbound.unseen >= 100, "{inbound:?}");
    assert_eq!(inbound.offered, notes.offered);
    assert_eq!(inbound.lost.trunk, notes.refused);
    assert!(
        inbound.lost.trunk > 0 && inbound.lost.ivr > 0 && inbound.lost.queue > 0,
        "{inbound:?}"
    );
    assert_eq!(inbound.answered, notes.answered, "{inbound:?}");
    assert_eq!(inbound.served, notes.served, "{inbound:?}");
    assert_eq!(truth.audio.callers, inbound.answered);
    assert_eq!(inbound.released, 0);
    assert_eq!(house.failed_frames, 0);
}

#[test]
fn what_finds_no_channel_is_unseen_to_the_call() {
    let mut scenario = quiet();
    let burst = exchange::scenario::Burst { at_millis: 100, calls: 200, within_millis: 200 };
    scenario.callers.bursts = vec![burst];
    let mut house = House::start(scenario, 1);
    house.answers = false;
    house.run(2000);
    let inbound = house.truth().inbound;
    assert_eq!((inbound.offered, inbound.unseen, inbound.here), (90, 110, 90));
    assert_eq!(house.notes.offered, 90);
    // Nobody answers: they lose patience before the flow has begun.
    house.run(20_000);
    let inbound = house.truth().inbound;
    assert_eq!((inbound.here, inbound.lost.ivr), (0, 90));
    closes(&house.truth());
}

#[test]
fn a_rung_telephone_rings_answers_or_never_does_and_ends_when_alone() {
    let mut house = House::start(quiet(), 5);
    let (mut answered, mut never) = (0, 0);
    for _ in 0..10 {
        for extension in 8025..=8028_u32 {
            let give_up = house.now + 5000;
            let dialled = Use::Dialled { give_up, rings: false };
            assert!(house.call(&extension.to_string(), &[PBX], Some("123"), dialled));
        }
        house.run(300);
        assert!(house.legs.iter().all(|l| matches!(l.purpose, Use::Dialled { rings: true, .. })));
        let before = house.notes.given_up;
        house.run_until("telephones are put down", 20_000, |house| house.legs.is_empty());
        never += house.notes.given_up - before;
        answered = house.notes.outbound_answered;
    }
    assert_eq!(answered + never, 40);
    assert!((3..=14).contains(&never), "{never} of 40 never answered");
    // An extension in a call is busy; one that does not exist is vacant.
    house.sign_in(8001..=8001);
    assert!(house.call("8001", &[PBX], None, Use::Dialled { give_up: u64::MAX, rings: false }));
    assert!(house.call("7000", &[PBX], None, Use::Dialled { give_up: u64::MAX, rings: false }));
    house.run(300);
    assert_eq!(house.notes.causes, BTreeMap::from([(1, 1), (17, 1)]));
}

#[test]
fn a_caller_who_leaves_while_a_telephone_rings_is_lost_at_the_agent() {
    let mut scenario = quiet();
    scenario.callers.bursts =
        vec![exchange::scenario::Burst { at_millis: 0, calls: 10, within_millis: 1000 }];
    scenario.callers.leave_at_ring_percent = 100;
    scenario.callers.leave_in_ivr_percent = 0;
    scenario.callers.information_percent = 0;
    let mut house = House::start(scenario, 5);
    house.run_until("somebody waits", 20_000, |house| house.legs.iter().any(|l| house.waits(l)));
    // Rings a telephone for each who waits, one after the other, with the caller's number.
    for _ in 0..30_000 {
        house.millisecond();
        let rings = house.legs.iter().any(|l| matches!(l.purpose, Use::Agent { .. }));
        let caller = house.legs.iter().find(|leg| house.waits(leg)).cloned();
        if let (false, Some(caller)) = (rings, caller) {
            let agent = Use::Agent { rung_for: Some(caller.place) };
            assert!(house.call("8025", &[PBX], Some(&caller.number), agent));
        }
    }
    let inbound = house.truth().inbound;
    closes(&house.truth());
    assert!(inbound.lost.agent >= 4, "{inbound:?}");
    assert_eq!(inbound.offered, 10);
}

#[test]
fn both_sides_taking_the_same_channels_at_once_lose_no_call() {
    let mut scenario = quiet();
    scenario.spans.truncate(1);
    scenario.callers.bursts =
        vec![exchange::scenario::Burst { at_millis: 1000, calls: 20, within_millis: 1 }];
    scenario.settle_millis = 0;
    let mut house = House::new(scenario, 9);
    house.answers = false;
    house.run_until("the link is up", 5000, |house| house.ports[0].is_up);
    let start = house.now;
    // The network's 20 from below and our 20 from above meet on a span of 30.
    house.run_until("the burst begins", 2000, |house| house.truth().inbound.offered > 0);
    assert!(house.now > start);
    let mut dialled = 0;
    for number in 13_900_000_000_u64..13_900_000_010 {
        dialled += u64::from(house.dial(&number.to_string(), &[0]));
    }
    house.run(3000);
    let truth = house.truth();
    closes(&truth);
    assert_eq!(truth.inbound.offered + truth.inbound.unseen, 20);
    assert_eq!(truth.inbound.offered, house.notes.offered);
    assert_eq!(truth.outbound.dialled, dialled);
    assert_eq!(house.notes.dialled, dialled);
}

/// Each dialect on the line it is usual on: channels and D-channel where that line has them, in its law.
#[test]
fn the_network_speaks_every_dialect_and_each_call_each_way_ends_as_it_should() {
    for dialect in Dialect::ALL {
        let mut scenario = quiet();
        scenario.spans.truncate(1);
        scenario.spans[0].dialect = Some(Spoken(dialect));
        scenario.callers.information_percent = 100;
        scenario.callers.leave_in_ivr_percent = 0;
        let burst = exchange::scenario::Burst { at_millis: 0, calls: 5, within_millis: 500 };
        scenario.callers.bursts = vec![burst];
        let is = |digit: char, is| {
            let number = |last| format!("1390000000{digit}{last}");
            Numbers { from: number(0), to: number(9), is }
        };
        scenario.subscribers.numbers = vec![
            is('1', SubscriberKind::Busy),
            is('2', SubscriberKind::Vacant),
            is('3', SubscriberKind::Person),
        ];
        let mut house = House::start(scenario, 3);
        for number in ["139000000010", "139000000020", "139000000030"] {
            assert!(house.dial(number, &[0]), "{}", dialect.name);
        }
        let name = dialect.name;
        house.run_until(name, 30_000, |house| {
            house.truth().inbound.served == 5 && house.notes.outbound_answered == 1
        });
        house.run_until(name, 30_000, |house| house.legs.is_empty());
        closes(&house.truth());
        assert_eq!(house.notes.causes, BTreeMap::from([(1, 1), (17, 1)]), "{name}");
        assert_eq!((house.notes.offered, house.notes.served), (5, 5), "{name}");
        assert_eq!(house.failed_frames, 0, "{name}");
        let highest = house.exchange.calls().iter().filter_map(|call| call.timeslot).max();
        let last = dialect.carrier.channels().iter().next_back().map(|t| t.index() as u8);
        assert_eq!(highest, last, "{name}: our calls are hunted from above");
    }
}

#[test]
fn one_seed_is_one_day_and_another_seed_another() {
    let day = |seed| -> Vec<CallTruth> {
        let mut scenario = Scenario::demo();
        scenario.callers.per_second = 5.0;
        let mut house = House::start(scenario, seed);
        house.sign_in(8001..=8004);
        house.run(8000);
        house.exchange.calls()
    };
    let first = day(11);
    assert!(first.iter().any(|call| call.standing != Standing::Offered));
    assert_eq!(first, day(11));
    assert_ne!(first, day(12));
}

#[test]
fn a_line_that_was_cut_comes_back_and_carries_calls_again() {
    let mut scenario = quiet();
    scenario.callers.per_second = 5.0;
    let mut house = House::start(scenario, 2);
    house.run(3000);
    for line in &mut house.lines {
        line.line(Some(tdm::Alarm::LossOfSignal));
    }
    for span in 0..house.ports.len() {
        house.order(span, Order::Line { up: false });
    }
    house.run(1000);
    assert!(house.exchange.spans().iter().all(|span| !span.in_service));
    let unseen = house.truth().inbound.unseen;
    house.run(2000);
    assert!(house.truth().inbound.unseen > unseen, "callers find no line");
    for line in &mut house.lines {
        line.line(None);
    }
    for span in 0..house.ports.len() {
        house.order(span, Order::Line { up: true });
    }
    house.run(5000);
    assert!(house.exchange.spans().iter().all(|span| span.in_service));
    let offered = house.notes.offered;
    house.run(3000);
    assert!(house.notes.offered > offered);
}

#[test]
fn noise_on_every_timeslot_for_a_minute_breaks_nothing() {
    let mut rng = tdm::Rng::from_seed(99);
    let mut scenario = Scenario::demo();
    scenario.wait_for_spans_millis = 0;
    let exchange = Exchange::new(scenario, 1, Voices::embedded()).expect("a network");
    let mut lines = exchange.far_ends();
    for millis in 0..60_000 {
        for line in &mut lines {
            let mut sent = Block::idle(Law::A);
            for octet in sent.octets.as_flattened_mut() {
                *octet = rng.next_u64() as u8;
            }
            line.millisecond(SampleTime::millis(millis), &sent, &mut Block::idle(Law::A));
        }
    }
    let inbound = exchange.truth().inbound;
    assert_eq!(inbound.offered, 0);
    assert!(inbound.unseen > 50, "{inbound:?}");
}
