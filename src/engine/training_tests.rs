//! Tests of whole runs on a small Burn model: batch norm, mixed precision, native numerics.

use std::ops::ControlFlow;
use std::time::Duration;

use burn::module::{AutodiffModule, Module};
use burn::nn::{Linear, LinearConfig};
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{Tensor, TensorData, activation};

use super::PortableCpu;
use super::fit::{FitOutcome, FitPlan, fit};
use super::repro::{Arithmetic, BatchNorm, BatchNormConfig};
use super::run_dir::{FINAL_CHECKPOINT, RunDirectory, STEP_LOG, complete_lines};
use super::settings::{
    CheckpointSettings, LoggerSettings, Numerics, OptimizerSettings, Precision, SupportedTrainer, TrainerSettings,
};
use super::shard::{Shard, ShardGradient, StepShards, shard_range};
use super::snapshot::{Progress, Snapshot};
use super::state::{TrainState, UpdateRule, initial_model};
use super::step_log::{ScaledStep, StepLeaf};
use super::task::{Draws, Metric, Moment, Split, Task, TaskError};
use crate::digest::Blake3Digest;

type B = PortableCpu;

#[derive(Module, Debug)]
pub(super) struct Net<B: Backend> {
    widen: Linear<B>,
    norm: BatchNorm<B>,
    narrow: Linear<B>,
}

impl<B: Backend> Net<B> {
    fn forward(&self, x: Tensor<B, 2>) -> Tensor<B, 2> {
        self.narrow.forward(activation::tanh(self.norm.forward(self.widen.forward(x))))
    }
}

/// Points of a curve, their inputs multiplied by `gain`; shards take their time in an order of their own.
pub(super) struct Curve {
    ids: Vec<String>,
    gain: f32,
    dawdling: bool,
}

const SAMPLES: usize = 50;

impl Curve {
    pub(super) fn new(gain: f32) -> Self {
        Self { ids: (0..SAMPLES).map(|i| i.to_string()).collect(), gain, dawdling: false }
    }

    fn points<B: Backend>(&self, samples: &[usize], device: &B::Device) -> (Tensor<B, 2>, Tensor<B, 2>) {
        let place = |i: usize| i as f32 / SAMPLES as f32 - 0.5;
        let x = samples.iter().flat_map(|&i| [place(i) * self.gain, (place(i) * place(i) - 0.1) * self.gain]);
        let y = samples.iter().map(|&i| place(i) * place(i) * place(i) * self.gain);
        let x = TensorData::new(x.collect::<Vec<_>>(), [samples.len(), 2]);
        let y = TensorData::new(y.collect::<Vec<_>>(), [samples.len(), 1]);
        (Tensor::from_data(x, device), Tensor::from_data(y, device))
    }
}

impl Task for Curve {
    type Model<B: AutodiffBackend> = Net<B>;
    type Batch = Vec<usize>;

    fn init<B: AutodiffBackend>(&self, device: &B::Device) -> Net<B> {
        Net {
            widen: LinearConfig::new(2, 16).init(device),
            norm: BatchNormConfig::new(16).init(device),
            narrow: LinearConfig::new(16, 1).init(device),
        }
    }
    fn sample_ids(&self, _: Split) -> &[String] {
        &self.ids
    }
    fn batch(&self, _: Split, samples: &[usize], _: Draws) -> Vec<usize> {
        samples.to_vec()
    }
    fn loss<B: AutodiffBackend>(
        &self,
        model: &Net<B>,
        batch: &Vec<usize>,
        _: Moment,
        device: &B::Device,
    ) -> Tensor<B, 1> {
        if self.dawdling {
            std::thread::sleep(Duration::from_micros(batch[0] as u64 * 7919 % 1000));
        }
        let (x, y) = self.points(batch, device);
        (model.forward(x) - y).powi_scalar(2).sum()
    }
    fn evaluate<B: AutodiffBackend>(
        &self,
        model: &Net<B::InnerBackend>,
        _: Split,
        samples: &[usize],
        _: Draws,
        device: &B::Device,
    ) -> Result<Vec<Metric>, TaskError> {
        let (x, y) = self.points(samples, device);
        let worst = (model.forward(x) - y).abs().max().into_data().into_vec::<f32>()?[0];
        Ok(vec![Metric { name: "worst".into(), value: f64::from(worst) }])
    }
}

