//! The ops whose bits this module fixes, as a trait: one implementation per kind of device.
//!
//! `Flex` is the CPU, in [`flex`](super::flex); one implementation for all of CubeCL's backends is in `cube`.
//! Every implementation must equal the scalar references in [`ops`](super::ops) bit for bit, NaN payloads apart.

use burn_backend::tensor::{FloatTensor, IntTensor};
use burn_backend::{Backend, IntDType};

/// A function of one f32, applied to each element.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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
    /// 1 / (1 + e⁻ˣ).
    Sigmoid,
    /// x · (1 + erf (x / √2)) / 2.
    Gelu,
    /// Sine.
    Sin,
    /// Cosine.
    Cos,
    /// Tangent.
    Tan,
    /// Hyperbolic sine.
    Sinh,
    /// Hyperbolic cosine.
    Cosh,
    /// Arc sine.
    Asin,
    /// Arc cosine.
    Acos,
    /// Arc tangent.
    Atan,
    /// Inverse hyperbolic sine.
    Asinh,
    /// Inverse hyperbolic cosine.
    Acosh,
    /// Inverse hyperbolic tangent.
    Atanh,
}

/// A function of two f32, applied to each pair of elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BinaryFunction {
    /// Angle of the point (right, left): atan2(left, right).
    Atan2,
    /// left to the power of right.
    Pow,
    /// left modulo right, with the sign of right.
    Remainder,
}

impl Function {
    /// All of them.
    #[cfg(test)]
    pub const ALL: [Self; 19] = [
        Self::Exp,
        Self::Log,
        Self::Log1p,
        Self::Tanh,
        Self::Erf,
        Self::Round,
        Self::Sigmoid,
        Self::Gelu,
        Self::Sin,
        Self::Cos,
        Self::Tan,
        Self::Sinh,
        Self::Cosh,
        Self::Asin,
        Self::Acos,
        Self::Atan,
        Self::Asinh,
        Self::Acosh,
        Self::Atanh,
    ];
}

impl BinaryFunction {
    /// All of them.
    #[cfg(test)]
    pub const ALL: [Self; 3] = [Self::Atan2, Self::Pow, Self::Remainder];
}

/// A reduction of one dimension to a single element by the documented tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fold {
    /// a + b; the identity is −0.
    Sum,
    /// a · b; the identity is 1.
    Product,
}

/// A running reduction along one dimension, in ascending order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Extremum {
    /// The smallest.
    Min,
    /// The largest.
    Max,
}

/// The replaced ops on tensors of this backend. All float tensors are f32; the caller has checked.
pub trait Kernels: Backend {
    /// Matrix product of the last two dimensions, `[.., m, k] × [.., k, n] → [.., m, n]`; leading dimensions broadcast.
    fn matmul(lhs: FloatTensor<Self>, rhs: FloatTensor<Self>) -> FloatTensor<Self>;

    /// `function` of each element.
    fn map(function: Function, tensor: FloatTensor<Self>) -> FloatTensor<Self>;

    /// `function` of each pair of elements; dimensions of size 1 broadcast, the ranks are equal.
    fn zip(function: BinaryFunction, lhs: FloatTensor<Self>, rhs: FloatTensor<Self>) -> FloatTensor<Self>;

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
