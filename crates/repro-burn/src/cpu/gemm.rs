//! Matrix product of two strided views into a contiguous output.

use std::mem::MaybeUninit;

use super::super::ops::matmul::BLOCK;
use super::cache::l2_bytes;
use super::chunks::{initialised, write_copy};
use super::level::Level;
use super::operand::{Group, Operand};
use super::pack::Part;
use super::scratch::with_scratch;
use super::team::{Shared, Team};
use super::tile::{Panel, Strips, Target, TileShape, Tiles, Write};
use super::vector;

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

impl<'a> View<'a> {
    /// The slice from the first element of the matrix, which has elements, to its last.
    pub(super) fn part(&self, rows: usize, columns: usize) -> &'a [f32] {
        &self.values[self.offset..=self.offset + (rows - 1) * self.row_stride + (columns - 1) * self.column_stride]
    }
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
pub const PARALLEL_WORK: usize = 1 << 20;
/// Multiplications that are worth a task of their own.
const TASK_WORK: usize = 1 << 18;
/// Tasks per thread, so that a thread that is interrupted does not hold up the others.
const TASKS_PER_THREAD: usize = 4;
/// Products of at most this many elements are cut along k: there are too few rows and columns to share out.
const SPLIT_OUTPUT: usize = 1 << 14;
/// Values of the partial products of one span.
const SPLIT_PARTIALS: usize = 1 << 20;
/// Values of the left operand that are packed before they are used; at least one block of k is.
const PACKED: usize = 1 << 20;
/// Below this many packed values threads cost more than they give.
const PARALLEL_PACKED: usize = 1 << 15;

/// Writes left × right to `out`, `[m, n]` row-major, all of it.
///
/// # Panics
/// When `out` is not `m · n` long or a view leaves its slice.
pub fn gemm(level: Level, team: Team, size: Size, left: View<'_>, right: View<'_>, out: &mut [MaybeUninit<f32>]) {
    let Size { m, k, n } = size;
    assert_eq!(out.len(), m * n, "output of a {m} × {k} × {n} matrix product");
    if k == 0 {
        out.fill(MaybeUninit::new(0.0));
    }
    if m == 0 || k == 0 || n == 0 {
        return;
    }
    let team = if size.work() < PARALLEL_WORK { Team::Caller } else { team };
    if let Some((x, x_stride, matrix)) = vector_and_matrix(size, left, right) {
        return vector::product(level, team, k, x, x_stride, matrix, out);
    }
    let out = Out { start: Shared::new(out.as_mut_ptr().cast()), row_stride: n };
    Product::new(level, team, size, left, right, out).run(team);
}

/// The same for a part of the output's columns, on the calling thread: row i goes to `out` + i · `row_stride`.
///
/// # Safety
/// The rows are valid for writes of n values, and no other thread touches them.
///
/// # Panics
/// When a view leaves its slice.
pub unsafe fn gemm_columns(
    level: Level,
    size: Size,
    left: View<'_>,
    right: View<'_>,
    out: *mut f32,
    row_stride: usize,
) {
    assert!(size.m > 0 && size.k > 0 && size.n > 0, "an empty product: {size:?}");
    let out = Out { start: Shared::new(out), row_stride };
    Product::new(level, Team::Caller, size, left, right, out).run(Team::Caller);
}

/// The operands as a vector, the distance of its elements, and a matrix that can be read in the order of memory.
fn vector_and_matrix<'a>(size: Size, left: View<'a>, right: View<'a>) -> Option<(&'a [f32], usize, Part<'a>)> {
    let Size { m, k, n } = size;
    // a · b + c = b · a + c: either side may be the vector.
    let (x, x_stride, matrix) = if n == 1 {
        let (values, lane_stride, k_stride) = (left.part(m, k), left.row_stride, left.column_stride);
        (right.part(k, n), right.row_stride, Part { values, lane_stride, k_stride, lanes: m })
    } else if m == 1 {
        let (values, lane_stride, k_stride) = (right.part(k, n), right.column_stride, right.row_stride);
        (left.part(m, k), left.column_stride, Part { values, lane_stride, k_stride, lanes: n })
    } else {
        return None;
    };
    (matrix.lane_stride == 1 || matrix.k_stride == 1).then_some((x, x_stride, matrix))
}

