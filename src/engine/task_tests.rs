//! What a task of somebody else's may do, and what `fit` says to what it may not.

use std::ops::ControlFlow;
use std::time::Duration;

use burn::module::{Module, Param, ParamId};
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{Bool, Distribution, Int, Tensor, TensorData};

use super::PortableCpu;
use super::fit::{Event, Exit, FitError, FitOutcome, FitPlan, fit};
use super::run_dir::{FINAL_CHECKPOINT, RunDirectory, STEP_LOG};
use super::settings::{
    AdamSettings, BatchLimit, CheckpointSettings, EarlyStopping, LoggerSettings, MonitorMode, OptimizerSettings, Rule,
    TrainerSettings, ValInterval,
};
use super::snapshot::{IntegerKind, Snapshot};
use super::state::{initial_model, load_parameters};
use super::task::{DeclaredMetric, Draws, Metric, Moment, Split, Task, TaskError};

type B = PortableCpu;

/// Picks and masks columns by parameters that no gradient reaches, and has one parameter that may be left out or frozen.
#[derive(Module, Debug)]
struct Net<B: Backend> {
    weights: Param<Tensor<B, 1>>,
    spare: Param<Tensor<B, 1>>,
    order: Param<Tensor<B, 1, Int>>,
    mask: Param<Tensor<B, 1, Bool>>,
}

impl<B: Backend> Net<B> {
    fn picked(&self, device: &B::Device) -> Tensor<B, 1> {
        let picked = self.weights.val().select(0, self.order.val());
        let zeros = Tensor::zeros([3], device);
        picked.mask_where(self.mask.val(), zeros)
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Habits {
    /// Evaluates with noise.
    noisy: bool,
    /// Leaves the spare parameter out of the loss.
    leaves_out: bool,
    /// Freezes it.
    freezes: bool,
    /// Uses an op that portable numerics refuse, in the loss or in the evaluation.
    refused_in_loss: bool,
    refused_in_evaluation: bool,
    refused_in_batch: bool,
    /// Says beforehand what it measures.
    announces: bool,
    /// The first of the order that it begins with.
    first: i64,
}

struct Odd {
    ids: [Vec<String>; 3],
    habits: Habits,
}

impl Odd {
    fn new(habits: Habits) -> Self {
        let ids = |count: usize| (0..count).map(|id| id.to_string()).collect();
        Self { ids: [ids(8), ids(4), ids(4)], habits }
    }
}

fn refused<B: Backend>(device: &B::Device) {
    let two = Tensor::<B, 1, Int>::from_data(TensorData::new(vec![2i64], [1]), device);
    let _ = two.clone().powi(two);
}

impl Task for Odd {
    type Model<B: AutodiffBackend> = Net<B>;
    type Batch = usize;

    fn init<B: AutodiffBackend>(&self, device: &B::Device) -> Net<B> {
        let order = TensorData::new(vec![self.habits.first, 0, 1], [3]);
        let mask = TensorData::new(vec![false, true, false], [3]);
        let spare = Param::from_tensor(Tensor::ones([2], device));
        Net {
            weights: Param::from_tensor(Tensor::ones([3], device)),
            spare: if self.habits.freezes { spare.no_grad() } else { spare },
            order: Param::initialized(ParamId::new(), Tensor::from_data(order, device)),
            mask: Param::initialized(ParamId::new(), Tensor::from_data(mask, device)),
        }
    }
    fn sample_ids(&self, split: Split) -> &[String] {
        &self.ids[split as usize]
    }
    fn batch(&self, _: Split, samples: &[usize], _: Draws) -> usize {
        if self.habits.refused_in_batch {
            refused::<super::repro::Cpu>(&Default::default());
        }
        samples.len()
    }
    fn loss<B: AutodiffBackend>(&self, model: &Net<B>, samples: &usize, _: Moment, device: &B::Device) -> Tensor<B, 1> {
        if self.habits.refused_in_loss {
            // Autodiff makes this op of others, which are portable.
            refused::<B::InnerBackend>(device);
        }
        let sum = model.picked(device).sum();
        let sum = if self.habits.leaves_out { sum } else { sum + model.spare.val().sum() };
        sum.mul_scalar(*samples as f32)
    }
    fn evaluate<B: AutodiffBackend>(
        &self,
        model: &Net<B::InnerBackend>,
        _: Split,
        samples: &[usize],
        _: Draws,
        device: &B::Device,
    ) -> Result<Vec<Metric>, TaskError> {
        if self.habits.refused_in_evaluation {
            refused::<B::InnerBackend>(device);
        }
        let mut total = model.picked(device).sum();
        if self.habits.noisy {
            total = total + Tensor::random([1], Distribution::Normal(0.0, 1.0), device);
        }
        let value = f64::from(total.into_data().into_vec::<f32>()?[0]) + samples.len() as f64;
        Ok(vec![Metric { name: "total".into(), value }])
    }
    fn metrics(&self) -> Option<Vec<DeclaredMetric>> {
        self.habits.announces.then(|| vec![DeclaredMetric::max("total")])
    }
}

struct Run {
    folder: tempfile::TempDir,
    done: Result<FitOutcome<Net<<B as AutodiffBackend>::InnerBackend>>, FitError>,
    /// Steps and validations: `s`, `v`.
    events: String,
}

impl Run {
    fn error(self) -> String {
        self.done.map(|done| done.steps).expect_err("refused").to_string()
    }

    fn has_steps(&self) -> bool {
        std::fs::read(self.folder.path().join("run").join(STEP_LOG)).is_ok_and(|log| !log.is_empty())
    }

    fn metrics(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("run/logs/metrics.csv")).expect("a log of metrics")
    }
}

fn settings() -> TrainerSettings {
    TrainerSettings {
        max_epochs: 2,
        early_stopping: None,
        micro_shards: 2,
        log_every_n_steps: 100,
        ..TrainerSettings::default()
    }
}

fn run(habits: Habits, settings: TrainerSettings, optimizer: OptimizerSettings, batch_size: usize) -> Run {
    let (folder, task) = (tempfile::tempdir().expect("temp dir"), Odd::new(habits));
    let trainer = settings.check().expect("settings the engine takes");
    let plan = FitPlan::new(&trainer, optimizer, batch_size, &|| Duration::ZERO);
    let logger = LoggerSettings { metrics: true, ..LoggerSettings::NONE };
    let mut directory = RunDirectory::create(&folder.path().join("run"), logger).expect("a run directory");
    let mut events = String::new();
    let observer = &mut |event: Event<'_>| {
        match event {
            Event::Step { .. } => events.push('s'),
            Event::Validated { .. } => events.push('v'),
            _ => {}
        }
        ControlFlow::Continue(())
    };
    let done = fit::<B, _>(&task, &plan, None, &mut directory, observer, &Default::default());
    Run { folder, done, events }
}

