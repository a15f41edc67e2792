//! What can be wrong with a calibration.

use std::path::PathBuf;

use crate::ariel::dataset::{DataError, Visit};
use crate::engine::settings::UnsupportedSetting;
use crate::failure::{Advice, FailureKind};

/// Why a visit cannot be calibrated.
#[derive(Debug, thiserror::Error)]
pub enum CalibrationError {
    /// A file of the data set.
    #[error("{0}")]
    Data(#[from] DataError),
    /// No bin is complete.
    #[error("no complete time bin in {}: expected at least {bin} pairs of reads, got {pairs}", path.display())]
    NoCompleteBin {
        /// The signal file.
        path: PathBuf,
        /// Pairs per bin.
        bin: usize,
        /// Pairs in the file.
        pairs: usize,
    },
    /// A read without its partner.
    #[error("odd number of reads in {}: expected pairs, got {reads}", path.display())]
    OddReads {
        /// The signal file.
        path: PathBuf,
        /// Reads in the file.
        reads: usize,
    },
    /// More reads than the table of axes has times for.
    #[error("more reads in {} than axis_info.parquet describes: expected at most {expected}, got {got}", path.display())]
    TooManyReads {
        /// The signal file.
        path: PathBuf,
        /// Reads of which the time is known.
        expected: usize,
        /// Reads in the file.
        got: usize,
    },
    /// The AIRS axis does not give the wavelengths that the spectrum has.
    #[error(
        "axis_info.parquet and wavelengths.csv disagree: expected {expected_um} µm (wl_{}) at AIRS column {column}, got {got_um} µm",
        wavelength + 1
    )]
    AxisMismatch {
        /// Index of the wavelength, from 0.
        wavelength: usize,
        /// The AIRS column that should measure it.
        column: usize,
        /// What wavelengths.csv says.
        expected_um: f64,
        /// What axis_info.parquet says.
        got_um: f64,
    },
    /// A wavelength at which every pixel is masked.
    #[error("no good pixel for wl_{} of {visit}", wavelength + 1)]
    NoGoodPixel {
        /// The visit.
        visit: Visit,
        /// Index of the wavelength, from 0.
        wavelength: usize,
    },
    /// A light curve holds one number of bins.
    #[error(
        "light curves need equal numbers of time bins: expected {expected} as in {reference}, got {got} in {subject}"
    )]
    UnequalBins {
        /// Whose number is expected.
        reference: String,
        /// The number of bins there.
        expected: usize,
        /// Who differs.
        subject: String,
        /// The number of bins there.
        got: usize,
    },
    /// A setting that makes no sense.
    #[error("{0}")]
    Setting(#[from] UnsupportedSetting),
    /// A calibrated file that is not one.
    #[error("{} is not a calibrated file: {reason}", path.display())]
    NotCalibrated {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

impl CalibrationError {
    /// Whether it is one visit's files that are missing or broken. A file that is not the one of the list is no such thing: then
    /// the data changed.
    pub fn is_of_a_visit(&self) -> bool {
        match self {
            Self::Data(error) => !matches!(error, DataError::NotAsListed { .. } | DataError::Foreign(_)),
            Self::NoCompleteBin { .. }
            | Self::OddReads { .. }
            | Self::TooManyReads { .. }
            | Self::NoGoodPixel { .. }
            | Self::UnequalBins { .. } => true,
            Self::AxisMismatch { .. } | Self::Setting(_) | Self::NotCalibrated { .. } => false,
        }
    }
}

impl Advice for CalibrationError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Data(error) => error.hint(),
            Self::Setting(error) => error.hint(),
            Self::NoCompleteBin { .. } => {
                Some("set smaller calib.airs_bin and calib.fgs1_bin, as calib=tiny does, or calibrate longer visits".into())
            }
            Self::UnequalBins { .. } => Some(
                "calib.airs_bin and calib.fgs1_bin have to cut the two instruments' pairs of reads into equally many bins"
                    .into(),
            ),
            Self::NotCalibrated { path, .. } => Some(format!("delete {}: it is made again", path.display())),
            Self::NoGoodPixel { .. } => {
                Some("take the planet out of the data set, or keep what is masked with calib.steps.mask=false".into())
            }
            Self::OddReads { .. } | Self::TooManyReads { .. } | Self::AxisMismatch { .. } => {
                Some("the files are not of one data set: get them, or simulate them, again".into())
            }
        }
    }

    fn kind(&self) -> FailureKind {
        match self {
            Self::Data(error) => error.kind(),
            Self::Setting(error) => error.kind(),
            // What is there was read and is wrong.
            _ => FailureKind::Failed,
        }
    }
}
