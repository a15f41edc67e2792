//! The settings of a calibration: as configured, and as a calibrated file records them.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{CalibrationError, output};
use crate::ariel::dataset::{DataSet, Split, Visit};
use crate::ariel::instrument::Instrument;
use crate::digest::{Blake3Digest, DomainHasher};
use crate::engine::settings::{UnsupportedSetting, within};

/// What a calibration writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CalibOutput {
    /// Every pixel over time, a file per visit.
    Cube,
    /// Sums of good pixels per wavelength over time, one file for all visits.
    LightCurve,
}

/// The steps that can be left out; the others are what makes the numbers electrons per bin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CalibSteps {
    /// Leave out dead and hot pixels.
    pub mask: bool,
    /// Undo the detector's non-linearity (off in the official notebook).
    pub linearity: bool,
    /// Subtract the dark current.
    pub dark: bool,
    /// Divide by the flat field.
    pub flat: bool,
    /// Replace bins of a pixel that stand out of their neighbours by 20 standard deviations.
    pub cosmic_rays: bool,
    /// Subtract what pixels without the star see, from light curves.
    pub background: bool,
    /// Sum only the pixels that the star falls on, in light curves.
    pub aperture: bool,
}

impl CalibSteps {
    /// What the official notebook does, and its linearity, which that leaves out.
    pub const OFFICIAL: Self = Self {
        mask: true,
        linearity: true,
        dark: true,
        flat: true,
        cosmic_rays: false,
        background: false,
        aperture: false,
    };
}

/// What becomes of a visit with files that are missing or broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BrokenVisit {
    /// The calibration ends with an error.
    Refuse,
    /// It is told of and left out, and the calibrated file says which.
    LeaveOut,
}

/// The `calib` config group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CalibConfig {
    /// Folder of the calibrated files.
    pub out: PathBuf,
    /// What is written.
    pub output: CalibOutput,
    /// AIRS-CH0 pairs of reads per time bin.
    #[schemars(range(min = 1, max = 131_072))]
    pub airs_bin: usize,
    /// FGS1 pairs of reads per time bin.
    #[schemars(range(min = 1, max = 131_072))]
    pub fgs1_bin: usize,
    /// What becomes of a visit with files that are missing or broken.
    pub broken: BrokenVisit,
    /// Which steps are taken.
    pub steps: CalibSteps,
}

/// Pairs of reads in a time bin: as many as FGS1 has in the longest visit.
const MAX_BIN: usize = Instrument::Fgs1.most_reads() / 2;

impl CalibConfig {
    /// Refuses numbers that nothing can be calibrated with.
    ///
    /// # Errors
    /// The first such setting.
    pub fn check(&self) -> Result<(), UnsupportedSetting> {
        within("calib.airs_bin", 1..=MAX_BIN, self.airs_bin)?;
        within("calib.fgs1_bin", 1..=MAX_BIN, self.fgs1_bin)
    }
}

/// What a calibrated file says about how it was made; equal settings and equal inputs give equal bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CalibSettings {
    /// Version of this calibration: raised when its results change.
    pub version: u32,
    /// Cube or light curves.
    pub output: CalibOutput,
    /// AIRS-CH0 pairs of reads per time bin.
    pub airs_bin: usize,
    /// FGS1 pairs of reads per time bin.
    pub fgs1_bin: usize,
    /// Which steps were taken.
    pub steps: CalibSteps,
    /// The split.
    pub split: Split,
    /// Digest of the tables and of every file of the split's visits.
    pub inputs: Blake3Digest,
    /// The visits that could not be calibrated, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<Visit>,
}

impl CalibSettings {
    const VERSION: u32 = 2;

    /// What light curves say that were never frames, but made by a simulation with this record: the steps are those of the
    /// default calibration.
    pub fn of_simulation(split: Split, airs_bin: usize, fgs1_bin: usize, record: &str) -> Self {
        let mut hasher = DomainHasher::new("spectramind/ariel/simulated-light-curves/v1");
        hasher.field(record.as_bytes());
        Self {
            version: Self::VERSION,
            output: CalibOutput::LightCurve,
            airs_bin,
            fgs1_bin,
            steps: CalibSteps { background: true, aperture: true, ..CalibSteps::OFFICIAL },
            split,
            inputs: hasher.finish(),
            left_out: Vec::new(),
        }
    }

    /// Whether a file with these settings is what `config` makes where `expected` is [what it says](Self::of).
    pub fn are(&self, expected: &Self, config: &CalibConfig) -> bool {
        let without = Self { left_out: Vec::new(), ..self.clone() };
        without == *expected && (self.left_out.is_empty() || config.broken == BrokenVisit::LeaveOut)
    }

    /// What files that `config` makes from this split of `data` say, where no visit is broken.
    ///
    /// # Errors
    /// When the data set cannot be listed.
    pub fn of(data: &DataSet, split: Split, config: &CalibConfig) -> Result<Self, CalibrationError> {
        let CalibConfig { out: _, output, airs_bin, fgs1_bin, broken, steps } = *config;
        let inputs = output::digest_inputs(data, split, broken)?;
        Ok(Self { version: Self::VERSION, output, airs_bin, fgs1_bin, steps, split, inputs, left_out: Vec::new() })
    }
}
