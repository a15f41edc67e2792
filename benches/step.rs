//! A whole training step (forward, backward, Adam) of the network of `tests/network.rs`, 64 images: on plain Flex, and in
//! portable and native numerics on every device of this machine that is compiled in.
//!
//! The contestants take turns within one process; what counts is the best of many steps. `cargo bench --bench step`
//! prints a table; with `SPECTRAMIND_BENCH_TABLE=1` it prints `portable_us flex_us` of the CPU alone, for
//! `step_vs_torch.sh`.

#[path = "../tests/network.rs"]
mod network;

use std::time::{Duration, Instant};

use burn::backend::{Autodiff, Flex};
use burn::optim::adaptor::OptimizerAdaptor;
use burn::optim::{Adam, AdamConfig, GradientsParams, Optimizer};
use burn::tensor::Tensor;
use burn::tensor::backend::AutodiffBackend;
use spectramind::burn;
use spectramind::engine::device::{Job, Kind, devices};
use spectramind::engine::repro::{Arithmetic, with_arithmetic, with_random};
use spectramind::engine::rng::{CounterRng, Stream};
use spectramind::engine::settings::{Numerics, Precision};

use network::{Network, batch};

const BATCH: usize = 64;
const STEPS: u32 = 30;

/// A network in training.
struct Training<B: AutodiffBackend> {
    model: Network<B>,
    optimizer: OptimizerAdaptor<Adam, Network<B>, B>,
    images: Tensor<B, 4>,
    classes: Tensor<B, 1, burn::tensor::Int>,
    device: B::Device,
}

impl<B: AutodiffBackend> Training<B> {
    fn new(device: &B::Device) -> Self {
        with_random(CounterRng::new(7, Stream::INIT, 0), || {
            let (images, classes) = batch(BATCH, device);
            let model = Network::new(device);
            Self { model, optimizer: AdamConfig::new().init(), images, classes, device: device.clone() }
        })
    }

    /// One step, to the end of what the device does for it.
    fn step(&mut self, number: u32) -> Duration {
        let start = Instant::now();
        let gradients = with_random(CounterRng::new(7, Stream::STEP, number), || {
            self.model.loss(self.images.clone(), self.classes.clone()).backward()
        });
        let gradients = GradientsParams::from_grads(gradients, &self.model);
        self.model = self.optimizer.step(1e-3, self.model.clone(), gradients);
        B::sync(&self.device).expect("the device answers");
        start.elapsed()
    }
}

/// The best steps in portable and in native numerics, in turns.
struct Turns;

impl Job for Turns {
    type Output = [Duration; 2];

    fn run<B: AutodiffBackend>(self, device: &B::Device) -> [Duration; 2] {
        let mut contestants = [Training::<B>::new(device), Training::<B>::new(device)];
        let numerics = [Numerics::Portable, Numerics::Native];
        let mut best = [Duration::MAX; 2];
        for number in 0..STEPS {
            for ((training, numerics), best) in contestants.iter_mut().zip(numerics).zip(&mut best) {
                let arithmetic = Arithmetic { numerics, precision: Precision::Full };
                *best = with_arithmetic(arithmetic, || training.step(number)).min(*best);
            }
        }
        best
    }
}

/// The best steps of the portable backend and of plain Flex, in turns.
fn against_flex() -> [Duration; 2] {
    let mut ours = Training::<Autodiff<spectramind::engine::repro::Cpu>>::new(&Default::default());
    let mut flex = Training::<Autodiff<Flex>>::new(&Default::default());
    (0..STEPS).fold([Duration::MAX; 2], |best, number| [ours.step(number).min(best[0]), flex.step(number).min(best[1])])
}

fn main() {
    let microseconds = |duration: Duration| duration.as_secs_f64() * 1e6;
    let [ours, flex] = against_flex().map(microseconds);
    if std::env::var_os("SPECTRAMIND_BENCH_TABLE").is_some() {
        println!("{ours:.1} {flex:.1}");
        return;
    }
    println!("a step of {BATCH} images, best of {STEPS}, microseconds");
    println!("{:40} {ours:10.1}", "CPU, portable");
    println!("{:40} {flex:10.1}  portable is {:.2} times as long", "CPU, plain Flex", ours / flex);
    for kind in Kind::ALL {
        for device in devices(kind).unwrap_or_default() {
            let [portable, native] = device.run(Turns).map(microseconds);
            println!("{:40} {portable:10.1}", format!("{device}, portable"));
            println!(
                "{:40} {native:10.1}  portable is {:.2} times as long",
                format!("{device}, native"),
                portable / native
            );
        }
    }
}
