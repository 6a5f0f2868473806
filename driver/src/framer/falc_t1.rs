//! The FALC chips on a T1 line: start-up as data. Register map E.6.4.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

use firmware_headers::falc as regs;

use super::Mode;
use super::falc::{Silicon, Step, highway, line_code, receive_framing, remote_alarm, write};

/// FMR4 without the frame format: two of five framing bits lose the frame, and it is searched by itself.
pub(super) const FORMAT: u8 = regs::FMR4_SSC_2_OF_5 | regs::FMR4_AUTO;

/// The pulse of each build-out: 0, -7.5, -15 and -22.5 dB. Row 12.
const PULSES: [[u8; 3]; 4] =
    [[0xD7, 0x22, 0x01], [0x8C, 0x01, 0x00], [0x8C, 0x11, 0x01], [0x07, 0x01, 0x00]];

/// CCB1 to CCB3: the channels no bit is robbed of, channel 1 in the highest bit of the first. Row 16.
const fn clear_channels(mode: Mode) -> [u8; 3] {
    let clear = if mode.associated { mode.clear } else { u32::MAX };
    // Channels 1 to 24, the first in the highest bit.
    let [first, second, third, _] = (clear >> 1).reverse_bits().to_be_bytes();
    [first, second, third]
}

/// The steps from any state into T1.
///
/// Differs from the rows in the interrupt masks alone: all are masked, because status is polled. A line
/// without bits of its own has 24 clear channels, one with them those that it names.
pub const fn plan_t1(mode: Mode, silicon: Silicon) -> [Step; 27] {
    const TWO: u8 = 0b11;
    let build_out = mode.build_out & TWO;
    let [pulse_0, pulse_1, pulse_2] = match build_out {
        0 => PULSES[0],
        1 => PULSES[1],
        2 => PULSES[2],
        _ => PULSES[3],
    };
    let [clear_1, clear_9, clear_17] = clear_channels(mode);
    let fmr1 = regs::FMR1_CTM | regs::FMR1_PMOD_T1 | regs::FMR1_CRC | regs::FMR1_ECM;
    [
        write!(FMR1 = fmr1 | highway(silicon)),
        write!(FMR2 = receive_framing(mode)),
        write!(FMR0 = line_code(mode, silicon)),
        write!(FMR4 = remote_alarm(mode, false)),
        // The robbed bits are on; clear channels keep theirs.
        write!(FMR5 = regs::FMR5_EIBR),
        write!(LIM1 = regs::LIM1_CLOS | regs::LIM1_RIL),
        write!(LIM0 = regs::LIM0_EQON),
        Step::Command { value: regs::CMDR_RRES | regs::CMDR_XRES },
        Step::Command { value: 0 },
        write!(V31: PC6 = 0x00),
        write!(V31: ERRATUM_BD = 0x05),
        write!(LIM2 = regs::LIM2_SLICE_HALF | regs::LIM2_LOS1 | build_out.wrapping_shl(6)),
        // Lost after 176 zeros, back with 22 ones.
        write!(PCD = 0x0A),
        write!(PCR = 0x15),
        write!(XPM0 = pulse_0),
        write!(XPM1 = pulse_1),
        write!(XPM2 = pulse_2),
        write!(IMR0 = 0xFF),
        write!(IMR1 = 0xFF),
        write!(IMR2 = 0xFF),
        write!(IMR3 = 0xFF),
        write!(IMR4 = 0xFF),
        write!(CCB1 + 0 = clear_1),
        write!(CCB1 + 1 = clear_9),
        write!(CCB1 + 2 = clear_17),
        // Nothing is left from an earlier run: no loop, no pattern.
        write!(LCR1 = 0x00),
        write!(LOOP = 0x00),
    ]
}

#[cfg(test)]
#[allow(clippy::indexing_slicing)]
mod tests {
    use super::super::Framing;
    use super::super::falc::tests::{SILICON, rows, written};
    use super::*;

    /// The columns of E.6.4, rows 1 to 12 and 16, typed off the table.
    fn column(esf: bool, ami: bool, cas: bool, build_out: u8, silicon: Silicon) -> Vec<(u8, u8)> {
        let clear = if cas { 0x00 } else { 0xFF };
        let code = match (ami, silicon) {
            (false, _) => 0xF0,
            (true, Silicon::V21) => 0xA0,
            (true, _) => 0xB0,
        };
        let mut rows = vec![
            (0x1D, if silicon == Silicon::Octal { 0x9E } else { 0x9C }),
            (0x1E, 0x20),
            (0x1C, code),
            (0x20, if esf { 0x0E } else { 0x0C }),
            (0x21, 0x40),
            (0x37, 0xF0),
            (0x36, 0x08),
            (0x02, 0x50),
            (0x02, 0x00),
        ];
        if silicon == Silicon::V31 {
            rows.extend([(0x86, 0x00), (0xBD, 0x05)]);
        }
        let pulse =
            [[0xD7, 0x22, 0x01], [0x8C, 0x01, 0x00], [0x8C, 0x11, 0x01], [0x07, 0x01, 0x00]];
        let pulse = pulse[usize::from(build_out)];
        rows.extend([
            (0x3A, 0x21 | build_out << 6),
            (0x38, 0x0A),
            (0x39, 0x15),
            (0x26, pulse[0]),
            (0x27, pulse[1]),
            (0x28, pulse[2]),
            (0x2F, clear),
            (0x30, clear),
            (0x31, clear),
        ]);
        rows
    }

    #[test]
    fn the_plans_are_the_columns_of_the_register_map_with_all_interrupts_masked() {
        for n in 0..32 {
            let [esf, ami, cas] = [n & 1 != 0, n & 2 != 0, n & 4 != 0];
            let build_out = n >> 3;
            let framing = if esf { Framing::Esf } else { Framing::D4 };
            let mode =
                Mode { framing, zeros_replaced: !ami, associated: cas, build_out, ..Mode::t1() };
            for silicon in SILICON {
                let all = written(&plan_t1(mode, silicon), silicon);
                let expected = column(esf, ami, cas, build_out, silicon);
                assert_eq!(rows(all), expected, "{mode:?}, {silicon:?}");
            }
        }
    }

    /// E.6.4, row 16: 00, 00, 01 for 23 channels with bits and a D-channel in 24.
    #[test]
    fn a_clear_channel_among_robbed_ones_is_where_the_register_map_has_it() {
        let registers = |clear| clear_channels(Mode::t1().with_bits().with_clear(clear));
        assert_eq!(registers(1 << 24), [0x00, 0x00, 0x01]);
        assert_eq!(registers(1 << 1 | 1 << 9 | 1 << 16), [0x80, 0x81, 0x00]);
        assert_eq!(registers(0), [0; 3]);
        assert_eq!(clear_channels(Mode::t1()), [0xFF; 3]);
    }
}
