//! Elementary functions on tensors of the portable CPU backend beside a loop over Rust's `std`, one thread.
//!
//! `cargo bench --bench functions` prints a table: 2¹⁶ values a call, the best of many calls, the two in turns.

use std::hint::black_box;
use std::time::{Duration, Instant};

use burn::tensor::{Tensor, TensorData, activation};
use spectramind::burn;
use spectramind::engine::repro::Cpu;

const LENGTH: usize = 1 << 16;
const CALLS: usize = 200;

type Values = Tensor<Cpu, 1>;

fn timed(best: &mut Duration, body: impl FnOnce()) {
    let start = Instant::now();
    body();
    *best = start.elapsed().min(*best);
}

fn row(name: &str, positive: bool, ours: impl Fn(Values) -> Values, std: impl Fn(f32) -> f32) {
    let value = |i: usize| (i % 4001) as f32 / 250.0 - if positive { -0.01 } else { 8.0 };
    let inputs: Vec<f32> = (0..LENGTH).map(value).collect();
    let tensor = Values::from_data(TensorData::new(inputs.clone(), [LENGTH]), &Default::default());
    let mut outputs = vec![0.0; LENGTH];
    let mut best = [Duration::MAX; 2];
    for _ in 0..CALLS {
        timed(&mut best[0], || drop(black_box(ours(tensor.clone()))));
        timed(&mut best[1], || {
            outputs.iter_mut().zip(black_box(&inputs)).for_each(|(output, input)| *output = std(*input));
            black_box(&outputs);
        });
    }
    let [ours, std] = best.map(|best| best.as_secs_f64() * 1e9 / LENGTH as f64);
    println!("{name:10} {ours:8.3} {std:8.3}  std takes {:.1} times as long", std / ours);
}

fn main() {
    // Before the first tensor: the pool of the process is made once.
    rayon::ThreadPoolBuilder::new().num_threads(1).build_global().expect("the first pool");
    println!("nanoseconds a value: portable tensors, std (erf: libm)");
    row("exp", false, Values::exp, f32::exp);
    row("ln", true, Values::log, f32::ln);
    row("tanh", false, Values::tanh, f32::tanh);
    row("erf", false, Values::erf, libm::erff);
    row("sigmoid", false, activation::sigmoid, |x| 1.0 / (1.0 + (-x).exp()));
    row("softplus", false, |x| activation::softplus(x, 1.0), |x| (1.0 + x.exp()).ln());
}
