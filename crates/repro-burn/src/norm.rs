//! Batch norm in pieces and as a whole, made of replaced ops: what a device does that has nothing better.
//!
//! The numbers are those of [`ops::norm`](super::ops::norm). Tensors are `[batch, channels, positions]`, what there is one of for
//! each channel is `[channels]`.

use burn_backend::ops::FloatTensorOps;
use burn_backend::tensor::FloatTensor;
use burn_backend::{Shape, TensorMetadata};

use super::backend::Repro;
use super::kernels::Kernels;

/// A batch after its norm, and what it was normalised by.
#[derive(Debug, Clone)]
pub struct Normalised<T> {
    /// The outputs, `[batch, channels, positions]`.
    pub out: T,
    /// Mean of each channel.
    pub mean: T,
    /// Variance of each channel.
    pub variance: T,
    /// √(variance + ε) of each channel.
    pub std: T,
}

/// The gradients of a batch norm.
#[derive(Debug, Clone)]
pub struct Gradients<T> {
    /// Of the inputs, `[batch, channels, positions]`.
    pub input: T,
    /// Of the factor of each channel.
    pub gamma: T,
    /// Of the summand of each channel.
    pub beta: T,
}

/// Elements of each channel.
pub fn count(shape: &Shape) -> usize {
    shape[0] * shape[2]
}

/// [`Kernels::channel_sums`].
pub fn channel_sums<B: Kernels>(x: FloatTensor<B>) -> FloatTensor<B> {
    let shape = x.shape();
    let x = Repro::<B>::float_swap_dims(x, 0, 1);
    let x = Repro::<B>::float_reshape(x, Shape::from([shape[1], count(&shape)]));
    Repro::<B>::float_reshape(Repro::<B>::float_sum_dim(x, 1), Shape::from([shape[1]]))
}

/// [`Kernels::channel_squares`].
pub fn channel_squares<B: Kernels>(x: FloatTensor<B>, mean: FloatTensor<B>) -> FloatTensor<B> {
    let centred = Repro::<B>::float_sub(x, by_channel::<B>(mean));
    channel_sums::<B>(Repro::<B>::float_mul(centred.clone(), centred))
}

/// [`Kernels::normalise`].
pub fn normalise<B: Kernels>(
    x: FloatTensor<B>,
    by: [FloatTensor<B>; 2],
    affine: [FloatTensor<B>; 2],
) -> FloatTensor<B> {
    let [gamma, beta] = affine.map(by_channel::<B>);
    Repro::<B>::float_add(Repro::<B>::float_mul(normalised::<B>(x, by), gamma), beta)
}

/// [`Kernels::gradient_sums`].
pub fn gradient_sums<B: Kernels>(
    x: FloatTensor<B>,
    gradient: FloatTensor<B>,
    by: [FloatTensor<B>; 2],
) -> [FloatTensor<B>; 2] {
    let products = Repro::<B>::float_mul(gradient.clone(), normalised::<B>(x, by));
    [channel_sums::<B>(gradient), channel_sums::<B>(products)]
}

/// [`Kernels::input_gradient`].
pub fn input_gradient<B: Kernels>(
    x: FloatTensor<B>,
    gradient: FloatTensor<B>,
    by: [FloatTensor<B>; 2],
    slope: [FloatTensor<B>; 3],
) -> FloatTensor<B> {
    let [scale, shift, tilt] = slope.map(by_channel::<B>);
    let part = Repro::<B>::float_add(Repro::<B>::float_mul(normalised::<B>(x, by), tilt), shift);
    Repro::<B>::float_mul(Repro::<B>::float_sub(gradient, part), scale)
}

/// [`Kernels::batch_norm`].
pub fn batch_norm<B: Kernels>(
    x: FloatTensor<B>,
    affine: [FloatTensor<B>; 2],
    epsilon: f32,
) -> Normalised<FloatTensor<B>> {
    let n = count(&x.shape()) as f32;
    let mean = over::<B>(B::channel_sums(x.clone()), n);
    let variance = over::<B>(B::channel_squares(x.clone(), mean.clone()), n);
    finished::<B>(x, mean, variance, affine, epsilon)
}

/// The rest of a batch norm after its statistics.
pub fn finished<B: Kernels>(
    x: FloatTensor<B>,
    mean: FloatTensor<B>,
    variance: FloatTensor<B>,
    affine: [FloatTensor<B>; 2],
    epsilon: f32,
) -> Normalised<FloatTensor<B>> {
    let std = std::<B>(variance.clone(), epsilon);
    Normalised { out: B::normalise(x, [mean.clone(), std.clone()], affine), mean, variance, std }
}

/// [`Kernels::batch_norm_backward`].
pub fn batch_norm_backward<B: Kernels>(
    x: FloatTensor<B>,
    gradient: FloatTensor<B>,
    by: [FloatTensor<B>; 2],
    gamma: FloatTensor<B>,
) -> Gradients<FloatTensor<B>> {
    let n = count(&x.shape()) as f32;
    let [beta_sum, gamma_sum] = B::gradient_sums(x.clone(), gradient.clone(), by.clone());
    let slope = slope::<B>(by[1].clone(), gamma, [beta_sum.clone(), gamma_sum.clone()], n);
    Gradients { input: B::input_gradient(x, gradient, by, slope), gamma: gamma_sum, beta: beta_sum }
}

/// Scale, shift and tilt of an input's gradient, of dβ and dγ over `n` elements.
pub fn slope<B: Kernels>(
    std: FloatTensor<B>,
    gamma: FloatTensor<B>,
    sums: [FloatTensor<B>; 2],
    n: f32,
) -> [FloatTensor<B>; 3] {
    let [shift, tilt] = sums.map(|sum| over::<B>(sum, n));
    [Repro::<B>::float_div(gamma, std), shift, tilt]
}

/// A mean, of the sum over `n` elements.
pub fn over<B: Kernels>(sum: FloatTensor<B>, n: f32) -> FloatTensor<B> {
    Repro::<B>::float_div_scalar(sum, n.into())
}

/// √(variance + ε).
pub fn std<B: Kernels>(variance: FloatTensor<B>, epsilon: f32) -> FloatTensor<B> {
    Repro::<B>::float_sqrt(Repro::<B>::float_add_scalar(variance, epsilon.into()))
}

/// (x − mean) / std.
fn normalised<B: Kernels>(x: FloatTensor<B>, by: [FloatTensor<B>; 2]) -> FloatTensor<B> {
    let [mean, std] = by.map(by_channel::<B>);
    Repro::<B>::float_div(Repro::<B>::float_sub(x, mean), std)
}

/// What there is one of for each channel, to be broadcast.
fn by_channel<B: Kernels>(tensor: FloatTensor<B>) -> FloatTensor<B> {
    let channels = tensor.shape()[0];
    Repro::<B>::float_reshape(tensor, Shape::from([1, channels, 1]))
}
