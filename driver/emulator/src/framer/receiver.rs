//! One port's receiver: from what stands on the line to the status register FRS0. G.706, §4.
//!
//! A step is a millisecond: eight frames, four frame alignment signals, one CRC-4 sub-multiframe. What
//! takes less than that (LOS after 176 bits, AIS after 250 µs) shows in the step in which it happens.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

use firmware_headers::falc;

use crate::{Frames, Framing, Signal};

/// Frame alignment signals of a millisecond.
pub(crate) const ALIGNMENTS: usize = 4;
/// Good milliseconds until a frame is found: FAS, service word, FAS, and the search for the first.
const ALIGN_MILLIS: u8 = 2;
/// Wrong signals in a row that lose it. G.706, §4.1.1.
const MISSES_MAX: u8 = 3;
/// The last five of `recent`.
const FIVE: u8 = 0b1_1111;
/// Two multiframes with a good alignment signal. G.706, §4.2.
const MULTIFRAME_MILLIS: u8 = 4;
/// After so long without a multiframe the far end has none. G.706, annex B.
const NO_MULTIFRAME_MILLIS: u16 = 400;

/// What the mode registers ask of the receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Search {
    /// What frames are looked for; nothing without a line code.
    pub framing: Option<Framing>,
    /// The CRC-4 multiframe is searched for.
    pub multiframe: bool,
    /// And still after 400 ms without one.
    pub extended: bool,
}

/// Where the receiver stands.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Receiver {
    good_millis: u8,
    aligned: bool,
    misses: u8,
    /// The last alignment signals, newest in bit 0; 1 = wrong.
    recent: u8,
    multiframe: Multiframe,
}

#[derive(Clone, Copy, Debug, Default)]
struct Multiframe {
    found: bool,
    good_millis: u8,
    searched_millis: u16,
}

impl Receiver {
    /// Starts the search anew.
    pub(crate) fn restart(&mut self) {
        *self = Self::default();
    }
    /// The frame alignment signal is where it should be.
    pub(crate) fn is_aligned(&self) -> bool {
        self.aligned
    }
    /// So is the CRC-4 multiframe.
    pub(crate) fn has_multiframe(&self) -> bool {
        self.aligned && self.multiframe.found
    }

    /// The state after one more millisecond of `signal`, `wrong[n]` when its n-th frame alignment
    /// signal was wrong. Returns FRS0.
    pub(crate) fn millisecond(
        &mut self,
        signal: Signal,
        wrong: [bool; ALIGNMENTS],
        search: Search,
    ) -> u8 {
        match signal {
            Signal::Framed(frames) if search.framing == Some(frames.framing) => {
                self.align(wrong, frames.framing);
                self.seek_multiframe(frames, search);
                self.framed_status(frames, search)
            }
            Signal::Framed(_) | Signal::Unframed => {
                self.restart();
                falc::FRS0_LFA
            }
            Signal::AllOnes => {
                self.restart();
                falc::FRS0_LFA | falc::FRS0_AIS
            }
            Signal::Silence => {
                self.restart();
                falc::FRS0_LFA | falc::FRS0_LOS
            }
        }
    }

    /// An E1 loses its frame with three wrong signals in a row, a T1 with two of five. G.706, §4.1.1;
    /// ANSI T1.231, §6.1.2.2.1.
    fn align(&mut self, wrong: [bool; ALIGNMENTS], framing: Framing) {
        if !self.aligned {
            let good = !wrong.contains(&true);
            self.good_millis = if good { self.good_millis.saturating_add(1) } else { 0 };
            self.aligned = self.good_millis >= ALIGN_MILLIS;
            return;
        }
        for missed in wrong {
            self.recent = self.recent.wrapping_shl(1) | u8::from(missed);
            self.misses = if missed { self.misses.saturating_add(1) } else { 0 };
            let lost = match framing {
                Framing::E1 => self.misses >= MISSES_MAX,
                Framing::D4 | Framing::Esf => (self.recent & FIVE).count_ones() >= 2,
            };
            if lost {
                self.restart();
                return;
            }
        }
    }

    fn seek_multiframe(&mut self, frames: Frames, search: Search) {
        if !self.aligned || !search.multiframe || frames.framing != Framing::E1 {
            self.multiframe = Multiframe::default();
            return;
        }
        let seek = &mut self.multiframe;
        if seek.found {
            if !frames.crc4 {
                *seek = Multiframe::default();
            }
            return;
        }
        seek.searched_millis = seek.searched_millis.saturating_add(1);
        let given_up = seek.searched_millis >= NO_MULTIFRAME_MILLIS && !search.extended;
        seek.good_millis =
            if frames.crc4 && !given_up { seek.good_millis.saturating_add(1) } else { 0 };
        seek.found = seek.good_millis >= MULTIFRAME_MILLIS;
    }

