//! What the program does for this workload beside training: simulate, calibrate, predict, evaluate.

use std::path::PathBuf;

use burn::module::AutodiffModule;
use burn::tensor::backend::AutodiffBackend;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::config::{CalibrateConfig, EvaluateConfig, PredictConfig, SimulateConfig};
use super::dataset::Targets;
use super::metric::{self, NaivePrediction};
use super::predictor::{LightCurveKind, MeasuredVisit, Predictor, measure};
use super::preparation::{self, Labels, read_light_curves};
use super::submission::{PlanetMismatch, Submission};
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
    let snapshot = Snapshot::read(&config.checkpoint)?;
    let predictor = Predictor::parse(&snapshot.progress.task)
        .map_err(|reason| CommandError::Foreign { path: config.checkpoint.clone(), reason })?;
    let choice = device::choose(config.accelerator, snapshot.progress.arithmetic.numerics)?;
    predictor.light_curves.expect(&LightCurveKind::of(&config.calib))?;
    preparation::check_tables(&config.data, Labels::NotNeeded)?;
    preparation::ensure_light_curves(&config.data, &config.calib, progress)?;
    let (data_set, curves) = read_light_curves(&config.data, &config.calib)?;
    let measured = measure(&curves, &data_set.stars(config.data.split)?)?;
    let stage = format!("computing on {}: chosen because {}", choice.device, choice.why);
    progress(Progress { stage: &stage, done: 0, total: 1, unit: "" });
    let prediction = Prediction { predictor: &predictor, snapshot: &snapshot, measured: &measured };
    choice.device.run(prediction)?.write(&config.out)?;
    Ok(written(&[config.out]))
}

/// Prediction with the arithmetic that the checkpoint was trained in, on any backend.
struct Prediction<'a> {
    predictor: &'a Predictor,
    snapshot: &'a Snapshot,
    measured: &'a [MeasuredVisit],
}

impl Job for Prediction<'_> {
    type Output = Result<Submission, Failure>;

    fn run<B: AutodiffBackend>(self, device: &B::Device) -> Self::Output {
        let model = load_parameters::<B, _>(self.predictor.init(device), self.snapshot, device)?;
        let model = AutodiffModule::<B>::valid(&model);
        let visits: Vec<_> = self.measured.iter().collect();
        let predict = || self.predictor.predict(&model, &visits, device);
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
    let score = metric::score(&truths.depths, &mean, &sigma, naive)?;
    let text = format!(
        "score {:.6}  (FGS1 {:.6}, AIRS {:.6}, before clipping {:.6})",
        score.official, score.fgs1, score.airs, score.unclipped
    );
    let json = json!({ "score": score.official, "unclipped": score.unclipped, "fgs1": score.fgs1, "airs": score.airs });
    Ok(Answer { text, json })
}
