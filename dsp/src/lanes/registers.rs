//! Registers of lanes: one type for each kind of CPU behind one trait.
//!
//! A register can only be made from a [`Simd`], and the two that need instructions which not every CPU has
//! are made here alone, once the CPU was asked. So who holds a register may use it.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects
)]
#![allow(unsafe_code)]

use tdm::TIMESLOTS;

use super::{Kernel, NARROW, V, WIDE};

/// The instructions at hand, for registers of `W` lanes.
pub trait Simd<const W: usize>: Copy {
    /// Its registers.
    type Register: Register<W>;
    /// The same number in every lane.
    fn splat(self, x: f32) -> Self::Register;
    /// From memory.
    fn load(self, v: &V<W>) -> Self::Register;

    /// Zero in every lane.
    #[inline(always)]
    fn zero(self) -> Self::Register {
        self.splat(0.0)
    }
    /// Vector `group` of a row: the lanes from `group · W` on. Behind the last comes the first: nothing is left to
    /// check where it is called a thousand times a millisecond.
    #[inline(always)]
    fn row(self, row: &[f32; TIMESLOTS], group: usize) -> Self::Register {
        let groups = row.as_chunks().0;
        let lanes = group.checked_rem(groups.len()).and_then(|group| groups.get(group));
        lanes.map_or(self.zero(), |lanes| self.load(&V(*lanes)))
    }
}

/// One number for each of `W` lanes, in a register.
pub trait Register<const W: usize>: Copy {
    /// To memory.
    fn store(self, v: &mut V<W>);
    /// The sum.
    #[must_use]
    fn plus(self, other: Self) -> Self;
    /// The difference.
    #[must_use]
    fn minus(self, other: Self) -> Self;
    /// The product.
    #[must_use]
    fn times(self, other: Self) -> Self;
    /// Every lane times the same number.
    #[must_use]
    fn scaled(self, k: f32) -> Self;
    /// The lesser of the two; `other` when they are alike.
    #[must_use]
    fn min(self, other: Self) -> Self;
    /// The greater of the two; `other` when they are alike.
    #[must_use]
    fn max(self, other: Self) -> Self;
    /// 1.0 where this is greater, 0.0 elsewhere.
    #[must_use]
    fn is_above(self, other: Self) -> Self;
    /// 1.0 where they are alike, 0.0 elsewhere.
    #[must_use]
    fn is_equal(self, other: Self) -> Self;
    /// The number with its last seven bits, of the 2⁻¹⁶th part, replaced by those of `mark`.
    #[must_use]
    fn marked(self, mark: u32) -> Self;
    /// The mark a number was given, as a number.
    #[must_use]
    fn mark(self) -> Self;

    /// In memory.
    #[inline(always)]
    fn packed(self) -> V<W> {
        let mut v = V::ZERO;
        self.store(&mut v);
        v
    }
}

/// The bits of a mark.
const MARK: u32 = 0x7F;

/// What every CPU has.
#[derive(Clone, Copy, Debug)]
pub struct Plain;

impl<const W: usize> Simd<W> for Plain {
    type Register = V<W>;
    #[inline(always)]
    fn splat(self, x: f32) -> V<W> {
        V([x; W])
    }
    #[inline(always)]
    fn load(self, v: &V<W>) -> V<W> {
        *v
    }
}

impl<const W: usize> V<W> {
    #[inline(always)]
    fn zip(mut self, other: Self, f: impl Fn(f32, f32) -> f32) -> Self {
        for (a, b) in self.0.iter_mut().zip(other.0) {
            *a = f(*a, b);
        }
        self
    }
}

impl<const W: usize> Register<W> for V<W> {
    #[inline(always)]
    fn store(self, v: &mut V<W>) {
        *v = self;
    }
    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        self.zip(other, |a, b| a + b)
    }
    #[inline(always)]
    fn minus(self, other: Self) -> Self {
        self.zip(other, |a, b| a - b)
    }
    #[inline(always)]
    fn times(self, other: Self) -> Self {
        self.zip(other, |a, b| a * b)
    }
    #[inline(always)]
    fn scaled(self, k: f32) -> Self {
        self.zip(self, |a, _| a * k)
    }
    #[inline(always)]
    fn min(self, other: Self) -> Self {
        self.zip(other, |a, b| if a < b { a } else { b })
    }
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        self.zip(other, |a, b| if a > b { a } else { b })
    }
    #[inline(always)]
    fn is_above(self, other: Self) -> Self {
        self.zip(other, |a, b| if a > b { 1.0 } else { 0.0 })
    }
    #[inline(always)]
    fn is_equal(self, other: Self) -> Self {
        self.zip(other, |a, b| if a == b { 1.0 } else { 0.0 })
    }
    #[inline(always)]
    fn marked(self, mark: u32) -> Self {
        self.zip(self, |a, _| f32::from_bits(a.to_bits() & !MARK | mark & MARK))
    }
    #[inline(always)]
    fn mark(self) -> Self {
        self.zip(self, |a, _| (a.to_bits() & MARK) as f32)
    }
}

