//! Two emulated spans crossed, of one board or of two.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tdm::{Block, Law, SampleTime};

use crate::{FarEnd, Signal};

/// Milliseconds on their way in one direction, normally. One, so that it does not matter which end has
/// its millisecond first.
const ON_THE_WAY: usize = 1;
/// The most that gather when the writer's clock is faster or the reader stands still.
const ON_THE_WAY_MAX: usize = 4;

/// One end of a cable between two spans. What one sends the other hears a millisecond later.
///
/// Two boards with different clocks write and read at different rates: a millisecond that is missing is
/// the last one again, one too many is dropped, and both are counted.
pub struct Link {
    towards_far: Arc<Mutex<Direction>>,
    from_far: Arc<Mutex<Direction>>,
    arriving: Signal,
}

struct Direction {
    waiting: VecDeque<(Signal, Block)>,
    /// The block whose signal has yet to come.
    open: Option<Block>,
    last: (Signal, Block),
    slips: u64,
}

impl Direction {
    fn new() -> Self {
        let nothing = (Signal::Silence, Block::idle(Law::A));
        let mut waiting = VecDeque::with_capacity(ON_THE_WAY_MAX + 1);
        waiting.extend([nothing; ON_THE_WAY]);
        Self { waiting, open: None, last: nothing, slips: 0 }
    }
    fn push(&mut self, signal: Signal, block: Block) {
        self.waiting.push_back((signal, block));
        if self.waiting.len() > ON_THE_WAY_MAX {
            while self.waiting.len() > ON_THE_WAY {
                self.waiting.pop_front();
                self.slips += 1;
            }
        }
    }
    fn pop(&mut self) -> (Signal, Block) {
        match self.waiting.pop_front() {
            Some(next) => self.last = next,
            None => self.slips += 1,
        }
        self.last
    }
}

impl Link {
    /// The two ends of a new cable.
    pub fn pair() -> (Self, Self) {
        let [there, back] = [(); 2].map(|()| Arc::new(Mutex::new(Direction::new())));
        let near = Self {
            towards_far: Arc::clone(&there),
            from_far: Arc::clone(&back),
            arriving: Signal::Silence,
        };
        (near, Self { towards_far: back, from_far: there, arriving: Signal::Silence })
    }
    /// Milliseconds this end heard twice or never.
    pub fn slips(&self) -> u64 {
        lock(&self.from_far).slips
    }
}

/// What a thread that panicked left is whole: both halves change between two statements only.
fn lock(direction: &Mutex<Direction>) -> MutexGuard<'_, Direction> {
    direction.lock().unwrap_or_else(PoisonError::into_inner)
}

impl FarEnd for Link {
    fn millisecond(&mut self, _: SampleTime, sent: &Block, received: &mut Block) {
        let (signal, block) = lock(&self.from_far).pop();
        (self.arriving, received.octets) = (signal, block.octets);
        lock(&self.towards_far).open = Some(*sent);
    }
    fn signal(&mut self, sent: Signal) -> Signal {
        let mut direction = lock(&self.towards_far);
        if let Some(block) = direction.open.take() {
            direction.push(sent, block);
        }
        self.arriving
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Frames;

    fn step(end: &mut Link, octet: u8) -> (u8, Signal) {
        let mut sent = Block::idle(Law::A);
        sent.octets[3][7] = octet;
        let mut received = Block::idle(Law::A);
        end.millisecond(SampleTime::samples(0), &sent, &mut received);
        let signal = end.signal(Signal::Framed(Frames::HEALTHY));
        (received.octets[3][7], signal)
    }

    #[test]
    fn both_ends_hear_each_other_a_millisecond_later() {
        let (mut a, mut b) = Link::pair();
        assert_eq!(step(&mut a, 1), (0xD5, Signal::Silence));
        assert_eq!(step(&mut b, 101), (0xD5, Signal::Silence));
        for n in 2..50 {
            let healthy = Signal::Framed(Frames::HEALTHY);
            assert_eq!(step(&mut a, n), (100 + n - 1, healthy));
            assert_eq!(step(&mut b, 100 + n), (n - 1, healthy));
        }
        assert_eq!(a.slips() + b.slips(), 0);
    }

    #[test]
    fn an_end_that_stands_still_costs_milliseconds_and_no_memory() {
        let (mut a, mut b) = Link::pair();
        for n in 0..100 {
            step(&mut a, n);
        }
        let (heard, _) = step(&mut b, 0);
        assert!(heard >= 99 - ON_THE_WAY_MAX as u8, "{heard}");
        assert!(b.slips() >= 90);
        assert!(lock(&a.towards_far).waiting.len() <= ON_THE_WAY_MAX);
    }

    #[test]
    fn a_reader_that_is_faster_hears_the_last_millisecond_again() {
        let (mut a, mut b) = Link::pair();
        step(&mut a, 5);
        assert_eq!(step(&mut b, 0).0, 0xD5);
        assert_eq!(step(&mut b, 0).0, 5);
        assert_eq!(step(&mut b, 0).0, 5);
        assert_eq!(b.slips(), 1);
    }
}
