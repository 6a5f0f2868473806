//! Channel associated signalling: timeslot 16 as the framer fills and reads it. G.704, §5.1.3.2.
//!
//! A multiframe is 16 frames, 2 ms. Frame 0 carries the word of RS1/XS1 (alignment 0000, then X Y X X),
//! frame t the bits ABCD of timeslots t (high half) and t + 16 (low half).
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

use firmware_headers::falc;
use tdm::{Block, SAMPLES};

/// Frames of a multiframe, and signalling registers.
pub(crate) const FRAMES: usize = 16;
const TIMESLOT: usize = 16;
/// The alignment signal: the high half of frame 0. No other frame's high half may look so.
const ALIGNMENT: u8 = 0xF0;
/// Wrong alignment signals in a row that lose the multiframe. G.732, §5.2.
const MISSES_MAX: u8 = 2;
/// So few zeros in each of so many multiframes are all ones. G.775, §5.2.
const AIS_ZEROS_MAX: u32 = 3;
const AIS_MULTIFRAMES: u8 = 2;
const MULTIFRAME_BITS: u32 = FRAMES as u32 * u8::BITS;

/// Which half of the multiframe the next millisecond sends.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sender {
    second_half: bool,
}

impl Sender {
    /// A multiframe begins with the next millisecond.
    pub(crate) fn begins(&self) -> bool {
        !self.second_half
    }
    /// Overwrites timeslot 16 with the next eight frames of `registers`.
    pub(crate) fn fill(&mut self, registers: &[u8], block: &mut Block) {
        let first = if self.second_half { SAMPLES } else { 0 };
        self.second_half = !self.second_half;
        for (row, &octet) in block.octets.iter_mut().zip(registers.iter().skip(first)) {
            if let Some(place) = row.get_mut(TIMESLOT) {
                *place = octet;
            }
        }
    }
}

/// What the receiver knows of timeslot 16.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Receiver {
    /// The frame that comes next, once the alignment signal was seen.
    next: Option<usize>,
    aligned: bool,
    misses: u8,
    arriving: [u8; FRAMES],
    /// RS1 to RS16.
    pub registers: [u8; FRAMES],
    /// Bit n: RS(n + 1) changed since that was read.
    pub changed: u16,
    /// Frames and zero bits since the last multiframe's length was judged, and how it was.
    frames: u32,
    zeros: u32,
    all_ones: u8,
    all_zeros: bool,
    last_octet: u8,
}

impl Receiver {
    #[cfg(test)]
    fn is_aligned(&self) -> bool {
        self.aligned
    }
    /// What is wrong, as bits of FRS1.
    pub(crate) fn alarms(&self) -> u8 {
        let when = |on: bool, bit: u8| if on { bit } else { 0 };
        let far = self.registers.first().is_some_and(|word| word & falc::XS1_Y != 0);
        when(!self.aligned, falc::FRS1_TS16LFA)
            | when(self.all_ones >= AIS_MULTIFRAMES, falc::FRS1_TS16AIS)
            | when(self.all_zeros, falc::FRS1_TS16LOS)
            | when(self.aligned && far, falc::FRS1_TS16RA)
    }
    /// Searches anew; the registers keep what they had.
    pub(crate) fn lose(&mut self) {
        (self.next, self.aligned, self.misses) = (None, false, 0);
        (self.frames, self.zeros, self.all_ones, self.all_zeros) = (0, 0, 0, false);
    }
    /// Ones and zeros of a multiframe's length, wherever it begins. G.775, §5.2; G.732, §5.2.
    fn weigh(&mut self, octet: u8) {
        self.frames = self.frames.wrapping_add(1);
        self.zeros = self.zeros.wrapping_add(octet.count_zeros());
        if self.frames < FRAMES as u32 {
            return;
        }
        let few = self.zeros <= AIS_ZEROS_MAX;
        self.all_ones = if few { self.all_ones.saturating_add(1) } else { 0 };
        self.all_zeros = self.zeros == MULTIFRAME_BITS;
        (self.frames, self.zeros) = (0, 0);
        if self.all_zeros {
            (self.next, self.aligned, self.misses) = (None, false, 0);
        }
    }
    /// Reads a millisecond. Whether a signalling bit changed.
    pub(crate) fn millisecond(&mut self, block: &Block) -> bool {
        let mut changed = false;
        for row in &block.octets {
            changed |= self.frame(row.get(TIMESLOT).copied().unwrap_or_default());
        }
        changed
    }

