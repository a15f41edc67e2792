//! Of what kind light curves are: a model predicts nothing right on another kind than it was trained on.

use serde::{Deserialize, Serialize};

use super::calibration::{CalibConfig, CalibOutput, CalibSettings, CalibSteps};
use super::config::DataLevel;
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
#[error("{key}={got}: expected {expected}, which the checkpoint was trained with")]
pub struct OtherLightCurves {
    /// The key that differs.
    pub key: &'static str,
    /// What the checkpoint was trained with.
    pub expected: String,
    /// What is composed now.
    pub got: String,
}

impl Advice for OtherLightCurves {
    fn hint(&self) -> Option<String> {
        let Self { key, expected, .. } = self;
        Some(format!("add {key}={expected}, and calib.out=DIR if the light curves there are of another kind"))
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

    /// What `config` makes of frames.
    pub fn of_frames(config: &CalibConfig) -> Self {
        let level = DataLevel::Raw;
        let CalibConfig { out: _, output, airs_bin, fgs1_bin, steps } = *config;
        Self { level, output, airs_bin, fgs1_bin, steps }
    }

    /// Refuses another kind.
    ///
    /// # Errors
    /// The first key that differs.
    pub fn expect(&self, other: &Self) -> Result<(), OtherLightCurves> {
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
            Some(((key, expected), (_, got))) => Err(OtherLightCurves { key, expected, got }),
            None => Ok(()),
        }
    }
}
