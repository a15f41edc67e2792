//! The competition's data set on disk: where its files are, and readers and writers for each of them.
//!
//! What is not here: what the numbers mean (see [`calibration`](super::calibration)) and where simulated ones come
//! from (see [`simulator`](super::simulator)). Readers accept what real tools write (several writers, integer widths,
//! Snappy and Zstd, one column per pixel or one flattened column) and name path, expected and got for anything else.

mod atomic_file;
mod calibration_frames;
mod csv_table;
mod error;
mod frame_table;
mod layout;
mod parquet_file;
mod parquet_writer;
mod tables;

use std::path::{Path, PathBuf};

pub use atomic_file::write_atomically;
pub use calibration_frames::{CalibrationFrames, LINEARITY_COEFFICIENTS};
pub(crate) use csv_table::{CsvTable, write_csv};
pub use error::DataError;
pub use frame_table::{FrameLayout, FrameTable};
pub use layout::{Layout, Split, Visit};
pub use parquet_writer::{FrameWriteOptions, write_frames};
pub use tables::{AdcInfo, AxisInfo, ReadoutConversion, Star, Targets, wavelength_names, write_wavelengths};

use super::instrument::Instrument;

/// A data set in the competition's layout, opened for reading.
#[derive(Debug, Clone)]
pub struct DataSet {
    layout: Layout,
}

impl DataSet {
    /// Opens the data set under `root`. Its files are read, and judged, when they are asked for.
    ///
    /// # Errors
    /// [`DataError::Missing`] when `root` is not a directory.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, DataError> {
        let root = root.into();
        if !root.is_dir() {
            return Err(DataError::Missing { what: "data set folder", path: root });
        }
        Ok(Self { layout: Layout::new(root) })
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
        self.layout.visits(split)
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
        FrameTable::open(&self.layout.signal(split, visit, instrument), instrument.pixels())
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
        CalibrationFrames::read(&self.layout.calibration_folder(split, visit, instrument), instrument)
    }

    /// The wavelengths of a spectrum in µm, `wl_1` (FGS1) first.
    ///
    /// # Errors
    /// When the table is missing or malformed.
    pub fn wavelengths_um(&self) -> Result<Vec<f64>, DataError> {
        tables::read_wavelengths(&self.layout.wavelengths())
    }

    /// Gain and offset of both analogue-to-digital converters.
    ///
    /// # Errors
    /// When the table is missing or malformed.
    pub fn adc_info(&self) -> Result<AdcInfo, DataError> {
        AdcInfo::read(&self.layout.adc_info())
    }

    /// Times, integration times and the wavelength of each AIRS column.
    ///
    /// # Errors
    /// When the table is missing or malformed.
    pub fn axis_info(&self) -> Result<AxisInfo, DataError> {
        AxisInfo::read(&self.layout.axis_info())
    }

    /// The stars of a split, by planet in numeric order.
    ///
    /// # Errors
    /// When the table is missing or malformed.
    pub fn stars(&self, split: Split) -> Result<Vec<Star>, DataError> {
        Star::read_table(&self.layout.star_info(split))
    }

    /// The true spectra of a split, by planet in numeric order. The competition has them for `train` alone; the
    /// simulator also writes them for `test`.
    ///
    /// # Errors
    /// When the table is missing or malformed.
    pub fn targets(&self, split: Split) -> Result<Targets, DataError> {
        Targets::read(&self.layout.targets(split))
    }
}

#[cfg(test)]
mod tests;
