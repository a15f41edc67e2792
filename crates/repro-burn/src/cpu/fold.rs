//! Reductions of a middle dimension: the tree of [`ops::fold`](super::super::ops::fold), for many columns side by side.
//!
//! A lane begins as its first element instead of as identity ∘ element, which has the same bits; a lane without any is the
//! identity or left out of the tree.

use super::super::kernels::Fold;
use super::super::ops::fold::{BLOCK, LANES, combine, fold, identity};
use super::chunks::rows_of_a_task;
use super::level::{Level, per_level};
use super::team::Team;

/// Columns reduced together: the lanes of all of them stay in the L1 cache.
const COLUMNS: usize = 128;

/// Reduces the middle dimension of `values`, `[outer, length, inner]` row-major, to `[outer, inner]`.
///
/// # Panics
/// When `values` is not `outer · length · inner` long.
pub fn fold_dim(level: Level, kind: Fold, values: &[f32], outer: usize, length: usize, inner: usize) -> Vec<f32> {
    assert_eq!(values.len(), outer * length * inner, "input of a reduction [{outer}, {length}, {inner}]");
    if values.is_empty() {
        return vec![fold(kind, &[]); outer * inner];
    }
    let blocks = length.div_ceil(BLOCK);
    let mut partials = vec![0.0; outer * blocks * inner];
    match inner {
        1 => fold_rows(level, kind, values, length, &mut partials),
        _ => fold_columns(level, kind, values, [length, inner], &mut partials),
    }
    if blocks == 1 { partials } else { fold_dim(level, kind, &partials, outer, blocks, inner) }
}

/// The reduction of each block of each row of `length` values.
fn fold_rows(level: Level, kind: Fold, values: &[f32], length: usize, out: &mut [f32]) {
    let blocks = length.div_ceil(BLOCK);
    let at_once = if blocks == 1 { rows_of_a_task(length) } else { 1 };
    Team::Pool.run_on_parts(out, at_once, |task, out| {
        let (row, block) = (task * at_once / blocks, task * at_once % blocks);
        let length_of_one = BLOCK.min(length - block * BLOCK);
        let values = &values[row * length + block * BLOCK..][..length_of_one * out.len()];
        let length = length_of_one;
        per_level!(
            level,
            (kind: Fold = kind, values: &[f32] = values, length: usize = length, out: &mut [f32] = out),
            rows(kind, values, length, out)
        );
    });
}

#[inline(always)]
fn rows(kind: Fold, values: &[f32], length: usize, out: &mut [f32]) {
    match kind {
        Fold::Sum => each_row(Fold::Sum, values, length, out),
        Fold::Product => each_row(Fold::Product, values, length, out),
    }
}

#[inline(always)]
fn each_row(kind: Fold, values: &[f32], length: usize, out: &mut [f32]) {
    macro_rules! lengths {
        ($($length:literal)*) => {
            match length {
                // Of such rows there are many, and a loop that has to find out how long they are takes longer than the sums.
                $( $length => {
                    for (row, out) in values.as_chunks::<$length>().0.iter().zip(out) {
                        *out = short_tree(kind, *row);
                    }
                } )*
                _ => {
                    for (row, out) in values.chunks_exact(length).zip(out) {
                        *out = long_row(kind, row);
                    }
                }
            }
        };
    }
    lengths!(1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16)
}

/// The tree over lanes of which there are `N`.
#[inline(always)]
fn short_tree<const N: usize>(kind: Fold, mut lanes: [f32; N]) -> f32 {
    let mut used = N;
    for half in [16, 8, 4, 2, 1] {
        for lane in half..used {
            lanes[lane - half] = combine(kind, lanes[lane - half], lanes[lane]);
        }
        used = used.min(half);
    }
    lanes[0]
}

/// The reduction of at most [`BLOCK`] values, of which there is at least one.
#[inline(always)]
fn long_row(kind: Fold, row: &[f32]) -> f32 {
    let (whole, rest) = row.as_chunks::<LANES>();
    let Some((first, others)) = whole.split_first() else {
        return tree(kind, rest);
    };
    let mut lanes = *first;
    for values in others {
        for (lane, value) in lanes.iter_mut().zip(values) {
            *lane = combine(kind, *lane, *value);
        }
    }
    for (lane, value) in lanes.iter_mut().zip(rest) {
        *lane = combine(kind, *lane, *value);
    }
    whole_tree(kind, lanes)
}

/// The tree over all lanes.
#[inline(always)]
pub fn whole_tree(kind: Fold, mut lanes: [f32; LANES]) -> f32 {
    macro_rules! halves {
        ($($half:literal)*) => { $(
            for lane in 0..$half {
                lanes[lane] = combine(kind, lanes[lane], lanes[lane + $half]);
            }
        )* };
    }
    halves!(16 8 4 2 1);
    lanes[0]
}

/// The tree over the first lanes, the others being the identity.
#[inline(always)]
fn tree(kind: Fold, first: &[f32]) -> f32 {
    let mut lanes = [identity(kind); LANES];
    // Not as one copy, which is a call for each row.
    for (lane, value) in lanes.iter_mut().zip(first) {
        *lane = *value;
    }
    whole_tree(kind, lanes)
}

