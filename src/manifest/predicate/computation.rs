//! What is claimed of the computation itself: a training in the engine, or a program of somebody's own.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::digest::Blake3Digest;
use crate::manifest::strict_json::{DecimalU64, ExactF64};
use crate::provenance::path::RelativePath;

/// What kind of computation a run was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(clippy::large_enum_variant, reason = "a run has one, and a box would show in every place that reads it")]
pub enum Computation {
    /// Training in the engine: every optimizer step is pinned.
    Training(TrainingRecord),
    /// A program of the user's own: what went in and what came out is pinned, and nothing is claimed about its arithmetic.
    Command(CommandRecord),
}

/// What is claimed of a training in the engine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TrainingRecord {
    /// What computed: of several workers, worker 0's.
    pub device: DeviceRecord,
    /// Who made which steps, where it was not this device alone from the first to the last one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stretches: Vec<StretchRecord>,
    /// Seconds that the computation for comparing devices took on it, before training; the last process's of a run that was gone on with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference_seconds: Option<ExactF64>,
    /// How it computed.
    pub numerics: NumericsRecord,
    /// The seed of every random stream.
    pub seed: DecimalU64,
    /// The step log.
    pub steps: StepsRecord,
    /// The checkpoints, in the order of their steps.
    pub checkpoints: Vec<CheckpointRecord>,
    /// The audit points, in the order of their steps: states for a checker to begin at, which may be kept elsewhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub audit_points: Vec<CheckpointRecord>,
    /// The log of events, where one is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<EventsRecord>,
}

/// A log of events: where a chain of lines ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EventsRecord {
    /// Its path inside the run directory.
    pub file: RelativePath,
    /// How many lines it has.
    pub count: DecimalU64,
    /// BLAKE3 of the last one, which names the one before it, and so on to the first.
    pub head: Blake3Digest,
}

/// What is claimed of a program of the user's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CommandRecord {
    /// Its words as they were given, `{config}` and `{run}` among them.
    pub words: Vec<String>,
    /// What it exited with: 0, or anything where somebody stopped it; 128 and the number of the signal that ended it.
    pub exit_code: i32,
    /// What kept it from writing elsewhere.
    pub sandbox: SandboxRecord,
}

/// What kept a command from writing elsewhere: the trainer's own word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum SandboxRecord {
    /// Linux' Landlock, of this version of its interface.
    Landlock {
        /// The version.
        abi: u32,
    },
    /// Nothing.
    None {
        /// Why.
        reason: String,
    },
}

/// Steps that the same workers made, one after another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StretchRecord {
    /// The first of them; the last one is that before the next stretch.
    pub first_step: DecimalU64,
    /// The workers, by number.
    pub workers: Vec<WorkerRecord>,
}

/// One of the workers that made a stretch of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WorkerRecord {
    /// What computed there.
    pub device: DeviceRecord,
    /// The host's name, with `record.hosts=true`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
}

impl StretchRecord {
    /// Who made which steps, by what a record lists: without a list it was its device alone.
    pub fn of(device: &DeviceRecord, listed: &[Self]) -> Vec<Self> {
        match listed {
            [] => vec![Self::alone(device)],
            listed => listed.to_vec(),
        }
    }

    /// What a record of that device lists: nothing where it was that device alone.
    pub fn listed(device: &DeviceRecord, stretches: Vec<Self>) -> Vec<Self> {
        if stretches == [Self::alone(device)] { Vec::new() } else { stretches }
    }

    /// Those that came to a step: a run that goes on after its last one makes none.
    pub fn made(stretches: Vec<Self>, steps: u64) -> Vec<Self> {
        stretches.into_iter().filter(|stretch| stretch.first_step.0 <= steps.max(1)).collect()
    }

    fn alone(device: &DeviceRecord) -> Self {
        Self { first_step: DecimalU64(1), workers: vec![WorkerRecord { device: device.clone(), host: None }] }
    }
}

impl TrainingRecord {
    /// Every device that computed a step.
    pub fn devices(&self) -> impl Iterator<Item = &DeviceRecord> {
        let others = self.stretches.iter().flat_map(|stretch| &stretch.workers).map(|worker| &worker.device);
        std::iter::once(&self.device).chain(others)
    }
}

/// What computed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeviceRecord {
    /// Kind of device: `cpu`, `wgpu`, `cuda`.
    pub accelerator: String,
    /// Name of the device.
    pub name: String,
    /// Name and version of its driver; `None` for the CPU, which has none.
    #[serde(deserialize_with = "Option::deserialize")]
    pub driver: Option<String>,
    /// Its memory in bytes; `None` where its driver does not tell, and for the CPU, whose is the machine's.
    #[serde(deserialize_with = "Option::deserialize")]
    pub memory_bytes: Option<DecimalU64>,
    /// The numerics probe; `None` when it was not run.
    #[serde(deserialize_with = "Option::deserialize")]
    pub probe: Option<ProbeRecord>,
}

/// Outcome of the numerics probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProbeRecord {
    /// Whether the device computes the bits that the contract asks for.
    pub passed: bool,
    /// Digest over the bits it did compute.
    pub digest: Blake3Digest,
}

/// How it computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NumericsRecord {
    /// Which promise holds.
    pub profile: NumericsProfile,
    /// Version of the profile: another version may compute other bits.
    pub version: u32,
    /// Width of the floats that are multiplied in matrix products.
    pub precision: PrecisionRecord,
}

/// Width of the floats that are multiplied in matrix products; everything else is f32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PrecisionRecord {
    /// f32.
    #[serde(rename = "32")]
    Full,
    /// f16, with a dynamic loss scale that every step leaf states.
    #[serde(rename = "16-mixed")]
    MixedF16,
    /// bf16.
    #[serde(rename = "bf16-mixed")]
    MixedBf16,
}

/// Which promise about equal bits holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum NumericsProfile {
    /// Equal bits on every device that passes the probe.
    Portable,
    /// Equal bits on the same kind of device only.
    Native,
}

/// The step log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StepsRecord {
    /// Number of leaves: optimizer steps.
    pub count: u64,
    /// Merkle root over all leaves.
    pub merkle_root: Blake3Digest,
    /// The log, below the run directory.
    pub file: RelativePath,
}

/// One checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CheckpointRecord {
    /// The file, below the run directory.
    pub file: RelativePath,
    /// Optimizer steps done.
    pub step: u64,
    /// Digest of the whole state: parameters, optimizer moments, counters.
    pub state_digest: Blake3Digest,
}
