//! Whether the monitored metric is still improving.

use super::monitor::{Monitor, MonitorError, MonitorKeys, UnknownMonitor};
use super::settings::{EarlyStopping, MonitorMode};
use super::snapshot::Progress;
use super::step_log::f64_bits;
use super::task::{DeclaredMetric, Metric};

/// Reads a value back from its bits; what is no number was never judged.
pub(super) fn number(bits: Option<&String>) -> Option<f64> {
    let bits = bits.and_then(|bits| u64::from_str_radix(bits, 16).ok());
    bits.map(f64::from_bits).filter(|value| !value.is_nan())
}

/// Whether one figure is strictly better than another; NaN is better than nothing and nothing is better than NaN.
pub(super) fn better(mode: MonitorMode, new: f64, old: f64) -> bool {
    match mode {
        MonitorMode::Max => new > old,
        MonitorMode::Min => new < old,
    }
}

/// The keys of what early stopping watches.
pub const KEYS: MonitorKeys =
    MonitorKeys { monitor: "trainer.early_stopping.monitor", mode: "trainer.early_stopping.mode" };

/// What is watched, and for how long it may not improve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stopping {
    /// What is watched.
    pub monitor: Monitor,
    /// Validations without improvement before the run stops.
    pub patience: u32,
}

impl Stopping {
    /// What the settings ask for, of a task that declares these metrics.
    ///
    /// # Errors
    /// When it cannot be monitored.
    pub fn new(settings: &EarlyStopping, declared: Option<&[DeclaredMetric]>) -> Result<Self, MonitorError> {
        let monitor = Monitor::new(KEYS, &settings.monitor, settings.mode, declared)?;
        Ok(Self { monitor, patience: settings.patience })
    }
}

/// Takes note of a validation; says whether patience has run out.
///
/// # Errors
/// When the monitored metric is not there.
pub fn observe(
    progress: &mut Progress,
    stopping: Option<&Stopping>,
    metrics: &[Metric],
) -> Result<bool, UnknownMonitor> {
    let Some(stopping) = stopping else { return Ok(false) };
    let value = stopping.monitor.figure(KEYS, metrics)?;
    let improved = match number(progress.best_bits.as_ref()) {
        Some(best) => better(stopping.monitor.mode, value, best),
        None => !value.is_nan(),
    };
    if improved {
        progress.best_bits = Some(f64_bits(value));
        progress.validations_without_improvement = 0;
    } else {
        progress.validations_without_improvement += 1;
    }
    Ok(patience_is_spent(progress, Some(stopping)))
}

/// Whether the run has gone as long without improvement as it may: also after a restart from a checkpoint.
pub fn patience_is_spent(progress: &Progress, stopping: Option<&Stopping>) -> bool {
    stopping.is_some_and(|stopping| progress.validations_without_improvement >= stopping.patience)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::repro::Arithmetic;

    fn stops(mode: MonitorMode, values: &[f64]) -> Vec<bool> {
        let settings = EarlyStopping { monitor: "val/score".into(), mode: Some(mode), patience: 2 };
        let stopping = Stopping::new(&settings, None).expect("a monitor");
        let mut progress = Progress::start(1, Arithmetic::PORTABLE, String::new());
        let score = |value| [Metric { name: "val/score".into(), value }];
        let observed = values
            .iter()
            .map(|&value| observe(&mut progress, Some(&stopping), &score(value)).expect("metric is there"))
            .collect();
        assert!(observe(&mut progress, Some(&stopping), &[]).is_err());
        observed
    }

    #[test]
    fn patience_runs_out_after_that_many_validations_without_improvement() {
        let values = [0.1, 0.3, 0.3, 0.4, 0.2, 0.1];
        assert_eq!(stops(MonitorMode::Max, &values), [false, false, false, false, false, true]);
    }

    #[test]
    fn nan_is_no_improvement_first_or_last() {
        for mode in [MonitorMode::Max, MonitorMode::Min] {
            assert_eq!(stops(mode, &[f64::NAN, f64::NAN]), [false, true]);
            assert_eq!(stops(mode, &[f64::NAN, 1.0, f64::NAN, f64::NAN]), [false, false, false, true]);
        }
    }
}
