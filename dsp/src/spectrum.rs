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
/// Points of each of the two parts that the last pass joins, and half of them.
const QUARTER: usize = SIZE / 4;
const EIGHTH: usize = SIZE / 8;
/// Pairs of samples of a millisecond, and milliseconds of a quarter of the window.
const PAIRS: usize = SAMPLES / 2;
const QUARTER_MILLIS: usize = MILLIS / 4;
/// What a bin has at least: marked zeros are no numbers a CPU is fast with.
const FLOOR: f32 = 1e-33;
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

/// What turns the points and bins of the last pass that belong to k: points k and 64 − k of its odd half, and bins k
/// and 64 + k.
#[derive(Clone, Copy, Debug)]
struct Last {
    points: [Turn; 2],
    bins: [Turn; 2],
}

/// The transform and its workplace. One a span.
///
/// 128 = 2 · 4 · 4 · 4: three passes of four points each, the first of which takes the samples and their window
/// on its way in, and one of two points that takes even and odd samples apart on its way out. All shapes are known
/// when it is compiled, so that no place is checked when it runs.
#[derive(Debug)]
pub struct Spectrum<const W: usize> {
    /// Of pairs of samples: by milliseconds, pairs of each, and the four quarters.
    window: [[[[f32; 2]; 4]; PAIRS]; QUARTER_MILLIS],
    /// What turns the second, third and fourth of the four parts in the second pass, and in the third.
    sixteenths: [[Turn; 3]; 4],
    sixtyfourths: [[Turn; 3]; 16],
    last: [Last; EIGHTH + 1],
    re: [V<W>; POINTS],
    im: [V<W>; POINTS],
    power: [V<W>; BINS],
}

impl<const W: usize> Default for Spectrum<W> {
    fn default() -> Self {
        use core::f64::consts::{PI, TAU};
        // Hann: Σw² = 3N/8; one-sided, even and odd twice each: the sum of the bins is the mean square.
        let scale = (1.0 / (SIZE as f64 * SIZE as f64 * 3.0 / 4.0)).sqrt();
        let weight =
            |n: usize| (scale * (0.5 - 0.5 * (TAU * (n as f64 + 0.5) / SIZE as f64).cos())) as f32;
        let window = core::array::from_fn(|milli| {
            core::array::from_fn(|pair| {
                core::array::from_fn(|quarter| {
                    let millis = QUARTER_MILLIS.wrapping_mul(quarter).wrapping_add(milli);
                    let n = SAMPLES.wrapping_mul(millis).wrapping_add(pair << 1);
                    [n, n | 1].map(weight)
                })
            })
        });
        let turn = |of: f64| -> Turn {
            let (sin, cos) = of.sin_cos();
            (cos as f32, sin as f32)
        };
        let parts = |k: usize, of: f64| [1.0, 2.0, 3.0].map(|i| turn(TAU * i * k as f64 / of));
        let last = |k: usize| {
            let k = k as f64;
            Last {
                points: [k, 64.0 - k].map(|k| turn(PI * k / 64.0)),
                bins: [k, 64.0 + k].map(|k| turn(PI * k / 128.0)),
            }
        };
        Self {
            window,
            sixteenths: core::array::from_fn(|k| parts(k, 16.0)),
            sixtyfourths: core::array::from_fn(|k| parts(k, 64.0)),
            last: core::array::from_fn(last),
            re: [V::ZERO; POINTS],
            im: [V::ZERO; POINTS],
            power: [V::ZERO; BINS],
        }
    }
}

impl<const W: usize> Spectrum<W> {
    /// Power of each bin, such that their sum is the mean square of the signal (full scale 1.0); each is marked with
    /// its number ([`Register::marked`]). Whoever takes a peak out may put zeros there: the next transform writes all
    /// of it anew.
    pub const fn power(&mut self) -> &mut [V<W>; BINS] {
        &mut self.power
    }

