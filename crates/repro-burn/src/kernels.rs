//! The ops whose bits this module fixes, as a trait: one implementation per kind of device.
//!
//! There are two: of the CPU, `Flex`, in [`flex`](super::flex) with `cpu/`; of Vulkan and CUDA, every backend of
//! CubeCL, in `cube/`. Each must equal the scalar references in [`ops`](super::ops) bit for bit, NaN payloads apart;
//! the probe asks a device whether it does. Not here: what is made of these ops (convolutions, averages, interpolation,
//! powers), and refusals.

use burn_backend::tensor::{BoolTensor, Device, FloatTensor, IndexingUpdateOp, IntTensor};
use burn_backend::{Backend, IntDType, Scalar, Shape, TensorMetadata, get_device_settings};

use super::columns;
use super::norm::{self, Gradients, Normalised};
use super::taps::Taps;
use super::window::{Axis, Window};

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
    /// Nearest number of IEEE 754 binary16, ties to even.
    ToF16,
    /// Nearest number of bfloat16, ties to even.
    ToBf16,
    /// 1 / x.
    Recip,
    /// Square root.
    Sqrt,
    /// max(x, 0).
    Relu,
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
    /// left / right.
    Divide,
    /// Gradient of a ReLU by its input: left is its output, right the output's gradient.
    ReluBackward,
    /// Gradient of a sigmoid by its input: left is its output, right the output's gradient.
    SigmoidBackward,
    /// Gradient of a GELU by its input: left is that input, right the output's gradient.
    GeluBackward,
}

/// An operation on each pair of elements that has one rounding on every device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// left + right.
    Add,
    /// left − right.
    Subtract,
    /// left · right.
    Multiply,
    /// left / right.
    Divide,
}

impl Function {
    /// All of them.
    #[cfg(test)]
    pub const ALL: [Self; 24] = [
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
        Self::ToF16,
        Self::ToBf16,
        Self::Recip,
        Self::Sqrt,
        Self::Relu,
    ];
}

impl BinaryFunction {
    /// All of them.
    #[cfg(test)]
    pub const ALL: [Self; 7] = [
        Self::Atan2,
        Self::Pow,
        Self::Remainder,
        Self::Divide,
        Self::ReluBackward,
        Self::SigmoidBackward,
        Self::GeluBackward,
    ];
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

/// What a device computes by itself, and what has to be made of other operations to be rounded correctly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// Whether its `fma` has one rounding.
    pub fused_fma: bool,
    /// Whether its compiler makes one rounding of a product and a sum that are written as two operations.
    pub contracts: bool,
    /// What fused multiply-add is made of here.
    pub fma: &'static str,
    /// Whether its division is relied on to be rounded correctly.
    pub exact_division: bool,
    /// Whether its square root is relied on to be rounded correctly.
    pub exact_root: bool,
}

/// The replaced ops on tensors of this backend. All float tensors are f32; the caller has checked.
pub trait Kernels: Backend {
    /// What the device does by itself.
    fn capabilities(device: &Device<Self>) -> Capabilities;

    /// Matrix product of the last two dimensions, `[.., m, k] × [.., k, n] → [.., m, n]`; leading dimensions broadcast.
    fn matmul(lhs: FloatTensor<Self>, rhs: FloatTensor<Self>) -> FloatTensor<Self>;

    /// `function` of each element.
    fn map(function: Function, tensor: FloatTensor<Self>) -> FloatTensor<Self>;

    /// `function` of each pair of elements; dimensions of size 1 broadcast, the ranks are equal.
    fn zip(function: BinaryFunction, lhs: FloatTensor<Self>, rhs: FloatTensor<Self>) -> FloatTensor<Self>;

    /// `operation` of each pair of elements; dimensions of size 1 broadcast, the ranks are equal.
    ///
    /// The backend's own is exact already; another one is for speed.
    fn combine(operation: Operation, lhs: FloatTensor<Self>, rhs: FloatTensor<Self>) -> FloatTensor<Self> {
        match operation {
            Operation::Add => Self::float_add(lhs, rhs),
            Operation::Subtract => Self::float_sub(lhs, rhs),
            Operation::Multiply => Self::float_mul(lhs, rhs),
            Operation::Divide => Self::float_div(lhs, rhs),
        }
    }

