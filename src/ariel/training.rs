//! The workload end to end, as the commands and a replay use it: data to task to trained model to predictions.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use burn::module::AutodiffModule;
use burn::tensor::backend::AutodiffBackend;

use super::config::{CheckedTrain, EvaluateConfig, PredictConfig};
use super::dataset::{DataError, Targets};
use super::metric::{self, MetricError, NaivePrediction, Score};
use super::predictor::{LightCurveKind, MeasureError, MeasuredVisit, OtherLightCurves, Predictor, measure};
use super::preparation::{self, Labels, PreparationError, Progress, read_light_curves};
use super::submission::{PlanetMismatch, Submission};
use super::task::{SpectrumTask, SpectrumTaskError};
use crate::digest::Blake3Digest;
use crate::engine::device::{Device, Job};
use crate::engine::fit::{self, Event, Exit, FitError, FitPlan, fit};
use crate::engine::repro::with_arithmetic;
use crate::engine::run_dir::{RunDirError, RunDirectory};
use crate::engine::settings::UnsupportedSetting;
use crate::engine::snapshot::{CheckpointError, Snapshot};
use crate::engine::state::{SnapshotMismatch, load_parameters};
use crate::engine::task::{Metric, Split, Task};
use crate::failure::{Advice, FailureKind};
use crate::provenance::data::ListedFiles;

/// Predictions for the held-out planets, inside the run directory.
pub const PREDICTIONS: &str = "predictions.csv";

/// A training, prediction or evaluation that failed.
#[derive(Debug, thiserror::Error)]
pub enum TrainingError {
    /// A setting is wrong.
    #[error("{0}")]
    Setting(#[from] UnsupportedSetting),
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
    /// A checkpoint that was trained on other light curves than those composed now.
    #[error("{0}")]
    LightCurves(#[from] OtherLightCurves),
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

impl Advice for TrainingError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Setting(error) => error.hint(),
            Self::Preparation(error) => error.hint(),
            Self::Measure(error) => error.hint(),
            Self::Task(error) => error.hint(),
            Self::Fit(error) => error.hint(),
            Self::RunDir(error) => error.hint(),
            Self::Data(error) => error.hint(),
            Self::Checkpoint(error) => error.hint(),
            Self::Mismatch(error) => error.hint(),
            Self::LightCurves(error) => error.hint(),
            Self::Metric(error) => error.hint(),
            Self::Foreign { .. } | Self::Planets { .. } => None,
        }
    }

    fn kind(&self) -> FailureKind {
        match self {
            Self::Setting(error) => error.kind(),
            Self::Preparation(error) => error.kind(),
            Self::Measure(error) => error.kind(),
            Self::Task(error) => error.kind(),
            Self::Fit(error) => error.kind(),
            Self::RunDir(error) => error.kind(),
            Self::Data(error) => error.kind(),
            Self::Checkpoint(error) => error.kind(),
            Self::Mismatch(error) => error.kind(),
            Self::LightCurves(error) => error.kind(),
            Self::Metric(error) => error.kind(),
            Self::Foreign { .. } | Self::Planets { .. } => FailureKind::Failed,
        }
    }
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
    /// Where to compute.
    pub device: &'a Device,
    /// Where to go on from.
    pub checkpoint: Option<Snapshot>,
    /// Stop after this many steps in all.
    pub stop_after_steps: Option<u64>,
    /// Wall-clock time since this process began the run.
    pub elapsed: &'a (dyn Fn() -> Duration + Sync),
}

