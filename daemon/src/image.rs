//! The image file of a TE820's FPGA, held against the image that the board runs. Nothing writes the flash.

use std::path::Path;

use anyhow::{Context, Result};
use driver::{Identity, Image};

/// An image has some hundred thousand octets.
const FILE_OCTETS_MAX: u64 = 64 << 20;
/// Spans of the only board that runs an image which can be exchanged.
const SPANS: u8 = 8;

/// The version that the image in `path` has.
///
/// # Errors
/// The file cannot be read, or holds no whole image.
pub fn version(path: &Path) -> Result<u32> {
    let name = || format!("image {}", path.display());
    let octets = std::fs::metadata(path).with_context(name)?.len();
    anyhow::ensure!(octets <= FILE_OCTETS_MAX, "{}: {octets} octets are no image", name());
    let file = std::fs::read(path).with_context(name)?;
    Ok(Image::parse(&file).with_context(name)?.version)
}

/// What is wrong with a board that should run `wanted`, and what to do.
pub fn trouble(identity: &Identity, wanted: u32) -> Option<String> {
    if identity.model.spans != SPANS {
        return Some(format!(
            "a {} runs no image of a file: leave `image` out",
            identity.model.name
        ));
    }
    (identity.version != wanted).then(|| {
        format!(
            "the board runs image {}, the file is {}: the kernel's own driver writes the flash when it is loaded once \
             with this file; or name the file of the image that is in the board",
            told(identity.version),
            told(wanted)
        )
    })
}

/// A version as people write it: "1.76".
fn told(version: u32) -> String {
    format!("{:x}.{:02x}", version >> 8 & 0xF, version & 0xFF)
}

#[cfg(test)]
mod tests {
    use firmware_headers::model;

    use super::*;

    fn identity(model: firmware_headers::model::Model, version: u32) -> Identity {
        Identity { model, version, e1_jumpers: 0, switch: 0 }
    }

    #[test]
    fn a_board_with_another_image_is_told_with_both_versions_and_the_cure() {
        assert_eq!(trouble(&identity(model::TE820, 0xC01A_0176), 0xC01A_0176), None);
        let why = trouble(&identity(model::TE820, 0xC01A_014C), 0xC01A_0176).unwrap();
        assert!(why.contains("1.4c") && why.contains("1.76") && why.contains("flash"), "{why}");
        let why = trouble(&identity(model::TE410P_GEN5, 0xC01A_0176), 0xC01A_0176).unwrap();
        assert!(why.contains("leave `image` out"), "{why}");
    }

    #[test]
    fn a_file_that_is_no_image_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("te820.bin");
        assert!(format!("{:#}", version(&path).unwrap_err()).contains("te820.bin"));
        std::fs::write(&path, b"DIGIUM and not much more").unwrap();
        let why = format!("{:#}", version(&path).unwrap_err());
        assert!(why.contains("te820.bin") && why.contains("fetch it again"), "{why}");
    }
}
