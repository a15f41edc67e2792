//! The model: measured depths, corrected by a small network, with a σ of their own per wavelength.
//!
//! ```text
//! μ = white + trust ⊙ (depths − white) + mean(relu(hidden(x)))
//! log σ = base + level(relu(hidden(x)))        one level for FGS1 and one for AIRS
//! ```
//! Before training μ is the white-light depth with `channel_trust` of each channel's own, and σ the scatter of that on
//! the training planets, so that the first step already starts from an honest estimate.

use burn::module::{Module, Param};
use burn::nn::{Initializer, Linear, LinearConfig};
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, activation};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::features::INPUTS;
use super::instrument::{AIRS_WAVELENGTHS, WAVELENGTHS};
use crate::engine::settings::{UnsupportedSetting, within};

/// The `model` group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// The architecture.
    pub name: ModelName,
    /// Width of the hidden layer.
    #[schemars(range(min = 1, max = 16_384))]
    pub hidden: usize,
    /// How far each channel's own ratio is trusted over the white-light one before training, 0 to 1.
    #[schemars(range(min = 0, max = 1))]
    pub channel_trust: f64,
}

/// The architectures there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ModelName {
    /// In/out-of-transit ratios and a multi-layer perceptron.
    RatioMlp,
}

/// Mean and log σ of the depths, in units of the training targets' standard deviation.
#[derive(Debug, Clone)]
pub struct Spectrum<B: Backend> {
    /// Mean, `[samples, 283]`.
    pub mean: Tensor<B, 2>,
    /// Natural logarithm of σ, `[samples, 283]`.
    pub log_sigma: Tensor<B, 2>,
}

/// The network and its per-wavelength parameters.
#[derive(Module, Debug)]
pub struct RatioMlp<B: Backend> {
    hidden: Linear<B>,
    mean: Linear<B>,
    level: Linear<B>,
    trust: Param<Tensor<B, 1>>,
    log_sigma: Param<Tensor<B, 1>>,
}

/// Width of the hidden layer: five million parameters.
const MAX_HIDDEN: usize = 1 << 14;

impl ModelConfig {
    /// Refuses numbers that no model can be made with.
    ///
    /// # Errors
    /// The first such setting.
    pub fn check(&self) -> Result<(), UnsupportedSetting> {
        within("model.hidden", 1..=MAX_HIDDEN, self.hidden)?;
        within("model.channel_trust", 0.0..=1.0, self.channel_trust)
    }

    /// Numbers that are trained; of a model that was [checked](Self::check).
    pub fn parameters(&self) -> u64 {
        let linear = |inputs: usize, outputs: usize| (inputs as u64 + 1) * outputs as u64;
        linear(INPUTS, self.hidden) + linear(self.hidden, WAVELENGTHS + 2) + 2 * WAVELENGTHS as u64
    }

    /// A model whose σ starts at `sigma_fgs1` and `sigma_airs`, in units of the targets' standard deviation.
    pub fn init<B: Backend>(&self, sigma_fgs1: f64, sigma_airs: f64, device: &B::Device) -> RatioMlp<B> {
        // Corrections start at nothing.
        let zero = |outputs| LinearConfig::new(self.hidden, outputs).with_initializer(Initializer::Zeros).init(device);
        let mut log_sigma = vec![libm::log(sigma_airs) as f32; WAVELENGTHS];
        log_sigma[0] = libm::log(sigma_fgs1) as f32;
        RatioMlp {
            hidden: LinearConfig::new(INPUTS, self.hidden).init(device),
            mean: zero(WAVELENGTHS),
            level: zero(2),
            trust: Param::from_data([self.channel_trust as f32; WAVELENGTHS], device),
            log_sigma: Param::from_data(log_sigma.as_slice(), device),
        }
    }
}

impl<B: Backend> RatioMlp<B> {
    /// The predicted spectra.
    ///
    /// # Shapes
    /// - `inputs`: `[samples, INPUTS]`, standardised
    /// - `white`: `[samples, 1]`, `depths`: `[samples, 283]`, in units of the targets' standard deviation
    pub fn forward(&self, inputs: Tensor<B, 2>, white: Tensor<B, 2>, depths: Tensor<B, 2>) -> Spectrum<B> {
        let [samples, _] = inputs.dims();
        let hidden = activation::relu(self.hidden.forward(inputs));
        let own = (depths - white.clone()) * self.trust.val().unsqueeze();
        let level = self.level.forward(hidden.clone());
        let fgs1 = level.clone().slice([0..samples, 0..1]);
        let airs = level.slice([0..samples, 1..2]).expand([samples, AIRS_WAVELENGTHS]);
        Spectrum {
            mean: own + white + self.mean.forward(hidden),
            log_sigma: Tensor::cat(vec![fgs1, airs], 1) + self.log_sigma.val().unsqueeze(),
        }
    }
}
