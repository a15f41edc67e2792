//! Tests of the backend as a whole, through Burn's tensors: layouts, special values, orders and refusals.

use burn::tensor::activation::{gelu, relu, sigmoid};
use burn::tensor::backend::Backend;
use burn::tensor::{Bool, Distribution, Int, Tensor, TensorData, s};
use burn_backend::ops::{ActivationOps, FloatTensorOps, IntTensorOps};
use burn_backend::{FloatDType, IntDType, Scalar};

use super::kernels::{BinaryFunction, Fold, Function};
use super::ops::fma::Fused;
use super::ops::fold::fold;
use super::ops::matmul::dot;
use super::ops::{Real, apply, apply_binary};
use super::{Cpu, with_random};
use crate::rng::{CounterRng, Stream};

fn random<const D: usize>(shape: [usize; D], seed: u64) -> Tensor<Cpu, D> {
    with_random(CounterRng::new(seed, Stream::workload(0), 0), || {
        Tensor::random(shape, Distribution::Normal(0.0, 1.0), &Default::default())
    })
}

fn of<const D: usize>(values: &[f32], shape: [usize; D]) -> Tensor<Cpu, D> {
    Tensor::from_data(TensorData::new(values.to_vec(), shape), &Default::default())
}

fn ints(values: &[i32]) -> Tensor<Cpu, 1, Int> {
    Tensor::from_data(TensorData::from(values), &Default::default())
}

fn values<const D: usize>(tensor: Tensor<Cpu, D>) -> Vec<f32> {
    tensor.into_data().to_vec().expect("an f32 tensor")
}

fn bits<const D: usize>(tensor: Tensor<Cpu, D>) -> Vec<u32> {
    values(tensor).into_iter().map(f32::to_bits).collect()
}

/// The bits that leave a tensor.
fn canonical(x: f32) -> u32 {
    if x.is_nan() { 0x7fc0_0000 } else { x.to_bits() }
}

/// Fails at the first difference: the whole of both vectors would bury it.
#[track_caller]
fn assert_same(got: &[u32], expected: &[u32], what: &str) {
    assert_eq!(got.len(), expected.len(), "{what}: length");
    for (index, (got, expected)) in got.iter().zip(expected).enumerate() {
        assert_eq!(got, expected, "{what}: element {index} is {:e}", f32::from_bits(*got));
    }
}

/// The product of two batches, element by element.
fn reference_matmul(left: Tensor<Cpu, 3>, right: Tensor<Cpu, 3>) -> Vec<u32> {
    let ([batch_left, m, k], [batch_right, _, n]) = (left.dims(), right.dims());
    let (a, b) = (values(left), values(right));
    let mut out = Vec::new();
    for batch in 0..batch_left.max(batch_right) {
        let (a, b) = (&a[batch % batch_left * m * k..], &b[batch % batch_right * k * n..]);
        for i in 0..m {
            for j in 0..n {
                let column: Vec<f32> = (0..k).map(|k| b[k * n + j]).collect();
                out.push(dot::<Fused>(&a[i * k..][..k], &column).to_bits());
            }
        }
    }
    out
}

/// Every kind of number: random bits, and all pairs of special values.
fn adversarial_pairs() -> (Vec<f32>, Vec<f32>) {
    let special = [0.0, -0.0, 0.5, -0.5, 1.5, 2.5, -1.0, 1e-45, -1e-40, f32::MIN_POSITIVE, f32::MAX, f32::INFINITY];
    let special =
        [special.as_slice(), &[f32::NEG_INFINITY, f32::NAN, 8_388_607.5, 4_194_304.5, 2_147_483_648.0]].concat();
    let rng = CounterRng::new(3, Stream::workload(2), 0);
    let pairs = special.iter().flat_map(|a| special.iter().map(move |b| (*a, *b)));
    let random = (0..5000).map(|i| (f32::from_bits(rng.u32(2 * i)), f32::from_bits(rng.u32(2 * i + 1))));
    // Numbers of one magnitude, whose sums and quotients round.
    let close = (0..5000).map(|i| (rng.uniform_f32(20_000 + i) * 8.0 - 4.0, rng.uniform_f32(30_000 + i) - 0.5));
    pairs.chain(random).chain(close).unzip()
}

