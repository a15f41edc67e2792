//! Deformable convolution in two dimensions and its gradients: a convolution whose kernel positions are moved by offsets.
//!
//! What is under the kernel are samples between the elements of the image (see [`ops`](super::ops)), made of this
//! backend's own ops, one rounding each; the rest is the matrix product of a convolution. Offset groups share the
//! positions of their channels, `[batch, groups · kernel positions · 2, height, width]` of the output, row before column;
//! a mask has a factor for each sample, `[batch, groups · kernel positions, height, width]`.

use burn_backend::ops::{ConvOptions, DeformConv2dBackward, DeformConvOptions};
use burn_backend::tensor::{BoolTensor, FloatTensor, IntTensor};
use burn_backend::{IntDType, Shape, Slice, TensorData, TensorMetadata, get_device_settings};

use super::arithmetic;
use super::backend::Repro;
use super::convolution::{biased, convolution_window};
use super::float::f32_only;
use super::kernels::{Fold, Kernels, Operation};
use super::window::Window;

/// Row and column of each corner, from the low neighbour.
const CORNERS: [[usize; 2]; 4] = [[0, 0], [0, 1], [1, 0], [1, 1]];

/// Deformable convolution of `x`, `[batch, weight groups · in, height, width]`, with `weight`, `[weight groups · out, in,
/// height, width]`.
///
/// # Panics
/// When the shapes do not fit, or a tensor is not f32.
pub fn convolve<B: Kernels>(
    x: FloatTensor<B>,
    offset: FloatTensor<B>,
    weight: FloatTensor<B>,
    mask: Option<FloatTensor<B>>,
    bias: Option<FloatTensor<B>>,
    options: DeformConvOptions<2>,
) -> FloatTensor<B> {
    let sizes = Sizes::new::<B>("deform_conv2d", &x, &offset, &weight, mask.as_ref(), &options);
    let samples = Samples::<B>::new(x, offset, &sizes);
    let columns = masked::<B>(samples.values(), mask, &sizes);
    let weight = B::float_reshape(weight, Shape::from([1, sizes.weight_groups, sizes.outside, sizes.depth()]));
    let product = arithmetic::product::<B>(weight, B::float_reshape(columns, sizes.columns()));
    biased::<B>(B::float_reshape(product, sizes.output()), bias)
}

