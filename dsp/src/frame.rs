//! What one short spectrum of one lane says: level, the one or two tones it may be, how much they are of it.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

use crate::lanes::V;
use crate::spectrum::{BIN_HZ, BINS};

/// The first bin that counts (156 Hz): below it are hum and what a telephone line does not carry.
const FIRST: usize = 5;
/// The last bin that counts (3812 Hz).
const LAST: usize = 122;
/// Bins on either side of a peak that belong to it. Tones closer than 94 Hz (400 + 450) are one peak.
const REACH: usize = 3;
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

impl Frame {
    /// Looks at one lane of a spectrum.
    #[inline]
    pub fn look(power: &[V; BINS], lane: usize) -> Self {
        let mut bins = [0.0_f32; BINS];
        for (bin, v) in bins.iter_mut().zip(power) {
            *bin = v.lane(lane);
        }
        let band = |range: core::ops::RangeInclusive<usize>| -> f32 {
            bins.get(range).unwrap_or_default().iter().sum()
        };
        let total = band(FIRST..=LAST);
        if total < 1e-10 {
            return Self::default();
        }
        let first_bin = strongest(&bins);
        let (first_power, first_hz) = peak(&bins, first_bin);
        let preamble = band(PREAMBLE_BINS);
        let preamble_low = band(PREAMBLE_LOW_BINS);
        let low = band(FIRST..=32);
        for bin in bins
            .iter_mut()
            .skip(first_bin.saturating_sub(REACH))
            .take(REACH.wrapping_mul(2).wrapping_add(1))
        {
            *bin = 0.0;
        }
        let (second_power, second_hz) = peak(&bins, strongest(&bins));
        let is_second = second_power > SECOND_SHARE * first_power;
        let (second_power, second_hz) =
            if is_second { (second_power, second_hz) } else { (0.0, 0.0) };
        Self {
            power: total,
            first_hz,
            second_hz,
            first_share: first_power / total,
            tone_share: (first_power + second_power) / total,
            preamble_share: preamble / total,
            preamble_low_share: preamble_low / preamble.max(1e-12),
            low_share: low / total,
        }
    }
}

/// The bin of the greatest power.
#[inline]
fn strongest(bins: &[f32; BINS]) -> usize {
    let mut best = (FIRST, 0.0);
    for (i, &power) in bins.iter().enumerate().take(LAST.wrapping_add(1)).skip(FIRST) {
        if power > best.1 {
            best = (i, power);
        }
    }
    best.0
}

/// Power and centre of gravity of the peak around a bin.
#[inline]
fn peak(bins: &[f32; BINS], bin: usize) -> (f32, f32) {
    let from = bin.saturating_sub(REACH);
    let (mut power, mut moment) = (0.0, 0.0);
    for (i, &p) in bins.iter().enumerate().skip(from).take(REACH.wrapping_mul(2).wrapping_add(1)) {
        power += p;
        moment += p * i as f32;
    }
    (power, moment / power.max(1e-20) * BIN_HZ)
}
