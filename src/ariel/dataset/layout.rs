//! The names of the competition's files and folders.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::DataError;
use crate::ariel::instrument::Instrument;

/// Which half of the data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// The planets whose spectra are given.
    Train,
    /// The planets whose spectra are to be predicted.
    Test,
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Train => "train",
            Self::Test => "test",
        })
    }
}

/// One observation of one planet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Visit {
    /// The planet's id: the name of its folder.
    pub planet: i64,
    /// The `k` of `FGS1_signal_<k>.parquet`.
    pub number: u32,
}

impl fmt::Display for Visit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "planet {} visit {}", self.planet, self.number)
    }
}

/// Where the files of a data set are, whether or not they exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    root: PathBuf,
}

impl Layout {
    /// The layout under `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The folder of the whole data set.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// `wavelengths.csv`.
    pub fn wavelengths(&self) -> PathBuf {
        self.root.join("wavelengths.csv")
    }

    /// `adc_info.csv`.
    pub fn adc_info(&self) -> PathBuf {
        self.root.join("adc_info.csv")
    }

    /// `axis_info.parquet`.
    pub fn axis_info(&self) -> PathBuf {
        self.root.join("axis_info.parquet")
    }

    /// `sample_submission.csv`.
    pub fn sample_submission(&self) -> PathBuf {
        self.root.join("sample_submission.csv")
    }

    /// `<split>_star_info.csv`.
    pub fn star_info(&self, split: Split) -> PathBuf {
        self.root.join(format!("{split}_star_info.csv"))
    }

    /// `<split>.csv`, the true spectra. The competition has no `test.csv`; the simulator writes one.
    pub fn targets(&self, split: Split) -> PathBuf {
        self.root.join(format!("{split}.csv"))
    }

    /// `simulation.json`, the settings of a simulated data set. Not part of the competition's layout.
    pub fn simulation(&self) -> PathBuf {
        self.root.join("simulation.json")
    }

    /// The folder of a split.
    pub fn split(&self, split: Split) -> PathBuf {
        self.root.join(split.to_string())
    }

    /// The folder of a planet.
    pub fn planet(&self, split: Split, planet: i64) -> PathBuf {
        self.split(split).join(planet.to_string())
    }

    /// The raw reads of one instrument.
    pub fn signal(&self, split: Split, visit: Visit, instrument: Instrument) -> PathBuf {
        let name = format!("{}_signal_{}.parquet", instrument.name(), visit.number);
        self.planet(split, visit.planet).join(name)
    }

    /// The folder of one instrument's calibration frames.
    pub fn calibration_folder(&self, split: Split, visit: Visit, instrument: Instrument) -> PathBuf {
        self.planet(split, visit.planet).join(format!("{}_calibration_{}", instrument.name(), visit.number))
    }

    /// Every visit of a split that has signal files, in numeric order of planet, then visit.
    ///
    /// Entries whose names are not planet ids, as file browsers leave them, are passed over.
    pub(super) fn visits(&self, split: Split) -> Result<Vec<Visit>, DataError> {
        let folder = self.split(split);
        let mut planets = BTreeMap::new();
        for (name, path) in entries("folder of planets", &folder)? {
            if let Some(planet) = canonical_number::<i64>(&name) {
                planets.insert(planet, path);
            }
        }
        let mut visits = Vec::new();
        for (planet, path) in planets {
            let mut numbers: Vec<u32> = entries("planet's folder", &path)?
                .iter()
                .filter_map(|(name, _)| {
                    let stem = name.strip_suffix(".parquet")?;
                    Instrument::ALL.iter().find_map(|instrument| {
                        canonical_number(stem.strip_prefix(instrument.name())?.strip_prefix("_signal_")?)
                    })
                })
                .collect();
            numbers.sort_unstable();
            numbers.dedup();
            if numbers.is_empty() {
                return Err(DataError::Missing { what: "signal of a visit (FGS1_signal_<k>.parquet)", path });
            }
            visits.extend(numbers.into_iter().map(|number| Visit { planet, number }));
        }
        if visits.is_empty() {
            return Err(DataError::Missing { what: "planet in the split's folder", path: folder });
        }
        Ok(visits)
    }
}

fn entries(what: &'static str, folder: &Path) -> Result<Vec<(String, PathBuf)>, DataError> {
    let refuse = |source| DataError::reading(what, folder, source);
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).map_err(refuse)? {
        let entry = entry.map_err(refuse)?;
        if let Ok(name) = entry.file_name().into_string() {
            entries.push((name, entry.path()));
        }
    }
    Ok(entries)
}

/// A number spelled the one way in which the layout spells it, so that no two folders are one planet.
fn canonical_number<N: std::str::FromStr + ToString>(text: &str) -> Option<N> {
    text.parse::<N>().ok().filter(|number| number.to_string() == text && !text.starts_with('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn visits_come_in_numeric_order_and_foreign_entries_are_passed_over() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let layout = Layout::new(root.path());
        for (planet, number) in [("100", 1), ("100", 0), ("9", 10), ("9", 2), ("007", 0), (".cache", 0), ("-3", 0)] {
            let folder = layout.split(Split::Train).join(planet);
            fs::create_dir_all(&folder).expect("created");
            fs::write(folder.join(format!("FGS1_signal_{number}.parquet")), "").expect("written");
        }
        let visits = layout.visits(Split::Train).expect("listed");
        let pairs: Vec<_> = visits.iter().map(|visit| (visit.planet, visit.number)).collect();
        assert_eq!(pairs, [(9, 2), (9, 10), (100, 0), (100, 1)]);
    }

    #[test]
    fn a_missing_split_and_a_planet_without_signals_are_named() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let layout = Layout::new(root.path());
        let error = layout.visits(Split::Test).expect_err("no test folder");
        assert!(matches!(&error, DataError::Missing { path, .. } if path.ends_with("test")), "{error}");
        fs::create_dir_all(layout.planet(Split::Test, 5)).expect("created");
        let error = layout.visits(Split::Test).expect_err("no signal");
        assert!(matches!(&error, DataError::Missing { path, .. } if path.ends_with("test/5")), "{error}");
    }
}