/// Gradients of [`convolve`].
///
/// # Panics
/// When the shapes do not fit, or a tensor is not f32.
pub fn convolve_backward<B: Kernels>(
    x: FloatTensor<B>,
    offset: FloatTensor<B>,
    weight: FloatTensor<B>,
    mask: Option<FloatTensor<B>>,
    bias: Option<FloatTensor<B>>,
    output_grad: FloatTensor<B>,
    options: DeformConvOptions<2>,
) -> DeformConv2dBackward<Repro<B>> {
    let op = "deform_conv2d_backward";
    f32_only(op, &output_grad);
    let sizes = Sizes::new::<B>(op, &x, &offset, &weight, mask.as_ref(), &options);
    assert_eq!(output_grad.shape(), sizes.output(), "gradient of `deform_conv2d`");
    let Sizes { batch, weight_groups, outside, .. } = sizes;
    let (positions, depth, outputs) = (sizes.window.outputs(), sizes.depth(), batch * sizes.window.outputs());
    let shapes = [x.shape(), offset.shape(), weight.shape()];

    let samples = Samples::<B>::new(x, offset, &sizes);
    let values = samples.values();
    let grad = B::float_reshape(B::dense(output_grad), Shape::from([batch, weight_groups, outside, positions]));

    // Each output channel's gradients, sample by sample.
    let beside = B::float_permute(grad.clone(), &[1, 0, 3, 2]);
    let beside = B::float_reshape(B::dense(beside), Shape::from([weight_groups, outputs, outside]));
    let bias_grad = bias.map(|bias| {
        let channels = B::float_swap_dims(beside.clone(), 1, 2);
        let channels = B::float_reshape(B::dense(channels), Shape::from([weight_groups * outside, outputs]));
        B::float_reshape(B::fold_dim(Fold::Sum, channels, 1), bias.shape())
    });
    let columns = B::float_reshape(masked::<B>(values.clone(), mask.clone(), &sizes), sizes.columns());
    let columns = B::float_permute(columns, &[1, 2, 0, 3]);
    let columns = B::float_reshape(B::dense(columns), Shape::from([weight_groups, depth, outputs]));
    let weight_grad = B::float_swap_dims(arithmetic::product::<B>(columns, beside), 1, 2);
    let weight_grad = B::float_reshape(B::dense(weight_grad), shapes[2].clone());

    // By what was under the kernel, and from there by the mask, the image and the positions.
    let weight = B::float_reshape(weight, Shape::from([1, weight_groups, outside, depth]));
    let columns_grad = arithmetic::product::<B>(B::float_swap_dims(weight, 2, 3), grad);
    let columns_grad = B::float_reshape(columns_grad, sizes.samples());
    let sum = |tensor: FloatTensor<B>| B::fold_dim(Fold::Sum, tensor, 2);
    let mask_grad = mask.as_ref().map(|mask| {
        let by_mask = sum(B::combine(Operation::Multiply, columns_grad.clone(), values));
        B::float_reshape(by_mask, mask.shape())
    });
    let values_grad = masked::<B>(columns_grad, mask, &sizes);
    let slopes = samples.slopes().map(|slope| sum(B::combine(Operation::Multiply, slope, values_grad.clone())));
    let slopes = slopes.map(|slope| {
        B::float_reshape(slope, Shape::from([batch, sizes.offset_groups, sizes.window.kernels(), 1, positions]))
    });
    let offset_grad = B::float_reshape(B::float_cat(slopes.into(), 3), shapes[1].clone());
    let x_grad = B::float_reshape(samples.image_gradient(values_grad, &sizes), shapes[0].clone());
    DeformConv2dBackward::new(x_grad, offset_grad, weight_grad, mask_grad, bias_grad)
}

/// `columns`, `[batch, offset groups, channels of a group, kernel · window positions]`, by the factors of the mask.
fn masked<B: Kernels>(columns: FloatTensor<B>, mask: Option<FloatTensor<B>>, sizes: &Sizes) -> FloatTensor<B> {
    match mask {
        Some(mask) => B::combine(Operation::Multiply, columns, B::float_reshape(mask, sizes.places())),
        None => columns,
    }
}

/// What is what in the shapes.
struct Sizes {
    batch: usize,
    weight_groups: usize,
    /// Channels of the output in a weight group.
    outside: usize,
    offset_groups: usize,
    /// Channels of the image.
    channels: usize,
    window: Window,
    /// Row and column of each kernel position at each window position, before they are moved.
    grid: [Vec<f32>; 2],
}

impl Sizes {
    fn new<B: Kernels>(
        op: &str,
        x: &FloatTensor<B>,
        offset: &FloatTensor<B>,
        weight: &FloatTensor<B>,
        mask: Option<&FloatTensor<B>>,
        options: &DeformConvOptions<2>,
    ) -> Self {
        [x, offset, weight].into_iter().chain(mask).for_each(|tensor| f32_only(op, tensor));
        let DeformConvOptions { stride, padding, dilation, weight_groups, offset_groups } = options.clone();
        let (x, weight) = (x.shape(), weight.shape());
        let window =
            convolution_window::<2>(op, &x, &weight, &ConvOptions::new(stride, padding, dilation, weight_groups));
        let [batch, channels] = [x[0], x[1]];
        assert_eq!(channels, weight_groups * weight[1], "`{op}` of {x:?} with {weight:?} in {weight_groups} groups");
        assert_eq!(weight[0] % weight_groups, 0, "`{op}` with {weight:?} in {weight_groups} groups");
        assert_eq!(channels % offset_groups, 0, "`{op}` of {x:?} in {offset_groups} offset groups");
        let [_, rows, columns] = window.axes;
        let places = offset_groups * window.kernels();
        let moved = |channels: usize| Shape::from([batch, channels, rows.output, columns.output]);
        assert_eq!(offset.shape(), moved(2 * places), "offsets of `{op}` of {x:?} with {weight:?}");
        if let Some(mask) = mask {
            assert_eq!(mask.shape(), moved(places), "mask of `{op}` of {x:?} with {weight:?}");
        }
        let grid = [0, 1].map(|axis| {
            let along = window.axes[1 + axis];
            let mut grid = Vec::with_capacity(window.kernels() * window.outputs());
            for kernel in 0..window.kernels() {
                for output in 0..window.outputs() {
                    let output = [output / columns.output, output % columns.output][axis];
                    let place = output * along.stride + window.kernel(kernel)[1 + axis] * along.dilation;
                    grid.push((place as i64 - along.padding as i64) as f32);
                }
            }
            grid
        });
        let outside = weight[0] / weight_groups;
        Self { batch, weight_groups, outside, offset_groups, channels, window, grid }
    }

