//! The two instruments of the challenge, and which pixels of their frames count.

use std::ops::Range;

/// Wavelengths of a spectrum: one for FGS1 and one for each kept column of AIRS-CH0.
pub const WAVELENGTHS: usize = 283;

/// Wavelengths that AIRS-CH0 measures; the first of a spectrum's wavelengths is FGS1's.
pub const AIRS_WAVELENGTHS: usize = WAVELENGTHS - 1;

/// Rows of a frame, on both detectors.
pub const ROWS: usize = 32;

/// A detector whose frames the data set holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Instrument {
    /// The infrared spectrometer: 32 × 356 pixels, 1.95–3.90 µm on its kept columns.
    AirsCh0,
    /// The guidance camera used as a photometer: 32 × 32 pixels, 0.7 µm.
    Fgs1,
}

impl Instrument {
    /// Both, in the order in which they are processed.
    pub const ALL: [Self; 2] = [Self::AirsCh0, Self::Fgs1];

    /// The name in file names and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AirsCh0 => "AIRS-CH0",
            Self::Fgs1 => "FGS1",
        }
    }

    /// Columns of a frame.
    pub const fn columns(self) -> usize {
        match self {
            Self::AirsCh0 => 356,
            Self::Fgs1 => 32,
        }
    }

    /// More reads than a visit has: two to three times the competition's 11250 and 135000. A calibrated visit, a number
    /// per pixel and pair of reads at worst, is bounded by it.
    pub const fn most_reads(self) -> usize {
        match self {
            Self::AirsCh0 => 1 << 15,
            Self::Fgs1 => 1 << 18,
        }
    }

    /// Pixels of a frame; pixel `row · columns + column` is the signal file's `column_<pixel>`.
    pub const fn pixels(self) -> usize {
        ROWS * self.columns()
    }

    /// The columns that calibration keeps.
    pub const fn kept_columns(self) -> Range<usize> {
        match self {
            Self::AirsCh0 => 39..321,
            Self::Fgs1 => 0..32,
        }
    }

    /// The kept pixels, row by row: ascending, so that reading them walks through a file once.
    pub fn kept_pixels(self) -> Vec<usize> {
        (0..ROWS).flat_map(|row| self.kept_columns().map(move |column| row * self.columns() + column)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_airs_columns_are_the_spectrum_without_fgs1() {
        assert_eq!(Instrument::AirsCh0.kept_columns().len(), AIRS_WAVELENGTHS);
        let kept = Instrument::AirsCh0.kept_pixels();
        assert_eq!((kept.len(), kept[0], kept[282]), (282 * 32, 39, 356 + 39));
        assert_eq!(Instrument::Fgs1.kept_pixels(), (0..1024).collect::<Vec<_>>());
    }
}
