//! From a data set on disk, or not yet on disk, to light curves.
//!
//! Simulated data that are missing are simulated; light curves that are missing are calibrated. What is there is used
//! only if it was made with the settings composed now.
//!
//! There are two ways. From folders as they are now: for results that nobody signs, and to make data before they are
//! hashed. From [`ListedFiles`]: for training and replaying, where what was checked has to be what is used.

use std::path::PathBuf;

use super::calibration::{
    self, CalibConfig, CalibOutput, CalibSettings, CalibrationError, LIGHT_CURVES, LightCurves, light_curves_path,
    read_settings,
};
use super::config::{DataConfig, DataLevel};
use super::dataset::{DataError, DataSet, DataSource};
use super::simulator::{self, SimConfig, SimulationError};
use crate::durable;
use crate::failure::{Advice, FailureKind};
use crate::provenance::data::ListedFiles;
use crate::workload::Progress;

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
    /// The `data` and `sim` groups do not belong together.
    #[error("data.level={data} is simulated with sim.level={data}, got sim.level={sim}")]
    WrongLevel {
        /// What the data set is to hold.
        data: &'static str,
        /// What the simulation writes.
        sim: &'static str,
    },
    /// Light curves cannot be calibrated once more.
    #[error("data.level: expected raw, whose frames can be calibrated, got binned")]
    NothingToCalibrate,
    /// A data set of frames, or one without a split, where light curves are asked for.
    #[error("data.level=binned: expected light curves at {path}, got none", path = path.display())]
    NotBinned {
        /// Where they would be.
        path: PathBuf,
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
    /// Something beside the light curves where nothing but light curves belong: a replay, which makes the folder again,
    /// would not have it.
    #[error("{folder}: expected {LIGHT_CURVES} and nothing else, got {found}", folder = folder.display())]
    NotAlone {
        /// The folder of calibrated files.
        folder: PathBuf,
        /// What is there.
        found: String,
    },
    /// A table lacks a planet of the split.
    #[error("{table}: expected a row for planet {planet}, got none", table = table.display())]
    NoRow {
        /// The table.
        table: PathBuf,
        /// The planet.
        planet: i64,
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

impl Advice for PreparationError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Missing { .. } => {
                "put the data there, say where they are with data.root=DIR, or use data=sim_tiny".into()
            }
            Self::WrongSimulation { expected, .. } => format!("add sim={expected}"),
            Self::WrongLevel { data, sim } => format!("add sim.level={data} or data.level={sim}"),
            Self::NotBinned { .. } => "leave data.level=binned away for a data set of frames".into(),
            Self::NothingToCalibrate => "use a data set of frames, such as data=sim_tiny".into(),
            Self::StaleSimulation { .. } => {
                "delete the data set to simulate it again, or keep both with data.root=ANOTHER_DIR".into()
            }
            Self::StaleCalibration { .. } => {
                "delete that file to calibrate again, or keep both with calib.out=ANOTHER_DIR".into()
            }
            Self::NotAlone { found, .. } => format!(
                "move {found} elsewhere, or choose another folder with calib.out=DIR: an audit makes that folder again \
                 and compares it"
            ),
            Self::NoRow { table, planet } => {
                format!("get {} again, or move the folder of planet {planet} out of the data set", table.display())
            }
            Self::CubesAsked => "add calib.output=light_curve".into(),
            Self::Simulation(error) => return error.hint(),
            Self::Calibration(error) => return error.hint(),
            Self::Data(error) => return error.hint(),
        })
    }

    fn kind(&self) -> FailureKind {
        match self {
            Self::WrongSimulation { .. }
            | Self::WrongLevel { .. }
            | Self::NothingToCalibrate
            | Self::NotBinned { .. }
            | Self::CubesAsked => FailureKind::Usage,
            Self::Missing { .. } => FailureKind::Missing,
            Self::StaleSimulation { .. }
            | Self::StaleCalibration { .. }
            | Self::NotAlone { .. }
            | Self::NoRow { .. } => FailureKind::Failed,
            Self::Simulation(error) => error.kind(),
            Self::Calibration(error) => error.kind(),
            Self::Data(error) => error.kind(),
        }
    }
}

