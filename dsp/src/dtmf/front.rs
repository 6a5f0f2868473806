//! The vector part of the receiver: four milliseconds of each lane become eight complex amplitudes, two
//! energies, and a first opinion. No branch on the signal.
//!
//! A half-band filter of two all-pass branches halves the sample rate; its other output holds what lies above
//! 2 kHz. An elliptic high-pass takes dial tone and hum away. What is left is folded around the middle of the
//! hop, so that each tone's cosine meets the even half and its sine the odd half: half the work.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

use tdm::SAMPLES;

use super::{HOP_MILLIS, TONES, tone_hz};
use crate::lanes::{Complex, Register, Rows, Simd, V};

/// Sample rate behind the half-band filter.
pub const RATE_HZ: f64 = 4000.0;
/// Samples of a hop at that rate, and half of them.
pub const HOP: usize = HOP_MILLIS * SAMPLES / 2;
const SIDE: usize = HOP / 2;
/// And of a millisecond.
const PAIRS: usize = SAMPLES / 2;

/// The all-pass coefficients of the two branches of the half-band filter: 1,690 Hz pass, from 2,310 Hz on it
/// is 32 dB down, so nothing of weight folds onto a tone. The two outputs share the energy exactly.
const BRANCHES: [f32; 2] = [0.274_506_55, 0.753_325_92];

/// Elliptic high-pass of 4th order at 4 kHz, 0.3 dB ripple from 670 Hz, 33 dB down below 479 Hz, as two
/// sections b1 a1 a2 whose b0 and b2 are 1. 99 % of its energy is over in 3 ms.
const HIGH_PASS: [[f32; 3]; 2] =
    [[-1.885_888, -0.317_190_3, 0.193_294_55], [-1.512_929_5, -0.961_784_98, 0.797_672_3]];
const HIGH_PASS_GAIN: f32 = 0.294_971_7;
/// Butterworth high-pass of 2nd order at 200 Hz: mains hum is 24 dB down before the energy is measured.
const HUM_PASS: [f32; 3] = [-2.0, -1.561_018_1, 0.641_351_5];
const HUM_PASS_GAIN: f32 = 0.800_592_4;

/// Leak of the cheap sums a hop: a time constant of 6.7 ms.
const LEAK: f32 = 0.55;
/// Share of the energy two tones must have to be possible. Offset tones lose half in the leaky sum.
const POSSIBLE_SHARE: f32 = 0.35;
/// Share each of the two must have.
const POSSIBLE_EACH: f32 = 0.02;
/// What a tone of −51 dBm0 leaves of energy in the leaky sum: 36 times its squared peak.
const POSSIBLE_ENERGY: f32 = 1.4e-4;

/// Cosines and sines that all lanes share.
#[derive(Debug)]
pub struct Waves {
    /// Of each tone at half a sample, one and a half, … from the middle of a hop, scaled to give peaks.
    waves: [[(f32, f32); SIDE]; TONES],
    /// How each tone turns in a hop, with the leak.
    turns: [(f32, f32); TONES],
}

impl Default for Waves {
    fn default() -> Self {
        let turn = |tone, samples: f64| {
            (core::f64::consts::TAU * f64::from(tone_hz(tone)) / RATE_HZ * samples).sin_cos()
        };
        // A sine of peak A is 2A behind the branches, and its sum over a hop half its samples times that.
        let scale = f64::from(HIGH_PASS_GAIN) / HOP as f64;
        let waves = core::array::from_fn(|tone| {
            core::array::from_fn(|k| {
                let (sin, cos) = turn(tone, k as f64 + 0.5);
                ((scale * cos) as f32, (scale * sin) as f32)
            })
        });
        let turns = core::array::from_fn(|tone| {
            let (sin, cos) = turn(tone, HOP as f64);
            (LEAK * cos as f32, LEAK * sin as f32)
        });
        Self { waves, turns }
    }
}

/// A hop of some lanes.
#[derive(Clone, Copy, Debug)]
pub struct Hop<const W: usize> {
    /// Peak and phase of each tone at the middle of the hop, as if nothing else sounded.
    pub tones: [Complex<W>; TONES],
    /// Energy above the high-pass: the sum of 32 squares.
    pub above: V<W>,
    /// Energy below it.
    pub below: V<W>,
}

impl<const W: usize> Hop<W> {
    /// Nothing sounds.
    pub const SILENT: Self =
        Self { tones: [(V::ZERO, V::ZERO); TONES], above: V::ZERO, below: V::ZERO };

