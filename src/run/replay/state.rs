//! The states that a run signed: each has to be the one that the signed leaf of its step names.

use super::stage::Stage;
use super::stop::{Stop, failed, worst};
use crate::engine::audit_point;
use crate::engine::run_dir::FINAL_CHECKPOINT;
use crate::engine::snapshot::Snapshot;
use crate::verify::{Check, Verdict, VerifiedRun};
use crate::workload::Workload;

/// The step log is the signed one, whole.
pub(super) fn signed_log(run: &VerifiedRun) -> Result<(), Stop> {
    match run.check_steps().filter(|log| log.verdict != Verdict::Passed) {
        Some(log) => Err(worst(log)),
        None => Ok(()),
    }
}

/// A signed checkpoint's or audit point's state, if it is the one that the signed leaf of its step names; `step` is that step, where
/// it is known.
pub(super) fn signed_state<W: Workload>(
    run: &VerifiedRun,
    stage: &Stage<'_, W>,
    name: &str,
    step: Option<u64>,
) -> Result<Snapshot, Stop> {
    if run.is_audit_point(name) && !run.root().join(name).exists() {
        return Err(Stop::NotChecked(format!(
            "{name} is not in {}: fetch it from where the run's audit points are kept",
            run.root().display()
        )));
    }
    let mut check = Check::new("state");
    let Some(bytes) = run.read_subject(name, &mut check) else { return Err(worst(check)) };
    let path = run.root().join(name);
    let snapshot = match audit_point::step_of(name) {
        Some(_) => audit_point::read(&bytes, largest(run), &path),
        None => Snapshot::from_bytes(&bytes, &path),
    };
    let snapshot = snapshot.map_err(failed)?;
    let at = snapshot.progress.position.step;
    let leaf = usize::try_from(at).ok().and_then(|at| stage.signed.get(at.checked_sub(1)?));
    if step.is_some_and(|step| step != at) || leaf.is_none_or(|leaf| leaf.state != Some(snapshot.state_digest())) {
        let step = step.unwrap_or(at);
        return Err(Stop::Failed(format!("{name}: expected the state after step {step} that was signed, got another")));
    }
    Ok(snapshot)
}

/// Most bytes of a state on the way: those of the last one, and some of counters that another may have more of.
fn largest(run: &VerifiedRun) -> u64 {
    const COUNTERS: u64 = 1 << 20;
    let last = run.claim().files.iter().find(|file| file.path.as_str() == FINAL_CHECKPOINT);
    last.map_or(0, |file| file.size.0).saturating_add(COUNTERS)
}

/// Compares what the record says of each audit point with the signed leaf of its step, and the files that are here with both.
pub(super) fn audit_points<W: Workload>(run: &VerifiedRun, stage: &Stage<'_, W>) -> Result<String, Stop> {
    let points = &stage.training.audit_points;
    let mut here = 0;
    for point in points {
        let name = point.file.as_str();
        let leaf = stage.signed.get(point.step as usize - 1);
        if leaf.is_none_or(|leaf| leaf.state != Some(point.state_digest))
            || audit_point::step_of(name) != Some(point.step)
        {
            return Err(Stop::Failed(format!(
                "{name}: expected the state after step {} of the log, got another",
                point.step
            )));
        }
        if run.root().join(name).exists() {
            signed_state(run, stage, name, Some(point.step))?;
            here += 1;
        }
    }
    Ok(match points.len() {
        0 => "the run has no audit points: its config asks for none, or it is too short".into(),
        all => format!("{here} of {all} audit points are here, and hold the states that the signed leaves name"),
    })
}
