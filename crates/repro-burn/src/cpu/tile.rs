//! The inner kernel of the matrix product: a tile of output elements in registers, each its own chain over k.

use std::mem::MaybeUninit;

use super::lanes::Lanes;
use super::level::{Level, per_level};

/// The largest tile of a level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TileShape {
    /// Its rows: the height of a strip of the left matrix.
    pub rows: usize,
    /// Its columns: the width of a panel of the right matrix.
    pub columns: usize,
    /// Packed panels are padded to a multiple of this.
    pub lanes: usize,
}

impl TileShape {
    /// The tile of `level` for a product of `n` columns that are shared out among `threads`.
    pub fn of(level: Level, n: usize, threads: usize) -> Self {
        per_level!(
            level,
            (n: usize = n, threads: usize = threads) -> TileShape,
            TileShape::of_lanes::<LevelLanes>(n, threads)
        )
    }

    fn of_lanes<L: Lanes>(n: usize, threads: usize) -> Self {
        let needed = n.div_ceil(L::WIDTH);
        let rows = |vectors: usize| L::TILE_ROWS.get(vectors.wrapping_sub(1)).copied().unwrap_or(0);
        // Registers that the thread with the most panels goes through for each row.
        let longest = |vectors: usize| needed.div_ceil(vectors).div_ceil(threads) * vectors;
        let (usual, wide) = (L::TILE_VECTORS, L::TILE_VECTORS + 1);
        let vectors = if rows(needed) > 0 {
            needed
        } else if rows(wide) > 0 && 21 * longest(wide) < 20 * longest(usual) {
            // It moves more of the right matrix, so it has to be better by something.
            wide
        } else {
            usual
        };
        Self { rows: rows(vectors), columns: L::WIDTH * vectors, lanes: L::WIDTH }
    }
}

/// Some strips of the left matrix, for one block of k. Element (row, k) of strip s is at
/// `start + s · strip_stride + row · row_stride + k · k_stride`.
#[derive(Debug, Clone, Copy)]
pub struct Strips {
    /// Element (0, 0) of the first strip.
    pub start: *const f32,
    /// Rows of a strip.
    pub rows: usize,
    /// Distance between strips.
    pub strip_stride: usize,
    /// Distance between rows.
    pub row_stride: usize,
    /// Distance between elements of a row.
    pub k_stride: usize,
}

/// At most [`TileShape::columns`] columns of the right matrix, side by side in memory, for one block of k.
#[derive(Debug, Clone, Copy)]
pub struct Panel {
    /// Element (0, 0).
    pub start: *const f32,
    /// Distance between rows.
    pub k_stride: usize,
}

/// A rectangle of the output.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Element (0, 0).
    pub start: *mut f32,
    /// Distance between rows.
    pub row_stride: usize,
    /// Its rows.
    pub rows: usize,
    /// Its columns, at most [`TileShape::columns`].
    pub columns: usize,
}

/// What happens to a block's partial sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Write {
    /// They become the output: the first block of k.
    Store,
    /// They are added to the output: all others.
    Add,
}

/// One block of k of the product of some strips and a panel.
#[derive(Debug, Clone, Copy)]
pub struct Tiles {
    /// Left operand.
    pub strips: Strips,
    /// Right operand.
    pub panel: Panel,
    /// Length of the block of k.
    pub depth: usize,
    /// Output.
    pub target: Target,
    /// Store or add.
    pub write: Write,
}

impl Tiles {
    /// Computes the block's partial sums and stores or adds them.
    ///
    /// # Safety
    /// The strips are valid for reads of `target.rows` rows, the panel of `target.columns` columns rounded up to whole
    /// registers, both over `depth`; the target is valid for writes, initialised where it is added to, and no other
    /// thread touches it. The processor has `level`.
    pub unsafe fn run(self, level: Level) {
        per_level!(
            level,
            (tiles: Tiles = self),
            // SAFETY: passed on from the caller; the code is compiled for these lanes.
            unsafe { tiles.strips::<LevelLanes>() }
        );
    }

    /// # Safety
    /// As [`run`](Self::run); the instructions of `L` are available, and the caller is compiled for them.
    #[inline(always)]
    unsafe fn strips<L: Lanes>(self) {
        let vectors = self.target.columns.div_ceil(L::WIDTH);
        // SAFETY: passed on from the caller; addresses stay inside what it guarantees.
        unsafe {
            let last = L::mask(self.target.columns - (vectors - 1) * L::WIDTH);
            let mut tile = Tile::<L> {
                left: self.strips.start,
                row_stride: self.strips.row_stride,
                left_k: self.strips.k_stride,
                right: self.panel.start,
                right_k: self.panel.k_stride,
                depth: self.depth,
                out: self.target.start,
                out_stride: self.target.row_stride,
                last,
                whole: self.target.columns == vectors * L::WIDTH,
                write: self.write,
            };
            let mut rows = self.target.rows;
            let mut strip = self.strips.start;
            while rows > 0 {
                let height = rows.min(self.strips.rows);
                tile.left = strip;
                match (vectors, tile.row_stride == 1) {
                    (1, true) => tile.strip::<1, true>(height),
                    (1, false) => tile.strip::<1, false>(height),
                    (2, true) => tile.strip::<2, true>(height),
                    (2, false) => tile.strip::<2, false>(height),
                    (3, true) => tile.strip::<3, true>(height),
                    (3, false) => tile.strip::<3, false>(height),
                    (_, true) => tile.strip::<4, true>(height),
                    (_, false) => tile.strip::<4, false>(height),
                }
                strip = strip.wrapping_add(self.strips.strip_stride);
                rows -= height;
            }
        }
    }
}

