//! From a data set on disk, or not yet on disk, to light curves.
//!
//! Simulated data that are missing are simulated; light curves that are missing are calibrated. What is there is used
//! only if it was made with the same settings.

use std::path::PathBuf;

use super::calibration::{self, CalibConfig, CalibrationError, LightCurves, Output};
use super::config::DataConfig;
use super::dataset::{DataError, DataSet};
use super::simulator::{self, SimConfig, SimulationError};

/// What is being done, for a person who waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// Simulating a data set.
    Simulating {
        /// Where to.
        root: PathBuf,
        /// Planets done.
        done: usize,
        /// Planets in all.
        planets: usize,
    },
    /// Calibrating a split.
    Calibrating {
        /// Where to.
        out: PathBuf,
        /// Visits done.
        done: usize,
        /// Visits in all.
        visits: usize,
    },
}

/// Data that cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum PreparationError {
    /// The data set is not there and not to be simulated.
    #[error("data set {name}: expected a folder at {root}, got nothing there", root = root.display())]
    Missing {
        /// Name of the data set.
        name: String,
        /// Where it should be.
        root: PathBuf,
    },
    /// The `data` and `sim` groups do not belong together.
    #[error("data.name={data} is simulated with sim={expected}, got sim={got}")]
    WrongSimulation {
        /// Name of the data set.
        data: String,
        /// The option it wants.
        expected: String,
        /// The option composed.
        got: String,
    },
    /// The data set is one of another simulation.
    #[error("{path} was simulated with other settings than those composed now", path = path.display())]
    StaleSimulation {
        /// The settings stored with the data.
        path: PathBuf,
    },
    /// The light curves were calibrated otherwise.
    #[error("{path} was calibrated with other settings than those composed now", path = path.display())]
    StaleCalibration {
        /// The light curves.
        path: PathBuf,
    },
    /// Only light curves can be trained on.
    #[error("calib.output: expected light_curve for training and prediction, got cube")]
    CubesAsked,
    /// Simulation failed.
    #[error(transparent)]
    Simulation(#[from] SimulationError),
    /// Calibration failed.
    #[error(transparent)]
    Calibration(#[from] CalibrationError),
    /// The data set cannot be read.
    #[error(transparent)]
    Data(#[from] DataError),
}
