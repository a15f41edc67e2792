//! The Ariel workload as a [`Task`]: planets are samples, spectra are targets.

use burn::tensor::Tensor;
use burn::tensor::backend::AutodiffBackend;
use rayon::prelude::*;

use super::config::{DataConfig, Fold};
use super::dataset::Targets;
use super::evaluation::Evaluation;
use super::features::MeasuredPlanet;
use super::instrument::WAVELENGTHS;
use super::light_curve_kind::LightCurveKind;
use super::loss::{LossConfig, ScoreRange};
use super::metric::{self, NaivePrediction};
use super::model::{ModelConfig, SpectrumModel};
use super::predictor::{PlanetInputs, Predictor, SigmaScale, matrix};
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

/// Planets whose loss is computed at once in an evaluation.
const LOSS_CHUNK: usize = 256;

/// Planets of one split.
#[derive(Debug, Default)]
struct Planets {
    /// Ascending.
    numbers: Vec<i64>,
    ids: Vec<String>,
    /// Made once: what is random in a step is in the model.
    inputs: Vec<PlanetInputs>,
    /// `[planets, 283]`
    truths: Vec<f64>,
}

/// Labelled planets, split for training.
#[derive(Debug)]
pub struct SpectrumTask {
    predictor: Predictor,
    loss: LossConfig,
    naive: NaivePrediction,
    splits: [Planets; 3],
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
    #[error(
        "data.val_fraction and data.test_fraction: expected planets left to train on, got {got} of {planets} held out"
    )]
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
    fn hint(&self) -> Option<String> {
        matches!(self, Self::Shares { .. }).then(|| "set smaller shares, or use a data set of more planets".into())
    }

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
    inputs: Vec<PlanetInputs>,
    /// `[samples, 283]`, in the model's unit.
    truths: Vec<f32>,
    range: ScoreRange,
}

/// Light curves of a kind, measured.
#[derive(Debug)]
pub struct Measured {
    /// The planets, in ascending order.
    pub planets: Vec<MeasuredPlanet>,
    /// Time bins of their light curves.
    pub bins: usize,
    /// Of what kind those are.
    pub kind: LightCurveKind,
}

impl SpectrumTask {
    /// Splits labelled planets and learns the prior and the scaling from the training part.
    ///
    /// # Errors
    /// When a planet has no truth, or the shares leave nothing to train on.
    pub fn new(
        measured: Measured,
        targets: &Targets,
        data: &DataConfig,
        model: &ModelConfig,
        loss: &LossConfig,
    ) -> Result<Self, SpectrumTaskError> {
        let Measured { planets, bins, kind } = measured;
        let numbers: Vec<i64> = planets.iter().map(|planet| planet.planet).collect();
        let split_of = split_planets(&numbers, data)?;
        let mut splits = [Planets::default(), Planets::default(), Planets::default()];
        for (&planet, split) in numbers.iter().zip(&split_of) {
            let row = targets.planet_ids.binary_search(&planet).map_err(|_| SpectrumTaskError::NoTruth { planet })?;
            let part = &mut splits[*split as usize];
            part.numbers.push(planet);
            part.ids.push(planet.to_string());
            part.truths.extend(&targets.depths[row * WAVELENGTHS..(row + 1) * WAVELENGTHS]);
        }
        let of_split = |split: Split| {
            let chosen = planets.iter().zip(&split_of).filter(move |(_, of)| **of == split);
            chosen.map(|(planet, _)| planet).collect::<Vec<_>>()
        };
        let train = &splits[Split::Train as usize];
        let truths: Vec<&[f64]> = train.truths.chunks_exact(WAVELENGTHS).collect();
        let predictor = Predictor::learn(model.clone(), kind, bins, &of_split(Split::Train), &truths);
        let naive = NaivePrediction::of_training_targets(&train.truths)?;
        for split in [Split::Train, Split::Val, Split::Test] {
            splits[split as usize].inputs = of_split(split).par_iter().map(|planet| predictor.inputs(planet)).collect();
        }
        Ok(Self { predictor, loss: loss.clone(), naive, splits })
    }

