//! A register of f32 lanes: the few operations a matrix product needs.

use super::super::ops::Fma;
use super::level::PortableFma;

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{
    __m256, __m256i, __m512, __mmask16, _cvtu32_mask16, _mm256_add_ps, _mm256_cmpgt_epi32, _mm256_fmadd_ps,
    _mm256_loadu_ps, _mm256_maskload_ps, _mm256_maskstore_ps, _mm256_set1_epi32, _mm256_set1_ps, _mm256_setr_epi32,
    _mm256_storeu_ps, _mm512_add_ps, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_mask_storeu_ps, _mm512_maskz_loadu_ps,
    _mm512_set1_ps, _mm512_storeu_ps,
};

/// Several f32 handled by one instruction.
///
/// # Safety
/// Every method may only be called where the implementing type's instructions are available; they are inlined into a
/// caller compiled for them. Pointers are valid for `WIDTH` values, or for as many as the mask was made for.
pub unsafe trait Lanes: Copy {
    /// Number of lanes.
    const WIDTH: usize;
    /// Rows of the largest tile whose accumulators fit the register file.
    const TILE_ROWS: usize;
    /// Registers in a row of that tile.
    const TILE_VECTORS: usize;
    /// Which lanes, from the first, are in memory.
    type Mask: Copy;

    /// The first `count` lanes, at most `WIDTH`.
    unsafe fn mask(count: usize) -> Self::Mask;
    /// `x` in every lane.
    unsafe fn splat(x: f32) -> Self;
    /// `WIDTH` values.
    unsafe fn load(values: *const f32) -> Self;
    /// The values of the mask, zero in the other lanes.
    unsafe fn load_some(values: *const f32, mask: Self::Mask) -> Self;
    /// Overwrites `WIDTH` values.
    unsafe fn store(self, values: *mut f32);
    /// Overwrites the values of the mask.
    unsafe fn store_some(self, values: *mut f32, mask: Self::Mask);
    /// self + b in each lane.
    unsafe fn add(self, b: Self) -> Self;
    /// self · b + c in each lane, rounded once.
    unsafe fn fma(self, b: Self, c: Self) -> Self;
}

/// Eight lanes of plain Rust.
#[derive(Clone, Copy)]
pub struct Plain([f32; 8]);

// SAFETY: plain Rust needs no instructions beyond the build target's.
unsafe impl Lanes for Plain {
    const WIDTH: usize = 8;
    const TILE_ROWS: usize = 4;
    const TILE_VECTORS: usize = 2;
    type Mask = usize;

    #[inline(always)]
    unsafe fn mask(count: usize) -> usize {
        count
    }

    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        Self([x; 8])
    }

    #[inline(always)]
    unsafe fn load(values: *const f32) -> Self {
        // SAFETY: the caller guarantees eight values; an array of f32 needs no more alignment than one.
        Self(unsafe { *values.cast() })
    }

    #[inline(always)]
    unsafe fn load_some(values: *const f32, mask: usize) -> Self {
        let mut lanes = [0.0; 8];
        // SAFETY: the caller guarantees as many values as the mask was made for.
        lanes[..mask].copy_from_slice(unsafe { std::slice::from_raw_parts(values, mask) });
        Self(lanes)
    }

    #[inline(always)]
    unsafe fn store(self, values: *mut f32) {
        // SAFETY: the caller guarantees eight values.
        unsafe { *values.cast() = self.0 };
    }

    #[inline(always)]
    unsafe fn store_some(self, values: *mut f32, mask: usize) {
        for (lane, value) in self.0.iter().enumerate().take(mask) {
            // SAFETY: the caller guarantees as many values as the mask was made for.
            unsafe { values.add(lane).write(*value) };
        }
    }

    #[inline(always)]
    unsafe fn add(self, b: Self) -> Self {
        let mut lanes = self.0;
        for (lane, b) in lanes.iter_mut().zip(&b.0) {
            *lane += b;
        }
        Self(lanes)
    }

    #[inline(always)]
    unsafe fn fma(self, b: Self, c: Self) -> Self {
        let mut lanes = self.0;
        for (lane, (b, c)) in lanes.iter_mut().zip(b.0.iter().zip(&c.0)) {
            *lane = PortableFma::fma(*lane, *b, *c);
        }
        Self(lanes)
    }
}

#[cfg(target_arch = "x86_64")]
macro_rules! x86_lanes {
    (
        $register:ty, $width:literal, $rows:literal, $vectors:literal, $splat:ident, $load:ident, $store:ident,
        $add:ident, $fma:ident, $mask:ty,
        |$count:ident| $make_mask:expr,
        |$from:ident, $from_mask:ident| $load_some:expr,
        |$to:ident, $to_mask:ident, $lanes:ident| $store_some:expr $(,)?
    ) => {
        // SAFETY: the methods use only instructions of the register's own level, which the caller guarantees.
        unsafe impl Lanes for $register {
            const WIDTH: usize = $width;
            const TILE_ROWS: usize = $rows;
            const TILE_VECTORS: usize = $vectors;
            type Mask = $mask;

            #[inline(always)]
            unsafe fn mask($count: usize) -> $mask {
                // SAFETY: the caller guarantees the instructions.
                unsafe { $make_mask }
            }

            #[inline(always)]
            unsafe fn splat(x: f32) -> Self {
                // SAFETY: the caller guarantees the instruction.
                unsafe { $splat(x) }
            }

            #[inline(always)]
            unsafe fn load(values: *const f32) -> Self {
                // SAFETY: the caller guarantees the instruction and the memory.
                unsafe { $load(values) }
            }

            #[inline(always)]
            unsafe fn load_some($from: *const f32, $from_mask: $mask) -> Self {
                // SAFETY: the caller guarantees the instruction and the memory.
                unsafe { $load_some }
            }

            #[inline(always)]
            unsafe fn store(self, values: *mut f32) {
                // SAFETY: the caller guarantees the instruction and the memory.
                unsafe { $store(values, self) }
            }

            #[inline(always)]
            unsafe fn store_some(self, $to: *mut f32, $to_mask: $mask) {
                let $lanes = self;
                // SAFETY: the caller guarantees the instruction and the memory.
                unsafe { $store_some }
            }

            #[inline(always)]
            unsafe fn add(self, b: Self) -> Self {
                // SAFETY: the caller guarantees the instruction.
                unsafe { $add(self, b) }
            }

            #[inline(always)]
            unsafe fn fma(self, b: Self, c: Self) -> Self {
                // SAFETY: the caller guarantees the instruction.
                unsafe { $fma(self, b, c) }
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
x86_lanes!(
    __m256,
    8,
    6,
    2,
    _mm256_set1_ps,
    _mm256_loadu_ps,
    _mm256_storeu_ps,
    _mm256_add_ps,
    _mm256_fmadd_ps,
    __m256i,
    |count| _mm256_cmpgt_epi32(_mm256_set1_epi32(count as i32), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7)),
    |from, mask| _mm256_maskload_ps(from, mask),
    |to, mask, lanes| _mm256_maskstore_ps(to, mask, lanes),
);
#[cfg(target_arch = "x86_64")]
x86_lanes!(
    __m512,
    16,
    8,
    3,
    _mm512_set1_ps,
    _mm512_loadu_ps,
    _mm512_storeu_ps,
    _mm512_add_ps,
    _mm512_fmadd_ps,
    __mmask16,
    |count| _cvtu32_mask16((1 << count) - 1),
    |from, mask| _mm512_maskz_loadu_ps(mask, from),
    |to, mask, lanes| _mm512_mask_storeu_ps(to, mask, lanes),
);
