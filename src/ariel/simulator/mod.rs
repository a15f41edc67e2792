//! A simulated data set in the competition's own layout: known spectra, seen through every detector effect that the
//! calibration undoes.
//!
//! Simple physics, honestly done: a black-body-tinted star, an exact overlap of disks with quadratic limb darkening,
//! slow drift, jitter common to both instruments, a point spread, background, Poisson noise, dark current, flat field,
//! dead and hot pixels, non-linearity, read noise, and 16-bit counts in pairs of reads. Every calibration frame that is
//! written is the one that was used. All numbers come from the counter RNG by (purpose, planet, visit, pixel, read), so
//! the bytes depend on the settings alone: not on threads, not on how many planets there are besides.

mod config;
mod detector;
mod draws;
mod error;
mod star;
mod transit;
mod visit;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::durable::{folder_of, sync_folder};
use crate::engine::settings::UnsupportedSetting;

pub use config::{DetectorConfig, LightConfig, NoiseConfig, SimConfig, SpectrumConfig, TransitConfig};
pub use error::SimulationError;

use super::dataset::{
    AdcInfo, AxisInfo, DataError, FrameWriteOptions, Layout, ReadoutConversion, Split, Star, Targets, Visit,
    write_atomically, write_frames, write_wavelengths,
};
use super::instrument::{Instrument, WAVELENGTHS};
use super::submission::Submission;
use detector::{Detector, FIRST_READ_SECONDS, Light, Readout, draw_frames, point_spread};
use draws::planet_step;
use star::{Planet, airs_column_um, wavelengths_um};
use visit::Conditions;

/// How far a simulation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SimProgress {
    /// Planets completed, of both splits.
    pub done: usize,
    /// Planets in all.
    pub total: usize,
}

/// Writes a data set under `config.out`: first as `<out>.partial`, renamed when it is complete.
///
/// `test.csv` (the true spectra of the test planets) and `simulation.json` (the settings) are extras that the
/// competition does not have.
///
/// # Errors
/// When a setting makes no sense, `config.out` holds something, or a file cannot be written.
pub fn simulate(config: &SimConfig, progress: &mut dyn FnMut(SimProgress)) -> Result<(), SimulationError> {
    config.check()?;
    let out = config.out.as_path();
    refuse_existing(out)?;
    let partial = partial_path(out)?;
    remove_leftover(&partial)?;

    let layout = Layout::new(&partial);
    write_tables(config, &layout)?;
    let jobs: Vec<(bool, usize)> = (0..config.planets)
        .map(|index| (false, index))
        .chain((0..config.test_planets).map(|index| (true, index)))
        .collect();
    let mut done = 0;
    for batch in jobs.chunks(rayon::current_num_threads().max(1)) {
        let results: Vec<Result<(), SimulationError>> =
            batch.par_iter().map(|&(test, index)| write_planet(config, &layout, test, index)).collect();
        results.into_iter().collect::<Result<(), _>>()?;
        done += batch.len();
        progress(SimProgress { done, total: jobs.len() });
    }

    let refuse = |source| DataError::io("rename to", out, source);
    if out.exists() {
        // Empty, as was checked; renaming onto it works on Unix alone.
        fs::remove_dir(out).map_err(refuse)?;
    }
    fs::rename(&partial, out).map_err(refuse)?;
    sync_folder(folder_of(out)).map_err(refuse)?;
    Ok(())
}

fn refuse_existing(out: &Path) -> Result<(), SimulationError> {
    match fs::read_dir(out) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => Err(SimulationError::OutputExists { path: out.to_owned() }),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => {
            Err(SimulationError::OutputExists { path: out.to_owned() })
        }
        Err(source) => Err(DataError::io("read", out, source).into()),
    }
}

fn partial_path(out: &Path) -> Result<PathBuf, SimulationError> {
    let Some(name) = out.file_name() else {
        let (expected, got) = ("the name of a folder", out.display().to_string());
        return Err(UnsupportedSetting::Invalid { key: "sim.out", expected, got }.into());
    };
    let mut name = name.to_owned();
    name.push(".partial");
    Ok(folder_of(out).join(name))
}

