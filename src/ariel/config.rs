//! What the primary configs of the Ariel workload hold, as types.
//!
//! Every field is required and every unknown key refused, so what a command reads is exactly what its YAML says.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::calibration::{BrokenVisit, CalibConfig};
use super::dataset::MAX_TABLE_ROWS;
use super::features::SCALARS;
use super::loss::LossConfig;
use super::model::ModelConfig;
use super::simulator::SimConfig;
use super::task::declared_metrics;
use crate::engine::early_stop;
use crate::engine::kept;
use crate::engine::monitor::{Monitor, MonitorError};
use crate::engine::settings::{Accelerator, MonitorMode, TrainerSettings, UnsupportedSetting, required, within};

/// The keys of `train.yaml` that are the workload's own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ArielConfig {
    /// What is trained.
    pub model: ModelConfig,
    /// On what.
    pub data: DataConfig,
    /// How missing simulated data are made.
    pub sim: SimConfig,
    /// How raw frames become light curves.
    pub calib: CalibConfig,
    /// What is minimised.
    pub loss: LossConfig,
}

/// Bytes of the gradients of one step: each shard with samples has its own until they are summed.
const MAX_GRADIENT_BYTES: u64 = 1 << 32;

impl ArielConfig {
    /// Refuses, by key, what makes no sense, and what would take more memory or disk than any run has a use for.
    ///
    /// # Errors
    /// The first such setting.
    pub fn check(&self, trainer: &TrainerSettings) -> Result<(), UnsupportedSetting> {
        self.data.check()?;
        self.check_monitors(trainer)?;
        self.model.check()?;
        self.loss.check()?;
        self.calib.check()?;
        self.sim.check()?;
        let scalars = SCALARS + self.model.components;
        let shards = u64::from(trainer.micro_shards).min(self.data.batch_size as u64);
        // With the bounds above no product overflows.
        let gradients = shards * u64::from(trainer.accumulate_grad_batches) * self.model.parameters(scalars) * 4;
        if gradients > MAX_GRADIENT_BYTES {
            return Err(UnsupportedSetting::Invalid {
                key: "model.network, trainer.micro_shards and trainer.accumulate_grad_batches",
                expected: "gradients of at most 4 GiB in a step",
                got: format!("{gradients} bytes"),
            });
        }
        Ok(())
    }

    /// Refuses monitors that no validation of this workload gives: before data are made for hours.
    fn check_monitors(&self, trainer: &TrainerSettings) -> Result<(), UnsupportedSetting> {
        const EXPECTED: &str =
            "one of val/score, val/score_unclipped, val/score_fgs1, val/score_airs, val/rmse_ppm, val/loss";
        let TrainerSettings { checkpoint, early_stopping, .. } = trainer;
        let stopping = early_stopping.as_ref().map(|stopping| (early_stop::KEYS, &stopping.monitor, stopping.mode));
        let ranking = checkpoint.monitor.as_ref().map(|monitor| (kept::KEYS, monitor, checkpoint.mode));
        for (keys, monitor, mode) in stopping.into_iter().chain(ranking) {
            Monitor::new(keys, monitor, mode, Some(&declared_metrics())).map_err(|error| match error {
                MonitorError::Unknown(error) => {
                    UnsupportedSetting::Invalid { key: error.key, expected: EXPECTED, got: error.monitor }
                }
                MonitorError::Direction(error) => {
                    let got = format!("{} for {monitor}", mode.map_or("null", MonitorMode::name));
                    UnsupportedSetting::Invalid { key: error.key, expected: error.expected, got }
                }
            })?;
            if self.data.val_fraction == 0.0 {
                let expected = "a share above 0, as a metric is monitored (or null for trainer.early_stopping and \
                                trainer.checkpoint.monitor)";
                let got = format!("0 with {}={monitor}", keys.monitor);
                return Err(UnsupportedSetting::Invalid { key: "data.val_fraction", expected, got });
            }
        }
        Ok(())
    }
}

/// `simulate.yaml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SimulateConfig {
    /// What to simulate, and where to.
    pub sim: SimConfig,
}

