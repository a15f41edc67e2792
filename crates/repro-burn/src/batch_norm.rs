//! Batch norm as a layer: Burn's, in fewer passes, and over several parts of a batch.

use std::any::{Any, TypeId};

use burn::backend::Autodiff;
use burn::config::Config;
use burn::module::{Content, DisplaySettings, Initializer, Module, ModuleDisplay, Param, RunningState};
use burn::nn;
use burn::tensor::backend::{AutodiffBackend, Backend, BackendTypes};
use burn::tensor::{Tensor, TensorPrimitive};
use burn_backend::ops::FloatTensorOps;
use burn_backend::tensor::FloatTensor;
use burn_backend::{DType, TensorMetadata};

use super::backend::Repro;
use super::graph::{self, Normed};
use super::kernels::Kernels;
use super::statistics;

/// Configuration of a [`BatchNorm`]: that of Burn's.
#[derive(Config, Debug)]
pub struct BatchNormConfig {
    /// Channels of the input.
    pub num_features: usize,
    /// What is added to the variance, ε. Default: 1e-5.
    #[config(default = 1e-5)]
    pub epsilon: f64,
    /// Weight of a batch in the running statistics. Default: 0.1.
    #[config(default = 0.1)]
    pub momentum: f64,
}

/// Batch norm ([Ioffe and Szegedy, 2015](https://arxiv.org/abs/1502.03167)), in place of `burn::nn::BatchNorm`: the same
/// fields, records and outputs, bit for bit.
///
/// In training y = (x − mean) / √(variance + ε)·γ + β, with the statistics of each channel in the batch, and afterwards,
/// without an autodiff backend, with the running ones.
///
/// - On `Autodiff<Repro<B>>` it is one op of the graph. Its gradients are those of `NUMERICS.md`, fewer operations than Burn
///   derives, and so of other bits in the last places.
/// - Inside [`with_batch_statistics`](super::with_batch_statistics) the statistics are those of the whole batch, of which the
///   input is a part.
/// - On every other backend, and with checkpointing, it is Burn's layer.
///
/// In mixed precision it stays f32, and in native numerics as it is: as Burn's composition does.
#[derive(Module, Debug)]
#[module(custom_display)]
pub struct BatchNorm<B: Backend> {
    /// The factor of each channel, γ: `[channels]`.
    pub gamma: Param<Tensor<B, 1>>,
    /// The summand of each channel, β: `[channels]`.
    pub beta: Param<Tensor<B, 1>>,
    /// The running mean of each channel: `[channels]`.
    pub running_mean: RunningState<Tensor<B, 1>>,
    /// The running variance of each channel, of all n elements and not of n − 1: `[channels]`.
    pub running_var: RunningState<Tensor<B, 1>>,
    /// Weight of a batch in the running statistics.
    pub momentum: f64,
    /// What is added to the variance, ε.
    pub epsilon: f64,
}

impl BatchNormConfig {
    /// A layer with γ = 1, β = 0, and running statistics of mean 0 and variance 1.
    pub fn init<B: Backend>(&self, device: &B::Device) -> BatchNorm<B> {
        BatchNorm {
            gamma: Initializer::Ones.init([self.num_features], device),
            beta: Initializer::Zeros.init([self.num_features], device),
            running_mean: RunningState::new(Tensor::zeros([self.num_features], device)),
            running_var: RunningState::new(Tensor::ones([self.num_features], device)),
            momentum: self.momentum,
            epsilon: self.epsilon,
        }
    }
}

impl<B: Backend> BatchNorm<B> {
    /// The input normalised, and in training the running statistics moved on.
    ///
    /// # Shapes
    /// - input: `[batch, channels, ..]`
    /// - output: the same
    ///
    /// # Panics
    /// When the input has less than two dimensions or another number of channels; in training inside
    /// [`with_batch_statistics`](super::with_batch_statistics) on a backend whose statistics would be those of a part.
    pub fn forward<const D: usize>(&self, input: Tensor<B, D>) -> Tensor<B, D> {
        assert!(D >= 2, "batch norm of [batch, channels, ..], not of {D} dimensions");
        let (channels, features) = (input.dims()[1], self.gamma.dims()[0]);
        assert_eq!(channels, features, "channels of the input of a batch norm");
        if B::ad_enabled(&input.device())
            && let Some(out) = self.forward_as_one_op(&input)
        {
            return out;
        }
        self.as_burns().forward(input)
    }

