//! A training run between two steps (model, optimizer, average, position), and the model that a checkpoint of one holds.

use std::collections::{BTreeMap, BTreeSet};

use burn::module::AutodiffModule;
use burn::tensor::TensorData;
use burn::tensor::backend::AutodiffBackend;
use rayon::prelude::*;

use super::average::{AVERAGED, WeightAverage};
use super::fit::FitError;
use super::optimizer::Optimizer;
use super::optimizer::group::{Paces, UnmatchedGroup};
use super::parameter::{self, ByPath};
use super::repro::{with_arithmetic, with_batch_statistics, with_random};
use super::rng::{CounterRng, Stream};
use super::settings::{EmaSettings, OptimizerSettings};
use super::shard::{Shard, ShardGradient, StepShards, tree_sum};
use super::snapshot::{HostIntegers, HostTensor, Progress, Snapshot};
use super::task::{Moment, Task};
use super::trace::{Part, Tracer};
use super::workers::{Layout, Member, in_lockstep};

/// Model, optimizer and progress.
pub(super) struct TrainState<B: AutodiffBackend, M> {
    /// The model in training mode.
    pub model: M,
    /// Position and bookkeeping.
    pub progress: Progress,
    optimizer: Optimizer<B::InnerBackend>,
    average: Option<WeightAverage<B::InnerBackend>>,
    /// Paths of the running statistics.
    running: BTreeSet<String>,
    /// Paths of the parameters that a loss should reach.
    trained: BTreeSet<String>,
}

/// How parameters are moved at a step, and what is made of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct UpdateRule<'a> {
    /// How they are moved.
    pub optimizer: &'a OptimizerSettings,
    /// The mean of them that is in use.
    pub ema: Option<EmaSettings>,
}

/// A checkpoint whose tensors are not those of the model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("checkpoint does not fit the model at {path}: expected {expected}, got {got}")]
pub struct SnapshotMismatch {
    /// Name of the tensor.
    pub path: String,
    /// What the model has.
    pub expected: String,
    /// What the checkpoint has.
    pub got: String,
}

/// A fresh model; its random initial parameters are a function of the seed and of the model's structure.
pub(super) fn initial_model<B: AutodiffBackend, T: Task>(task: &T, seed: u64, device: &B::Device) -> T::Model<B> {
    with_random(CounterRng::new(seed, Stream::INIT, 0), || {
        let model = task.init::<B>(device);
        // Burn draws lazily, on first access: draw now, in the order of declaration.
        let _ = parameter::values::<B, _>(&model);
        let _ = parameter::integers(&model);
        model
    })
}

/// A model to predict with: with a checkpoint's parameters, and with their averages where the run had begun to make them.
///
/// # Errors
/// When names or shapes differ.
pub fn load_parameters<B: AutodiffBackend, M: AutodiffModule<B>>(
    model: M,
    snapshot: &Snapshot,
    device: &B::Device,
) -> Result<M, SnapshotMismatch> {
    let averaged = |path: &str| Some(format!("{AVERAGED}{path}")).filter(|name| snapshot.tensors.contains_key(name));
    load(model, snapshot, |path| averaged(path).unwrap_or_else(|| parameter_name(path)), device)
}

/// The name of a parameter in a snapshot.
fn parameter_name(path: &str) -> String {
    format!("{PARAMETER}{path}")
}

/// What the name of a parameter in a snapshot begins with.
const PARAMETER: &str = "parameter/";

