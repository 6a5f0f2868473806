//! The image file of the eight-port board's FPGA: which version it holds. Nothing here writes the flash.

use firmware_headers::image;

/// What an image file says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Image {
    /// What VERSION reads on a board that runs it.
    pub version: u32,
}

/// A file that is no image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// Another file, or a part of one.
    #[error("it has {octets} octets and does not begin as an image; fetch it again")]
    NoImage {
        /// Its length.
        octets: usize,
    },
    /// Its octets are not those that were summed up.
    #[error("its CRC is {found:#010x}, not {written:#010x}: it is damaged; fetch it again")]
    Damaged {
        /// What the octets give.
        found: u32,
        /// What the file says.
        written: u32,
    },
}

impl Image {
    /// Reads the header of `file` and checks all of it.
    ///
    /// # Errors
    /// [`ImageError`].
    pub fn parse(file: &[u8]) -> Result<Self, ImageError> {
        let none = ImageError::NoImage { octets: file.len() };
        let rest = file.strip_prefix(image::MAGIC).ok_or(none)?;
        let (written, summed) = rest.split_first_chunk().ok_or(none)?;
        let version = summed
            .get(image::VERSION_IN_SUMMED..)
            .and_then(|from| from.first_chunk())
            .ok_or(none)?;
        let (found, written) = (crc_32(summed), u32::from_le_bytes(*written));
        if found != written {
            return Err(ImageError::Damaged { found, written });
        }
        Ok(Self { version: u32::from_le_bytes(*version) })
    }
}

/// CRC-32 of ISO/IEC 13239, §4.2.5.3 (reflected, as files use it).
fn crc_32(octets: &[u8]) -> u32 {
    let step = |crc: u32, octet: &u8| {
        (0..8).fold(crc ^ u32::from(*octet), |crc, _| {
            let poly = if crc & 1 == 1 { 0xEDB8_8320 } else { 0 };
            (crc >> 1) ^ poly
        })
    };
    !octets.iter().fold(u32::MAX, step)
}

#[cfg(test)]
#[allow(clippy::indexing_slicing)]
mod tests {
    use super::*;

    fn file(version: u32) -> Vec<u8> {
        let mut summed = vec![0; 18];
        summed.extend(version.to_le_bytes());
        summed.extend([7; 100]);
        let mut file = b"DIGIUM".to_vec();
        file.extend(crc_32(&summed).to_le_bytes());
        file.extend(summed);
        file
    }

    #[test]
    fn the_version_is_read_and_one_wrong_bit_is_found() {
        assert_eq!(crc_32(b"123456789"), 0xCBF4_3926);
        let good = file(0xC01A_0176);
        assert_eq!(Image::parse(&good), Ok(Image { version: 0xC01A_0176 }));
        for at in [6, 12, 31, 131] {
            let mut bad = good.clone();
            bad[at] ^= 1;
            assert!(matches!(Image::parse(&bad), Err(ImageError::Damaged { .. })), "{at}");
        }
        for end in 0..32 {
            assert!(Image::parse(&good[..end]).is_err(), "{end} octets");
        }
    }
}
