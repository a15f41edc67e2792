//! An LSTM and a GRU, one after the other.

use burn::module::Module;
use burn::nn::gru::{Gru, GruConfig};
use burn::nn::{Linear, LinearConfig, Lstm, LstmConfig};
use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor};
use spectramind::burn;

use super::{classes, cross_entropy, normal};

#[derive(Module, Debug)]
pub struct Net<B: Backend> {
    lstm: Lstm<B>,
    gru: Gru<B>,
    head: Linear<B>,
}

impl<B: Backend> Net<B> {
    pub fn new(device: &B::Device) -> Self {
        Self {
            lstm: LstmConfig::new(64, 128, true).init(device),
            gru: GruConfig::new(128, 128, true).init(device),
            head: LinearConfig::new(128, 10).init(device),
        }
    }

    pub fn inputs(device: &B::Device) -> (Tensor<B, 3>, Tensor<B, 1, Int>) {
        (normal([32, 32, 64], device), classes([32], 10, device))
    }

    pub fn loss(&self, (series, labels): (Tensor<B, 3>, Tensor<B, 1, Int>)) -> Tensor<B, 1> {
        let (hidden, _) = self.lstm.forward(series, None);
        let hidden = self.gru.forward(hidden, None);
        cross_entropy(self.head.forward(hidden.mean_dim(1).squeeze_dim::<2>(1)), labels)
    }
}
