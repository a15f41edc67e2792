//! From measured planets to a submission: what is learned from the training planets before any step (prior, scaling), and
//! the model's forward pass.
//!
//! A predictor is stored as JSON in every checkpoint, so that a checkpoint alone is enough to predict.

use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::features::{CURVES, MeasuredPlanet, SCALARS};
use super::instrument::{AIRS_WAVELENGTHS, WAVELENGTHS};
use super::light_curve_kind::LightCurveKind;
use super::model::{BUMPS, ModelConfig, ModelName, NetworkSeen, Seen, SpectrumModel};
use super::prior::SpectrumPrior;
use super::submission::Submission;

/// The model's configuration, and all that it needs beside its parameters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Predictor {
    /// The model.
    pub model: ModelConfig,
    /// The light curves that it was trained on.
    pub light_curves: LightCurveKind,
    /// Their time bins.
    pub bins: usize,
    /// What the training spectra are like.
    pub prior: SpectrumPrior,
    /// Mean of each scalar over the training planets.
    pub scalar_means: Vec<f64>,
    /// Standard deviation of each scalar over the training planets, 1 where there is none.
    pub scalar_sds: Vec<f64>,
    /// Mean of the training targets: with the next, what is predicted of a planet that nothing is known of.
    pub depth_mean: f64,
    /// Unit of the model's outputs: the standard deviation of the training targets.
    pub depth_unit: f64,
    /// Scatter of the estimate on the training planets, in its own errors: FGS1, AIRS.
    pub scales: [f64; 2],
}

/// What the model sees of one planet, on the host.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanetInputs {
    mean: Vec<f32>,
    log_sigma: Vec<f32>,
    depth: f32,
    scalars: Vec<f32>,
    curves: Vec<f32>,
}

/// What σ is multiplied by, fitted on held-out planets: FGS1, AIRS.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SigmaScale {
    /// Of the FGS1 wavelength.
    pub fgs1: f64,
    /// Of every AIRS wavelength.
    pub airs: f64,
}

impl SigmaScale {
    /// As the model says.
    pub const NONE: Self = Self { fgs1: 1.0, airs: 1.0 };
    /// Planets that count for a scale of 1, so that few planets do not move it far.
    const PRIOR_PLANETS: f64 = 8.0;

    /// The scale with which the deviations of `submission` from `truths`, `[planets, 283]`, have variance 1.
    pub fn fit(submission: &Submission, truths: &[f64]) -> Self {
        let of = |wavelengths: std::ops::Range<usize>| {
            let cells = truths.chunks_exact(WAVELENGTHS).enumerate().flat_map(|(row, truth)| {
                let wavelengths = wavelengths.clone();
                wavelengths.map(move |w| (row * WAVELENGTHS + w, truth[w]))
            });
            let squares: f64 = cells
                .map(|(cell, truth)| ((truth - submission.mean[cell]) / submission.sigma[cell]).powi(2))
                .sum::<f64>()
                / wavelengths.len() as f64;
            let planets = (truths.len() / WAVELENGTHS) as f64;
            ((squares + Self::PRIOR_PLANETS) / (planets + Self::PRIOR_PLANETS)).sqrt()
        };
        Self { fgs1: of(0..1), airs: of(1..WAVELENGTHS) }
    }

    /// Multiplies every σ of a submission.
    pub fn apply(self, submission: &mut Submission) {
        for spectrum in submission.sigma.chunks_exact_mut(WAVELENGTHS) {
            spectrum[0] *= self.fgs1;
            spectrum[1..].iter_mut().for_each(|sigma| *sigma *= self.airs);
        }
    }
}

/// Least error of an estimate, as a depth: nothing is known better than the score's ideal.
const LEAST_ERROR: f64 = 1e-6;
/// What a strength of 1 moves a component by, in its standard deviations: a network's outputs are of order 1.
const STRENGTH: f64 = 0.1;

impl Predictor {
    /// Reads what a checkpoint says of its task.
    ///
    /// # Errors
    /// Why it is no predictor, or none that anything can be predicted with.
    pub fn parse(text: &str) -> Result<Self, String> {
        let predictor: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        predictor.model.check().map_err(|error| error.to_string())?;
        let [means, sds] = [&predictor.scalar_means, &predictor.scalar_sds].map(Vec::len);
        let scalars = predictor.scalars();
        if (means, sds) != (scalars, scalars) {
            return Err(format!("expected {scalars} means and deviations of scalars, got {means} and {sds}"));
        }
        if !predictor.prior.is_whole() || predictor.prior.components.len() > predictor.model.components {
            return Err("expected a prior of 283 wavelengths and at most model.components components".into());
        }
        Ok(predictor)
    }

