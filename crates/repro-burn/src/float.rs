//! `FloatTensorOps`: which float ops are forwarded, replaced and refused.

use burn_backend::ops::FloatTensorOps;
use burn_backend::tensor::{BoolTensor, Device, FloatTensor, IndexingUpdateOp, IntTensor};
use burn_backend::{
    BoolDType, DType, Distribution, ExecutionError, FloatDType, IntDType, Scalar, Shape, Slice, TensorData,
    TensorMetadata, bf16, f16, get_device_settings,
};

use super::backend::Repro;
use super::kernels::{BinaryFunction, Extremum, Fold, Function, Kernels, Operation, Scan};
use super::table::{backend_ops, refuse};
use super::{arithmetic, order, random, scatter};

backend_ops! {
    /// How each method of `FloatTensorOps` is treated.
    FLOAT: FloatTensorOps {
        exact {
            fn float_from_data(data: TensorData, device: &Device<B>) -> FloatTensor<B>;
            fn float_zeros(shape: Shape, device: &Device<B>, dtype: FloatDType) -> FloatTensor<B>;
            fn float_ones(shape: Shape, device: &Device<B>, dtype: FloatDType) -> FloatTensor<B>;
            fn float_full(shape: Shape, fill_value: Scalar, device: &Device<B>, dtype: FloatDType) -> FloatTensor<B>;
            fn float_device(tensor: &FloatTensor<B>) -> Device<B>;
            fn float_to_device(tensor: FloatTensor<B>, device: &Device<B>) -> FloatTensor<B>;
            fn float_empty(shape: Shape, device: &Device<B>, dtype: FloatDType) -> FloatTensor<B>;
            fn float_repeat_dim(tensor: FloatTensor<B>, dim: usize, times: usize) -> FloatTensor<B>;
            fn float_transpose(tensor: FloatTensor<B>) -> FloatTensor<B>;
            fn float_swap_dims(tensor: FloatTensor<B>, dim1: usize, dim2: usize) -> FloatTensor<B>;
            fn float_permute(tensor: FloatTensor<B>, axes: &[usize]) -> FloatTensor<B>;
            fn float_flip(tensor: FloatTensor<B>, axes: &[usize]) -> FloatTensor<B>;
            fn float_gather(dim: usize, tensor: FloatTensor<B>, indices: IntTensor<B>) -> FloatTensor<B>;
            fn float_gather_nd(_data: FloatTensor<B>, _indices: IntTensor<B>) -> FloatTensor<B>;
            fn float_select(tensor: FloatTensor<B>, dim: usize, indices: IntTensor<B>) -> FloatTensor<B>;
            fn float_slice(tensor: FloatTensor<B>, slices: &[Slice]) -> FloatTensor<B>;
            fn float_slice_assign(tensor: FloatTensor<B>, slices: &[Slice], value: FloatTensor<B>) -> FloatTensor<B>;
            fn float_mask_where(tensor: FloatTensor<B>, mask: BoolTensor<B>, value: FloatTensor<B>) -> FloatTensor<B>;
            fn float_equal(lhs: FloatTensor<B>, rhs: FloatTensor<B>, out_dtype: BoolDType) -> BoolTensor<B>;
            fn float_not_equal(lhs: FloatTensor<B>, rhs: FloatTensor<B>, out_dtype: BoolDType) -> BoolTensor<B>;
            fn float_equal_elem(lhs: FloatTensor<B>, rhs: Scalar, out_dtype: BoolDType) -> BoolTensor<B>;
            fn float_not_equal_elem(lhs: FloatTensor<B>, rhs: Scalar, out_dtype: BoolDType) -> BoolTensor<B>;
            fn float_greater(lhs: FloatTensor<B>, rhs: FloatTensor<B>, out_dtype: BoolDType) -> BoolTensor<B>;
            fn float_greater_elem(lhs: FloatTensor<B>, rhs: Scalar, out_dtype: BoolDType) -> BoolTensor<B>;
            fn float_greater_equal(lhs: FloatTensor<B>, rhs: FloatTensor<B>, out_dtype: BoolDType) -> BoolTensor<B>;
            fn float_greater_equal_elem(lhs: FloatTensor<B>, rhs: Scalar, out_dtype: BoolDType) -> BoolTensor<B>;
            fn float_lower(lhs: FloatTensor<B>, rhs: FloatTensor<B>, out_dtype: BoolDType) -> BoolTensor<B>;
            fn float_lower_elem(lhs: FloatTensor<B>, rhs: Scalar, out_dtype: BoolDType) -> BoolTensor<B>;
            fn float_lower_equal(lhs: FloatTensor<B>, rhs: FloatTensor<B>, out_dtype: BoolDType) -> BoolTensor<B>;
            fn float_lower_equal_elem(lhs: FloatTensor<B>, rhs: Scalar, out_dtype: BoolDType) -> BoolTensor<B>;
            fn float_cast(tensor: FloatTensor<B>, dtype: FloatDType) -> FloatTensor<B>;
            fn float_abs(tensor: FloatTensor<B>) -> FloatTensor<B>;
            fn float_floor(tensor: FloatTensor<B>) -> FloatTensor<B>;
            fn float_ceil(tensor: FloatTensor<B>) -> FloatTensor<B>;
            fn float_trunc(tensor: FloatTensor<B>) -> FloatTensor<B>;
            fn float_cat(tensors: Vec<FloatTensor<B>>, dim: usize) -> FloatTensor<B>;
            fn float_expand(tensor: FloatTensor<B>, shape: Shape) -> FloatTensor<B>;
            fn float_unfold(tensor: FloatTensor<B>, dim: usize, size: usize, step: usize) -> FloatTensor<B>;
            fn float_is_nan(tensor: FloatTensor<B>, out_dtype: BoolDType) -> BoolTensor<B>;
            fn float_is_inf(tensor: FloatTensor<B>, out_dtype: BoolDType) -> BoolTensor<B>;
        }
        replaced {
            fn float_random(
                shape: Shape,
                distribution: Distribution,
                device: &Device<B>,
                dtype: FloatDType,
            ) -> FloatTensor<B> {
                let count = shape.num_elements();
                let data = TensorData::new(random::floats(distribution, count), shape);
                B::float_from_data(data.convert_dtype(dtype.into()), device)
            }

            fn float_into_data(tensor: FloatTensor<B>) -> impl Future<Output = Result<TensorData, ExecutionError>> + Send {
                let device = B::float_device(&tensor);
                let read = B::float_into_data(tensor);
                async move {
                    let data = read.await?;
                    // wgpu's read is fine with a launch that failed before it; only this tells.
                    B::sync(&device)?;
                    Ok(canonical_nans(data))
                }
            }

            fn float_into_int(tensor: FloatTensor<B>, out_dtype: IntDType) -> IntTensor<B> {
                B::to_int(tensor, out_dtype)
            }

            fn float_add(lhs: FloatTensor<B>, rhs: FloatTensor<B>) -> FloatTensor<B> {
                B::combine(Operation::Add, lhs, rhs)
            }

            fn float_sub(lhs: FloatTensor<B>, rhs: FloatTensor<B>) -> FloatTensor<B> {
                B::combine(Operation::Subtract, lhs, rhs)
            }

            fn float_mul(lhs: FloatTensor<B>, rhs: FloatTensor<B>) -> FloatTensor<B> {
                B::combine(Operation::Multiply, lhs, rhs)
            }

            fn float_div(lhs: FloatTensor<B>, rhs: FloatTensor<B>) -> FloatTensor<B> {
                if divides::<B>(&lhs) {
                    B::combine(Operation::Divide, lhs, rhs)
                } else {
                    B::zip(BinaryFunction::Divide, lhs, rhs)
                }
            }

            fn float_add_scalar(lhs: FloatTensor<B>, rhs: Scalar) -> FloatTensor<B> {
                B::combine_scalar(Operation::Add, lhs, rhs)
            }

            fn float_sub_scalar(lhs: FloatTensor<B>, rhs: Scalar) -> FloatTensor<B> {
                B::combine_scalar(Operation::Subtract, lhs, rhs)
            }

            fn float_mul_scalar(lhs: FloatTensor<B>, rhs: Scalar) -> FloatTensor<B> {
                B::combine_scalar(Operation::Multiply, lhs, rhs)
            }

            fn float_neg(tensor: FloatTensor<B>) -> FloatTensor<B> {
                B::negate(tensor)
            }

            fn float_mask_fill(tensor: FloatTensor<B>, mask: BoolTensor<B>, value: Scalar) -> FloatTensor<B> {
                B::mask_fill(tensor, mask, value)
            }

            fn float_reshape(tensor: FloatTensor<B>, shape: Shape) -> FloatTensor<B> {
                B::float_reshape(B::dense(tensor), shape)
            }

            fn float_div_scalar(lhs: FloatTensor<B>, rhs: Scalar) -> FloatTensor<B> {
                if divides::<B>(&lhs) {
                    return B::combine_scalar(Operation::Divide, lhs, rhs);
                }
                let rhs = scalar::<B>(&lhs, rhs.elem());
                B::zip(BinaryFunction::Divide, lhs, rhs)
            }

            fn float_recip(tensor: FloatTensor<B>) -> FloatTensor<B> {
                if divides::<B>(&tensor) { B::float_recip(tensor) } else { B::map(Function::Recip, tensor) }
            }

            fn float_sqrt(tensor: FloatTensor<B>) -> FloatTensor<B> {
                let exact = B::capabilities(&B::float_device(&tensor)).exact_root || tensor.dtype() != DType::F32;
                if exact { B::float_sqrt(tensor) } else { B::map(Function::Sqrt, tensor) }
            }

            fn float_matmul(lhs: FloatTensor<B>, rhs: FloatTensor<B>) -> FloatTensor<B> {
                f32_only("float_matmul", &lhs);
                f32_only("float_matmul", &rhs);
                arithmetic::product::<B>(lhs, rhs)
            }

            fn float_cross(lhs: FloatTensor<B>, rhs: FloatTensor<B>, dim: usize) -> FloatTensor<B> {
                f32_only("float_cross", &lhs);
                cross::<B>(lhs, rhs, dim)
            }

            fn float_scatter_add(
                dim: usize,
                tensor: FloatTensor<B>,
                indices: IntTensor<B>,
                value: FloatTensor<B>,
            ) -> FloatTensor<B> {
                f32_only("float_scatter_add", &tensor);
                B::scatter_add(dim, tensor, indices, value)
            }

            fn float_select_add(
                tensor: FloatTensor<B>,
                dim: usize,
                indices: IntTensor<B>,
                value: FloatTensor<B>,
            ) -> FloatTensor<B> {
                f32_only("float_select_add", &tensor);
                B::select_add(tensor, dim, indices, value)
            }

            fn float_scatter_nd(
                data: FloatTensor<B>,
                indices: IntTensor<B>,
                values: FloatTensor<B>,
                reduction: IndexingUpdateOp,
            ) -> FloatTensor<B> {
                scatter::float_scatter_nd::<B>(data, indices, values, reduction)
            }

            fn float_sum(tensor: FloatTensor<B>) -> FloatTensor<B> {
                Self::float_sum_dim(flat::<B>(tensor), 0)
            }

            fn float_sum_dim(tensor: FloatTensor<B>, dim: usize) -> FloatTensor<B> {
                f32_only("float_sum_dim", &tensor);
                B::fold_dim(Fold::Sum, tensor, dim)
            }

            fn float_prod(tensor: FloatTensor<B>) -> FloatTensor<B> {
                Self::float_prod_dim(flat::<B>(tensor), 0)
            }

            fn float_prod_dim(tensor: FloatTensor<B>, dim: usize) -> FloatTensor<B> {
                f32_only("float_prod_dim", &tensor);
                B::fold_dim(Fold::Product, tensor, dim)
            }

            fn float_mean(tensor: FloatTensor<B>) -> FloatTensor<B> {
                Self::float_mean_dim(flat::<B>(tensor), 0)
            }

            fn float_mean_dim(tensor: FloatTensor<B>, dim: usize) -> FloatTensor<B> {
                let count = tensor.shape()[dim] as f32;
                Self::float_div_scalar(Self::float_sum_dim(tensor, dim), count.into())
            }

            fn float_cumsum(tensor: FloatTensor<B>, dim: usize) -> FloatTensor<B> {
                f32_only("float_cumsum", &tensor);
                B::scan_dim(Scan::Sum, tensor, dim)
            }

            fn float_cumprod(tensor: FloatTensor<B>, dim: usize) -> FloatTensor<B> {
                f32_only("float_cumprod", &tensor);
                B::scan_dim(Scan::Product, tensor, dim)
            }

            fn float_cummin(tensor: FloatTensor<B>, dim: usize) -> FloatTensor<B> {
                f32_only("float_cummin", &tensor);
                B::scan_dim(Scan::Min, tensor, dim)
            }

            fn float_cummax(tensor: FloatTensor<B>, dim: usize) -> FloatTensor<B> {
                f32_only("float_cummax", &tensor);
                B::scan_dim(Scan::Max, tensor, dim)
            }

            fn float_powi_scalar_impl(lhs: FloatTensor<B>, rhs: Scalar) -> FloatTensor<B> {
                power::<B>(lhs, rhs.elem())
            }

            fn float_powf_scalar_impl(tensor: FloatTensor<B>, value: Scalar) -> FloatTensor<B> {
                let root = |tensor| {
                    f32_only("float_powf_scalar", &tensor);
                    Self::float_sqrt(tensor)
                };
                match value.elem::<f64>() {
                    0.5 => root(tensor),
                    -0.5 => Self::float_recip(root(tensor)),
                    exponent if exponent.fract() == 0.0 && exponent.abs() < 65536.0 => power::<B>(tensor, exponent as i64),
                    exponent => Self::float_powf(tensor.clone(), scalar::<B>(&tensor, exponent)),
                }
            }

            fn float_round(tensor: FloatTensor<B>) -> FloatTensor<B> {
                f32_only("float_round", &tensor);
                B::map(Function::Round, tensor)
            }

            fn float_powi(lhs: FloatTensor<B>, rhs: IntTensor<B>) -> FloatTensor<B> {
                let dtype = lhs.dtype().into();
                Self::float_powf(lhs, B::int_into_float(rhs, dtype))
            }

            fn float_remainder(lhs: FloatTensor<B>, rhs: FloatTensor<B>) -> FloatTensor<B> {
                zip::<B>("float_remainder", BinaryFunction::Remainder, lhs, rhs)
            }

            fn float_remainder_scalar(lhs: FloatTensor<B>, rhs: Scalar) -> FloatTensor<B> {
                let rhs = scalar::<B>(&lhs, rhs.elem());
                Self::float_remainder(lhs, rhs)
            }

            fn float_argmax(tensor: FloatTensor<B>, dim: usize, out_dtype: IntDType) -> IntTensor<B> {
                f32_only("float_argmax", &tensor);
                B::arg_extremum_dim(Extremum::Max, tensor, dim, out_dtype)
            }

            fn float_argtopk(tensor: FloatTensor<B>, dim: usize, k: usize, out_dtype: IntDType) -> IntTensor<B> {
                let order = order::float_argsort::<B>(tensor, dim, true, out_dtype);
                B::int_slice(order, &leading(dim, k))
            }

            fn float_argmin(tensor: FloatTensor<B>, dim: usize, out_dtype: IntDType) -> IntTensor<B> {
                f32_only("float_argmin", &tensor);
                B::arg_extremum_dim(Extremum::Min, tensor, dim, out_dtype)
            }

            fn float_max_dim(tensor: FloatTensor<B>, dim: usize) -> FloatTensor<B> {
                f32_only("float_max_dim", &tensor);
                B::extremum_dim(Extremum::Max, tensor, dim)
            }

            fn float_min_dim(tensor: FloatTensor<B>, dim: usize) -> FloatTensor<B> {
                f32_only("float_min_dim", &tensor);
                B::extremum_dim(Extremum::Min, tensor, dim)
            }

            fn float_any(tensor: FloatTensor<B>, out_dtype: BoolDType) -> BoolTensor<B> {
                B::bool_any(nonzero::<B>(tensor, out_dtype))
            }

            fn float_any_dim(tensor: FloatTensor<B>, dim: usize, out_dtype: BoolDType) -> BoolTensor<B> {
                B::bool_any_dim(nonzero::<B>(tensor, out_dtype), dim)
            }

            fn float_all(tensor: FloatTensor<B>, out_dtype: BoolDType) -> BoolTensor<B> {
                B::bool_all(nonzero::<B>(tensor, out_dtype))
            }

            fn float_all_dim(tensor: FloatTensor<B>, dim: usize, out_dtype: BoolDType) -> BoolTensor<B> {
                B::bool_all_dim(nonzero::<B>(tensor, out_dtype), dim)
            }

            fn float_sort(tensor: FloatTensor<B>, dim: usize, descending: bool) -> FloatTensor<B> {
                let dtype = get_device_settings::<B>(&B::float_device(&tensor)).int_dtype;
                Self::float_sort_with_indices(tensor, dim, descending, dtype).0
            }

            fn float_sort_with_indices(
                tensor: FloatTensor<B>,
                dim: usize,
                descending: bool,
                indices_dtype: IntDType,
            ) -> (FloatTensor<B>, IntTensor<B>) {
                let indices = order::float_argsort::<B>(tensor.clone(), dim, descending, indices_dtype);
                (B::float_gather(dim, tensor, indices.clone()), indices)
            }

            fn float_argsort(tensor: FloatTensor<B>, dim: usize, descending: bool, out_dtype: IntDType) -> IntTensor<B> {
                order::float_argsort::<B>(tensor, dim, descending, out_dtype)
            }
        }
        fast {
            fn float_exp(tensor: FloatTensor<B>) -> FloatTensor<B> {
                f32_only("float_exp", &tensor);
                B::map(Function::Exp, tensor)
            }

            fn float_log(tensor: FloatTensor<B>) -> FloatTensor<B> {
                f32_only("float_log", &tensor);
                B::map(Function::Log, tensor)
            }

            fn float_log1p(tensor: FloatTensor<B>) -> FloatTensor<B> {
                f32_only("float_log1p", &tensor);
                B::map(Function::Log1p, tensor)
            }

            fn float_tanh(tensor: FloatTensor<B>) -> FloatTensor<B> {
                f32_only("float_tanh", &tensor);
                B::map(Function::Tanh, tensor)
            }

            fn float_erf(tensor: FloatTensor<B>) -> FloatTensor<B> {
                f32_only("float_erf", &tensor);
                B::map(Function::Erf, tensor)
            }

            fn float_cos(tensor: FloatTensor<B>) -> FloatTensor<B> {
                f32_only("float_cos", &tensor);
                B::map(Function::Cos, tensor)
            }

            fn float_sin(tensor: FloatTensor<B>) -> FloatTensor<B> {
                f32_only("float_sin", &tensor);
                B::map(Function::Sin, tensor)
            }

            fn float_tan(tensor: FloatTensor<B>) -> FloatTensor<B> {
                f32_only("float_tan", &tensor);
                B::map(Function::Tan, tensor)
            }

            fn float_cosh(tensor: FloatTensor<B>) -> FloatTensor<B> {
                f32_only("float_cosh", &tensor);
                B::map(Function::Cosh, tensor)
            }

            fn float_sinh(tensor: FloatTensor<B>) -> FloatTensor<B> {
                f32_only("float_sinh", &tensor);
                B::map(Function::Sinh, tensor)
            }

            fn float_acos(tensor: FloatTensor<B>) -> FloatTensor<B> {
                f32_only("float_acos", &tensor);
                B::map(Function::Acos, tensor)
            }

            fn float_acosh(tensor: FloatTensor<B>) -> FloatTensor<B> {
                f32_only("float_acosh", &tensor);
                B::map(Function::Acosh, tensor)
            }

            fn float_asin(tensor: FloatTensor<B>) -> FloatTensor<B> {
                f32_only("float_asin", &tensor);
                B::map(Function::Asin, tensor)
            }

            fn float_asinh(tensor: FloatTensor<B>) -> FloatTensor<B> {
                f32_only("float_asinh", &tensor);
                B::map(Function::Asinh, tensor)
            }

            fn float_atan(tensor: FloatTensor<B>) -> FloatTensor<B> {
                f32_only("float_atan", &tensor);
                B::map(Function::Atan, tensor)
            }

            fn float_atanh(tensor: FloatTensor<B>) -> FloatTensor<B> {
                f32_only("float_atanh", &tensor);
                B::map(Function::Atanh, tensor)
            }

            fn float_atan2(lhs: FloatTensor<B>, rhs: FloatTensor<B>) -> FloatTensor<B> {
                zip::<B>("float_atan2", BinaryFunction::Atan2, lhs, rhs)
            }

            fn float_powf(lhs: FloatTensor<B>, rhs: FloatTensor<B>) -> FloatTensor<B> {
                zip::<B>("float_powf", BinaryFunction::Pow, lhs, rhs)
            }
        }
        composed {
            float_clamp_min, float_clamp_max, float_clamp, float_detach, float_set_require_grad, float_is_require_grad,
            float_powi_scalar, float_powf_scalar, float_topk, float_max, float_max_dim_with_indices,
            float_min, float_min_dim_with_indices, float_max_abs, float_max_abs_dim, float_sign,
            float_grid_sample_2d,
        }
        refused {

        }
        refused_below {

        }
    }
}

