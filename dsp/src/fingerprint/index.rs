//! Which recordings have a landmark, and the votes for them while one listens.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

use tdm::SAMPLES;

use super::landmarks::{Landmark, Landmarks};

/// Recordings an index may hold.
pub const PRINTS_MAX: usize = 16_384;
/// Frames of a recording that are kept, 16 ms each: 262 s.
const FRAMES_MAX: u32 = 16_384;
/// Recordings that are asked about a landmark, at most: one that all have says nothing.
const ASKED_MAX: usize = 96;
/// Candidates whose votes are counted, in sets of [`WAYS`].
const SETS: usize = 1024;
const WAYS: usize = 8;
/// Votes at one displacement that make a match, from peaks at so many different times.
const VOTES_MIN: u16 = 14;
const TIMES_MIN: u16 = 6;
/// Displacements that are one candidate, in frames: a window may lie half a frame beside the other.
const DISPLACED_SHIFT: u32 = 1;
/// Displacements are counted from here, so that none is negative.
const ORIGIN: u32 = 1 << 20;

/// A recording that was recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Match {
    /// The number of the recording, in the order in which the index was given them.
    pub print: u16,
    /// Landmarks that agreed.
    pub votes: u16,
}

/// The landmarks of all recordings, by hash. Built once, then only read.
#[derive(Debug, Default)]
pub struct Index {
    /// Where the places of a hash begin; one more at the end.
    starts: Box<[u32]>,
    /// Number of the recording and frame in it, 16 bits each.
    places: Box<[u32]>,
    prints: usize,
}

impl Index {
    /// An index of these recordings. What is beyond [`PRINTS_MAX`] is left out.
    pub fn new(prints: &[Vec<Landmark>]) -> Self {
        let hashes = 1_usize.wrapping_shl(Landmark::BITS);
        let mut starts = vec![0_u32; hashes.saturating_add(1)];
        let prints = prints.get(..PRINTS_MAX.min(prints.len())).unwrap_or_default();
        let all = || {
            prints.iter().zip(0_u32..).flat_map(|(landmarks, print)| {
                let kept = landmarks.iter().filter(|l| l.frame < FRAMES_MAX);
                kept.map(move |l| (l.hash as usize, print.wrapping_shl(16) | l.frame))
            })
        };
        for (hash, _) in all() {
            if let Some(count) = starts.get_mut(hash.saturating_add(1)) {
                *count = count.saturating_add(1);
            }
        }
        let mut sum = 0_u32;
        for start in &mut starts {
            sum = sum.saturating_add(*start);
            *start = sum;
        }
        let mut next = starts.clone();
        let mut places = vec![0_u32; sum as usize];
        for (hash, place) in all() {
            if let Some(at) = next.get_mut(hash) {
                if let Some(to) = places.get_mut(*at as usize) {
                    *to = place;
                }
                *at = at.saturating_add(1);
            }
        }
        Self { starts: starts.into(), places: places.into(), prints: prints.len() }
    }
    /// How many recordings it knows.
    pub const fn len(&self) -> usize {
        self.prints
    }
    /// Whether it knows none.
    pub const fn is_empty(&self) -> bool {
        self.prints == 0
    }
    /// Recordings and frames where a landmark stands; none when it stands almost everywhere.
    fn places(&self, hash: u32) -> &[u32] {
        let hash = hash as usize;
        let (Some(&from), Some(&until)) =
            (self.starts.get(hash), self.starts.get(hash.saturating_add(1)))
        else {
            return &[];
        };
        let places = self.places.get(from as usize..until as usize).unwrap_or_default();
        if places.len() <= ASKED_MAX { places } else { &[] }
    }
}

/// A recording at a displacement, and what speaks for it.
#[derive(Clone, Copy, Debug, Default)]
struct Candidate {
    key: u64,
    votes: u16,
    times: u16,
    /// The frame of the line with its latest vote.
    latest: u32,
}

/// Listens on one lane. Allocates when it is built, never after.
#[derive(Debug)]
pub struct Listener {
    landmarks: Landmarks,
    sets: Box<[[Candidate; WAYS]]>,
}

impl Default for Listener {
    fn default() -> Self {
        Self {
            landmarks: Landmarks::default(),
            sets: vec![[Candidate::default(); WAYS]; SETS].into_boxed_slice(),
        }
    }
}

impl Listener {
    /// Begins anew.
    pub fn forget(&mut self) {
        self.landmarks.forget();
        self.sets.fill([Candidate::default(); WAYS]);
    }

    /// Takes a millisecond of linear samples, full scale ±1.0; says which recording they are known to belong to. The
    /// same may be said again while it goes on.
    pub fn take(&mut self, samples: &[f32; SAMPLES], index: &Index) -> Option<Match> {
        let Self { landmarks, sets } = self;
        let mut best: Option<Match> = None;
        landmarks.take(samples, |landmark| {
            for &place in index.places(landmark.hash) {
                if let Some(found) = vote(sets, landmark.frame, place)
                    && best.is_none_or(|best| best.votes < found.votes)
                {
                    best = Some(found);
                }
            }
        });
        best
    }
}

/// Counts a vote for the recording of `place`, and for its displacement from `frame` of the line.
fn vote(sets: &mut [[Candidate; WAYS]], frame: u32, place: u32) -> Option<Match> {
    let (print, at) = (place.wrapping_shr(16), place & 0xFFFF);
    let displaced = ORIGIN.wrapping_add(frame).wrapping_sub(at);
    let cell = displaced.wrapping_shr(DISPLACED_SHIFT);
    // The border between two cells may run through the votes: they count in the nearer neighbour, too.
    let is_low = displaced & 1 == 0;
    let beside = if is_low { cell.wrapping_sub(1) } else { cell.wrapping_add(1) };
    let other = candidate(sets, key(print, beside)).map_or(0, |c| c.votes);
    let key = key(print, cell);
    let candidate = place_for(sets, key)?;
    candidate.votes = candidate.votes.saturating_add(1);
    if candidate.times == 0 || candidate.latest != frame {
        candidate.times = candidate.times.saturating_add(1);
        candidate.latest = frame;
    }
    let votes = candidate.votes.saturating_add(other);
    (votes >= VOTES_MIN && candidate.times >= TIMES_MIN)
        .then_some(Match { print: print as u16, votes })
}

fn key(print: u32, cell: u32) -> u64 {
    u64::from(print).wrapping_shl(32) | u64::from(cell)
}

fn set_of(key: u64) -> usize {
    (key.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_shr(40) as usize) % SETS
}

fn candidate(sets: &[[Candidate; WAYS]], key: u64) -> Option<&Candidate> {
    sets.get(set_of(key))?.iter().find(|c| c.key == key && c.votes > 0)
}

/// The candidate's place: its own, or that of the one with the fewest votes, which gives way.
fn place_for(sets: &mut [[Candidate; WAYS]], key: u64) -> Option<&mut Candidate> {
    let set = sets.get_mut(set_of(key))?;
    if let Some(at) = set.iter().position(|c| c.key == key && c.votes > 0) {
        return set.get_mut(at);
    }
    let least = set.iter_mut().min_by_key(|c| (c.votes, c.latest))?;
    *least = Candidate { key, ..Candidate::default() };
    Some(least)
}