    /// Learns from the training planets and their true spectra (`[283]` each), in float64.
    pub fn learn(
        model: ModelConfig,
        light_curves: LightCurveKind,
        bins: usize,
        planets: &[&MeasuredPlanet],
        truths: &[&[f64]],
    ) -> Self {
        let prior = SpectrumPrior::learn(truths, model.components);
        let (depth_mean, depth_unit) = mean_and_sd(truths.iter().flat_map(|truth| truth.iter().copied()));
        let mut predictor = Self {
            model,
            light_curves,
            bins,
            prior,
            scalar_means: Vec::new(),
            scalar_sds: Vec::new(),
            depth_mean,
            depth_unit,
            scales: [1.0; 2],
        };
        let raw: Vec<Vec<f64>> = planets.iter().map(|planet| predictor.raw_scalars(planet)).collect();
        for index in 0..predictor.scalars() {
            let (mean, sd) = mean_and_sd(raw.iter().map(|scalars| scalars[index]));
            predictor.scalar_means.push(mean);
            predictor.scalar_sds.push(if sd > 0.0 { sd } else { 1.0 });
        }
        let estimates: Vec<(Vec<f64>, Vec<f64>)> = planets.iter().map(|planet| predictor.estimate(planet)).collect();
        predictor.scales = [0..1, 1..WAVELENGTHS].map(|wavelengths| {
            let squares = estimates.iter().zip(truths).flat_map(|((mean, error), truth)| {
                wavelengths.clone().map(move |w| ((truth[w] - mean[w]) / error[w]).powi(2))
            });
            // A floor keeps the first loss finite when the estimate happens to be perfect.
            mean_and_sd(squares).0.sqrt().max(1e-3)
        });
        predictor
    }

    /// Numbers that a network sees of a planet beside its light curves.
    fn scalars(&self) -> usize {
        SCALARS + self.prior.components.len()
    }

    fn raw_scalars(&self, planet: &MeasuredPlanet) -> Vec<f64> {
        let strengths = self.prior.posterior(&planet.transit).map(|posterior| posterior.strengths);
        let strengths = strengths.unwrap_or_else(|| vec![0.0; self.prior.components.len()]);
        planet.scalars.iter().copied().chain(strengths).collect()
    }

    /// Depth and error per wavelength, as the model's name says.
    fn estimate(&self, planet: &MeasuredPlanet) -> (Vec<f64>, Vec<f64>) {
        let MeasuredPlanet { transit, ratios, .. } = planet;
        let even = || vec![self.depth_unit; WAVELENGTHS];
        let own_errors = || (0..WAVELENGTHS).map(|w| transit.error(w)).collect::<Vec<_>>();
        let posterior = || self.prior.posterior(transit);
        let (mean, error) = match self.model.name {
            ModelName::WhiteLight => (vec![transit.white; WAVELENGTHS], even()),
            ModelName::ChannelRatio => (ratios.depths.clone(), ratios.errors.clone()),
            ModelName::Template => (transit.depths.clone(), own_errors()),
            ModelName::TemplatePca => (posterior().map_or_else(|| transit.depths.clone(), |post| post.mean), even()),
            ModelName::Bayes | ModelName::V50 | ModelName::V50Ssm => match posterior() {
                Some(posterior) => (posterior.mean, posterior.sd),
                None => (transit.depths.clone(), own_errors()),
            },
        };
        (mean, error.into_iter().map(|error| error.max(LEAST_ERROR)).collect())
    }

    /// The model before training, or to load parameters into.
    pub fn init<B: Backend>(&self, device: &B::Device) -> SpectrumModel<B> {
        self.model.init(self.scales, self.scalars(), self.prior.components.len(), device)
    }

    /// Scales a planet for the model.
    pub fn inputs(&self, planet: &MeasuredPlanet) -> PlanetInputs {
        let (mean, error) = self.estimate(planet);
        let scaled = |values: Vec<f64>, map: &dyn Fn(f64) -> f64| {
            values.into_iter().map(|value| map(value / self.depth_unit) as f32).collect()
        };
        let network = self.model.network.is_some();
        let scalars = if network { self.raw_scalars(planet) } else { Vec::new() };
        let standards = self.scalar_means.iter().zip(&self.scalar_sds);
        PlanetInputs {
            mean: scaled(mean, &|value| value),
            log_sigma: scaled(error, &libm::log),
            depth: (planet.transit.white / self.depth_unit) as f32,
            scalars: scalars.iter().zip(standards).map(|(value, (mean, sd))| ((value - mean) / sd) as f32).collect(),
            curves: if network { planet.curves.clone() } else { Vec::new() },
        }
    }

