//! The claim: how a training run was made, and what came out of it.
//!
//! Every field is always present; what is absent is an explicit `null`. A later version of these types is a new
//! [`TYPE`](Predicate::TYPE), never a new field.

mod computation;

use std::collections::BTreeSet;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::{Composer, Config, ConfigError, VersionBase};
use crate::digest::Blake3Digest;
use crate::envelope::{Bounds, Figures, NetworkFigure, NetworkMode};
use crate::provenance::data::DataManifest;
use crate::provenance::dvc::DvcOutput;
use crate::provenance::environment::Environment;
use crate::provenance::git::GitRecord;
use crate::provenance::path::RelativePath;

pub use crate::event_log::ExitReason;

use super::statement::{Predicate, StatementError};
use super::strict_json::{DecimalU64, ExactF64, NonFinite};
use super::timestamp::{UtcOffset, UtcTime};

pub use self::computation::{
    CheckpointRecord, CommandRecord, Computation, DeviceRecord, EventsRecord, NumericsProfile, NumericsRecord,
    PrecisionRecord, ProbeRecord, SandboxRecord, StepsRecord, StretchRecord, TrainingRecord, WorkerRecord,
};

/// The URI of the predicate, version 2: workload, kind of computation, role of each data set, size of each file, outputs,
/// samples behind each metric, and what the program was built from are new in it.
pub const TRAINING_RUN: &str = "urn:x-spectramind:training-run:v2";

/// Name of the workload that runs a program of the user's own.
pub const COMMAND_WORKLOAD: &str = "command";

/// How a training run was made, and what came out of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TrainingRun {
    /// Which run it is.
    pub run: RunRecord,
    /// What was trained: the name of the workload, which says how config and data become a model.
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
    /// What kind of computation it was, and what is claimed of it.
    pub computation: Computation,
    /// The signed files with their sizes, in the order of the statement's subjects: a file is refused by its size
    /// before it is read.
    pub files: Vec<FileRecord>,
    /// Those of the signed files that the workload wrote after training, or that a command declared: a replay makes them
    /// again and compares.
    pub outputs: Vec<RelativePath>,
    /// What was measured at the end.
    pub metrics: Vec<MetricRecord>,
    /// The limits and what was used of them.
    pub envelope: EnvelopeRecord,
    /// Why the run ended.
    pub exit: ExitRecord,
    /// When the run started, by the machine's own clock: self-asserted.
    pub started_at: UtcTime,
    /// When the run ended, by the machine's own clock: self-asserted. Limits are judged by monotonic seconds instead.
    pub finished_at: UtcTime,
}

impl TrainingRun {
    /// What is claimed of a training in the engine; nothing of another kind of run.
    pub fn training(&self) -> Option<&TrainingRecord> {
        match &self.computation {
            Computation::Training(training) => Some(training),
            Computation::Command(_) => None,
        }
    }

    /// What is claimed of a program of the user's own; nothing of another kind of run.
    pub fn command(&self) -> Option<&CommandRecord> {
        match &self.computation {
            Computation::Command(command) => Some(command),
            Computation::Training(_) => None,
        }
    }
}

/// Which run it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RunRecord {
    /// The run's own id.
    pub id: String,
    /// The experiment it belongs to.
    pub experiment: String,
    /// The competition or audit it was made for.
    #[serde(deserialize_with = "Option::deserialize")]
    pub challenge: Option<String>,
    /// What the verifier asked to be signed, so that an old run cannot be handed in again.
    #[serde(deserialize_with = "Option::deserialize")]
    pub nonce: Option<String>,
}

/// The composed configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConfigRecord {
    /// Name of the primary config.
    pub name: String,
    /// Digest of the composed config's canonical bytes.
    pub digest: Blake3Digest,
    /// The option chosen of each group, in the order of the defaults list.
    pub choices: Vec<ConfigChoice>,
    /// The overrides, as given and in the order given.
    pub overrides: Vec<String>,
    /// The overrides of Hydra's own node, as given and in the order given.
    pub hydra_overrides: Vec<String>,
    /// The job: what `${hydra:job.…}` names.
    pub job: JobRecord,
    /// The time that `${now:…}` shows.
    pub composed_at: UtcTime,
    /// How far the clock that `${now:…}` shows was ahead of UTC; nothing where it showed UTC.
    #[serde(default, skip_serializing_if = "UtcOffset::is_utc")]
    pub utc_offset_seconds: UtcOffset,
    /// Hydra's compatibility level; nothing where it is that of Hydra 1.3.
    #[serde(default, skip_serializing_if = "VersionBase::is_current")]
    pub version_base: VersionBase,
    /// The file of resolvers, below the config directory; it is one of the sources.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolvers: Option<RelativePath>,
    /// The files that were composed.
    pub sources: Vec<ConfigSource>,
}