    /// Transforms vector `group` of a span's last 32 ms, the oldest first.
    #[inline(always)]
    pub fn transform<S: Simd<W>>(&mut self, simd: S, rows: &[&Rows; MILLIS], group: usize) {
        self.load(simd, rows, group);
        let Self { re, im, sixteenths, sixtyfourths, .. } = self;
        fours(simd, re, im, sixteenths);
        fours(simd, re, im, sixtyfourths);
        self.part(simd);
    }

    /// The first pass: pairs q, q + 32, q + 64 and q + 96, a quarter of the window apart, into the places in which the
    /// passes want them. Four q are in the same four milliseconds.
    #[inline(always)]
    fn load<S: Simd<W>>(&mut self, simd: S, rows: &[&Rows; MILLIS], group: usize) {
        let [rows_a, rows_b, rows_c, rows_d] = rows.as_chunks::<QUARTER_MILLIS>().0 else { return };
        let rows = rows_a.iter().zip(rows_b).zip(rows_c.iter().zip(rows_d));
        for (milli, (((a, b), (c, d)), window)) in rows.zip(&self.window).enumerate() {
            let rows = [*a, *b, *c, *d];
            let place = (milli & 1) << 3 | milli >> 1 & 3;
            let points = (&mut self.re, &mut self.im);
            first::<W, 0, S>(simd, rows, window, group, points, place);
            let points = (&mut self.re, &mut self.im);
            first::<W, 1, S>(simd, rows, window, group, points, place | 16);
            let points = (&mut self.re, &mut self.im);
            first::<W, 2, S>(simd, rows, window, group, points, place | 4);
            let points = (&mut self.re, &mut self.im);
            first::<W, 3, S>(simd, rows, window, group, points, place | 20);
        }
    }

    /// The last pass. Even and odd samples went through as real and imaginary part; bins k and 128 − k come
    /// from points k and 128 − k, and these, with 64 ± k, from two pairs of the pass before.
    #[inline(always)]
    fn part<S: Simd<W>>(&mut self, simd: S) {
        let Self { re, im, last, power, .. } = self;
        let floor = simd.splat(FLOOR);
        for (k, last) in last.iter().enumerate() {
            let [here, beyond] = points(simd, re, im, k, last.points[0]);
            if k == 0 {
                bins(power, floor, 0, last.bins[0], here, here);
                bins(power, floor, QUARTER, last.bins[1], beyond, beyond);
                continue;
            }
            let [there, mirror] = points(simd, re, im, QUARTER.wrapping_sub(k), last.points[1]);
            bins(power, floor, k, last.bins[0], here, mirror);
            if k < EIGHTH {
                bins(power, floor, QUARTER.wrapping_add(k), last.bins[1], beyond, there);
            }
        }
    }
}

/// Points k and 64 + k of the last pass.
#[inline(always)]
fn points<const W: usize, S: Simd<W>>(
    simd: S,
    re: &[V<W>; POINTS],
    im: &[V<W>; POINTS],
    k: usize,
    turn: Turn,
) -> [Point<S::Register>; 2] {
    let a = point(simd, re, im, k);
    let b = turned(point(simd, re, im, k.wrapping_add(QUARTER)), turn);
    [plus(a, b), minus(a, b)]
}

/// A point.
#[inline(always)]
fn point<const W: usize, S: Simd<W>>(
    simd: S,
    re: &[V<W>; POINTS],
    im: &[V<W>; POINTS],
    i: usize,
) -> Point<S::Register> {
    match (re.get(i), im.get(i)) {
        (Some(re), Some(im)) => (simd.load(re), simd.load(im)),
        _ => (simd.zero(), simd.zero()),
    }
}

