//! G.711: octets to linear samples and back, both laws, and from one law to the other.
//!
//! Linear samples come in two shapes. `i16`: the 13-bit (A) or 14-bit (µ) value of G.711 moved up to 16
//! bits. `f32`: the same number over 32768, so full scale is ±1.0. A sine of 0 dBm0 then has a peak of
//! 0.6966 in A-law (3.14 dB below full scale, G.711 table 1a) and 0.6914 in µ-law (3.17 dB below a full
//! scale of 8159/8192). The detectors use A-law's figure for both: 0.07 dB apart.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]
#![cfg_attr(test, allow(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

use tdm::Law;

/// Where a sine whose peak is full scale (±1.0) stands, in dBm0. G.711, table 1a.
#[allow(clippy::approx_constant, reason = "a level in dB, not a circle")]
pub const FULL_SCALE_DBM0: f32 = 3.14;

/// A-law octets (as on the line, even bits inverted) to linear, full scale ±1.0.
pub static A_TO_F32: [f32; 256] = to_f32(Law::A);
/// µ-law octets to linear, full scale ±1.0.
pub static MU_TO_F32: [f32; 256] = to_f32(Law::Mu);
static A_TO_I16: [i16; 256] = to_i16(Law::A);
static MU_TO_I16: [i16; 256] = to_i16(Law::Mu);
/// The A-law octet nearest to each µ-law octet.
pub static MU_TO_A: [u8; 256] = across(Law::Mu, Law::A);
/// The µ-law octet nearest to each A-law octet.
pub static A_TO_MU: [u8; 256] = across(Law::A, Law::Mu);

/// The linear value of an octet, 16 bits.
pub fn decode(law: Law, octet: u8) -> i16 {
    let table = match law {
        Law::A => &A_TO_I16,
        Law::Mu => &MU_TO_I16,
    };
    // A table of 256 has an entry for every octet.
    table.get(usize::from(octet)).copied().unwrap_or_default()
}

/// The table of linear values of a law, full scale ±1.0: 256 entries, so indexing by an octet never fails.
pub const fn linear(law: Law) -> &'static [f32; 256] {
    match law {
        Law::A => &A_TO_F32,
        Law::Mu => &MU_TO_F32,
    }
}

/// The octet whose interval holds `sample` (16 bits). G.711, tables 1 and 2.
#[inline]
pub const fn encode(law: Law, sample: i16) -> u8 {
    match law {
        Law::A => encode_a(sample),
        Law::Mu => encode_mu(sample),
    }
}

/// The octet nearest to `sample`, full scale ±1.0; what lies beyond is clipped, NaN is silence.
#[inline]
pub fn encode_f32(law: Law, sample: f32) -> u8 {
    // The cast saturates and takes NaN to 0; `+ 0.5, floor` would cost a call, truncation to even would
    // bias nothing that an interval of 16 could show.
    encode(law, (sample * 32768.0) as i16)
}

/// An octet of one law as the nearest octet of another.
pub fn convert(from: Law, to: Law, octet: u8) -> u8 {
    let table = match (from, to) {
        (Law::A, Law::Mu) => &A_TO_MU,
        (Law::Mu, Law::A) => &MU_TO_A,
        _ => return octet,
    };
    table.get(usize::from(octet)).copied().unwrap_or_default()
}

/// The peak (full scale 1.0) of a sine at `level_dbm0`.
pub fn peak_of_dbm0(level_dbm0: f32) -> f32 {
    10.0_f32.powf((level_dbm0 - FULL_SCALE_DBM0) / 20.0)
}

/// The level in dBm0 of a signal with this mean square; a sine of peak p has p²/2.
pub fn dbm0_of_mean_square(mean_square: f32) -> f32 {
    10.0 * (2.0 * mean_square).max(1e-12).log10() + FULL_SCALE_DBM0
}

/// Segments by the position of the highest bit: 16-bit magnitude, steps of 16 in the first two segments.
const fn encode_a(sample: i16) -> u8 {
    let (sign, magnitude) = if sample >= 0 { (0x80, sample) } else { (0, !sample) };
    let magnitude = magnitude as u16;
    // Highest bit 15 is impossible now; 8..=14 are segments 1 to 7, below that segment 0.
    let top = 15_u32.saturating_sub((magnitude | 1).leading_zeros());
    let segment = top.saturating_sub(7);
    let shift = if segment < 2 { 4 } else { segment.wrapping_add(3) };
    let mantissa = (magnitude >> shift) as u8 & 0x0F;
    (sign | (segment as u8) << 4 | mantissa) ^ 0x55
}

/// As [`encode_a`] with the bias of 132 that makes µ-law's segments powers of two.
const fn encode_mu(sample: i16) -> u8 {
    let magnitude = sample.unsigned_abs();
    let clipped = if magnitude > 32_635 { 32_635 } else { magnitude };
    let biased = clipped.saturating_add(132);
    let segment = 8_u32.saturating_sub(biased.leading_zeros());
    let mantissa = (biased >> segment.wrapping_add(3)) as u8 & 0x0F;
    let sign = if sample < 0 { 0x80 } else { 0 };
    !(sign | (segment as u8) << 4 | mantissa)
}

