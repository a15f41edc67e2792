//! Negative Gaussian log-likelihood of the true spectrum, weighted as the official score weighs its terms.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::instrument::{AIRS_WAVELENGTHS, WAVELENGTHS};
use super::model::Spectrum;

/// The `loss` group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LossConfig {
    /// Which loss.
    pub name: LossName,
    /// Weight of the FGS1 wavelength.
    pub fgs1_weight: f64,
    /// Weight of each AIRS wavelength.
    pub airs_weight: f64,
}

/// The losses there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LossName {
    /// Negative Gaussian log-likelihood.
    GaussianNll,
}

impl LossConfig {
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
