//! The official calibration, from raw reads to electrons per time bin, in float64.
//!
//! Seven steps, in this order: electrons from counts; mask of dead and hot pixels; linearity; dark current; difference
//! of the two reads of a pair (CDS); sum of pairs in time bins; flat field. Then, where they are asked for, cosmic rays are
//! taken out. Every pixel is on its own until a light curve (`photometry`) sums them, so pixels are spread over threads and the result is the same on any number of them. One visit is
//! in memory at a time: its files as they are, packed, and of its unpacked reads only a few pixels'.

mod config;
mod cosmic_rays;
mod error;
mod hot_pixels;
mod output;
mod parts;
mod photometry;
mod pixel;

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

pub use config::{BrokenVisit, CalibConfig, CalibOutput, CalibSettings, CalibSteps};
pub use error::CalibrationError;
pub use hot_pixels::hot_pixels;
pub use output::{LIGHT_CURVES, LightCurves, cube_path, light_curves_path, read_settings, write_light_curves};
pub(super) use photometry::weights as photometry_weights;

use super::dataset::{AdcInfo, AxisInfo, CalibrationFrames, DataError, DataSet, DataSource, FrameTable, Split, Visit};
use super::extraction::{BinTimes, InstrumentTimes};
use super::instrument::{AIRS_WAVELENGTHS, Instrument, ROWS, WAVELENGTHS};
use parts::Parts;
use pixel::{PixelCorrection, PixelSeries};

/// One visit, calibrated: electrons per time bin and pixel. Masked pixels are NaN.
#[derive(Debug, Clone, PartialEq)]
pub struct Cube {
    /// `[airs_bins, 282, 32]`: frame columns 39…320 in the frame's order, then rows.
    pub airs: Vec<f64>,
    /// Time bins of `airs`.
    pub airs_bins: usize,
    /// `[fgs1_bins, 32, 32]`: columns, then rows.
    pub fgs1: Vec<f64>,
    /// Time bins of `fgs1`.
    pub fgs1_bins: usize,
}

/// How far a calibration is.
#[derive(Debug, Clone, Copy)]
pub struct Progress<'a> {
    /// The visit that was completed, or left out.
    pub visit: Visit,
    /// Why it was left out.
    pub broken: Option<&'a CalibrationError>,
    /// Visits completed or left out.
    pub done: usize,
    /// Visits in all.
    pub total: usize,
}

/// Calibrates every visit of a split and writes cubes or light curves under `config.out`, each file whole or not at
/// all; what was made before, of the same inputs with the same settings, is not made again. Returns the paths of the files
/// in the order of the visits, without those of visits that are left out.
///
/// # Errors
/// When the data set or a setting is wrong, a visit is broken that may not be left out, all of them are, or a file cannot be
/// written.
pub fn calibrate(
    data: &DataSet,
    split: Split,
    config: &CalibConfig,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Vec<PathBuf>, CalibrationError> {
    let calibrator = Calibrator::new(data, split, config)?;
    let settings = CalibSettings::of(data, split, config)?;
    let visits = data.visits(split)?;
    std::fs::create_dir_all(&config.out).map_err(|source| DataError::io("create", &config.out, source))?;
    let mut each = Visits { config, visits: &visits, progress };
    match config.output {
        CalibOutput::Cube => {
            let mut paths = Vec::with_capacity(visits.len());
            each.make(|visit| {
                let path = cube_path(&config.out, visit);
                if !read_settings(&path).is_ok_and(|made| made == settings) {
                    let cube = match calibrator.cube(visit) {
                        Ok(cube) => cube,
                        Err(broken) => return Ok(Err(broken)),
                    };
                    cube.write(&path, &settings)?;
                }
                paths.push(path);
                Ok(Ok(()))
            })?;
            Ok(paths)
        }
        CalibOutput::LightCurve => {
            let path = light_curves_path(&config.out);
            let made = LightCurves::read(&DataSource::Folder(config.out.clone()), &path);
            if made.is_ok_and(|made| made.settings.are(&settings, config)) {
                return Ok(vec![path]);
            }
            let (times, parts) = (calibrator.times(), Parts::open(config, &settings)?);
            let mut bins = BTreeMap::new();
            let mut left_out = each.make(|visit| {
                let curve = match parts.read(visit) {
                    Some(curve) => curve,
                    None => match calibrator.light_curve(visit) {
                        Ok(curve) => {
                            parts.write(visit, &curve)?;
                            curve
                        }
                        Err(broken) => return Ok(Err(broken)),
                    },
                };
                bins.insert(visit, curve.len() / WAVELENGTHS);
                Ok(Ok(()))
            })?;
            if config.broken == BrokenVisit::LeaveOut {
                left_out.extend(each.other_bins(&bins));
                left_out.sort_unstable();
            }
            let kept: Vec<_> = visits.iter().copied().filter(|visit| !left_out.contains(visit)).collect();
            let settings = CalibSettings { left_out, ..settings };
            write_light_curves(&path, &settings, &times, &kept, |_, visit| match parts.read(visit) {
                Some(curve) => Ok(curve),
                // It was damaged since it was written.
                None => calibrator.light_curve(visit),
            })?;
            parts.remove()?;
            Ok(vec![path])
        }
    }
}

/// The visits of a split, one after the other.
struct Visits<'a> {
    config: &'a CalibConfig,
    visits: &'a [Visit],
    progress: &'a mut dyn FnMut(Progress<'_>),
}