    fn framed_status(&self, frames: Frames, search: Search) -> u8 {
        if !self.aligned {
            return falc::FRS0_LFA;
        }
        let mut status = 0;
        if frames.remote_alarm {
            status |= falc::FRS0_RRA;
        }
        if search.multiframe && frames.framing == Framing::E1 && !self.multiframe.found {
            status |= falc::FRS0_LMFA;
            if self.multiframe.searched_millis >= NO_MULTIFRAME_MILLIS {
                status |= falc::FRS0_NMF;
            }
        }
        status
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASIC: Search = Search { framing: Some(Framing::E1), multiframe: false, extended: false };
    const CRC4: Search = Search { framing: Some(Framing::E1), multiframe: true, extended: false };
    const GOOD: [bool; ALIGNMENTS] = [false; ALIGNMENTS];
    const PLAIN: Signal = Signal::Framed(Frames::HEALTHY);
    const WITH_CRC4: Signal = Signal::Framed(Frames { crc4: true, ..Frames::HEALTHY });

    fn run(receiver: &mut Receiver, millis: u32, signal: Signal, search: Search) -> u8 {
        (0..millis).fold(0xFF, |_, _| receiver.millisecond(signal, GOOD, search))
    }

    #[test]
    fn each_signal_has_the_status_the_chip_reports() {
        for (signal, status) in [
            (Signal::Silence, 0xA0),
            (Signal::AllOnes, 0x60),
            (Signal::Unframed, 0x20),
            (PLAIN, 0x00),
            (Signal::Framed(Frames { remote_alarm: true, ..Frames::HEALTHY }), 0x10),
        ] {
            assert_eq!(run(&mut Receiver::default(), 10, signal, BASIC), status, "{signal:?}");
        }
    }

    #[test]
    fn the_frame_is_found_after_two_good_milliseconds_and_lost_at_once_with_the_signal() {
        let mut receiver = Receiver::default();
        assert_eq!(run(&mut receiver, 1, PLAIN, BASIC), falc::FRS0_LFA);
        assert_eq!(run(&mut receiver, 1, PLAIN, BASIC), 0);
        assert_eq!(run(&mut receiver, 1, Signal::Unframed, BASIC), falc::FRS0_LFA);
    }

    #[test]
    fn two_wrong_signals_are_noise_and_the_third_in_a_row_loses_the_frame() {
        let mut receiver = Receiver::default();
        run(&mut receiver, 5, PLAIN, BASIC);
        let two_at_the_end = [false, false, true, true];
        assert_eq!(receiver.millisecond(PLAIN, two_at_the_end, BASIC), 0);
        assert_eq!(receiver.millisecond(PLAIN, GOOD, BASIC), 0);
        assert_eq!(receiver.millisecond(PLAIN, two_at_the_end, BASIC), 0);
        let third = [true, false, false, false];
        assert_eq!(receiver.millisecond(PLAIN, third, BASIC), falc::FRS0_LFA);
    }

    #[test]
    fn the_multiframe_is_found_within_four_milliseconds_of_the_frame() {
        let mut receiver = Receiver::default();
        assert_eq!(run(&mut receiver, 4, WITH_CRC4, CRC4), falc::FRS0_LMFA);
        assert_eq!(run(&mut receiver, 1, WITH_CRC4, CRC4), 0);
        assert!(receiver.has_multiframe());
    }

    #[test]
    fn a_far_end_without_multiframe_is_known_after_400_ms_and_stays_so() {
        let mut receiver = Receiver::default();
        assert_eq!(run(&mut receiver, 2 + 398, PLAIN, CRC4), falc::FRS0_LMFA);
        let status = falc::FRS0_LMFA | falc::FRS0_NMF;
        assert_eq!(run(&mut receiver, 1, PLAIN, CRC4), status);
        // Without the extended search nobody looks again until the search is forced.
        assert_eq!(run(&mut receiver, 50, WITH_CRC4, CRC4), status);
        receiver.restart();
        assert_eq!(run(&mut receiver, 6, WITH_CRC4, CRC4), 0);
    }

    #[test]
    fn the_extended_search_finds_a_multiframe_that_begins_late() {
        let extended = Search { extended: true, ..CRC4 };
        let mut receiver = Receiver::default();
        run(&mut receiver, 1000, PLAIN, extended);
        assert_eq!(run(&mut receiver, 4, WITH_CRC4, extended), 0);
    }

    #[test]
    fn a_t1_loses_its_frame_with_two_wrong_bits_of_five_and_an_e1_does_not() {
        for (framing, lost) in [(Framing::E1, 0), (Framing::Esf, falc::FRS0_LFA)] {
            let search = Search { framing: Some(framing), ..BASIC };
            let signal = Signal::Framed(Frames { framing, ..Frames::HEALTHY });
            let mut receiver = Receiver::default();
            assert_eq!(run(&mut receiver, 5, signal, search), 0);
            let status = receiver.millisecond(signal, [true, false, true, false], search);
            assert_eq!(status, lost, "{framing:?}");
        }
    }

    #[test]
    fn frames_of_another_kind_are_none() {
        let search = Search { framing: Some(Framing::Esf), ..BASIC };
        assert_eq!(run(&mut Receiver::default(), 10, PLAIN, search), falc::FRS0_LFA);
    }

    #[test]
    fn a_receiver_without_line_code_finds_no_frame() {
        let deaf = Search { framing: None, ..BASIC };
        assert_eq!(run(&mut Receiver::default(), 10, PLAIN, deaf), falc::FRS0_LFA);
    }
}
