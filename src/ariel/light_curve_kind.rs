//! Of what kind light curves are: a model predicts nothing right on another kind than it was trained on.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::calibration::{CalibConfig, CalibOutput, CalibSettings, CalibSteps};
use super::config::{DataLevel, PredictCalib};
use crate::failure::{Advice, FailureKind};

/// How light curves were made, as far as a model depends on it: on others it would predict something, but nothing right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LightCurveKind {
    /// Raw frames, or what they would give.
    pub level: DataLevel,
    /// Cubes or light curves.
    pub output: CalibOutput,
    /// AIRS-CH0 pairs of reads per time bin.
    pub airs_bin: usize,
    /// FGS1 pairs of reads per time bin.
    pub fgs1_bin: usize,
    /// Which steps were taken.
    pub steps: CalibSteps,
}

/// Light curves of another kind than a model was trained on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{checkpoint}: expected a model that was trained with {key}={expected}, got one that was trained with {got}", checkpoint = checkpoint.display())]
pub struct OtherLightCurves {
    /// The key that differs.
    pub key: &'static str,
    /// The light curves that are there, or the first checkpoint.
    pub expected: String,
    /// What the checkpoint was trained with.
    pub got: String,
    /// The checkpoint.
    pub checkpoint: PathBuf,
}

impl Advice for OtherLightCurves {
    fn hint(&self) -> Option<String> {
        Some("runs that are mixed, and the data that they predict, need light curves of one kind".into())
    }

    fn kind(&self) -> FailureKind {
        FailureKind::Usage
    }
}

impl LightCurveKind {
    /// That of light curves that were made with these settings.
    pub fn of(level: DataLevel, settings: &CalibSettings) -> Self {
        let CalibSettings { output, airs_bin, fgs1_bin, steps, .. } = *settings;
        Self { level, output, airs_bin, fgs1_bin, steps }
    }

    /// The calibration that makes such light curves of frames.
    pub fn calibration(&self, PredictCalib { out, broken }: &PredictCalib) -> CalibConfig {
        let Self { level: _, output, airs_bin, fgs1_bin, steps } = *self;
        CalibConfig { out: out.clone(), output, airs_bin, fgs1_bin, broken: *broken, steps }
    }

    /// Refuses a checkpoint of another kind.
    ///
    /// # Errors
    /// The first key that differs.
    pub fn expect(&self, other: &Self, checkpoint: &Path) -> Result<(), OtherLightCurves> {
        let keys = |kind: &Self| {
            let output = match kind.output {
                CalibOutput::Cube => "cube",
                CalibOutput::LightCurve => "light_curve",
            };
            [
                ("data.level", kind.level.name().to_owned()),
                ("calib.output", output.to_owned()),
                ("calib.airs_bin", kind.airs_bin.to_string()),
                ("calib.fgs1_bin", kind.fgs1_bin.to_string()),
                ("calib.steps.mask", kind.steps.mask.to_string()),
                ("calib.steps.linearity", kind.steps.linearity.to_string()),
                ("calib.steps.dark", kind.steps.dark.to_string()),
                ("calib.steps.flat", kind.steps.flat.to_string()),
                ("calib.steps.cosmic_rays", kind.steps.cosmic_rays.to_string()),
                ("calib.steps.background", kind.steps.background.to_string()),
                ("calib.steps.aperture", kind.steps.aperture.to_string()),
            ]
        };
        let mut pairs = keys(self).into_iter().zip(keys(other));
        match pairs.find(|(expected, got)| expected != got) {
            Some(((key, expected), (_, got))) => {
                Err(OtherLightCurves { key, expected, got, checkpoint: checkpoint.to_owned() })
            }
            None => Ok(()),
        }
    }
}