#[test]
fn forwarded_arithmetic_is_that_of_ieee_754() {
    type Binary = (fn(Tensor<Cpu, 1>, Tensor<Cpu, 1>) -> Tensor<Cpu, 1>, fn(f32, f32) -> f32);
    type Unary = (fn(Tensor<Cpu, 1>) -> Tensor<Cpu, 1>, fn(f32) -> f32);
    let binary: [Binary; 4] = [
        (|a, b| a + b, |a, b| a + b),
        (|a, b| a - b, |a, b| a - b),
        (|a, b| a * b, |a, b| a * b),
        (|a, b| a / b, |a, b| a / b),
    ];
    let unary: [Unary; 8] = [
        (|a| a.sqrt(), f32::sqrt),
        (|a| a.recip(), f32::recip),
        (|a| -a, |a| -a),
        (|a| a.abs(), f32::abs),
        (|a| a.floor(), f32::floor),
        (|a| a.ceil(), f32::ceil),
        (|a| a.trunc(), f32::trunc),
        (|a| a.round(), f32::round_ties_even),
    ];
    let (a, b) = adversarial_pairs();
    let (left, right) = (|| of(&a, [a.len()]), || of(&b, [b.len()]));
    for (index, (tensor, scalar)) in binary.into_iter().enumerate() {
        let expected: Vec<u32> = a.iter().zip(&b).map(|(a, b)| canonical(scalar(*a, *b))).collect();
        // A tensor that is shared, or a strided one, takes another path than one that may be overwritten.
        let shared = left();
        assert_same(
            &bits(tensor(shared.clone(), right())),
            &expected,
            &format!("binary op {index} of a shared tensor"),
        );
        assert_same(&bits(tensor(left(), right())), &expected, &format!("binary op {index}"));
        let flipped: Vec<u32> = expected.iter().rev().copied().collect();
        assert_same(
            &bits(tensor(left().flip([0]), right().flip([0]))),
            &flipped,
            &format!("binary op {index} of a flipped tensor"),
        );
    }
    for (index, (tensor, scalar)) in unary.into_iter().enumerate() {
        let expected: Vec<u32> = a.iter().map(|a| canonical(scalar(*a))).collect();
        let shared = left();
        assert_same(&bits(tensor(shared.clone())), &expected, &format!("unary op {index} of a shared tensor"));
        assert_same(&bits(tensor(left())), &expected, &format!("unary op {index}"));
        let flipped: Vec<u32> = expected.iter().rev().copied().collect();
        assert_same(&bits(tensor(left().flip([0]))), &flipped, &format!("unary op {index} of a flipped tensor"));
    }
}

#[test]
fn forwarded_comparisons_and_casts_are_those_of_rust() {
    let (a, b) = adversarial_pairs();
    let (left, right) = (|| of(&a, [a.len()]), || of(&b, [b.len()]));
    let check = |got: Tensor<Cpu, 1, Bool>, scalar: fn(&f32, &f32) -> bool| {
        let expected: Vec<bool> = a.iter().zip(&b).map(|(a, b)| scalar(a, b)).collect();
        assert_eq!(got.into_data().iter::<bool>().collect::<Vec<_>>(), expected);
    };
    check(left().equal(right()), f32::eq);
    check(left().not_equal(right()), f32::ne);
    check(left().lower(right()), f32::lt);
    check(left().lower_equal(right()), f32::le);
    check(left().greater(right()), f32::gt);
    check(left().greater_equal(right()), f32::ge);
    let expected: Vec<i32> = a.iter().map(|a| *a as i32).collect();
    assert_eq!(left().int().into_data().to_vec::<i32>().expect("integers"), expected);
    let integers = [0, 1, -1, i32::MIN, i32::MAX, 16_777_217, -16_777_219, 33_554_433];
    assert_eq!(values(ints(&integers).float()), integers.map(|x| x as f32));
}

