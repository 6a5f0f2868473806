//! What went wrong on a line since start.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

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
}

impl Latched {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Frame, Self::Code, Self::Crc];
}

impl Counters {
    /// Adds one second's count.
    pub fn add(&mut self, which: Latched, errors: u16) {
        let total = match which {
            Latched::Frame => &mut self.frame_errors,
            Latched::Code => &mut self.code_violations,
            Latched::Crc => &mut self.crc_errors,
        };
        *total = total.saturating_add(u64::from(errors));
    }
}
