//! An interrupt line that never rests: stuck, or shared with a device that nobody serves.
//!
//! The thread of a board has a real-time priority; served as fast as it fires, such a line would take the processor
//! from everybody else. While it rages the interrupt is left masked for a while before each look: the board is served
//! by the clock then, in time for the smallest ring.

use core::time::Duration;

/// So many interrupts in a row with nothing behind them. Over a socket one or two a millisecond are usual.
const RAGES: u32 = 64;
const SCORE_MAX: u32 = 256;
/// A millisecond that was there speaks for so many interrupts.
const CALMS: u32 = 8;
/// How long the interrupt stays masked. A board without a ring is late after a millisecond.
const REST: Duration = Duration::from_micros(500);

/// Tells a storm from the interrupts of a board.
#[derive(Clone, Copy, Debug, Default)]
pub struct Storm {
    score: u32,
}

impl Storm {
    /// The interrupt `fired`, or none did; a look then found so many milliseconds.
    pub fn looked(&mut self, fired: bool, served: u64) {
        self.score = match (fired, served) {
            (false, _) => 0,
            (true, 0) => self.score.saturating_add(1).min(SCORE_MAX),
            (true, _) => self.score.saturating_sub(CALMS),
        };
    }
    /// How long to wait before the next look; `None` while there is no storm.
    pub fn rest(&self) -> Option<Duration> {
        (self.score >= RAGES).then_some(REST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Interrupts that are taken, in a second of a line that fires again 5 µs after each look.
    fn taken(stuck: bool) -> (u32, u64) {
        let (mut storm, mut now_micros, mut interrupts, mut milliseconds) =
            (Storm::default(), 0_u64, 0_u32, 0_u64);
        while now_micros < 1_000_000 {
            // What fires is the line, or the board at its next millisecond.
            now_micros = if stuck { now_micros + 5 } else { (milliseconds + 1) * 1000 };
            interrupts += 1;
            now_micros += storm.rest().map_or(0, |rest| rest.as_micros() as u64);
            let served = now_micros / 1000 - milliseconds;
            milliseconds += served;
            storm.looked(true, served);
        }
        (interrupts, milliseconds)
    }

    #[test]
    fn a_line_that_never_rests_costs_a_tenth_and_no_millisecond() {
        let (interrupts, milliseconds) = taken(true);
        assert_eq!(milliseconds, 1000);
        // At full speed there were 200,000.
        assert!(interrupts < 20_000, "{interrupts}");
    }

    #[test]
    fn a_board_and_a_socket_with_an_empty_interrupt_each_are_no_storm() {
        assert_eq!(taken(false), (1000, 1000));
        let mut storm = Storm::default();
        for n in 0..10_000 {
            storm.looked(true, n % 3 / 2);
            assert_eq!(storm.rest(), None);
        }
        (0..RAGES).for_each(|_| storm.looked(true, 0));
        assert!(storm.rest().is_some());
        storm.looked(false, 0);
        assert_eq!(storm.rest(), None);
    }
}
