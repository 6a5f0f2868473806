//! Tones out of numbers: sines, national tones with their cadence, DTMF keys, noise.
//!
//! Everything here is `Copy`-small and allocates nothing: a source is made on the real-time path when a
//! play starts and asked for eight samples a millisecond. Oscillators keep their phase over the steps of a
//! cadence, so a tone that changes level or modulation has no click of its own making.
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

use tdm::{DOctets, Law, Rng, SAMPLE_RATE_HZ};

use crate::g711;
use crate::mf::Mf;

/// Frequencies one step of a tone may add together.
pub const TONE_PARTIALS_MAX: usize = 3;

/// A step of a tone: what sounds, how long.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Step {
    /// Added together, each at the same level; 0.0 is no tone. All 0.0: silence.
    pub hz: [f32; TONE_PARTIALS_MAX],
    /// The frequency that modulates the amplitude (depth 80 %), 0.0 for none.
    pub am_hz: f32,
    /// Quieter than the tone's level by so many dB.
    pub quieter_db: f32,
    /// How long; `None` is without end.
    pub millis: Option<u32>,
}

impl Step {
    /// Whether nothing sounds in this step.
    pub fn is_silence(&self) -> bool {
        self.hz.iter().all(|&hz| hz <= 0.0)
    }
}

/// What follows the last step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// The step with this index, counted from 0.
    From(u8),
    /// Nothing: the tone is over.
    Once,
}

/// A tone: steps, what follows them, and a level. A plan's steps live as long as the process.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ToneSpec {
    /// In order.
    pub steps: &'static [Step],
    /// What follows.
    pub repeat: Repeat,
    /// The level of the whole signal, all partials together, in dBm0.
    pub level_dbm0: f32,
}

impl ToneSpec {
    /// The same tone at another level.
    #[must_use]
    pub const fn at_dbm0(self, level_dbm0: f32) -> Self {
        Self { level_dbm0, ..self }
    }
}

/// A sine oscillator: a 32-bit phase, of which a turn is the whole range.
#[derive(Clone, Copy, Debug, Default)]
pub struct Oscillator {
    phase: u32,
    increment: u32,
}

impl Oscillator {
    /// At `hz`, starting at phase zero. Above 4 kHz it folds, as sampling does.
    pub fn new(hz: f32) -> Self {
        let mut oscillator = Self::default();
        oscillator.tune(hz);
        oscillator
    }
    /// Changes the frequency and keeps the phase. A resolution of 2 µHz.
    pub fn tune(&mut self, hz: f32) {
        let turns = f64::from(hz) / SAMPLE_RATE_HZ as f64;
        self.increment = (turns * 4_294_967_296.0) as u64 as u32;
    }
    /// The next sample, ±1.0.
    #[inline]
    pub fn next_sample(&mut self) -> f32 {
        let phase = self.phase;
        self.phase = phase.wrapping_add(self.increment);
        sine(phase)
    }
}

/// The sine of `phase`, where 2³² is a turn. Error below 4·10⁻⁶: far under the steps of G.711.
#[inline]
pub fn sine(phase: u32) -> f32 {
    // Half turns, ±1.0, folded into the quarter where the series converges fast.
    let x = phase as i32 as f32 * (1.0 / 2_147_483_648.0);
    let x = if x > 0.5 {
        1.0 - x
    } else if x < -0.5 {
        -1.0 - x
    } else {
        x
    };
    let y = x * x;
    // The series of sin(πx) to the ninth power.
    x * (core::f32::consts::PI
        + y * (-5.167_713 + y * (2.550_164 + y * (-0.599_264_5 + y * 0.082_145_9))))
}

/// Plays a [`ToneSpec`].
#[derive(Clone, Copy, Debug)]
pub struct ToneSource {
    spec: ToneSpec,
    at: usize,
    /// Samples left in the step; `None` is without end.
    left: Option<u32>,
    partials: [Oscillator; TONE_PARTIALS_MAX],
    /// Peak of each partial in this step; 0.0 when it is silent.
    peaks: [f32; TONE_PARTIALS_MAX],
    modulator: Option<Oscillator>,
    over: bool,
}

impl ToneSource {
    /// From the first step on.
    pub fn new(spec: ToneSpec) -> Self {
        let mut source = Self {
            spec,
            at: 0,
            left: None,
            partials: [Oscillator::default(); TONE_PARTIALS_MAX],
            peaks: [0.0; TONE_PARTIALS_MAX],
            modulator: None,
            over: false,
        };
        source.enter(0);
        source
    }
    /// Whether the tone has come to its end; from then on it is silence.
    pub const fn is_over(&self) -> bool {
        self.over
    }
    /// The next sample, full scale ±1.0.
    #[inline]
    pub fn next_sample(&mut self) -> f32 {
        while self.left == Some(0) && !self.over {
            self.leave();
        }
        if self.over {
            return 0.0;
        }
        self.left = self.left.map(|n| n.saturating_sub(1));
        let mut sum = 0.0;
        for (partial, &peak) in self.partials.iter_mut().zip(&self.peaks) {
            if peak > 0.0 {
                sum += peak * partial.next_sample();
            }
        }
        match &mut self.modulator {
            Some(modulator) => sum * (0.6 + 0.4 * modulator.next_sample()),
            None => sum,
        }
    }
    /// The next millisecond as octets.
    pub fn fill(&mut self, octets: &mut DOctets, law: Law) {
        for octet in octets {
            *octet = g711::encode_f32(law, self.next_sample());
        }
    }

