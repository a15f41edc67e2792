//! Convolutions as products of whole matrices of columns: what a device does that has nothing better.
//!
//! Each takes the product to use, so that one text serves every width of operands, portable and native numerics.

use burn_backend::tensor::FloatTensor;
use burn_backend::{Shape, Slice, TensorMetadata};

use super::kernels::Kernels;
use super::window::Window;

/// Elements of one matrix of columns, 64 MiB: a larger batch or more channels are done in parts. No bit depends on it.
const COLUMN_ELEMENTS: usize = 1 << 24;

/// The matrix product of the last two dimensions.
type Product<B> = fn(FloatTensor<B>, FloatTensor<B>) -> FloatTensor<B>;

/// [`Kernels::convolve`].
pub fn convolve<B: Kernels>(
    images: FloatTensor<B>,
    weight: FloatTensor<B>,
    window: Window,
    product: Product<B>,
) -> FloatTensor<B> {
    let [groups, out, depth] = weight.shape().dims();
    let batch = images.shape()[0];
    let weight = B::float_reshape(weight, Shape::from([1, groups, out, depth]));
    let part = |images: FloatTensor<B>| {
        let batch = images.shape()[0];
        let columns = if window.is_pointwise() {
            B::float_reshape(images, Shape::from([batch, groups, depth, window.outputs()]))
        } else {
            let columns = B::columns(images, window);
            let columns = B::float_reshape(columns, Shape::from([groups, depth, batch, window.outputs()]));
            B::float_permute(columns, &[2, 0, 1, 3])
        };
        product(weight.clone(), columns)
    };
    let samples = COLUMN_ELEMENTS / (groups * depth * window.outputs()).max(1);
    let product = in_parts::<B>(images, 0, samples.max(1), part);
    B::float_reshape(product, Shape::from([batch, groups * out, window.outputs()]))
}

/// [`Kernels::convolve_transposed`].
pub fn convolve_transposed<B: Kernels>(
    positions: FloatTensor<B>,
    weight: FloatTensor<B>,
    window: Window,
    product: Product<B>,
) -> FloatTensor<B> {
    let [groups, channels, rows] = weight.shape().dims();
    let batch = positions.shape()[0];
    let weight = B::float_reshape(weight, Shape::from([1, groups, channels, rows]));
    let weight = B::float_swap_dims(weight, 2, 3);
    let positions = B::float_reshape(positions, Shape::from([batch, groups, channels, window.outputs()]));
    let part = |positions: FloatTensor<B>| {
        let batch = positions.shape()[0];
        let columns = product(weight.clone(), positions);
        if window.is_pointwise() {
            return columns;
        }
        B::sum_columns(B::float_reshape(columns, Shape::from([batch, groups * rows, window.outputs()])), window)
    };
    let samples = COLUMN_ELEMENTS / (groups * rows * window.outputs()).max(1);
    let images = in_parts::<B>(positions, 0, samples.max(1), part);
    let [depth, height, width] = window.axes.map(|axis| axis.input);
    B::float_reshape(images, Shape::from([batch, groups * rows / window.kernels(), depth, height, width]))
}

/// [`Kernels::convolve_weight`].
pub fn convolve_weight<B: Kernels>(
    images: FloatTensor<B>,
    positions: FloatTensor<B>,
    window: Window,
    groups: usize,
    product: Product<B>,
) -> FloatTensor<B> {
    let [batch, rows] = [images.shape()[0], images.shape()[1] / groups];
    let each = positions.shape()[1] / groups;
    let inner = batch * window.outputs();
    // The positions as rows: both matrices are then read along their rows.
    let positions = B::float_reshape(positions, Shape::from([batch, groups, each, window.outputs()]));
    let positions = B::float_permute(positions, &[1, 0, 3, 2]);
    let positions = B::float_reshape(B::dense(positions), Shape::from([groups, inner, each]));
    let gradient = |images: FloatTensor<B>, positions: FloatTensor<B>| {
        let [channels, groups] = [images.shape()[1], positions.shape()[0]];
        let columns = B::columns(images, window);
        let depth = channels / groups * window.kernels();
        product(B::float_reshape(columns, Shape::from([groups, depth, inner])), positions)
    };
    let channels = (COLUMN_ELEMENTS / (window.kernels() * inner).max(1)).max(1);
    if groups == 1 {
        return in_parts::<B>(images, 1, channels, |images| gradient(images, positions.clone()));
    }
    let groups_at_once = (channels / rows.max(1)).max(1);
    let parts = (0..groups).step_by(groups_at_once).map(|group| {
        let end = groups.min(group + groups_at_once);
        let images = sliced::<B>(images.clone(), 1, group * rows, end * rows);
        gradient(images, sliced::<B>(positions.clone(), 0, group, end))
    });
    joined::<B>(parts.collect(), 0)
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
