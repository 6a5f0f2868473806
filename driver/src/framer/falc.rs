//! The QuadFALC (PEF 22554) and OctalFALC (PEF 22558): start-up as data, line status from registers.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

use firmware_headers::falc as regs;
use tdm::Alarm;

use super::{Framing, LineStatus, Mode, MultiframeStatus};
use crate::board::Loopback;

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
    /// As [`Step::Write`], and only on this silicon.
    Only {
        /// Which.
        silicon: Silicon,
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
pub enum Silicon {
    /// QuadFALC 2.1 and older, and what cannot be told.
    V21,
    /// QuadFALC 3.1.
    V31,
    /// OctalFALC.
    Octal,
}

impl Silicon {
    /// The quad chip behind what VSTR showed while the compatibility with 2.1 was switched off.
    pub const fn quad(vstr: u8) -> Self {
        if vstr == regs::VSTR_3_1 { Self::V31 } else { Self::V21 }
    }
    /// Whether the register map knows a quad chip that shows this VSTR. Others are driven as version 2.1.
    pub const fn is_known(vstr: u8) -> bool {
        matches!(vstr, regs::VSTR_2_1 | regs::VSTR_3_1)
    }
    /// It hears signalling bits wrongly while it receives AMI; B8ZS and HDB3 take in AMI as well. Erratum,
    /// register map E.7.
    const fn mishears_ami(self) -> bool {
        matches!(self, Self::V31 | Self::Octal)
    }
}

macro_rules! write {
    ($register:ident + $more:literal = $value:expr) => {
        Step::Write { register: (regs::$register.offset as u8).wrapping_add($more), value: $value }
    };
    ($register:ident = $value:expr) => {
        Step::Write { register: regs::$register.offset as u8, value: $value }
    };
    ($silicon:ident: $register:ident = $value:expr) => {
        Step::Only {
            silicon: Silicon::$silicon,
            register: regs::$register.offset as u8,
            value: $value,
        }
    };
}
pub(super) use write;

/// The highway of the whole chip, once, through port 0. Register map E.6.2, rows 1 to 4.
pub const fn chip(silicon: Silicon) -> [Step; 11] {
    // The master clock synthesizer for 8.192 MHz, or 16.384 MHz.
    let rate = if matches!(silicon, Silicon::Octal) { 0x01 } else { 0x00 };
    [
        // Multiplexed highway, frame sync out and active low, RCLK from port 0.
        write!(GPC1 = 0xE0),
        write!(Octal: GPC2 = 0x00),
        write!(IPC = regs::IPC_PUSH_PULL_LOW),
        write!(GCM1 + 0 = 0x00),
        write!(GCM1 + 1 = 0x18),
        write!(GCM1 + 2 = 0xFB),
        write!(GCM1 + 3 = 0x0B),
        write!(GCM1 + 4 = rate),
        write!(GCM1 + 5 = 0x0B),
        write!(GCM1 + 6 = 0xDB),
        write!(GCM1 + 7 = 0xDF),
    ]
}

/// One port's place on the highway. Rows 5 to 15.
///
/// `all_t1`: the board has no E1 span; its channels then sit four slots higher. `j1`: and this one is a J1.
/// Differs from the rows in GCR alone: masked interrupts stay visible (VIS), because they are polled.
pub const fn system(port: u8, silicon: Silicon, all_t1: bool, j1: bool) -> [Step; 15] {
    let octal = matches!(silicon, Silicon::Octal);
    let [pins_2, pins_3, pins_4] = match silicon {
        Silicon::V21 => [0x22, 0x65, 0x35],
        Silicon::V31 => [0xBB, 0xBB, 0xBB],
        Silicon::Octal => [0xBB, 0xF5, 0x35],
    };
    let (transmit, receive) = match (octal, all_t1) {
        (_, false) => ([0x00, 0x04], [if octal { 0x00 } else { 0x04 }, 0x04]),
        (false, true) => ([0x03, 0x84], [0x03, 0x84]),
        (true, true) => ([0x07, 0x04], [0x07, 0x04]),
    };
    let phase = port.wrapping_shl(regs::SIC2_SICS_SHIFT);
    [
        write!(GCR = regs::GCR_VIS),
        // 8.192 or 16.384 MHz clock and bus, elastic buffers of two frames, octets interleaved.
        write!(SIC1 = if octal { 0xCA } else { 0xC2 }),
        write!(SIC2 = regs::SIC2_CRB | phase),
        write!(SIC3 = if octal { 0x14 } else { 0x04 }),
        // Clocks and frame sync come from the FPGA.
        write!(CMR2 = 0x00),
        write!(Octal: CMR4 = regs::CMR4_16_MHZ),
        write!(XC0 = transmit[0]),
        write!(XC1 = transmit[1]),
        write!(RC0 = if j1 { receive[0] | regs::RC0_SJR } else { receive[0] }),
        write!(RC1 = receive[1]),
        write!(PC1 = 0x00),
        write!(PC2 = pins_2),
        write!(PC3 = pins_3),
        write!(PC4 = pins_4),
        write!(PC5 = regs::PC5_CRP),
    ]
}

/// Where a port's recovered clock drives pin RCLK: written through port 0. Register map F.
pub const fn clock_source(port: u8, silicon: Silicon) -> [Step; 2] {
    let source = match silicon {
        // The octal chip has eight sources, in a register of their own.
        Silicon::Octal => 0,
        Silicon::V21 | Silicon::V31 => (port & 0b11).wrapping_shl(regs::CMR1_DRSS_SHIFT),
    };
    [
        write!(CMR1 = regs::CMR1_RCLK | source),
        write!(Octal: CMR5 = port.wrapping_shl(regs::CMR5_DRSS_SHIFT)),
    ]
}

/// What registers hold in a loop, or in none. Register map E.9.
pub const fn loops(mode: Mode, which: Loopback) -> [Step; 3] {
    const fn on(set: bool, bit: u8) -> u8 {
        if set { bit } else { 0 }
    }
    let local = on(matches!(which, Loopback::Local), regs::LIM0_LL);
    let line = on(matches!(which, Loopback::Line), regs::LIM1_RL);
    let payload = on(matches!(which, Loopback::Payload), regs::FMR2_PLB);
    [
        write!(LIM1 = regs::LIM1_CLOS | regs::LIM1_RIL | line),
        // Must follow LIM1.
        write!(LIM0 = regs::LIM0_EQON | local),
        write!(FMR2 = receive_framing(mode) | payload),
    ]
}

/// FMR2 without a loop.
pub(super) const fn receive_framing(mode: Mode) -> u8 {
    const E1: u8 = regs::FMR2_AXRA | regs::FMR2_ALMF;
    match mode.framing {
        Framing::E1 { crc4: true } => E1 | regs::FMR2_RFS_CRC4_AUTO,
        Framing::E1 { crc4: false } => E1 | regs::FMR2_RFS_DOUBLEFRAME,
        // As the boards in the field run, although the data sheet has more for extended superframes.
        Framing::D4 | Framing::Esf => regs::FMR2_SSP,
    }
}

/// Service word of an E1 without the remote alarm: Si and all Sa bits 1. Row 13.
const XSW_IDLE: u8 = regs::XSW_XSIS | regs::XSW_SA;

/// What register 0x20 holds to send the remote alarm, or not to: the service word of an E1, the frame format
/// of a T1.
pub const fn remote_alarm(mode: Mode, on: bool) -> u8 {
    let idle = match mode.framing {
        Framing::E1 { .. } => XSW_IDLE,
        Framing::D4 => super::falc_t1::FORMAT | regs::FMR4_FM_D4,
        Framing::Esf => super::falc_t1::FORMAT | regs::FMR4_FM_ESF,
    };
    // The same bit of both registers.
    if on { idle | regs::XSW_XRA } else { idle }
}

/// FMR0: the line code of both directions.
pub(super) const fn line_code(mode: Mode, silicon: Silicon) -> u8 {
    let heard = mode.zeros_replaced || silicon.mishears_ami();
    let sent = if mode.zeros_replaced { regs::FMR0_XC_HDB3 } else { regs::FMR0_XC_AMI };
    sent | if heard { regs::FMR0_RC_HDB3 } else { regs::FMR0_RC_AMI }
}

/// The bit of FMR1 that doubles the rate of the highway.
pub(super) const fn highway(silicon: Silicon) -> u8 {
    if matches!(silicon, Silicon::Octal) { regs::FMR1_SSD0 } else { 0 }
}

/// The steps from any state into E1. Register map E.6.3.
///
/// Differs from the rows in the interrupt masks, all masked because status is polled, and in FMR3: with CRC-4 a
/// multiframe that is missing is looked for as long as it is (EXTIW), without disturbing the line. Forcing a search
/// anew, as §E.10 has it, would cost the calls a frame alignment each time.
pub const fn plan_e1(mode: Mode, silicon: Silicon) -> [Step; 38] {
    let fmr1: u8 = regs::FMR1_AFR | regs::FMR1_ECM | highway(silicon);
    let transmit = if mode.has_crc4() { fmr1 | regs::FMR1_XFS } else { fmr1 };
    let bits = if mode.associated { regs::XSP_CASEN } else { 0 };
    let search_on = if mode.has_crc4() { regs::FMR3_EXTIW } else { 0 };
    [
        write!(FMR1 = transmit),
        write!(FMR2 = receive_framing(mode)),
        write!(FMR0 = line_code(mode, silicon)),
        write!(LIM1 = regs::LIM1_CLOS | regs::LIM1_RIL),
        // Must follow LIM1.
        write!(LIM0 = regs::LIM0_EQON),
        Step::Command { value: regs::CMDR_RRES | regs::CMDR_XRES },
        Step::Command { value: 0 },
        write!(V31: PC6 = regs::PC6_SERIES_E1),
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
        write!(XSP = bits | regs::XSP_EBP | regs::XSP_AXS | regs::XSP_XSIF),
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
        write!(FMR3 = search_on),
        // Nothing is left from an earlier run: no loop, no pattern.
        write!(LCR1 = 0x00),
        write!(LOOP = 0x00),
    ]
}

/// Signalling bits nobody set yet, A first: 1001, what an idle line of G.732 and of R2 sends. §E.4.
pub const IDLE_BITS: u8 = 0b1001;

/// What FRS0 says. Loss of signal explains a lost frame, and so does AIS.
pub const fn line_status(framing: Framing, frs0: u8) -> LineStatus {
    let trouble = if frs0 & regs::FRS0_LOS != 0 {
        Some(Alarm::LossOfSignal)
    } else if frs0 & regs::FRS0_AIS != 0 {
        Some(Alarm::AlarmIndication)
    } else if frs0 & regs::FRS0_LFA != 0 {
        Some(Alarm::LossOfFrame)
    } else {
        None
    };
    // The bits below RRA mean other things on a T1.
    let e1 = matches!(framing, Framing::E1 { .. });
    LineStatus {
        trouble,
        remote_alarm: frs0 & regs::FRS0_RRA != 0,
        multiframe_missing: e1 && frs0 & regs::FRS0_NMF != 0,
    }
}

/// What FRS1 says of timeslot 16. Without alignment, with all ones and with all zeros there is no multiframe.
pub const fn multiframe_status(frs1: u8) -> MultiframeStatus {
    const LOST: u8 = regs::FRS1_TS16LFA | regs::FRS1_TS16AIS | regs::FRS1_TS16LOS;
    MultiframeStatus { lost: frs1 & LOST != 0, remote: frs1 & regs::FRS1_TS16RA != 0 }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::panic)]
