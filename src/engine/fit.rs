//! The training loop.
//!
//! One optimizer step: prepare the shards of its batches, sum their gradients in the fixed tree, clip, update; validate and
//! decide when that is due; write the leaf, and the checkpoint that is due. Nothing here prints or reads a clock: time comes in through
//! [`FitPlan::elapsed`], news go out through the observer.

mod end;
mod error;
mod follow;
pub mod ledger;
mod pace;
mod plan;
mod points;
mod step;

use std::any::Any;
use std::ops::{ControlFlow, Deref};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use burn::tensor::backend::AutodiffBackend;

use super::audit_point;
use super::early_stop::{self, Stopping};
use super::kept::{self, Ranking};
use super::loader::prepared_in_order;
use super::monitor::{Monitor, MonitorError, MonitorKeys};
use super::observer::{Look, Observer};
use super::repro::{NUMERICS_VERSION, REFUSED, with_arithmetic, with_random};
use super::rng::{CounterRng, Stream};
use super::run_dir::{CHECKPOINTS, RunDirectory};
use super::schedule;
use super::settings::{BatchLimit, within};
use super::snapshot::{EpochLoss, Progress, Snapshot};
use super::state::{SnapshotMismatch, TrainState, UpdateRule, initial_model};
use super::step_log::{ScaledStep, StepLeaf, f32_bits, f64_bits, samples_digest};
use super::task::{Draws, InferenceModel, Metric, Moment, Split, Task};
use super::workers::Member;
use crate::digest::Blake3Digest;
use crate::event_log::{ExitReason, Figure, RunEvent};

use self::end::finish;
pub use self::error::FitError;
pub use self::follow::follow;
pub use self::pace::WallLimit;
use self::pace::{Ahead, Pace};
pub use self::plan::FitPlan;
use self::points::AuditPoints;
use self::step::{Epoch, Made, Maker, PlannedStep};

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
    /// A state was validated.
    Validated {
        /// The epoch of its last step.
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
    /// Another step would have left too little of [`FitPlan::wall`] for the rest.
    WallLimit,
    /// [`FitPlan::stop_after_steps`] was reached.
    StepLimit,
    /// The observer broke the loop.
    Interrupted,
}

impl Exit {
    /// As the record has it: a run that is not to go further here was stopped by somebody.
    pub fn reason(self) -> ExitReason {
        match self {
            Self::Completed => ExitReason::Completed,
            Self::EarlyStopped => ExitReason::EarlyStopped,
            Self::MaxTime => ExitReason::MaxTime,
            Self::WallLimit => ExitReason::WallLimit,
            Self::StepLimit | Self::Interrupted => ExitReason::Interrupted,
        }
    }
}

/// What a run ended with.
#[derive(Debug)]
pub struct FitOutcome<M> {
    /// The model in inference mode, of [`FitEnd::checkpoint`].
    pub model: M,
    /// How it ended.
    pub end: FitEnd,
}

impl<M> Deref for FitOutcome<M> {
    type Target = FitEnd;

    fn deref(&self) -> &FitEnd {
        &self.end
    }
}

/// How a run ended, whatever the model is.
#[derive(Debug, Clone, PartialEq)]
pub struct FitEnd {
    /// Why.
    pub exit: Exit,
    /// Steps done.
    pub steps: u64,
    /// Digest of the final state.
    pub state_digest: Blake3Digest,
    /// The checkpoint, inside the run directory, whose state was tested and is used: the best validated one, if any was
    /// validated, else the final one.
    pub checkpoint: &'static str,
    /// Whether another state than the last one was the best and is not here: in a part of a run that begins after it. Then the
    /// last one was tested in its place.
    pub best_is_elsewhere: bool,
    /// Figures of the final test: `test/…`; where the last state is another one, its own as `last/…`.
    pub metrics: Vec<Metric>,
    /// Number of samples that they were computed over.
    pub test_samples: u64,
}

/// The state of a task's training.
type State<B, T> = TrainState<B, <T as Task>::Model<B>>;

/// The part of an evaluation's random numbers that observers have; the parts before it are the splits'.
const OBSERVER_PART: u32 = Split::Test as u32 + 1;

