//! From measured transits to a submission: the scaling learned from the training planets, and the model's forward pass.
//!
//! A predictor is stored as JSON in every checkpoint, so that a checkpoint alone is enough to predict.

use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::calibration::{CalibConfig, CalibOutput, CalibSteps, LightCurves};
use super::dataset::Star;
use super::features::{DepthError, Depths, INPUTS, transit_hours};
use super::instrument::WAVELENGTHS;
use super::model::{ModelConfig, RatioMlp};
use super::submission::Submission;
use crate::failure::{Advice, FailureKind};

/// One visit of a planet, measured.
#[derive(Debug, Clone, PartialEq)]
pub struct MeasuredVisit {
    /// The planet.
    pub planet: i64,
    /// The visit's number.
    pub visit: u32,
    /// Its transit depths.
    pub depths: Depths,
    /// The network's inputs before standardisation, `[INPUTS]`.
    pub inputs: Vec<f64>,
}

/// Light curves that cannot be turned into model inputs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MeasureError {
    /// No transit can be measured.
    #[error("planet {planet}, visit {visit}: {source}")]
    Depth {
        /// The planet.
        planet: i64,
        /// The visit.
        visit: u32,
        /// Why.
        source: DepthError,
    },
    /// The star table has no row for a planet.
    #[error("planet {planet}: expected a row in the star table, got none")]
    NoStar {
        /// The planet.
        planet: i64,
    },
}

impl Advice for MeasureError {}

/// Measures the transit of every visit; `stars` are in ascending order of planets.
///
/// # Errors
/// When a planet has no star, or a light curve no flux or too few bins.
pub fn measure(curves: &LightCurves, stars: &[Star]) -> Result<Vec<MeasuredVisit>, MeasureError> {
    let row_length = curves.bins * WAVELENGTHS;
    let rows = curves.visits.iter().zip(curves.values.chunks_exact(row_length));
    rows.map(|(visit, curve)| {
        let (planet, visit) = (visit.planet, visit.number);
        let row = stars.binary_search_by_key(&planet, |star| star.planet_id);
        let star = row.map(|row| &stars[row]).map_err(|_| MeasureError::NoStar { planet })?;
        let depths = Depths::measure(curve, transit_hours(star)).map_err(|source| MeasureError::Depth {
            planet,
            visit,
            source,
        })?;
        let inputs = depths.inputs(star);
        Ok(MeasuredVisit { planet, visit, depths, inputs })
    })
    .collect()
}

/// How light curves were made, as far as a model depends on it: on others it would predict something, but nothing right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LightCurveKind {
    /// Cubes or light curves.
    pub output: CalibOutput,
    /// AIRS-CH0 pairs of reads per time bin.
    pub airs_bin: usize,
    /// FGS1 pairs of reads per time bin.
    pub fgs1_bin: usize,
    /// Which steps were taken.
    pub steps: CalibSteps,
}

/// Light curves of another kind than a model was trained on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}={got}: expected {expected}, which the checkpoint was trained with")]
pub struct OtherLightCurves {
    /// The key that differs.
    pub key: &'static str,
    /// What the checkpoint was trained with.
    pub expected: String,
    /// What is composed now.
    pub got: String,
}

impl Advice for OtherLightCurves {
    fn hint(&self) -> Option<String> {
        let Self { key, expected, .. } = self;
        Some(format!("add {key}={expected}, and calib.out=DIR if the light curves there are of another kind"))
    }

    fn kind(&self) -> FailureKind {
        FailureKind::Usage
    }
}

impl LightCurveKind {
    /// What `config` makes.
    pub fn of(config: &CalibConfig) -> Self {
        let CalibConfig { out: _, output, airs_bin, fgs1_bin, steps } = *config;
        Self { output, airs_bin, fgs1_bin, steps }
    }

