//! What the program does for this workload beside training: simulate, calibrate, predict, evaluate.

use std::path::{Path, PathBuf};

use burn::module::AutodiffModule;
use burn::tensor::backend::AutodiffBackend;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::config::{CalibrateConfig, DataLevel, EvaluateConfig, PredictConfig, SimulateConfig};
use super::dataset::{DataError, Targets};
use super::evaluation::Evaluation;
use super::features::{MeasuredPlanet, measure};
use super::light_curve_kind::LightCurveKind;
use super::metric::NaivePrediction;
use super::predictor::{Predictor, SigmaScale};
use super::preparation::{self, Labels, read_light_curves};
use super::submission::{PlanetMismatch, Submission};
use super::workload::{FittedScale, SIGMA_SCALE};
use crate::config::Config;
use crate::engine::device::{self, Job};
use crate::engine::repro::with_arithmetic;
use crate::engine::snapshot::Snapshot;
use crate::engine::state::load_parameters;
use crate::failure::{Advice, Failure};
use crate::schema;
use crate::workload::{Answer, Progress, Subcommand, Work};

/// A command whose primary config is a `C`.
fn of<C: DeserializeOwned + JsonSchema>(name: &'static str, about: &'static str, run: Work) -> Subcommand {
    let check = |config: &Config| Ok(config.extract::<C>().map(drop)?);
    Subcommand { name, about, schema: schema::of::<C>, check, run }
}

/// All of them.
pub(super) fn all() -> Vec<Subcommand> {
    vec![
        of::<SimulateConfig>(
            "simulate",
            "Write an Ariel data set in the competition's own layout, from physics",
            simulate,
        ),
        of::<CalibrateConfig>("calibrate", "Turn raw frames into calibrated cubes or light curves", calibrate),
        of::<PredictConfig>("predict", "Turn a checkpoint and a split of a data set into a submission", predict),
        of::<EvaluateConfig>("evaluate", "Give a submission the official score, with a split by instrument", evaluate),
    ]
}

/// Refuses what cannot be predicted or scored.
#[derive(Debug, thiserror::Error)]
enum CommandError {
    /// A checkpoint of another workload.
    #[error("checkpoint {path}: expected one of the Ariel workload, got another's ({reason})", path = path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// Why it is thought so.
        reason: String,
    },
    /// Light curves of another length than the model was trained on.
    #[error("light curves: expected {expected} time bins, with which {checkpoint} was trained, got {got}", checkpoint = checkpoint.display())]
    Bins {
        /// The checkpoint.
        checkpoint: PathBuf,
        /// Its bins.
        expected: usize,
        /// Those of the light curves.
        got: usize,
    },
    /// A submission with other planets than the truth.
    #[error("the submission does not hold the planets of {truth}: {source}", truth = truth.display())]
    Planets {
        /// The table of truths.
        truth: PathBuf,
        /// Which planet.
        source: PlanetMismatch,
    },
}

impl Advice for CommandError {}

/// What was written, one path a line.
fn written(paths: &[PathBuf]) -> Answer {
    let shown: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
    Answer { text: shown.join("\n"), json: json!({ "written": shown }) }
}