    fn leave(&mut self) {
        let next = self.at.saturating_add(1);
        if next < self.spec.steps.len() {
            return self.enter(next);
        }
        match self.spec.repeat {
            // A loop whose steps all last no time would never come back from here.
            Repeat::From(to) if self.lasts_from(usize::from(to)) => self.enter(usize::from(to)),
            Repeat::From(_) | Repeat::Once => self.over = true,
        }
    }
    fn lasts_from(&self, from: usize) -> bool {
        self.spec.steps.iter().skip(from).any(|step| step.millis != Some(0))
    }
    fn enter(&mut self, index: usize) {
        let Some(step) = self.spec.steps.get(index).copied() else {
            self.over = true;
            return;
        };
        self.at = index;
        self.left = step.millis.map(|millis| millis.saturating_mul(8));
        let count = step.hz.iter().filter(|&&hz| hz > 0.0).count().max(1) as f32;
        let level_dbm0 = self.spec.level_dbm0 - step.quieter_db;
        let peak = g711::peak_of_dbm0(level_dbm0) / count.sqrt();
        for ((partial, at), hz) in self.partials.iter_mut().zip(&mut self.peaks).zip(step.hz) {
            *at = if hz > 0.0 { peak } else { 0.0 };
            partial.tune(hz);
        }
        self.modulator = (step.am_hz > 0.0).then(|| {
            self.modulator.map_or_else(
                || Oscillator::new(step.am_hz),
                |mut running| {
                    running.tune(step.am_hz);
                    running
                },
            )
        });
    }
}

/// The keys, in the order of Q.23's table: rows are low tones, columns high ones.
pub const DTMF_KEYS: [u8; 16] = *b"123A456B789C*0#D";
/// The low group. Q.23, §5.
pub const DTMF_LOW_HZ: [f32; 4] = [697.0, 770.0, 852.0, 941.0];
/// The high group. Q.23, §5.
pub const DTMF_HIGH_HZ: [f32; 4] = [1209.0, 1336.0, 1477.0, 1633.0];

/// One DTMF key: its two tones, then a pause.
#[derive(Clone, Copy, Debug)]
pub struct DtmfSource {
    low: Oscillator,
    high: Oscillator,
    low_peak: f32,
    high_peak: f32,
    on: u32,
    off: u32,
}

impl DtmfSource {
    /// The low and the high frequency of a key in Hz; `None` when there is no such key.
    pub fn tones_of(key: u8) -> Option<(f32, f32)> {
        let at = DTMF_KEYS.iter().position(|&k| k == key.to_ascii_uppercase())?;
        Some((*DTMF_LOW_HZ.get(at >> 2)?, *DTMF_HIGH_HZ.get(at & 3)?))
    }
    /// `key` (`0-9 A-D * #`) for `on_millis`, then silence for `off_millis`, each tone at `level_dbm0`.
    pub fn new(key: u8, on_millis: u32, off_millis: u32, level_dbm0: f32) -> Option<Self> {
        let (low, high) = Self::tones_of(key)?;
        Some(Self::from_hz([low, high], [level_dbm0; 2], on_millis, off_millis))
    }
    /// A register signal of R2 or R1, 1 to 15, each tone at `level_dbm0` (R2 asks for −11.5 ± 1, Q.454).
    pub fn mf(
        system: Mf,
        signal: u8,
        on_millis: u32,
        off_millis: u32,
        level_dbm0: f32,
    ) -> Option<Self> {
        let hz = system.tones_of(signal)?;
        Some(Self::from_hz(hz, [level_dbm0; 2], on_millis, off_millis))
    }
    /// Any two tones, each at its own level: for other signalling, and for tests of tolerance.
    pub fn from_hz(hz: [f32; 2], level_dbm0: [f32; 2], on_millis: u32, off_millis: u32) -> Self {
        let [low, high] = hz.map(Oscillator::new);
        let [low_peak, high_peak] = level_dbm0.map(g711::peak_of_dbm0);
        let [on, off] = [on_millis, off_millis].map(|millis| millis.saturating_mul(8));
        Self { low, high, low_peak, high_peak, on, off }
    }
    /// Whether key and pause are over.
    pub const fn is_over(&self) -> bool {
        self.on == 0 && self.off == 0
    }
    /// The next sample, full scale ±1.0.
    #[inline]
    pub fn next_sample(&mut self) -> f32 {
        if self.on > 0 {
            self.on = self.on.saturating_sub(1);
            return self.low_peak * self.low.next_sample()
                + self.high_peak * self.high.next_sample();
        }
        self.off = self.off.saturating_sub(1);
        0.0
    }
    /// The next millisecond as octets.
    pub fn fill(&mut self, octets: &mut DOctets, law: Law) {
        for octet in octets {
            *octet = g711::encode_f32(law, self.next_sample());
        }
    }
}

