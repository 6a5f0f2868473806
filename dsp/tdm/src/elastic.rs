//! An elastic buffer between two clocks that were never meant to agree.
//!
//! A board whose clock is not the master's writes a millisecond when *its* millisecond is over; the other
//! side reads when *its own* is. What drifts apart gathers here, 4 ms of it, and at the edge one frame of
//! 125 µs is repeated or dropped: a controlled slip (G.822). The fill is measured with the phase between
//! the last write and the read, not in whole blocks, so slips come one at a time as the drift demands and
//! not eight in a burst.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

use crate::{Block, Instant, Law, SAMPLES, TIMESLOTS};

/// Frames between the two edges: 4 ms.
pub const RANGE_FRAMES: u32 = 32;
/// The lower edge. A read needs 8 whole frames, and up to 8 more may be on their way as phase.
const LOW_FRAMES: u32 = 16;
const HIGH_FRAMES: u32 = LOW_FRAMES + RANGE_FRAMES;
const CENTRE_FRAMES: u32 = LOW_FRAMES + RANGE_FRAMES / 2;
/// Frames kept: the upper edge, a block of phase, and room for a late reader.
const CAPACITY: usize = 128;
/// Microseconds of a frame.
const FRAME_MICROS: u64 = 125;

const _: () = assert!(CAPACITY.is_power_of_two());
const _: () = assert!(HIGH_FRAMES as usize + 4 * SAMPLES < CAPACITY);

/// What the buffer did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ElasticCounters {
    /// Frames dropped because the writer is faster.
    pub dropped: u64,
    /// Frames repeated because the writer is slower.
    pub repeated: u64,
    /// Times a stall of either side emptied or overfilled the buffer, which was then centred anew.
    pub recentred: u64,
}

/// One direction of one board.
pub struct Elastic {
    frames: [[u8; TIMESLOTS]; CAPACITY],
    written: u64,
    read: u64,
    last_write: Instant,
    running: bool,
    idle: u8,
    counters: ElasticCounters,
    first_write: Option<(Instant, u64)>,
}

impl Elastic {
    /// An empty buffer; until it is half full the reader gets silence of `law`.
    pub const fn new(law: Law) -> Self {
        Self {
            frames: [[law.idle(); TIMESLOTS]; CAPACITY],
            written: 0,
            read: 0,
            last_write: Instant::micros(0),
            running: false,
            idle: law.idle(),
            counters: ElasticCounters { dropped: 0, repeated: 0, recentred: 0 },
            first_write: None,
        }
    }

    /// Takes a millisecond; `now` is when the writer's clock completed it.
    pub fn write(&mut self, now: Instant, block: &Block) {
        for row in &block.octets {
            if let Some(frame) = self.frames.get_mut(slot(self.written)) {
                *frame = *row;
            }
            self.written = self.written.wrapping_add(1);
        }
        self.last_write = now;
        self.first_write.get_or_insert((now, self.written));
        // A reader that does not come must not be read backwards: the oldest go.
        let held = self.written.wrapping_sub(self.read);
        if held > CAPACITY as u64 {
            self.read = self.written.wrapping_sub(u64::from(CENTRE_FRAMES));
            self.counters.recentred = self.counters.recentred.wrapping_add(u64::from(self.running));
        }
    }

    /// Gives a millisecond; `now` is when the reader's clock asks. `block.at` is left alone.
    pub fn read(&mut self, now: Instant, block: &mut Block) {
        let fill = self.fill(now);
        if !self.running {
            if fill < u64::from(CENTRE_FRAMES) {
                block.octets = [[self.idle; TIMESLOTS]; SAMPLES];
                return;
            }
            self.running = true;
            self.centre(fill);
        } else if self.held() < SAMPLES as u64 || fill > (CAPACITY as u64).saturating_sub(16) {
            // Not drift but a stall: start over from the middle, once, instead of slipping for seconds.
            self.counters.recentred = self.counters.recentred.wrapping_add(1);
            if self.held() < SAMPLES as u64 {
                self.running = false;
                self.read = self.written;
                block.octets = [[self.idle; TIMESLOTS]; SAMPLES];
                return;
            }
            self.centre(fill);
        } else if fill > u64::from(HIGH_FRAMES) {
            self.read = self.read.wrapping_add(1);
            self.counters.dropped = self.counters.dropped.wrapping_add(1);
        } else if fill < u64::from(LOW_FRAMES) {
            self.read = self.read.wrapping_sub(1);
            self.counters.repeated = self.counters.repeated.wrapping_add(1);
        }
        for row in &mut block.octets {
            if let Some(frame) = self.frames.get(slot(self.read)) {
                *row = *frame;
            }
            self.read = self.read.wrapping_add(1);
        }
    }

    /// What happened so far.
    pub const fn counters(&self) -> ElasticCounters {
        self.counters
    }

    /// How much faster than the host's clock the writer is, in parts per million; `None` for the first 10 s.
    pub fn writer_ppm(&self) -> Option<f64> {
        let (first, frames) = self.first_write?;
        let micros = self.last_write.micros_since(first);
        if micros < 10_000_000 {
            return None;
        }
        let written = self.written.wrapping_sub(frames) as f64 * FRAME_MICROS as f64;
        Some((written / micros as f64 - 1.0) * 1e6)
    }

