//! Listening on one lane: words of the line are looked up, and what is found is followed until it is sure.
//!
//! A word of the line that stands in a recording, or would with its most doubtful bits turned, makes that recording a
//! candidate at that place. All that was heard before is held against it at once, and every word that follows. Each
//! bit that agrees speaks for it and each that does not against it, as much as it would be worth if a known recording
//! had one bit in five wrong and any other one in two. The sum, over the stretch for which it is greatest, decides.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

use super::bands::Row;
use super::index::{BEFORE, Index, MASK, PLACES_MAX, SOUNDS};
use super::words::{BITS, DOUBTS, Words};

/// Words of the line that are remembered: two seconds.
const HISTORY: usize = 128;
const _: () = assert!(HISTORY.is_power_of_two());
/// A line is looked at above this power, −54 dBm0.
const POWER_MIN: f32 = 2e-6;
/// Bits in which the word before a place may differ; of 20, chance leaves 10.
const DIFFERS_MAX: u32 = 6;
/// What a word speaks for a recording: this less three for each wrong bit. Zero at 35 wrong bits in a hundred, where a
/// known recording with 20 of them and an unknown one with 50 are equally likely.
const FOR: i32 = 21;
const AGAINST: i32 = 3;
const _: () = assert!(FOR * 100 / (AGAINST * BITS as i32) == 35);
/// From this sum on it is that recording: after 0.5 s at 10 wrong bits in a hundred, 0.7 s at 18, 1.2 s at 25. In eight
/// hours of other speech the greatest sum was 270, and each 15 more is half as likely.
const SURE: i32 = 430;
/// What a recording of another meaning must lag behind.
const LAG: i32 = 160;
/// What a candidate begins with, at least: eight words at 18 wrong bits in a hundred.
const BEGINS: i32 = 70;
/// A candidate that falls so far below its best is none any more.
const FALLS: i32 = 240;
/// Candidates that are followed at a time.
const CANDIDATES: usize = 8;
/// Places that are held against what was heard, for a word of the line, at most. Chance brings one of ten thousand
/// recordings; more are what many of them share.
const CONSIDERED_MAX: u32 = 8;
/// So many places that agree are what is shared …
const CROWD: u32 = 24;
const _: () = assert!(CROWD > CONSIDERED_MAX && (CROWD as usize) < PLACES_MAX);
/// … and for so many words that sound after it nothing is said, if they do not all mean the same: those that were followed may be
/// the wrong ones of many.
const CROWD_WORDS: u32 = 24;
/// What is said must be rising still: by then a recording that only shared the beginning has fallen by 200.
const RISING: i32 = 90;
const _: () = assert!(RISING < FALLS);

/// A recording that was recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Match {
    /// The number of the recording, in the order in which the index was given them.
    pub print: u16,
    /// Milliseconds of the recording that had been played by then.
    pub at_millis: u32,
}

/// A recording, from a place on.
#[derive(Clone, Copy, Debug, Default)]
struct Candidate {
    print: u16,
    /// The place of the line's latest word, among the words of all recordings, and where the recording begins.
    place: u32,
    from: u32,
    /// What speaks for it, and the most that ever did; zero and below: there is no candidate here.
    sum: i32,
    most: i32,
}

/// Listens on one lane. Of fixed size; takes nothing from the heap.
#[derive(Clone, Debug)]
pub struct Listener {
    words: Words,
    /// The latest words of the line; the newest at `at`.
    history: [u32; HISTORY],
    at: usize,
    /// How many words there were.
    count: u32,
    candidates: [Candidate; CANDIDATES],
    /// What the line says now is said by many recordings, with more than one meaning: for so many words more.
    crowded: u32,
    /// What was said already.
    said: Option<u16>,
}

impl Default for Listener {
    fn default() -> Self {
        Self {
            words: Words::default(),
            history: [0; HISTORY],
            at: 0,
            count: 0,
            candidates: [Candidate::default(); CANDIDATES],
            crowded: 0,
            said: None,
        }
    }
}

impl Listener {
    /// Takes the powers of the bands in the next look at the line, 8 ms after the last; `may_be_speech` is whether
    /// anything but a tone sounds. Says which recording is heard, once.
    pub fn take(&mut self, row: &Row, may_be_speech: bool, index: &Index) -> Option<Match> {
        let word = self.words.take(row)?;
        self.at = self.at.wrapping_add(1) % HISTORY;
        if let Some(newest) = self.history.get_mut(self.at) {
            *newest = word.bits;
        }
        self.count = self.count.saturating_add(1);
        self.follow(word.bits, index);
        if self.count > BEFORE && may_be_speech && word.power > POWER_MIN {
            self.look(word.bits, index);
        }
        self.decide(index)
    }

