//! Negative Gaussian log-likelihood of the true spectrum, weighted as the official score weighs its terms.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::instrument::{AIRS_WAVELENGTHS, WAVELENGTHS};
use super::model::Spectrum;
use crate::engine::settings::{UnsupportedSetting, within};

/// The `loss` group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LossConfig {
    /// Which loss.
    pub name: LossName,
    /// Weight of the FGS1 wavelength.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub fgs1_weight: f64,
    /// Weight of each AIRS wavelength.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub airs_weight: f64,
}

/// The losses there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LossName {
    /// Negative Gaussian log-likelihood.
    GaussianNll,
}

/// A weight is relative to the other one.
const MAX_WEIGHT: f64 = 1e6;

impl LossConfig {
    /// Refuses weights that say nothing.
    ///
    /// # Errors
    /// The first such setting.
    pub fn check(&self) -> Result<(), UnsupportedSetting> {
        within("loss.fgs1_weight", 0.0..=MAX_WEIGHT, self.fgs1_weight)?;
        within("loss.airs_weight", 0.0..=MAX_WEIGHT, self.airs_weight)?;
        match self.fgs1_weight + self.airs_weight > 0.0 {
            true => Ok(()),
            false => {
                let (key, expected) = ("loss.fgs1_weight and loss.airs_weight", "one of them above 0");
                Err(UnsupportedSetting::Invalid { key, expected, got: "0 and 0".into() })
            }
        }
    }

    /// Sum over samples of the weighted mean over wavelengths of `((y − μ)/σ)²/2 + log σ`, shape `[1]`.
    ///
    /// # Shapes
    /// - `truth`: `[samples, 283]`, in the spectrum's unit
    pub fn sum<B: Backend>(&self, spectrum: Spectrum<B>, truth: Tensor<B, 2>) -> Tensor<B, 1> {
        let residual = (truth - spectrum.mean) * spectrum.log_sigma.clone().neg().exp();
        let terms = (residual.clone() * residual).mul_scalar(0.5) + spectrum.log_sigma;
        let total = self.fgs1_weight + self.airs_weight * AIRS_WAVELENGTHS as f64;
        let mut weights = [(self.airs_weight / total) as f32; WAVELENGTHS];
        weights[0] = (self.fgs1_weight / total) as f32;
        let weights = Tensor::<B, 1>::from_floats(weights, &terms.device()).unsqueeze();
        (terms * weights).sum()
    }
}
