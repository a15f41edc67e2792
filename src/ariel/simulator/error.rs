//! What can be wrong with a simulation.

use std::path::PathBuf;

use crate::ariel::dataset::DataError;
use crate::engine::settings::UnsupportedSetting;

/// Why there is no simulated data set.
#[derive(Debug, thiserror::Error)]
pub enum SimulationError {
    /// A file that cannot be written.
    #[error("{0}")]
    Data(#[from] DataError),
    /// A setting that makes no sense.
    #[error("{0}")]
    Setting(#[from] UnsupportedSetting),
    /// The folder holds something already.
    #[error("simulation output {} exists: expected no folder or an empty one", path.display())]
    OutputExists {
        /// The folder.
        path: PathBuf,
    },
}

impl SimulationError {
    /// Whether something is not there or cannot be read or written; see [`DataError::is_missing`].
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Data(error) if error.is_missing())
    }
}
