//! Matrix product of two strided views into a contiguous output.

use rayon::prelude::*;

use super::super::ops::matmul::BLOCK;
use super::level::Level;
use super::tile::{Task, lane_count, panel_width};

/// A matrix inside a larger slice.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// The slice; element (i, j) is at `offset + i · row_stride + j · column_stride`.
    pub values: &'a [f32],
    /// Position of element (0, 0).
    pub offset: usize,
    /// Distance between rows.
    pub row_stride: usize,
    /// Distance between columns.
    pub column_stride: usize,
}

/// Rows, inner dimension and columns of a product `[m, k] × [k, n]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Rows of the left matrix.
    pub m: usize,
    /// Inner dimension.
    pub k: usize,
    /// Columns of the right matrix.
    pub n: usize,
}

impl Size {
    /// Multiplications of the product.
    pub fn work(&self) -> usize {
        self.m.saturating_mul(self.k).saturating_mul(self.n)
    }
}

/// Below this many multiplications threads cost more than they give.
pub const PARALLEL_WORK: usize = 1 << 18;
/// Output rows of one task: its share of the left matrix stays in the L2 cache.
const TASK_ROWS: usize = 96;

/// Writes left × right to `out`, `[m, n]` row-major.
///
/// # Panics
/// When `out` is not `m · n` long or a view leaves its slice.
pub fn gemm(level: Level, size: Size, left: View<'_>, right: View<'_>, out: &mut [f32]) {
    let Size { m, k, n } = size;
    assert_eq!(out.len(), m * n, "output of a {m} × {k} × {n} matrix product");
    if k == 0 {
        out.fill(0.0);
    }
    if m == 0 || k == 0 || n == 0 {
        return;
    }
    let parallel = size.work() >= PARALLEL_WORK;
    let mut packed = vec![0.0; BLOCK.min(k) * n.next_multiple_of(lane_count(level))];
    for start in (0..k).step_by(BLOCK) {
        let depth = BLOCK.min(k - start);
        let packed = &mut packed[..depth * n.next_multiple_of(lane_count(level))];
        pack_right(level, right, start, depth, n, packed, parallel);
        let rows = |(task, out): (usize, &mut [f32])| {
            let left = pack_left(left, task * TASK_ROWS, out.len() / n, start, depth);
            Task { left: &left, right: packed, depth, columns: n, out, first: start == 0 }.run(level);
        };
        if parallel {
            out.par_chunks_mut(TASK_ROWS * n).enumerate().for_each(rows);
        } else {
            out.chunks_mut(TASK_ROWS * n).enumerate().for_each(rows);
        }
    }
}

fn pack_left(left: View<'_>, row: usize, rows: usize, start: usize, depth: usize) -> Vec<f32> {
    let mut packed = vec![0.0; rows * depth];
    let origin = left.offset + row * left.row_stride + start * left.column_stride;
    if left.column_stride == 1 {
        for (row, packed) in packed.chunks_exact_mut(depth).enumerate() {
            packed.copy_from_slice(&left.values[origin + row * left.row_stride..][..depth]);
        }
    } else {
        // Reads along the rows of a transposed matrix.
        for k in 0..depth {
            let origin = origin + k * left.column_stride;
            for row in 0..rows {
                packed[row * depth + k] = left.values[origin + row * left.row_stride];
            }
        }
    }
    packed
}

