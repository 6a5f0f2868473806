//! Recordings as octets of a timeslot. Nothing a file says about itself is believed beyond its own length.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use dsp::g711;
use tdm::Law;

/// The largest file that is read: 24 hours of 16-bit samples.
const FILE_OCTETS_MAX: u64 = 24 * 3600 * 16_000;

/// The octets of a recording in `law`.
///
/// # Errors
/// When the file cannot be read, is no WAV of 8 kHz mono in a coding we know, or is too large.
pub fn read(path: &Path, law: Law) -> Result<Vec<u8>> {
    let metadata = fs::metadata(path).context("cannot be opened")?;
    // A pipe or a device might never end.
    ensure!(metadata.is_file(), "is no file");
    ensure!(metadata.len() <= FILE_OCTETS_MAX, "is longer than 24 hours");
    let bytes = fs::read(path).context("cannot be read")?;
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
    match extension.to_ascii_lowercase().as_str() {
        "al" => Ok(converted(&bytes, Law::A, law)),
        "ul" => Ok(converted(&bytes, Law::Mu, law)),
        _ => wav(&bytes, law),
    }
}

fn converted(octets: &[u8], from: Law, to: Law) -> Vec<u8> {
    octets.iter().map(|&octet| g711::convert(from, to, octet)).collect()
}

/// How the samples of a WAV are coded. RFC 2361.
#[derive(Clone, Copy, PartialEq)]
enum Coding {
    Pcm16,
    Law(Law),
}

/// Walks the chunks of a RIFF file; a chunk that claims more than there is has what there is.
fn wav(bytes: &[u8], law: Law) -> Result<Vec<u8>> {
    let Some((riff, mut rest)) = bytes.split_at_checked(12) else {
        bail!("is too short for a WAV")
    };
    ensure!(riff.starts_with(b"RIFF") && riff.ends_with(b"WAVE"), "is no WAV");
    let mut coding = None;
    while let Some((header, body)) = rest.split_at_checked(8) {
        let (id, len) = header.split_at(4);
        let len = len.try_into().map_or(0, u32::from_le_bytes) as usize;
        let content = body.get(..len).unwrap_or(body);
        match id {
            b"fmt " => coding = Some(format(content)?),
            b"data" => {
                let (coding, channels) = coding.context("has samples before their format")?;
                return Ok(samples(content, coding, channels, law));
            }
            _ => {}
        }
        // Chunks start at even offsets.
        rest = body.get(len.saturating_add(len & 1)..).unwrap_or_default();
    }
    bail!("has no samples")
}

/// Coding and channels: of two the first is read, which in recordings of this program is who called or was called.
fn format(content: &[u8]) -> Result<(Coding, usize)> {
    let word =
        |at: usize| content.get(at..at + 2).and_then(|w| w.try_into().ok()).map(u16::from_le_bytes);
    let (Some(mut tag), Some(channels), Some(bits)) = (word(0), word(2), word(14)) else {
        bail!("has a format chunk that is too short");
    };
    let rate = content.get(4..8).and_then(|w| w.try_into().ok()).map(u32::from_le_bytes);
    ensure!(matches!(channels, 1 | 2), "has {channels} channels, not one or two");
    ensure!(rate == Some(8000), "has {} samples a second, not 8000", rate.unwrap_or_default());
    if tag == 0xFFFE {
        // WAVE_FORMAT_EXTENSIBLE: the tag is the start of the sub-format.
        tag = word(24).context("has an extensible format without sub-format")?;
    }
    let coding = match (tag, bits) {
        (1, 16) => Coding::Pcm16,
        (6, 8) => Coding::Law(Law::A),
        (7, 8) => Coding::Law(Law::Mu),
        _ => {
            bail!("is coded as format {tag} with {bits} bits; 16-bit PCM, A-law and µ-law are read")
        }
    };
    Ok((coding, usize::from(channels)))
}

fn samples(content: &[u8], coding: Coding, channels: usize, law: Law) -> Vec<u8> {
    match coding {
        Coding::Law(from) => {
            content.iter().step_by(channels).map(|&o| g711::convert(from, law, o)).collect()
        }
        Coding::Pcm16 => content
            .chunks_exact(2)
            .step_by(channels)
            .filter_map(|pair| pair.try_into().ok())
            .map(|pair| g711::encode(law, i16::from_le_bytes(pair)))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wav_of(tag: u16, bits: u16, claimed: u32, data: &[u8]) -> Vec<u8> {
        let mut file = b"RIFF\xFF\xFF\xFF\xFFWAVEfmt \x10\0\0\0".to_vec();
        for word in [tag, 1] {
            file.extend(word.to_le_bytes());
        }
        file.extend(8000_u32.to_le_bytes());
        file.extend((8000 * u32::from(bits / 8)).to_le_bytes());
        for word in [bits / 8, bits] {
            file.extend(word.to_le_bytes());
        }
        file.extend(b"data");
        file.extend(claimed.to_le_bytes());
        file.extend(data);
        file
    }

    #[test]
    fn each_coding_gives_the_same_octets() {
        let octets = [0xD5, 0x55, 0xAA, 0x2A, 0x34];
        let pcm: Vec<u8> =
            octets.iter().flat_map(|&o| g711::decode(Law::A, o).to_le_bytes()).collect();
        assert_eq!(wav(&wav_of(6, 8, 5, &octets), Law::A).unwrap(), octets);
        assert_eq!(wav(&wav_of(1, 16, 10, &pcm), Law::A).unwrap(), octets);
    }

    /// As a recording of this program has them: who was called left, who called right.
    #[test]
    fn of_two_channels_the_first_is_read() {
        let stereo = |tag, bits, data: &[u8]| {
            let mut file = wav_of(tag, bits, u32::MAX, data);
            file[22] = 2;
            wav(&file, Law::A).unwrap()
        };
        assert_eq!(stereo(6, 8, &[0xD5, 1, 0x55, 2, 0xAA, 3]), [0xD5, 0x55, 0xAA]);
        let pcm: Vec<u8> =
            [0xD5, 0x34].iter().flat_map(|&o| g711::decode(Law::A, o).to_le_bytes()).collect();
        assert_eq!(stereo(1, 16, &pcm), [0xD5]);
    }

    #[test]
    fn a_header_that_claims_four_gigabytes_gets_what_there_is() {
        assert_eq!(wav(&wav_of(6, 8, u32::MAX, &[0xD5; 9]), Law::A).unwrap(), [0xD5; 9]);
    }

    #[test]
    fn no_prefix_and_no_mutation_of_a_file_does_harm() {
        let good = wav_of(1, 16, 16, &[7; 16]);
        for len in 0..good.len() {
            let _ = wav(&good[..len], Law::Mu);
        }
        let mut rng = tdm::Rng::from_seed(9);
        for _ in 0..100_000 {
            let mut bad = good.clone();
            for _ in 0..=rng.below(4) {
                let at = rng.below(bad.len() as u64) as usize;
                bad[at] = rng.next_u64() as u8;
            }
            if let Ok(octets) = wav(&bad, Law::A) {
                assert!(octets.len() <= bad.len());
            }
        }
    }
}