/// The model with a checkpoint's tensors of these names, by path.
fn load<B: AutodiffBackend, M: AutodiffModule<B>>(
    model: M,
    snapshot: &Snapshot,
    name_of: impl Fn(&str) -> String,
    device: &B::Device,
) -> Result<M, SnapshotMismatch> {
    let mut values = BTreeMap::new();
    // Burn draws initial values even for a model whose values are about to be replaced.
    let shapes = with_random(CounterRng::new(0, Stream::INIT, 0), || parameter::shapes::<B, _>(&model));
    for (path, shape) in shapes {
        let values_of = tensor(snapshot, &name_of(&path), &shape)?;
        values.insert(path, parameter::from_host(values_of, device));
    }
    let own = with_random(CounterRng::new(0, Stream::INIT, 0), || parameter::integers(&model));
    let mut integers = BTreeMap::new();
    for (path, HostIntegers { kind, shape, .. }) in own {
        let name = parameter_name(&path);
        match snapshot.integers.get(&name) {
            Some(found) if (found.kind, &found.shape) == (kind, &shape) => integers.insert(path, found.clone()),
            found => {
                let got = found.map(|found| format!("{} of shape {:?}", found.kind.name(), found.shape));
                let got = got.unwrap_or_else(|| "no such tensor".into());
                return Err(SnapshotMismatch {
                    path: name,
                    expected: format!("{} of shape {shape:?}", kind.name()),
                    got,
                });
            }
        };
    }
    for name in snapshot.tensors.keys().chain(snapshot.integers.keys()) {
        if let Some(path) = name.strip_prefix(PARAMETER)
            && !values.contains_key(path)
            && !integers.contains_key(path)
        {
            return Err(SnapshotMismatch {
                path: name.clone(),
                expected: "no such parameter".into(),
                got: "one".into(),
            });
        }
    }
    let model = parameter::replace::<B, _>(model, values);
    Ok(if integers.is_empty() { model } else { parameter::replace_integers(model, integers) })
}

fn tensor(snapshot: &Snapshot, name: &str, shape: &[usize]) -> Result<Vec<f32>, SnapshotMismatch> {
    let refuse = |got: String| SnapshotMismatch { path: name.to_owned(), expected: format!("shape {shape:?}"), got };
    match snapshot.tensors.get(name) {
        Some(tensor) if tensor.shape == shape => Ok(tensor.values.clone()),
        Some(tensor) => Err(refuse(format!("shape {:?}", tensor.shape))),
        None => Err(refuse("no such tensor".into())),
    }
}

impl<B: AutodiffBackend, M: AutodiffModule<B>> TrainState<B, M> {
    /// The state before the first step.
    ///
    /// # Errors
    /// When a group of the optimizer has no parameter.
    pub fn fresh(model: M, rule: UpdateRule<'_>, progress: Progress) -> Result<Self, UnmatchedGroup> {
        let running = parameter::running::<B, _>(&model);
        let trainable: BTreeSet<_> = parameter::tracked::<B, _>(&model).difference(&running).cloned().collect();
        let paces = Paces::resolve(&rule.optimizer.groups, &trainable)?;
        let frozen = paces.frozen();
        let trained = trainable.difference(&frozen).cloned().collect();
        let model = if frozen.is_empty() { model } else { parameter::freeze::<B, _>(model, frozen) };
        let optimizer = Optimizer::new(rule.optimizer.clone(), paces);
        Ok(Self { model, progress, optimizer, average: rule.ema.map(WeightAverage::new), running, trained })
    }

    /// The state that a checkpoint holds, in the place of one before the first step.
    ///
    /// # Errors
    /// When its tensors are not those of the model, the optimizer and the average.
    pub fn restore(self, snapshot: Snapshot, device: &B::Device) -> Result<Self, SnapshotMismatch> {
        let Self { model, mut optimizer, mut average, running, trained, .. } = self;
        let shapes = parameter::shapes::<B, _>(&model);
        let model = load::<B, _>(model, &snapshot, parameter_name, device)?;
        let skipped = snapshot.progress.loss_scale.map_or(0, |scale| scale.skipped_steps);
        optimizer.pass(snapshot.progress.position.step.saturating_sub(skipped));
        let mut expected: BTreeSet<_> = shapes.keys().map(|path| parameter_name(path)).collect();
        let mut load = |name: String, path: &str| -> Result<_, SnapshotMismatch> {
            let tensor = parameter::from_host(tensor(&snapshot, &name, &shapes[path])?, device);
            expected.insert(name);
            Ok(tensor)
        };
        for path in &trained {
            let names: Vec<_> = optimizer.slots().into_iter().map(|slot| format!("{slot}/{path}")).collect();
            // A parameter that no loss has used yet has no state.
            if names.iter().any(|name| snapshot.tensors.contains_key(name)) {
                for name in names {
                    let tensor = load(name.clone(), path)?;
                    optimizer.insert(name, tensor);
                }
            }
        }
        let has_average = snapshot.tensors.keys().any(|name| name.starts_with(AVERAGED));
        if let Some(average) = average.as_mut().filter(|_| has_average) {
            for path in &trained {
                average.values.insert(path.clone(), load(format!("{AVERAGED}{path}"), path)?);
            }
        }
        match snapshot.tensors.keys().find(|name| !expected.contains(*name)) {
            Some(name) => Err(SnapshotMismatch {
                path: name.clone(),
                expected: "no such tensor with this optimizer and ema".into(),
                got: "one".into(),
            }),
            None => Ok(Self { model, progress: snapshot.progress, optimizer, average, running, trained }),
        }
    }

