//! The board's layout of a millisecond and the rows of a [`tdm::Block`], either into the other.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

use firmware_headers::dma::PORT_OCTETS;
use tdm::{SAMPLES, TIMESLOTS};

/// One port's millisecond as the board has it: eight samples of slot 0, eight of slot 1…
pub type PortOctets = [u8; PORT_OCTETS];
/// The same as rows: a row is one instant of all timeslots.
pub type Rows = [[u8; TIMESLOTS]; SAMPLES];

/// Turns one port's millisecond from the board's order into rows for the lanes.
///
/// Called once a millisecond for every port on the board thread. Both shapes are fixed: nothing to
/// allocate, nothing to check, nothing that can fail. Eight slots are turned over at a time, as a matrix
/// of 8 × 8 octets in eight words.
pub fn to_rows(port: &PortOctets, rows: &mut Rows) {
    let (groups, _) = port.as_chunks::<64>();
    for (group, square) in groups.iter().enumerate() {
        let at = group.wrapping_mul(8);
        let turned = transposed(words(square));
        for (row, word) in rows.iter_mut().zip(turned) {
            if let Some(lanes) = row.get_mut(at..).and_then(|lanes| lanes.first_chunk_mut::<8>()) {
                *lanes = word.to_le_bytes();
            }
        }
    }
}

/// Turns rows into one port's millisecond in the board's order. As [`to_rows`], the other way.
pub fn from_rows(rows: &Rows, port: &mut PortOctets) {
    let (groups, _) = port.as_chunks_mut::<64>();
    for (group, square) in groups.iter_mut().enumerate() {
        let at = group.wrapping_mul(8);
        let mut lines = [0; 8];
        for (line, row) in lines.iter_mut().zip(rows) {
            if let Some(lanes) = row.get(at..).and_then(|lanes| lanes.first_chunk::<8>()) {
                *line = u64::from_le_bytes(*lanes);
            }
        }
        let (slots, _) = square.as_chunks_mut::<8>();
        for (slot, word) in slots.iter_mut().zip(transposed(lines)) {
            *slot = word.to_le_bytes();
        }
    }
}

fn words(square: &[u8; 64]) -> [u64; 8] {
    let (slots, _) = square.as_chunks::<8>();
    let mut words = [0; 8];
    for (word, slot) in words.iter_mut().zip(slots) {
        *word = u64::from_le_bytes(*slot);
    }
    words
}

/// Octet c of word r becomes octet r of word c: quarters, then quarters of quarters, then octets.
const fn transposed(m: [u64; 8]) -> [u64; 8] {
    const fn swap(a: u64, b: u64, by: u32, low: u64) -> (u64, u64) {
        let differing = (a.wrapping_shr(by) ^ b) & low;
        (a ^ differing.wrapping_shl(by), b ^ differing)
    }
    const HALVES: u64 = 0x0000_0000_FFFF_FFFF;
    const PAIRS: u64 = 0x0000_FFFF_0000_FFFF;
    const OCTETS: u64 = 0x00FF_00FF_00FF_00FF;
    let [a, b, c, d, e, f, g, h] = m;
    let (a, e) = swap(a, e, 32, HALVES);
    let (b, f) = swap(b, f, 32, HALVES);
    let (c, g) = swap(c, g, 32, HALVES);
    let (d, h) = swap(d, h, 32, HALVES);
    let (a, c) = swap(a, c, 16, PAIRS);
    let (b, d) = swap(b, d, 16, PAIRS);
    let (e, g) = swap(e, g, 16, PAIRS);
    let (f, h) = swap(f, h, 16, PAIRS);
    let (a, b) = swap(a, b, 8, OCTETS);
    let (c, d) = swap(c, d, 8, OCTETS);
    let (e, f) = swap(e, f, 8, OCTETS);
    let (g, h) = swap(g, h, 8, OCTETS);
    [a, b, c, d, e, f, g, h]
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::*;
    use tdm::Rng;

    #[test]
    fn every_octet_lands_in_its_row_and_lane_and_comes_back() {
        let mut rng = Rng::from_seed(3);
        for _ in 0..100 {
            let mut port = [0; PORT_OCTETS];
            port.fill_with(|| rng.next_u64() as u8);
            let mut rows = [[0; TIMESLOTS]; SAMPLES];
            to_rows(&port, &mut rows);
            for (sample, row) in rows.iter().enumerate() {
                for (slot, &octet) in row.iter().enumerate() {
                    assert_eq!(octet, port[slot * 8 + sample]);
                }
            }
            let mut back = [0; PORT_OCTETS];
            from_rows(&rows, &mut back);
            assert_eq!(back, port);
        }
    }
}
