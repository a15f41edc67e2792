//! A spatial transformer: a network says how to turn the image before another looks at it.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::activation::relu;
use burn::tensor::backend::Backend;
use burn::tensor::grid::affine_grid_2d;
use burn::tensor::ops::{GridSampleOptions, GridSamplePaddingMode, InterpolateMode};
use burn::tensor::{Int, Tensor, TensorData};
use spectramind::burn;

use super::{classes, cross_entropy, normal};

#[derive(Module, Debug)]
pub struct Net<B: Backend> {
    look: Conv2d<B>,
    turn: Linear<B>,
    conv: Conv2d<B>,
    head: Linear<B>,
}

impl<B: Backend> Net<B> {
    pub fn new(device: &B::Device) -> Self {
        let conv = |from, to| {
            let padding = PaddingConfig2d::Explicit(1, 1, 1, 1);
            Conv2dConfig::new([from, to], [3, 3]).with_padding(padding).with_stride([2, 2]).init(device)
        };
        Self {
            look: conv(3, 16),
            turn: LinearConfig::new(16, 6).init(device),
            conv: conv(3, 32),
            head: LinearConfig::new(32, 10).init(device),
        }
    }

    pub fn inputs(device: &B::Device) -> (Tensor<B, 4>, Tensor<B, 1, Int>) {
        (normal([32, 3, 32, 32], device), classes([32], 10, device))
    }

    pub fn loss(&self, (images, labels): (Tensor<B, 4>, Tensor<B, 1, Int>)) -> Tensor<B, 1> {
        let mean = |x: Tensor<B, 4>| x.flatten::<3>(2, 3).mean_dim(2).squeeze_dim::<2>(2);
        let turn = self.turn.forward(mean(relu(self.look.forward(images.clone())))) * 0.1;
        let [batch, channels, height, width] = images.dims();
        let identity = TensorData::from([[[1.0f32, 0.0, 0.0], [0.0, 1.0, 0.0]]]);
        let turn = turn.reshape([batch, 2, 3]) + Tensor::<B, 3>::from_data(identity, &images.device());
        let grid = affine_grid_2d(turn, [batch, channels, height, width]);
        let options = GridSampleOptions::new(InterpolateMode::Bilinear).with_padding_mode(GridSamplePaddingMode::Zeros);
        let turned = images.grid_sample_2d(grid, options);
        cross_entropy(self.head.forward(mean(relu(self.conv.forward(turned)))), labels)
    }
}
