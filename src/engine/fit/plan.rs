//! What a run does and when: batches, shards, validations, digests, checkpoints and limits of every step.

use std::time::Duration;

use super::pace::WallLimit;
use super::step::PlannedStep;
use super::{Exit, NUMERICS_VERSION};
use crate::engine::loader::EpochPlan;
use crate::engine::repro::Arithmetic;
use crate::engine::settings::{
    AuditSettings, BatchLimit, EmaSettings, OptimizerSettings, ScheduleSettings, SupportedTrainer,
};
use crate::engine::shard::{Shard, StepShards, shard_range};
use crate::engine::snapshot::Progress;
use crate::engine::task::{Draws, Split, Task};
use crate::engine::trace::Tracer;
use crate::engine::workers::Share;

/// Everything a run is a function of, beside the task.
pub struct FitPlan<'a> {
    /// The trainer profile.
    pub trainer: &'a SupportedTrainer,
    /// The optimizer.
    pub optimizer: OptimizerSettings,
    /// How its learning rate goes.
    pub schedule: ScheduleSettings,
    /// The mean of the weights that is in use instead of them.
    pub ema: Option<EmaSettings>,
    /// How much the step log pins down.
    pub audit: AuditSettings,
    /// Samples per batch.
    pub batch_size: usize,
    /// Stop after this many steps in all, whatever the clock says: how a run that hit its time limit is replayed.
    pub stop_after_steps: Option<u64>,
    /// Hears of the ops of one step.
    pub trace: Option<Tracer>,
    /// A limit on the time of everything, which the run ends early for.
    pub wall: Option<WallLimit>,
    /// Wall-clock time since this process began the run.
    pub elapsed: &'a (dyn Fn() -> Duration + Sync),
}

impl<'a> FitPlan<'a> {
    /// A plan that runs to the end at one learning rate, with a state digest every ten steps.
    pub fn new(
        trainer: &'a SupportedTrainer,
        optimizer: OptimizerSettings,
        batch_size: usize,
        elapsed: &'a (dyn Fn() -> Duration + Sync),
    ) -> Self {
        let audit = AuditSettings { state_digest_every: 10, segments: 1, min_segment_steps: 1, max_bytes: 0 };
        let schedule = ScheduleSettings::default();
        Self {
            trainer,
            optimizer,
            schedule,
            ema: None,
            audit,
            batch_size,
            stop_after_steps: None,
            trace: None,
            wall: None,
            elapsed,
        }
    }

    /// The arithmetic that the trainer profile asks for.
    pub fn arithmetic(&self) -> Arithmetic {
        Arithmetic { numerics: self.trainer.numerics, precision: self.trainer.precision }
    }

    /// Whether there are samples to validate on.
    pub(super) fn is_validated<T: Task>(&self, task: &T) -> bool {
        self.evaluated(Split::Val, task.sample_ids(Split::Val).len()) > 0
    }

    /// The batch limit of a split, and its key.
    pub(super) fn limit(&self, split: Split) -> (&'static str, Option<BatchLimit>) {
        match split {
            Split::Train => ("trainer.limit_train_batches", self.trainer.limit_train_batches),
            Split::Val => ("trainer.limit_val_batches", self.trainer.limit_val_batches),
            Split::Test => ("trainer.limit_test_batches", self.trainer.limit_test_batches),
        }
    }

    /// How many of a split's samples are evaluated: the first ones, as its batch limit allows.
    pub(super) fn evaluated(&self, split: Split, samples: usize) -> usize {
        let (_, limit) = self.limit(split);
        let batches = samples.div_ceil(self.batch_size);
        samples.min(limit.map_or(batches, |limit| limit.of(batches)).saturating_mul(self.batch_size))
    }

    /// How many samples of a task's split are evaluated.
    pub(super) fn samples_of<T: Task>(&self, task: &T, split: Split) -> usize {
        self.evaluated(split, task.sample_ids(split).len())
    }

    pub(super) fn epoch(&self, epoch: u32, samples: usize) -> EpochPlan {
        let trainer = self.trainer;
        let accumulate = trainer.accumulate_grad_batches as usize;
        EpochPlan::new(trainer.seed, epoch, samples, self.batch_size, trainer.limit_train_batches, accumulate)
    }

    /// A worker's shards of a step, by its share of the shards of each batch.
    pub(super) fn shards<T: Task>(&self, task: &T, step: &PlannedStep, share: Share) -> StepShards<T::Batch> {
        let draws = Draws::new(self.trainer.seed, Split::Train, step.moment);
        let shards = self.trainer.micro_shards as usize;
        let shard_of = |number: usize, batch: &Vec<usize>, shard| {
            let samples = &batch[shard_range(shard, shards, batch.len())];
            let prepare = || Shard { batch: task.batch(Split::Train, samples, draws), samples: samples.len() };
            (!samples.is_empty()).then(|| (number * shards + shard, prepare()))
        };
        let of_batch = |(number, batch)| share.of(shards).map(move |shard| shard_of(number, batch, shard));
        let batches = step.batches.iter().enumerate();
        let subtrees = match share.is_all() {
            true => vec![batches.flat_map(of_batch).collect()],
            false => batches.map(|batch| of_batch(batch).collect()).collect(),
        };
        StepShards { subtrees, per_batch: share.of(shards).len(), samples: step.batches.iter().map(Vec::len).sum() }
    }

    /// Whether a validation is due after so many of an epoch's steps.
    pub(super) fn validation_due(&self, done: u64, steps: u64) -> bool {
        done.is_multiple_of(self.trainer.val_check_interval.of(steps))
    }

    /// Whether a checkpoint is due after a step, which may have been the last one of an epoch.
    pub(super) fn checkpoint_due(&self, step: u64, done_epoch: Option<u32>) -> bool {
        let due = |every: Option<u32>, count: u64| every.is_some_and(|n| count.is_multiple_of(n.into()));
        let settings = &self.trainer.checkpoint;
        due(settings.every_n_steps, step)
            || done_epoch.is_some_and(|epoch| due(settings.every_n_epochs, u64::from(epoch) + 1))
    }

    /// Whether the leaf of a step has a digest of the state: where a validation or a checkpoint is due, at the end of an epoch, and
    /// every so many steps.
    pub(super) fn digest_due(&self, step: u64, epoch: u32, done_in_epoch: u64, steps: u64) -> bool {
        let epoch_done = done_in_epoch == steps;
        let every = self.audit.state_digest_every;
        epoch_done
            || self.validation_due(done_in_epoch, steps)
            || self.checkpoint_due(step, epoch_done.then_some(epoch))
            || every != 0 && step.is_multiple_of(every.into())
    }

    /// Whether losses are scaled, which leaves then say.
    pub(super) fn is_loss_scaled(&self) -> bool {
        Progress::start(NUMERICS_VERSION, self.arithmetic(), String::new()).loss_scale.is_some()
    }

    pub(super) fn limit_reached(&self, step: u64, wall_is_over: impl FnOnce() -> bool) -> Option<Exit> {
        // Whatever the clock says: with `max_time` 0 that of a replay would stop a resumed run at its first step.
        if let Some(limit) = self.stop_after_steps {
            return (step >= limit).then_some(Exit::StepLimit);
        }
        if self.trainer.max_time.is_some_and(|limit| (self.elapsed)() >= limit.0) {
            return Some(Exit::MaxTime);
        }
        wall_is_over().then_some(Exit::WallLimit)
    }

    pub(super) fn seconds(&self) -> f64 {
        (self.elapsed)().as_secs_f64()
    }
}
