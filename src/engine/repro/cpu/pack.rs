//! Copies of operands in the order in which the kernel reads them.

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
    pub fn pack(self, width: usize, packed: &mut [f32]) {
        assert!(self.lanes <= width, "{} lanes packed into {width}", self.lanes);
        if self.k_stride == 1 {
            self.transpose(width, packed);
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
        const BATCH: usize = 8;
        for (k, packed) in packed.chunks_exact_mut(width).enumerate() {
            let values = &self.values[k * self.k_stride..][..self.lanes];
            let packed = &mut packed[..self.lanes];
            // Copies of a length known to the compiler are a few instructions, others a call.
            let (values, values_rest) = values.as_chunks::<BATCH>();
            let (packed, packed_rest) = packed.as_chunks_mut::<BATCH>();
            for (packed, values) in packed.iter_mut().zip(values) {
                *packed = *values;
            }
            for (packed, value) in packed_rest.iter_mut().zip(values_rest) {
                *packed = *value;
            }
        }
    }

    /// Lanes that are adjacent along k: square blocks are transposed in registers.
    fn transpose(self, width: usize, packed: &mut [f32]) {
        const SIDE: usize = 4;
        let depth = packed.len() / width;
        let (whole_lanes, whole_depth) = (self.lanes / SIDE * SIDE, depth / SIDE * SIDE);
        for lane in (0..whole_lanes).step_by(SIDE) {
            let [a, b, c, d] = std::array::from_fn(|i| &self.values[(lane + i) * self.lane_stride..][..whole_depth]);
            let rows = a.as_chunks::<SIDE>().0.iter().zip(b.as_chunks::<SIDE>().0);
            let rows = rows.zip(c.as_chunks::<SIDE>().0.iter().zip(d.as_chunks::<SIDE>().0));
            for (((a, b), (c, d)), packed) in rows.zip(packed.chunks_exact_mut(SIDE * width)) {
                for k in 0..SIDE {
                    let packed: &mut [f32; SIDE] =
                        (&mut packed[k * width + lane..][..SIDE]).try_into().expect("a slice of that length");
                    *packed = [a[k], b[k], c[k], d[k]];
                }
            }
        }
        self.gather(width, &mut packed[whole_depth * width..], 0, whole_depth);
        self.gather(width, &mut packed[..whole_depth * width], whole_lanes, 0);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_lie_side_by_side_and_the_rest_is_zero() {
        let values: Vec<f32> = (0..4000u16).map(f32::from).collect();
        for (lane_stride, k_stride) in [(1, 50), (60, 1), (3, 61), (1, 1), (1, 0), (0, 1)] {
            for (lanes, width) in [(1, 8), (7, 8), (8, 8), (48, 48), (33, 48), (6, 6), (2, 2), (13, 16)] {
                for depth in [1, 3, 4, 5, 23, 37] {
                    let mut packed = vec![f32::NAN; width * depth];
                    Part { values: &values, lane_stride, k_stride, lanes }.pack(width, &mut packed);
                    for (index, packed) in packed.into_iter().enumerate() {
                        let (k, lane) = (index / width, index % width);
                        let expected = if lane < lanes { values[lane * lane_stride + k * k_stride] } else { 0.0 };
                        assert_eq!(packed, expected, "lane {lane} of {lanes} in {width}, k {k} of {depth}");
                    }
                }
            }
        }
    }
}
