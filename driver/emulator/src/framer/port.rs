//! One port of the framer: its registers, its interrupts, its counters.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

use firmware_headers::falc;
use tdm::{Block, TIMESLOTS};

use super::cas;
use super::hdlc::{Hdlc, Mode};
use super::receiver::{ALIGNMENTS, Receiver, Search};
use super::robbed::CHANNELS;
use super::signalling::{Signalling, Way};
use crate::fault::Slip;
use crate::{Errors, Frames, Framing, Signal};

/// Interrupt status registers of a port.
const CAUSES: usize = 5;
/// Bits of a frame of an E1 and of a T1.
const FRAME_BITS_E1: u32 = 256;
const FRAME_BITS_T1: u32 = 193;
/// Timeslot 0 of frames with the alignment signal, Si = 1. G.704, table 5A.
const TS0_ALIGNMENT: u8 = 0x9B;
/// Timeslot 0 of the other frames: Si, the bit that is never an alignment signal's, Sa bits 1, A = 0.
const TS0_SERVICE: u8 = 0xDF;
/// The A bit in [`TS0_SERVICE`].
const TS0_REMOTE_ALARM: u8 = 0x20;

/// What a signalling register holds that nobody wrote.
const UNWRITTEN_BITS: u8 = 0x5A;

/// What is wrong with a millisecond that arrived.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Arrived {
    wrong_alignments: [bool; ALIGNMENTS],
    wrong_bits: u32,
    /// Its CRC is wrong, and nothing else.
    pub wrong_crc: bool,
}

impl Arrived {
    /// Bit `at` (in the order of the line, from 0 to [`Port::milli_bits`]) of `block` arrived wrong.
    pub(crate) fn wrong_bit(&mut self, framing: Framing, at: u32, block: &mut Block) {
        self.wrong_bits = self.wrong_bits.saturating_add(1);
        match framing {
            Framing::E1 => self.wrong_bit_e1(at, block),
            Framing::D4 | Framing::Esf => self.wrong_bit_t1(at, block),
        }
    }
    fn wrong_bit_e1(&mut self, at: u32, block: &mut Block) {
        let (frame, bit) = ((at / FRAME_BITS_E1) as usize, at % 8);
        let timeslot = (at % FRAME_BITS_E1 / 8) as usize;
        flip(block, frame, timeslot, bit);
        // The alignment signal is bits 2 to 8 of timeslot 0 of every other frame.
        if timeslot == 0 && frame.is_multiple_of(2) && bit > 0 {
            self.wrong_alignment(frame / 2);
        }
    }
    /// The framing bit comes first; every other one is taken as a frame alignment bit.
    fn wrong_bit_t1(&mut self, at: u32, block: &mut Block) {
        let (frame, bit) = ((at / FRAME_BITS_T1) as usize, at % FRAME_BITS_T1);
        match bit.checked_sub(1) {
            Some(bit) => flip(block, frame, (bit / 8).wrapping_add(1) as usize, bit % 8),
            None => self.wrong_alignment(frame / 2),
        }
    }
    fn wrong_alignment(&mut self, n: usize) {
        if let Some(wrong) = self.wrong_alignments.get_mut(n) {
            *wrong = true;
        }
    }
}

/// Bit `bit` (0 first on the line) of an octet becomes the other.
fn flip(block: &mut Block, frame: usize, timeslot: usize, bit: u32) {
    if let Some(octet) = block.octets.get_mut(frame).and_then(|row| row.get_mut(timeslot)) {
        *octet ^= 0x80_u8.wrapping_shr(bit);
    }
}

/// The error counters of a second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    framing: u16,
    code: u16,
    crc: u16,
    far: u16,
}

/// One port.
pub(crate) struct Port {
    written: [u8; falc::PORT_REGISTERS],
    receiver: Receiver,
    status: u8,
    causes: [u8; CAUSES],
    running: Counts,
    latched: Counts,
    /// What went wrong in this second, as bits of ESM.
    errored: u8,
    inserted: Errors,
    crc_was_wrong: bool,
    framed: Option<Frames>,
    signalling: Signalling,
    hdlc: Hdlc,
    /// Ports of the chip: they share one highway.
    ports: usize,
    /// GCR.VIS has an effect.
    shows_masked: bool,
}