/// Gives every NaN the one bit pattern that leaves a tensor: which NaN an operation makes differs between processors.
pub(super) fn canonical_nans(mut data: TensorData) -> TensorData {
    macro_rules! canonical {
        ($float:ty, $nan:expr) => {{
            let values = data.as_mut_slice::<$float>().expect("a tensor reads as its dtype");
            values.iter_mut().filter(|value| value.is_nan()).for_each(|value| *value = <$float>::from_bits($nan));
        }};
    }
    match data.dtype {
        DType::F32 => canonical!(f32, 0x7fc0_0000),
        DType::F64 => canonical!(f64, 0x7ff8_0000_0000_0000),
        DType::F16 => canonical!(f16, 0x7e00),
        DType::BF16 => canonical!(bf16, 0x7fc0),
        _ => {}
    }
    data
}

/// Refuses a tensor of another element type.
#[track_caller]
pub(super) fn f32_only(op: &str, tensor: &impl TensorMetadata) {
    if tensor.dtype() != DType::F32 {
        refuse(&format!("{op} of {:?}", tensor.dtype()))
    }
}

/// `function` of two tensors of f32.
#[track_caller]
pub(super) fn zip<B: Kernels>(
    op: &str,
    function: BinaryFunction,
    lhs: FloatTensor<B>,
    rhs: FloatTensor<B>,
) -> FloatTensor<B> {
    f32_only(op, &lhs);
    f32_only(op, &rhs);
    B::zip(function, lhs, rhs)
}

