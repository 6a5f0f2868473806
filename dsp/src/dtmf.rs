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
//! How: every 4 ms [`front`] turns what came into a complex amplitude of each tone and says cheaply, for all
//! lanes at a time, *whether two tones may be there*. A lane where they may have been for six hops gets the
//! exact test ([`pair`]) over the last 24 ms: each tone's frequency by its phase, its steadiness from hop to hop, both
//! levels, and what is left of the energy when both are taken out. What may be left is judged against the
//! noise *before* the key: quiet before means little may be left, which is what keeps speech out.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

mod front;

pub use front::Waves;
use front::{Front, Hop};

use crate::g711;
use crate::generate::{DTMF_HIGH_HZ, DTMF_KEYS, DTMF_LOW_HZ};
use crate::lanes::{Register, Rows, Simd, V};
pub use crate::pair::HOP_MILLIS;
use crate::pair::{self, Looked};

/// The eight tones: four low, four high.
const TONES: usize = 8;
/// Hops of the exact test, and so many before it that show how the tones began.
const WINDOW: usize = 6;
const BEFORE: usize = 8;
const KEPT: usize = WINDOW + BEFORE;

/// Hops two tones must have been possible before the exact test is worth its time.
const POSSIBLE_HOPS: f32 = 6.0;
/// Hops without the key after which it was let go: bridges 12 ms, tells 20 apart. Q.24.
const RELEASE_HOPS: u8 = 4;
/// Hops whose sum says whether a held key is still there.
const HOLD_HOPS: usize = 2;
/// And the share of its power that must be.
const HELD_SHARE: f32 = 0.25;

/// The deviation that is refused: no more than the standard asks for, because music is made of chords that are
/// off by two per cent.
const DEVIATION_MAX: f32 = 0.0175;
/// The lowest level of a tone that is taken, between −45 and −48 dBm0.
const LEVEL_MIN_DBM0: f32 = -46.3;
/// The low tone may be so many dB louder (8.5 must be, 14 must not), or the high tone (4.5, 14).
const TWIST_LOW_DB: f32 = 10.5;
const TWIST_HIGH_DB: f32 = 7.5;
/// How far a hop may lie from where the whole window says, as a share of it: always, and for each deviation
/// that the noise in the window explains.
const WOBBLE: f32 = 0.04;
const WOBBLE_OVER_NOISE: f32 = 3.2;
/// Noise does not leave when a key comes: with 80 degrees of freedom in the window, what is left is hardly ever
/// less than half of what was before. Where it is, something else sounded before, a chord perhaps, and what is
/// left explains no more than this. Less than a fiftieth of the key cannot be measured.
const NOISE_STAYS: f32 = 2.0;
const WOBBLE_OVER_REST: f32 = 1.5;
const LEFT_MEASURED: f32 = 0.02;
/// A key is switched: both its tones begin together. Where one stood there all the time before, with this share of
/// its peak, and the other had less than this in so many hops, it faded in, and no noise is an excuse.
const STOOD_SHARE: f32 = 0.6;
const WEAK_HOPS: usize = 2;
/// Share of the energy in a key's two tones, leaks and noise included, and of the stronger one's mean power in
/// its weakest hop, without which the exact test is no use.
const MAY_BE_SHARE: f32 = 0.7;
const MAY_BE_LEAST: f32 = 0.25;
/// How much more energy noise has in the window than it moves a hop's peak by, squared: 32 · 192 / 4.
const NOISE_TO_PEAK: f32 = 1536.0;
/// What may be left of the energy: always, in noise, and over the noise before.
const LEFT_QUIET: f32 = 0.06;
const LEFT_MAX: f32 = 0.235;
const LEFT_OVER_NOISE: f32 = 1.8;
/// What may be below the high-pass, as a share of the keys' energy, and over what was there before.
const BELOW_QUIET: f32 = 0.10;
const BELOW_OVER_BEFORE: f32 = 1.5;
/// Louder noise before than this, and more below the high-pass than this, and it is music. So is some of all
/// three: noise may lie over a key, a dial tone under it, its tones may be of unequal level, each up to its
/// limit, but they share one budget. Twist counts from 4 dB on and would use it up at 9.6 dB.
const NOISE_MAX: f32 = 0.235;
const BELOW_MAX: f32 = 1.5;
const TWIST_FREE_DB: f32 = 4.0;
const TWIST_SPAN_DB: f32 = 5.6;
/// The noise before is the least energy of a hop, averaged with these leaks: 12 ms above the high-pass, 33 ms
/// below it, where hum and the beat of a dial tone must not show …
const NOISE_LEAK: [f32; 2] = [0.716, 0.885];
/// … and forgotten by a factor of two in 250 ms. A voice has gaps in that time, noise and dial tone none.
const NOISE_RISE: f32 = 1.0112;
/// What it is at first: noise of −11 dBm0.
const NOISE_START: f32 = 0.32;

