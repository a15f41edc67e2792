//! `ActivationOps`: Burn's own compositions, over this backend's float ops.

use burn_backend::ops::ActivationOps;
use burn_backend::tensor::FloatTensor;

use super::backend::Repro;
use super::float::f32_only;
use super::kernels::{Function, Kernels};
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
                // Burn's default in one pass, with the same bits.
                f32_only("gelu", &tensor);
                B::map(Function::Gelu, tensor)
            }
        }
        composed {
            leaky_relu, relu, relu_backward, prelu, gelu_backward, sigmoid_backward, hard_sigmoid, log_sigmoid,
            softmax, log_softmax, softmin, log_sigmoid_backward,
        }
        refused {

        }
        refused_below {

        }
    }
}
