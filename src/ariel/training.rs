//! The workload end to end, as the commands and a replay use it: data to task to trained model to predictions.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Duration;

use burn::module::AutodiffModule;
use burn::tensor::backend::AutodiffBackend;

use super::config::{EvaluateConfig, PredictConfig, TrainConfig};
use super::dataset::{DataError, Targets};
use super::metric::{self, MetricError, NaivePrediction, Score};
use super::predictor::{MeasureError, MeasuredVisit, Predictor, measure};
use super::preparation::{self, PreparationError, Progress, read_light_curves};
use super::submission::{PlanetMismatch, Submission};
use super::task::{SpectrumTask, SpectrumTaskError};
use crate::digest::Blake3Digest;
use crate::engine::device::{Device, Job};
use crate::engine::fit::{Event, Exit, FitError, FitPlan, fit};
use crate::engine::repro::with_arithmetic;
use crate::engine::run_dir::{RunDirError, RunDirectory};
use crate::engine::settings::SupportedTrainer;
use crate::engine::snapshot::{CheckpointError, Snapshot};
use crate::engine::state::{SnapshotMismatch, load_parameters};
use crate::engine::task::{Metric, Split, Task};

/// Predictions for the held-out planets, inside the run directory.
pub const PREDICTIONS: &str = "predictions.csv";

