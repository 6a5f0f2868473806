//! The port's HDLC controller: two FIFOs of 2 × 32 octets between the host and chosen slots of the line.
//!
//! Frames leave when they are whole: the host's parts are gathered first, at the pace of the line. Frames that
//! arrive damaged are not delivered, as a receiver that saw nothing.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

use firmware_headers::falc;
use tdm::hdlc::{Decoder, Encoder, fcs};
use tdm::{Block, FRAME_OCTETS_MAX, Frame};

/// Octets of half a FIFO: what the host reads or writes at once.
const HALF: usize = 32;
/// Blocks that wait for the host before a frame is lost.
const BLOCKS_MAX: usize = 64;
/// Check sequence and status behind a received frame.
const TRAILER: usize = 3;

/// Up to [`HALF`] octets of a received frame.
#[derive(Clone, Copy, Debug, Default)]
struct Part {
    octets: [u8; HALF],
    len: usize,
    /// The frame's length, when this is its last part.
    ends: Option<usize>,
}

/// What the registers of the port say about the controller.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mode {
    /// Bit n: slot n is received.
    pub receive: u32,
    /// Bit n: slot n is sent.
    pub send: u32,
    /// The received check sequence goes into the FIFO.
    pub with_fcs: bool,
    /// Flags between frames; otherwise ones.
    pub flags: bool,
}

/// The controller of one port.
pub(crate) struct Hdlc {
    encoder: Encoder,
    decoder: Decoder,
    sending: [u8; FRAME_OCTETS_MAX],
    sending_len: usize,
    fifo: [u8; HALF],
    fifo_len: usize,
    too_long: bool,
    /// Octets the host gave that are not on the line yet.
    backlog: usize,
    /// The host waits for room.
    owes_room: bool,
    parts: [Part; BLOCKS_MAX],
    first: usize,
    waiting: usize,
    /// The first part was announced, and octets of it were read.
    announced: bool,
    read: usize,
    status: u8,
    count: usize,
}

impl Default for Hdlc {
    fn default() -> Self {
        Self {
            encoder: Encoder::new(),
            decoder: Decoder::new(),
            sending: [0; FRAME_OCTETS_MAX],
            sending_len: 0,
            fifo: [0; HALF],
            fifo_len: 0,
            too_long: false,
            backlog: 0,
            owes_room: false,
            parts: [Part::default(); BLOCKS_MAX],
            first: 0,
            waiting: 0,
            announced: false,
            read: 0,
            status: 0,
            count: 0,
        }
    }
}

impl Hdlc {
    /// The host writes an octet to XFIFO.
    pub(crate) fn give(&mut self, octet: u8) {
        if let Some(place) = self.fifo.get_mut(self.fifo_len) {
            *place = octet;
            self.fifo_len = self.fifo_len.saturating_add(1);
        }
    }
    /// The host reads an octet of RFIFO.
    pub(crate) fn take(&mut self) -> u8 {
        let part = self.parts.get(self.first).filter(|_| self.announced);
        let octet = part.and_then(|part| part.octets.get(self.read)).copied().unwrap_or_default();
        self.read = self.read.saturating_add(1);
        octet
    }
    /// RBCL and RBCH: octets of the frame so far.
    pub(crate) fn count(&self) -> usize {
        self.count
    }
    /// RSIS.
    pub(crate) fn status(&self) -> u8 {
        self.status
    }
    /// XFIFO may be written.
    pub(crate) fn has_room(&self) -> bool {
        !self.owes_room
    }

    /// Carries out a command; returns what it raises in ISR1.
    pub(crate) fn command(&mut self, command: u8) -> u8 {
        if command & falc::CMDR_RMC != 0 && self.announced {
            self.first = self.first.wrapping_add(1) % BLOCKS_MAX;
            self.waiting = self.waiting.saturating_sub(1);
            self.announced = false;
        }
        if command & falc::CMDR_RRES != 0 {
            (self.waiting, self.announced) = (0, false);
            self.decoder = Decoder::new();
        }
        if command & (falc::CMDR_SRES | falc::CMDR_XRES) != 0 {
            self.encoder = Encoder::new();
            (self.sending_len, self.fifo_len, self.backlog) = (0, 0, 0);
            (self.too_long, self.owes_room) = (false, false);
            return if command & falc::CMDR_SRES != 0 { falc::ISR1_XPR } else { 0 };
        }
        if command & falc::CMDR_XHF != 0 {
            return self.part(command & falc::CMDR_XME != 0);
        }
        0
    }