#[test]
fn matmul_of_any_layout_equals_the_reference() {
    let layouts: [(Tensor<Cpu, 3>, Tensor<Cpu, 3>); 8] = [
        (random([3, 5, 7], 1), random([3, 7, 4], 2)),
        (random([3, 5, 7], 1), random([1, 7, 4], 2)),
        // The same right matrix for left ones with a gap between them.
        (random([3, 9, 7], 1).slice([0..3, 1..6, 0..7]), random([1, 7, 4], 2)),
        (random([1, 5, 7], 1), random([3, 7, 4], 2)),
        (random([3, 7, 5], 1).swap_dims(1, 2), random([3, 4, 7], 2).swap_dims(1, 2)),
        (random([5, 3, 7], 1).swap_dims(0, 1), random([7, 3, 4], 2).swap_dims(0, 1)),
        (random([4, 9, 9], 1).slice([1..4, 2..7, 1..8]), random([3, 9, 9], 2).slice([0..3, 2..9, 3..7])),
        (random([2, 5, 7], 1).flip([1, 2]), random([2, 7, 4], 2).flip([0])),
    ];
    for (left, right) in layouts {
        assert_eq!(bits(left.clone().matmul(right.clone())), reference_matmul(left, right));
    }
}

#[test]
fn a_large_batched_matmul_is_the_same_on_any_number_of_threads() {
    let (left, right) = (random([4, 100, 530], 1), random([4, 530, 30], 2));
    let expected = reference_matmul(left.clone(), right.clone());
    for threads in [1, 2, 5] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        assert_eq!(pool.install(|| bits(left.clone().matmul(right.clone()))), expected, "{threads} threads");
    }
}

#[test]
fn products_with_an_empty_dimension_are_empty_or_zero() {
    assert_eq!(bits(of(&[], [2, 0]).matmul(of(&[], [0, 3]))), [0; 6]);
    assert!(bits(of(&[], [0, 2]).matmul(of(&[1.0; 6], [2, 3]))).is_empty());
    assert!(bits(of(&[], [0, 2, 2]).matmul(of(&[], [0, 2, 2]))).is_empty());
}

#[test]
fn reductions_see_the_logical_order_of_a_strided_tensor() {
    let tensor = random([6, 50, 70], 3).permute([2, 0, 1]).slice([3..67, 1..6, 0..50]);
    let data = values(tensor.clone());
    assert_eq!(bits(tensor.clone().sum()), [fold(Fold::Sum, &data).to_bits()]);
    assert_eq!(bits(tensor.clone().mean()), [(fold(Fold::Sum, &data) / 16_000.0).to_bits()]);
    let column = |j: usize| (0..64).map(|i| data[i * 250 + j]).collect::<Vec<_>>();
    let sums: Vec<u32> = (0..250).map(|j| fold(Fold::Sum, &column(j)).to_bits()).collect();
    assert_eq!(bits(tensor.clone().sum_dim(0)), sums);
    let means: Vec<u32> = (0..250).map(|j| (fold(Fold::Sum, &column(j)) / 64.0).to_bits()).collect();
    assert_eq!(bits(tensor.clone().mean_dim(0)), means);
    let products: Vec<u32> = data.chunks(50).map(|row| fold(Fold::Product, row).to_bits()).collect();
    assert_eq!(bits(tensor.prod_dim(2)), products);
}

