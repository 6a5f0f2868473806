//! Powers of 21 bands between 300 and 3000 Hz out of short spectra: those of the lanes, and of a whole recording.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

use realfft::RealFftPlanner;
use tdm::SAMPLES;

use crate::lanes::{Register, Simd, V};
use crate::spectrum::{BINS, HOP_MILLIS, SIZE};

/// Bands.
pub const BANDS: usize = 21;
/// The first bin of each band, and the one behind the last: tenths of an octave and more, as wide as an ear's.
const EDGES: [u8; BANDS + 1] =
    [10, 11, 12, 13, 15, 17, 19, 21, 23, 26, 29, 32, 36, 40, 44, 50, 55, 62, 69, 77, 86, 96];
const _: () = assert!((EDGES[BANDS] as usize) < BINS);

/// The power of each band in one look of 32 ms; full scale 1.0 is the mean square of the signal.
pub type Row = [f32; BANDS];

fn ranges() -> impl Iterator<Item = core::ops::Range<usize>> {
    EDGES.windows(2).filter_map(|edges| match edges {
        [from, to] => Some(usize::from(*from)..usize::from(*to)),
        _ => None,
    })
}

/// The bands of the lanes of a vector: sums of bins, all lanes at once. Called once every 8 ms for a vector in which
/// somebody listens for recordings.
#[inline(always)]
pub fn of_lanes<const W: usize, S: Simd<W>>(simd: S, power: &[V<W>; BINS], rows: &mut [Row]) {
    for (band, range) in ranges().enumerate() {
        let mut sum = simd.zero();
        for bin in power.get(range).unwrap_or_default() {
            sum = sum.plus(simd.load(bin));
        }
        for (row, &sum) in rows.iter_mut().zip(&sum.packed().0) {
            if let Some(to) = row.get_mut(band) {
                *to = sum;
            }
        }
    }
}

/// The rows of a whole recording of linear samples at 8 kHz, full scale ±1.0: one each 8 ms. By another transform than
/// the lanes', to the same powers.
pub fn of_recording(samples: &[f32]) -> Vec<Row> {
    const HOP: usize = HOP_MILLIS as usize * SAMPLES;
    // Hann; one-sided: the sum of the bins is the mean square.
    let scale = (1.0 / (SIZE as f32 * SIZE as f32 * 3.0 / 16.0)).sqrt();
    let window: [f32; SIZE] = core::array::from_fn(|n| {
        let turn = core::f32::consts::TAU * (n as f32 + 0.5) / SIZE as f32;
        scale * (0.5 - 0.5 * turn.cos())
    });
    let transform = RealFftPlanner::<f32>::new().plan_fft_forward(SIZE);
    let (mut input, mut bins) = (transform.make_input_vec(), transform.make_output_vec());
    let looks = samples.windows(SIZE).step_by(HOP).map(|look| {
        input.iter_mut().zip(look).zip(&window).for_each(|((to, x), w)| *to = x * w);
        let mut row = [0.0; BANDS];
        if transform.process(&mut input, &mut bins).is_ok() {
            for (to, range) in row.iter_mut().zip(ranges()) {
                *to = bins.get(range).unwrap_or_default().iter().map(|bin| bin.norm_sqr()).sum();
            }
        }
        row
    });
    looks.collect()
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::panic)]
mod tests {
    use super::*;
    use crate::lanes::{NARROW, Plain, Rows};
    use crate::spectrum::{MILLIS, Spectrum};

    /// The lanes hear the line, the print was made of the file: both by their own transform.
    #[test]
    fn lanes_and_recordings_have_the_same_bands() {
        let mut rng = tdm::Rng::from_seed(11);
        let samples: Vec<f32> = (0..SIZE).map(|_| rng.unit() as f32 - 0.5).collect();
        let mut recent = [Rows::SILENT; MILLIS];
        for (rows, samples) in recent.iter_mut().zip(samples.as_chunks::<SAMPLES>().0) {
            rows.0.iter_mut().zip(samples).for_each(|(row, &x)| row[3] = x);
        }
        let mut spectrum = Spectrum::<NARROW>::default();
        spectrum.transform(Plain, &core::array::from_fn(|n| &recent[n]), 0);
        let mut rows = [[0.0; BANDS]; NARROW];
        of_lanes(Plain, spectrum.power(), &mut rows);
        let [recorded] = of_recording(&samples)[..] else { panic!("one look") };
        for (lane, recorded) in rows[3].iter().zip(recorded) {
            assert!((lane / recorded - 1.0).abs() < 1e-3, "{lane} {recorded}");
        }
        assert!(rows[2].iter().all(|band| *band < 1e-30), "the next lane is silent");
    }
}
