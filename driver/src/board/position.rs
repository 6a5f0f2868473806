//! How far board and host are, whichever way the generation tells it.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

use tdm::Instant;

use super::ring::{Advance, Ring, Work};

/// One buffer, as generations 2 to 4 have it: a tick says that a millisecond passed, and nothing says how many.
///
/// A tick that came while the last was not taken is lost unseen on the board. What is known is the host's clock:
/// in so many whole milliseconds since the last tick as many passed at least.
#[derive(Clone, Debug)]
pub struct Single {
    completed: u64,
    served: u64,
    /// When the last tick was seen.
    ticked: Instant,
    /// The board waits for the host: the host's clock says nothing.
    lockstep: bool,
}

impl Single {
    /// A buffer whose DMA starts at `now`.
    pub const fn new(lockstep: bool, now: Instant) -> Self {
        Self { completed: 0, served: 0, ticked: now, lockstep }
    }
    /// Takes a tick seen at `now`.
    fn tick(&mut self, now: Instant) -> Advance {
        let passed = if self.lockstep { 1 } else { now.millis_since(self.ticked).max(1) };
        self.ticked = now;
        self.completed = self.completed.saturating_add(passed);
        let lost = passed.saturating_sub(1);
        self.served = self.completed.saturating_sub(1);
        Advance { millis: passed, lost, realigned: false }
    }
    fn take(&mut self) -> Option<Work> {
        if self.served >= self.completed {
            return None;
        }
        let millisecond = self.served;
        self.served = self.completed;
        Some(Work { buffer: 0, millisecond, sent_in: millisecond.saturating_add(1) })
    }
}

/// Where host and board stand.
#[derive(Clone, Debug)]
pub enum Position {
    /// Generation 5.
    Ring(Ring),
    /// Generations 2 to 4.
    Single(Single),
}

impl Position {
    /// Milliseconds the board completed since DMA started, as far as is known.
    pub const fn completed(&self) -> u64 {
        match self {
            Self::Ring(ring) => ring.completed(),
            Self::Single(single) => single.completed,
        }
    }
    /// Notes that at `now` nothing had passed since the last look.
    pub const fn idle(&mut self, now: Instant) {
        match self {
            Self::Ring(ring) => ring.idle(now),
            Self::Single(_) => {}
        }
    }
    /// The board's clock stood still until `now`: nothing passed meanwhile.
    pub const fn stood_still(&mut self, now: Instant) {
        match self {
            Self::Ring(ring) => ring.idle(now),
            Self::Single(single) => single.ticked = now,
        }
    }
    /// Whether this status shows nothing new. Before generation 5 the ident means nothing.
    pub fn is_idle(&self, tick: bool, ident: u8) -> bool {
        match self {
            Self::Ring(ring) => !tick && ident == ring.ident(),
            Self::Single(_) => !tick,
        }
    }
    /// The ring, on boards that have one.
    pub const fn ring(&self) -> Option<&Ring> {
        match self {
            Self::Ring(ring) => Some(ring),
            Self::Single(_) => None,
        }
    }
    /// Takes a status that shows something new. `index` is nothing before generation 5.
    pub fn look(&mut self, now: Instant, ident: u8, index: u8, stood_still: bool) -> Advance {
        match self {
            Self::Ring(ring) => ring.look(now, ident, index, stood_still),
            Self::Single(single) => single.tick(now),
        }
    }
    /// The oldest buffer that waits.
    pub fn take(&mut self) -> Option<Work> {
        match self {
            Self::Ring(ring) => ring.take(),
            Self::Single(single) => single.take(),
        }
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn each_tick_is_the_one_buffer_and_what_is_put_there_goes_out_next() {
        let mut single = Single::new(false, Instant::millis(0));
        for k in 1..100 {
            assert_eq!(single.tick(Instant::millis(k)).lost, 0);
            let work = single.take().unwrap();
            assert_eq!((work.buffer, work.millisecond, work.sent_in), (0, k - 1, k));
            assert_eq!(single.take(), None);
        }
    }

    #[test]
    fn ticks_that_passed_unseen_are_counted_by_whole_milliseconds_of_the_clock() {
        let mut single = Single::new(false, Instant::millis(0));
        single.tick(Instant::micros(1000));
        // Late by nearly a millisecond, nothing was lost for sure.
        assert_eq!(single.tick(Instant::micros(2990)).lost, 0);
        assert_eq!(single.tick(Instant::micros(12_990)).lost, 9);
        assert_eq!(single.take().unwrap().millisecond, 11);
    }

    #[test]
    fn a_board_that_stands_still_under_watch_and_one_in_lockstep_lose_nothing() {
        let mut position = Position::Single(Single::new(false, Instant::millis(0)));
        position.stood_still(Instant::millis(5000));
        assert_eq!(position.look(Instant::millis(5001), 99, 99, false).lost, 0);
        assert!(position.is_idle(false, 77), "the ident means nothing");
        let mut single = Single::new(true, Instant::millis(0));
        assert_eq!(single.tick(Instant::seconds(10)).millis, 1);
    }
}
