//! [`Kernels`] on `Flex`, Burn's CPU backend: takes tensors apart into slices and puts the results together.

use burn_backend::ops::{FloatTensorOps, IntTensorOps};
use burn_backend::tensor::IndexingUpdateOp;
use burn_backend::{BoolStore, DType, IntDType, Scalar, Shape, TensorData};
use burn_flex::{Flex, FlexDevice, FlexTensor};

use super::cpu::batch::multiply;
use super::cpu::columns::{columns, sum_columns};
use super::cpu::convolution::{self, Convolution};
use super::cpu::extremum::{arg_extremum_dim, extremum_dim};
use super::cpu::fold::fold_dim;
use super::cpu::gemm::{Size, View};
use super::cpu::level::Level;
use super::cpu::map::{map, mapped, zip, zip_to_right, zipped};
use super::cpu::norm::{self as cpu_norm, Planes};
use super::cpu::pool::{max_pool, max_pool_backward};
use super::cpu::resample::resample;
use super::cpu::scan::scan_dim;
use super::cpu::strided::{Place, Strided, combine, combine_in_place, mask_in_place};
use super::kernels::{BinaryFunction, Capabilities, Extremum, Fold, Function, Kernels, Operation, Scan};
use super::norm::{self, Gradients, Normalised};
use super::ops::scatter::update_rows;
use super::taps::Taps;
use super::window::{Axis, Window};

impl Kernels for Flex {
    fn capabilities(_: &FlexDevice) -> Capabilities {
        let fused_fma = Level::detected().is_fused();
        // Rust neither contracts nor rounds otherwise.
        Capabilities {
            fused_fma,
            contracts: false,
            fma: if fused_fma { "its own instruction" } else { "f64 arithmetic" },
            exact_division: true,
            exact_root: true,
        }
    }

    fn matmul(lhs: FlexTensor, rhs: FlexTensor) -> FlexTensor {
        let (lhs, rhs) = (positively_strided(lhs), positively_strided(rhs));
        let Batches { count, size, shape, left, right } = Batches::of(&lhs, &rhs).merged();
        let (left_values, right_values) = (lhs.storage::<f32>(), rhs.storage::<f32>());
        let views = |batch: usize| (left.view(left_values, batch), right.view(right_values, batch));
        let length = count * size.m * size.n;
        let mut out = Vec::with_capacity(length);
        multiply(Level::detected(), size, views, &mut out.spare_capacity_mut()[..length]);
        // SAFETY: `multiply` has written all of it.
        unsafe { out.set_len(length) };
        tensor(out, shape)
    }

    fn map(function: Function, mut input: FlexTensor) -> FlexTensor {
        let level = Level::detected();
        let shape = input.layout().shape().clone();
        if is_free(&input, &shape) {
            map(level, function, input.storage_mut());
            return input;
        }
        tensor(mapped(level, function, &strided(&input, &shape)), shape)
    }

    fn zip(function: BinaryFunction, mut lhs: FlexTensor, rhs: FlexTensor) -> FlexTensor {
        let level = Level::detected();
        let shape = broadcast(lhs.layout().shape(), rhs.layout().shape());
        let mut rhs = match rhs.layout().shape() == &shape && is_dense(&rhs) {
            true => rhs,
            false => tensor(strided(&rhs, &shape).dense(), shape.clone()),
        };
        // The place of an operand that nobody else needs is the result's.
        if is_free(&lhs, &shape) {
            zip(level, function, lhs.storage_mut(), rhs.storage());
            return lhs;
        }
        if is_free(&rhs, &shape) && lhs.layout().shape() == &shape && is_dense(&lhs) {
            zip_to_right(level, function, lhs.storage(), rhs.storage_mut());
            return rhs;
        }
        tensor(zipped(level, function, &strided(&lhs, &shape), rhs.storage()), shape)
    }

