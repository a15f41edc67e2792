//! Matrix times vector: every element of the matrix is used once, so it is read in the order of memory.

use std::mem::MaybeUninit;

use super::super::ops::matmul::BLOCK;
use super::lanes::{Lanes, Plain};
use super::level::{Instructions, Level};
use super::pack::Part;
use super::scratch::with_scratch;
use super::team::Team;

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{__m256, __m512};

/// Lanes whose sums stay in the L1 cache beside what streams by.
const STREAMED_LANES: usize = 2048;
/// Lanes and length along k of what is transposed at a time: it fits the L1 cache.
const TRANSPOSED_LANES: usize = 32;
const TRANSPOSED_DEPTH: usize = 128;
/// Steps of k that are added to a register of sums before it is stored again.
const STEPS: usize = 8;

/// Writes the product of each lane of the matrix with the vector to `out`, all of it. The vector has an element for each
/// k, at least one, `x_stride` apart.
///
/// # Panics
/// When `out` has another length than the matrix lanes, or an element would be outside its slice.
pub fn product(
    level: Level,
    team: Team,
    k: usize,
    x: &[f32],
    x_stride: usize,
    matrix: Part<'_>,
    out: &mut [MaybeUninit<f32>],
) {
    assert_eq!(out.len(), matrix.lanes, "output of a matrix and a vector");
    // A whole number of whole cache lines for each task.
    let share = out.len().div_ceil(4 * team.threads()).next_multiple_of(TRANSPOSED_LANES);
    let mut shares: Vec<_> = out.chunks_mut(share).collect();
    team.run_on(&mut shares, |index, out| {
        let values = &matrix.values[index * share * matrix.lane_stride..];
        rows(level, k, x, x_stride, Part { values, lanes: out.len(), ..matrix }, out);
    });
}

/// One thread's lanes.
fn rows(level: Level, k: usize, x: &[f32], x_stride: usize, matrix: Part<'_>, out: &mut [MaybeUninit<f32>]) {
    let adjacent = matrix.lane_stride == 1;
    let (lanes, depth) = if adjacent { (STREAMED_LANES, BLOCK) } else { (TRANSPOSED_LANES, TRANSPOSED_DEPTH) };
    let packed_length = if adjacent { 0 } else { lanes * depth };
    with_scratch(packed_length + lanes + depth, |scratch| {
        let (packed, scratch) = scratch.split_at_mut(packed_length);
        let (sums, factors) = scratch.split_at_mut(lanes);
        for (index, out) in out.chunks_mut(lanes).enumerate() {
            let values = &matrix.values[index * lanes * matrix.lane_stride..];
            let sums = &mut sums[..out.len()];
            for block in (0..k).step_by(BLOCK) {
                let end = k.min(block + BLOCK);
                sums.fill(0.0);
                for start in (block..end).step_by(depth) {
                    let factors = &mut factors[..depth.min(end - start)];
                    for (step, factor) in factors.iter_mut().enumerate() {
                        *factor = x[(start + step) * x_stride];
                    }
                    let part = Part { values: &values[start * matrix.k_stride..], lanes: out.len(), ..matrix };
                    if adjacent {
                        accumulate(level, factors, part.values, part.k_stride, sums);
                    } else {
                        let packed = &mut packed[..lanes * factors.len()];
                        part.pack(lanes, packed);
                        accumulate(level, factors, packed, lanes, sums);
                    }
                }
                for (out, sum) in out.iter_mut().zip(&*sums) {
                    if block == 0 {
                        out.write(*sum);
                    } else {
                        // SAFETY: the first block has written the element.
                        unsafe { *out.assume_init_mut() += sum };
                    }
                }
            }
        }
    });
}

/// Adds factor · value to each sum, for one factor and row of `values` after the other.
///
/// # Panics
/// When a row would leave the slice.
fn accumulate(level: Level, factors: &[f32], values: &[f32], stride: usize, sums: &mut [f32]) {
    if factors.is_empty() || sums.is_empty() {
        return;
    }
    assert!((factors.len() - 1) * stride + sums.len() <= values.len(), "rows inside the matrix");
    match level.instructions() {
        // SAFETY: plain Rust needs no instructions beyond the build target's; the lengths have been compared.
        Instructions::Portable => unsafe { steps::<Plain>(factors, values, stride, sums) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: this level exists only where the processor has AVX2 and FMA; the lengths have been compared.
        Instructions::Avx2 => unsafe { steps_avx2(factors, values, stride, sums) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: this level exists only where the processor has AVX-512F; the lengths have been compared.
        Instructions::Avx512 => unsafe { steps_avx512(factors, values, stride, sums) },
    }
}

/// # Safety
/// As [`steps`], and the processor has AVX2 and FMA.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn steps_avx2(factors: &[f32], values: &[f32], stride: usize, sums: &mut [f32]) {
    // SAFETY: this function is compiled for these instructions, and its caller guarantees them.
    unsafe { steps::<__m256>(factors, values, stride, sums) }
}

/// # Safety
/// As [`steps`], and the processor has AVX-512F.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn steps_avx512(factors: &[f32], values: &[f32], stride: usize, sums: &mut [f32]) {
    // SAFETY: this function is compiled for these instructions, and its caller guarantees them.
    unsafe { steps::<__m512>(factors, values, stride, sums) }
}

/// # Safety
/// `values` has a row of as many values as `sums` for each factor; the instructions of `L` are available, and the caller
/// is compiled for them.
#[inline(always)]
unsafe fn steps<L: Lanes>(factors: &[f32], values: &[f32], stride: usize, sums: &mut [f32]) {
    let (whole, rest) = factors.as_chunks::<STEPS>();
    let mut row = values.as_ptr();
    for factors in whole {
        // SAFETY: passed on from the caller.
        unsafe { step::<L, STEPS>(factors, row, stride, sums) };
        row = row.wrapping_add(STEPS * stride);
    }
    for factor in rest {
        // SAFETY: passed on from the caller.
        unsafe { step::<L, 1>(&[*factor], row, stride, sums) };
        row = row.wrapping_add(stride);
    }
}

/// # Safety
/// As [`steps`], for rows from `row` on.
#[inline(always)]
unsafe fn step<L: Lanes, const COUNT: usize>(factors: &[f32; COUNT], row: *const f32, stride: usize, sums: &mut [f32]) {
    let whole = sums.len() / L::WIDTH * L::WIDTH;
    let rest = sums.len() - whole;
    let sums = sums.as_mut_ptr();
    // SAFETY: passed on from the caller; every address is inside the sums or a row.
    unsafe {
        let mut lane = 0;
        while lane < whole {
            let mut sum = L::load(sums.add(lane));
            for (index, factor) in factors.iter().enumerate() {
                sum = L::splat(*factor).fma(L::load(row.add(index * stride + lane)), sum);
            }
            sum.store(sums.add(lane));
            lane += L::WIDTH;
        }
        if rest > 0 {
            let mask = L::mask(rest);
            let mut sum = L::load_some(sums.add(lane), mask);
            for (index, factor) in factors.iter().enumerate() {
                sum = L::splat(*factor).fma(L::load_some(row.add(index * stride + lane), mask), sum);
            }
            sum.store_some(sums.add(lane), mask);
        }
    }
}
