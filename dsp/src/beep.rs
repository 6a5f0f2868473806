//! The beep after which one may speak: a single steady tone, 0.1 to 2 s, then quiet.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

use crate::fax;
use crate::spectrum::HOP_MILLIS;
use crate::tones::Tone;
use crate::voice::Activity;

/// Frequencies beeps have been met at; 2100 Hz and up is a modem's.
const HZ: core::ops::RangeInclusive<f32> = 350.0..=2050.0;
const MILLIS: core::ops::RangeInclusive<u32> = 96..=2000;
/// A voice holds no tone so purely.
const SHARE_MIN: f32 = 0.96;
/// Nor for long at one frequency: what a short one may drift, in Hz.
const DRIFT_MAX_HZ: f32 = 7.0;
/// From this length on a glide is a beep as well.
const GLIDE_MILLIS: u32 = 160;

/// The frequency of the beep that `tone`, which has just ended, was; `None` when it was something else.
pub fn beep_of(tone: &Tone) -> Option<u16> {
    let is_beep = HZ.contains(&tone.hz[0])
        && MILLIS.contains(&tone.millis())
        && tone.share >= SHARE_MIN
        && !tone.is_cut_off
        && (tone.drift_hz <= DRIFT_MAX_HZ || tone.millis() >= GLIDE_MILLIS)
        && !fax::is_cng(tone);
    is_beep.then_some(tone.hz[0] as u16)
}

/// Which of the latest frames had sound: the lowest bit is the latest. A beep stands alone, a pure vowel does not.
#[derive(Clone, Copy, Debug, Default)]
pub struct Before(u64);

/// Frames before a tone's edge that must be quiet, and where they end: the window reaches so far.
const QUIET_FRAMES: u64 = 0b11;
const EDGE_FRAMES: u32 = 3;

impl Before {
    /// Takes what a frame was.
    pub fn take(&mut self, activity: Activity) {
        self.0 = self.0.wrapping_shl(1) | u64::from(activity.is_active);
    }
    /// Whether it was quiet before `from_millis`, when the frame of `at_millis` is the next to be taken.
    pub fn was_quiet_before(self, at_millis: u32, from_millis: u32) -> bool {
        let frames = at_millis.saturating_sub(from_millis) / HOP_MILLIS;
        let before = self.0.checked_shr(frames.saturating_add(EDGE_FRAMES)).unwrap_or(0);
        before & QUIET_FRAMES == 0
    }
}