    /// Copies the state to the host.
    pub fn snapshot(&self) -> Snapshot {
        let shapes = parameter::shapes::<B, _>(&self.model);
        let host =
            |tensor: &_, path: &str| HostTensor { shape: shapes[path].clone(), values: parameter::to_host(tensor) };
        let mut tensors = BTreeMap::new();
        for (path, value) in parameter::values::<B, _>(&self.model) {
            tensors.insert(parameter_name(&path), host(&value, &path));
        }
        for (name, tensor) in self.optimizer.state() {
            let (_, path) = name.split_once('/').expect("a name has a path");
            tensors.insert(name.clone(), host(tensor, path));
        }
        for (path, value) in self.average.iter().flat_map(|average| &average.values) {
            tensors.insert(format!("{AVERAGED}{path}"), host(value, path));
        }
        let integers = parameter::integers(&self.model).into_iter();
        let integers = integers.map(|(path, values)| (parameter_name(&path), values)).collect();
        Snapshot { tensors, integers, progress: self.progress.clone() }
    }

    /// Bytes of the tensors of a state with all that the optimizer and the average will hold.
    pub fn tensor_bytes(&self) -> u64 {
        let shapes = parameter::shapes::<B, _>(&self.model);
        let elements = |path: &str| shapes[path].iter().product::<usize>() as u64;
        let all: u64 = shapes.keys().map(|path| elements(path)).sum();
        let copies = self.optimizer.slots().len() + usize::from(self.average.is_some());
        let trained: u64 = self.trained.iter().map(|path| elements(path)).sum();
        4 * (all + copies as u64 * trained)
    }

    /// Paths of the parameters that a loss should reach: those that require a gradient.
    pub fn trained(&self) -> &BTreeSet<String> {
        &self.trained
    }

    /// The model that is judged and predicted with, in inference mode: with averaged weights where there are any.
    pub fn inference(&self) -> M::InnerModule {
        match &self.average {
            Some(average) if !average.values.is_empty() => {
                parameter::replace::<B, _>(self.model.clone(), average.values.clone()).valid()
            }
            _ => self.model.valid(),
        }
    }

    /// Sums of losses and gradients over a worker's shards of one optimizer step, of each subtree, computed by the threads of
    /// rayon's pool; `None` where a subtree has no samples.
    ///
    /// `moment` is that of the step. With a loss scale the gradients are multiplied by its factor, and may not be finite. With
    /// `together`, the shards of a batch are in lockstep with each other and with those of other workers, and layers that ask for it
    /// get the statistics of the whole batch. With a tracer, it hears of every op.
    ///
    /// # Errors
    /// With `together`: when another worker fails, and when no layer asks although there are running statistics.
    pub fn sums<T>(
        &self,
        task: &T,
        shards: StepShards<T::Batch>,
        moment: Moment,
        seed: u64,
        device: &B::Device,
        (together, tracer): (Option<&mut Member>, Option<&Tracer>),
    ) -> Result<Vec<Option<ShardGradient<B::InnerBackend>>>, FitError>
    where
        T: Task<Model<B> = M>,
    {
        let step_rng = CounterRng::new(seed, Stream::STEP, self.progress.position.step as u32);
        let scale = self.scale_factor(shards.samples);
        let lengths: Vec<_> = shards.subtrees.iter().map(Vec::len).collect();
        // No two threads share an autodiff graph or running statistics, and all start from the same ones.
        let isolated = |shard: Option<(usize, _)>| shard.map(|shard| (shard, parameter::isolated::<B, _>(&self.model)));
        let jobs: Vec<_> = shards.subtrees.into_iter().flatten().map(isolated).collect();
        // Not `self`: a model cannot be shared between threads.
        let (arithmetic, running) = (self.progress.arithmetic, &self.running);
        let compute = |((index, Shard { batch, samples }), model): ((usize, Shard<T::Batch>), M)| {
            let body = || {
                let loss = task.loss::<B>(&model, &batch, moment, device);
                let value = parameter::to_host(&loss.clone().inner())[0];
                let loss = match scale {
                    Some(factor) => loss.mul_scalar(factor),
                    None => loss,
                };
                let gradients = parameter::gradients::<B, _>(&model, &loss.backward());
                ShardGradient { loss: value, gradients, running: running_sums::<B, M>(&model, running, samples) }
            };
            let job = || with_arithmetic(arithmetic, || with_random(step_rng.part(index as u32), body));
            match tracer {
                Some(tracer) => tracer.hear(Part::Shard(index), job),
                None => job(),
            }
        };
        let mut parts = match together {
            None => jobs.into_par_iter().map(|job| job.map(compute)).collect(),
            Some(member) => {
                let (mut parts, mut jobs) = (Vec::with_capacity(jobs.len()), jobs.into_iter());
                while jobs.len() > 0 {
                    let batch = jobs.by_ref().take(shards.per_batch).collect();
                    let compute = |job, whole| with_batch_statistics(whole, || compute(job));
                    let (done, sums) = in_lockstep(member, moment.step, batch, compute)?;
                    if sums == 0 && !running.is_empty() && done.iter().any(Option::is_some) {
                        return Err(FitError::NotSynchronised { statistics: running.iter().cloned().collect() });
                    }
                    parts.extend(done);
                }
                parts
            }
        };
        let subtree = |length| tree_sum(parts.drain(..length).collect(), &mut ShardGradient::combine);
        Ok(lengths.into_iter().map(subtree).collect())
    }

