//! Running reductions of a middle dimension: the chain of [`ops::scan`](super::super::ops::scan), for many columns or rows
//! side by side.

use super::super::kernels::Scan;
use super::super::ops::scan::{start, step};
use super::chunks::rows_of_a_task;
use super::level::{Level, per_level};
use super::team::Team;

/// Rows that go on together where there are no columns: a chain by itself waits for each of its sums.
const ROWS: usize = 8;

/// Replaces each element of `values`, `[outer, length, inner]` row-major, by the reduction of those of its column up to it.
///
/// # Panics
/// When `values` is not a number of such blocks.
pub fn scan_dim(level: Level, kind: Scan, values: &mut [f32], length: usize, inner: usize) {
    if values.is_empty() {
        return;
    }
    let block = length * inner;
    assert!(values.len().is_multiple_of(block), "{} elements in blocks of {block}", values.len());
    let at_once = rows_of_a_task(block).next_multiple_of(if inner == 1 { ROWS } else { 1 });
    Team::Pool.run_on_parts(values, at_once * block, |_, values| {
        per_level!(
            level,
            (kind: Scan = kind, values: &mut [f32] = values, length: usize = length, inner: usize = inner),
            match kind {
                Scan::Sum => blocks(Scan::Sum, values, length, inner),
                Scan::Product => blocks(Scan::Product, values, length, inner),
                Scan::Min => blocks(Scan::Min, values, length, inner),
                Scan::Max => blocks(Scan::Max, values, length, inner),
            }
        );
    });
}

#[inline(always)]
fn blocks(kind: Scan, values: &mut [f32], length: usize, inner: usize) {
    if inner > 1 {
        for block in values.chunks_exact_mut(length * inner) {
            columns(kind, block, inner);
        }
        return;
    }
    for rows in values.chunks_mut(ROWS * length) {
        if rows.len() == ROWS * length {
            together::<ROWS>(kind, rows, length);
        } else {
            for row in rows.chunks_exact_mut(length) {
                together::<1>(kind, row, length);
            }
        }
    }
}

#[inline(always)]
fn columns(kind: Scan, block: &mut [f32], inner: usize) {
    let (first, mut rest) = block.split_at_mut(inner);
    for value in &mut *first {
        *value = step(kind, start(kind), *value);
    }
    let mut before: &[f32] = first;
    while !rest.is_empty() {
        let (row, after) = rest.split_at_mut(inner);
        for (value, so_far) in row.iter_mut().zip(before) {
            *value = step(kind, *so_far, *value);
        }
        (before, rest) = (row, after);
    }
}

#[inline(always)]
fn together<const COUNT: usize>(kind: Scan, rows: &mut [f32], length: usize) {
    let mut so_far = [start(kind); COUNT];
    for at in 0..length {
        for (row, so_far) in so_far.iter_mut().enumerate() {
            let value = &mut rows[row * length + at];
            *so_far = step(kind, *so_far, *value);
            *value = *so_far;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::adversarial::{adversarial, bits, on_threads};
    use super::*;

    #[test]
    fn every_shape_level_and_thread_count_equals_the_chain() {
        for (outer, length, inner) in [(1, 1, 1), (3, 7, 1), (16, 5, 1), (21, 300, 1), (2, 9, 4), (5, 600, 33)] {
            let values = adversarial(outer * length * inner, 3);
            for kind in [Scan::Sum, Scan::Product, Scan::Min, Scan::Max] {
                let mut expected = values.clone();
                for (block, column) in (0..outer).flat_map(|block| (0..inner).map(move |column| (block, column))) {
                    let mut so_far = start(kind);
                    for value in expected[block * length * inner + column..].iter_mut().step_by(inner).take(length) {
                        so_far = step(kind, so_far, *value);
                        *value = so_far;
                    }
                }
                for (level, threads) in Level::available().into_iter().flat_map(|level| [1, 3].map(|n| (level, n))) {
                    let got = on_threads(threads, || {
                        let mut got = values.clone();
                        scan_dim(level, kind, &mut got, length, inner);
                        got
                    });
                    let what = format!("{kind:?} [{outer}, {length}, {inner}] {level:?} {threads} threads");
                    assert_eq!(bits(got), bits(expected.iter().copied()), "{what}");
                }
            }
        }
    }
}