/// Steps of a run: each has 32 bits of a random number's counter.
const MAX_STEPS: u64 = u32::MAX as u64;

/// Trains `task` by `plan` on `device` into `run`, from the start or from a checkpoint.
///
/// A parameter that requires a gradient has to get one in every epoch that is trained as a whole; what should stay as it is
/// has to say so (`Module::no_grad`, or a frozen group of the optimizer).
///
/// # Errors
/// See [`FitError`]. What was checkpointed before stays usable.
pub fn fit<B: AutodiffBackend, T: Task>(
    task: &T,
    plan: &FitPlan<'_>,
    checkpoint: Option<Snapshot>,
    run: &mut RunDirectory,
    observer: &mut (impl Observer<T> + ?Sized),
    device: &B::Device,
) -> Result<FitOutcome<InferenceModel<T, B>>, FitError> {
    lead(task, plan, &mut Member::alone(), checkpoint, run, observer, device)
}

/// As [`fit`], with other workers, which [`follow`]: this one leads. It alone judges and writes.
///
/// # Errors
/// As there; when a worker fails, ends or does not answer.
pub fn lead<B: AutodiffBackend, T: Task>(
    task: &T,
    plan: &FitPlan<'_>,
    member: &mut Member,
    checkpoint: Option<Snapshot>,
    run: &mut RunDirectory,
    observer: &mut (impl Observer<T> + ?Sized),
    device: &B::Device,
) -> Result<FitOutcome<InferenceModel<T, B>>, FitError> {
    let train = || train(task, plan, member, checkpoint, run, observer, device);
    refusals_are_errors(train)
}

/// Burn's backend traits cannot return errors, so an op that is refused panics. Everything that is written is written as for any
/// other error at the same place.
fn refusals_are_errors<R>(train: impl FnOnce() -> Result<R, FitError>) -> Result<R, FitError> {
    catch_unwind(AssertUnwindSafe(train)).unwrap_or_else(|panic| match message(&*panic) {
        Some(message) if message.contains(REFUSED) => Err(FitError::Refused(message)),
        _ => resume_unwind(panic),
    })
}

/// What a panic says.
fn message(panic: &(dyn Any + Send)) -> Option<String> {
    let message = panic.downcast_ref::<String>().cloned();
    message.or_else(|| panic.downcast_ref::<&str>().map(|message| (*message).to_owned()))
}