fn trainer(arithmetic: Arithmetic) -> SupportedTrainer {
    let settings = TrainerSettings {
        numerics: arithmetic.numerics,
        precision: arithmetic.precision,
        max_epochs: 4,
        early_stopping: None,
        checkpoint: CheckpointSettings { every_n_epochs: None, save_top_k: 0, ..CheckpointSettings::default() },
        micro_shards: 5,
        ..TrainerSettings::default()
    };
    settings.check().expect("settings the engine takes")
}

struct Run {
    folder: tempfile::TempDir,
    done: FitOutcome<Net<<B as AutodiffBackend>::InnerBackend>>,
    root: Blake3Digest,
}

impl Run {
    fn leaves(&self) -> Vec<StepLeaf> {
        let lines = complete_lines(&self.folder.path().join("run").join(STEP_LOG)).expect("a step log");
        lines.iter().map(|line| serde_json::from_str(line).expect("a leaf")).collect()
    }

    fn checkpoint(&self) -> Snapshot {
        Snapshot::read(&self.folder.path().join("run").join(FINAL_CHECKPOINT)).expect("a checkpoint")
    }
}

/// Trains for four epochs of four steps, or on from a checkpoint, or up to a step.
fn run(task: &Curve, arithmetic: Arithmetic, checkpoint: Option<Snapshot>, stop_after_steps: Option<u64>) -> Run {
    let trainer = trainer(arithmetic);
    let optimizer = OptimizerSettings { lr: 0.01, ..OptimizerSettings::default() };
    let plan = FitPlan { stop_after_steps, ..FitPlan::new(&trainer, optimizer, 13, &|| Duration::ZERO) };
    let folder = tempfile::tempdir().expect("temp dir");
    let mut directory =
        RunDirectory::create(&folder.path().join("run"), LoggerSettings::NONE).expect("a run directory");
    let observer = &mut |_: super::fit::Event<'_>| ControlFlow::Continue(());
    let done = fit::<B, _>(task, &plan, checkpoint, &mut directory, observer, &Default::default()).expect("trains");
    Run { folder, done, root: directory.step_log().root() }
}

fn on_threads<R: Send>(threads: usize, body: impl FnOnce() -> R + Send) -> R {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool").install(body)
}

const MODES: [Arithmetic; 6] = {
    const fn mode(numerics: Numerics, precision: Precision) -> Arithmetic {
        Arithmetic { numerics, precision }
    }
    [
        mode(Numerics::Portable, Precision::Full),
        mode(Numerics::Portable, Precision::MixedF16),
        mode(Numerics::Portable, Precision::MixedBf16),
        mode(Numerics::Native, Precision::Full),
        mode(Numerics::Native, Precision::MixedF16),
        mode(Numerics::Native, Precision::MixedBf16),
    ]
};

