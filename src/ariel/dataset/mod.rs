//! The competition's data set on disk: where its files are, and readers and writers for each of them.
//!
//! What is not here: what the numbers mean (see [`calibration`](super::calibration)) and where simulated ones come
//! from (see [`simulator`](super::simulator)). Readers accept what real tools write (several writers, integer widths,
//! every codec but LZO, one column per pixel or one flattened column) and name path, expected and got for anything else.

mod atomic_file;
mod calibration_frames;
mod csv_table;
mod error;
mod frame_table;
mod layout;
mod parquet_bounds;
mod parquet_file;
mod parquet_writer;
mod source;
mod tables;
mod thrift;

use std::path::{Path, PathBuf};

pub use atomic_file::write_atomically;
pub use calibration_frames::{CalibrationFrames, LINEARITY_COEFFICIENTS};
pub(crate) use csv_table::{CsvTable, MAX_TABLE_ROWS, csv_bytes};
pub use error::DataError;
pub use frame_table::{FrameLayout, FrameTable};
pub use layout::{Layout, Split, Visit};
pub use parquet_writer::{FrameWriteOptions, write_frames};
pub use source::{DataSource, LoadedFile};
pub use tables::{AdcInfo, AxisInfo, ReadoutConversion, Star, Targets, wavelength_names, write_wavelengths};

use super::instrument::Instrument;
use crate::provenance::data::ListedFiles;

/// Bytes of a signal file: nearly twice what the competition's reads take as plain doubles.
const MAX_SIGNAL_BYTES: u64 = 1 << 31;
/// Bytes of a table, the one of axes among them.
const MAX_TABLE_BYTES: u64 = csv_table::MAX_TABLE_BYTES;
/// Bytes of the settings of a simulation.
const MAX_SIMULATION_BYTES: u64 = 1 << 20;

/// A data set in the competition's layout, opened for reading.
#[derive(Debug, Clone)]
pub struct DataSet {
    layout: Layout,
    source: DataSource,
}

impl DataSet {
    /// Opens the data set under `root`, whatever lies there. Its files are read, and judged, when they are asked for.
    ///
    /// # Errors
    /// [`DataError::Missing`] when `root` is not a directory.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, DataError> {
        let root = root.into();
        if !root.is_dir() {
            return Err(DataError::Missing { what: "data set folder", path: root });
        }
        Ok(Self { layout: Layout::new(&root), source: DataSource::Folder(root) })
    }

    /// The data set that a list names: nothing else of its folder is looked at.
    pub fn listed(files: ListedFiles) -> Self {
        Self { layout: Layout::new(files.root()), source: DataSource::Listed(files) }
    }

    /// Where its bytes come from.
    pub fn source(&self) -> &DataSource {
        &self.source
    }

    /// Where its files are.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The folder that was opened.
    pub fn root(&self) -> &Path {
        self.layout.root()
    }

    /// Every visit of a split, by planet and then visit, in numeric order.
    ///
    /// # Errors
    /// [`DataError::Missing`] when the split has no folder, no planet, or a planet without a signal file.
    pub fn visits(&self, split: Split) -> Result<Vec<Visit>, DataError> {
        self.layout.visits(&self.source, split)
    }

    /// The planets of a split in numeric order.
    ///
    /// # Errors
    /// See [`visits`](Self::visits).
    pub fn planets(&self, split: Split) -> Result<Vec<i64>, DataError> {
        let mut planets: Vec<i64> = self.visits(split)?.into_iter().map(|visit| visit.planet).collect();
        planets.dedup();
        Ok(planets)
    }

    /// The raw reads of one instrument during one visit: a frame of [`Instrument::pixels`] values per read.
    ///
    /// # Errors
    /// When the file is missing, not parquet, or of another shape or type.
    pub fn signal(&self, split: Split, visit: Visit, instrument: Instrument) -> Result<FrameTable, DataError> {
        let path = self.layout.signal(split, visit, instrument);
        let file = self.source.read("table of frames", &path, MAX_SIGNAL_BYTES)?;
        FrameTable::parse_counts(file, instrument.pixels(), instrument.most_reads())
    }

    /// The calibration frames of one instrument for one visit.
    ///
    /// # Errors
    /// When a file is missing, not parquet, or of another shape or type.
    pub fn calibration_frames(
        &self,
        split: Split,
        visit: Visit,
        instrument: Instrument,
    ) -> Result<CalibrationFrames, DataError> {
        let folder = self.layout.calibration_folder(split, visit, instrument);
        CalibrationFrames::read(&self.source, &folder, instrument)
    }

    /// The wavelengths of a spectrum in µm, `wl_1` (FGS1) first.
    ///
    /// # Errors
    /// When the table is missing or malformed.
    pub fn wavelengths_um(&self) -> Result<Vec<f64>, DataError> {
        tables::parse_wavelengths(self.table("table of wavelengths", &self.layout.wavelengths())?)
    }

    /// Gain and offset of both analogue-to-digital converters.
    ///
    /// # Errors
    /// When the table is missing or malformed.
    pub fn adc_info(&self) -> Result<AdcInfo, DataError> {
        AdcInfo::parse(self.table("table of converters", &self.layout.adc_info())?)
    }

    /// Times, integration times and the wavelength of each AIRS column.
    ///
    /// # Errors
    /// When the table is missing or malformed.
    pub fn axis_info(&self) -> Result<AxisInfo, DataError> {
        AxisInfo::parse(self.table("table of axes", &self.layout.axis_info())?)
    }

    /// The stars of a split, by planet in numeric order.
    ///
    /// # Errors
    /// When the table is missing or malformed.
    pub fn stars(&self, split: Split) -> Result<Vec<Star>, DataError> {
        Star::parse_table(self.table("table of stars", &self.layout.star_info(split))?)
    }

    /// The true spectra of a split, by planet in numeric order. The competition has them for `train` alone; the
    /// simulator also writes them for `test`.
    ///
    /// # Errors
    /// When the table is missing or malformed.
    pub fn targets(&self, split: Split) -> Result<Targets, DataError> {
        Targets::parse(self.table("table of true spectra", &self.layout.targets(split))?)
    }

    /// The bytes of one of the tables.
    pub(crate) fn table(&self, what: &'static str, path: &Path) -> Result<LoadedFile, DataError> {
        self.source.read(what, path, MAX_TABLE_BYTES)
    }

    /// The settings that the data set was simulated with, `None` when it was not simulated.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn simulation(&self) -> Result<Option<LoadedFile>, DataError> {
        self.source.read_if_there("settings of a simulation", &self.layout.simulation(), MAX_SIMULATION_BYTES)
    }
}

#[cfg(test)]
mod tests;
