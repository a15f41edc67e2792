//! The small tables: wavelengths, converters, axes, stars, spectra.

use std::path::Path;

use super::DataError;
use super::csv_table::{CsvTable, write_csv};
use super::parquet_file::{ColumnKind, ParquetFile};
use super::parquet_writer::write_doubles;
use super::source::LoadedFile;
use crate::ariel::instrument::{Instrument, WAVELENGTHS};

/// `wl_1` … `wl_283`, the names of a spectrum's columns.
pub fn wavelength_names() -> impl Iterator<Item = String> {
    (1..=WAVELENGTHS).map(|number| format!("wl_{number}"))
}

/// What turns a converter's counts into electrons: counts / `gain` + `offset`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReadoutConversion {
    /// Counts per electron.
    pub gain: f64,
    /// Electrons at zero counts.
    pub offset: f64,
}

/// `adc_info.csv`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdcInfo {
    /// The converter of AIRS-CH0.
    pub airs: ReadoutConversion,
    /// The converter of FGS1.
    pub fgs1: ReadoutConversion,
}

impl AdcInfo {
    /// The converter of one instrument.
    pub fn of(&self, instrument: Instrument) -> ReadoutConversion {
        match instrument {
            Instrument::AirsCh0 => self.airs,
            Instrument::Fgs1 => self.fgs1,
        }
    }

    pub(super) fn parse(file: LoadedFile) -> Result<Self, DataError> {
        let table = CsvTable::parse(file)?;
        let row = table.only_row()?;
        let conversion = |instrument: Instrument| {
            let gain_column = table.column(&format!("{}_adc_gain", instrument.name()))?;
            let gain = table.number(row, gain_column)?;
            if gain <= 0.0 {
                return Err(table.bad_value(row, gain_column, "a positive gain"));
            }
            let offset = table.number(row, table.column(&format!("{}_adc_offset", instrument.name()))?)?;
            Ok(ReadoutConversion { gain, offset })
        };
        Ok(Self { airs: conversion(Instrument::AirsCh0)?, fgs1: conversion(Instrument::Fgs1)? })
    }

    /// Writes `adc_info.csv`.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), DataError> {
        let header = ["FGS1_adc_offset", "FGS1_adc_gain", "AIRS-CH0_adc_offset", "AIRS-CH0_adc_gain"];
        let row = [self.fgs1.offset, self.fgs1.gain, self.airs.offset, self.airs.gain];
        write_csv(path, header, [row.map(|value| value.to_string())])
    }
}

/// `axis_info.parquet`.
#[derive(Debug, Clone, PartialEq)]
pub struct AxisInfo {
    /// When each AIRS read ended, hours from the first.
    pub airs_hours: Vec<f64>,
    /// Integration time of each AIRS read, seconds.
    pub airs_integration_seconds: Vec<f64>,
    /// Wavelength of each of the 356 AIRS columns, µm.
    pub airs_wavelengths_um: Vec<f64>,
    /// When each FGS1 read ended, hours from the first.
    pub fgs1_hours: Vec<f64>,
}

/// Rows of the table of axes: a row per read, of which FGS1 has most.
const MAX_AXIS_ROWS: u64 = Instrument::Fgs1.most_reads() as u64;

const AIRS_HOURS: &str = "AIRS-CH0-axis0-h";
const AIRS_WAVELENGTHS_UM: &str = "AIRS-CH0-axis2-um";
const AIRS_INTEGRATION_SECONDS: &str = "AIRS-CH0-integration_time";
const FGS1_HOURS: &str = "FGS1-axis0-h";

impl AxisInfo {
    pub(super) fn parse(file: LoadedFile) -> Result<Self, DataError> {
        let file = ParquetFile::parse(file)?;
        DataError::within(file.path(), "rows", MAX_AXIS_ROWS, file.rows()? as u64)?;
        let path = file.path();
        let axis = |name: &str| read_axis(&file, name);
        let info = Self {
            airs_hours: axis(AIRS_HOURS)?,
            airs_integration_seconds: axis(AIRS_INTEGRATION_SECONDS)?,
            airs_wavelengths_um: axis(AIRS_WAVELENGTHS_UM)?,
            fgs1_hours: axis(FGS1_HOURS)?,
        };
        let columns = Instrument::AirsCh0.columns();
        if info.airs_wavelengths_um.len() != columns {
            let got = info.airs_wavelengths_um.len().to_string();
            return Err(DataError::shape(path, format!("{columns} values of {AIRS_WAVELENGTHS_UM}"), got));
        }
        if info.airs_integration_seconds.len() != info.airs_hours.len() {
            let expected = format!("{} values of {AIRS_INTEGRATION_SECONDS}", info.airs_hours.len());
            return Err(DataError::shape(path, expected, info.airs_integration_seconds.len().to_string()));
        }
        /// Real ones are 0.1 and 4.5 s: milliseconds would be taken for seconds.
        const INTEGRATION_SECONDS: std::ops::RangeInclusive<f64> = 1e-3..=100.0;
        let odd = |seconds: &f64| !INTEGRATION_SECONDS.contains(seconds);
        if let Some(read) = info.airs_integration_seconds.iter().position(odd) {
            let (place, expected) = (format!("{AIRS_INTEGRATION_SECONDS}, row {read}"), "0.001 to 100 s");
            return Err(DataError::value(path, place, expected, info.airs_integration_seconds[read].to_string()));
        }
        for (name, hours) in [(AIRS_HOURS, &info.airs_hours), (FGS1_HOURS, &info.fgs1_hours)] {
            if let Some(read) = hours.windows(2).position(|pair| pair[0] >= pair[1]) {
                let (place, got) =
                    (format!("{name}, row {}", read + 1), format!("{} after {}", hours[read + 1], hours[read]));
                return Err(DataError::value(path, place, "times that increase", got));
            }
        }
        Ok(info)
    }