fn plain(habits: Habits) -> Run {
    run(habits, settings(), OptimizerSettings::default(), 2)
}

#[test]
fn an_evaluation_may_draw_and_draws_the_same_again() {
    let noisy = Habits { noisy: true, ..Habits::default() };
    let [first, second] = [plain(noisy), plain(noisy)];
    let metrics = first.metrics();
    assert_eq!(metrics, second.metrics());
    let values: std::collections::BTreeSet<_> =
        metrics.lines().filter(|line| line.contains("/total")).map(|line| line.rsplit(',').next()).collect();
    assert_eq!(values.len(), 3, "two validations and a test, each with numbers of its own: {metrics}");
    assert_ne!(metrics, plain(Habits::default()).metrics());
    assert!(first.done.is_ok());
}

#[test]
fn settings_that_no_step_can_be_made_with_are_refused_before_the_first() {
    let good = OptimizerSettings::default;
    let adamw = |betas, eps| OptimizerSettings { rule: Rule::Adamw(AdamSettings { betas, eps }), ..good() };
    for (optimizer, key) in [
        (OptimizerSettings { lr: -1.0, ..good() }, "optimizer.lr"),
        (OptimizerSettings { lr: f64::NAN, ..good() }, "optimizer.lr"),
        (adamw([1.0, 0.9], 1e-8), "optimizer.betas"),
        (adamw([0.9, 1.0], 1e-8), "optimizer.betas"),
        (adamw([0.9, 0.9], 0.0), "optimizer.eps"),
        (OptimizerSettings { weight_decay: f64::INFINITY, ..good() }, "optimizer.weight_decay"),
    ] {
        let run = run(Habits::default(), settings(), optimizer, 2);
        assert!(!run.has_steps());
        assert!(matches!(run.done, Err(FitError::Setting(_))), "{key}");
        assert!(run.error().starts_with(key), "{key}");
    }
    assert!(run(Habits::default(), settings(), good(), 0).error().contains("batch_size: expected a number from 1"));
}

