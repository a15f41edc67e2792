//! A training step (forward, backward, Adam) of twelve kinds of model, portable and on plain Flex.
//!
//! The contestants take turns within one process; what counts is the best of many steps. `cargo bench --bench models`
//! prints a table, `cargo bench --bench models -- gpt` one model's line; with `SPECTRAMIND_BENCH_TABLE=1` it prints
//! `name portable_us flex_us`, for `models_vs_torch.sh`, whose `models_vs_torch.py` has the same models.

use std::time::{Duration, Instant};

use burn::backend::{Autodiff, Flex};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::{AdamConfig, GradientsParams, Optimizer};
use burn::tensor::backend::Backend;
use burn::tensor::{Distribution, Int, Tensor};
use spectramind::burn;
use spectramind::engine::repro::{Cpu, with_random};
use spectramind::engine::rng::{CounterRng, Stream};

/// How long the steps of a model are repeated, at least [`STEPS`] times.
const DURATION: Duration = Duration::from_millis(1500);
const STEPS: u32 = 10;

/// Numbers of a normal distribution; inside a `with_random` scope.
fn normal<B: Backend, const D: usize>(shape: [usize; D], device: &B::Device) -> Tensor<B, D> {
    Tensor::random(shape, Distribution::Normal(0.0, 1.0), device)
}

/// Numbers below `count`; inside a `with_random` scope.
fn classes<B: Backend, const D: usize>(shape: [usize; D], count: usize, device: &B::Device) -> Tensor<B, D, Int> {
    Tensor::<B, D>::random(shape, Distribution::Uniform(0.0, count as f64), device).int()
}

fn cross_entropy<B: Backend>(scores: Tensor<B, 2>, classes: Tensor<B, 1, Int>) -> Tensor<B, 1> {
    CrossEntropyLossConfig::new().init(&scores.device()).forward(scores, classes)
}

macro_rules! models {
    ($($model:ident)*) => {
        $( mod $model; )*

        /// Best times of a step, portable and on plain Flex.
        fn time(model: &str) -> Option<[Duration; 2]> {
            match model {
                $( stringify!($model) => {
                    let mut portable = step!($model, Autodiff<Cpu>);
                    let mut flex = step!($model, Autodiff<Flex>);
                    Some(in_turns(&mut portable, &mut flex))
                } )*
                _ => None,
            }
        }

        const MODELS: &[&str] = &[$(stringify!($model)),*];
    };
}

/// A closure that makes step number n, to the end of what the device does for it.
macro_rules! step {
    ($model:ident, $backend:ty) => {{
        type B = $backend;
        let device = Default::default();
        let (mut net, inputs) = with_random(CounterRng::new(7, Stream::INIT, 0), || {
            // Burn draws parameters at their first use.
            let (net, inputs) = ($model::Net::<B>::new(&device), $model::Net::<B>::inputs(&device));
            let _ = net.loss(inputs.clone());
            (net, inputs)
        });
        let mut optimizer = AdamConfig::new().init::<B, $model::Net<B>>();
        move |number: u32| {
            let gradients =
                with_random(CounterRng::new(7, Stream::STEP, number), || net.loss(inputs.clone()).backward());
            let gradients = GradientsParams::from_grads(gradients, &net);
            net = optimizer.step(1e-3, net.clone(), gradients);
            <B as Backend>::sync(&device).expect("the device answers");
        }
    }};
}

models!(cnn transformer lstm unet resnet vit scan vae gpt graph conv3d spatial);

fn in_turns(first: &mut dyn FnMut(u32), second: &mut dyn FnMut(u32)) -> [Duration; 2] {
    let mut best = [Duration::MAX; 2];
    let start = Instant::now();
    for number in 0.. {
        if number >= STEPS && start.elapsed() > DURATION {
            break;
        }
        // Several of each: the caches and the threads that help are then its own.
        for (step, best) in [&mut *first as &mut dyn FnMut(u32), &mut *second].into_iter().zip(&mut best) {
            for _ in 0..3 {
                let start = Instant::now();
                step(number);
                *best = start.elapsed().min(*best);
            }
        }
    }
    best
}

fn main() {
    let chosen: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let is_table = std::env::var_os("SPECTRAMIND_BENCH_TABLE").is_some();
    if let Some(unknown) = chosen.iter().find(|name| !MODELS.contains(&name.as_str())) {
        eprintln!("no model `{unknown}`: {}", MODELS.join(", "));
        std::process::exit(2);
    }
    if !is_table {
        println!("{:12} {:>12} {:>12} {:>8}", "model", "portable, us", "Flex, us", "ratio");
    }
    for model in MODELS.iter().filter(|model| chosen.is_empty() || chosen.iter().any(|name| name == *model)) {
        let [portable, flex] = time(model).expect("a model of the list").map(|best| best.as_secs_f64() * 1e6);
        if is_table {
            println!("{model} {portable:.1} {flex:.1}");
        } else {
            println!("{model:12} {portable:12.1} {flex:12.1} {:8.2}", portable / flex);
        }
    }
}
