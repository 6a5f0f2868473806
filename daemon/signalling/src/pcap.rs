//! A capture of a D-channel, as bytes: pcap with link type 177 (LINUX_LAPD), which every analyser reads.

use tdm::Instant;

use crate::Side;

/// LINUX_LAPD: 16 octets of pseudo header before the frame, which comes without FCS.
const LINK_TYPE: u32 = 177;
const SNAP_OCTETS: u32 = 65_535;
const PSEUDO_HEADER_OCTETS: usize = 16;

/// What a capture file begins with.
pub fn file_header() -> [u8; 24] {
    let mut header = [0; 24];
    let words = [0xA1B2_C3D4, 0x0002_0004, 0, 0, SNAP_OCTETS, LINK_TYPE];
    for (place, (n, word)) in header.chunks_exact_mut(4).zip(words.into_iter().enumerate()) {
        // The version is two half words, 2 and 4, each little-endian.
        let word: u32 = if n == 1 { word.rotate_right(16) } else { word };
        place.copy_from_slice(&word.to_le_bytes());
    }
    header
}

/// One frame that we, being `side`, sent or received at `at` (counted from the capture's zero).
pub fn record(at: Instant, side: Side, sent: bool, frame: &[u8]) -> Vec<u8> {
    let micros = at.as_micros();
    let len = u32::try_from(PSEUDO_HEADER_OCTETS + frame.len()).unwrap_or(SNAP_OCTETS);
    let seconds = u32::try_from(micros / 1_000_000).unwrap_or(u32::MAX);
    let mut record = Vec::with_capacity(16 + PSEUDO_HEADER_OCTETS + frame.len());
    for word in [seconds, (micros % 1_000_000) as u32, len, len] {
        record.extend(word.to_le_bytes());
    }
    // Packet type (0 to us, 4 from us), ARPHRD_LAPD's neighbour ISDN, one octet of address: 1 on a network.
    record.extend([0, if sent { 4 } else { 0 }, 0x01, 0x2C, 0, 1]);
    record.extend([u8::from(side == Side::Network), 0, 0, 0, 0, 0, 0, 0]);
    record.extend([0x00, 0x30]);
    record.extend(frame);
    record
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capture_is_laid_out_as_analysers_expect() {
        let header = file_header();
        assert_eq!(header[..8], [0xD4, 0xC3, 0xB2, 0xA1, 2, 0, 4, 0]);
        assert_eq!(header[20..], [177, 0, 0, 0]);
        let record = record(Instant::micros(2_000_003), Side::Network, true, &[2, 1, 0x7F]);
        assert_eq!(record[..16], [2, 0, 0, 0, 3, 0, 0, 0, 19, 0, 0, 0, 19, 0, 0, 0]);
        assert_eq!(record[16..24], [0, 4, 1, 0x2C, 0, 1, 1, 0]);
        assert_eq!(record[30..], [0, 0x30, 2, 1, 0x7F]);
    }
}
