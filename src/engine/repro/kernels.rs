//! The ops whose bits this module fixes, as a trait: one implementation per kind of device.
//!
//! Today `Flex` (the CPU, in [`flex`](super::flex)); a blanket implementation for CubeCL's backends goes beside it.
//! Every implementation must equal the scalar references in [`ops`](super::ops) bit for bit, NaN payloads apart.

use burn_backend::tensor::{FloatTensor, IntTensor};
use burn_backend::{Backend, IntDType, TensorMetadata, try_read_sync};

use super::ops::narrow;

/// A function of one f32, applied to each element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Function {
    /// eˣ.
    Exp,
    /// ln x.
    Log,
    /// ln (1 + x).
    Log1p,
    /// Hyperbolic tangent.
    Tanh,
    /// Gauss error function.
    Erf,
    /// Nearest integer, ties to even.
    Round,
}

/// A reduction of one dimension to a single element by the documented tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fold {
    /// a + b; the identity is −0.
    Sum,
    /// a · b; the identity is 1.
    Product,
}

/// A running reduction along one dimension, in ascending order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scan {
    /// Sum of all elements so far.
    Sum,
    /// Product of all elements so far.
    Product,
    /// Smallest element so far; NaN once there was one.
    Min,
    /// Largest element so far; NaN once there was one.
    Max,
}

/// Which end of a dimension's values to look for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extremum {
    /// The smallest.
    Min,
    /// The largest.
    Max,
}

/// A 16-bit format that f32 values are rounded to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    /// IEEE 754 binary16.
    F16,
    /// The upper half of an f32.
    Bf16,
}

impl Width {
    /// Rounds each value to the nearest number of the format.
    #[inline(always)]
    pub fn round(self, values: &mut [f32]) {
        match self {
            Self::F16 => values.iter_mut().for_each(|x| *x = narrow::f16(*x)),
            Self::Bf16 => values.iter_mut().for_each(|x| *x = narrow::bf16(*x)),
        }
    }
}

/// The replaced ops on tensors of this backend. All float tensors are f32; the caller has checked.
pub trait Kernels: Backend {
    /// Matrix product of the last two dimensions, `[.., m, k] × [.., k, n] → [.., m, n]`; leading dimensions broadcast.
    fn matmul(lhs: FloatTensor<Self>, rhs: FloatTensor<Self>) -> FloatTensor<Self>;

    /// `function` of each element.
    fn map(function: Function, tensor: FloatTensor<Self>) -> FloatTensor<Self>;

    /// Each element rounded to the nearest number of a 16-bit format, ties to even; the tensor stays f32.
    ///
    /// A cast to the device's own 16-bit type is no substitute: Vulkan leaves its rounding open. Without a kernel the
    /// values take the way over the host, which is right and slow.
    fn narrow(width: Width, tensor: FloatTensor<Self>) -> FloatTensor<Self> {
        let device = Self::float_device(&tensor);
        let shape = tensor.shape();
        let read = try_read_sync(Self::float_into_data(tensor)).expect("a native device is read at once");
        let mut data = read.expect("the tensor can be read");
        width.round(data.as_mut_slice().expect("the caller has checked that it is f32"));
        debug_assert_eq!(data.shape, shape);
        Self::float_from_data(data, &device)
    }

    /// Reduces `dim` to size 1.
    fn fold_dim(fold: Fold, tensor: FloatTensor<Self>, dim: usize) -> FloatTensor<Self>;

    /// Running reduction along `dim`; the shape stays.
    fn scan_dim(scan: Scan, tensor: FloatTensor<Self>, dim: usize) -> FloatTensor<Self>;

    /// Index along `dim` of the first extremum; `dim` becomes size 1. The first NaN, where there is one, wins.
    fn arg_extremum_dim(
        extremum: Extremum,
        tensor: FloatTensor<Self>,
        dim: usize,
        out_dtype: IntDType,
    ) -> IntTensor<Self>;

    /// Adds each element of `value` to the element of `tensor` whose position along `dim` is the index beside it, in
    /// ascending (row-major) order of `value`.
    fn scatter_add(
        dim: usize,
        tensor: FloatTensor<Self>,
        indices: IntTensor<Self>,
        value: FloatTensor<Self>,
    ) -> FloatTensor<Self>;

    /// Adds slice i of `value` to slice `indices[i]` of `tensor` along `dim`, in ascending order of i.
    fn select_add(
        tensor: FloatTensor<Self>,
        dim: usize,
        indices: IntTensor<Self>,
        value: FloatTensor<Self>,
    ) -> FloatTensor<Self>;
}
