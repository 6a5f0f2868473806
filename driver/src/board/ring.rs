//! Where host and board stand in the ring of DMA buffers of generation 5. Pure: registers in, work out.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

use tdm::Instant;

/// Idents count modulo this. Register map, INTR bits 22:16.
const IDENTS: u64 = 128;

/// What one look at ident and index told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Advance {
    /// Milliseconds the board completed since the look before.
    pub millis: u64,
    /// Milliseconds that are lost: their buffers were written again before the host came.
    pub lost: u64,
    /// The index did not fit the ident: the ring was taken as the index says.
    pub realigned: bool,
}

/// A buffer the board has completed and the host may work on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Work {
    /// Which buffer, of both directions.
    pub buffer: usize,
    /// The millisecond it was received in, counted from the start of DMA.
    pub millisecond: u64,
    /// The millisecond what is put into it will be sent in: the board comes round again.
    pub sent_in: u64,
}

/// The two positions in the ring, as milliseconds since DMA started.
///
/// After k milliseconds the board shows ident = k mod 128 and index = k mod n, and works on buffer
/// k mod n; every other buffer is the host's.
#[derive(Clone, Debug)]
pub struct Ring {
    buffers: u64,
    /// How far behind the host may be without a loss.
    keep: u64,
    /// Whether the host's clock tells how often the ident went round unseen.
    counts_laps: bool,
    completed: u64,
    served: u64,
    looked: Instant,
}

impl Ring {
    /// A ring of `buffers` whose DMA starts at `now`.
    ///
    /// `lockstep`: the board waits for the host. Then the host's clock says nothing about the board's,
    /// and the oldest buffer is not about to be overwritten.
    pub const fn new(buffers: u8, lockstep: bool, now: Instant) -> Self {
        let buffers = if buffers < 2 { 2 } else { buffers as u64 };
        let keep = buffers.saturating_sub(if lockstep { 1 } else { 2 });
        Self { buffers, keep, counts_laps: !lockstep, completed: 0, served: 0, looked: now }
    }

    /// Milliseconds the board completed since DMA started.
    pub const fn completed(&self) -> u64 {
        self.completed
    }

    /// Notes that at `now` the board had completed nothing since the last look.
    pub const fn idle(&mut self, now: Instant) {
        self.looked = now;
    }

    /// The ident the last look saw.
    pub const fn ident(&self) -> u8 {
        (self.completed % IDENTS) as u8
    }

    /// Laps of the ident since the last look, by the host's clock alone: what it would take for the board
    /// to have kept up with it.
    fn laps(&self, now: Instant, ident: u8) -> u64 {
        if !self.counts_laps {
            return 0;
        }
        let elapsed = now.millis_since(self.looked);
        elapsed.saturating_sub(self.fresh(ident)).saturating_add(IDENTS / 2) / IDENTS
    }

    /// Milliseconds since the last look, modulo the ident's.
    fn fresh(&self, ident: u8) -> u64 {
        (u64::from(ident) % IDENTS).wrapping_sub(self.completed) % IDENTS
    }

    /// A buffer the board cannot have written to since the last look unless it went round the ring: the
    /// one behind the one it works on. `None` when the clock gives no reason to ask.
    ///
    /// When the buffer is as the host left it, the board stood still and there was no lap.
    pub fn witness(&self, now: Instant, ident: u8, index: u8) -> Option<usize> {
        let behind = self.place(u64::from(index).saturating_add(1));
        (self.laps(now, ident) > 0).then(|| usize::try_from(behind).unwrap_or_default())
    }

    /// Takes what INTR and RING showed at `now`, read in this order. `stood_still`: the board cannot have
    /// gone round, whatever the clock says ([`Ring::witness`]).
    ///
    /// Called at every interrupt, and at least every few milliseconds also without: the time since the
    /// call before is what tells how often the ident went round unseen.
    pub fn look(&mut self, now: Instant, ident: u8, index: u8, stood_still: bool) -> Advance {
        let fresh = self.fresh(ident);
        let laps = if stood_still { None } else { Some(self.laps(now, ident)) };
        self.looked = now;
        let (millis, realigned) = self.fit(fresh, laps, self.place(u64::from(index)));
        self.completed = self.completed.saturating_add(millis);
        let behind = self.completed.saturating_sub(self.served);
        let lost = behind.saturating_sub(self.keep);
        self.served = self.served.saturating_add(lost);
        Advance { millis, lost, realigned }
    }