    /// Holds the newest word against every candidate.
    fn follow(&mut self, bits: u32, index: &Index) {
        for candidate in self.candidates.iter_mut().filter(|candidate| candidate.sum > 0) {
            candidate.place = candidate.place.saturating_add(1);
            let Some(word) = index.word(candidate.place) else {
                candidate.sum = 0;
                continue;
            };
            candidate.sum = candidate.sum.saturating_add(speaks(bits, word));
            candidate.most = candidate.most.max(candidate.sum);
            if candidate.most.saturating_sub(candidate.sum) > FALLS {
                candidate.sum = 0;
            }
        }
    }

    /// Looks the newest word up, as it is and with every choice of its doubtful bits turned. Takes no longer than
    /// [`PLACES_MAX`] places a choice and [`CONSIDERED_MAX`] comparisons, whatever the recordings have in common.
    fn look(&mut self, bits: u32, index: &Index) {
        let before = self.back(BEFORE as usize);
        let doubtful = self.words.doubtful();
        let (mut near, mut meanings, mut considered) = (0_u32, None, 0_u32);
        let mut is_mixed = false;
        for choice in 0..1_u32.wrapping_shl(DOUBTS as u32) {
            let turned = doubtful.iter().enumerate().fold(bits, |bits, (n, bit)| {
                if choice.wrapping_shr(n as u32) & 1 == 1 { bits ^ bit } else { bits }
            });
            for place in index.places(turned, before, DIFFERS_MAX) {
                near = near.saturating_add(1);
                is_mixed |= *meanings.get_or_insert(place.meaning()) != place.meaning();
                if considered < CONSIDERED_MAX && self.consider(place.at, index) {
                    considered = considered.saturating_add(1);
                }
            }
        }
        // More than are looked at may mean anything. Quiet tells nothing apart.
        let is_crowd = near >= CROWD && (is_mixed || near as usize >= PLACES_MAX);
        self.crowded = if is_crowd { CROWD_WORDS } else { self.crowded.saturating_sub(1) };
    }

    /// The word `words` before the newest.
    fn back(&self, words: usize) -> u32 {
        let at = self.at.wrapping_add(HISTORY).wrapping_sub(words) % HISTORY;
        self.history.get(at).copied().unwrap_or_default()
    }

    /// Makes the recording at this place a candidate, if what was heard before speaks for it. `false`: it is one
    /// already.
    fn consider(&mut self, place: u32, index: &Index) -> bool {
        if self.candidates.iter().any(|known| known.sum > 0 && known.place.abs_diff(place) <= 1) {
            return false;
        }
        let (mut sum, mut most) = (0_i32, 0_i32);
        let heard = (self.count as usize).min(HISTORY);
        for (back, word) in (0..heard).zip(index.back_from(place)) {
            sum = sum.saturating_add(speaks(self.back(back), word));
            most = most.max(sum);
            if most.saturating_sub(sum) > FALLS {
                break;
            }
        }
        let least = self.candidates.iter_mut().min_by_key(|candidate| candidate.sum);
        if let Some(least) = least.filter(|least| least.sum < most && most >= BEGINS)
            && let Some((print, from)) = index.print_at(place)
        {
            *least = Candidate { print, place, from, sum: most, most };
        }
        true
    }

    /// The recording that is sure by now, unless one of another meaning does nearly as well: announcements of a
    /// network often begin alike.
    fn decide(&mut self, index: &Index) -> Option<Match> {
        let best = self.candidates.iter().max_by_key(|candidate| candidate.sum)?;
        let is_rising = best.sum > best.most.saturating_sub(RISING);
        if best.sum < SURE || self.crowded > 0 || !is_rising {
            return None;
        }
        let meaning = index.meaning(best.print);
        let is_doubted = self.candidates.iter().any(|other| {
            other.sum > best.sum.saturating_sub(LAG) && index.meaning(other.print) != meaning
        });
        let is_said = self.said == Some(best.print);
        if is_doubted || is_said {
            return None;
        }
        let print = best.print;
        let at_millis = best.place.saturating_sub(best.from).saturating_mul(super::WORD_MILLIS);
        self.said = Some(print);
        Some(Match { print, at_millis })
    }
}

/// What a word of the line speaks for a recording with this word: nothing where the recording is silent.
const fn speaks(heard: u32, word: u32) -> i32 {
    if word & SOUNDS == 0 {
        return 0;
    }
    let wrong = ((heard ^ word) & MASK).count_ones() as i32;
    FOR.saturating_sub(wrong.saturating_mul(AGAINST))
}