/// A number as a tensor that broadcasts to the shape of `like`.
fn scalar<B: Kernels>(like: &FloatTensor<B>, value: f64) -> FloatTensor<B> {
    let shape = Shape::from(vec![1; like.shape().num_dims()]);
    B::float_full(shape, value.into(), &B::float_device(like), like.dtype().into())
}

/// Whether the device divides numbers of this type as it should.
fn divides<B: Kernels>(tensor: &FloatTensor<B>) -> bool {
    tensor.dtype() != DType::F32 || B::capabilities(&B::float_device(tensor)).exact_division
}

fn flat<B: Kernels>(tensor: FloatTensor<B>) -> FloatTensor<B> {
    let count = tensor.shape().num_elements();
    B::float_reshape(tensor, Shape::new([count]))
}

fn nonzero<B: Kernels>(tensor: FloatTensor<B>, out_dtype: BoolDType) -> BoolTensor<B> {
    B::float_not_equal_elem(tensor, 0f32.into(), out_dtype)
}

/// Slices that keep the first `count` positions of `dim` and all of the dimensions before it.
pub(super) fn leading(dim: usize, count: usize) -> Vec<Slice> {
    let mut slices = vec![Slice::full(); dim];
    slices.push(Slice::new(0, Some(count as isize), 1));
    slices
}

