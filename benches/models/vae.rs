//! A variational autoencoder.

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::{relu, sigmoid};
use burn::tensor::backend::Backend;
use burn::tensor::{Distribution, Tensor};
use spectramind::burn;

use super::normal;

#[derive(Module, Debug)]
pub struct Net<B: Backend> {
    encode: Linear<B>,
    mean: Linear<B>,
    log_variance: Linear<B>,
    decode: Linear<B>,
    head: Linear<B>,
}

impl<B: Backend> Net<B> {
    pub fn new(device: &B::Device) -> Self {
        let linear = |from, to| LinearConfig::new(from, to).init(device);
        Self {
            encode: linear(784, 256),
            mean: linear(256, 32),
            log_variance: linear(256, 32),
            decode: linear(32, 256),
            head: linear(256, 784),
        }
    }

    pub fn inputs(device: &B::Device) -> Tensor<B, 2> {
        normal([256, 784], device)
    }

    pub fn loss(&self, x: Tensor<B, 2>) -> Tensor<B, 1> {
        let hidden = relu(self.encode.forward(x.clone()));
        let (mean, log_variance) = (self.mean.forward(hidden.clone()), self.log_variance.forward(hidden));
        let noise = mean.random_like(Distribution::Normal(0.0, 1.0));
        let code = mean.clone() + noise * (log_variance.clone() * 0.5).exp();
        let out = sigmoid(self.head.forward(relu(self.decode.forward(code))));
        let divergence = (log_variance.clone() + 1.0 - mean.square() - log_variance.exp()).mean() * -0.5;
        (out - x).square().mean() + divergence
    }
}
