//! Short spectra of some lanes at once: what every detector but DTMF looks at.
//!
//! A Hann window of 32 ms (256 samples) every 8 ms; bins of 31.25 Hz. The transform is one of
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

use tdm::SAMPLES;

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
/// Points of each of the two parts that the last pass joins.
const QUARTER: usize = SIZE / 4;
/// Milliseconds of a window.
pub const MILLIS: usize = SIZE / SAMPLES;

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
}

/// A cosine and a sine.
type Turn = (f32, f32);

/// The transform and its workplace. One a span.
///
/// 128 = 2 · 4 · 4 · 4: three passes of four points each, the first of which takes the samples and their window
/// on its way in, and one of two points that takes even and odd samples apart on its way out.
#[derive(Debug)]
pub struct Spectrum<const W: usize> {
    window: [f32; SIZE],
    /// What turns the second, third and fourth of the four parts in the second pass, and in the third.
    sixteenths: [[Turn; 3]; 4],
    sixtyfourths: [[Turn; 3]; 16],
    /// Of πk/64 for the last pass, and of πk/128 for what parts even and odd samples.
    halves: [(Turn, Turn); QUARTER + 1],
    re: [V<W>; POINTS],
    im: [V<W>; POINTS],
    power: [V<W>; BINS],
}

impl<const W: usize> Default for Spectrum<W> {
    fn default() -> Self {
        use core::f64::consts::{PI, TAU};
        // Hann: Σw² = 3N/8; one-sided, even and odd twice each: the sum of the bins is the mean square.
        let scale = (1.0 / (SIZE as f64 * SIZE as f64 * 3.0 / 4.0)).sqrt();
        let window = core::array::from_fn(|n| {
            (scale * (0.5 - 0.5 * (TAU * (n as f64 + 0.5) / SIZE as f64).cos())) as f32
        });
        let turn = |of: f64| -> Turn {
            let (sin, cos) = of.sin_cos();
            (cos as f32, sin as f32)
        };
        let parts = |k: usize, of: f64| [1.0, 2.0, 3.0].map(|i| turn(TAU * i * k as f64 / of));
        Self {
            window,
            sixteenths: core::array::from_fn(|k| parts(k, 16.0)),
            sixtyfourths: core::array::from_fn(|k| parts(k, 64.0)),
            halves: core::array::from_fn(|k| {
                (turn(PI * k as f64 / 64.0), turn(PI * k as f64 / 128.0))
            }),
            re: [V::ZERO; POINTS],
            im: [V::ZERO; POINTS],
            power: [V::ZERO; BINS],
        }
    }
}

impl<const W: usize> Spectrum<W> {
    /// Power of each bin, such that their sum is the mean square of the signal (full scale 1.0). Whoever takes
    /// a peak out may put zeros there: the next transform writes all of it anew.
    pub const fn power(&mut self) -> &mut [V<W>; BINS] {
        &mut self.power
    }

    /// Transforms vector `group` of a span's last 32 ms, the oldest first.
    #[inline(always)]
    pub fn transform<S: Simd<W>>(&mut self, simd: S, rows: &[&Rows; MILLIS], group: usize) {
        self.load(simd, rows, group);
        let Self { re, im, sixteenths, sixtyfourths, .. } = self;
        for (re, im) in re.chunks_exact_mut(16).zip(im.chunks_exact_mut(16)) {
            fours(simd, re, im, sixteenths);
        }
        for (re, im) in re.chunks_exact_mut(64).zip(im.chunks_exact_mut(64)) {
            fours(simd, re, im, sixtyfourths);
        }
        self.part(simd);
    }

    /// The first pass: samples q, q + 32, q + 64 and q + 96, each a pair, where `q` is counted in the order in
    /// which the passes want them.
    #[inline(always)]
    fn load<S: Simd<W>>(&mut self, simd: S, rows: &[&Rows; MILLIS], group: usize) {
        let blocks = self.re.as_chunks_mut::<4>().0.iter_mut().zip(self.im.as_chunks_mut::<4>().0);
        for (block, (re, im)) in blocks.enumerate() {
            let q = (block >> 4) | (block >> 2 & 3) << 1 | (block & 3) << 3;
            let [a, b, c, d] = [q, q | 32, q | 64, q | 96];
            let out = four(
                pair(simd, &self.window, rows, a, group),
                pair(simd, &self.window, rows, b, group),
                pair(simd, &self.window, rows, c, group),
                pair(simd, &self.window, rows, d, group),
            );
            for ((re, im), out) in re.iter_mut().zip(im).zip(out) {
                out.0.store(re);
                out.1.store(im);
            }
        }
    }

    /// The last pass. Even and odd samples went through as real and imaginary part; bins k and 128 − k come
    /// from points k and 128 − k, and these, with 64 ± k, from two pairs of the pass before.
    #[inline(always)]
    fn part<S: Simd<W>>(&mut self, simd: S) {
        let [zero, middle] = self.points(simd, 0);
        self.bins(0, zero, zero);
        self.bins(QUARTER, middle, middle);
        for k in 1..=QUARTER / 2 {
            let [here, beyond] = self.points(simd, k);
            let [there, mirror] = self.points(simd, QUARTER.wrapping_sub(k));
            self.bins(k, here, mirror);
            self.bins(QUARTER.wrapping_add(k), beyond, there);
        }
    }