impl Visits<'_> {
    /// Makes what is made of each visit; what comes back within is an error of that visit. Returns the visits that were left out.
    fn make(
        &mut self,
        mut make: impl FnMut(Visit) -> Result<Result<(), CalibrationError>, CalibrationError>,
    ) -> Result<Vec<Visit>, CalibrationError> {
        let (mut left_out, total) = (Vec::new(), self.visits.len());
        for (done, &visit) in self.visits.iter().enumerate() {
            let broken = match make(visit)? {
                Ok(()) => None,
                Err(broken) => {
                    let may = self.config.broken == BrokenVisit::LeaveOut && broken.is_of_a_visit();
                    // Of nothing at all no file is made.
                    if !may || left_out.len() + 1 == total {
                        return Err(broken);
                    }
                    left_out.push(visit);
                    Some(broken)
                }
            };
            (self.progress)(Progress { visit, broken: broken.as_ref(), done: done + 1, total });
        }
        Ok(left_out)
    }

    /// The visits that have not the number of time bins that most have: one file holds one number.
    fn other_bins(&mut self, bins: &BTreeMap<Visit, usize>) -> Vec<Visit> {
        let count = |wanted: usize| bins.values().filter(|bins| **bins == wanted).count();
        let Some((&reference, &expected)) = bins.iter().max_by_key(|(_, bins)| (count(**bins), **bins)) else {
            return Vec::new();
        };
        let (total, mut others) = (self.visits.len(), Vec::new());
        for (&visit, &got) in bins.iter().filter(|(_, bins)| **bins != expected) {
            let (reference, subject) = (reference.to_string(), visit.to_string());
            let broken = CalibrationError::UnequalBins { reference, expected, subject, got };
            (self.progress)(Progress { visit, broken: Some(&broken), done: total, total });
            others.push(visit);
        }
        others
    }
}

/// Calibrates visits of one split, one at a time.
#[derive(Debug, Clone)]
pub struct Calibrator<'a> {
    data: &'a DataSet,
    split: Split,
    steps: CalibSteps,
    airs_bin: usize,
    fgs1_bin: usize,
    adc: AdcInfo,
    axis: AxisInfo,
    order: ColumnOrder,
}

/// Which way the AIRS columns run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ColumnOrder {
    /// Column 39 measures wl_2.
    Ascending,
    /// Column 320 measures wl_2.
    Descending,
}

impl<'a> Calibrator<'a> {
    /// Reads the tables that all visits share.
    ///
    /// # Errors
    /// When a table is missing or wrong, the AIRS axis is not that of the spectra, or a bin is empty.
    pub fn new(data: &'a DataSet, split: Split, config: &CalibConfig) -> Result<Self, CalibrationError> {
        config.check()?;
        let axis = data.axis_info()?;
        let order = column_order(&axis.airs_wavelengths_um, &data.wavelengths_um()?)?;
        Ok(Self {
            data,
            split,
            steps: config.steps,
            airs_bin: config.airs_bin,
            fgs1_bin: config.fgs1_bin,
            adc: data.adc_info()?,
            axis,
            order,
        })
    }

