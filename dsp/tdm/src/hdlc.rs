//! HDLC on a 64 kbit/s timeslot: flags, bit stuffing and FCS-16 of ISO/IEC 13239, an octet of the line at a
//! time through tables.
//!
//! Line octets are PCM: bit 7 is first on the line. HDLC sends the least significant bit of an octet first,
//! so inside this module the stream runs from bit 0 upwards and every line octet is mirrored at the door.
//!
//! Called once a millisecond for every D-channel: nothing allocates, nothing waits, nothing can fail.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

use crate::frame::{FRAME_OCTETS_MAX, Frame};

/// Frames an [`Encoder`] holds beside the one on the line: twice a LAPD window.
pub const QUEUE_FRAMES: usize = 16;
/// Shortest frame without FCS a receiver hands out: a LAPD U frame, an MTP2 fill-in unit.
pub const FRAME_OCTETS_MIN: usize = 3;

const FCS_OCTETS: usize = 2;
const FLAG: u32 = 0x7E;
const OCTET_BITS: u32 = 8;
/// The register after a good frame and its FCS. ISO/IEC 13239, §4.2.5.2 (reflected form).
const GOOD_RESIDUE: u16 = 0xF0B8;
const FCS_PRESET: u16 = 0xFFFF;
/// Ones in a row that abort a frame; so many that the line counts as idle.
const ABORT_ONES: u8 = 7;
const IDLE_ONES: u8 = 15;
/// What a closing flag leaves in the receiver before it is recognised: a zero and five ones.
const FLAG_TAIL_BITS: u32 = 6;

static FCS: [u16; 256] = fcs_table();
static STUFF: [[Stuffed; 256]; 5] = stuff_table();
static UNSTUFF: [[Unstuffed; 256]; 6] = unstuff_table();

/// Eight data bits with the zeros the sender inserts.
#[derive(Clone, Copy)]
struct Stuffed {
    /// 8 to 10 bits, first on the line in bit 0.
    bits: u16,
    count: u8,
    /// Ones at the end, 0 to 4: the fifth is always followed by its zero.
    ones: u8,
}

/// Eight line bits without the zeros the sender inserted.
#[derive(Clone, Copy)]
struct Unstuffed {
    bits: u8,
    count: u8,
    ones: u8,
    /// A sixth one in a row: a flag or an abort passes here, look bit by bit.
    special: bool,
}

// The tables are computed when compiling, where an overflow or a wrong index is a compile error.
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
const fn fcs_table() -> [u16; 256] {
    let mut table = [0; 256];
    let mut octet = 0;
    while octet < 256 {
        let mut register = octet as u16;
        let mut bit = 0;
        while bit < 8 {
            // x^16 + x^12 + x^5 + 1, reflected.
            register = if register & 1 == 1 { (register >> 1) ^ 0x8408 } else { register >> 1 };
            bit += 1;
        }
        table[octet] = register;
        octet += 1;
    }
    table
}

#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
const fn stuff_table() -> [[Stuffed; 256]; 5] {
    let mut table = [[Stuffed { bits: 0, count: 0, ones: 0 }; 256]; 5];
    let mut before = 0;
    while before < 5 {
        let mut octet = 0;
        while octet < 256 {
            let (mut bits, mut count, mut ones, mut bit) = (0_u16, 0_u8, before as u8, 0);
            while bit < 8 {
                let one = octet >> bit & 1 == 1;
                bits |= (one as u16) << count;
                count += 1;
                ones = if one { ones + 1 } else { 0 };
                if ones == 5 {
                    count += 1;
                    ones = 0;
                }
                bit += 1;
            }
            table[before][octet] = Stuffed { bits, count, ones };
            octet += 1;
        }
        before += 1;
    }
    table
}

#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
const fn unstuff_table() -> [[Unstuffed; 256]; 6] {
    let mut table = [[Unstuffed { bits: 0, count: 0, ones: 0, special: false }; 256]; 6];
    let mut before = 0;
    while before < 6 {
        let mut octet = 0;
        while octet < 256 {
            let (mut bits, mut count, mut ones, mut bit) = (0_u8, 0_u8, before as u8, 0);
            let mut special = false;
            while bit < 8 && !special {
                if octet >> bit & 1 == 1 {
                    ones += 1;
                    special = ones == 6;
                    bits |= 1 << count;
                    count += 1;
                } else {
                    count += (ones != 5) as u8;
                    ones = 0;
                }
                bit += 1;
            }
            table[before][octet] = Unstuffed { bits, count, ones, special };
            octet += 1;
        }
        before += 1;
    }
    table
}

fn fcs_step(register: u16, octet: u8) -> u16 {
    let row = usize::from((register ^ u16::from(octet)) & 0xFF);
    (register >> 8) ^ FCS.get(row).copied().unwrap_or_default()
}

/// The FCS of `octets` as it goes on the line, low octet first. ISO/IEC 13239, §4.2.5.2.
pub fn fcs(octets: &[u8]) -> u16 {
    !octets.iter().fold(FCS_PRESET, |register, &octet| fcs_step(register, octet))
}

