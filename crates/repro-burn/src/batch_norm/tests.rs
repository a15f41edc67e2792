//! Tests of the layer: its bits beside Burn's and the reference, its gradients by their meaning, and a batch in parts.

use std::sync::{Arc, Condvar, Mutex};

use burn::module::AutodiffModule;
use burn::record::{FullPrecisionSettings, NamedMpkBytesRecorder, Recorder};
use burn::tensor::TensorData;
use burn_backend::Shape;
use burn_flex::{Flex, FlexTensor};

use super::*;
use crate::cpu::adversarial::{adversarial, bits, on_threads};
use crate::norm;
use crate::ops::fold::fold;
use crate::ops::norm::{FOLD, Norm, Slope, Sums, backward, squared};
use crate::rng::{CounterRng, Stream};
use crate::{Cpu, statistics::BatchStatistics, with_batch_statistics};

type Train = Autodiff<Cpu>;

const EPSILON: f32 = 1e-5;

/// Numbers around 1, of which neighbours differ.
fn plain(count: usize, seed: u64) -> Vec<f32> {
    let rng = CounterRng::new(seed, Stream::workload(1), 0);
    (0..count as u64).map(|index| rng.uniform_f32(index) * 3.0 - 0.5).collect()
}

fn tensor<B: Backend, const D: usize>(values: &[f32], shape: [usize; D]) -> Tensor<B, D> {
    Tensor::from_data(TensorData::new(values.to_vec(), shape), &Default::default())
}

fn host<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> Vec<f32> {
    tensor.into_data().to_vec().expect("f32")
}

/// A layer of `channels` whose parameters are not those of the start.
fn layer<B: Backend>(channels: usize) -> BatchNorm<B> {
    let of = |seed| Param::from_tensor(tensor::<B, 1>(&plain(channels, seed), [channels]));
    BatchNorm { gamma: of(101), beta: of(102), ..BatchNormConfig::new(channels).init(&Default::default()) }
}

/// Its outputs, running statistics, and the gradients by input, γ and β of the outputs times `weights`.
#[derive(Debug, Clone, PartialEq)]
struct Step {
    out: Vec<f32>,
    running: [Vec<f32>; 2],
    gradients: [Vec<f32>; 3],
}

fn step<B: AutodiffBackend, const D: usize>(
    layer: &BatchNorm<B>,
    forward: impl Fn(Tensor<B, D>) -> Tensor<B, D>,
    x: Tensor<B, D>,
    weights: Tensor<B, D>,
) -> Step {
    let x = x.require_grad();
    let out = forward(x.clone());
    let gradients = (out.clone() * weights).sum().backward();
    let of = |tensor: Tensor<B, 1>| host(tensor.grad(&gradients).expect("a gradient"));
    let _ = layer.valid();
    Step {
        out: host(out),
        running: [host(layer.running_mean.value()), host(layer.running_var.value())],
        gradients: [host(x.grad(&gradients).expect("a gradient")), of(layer.gamma.val()), of(layer.beta.val())],
    }
}

#[track_caller]
fn assert_close(got: &[f32], expected: &[f32], tolerance: f32, what: &str) {
    assert_eq!(got.len(), expected.len(), "{what}");
    let size = expected.iter().fold(0f32, |size, x| size.max(x.abs()));
    for (got, expected) in got.iter().zip(expected) {
        assert!((got - expected).abs() <= tolerance * size, "{what}: {got:e} for {expected:e} of {size:e}");
    }
}

fn beside_burns<const D: usize>(shape: [usize; D]) {
    let count = shape.iter().product();
    let [ours, burns] = [(); 2].map(|()| layer::<Train>(shape[1]));
    let inner = burns.as_burns();
    for seed in 0..3 {
        let (x, weights) = (plain(count, seed), plain(count, seed + 50));
        let (x, weights) = (tensor(&x, shape), tensor(&weights, shape));
        let got = on_threads(2, || step(&ours, |x| ours.forward(x), x.clone(), weights.clone()));
        let expected = step(&burns, |x| inner.forward(x), x, weights);
        assert_eq!(bits(got.out), bits(expected.out), "outputs of {shape:?}");
        assert_eq!(got.running.map(bits), expected.running.map(bits), "running statistics of {shape:?}");
        let names = ["input", "gamma", "beta"];
        for ((got, expected), name) in got.gradients.iter().zip(&expected.gradients).zip(names) {
            // Of two elements the gradient is a difference of nearly equal numbers, in both.
            let tolerance = if count / shape[1] < 4 { 1e-3 } else { 1e-5 };
            assert_close(got, expected, tolerance, &format!("gradient by {name} of {shape:?}"));
        }
    }
    let (x, ours, burns) = (tensor(&plain(count, 9), shape), ours.valid(), burns.valid().as_burns());
    assert_eq!(bits(host(ours.forward(x.clone()))), bits(host(burns.forward(x))), "inference of {shape:?}");
}

