//! The image file of the eight-port board's FPGA. Register map G.1.
//!
//! Six octets that say whose it is, a little-endian CRC-32 over all that follows, 18 octets without meaning, the
//! version as VERSION reads it, and then what goes to the flash.

/// What a file begins with.
pub const MAGIC: &[u8; 6] = b"DIGIUM";
/// Where the CRC-32 is.
pub const CRC: usize = 6;
/// Where what it sums up begins.
pub const SUMMED: usize = 10;
/// Where the version is.
pub const VERSION: usize = 28;
/// Where the version is in what is summed up.
pub const VERSION_IN_SUMMED: usize = VERSION - SUMMED;
/// Where what goes to the flash begins.
pub const PAYLOAD: usize = 32;

const _: () = assert!(MAGIC.len() == CRC && CRC + 4 == SUMMED && VERSION + 4 == PAYLOAD);
