//! What a run starts from: everything of the record that is known before the first step.
//!
//! Written as `provenance.json` when a run starts. A resumed run compares it with what it finds, so that no run is
//! made half of one config, commit or data set and half of another.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::provenance::environment::Environment;
use crate::provenance::git::GitRecord;

use super::predicate::{
    Computation, ConfigRecord, DataRecord, DeviceRecord, NumericsProfile, NumericsRecord, RunRecord, StretchRecord,
};
use super::strict_json::DecimalU64;
use super::timestamp::UtcTime;

/// Name of the document inside a run directory.
pub const ORIGIN: &str = "provenance.json";

// These fields stand in `TrainingRun` again, one by one: serde cannot flatten a struct into one that refuses unknown
// fields, and the signed record must refuse them.
/// What a run starts from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RunOrigin {
    /// Which run it is.
    pub run: RunRecord,
    /// What is trained: the name of the workload.
    pub workload: String,
    /// The composed configuration.
    pub config: ConfigRecord,
    /// The sources; `None` when they were in no git repository.
    #[serde(deserialize_with = "Option::deserialize")]
    pub git: Option<GitRecord>,
    /// The data sets, in the order they were opened.
    pub data: Vec<DataRecord>,
    /// The machine and the program.
    pub environment: Environment,
    /// What kind of computation it is, and what of it is known before it.
    pub computation: ComputationOrigin,
    /// When the run started, by the machine's own clock: self-asserted.
    pub started_at: UtcTime,
}

/// What is known of a computation before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum ComputationOrigin {
    /// Training in the engine.
    Training(TrainingOrigin),
    /// A program of the user's own.
    Command(CommandOrigin),
}

/// What is known of a training before its first step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TrainingOrigin {
    /// What computes: of several workers, worker 0.
    pub device: DeviceRecord,
    /// Who makes which steps, where it is not this device alone from the first one on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stretches: Vec<StretchRecord>,
    /// How it computes.
    pub numerics: NumericsRecord,
    /// The seed of every random stream.
    pub seed: DecimalU64,
}

/// What is known of a command before it begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CommandOrigin {
    /// Its words as they were given, `{config}` and `{run}` among them.
    pub words: Vec<String>,
}

impl ComputationOrigin {
    /// The first field by which a run that started so is not the one that is claimed; a training may have gone on on another
    /// device.
    pub fn contradiction(&self, computation: &Computation) -> Option<&'static str> {
        match (self, computation) {
            (Self::Training(origin), Computation::Training(claim)) => {
                let began = StretchRecord::of(&origin.device, &origin.stretches);
                let made = StretchRecord::of(&claim.device, &claim.stretches);
                // Records from before they were listed say only what the run began and what it ended on.
                let are_listed = !(origin.stretches.is_empty() && claim.stretches.is_empty());
                let differences = [
                    ("numerics", origin.numerics != claim.numerics),
                    ("seed", origin.seed != claim.seed),
                    ("stretches", are_listed && StretchRecord::made(began, claim.steps.count) != made),
                ];
                differences.into_iter().find(|(_, differs)| *differs).map(|(field, _)| field)
            }
            (Self::Command(origin), Computation::Command(claim)) => (origin.words != claim.words).then_some("words"),
            (Self::Training(_), Computation::Command(_)) | (Self::Command(_), Computation::Training(_)) => {
                Some("computation")
            }
        }
    }

    /// What computes, where that is known.
    pub fn device(&self) -> Option<&DeviceRecord> {
        match self {
            Self::Training(training) => Some(&training.device),
            Self::Command(_) => None,
        }
    }

    fn first_difference(&self, other: &Self) -> Option<&'static str> {
        match (self, other) {
            (Self::Training(left), Self::Training(right)) => {
                let native = left.numerics.profile == NumericsProfile::Native;
                let differences = [
                    ("numerics", left.numerics != right.numerics),
                    ("kind of device", native && left.device.accelerator != right.device.accelerator),
                    ("seed", left.seed != right.seed),
                ];
                differences.into_iter().find(|(_, differs)| *differs).map(|(name, _)| name)
            }
            (Self::Command(left), Self::Command(right)) => (left != right).then_some("command"),
            _ => Some("kind of computation"),
        }
    }
}

impl RunOrigin {
    /// The first thing that would make a run from `other` another run, by name. Time is not among them, and the machine
    /// only where native numerics promise nothing across kinds of devices.
    pub fn first_difference(&self, other: &Self) -> Option<&'static str> {
        let other_sources = match (&self.git, &other.git) {
            (Some(left), Some(right)) => !left.has_files_of(right),
            (left, right) => left.is_some() != right.is_some(),
        };
        let roots =
            |data: &[DataRecord]| data.iter().map(|d| (d.name.clone(), d.role, d.merkle_root)).collect::<Vec<_>>();
        // The list of DVC's outputs is written anew when a run goes on: it has to be the one that was recorded.
        let dvc = |data: &[DataRecord]| data.iter().map(|data| data.dvc.clone()).collect::<Vec<_>>();
        let differences = [
            ("workload", self.workload != other.workload),
            ("composed config", self.config.digest != other.config.digest),
            ("sources (git tree, uncommitted changes, submodules or LFS files)", other_sources),
            ("data", roots(&self.data) != roots(&other.data)),
            ("agreement with DVC of the data", dvc(&self.data) != dvc(&other.data)),
        ];
        let difference = differences.into_iter().find(|(_, differs)| *differs).map(|(name, _)| name);
        difference.or_else(|| self.computation.first_difference(&other.computation))
    }
}