    /// Mean loss and gradient of a step, of the sum over all its samples; without the loss scale's factor.
    pub fn mean(&self, sum: ShardGradient<B::InnerBackend>, samples: usize) -> ShardGradient<B::InnerBackend> {
        let mean = sum.mean(samples);
        match self.scale_factor(samples) {
            Some(factor) => mean.unscale(factor),
            None => mean,
        }
    }

    /// What the loss of a step of so many samples is multiplied by; `None` where it is not.
    fn scale_factor(&self, samples: usize) -> Option<f32> {
        self.progress.loss_scale.map(|scale| scale.factor(samples))
    }

    /// What of a step's sums stands where among several workers.
    pub fn layout(&self) -> Layout {
        let shapes = parameter::shapes::<B, _>(&self.model);
        let of = |paths: &BTreeSet<String>| -> Vec<_> {
            paths.iter().map(|path| (path.clone(), shapes[path].iter().product())).collect()
        };
        Layout::new(&of(&self.trained), &of(&self.running))
    }

    /// The parameters, by path.
    pub fn parameters(&self) -> Vec<(String, TensorData)> {
        let shapes = parameter::shapes::<B, _>(&self.model);
        let values = parameter::values::<B, _>(&self.model).into_iter();
        values
            .map(|(path, value)| (path.clone(), TensorData::new(parameter::to_host(&value), shapes[&path].clone())))
            .collect()
    }

    /// Moves the parameters by one optimizer step at a learning rate, the running statistics to their new values, and the
    /// average after the parameters.
    pub fn apply(&mut self, gradient: ShardGradient<B::InnerBackend>, step: u64, lr: f64) {
        let mut updated = self.optimizer.step(parameter::values::<B, _>(&self.model), gradient.gradients, lr);
        updated.extend(gradient.running);
        self.model = parameter::replace::<B, _>(self.model.clone(), updated);
        if let Some(average) = &mut self.average {
            average.update(step, parameter::values::<B, _>(&self.model), &self.trained);
        }
    }
}

/// The running statistics of a shard's model, times its number of samples.
fn running_sums<B: AutodiffBackend, M: AutodiffModule<B>>(
    model: &M,
    running: &BTreeSet<String>,
    samples: usize,
) -> ByPath<B::InnerBackend> {
    if running.is_empty() {
        return ByPath::new();
    }
    // Burn holds the last update back until somebody reads it; this reads it.
    let _ = model.valid();
    let values = parameter::values::<B, _>(model).into_iter().filter(|(path, _)| running.contains(path));
    values.map(|(path, value)| (path, value.mul_scalar(samples as f32))).collect()
}

impl crate::failure::Advice for SnapshotMismatch {
    fn hint(&self) -> Option<String> {
        Some("it is damaged, or of another model or optimizer: name one of a run with the same config".into())
    }
}
