//! Which signed files are looked into, and by what.

use crate::event_log::{DEBUG_LOG, EVENTS, METRICS};
use crate::manifest::origin::ORIGIN;
use crate::manifest::predicate::{CheckpointRecord, TrainingRun};

use super::STEP_LEAVES;

/// What looks into a signed file, beyond hashing it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coverage {
    /// Recomputed, or compared with the record.
    Checked,
    /// A replay makes it again and compares.
    ByReplay,
    /// A replay compares the state that it holds, of one that is here.
    AuditPoint,
    /// Nothing: what it says is the trainer's own word.
    NotChecked,
    /// Nothing can: no run writes such a file.
    Unknown,
}

/// The resolved config of a command, in its run directory: what `{config}` stands for.
pub const COMMAND_CONFIG_YAML: &str = "config.yaml";
/// The same as JSON.
pub const COMMAND_CONFIG_JSON: &str = "config.json";
/// What a command printed.
pub const COMMAND_STDOUT: &str = "logs/stdout.txt";
/// What it printed to its standard error.
pub const COMMAND_STDERR: &str = "logs/stderr.txt";
/// How it ended.
pub const COMMAND_END: &str = "logs/end.json";

/// What looks into a signed file.
///
/// The record says what the step log, the checkpoints, the lists of data and the patch are called; the others have one
/// name in every run directory.
pub(super) fn coverage(name: &str, claim: &TrainingRun) -> Coverage {
    let lists = claim.data.iter().flat_map(|data| [Some(&data.list), data.dvc.as_ref().map(|dvc| &dvc.list)]);
    let mut checked = lists.flatten().chain(claim.training().map(|training| &training.steps.file));
    let patch = claim.git.as_ref().and_then(|git| git.patch.as_ref());
    match name {
        _ if checked.any(|checked| checked.as_str() == name) => Coverage::Checked,
        _ if patch.is_some_and(|patch| patch.as_str() == name) => Coverage::NotChecked,
        ORIGIN => Coverage::Checked,
        _ if claim.command().is_some() => of_command(name, claim),
        STEP_LEAVES | METRICS => Coverage::Checked,
        // Compared with the log of events, whose times are the trainer's own word.
        DEBUG_LOG if claim.training().is_some_and(|training| training.events.is_some()) => Coverage::Checked,
        EVENTS | DEBUG_LOG => Coverage::NotChecked,
        _ if claim.outputs.iter().any(|output| output.as_str() == name) => Coverage::ByReplay,
        _ if of_training(claim).any(|point| point.file.as_str() == name) => Coverage::AuditPoint,
        _ => match name.split_once('/') {
            Some(("checkpoints", file)) if !file.contains('/') => Coverage::ByReplay,
            Some(("logs", file)) if is_of_logger(file) => Coverage::NotChecked,
            Some((".hydra", "config.yaml" | "overrides.yaml")) => Coverage::Checked,
            // Of a folder that `hydra.output_subdir` names otherwise, it is not known here whether it is Hydra's.
            Some((_, "config.yaml" | "overrides.yaml" | "hydra.yaml")) => Coverage::NotChecked,
            _ => Coverage::Unknown,
        },
    }
}

/// Whether a file of `logs/` is one that a logger of another tool is fed with, by its name: nothing of it is read.
fn is_of_logger(file: &str) -> bool {
    match file.split('/').collect::<Vec<_>>()[..] {
        ["tensorboard", file] => file.starts_with("events.out.tfevents."),
        ["wandb", folder, file] => {
            folder.starts_with("offline-run-") && file.starts_with("run-") && file.ends_with(".wandb")
        }
        _ => false,
    }
}

/// The audit points of a training.
fn of_training(claim: &TrainingRun) -> impl Iterator<Item = &CheckpointRecord> {
    claim.training().into_iter().flat_map(|training| &training.audit_points)
}

/// What looks into a signed file of a command, whose files may have any names.
fn of_command(name: &str, claim: &TrainingRun) -> Coverage {
    match name {
        COMMAND_CONFIG_YAML | COMMAND_CONFIG_JSON | ".hydra/config.yaml" | ".hydra/overrides.yaml" => Coverage::Checked,
        _ if claim.outputs.iter().any(|output| output.as_str() == name) => Coverage::ByReplay,
        // What it printed, and files that its config does not declare.
        _ => Coverage::NotChecked,
    }
}
