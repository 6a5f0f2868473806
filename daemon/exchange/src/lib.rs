//! A simulated public network and PBX at the far end of emulated E1 lines.
//!
//! Public spans: subscribers whom we dial (people, voicemail, busy, vacant …) and callers who dial us.
//! PBX spans: the telephones of our agents. Everything is decided by a [`Scenario`] and a seed, and counted
//! exactly ([`Exchange::truth`]), so that our own counters can be held against the other side's.
//!
//! Whether two parties really hear each other is proved by ear: an agent's telephone and whoever talks to
//! it each send a [`Pilot`] that no prompt or tone contains.
//!
//! This crate refuses to know the system under test: it sees a line, 32 octets every 125 µs, and nothing else.
//! It reads no clock: the board's millisecond is its time.
//!
//! ```
//! use emulator::FarEnd;
//! use exchange::{Exchange, Scenario, Voices};
//! use tdm::{Block, Law, SampleTime};
//!
//! let exchange = Exchange::new(Scenario::demo(), 1, Voices::embedded())?;
//! let mut lines = exchange.far_ends();
//! let (sent, mut received) = (Block::idle(Law::A), Block::idle(Law::A));
//! for line in &mut lines {
//!     line.millisecond(SampleTime::millis(0), &sent, &mut received);
//! }
//! assert_eq!(exchange.truth().inbound.offered, 0);
//! # Ok::<(), exchange::ScenarioError>(())
//! ```

mod announcement;
mod arrivals;
mod caller;
mod ear;
mod ledger;
mod mouth;
mod party;
mod pilot;
pub mod scenario;
mod span;
mod subscriber;
mod telephone;
mod truth;
pub mod voices;
pub mod wav;
mod world;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use emulator::FarEnd;
use tdm::{Alarm, Block, SampleTime};
use world::World;

pub use ledger::{CallTruth, PartyKind, Standing};
pub use pilot::{PILOT_BLOCK, Pilot, PilotSource};
pub use scenario::{Scale, Scenario, ScenarioError, SubscriberKind};
pub use truth::{Audio, Inbound, Lost, Outbound, Signalled, Truth};
pub use voices::Voices;
pub use world::Offering;

/// What a span of the exchange looks like from inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpanNow {
    /// Calls on it.
    pub calls: usize,
    /// Whether layer 2 is up.
    pub in_service: bool,
}

/// The far side of all spans of a scenario. Clones share one network.
#[derive(Clone)]
pub struct Exchange {
    world: Arc<Mutex<World>>,
    spans: usize,
}

impl Exchange {
    /// The network and PBX of `scenario`; `seed` decides every choice.
    ///
    /// # Errors
    /// When the scenario's country has no tones to play.
    pub fn new(scenario: Scenario, seed: u64, voices: Voices) -> Result<Self, ScenarioError> {
        let spans = scenario.spans.len();
        let world = World::new(scenario, seed, voices)?;
        Ok(Self { world: Arc::new(Mutex::new(world)), spans })
    }
    /// One far end a span of the scenario, in its order. A span is to have one owner: ask once.
    pub fn far_ends(&self) -> Vec<Box<dyn FarEnd>> {
        (0..self.spans).filter_map(|span| self.far_end(span)).collect()
    }
    /// The far end of one span, from 0; `None` when the scenario has no such span.
    pub fn far_end(&self, span: usize) -> Option<Box<dyn FarEnd>> {
        (span < self.spans)
            .then(|| Box::new(Line { span, exchange: self.clone() }) as Box<dyn FarEnd>)
    }
    /// What really happened so far.
    pub fn truth(&self) -> Truth {
        self.world().shared.ledger.truth()
    }
    /// Every call so far, in the order they began.
    pub fn calls(&self) -> Vec<CallTruth> {
        self.world().shared.ledger.calls().to_vec()
    }
    /// How far the offering of calls has come.
    pub fn offering(&self) -> Offering {
        self.world().offering()
    }
    /// Ends the offering now: nobody calls any more, the calls there are go on.
    pub fn stop_offering(&self) {
        self.world().stop();
    }
    /// The spans as they are.
    pub fn spans(&self) -> Vec<SpanNow> {
        let world = self.world();
        world.spans().map(|(calls, in_service)| SpanNow { calls, in_service }).collect()
    }
    /// What is behind a number, at every attempt.
    pub fn subscriber(&self, number: &str) -> SubscriberKind {
        let world = self.world();
        world.shared.scenario.subscriber(number, world.shared.seed)
    }

    /// The far ends of a board run on one thread: nobody waits here but a reader of the counts.
    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Line {
    span: usize,
    exchange: Exchange,
}

impl FarEnd for Line {
    fn millisecond(&mut self, at: SampleTime, sent: &Block, received: &mut Block) {
        self.exchange.world().millisecond(self.span, at, sent, received);
    }
    fn line(&mut self, condition: Option<Alarm>) {
        self.exchange.world().line(self.span, condition);
    }
}
