//! Slips that come again and again: two clocks that differ. G.822.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

/// What one slip makes good: a frame.
const FRAME_MICROS: u32 = 125;
/// Seconds with slips that are looked at. Four make three pauses: a switch of clocks or a hit on the line has
/// no such row.
const KEPT: usize = 4;
/// A pause may be so many times the shortest and the row is still even: half a slip is carried from one to the next.
const UNEVEN: u32 = 2;
/// Seconds a pause may be off, because slips are counted by seconds.
const GRAIN_SECONDS: u32 = 2;

/// Tells slips of a difference of clocks, which come in even pauses, from those of a fault.
///
/// Fed once a second; knows a difference of 50 ppm after 10 s, one of 1 ppm after 8 min.
#[derive(Clone, Copy, Debug, Default)]
pub struct SlipWatch {
    now: u32,
    /// The last seconds with slips, oldest first, and how many slips each had.
    last: [(u32, u32); KEPT],
    len: usize,
}

impl SlipWatch {
    /// One more second, in which so many frames were repeated or dropped.
    pub fn second(&mut self, slips: u32) {
        self.now = self.now.wrapping_add(1);
        if slips == 0 {
            return;
        }
        self.last.rotate_left(1);
        if let Some(newest) = self.last.last_mut() {
            *newest = (self.now, slips);
        }
        self.len = self.len.saturating_add(1).min(KEPT);
    }

    /// By how many parts per million the two clocks differ, at least; `None` while slips do not come steadily.
    pub fn steady_ppm(&self) -> Option<f64> {
        if self.len < KEPT {
            return None;
        }
        let pauses = || {
            let later = self.last.iter().skip(1);
            self.last.iter().zip(later).map(|((before, _), (after, _))| after.wrapping_sub(*before))
        };
        let (shortest, longest) = (pauses().min()?, pauses().max()?);
        let even = shortest.saturating_mul(UNEVEN).saturating_add(GRAIN_SECONDS);
        let (first, _) = *self.last.first()?;
        let (newest, _) = *self.last.last()?;
        let quiet = self.now.wrapping_sub(newest);
        if longest > even || quiet > longest.saturating_mul(UNEVEN).saturating_add(GRAIN_SECONDS) {
            return None;
        }
        // Those of the first second belong to the pause before it.
        let slips: u32 =
            self.last.iter().skip(1).map(|(_, slips)| *slips).fold(0, u32::saturating_add);
        let elapsed = newest.wrapping_sub(first).max(1);
        Some(f64::from(slips.saturating_mul(FRAME_MICROS)) / f64::from(elapsed))
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects)]
mod tests {
    use super::*;

    /// The watch after `seconds` between clocks that are `ppm` apart.
    fn apart(ppm: f64, seconds: u32) -> SlipWatch {
        let (mut watch, mut behind) = (SlipWatch::default(), 0.0);
        for _ in 0..seconds {
            behind += ppm;
            let slips = (behind / f64::from(FRAME_MICROS)).floor();
            behind -= slips * f64::from(FRAME_MICROS);
            watch.second(slips as u32);
        }
        watch
    }

    #[test]
    fn two_clocks_apart_are_known_and_by_how_much() {
        for (ppm, seconds) in [(1.0, 8 * 64 + 1), (4.6, 120), (50.0, 12), (200.0, 12)] {
            let found = apart(ppm, seconds).steady_ppm().unwrap_or_default();
            assert!((found / ppm - 1.0).abs() < 0.35, "{ppm}: {found}");
        }
        assert_eq!(apart(0.0, 100_000).steady_ppm(), None);
    }

    #[test]
    fn a_burst_or_a_few_scattered_slips_are_no_steady_ones() {
        let played = |pattern: &[(u32, u32)]| {
            let mut watch = SlipWatch::default();
            for &(quiet, slips) in pattern {
                (0..quiet).for_each(|_| watch.second(0));
                watch.second(slips);
            }
            watch
        };
        assert_eq!(played(&[(10, 2), (0, 1), (100, 1)]).steady_ppm(), None);
        assert_eq!(played(&[(10, 2), (0, 1), (300, 1), (4, 1)]).steady_ppm(), None);
        assert!(played(&[(10, 1), (30, 1), (31, 1), (29, 1)]).steady_ppm().is_some());
        // What came steadily and then stopped is over.
        assert_eq!(played(&[(10, 1), (30, 1), (31, 1), (29, 1), (90, 0)]).steady_ppm(), None);
    }
}