/// Bins k and 128 − k from the points of these numbers, each marked with its own.
#[inline(always)]
fn bins<const W: usize, R: Register<W>>(
    power: &mut [V<W>; BINS],
    floor: R,
    k: usize,
    turn: Turn,
    z: Point<R>,
    n: Point<R>,
) {
    let mirror = POINTS.wrapping_sub(k);
    let even = (z.0.plus(n.0), z.1.minus(n.1));
    let odd = turned((z.1.plus(n.1), n.0.minus(z.0)), turn);
    if let Some(power) = power.get_mut(k) {
        let sum = square(even.0.plus(odd.0), even.1.plus(odd.1));
        sum.plus(floor).marked(k as u32).store(power);
    }
    if let Some(power) = power.get_mut(mirror) {
        let difference = square(even.0.minus(odd.0), even.1.minus(odd.1));
        difference.plus(floor).marked(mirror as u32).store(power);
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

/// Pair `P` of four milliseconds, transformed into four places.
#[inline(always)]
fn first<const W: usize, const P: usize, S: Simd<W>>(
    simd: S,
    rows: [&Rows; 4],
    window: &[[[f32; 2]; 4]; PAIRS],
    group: usize,
    (re, im): (&mut [V<W>; POINTS], &mut [V<W>; POINTS]),
    place: usize,
) {
    let Some(&[wa, wb, wc, wd]) = window.get(P) else { return };
    let [a, b, c, d] = rows;
    let a = under::<W, P, S>(simd, a, wa, group);
    let b = under::<W, P, S>(simd, b, wb, group);
    let c = under::<W, P, S>(simd, c, wc, group);
    let d = under::<W, P, S>(simd, d, wd, group);
    let re = re.as_chunks_mut::<4>().0.get_mut(place);
    let im = im.as_chunks_mut::<4>().0.get_mut(place);
    if let (Some([ra, rb, rc, rd]), Some([ia, ib, ic, id])) = (re, im) {
        let [a, b, c, d] = four(a, b, c, d);
        keep((ra, ia), a);
        keep((rb, ib), b);
        keep((rc, ic), c);
        keep((rd, id), d);
    }
}

/// Both samples of pair `P` of a millisecond under the window.
#[inline(always)]
fn under<const W: usize, const P: usize, S: Simd<W>>(
    simd: S,
    rows: &Rows,
    [first, second]: [f32; 2],
    group: usize,
) -> Point<S::Register> {
    match rows.0.as_chunks::<2>().0.get(P) {
        Some([even, odd]) => {
            (simd.row(even, group).scaled(first), simd.row(odd, group).scaled(second))
        }
        None => (simd.zero(), simd.zero()),
    }
}

/// Puts a point where it belongs.
#[inline(always)]
fn keep<const W: usize, R: Register<W>>((re, im): (&mut V<W>, &mut V<W>), point: Point<R>) {
    point.0.store(re);
    point.1.store(im);
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

/// A pass of four points over all blocks of four times `Q`: the four quarters of each, the last three turned.
#[inline(always)]
fn fours<const W: usize, const Q: usize, S: Simd<W>>(
    simd: S,
    re: &mut [V<W>; POINTS],
    im: &mut [V<W>; POINTS],
    turns: &[[Turn; 3]; Q],
) {
    let re = re.as_chunks_mut::<Q>().0.as_chunks_mut::<4>().0;
    let im = im.as_chunks_mut::<Q>().0.as_chunks_mut::<4>().0;
    for ([ra, rb, rc, rd], [ia, ib, ic, id]) in re.iter_mut().zip(im) {
        let real = ra.iter_mut().zip(rb).zip(rc.iter_mut().zip(rd));
        let imaginary = ia.iter_mut().zip(ib).zip(ic.iter_mut().zip(id));
        for ((((ra, rb), (rc, rd)), ((ia, ib), (ic, id))), &[first, second, third]) in
            real.zip(imaginary).zip(turns)
        {
            let a = (simd.load(ra), simd.load(ia));
            let b = turned((simd.load(rb), simd.load(ib)), first);
            let c = turned((simd.load(rc), simd.load(ic)), second);
            let d = turned((simd.load(rd), simd.load(id)), third);
            let [a, b, c, d] = four(a, b, c, d);
            keep((ra, ia), a);
            keep((rb, ib), b);
            keep((rc, ic), c);
            keep((rd, id), d);
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
            assert!(spectrum.power().iter().all(|v| v.lane(2) < 1e-12 && v.lane(2).is_normal()));
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
