//! From samples to landmarks: spectra of 64 ms every 16 ms, their peaks, pairs of peaks. Causal.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};
use tdm::SAMPLES;

/// Samples of a window, at half the line's rate: 64 ms, bins of 15.6 Hz.
const SIZE: usize = 256;
/// Samples from one to the next.
const HOP: usize = 64;
/// Milliseconds from one frame to the next.
pub const FRAME_MILLIS: u32 = 16;
/// The bins that count: 297 to 1891 Hz. Every codec and line carries them.
const FIRST: usize = 19;
const BINS: usize = 103;
/// A peak is the strongest of so many bins and frames on either side: 94 Hz and 80 ms.
const REACH_BINS: usize = 6;
const REACH_FRAMES: usize = 5;
const KEPT: usize = 2 * REACH_FRAMES + 1;
/// The weakest peak: −60 dBm0 in a bin. Below is what an idle line's law makes.
const POWER_MIN: f32 = 1e-6;
/// Latest peaks that a new one is paired with, and how far they may lie back, in frames.
const PAIRS: usize = 10;
const APART_FRAMES: core::ops::RangeInclusive<u32> = 2..=63;
/// How far apart the two frequencies may be: 1 kHz.
const APART_BINS: u32 = 64;
/// The taps of a low pass at 1.9 kHz, half of them: symmetric, for every other sample.
const TAPS: usize = 16;
/// What the windows, the neighbourhood of a peak and the filter hold back.
pub const LAG_MILLIS: usize = 64 + 16 * (REACH_FRAMES + 1) + 4;

/// Two peaks: which two frequencies and what time between them, in a number; and when the first was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Landmark {
    /// Both frequencies in bins, seven bits each, and the frames between, six bits.
    pub hash: u32,
    /// The frame of the first peak, [`FRAME_MILLIS`] each.
    pub frame: u32,
}

impl Landmark {
    /// Bits of a hash.
    pub const BITS: u32 = 20;

    fn of(first: Peak, second: Peak) -> Option<Self> {
        let apart = second.frame.checked_sub(first.frame)?;
        let is_near = first.bin.abs_diff(second.bin) <= APART_BINS;
        (is_near && APART_FRAMES.contains(&apart)).then_some(Self {
            hash: first.bin.wrapping_shl(13) | second.bin.wrapping_shl(6) | apart,
            frame: first.frame,
        })
    }
}

/// A point of the spectrogram that is stronger than all around it.
#[derive(Clone, Copy, Debug, Default)]
struct Peak {
    bin: u32,
    frame: u32,
}

type Row = [f32; BINS];

/// Turns the samples of a lane into landmarks. Allocates when it is built, never after.
pub struct Landmarks {
    transform: Arc<dyn RealToComplex<f32>>,
    window: [f32; SIZE],
    taps: [f32; TAPS],
    /// The latest samples of the line, the newest last.
    line: [f32; TAPS],
    /// The latest samples at half the rate, the newest last.
    recent: [f32; SIZE],
    fresh: usize,
    windowed: Vec<f32>,
    spectrum: Vec<Complex<f32>>,
    scratch: Vec<Complex<f32>>,
    /// Powers of the latest frames and, of each bin, the greatest around it in its own frame.
    rows: [Row; KEPT],
    around: [Row; KEPT],
    newest: usize,
    frames: u32,
    peaks: [Peak; PAIRS],
    peaks_known: usize,
}

impl core::fmt::Debug for Landmarks {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Landmarks").field("frames", &self.frames).finish_non_exhaustive()
    }
}

impl Default for Landmarks {
    fn default() -> Self {
        use core::f32::consts::{PI, TAU};
        let transform = RealFftPlanner::<f32>::new().plan_fft_forward(SIZE);
        let taps: [f32; TAPS] = core::array::from_fn(|n| {
            let t = n as f32 - (TAPS as f32 - 1.0) / 2.0;
            let sinc = (TAU * 1900.0 / 8000.0 * t).sin() / (PI * t);
            sinc * (0.54 + 0.46 * (TAU * t / TAPS as f32).cos())
        });
        Self {
            window: core::array::from_fn(|n| {
                (0.5 - 0.5 * (TAU * (n as f32 + 0.5) / SIZE as f32).cos()) / 128.0
            }),
            taps,
            line: [0.0; TAPS],
            recent: [0.0; SIZE],
            fresh: 0,
            windowed: transform.make_input_vec(),
            spectrum: transform.make_output_vec(),
            scratch: transform.make_scratch_vec(),
            transform,
            rows: [[0.0; BINS]; KEPT],
            around: [[0.0; BINS]; KEPT],
            newest: 0,
            frames: 0,
            peaks: [Peak::default(); PAIRS],
            peaks_known: 0,
        }
    }
}

