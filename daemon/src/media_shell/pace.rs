//! A board's millisecond as it would be seen by a host that is never late.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

use tdm::Instant;

const MILLI_NANOS: u64 = 1_000_000;
/// One part in so many of each deviation is followed: jitter of the host's scheduler vanishes, 100 ppm of
/// drift lag behind by 13 µs.
const FOLLOW: i64 = 128;
/// A deviation above this is no jitter: the board stood still, or the host did.
const LOST_NANOS: u64 = 5 * MILLI_NANOS;

/// Smooths the moments at which milliseconds were noticed. An elastic buffer that was told the raw
/// moments would slip with every late interrupt.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pace {
    nanos: Option<u64>,
}

impl Pace {
    /// The next millisecond was noticed at `noticed`; when it probably was over.
    pub fn next(&mut self, noticed: Instant) -> Instant {
        let measured = noticed.as_micros().saturating_mul(1000);
        let expected = self.nanos.map_or(measured, |n| n.saturating_add(MILLI_NANOS));
        let nanos = if expected.abs_diff(measured) > LOST_NANOS {
            measured
        } else {
            let late = (measured as i64).wrapping_sub(expected as i64);
            expected.saturating_add_signed(late.wrapping_div(FOLLOW))
        };
        self.nanos = Some(nanos);
        Instant::micros(nanos.wrapping_div(1000))
    }
    /// Milliseconds were lost: the next one is a new beginning.
    pub fn reset(&mut self) {
        self.nanos = None;
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects)]
mod tests {
    use super::*;

    #[test]
    fn late_interrupts_move_a_millisecond_by_a_hundredth_only() {
        let (mut pace, mut rng) = (Pace::default(), tdm::Rng::from_seed(1));
        for n in 0..10_000_u64 {
            let smooth = pace.next(Instant::micros(1000 * n + rng.below(400)));
            let off = smooth.as_micros() as i64 - (1000 * n) as i64;
            if n > 1000 {
                assert!((150..250).contains(&off), "millisecond {n}: {off} µs");
            }
        }
    }

    #[test]
    fn drift_is_followed_and_a_stall_starts_anew() {
        let mut pace = Pace::default();
        let mut last = Instant::default();
        for n in 0..100_000_u64 {
            // 100 ppm slow.
            last = pace.next(Instant::micros(1000 * n + n / 10));
        }
        assert!(last.as_micros().abs_diff(99_999 * 1000 + 9_999) < 20, "{last}");
        let later = Instant::seconds(200);
        assert_eq!(pace.next(later), later);
    }
}
