//! What `train.yaml` holds whatever is trained.
//!
//! Every field is required and every unknown key refused, so what a command reads is exactly what its YAML says.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Workload;
use crate::config::Config;
use crate::engine::settings::{
    AuditSettings, EmaSettings, LoggerSettings, OptimizerSettings, ScheduleSettings, SupportedTrainer, TrainerSettings,
    UnsupportedSetting, required, within,
};
use crate::envelope::{Bounds, NetworkRule};
use crate::failure::Failure;
use crate::provenance::path::RelativePath;

/// The keys of `train.yaml` that every run has; all others are the workload's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunSettings {
    /// What is trained: the name of a workload.
    pub workload: String,
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
    /// By which rule.
    pub optimizer: OptimizerSettings,
    /// How the learning rate goes.
    pub schedule: ScheduleSettings,
    /// The mean of the weights that is validated, tested and predicted with instead of them; `null` is none.
    #[serde(deserialize_with = "required")]
    pub ema: Option<EmaSettings>,
    /// What is logged.
    pub logger: LoggerSettings,
    /// The limits the run claims to keep.
    pub envelope: EnvelopeConfig,
}

impl RunSettings {
    /// Its keys.
    pub const KEYS: [&'static str; 12] = [
        "workload",
        "experiment",
        "run",
        "record",
        "provenance",
        "audit",
        "trainer",
        "optimizer",
        "schedule",
        "ema",
        "logger",
        "envelope",
    ];
}

/// A config that was checked: what training and replaying take.
///
/// The only way to make one is [`of`](Self::of), so no command can forget to look at what somebody else's config asks for.
#[derive(Debug)]
pub struct CheckedConfig<W: Workload> {
    settings: RunSettings,
    trainer: SupportedTrainer,
    own: W::Config,
}

impl<W: Workload> CheckedConfig<W> {
    /// Reads a composed config, and refuses, by key, what cannot be done, what makes no sense, and what would take more
    /// memory or disk than any run has a use for.
    ///
    /// # Errors
    /// The first such setting.
    pub fn of(workload: &W, config: &Config) -> Result<Self, Failure> {
        let (settings, own): (RunSettings, W::Config) = config.extract_parts(&RunSettings::KEYS)?;
        if settings.workload != workload.name() {
            let (key, expected, got) = ("workload", workload.name(), settings.workload);
            return Err(UnsupportedSetting::Invalid { key, expected, got }.into());
        }
        // An experiment is one folder: a path in it could lead anywhere.
        if settings.experiment.contains('/') || RelativePath::parse(&settings.experiment).is_err() {
            let (key, expected, got) = ("experiment", "the name of a folder", settings.experiment);
            return Err(UnsupportedSetting::Invalid { key, expected, got }.into());
        }
        let trainer = settings.trainer.clone().check()?;
        settings.envelope.check(&trainer)?;
        settings.optimizer.check()?;
        settings.schedule.check()?;
        settings.ema.map_or(Ok(()), |ema| ema.check())?;
        workload.check(&own, &settings)?;
        within("data.batch_size", 1..=usize::MAX, workload.batch_size(&own))?;
        Ok(Self { settings, trainer, own })
    }

    /// The keys that every run has.
    pub fn settings(&self) -> &RunSettings {
        &self.settings
    }

    /// The trainer profile, checked.
    pub fn trainer(&self) -> &SupportedTrainer {
        &self.trainer
    }

    /// The workload's own keys.
    pub fn own(&self) -> &W::Config {
        &self.own
    }
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
    /// Do not run.
    Refuse,
    /// Run, and record the difference.
    Record,
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
    /// The zone in which `${now:…}` shows the time; the composer looks at it.
    pub clock: Clock,
    /// Whether the names of the hosts of several workers are recorded.
    #[serde(default)]
    pub hosts: bool,
}

/// A zone in which a time is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Clock {
    /// That of the machine, as Hydra shows it: `TZ`, or the system's.
    Local,
    /// UTC.
    Utc,
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
    /// Bytes of host memory at most: the largest resident set of the process.
    #[serde(deserialize_with = "required")]
    pub host_memory_bytes: Option<u64>,
    /// Whether the run may use the network, and whether it is kept from it.
    pub network: NetworkRule,
}

impl EnvelopeConfig {
    /// Refuses limits that a run by this trainer profile cannot keep, whatever it does.
    ///
    /// # Errors
    /// The first such setting.
    pub fn check(&self, trainer: &TrainerSettings) -> Result<(), UnsupportedSetting> {
        if self.network == NetworkRule::Deny && trainer.num_nodes > 1 {
            let expected =
                "observe or unrestricted with trainer.num_nodes above 1, whose workers talk over the network";
            return Err(UnsupportedSetting::Invalid { key: "envelope.network", expected, got: "deny".into() });
        }
        if let (Some(max_time), Some(limit)) = (trainer.max_time, self.wall_seconds)
            && max_time.0.as_secs() > limit
        {
            let (key, expected) = ("trainer.max_time", "at most envelope.wall_seconds, or null");
            let got = format!("{} s with envelope.wall_seconds={limit}", max_time.0.as_secs());
            return Err(UnsupportedSetting::Invalid { key, expected, got });
        }
        Ok(())
    }

    /// The bounds without the name.
    pub fn bounds(&self) -> Bounds {
        Bounds {
            wall_seconds: self.wall_seconds,
            device_memory_bytes: self.device_memory_bytes,
            host_memory_bytes: self.host_memory_bytes,
            network: self.network.bound(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema;

    #[test]
    fn the_keys_are_those_of_the_type() {
        let schema = schema::of::<RunSettings>();
        let properties = schema["properties"].as_object().expect("an object has properties");
        assert!(properties.keys().map(String::as_str).eq(RunSettings::KEYS));
    }
}
