//! A simulated public network and PBX at the far end of emulated E1 lines.
//!
//! Public spans: subscribers whom we dial (people, voicemail, busy, vacant …) and callers who dial us.
//! PBX spans: the telephones of our agents. Everything is decided by a [`Scenario`] and a seed, and counted
//! exactly ([`Exchange::truth`]), so that our own counters can be held against the other side's.
//!
//! This crate refuses to know the system under test: it sees a line, 32 octets every 125 µs, and nothing else.
//! It reads no clock: the board's millisecond is its time.
//!
//! ```
//! use emulator::FarEnd;
//! use exchange::{Exchange, Scenario, Voices};
//! use tdm::{Block, Law, SampleTime};
//!
//! let exchange = Exchange::new(Scenario::demo(), 1, Voices::embedded());
//! let mut lines = exchange.far_ends();
//! let (sent, mut received) = (Block::idle(Law::A), Block::idle(Law::A));
//! for line in &mut lines {
//!     line.millisecond(SampleTime::millis(0), &sent, &mut received);
//! }
//! assert_eq!(exchange.truth().inbound.offered, 0);
//! ```

mod scenario;
mod truth;
pub mod voices;

use std::sync::{Arc, Mutex, PoisonError};

use emulator::FarEnd;
use tdm::{Block, SampleTime};

pub use scenario::Scenario;
pub use truth::{Inbound, Lost, Outbound, Truth};
pub use voices::Voices;

/// The far side of all spans of a scenario. Clones share one network.
#[derive(Clone)]
pub struct Exchange {
    world: Arc<Mutex<World>>,
    spans: usize,
}

struct World {
    truth: Truth,
}

impl Exchange {
    /// The network and PBX of `scenario`; `seed` decides every choice.
    pub fn new(scenario: Scenario, seed: u64, voices: Voices) -> Self {
        let _ = (seed, voices);
        Self {
            world: Arc::new(Mutex::new(World { truth: Truth::default() })),
            spans: scenario.spans(),
        }
    }
    /// One far end a span of the scenario, in its order. Ask once.
    pub fn far_ends(&self) -> Vec<Box<dyn FarEnd>> {
        (0..self.spans)
            .map(|span| Box::new(Line { span, world: Arc::clone(&self.world) }) as Box<dyn FarEnd>)
            .collect()
    }
    /// What really happened so far.
    pub fn truth(&self) -> Truth {
        self.world.lock().unwrap_or_else(PoisonError::into_inner).truth.clone()
    }
}

struct Line {
    span: usize,
    world: Arc<Mutex<World>>,
}

impl FarEnd for Line {
    fn millisecond(&mut self, at: SampleTime, sent: &Block, received: &mut Block) {
        let _ = (at, sent, received, self.span, &self.world);
    }
}