    /// `operation` of each element and a number.
    ///
    /// The backend's own is exact already; another one is for speed. The same holds for what follows up to
    /// [`dense`](Self::dense).
    fn combine_scalar(operation: Operation, tensor: FloatTensor<Self>, scalar: Scalar) -> FloatTensor<Self> {
        match operation {
            Operation::Add => Self::float_add_scalar(tensor, scalar),
            Operation::Subtract => Self::float_sub_scalar(tensor, scalar),
            Operation::Multiply => Self::float_mul_scalar(tensor, scalar),
            Operation::Divide => Self::float_div_scalar(tensor, scalar),
        }
    }

    /// Each element with the other sign.
    fn negate(tensor: FloatTensor<Self>) -> FloatTensor<Self> {
        Self::float_neg(tensor)
    }

    /// `value` where the mask holds; the mask broadcasts to the tensor.
    fn mask_fill(tensor: FloatTensor<Self>, mask: BoolTensor<Self>, value: Scalar) -> FloatTensor<Self> {
        Self::float_mask_fill(tensor, mask, value)
    }

    /// The tensor with its elements one after the other in memory, where that makes a reshape faster.
    fn dense(tensor: FloatTensor<Self>) -> FloatTensor<Self> {
        tensor
    }

    /// Each element cut off to an integer, towards zero; beyond the type's range its nearest end, NaN gives 0.
    fn to_int(tensor: FloatTensor<Self>, out_dtype: IntDType) -> IntTensor<Self>;

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

    /// The element at the index of [`arg_extremum_dim`](Self::arg_extremum_dim); `dim` becomes size 1.
    fn extremum_dim(extremum: Extremum, tensor: FloatTensor<Self>, dim: usize) -> FloatTensor<Self> {
        let dtype = get_device_settings::<Self>(&Self::float_device(&tensor)).int_dtype;
        let indices = Self::arg_extremum_dim(extremum, tensor.clone(), dim, dtype);
        Self::float_gather(dim, tensor, indices)
    }

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

    /// Updates row `rows[i]` of `data`, `[rows, columns]`, by row i of `values`, `[updates, columns]`, in ascending order
    /// of i. The rows are inside the data; there is at least one update and one column.
    fn update_rows(
        update: IndexingUpdateOp,
        data: FloatTensor<Self>,
        rows: &[usize],
        values: FloatTensor<Self>,
    ) -> FloatTensor<Self>;

    /// The elements of `[batch, channels, depth, height, width]` that `window` has under each of its kernel positions,
    /// `[channels · kernel positions, batch, window positions]`, positions in row-major order; +0 in the padding.
    ///
    /// The batch comes second because a gradient of weights is a matrix product over batch and window positions.
    fn columns(images: FloatTensor<Self>, window: Window) -> FloatTensor<Self>;

    /// The adjoint of [`columns`](Self::columns), from `[batch, channels · kernel positions, window positions]` to
    /// `[batch, channels, depth, height, width]`.
    ///
    /// An element is the sum of what the windows have of it, from the left and starting from the first itself, in
    /// ascending order of the kernel position; +0 if no window has it.
    fn sum_columns(columns: FloatTensor<Self>, window: Window) -> FloatTensor<Self>;

    /// The weights of a convolution, `[groups, out, in · kernel positions]`, times the columns of `images`, `[batch, groups ·
    /// in, depth, height, width]`: `[batch, groups · out, window positions]`. Nothing of it is empty.
    fn convolve(images: FloatTensor<Self>, weight: FloatTensor<Self>, window: Window) -> FloatTensor<Self> {
        columns::convolve::<Self>(images, weight, window, Self::matmul)
    }

    /// The sums of the columns that are the transposed weights, `[groups, in, out · kernel positions]`, times `positions`,
    /// `[batch, groups · in, window positions]`: `[batch, groups · out, depth, height, width]`. Nothing of it is empty.
    fn convolve_transposed(
        positions: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        window: Window,
    ) -> FloatTensor<Self> {
        columns::convolve_transposed::<Self>(positions, weight, window, Self::matmul)
    }

    /// The columns of `images`, `[batch, groups · in, depth, height, width]`, times `positions`, `[batch, groups · out, window
    /// positions]`, over samples and window positions: `[groups, in · kernel positions, out]`. Nothing of it is empty.
    fn convolve_weight(
        images: FloatTensor<Self>,
        positions: FloatTensor<Self>,
        window: Window,
        groups: usize,
    ) -> FloatTensor<Self> {
        columns::convolve_weight::<Self>(images, positions, window, groups, Self::matmul)
    }

