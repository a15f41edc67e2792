//! What can be wrong with a simulation.

use std::path::PathBuf;

use crate::ariel::calibration::CalibrationError;
use crate::ariel::dataset::DataError;
use crate::engine::settings::UnsupportedSetting;
use crate::failure::{Advice, FailureKind};

/// Why there is no simulated data set.
#[derive(Debug, thiserror::Error)]
pub enum SimulationError {
    /// A file that cannot be written.
    #[error("{0}")]
    Data(#[from] DataError),
    /// Light curves that cannot be written.
    #[error("{0}")]
    LightCurves(#[from] CalibrationError),
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

impl Advice for SimulationError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Data(error) => error.hint(),
            Self::LightCurves(error) => error.hint(),
            Self::Setting(error) => error.hint(),
            Self::OutputExists { .. } => Some("choose another folder with sim.out=DIR, or delete that one".into()),
        }
    }

    fn kind(&self) -> FailureKind {
        match self {
            Self::Data(error) => error.kind(),
            Self::LightCurves(error) => error.kind(),
            Self::Setting(error) => error.kind(),
            Self::OutputExists { .. } => FailureKind::Failed,
        }
    }
}