    fn combine(operation: Operation, mut lhs: FlexTensor, mut rhs: FlexTensor) -> FlexTensor {
        if [&lhs, &rhs].iter().any(|tensor| tensor.dtype() != DType::F32) {
            return match operation {
                Operation::Add => <Flex as FloatTensorOps<Flex>>::float_add(lhs, rhs),
                Operation::Subtract => <Flex as FloatTensorOps<Flex>>::float_sub(lhs, rhs),
                Operation::Multiply => <Flex as FloatTensorOps<Flex>>::float_mul(lhs, rhs),
                Operation::Divide => <Flex as FloatTensorOps<Flex>>::float_div(lhs, rhs),
            };
        }
        let level = Level::detected();
        let shape = broadcast(lhs.layout().shape(), rhs.layout().shape());
        // The place of an operand that nobody else needs is the result's.
        if is_free(&lhs, &shape) {
            combine_in_place(level, operation, Place::Left, lhs.storage_mut(), &strided(&rhs, &shape));
            return lhs;
        }
        if is_free(&rhs, &shape) {
            combine_in_place(level, operation, Place::Right, rhs.storage_mut(), &strided(&lhs, &shape));
            return rhs;
        }
        tensor(combine(level, operation, &strided(&lhs, &shape), &strided(&rhs, &shape)), shape)
    }

    fn combine_scalar(operation: Operation, tensor: FlexTensor, scalar: Scalar) -> FlexTensor {
        if tensor.dtype() != DType::F32 {
            return match operation {
                Operation::Add => <Flex as FloatTensorOps<Flex>>::float_add_scalar(tensor, scalar),
                Operation::Subtract => <Flex as FloatTensorOps<Flex>>::float_sub_scalar(tensor, scalar),
                Operation::Multiply => <Flex as FloatTensorOps<Flex>>::float_mul_scalar(tensor, scalar),
                Operation::Divide => <Flex as FloatTensorOps<Flex>>::float_div_scalar(tensor, scalar),
            };
        }
        with_number(operation, tensor, scalar.elem())
    }

    fn negate(tensor: FlexTensor) -> FlexTensor {
        if tensor.dtype() != DType::F32 {
            return <Flex as FloatTensorOps<Flex>>::float_neg(tensor);
        }
        // Exact, and −x for zeros and infinities, too.
        with_number(Operation::Multiply, tensor, -1.0)
    }

    fn mask_fill(mut input: FlexTensor, mask: FlexTensor, value: Scalar) -> FlexTensor {
        let shape = input.layout().shape().clone();
        let bytes = match repeated_mask(&mask, &shape) {
            Some(bytes) if input.dtype() == DType::F32 => bytes,
            _ => return <Flex as FloatTensorOps<Flex>>::float_mask_fill(input, mask, value),
        };
        if is_free(&input, &shape) {
            mask_in_place(input.storage_mut(), bytes, value.elem());
            return input;
        }
        tensor(strided(&input, &shape).masked(bytes, value.elem()), shape)
    }

    fn dense(tensor: FlexTensor) -> FlexTensor {
        if tensor.dtype() == DType::F32 { dense(tensor) } else { tensor }
    }

    fn to_int(tensor: FlexTensor, out_dtype: IntDType) -> FlexTensor {
        <Flex as FloatTensorOps<Flex>>::float_into_int(tensor, out_dtype)
    }

    fn fold_dim(fold: Fold, input: FlexTensor, dim: usize) -> FlexTensor {
        let input = dense(input);
        let around = Around::new(input.layout().shape(), dim);
        let Around { outer, length, inner, reduced } = around;
        tensor(fold_dim(Level::detected(), fold, input.storage(), outer, length, inner), reduced)
    }

    fn scan_dim(kind: Scan, tensor: FlexTensor, dim: usize) -> FlexTensor {
        let mut tensor = own(tensor);
        let Around { length, inner, .. } = Around::new(tensor.layout().shape(), dim);
        scan_dim(Level::detected(), kind, tensor.storage_mut(), length, inner);
        tensor
    }

    fn arg_extremum_dim(extremum: Extremum, tensor: FlexTensor, dim: usize, out_dtype: IntDType) -> FlexTensor {
        let tensor = dense(tensor);
        let Around { length, inner, reduced, .. } = Around::new(tensor.layout().shape(), dim);
        assert!(length > 0, "extremum along dimension {dim}, which has size 0");
        let indices = arg_extremum_dim(Level::detected(), extremum, tensor.storage(), length, inner);
        FlexTensor::from_data(TensorData::new(indices, reduced).convert_dtype(out_dtype.into()))
    }

    fn extremum_dim(extremum: Extremum, input: FlexTensor, dim: usize) -> FlexTensor {
        let input = dense(input);
        let Around { length, inner, reduced, .. } = Around::new(input.layout().shape(), dim);
        assert!(length > 0, "extremum along dimension {dim}, which has size 0");
        tensor(extremum_dim(Level::detected(), extremum, input.storage(), length, inner), reduced)
    }

