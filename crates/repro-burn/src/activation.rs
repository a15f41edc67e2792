//! `ActivationOps`: Burn's own compositions, over this backend's float ops.

use burn_backend::ops::ActivationOps;
use burn_backend::tensor::FloatTensor;

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
                f32_only("relu", &tensor);
                B::map(Function::Relu, tensor)
            }

            fn relu_backward(output: FloatTensor<B>, grad: FloatTensor<B>) -> FloatTensor<B> {
                zip::<B>("relu_backward", BinaryFunction::ReluBackward, output, grad)
            }

            fn sigmoid_backward(output: FloatTensor<B>, grad: FloatTensor<B>) -> FloatTensor<B> {
                zip::<B>("sigmoid_backward", BinaryFunction::SigmoidBackward, output, grad)
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