    fn frame(&mut self, octet: u8) -> bool {
        self.weigh(octet);
        let aligning = octet & ALIGNMENT == 0;
        let before = core::mem::replace(&mut self.last_octet, octet);
        let Some(frame) = self.next else {
            // Behind an octet with a one at least: all zeros are no multiframe. G.732, §5.2.
            if aligning && before != 0 {
                self.arriving = [octet; FRAMES];
                self.next = Some(1);
            }
            return false;
        };
        if frame == 0 {
            self.misses = if aligning { 0 } else { self.misses.saturating_add(1) };
            if self.misses >= MISSES_MAX {
                self.lose();
                return false;
            }
        }
        if let Some(place) = self.arriving.get_mut(frame) {
            *place = octet;
        }
        let last = frame.wrapping_add(1) == FRAMES;
        self.next = Some(if last { 0 } else { frame.wrapping_add(1) });
        last && self.misses == 0 && self.take()
    }
    /// A whole multiframe is there.
    fn take(&mut self) -> bool {
        self.aligned = true;
        let mut changed = 0_u16;
        let pairs = self.registers.iter_mut().zip(self.arriving);
        for (n, (register, arrived)) in pairs.enumerate() {
            if *register != arrived {
                *register = arrived;
                changed |= 1_u16.wrapping_shl(n as u32);
            }
        }
        self.changed |= changed;
        changed != 0
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::*;
    use tdm::Law;

    const IDLE: [u8; FRAMES] = {
        let mut registers = [0x99; FRAMES];
        registers[0] = 0x0B;
        registers
    };

    /// Sends `millis` of `registers`, the receiver hearing them as late as `late` is long.
    fn run(
        sender: &mut Sender,
        receiver: &mut Receiver,
        late: &mut Vec<u8>,
        registers: &[u8],
        millis: usize,
    ) -> usize {
        let mut changes = 0;
        for _ in 0..millis {
            let mut block = Block::idle(Law::A);
            sender.fill(registers, &mut block);
            late.extend(block.octets.iter().map(|row| row[TIMESLOT]));
            for (row, octet) in block.octets.iter_mut().zip(late.drain(..SAMPLES)) {
                row[TIMESLOT] = octet;
            }
            changes += usize::from(receiver.millisecond(&block));
        }
        changes
    }

    #[test]
    fn bits_arrive_within_two_multiframes_wherever_the_multiframe_begins() {
        for delay in 0..FRAMES {
            let (mut sender, mut receiver) = (Sender::default(), Receiver::default());
            let mut late = vec![0xFF; delay];
            assert_eq!(run(&mut sender, &mut receiver, &mut late, &IDLE, 8), 1, "{delay}");
            assert!(receiver.is_aligned());
            assert_eq!(receiver.registers, IDLE);
            receiver.changed = 0;
            let mut off_hook = IDLE;
            off_hook[3] = 0x19;
            assert!(run(&mut sender, &mut receiver, &mut late, &off_hook, 6) >= 1);
            assert_eq!((receiver.registers, receiver.changed), (off_hook, 1 << 3));
            assert_eq!(run(&mut sender, &mut receiver, &mut late, &off_hook, 50), 0);
        }
    }

    #[test]
    fn one_wrong_alignment_is_survived_and_the_second_in_a_row_loses_the_multiframe() {
        let (mut sender, mut receiver) = (Sender::default(), Receiver::default());
        let mut late = Vec::new();
        run(&mut sender, &mut receiver, &mut late, &IDLE, 8);
        let mut broken = IDLE;
        broken[0] = 0x5B;
        run(&mut sender, &mut receiver, &mut late, &broken, 2);
        run(&mut sender, &mut receiver, &mut late, &IDLE, 2);
        assert!(receiver.is_aligned());
        run(&mut sender, &mut receiver, &mut late, &broken, 4);
        assert!(!receiver.is_aligned());
        assert_eq!(receiver.registers, IDLE, "nothing of a broken multiframe is taken");
        run(&mut sender, &mut receiver, &mut late, &IDLE, 6);
        assert!(receiver.is_aligned());
    }

    /// G.732, §5.2: neither all ones nor all zeros are a multiframe; a multiframe with bit Y is one.
    #[test]
    fn a_dead_timeslot_16_is_told_by_what_it_carries_and_the_far_ends_alarm_by_bit_y() {
        let lost = falc::FRS1_TS16LFA;
        for (octet, alarm) in
            [(0xFF, lost | falc::FRS1_TS16AIS), (0x00, lost | falc::FRS1_TS16LOS), (0x55, lost)]
        {
            let (mut sender, mut receiver) = (Sender::default(), Receiver::default());
            let mut late = Vec::new();
            run(&mut sender, &mut receiver, &mut late, &IDLE, 8);
            assert_eq!(receiver.alarms(), 0);
            run(&mut sender, &mut receiver, &mut late, &[octet; FRAMES], 8);
            assert_eq!(receiver.alarms(), alarm, "{octet:#04x}");
            assert_eq!(receiver.registers, IDLE, "nothing of it is taken");
            run(&mut sender, &mut receiver, &mut late, &IDLE, 8);
            assert_eq!(receiver.alarms(), 0, "{octet:#04x}");
        }
        let (mut sender, mut receiver) = (Sender::default(), Receiver::default());
        let mut alarmed = IDLE;
        alarmed[0] |= falc::XS1_Y;
        run(&mut sender, &mut receiver, &mut Vec::new(), &alarmed, 8);
        assert_eq!(receiver.alarms(), falc::FRS1_TS16RA);
    }

    #[test]
    fn speech_in_timeslot_16_is_no_signalling() {
        let mut receiver = Receiver::default();
        for _ in 0..100 {
            receiver.millisecond(&Block::idle(Law::A));
        }
        assert!(!receiver.is_aligned());
        assert_eq!(receiver.changed, 0);
    }
}
