//! `submission.csv`: planet_id, wl_1 … wl_283, sigma_1 … sigma_283.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::dataset::{CsvTable, DataError, LoadedFile, csv_bytes, wavelength_names};
use super::instrument::WAVELENGTHS;
use crate::durable::write_whole;

/// Predicted spectra with their standard deviations.
#[derive(Debug, Clone, PartialEq)]
pub struct Submission {
    /// In the file's order.
    pub planet_ids: Vec<i64>,
    /// `[planets, 283]`: predicted depths.
    pub mean: Vec<f64>,
    /// `[planets, 283]`: predicted standard deviations.
    pub sigma: Vec<f64>,
}

impl Submission {
    /// Reads a submission. Whether its values are acceptable is for the [`metric`](super::metric) to say.
    ///
    /// # Errors
    /// When the file is missing or malformed, has other columns or has them in another order, or holds one planet twice or a
    /// value that is no number.
    pub fn read(path: &Path) -> Result<Self, DataError> {
        Self::of_table(path, &CsvTable::read("submission", path)?)
    }

    /// Reads the bytes of a submission.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn parse(file: LoadedFile) -> Result<Self, DataError> {
        let path = file.path.clone();
        Self::of_table(&path, &CsvTable::parse(file)?)
    }

    fn of_table(path: &Path, table: &CsvTable) -> Result<Self, DataError> {
        let columns = header().skip(1).map(|name| table.column(&name)).collect::<Result<Vec<_>, _>>()?;
        if table.column_count() != columns.len() + 1 {
            let expected = format!("{} columns", columns.len() + 1);
            return Err(DataError::Shape {
                path: path.to_owned(),
                expected,
                got: format!("{} columns", table.column_count()),
            });
        }
        // The official code goes by places and would score one wavelength as another.
        if let Some((place, name)) = (1..).zip(header().skip(1)).find(|(place, _)| columns[place - 1] != *place) {
            let (expected, got) = (format!("{name} as column {}", place + 1), table.name(place).to_owned());
            return Err(DataError::Shape { path: path.to_owned(), expected, got });
        }
        let mut submission = Self { planet_ids: table.planet_ids()?, mean: Vec::new(), sigma: Vec::new() };
        let (mean_columns, sigma_columns) = columns.split_at(WAVELENGTHS);
        for row in &table.rows {
            for &column in mean_columns {
                submission.mean.push(table.number(row, column)?);
            }
            for &column in sigma_columns {
                submission.sigma.push(table.number(row, column)?);
            }
        }
        Ok(submission)
    }

    /// Means and standard deviations in the order of `planet_ids`, to be scored against spectra in that order.
    ///
    /// # Errors
    /// [`PlanetMismatch`] when the submission lacks one of the planets or has another.
    pub fn for_planets(&self, planet_ids: &[i64]) -> Result<(Vec<f64>, Vec<f64>), PlanetMismatch> {
        let rows: BTreeMap<i64, usize> = self.planet_ids.iter().copied().zip(0..).collect();
        let wanted: BTreeSet<i64> = planet_ids.iter().copied().collect();
        if let Some((&planet, row)) = rows.iter().find(|(planet, _)| !wanted.contains(planet)) {
            return Err(PlanetMismatch::Unknown { planet, line: row + 2 });
        }
        let (mut mean, mut sigma) = (Vec::new(), Vec::new());
        for &planet in planet_ids {
            let &row = rows.get(&planet).ok_or(PlanetMismatch::Missing { planet })?;
            mean.extend_from_slice(&self.mean[row * WAVELENGTHS..][..WAVELENGTHS]);
            sigma.extend_from_slice(&self.sigma[row * WAVELENGTHS..][..WAVELENGTHS]);
        }
        Ok((mean, sigma))
    }

    /// The rows of these planets, in their order; a planet that has none gets the same `mean` and `sigma` everywhere.
    pub fn with_rows(&self, planet_ids: Vec<i64>, mean: f64, sigma: f64) -> Self {
        let rows: BTreeMap<i64, usize> = self.planet_ids.iter().copied().zip(0..).collect();
        let gather = |values: &[f64], instead: f64| {
            let spectrum = |planet| match rows.get(planet) {
                Some(row) => values[row * WAVELENGTHS..][..WAVELENGTHS].to_vec(),
                None => vec![instead; WAVELENGTHS],
            };
            planet_ids.iter().flat_map(spectrum).collect()
        };
        Self { mean: gather(&self.mean, mean), sigma: gather(&self.sigma, sigma), planet_ids }
    }

    /// Several predictions of the same planets as one: the mean and the standard deviation of their mixture.
    ///
    /// # Panics
    /// Without a prediction, or when they are of other planets.
    pub fn mixture(predictions: &[Self]) -> Self {
        let first = predictions.first().expect("a prediction");
        assert!(predictions.iter().all(|prediction| prediction.planet_ids == first.planet_ids), "the same planets");
        if predictions.len() == 1 {
            return first.clone();
        }
        let count = predictions.len() as f64;
        let average = |of: &dyn Fn(&Self) -> f64| predictions.iter().map(of).sum::<f64>() / count;
        let cells = 0..first.mean.len();
        let mean: Vec<f64> = cells.clone().map(|cell| average(&|prediction| prediction.mean[cell])).collect();
        let sigma = cells.map(|cell| {
            let spread = |prediction: &Self| {
                let off = prediction.mean[cell] - mean[cell];
                prediction.sigma[cell] * prediction.sigma[cell] + off * off
            };
            average(&spread).sqrt()
        });
        Self { planet_ids: first.planet_ids.clone(), sigma: sigma.collect(), mean }
    }

    /// Writes a submission.
    ///
    /// # Errors
    /// When the file cannot be written.
    ///
    /// # Panics
    /// As [`to_csv`](Self::to_csv).
    pub fn write(&self, path: &Path) -> Result<(), DataError> {
        write_whole(path, &self.to_csv()).map_err(|source| DataError::io("write", path, source))
    }

    /// The file; each number is the shortest text that reads back as the same bits.
    ///
    /// # Panics
    /// When there are not 283 means and deviations per planet.
    pub fn to_csv(&self) -> Vec<u8> {
        let cells = self.planet_ids.len() * WAVELENGTHS;
        assert_eq!((self.mean.len(), self.sigma.len()), (cells, cells), "a spectrum per planet");
        let spectra = self.mean.chunks_exact(WAVELENGTHS).zip(self.sigma.chunks_exact(WAVELENGTHS));
        let rows = self.planet_ids.iter().zip(spectra).map(|(planet, (mean, sigma))| {
            std::iter::once(planet.to_string()).chain(mean.iter().chain(sigma).map(|value| value.to_string()))
        });
        csv_bytes(header(), rows)
    }
}