#[test]
fn a_monitor_that_no_validation_gives_is_refused_before_the_first_step() {
    let stopping = |monitor: &str| TrainerSettings {
        early_stopping: Some(EarlyStopping { monitor: monitor.into(), mode: Some(MonitorMode::Max), patience: 1 }),
        ..settings()
    };
    let ranking = |monitor: &str| TrainerSettings {
        checkpoint: CheckpointSettings {
            monitor: Some(monitor.into()),
            mode: Some(MonitorMode::Max),
            ..CheckpointSettings::default()
        },
        ..settings()
    };
    for announces in [true, false] {
        let habits = Habits { announces, ..Habits::default() };
        let of = |settings| run(habits, settings, OptimizerSettings::default(), 2);
        for (settings, key) in [
            (stopping("val/score"), "trainer.early_stopping.monitor=val/score"),
            (ranking("val/score"), "trainer.checkpoint.monitor=val/score"),
            (ranking("train/loss"), "trainer.checkpoint.monitor=train/loss"),
        ] {
            let run = of(settings);
            assert!(!run.has_steps());
            let error = run.error();
            assert!(error.starts_with(key) && error.contains("(val/total)"), "{error}");
        }
        for settings in [stopping("val/total"), ranking("val/total")] {
            assert!(of(settings).done.is_ok());
        }
        let nothing = TrainerSettings { limit_val_batches: Some(BatchLimit::Share(0.4)), ..ranking("val/total") };
        assert!(
            of(nothing).error().starts_with("trainer.limit_val_batches=0.4: expected at least one of the 2 batches")
        );
    }
}

#[test]
fn a_direction_that_contradicts_the_task_is_refused_and_one_that_it_declares_need_not_be_said() {
    let of = |announces, mode| {
        let early_stopping = Some(EarlyStopping { monitor: "val/total".into(), mode, patience: 1 });
        let settings = TrainerSettings { early_stopping, ..settings() };
        run(Habits { announces, ..Habits::default() }, settings, OptimizerSettings::default(), 2)
    };
    // The total falls from validation to validation: better would be more.
    let declared = of(true, None);
    assert_eq!(declared.done.as_ref().expect("trains").exit, Exit::EarlyStopped);
    assert_eq!(of(true, Some(MonitorMode::Max)).events, declared.events);
    assert_eq!(of(false, Some(MonitorMode::Min)).done.expect("trains").exit, Exit::Completed);
    let contradiction = of(true, Some(MonitorMode::Min));
    assert!(!contradiction.has_steps());
    assert!(contradiction.error().starts_with("trainer.early_stopping.mode: expected max"));
    assert!(of(false, None).error().starts_with("trainer.early_stopping.mode: expected max or min"));
}

