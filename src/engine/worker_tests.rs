//! Tests of runs that several workers make: the same bits for any number of them, and every way in which one can fail.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use burn::tensor::Tensor;
use burn::tensor::backend::AutodiffBackend;

use super::PortableCpu;
use super::fit::{FitError, FitPlan, follow, lead};
use super::repro::{Arithmetic, Numerics, Precision};
use super::run_dir::{FINAL_CHECKPOINT, RunDirectory};
use super::settings::{
    AuditSettings, CheckpointSettings, EarlyStopping, EmaSettings, LoggerSettings, MonitorMode, OptimizerSettings,
    SupportedTrainer, TrainerSettings, ValInterval, WallTime,
};
use super::snapshot::Snapshot;
use super::task::{Draws, InferenceModel, Metric, Moment, Split, Task, TaskError};
use super::training_tests::{Curve, Net};
use super::workers::{WorkerError, together};
use crate::digest::Blake3Digest;

type B = PortableCpu;

/// A trainer profile for 50 samples in batches of 13: the last one is shorter than the micro-shards are many.
fn trainer(sync_batchnorm: bool, arithmetic: Arithmetic) -> SupportedTrainer {
    let settings = TrainerSettings {
        numerics: arithmetic.numerics,
        precision: arithmetic.precision,
        sync_batchnorm,
        max_epochs: 3,
        accumulate_grad_batches: 3,
        val_check_interval: ValInterval::Steps(1),
        early_stopping: None,
        checkpoint: CheckpointSettings { every_n_epochs: Some(2), save_top_k: 1, ..CheckpointSettings::default() },
        micro_shards: 16,
        worker_timeout: WallTime(Duration::from_secs(60)),
        ..TrainerSettings::default()
    };
    settings.check().expect("settings the engine takes")
}

fn plan(trainer: &SupportedTrainer) -> FitPlan<'_> {
    let optimizer = OptimizerSettings { lr: 0.01, ..OptimizerSettings::default() };
    FitPlan {
        ema: Some(EmaSettings { decay: 0.5, from_step: 2 }),
        audit: AuditSettings { state_digest_every: 2, segments: 3, min_segment_steps: 1, max_bytes: 1 << 20 },
        ..FitPlan::new(trainer, optimizer, 13, &|| Duration::ZERO)
    }
}

/// What a run came to.
#[derive(Debug, Clone, PartialEq)]
struct Came {
    root: Blake3Digest,
    state: Blake3Digest,
    metrics: Vec<Metric>,
    checkpoint: Snapshot,
}