    /// Adds `bias`, `[channels]`, to the elements of each channel of `[batch, channels, ..]`.
    fn add_bias(tensor: FloatTensor<Self>, bias: FloatTensor<Self>) -> FloatTensor<Self> {
        let mut shape = vec![1; tensor.shape().num_dims()];
        shape[1] = tensor.shape()[1];
        Self::combine(Operation::Add, tensor, Self::float_reshape(bias, Shape::from(shape)))
    }

    /// The sum of each channel of `[batch, channels, positions]`, sample by sample: `[channels]`.
    fn channel_sums(x: FloatTensor<Self>) -> FloatTensor<Self> {
        norm::channel_sums::<Self>(x)
    }

    /// The sum of (x − mean)² of each channel of `[batch, channels, positions]`: `[channels]`.
    fn channel_squares(x: FloatTensor<Self>, mean: FloatTensor<Self>) -> FloatTensor<Self> {
        norm::channel_squares::<Self>(x, mean)
    }

    /// x̂·γ + β for x̂ = (x − mean) / std, of `[batch, channels, positions]`; mean, std, γ and β are `[channels]`.
    fn normalise(
        x: FloatTensor<Self>,
        by: [FloatTensor<Self>; 2],
        affine: [FloatTensor<Self>; 2],
    ) -> FloatTensor<Self> {
        norm::normalise::<Self>(x, by, affine)
    }

    /// The sums of dy and of dy·x̂ of each channel of `[batch, channels, positions]`: `[channels]`.
    fn gradient_sums(
        x: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        by: [FloatTensor<Self>; 2],
    ) -> [FloatTensor<Self>; 2] {
        norm::gradient_sums::<Self>(x, gradient, by)
    }

    /// (dy − (shift + x̂·tilt))·scale of `[batch, channels, positions]`; scale, shift and tilt, the slope, are `[channels]`.
    fn input_gradient(
        x: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        by: [FloatTensor<Self>; 2],
        slope: [FloatTensor<Self>; 3],
    ) -> FloatTensor<Self> {
        norm::input_gradient::<Self>(x, gradient, by, slope)
    }

    /// Batch norm of `[batch, channels, positions]` by γ and β, `[channels]`, with the statistics of this batch, as
    /// `src/ops/norm.rs` says. Nothing of it is empty.
    fn batch_norm(x: FloatTensor<Self>, affine: [FloatTensor<Self>; 2], epsilon: f32) -> Normalised<FloatTensor<Self>> {
        norm::batch_norm::<Self>(x, affine, epsilon)
    }

    /// The gradients of [`batch_norm`](Self::batch_norm), of those of its outputs and of the mean and std that it found.
    fn batch_norm_backward(
        x: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        by: [FloatTensor<Self>; 2],
        gamma: FloatTensor<Self>,
    ) -> Gradients<FloatTensor<Self>> {
        norm::batch_norm_backward::<Self>(x, gradient, by, gamma)
    }

    /// The planes `[batch, channels, height, width]` made from others by two tables, one per axis.
    ///
    /// A weighted sum is w₀·x₀, then fma(w₁, x₁, sum), and so on in the order of the table; +0 if there are no taps. An
    /// element is the weighted sum, over the taps of its row, of the weighted sums over the taps of its column.
    fn resample(planes: FloatTensor<Self>, rows: &Taps, columns: &Taps) -> FloatTensor<Self>;

    /// Largest element under each window that slides over the rows and columns of `[batch, channels, height, width]`,
    /// and its row-major position in its plane. The first NaN, else the first of the largest; −∞ at −1 if there is
    /// none.
    fn max_pool(
        planes: FloatTensor<Self>,
        axes: [Axis; 2],
        out_dtype: IntDType,
    ) -> (FloatTensor<Self>, IntTensor<Self>);

    /// Gradient of [`max_pool`](Self::max_pool): each element of the planes is the sum, from +0, of the gradients of
    /// the windows whose position it is, in ascending (row-major) order of the window.
    ///
    /// Only windows that have the element can have its position, which bounds the search to `axes`.
    fn max_pool_backward(
        gradients: FloatTensor<Self>,
        positions: IntTensor<Self>,
        axes: [Axis; 2],
    ) -> FloatTensor<Self>;
}