    /// Puts planets on a device.
    pub fn seen<B: Backend>(&self, inputs: &[&PlanetInputs], device: &B::Device) -> Seen<B> {
        let rows = inputs.len();
        let gather = |of: fn(&PlanetInputs) -> &[f32]| inputs.iter().flat_map(|planet| of(planet)).copied().collect();
        let network = self.model.network.is_some().then(|| NetworkSeen {
            depth: matrix(inputs.iter().map(|planet| planet.depth).collect(), rows, 1, device),
            scalars: matrix(gather(|planet| &planet.scalars), rows, self.scalars(), device),
            curves: Tensor::from_data(
                TensorData::new(gather(|planet| &planet.curves), [rows, CURVES, self.bins]),
                device,
            ),
            components: (!self.prior.components.is_empty())
                .then(|| matrix(self.shapes(), self.prior.components.len(), WAVELENGTHS, device)),
            bumps: matrix(bumps(), BUMPS, WAVELENGTHS, device),
        });
        Seen {
            mean: matrix(gather(|planet| &planet.mean), rows, WAVELENGTHS, device),
            log_sigma: matrix(gather(|planet| &planet.log_sigma), rows, WAVELENGTHS, device),
            network,
        }
    }

    /// `[components, 283]`: a part of each component's standard deviation, of a depth of 1.
    fn shapes(&self) -> Vec<f32> {
        let shapes = self.prior.components.iter().zip(&self.prior.variances);
        shapes.flat_map(|(unit, variance)| unit.iter().map(|v| (STRENGTH * variance.sqrt() * v) as f32)).collect()
    }

    /// Predicts planets: negative means become 0.
    pub fn predict<B: Backend>(
        &self,
        model: &SpectrumModel<B>,
        planets: &[(i64, &PlanetInputs)],
        device: &B::Device,
    ) -> Submission {
        // A tensor has no dimension of 0.
        if planets.is_empty() {
            return Submission { planet_ids: Vec::new(), mean: Vec::new(), sigma: Vec::new() };
        }
        let inputs: Vec<_> = planets.iter().map(|(_, inputs)| *inputs).collect();
        let spectrum = model.forward(self.seen(&inputs, device));
        let host = |tensor: Tensor<B, 2>, map: &dyn Fn(f64) -> f64| {
            let values: Vec<f32> = tensor.into_data().into_vec().expect("the model computes in f32");
            values.into_iter().map(|value| map(f64::from(value)) * self.depth_unit).collect()
        };
        Submission {
            planet_ids: planets.iter().map(|(planet, _)| *planet).collect(),
            mean: host(spectrum.mean, &|mean| mean.max(0.0)),
            sigma: host(spectrum.log_sigma, &libm::exp),
        }
    }

    /// Depths in the model's unit.
    pub fn scaled(&self, depths: &[f64]) -> Vec<f32> {
        depths.iter().map(|&depth| (depth / self.depth_unit) as f32).collect()
    }
}

/// `[BUMPS, 283]`: Gaussians over AIRS' channels, side by side.
fn bumps() -> Vec<f32> {
    let spacing = AIRS_WAVELENGTHS as f64 / BUMPS as f64;
    let bump = |number: usize, w: usize| match w {
        0 => 0.0,
        _ => {
            let distance = (w as f64 - 0.5) / spacing - (number as f64 + 0.5);
            libm::exp(-0.5 * distance * distance)
        }
    };
    (0..BUMPS).flat_map(|number| (0..WAVELENGTHS).map(move |w| bump(number, w) as f32)).collect()
}

/// A host matrix as a tensor.
pub(super) fn matrix<B: Backend>(values: Vec<f32>, rows: usize, columns: usize, device: &B::Device) -> Tensor<B, 2> {
    Tensor::from_data(TensorData::new(values, [rows, columns]), device)
}

/// Mean and population standard deviation, summed in order.
fn mean_and_sd(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let count = values.clone().count() as f64;
    let mean = values.clone().sum::<f64>() / count;
    let variance = values.map(|value| (value - mean) * (value - mean)).sum::<f64>() / count;
    (mean, variance.sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_makes_errors_honest_and_few_planets_move_it_little() {
        let submission = |planets: usize| Submission {
            planet_ids: (0..planets as i64).collect(),
            mean: vec![0.01; planets * WAVELENGTHS],
            sigma: vec![1e-4; planets * WAVELENGTHS],
        };
        // Twice as far off as sigma says in AIRS, and half as far in FGS1.
        let truths = |planets: usize| -> Vec<f64> {
            (0..planets * WAVELENGTHS).map(|cell| 0.01 + if cell % WAVELENGTHS == 0 { 5e-5 } else { -2e-4 }).collect()
        };
        let many = SigmaScale::fit(&submission(1000), &truths(1000));
        assert!((many.airs - 2.0).abs() < 0.02 && (many.fgs1 - 0.5).abs() < 0.02, "{many:?}");
        let few = SigmaScale::fit(&submission(1), &truths(1));
        assert!((1.0..1.3).contains(&few.airs) && (0.9..1.0).contains(&few.fgs1), "{few:?}");
        let mut scaled = submission(2);
        many.apply(&mut scaled);
        assert!((scaled.sigma[WAVELENGTHS] - 1e-4 * many.fgs1).abs() < 1e-18);
        assert!((scaled.sigma[1] - 1e-4 * many.airs).abs() < 1e-18);
    }
}
