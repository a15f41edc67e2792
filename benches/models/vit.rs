//! Patches of images as tokens.

use burn::module::{Module, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::transformer::{TransformerEncoder, TransformerEncoderConfig, TransformerEncoderInput};
use burn::nn::{Linear, LinearConfig};
use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor};
use spectramind::burn;

use super::{classes, cross_entropy, normal};

#[derive(Module, Debug)]
pub struct Net<B: Backend> {
    patches: Conv2d<B>,
    places: Param<Tensor<B, 3>>,
    encoder: TransformerEncoder<B>,
    head: Linear<B>,
}

impl<B: Backend> Net<B> {
    pub fn new(device: &B::Device) -> Self {
        let encoder = TransformerEncoderConfig::new(96, 192, 6, 2).with_norm_first(true);
        Self {
            patches: Conv2dConfig::new([3, 96], [4, 4]).with_stride([4, 4]).init(device),
            places: Param::from_tensor(normal([1, 64, 96], device)),
            encoder: encoder.init(device),
            head: LinearConfig::new(96, 10).init(device),
        }
    }

    pub fn inputs(device: &B::Device) -> (Tensor<B, 4>, Tensor<B, 1, Int>) {
        (normal([16, 3, 32, 32], device), classes([16], 10, device))
    }

    pub fn loss(&self, (images, labels): (Tensor<B, 4>, Tensor<B, 1, Int>)) -> Tensor<B, 1> {
        let tokens = self.patches.forward(images).flatten::<3>(2, 3).swap_dims(1, 2) + self.places.val();
        let x = self.encoder.forward(TransformerEncoderInput::new(tokens));
        cross_entropy(self.head.forward(x.mean_dim(1).squeeze_dim::<2>(1)), labels)
    }
}
