//! Two steady tones, fitted to what some hops of 4 ms showed at their frequencies: the exact test of a DTMF key or
//! a register signal, one lane at a time.
//!
//! The share that each tone has in the other's sums is taken out, so hops may be short and levels unlike. What the
//! model leaves of the energy is for the receiver to judge.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

use core::f32::consts::TAU;

/// Milliseconds of a hop.
pub const HOP_MILLIS: usize = 4;

/// A complex number.
type C = (f32, f32);

/// Which two tones, and how they were looked at.
#[derive(Clone, Copy, Debug)]
pub struct Looked {
    /// Their nominal frequencies.
    pub hz: [f32; 2],
    /// How far each may be off.
    pub deviation_hz: [f32; 2],
    /// Samples of a hop behind the receiver's filters: 32, or 16 where every other one was dropped.
    pub hop: f32,
}

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

/// Rounds that part two tones from their images, which are a few hundredths.
const ROUNDS: usize = 3;

impl Looked {
    /// What a steady tone gives to a sum over a hop that looks `radians` a sample beside it.
    fn kernel(&self, radians: f32) -> f32 {
        let half = 0.5 * radians;
        if half.abs() < 1e-3 {
            return 1.0;
        }
        (self.hop * half).sin() / (self.hop * half.sin())
    }
    /// Radians a sample of each tone when they are so many radians a hop off.
    fn radians(&self, off: [f32; 2]) -> [f32; 2] {
        let [low, high] = self.hz.map(|hz| TAU * 1e-3 * HOP_MILLIS as f32 * hz / self.hop);
        [low + off[0] / self.hop, high + off[1] / self.hop]
    }
    /// What is seen at one frequency of a tone of another.
    fn leak(&self, source: f32, at: f32) -> Leak {
        Leak { direct: self.kernel(source - at), image: self.kernel(source + at) }
    }
}

/// A tone's direct share in a sum, and that of its mirror image.
#[derive(Clone, Copy)]
struct Leak {
    direct: f32,
    image: f32,
}

impl Leak {
    fn mirror(self, a: C) -> C {
        scaled(conjugate(a), self.image)
    }
}

/// Fits two tones to the peaks and phases that `N` hops showed at their frequencies, the oldest first; `None` when
/// one is off its frequency.
pub fn fit<const N: usize>(looked: &Looked, seen: &[[C; N]; 2]) -> Option<Fit> {
    // Offsets in radians a hop. The second look takes the leak of the tones where they really are.
    let mut off = [0.0_f32; 2];
    let mut parted = part(looked, off, seen);
    for _ in 0..2 {
        let nominal = looked.radians([0.0; 2]);
        let limits = nominal.into_iter().zip(looked.deviation_hz);
        for ((off, seen), (radians, limit_hz)) in off.iter_mut().zip(&parted).zip(limits) {
            *off = offset(radians * looked.hop, seen);
            if off.abs() > TAU * 1e-3 * HOP_MILLIS as f32 * limit_hz {
                return None;
            }
        }
        parted = part(looked, off, seen);
    }
    let [low_step, high_step] = looked.radians(off).map(|radians| turn(radians * looked.hop));
    let [a, b] = &parted;
    let (low_sum, low_wobble) = steady(low_step, a);
    let (high_sum, high_wobble) = steady(high_step, b);
    let energy = energy_of::<N>(looked, off, [low_sum, high_sum]);
    let tone = |sum: C, wobble| Tone { peak: sum.0.hypot(sum.1), wobble };
    Some(Fit { tones: [tone(low_sum, low_wobble), tone(high_sum, high_wobble)], energy })
}

/// The amplitudes of both tones in each hop, free of each other.
fn part<const N: usize>(looked: &Looked, off: [f32; 2], seen: &[[C; N]; 2]) -> [[C; N]; 2] {
    let [low_at, high_at] = looked.radians([0.0; 2]);
    let [low, high] = looked.radians(off);
    let own = [looked.leak(low, low_at), looked.leak(high, high_at)];
    let other = [looked.leak(high, low_at), looked.leak(low, high_at)];
    let [own_a, own_b] = own.map(|leak| leak.direct);
    let [other_a, other_b] = other.map(|leak| leak.direct);
    // Tones 120 Hz apart see two thirds of each other: no less than a tenth is left here.
    let determinant = own_a * own_b - other_a * other_b;
    let mut parted = *seen;
    let [a, b] = &mut parted;
    let [seen_a, seen_b] = seen;
    for (((a, b), &seen_a), &seen_b) in a.iter_mut().zip(b).zip(seen_a).zip(seen_b) {
        // The direct shares are solved for; the mirror images are small and taken out in rounds.
        for _ in 0..ROUNDS {
            let rest_a = minus(minus(seen_a, own[0].mirror(*a)), other[0].mirror(*b));
            let rest_b = minus(minus(seen_b, own[1].mirror(*b)), other[1].mirror(*a));
            *a = scaled(minus(scaled(rest_a, own_b), scaled(rest_b, other_a)), 1.0 / determinant);
            *b = scaled(minus(scaled(rest_b, own_a), scaled(rest_a, other_b)), 1.0 / determinant);
        }
    }
    parted
}

/// How far the phase moves from one hop to the next beyond the `nominal` radians, in radians.
fn offset<const N: usize>(nominal: f32, hops: &[C; N]) -> f32 {
    let nominal = conjugate(turn(nominal));
    let mut sum = (0.0, 0.0);
    for pair in hops.windows(2) {
        if let [before, after] = pair {
            let step = times(times(*after, conjugate(*before)), nominal);
            sum = (sum.0 + step.0, sum.1 + step.1);
        }
    }
    sum.1.atan2(sum.0)
}