impl Port {
    /// As after a reset, on a chip of so many ports. `shows_masked`: GCR.VIS lets masked causes be seen.
    pub(crate) fn new(ports: usize, shows_masked: bool) -> Self {
        let mut port = Self {
            written: [0; falc::PORT_REGISTERS],
            receiver: Receiver::default(),
            status: 0,
            causes: [0; CAUSES],
            running: Counts::default(),
            latched: Counts::default(),
            errored: 0,
            inserted: Errors::default(),
            crc_was_wrong: false,
            framed: None,
            signalling: Signalling::default(),
            hdlc: Hdlc::default(),
            ports,
            shows_masked,
        };
        port.mask_everything();
        // Nobody knows what is sent before it is written, but the word of the multiframe: boards whose driver leaves it
        // alone have one.
        for at in 1..cas::FRAMES as u8 {
            port.store((falc::XS1.offset as u8).wrapping_add(at), UNWRITTEN_BITS);
        }
        port
    }
    fn mask_everything(&mut self) {
        for offset in falc::IMR0.offset..=falc::IMR4.offset {
            self.store(offset as u8, 0xFF);
        }
    }
    fn store(&mut self, address: u8, value: u8) {
        if let Some(place) = self.written.get_mut(usize::from(address)) {
            *place = value;
        }
    }
    fn stored(&self, offset: u32) -> u8 {
        self.written.get(offset as usize).copied().unwrap_or_default()
    }
    fn has(&self, offset: u32, bits: u8) -> bool {
        self.stored(offset) & bits != 0
    }

    /// A write through the local bus.
    pub(crate) fn write(&mut self, address: u8, value: u8) {
        let before = self.stored(u32::from(address));
        self.store(address, value);
        match u32::from(address) {
            0x00 | 0x01 => self.hdlc.give(value),
            a if a == falc::CMDR.offset => {
                if value & falc::CMDR_RRES != 0 {
                    self.receiver.restart();
                }
                let causes = self.hdlc.command(value);
                self.raise(falc::ISR1.offset, causes);
                self.announce();
            }
            a if a == falc::FMR0.offset && value & !before & falc::FMR0_FRS != 0 => {
                self.receiver.restart();
            }
            a if a == falc::IERR.offset => self.insert(value),
            a if a == falc::DEC.offset && !self.has(falc::FMR1.offset, falc::FMR1_ECM) => {
                self.latch();
            }
            _ => {}
        }
    }
    fn insert(&mut self, bits: u8) {
        let once = |count: u8, bit: u8| count.saturating_add(u8::from(bits & bit != 0));
        self.inserted = Errors {
            framing: once(self.inserted.framing, falc::IERR_FAS),
            crc: once(self.inserted.crc, falc::IERR_CRC),
            code: once(self.inserted.code, falc::IERR_BIPOLAR),
        };
    }

