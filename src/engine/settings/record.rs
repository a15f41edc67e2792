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
}

impl LoggerSettings {
    /// No logs.
    pub const NONE: Self = Self { events: false, metrics: false, debug_log: false };
}

/// The `audit` group: how much of the run the step log pins down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AuditSettings {
    /// Steps between two digests of the whole state; at checkpoints there always is one.
    pub state_digest_every: u32,
}
