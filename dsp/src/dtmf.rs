//! DTMF receiver. Q.23, Q.24, ES 201 235-3.
//!
//! | | accepted | refused |
//! |---|---|---|
//! | frequency of each tone | ±1.5 % (Q.24, table A-1) | from ±3.5 % |
//! | level of each tone | 0 … −45 dBm0 | below −48 dBm0 |
//! | low tone over high tone | −4.5 … +8.5 dB | beyond −12 / +14 dB |
//! | on-time | from 40 ms | up to 20 ms |
//! | pause between equal keys | from 25 ms | an interruption up to 10 ms is bridged |
//! | dial tone (350 to 450 Hz), mains hum | each component as loud as each tone; +12 dB | |
//! | white noise, both tones over noise | from 8 dB | |
//!
//! How: a high-pass takes dial tone and hum away; eight carriers turn each millisecond into a complex
//! subtotal per tone, for eight lanes at a time. Leaky sums of these say cheaply *whether two tones may be
//! there*; a lane where they may have been for 22 ms gets the exact test over the last 28 ms, from the same
//! subtotals: each tone's frequency by its phase, its steadiness over four quarters, both levels, and what
//! is left of the energy when both are taken out. What may be left is judged against the noise *before* the
//! key: quiet before means little may be left, which is what keeps speech out.
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

use crate::g711;
use crate::generate::{DTMF_HIGH_HZ, DTMF_KEYS, DTMF_LOW_HZ};
use crate::lanes::{GROUPS, Rows, V, WIDTH};

/// The eight tones: four low, four high.
const TONES: usize = 8;
/// Milliseconds of the exact test.
const WINDOW: usize = 28;
/// Quarters of the window, for frequency and steadiness.
const QUARTERS: usize = 4;
const QUARTER: usize = WINDOW / QUARTERS;
const _: () = assert!(WINDOW.is_multiple_of(QUARTERS));

/// Milliseconds two tones must have been possible before the exact test is worth its time.
const POSSIBLE_MILLIS: u16 = 22;
/// Milliseconds without the key after which it was let go: bridges 10, tells 25 apart. Q.24.
const RELEASE_MILLIS: u8 = 17;
/// Milliseconds whose sum says whether a held key is still there.
const HOLD_WINDOW: usize = 6;

/// Leak of the cheap sums a millisecond: a time constant of 6 ms.
const LEAK: f32 = 0.85;
/// Share of the energy two tones must have to be possible. Offset tones lose half in the leaky sum.
const POSSIBLE_SHARE: f32 = 0.35;
/// Share each of the two must have.
const POSSIBLE_EACH: f32 = 0.02;
/// The deviation that is refused, between 1.5 and 3.5 %.
const DEVIATION_MAX: f32 = 0.0245;
/// The lowest level of a tone that is taken, between −45 and −48 dBm0.
const LEVEL_MIN_DBM0: f32 = -46.3;
/// The low tone may be so many dB louder (8.5 must be, 14 must not), or the high tone (4.5, 14).
const TWIST_LOW_DB: f32 = 10.5;
const TWIST_HIGH_DB: f32 = 7.5;
/// How far a quarter may lie from where the whole window says, as a share of it: always, and for each
/// deviation that the noise in the window explains, and for what a quarter hears of the other tone.
const WOBBLE: f32 = 0.08;
const WOBBLE_OVER_NOISE: f32 = 3.2;
const WOBBLE_OVER_OTHER: f32 = 0.07;
/// What may be left of the energy: always, in noise, and over the noise before.
const LEFT_QUIET: f32 = 0.075;
const LEFT_MAX: f32 = 0.21;
const LEFT_OVER_NOISE: f32 = 1.8;
/// What may be below the high-pass, as a share of the keys' energy, and over what was there before.
const BELOW_QUIET: f32 = 0.10;
const BELOW_OVER_BEFORE: f32 = 1.8;
/// Louder noise before than this, and more below the high-pass than this, and it is music. So is some of all
/// three: noise may lie over a key, a dial tone under it, its tones may be of unequal level, each up to its
/// limit, but they share one budget. Twist counts from 4 dB on and would use it up at 12 dB.
const NOISE_MAX: f32 = 0.21;
const BELOW_MAX: f32 = 1.5;
const TWIST_FREE_DB: f32 = 4.0;
const TWIST_SPAN_DB: f32 = 8.0;
/// The noise before is the least energy of a millisecond, averaged with these leaks: 12 ms above the high-pass, 33 ms
/// below it, where hum and the beat of a dial tone must not show …
const NOISE_LEAK: [f32; 2] = [0.92, 0.97];
/// … and forgotten by a factor of two in 250 ms. A voice has gaps in that time, noise and dial tone none.
const NOISE_RISE: f32 = 1.0028;
/// What it is at first: noise of −11 dBm0.
const NOISE_START: f32 = 0.08;