#[allow(clippy::arithmetic_side_effects, reason = "evaluated when compiling, over 256 octets")]
const fn decode_one(law: Law, octet: u8) -> i16 {
    match law {
        Law::A => {
            let code = octet ^ 0x55;
            let (segment, mantissa) = ((code >> 4) & 7, (code & 15) as i16);
            let step = mantissa * 16 + 8;
            let magnitude = if segment == 0 { step } else { (step + 256) << (segment - 1) };
            if code & 0x80 != 0 { magnitude } else { -magnitude }
        }
        Law::Mu => {
            let code = !octet;
            let (segment, mantissa) = ((code >> 4) & 7, (code & 15) as i32);
            let magnitude = (((mantissa * 8 + 132) << segment) - 132) as i16;
            if code & 0x80 != 0 { -magnitude } else { magnitude }
        }
    }
}

#[allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "evaluated when compiling"
)]
const fn to_i16(law: Law) -> [i16; 256] {
    let mut table = [0; 256];
    let mut octet = 0;
    while octet < 256 {
        table[octet] = decode_one(law, octet as u8);
        octet += 1;
    }
    table
}

#[allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "evaluated when compiling"
)]
const fn to_f32(law: Law) -> [f32; 256] {
    let mut table = [0.0; 256];
    let mut octet = 0;
    while octet < 256 {
        table[octet] = decode_one(law, octet as u8) as f32 / 32768.0;
        octet += 1;
    }
    table
}

#[allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "evaluated when compiling"
)]
const fn across(from: Law, to: Law) -> [u8; 256] {
    let mut table = [0; 256];
    let mut octet = 0;
    while octet < 256 {
        table[octet] = encode(to, decode_one(from, octet as u8));
        octet += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The interval's own value comes back as the octet it came from; µ-law has two zeros.
    #[test]
    fn every_octet_survives_linear_and_back() {
        for octet in 0..=255_u8 {
            assert_eq!(encode(Law::A, decode(Law::A, octet)), octet, "A {octet:02X}");
            let back = encode(Law::Mu, decode(Law::Mu, octet));
            assert!(back == octet || (octet == 0x7F && back == 0xFF), "µ {octet:02X} {back:02X}");
        }
    }

    /// G.711 table 1a: ±4032 of 13 bits is the largest value; table 2a: ±8031 of 14 bits.
    #[test]
    fn the_largest_values_are_those_of_the_tables() {
        assert_eq!([decode(Law::A, 0xAA), decode(Law::A, 0x2A)], [4032 * 8, -4032 * 8]);
        assert_eq!([decode(Law::Mu, 0x80), decode(Law::Mu, 0x00)], [8031 * 4, -8031 * 4]);
        assert_eq!([decode(Law::A, 0xD5), decode(Law::A, 0x55)], [8, -8]);
        assert_eq!([decode(Law::Mu, 0xFF), decode(Law::Mu, 0x7F)], [0, 0]);
    }

    /// G.711's decision values lie half a step from the value they lead to, on either side.
    #[test]
    fn every_sample_is_decoded_within_half_a_step_of_its_segment() {
        for (law, bias, least, most) in [(Law::A, 0, 8, 32_256), (Law::Mu, 132, 4, 32_124)] {
            for sample in i16::MIN..=i16::MAX {
                let got = i32::from(decode(law, encode(law, sample)));
                let half_step = ((1 << (got.abs() + bias).ilog2()) / 32).max(least);
                let clipped = i32::from(sample).clamp(-most, most);
                assert!((got - clipped).abs() <= half_step, "{law:?} {sample} -> {got}");
            }
        }
    }

    #[test]
    fn a_sample_across_the_laws_and_back_moves_by_one_step_at_most() {
        for octet in 0..=255_u8 {
            let there = convert(Law::A, Law::Mu, octet);
            let back = convert(Law::Mu, Law::A, there);
            let (was, is) = (decode(Law::A, octet), decode(Law::A, back));
            let step = (i32::from(was).abs() / 16).max(16);
            assert!((i32::from(was) - i32::from(is)).abs() <= step, "{octet:02X}");
        }
        assert_eq!(convert(Law::A, Law::A, 7), 7);
    }

    /// G.711 table 5: the eight octets of the digital milliwatt are 0 dBm0.
    #[test]
    fn the_digital_milliwatt_reads_as_zero_dbm0() {
        let a: [u8; 8] = [0x34, 0x21, 0x21, 0x34, 0xB4, 0xA1, 0xA1, 0xB4];
        let mu: [u8; 8] = [0x1E, 0x0B, 0x0B, 0x1E, 0x9E, 0x8B, 0x8B, 0x9E];
        for (law, octets) in [(Law::A, a), (Law::Mu, mu)] {
            let square: f32 =
                octets.iter().map(|&o| linear(law)[usize::from(o)].powi(2)).sum::<f32>() / 8.0;
            let level = dbm0_of_mean_square(square);
            assert!(level.abs() < 0.1, "{law:?} {level}");
        }
    }

    #[test]
    fn what_is_no_number_is_silence_and_what_is_too_loud_is_clipped() {
        assert_eq!(encode_f32(Law::A, f32::NAN), 0xD5);
        assert_eq!(encode_f32(Law::A, 9.0), 0xAA);
        assert_eq!(encode_f32(Law::Mu, -9.0), 0x00);
    }
}
