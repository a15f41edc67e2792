//! Convolutions over volumes.

use burn::module::Module;
use burn::nn::conv::{Conv3d, Conv3dConfig};
use burn::nn::{Linear, LinearConfig, PaddingConfig3d};
use burn::tensor::activation::relu;
use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor};
use spectramind::burn;

use super::{classes, cross_entropy, normal};

#[derive(Module, Debug)]
pub struct Net<B: Backend> {
    first: Conv3d<B>,
    second: Conv3d<B>,
    head: Linear<B>,
}

impl<B: Backend> Net<B> {
    pub fn new(device: &B::Device) -> Self {
        let conv = |from, to, stride| {
            let padding = PaddingConfig3d::Explicit(1, 1, 1);
            Conv3dConfig::new([from, to], [3; 3]).with_padding(padding).with_stride([stride; 3]).init(device)
        };
        Self { first: conv(1, 16, 1), second: conv(16, 32, 2), head: LinearConfig::new(32, 10).init(device) }
    }

    pub fn inputs(device: &B::Device) -> (Tensor<B, 5>, Tensor<B, 1, Int>) {
        (normal([4, 1, 16, 32, 32], device), classes([4], 10, device))
    }

    pub fn loss(&self, (volumes, labels): (Tensor<B, 5>, Tensor<B, 1, Int>)) -> Tensor<B, 1> {
        let x = relu(self.second.forward(relu(self.first.forward(volumes))));
        cross_entropy(self.head.forward(x.flatten::<3>(2, 4).mean_dim(2).squeeze_dim::<2>(2)), labels)
    }
}