/// The echo of a key that was let go: at most this share of its amplitude, and known so many milliseconds
/// after the release. A new key after the shortest pause is known later.
const ECHO_SHARE: f32 = 0.5;
const ECHO_MILLIS: u8 = 35;

/// Elliptic high-pass of 4th order, 0.3 dB ripple from 670 Hz, 35 dB down below 460 Hz, as two sections
/// b0 b1 b2 a1 a2. 99 % of its energy is over in 2 ms.
const HIGH_PASS: [[f32; 5]; 2] = [
    [0.537_062_1, -1.062_053_8, 0.537_062_1, -1.064_930_5, 0.379_814_87],
    [1.0, -1.893_794_1, 1.0, -1.646_479_8, 0.875_418_2],
];

/// Butterworth high-pass of 2nd order at 200 Hz: mains hum is 24 dB down before the energy is measured.
const HUM_PASS: [f32; 5] = [0.894_858_6, -1.789_717_2, 0.894_858_6, -1.778_631_8, 0.800_802_65];

/// The carriers of all lanes: where they stand at the start of this millisecond.
#[derive(Debug)]
pub struct Carriers {
    /// Cosine and sine of each tone at each sample of a millisecond, from phase 0.
    waves: [[(f32, f32); SAMPLES]; TONES],
    /// How each tone turns in a millisecond.
    turns: [(f64, f64); TONES],
    /// The phase at the start of the millisecond, as (cosine, sine).
    phases: [(f64, f64); TONES],
    /// Milliseconds since the phases were exact. Every tone is a whole number of Hz.
    age: u16,
}

impl Carriers {
    /// At phase zero.
    pub fn new() -> Self {
        let hz: [f32; TONES] = core::array::from_fn(tone_hz);
        let unit = |turns: f64| {
            let (sin, cos) = (turns * core::f64::consts::TAU).sin_cos();
            (cos, sin)
        };
        let mut waves = [[(0.0, 0.0); SAMPLES]; TONES];
        for (tone, &hz) in waves.iter_mut().zip(&hz) {
            for (n, wave) in tone.iter_mut().enumerate() {
                let (cos, sin) = unit(f64::from(hz) * n as f64 / 8000.0);
                *wave = (cos as f32, sin as f32);
            }
        }
        let turns = hz.map(|hz| unit(f64::from(hz) / 1000.0));
        Self { waves, turns, phases: [(1.0, 0.0); TONES], age: 0 }
    }
    /// One millisecond later.
    pub fn advance(&mut self) {
        self.age = self.age.wrapping_add(1);
        if self.age == 1000 {
            // After a second every tone has made whole turns: no error ever adds up.
            (self.age, self.phases) = (0, [(1.0, 0.0); TONES]);
            return;
        }
        for (phase, turn) in self.phases.iter_mut().zip(&self.turns) {
            *phase = (phase.0 * turn.0 - phase.1 * turn.1, phase.0 * turn.1 + phase.1 * turn.0);
        }
    }
}

impl Default for Carriers {
    fn default() -> Self {
        Self::new()
    }
}

fn tone_hz(tone: usize) -> f32 {
    let high = DTMF_HIGH_HZ.get(tone.wrapping_sub(4));
    DTMF_LOW_HZ.get(tone).or(high).copied().unwrap_or_default()
}

/// A millisecond of eight lanes.
#[derive(Clone, Copy, Debug)]
struct Milli {
    /// Σ y·e^(−jωt) of each tone, as real and imaginary part.
    sums: [(V, V); TONES],
    /// Energy above the high-pass.
    above: V,
    /// Energy below it.
    below: V,
}

impl Milli {
    const SILENT: Self = Self { sums: [(V::ZERO, V::ZERO); TONES], above: V::ZERO, below: V::ZERO };
}

/// What a lane says about keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// Recognised; still down.
    Down(u8),
    /// Let go.
    Up(u8),
}

