//! The one kind of WAV this crate carries: A-law, 8 kHz, mono.

/// Why a file is not A-law speech of a telephone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WavError {
    /// No RIFF/WAVE header.
    #[error("not a WAV file")]
    NotWav,
    /// A chunk ends beyond the file.
    #[error("the file ends inside a chunk")]
    Truncated,
    /// Another coding, rate or number of channels.
    #[error("not A-law, 8 kHz, mono (format {format}, {rate_hz} Hz, {channels} channels)")]
    Format {
        /// The WAVE format tag; 6 is A-law.
        format: u16,
        /// Samples a second.
        rate_hz: u32,
        /// Channels.
        channels: u16,
    },
    /// No samples, or no format before them.
    #[error("no format or no samples")]
    Empty,
}

/// The A-law octets of a WAV file.
///
/// # Errors
/// One variant for each way a file can be something else.
pub fn alaw(file: &[u8]) -> Result<&[u8], WavError> {
    const A_LAW: u16 = 6;
    let [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'A', b'V', b'E', chunks @ ..] = file else {
        return Err(WavError::NotWav);
    };
    let mut rest = chunks;
    let mut is_alaw = false;
    while let [a, b, c, d, l0, l1, l2, l3, body @ ..] = rest {
        let len = u32::from_le_bytes([*l0, *l1, *l2, *l3]) as usize;
        let content = body.get(..len).ok_or(WavError::Truncated)?;
        match &[*a, *b, *c, *d] {
            b"fmt " => {
                let [f0, f1, c0, c1, r0, r1, r2, r3, ..] = content else {
                    return Err(WavError::Truncated);
                };
                let format = u16::from_le_bytes([*f0, *f1]);
                let channels = u16::from_le_bytes([*c0, *c1]);
                let rate_hz = u32::from_le_bytes([*r0, *r1, *r2, *r3]);
                if (format, channels, rate_hz) != (A_LAW, 1, 8000) {
                    return Err(WavError::Format { format, rate_hz, channels });
                }
                is_alaw = true;
            }
            b"data" if is_alaw && !content.is_empty() => return Ok(content),
            _ => {}
        }
        // Chunks begin at even offsets.
        rest = body.get(len.saturating_add(len & 1)..).unwrap_or_default();
    }
    Err(WavError::Empty)
}

#[cfg(test)]
mod tests {
    use super::{WavError, alaw};
    use tdm::Rng;

    fn wav() -> Vec<u8> {
        let mut file = b"RIFF\0\0\0\0WAVEfmt ".to_vec();
        file.extend(16_u32.to_le_bytes());
        file.extend([6, 0, 1, 0, 0x40, 0x1F, 0, 0, 0x40, 0x1F, 0, 0, 1, 0, 8, 0]);
        file.extend(b"LIST");
        file.extend(3_u32.to_le_bytes());
        file.extend(*b"odd\0data");
        file.extend(4_u32.to_le_bytes());
        file.extend([0xD5, 0x55, 0x2A, 0xAA]);
        file
    }

    #[test]
    fn samples_are_found_behind_chunks_of_odd_length() {
        assert_eq!(alaw(&wav()), Ok(&[0xD5, 0x55, 0x2A, 0xAA][..]));
    }

    #[test]
    fn every_prefix_and_every_mutation_is_refused_or_read_without_panic() {
        let whole = wav();
        for end in 0..whole.len() {
            assert!(alaw(&whole[..end]).is_err(), "prefix of {end}");
        }
        let mut rng = Rng::from_seed(6);
        let mut read = 0;
        for _ in 0..1_000_000 {
            let mut file = wav();
            for _ in 0..=rng.below(3) {
                let at = rng.below(file.len() as u64) as usize;
                file[at] = rng.next_u64() as u8;
            }
            file.truncate(rng.between(8, file.len() as u64) as usize);
            read += u32::from(alaw(&file).is_ok());
        }
        assert!(read > 1000, "{read}");
    }

    #[test]
    fn another_coding_is_named() {
        let mut file = wav();
        file[20] = 1;
        assert_eq!(alaw(&file), Err(WavError::Format { format: 1, rate_hz: 8000, channels: 1 }));
    }
}
