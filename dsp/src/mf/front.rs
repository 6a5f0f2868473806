//! The vector part of the receivers: four milliseconds of each lane, through the filter of its system, become six
//! complex amplitudes, an energy, and the two strongest tones. No branch on the signal.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

use core::f64::consts::TAU;

use tdm::SAMPLES;

use super::{Mf, TONES};
use crate::lanes::{Complex, Register, Rows, Simd, V};
use crate::pair::HOP_MILLIS;

/// Samples of a hop, and half of them.
pub const HOP: usize = HOP_MILLIS * SAMPLES;
const SIDE: usize = HOP / 2;

/// Two second-order sections b1 b2 a1 a2 whose b0 is 1, and the gain of both.
struct Filter {
    sections: [[f32; 4]; 2],
    gain: f32,
}

/// Elliptic high-pass of 4th order, 0.3 dB ripple from 1,365 Hz: 20 dB down at 1,140 Hz.
const FORWARD: Filter = Filter {
    sections: [
        [-1.860_012, 1.0, -0.324_664_6, 0.200_811_9],
        [-1.433_897, 1.0, -0.935_592_5, 0.808_111],
    ],
    gain: 0.305_047,
};
/// Elliptic low-pass of 4th order, 0.3 dB ripple up to 1,155 Hz: 20 dB down at 1,380 Hz.
const BACKWARD: Filter = Filter {
    sections: [
        [0.792_353, 1.0, -1.020_133_7, 0.368_944_3],
        [-0.651_369_6, 1.0, -1.058_631, 0.816_872_1],
    ],
    gain: 0.067_847_5,
};
/// What comes passes.
const NONE: Filter = Filter { sections: [[0.0; 4]; 2], gain: 1.0 };

/// Leak of the sums that find the strongest tones, a hop: a time constant of 10 ms.
const LEAK: f32 = 0.67;
/// Share of the energy the two strongest tones must have, and the weaker of them. A wrong one sees an eighth.
const POSSIBLE_SHARE: f32 = 0.4;
const POSSIBLE_EACH: f32 = 0.05;
/// What a tone of −41 dBm0 leaves of energy in the leaky sum: 48 times its squared peak.
const POSSIBLE_ENERGY: f32 = 1.8e-3;

/// A hop of some lanes.
#[derive(Clone, Copy, Debug)]
pub struct Hop<const W: usize> {
    /// Peak and phase of each tone at the middle of the hop, as if nothing else sounded.
    pub tones: [Complex<W>; TONES],
    /// Energy behind the filter: the sum of 32 squares.
    pub energy: V<W>,
}

impl<const W: usize> Hop<W> {
    /// Nothing sounds.
    pub const SILENT: Self = Self { tones: [(V::ZERO, V::ZERO); TONES], energy: V::ZERO };

    /// Silences a lane.
    pub fn forget(&mut self, lane: usize) {
        self.tones.iter_mut().for_each(|tone| set(tone, lane, (0.0, 0.0)));
        self.energy.set_lane(lane, 0.0);
    }
}

fn set<const W: usize>((a, b): &mut Complex<W>, lane: usize, to: (f32, f32)) {
    a.set_lane(lane, to.0);
    b.set_lane(lane, to.1);
}

/// The filters of some lanes, and the tones they look for. A lane that listens to nothing has zeros.
#[derive(Debug)]
pub struct Front<const W: usize> {
    /// b1 and b2, a1 and a2 of each section, and its state.
    sections: [[Complex<W>; 3]; 2],
    gain: V<W>,
    /// Cosine and sine of each tone at half a sample, one and a half, … from the middle of a hop.
    waves: Box<[[Complex<W>; SIDE]; TONES]>,
    /// How each tone turns in a hop, with the leak.
    turns: [Complex<W>; TONES],
    leaky: [Complex<W>; TONES],
    leaky_energy: V<W>,
    /// The two strongest tones, as 8 · one + the other, and for how many hops they have been possible.
    pub pair: V<W>,
    /// See [`Front::pair`].
    pub possible_hops: V<W>,
}

impl<const W: usize> Default for Front<W> {
    fn default() -> Self {
        let nothing = (V::ZERO, V::ZERO);
        Self {
            sections: [[nothing; 3]; 2],
            gain: V::ZERO,
            waves: Box::new([[nothing; SIDE]; TONES]),
            turns: [nothing; TONES],
            leaky: [nothing; TONES],
            leaky_energy: V::ZERO,
            pair: V::ZERO,
            possible_hops: V::ZERO,
        }
    }
}

impl<const W: usize> Front<W> {
    /// Starts a lane anew with the filter and the tones of a system.
    pub fn listen(&mut self, lane: usize, system: Option<Mf>) {
        let filter = match system {
            Some(Mf::R2Forward) => FORWARD,
            Some(Mf::R2Backward) => BACKWARD,
            Some(Mf::Bell) | None => NONE,
        };
        for ([b, a, state], [b1, b2, a1, a2]) in self.sections.iter_mut().zip(filter.sections) {
            set(b, lane, (b1, b2));
            set(a, lane, (a1, a2));
            set(state, lane, (0.0, 0.0));
        }
        self.gain.set_lane(lane, if system.is_some() { filter.gain } else { 0.0 });
        let scale = system.map_or(0.0, |_| 2.0 * f64::from(filter.gain) / HOP as f64);
        let hz = system.map_or([0.0; TONES], Mf::hz);
        for ((wave, turn), hz) in self.waves.iter_mut().zip(&mut self.turns).zip(hz) {
            let radians = TAU * f64::from(hz) / 8000.0;
            for (k, wave) in wave.iter_mut().enumerate() {
                let (sin, cos) = (radians * (k as f64 + 0.5)).sin_cos();
                set(wave, lane, ((scale * cos) as f32, (scale * sin) as f32));
            }
            let (sin, cos) = (radians * HOP as f64).sin_cos();
            set(turn, lane, (LEAK * cos as f32, LEAK * sin as f32));
        }
        self.leaky.iter_mut().for_each(|leaky| set(leaky, lane, (0.0, 0.0)));
        self.leaky_energy.set_lane(lane, 0.0);
        self.possible_hops.set_lane(lane, 0.0);
    }

