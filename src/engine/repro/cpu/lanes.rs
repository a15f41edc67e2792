//! A register of f32 lanes: the few operations a matrix product needs.

use super::super::ops::Fma;
use super::level::PortableFma;

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{
    __m256, __m512, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_set1_ps, _mm256_storeu_ps, _mm512_fmadd_ps,
    _mm512_loadu_ps, _mm512_set1_ps, _mm512_storeu_ps,
};

/// Several f32 handled by one instruction.
///
/// # Safety
/// Every method may only be called where the implementing type's instructions are available; they are inlined into a
/// caller compiled for them.
pub unsafe trait Lanes: Copy {
    /// Number of lanes.
    const WIDTH: usize;
    /// Rows of the largest tile whose accumulators fit the register file.
    const TILE_ROWS: usize;
    /// Registers in a row of that tile.
    const TILE_VECTORS: usize;

    /// `x` in every lane.
    unsafe fn splat(x: f32) -> Self;
    /// The first `WIDTH` values.
    unsafe fn load(values: &[f32]) -> Self;
    /// Overwrites the first `WIDTH` values.
    unsafe fn store(self, values: &mut [f32]);
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

    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        Self([x; 8])
    }

    #[inline(always)]
    unsafe fn load(values: &[f32]) -> Self {
        Self(*values.first_chunk().expect("eight values"))
    }

    #[inline(always)]
    unsafe fn store(self, values: &mut [f32]) {
        *values.first_chunk_mut().expect("eight values") = self.0;
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
    ($register:ty, $width:literal, $rows:literal, $vectors:literal, $splat:ident, $load:ident, $store:ident, $fma:ident) => {
        // SAFETY: the methods use only instructions of the register's own level, which the caller guarantees.
        unsafe impl Lanes for $register {
            const WIDTH: usize = $width;
            const TILE_ROWS: usize = $rows;
            const TILE_VECTORS: usize = $vectors;

            #[inline(always)]
            unsafe fn splat(x: f32) -> Self {
                // SAFETY: the caller guarantees the instruction.
                unsafe { $splat(x) }
            }

            #[inline(always)]
            unsafe fn load(values: &[f32]) -> Self {
                let values: &[f32; $width] = values.first_chunk().expect("as many values as lanes");
                // SAFETY: the array has as many values as lanes; the caller guarantees the instruction.
                unsafe { $load(values.as_ptr()) }
            }

            #[inline(always)]
            unsafe fn store(self, values: &mut [f32]) {
                let values: &mut [f32; $width] = values.first_chunk_mut().expect("as many values as lanes");
                // SAFETY: the array has as many values as lanes; the caller guarantees the instruction.
                unsafe { $store(values.as_mut_ptr(), self) }
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
x86_lanes!(__m256, 8, 6, 2, _mm256_set1_ps, _mm256_loadu_ps, _mm256_storeu_ps, _mm256_fmadd_ps);
#[cfg(target_arch = "x86_64")]
x86_lanes!(__m512, 16, 8, 3, _mm512_set1_ps, _mm512_loadu_ps, _mm512_storeu_ps, _mm512_fmadd_ps);
