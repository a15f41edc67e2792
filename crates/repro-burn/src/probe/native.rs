//! Whether the device's own matrix products, those of native numerics, stay inside their operands.
//!
//! cubek-matmul 0.2, which Burn 0.21 uses, has double-buffered and specialised products that round the number of stages
//! of the inner dimension up to an even one without looking where it ends, and add what lies behind the operands (burn
//! issues 5237 and 5626, cubek 434). Without autotuning, as here, Burn takes neither of them but a single-buffered one
//! (`Strategy::Auto`), which a newer Burn or another feature could change; so native runs on a GPU ask first.

use burn_backend::ops::FloatTensorOps;
use burn_backend::tensor::Device;
use burn_backend::{FloatDType, Shape, TensorData, try_read_sync};

use crate::arithmetic::{Numerics, Precision};
use crate::kernels::Kernels;
use crate::{Arithmetic, Repro, with_arithmetic};

/// Inner dimensions with an odd number of stages, of 8 elements (104 and 440, as in the reports) and of 32 (those that
/// leave 32 when divided by 64), and rows and columns of the reported convolutions.
const SIZES: [[usize; 3]; 6] =
    [[64, 104, 208], [64, 440, 440], [64, 32, 64], [128, 96, 64], [100, 160, 130], [256, 544, 128]];

/// A native product that is not what it should be.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error(
    "a native product {} × {} × {} has {got} where {expected} is expected: it reads past its operands",
    .size[0], .size[1], .size[2]
)]
pub struct WrongProduct {
    /// Rows, inner dimension and columns.
    pub size: [usize; 3],
    /// What an element should be.
    pub expected: f32,
    /// What it is.
    pub got: f32,
}

/// Whether the device's own products add nothing but what is in their operands, which are small integers: every order of
/// additions, also of operands in 19 bits, gives the same numbers.
///
/// # Errors
/// The first element that differs.
///
/// # Panics
/// When the device cannot be read.
pub fn native_products<B: Kernels>(device: &Device<B>) -> Result<(), WrongProduct> {
    SIZES.into_iter().try_for_each(|size| {
        let [m, k, n] = size;
        let left = |row: usize, at: usize| ((row * 7 + at * 3) % 5) as f32 - 1.0;
        let right = |at: usize, column: usize| ((at * 11 + column * 5) % 7) as f32 - 2.0;
        poison::<B>(size, device);
        let matrix = |rows: usize, columns: usize, element: &dyn Fn(usize, usize) -> f32| {
            let values: Vec<f32> = (0..rows * columns).map(|place| element(place / columns, place % columns)).collect();
            B::float_from_data(TensorData::new(values, [1, rows, columns]), device)
        };
        let (lhs, rhs) = (matrix(m, k, &left), matrix(k, n, &right));
        let native = Arithmetic { numerics: Numerics::Native, precision: Precision::Full };
        let product = with_arithmetic(native, || Repro::<B>::float_matmul(lhs, rhs));
        let read = try_read_sync(Repro::<B>::float_into_data(product)).expect("a native device is read at once");
        let read = read.expect("the device can be read");
        for (place, got) in read.as_slice::<f32>().expect("a product of f32").iter().enumerate() {
            let (row, column) = (place / n, place % n);
            let expected: f32 = (0..k).map(|at| left(row, at) * right(at, column)).sum();
            if *got != expected {
                return Err(WrongProduct { size, expected, got: *got });
            }
        }
        Ok(())
    })
}

/// Fills memory that tensors of these sizes may get with NaN, so that what lies behind them shows in a sum.
fn poison<B: Kernels>([m, k, n]: [usize; 3], device: &Device<B>) {
    let nans = |count: usize| B::float_full(Shape::from([count]), f32::NAN.into(), device, FloatDType::F32);
    let held: Vec<_> = [m * k, k * n, m * n, 2 * m * k, 2 * k * n, 4 * k * (m + n)].map(nans).into();
    drop(held);
    B::sync(device).expect("the device can be waited for");
}

#[cfg(test)]
mod tests {
    use burn_flex::Flex;

    use super::*;
    use crate::fault::with_fault;

    #[test]
    fn a_native_product_that_is_off_is_told_with_its_size() {
        assert_eq!(native_products::<Flex>(&Default::default()), Ok(()));
        let wrong = with_fault("float_matmul", || native_products::<Flex>(&Default::default())).expect_err("it is off");
        assert_eq!(wrong.size, [64, 104, 208]);
        let text = wrong.to_string();
        assert!(
            text.starts_with("a native product 64 × 104 × 208 has ") && text.ends_with("past its operands"),
            "{text}"
        );
    }
}
