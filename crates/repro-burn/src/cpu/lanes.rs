//! A register of f32 lanes: the few operations a matrix product needs.

use super::super::ops::Fma;
use super::level::PortableFma;

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{
    __m256, __m256i, __m512, __mmask16, _cvtu32_mask16, _mm256_add_ps, _mm256_cmpgt_epi32, _mm256_fmadd_ps,
    _mm256_loadu_ps, _mm256_maskload_ps, _mm256_maskstore_ps, _mm256_permute2f128_ps, _mm256_set1_epi32,
    _mm256_set1_ps, _mm256_setr_epi32, _mm256_shuffle_ps, _mm256_storeu_ps, _mm256_unpackhi_ps, _mm256_unpacklo_ps,
    _mm512_add_ps, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_mask_storeu_ps, _mm512_maskz_loadu_ps, _mm512_set1_ps,
    _mm512_shuffle_f32x4, _mm512_shuffle_ps, _mm512_storeu_ps, _mm512_unpackhi_ps, _mm512_unpacklo_ps,
};

/// Several f32 handled by one instruction.
///
/// # Safety
/// Every method may only be called where the implementing type's instructions are available; they are inlined into a
/// caller compiled for them. Pointers are valid for `WIDTH` values, or for as many as the mask was made for.
pub unsafe trait Lanes: Copy {
    /// Number of lanes.
    const WIDTH: usize;
    /// Rows of the largest tile of one, two, three and four registers a row whose accumulators fit the register file; 0
    /// where none is worth having.
    const TILE_ROWS: [usize; 4];
    /// Registers in a row of the tile of a wide product.
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
    /// Adds to each lane, in ascending k, factor k times value k of the row of that lane: `WIDTH` factors, and `WIDTH` rows
    /// of as many values that are `stride` apart.
    unsafe fn add_dots(self, factors: *const f32, rows: *const f32, stride: usize) -> Self;
    /// Writes the columns of `WIDTH` rows of `WIDTH` values, `stride` apart, as rows that are `to_stride` apart.
    unsafe fn transpose(rows: *const f32, stride: usize, to: *mut f32, to_stride: usize);
}

/// Eight lanes of plain Rust.
#[derive(Clone, Copy)]
pub struct Plain([f32; 8]);

// SAFETY: plain Rust needs no instructions beyond the build target's.
unsafe impl Lanes for Plain {
    const WIDTH: usize = 8;
    const TILE_ROWS: [usize; 4] = [4, 4, 0, 0];
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

    #[inline(always)]
    unsafe fn add_dots(self, factors: *const f32, rows: *const f32, stride: usize) -> Self {
        let mut lanes = self.0;
        for k in 0..Self::WIDTH {
            for (row, lane) in lanes.iter_mut().enumerate() {
                // SAFETY: the caller guarantees the factors and the rows.
                *lane = unsafe { PortableFma::fma(*factors.add(k), *rows.add(row * stride + k), *lane) };
            }
        }
        Self(lanes)
    }

