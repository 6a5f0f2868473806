//! Voice activity: power over a noise floor that follows the line.
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
    current: f32,
    frames: u8,
    fill: u8,
}

impl Default for Voice {
    fn default() -> Self {
        Self { minima: [f32::MAX; STRETCHES], current: f32::MAX, frames: 0, fill: 0 }
    }
}

impl Voice {
    /// Power of the noise between the words.
    pub fn floor(&self) -> f32 {
        self.minima.iter().fold(self.current, |a, &b| a.min(b))
    }
    /// Whether somebody speaks in this frame (or anything else that is louder than the line).
    pub fn take(&mut self, frame: &Frame) -> bool {
        if self.fill < FILL {
            self.fill = self.fill.saturating_add(1);
            return false;
        }
        self.current = self.current.min(frame.power);
        self.frames = self.frames.saturating_add(1);
        if self.frames >= STRETCH {
            self.minima.rotate_right(1);
            if let Some(first) = self.minima.first_mut() {
                *first = self.current;
            }
            (self.current, self.frames) = (frame.power, 0);
        }
        frame.power > POWER_MIN && frame.power > OVER_FLOOR * self.floor()
    }
}