    /// A read through the local bus. Interrupt status clears by it.
    pub(crate) fn read(&mut self, address: u8) -> u8 {
        let low = |count: u16| count.to_le_bytes()[0];
        let high = |count: u16| count.to_le_bytes()[1];
        match u32::from(address) {
            0x00 | 0x01 => self.hdlc.take(),
            a if a == falc::FRS0.offset => self.status,
            a if a == falc::FRS1.offset => self.signalling_alarm(),
            a if a == falc::RSW.offset => self.service_word(),
            a if a == falc::FECL.offset => low(self.latched.framing),
            a if a == falc::FECH.offset => high(self.latched.framing),
            a if a == falc::CVCL.offset => low(self.latched.code),
            a if a == falc::CVCH.offset => high(self.latched.code),
            a if a == falc::CEC1L.offset => low(self.latched.crc),
            a if a == falc::CEC1H.offset => high(self.latched.crc),
            a if a == falc::EBCL.offset => low(self.latched.far),
            a if a == falc::EBCH.offset => high(self.latched.far),
            a if a == falc::SIS.offset => self.signalling_status(),
            a if a == falc::RSP1.offset => self.signalling.changed()[0],
            a if a == falc::RSP2.offset => self.signalling.changed()[1],
            a if a == falc::RSIS.offset => self.hdlc.status(),
            a if a == falc::RBCL.offset => self.hdlc.count() as u8,
            a if a == falc::RBCH.offset => (self.hdlc.count() >> 8) as u8 & 0xF,
            0x70..=0x7F => self.signalling.take(usize::from(address & 0xF)),
            a if a == falc::GIS.offset => self.pending(),
            a if (falc::ISR0.offset..=falc::ISR4.offset).contains(&a) => self.take_cause(a),
            // Read-only registers that nothing here drives.
            0x49..=0x67 | 0x6D => 0,
            a => self.stored(a),
        }
    }
    fn service_word(&self) -> u8 {
        match self.framed {
            Some(frames) if self.receiver.is_aligned() => timeslot_0(frames, false),
            _ => 0xFF,
        }
    }
    fn is_t1(&self) -> bool {
        self.has(falc::FMR1.offset, falc::FMR1_PMOD_T1)
    }
    /// How the port frames; nothing for the two formats no board of the family is set to.
    pub(crate) fn framing(&self) -> Option<Framing> {
        if !self.is_t1() {
            return Some(Framing::E1);
        }
        match self.stored(falc::FMR4.offset) & falc::FMR4_FM {
            falc::FMR4_FM_D4 => Some(Framing::D4),
            falc::FMR4_FM_ESF => Some(Framing::Esf),
            _ => None,
        }
    }
    /// Bits of a millisecond of the line.
    pub(crate) fn milli_bits(&self) -> u32 {
        let frame = if self.is_t1() { FRAME_BITS_T1 } else { FRAME_BITS_E1 };
        frame.wrapping_mul(8)
    }
    /// Which slot of the system's highway channel 0 of the line is in: what is sent, and what is received.
    /// Set in bits of the highway, of which 4 mean none.
    pub(crate) fn slots(&self) -> [usize; 2] {
        let highway = (self.ports as u16).wrapping_mul(256);
        [falc::XC0.offset, falc::RC0.offset].map(|register| {
            let high = self.stored(register) & falc::OFFSET_HIGH;
            let low = self.stored(register.wrapping_add(1));
            let offset = u16::from_be_bytes([high, low]);
            let bits = 4_u16.wrapping_sub(offset).checked_rem(highway).unwrap_or_default();
            let slot = highway / 32;
            usize::from(bits.checked_div(slot).unwrap_or_default())
        })
    }
    fn signalling_way(&self) -> Way {
        match self.framing() {
            Some(Framing::E1) if self.has(falc::XSP.offset, falc::XSP_CASEN) => Way::Timeslot16,
            Some(framing @ (Framing::D4 | Framing::Esf))
                if self.has(falc::FMR5.offset, falc::FMR5_EIBR) =>
            {
                Way::Robbed { framing, clear: self.clear_channels() }
            }
            _ => Way::None,
        }
    }
    /// Bit n: channel n of a T1 is clear.
    fn clear_channels(&self) -> u32 {
        let registers = (falc::CCB1.offset..).map(|at| self.stored(at)).take(CHANNELS / 8);
        let bits = registers.fold(0_u32, |all, register| all.wrapping_shl(8) | u32::from(register));
        // Bit 23 is channel 1: turned round, channel 1 is bit 8 of the word, and wanted at bit 1.
        bits.reverse_bits().wrapping_shr(7)
    }
    fn signalling_alarm(&self) -> u8 {
        if self.signalling_way() == Way::Timeslot16 { self.signalling.alarms() } else { 0 }
    }
    fn hdlc_mode(&self) -> Mode {
        let slots = |first: u32| {
            (first..)
                .take(4)
                .fold(0_u32, |all, at| all.wrapping_shl(8) | u32::from(self.stored(at)))
        };
        let on = self.has(falc::CCR1.offset, falc::CCR1_EITS);
        let receives = on && self.has(falc::MODE.offset, falc::MODE_HRAC);
        Mode {
            receive: if receives { slots(falc::RTR1.offset).reverse_bits() } else { 0 },
            send: if on { slots(falc::TTR1.offset).reverse_bits() } else { 0 },
            with_fcs: self.has(falc::CCR2.offset, falc::CCR2_RCRC),
            flags: self.has(falc::CCR1.offset, falc::CCR1_ITF),
        }
    }
    fn announce(&mut self) {
        let causes = self.hdlc.announce();
        self.raise(falc::ISR0.offset, causes);
    }
    fn signalling_status(&self) -> u8 {
        let frozen = if self.receiver.is_aligned() { 0 } else { falc::SIS_SFS };
        let room = if self.hdlc.has_room() { falc::SIS_XFW } else { 0 };
        room | frozen
    }