/// Why a submission cannot be held against a list of planets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PlanetMismatch {
    /// A planet without a prediction.
    #[error("it has no row for planet {planet}")]
    Missing {
        /// The planet.
        planet: i64,
    },
    /// A prediction without a planet.
    #[error("line {line} is of planet {planet}, which is not to be predicted")]
    Unknown {
        /// The planet.
        planet: i64,
        /// Its line in the file.
        line: usize,
    },
}

fn header() -> impl Iterator<Item = String> {
    let sigmas = (1..=WAVELENGTHS).map(|number| format!("sigma_{number}"));
    std::iter::once("planet_id".to_owned()).chain(wavelength_names()).chain(sigmas)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn submission() -> Submission {
        let mean = (0..2 * WAVELENGTHS).map(|cell| 0.1 / (1.0 + cell as f64)).collect();
        let sigma = (0..2 * WAVELENGTHS).map(|cell| 1e-5 / 3.0 * (1.0 + cell as f64)).collect();
        Submission { planet_ids: vec![7, 5], mean, sigma }
    }

    #[test]
    fn a_submission_reads_back_bit_for_bit() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("submission.csv");
        submission().write(&path).expect("written");
        let text = std::fs::read_to_string(&path).expect("readable");
        assert!(text.starts_with("planet_id,wl_1,wl_2,") && text.contains(",wl_283,sigma_1,"), "{}", &text[..40]);
        assert_eq!(Submission::read(&path).expect("read"), submission());
    }

    #[test]
    fn every_planet_that_is_asked_for_has_a_row_and_no_other() {
        let submission = submission();
        let rows = submission.with_rows(vec![9, 5], 0.02, 0.01);
        assert_eq!(rows.planet_ids, [9, 5]);
        assert!(rows.mean[..WAVELENGTHS].iter().all(|mean| *mean == 0.02));
        assert!(rows.sigma[..WAVELENGTHS].iter().all(|sigma| *sigma == 0.01));
        assert_eq!(rows.mean[WAVELENGTHS..], submission.mean[WAVELENGTHS..]);
    }

    #[test]
    fn a_mixture_has_the_mean_of_the_means_and_is_wider_where_they_differ() {
        let (one, mut other) = (submission(), submission());
        other.mean[0] += 2e-3;
        let both = Submission::mixture(&[one.clone(), other]);
        assert!((both.mean[0] - one.mean[0] - 1e-3).abs() < 1e-15);
        assert!((both.sigma[0].powi(2) - one.sigma[0].powi(2) - 1e-6).abs() < 1e-15);
        assert!((both.sigma[1] - one.sigma[1]).abs() < 1e-18 && both.planet_ids == one.planet_ids);
        assert_eq!(Submission::mixture(std::slice::from_ref(&one)), one);
    }

    #[test]
    fn rows_are_found_by_planet_and_none_may_be_missing_or_left_over() {
        let submission = submission();
        let (mean, sigma) = submission.for_planets(&[5, 7]).expect("both planets");
        assert_eq!(mean[..WAVELENGTHS], submission.mean[WAVELENGTHS..]);
        assert_eq!(sigma[WAVELENGTHS..], submission.sigma[..WAVELENGTHS]);
        assert_eq!(submission.for_planets(&[5, 6, 7]), Err(PlanetMismatch::Missing { planet: 6 }));
        assert_eq!(submission.for_planets(&[5]), Err(PlanetMismatch::Unknown { planet: 7, line: 2 }));
    }

    #[test]
    fn a_missing_column_an_extra_one_shuffled_ones_and_a_repeated_planet_are_refused() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("submission.csv");
        let mut twice = submission();
        twice.planet_ids[1] = 7;
        twice.write(&path).expect("written");
        let error = Submission::read(&path).expect_err("planet 7 twice").to_string();
        assert!(error.contains("line 3, column planet_id") && error.contains("each planet once"), "{error}");

        submission().write(&path).expect("written");
        let text = std::fs::read_to_string(&path).expect("readable");
        std::fs::write(&path, text.replacen("wl_1,wl_2,", "wl_2,wl_1,", 1)).expect("written");
        let error = Submission::read(&path).expect_err("shuffled").to_string();
        assert!(error.contains("expected wl_1 as column 2, got wl_2"), "{error}");
        std::fs::write(&path, text.replacen("sigma_283", "sigma_284", 1)).expect("written");
        let error = Submission::read(&path).expect_err("no sigma_283").to_string();
        assert!(error.contains("\"sigma_283\""), "{error}");
        std::fs::write(&path, text.replace('\n', ",0\n").replacen(",0\n", ",usage\n", 1)).expect("written");
        assert!(matches!(Submission::read(&path), Err(DataError::Shape { .. })));
    }
}
