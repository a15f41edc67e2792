//! Convolutions of one to three axes, their transposes and gradients: a matrix product and windows as columns.
//!
//! Not here: the order of operations inside those two (see [`ops`](super::ops)). The gradients that are not here are
//! Burn's compositions: the one of a convolution's input is a transposed convolution, and the other way round.

use burn_backend::ops::{ConvOptions, ConvTransposeOptions};
use burn_backend::tensor::FloatTensor;
use burn_backend::{Shape, Slice, TensorMetadata};

use super::arithmetic;
use super::float::f32_only;
use super::kernels::Kernels;
use super::window::{Axis, Window};

/// Elements of one matrix of columns, 64 MiB: a larger batch or more channels are done in parts. No bit depends on it.
const COLUMN_ELEMENTS: usize = 1 << 24;

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
    let weight = B::float_reshape(weight, Shape::from([1, groups, out / groups, depth]));
    let part = |x: FloatTensor<B>| {
        let batch = x.shape()[0];
        let columns = if window.is_pointwise() {
            B::float_reshape(x, Shape::from([batch, groups, depth, window.outputs()]))
        } else {
            let columns = B::columns(x, window);
            let columns = B::float_reshape(columns, Shape::from([groups, depth, batch, window.outputs()]));
            B::float_permute(columns, &[2, 0, 1, 3])
        };
        arithmetic::product::<B>(weight.clone(), columns)
    };
    let samples = COLUMN_ELEMENTS / (groups * depth * window.outputs()).max(1);
    let product = in_parts::<B>(image::<B>(x, &window), 0, samples.max(1), part);
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
    let weight = B::float_reshape(weight, Shape::from([1, groups, channels / groups, rows]));
    let weight = B::float_swap_dims(weight, 2, 3);
    let x = B::float_reshape(x, Shape::from([batch, groups, channels / groups, window.outputs()]));
    let part = |x: FloatTensor<B>| {
        let batch = x.shape()[0];
        let columns = arithmetic::product::<B>(weight.clone(), x);
        if window.is_pointwise() {
            return columns;
        }
        B::sum_columns(B::float_reshape(columns, Shape::from([batch, groups * rows, window.outputs()])), window)
    };
    let samples = COLUMN_ELEMENTS / (groups * rows * window.outputs()).max(1);
    let images = in_parts::<B>(x, 0, samples.max(1), part);
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
    let [batch, rows, each] = [images.shape()[0], weight_shape[1], weight_shape[0] / groups];
    let inner = batch * window.outputs();
    // The positions as rows: both matrices are then read along their rows.
    let positions = B::float_reshape(positions, Shape::from([batch, groups, each, window.outputs()]));
    let positions = B::float_permute(positions, &[1, 0, 3, 2]);
    let positions = B::float_reshape(B::dense(positions), Shape::from([groups, inner, each]));
    let images = image::<B>(images, &window);
    let gradient = |images: FloatTensor<B>, positions: FloatTensor<B>| {
        let [channels, groups] = [images.shape()[1], positions.shape()[0]];
        let columns = B::columns(images, window);
        let depth = channels / groups * window.kernels();
        arithmetic::product::<B>(B::float_reshape(columns, Shape::from([groups, depth, inner])), positions)
    };
    let channels = (COLUMN_ELEMENTS / (window.kernels() * inner).max(1)).max(1);
    let gradient = if groups == 1 {
        in_parts::<B>(images, 1, channels, |images| gradient(images, positions.clone()))
    } else {
        let groups_at_once = (channels / rows.max(1)).max(1);
        let parts = (0..groups).step_by(groups_at_once).map(|group| {
            let end = groups.min(group + groups_at_once);
            let images = sliced::<B>(images.clone(), 1, group * rows, end * rows);
            gradient(images, sliced::<B>(positions.clone(), 0, group, end))
        });
        joined::<B>(parts.collect(), 0)
    };
    B::float_reshape(B::float_swap_dims(gradient, 1, 2), weight_shape)
}

/// `part` of at most `size` slices of `tensor` along `dim` at a time, put together along the same dimension.
fn in_parts<B: Kernels>(
    tensor: FloatTensor<B>,
    dim: usize,
    size: usize,
    part: impl Fn(FloatTensor<B>) -> FloatTensor<B>,
) -> FloatTensor<B> {
    let length = tensor.shape()[dim];
    if length <= size {
        return part(tensor);
    }
    let starts = (0..length).step_by(size);
    let parts = starts.map(|start| part(sliced::<B>(tensor.clone(), dim, start, length.min(start + size))));
    joined::<B>(parts.collect(), dim)
}

fn joined<B: Kernels>(mut parts: Vec<FloatTensor<B>>, dim: usize) -> FloatTensor<B> {
    if parts.len() == 1 { parts.remove(0) } else { B::float_cat(parts, dim) }
}

fn sliced<B: Kernels>(tensor: FloatTensor<B>, dim: usize, start: usize, end: usize) -> FloatTensor<B> {
    if (start, end) == (0, tensor.shape()[dim]) {
        return tensor;
    }
    let mut slices = vec![Slice::full(); dim];
    slices.push(Slice::new(start as isize, Some(end as isize), 1));
    B::float_slice(tensor, &slices)
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
