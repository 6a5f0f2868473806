//! The QuadFALC (PEF 22554) on an E1 line: start-up as data, line status from registers.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

use firmware_headers::falc as regs;
use tdm::{Alarm, LineMode};

use super::LineStatus;

/// One step of a start-up sequence, on one port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A register of one octet.
    Write {
        /// Offset within the port.
        register: u8,
        /// What it becomes.
        value: u8,
    },
    /// As [`Step::Write`], and only on silicon of version 3.1.
    OnlyVersion31 {
        /// Offset within the port.
        register: u8,
        /// What it becomes.
        value: u8,
    },
    /// Waits until no command is being carried out, then gives this one.
    Command {
        /// What is written to CMDR.
        value: u8,
    },
}

/// The silicon, as far as it decides what is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// 2.1 and older, and what cannot be told.
    V21,
    /// 3.1.
    V31,
}

/// The version behind what VSTR showed while the compatibility with 2.1 was switched off.
pub const fn version(vstr: u8) -> Version {
    if vstr == regs::VSTR_3_1 { Version::V31 } else { Version::V21 }
}

macro_rules! write {
    ($register:ident + $more:literal = $value:expr) => {
        Step::Write { register: (regs::$register.offset as u8).wrapping_add($more), value: $value }
    };
    ($register:ident = $value:expr) => {
        Step::Write { register: regs::$register.offset as u8, value: $value }
    };
}

/// The highway of the whole chip, once, through port 0. Register map E.6.2, rows 1 to 4.
pub const CHIP: [Step; 10] = [
    // Multiplexed highway, frame sync out and active low, RCLK from port 0.
    write!(GPC1 = 0xE0),
    write!(IPC = regs::IPC_PUSH_PULL_LOW),
    // The master clock synthesizer for 8.192 MHz.
    write!(GCM1 + 0 = 0x00),
    write!(GCM1 + 1 = 0x18),
    write!(GCM1 + 2 = 0xFB),
    write!(GCM1 + 3 = 0x0B),
    write!(GCM1 + 4 = 0x00),
    write!(GCM1 + 5 = 0x0B),
    write!(GCM1 + 6 = 0xDB),
    write!(GCM1 + 7 = 0xDF),
];

/// One port's place on the highway of a board with at least one E1 span. Rows 5 to 15.
///
/// Differs from the rows in GCR alone: masked interrupts stay visible (VIS), because they are polled.
pub const fn system(port: u8, version: Version) -> [Step; 14] {
    let [pins_2, pins_3, pins_4] = match version {
        Version::V21 => [0x22, 0x65, 0x35],
        Version::V31 => [0xBB, 0xBB, 0xBB],
    };
    let phase = port.wrapping_shl(regs::SIC2_SICS_SHIFT);
    [
        write!(GCR = regs::GCR_VIS),
        // 8.192 MHz clock and bus, elastic buffers of two frames, octets interleaved.
        write!(SIC1 = 0xC2),
        write!(SIC2 = regs::SIC2_CRB | phase),
        write!(SIC3 = 0x04),
        // Clocks and frame sync come from the FPGA.
        write!(CMR2 = 0x00),
        write!(XC0 = 0x00),
        write!(XC1 = 0x04),
        write!(RC0 = 0x04),
        write!(RC1 = 0x04),
        write!(PC1 = 0x00),
        write!(PC2 = pins_2),
        write!(PC3 = pins_3),
        write!(PC4 = pins_4),
        write!(PC5 = regs::PC5_CRP),
    ]
}

/// Service word without and with the remote alarm: Si and all Sa bits 1. Row 13.
pub const XSW_IDLE: u8 = regs::XSW_XSIS | regs::XSW_SA;

/// The service word to send.
pub const fn service_word(remote_alarm: bool) -> u8 {
    if remote_alarm { XSW_IDLE | regs::XSW_XRA } else { XSW_IDLE }
}