/// A training, prediction or evaluation that failed.
#[derive(Debug, thiserror::Error)]
pub enum TrainingError {
    /// The data cannot be had.
    #[error("{0}")]
    Preparation(#[from] PreparationError),
    /// The light curves cannot be used.
    #[error("{0}")]
    Measure(#[from] MeasureError),
    /// The labels or the shares cannot be used.
    #[error("{0}")]
    Task(#[from] SpectrumTaskError),
    /// The loop failed.
    #[error("{0}")]
    Fit(#[from] FitError),
    /// A file of the run cannot be written.
    #[error("{0}")]
    RunDir(#[from] RunDirError),
    /// A table cannot be read or written.
    #[error("{0}")]
    Data(#[from] DataError),
    /// A checkpoint cannot be read.
    #[error("{0}")]
    Checkpoint(#[from] CheckpointError),
    /// A checkpoint does not fit.
    #[error("{0}")]
    Mismatch(#[from] SnapshotMismatch),
    /// A checkpoint of another workload.
    #[error("checkpoint {path}: expected one of the Ariel workload, got another's ({reason})")]
    Foreign {
        /// The file.
        path: String,
        /// Why it is thought so.
        reason: String,
    },
    /// A submission that cannot be scored.
    #[error("{0}")]
    Metric(#[from] MetricError),
    /// A submission with other planets than the truth.
    #[error("the submission does not hold the planets of {truth}: {source}", truth = truth.display())]
    Planets {
        /// The table of truths.
        truth: PathBuf,
        /// Which planet.
        source: PlanetMismatch,
    },
}

/// What training ended with.
#[derive(Debug, Clone, PartialEq)]
pub struct Trained {
    /// Why it ended.
    pub exit: Exit,
    /// Optimizer steps done.
    pub steps: u64,
    /// Digest of the final state.
    pub state_digest: Blake3Digest,
    /// Figures on the held-out planets.
    pub metrics: Vec<Metric>,
    /// Number of held-out samples that they were computed over.
    pub test_samples: u64,
    /// Most bytes of device memory held after any step; 0 on the CPU, `None` where it cannot be told.
    pub peak_device_bytes: Option<u64>,
}

/// How a training goes beside its config.
pub struct TrainingRun<'a> {
    /// The checked trainer profile.
    pub trainer: &'a SupportedTrainer,
    /// Where to compute.
    pub device: &'a Device,
    /// Where to go on from.
    pub checkpoint: Option<Snapshot>,
    /// Stop after this many steps in all.
    pub stop_after_steps: Option<u64>,
    /// Wall-clock time since this process began the run.
    pub elapsed: &'a (dyn Fn() -> Duration + Sync),
}

/// Makes sure that data and light curves are there: simulates and calibrates what is missing.
///
/// # Errors
/// When they cannot be had.
pub fn prepare(config: &TrainConfig, progress: &mut dyn FnMut(Progress<'_>)) -> Result<(), TrainingError> {
    preparation::ensure_data_set(&config.data, &config.sim, progress)?;
    Ok(preparation::ensure_light_curves(&config.data, &config.calib, progress)?)
}

/// Builds the task from data and light curves that are there.
///
/// # Errors
/// When they cannot be used.
pub fn build_task(config: &TrainConfig) -> Result<SpectrumTask, TrainingError> {
    let (data_set, curves) = read_light_curves(&config.data, &config.calib)?;
    let measured = measure(&curves, &data_set.stars(config.data.split)?)?;
    let targets = data_set.targets(config.data.split)?;
    Ok(SpectrumTask::new(measured, &targets, &config.data, &config.model, &config.loss)?)
}

/// Trains into `run` and writes the predictions for the held-out planets.
///
/// # Errors
/// See [`TrainingError`].
pub fn train(
    config: &TrainConfig,
    task: &SpectrumTask,
    training: TrainingRun<'_>,
    run: &mut RunDirectory,
    observer: &mut dyn FnMut(Event<'_>) -> ControlFlow<()>,
) -> Result<Trained, TrainingError> {
    let plan = FitPlan {
        trainer: training.trainer,
        optimizer: config.optimizer,
        audit: config.audit,
        batch_size: config.data.batch_size,
        stop_after_steps: training.stop_after_steps,
        elapsed: training.elapsed,
    };
    let mut peak_device_bytes = Some(0);
    let mut watched = |event: Event<'_>| {
        if let Event::Step { .. } = event {
            peak_device_bytes = peak_device_bytes.zip(training.device.held_bytes()).map(|(peak, held)| peak.max(held));
        }
        observer(event)
    };
    let fitting = Fitting { task, plan: &plan, checkpoint: training.checkpoint, run, observer: &mut watched };
    let trained = training.device.run(fitting)?;
    Ok(Trained { peak_device_bytes, ..trained })
}

/// Training and the predictions after it, on any backend.
struct Fitting<'a> {
    task: &'a SpectrumTask,
    plan: &'a FitPlan<'a>,
    checkpoint: Option<Snapshot>,
    run: &'a mut RunDirectory,
    observer: &'a mut dyn FnMut(Event<'_>) -> ControlFlow<()>,
}

impl Job for Fitting<'_> {
    type Output = Result<Trained, TrainingError>;

    fn run<B: AutodiffBackend>(self, device: &B::Device) -> Self::Output {
        let Self { task, plan, checkpoint, run, observer } = self;
        let done = fit::<B, _>(task, plan, checkpoint, run, observer, device)?;
        let held_out: Vec<_> = (0..Task::<B>::sample_ids(task, Split::Test).len()).collect();
        let predict = || task.predict::<B>(&done.model, Split::Test, &held_out, device);
        with_arithmetic(plan.arithmetic(), predict).write(&run.root().join(PREDICTIONS))?;
        Ok(Trained {
            exit: done.exit,
            steps: done.steps,
            state_digest: done.state_digest,
            metrics: done.metrics,
            test_samples: done.test_samples,
            peak_device_bytes: None,
        })
    }
}

/// Predicts a split of a data set with a checkpoint, which was [`read`](Snapshot::read) before.
///
/// # Errors
/// See [`TrainingError`].
pub fn predict(
    config: &PredictConfig,
    snapshot: &Snapshot,
    device: &Device,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Submission, TrainingError> {
    let predictor: Predictor = serde_json::from_str(&snapshot.progress.task).map_err(|error| {
        TrainingError::Foreign { path: config.checkpoint.display().to_string(), reason: error.to_string() }
    })?;
    preparation::ensure_light_curves(&config.data, &config.calib, progress)?;
    let (data_set, curves) = read_light_curves(&config.data, &config.calib)?;
    let measured = measure(&curves, &data_set.stars(config.data.split)?)?;
    device.run(Prediction { predictor: &predictor, snapshot, measured: &measured })
}

/// Prediction with the arithmetic that the checkpoint was trained in, on any backend.
struct Prediction<'a> {
    predictor: &'a Predictor,
    snapshot: &'a Snapshot,
    measured: &'a [MeasuredVisit],
}

impl Job for Prediction<'_> {
    type Output = Result<Submission, TrainingError>;

    fn run<B: AutodiffBackend>(self, device: &B::Device) -> Self::Output {
        let model = load_parameters::<B, _>(self.predictor.init(device), self.snapshot, device)?;
        let model = AutodiffModule::<B>::valid(&model);
        let visits: Vec<_> = self.measured.iter().collect();
        let predict = || self.predictor.predict(&model, &visits, device);
        Ok(with_arithmetic(self.snapshot.progress.arithmetic, predict))
    }
}

/// Scores a submission by a table of truths.
///
/// # Errors
/// When a table cannot be read, a planet has no truth, or the submission would be rejected.
pub fn evaluate(config: &EvaluateConfig) -> Result<Score, TrainingError> {
    let submission = Submission::read(&config.submission)?;
    let truths = Targets::read(&config.truth)?;
    let naive = NaivePrediction::of_training_targets(&Targets::read(&config.naive)?.depths)?;
    let (mean, sigma) = submission
        .for_planets(&truths.planet_ids)
        .map_err(|source| TrainingError::Planets { truth: config.truth.clone(), source })?;
    Ok(metric::score(&truths.depths, &mean, &sigma, naive)?)
}