    /// Silences a lane.
    pub fn forget(&mut self, lane: usize) {
        self.tones.iter_mut().for_each(|tone| clear(tone, lane));
        self.above.set_lane(lane, 0.0);
        self.below.set_lane(lane, 0.0);
    }
}

/// The filters of some lanes, and their first opinion.
#[derive(Debug)]
pub struct Front<const W: usize> {
    /// Of each branch of the half-band filter what went in last, and what came out.
    branches: [Complex<W>; 2],
    high_pass: [Complex<W>; 2],
    hum_pass: Complex<W>,
    leaky: [Complex<W>; TONES],
    leaky_energy: V<W>,
    /// The strongest low and high tone, as 4 · low + high, and for how many hops they have been possible.
    pub pair: V<W>,
    /// See [`Front::pair`].
    pub possible_hops: V<W>,
}

impl<const W: usize> Default for Front<W> {
    fn default() -> Self {
        const fn nothing<const W: usize>() -> Complex<W> {
            (V::ZERO, V::ZERO)
        }
        Self {
            branches: [nothing(); 2],
            high_pass: [nothing(); 2],
            hum_pass: nothing(),
            leaky: [nothing(); TONES],
            leaky_energy: V::ZERO,
            pair: V::ZERO,
            possible_hops: V::ZERO,
        }
    }
}

fn clear<const W: usize>((re, im): &mut Complex<W>, lane: usize) {
    re.set_lane(lane, 0.0);
    im.set_lane(lane, 0.0);
}

impl<const W: usize> Front<W> {
    /// Starts a lane anew.
    pub fn forget(&mut self, lane: usize) {
        let filters = self.branches.iter_mut().chain(&mut self.high_pass);
        filters.chain(&mut self.leaky).for_each(|state| clear(state, lane));
        clear(&mut self.hum_pass, lane);
        self.leaky_energy.set_lane(lane, 0.0);
        self.possible_hops.set_lane(lane, 0.0);
    }

    /// Takes the four milliseconds of `rows`, the oldest first, of vector `group` of the span.
    #[inline(always)]
    pub fn take<S: Simd<W>>(
        &mut self,
        simd: S,
        waves: &Waves,
        rows: [&Rows; HOP_MILLIS],
        group: usize,
        hop: &mut Hop<W>,
    ) {
        let mut samples = [simd.zero(); HOP];
        let (mut passed, mut unhummed, mut upper) = (simd.zero(), simd.zero(), simd.zero());
        let [early, late] = &self.branches;
        let (mut early, mut late) = (load(simd, early), load(simd, late));
        let [first, second] = &self.high_pass;
        let (mut first, mut second) = (load(simd, first), load(simd, second));
        let mut hum = load(simd, &self.hum_pass);
        let millis = rows.into_iter().zip(samples.as_chunks_mut::<PAIRS>().0);
        for (rows, samples) in millis {
            for ([before, after], sample) in rows.0.as_chunks::<2>().0.iter().zip(samples) {
                let a = all_pass(&mut late, BRANCHES[0], simd.row(after, group));
                let b = all_pass(&mut early, BRANCHES[1], simd.row(before, group));
                let (low, high) = (a.plus(b), a.minus(b));
                upper = upper.plus(high.times(high));
                let hearable = section(&mut hum, HUM_PASS, low);
                unhummed = unhummed.plus(hearable.times(hearable));
                let y = section(&mut first, HIGH_PASS[0], low);
                let y = section(&mut second, HIGH_PASS[1], y);
                passed = passed.plus(y.times(y));
                *sample = y;
            }
        }
        store(&mut self.branches, [early, late]);
        store(&mut self.high_pass, [first, second]);
        store(core::slice::from_mut(&mut self.hum_pass), [hum]);
        // Twice the amplitude and half the samples: half of these sums is the energy at 8 kHz.
        let passed = passed.scaled(0.5 * HIGH_PASS_GAIN * HIGH_PASS_GAIN);
        let above = passed.plus(upper.scaled(0.5));
        above.store(&mut hop.above);
        unhummed.scaled(0.5 * HUM_PASS_GAIN * HUM_PASS_GAIN).minus(passed).store(&mut hop.below);
        amplitudes(simd, waves, &samples, &mut hop.tones);
        self.weigh(simd, waves, hop);
    }