    // Flex 0.21 (ops/gather_scatter.rs) adds the values one after the other in row-major order, on one thread.
    fn scatter_add(dim: usize, tensor: FlexTensor, indices: FlexTensor, value: FlexTensor) -> FlexTensor {
        <Flex as FloatTensorOps<Flex>>::float_scatter_add(dim, tensor, indices, value)
    }

    fn select_add(tensor: FlexTensor, dim: usize, indices: FlexTensor, value: FlexTensor) -> FlexTensor {
        <Flex as FloatTensorOps<Flex>>::float_select_add(tensor, dim, indices, value)
    }

    fn update_rows(update: IndexingUpdateOp, data: FlexTensor, rows: &[usize], values: FlexTensor) -> FlexTensor {
        let (mut data, values) = (own(data), dense(values));
        let columns = data.layout().shape()[1];
        update_rows(update, data.storage_mut::<f32>(), rows, values.storage(), columns);
        data
    }

    fn columns(images: FlexTensor, window: Window) -> FlexTensor {
        let images = dense(images);
        let [batch, channels] = leading(&images);
        let columns = columns(images.storage(), batch, channels, &window);
        tensor(columns, Shape::from([channels * window.kernels(), batch, window.outputs()]))
    }

    fn sum_columns(columns: FlexTensor, window: Window) -> FlexTensor {
        let columns = dense(columns);
        let [batch, rows] = leading(&columns);
        let channels = rows / window.kernels();
        let [depth, height, width] = window.axes.map(|axis| axis.input);
        let images = sum_columns(columns.storage(), batch, channels, &window);
        tensor(images, Shape::from([batch, channels, depth, height, width]))
    }

    fn convolve(images: FlexTensor, weight: FlexTensor, window: Window) -> FlexTensor {
        if window.is_pointwise() {
            // The images are the columns already.
            return super::columns::convolve::<Flex>(images, weight, window, Self::matmul);
        }
        let (images, weight) = (dense(images), dense(weight));
        let [groups, others, _] = weight.layout().shape().dims();
        let [batch, channels] = leading(&images);
        let convolution = Convolution { window: &window, batch, groups, channels: channels / groups, others };
        let out = convolution::convolve(Level::detected(), &convolution, images.storage(), weight.storage());
        tensor(out, Shape::from([batch, groups * others, window.outputs()]))
    }

    fn convolve_transposed(positions: FlexTensor, weight: FlexTensor, window: Window) -> FlexTensor {
        if window.is_pointwise() {
            return super::columns::convolve_transposed::<Flex>(positions, weight, window, Self::matmul);
        }
        let (positions, weight) = (dense(positions), dense(weight));
        let [groups, others, rows] = weight.layout().shape().dims();
        let (batch, channels) = (leading(&positions)[0], rows / window.kernels());
        let convolution = Convolution { window: &window, batch, groups, channels, others };
        let out =
            convolution::convolve_transposed(Level::detected(), &convolution, positions.storage(), weight.storage());
        let [depth, height, width] = window.axes.map(|axis| axis.input);
        tensor(out, Shape::from([batch, groups * channels, depth, height, width]))
    }

    fn convolve_weight(images: FlexTensor, positions: FlexTensor, window: Window, groups: usize) -> FlexTensor {
        let (images, positions) = (dense(images), dense(positions));
        let [batch, channels] = leading(&images);
        let (channels, others) = (channels / groups, leading(&positions)[1] / groups);
        let convolution = Convolution { window: &window, batch, groups, channels, others };
        if !convolution.has_small_gradient() {
            return super::columns::convolve_weight::<Flex>(images, positions, window, groups, Self::matmul);
        }
        let out = convolution::convolve_weight(Level::detected(), &convolution, images.storage(), positions.storage());
        tensor(out, Shape::from([groups, channels * window.kernels(), others]))
    }

    fn channel_sums(x: FlexTensor) -> FlexTensor {
        let x = dense(x);
        of_channels(cpu_norm::channel_sums(Level::detected(), planes(&x), x.storage()))
    }

    fn channel_squares(x: FlexTensor, mean: FlexTensor) -> FlexTensor {
        let (x, mean) = (dense(x), dense(mean));
        of_channels(cpu_norm::channel_squares(Level::detected(), planes(&x), x.storage(), mean.storage()))
    }