#[test]
fn a_run_in_any_mode_has_the_same_bits_on_any_threads_and_when_it_is_resumed() {
    let task = Curve { dawdling: true, ..Curve::new(1.0) };
    let mut states = std::collections::BTreeSet::new();
    for mode in MODES {
        let runs = [1, 2, 5, 16].map(|threads| on_threads(threads, || run(&task, mode, None, None)));
        for other in &runs[1..] {
            assert_eq!((other.root, other.done.state_digest), (runs[0].root, runs[0].done.state_digest), "{mode:?}");
            assert_eq!(other.done.metrics, runs[0].done.metrics, "{mode:?}");
        }
        for stop in [1, 4, 7] {
            let half = run(&task, mode, None, Some(stop)).checkpoint();
            let resumed = run(&task, mode, Some(half), None);
            assert_eq!(resumed.done.state_digest, runs[0].done.state_digest, "{mode:?}, stopped after {stop}");
            assert_eq!(resumed.checkpoint(), runs[0].checkpoint(), "{mode:?}, stopped after {stop}");
        }
        let scaled = runs[0].leaves().iter().all(|leaf| leaf.loss_scale.is_some());
        assert_eq!(scaled, mode.precision == Precision::MixedF16, "{mode:?}");
        states.insert(runs[0].done.state_digest);
    }
    assert_eq!(states.len(), MODES.len(), "every mode has bits of its own");
}

#[test]
fn a_checkpoint_of_another_arithmetic_is_refused() {
    let task = Curve::new(1.0);
    let half = run(&task, MODES[0], None, Some(2)).checkpoint();
    let trainer = trainer(MODES[1]);
    let plan = FitPlan::new(&trainer, OptimizerSettings::default(), 13, &|| Duration::ZERO);
    let folder = tempfile::tempdir().expect("temp dir");
    let mut directory =
        RunDirectory::create(&folder.path().join("run"), LoggerSettings::NONE).expect("a run directory");
    let observer = &mut |_: super::fit::Event<'_>| ControlFlow::Continue(());
    let refused = fit::<B, _>(&task, &plan, Some(half), &mut directory, observer, &Default::default());
    let error = refused.map(|done| done.steps).expect_err("another arithmetic").to_string();
    assert!(error.contains("arithmetic") && error.contains("MixedF16"), "{error}");
}

#[test]
fn a_gradient_that_overflows_f16_skips_the_step_and_halves_the_scale() {
    // The loss is a sum of squares of about 1e2, so its gradient, times 65536, is beyond f16.
    let task = Curve::new(300.0);
    let leaves = run(&task, MODES[1], None, None).leaves();
    assert_eq!(leaves.len(), 16);
    assert_eq!(leaves[0].loss_scale, Some(ScaledStep { exponent: 16, skipped: true }));
    let skipped = leaves.iter().filter(|leaf| leaf.loss_scale.is_some_and(|scale| scale.skipped)).count();
    assert!((1..12).contains(&skipped), "{skipped} of 16 skipped");
    for pair in leaves.windows(2) {
        let [before, after] = [&pair[0], &pair[1]].map(|leaf| leaf.loss_scale.expect("a scale"));
        assert_eq!(after.exponent, before.exponent - i32::from(before.skipped));
    }
    let first = run(&task, MODES[1], None, Some(1)).checkpoint();
    let fresh = fresh_state(&task).snapshot();
    assert_eq!(first.tensors, fresh.tensors, "a skipped step leaves the model and its running statistics alone");
    assert_eq!(first.progress.position.step, 1);
    assert_eq!(first.progress.loss_scale.expect("a scale").skipped_steps, 1);
}

fn fresh_state(task: &Curve) -> TrainState<B, Net<B>> {
    let seed = TrainerSettings::default().seed;
    let model = initial_model::<B, _>(task, seed, &Default::default());
    let rule = UpdateRule { optimizer: &OptimizerSettings::default(), ema: None };
    TrainState::fresh(model, rule, Progress::start(1, Arithmetic::PORTABLE, "{}".into())).expect("a state")
}

fn shards(samples: usize, count: usize) -> Vec<Option<Shard<Vec<usize>>>> {
    let shard = |shard| {
        let batch: Vec<_> = shard_range(shard, count, samples).collect();
        (!batch.is_empty()).then_some(Shard { samples: batch.len(), batch })
    };
    (0..count).map(shard).collect()
}