/// The echo of a key that was let go: at most this share of its amplitude, and known so many hops
/// after the release. A new key after the shortest pause is known later.
const ECHO_SHARE: f32 = 0.56;
const ECHO_HOPS: u32 = 6;

fn tone_hz(tone: usize) -> f32 {
    let high = DTMF_HIGH_HZ.get(tone.wrapping_sub(4));
    DTMF_LOW_HZ.get(tone).or(high).copied().unwrap_or_default()
}

/// The two tones of a pair, which is 4 · low + high.
fn tones_of(pair: usize) -> [usize; 2] {
    [pair >> 2, (pair & 3).wrapping_add(4)]
}

fn key_of(pair: usize) -> u8 {
    DTMF_KEYS.get(pair).copied().unwrap_or_default()
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
    pair: usize,
    /// Peak of each tone when it was recognised.
    peaks: [f32; 2],
    absent_hops: u8,
}

/// A key that was let go a moment ago, in the hop of this number; its echo may still come.
#[derive(Clone, Copy, Debug)]
struct Released {
    pair: usize,
    peaks: [f32; 2],
    hop: u32,
}

impl Released {
    /// A long time ago, with no amplitude that an echo could have a share of.
    const NOTHING: Self = Self { pair: 0, peaks: [0.0; 2], hop: 0 };
}

/// The noise of some lanes as it was before anything louder came: energy a hop.
#[derive(Clone, Copy, Debug)]
struct Noise<const W: usize> {
    mean: V<W>,
    least: V<W>,
}

impl<const W: usize> Noise<W> {
    /// What was before the lane was listened to may have been anything: this takes 0.1 s to forget.
    const UNKNOWN: Self = Self { mean: V::splat(NOISE_START), least: V::splat(NOISE_START) };

    #[inline(always)]
    fn take<S: Simd<W>>(&mut self, simd: S, energy: &V<W>, leak: f32) {
        let mean = simd.load(&self.mean).scaled(leak).plus(simd.load(energy).scaled(1.0 - leak));
        mean.store(&mut self.mean);
        // A floor that rises by a factor must not start from nothing.
        let least = simd.load(&self.least).scaled(NOISE_RISE).min(mean).max(simd.splat(4e-9));
        least.store(&mut self.least);
    }
}

/// The receivers of `W` lanes.
#[derive(Debug)]
pub struct Receivers<const W: usize> {
    front: Front<W>,
    /// Above and below the high-pass.
    noise: [Noise<W>; 2],
    kept: [Hop<W>; KEPT],
    /// Where the next hop goes, and how many there were.
    at: usize,
    hops: u32,
    held: [Option<Held>; W],
    released: [Released; W],
}

impl<const W: usize> Default for Receivers<W> {
    fn default() -> Self {
        Self {
            front: Front::default(),
            noise: [Noise::UNKNOWN; 2],
            kept: [Hop::SILENT; KEPT],
            at: 0,
            hops: 0,
            held: [None; W],
            released: [Released::NOTHING; W],
        }
    }
}

impl<const W: usize> Receivers<W> {
    /// Starts a lane anew: no key is down, nothing was heard.
    pub fn forget(&mut self, lane: usize) {
        self.front.forget(lane);
        for noise in &mut self.noise {
            noise.mean.set_lane(lane, NOISE_START);
            noise.least.set_lane(lane, NOISE_START);
        }
        self.kept.iter_mut().for_each(|hop| hop.forget(lane));
        if let Some(held) = self.held.get_mut(lane) {
            *held = None;
        }
        if let Some(released) = self.released.get_mut(lane) {
            *released = Released::NOTHING;
        }
    }