impl Landmarks {
    /// Begins anew, as if nothing had been heard.
    pub fn forget(&mut self) {
        (self.line, self.recent, self.fresh) = ([0.0; TAPS], [0.0; SIZE], 0);
        (self.rows, self.around) = ([[0.0; BINS]; KEPT], [[0.0; BINS]; KEPT]);
        (self.newest, self.frames, self.peaks_known) = (0, 0, 0);
    }

    /// Takes a millisecond of linear samples, full scale ±1.0; says the landmarks that became known in it.
    pub fn take(&mut self, samples: &[f32; SAMPLES], mut say: impl FnMut(Landmark)) {
        for pair in samples.as_chunks::<2>().0 {
            self.line.rotate_left(2);
            if let Some(end) = self.line.last_chunk_mut() {
                *end = *pair;
            }
            let low: f32 = self.line.iter().zip(&self.taps).map(|(x, tap)| x * tap).sum();
            let at = SIZE.saturating_sub(HOP).saturating_add(self.fresh);
            if let Some(place) = self.recent.get_mut(at) {
                *place = low;
            }
            self.fresh = self.fresh.saturating_add(1);
            if self.fresh >= HOP {
                self.fresh = 0;
                self.look();
                self.recent.copy_within(HOP.., 0);
                self.pick(&mut say);
            }
        }
    }

    /// The powers of a new frame.
    fn look(&mut self) {
        for ((to, x), w) in self.windowed.iter_mut().zip(&self.recent).zip(&self.window) {
            *to = x * w;
        }
        let done = self.transform.process_with_scratch(
            &mut self.windowed,
            &mut self.spectrum,
            &mut self.scratch,
        );
        self.newest = self.newest.saturating_add(1) % KEPT;
        self.frames = self.frames.wrapping_add(1);
        let rows = (self.rows.get_mut(self.newest), self.around.get_mut(self.newest));
        let (Ok(()), (Some(row), Some(around))) = (done, rows) else { return };
        let bins = self.spectrum.get(FIRST..).unwrap_or_default();
        row.iter_mut().zip(bins).for_each(|(to, bin)| *to = bin.norm_sqr());
        for (bin, to) in around.iter_mut().enumerate() {
            let from = bin.saturating_sub(REACH_BINS);
            let until = bin.saturating_add(REACH_BINS).min(BINS.saturating_sub(1));
            let near = row.get(from..=until).unwrap_or_default();
            *to = near.iter().fold(POWER_MIN, |a, &b| a.max(b));
        }
    }

    /// The peaks of the frame whose neighbours are all known now, and their pairs.
    fn pick(&mut self, say: &mut impl FnMut(Landmark)) {
        let Some(frame) = self.frames.checked_sub(REACH_FRAMES as u32) else { return };
        let middle = self.newest.saturating_add(KEPT).saturating_sub(REACH_FRAMES) % KEPT;
        let Some(row) = self.rows.get(middle) else { return };
        let mut greatest = [0.0_f32; BINS];
        for around in &self.around {
            greatest.iter_mut().zip(around).for_each(|(a, &b)| *a = a.max(b));
        }
        let (row, peaks) = (*row, row.iter().zip(&greatest));
        for (bin, _) in peaks.enumerate().filter(|(_, (power, greatest))| power >= greatest) {
            let is_inside = bin > 0 && bin < BINS.saturating_sub(1);
            if !is_inside || row.get(bin).is_none_or(|&power| power <= POWER_MIN) {
                continue;
            }
            let peak = Peak { bin: bin as u32, frame };
            let known = self.peaks.iter().take(self.peaks_known);
            known.filter_map(|&before| Landmark::of(before, peak)).for_each(&mut *say);
            self.peaks.rotate_right(1);
            if let Some(first) = self.peaks.first_mut() {
                *first = peak;
            }
            self.peaks_known = self.peaks_known.saturating_add(1).min(PAIRS);
        }
    }
}