/// Trains by so many workers; worker 0 by one plan, the others by another.
fn train_by_plans<T: Task>(
    workers: usize,
    task: &T,
    plans: [&FitPlan<'_>; 2],
    checkpoint: Option<Snapshot>,
) -> Result<Came, FitError> {
    let folder = tempfile::tempdir().expect("temp dir");
    let mut run = RunDirectory::create(&folder.path().join("run"), LoggerSettings::NONE).expect("a run directory");
    let places = (0..workers).map(|rank| format!("place {rank}")).collect();
    let timeout = plans[0].trainer.worker_timeout.0;
    let kept = checkpoint.clone();
    let done = together(
        places,
        timeout,
        |mut member| {
            let mut nobody = |_: super::fit::Event<'_>| ControlFlow::Continue(());
            lead::<B, T>(task, plans[0], &mut member, checkpoint, &mut run, &mut nobody, &Default::default())
                .map(|done| done.end)
        },
        |mut member| {
            let _ = follow::<B, T>(task, plans[1], &mut member, kept.clone(), &Default::default());
        },
    )?;
    let checkpoint = Snapshot::read(&run.root().join(FINAL_CHECKPOINT)).expect("a checkpoint");
    Ok(Came { root: run.step_log().root(), state: done.state_digest, metrics: done.metrics, checkpoint })
}

fn train(workers: usize, task: &impl Task, plan: &FitPlan<'_>, checkpoint: Option<Snapshot>) -> Result<Came, FitError> {
    train_by_plans(workers, task, [plan; 2], checkpoint)
}

#[test]
fn any_number_of_workers_makes_the_same_bits_in_every_mode_whatever_batch_norm_sees() {
    let task = Curve::new(1.0);
    let mut roots = Vec::new();
    for precision in [Precision::Full, Precision::MixedF16, Precision::MixedBf16] {
        for sync_batchnorm in [false, true] {
            let trainer = trainer(sync_batchnorm, Arithmetic { numerics: Numerics::Portable, precision });
            let alone = train(1, &task, &plan(&trainer), None).expect("trains");
            for workers in [2, 4, 8, 16] {
                let together = train(workers, &task, &plan(&trainer), None).expect("trains");
                assert_eq!(together, alone, "{precision:?}, {sync_batchnorm}, {workers} workers");
            }
            roots.push(alone.root);
        }
    }
    roots.sort_unstable();
    roots.dedup();
    assert_eq!(roots.len(), 6, "each mode has bits of its own");
}

#[test]
fn a_run_goes_on_with_another_number_of_workers() {
    let task = Curve::new(1.0);
    let trainer = trainer(false, Arithmetic::PORTABLE);
    let whole = train(1, &task, &plan(&trainer), None).expect("trains");
    let mut checkpoint = None;
    for (workers, stop_after_steps) in [(4, Some(1)), (1, Some(2)), (2, Some(5)), (16, None)] {
        let plan = FitPlan { stop_after_steps, ..plan(&trainer) };
        let part = train(workers, &task, &plan, checkpoint.take()).expect("trains");
        if stop_after_steps.is_none() {
            assert_eq!((part.state, &part.checkpoint), (whole.state, &whole.checkpoint));
        }
        checkpoint = Some(part.checkpoint);
    }
}

#[test]
fn a_run_in_lockstep_ends_early_wherever_it_is_told_to() {
    let task = Curve::new(1.0);
    let trainer = trainer(true, Arithmetic::PORTABLE);
    // With and without a digest of the last step.
    for stop in [1, 2, 3] {
        let plan = FitPlan { stop_after_steps: Some(stop), ..plan(&trainer) };
        let alone = train(1, &task, &plan, None).expect("trains");
        for workers in [2, 4] {
            assert_eq!(train(workers, &task, &plan, None).expect("trains"), alone, "{workers} workers, {stop} steps");
        }
    }
    let settings = TrainerSettings {
        early_stopping: Some(EarlyStopping { monitor: "val/worst".into(), mode: Some(MonitorMode::Max), patience: 1 }),
        ..TrainerSettings::clone(&trainer)
    };
    let trainer = settings.check().expect("settings the engine takes");
    let alone = train(1, &task, &plan(&trainer), None).expect("trains");
    assert_eq!(train(4, &task, &plan(&trainer), None).expect("trains"), alone);
    assert!(alone.checkpoint.progress.position.step < 6, "it stopped early");
}

/// A task, and what goes wrong in the loss of one worker: that which comes to it as the `at`th of all calls.
struct Faulty {
    task: Curve,
    calls: AtomicUsize,
    at: usize,
    fault: Fault,
}

#[derive(Clone, Copy)]
enum Fault {
    Panic,
    Nan,
    Silence(Duration),
}

impl Faulty {
    fn new(fault: Fault) -> Self {
        Self { task: Curve::new(1.0), calls: AtomicUsize::new(0), at: 100, fault }
    }
}

impl Task for Faulty {
    type Model<B: AutodiffBackend> = Net<B>;
    type Batch = Vec<usize>;

    fn init<B: AutodiffBackend>(&self, device: &B::Device) -> Net<B> {
        self.task.init::<B>(device)
    }

    fn sample_ids(&self, split: Split) -> &[String] {
        self.task.sample_ids(split)
    }

    fn batch(&self, split: Split, samples: &[usize], draws: Draws) -> Vec<usize> {
        self.task.batch(split, samples, draws)
    }

    fn loss<B: AutodiffBackend>(
        &self,
        model: &Net<B>,
        batch: &Vec<usize>,
        at: Moment,
        device: &B::Device,
    ) -> Tensor<B, 1> {
        let loss = self.task.loss::<B>(model, batch, at, device);
        if self.calls.fetch_add(1, Ordering::Relaxed) != self.at {
            return loss;
        }
        match self.fault {
            Fault::Panic => panic!("this shard cannot"),
            Fault::Nan => loss.mul_scalar(f32::NAN),
            Fault::Silence(time) => {
                std::thread::sleep(time);
                loss
            }
        }
    }

    fn evaluate<B: AutodiffBackend>(
        &self,
        model: &InferenceModel<Self, B>,
        split: Split,
        samples: &[usize],
        draws: Draws,
        device: &B::Device,
    ) -> Result<Vec<Metric>, TaskError> {
        self.task.evaluate::<B>(model, split, samples, draws, device)
    }
}

#[test]
fn a_worker_that_panics_ends_the_run_and_is_named() {
    let trainer = trainer(false, Arithmetic::PORTABLE);
    for workers in [2, 4, 16] {
        // Whichever worker it is: worker 0's own panic is that of the call.
        let task = Faulty::new(Fault::Panic);
        let done =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| train(workers, &task, &plan(&trainer), None)));
        match done {
            Ok(Err(FitError::Worker(WorkerError::Failed { rank, place, reason }))) => {
                assert_eq!((place, reason.as_str()), (format!("place {rank}"), "this shard cannot"));
                assert_ne!(rank, 0);
            }
            Ok(other) => panic!("{other:?}"),
            Err(panic) => assert_eq!(panic.downcast_ref::<&str>(), Some(&"this shard cannot")),
        }
    }
}

