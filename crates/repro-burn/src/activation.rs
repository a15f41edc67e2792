//! `ActivationOps`: Burn's own compositions, over this backend's float ops.

use burn_backend::ops::ActivationOps;
use burn_backend::tensor::FloatTensor;
use burn_backend::{DType, TensorMetadata, get_device_settings};

use super::backend::Repro;
use super::float::{f32_only, zip};
use super::kernels::{BinaryFunction, Function, Kernels};
use super::table::backend_ops;

backend_ops! {
    /// How each method of `ActivationOps` is treated.
    ACTIVATION: ActivationOps {
        exact {

        }
        replaced {
            fn sigmoid(tensor: FloatTensor<B>) -> FloatTensor<B> {
                // Burn's default takes a logarithm and a second exponential.
                f32_only("sigmoid", &tensor);
                B::map(Function::Sigmoid, tensor)
            }

            fn gelu(tensor: FloatTensor<B>) -> FloatTensor<B> {
                // Burn's default in one pass, with the same bits; so are those below.
                f32_only("gelu", &tensor);
                B::map(Function::Gelu, tensor)
            }

            fn gelu_backward(x: FloatTensor<B>, grad: FloatTensor<B>) -> FloatTensor<B> {
                zip::<B>("gelu_backward", BinaryFunction::GeluBackward, x, grad)
            }

            fn relu(tensor: FloatTensor<B>) -> FloatTensor<B> {
                if tensor.dtype() == DType::F32 { B::map(Function::Relu, tensor) } else { rectified::<B>(tensor.clone(), tensor) }
            }

            fn relu_backward(output: FloatTensor<B>, grad: FloatTensor<B>) -> FloatTensor<B> {
                if output.dtype() == DType::F32 {
                    zip::<B>("relu_backward", BinaryFunction::ReluBackward, output, grad)
                } else {
                    rectified::<B>(output, grad)
                }
            }

            fn sigmoid_backward(output: FloatTensor<B>, grad: FloatTensor<B>) -> FloatTensor<B> {
                if output.dtype() == DType::F32 {
                    return zip::<B>("sigmoid_backward", BinaryFunction::SigmoidBackward, output, grad);
                }
                let rest = B::float_add_scalar(B::float_neg(output.clone()), 1f32.into());
                B::float_mul(B::float_mul(output, rest), grad)
            }
        }
        composed {
            leaky_relu, prelu, hard_sigmoid, log_sigmoid, softmax, log_softmax, softmin, log_sigmoid_backward,
        }
        refused {

        }
        refused_below {

        }
    }
}

/// `values` with zeros where `signs` is not above zero, for floats that are not f32.
fn rectified<B: Kernels>(signs: FloatTensor<B>, values: FloatTensor<B>) -> FloatTensor<B> {
    let dtype = get_device_settings::<B>(&B::float_device(&signs)).bool_dtype;
    let mask = B::float_lower_equal_elem(signs, 0f32.into(), dtype);
    B::float_mask_fill(values, mask, 0f32.into())
}