/// `calibrate.yaml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CalibrateConfig {
    /// What to calibrate.
    pub data: DataConfig,
    /// How, and where to.
    pub calib: CalibConfig,
}

/// `predict.yaml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PredictConfig {
    /// What to predict.
    pub data: DataConfig,
    /// Where raw frames become light curves: how, the checkpoint says.
    pub calib: PredictCalib,
    /// Where to compute: auto, cpu, wgpu, cuda.
    pub accelerator: Accelerator,
    /// What to predict with: checkpoints or run directories, several of which are averaged.
    pub checkpoint: Checkpoints,
    /// Where the submission goes.
    pub out: PathBuf,
}

/// What of a calibration is not the checkpoint's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PredictCalib {
    /// Folder of the calibrated files.
    pub out: PathBuf,
    /// What becomes of a visit with files that are missing or broken.
    pub broken: BrokenVisit,
}

/// One checkpoint, or several.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Checkpoints {
    /// One.
    One(PathBuf),
    /// Several, at least one.
    Several(#[schemars(length(min = 1))] Vec<PathBuf>),
}

impl Checkpoints {
    /// All of them.
    ///
    /// # Errors
    /// When there are none.
    pub fn paths(&self) -> Result<&[PathBuf], UnsupportedSetting> {
        match self {
            Self::One(path) => Ok(std::slice::from_ref(path)),
            Self::Several(paths) if paths.is_empty() => Err(UnsupportedSetting::Invalid {
                key: "checkpoint",
                expected: "at least one checkpoint or run directory",
                got: "[]".into(),
            }),
            Self::Several(paths) => Ok(paths),
        }
    }
}

/// `evaluate.yaml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EvaluateConfig {
    /// The data set, for the defaults of the other keys.
    pub data: DataConfig,
    /// The submission to judge.
    pub submission: PathBuf,
    /// The truths to judge it by.
    pub truth: PathBuf,
    /// The targets whose mean and standard deviation are the score's zero.
    pub naive: PathBuf,
    /// Whether the submission may have some of the truths' planets only, by which it is judged then.
    pub subset: bool,
}

/// `plot.yaml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlotConfig {
    /// The run directory.
    pub run: PathBuf,
    /// Where data sets of the run are now, by name; those that are not here are where the record says.
    pub data: BTreeMap<String, PathBuf>,
    /// Where the pictures go; `null` is beside the run directory.
    #[serde(deserialize_with = "required")]
    pub out: Option<PathBuf>,
}

/// The `data` group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DataConfig {
    /// Name of the data set.
    pub name: String,
    /// Its folder, in the competition's layout.
    pub root: PathBuf,
    /// Which half of it.
    pub split: super::dataset::Split,
    /// What it holds: frames as detectors read them, or light curves.
    pub level: DataLevel,
    /// The `sim` option that writes it when it is missing; `null` is never.
    #[serde(deserialize_with = "required")]
    pub simulation: Option<String>,
    /// Planets per batch.
    #[schemars(range(min = 1, max = 100_000))]
    pub batch_size: usize,
    /// Share of the labelled planets held out to stop by.
    #[schemars(range(min = 0, max = 1))]
    pub val_fraction: f64,
    /// Share of the labelled planets held out to judge by.
    #[schemars(range(min = 0, max = 1))]
    pub test_fraction: f64,
    /// One of several equal parts of the labelled planets to judge by, in place of `test_fraction`; `null` is none.
    #[serde(deserialize_with = "required")]
    pub fold: Option<Fold>,
    /// Seed that draws the held-out planets.
    pub split_seed: u64,
}

/// A part of the labelled planets, drawn so that the parts of one `split_seed` share no planet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fold {
    /// Parts in all.
    #[schemars(range(min = 2, max = 100_000))]
    pub of: usize,
    /// Which of them, from 0.
    pub number: usize,
}

/// What a data set holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DataLevel {
    /// Frames as the detectors read them.
    Raw,
    /// Light curves in bins of time, as a calibration gives them: of a simulation alone.
    Binned,
}