/// A key that is down.
#[derive(Clone, Copy, Debug)]
struct Held {
    index: usize,
    /// Amplitude of each tone's sum over a millisecond when it was recognised.
    sums: [f32; 2],
    absent_millis: u8,
}

/// A key that was let go a moment ago; its echo may still come.
#[derive(Clone, Copy, Debug)]
struct Released {
    index: usize,
    sums: [f32; 2],
    millis: u8,
}

impl Released {
    const NOTHING: Self = Self { index: 0, sums: [0.0; 2], millis: u8::MAX };
}

/// The noise of eight lanes as it was before anything louder came: energy a millisecond.
#[derive(Clone, Copy, Debug)]
struct Noise {
    mean: V,
    least: V,
}

impl Noise {
    /// What was before the lane was listened to may have been anything: this takes 0.1 s to forget.
    const UNKNOWN: Self = Self { mean: V::splat(NOISE_START), least: V::splat(NOISE_START) };

    #[inline(always)]
    fn take(&mut self, energy: V, leak: f32) {
        self.mean = self.mean.scaled(leak).plus(energy.scaled(1.0 - leak));
        self.least = self.least.scaled(NOISE_RISE).zip(self.mean, f32::min);
        // A floor that rises by a factor must not start from nothing.
        self.least = self.least.zip(V::splat(1e-9), f32::max);
    }
}

/// The receivers of eight lanes.
#[derive(Debug)]
pub struct Receivers {
    filters: [[V; 2]; 2],
    hum_filter: [V; 2],
    leaky: [(V, V); TONES],
    leaky_energy: V,
    /// Above and below the high-pass.
    noise: [Noise; 2],
    kept: [Milli; WINDOW],
    /// Where the next millisecond goes.
    at: usize,
    /// The pair that is possible in each lane, as 4 · low + high, and since how many milliseconds.
    pair: [u8; WIDTH],
    possible_millis: [u16; WIDTH],
    held: [Option<Held>; WIDTH],
    released: [Released; WIDTH],
}

impl Default for Receivers {
    fn default() -> Self {
        Self {
            filters: [[V::ZERO; 2]; 2],
            hum_filter: [V::ZERO; 2],
            leaky: [(V::ZERO, V::ZERO); TONES],
            leaky_energy: V::ZERO,
            noise: [Noise::UNKNOWN; 2],
            kept: [Milli::SILENT; WINDOW],
            at: 0,
            pair: [0; WIDTH],
            possible_millis: [0; WIDTH],
            held: [None; WIDTH],
            released: [Released::NOTHING; WIDTH],
        }
    }
}

impl Receivers {
    /// Starts a lane anew: no key is down, nothing was heard.
    pub fn forget(&mut self, lane: usize) {
        let clear = |v: &mut V| {
            if let Some(x) = v.0.get_mut(lane) {
                *x = 0.0;
            }
        };
        self.filters.iter_mut().flatten().chain(&mut self.hum_filter).for_each(clear);
        self.leaky.iter_mut().for_each(|(re, im)| (clear(re), clear(im)).0);
        clear(&mut self.leaky_energy);
        for noise in &mut self.noise {
            for v in [&mut noise.mean, &mut noise.least] {
                if let Some(x) = v.0.get_mut(lane) {
                    *x = NOISE_START;
                }
            }
        }
        for milli in &mut self.kept {
            milli.sums.iter_mut().for_each(|(re, im)| (clear(re), clear(im)).0);
            clear(&mut milli.above);
            clear(&mut milli.below);
        }
        if let Some(millis) = self.possible_millis.get_mut(lane) {
            *millis = 0;
        }
        if let Some(held) = self.held.get_mut(lane) {
            *held = None;
        }
        if let Some(released) = self.released.get_mut(lane) {
            *released = Released::NOTHING;
        }
    }

    /// Takes a millisecond of group `group`. The vector part: no branch on the signal.
    #[inline(always)]
    pub fn take(&mut self, carriers: &Carriers, rows: &Rows, group: usize) {
        let milli = self.demodulate(carriers, rows, group);
        self.weigh(&milli);
        let energies = [milli.above, milli.below];
        for ((noise, energy), leak) in self.noise.iter_mut().zip(energies).zip(NOISE_LEAK) {
            noise.take(energy, leak);
        }
        if let Some(slot) = self.kept.get_mut(self.at) {
            *slot = milli;
        }
        self.at = self.at.wrapping_add(1);
        if self.at >= WINDOW {
            self.at = 0;
        }
    }

