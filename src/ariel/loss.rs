//! What is minimised: the official score, or the Gaussian log-likelihood that it is made of.
//!
//! ```text
//! likelihood  ((y − µ)/σ)²/2 + log σ
//! score       − s,  s = (L(prediction) − L(naive)) / (L(ideal) − L(naive)), straight above −3, a logarithm below
//! ```
//! Both are means over wavelengths with the official weights. On top, where their weight is not 0: how rough the spectrum is,
//! how far it is below nothing, how far neighbouring channels differ more than the truth does.

use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, activation};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::instrument::{AIRS_WAVELENGTHS, WAVELENGTHS};
use super::metric::{AIRS_IDEAL_SIGMA, FGS1_IDEAL_SIGMA, NaivePrediction};
use super::model::Spectrum;
use super::predictor::matrix;
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
    /// Weight of the mean square of the second difference of µ over AIRS, in units of the targets' standard deviation.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub smoothness: f64,
    /// Weight of the mean square of what of µ is below 0.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub non_negativity: f64,
    /// Weight of the mean square of the error of the difference of neighbouring AIRS channels.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub band_coherence: f64,
}

/// The losses there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LossName {
    /// Negative Gaussian log-likelihood.
    GaussianNll,
    /// Negative official score.
    OfficialScore,
}

/// A weight is relative to the other ones.
const MAX_WEIGHT: f64 = 1e6;
/// Below this the score of a cell counts as a logarithm: one planet that is far off must not be all that is learned from.
const SOFT_BELOW: f64 = -3.0;

/// What the score of a cell is measured between, in the model's unit.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoreRange {
    /// L(naive) without its constant, `[samples, 283]`.
    naive: Vec<f32>,
    /// 1 / (L(ideal) − L(naive)), `[samples, 283]`.
    per_unit: Vec<f32>,
}

impl ScoreRange {
    /// Of true depths, `[samples, 283]`, in float64.
    pub fn of(truths: &[f64], naive: NaivePrediction, depth_unit: f64) -> Self {
        let log_density = |residual: f64, sigma: f64| -0.5 * (residual / sigma).powi(2) - libm::log(sigma / depth_unit);
        let ideal = |cell: usize| {
            let sigma = if cell.is_multiple_of(WAVELENGTHS) { FGS1_IDEAL_SIGMA } else { AIRS_IDEAL_SIGMA };
            log_density(0.0, sigma)
        };
        let naive: Vec<f64> = truths.iter().map(|truth| log_density(truth - naive.mean, naive.sigma)).collect();
        let per_unit = naive.iter().enumerate().map(|(cell, naive)| (1.0 / (ideal(cell) - naive)) as f32);
        Self { per_unit: per_unit.collect(), naive: naive.iter().map(|&naive| naive as f32).collect() }
    }
}

impl LossConfig {
    /// Refuses weights that say nothing.
    ///
    /// # Errors
    /// The first such setting.
    pub fn check(&self) -> Result<(), UnsupportedSetting> {
        let weights = [
            ("loss.fgs1_weight", self.fgs1_weight),
            ("loss.airs_weight", self.airs_weight),
            ("loss.smoothness", self.smoothness),
            ("loss.non_negativity", self.non_negativity),
            ("loss.band_coherence", self.band_coherence),
        ];
        weights.into_iter().try_for_each(|(key, weight)| within(key, 0.0..=MAX_WEIGHT, weight))?;
        match self.fgs1_weight + self.airs_weight > 0.0 {
            true => Ok(()),
            false => {
                let (key, expected) = ("loss.fgs1_weight and loss.airs_weight", "one of them above 0");
                Err(UnsupportedSetting::Invalid { key, expected, got: "0 and 0".into() })
            }
        }
    }

    /// Sum over samples of the loss, shape `[1]`.
    ///
    /// # Shapes
    /// - `truth`: `[samples, 283]`, in the spectrum's unit
    pub fn sum<B: Backend>(&self, spectrum: Spectrum<B>, truth: Tensor<B, 2>, range: &ScoreRange) -> Tensor<B, 1> {
        let [samples, _] = truth.dims();
        let device = truth.device();
        let Spectrum { mean, log_sigma } = spectrum;
        let error = truth - mean.clone();
        let residual = error.clone() * log_sigma.clone().neg().exp();
        let likelihood = (residual.clone() * residual).mul_scalar(0.5) + log_sigma;
        let terms = match self.name {
            LossName::GaussianNll => likelihood,
            LossName::OfficialScore => {
                let of = |values: &[f32]| matrix(values.to_vec(), samples, WAVELENGTHS, &device);
                let score = (likelihood + of(&range.naive)).neg() * of(&range.per_unit);
                // What a score is below the bend, and how much of that is taken back.
                let below = activation::relu(score.clone().neg().add_scalar(SOFT_BELOW));
                (score + below.clone() - below.add_scalar(1.0).log()).neg()
            }
        };
        let total = self.fgs1_weight + self.airs_weight * AIRS_WAVELENGTHS as f64;
        let mut weights = [(self.airs_weight / total) as f32; WAVELENGTHS];
        weights[0] = (self.fgs1_weight / total) as f32;
        let weights = Tensor::<B, 1>::from_floats(weights, &device).unsqueeze();
        let mut sum = (terms * weights).sum();
        let airs = |tensor: &Tensor<B, 2>| tensor.clone().slice([0..samples, 1..WAVELENGTHS]);
        let square = |tensor: Tensor<B, 2>| (tensor.clone() * tensor).mean_dim(1).sum();
        if self.smoothness > 0.0 {
            sum = sum + square(difference(difference(airs(&mean)))).mul_scalar(self.smoothness as f32);
        }
        if self.non_negativity > 0.0 {
            sum = sum + square(activation::relu(mean.neg())).mul_scalar(self.non_negativity as f32);
        }
        if self.band_coherence > 0.0 {
            sum = sum + square(difference(airs(&error))).mul_scalar(self.band_coherence as f32);
        }
        sum
    }
}

