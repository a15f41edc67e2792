//! The training loop.
//!
//! One optimizer step: prepare the shards of its batches, sum their gradients in the fixed tree, clip, AdamW; after an
//! epoch validate and decide; write the leaf, and the checkpoint that is due. Nothing here prints or reads a clock: time comes in through
//! [`FitPlan::elapsed`], news go out through the observer.

use std::ops::ControlFlow;
use std::time::Duration;

use burn::module::AutodiffModule;
use burn::tensor::backend::AutodiffBackend;

use super::early_stop::{self, UnknownMonitor};
use super::loader::{EpochPlan, prepared_in_order};
use super::repro::{Arithmetic, NUMERICS_VERSION, with_arithmetic};
use super::run_dir::{CHECKPOINTS, FINAL_CHECKPOINT, RunDirError, RunDirectory};
use super::settings::{AuditSettings, OptimizerSettings, SupportedTrainer};
use super::shard::{Shard, shard_range};
use super::snapshot::{Progress, Snapshot};
use super::state::{SnapshotMismatch, TrainState, initial_model};
use super::step_log::{ScaledStep, StepLeaf, f32_bits, f64_bits, samples_digest};
use super::task::{Metric, Split, Task, TaskError};
use crate::digest::Blake3Digest;

/// Everything a run is a function of, beside the task.
pub struct FitPlan<'a> {
    /// The trainer profile.
    pub trainer: &'a SupportedTrainer,
    /// The optimizer.
    pub optimizer: OptimizerSettings,
    /// How much the step log pins down.
    pub audit: AuditSettings,
    /// Samples per batch.
    pub batch_size: usize,
    /// Stop after this many steps in all, whatever the clock says: how a run that hit its time limit is replayed.
    pub stop_after_steps: Option<u64>,
    /// Wall-clock time since this process began the run.
    pub elapsed: &'a (dyn Fn() -> Duration + Sync),
}

/// What happens during a run.
#[derive(Debug)]
pub enum Event<'a> {
    /// The loop begins, or goes on, with so many steps done of so many planned.
    Started {
        /// Steps done before.
        done: u64,
        /// Steps planned in all, without early stopping.
        planned: u64,
    },
    /// One optimizer step is done and logged.
    Step {
        /// Its leaf.
        leaf: &'a StepLeaf,
        /// Mean loss of its samples.
        loss: f32,
    },
    /// An epoch was validated.
    Validated {
        /// The epoch.
        epoch: u32,
        /// The figures.
        metrics: &'a [Metric],
    },
    /// A checkpoint was written.
    Checkpoint {
        /// Its file name.
        file: &'a str,
    },
}

/// Why a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// All epochs are done.
    Completed,
    /// The monitored metric stopped improving.
    EarlyStopped,
    /// `trainer.max_time` was reached.
    MaxTime,
    /// [`FitPlan::stop_after_steps`] was reached.
    StepLimit,
    /// The observer broke the loop.
    Interrupted,
}

/// What a run ended with.
#[derive(Debug)]
pub struct FitOutcome<M> {
    /// Why it ended.
    pub exit: Exit,
    /// The model in inference mode.
    pub model: M,
    /// Steps done.
    pub steps: u64,
    /// Digest of the final state.
    pub state_digest: Blake3Digest,
    /// Figures of the final test.
    pub metrics: Vec<Metric>,
    /// Number of samples that they were computed over.
    pub test_samples: u64,
}

