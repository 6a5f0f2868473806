//! The exact test of one lane: are these 24 ms two tones of Q.23, and nothing else?
//!
//! A model of two steady tones is fitted to the amplitudes of six hops, with the share that each tone has in
//! the other's sums taken out. What the model leaves of the energy is judged against the noise before.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

use core::f32::consts::TAU;

use super::front::{HOP, RATE_HZ};
use super::{DEVIATION_MAX, HOP_MILLIS, WINDOW, tone_hz};

/// A complex number.
type C = (f32, f32);

fn times(a: C, b: C) -> C {
    (a.0 * b.0 - a.1 * b.1, a.0 * b.1 + a.1 * b.0)
}
fn conjugate(a: C) -> C {
    (a.0, -a.1)
}
fn minus(a: C, b: C) -> C {
    (a.0 - b.0, a.1 - b.1)
}
fn scaled(a: C, k: f32) -> C {
    (a.0 * k, a.1 * k)
}
fn turn(radians: f32) -> C {
    let (sin, cos) = radians.sin_cos();
    (cos, sin)
}

/// A tone as it was fitted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tone {
    /// Its peak, full scale 1.0.
    pub peak: f32,
    /// How far the worst hop is from where the model says, as a share of the peak.
    pub wobble: f32,
}

/// Two tones as they were fitted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fit {
    /// The low one and the high one.
    pub tones: [Tone; 2],
    /// The model's energy in the window: a sum of squares at 8 kHz.
    pub energy: f32,
}

/// What a steady tone gives to a sum over a hop that looks `radians` a sample beside it.
fn kernel(radians: f32) -> f32 {
    const SAMPLES: f32 = HOP as f32;
    let half = 0.5 * radians;
    if half.abs() < 1e-3 {
        return 1.0;
    }
    (SAMPLES * half).sin() / (SAMPLES * half.sin())
}

/// What is seen at one frequency of a tone of another, and of its mirror image.
#[derive(Clone, Copy)]
struct Leak {
    direct: f32,
    image: f32,
}

impl Leak {
    fn of(source: f32, at: f32) -> Self {
        Self { direct: kernel(source - at), image: kernel(source + at) }
    }
    fn apply(self, a: C) -> C {
        let image = scaled(conjugate(a), self.image);
        (a.0 * self.direct + image.0, a.1 * self.direct + image.1)
    }
}

/// Radians a sample of a tone that is so many radians a hop off.
fn radians(tone: usize, off: f32) -> f32 {
    TAU * tone_hz(tone) / RATE_HZ as f32 + off / HOP as f32
}

/// Fits the tones numbered `low` and `high` to what the hops showed of them, the oldest first; `None` when
/// one is off its frequency.
pub fn fit([low, high]: [usize; 2], seen: &[[C; WINDOW]; 2]) -> Option<Fit> {
    // Offsets in radians a hop. The second look takes the leak of the tones where they really are.
    let mut off = [0.0_f32; 2];
    let mut parted = part([low, high], off, seen);
    for _ in 0..2 {
        for ((off, tone), seen) in off.iter_mut().zip([low, high]).zip(&parted) {
            *off = offset(tone, seen);
            let hz = *off / (TAU * 1e-3 * HOP_MILLIS as f32);
            if hz.abs() > DEVIATION_MAX * tone_hz(tone) {
                return None;
            }
        }
        parted = part([low, high], off, seen);
    }
    let [a, b] = &parted;
    let [low_off, high_off] = off;
    let (low_sum, low_wobble) = steady(low, low_off, a);
    let (high_sum, high_wobble) = steady(high, high_off, b);
    let energy = energy_of([low, high], off, [low_sum, high_sum]);
    let tone = |sum: C, wobble| Tone { peak: sum.0.hypot(sum.1), wobble };
    Some(Fit { tones: [tone(low_sum, low_wobble), tone(high_sum, high_wobble)], energy })
}

/// The amplitudes of both tones in each hop, free of each other.
fn part(tones: [usize; 2], off: [f32; 2], seen: &[[C; WINDOW]; 2]) -> [[C; WINDOW]; 2] {
    let [low_at, high_at] = tones.map(|tone| radians(tone, 0.0));
    let [low, high] = [radians(tones[0], off[0]), radians(tones[1], off[1])];
    let own = [Leak::of(low, low_at), Leak::of(high, high_at)];
    let other = [Leak::of(high, low_at), Leak::of(low, high_at)];
    let mut parted = *seen;
    let [a, b] = &mut parted;
    let [seen_a, seen_b] = seen;
    for (((a, b), &seen_a), &seen_b) in a.iter_mut().zip(b).zip(seen_a).zip(seen_b) {
        // What each sees of itself is nearly all: three rounds leave less than a thousandth.
        for _ in 0..3 {
            let next_a = minus(minus(seen_a, own[0].apply(*a)), other[0].apply(*b));
            let next_b = minus(minus(seen_b, own[1].apply(*b)), other[1].apply(*a));
            *a = (a.0 + next_a.0, a.1 + next_a.1);
            *b = (b.0 + next_b.0, b.1 + next_b.1);
        }
    }
    parted
}

