//! [`Kernels`] on CubeCL's backends.

use burn_backend::ops::{FloatTensorOps, IntTensorOps};
use burn_backend::tensor::IndexingUpdateOp;
use burn_backend::{DType, DeviceOps, IntDType, Shape, TensorData, TensorMetadata, try_read_sync};
use burn_cubecl::tensor::CubeTensor;
use burn_cubecl::{BoolElement, CubeBackend, CubeRuntime, FloatElement, IntElement};
use cubecl::server::ComputeServer;

use super::super::flex::broadcast;
use super::super::kernels::{BinaryFunction, Capabilities, Extremum, Fold, Function, Kernels, Scan};
use super::super::taps::Taps;
use super::super::window::{Axis, Window};
use super::facts::{FmaKind, Rounding, facts};
use super::{elementwise, extremum, fold, matmul, resample, scan, scatter, window};

impl<R, F, I, BT> Kernels for CubeBackend<R, F, I, BT>
where
    R: CubeRuntime,
    R::Server: ComputeServer,
    R::Device: DeviceOps,
    F: FloatElement,
    I: IntElement,
    BT: BoolElement,
{
    fn capabilities(device: &R::Device) -> Capabilities {
        let facts = facts::<R>(device);
        Capabilities {
            fused_fma: facts.fused_fma,
            contracts: facts.contracts,
            fma: match facts.exact.fma {
                FmaKind::Native => "its own instruction",
                FmaKind::Float64 => "f64 arithmetic",
                FmaKind::Integer => "64-bit integers",
            },
            exact_division: facts.exact.division == Rounding::Native,
            exact_root: facts.exact.root == Rounding::Native,
        }
    }

    fn matmul(lhs: CubeTensor<R>, rhs: CubeTensor<R>) -> CubeTensor<R> {
        matmul::matmul(lhs, rhs)
    }

    fn map(function: Function, tensor: CubeTensor<R>) -> CubeTensor<R> {
        elementwise::map(function, tensor)
    }

    fn zip(function: BinaryFunction, lhs: CubeTensor<R>, rhs: CubeTensor<R>) -> CubeTensor<R> {
        let shape = broadcast(&lhs.shape(), &rhs.shape());
        let expanded = |tensor| <Self as FloatTensorOps<Self>>::float_expand(tensor, shape.clone());
        elementwise::zip(function, expanded(lhs), expanded(rhs))
    }

    fn to_int(tensor: CubeTensor<R>, out_dtype: IntDType) -> CubeTensor<R> {
        if tensor.dtype == DType::F32 && out_dtype == IntDType::I32 {
            return elementwise::to_int(tensor);
        }
        // Vulkan leaves open what becomes of a number beyond the range, so the host does it.
        let device = tensor.device.clone();
        let data = try_read_sync(Self::float_into_data(tensor)).expect("a native device is read at once");
        let data = data.expect("the tensor can be read").convert_dtype(out_dtype.into());
        <Self as IntTensorOps<Self>>::int_from_data(data, &device)
    }

    fn fold_dim(fold: Fold, tensor: CubeTensor<R>, dim: usize) -> CubeTensor<R> {
        fold::fold_dim(fold, tensor, dim)
    }

    fn scan_dim(scan: Scan, tensor: CubeTensor<R>, dim: usize) -> CubeTensor<R> {
        scan::scan_dim(scan, tensor, dim)
    }

    fn arg_extremum_dim(extremum: Extremum, tensor: CubeTensor<R>, dim: usize, out_dtype: IntDType) -> CubeTensor<R> {
        let indices = extremum::arg_extremum_dim(extremum, tensor, dim);
        <Self as IntTensorOps<Self>>::int_cast(indices, out_dtype)
    }

    // burn-cubecl 0.21 (kernel/index/scatter.rs, select_assign.rs): one thread per element of the other dimensions adds
    // along `dim` in ascending order, without atomics.
    fn scatter_add(dim: usize, tensor: CubeTensor<R>, indices: CubeTensor<R>, value: CubeTensor<R>) -> CubeTensor<R> {
        // burn-cubecl divides by the size of the dimension.
        if tensor.shape().num_elements() == 0 || value.shape().num_elements() == 0 {
            return tensor;
        }
        <Self as FloatTensorOps<Self>>::float_scatter_add(dim, tensor, indices, value)
    }

    fn select_add(tensor: CubeTensor<R>, dim: usize, indices: CubeTensor<R>, value: CubeTensor<R>) -> CubeTensor<R> {
        if tensor.shape().num_elements() == 0 || value.shape().num_elements() == 0 {
            return tensor;
        }
        <Self as FloatTensorOps<Self>>::float_select_add(tensor, dim, indices, value)
    }

    fn update_rows(
        update: IndexingUpdateOp,
        data: CubeTensor<R>,
        rows: &[usize],
        values: CubeTensor<R>,
    ) -> CubeTensor<R> {
        let (starts, order) = scatter::by_row(data.shape()[0], rows);
        let device = data.device.clone();
        let upload = |values: Vec<i32>| {
            let shape = Shape::from([values.len()]);
            <Self as IntTensorOps<Self>>::int_from_data(TensorData::new(values, shape), &device)
        };
        scatter::update_rows(update, data, values, upload(starts), upload(order))
    }

    fn columns(images: CubeTensor<R>, window: Window) -> CubeTensor<R> {
        window::columns(images, window)
    }

    fn sum_columns(columns: CubeTensor<R>, window: Window) -> CubeTensor<R> {
        window::sum_columns(columns, window)
    }

    fn resample(planes: CubeTensor<R>, rows: &Taps, columns: &Taps) -> CubeTensor<R> {
        resample::resample(planes, rows, columns)
    }

    fn max_pool(planes: CubeTensor<R>, axes: [Axis; 2], out_dtype: IntDType) -> (CubeTensor<R>, CubeTensor<R>) {
        let (values, positions) = window::max_pool(planes, axes);
        (values, <Self as IntTensorOps<Self>>::int_cast(positions, out_dtype))
    }

    fn max_pool_backward(gradients: CubeTensor<R>, positions: CubeTensor<R>, axes: [Axis; 2]) -> CubeTensor<R> {
        let positions = <Self as IntTensorOps<Self>>::int_cast(positions, IntDType::I32);
        window::max_pool_backward(gradients, positions, axes)
    }
}