#[test]
fn outputs_and_running_statistics_have_the_bits_of_burns_layer_and_gradients_are_close() {
    beside_burns([9, 5]);
    beside_burns([64, 3]);
    beside_burns([3, 4, 7]);
    beside_burns([5, 3, 6, 5]);
    beside_burns([2, 40, 8, 8]);
    beside_burns([1, 3, 40, 40]);
    beside_burns([2, 3, 4, 3, 5]);
}

#[test]
fn one_element_of_a_channel_has_no_slope() {
    let ours = layer::<Train>(3);
    let got = step(&ours, |x| ours.forward(x), tensor(&[1.0, 2.0, 3.0], [1, 3]), tensor(&[1.0, -2.0, 0.5], [1, 3]));
    assert_eq!(got.gradients, [vec![0.0; 3], vec![0.0; 3], vec![1.0, -2.0, 0.5]]);
    assert_eq!(got.out, host(ours.beta.val()));
}

/// Outputs times weights in f64, summed, of one channel.
fn loss(x: &[f64], weights: &[f64], gamma: f64, beta: f64) -> f64 {
    let n = x.len() as f64;
    let mean = x.iter().sum::<f64>() / n;
    let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
    let std = (variance + f64::from(EPSILON)).sqrt();
    x.iter().zip(weights).map(|(x, weight)| ((x - mean) / std * gamma + beta) * weight).sum()
}

#[test]
fn gradients_are_the_slopes_of_the_function_in_f64() {
    let (x, weights) = (plain(40, 1), plain(40, 2));
    let wide = |values: &[f32]| values.iter().map(|x| f64::from(*x)).collect::<Vec<_>>();
    let (x64, weights64, gamma, beta) = (wide(&x), wide(&weights), 1.25, -0.5);
    let h = 1e-5;
    let slope = |of: &dyn Fn(f64) -> f64| ((of(h) - of(-h)) / (2.0 * h)) as f32;
    let by_input: Vec<f32> = (0..x.len())
        .map(|at| {
            slope(&|step| {
                let mut x = x64.clone();
                x[at] += step;
                loss(&x, &weights64, gamma, beta)
            })
        })
        .collect();
    let ours = BatchNorm::<Train> {
        gamma: Param::from_tensor(tensor(&[gamma as f32], [1])),
        beta: Param::from_tensor(tensor(&[beta as f32], [1])),
        ..BatchNormConfig::new(1).init(&Default::default())
    };
    let got = step(&ours, |x| ours.forward(x), tensor(&x, [5, 1, 8]), tensor(&weights, [5, 1, 8]));
    assert_close(&got.gradients[0], &by_input, 1e-5, "by input");
    let by_gamma = slope(&|step| loss(&x64, &weights64, gamma + step, beta));
    let by_beta = slope(&|step| loss(&x64, &weights64, gamma, beta + step));
    assert_close(&got.gradients[1], &[by_gamma], 1e-5, "by gamma");
    assert_close(&got.gradients[2], &[by_beta], 1e-5, "by beta");
}

#[test]
fn what_needs_no_gradient_gets_none_and_the_others_are_as_they_were() {
    let shape = [6, 4, 9];
    let (x, weights) = (tensor::<Train, 3>(&plain(216, 1), shape), tensor(&plain(216, 2), shape));
    let ours = layer::<Train>(4);
    let all = step(&ours, |x| ours.forward(x), x.clone(), weights.clone());
    let gradients = (ours.forward(x.clone()) * weights.clone()).sum().backward();
    assert_eq!(host(ours.gamma.val().grad(&gradients).expect("a gradient")), all.gradients[1]);
    assert_eq!(host(ours.beta.val().grad(&gradients).expect("a gradient")), all.gradients[2]);
    let frozen = layer::<Train>(4).no_grad();
    let x = x.require_grad();
    let gradients = (frozen.forward(x.clone()) * weights.clone()).sum().backward();
    assert_eq!(host(x.grad(&gradients).expect("a gradient")), all.gradients[0]);
    assert!(frozen.gamma.val().grad(&gradients).is_none());
    assert!(!frozen.forward(x.detach()).is_require_grad());
}

