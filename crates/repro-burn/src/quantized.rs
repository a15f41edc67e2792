//! `QTensorOps`: quantised bytes can be carried, but neither made nor used.

use burn_backend::ops::QTensorOps;
use burn_backend::quantization::{QuantScheme, QuantizationParametersPrimitive};
use burn_backend::tensor::{Device, FloatTensor, IntTensor, QuantizedTensor};
use burn_backend::{ExecutionError, FloatDType, Shape, Slice, TensorData};

use super::backend::Repro;
use super::kernels::Kernels;
use super::table::backend_ops;

backend_ops! {
    /// How each method of `QTensorOps` is treated.
    QUANTIZED: QTensorOps {
        exact {
            fn q_from_data(data: TensorData, device: &Device<B>) -> QuantizedTensor<B>;
            fn q_device(tensor: &QuantizedTensor<B>) -> Device<B>;
            fn q_to_device(tensor: QuantizedTensor<B>, device: &Device<B>) -> QuantizedTensor<B>;
            fn q_reshape(tensor: QuantizedTensor<B>, shape: Shape) -> QuantizedTensor<B>;
            fn q_into_data(tensor: QuantizedTensor<B>) -> impl Future<Output = Result<TensorData, ExecutionError>> + Send;
            fn q_expand(tensor: QuantizedTensor<B>, shape: Shape) -> QuantizedTensor<B>;
            fn q_swap_dims(tensor: QuantizedTensor<B>, dim1: usize, dim2: usize) -> QuantizedTensor<B>;
            fn q_permute(tensor: QuantizedTensor<B>, axes: &[usize]) -> QuantizedTensor<B>;
            fn q_flip(tensor: QuantizedTensor<B>, axes: &[usize]) -> QuantizedTensor<B>;
            fn q_select(tensor: QuantizedTensor<B>, dim: usize, indices: IntTensor<B>) -> QuantizedTensor<B>;
            fn q_slice(tensor: QuantizedTensor<B>, slices: &[Slice]) -> QuantizedTensor<B>;
        }
        replaced {

        }
        composed {
            q_detach, q_set_require_grad, q_is_require_grad, q_transpose,
        }
        refused {
            fn quantize(
                tensor: FloatTensor<B>,
                scheme: &QuantScheme,
                qparams: QuantizationParametersPrimitive<Repro<B>>,
            ) -> QuantizedTensor<B>;
            fn quantize_dynamic(tensor: FloatTensor<B>, scheme: &QuantScheme) -> QuantizedTensor<B>;
            fn dequantize(tensor: QuantizedTensor<B>, dtype: FloatDType) -> FloatTensor<B>;
        }
        refused_below {
            q_gather, q_repeat_dim, q_add, q_add_scalar, q_clamp_min, q_clamp_max, q_clamp, q_sub, q_sub_scalar, q_mul,
            q_mul_scalar, q_div, q_div_scalar, q_matmul, q_neg, q_recip, q_sum, q_sum_dim, q_prod, q_prod_dim, q_mean,
            q_mean_dim, q_cumsum, q_cumprod, q_cummin, q_cummax, q_exp, q_log, q_log1p, q_powf, q_powi, q_powi_scalar,
            q_powf_scalar, q_sqrt, q_abs, q_cos, q_sin, q_tan, q_cosh, q_sinh, q_tanh, q_erf, q_cat, q_argmax, q_argtopk,
            q_topk, q_argmin, q_max, q_max_dim, q_max_dim_with_indices, q_min, q_min_dim, q_min_dim_with_indices,
            q_max_abs, q_max_abs_dim, q_any, q_any_dim, q_all, q_all_dim, q_sort, q_sort_with_indices, q_argsort,
        }
    }
}