fn pack_right(level: Level, right: View<'_>, start: usize, depth: usize, n: usize, packed: &mut [f32], parallel: bool) {
    let width = panel_width(level);
    let panel = |(panel, packed): (usize, &mut [f32])| {
        let column = panel * width;
        let valid = width.min(n - column);
        let padded = packed.len() / depth;
        let origin = right.offset + start * right.row_stride + column * right.column_stride;
        for (k, packed) in packed.chunks_exact_mut(padded).enumerate() {
            let origin = origin + k * right.row_stride;
            if right.column_stride == 1 {
                packed[..valid].copy_from_slice(&right.values[origin..][..valid]);
            } else {
                for (column, value) in packed[..valid].iter_mut().enumerate() {
                    *value = right.values[origin + column * right.column_stride];
                }
            }
            packed[valid..].fill(0.0);
        }
    };
    if parallel {
        packed.par_chunks_mut(width * depth).enumerate().for_each(panel);
    } else {
        packed.chunks_mut(width * depth).enumerate().for_each(panel);
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::ops::fma::Fused;
    use super::super::super::ops::matmul::dot;
    use super::*;
    use crate::engine::rng::{CounterRng, Stream};

    /// Numbers that make an order of operations visible, with every special value among them.
    fn adversarial(count: usize, seed: u64, specials: bool) -> Vec<f32> {
        let rng = CounterRng::new(seed, Stream::workload(1), 0);
        let special =
            [0.0, -0.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, f32::MAX, 1e-45, -1e-40, f32::MIN_POSITIVE];
        (0..count as u64)
            .map(|index| {
                let bits = rng.u32(index);
                let scale = [1.0, -1.0, 1e8, 1e-8, 1e-30, 1e20][bits as usize % 6];
                if specials && bits.is_multiple_of(101) {
                    special[(bits / 101) as usize % special.len()]
                } else {
                    (rng.uniform_f32(index) - 0.5) * scale
                }
            })
            .collect()
    }

    fn canonical(x: f32) -> u32 {
        if x.is_nan() { 0x7fc0_0000 } else { x.to_bits() }
    }

    fn reference(size: Size, left: View<'_>, right: View<'_>) -> Vec<u32> {
        let element = |view: View<'_>, i: usize, j: usize| {
            view.values[view.offset + i * view.row_stride + j * view.column_stride]
        };
        let mut out = Vec::with_capacity(size.m * size.n);
        for i in 0..size.m {
            let row: Vec<f32> = (0..size.k).map(|k| element(left, i, k)).collect();
            for j in 0..size.n {
                let column: Vec<f32> = (0..size.k).map(|k| element(right, k, j)).collect();
                out.push(canonical(dot::<Fused>(&row, &column)));
            }
        }
        out
    }

    fn check(size: Size, transposed: [bool; 2], specials: bool) {
        let Size { m, k, n } = size;
        let view = |values, rows: usize, columns: usize, transposed| {
            let (row_stride, column_stride) = if transposed { (1, rows) } else { (columns, 1) };
            View { values, offset: 3, row_stride, column_stride }
        };
        let (a, b) = (adversarial(3 + m * k, 1, specials), adversarial(3 + k * n, 2, specials));
        let (left, right) = (view(&a, m, k, transposed[0]), view(&b, k, n, transposed[1]));
        let expected = reference(size, left, right);
        for level in Level::available() {
            for threads in [1, 2, 5] {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
                let mut out = vec![f32::NAN; m * n];
                pool.install(|| gemm(level, size, left, right, &mut out));
                let got: Vec<u32> = out.into_iter().map(canonical).collect();
                assert_eq!(got, expected, "{size:?} {transposed:?} {level:?} {threads} threads");
            }
        }
    }

    #[test]
    fn every_level_and_thread_count_equals_the_reference_at_odd_sizes() {
        for (m, k, n) in [(1, 1, 1), (0, 3, 2), (2, 0, 3), (3, 2, 0), (1, 7, 49), (5, 3, 17), (9, 11, 96), (100, 5, 33)]
        {
            for transposed in [[false, false], [false, true], [true, false], [true, true]] {
                check(Size { m, k, n }, transposed, true);
            }
        }
    }

    #[test]
    fn every_level_and_thread_count_equals_the_reference_around_blocks_of_k() {
        for k in [511, 512, 513, 1024, 1025] {
            check(Size { m: 7, k, n: 19 }, [false, true], false);
        }
        check(Size { m: 97, k: 600, n: 50 }, [true, false], false);
        check(Size { m: 97, k: 600, n: 50 }, [false, false], true);
    }
}
