//! A training run between two steps: model, optimizer, position.

use std::collections::{BTreeMap, BTreeSet};

use burn::module::AutodiffModule;
use burn::tensor::backend::AutodiffBackend;
use rayon::prelude::*;

use super::optimizer::{AdamW, Moments};
use super::parameter::{self, ByPath};
use super::repro::{with_arithmetic, with_random};
use super::rng::{CounterRng, Stream};
use super::settings::OptimizerSettings;
use super::shard::{Shard, ShardGradient, tree_sum};
use super::snapshot::{HostIntegers, HostTensor, Progress, Snapshot};
use super::task::{Moment, Task};

/// Model, optimizer and progress.
pub struct TrainState<B: AutodiffBackend, M> {
    /// The model in training mode.
    pub model: M,
    /// Position and bookkeeping.
    pub progress: Progress,
    optimizer: AdamW<B::InnerBackend>,
    /// Paths of the running statistics.
    running: BTreeSet<String>,
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
pub fn initial_model<B: AutodiffBackend, T: Task>(task: &T, seed: u64, device: &B::Device) -> T::Model<B> {
    with_random(CounterRng::new(seed, Stream::INIT, 0), || {
        let model = task.init::<B>(device);
        // Burn draws lazily, on first access: draw now, in the order of declaration.
        let _ = parameter::values::<B, _>(&model);
        let _ = parameter::integers(&model);
        model
    })
}

/// The model with a checkpoint's parameters.
///
/// # Errors
/// When names or shapes differ.
pub fn load_parameters<B: AutodiffBackend, M: AutodiffModule<B>>(
    model: M,
    snapshot: &Snapshot,
    device: &B::Device,
) -> Result<M, SnapshotMismatch> {
    let mut values = BTreeMap::new();
    // Burn draws initial values even for a model whose values are about to be replaced.
    let shapes = with_random(CounterRng::new(0, Stream::INIT, 0), || parameter::shapes::<B, _>(&model));
    for (path, shape) in shapes {
        let values_of = tensor(snapshot, &format!("parameter/{path}"), &shape)?;
        values.insert(path, parameter::from_host(values_of, device));
    }
    let own = with_random(CounterRng::new(0, Stream::INIT, 0), || parameter::integers(&model));
    let mut integers = BTreeMap::new();
    for (path, HostIntegers { kind, shape, .. }) in own {
        let name = format!("parameter/{path}");
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
        if let Some(path) = name.strip_prefix("parameter/")
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
    pub fn fresh(model: M, optimizer: OptimizerSettings, progress: Progress) -> Self {
        let running = parameter::running::<B, _>(&model);
        Self { model, progress, optimizer: AdamW::new(optimizer, 0), running }
    }

    /// The state that a checkpoint holds.
    ///
    /// # Errors
    /// When its tensors are not those of the model.
    pub fn restore(
        model: M,
        optimizer: OptimizerSettings,
        snapshot: Snapshot,
        device: &B::Device,
    ) -> Result<Self, SnapshotMismatch> {
        let shapes = parameter::shapes::<B, _>(&model);
        let model = load_parameters::<B, _>(model, &snapshot, device)?;
        let running = parameter::running::<B, _>(&model);
        let skipped = snapshot.progress.loss_scale.map_or(0, |scale| scale.skipped_steps);
        let mut optimizer = AdamW::new(optimizer, snapshot.progress.position.step.saturating_sub(skipped));
        for (path, shape) in &shapes {
            // A parameter that no loss has used yet has no moments.
            if snapshot.tensors.contains_key(&format!("adamw.first/{path}")) {
                let moment = |which: &str| -> Result<_, SnapshotMismatch> {
                    Ok(parameter::from_host(tensor(&snapshot, &format!("adamw.{which}/{path}"), shape)?, device))
                };
                let moments = Moments { first: moment("first")?, second: moment("second")? };
                optimizer.moments.insert(path.clone(), moments);
            }
        }
        Ok(Self { model, progress: snapshot.progress, optimizer, running })
    }

    /// Copies the state to the host.
    pub fn snapshot(&self) -> Snapshot {
        let shapes = parameter::shapes::<B, _>(&self.model);
        let host =
            |tensor: &_, path: &str| HostTensor { shape: shapes[path].clone(), values: parameter::to_host(tensor) };
        let mut tensors = BTreeMap::new();
        for (path, value) in parameter::values::<B, _>(&self.model) {
            tensors.insert(format!("parameter/{path}"), host(&value, &path));
        }
        for (path, moments) in &self.optimizer.moments {
            tensors.insert(format!("adamw.first/{path}"), host(&moments.first, path));
            tensors.insert(format!("adamw.second/{path}"), host(&moments.second, path));
        }
        let integers = parameter::integers(&self.model).into_iter();
        let integers = integers.map(|(path, values)| (format!("parameter/{path}"), values)).collect();
        Snapshot { tensors, integers, progress: self.progress.clone() }
    }

    /// Paths of the parameters that a loss should reach: those that require a gradient.
    pub fn trainable(&self) -> BTreeSet<String> {
        parameter::tracked::<B, _>(&self.model).difference(&self.running).cloned().collect()
    }

    /// Mean loss and gradient over the shards of one optimizer step, computed by the threads of rayon's pool.
    ///
    /// `moment` is that of the step; `shards` are in order, `None` where a shard has no samples. With a loss scale the gradient is unscaled already,
    /// and may not be finite.
    pub fn gradient<T>(
        &self,
        task: &T,
        shards: Vec<Option<Shard<T::Batch>>>,
        moment: Moment,
        seed: u64,
        device: &B::Device,
    ) -> ShardGradient<B::InnerBackend>
    where
        T: Task<Model<B> = M>,
    {
        let step_rng = CounterRng::new(seed, Stream::STEP, self.progress.position.step as u32);
        let jobs: Vec<_> = shards
            .into_iter()
            .enumerate()
            // No two threads share an autodiff graph or running statistics, and all start from the same ones.
            .map(|(index, shard)| shard.map(|shard| (index, shard, parameter::isolated::<B, _>(&self.model))))
            .collect();
        let samples = jobs.iter().flatten().map(|(_, shard, _)| shard.samples).sum();
        let scale = self.progress.loss_scale.map(|scale| scale.factor(samples));
        // Not `self`: a model cannot be shared between threads.
        let (arithmetic, running) = (self.progress.arithmetic, &self.running);
        let compute = |(index, Shard { batch, samples }, model): (usize, Shard<T::Batch>, M)| {
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
            with_arithmetic(arithmetic, || with_random(step_rng.part(index as u32), body))
        };
        let parts: Vec<_> = jobs.into_par_iter().map(|job| job.map(compute)).collect();
        let mean = tree_sum(parts, &mut ShardGradient::combine).expect("a step has samples").mean(samples);
        match scale {
            Some(factor) => mean.unscale(factor),
            None => mean,
        }
    }

    /// Moves the parameters by one optimizer step, and the running statistics to their new values.
    pub fn apply(&mut self, gradient: ShardGradient<B::InnerBackend>) {
        let mut updated = self.optimizer.step(parameter::values::<B, _>(&self.model), gradient.gradients);
        updated.extend(gradient.running);
        self.model = parameter::replace::<B, _>(self.model.clone(), updated);
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

impl crate::failure::Advice for SnapshotMismatch {}
