//! `v50` and `v50_ssm`: a network that corrects an estimate by what it sees in the light curves.
//!
//! ```text
//! states  of FGS1's curve, forward and backward, beside the curves (v50_ssm)
//! curves  [17, bins] -> 4 x [conv 5, stride 2; GELU; layer norm over channels] -> mean and max over time
//! joined  with the scalars -> dropout -> hidden -> + hidden
//! out     level of FGS1 and AIRS, strength of each component | log σ of FGS1 and AIRS, of 12 bumps over AIRS
//! ```
//! Levels are in units of the estimate's own σ, so that what it knows well is moved little. The last layer starts at nothing:
//! before training the model is its estimate.

use burn::module::Module;
use burn::nn::conv::{Conv1d, Conv1dConfig};
use burn::nn::{
    Dropout, DropoutConfig, Gelu, Initializer, LayerNorm, LayerNormConfig, Linear, LinearConfig, PaddingConfig1d,
};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::states::States;
use super::{NetworkSeen, Spectrum, per_instrument};
use crate::ariel::features::CURVES;
use crate::engine::settings::{UnsupportedSetting, within};

/// Gaussian bumps over AIRS' wavelengths that log σ is corrected by.
pub const BUMPS: usize = 12;
/// Convolutions, each halving the length.
const LAYERS: usize = 4;
const KERNEL: usize = 5;

/// The network of a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NetworkConfig {
    /// Channels of the convolutions.
    #[schemars(range(min = 1, max = 1024))]
    pub channels: usize,
    /// States of the encoder of FGS1's light curve: of `v50_ssm`, none of `v50`.
    #[schemars(range(max = 256))]
    pub states: usize,
    /// Width of the hidden layers.
    #[schemars(range(min = 1, max = 16_384))]
    pub hidden: usize,
    /// Share of the joined features left out at random in training.
    #[schemars(range(min = 0, max = 1))]
    pub dropout: f64,
}

/// The network.
#[derive(Module, Debug)]
pub struct Hybrid<B: Backend> {
    states: Option<States<B>>,
    convolutions: Vec<Conv1d<B>>,
    norms: Vec<LayerNorm<B>>,
    gelu: Gelu,
    dropout: Dropout,
    joined: Linear<B>,
    residual: Linear<B>,
    output: Linear<B>,
}

/// Widths that fit into memory.
const MAX_CHANNELS: usize = 1 << 10;
const MAX_HIDDEN: usize = 1 << 14;
const MAX_STATES: usize = 1 << 8;

impl NetworkConfig {
    /// Refuses numbers that no network can be made with.
    ///
    /// # Errors
    /// The first such setting.
    pub fn check(&self) -> Result<(), UnsupportedSetting> {
        within("model.network.channels", 1..=MAX_CHANNELS, self.channels)?;
        within("model.network.states", 0..=MAX_STATES, self.states)?;
        within("model.network.hidden", 1..=MAX_HIDDEN, self.hidden)?;
        within("model.network.dropout", 0.0..=0.9, self.dropout)
    }

    /// Numbers that are trained.
    pub fn parameters(&self, scalars: usize, components: usize) -> u64 {
        let linear = |inputs: usize, outputs: usize| (inputs as u64 + 1) * outputs as u64;
        let convolution = |inputs: usize| linear(inputs * KERNEL, self.channels);
        let norms = LAYERS as u64 * 2 * self.channels as u64;
        self.states as u64
            + convolution(CURVES + state_channels(self.states))
            + (LAYERS as u64 - 1) * convolution(self.channels)
            + norms
            + linear(2 * self.channels + scalars, self.hidden)
            + linear(self.hidden, self.hidden)
            + linear(self.hidden, outputs(components))
    }

    /// A network that corrects nothing yet.
    pub fn init<B: Backend>(&self, scalars: usize, components: usize, device: &B::Device) -> Hybrid<B> {
        let convolution = |layer: usize| {
            let inputs = if layer == 0 { CURVES + state_channels(self.states) } else { self.channels };
            Conv1dConfig::new(inputs, self.channels, KERNEL)
                .with_stride(2)
                .with_padding(PaddingConfig1d::Explicit(KERNEL / 2, KERNEL / 2))
                .init(device)
        };
        Hybrid {
            states: (self.states > 0).then(|| States::new(self.states, device)),
            convolutions: (0..LAYERS).map(convolution).collect(),
            norms: (0..LAYERS).map(|_| LayerNormConfig::new(self.channels).init(device)).collect(),
            gelu: Gelu::new(),
            dropout: DropoutConfig::new(self.dropout).init(),
            joined: LinearConfig::new(2 * self.channels + scalars, self.hidden).init(device),
            residual: LinearConfig::new(self.hidden, self.hidden).init(device),
            output: LinearConfig::new(self.hidden, outputs(components))
                .with_initializer(Initializer::Zeros)
                .init(device),
        }
    }
}

/// Channels that the encoder adds: its states from either end.
fn state_channels(states: usize) -> usize {
    2 * states
}

/// Two levels, the components, two log σ, the bumps.
fn outputs(components: usize) -> usize {
    2 + components + 2 + BUMPS
}

impl<B: Backend> Hybrid<B> {
    /// A spectrum, corrected.
    pub fn correct(&self, spectrum: Spectrum<B>, seen: NetworkSeen<B>) -> Spectrum<B> {
        let [samples, _] = seen.scalars.dims();
        let components = seen.components.as_ref().map_or(0, |shapes| shapes.dims()[0]);
        let mut hidden = match &self.states {
            None => seen.curves,
            Some(states) => {
                let [_, _, bins] = seen.curves.dims();
                let fgs1 = seen.curves.clone().slice([0..samples, 0..1, 0..bins]).squeeze_dim::<2>(1);
                Tensor::cat(vec![states.forward(fgs1), seen.curves], 1)
            }
        };
        for (convolution, norm) in self.convolutions.iter().zip(&self.norms) {
            let channels_last = self.gelu.forward(convolution.forward(hidden)).swap_dims(1, 2);
            hidden = norm.forward(channels_last).swap_dims(1, 2);
        }
        let average = hidden.clone().mean_dim(2).squeeze_dim::<2>(2);
        let largest = hidden.max_dim(2).squeeze_dim::<2>(2);
        let joined = self.dropout.forward(Tensor::cat(vec![average, largest, seen.scalars], 1));
        let hidden = self.gelu.forward(self.joined.forward(joined));
        let hidden = self.gelu.forward(self.residual.forward(hidden.clone())) + hidden;
        let output = self.output.forward(hidden);
        let part = |from: usize, length: usize| output.clone().slice([0..samples, from..from + length]);
        let level = per_instrument(part(0, 2)) * spectrum.log_sigma.clone().exp();
        let shape = seen.components.map(|shapes| part(2, components).matmul(shapes) * seen.depth);
        let log_scale = per_instrument(part(2 + components, 2));
        let bumps = part(4 + components, BUMPS).matmul(seen.bumps);
        let mean = spectrum.mean + level;
        let mean = match shape {
            Some(shape) => mean + shape,
            None => mean,
        };
        Spectrum { mean, log_sigma: spectrum.log_sigma + log_scale + bumps }
    }
}
