//! Robbed-bit signalling of a T1: the last bit of every channel in each sixth frame. ANSI T1.403, §7.
//!
//! A superframe (D4) has 12 frames, A in the sixth and B in the twelfth; an extended one (ESF) 24, with A, B,
//! C and D in the frames 6, 12, 18 and 24. Where a millisecond stands in it travels with the frames.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

use tdm::{Block, SAMPLES};

use crate::Framing;

/// Frames of an extended superframe, and of two superframes.
pub(crate) const FRAMES: u8 = 24;
/// Channels of a T1.
pub(crate) const CHANNELS: usize = 24;
/// Signalling registers of a T1 port.
pub(crate) const REGISTERS: usize = 12;
const EVERY: u8 = 6;
const ROBBED: u8 = 0x01;

/// Which signalling bit, counted from A, the frame `at` (0 to 23) carries.
fn carried(at: u8) -> Option<u32> {
    let last = at % EVERY == EVERY.wrapping_sub(1);
    last.then(|| u32::from(at / EVERY))
}

/// Where bit `bit` (0 to 3) of `channel` (1 to 24) is: register, and the bit in it.
///
/// ESF: two channels a register, ABCD each. D4: four channels a register, AB each; the second superframe of
/// a pair has its own six registers.
fn place(framing: Framing, channel: usize, bit: u32) -> (usize, u8) {
    let at = channel.wrapping_sub(1);
    let (register, shift) = match framing {
        Framing::D4 => {
            let half = if bit >= 2 { REGISTERS / 2 } else { 0 };
            let pair = 3_u32.wrapping_sub((at % 4) as u32).wrapping_mul(2);
            (half.wrapping_add(at / 4), pair.wrapping_add(1_u32.wrapping_sub(bit % 2)))
        }
        Framing::Esf | Framing::E1 => {
            let nibble = if at.is_multiple_of(2) { 4 } else { 0_u32 };
            (at / 2, nibble.wrapping_add(3_u32.wrapping_sub(bit.min(3))))
        }
    };
    (register, 1_u8.wrapping_shl(shift))
}

/// Robs the bits of a millisecond that begins with frame `at`. `clear`: bit n is set when channel n is not
/// to be touched.
pub(crate) fn rob(framing: Framing, at: u8, registers: &[u8], clear: u32, block: &mut Block) {
    for (frame, row) in (at..).zip(&mut block.octets) {
        let Some(bit) = carried(frame % FRAMES) else { continue };
        for (channel, octet) in row.iter_mut().enumerate().skip(1).take(CHANNELS) {
            if clear.wrapping_shr(channel as u32) & 1 == 1 {
                continue;
            }
            let (register, mask) = place(framing, channel, bit);
            let set = registers.get(register).is_some_and(|value| value & mask != 0);
            *octet = if set { *octet | ROBBED } else { *octet & !ROBBED };
        }
    }
}

/// What the receiver collects.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Receiver {
    arriving: [u8; REGISTERS],
    /// Milliseconds since the receiver began: a whole superframe has to pass first.
    frames: u8,
    /// RS1 to RS12.
    pub registers: [u8; REGISTERS],
    /// Bit n: RS(n + 1) changed since that was read.
    pub changed: u16,
}

impl Receiver {
    /// Searches anew; the registers keep what they had.
    pub(crate) fn lose(&mut self) {
        self.frames = 0;
    }
    /// Reads a millisecond that begins with frame `at`. Whether a signalling bit changed.
    pub(crate) fn millisecond(
        &mut self,
        framing: Framing,
        at: u8,
        clear: u32,
        block: &Block,
    ) -> bool {
        self.frames = self.frames.saturating_add(SAMPLES as u8);
        let mut changed = 0_u16;
        for (frame, row) in (at..).zip(&block.octets) {
            let Some(bit) = carried(frame % FRAMES) else { continue };
            for (channel, octet) in row.iter().enumerate().skip(1).take(CHANNELS) {
                let heard = clear.wrapping_shr(channel as u32) & 1 == 0 && octet & ROBBED != 0;
                let (register, mask) = place(framing, channel, bit);
                if let Some(place) = self.arriving.get_mut(register) {
                    *place = if heard { *place | mask } else { *place & !mask };
                }
            }
            let ends = frame % FRAMES == FRAMES.wrapping_sub(1);
            if ends && self.frames >= FRAMES {
                changed |= self.take();
            }
        }
        self.changed |= changed;
        changed != 0
    }
    fn take(&mut self) -> u16 {
        let mut changed = 0_u16;
        for (n, (register, arrived)) in self.registers.iter_mut().zip(self.arriving).enumerate() {
            if *register != arrived {
                *register = arrived;
                changed |= 1_u16.wrapping_shl(n as u32);
            }
        }
        changed
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::*;
    use tdm::{Law, Rng};

    fn run(framing: Framing, registers: &[u8], clear: u32, millis: u32) -> (Receiver, Block) {
        let mut receiver = Receiver::default();
        let mut block = Block::idle(Law::Mu);
        for n in 0..millis {
            let at = (n * 8 % 24) as u8;
            block = Block::idle(Law::Mu);
            rob(framing, at, registers, clear, &mut block);
            receiver.millisecond(framing, at, clear, &block);
        }
        (receiver, block)
    }

    #[test]
    fn all_registers_of_an_extended_superframe_cross_in_six_milliseconds() {
        let mut rng = Rng::from_seed(8);
        for _ in 0..50 {
            let mut registers = [0; REGISTERS];
            registers.fill_with(|| rng.next_u64() as u8);
            assert_eq!(run(Framing::Esf, &registers, 0, 6).0.registers, registers);
        }
    }

    #[test]
    fn a_superframe_carries_a_and_b_of_four_channels_a_register() {
        let mut registers = [0; REGISTERS];
        registers[0] = 0b10_01_11_00;
        registers[6] = 0b10_01_11_00;
        let (receiver, _) = run(Framing::D4, &registers, 0, 6);
        assert_eq!(receiver.registers, registers);
        assert_eq!(place(Framing::D4, 1, 0), (0, 0x80));
        assert_eq!(place(Framing::D4, 24, 1), (5, 0x01));
        assert_eq!(place(Framing::Esf, 24, 3), (11, 0x01));
    }

    #[test]
    fn one_octet_in_six_loses_its_last_bit_and_clear_channels_lose_none() {
        let (_, block) = run(Framing::Esf, &[0; REGISTERS], 1 << 5, 1);
        for (frame, row) in block.octets.iter().enumerate() {
            let robbed = if frame == 5 { 0xFE } else { 0xFF };
            assert_eq!(
                (row[0], row[1], row[5], row[24], row[25]),
                (0xFF, robbed, 0xFF, robbed, 0xFF)
            );
        }
    }
}
