//! Calls over a line that loses frames: every call ends, on both ends, with the outcome that was meant.

mod bench;

use std::collections::BTreeMap;

use bench::{Bench, NETWORK, USER, slot};
use call::{Cause, Number};
use signalling::lapd::Fault;
use signalling::{ChannelWish, Event, LegKey, Order, Outgoing};
use tdm::{Instant, Law, Rng};

const CALLS: u32 = 300;
const AT_ONCE: usize = 12;
const OUTCOMES: [u8; 6] = [0, 1, 17, 21, 27, 34];

struct Exchange {
    bench: Bench,
    rng: Rng,
    /// Calls in flight by the caller's key: what they shall come to.
    wanted: BTreeMap<LegKey, u8>,
    /// The called side's calls: the caller's key.
    answered: BTreeMap<LegKey, LegKey>,
    agenda: Vec<(Instant, usize, Order)>,
    free: Vec<usize>,
    begun: u32,
    as_wanted: u32,
    other: Vec<(u8, Cause)>,
}

impl Exchange {
    fn new(seed: u64, loss: f64) -> Self {
        let mut bench = Bench::up(seed);
        bench.loss = [loss; 2];
        Self {
            bench,
            rng: Rng::from_seed(seed),
            wanted: BTreeMap::new(),
            answered: BTreeMap::new(),
            agenda: Vec::new(),
            free: (1..32).filter(|n| *n != 16).collect(),
            begun: 0,
            as_wanted: 0,
            other: Vec::new(),
        }
    }
    fn begin(&mut self) {
        let Some(timeslot) = self.free.pop() else { return };
        let outcome = OUTCOMES[self.begun as usize % OUTCOMES.len()];
        let key = LegKey(self.begun * 2 + 1);
        self.begun += 1;
        self.wanted.insert(key, outcome);
        self.bench.call(
            USER,
            Outgoing {
                key,
                channel: ChannelWish { timeslot: slot(timeslot), exclusive: true },
                called: Number::unknown(format!("{:05}{outcome:03}", key.0)),
                calling: None,
                name: None,
                redirecting: None,
                law: Law::A,
            },
        );
    }
    fn later(&mut self, end: usize, order: Order) {
        let millis = self.rng.between(1, 400);
        self.agenda.push((self.bench.now.plus_millis(millis), end, order));
    }
    fn clear(key: LegKey, cause: u8) -> Order {
        Order::Clear { key, cause: Cause(cause), in_band: false }
    }
    fn handle(&mut self) {
        for event in self.bench.take(USER) {
            match event {
                Event::Connected { key, .. } => self.later(USER, Self::clear(key, 16)),
                Event::Ended { key, timeslot, clearing, .. } => {
                    self.free.extend(timeslot.map(|t| t.index()));
                    let outcome = self.wanted.remove(&key).expect("ended once");
                    let cause = if outcome == 0 { 16 } else { outcome };
                    if clearing.cause == Cause(cause) {
                        self.as_wanted += 1;
                    } else {
                        self.other.push((outcome, clearing.cause));
                    }
                }
                _ => {}
            }
        }
        for event in self.bench.take(NETWORK) {
            match event {
                Event::Incoming(call) => {
                    let digits = &call.called.digits;
                    let caller: u32 = digits[..5].parse().expect("ours");
                    self.answered.insert(call.key, LegKey(caller));
                    let key = call.key;
                    if self.rng.chance(0.5) {
                        self.later(NETWORK, Order::Proceed { key });
                    }
                    match digits[5..].parse().expect("ours") {
                        0 => {
                            self.bench.order(NETWORK, Order::Alert { key, in_band: false });
                            self.later(NETWORK, Order::Connect { key });
                        }
                        cause => self.later(NETWORK, Self::clear(key, cause)),
                    }
                }
                Event::Ended { key, .. } => {
                    self.answered.remove(&key).expect("ended once");
                }
                _ => {}
            }
        }
    }
    fn run(&mut self) {
        let limit = self.bench.now.plus_millis(3_600_000);
        while (self.begun < CALLS || !self.wanted.is_empty() || !self.answered.is_empty())
            && self.bench.now < limit
        {
            if self.begun < CALLS && self.wanted.len() < AT_ONCE && self.bench.ends[USER].is_up() {
                self.begin();
            }
            self.bench.run_millis(5);
            self.handle();
            let now = self.bench.now;
            for (at, end, order) in std::mem::take(&mut self.agenda) {
                if at <= now {
                    self.bench.order(end, order);
                } else {
                    self.agenda.push((at, end, order));
                }
            }
        }
    }
}

/// Retransmission hides this much loss: nothing but the time tells.
#[test]
fn three_hundred_calls_over_a_line_that_loses_three_percent_end_as_meant() {
    for seed in 0..4 {
        let mut exchange = Exchange::new(seed, 0.03);
        exchange.run();
        assert_eq!(exchange.begun, CALLS);
        assert!(exchange.bench.lost > 30, "the line was too good: {}", exchange.bench.lost);
        assert_eq!((exchange.as_wanted, &exchange.other[..]), (CALLS, &[][..]), "seed {seed}");
        exchange.bench.run_millis(600_000);
        exchange.bench.assert_idle();
    }
}

/// Here the link is lost and reset again and again: outcomes may change, but no call and no channel stays.
#[test]
fn line_that_loses_half_leaves_no_call_and_no_channel_behind() {
    for seed in 0..4 {
        let mut exchange = Exchange::new(seed, 0.5);
        exchange.run();
        assert!(exchange.wanted.is_empty() && exchange.answered.is_empty(), "seed {seed}");
        assert!(
            !exchange.other.is_empty(),
            "seed {seed}: nothing went wrong, so nothing was tried"
        );
        let resets = exchange.bench.ends[USER].link_faults().of(Fault::PollUnanswered);
        assert!(resets > 3, "seed {seed}: {resets}");
        assert!(exchange.as_wanted + exchange.other.len() as u32 == exchange.begun);
        exchange.bench.loss = [0.0; 2];
        exchange.bench.run_millis(600_000);
        exchange.bench.assert_idle();
    }
}