    #[inline(always)]
    fn demodulate(&mut self, carriers: &Carriers, rows: &Rows, group: usize) -> Milli {
        let mut sums = [(V::ZERO, V::ZERO); TONES];
        let (mut above, mut all) = (V::ZERO, V::ZERO);
        let mut samples = [V::ZERO; SAMPLES];
        for (row, sample) in rows.iter().zip(&mut samples) {
            let x = row.get(group).copied().unwrap_or(V::ZERO);
            let hearable = filter(&mut self.hum_filter, HUM_PASS, x);
            all = all.plus(hearable.times(hearable));
            let mut y = x;
            for (state, section) in self.filters.iter_mut().zip(HIGH_PASS) {
                y = filter(state, section, y);
            }
            above = above.plus(y.times(y));
            *sample = y;
        }
        let tones = carriers.waves.iter().zip(&carriers.phases);
        for (sum, (waves, &(cos, sin))) in sums.iter_mut().zip(tones) {
            let (mut re, mut im) = (V::ZERO, V::ZERO);
            for (y, &(cos, sin)) in samples.iter().zip(waves) {
                re = re.plus(y.scaled(cos));
                im = im.minus(y.scaled(sin));
            }
            let (cos, sin) = (cos as f32, sin as f32);
            *sum = (re.scaled(cos).plus(im.scaled(sin)), im.scaled(cos).minus(re.scaled(sin)));
        }
        Milli { sums, above, below: all.minus(above) }
    }

    /// Updates the leaky sums, and in which lanes which pair is possible since when.
    #[inline(always)]
    fn weigh(&mut self, milli: &Milli) {
        // A silent line must not keep tiny leftovers of what was: they would slow the CPU down.
        const FLOOR: V = V::splat(1e-12);
        self.leaky_energy = self.leaky_energy.scaled(LEAK).plus(milli.above).plus(FLOOR);
        let mut best = [V::ZERO; 2];
        let mut index = [V::ZERO; 2];
        let groups = self.leaky.chunks_exact_mut(4).zip(milli.sums.chunks_exact(4));
        for ((leaky, sums), (best, index)) in groups.zip(best.iter_mut().zip(&mut index)) {
            for (tone, ((re, im), sum)) in leaky.iter_mut().zip(sums).enumerate() {
                *re = re.scaled(LEAK).plus(sum.0);
                *im = im.scaled(LEAK).plus(sum.1);
                let power = re.times(*re).plus(im.times(*im));
                let lanes = best.0.iter_mut().zip(&mut index.0).zip(power.0);
                for ((best, index), power) in lanes {
                    let better = power > *best;
                    *best = if better { power } else { *best };
                    *index = if better { tone as f32 } else { *index };
                }
            }
        }
        // A lone tone of peak A: |leaky|² = 16A²/(1 − leak)², leaky energy = 4A²/(1 − leak).
        const SCALE: f32 = (1.0 - LEAK) / 4.0;
        let [low, high] = best;
        let [low_index, high_index] = index;
        let lanes = self.pair.iter_mut().zip(&mut self.possible_millis);
        let powers = low.0.iter().zip(high.0).zip(self.leaky_energy.0);
        let indices = low_index.0.iter().zip(high_index.0);
        for (((pair, millis), ((&low, high), energy)), (&li, hi)) in lanes.zip(powers).zip(indices)
        {
            let (low, high) = (low * SCALE, high * SCALE);
            let is_possible = low + high > POSSIBLE_SHARE * energy
                && low > POSSIBLE_EACH * energy
                && high > POSSIBLE_EACH * energy
                // A tone of −51 dBm0 leaves 26.7 times its squared peak in the leaky sum.
                && energy > 1e-4;
            let now = (4.0 * li + hi) as u8;
            let is_same = now == *pair;
            *pair = now;
            *millis = match (is_possible, is_same) {
                (true, true) => millis.saturating_add(1),
                (true, false) => 1,
                _ => 0,
            };
        }
    }

