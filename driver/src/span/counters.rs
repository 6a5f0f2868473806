//! What went wrong on a line since start.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

use crate::framer::Mode;

/// Errors since start. The framer latches 16 bits a second; these never wrap in practice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Wrong frame alignment signals.
    pub frame_errors: u64,
    /// Line code violations.
    pub code_violations: u64,
    /// Sub-multiframes with a wrong CRC-4.
    pub crc_errors: u64,
    /// Frames repeated or dropped by the framer's elastic buffers.
    pub slips: u64,
    /// Sub-multiframes of ours that the far end received with a wrong CRC-4: its E bits. G.704, §2.3.3.4.
    pub far_errors: u64,
}

/// The framer's counters that are read every second, in the order they are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Latched {
    /// Framing errors.
    Frame,
    /// Code violations.
    Code,
    /// CRC errors.
    Crc,
    /// E bits: with CRC-4 alone.
    Far,
}

impl Latched {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Frame, Self::Code, Self::Crc, Self::Far];
}

impl Latched {
    /// How many of them mean something on a line in `mode`: E bits come with CRC-4 alone.
    pub const fn of(mode: Mode) -> usize {
        if mode.has_crc4() { Self::ALL.len() } else { Self::ALL.len().saturating_sub(1) }
    }
}

impl Counters {
    /// Adds one second's count.
    pub fn add(&mut self, which: Latched, errors: u16) {
        let total = match which {
            Latched::Frame => &mut self.frame_errors,
            Latched::Code => &mut self.code_violations,
            Latched::Crc => &mut self.crc_errors,
            Latched::Far => &mut self.far_errors,
        };
        *total = total.saturating_add(u64::from(errors));
    }
}
