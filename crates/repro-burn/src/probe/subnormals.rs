//! What a device does with numbers below the smallest normal one.

use std::fmt;

use burn_backend::ops::FloatTensorOps;
use burn_backend::tensor::Device;
use burn_backend::{TensorData, try_read_sync};

use crate::Repro;
use crate::kernels::Kernels;

/// What a device does with subnormal numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subnormals {
    /// They take part in sums and products, and come out of them.
    Kept,
    /// Some of them become zero.
    Flushed,
}

impl fmt::Display for Subnormals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kept => "kept",
            Self::Flushed => "flushed",
        })
    }
}

/// What `device` does with subnormal numbers in a product and in a sum, as results and as operands.
///
/// # Panics
/// When the device cannot be read.
pub fn subnormals<B: Kernels>(device: &Device<B>) -> Subnormals {
    let tensor = |values: [f32; 2]| Repro::<B>::float_from_data(TensorData::from(values), device);
    let read = |tensor| try_read_sync(Repro::<B>::float_into_data(tensor)).expect("a device is read at once");
    let product = read(Repro::<B>::float_mul(tensor([1e-30, 1e-40]), tensor([1e-10, 1.0])));
    let sum = read(Repro::<B>::float_add(tensor([1.5e-38, 1e-40]), tensor([-1.4e-38, 1e-40])));
    let expected = [[1e-30f32 * 1e-10, 1e-40], [1.5e-38 - 1.4e-38, 1e-40 + 1e-40]];
    let kept = [product, sum].into_iter().zip(expected).all(|(got, expected)| {
        let got = got.expect("the device can be read");
        got.as_slice::<f32>().is_ok_and(|got| got == expected)
    });
    if kept { Subnormals::Kept } else { Subnormals::Flushed }
}
