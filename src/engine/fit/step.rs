//! One optimizer step, as every worker makes it.

use std::collections::BTreeSet;

use burn::tensor::backend::AutodiffBackend;

use super::{FitError, FitPlan};
use crate::engine::loss_scale::LossScale;
use crate::engine::schedule;
use crate::engine::shard::StepShards;
use crate::engine::state::TrainState;
use crate::engine::task::{Moment, Task};
use crate::engine::trace::Part;
use crate::engine::workers::{Layout, Member};

/// One optimizer step before it is made.
pub(super) struct PlannedStep {
    pub moment: Moment,
    /// Places of the samples, batch by batch.
    pub batches: Vec<Vec<usize>>,
}

/// The steps of an epoch that are still to be made.
pub(super) struct Epoch {
    number: u32,
    /// How many steps it has, those that were made before included.
    steps: u64,
    remaining: Vec<PlannedStep>,
    /// Parameters that no loss of this epoch has had a gradient for yet.
    without_gradient: BTreeSet<String>,
}

impl Epoch {
    /// That which the state stands in.
    pub fn of<B: AutodiffBackend, M: burn::module::AutodiffModule<B>>(
        state: &TrainState<B, M>,
        plan: &FitPlan<'_>,
        samples: usize,
    ) -> Self {
        let position = state.progress.position;
        let number = position.epoch;
        let steps = plan.epoch(number, samples);
        let count = steps.len() as u64;
        let remaining = steps.into_steps().into_iter().skip(position.step_in_epoch as usize);
        let numbered = (position.step + 1..).zip(remaining);
        let remaining =
            numbered.map(|(step, batches)| PlannedStep { moment: Moment { step, epoch: number }, batches }).collect();
        // An epoch that was begun by another process is not known as a whole.
        let without_gradient = if position.step_in_epoch > 0 { BTreeSet::new() } else { state.trained().clone() };
        Self { number, steps: count, remaining, without_gradient }
    }

    /// How many steps it has in all.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Hands out the steps that are to be made.
    pub fn remaining(&mut self) -> Vec<PlannedStep> {
        std::mem::take(&mut self.remaining)
    }
}

/// What makes steps: all that is the same for every one of a run.
pub(super) struct Maker<'a, B: AutodiffBackend, T> {
    pub task: &'a T,
    pub plan: &'a FitPlan<'a>,
    /// Steps planned in all.
    pub planned: u64,
    pub layout: &'a Layout,
    pub device: &'a B::Device,
}

/// What came of a step.
pub(super) struct Made {
    /// Its learning rate.
    pub lr: f64,
    /// Mean loss of its samples.
    pub loss: f32,
    /// Norm of its gradient, before clipping.
    pub norm: f32,
    /// The loss scale that it was made with.
    pub scale: Option<LossScale>,
    /// Whether the parameters stayed as they were, because the gradient overflowed.
    pub skipped: bool,
    /// Steps of the epoch that are done now.
    pub done_in_epoch: u64,
    /// Whether that is all of them.
    pub epoch_done: bool,
}

impl<B: AutodiffBackend, T: Task> Maker<'_, B, T> {
    /// Makes a step: sums of this worker's shards, of all workers', and the same update of the state by everyone.
    ///
    /// `None` when the leader has ended the run instead.
    pub fn make(
        &self,
        state: &mut TrainState<B, T::Model<B>>,
        member: &mut Member,
        planned: &PlannedStep,
        shards: StepShards<T::Batch>,
        epoch: &mut Epoch,
    ) -> Result<Option<Made>, FitError> {
        let (plan, moment, samples) = (self.plan, planned.moment, shards.samples);
        let step = moment.step;
        // A leader that has ended the run does not come to the sums in the middle of a step.
        if plan.trainer.sync_batchnorm && !member.begin(step)? {
            return Ok(None);
        }
        let together = plan.trainer.sync_batchnorm.then_some(&mut *member);
        let tracer = plan.trace.as_ref().and_then(|tracer| tracer.at(step));
        let own = state.sums(self.task, shards, moment, plan.trainer.seed, self.device, (together, tracer))?;
        let Some(total) = member.total(step, self.layout, own, self.device)? else { return Ok(None) };
        let gradient = state.mean(total.sum, samples);
        let lr = schedule::learning_rate(&plan.schedule, plan.optimizer.lr, step, self.planned);
        let (loss, norm) = (gradient.loss, gradient.norm());
        let scale = state.progress.loss_scale;
        state.progress.loss_scale = scale.and_then(|scale| scale.after(norm.is_finite()));
        // A gradient may overflow because it was scaled, as long as the scale can be made smaller; the loss is not.
        let skipped = !norm.is_finite() && state.progress.loss_scale.is_some();
        if !loss.is_finite() || !(norm.is_finite() || skipped) {
            let worker = total.infinite.and_then(|rank| member.named(rank));
            return Err(FitError::Diverged { step, loss, norm, worker });
        }
        epoch.without_gradient.retain(|path| !gradient.gradients.contains_key(path));
        if let Some(tracer) = tracer {
            let tensors = gradient.gradients.iter().map(|(path, tensor)| (path.clone(), tensor.to_data()));
            tracer.named(Part::Gradient, tensors);
        }
        if !skipped {
            let update = || state.apply(gradient.clip(norm, plan.trainer.gradient_clip_val), step, lr);
            match tracer {
                Some(tracer) => tracer.hear(Part::Update, update),
                None => update(),
            }
        }
        if let Some(tracer) = tracer {
            tracer.named(Part::State, state.parameters());
        }

        let position = &mut state.progress.position;
        position.step = step;
        position.step_in_epoch += 1;
        let done_in_epoch = position.step_in_epoch.into();
        let epoch_done = done_in_epoch == epoch.steps;
        if epoch_done {
            (position.epoch, position.step_in_epoch) = (epoch.number + 1, 0);
        }
        if epoch_done && !epoch.without_gradient.is_empty() {
            let parameters = epoch.without_gradient.iter().cloned().collect();
            return Err(FitError::NoGradient { epoch: epoch.number, parameters });
        }
        Ok(Some(Made { lr, loss, norm, scale, skipped, done_in_epoch, epoch_done }))
    }
}