fn remove_leftover(partial: &Path) -> Result<(), SimulationError> {
    match fs::remove_dir_all(partial) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(DataError::io("remove", partial, error).into())
        }
        _ => Ok(()),
    }
}

fn create_folder(path: &Path) -> Result<(), DataError> {
    fs::create_dir_all(path).map_err(|source| DataError::io("create", path, source))
}

/// Everything but the planets' own folders.
fn write_tables(config: &SimConfig, layout: &Layout) -> Result<(), SimulationError> {
    create_folder(layout.root())?;
    let wavelengths = wavelengths_um();
    write_wavelengths(&layout.wavelengths(), &wavelengths)?;
    let conversion = ReadoutConversion { gain: config.detector.adc_gain, offset: config.detector.adc_offset };
    AdcInfo { airs: conversion, fgs1: conversion }.write(&layout.adc_info())?;

    let airs = Readout::new(config, Instrument::AirsCh0);
    let integration = [FIRST_READ_SECONDS, airs.exposure_seconds()];
    let axis = AxisInfo {
        airs_hours: airs.hours(),
        airs_integration_seconds: (0..2 * airs.pairs).map(|read| integration[read % 2]).collect(),
        airs_wavelengths_um: (0..Instrument::AirsCh0.columns()).map(airs_column_um).collect(),
        fgs1_hours: Readout::new(config, Instrument::Fgs1).hours(),
    };
    axis.write(&layout.axis_info())?;

    for (split, count) in [(Split::Train, config.planets), (Split::Test, config.test_planets)] {
        let planets: Vec<Planet> = (0..count).map(|index| planet(config, split == Split::Test, index)).collect();
        let stars: Vec<Star> = planets.iter().map(|planet| planet.star).collect();
        Star::write_table(&layout.star_info(split), &stars)?;
        let planet_ids: Vec<i64> = stars.iter().map(|star| star.planet_id).collect();
        let depths = planets.iter().flat_map(|planet| wavelengths.map(|wavelength| planet.depth(wavelength))).collect();
        Targets { planet_ids: planet_ids.clone(), depths }.write(&layout.targets(split))?;
        create_folder(&layout.split(split))?;
        if split == Split::Test {
            let cells = count * WAVELENGTHS;
            let mean = vec![config.spectrum.depth_mean; cells];
            let sigma = vec![config.spectrum.depth_sd; cells];
            Submission { planet_ids, mean, sigma }.write(&layout.sample_submission())?;
        }
    }

    let path = layout.simulation();
    write_atomically::<DataError>(&path, |file| {
        file.write_all(config.record().as_bytes()).map_err(|source| DataError::io("write", &path, source))
    })?;
    Ok(())
}

fn planet(config: &SimConfig, test: bool, index: usize) -> Planet {
    Planet::draw(config, test, index, planet_step(test, index))
}

/// All visits of one planet.
fn write_planet(config: &SimConfig, layout: &Layout, test: bool, index: usize) -> Result<(), SimulationError> {
    let planet = planet(config, test, index);
    let step = planet_step(test, index);
    let split = if test { Split::Test } else { Split::Train };
    let visits = if index < config.second_visits { 2 } else { 1 };
    for number in 0..visits {
        let visit = Visit { planet: planet.star.planet_id, number };
        let conditions = Conditions::draw(config, step, number);
        for instrument in Instrument::ALL {
            let folder = layout.calibration_folder(split, visit, instrument);
            create_folder(&folder)?;
            let frames = draw_frames(config, instrument, step, number);
            frames.write(&folder, instrument)?;

            let readout = Readout::new(config, instrument);
            let star = conditions.star_light(config, &planet, readout);
            let light = Light {
                star: &star,
                spread: &point_spread(instrument),
                background_per_second: conditions.background_factor
                    * match instrument {
                        Instrument::AirsCh0 => config.light.airs_background_per_second,
                        Instrument::Fgs1 => config.light.fgs1_background_per_second,
                    },
            };
            let detector = Detector::new(config, readout, &frames, step, number);
            let path = layout.signal(split, visit, instrument);
            let options = FrameWriteOptions::SIGNAL;
            write_frames(&path, 2 * readout.pairs, instrument.pixels(), options, |pixel, counts| {
                detector.read_pixel(&light, pixel, counts);
            })?;
        }
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests;