/// How far the phase moves from one hop to the next beyond what the tone asks for, in radians.
fn offset(tone: usize, hops: &[C; WINDOW]) -> f32 {
    let nominal = conjugate(turn(radians(tone, 0.0) * HOP as f32));
    let mut sum = (0.0, 0.0);
    for pair in hops.windows(2) {
        if let [before, after] = pair {
            let step = times(times(*after, conjugate(*before)), nominal);
            sum = (sum.0 + step.0, sum.1 + step.1);
        }
    }
    sum.1.atan2(sum.0)
}

/// The amplitude in the first hop of the steady tone that fits best, and how far the worst hop is from it.
fn steady(tone: usize, off: f32, hops: &[C; WINDOW]) -> (C, f32) {
    let step = turn(radians(tone, off) * HOP as f32);
    let mut sum = (0.0, 0.0);
    // Horner: h0 + e^(-jstep)·(h1 + e^(-jstep)·(h2 + …)).
    for &hop in hops.iter().rev() {
        let turned = times(sum, conjugate(step));
        sum = (turned.0 + hop.0, turned.1 + hop.1);
    }
    let mean = scaled(sum, 1.0 / WINDOW as f32);
    let mut expected = mean;
    let mut worst = 0.0_f32;
    for &hop in hops {
        let miss = minus(hop, expected);
        worst = worst.max(miss.0.hypot(miss.1));
        expected = times(expected, step);
    }
    (mean, worst / mean.0.hypot(mean.1).max(1e-9))
}

/// The energy of two steady tones over the window, their beat included.
fn energy_of(tones: [usize; 2], off: [f32; 2], first: [C; 2]) -> f32 {
    const SAMPLES: f32 = HOP as f32;
    let [low, high] = [radians(tones[0], off[0]), radians(tones[1], off[1])];
    let steps = [turn(low * SAMPLES), turn(high * SAMPLES)];
    let (difference, sum) = (2.0 * kernel(high - low), 2.0 * kernel(high + low));
    let own = [kernel(2.0 * low), kernel(2.0 * high)];
    let [mut a, mut b] = first;
    let mut energy = 0.0;
    for _ in 0..WINDOW {
        energy += a.0 * a.0 + a.1 * a.1 + b.0 * b.0 + b.1 * b.1;
        energy += times(a, a).0 * own[0] + times(b, b).0 * own[1];
        energy += times(a, conjugate(b)).0 * difference + times(a, b).0 * sum;
        (a, b) = (times(a, steps[0]), times(b, steps[1]));
    }
    SAMPLES * energy
}

#[cfg(test)]
#[allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::needless_range_loop
)]
mod tests {
    use super::*;

    /// The sums of a hop by their definition, over the 32 samples' worth of a model at 4 kHz.
    fn hops_of(tones: [usize; 2], off_hz: [f32; 2], peaks: [f32; 2]) -> ([[C; WINDOW]; 2], f32) {
        let mut seen = [[(0.0, 0.0); WINDOW]; 2];
        let mut energy = 0.0;
        let sample = |n: f32| {
            let of = |i: usize| {
                let hz = tone_hz(tones[i]) + off_hz[i];
                peaks[i] * (TAU * hz * n / RATE_HZ as f32 + i as f32).cos()
            };
            of(0) + of(1)
        };
        for k in 0..WINDOW {
            for n in 0..HOP {
                let t = n as f32 - (HOP as f32 - 1.0) / 2.0;
                let x = sample((k * HOP) as f32 + t);
                energy += 2.0 * x * x;
                for (i, &tone) in tones.iter().enumerate() {
                    let wave = turn(-TAU * tone_hz(tone) / RATE_HZ as f32 * t);
                    seen[i][k].0 += 2.0 / HOP as f32 * x * wave.0;
                    seen[i][k].1 += 2.0 / HOP as f32 * x * wave.1;
                }
            }
        }
        (seen, energy)
    }

    /// Every pair, both tones off by 1.5 % in either direction, 8.5 dB apart: the model leaves nothing.
    #[test]
    fn two_steady_tones_are_fitted_whole() {
        for pair in 0..16 {
            let tones = [pair >> 2, (pair & 3) + 4];
            for (share, peaks) in [(0.0, [0.1, 0.1]), (0.015, [0.1, 0.038]), (-0.015, [0.05, 0.1])]
            {
                let off_hz = [tone_hz(tones[0]) * share, -tone_hz(tones[1]) * share];
                let (seen, energy) = hops_of(tones, off_hz, peaks);
                let fit = fit(tones, &seen).expect("both are near their frequencies");
                for (tone, peak) in fit.tones.iter().zip(peaks) {
                    assert!((tone.peak / peak - 1.0).abs() < 0.01, "{tones:?} {share}: {fit:?}");
                    assert!(tone.wobble < 0.01, "{tones:?} {share}: {fit:?}");
                }
                assert!((fit.energy / energy - 1.0).abs() < 0.01, "{tones:?} {share}: {fit:?}");
            }
        }
    }

    #[test]
    fn a_tone_off_by_3_5_percent_fits_nothing() {
        for tones in [[0, 4], [3, 7]] {
            for (i, sign) in [(0, 1.0), (0, -1.0), (1, 1.0), (1, -1.0)] {
                let mut off_hz = [0.0; 2];
                off_hz[i] = sign * 0.035 * tone_hz(tones[i]);
                let (seen, _) = hops_of(tones, off_hz, [0.1, 0.1]);
                assert!(fit(tones, &seen).is_none(), "{tones:?} {off_hz:?}");
            }
        }
    }
}