#[test]
fn running_reductions_go_in_ascending_order() {
    let tensor = of(&[1e8, 1.0, -1e8, 1.0, -0.0, 3.0], [3, 2]);
    assert_eq!(values(tensor.clone().cumsum(0)), [1e8, 1.0, 0.0, 2.0, 0.0, 5.0]);
    assert_eq!(values(tensor.clone().cumsum(1)), [1e8, 1e8 + 1.0, -1e8, -1e8 + 1.0, 0.0, 3.0]);
    assert_eq!(values(tensor.clone().cumprod(1))[..2], [1e8, 1e8]);
    assert_eq!(
        bits(of(&[2.0, -0.0, 0.0, f32::NAN, 1.0], [5]).cummin(0)),
        [2f32.to_bits(), (-0f32).to_bits(), (-0f32).to_bits(), 0x7fc0_0000, 0x7fc0_0000]
    );
    assert_eq!(values(tensor.cummax(0)), [1e8, 1.0, 1e8, 1.0, 1e8, 3.0]);
}

#[test]
fn duplicate_indices_are_added_in_ascending_order() {
    // Any other order of 1e8, 1, −1e8, 1 gives another sum.
    let added = [1e8, 10.0, 1.0, 20.0, -1e8, 30.0, 1.0, 40.0];
    let expected = [((0.5f32 + 1e8) + 1.0 - 1e8) + 1.0, 0.5 + 10.0 + 20.0 + 30.0 + 40.0];
    let start = of(&[0.5; 4], [2, 2]);
    let selected =
        start.clone().select_assign(0, ints(&[1; 4]), of(&added, [4, 2]), burn::tensor::IndexingUpdateOp::Add);
    assert_eq!(values(selected), [0.5, 0.5, expected[0], expected[1]]);
    let indices = ints(&[1; 8]).reshape([4, 2]);
    let scattered = start.scatter(0, indices, of(&added, [4, 2]), burn::tensor::IndexingUpdateOp::Add);
    assert_eq!(values(scattered), [0.5, 0.5, expected[0], expected[1]]);
    let deep = of(&[0.5; 4], [1, 2, 2]);
    let selected = deep.select_assign(1, ints(&[1; 4]), of(&added, [1, 4, 2]), burn::tensor::IndexingUpdateOp::Add);
    assert_eq!(values(selected), [0.5, 0.5, expected[0], expected[1]]);
}

#[test]
fn only_the_canonical_nan_leaves_a_tensor() {
    let odd = [0xffc1_2345, 0x7f80_0001, 0xffff_ffff].map(f32::from_bits);
    assert_eq!(bits(of(&odd, [3])), [0x7fc0_0000; 3]);
    assert_eq!(bits(of(&[f32::INFINITY], [1]) - f32::INFINITY), [0x7fc0_0000]);
}

#[test]
fn clamp_relu_and_sign_treat_nan_and_zeros_as_documented() {
    let input = || of(&[f32::NAN, -0.0, 0.0, -1e-45, 2.0, f32::NEG_INFINITY], [6]);
    let (nan, minus_zero, one) = (0x7fc0_0000, (-0f32).to_bits(), 1f32.to_bits());
    assert_eq!(bits(input().clamp(0.0, 1.0)), [nan, minus_zero, 0, 0, one, 0]);
    assert_eq!(bits(input().clamp_max(-0.0)), [nan, minus_zero, 0, (-1e-45f32).to_bits(), minus_zero, 0xff80_0000]);
    assert_eq!(bits(relu(input())), [nan, 0, 0, 0, 2f32.to_bits(), 0]);
    assert_eq!(bits(input().sign()), [0, 0, 0, (-1f32).to_bits(), one, (-1f32).to_bits()]);
}