    /// Takes the latest hop, `rows` the oldest first, of vector `group` of the span. The vector part.
    #[inline(always)]
    pub fn take<S: Simd<W>>(
        &mut self,
        simd: S,
        waves: &Waves,
        rows: [&Rows; HOP_MILLIS],
        group: usize,
    ) {
        let at = self.at;
        self.at = at.wrapping_add(1) % KEPT;
        self.hops = self.hops.wrapping_add(1);
        let Some(hop) = self.kept.get_mut(at) else { return };
        self.front.take(simd, waves, rows, group, hop);
        let energies = [&hop.above, &hop.below];
        for ((noise, energy), leak) in self.noise.iter_mut().zip(energies).zip(NOISE_LEAK) {
            noise.take(simd, energy, leak);
        }
    }

    /// What the lane has to say after [`Receivers::take`]: one thing, or two where a key replaces another.
    pub fn key(&mut self, lane: usize, mut say: impl FnMut(Key)) {
        let is_possible = self.front.possible_hops.lane(lane) >= POSSIBLE_HOPS;
        let held = self.held.get(lane).copied().flatten();
        if !is_possible && held.is_none() {
            return;
        }
        let mut held = held.and_then(|held| {
            let held = self.still_held(lane, held);
            if held.absent_hops >= RELEASE_HOPS {
                say(Key::Up(key_of(held.pair)));
                self.release(lane, held);
                return None;
            }
            Some(held)
        });
        if is_possible {
            let pair = self.front.pair.lane(lane) as usize;
            let is_down = held.is_some_and(|held| held.pair == pair);
            if !is_down
                && let Some(peaks) = self.verify(lane, pair)
                && !self.is_echo(lane, pair, peaks)
            {
                if let Some(old) = held {
                    say(Key::Up(key_of(old.pair)));
                    self.release(lane, old);
                }
                say(Key::Down(key_of(pair)));
                held = Some(Held { pair, peaks, absent_hops: 0 });
            }
        }
        if let Some(slot) = self.held.get_mut(lane) {
            *slot = held;
        }
    }

    fn release(&mut self, lane: usize, held: Held) {
        if let Some(released) = self.released.get_mut(lane) {
            *released = Released { pair: held.pair, peaks: held.peaks, hop: self.hops };
        }
    }
    /// The same key again, at once and much weaker, is its echo from the far end.
    fn is_echo(&self, lane: usize, pair: usize, peaks: [f32; 2]) -> bool {
        self.released.get(lane).is_some_and(|released| {
            released.pair == pair
                && self.hops.wrapping_sub(released.hop) <= ECHO_HOPS
                && peaks.iter().zip(&released.peaks).all(|(now, was)| *now < ECHO_SHARE * was)
        })
    }

    /// Hops of these numbers, counted back from the latest.
    fn back(&self, numbers: core::ops::Range<usize>) -> impl DoubleEndedIterator<Item = &Hop<W>> {
        let latest = self.at.wrapping_add(KEPT).wrapping_sub(1);
        numbers.filter_map(move |back| self.kept.get(latest.wrapping_sub(back) % KEPT))
    }
    /// The hops of the window, the oldest first.
    fn window(&self) -> impl DoubleEndedIterator<Item = &Hop<W>> {
        self.back(0..WINDOW).rev()
    }

    /// What the window showed of a tone, the oldest first.
    fn seen(&self, lane: usize, tone: usize) -> [(f32, f32); WINDOW] {
        let mut seen = [(0.0, 0.0); WINDOW];
        for (seen, hop) in seen.iter_mut().zip(self.window()) {
            if let Some((re, im)) = hop.tones.get(tone) {
                *seen = (re.lane(lane), im.lane(lane));
            }
        }
        seen
    }

    fn still_held(&self, lane: usize, held: Held) -> Held {
        let is_there = |(tone, was): (usize, f32)| {
            let power: f32 = self
                .window()
                .rev()
                .take(HOLD_HOPS)
                .filter_map(|hop| hop.tones.get(tone))
                .map(|(re, im)| re.lane(lane).powi(2) + im.lane(lane).powi(2))
                .sum();
            power > HELD_SHARE * HOLD_HOPS as f32 * was * was
        };
        let is_down = tones_of(held.pair).into_iter().zip(held.peaks).all(is_there);
        let absent_hops = if is_down { 0 } else { held.absent_hops.saturating_add(1) };
        Held { absent_hops, ..held }
    }

