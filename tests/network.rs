//! A small network of Burn's own building blocks: what a user of the library brings, and nothing of ours in it.

use burn::module::Module;
use burn::nn::attention::{MhaInput, MultiHeadAttention, MultiHeadAttentionConfig};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::{BatchNorm, BatchNormConfig, Gelu, Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::backend::Backend;
use burn::tensor::{Distribution, Int, Tensor};
use spectramind::burn;

/// Side of the square images.
const SIDE: usize = 16;
/// Channels of an image.
const CHANNELS: usize = 3;
/// Classes to tell apart.
const CLASSES: usize = 10;

/// Two convolutions, batch norm, GELU, attention over the pixels that are left, a linear layer.
#[derive(Module, Debug)]
pub struct Network<B: Backend> {
    first: Conv2d<B>,
    norm: BatchNorm<B>,
    gelu: Gelu,
    second: Conv2d<B>,
    attention: MultiHeadAttention<B>,
    head: Linear<B>,
}

impl<B: Backend> Network<B> {
    pub fn new(device: &B::Device) -> Self {
        let padding = PaddingConfig2d::Explicit(1, 1, 1, 1);
        Self {
            first: Conv2dConfig::new([CHANNELS, 16], [3, 3]).with_padding(padding.clone()).init(device),
            norm: BatchNormConfig::new(16).init(device),
            gelu: Gelu::new(),
            second: Conv2dConfig::new([16, 32], [3, 3]).with_padding(padding).with_stride([2, 2]).init(device),
            attention: MultiHeadAttentionConfig::new(32, 4).with_dropout(0.1).init(device),
            head: LinearConfig::new(32, CLASSES).init(device),
        }
    }

    /// Class scores, `[batch, classes]`, of `images`, `[batch, channels, side, side]`.
    pub fn forward(&self, images: Tensor<B, 4>) -> Tensor<B, 2> {
        let hidden = self.gelu.forward(self.norm.forward(self.first.forward(images)));
        let hidden = self.gelu.forward(self.second.forward(hidden));
        let [batch, channels, height, width] = hidden.dims();
        let tokens = hidden.reshape([batch, channels, height * width]).swap_dims(1, 2);
        let attended = self.attention.forward(MhaInput::self_attn(tokens)).context;
        self.head.forward(attended.mean_dim(1).squeeze_dim(1))
    }

    /// Mean cross entropy of a batch.
    pub fn loss(&self, images: Tensor<B, 4>, classes: Tensor<B, 1, Int>) -> Tensor<B, 1> {
        let scores = self.forward(images);
        CrossEntropyLossConfig::new().init(&scores.device()).forward(scores, classes)
    }
}

/// A batch of random images and classes; drawn inside a `with_random` scope.
pub fn batch<B: Backend>(size: usize, device: &B::Device) -> (Tensor<B, 4>, Tensor<B, 1, Int>) {
    let images = Tensor::random([size, CHANNELS, SIDE, SIDE], Distribution::Normal(0.0, 1.0), device);
    let classes = Tensor::<B, 1>::random([size], Distribution::Uniform(0.0, CLASSES as f64), device).int();
    (images, classes)
}
