//! The Ariel workload as a [`Workload`]: a raw data set, the light curves that are made of it, a task, a submission.

#[cfg(feature = "plots")]
use std::collections::BTreeMap;
#[cfg(feature = "plots")]
use std::path::PathBuf;

use burn::tensor::backend::AutodiffBackend;
use serde::{Deserialize, Serialize};

use super::calibration::CalibConfig;
use super::config::{ArielConfig, DataLevel};
use super::configs::CONFIGS;
use super::dataset::DataError;
use super::features::{MeasureError, measure};
use super::light_curve_kind::LightCurveKind;
#[cfg(feature = "plots")]
use super::plots;
use super::predictor::SigmaScale;
use super::preparation::{self, Labels, PreparationError};
use super::simulator::SimConfig;
use super::subcommands;
use super::task::{Measured, SpectrumTask, SpectrumTaskError};
#[cfg(feature = "plots")]
use crate::chart::Picture;
use crate::engine::task::{Metric, Split, Task};
use crate::failure::{Advice, Failure, FailureKind};
#[cfg(feature = "plots")]
use crate::manifest::claimed::ClaimedRun;
use crate::provenance::data::ListedFiles;
use crate::workload::{
    DataRole, DataSet, Derivation, Outputs, Progress, RunSettings, Subcommand, TrainedModel, Workload,
};

/// Predictions for the held-out planets, inside the run directory.
pub const PREDICTIONS: &str = "predictions.csv";

/// How good they are, inside the run directory.
pub const EVALUATION: &str = "evaluation.json";

/// What σ is multiplied by, inside the run directory.
pub const SIGMA_SCALE: &str = "sigma_scale.json";

/// What σ is multiplied by, and of which checkpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct FittedScale {
    /// Inside the run directory.
    pub checkpoint: String,
    /// The scale.
    pub scale: SigmaScale,
}

/// The Ariel Data Challenge 2025.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ariel;

/// Data that cannot be had or used.
#[derive(Debug, thiserror::Error)]
pub enum ArielError {
    /// They cannot be had.
    #[error("{0}")]
    Preparation(#[from] PreparationError),
    /// The light curves cannot be used.
    #[error("{0}")]
    Measure(#[from] MeasureError),
    /// The labels or the shares cannot be used.
    #[error("{0}")]
    Task(#[from] SpectrumTaskError),
    /// A table cannot be read.
    #[error("{0}")]
    Data(#[from] DataError),
}

impl Advice for ArielError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Preparation(error) => error.hint(),
            Self::Measure(error) => error.hint(),
            Self::Task(error) => error.hint(),
            Self::Data(error) => error.hint(),
        }
    }

    fn kind(&self) -> FailureKind {
        match self {
            Self::Preparation(error) => error.kind(),
            Self::Measure(error) => error.kind(),
            Self::Task(error) => error.kind(),
            Self::Data(error) => error.kind(),
        }
    }
}

/// The data set with this number is the raw one.
const RAW: usize = 0;

impl Workload for Ariel {
    type Config = ArielConfig;
    type Task = SpectrumTask;

    fn name(&self) -> &'static str {
        "ariel"
    }

    fn check(&self, config: &ArielConfig, settings: &RunSettings) -> Result<(), Failure> {
        config.check(&settings.trainer)?;
        Ok(preparation::check_settings(&config.data, &config.calib)?)
    }

    fn batch_size(&self, config: &ArielConfig) -> usize {
        config.data.batch_size
    }

    fn data_sets(&self, ArielConfig { data, calib, .. }: &ArielConfig) -> Vec<DataSet> {
        // What is simulated is made again by a replay, like what is calibrated.
        let role = if data.simulation.is_some() { DataRole::Derived } else { DataRole::Raw };
        let given = DataSet { name: data.name.clone(), role, root: data.root.clone() };
        if data.level == DataLevel::Binned {
            return vec![given];
        }
        vec![
            given,
            DataSet { name: format!("{}-calibrated", data.name), role: DataRole::Derived, root: calib.out.clone() },
        ]
    }

