//! What can be wrong with a simulation.

use std::path::PathBuf;

use crate::ariel::dataset::DataError;

/// Why there is no simulated data set.
#[derive(Debug, thiserror::Error)]
pub enum SimulationError {
    /// A file that cannot be written.
    #[error("{0}")]
    Data(#[from] DataError),
    /// A setting that makes no sense.
    #[error("wrong simulation setting {key}: expected {expected}, got {got}")]
    Setting {
        /// The setting's key.
        key: &'static str,
        /// What is accepted.
        expected: &'static str,
        /// What was given.
        got: String,
    },
    /// A number outside of what can be simulated.
    #[error("wrong simulation setting {key}: expected a number from {smallest:e} to {largest:e}, got {got}")]
    OutOfRange {
        /// The setting's key.
        key: &'static str,
        /// The smallest number accepted.
        smallest: f64,
        /// The largest number accepted.
        largest: f64,
        /// What was given.
        got: f64,
    },
    /// The folder holds something already.
    #[error("simulation output {} exists: expected no folder or an empty one", path.display())]
    OutputExists {
        /// The folder.
        path: PathBuf,
    },
}
