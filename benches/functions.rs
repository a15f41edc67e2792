//! Elementary functions on tensors of the portable CPU backend beside a loop over Rust's `std`, sums of rows beside a loop, and
//! softmax beside exp and Flex.
//!
//! `cargo bench --bench functions` prints the tables: 2¹⁶ values a call, the best of many calls, in turns; then softmax and its
//! logarithm over the last dimension, forward alone and with the gradient by the input. On one thread, or as many as
//! `RAYON_NUM_THREADS` says.

use std::hint::black_box;
use std::time::{Duration, Instant};

use burn::backend::{Autodiff, Flex};
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{Tensor, TensorData, activation};
use spectramind::burn;
use spectramind::engine::repro::Cpu;

const LENGTH: usize = 1 << 16;
const CALLS: usize = 200;

/// Rows of the softmax table: of a batch, of many short ones, of attention.
const SHAPES: [[usize; 2]; 4] = [[64, 566], [12_000, 96], [512, 10], [4 * 8 * 256, 256]];

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

/// The sums of rows of `length` values, beside a loop that adds them in ascending order.
fn sums(length: usize) {
    let rows = LENGTH / length;
    let inputs: Vec<f32> = (0..rows * length).map(|i| (i % 4001) as f32 / 250.0 - 8.0).collect();
    let tensor = Tensor::<Cpu, 2>::from_data(TensorData::new(inputs.clone(), [rows, length]), &Default::default());
    let mut outputs = vec![0.0; rows];
    let mut best = [Duration::MAX; 2];
    for _ in 0..CALLS {
        timed(&mut best[0], || drop(black_box(tensor.clone().sum_dim(1))));
        timed(&mut best[1], || {
            let rows = black_box(&inputs).chunks_exact(length);
            outputs.iter_mut().zip(rows).for_each(|(output, row)| *output = row.iter().sum());
            black_box(&outputs);
        });
    }
    let [ours, loops] = best.map(|best| best.as_secs_f64() * 1e9 / (rows * length) as f64);
    println!("rows of {length:4} {ours:7.3} {loops:8.3}  a loop takes {:.1} times as long", loops / ours);
}

/// What is timed of a softmax on one backend.
type Softmax<B> = fn(Tensor<B, 2>, usize) -> Tensor<B, 2>;

fn values(shape: [usize; 2]) -> TensorData {
    let count = shape[0] * shape[1];
    TensorData::new((0..count).map(|i| (i * 7919 % 4001) as f32 / 250.0 - 8.0).collect::<Vec<f32>>(), shape)
}

fn forward<B: Backend>(softmax: Softmax<B>, shape: [usize; 2]) -> impl FnMut() {
    let x = Tensor::from_data(values(shape), &Default::default());
    move || drop(black_box(softmax(x.clone(), 1)))
}

/// Not of a leaf, but of something in the graph, as in a model.
fn with_gradient<B: AutodiffBackend>(softmax: Softmax<B>, shape: [usize; 2]) -> impl FnMut() {
    let leaf = Tensor::<B, 2>::from_data(values(shape), &Default::default()).require_grad();
    let weights = Tensor::<B, 2>::from_data(values(shape), &Default::default());
    move || {
        let x = leaf.clone().reshape(shape);
        // The loss is no less work than the softmax's fastest passes, so it is a product and a sum, and no more.
        let gradients = (softmax(x, 1) * weights.clone()).sum().backward();
        drop(black_box(leaf.grad(&gradients)));
    }
}

fn softmax_rows(
    name: &str,
    (ours, flex): (Softmax<Cpu>, Softmax<Flex>),
    (ours_in_graph, flex_in_graph): (Softmax<Autodiff<Cpu>>, Softmax<Autodiff<Flex>>),
) {
    for shape in SHAPES {
        let count = shape[0] * shape[1];
        let mut contestants: [Box<dyn FnMut()>; 6] = [
            Box::new(forward::<Cpu>(|x, _| x.exp(), shape)),
            Box::new(forward(ours, shape)),
            Box::new(forward(flex, shape)),
            Box::new(with_gradient::<Autodiff<Cpu>>(|x, _| x.exp(), shape)),
            Box::new(with_gradient(ours_in_graph, shape)),
            Box::new(with_gradient(flex_in_graph, shape)),
        ];
        let mut best = [Duration::MAX; 6];
        for _ in 0..CALLS.min((1 << 27) / count) {
            for (contestant, best) in contestants.iter_mut().zip(&mut best) {
                // Twice: the second finds the caches and the allocator's pages as it left them.
                timed(best, &mut *contestant);
                timed(best, contestant);
            }
        }
        print!("{name:12} {:12}", format!("{shape:?}"));
        best.iter().for_each(|best| print!(" {:8.3}", best.as_secs_f64() * 1e9 / count as f64));
        println!();
    }
}

fn main() {
    // Before the first tensor: the pool of the process is made once.
    let threads = std::env::var("RAYON_NUM_THREADS").ok().and_then(|threads| threads.parse().ok()).unwrap_or(1);
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global().expect("the first pool");
    println!("nanoseconds a value: portable tensors, std (erf: libm)");
    row("exp", false, Values::exp, f32::exp);
    row("ln", true, Values::log, f32::ln);
    row("tanh", false, Values::tanh, f32::tanh);
    row("erf", false, Values::erf, libm::erff);
    row("sigmoid", false, activation::sigmoid, |x| 1.0 / (1.0 + (-x).exp()));
    row("softplus", false, |x| activation::softplus(x, 1.0), |x| (1.0 + x.exp()).ln());
    println!("nanoseconds a value: sums of rows of portable tensors, a loop");
    [1, 2, 3, 8, 10, 16, 31, 64, 256].into_iter().for_each(sums);
    println!("nanoseconds a value, {threads} threads: exp, softmax, softmax of Flex; the same with the gradient");
    softmax_rows("softmax", (activation::softmax, activation::softmax), (activation::softmax, activation::softmax));
    let log_softmax = (activation::log_softmax as Softmax<_>, activation::log_softmax as Softmax<_>);
    softmax_rows("log_softmax", log_softmax, (activation::log_softmax, activation::log_softmax));
}
