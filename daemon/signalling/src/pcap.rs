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

/// One record of a capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// When, counted from the capture's zero.
    pub at: Instant,
    /// The side that made the capture.
    pub side: Side,
    /// It sent the frame.
    pub sent: bool,
    /// Without FCS.
    pub frame: &'a [u8],
}

/// The records of a capture that was made here; ends early where the file was cut. `None`: it is no such file.
pub fn records(file: &[u8]) -> Option<impl Iterator<Item = Record<'_>>> {
    let header = file_header();
    let mut rest = file.strip_prefix(&header[..])?;
    let word = |octets: &[u8]| octets.first_chunk::<4>().map(|octets| u32::from_le_bytes(*octets));
    Some(std::iter::from_fn(move || {
        let seconds = word(rest)?;
        let micros = word(rest.get(4..)?)?;
        let len = usize::try_from(word(rest.get(8..)?)?).ok()?;
        let packet = rest.get(16..)?.get(..len)?;
        rest = rest.get(16 + len..)?;
        let (pseudo, frame) = packet.split_at_checked(PSEUDO_HEADER_OCTETS)?;
        let side = if pseudo.get(6) == Some(&1) { Side::Network } else { Side::User };
        let at = Instant::micros(u64::from(seconds) * 1_000_000 + u64::from(micros));
        Some(Record { at, side, sent: pseudo.get(1) == Some(&4), frame })
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_back_up_to_where_it_was_cut() {
        let mut file = file_header().to_vec();
        let frames: [&[u8]; 2] = [&[2, 1, 0x7F], &[0, 1, 0x73]];
        for (n, frame) in frames.into_iter().enumerate() {
            file.extend(record(Instant::millis(1500), Side::Network, n == 0, frame));
        }
        let read = |file| records(file).map(|records| records.collect::<Vec<_>>());
        let all = read(&file).expect("ours");
        let at = Instant::millis(1500);
        assert_eq!(all[0], Record { at, side: Side::Network, sent: true, frame: frames[0] });
        assert_eq!(all[1], Record { at, side: Side::Network, sent: false, frame: frames[1] });
        for len in 0..file.len() {
            let count = read(&file[..len]).map(|records| records.len());
            let whole = len.checked_sub(24).map(|len| len / 35);
            assert_eq!(count, whole, "{len} octets");
        }
    }

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