    /// Writes `axis_info.parquet`; the shorter columns are filled up with nulls, as in the competition's.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), DataError> {
        let axes = [
            (AIRS_HOURS, &self.airs_hours),
            (AIRS_WAVELENGTHS_UM, &self.airs_wavelengths_um),
            (AIRS_INTEGRATION_SECONDS, &self.airs_integration_seconds),
            (FGS1_HOURS, &self.fgs1_hours),
        ];
        let rows = axes.iter().map(|(_, axis)| axis.len()).max().unwrap_or(0);
        let filled = axes.map(|(name, axis)| {
            let values = (0..rows).map(|row| axis.get(row).copied()).collect();
            (name.to_owned(), values)
        });
        write_doubles(path, &filled)
    }
}

/// The values of a column up to where it is filled up with nulls (or NaN, as pandas writes them).
fn read_axis(file: &ParquetFile, name: &str) -> Result<Vec<f64>, DataError> {
    let column = file.columns().iter().position(|column| column.path().string() == name);
    let Some(column) = column else {
        return Err(DataError::shape(file.path(), format!("a column {name:?}"), "none of that name"));
    };
    file.check_kind(column, ColumnKind::Numbers)?;
    let mut axis: Vec<f64> = Vec::new();
    let mut filling = false;
    for row_group in 0..file.row_groups() {
        file.read_chunk((row_group, column), 1, 1 << 16, &mut |batch| {
            let mut values = batch.values.iter();
            let present = batch.definition.iter().map(|&level| level == batch.max_definition);
            let all = std::iter::repeat_n(true, if batch.definition.is_empty() { batch.values.len() } else { 0 });
            for present in present.chain(all) {
                let value = if present { *values.next().expect("a value per present leaf") } else { f64::NAN };
                if value.is_nan() {
                    filling = true;
                } else if filling {
                    let place = format!("number {} of column {name:?}", axis.len());
                    return Err(DataError::value(file.path(), place, "numbers, then nothing", "a number after a gap"));
                } else {
                    axis.push(value);
                }
            }
            Ok(())
        })?;
    }
    Ok(axis)
}

/// A row of `<split>_star_info.csv`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Star {
    /// The planet around this star.
    pub planet_id: i64,
    /// `Rs`: radius of the star, solar radii.
    pub radius_solar: f64,
    /// `Ms`: mass of the star, solar masses.
    pub mass_solar: f64,
    /// `Ts`: effective temperature of the star, kelvin.
    pub temperature_kelvin: f64,
    /// `Mp`: mass of the planet, Jupiter masses.
    pub planet_mass_jupiter: f64,
    /// `e`: eccentricity of the orbit.
    pub eccentricity: f64,
    /// `P`: period of the orbit, days.
    pub period_days: f64,
    /// `sma`: semi-major axis of the orbit, radii of the star.
    pub semi_major_axis_radii: f64,
    /// `i`: inclination of the orbit, degrees.
    pub inclination_degrees: f64,
}

const STAR_COLUMNS: [&str; 8] = ["Rs", "Ms", "Ts", "Mp", "e", "P", "sma", "i"];

impl Star {
    pub(super) fn parse_table(file: LoadedFile) -> Result<Vec<Self>, DataError> {
        let table = CsvTable::parse(file)?;
        let columns = STAR_COLUMNS.iter().map(|name| table.column(name)).collect::<Result<Vec<_>, _>>()?;
        let ids = table.planet_ids()?;
        let mut stars = Vec::with_capacity(table.rows.len());
        for (row, planet_id) in table.rows.iter().zip(ids) {
            let mut values = [0.0; STAR_COLUMNS.len()];
            for (value, &column) in values.iter_mut().zip(&columns) {
                *value = table.number(row, column)?;
            }
            let [
                radius_solar,
                mass_solar,
                temperature_kelvin,
                planet_mass_jupiter,
                eccentricity,
                period_days,
                semi_major_axis_radii,
                inclination_degrees,
            ] = values;
            stars.push(Self {
                planet_id,
                radius_solar,
                mass_solar,
                temperature_kelvin,
                planet_mass_jupiter,
                eccentricity,
                period_days,
                semi_major_axis_radii,
                inclination_degrees,
            });
        }
        stars.sort_by_key(|star| star.planet_id);
        Ok(stars)
    }

