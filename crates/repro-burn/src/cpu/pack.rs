//! Copies of operands in the order in which the kernel reads them.

use super::lanes::Lanes;
use super::level::{Level, per_level};

/// A part of a matrix: a strip of rows of the left one or a panel of columns of the right one, its *lanes*, over one
/// block of k.
#[derive(Debug, Clone, Copy)]
pub struct Part<'a> {
    /// The slice; element (lane, k) is at `lane · lane_stride + k · k_stride`.
    pub values: &'a [f32],
    /// Distance between lanes.
    pub lane_stride: usize,
    /// Distance along k.
    pub k_stride: usize,
    /// How many lanes.
    pub lanes: usize,
}

impl Part<'_> {
    /// Writes for each k its lanes side by side, filled up with zeros to `width`; `packed` has `width` values per k.
    ///
    /// # Panics
    /// When `width` is 0 or less than the lanes, or the part leaves its slice.
    pub fn pack(self, level: Level, width: usize, packed: &mut [f32]) {
        assert!(self.lanes <= width, "{} lanes packed into {width}", self.lanes);
        if self.k_stride == 1 {
            self.transpose(level, width, packed);
        } else if self.lane_stride == 1 {
            self.copy(width, packed);
        } else {
            self.gather(width, packed, 0, 0);
        }
        if self.lanes < width {
            packed.chunks_exact_mut(width).for_each(|packed| packed[self.lanes..].fill(0.0));
        }
    }

    /// Adjacent lanes.
    fn copy(self, width: usize, packed: &mut [f32]) {
        // A copy of a length known to the compiler is a few instructions, another a call.
        match self.lanes {
            48 => self.copy_exactly::<48>(width, packed),
            32 => self.copy_exactly::<32>(width, packed),
            16 => self.copy_exactly::<16>(width, packed),
            8 => self.copy_exactly::<8>(width, packed),
            6 => self.copy_exactly::<6>(width, packed),
            4 => self.copy_exactly::<4>(width, packed),
            lanes => {
                for (k, packed) in packed.chunks_exact_mut(width).enumerate() {
                    packed[..lanes].copy_from_slice(&self.values[k * self.k_stride..][..lanes]);
                }
            }
        }
    }

    fn copy_exactly<const LANES: usize>(self, width: usize, packed: &mut [f32]) {
        for (k, packed) in packed.chunks_exact_mut(width).enumerate() {
            let values: &[f32; LANES] =
                self.values[k * self.k_stride..].first_chunk().expect("a part inside its slice");
            *packed.first_chunk_mut().expect("as wide as the lanes") = *values;
        }
    }

    /// Lanes that are adjacent along k: squares are transposed in registers, the large ones first.
    fn transpose(self, level: Level, width: usize, packed: &mut [f32]) {
        let depth = packed.len() / width;
        let mut lane = 0;
        let part = self;
        per_level!(
            level,
            (part: Part<'_> = part, width: usize = width, packed: &mut [f32] = packed, lane: &mut usize = &mut lane),
            part.squares::<LevelLanes>(width, packed, lane)
        );
        // In squares of four, which every x86-64 transposes in registers; those that are done have none left.
        let (whole_lanes, whole_depth) = (self.lanes / SIDE * SIDE, depth / SIDE * SIDE);
        let (whole, rest) = packed.split_at_mut(whole_depth * width);
        for lane in (lane..whole_lanes).step_by(SIDE) {
            let rows: [&[f32]; SIDE] =
                std::array::from_fn(|row| &self.values[(lane + row) * self.lane_stride..][..whole_depth]);
            let mut out = whole.as_mut_ptr().wrapping_add(lane);
            for k in (0..whole_depth).step_by(SIDE) {
                // SAFETY: each row is `whole_depth` long, a multiple of `SIDE`; `whole` has `width` values for each k, and
                // lane + SIDE is at most the lanes, at most the width. Arrays of f32 need no more alignment than one.
                unsafe {
                    let columns = transposed(rows.map(|row| *row.as_ptr().add(k).cast::<[f32; SIDE]>()));
                    for (column, values) in columns.into_iter().enumerate() {
                        *out.add(column * width).cast::<[f32; SIDE]>() = values;
                    }
                }
                out = out.wrapping_add(SIDE * width);
            }
        }
        self.gather(width, whole, whole_lanes, 0);
        self.gather(width, rest, 0, whole_depth);
    }

    /// The lanes from number `lane` on, as many registers of them as there are, over their whole depth; moves `lane` behind
    /// them.
    #[inline(always)]
    fn squares<L: Lanes>(self, width: usize, packed: &mut [f32], lane: &mut usize) {
        let depth = packed.len() / width;
        // A remainder along k, at most a third of the work, goes the slow way.
        let whole_depth = depth / L::WIDTH * L::WIDTH;
        while *lane + L::WIDTH <= self.lanes {
            let values = &self.values[*lane * self.lane_stride..];
            assert!((L::WIDTH - 1) * self.lane_stride + depth <= values.len(), "a part inside its slice");
            for k in (0..whole_depth).step_by(L::WIDTH) {
                // SAFETY: the rows are `depth` long, as compared above; `packed` has `width` values for each k, and lane +
                // WIDTH is at most the lanes, at most the width. The code is compiled for these lanes.
                unsafe {
                    let out = packed.as_mut_ptr().add(k * width + *lane);
                    L::transpose(values.as_ptr().add(k), self.lane_stride, out, width);
                }
            }
            for k in whole_depth..depth {
                for row in 0..L::WIDTH {
                    packed[k * width + *lane + row] = values[row * self.lane_stride + k];
                }
            }
            *lane += L::WIDTH;
        }
    }

    /// Lanes from `lane` on, for k from `start` on, one by one.
    fn gather(self, width: usize, packed: &mut [f32], lane: usize, start: usize) {
        for (k, packed) in packed.chunks_exact_mut(width).enumerate() {
            for (lane, packed) in packed[..self.lanes].iter_mut().enumerate().skip(lane) {
                *packed = self.values[lane * self.lane_stride + (start + k) * self.k_stride];
            }
        }
    }
}