fn simulate(config: &Config, progress: &mut dyn FnMut(Progress<'_>)) -> Result<Answer, Failure> {
    let SimulateConfig { sim } = config.extract()?;
    preparation::simulate(&sim, progress)?;
    Ok(written(&[sim.out]))
}

fn calibrate(config: &Config, progress: &mut dyn FnMut(Progress<'_>)) -> Result<Answer, Failure> {
    let CalibrateConfig { data, calib } = config.extract()?;
    Ok(written(&preparation::calibrate(&data, &calib, progress)?))
}

fn predict(config: &Config, progress: &mut dyn FnMut(Progress<'_>)) -> Result<Answer, Failure> {
    let config: PredictConfig = config.extract()?;
    config.data.check()?;
    let (checkpoint, scale) = trained(&config.checkpoint)?;
    let snapshot = Snapshot::read(&checkpoint)?;
    let predictor = Predictor::parse(&snapshot.progress.task)
        .map_err(|reason| CommandError::Foreign { path: checkpoint.clone(), reason })?;
    let choice = device::choose(config.accelerator, snapshot.progress.arithmetic.numerics)?;
    if config.data.level == DataLevel::Raw {
        predictor.light_curves.expect(&LightCurveKind::of_frames(&config.calib))?;
    }
    preparation::check_tables(&config.data, Labels::NotNeeded)?;
    if config.data.level == DataLevel::Raw {
        preparation::ensure_light_curves(&config.data, &config.calib, progress)?;
    }
    let (data_set, curves) = read_light_curves(&config.data, &config.calib)?;
    predictor.light_curves.expect(&LightCurveKind::of(config.data.level, &curves.settings))?;
    if curves.bins != predictor.bins {
        let (expected, got) = (predictor.bins, curves.bins);
        return Err(CommandError::Bins { checkpoint, expected, got }.into());
    }
    let measured = measure(&curves, &data_set.stars(config.data.split)?, &data_set.wavelengths_um()?)?;
    let stage = format!("computing on {}: chosen because {}", choice.device, choice.why);
    progress(Progress { stage: &stage, done: 0, total: 1, unit: "" });
    let mut submission =
        choice.device.run(Prediction { predictor: &predictor, snapshot: &snapshot, measured: &measured })?;
    scale.apply(&mut submission);
    submission.write(&config.out)?;
    Ok(written(&[config.out]))
}

/// The checkpoint to predict with, and what its σ is multiplied by: of a run directory the best one, if any was validated,
/// else the final one, with the scale that the run fitted; of a file what it says itself.
fn trained(path: &Path) -> Result<(PathBuf, SigmaScale), Failure> {
    if !path.is_dir() {
        return Ok((path.to_owned(), SigmaScale::NONE));
    }
    let scale = path.join(SIGMA_SCALE);
    let read = std::fs::read(&scale).map_err(|source| DataError::reading("scale of sigma", &scale, source))?;
    let fitted: FittedScale = serde_json::from_slice(&read)
        .map_err(|error| CommandError::Foreign { path: scale, reason: error.to_string() })?;
    Ok((path.join(&fitted.checkpoint), fitted.scale))
}

/// Prediction with the arithmetic that the checkpoint was trained in, on any backend.
struct Prediction<'a> {
    predictor: &'a Predictor,
    snapshot: &'a Snapshot,
    measured: &'a [MeasuredPlanet],
}

impl Job for Prediction<'_> {
    type Output = Result<Submission, Failure>;

    fn run<B: AutodiffBackend>(self, device: &B::Device) -> Self::Output {
        let model = load_parameters::<B, _>(self.predictor.init(device), self.snapshot, device)?;
        let model = AutodiffModule::<B>::valid(&model);
        let inputs: Vec<_> = self.measured.iter().map(|planet| self.predictor.inputs(planet)).collect();
        let planets: Vec<_> = self.measured.iter().map(|planet| planet.planet).zip(&inputs).collect();
        let predict = || self.predictor.predict(&model, &planets, device);
        Ok(with_arithmetic(self.snapshot.progress.arithmetic, predict))
    }
}

fn evaluate(config: &Config, _: &mut dyn FnMut(Progress<'_>)) -> Result<Answer, Failure> {
    let EvaluateConfig { data: _, submission, truth, naive } = config.extract()?;
    let submission = Submission::read(&submission)?;
    let truths = Targets::read(&truth)?;
    let naive = NaivePrediction::of_training_targets(&Targets::read(&naive)?.depths)?;
    let (mean, sigma) =
        submission.for_planets(&truths.planet_ids).map_err(|source| CommandError::Planets { truth, source })?;
    let submission = Submission { planet_ids: truths.planet_ids, mean, sigma };
    let evaluation = Evaluation::of(&truths.depths, &submission, naive)?;
    let json = serde_json::to_value(&evaluation).expect("plain data");
    Ok(Answer { text: evaluation.text(), json })
}
