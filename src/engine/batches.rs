//! Numbers of batches and steps that may be given as a share, as Lightning has them.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize};

use super::settings::UnsupportedSetting;

/// How many batches of an epoch, a validation or a test: so many, or this share of them. As in Lightning, `1` is one batch
/// and `1.0` all of them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(untagged)]
pub enum BatchLimit {
    /// This many, at least 1.
    Batches(u32),
    /// This share, above 0 and at most 1, rounded down to whole batches.
    Share(f64),
}

const EXPECTED_LIMIT: &str =
    "a number of batches from 1 to 4294967295, a share of them above 0.0 and at most 1.0, or null";

impl BatchLimit {
    /// How many of `batches` are used: none where the share is less than one of them.
    pub fn of(self, batches: usize) -> usize {
        match self {
            Self::Batches(limit) => batches.min(limit as usize),
            Self::Share(share) => ((batches as f64 * share) as usize).min(batches),
        }
    }

    pub(super) fn check(self, key: &'static str) -> Result<(), UnsupportedSetting> {
        match self {
            Self::Batches(1..) => Ok(()),
            Self::Share(share) if share > 0.0 && share <= 1.0 => Ok(()),
            Self::Batches(_) => Err(UnsupportedSetting::Invalid { key, expected: EXPECTED_LIMIT, got: "0".into() }),
            Self::Share(share) => {
                Err(UnsupportedSetting::Invalid { key, expected: EXPECTED_LIMIT, got: format!("{share:?}") })
            }
        }
    }
}

impl<'de> Deserialize<'de> for BatchLimit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match CountOrShare::deserialize(deserializer, EXPECTED_LIMIT)? {
            CountOrShare::Count(batches) => Ok(Self::Batches(batches)),
            CountOrShare::Share(share) => Ok(Self::Share(share)),
        }
    }
}

impl JsonSchema for BatchLimit {
    fn schema_name() -> Cow<'static, str> {
        "BatchLimit".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A number of batches from 1, or a share of them above 0.0 and at most 1.0: 1 is one batch, 1.0 is all.",
            "anyOf": [
                { "type": "integer", "minimum": 1, "maximum": u32::MAX },
                { "type": "number", "exclusiveMinimum": 0, "maximum": 1 }
            ]
        })
    }
}

/// When an epoch is validated: after every so many of its optimizer steps, or after this share of them. As in Lightning,
/// `1` is every step and `1.0` the end of the epoch; steps are counted within the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(untagged)]
pub enum ValInterval {
    /// Every so many steps, at least 1.
    Steps(u32),
    /// Every such share of an epoch, above 0 and at most 1, rounded down to whole steps but at least one.
    Share(f64),
}

const EXPECTED_INTERVAL: &str =
    "a number of steps from 1 to 4294967295, or a share of an epoch above 0.0 and at most 1.0";

impl ValInterval {
    /// Every how many of an epoch's `steps` it is validated.
    pub fn of(self, steps: u64) -> u64 {
        match self {
            Self::Steps(every) => every.into(),
            Self::Share(share) => ((steps as f64 * share) as u64).max(1),
        }
    }

    pub(super) fn check(self, key: &'static str) -> Result<(), UnsupportedSetting> {
        let got = match self {
            Self::Steps(1..) => return Ok(()),
            Self::Share(share) if share > 0.0 && share <= 1.0 => return Ok(()),
            Self::Steps(steps) => steps.to_string(),
            Self::Share(share) => format!("{share:?}"),
        };
        Err(UnsupportedSetting::Invalid { key, expected: EXPECTED_INTERVAL, got })
    }
}

impl<'de> Deserialize<'de> for ValInterval {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match CountOrShare::deserialize(deserializer, EXPECTED_INTERVAL)? {
            CountOrShare::Count(steps) => Ok(Self::Steps(steps)),
            CountOrShare::Share(share) => Ok(Self::Share(share)),
        }
    }
}

impl JsonSchema for ValInterval {
    fn schema_name() -> Cow<'static, str> {
        "ValInterval".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A number of optimizer steps from 1, or a share of an epoch above 0.0 and at most 1.0: 1 is every step, 1.0 is the end of the epoch.",
            "anyOf": [
                { "type": "integer", "minimum": 1, "maximum": u32::MAX },
                { "type": "number", "exclusiveMinimum": 0, "maximum": 1 }
            ]
        })
    }
}

/// A whole number counts, a number with a point is a share: YAML's types tell them apart.
enum CountOrShare {
    Count(u32),
    Share(f64),
}

impl CountOrShare {
    fn deserialize<'de, D: Deserializer<'de>>(deserializer: D, expected: &'static str) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Whole(i64),
            Number(f64),
        }
        let refuse = |got: &dyn fmt::Display| serde::de::Error::custom(format!("expected {expected}, got {got}"));
        match Written::deserialize(deserializer) {
            Ok(Written::Whole(count)) => u32::try_from(count).map(Self::Count).map_err(|_| refuse(&count)),
            Ok(Written::Number(share)) => Ok(Self::Share(share)),
            Err(_) => Err(serde::de::Error::custom(format!("expected {expected}"))),
        }
    }
}