#[test]
fn a_loss_that_is_no_number_is_told_with_its_worker() {
    let trainer = trainer(false, Arithmetic::PORTABLE);
    let error = train(8, &Faulty::new(Fault::Nan), &plan(&trainer), None).expect_err("it diverges");
    let FitError::Diverged { loss, worker: Some(worker), .. } = &error else { panic!("{error}") };
    assert!(loss.is_nan() && worker.contains("(place "), "{error}");
    assert!(error.to_string().contains(&format!("the first loss that is not finite is that of {worker}")), "{error}");
}

#[test]
fn a_worker_that_does_not_answer_in_time_is_named() {
    let settings = TrainerSettings {
        worker_timeout: WallTime(Duration::from_millis(300)),
        ..TrainerSettings::clone(&trainer(false, Arithmetic::PORTABLE))
    };
    let trainer = settings.check().expect("settings the engine takes");
    let task = Faulty::new(Fault::Silence(Duration::from_secs(3)));
    let error = train(2, &task, &plan(&trainer), None).map(|came| came.state);
    // Worker 0 itself may be the silent one: then the others have ended.
    let error = error.expect_err("one is silent").to_string();
    assert!(error.starts_with("worker 1 (place 1) "), "{error}");
    assert!(
        error.contains("did not answer within trainer.worker_timeout, 0.3 s") || error.contains("has ended"),
        "{error}"
    );
}

#[test]
fn a_worker_whose_parameters_drift_is_named_at_the_next_digest() {
    let trainer = trainer(false, Arithmetic::PORTABLE);
    let own = plan(&trainer);
    let other = FitPlan { optimizer: OptimizerSettings { lr: 0.01000001, ..own.optimizer.clone() }, ..plan(&trainer) };
    let error =
        train_by_plans(2, &Curve::new(1.0), [&own, &other], None).map(|came| came.state).expect_err("it drifts");
    let FitError::Worker(WorkerError::Drifted { rank: 1, other: 0, step, .. }) = &error else { panic!("{error}") };
    assert_eq!(*step, 2, "the first step is validated");
    assert!(error.to_string().starts_with("worker 1 (place 1) has drifted before step 2"), "{error}");
}

#[test]
fn a_worker_that_is_elsewhere_in_the_plan_is_named() {
    let trainer = trainer(false, Arithmetic::PORTABLE);
    let own = plan(&trainer);
    let half = FitPlan { stop_after_steps: Some(1), ..plan(&trainer) };
    let checkpoint = train(1, &Curve::new(1.0), &half, None).expect("trains").checkpoint;
    let task = Curve::new(1.0);
    let folder = tempfile::tempdir().expect("temp dir");
    let mut run = RunDirectory::create(&folder.path().join("run"), LoggerSettings::NONE).expect("a run directory");
    let done = together(
        vec!["here".into(), "there".into()],
        Duration::from_secs(60),
        |mut member| {
            let mut nobody = |_: super::fit::Event<'_>| ControlFlow::Continue(());
            lead::<B, _>(&task, &own, &mut member, None, &mut run, &mut nobody, &Default::default())
                .map(|done| done.steps)
        },
        |mut member| {
            let _ = follow::<B, _>(&task, &own, &mut member, Some(checkpoint.clone()), &Default::default());
        },
    );
    let error = done.expect_err("one is ahead").to_string();
    assert_eq!(
        error,
        "worker 1 (there) is not where worker 0 is: expected step 1 of 3 batches, got step 2 of 1 batches"
    );
}

#[test]
fn statistics_of_the_whole_batch_are_refused_where_no_layer_asks_for_them() {
    /// Burn's batch norm, which asks nobody.
    struct Plain(Curve);
    impl Task for Plain {
        type Model<B: AutodiffBackend> = burn::nn::BatchNorm<B>;
        type Batch = Vec<usize>;

        fn init<B: AutodiffBackend>(&self, device: &B::Device) -> Self::Model<B> {
            burn::nn::BatchNormConfig::new(2).init(device)
        }
        fn sample_ids(&self, split: Split) -> &[String] {
            self.0.sample_ids(split)
        }
        fn batch(&self, _: Split, samples: &[usize], _: Draws) -> Vec<usize> {
            samples.to_vec()
        }
        fn loss<B: AutodiffBackend>(
            &self,
            model: &Self::Model<B>,
            batch: &Vec<usize>,
            _: Moment,
            device: &B::Device,
        ) -> Tensor<B, 1> {
            model.forward(Tensor::<B, 2>::ones([batch.len(), 2], device)).sum()
        }
        fn evaluate<B: AutodiffBackend>(
            &self,
            _: &InferenceModel<Self, B>,
            _: Split,
            _: &[usize],
            _: Draws,
            _: &B::Device,
        ) -> Result<Vec<Metric>, TaskError> {
            Ok(Vec::new())
        }
    }
    let trainer = trainer(true, Arithmetic::PORTABLE);
    let plan = FitPlan { ema: None, ..plan(&trainer) };
    let error = train(1, &Plain(Curve::new(1.0)), &plan, None).map(|came| came.state).expect_err("refused").to_string();
    assert!(error.contains("trainer.sync_batchnorm=true") && error.contains("(running_mean, running_var)"), "{error}");
}
