//! What is written down of a run: the `logger` and `audit` groups.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The `logger` group: which logs a run directory gets. The step log is not a log but the record, and always there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LoggerSettings {
    /// `logs/events.jsonl`: what happened when.
    pub events: bool,
    /// `logs/metrics.csv`: step, epoch, metric, value.
    pub metrics: bool,
    /// `v50_debug_log.md`: the same for a person.
    pub debug_log: bool,
    /// `logs/tensorboard/`: an event file of TensorBoard.
    pub tensorboard: bool,
    /// `logs/wandb/`: an offline run of Weights & Biases.
    pub wandb: bool,
}

impl LoggerSettings {
    /// No logs.
    pub const NONE: Self = Self { events: false, metrics: false, debug_log: false, tensorboard: false, wandb: false };
}

/// The `audit` group: how much of the run the step log pins down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AuditSettings {
    /// Steps between two digests of the whole state; at checkpoints and audit points there always is one.
    pub state_digest_every: u32,
    /// Most segments that the run is cut into by audit points: states that it leaves behind for an auditor to begin at.
    pub segments: u32,
    /// Fewest steps of a segment: shorter runs have fewer.
    #[schemars(range(min = 1))]
    pub min_segment_steps: u32,
    /// Most bytes of all audit points together, before they are compressed.
    pub max_bytes: u64,
}