    /// Whether the exact test is worth its time: two tones have most of the energy, and the stronger one
    /// sounds in every hop.
    fn may_be(&self, lane: usize, tones: [usize; 2]) -> bool {
        let (mut all, mut above) = (0.0, 0.0);
        let mut sums = [0.0_f32; 2];
        let mut least = [f32::MAX; 2];
        for hop in self.window() {
            above += hop.above.lane(lane);
            for ((sum, least), tone) in sums.iter_mut().zip(&mut least).zip(tones) {
                let Some((re, im)) = hop.tones.get(tone) else { return false };
                let power = re.lane(lane).powi(2) + im.lane(lane).powi(2);
                *sum += power;
                *least = least.min(power);
                all += power;
            }
        }
        let [low, high] = sums;
        let (sum, least) = if low > high { (low, least[0]) } else { (high, least[1]) };
        16.0 * all > MAY_BE_SHARE * above && least * WINDOW as f32 > MAY_BE_LEAST * sum
    }

    /// Whether one of two tones stood there before the window, while the other came and went or faded in.
    fn was_alone(&self, lane: usize, tones: [usize; 2], peaks: [f32; 2]) -> bool {
        let mut weak = [0_usize; 2];
        for hop in self.back(WINDOW..KEPT) {
            for ((weak, tone), peak) in weak.iter_mut().zip(tones).zip(peaks) {
                let power = hop
                    .tones
                    .get(tone)
                    .map_or(0.0, |(re, im)| re.lane(lane).powi(2) + im.lane(lane).powi(2));
                let is_weak = power < (STOOD_SHARE * peak).powi(2);
                *weak = weak.saturating_add(usize::from(is_weak));
            }
        }
        let [low, high] = weak;
        low.min(high) == 0 && low.max(high) >= WEAK_HOPS
    }

    /// The exact test of a pair over the last 24 ms. Returns the peak of each tone.
    fn verify(&self, lane: usize, key: usize) -> Option<[f32; 2]> {
        let [low, high] = tones_of(key);
        if !self.may_be(lane, [low, high]) {
            return None;
        }
        let hz = [tone_hz(low), tone_hz(high)];
        let deviation_hz = hz.map(|hz| DEVIATION_MAX * hz);
        let looked = Looked { hz, deviation_hz, hop: front::HOP as f32 };
        let fit = pair::fit(&looked, &[self.seen(lane, low), self.seen(lane, high)])?;
        let level_dbm0 =
            fit.tones.map(|tone| g711::dbm0_of_mean_square(0.5 * tone.peak * tone.peak));
        let [low_dbm0, high_dbm0] = level_dbm0;
        let twist_db = low_dbm0 - high_dbm0;
        if low_dbm0.min(high_dbm0) < LEVEL_MIN_DBM0
            || !(-TWIST_HIGH_DB..=TWIST_LOW_DB).contains(&twist_db)
        {
            return None;
        }
        let (mut above, mut below) = (0.0, 0.0);
        for hop in self.window() {
            above += hop.above.lane(lane);
            below += hop.below.lane(lane);
        }
        let [above_before, below_before] =
            self.noise.each_ref().map(|noise| noise.least.lane(lane) * WINDOW as f32);
        let keys = fit.energy;
        let left = above - keys;
        let twisted = ((twist_db.abs() - TWIST_FREE_DB) / TWIST_SPAN_DB).max(0.0);
        let allowed = (LEFT_QUIET * keys + LEFT_OVER_NOISE * above_before).min(LEFT_MAX * keys);
        // White noise of energy E in the window moves the peak of a hop by √(E/1536) on the average.
        let noise_peak = (left.max(0.0) / NOISE_TO_PEAK).sqrt();
        let is_noise = above_before <= NOISE_STAYS * left.max(LEFT_MEASURED * keys);
        let over_noise = if is_noise { WOBBLE_OVER_NOISE } else { WOBBLE_OVER_REST };
        let peaks = fit.tones.map(|tone| tone.peak);
        let is_steady = fit.tones.iter().all(|tone| tone.wobble <= WOBBLE)
            || fit
                .tones
                .iter()
                .all(|tone| tone.wobble <= WOBBLE + over_noise * noise_peak / tone.peak)
                && !self.was_alone(lane, [low, high], peaks);
        let is_key = left <= allowed
            && (left <= LEFT_QUIET * keys || above_before <= NOISE_MAX * keys)
            && left / LEFT_MAX + below / BELOW_MAX + keys * twisted <= keys
            && below <= BELOW_QUIET * keys + BELOW_OVER_BEFORE * below_before
            && is_steady;
        is_key.then_some(peaks)
    }
}
