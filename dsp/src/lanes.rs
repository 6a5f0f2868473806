//! Channels in vector lanes: eight or sixteen timeslots side by side go through the same arithmetic.
//!
//! In memory lanes are a [`V`], plain floats. A [`Kernel`] loads them into the registers of a [`Simd`], of
//! which there is one for each kind of CPU; [`Cpu`] is the one place where the choice is made, and this file
//! the one with `unsafe`. Multiplications and additions are never fused or reordered, and both halves of a
//! span have their turn at the same time however wide a register is, so every CPU computes the same bits and
//! hears the same events.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]

mod registers;

pub use registers::{Plain, Register, Simd};
use tdm::{Block, Law, SAMPLES, TIMESLOTS};

/// Lanes that have their turn together.
pub const HALF: usize = 16;
/// Turns until every lane of a span was served.
pub const HALVES: usize = TIMESLOTS / HALF;
const _: () = assert!(HALVES * HALF == TIMESLOTS);

/// Lanes of a vector of 256 bits. Narrower instructions take it in pieces.
pub const NARROW: usize = 8;
/// Lanes of a vector of 512 bits.
pub const WIDE: usize = 16;
const _: () = assert!(HALF.is_multiple_of(NARROW) && HALF.is_multiple_of(WIDE));

/// One number for each of `W` lanes, in memory.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C, align(32))]
pub struct V<const W: usize>(pub [f32; W]);

impl<const W: usize> Default for V<W> {
    fn default() -> Self {
        Self::ZERO
    }
}

impl<const W: usize> V<W> {
    /// Zero in every lane.
    pub const ZERO: Self = Self([0.0; W]);

    /// The same number in every lane.
    pub const fn splat(x: f32) -> Self {
        Self([x; W])
    }
    /// One lane; 0.0 when there is no such lane.
    #[inline(always)]
    pub fn lane(&self, lane: usize) -> f32 {
        self.0.get(lane).copied().unwrap_or_default()
    }
    /// Sets one lane, if there is such a lane.
    pub fn set_lane(&mut self, lane: usize, to: f32) {
        if let Some(x) = self.0.get_mut(lane) {
            *x = to;
        }
    }
}

/// A complex number in each lane: real and imaginary part.
pub type Complex<const W: usize> = (V<W>, V<W>);

/// A computation over vectors of `W` lanes that [`Cpu`] compiles once for each kind of CPU. `run` must be
/// `inline(always)`, and so must be what it calls with registers.
pub trait Kernel<const W: usize> {
    /// Does the work.
    fn run<S: Simd<W>>(self, simd: S);
}

/// Which instructions may be used. Chosen once, at start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cpu {
    /// What every CPU of the target has.
    Portable,
    /// AVX2: eight floats at a time.
    Avx2,
    /// AVX-512: sixteen floats at a time.
    Avx512,
}

impl Cpu {
    /// Every kind. One that the machine at hand lacks does the same work with portable instructions.
    pub const ALL: [Self; 3] = [Self::Portable, Self::Avx2, Self::Avx512];

    /// The best this machine can do.
    pub fn detect() -> Self {
        if registers::has_avx512() {
            Self::Avx512
        } else if registers::has_avx2() {
            Self::Avx2
        } else {
            Self::Portable
        }
    }
    /// Whether vectors should have [`WIDE`] lanes rather than [`NARROW`].
    pub const fn is_wide(self) -> bool {
        matches!(self, Self::Avx512)
    }
    /// Runs a kernel of narrow vectors with these instructions.
    #[inline]
    pub fn narrow(self, kernel: impl Kernel<NARROW>) {
        match self {
            Self::Portable => kernel.run(Plain),
            Self::Avx2 | Self::Avx512 => registers::avx2_or_plain(kernel),
        }
    }
    /// Runs a kernel of wide vectors with these instructions.
    #[inline]
    pub fn wide(self, kernel: impl Kernel<WIDE>) {
        match self {
            Self::Portable | Self::Avx2 => kernel.run(Plain),
            Self::Avx512 => registers::avx512_or_plain(kernel),
        }
    }
}

/// A block as linear samples: `rows[n][t]` is instant n of lane t.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub struct Rows(pub [[f32; TIMESLOTS]; SAMPLES]);

impl Rows {
    /// Silence.
    pub const SILENT: Self = Self([[0.0; TIMESLOTS]; SAMPLES]);
}

/// Decodes a block, by arithmetic: segment and mantissa of an octet *are* exponent and mantissa of a float.
#[inline(always)]
pub fn decode(law: Law, block: &Block, rows: &mut Rows) {
    match law {
        Law::A => decode_by(from_a, block, rows),
        Law::Mu => decode_by(from_mu, block, rows),
    }
}

