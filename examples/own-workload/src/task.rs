//! The model, its losses, and what is measured: plain Burn.

use schemars::JsonSchema;
use serde::Deserialize;
use spectramind::burn::{self, module::Module, nn, nn::conv};
use spectramind::burn::tensor::{ElementConversion, Tensor, TensorData, activation};
use spectramind::prelude::*;

use crate::{CLASSES, PIXELS, SIZE};

/// The config group `loss`.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(tag = "name", rename_all = "snake_case", deny_unknown_fields)]
pub enum Loss {
    CrossEntropy { smoothing: f64 },
    Focal { gamma: f64 },
}

impl Loss {
    /// The sum over images, of log-probabilities and one-hot classes, both `[images, classes]`.
    fn sum<B: Backend>(self, log_p: Tensor<B, 2>, truth: Tensor<B, 2>) -> Tensor<B, 1> {
        let weights = match self {
            Self::CrossEntropy { smoothing } => truth * (1.0 - smoothing) + smoothing / CLASSES.len() as f64,
            Self::Focal { gamma } => truth * (1.0 - log_p.clone().exp()).powf_scalar(gamma),
        };
        (log_p * weights).sum().neg()
    }
}

#[derive(Module, Debug)]
pub struct Net<B: Backend> {
    first: conv::Conv2d<B>,
    second: conv::Conv2d<B>,
    out: nn::Linear<B>,
}

impl<B: Backend> Net<B> {
    /// Log-probabilities of the classes, `[images, classes]`, and the one-hot classes of a batch.
    fn forward(&self, (pixels, classes): &(TensorData, TensorData), device: &B::Device) -> [Tensor<B, 2>; 2] {
        let hidden = activation::relu(self.first.forward(Tensor::<B, 4>::from_data(pixels.clone(), device)));
        let hidden = activation::relu(self.second.forward(hidden));
        let log_p = activation::log_softmax(self.out.forward(hidden.flatten(1, 3)), 1);
        [log_p, Tensor::from_data(classes.clone(), device)]
    }
}

pub struct ShapesTask {
    images: Vec<u8>,
    loss: Loss,
    /// The names of the images of each split.
    names: [Vec<String>; 3],
}

impl ShapesTask {
    /// Of every ten images one is for validation, one for the final test.
    pub fn new(images: Vec<u8>, loss: Loss) -> Self {
        let mut names = [const { Vec::new() }; 3];
        for image in 0..images.len() / (1 + PIXELS) {
            let split = [Split::Val, Split::Test].get(image % 10).copied().unwrap_or(Split::Train);
            names[split as usize].push(image.to_string());
        }
        Self { images, loss, names }
    }

    pub fn predictions<B: Backend>(&self, model: &Net<B>, device: &B::Device) -> String {
        let names = &self.names[Split::Test as usize];
        let [log_p, _] = model.forward(&self.prepared(names.iter(), |_| false), device);
        let classes = log_p.argmax(1).into_data();
        let line = |(name, class)| format!("{name},{}\n", CLASSES[class as usize]);
        names.iter().zip(classes.iter::<i64>()).map(line).collect()
    }
}
