//! What the `trainer`, `optimizer`, `schedule`, `logger` and `audit` config groups and the key `ema` hold.
//!
//! Every field is required: a value the program uses stands in a YAML file, where a reader can find it. A nullable
//! field must be there as `null`.

mod checkpoint;
mod dataloader;
mod device;
mod early_stopping;
mod ema;
mod named;
mod optimizer;
mod record;
mod schedule;
mod trainer;

use std::fmt;
use std::ops::RangeInclusive;

use serde::{Deserialize, Deserializer};

pub use self::checkpoint::CheckpointSettings;
pub use self::dataloader::DataloaderSettings;
pub use self::device::{Accelerator, Accelerators, AutoWord, Devices};
pub use self::early_stopping::{EarlyStopping, MonitorMode};
pub use self::ema::EmaSettings;
pub use self::optimizer::{
    AdamSettings, LionSettings, LookaheadSettings, OptimizerSettings, ParameterGroup, Rule, SgdSettings,
};
pub use self::record::{AuditSettings, LoggerSettings};
pub use self::schedule::{Decay, ScheduleSettings};
pub use self::trainer::{SupportedTrainer, TrainerSettings};
use crate::failure::{Advice, FailureKind};

pub use super::batches::{BatchLimit, ValInterval};
pub use super::repro::{Numerics, Precision};
pub use crate::wall_time::WallTime;

/// Deserialises an `Option` whose key has to be there.
///
/// Serde reads a missing `Option` field as `None`; asked for this way, the key has to be there.
pub fn required<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    Option::deserialize(deserializer)
}

/// What a profile asks for and this version does not do, or settings that contradict each other.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnsupportedSetting {
    /// A number that no version can work with, or that is beyond any use.
    #[error("{key}: expected a number from {smallest} to {largest}, got {got}")]
    OutOfRange {
        /// Dotted key.
        key: &'static str,
        /// The smallest number that would do.
        smallest: String,
        /// The largest.
        largest: String,
        /// What was asked for.
        got: String,
    },
    /// Workers that the micro-shards of a batch cannot be divided among.
    #[error(
        "trainer.devices × trainer.num_nodes: expected {} worker{} for trainer.micro_shards={micro_shards}, got {got}",
        listed(allowed),
        if allowed.len() == 1 { "" } else { "s" }
    )]
    Workers {
        /// How many would do.
        allowed: Vec<u32>,
        /// The shards of a batch.
        micro_shards: u32,
        /// How many were asked for.
        got: u64,
    },
    /// A value no version can work with.
    #[error("{key}: expected {expected}, got {got}")]
    Invalid {
        /// Dotted key.
        key: &'static str,
        /// What would do.
        expected: &'static str,
        /// What was asked for.
        got: String,
    },
}

/// Numbers to choose from, in words.
fn listed(numbers: &[u32]) -> String {
    let mut words: Vec<_> = numbers.iter().map(u32::to_string).collect();
    let last = words.pop().unwrap_or_default();
    if words.is_empty() { last } else { format!("{} or {last}", words.join(", ")) }
}

/// Refuses a number outside of a range, and what is no number.
pub(crate) fn within<N: PartialOrd + fmt::Display>(
    key: &'static str,
    range: RangeInclusive<N>,
    got: N,
) -> Result<(), UnsupportedSetting> {
    match range.contains(&got) {
        true => Ok(()),
        false => {
            let (smallest, largest) = (range.start().to_string(), range.end().to_string());
            Err(UnsupportedSetting::OutOfRange { key, smallest, largest, got: got.to_string() })
        }
    }
}

impl Advice for UnsupportedSetting {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Invalid { key, expected, .. } => format!("set {key} to {expected}"),
            Self::OutOfRange { key, smallest, largest, .. } => {
                format!("set {key} to a number from {smallest} to {largest}")
            }
            Self::Workers { allowed, .. } if allowed.len() > 1 => {
                format!("set trainer.devices so that devices times nodes is {}", listed(allowed))
            }
            Self::Workers { .. } => {
                "several workers need a power of two of micro-shards, e.g. trainer.micro_shards=16, which changes the bits"
                    .into()
            }
        })
    }

    fn kind(&self) -> FailureKind {
        FailureKind::Usage
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_number_is_in_no_range() {
        for got in [f64::NAN, f64::INFINITY, -0.1, 1.1] {
            assert!(matches!(within("key", 0.0..=1.0, got), Err(UnsupportedSetting::OutOfRange { .. })), "{got}");
        }
        assert_eq!(within("key", 0.0..=1.0, 1.0), Ok(()));
    }

    #[test]
    fn precision_is_a_number_or_a_name() {
        let read = |text: &str| serde_json::from_str::<Precision>(text).ok();
        assert_eq!(read("32"), Some(Precision::Full));
        assert_eq!(read("\"16-mixed\""), Some(Precision::MixedF16));
        assert_eq!(read("64"), None);
    }
}
