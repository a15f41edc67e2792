//! Updates of rows at indices: one after the other, in ascending order of the update.

use burn_backend::tensor::IndexingUpdateOp;

use super::super::kernels::Scan;
use super::scan;

/// A number that an update can be made of.
pub trait Number: Copy {
    /// What an element is after `update` by `value`.
    fn updated(self, update: IndexingUpdateOp, value: Self) -> Self;
}

/// Each sum and product is rounded; min and max are those of a running [`scan`].
impl Number for f32 {
    #[inline(always)]
    fn updated(self, update: IndexingUpdateOp, value: Self) -> Self {
        match update {
            IndexingUpdateOp::Assign => value,
            IndexingUpdateOp::Add => scan::step(Scan::Sum, self, value),
            IndexingUpdateOp::Mul => scan::step(Scan::Product, self, value),
            IndexingUpdateOp::Min => scan::step(Scan::Min, self, value),
            IndexingUpdateOp::Max => scan::step(Scan::Max, self, value),
        }
    }
}

macro_rules! integer {
    ($($int:ty),*) => {
        $(
            /// Sums and products keep the low bits.
            impl Number for $int {
                fn updated(self, update: IndexingUpdateOp, value: Self) -> Self {
                    match update {
                        IndexingUpdateOp::Assign => value,
                        IndexingUpdateOp::Add => self.wrapping_add(value),
                        IndexingUpdateOp::Mul => self.wrapping_mul(value),
                        IndexingUpdateOp::Min => self.min(value),
                        IndexingUpdateOp::Max => self.max(value),
                    }
                }
            }
        )*
    };
}
integer!(i64, i32, i16, i8, u64, u32, u16, u8);

/// Updates row `rows[i]` of `data`, `[.., columns]`, by row i of `values`, for i in ascending order.
///
/// # Panics
/// When a row is outside of its slice.
pub fn update_rows<T: Number>(update: IndexingUpdateOp, data: &mut [T], rows: &[usize], values: &[T], columns: usize) {
    for (i, row) in rows.iter().enumerate() {
        let values = &values[i * columns..][..columns];
        for (element, value) in data[row * columns..][..columns].iter_mut().zip(values) {
            *element = element.updated(update, *value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_updates_of_a_row_see_what_earlier_ones_made() {
        let updated = |update| {
            let mut data = [1.0f32, 2.0, 3.0, 4.0];
            update_rows(update, &mut data, &[1, 0, 1], &[5.0, -6.0, 7.0, 8.0, 0.5, f32::NAN], 2);
            data.map(f32::to_bits)
        };
        let bits = |values: [f32; 4]| values.map(f32::to_bits);
        assert_eq!(updated(IndexingUpdateOp::Assign), bits([7.0, 8.0, 0.5, f32::NAN]));
        assert_eq!(updated(IndexingUpdateOp::Add)[..3], bits([8.0, 10.0, 8.5, 0.0])[..3]);
        assert_eq!(updated(IndexingUpdateOp::Mul)[..3], bits([7.0, 16.0, 7.5, 0.0])[..3]);
        assert_eq!(updated(IndexingUpdateOp::Min), bits([1.0, 2.0, 0.5, f32::NAN]));
        assert_eq!(updated(IndexingUpdateOp::Max), bits([7.0, 8.0, 5.0, f32::NAN]));
    }

    #[test]
    fn integers_keep_their_low_bits_and_their_own_order() {
        let mut data = [u64::MAX, 3];
        update_rows(IndexingUpdateOp::Add, &mut data, &[0, 0], &[1, 5], 1);
        update_rows(IndexingUpdateOp::Max, &mut data, &[1], &[1 << 63], 1);
        assert_eq!(data, [5, 1 << 63]);
        let mut data = [i8::MAX, -3];
        update_rows(IndexingUpdateOp::Mul, &mut data, &[0], &[2], 1);
        update_rows(IndexingUpdateOp::Min, &mut data, &[1], &[2], 1);
        assert_eq!(data, [-2, -3]);
    }
}