/// A [`Simd`] of x86 and its registers: the same operations under other names.
#[cfg(target_arch = "x86_64")]
macro_rules! x86 {
    (
        $simd:ident, $register:ident($inner:ty), $lanes:expr, $needs:literal,
        load $load:ident store $store:ident splat $splat:ident
        plus $plus:ident minus $minus:ident times $times:ident min $min:ident max $max:ident
        above $above:ident equal $equal:ident
        and $and:ident or $or:ident splat_int $splat_int:ident
        bits $bits:ident floats $floats:ident number $number:ident
    ) => {
        #[doc = concat!("The instructions of ", $needs, "; only made once the CPU was asked for them.")]
        #[derive(Clone, Copy, Debug)]
        pub struct $simd(());

        #[doc = concat!("A register of ", $needs, ".")]
        #[derive(Clone, Copy, Debug)]
        pub struct $register($inner);

        // SAFETY (of all below): the intrinsics need a CPU with the instructions named, which is what a
        // value of the `Simd` proves, and a register is only made from one. Loads and stores are of
        // `$lanes` floats, the size of the `V` they are given, and need no alignment.
        impl Simd<$lanes> for $simd {
            type Register = $register;
            #[inline(always)]
            fn splat(self, x: f32) -> $register {
                // SAFETY: see above.
                $register(unsafe { $splat(x) })
            }
            #[inline(always)]
            fn load(self, v: &V<$lanes>) -> $register {
                // SAFETY: see above.
                $register(unsafe { $load(v.0.as_ptr()) })
            }
        }

        impl Register<$lanes> for $register {
            #[inline(always)]
            fn store(self, v: &mut V<$lanes>) {
                // SAFETY: see above.
                unsafe { $store(v.0.as_mut_ptr(), self.0) }
            }
            #[inline(always)]
            fn plus(self, other: Self) -> Self {
                // SAFETY: see above.
                Self(unsafe { $plus(self.0, other.0) })
            }
            #[inline(always)]
            fn minus(self, other: Self) -> Self {
                // SAFETY: see above.
                Self(unsafe { $minus(self.0, other.0) })
            }
            #[inline(always)]
            fn times(self, other: Self) -> Self {
                // SAFETY: see above.
                Self(unsafe { $times(self.0, other.0) })
            }
            #[inline(always)]
            fn scaled(self, k: f32) -> Self {
                // SAFETY: see above.
                Self(unsafe { $times(self.0, $splat(k)) })
            }
            #[inline(always)]
            fn min(self, other: Self) -> Self {
                // SAFETY: see above.
                Self(unsafe { $min(self.0, other.0) })
            }
            #[inline(always)]
            fn max(self, other: Self) -> Self {
                // SAFETY: see above.
                Self(unsafe { $max(self.0, other.0) })
            }
            #[inline(always)]
            fn is_above(self, other: Self) -> Self {
                // SAFETY: see above.
                Self(unsafe { $above(self.0, other.0, $splat(1.0)) })
            }
            #[inline(always)]
            fn is_equal(self, other: Self) -> Self {
                // SAFETY: see above.
                Self(unsafe { $equal(self.0, other.0, $splat(1.0)) })
            }
            #[inline(always)]
            fn marked(self, mark: u32) -> Self {
                // SAFETY: see above.
                unsafe {
                    let kept = $and($bits(self.0), $splat_int(!MARK as i32));
                    Self($floats($or(kept, $splat_int((mark & MARK) as i32))))
                }
            }
            #[inline(always)]
            fn mark(self) -> Self {
                // SAFETY: see above.
                Self(unsafe { $number($and($bits(self.0), $splat_int(MARK as i32))) })
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use core::arch::x86_64::*;

    use super::{MARK, NARROW, Register, Simd, V, WIDE};

    #[inline(always)]
    unsafe fn above_256(a: __m256, b: __m256, one: __m256) -> __m256 {
        // SAFETY: the caller holds registers of AVX2.
        unsafe { _mm256_and_ps(_mm256_cmp_ps::<_CMP_GT_OQ>(a, b), one) }
    }
    #[inline(always)]
    unsafe fn equal_256(a: __m256, b: __m256, one: __m256) -> __m256 {
        // SAFETY: the caller holds registers of AVX2.
        unsafe { _mm256_and_ps(_mm256_cmp_ps::<_CMP_EQ_OQ>(a, b), one) }
    }
    #[inline(always)]
    unsafe fn above_512(a: __m512, b: __m512, one: __m512) -> __m512 {
        // SAFETY: the caller holds registers of AVX-512.
        unsafe { _mm512_maskz_mov_ps(_mm512_cmp_ps_mask::<_CMP_GT_OQ>(a, b), one) }
    }
    #[inline(always)]
    unsafe fn equal_512(a: __m512, b: __m512, one: __m512) -> __m512 {
        // SAFETY: the caller holds registers of AVX-512.
        unsafe { _mm512_maskz_mov_ps(_mm512_cmp_ps_mask::<_CMP_EQ_OQ>(a, b), one) }
    }

    x86! {
        Avx2, Register256(__m256), NARROW, "AVX2",
        load _mm256_loadu_ps store _mm256_storeu_ps splat _mm256_set1_ps
        plus _mm256_add_ps minus _mm256_sub_ps times _mm256_mul_ps min _mm256_min_ps max _mm256_max_ps
        above above_256 equal equal_256
        and _mm256_and_si256 or _mm256_or_si256 splat_int _mm256_set1_epi32
        bits _mm256_castps_si256 floats _mm256_castsi256_ps number _mm256_cvtepi32_ps
    }
    x86! {
        Avx512, Register512(__m512), WIDE, "AVX-512",
        load _mm512_loadu_ps store _mm512_storeu_ps splat _mm512_set1_ps
        plus _mm512_add_ps minus _mm512_sub_ps times _mm512_mul_ps min _mm512_min_ps max _mm512_max_ps
        above above_512 equal equal_512
        and _mm512_and_si512 or _mm512_or_si512 splat_int _mm512_set1_epi32
        bits _mm512_castps_si512 floats _mm512_castsi512_ps number _mm512_cvtepi32_ps
    }

    impl Avx2 {
        /// `None` where the CPU lacks it.
        pub fn found() -> Option<Self> {
            std::arch::is_x86_feature_detected!("avx2").then_some(Self(()))
        }
    }
    impl Avx512 {
        /// `None` where the CPU lacks it.
        pub fn found() -> Option<Self> {
            let is_there = std::arch::is_x86_feature_detected!("avx512f")
                && std::arch::is_x86_feature_detected!("avx512vl")
                && std::arch::is_x86_feature_detected!("avx2");
            is_there.then_some(Self(()))
        }
    }
}

/// Whether this machine has AVX2.
pub fn has_avx2() -> bool {
    #[cfg(target_arch = "x86_64")]
    return x86::Avx2::found().is_some();
    #[cfg(not(target_arch = "x86_64"))]
    false
}
/// Whether this machine has AVX-512.
pub fn has_avx512() -> bool {
    #[cfg(target_arch = "x86_64")]
    return x86::Avx512::found().is_some();
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// Runs a kernel with AVX2, or without where there is none. Asking is a cached load.
#[inline]
pub fn avx2_or_plain(kernel: impl Kernel<NARROW>) {
    #[cfg(target_arch = "x86_64")]
    if let Some(simd) = x86::Avx2::found() {
        // SAFETY: `simd` proves that the CPU has AVX2.
        return unsafe { with_avx2(kernel, simd) };
    }
    kernel.run(Plain);
}
/// Runs a kernel with AVX-512, or without where there is none.
#[inline]
pub fn avx512_or_plain(kernel: impl Kernel<WIDE>) {
    #[cfg(target_arch = "x86_64")]
    if let Some(simd) = x86::Avx512::found() {
        // SAFETY: `simd` proves that the CPU has AVX-512 F, VL and AVX2.
        return unsafe { with_avx512(kernel, simd) };
    }
    kernel.run(Plain);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn with_avx2(kernel: impl Kernel<NARROW>, simd: x86::Avx2) {
    kernel.run(simd);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,avx512f,avx512vl")]
fn with_avx512(kernel: impl Kernel<WIDE>, simd: x86::Avx512) {
    kernel.run(simd);
}
