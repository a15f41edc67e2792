//! What the primary configs of the Ariel workload hold, as types.
//!
//! Every field is required and every unknown key refused, so what a command reads is exactly what its YAML says.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::calibration::CalibConfig;
use super::loss::LossConfig;
use super::model::ModelConfig;
use super::simulator::SimConfig;
use crate::engine::settings::{
    Accelerator, AuditSettings, LoggerSettings, OptimizerSettings, TrainerSettings, UnsupportedSetting, required,
};
use crate::envelope::{Bounds, NetworkMode};

/// `train.yaml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// First folder under `run.root`.
    pub experiment: String,
    /// Where the run directory goes.
    pub run: RunConfig,
    /// What else is signed.
    pub record: RecordConfig,
    /// What is recorded of the sources and the data beyond their digests.
    pub provenance: ProvenanceConfig,
    /// How much the step log pins down.
    pub audit: AuditSettings,
    /// How the run goes.
    pub trainer: TrainerSettings,
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
    /// By which rule.
    pub optimizer: OptimizerSettings,
    /// What is logged.
    pub logger: LoggerSettings,
    /// The limits the run claims to keep.
    pub envelope: EnvelopeConfig,
}

/// What is recorded of the sources and the data beyond their digests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProvenanceConfig {
    /// Whether uncommitted changes are written as a patch beside the manifest.
    pub keep_diff: bool,
    /// What to do about data that differ from what DVC says of them.
    pub dvc: DvcPolicy,
    /// Environment variables that are no secret: of those that the config reads, their values are recorded, so that an
    /// audit composes the same without being given them.
    pub variables: Vec<String>,
}

/// What to do about data that differ from their `.dvc` file or `dvc.lock`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DvcPolicy {
    /// Do not train.
    Refuse,
    /// Train, and record the difference.
    Record,
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
    /// How raw frames become light curves.
    pub calib: CalibConfig,
    /// Where to compute: auto, cpu, wgpu, cuda.
    pub accelerator: Accelerator,
    /// The checkpoint to predict with.
    pub checkpoint: PathBuf,
    /// Where the submission goes.
    pub out: PathBuf,
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
    /// The `sim` option that writes it when it is missing; `null` is never.
    #[serde(deserialize_with = "required")]
    pub simulation: Option<String>,
    /// Planets per batch.
    #[schemars(range(min = 1))]
    pub batch_size: usize,
    /// Share of the labelled planets held out to stop by.
    #[schemars(range(min = 0, max = 1))]
    pub val_fraction: f64,
    /// Share of the labelled planets held out to judge by.
    #[schemars(range(min = 0, max = 1))]
    pub test_fraction: f64,
    /// Seed that draws the held-out planets.
    pub split_seed: u64,
}

impl DataConfig {
    /// Refuses numbers that no training can be made with.
    ///
    /// # Errors
    /// The first such setting.
    pub fn check(&self) -> Result<(), UnsupportedSetting> {
        let refuse = |key, expected, got: String| Err(UnsupportedSetting::Invalid { key, expected, got });
        if self.batch_size == 0 {
            return refuse("data.batch_size", "at least 1", "0".into());
        }
        let shares = [("data.val_fraction", self.val_fraction), ("data.test_fraction", self.test_fraction)];
        if self.val_fraction + self.test_fraction >= 1.0 {
            let got = format!("{} in all", self.val_fraction + self.test_fraction);
            return refuse("data.val_fraction and data.test_fraction", "shares that leave planets to train on", got);
        }
        match shares.into_iter().find(|(_, share)| !(0.0..1.0).contains(share)) {
            Some((key, share)) => refuse(key, "a share from 0 to below 1", share.to_string()),
            None => Ok(()),
        }
    }
}

/// The `run` keys: where the run directory goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunConfig {
    /// Folder of all run directories.
    pub root: PathBuf,
    /// The run directory itself; `null` names it by time and config digest.
    #[serde(deserialize_with = "required")]
    pub dir: Option<PathBuf>,
}

/// The `record` keys: what somebody who expects the run asked to be signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordConfig {
    /// A challenge's id.
    #[serde(deserialize_with = "required")]
    pub challenge: Option<String>,
    /// A verifier's nonce.
    #[serde(deserialize_with = "required")]
    pub nonce: Option<String>,
}

/// The `envelope` group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EnvelopeConfig {
    /// Name of the envelope.
    pub name: String,
    /// Wall-clock seconds at most.
    #[serde(deserialize_with = "required")]
    pub wall_seconds: Option<u64>,
    /// Bytes of device memory at most.
    #[serde(deserialize_with = "required")]
    pub device_memory_bytes: Option<u64>,
    /// Whether the run may use the network.
    pub network: NetworkMode,
}

impl EnvelopeConfig {
    /// The bounds without the name.
    pub fn bounds(&self) -> Bounds {
        Bounds { wall_seconds: self.wall_seconds, device_memory_bytes: self.device_memory_bytes, network: self.network }
    }
}