    /// GIS: which interrupt status registers hold something unmasked.
    pub(crate) fn pending(&self) -> u8 {
        let masks = (falc::IMR0.offset..).map(|offset| self.stored(offset));
        let pending = self.causes.iter().zip(masks).map(|(&causes, mask)| causes & !mask != 0);
        pending.enumerate().fold(0, |all, (n, is)| all | (u8::from(is) << (n & 7)))
    }
    fn raise(&mut self, register: u32, causes: u8) {
        let n = register.wrapping_sub(falc::ISR0.offset);
        let mask = self.stored(falc::IMR0.offset.wrapping_add(n));
        let shows = self.shows_masked && self.has(falc::GCR.offset, falc::GCR_VIS);
        let visible = if shows { causes } else { causes & !mask };
        if let Some(latched) = self.causes.get_mut(n as usize) {
            *latched |= visible;
        }
    }
    fn take_cause(&mut self, register: u32) -> u8 {
        let n = register.wrapping_sub(falc::ISR0.offset) as usize;
        self.causes.get_mut(n).map(core::mem::take).unwrap_or_default()
    }

    /// What the port sends in this millisecond.
    pub(crate) fn transmit(&mut self) -> Signal {
        if !self.has(falc::FMR0.offset, falc::FMR0_XC)
            || self.has(falc::XPM2.offset, falc::XPM2_XLT)
        {
            return Signal::Silence;
        }
        let fmr1 = self.stored(falc::FMR1.offset);
        if fmr1 & falc::FMR1_XAIS != 0 {
            return Signal::AllOnes;
        }
        let Some(framing) = self.framing() else { return Signal::Unframed };
        let asked = self.has(falc::XSW.offset, falc::XSW_XRA);
        let by_itself = self.has(falc::FMR2.offset, falc::FMR2_AXRA) && !self.receiver.is_aligned();
        Signal::Framed(Frames {
            framing,
            at: self.signalling.at(),
            crc4: fmr1 & falc::FMR1_XFS != 0,
            remote_alarm: asked || by_itself,
            far_errors: self.crc_was_wrong && self.has(falc::XSP.offset, falc::XSP_AXS),
            errors: core::mem::take(&mut self.inserted),
        })
    }

    /// What the framer itself puts into the slots: signalling bits, HDLC frames.
    pub(crate) fn sign(&mut self, sent: &mut Block) {
        let mode = self.hdlc_mode();
        let causes = self.hdlc.send(mode, sent);
        self.raise(falc::ISR1.offset, causes);
        let mut registers = [0; cas::FRAMES];
        let written = self.written.iter().skip(falc::XS1.offset as usize);
        registers.iter_mut().zip(written).for_each(|(to, &from)| *to = from);
        self.signalling.send(self.signalling_way(), &registers, sent);
    }
    /// What the framer takes out of the slots itself.
    fn hear(&mut self, block: &Block) {
        // Frozen while there is no frame to find it in.
        let frames = self.framed.filter(|_| self.receiver.is_aligned());
        if frames.is_some() {
            self.hdlc.receive(self.hdlc_mode(), block);
        }
        self.announce();
        let heard = self.signalling.hear(self.signalling_way(), frames, block);
        if heard.changed {
            self.raise(falc::ISR0.offset, falc::ISR0_CASC);
        }
        let mut causes = 0;
        for (alarm, cause) in [
            (falc::FRS1_TS16LFA, falc::ISR3_LMFA16),
            (falc::FRS1_TS16AIS, falc::ISR3_AIS16),
            (falc::FRS1_TS16RA, falc::ISR3_RA16),
        ] {
            causes |= if heard.alarmed & alarm != 0 { cause } else { 0 };
        }
        self.raise(falc::ISR3.offset, causes);
    }