#[test]
fn extrema_are_the_first_of_equals_and_nan_wins() {
    let input = of(&[-0.0, 0.0, 1.0, f32::NAN, f32::INFINITY, f32::NAN, 3.0, 3.0, -1.0], [3, 3]);
    assert_eq!(input.clone().argmax(1).into_data().to_vec::<i32>().expect("indices"), [2, 0, 0]);
    assert_eq!(input.clone().argmin(1).into_data().to_vec::<i32>().expect("indices"), [0, 0, 2]);
    assert_eq!(bits(input.clone().min_dim(1)), [(-0f32).to_bits(), 0x7fc0_0000, (-1f32).to_bits()]);
    assert_eq!(bits(input.clone().max_dim(0)), [0x7fc0_0000, f32::INFINITY.to_bits(), 0x7fc0_0000]);
    assert_eq!(bits(input.max()), [0x7fc0_0000]);
}

#[test]
fn sorting_is_total_and_stable() {
    let input = of(&[0.0, -0.0, f32::from_bits(0xffc0_0000), -1.0, 0.0], [5]);
    let (sorted, order) = input.clone().sort_with_indices(0);
    assert_eq!(bits(sorted), [(-1f32).to_bits(), (-0f32).to_bits(), 0, 0, 0x7fc0_0000]);
    assert_eq!(order.into_data().to_vec::<i32>().expect("indices"), [3, 1, 0, 4, 2]);
    let descending = input.clone().argsort_descending(0);
    assert_eq!(descending.into_data().to_vec::<i32>().expect("indices"), [2, 0, 4, 1, 3]);
    assert_eq!(bits(input.topk(2, 0)), [0x7fc0_0000, 0]);
    let order = ints(&[2, 1, 2, i32::MIN, 1]).argsort(0);
    assert_eq!(order.into_data().to_vec::<i32>().expect("indices"), [3, 1, 4, 0, 2]);
}

#[test]
fn powers_are_the_documented_multiplications() {
    let x = [1.1f32, -0.7, 3.3, -0.0];
    let power = |f: &dyn Fn(f32) -> f32| x.map(|x| f(x).to_bits());
    let input = || of(&x, [4]);
    assert_eq!(bits(input().powi_scalar(0)), [1f32.to_bits(); 4]);
    assert_eq!(bits(input().powi_scalar(2)), power(&|x| x * x));
    assert_eq!(bits(input().powi_scalar(3)), power(&|x| (x * x) * x));
    assert_eq!(bits(input().powi_scalar(-2)), power(&|x| 1.0 / (x * x)));
    assert_eq!(
        bits(input().powi_scalar(11)),
        power(&|x| {
            let five = (x * x) * (x * x) * x;
            (five * five) * x
        })
    );
    assert_eq!(bits(input().powi_scalar(-5)), power(&|x| 1.0 / ((x * x) * (x * x) * x)));
    assert_eq!(bits(input().abs().powf_scalar(0.5)), power(&|x| x.abs().sqrt()));
    assert_eq!(bits(input().abs().powf_scalar(-0.5)), power(&|x| 1.0 / x.abs().sqrt()));
    assert_eq!(bits(input().powf_scalar(3.0)), power(&|x| (x * x) * x));
    assert_eq!(ints(&[3, -2, 0]).powi_scalar(5).into_data().to_vec::<i32>().expect("powers"), [243, -32, 0]);
}

#[test]
fn elementwise_functions_are_those_of_the_scalar_code() {
    type Unary = (fn(Tensor<Cpu, 1>) -> Tensor<Cpu, 1>, Function);
    let unary: [Unary; 13] = [
        (sigmoid, Function::Sigmoid),
        (gelu, Function::Gelu),
        (Tensor::sin, Function::Sin),
        (Tensor::cos, Function::Cos),
        (Tensor::tan, Function::Tan),
        (Tensor::sinh, Function::Sinh),
        (Tensor::cosh, Function::Cosh),
        (Tensor::asin, Function::Asin),
        (Tensor::acos, Function::Acos),
        (Tensor::atan, Function::Atan),
        (Tensor::asinh, Function::Asinh),
        (Tensor::acosh, Function::Acosh),
        (Tensor::atanh, Function::Atanh),
    ];
    let (a, _) = adversarial_pairs();
    for (tensor, function) in unary {
        let expected: Vec<u32> =
            a.iter().map(|x| canonical(apply::<Real<Fused>>(function, (*x).into()).get())).collect();
        assert_same(&bits(tensor(of(&a, [a.len()]))), &expected, &format!("{function:?}"));
        let flipped: Vec<u32> = expected.into_iter().rev().collect();
        assert_same(&bits(tensor(of(&a, [a.len()]).flip([0]))), &flipped, &format!("{function:?} of a flipped tensor"));
    }
}