    /// Elements of a column of a weight group.
    fn depth(&self) -> usize {
        self.channels / self.weight_groups * self.window.kernels()
    }

    /// Elements of a plane of the image.
    fn plane(&self) -> [usize; 2] {
        [self.window.axes[1].input, self.window.axes[2].input]
    }

    /// A number for each moved position.
    fn places(&self) -> Shape {
        Shape::from([self.batch, self.offset_groups, 1, self.window.kernels() * self.window.outputs()])
    }

    /// A number for each sample.
    fn samples(&self) -> Shape {
        let mut shape = self.places();
        shape[2] = self.channels / self.offset_groups;
        shape
    }

    /// The samples as columns of the matrix product.
    fn columns(&self) -> Shape {
        Shape::from([self.batch, self.weight_groups, self.depth(), self.window.outputs()])
    }

    fn output(&self) -> Shape {
        let [_, rows, columns] = self.window.axes;
        Shape::from([self.batch, self.weight_groups * self.outside, rows.output, columns.output])
    }
}

/// The corners of all samples, and what each counts.
struct Samples<B: Kernels> {
    /// Elements of the image, of [`Sizes::samples`]; +0 outside of it.
    corners: [FloatTensor<B>; 4],
    /// Positions of the corners in their plane, of the same shape; 0 outside of it.
    at: [IntTensor<B>; 4],
    /// Whether a corner is outside of the image, of the same shape.
    outside: [BoolTensor<B>; 4],
    /// Of rows and of columns, of [`Sizes::places`].
    near: [FloatTensor<B>; 2],
    /// The same.
    far: [FloatTensor<B>; 2],
}

impl<B: Kernels> Samples<B> {
    fn new(x: FloatTensor<B>, offset: FloatTensor<B>, sizes: &Sizes) -> Self {
        let device = B::float_device(&x);
        let bool_dtype = get_device_settings::<B>(&device).bool_dtype;
        let (size, places, samples) = (sizes.plane(), sizes.places(), sizes.samples());
        let positions = [0, 1].map(|axis| {
            let grid = TensorData::new(sizes.grid[axis].clone(), [1, 1, 1, sizes.grid[axis].len()]);
            let moved = moved::<B>(offset.clone(), axis, sizes);
            B::combine(Operation::Add, B::float_from_data(grid, &device), moved)
        });
        let beyond = |position: &FloatTensor<B>, size: usize| {
            let above = B::float_greater_elem(position.clone(), (-1f32).into(), bool_dtype);
            let below = B::float_lower_elem(position.clone(), (size as f32).into(), bool_dtype);
            B::bool_not(B::bool_and(above, below))
        };
        let nowhere = B::bool_or(beyond(&positions[0], size[0]), beyond(&positions[1], size[1]));
        let positions = positions.map(|position| B::float_mask_fill(position, nowhere.clone(), (-2f32).into()));
        let low = positions.clone().map(B::float_floor);
        let far = [0, 1].map(|axis| B::combine(Operation::Subtract, positions[axis].clone(), low[axis].clone()));
        let near = far.clone().map(|far| B::float_add_scalar(B::float_neg(far), 1f32.into()));

        // Low and high neighbours along each axis: whether they are outside, and where they are otherwise.
        let neighbours = [0, 1].map(|axis| {
            [0, 1].map(|high| {
                let position = B::float_add_scalar(low[axis].clone(), (high as f32).into());
                let below = B::float_lower_elem(position.clone(), 0f32.into(), bool_dtype);
                let above = B::float_greater_equal_elem(position.clone(), (size[axis] as f32).into(), bool_dtype);
                let outside = B::bool_or(below, above);
                let position = B::float_mask_fill(position, outside.clone(), 0f32.into());
                (outside, B::to_int(position, IntDType::I32))
            })
        });
        let outside = CORNERS.map(|[row, column]| {
            let [row, column] = [&neighbours[0][row].0, &neighbours[1][column].0];
            B::bool_expand(B::bool_or(row.clone(), column.clone()), samples.clone())
        });
        let at = CORNERS.map(|[row, column]| {
            let [row, column] = [&neighbours[0][row].1, &neighbours[1][column].1];
            let row = B::int_mul_scalar(row.clone(), (size[1] as i64).into());
            B::int_expand(B::int_add(row, column.clone()), samples.clone())
        });
        let planes = Shape::from([places[0], places[1], samples[2], size[0] * size[1]]);
        let x = B::float_reshape(B::dense(x), planes);
        let corners = [0, 1, 2, 3].map(|corner| {
            let values = B::float_gather(3, x.clone(), at[corner].clone());
            B::float_mask_fill(values, outside[corner].clone(), 0f32.into())
        });
        Self { corners, at, outside, near, far }
    }