/// Makes sure, before they are hashed, that data and light curves are there: simulates and calibrates what is missing.
///
/// # Errors
/// When they cannot be had, or where the light curves lie there is something else.
pub fn prepare(config: &CheckedTrain, progress: &mut dyn FnMut(Progress<'_>)) -> Result<(), TrainingError> {
    preparation::ensure_data_set(&config.data, &config.sim, progress)?;
    preparation::check_tables(&config.data, Labels::Needed)?;
    preparation::ensure_light_curves(&config.data, &config.calib, progress)?;
    Ok(preparation::check_alone(&config.calib)?)
}

/// Calibrates the light curves of the configured split into `out`, from the listed files and no others.
///
/// # Errors
/// When a file is missing, not listed, not as listed, or cannot be used.
pub fn calibrate_listed(
    config: &CheckedTrain,
    raw: &ListedFiles,
    out: &Path,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<(), TrainingError> {
    let data_set = preparation::listed_data_set(&config.data, &config.sim, raw)?;
    Ok(preparation::calibrate_listed(&data_set, &config.data, &config.calib, out, progress)?)
}

/// Builds the task from the listed files of the raw data set and of the light curves made from it, and no others.
///
/// # Errors
/// When a file is missing, not listed, not as listed, or cannot be used.
pub fn build_task(
    config: &CheckedTrain,
    raw: &ListedFiles,
    derived: &ListedFiles,
) -> Result<SpectrumTask, TrainingError> {
    let data_set = preparation::listed_data_set(&config.data, &config.sim, raw)?;
    let curves = preparation::listed_light_curves(&data_set, &config.data, &config.calib, derived)?;
    let measured = measure(&curves, &data_set.stars(config.data.split)?)?;
    let targets = data_set.targets(config.data.split)?;
    Ok(SpectrumTask::new(measured, &targets, &config.data, &config.calib, &config.model, &config.loss)?)
}

/// Refuses, before there is a run directory, what is known to fail before the first step.
///
/// # Errors
/// See [`fit::check`](crate::engine::fit::check).
pub fn check(config: &CheckedTrain, task: &SpectrumTask) -> Result<(), TrainingError> {
    let plan = plan(config, None, &|| Duration::ZERO);
    Ok(fit::check(task, &plan).map(drop)?)
}

fn plan<'a>(
    config: &'a CheckedTrain,
    stop_after_steps: Option<u64>,
    elapsed: &'a (dyn Fn() -> Duration + Sync),
) -> FitPlan<'a> {
    let (audit, batch_size) = (config.audit, config.data.batch_size);
    FitPlan { audit, stop_after_steps, ..FitPlan::new(config.trainer(), config.optimizer, batch_size, elapsed) }
}

