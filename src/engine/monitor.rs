//! A figure that decides which of two states is better.

use super::settings::MonitorMode;
use super::task::{DeclaredMetric, Metric, Split};
use crate::failure::{Advice, FailureKind};

/// What is watched, and which direction of it is better.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Monitor {
    /// Its name with the split before it, e.g. `val/score`.
    pub metric: String,
    /// Which direction is better.
    pub mode: MonitorMode,
}

/// The keys of a setting that names a monitor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MonitorKeys {
    /// The key of the metric's name.
    pub monitor: &'static str,
    /// The key of its direction.
    pub mode: &'static str,
}

/// The monitored metric is not among the figures of a validation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}={monitor}: expected one of the validation's metrics ({got})")]
pub struct UnknownMonitor {
    /// The key that names it.
    pub key: &'static str,
    /// What was to be monitored.
    pub monitor: String,
    /// The metrics there are.
    pub got: String,
}

/// The settings and the task do not agree on which direction of a metric is better, or neither says it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}: expected {expected} for {monitor}, got {}", got.map_or("null", MonitorMode::name))]
pub struct UnknownDirection {
    /// The key of the direction.
    pub key: &'static str,
    /// What is to be monitored.
    pub monitor: String,
    /// What would do.
    pub expected: &'static str,
    /// What the settings say.
    pub got: Option<MonitorMode>,
}

/// A monitor that no run can have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MonitorError {
    /// The task does not declare it.
    #[error("{0}")]
    Unknown(#[from] UnknownMonitor),
    /// Which direction is better is contradictory or open.
    #[error("{0}")]
    Direction(#[from] UnknownDirection),
}

impl Monitor {
    /// A metric with the direction that the task declares. Where the task declares no metrics, any may be there, and the
    /// settings have to say the direction.
    ///
    /// # Errors
    /// When it is none of those declared, or the direction is contradictory or open.
    pub fn new(
        keys: MonitorKeys,
        metric: &str,
        mode: Option<MonitorMode>,
        declared: Option<&[DeclaredMetric]>,
    ) -> Result<Self, MonitorError> {
        let declared_mode = match declared {
            Some(declared) => Some(find(keys, metric, declared)?),
            None => None,
        };
        let refuse = |expected| {
            let monitor = metric.to_owned();
            Err(MonitorError::Direction(UnknownDirection { key: keys.mode, monitor, expected, got: mode }))
        };
        match (declared_mode, mode) {
            (Some(MonitorMode::Max), Some(MonitorMode::Min)) => refuse("max, as the task declares it, or null"),
            (Some(MonitorMode::Min), Some(MonitorMode::Max)) => refuse("min, as the task declares it, or null"),
            (None, None) => refuse("max or min, as the task does not declare its metrics"),
            (Some(mode), _) | (None, Some(mode)) => Ok(Self { metric: metric.to_owned(), mode }),
        }
    }

    /// The figure that is watched.
    ///
    /// # Errors
    /// When it is not there.
    pub(super) fn figure(&self, keys: MonitorKeys, metrics: &[Metric]) -> Result<f64, UnknownMonitor> {
        match metrics.iter().find(|metric| metric.name == self.metric) {
            Some(metric) => Ok(metric.value),
            None => {
                let names: Vec<_> = metrics.iter().map(|metric| metric.name.as_str()).collect();
                Err(UnknownMonitor { key: keys.monitor, monitor: self.metric.clone(), got: names.join(", ") })
            }
        }
    }
}

/// The direction of a metric of a validation.
fn find(keys: MonitorKeys, monitor: &str, declared: &[DeclaredMetric]) -> Result<MonitorMode, UnknownMonitor> {
    let named = |metric: &DeclaredMetric| Split::Val.metric(&metric.name);
    match declared.iter().find(|metric| named(metric) == monitor) {
        Some(metric) => Ok(metric.mode),
        None => {
            let names: Vec<_> = declared.iter().map(named).collect();
            Err(UnknownMonitor { key: keys.monitor, monitor: monitor.to_owned(), got: names.join(", ") })
        }
    }
}

impl Advice for UnknownMonitor {
    fn hint(&self) -> Option<String> {
        Some(format!("set {} to one of those", self.key))
    }

    fn kind(&self) -> FailureKind {
        FailureKind::Usage
    }
}

impl Advice for UnknownDirection {
    fn hint(&self) -> Option<String> {
        Some(format!("set {} to that", self.key))
    }

    fn kind(&self) -> FailureKind {
        FailureKind::Usage
    }
}

impl Advice for MonitorError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Unknown(error) => error.hint(),
            Self::Direction(error) => error.hint(),
        }
    }

    fn kind(&self) -> FailureKind {
        match self {
            Self::Unknown(error) => error.kind(),
            Self::Direction(error) => error.kind(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: MonitorKeys = MonitorKeys { monitor: "x.monitor", mode: "x.mode" };

    #[test]
    fn the_direction_is_the_declared_one_and_no_other() {
        let declared = [DeclaredMetric::max("score"), DeclaredMetric::min("loss")];
        let of = |metric: &str, mode, declared| {
            Monitor::new(KEYS, metric, mode, declared).map(|monitor| monitor.mode).map_err(|error| error.to_string())
        };
        let (max, min) = (Some(MonitorMode::Max), Some(MonitorMode::Min));
        assert_eq!(of("val/score", None, Some(&declared)), Ok(MonitorMode::Max));
        assert_eq!(of("val/loss", None, Some(&declared)), Ok(MonitorMode::Min));
        assert_eq!(of("val/loss", min, Some(&declared)), Ok(MonitorMode::Min));
        assert_eq!(of("val/loss", min, None), Ok(MonitorMode::Min));
        let error = of("val/loss", max, Some(&declared)).expect_err("a contradiction");
        assert_eq!(error, "x.mode: expected min, as the task declares it, or null for val/loss, got max");
        assert!(
            of("val/score", min, Some(&declared)).expect_err("a contradiction").starts_with("x.mode: expected max")
        );
        assert!(of("val/loss", None, None).expect_err("nobody says it").starts_with("x.mode: expected max or min"));
        for wrong in ["score", "test/score", "val/scor"] {
            let error = of(wrong, max, Some(&declared)).expect_err("no such metric");
            assert_eq!(
                error,
                format!("x.monitor={wrong}: expected one of the validation's metrics (val/score, val/loss)")
            );
        }
    }
}