    /// Of the chip's first port: which one's recovered clock is on pin RCLK. CMR1, and CMR5 on the octal chip.
    pub(crate) fn recovered_from(&self) -> usize {
        let (register, shift) = if self.ports > falc::PORTS_QUAD {
            (falc::CMR5.offset, falc::CMR5_DRSS_SHIFT)
        } else {
            (falc::CMR1.offset, falc::CMR1_DRSS_SHIFT)
        };
        usize::from(self.stored(register).wrapping_shr(shift))
    }
    /// LIM0.LL: what is sent comes back as received.
    pub(crate) fn local_loop(&self) -> bool {
        self.has(falc::LIM0.offset, falc::LIM0_LL)
    }
    /// LIM1.RL: what is received goes back to the line.
    pub(crate) fn remote_loop(&self) -> bool {
        self.has(falc::LIM1.offset, falc::LIM1_RL)
    }
    /// FMR2.PLB: received timeslots are sent back in new frames.
    pub(crate) fn payload_loop(&self) -> bool {
        self.has(falc::FMR2.offset, falc::FMR2_PLB)
    }

    /// A millisecond arrived: `block` becomes what the system side gets.
    pub(crate) fn receive(&mut self, signal: Signal, arrived: Arrived, block: &mut Block) {
        let errors = match signal {
            Signal::Framed(frames) => frames.errors,
            _ => Errors::default(),
        };
        let mut wrong = arrived.wrong_alignments;
        for wrong in wrong.iter_mut().take(usize::from(errors.framing)) {
            *wrong = true;
        }
        self.count(signal, arrived, wrong, errors);
        let search = Search {
            framing: self.framing().filter(|_| self.has(falc::FMR0.offset, falc::FMR0_RC)),
            multiframe: self.has(falc::FMR2.offset, falc::FMR2_RFS_CRC4),
            extended: self.has(falc::FMR3.offset, falc::FMR3_EXTIW),
        };
        let had_multiframe = self.receiver.has_multiframe();
        let before =
            core::mem::replace(&mut self.status, self.receiver.millisecond(signal, wrong, search));
        self.framed = match signal {
            Signal::Framed(frames) => Some(frames),
            _ => None,
        };
        if before != self.status || had_multiframe != self.receiver.has_multiframe() {
            self.report_changes(before, had_multiframe);
        }
        self.errored |= errored_by(self.status);
        self.hear(block);
        self.fill(block);
    }

    fn count(
        &mut self,
        signal: Signal,
        arrived: Arrived,
        wrong: [bool; ALIGNMENTS],
        errors: Errors,
    ) {
        self.crc_was_wrong = false;
        let Signal::Framed(frames) = signal else { return };
        let code = arrived.wrong_bits.saturating_add(u32::from(errors.code));
        let add =
            |count: u16, more: u32| count.saturating_add(u16::try_from(more).unwrap_or(u16::MAX));
        self.running.code = add(self.running.code, code);
        self.note(code > 0, falc::ESM_CVE);
        if !self.receiver.is_aligned() {
            return;
        }
        let framing = wrong.iter().filter(|&&wrong| wrong).count() as u32;
        self.running.framing = add(self.running.framing, framing);
        self.note(framing > 0, falc::ESM_FER);
        if self.receiver.has_multiframe() {
            let wrong = arrived.wrong_bits > 0 || arrived.wrong_crc;
            let crc = u32::from(errors.crc).max(u32::from(wrong));
            self.running.crc = add(self.running.crc, crc);
            self.running.far = add(self.running.far, u32::from(frames.far_errors));
            self.crc_was_wrong = crc > 0;
            self.note(crc > 0, falc::ESM_CER);
            self.note(frames.far_errors, falc::ESM_EBE);
        }
    }
    fn note(&mut self, errored: bool, kind: u8) {
        if errored {
            self.errored |= kind;
        }
    }

