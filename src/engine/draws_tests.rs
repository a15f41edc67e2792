//! What a task is told of the moment, and the random numbers that its samples get, whoever prepares them.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Mutex;
use std::time::Duration;

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burn::tensor::backend::{AutodiffBackend, Backend};

use super::PortableCpu;
use super::fit::{Event, FitPlan, fit};
use super::run_dir::RunDirectory;
use super::settings::{DataloaderSettings, LoggerSettings, OptimizerSettings, TrainerSettings};
use super::task::{Draws, Metric, Moment, Split, Task, TaskError};

#[derive(Module, Debug)]
struct Weight<B: Backend> {
    weight: Param<Tensor<B, 1>>,
}

/// What a sample was prepared with: split, place, step, epoch, the first of its random numbers.
type Prepared = (Split, usize, u64, u32, u32);

/// Writes down what it is told.
struct Witness {
    ids: Vec<String>,
    prepared: Mutex<BTreeSet<Prepared>>,
    losses: Mutex<BTreeSet<(u64, u32)>>,
}

impl Task for Witness {
    type Model<B: AutodiffBackend> = Weight<B>;
    type Batch = usize;

    fn init<B: AutodiffBackend>(&self, device: &B::Device) -> Weight<B> {
        Weight { weight: Param::from_tensor(Tensor::ones([1], device)) }
    }
    fn sample_ids(&self, _: Split) -> &[String] {
        &self.ids
    }
    fn batch(&self, split: Split, samples: &[usize], draws: Draws) -> usize {
        let Moment { step, epoch } = draws.moment;
        let prepared = samples.iter().map(|&sample| (split, sample, step, epoch, draws.of(sample).u32(0)));
        self.prepared.lock().expect("no panic").extend(prepared);
        samples.len()
    }
    fn loss<B: AutodiffBackend>(
        &self,
        model: &Weight<B>,
        samples: &usize,
        moment: Moment,
        _: &B::Device,
    ) -> Tensor<B, 1> {
        self.losses.lock().expect("no panic").insert((moment.step, moment.epoch));
        model.weight.val().mul_scalar(*samples as f32)
    }
    fn evaluate<B: AutodiffBackend>(
        &self,
        _: &Weight<B::InnerBackend>,
        split: Split,
        samples: &[usize],
        draws: Draws,
        _: &B::Device,
    ) -> Result<Vec<Metric>, TaskError> {
        self.batch(split, samples, draws);
        Ok(Vec::new())
    }
}

/// Two epochs of three steps of two batches of up to three samples.
fn witnessed(workers: u32, micro_shards: u32, stop_after_steps: Option<u64>) -> Witness {
    let ids = (0..16).map(|id| id.to_string()).collect();
    let task = Witness { ids, prepared: Mutex::default(), losses: Mutex::default() };
    let settings = TrainerSettings {
        max_epochs: 2,
        accumulate_grad_batches: 2,
        early_stopping: None,
        micro_shards,
        dataloader: DataloaderSettings { workers, prefetch: (workers > 0).then_some(2) },
        ..TrainerSettings::default()
    };
    let trainer = settings.check().expect("settings the engine takes");
    let plan =
        FitPlan { stop_after_steps, ..FitPlan::new(&trainer, OptimizerSettings::default(), 3, &|| Duration::ZERO) };
    let folder = tempfile::tempdir().expect("temp dir");
    let mut run = RunDirectory::create(&folder.path().join("run"), LoggerSettings::NONE).expect("a run directory");
    let observer = &mut |_: Event<'_>| ControlFlow::Continue(());
    fit::<PortableCpu, _>(&task, &plan, None, &mut run, observer, &Default::default()).expect("trains");
    task
}

#[test]
fn a_sample_is_prepared_with_the_same_numbers_however_batches_are_cut_and_by_however_many_threads() {
    let of = |workers, shards| witnessed(workers, shards, None).prepared.into_inner().expect("no panic");
    let expected = of(0, 1);
    for (workers, shards) in [(0, 2), (1, 3), (3, 16)] {
        assert_eq!(of(workers, shards), expected, "{workers} threads, {shards} shards");
    }
}

#[test]
fn a_training_sample_has_other_numbers_at_every_step_and_a_held_out_one_the_same_at_every_validation() {
    let prepared = witnessed(2, 4, None).prepared.into_inner().expect("no panic");
    let numbers = |split| -> Vec<u32> { prepared.iter().filter(|p| p.0 == split).map(|p| p.4).collect() };
    let distinct = |split| numbers(split).into_iter().collect::<BTreeSet<_>>().len();
    assert_eq!((numbers(Split::Train).len(), distinct(Split::Train)), (32, 32));
    assert_eq!((numbers(Split::Val).len(), distinct(Split::Val)), (32, 16));
    assert_eq!((numbers(Split::Test).len(), distinct(Split::Test)), (16, 16));
    assert_eq!(prepared.iter().map(|p| p.4).collect::<BTreeSet<_>>().len(), 64, "no split has numbers of another");
}

#[test]
fn losses_batches_and_evaluations_are_told_step_and_epoch() {
    let task = witnessed(2, 4, None);
    let losses: Vec<_> = task.losses.into_inner().expect("no panic").into_iter().collect();
    assert_eq!(losses, [(1, 0), (2, 0), (3, 0), (4, 1), (5, 1), (6, 1)]);
    let prepared = task.prepared.into_inner().expect("no panic");
    let moments = |split| -> Vec<_> {
        let moments: BTreeSet<_> = prepared.iter().filter(|p| p.0 == split).map(|p| (p.2, p.3)).collect();
        moments.into_iter().collect()
    };
    assert_eq!(moments(Split::Train), losses);
    assert_eq!(moments(Split::Val), [(3, 0), (6, 1)]);
    assert_eq!(moments(Split::Test), [(6, 1)]);
    let stopped = witnessed(0, 1, Some(4)).prepared.into_inner().expect("no panic");
    assert!(stopped.iter().any(|p| (p.0, p.2, p.3) == (Split::Test, 4, 1)));
}
