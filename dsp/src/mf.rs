//! Multi-frequency register signals, two of six tones at a time: R2 forward and backward (Q.440 to Q.455), and MF of
//! R1 as Bell sends it (Q.320).
//!
//! | | accepted | refused |
//! |---|---|---|
//! | frequency of each tone | ±10 Hz (Q.455); Bell ±1.5 % | from ±25 Hz |
//! | level of each tone | −5 … −35 dBm0 | below −38 dBm0 |
//! | one tone over the other | 7 dB | from 12 dB |
//! | on-time | from 30 ms | up to 12 ms |
//! | pause between equal signals | from 25 ms | an interruption up to 7 ms is bridged |
//!
//! How: as for DTMF every 4 ms make a hop, here at the full rate, because the highest tone is 1,980 Hz. A filter takes
//! the other direction's band away, which comes back by echo. Leaky sums find the two strongest tones; where they
//! have been the same two for five hops, two steady tones are fitted to the last 20 ms, and whatever it leaves of the energy is
//! noise or no signal. Exactly two frequencies or nothing. Each lane may listen to a system of its own.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

mod front;

use front::{Front, Hop};

use crate::g711;
use crate::lanes::{Rows, Simd};
use crate::pair::{self, HOP_MILLIS, Looked};

/// Tones of a system.
pub const TONES: usize = 6;
/// Signals of a system: two of six.
pub const SIGNALS: u8 = 15;

/// A system of register signals. Signals are numbered from 1 to 15.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mf {
    /// R2, what the calling side sends. Q.441.
    R2Forward,
    /// R2, what the called side sends.
    R2Backward,
    /// R1: 1 to 9 are digits, 10 is zero; 13 is KP, 15 is ST. Q.320.
    Bell,
}

/// The tones of a signal by their index, from 1 on: both systems of R2 count alike, and so does R1. Q.441, table 5.
const PAIRS: [[usize; 2]; SIGNALS as usize] = [
    [0, 1],
    [0, 2],
    [1, 2],
    [0, 3],
    [1, 3],
    [2, 3],
    [0, 4],
    [1, 4],
    [2, 4],
    [3, 4],
    [0, 5],
    [1, 5],
    [2, 5],
    [3, 5],
    [4, 5],
];

impl Mf {
    /// Every system.
    pub const ALL: [Self; 3] = [Self::R2Forward, Self::R2Backward, Self::Bell];

    /// The level at which each tone of a signal is sent: −11.5 ± 1 dBm0 in R2 (Q.454), −7 ± 1 in R1 (Q.322).
    pub const fn level_dbm0(self) -> f32 {
        match self {
            Self::R2Forward | Self::R2Backward => -11.5,
            Self::Bell => -7.0,
        }
    }
    /// Its six frequencies in the order in which signals count them.
    pub const fn hz(self) -> [f32; TONES] {
        match self {
            Self::R2Forward => [1380.0, 1500.0, 1620.0, 1740.0, 1860.0, 1980.0],
            Self::R2Backward => [1140.0, 1020.0, 900.0, 780.0, 660.0, 540.0],
            Self::Bell => [700.0, 900.0, 1100.0, 1300.0, 1500.0, 1700.0],
        }
    }
    /// The two frequencies of a signal; `None` when there is none of this number.
    pub fn tones_of(self, signal: u8) -> Option<[f32; 2]> {
        let hz = self.hz();
        let [a, b] = *PAIRS.get(usize::from(signal.checked_sub(1)?))?;
        Some([*hz.get(a)?, *hz.get(b)?])
    }
    /// How far a tone may be off: more than Q.455 asks for by what noise moves.
    fn deviation_hz(self, hz: f32) -> f32 {
        match self {
            Self::R2Forward | Self::R2Backward => R2_DEVIATION_HZ,
            Self::Bell => BELL_DEVIATION * hz,
        }
    }
}

/// Hops of the exact test.
const WINDOW: usize = 5;
/// Hops two tones must have been the strongest before the exact test is worth its time.
const POSSIBLE_HOPS: f32 = 5.0;
/// Hops without the signal after which it was let go: bridges 7 ms, tells 20 apart.
const RELEASE_HOPS: u8 = 3;
/// Hops whose power says whether a signal is still there, and the share of its power that must be.
const HOLD_HOPS: usize = 2;
const HELD_SHARE: f32 = 0.2;

const R2_DEVIATION_HZ: f32 = 16.0;
const BELL_DEVIATION: f32 = 0.02;
/// Between −35 and −38 dBm0.
const LEVEL_MIN_DBM0: f32 = -36.3;
/// Between 7 and 12 dB.
const TWIST_MAX_DB: f32 = 9.0;
/// Share of the energy that may be left: noise 6 dB below both tones, or the other direction's echo.
const LEFT_MAX: f32 = 0.25;
/// How far a hop may lie from where the model says, always, and for each deviation that the noise explains. Noise of
/// energy E in a window of 20 ms moves the peak of a hop by √(E/1280).
const WOBBLE: f32 = 0.06;
const WOBBLE_OVER_NOISE: f32 = 3.5;
const NOISE_TO_PEAK: f32 = 1280.0;

/// What a lane says about signals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Recognised; still sent.
    On(u8),
    /// Over.
    Off(u8),
}

/// A signal that is sent.
#[derive(Clone, Copy, Debug)]
struct Held {
    signal: u8,
    /// Peak of each tone when it was recognised.
    peaks: [f32; 2],
    absent_hops: u8,
}

/// The receivers of `W` lanes.
#[derive(Debug)]
pub struct Receivers<const W: usize> {
    front: Front<W>,
    kept: [Hop<W>; WINDOW],
    /// Where the next hop goes.
    at: usize,
    systems: [Option<Mf>; W],
    held: [Option<Held>; W],
}