    fn normalise(x: FlexTensor, by: [FlexTensor; 2], affine: [FlexTensor; 2]) -> FlexTensor {
        if planes(&x).has_short_rows() {
            return norm::normalise::<Flex>(x, by, affine);
        }
        let (x, by, affine) = (dense(x), by.map(dense), affine.map(dense));
        let (by, affine) = (storages(&by), storages(&affine));
        let out = cpu_norm::normalise(Level::detected(), planes(&x), x.storage(), by, affine);
        tensor(out, x.layout().shape().clone())
    }

    fn gradient_sums(x: FlexTensor, gradient: FlexTensor, by: [FlexTensor; 2]) -> [FlexTensor; 2] {
        let (x, gradient, by) = (dense(x), dense(gradient), by.map(dense));
        let level = Level::detected();
        cpu_norm::gradient_sums(level, planes(&x), x.storage(), gradient.storage(), storages(&by)).map(of_channels)
    }

    fn input_gradient(x: FlexTensor, gradient: FlexTensor, by: [FlexTensor; 2], slope: [FlexTensor; 3]) -> FlexTensor {
        if planes(&x).has_short_rows() {
            return norm::input_gradient::<Flex>(x, gradient, by, slope);
        }
        let (x, gradient, by, slope) = (dense(x), dense(gradient), by.map(dense), slope.map(dense));
        let (level, by, slope) = (Level::detected(), storages(&by), storages(&slope));
        let out = cpu_norm::input_gradient(level, planes(&x), x.storage(), gradient.storage(), by, slope);
        tensor(out, x.layout().shape().clone())
    }

    fn batch_norm(x: FlexTensor, affine: [FlexTensor; 2], epsilon: f32) -> Normalised<FlexTensor> {
        if !planes(&x).has_small_channels() {
            return norm::batch_norm::<Flex>(x, affine, epsilon);
        }
        let (x, affine) = (dense(x), affine.map(dense));
        let Normalised { out, mean, variance, std } =
            cpu_norm::forward(Level::detected(), planes(&x), x.storage(), storages(&affine), epsilon);
        let [mean, variance, std] = [mean, variance, std].map(of_channels);
        Normalised { out: tensor(out, x.layout().shape().clone()), mean, variance, std }
    }

    fn batch_norm_backward(
        x: FlexTensor,
        gradient: FlexTensor,
        by: [FlexTensor; 2],
        gamma: FlexTensor,
    ) -> Gradients<FlexTensor> {
        let planes = planes(&x);
        if !planes.has_small_channels() {
            return norm::batch_norm_backward::<Flex>(x, gradient, by, gamma);
        }
        let (level, shape) = (Level::detected(), x.layout().shape().clone());
        let (x, by, gamma) = (dense(x), by.map(dense), dense(gamma));
        let (values, by, gamma) = (x.storage(), storages(&by), gamma.storage());
        if is_free(&gradient, &shape) {
            let mut input = gradient;
            let [gamma, beta] =
                cpu_norm::backward_in_place(level, planes, values, input.storage_mut(), by, gamma).map(of_channels);
            return Gradients { input, gamma, beta };
        }
        let gradient = dense(gradient);
        let Gradients { input, gamma, beta } = cpu_norm::backward(level, planes, values, gradient.storage(), by, gamma);
        Gradients { input: tensor(input, shape), gamma: of_channels(gamma), beta: of_channels(beta) }
    }

    fn resample(planes: FlexTensor, rows: &Taps, columns: &Taps) -> FlexTensor {
        let planes = dense(planes);
        let [batch, channels] = leading(&planes);
        let out = resample(Level::detected(), planes.storage(), batch * channels, rows, columns);
        tensor(out, Shape::from([batch, channels, rows.outputs(), columns.outputs()]))
    }

    fn max_pool(planes: FlexTensor, axes: [Axis; 2], out_dtype: IntDType) -> (FlexTensor, FlexTensor) {
        let planes = dense(planes);
        let [batch, channels] = leading(&planes);
        let shape = Shape::from([batch, channels, axes[0].output, axes[1].output]);
        let (values, positions) = max_pool(Level::detected(), planes.storage(), &axes);
        let positions = TensorData::new(positions, shape.clone()).convert_dtype(out_dtype.into());
        (tensor(values, shape), FlexTensor::from_data(positions))
    }