/// What the sender puts on the line next.
#[derive(Clone, Copy)]
enum Sending {
    /// A flag: between frames, and behind each.
    Flag,
    /// Octet `at` of the frame at the head of the queue; the two FCS octets count on behind it.
    Frame { at: usize, register: u16 },
}

/// Turns frames into timeslot octets: flags for ever, frames between them, one flag at least between two.
pub struct Encoder {
    queue: [Frame; QUEUE_FRAMES],
    first: usize,
    queued: usize,
    sending: Sending,
    ones: u8,
    bits: u32,
    held: u32,
}

impl Default for Encoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Encoder {
    /// A sender with nothing to say but flags.
    pub fn new() -> Self {
        Self {
            queue: [Frame::EMPTY; QUEUE_FRAMES],
            first: 0,
            queued: 0,
            sending: Sending::Flag,
            ones: 0,
            bits: 0,
            held: 0,
        }
    }
    /// Appends a frame (without FCS); false when [`QUEUE_FRAMES`] wait already: keep it and try again.
    pub fn push(&mut self, frame: &Frame) -> bool {
        if self.queued == QUEUE_FRAMES {
            return false;
        }
        let at = self.first.wrapping_add(self.queued) % QUEUE_FRAMES;
        if let Some(place) = self.queue.get_mut(at) {
            *place = *frame;
            self.queued = self.queued.wrapping_add(1);
        }
        true
    }
    /// Frames that are not completely on the line yet.
    pub const fn waiting(&self) -> usize {
        self.queued
    }
    /// Fills `out` with the next octets of the timeslot, bit 7 first on the line.
    pub fn octets(&mut self, out: &mut [u8]) {
        for octet in out {
            while self.held < OCTET_BITS {
                self.refill();
            }
            *octet = (self.bits as u8).reverse_bits();
            self.bits >>= OCTET_BITS;
            self.held = self.held.wrapping_sub(OCTET_BITS);
        }
    }

    fn refill(&mut self) {
        match self.sending {
            Sending::Flag => {
                self.append(FLAG, OCTET_BITS);
                self.ones = 0;
                if self.queued > 0 {
                    self.sending = Sending::Frame { at: 0, register: FCS_PRESET };
                }
            }
            Sending::Frame { at, register } => self.next_octet(at, register),
        }
    }
    fn next_octet(&mut self, at: usize, register: u16) {
        let octets = self.queue.get(self.first).map(Frame::octets).unwrap_or_default();
        let [fcs_low, fcs_high] = (!register).to_le_bytes();
        let octet = match octets.get(at) {
            Some(&octet) => {
                let register = fcs_step(register, octet);
                self.sending = Sending::Frame { at: at.wrapping_add(1), register };
                octet
            }
            None if at == octets.len() => {
                self.sending = Sending::Frame { at: at.wrapping_add(1), register };
                fcs_low
            }
            None => {
                self.first = self.first.wrapping_add(1) % QUEUE_FRAMES;
                self.queued = self.queued.saturating_sub(1);
                self.sending = Sending::Flag;
                fcs_high
            }
        };
        let row = STUFF.get(usize::from(self.ones)).and_then(|row| row.get(usize::from(octet)));
        if let Some(stuffed) = row {
            self.append(u32::from(stuffed.bits), u32::from(stuffed.count));
            self.ones = stuffed.ones;
        }
    }
    /// At most 7 bits are held when 10 more arrive: 17 fit the word.
    fn append(&mut self, bits: u32, count: u32) {
        self.bits |= bits.wrapping_shl(self.held);
        self.held = self.held.wrapping_add(count);
    }
}

/// What a receiver saw since it was made. Operators diagnose lines from these.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Frames handed out.
    pub good: u64,
    /// Frames of fewer than [`FRAME_OCTETS_MIN`] octets and FCS.
    pub short: u64,
    /// Frames of more than [`FRAME_OCTETS_MAX`] octets and FCS.
    pub long: u64,
    /// Frames that were no whole number of octets.
    pub unaligned: u64,
    /// Frames with a wrong check sequence.
    pub fcs: u64,
    /// Frames that ended in seven ones or more.
    pub abort: u64,
}

impl Counters {
    /// Frames lost for whatever reason.
    pub const fn bad(&self) -> u64 {
        self.short
            .wrapping_add(self.long)
            .wrapping_add(self.unaligned)
            .wrapping_add(self.fcs)
            .wrapping_add(self.abort)
    }
}

