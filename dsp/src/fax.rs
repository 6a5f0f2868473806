//! Fax tones: CNG of who calls, CED of who answers, the preamble of V.21 flags. T.30 §4.3, V.25, V.21.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

use crate::ears::Fax;
use crate::frame::Frame;
use crate::spectrum::HOP_MILLIS;
use crate::tones::{Change, Tone};

/// CNG: 1100 ± 38 Hz for 0.5 s ± 15 %. T.30, §4.3.3.3; 5 Hz of our own on top.
const CNG_HZ: f32 = 1100.0;
const CNG_TOLERANCE_HZ: f32 = 43.0;
const CNG_MILLIS: core::ops::RangeInclusive<u32> = 400..=600;
/// CED: 2100 ± 15 Hz. T.30, §4.3.3.2. Reported after half a second: a digit of speech never holds it.
const CED_HZ: f32 = 2100.0;
const CED_TOLERANCE_HZ: f32 = 25.0;
const CED_MILLIS: u32 = 450;
/// Share of the power in the preamble's band, and the least and most of it in the lower tone.
const PREAMBLE_SHARE: f32 = 0.88;
const PREAMBLE_LOW: core::ops::RangeInclusive<f32> = 0.35..=0.97;
/// How long it must last; V.21 flags are sent for a second.
const PREAMBLE_MILLIS: u32 = 304;
/// Frames that may fail the test in it.
const PREAMBLE_MISSES_MAX: u8 = 2;
/// The weakest fax: −43 dBm0.
const POWER_MIN: f32 = 1.2e-5;

/// The fax receiver of one lane.
#[derive(Clone, Debug, Default)]
pub struct FaxEar {
    said_ced: bool,
    preamble_millis: u32,
    preamble_misses: u8,
    said_preamble: bool,
}

impl FaxEar {
    /// Takes what changed among the tones; a CNG is known when it ends.
    pub fn change(&mut self, change: &Change) -> Option<Fax> {
        match change {
            Change::Began(_) => {
                self.said_ced = false;
                None
            }
            Change::Ended(tone) => is_cng(tone).then_some(Fax::Cng),
        }
    }
    /// Takes a frame and the tone that sounds in it.
    pub fn take(&mut self, frame: &Frame, tone: Option<&Tone>) -> Option<Fax> {
        if let Some(tone) = tone
            && !self.said_ced
            && tone.is_at(CED_HZ, CED_TOLERANCE_HZ)
            && tone.millis() >= CED_MILLIS
        {
            self.said_ced = true;
            return Some(Fax::Ced);
        }
        let is_preamble = frame.power > POWER_MIN
            && frame.preamble_share > PREAMBLE_SHARE
            && PREAMBLE_LOW.contains(&frame.preamble_low_share);
        if is_preamble {
            self.preamble_millis = self.preamble_millis.saturating_add(HOP_MILLIS);
            self.preamble_misses = 0;
        } else {
            self.preamble_misses = self.preamble_misses.saturating_add(1);
            if self.preamble_misses > PREAMBLE_MISSES_MAX {
                (self.preamble_millis, self.said_preamble) = (0, false);
            }
        }
        if self.preamble_millis >= PREAMBLE_MILLIS && !self.said_preamble {
            self.said_preamble = true;
            return Some(Fax::Preamble);
        }
        None
    }
}

/// Whether a tone that ended was a CNG.
pub fn is_cng(tone: &Tone) -> bool {
    tone.is_at(CNG_HZ, CNG_TOLERANCE_HZ)
        && CNG_MILLIS.contains(&tone.millis())
        && tone.share > 0.85
        && !tone.is_cut_off
}
