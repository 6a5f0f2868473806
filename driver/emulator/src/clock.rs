//! When a board's next millisecond is due: its own crystal against the caller's clock.

use tdm::Instant;

/// Parts of a million.
const MILLION: u64 = 1_000_000;
/// Microseconds of a nominal millisecond.
const MILLI_MICROS: u64 = 1000;

/// Turns the caller's time and the board's offset in parts per million into milliseconds of the board.
///
/// ```
/// use emulator::BoardClock;
/// use tdm::Instant;
/// let mut fast = BoardClock::new(Instant::seconds(0), 100);
/// assert_eq!(fast.due(Instant::seconds(10)), 10_001);
/// assert_eq!(fast.due(Instant::seconds(10)), 0);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct BoardClock {
    since: Instant,
    ppm: i32,
    taken: u64,
}

impl BoardClock {
    /// A clock that starts at `now` and runs `ppm` parts per million fast (or, below zero, slow).
    /// Clocks of E1 boards keep within ±50 (G.703, §9); more than ±100,000 is taken as that.
    pub const fn new(now: Instant, ppm: i32) -> Self {
        let ppm = if ppm > 100_000 {
            100_000
        } else if ppm < -100_000 {
            -100_000
        } else {
            ppm
        };
        Self { since: now, ppm, taken: 0 }
    }

    /// Milliseconds of the board that have become due since the last call.
    pub fn due(&mut self, now: Instant) -> u64 {
        let all = self.at(now);
        let due = all.saturating_sub(self.taken);
        self.taken = self.taken.max(all);
        due
    }

    /// The first moment at which [`Self::due`] is not zero.
    pub fn next(&self) -> Instant {
        let board_micros = u128::from(self.taken.saturating_add(1)) * u128::from(MILLI_MICROS);
        let micros = (board_micros * u128::from(MILLION)).div_ceil(u128::from(self.rate()));
        self.since.plus_micros(u64::try_from(micros).unwrap_or(u64::MAX))
    }

    /// Nominal length of the board's millisecond, in nanoseconds of the caller's clock.
    pub fn milli_nanos(&self) -> u64 {
        MILLION.saturating_mul(MILLION) / self.rate()
    }

    /// Board microseconds in a million of the caller's.
    fn rate(&self) -> u64 {
        MILLION.saturating_add_signed(i64::from(self.ppm))
    }
    fn at(&self, now: Instant) -> u64 {
        let micros = u128::from(now.micros_since(self.since)) * u128::from(self.rate())
            / u128::from(MILLION);
        u64::try_from(micros / u128::from(MILLI_MICROS)).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_millisecond_is_due_at_next_and_not_a_microsecond_earlier() {
        for ppm in [-50, 0, 50, 100_000] {
            let mut clock = BoardClock::new(Instant::micros(17), ppm);
            for _ in 0..5000 {
                let next = clock.next();
                assert_eq!(clock.due(Instant::micros(next.as_micros() - 1)), 0, "{ppm} ppm");
                assert_eq!(clock.due(next), 1, "{ppm} ppm");
            }
        }
    }

    #[test]
    fn fifty_ppm_gain_thirty_milliseconds_in_ten_minutes() {
        let end = Instant::seconds(600);
        assert_eq!(BoardClock::new(Instant::seconds(0), 50).due(end), 600_030);
        assert_eq!(BoardClock::new(Instant::seconds(0), -50).due(end), 599_970);
    }

    #[test]
    fn a_clock_of_the_caller_that_stands_still_or_runs_back_gives_nothing() {
        let mut clock = BoardClock::new(Instant::seconds(1), 0);
        assert_eq!(clock.due(Instant::seconds(2)), 1000);
        assert_eq!(clock.due(Instant::seconds(1)), 0);
        assert_eq!(clock.due(Instant::seconds(2)), 0);
    }
}
