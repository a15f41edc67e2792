//! Training by a config, on any workers, and the files that the workload writes after it: the same for a run and for its replay.

use std::ops::ControlFlow;
use std::time::Duration;

use burn::tensor::backend::AutodiffBackend;

use super::Team;
use crate::engine::device::{Choice, Job};
use crate::engine::fit::{Event, FitEnd, FitError, FitPlan, follow, lead};
use crate::engine::observer::{Look, Observer};
use crate::engine::repro::with_arithmetic;
use crate::engine::run_dir::RunDirectory;
use crate::engine::snapshot::Snapshot;
use crate::engine::task::Task;
use crate::engine::workers::Member;
use crate::failure::Failure;
use crate::provenance::path::RelativePath;
use crate::workload::{CheckedConfig, Outputs, TrainedModel, Workload};

/// What a run of this config does.
pub(super) fn plan<'a, W: Workload>(
    workload: &W,
    checked: &'a CheckedConfig<W>,
    stop_after_steps: Option<u64>,
    elapsed: &'a (dyn Fn() -> Duration + Sync),
) -> FitPlan<'a> {
    let settings = checked.settings();
    FitPlan {
        schedule: settings.schedule,
        ema: settings.ema,
        audit: settings.audit,
        stop_after_steps,
        ..FitPlan::new(checked.trainer(), settings.optimizer.clone(), workload.batch_size(checked.own()), elapsed)
    }
}

/// Training, and the files that the workload writes after it, for a run and for its replay.
pub(super) struct Training<'a, W: Workload> {
    pub workload: &'a W,
    pub task: &'a W::Task,
    pub plan: &'a FitPlan<'a>,
    pub checkpoint: Option<Snapshot>,
    pub run: &'a mut RunDirectory,
    /// Whether the workload looks at the model on the way.
    pub is_watched: bool,
}

impl<W: Workload> Training<'_, W> {
    /// Lets a team do it: worker 0 judges, writes and tells the observer.
    pub fn on(
        self,
        team: &Team,
        observer: &mut (dyn FnMut(Event<'_>) -> ControlFlow<()> + Send),
    ) -> Result<(FitEnd, Vec<RelativePath>), Failure> {
        let (task, plan) = (self.task, self.plan);
        let checkpoint = if team.has_followers() { self.checkpoint.clone() } else { None };
        let lead = |member, choice: &Choice| choice.device.run(Leading { training: self, member, observer });
        let follow = |member, choice: &Choice| {
            // Worker 0 hears of it, and says so.
            let _ = choice.device.run(Following { task, plan, checkpoint: checkpoint.clone(), member });
        };
        team.lead(lead, follow)
    }
}

/// What a worker does that does not lead.
pub(super) struct Following<'a, T> {
    pub task: &'a T,
    pub plan: &'a FitPlan<'a>,
    pub checkpoint: Option<Snapshot>,
    pub member: Member,
}

impl<T: Task> Job for Following<'_, T> {
    type Output = Result<(), FitError>;

    fn run<B: AutodiffBackend>(mut self, device: &B::Device) -> Self::Output {
        follow::<B, T>(self.task, self.plan, &mut self.member, self.checkpoint, device)
    }
}

struct Leading<'a, W: Workload> {
    training: Training<'a, W>,
    member: Member,
    observer: &'a mut (dyn FnMut(Event<'_>) -> ControlFlow<()> + Send),
}

/// Whoever hears of the events, and the workload, which looks at the model.
struct Watching<'a, W: Workload> {
    /// None in a replay.
    workload: Option<&'a W>,
    observer: &'a mut (dyn FnMut(Event<'_>) -> ControlFlow<()> + Send),
}

impl<W: Workload> Observer<W::Task> for Watching<'_, W> {
    fn observe(&mut self, event: Event<'_>) -> ControlFlow<()> {
        (self.observer)(event)
    }

    fn look<B: AutodiffBackend>(&mut self, look: Look<'_, W::Task, B>) {
        if let Some(workload) = self.workload {
            workload.look(look);
        }
    }
}

impl<W: Workload> Job for Leading<'_, W> {
    type Output = Result<(FitEnd, Vec<RelativePath>), Failure>;

    fn run<B: AutodiffBackend>(self, device: &B::Device) -> Self::Output {
        let Self { training: Training { workload, task, plan, checkpoint, run, is_watched }, mut member, observer } =
            self;
        let mut watching = Watching { workload: is_watched.then_some(workload), observer };
        let done = lead::<B, _>(task, plan, &mut member, checkpoint, run, &mut watching, device)?;
        let mut outputs = Outputs::new(run);
        let trained = TrainedModel { task, checkpoint: done.end.checkpoint, model: &done.model, device };
        with_arithmetic(plan.arithmetic(), || workload.write::<B>(trained, &mut outputs))?;
        Ok((done.end, outputs.into_paths()))
    }
}
