//! Convolutions with batch norm and pooling.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::activation::relu;
use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor};
use spectramind::burn;
use spectramind::engine::repro::{BatchNorm, BatchNormConfig};

use super::{classes, cross_entropy, normal};

#[derive(Module, Debug)]
pub struct Net<B: Backend> {
    first: Conv2d<B>,
    first_norm: BatchNorm<B>,
    second: Conv2d<B>,
    second_norm: BatchNorm<B>,
    pool: MaxPool2d,
    head: Linear<B>,
}

impl<B: Backend> Net<B> {
    pub fn new(device: &B::Device) -> Self {
        let conv = |from, to| {
            Conv2dConfig::new([from, to], [3, 3]).with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1)).init(device)
        };
        Self {
            first: conv(3, 32),
            first_norm: BatchNormConfig::new(32).init(device),
            second: conv(32, 64),
            second_norm: BatchNormConfig::new(64).init(device),
            pool: MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init(),
            head: LinearConfig::new(64 * 8 * 8, 10).init(device),
        }
    }

    pub fn inputs(device: &B::Device) -> (Tensor<B, 4>, Tensor<B, 1, Int>) {
        (normal([32, 3, 32, 32], device), classes([32], 10, device))
    }

    pub fn loss(&self, (images, labels): (Tensor<B, 4>, Tensor<B, 1, Int>)) -> Tensor<B, 1> {
        let x = self.pool.forward(relu(self.first_norm.forward(self.first.forward(images))));
        let x = self.pool.forward(relu(self.second_norm.forward(self.second.forward(x))));
        cross_entropy(self.head.forward(x.flatten(1, 3)), labels)
    }
}