/// Element i of `dim` is a\[i+1\]·b\[i+2\] − a\[i+2\]·b\[i+1\], indices modulo 3: two products and a difference, each
/// rounded.
fn cross<B: Kernels>(lhs: FloatTensor<B>, rhs: FloatTensor<B>, dim: usize) -> FloatTensor<B> {
    assert_eq!(lhs.shape()[dim], 3, "cross product along dimension {dim} of {:?}", lhs.shape());
    let element = |tensor: &FloatTensor<B>, index: usize| {
        let mut slices = vec![Slice::full(); dim];
        slices.push(Slice::new(index as isize % 3, Some(index as isize % 3 + 1), 1));
        B::float_slice(tensor.clone(), &slices)
    };
    let product = |left: usize, right: usize| B::float_mul(element(&lhs, left), element(&rhs, right));
    B::float_cat((0..3).map(|i| B::float_sub(product(i + 1, i + 2), product(i + 2, i + 1))).collect(), dim)
}

/// tensorⁿ by squaring: from the second-highest bit of |n| down, square, then multiply by the tensor if the bit is
/// set; the reciprocal of that for n < 0. One rounding per multiplication, in this order.
fn power<B: Kernels>(tensor: FloatTensor<B>, exponent: i64) -> FloatTensor<B> {
    f32_only("float_powi_scalar", &tensor);
    let bits = exponent.unsigned_abs();
    if bits == 0 {
        return B::float_ones(tensor.shape(), &B::float_device(&tensor), tensor.dtype().into());
    }
    let mut result = tensor.clone();
    for bit in (0..bits.ilog2()).rev() {
        result = B::float_mul(result.clone(), result);
        if bits >> bit & 1 == 1 {
            result = B::float_mul(result, tensor.clone());
        }
    }
    if exponent < 0 { Repro::<B>::float_recip(result) } else { result }
}