    /// Calibrates one visit.
    ///
    /// # Errors
    /// When a file of the visit is missing or wrong.
    pub fn cube(&self, visit: Visit) -> Result<Cube, CalibrationError> {
        let (airs, airs_bins) = self.instrument(visit, Instrument::AirsCh0)?;
        let (fgs1, fgs1_bins) = self.instrument(visit, Instrument::Fgs1)?;
        Ok(Cube { airs, airs_bins, fgs1, fgs1_bins })
    }

    /// When the bins of a visit of full length are.
    pub fn times(&self) -> BinTimes {
        // The second read of a pair stands for it.
        let of = |hours: &[f64], per_bin: usize| {
            let seconds: Vec<f64> = hours.iter().skip(1).step_by(2).copied().collect();
            InstrumentTimes::of_reads(&seconds, per_bin)
        };
        BinTimes { airs: of(&self.axis.airs_hours, self.airs_bin), fgs1: of(&self.axis.fgs1_hours, self.fgs1_bin) }
    }

    /// Calibrates one visit and sums its good pixels: `[bins, 283]` in the order of `wavelengths.csv`.
    ///
    /// # Errors
    /// When a file of the visit is missing or wrong, the instruments have different numbers of bins, or a wavelength
    /// has no good pixel.
    pub fn light_curve(&self, visit: Visit) -> Result<Vec<f64>, CalibrationError> {
        let cube = self.cube(visit)?;
        if cube.fgs1_bins != cube.airs_bins {
            return Err(CalibrationError::UnequalBins {
                reference: format!("{} of {visit}", Instrument::AirsCh0.name()),
                expected: cube.airs_bins,
                subject: Instrument::Fgs1.name().to_owned(),
                got: cube.fgs1_bins,
            });
        }
        let fgs1 = photometry::fgs1(&cube.fgs1, &self.steps);
        let airs = photometry::airs(&cube.airs, &self.steps);
        let mut curve = Vec::with_capacity(cube.airs_bins * WAVELENGTHS);
        for (fgs1, airs) in fgs1.into_iter().zip(airs.chunks_exact(AIRS_WAVELENGTHS)) {
            curve.push(fgs1);
            match self.order {
                ColumnOrder::Ascending => curve.extend(airs),
                ColumnOrder::Descending => curve.extend(airs.iter().rev()),
            }
        }
        match curve.iter().position(|sum| sum.is_nan()) {
            Some(cell) => Err(CalibrationError::NoGoodPixel { visit, wavelength: cell % WAVELENGTHS }),
            None => Ok(curve),
        }
    }

    /// Steps 1 to 7 for one instrument: `[bins, columns, rows]` and the number of bins.
    fn instrument(&self, visit: Visit, instrument: Instrument) -> Result<(Vec<f64>, usize), CalibrationError> {
        let signal = self.data.signal(self.split, visit, instrument)?;
        let frames = self.data.calibration_frames(self.split, visit, instrument)?;
        let seconds = self.exposure_seconds(&signal, instrument)?;
        let pairs_per_bin = match instrument {
            Instrument::AirsCh0 => self.airs_bin,
            Instrument::Fgs1 => self.fgs1_bin,
        };
        let bins = seconds.len() / 2 / pairs_per_bin;
        if bins == 0 {
            let (path, pairs) = (signal.path().to_owned(), seconds.len() / 2);
            return Err(CalibrationError::NoCompleteBin { path, bin: pairs_per_bin, pairs });
        }

        let kept = instrument.kept_pixels();
        let corrections = self.corrections(&frames, instrument, &kept);
        let mut series: Vec<PixelSeries<'_>> =
            corrections.iter().map(|correction| PixelSeries::new(correction.as_ref(), pairs_per_bin, bins)).collect();
        signal.for_each_series(&kept, &mut series, |series, first_read, counts| {
            series.add_reads(first_read, counts, &seconds);
        })?;

        // `kept` runs row by row, as the file does; the cube wants columns first.
        let columns = instrument.kept_columns().len();
        let mut cube = vec![f64::NAN; bins * columns * ROWS];
        for (index, series) in series.iter().enumerate() {
            let (row, column) = (index / columns, index % columns);
            let mut finished = series.finish();
            if self.steps.cosmic_rays {
                cosmic_rays::remove(&mut finished);
            }
            for (bin, value) in finished.into_iter().enumerate() {
                cube[(bin * columns + column) * ROWS + row] = value;
            }
        }
        Ok((cube, bins))
    }

