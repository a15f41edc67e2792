//! Matrix times vector: every element of the matrix is used once, so it is read in the order of memory.

use std::mem::MaybeUninit;

use super::super::ops::matmul::BLOCK;
use super::lanes::Lanes;
use super::level::{Level, per_level};
use super::pack::Part;
use super::scratch::with_scratch;
use super::team::Team;

/// Lanes whose sums stay in the L1 cache beside what streams by.
const STREAMED_LANES: usize = 2048;
/// Lanes of the widest register; each task has a multiple of them.
const MOST_LANES: usize = 16;
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
    let share = out.len().div_ceil(4 * team.threads()).next_multiple_of(2 * MOST_LANES);
    let mut shares: Vec<_> = out.chunks_mut(share).collect();
    team.run_on(&mut shares, |index, out| {
        let values = &matrix.values[index * share * matrix.lane_stride..];
        rows(level, k, x, x_stride, Part { values, lanes: out.len(), ..matrix }, out);
    });
}

/// One thread's lanes.
fn rows(level: Level, k: usize, x: &[f32], x_stride: usize, matrix: Part<'_>, out: &mut [MaybeUninit<f32>]) {
    if matrix.k_stride != 1 {
        return streamed(level, k, x, x_stride, matrix, out);
    }
    with_scratch(k, |factors| {
        for (step, factor) in factors.iter_mut().enumerate() {
            *factor = x[step * x_stride];
        }
        let (values, stride, factors) = (matrix.values, matrix.lane_stride, &*factors);
        assert!(out.is_empty() || (out.len() - 1) * stride + k <= values.len(), "rows inside the matrix");
        type Out = [MaybeUninit<f32>];
        per_level!(
            level,
            (factors: &[f32] = factors, values: &[f32] = values, stride: usize = stride, out: &mut Out = out),
            // SAFETY: the lengths have been compared; the code is compiled for these lanes.
            unsafe { dots::<LevelLanes>(factors, values, stride, out) }
        );
    });
}

/// The products of rows that lie along k: squares of them are turned in registers.
///
/// # Safety
/// `values` has a row for each element of `out`, as long as the factors; the instructions of `L` are available, and the
/// caller is compiled for them.
#[inline(always)]
unsafe fn dots<L: Lanes>(factors: &[f32], values: &[f32], stride: usize, out: &mut [MaybeUninit<f32>]) {
    for (group, out) in out.chunks_mut(L::WIDTH).enumerate() {
        let rows = values.as_ptr().wrapping_add(group * L::WIDTH * stride);
        for start in (0..factors.len()).step_by(BLOCK) {
            let end = factors.len().min(start + BLOCK);
            // The rows of the last group may be fewer, and then none beyond them is read.
            let turned = if out.len() == L::WIDTH { start + (end - start) / L::WIDTH * L::WIDTH } else { start };
            // SAFETY: passed on from the caller; every address is inside the factors, a row or the output.
            unsafe {
                let mut sums = L::splat(0.0);
                for at in (start..turned).step_by(L::WIDTH) {
                    sums = sums.add_dots(factors.as_ptr().add(at), rows.add(at), stride);
                }
                let mask = L::mask(out.len());
                for (at, factor) in (turned..end).zip(&factors[turned..]) {
                    let mut column = [0.0; MOST_LANES];
                    for (row, value) in column.iter_mut().enumerate().take(out.len()) {
                        *value = *rows.add(row * stride + at);
                    }
                    sums = L::splat(*factor).fma(L::load(column.as_ptr()), sums);
                }
                let out = out.as_mut_ptr().cast::<f32>();
                if start > 0 {
                    sums = L::load_some(out, mask).add(sums);
                }
                sums.store_some(out, mask);
            }
        }
    }
}

/// The products of lanes that lie side by side.
fn streamed(level: Level, k: usize, x: &[f32], x_stride: usize, matrix: Part<'_>, out: &mut [MaybeUninit<f32>]) {
    with_scratch(STREAMED_LANES + BLOCK, |scratch| {
        let (sums, factors) = scratch.split_at_mut(STREAMED_LANES);
        for (index, out) in out.chunks_mut(STREAMED_LANES).enumerate() {
            let values = &matrix.values[index * STREAMED_LANES..];
            let sums = &mut sums[..out.len()];
            for block in (0..k).step_by(BLOCK) {
                let factors = &mut factors[..BLOCK.min(k - block)];
                for (step, factor) in factors.iter_mut().enumerate() {
                    *factor = x[(block + step) * x_stride];
                }
                sums.fill(0.0);
                accumulate(level, factors, &values[block * matrix.k_stride..], matrix.k_stride, sums);
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
    per_level!(
        level,
        (factors: &[f32] = factors, values: &[f32] = values, stride: usize = stride, sums: &mut [f32] = sums),
        // SAFETY: the lengths have been compared; the code is compiled for these lanes.
        unsafe { steps::<LevelLanes>(factors, values, stride, sums) }
    );
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