    fn part(&self, split: Split) -> &Planets {
        &self.splits[split as usize]
    }

    /// What was learned before any step.
    pub fn predictor(&self) -> &Predictor {
        &self.predictor
    }

    /// What σ is multiplied by: fitted on the planets held out to stop by, if there are any.
    pub fn sigma_scale<B: AutodiffBackend>(
        &self,
        model: &SpectrumModel<B::InnerBackend>,
        device: &B::Device,
    ) -> SigmaScale {
        let part = self.part(Split::Val);
        if part.numbers.is_empty() {
            return SigmaScale::NONE;
        }
        let all: Vec<usize> = (0..part.numbers.len()).collect();
        SigmaScale::fit(&self.unscaled::<B>(model, Split::Val, &all, device), &part.truths)
    }

    /// Predicts samples of a split.
    pub fn predict<B: AutodiffBackend>(
        &self,
        model: &SpectrumModel<B::InnerBackend>,
        split: Split,
        samples: &[usize],
        device: &B::Device,
    ) -> Submission {
        let mut submission = self.unscaled::<B>(model, split, samples, device);
        self.sigma_scale::<B>(model, device).apply(&mut submission);
        submission
    }

    fn unscaled<B: AutodiffBackend>(
        &self,
        model: &SpectrumModel<B::InnerBackend>,
        split: Split,
        samples: &[usize],
        device: &B::Device,
    ) -> Submission {
        let part = self.part(split);
        let planets: Vec<_> = samples.iter().map(|&sample| (part.numbers[sample], &part.inputs[sample])).collect();
        self.predictor.predict(model, &planets, device)
    }

    /// Scores samples of a split.
    ///
    /// # Errors
    /// When a prediction is none that the official score takes.
    pub fn evaluation<B: AutodiffBackend>(
        &self,
        model: &SpectrumModel<B::InnerBackend>,
        split: Split,
        samples: &[usize],
        device: &B::Device,
    ) -> Result<Evaluation, metric::MetricError> {
        let submission = self.predict::<B>(model, split, samples, device);
        let part = self.part(split);
        let truth: Vec<f64> = samples.iter().flat_map(|&sample| part.truth(sample)).copied().collect();
        Evaluation::of(&truth, &submission, self.naive)
    }

    /// Mean loss over samples of a split, summed in their order.
    fn mean_loss<B: AutodiffBackend>(
        &self,
        model: &SpectrumModel<B::InnerBackend>,
        split: Split,
        samples: &[usize],
        device: &B::Device,
    ) -> f64 {
        let sum_of = |chunk: &[usize]| {
            let SpectrumBatch { inputs, truths, range } = self.prepared(split, chunk);
            let truths = matrix(truths, chunk.len(), WAVELENGTHS, device);
            let seen = self.predictor.seen(&inputs.iter().collect::<Vec<_>>(), device);
            f64::from(to_host(&self.loss.sum(model.forward(seen), truths, &range))[0])
        };
        samples.chunks(LOSS_CHUNK).fold(0.0, |sum, chunk| sum + sum_of(chunk)) / samples.len() as f64
    }

    fn prepared(&self, split: Split, samples: &[usize]) -> SpectrumBatch {
        let part = self.part(split);
        let truths: Vec<f64> = samples.iter().flat_map(|&sample| part.truth(sample)).copied().collect();
        SpectrumBatch {
            inputs: samples.iter().map(|&sample| part.inputs[sample].clone()).collect(),
            truths: self.predictor.scaled(&truths),
            range: ScoreRange::of(&truths, self.naive, self.predictor.depth_unit),
        }
    }
}

impl Task for SpectrumTask {
    type Model<B: AutodiffBackend> = SpectrumModel<B>;
    type Batch = SpectrumBatch;