/// The steps from any state into E1 with HDB3 and common channel signalling. Register map E.6.3.
///
/// Differs from the rows in the interrupt masks alone: all are masked, because status is polled.
pub const fn plan(mode: LineMode) -> [Step; 38] {
    const FMR1: u8 = regs::FMR1_AFR | regs::FMR1_ECM;
    const FMR2: u8 = regs::FMR2_AXRA | regs::FMR2_ALMF;
    let (transmit, receive) = if mode.crc4 {
        (FMR1 | regs::FMR1_XFS, FMR2 | regs::FMR2_RFS_CRC4_AUTO)
    } else {
        (FMR1, FMR2 | regs::FMR2_RFS_DOUBLEFRAME)
    };
    [
        write!(FMR1 = transmit),
        write!(FMR2 = receive),
        write!(FMR0 = regs::FMR0_XC_HDB3 | regs::FMR0_RC_HDB3),
        write!(LIM1 = regs::LIM1_CLOS | regs::LIM1_RIL),
        // Must follow LIM1.
        write!(LIM0 = regs::LIM0_EQON),
        Step::Command { value: regs::CMDR_RRES | regs::CMDR_XRES },
        Step::Command { value: 0 },
        Step::OnlyVersion31 { register: regs::PC6.offset as u8, value: regs::PC6_SERIES_E1 },
        // Receiver tuning for E1, needed after each receiver reset, in exactly this order.
        write!(EQUALIZER_POINTER = 0x17),
        write!(EQUALIZER_DATA = 0x55),
        write!(EQUALIZER_POINTER = 0x97),
        write!(EQUALIZER_POINTER = 0x11),
        write!(EQUALIZER_DATA = 0xAA),
        write!(EQUALIZER_POINTER = 0x91),
        write!(EQUALIZER_POINTER = 0x12),
        write!(EQUALIZER_DATA = 0x55),
        write!(EQUALIZER_POINTER = 0x92),
        write!(EQUALIZER_POINTER = 0x0C),
        write!(EQUALIZER_POINTER = 0x00),
        write!(EQUALIZER_POINTER = 0x8C),
        write!(LIM2 = regs::LIM2_SLICE_HALF),
        // Lost after 176 zeros, back with 22 ones.
        write!(PCD = 0x0A),
        write!(PCR = 0x15),
        write!(XSW = XSW_IDLE),
        write!(XSP = regs::XSP_EBP | regs::XSP_AXS | regs::XSP_XSIF),
        // The pulse of an E1 line.
        write!(XPM0 = 0x54),
        write!(XPM1 = 0x02),
        write!(XPM2 = 0x00),
        write!(IMR0 = 0xFF),
        write!(IMR1 = 0xFF),
        write!(IMR2 = 0xFF),
        write!(IMR3 = 0xFF),
        write!(IMR4 = 0xFF),
        write!(XSA7 = 0x00),
        write!(XSA8 = 0x00),
        write!(FMR3 = 0x00),
        // Nothing is left from an earlier run: no loop, no pattern.
        write!(LCR1 = 0x00),
        write!(LOOP = 0x00),
    ]
}

