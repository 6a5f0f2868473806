//! Two engines face to face over a line that loses, doubles, delays, reorders and corrupts what it carries, with
//! call servers at both ends that do anything they may at any moment. Safety is checked at every event; again and
//! again the line heals, and everything must come to rest and work as on the first day.
//!
//! A step is one thing that happens: a frame arrives, a timer runs out, somebody orders something. The ten
//! million of `ten_million_steps` run with `cargo test --release -p signalling --test soak -- --ignored`.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use call::{Cause, Number};
use signalling::pri::Interface;
use signalling::{
    ChannelNumbers, ChannelWish, Dialect, Event, InterfaceOutput, LegKey, Order, Outgoing, Overlap,
    PriSettings, RestartForm, ServiceStatus, Side, Timeslots,
};
use tdm::{Instant, Rng, Timeslot};

/// How bad the line is.
#[derive(Clone, Copy, Default)]
struct Weather {
    loss: f64,
    doubled: f64,
    /// A bit is wrong and the check sequence does not see it.
    corrupted: f64,
    delay_millis_max: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leg {
    /// Ours, no answer yet. `settled`: the channel is agreed on.
    Dialling {
        settled: bool,
    },
    /// Theirs, not answered.
    Offered,
    Answered,
    /// We ordered its end, or were told of it.
    Clearing,
}

/// A call server that knows only what events tell it.
struct App {
    legs: BTreeMap<LegKey, (Leg, Option<Timeslot>)>,
    over: BTreeSet<LegKey>,
    failed: Timeslots,
    /// Taken out by maintenance messages, whose ever.
    out: Timeslots,
    next_key: u32,
    ended: u64,
}

impl App {
    /// Whether a call of ours belongs on `timeslot`, as far as we were told.
    fn may_call(&self, timeslot: Timeslot) -> bool {
        !self.failed.has(timeslot) && !self.out.has(timeslot)
    }
    fn on(&self, timeslot: Timeslot) -> Option<LegKey> {
        self.legs.iter().find(|(_, leg)| leg.1 == Some(timeslot)).map(|(key, _)| *key)
    }
    /// A call got this channel. Only one of ours without an answer may have asked for the same.
    fn place(&mut self, key: LegKey, timeslot: Timeslot) {
        if let Some(other) = self.on(timeslot).filter(|other| *other != key) {
            let leg = self.legs.get_mut(&other).expect("just found");
            assert!(
                matches!(leg.0, Leg::Dialling { settled: false } | Leg::Clearing),
                "{other:?} {:?} and {key:?} share {timeslot}",
                leg.0
            );
            leg.1 = None;
        }
        self.legs.get_mut(&key).expect("live").1 = Some(timeslot);
    }
    fn handle(&mut self, event: &Event) {
        let live = |key: &LegKey| {
            assert!(!self.over.contains(key), "{key:?} is over: {event:?}");
            assert!(self.legs.contains_key(key), "nobody knows {key:?}: {event:?}");
        };
        match event {
            Event::Incoming(call) => {
                assert!(call.key.0.is_multiple_of(2) && !self.over.contains(&call.key));
                let before = self.legs.insert(call.key, (Leg::Offered, None));
                assert_eq!(before, None, "{:?} came in twice", call.key);
                self.place(call.key, call.timeslot);
            }
            Event::Proceeding { key, timeslot, .. } | Event::Alerting { key, timeslot, .. } => {
                live(key);
                self.place(*key, *timeslot);
                let leg = self.legs.get_mut(key).expect("live");
                if matches!(leg.0, Leg::Dialling { .. }) {
                    leg.0 = Leg::Dialling { settled: true };
                }
            }
            Event::Connected { key, timeslot } => {
                live(key);
                self.place(*key, *timeslot);
                let leg = self.legs.get_mut(key).expect("live");
                if leg.0 != Leg::Clearing {
                    leg.0 = Leg::Answered;
                }
            }
            Event::Progress { key, .. } | Event::Named { key, .. } => live(key),
            Event::DisconnectInBand { key, .. } | Event::Clearing { key, .. } => {
                live(key);
                self.legs.get_mut(key).expect("live").0 = Leg::Clearing;
            }
            Event::Ended { key, .. } => {
                live(key);
                self.legs.remove(key);
                self.over.insert(*key);
                self.ended += 1;
            }
            Event::Restarted { timeslot: None } => self.failed = Timeslots::NONE,
            Event::Restarted { timeslot: Some(timeslot) } => {
                self.failed = self.failed.with(*timeslot, false);
            }
            Event::ChannelFailed { timeslot } => {
                // One that asked for it may have lost it to a call that was not told of yet.
                let leg = self.on(*timeslot).map(|key| self.legs[&key].0);
                let is_sound =
                    matches!(leg, None | Some(Leg::Dialling { settled: false } | Leg::Clearing));
                assert!(is_sound, "{timeslot} failed under a call, {leg:?}");
                self.failed = self.failed.with(*timeslot, true);
            }
            Event::Failed { key, .. } => live(key),
            Event::Service { timeslot, status } => {
                self.out = self.out.with(*timeslot, *status != ServiceStatus::InService);
            }
            Event::Refused { .. }
            | Event::RestartUnanswered { .. }
            | Event::LinkUp
            | Event::LinkDown => {}
        }
    }
}

/// When, in which order it was sent, at which end, what.
type Arrival = (Instant, u64, usize, Vec<u8>);

struct World {
    now: Instant,
    rng: Rng,
    weather: Weather,
    ends: [Interface; 2],
    apps: [App; 2],
    line: BinaryHeap<Reverse<Arrival>>,
    sent: u64,
    wake: [Option<Instant>; 2],
    /// When the call servers do something next.
    act: Option<Instant>,
    steps: u64,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::from_seed(seed);
        let dialect = Dialect::ALL[rng.below(8) as usize];
        let overlap = Overlap {
            send_first: rng.chance(0.3).then(|| rng.below(4) as u8),
            receive: rng.chance(0.3),
            digits: rng.chance(0.5).then_some(4),
        };
        let t309_millis = [0, 6000, 90_000][rng.below(3) as usize];
        let logical = dialect == Dialect::QSIG && rng.chance(0.5);
        let forms = [RestartForm::Interface, RestartForm::List, RestartForm::OneByOne];
        let restart_form = forms[rng.below(3) as usize];
        let ends = [Side::User, Side::Network].map(|side| {
            let mut settings = PriSettings::new(side, dialect);
            settings.overlap = overlap;
            settings.restart_form = restart_form;
            settings.timers.t309_millis = t309_millis;
            // Few channels, so that calls meet often.
            let few = settings.channels.iter().take(6).collect();
            settings.channels = few;
            if logical {
                settings.numbers = ChannelNumbers::Logical;
            }
            Interface::new(settings)
        });
        let app = || App {
            legs: BTreeMap::new(),
            over: BTreeSet::new(),
            failed: Timeslots::NONE,
            out: Timeslots::NONE,
            next_key: 1,
            ended: 0,
        };
        let now = Instant::seconds(1);
        let mut world = Self {
            now,
            rng,
            weather: Weather::default(),
            ends,
            apps: [app(), app()],
            line: BinaryHeap::new(),
            sent: 0,
            wake: [None; 2],
            act: Some(now),
            steps: 0,
        };
        for end in [0, 1] {
            world.order(end, Order::Line { up: true });
        }
        world
    }
    fn order(&mut self, end: usize, order: Order) {
        self.ends[end].order(self.now, order);
        self.drain(end);
    }
    fn drain(&mut self, end: usize) {
        loop {
            match self.ends[end].poll() {
                InterfaceOutput::Transmit(frame) => self.put(1 - end, frame.octets()),
                InterfaceOutput::Event(event) => self.apps[end].handle(&event),
                InterfaceOutput::Wait(at) => {
                    self.wake[end] = at;
                    break;
                }
            }
        }
        // References and channels: never more than there are channels, twice over for calls that met.
        let channels = self.ends[end].settings().channels.iter().count();
        assert!(self.ends[end].calls() <= 3 * channels, "{} calls", self.ends[end].calls());
    }
    fn put(&mut self, to: usize, octets: &[u8]) {
        assert!(octets.len() >= 3 && octets.len() <= 264, "a frame of {} octets", octets.len());
        let copies = 1 + u32::from(self.rng.chance(self.weather.doubled));
        for _ in 0..copies {
            if self.rng.chance(self.weather.loss) {
                continue;
            }
            let mut octets = octets.to_vec();
            if self.rng.chance(self.weather.corrupted) {
                let at = self.rng.below(octets.len() as u64) as usize;
                octets[at] ^= 1 << self.rng.below(8);
            }
            let delay = 1 + self.rng.below(self.weather.delay_millis_max + 1);
            self.sent += 1;
            self.line.push(Reverse((self.now.plus_millis(delay), self.sent, to, octets)));
        }
    }
    /// The next thing that happens; false when nothing will before `end`.
    fn step(&mut self, end: Instant) -> bool {
        let arrival = self.line.peek().map(|Reverse((at, ..))| *at);
        let next = [arrival, self.wake[0], self.wake[1], self.act].into_iter().flatten().min();
        let Some(next) = next.filter(|next| *next <= end) else { return false };
        self.now = self.now.max(next);
        self.steps += 1;
        if arrival == Some(next) {
            let Some(Reverse((_, _, to, octets))) = self.line.pop() else { return true };
            self.ends[to].handle_frame(self.now, &octets);
            self.drain(to);
        } else if let Some(end) = [0, 1].into_iter().find(|end| self.wake[*end] == Some(next)) {
            self.ends[end].elapsed(self.now);
            self.drain(end);
            assert!(self.wake[end].is_none_or(|at| at > self.now), "woken for nothing");
        } else {
            let wait = self.rng.between(1, 60);
            self.act = Some(self.now.plus_millis(wait));
            self.somebody_acts();
        }
        true
    }
    fn somebody_acts(&mut self) {
        let end = self.rng.below(2) as usize;
        let keys: Vec<LegKey> = self.apps[end].legs.keys().copied().collect();
        let leg = keys.get(self.rng.below(keys.len().max(1) as u64) as usize).copied();
        match (self.rng.below(1000), leg) {
            (0..=1, _) => {
                let timeslot = self.any_channel(end);
                self.order(end, Order::Restart { timeslot: Some(timeslot) });
            }
            (2, _) if self.rng.chance(0.1) => self.order(end, Order::Restart { timeslot: None }),
            (3..=5, _) => {
                let all = [
                    ServiceStatus::InService,
                    ServiceStatus::Maintenance,
                    ServiceStatus::OutOfService,
                ];
                let status = all[self.rng.below(3) as usize];
                let timeslot = self.any_channel(end);
                self.order(end, Order::Service { timeslot, status });
            }
            (6, _) if self.rng.chance(0.2) => {
                self.order(end, Order::Line { up: false });
                self.order(end, Order::Line { up: true });
            }
            (7..=400, Some(key)) => self.move_on(end, key),
            (401..=405, _) => {
                let on = self.rng.chance(0.3);
                self.order(end, Order::Behind { on });
            }
            _ => {
                let timeslot = self.any_channel(end);
                if self.apps[end].on(timeslot).is_none() {
                    let exclusive = self.rng.chance(0.5);
                    self.dial(end, timeslot, exclusive);
                }
            }
        }
    }
    fn any_channel(&mut self, end: usize) -> Timeslot {
        let channels: Vec<Timeslot> = self.ends[end].settings().channels.iter().collect();
        channels[self.rng.below(channels.len() as u64) as usize]
    }
    fn dial(&mut self, end: usize, timeslot: Timeslot, exclusive: bool) -> LegKey {
        let app = &mut self.apps[end];
        let key = LegKey(app.next_key);
        app.next_key += 2;
        app.legs.insert(key, (Leg::Dialling { settled: false }, Some(timeslot)));
        let outgoing = Outgoing {
            key,
            channel: ChannelWish { timeslot, exclusive },
            called: Number::unknown("4711"),
            calling: Some(Number::unknown("0815")),
            name: Some("Ann Lee".into()),
            redirecting: None,
            law: self.ends[end].settings().dialect.carrier.law(),
        };
        self.order(end, Order::Call(outgoing));
        key
    }
    /// A call server does with a call whatever it may, and now and then what it may not.
    fn move_on(&mut self, end: usize, key: LegKey) {
        let Some((leg, _)) = self.apps[end].legs.get(&key).copied() else { return };
        let cause = Cause(self.rng.between(1, 127) as u8);
        let in_band = self.rng.chance(0.2);
        let clear = Order::Clear { key, cause, in_band };
        let order = match (leg, self.rng.below(8)) {
            (Leg::Offered, 0) => Order::Proceed { key },
            (Leg::Offered, 1 | 2) => Order::Alert { key, in_band },
            (Leg::Offered, 3) => Order::Progress { key, cause: in_band.then_some(cause) },
            (Leg::Offered, 4 | 5) => Order::Connect { key },
            (Leg::Clearing, _) => Order::Release { key },
            (_, 6 | 7) => {
                self.apps[end].legs.insert(key, (Leg::Clearing, self.apps[end].legs[&key].1));
                clear
            }
            (Leg::Answered, 0) => Order::Alert { key, in_band },
            _ => return,
        };
        self.order(end, order);
    }
    fn run_steps(&mut self, steps: u64) {
        let until = self.steps + steps;
        while self.steps < until && self.step(Instant::micros(u64::MAX)) {}
    }
    fn run_seconds(&mut self, seconds: u64) {
        let end = self.now.plus_millis(seconds * 1000);
        while self.step(end) {}
        self.now = end;
    }
    /// The line is good again and nobody wants anything any more: all must come to rest, and then work.
    fn heal(&mut self) {
        self.weather = Weather::default();
        self.act = None;
        for end in [0, 1] {
            self.order(end, Order::Behind { on: false });
        }
        self.run_seconds(30);
        for end in [0, 1] {
            for key in self.apps[end].legs.keys().copied().collect::<Vec<_>>() {
                let cause = Cause::NORMAL_CLEARING;
                self.order(end, Order::Clear { key, cause, in_band: false });
            }
        }
        // T305, T308 twice; RESTART of every channel; an overlap that nobody ends; T309.
        self.run_seconds(300);
        for end in [0, 1] {
            assert!(self.ends[end].is_up(), "end {end}: the link does not come back");
            let left = &self.apps[end].legs;
            assert!(left.is_empty() && self.ends[end].calls() == 0, "end {end} keeps {left:?}");
        }
        self.recover_alone();
        for end in [0, 1] {
            self.order(end, Order::Restart { timeslot: None });
            for timeslot in self.ends[end].settings().channels.iter().collect::<Vec<_>>() {
                let status = ServiceStatus::InService;
                self.order(end, Order::Service { timeslot, status });
            }
        }
        self.run_seconds(10);
        for end in [0, 1] {
            assert!(self.apps[end].failed.is_empty(), "end {end}: {:?}", self.apps[end].failed);
            for timeslot in self.ends[end].settings().channels.iter().collect::<Vec<_>>() {
                self.try_channel(end, timeslot);
            }
        }
        self.act = Some(self.now);
    }
    /// Before anybody orders anything: every channel that neither end has given up carries calls both ways, and one
    /// that an end has given up carries the other's, whose call is the proof that brings it back.
    fn recover_alone(&mut self) {
        for end in [0, 1] {
            for timeslot in self.ends[end].settings().channels.iter().collect::<Vec<_>>() {
                if self.apps[end].may_call(timeslot) {
                    self.try_channel(end, timeslot);
                }
            }
        }
        for end in [0, 1] {
            for timeslot in self.apps[end].failed.iter() {
                let called_on = self.apps[1 - end].may_call(timeslot);
                assert!(!called_on, "end {end}: {timeslot} stays failed whoever calls on it");
            }
        }
    }
    fn try_channel(&mut self, end: usize, timeslot: Timeslot) {
        let key = self.dial(end, timeslot, true);
        // At most T302, where nobody says that the number is complete.
        let limit = self.now.plus_millis(16_000);
        while self.apps[1 - end].on(timeslot).is_none() && self.step(limit) {}
        let there = self.apps[1 - end].on(timeslot).unwrap_or_else(|| {
            let (ours, theirs) = (&self.apps[end].legs, &self.apps[1 - end].legs);
            let settings = self.ends[end].settings();
            panic!("end {end}, {timeslot}: {ours:?} here, {theirs:?} there; {settings:?}")
        });
        self.order(1 - end, Order::Connect { key: there });
        self.run_seconds(1);
        for (at, key) in [(end, key), (1 - end, there)] {
            let leg = self.apps[at].legs.get(&key).copied();
            assert_eq!(leg, Some((Leg::Answered, Some(timeslot))), "end {at}");
        }
        self.order(end, Order::Clear { key, cause: Cause(16), in_band: false });
        self.run_seconds(1);
        assert!(self.apps.iter().all(|app| app.legs.is_empty()), "it does not end");
        for app in &mut self.apps {
            app.over.clear();
        }
    }
}