    fn init<B: AutodiffBackend>(&self, device: &B::Device) -> SpectrumModel<B> {
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
        model: &SpectrumModel<B>,
        batch: &SpectrumBatch,
        _: Moment,
        device: &B::Device,
    ) -> Tensor<B, 1> {
        let truths = matrix(batch.truths.clone(), batch.inputs.len(), WAVELENGTHS, device);
        let seen = self.predictor.seen(&batch.inputs.iter().collect::<Vec<_>>(), device);
        self.loss.sum(model.forward(seen), truths, &batch.range)
    }

    fn evaluate<B: AutodiffBackend>(
        &self,
        model: &SpectrumModel<B::InnerBackend>,
        split: Split,
        samples: &[usize],
        _: Draws,
        device: &B::Device,
    ) -> Result<Vec<Metric>, TaskError> {
        let Evaluation { score, rmse_ppm, .. } = self.evaluation::<B>(model, split, samples, device)?;
        let loss = self.mean_loss::<B>(model, split, samples, device);
        let figures = [score.official, score.unclipped, score.fgs1, score.airs, rmse_ppm, loss];
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

impl Planets {
    fn truth(&self, sample: usize) -> &[f64] {
        &self.truths[sample * WAVELENGTHS..(sample + 1) * WAVELENGTHS]
    }
}

/// Draws which planets are held out; the order of `planets` does not matter beyond being the same.
pub(super) fn split_planets(planets: &[i64], data: &DataConfig) -> Result<Vec<Split>, SpectrumTaskError> {
    let count = planets.len();
    let [val, test] = [data.val_fraction, data.test_fraction].map(|share| (share * count as f64).round() as usize);
    // Ranks to judge by: a part of them, after which those to stop by come.
    let judged = match data.fold {
        Some(Fold { of, number }) => number * count / of..(number + 1) * count / of,
        None => val..val + test,
    };
    let held_out = val + judged.len();
    if held_out >= count {
        return Err(SpectrumTaskError::Shares { got: held_out, planets: count });
    }
    let stopped_by = |rank: usize| match data.fold {
        Some(_) => (rank + count - judged.end) % count < val,
        None => rank < val,
    };
    let mut split_of = vec![Split::Train; count];
    let order = CounterRng::new(data.split_seed, Stream::SPLIT, 0).permutation(count);
    for (rank, place) in order.into_iter().enumerate() {
        if judged.contains(&rank) {
            split_of[place] = Split::Test;
        } else if stopped_by(rank) {
            split_of[place] = Split::Val;
        }
    }
    Ok(split_of)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ariel::config::tests::example;

    fn data(change: impl Fn(&mut DataConfig)) -> DataConfig {
        let mut data = example(std::path::Path::new("x")).data;
        change(&mut data);
        data
    }

    fn places(data: &DataConfig, split: Split) -> Vec<usize> {
        let planets: Vec<i64> = (0..23).collect();
        let split_of = split_planets(&planets, data).expect("planets to train on");
        (0..23).filter(|&place| split_of[place] == split).collect()
    }

    #[test]
    fn shares_are_held_out_and_something_has_to_be_left() {
        let shared = data(|data| (data.val_fraction, data.test_fraction) = (0.2, 0.1));
        assert_eq!((places(&shared, Split::Val).len(), places(&shared, Split::Test).len()), (5, 2));
        let all = data(|data| (data.val_fraction, data.test_fraction) = (0.5, 0.5));
        assert!(split_planets(&[1, 2], &all).is_err());
    }

    #[test]
    fn every_planet_is_judged_by_in_exactly_one_fold_and_never_stopped_by_there() {
        let mut judged = Vec::new();
        for number in 0..5 {
            let fold = data(|data| (data.val_fraction, data.fold) = (0.2, Some(Fold { of: 5, number })));
            assert_eq!(places(&fold, Split::Val).len(), 5);
            judged.extend(places(&fold, Split::Test));
        }
        judged.sort_unstable();
        assert_eq!(judged, (0..23).collect::<Vec<_>>());
    }
}