    /// Which buffer a millisecond is in.
    fn place(&self, millisecond: u64) -> u64 {
        // There are at least two buffers: `new` saw to it.
        millisecond.checked_rem(self.buffers).unwrap_or_default()
    }

    /// The progress that agrees with ident, clock and index.
    fn fit(&self, fresh: u64, laps: Option<u64>, index: u64) -> (u64, bool) {
        let ahead = |millis: u64| {
            let expected = self.place(self.completed.saturating_add(millis));
            self.place(index.wrapping_add(self.buffers).wrapping_sub(expected))
        };
        let (laps, may_lap) = (laps.unwrap_or(0), self.counts_laps && laps.is_some());
        let around = [laps, laps.saturating_sub(1), laps.saturating_add(1)];
        for laps in around {
            let millis = fresh.saturating_add(laps.saturating_mul(IDENTS));
            let slack = ahead(millis);
            // Between the two reads a millisecond may have passed.
            if slack <= 1 && (may_lap || laps == 0) {
                return (millis.saturating_add(slack), false);
            }
        }
        let millis = fresh.saturating_add(laps.saturating_mul(IDENTS));
        (millis.saturating_add(ahead(millis)), true)
    }

    /// The oldest buffer that waits; `None` when the host is up to date. Taken, it is served.
    pub fn take(&mut self) -> Option<Work> {
        if self.served >= self.completed {
            return None;
        }
        let millisecond = self.served;
        self.served = self.served.saturating_add(1);
        Some(Work {
            buffer: usize::try_from(self.place(millisecond)).unwrap_or_default(),
            millisecond,
            sent_in: millisecond.saturating_add(self.buffers),
        })
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used)]
mod tests {
    use super::*;
    use tdm::Rng;

    /// A board after `k` milliseconds, as its registers show it.
    fn shown(k: u64, n: u8) -> (u8, u8) {
        ((k % 128) as u8, (k % u64::from(n)) as u8)
    }
    fn served(ring: &mut Ring) -> Vec<u64> {
        core::iter::from_fn(|| ring.take().map(|work| work.millisecond)).collect()
    }

    #[test]
    fn every_millisecond_is_served_once_in_order_and_sent_one_round_later() {
        let mut ring = Ring::new(8, false, Instant::millis(0));
        for k in 1..1000 {
            let (ident, index) = shown(k, 8);
            let advance = ring.look(Instant::millis(k), ident, index, false);
            assert_eq!(advance, Advance { millis: 1, ..Advance::default() });
            let work = ring.take().unwrap();
            assert_eq!((work.millisecond, work.sent_in), (k - 1, k + 7));
            assert_eq!(work.buffer as u64, (k - 1) % 8);
            assert_eq!(ring.take(), None);
            assert_eq!(ring.look(Instant::millis(k), ident, index, false), Advance::default());
        }
    }

    #[test]
    fn late_by_less_than_the_ring_nothing_is_lost() {
        let mut ring = Ring::new(8, false, Instant::millis(0));
        let (ident, index) = shown(6, 8);
        let advance = ring.look(Instant::millis(6), ident, index, false);
        assert_eq!(advance, Advance { millis: 6, lost: 0, realigned: false });
        assert_eq!(served(&mut ring), [0, 1, 2, 3, 4, 5]);
    }

    #[test]
    fn a_gap_is_as_long_as_what_was_overwritten() {
        let mut ring = Ring::new(8, false, Instant::millis(0));
        let (ident, index) = shown(20, 8);
        assert_eq!(ring.look(Instant::millis(20), ident, index, false).lost, 14);
        assert_eq!(served(&mut ring), [14, 15, 16, 17, 18, 19]);
    }