pub(super) mod tests {
    use super::*;

    pub(crate) const SILICON: [Silicon; 3] = [Silicon::V21, Silicon::V31, Silicon::Octal];

    /// (register, value) in the order they reach `silicon`.
    pub(crate) fn written(steps: &[Step], on: Silicon) -> Vec<(u8, u8)> {
        let mut seen = Vec::new();
        for step in steps {
            match *step {
                Step::Write { register, value } => seen.push((register, value)),
                Step::Command { value } => seen.push((0x02, value)),
                Step::Only { silicon, register, value } if silicon == on => {
                    seen.push((register, value));
                }
                Step::Only { .. } => {}
            }
        }
        seen
    }

    /// What is written besides interrupt masks and the end of old loops, and that those are as they must be.
    pub(crate) fn rows(all: Vec<(u8, u8)>) -> Vec<(u8, u8)> {
        let masks: Vec<_> =
            all.iter().filter(|(r, _)| (0x14..=0x18).contains(r)).copied().collect();
        assert_eq!(masks, [0x14, 0x15, 0x16, 0x17, 0x18].map(|r| (r, 0xFF)));
        let loops = [(0x3B, 0x00), (0x1F, 0x00)];
        assert!(all.ends_with(&loops));
        all.into_iter().filter(|w| !(0x14..=0x18).contains(&w.0) && !loops.contains(w)).collect()
    }