/// Each column less the one before it.
fn difference<B: Backend>(tensor: Tensor<B, 2>) -> Tensor<B, 2> {
    let [rows, columns] = tensor.dims();
    tensor.clone().slice([0..rows, 1..columns]) - tensor.slice([0..rows, 0..columns - 1])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ariel::metric;
    use crate::engine::PortableCpu;

    const NAIVE: NaivePrediction = NaivePrediction { mean: 0.013, sigma: 0.01 };
    const UNIT: f64 = 0.01;

    fn config(name: LossName) -> LossConfig {
        let (fgs1_weight, airs_weight) = (metric::FGS1_WEIGHT, 1.0);
        LossConfig { name, fgs1_weight, airs_weight, smoothness: 0.0, non_negativity: 0.0, band_coherence: 0.0 }
    }

    /// Truths, means and deviations of two planets; errors in units of σ are `z` at most.
    fn planets(z: f64) -> [Vec<f64>; 3] {
        let wave = |cell: usize| libm::sin(cell as f64 * 2.399_963);
        let truths: Vec<f64> = (0..2 * WAVELENGTHS).map(|cell| 0.012 + 2e-4 * wave(cell)).collect();
        let sigmas: Vec<f64> = (0..2 * WAVELENGTHS).map(|cell| 1e-4 * (1.5 + wave(3 * cell))).collect();
        let means = truths.iter().zip(&sigmas).enumerate();
        [means.map(|(cell, (truth, sigma))| truth + z * sigma * wave(7 * cell)).collect(), truths, sigmas]
    }

    fn loss(config: &LossConfig, [means, truths, sigmas]: &[Vec<f64>; 3]) -> f64 {
        let device = Default::default();
        let scaled = |values: &[f64], map: fn(f64) -> f64| {
            let values = values.iter().map(|value| map(value / UNIT) as f32).collect();
            matrix::<PortableCpu>(values, truths.len() / WAVELENGTHS, WAVELENGTHS, &device)
        };
        let spectrum = Spectrum { mean: scaled(means, |mean| mean), log_sigma: scaled(sigmas, libm::log) };
        let range = ScoreRange::of(truths, NAIVE, UNIT);
        config.sum(spectrum, scaled(truths, |truth| truth), &range).into_data().to_vec::<f32>().expect("f32")[0].into()
    }

    #[test]
    fn the_loss_of_good_predictions_is_the_negative_official_score() {
        let planets = planets(1.5);
        let [means, truths, sigmas] = &planets;
        let score = metric::score(truths, means, sigmas, NAIVE).expect("scored").unclipped;
        let got = -loss(&config(LossName::OfficialScore), &planets) / 2.0;
        assert!((got - score).abs() < 1e-4, "{got} and {score}");
    }

    #[test]
    fn a_prediction_that_is_far_off_counts_as_a_logarithm() {
        let far = |z: f64| loss(&config(LossName::OfficialScore), &planets(z));
        let [near, off, further] = [10.0, 1e3, 1e4].map(far);
        assert!(near < off && off < further && further < 60.0, "{near} {off} {further}");
        // The likelihood itself grows with the square.
        assert!(loss(&config(LossName::GaussianNll), &planets(1e4)) > 1e6);
    }

    #[test]
    fn what_is_added_is_nothing_of_a_true_and_smooth_spectrum_and_grows_with_its_fault() {
        let base = config(LossName::GaussianNll);
        let added = |change: &dyn Fn(&mut LossConfig), planets: &[Vec<f64>; 3]| {
            let mut with = base.clone();
            change(&mut with);
            loss(&with, planets) - loss(&base, planets)
        };
        let smoothness: &dyn Fn(&mut LossConfig) = &|config| config.smoothness = 1e3;
        let negativity: &dyn Fn(&mut LossConfig) = &|config| config.non_negativity = 1e3;
        let coherence: &dyn Fn(&mut LossConfig) = &|config| config.band_coherence = 1e3;
        let flat = [vec![0.012; WAVELENGTHS], vec![0.012; WAVELENGTHS], vec![1e-4; WAVELENGTHS]];
        let mut below = flat.clone();
        below[0][5] = -0.001;
        for change in [smoothness, negativity, coherence] {
            assert!(added(change, &flat).abs() < 1e-3 && added(change, &below) > 0.01);
        }
        assert!(added(negativity, &planets(1.0)).abs() < 1e-2);
    }
}
