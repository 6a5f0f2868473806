//! WAV files a prompt may be: 8 kHz, mono, 16-bit linear, A-law or µ-law.

use dsp::g711;
use tdm::Law;

/// Format tags. RFC 2361.
const LINEAR: u16 = 1;
const A_LAW: u16 = 6;
const MU_LAW: u16 = 7;
/// The real tag stands in the first two octets of the sub-format, 24 octets into the chunk.
const EXTENSIBLE: u16 = 0xFFFE;

/// Why a file cannot be a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WavError {
    /// No RIFF/WAVE header.
    #[error("this is no WAV file")]
    NotWav,
    /// A chunk says it is longer than the file.
    #[error("the file ends inside a chunk")]
    Truncated,
    /// Samples of another kind.
    #[error(
        "a prompt is 8000 Hz, mono, 16-bit linear, A-law or µ-law; this has format {format}, \
         {rate_hz} Hz, {channels} channels, {bits} bits"
    )]
    Format {
        /// The WAVE format tag.
        format: u16,
        /// Samples a second.
        rate_hz: u32,
        /// Channels.
        channels: u16,
        /// Bits a sample.
        bits: u16,
    },
    /// No samples, or no format before them.
    #[error("there are no samples in it")]
    Empty,
}

#[derive(Clone, Copy)]
enum Coding {
    Linear,
    Companded(Law),
}

/// The samples of a WAV file, 16 bits, 8 kHz.
///
/// # Errors
/// One variant for each way a file can be something else.
pub fn read(file: &[u8]) -> Result<Vec<i16>, WavError> {
    let [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'A', b'V', b'E', chunks @ ..] = file else {
        return Err(WavError::NotWav);
    };
    let (mut rest, mut coding) = (chunks, None);
    while let [a, b, c, d, l0, l1, l2, l3, body @ ..] = rest {
        let len = u32::from_le_bytes([*l0, *l1, *l2, *l3]) as usize;
        let content = body.get(..len).ok_or(WavError::Truncated)?;
        match (&[*a, *b, *c, *d], coding) {
            (b"fmt ", _) => coding = Some(coding_of(content)?),
            (b"data", Some(coding)) if len > 0 => return Ok(samples(content, coding)),
            _ => {}
        }
        // Chunks begin at even offsets.
        rest = body.get(len.saturating_add(len & 1)..).unwrap_or_default();
    }
    Err(WavError::Empty)
}

fn coding_of(content: &[u8]) -> Result<Coding, WavError> {
    let [f0, f1, c0, c1, r0, r1, r2, r3, _, _, _, _, _, _, b0, b1, extension @ ..] = content else {
        return Err(WavError::Truncated);
    };
    let format = match (u16::from_le_bytes([*f0, *f1]), extension) {
        (EXTENSIBLE, [_, _, _, _, _, _, _, _, s0, s1, ..]) => u16::from_le_bytes([*s0, *s1]),
        (format, _) => format,
    };
    let channels = u16::from_le_bytes([*c0, *c1]);
    let rate_hz = u32::from_le_bytes([*r0, *r1, *r2, *r3]);
    let bits = u16::from_le_bytes([*b0, *b1]);
    match (format, bits) {
        _ if channels != 1 || rate_hz != 8000 => {}
        (LINEAR, 16) => return Ok(Coding::Linear),
        (A_LAW, 8) => return Ok(Coding::Companded(Law::A)),
        (MU_LAW, 8) => return Ok(Coding::Companded(Law::Mu)),
        _ => {}
    }
    Err(WavError::Format { format, rate_hz, channels, bits })
}

fn samples(content: &[u8], coding: Coding) -> Vec<i16> {
    match coding {
        Coding::Linear => {
            content.as_chunks().0.iter().map(|&pair| i16::from_le_bytes(pair)).collect()
        }
        Coding::Companded(law) => content.iter().map(|&octet| g711::decode(law, octet)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tdm::Rng;

    fn wav(format: u16, bits: u16, data: &[u8]) -> Vec<u8> {
        let mut file = b"RIFF\0\0\0\0WAVEfmt ".to_vec();
        file.extend(16_u32.to_le_bytes());
        file.extend(format.to_le_bytes());
        file.extend(1_u16.to_le_bytes());
        file.extend(8000_u32.to_le_bytes());
        file.extend((8000 * u32::from(bits) / 8).to_le_bytes());
        file.extend((bits / 8).to_le_bytes());
        file.extend(bits.to_le_bytes());
        file.extend(b"LIST");
        file.extend(3_u32.to_le_bytes());
        file.extend(*b"odd\0data");
        file.extend((data.len() as u32).to_le_bytes());
        file.extend(data);
        file
    }

    #[test]
    fn all_three_codings_are_read() {
        assert_eq!(read(&wav(LINEAR, 16, &[0x34, 0x12, 0xFF, 0xFF])), Ok(vec![0x1234, -1]));
        let a = read(&wav(A_LAW, 8, &[0xD5, 0x55])).expect("A-law");
        assert_eq!(a, [g711::decode(Law::A, 0xD5), g711::decode(Law::A, 0x55)]);
        let mu = read(&wav(MU_LAW, 8, &[0xFF])).expect("µ-law");
        assert_eq!(mu, [g711::decode(Law::Mu, 0xFF)]);
    }

    #[test]
    fn other_kinds_are_refused_with_their_figures() {
        let mut file = wav(LINEAR, 16, &[0; 4]);
        file[24..28].copy_from_slice(&44_100_u32.to_le_bytes());
        assert_eq!(
            read(&file),
            Err(WavError::Format { format: 1, rate_hz: 44_100, channels: 1, bits: 16 })
        );
        assert_eq!(read(b"ID3 something"), Err(WavError::NotWav));
        assert_eq!(read(&wav(LINEAR, 16, &[])), Err(WavError::Empty));
    }

    #[test]
    fn a_million_mutated_files_are_read_or_refused_without_panic() {
        let mut rng = Rng::from_seed(11);
        let whole = [wav(LINEAR, 16, &[1; 8]), wav(A_LAW, 8, &[1; 7]), wav(MU_LAW, 8, &[1; 5])];
        for end in 0..whole[0].len() {
            assert!(read(&whole[0][..end]).is_err(), "prefix of {end}");
        }
        let mut read_count = 0;
        for round in 0..1_000_000 {
            let mut file = whole[round % 3].clone();
            for _ in 0..rng.below(4) {
                let at = rng.below(file.len() as u64) as usize;
                file[at] = rng.next_u64() as u8;
            }
            file.truncate(rng.between(4, file.len() as u64 * 4) as usize);
            read_count += u32::from(read(&file).is_ok());
        }
        assert!(read_count > 10_000, "{read_count}");
    }
}