#[test]
fn functions_of_two_tensors_are_those_of_the_scalar_code_and_broadcast() {
    type Binary = (fn(Tensor<Cpu, 2>, Tensor<Cpu, 2>) -> Tensor<Cpu, 2>, BinaryFunction);
    let binary: [Binary; 3] = [
        (Tensor::atan2, BinaryFunction::Atan2),
        (Tensor::powf, BinaryFunction::Pow),
        (Tensor::remainder, BinaryFunction::Remainder),
    ];
    let (a, b) = adversarial_pairs();
    let (a, b) = (&a[..10_000], &b[..10_000]);
    for (tensor, function) in binary {
        let scalar = |x: f32, y: f32| canonical(apply_binary::<Real<Fused>>(function, x.into(), y.into()).get());
        let expected: Vec<u32> = a.iter().zip(b).map(|(x, y)| scalar(*x, *y)).collect();
        assert_same(&bits(tensor(of(a, [100, 100]), of(b, [100, 100]))), &expected, &format!("{function:?}"));
        let outer: Vec<u32> = a[..50].iter().flat_map(|x| b[..70].iter().map(move |y| scalar(*x, *y))).collect();
        let broadcast = tensor(of(&a[..50], [50, 1]), of(&b[..70], [1, 70]));
        assert_same(&bits(broadcast), &outer, &format!("{function:?} of a column and a row"));
        let transposed = tensor(of(&b[..70], [1, 70]).transpose(), of(&a[..50], [50, 1]).transpose()).transpose();
        let swapped: Vec<u32> = a[..50].iter().flat_map(|x| b[..70].iter().map(move |y| scalar(*y, *x))).collect();
        assert_same(&bits(transposed), &swapped, &format!("{function:?} of a transposed row and column"));
    }
    let scalar = |function, y: f32| {
        let apply = |x: &f32| canonical(apply_binary::<Real<Fused>>(function, (*x).into(), y.into()).get());
        a.iter().map(apply).collect::<Vec<_>>()
    };
    assert_same(&bits(of(a, [100, 100]).powf_scalar(0.3)), &scalar(BinaryFunction::Pow, 0.3), "power of 0.3");
    assert_same(&bits(of(a, [100, 100]).powf_scalar(1e9)), &scalar(BinaryFunction::Pow, 1e9), "power of 1e9");
    assert_same(&bits(of(a, [100, 100]).remainder_scalar(-0.7)), &scalar(BinaryFunction::Remainder, -0.7), "remainder");
    let base = of(&[3.0, -0.5, 2.0], [3]).into_primitive().tensor();
    let powers = <Cpu as FloatTensorOps<Cpu>>::float_powi(base, ints(&[2, -3, 0]).into_primitive());
    let powers: Tensor<Cpu, 1> = Tensor::from_primitive(burn::tensor::TensorPrimitive::Float(powers));
    assert_eq!(values(powers), [9.0, -8.0, 1.0]);
}

#[test]
fn gelu_in_one_pass_equals_burns_composition() {
    let (a, _) = adversarial_pairs();
    let x = of(&a, [a.len()]);
    let composed = x.clone() * (x.clone().div_scalar(std::f64::consts::SQRT_2).erf() + 1.0) / 2.0;
    assert_same(&bits(gelu(x)), &bits(composed), "gelu");
}