#[test]
fn a_gradient_that_another_op_needs_too_stays_as_it_is() {
    // Both summands get the same tensor as their gradient.
    let shape = [4, 3, 20];
    let ours = layer::<Train>(3);
    let x = tensor::<Train, 3>(&plain(240, 1), shape).require_grad();
    let other = tensor::<Train, 3>(&plain(240, 2), shape).require_grad();
    let weights = plain(240, 3);
    let sum = ours.forward(x.clone()) + other.clone();
    let gradients = (sum * tensor(&weights, shape)).sum().backward();
    assert_eq!(host(other.grad(&gradients).expect("a gradient")), weights);
    let alone = step(&ours, |x| ours.forward(x), x.clone().detach(), tensor(&weights, shape));
    assert_eq!(host(x.grad(&gradients).expect("a gradient")), alone.gradients[0]);
}

#[test]
fn the_cpus_kernels_have_the_bits_of_the_composition_of_ops() {
    let of =
        |values: Vec<f32>, shape: &[usize]| FlexTensor::from_data(TensorData::new(values, Shape::from(shape.to_vec())));
    let bits_of = |tensor: FlexTensor| bits(tensor.into_data().to_vec::<f32>().expect("f32"));
    // The last is too large for one task.
    for (case, shape) in [[1, 1, 1], [33, 40, 1], [4, 7, 5], [9, 4, 1000], [2, 3, 70_000]].into_iter().enumerate() {
        let (count, channels) = (shape.iter().product(), [shape[1]]);
        for of_numbers in [plain, adversarial] {
            let numbers = |seed, length| of_numbers(length, 100 * case as u64 + seed);
            let (x, gradient) = (of(numbers(0, count), &shape), of(numbers(1, count), &shape));
            let gamma_beta = [2, 3].map(|seed| of(numbers(seed, shape[1]), &channels));
            let [mean, shift, tilt] = [4, 5, 6].map(|seed| of(plain(shape[1], seed), &channels));
            let (by, slope) = ([mean.clone(), of(vec![1.5; shape[1]], &channels)], [shift.clone(), shift, tilt]);
            let equal = |got: FlexTensor, expected: FlexTensor, what: &str| {
                assert_eq!(got.shape(), expected.shape(), "{what} of {shape:?}");
                assert!(bits_of(got) == bits_of(expected), "{what} of {shape:?}");
            };
            equal(Flex::channel_sums(x.clone()), norm::channel_sums::<Flex>(x.clone()), "sums");
            let squares = norm::channel_squares::<Flex>(x.clone(), mean.clone());
            equal(Flex::channel_squares(x.clone(), mean.clone()), squares, "squares");
            let out = norm::normalise::<Flex>(x.clone(), by.clone(), gamma_beta.clone());
            equal(Flex::normalise(x.clone(), by.clone(), gamma_beta.clone()), out, "outputs");
            let expected = norm::gradient_sums::<Flex>(x.clone(), gradient.clone(), by.clone());
            let got = Flex::gradient_sums(x.clone(), gradient.clone(), by.clone());
            got.into_iter().zip(expected).for_each(|(got, expected)| equal(got, expected, "sums of gradients"));
            let expected = norm::input_gradient::<Flex>(x.clone(), gradient.clone(), by.clone(), slope.clone());
            equal(Flex::input_gradient(x.clone(), gradient.clone(), by.clone(), slope), expected, "gradient");
            let got = Flex::batch_norm(x.clone(), gamma_beta.clone(), EPSILON);
            let expected = norm::batch_norm::<Flex>(x.clone(), gamma_beta.clone(), EPSILON);
            equal(got.out, expected.out, "batch norm");
            equal(got.mean, expected.mean, "mean");
            equal(got.variance, expected.variance, "variance");
            equal(got.std.clone(), expected.std, "std");
            let (by, [gamma, _]) = ([mean, got.std], gamma_beta);
            let expected = norm::batch_norm_backward::<Flex>(x.clone(), gradient.clone(), by.clone(), gamma.clone());
            let kept = gradient.clone();
            for gradient in [kept, gradient] {
                // The second time nobody else has it.
                let got = Flex::batch_norm_backward(x.clone(), gradient, by.clone(), gamma.clone());
                equal(got.input, expected.input.clone(), "gradient by input");
                equal(got.gamma, expected.gamma.clone(), "gradient by gamma");
                equal(got.beta, expected.beta.clone(), "gradient by beta");
            }
        }
    }
}