/// Sums of the largest tile.
const MOST_SUMS: usize = 24 * 16;

/// Where a tile is; moves down as its rows are done.
#[derive(Clone, Copy)]
struct Tile<L: Lanes> {
    left: *const f32,
    row_stride: usize,
    left_k: usize,
    right: *const f32,
    right_k: usize,
    depth: usize,
    out: *mut f32,
    out_stride: usize,
    /// Columns of the last register that exist.
    last: L::Mask,
    /// Whether they all do: on AVX2 a masked store is slow.
    whole: bool,
    write: Write,
}

impl<L: Lanes> Tile<L> {
    /// One strip, in tiles as tall as fit.
    ///
    /// # Safety
    /// As [`Tiles::strips`].
    #[inline(always)]
    unsafe fn strip<const VECTORS: usize, const ADJACENT: bool>(&mut self, mut rows: usize) {
        let most = L::TILE_ROWS[VECTORS - 1];
        if most == 0 {
            unreachable!("a panel has at most as many registers as a tile");
        }
        // SAFETY: passed on from the caller.
        unsafe {
            while rows > 0 {
                rows -= if most >= 16 && rows >= 16 {
                    self.accumulate::<16, VECTORS, ADJACENT>()
                } else if most >= 12 && rows >= 12 {
                    self.accumulate::<12, VECTORS, ADJACENT>()
                } else if most >= 8 && rows >= 8 {
                    self.accumulate::<8, VECTORS, ADJACENT>()
                } else if most >= 6 && rows >= 6 {
                    self.accumulate::<6, VECTORS, ADJACENT>()
                } else if rows >= 4 {
                    self.accumulate::<4, VECTORS, ADJACENT>()
                } else if rows >= 2 {
                    self.accumulate::<2, VECTORS, ADJACENT>()
                } else {
                    self.accumulate::<1, VECTORS, ADJACENT>()
                };
            }
        }
    }

    /// One tile; returns its height and moves below it. `ADJACENT`: `row_stride` is 1.
    ///
    /// # Safety
    /// As [`Tiles::strips`].
    #[inline(always)]
    unsafe fn accumulate<const ROWS: usize, const VECTORS: usize, const ADJACENT: bool>(&mut self) -> usize {
        let row_stride = if ADJACENT { 1 } else { self.row_stride };
        // SAFETY: passed on from the caller; addresses stay inside what it guarantees.
        unsafe {
            let mut sums = [[L::splat(0.0); VECTORS]; ROWS];
            let (mut left, mut right) = (self.left, self.right);
            for _ in 0..self.depth {
                let mut columns = [L::splat(0.0); VECTORS];
                for (vector, columns) in columns.iter_mut().enumerate() {
                    *columns = L::load(right.add(vector * L::WIDTH));
                }
                for (row, sums) in sums.iter_mut().enumerate() {
                    let a = L::splat(*left.add(row * row_stride));
                    for (sum, column) in sums.iter_mut().zip(columns) {
                        *sum = a.fma(column, *sum);
                    }
                }
                // Past the end after the last k, where nothing is read.
                left = left.wrapping_add(self.left_k);
                right = right.wrapping_add(self.right_k);
            }
            // Three loops, each so small that the compiler unrolls it: it keeps the sums in memory if it cannot.
            if self.whole && self.write == Write::Store {
                for (row, sums) in sums.iter().enumerate() {
                    for (vector, sum) in sums.iter().enumerate() {
                        sum.store(self.out.add(row * self.out_stride + vector * L::WIDTH));
                    }
                }
            } else if self.whole {
                for (row, sums) in sums.iter().enumerate() {
                    for (vector, sum) in sums.iter().enumerate() {
                        let out = self.out.add(row * self.out_stride + vector * L::WIDTH);
                        L::load(out).add(*sum).store(out);
                    }
                }
            } else {
                let mut kept = MaybeUninit::<[f32; MOST_SUMS]>::uninit();
                let kept = kept.as_mut_ptr().cast::<f32>();
                for (row, sums) in sums.iter().enumerate() {
                    for (vector, sum) in sums.iter().enumerate() {
                        sum.store(kept.add((row * VECTORS + vector) * L::WIDTH));
                    }
                }
                self.write_some(kept, ROWS, VECTORS);
            }
        }
        self.left = self.left.wrapping_add(ROWS * row_stride);
        self.out = self.out.wrapping_add(ROWS * self.out_stride);
        ROWS
    }

    /// Writes the sums of a tile whose last register has columns that do not exist.
    ///
    /// # Safety
    /// As [`Tiles::strips`]; `sums` has `rows` · `vectors` registers.
    #[inline(always)]
    unsafe fn write_some(&self, sums: *const f32, rows: usize, vectors: usize) {
        for row in 0..rows {
            for vector in 0..vectors {
                // SAFETY: passed on from the caller.
                unsafe {
                    let out = self.out.add(row * self.out_stride + vector * L::WIDTH);
                    let sum = L::load(sums.add((row * vectors + vector) * L::WIDTH));
                    let adds = self.write == Write::Add;
                    if vector + 1 < vectors {
                        if adds { L::load(out).add(sum) } else { sum }.store(out);
                    } else {
                        let sum = if adds { L::load_some(out, self.last).add(sum) } else { sum };
                        sum.store_some(out, self.last);
                    }
                }
            }
        }
    }
}