/// White noise with a normal distribution.
#[derive(Clone, Debug)]
pub struct NoiseSource {
    rng: Rng,
    rms: f32,
}

impl NoiseSource {
    /// Noise of `level_dbm0` over the whole band to 4 kHz.
    pub fn new(rng: Rng, level_dbm0: f32) -> Self {
        Self { rng, rms: g711::peak_of_dbm0(level_dbm0) * core::f32::consts::FRAC_1_SQRT_2 }
    }
    /// The next sample, full scale ±1.0.
    pub fn next_sample(&mut self) -> f32 {
        self.rng.normal() as f32 * self.rms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level_dbm0(mut next: impl FnMut() -> f32, samples: usize) -> f32 {
        let square: f32 = (0..samples).map(|_| next().powi(2)).sum::<f32>() / samples as f32;
        g711::dbm0_of_mean_square(square)
    }

    #[test]
    fn the_sine_is_a_sine_over_the_whole_turn() {
        for i in 0..100_000_u32 {
            let phase = i.wrapping_mul(42_949);
            let exact = (f64::from(phase) / 4_294_967_296.0 * core::f64::consts::TAU).sin();
            assert!((f64::from(sine(phase)) - exact).abs() < 4e-6, "{phase}");
        }
    }

    #[test]
    fn a_tone_keeps_its_level_whether_it_has_one_partial_or_two() {
        static ONE: [Step; 1] =
            [Step { hz: [450.0, 0.0, 0.0], am_hz: 0.0, quieter_db: 0.0, millis: None }];
        static TWO: [Step; 1] =
            [Step { hz: [440.0, 480.0, 0.0], am_hz: 0.0, quieter_db: 0.0, millis: None }];
        for steps in [&ONE, &TWO] {
            let spec = ToneSpec { steps, repeat: Repeat::From(0), level_dbm0: -10.0 };
            let mut source = ToneSource::new(spec);
            let level = level_dbm0(|| source.next_sample(), 8000);
            assert!((level + 10.0).abs() < 0.05, "{level}");
        }
    }

    #[test]
    fn a_cadence_is_kept_to_the_sample_and_over_the_loop() {
        static BUSY: [Step; 2] = [
            Step { hz: [450.0, 0.0, 0.0], am_hz: 0.0, quieter_db: 0.0, millis: Some(350) },
            Step { hz: [0.0; 3], am_hz: 0.0, quieter_db: 0.0, millis: Some(350) },
        ];
        let spec = ToneSpec { steps: &BUSY, repeat: Repeat::From(0), level_dbm0: -10.0 };
        let mut source = ToneSource::new(spec);
        for turn in 0..5 {
            let on = level_dbm0(|| source.next_sample(), 350 * 8);
            let off = level_dbm0(|| source.next_sample(), 350 * 8);
            assert!(on > -10.5 && off < -80.0, "turn {turn}: {on} {off}");
        }
        let mut once = ToneSource::new(ToneSpec { repeat: Repeat::Once, ..spec });
        for _ in 0..700 * 8 {
            assert!(!once.is_over());
            once.next_sample();
        }
        assert_eq!(once.next_sample(), 0.0);
        assert!(once.is_over());
    }

    #[test]
    fn a_loop_without_duration_ends_instead_of_hanging() {
        static NOTHING: [Step; 1] =
            [Step { hz: [450.0, 0.0, 0.0], am_hz: 0.0, quieter_db: 0.0, millis: Some(0) }];
        for steps in [&NOTHING[..], &[]] {
            for repeat in [Repeat::From(0), Repeat::From(9), Repeat::Once] {
                let mut source = ToneSource::new(ToneSpec { steps, repeat, level_dbm0: 0.0 });
                assert_eq!(source.next_sample(), 0.0);
                assert!(source.is_over());
            }
        }
    }

    #[test]
    fn a_key_has_both_its_tones_at_the_level_asked_for() {
        let mut key = DtmfSource::new(b'#', 50, 50, -7.0).unwrap();
        let on = level_dbm0(|| key.next_sample(), 400);
        let off = level_dbm0(|| key.next_sample(), 400);
        assert!((on + 7.0 - 3.01).abs() < 0.2, "{on}");
        assert!(off < -80.0 && key.is_over());
        assert_eq!(DtmfSource::tones_of(b'a'), Some((697.0, 1633.0)));
        assert!(DtmfSource::new(b'x', 50, 50, -7.0).is_none());
    }

    #[test]
    fn noise_has_its_level() {
        let mut noise = NoiseSource::new(Rng::from_seed(1), -20.0);
        let level = level_dbm0(|| noise.next_sample(), 80_000);
        assert!((level + 20.0).abs() < 0.1, "{level}");
    }
}