/// Where the parts of a batch meet, each on its thread.
struct Meeting {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// What has come from each part.
    brought: Vec<Option<(Vec<f32>, u64)>>,
    /// The sums, and how many parts have yet to take them.
    sums: Option<((Vec<f32>, u64), usize)>,
}

/// One part's way to the meeting.
struct Part {
    index: usize,
    meeting: Arc<Meeting>,
}

/// The exchanges of `parts` parts.
fn meeting(parts: usize) -> Vec<Arc<dyn BatchStatistics>> {
    let state = Mutex::new(State { brought: vec![None; parts], sums: None });
    let meeting = Arc::new(Meeting { state, changed: Condvar::new() });
    (0..parts).map(|index| Arc::new(Part { index, meeting: Arc::clone(&meeting) }) as _).collect()
}

impl BatchStatistics for Part {
    fn sum(&self, values: Vec<f32>, count: u64) -> (Vec<f32>, u64) {
        let Meeting { state, changed } = &*self.meeting;
        let mut state = changed.wait_while(state.lock().unwrap(), |state| state.sums.is_some()).unwrap();
        state.brought[self.index] = Some((values, count));
        if state.brought.iter().all(Option::is_some) {
            let brought: Vec<_> = state.brought.iter_mut().map(|part| part.take().expect("all are there")).collect();
            let values: Vec<_> = brought.iter().map(|(values, _)| values.clone()).collect();
            let count = brought.iter().map(|(_, count)| count).sum();
            state.sums = Some(((tree(&values), count), brought.len()));
            changed.notify_all();
        }
        let mut state = changed.wait_while(state, |state| state.sums.is_none()).unwrap();
        let (sums, left) = state.sums.as_mut().expect("waited for");
        let sums = sums.clone();
        *left -= 1;
        if *left == 0 {
            state.sums = None;
            changed.notify_all();
        }
        sums
    }
}

/// Element by element, in the documented tree.
fn tree(parts: &[Vec<f32>]) -> Vec<f32> {
    match parts {
        [part] => part.clone(),
        _ => {
            let (left, right) = parts.split_at(1 << (parts.len() - 1).ilog2());
            tree(left).into_iter().zip(tree(right)).map(|(left, right)| left + right).collect()
        }
    }
}

