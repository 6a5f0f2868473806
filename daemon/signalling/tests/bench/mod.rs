//! A test bench: two interfaces, a D-channel between them, virtual time. The line keeps the order of frames,
//! takes 125 µs an octet and 2 ms on the way, and may lose frames.
#![allow(dead_code)]

use std::collections::VecDeque;

use call::{Cause, Number};
use signalling::pri::Interface;
use signalling::q931::{Engine, EngineOutput};
use signalling::{
    ChannelWish, Event, IncomingCall, InterfaceOutput, LegKey, Order, Outgoing, PriSettings, Side,
};
use tdm::{Frame, Instant, Law, Rng, Timeslot};

pub const USER: usize = 0;
pub const NETWORK: usize = 1;
const WAY_MILLIS: u64 = 2;

pub struct Bench {
    pub now: Instant,
    pub ends: [Interface; 2],
    /// Events not taken yet.
    pub events: [VecDeque<Event>; 2],
    /// Every frame put on the line: who sent it, and what.
    pub sent: Vec<(usize, Vec<u8>)>,
    /// Frames lost of those sent to this end.
    pub loss: [f64; 2],
    /// Frames lost so far.
    pub lost: u64,
    /// Nothing gets through.
    pub cut: bool,
    line: [VecDeque<(Instant, Frame)>; 2],
    wake: [Option<Instant>; 2],
    rng: Rng,
}

pub fn slot(n: usize) -> Timeslot {
    Timeslot::new(n).expect("below 32")
}

/// When a bench, or an engine of its own, begins.
pub const NOW: Instant = Instant::seconds(1);

/// An engine whose link is up and whose events are taken.
pub fn engine(settings: PriSettings) -> Engine {
    let mut engine = Engine::new(settings);
    engine.link_up(NOW);
    outputs(&mut engine);
    engine
}
/// What an engine sent and told.
pub fn outputs(engine: &mut Engine) -> (Vec<Vec<u8>>, Vec<Event>) {
    let (mut sent, mut told) = (Vec::new(), Vec::new());
    while let Some(output) = engine.poll() {
        match output {
            EngineOutput::Send(octets) => sent.push(octets),
            EngineOutput::Event(event) => told.push(event),
        }
    }
    (sent, told)
}

pub fn outgoing(key: u32, timeslot: usize, exclusive: bool) -> Outgoing {
    Outgoing {
        key: LegKey(key),
        channel: ChannelWish { timeslot: slot(timeslot), exclusive },
        called: Number::unknown("4711"),
        calling: Some(Number::unknown("0815")),
        name: None,
        redirecting: None,
        law: Law::A,
    }
}