    const fn held(&self) -> u64 {
        self.written.wrapping_sub(self.read)
    }

    /// Frames held, with those of the running millisecond that the writer will only hand over at its end.
    fn fill(&self, now: Instant) -> u64 {
        let phase = now.micros_since(self.last_write) / FRAME_MICROS;
        self.held().saturating_add(phase.min(SAMPLES as u64))
    }

    fn centre(&mut self, fill: u64) {
        let excess = fill.saturating_sub(u64::from(CENTRE_FRAMES));
        let spare = self.held().saturating_sub(SAMPLES as u64);
        self.read = self.read.wrapping_add(excess.min(spare));
    }
}

const fn slot(frame: u64) -> usize {
    const MASK: u64 = CAPACITY as u64 - 1;
    (frame & MASK) as usize
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, clippy::indexing_slicing)]
mod tests {
    use super::*;

    /// Runs a writer `ppm` off against an exact reader and gives what came out of timeslot 1.
    fn run(seconds: u64, ppm: i64, mut each: impl FnMut(&Block)) -> ElasticCounters {
        let mut elastic = Elastic::new(Law::A);
        let (mut writes, mut sample) = (0_u64, 0_u64);
        for tick in 0..seconds * 1000 {
            let now = Instant::micros(tick * 1000 + 500);
            // The writer's n-th millisecond ends at n / (1 + ppm/1e6) ms.
            loop {
                let ends = (writes + 1) as f64 * 1000.0 / (1.0 + ppm as f64 * 1e-6);
                if ends as u64 > now.as_micros() {
                    break;
                }
                let mut block = Block::idle(Law::A);
                for row in &mut block.octets {
                    row[1..5].copy_from_slice(&(sample as u32).to_le_bytes());
                    sample += 1;
                }
                elastic.write(Instant::micros(ends as u64), &block);
                writes += 1;
            }
            let mut out = Block::idle(Law::A);
            elastic.read(now, &mut out);
            each(&out);
        }
        elastic.counters()
    }

    /// (30 ms − 2 ms) / 125 µs: half the range is used up first, then every frame slips.
    #[test]
    fn ten_minutes_at_50_ppm_cost_224_slips_either_way() {
        let fast = run(600, 50, |_| {});
        let slow = run(600, -50, |_| {});
        assert!((223..=225).contains(&fast.dropped), "{fast:?}");
        assert!((223..=225).contains(&slow.repeated), "{slow:?}");
        assert_eq!((fast.repeated, slow.dropped), (0, 0));
        assert_eq!((fast.recentred, slow.recentred), (0, 0));
    }

    #[test]
    fn equal_clocks_never_slip_and_lose_no_frame() {
        let (mut last, mut heard) = (None, 0_u64);
        let counters = run(60, 0, |block| {
            for row in &block.octets {
                if row[1..5] == [0xD5; 4] {
                    continue;
                }
                let n = u32::from_le_bytes([row[1], row[2], row[3], row[4]]);
                assert!(last.is_none_or(|l| n == l + 1), "after {last:?} came {n}");
                (last, heard) = (Some(n), heard + 1);
            }
        });
        assert_eq!(counters, ElasticCounters::default());
        assert!(heard > 59 * 8000);
    }

    #[test]
    fn a_slip_repeats_or_drops_exactly_one_frame() {
        let mut last = None;
        run(120, 100, |block| {
            for row in &block.octets {
                let n = u32::from_le_bytes([row[1], row[2], row[3], row[4]]);
                if row[1..5] != [0xD5; 4] {
                    assert!(last.is_none_or(|l| n - l <= 2), "{last:?} {n}");
                    last = Some(n);
                }
            }
        });
    }

    #[test]
    fn a_stalled_writer_costs_one_recentring_not_a_storm_of_slips() {
        let mut elastic = Elastic::new(Law::A);
        let mut out = Block::idle(Law::A);
        for tick in 0..3000_u64 {
            let now = Instant::micros(tick * 1000);
            if !(1000..1500).contains(&tick) {
                elastic.write(now, &Block::idle(Law::A));
            }
            elastic.read(now.plus_micros(500), &mut out);
        }
        let counters = elastic.counters();
        assert_eq!(counters.recentred, 1, "{counters:?}");
        assert!(counters.repeated + counters.dropped <= 24, "{counters:?}");
    }

    #[test]
    fn a_stalled_reader_finds_the_newest_frames() {
        let mut elastic = Elastic::new(Law::A);
        let mut out = Block::idle(Law::A);
        for tick in 0..3000_u64 {
            let now = Instant::micros(tick * 1000);
            elastic.write(now, &Block::idle(Law::A));
            if !(1000..1500).contains(&tick) {
                elastic.read(now.plus_micros(500), &mut out);
            }
        }
        assert!(elastic.held() <= u64::from(HIGH_FRAMES), "{}", elastic.held());
    }
}