/// Mean gradient of the shards, by one worker.
fn gradient(
    state: &TrainState<B, Net<B>>,
    task: &Curve,
    shards: Vec<Option<Shard<Vec<usize>>>>,
) -> ShardGradient<<B as AutodiffBackend>::InnerBackend> {
    let (samples, per_batch) = (shards.iter().flatten().map(|shard| shard.samples).sum(), shards.len());
    let numbered = shards.into_iter().enumerate().map(|(number, shard)| Some((number, shard?))).collect();
    let shards = StepShards { subtrees: vec![numbered], per_batch, samples };
    let sums = state.sums(task, shards, FIRST, 7, &Default::default(), (None, None));
    let sum = sums.expect("nobody else").pop().flatten().expect("samples");
    state.mean(sum, samples)
}

const LEARNING_RATE: f64 = 1e-3;

const FIRST: Moment = Moment { step: 1, epoch: 0 };

const RUNNING: [&str; 2] = ["parameter/norm.running_mean", "parameter/norm.running_var"];

#[test]
fn running_statistics_become_the_mean_of_the_shards_weighted_by_their_samples() {
    let task = Curve::new(1.0);
    let mut whole = fresh_state(&task);
    let before = whole.snapshot();
    whole.apply(gradient(&whole, &task, shards(13, 4)), 1, LEARNING_RATE);
    let after = whole.snapshot();
    // 13 samples in 4 shards: 3, 3, 3, 4. Alone, each starts from the same statistics.
    let alone: Vec<_> = (0..4)
        .map(|index| {
            let mut state = fresh_state(&task);
            let mut parts = shards(13, 4);
            let kept: Vec<_> = (0..4).map(|other| parts[other].take().filter(|_| other == index)).collect();
            let samples = kept[index].as_ref().map_or(0, |shard| shard.samples) as f32;
            state.apply(gradient(&state, &task, kept), 1, LEARNING_RATE);
            (samples, state.snapshot())
        })
        .collect();
    for name in RUNNING {
        assert_ne!(after.tensors[name], before.tensors[name]);
        for (element, value) in after.tensors[name].values.iter().enumerate() {
            // A shard alone has been multiplied by its samples and divided again, as here.
            let part = |index: usize| {
                let (samples, snapshot) = &alone[index];
                snapshot.tensors[name].values[element] * samples
            };
            let expected = ((part(0) + part(1)) + (part(2) + part(3))) / 13.0;
            assert!((value - expected).abs() <= 4.0 * f32::EPSILON * expected.abs(), "{name}: {value} {expected}");
        }
    }
    let moments = after.tensors.keys().filter(|name| name.starts_with("adamw.") && name.contains("running"));
    assert_eq!(moments.count(), 0, "the optimizer leaves running statistics alone");
}

#[test]
fn evaluation_and_a_restored_checkpoint_use_the_running_statistics() {
    let task = Curve::new(1.0);
    let device = Default::default();
    let mut state = fresh_state(&task);
    let judge = |state: &TrainState<B, Net<B>>, samples: &[usize]| {
        let draws = Draws::new(7, Split::Val, FIRST);
        task.evaluate::<B>(&state.model.valid(), Split::Val, samples, draws, &device).expect("figures")
    };
    let before = judge(&state, &[3]);
    let parameters = state.snapshot().tensors;
    let mut gradient = gradient(&state, &task, shards(SAMPLES, 4));
    // Only the statistics move.
    gradient.gradients.clear();
    state.apply(gradient, 1, LEARNING_RATE);
    let moved: Vec<_> = state
        .snapshot()
        .tensors
        .iter()
        .filter(|(name, t)| parameters[*name] != **t)
        .map(|(name, _)| name.clone())
        .collect();
    assert_eq!(moved, RUNNING);
    let after = judge(&state, &[3]);
    assert_ne!(before, after);

    let restored = fresh_state(&task).restore(state.snapshot(), &device).expect("fits");
    assert_eq!(restored.snapshot(), state.snapshot());
    assert_eq!(judge(&restored, &[3]), after);
}