/// Where a product goes.
#[derive(Clone, Copy)]
struct Out {
    start: Shared,
    row_stride: usize,
}

/// A product that is not empty.
struct Product<'a> {
    level: Level,
    shape: TileShape,
    size: Size,
    left: Operand<'a>,
    right: Operand<'a>,
    out: Out,
}

/// Blocks of k that are packed together, from `start` to `end`.
#[derive(Clone, Copy)]
struct Span {
    start: usize,
    end: usize,
}

impl Span {
    fn length(self) -> usize {
        self.end - self.start
    }

    /// Start and length of each block.
    fn blocks(self) -> impl Iterator<Item = (usize, usize)> {
        (self.start..self.end).step_by(BLOCK).map(move |start| (start, BLOCK.min(self.end - start)))
    }
}

impl<'a> Product<'a> {
    fn new(level: Level, team: Team, size: Size, left: View<'a>, right: View<'a>, out: Out) -> Self {
        let shape = TileShape::of(level, size.n, team.threads());
        let (left, right) = (Operand::left(shape, size, left), Operand::right(shape, size, right));
        Self { level, shape, size, left, right, out }
    }

    fn run(&self, team: Team) {
        let (k, rows) = (self.size.k, self.left.packed_lanes());
        let mut blocks = (PACKED / BLOCK).checked_div(rows).unwrap_or(usize::MAX / BLOCK).max(1);
        let is_split = team.threads() > 1 && self.out_length() <= SPLIT_OUTPUT && k >= 2 * BLOCK * team.threads();
        if is_split {
            blocks = blocks.min(SPLIT_PARTIALS / self.out_length());
        }
        let length = k.min(blocks * BLOCK);
        with_scratch(length * rows, |scratch| {
            for start in (0..k).step_by(length) {
                let span = Span { start, end: k.min(start + length) };
                let left = &mut scratch[..span.length() * rows];
                let team_of_packing = if left.len() < PARALLEL_PACKED { Team::Caller } else { team };
                let mut packings: Vec<_> = self.left.packings(span.blocks(), left).collect();
                team_of_packing.run_on(&mut packings, |_, packing| packing.run(self.level));
                if is_split {
                    self.multiply_blocks(team, span, left);
                } else {
                    self.multiply(team, span, left);
                }
            }
        });
    }

    /// One block after the other for each rectangle of the output.
    fn multiply(&self, team: Team, span: Span, left: &[f32]) {
        let (strips, panels) = (self.left.groups(), self.right.groups());
        let tasks = match team.threads() {
            1 => 1,
            threads => (self.size.m * span.length() * self.size.n / TASK_WORK).clamp(1, TASKS_PER_THREAD * threads),
        };
        // A task packs its own panels of the right matrix: what another core has packed is slow to come by. So columns are
        // shared out, and rows where there are too few panels, or more rows than half of the L2 cache holds.
        let kept = l2_bytes() / 2 / (size_of::<f32>() * BLOCK.min(span.length()));
        let row_tasks = strips.div_ceil((kept / self.shape.rows).max(1));
        let column_tasks = tasks.div_ceil(row_tasks).min(panels);
        let row_tasks =
            if panels < team.threads() { row_tasks.max(tasks.div_ceil(panels)).min(strips) } else { row_tasks };
        team.run(row_tasks * column_tasks, |task| {
            let (row_task, column_task) = (task / column_tasks, task % column_tasks);
            let strips = share(strips, row_tasks, row_task);
            let panels = share(panels, column_tasks, column_task);
            with_scratch(self.shape.columns * BLOCK.min(span.length()), |panel_scratch| {
                for (start, depth) in span.blocks() {
                    for panel in panels.clone() {
                        let right = self.right.packed_group(self.level, panel_scratch, (start, depth), panel);
                        let (out, write) = (self.out, if start == 0 { Write::Store } else { Write::Add });
                        self.tiles(span, (start, depth), strips.clone(), panel, (left, right), (out, write));
                    }
                }
            });
        });
    }