/// Trains into `run` and writes the predictions for the held-out planets.
///
/// # Errors
/// See [`TrainingError`].
pub fn train(
    config: &CheckedTrain,
    task: &SpectrumTask,
    training: TrainingRun<'_>,
    run: &mut RunDirectory,
    observer: &mut dyn FnMut(Event<'_>) -> ControlFlow<()>,
) -> Result<Trained, TrainingError> {
    let plan = plan(config, training.stop_after_steps, training.elapsed);
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
        let held_out: Vec<_> = (0..task.sample_ids(Split::Test).len()).collect();
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
    config.data.check()?;
    let predictor = Predictor::parse(&snapshot.progress.task)
        .map_err(|reason| TrainingError::Foreign { path: config.checkpoint.display().to_string(), reason })?;
    predictor.light_curves.expect(&LightCurveKind::of(&config.calib))?;
    preparation::check_tables(&config.data, Labels::NotNeeded)?;
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

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::ariel::calibration::{LIGHT_CURVES, light_curves_path};
    use crate::ariel::config::TrainConfig;
    use crate::ariel::config::tests::example;
    use crate::ariel::dataset::Layout;
    use crate::provenance::data::{DataManifest, ReadData};

    fn config(folder: &Path) -> TrainConfig {
        let mut config = example(folder);
        (config.sim.airs_frames, config.sim.fgs1_frames) = (24, 24);
        config.sim.noise.photon = true;
        config.sim.spectrum.depth_sd = 0.01;
        config
    }

    fn listed(root: &Path) -> ListedFiles {
        ListedFiles::new(root, ReadData::of_tree(root).expect("hashes").manifest().clone())
    }

    /// Prepared data, and the lists that are signed.
    fn prepared(config: &CheckedTrain) -> (ListedFiles, ListedFiles) {
        prepare(config, &mut |_| {}).expect("prepared");
        (listed(&config.data.root), listed(&config.calib.out))
    }

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().expect("a temporary folder")
    }

    #[test]
    fn planted_files_are_not_trained_on_and_listed_ones_have_to_be_there() {
        let folder = folder();
        let config = config(folder.path()).check().expect("sensible");
        let (raw, derived) = prepared(&config);
        let task = format!("{:?}", build_task(&config, &raw, &derived).expect("a task"));
        let layout = Layout::new(&config.data.root);
        fs::create_dir_all(layout.split(config.data.split).join("77")).expect("created");
        for name in ["FGS1_signal_0.parquet", "AIRS-CH0_signal_0.parquet"] {
            fs::write(layout.split(config.data.split).join("77").join(name), "planted").expect("written");
        }
        assert_eq!(task, format!("{:?}", build_task(&config, &raw, &derived).expect("the same task")));
        let again = folder.path().join("again");
        calibrate_listed(&config, &raw, &again, &mut |_| {}).expect("calibrated");
        let bytes = |out: &Path| fs::read(light_curves_path(out)).expect("readable");
        assert!(bytes(&again) == bytes(&config.calib.out));
        // The signed list of light curves holds for those made again, and for no others.
        let signed = ListedFiles::new(&again, derived.list().clone());
        assert_eq!(task, format!("{:?}", build_task(&config, &raw, &signed).expect("the same task")));
        let mut edited = bytes(&again);
        *edited.last_mut().expect("not empty") ^= 1;
        fs::write(light_curves_path(&again), edited).expect("written");
        let error = build_task(&config, &raw, &signed).expect_err("edited");
        assert!(error.kind() != FailureKind::Missing && error.to_string().contains(LIGHT_CURVES), "{error}");
        fs::remove_file(layout.star_info(config.data.split)).expect("removed");
        let error = build_task(&config, &raw, &derived).expect_err("no stars");
        assert!(error.kind() == FailureKind::Missing && error.to_string().contains("train_star_info.csv"), "{error}");
    }

    #[test]
    fn an_error_says_what_the_one_that_it_wraps_says() {
        let setting = || UnsupportedSetting::Invalid { key: "sim.seed", expected: "a number", got: "x".into() };
        for error in [
            TrainingError::from(PreparationError::from(crate::ariel::simulator::SimulationError::from(setting()))),
            TrainingError::from(FitError::from(setting())),
        ] {
            assert_eq!((error.kind(), error.hint()), (FailureKind::Usage, setting().hint()), "{error:?}");
        }
        let path = PathBuf::from("run");
        let locked = TrainingError::from(FitError::from(RunDirError::Locked { path }));
        assert_eq!(locked.kind(), FailureKind::Missing);
        assert!(locked.hint().is_some_and(|hint| hint.contains("wait")));
    }

    #[test]
    fn a_list_without_what_is_needed_is_refused_as_such() {
        let folder = folder();
        let config = config(folder.path()).check().expect("sensible");
        let (raw, derived) = prepared(&config);
        let without = |listed: &ListedFiles, part: &str| {
            let lines = listed.list().to_jsonl();
            let kept: String = lines.split_inclusive('\n').filter(|line| !line.contains(part)).collect();
            ListedFiles::new(listed.root(), DataManifest::from_jsonl(kept.as_bytes()).expect("a list"))
        };
        let refused = |raw: &ListedFiles, derived: &ListedFiles| {
            let out = folder.path().join("again");
            let error =
                calibrate_listed(&config, raw, &out, &mut |_| {}).and_then(|()| build_task(&config, raw, derived));
            let error = error.expect_err("refused");
            assert!(error.kind() != FailureKind::Missing, "{error}");
            error
        };
        let data = |error: TrainingError| match error {
            TrainingError::Data(error)
            | TrainingError::Preparation(PreparationError::Data(error))
            | TrainingError::Preparation(PreparationError::Calibration(
                crate::ariel::calibration::CalibrationError::Data(error),
            )) => error,
            other => panic!("{other:?}"),
        };
        for part in ["wavelengths.csv", "axis_info", "adc_info", "train_star_info", "dark.parquet", "FGS1_signal"] {
            let error = data(refused(&without(&raw, part), &derived));
            assert!(matches!(error, DataError::NotListed { .. }), "{part}: {error}");
        }
        assert!(matches!(data(refused(&raw, &without(&derived, LIGHT_CURVES))), DataError::NotListed { .. }));
        // An empty list, and one without the simulation's settings, are not those of the simulation that was composed.
        for part in ["", "simulation.json"] {
            let error = refused(&without(&raw, part), &derived);
            assert!(
                matches!(error, TrainingError::Preparation(PreparationError::StaleSimulation { .. })),
                "{part:?}: {error}"
            );
        }
        let truths = without(&raw, "\"path\":\"train.csv\"");
        assert!(matches!(data(refused(&truths, &derived)), DataError::NotListed { .. }));
    }

    #[test]
    fn anything_beside_the_light_curves_is_named_before_training() {
        let folder = folder();
        let config = config(folder.path()).check().expect("sensible");
        let (raw, _) = prepared(&config);
        fs::write(config.calib.out.join("notes.txt"), "mine").expect("written");
        for error in [
            prepare(&config, &mut |_| {}).expect_err("refused"),
            build_task(&config, &raw, &listed(&config.calib.out)).expect_err("refused"),
        ] {
            assert!(
                matches!(&error, TrainingError::Preparation(PreparationError::NotAlone { found, .. }) if found == "notes.txt"),
                "{error}"
            );
            assert!(error.kind() != FailureKind::Missing);
        }
    }

    #[test]
    fn light_curves_of_another_data_set_or_other_settings_are_refused() {
        let folder = folder();
        let config = config(folder.path());
        let checked = config.clone().check().expect("sensible");
        let (raw, derived) = prepared(&checked);
        let mut other = config.clone();
        other.calib.steps.flat = false;
        let error = build_task(&other.check().expect("sensible"), &raw, &derived).expect_err("other steps");
        assert!(matches!(error, TrainingError::Preparation(PreparationError::StaleCalibration { .. })), "{error}");
        let mut other = config;
        other.sim.seed += 1;
        let error = build_task(&other.check().expect("sensible"), &raw, &derived).expect_err("another simulation");
        assert!(matches!(error, TrainingError::Preparation(PreparationError::StaleSimulation { .. })), "{error}");
    }
}
