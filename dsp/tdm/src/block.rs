//! One millisecond of one span.

use crate::{Law, SampleTime};

/// Instants in a block, 125 µs apart.
pub const SAMPLES: usize = 8;
/// Timeslots of a span; a T1 uses 1 to 24 of them.
pub const TIMESLOTS: usize = 32;

/// The octets one timeslot carries in a millisecond, first on the line first.
pub type DOctets = [u8; SAMPLES];

/// A millisecond of a span: row = sample instant, lane = timeslot.
///
/// Octets are PCM as on the line (A-law with the even-bit inversion), bit 7 first on the line.
/// T1: channel n in lane n. The board's own slot offset is removed before a `Block` exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// When the first row is on the line, on the clock of the board it comes from or goes to.
    pub at: SampleTime,
    /// `octets[n][t]`: sample n (0..8) of timeslot t.
    pub octets: [[u8; TIMESLOTS]; SAMPLES],
}

impl Block {
    /// Silence on every timeslot.
    pub const fn idle(law: Law) -> Self {
        Self { at: SampleTime::samples(0), octets: [[law.idle(); TIMESLOTS]; SAMPLES] }
    }
    /// The eight octets of timeslot `t`; idle zeros when there is no such timeslot.
    pub fn timeslot(&self, t: crate::Timeslot) -> DOctets {
        let mut out = [0; SAMPLES];
        for (octet, row) in out.iter_mut().zip(&self.octets) {
            *octet = row.get(t.index()).copied().unwrap_or_default();
        }
        out
    }
    /// Replaces the eight octets of timeslot `t`.
    pub fn set_timeslot(&mut self, t: crate::Timeslot, octets: DOctets) {
        for (row, octet) in self.octets.iter_mut().zip(octets) {
            if let Some(lane) = row.get_mut(t.index()) {
                *lane = octet;
            }
        }
    }
}