    /// Refuses another kind.
    ///
    /// # Errors
    /// The first key that differs.
    pub fn expect(&self, other: &Self) -> Result<(), OtherLightCurves> {
        let keys = |kind: &Self| {
            let output = match kind.output {
                CalibOutput::Cube => "cube",
                CalibOutput::LightCurve => "light_curve",
            };
            [
                ("calib.output", output.to_owned()),
                ("calib.airs_bin", kind.airs_bin.to_string()),
                ("calib.fgs1_bin", kind.fgs1_bin.to_string()),
                ("calib.steps.mask", kind.steps.mask.to_string()),
                ("calib.steps.linearity", kind.steps.linearity.to_string()),
                ("calib.steps.dark", kind.steps.dark.to_string()),
                ("calib.steps.flat", kind.steps.flat.to_string()),
            ]
        };
        let mut pairs = keys(self).into_iter().zip(keys(other));
        match pairs.find(|(expected, got)| expected != got) {
            Some(((key, expected), (_, got))) => Err(OtherLightCurves { key, expected, got }),
            None => Ok(()),
        }
    }
}

/// The model's architecture and the scaling of its inputs and outputs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Predictor {
    /// The architecture.
    pub model: ModelConfig,
    /// The light curves that it was trained on.
    pub light_curves: LightCurveKind,
    /// Mean of each input over the training visits.
    pub input_means: Vec<f64>,
    /// Standard deviation of each input over the training visits, 1 where there is none.
    pub input_sds: Vec<f64>,
    /// Unit of the network's outputs: the standard deviation of the training targets.
    pub depth_unit: f64,
    /// Scatter of the uncorrected FGS1 estimate on the training visits, in that unit.
    pub sigma_fgs1: f64,
    /// The same for AIRS.
    pub sigma_airs: f64,
}

/// Model inputs on the host, for some visits.
#[derive(Debug, Clone, PartialEq)]
pub struct Inputs {
    samples: usize,
    inputs: Vec<f32>,
    white: Vec<f32>,
    depths: Vec<f32>,
}

impl Predictor {
    /// Reads what a checkpoint says of its task.
    ///
    /// # Errors
    /// Why it is no predictor, or none that anything can be predicted with.
    pub fn parse(text: &str) -> Result<Self, String> {
        let predictor: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        predictor.model.check().map_err(|error| error.to_string())?;
        let [means, sds] = [&predictor.input_means, &predictor.input_sds].map(Vec::len);
        if (means, sds) != (INPUTS, INPUTS) {
            return Err(format!("expected {INPUTS} means and deviations of inputs, got {means} and {sds}"));
        }
        Ok(predictor)
    }

    /// Learns the scaling from the training visits and their true spectra (`[283]` each), in float64.
    pub fn learn(
        model: ModelConfig,
        light_curves: LightCurveKind,
        visits: &[&MeasuredVisit],
        truths: &[&[f64]],
    ) -> Self {
        let column = |index: usize| visits.iter().map(move |visit| visit.inputs[index]);
        let moments: Vec<_> = (0..INPUTS).map(|index| mean_and_sd(column(index))).collect();
        let (_, depth_unit) = mean_and_sd(truths.iter().flat_map(|truth| truth.iter().copied()));
        let residual_rms = |wavelengths: std::ops::Range<usize>| {
            let squares = visits.iter().zip(truths).flat_map(|(visit, truth)| {
                wavelengths.clone().map(|w| {
                    let (white, own) = (visit.depths.white, visit.depths.depths[w]);
                    let residual = (white + model.channel_trust * (own - white) - truth[w]) / depth_unit;
                    residual * residual
                })
            });
            // A floor keeps the first loss finite when the estimate happens to be perfect.
            mean_and_sd(squares).0.sqrt().max(1e-3)
        };
        Self {
            input_means: moments.iter().map(|moments| moments.0).collect(),
            input_sds: moments.iter().map(|moments| if moments.1 > 0.0 { moments.1 } else { 1.0 }).collect(),
            depth_unit,
            sigma_fgs1: residual_rms(0..1),
            sigma_airs: residual_rms(1..WAVELENGTHS),
            model,
            light_curves,
        }
    }

