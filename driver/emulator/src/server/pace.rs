//! When a served board has its next millisecond: by the clock, or when its host is done with the last.

use std::time::Duration;

use tdm::Instant;

use super::{Clock, Settings};
use crate::BoardClock;

/// What the host of the board makes of it, seen from the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Host {
    /// DMA runs and interrupts come: somebody is there to wait for.
    pub ticking: bool,
    /// The last millisecond was taken.
    pub taken: bool,
}

/// Decides; the caller has the clock and the board.
pub(crate) struct Pace {
    settings: Settings,
    clock: BoardClock,
    waiting: u64,
    last: Instant,
    /// When the host was first seen to be done with the last millisecond.
    done: Option<Instant>,
    lost: u64,
    stalls: u64,
}

impl Pace {
    pub(crate) fn new(settings: Settings, now: Instant) -> Self {
        let clock = BoardClock::new(now, 0.0);
        Self { settings, clock, waiting: 0, last: now, done: None, lost: 0, stalls: 0 }
    }
    /// The board's clock runs so many parts per million fast from now on.
    pub(crate) fn run_at(&mut self, now: Instant, ppm: f64) {
        self.clock.run_at(now, ppm);
    }
    /// Milliseconds that passed outside and never will in the board.
    pub(crate) fn lost(&self) -> u64 {
        self.lost
    }
    /// Times a host in lockstep did not take a millisecond in time.
    pub(crate) fn stalls(&self) -> u64 {
        self.stalls
    }
    fn waits_for(&self, host: Host) -> bool {
        self.settings.clock == Clock::Lock && host.ticking
    }
    fn patience_ends(&self) -> Instant {
        self.last.plus(self.settings.patience)
    }

    /// Whether the board has a millisecond now; to be asked again after each.
    pub(crate) fn tick(&mut self, now: Instant, host: Host) -> bool {
        let due = self.clock.due(now);
        let tick = if self.waits_for(host) {
            self.waiting = 0;
            let stalled = !host.taken && now >= self.patience_ends();
            self.stalls += u64::from(stalled);
            self.done = host.taken.then(|| self.done.unwrap_or(now));
            let breathed = |done: Instant| now >= done.plus(self.settings.breath);
            self.done.is_some_and(breathed) || stalled
        } else {
            let waiting = self.waiting.saturating_add(due);
            let kept = waiting.min(self.settings.catch_up_millis.max(1));
            self.lost += waiting - kept;
            self.waiting = kept.saturating_sub(1);
            kept > 0
        };
        if tick {
            (self.last, self.done) = (now, None);
        }
        tick
    }
    /// How long nothing can become due by itself.
    pub(crate) fn rest(&self, now: Instant, host: Host) -> Duration {
        if self.waits_for(host) {
            let until = match (host.taken, self.done) {
                (true, Some(done)) => done.plus(self.settings.breath),
                (true, None) => return Duration::ZERO,
                (false, _) => self.patience_ends(),
            };
            return until.since(now);
        }
        if self.waiting > 0 { Duration::ZERO } else { self.clock.next().since(now) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORKING: Host = Host { ticking: true, taken: false };
    const DONE: Host = Host { ticking: true, taken: true };
    const ABSENT: Host = Host { ticking: false, taken: true };

    fn pace(clock: Clock) -> Pace {
        Pace::new(Settings { clock, catch_up_millis: 4, ..Settings::default() }, Instant::millis(0))
    }

    #[test]
    fn real_time_ticks_once_a_millisecond_whatever_the_host_does() {
        let mut pace = pace(Clock::Real);
        let mut ticks = 0;
        for micros in (0..1_000_000).step_by(100) {
            ticks += u32::from(pace.tick(Instant::micros(micros), WORKING));
        }
        assert_eq!((ticks, pace.lost(), pace.stalls()), (999, 0, 0));
        let rest = pace.rest(Instant::micros(999_900), WORKING);
        assert_eq!(rest, Duration::from_micros(100));
    }

    #[test]
    fn a_stall_is_caught_up_with_to_a_bound_and_the_rest_is_counted_as_lost() {
        let mut pace = pace(Clock::Real);
        let later = Instant::millis(50);
        let burst = (0..100).take_while(|_| pace.tick(later, WORKING)).count();
        assert_eq!((burst, pace.lost()), (4, 46));
        assert_eq!(pace.rest(later, WORKING), Duration::from_millis(1));
    }

    #[test]
    fn lockstep_follows_the_host_and_not_the_clock() {
        let mut pace = pace(Clock::Lock);
        let now = Instant::millis(10);
        assert!(pace.tick(now, DONE));
        assert!(!pace.tick(now, WORKING));
        assert!(!pace.tick(now.plus_millis(499), WORKING));
        assert!(pace.tick(now.plus_millis(499), DONE));
        for _ in 0..5000 {
            assert!(pace.tick(now.plus_millis(499), DONE), "as fast as the host");
        }
        assert_eq!((pace.lost(), pace.stalls()), (0, 0));
    }

    #[test]
    fn a_slow_host_gets_its_breath_after_each_millisecond() {
        let breath = Duration::from_micros(500);
        let settings = Settings { clock: Clock::Lock, breath, ..Settings::default() };
        let mut pace = Pace::new(settings, Instant::millis(0));
        let mut ticks = Vec::new();
        for micros in (10_000..13_000).step_by(100) {
            let now = Instant::micros(micros);
            // It needs 200 µs for each.
            let since = micros - ticks.last().copied().unwrap_or(0);
            let host = if since >= 200 { DONE } else { WORKING };
            if pace.tick(now, host) {
                ticks.push(micros);
            } else if host == DONE {
                assert!(pace.rest(now, host) > Duration::ZERO && pace.rest(now, host) <= breath);
            }
        }
        assert_eq!(ticks, [10_500, 11_200, 11_900, 12_600]);
    }

    #[test]
    fn a_host_that_never_acknowledges_costs_half_a_second_each_and_is_counted() {
        let mut pace = pace(Clock::Lock);
        let now = Instant::seconds(1);
        assert!(pace.tick(now, DONE));
        assert_eq!(pace.rest(now, WORKING), Duration::from_millis(500));
        assert!(pace.tick(now.plus_millis(500), WORKING));
        assert!(!pace.tick(now.plus_millis(999), WORKING));
        assert!(pace.tick(now.plus_millis(1000), WORKING));
        assert_eq!(pace.stalls(), 2);
    }

    #[test]
    fn lockstep_without_a_host_keeps_the_time_of_the_clock() {
        let mut pace = pace(Clock::Lock);
        let ticks = (1..=20).filter(|&ms| pace.tick(Instant::millis(ms), ABSENT)).count();
        assert_eq!(ticks, 20);
        assert!(pace.tick(Instant::millis(20), DONE), "then a host starts DMA");
        assert!(pace.tick(Instant::seconds(60), DONE));
        assert!(!pace.tick(Instant::seconds(60), ABSENT), "nothing was saved up meanwhile");
    }
}