/// The job of a run, as Hydra numbers it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct JobRecord {
    /// Its name.
    pub name: String,
    /// Its number in a multirun; `null` outside one.
    #[serde(deserialize_with = "Option::deserialize")]
    pub number: Option<u32>,
}

/// The key of a config that says in which zone `${now:…}` shows the time: `local` or `utc`.
pub const CLOCK_KEY: &str = "record.clock";

impl ConfigRecord {
    /// Composes the config again: from the composer's folders and environment, and everything else as recorded.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn compose(&self, composer: &Composer) -> Result<Config, ConfigError> {
        let now = self.utc_offset_seconds.show(self.composed_at);
        let composer = composer.clone().job_name(&self.job.name).now(now).utc_key(CLOCK_KEY);
        let composer = composer.version_base(self.version_base);
        let composer = match &self.resolvers {
            Some(path) => composer.resolvers_in_tree(path.as_str())?,
            None => composer,
        };
        let overrides: Vec<&String> = self.hydra_overrides.iter().chain(&self.overrides).collect();
        let mut config = composer.compose(self.name.as_str(), &overrides)?;
        config.enter_job(self.job.number.map(u64::from))?;
        Ok(config)
    }
}

/// One choice of the defaults list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConfigChoice {
    /// The config group.
    pub group: String,
    /// The option chosen.
    pub option: String,
}

/// One file that was composed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConfigSource {
    /// Where it is, below the config directory.
    pub path: RelativePath,
    /// Size in bytes.
    pub size: u64,
    /// Plain BLAKE3 of its bytes.
    pub blake3: Blake3Digest,
}

/// One data set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DataRecord {
    /// What the config calls it.
    pub name: String,
    /// Whether an auditor brings it or a replay makes it.
    pub role: DataRole,
    /// Where it was, as the config said. For people: a check takes the root as an argument.
    pub root: String,
    /// Number of files.
    pub files: u64,
    /// Sum of the files' sizes.
    pub bytes: DecimalU64,
    /// Merkle root over path, size and content of every file.
    pub merkle_root: Blake3Digest,
    /// The list of the files, below the run directory.
    pub list: RelativePath,
    /// What DVC says of it; `null` when DVC says nothing.
    #[serde(deserialize_with = "Option::deserialize")]
    pub dvc: Option<DvcRecord>,
}

/// A data set as a config names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataSet {
    /// Its name, which is a file name, too.
    pub name: String,
    /// Whether an auditor brings it or a replay makes it.
    pub role: DataRole,
    /// Its folder, or the one file that it is.
    pub root: PathBuf,
}

/// Where a data set comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum DataRole {
    /// From outside: whoever replays the run brings it.
    Raw,
    /// A function of the config and of the data sets before it: a replay makes it again and compares.
    Derived,
}

impl DataRole {
    /// Its name in a record.
    pub fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Derived => "derived",
        }
    }
}

/// What DVC says of a data set: its entries are compared with the files when the run begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DvcRecord {
    /// The list of the outputs with their checksums as recorded and as found, below the run directory.
    pub list: RelativePath,
    /// Number of outputs in the list: at least one.
    pub outputs: u64,
    /// Number of those of which the files differ.
    pub differing: u64,
}

/// One signed file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FileRecord {
    /// Where it is, below the run directory.
    pub path: RelativePath,
    /// Size in bytes.
    pub size: DecimalU64,
}

/// One figure of merit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MetricRecord {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: ExactF64,
    /// Number of held-out samples that it was computed over; 0 where nobody counted them, as of a command's metric.
    pub samples: DecimalU64,
}