fn train<B: AutodiffBackend, T: Task>(
    task: &T,
    plan: &FitPlan<'_>,
    member: &mut Member,
    checkpoint: Option<Snapshot>,
    run: &mut RunDirectory,
    observer: &mut (impl Observer<T> + ?Sized),
    device: &B::Device,
) -> Result<FitOutcome<InferenceModel<T, B>>, FitError> {
    let trainer = plan.trainer;
    let ids = task.sample_ids(Split::Train);
    let planned = check(task, plan)?;
    let judges = Judges::of(task, plan)?;
    let Judges { stopping, ranking } = &judges;
    let mut state = begin(task, plan, checkpoint, device)?;
    if task.metrics().is_none() && judges.monitored().next().is_some() {
        let metrics = evaluate(task, &state, plan, Split::Val, 1, device)?;
        judges.monitored().try_for_each(|(keys, monitor)| monitor.figure(keys, &metrics).map(drop))?;
    }
    let mut exit = match observer.observe(Event::Started { done: state.progress.position.step, planned }) {
        ControlFlow::Break(()) => Some(Exit::Interrupted),
        // A run that was killed between its last validation and its end had stopped already.
        ControlFlow::Continue(()) => {
            early_stop::patience_is_spent(&state.progress, stopping.as_ref()).then_some(Exit::EarlyStopped)
        }
    };
    run.keep_checkpoints(&state.progress.kept)?;
    // A run that goes on from before its best checkpoint has not come to it yet.
    let best = ranking.best(&state.progress.kept);
    // One that goes on in another directory does not have it here.
    if best.is_none_or(|best| run.root().join(CHECKPOINTS).join(best).exists()) {
        run.point_best(best)?;
    }

    let layout = state.layout();
    let points = AuditPoints::of(&plan.audit, planned, state.tensor_bytes());
    let maker = Maker { task, plan, planned, layout: &layout, device };
    let mut pace = Pace::from((plan.elapsed)());
    while exit.is_none() && state.progress.position.epoch < trainer.max_epochs {
        let mut epoch = Epoch::of(&state, plan, ids.len());
        let (remaining, share) = (epoch.remaining(), member.share());
        let prepare = |step: &PlannedStep| plan.shards(task, step, share);
        let train_step = |planned: &PlannedStep, shards| -> Result<ControlFlow<()>, FitError> {
            let Moment { step, epoch: number } = planned.moment;
            let Made { lr, loss, norm, scale, skipped, done_in_epoch, epoch_done } =
                maker.make(&mut state, member, planned, shards, &mut epoch)?.expect("worker 0 decides when a run ends");
            let step_samples = planned.batches.iter().map(Vec::len).sum();
            let epoch_loss = EpochLoss::and(state.progress.epoch_loss.as_ref(), loss, step_samples);
            let mean_loss = epoch_done.then(|| epoch_loss.mean());
            state.progress.epoch_loss = (!epoch_done).then_some(epoch_loss);
            let validation_began = (plan.elapsed)();
            let metrics = match plan.validation_due(done_in_epoch, epoch.steps()) {
                true => Some(evaluate(task, &state, plan, Split::Val, usize::MAX, device)?),
                false => None,
            };
            if metrics.is_some() {
                pace.judged(validation_began, (plan.elapsed)(), plan.samples_of(task, Split::Val));
            }
            // Before the leaf: its digest covers what the end of the run and the next checkpoint depend on, too.
            let give_up = match &metrics {
                Some(metrics) => early_stop::observe(&mut state.progress, stopping.as_ref(), metrics)?,
                None => false,
            };
            ranking.note(&mut state.progress, metrics.as_deref())?;
            let is_due =
                plan.checkpoint_due(step, epoch_done.then_some(number)) || ranking.is_improved(&state.progress);
            let checkpoint = is_due.then(|| checkpoint_file(step));
            if let Some(file) = &checkpoint {
                ranking.keep(&mut state.progress, file);
            }
            // Ranking improves at a validation only.
            let digest_due = plan.digest_due(step, number, done_in_epoch, epoch.steps()) || points.is_due(step);
            let snapshot = digest_due.then(|| state.snapshot());
            if let Some(snapshot) = snapshot.as_ref().filter(|_| member.size() > 1) {
                member.remember(snapshot.tensors_digest());
            }
            let leaf = StepLeaf {
                step,
                epoch: number,
                samples: samples_digest(ids, &planned.batches),
                learning_rate_bits: f64_bits(lr),
                loss_bits: f32_bits(loss),
                gradient_norm_bits: f32_bits(norm),
                loss_scale: scale.map(|scale| ScaledStep { exponent: scale.exponent, skipped }),
                state: snapshot.as_ref().map(Snapshot::state_digest),
            };
            run.append_step(&leaf)?;
            if step.is_multiple_of(trainer.log_every_n_steps.into()) {
                let figures = [("train/loss", loss), ("train/gradient_norm", norm)];
                let figures = figures.map(|(name, value)| Figure { name: name.into(), value: value.into() });
                run.record(plan.seconds(), step, RunEvent::Trained { epoch: number, figures: figures.into() })?;
            }
            if let Some(value) = mean_loss {
                let figures = vec![Figure { name: "train/loss_epoch".into(), value }];
                run.record(plan.seconds(), step, RunEvent::Trained { epoch: number, figures })?;
            }
            let now = (plan.elapsed)();
            pace.stepped(now, step_samples);
            let next_is_validated = plan.validation_due(if epoch_done { 1 } else { done_in_epoch + 1 }, epoch.steps());
            let ahead = Ahead {
                validated: if next_is_validated { plan.samples_of(task, Split::Val) } else { 0 },
                tested: plan.samples_of(task, Split::Test),
            };
            exit = exit.or(match observer.observe(Event::Step { leaf: &leaf, loss }) {
                ControlFlow::Break(()) => Some(Exit::Interrupted),
                ControlFlow::Continue(()) => {
                    plan.limit_reached(step, || plan.wall.is_some_and(|wall| pace.is_over(&wall, now, ahead)))
                }
            });
            if let Some(metrics) = &metrics {
                let figures = figures(metrics);
                run.record(plan.seconds(), step, RunEvent::Validated { epoch: number, figures })?;
            }
            let bytes = snapshot.filter(|_| points.is_due(step) || is_due).map(|snapshot| snapshot.to_bytes());
            if let Some(bytes) = bytes.as_deref().filter(|_| points.is_due(step)) {
                run.write_audit_point(step, bytes)?;
                run.record(plan.seconds(), step, RunEvent::AuditPoint { file: audit_point::name(step) })?;
            }
            if let Some(file) = &checkpoint {
                let bytes = bytes.expect("a checkpoint that is due comes with a digest");
                let best = ranking.best(&state.progress.kept);
                let began = (plan.elapsed)();
                run.write_checkpoint(file, &bytes, &state.progress.kept, best)?;
                pace.checkpointed(began, (plan.elapsed)());
                let written = RunEvent::Checkpoint { file: format!("{CHECKPOINTS}/{file}") };
                run.record(plan.seconds(), step, written)?;
                let _ = observer.observe(Event::Checkpoint { file });
            }
            if let Some(metrics) = &metrics {
                show(task, &state, plan, metrics, observer, device);
                if observer.observe(Event::Validated { epoch: number, metrics }).is_break() {
                    exit = exit.or(Some(Exit::Interrupted));
                }
            }
            // A run that is over anyway did not meet a limit, nor was it interrupted: its replay ends there by itself.
            if give_up {
                exit = Some(Exit::EarlyStopped);
            }
            Ok(if exit.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        };
        let _ = prepared_in_order(trainer.dataloader, &remaining, prepare, train_step)?;
    }
    // The last step may meet the time limit, or be interrupted, at the end of the plan: a finished run is a finished run.
    let is_done = state.progress.position.epoch >= trainer.max_epochs;
    let exit = exit.filter(|exit| !is_done || *exit == Exit::EarlyStopped).unwrap_or(Exit::Completed);
    member.end(state.progress.position.step)?;
    finish(task, plan, ranking, state, exit, run, device)
}

fn begin<B: AutodiffBackend, T: Task>(
    task: &T,
    plan: &FitPlan<'_>,
    checkpoint: Option<Snapshot>,
    device: &B::Device,
) -> Result<State<B, T>, FitError> {
    let progress = Progress::start(NUMERICS_VERSION, plan.arithmetic(), task.describe());
    let rule = UpdateRule { optimizer: &plan.optimizer, ema: plan.ema };
    let fresh = TrainState::fresh(initial_model(task, plan.trainer.seed, device), rule, progress)?;
    if fresh.trained().is_empty() {
        return Err(FitError::NothingToTrain);
    }
    match checkpoint {
        Some(snapshot) if snapshot.progress.arithmetic != plan.arithmetic() => Err(SnapshotMismatch {
            path: "arithmetic".into(),
            expected: format!("{:?}", plan.arithmetic()),
            got: format!("{:?}", snapshot.progress.arithmetic),
        })?,
        Some(snapshot) => Ok(fresh.restore(snapshot, device)?),
        None => Ok(fresh),
    }
}

/// Figures for the logs.
fn figures(metrics: &[Metric]) -> Vec<Figure> {
    metrics.iter().map(|Metric { name, value }| Figure { name: name.clone(), value: *value }).collect()
}

/// The name of the checkpoint after a step.
fn checkpoint_file(step: u64) -> String {
    format!("step-{step:08}.safetensors")
}

/// Figures over a split's first samples, as many as its batch limit and `at_most` allow; none for an empty split.
fn evaluate<B: AutodiffBackend, T: Task>(
    task: &T,
    state: &State<B, T>,
    plan: &FitPlan<'_>,
    split: Split,
    at_most: usize,
    device: &B::Device,
) -> Result<Vec<Metric>, FitError> {
    let samples: Vec<_> = (0..plan.evaluated(split, task.sample_ids(split).len()).min(at_most)).collect();
    if samples.is_empty() {
        return Ok(Vec::new());
    }
    let moment = state.progress.position.last_moment();
    let rng = CounterRng::new(plan.trainer.seed, Stream::EVALUATE, moment.step as u32).part(split as u32);
    let draws = Draws::new(plan.trainer.seed, split, moment);
    let judge = || task.evaluate(&state.inference(), split, &samples, draws, device);
    let metrics = with_arithmetic(plan.arithmetic(), || with_random(rng, judge))
        .map_err(|source| FitError::Task { split: split.name(), source })?;
    let named = |Metric { name, value }| Metric { name: split.metric(&name), value };
    Ok(metrics.into_iter().map(named).collect())
}

/// Lets the observer look at a validated state.
fn show<B: AutodiffBackend, T: Task>(
    task: &T,
    state: &State<B, T>,
    plan: &FitPlan<'_>,
    metrics: &[Metric],
    observer: &mut (impl Observer<T> + ?Sized),
    device: &B::Device,
) {
    let moment = state.progress.position.last_moment();
    // Numbers that no split's evaluation has.
    let rng = CounterRng::new(plan.trainer.seed, Stream::EVALUATE, moment.step as u32).part(OBSERVER_PART);
    let look = Look { task, moment, metrics, device, model: &|| state.inference() };
    with_arithmetic(plan.arithmetic(), || with_random(rng, || observer.look::<B>(look)));
}

/// Refuses what is known to fail before anything is computed; returns the number of steps planned.
///
/// [`fit`] does it, too: this is for those who want to know before they make a run directory.
///
/// # Errors
/// The first thing that cannot work.
pub fn check<T: Task>(task: &T, plan: &FitPlan<'_>) -> Result<u64, FitError> {
    plan.optimizer.check()?;
    plan.schedule.check()?;
    plan.ema.map_or(Ok(()), |ema| ema.check())?;
    within("data.batch_size", 1..=usize::MAX, plan.batch_size)?;
    let ids = task.sample_ids(Split::Train);
    if ids.is_empty() {
        return Err(FitError::NoSamples);
    }
    for split in [Split::Train, Split::Val, Split::Test] {
        let samples = task.sample_ids(split).len();
        let (key, limit) = plan.limit(split);
        if let Some(BatchLimit::Share(got)) = limit
            && samples > 0
            && plan.evaluated(split, samples) == 0
        {
            return Err(FitError::NoBatches { key, got, batches: samples.div_ceil(plan.batch_size) });
        }
    }
    let steps = plan.epoch(0, ids.len()).len() as u64;
    let planned = steps.saturating_mul(plan.trainer.max_epochs.into());
    if planned > MAX_STEPS {
        return Err(FitError::TooManySteps { planned });
    }
    schedule::check(&plan.schedule, planned)?;
    let interval = plan.trainer.val_check_interval.of(steps);
    if interval > steps {
        return Err(FitError::NeverValidated { steps, got: interval });
    }
    let judges = Judges::of(task, plan)?;
    if let Some((keys, monitor)) = judges.monitored().next()
        && !plan.is_validated(task)
    {
        return Err(FitError::NothingToMonitor { key: keys.monitor, monitor: monitor.metric.clone() });
    }
    Ok(planned)
}

/// What looks at validations.
struct Judges {
    stopping: Option<Stopping>,
    ranking: Ranking,
}

impl Judges {
    fn of<T: Task>(task: &T, plan: &FitPlan<'_>) -> Result<Self, MonitorError> {
        let declared = task.metrics();
        let settings = plan.trainer.early_stopping.as_ref();
        let stopping = settings.map(|settings| Stopping::new(settings, declared.as_deref())).transpose()?;
        // Without samples to validate on, nobody asked for the task's own monitor.
        let own = task.monitor().filter(|_| plan.is_validated(task));
        let watched = stopping.as_ref().map(|stopping| &stopping.monitor);
        let ranking = Ranking::new(&plan.trainer.checkpoint, watched, own.as_deref(), declared.as_deref())?;
        Ok(Self { stopping, ranking })
    }

    /// What is monitored, with the keys that say so.
    fn monitored(&self) -> impl Iterator<Item = (MonitorKeys, &Monitor)> {
        let stopping = self.stopping.as_ref().map(|stopping| (early_stop::KEYS, &stopping.monitor));
        let kept = self.ranking.monitor().map(|monitor| (kept::KEYS, monitor));
        stopping.into_iter().chain(kept)
    }
}