    /// The product of the weights of a corner's row and column.
    fn weight(&self, corner: usize) -> FloatTensor<B> {
        let [row, column] = [0, 1].map(|axis| {
            let weights = if CORNERS[corner][axis] == 0 { &self.near } else { &self.far };
            weights[axis].clone()
        });
        B::combine(Operation::Multiply, row, column)
    }

    /// What is under the kernel, of [`Sizes::samples`].
    fn values(&self) -> FloatTensor<B> {
        let product =
            |corner: usize| B::combine(Operation::Multiply, self.weight(corner), self.corners[corner].clone());
        (1..4).fold(product(0), |sum, corner| B::combine(Operation::Add, sum, product(corner)))
    }

    /// How the values change with the row and with the column.
    fn slopes(&self) -> [FloatTensor<B>; 2] {
        let difference = |high: usize, low: usize, weight: &FloatTensor<B>| {
            let difference = B::combine(Operation::Subtract, self.corners[high].clone(), self.corners[low].clone());
            B::combine(Operation::Multiply, weight.clone(), difference)
        };
        let [near, far] = [&self.near, &self.far];
        let sum = |near, far| B::combine(Operation::Add, near, far);
        [
            sum(difference(2, 0, &near[1]), difference(3, 1, &far[1])),
            sum(difference(1, 0, &near[0]), difference(3, 2, &far[0])),
        ]
    }

    /// The gradient of the image, from that of the values: corner after corner, in ascending order of the sample.
    fn image_gradient(&self, values: FloatTensor<B>, sizes: &Sizes) -> FloatTensor<B> {
        let (samples, [rows, columns]) = (sizes.samples(), sizes.plane());
        let planes = Shape::from([samples[0], samples[1], samples[2], rows * columns]);
        let zeros = B::float_zeros(planes, &B::float_device(&values), values.dtype().into());
        (0..4).fold(zeros, |sum, corner| {
            let share = B::combine(Operation::Multiply, self.weight(corner), values.clone());
            let share = B::float_mask_fill(share, self.outside[corner].clone(), 0f32.into());
            B::scatter_add(3, sum, self.at[corner].clone(), share)
        })
    }
}

/// The offsets along one axis, of [`Sizes::places`].
fn moved<B: Kernels>(offset: FloatTensor<B>, axis: usize, sizes: &Sizes) -> FloatTensor<B> {
    let (kernels, outputs) = (sizes.window.kernels(), sizes.window.outputs());
    let pairs = Shape::from([sizes.batch, sizes.offset_groups, kernels, 2, outputs]);
    let axis = axis as isize;
    let slices = [Slice::full(), Slice::full(), Slice::full(), Slice::new(axis, Some(axis + 1), 1)];
    let along = B::float_slice(B::float_reshape(B::dense(offset), pairs), &slices);
    B::float_reshape(B::dense(along), sizes.places())
}
