//! Short spectra of some lanes at once: what every detector but DTMF looks at.
//!
//! A Hann window of 32 ms (256 samples) every 8 ms; bins of 31.25 Hz. The transform is a radix-2 FFT of
//! 128 complex points whose numbers are vectors, so a group of lanes costs what one would.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]
#![cfg_attr(
    test,
    allow(clippy::indexing_slicing, clippy::unwrap_used, clippy::arithmetic_side_effects)
)]

use tdm::{SAMPLES, TIMESLOTS};

use crate::lanes::{Register, Rows, Simd, V};

/// Samples of a window.
pub const SIZE: usize = 256;
/// Milliseconds from one window to the next.
pub const HOP_MILLIS: u32 = 8;
/// Bins, 0 Hz to 4000 Hz.
pub const BINS: usize = SIZE / 2 + 1;
/// Hz from bin to bin.
pub const BIN_HZ: f32 = 8000.0 / SIZE as f32;
const POINTS: usize = SIZE / 2;
/// Milliseconds of a window.
const MILLIS: usize = SIZE / SAMPLES;
const STAGES: u32 = POINTS.ilog2();

/// The last 32 ms of a span.
#[derive(Debug)]
pub struct Recent {
    millis: [Rows; MILLIS],
    at: usize,
}

impl Default for Recent {
    fn default() -> Self {
        Self { millis: [Rows::SILENT; MILLIS], at: 0 }
    }
}

impl Recent {
    /// The place for the next millisecond; the oldest is gone.
    #[inline(always)]
    pub fn next(&mut self) -> Option<&mut Rows> {
        let at = self.at;
        self.at = at.wrapping_add(1) % MILLIS;
        self.millis.get_mut(at)
    }
    /// The latest `N` milliseconds, the oldest first.
    #[inline(always)]
    pub fn last<const N: usize>(&self) -> [&Rows; N] {
        const NOTHING: &Rows = &Rows::SILENT;
        core::array::from_fn(|i| {
            let back = N.saturating_sub(i);
            let at = self.at.wrapping_add(MILLIS).wrapping_sub(back);
            self.millis.get(at % MILLIS).unwrap_or(NOTHING)
        })
    }
    /// Silences one lane in all of them.
    pub fn forget(&mut self, lane: usize) {
        for row in self.millis.iter_mut().flat_map(|rows| &mut rows.0) {
            if let Some(x) = row.get_mut(lane) {
                *x = 0.0;
            }
        }
    }
    #[inline(always)]
    fn oldest_first(&self) -> impl Iterator<Item = &[f32; TIMESLOTS]> {
        let (newer, older) = self.millis.split_at_checked(self.at).unwrap_or_default();
        older.iter().chain(newer).flat_map(|rows| &rows.0)
    }
}

/// The transform and its workplace. One a span.
#[derive(Debug)]
pub struct Spectrum<const W: usize> {
    window: [f32; SIZE],
    /// For each stage its factors, one stage after the other.
    twiddles: [(f32, f32); POINTS],
    /// Where a point goes before the first stage: its index with the bits reversed.
    order: [u8; POINTS],
    /// Cosine and sine of πk/128, to part the two halves of the packed transform.
    parting: [(f32, f32); BINS],
    re: [V<W>; POINTS],
    im: [V<W>; POINTS],
    power: [V<W>; BINS],
}

impl<const W: usize> Default for Spectrum<W> {
    fn default() -> Self {
        use core::f64::consts::{PI, TAU};
        let window = core::array::from_fn(|n| {
            (0.5 - 0.5 * (TAU * (n as f64 + 0.5) / SIZE as f64).cos()) as f32
        });
        let mut twiddles = [(1.0, 0.0); POINTS];
        let mut slots = twiddles.iter_mut();
        for stage in 0..STAGES {
            let half = 1_usize << stage;
            for (j, slot) in slots.by_ref().take(half).enumerate() {
                let (sin, cos) = (-PI * j as f64 / half as f64).sin_cos();
                *slot = (cos as f32, sin as f32);
            }
        }
        let order =
            core::array::from_fn(|k| (k as u8).reverse_bits() >> (8_u32.wrapping_sub(STAGES)));
        let parting = core::array::from_fn(|k| {
            let (sin, cos) = (PI * k as f64 / POINTS as f64).sin_cos();
            (cos as f32, sin as f32)
        });
        Self {
            window,
            twiddles,
            order,
            parting,
            re: [V::ZERO; POINTS],
            im: [V::ZERO; POINTS],
            power: [V::ZERO; BINS],
        }
    }
}

impl<const W: usize> Spectrum<W> {
    /// Power of each bin, such that their sum is the mean square of the signal (full scale 1.0).
    pub const fn power(&self) -> &[V<W>; BINS] {
        &self.power
    }

    /// Transforms the last 32 ms of vector `group` of the span.
    #[inline(always)]
    pub fn transform<S: Simd<W>>(&mut self, simd: S, recent: &Recent, group: usize) {
        self.load(simd, recent, group);
        let mut twiddles = self.twiddles.as_slice();
        for stage in 0..STAGES {
            let half = 1_usize << stage;
            let (factors, rest) = twiddles.split_at_checked(half).unwrap_or_default();
            twiddles = rest;
            let blocks =
                self.re.chunks_exact_mut(half << 1).zip(self.im.chunks_exact_mut(half << 1));
            for (re, im) in blocks {
                butterflies(simd, re.split_at_mut(half), im.split_at_mut(half), factors);
            }
        }
        self.part(simd);
    }