    /// The columns of E.6.3, rows 1 to 15 and 21, typed off the table; octal and AMI as the notes beside it.
    fn column(crc4: bool, cas: bool, ami: bool, silicon: Silicon) -> Vec<(u8, u8)> {
        let octal = if silicon == Silicon::Octal { 0x02 } else { 0x00 };
        let code = match (ami, silicon) {
            (false, _) => 0xF0,
            (true, Silicon::V21) => 0xA0,
            (true, _) => 0xB0,
        };
        let mut rows = vec![
            (0x1D, octal | if crc4 { 0x4C } else { 0x44 }),
            (0x1E, if crc4 { 0xC3 } else { 0x03 }),
            (0x1C, code),
            (0x37, 0xF0),
            (0x36, 0x08),
            (0x02, 0x50),
            (0x02, 0x00),
        ];
        if silicon == Silicon::V31 {
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
            (0x21, if cas { 0x5C } else { 0x1C }),
            (0x26, 0x54),
            (0x27, 0x02),
            (0x28, 0x00),
            (0x2F, 0x00),
            (0x30, 0x00),
            (0x31, if crc4 { 0x01 } else { 0x00 }),
        ]);
        rows
    }

    #[test]
    fn the_plans_are_the_columns_of_the_register_map_with_all_interrupts_masked() {
        for n in 0..8 {
            let [crc4, cas, ami] = [n & 1 != 0, n & 2 != 0, n & 4 != 0];
            let mode = Mode { associated: cas, zeros_replaced: !ami, ..Mode::e1(crc4) };
            for silicon in SILICON {
                let all = written(&plan_e1(mode, silicon), silicon);
                assert_eq!(rows(all), column(crc4, cas, ami, silicon), "{mode:?}, {silicon:?}");
            }
        }
    }

    /// E.6.2, but GCR, whose VIS bit is ours.
    #[test]
    fn the_highway_is_as_the_register_map_has_it() {
        for silicon in SILICON {
            let octal = silicon == Silicon::Octal;
            let rate = u8::from(octal);
            let clock = [0x00, 0x18, 0xFB, 0x0B, rate, 0x0B, 0xDB, 0xDF];
            let mut expected = vec![(0x85, 0xE0)];
            if octal {
                expected.push((0x8A, 0x00));
            }
            expected.push((0x08, 0x01));
            expected.extend((0x92..=0x99).zip(clock));
            assert_eq!(written(&chip(silicon), silicon), expected);
        }
        let rows = |silicon, all_t1| written(&system(3, silicon, all_t1, false), silicon);
        let quad = |pins: [u8; 3], offsets: [u8; 4]| {
            vec![
                (0x46, 0x80),
                (0x3E, 0xC2),
                (0x3F, 0x26),
                (0x40, 0x04),
                (0x45, 0x00),
                (0x22, offsets[0]),
                (0x23, offsets[1]),
                (0x24, offsets[2]),
                (0x25, offsets[3]),
                (0x80, 0x00),
                (0x81, pins[0]),
                (0x82, pins[1]),
                (0x83, pins[2]),
                (0x84, 0x01),
            ]
        };
        let (e1, t1) = ([0x00, 0x04, 0x04, 0x04], [0x03, 0x84, 0x03, 0x84]);
        assert_eq!(rows(Silicon::V21, false), quad([0x22, 0x65, 0x35], e1));
        assert_eq!(rows(Silicon::V31, false), quad([0xBB, 0xBB, 0xBB], e1));
        assert_eq!(rows(Silicon::V31, true), quad([0xBB, 0xBB, 0xBB], t1));
        let octal = |offsets: [u8; 4]| {
            let mut rows = quad([0xBB, 0xF5, 0x35], offsets);
            (rows[1].1, rows[3].1) = (0xCA, 0x14);
            rows.insert(5, (0x41, 0x05));
            rows
        };
        assert_eq!(rows(Silicon::Octal, false), octal([0x00, 0x04, 0x00, 0x04]));
        assert_eq!(rows(Silicon::Octal, true), octal([0x07, 0x04, 0x07, 0x04]));
    }

    #[test]
    fn the_fifth_port_of_the_octal_chip_is_a_clock_source_like_any_other() {
        let fifth = written(&clock_source(4, Silicon::Octal), Silicon::Octal);
        assert_eq!(fifth, [(0x44, 0x38), (0x42, 0x80)]);
        assert_eq!(written(&clock_source(2, Silicon::V21), Silicon::V21), [(0x44, 0xB8)]);
    }

    #[test]
    fn one_trouble_is_named_and_it_explains_the_others() {
        let e1 = Framing::E1 { crc4: true };
        assert_eq!(line_status(e1, 0x00), LineStatus::default());
        assert_eq!(line_status(e1, 0xA0).trouble, Some(Alarm::LossOfSignal));
        assert_eq!(line_status(e1, 0x60).trouble, Some(Alarm::AlarmIndication));
        assert_eq!(line_status(e1, 0x20).trouble, Some(Alarm::LossOfFrame));
        assert!(line_status(e1, 0x10).remote_alarm);
        assert!(line_status(e1, 0x06).multiframe_missing);
        assert!(!line_status(Framing::Esf, 0x06).multiframe_missing);
    }

    #[test]
    fn the_remote_alarm_is_one_bit_of_what_the_register_holds_anyway() {
        for (mode, idle) in [(Mode::e1(true), 0x9F), (Mode::t1(), 0x0E)] {
            assert_eq!(remote_alarm(mode, false), idle);
            assert_eq!(remote_alarm(mode, true), idle | 0x20);
        }
        let d4 = Mode { framing: Framing::D4, ..Mode::t1() };
        assert_eq!(remote_alarm(d4, true), 0x2C);
    }

    #[test]
    fn an_unknown_version_is_treated_as_the_old_one() {
        assert_eq!(Silicon::quad(0x20), Silicon::V31);
        assert_eq!([0x05, 0x00, 0xFF].map(Silicon::quad), [Silicon::V21; 3]);
        assert_eq!([0x05, 0x20, 0x00, 0x21].map(Silicon::is_known), [true, true, false, false]);
    }

    /// E.6.2, row 12: 83, 84 on the quad chip, 87, 04 on the octal one.
    #[test]
    fn a_j1_differs_from_a_t1_in_one_bit() {
        for (silicon, expected) in [(Silicon::V21, 0x83), (Silicon::Octal, 0x87)] {
            let steps = |j1| written(&system(1, silicon, true, j1), silicon);
            let differ: Vec<_> =
                steps(false).into_iter().zip(steps(true)).filter(|(t1, j1)| t1 != j1).collect();
            let [(_, j1)] = differ.as_slice() else { panic!("{differ:?}") };
            assert_eq!(*j1, (0x24, expected));
        }
    }
}
