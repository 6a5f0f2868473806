//! Voice activity: power over a noise floor that follows the line, and whether it is voiced.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

use crate::frame::Frame;

/// Frames of a stretch whose minimum is kept: 320 ms.
const STRETCH: u8 = 40;
/// Stretches kept: the floor is the least power of the last 1.6 s.
const STRETCHES: usize = 4;
/// Frames whose mean is taken before the minimum: a lost packet of 20 ms must not look like a floor.
const SMOOTH: usize = 6;
/// A voiced frame has this share of its power in one peak, and this below 1 kHz.
const VOICED_PEAK_SHARE: f32 = 0.3;
const VOICED_LOW_SHARE: f32 = 0.5;
/// Frames until a window is filled with the lane's own samples.
const FILL: u8 = 4;
/// Voice is this much louder than the floor: 7 dB.
const OVER_FLOOR: f32 = 5.0;
/// And at least −47 dBm0.
const POWER_MIN: f32 = 5e-6;

/// The voice activity of one lane.
#[derive(Clone, Debug)]
pub struct Voice {
    minima: [f32; STRETCHES],
    /// The least of them.
    past: f32,
    current: f32,
    latest: [f32; SMOOTH],
    frames: u8,
    fill: u8,
}

/// What a frame is to the voice detector.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Activity {
    /// Louder than the line.
    pub is_active: bool,
    /// And harmonic, as vowels are and noise is not.
    pub is_voiced: bool,
}

impl Default for Voice {
    fn default() -> Self {
        Self {
            minima: [f32::MAX; STRETCHES],
            past: f32::MAX,
            current: f32::MAX,
            latest: [0.0; SMOOTH],
            frames: 0,
            fill: 0,
        }
    }
}

impl Voice {
    /// Power of the noise between the words.
    pub fn floor(&self) -> f32 {
        self.past.min(self.current)
    }
    /// Whether somebody speaks in this frame (or anything else that is louder than the line).
    pub fn take(&mut self, frame: &Frame) -> Activity {
        if self.fill < FILL {
            self.fill = self.fill.saturating_add(1);
            self.latest = [frame.power; SMOOTH];
            return Activity::default();
        }
        let [a, b, c, d, e, _] = self.latest;
        self.latest = [frame.power, a, b, c, d, e];
        let mean = self.latest.iter().sum::<f32>() / SMOOTH as f32;
        self.current = self.current.min(mean);
        self.frames = self.frames.saturating_add(1);
        if self.frames >= STRETCH {
            self.minima.copy_within(..STRETCHES - 1, 1);
            if let Some(first) = self.minima.first_mut() {
                *first = self.current;
            }
            self.past = self.minima.iter().fold(f32::MAX, |a, &b| a.min(b));
            (self.current, self.frames) = (mean, 0);
        }
        let is_active = frame.power > POWER_MIN && frame.power > OVER_FLOOR * self.floor();
        let is_voiced = is_active
            && frame.first_share > VOICED_PEAK_SHARE
            && frame.low_share > VOICED_LOW_SHARE;
        Activity { is_active, is_voiced }
    }
}