#[inline(always)]
fn decode_by(from: impl Fn(u8) -> f32, block: &Block, rows: &mut Rows) {
    for (row, octets) in rows.0.iter_mut().zip(&block.octets) {
        for (sample, &octet) in row.iter_mut().zip(octets) {
            *sample = from(octet);
        }
    }
}

/// The exponent field of 2ⁿ, with half of the last bit of a mantissa of four.
const fn scale(n: i32) -> u32 {
    (n.wrapping_add(127) as u32) << 23 | 1 << 18
}

/// An A-law octet as a float. G.711, table 1a.
#[inline(always)]
fn from_a(octet: u8) -> f32 {
    // Where segment 1 begins: 256 of 32,768. Below it steps are as wide as in it.
    const LINEAR: f32 = 1.0 / 128.0;
    let code = u32::from(octet) ^ 0x55;
    let magnitude = f32::from_bits(((code & 0x7F) << 19).wrapping_add(scale(-8)));
    let under = magnitude - LINEAR;
    let magnitude = magnitude + if under < 0.0 { under } else { 0.0 };
    // The sign bit is set for positive samples.
    f32::from_bits(magnitude.to_bits() | (!code & 0x80) << 24)
}

/// A µ-law octet as a float. G.711, table 2a.
#[inline(always)]
fn from_mu(octet: u8) -> f32 {
    // The bias that makes segments powers of two.
    const BIAS: f32 = 132.0 / 32_768.0;
    let code = u32::from(!octet);
    let magnitude = f32::from_bits(((code & 0x7F) << 19).wrapping_add(scale(-8))) - BIAS;
    f32::from_bits(magnitude.to_bits() | (code & 0x80) << 24)
}

#[cfg(test)]
#[allow(clippy::indexing_slicing)]
mod tests {
    use super::*;
    use crate::g711;

    /// Everything a register can do, in one number.
    struct Mix<'a, const W: usize>(&'a mut V<W>);
    impl<const W: usize> Kernel<W> for Mix<'_, W> {
        #[inline(always)]
        fn run<S: Simd<W>>(self, simd: S) {
            let mut sum = simd.load(self.0);
            for i in 0..1000_u16 {
                let x = simd.splat(f32::from(i) * 0.37 - 60.0);
                let y = x.times(x).minus(sum).scaled(0.01);
                let best = y.marked(u32::from(i)).max(x).min(simd.splat(1e6));
                let above = y.is_above(x).plus(best.mark().is_equal(simd.splat(3.0)));
                sum = sum.plus(best.scaled(1e-3)).plus(above).scaled(0.99);
            }
            sum.store(self.0);
        }
    }

    #[test]
    fn every_cpu_computes_the_same_bits() {
        let start = V(core::array::from_fn(|lane| lane as f32 * 0.3 - 1.0));
        let sums = Cpu::ALL.map(|cpu| {
            let mut sum = start;
            cpu.narrow(Mix(&mut sum));
            let mut wide = V(core::array::from_fn(|lane| start.lane(lane % NARROW)));
            cpu.wide(Mix(&mut wide));
            assert_eq!(wide.0[..NARROW], sum.0, "{cpu:?}");
            assert_eq!(wide.0[NARROW..], sum.0, "{cpu:?}");
            sum.0.map(f32::to_bits)
        });
        assert!(sums.iter().all(|sum| *sum == sums[0]), "{sums:?}");
        assert!(sums[0][0] != sums[0][7]);
    }

    #[test]
    fn arithmetic_and_table_decode_every_octet_alike() {
        for octet in 0..=255 {
            assert_eq!(from_a(octet), g711::linear(Law::A)[usize::from(octet)], "A {octet:#x}");
            assert_eq!(from_mu(octet), g711::linear(Law::Mu)[usize::from(octet)], "µ {octet:#x}");
        }
    }

    #[test]
    fn a_timeslot_comes_out_in_its_lane() {
        let mut block = Block::idle(Law::Mu);
        block.octets[3][17] = 0x80;
        let mut rows = Rows::SILENT;
        decode(Law::Mu, &block, &mut rows);
        for (n, row) in rows.0.iter().enumerate() {
            for (lane, &heard) in row.iter().enumerate() {
                let loud = (n, lane) == (3, 17);
                assert_eq!(heard, if loud { 32_124.0 / 32_768.0 } else { 0.0 }, "{n}, {lane}");
            }
        }
    }
}
