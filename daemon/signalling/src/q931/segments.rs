//! Messages that came in pieces. Q.931, annex H.

use std::collections::BTreeMap;

use tdm::Instant;

use super::element::{Elements, code};
use super::header::{DISCRIMINATOR, MessageType};

/// Pieces of one message. Annex H, §H.1.
const SEGMENTS_MAX: u8 = 8;
/// Messages in pieces at a time: more than channels, so that nobody is kept from it.
const MESSAGES_MAX: usize = 64;

/// A message of which some pieces are here.
#[derive(Clone, Debug)]
struct Assembly {
    /// The pieces that are still to come.
    remaining: u8,
    /// The message so far.
    message: Vec<u8>,
    /// T314.
    due: Instant,
}

/// The messages that are being put together, by reference and flag as they stand on the line.
#[derive(Clone, Debug, Default)]
pub struct Segments(BTreeMap<[u8; 2], Assembly>);

/// What became of a message of the peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segmented {
    /// It is no piece.
    Whole,
    /// A piece; more are to come.
    Kept,
    /// The last piece: here is the message.
    Complete(Vec<u8>),
    /// A piece that fits nowhere; what was collected is thrown away. §H.6.
    Discarded,
}

impl Segments {
    /// When T314 runs out for the first of them.
    pub fn due(&self) -> Option<Instant> {
        self.0.values().map(|assembly| assembly.due).min()
    }
    /// Throws away what waited too long; gives how many.
    pub fn elapsed(&mut self, now: Instant) -> usize {
        let before = self.0.len();
        self.0.retain(|_, assembly| assembly.due > now);
        before - self.0.len()
    }
    /// Nothing that was begun will be finished: the link was lost.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Takes a message of the peer; `t314` is when the next piece is due.
    pub fn take(&mut self, octets: &[u8], t314: Instant) -> Segmented {
        const SEGMENT: u8 = MessageType::Segment.code();
        let [DISCRIMINATOR, 2, high, low, SEGMENT, body @ ..] = octets else {
            return Segmented::Whole;
        };
        let reference = [*high, *low];
        // §H.2: the element stands first, and its pieces behind it.
        let first =
            Elements::of(body).next().filter(|element| element.code == code::SEGMENTED_MESSAGE);
        let Some([remaining, kind]) = first.map(|element| element.contents) else {
            return self.discard(reference);
        };
        let (is_first, remaining) = (remaining & 0x80 != 0, remaining & 0x7F);
        let piece = body.get(4..).unwrap_or_default();
        if is_first {
            if remaining == 0 || remaining >= SEGMENTS_MAX || self.0.len() >= MESSAGES_MAX {
                return self.discard(reference);
            }
            let mut message = vec![DISCRIMINATOR, 2, *high, *low, kind & 0x7F];
            message.extend(piece);
            self.0.insert(reference, Assembly { remaining, message, due: t314 });
            return Segmented::Kept;
        }
        match self.0.get_mut(&reference) {
            Some(assembly) if assembly.remaining == remaining + 1 => {
                assembly.remaining = remaining;
                assembly.message.extend(piece);
                assembly.due = t314;
            }
            _ => return self.discard(reference),
        }
        if remaining > 0 {
            return Segmented::Kept;
        }
        let whole = self.0.remove(&reference);
        whole.map_or(Segmented::Discarded, |assembly| Segmented::Complete(assembly.message))
    }
    /// T314 stood still for so long.
    pub fn postpone(&mut self, micros: u64) {
        for assembly in self.0.values_mut() {
            assembly.due = assembly.due.plus_micros(micros);
        }
    }
    fn discard(&mut self, reference: [u8; 2]) -> Segmented {
        self.0.remove(&reference);
        Segmented::Discarded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATER: Instant = Instant::seconds(5);

    fn piece(first: bool, remaining: u8, octets: &[u8]) -> Vec<u8> {
        let mark = u8::from(first) << 7 | remaining;
        [&[8, 2, 0, 9, 0x60, 0, 2, mark, 5], octets].concat()
    }

    #[test]
    fn pieces_in_order_become_the_message_and_others_are_thrown_away() {
        let mut segments = Segments::default();
        assert_eq!(segments.take(&[8, 2, 0, 9, 5], LATER), Segmented::Whole);
        assert_eq!(segments.take(&piece(true, 2, &[4, 1]), LATER), Segmented::Kept);
        assert_eq!(segments.take(&piece(false, 1, &[7]), LATER), Segmented::Kept);
        let whole = vec![8, 2, 0, 9, 5, 4, 1, 7, 0xA1];
        assert_eq!(segments.take(&piece(false, 0, &[0xA1]), LATER), Segmented::Complete(whole));

        // One is missing, one comes from nowhere, one message has too many, one says nothing.
        segments.take(&piece(true, 2, &[4, 1]), LATER);
        assert_eq!(segments.take(&piece(false, 0, &[7]), LATER), Segmented::Discarded);
        assert_eq!(segments.take(&piece(false, 0, &[7]), LATER), Segmented::Discarded);
        assert_eq!(segments.take(&piece(true, 8, &[4]), LATER), Segmented::Discarded);
        assert_eq!(segments.take(&[8, 2, 0, 9, 0x60], LATER), Segmented::Discarded);
        assert_eq!(segments.due(), None);
    }

    #[test]
    fn message_whose_rest_does_not_come_is_forgotten_after_t314() {
        let mut segments = Segments::default();
        segments.take(&piece(true, 1, &[4, 1]), LATER);
        assert_eq!(segments.due(), Some(LATER));
        assert_eq!(segments.elapsed(Instant::millis(4999)), 0);
        assert_eq!(segments.elapsed(LATER), 1);
        assert_eq!(segments.take(&piece(false, 0, &[7]), LATER), Segmented::Discarded);
    }
}