    /// What is in the FIFO is a part of a frame, perhaps the last.
    fn part(&mut self, last: bool) -> u8 {
        let part = self.fifo.get(..self.fifo_len).unwrap_or_default();
        let end = self.sending_len.saturating_add(part.len());
        match self.sending.get_mut(self.sending_len..end) {
            Some(place) => place.copy_from_slice(part),
            None => self.too_long = true,
        }
        self.sending_len = end;
        self.backlog = self.backlog.saturating_add(part.len());
        (self.fifo_len, self.owes_room) = (0, true);
        if !last {
            return 0;
        }
        let frame = self.sending.get(..self.sending_len).and_then(Frame::new);
        let sent = !self.too_long && frame.is_some_and(|frame| self.encoder.push(&frame));
        (self.sending_len, self.too_long) = (0, false);
        if sent { 0 } else { falc::ISR1_XDU }
    }

    /// Fills the slots of a millisecond that leaves; returns what it raises in ISR1.
    pub(crate) fn send(&mut self, mode: Mode, block: &mut Block) -> u8 {
        if mode.send == 0 {
            return 0;
        }
        for row in &mut block.octets {
            for (slot, octet) in row.iter_mut().enumerate() {
                if mode.send.wrapping_shr(slot as u32) & 1 == 0 {
                    continue;
                }
                if mode.flags || self.encoder.waiting() > 0 {
                    self.encoder.octets(core::slice::from_mut(octet));
                } else {
                    *octet = 0xFF;
                }
                self.backlog = self.backlog.saturating_sub(1);
            }
        }
        let mut causes = 0;
        // One half is on its way to the line, the other is the host's.
        if self.owes_room && self.backlog <= HALF {
            self.owes_room = false;
            causes |= falc::ISR1_XPR;
        }
        causes
    }

    /// Reads the slots of a millisecond that arrived.
    pub(crate) fn receive(&mut self, mode: Mode, block: &Block) {
        if mode.receive == 0 {
            return;
        }
        let Self { decoder, parts, first, waiting, status, .. } = self;
        for row in &block.octets {
            for (slot, octet) in row.iter().enumerate() {
                if mode.receive.wrapping_shr(slot as u32) & 1 == 1 {
                    decoder.push(&[*octet], |frame| {
                        *status = store(parts, *first, waiting, frame, mode.with_fcs);
                    });
                }
            }
        }
    }
    /// Announces the oldest part; what that raises in ISR0.
    pub(crate) fn announce(&mut self) -> u8 {
        if self.announced || self.waiting == 0 {
            return 0;
        }
        let Some(part) = self.parts.get(self.first) else { return 0 };
        (self.announced, self.read) = (true, 0);
        match part.ends {
            Some(octets) => {
                self.count = octets;
                falc::ISR0_RME
            }
            None => {
                self.count = part.len;
                falc::ISR0_RPF
            }
        }
    }
}

