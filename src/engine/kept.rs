//! Which checkpoints are kept, and which of them is called best.
//!
//! A checkpoint carries the monitored metric of a validation of its own state, or none. Judged ones are ranked by it, and
//! the earlier of two equals comes first; those that were not validated, or whose metric is not a number, come after all of
//! them, the newest first. The first `save_top_k` stay, and the newest besides. Best is the first of the judged ones.

use super::early_stop::{better, number};
use super::monitor::{Monitor, MonitorError, MonitorKeys, UnknownMonitor};
use super::settings::{CheckpointSettings, MonitorMode};
use super::snapshot::{KeptCheckpoint, Progress};
use super::step_log::f64_bits;
use super::task::{DeclaredMetric, Metric};

/// The keys of what checkpoints are ranked by.
pub const KEYS: MonitorKeys = MonitorKeys { monitor: "trainer.checkpoint.monitor", mode: "trainer.checkpoint.mode" };

/// How the checkpoints of a run are judged.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranking {
    monitor: Option<Monitor>,
    /// Beside the newest; `None` is all.
    kept_at_most: Option<usize>,
}

impl Ranking {
    /// The ranking that the settings ask for, of a task that declares these metrics. A run that names no monitor has what
    /// early stopping watches, and without that what the task names.
    ///
    /// # Errors
    /// When it cannot be monitored.
    pub fn new(
        settings: &CheckpointSettings,
        stopping: Option<&Monitor>,
        task: Option<&str>,
        declared: Option<&[DeclaredMetric]>,
    ) -> Result<Self, MonitorError> {
        let of = |metric: &str| Monitor::new(KEYS, metric, settings.mode, declared);
        let monitor = match (settings.monitor.as_deref(), stopping, task) {
            (Some(metric), ..) => Some(of(metric)?),
            (None, Some(stopping), _) => Some(stopping.clone()),
            (None, None, Some(metric)) => Some(of(metric)?),
            (None, None, None) => None,
        };
        let kept_at_most = settings.kept_at_most();
        // With none to keep, nobody remembers how good the earlier ones were.
        let monitor = monitor.filter(|_| kept_at_most != Some(0));
        Ok(Self { monitor, kept_at_most })
    }

    /// The metric that is looked at.
    pub fn monitor(&self) -> Option<&Monitor> {
        self.monitor.as_ref()
    }

    /// Takes note of the validation of the state, or that there was none: what a checkpoint of it will carry.
    ///
    /// # Errors
    /// When the monitored metric is not there.
    pub fn note(&self, progress: &mut Progress, metrics: Option<&[Metric]>) -> Result<(), UnknownMonitor> {
        progress.monitored_bits = match (&self.monitor, metrics) {
            (Some(monitor), Some(metrics)) => Some(f64_bits(monitor.figure(KEYS, metrics)?)),
            _ => None,
        };
        Ok(())
    }

    /// Whether the state was judged better than every checkpoint that is kept: the best state is kept whatever the cadence.
    pub fn is_improved(&self, progress: &Progress) -> bool {
        let Some(new) = number(progress.monitored_bits.as_ref()) else { return false };
        let mut judged = progress.kept.iter().filter_map(|kept| number(kept.monitored_bits.as_ref()));
        judged.all(|old| better(self.mode(), new, old))
    }

    /// Adds a checkpoint of the state to those kept, and drops those that do not stay.
    pub fn keep(&self, progress: &mut Progress, file: &str) {
        progress.kept.retain(|kept| kept.file != file);
        progress.kept.push(KeptCheckpoint { file: file.to_owned(), monitored_bits: progress.monitored_bits.clone() });
        let staying: Vec<String> = self
            .ranked(&progress.kept)
            .take(self.kept_at_most.unwrap_or(usize::MAX))
            .map(|kept| kept.file.clone())
            .collect();
        progress.kept.retain(|kept| kept.file == file || staying.contains(&kept.file));
    }