/// The limits and what was used of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EnvelopeRecord {
    /// The limits that were in force.
    pub bounds: BoundsRecord,
    /// What was used.
    pub figures: FiguresRecord,
}

/// [`Bounds`], as signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BoundsRecord {
    /// Most monotonic seconds.
    #[serde(deserialize_with = "Option::deserialize")]
    pub wall_seconds: Option<DecimalU64>,
    /// Most bytes of device memory.
    #[serde(deserialize_with = "Option::deserialize")]
    pub device_memory_bytes: Option<DecimalU64>,
    /// Most bytes of host memory; left out where there is no such limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_memory_bytes: Option<DecimalU64>,
    /// What of the network the run may use.
    pub network: NetworkMode,
}

/// [`Figures`], as signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FiguresRecord {
    /// Monotonic seconds from start to end.
    pub wall_seconds: ExactF64,
    /// Most bytes of host memory; `None` when not measured.
    #[serde(deserialize_with = "Option::deserialize")]
    pub peak_host_bytes: Option<DecimalU64>,
    /// Most bytes of device memory, looked at after every step; 0 for a run on the CPU, `None` when not measured.
    #[serde(deserialize_with = "Option::deserialize")]
    pub peak_device_bytes: Option<DecimalU64>,
    /// The network the run had.
    pub network: NetworkFigure,
}

/// Why the run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExitRecord {
    /// Why.
    pub reason: ExitReason,
}

impl DataRecord {
    /// Records a data set whose list was written to `list`, below the run directory.
    pub fn new(
        name: &str,
        role: DataRole,
        root: &str,
        data: &DataManifest,
        list: RelativePath,
        dvc: Option<DvcRecord>,
    ) -> Self {
        Self {
            name: name.to_owned(),
            role,
            root: root.to_owned(),
            files: data.files().len() as u64,
            bytes: DecimalU64(data.total_bytes()),
            merkle_root: data.merkle_root(),
            list,
            dvc,
        }
    }
}

impl DvcRecord {
    /// Records outputs whose list was written to `list`, below the run directory; none when there are none.
    pub fn new(outputs: &[DvcOutput], list: RelativePath) -> Option<Self> {
        let differing = outputs.iter().filter(|output| !output.matches()).count() as u64;
        (!outputs.is_empty()).then_some(Self { list, outputs: outputs.len() as u64, differing })
    }
}

impl From<&Bounds> for BoundsRecord {
    fn from(bounds: &Bounds) -> Self {
        Self {
            wall_seconds: bounds.wall_seconds.map(DecimalU64),
            device_memory_bytes: bounds.device_memory_bytes.map(DecimalU64),
            host_memory_bytes: bounds.host_memory_bytes.map(DecimalU64),
            network: bounds.network,
        }
    }
}

impl From<&BoundsRecord> for Bounds {
    fn from(record: &BoundsRecord) -> Self {
        Self {
            wall_seconds: record.wall_seconds.map(|value| value.0),
            device_memory_bytes: record.device_memory_bytes.map(|value| value.0),
            host_memory_bytes: record.host_memory_bytes.map(|value| value.0),
            network: record.network,
        }
    }
}

impl TryFrom<&Figures> for FiguresRecord {
    type Error = NonFinite;

    fn try_from(figures: &Figures) -> Result<Self, NonFinite> {
        Ok(Self {
            wall_seconds: ExactF64::new(figures.wall_seconds)?,
            peak_host_bytes: figures.peak_host_bytes.map(DecimalU64),
            peak_device_bytes: figures.peak_device_bytes.map(DecimalU64),
            network: figures.network,
        })
    }
}

impl From<&FiguresRecord> for Figures {
    fn from(record: &FiguresRecord) -> Self {
        Self {
            wall_seconds: record.wall_seconds.get(),
            peak_host_bytes: record.peak_host_bytes.map(|value| value.0),
            peak_device_bytes: record.peak_device_bytes.map(|value| value.0),
            network: record.network,
        }
    }
}

impl Predicate for TrainingRun {
    const TYPE: &'static str = TRAINING_RUN;