/// `rounds` of bad weather of `steps` each, all of them healed.
fn soak(seed: u64, rounds: u64, steps: u64) -> (u64, u64) {
    let mut world = World::new(seed);
    for round in 0..rounds {
        let bad = world.rng.below(4) as f64;
        world.weather = Weather {
            loss: 0.03 * bad * bad,
            doubled: 0.02 * bad,
            corrupted: if round % 2 == 0 { 0.0 } else { 0.002 * bad },
            delay_millis_max: [0, 5, 40, 400][world.rng.below(4) as usize],
        };
        world.run_steps(steps);
        world.heal();
    }
    let ended = world.apps.iter().map(|app| app.ended).sum();
    (world.steps, ended)
}

/// Every seed prints itself first, so that a failure can be replayed alone.
fn soak_seeds(seeds: std::ops::Range<u64>, rounds: u64, steps: u64) -> (u64, u64) {
    seeds
        .map(|seed| {
            println!("seed {seed}");
            soak(seed, rounds, steps)
        })
        .fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
}

#[test]
fn two_engines_over_a_bad_line_stay_sound_and_come_to_rest_whenever_it_heals() {
    let (steps, ended) = soak_seeds(0..24, 4, 4000);
    assert!(steps > 300_000 && ended > 20_000, "{steps} steps, {ended} ends of calls");
}

#[test]
#[ignore = "eight seconds with --release, minutes without"]
fn ten_million_steps() {
    let (steps, ended) = soak_seeds(1000..1400, 5, 5000);
    println!("{steps} steps, {ended} ends of calls");
    assert!(steps > 10_000_000, "{steps}");
}