/// `body` of each part of a batch, each on a thread of its own.
fn in_parts<T: Send>(parts: usize, body: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let exchanges = meeting(parts);
    std::thread::scope(|scope| {
        let threads: Vec<_> = exchanges
            .into_iter()
            .enumerate()
            .map(|(index, exchange)| {
                scope.spawn({
                    let body = &body;
                    move || with_batch_statistics(exchange, || body(index))
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("a part that does not panic")).collect()
    })
}

/// Samples of each part: not as many.
const SAMPLES: [usize; 4] = [3, 1, 4, 2];
const CHANNELS: usize = 5;
const POSITIONS: usize = 21;

/// The numbers of each part, `[samples, channels, positions]`.
fn parts_of(values: &[f32]) -> Vec<Vec<f32>> {
    let mut rest = values;
    let part = |samples| {
        let (part, after) = rest.split_at(samples * CHANNELS * POSITIONS);
        rest = after;
        part.to_vec()
    };
    SAMPLES.into_iter().map(part).collect()
}

fn channel(values: &[f32], channel: usize) -> Vec<f32> {
    values.chunks_exact(POSITIONS).skip(channel).step_by(CHANNELS).flatten().copied().collect()
}

/// What every part of the batch has to give, made by one thread.
fn reference(x: &[Vec<f32>], gradients: &[Vec<f32>], gamma: &[f32], beta: &[f32]) -> Vec<Step> {
    let n = (SAMPLES.iter().sum::<usize>() * POSITIONS) as f32;
    let of_parts = |of: &dyn Fn(usize, usize) -> f32| -> Vec<f32> {
        tree(&(0..x.len()).map(|part| (0..CHANNELS).map(|at| of(part, at)).collect()).collect::<Vec<_>>())
    };
    let over = |sums: Vec<f32>| sums.into_iter().map(|sum| sum / n).collect::<Vec<_>>();
    let mean = over(of_parts(&|part, at| fold(FOLD, &channel(&x[part], at))));
    let variance = over(of_parts(&|part, at| {
        let squares: Vec<f32> = channel(&x[part], at).iter().map(|x| squared(mean[at], *x)).collect();
        fold(FOLD, &squares)
    }));
    let norm = |at: usize| Norm::new(mean[at], variance[at], EPSILON);
    let own = |part: usize, at: usize| {
        backward(&channel(&x[part], at), &channel(&gradients[part], at), norm(at), gamma[at]).1
    };
    let betas = of_parts(&|part, at| own(part, at).beta);
    let gammas = of_parts(&|part, at| own(part, at).gamma);
    let each = |part: usize, of: &dyn Fn(usize, usize) -> f32| -> Vec<f32> {
        (0..x[part].len()).map(|index| of(index, index / POSITIONS % CHANNELS)).collect()
    };
    (0..x.len())
        .map(|part| Step {
            out: each(part, &|index, at| norm(at).normalised(x[part][index]) * gamma[at] + beta[at]),
            running: [
                mean.iter().map(|mean| 0.0 * 0.9f32 + mean * 0.1f32).collect(),
                variance.iter().map(|variance| 0.9f32 + variance * 0.1f32).collect(),
            ],
            gradients: [
                each(part, &|index, at| {
                    let sums = Sums { beta: betas[at], gamma: gammas[at] };
                    let slope = Slope::new(norm(at).std, gamma[at], sums, n);
                    slope.gradient(norm(at).normalised(x[part][index]), gradients[part][index])
                }),
                (0..CHANNELS).map(|at| own(part, at).gamma).collect(),
                (0..CHANNELS).map(|at| own(part, at).beta).collect(),
            ],
        })
        .collect()
}

#[test]
fn a_batch_in_parts_has_the_bits_of_the_reference_that_adds_in_the_tree_and_the_numbers_of_the_whole() {
    let count = SAMPLES.iter().sum::<usize>() * CHANNELS * POSITIONS;
    let (x, weights) = (plain(count, 1), plain(count, 2));
    let (xs, weights_of_parts) = (parts_of(&x), parts_of(&weights));
    let [gamma, beta] = [101, 102].map(|seed| plain(CHANNELS, seed));
    let got = in_parts(SAMPLES.len(), |part| {
        let shape = [SAMPLES[part], CHANNELS, POSITIONS];
        let ours = layer::<Train>(CHANNELS);
        let x = tensor(&xs[part], shape);
        step(&ours, |x| ours.forward(x), x, tensor(&weights_of_parts[part], shape))
    });
    for (part, (got, expected)) in got.iter().zip(reference(&xs, &weights_of_parts, &gamma, &beta)).enumerate() {
        assert_eq!(bits(got.out.clone()), bits(expected.out), "outputs of part {part}");
        assert_eq!(got.running.clone().map(bits), expected.running.map(bits), "running statistics of part {part}");
        assert_eq!(got.gradients.clone().map(bits), expected.gradients.map(bits), "gradients of part {part}");
    }
    let whole = layer::<Train>(CHANNELS);
    let shape = [SAMPLES.iter().sum(), CHANNELS, POSITIONS];
    let whole = step(&whole, |x| whole.forward(x), tensor(&x, shape), tensor(&weights, shape));
    assert_close(&got.iter().flat_map(|part| part.out.clone()).collect::<Vec<_>>(), &whole.out, 1e-6, "outputs");
    for statistic in 0..2 {
        assert_close(&got[0].running[statistic], &whole.running[statistic], 1e-6, "running statistics");
    }
    let by_input: Vec<f32> = got.iter().flat_map(|part| part.gradients[0].clone()).collect();
    assert_close(&by_input, &whole.gradients[0], 1e-5, "gradient by input");
    for parameter in 1..3 {
        let of_parts: Vec<_> = got.iter().map(|part| part.gradients[parameter].clone()).collect();
        assert_close(&tree(&of_parts), &whole.gradients[parameter], 1e-5, "gradient by a parameter");
    }
}

#[test]
fn layers_one_after_the_other_and_several_steps_keep_the_parts_together() {
    let train = |x: &[f32], samples: usize| {
        let (first, second) = (layer::<Train>(CHANNELS), layer::<Train>(CHANNELS));
        let mut out = Vec::new();
        for _ in 0..5 {
            let x = tensor::<Train, 3>(x, [samples, CHANNELS, POSITIONS]).require_grad();
            let y = second.forward(burn::tensor::activation::relu(first.forward(x.clone())));
            let gradients = (y.clone() * y).sum().backward();
            out = host(x.grad(&gradients).expect("a gradient"));
        }
        (out, host(second.valid().running_var.value()))
    };
    let samples = SAMPLES.iter().sum();
    let x = plain(samples * CHANNELS * POSITIONS, 1);
    let xs = parts_of(&x);
    let got = in_parts(SAMPLES.len(), |part| train(&xs[part], SAMPLES[part]));
    let whole = train(&x, samples);
    let by_input: Vec<f32> = got.iter().flat_map(|(gradient, _)| gradient.clone()).collect();
    // The sum of squares after a norm hardly depends on what comes before: what is left are roundings, and ε.
    assert_eq!(by_input.len(), whole.0.len());
    for (_, running) in got {
        assert_close(&running, &whole.1, 1e-6, "running variance");
    }
}

#[test]
fn one_part_has_the_bits_of_a_batch_without_parts() {
    let shape = [6, 7, 33];
    let (x, weights) = (plain(6 * 7 * 33, 1), plain(6 * 7 * 33, 2));
    let run = || {
        let ours = layer::<Train>(7);
        step(&ours, |x| ours.forward(x), tensor(&x, shape), tensor(&weights, shape))
    };
    let got = in_parts(1, |_| run()).remove(0);
    let alone = run();
    assert_eq!(bits(got.out), bits(alone.out));
    assert_eq!(got.running.map(bits), alone.running.map(bits));
    assert_eq!(got.gradients.map(bits), alone.gradients.map(bits));
}

#[test]
fn on_another_backend_it_is_burns_layer() {
    let shape = [4, 3, 10];
    let (x, weights) = (tensor::<Autodiff<Flex>, 3>(&plain(120, 1), shape), tensor(&plain(120, 2), shape));
    let [ours, burns] = [(); 2].map(|()| layer::<Autodiff<Flex>>(3));
    let inner = burns.as_burns();
    let got = step(&ours, |x| ours.forward(x), x.clone(), weights.clone());
    assert_eq!(got, step(&burns, |x| inner.forward(x), x.clone(), weights));
    let of_a_part = std::panic::AssertUnwindSafe(|| {
        with_batch_statistics(meeting(1).remove(0), || ours.forward(x.clone()));
    });
    let panic = std::panic::catch_unwind(of_a_part).expect_err("the statistics of a part");
    assert!(panic.downcast_ref::<&str>().expect("a message").contains("statistics of a part"));
}

#[test]
fn records_and_descriptions_are_those_of_burns_layer() {
    let recorder = NamedMpkBytesRecorder::<FullPrecisionSettings>::default();
    let device = Default::default();
    let ours = layer::<Train>(4);
    ours.forward(tensor(&plain(12, 1), [3, 4]));
    let text = format!("{ours}");
    let expected = [host(ours.gamma.val()), host(ours.running_mean.value_sync()), host(ours.running_var.value_sync())];
    let bytes = recorder.record(ours.into_record(), ()).expect("a record");
    let burns = nn::BatchNormConfig::new(4).init::<Train>(&device);
    assert_eq!(text, format!("{burns}"));
    let burns = burns.load_record(recorder.load(bytes, &device).expect("our record is Burn's"));
    let bytes = recorder.record(burns.into_record(), ()).expect("a record");
    let ours = layer::<Train>(4).load_record(recorder.load(bytes, &device).expect("Burn's record is ours"));
    let got = [host(ours.gamma.val()), host(ours.running_mean.value()), host(ours.running_var.value())];
    assert_eq!(got, expected);
}
