//! A port's signalling bits, whichever way they travel: in timeslot 16, robbed, or not at all.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

use tdm::{Block, SAMPLES};

use super::{cas, robbed};
use crate::{Frames, Framing};

/// What the registers of the port say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// None.
    None,
    /// In timeslot 16.
    Timeslot16,
    /// In the last bits of channels, but those whose bit is set here.
    Robbed {
        /// How the line is framed.
        framing: Framing,
        /// Bit n: channel n is clear.
        clear: u32,
    },
}

/// Sender and receiver of one port.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Signalling {
    sender: cas::Sender,
    /// Where the next millisecond that is sent stands in its superframe.
    at: u8,
    timeslot_16: cas::Receiver,
    robbed: robbed::Receiver,
    robs: bool,
}

/// What a millisecond changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Heard {
    pub changed: bool,
    pub lost: bool,
}

impl Signalling {
    /// Where the millisecond that is sent next begins in the 24 frames of a T1.
    pub(crate) fn at(&self) -> u8 {
        self.at
    }
    /// Puts the bits of `registers` (XS1 to XS16) into a millisecond that leaves.
    pub(crate) fn send(&mut self, way: Way, registers: &[u8], block: &mut Block) {
        match way {
            Way::None => {}
            Way::Timeslot16 => self.sender.fill(registers, block),
            Way::Robbed { framing, clear } => {
                robbed::rob(framing, self.at, registers, clear, block);
            }
        }
        self.at = self.at.wrapping_add(SAMPLES as u8) % robbed::FRAMES;
    }
    /// Reads a millisecond; `frames` are nothing while no frame is found.
    pub(crate) fn hear(&mut self, way: Way, frames: Option<Frames>, block: &Block) -> Heard {
        self.robs = matches!(way, Way::Robbed { .. });
        let Some(frames) = frames else {
            self.timeslot_16.lose();
            self.robbed.lose();
            return Heard::default();
        };
        match way {
            Way::None => {
                *self = Self { sender: self.sender, at: self.at, ..Self::default() };
                Heard::default()
            }
            Way::Timeslot16 => {
                let was_aligned = self.timeslot_16.is_aligned();
                let changed = self.timeslot_16.millisecond(block);
                Heard { changed, lost: was_aligned && !self.timeslot_16.is_aligned() }
            }
            Way::Robbed { framing, clear } => {
                let changed = self.robbed.millisecond(framing, frames.at, clear, block);
                Heard { changed, lost: false }
            }
        }
    }
    /// Timeslot 16 has its multiframe.
    pub(crate) fn is_aligned(&self) -> bool {
        self.timeslot_16.is_aligned()
    }
    /// RSP1 and RSP2: which registers changed since they were read.
    pub(crate) fn changed(&self) -> [u8; 2] {
        let changed = if self.robs { self.robbed.changed } else { self.timeslot_16.changed };
        changed.to_le_bytes()
    }
    /// RS1 to RS16; that it changed is known until it is read.
    pub(crate) fn take(&mut self, n: usize) -> u8 {
        let seen = !1_u16.wrapping_shl(n as u32);
        if self.robs {
            self.robbed.changed &= seen;
            return self.robbed.registers.get(n).copied().unwrap_or_default();
        }
        self.timeslot_16.changed &= seen;
        self.timeslot_16.registers.get(n).copied().unwrap_or_default()
    }
}