/// The reductions of the columns of each block of rows, `[outer, blocks, inner]`.
fn fold_columns(level: Level, kind: Fold, values: &[f32], [length, inner]: [usize; 2], out: &mut [f32]) {
    let blocks = length.div_ceil(BLOCK);
    // Columns of one block, or whole small blocks.
    let width = COLUMNS.min(inner);
    let mut parts: Vec<Columns<'_>> = Vec::with_capacity(out.len().div_ceil(width));
    for (block, out) in out.chunks_exact_mut(inner).enumerate() {
        let (outer, block) = (block / blocks, block % blocks);
        let rows = block * BLOCK..length.min((block + 1) * BLOCK);
        let values = &values[(outer * length + rows.start) * inner..(outer * length + rows.end) * inner];
        let parts_of_block = out.chunks_mut(width).enumerate();
        parts.extend(parts_of_block.map(|(at, out)| Columns { values, stride: inner, column: at * width, out }));
    }
    let at_once = rows_of_a_task(width * length.min(BLOCK));
    Team::Pool.run_on_parts(&mut parts, at_once, |_, parts| {
        let mut lanes = [[0.0; COLUMNS]; LANES];
        for part in parts {
            let lanes = &mut lanes;
            per_level!(
                level,
                (kind: Fold = kind, part: &mut Columns<'_> = part, lanes: &mut Lanes = lanes),
                columns(kind, part, lanes)
            );
        }
    });
}

/// At most [`COLUMNS`] columns of at most [`BLOCK`] rows, and where their reductions go.
struct Columns<'a> {
    values: &'a [f32],
    /// Length of a row.
    stride: usize,
    column: usize,
    out: &'a mut [f32],
}

/// Space for the lanes of all columns of a part, of any content.
type Lanes = [[f32; COLUMNS]; LANES];

#[inline(always)]
fn columns(kind: Fold, part: &mut Columns<'_>, lanes: &mut Lanes) {
    match kind {
        Fold::Sum => each_column(Fold::Sum, part, lanes),
        Fold::Product => each_column(Fold::Product, part, lanes),
    }
}

#[inline(always)]
fn each_column(kind: Fold, part: &mut Columns<'_>, lanes: &mut Lanes) {
    let (column, width) = (part.column, part.out.len());
    let mut rows = part.values.chunks_exact(part.stride).map(|row| &row[column..column + width]);
    let mut used = 0_usize;
    for (lanes, row) in lanes.iter_mut().zip(&mut rows) {
        lanes[..width].copy_from_slice(row);
        used += 1;
    }
    for (number, row) in rows.enumerate() {
        for (lane, value) in lanes[number % LANES].iter_mut().zip(row) {
            *lane = combine(kind, *lane, *value);
        }
    }
    let mut half = LANES / 2;
    while half > 0 {
        let (low, high) = lanes.split_at_mut(half);
        for (low, high) in low.iter_mut().zip(&high[..used.saturating_sub(half)]) {
            for (low, high) in low[..width].iter_mut().zip(high) {
                *low = combine(kind, *low, *high);
            }
        }
        used = used.min(half);
        half /= 2;
    }
    part.out.copy_from_slice(&lanes[0][..width]);
}

#[cfg(test)]
mod tests {
    use super::super::adversarial::{adversarial, bits, on_threads};
    use super::*;

    #[test]
    fn every_shape_and_thread_count_equals_the_reference_column_by_column() {
        let lengths = [1, 2, 31, 32, 33, 64, 1000, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 17];
        for kind in [Fold::Sum, Fold::Product] {
            for length in lengths {
                for (outer, inner) in [(1, 1), (3, 1), (2, 5), (1, 65), (2, 130)] {
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
                    for (level, threads) in
                        Level::available().into_iter().flat_map(|level| [1, 2, 5].map(|n| (level, n)))
                    {
                        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
                        let got = pool.install(|| fold_dim(level, kind, &values, outer, length, inner));
                        let got: Vec<u32> = got.into_iter().map(canonical).collect();
                        assert_eq!(got, expected, "{kind:?} [{outer}, {length}, {inner}] {level:?} {threads} threads");
                    }
                }
            }
        }
    }

    #[test]
    fn many_short_rows_of_every_number_equal_the_reference_row_by_row() {
        for length in 1..=LANES + 1 {
            // More than a task's.
            let rows = 40_000 / length;
            let values = adversarial(rows * length, length as u64);
            for kind in [Fold::Sum, Fold::Product] {
                let expected = bits(values.chunks_exact(length).map(|row| fold(kind, row)));
                for (level, threads) in Level::available().into_iter().flat_map(|level| [1, 3].map(|n| (level, n))) {
                    let got = on_threads(threads, || fold_dim(level, kind, &values, rows, length, 1));
                    assert!(bits(got) == expected, "{kind:?} of {length} {level:?} {threads} threads");
                }
            }
        }
    }

    #[test]
    fn an_empty_dimension_gives_the_empty_reduction() {
        assert_eq!(fold_dim(Level::detected(), Fold::Sum, &[], 2, 0, 3), [0.0; 6]);
        assert_eq!(fold_dim(Level::detected(), Fold::Product, &[], 1, 0, 2), [1.0; 2]);
        assert!(fold_dim(Level::detected(), Fold::Sum, &[], 0, 4, 3).is_empty());
    }

    fn canonical(x: f32) -> u32 {
        if x.is_nan() { 0x7fc0_0000 } else { x.to_bits() }
    }
}
