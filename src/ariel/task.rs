//! The Ariel workload as a [`Task`]: planets are samples, spectra are targets.

use burn::tensor::Tensor;
use burn::tensor::backend::AutodiffBackend;

use super::calibration::CalibConfig;
use super::config::DataConfig;
use super::dataset::Targets;
use super::instrument::WAVELENGTHS;
use super::loss::LossConfig;
use super::metric::{self, NaivePrediction};
use super::model::{ModelConfig, RatioMlp};
use super::predictor::{Inputs, LightCurveKind, MeasuredVisit, Predictor, matrix};
use super::submission::Submission;
use crate::engine::parameter::to_host;
use crate::engine::rng::{CounterRng, Stream};
use crate::engine::settings::MonitorMode;
use crate::engine::task::{DeclaredMetric, Draws, Metric, Moment, Split, Task, TaskError};
use crate::failure::{Advice, FailureKind};

/// The figures of an evaluation, in their order, and which direction of each is better.
pub const METRICS: [(&str, MonitorMode); 6] = [
    ("score", MonitorMode::Max),
    ("score_unclipped", MonitorMode::Max),
    ("score_fgs1", MonitorMode::Max),
    ("score_airs", MonitorMode::Max),
    ("rmse_ppm", MonitorMode::Min),
    ("loss", MonitorMode::Min),
];

/// [`METRICS`], as the engine asks for them.
pub fn declared_metrics() -> Vec<DeclaredMetric> {
    METRICS.iter().map(|&(name, mode)| DeclaredMetric { name: name.into(), mode }).collect()
}

/// Visits whose loss is computed at once in an evaluation.
const LOSS_CHUNK: usize = 256;

/// Visits of one split.
#[derive(Debug, Default)]
struct Visits {
    ids: Vec<String>,
    visits: Vec<MeasuredVisit>,
    /// `[visits, 283]`
    truths: Vec<f64>,
}

/// Labelled planets, split for training.
#[derive(Debug)]
pub struct SpectrumTask {
    predictor: Predictor,
    loss: LossConfig,
    naive: NaivePrediction,
    splits: [Visits; 3],
}

/// Data that no task can be made of.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SpectrumTaskError {
    /// A planet has no true spectrum.
    #[error("planet {planet}: expected a true spectrum in train.csv, got none")]
    NoTruth {
        /// The planet.
        planet: i64,
    },
    /// The held-out shares leave nothing to train on.
    #[error("data.val_fraction and data.test_fraction hold out {got} of {planets} planets: expected fewer")]
    Shares {
        /// Planets held out.
        got: usize,
        /// How many planets there are.
        planets: usize,
    },
    /// The targets cannot be scored.
    #[error("{0}")]
    Metric(#[from] metric::MetricError),
}

impl Advice for SpectrumTaskError {
    fn kind(&self) -> FailureKind {
        match self {
            Self::Shares { .. } => FailureKind::Usage,
            Self::NoTruth { .. } | Self::Metric(_) => FailureKind::Failed,
        }
    }
}

/// A batch on the host.
#[derive(Debug)]
pub struct SpectrumBatch {
    inputs: Inputs,
    truths: Vec<f32>,
    samples: usize,
}

impl SpectrumTask {
    /// Splits labelled visits by planet and learns the scaling from the training part.
    ///
    /// # Errors
    /// When a planet has no truth, or the shares leave nothing to train on.
    pub fn new(
        measured: Vec<MeasuredVisit>,
        targets: &Targets,
        data: &DataConfig,
        calib: &CalibConfig,
        model: &ModelConfig,
        loss: &LossConfig,
    ) -> Result<Self, SpectrumTaskError> {
        let mut planets: Vec<i64> = measured.iter().map(|visit| visit.planet).collect();
        planets.dedup();
        let split_of = split_planets(&planets, data)?;
        let mut splits = [Visits::default(), Visits::default(), Visits::default()];
        for visit in measured {
            let planet = visit.planet;
            let row = targets.planet_ids.binary_search(&planet).map_err(|_| SpectrumTaskError::NoTruth { planet })?;
            let place = planets.binary_search(&planet).expect("planets were collected from the visits");
            let part = &mut splits[split_of[place] as usize];
            part.ids.push(format!("{planet}/{}", visit.visit));
            part.truths.extend(&targets.depths[row * WAVELENGTHS..(row + 1) * WAVELENGTHS]);
            part.visits.push(visit);
        }
        let train = &splits[Split::Train as usize];
        let truths: Vec<&[f64]> = train.truths.chunks_exact(WAVELENGTHS).collect();
        let predictor = Predictor::learn(
            model.clone(),
            LightCurveKind::of(calib),
            &train.visits.iter().collect::<Vec<_>>(),
            &truths,
        );
        let naive = NaivePrediction::of_training_targets(&train.truths)?;
        Ok(Self { predictor, loss: loss.clone(), naive, splits })
    }

    fn part(&self, split: Split) -> &Visits {
        &self.splits[split as usize]
    }

