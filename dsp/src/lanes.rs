//! Channels in vector lanes: eight timeslots side by side go through the same arithmetic.
//!
//! Everything is plain code over [`V`], eight floats; the compiler turns it into vector instructions of
//! the CPU at hand. [`Cpu`] is the one place where the choice is made and the one place with `unsafe`.
//! Multiplications and additions are never fused or reordered, so every CPU computes the same bits and
//! hears the same events.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

use tdm::{Block, Law, SAMPLES, TIMESLOTS};

use crate::g711;

/// Lanes of a vector.
pub const WIDTH: usize = 8;
/// Vectors that hold a span's timeslots.
pub const GROUPS: usize = TIMESLOTS / WIDTH;
const _: () = assert!(GROUPS * WIDTH == TIMESLOTS);

/// One number for each of eight lanes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[repr(align(32))]
pub struct V(pub [f32; WIDTH]);

impl V {
    /// Zero in every lane.
    pub const ZERO: Self = Self([0.0; WIDTH]);

    /// The same number in every lane.
    #[inline(always)]
    pub const fn splat(x: f32) -> Self {
        Self([x; WIDTH])
    }
    /// Lane by lane.
    #[inline(always)]
    pub fn zip(self, other: Self, f: impl Fn(f32, f32) -> f32) -> Self {
        let mut out = self;
        for (a, b) in out.0.iter_mut().zip(other.0) {
            *a = f(*a, b);
        }
        out
    }
    /// The sum.
    #[inline(always)]
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        self.zip(other, |a, b| a + b)
    }
    /// The difference.
    #[inline(always)]
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        self.zip(other, |a, b| a - b)
    }
    /// The product.
    #[inline(always)]
    #[must_use]
    pub fn times(self, other: Self) -> Self {
        self.zip(other, |a, b| a * b)
    }
    /// Every lane times the same number.
    #[inline(always)]
    #[must_use]
    pub fn scaled(self, k: f32) -> Self {
        self.times(Self::splat(k))
    }
    /// One lane; 0.0 when there is no such lane.
    #[inline(always)]
    pub fn lane(&self, lane: usize) -> f32 {
        self.0.get(lane).copied().unwrap_or_default()
    }
}

/// A computation that [`Cpu::run`] compiles once for each kind of CPU. `run` must be `inline(always)`.
pub trait Kernel {
    /// Does the work.
    fn run(self);
}

/// Which instructions may be used. Chosen once, at start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cpu {
    /// What every CPU of the target has.
    Portable,
    /// AVX2: eight floats at a time.
    Avx2,
}

impl Cpu {
    /// The best this machine can do.
    pub fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2") {
            return Self::Avx2;
        }
        Self::Portable
    }
    /// Runs a kernel with these instructions.
    #[inline]
    #[allow(unsafe_code)]
    pub fn run(self, kernel: impl Kernel) {
        match self {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: `with_avx2` needs a CPU with AVX2. The feature is asked for again here, where the
            // answer is a cached load, so a `Cpu::Avx2` made by hand cannot break the promise.
            Self::Avx2 if std::arch::is_x86_feature_detected!("avx2") => unsafe {
                with_avx2(kernel);
            },
            _ => kernel.run(),
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn with_avx2(kernel: impl Kernel) {
    kernel.run();
}

/// A block as linear samples: `rows[n][g]` is instant n of lanes 8g to 8g + 7.
pub type Rows = [[V; GROUPS]; SAMPLES];

/// Decodes a block. A table lookup an octet, about 80 ns a span.
#[inline(always)]
pub fn decode(law: Law, block: &Block, rows: &mut Rows) {
    let table = g711::linear(law);
    for (row, octets) in rows.iter_mut().zip(&block.octets) {
        for (vector, octets) in row.iter_mut().zip(octets.chunks_exact(WIDTH)) {
            for (sample, &octet) in vector.0.iter_mut().zip(octets) {
                *sample = table.get(usize::from(octet)).copied().unwrap_or_default();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Sum<'a>(&'a mut V);
    impl Kernel for Sum<'_> {
        #[inline(always)]
        fn run(self) {
            for i in 0..1000_u16 {
                let x = V::splat(f32::from(i) * 0.37);
                *self.0 = self.0.plus(x.times(x)).scaled(0.99);
            }
        }
    }

    #[test]
    fn every_cpu_computes_the_same_bits() {
        let [mut portable, mut best] = [V::ZERO; 2];
        Cpu::Portable.run(Sum(&mut portable));
        Cpu::detect().run(Sum(&mut best));
        assert_eq!(portable.0.map(f32::to_bits), best.0.map(f32::to_bits));
    }

    #[test]
    fn a_timeslot_comes_out_in_its_lane() {
        let mut block = Block::idle(Law::Mu);
        if let Some(row) = block.octets.get_mut(3) {
            row[17] = 0x80;
        }
        let mut rows = [[V::ZERO; GROUPS]; SAMPLES];
        decode(Law::Mu, &block, &mut rows);
        let loud: Vec<_> = rows
            .iter()
            .enumerate()
            .flat_map(|(n, row)| {
                row.iter().flat_map(|v| v.0).enumerate().map(move |(t, x)| (n, t, x))
            })
            .filter(|(_, _, x)| *x != 0.0)
            .collect();
        assert_eq!(loud, [(3, 17, 32_124.0 / 32_768.0)]);
    }
}
