//! Reductions of a middle dimension: the tree of [`ops::fold`](super::super::ops::fold), for many columns side by side.

use rayon::prelude::*;

use super::super::kernels::Fold;
use super::super::ops::fold::{BLOCK, LANES, combine, fold, identity};

/// Columns reduced together: the lanes of all of them stay in the L1 cache.
const COLUMNS: usize = 64;
/// Below this many elements threads cost more than they give.
const PARALLEL_ELEMENTS: usize = 1 << 16;

/// Reduces the middle dimension of `values`, `[outer, length, inner]` row-major, to `[outer, inner]`.
///
/// # Panics
/// When `values` is not `outer · length · inner` long.
pub fn fold_dim(kind: Fold, values: &[f32], outer: usize, length: usize, inner: usize) -> Vec<f32> {
    assert_eq!(values.len(), outer * length * inner, "input of a reduction [{outer}, {length}, {inner}]");
    let mut out = vec![fold(kind, &[]); outer * inner];
    if values.is_empty() {
        return out;
    }
    // A task is `COLUMNS` columns of one outer index, or one whole row where there is nothing beside it.
    let tasks_per_outer = inner.div_ceil(COLUMNS);
    let task = |(task, out): (usize, &mut [f32])| {
        let (outer, column) = (task / tasks_per_outer, task % tasks_per_outer * COLUMNS);
        let values = &values[outer * length * inner..][..length * inner];
        if inner == 1 {
            out[0] = fold_row(kind, values);
        } else {
            out.copy_from_slice(&fold_columns(kind, values, inner, column, out.len()));
        }
    };
    // `chunks_mut` would cross from one outer index into the next.
    let mut chunks: Vec<&mut [f32]> = out.chunks_mut(inner).flat_map(|row| row.chunks_mut(COLUMNS)).collect();
    if values.len() >= PARALLEL_ELEMENTS {
        chunks.par_iter_mut().enumerate().for_each(|(index, out)| task((index, out)));
    } else {
        chunks.iter_mut().enumerate().for_each(|(index, out)| task((index, out)));
    }
    out
}

/// The reduction of one row, its blocks in parallel.
fn fold_row(kind: Fold, values: &[f32]) -> f32 {
    if values.len() < PARALLEL_ELEMENTS {
        return fold(kind, values);
    }
    let partials: Vec<f32> = values.par_chunks(BLOCK).map(|values| fold(kind, values)).collect();
    fold(kind, &partials)
}

/// The reductions of `width` columns of `values`, rows of which are `stride` long.
fn fold_columns(kind: Fold, values: &[f32], stride: usize, column: usize, width: usize) -> Vec<f32> {
    let mut partials = Vec::new();
    for block in values.chunks(BLOCK * stride) {
        let mut lanes = [[identity(kind); COLUMNS]; LANES];
        for (row, values) in block.chunks_exact(stride).enumerate() {
            for (lane, value) in lanes[row % LANES].iter_mut().zip(&values[column..column + width]) {
                *lane = combine(kind, *lane, *value);
            }
        }
        let mut half = LANES / 2;
        while half > 0 {
            let (low, high) = lanes.split_at_mut(half);
            for (low, high) in low.iter_mut().zip(high) {
                for (low, high) in low.iter_mut().zip(high) {
                    *low = combine(kind, *low, *high);
                }
            }
            half /= 2;
        }
        partials.extend_from_slice(&lanes[0][..width]);
    }
    if partials.len() == width { partials } else { fold_columns(kind, &partials, width, 0, width) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_and_thread_count_equals_the_reference_column_by_column() {
        let lengths = [1, 2, 31, 32, 33, 64, 1000, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 17];
        for kind in [Fold::Sum, Fold::Product] {
            for length in lengths {
                for (outer, inner) in [(1, 1), (3, 1), (2, 5), (1, 65), (2, 128)] {
                    let count = outer * length * inner;
                    let values: Vec<f32> = (0..count)
                        .map(|i| match i * 7919 % 1013 {
                            0 => -0.0,
                            residue => (residue as f32 - 500.0) * [1.0, 1e-7, 1e7][i % 3],
                        })
                        .collect();
                    let expected: Vec<u32> = (0..outer * inner)
                        .map(|at| {
                            let (o, j) = (at / inner, at % inner);
                            let column: Vec<f32> = (0..length).map(|i| values[(o * length + i) * inner + j]).collect();
                            canonical(fold(kind, &column))
                        })
                        .collect();
                    for threads in [1, 2, 5] {
                        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
                        let got = pool.install(|| fold_dim(kind, &values, outer, length, inner));
                        let got: Vec<u32> = got.into_iter().map(canonical).collect();
                        assert_eq!(got, expected, "{kind:?} [{outer}, {length}, {inner}] {threads} threads");
                    }
                }
            }
        }
    }

    #[test]
    fn an_empty_dimension_gives_the_empty_reduction() {
        assert_eq!(fold_dim(Fold::Sum, &[], 2, 0, 3), [0.0; 6]);
        assert_eq!(fold_dim(Fold::Product, &[], 1, 0, 2), [1.0; 2]);
        assert!(fold_dim(Fold::Sum, &[], 0, 4, 3).is_empty());
    }

    fn canonical(x: f32) -> u32 {
        if x.is_nan() { 0x7fc0_0000 } else { x.to_bits() }
    }
}
