//! [`Kernels`] on `Flex`, Burn's CPU backend: takes tensors apart into slices and puts the results together.

use burn_backend::ops::{FloatTensorOps, IntTensorOps};
use burn_backend::{IntDType, Shape, TensorData};
use burn_flex::{Flex, FlexTensor};
use rayon::prelude::*;

use super::cpu::columns::{columns, sum_columns};
use super::cpu::fold::fold_dim;
use super::cpu::gemm::{PARALLEL_WORK, Size, View, gemm};
use super::cpu::level::Level;
use super::cpu::map::map;
use super::cpu::pool::{max_pool, max_pool_backward};
use super::cpu::resample::resample;
use super::kernels::{Extremum, Fold, Function, Kernels, Scan};
use super::ops::extremum::arg_extremum;
use super::ops::scan;
use super::taps::Taps;
use super::window::{Axis, Window};

impl Kernels for Flex {
    fn matmul(lhs: FlexTensor, rhs: FlexTensor) -> FlexTensor {
        let (lhs, rhs) = (positively_strided(lhs), positively_strided(rhs));
        let batches = Batches::of(&lhs, &rhs);
        let size = batches.size;
        let (left, right) = (lhs.storage::<f32>(), rhs.storage::<f32>());
        let level = Level::detected();
        let mut out = vec![0.0; batches.count * size.m * size.n];
        let one = |(batch, out): (usize, &mut [f32])| {
            gemm(level, size, batches.left.view(left, batch), batches.right.view(right, batch), out);
        };
        if size.m * size.n == 0 {
            // Nothing to compute, and chunks of no elements do not exist.
        } else if batches.count > 1 && size.work().saturating_mul(batches.count) >= PARALLEL_WORK {
            out.par_chunks_mut(size.m * size.n).enumerate().for_each(one);
        } else {
            out.chunks_mut(size.m * size.n).enumerate().for_each(one);
        }
        tensor(out, batches.shape)
    }

    fn map(function: Function, tensor: FlexTensor) -> FlexTensor {
        let mut tensor = tensor.to_contiguous();
        map(Level::detected(), function, tensor.storage_mut::<f32>());
        tensor
    }

    fn fold_dim(fold: Fold, input: FlexTensor, dim: usize) -> FlexTensor {
        let input = input.to_contiguous();
        let around = Around::new(input.layout().shape(), dim);
        tensor(fold_dim(fold, input.storage(), around.outer, around.length, around.inner), around.reduced)
    }

    fn scan_dim(kind: Scan, tensor: FlexTensor, dim: usize) -> FlexTensor {
        let mut tensor = tensor.to_contiguous();
        let Around { length, inner, .. } = Around::new(tensor.layout().shape(), dim);
        let values = tensor.storage_mut::<f32>();
        if values.is_empty() {
            return tensor;
        }
        for block in values.chunks_exact_mut(length * inner) {
            for column in 0..inner {
                let mut so_far = scan::start(kind);
                for value in block[column..].iter_mut().step_by(inner) {
                    so_far = scan::step(kind, so_far, *value);
                    *value = so_far;
                }
            }
        }
        tensor
    }

    fn arg_extremum_dim(extremum: Extremum, tensor: FlexTensor, dim: usize, out_dtype: IntDType) -> FlexTensor {
        let tensor = tensor.to_contiguous();
        let Around { length, inner, reduced, .. } = Around::new(tensor.layout().shape(), dim);
        assert!(length > 0, "extremum along dimension {dim}, which has size 0");
        let values = tensor.storage::<f32>();
        let mut indices = Vec::with_capacity(reduced.num_elements());
        if !values.is_empty() {
            for block in values.chunks_exact(length * inner) {
                for column in 0..inner {
                    let lane = block[column..].iter().step_by(inner).copied();
                    indices.push(arg_extremum(extremum, lane) as i64);
                }
            }
        }
        FlexTensor::from_data(TensorData::new(indices, reduced).convert_dtype(out_dtype.into()))
    }