#[test]
fn gradients_in_one_pass_equal_burns_compositions() {
    let (a, b) = adversarial_pairs();
    let (x, gradient) = (of(&a, [a.len()]), of(&b, [b.len()]));
    let primitive = |tensor: &Tensor<Cpu, 1>| tensor.clone().into_primitive().tensor();
    let tensor = |primitive| Tensor::<Cpu, 1>::from_primitive(burn::tensor::TensorPrimitive::Float(primitive));
    let fused = tensor(Cpu::gelu_backward(primitive(&x), primitive(&gradient)));
    let cube = x.clone() * x.clone() * x.clone();
    let tanh = (cube.clone().mul_scalar(0.0356774) + x.clone().mul_scalar(0.797885)).tanh();
    let slope = cube.mul_scalar(0.0535161) + x.clone().mul_scalar(0.398942);
    let sech = (tanh.clone() * tanh.clone()).neg().add_scalar(1);
    let composed = (tanh.mul_scalar(0.5) + (slope * sech).add_scalar(0.5)) * gradient.clone();
    assert_same(&bits(fused), &bits(composed), "gelu_backward");
    let fused = tensor(Cpu::sigmoid_backward(primitive(&x), primitive(&gradient)));
    let composed = x.clone() * (x.clone().neg().add_scalar(1)) * gradient.clone();
    assert_same(&bits(fused), &bits(composed), "sigmoid_backward");
    let fused = tensor(Cpu::relu_backward(primitive(&x), primitive(&gradient)));
    let composed = gradient.mask_fill(x.clone().lower_equal_elem(0.0), 0.0);
    assert_same(&bits(fused), &bits(composed), "relu_backward");
    let composed = x.clone().mask_fill(x.clone().lower_equal_elem(0.0), 0.0);
    assert_same(&bits(relu(x)), &bits(composed), "relu");
}

#[test]
fn a_cross_product_rounds_each_product_and_each_difference() {
    let (a, b) = ([1.1f32, -0.7, 3.3], [0.3f32, 9.1, -2.7]);
    let cross = of(&a, [1, 3]).cross(of(&b, [1, 3]), 1);
    let minor = |i: usize, j: usize| a[i] * b[j] - a[j] * b[i];
    assert_eq!(values(cross), [minor(1, 2), minor(2, 0), minor(0, 1)]);
}

#[test]
fn any_and_all_count_everything_but_zeros() {
    let any = |x: &[f32]| of(x, [x.len()]).any().into_data().iter::<bool>().next();
    let all = |x: &[f32]| of(x, [x.len()]).all().into_data().iter::<bool>().next();
    assert_eq!([any(&[0.0, -0.0]), any(&[0.0, f32::NAN]), any(&[1e-45])], [false, true, true].map(Some));
    assert_eq!([all(&[1.0, f32::NAN]), all(&[1.0, -0.0])], [true, false].map(Some));
}

#[test]
fn sigmoid_is_one_over_one_plus_the_exponential() {
    let saturated = values(sigmoid(of(&[f32::NEG_INFINITY, -200.0, 0.0, 200.0, f32::INFINITY], [5])));
    assert_eq!(saturated, [0.0, 0.0, 0.5, 1.0, 1.0]);
    let worst = values(sigmoid(of(&(0..2000).map(|i| i as f32 / 100.0 - 10.0).collect::<Vec<_>>(), [2000])))
        .into_iter()
        .enumerate()
        .map(|(i, got)| {
            let exact = 1.0 / (1.0 + (-f64::from(i as f32 / 100.0 - 10.0)).exp());
            (f64::from(got) - exact).abs() / exact
        })
        .fold(0.0, f64::max);
    assert!(worst < 2e-7, "{worst}");
}

