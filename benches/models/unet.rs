//! Down and up again, with what was there beside it.

use burn::module::Module;
use burn::nn::PaddingConfig2d;
use burn::nn::conv::{Conv2d, Conv2dConfig, ConvTranspose2d, ConvTranspose2dConfig};
use burn::tensor::Tensor;
use burn::tensor::activation::relu;
use burn::tensor::backend::Backend;
use spectramind::burn;

use super::normal;

#[derive(Module, Debug)]
pub struct Net<B: Backend> {
    before: Conv2d<B>,
    down: Conv2d<B>,
    middle: Conv2d<B>,
    up: ConvTranspose2d<B>,
    after: Conv2d<B>,
    head: Conv2d<B>,
}

impl<B: Backend> Net<B> {
    pub fn new(device: &B::Device) -> Self {
        let conv = |from, to, stride| {
            let padding = PaddingConfig2d::Explicit(1, 1, 1, 1);
            Conv2dConfig::new([from, to], [3, 3]).with_padding(padding).with_stride([stride; 2]).init(device)
        };
        Self {
            before: conv(1, 16, 1),
            down: conv(16, 32, 2),
            middle: conv(32, 32, 1),
            up: ConvTranspose2dConfig::new([32, 16], [2, 2]).with_stride([2, 2]).init(device),
            after: conv(32, 16, 1),
            head: Conv2dConfig::new([16, 1], [1, 1]).init(device),
        }
    }

    pub fn inputs(device: &B::Device) -> (Tensor<B, 4>, Tensor<B, 4>) {
        (normal([8, 1, 64, 64], device), normal([8, 1, 64, 64], device))
    }

    pub fn loss(&self, (images, targets): (Tensor<B, 4>, Tensor<B, 4>)) -> Tensor<B, 1> {
        let before = relu(self.before.forward(images));
        let low = relu(self.middle.forward(relu(self.down.forward(before.clone()))));
        let both = Tensor::cat(vec![before, relu(self.up.forward(low))], 1);
        let out = self.head.forward(relu(self.after.forward(both)));
        (out - targets).square().mean()
    }
}