    fn max_pool_backward(gradients: FlexTensor, positions: FlexTensor, axes: [Axis; 2]) -> FlexTensor {
        let gradients = dense(gradients);
        let [batch, channels] = leading(&gradients);
        let (inputs, outputs) = (axes[0].input * axes[1].input, axes[0].output * axes[1].output);
        let positions = positions.to_contiguous();
        let out = if positions.dtype() == DType::I32 {
            max_pool_backward::<i32>(gradients.storage(), positions.storage(), inputs, outputs)
        } else {
            let positions = <Flex as IntTensorOps<Flex>>::int_cast(positions, IntDType::I64);
            max_pool_backward::<i64>(gradients.storage(), positions.storage(), inputs, outputs)
        };
        tensor(out, Shape::from([batch, channels, axes[0].input, axes[1].input]))
    }
}

pub(super) fn tensor(values: Vec<f32>, shape: Shape) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape))
}

/// The sizes of `[batch, channels, positions]`.
fn planes(tensor: &FlexTensor) -> Planes {
    let [batch, channels, positions] = tensor.layout().shape().dims();
    Planes { batch, channels, positions }
}

fn storages<const N: usize>(tensors: &[FlexTensor; N]) -> [&[f32]; N] {
    tensors.each_ref().map(FlexTensor::storage)
}

/// What there is one of for each channel.
fn of_channels(values: Vec<f32>) -> FlexTensor {
    let channels = values.len();
    tensor(values, Shape::from([channels]))
}

/// The bytes of a mask that fits the last dimensions of `shape` and is broadcast over those before.
fn repeated_mask<'a>(mask: &'a FlexTensor, shape: &Shape) -> Option<&'a [u8]> {
    let layout = mask.layout();
    let own = layout.shape();
    let is_byte = matches!(mask.dtype(), DType::Bool(BoolStore::Native | BoolStore::U8));
    let leading = own.iter().take_while(|size| **size == 1).count();
    let fits = own.num_dims() == shape.num_dims() && own[leading..] == shape[leading..];
    let is_whole = layout.start_offset() == 0 && layout.is_contiguous() && mask.bytes().len() == layout.num_elements();
    (is_byte && fits && is_whole && !mask.bytes().is_empty()).then(|| mask.bytes())
}

/// `operation` of each element and a number.
fn with_number(operation: Operation, mut input: FlexTensor, number: f32) -> FlexTensor {
    let level = Level::detected();
    let shape = input.layout().shape().clone();
    if is_free(&input, &shape) {
        let repeated = Strided::repeated(&number, &shape);
        combine_in_place(level, operation, Place::Left, input.storage_mut(), &repeated);
        return input;
    }
    let repeated = Strided::repeated(&number, &shape);
    tensor(combine(level, operation, &strided(&input, &shape), &repeated), shape)
}

/// The tensor with its elements, and nothing else, one after the other in its storage.
pub(super) fn dense(floats: FlexTensor) -> FlexTensor {
    let shape = floats.layout().shape().clone();
    if is_dense(&floats) { floats } else { tensor(strided(&floats, &shape).dense(), shape) }
}

/// The same, of which nobody else needs the storage.
pub(super) fn own(floats: FlexTensor) -> FlexTensor {
    let shape = floats.layout().shape().clone();
    if is_free(&floats, &shape) { floats } else { tensor(strided(&floats, &shape).dense(), shape) }
}

fn is_dense(tensor: &FlexTensor) -> bool {
    let layout = tensor.layout();
    let is_whole = tensor.storage::<f32>().len() == layout.num_elements();
    is_whole && layout.start_offset() == 0 && layout.is_contiguous()
}

/// Whether the tensor is of that shape and its values can be written over.
fn is_free(tensor: &FlexTensor, shape: &Shape) -> bool {
    tensor.layout().shape() == shape && tensor.is_unique() && is_dense(tensor)
}

/// The elements of a tensor that is broadcast to `shape`.
fn strided<'a>(tensor: &'a FlexTensor, shape: &Shape) -> Strided<'a> {
    let layout = tensor.layout();
    let own = layout.shape().iter().zip(layout.strides());
    let strides: Vec<isize> = own.map(|(size, stride)| if *size == 1 { 0 } else { *stride }).collect();
    Strided::new(tensor.storage(), layout.start_offset(), shape, &strides)
}

/// The first two dimensions.
fn leading(tensor: &FlexTensor) -> [usize; 2] {
    let shape = tensor.layout().shape();
    [shape[0], shape[1]]
}

fn positively_strided(tensor: FlexTensor) -> FlexTensor {
    if tensor.layout().strides().iter().all(|stride| *stride >= 0) { tensor } else { dense(tensor) }
}