impl Bench {
    pub fn new(seed: u64) -> Self {
        Self::with(seed, PriSettings::e1(Side::User), PriSettings::e1(Side::Network))
    }
    pub fn with(seed: u64, user: PriSettings, network: PriSettings) -> Self {
        Self {
            now: NOW,
            ends: [Interface::new(user), Interface::new(network)],
            events: Default::default(),
            sent: Vec::new(),
            loss: [0.0; 2],
            lost: 0,
            cut: false,
            line: Default::default(),
            wake: [None; 2],
            rng: Rng::from_seed(seed),
        }
    }
    /// A bench whose link is up and whose events are taken.
    pub fn up(seed: u64) -> Self {
        Self::new(seed).brought_up()
    }
    pub fn brought_up(mut self) -> Self {
        self.order(USER, Order::Line { up: true });
        self.order(NETWORK, Order::Line { up: true });
        self.run_millis(100);
        for end in [USER, NETWORK] {
            assert_eq!(self.take(end), [Event::LinkUp], "end {end}");
        }
        self
    }
    pub fn order(&mut self, end: usize, order: Order) {
        self.ends[end].order(self.now, order);
        self.drain(end);
    }
    pub fn call(&mut self, end: usize, outgoing: Outgoing) {
        self.order(end, Order::Call(outgoing));
    }
    pub fn clear(&mut self, end: usize, key: LegKey, cause: u8) {
        self.order(end, Order::Clear { key, cause: Cause(cause), in_band: false });
    }
    /// A frame from `end` that its engine did not make.
    pub fn inject(&mut self, end: usize, octets: &[u8]) {
        self.put(end, Frame::new(octets).expect("fits"));
    }
    pub fn take(&mut self, end: usize) -> Vec<Event> {
        self.events[end].drain(..).collect()
    }
    /// The only event of `end`.
    pub fn one(&mut self, end: usize) -> Event {
        let mut events = self.take(end);
        assert_eq!(events.len(), 1, "{events:?}");
        events.remove(0)
    }
    pub fn incoming(&mut self, end: usize) -> IncomingCall {
        match self.one(end) {
            Event::Incoming(call) => call,
            other => panic!("{other:?}"),
        }
    }
    pub fn run_millis(&mut self, millis: u64) {
        let end = self.now.plus_millis(millis);
        while self.step(end) {}
        self.now = end;
    }
    /// Runs until `done`, at most `millis`.
    pub fn run_until(&mut self, millis: u64, done: impl Fn(&Self) -> bool) {
        let end = self.now.plus_millis(millis);
        while !done(self) {
            assert!(self.step(end), "nothing more happens before {end}");
        }
    }
    /// The next thing on the line or the clock, when it is due by `end`.
    fn step(&mut self, end: Instant) -> bool {
        let arrivals = [0, 1].map(|to| self.line[to].front().map(|(at, _)| *at));
        let next = arrivals.into_iter().chain(self.wake).flatten().min();
        let Some(next) = next.filter(|next| *next <= end) else { return false };
        self.now = self.now.max(next);
        for to in [0, 1] {
            if arrivals[to].is_some_and(|at| at <= self.now) {
                if let Some((_, frame)) = self.line[to].pop_front() {
                    let lost = self.rng.chance(self.loss[to]);
                    self.lost += u64::from(self.cut || lost);
                    if !self.cut && !lost {
                        self.ends[to].handle_frame(self.now, frame.octets());
                        self.drain(to);
                    }
                }
            } else if self.wake[to].is_some_and(|at| at <= self.now) {
                self.ends[to].elapsed(self.now);
                self.drain(to);
                assert!(self.wake[to].is_none_or(|at| at > self.now), "woken for nothing");
            }
        }
        true
    }
    fn drain(&mut self, end: usize) {
        loop {
            match self.ends[end].poll() {
                InterfaceOutput::Transmit(frame) => self.put(end, frame),
                InterfaceOutput::Event(event) => self.events[end].push_back(event),
                InterfaceOutput::Wait(at) => {
                    self.wake[end] = at;
                    return;
                }
            }
        }
    }
    fn put(&mut self, from: usize, frame: Frame) {
        self.sent.push((from, frame.octets().to_vec()));
        let free = self.line[1 - from].back().map_or(self.now, |(at, _)| *at);
        let start = free.max(self.now.plus_millis(WAY_MILLIS));
        let octets = frame.octets().len() as u64 + 3;
        self.line[1 - from].push_back((start.plus_micros(octets * 125), frame));
    }
    /// The call control messages sent by `end` so far, by their codes.
    pub fn messages(&self, end: usize) -> Vec<u8> {
        self.call_control(end).iter().filter_map(|message| message.get(4).copied()).collect()
    }
    pub fn call_control(&self, end: usize) -> Vec<Vec<u8>> {
        let information = |(from, frame): &(usize, Vec<u8>)| {
            let is_i = *from == end && frame.len() > 4 && frame[2] & 1 == 0;
            is_i.then(|| frame[4..].to_vec())
        };
        self.sent.iter().filter_map(information).collect()
    }
    pub fn forget(&mut self) {
        self.sent.clear();
    }
    /// An answered call from `from` with key 1 on timeslot 1; gives the far end's key.
    pub fn answered(&mut self, from: usize) -> LegKey {
        self.call(from, outgoing(1, 1, true));
        self.run_millis(50);
        let key = self.incoming(1 - from).key;
        self.order(1 - from, Order::Alert { key, in_band: false });
        self.run_millis(50);
        self.order(1 - from, Order::Connect { key });
        self.run_millis(50);
        let connected = Event::Connected { key: LegKey(1), timeslot: slot(1) };
        assert_eq!(self.take(from).last(), Some(&connected));
        assert_eq!(self.one(1 - from), Event::Connected { key, timeslot: slot(1) });
        key
    }
    pub fn assert_idle(&self) {
        for end in [USER, NETWORK] {
            assert_eq!(self.ends[end].calls(), 0, "end {end} holds calls");
        }
    }
}
