//! The words of all recordings, and where each of them stands: one look at a table, however many recordings there are.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

use super::bands;
use super::words::{BITS, WORD_MILLIS, Words};

/// Recordings an index may hold.
pub const PRINTS_MAX: usize = 16_384;
/// Words of a recording that are kept: its first 131 s.
const WORDS_MAX: usize = 8192;
/// Less of a recording that sounds is too little to know it again.
pub const SOUNDING_MIN_MILLIS: u32 = 1500;
/// A word sounds when it is no more than 30 dB below the loudest of its recording.
const SOUNDS_FROM: f32 = 1e-3;
/// Marks a word of a recording that sounds.
pub(super) const SOUNDS: u32 = 1 << 31;
/// Marks what stands between two recordings.
pub(super) const BORDER: u32 = 1 << 30;
/// The bits of a word.
pub(super) const MASK: u32 = (1 << BITS) - 1;
/// Where the meaning stands beside the bits of a word.
const MEANING_SHIFT: u32 = 24;
const _: () = assert!(BITS <= MEANING_SHIFT);
/// A place is looked at when the word so far before agrees, too: 256 ms, so that the two share no sample.
pub(super) const BEFORE: u32 = 16;
/// Two words of the same recording differ in no more bits than these; by chance they differ in ten.
const ALIKE_MAX: u32 = 5;
/// Places of a list that are looked at, at most: recordings may share what they begin with, all of them.
pub(super) const PLACES_MAX: usize = 64;

/// What is kept of a recording: a word each 16 ms.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Print {
    words: Vec<u32>,
}

impl Print {
    /// The print of a recording of linear samples at 8 kHz, full scale ±1.0. Its level does not matter.
    pub fn of(samples: &[f32]) -> Self {
        // As loud as speech on a line is, −20 dBm0: what is nothing is nothing of that.
        let rows = bands::of_recording(samples);
        let power = |row: &bands::Row| row.iter().sum::<f32>();
        let loudest = rows.iter().map(power).fold(1e-12, f32::max);
        let gain = 0.02 / loudest;
        let mut words = Words::default();
        let all: Vec<_> =
            rows.iter().filter_map(|row| words.take(&row.map(|x| x * gain))).collect();
        let loudest = all.iter().map(|word| word.power).fold(0.0, f32::max);
        let kept = all.iter().take(WORDS_MAX).map(|word| {
            let sounds = word.power > SOUNDS_FROM * loudest && word.power > 0.0;
            if sounds { word.bits | SOUNDS } else { word.bits }
        });
        Self { words: kept.collect() }
    }

    /// How much of it sounds. Below [`SOUNDING_MIN_MILLIS`] it is too short to be known again.
    pub fn sounding_millis(&self) -> u32 {
        let sounding = self.words.iter().filter(|word| **word & SOUNDS != 0).count();
        (sounding as u32).saturating_mul(WORD_MILLIS)
    }

    /// Whether this is another recording of the same: whether `other` holds four fifths of what sounds in it, and in
    /// order, from whatever moment of `other` on. Announcements of a network that begin alike share less.
    pub fn is_in(&self, other: &Self) -> bool {
        let sounding = self.words.iter().filter(|word| **word & SOUNDS != 0).count();
        let last = (other.words.len() as isize).saturating_sub(1);
        let first = 1_isize.saturating_sub(self.words.len() as isize);
        // The sums of 128 ms hide a step of two words.
        (first..=last).step_by(2).any(|ahead| {
            let (skipped, begun) = (ahead.max(0) as usize, ahead.saturating_neg().max(0) as usize);
            let pairs = self.words.iter().skip(begun).zip(other.words.iter().skip(skipped));
            let alike = pairs.filter(|(a, b)| {
                let sound = **a & **b & SOUNDS != 0;
                sound && ((*a ^ *b) & MASK).count_ones() <= ALIKE_MAX
            });
            alike.count().saturating_mul(5) > sounding.saturating_mul(4)
        })
    }

    /// The words, one each 16 ms, as [`Print::from_words`] takes them again.
    pub fn words(&self) -> &[u32] {
        &self.words
    }

    /// A print out of the words of another. Bits that no word has are left out.
    pub fn from_words(words: impl IntoIterator<Item = u32>) -> Self {
        let words = words.into_iter().take(WORDS_MAX);
        Self { words: words.map(|word| word & (SOUNDS | MASK)).collect() }
    }

    /// Another print with the same statistics, which no recording has: for measuring what a large library costs.
    #[must_use]
    pub fn disguised(&self, by: u32) -> Self {
        let mask = by.wrapping_mul(0x9E37_79B9).wrapping_shr(32_u32.wrapping_sub(BITS));
        Self { words: self.words.iter().map(|word| word ^ mask).collect() }
    }
}

/// Where a word stands in the words of all recordings, and the word [`BEFORE`] it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Place {
    pub(super) at: u32,
    /// Above its bits, what the recording means.
    before: u32,
}

impl Place {
    /// What the recording means in which this is.
    pub(super) const fn meaning(self) -> u8 {
        self.before.wrapping_shr(MEANING_SHIFT) as u8
    }
}