    /// Checks that the claim does not contradict itself, and that nothing in it is named twice.
    fn check(&self) -> Result<(), StatementError> {
        let refuse = |path: &str, message: String| Err(StatementError::Predicate { path: path.to_owned(), message });
        if self.git.as_ref().is_some_and(|git| !git.is_consistent()) {
            return refuse("git", "clean, difference and changed contradict each other".to_owned());
        }
        for (path, names) in [
            ("data", self.data.iter().map(|data| data.name.as_str()).collect::<Vec<_>>()),
            ("metrics", self.metrics.iter().map(|metric| metric.name.as_str()).collect()),
            ("outputs", self.outputs.iter().map(|path| path.as_str()).collect()),
            ("config.choices", self.config.choices.iter().map(|choice| choice.group.as_str()).collect()),
        ] {
            let mut seen = BTreeSet::new();
            if let Some(name) = names.into_iter().find(|name| !seen.insert(*name)) {
                return refuse(path, format!("{name:?} is named twice"));
            }
        }
        let impossible = |dvc: &DvcRecord| dvc.outputs == 0 || dvc.differing > dvc.outputs;
        if self.data.iter().filter_map(|data| data.dvc.as_ref()).any(impossible) {
            return refuse("data.dvc", "no outputs, or more of them differ than there are".to_owned());
        }
        if let Some(TrainingRecord { steps, checkpoints, audit_points, stretches, .. }) = self.training() {
            let place = "computation.training.stretches";
            if let Some(first) = stretches.first().filter(|first| first.first_step.0 != 1) {
                return refuse(place, format!("the first one begins with step {}", first.first_step));
            }
            if let Some(pair) = stretches.windows(2).find(|pair| pair[0].first_step.0 >= pair[1].first_step.0) {
                return refuse(place, format!("step {} comes after step {}", pair[1].first_step, pair[0].first_step));
            }
            if let Some(late) = stretches.iter().skip(1).find(|stretch| stretch.first_step.0 > steps.count) {
                return refuse(place, format!("step {} of {} steps", late.first_step, steps.count));
            }
            if let Some(empty) = stretches.iter().find(|stretch| !stretch.workers.len().is_power_of_two()) {
                let message = format!("{} workers from step {} on", empty.workers.len(), empty.first_step);
                return refuse(place, format!("{message}: expected a power of two"));
            }
            let place = "computation.training.auditPoints";
            if let Some(pair) = audit_points.windows(2).find(|pair| pair[0].step >= pair[1].step) {
                return refuse(place, format!("step {} comes after step {}", pair[1].step, pair[0].step));
            }
            // Such a file may be absent: no other one may be passed off as one.
            let is_other = |file: &RelativePath| !file.as_str().starts_with("audit/") || self.outputs.contains(file);
            if let Some(other) = audit_points.iter().find(|point| is_other(&point.file)) {
                return refuse(place, format!("{}: not a file of the folder audit alone", other.file.as_str()));
            }
            if let Some(late) = audit_points.iter().find(|point| !(1..=steps.count).contains(&point.step)) {
                return refuse(place, format!("step {} of {} steps", late.step, steps.count));
            }
            if let Some(pair) = checkpoints.windows(2).find(|pair| pair[0].step > pair[1].step) {
                let message = format!("step {} comes after step {}", pair[1].step, pair[0].step);
                return refuse("computation.training.checkpoints", message);
            }
            if let Some(late) = checkpoints.iter().find(|checkpoint| checkpoint.step > steps.count) {
                let message = format!("step {} of {} steps", late.step, steps.count);
                return refuse("computation.training.checkpoints", message);
            }
        }
        // A name that says one kind of computation over a record of the other would be judged by the wrong half of the checks.
        if (self.workload == COMMAND_WORKLOAD) != self.command().is_some() {
            let message = format!("{:?} over the record of another kind of computation", self.workload);
            return refuse("workload", message);
        }
        if let Some(CommandRecord { words, exit_code, .. }) = self.command() {
            if words.is_empty() {
                return refuse("computation.command.words", "empty".to_owned());
            }
            if *exit_code != 0 && self.exit.reason != ExitReason::Interrupted {
                let message = format!("{exit_code}: only success is signed, and what somebody stopped");
                return refuse("computation.command.exitCode", message);
            }
        }
        if self.envelope.figures.wall_seconds.get() < 0.0 {
            return refuse("envelope.figures.wallSeconds", "negative".to_owned());
        }
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests;
