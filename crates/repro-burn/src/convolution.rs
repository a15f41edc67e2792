//! Convolutions of one to three axes, their transposes and gradients: a matrix product and windows as columns.
//!
//! Not here: the order of operations inside those two (see [`ops`](super::ops)). The gradients that are not here are
//! Burn's compositions: the one of a convolution's input is a transposed convolution, and the other way round.

use burn_backend::ops::{ConvOptions, ConvTransposeOptions};
use burn_backend::tensor::FloatTensor;
use burn_backend::{Shape, TensorMetadata};

use super::arithmetic;
use super::float::f32_only;
use super::kernels::Kernels;
use super::window::{Axis, Window};

/// Convolution of `x`, `[batch, groups · in, ..]`, with `weight`, `[groups · out, in, ..]`: `[batch, groups · out,
/// ..]`.
///
/// # Panics
/// When the shapes do not fit, or a tensor is not f32.
pub fn convolve<B: Kernels, const D: usize>(
    x: FloatTensor<B>,
    weight: FloatTensor<B>,
    bias: Option<FloatTensor<B>>,
    options: ConvOptions<D>,
) -> FloatTensor<B> {
    let op = format!("conv{D}d");
    f32_only(&op, &x);
    f32_only(&op, &weight);
    let (x_shape, weight_shape, groups) = (x.shape(), weight.shape(), options.groups);
    let window = convolution_window::<D>(&op, &x_shape, &weight_shape, &options);
    let [batch, channels, out] = [x_shape[0], x_shape[1], weight_shape[0]];
    assert_eq!(channels, groups * weight_shape[1], "`{op}` of {x_shape:?} with {weight_shape:?} in {groups} groups");
    assert_eq!(out % groups, 0, "`{op}` with {weight_shape:?} in {groups} groups");
    let depth = weight_shape[1] * window.kernels();
    let weight = B::float_reshape(weight, Shape::from([groups, out / groups, depth]));
    let product = arithmetic::convolve::<B>(image::<B>(x, &window), weight, window);
    let shape = with_spatial::<D>([batch, out], window.axes.map(|axis| axis.output));
    biased::<B>(B::float_reshape(product, shape), bias)
}

/// Transposed convolution of `x`, `[batch, groups · in, ..]`, with `weight`, `[groups · in, out, ..]`: `[batch, groups
/// · out, ..]`.
///
/// # Panics
/// When the shapes do not fit, or a tensor is not f32.
pub fn convolve_transposed<B: Kernels, const D: usize>(
    x: FloatTensor<B>,
    weight: FloatTensor<B>,
    bias: Option<FloatTensor<B>>,
    options: ConvTransposeOptions<D>,
) -> FloatTensor<B> {
    let op = format!("conv_transpose{D}d");
    f32_only(&op, &x);
    f32_only(&op, &weight);
    let (x_shape, weight_shape, groups) = (x.shape(), weight.shape(), options.groups);
    let window = transposed_window::<D>(&op, &x_shape, &weight_shape, &options);
    let [batch, channels, out] = [x_shape[0], x_shape[1], groups * weight_shape[1]];
    assert_eq!(channels, weight_shape[0], "`{op}` of {x_shape:?} with {weight_shape:?}");
    assert_eq!(channels % groups, 0, "`{op}` with {weight_shape:?} in {groups} groups");
    let rows = weight_shape[1] * window.kernels();
    let weight = B::float_reshape(weight, Shape::from([groups, channels / groups, rows]));
    let x = B::float_reshape(x, Shape::from([batch, channels, window.outputs()]));
    let images = arithmetic::convolve_transposed::<B>(x, weight, window);
    let shape = with_spatial::<D>([batch, out], window.axes.map(|axis| axis.input));
    biased::<B>(B::float_reshape(images, shape), bias)
}

/// Gradient of [`convolve`] by its weight.
pub fn convolve_weight_backward<B: Kernels, const D: usize>(
    x: FloatTensor<B>,
    weight: FloatTensor<B>,
    output_grad: FloatTensor<B>,
    options: ConvOptions<D>,
) -> FloatTensor<B> {
    let op = format!("conv{D}d_weight_backward");
    let shape = weight.shape();
    let window = convolution_window::<D>(&op, &x.shape(), &shape, &options);
    weight_gradient::<B>(&op, x, output_grad, shape, window, options.groups)
}

/// Gradient of [`convolve_transposed`] by its weight.
pub fn convolve_transposed_weight_backward<B: Kernels, const D: usize>(
    x: FloatTensor<B>,
    weight: FloatTensor<B>,
    output_grad: FloatTensor<B>,
    options: ConvTransposeOptions<D>,
) -> FloatTensor<B> {
    let op = format!("conv_transpose{D}d_weight_backward");
    let shape = weight.shape();
    let window = transposed_window::<D>(&op, &x.shape(), &shape, &options);
    weight_gradient::<B>(&op, output_grad, x, shape, window, options.groups)
}

