//! A token bucket in whole numbers: so many calls a second, so many at once after a rest.

use tdm::Instant;

use crate::CallRate;

/// One call, in millionths.
const CALL: u64 = 1_000_000;

/// The bucket of a trunk group. Full at start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket {
    rate: CallRate,
    level: u64,
    filled: Instant,
}

impl Bucket {
    pub(crate) fn new(rate: CallRate, now: Instant) -> Self {
        Self { rate, level: u64::from(rate.burst) * CALL, filled: now }
    }
    /// Takes a call out; `false` when there is none, and nothing is taken.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        let came = now.micros_since(self.filled).saturating_mul(u64::from(self.rate.per_second));
        let full = u64::from(self.rate.burst) * CALL;
        self.level = self.level.saturating_add(came).min(full);
        self.filled = self.filled.max(now);
        match self.level.checked_sub(CALL) {
            Some(rest) => {
                self.level = rest;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_then_the_rate_holds_to_the_call() {
        let mut bucket = Bucket::new(CallRate { per_second: 10, burst: 5 }, Instant::millis(0));
        let passed = (0..1000).filter(|_| bucket.take(Instant::millis(0))).count();
        assert_eq!(passed, 5);
        // 60 s at three times the rate.
        let passed =
            (1..=1800).filter(|n| bucket.take(Instant::micros(n * 60_000_000 / 1800))).count();
        assert_eq!(passed, 600);
    }
}