    /// What the lane has to say after [`Receivers::take`]; at most one thing a millisecond, because a key
    /// that replaces another says [`Key::Up`] for the old one through `also`.
    pub fn key(&mut self, lane: usize, mut say: impl FnMut(Key)) {
        let millis = self.possible_millis.get(lane).copied().unwrap_or_default();
        if let Some(released) = self.released.get_mut(lane) {
            released.millis = released.millis.saturating_add(1);
        }
        let held = self.held.get(lane).copied().flatten();
        if millis < POSSIBLE_MILLIS && held.is_none() {
            return;
        }
        let mut held = held.and_then(|held| {
            let held = self.still_held(lane, held);
            if held.absent_millis >= RELEASE_MILLIS {
                say(Key::Up(key_of(held.index)));
                self.release(lane, held);
                return None;
            }
            Some(held)
        });
        if millis >= POSSIBLE_MILLIS {
            let pair = usize::from(self.pair.get(lane).copied().unwrap_or_default());
            let is_down = held.is_some_and(|held| held.index == pair);
            if !is_down
                && let Some(sums) = self.verify(lane, pair)
                && !self.is_echo(lane, pair, sums)
            {
                if let Some(old) = held {
                    say(Key::Up(key_of(old.index)));
                    self.release(lane, old);
                }
                say(Key::Down(key_of(pair)));
                held = Some(Held { index: pair, sums, absent_millis: 0 });
            }
        }
        if let Some(slot) = self.held.get_mut(lane) {
            *slot = held;
        }
    }

    fn release(&mut self, lane: usize, held: Held) {
        if let Some(released) = self.released.get_mut(lane) {
            *released = Released { index: held.index, sums: held.sums, millis: 0 };
        }
    }
    /// The same key again, at once and much weaker, is its echo from the far end.
    fn is_echo(&self, lane: usize, pair: usize, sums: [f32; 2]) -> bool {
        self.released.get(lane).is_some_and(|released| {
            released.index == pair
                && released.millis <= ECHO_MILLIS
                && sums.iter().zip(&released.sums).all(|(now, was)| *now < ECHO_SHARE * was)
        })
    }

    /// The milliseconds before now, the latest first.
    fn latest(&self) -> impl Iterator<Item = &Milli> {
        let (newer, older) = self.kept.split_at_checked(self.at).unwrap_or_default();
        newer.iter().rev().chain(older.iter().rev())
    }

    fn still_held(&self, lane: usize, held: Held) -> Held {
        let is_there = |tone: usize, was: f32| {
            let mut sum = (0.0, 0.0);
            for milli in self.latest().take(HOLD_WINDOW) {
                if let Some((re, im)) = milli.sums.get(tone) {
                    sum = (sum.0 + re.lane(lane), sum.1 + im.lane(lane));
                }
            }
            let was = was * HOLD_WINDOW as f32;
            sum.0 * sum.0 + sum.1 * sum.1 > 0.25 * was * was
        };
        let [low, high] = held.sums;
        let is_down =
            is_there(held.index >> 2, low) && is_there((held.index & 3).saturating_add(4), high);
        let absent_millis = if is_down { 0 } else { held.absent_millis.saturating_add(1) };
        Held { absent_millis, ..held }
    }

    /// The exact test of `pair` over the last 28 ms. Returns the amplitude of each tone's sum over 1 ms.
    fn verify(&self, lane: usize, pair: usize) -> Option<[f32; 2]> {
        let low = self.measure(lane, pair >> 2)?;
        let high = self.measure(lane, (pair & 3).saturating_add(4))?;
        if low.level_dbm0.min(high.level_dbm0) < LEVEL_MIN_DBM0 {
            return None;
        }
        let twist_db = low.level_dbm0 - high.level_dbm0;
        if !(-TWIST_HIGH_DB..=TWIST_LOW_DB).contains(&twist_db) {
            return None;
        }
        let (mut above, mut below) = (0.0, 0.0);
        for milli in &self.kept {
            above += milli.above.lane(lane);
            below += milli.below.lane(lane);
        }
        let [above_before, below_before] =
            self.noise.each_ref().map(|noise| noise.least.lane(lane) * WINDOW as f32);
        let keys = low.energy + high.energy;
        let left = above - keys;
        let twisted = ((twist_db.abs() - TWIST_FREE_DB) / TWIST_SPAN_DB).max(0.0);
        let allowed = (LEFT_QUIET * keys + LEFT_OVER_NOISE * above_before).min(LEFT_MAX * keys);
        let is_steady = |tone: &Measured, other: &Measured| {
            let quarter_samples = QUARTER.wrapping_mul(SAMPLES) as f32;
            let noise = (2.0 * left.max(0.0) / (quarter_samples * tone.energy)).sqrt();
            tone.wobble
                <= WOBBLE + WOBBLE_OVER_NOISE * noise + WOBBLE_OVER_OTHER * other.sum / tone.sum
        };
        let is_key = left <= allowed
            && (left <= LEFT_QUIET * keys || above_before <= NOISE_MAX * keys)
            && left / LEFT_MAX + below / BELOW_MAX + keys * twisted <= keys
            && below <= BELOW_QUIET * keys + BELOW_OVER_BEFORE * below_before
            && is_steady(&low, &high)
            && is_steady(&high, &low);
        is_key.then_some([low.sum, high.sum])
    }