    /// The model before training, or to load parameters into.
    pub fn init<B: Backend>(&self, device: &B::Device) -> RatioMlp<B> {
        self.model.init(self.sigma_fgs1, self.sigma_airs, device)
    }

    /// Scales visits for the model.
    pub fn inputs(&self, visits: &[&MeasuredVisit]) -> Inputs {
        let scaled = |depth: f64| (depth / self.depth_unit) as f32;
        let standardised = visits.iter().flat_map(|visit| {
            (0..INPUTS).map(|i| ((visit.inputs[i] - self.input_means[i]) / self.input_sds[i]) as f32)
        });
        Inputs {
            samples: visits.len(),
            inputs: standardised.collect(),
            white: visits.iter().map(|visit| scaled(visit.depths.white)).collect(),
            depths: visits.iter().flat_map(|visit| visit.depths.depths.iter().map(|&d| scaled(d))).collect(),
        }
    }

    /// Predicts planets: negative means become 0, several visits of a planet are averaged.
    ///
    /// `visits` must be in ascending order of planets.
    pub fn predict<B: Backend>(
        &self,
        model: &RatioMlp<B>,
        visits: &[&MeasuredVisit],
        device: &B::Device,
    ) -> Submission {
        let mut submission = Submission { planet_ids: Vec::new(), mean: Vec::new(), sigma: Vec::new() };
        for planet in visits.chunk_by(|a, b| a.planet == b.planet) {
            let inputs = self.inputs(planet);
            let spectrum = inputs.forward(model, device);
            let average = |tensor: Tensor<B, 2>, map: &dyn Fn(f64) -> f64| {
                let values = host(tensor);
                let mean = |w: usize| {
                    let sum: f64 = (0..planet.len()).map(|row| map(f64::from(values[row * WAVELENGTHS + w]))).sum();
                    sum / planet.len() as f64
                };
                (0..WAVELENGTHS).map(mean).collect::<Vec<_>>()
            };
            submission.planet_ids.push(planet[0].planet);
            submission.mean.extend(average(spectrum.mean, &|mean| (mean * self.depth_unit).max(0.0)));
            submission.sigma.extend(average(spectrum.log_sigma, &|log| libm::exp(log) * self.depth_unit));
        }
        submission
    }

    /// True spectra in the model's unit.
    pub fn scaled_truths(&self, truths: &[&[f64]]) -> Vec<f32> {
        truths.iter().flat_map(|truth| truth.iter().map(|&depth| (depth / self.depth_unit) as f32)).collect()
    }
}

impl Inputs {
    /// Runs the model over these visits.
    pub fn forward<B: Backend>(&self, model: &RatioMlp<B>, device: &B::Device) -> super::model::Spectrum<B> {
        let tensor = |values: &[f32], width: usize| matrix(values, self.samples, width, device);
        model.forward(tensor(&self.inputs, INPUTS), tensor(&self.white, 1), tensor(&self.depths, WAVELENGTHS))
    }
}

/// A host matrix as a tensor.
pub(super) fn matrix<B: Backend>(values: &[f32], rows: usize, columns: usize, device: &B::Device) -> Tensor<B, 2> {
    Tensor::from_data(TensorData::new(values.to_vec(), [rows, columns]), device)
}

fn host<B: Backend>(tensor: Tensor<B, 2>) -> Vec<f32> {
    tensor.into_data().into_vec().expect("the model computes in f32")
}

/// Mean and population standard deviation, summed in order.
fn mean_and_sd(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let count = values.clone().count() as f64;
    let mean = values.clone().sum::<f64>() / count;
    let variance = values.map(|value| (value - mean) * (value - mean)).sum::<f64>() / count;
    (mean, variance.sqrt())
}
