//! The loggers of other tools that a config asks for.

use std::time::Duration;

use super::Surroundings;
use crate::config::Config;
use crate::engine::run_dir::RunDirectory;
use crate::engine::settings::LoggerSettings;
use crate::event_log::{EVENTS, EventLog};
use crate::logger::{About, Kind, Loggers, Warnings, flattened};
use crate::manifest::predicate::RunRecord;

/// Lets them hear of the run, whose log so far they begin with. Gives what goes wrong with them, now and later.
pub(super) fn attach(
    config: &Config,
    logger: LoggerSettings,
    run: &mut RunDirectory,
    record: &RunRecord,
    world: &Surroundings<'_>,
) -> Warnings {
    let warnings = Warnings::default();
    let asked = [(Kind::TensorBoard, logger.tensorboard), (Kind::Wandb, logger.wandb)];
    let kinds: Vec<Kind> = asked.into_iter().filter_map(|(kind, is_asked)| is_asked.then_some(kind)).collect();
    if kinds.is_empty() {
        return warnings;
    }
    let taken = Duration::try_from_secs_f64(run.elapsed_before_seconds()).unwrap_or_default() + (world.elapsed)();
    let about = About {
        run: record.id.clone(),
        experiment: record.experiment.clone(),
        began: (world.now)().0.checked_sub(taken).unwrap_or_default(),
        params: flattened(config.value()),
    };
    // A log that cannot be read keeps the run from being signed: nothing is to be said of it here.
    let text = std::fs::read_to_string(run.root().join(EVENTS)).unwrap_or_default();
    let so_far = EventLog::read(&text).map(|log| log.lines).unwrap_or_default();
    run.attach(Loggers::begin(run.root(), &kinds, &about, &so_far, warnings.clone()));
    warnings
}