/// Finds frames in the octets of a timeslot, at whatever bit they begin.
pub struct Decoder {
    frame: [u8; FRAME_OCTETS_MAX + FCS_OCTETS],
    len: usize,
    register: u16,
    /// More octets came than a frame may have.
    overlong: bool,
    /// Data bits of the octet in the making, first in bit 0, and how many.
    bits: u32,
    held: u32,
    /// Ones at the end of the stream so far, up to [`IDLE_ONES`].
    ones: u8,
    /// A flag was seen and no abort since.
    synchronised: bool,
    /// An octet that changes nothing: the fill between frames.
    fill: Option<u8>,
    counters: Counters,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Decoder {
    /// A receiver that waits for its first flag.
    pub const fn new() -> Self {
        Self {
            frame: [0; FRAME_OCTETS_MAX + FCS_OCTETS],
            len: 0,
            register: FCS_PRESET,
            overlong: false,
            bits: 0,
            held: 0,
            ones: 0,
            synchronised: false,
            fill: None,
            counters: Counters { good: 0, short: 0, long: 0, unaligned: 0, fcs: 0, abort: 0 },
        }
    }
    /// What was seen so far.
    pub const fn counters(&self) -> Counters {
        self.counters
    }
    /// Whether flags delimit the stream: false before the first flag and from an abort to the next flag.
    pub const fn is_synchronised(&self) -> bool {
        self.synchronised
    }
    /// Whether the line is idle: fifteen ones in a row or more.
    pub const fn is_idle(&self) -> bool {
        self.ones >= IDLE_ONES
    }
    /// Takes the next octets of the timeslot; `good` gets every frame that ends in them, without its FCS.
    pub fn push(&mut self, octets: &[u8], mut good: impl FnMut(&[u8])) {
        for &octet in octets {
            if self.fill == Some(octet) {
                continue;
            }
            let line = octet.reverse_bits();
            let row =
                UNSTUFF.get(usize::from(self.ones)).and_then(|row| row.get(usize::from(line)));
            match row {
                Some(plain) if !plain.special => {
                    self.fill = None;
                    self.ones = plain.ones;
                    self.data(u32::from(plain.bits), u32::from(plain.count));
                }
                _ => self.bit_by_bit(octet, line, &mut good),
            }
        }
    }

    /// An octet with a flag or an abort in it, or behind an abort.
    fn bit_by_bit(&mut self, octet: u8, line: u8, good: &mut impl FnMut(&[u8])) {
        let before = (self.ones, self.held, self.len, self.synchronised, self.counters);
        for bit in 0..8 {
            if (line >> bit) & 1 == 1 {
                self.one();
            } else {
                self.zero(good);
            }
        }
        let after = (self.ones, self.held, self.len, self.synchronised, self.counters);
        // Same state with nothing collected: the same octet will do the same again.
        self.fill = (before == after && self.len == 0).then_some(octet);
    }
    fn one(&mut self) {
        self.ones = self.ones.saturating_add(1).min(IDLE_ONES);
        match self.ones {
            0..=5 => self.data(1, 1),
            ABORT_ONES if self.synchronised => {
                // Behind the flag only the ones themselves were collected: then nobody lost a frame.
                if self.len > 0 {
                    self.counters.abort = self.counters.abort.wrapping_add(1);
                }
                self.synchronised = false;
                self.restart();
            }
            _ => {}
        }
    }
    fn zero(&mut self, good: &mut impl FnMut(&[u8])) {
        match self.ones {
            0..=4 => self.data(0, 1),
            6 => {
                self.flag(good);
                self.synchronised = true;
                self.restart();
            }
            _ => {}
        }
        self.ones = 0;
    }
    fn restart(&mut self) {
        (self.len, self.register, self.overlong) = (0, FCS_PRESET, false);
        (self.bits, self.held) = (0, 0);
    }
    /// Up to eight bits of a frame: at most 15 are held.
    fn data(&mut self, bits: u32, count: u32) {
        if !self.synchronised {
            return;
        }
        self.bits |= bits.wrapping_shl(self.held);
        self.held = self.held.wrapping_add(count);
        if self.held < OCTET_BITS {
            return;
        }
        let octet = self.bits as u8;
        self.bits >>= OCTET_BITS;
        self.held = self.held.wrapping_sub(OCTET_BITS);
        match self.frame.get_mut(self.len) {
            Some(place) => {
                *place = octet;
                self.len = self.len.wrapping_add(1);
                self.register = fcs_step(self.register, octet);
            }
            None => self.overlong = true,
        }
    }
    /// The zero that completes a flag. Its first six bits are in the collection: a frame of whole octets
    /// therefore leaves exactly six.
    fn flag(&mut self, good: &mut impl FnMut(&[u8])) {
        if !self.synchronised || self.len == 0 && self.held <= FLAG_TAIL_BITS {
            return;
        }
        let counters = &mut self.counters;
        let body = self.frame.get(..self.len.saturating_sub(FCS_OCTETS)).unwrap_or_default();
        let counter = if self.overlong {
            &mut counters.long
        } else if self.held != FLAG_TAIL_BITS {
            &mut counters.unaligned
        } else if body.len() < FRAME_OCTETS_MIN {
            &mut counters.short
        } else if self.register != GOOD_RESIDUE {
            &mut counters.fcs
        } else {
            good(body);
            &mut counters.good
        };
        *counter = counter.wrapping_add(1);
    }
}

#[cfg(test)]
#[allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]
mod tests;
