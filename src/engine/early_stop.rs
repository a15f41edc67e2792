//! Whether the monitored metric is still improving.

use super::settings::{EarlyStopping, MonitorMode};
use super::snapshot::Progress;
use super::step_log::f64_bits;
use super::task::Metric;

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

/// The key that names what early stopping watches.
pub const KEY: &str = "trainer.early_stopping.monitor";

/// The figure of a name.
///
/// # Errors
/// When it is not there.
pub(super) fn figure(key: &'static str, monitor: &str, metrics: &[Metric]) -> Result<f64, UnknownMonitor> {
    match metrics.iter().find(|metric| metric.name == monitor) {
        Some(metric) => Ok(metric.value),
        None => {
            let names: Vec<_> = metrics.iter().map(|metric| metric.name.as_str()).collect();
            Err(UnknownMonitor { key, monitor: monitor.to_owned(), got: names.join(", ") })
        }
    }
}

/// Takes note of a validation; says whether patience has run out.
///
/// # Errors
/// When the monitored metric is not there.
pub fn observe(
    progress: &mut Progress,
    settings: Option<&EarlyStopping>,
    metrics: &[Metric],
) -> Result<bool, UnknownMonitor> {
    let Some(settings) = settings else { return Ok(false) };
    let value = figure(KEY, &settings.monitor, metrics)?;
    let improved = match number(progress.best_bits.as_ref()) {
        Some(best) => better(settings.mode, value, best),
        None => !value.is_nan(),
    };
    if improved {
        progress.best_bits = Some(f64_bits(value));
        progress.validations_without_improvement = 0;
    } else {
        progress.validations_without_improvement += 1;
    }
    Ok(patience_is_spent(progress, Some(settings)))
}

/// Whether the run has gone as long without improvement as it may: also after a restart from a checkpoint.
pub fn patience_is_spent(progress: &Progress, settings: Option<&EarlyStopping>) -> bool {
    settings.is_some_and(|settings| progress.validations_without_improvement >= settings.patience)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::repro::Arithmetic;

    fn stops(mode: MonitorMode, values: &[f64]) -> Vec<bool> {
        let settings = EarlyStopping { monitor: "val/score".into(), mode, patience: 2 };
        let mut progress = Progress::start(1, Arithmetic::PORTABLE, String::new());
        let score = |value| [Metric { name: "val/score".into(), value }];
        let observed = values
            .iter()
            .map(|&value| observe(&mut progress, Some(&settings), &score(value)).expect("metric is there"))
            .collect();
        assert!(observe(&mut progress, Some(&settings), &[]).is_err());
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