    /// As one op of the graph, on a backend that has it.
    fn forward_as_one_op<const D: usize>(&self, input: &Tensor<B, D>) -> Option<Tensor<B, D>> {
        let out = self.forward_on::<burn_flex::Flex, D>(input);
        #[cfg(feature = "wgpu")]
        let out = out.or_else(|| self.forward_on::<burn::backend::Vulkan, D>(input));
        #[cfg(feature = "cuda")]
        let out = out.or_else(|| self.forward_on::<burn::backend::Cuda, D>(input));
        let is_part = statistics::in_force().is_some();
        assert!(
            out.is_some() || !is_part,
            "batch norm on this backend, or of this batch, has the statistics of a part"
        );
        out
    }

    /// The same, if `B` is `Autodiff<Repro<K>>` and there is something to normalise.
    fn forward_on<K: Kernels, const D: usize>(&self, input: &Tensor<B, D>) -> Option<Tensor<B, D>> {
        if TypeId::of::<B>() != TypeId::of::<Autodiff<Repro<K>>>() || input.shape().num_elements() == 0 {
            return None;
        }
        let device = input.device();
        let running = [&self.running_mean, &self.running_var].map(|state| state.value_sync().to_device(&device));
        let x = on::<B, K, D>(input.clone())?;
        let (gamma, beta) = (on::<B, K, 1>(self.gamma.val())?, on::<B, K, 1>(self.beta.val())?);
        let [running_mean, running_var] = running.map(on::<B, K, 1>);
        let running = [running_mean?.primitive, running_var?.primitive];
        let Normed { out, mean, variance } = graph::batch_norm::<K>(x, gamma, beta, self.epsilon as f32);
        // Outside of the graph, which has no use for them.
        let [mean, variance] = [(&running[0], mean), (&running[1], variance)].map(|(running, found)| {
            let kept = Repro::<K>::float_mul_scalar(running.clone(), (1.0 - self.momentum).into());
            let moved = Repro::<K>::float_add(kept, Repro::<K>::float_mul_scalar(found, self.momentum.into()));
            from::<B, K, 1>(<Autodiff<Repro<K>> as AutodiffBackend>::from_inner(moved))
        });
        self.running_mean.update(mean);
        self.running_var.update(variance);
        Some(from::<B, K, D>(out))
    }

    /// Burn's layer with these parameters and this state.
    fn as_burns(&self) -> nn::BatchNorm<B> {
        nn::BatchNorm {
            gamma: self.gamma.clone(),
            beta: self.beta.clone(),
            running_mean: self.running_mean.clone(),
            running_var: self.running_var.clone(),
            momentum: self.momentum,
            epsilon: self.epsilon,
        }
    }
}

/// The tensor as what it is if `B` is `Autodiff<Repro<K>>`, of f32.
fn on<B: Backend, K: Kernels, const D: usize>(tensor: Tensor<B, D>) -> Option<FloatTensor<Autodiff<Repro<K>>>> {
    let primitive: Box<dyn Any> = Box::new(tensor.into_primitive().tensor());
    let tensor = *primitive.downcast::<<Autodiff<Repro<K>> as BackendTypes>::FloatTensorPrimitive>().ok()?;
    (tensor.dtype() == DType::F32).then_some(tensor)
}

/// The way back of [`on`].
fn from<B: Backend, K: Kernels, const D: usize>(tensor: FloatTensor<Autodiff<Repro<K>>>) -> Tensor<B, D> {
    let primitive: Box<dyn Any> = Box::new(tensor);
    let primitive = *primitive.downcast().expect("the backend whose tensors these are");
    Tensor::from_primitive(TensorPrimitive::Float(primitive))
}

impl<B: Backend> ModuleDisplay for BatchNorm<B> {
    fn custom_settings(&self) -> Option<DisplaySettings> {
        DisplaySettings::new().with_new_line_after_attribute(false).optional()
    }

    fn custom_content(&self, content: Content) -> Option<Content> {
        let [num_features] = self.beta.shape().dims();
        content
            .add("num_features", &num_features)
            .add("momentum", &self.momentum)
            .add("epsilon", &self.epsilon)
            .optional()
    }
}

#[cfg(test)]
mod tests;