/// Cuts a frame and what follows it into parts behind those that wait. Returns its status.
fn store(
    parts: &mut [Part; BLOCKS_MAX],
    first: usize,
    waiting: &mut usize,
    frame: &[u8],
    with_fcs: bool,
) -> u8 {
    const GOOD: u8 = falc::RSIS_VFR | falc::RSIS_CRC16;
    let mut whole = [0; FRAME_OCTETS_MAX + TRAILER];
    let check = fcs(frame).to_le_bytes();
    let check = if with_fcs { &check[..] } else { &[] };
    let mut octets = 0_usize;
    for (place, &octet) in whole.iter_mut().zip(frame.iter().chain(check).chain(&[GOOD])) {
        *place = octet;
        octets = octets.saturating_add(1);
    }
    let halves = octets.div_ceil(HALF);
    if waiting.saturating_add(halves) > BLOCKS_MAX {
        return falc::RSIS_RDO;
    }
    let whole = whole.get(..octets).unwrap_or_default();
    for (n, half) in whole.chunks(HALF).enumerate() {
        let at = first.wrapping_add(*waiting) % BLOCKS_MAX;
        if let Some(part) = parts.get_mut(at) {
            let last = n.saturating_add(1) == halves;
            *part = Part { len: half.len(), ends: last.then_some(octets), ..Part::default() };
            part.octets.iter_mut().zip(half).for_each(|(to, &from)| *to = from);
        }
        *waiting = waiting.saturating_add(1);
    }
    GOOD
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
mod tests {
    use super::*;
    use tdm::{Law, Rng};

    const MODE: Mode = Mode { receive: 1 << 16, send: 1 << 16, with_fcs: true, flags: true };

    /// Sends `frame` as the host does: parts of 32 octets, each when there is room.
    fn sent(hdlc: &mut Hdlc, frame: &[u8]) -> Vec<u8> {
        let mut received = Vec::new();
        let mut parts = frame.chunks(HALF).peekable();
        let mut room = true;
        for _ in 0..frame.len() + 40 {
            if room && let Some(part) = parts.next() {
                part.iter().for_each(|&octet| hdlc.give(octet));
                let last = if parts.peek().is_none() { falc::CMDR_XME } else { 0 };
                assert_eq!(hdlc.command(falc::CMDR_XHF | last), 0);
                room = false;
            }
            let mut block = Block::idle(Law::A);
            room |= hdlc.send(MODE, &mut block) & falc::ISR1_XPR != 0;
            hdlc.receive(MODE, &block);
            let causes = hdlc.announce();
            if causes != 0 {
                let octets = match hdlc.count() % HALF {
                    0 => HALF,
                    some => some,
                };
                received.extend((0..octets).map(|_| hdlc.take()));
                hdlc.command(falc::CMDR_RMC);
            }
            if causes & falc::ISR0_RME != 0 {
                return received;
            }
        }
        received
    }

    #[test]
    fn frames_of_every_length_come_back_with_check_sequence_and_status() {
        let (mut hdlc, mut rng) = (Hdlc::default(), Rng::from_seed(4));
        assert_eq!(hdlc.command(falc::CMDR_SRES), falc::ISR1_XPR);
        for octets in 3..=FRAME_OCTETS_MAX {
            let frame: Vec<u8> = (0..octets).map(|_| rng.next_u64() as u8).collect();
            let received = sent(&mut hdlc, &frame);
            let mut expected = frame.clone();
            expected.extend(fcs(&frame).to_le_bytes());
            expected.push(0xA0);
            assert_eq!(received, expected, "{octets} octets");
        }
    }

    #[test]
    fn a_frame_that_is_too_long_is_given_up_and_the_next_one_goes() {
        let mut hdlc = Hdlc::default();
        let mut gave_up = false;
        for n in 0..20 {
            (0..HALF).for_each(|_| hdlc.give(1));
            let last = if n == 19 { falc::CMDR_XME } else { 0 };
            gave_up |= hdlc.command(falc::CMDR_XHF | last) & falc::ISR1_XDU != 0;
        }
        assert!(gave_up);
        hdlc.command(falc::CMDR_SRES);
        assert_eq!(sent(&mut hdlc, &[1, 2, 3, 4])[..4], [1, 2, 3, 4]);
    }

    #[test]
    fn a_host_that_never_reads_costs_frames_and_no_memory() {
        let mut hdlc = Hdlc::default();
        for _ in 0..200 {
            (0..8).for_each(|_| hdlc.give(7));
            hdlc.command(falc::CMDR_XHF | falc::CMDR_XME);
            for _ in 0..4 {
                let mut block = Block::idle(Law::A);
                hdlc.send(MODE, &mut block);
                hdlc.receive(MODE, &block);
            }
            hdlc.announce();
        }
        assert_eq!(hdlc.waiting, BLOCKS_MAX);
        assert_eq!(hdlc.status(), falc::RSIS_RDO);
    }
}