/// Simulates a data set into `sim.out`.
///
/// # Errors
/// See [`simulator::simulate`].
pub fn simulate(sim: &SimConfig, progress: &mut dyn FnMut(Progress<'_>)) -> Result<(), PreparationError> {
    let stage = format!("simulating into {}", sim.out.display());
    let mut shown = |done: usize, total: usize| {
        progress(Progress { stage: &stage, done: done as u64, total: total as u64, unit: "planets" })
    };
    shown(0, sim.planets + sim.test_planets);
    simulator::simulate(sim, &mut |now| shown(now.done, now.total))?;
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
    if data.level == DataLevel::Binned {
        return Err(PreparationError::NothingToCalibrate);
    }
    calibrate_set(&open(data)?, data, calib, progress)
}

fn calibrate_set(
    data_set: &DataSet,
    data: &DataConfig,
    calib: &CalibConfig,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Vec<PathBuf>, PreparationError> {
    if calib.out.is_dir() {
        durable::remove_leftovers(&calib.out).map_err(|source| DataError::io("clean", &calib.out, source))?;
    }
    let stage = format!("calibrating into {}", calib.out.display());
    let mut shown = |done: usize, total: usize| {
        progress(Progress { stage: &stage, done: done as u64, total: total as u64, unit: "visits" })
    };
    shown(0, data_set.visits(data.split)?.len());
    let mut broken = Vec::new();
    let written = calibration::calibrate(data_set, data.split, calib, &mut |now| {
        broken.extend(now.broken.map(|why| format!("{} is left out: {why}", now.visit)));
        shown(now.done, now.total);
    })?;
    for (number, stage) in broken.iter().enumerate() {
        progress(Progress { stage, done: number as u64, total: broken.len() as u64, unit: "" });
    }
    Ok(written)
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
    if !is_simulated(data, sim)? {
        return open(data).map(drop);
    }
    if data.root.symlink_metadata().is_err() {
        return simulate(&SimConfig { out: data.root.clone(), ..sim.clone() }, progress);
    }
    check_simulation(&open(data)?, sim)
}

/// Whether the data set is one that `sim` makes.
fn is_simulated(data: &DataConfig, sim: &SimConfig) -> Result<bool, PreparationError> {
    match &data.simulation {
        None => Ok(false),
        Some(expected) if *expected == sim.name => match data.level == sim.level {
            true => Ok(true),
            false => Err(PreparationError::WrongLevel { data: data.level.name(), sim: sim.level.name() }),
        },
        Some(expected) => {
            let (data, expected, got) = (data.name.clone(), expected.clone(), sim.name.clone());
            Err(PreparationError::WrongSimulation { data, expected, got })
        }
    }
}

fn check_simulation(data_set: &DataSet, sim: &SimConfig) -> Result<(), PreparationError> {
    match sim.made(data_set)? {
        true => Ok(()),
        false => Err(PreparationError::StaleSimulation { path: data_set.root().to_owned() }),
    }
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
    ensure_light_curves_of(&open(data)?, data, calib, progress)
}

fn ensure_light_curves_of(
    data_set: &DataSet,
    data: &DataConfig,
    calib: &CalibConfig,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<(), PreparationError> {
    refuse_cubes(calib)?;
    let path = light_curves_path(&calib.out);
    if path.symlink_metadata().is_err() {
        calibrate_set(data_set, data, calib, progress)?;
    } else if !read_settings(&path)?.are(&CalibSettings::of(data_set, data.split, calib)?, calib) {
        return Err(PreparationError::StaleCalibration { path });
    }
    Ok(())
}

/// Makes sure that the light curves are there, made of the files of a list, and that nothing else lies beside them, which
/// would be signed and which no replay makes.
///
/// # Errors
/// As [`ensure_light_curves`], and [`PreparationError::NotAlone`].
pub fn ensure_listed_light_curves(
    data_set: &DataSet,
    data: &DataConfig,
    calib: &CalibConfig,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<(), PreparationError> {
    ensure_light_curves_of(data_set, data, calib, progress)?;
    check_alone(calib)
}

/// Whether true spectra are needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Labels {
    /// To train.
    Needed,
    /// To predict.
    NotNeeded,
}

/// Refuses settings that no light curves come of, before anything is made.
///
/// # Errors
/// [`PreparationError::CubesAsked`].
pub(super) fn check_settings(data: &DataConfig, calib: &CalibConfig) -> Result<(), PreparationError> {
    match data.level {
        DataLevel::Raw => refuse_cubes(calib),
        DataLevel::Binned => Ok(()),
    }
}

/// Reads the tables of the data set and makes sure that every planet of the configured split has its rows, before hours of
/// calibration.
///
/// # Errors
/// When a table is missing or malformed, or has no row for a planet; when there are no light curves where the data set is
/// one of light curves.
pub fn check_tables(data: &DataConfig, labels: Labels) -> Result<(), PreparationError> {
    let data_set = open(data)?;
    data_set.wavelengths_um()?;
    data_set.axis_info()?;
    data_set.adc_info()?;
    let (stars, layout) = (data_set.stars(data.split)?, data_set.layout());
    let path = light_curves_path(&layout.split(data.split));
    if data.level == DataLevel::Binned && !path.is_file() {
        return Err(PreparationError::NotBinned { path });
    }
    let stars: Vec<i64> = stars.iter().map(|star| star.planet_id).collect();
    let planets = match data.level {
        DataLevel::Raw => data_set.planets(data.split)?,
        DataLevel::Binned => stars.clone(),
    };
    let all_in = |table: PathBuf, rows: &[i64]| match planets.iter().find(|planet| rows.binary_search(planet).is_err())
    {
        Some(&planet) => Err(PreparationError::NoRow { table, planet }),
        None => Ok(()),
    };
    all_in(layout.star_info(data.split), &stars)?;
    match labels {
        Labels::Needed => all_in(layout.targets(data.split), &data_set.targets(data.split)?.planet_ids),
        Labels::NotNeeded => Ok(()),
    }
}

/// Reads the data set and the light curves of the configured split.
///
/// # Errors
/// When they are missing or broken.
pub fn read_light_curves(data: &DataConfig, calib: &CalibConfig) -> Result<(DataSet, LightCurves), PreparationError> {
    let data_set = open(data)?;
    let curves = match data.level {
        DataLevel::Raw => LightCurves::read(&DataSource::Folder(calib.out.clone()), &light_curves_path(&calib.out))?,
        DataLevel::Binned => binned_light_curves(&data_set, data)?,
    };
    Ok((data_set, curves))
}

/// The light curves that a data set holds in place of frames.
///
/// # Errors
/// When they are missing or broken; see [`DataSource::read`].
pub fn binned_light_curves(data_set: &DataSet, data: &DataConfig) -> Result<LightCurves, PreparationError> {
    let path = light_curves_path(&data_set.layout().split(data.split));
    Ok(LightCurves::read(data_set.source(), &path)?)
}

/// Refuses a folder of light curves that holds anything else.
fn check_alone(calib: &CalibConfig) -> Result<(), PreparationError> {
    let refuse = |source| DataError::reading("folder of calibrated files", &calib.out, source);
    for entry in std::fs::read_dir(&calib.out).map_err(refuse)? {
        let name = entry.map_err(refuse)?.file_name();
        if name != LIGHT_CURVES {
            return Err(PreparationError::NotAlone {
                folder: calib.out.clone(),
                found: name.to_string_lossy().into_owned(),
            });
        }
    }
    Ok(())
}

/// The raw data set that a list names.
///
/// # Errors
/// When it is to be a simulated one, and is not the one composed now.
pub fn listed_data_set(data: &DataConfig, sim: &SimConfig, raw: &ListedFiles) -> Result<DataSet, PreparationError> {
    let data_set = DataSet::listed(raw.clone());
    if is_simulated(data, sim)? {
        check_simulation(&data_set, sim)?;
    }
    Ok(data_set)
}

/// Calibrates light curves of the files of a list.
///
/// # Errors
/// As [`calibrate`], and for a file that is not listed, or not as listed.
pub fn calibrate_listed(
    data_set: &DataSet,
    data: &DataConfig,
    calib: &CalibConfig,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<(), PreparationError> {
    refuse_cubes(calib)?;
    calibrate_set(data_set, data, calib, progress).map(drop)
}

/// Reads the light curves that a list names, which have to be those of the raw data set with the settings composed now.
///
/// # Errors
/// When they are not, or the list names anything else; see [`DataSource::read`].
pub fn listed_light_curves(
    data_set: &DataSet,
    data: &DataConfig,
    calib: &CalibConfig,
    derived: &ListedFiles,
) -> Result<LightCurves, PreparationError> {
    refuse_cubes(calib)?;
    if let Some(other) = derived.list().files().iter().find(|file| file.path.as_str() != LIGHT_CURVES) {
        let (folder, found) = (derived.root().to_owned(), other.path.to_string());
        return Err(PreparationError::NotAlone { folder, found });
    }
    let path = light_curves_path(derived.root());
    let curves = LightCurves::read(&DataSource::Listed(derived.clone()), &path)?;
    match curves.settings.are(&CalibSettings::of(data_set, data.split, calib)?, calib) {
        true => Ok(curves),
        false => Err(PreparationError::StaleCalibration { path }),
    }
}

fn refuse_cubes(calib: &CalibConfig) -> Result<(), PreparationError> {
    match calib.output {
        CalibOutput::LightCurve => Ok(()),
        CalibOutput::Cube => Err(PreparationError::CubesAsked),
    }
}

fn open(data: &DataConfig) -> Result<DataSet, PreparationError> {
    if !data.root.is_dir() {
        return Err(PreparationError::Missing { name: data.name.clone(), root: data.root.clone() });
    }
    Ok(DataSet::open(&data.root)?)
}