/// The shape of an op on elements of two tensors: a dimension of size 1 takes the other one's size.
pub(super) fn broadcast(left: &Shape, right: &Shape) -> Shape {
    assert_eq!(left.num_dims(), right.num_dims(), "ranks of {left:?} and {right:?}");
    let sizes = left.iter().zip(right.iter()).map(|sizes| match sizes {
        (a, b) if a == b || *b == 1 => *a,
        (1, b) => *b,
        _ => panic!("shapes {left:?} and {right:?} do not broadcast"),
    });
    Shape::from(sizes.collect::<Vec<_>>())
}

/// A shape seen from one of its dimensions.
struct Around {
    /// Product of the dimensions before it.
    outer: usize,
    /// Its own size.
    length: usize,
    /// Product of the dimensions after it.
    inner: usize,
    /// The shape with that dimension reduced to 1.
    reduced: Shape,
}

impl Around {
    fn new(shape: &Shape, dim: usize) -> Self {
        let rank = shape.num_dims();
        assert!(dim < rank, "dimension {dim} of a tensor of rank {rank}");
        let mut reduced = shape.clone();
        reduced[dim] = 1;
        Self {
            outer: shape[..dim].iter().product(),
            length: shape[dim],
            inner: shape[dim + 1..].iter().product(),
            reduced,
        }
    }
}

/// The matrix products that a batched one consists of.
struct Batches {
    /// How many.
    count: usize,
    /// The size of each.
    size: Size,
    /// Shape of the result.
    shape: Shape,
    left: Operand,
    right: Operand,
}

/// Where the matrices of one operand lie in its storage.
struct Operand {
    /// Position of each batch's matrix.
    offsets: Vec<usize>,
    row_stride: usize,
    column_stride: usize,
}

impl Operand {
    fn view<'a>(&self, values: &'a [f32], batch: usize) -> View<'a> {
        View { values, offset: self.offsets[batch], row_stride: self.row_stride, column_stride: self.column_stride }
    }

    /// `batch` is the broadcast shape of the leading dimensions.
    fn new(tensor: &FlexTensor, batch: &[usize]) -> Self {
        let layout = tensor.layout();
        let (shape, rank) = (layout.shape(), layout.num_dims());
        let stride = |dim: usize| layout.strides()[dim].unsigned_abs();
        let mut offsets = vec![layout.start_offset()];
        for (dim, length) in batch.iter().enumerate() {
            let stride = if shape[dim] == 1 { 0 } else { stride(dim) };
            offsets = offsets.iter().flat_map(|offset| (0..*length).map(move |i| offset + i * stride)).collect();
        }
        Self { offsets, row_stride: stride(rank - 2), column_stride: stride(rank - 1) }
    }
}

impl Batches {
    fn of(lhs: &FlexTensor, rhs: &FlexTensor) -> Self {
        let (left, right) = (lhs.layout().shape(), rhs.layout().shape());
        let rank = left.num_dims();
        assert!(rank >= 2 && rank == right.num_dims(), "matrix product of shapes {left:?} and {right:?}");
        assert_eq!(left[rank - 1], right[rank - 2], "inner dimensions of a matrix product of {left:?} and {right:?}");
        let batch: Vec<usize> = (0..rank - 2)
            .map(|dim| match (left[dim], right[dim]) {
                (a, b) if a == b || b == 1 => a,
                (1, b) => b,
                _ => panic!("matrix product of shapes {left:?} and {right:?}: dimension {dim} does not broadcast"),
            })
            .collect();
        let size = Size { m: left[rank - 2], k: left[rank - 1], n: right[rank - 1] };
        let mut shape = batch.clone();
        shape.extend([size.m, size.n]);
        Self {
            count: batch.iter().product(),
            size,
            shape: Shape::from(shape),
            left: Operand::new(lhs, &batch),
            right: Operand::new(rhs, &batch),
        }
    }

    /// One tall product instead of many with the same right matrix, where the left ones follow one another: a layer
    /// applied to every position of a sequence.
    fn merged(mut self) -> Self {
        let (left, right) = (&mut self.left.offsets, &mut self.right.offsets);
        let same = right.iter().all(|offset| *offset == right[0]);
        let step = self.size.m * self.left.row_stride;
        if self.count > 1 && same && left.windows(2).all(|pair| pair[0] + step == pair[1]) {
            self.size.m *= self.count;
            self.count = 1;
            left.truncate(1);
            right.truncate(1);
        }
        self
    }
}
