//! An operand of a matrix product, read where it is or packed in the order in which the kernel reads it.

use super::gemm::{Size, View};
use super::level::Level;
use super::pack::Part;
use super::tile::TileShape;

/// A left matrix of adjacent columns is packed if it is used for more than this many panels: strips are read as fast in
/// place, unless their rows happen to be a multiple of the L1 cache's ways apart.
const LEFT_REUSE: usize = 32;
/// One of adjacent rows for more than this many …
const TRANSPOSED_REUSE: usize = 3;
/// … if a strip is longer than this.
const TRANSPOSED_SMALL: usize = 128;
/// A right matrix is packed if it is used for more than this many strips …
const RIGHT_REUSE: usize = 4;
/// … and a panel of it with more than this many rows does not fit the L1 cache.
const RIGHT_SMALL: usize = 128;

/// The left matrix as strips of rows, or the right one as panels of columns: its *lanes* are rows or columns, its *groups*
/// strips or panels.
#[derive(Debug, Clone, Copy)]
pub struct Operand<'a> {
    /// From element (0, 0) to the last one.
    values: &'a [f32],
    lane_stride: usize,
    k_stride: usize,
    lanes: usize,
    /// Lanes of a group.
    width: usize,
    /// The packed lanes of the last group are filled up to a multiple of this.
    padding: usize,
    /// The first packed lane: a multiple of `width`, or `lanes`.
    packed_from: usize,
}

/// Where a group lies, for one block of k.
#[derive(Debug, Clone, Copy)]
pub struct Group {
    /// Its first lane at the first k.
    pub start: *const f32,
    /// Distance to the next group; meaningful among packed groups and among those that are not.
    pub group_stride: usize,
    /// Distance between its lanes.
    pub lane_stride: usize,
    /// Distance along k.
    pub k_stride: usize,
}

/// A group that is to be packed.
#[derive(Debug)]
pub struct Packing<'a> {
    part: Part<'a>,
    width: usize,
    packed: &'a mut [f32],
}

impl Packing<'_> {
    /// Packs it.
    pub fn run(&mut self, level: Level) {
        self.part.pack(level, self.width, self.packed);
    }
}

impl<'a> Operand<'a> {
    /// The left matrix of a product that is not empty.
    ///
    /// # Panics
    /// When the view leaves its slice.
    pub fn left(shape: TileShape, size: Size, view: View<'a>) -> Self {
        let panels = size.n.div_ceil(shape.columns);
        let in_place = view.column_stride == 1 && panels <= LEFT_REUSE
            || view.row_stride == 1 && (panels <= TRANSPOSED_REUSE || size.k <= TRANSPOSED_SMALL);
        Self {
            values: view.part(size.m, size.k),
            lane_stride: view.row_stride,
            k_stride: view.column_stride,
            lanes: size.m,
            width: shape.rows,
            padding: shape.rows,
            packed_from: if in_place { size.m } else { 0 },
        }
    }

    /// The right matrix of a product that is not empty.
    ///
    /// # Panics
    /// When the view leaves its slice.
    pub fn right(shape: TileShape, size: Size, view: View<'a>) -> Self {
        let small = size.m.div_ceil(shape.rows) <= RIGHT_REUSE || size.k <= RIGHT_SMALL;
        let packed_from = if view.column_stride != 1 || !small {
            0
        } else if size.n.is_multiple_of(shape.lanes) {
            size.n
        } else {
            // Whole registers are loaded, and would leave the matrix in the last panel.
            size.n / shape.columns * shape.columns
        };
        Self {
            values: view.part(size.k, size.n),
            lane_stride: view.column_stride,
            k_stride: view.row_stride,
            lanes: size.n,
            width: shape.columns,
            padding: shape.lanes,
            packed_from,
        }
    }

    /// How many groups.
    pub fn groups(&self) -> usize {
        self.lanes.div_ceil(self.width)
    }

    /// Length of the packed copy per k.
    pub fn packed_lanes(&self) -> usize {
        (self.lanes - self.packed_from).next_multiple_of(self.padding)
    }

    /// What there is to pack for `blocks` (start and length of each); `packed` has [`packed_lanes`](Self::packed_lanes)
    /// values for each k of them.
    pub fn packings(
        &self,
        blocks: impl Iterator<Item = (usize, usize)>,
        mut packed: &'a mut [f32],
    ) -> impl Iterator<Item = Packing<'a>> {
        let operand = *self;
        let first = operand.packed_from;
        blocks
            .flat_map(move |(start, depth)| {
                (first..operand.lanes).step_by(operand.width).map(move |lane| (start, depth, lane))
            })
            .map(move |(start, depth, lane)| {
                let lanes = operand.width.min(operand.lanes - lane);
                let width = lanes.next_multiple_of(operand.padding);
                let (own, rest) = std::mem::take(&mut packed).split_at_mut(width * depth);
                packed = rest;
                let values = &operand.values[lane * operand.lane_stride + start * operand.k_stride..];
                let part = Part { values, lane_stride: operand.lane_stride, k_stride: operand.k_stride, lanes };
                Packing { part, width, packed: own }
            })
    }

    /// Where group `index` lies for the block of k that starts at `start` and is `depth` long: where it is, or packed into
    /// `scratch`, which has as many values for each k as the widest group.
    ///
    /// # Panics
    /// When it would be outside the operand or the scratch.
    pub fn packed_group(
        &self,
        level: Level,
        scratch: &mut [f32],
        (start, depth): (usize, usize),
        index: usize,
    ) -> Group {
        let lane = index * self.width;
        if lane < self.packed_from {
            return self.group(&[], (0, start, depth), index);
        }
        let lanes = self.width.min(self.lanes - lane);
        let width = lanes.next_multiple_of(self.padding);
        let values = &self.values[lane * self.lane_stride + start * self.k_stride..];
        let part = Part { values, lane_stride: self.lane_stride, k_stride: self.k_stride, lanes };
        let packed = &mut scratch[..width * depth];
        part.pack(level, width, packed);
        Group { start: packed.as_ptr(), group_stride: 0, lane_stride: 1, k_stride: width }
    }

    /// Where group `index` lies for the block of k that starts at `start`, `offset` after the first packed one, and is
    /// `depth` long.
    ///
    /// # Panics
    /// When it would be outside the operand or its packed copy.
    pub fn group(&self, packed: &[f32], (offset, start, depth): (usize, usize, usize), index: usize) -> Group {
        let lane = index * self.width;
        let lanes = self.width.min(self.lanes - lane);
        if lane < self.packed_from {
            let first = lane * self.lane_stride + start * self.k_stride;
            let last = first + (lanes - 1) * self.lane_stride + (depth - 1) * self.k_stride;
            Group {
                start: self.values[first..=last].as_ptr(),
                group_stride: self.width * self.lane_stride,
                lane_stride: self.lane_stride,
                k_stride: self.k_stride,
            }
        } else {
            let width = lanes.next_multiple_of(self.padding);
            let first = offset * self.packed_lanes() + (lane - self.packed_from) * depth;
            Group {
                start: packed[first..][..width * depth].as_ptr(),
                group_stride: self.width * depth,
                lane_stride: 1,
                k_stride: width,
            }
        }
    }
}