/// The amplitude in the first hop of the steady tone that turns by `step` a hop and fits best, and how far the
/// worst hop is from it.
fn steady<const N: usize>(step: C, hops: &[C; N]) -> (C, f32) {
    let mut sum = (0.0, 0.0);
    // Horner: h0 + e^(-jstep)·(h1 + e^(-jstep)·(h2 + …)).
    for &hop in hops.iter().rev() {
        let turned = times(sum, conjugate(step));
        sum = (turned.0 + hop.0, turned.1 + hop.1);
    }
    let mean = scaled(sum, 1.0 / N as f32);
    let mut expected = mean;
    let mut worst = 0.0_f32;
    for &hop in hops {
        let miss = minus(hop, expected);
        worst = worst.max(miss.0.hypot(miss.1));
        expected = times(expected, step);
    }
    (mean, worst / mean.0.hypot(mean.1).max(1e-9))
}

/// The energy of two steady tones over the window, their beat included, as a sum of squares at 8 kHz.
fn energy_of<const N: usize>(looked: &Looked, off: [f32; 2], first: [C; 2]) -> f32 {
    // Half the samples of a hop at 8 kHz: a sine of peak 1 has an energy of ½ in each.
    const HALF_HOP: f32 = 16.0;
    let [low, high] = looked.radians(off);
    let steps = [turn(low * looked.hop), turn(high * looked.hop)];
    let (difference, sum) = (2.0 * looked.kernel(high - low), 2.0 * looked.kernel(high + low));
    let own = [looked.kernel(2.0 * low), looked.kernel(2.0 * high)];
    let [mut a, mut b] = first;
    let mut energy = 0.0;
    for _ in 0..N {
        energy += a.0 * a.0 + a.1 * a.1 + b.0 * b.0 + b.1 * b.1;
        energy += times(a, a).0 * own[0] + times(b, b).0 * own[1];
        energy += times(a, conjugate(b)).0 * difference + times(a, b).0 * sum;
        (a, b) = (times(a, steps[0]), times(b, steps[1]));
    }
    HALF_HOP * energy
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

    const N: usize = 6;
    /// Tones of Q.23 at half the rate and of Q.441 at the full rate, the closest and the farthest, and how far they
    /// may be off: 1.5 % and 10 Hz.
    const PAIRS: [([f32; 2], f32, f32); 6] = [
        ([697.0, 1209.0], 16.0, 0.015),
        ([941.0, 1209.0], 16.0, 0.015),
        ([697.0, 1633.0], 16.0, 0.015),
        ([1380.0, 1500.0], 32.0, 0.007),
        ([1380.0, 1980.0], 32.0, 0.005),
        ([540.0, 660.0], 32.0, 0.015),
    ];

    /// The sums of the hops by their definition, and the model's energy.
    fn seen_of(looked: &Looked, off_hz: [f32; 2], peaks: [f32; 2]) -> ([[C; N]; 2], f32) {
        let rate_hz = looked.hop * 250.0;
        let mut seen = [[(0.0, 0.0); N]; 2];
        let mut energy = 0.0;
        for k in 0..N {
            for n in 0..looked.hop as usize {
                let t = n as f32 - (looked.hop - 1.0) / 2.0;
                let at = k as f32 * looked.hop + t;
                let tone = |i: usize| {
                    let hz = looked.hz[i] + off_hz[i];
                    peaks[i] * (TAU * hz * at / rate_hz + i as f32).cos()
                };
                let x = tone(0) + tone(1);
                energy += 32.0 / looked.hop * x * x;
                for (seen, hz) in seen.iter_mut().zip(looked.hz) {
                    let wave = turn(-TAU * hz / rate_hz * t);
                    seen[k].0 += 2.0 / looked.hop * x * wave.0;
                    seen[k].1 += 2.0 / looked.hop * x * wave.1;
                }
            }
        }
        (seen, energy)
    }

    /// Both tones off by 1.5 % in either direction, up to 8.5 dB apart: the model leaves nothing.
    #[test]
    fn two_steady_tones_are_fitted_whole() {
        for (hz, hop, most) in PAIRS {
            let looked = Looked { hz, deviation_hz: hz.map(|hz| 1.2 * most * hz), hop };
            for (share, peaks) in [(0.0, [0.1, 0.1]), (most, [0.1, 0.038]), (-most, [0.05, 0.1])] {
                let off_hz = [hz[0] * share, -hz[1] * share];
                let (seen, energy) = seen_of(&looked, off_hz, peaks);
                let fit = fit(&looked, &seen).expect("both are near their frequencies");
                for (tone, peak) in fit.tones.iter().zip(peaks) {
                    assert!((tone.peak / peak - 1.0).abs() < 0.02, "{hz:?} {share}: {fit:?}");
                    assert!(tone.wobble < 0.05, "{hz:?} {share}: {fit:?}");
                }
                assert!((fit.energy / energy - 1.0).abs() < 0.02, "{hz:?} {share}: {fit:?}");
            }
        }
    }

    #[test]
    fn a_tone_off_by_3_5_percent_fits_nothing() {
        for (hz, hop, _) in PAIRS {
            let looked = Looked { hz, deviation_hz: hz.map(|hz| 0.0175 * hz), hop };
            for (i, sign) in [(0, 1.0), (0, -1.0), (1, 1.0), (1, -1.0)] {
                let mut off_hz = [0.0; 2];
                off_hz[i] = sign * 0.035 * hz[i];
                let (seen, _) = seen_of(&looked, off_hz, [0.1, 0.1]);
                assert!(fit(&looked, &seen).is_none(), "{hz:?} {off_hz:?}");
            }
        }
    }
}