/// What FRS0 says. Loss of signal explains a lost frame, and so does AIS.
pub const fn line_status(frs0: u8) -> LineStatus {
    let trouble = if frs0 & regs::FRS0_LOS != 0 {
        Some(Alarm::LossOfSignal)
    } else if frs0 & regs::FRS0_AIS != 0 {
        Some(Alarm::AlarmIndication)
    } else if frs0 & regs::FRS0_LFA != 0 {
        Some(Alarm::LossOfFrame)
    } else {
        None
    };
    LineStatus {
        trouble,
        remote_alarm: frs0 & regs::FRS0_RRA != 0,
        multiframe_missing: frs0 & regs::FRS0_NMF != 0,
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    /// (register, value) in the order they reach silicon of `version`.
    fn written(steps: &[Step], silicon: Version) -> Vec<(u8, u8)> {
        let mut seen = Vec::new();
        for step in steps {
            match *step {
                Step::Write { register, value } => seen.push((register, value)),
                Step::Command { value } => seen.push((0x02, value)),
                Step::OnlyVersion31 { register, value } if silicon == Version::V31 => {
                    seen.push((register, value));
                }
                Step::OnlyVersion31 { .. } => {}
            }
        }
        seen
    }

    /// Columns "CCS HDB3 CRC4" and "CCS HDB3 no CRC4" of E.6.3, rows 1 to 15 and 21, typed off the table.
    fn column(crc4: bool, silicon: Version) -> Vec<(u8, u8)> {
        let mut rows = vec![
            (0x1D, if crc4 { 0x4C } else { 0x44 }),
            (0x1E, if crc4 { 0xC3 } else { 0x03 }),
            (0x1C, 0xF0),
            (0x37, 0xF0),
            (0x36, 0x08),
            (0x02, 0x50),
            (0x02, 0x00),
        ];
        if silicon == Version::V31 {
            rows.push((0x86, 0x40));
        }
        rows.extend([
            (0xBB, 0x17),
            (0xBC, 0x55),
            (0xBB, 0x97),
            (0xBB, 0x11),
            (0xBC, 0xAA),
            (0xBB, 0x91),
            (0xBB, 0x12),
            (0xBC, 0x55),
            (0xBB, 0x92),
            (0xBB, 0x0C),
            (0xBB, 0x00),
            (0xBB, 0x8C),
            (0x3A, 0x20),
            (0x38, 0x0A),
            (0x39, 0x15),
            (0x20, 0x9F),
            (0x21, 0x1C),
            (0x26, 0x54),
            (0x27, 0x02),
            (0x28, 0x00),
            (0x2F, 0x00),
            (0x30, 0x00),
            (0x31, 0x00),
        ]);
        rows
    }

    #[test]
    fn the_plans_are_the_columns_of_the_register_map_with_all_interrupts_masked() {
        for crc4 in [false, true] {
            for silicon in [Version::V21, Version::V31] {
                let all = written(&plan(LineMode { crc4 }), silicon);
                let masks: Vec<_> =
                    all.iter().filter(|(r, _)| (0x14..=0x18).contains(r)).copied().collect();
                assert_eq!(masks, [0x14, 0x15, 0x16, 0x17, 0x18].map(|r| (r, 0xFF)));
                let loops = [(0x3B, 0x00), (0x1F, 0x00)];
                assert_eq!(all[all.len() - 2..], loops);
                let rows: Vec<_> = all
                    .into_iter()
                    .filter(|w| !(0x14..=0x18).contains(&w.0) && !loops.contains(w))
                    .collect();
                assert_eq!(rows, column(crc4, silicon), "crc4 {crc4}, {silicon:?}");
            }
        }
    }

    #[test]
    fn crc4_differs_from_doubleframe_in_two_mode_registers_alone() {
        let (with, without) = (plan(LineMode { crc4: true }), plan(LineMode { crc4: false }));
        let differing: Vec<_> = with.iter().zip(&without).filter(|(a, b)| a != b).collect();
        let register = |step: &Step| match step {
            Step::Write { register, .. } => *register,
            other => panic!("{other:?}"),
        };
        let registers: Vec<_> = differing.iter().map(|(a, _)| register(a)).collect();
        assert_eq!(registers, [0x1D, 0x1E]);
    }

    /// E.6.2 for quad boards with an E1 span, but GCR, whose VIS bit is ours.
    #[test]
    fn the_highway_is_as_the_register_map_has_it() {
        let chip = written(&CHIP, Version::V21);
        let clock = [0x00, 0x18, 0xFB, 0x0B, 0x00, 0x0B, 0xDB, 0xDF];
        let mut expected = vec![(0x85, 0xE0), (0x08, 0x01)];
        expected.extend((0x92..=0x99).zip(clock));
        assert_eq!(chip, expected);

        for (silicon, pins) in
            [(Version::V21, [0x22, 0x65, 0x35]), (Version::V31, [0xBB, 0xBB, 0xBB])]
        {
            let rows = [
                (0x46, 0x80),
                (0x3E, 0xC2),
                (0x3F, 0x26),
                (0x40, 0x04),
                (0x45, 0x00),
                (0x22, 0x00),
                (0x23, 0x04),
                (0x24, 0x04),
                (0x25, 0x04),
                (0x80, 0x00),
                (0x81, pins[0]),
                (0x82, pins[1]),
                (0x83, pins[2]),
                (0x84, 0x01),
            ];
            assert_eq!(written(&system(3, silicon), silicon), rows);
        }
    }

    #[test]
    fn one_trouble_is_named_and_it_explains_the_others() {
        assert_eq!(line_status(0x00), LineStatus::default());
        assert_eq!(line_status(0xA0).trouble, Some(Alarm::LossOfSignal));
        assert_eq!(line_status(0x60).trouble, Some(Alarm::AlarmIndication));
        assert_eq!(line_status(0x20).trouble, Some(Alarm::LossOfFrame));
        assert!(line_status(0x10).remote_alarm);
        assert!(line_status(0x06).multiframe_missing);
        assert_eq!(service_word(false), 0x9F);
        assert_eq!(service_word(true), 0xBF);
    }

    #[test]
    fn an_unknown_version_is_treated_as_the_old_one() {
        assert_eq!(version(0x20), Version::V31);
        assert_eq!([0x05, 0x00, 0xFF].map(version), [Version::V21; 3]);
    }
}
