//! When checkpoints are written and which are kept: `trainer.checkpoint`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{MonitorMode, required};

/// When checkpoints are written, beside the final one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckpointSettings {
    /// After every so many epochs; `null` is never.
    #[serde(deserialize_with = "required")]
    pub every_n_epochs: Option<u32>,
    /// After every so many optimizer steps; `null` is never.
    #[serde(deserialize_with = "required")]
    pub every_n_steps: Option<u32>,
    /// How many to keep, best first by the monitored metric; the newest is kept besides. -1 keeps all; with 0 none is
    /// called best.
    #[schemars(range(min = -1, max = 10_000))]
    pub save_top_k: i32,
    /// Name of the metric that says which is best, e.g. `val/loss`. `null` is the one that early stopping watches, and
    /// without early stopping the one that the task names.
    #[serde(deserialize_with = "required")]
    pub monitor: Option<String>,
    /// Which direction of `monitor` is better; `null` is the one that the task declares.
    #[serde(deserialize_with = "required")]
    pub mode: Option<MonitorMode>,
}

impl CheckpointSettings {
    /// How many are kept beside the newest; `None` is all.
    pub fn kept_at_most(&self) -> Option<usize> {
        usize::try_from(self.save_top_k).ok()
    }
}

/// The values of `configs/trainer/defaults.yaml`, for use as a library.
impl Default for CheckpointSettings {
    fn default() -> Self {
        Self { every_n_epochs: Some(1), every_n_steps: None, save_top_k: 3, monitor: None, mode: None }
    }
}
