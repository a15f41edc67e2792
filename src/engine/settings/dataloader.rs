//! How batches are prepared: `trainer.dataloader`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::required;

/// How batches are prepared. Speed only: the order of batches never depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DataloaderSettings {
    /// Threads beside the training thread; 0 prepares each batch when it is needed.
    #[schemars(range(max = 256))]
    pub workers: u32,
    /// Batches that each worker may be ahead; `null` with 0 workers.
    #[schemars(range(min = 1, max = 1024))]
    #[serde(deserialize_with = "required")]
    pub prefetch: Option<u32>,
}