impl<const W: usize> Default for Receivers<W> {
    fn default() -> Self {
        Self {
            front: Front::default(),
            kept: [Hop::SILENT; WINDOW],
            at: 0,
            systems: [None; W],
            held: [None; W],
        }
    }
}

impl<const W: usize> Receivers<W> {
    /// Starts a lane anew, listening to `system`.
    pub fn listen(&mut self, lane: usize, system: Option<Mf>) {
        self.front.listen(lane, system);
        self.kept.iter_mut().for_each(|hop| hop.forget(lane));
        if let Some(slot) = self.systems.get_mut(lane) {
            *slot = system;
        }
        if let Some(held) = self.held.get_mut(lane) {
            *held = None;
        }
    }

    /// Takes the latest hop, `rows` the oldest first, of vector `group` of the span. The vector part.
    #[inline(always)]
    pub fn take<S: Simd<W>>(&mut self, simd: S, rows: [&Rows; HOP_MILLIS], group: usize) {
        let at = self.at;
        self.at = at.wrapping_add(1) % WINDOW;
        if let Some(hop) = self.kept.get_mut(at) {
            self.front.take(simd, rows, group, hop);
        }
    }

    /// What the lane has to say after [`Receivers::take`]: one thing, or two where a signal replaces another.
    pub fn signal(&mut self, lane: usize, mut say: impl FnMut(Signal)) {
        let Some(system) = self.systems.get(lane).copied().flatten() else { return };
        let is_possible = self.front.possible_hops.lane(lane) >= POSSIBLE_HOPS;
        let held = self.held.get(lane).copied().flatten();
        if !is_possible && held.is_none() {
            return;
        }
        let mut held = held.and_then(|held| {
            let held = self.still_held(lane, held);
            if held.absent_hops >= RELEASE_HOPS {
                say(Signal::Off(held.signal));
                return None;
            }
            Some(held)
        });
        let strongest = self.front.pair.lane(lane) as usize;
        if is_possible
            && let Some(signal) = signal_of(strongest)
            && held.is_none_or(|held| held.signal != signal)
            && let Some(peaks) = self.verify(lane, system, signal)
        {
            if let Some(old) = held {
                say(Signal::Off(old.signal));
            }
            say(Signal::On(signal));
            held = Some(Held { signal, peaks, absent_hops: 0 });
        }
        if let Some(slot) = self.held.get_mut(lane) {
            *slot = held;
        }
    }

    /// The hops of the window, the oldest first.
    fn window(&self) -> impl DoubleEndedIterator<Item = &Hop<W>> {
        let (newer, older) = self.kept.split_at_checked(self.at).unwrap_or_default();
        older.iter().chain(newer)
    }

    /// What the window showed of a tone, the oldest first.
    fn seen(&self, lane: usize, tone: usize) -> [(f32, f32); WINDOW] {
        let mut seen = [(0.0, 0.0); WINDOW];
        for (seen, hop) in seen.iter_mut().zip(self.window()) {
            if let Some((re, im)) = hop.tones.get(tone) {
                *seen = (re.lane(lane), im.lane(lane));
            }
        }
        seen
    }

    fn still_held(&self, lane: usize, held: Held) -> Held {
        let pair = PAIRS.get(usize::from(held.signal.wrapping_sub(1))).copied().unwrap_or_default();
        let is_there = |(tone, was): (usize, f32)| {
            let latest = self.seen(lane, tone);
            let power = latest.iter().rev().take(HOLD_HOPS).map(|(re, im)| re * re + im * im);
            power.sum::<f32>() > HELD_SHARE * HOLD_HOPS as f32 * was * was
        };
        let is_on = pair.into_iter().zip(held.peaks).all(is_there);
        let absent_hops = if is_on { 0 } else { held.absent_hops.saturating_add(1) };
        Held { absent_hops, ..held }
    }

    /// The exact test of a signal over the last 20 ms. Returns the peak of each tone.
    fn verify(&self, lane: usize, system: Mf, signal: u8) -> Option<[f32; 2]> {
        let hz = system.tones_of(signal)?;
        let [a, b] = *PAIRS.get(usize::from(signal.checked_sub(1)?))?;
        let deviation_hz = hz.map(|hz| system.deviation_hz(hz));
        let looked = Looked { hz, deviation_hz, hop: front::HOP as f32 };
        let fit = pair::fit(&looked, &[self.seen(lane, a), self.seen(lane, b)])?;
        let [a_dbm0, b_dbm0] =
            fit.tones.map(|tone| g711::dbm0_of_mean_square(0.5 * tone.peak * tone.peak));
        if a_dbm0.min(b_dbm0) < LEVEL_MIN_DBM0 || (a_dbm0 - b_dbm0).abs() > TWIST_MAX_DB {
            return None;
        }
        let energy: f32 = self.kept.iter().map(|hop| hop.energy.lane(lane)).sum();
        let left = energy - fit.energy;
        let noise_peak = (left.max(0.0) / NOISE_TO_PEAK).sqrt();
        let is_steady = fit
            .tones
            .iter()
            .all(|tone| tone.wobble <= WOBBLE + WOBBLE_OVER_NOISE * noise_peak / tone.peak);
        let is_signal = left <= LEFT_MAX * fit.energy && is_steady;
        is_signal.then_some(fit.tones.map(|tone| tone.peak))
    }
}

/// The signal whose tones are the two in `strongest`, which is 8 · one + the other.
fn signal_of(strongest: usize) -> Option<u8> {
    let (one, other) = (strongest >> 3, strongest & 7);
    let pair = [one.min(other), one.max(other)];
    PAIRS.iter().zip(1_u8..).find(|(tones, _)| **tones == pair).map(|(_, signal)| signal)
}
