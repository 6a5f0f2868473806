//! What one short spectrum of one lane says: level, the one or two tones it may be, how much they are of it.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

use crate::lanes::{Register, Simd, V};
use crate::spectrum::{BIN_HZ, BINS};

/// The first bin that counts (156 Hz): below it are hum and what a telephone line does not carry.
const FIRST: usize = 5;
/// The last bin that counts (3812 Hz).
const LAST: usize = 122;
/// Bins on either side of a peak that belong to it. Tones closer than 94 Hz (400 + 450) are one peak.
const REACH: usize = 3;
/// Bins of a peak.
const PEAK: usize = 2 * REACH + 1;
/// The last bin below 1 kHz.
const LOW_LAST: usize = 32;
/// A second peak counts from this share of the first.
const SECOND_SHARE: f32 = 0.08;
/// The band of V.21 channel 2, whose flags are the fax preamble: 1594 to 1906 Hz.
const PREAMBLE_BINS: core::ops::RangeInclusive<usize> = 51..=61;
/// Its lower tone, 1650 Hz, without the upper one.
const PREAMBLE_LOW_BINS: core::ops::RangeInclusive<usize> = 51..=55;

/// One look at a lane, 32 ms wide.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Frame {
    /// Mean square between 156 and 3812 Hz, full scale 1.0.
    pub power: f32,
    /// Centre of the strongest peak, in Hz.
    pub first_hz: f32,
    /// Centre of the second peak, in Hz; 0.0 when there is none worth the name.
    pub second_hz: f32,
    /// Share of the power in the first peak.
    pub first_share: f32,
    /// Share of the power in both peaks.
    pub tone_share: f32,
    /// Share of the power in the fax preamble's band, and of this in its lower half.
    pub preamble_share: f32,
    /// Share of the preamble's band in its lower tone.
    pub preamble_low_share: f32,
    /// Share of the power between 156 and 1000 Hz.
    pub low_share: f32,
}

/// Looks at the lanes of a spectrum.
///
/// Sums and the search for peaks run over all lanes at once; only the few bins of a peak are taken lane by
/// lane, out of `power`.
#[inline(always)]
pub fn look<const W: usize, S: Simd<W>>(simd: S, power: &mut [V<W>; BINS], frames: &mut [Frame]) {
    // A peak at the edge takes nothing from beyond it.
    for beyond in [FIRST - REACH..FIRST, LAST + 1..LAST + 1 + REACH] {
        power.get_mut(beyond).unwrap_or_default().fill(V::ZERO);
    }
    let (low, first_low) = sweep(simd, power, FIRST..=LOW_LAST);
    let (high, first_high) = sweep(simd, power, LOW_LAST + 1..=LAST);
    let total = low.plus(high).packed();
    let low = low.packed();
    let preamble = band(simd, power, PREAMBLE_BINS).packed();
    let preamble_low = band(simd, power, PREAMBLE_LOW_BINS).packed();
    let first = first_high.max(first_low).mark().packed();
    let mut firsts = [(0.0, 0.0); W];
    for (lane, peak) in firsts.iter_mut().enumerate() {
        *peak = take_peak(power, lane, first.lane(lane) as usize);
    }
    let second = sweep(simd, power, FIRST..=LAST).1.mark().packed();
    for ((lane, frame), (first_power, first_hz)) in frames.iter_mut().enumerate().zip(firsts) {
        let total = total.lane(lane);
        if total < 1e-10 {
            *frame = Frame::default();
            continue;
        }
        let (second_power, second_hz) = take_peak(power, lane, second.lane(lane) as usize);
        let is_second = second_power > SECOND_SHARE * first_power;
        let (second_power, second_hz) =
            if is_second { (second_power, second_hz) } else { (0.0, 0.0) };
        let preamble = preamble.lane(lane);
        *frame = Frame {
            power: total,
            first_hz,
            second_hz,
            first_share: first_power / total,
            tone_share: (first_power + second_power) / total,
            preamble_share: preamble / total,
            preamble_low_share: preamble_low.lane(lane) / preamble.max(1e-12),
            low_share: low.lane(lane) / total,
        };
    }
}

/// The power of some bins together.
#[inline(always)]
fn band<const W: usize, S: Simd<W>>(
    simd: S,
    power: &[V<W>; BINS],
    bins: core::ops::RangeInclusive<usize>,
) -> S::Register {
    let mut sum = simd.zero();
    for bin in power.get(bins).unwrap_or_default() {
        sum = sum.plus(simd.load(bin));
    }
    sum
}

/// The power of some bins together, and the greatest of them, which is marked with its number.
#[inline(always)]
fn sweep<const W: usize, S: Simd<W>>(
    simd: S,
    power: &[V<W>; BINS],
    bins: core::ops::RangeInclusive<usize>,
) -> (S::Register, S::Register) {
    let mut sum = simd.zero();
    let mut best = simd.zero().marked(FIRST as u32);
    for bin in power.get(bins).unwrap_or_default() {
        let power = simd.load(bin);
        sum = sum.plus(power);
        best = power.max(best);
    }
    (sum, best)
}

/// Power and centre of gravity of the peak around a bin, which is taken out: zeros are left.
#[inline(always)]
fn take_peak<const W: usize>(power: &mut [V<W>; BINS], lane: usize, bin: usize) -> (f32, f32) {
    let from = bin.saturating_sub(REACH);
    let (mut sum, mut moment) = (0.0, 0.0);
    if let Some(bins) = power.get_mut(from..).and_then(|bins| bins.first_chunk_mut::<PEAK>()) {
        for (i, bin) in bins.iter_mut().enumerate() {
            if let Some(p) = bin.0.get_mut(lane) {
                sum += *p;
                moment += *p * i as f32;
                *p = 0.0;
            }
        }
    }
    (sum, (from as f32 + moment / sum.max(1e-20)) * BIN_HZ)
}