/// A run that could not go on.
#[derive(Debug, thiserror::Error)]
pub enum FitError {
    /// The run directory failed.
    #[error("{0}")]
    RunDir(#[from] RunDirError),
    /// The checkpoint does not fit.
    #[error("{0}")]
    Snapshot(#[from] SnapshotMismatch),
    /// Early stopping watches something that is not there.
    #[error("{0}")]
    Monitor(#[from] UnknownMonitor),
    /// The task could not judge.
    #[error("evaluation on the {split} split failed: {source}")]
    Task {
        /// The split.
        split: &'static str,
        /// Why.
        source: TaskError,
    },
    /// Loss or gradient is not a number any more.
    #[error("training diverged at step {step}: expected a finite loss and gradient, got loss {loss}, norm {norm}")]
    Diverged {
        /// The step.
        step: u64,
        /// Its loss.
        loss: f32,
        /// Its gradient norm.
        norm: f32,
    },
    /// More steps than the random numbers of a run can be told apart for.
    #[error("trainer.max_epochs: expected at most {MAX_STEPS} steps in all, got {planned}")]
    TooManySteps {
        /// Steps planned.
        planned: u64,
    },
    /// There is nothing to train on.
    #[error("no training samples: expected at least one, got an empty split")]
    NoSamples,
}

/// Steps of a run: each has 32 bits of a random number's counter.
const MAX_STEPS: u64 = u32::MAX as u64;

/// The model in inference mode.
type Inference<B, T> = <<T as Task<B>>::Model as AutodiffModule<B>>::InnerModule;

/// Trains `task` by `plan` on `device` into `run`, from the start or from a checkpoint.
///
/// # Errors
/// See [`FitError`]. What was checkpointed before stays usable.
pub fn fit<B: AutodiffBackend, T: Task<B>>(
    task: &T,
    plan: &FitPlan<'_>,
    checkpoint: Option<Snapshot>,
    run: &mut RunDirectory,
    observer: &mut dyn FnMut(Event<'_>) -> ControlFlow<()>,
    device: &B::Device,
) -> Result<FitOutcome<Inference<B, T>>, FitError> {
    let trainer = plan.trainer;
    let ids = task.sample_ids(Split::Train);
    if ids.is_empty() {
        return Err(FitError::NoSamples);
    }
    let steps_per_epoch = plan.epoch(0, ids.len()).len() as u64;
    let planned = steps_per_epoch.saturating_mul(trainer.max_epochs.into());
    if planned > MAX_STEPS {
        return Err(FitError::TooManySteps { planned });
    }
    let mut state = begin(task, plan, checkpoint, device)?;
    let mut exit = match observer(Event::Started { done: state.progress.position.step, planned }) {
        ControlFlow::Break(()) => Some(Exit::Interrupted),
        // A run that was killed between its last validation and its end had stopped already.
        ControlFlow::Continue(()) => early_stop::patience_is_spent(&state.progress, trainer.early_stopping.as_ref())
            .then_some(Exit::EarlyStopped),
    };
    run.keep_checkpoints(&state.progress.kept)?;

    while exit.is_none() && state.progress.position.epoch < trainer.max_epochs {
        let epoch = state.progress.position.epoch;
        let steps = plan.epoch(epoch, ids.len());
        let remaining = &steps.steps()[state.progress.position.step_in_epoch as usize..];
        let prepare = |batches: &Vec<Vec<usize>>| plan.shards(task, batches);
        let train_step = |batches: &Vec<Vec<usize>>, shards| -> Result<ControlFlow<()>, FitError> {
            let gradient = state.gradient(task, shards, trainer.seed, device);
            let (loss, norm) = (gradient.loss, gradient.norm());
            let step = state.progress.position.step + 1;
            let scale = state.progress.loss_scale;
            state.progress.loss_scale = scale.and_then(|scale| scale.after(norm.is_finite()));
            // A gradient may overflow because it was scaled, as long as the scale can be made smaller; the loss is not.
            let skipped = !norm.is_finite() && state.progress.loss_scale.is_some();
            if !loss.is_finite() || !(norm.is_finite() || skipped) {
                return Err(FitError::Diverged { step, loss, norm });
            }
            if !skipped {
                state.apply(gradient.clip(norm, trainer.gradient_clip_val));
            }

            let position = &mut state.progress.position;
            position.step = step;
            position.step_in_epoch += 1;
            let epoch_done = position.step_in_epoch as usize == steps.len();
            if epoch_done {
                (position.epoch, position.step_in_epoch) = (epoch + 1, 0);
            }
            let metrics = match epoch_done {
                true => Some(evaluate(task, &state.model.valid(), plan, Split::Val, device)?),
                false => None,
            };
            // Before the leaf: its digest covers what the end of the run and the next checkpoint depend on, too.
            let give_up = match &metrics {
                Some(metrics) => early_stop::observe(&mut state.progress, trainer.early_stopping.as_ref(), metrics)?,
                None => false,
            };
            let checkpoint =
                plan.checkpoint_due(step, epoch_done.then_some(epoch)).then(|| Due::at(step, &mut state, plan));
            let leaf = StepLeaf {
                step,
                epoch,
                samples: samples_digest(ids, batches),
                learning_rate_bits: f64_bits(plan.optimizer.lr),
                loss_bits: f32_bits(loss),
                gradient_norm_bits: f32_bits(norm),
                loss_scale: scale.map(|scale| ScaledStep { exponent: scale.exponent, skipped }),
                state: (checkpoint.is_some() || epoch_done || plan.state_digest_due(step))
                    .then(|| state.snapshot().state_digest()),
            };
            run.append_step(&leaf)?;
            if step.is_multiple_of(trainer.log_every_n_steps.into()) {
                let figures = [("train/loss", loss), ("train/gradient_norm", norm)];
                let figures = figures.map(|(name, value)| Metric { name: name.into(), value: value.into() });
                run.append_metrics(step, epoch, &figures)?;
                run.append_event("step", step, plan.seconds())?;
            }
            exit = exit.or(match observer(Event::Step { leaf: &leaf, loss }) {
                ControlFlow::Break(()) => Some(Exit::Interrupted),
                ControlFlow::Continue(()) => plan.limit_reached(step),
            });
            if let Some(metrics) = &metrics {
                run.append_metrics(step, epoch, metrics)?;
                run.append_event("validated", step, plan.seconds())?;
            }
            if let Some(checkpoint) = checkpoint {
                checkpoint.write(&state, plan, run)?;
                let _ = observer(Event::Checkpoint { file: &checkpoint.file });
            }
            if let Some(metrics) = &metrics
                && observer(Event::Validated { epoch, metrics }).is_break()
            {
                exit = exit.or(Some(Exit::Interrupted));
            }
            // A run that is over anyway did not meet a limit.
            if give_up && exit != Some(Exit::Interrupted) {
                exit = Some(Exit::EarlyStopped);
            }
            Ok(if exit.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        };
        let _ = prepared_in_order(trainer.dataloader, remaining, prepare, train_step)?;
    }
    // The last step may meet the time limit as well as the end of the plan: a finished run is a finished run.
    let exit = match exit {
        Some(Exit::MaxTime | Exit::StepLimit) | None if state.progress.position.epoch >= trainer.max_epochs => {
            Exit::Completed
        }
        exit => exit.unwrap_or(Exit::Completed),
    };
    finish(task, plan, state, exit, run, device)
}

fn begin<B: AutodiffBackend, T: Task<B>>(
    task: &T,
    plan: &FitPlan<'_>,
    checkpoint: Option<Snapshot>,
    device: &B::Device,
) -> Result<TrainState<B, T::Model>, SnapshotMismatch> {
    let model = initial_model(task, plan.trainer.seed, device);
    match checkpoint {
        Some(snapshot) if snapshot.progress.arithmetic != plan.arithmetic() => Err(SnapshotMismatch {
            path: "arithmetic".into(),
            expected: format!("{:?}", plan.arithmetic()),
            got: format!("{:?}", snapshot.progress.arithmetic),
        }),
        Some(snapshot) => TrainState::restore(model, plan.optimizer, snapshot, device),
        None => {
            let progress = Progress::start(NUMERICS_VERSION, plan.arithmetic(), task.describe());
            Ok(TrainState::fresh(model, plan.optimizer, progress))
        }
    }
}

fn finish<B: AutodiffBackend, T: Task<B>>(
    task: &T,
    plan: &FitPlan<'_>,
    state: TrainState<B, T::Model>,
    exit: Exit,
    run: &mut RunDirectory,
    device: &B::Device,
) -> Result<FitOutcome<Inference<B, T>>, FitError> {
    let snapshot = state.snapshot();
    let step = snapshot.progress.position.step;
    // The steps that a checkpoint stands on must be there whenever the checkpoint is.
    run.sync()?;
    run.write_file(FINAL_CHECKPOINT, &snapshot.to_bytes())?;
    let model = state.model.valid();
    let metrics = evaluate(task, &model, plan, Split::Test, device)?;
    let test_samples = plan.evaluated(Split::Test, task.sample_ids(Split::Test).len()) as u64;
    run.append_metrics(step, snapshot.progress.position.epoch, &metrics)?;
    run.append_event("finished", step, plan.seconds())?;
    run.sync()?;
    Ok(FitOutcome { exit, model, steps: step, state_digest: snapshot.state_digest(), metrics, test_samples })
}

/// A checkpoint that is due: noted in the state, and not written yet.
struct Due {
    file: String,
    best: Option<String>,
}

impl Due {
    fn at<B: AutodiffBackend, M: AutodiffModule<B>>(
        step: u64,
        state: &mut TrainState<B, M>,
        plan: &FitPlan<'_>,
    ) -> Self {
        let trainer = plan.trainer;
        let file = format!("step-{step:08}.safetensors");
        let early_stopping = trainer.early_stopping.as_ref();
        let best = early_stop::keep(&mut state.progress, early_stopping, &file, trainer.checkpoint.save_top_k);
        Self { file, best }
    }

    fn write<B: AutodiffBackend, M: AutodiffModule<B>>(
        &self,
        state: &TrainState<B, M>,
        plan: &FitPlan<'_>,
        run: &mut RunDirectory,
    ) -> Result<(), FitError> {
        let Self { file, best } = self;
        let step = state.progress.position.step;
        run.write_checkpoint(file, &state.snapshot().to_bytes(), &state.progress.kept, best.as_deref())?;
        run.append_event("checkpoint", step, plan.seconds())?;
        Ok(run.note(&format!("- step {step}: wrote {CHECKPOINTS}/{file}"))?)
    }
}

/// Figures over a split's first samples, as many as its batch limit allows; none for an empty split.
fn evaluate<B: AutodiffBackend, T: Task<B>>(
    task: &T,
    model: &Inference<B, T>,
    plan: &FitPlan<'_>,
    split: Split,
    device: &B::Device,
) -> Result<Vec<Metric>, FitError> {
    let samples: Vec<_> = (0..plan.evaluated(split, task.sample_ids(split).len())).collect();
    if samples.is_empty() {
        return Ok(Vec::new());
    }
    let metrics = with_arithmetic(plan.arithmetic(), || task.evaluate(model, split, &samples, device))
        .map_err(|source| FitError::Task { split: split.name(), source })?;
    let prefixed = |metric: Metric| Metric { name: format!("{}/{}", split.name(), metric.name), ..metric };
    Ok(metrics.into_iter().map(prefixed).collect())
}

impl<'a> FitPlan<'a> {
    /// A plan that runs to the end, with a state digest every ten steps.
    pub fn new(
        trainer: &'a SupportedTrainer,
        optimizer: OptimizerSettings,
        batch_size: usize,
        elapsed: &'a (dyn Fn() -> Duration + Sync),
    ) -> Self {
        let audit = AuditSettings { state_digest_every: 10 };
        Self { trainer, optimizer, audit, batch_size, stop_after_steps: None, elapsed }
    }

    /// The arithmetic that the trainer profile asks for.
    pub fn arithmetic(&self) -> Arithmetic {
        Arithmetic { numerics: self.trainer.numerics, precision: self.trainer.precision }
    }

    /// How many of a split's samples are evaluated: the first ones, as its batch limit allows.
    fn evaluated(&self, split: Split, samples: usize) -> usize {
        let limit = match split {
            Split::Train => self.trainer.limit_train_batches,
            Split::Val => self.trainer.limit_val_batches,
            Split::Test => self.trainer.limit_test_batches,
        };
        samples.min(limit.map_or(usize::MAX, |batches| self.batch_size.saturating_mul(batches as usize)))
    }

    fn epoch(&self, epoch: u32, samples: usize) -> EpochPlan {
        let trainer = self.trainer;
        let accumulate = trainer.accumulate_grad_batches as usize;
        EpochPlan::new(trainer.seed, epoch, samples, self.batch_size, trainer.limit_train_batches, accumulate)
    }

    /// The shards of a step's batches, batch by batch; `None` where a shard has no samples.
    fn shards<B: AutodiffBackend, T: Task<B>>(&self, task: &T, batches: &[Vec<usize>]) -> Vec<Option<Shard<T::Batch>>> {
        let shards = self.trainer.micro_shards as usize;
        let shard_of = |batch: &Vec<usize>, shard| {
            let samples = &batch[shard_range(shard, shards, batch.len())];
            (!samples.is_empty()).then(|| Shard { batch: task.batch(Split::Train, samples), samples: samples.len() })
        };
        batches.iter().flat_map(|batch| (0..shards).map(move |shard| shard_of(batch, shard))).collect()
    }

    /// Whether a checkpoint is due after a step, which may have been the last one of an epoch.
    fn checkpoint_due(&self, step: u64, done_epoch: Option<u32>) -> bool {
        let due = |every: Option<u32>, count: u64| every.is_some_and(|n| count.is_multiple_of(n.into()));
        let settings = &self.trainer.checkpoint;
        due(settings.every_n_steps, step)
            || done_epoch.is_some_and(|epoch| due(settings.every_n_epochs, u64::from(epoch) + 1))
    }

    fn state_digest_due(&self, step: u64) -> bool {
        self.audit.state_digest_every != 0 && step.is_multiple_of(self.audit.state_digest_every.into())
    }

    fn limit_reached(&self, step: u64) -> Option<Exit> {
        if self.stop_after_steps.is_some_and(|limit| step >= limit) {
            return Some(Exit::StepLimit);
        }
        self.trainer.max_time.is_some_and(|limit| (self.elapsed)() >= limit.0).then_some(Exit::MaxTime)
    }

    fn seconds(&self) -> f64 {
        (self.elapsed)().as_secs_f64()
    }
}