    fn report_changes(&mut self, before: u8, had_multiframe: bool) {
        let (rose, fell) = (self.status & !before, before & !self.status);
        let both_edges = self.has(falc::GCR.offset, falc::GCR_SCI);
        let ended = if both_edges { fell } else { 0 };
        let mut causes = 0;
        let mut when = |edge: u8, bit: u8, cause: u8| {
            if edge & bit != 0 {
                causes |= cause;
            }
        };
        when(rose | ended, falc::FRS0_LOS, falc::ISR2_LOS);
        when(rose | ended, falc::FRS0_AIS, falc::ISR2_AIS);
        when(rose, falc::FRS0_LFA, falc::ISR2_LFA);
        when(fell, falc::FRS0_LFA, falc::ISR2_FAR);
        when(rose, falc::FRS0_RRA, falc::ISR2_RA);
        when(fell, falc::FRS0_RRA, falc::ISR2_RAR);
        when(rose, falc::FRS0_NMF, falc::ISR2_T400MS);
        if self.receiver.has_multiframe() && !had_multiframe {
            causes |= falc::ISR2_MFAR;
        }
        self.raise(falc::ISR2.offset, causes);
    }

    /// What reaches the system side: timeslot 0 as received, ones in the slots a T1 has no channel for; all
    /// ones while there are no frames, and when the host asks for them.
    fn fill(&self, block: &mut Block) {
        let frames = self.framed.filter(|_| self.receiver.is_aligned());
        let Some(frames) = frames.filter(|_| !self.has(falc::FMR2.offset, falc::FMR2_SAIS)) else {
            for row in &mut block.octets {
                *row = [0xFF; TIMESLOTS];
            }
            return;
        };
        for (n, row) in block.octets.iter_mut().enumerate() {
            match frames.framing {
                Framing::E1 => {
                    if let Some(octet) = row.first_mut() {
                        *octet = timeslot_0(frames, n.is_multiple_of(2));
                    }
                }
                Framing::D4 | Framing::Esf => {
                    let (equipped, rest) = row.split_at_mut(CHANNELS + 1);
                    rest.fill(0xFF);
                    equipped.iter_mut().take(1).for_each(|octet| *octet = 0xFF);
                }
            }
        }
    }

    /// A frame was repeated, or skipped.
    pub(crate) fn slip(&mut self, slip: Slip) {
        self.note(true, falc::ESM_SLIP);
        let cause = match slip {
            Slip::Repeated => falc::ISR3_RSN,
            Slip::Skipped => falc::ISR3_RSP,
        };
        self.raise(falc::ISR3.offset, cause);
    }

    /// A second of the board's clock has passed.
    pub(crate) fn second(&mut self) {
        if self.has(falc::FMR1.offset, falc::FMR1_ECM) {
            self.latch();
        }
        let errored = self.errored & !self.stored(falc::ESM.offset) != 0;
        self.errored = 0;
        self.raise(falc::ISR3.offset, if errored { falc::ISR3_ES } else { 0 } | falc::ISR3_SEC);
    }
    fn latch(&mut self) {
        self.latched = core::mem::take(&mut self.running);
    }
}

/// Timeslot 0 of a frame: with the alignment signal, or with the A bit.
fn timeslot_0(frames: Frames, alignment: bool) -> u8 {
    match (alignment, frames.remote_alarm) {
        (true, _) => TS0_ALIGNMENT,
        (false, true) => TS0_SERVICE | TS0_REMOTE_ALARM,
        (false, false) => TS0_SERVICE,
    }
}

/// Which alarms of FRS0 make the second an errored one, as bits of ESM.
fn errored_by(status: u8) -> u8 {
    let when = |alarm: u8, bit: u8| if status & alarm != 0 { bit } else { 0 };
    when(falc::FRS0_LFA, falc::ESM_LFA)
        | when(falc::FRS0_AIS, falc::ESM_AIS)
        | when(falc::FRS0_LOS, falc::ESM_LOS)
}
