//! When a board's next millisecond is due: its own crystal against the caller's clock.

use tdm::Instant;

/// Parts of a billion: what rates are kept in.
const BILLION: u64 = 1_000_000_000;
/// Microseconds of a nominal millisecond.
const MILLI_MICROS: u64 = 1000;
/// A millisecond in what is summed up: microseconds of the caller times parts of a billion.
const MILLI: u128 = MILLI_MICROS as u128 * BILLION as u128;
/// More than this is no clock.
const PPM_MAX: f64 = 100_000.0;

/// Parts per million as parts per billion, which are whole.
pub(crate) fn billionths(ppm: f64) -> i64 {
    if ppm.is_nan() { 0 } else { (ppm.clamp(-PPM_MAX, PPM_MAX) * 1000.0).round() as i64 }
}

/// Turns the caller's time and the board's offset in parts per million into milliseconds of the board.
///
/// ```
/// use emulator::BoardClock;
/// use tdm::Instant;
/// let mut fast = BoardClock::new(Instant::seconds(0), 100.0);
/// assert_eq!(fast.due(Instant::seconds(10)), 10_001);
/// assert_eq!(fast.due(Instant::seconds(10)), 0);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct BoardClock {
    since: Instant,
    billionths: i64,
    /// What had passed at `since`.
    before: u128,
    taken: u64,
}

impl BoardClock {
    /// A clock that starts at `now` and runs `ppm` parts per million fast (or, below zero, slow), to the thousandth.
    /// Clocks of E1 boards keep within ±50 (G.703, §9); more than ±100,000 is taken as that.
    pub fn new(now: Instant, ppm: f64) -> Self {
        Self { since: now, billionths: billionths(ppm), before: 0, taken: 0 }
    }

    /// From `now` on it runs `ppm` parts per million fast: another clock was chosen. Nothing jumps.
    pub fn run_at(&mut self, now: Instant, ppm: f64) {
        let to = billionths(ppm);
        if to != self.billionths {
            (self.before, self.since, self.billionths) = (self.passed(now), now, to);
        }
    }

    /// Milliseconds of the board that have become due since the last call.
    pub fn due(&mut self, now: Instant) -> u64 {
        let all = u64::try_from(self.passed(now) / MILLI).unwrap_or(u64::MAX);
        let due = all.saturating_sub(self.taken);
        self.taken = self.taken.max(all);
        due
    }

    /// The first moment at which [`Self::due`] is not zero.
    pub fn next(&self) -> Instant {
        let wanted = u128::from(self.taken.saturating_add(1)) * MILLI;
        let micros = wanted.saturating_sub(self.before).div_ceil(u128::from(self.rate()));
        self.since.plus_micros(u64::try_from(micros).unwrap_or(u64::MAX))
    }

    /// Nominal length of the board's millisecond, in nanoseconds of the caller's clock.
    pub fn milli_nanos(&self) -> u64 {
        // A million nanoseconds times a billion fits.
        BILLION.saturating_mul(MILLI_MICROS * MILLI_MICROS) / self.rate()
    }

    /// Board microseconds in a billion of the caller's.
    fn rate(&self) -> u64 {
        BILLION.saturating_add_signed(self.billionths)
    }
    fn passed(&self, now: Instant) -> u128 {
        let since = u128::from(now.micros_since(self.since)) * u128::from(self.rate());
        self.before.saturating_add(since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_millisecond_is_due_at_next_and_not_a_microsecond_earlier() {
        for ppm in [-50.0, 0.0, 0.25, 50.0, 100_000.0] {
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
        assert_eq!(BoardClock::new(Instant::seconds(0), 50.0).due(end), 600_030);
        assert_eq!(BoardClock::new(Instant::seconds(0), -50.0).due(end), 599_970);
    }

    #[test]
    fn a_thousandth_of_a_ppm_counts_and_another_rate_begins_where_the_last_ended() {
        let day = Instant::seconds(100_000);
        assert_eq!(BoardClock::new(Instant::seconds(0), 0.25).due(day), 100_000_025);
        let mut clock = BoardClock::new(Instant::seconds(0), 100.0);
        assert_eq!(clock.due(Instant::seconds(10)), 10_001);
        clock.run_at(Instant::seconds(10), 0.0);
        assert_eq!(clock.due(Instant::seconds(10)), 0);
        assert_eq!(clock.next(), Instant::millis(10_001));
        clock.run_at(Instant::seconds(20), -100.0);
        assert_eq!(clock.due(Instant::seconds(30)), 10_000 + 9_999);
    }

    #[test]
    fn a_clock_of_the_caller_that_stands_still_or_runs_back_gives_nothing() {
        let mut clock = BoardClock::new(Instant::seconds(1), 0.0);
        assert_eq!(clock.due(Instant::seconds(2)), 1000);
        assert_eq!(clock.due(Instant::seconds(1)), 0);
        assert_eq!(clock.due(Instant::seconds(2)), 0);
    }
}
