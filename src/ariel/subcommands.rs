//! What the program does for this workload beside training: simulate, calibrate, predict, evaluate. `plot` is
//! in a module of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use burn::module::AutodiffModule;
use burn::tensor::backend::AutodiffBackend;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::calibration::LightCurves;
use super::config::{CalibrateConfig, DataConfig, DataLevel, EvaluateConfig, PredictConfig, SimulateConfig};
use super::dataset::{DataSet, Split, Targets};
use super::evaluation::Evaluation;
use super::features::{MeasuredPlanet, measure_each};
use super::light_curve_kind::LightCurveKind;
use super::metric::{MetricError, NaivePrediction};
use super::predictor::{Predictor, SigmaScale};
use super::preparation::{self, Labels, read_light_curves};
use super::submission::{PlanetMismatch, Submission};
use super::workload::{FittedScale, SIGMA_SCALE};
use crate::config::Config;
use crate::engine::device::{self, Job};
use crate::engine::repro::with_arithmetic;
use crate::engine::run_dir::{BEST_CHECKPOINT, FINAL_CHECKPOINT};
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
        #[cfg(feature = "plots")]
        of::<super::config::PlotConfig>(
            "plot",
            "Draw a run's spectra, light curves, residuals, reliability and curves as SVG and PNG",
            super::plots::plot,
        ),
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
    /// A scale of σ that no run wrote.
    #[error("{path}: expected the scale of σ that the end of a run fits, got something else ({reason})", path = path.display())]
    Scale {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A number that the official score rejects.
    #[error("{submission}: planet {planet}, {what} of wl_{wavelength}: expected {expected}, got {got}", submission = submission.display())]
    Value {
        /// The submission.
        submission: PathBuf,
        /// The planet.
        planet: i64,
        /// Mean or standard deviation.
        what: &'static str,
        /// From 1.
        wavelength: usize,
        /// What it should be.
        expected: &'static str,
        /// What it is.
        got: f64,
    },
    /// A table with a header and nothing else.
    #[error("{table}: expected the row of a planet at least, got none", table = table.display())]
    NoPlanets {
        /// The table.
        table: PathBuf,
    },
    /// A run directory without the scale that the end of a run fits.
    #[error("{run}: expected a run of the Ariel workload that came to its end, with {SIGMA_SCALE}, got none", run = run.display())]
    Unfinished {
        /// The directory.
        run: PathBuf,
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
    #[error("{submission} does not hold the planets of {truth}: {source}", submission = submission.display(), truth = truth.display())]
    Planets {
        /// The submission.
        submission: PathBuf,
        /// The table of truths.
        truth: PathBuf,
        /// Which planet.
        source: PlanetMismatch,
    },
}

impl Advice for CommandError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Unfinished { run } => Some(format!(
                "name a checkpoint in it, such as {}, or let it end: spectramind train --resume {}",
                run.join("checkpoints/last.safetensors").display(),
                run.display()
            )),
            Self::Planets { source: PlanetMismatch::Missing { .. }, .. } => {
                Some("subset=true judges by the planets that the submission has".into())
            }
            Self::Planets { source: PlanetMismatch::Unknown { .. }, .. } => {
                Some("take that line out, or name the table that has the planet with truth=FILE".into())
            }
            Self::Foreign { .. } => Some("name a run of this workload, or a checkpoint of one".into()),
            Self::Scale { path, .. } => Some(format!(
                "get the run directory again, or name a checkpoint, which is then taken as it is: {}",
                path.with_file_name("checkpoints").join("final.safetensors").display()
            )),
            Self::Bins { .. } => {
                Some("data of visits as long as those that the run was trained on have as many".into())
            }
            Self::Value { .. } => Some("correct it, or predict again: spectramind predict".into()),
            Self::NoPlanets { .. } => Some("the file is damaged, or was cut: get it again".into()),
        }
    }
}

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
    let models = config.checkpoint.paths()?.iter().map(|path| Trained::read(path)).collect::<Result<Vec<_>, _>>()?;
    // Before hours of calibration: a device that is not there.
    let choose = |model: &Trained| device::choose(config.accelerator, model.snapshot.progress.arithmetic.numerics);
    let choices = models.iter().map(choose).collect::<Result<Vec<_>, _>>()?;
    let kind = LightCurveKind { level: config.data.level, ..models[0].predictor.light_curves };
    models.iter().try_for_each(|model| kind.expect(&model.predictor.light_curves, &model.checkpoint))?;
    let calib = kind.calibration(&config.calib);
    preparation::check_tables(&config.data, Labels::NotNeeded)?;
    if config.data.level == DataLevel::Raw {
        preparation::ensure_light_curves(&config.data, &calib, progress)?;
    }
    let (data_set, curves) = read_light_curves(&config.data, &calib)?;
    let kind = LightCurveKind::of(config.data.level, &curves.settings);
    for Trained { checkpoint, predictor, .. } in &models {
        kind.expect(&predictor.light_curves, checkpoint)?;
        if curves.bins != predictor.bins {
            let (checkpoint, expected, got) = (checkpoint.clone(), predictor.bins, curves.bins);
            return Err(CommandError::Bins { checkpoint, expected, got }.into());
        }
    }
    let stars = data_set.stars(config.data.split)?;
    let (mut measured, mut left_out) = (Vec::new(), BTreeMap::new());
    for (planet, of) in measure_each(&curves, &stars, &data_set.wavelengths_um()?) {
        match of {
            Ok(of) => measured.push(of),
            Err(error) => _ = left_out.insert(planet, error.to_string()),
        }
    }
    let mut predictions = Vec::with_capacity(models.len());
    for (number, (model, choice)) in models.iter().zip(&choices).enumerate() {
        let stage = format!("computing on {}: chosen because {}", choice.device, choice.why);
        progress(Progress { stage: &stage, done: number as u64, total: models.len() as u64, unit: "" });
        let mut prediction = choice.device.run(Prediction { model, measured: &measured })?;
        model.scale.apply(&mut prediction);
        predictions.push(prediction);
    }
    let planets = asked_for(&data_set, &config.data, &curves)?;
    let without_visit = |planet| curves.settings.left_out.iter().any(|visit| visit.planet == planet);
    for &planet in planets.iter().filter(|planet| !measured.iter().any(|of| of.planet == **planet)) {
        let why = match left_out.get(&planet) {
            Some(why) => why,
            None if without_visit(planet) => "its files are missing or broken",
            None => "there are no light curves of it",
        };
        let stage = format!("planet {planet}: predicted as the mean of the training planets: {why}");
        progress(Progress { stage: &stage, done: 0, total: 1, unit: "" });
    }
    let naive = &models[0].predictor;
    Submission::mixture(&predictions).with_rows(planets, naive.depth_mean, naive.depth_unit).write(&config.out)?;
    Ok(written(&[config.out]))
}