    /// Writes a table of stars.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write_table(path: &Path, stars: &[Self]) -> Result<(), DataError> {
        let header = std::iter::once("planet_id").chain(STAR_COLUMNS);
        let rows = stars.iter().map(|star| {
            let values = [
                star.radius_solar,
                star.mass_solar,
                star.temperature_kelvin,
                star.planet_mass_jupiter,
                star.eccentricity,
                star.period_days,
                star.semi_major_axis_radii,
                star.inclination_degrees,
            ];
            std::iter::once(star.planet_id.to_string()).chain(values.map(|value| value.to_string()))
        });
        write_csv(path, header, rows)
    }
}

/// What a planet can take from its star's light: more than half of it no planet does.
const DEPTHS: std::ops::RangeInclusive<f64> = 0.0..=0.5;

/// True spectra: `train.csv`, and the simulator's `test.csv`.
#[derive(Debug, Clone, PartialEq)]
pub struct Targets {
    /// In ascending order.
    pub planet_ids: Vec<i64>,
    /// `[planets, 283]`: (planet radius / star radius)², FGS1 first.
    pub depths: Vec<f64>,
}

impl Targets {
    /// Reads a table of true spectra that the user named.
    ///
    /// # Errors
    /// When it is missing, or not such a table.
    pub fn read(path: &Path) -> Result<Self, DataError> {
        Self::from_table(&CsvTable::read("table of true spectra", path)?)
    }

    pub(super) fn parse(file: LoadedFile) -> Result<Self, DataError> {
        Self::from_table(&CsvTable::parse(file)?)
    }

    fn from_table(table: &CsvTable) -> Result<Self, DataError> {
        let columns = wavelength_names().map(|name| table.column(&name)).collect::<Result<Vec<_>, _>>()?;
        let mut rows: Vec<_> = table.planet_ids()?.into_iter().zip(&table.rows).collect();
        rows.sort_by_key(|(planet, _)| *planet);
        let mut targets = Self { planet_ids: Vec::new(), depths: Vec::new() };
        for (planet, row) in rows {
            targets.planet_ids.push(planet);
            for &column in &columns {
                let depth = table.number(row, column)?;
                if !DEPTHS.contains(&depth) {
                    let expected = "a depth (Rp/Rs)^2 from 0 to 0.5, neither in per cent nor in ppm";
                    return Err(table.bad_value(row, column, expected));
                }
                targets.depths.push(depth);
            }
        }
        Ok(targets)
    }

    /// Writes a table of true spectra.
    ///
    /// # Errors
    /// When the file cannot be written.
    ///
    /// # Panics
    /// When there are not 283 depths per planet.
    pub fn write(&self, path: &Path) -> Result<(), DataError> {
        assert_eq!(self.depths.len(), self.planet_ids.len() * WAVELENGTHS, "a spectrum per planet");
        let header = std::iter::once("planet_id".to_owned()).chain(wavelength_names());
        let rows = self.planet_ids.iter().zip(self.depths.chunks_exact(WAVELENGTHS)).map(|(planet, depths)| {
            std::iter::once(planet.to_string()).chain(depths.iter().map(|depth| depth.to_string()))
        });
        write_csv(path, header, rows)
    }

    /// Those of some planets; planets that are not among them are passed over.
    pub fn only(&self, planets: &[i64]) -> Self {
        let mut planet_ids = self.planet_ids.clone();
        planet_ids.retain(|planet| planets.contains(planet));
        let depths = planet_ids.iter().filter_map(|&planet| self.of(planet)).flatten().copied().collect();
        Self { planet_ids, depths }
    }

    /// The spectrum of one planet, `[283]`.
    pub fn of(&self, planet: i64) -> Option<&[f64]> {
        let row = self.planet_ids.binary_search(&planet).ok()?;
        Some(&self.depths[row * WAVELENGTHS..(row + 1) * WAVELENGTHS])
    }
}

pub(super) fn parse_wavelengths(file: LoadedFile) -> Result<Vec<f64>, DataError> {
    let table = CsvTable::parse(file)?;
    let row = table.only_row()?;
    wavelength_names().map(|name| table.number(row, table.column(&name)?)).collect()
}

/// Writes `wavelengths.csv`.
///
/// # Errors
/// When the file cannot be written.
pub fn write_wavelengths(path: &Path, wavelengths_um: &[f64; WAVELENGTHS]) -> Result<(), DataError> {
    write_csv(path, wavelength_names(), [wavelengths_um.map(|wavelength| wavelength.to_string())])
}
