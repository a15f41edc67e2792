//! Whether the monitored metric is still improving, and which checkpoints are worth keeping.

use super::settings::{EarlyStopping, MonitorMode};
use super::snapshot::{KeptCheckpoint, Progress};
use super::step_log::f64_bits;
use super::task::Metric;

/// Reads a value back from its bits.
fn value(bits: &Option<String>) -> Option<f64> {
    bits.as_ref().and_then(|bits| u64::from_str_radix(bits, 16).ok()).map(f64::from_bits)
}

fn better(mode: MonitorMode, new: f64, old: f64) -> bool {
    match mode {
        MonitorMode::Max => new > old,
        MonitorMode::Min => new < old,
    }
}

/// The monitored metric is not among the figures of a validation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("trainer.early_stopping.monitor={monitor}: expected one of the validation's metrics ({got})")]
pub struct UnknownMonitor {
    /// What was to be monitored.
    pub monitor: String,
    /// The metrics there are.
    pub got: String,
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
    let Some(metric) = metrics.iter().find(|metric| metric.name == settings.monitor) else {
        let names: Vec<_> = metrics.iter().map(|metric| metric.name.as_str()).collect();
        return Err(UnknownMonitor { monitor: settings.monitor.clone(), got: names.join(", ") });
    };
    progress.monitored_bits = Some(f64_bits(metric.value));
    let improved = value(&progress.best_bits).is_none_or(|best| better(settings.mode, metric.value, best));
    if improved {
        progress.best_bits = Some(f64_bits(metric.value));
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

/// Adds a checkpoint to those kept and drops what is beyond the best `top_k`; the new one always stays. Returns the
/// best one's file, if `top_k` keeps any.
pub fn keep(progress: &mut Progress, settings: Option<&EarlyStopping>, file: &str, top_k: u32) -> Option<String> {
    progress.kept.retain(|kept| kept.file != file);
    progress.kept.push(KeptCheckpoint { file: file.to_owned(), monitored_bits: progress.monitored_bits.clone() });
    // Best first; without a metric the newest counts as best. The sort is stable over "newest first".
    let mut ranking: Vec<&KeptCheckpoint> = progress.kept.iter().rev().collect();
    if let Some(settings) = settings {
        ranking.sort_by(|a, b| match (value(&a.monitored_bits), value(&b.monitored_bits)) {
            (Some(a), Some(b)) if better(settings.mode, a, b) => std::cmp::Ordering::Less,
            (Some(a), Some(b)) if better(settings.mode, b, a) => std::cmp::Ordering::Greater,
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            _ => std::cmp::Ordering::Equal,
        });
    }
    // With none to keep, nobody remembers how good the earlier ones were.
    let best = ranking.first().filter(|_| top_k > 0).map(|kept| kept.file.clone());
    let staying: Vec<String> = ranking.iter().take(top_k as usize).map(|kept| kept.file.clone()).collect();
    progress.kept.retain(|kept| kept.file == file || staying.contains(&kept.file));
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::repro::Arithmetic;

    fn settings(mode: MonitorMode) -> EarlyStopping {
        EarlyStopping { monitor: "val/score".into(), mode, patience: 2 }
    }

    fn score(value: f64) -> Vec<Metric> {
        vec![Metric { name: "val/score".into(), value }]
    }

    #[test]
    fn patience_runs_out_after_that_many_validations_without_improvement() {
        let settings = settings(MonitorMode::Max);
        let mut progress = Progress::start(1, Arithmetic::PORTABLE, String::new());
        let stops: Vec<_> = [0.1, 0.3, 0.3, 0.4, 0.2, 0.1]
            .map(|v| observe(&mut progress, Some(&settings), &score(v)).expect("metric is there"))
            .to_vec();
        assert_eq!(stops, [false, false, false, false, false, true]);
        assert!(observe(&mut progress, Some(&settings), &[]).is_err());
    }

    #[test]
    fn the_best_checkpoints_and_the_newest_are_kept() {
        let settings = settings(MonitorMode::Min);
        let mut progress = Progress::start(1, Arithmetic::PORTABLE, String::new());
        let mut best = None;
        for (file, value) in [("a", 3.0), ("b", 1.0), ("c", 2.0), ("d", 9.0)] {
            observe(&mut progress, Some(&settings), &score(value)).expect("metric is there");
            best = keep(&mut progress, Some(&settings), file, 2);
        }
        let files: Vec<_> = progress.kept.iter().map(|kept| kept.file.as_str()).collect();
        assert_eq!((files, best.as_deref()), (vec!["b", "c", "d"], Some("b")));
    }
}
