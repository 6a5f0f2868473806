//! One port's millisecond between the board's order in host memory and rows of timeslots.
//!
//! In memory a slot's eight samples lie together; in a [`Block`] the 32 timeslots of one instant do. Both
//! are eight times a square of eight by eight octets, which is turned in three steps of masks and shifts.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

use firmware_headers::dma;
use tdm::{Block, SAMPLES};

/// Slots turned at once.
const GROUP_SLOTS: usize = 8;
const GROUP_OCTETS: usize = GROUP_SLOTS * dma::SLOT_OCTETS;

/// Turns a square: octet `i` of word `j` becomes octet `j` of word `i`.
fn turn(mut square: [u64; 8]) -> [u64; 8] {
    for (step, mask) in [
        (4_usize, 0x0000_0000_FFFF_FFFF_u64),
        (2, 0x0000_FFFF_0000_FFFF),
        (1, 0x00FF_00FF_00FF_00FF),
    ] {
        let shift = (step as u32).wrapping_mul(8);
        for pair in square.chunks_exact_mut(step.wrapping_mul(2)) {
            let (low, high) = pair.split_at_mut(step);
            for (a, b) in low.iter_mut().zip(high) {
                let crossed = (a.wrapping_shr(shift) ^ *b) & mask;
                *b ^= crossed;
                *a ^= crossed.wrapping_shl(shift);
            }
        }
    }
    square
}

/// Reads a port's part of a transmit buffer.
///
/// Called once a millisecond and port; shorter input leaves the rest of `block` as it was.
pub(crate) fn to_block(port: &[u8], block: &mut Block) {
    for (group, slots) in port.chunks_exact(GROUP_OCTETS).enumerate() {
        let mut square = [0; 8];
        for (word, slot) in square.iter_mut().zip(slots.chunks_exact(dma::SLOT_OCTETS)) {
            let mut octets = [0; dma::SLOT_OCTETS];
            octets.copy_from_slice(slot);
            *word = u64::from_le_bytes(octets);
        }
        for (row, word) in block.octets.iter_mut().zip(turn(square)) {
            if let Some(lanes) = row.chunks_exact_mut(GROUP_SLOTS).nth(group) {
                lanes.copy_from_slice(&word.to_le_bytes());
            }
        }
    }
}

/// Writes a port's part of a receive buffer.
pub(crate) fn from_block(block: &Block, port: &mut [u8]) {
    for (group, slots) in port.chunks_exact_mut(GROUP_OCTETS).enumerate() {
        let mut square = [0; SAMPLES];
        for (word, row) in square.iter_mut().zip(&block.octets) {
            if let Some(lanes) = row.chunks_exact(GROUP_SLOTS).nth(group) {
                let mut octets = [0; GROUP_SLOTS];
                octets.copy_from_slice(lanes);
                *word = u64::from_le_bytes(octets);
            }
        }
        for (slot, word) in slots.chunks_exact_mut(dma::SLOT_OCTETS).zip(turn(square)) {
            slot.copy_from_slice(&word.to_le_bytes());
        }
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::*;
    use tdm::{Law, Rng, TIMESLOTS};

    #[test]
    fn every_octet_lands_where_the_layout_says() {
        let mut rng = Rng::from_seed(5);
        let mut memory = [0; dma::PORT_OCTETS];
        memory.fill_with(|| rng.next_u64() as u8);
        let mut block = Block::idle(Law::A);
        to_block(&memory, &mut block);
        for slot in 0..TIMESLOTS {
            for sample in 0..SAMPLES {
                assert_eq!(block.octets[sample][slot], memory[dma::offset(0, slot, sample)]);
            }
        }
        let mut back = [0; dma::PORT_OCTETS];
        from_block(&block, &mut back);
        assert_eq!(back, memory);
    }
}
