//! Comparing what came out of a replay with what was signed.

use std::path::Path;

use super::stop::{Stop, not_checked};
use crate::digest::FileDigest;
use crate::engine::fit::{Exit, FitEnd};
use crate::engine::run_dir::FINAL_CHECKPOINT;
use crate::engine::snapshot::Snapshot;
use crate::engine::step_log::StepLeaf;
use crate::manifest::predicate::{ExitReason, TrainingRecord, TrainingRun};
use crate::provenance::path::RelativePath;
use crate::verify::VerifiedRun;

/// How a step differs from the signed one.
pub(super) fn compare_leaf(signed: Option<&StepLeaf>, leaf: &StepLeaf) -> Option<String> {
    let Some(signed) = signed else { return Some(format!("step {}: expected no such step, got one", leaf.step)) };
    let (field, expected, got) = signed.first_difference(leaf)?;
    Some(format!("step {}, {field}: expected {expected}, got {got}", leaf.step))
}

/// Compares what the run is claimed to have ended with: why, in which state, with which figures.
pub(super) fn compare_end(claim: &TrainingRun, training: &TrainingRecord, end: &FitEnd) -> Result<(), Stop> {
    let reached = match end.exit {
        Exit::Completed => &[ExitReason::Completed][..],
        Exit::EarlyStopped => &[ExitReason::EarlyStopped],
        // By whose will it ended there, no replay can tell: see the check `end`.
        Exit::StepLimit | Exit::MaxTime | Exit::WallLimit | Exit::Interrupted => {
            &[ExitReason::MaxTime, ExitReason::WallLimit, ExitReason::Interrupted]
        }
    };
    if !reached.contains(&claim.exit.reason) {
        let (expected, got) = (claim.exit.reason, end.exit);
        return Err(Stop::Failed(format!("exit after {} steps: expected {expected:?}, got {got:?}", end.steps)));
    }
    let last = training.checkpoints.iter().find(|checkpoint| checkpoint.step == end.steps);
    let Some(last) = last else { return Err(Stop::Failed("no checkpoint of the last step is claimed".into())) };
    if last.state_digest != end.state_digest {
        let (expected, got) = (last.state_digest, end.state_digest);
        return Err(Stop::Failed(format!("final state: expected digest {expected}, got {got}")));
    }
    let claimed = claim.metrics.iter().map(|m| (m.name.as_str(), m.value.get().to_bits(), m.samples.0));
    if !claimed.eq(end.metrics.iter().map(|m| (m.name.as_str(), m.value.to_bits(), end.test_samples))) {
        let got: Vec<_> = end.metrics.iter().map(|metric| format!("{} = {}", metric.name, metric.value)).collect();
        return Err(Stop::Failed(format!(
            "metrics: expected those of the record, got {} over {} samples",
            got.join(", "),
            end.test_samples
        )));
    }
    Ok(())
}

/// Compares a file of the replay with the signed one.
pub(super) fn compare_file(run: &VerifiedRun, again: &Path, name: &str) -> Result<(), Stop> {
    let subjects = &run.manifest().statement().subject;
    let Some(signed) = subjects.iter().find(|subject| subject.name.as_str() == name) else {
        return Err(Stop::Failed(format!("{name} is not among the signed files")));
    };
    if !again.join(name).is_file() {
        return Err(Stop::Failed(format!("{name}: signed, and training again writes no such file")));
    }
    let got = FileDigest::of_file(&again.join(name)).map_err(not_checked)?.sha256;
    if got == signed.digest.sha256 {
        return Ok(());
    }
    Err(Stop::Failed(format!("{name}: expected sha256 {}, got {got}", signed.digest.sha256)))
}

/// Compares the files that the workload wrote, of which there have to be as many, and every signed file that training
/// writes; returns how many there are.
pub(super) fn compare_outputs(run: &VerifiedRun, again: &Path, outputs: &[RelativePath]) -> Result<usize, Stop> {
    if run.claim().outputs != outputs {
        let named = |paths: &[RelativePath]| match paths {
            [] => "none".to_owned(),
            paths => paths.iter().map(|path| path.as_str()).collect::<Vec<_>>().join(", "),
        };
        let (expected, got) = (named(&run.claim().outputs), named(outputs));
        return Err(Stop::Failed(format!("files of the workload: expected {expected}, got {got}")));
    }
    compare_file(run, again, FINAL_CHECKPOINT)?;
    let names = run.replayed_files();
    names.iter().try_for_each(|name| compare_file(run, again, name))?;
    Ok(names.len())
}

/// Compares what the record says of each checkpoint with the one that was made again.
pub(super) fn compare_checkpoints(training: &TrainingRecord, again: &Path) -> Result<(), Stop> {
    for claimed in &training.checkpoints {
        let name = claimed.file.as_str();
        if !again.join(name).is_file() {
            return Err(Stop::Failed(format!("{name}: claimed, and training again writes no such checkpoint")));
        }
        let made = Snapshot::read(&again.join(name)).map_err(not_checked)?;
        let (step, digest) = (made.progress.position.step, made.state_digest());
        if (claimed.step, claimed.state_digest) != (step, digest) {
            return Err(Stop::Failed(format!(
                "{name}: expected step {} with state {}, got step {step} with state {digest}",
                claimed.step, claimed.state_digest
            )));
        }
    }
    Ok(())
}

/// The audit points of the record stand after the steps where the config puts them: how a run is cut is no choice of the trainer's.
pub(super) fn compare_audit_points(training: &TrainingRecord, made: &[u64]) -> Result<(), Stop> {
    let claimed = &training.audit_points;
    if !claimed.iter().map(|point| point.step).eq(made.iter().copied()) {
        let shown = |steps: Vec<u64>| match steps.len() {
            0 => "none".to_owned(),
            _ => steps.iter().map(u64::to_string).collect::<Vec<_>>().join(", "),
        };
        let (expected, got) = (shown(made.to_vec()), shown(claimed.iter().map(|point| point.step).collect()));
        return Err(Stop::Failed(format!(
            "audit points: expected them after steps {expected}, as the config says, got {got}"
        )));
    }
    Ok(())
}