impl DataLevel {
    /// Its name in a config.
    pub fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Binned => "binned",
        }
    }
}

impl DataConfig {
    /// Refuses numbers that no training can be made with.
    ///
    /// # Errors
    /// The first such setting.
    pub fn check(&self) -> Result<(), UnsupportedSetting> {
        let refuse = |key, expected, got: String| Err(UnsupportedSetting::Invalid { key, expected, got });
        within("data.batch_size", 1..=MAX_TABLE_ROWS as usize, self.batch_size)?;
        let shares = [("data.val_fraction", self.val_fraction), ("data.test_fraction", self.test_fraction)];
        if self.val_fraction + self.test_fraction >= 1.0 {
            let got = format!("{} in all", self.val_fraction + self.test_fraction);
            return refuse("data.val_fraction and data.test_fraction", "shares that leave planets to train on", got);
        }
        if let Some(Fold { of, number }) = self.fold {
            within("data.fold.of", 2..=MAX_TABLE_ROWS as usize, of)?;
            within("data.fold.number", 0..=of - 1, number)?;
            if self.test_fraction != 0.0 {
                let expected = "0 with data.fold, which says what is held out to judge by";
                return refuse("data.test_fraction", expected, self.test_fraction.to_string());
            }
            if self.val_fraction + 1.0 / of as f64 >= 1.0 {
                let (expected, got) = ("less than what a fold leaves", self.val_fraction.to_string());
                return refuse("data.val_fraction", expected, got);
            }
        }
        match shares.into_iter().find(|(_, share)| !(0.0..1.0).contains(share)) {
            Some((key, share)) => refuse(key, "a share from 0 to below 1", share.to_string()),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::ariel::calibration::{BrokenVisit, CalibOutput, CalibSteps};
    use crate::ariel::dataset::Split;
    use crate::ariel::loss::LossName;
    use crate::ariel::model::{ModelName, NetworkConfig};
    use crate::ariel::simulator::tests::quiet;

    /// A config whose data lie in `folder`, of a size for tests.
    pub(crate) fn example(folder: &std::path::Path) -> ArielConfig {
        let data = folder.join("data");
        ArielConfig {
            model: ModelConfig { name: ModelName::Bayes, components: 4, network: None },
            data: DataConfig {
                name: "test".into(),
                root: data.clone(),
                split: Split::Train,
                level: DataLevel::Raw,
                simulation: Some("test".into()),
                batch_size: 2,
                val_fraction: 0.0,
                test_fraction: 0.0,
                fold: None,
                split_seed: 7,
            },
            sim: SimConfig { planets: 2, ..quiet(&data) },
            calib: CalibConfig {
                out: folder.join("calibrated"),
                output: CalibOutput::LightCurve,
                airs_bin: 1,
                fgs1_bin: 1,
                broken: BrokenVisit::Refuse,
                steps: CalibSteps::OFFICIAL,
            },
            loss: LossConfig {
                name: LossName::OfficialScore,
                fgs1_weight: 57.846,
                airs_weight: 1.0,
                smoothness: 0.0,
                non_negativity: 0.0,
                band_coherence: 0.0,
            },
        }
    }

    /// Trainer settings that monitor nothing.
    fn trainer() -> TrainerSettings {
        TrainerSettings { early_stopping: None, ..TrainerSettings::default() }
    }

    #[test]
    fn what_is_monitored_has_to_be_among_the_metrics_of_a_validation() {
        use crate::ariel::task::METRICS;
        use crate::engine::settings::{CheckpointSettings, EarlyStopping};
        let with = |val_fraction, stopping: Option<&str>, ranking: Option<&str>| {
            let (mut config, mut trainer) = (example(std::path::Path::new("x")), trainer());
            config.data.val_fraction = val_fraction;
            trainer.early_stopping =
                stopping.map(|monitor| EarlyStopping { monitor: monitor.into(), mode: None, patience: 1 });
            let monitor = ranking.map(str::to_owned);
            trainer.checkpoint = CheckpointSettings { monitor, ..CheckpointSettings::default() };
            config.check(&trainer).map_err(|error| error.to_string())
        };
        for (metric, _) in METRICS {
            let name = format!("val/{metric}");
            assert_eq!(with(0.2, Some(&name), Some(&name)), Ok(()));
        }
        for wrong in ["score", "train/loss", "test/score", "val/", "val/scor", ""] {
            let (stopping, ranking) = (with(0.2, Some(wrong), None), with(0.2, None, Some(wrong)));
            assert!(
                stopping.expect_err(wrong).starts_with("trainer.early_stopping.monitor: expected one of val/score")
            );
            assert!(ranking.expect_err(wrong).starts_with("trainer.checkpoint.monitor: expected one of val/score"));
        }
        for (stopping, ranking) in [(Some("val/score"), None), (None, Some("val/loss"))] {
            let error = with(0.0, stopping, ranking).expect_err("nothing to validate on");
            assert!(error.starts_with("data.val_fraction: ") && error.contains(".monitor=val/"), "{error}");
        }
        assert_eq!(with(0.0, None, None), Ok(()));
        let (mut config, mut trainer) = (example(std::path::Path::new("x")), trainer());
        config.data.val_fraction = 0.2;
        let (monitor, mode) = ("val/rmse_ppm".into(), Some(MonitorMode::Max));
        trainer.early_stopping = Some(EarlyStopping { monitor, mode, patience: 1 });
        let error = config.check(&trainer).expect_err("an error is better when it is small").to_string();
        assert!(error.starts_with("trainer.early_stopping.mode: expected min"), "{error}");
    }

    #[test]
    fn a_config_that_would_take_all_memory_is_refused_by_key() {
        let config = example(std::path::Path::new("x"));
        assert!(config.check(&trainer()).is_ok());
        let refused = |change: &dyn Fn(&mut ArielConfig, &mut TrainerSettings)| {
            let (mut config, mut trainer) = (config.clone(), trainer());
            change(&mut config, &mut trainer);
            config.check(&trainer).expect_err("refused").to_string()
        };
        let network = NetworkConfig { channels: 32, states: 0, hidden: 96, dropout: 0.1 };
        let with_network = |config: &mut ArielConfig, network: NetworkConfig| {
            config.model = ModelConfig { name: ModelName::V50, components: 8, network: Some(network) };
        };
        for hidden in [0, 40_000_000, 2_000_000_000, usize::MAX] {
            let error = refused(&|config, _| with_network(config, NetworkConfig { hidden, ..network.clone() }));
            assert!(error.contains("model.network.hidden"), "{hidden}");
        }
        let error = refused(&|config, _| with_network(config, NetworkConfig { dropout: f64::NAN, ..network.clone() }));
        assert!(error.contains("model.network.dropout"));
        assert!(refused(&|config, _| config.model.network = Some(network.clone())).contains("model.network"));
        assert!(refused(&|config, _| config.model.name = ModelName::V50).contains("model.network"));
        assert!(refused(&|config, _| config.model.components = 0).contains("model.components"));
        assert!(refused(&|config, _| config.data.batch_size = usize::MAX).contains("data.batch_size"));
        assert!(refused(&|config, _| config.data.val_fraction = f64::NAN).contains("data.val_fraction"));
        assert!(refused(&|config, _| config.loss.airs_weight = f64::INFINITY).contains("loss.airs_weight"));
        assert!(refused(&|config, _| config.sim.planets = usize::MAX).contains("sim.planets"));
        assert!(refused(&|config, _| config.calib.airs_bin = 0).contains("calib.airs_bin"));
        assert!(refused(&|config, _| config.calib.fgs1_bin = usize::MAX).contains("calib.fgs1_bin"));
        // Each number is acceptable by itself, but not all of them.
        let wide = |config: &mut ArielConfig, trainer: &mut TrainerSettings| {
            with_network(config, NetworkConfig { hidden: 16_384, ..network.clone() });
            config.data.batch_size = 4096;
            (trainer.micro_shards, trainer.accumulate_grad_batches) = (4096, 4096);
        };
        assert!(refused(&wide).contains("4 GiB"));
    }
}
