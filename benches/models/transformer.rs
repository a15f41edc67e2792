//! Two encoder layers over sequences of vectors.

use burn::module::Module;
use burn::nn::transformer::{TransformerEncoder, TransformerEncoderConfig, TransformerEncoderInput};
use burn::nn::{Linear, LinearConfig};
use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor};
use spectramind::burn;

use super::{classes, cross_entropy, normal};

#[derive(Module, Debug)]
pub struct Net<B: Backend> {
    encoder: TransformerEncoder<B>,
    head: Linear<B>,
}

impl<B: Backend> Net<B> {
    pub fn new(device: &B::Device) -> Self {
        Self {
            encoder: TransformerEncoderConfig::new(128, 256, 4, 2).init(device),
            head: LinearConfig::new(128, 10).init(device),
        }
    }

    pub fn inputs(device: &B::Device) -> (Tensor<B, 3>, Tensor<B, 1, Int>) {
        (normal([16, 64, 128], device), classes([16], 10, device))
    }

    pub fn loss(&self, (tokens, labels): (Tensor<B, 3>, Tensor<B, 1, Int>)) -> Tensor<B, 1> {
        let x = self.encoder.forward(TransformerEncoderInput::new(tokens));
        cross_entropy(self.head.forward(x.mean_dim(1).squeeze_dim::<2>(1)), labels)
    }
}