    fn prepare(
        &self,
        ArielConfig { data, sim, calib, .. }: &ArielConfig,
        number: usize,
        before: &[ListedFiles],
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<(), Failure> {
        if number == RAW {
            preparation::ensure_data_set(data, sim, progress)?;
            return Ok(preparation::check_tables(data, Labels::Needed)?);
        }
        let data_set = preparation::listed_data_set(data, sim, &before[RAW])?;
        Ok(preparation::ensure_listed_light_curves(&data_set, data, calib, progress)?)
    }

    fn derive(&self, config: &ArielConfig, derivation: Derivation<'_>) -> Result<(), Failure> {
        Ok(derive(config, derivation)?)
    }

    fn task(&self, config: &ArielConfig, data: &[ListedFiles]) -> Result<SpectrumTask, Failure> {
        Ok(task(config, data)?)
    }

    fn write<B: AutodiffBackend>(
        &self,
        TrainedModel { task, checkpoint, model, device }: TrainedModel<'_, SpectrumTask, B>,
        outputs: &mut Outputs<'_>,
    ) -> Result<(), Failure> {
        let held_out: Vec<_> = (0..task.sample_ids(Split::Test).len()).collect();
        outputs.write(PREDICTIONS, &task.predict::<B>(model, Split::Test, &held_out, device).to_csv())?;
        let scale = task.sigma_scale::<B>(model, device);
        outputs.write(SIGMA_SCALE, &json(&FittedScale { checkpoint: checkpoint.into(), scale }))?;
        if held_out.is_empty() {
            return Ok(());
        }
        let evaluation = task
            .evaluation::<B>(model, Split::Test, &held_out, device)
            .map_err(|error| Failure::new(error.to_string()))?;
        outputs.write(EVALUATION, &json(&evaluation.json()))
    }

    fn summary(&self, metrics: &[Metric]) -> String {
        let value = |name: &str| metrics.iter().find(|metric| metric.name == name).map(|metric| metric.value);
        match (value("test/score"), value("test/score_fgs1"), value("test/score_airs")) {
            (Some(score), Some(fgs1), Some(airs)) => {
                format!("{score:.4} on held-out planets (FGS1 {fgs1:.4}, AIRS {airs:.4})")
            }
            _ => "none: no planets were held out".into(),
        }
    }

    fn configs(&self) -> &'static [(&'static str, &'static str)] {
        CONFIGS
    }

    fn subcommands(&self) -> Vec<Subcommand> {
        subcommands::all()
    }

    #[cfg(feature = "plots")]
    fn pictures(
        &self,
        run: &ClaimedRun,
        roots: &BTreeMap<String, PathBuf>,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Vec<Picture>, Failure> {
        plots::pictures(run, roots, progress)
    }
}

/// A document for a person as well as a program.
fn json(document: &impl Serialize) -> Vec<u8> {
    let mut text = serde_json::to_string_pretty(document).expect("plain data");
    text.push('\n');
    text.into_bytes()
}

fn derive(
    ArielConfig { data, sim, calib, .. }: &ArielConfig,
    Derivation { number, before, out, progress }: Derivation<'_>,
) -> Result<(), ArielError> {
    if number == RAW {
        return Ok(preparation::simulate(&SimConfig { out: out.to_owned(), ..sim.clone() }, progress)?);
    }
    let data_set = preparation::listed_data_set(data, sim, &before[RAW])?;
    let calib = CalibConfig { out: out.to_owned(), ..calib.clone() };
    Ok(preparation::calibrate_listed(&data_set, data, &calib, progress)?)
}

fn task(config: &ArielConfig, listed: &[ListedFiles]) -> Result<SpectrumTask, ArielError> {
    let ArielConfig { model, data, sim, calib, loss } = config;
    let data_set = preparation::listed_data_set(data, sim, &listed[RAW])?;
    let curves = match data.level {
        DataLevel::Raw => preparation::listed_light_curves(&data_set, data, calib, &listed[RAW + 1])?,
        DataLevel::Binned => preparation::binned_light_curves(&data_set, data)?,
    };
    let planets = measure(&curves, &data_set.stars(data.split)?, &data_set.wavelengths_um()?)?;
    let measured = Measured { planets, bins: curves.bins, kind: LightCurveKind::of(data.level, &curves.settings) };
    Ok(SpectrumTask::new(measured, &data_set.targets(data.split)?, data, model, loss)?)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::ariel::calibration::{LIGHT_CURVES, light_curves_path};
    use crate::ariel::config::tests::example;
    use crate::ariel::dataset::Layout;
    use crate::provenance::data::{DataManifest, ReadData};

    fn config(folder: &Path) -> ArielConfig {
        let mut config = example(folder);
        (config.sim.airs_frames, config.sim.fgs1_frames) = (48, 48);
        config.sim.noise.photon = true;
        config.sim.spectrum.depth_sd = 0.01;
        config
    }

    fn listed(root: &Path) -> ListedFiles {
        ListedFiles::new(root, ReadData::of_tree(root).expect("hashes").manifest().clone())
    }

    /// Prepared data, and the lists that are signed.
    fn prepared(config: &ArielConfig) -> (ListedFiles, ListedFiles) {
        Ariel.prepare(config, RAW, &[], &mut |_| {}).expect("prepared");
        let raw = listed(&config.data.root);
        Ariel.prepare(config, RAW + 1, std::slice::from_ref(&raw), &mut |_| {}).expect("prepared");
        (raw, listed(&config.calib.out))
    }

    fn build_task(config: &ArielConfig, raw: &ListedFiles, derived: &ListedFiles) -> Result<SpectrumTask, ArielError> {
        task(config, &[raw.clone(), derived.clone()])
    }

    fn calibrate(config: &ArielConfig, raw: &ListedFiles, out: &Path) -> Result<(), ArielError> {
        let before = std::slice::from_ref(raw);
        derive(config, Derivation { number: RAW + 1, before, out, progress: &mut |_| {} })
    }

    fn is_missing(error: &ArielError) -> bool {
        error.kind() == FailureKind::Missing
    }

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().expect("a temporary folder")
    }