    /// The best of the checkpoints that are kept; none if none was judged.
    pub fn best<'a>(&self, kept: &'a [KeptCheckpoint]) -> Option<&'a str> {
        self.monitor.as_ref()?;
        let best = self.ranked(kept).next().filter(|best| number(best.monitored_bits.as_ref()).is_some());
        best.map(|best| best.file.as_str())
    }

    fn mode(&self) -> MonitorMode {
        self.monitor.as_ref().map_or(MonitorMode::Max, |monitor| monitor.mode)
    }

    /// Best first; `kept` is oldest first.
    fn ranked<'a>(&self, kept: &'a [KeptCheckpoint]) -> impl Iterator<Item = &'a KeptCheckpoint> + use<'a> {
        let mut judged: Vec<(f64, &KeptCheckpoint)> =
            kept.iter().filter_map(|kept| Some((number(kept.monitored_bits.as_ref())?, kept))).collect();
        // Stable, so that the earlier of two equals stays first.
        judged.sort_by(|(a, _), (b, _)| match self.mode() {
            MonitorMode::Max => b.partial_cmp(a).expect("no NaN was judged"),
            MonitorMode::Min => a.partial_cmp(b).expect("no NaN was judged"),
        });
        let unjudged = kept.iter().rev().filter(|kept| number(kept.monitored_bits.as_ref()).is_none());
        judged.into_iter().map(|(_, kept)| kept).chain(unjudged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::repro::Arithmetic;

    fn ranking(save_top_k: i32) -> Ranking {
        let monitor = Some("val/x".to_owned());
        let mode = Some(MonitorMode::Min);
        let settings = CheckpointSettings { save_top_k, monitor, mode, ..CheckpointSettings::default() };
        Ranking::new(&settings, None, None, None).expect("a monitor")
    }

    /// What is kept and called best of checkpoints with these figures.
    fn kept(ranking: &Ranking, checkpoints: &[(&str, Option<f64>)]) -> (String, Option<String>) {
        let mut progress = Progress::start(1, Arithmetic::PORTABLE, String::new());
        for (file, value) in checkpoints {
            let metrics = value.map(|value| vec![Metric { name: "val/x".into(), value }]);
            ranking.note(&mut progress, metrics.as_deref()).expect("metric is there");
            ranking.keep(&mut progress, file);
        }
        let files: Vec<_> = progress.kept.iter().map(|kept| kept.file.as_str()).collect();
        (files.join(" "), ranking.best(&progress.kept).map(str::to_owned))
    }

    #[test]
    fn the_best_checkpoints_and_the_newest_are_kept() {
        let checkpoints = [("a", Some(3.0)), ("b", Some(1.0)), ("c", Some(2.0)), ("d", Some(9.0))];
        assert_eq!(kept(&ranking(2), &checkpoints), ("b c d".into(), Some("b".into())));
        assert_eq!(kept(&ranking(-1), &checkpoints), ("a b c d".into(), Some("b".into())));
        assert_eq!(kept(&ranking(0), &checkpoints), ("d".into(), None));
    }

    #[test]
    fn equals_are_ranked_by_age_and_what_was_not_judged_comes_last() {
        let checkpoints = [("a", None), ("b", Some(1.0)), ("c", Some(f64::NAN)), ("d", Some(1.0)), ("e", None)];
        assert_eq!(kept(&ranking(1), &checkpoints), ("b e".into(), Some("b".into())));
        assert_eq!(kept(&ranking(3), &checkpoints), ("b d e".into(), Some("b".into())));
        assert_eq!(kept(&ranking(4), &checkpoints), ("b c d e".into(), Some("b".into())));
        assert_eq!(kept(&ranking(2), &[("a", None), ("b", None), ("c", None)]), ("b c".into(), None));
    }

    #[test]
    fn without_a_monitor_of_its_own_a_run_is_ranked_by_early_stopping_or_the_task() {
        let settings = CheckpointSettings::default();
        let declared = [DeclaredMetric::max("task")];
        let stopping = Monitor { metric: "val/stop".into(), mode: MonitorMode::Min };
        let of = |settings: &CheckpointSettings, stopping, task| {
            Ranking::new(settings, stopping, task, Some(&declared)).expect("a monitor").monitor
        };
        assert_eq!(of(&settings, Some(&stopping), Some("val/task")), Some(stopping.clone()));
        let task = Monitor { metric: "val/task".into(), mode: MonitorMode::Max };
        assert_eq!(of(&settings, None, Some("val/task")), Some(task));
        assert_eq!(of(&settings, None, None), None);
        let none = CheckpointSettings { save_top_k: 0, ..settings.clone() };
        assert_eq!(of(&none, None, Some("val/task")), None);
        let contradictory = CheckpointSettings { mode: Some(MonitorMode::Min), ..settings };
        let error = Ranking::new(&contradictory, None, Some("val/task"), Some(&declared)).expect_err("a contradiction");
        assert!(error.to_string().starts_with("trainer.checkpoint.mode: expected max"), "{error}");
    }
}