#[test]
fn random_tensors_are_the_scopes_numbers_in_row_major_order() {
    let rng = CounterRng::new(9, Stream::workload(3), 5);
    let (first, second) = with_random(rng, || {
        let device = Default::default();
        let first = Tensor::<Cpu, 2>::random([2, 3], Distribution::Uniform(-1.0, 1.0), &device);
        (values(first), values(Tensor::<Cpu, 1>::random([4], Distribution::Default, &device)))
    });
    let uniform = |i| rng.uniform_f32(i);
    assert_eq!(first, (0..6).map(|i| (2.0 * f64::from(uniform(i)) - 1.0) as f32).collect::<Vec<_>>());
    assert_eq!(second, (8..12).map(uniform).collect::<Vec<_>>());
    let dice = with_random(rng, || {
        <Cpu as IntTensorOps<Cpu>>::int_random(
            [100].into(),
            Distribution::Uniform(1.0, 7.0),
            &Default::default(),
            IntDType::U8,
        )
    });
    let dice: Tensor<Cpu, 1, Int> = Tensor::new(dice);
    assert!(dice.into_data().iter::<i64>().all(|side| (1..7).contains(&side)));
}

#[test]
#[should_panic(expected = "without a generator: wrap the code that draws in `with_random(")]
fn a_random_tensor_outside_a_scope_is_refused() {
    let _ = Tensor::<Cpu, 1>::random([1], Distribution::Default, &Default::default());
}

#[test]
fn burn_code_that_seeds_its_backend_draws_the_same_on_any_number_of_threads() {
    type B = burn::backend::Autodiff<Cpu>;
    let device = Default::default();
    let drawn = || {
        B::seed(&device, 42);
        let layer = burn::nn::LinearConfig::new(5, 3).init::<B>(&device);
        let x = Tensor::<B, 2>::random([400, 5], Distribution::Normal(0.0, 1.0), &device);
        bits(layer.forward(burn::nn::DropoutConfig::new(0.5).init().forward(x)).inner())
    };
    let expected = drawn();
    for threads in [1, 2, 5] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        assert!(pool.install(drawn) == expected, "{threads} threads");
    }
}

#[test]
fn ops_without_a_portable_definition_are_refused_by_name() {
    let refusal = |op: fn()| {
        let payload = std::panic::catch_unwind(op).expect_err("the op is refused");
        match payload.downcast::<String>() {
            Ok(message) => *message,
            Err(payload) => payload.downcast::<&str>().map_or_else(|_| String::new(), |message| message.to_string()),
        }
    };
    let cases: [(fn(), &str); 4] = [
        (|| drop(of(&[1.0], [1]).cast(FloatDType::F64).exp()), "`float_exp of F64` is not portable yet"),
        (|| drop(of(&[1.0], [1]).cast(FloatDType::F16).sum()), "`float_sum_dim of F16` is not portable yet"),
        (
            || with_random(CounterRng::new(1, Stream::INIT, 0), || Cpu::seed(&Default::default(), 1)),
            "`Backend::seed` is refused in portable mode",
        ),
        (
            || {
                let x = of(&[1.0; 4], [4]);
                drop(burn::tensor::signal::rfft(x, 0, None));
            },
            "`rfft` is not portable yet",
        ),
    ];
    for (op, expected) in cases {
        let message = refusal(op);
        assert!(message.starts_with(expected), "{message:?} should start with {expected:?}");
    }
}

#[test]
fn scalars_are_rounded_to_f32_before_use() {
    let x = of(&[1.0], [1]);
    assert_eq!(values(x.clone() * 0.1f64), [0.1f32]);
    let sum = <Cpu as FloatTensorOps<Cpu>>::float_add_scalar(x.into_primitive().tensor(), Scalar::Float(1e-9 + 2.0));
    let sum: Tensor<Cpu, 1> = Tensor::from_primitive(burn::tensor::TensorPrimitive::Float(sum));
    assert_eq!(values(sum.slice(s![0..1])), [3.0]);
}