/// The planets that a submission is to have, in its order: of test planets those of `sample_submission.csv`, if the data set
/// has it, else those with light curves.
fn asked_for(data_set: &DataSet, data: &DataConfig, curves: &LightCurves) -> Result<Vec<i64>, Failure> {
    let sample = data_set.layout().sample_submission();
    if data.split == Split::Test && sample.is_file() {
        return Ok(Submission::read(&sample)?.planet_ids);
    }
    let all = curves.visits.iter().chain(&curves.settings.left_out).map(|visit| visit.planet);
    Ok(all.collect::<BTreeSet<_>>().into_iter().collect())
}

/// A model to predict with.
struct Trained {
    checkpoint: PathBuf,
    snapshot: Snapshot,
    predictor: Predictor,
    scale: SigmaScale,
}

impl Trained {
    /// Of a run directory the checkpoint that was tested, with the scale that was fitted to it; of a file what it says itself.
    fn read(path: &Path) -> Result<Self, Failure> {
        let (checkpoint, scale) = match path.is_dir() {
            false => (path.to_owned(), SigmaScale::NONE),
            true => {
                let scale = path.join(SIGMA_SCALE);
                let bytes = std::fs::read(&scale).map_err(|_| CommandError::Unfinished { run: path.to_owned() })?;
                let foreign = |reason| CommandError::Scale { path: scale.clone(), reason };
                let FittedScale { checkpoint, scale: fitted } =
                    serde_json::from_slice(&bytes).map_err(|error| foreign(error.to_string()))?;
                // A file that a stranger may have written says which of two names, and no path.
                if ![BEST_CHECKPOINT, FINAL_CHECKPOINT].contains(&checkpoint.as_str()) {
                    return Err(foreign(format!("checkpoint {checkpoint}")).into());
                }
                (path.join(checkpoint), fitted)
            }
        };
        let snapshot = Snapshot::read(&checkpoint)?;
        let predictor = Predictor::parse(&snapshot.progress.task)
            .map_err(|reason| CommandError::Foreign { path: checkpoint.clone(), reason })?;
        Ok(Self { checkpoint, snapshot, predictor, scale })
    }
}

/// Prediction with the arithmetic that the checkpoint was trained in, on any backend.
struct Prediction<'a> {
    model: &'a Trained,
    measured: &'a [MeasuredPlanet],
}

impl Job for Prediction<'_> {
    type Output = Result<Submission, Failure>;

    fn run<B: AutodiffBackend>(self, device: &B::Device) -> Self::Output {
        let Trained { predictor, snapshot, .. } = self.model;
        let model = load_parameters::<B, _>(predictor.init(device), snapshot, device)?;
        let model = AutodiffModule::<B>::valid(&model);
        let inputs: Vec<_> = self.measured.iter().map(|planet| predictor.inputs(planet)).collect();
        let planets: Vec<_> = self.measured.iter().map(|planet| planet.planet).zip(&inputs).collect();
        Ok(with_arithmetic(snapshot.progress.arithmetic, || predictor.predict(&model, &planets, device)))
    }
}

fn evaluate(config: &Config, _: &mut dyn FnMut(Progress<'_>)) -> Result<Answer, Failure> {
    let EvaluateConfig { data: _, submission: path, truth, naive, subset } = config.extract()?;
    let submission = Submission::read(&path)?;
    let mut truths = Targets::read(&truth)?;
    let targets = Targets::read(&naive)?;
    let tables = [(&path, &submission.planet_ids), (&truth, &truths.planet_ids), (&naive, &targets.planet_ids)];
    if let Some((table, _)) = tables.into_iter().find(|(_, planets)| planets.is_empty()) {
        return Err(CommandError::NoPlanets { table: table.clone() }.into());
    }
    if subset {
        truths = truths.only(&submission.planet_ids);
    }
    let naive = NaivePrediction::of_training_targets(&targets.depths)?;
    let (mean, sigma) = submission.for_planets(&truths.planet_ids).map_err(|source| CommandError::Planets {
        submission: path.clone(),
        truth,
        source,
    })?;
    let submission = Submission { planet_ids: truths.planet_ids, mean, sigma };
    let evaluation = Evaluation::of(&truths.depths, &submission, naive).map_err(|error| match error {
        // The score knows rows, a person planets and files.
        MetricError::Value { what, row, wavelength, expected, got } => {
            let (planet, wavelength) = (submission.planet_ids[row], wavelength + 1);
            Failure::from(CommandError::Value { submission: path, planet, what, wavelength, expected, got })
        }
        error => error.into(),
    })?;
    Ok(Answer { text: evaluation.text(), json: evaluation.json() })
}
