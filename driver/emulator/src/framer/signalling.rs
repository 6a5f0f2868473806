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
    /// What leaves until the multiframe ends: registers take effect where the next begins.
    leaving: [u8; cas::FRAMES],
    timeslot_16: cas::Receiver,
    robbed: robbed::Receiver,
    robs: bool,
}

/// What a millisecond changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Heard {
    pub changed: bool,
    /// Alarms of timeslot 16 that began, as bits of FRS1.
    pub alarmed: u8,
}

impl Signalling {
    /// Where the millisecond that is sent next begins in the 24 frames of a T1.
    pub(crate) fn at(&self) -> u8 {
        self.at
    }
    /// Puts the bits of `registers` (XS1 to XS16) into a millisecond that leaves.
    pub(crate) fn send(&mut self, way: Way, registers: &[u8], block: &mut Block) {
        let begins = match way {
            Way::None => false,
            Way::Timeslot16 => self.sender.begins(),
            Way::Robbed { .. } => self.at == 0,
        };
        if begins {
            self.leaving.iter_mut().zip(registers).for_each(|(to, &from)| *to = from);
        }
        match way {
            Way::None => {}
            Way::Timeslot16 => self.sender.fill(&self.leaving, block),
            Way::Robbed { framing, clear } => {
                robbed::rob(framing, self.at, &self.leaving, clear, block);
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
                let (sender, at, leaving) = (self.sender, self.at, self.leaving);
                *self = Self { sender, at, leaving, ..Self::default() };
                Heard::default()
            }
            Way::Timeslot16 => {
                let before = self.timeslot_16.alarms();
                let changed = self.timeslot_16.millisecond(block);
                Heard { changed, alarmed: self.timeslot_16.alarms() & !before }
            }
            Way::Robbed { framing, clear } => {
                let changed = self.robbed.millisecond(framing, frames.at, clear, block);
                Heard { changed, alarmed: 0 }
            }
        }
    }
    /// What is wrong with timeslot 16, as bits of FRS1.
    pub(crate) fn alarms(&self) -> u8 {
        self.timeslot_16.alarms()
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
