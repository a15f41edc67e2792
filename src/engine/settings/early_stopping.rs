//! When to give up: `trainer.early_stopping`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::required;

/// Stop when the monitored metric has not improved for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EarlyStopping {
    /// Name of the metric, e.g. `val/score`.
    pub monitor: String,
    /// Which direction is better; `null` is the one that the task declares.
    #[serde(deserialize_with = "required")]
    pub mode: Option<MonitorMode>,
    /// Validations without improvement before the run stops.
    pub patience: u32,
}

/// Which direction of a metric is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MonitorMode {
    /// Larger is better.
    Max,
    /// Smaller is better.
    Min,
}

impl MonitorMode {
    /// The name that it has in a config.
    pub fn name(self) -> &'static str {
        match self {
            Self::Max => "max",
            Self::Min => "min",
        }
    }
}
