//! The inner kernel of the matrix product: a tile of output elements in registers, each its own chain over k.

use super::lanes::{Lanes, Plain};
use super::level::Level;

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{__m256, __m512};

/// Columns of the right matrix are packed in panels of this many values per k, except the last one.
pub fn panel_width(level: Level) -> usize {
    match level {
        Level::Portable => width::<Plain>(),
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => width::<__m256>(),
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => width::<__m512>(),
    }
}

/// Panel widths are multiples of this.
pub fn lane_count(level: Level) -> usize {
    match level {
        Level::Portable => Plain::WIDTH,
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => <__m256 as Lanes>::WIDTH,
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => <__m512 as Lanes>::WIDTH,
    }
}

fn width<L: Lanes>() -> usize {
    L::WIDTH * L::TILE_VECTORS
}

/// The rows of one task: which part of the output to compute, from what.
pub struct Task<'a> {
    /// Left matrix, `[rows, depth]` of this block of k, row-major.
    pub left: &'a [f32],
    /// Right matrix in panels: for each panel, for each k, its columns, zero-padded to a multiple of the lanes.
    pub right: &'a [f32],
    /// Length of this block of k; not 0.
    pub depth: usize,
    /// Columns of the output; not 0.
    pub columns: usize,
    /// Output rows, row-major.
    pub out: &'a mut [f32],
    /// Whether this is the first block of k: stored, not added.
    pub first: bool,
}

impl Task<'_> {
    /// Computes the block's partial sums and stores or adds them.
    ///
    /// # Panics
    /// When a slice is shorter than its shape says.
    pub fn run(self, level: Level) {
        match level {
            // SAFETY: plain Rust needs no instructions beyond the build target's.
            Level::Portable => unsafe { self.run_with::<Plain>() },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: this level exists only where the processor has AVX2 and FMA.
            Level::Avx2 => unsafe { self.run_avx2() },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: this level exists only where the processor has AVX-512F.
            Level::Avx512 => unsafe { self.run_avx512() },
        }
    }

    /// # Safety
    /// The processor has AVX2 and FMA.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    unsafe fn run_avx2(self) {
        // SAFETY: this function is compiled for these instructions, and its caller guarantees them.
        unsafe { self.run_with::<__m256>() }
    }

    /// # Safety
    /// The processor has AVX-512F.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f")]
    unsafe fn run_avx512(self) {
        // SAFETY: this function is compiled for these instructions, and its caller guarantees them.
        unsafe { self.run_with::<__m512>() }
    }

    /// # Safety
    /// The instructions of `L` are available, and the caller is compiled for them.
    #[inline(always)]
    unsafe fn run_with<L: Lanes>(self) {
        let rows = self.out.len() / self.columns;
        let mut panel = self.right;
        for column in (0..self.columns).step_by(width::<L>()) {
            let valid = (self.columns - column).min(width::<L>());
            let vectors = valid.div_ceil(L::WIDTH);
            let (this, rest) = panel.split_at(vectors * L::WIDTH * self.depth);
            panel = rest;
            let mut row = 0;
            while row < rows {
                let mut strip = Strip {
                    left: &self.left[row * self.depth..],
                    depth: self.depth,
                    panel: this,
                    out: &mut self.out[row * self.columns + column..],
                    stride: self.columns,
                    valid,
                    first: self.first,
                };
                // SAFETY: passed on from the caller.
                row += unsafe { strip.tile::<L>(rows - row, vectors) };
            }
        }
    }
}

/// Some rows of one panel.
struct Strip<'a> {
    left: &'a [f32],
    depth: usize,
    panel: &'a [f32],
    out: &'a mut [f32],
    stride: usize,
    valid: usize,
    first: bool,
}

impl Strip<'_> {
    /// Computes the tallest tile that fits into `rows`; returns its height.
    ///
    /// # Safety
    /// The instructions of `L` are available, and the caller is compiled for them.
    #[inline(always)]
    unsafe fn tile<L: Lanes>(&mut self, rows: usize, vectors: usize) -> usize {
        // SAFETY: passed on from the caller, for each height.
        unsafe {
            if L::TILE_ROWS == 8 && rows >= 8 {
                self.columns::<L, 8>(vectors)
            } else if L::TILE_ROWS == 6 && rows >= 6 {
                self.columns::<L, 6>(vectors)
            } else if rows >= 4 {
                self.columns::<L, 4>(vectors)
            } else if rows >= 2 {
                self.columns::<L, 2>(vectors)
            } else {
                self.columns::<L, 1>(vectors)
            }
        }
    }

    /// # Safety
    /// As [`tile`](Self::tile).
    #[inline(always)]
    unsafe fn columns<L: Lanes, const ROWS: usize>(&mut self, vectors: usize) -> usize {
        // SAFETY: passed on from the caller, for each width.
        unsafe {
            match vectors {
                1 => self.accumulate::<L, ROWS, 1>(),
                2 => self.accumulate::<L, ROWS, 2>(),
                _ => self.accumulate::<L, ROWS, 3>(),
            }
        }
        ROWS
    }

    /// # Safety
    /// As [`tile`](Self::tile).
    #[inline(always)]
    unsafe fn accumulate<L: Lanes, const ROWS: usize, const VECTORS: usize>(&mut self) {
        if VECTORS > L::TILE_VECTORS {
            unreachable!("a panel has at most as many registers as the tile");
        }
        let left: [&[f32]; ROWS] = std::array::from_fn(|row| &self.left[row * self.depth..][..self.depth]);
        // SAFETY: passed on from the caller.
        let mut sums = [[unsafe { L::splat(0.0) }; VECTORS]; ROWS];
        for (k, right) in self.panel.chunks_exact(VECTORS * L::WIDTH).enumerate() {
            // SAFETY: passed on from the caller; the chunk has VECTORS · WIDTH values.
            let right: [L; VECTORS] = std::array::from_fn(|vector| unsafe { L::load(&right[vector * L::WIDTH..]) });
            for row in 0..ROWS {
                // SAFETY: passed on from the caller.
                let a = unsafe { L::splat(left[row][k]) };
                for vector in 0..VECTORS {
                    // SAFETY: passed on from the caller.
                    sums[row][vector] = unsafe { a.fma(right[vector], sums[row][vector]) };
                }
            }
        }
        // The widest register file row is 3 · 16 values.
        let mut row_values = [0.0; 48];
        for (row, sums) in sums.iter().enumerate() {
            for (vector, sum) in sums.iter().enumerate() {
                // SAFETY: passed on from the caller; 48 ≥ VECTORS · WIDTH.
                unsafe { sum.store(&mut row_values[vector * L::WIDTH..]) };
            }
            let out = &mut self.out[row * self.stride..][..self.valid];
            if self.first {
                out.copy_from_slice(&row_values[..self.valid]);
            } else {
                for (total, partial) in out.iter_mut().zip(&row_values) {
                    *total += partial;
                }
            }
        }
    }
}
