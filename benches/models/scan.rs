//! A selective scan like Mamba's: a state that decays and takes in as the input says, by two running sums.

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::{sigmoid, silu};
use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor};
use spectramind::burn;

use super::{classes, cross_entropy, normal};

#[derive(Module, Debug)]
pub struct Net<B: Backend> {
    decay: Linear<B>,
    input: Linear<B>,
    gate: Linear<B>,
    head: Linear<B>,
}

impl<B: Backend> Net<B> {
    pub fn new(device: &B::Device) -> Self {
        let linear = |to| LinearConfig::new(64, to).init(device);
        Self { decay: linear(64), input: linear(64), gate: linear(64), head: linear(10) }
    }

    pub fn inputs(device: &B::Device) -> (Tensor<B, 3>, Tensor<B, 1, Int>) {
        (normal([32, 128, 64], device), classes([32], 10, device))
    }

    pub fn loss(&self, (series, labels): (Tensor<B, 3>, Tensor<B, 1, Int>)) -> Tensor<B, 1> {
        // h_t = a_t h_(t-1) + b_t, as exp(c_t) times the running sum of b_t exp(-c_t), c the running sum of log a.
        let rate = sigmoid(self.decay.forward(series.clone())) * 0.1 + 0.9;
        let kept = rate.log().cumsum(1);
        let taken = self.input.forward(series.clone()) * kept.clone().neg().exp();
        let state = taken.cumsum(1) * kept.exp();
        let out = state * silu(self.gate.forward(series));
        cross_entropy(self.head.forward(out.mean_dim(1).squeeze_dim::<2>(1)), labels)
    }
}