    #[inline(always)]
    fn load<S: Simd<W>>(&mut self, simd: S, recent: &Recent, group: usize) {
        let mut samples = recent.oldest_first().map(|row| simd.row(row, group));
        for (weights, &to) in self.window.chunks_exact(2).zip(&self.order) {
            let (Some(even), Some(odd)) = (samples.next(), samples.next()) else { return };
            let [one, other] = weights else { return };
            if let (Some(re), Some(im)) =
                (self.re.get_mut(usize::from(to)), self.im.get_mut(usize::from(to)))
            {
                even.scaled(*one).store(re);
                odd.scaled(*other).store(im);
            }
        }
    }

    /// Even and odd samples went through one transform as real and imaginary part; this takes them apart.
    #[inline(always)]
    fn part<S: Simd<W>>(&mut self, simd: S) {
        // Hann: Σw² = 3N/8; one-sided: the sum of the bins is the mean square.
        const SCALE: f32 = 1.0 / (SIZE as f32 * SIZE as f32 * 3.0 / 16.0);
        const LAST: usize = POINTS - 1;
        for ((k, power), &(cos, sin)) in self.power.iter_mut().enumerate().zip(&self.parting) {
            let (here, there) = (k & LAST, POINTS.wrapping_sub(k) & LAST);
            let at = |i: usize| {
                let load =
                    |part: &[V<W>; POINTS]| part.get(i).map_or(simd.zero(), |v| simd.load(v));
                (load(&self.re), load(&self.im))
            };
            let ((zr, zi), (nr, ni)) = (at(here), at(there));
            let (er, ei) = (zr.plus(nr), zi.minus(ni));
            let (or, oi) = (zi.plus(ni), nr.minus(zr));
            let xr = er.plus(or.scaled(cos)).plus(oi.scaled(sin));
            let xi = ei.plus(oi.scaled(cos)).minus(or.scaled(sin));
            xr.times(xr).plus(xi.times(xi)).scaled(0.25 * SCALE).store(power);
        }
    }
}

#[inline(always)]
fn butterflies<const W: usize, S: Simd<W>>(
    simd: S,
    (ar, br): (&mut [V<W>], &mut [V<W>]),
    (ai, bi): (&mut [V<W>], &mut [V<W>]),
    factors: &[(f32, f32)],
) {
    let tops = ar.iter_mut().zip(ai);
    let bottoms = br.iter_mut().zip(bi);
    for (((ar, ai), (br, bi)), &(cos, sin)) in tops.zip(bottoms).zip(factors) {
        let (re, im) = (simd.load(br), simd.load(bi));
        let tr = re.scaled(cos).minus(im.scaled(sin));
        let ti = re.scaled(sin).plus(im.scaled(cos));
        let (re, im) = (simd.load(ar), simd.load(ai));
        re.minus(tr).store(br);
        im.minus(ti).store(bi);
        re.plus(tr).store(ar);
        im.plus(ti).store(ai);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::Oscillator;

    fn spectrum_of(mut lane_3: impl FnMut() -> f32) -> Spectrum<8> {
        let mut recent = Recent::default();
        for _ in 0..37 {
            for row in &mut recent.next().unwrap().0 {
                row[11] = lane_3();
            }
        }
        let mut spectrum = Spectrum::default();
        spectrum.transform(crate::lanes::Plain, &recent, 1);
        spectrum
    }

    #[test]
    fn a_sine_stands_in_its_bin_with_its_power() {
        for bin in [2_usize, 14, 63, 100, 126] {
            let mut sine = Oscillator::new(bin as f32 * BIN_HZ);
            let spectrum = spectrum_of(|| 0.5 * sine.next_sample());
            let power: Vec<f32> = spectrum.power().iter().map(|v| v.lane(3)).collect();
            let near: f32 = power[bin - 1..=bin + 1].iter().sum();
            let all: f32 = power.iter().sum();
            assert!((near - 0.125).abs() < 1e-3, "bin {bin}: {near}");
            assert!((all - near).abs() < 1e-4, "bin {bin}: {all}");
            assert!(spectrum.power().iter().all(|v| v.lane(2) < 1e-12));
        }
    }

    /// Against the definition, on noise.
    #[test]
    fn the_fast_transform_is_the_slow_one() {
        let mut rng = tdm::Rng::from_seed(5);
        let samples: Vec<f32> = (0..37 * 8).map(|_| rng.normal() as f32 * 0.1).collect();
        let mut next = samples.iter().copied();
        let spectrum = spectrum_of(|| next.next().unwrap());
        let last = &samples[samples.len() - SIZE..];
        for (k, power) in spectrum.power().iter().enumerate() {
            let (mut re, mut im) = (0.0, 0.0);
            for (n, &x) in last.iter().enumerate() {
                let w = 0.5 - 0.5 * (std::f64::consts::TAU * (n as f64 + 0.5) / 256.0).cos();
                let angle = -std::f64::consts::TAU * (k * n) as f64 / 256.0;
                re += w * f64::from(x) * angle.cos();
                im += w * f64::from(x) * angle.sin();
            }
            let slow = (re * re + im * im) / (256.0 * 256.0 * 3.0 / 16.0);
            assert!((slow - f64::from(power.lane(3))).abs() < 1e-6, "{k}: {slow}");
        }
    }
}