    /// Points k and 64 + k.
    #[inline(always)]
    fn points<S: Simd<W>>(&self, simd: S, k: usize) -> [Point<S::Register>; 2] {
        let load = |part: &[V<W>; POINTS], i: usize| part.get(i).copied().unwrap_or(V::ZERO);
        let turn = self.halves.get(k).map_or((1.0, 0.0), |(turn, _)| *turn);
        let other = k.wrapping_add(QUARTER);
        let a = (simd.load(&load(&self.re, k)), simd.load(&load(&self.im, k)));
        let b = (simd.load(&load(&self.re, other)), simd.load(&load(&self.im, other)));
        let b = turned(b, turn);
        [(a.0.plus(b.0), a.1.plus(b.1)), (a.0.minus(b.0), a.1.minus(b.1))]
    }

    /// Bins k and 128 − k from the points of these numbers.
    #[inline(always)]
    fn bins<R: Register<W>>(&mut self, k: usize, z: Point<R>, n: Point<R>) {
        let mirror = POINTS.wrapping_sub(k);
        // Beyond the middle it is the turn of the mirror, mirrored.
        let turn = self.halves.get(k.min(mirror)).map_or((1.0, 0.0), |(_, turn)| *turn);
        let turn = if k <= QUARTER { turn } else { (-turn.0, turn.1) };
        let even = (z.0.plus(n.0), z.1.minus(n.1));
        let odd = turned((z.1.plus(n.1), n.0.minus(z.0)), turn);
        if let Some(power) = self.power.get_mut(k) {
            square(even.0.plus(odd.0), even.1.plus(odd.1)).store(power);
        }
        if let Some(power) = self.power.get_mut(mirror) {
            square(even.0.minus(odd.0), even.1.minus(odd.1)).store(power);
        }
    }
}

/// A complex number in each lane, in registers.
type Point<R> = (R, R);

#[inline(always)]
fn square<const W: usize, R: Register<W>>(re: R, im: R) -> R {
    re.times(re).plus(im.times(im))
}
#[inline(always)]
fn plus<const W: usize, R: Register<W>>(a: Point<R>, b: Point<R>) -> Point<R> {
    (a.0.plus(b.0), a.1.plus(b.1))
}
#[inline(always)]
fn minus<const W: usize, R: Register<W>>(a: Point<R>, b: Point<R>) -> Point<R> {
    (a.0.minus(b.0), a.1.minus(b.1))
}

/// Samples 2q and 2q + 1 under the window.
#[inline(always)]
fn pair<const W: usize, S: Simd<W>>(
    simd: S,
    window: &[f32; SIZE],
    rows: &[&Rows; MILLIS],
    q: usize,
    group: usize,
) -> Point<S::Register> {
    const PAIRS: usize = SAMPLES / 2;
    let millisecond = rows.get(q / PAIRS).and_then(|rows| rows.0.as_chunks().0.get(q % PAIRS));
    let weights = window.as_chunks().0.get(q);
    match (millisecond, weights) {
        (Some([even, odd]), Some(&[first, second])) => {
            (simd.row(even, group).scaled(first), simd.row(odd, group).scaled(second))
        }
        _ => (simd.zero(), simd.zero()),
    }
}

/// A complex number turned back by an angle.
#[inline(always)]
fn turned<const W: usize, R: Register<W>>((re, im): (R, R), (cos, sin): Turn) -> (R, R) {
    (re.scaled(cos).plus(im.scaled(sin)), im.scaled(cos).minus(re.scaled(sin)))
}

/// The transform of four points.
#[inline(always)]
fn four<const W: usize, R: Register<W>>(a: (R, R), b: (R, R), c: (R, R), d: (R, R)) -> [(R, R); 4] {
    let (ac, bd) = (plus(a, c), plus(b, d));
    let (a_c, b_d) = (minus(a, c), minus(b, d));
    [
        plus(ac, bd),
        (a_c.0.plus(b_d.1), a_c.1.minus(b_d.0)),
        minus(ac, bd),
        (a_c.0.minus(b_d.1), a_c.1.plus(b_d.0)),
    ]
}

/// A pass of four points over a block: the four quarters of it, the last three turned.
#[inline(always)]
fn fours<const W: usize, S: Simd<W>>(
    simd: S,
    re: &mut [V<W>],
    im: &mut [V<W>],
    turns: &[[Turn; 3]],
) {
    let quarter = turns.len();
    let (ra, rest) = re.split_at_mut(quarter);
    let (rb, rest) = rest.split_at_mut(quarter);
    let (rc, rd) = rest.split_at_mut(quarter);
    let (ia, rest) = im.split_at_mut(quarter);
    let (ib, rest) = rest.split_at_mut(quarter);
    let (ic, id) = rest.split_at_mut(quarter);
    let real = ra.iter_mut().zip(rb).zip(rc.iter_mut().zip(rd));
    let imaginary = ia.iter_mut().zip(ib).zip(ic.iter_mut().zip(id));
    for ((((ra, rb), (rc, rd)), ((ia, ib), (ic, id))), &[first, second, third]) in
        real.zip(imaginary).zip(turns)
    {
        let a = (simd.load(ra), simd.load(ia));
        let b = turned((simd.load(rb), simd.load(ib)), first);
        let c = turned((simd.load(rc), simd.load(ic)), second);
        let d = turned((simd.load(rd), simd.load(id)), third);
        let out = four(a, b, c, d);
        let places = [(ra, ia), (rb, ib), (rc, ic), (rd, id)];
        for ((re, im), out) in places.into_iter().zip(out) {
            out.0.store(re);
            out.1.store(im);
        }
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
        spectrum.transform(crate::lanes::Plain, &recent.last(), 1);
        spectrum
    }

    #[test]
    fn a_sine_stands_in_its_bin_with_its_power() {
        for bin in [2_usize, 14, 63, 100, 126] {
            let mut sine = Oscillator::new(bin as f32 * BIN_HZ);
            let mut spectrum = spectrum_of(|| 0.5 * sine.next_sample());
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
        let mut spectrum = spectrum_of(|| next.next().unwrap());
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
