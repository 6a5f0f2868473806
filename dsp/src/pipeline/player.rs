//! What plays on one timeslot: a score, piece after piece.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

use tdm::{DOctets, Law};

use super::library::Library;
use super::{Piece, Score};

/// Samples of a millisecond.
const SAMPLES_PER_MILLI: u32 = 8;

/// A score being played.
#[derive(Clone, Copy)]
pub(super) struct Player {
    pub(super) token: u32,
    score: Score,
    piece: u8,
    sample: u32,
}

impl Player {
    pub(super) const fn new(token: u32, score: Score) -> Self {
        Self { token, score, piece: 0, sample: 0 }
    }

    pub(super) const fn stops_on_dtmf(&self) -> bool {
        self.score.stop_on_dtmf
    }

    /// The next eight octets; `false` when the score ended, with silence from there on.
    pub(super) fn fill(&mut self, library: &Library, law: Law, out: &mut DOctets) -> bool {
        let mut alive = true;
        let mut rest = out.as_mut_slice();
        // Empty pieces are passed over, but a score of nothing but those must not turn for ever.
        let mut passed_over = 0_usize;
        while !rest.is_empty() && alive {
            let written = self.piece_into(library, law, rest);
            if written == 0 {
                passed_over = passed_over.saturating_add(1);
                alive = self.next_piece() && passed_over <= super::PIECES_MAX;
            } else {
                passed_over = 0;
                rest = rest.get_mut(written..).unwrap_or_default();
            }
        }
        rest.fill(law.idle());
        alive
    }

    /// Writes what is left of the current piece, as far as it fits; 0 when the piece is over.
    fn piece_into(&mut self, library: &Library, law: Law, out: &mut [u8]) -> usize {
        let at = self.sample as usize;
        let written = match self.current() {
            None => 0,
            Some(Piece::Prompt(id)) => {
                let rest = library.prompt_octets(id, law).get(at..).unwrap_or_default();
                let n = rest.len().min(out.len());
                for (to, from) in out.iter_mut().zip(rest) {
                    *to = *from;
                }
                n
            }
            Some(Piece::Tone { tone, millis }) => {
                let n = left(millis, self.sample).min(out.len());
                for (to, sample) in out.iter_mut().take(n).zip(at..) {
                    *to = library.tone_octet(tone, law, sample);
                }
                n
            }
            Some(Piece::Signal { system, signal, millis }) => {
                let n = left(millis, self.sample).min(out.len());
                for (to, sample) in out.iter_mut().take(n).zip(at..) {
                    *to = library.signal_octet(system, signal, law, sample);
                }
                n
            }
            Some(Piece::Silence { millis }) => {
                let n = left(millis, self.sample).min(out.len());
                out.iter_mut().take(n).for_each(|to| *to = law.idle());
                n
            }
        };
        self.sample = self.sample.saturating_add(written as u32);
        written
    }

    fn current(&self) -> Option<Piece> {
        (self.piece < self.score.len)
            .then(|| self.score.pieces.get(usize::from(self.piece)).copied())
            .flatten()
    }

    /// Goes on to the next piece; `false` when the score is over.
    fn next_piece(&mut self) -> bool {
        self.sample = 0;
        self.piece = self.piece.saturating_add(1);
        if self.piece >= self.score.len {
            self.piece = 0;
            return self.score.repeat && self.score.len > 0;
        }
        true
    }
}

const fn left(millis: u32, sample: u32) -> usize {
    millis.saturating_mul(SAMPLES_PER_MILLI).saturating_sub(sample) as usize
}
