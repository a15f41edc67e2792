//! `ActivationOps`: Burn's own compositions, over this backend's float ops.

use burn_backend::ops::{ActivationOps, FloatTensorOps};
use burn_backend::tensor::FloatTensor;

use super::backend::Repro;
use super::kernels::Kernels;
use super::table::backend_ops;

backend_ops! {
    /// How each method of `ActivationOps` is treated.
    ACTIVATION: ActivationOps {
        exact {

        }
        replaced {
            fn sigmoid(tensor: FloatTensor<B>) -> FloatTensor<B> {
                // Burn's default takes a logarithm and a second exponential.
                B::float_recip(B::float_add_scalar(Self::float_exp(B::float_neg(tensor)), 1f32.into()))
            }
        }
        composed {
            leaky_relu, relu, relu_backward, gelu, prelu, gelu_backward, sigmoid_backward, hard_sigmoid, log_sigmoid,
            softmax, log_softmax, softmin, log_sigmoid_backward,
        }
        refused {

        }
        refused_below {

        }
    }
}
