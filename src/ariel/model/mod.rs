//! Models: from measured planets to spectra with a σ per wavelength.
//!
//! ```text
//! µ = estimate          log σ = log of the estimate's error + scale          scale: one of FGS1, one of AIRS, trained
//! ```
//! Which estimate, the model's name says; `v50` adds to both the corrections of a network (`hybrid`). Before training, σ has
//! the scale of the estimate's scatter on the training planets, so that the first step starts from an honest one.

mod hybrid;
mod states;

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::hybrid::{BUMPS, Hybrid, NetworkConfig};
use super::features::CURVES;
use super::instrument::{AIRS_WAVELENGTHS, WAVELENGTHS};
use crate::engine::settings::{UnsupportedSetting, required, within};

/// The `model` group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// What is estimated.
    pub name: ModelName,
    /// Principal components of the training spectra in the prior.
    #[schemars(range(min = 1, max = 64))]
    pub components: usize,
    /// The network on top: of `v50` and `v50_ssm`, and of no other.
    #[serde(deserialize_with = "required")]
    pub network: Option<NetworkConfig>,
}

/// The models there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ModelName {
    /// The white-light depth at every wavelength.
    WhiteLight,
    /// In/out-of-transit ratios, channel by channel.
    ChannelRatio,
    /// Limb-darkened transits by least squares, channel by channel.
    Template,
    /// The same, drawn to the principal components of the training spectra.
    TemplatePca,
    /// The same, with the posterior's own σ.
    Bayes,
    /// The same, corrected by a network on the light curves.
    V50,
    /// The same, with a state-space encoder of FGS1's light curve.
    V50Ssm,
}

/// Mean and log σ of the depths, in units of the training targets' standard deviation.
#[derive(Debug, Clone)]
pub struct Spectrum<B: Backend> {
    /// Mean, `[samples, 283]`.
    pub mean: Tensor<B, 2>,
    /// Natural logarithm of σ, `[samples, 283]`.
    pub log_sigma: Tensor<B, 2>,
}

/// What a model sees of some planets.
#[derive(Debug, Clone)]
pub struct Seen<B: Backend> {
    /// The estimate, in units of the targets' standard deviation, `[samples, 283]`.
    pub mean: Tensor<B, 2>,
    /// Natural logarithm of its error in that unit, `[samples, 283]`.
    pub log_sigma: Tensor<B, 2>,
    /// What a network sees on top.
    pub network: Option<NetworkSeen<B>>,
}

/// What a network sees of some planets.
#[derive(Debug, Clone)]
pub struct NetworkSeen<B: Backend> {
    /// Measured white-light depth, in units of the targets' standard deviation, `[samples, 1]`.
    pub depth: Tensor<B, 2>,
    /// Standardised numbers, `[samples, scalars]`.
    pub scalars: Tensor<B, 2>,
    /// Light curves, `[samples, CURVES, bins]`.
    pub curves: Tensor<B, 3>,
    /// Shapes that spectra of a depth of 1 are corrected by, per one unit of strength, `[components, 283]`.
    /// None where a few planets had none.
    pub components: Option<Tensor<B, 2>>,
    /// Shapes that log σ is corrected by, `[BUMPS, 283]`.
    pub bumps: Tensor<B, 2>,
}

/// A model of any name.
#[derive(Module, Debug)]
pub struct SpectrumModel<B: Backend> {
    /// Logarithm of what the estimate's errors are multiplied by: FGS1, AIRS.
    log_scale: Param<Tensor<B, 1>>,
    network: Option<Hybrid<B>>,
}

/// More components than spectra have shapes.
const MAX_COMPONENTS: usize = 64;

impl ModelConfig {
    /// Refuses numbers that no model can be made with.
    ///
    /// # Errors
    /// The first such setting.
    pub fn check(&self) -> Result<(), UnsupportedSetting> {
        within("model.components", 1..=MAX_COMPONENTS, self.components)?;
        let refuse = |expected, got: &str| {
            Err(UnsupportedSetting::Invalid { key: "model.network", expected, got: got.to_owned() })
        };
        let named = matches!(self.name, ModelName::V50 | ModelName::V50Ssm);
        match &self.network {
            Some(network) if named && (network.states > 0) == (self.name == ModelName::V50Ssm) => network.check(),
            Some(_) if named => refuse("states above 0 for model.name=v50_ssm, and 0 for v50", "others"),
            None if named => refuse("{channels, states, hidden, dropout} for a model with a network", "null"),
            Some(_) => refuse("null for a model without a network", "a network"),
            None => Ok(()),
        }
    }

    /// Numbers that are trained, with so many scalars; of a model that was [checked](Self::check).
    pub fn parameters(&self, scalars: usize) -> u64 {
        2 + self.network.as_ref().map_or(0, |network| network.parameters(scalars, self.components))
    }

    /// A model whose σ starts at these multiples of the estimate's error.
    pub fn init<B: Backend>(
        &self,
        [fgs1, airs]: [f64; 2],
        scalars: usize,
        components: usize,
        device: &B::Device,
    ) -> SpectrumModel<B> {
        SpectrumModel {
            log_scale: Param::from_data([libm::log(fgs1) as f32, libm::log(airs) as f32], device),
            network: self.network.as_ref().map(|network| network.init(scalars, components, device)),
        }
    }
}

impl<B: Backend> SpectrumModel<B> {
    /// The predicted spectra.
    pub fn forward(&self, Seen { mean, log_sigma, network: seen }: Seen<B>) -> Spectrum<B> {
        let [samples, _] = mean.dims();
        let scale = per_instrument(self.log_scale.val().unsqueeze());
        let spectrum = Spectrum { mean, log_sigma: log_sigma + scale.expand([samples, WAVELENGTHS]) };
        match (&self.network, seen) {
            (Some(network), Some(seen)) => network.correct(spectrum, seen),
            _ => spectrum,
        }
    }
}

/// `[samples, 2]` of FGS1 and AIRS as `[samples, 283]`.
fn per_instrument<B: Backend>(both: Tensor<B, 2>) -> Tensor<B, 2> {
    let [samples, _] = both.dims();
    let fgs1 = both.clone().slice([0..samples, 0..1]);
    let airs = both.slice([0..samples, 1..2]).expand([samples, AIRS_WAVELENGTHS]);
    Tensor::cat(vec![fgs1, airs], 1)
}

/// Light curves as a network's channels.
const _: () = assert!(CURVES == 17, "the documented network sees FGS1 and 16 bands");
