//! Hydra's compatibility level, `version_base`: which older forms of a tree still mean something.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The level that an application declares. Between 1.2 and 1.3 nothing about composing differs.
///
/// Below 1.2, `_group_` and `_name_` in packages, `.yml` files, `optional: true` in an entry of a defaults list, entries
/// such as `hydra/launcher: x` without `override`, and `${defaults.0.group}` mean what they meant in Hydra 1.0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub enum VersionBase {
    /// `1.1`, the oldest that Hydra 1.3 has.
    #[serde(rename = "1.1")]
    V1_1,
    /// `1.2`
    #[serde(rename = "1.2")]
    V1_2,
    /// `1.3`
    #[default]
    #[serde(rename = "1.3")]
    V1_3,
}

/// A text that is no such level.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected 1.1, 1.2 or 1.3, got {got:?}")]
pub struct VersionBaseError {
    /// The text as given.
    pub got: String,
}

impl VersionBase {
    /// Whether the older forms are understood.
    pub(super) fn is_legacy(self) -> bool {
        self < Self::V1_2
    }

    /// Whether this is the level of this version of Hydra.
    pub fn is_current(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for VersionBase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V1_1 => "1.1",
            Self::V1_2 => "1.2",
            Self::V1_3 => "1.3",
        })
    }
}

impl FromStr for VersionBase {
    type Err = VersionBaseError;

    fn from_str(text: &str) -> Result<Self, VersionBaseError> {
        let known = [Self::V1_1, Self::V1_2, Self::V1_3].into_iter().find(|base| base.to_string() == text);
        known.ok_or_else(|| VersionBaseError { got: text.to_owned() })
    }
}