/// The windows of `x`, `[batch, channels, height, width]`, as columns: `[batch, channels · kernel positions, window
/// positions]`.
pub fn unfold<B: Kernels>(x: FloatTensor<B>, kernel: [usize; 2], options: ConvOptions<2>) -> FloatTensor<B> {
    f32_only("unfold4d", &x);
    let shape = x.shape();
    let weight_shape = Shape::from([1, shape[1], kernel[0], kernel[1]]);
    let window = convolution_window::<2>("unfold4d", &shape, &weight_shape, &options);
    B::float_swap_dims(B::columns(image::<B>(x, &window), window), 0, 1)
}

/// For images `[batch, groups · a, ..]` under the window and `positions` `[batch, groups · b, ..]` beside its
/// positions: the product of each channel and kernel position with each channel of `positions`, `[groups · b, a, kernel
/// ..]`.
fn weight_gradient<B: Kernels>(
    op: &str,
    images: FloatTensor<B>,
    positions: FloatTensor<B>,
    weight_shape: Shape,
    window: Window,
    groups: usize,
) -> FloatTensor<B> {
    f32_only(op, &images);
    f32_only(op, &positions);
    let batch = images.shape()[0];
    let positions = B::float_reshape(positions, Shape::from([batch, weight_shape[0], window.outputs()]));
    let gradient = arithmetic::convolve_weight::<B>(image::<B>(images, &window), positions, window, groups);
    B::float_reshape(B::float_swap_dims(gradient, 1, 2), weight_shape)
}

/// `x` as images of three axes under `window`.
fn image<B: Kernels>(x: FloatTensor<B>, window: &Window) -> FloatTensor<B> {
    let shape = x.shape();
    let [depth, height, width] = window.axes.map(|axis| axis.input);
    B::float_reshape(x, Shape::from([shape[0], shape[1], depth, height, width]))
}

pub(super) fn biased<B: Kernels>(x: FloatTensor<B>, bias: Option<FloatTensor<B>>) -> FloatTensor<B> {
    let Some(bias) = bias else { return x };
    f32_only("bias of a convolution", &bias);
    assert_eq!(bias.shape(), Shape::from([x.shape()[1]]), "bias of a convolution to {:?}", x.shape());
    B::add_bias(x, bias)
}

fn with_spatial<const D: usize>(leading: [usize; 2], spatial: [usize; 3]) -> Shape {
    Shape::from([&leading[..], &spatial[3 - D..]].concat())
}

pub(super) fn convolution_window<const D: usize>(
    op: &str,
    x: &Shape,
    weight: &Shape,
    options: &ConvOptions<D>,
) -> Window {
    window::<D>(op, x, weight, |axis, input, kernel| {
        let [stride, padding, dilation] = [options.stride[axis], options.padding[axis], options.dilation[axis]];
        let free = (input + 2 * padding).checked_sub(dilation * (kernel - 1) + 1)?;
        Some(Axis { input, kernel, stride, padding, dilation, output: free / stride + 1 })
    })
}

/// What a transposed convolution reads are the positions of the window, what it writes the image under it.
fn transposed_window<const D: usize>(op: &str, x: &Shape, weight: &Shape, options: &ConvTransposeOptions<D>) -> Window {
    window::<D>(op, x, weight, |axis, output, kernel| {
        let [stride, padding, dilation] = [options.stride[axis], options.padding[axis], options.dilation[axis]];
        let extent = output.checked_sub(1)? * stride + dilation * (kernel - 1) + 1 + options.padding_out[axis];
        Some(Axis { input: extent.checked_sub(2 * padding)?, kernel, stride, padding, dilation, output })
    })
}

fn window<const D: usize>(
    op: &str,
    x: &Shape,
    weight: &Shape,
    axis: impl Fn(usize, usize, usize) -> Option<Axis>,
) -> Window {
    assert!(x.num_dims() == D + 2 && weight.num_dims() == D + 2, "`{op}` of {x:?} with {weight:?}: {D} axes expected");
    let mut axes = [Axis::NONE; 3];
    for (at, slot) in axes[3 - D..].iter_mut().enumerate() {
        let (size, kernel) = (x[2 + at], weight[2 + at]);
        *slot = (kernel > 0)
            .then(|| axis(at, size, kernel))
            .flatten()
            .unwrap_or_else(|| panic!("`{op}` of {x:?} with {weight:?}: the kernel does not fit axis {at}"));
    }
    Window { axes }
}
