//! The names of the competition's files and folders.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::DataError;
use super::source::DataSource;
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
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

    /// Every visit of a split, in numeric order of planet, then visit. A planet without any signal file lacks those of its first
    /// visit.
    ///
    /// Entries whose names are not planet ids, as file browsers leave them, are passed over.
    pub(super) fn visits(&self, source: &DataSource, split: Split) -> Result<Vec<Visit>, DataError> {
        let folder = self.split(split);
        let names = source.names("folder of planets", &folder)?;
        let planets: BTreeSet<i64> = names.iter().filter_map(|name| canonical_number(name)).collect();
        let mut visits = Vec::new();
        for planet in planets {
            let folder = self.planet(split, planet);
            let mut numbers: Vec<u32> = source
                .names("planet's folder", &folder)?
                .iter()
                .filter_map(|name| {
                    let stem = name.strip_suffix(".parquet")?;
                    Instrument::ALL.iter().find_map(|instrument| {
                        canonical_number(stem.strip_prefix(instrument.name())?.strip_prefix("_signal_")?)
                    })
                })
                .collect();
            numbers.sort_unstable();
            numbers.dedup();
            if numbers.is_empty() {
                numbers.push(0);
            }
            visits.extend(numbers.into_iter().map(|number| Visit { planet, number }));
        }
        if visits.is_empty() {
            return Err(source.lacks("planet in the split's folder", folder));
        }
        Ok(visits)
    }
}

/// A number spelled the one way in which the layout spells it, so that no two folders are one planet.
fn canonical_number<N: std::str::FromStr + ToString>(text: &str) -> Option<N> {
    text.parse::<N>().ok().filter(|number| number.to_string() == text && !text.starts_with('-'))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::provenance::data::{ListedFiles, ReadData};

    #[test]
    fn visits_come_in_numeric_order_and_foreign_entries_are_passed_over() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let layout = Layout::new(root.path());
        for (planet, number) in [("100", 1), ("100", 0), ("9", 10), ("9", 2), ("007", 0), (".cache", 0), ("-3", 0)] {
            let folder = layout.split(Split::Train).join(planet);
            fs::create_dir_all(&folder).expect("created");
            fs::write(folder.join(format!("FGS1_signal_{number}.parquet")), "").expect("written");
        }
        let folder = DataSource::Folder(root.path().to_owned());
        let list = ReadData::of_tree(root.path()).expect("hashes").manifest().clone();
        let listed = DataSource::Listed(ListedFiles::new(root.path(), list));
        let pairs = |source| -> Vec<_> {
            let visits = layout.visits(source, Split::Train).expect("listed");
            visits.iter().map(|visit| (visit.planet, visit.number)).collect()
        };
        assert_eq!(pairs(&folder), [(9, 2), (9, 10), (100, 0), (100, 1)]);
        assert_eq!(pairs(&listed), pairs(&folder));
        // A visit that is planted after the list was made.
        fs::write(layout.split(Split::Train).join("9/FGS1_signal_3.parquet"), "").expect("written");
        assert_eq!((pairs(&listed).len(), pairs(&folder).len()), (4, 5));
    }

    #[test]
    fn a_missing_split_is_named_and_a_planet_without_signals_lacks_its_first_visit() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let layout = Layout::new(root.path());
        let source = DataSource::Folder(root.path().to_owned());
        let error = layout.visits(&source, Split::Test).expect_err("no test folder");
        assert!(matches!(&error, DataError::Missing { path, .. } if path.ends_with("test")), "{error}");
        fs::create_dir_all(layout.planet(Split::Test, 5)).expect("created");
        let visits = layout.visits(&source, Split::Test).expect("listed");
        assert_eq!(visits, [Visit { planet: 5, number: 0 }]);
    }
}