    #[test]
    fn planted_files_are_not_trained_on_and_listed_ones_have_to_be_there() {
        let folder = folder();
        let config = config(folder.path());
        let (raw, derived) = prepared(&config);
        let task = format!("{:?}", build_task(&config, &raw, &derived).expect("a task"));
        let layout = Layout::new(&config.data.root);
        fs::create_dir_all(layout.split(config.data.split).join("77")).expect("created");
        for name in ["FGS1_signal_0.parquet", "AIRS-CH0_signal_0.parquet"] {
            fs::write(layout.split(config.data.split).join("77").join(name), "planted").expect("written");
        }
        assert_eq!(task, format!("{:?}", build_task(&config, &raw, &derived).expect("the same task")));
        let again = folder.path().join("again");
        calibrate(&config, &raw, &again).expect("calibrated");
        let bytes = |out: &Path| fs::read(light_curves_path(out)).expect("readable");
        assert!(bytes(&again) == bytes(&config.calib.out));
        // The signed list of light curves holds for those made again, and for no others.
        let signed = ListedFiles::new(&again, derived.list().clone());
        assert_eq!(task, format!("{:?}", build_task(&config, &raw, &signed).expect("the same task")));
        let mut edited = bytes(&again);
        *edited.last_mut().expect("not empty") ^= 1;
        fs::write(light_curves_path(&again), edited).expect("written");
        let error = build_task(&config, &raw, &signed).expect_err("edited");
        assert!(!is_missing(&error) && error.to_string().contains(LIGHT_CURVES), "{error}");
        fs::remove_file(layout.star_info(config.data.split)).expect("removed");
        let error = build_task(&config, &raw, &derived).expect_err("no stars");
        assert!(is_missing(&error) && error.to_string().contains("train_star_info.csv"), "{error}");
    }

    #[test]
    fn a_list_without_what_is_needed_is_refused_as_such() {
        let folder = folder();
        let config = config(folder.path());
        let (raw, derived) = prepared(&config);
        let without = |listed: &ListedFiles, part: &str| {
            let lines = listed.list().to_jsonl();
            let kept: String = lines.split_inclusive('\n').filter(|line| !line.contains(part)).collect();
            ListedFiles::new(listed.root(), DataManifest::from_jsonl(kept.as_bytes()).expect("a list"))
        };
        let refused = |raw: &ListedFiles, derived: &ListedFiles| {
            let out = folder.path().join("again");
            let error = calibrate(&config, raw, &out).and_then(|()| build_task(&config, raw, derived));
            let error = error.expect_err("refused");
            assert!(!is_missing(&error), "{error}");
            error
        };
        let data = |error: ArielError| match error {
            ArielError::Data(error)
            | ArielError::Preparation(PreparationError::Data(error))
            | ArielError::Preparation(PreparationError::Calibration(
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
                matches!(error, ArielError::Preparation(PreparationError::StaleSimulation { .. })),
                "{part:?}: {error}"
            );
        }
        let truths = without(&raw, "\"path\":\"train.csv\"");
        assert!(matches!(data(refused(&truths, &derived)), DataError::NotListed { .. }));
    }

    #[test]
    fn anything_beside_the_light_curves_is_named_before_training() {
        let folder = folder();
        let config = config(folder.path());
        let (raw, _) = prepared(&config);
        fs::write(config.calib.out.join("notes.txt"), "mine").expect("written");
        let prepared = Ariel.prepare(&config, RAW + 1, std::slice::from_ref(&raw), &mut |_| {});
        let built = build_task(&config, &raw, &listed(&config.calib.out)).map_err(Failure::from);
        for failure in [prepared.expect_err("refused"), built.map(drop).expect_err("refused")] {
            assert!(failure.message().ends_with("and nothing else, got notes.txt"), "{failure}");
            assert_eq!(failure.kind(), FailureKind::Failed);
        }
    }

    #[test]
    fn light_curves_of_another_data_set_or_other_settings_are_refused() {
        let folder = folder();
        let config = config(folder.path());
        let (raw, derived) = prepared(&config);
        let mut other = config.clone();
        other.calib.steps.flat = false;
        let error = build_task(&other, &raw, &derived).expect_err("other steps");
        assert!(matches!(error, ArielError::Preparation(PreparationError::StaleCalibration { .. })), "{error}");
        let mut other = config;
        other.sim.seed += 1;
        let error = build_task(&other, &raw, &derived).expect_err("another simulation");
        assert!(matches!(error, ArielError::Preparation(PreparationError::StaleSimulation { .. })), "{error}");
    }
}