/// Rows and columns of the blocks that are transposed.
const SIDE: usize = 4;

/// The columns of the block as rows.
#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
fn transposed(rows: [[f32; SIDE]; SIDE]) -> [[f32; SIDE]; SIDE] {
    std::array::from_fn(|column| rows.map(|row| row[column]))
}

/// The columns of the block as rows. The compiler does not find the eight shuffles of the general version: three times
/// slower.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn transposed(rows: [[f32; SIDE]; SIDE]) -> [[f32; SIDE]; SIDE] {
    use std::arch::x86_64::{__m128, _mm_movehl_ps, _mm_movelh_ps, _mm_unpackhi_ps, _mm_unpacklo_ps};
    // SAFETY: every x86-64 has SSE; both types are four f32.
    unsafe {
        let [a, b, c, d] = std::mem::transmute::<[[f32; SIDE]; SIDE], [__m128; SIDE]>(rows);
        let (ab_low, cd_low) = (_mm_unpacklo_ps(a, b), _mm_unpacklo_ps(c, d));
        let (ab_high, cd_high) = (_mm_unpackhi_ps(a, b), _mm_unpackhi_ps(c, d));
        std::mem::transmute::<[__m128; SIDE], [[f32; SIDE]; SIDE]>([
            _mm_movelh_ps(ab_low, cd_low),
            _mm_movehl_ps(cd_low, ab_low),
            _mm_movelh_ps(ab_high, cd_high),
            _mm_movehl_ps(cd_high, ab_high),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_lie_side_by_side_and_the_rest_is_zero() {
        let values: Vec<f32> = (0..4000u16).map(f32::from).collect();
        for (lane_stride, k_stride) in [(1, 50), (60, 1), (3, 61), (1, 1), (1, 0), (0, 1)] {
            for (lanes, width) in [(1, 8), (7, 8), (8, 8), (48, 48), (33, 48), (6, 6), (2, 2), (13, 16)] {
                for depth in [1, 3, 4, 5, 23, 37] {
                    for level in Level::available() {
                        let mut packed = vec![f32::NAN; width * depth];
                        Part { values: &values, lane_stride, k_stride, lanes }.pack(level, width, &mut packed);
                        for (index, packed) in packed.into_iter().enumerate() {
                            let (k, lane) = (index / width, index % width);
                            let expected = if lane < lanes { values[lane * lane_stride + k * k_stride] } else { 0.0 };
                            assert_eq!(
                                packed, expected,
                                "lane {lane} of {lanes} in {width}, k {k} of {depth}, {level:?}"
                            );
                        }
                    }
                }
            }
        }
    }
}