    /// Each block by itself, then their sums in ascending order.
    fn multiply_blocks(&self, team: Team, span: Span, left: &[f32]) {
        let (strips, panels, length) = (self.left.groups(), self.right.groups(), self.out_length());
        let blocks: Vec<_> = span.blocks().collect();
        let mut partials = Vec::with_capacity(blocks.len() * length);
        let partials: &mut [MaybeUninit<f32>] = &mut partials.spare_capacity_mut()[..blocks.len() * length];
        let shared = Shared::new(partials.as_mut_ptr().cast());
        team.run(blocks.len(), |index| {
            with_scratch(self.shape.columns * blocks[index].1, |panel_scratch| {
                for panel in 0..panels {
                    let right = self.right.packed_group(self.level, panel_scratch, blocks[index], panel);
                    let out = Out { start: Shared::new(shared.at(index * length)), row_stride: self.size.n };
                    self.tiles(span, blocks[index], 0..strips, panel, (left, right), (out, Write::Store));
                }
            });
        });
        // SAFETY: each block has written its own partial product, all of it.
        let partials = unsafe { initialised(partials) };
        // SAFETY: the output is that long, and nobody else uses it now.
        let out = unsafe { std::slice::from_raw_parts_mut(self.out.start.at(0).cast::<MaybeUninit<f32>>(), length) };
        for (partial, (start, _)) in partials.chunks_exact(length).zip(blocks) {
            if start == 0 {
                write_copy(out, partial);
            } else {
                // SAFETY: the first block has written it.
                let out = unsafe { initialised(out) };
                out.iter_mut().zip(partial).for_each(|(out, partial)| *out += partial);
            }
        }
    }

    fn out_length(&self) -> usize {
        self.size.m * self.size.n
    }

    fn tiles(
        &self,
        span: Span,
        (start, depth): (usize, usize),
        strips: std::ops::Range<usize>,
        panel: usize,
        (left, right): (&[f32], Group),
        (out, write): (Out, Write),
    ) {
        let Size { m, n, .. } = self.size;
        let (row, column) = (strips.start * self.shape.rows, panel * self.shape.columns);
        let rows = m.min(strips.end * self.shape.rows) - row;
        let columns = (n - column).min(self.shape.columns);
        let block = (start - span.start, start, depth);
        let left = self.left.group(left, block, strips.start);
        let tiles = Tiles {
            strips: Strips {
                start: left.start,
                rows: self.shape.rows,
                strip_stride: left.group_stride,
                row_stride: left.lane_stride,
                k_stride: left.k_stride,
            },
            panel: Panel { start: right.start, k_stride: right.k_stride },
            depth,
            target: Target {
                start: out.start.at(row * out.row_stride + column),
                row_stride: out.row_stride,
                rows,
                columns,
            },
            write,
        };
        // SAFETY: `Operand::group` gives addresses of whole groups over `depth`, in the operand's slice, which its
        // constructor has checked, or in the packed copy; a panel read in place consists of whole registers. The output has
        // m rows of n values, the rectangles of different tasks are disjoint, and the first block is stored. `Level` values
        // come from detection.
        unsafe { tiles.run(self.level) }
    }
}

/// The part of `count` things that falls to `index` of `shares`.
fn share(count: usize, shares: usize, index: usize) -> std::ops::Range<usize> {
    count * index / shares..count * (index + 1) / shares
}

#[cfg(test)]
mod tests {
    use super::super::super::ops::fma::Fused;
    use super::super::super::ops::matmul::dot;
    use super::*;
    use crate::rng::{CounterRng, Stream};

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

    fn product(level: Level, size: Size, left: View<'_>, right: View<'_>) -> Vec<f32> {
        let mut out = vec![MaybeUninit::new(f32::NAN); size.m * size.n];
        gemm(level, Team::Pool, size, left, right, &mut out);
        // SAFETY: every element has been written, at the latest by the line before last.
        out.into_iter().map(|x| unsafe { x.assume_init() }).collect()
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
                let got: Vec<u32> =
                    pool.install(|| product(level, size, left, right)).into_iter().map(canonical).collect();
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
        // Cut along k by two threads and by five.
        check(Size { m: 5, k: 5130, n: 19 }, [true, false], false);
        check(Size { m: 33, k: 5633, n: 16 }, [false, true], true);
        check(Size { m: 97, k: 600, n: 50 }, [false, false], true);
    }
}
