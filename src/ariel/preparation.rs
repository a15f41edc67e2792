//! From a data set on disk, or not yet on disk, to light curves.
//!
//! Simulated data that are missing are simulated; light curves that are missing are calibrated. What is there is used
//! only if it was made with the settings composed now.

use std::path::{Path, PathBuf};

use super::calibration::{
    self, CalibConfig, CalibOutput, CalibSettings, CalibrationError, LightCurves, light_curves_path, read_settings,
};
use super::config::DataConfig;
use super::dataset::{DataError, DataSet};
use super::simulator::{self, SimConfig, SimulationError};
use crate::durable;

/// What is being done, for a person who waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress<'a> {
    /// Simulating a data set.
    Simulating {
        /// Where to.
        root: &'a Path,
        /// Planets done.
        done: usize,
        /// Planets in all.
        planets: usize,
    },
    /// Calibrating a split.
    Calibrating {
        /// Where to.
        out: &'a Path,
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
    #[error("data set {path}: expected one simulated with the settings composed now, got another", path = path.display())]
    StaleSimulation {
        /// The data set.
        path: PathBuf,
    },
    /// The light curves were calibrated otherwise.
    #[error("{path} was calibrated from other data or with other settings than those composed now", path = path.display())]
    StaleCalibration {
        /// The light curves.
        path: PathBuf,
    },
    /// Only light curves can be trained on.
    #[error("calib.output: expected light_curve for training and prediction, got cube")]
    CubesAsked,
    /// Simulation failed.
    #[error("{0}")]
    Simulation(#[from] SimulationError),
    /// Calibration failed.
    #[error("{0}")]
    Calibration(#[from] CalibrationError),
    /// The data set cannot be read.
    #[error("{0}")]
    Data(#[from] DataError),
}

/// Simulates a data set into `sim.out`.
///
/// # Errors
/// See [`simulator::simulate`].
pub fn simulate(sim: &SimConfig, progress: &mut dyn FnMut(Progress<'_>)) -> Result<(), PreparationError> {
    let planets = sim.planets + sim.test_planets;
    progress(Progress::Simulating { root: &sim.out, done: 0, planets });
    simulator::simulate(sim, &mut |now| {
        progress(Progress::Simulating { root: &sim.out, done: now.done, planets: now.total });
    })?;
    Ok(())
}

/// Calibrates one split of a data set into `calib.out`; returns the files written.
///
/// # Errors
/// When the data set is not there, or see [`calibration::calibrate`].
pub fn calibrate(
    data: &DataConfig,
    calib: &CalibConfig,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Vec<PathBuf>, PreparationError> {
    let data_set = open(data)?;
    if calib.out.is_dir() {
        durable::remove_leftovers(&calib.out).map_err(|source| DataError::io("clean", &calib.out, source))?;
    }
    let visits = data_set.visits(data.split)?.len();
    progress(Progress::Calibrating { out: &calib.out, done: 0, visits });
    Ok(calibration::calibrate(&data_set, data.split, calib, &mut |now| {
        progress(Progress::Calibrating { out: &calib.out, done: now.done, visits: now.total });
    })?)
}

/// Makes sure that the data set is there: simulates it when it is missing and a simulated one.
///
/// # Errors
/// When it is missing and not simulated, or was simulated otherwise.
pub fn ensure_data_set(
    data: &DataConfig,
    sim: &SimConfig,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<(), PreparationError> {
    let Some(expected) = &data.simulation else { return open(data).map(drop) };
    if *expected != sim.name {
        let (data, expected, got) = (data.name.clone(), expected.clone(), sim.name.clone());
        return Err(PreparationError::WrongSimulation { data, expected, got });
    }
    if data.root.symlink_metadata().is_err() {
        return simulate(&SimConfig { out: data.root.clone(), ..sim.clone() }, progress);
    }
    if sim.made(&data.root) { Ok(()) } else { Err(PreparationError::StaleSimulation { path: data.root.clone() }) }
}

/// Makes sure that the light curves of the configured split are there: calibrates them when they are missing.
///
/// # Errors
/// When the data set is missing or broken, or the light curves were made with other settings.
pub fn ensure_light_curves(
    data: &DataConfig,
    calib: &CalibConfig,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<(), PreparationError> {
    if calib.output != CalibOutput::LightCurve {
        return Err(PreparationError::CubesAsked);
    }
    let data_set = open(data)?;
    let path = light_curves_path(&calib.out);
    if path.symlink_metadata().is_err() {
        calibrate(data, calib, progress)?;
    } else if read_settings(&path)? != CalibSettings::of(&data_set, data.split, calib)? {
        return Err(PreparationError::StaleCalibration { path });
    }
    Ok(())
}

/// Reads the data set and the light curves of the configured split.
///
/// # Errors
/// When they are missing or broken.
pub fn read_light_curves(data: &DataConfig, calib: &CalibConfig) -> Result<(DataSet, LightCurves), PreparationError> {
    Ok((open(data)?, LightCurves::read(&light_curves_path(&calib.out))?))
}

fn open(data: &DataConfig) -> Result<DataSet, PreparationError> {
    if !data.root.is_dir() {
        return Err(PreparationError::Missing { name: data.name.clone(), root: data.root.clone() });
    }
    Ok(DataSet::open(&data.root)?)
}