#[test]
fn an_epoch_is_validated_as_often_as_asked_and_its_mean_loss_is_logged() {
    let events = |interval| {
        let settings = TrainerSettings { val_check_interval: interval, ..settings() };
        run(Habits::default(), settings, OptimizerSettings::default(), 2).events
    };
    assert_eq!(events(ValInterval::Share(1.0)), "ssssvssssv");
    assert_eq!(events(ValInterval::Share(0.5)), "ssvssvssvssv");
    assert_eq!(events(ValInterval::Steps(3)), "sssvssssvs");
    let never = TrainerSettings { val_check_interval: ValInterval::Steps(5), ..settings() };
    let error = run(Habits::default(), never, OptimizerSettings::default(), 2).error();
    assert!(error.starts_with("trainer.val_check_interval: expected at most the 4 steps"), "{error}");

    let logged = TrainerSettings { log_every_n_steps: 1, ..settings() };
    let metrics = run(Habits::default(), logged, OptimizerSettings::default(), 3).metrics();
    let of = |name: &str| -> Vec<f64> {
        let named = metrics.lines().filter(|line| line.contains(&format!(",{name},")));
        named.map(|line| line.rsplit(',').next().expect("a value").parse().expect("a number")).collect()
    };
    // Batches of 3, 3 and 2.
    let (steps, epochs) = (of("train/loss"), of("train/loss_epoch"));
    assert_eq!((steps.len(), epochs.len()), (6, 2));
    for (epoch, mean) in epochs.iter().enumerate() {
        let [a, b, c] = [0, 1, 2].map(|step| steps[epoch * 3 + step]);
        let expected = (3.0 * a + 3.0 * b + 2.0 * c) / 8.0;
        assert!((mean - expected).abs() < 1e-6, "{mean} {expected}");
    }
}

#[test]
fn parameters_of_integers_are_in_checkpoint_and_digest() {
    let of = |first| plain(Habits { first, ..Habits::default() });
    let [two, one] = [of(2), of(1)];
    let [state_of_two, state_of_one] = [&two, &one]
        .map(|run| Snapshot::read(&run.folder.path().join("run").join(FINAL_CHECKPOINT)).expect("a checkpoint"));
    let order = &state_of_two.integers["parameter/order"];
    assert_eq!(
        (order.kind, order.shape.as_slice(), order.values.as_slice()),
        (IntegerKind::Int, &[3][..], &[2, 0, 1][..])
    );
    let mask = &state_of_two.integers["parameter/mask"];
    assert_eq!((mask.kind, mask.values.as_slice()), (IntegerKind::Bool, &[0, 1, 0][..]));
    let changed = Snapshot { integers: state_of_one.integers.clone(), ..state_of_two.clone() };
    assert_ne!(changed.state_digest(), state_of_two.state_digest());

    // A model that begins with another order takes the checkpoint's.
    let device = Default::default();
    let fresh = initial_model::<B, _>(&Odd::new(Habits { first: 1, ..Habits::default() }), 42, &device);
    let loaded = load_parameters::<B, _>(fresh.clone(), &state_of_two, &device).expect("fits");
    assert_eq!(loaded.order.val().into_data().iter::<i64>().collect::<Vec<_>>(), [2, 0, 1]);
    assert_eq!(loaded.mask.val().into_data().iter::<bool>().collect::<Vec<_>>(), [false, true, false]);
    let mut without = state_of_two.clone();
    without.integers.remove("parameter/order");
    let error = load_parameters::<B, _>(fresh, &without, &device).map(drop).expect_err("nothing to load").to_string();
    assert!(error.contains("parameter/order") && error.contains("no such tensor"), "{error}");
}

#[test]
fn an_op_that_is_refused_is_an_error_wherever_it_is_used() {
    let cases = [
        Habits { refused_in_loss: true, ..Habits::default() },
        Habits { refused_in_evaluation: true, ..Habits::default() },
        Habits { refused_in_batch: true, ..Habits::default() },
    ];
    for habits in cases {
        let run = plain(habits);
        assert!(matches!(run.done, Err(FitError::Refused(_))), "{habits:?}");
        let error = run.error();
        assert!(error.contains("int_powi") && error.contains("portable"), "{error}");
    }
}

#[test]
fn a_parameter_that_no_loss_depends_on_is_named_unless_it_is_frozen() {
    let error = plain(Habits { leaves_out: true, ..Habits::default() }).error();
    assert!(error.starts_with("no loss of epoch 0 has a gradient for spare: "), "{error}");
    assert!(plain(Habits { leaves_out: true, freezes: true, ..Habits::default() }).done.is_ok());
    let frozen = plain(Habits { freezes: true, ..Habits::default() });
    assert!(frozen.done.is_ok());
    let state = Snapshot::read(&frozen.folder.path().join("run").join(FINAL_CHECKPOINT)).expect("a checkpoint");
    assert_eq!(state.tensors["parameter/spare"].values, [1.0, 1.0]);
}
