//! A whole training step of the network of `tests/network.rs`, 64 images in 16 micro-shards, by several workers of this process: how
//! much faster than by one worker on one thread.
//!
//! The contestants take turns within one process; what counts is the best of many runs of a few steps. `cargo bench --bench workers`
//! prints a table.

#[path = "../tests/network.rs"]
mod network;

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use burn::tensor::backend::AutodiffBackend;
use burn::tensor::{Int, Tensor, TensorData};
use spectramind::burn;
use spectramind::engine::PortableCpu;
use spectramind::engine::fit::{Event, FitPlan, follow, lead};
use spectramind::engine::repro::{Cpu, with_random};
use spectramind::engine::rng::{CounterRng, Stream};
use spectramind::engine::run_dir::RunDirectory;
use spectramind::engine::settings::{
    CheckpointSettings, DataloaderSettings, LoggerSettings, OptimizerSettings, SupportedTrainer, TrainerSettings,
};
use spectramind::engine::task::{Draws, InferenceModel, Metric, Moment, Split, Task, TaskError};
use spectramind::engine::workers::together;

use network::Network;

const BATCH: usize = 64;
const PIXELS: usize = 3 * 16 * 16;
const STEPS: usize = 9;
const ROUNDS: usize = 9;
const LARGEST: usize = 16;

/// Images of noise, as many as a batch has, again and again; and classes.
struct Noise {
    ids: Vec<String>,
    images: Vec<f32>,
}

impl Noise {
    fn new() -> Self {
        let draw = || network::batch::<Cpu>(BATCH, &Default::default());
        let (images, _) = with_random(CounterRng::new(7, Stream::AUGMENT, 0), draw);
        let images = images.into_data().into_vec().expect("f32");
        Self { ids: (0..BATCH * STEPS).map(|number| number.to_string()).collect(), images }
    }
}

impl Task for Noise {
    type Model<B: AutodiffBackend> = Network<B>;
    type Batch = (Vec<f32>, Vec<i32>);

    fn init<B: AutodiffBackend>(&self, device: &B::Device) -> Network<B> {
        Network::new(device)
    }

    fn sample_ids(&self, split: Split) -> &[String] {
        match split {
            Split::Train => &self.ids,
            Split::Val | Split::Test => &[],
        }
    }

    fn batch(&self, _: Split, samples: &[usize], _: Draws) -> Self::Batch {
        let image = |&sample: &usize| &self.images[sample % BATCH * PIXELS..][..PIXELS];
        (samples.iter().flat_map(image).copied().collect(), samples.iter().map(|sample| (sample % 10) as i32).collect())
    }

    fn loss<B: AutodiffBackend>(
        &self,
        model: &Network<B>,
        (images, classes): &Self::Batch,
        _: Moment,
        device: &B::Device,
    ) -> Tensor<B, 1> {
        let count = classes.len();
        let images = Tensor::from_data(TensorData::new(images.clone(), [count, 3, 16, 16]), device);
        let classes = Tensor::<B, 1, Int>::from_data(TensorData::new(classes.clone(), [count]), device);
        model.loss(images, classes).mul_scalar(count as f32)
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

fn trainer() -> SupportedTrainer {
    let settings = TrainerSettings {
        // One of as many steps: its end is digested, as no step in between is.
        max_epochs: 1,
        early_stopping: None,
        checkpoint: CheckpointSettings { every_n_epochs: None, save_top_k: 0, ..CheckpointSettings::default() },
        dataloader: DataloaderSettings { workers: 0, prefetch: None },
        ..TrainerSettings::default()
    };
    settings.check().expect("settings the engine takes")
}

/// The time of a step, over a run of a few, by so many workers on so many threads in all; and the root of the run.
fn step(task: &Noise, trainer: &SupportedTrainer, workers: usize, threads: usize) -> (Duration, String) {
    let plan = FitPlan::new(trainer, OptimizerSettings::default(), BATCH, &|| Duration::ZERO);
    let folder = tempfile::tempdir().expect("temp dir");
    let mut run = RunDirectory::create(&folder.path().join("run"), LoggerSettings::NONE).expect("a run directory");
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
    let begun = std::sync::Mutex::new(Instant::now());
    let mut watch = |event: Event<'_>| {
        // The first step makes what the others use again.
        if let Event::Step { leaf, .. } = event
            && leaf.step == 1
        {
            *begun.lock().expect("nobody panics") = Instant::now();
        }
        ControlFlow::Continue(())
    };
    pool.install(|| {
        together(
            vec!["here".to_owned(); workers],
            Duration::from_secs(600),
            |mut member| {
                lead::<PortableCpu, _>(task, &plan, &mut member, None, &mut run, &mut watch, &Default::default())
                    .expect("trains");
            },
            |mut member| {
                follow::<PortableCpu, _>(task, &plan, &mut member, None, &Default::default()).expect("trains");
            },
        );
    });
    let took = begun.lock().expect("nobody panics").elapsed();
    (took / (STEPS - 1) as u32, run.step_log().root().to_string())
}

fn main() {
    let (task, trainer) = (Noise::new(), trainer());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let powers = std::iter::successors(Some(1), |workers| Some(workers * 2)).take_while(|workers| *workers <= LARGEST);
    let contestants: Vec<(usize, usize)> =
        [(1, 1), (1, cores)].into_iter().chain(powers.skip(1).map(|workers| (workers, cores))).collect();
    let mut best = vec![Duration::MAX; contestants.len()];
    let mut roots = std::collections::BTreeSet::new();
    for _ in 0..ROUNDS {
        for (&(workers, threads), best) in contestants.iter().zip(&mut best) {
            let (took, root) = step(&task, &trainer, workers, threads);
            *best = took.min(*best);
            roots.insert(root);
        }
    }
    assert_eq!(roots.len(), 1, "the same bits");
    println!("{:>8} {:>8} {:>12} {:>28}", "workers", "threads", "µs a step", "times as fast as the first");
    for ((workers, threads), took) in contestants.iter().zip(&best) {
        let faster = best[0].as_secs_f64() / took.as_secs_f64();
        println!("{workers:>8} {threads:>8} {:>12.1} {faster:>28.2}", took.as_secs_f64() * 1e6);
    }
}
