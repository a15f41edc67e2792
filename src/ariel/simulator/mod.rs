//! A simulated data set in the competition's own layout: known spectra, seen through every detector effect that the
//! calibration undoes.
//!
//! Simple physics, honestly done: stars and orbits as in the real table, spectra of absorbing atmospheres, a
//! black-body-tinted star, exact transits with quadratic limb darkening, slow drift, jitter common to both instruments, a point spread, background, Poisson noise, dark current, flat field,
//! dead and hot pixels, non-linearity, read noise, and 16-bit counts in pairs of reads. Every calibration frame that is
//! written is the one that was used. All numbers come from the counter RNG by (purpose, planet, visit, pixel, read), so
//! the bytes depend on the settings alone: not on threads, not on how many planets there are besides.
//!
//! At `sim.level=binned` no frames are written, but the light curves that a calibration would make of them.

mod binned;
mod config;
mod detector;
mod draws;
mod error;
mod population;
mod spectrum;
mod star;
mod visit;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::durable::{folder_of, sync_folder};
use crate::engine::settings::UnsupportedSetting;

pub use config::{DetectorConfig, LightConfig, NoiseConfig, SimConfig, SpectrumConfig, TestShiftConfig, TransitConfig};
pub use error::SimulationError;

use super::calibration::{CalibSettings, light_curves_path, write_light_curves};
use super::config::DataLevel;
use super::dataset::{
    AdcInfo, AxisInfo, DataError, FrameWriteOptions, Layout, ReadoutConversion, Split, Star, Targets, Visit,
    write_atomically, write_frames, write_wavelengths,
};
use super::instrument::{Instrument, WAVELENGTHS};
use super::submission::Submission;
use binned::{AIRS_PAIRS, FGS1_PAIRS, Observatory};
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
    match config.level {
        DataLevel::Raw => write_frames_of_all(config, &layout, progress)?,
        DataLevel::Binned => write_light_curves_of_all(config, &layout, progress)?,
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

/// Every planet's folder of frames.
fn write_frames_of_all(
    config: &SimConfig,
    layout: &Layout,
    progress: &mut dyn FnMut(SimProgress),
) -> Result<(), SimulationError> {
    let jobs: Vec<(bool, usize)> = (0..config.planets)
        .map(|index| (false, index))
        .chain((0..config.test_planets).map(|index| (true, index)))
        .collect();
    let mut done = 0;
    for batch in jobs.chunks(rayon::current_num_threads().max(1)) {
        let results: Vec<Result<(), SimulationError>> =
            batch.par_iter().map(|&(test, index)| write_planet(config, layout, test, index)).collect();
        results.into_iter().collect::<Result<(), _>>()?;
        done += batch.len();
        progress(SimProgress { done, total: jobs.len() });
    }
    Ok(())
}

/// A file of light curves per split.
fn write_light_curves_of_all(
    config: &SimConfig,
    layout: &Layout,
    progress: &mut dyn FnMut(SimProgress),
) -> Result<(), SimulationError> {
    let total = config.planets + config.test_planets;
    let observatory = Observatory::new(config);
    let mut done = 0;
    for (split, count) in [(Split::Train, config.planets), (Split::Test, config.test_planets)] {
        if count == 0 {
            continue;
        }
        let test = split == Split::Test;
        let planets: Vec<Planet> = (0..count).into_par_iter().map(|index| planet(config, test, index)).collect();
        let visits: Vec<(usize, Visit)> = (0..count)
            .flat_map(|index| (0..visits_of(config, index)).map(move |number| (index, number)))
            .map(|(index, number)| (index, Visit { planet: planets[index].star.planet_id, number }))
            .collect();
        let light_curves = |&(index, Visit { number, .. }): &(usize, Visit)| {
            let step = planet_step(test, index);
            let conditions = Conditions::draw(config, test, step, number);
            observatory.light_curves(&planets[index], &conditions, step, number)
        };
        // A few for each thread at once: all of a competition would take half a gigabyte.
        let at_once = 4 * rayon::current_num_threads().max(1);
        let mut ready = std::collections::VecDeque::new();
        let path = light_curves_path(&layout.split(split));
        let settings = CalibSettings::of_simulation(split, AIRS_PAIRS, FGS1_PAIRS, &config.record());
        let listed: Vec<Visit> = visits.iter().map(|(_, visit)| *visit).collect();
        write_light_curves(&path, &settings, observatory.times(), &listed, |row, _| {
            if ready.is_empty() {
                let next = &visits[row..(row + at_once).min(visits.len())];
                ready.extend(next.par_iter().map(light_curves).collect::<Vec<_>>());
            }
            progress(SimProgress { done: done + visits[row].0 + 1, total });
            Ok::<_, SimulationError>(ready.pop_front().expect("as many as were asked for"))
        })?;
        done += count;
    }
    Ok(())
}

/// Visits of a planet.
fn visits_of(config: &SimConfig, index: usize) -> u32 {
    if index < config.second_visits { 2 } else { 1 }
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
    for number in 0..visits_of(config, index) {
        let visit = Visit { planet: planet.star.planet_id, number };
        let conditions = Conditions::draw(config, test, step, number);
        for instrument in Instrument::ALL {
            let folder = layout.calibration_folder(split, visit, instrument);
            create_folder(&folder)?;
            let frames = draw_frames(config, test, instrument, step, number);
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