    /// Frequency, steadiness and energy of one tone in the last 28 ms; `None` when it is off its frequency.
    fn measure(&self, lane: usize, tone: usize) -> Option<Measured> {
        let mut quarters = [(0.0_f32, 0.0_f32); QUARTERS];
        let mut latest = self.latest();
        for quarter in quarters.iter_mut().rev() {
            for milli in latest.by_ref().take(QUARTER) {
                let (re, im) = milli.sums.get(tone)?;
                *quarter = (quarter.0 + re.lane(lane), quarter.1 + im.lane(lane));
            }
        }
        // How far the phase moves from one quarter to the next, on the average.
        let mut turn = (0.0, 0.0);
        for pair in quarters.windows(2) {
            if let [a, b] = pair {
                turn = (turn.0 + b.0 * a.0 + b.1 * a.1, turn.1 + b.1 * a.0 - b.0 * a.1);
            }
        }
        let step = turn.1.atan2(turn.0);
        let offset_hz = step / (core::f32::consts::TAU * 1e-3 * QUARTER as f32);
        if offset_hz.abs() > DEVIATION_MAX * tone_hz(tone) {
            return None;
        }
        // Turned back by that, the quarters add up in phase.
        let (sin, cos) = step.sin_cos();
        let mut sum = (0.0_f32, 0.0_f32);
        for (re, im) in quarters.iter().rev() {
            // Horner: sum = q0 + e^(-jstep)·(q1 + e^(-jstep)·(q2 + …)).
            sum = (sum.0 * cos + sum.1 * sin + re, sum.1 * cos - sum.0 * sin + im);
        }
        let amplitude = sum.0.hypot(sum.1);
        // Where each quarter should be is the mean, turned on by one step a quarter.
        let quarters_count = QUARTERS as f32;
        let mut expected = (sum.0 / quarters_count, sum.1 / quarters_count);
        let mut wobble = 0.0_f32;
        for (re, im) in quarters {
            wobble = wobble.max((re - expected.0).hypot(im - expected.1));
            expected = (expected.0 * cos - expected.1 * sin, expected.0 * sin + expected.1 * cos);
        }
        let wobble = wobble * quarters_count / amplitude.max(1e-12);
        // Within a quarter an offset tone does not add up quite in phase: the loss is sin(x)/x.
        let half = 0.5 * step.abs();
        let loss = if half > 1e-3 { half.sin() / half } else { 1.0 };
        let amplitude = amplitude / loss;
        // A sine of peak A gives A/2 a sample here, and energy A²/2 a sample.
        let samples = (WINDOW.saturating_mul(SAMPLES)) as f32;
        let energy = 2.0 * amplitude * amplitude / samples;
        Some(Measured {
            energy,
            level_dbm0: g711::dbm0_of_mean_square(energy / samples),
            sum: amplitude / WINDOW as f32,
            wobble,
        })
    }
}

/// A sample through a second-order section b0 b1 b2 a1 a2.
#[inline(always)]
fn filter(state: &mut [V; 2], [b0, b1, b2, a1, a2]: [f32; 5], x: V) -> V {
    let [s1, s2] = *state;
    let y = x.scaled(b0).plus(s1);
    *state = [x.scaled(b1).minus(y.scaled(a1)).plus(s2), x.scaled(b2).minus(y.scaled(a2))];
    y
}

/// What the exact test knows of a tone.
struct Measured {
    /// Over the window.
    energy: f32,
    level_dbm0: f32,
    /// Amplitude of the sum over a millisecond.
    sum: f32,
    /// How far the worst quarter is from its place, as a share of its amplitude.
    wobble: f32,
}

fn key_of(pair: usize) -> u8 {
    DTMF_KEYS.get(pair).copied().unwrap_or_default()
}

/// All receivers of a span.
#[derive(Debug, Default)]
pub struct Span {
    /// One for each group of eight lanes.
    pub groups: [Receivers; GROUPS],
    /// Shared by all lanes.
    pub carriers: Carriers,
}