    /// Takes the four milliseconds of `rows`, the oldest first, of vector `group` of the span.
    #[inline(always)]
    pub fn take<S: Simd<W>>(
        &mut self,
        simd: S,
        rows: [&Rows; HOP_MILLIS],
        group: usize,
        hop: &mut Hop<W>,
    ) {
        let mut samples = [simd.zero(); HOP];
        for (row, sample) in rows.into_iter().flat_map(|rows| &rows.0).zip(&mut samples) {
            *sample = simd.row(row, group);
        }
        for section in &mut self.sections {
            filter(simd, section, &mut samples);
        }
        let gain = simd.load(&self.gain);
        let mut energy = simd.zero();
        for sample in &samples {
            energy = energy.plus(sample.times(*sample));
        }
        energy.times(gain.times(gain)).store(&mut hop.energy);
        self.amplitudes(simd, &samples, hop);
        self.weigh(simd, hop);
    }

    /// Each tone's share in a hop, by its peak.
    #[inline(always)]
    fn amplitudes<S: Simd<W>>(&self, simd: S, samples: &[S::Register; HOP], hop: &mut Hop<W>) {
        let mut folded = [(simd.zero(), simd.zero()); SIDE];
        let (before, after) = samples.split_at(SIDE);
        let halves = after.iter().zip(before.iter().rev());
        for (folded, (&after, &before)) in folded.iter_mut().zip(halves) {
            *folded = (after.plus(before), after.minus(before));
        }
        for (tone, wave) in hop.tones.iter_mut().zip(self.waves.iter()) {
            let (mut re, mut im) = (simd.zero(), simd.zero());
            for (&(even, odd), (cos, sin)) in folded.iter().zip(wave) {
                re = re.plus(even.times(simd.load(cos)));
                im = im.minus(odd.times(simd.load(sin)));
            }
            re.store(&mut tone.0);
            im.store(&mut tone.1);
        }
    }

    /// Updates the leaky sums, and in which lanes which two tones are possible since when.
    #[inline(always)]
    fn weigh<S: Simd<W>>(&mut self, simd: S, hop: &Hop<W>) {
        // A silent line must not keep tiny leftovers of what was: they would slow the CPU down.
        const FLOOR: f32 = 1e-12;
        let energy = simd.load(&self.leaky_energy).scaled(LEAK).plus(simd.load(&hop.energy));
        let energy = energy.plus(simd.splat(FLOOR));
        energy.store(&mut self.leaky_energy);
        let (mut best, mut second) = (simd.zero(), simd.zero());
        let tones = self.leaky.iter_mut().zip(&hop.tones).zip(&self.turns);
        for (tone, ((leaky, now), (cos, sin))) in (0_u32..).zip(tones) {
            let (re, im) = (simd.load(&leaky.0), simd.load(&leaky.1));
            let (cos, sin) = (simd.load(cos), simd.load(sin));
            let real = re.times(cos).minus(im.times(sin)).plus(simd.load(&now.0));
            let imaginary = re.times(sin).plus(im.times(cos)).plus(simd.load(&now.1));
            real.store(&mut leaky.0);
            imaginary.store(&mut leaky.1);
            let power = real.times(real).plus(imaginary.times(imaginary)).marked(tone);
            second = power.min(best).max(second);
            best = power.max(best);
        }
        // A lone tone of peak A: |leaky|² = A²/(1 − leak)², leaky energy = 16A²/(1 − leak).
        const SCALE: f32 = (1.0 - LEAK) * SIDE as f32;
        // In the order of their numbers, whichever is stronger.
        let (one, other) = (best.mark(), second.mark());
        let now = one.min(other).scaled(8.0).plus(one.max(other));
        let is_possible = best
            .plus(second)
            .is_above(energy.scaled(POSSIBLE_SHARE / SCALE))
            .times(second.is_above(energy.scaled(POSSIBLE_EACH / SCALE)))
            .times(energy.is_above(simd.splat(POSSIBLE_ENERGY)));
        let is_same = now.is_equal(simd.load(&self.pair));
        let hops = simd.load(&self.possible_hops).times(is_same).plus(simd.splat(1.0));
        now.store(&mut self.pair);
        hops.times(is_possible).store(&mut self.possible_hops);
    }
}

/// A hop through a section.
#[inline(always)]
fn filter<const W: usize, S: Simd<W>>(
    simd: S,
    [b, a, state]: &mut [Complex<W>; 3],
    samples: &mut [S::Register; HOP],
) {
    let (b1, b2) = (simd.load(&b.0), simd.load(&b.1));
    let (a1, a2) = (simd.load(&a.0), simd.load(&a.1));
    let (mut s1, mut s2) = (simd.load(&state.0), simd.load(&state.1));
    for sample in samples {
        let x = *sample;
        let y = x.plus(s1);
        s1 = x.times(b1).plus(s2).minus(y.times(a1));
        s2 = x.times(b2).minus(y.times(a2));
        *sample = y;
    }
    s1.store(&mut state.0);
    s2.store(&mut state.1);
}