    /// Predicts samples of a split.
    pub fn predict<B: AutodiffBackend>(
        &self,
        model: &RatioMlp<B::InnerBackend>,
        split: Split,
        samples: &[usize],
        device: &B::Device,
    ) -> Submission {
        let visits: Vec<_> = samples.iter().map(|&sample| &self.part(split).visits[sample]).collect();
        self.predictor.predict(model, &visits, device)
    }

    /// Mean loss over samples of a split, summed in their order.
    fn mean_loss<B: AutodiffBackend>(
        &self,
        model: &RatioMlp<B::InnerBackend>,
        split: Split,
        samples: &[usize],
        device: &B::Device,
    ) -> f64 {
        let sum_of = |chunk: &[usize]| {
            let SpectrumBatch { inputs, truths, samples } = self.prepared(split, chunk);
            let truths = matrix(&truths, samples, WAVELENGTHS, device);
            f64::from(to_host(&self.loss.sum(inputs.forward(model, device), truths))[0])
        };
        samples.chunks(LOSS_CHUNK).fold(0.0, |sum, chunk| sum + sum_of(chunk)) / samples.len() as f64
    }

    fn prepared(&self, split: Split, samples: &[usize]) -> SpectrumBatch {
        let part = self.part(split);
        let visits: Vec<_> = samples.iter().map(|&sample| &part.visits[sample]).collect();
        let truths: Vec<_> = samples.iter().map(|&sample| part.truth(sample)).collect();
        SpectrumBatch {
            inputs: self.predictor.inputs(&visits),
            truths: self.predictor.scaled_truths(&truths),
            samples: samples.len(),
        }
    }
}

impl Task for SpectrumTask {
    type Model<B: AutodiffBackend> = RatioMlp<B>;
    type Batch = SpectrumBatch;

    fn init<B: AutodiffBackend>(&self, device: &B::Device) -> RatioMlp<B> {
        self.predictor.init(device)
    }

    fn sample_ids(&self, split: Split) -> &[String] {
        &self.part(split).ids
    }

    fn batch(&self, split: Split, samples: &[usize], _: Draws) -> SpectrumBatch {
        self.prepared(split, samples)
    }

    fn loss<B: AutodiffBackend>(
        &self,
        model: &RatioMlp<B>,
        batch: &SpectrumBatch,
        _: Moment,
        device: &B::Device,
    ) -> Tensor<B, 1> {
        let truths = matrix(&batch.truths, batch.samples, WAVELENGTHS, device);
        self.loss.sum(batch.inputs.forward(model, device), truths)
    }

    fn evaluate<B: AutodiffBackend>(
        &self,
        model: &RatioMlp<B::InnerBackend>,
        split: Split,
        samples: &[usize],
        _: Draws,
        device: &B::Device,
    ) -> Result<Vec<Metric>, TaskError> {
        let prediction = self.predict::<B>(model, split, samples, device);
        let part = self.part(split);
        // One truth per planet, in the prediction's order.
        let mut planets: Vec<_> = samples.iter().map(|&s| (part.visits[s].planet, part.truth(s))).collect();
        planets.dedup_by_key(|(planet, _)| *planet);
        let truth: Vec<f64> = planets.iter().flat_map(|(_, truth)| truth.iter().copied()).collect();
        let score = metric::score(&truth, &prediction.mean, &prediction.sigma, self.naive)?;
        let squares: f64 = truth.iter().zip(&prediction.mean).map(|(t, m)| (t - m) * (t - m)).sum();
        let figures = [
            score.official,
            score.unclipped,
            score.fgs1,
            score.airs,
            (squares / truth.len() as f64).sqrt() * 1e6,
            self.mean_loss::<B>(model, split, samples, device),
        ];
        Ok(METRICS.iter().zip(figures).map(|(&(name, _), value)| Metric { name: name.into(), value }).collect())
    }

    fn metrics(&self) -> Option<Vec<DeclaredMetric>> {
        Some(declared_metrics())
    }

    /// Before clipping: clipped at 0, all states of a bad beginning are equal.
    fn monitor(&self) -> Option<String> {
        Some("val/score_unclipped".into())
    }

    fn describe(&self) -> String {
        serde_json::to_string(&self.predictor).expect("a predictor is plain data")
    }
}

impl Visits {
    fn truth(&self, sample: usize) -> &[f64] {
        &self.truths[sample * WAVELENGTHS..(sample + 1) * WAVELENGTHS]
    }
}

/// Draws which planets are held out; the order of `planets` does not matter beyond being the same.
fn split_planets(planets: &[i64], data: &DataConfig) -> Result<Vec<Split>, SpectrumTaskError> {
    let count = planets.len();
    let [val, test] = [data.val_fraction, data.test_fraction].map(|share| (share * count as f64).round() as usize);
    if val + test >= count {
        return Err(SpectrumTaskError::Shares { got: val + test, planets: count });
    }
    let mut split_of = vec![Split::Train; count];
    let order = CounterRng::new(data.split_seed, Stream::SPLIT, 0).permutation(count);
    for (rank, place) in order.into_iter().enumerate() {
        if rank < val {
            split_of[place] = Split::Val;
        } else if rank < val + test {
            split_of[place] = Split::Test;
        }
    }
    Ok(split_of)
}