    // Flex 0.21 (ops/gather_scatter.rs) adds the values one after the other in row-major order, on one thread.
    fn scatter_add(dim: usize, tensor: FlexTensor, indices: FlexTensor, value: FlexTensor) -> FlexTensor {
        <Flex as FloatTensorOps<Flex>>::float_scatter_add(dim, tensor, indices, value)
    }

    fn select_add(tensor: FlexTensor, dim: usize, indices: FlexTensor, value: FlexTensor) -> FlexTensor {
        <Flex as FloatTensorOps<Flex>>::float_select_add(tensor, dim, indices, value)
    }

    fn columns(images: FlexTensor, window: Window) -> FlexTensor {
        let images = images.to_contiguous();
        let [batch, channels] = leading(&images);
        let columns = columns(images.storage(), batch, channels, &window);
        tensor(columns, Shape::from([channels * window.kernels(), batch, window.outputs()]))
    }

    fn sum_columns(columns: FlexTensor, window: Window) -> FlexTensor {
        let columns = columns.to_contiguous();
        let [batch, rows] = leading(&columns);
        let channels = rows / window.kernels();
        let [depth, height, width] = window.axes.map(|axis| axis.input);
        let images = sum_columns(columns.storage(), batch, channels, &window);
        tensor(images, Shape::from([batch, channels, depth, height, width]))
    }

    // Flex adds a broadcast operand element by element.
    fn add_bias(tensor: FlexTensor, bias: FlexTensor) -> FlexTensor {
        let (mut tensor, bias) = (tensor.to_contiguous(), bias.to_contiguous());
        let plane = tensor.layout().shape()[2..].iter().product::<usize>().max(1);
        let biases = bias.storage::<f32>().iter().cycle();
        for (plane, bias) in tensor.storage_mut::<f32>().chunks_exact_mut(plane).zip(biases) {
            plane.iter_mut().for_each(|value| *value += bias);
        }
        tensor
    }

    fn resample(planes: FlexTensor, rows: &Taps, columns: &Taps) -> FlexTensor {
        let planes = planes.to_contiguous();
        let [batch, channels] = leading(&planes);
        let out = resample(Level::detected(), planes.storage(), batch * channels, rows, columns);
        tensor(out, Shape::from([batch, channels, rows.outputs(), columns.outputs()]))
    }

    fn max_pool(planes: FlexTensor, axes: [Axis; 2], out_dtype: IntDType) -> (FlexTensor, FlexTensor) {
        let planes = planes.to_contiguous();
        let [batch, channels] = leading(&planes);
        let shape = Shape::from([batch, channels, axes[0].output, axes[1].output]);
        let (values, positions) = max_pool(planes.storage(), &axes);
        let positions = TensorData::new(positions, shape.clone()).convert_dtype(out_dtype.into());
        (tensor(values, shape), FlexTensor::from_data(positions))
    }

    fn max_pool_backward(gradients: FlexTensor, positions: FlexTensor, axes: [Axis; 2]) -> FlexTensor {
        let gradients = gradients.to_contiguous();
        let positions = <Flex as IntTensorOps<Flex>>::int_cast(positions, IntDType::I64).to_contiguous();
        let [batch, channels] = leading(&gradients);
        let (inputs, outputs) = (axes[0].input * axes[1].input, axes[0].output * axes[1].output);
        let out = max_pool_backward(gradients.storage(), positions.storage(), inputs, outputs);
        tensor(out, Shape::from([batch, channels, axes[0].input, axes[1].input]))
    }
}

fn tensor(values: Vec<f32>, shape: Shape) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape))
}

/// The first two dimensions.
fn leading(tensor: &FlexTensor) -> [usize; 2] {
    let shape = tensor.layout().shape();
    [shape[0], shape[1]]
}

fn positively_strided(tensor: FlexTensor) -> FlexTensor {
    if tensor.layout().strides().iter().all(|stride| *stride >= 0) { tensor } else { tensor.to_contiguous() }
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
}