    /// dt of the dark current for every read: integration time, and 0.1 s more on the odd reads.
    fn exposure_seconds(&self, signal: &FrameTable, instrument: Instrument) -> Result<Vec<f64>, CalibrationError> {
        /// How long the even read of a pair integrates, and what the odd read has on top of its integration time.
        const FIRST_READ_SECONDS: f64 = 0.1;
        let reads = signal.frames();
        let known = match instrument {
            Instrument::AirsCh0 => self.axis.airs_integration_seconds.len(),
            Instrument::Fgs1 => self.axis.fgs1_hours.len(),
        };
        if reads > known {
            let path = signal.path().to_owned();
            return Err(CalibrationError::TooManyReads { path, expected: known, got: reads });
        }
        if !reads.is_multiple_of(2) {
            return Err(CalibrationError::OddReads { path: signal.path().to_owned(), reads });
        }
        let integration = |read: usize| match instrument {
            Instrument::AirsCh0 => self.axis.airs_integration_seconds[read],
            Instrument::Fgs1 => FIRST_READ_SECONDS,
        };
        let extra = |read: usize| if read.is_multiple_of(2) { 0.0 } else { FIRST_READ_SECONDS };
        Ok((0..reads).map(|read| integration(read) + extra(read)).collect())
    }

    /// How to correct each kept pixel; `None` for a masked one.
    fn corrections(
        &self,
        frames: &CalibrationFrames,
        instrument: Instrument,
        kept: &[usize],
    ) -> Vec<Option<PixelCorrection>> {
        let dark: Vec<f64> = kept.iter().map(|&pixel| frames.dark[pixel]).collect();
        let hot = if self.steps.mask { hot_pixels(&dark) } else { vec![false; kept.len()] };
        kept.iter()
            .zip(hot)
            .map(|(&pixel, hot)| {
                if self.steps.mask && (hot || frames.dead[pixel] || !PLAUSIBLE_FLAT.contains(&frames.flat[pixel])) {
                    return None;
                }
                let correction = PixelCorrection {
                    readout: self.adc.of(instrument),
                    linearity: self.steps.linearity.then(|| frames.linearity_of(pixel)),
                    dark: self.steps.dark.then(|| frames.dark[pixel]),
                    flat: self.steps.flat.then(|| frames.flat[pixel]),
                };
                correction.is_usable().then_some(correction)
            })
            .collect()
    }
}

/// What a pixel's sensitivity may be, relative to the mean: the real ones go down to 0.57, and a pixel of nearly none would
/// be blown up to outshine all others.
const PLAUSIBLE_FLAT: std::ops::RangeInclusive<f64> = 0.2..=5.0;

/// Finds which way the kept AIRS columns run along the spectrum, and that they do.
fn column_order(axis_um: &[f64], wavelengths_um: &[f64]) -> Result<ColumnOrder, CalibrationError> {
    /// Both tables give the same numbers, rounded differently; neighbours are 5e-3 µm and more apart.
    const TOLERANCE_UM: f64 = 1e-6;
    let Range { start, end } = Instrument::AirsCh0.kept_columns();
    let order = if axis_um[start] > axis_um[end - 1] { ColumnOrder::Descending } else { ColumnOrder::Ascending };
    for (index, &expected_um) in wavelengths_um[1..].iter().enumerate() {
        let column = match order {
            ColumnOrder::Ascending => start + index,
            ColumnOrder::Descending => end - 1 - index,
        };
        let got_um = axis_um[column];
        if (got_um - expected_um).abs() > TOLERANCE_UM {
            return Err(CalibrationError::AxisMismatch { wavelength: index + 1, column, expected_um, got_um });
        }
    }
    Ok(order)
}

impl Cube {
    /// Writes `airs` and `fgs1` as a safetensors file.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, path: &Path, settings: &CalibSettings) -> Result<(), CalibrationError> {
        output::write_cube(path, self, settings)
    }

    /// Reads what [`write`](Self::write) wrote.
    ///
    /// # Errors
    /// When the file is missing or is not a cube.
    pub fn read(path: &Path) -> Result<(Self, CalibSettings), CalibrationError> {
        output::read_cube(path)
    }
}

#[cfg(test)]
mod tests;
