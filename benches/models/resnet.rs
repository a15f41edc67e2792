//! Three residual blocks.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::activation::relu;
use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor};
use spectramind::burn;
use spectramind::engine::repro::{BatchNorm, BatchNormConfig};

use super::{classes, cross_entropy, normal};

#[derive(Module, Debug)]
struct Block<B: Backend> {
    first: Conv2d<B>,
    first_norm: BatchNorm<B>,
    second: Conv2d<B>,
    second_norm: BatchNorm<B>,
}

impl<B: Backend> Block<B> {
    fn forward(&self, x: Tensor<B, 4>) -> Tensor<B, 4> {
        let y = relu(self.first_norm.forward(self.first.forward(x.clone())));
        relu(self.second_norm.forward(self.second.forward(y)) + x)
    }
}

#[derive(Module, Debug)]
pub struct Net<B: Backend> {
    stem: Conv2d<B>,
    blocks: Vec<Block<B>>,
    head: Linear<B>,
}

impl<B: Backend> Net<B> {
    pub fn new(device: &B::Device) -> Self {
        let conv = |from, to| {
            let padding = PaddingConfig2d::Explicit(1, 1, 1, 1);
            Conv2dConfig::new([from, to], [3, 3]).with_padding(padding).with_bias(false).init(device)
        };
        let block = |_| Block {
            first: conv(32, 32),
            first_norm: BatchNormConfig::new(32).init(device),
            second: conv(32, 32),
            second_norm: BatchNormConfig::new(32).init(device),
        };
        Self {
            stem: conv(3, 32),
            blocks: (0..3).map(block).collect(),
            head: LinearConfig::new(32, 10).init(device),
        }
    }

    pub fn inputs(device: &B::Device) -> (Tensor<B, 4>, Tensor<B, 1, Int>) {
        (normal([16, 3, 32, 32], device), classes([16], 10, device))
    }

    pub fn loss(&self, (images, labels): (Tensor<B, 4>, Tensor<B, 1, Int>)) -> Tensor<B, 1> {
        let x = self.blocks.iter().fold(relu(self.stem.forward(images)), |x, block| block.forward(x));
        cross_entropy(self.head.forward(x.flatten::<3>(2, 3).mean_dim(2).squeeze_dim::<2>(2)), labels)
    }
}
