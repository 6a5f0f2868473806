//! From the powers of bands to words: what changes between a time and the one before it, twenty bits each 16 ms.
//!
//! A bit says whether a band has grown more than its upper neighbour, from one eighth of a second to the next. Level
//! cancels, and so does the tilt of a line; noise and codecs turn some 13 bits in a hundred, another recording half of
//! them. Which bits were decided by the least is known, too: those an error turns first.
//!
//! After J. Haitsma and T. Kalker, "A Highly Robust Audio Fingerprinting System", ISMIR 2002; times and bands chosen
//! for telephone speech.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

use super::bands::{BANDS, Row};

/// Bits of a word.
pub const BITS: u32 = BANDS as u32 - 1;
/// Milliseconds from one word to the next.
pub const WORD_MILLIS: u32 = 16;
/// Rows of 16 ms that are summed up, and how many lie between the two sums that are held against each other.
const SUMMED: usize = 8;
/// Power of a band that counts as nothing, −57 dBm0: an idle line's law must not look like sound.
const NOTHING: f32 = 1e-6;
/// The bits that are doubted in a word.
pub const DOUBTS: usize = 2;

/// A word of a line.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Word {
    /// `BITS` of them.
    pub bits: u32,
    /// The power of the latest 128 ms, in all bands.
    pub power: f32,
}

/// Makes words of rows. Of fixed size, without a heap.
#[derive(Clone, Debug)]
pub struct Words {
    /// The first half of a pair of rows, while the second is waited for.
    half: Option<Row>,
    /// The latest pairs, the newest at `at`.
    pairs: [Row; SUMMED],
    /// Logarithms of their sums, as they were up to 128 ms ago: the place at `at` is the oldest.
    sums: [Row; SUMMED],
    at: usize,
    /// By how much each bit was decided, the last time.
    by: [f32; BITS as usize],
}

impl Default for Words {
    fn default() -> Self {
        Self {
            half: None,
            pairs: [[0.0; BANDS]; SUMMED],
            sums: [[log2(NOTHING * SUMMED as f32); BANDS]; SUMMED],
            at: 0,
            by: [0.0; BITS as usize],
        }
    }
}

impl Words {
    /// Takes the next row, 8 ms after the last; gives a word every other time.
    pub fn take(&mut self, row: &Row) -> Option<Word> {
        let Some(first) = self.half.take() else {
            self.half = Some(*row);
            return None;
        };
        self.at = self.at.wrapping_add(1) % SUMMED;
        if let Some(pair) = self.pairs.get_mut(self.at) {
            pair.iter_mut().zip(first).zip(row).for_each(|((to, a), b)| *to = 0.5 * (a + b));
        }
        let mut sum = [NOTHING * SUMMED as f32; BANDS];
        for pair in &self.pairs {
            sum.iter_mut().zip(pair).for_each(|(sum, x)| *sum += x);
        }
        let power = sum.iter().sum::<f32>() / SUMMED as f32;
        let before = self.sums.get_mut(self.at)?;
        let mut grown = [0.0; BANDS];
        for ((grown, before), sum) in grown.iter_mut().zip(before).zip(sum) {
            let now = log2(sum);
            *grown = now - *before;
            *before = now;
        }
        let mut bits = 0_u32;
        for (by, pair) in self.by.iter_mut().zip(grown.windows(2)) {
            *by = pair.first().zip(pair.last()).map_or(0.0, |(low, high)| low - high);
            bits = bits.wrapping_shl(1) | u32::from(*by > 0.0);
        }
        Some(Word { bits, power })
    }

    /// The bits of the latest word that were decided by the least: the most doubtful first.
    pub fn doubtful(&self) -> [u32; DOUBTS] {
        let mut least = [(f32::MAX, 0_u32); DOUBTS];
        for (by, bit) in self.by.iter().zip((0..BITS).rev()) {
            let mut new = (by.abs(), 1_u32.wrapping_shl(bit));
            for old in &mut least {
                if new.0 < old.0 {
                    core::mem::swap(&mut new, old);
                }
            }
        }
        least.map(|(_, bit)| bit)
    }
}

/// The logarithm to base two of a positive number, to within 0.01: exponent, and a parabola through the mantissa.
fn log2(x: f32) -> f32 {
    let bits = x.to_bits();
    let exponent = bits.wrapping_shr(23) as f32 - 127.0;
    let mantissa = f32::from_bits(bits & 0x7F_FFFF | 0x3F80_0000);
    exponent + (2.0344 - 0.3448 * mantissa) * mantissa - 1.6896
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::*;

    #[test]
    fn the_quick_logarithm_is_right_to_a_hundredth() {
        for n in 1..20_000_u16 {
            let x = f32::from(n) * 1e-5;
            assert!((log2(x) - x.log2()).abs() < 0.0105, "{x}: {} {}", log2(x), x.log2());
        }
    }

    #[test]
    fn level_changes_no_bit_and_the_doubtful_ones_are_those_decided_by_the_least() {
        let mut rng = tdm::Rng::from_seed(3);
        let mut words = [Words::default(), Words::default()];
        for _ in 0..200 {
            let row: Row = core::array::from_fn(|_| 0.01 * rng.unit() as f32 + 1e-3);
            let [a, b] = &mut words;
            let (word, softer) = (a.take(&row), b.take(&row.map(|x| x * 0.1)));
            let (Some(word), Some(softer)) = (word, softer) else { continue };
            let sure = !a.doubtful().iter().fold(0, |all, bit| all | bit);
            assert_eq!(word.bits & sure, softer.bits & sure);
            let by = |bit: u32| a.by[(BITS - 1 - bit.trailing_zeros()) as usize].abs();
            let [first, second] = a.doubtful().map(by);
            assert!(first <= second);
            assert!(a.by.iter().filter(|by| by.abs() < second).count() <= 1);
        }
    }
}