/// What the index knows of a recording.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    /// Its words, in those of all.
    from: u32,
    until: u32,
    /// What it means: two of one meaning need not be told apart.
    meaning: u8,
}

/// The prints of all recordings. Built once, then only read.
#[derive(Debug, Default)]
pub struct Index {
    known: Box<[Known]>,
    words: Box<[u32]>,
    /// How far a mixed word is shifted to give the number of its list.
    shift: u32,
    /// Where the places of a list begin; one more at the end.
    starts: Box<[u32]>,
    places: Box<[Place]>,
}

impl Index {
    /// An index of these recordings, each with a number for its meaning. What is beyond [`PRINTS_MAX`] is left out.
    ///
    /// Takes some 12 octets for each 16 ms of recordings: 60 MB for ten thousand of eight seconds.
    pub fn new(prints: &[(Print, u8)]) -> Self {
        let prints = prints.get(..PRINTS_MAX.min(prints.len())).unwrap_or_default();
        let mut index = Self::default();
        let (mut words, mut known) = (vec![BORDER], Vec::new());
        for (print, meaning) in prints {
            let from = words.len() as u32;
            words.extend_from_slice(&print.words);
            known.push(Known { from, until: words.len() as u32, meaning: *meaning });
            words.push(BORDER);
        }
        (index.known, index.words) = (known.into(), words.into());
        // One list a word, as far as bits go: at least two lists, so that the shift is less than a word.
        let lists_log2 = (index.words.len().max(2).next_power_of_two().trailing_zeros()).min(BITS);
        index.shift = 32_u32.wrapping_sub(lists_log2);
        index.fill(1_usize.wrapping_shl(lists_log2));
        index
    }

    /// Counts the places of each list, then puts them there.
    fn fill(&mut self, lists: usize) {
        let all = || {
            self.known.iter().flat_map(|known| {
                let words = known.from.saturating_add(BEFORE)..known.until;
                words.filter_map(|at| {
                    let word = *self.words.get(at as usize)?;
                    let before = *self.words.get(at.wrapping_sub(BEFORE) as usize)?;
                    let before = before & MASK | u32::from(known.meaning) << MEANING_SHIFT;
                    (word & SOUNDS != 0).then_some((self.list(word), Place { at, before }))
                })
            })
        };
        let mut starts = vec![0_u32; lists.saturating_add(1)];
        for (list, _) in all() {
            if let Some(count) = starts.get_mut(list.saturating_add(1)) {
                *count = count.saturating_add(1);
            }
        }
        let mut sum = 0_u32;
        for start in &mut starts {
            sum = sum.saturating_add(*start);
            *start = sum;
        }
        let mut next = starts.clone();
        let mut places = vec![Place::default(); sum as usize];
        for (list, place) in all() {
            if let Some(at) = next.get_mut(list) {
                if let Some(to) = places.get_mut(*at as usize) {
                    *to = place;
                }
                *at = at.saturating_add(1);
            }
        }
        (self.starts, self.places) = (starts.into(), places.into());
    }

    /// How many recordings it knows.
    pub fn len(&self) -> usize {
        self.known.len()
    }
    /// Whether it knows none.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    fn list(&self, word: u32) -> usize {
        (word & MASK).wrapping_mul(0x9E37_79B9).wrapping_shr(self.shift) as usize
    }
    /// Where a word stands, if the one [`BEFORE`] agrees in all but `differs_max` bits. Of a list that is too long
    /// [`PLACES_MAX`] places are looked at, its first.
    pub(super) fn places(
        &self,
        word: u32,
        before: u32,
        differs_max: u32,
    ) -> impl Iterator<Item = Place> {
        let list = self.list(word);
        let from = self.starts.get(list).map_or(0, |&from| from as usize);
        let until = self.starts.get(list.saturating_add(1)).map_or(from, |&until| until as usize);
        let until = until.min(from.saturating_add(PLACES_MAX));
        let places = self.places.get(from..until).unwrap_or_default().iter();
        let near =
            move |place: &&Place| ((place.before ^ before) & MASK).count_ones() <= differs_max;
        places.filter(near).copied()
    }
    /// The words before a place, the nearest first, as far as its recording goes.
    pub(super) fn back_from(&self, at: u32) -> impl Iterator<Item = u32> {
        let words = self.words.get(..=at as usize).unwrap_or_default();
        words.iter().rev().copied().take_while(|word| word & BORDER == 0)
    }
    /// A word of a recording; `None` between them.
    pub(super) fn word(&self, at: u32) -> Option<u32> {
        self.words.get(at as usize).copied().filter(|word| word & BORDER == 0)
    }
    /// The recording a place belongs to, and where its words begin.
    pub(super) fn print_at(&self, at: u32) -> Option<(u16, u32)> {
        let print = self.known.partition_point(|known| known.until <= at);
        let known = self.known.get(print)?;
        Some((u16::try_from(print).ok()?, known.from))
    }
    /// What a recording means.
    pub(super) fn meaning(&self, print: u16) -> u8 {
        self.known.get(usize::from(print)).map_or(0, |known| known.meaning)
    }
}
