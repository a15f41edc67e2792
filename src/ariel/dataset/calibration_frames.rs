//! The calibration frames of one instrument for one visit.

use std::path::Path;

use super::DataError;
use super::frame_table::FrameTable;
use super::parquet_writer::{write_bool_matrix, write_matrix};
use super::source::DataSource;
use crate::ariel::instrument::{Instrument, ROWS};

/// Coefficients of the linearity polynomial of a pixel.
pub const LINEARITY_COEFFICIENTS: usize = 6;

/// Bytes of a file of calibration frames. The largest, six coefficients of 11392 pixels in float64, takes half a million.
const MAX_FILE_BYTES: u64 = 1 << 25;
/// Rows of a file of calibration frames. Which number is right is said with another error.
const MAX_ROWS: usize = 1 << 12;

/// Calibration frames, each `[32, columns]` row by row over the whole detector.
#[derive(Debug, Clone, PartialEq)]
pub struct CalibrationFrames {
    /// Dark current, electrons per second.
    pub dark: Vec<f64>,
    /// Pixels that answer to nothing.
    pub dead: Vec<bool>,
    /// Relative response to light.
    pub flat: Vec<f64>,
    /// Read noise, electrons.
    pub read: Vec<f64>,
    /// `[6, 32, columns]`: the polynomial from measured to true electrons, ascending powers.
    pub linear_corr: Vec<f64>,
}

impl CalibrationFrames {
    /// The files that are read.
    pub const FILES: [&'static str; 5] =
        ["dark.parquet", "dead.parquet", "flat.parquet", "linear_corr.parquet", "read.parquet"];

    /// Reads `dark`, `dead`, `flat`, `read` and `linear_corr.parquet` of a folder of the data set.
    ///
    /// # Errors
    /// When a file is missing, not parquet, or of another shape or type.
    pub fn read(source: &DataSource, folder: &Path, instrument: Instrument) -> Result<Self, DataError> {
        let columns = instrument.columns();
        let load = |name: &str| source.read("table of frames", &folder.join(name), MAX_FILE_BYTES);
        let open = |name: &str| FrameTable::parse(load(name)?, columns, MAX_ROWS);
        let matrix = |table: FrameTable, rows: usize| {
            if table.frames() != rows {
                let expected = format!("{rows} rows of {columns} numbers");
                return Err(DataError::shape(table.path(), expected, format!("{} rows", table.frames())));
            }
            table.read_all()
        };
        let dead = matrix(FrameTable::parse_flags(load("dead.parquet")?, columns, MAX_ROWS)?, ROWS)?
            .into_iter()
            .enumerate()
            .map(|(pixel, value)| match value {
                0.0 => Ok(false),
                1.0 => Ok(true),
                _ => {
                    let place = format!("row {}, column {}", pixel / columns, pixel % columns);
                    Err(DataError::value(&folder.join("dead.parquet"), place, "true or false", value.to_string()))
                }
            })
            .collect::<Result<_, _>>()?;
        let frames = Self {
            dark: matrix(open("dark.parquet")?, ROWS)?,
            dead,
            flat: matrix(open("flat.parquet")?, ROWS)?,
            read: matrix(open("read.parquet")?, ROWS)?,
            linear_corr: matrix(open("linear_corr.parquet")?, ROWS * LINEARITY_COEFFICIENTS)?,
        };
        // A detector counts nearly what there is: in another order the coefficients would make noise of it.
        let mut linear: Vec<f64> = (0..frames.dark.len()).map(|pixel| frames.linearity_of(pixel)[1]).collect();
        linear.sort_by(f64::total_cmp);
        let median = linear[linear.len() / 2];
        if !(0.5..=2.0).contains(&median) {
            let expected = "coefficients in ascending power, the second of which is about 1";
            let got = format!("a median of {median}");
            return Err(DataError::value(&folder.join("linear_corr.parquet"), "second coefficient", expected, got));
        }
        Ok(frames)
    }

    /// Writes the five files into an existing folder.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write(&self, folder: &Path, instrument: Instrument) -> Result<(), DataError> {
        let columns = instrument.columns();
        write_matrix(&folder.join("dark.parquet"), columns, &self.dark)?;
        write_bool_matrix(&folder.join("dead.parquet"), columns, &self.dead)?;
        write_matrix(&folder.join("flat.parquet"), columns, &self.flat)?;
        write_matrix(&folder.join("read.parquet"), columns, &self.read)?;
        write_matrix(&folder.join("linear_corr.parquet"), columns, &self.linear_corr)
    }

    /// The polynomial of one pixel, ascending powers.
    pub fn linearity_of(&self, pixel: usize) -> [f64; LINEARITY_COEFFICIENTS] {
        std::array::from_fn(|power| self.linear_corr[power * self.dark.len() + pixel])
    }
}
