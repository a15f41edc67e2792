//! The loop of a worker that does not lead.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use burn::tensor::backend::AutodiffBackend;

use super::points::AuditPoints;
use super::step::{Epoch, Maker, PlannedStep};
use super::{FitError, FitPlan, begin, check, message, refusals_are_errors};
use crate::engine::loader::prepared_in_order;
use crate::engine::snapshot::Snapshot;
use crate::engine::task::{Split, Task};
use crate::engine::workers::Member;

/// Makes the steps of a run that another worker leads, until that one ends it.
///
/// It computes its own shards only, and writes nothing. What it fails with it tells the others first.
///
/// # Errors
/// As [`fit`](super::fit), and when another worker fails, ends or does not answer.
pub fn follow<B: AutodiffBackend, T: Task>(
    task: &T,
    plan: &FitPlan<'_>,
    member: &mut Member,
    checkpoint: Option<Snapshot>,
    device: &B::Device,
) -> Result<(), FitError> {
    let make = || refusals_are_errors(|| make_steps::<B, T>(task, plan, member, checkpoint, device));
    let reason = match catch_unwind(AssertUnwindSafe(make)) {
        Ok(Ok(())) => return Ok(()),
        // The others know.
        Ok(Err(FitError::Worker(error))) => return Err(FitError::Worker(error)),
        Ok(Err(error)) => Ok(error),
        Err(panic) => Err(panic),
    };
    match reason {
        Ok(error) => {
            member.fail(&error.to_string());
            Err(error)
        }
        Err(panic) => {
            member.fail(&message(&*panic).unwrap_or_else(|| "panicked".to_owned()));
            resume_unwind(panic)
        }
    }
}

fn make_steps<B: AutodiffBackend, T: Task>(
    task: &T,
    plan: &FitPlan<'_>,
    member: &mut Member,
    checkpoint: Option<Snapshot>,
    device: &B::Device,
) -> Result<(), FitError> {
    let samples = task.sample_ids(Split::Train).len();
    let planned = check(task, plan)?;
    let mut state = begin::<B, T>(task, plan, checkpoint, device)?;
    let layout = state.layout();
    let maker = Maker::<B, T> { task, plan, planned, layout: &layout, device };
    let points = AuditPoints::of(&plan.audit, planned, state.tensor_bytes());
    let share = member.share();
    while state.progress.position.epoch < plan.trainer.max_epochs {
        let mut epoch = Epoch::of(&state, plan, samples);
        let remaining = epoch.remaining();
        let prepare = |step: &PlannedStep| plan.shards(task, step, share);
        let train_step = |planned: &PlannedStep, shards| -> Result<ControlFlow<()>, FitError> {
            let Some(made) = maker.make(&mut state, member, planned, shards, &mut epoch)? else {
                return Ok(ControlFlow::Break(()));
            };
            let moment = planned.moment;
            let digest_due = plan.digest_due(moment.step, moment.epoch, made.done_in_epoch, epoch.steps());
            if digest_due || points.is_due(moment.step) {
                member.remember(state.snapshot().tensors_digest());
            }
            Ok(ControlFlow::Continue(()))
        };
        if prepared_in_order(plan.trainer.dataloader, &remaining, prepare, train_step)?.is_break() {
            return Ok(());
        }
    }
    // With all steps made, the leader may still judge and write.
    Ok(member.end(state.progress.position.step)?)
}