    #[inline(always)]
    unsafe fn transpose(rows: *const f32, stride: usize, to: *mut f32, to_stride: usize) {
        for row in 0..Self::WIDTH {
            for column in 0..Self::WIDTH {
                // SAFETY: the caller guarantees the rows and the columns.
                unsafe { *to.add(column * to_stride + row) = *rows.add(row * stride + column) };
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
macro_rules! x86_lanes {
    (
        $register:ty, $width:literal, $rows:expr, $vectors:literal, $transposed:ident, $splat:ident, $load:ident, $store:ident,
        $add:ident, $fma:ident, $mask:ty,
        |$count:ident| $make_mask:expr,
        |$from:ident, $from_mask:ident| $load_some:expr,
        |$to:ident, $to_mask:ident, $lanes:ident| $store_some:expr $(,)?
    ) => {
        // SAFETY: the methods use only instructions of the register's own level, which the caller guarantees.
        unsafe impl Lanes for $register {
            const WIDTH: usize = $width;
            const TILE_ROWS: [usize; 4] = $rows;
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

            #[inline(always)]
            unsafe fn add_dots(self, factors: *const f32, rows: *const f32, stride: usize) -> Self {
                // SAFETY: the caller guarantees the instructions and the memory.
                unsafe {
                    let mut registers = [self; $width];
                    for (row, register) in registers.iter_mut().enumerate() {
                        *register = $load(rows.add(row * stride));
                    }
                    let mut sums = self;
                    for (k, column) in $transposed(registers).into_iter().enumerate() {
                        sums = $fma($splat(*factors.add(k)), column, sums);
                    }
                    sums
                }
            }

            #[inline(always)]
            unsafe fn transpose(rows: *const f32, stride: usize, to: *mut f32, to_stride: usize) {
                // SAFETY: the caller guarantees the instructions and the memory.
                unsafe {
                    let mut registers = [$load(rows); $width];
                    for (row, register) in registers.iter_mut().enumerate() {
                        *register = $load(rows.add(row * stride));
                    }
                    for (column, values) in $transposed(registers).into_iter().enumerate() {
                        $store(to.add(column * to_stride), values);
                    }
                }
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
x86_lanes!(
    __m256,
    8,
    [12, 6, 4, 0],
    2,
    transposed_8,
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
    [16, 12, 8, 6],
    3,
    transposed_16,
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

/// The columns of a square as rows.
///
/// # Safety
/// The processor has AVX2.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn transposed_8(r: [__m256; 8]) -> [__m256; 8] {
    // SAFETY: the caller guarantees the instructions.
    unsafe {
        let mut t = r;
        for i in 0..4 {
            t[2 * i] = _mm256_unpacklo_ps(r[2 * i], r[2 * i + 1]);
            t[2 * i + 1] = _mm256_unpackhi_ps(r[2 * i], r[2 * i + 1]);
        }
        // In each half h, u[4 i + c] has column 4 h + c of rows 4 i to 4 i + 3.
        let mut u = t;
        for i in 0..2 {
            for half in 0..2 {
                let (a, b) = (t[4 * i + half], t[4 * i + half + 2]);
                u[4 * i + 2 * half] = _mm256_shuffle_ps::<0x44>(a, b);
                u[4 * i + 2 * half + 1] = _mm256_shuffle_ps::<0xee>(a, b);
            }
        }
        let mut columns = u;
        for c in 0..4 {
            columns[c] = _mm256_permute2f128_ps::<0x20>(u[c], u[4 + c]);
            columns[4 + c] = _mm256_permute2f128_ps::<0x31>(u[c], u[4 + c]);
        }
        columns
    }
}

/// The columns of a square as rows.
///
/// # Safety
/// The processor has AVX-512F.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn transposed_16(r: [__m512; 16]) -> [__m512; 16] {
    // SAFETY: the caller guarantees the instructions.
    unsafe {
        let mut t = r;
        for i in 0..8 {
            t[2 * i] = _mm512_unpacklo_ps(r[2 * i], r[2 * i + 1]);
            t[2 * i + 1] = _mm512_unpackhi_ps(r[2 * i], r[2 * i + 1]);
        }
        // In each quarter q, u[4 i + c] has column 4 q + c of rows 4 i to 4 i + 3.
        let mut u = t;
        for i in 0..4 {
            for half in 0..2 {
                let (a, b) = (t[4 * i + half], t[4 * i + half + 2]);
                u[4 * i + 2 * half] = _mm512_shuffle_ps::<0x44>(a, b);
                u[4 * i + 2 * half + 1] = _mm512_shuffle_ps::<0xee>(a, b);
            }
        }
        let mut columns = u;
        for c in 0..4 {
            let low = _mm512_shuffle_f32x4::<0x88>(u[c], u[4 + c]);
            let high = _mm512_shuffle_f32x4::<0x88>(u[8 + c], u[12 + c]);
            let low_odd = _mm512_shuffle_f32x4::<0xdd>(u[c], u[4 + c]);
            let high_odd = _mm512_shuffle_f32x4::<0xdd>(u[8 + c], u[12 + c]);
            columns[c] = _mm512_shuffle_f32x4::<0x88>(low, high);
            columns[8 + c] = _mm512_shuffle_f32x4::<0xdd>(low, high);
            columns[4 + c] = _mm512_shuffle_f32x4::<0x88>(low_odd, high_odd);
            columns[12 + c] = _mm512_shuffle_f32x4::<0xdd>(low_odd, high_odd);
        }
        columns
    }
}