    /// Updates the leaky sums, and in which lanes which pair is possible since when.
    #[inline(always)]
    fn weigh<S: Simd<W>>(&mut self, simd: S, waves: &Waves, hop: &Hop<W>) {
        // A silent line must not keep tiny leftovers of what was: they would slow the CPU down.
        const FLOOR: f32 = 1e-12;
        let energy = simd.load(&self.leaky_energy).scaled(LEAK).plus(simd.load(&hop.above));
        let energy = energy.plus(simd.splat(FLOOR));
        energy.store(&mut self.leaky_energy);
        let mut best = [simd.zero(); 2];
        let tones = self.leaky.iter_mut().zip(&hop.tones).zip(&waves.turns);
        for (tone, ((leaky, now), &(cos, sin))) in (0_u8..).zip(tones) {
            let (re, im) = (simd.load(&leaky.0), simd.load(&leaky.1));
            let real = re.scaled(cos).minus(im.scaled(sin)).plus(simd.load(&now.0));
            let imaginary = re.scaled(sin).plus(im.scaled(cos)).plus(simd.load(&now.1));
            real.store(&mut leaky.0);
            imaginary.store(&mut leaky.1);
            let power = real.times(real).plus(imaginary.times(imaginary));
            let [low, high] = &mut best;
            let best = if tone < 4 { low } else { high };
            *best = power.marked(u32::from(tone & 3)).max(*best);
        }
        // A lone tone of peak A: |leaky|² = A²/(1 − leak)², leaky energy = 16A²/(1 − leak).
        const SCALE: f32 = (1.0 - LEAK) * HOP as f32;
        let [low, high] = best;
        let now = low.mark().scaled(4.0).plus(high.mark());
        let share = |of: f32| energy.scaled(of / SCALE);
        let is_possible = low
            .plus(high)
            .is_above(share(POSSIBLE_SHARE))
            .times(low.min(high).is_above(share(POSSIBLE_EACH)))
            .times(energy.is_above(simd.splat(POSSIBLE_ENERGY)));
        let is_same = now.is_equal(simd.load(&self.pair));
        let hops = simd.load(&self.possible_hops).times(is_same).plus(simd.splat(1.0));
        now.store(&mut self.pair);
        hops.times(is_possible).store(&mut self.possible_hops);
    }
}

#[inline(always)]
fn load<const W: usize, S: Simd<W>>(simd: S, of: &Complex<W>) -> (S::Register, S::Register) {
    (simd.load(&of.0), simd.load(&of.1))
}

#[inline(always)]
fn store<const W: usize, R: Register<W>, const N: usize>(to: &mut [Complex<W>], from: [(R, R); N]) {
    for ((re, im), from) in to.iter_mut().zip(from) {
        from.0.store(re);
        from.1.store(im);
    }
}

/// Each tone's share in a hop, by its peak.
#[inline(always)]
fn amplitudes<const W: usize, S: Simd<W>>(
    simd: S,
    waves: &Waves,
    samples: &[S::Register; HOP],
    tones: &mut [Complex<W>; TONES],
) {
    let mut folded = [(simd.zero(), simd.zero()); SIDE];
    let (before, after) = samples.split_at(SIDE);
    for (folded, (&after, &before)) in folded.iter_mut().zip(after.iter().zip(before.iter().rev()))
    {
        *folded = (after.plus(before), after.minus(before));
    }
    for (tone, wave) in tones.iter_mut().zip(&waves.waves) {
        let (mut re, mut im) = (simd.zero(), simd.zero());
        for (&(even, odd), &(cos, sin)) in folded.iter().zip(wave) {
            re = re.plus(even.scaled(cos));
            im = im.minus(odd.scaled(sin));
        }
        re.store(&mut tone.0);
        im.store(&mut tone.1);
    }
}

/// A sample through an all-pass of first order.
#[inline(always)]
fn all_pass<const W: usize, R: Register<W>>((was, out): &mut (R, R), k: f32, x: R) -> R {
    let y = x.minus(*out).scaled(k).plus(*was);
    (*was, *out) = (x, y);
    y
}

/// A sample through a second-order section b1 a1 a2, b0 and b2 being 1.
#[inline(always)]
fn section<const W: usize, R: Register<W>>(
    (s1, s2): &mut (R, R),
    [b1, a1, a2]: [f32; 3],
    x: R,
) -> R {
    let y = x.plus(*s1);
    *s1 = x.scaled(b1).plus(*s2).minus(y.scaled(a1));
    *s2 = x.minus(y.scaled(a2));
    y
}
