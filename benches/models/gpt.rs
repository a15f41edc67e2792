//! Causal attention with rotary positions, predicting the next token.

use burn::module::Module;
use burn::nn::{
    Embedding, EmbeddingConfig, LayerNorm, LayerNormConfig, Linear, LinearConfig, RotaryEncoding, RotaryEncodingConfig,
};
use burn::tensor::activation::{gelu, softmax};
use burn::tensor::backend::Backend;
use burn::tensor::{Bool, Int, Tensor};
use spectramind::burn;

use super::{classes, cross_entropy};

const HEADS: usize = 4;
const WIDTH: usize = 128;
const LENGTH: usize = 64;
const VOCABULARY: usize = 256;

#[derive(Module, Debug)]
struct Block<B: Backend> {
    attention_norm: LayerNorm<B>,
    query_key_value: Linear<B>,
    output: Linear<B>,
    mlp_norm: LayerNorm<B>,
    up: Linear<B>,
    down: Linear<B>,
}

impl<B: Backend> Block<B> {
    fn new(device: &B::Device) -> Self {
        let linear = |from, to| LinearConfig::new(from, to).init(device);
        Self {
            attention_norm: LayerNormConfig::new(WIDTH).init(device),
            query_key_value: linear(WIDTH, 3 * WIDTH),
            output: linear(WIDTH, WIDTH),
            mlp_norm: LayerNormConfig::new(WIDTH).init(device),
            up: linear(WIDTH, 4 * WIDTH),
            down: linear(4 * WIDTH, WIDTH),
        }
    }

    fn forward(&self, x: Tensor<B, 3>, rotary: &RotaryEncoding<B>, mask: Tensor<B, 4, Bool>) -> Tensor<B, 3> {
        let [batch, length, width] = x.dims();
        let heads = |x: Tensor<B, 3>| x.reshape([batch, length, HEADS, width / HEADS]).swap_dims(1, 2);
        let parts = self.query_key_value.forward(self.attention_norm.forward(x.clone()));
        let [query, key, value] = [0, 1, 2].map(|part| heads(parts.clone().narrow(2, part * width, width)));
        let scores = rotary.forward(query).matmul(rotary.forward(key).transpose()) / ((width / HEADS) as f64).sqrt();
        let weights = softmax(scores.mask_fill(mask, -1e9), 3);
        let x = x + self.output.forward(weights.matmul(value).swap_dims(1, 2).reshape([batch, length, width]));
        x.clone() + self.down.forward(gelu(self.up.forward(self.mlp_norm.forward(x))))
    }
}

#[derive(Module, Debug)]
pub struct Net<B: Backend> {
    tokens: Embedding<B>,
    rotary: RotaryEncoding<B>,
    blocks: Vec<Block<B>>,
    norm: LayerNorm<B>,
    head: Linear<B>,
}

impl<B: Backend> Net<B> {
    pub fn new(device: &B::Device) -> Self {
        Self {
            tokens: EmbeddingConfig::new(VOCABULARY, WIDTH).init(device),
            rotary: RotaryEncodingConfig::new(LENGTH, WIDTH / HEADS).init(device),
            blocks: (0..2).map(|_| Block::new(device)).collect(),
            norm: LayerNormConfig::new(WIDTH).init(device),
            head: LinearConfig::new(WIDTH, VOCABULARY).init(device),
        }
    }

    pub fn inputs(device: &B::Device) -> (Tensor<B, 2, Int>, Tensor<B, 1, Int>) {
        (classes([8, LENGTH], VOCABULARY, device), classes([8 * LENGTH], VOCABULARY, device))
    }

    pub fn loss(&self, (tokens, next): (Tensor<B, 2, Int>, Tensor<B, 1, Int>)) -> Tensor<B, 1> {
        let mask = Tensor::<B, 2, Bool>::tril_mask([LENGTH, LENGTH], 0, &tokens.device()).unsqueeze::<4>();
        let x = self.tokens.forward(tokens);
        let x = self.blocks.iter().fold(x, |x, block| block.forward(x, &self.rotary, mask.clone()));
        cross_entropy(self.head.forward(self.norm.forward(x)).flatten::<2>(0, 1), next)
    }
}