    /// The process slept for half a second: the ident went round three times and is where it would be.
    #[test]
    fn whole_laps_are_counted_by_the_hosts_clock() {
        for (n, slept) in [(8, 500), (32, 500), (8, 128), (8, 1000), (5, 12_345), (127, 60_000)] {
            let mut ring = Ring::new(n, false, Instant::millis(0));
            let (ident, index) = shown(10, n);
            ring.look(Instant::millis(10), ident, index, false);
            let _ = served(&mut ring);
            let (ident, index) = shown(10 + slept, n);
            // The host's clock is a little off the board's.
            let advance =
                ring.look(Instant::millis(10 + slept + slept / 2000), ident, index, false);
            assert_eq!(advance.millis, slept, "ring of {n}, {slept} ms");
            assert!(!advance.realigned);
            assert_eq!(ring.completed(), 10 + slept);
        }
    }

    #[test]
    fn a_clock_that_stood_still_under_watch_is_no_lap() {
        let mut ring = Ring::new(8, false, Instant::millis(0));
        let (ident, index) = shown(10, 8);
        ring.look(Instant::millis(10), ident, index, false);
        for at in (20..5000).step_by(20) {
            assert_eq!(ring.look(Instant::millis(at), ident, index, false).millis, 0);
        }
        let (ident, index) = shown(11, 8);
        assert_eq!(ring.look(Instant::millis(5000), ident, index, false).millis, 1);
    }

    /// Host and board slept together (the whole machine did): the clock says a lap, the buffers do not.
    #[test]
    fn a_board_that_stood_still_unwatched_is_no_lap_when_its_buffers_say_so() {
        let mut ring = Ring::new(8, false, Instant::millis(0));
        let (ident, index) = shown(10, 8);
        ring.look(Instant::millis(10), ident, index, false);
        let _ = served(&mut ring);
        assert_eq!(ring.witness(Instant::millis(11), ident, index), None);
        let (ident, index) = shown(12, 8);
        assert_eq!(ring.witness(Instant::millis(500), ident, index), Some(5));
        let advance = ring.look(Instant::millis(500), ident, index, true);
        assert_eq!(advance, Advance { millis: 2, lost: 0, realigned: false });
    }

    #[test]
    fn in_lockstep_the_hosts_clock_says_nothing() {
        let mut ring = Ring::new(8, true, Instant::millis(0));
        let (ident, index) = shown(1, 8);
        assert_eq!(ring.look(Instant::seconds(10), ident, index, false).millis, 1);
        let (ident, index) = shown(8, 8);
        assert_eq!(ring.look(Instant::seconds(20), ident, index, false).lost, 1);
        assert_eq!(served(&mut ring).len(), 7);
    }

    #[test]
    fn a_millisecond_between_the_two_reads_is_seen_at_once() {
        let mut ring = Ring::new(8, false, Instant::millis(0));
        let advance = ring.look(Instant::millis(1), shown(1, 8).0, shown(2, 8).1, false);
        assert_eq!(advance, Advance { millis: 2, lost: 0, realigned: false });
        let (ident, index) = shown(2, 8);
        assert_eq!(ring.look(Instant::millis(2), ident, index, false).millis, 0);
    }

    /// Whatever the registers show, the ring neither panics nor serves anything twice.
    #[test]
    fn arbitrary_registers_never_break_the_order() {
        let mut rng = Rng::from_seed(5);
        for round in 0..200 {
            let lockstep = round % 2 == 0;
            let mut ring = Ring::new(rng.below(256) as u8, lockstep, Instant::millis(0));
            let (mut now, mut next) = (0, 0);
            for _ in 0..5000 {
                now += rng.below(300);
                ring.look(
                    Instant::millis(now),
                    rng.next_u64() as u8,
                    rng.next_u64() as u8,
                    rng.chance(0.5),
                );
                while let Some(work) = ring.take() {
                    assert!(work.millisecond >= next && work.buffer < 256);
                    next = work.millisecond + 1;
                }
            }
        }
    }
}
