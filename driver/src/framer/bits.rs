//! Where the signalling bits of a channel are in the framer's registers. Register map E.4.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

use firmware_headers::falc as regs;

use super::Framing;
use super::falc::IDLE_BITS;

/// Signalling registers of a port.
pub const REGISTERS: usize = 16;
/// RS1 to RS16, or XS1 to XS16.
pub type Registers = [u8; REGISTERS];

/// The channels that have bits.
pub fn channels(framing: Framing) -> impl Iterator<Item = u8> + Clone {
    let last = if matches!(framing, Framing::E1 { .. }) { 31 } else { 24 };
    // Timeslot 16 carries them and has none.
    (1..=last).filter(move |&channel| last == 24 || channel != 16)
}

/// How many registers are read to know every channel's bits, and how many are written to set them.
pub const fn used(framing: Framing) -> (usize, usize) {
    match framing {
        Framing::E1 { .. } => (16, 16),
        Framing::Esf => (12, 12),
        // Two superframes are sent from registers of their own.
        Framing::D4 => (6, 12),
    }
}

/// XS1 to XS16 before anybody sets a bit: the multiframe word of an E1 with idle bits, zeros on a T1, whose idle bits
/// depend on what is signalled there.
pub fn idle(framing: Framing) -> Registers {
    match framing {
        Framing::E1 { .. } => {
            let mut registers = [IDLE_BITS << 4 | IDLE_BITS; REGISTERS];
            if let Some(first) = registers.first_mut() {
                *first = regs::XS1_ALIGNED;
            }
            registers
        }
        Framing::Esf | Framing::D4 => [0; REGISTERS],
    }
}

/// Register and lowest bit of the field of `channel`, and how wide it is.
fn field(framing: Framing, channel: u8) -> (usize, u32, u8) {
    const NIBBLE: u8 = 0xF;
    match framing {
        Framing::E1 { .. } if channel > 16 => (usize::from(channel.wrapping_sub(16)), 0, NIBBLE),
        Framing::E1 { .. } => (usize::from(channel), 4, NIBBLE),
        Framing::Esf => {
            let at = channel.wrapping_sub(1);
            (usize::from(at / 2), if at.is_multiple_of(2) { 4 } else { 0 }, NIBBLE)
        }
        Framing::D4 => {
            let at = channel.wrapping_sub(1);
            (usize::from(at / 4), 6_u32.wrapping_sub(u32::from(at % 4).wrapping_mul(2)), 0x3)
        }
    }
}

/// The bits of `channel`: A = 8, B = 4, C = 2, D = 1. D4 has A and B alone.
pub fn get(registers: &Registers, framing: Framing, channel: u8) -> u8 {
    let (register, shift, mask) = field(framing, channel);
    let value = registers.get(register).copied().unwrap_or_default().wrapping_shr(shift) & mask;
    if framing == Framing::D4 { value << 2 } else { value }
}

/// Sets the bits of `channel`.
pub fn set(registers: &mut Registers, framing: Framing, channel: u8, abcd: u8) {
    let (register, shift, mask) = field(framing, channel);
    let value = if framing == Framing::D4 { abcd >> 2 } else { abcd } & mask;
    // The second superframe of D4 carries the same.
    let again = if framing == Framing::D4 { register.wrapping_add(6) } else { register };
    for register in [register, again] {
        if let Some(place) = registers.get_mut(register) {
            *place = *place & !mask.wrapping_shl(shift) | value.wrapping_shl(shift);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_channel_keeps_its_bits_and_no_other_ones() {
        for framing in [Framing::E1 { crc4: true }, Framing::Esf, Framing::D4] {
            let kept = if framing == Framing::D4 { 0b1100 } else { 0b1111 };
            let mut registers = [0; REGISTERS];
            for channel in channels(framing) {
                set(&mut registers, framing, channel, channel ^ 0b0101);
            }
            for channel in channels(framing) {
                let expected = (channel ^ 0b0101) & 0xF & kept;
                assert_eq!(get(&registers, framing, channel), expected, "{framing:?} {channel}");
            }
        }
    }

    #[test]
    fn the_fields_are_where_the_register_map_has_them() {
        let mut registers = [0; REGISTERS];
        let e1 = Framing::E1 { crc4: false };
        set(&mut registers, e1, 1, 0xB);
        set(&mut registers, e1, 17, 0x5);
        set(&mut registers, e1, 31, 0x9);
        assert_eq!((registers[1], registers[15], registers[0]), (0xB5, 0x09, 0));
        let mut registers = [0; REGISTERS];
        set(&mut registers, Framing::Esf, 23, 0x3);
        set(&mut registers, Framing::Esf, 24, 0xC);
        assert_eq!(registers[11], 0x3C);
        let mut registers = [0; REGISTERS];
        set(&mut registers, Framing::D4, 1, 0x8);
        set(&mut registers, Framing::D4, 4, 0x4);
        assert_eq!((registers[0], registers[6]), (0b1000_0001, 0b1000_0001));
        assert_eq!(channels(e1).count(), 30);
        assert_eq!(channels(Framing::D4).count(), 24);
    }
}
