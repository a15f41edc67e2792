//! Every kernel against the CPU, bit for bit, on the Vulkan device of this machine.
//!
//! Where there is no Vulkan driver the tests say so and are skipped, unless `SPECTRAMIND_REQUIRE` lists `vulkan`, as CI
//! does with Mesa's software driver.

use burn::backend::Vulkan;
use burn::backend::wgpu::{WgpuDevice, WgpuRuntime};
use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor, TensorData, TensorPrimitive, s};
use burn_backend::ops::DeformConvOptions;
use burn_backend::tensor::IndexingUpdateOp;
use burn_backend::{IntDType, try_read_sync};
use burn_cubecl::kernel::matmul::MatmulStrategy;
use cubecl::prelude::*;

use super::super::kernels::{BinaryFunction, Extremum, Fold, Function, Kernels, Scan};
use super::super::probe::native_products;
use super::super::{Cpu, Repro};
use super::facts::{self, FmaKind, Rounding, Trial, facts};
use crate::rng::{CounterRng, Stream};

type Gpu = Repro<Vulkan>;

/// The Vulkan device of this machine; none where that may be.
fn device() -> Option<WgpuDevice> {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let adapters = cubecl::future::block_on(instance.enumerate_adapters(wgpu::Backends::VULKAN));
    if adapters.is_empty() {
        let required = std::env::var("SPECTRAMIND_REQUIRE").unwrap_or_default();
        assert!(!required.split(',').any(|word| word == "vulkan"), "SPECTRAMIND_REQUIRE lists vulkan: found no driver");
        eprintln!("skipped: no Vulkan driver");
        return None;
    }
    Some(WgpuDevice::DefaultDevice)
}

fn tensor<B: Backend, const D: usize>(values: &[f32], shape: [usize; D], device: &B::Device) -> Tensor<B, D> {
    Tensor::from_data(TensorData::new(values.to_vec(), shape), device)
}

fn bits<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> Vec<u32> {
    tensor.into_data().to_vec::<f32>().expect("an f32 tensor").into_iter().map(f32::to_bits).collect()
}

/// Numbers of every size with specials among them.
fn adversarial(count: usize, seed: u64) -> Vec<f32> {
    let rng = CounterRng::new(seed, Stream::workload(7), 0);
    let special = [0.0, -0.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, f32::MAX, 1e-45, -1e-40, f32::MIN_POSITIVE];
    (0..count as u64)
        .map(|index| match rng.u32(2 * index) % 64 {
            0 => special[rng.u32(2 * index + 1) as usize % special.len()],
            1..20 => f32::from_bits(rng.u32(2 * index + 1)),
            _ => (rng.uniform_f32(2 * index + 1) - 0.5) * 100.0,
        })
        .collect()
}

/// Numbers of ordinary size, so that sums are numbers.
fn ordinary(count: usize, seed: u64) -> Vec<f32> {
    let rng = CounterRng::new(seed, Stream::workload(8), 0);
    (0..count as u64).map(|index| (rng.uniform_f32(index) - 0.5) * [1.0, 1e4, 1e-4][index as usize % 3]).collect()
}

#[track_caller]
fn assert_same(got: &[u32], expected: &[u32], what: &str) {
    assert_eq!(got.len(), expected.len(), "{what}: number of elements");
    if let Some(at) = (0..got.len()).find(|&at| got[at] != expected[at]) {
        let wrong = (0..got.len()).filter(|&at| got[at] != expected[at]).count();
        panic!(
            "{what}: {wrong} of {} differ, first at {at}: expected {:08x}, got {:08x}",
            got.len(),
            expected[at],
            got[at]
        );
    }
}

#[test]
fn every_way_to_an_exact_operation_is_exact() {
    let Some(device) = device() else { return };
    let client = WgpuRuntime::client(&device);
    for trial in [
        Trial::Fma(FmaKind::Float64),
        Trial::Fma(FmaKind::Integer),
        Trial::Divide(Rounding::Native),
        Trial::Divide(Rounding::Integer),
        Trial::Root(Rounding::Native),
        Trial::Root(Rounding::Integer),
    ] {
        if trial == Trial::Fma(FmaKind::Float64) && !facts::<WgpuRuntime>(&device).float64 {
            continue;
        }
        for seed in 0..20 {
            assert_eq!(facts::first_difference(&client, trial, trial, &facts::triples(seed)), None, "{trial:?}");
        }
    }
}

#[test]
fn every_function_equals_the_cpus_over_all_exponents() {
    let Some(device) = device() else { return };
    // 104729 is prime to the mantissa's size: every exponent and sign comes with many mantissas.
    let mut inputs: Vec<f32> = (0..=u32::MAX).step_by(104_729).map(f32::from_bits).collect();
    inputs.extend(adversarial(4096, 30));
    for function in Function::ALL {
        let on = |tensor: Tensor<Cpu, 1>| {
            Tensor::from_primitive(TensorPrimitive::Float(burn_flex::Flex::map(
                function,
                tensor.into_primitive().tensor(),
            )))
        };
        let expected = bits::<Cpu, 1>(on(tensor(&inputs, [inputs.len()], &Default::default())));
        let input = tensor::<Gpu, 1>(&inputs, [inputs.len()], &device).into_primitive().tensor();
        let got = Tensor::<Gpu, 1>::from_primitive(TensorPrimitive::Float(<Vulkan as Kernels>::map(function, input)));
        assert_same(&bits(got), &expected, &format!("{function:?}"));
    }
}

/// Results of ops on the device, the same ones in the same order for every backend.
fn products<B: Backend>(device: &B::Device) -> Vec<(String, Vec<u32>)> {
    let mut results = Vec::new();
    for (index, (m, k, n)) in
        [(1, 1, 1), (3, 17, 5), (16, 16, 16), (17, 33, 65), (64, 512, 48), (50, 513, 50), (100, 1030, 70), (5, 2000, 3)]
            .into_iter()
            .enumerate()
    {
        let seed = 2 * index as u64;
        for numbers in [ordinary, adversarial] {
            let left = tensor::<B, 2>(&numbers(m * k, seed), [m, k], device);
            let right = tensor::<B, 2>(&numbers(k * n, seed + 1), [k, n], device);
            results.push((format!("{m} × {k} × {n}"), bits(left.clone().matmul(right.clone()))));
            let left = tensor::<B, 2>(&numbers(m * k, seed), [k, m], device).transpose();
            let right = tensor::<B, 2>(&numbers(k * n, seed + 1), [n, k], device).transpose();
            results.push((format!("{m} × {k} × {n} transposed"), bits(left.matmul(right))));
        }
    }
    let (left, right) = (ordinary(3 * 4 * 20 * 30, 50), ordinary(3 * 4 * 30 * 10, 51));
    let left = tensor::<B, 4>(&left, [3, 4, 20, 30], device);
    let right = tensor::<B, 4>(&right, [3, 4, 30, 10], device);
    results.push(("batched".into(), bits(left.clone().matmul(right.clone()))));
    let one = right.clone().slice([0..1, 0..4]);
    results.push(("broadcast right".into(), bits(left.clone().matmul(one))));
    let one = left.clone().slice([0..3, 1..2]);
    results.push(("broadcast left".into(), bits(one.matmul(right.clone()))));
    let strided = left.swap_dims(0, 1).slice(s![.., .., 2..19, 1..30]);
    results.push(("strided".into(), bits(strided.matmul(right.swap_dims(0, 1).slice(s![.., .., 0..29, ..])))));
    results.push(("empty inner".into(), bits(tensor::<B, 2>(&[], [2, 0], device).matmul(tensor(&[], [0, 3], device)))));
    results.push(("empty".into(), bits(tensor::<B, 2>(&[], [0, 3], device).matmul(tensor(&[1.0; 6], [3, 2], device)))));
    results
}

fn reductions<B: Kernels>(device: &B::Device) -> Vec<(String, Vec<u32>)>
where
    Repro<B>: Backend<Device = B::Device, FloatTensorPrimitive = B::FloatTensorPrimitive>,
{
    let mut results = Vec::new();
    let shapes = [
        [1, 1, 1],
        [2, 31, 3],
        [1, 32, 1],
        [3, 33, 1],
        [1, 4096, 2],
        [2, 4097, 1],
        [1, 9000, 5],
        [2, 0, 3],
        [40, 7, 65],
    ];
    for (index, shape) in shapes.into_iter().enumerate() {
        for numbers in [ordinary, adversarial] {
            let values = numbers(shape.iter().product(), 100 + index as u64);
            for dim in 0..3 {
                let input = || tensor::<Repro<B>, 3>(&values, shape, device).into_primitive().tensor();
                let float = |primitive| bits(Tensor::<Repro<B>, 3>::from_primitive(TensorPrimitive::Float(primitive)));
                for fold in [Fold::Sum, Fold::Product] {
                    results.push((format!("{fold:?} {shape:?} {dim}"), float(B::fold_dim(fold, input(), dim))));
                }
                for scan in [Scan::Sum, Scan::Product, Scan::Min, Scan::Max] {
                    results.push((format!("running {scan:?} {shape:?} {dim}"), float(B::scan_dim(scan, input(), dim))));
                }
                if shape[dim] > 0 {
                    for extremum in [Extremum::Min, Extremum::Max] {
                        let indices = B::arg_extremum_dim(extremum, input(), dim, IntDType::I32);
                        let indices = try_read_sync(B::int_into_data(indices)).expect("at once").expect("indices");
                        let indices = indices.iter::<i32>().map(|index| index as u32).collect();
                        results.push((format!("{extremum:?} {shape:?} {dim}"), indices));
                    }
                }
            }
        }
    }
    results
}

#[track_caller]
fn assert_equal(got: Vec<(String, Vec<u32>)>, expected: Vec<(String, Vec<u32>)>) {
    for ((what, got), (_, expected)) in got.iter().zip(&expected) {
        assert_same(got, expected, what);
    }
    assert_eq!(got.len(), expected.len());
}

#[test]
fn matrix_products_equal_the_cpus() {
    let Some(device) = device() else { return };
    assert_equal(products::<Gpu>(&device), products::<Cpu>(&Default::default()));
}

#[test]
fn reductions_equal_the_cpus() {
    let Some(device) = device() else { return };
    assert_equal(reductions::<Vulkan>(&device), reductions::<burn_flex::Flex>(&Default::default()));
}

#[test]
fn every_function_of_two_numbers_equals_the_cpus() {
    let Some(device) = device() else { return };
    let (left, right) = (adversarial(200 * 300, 31), adversarial(200 * 300, 32));
    let close: Vec<f32> = left.iter().map(|x| x * 0.37).collect();
    for function in BinaryFunction::ALL {
        for (right, what) in [(&right, "unrelated"), (&close, "proportional")] {
            let on_cpu =
                |values: &[f32]| tensor::<Cpu, 1>(values, [values.len()], &Default::default()).into_primitive();
            let expected = burn_flex::Flex::zip(function, on_cpu(&left).tensor(), on_cpu(right).tensor());
            let expected = bits(Tensor::<Cpu, 1>::from_primitive(TensorPrimitive::Float(expected)));
            let on_gpu = |values: &[f32]| tensor::<Gpu, 1>(values, [values.len()], &device).into_primitive();
            let got = <Vulkan as Kernels>::zip(function, on_gpu(&left).tensor(), on_gpu(right).tensor());
            let got = Tensor::<Gpu, 1>::from_primitive(TensorPrimitive::Float(got));
            assert_same(&bits(got), &expected, &format!("{function:?} of {what} numbers"));
        }
    }
}

/// n-dimensional scatters and deformable convolutions with their gradients.
fn scatters_and_samples<B: Backend>(device: &B::Device) -> Vec<(String, Vec<u32>)> {
    let mut results = Vec::new();
    let rng = CounterRng::new(60, Stream::workload(7), 0);
    let mut at: Vec<i32> = (0..600).map(|index| rng.below(index, 5) as i32).collect();
    for update in [
        IndexingUpdateOp::Assign,
        IndexingUpdateOp::Add,
        IndexingUpdateOp::Mul,
        IndexingUpdateOp::Min,
        IndexingUpdateOp::Max,
    ] {
        let indices = Tensor::<B, 2, Int>::from_data(TensorData::new(at.clone(), [300, 2]), device);
        let data =
            tensor::<B, 3>(&adversarial(5 * 6 * 7, 61), [5, 6, 7], device).permute([0, 2, 1]).slice([0..5, 0..6]);
        let values = tensor::<B, 2>(&adversarial(300 * 6, 62), [6, 300], device).transpose();
        results.push((format!("{update:?}"), bits(data.scatter_nd(indices, values, update))));
        // Another order of the same updates.
        at.rotate_left(2);
    }
    let options = DeformConvOptions::new([2, 1], [1, 2], [1, 2], 2, 2);
    for numbers in [ordinary, adversarial] {
        let of = |seed, shape: [usize; 4]| tensor::<B, 4>(&numbers(shape.iter().product(), seed), shape, device);
        let (x, weight, grad) = (of(63, [2, 4, 7, 6]), of(65, [4, 2, 2, 3]), of(67, [2, 4, 4, 6]));
        let unit = |seed, shape: [usize; 4]| {
            let offsets: Vec<f32> = ordinary(shape.iter().product(), seed).into_iter().map(|x| x * 3.0 % 4.0).collect();
            tensor::<B, 4>(&offsets, shape, device)
        };
        let (offset, mask) = (unit(64, [2, 24, 4, 6]), unit(66, [2, 12, 4, 6]));
        let bias = tensor::<B, 1>(&numbers(4, 68), [4], device);
        let float = |tensor: Tensor<B, 4>| tensor.into_primitive().tensor();
        let named = |what: &str, primitive| {
            let tensor = Tensor::<B, 4>::from_primitive(TensorPrimitive::Float(primitive));
            (format!("deformable convolution {what}"), bits(tensor))
        };
        let bias = bias.into_primitive().tensor();
        let [x, offset, weight, mask, grad] = [x, offset, weight, mask, grad].map(float);
        let mask = Some(mask);
        let inputs = (x.clone(), offset.clone(), weight.clone(), mask.clone());
        let out = B::deform_conv2d(inputs.0, inputs.1, inputs.2, inputs.3, Some(bias.clone()), options.clone());
        results.push(named("", out));
        let back = B::deform_conv2d_backward(x, offset, weight, mask, Some(bias), grad, options.clone());
        results.push(named("by the image", back.x_grad));
        results.push(named("by the offsets", back.offset_grad));
        results.push(named("by the weight", back.weight_grad));
        results.push(named("by the mask", back.mask_grad.expect("a mask")));
        let by_bias = Tensor::<B, 1>::from_primitive(TensorPrimitive::Float(back.bias_grad.expect("a bias")));
        results.push(("deformable convolution by the bias".into(), bits(by_bias)));
    }
    results
}

#[test]
fn scatters_and_deformable_convolutions_equal_the_cpus() {
    let Some(device) = device() else { return };
    assert_equal(scatters_and_samples::<Gpu>(&device), scatters_and_samples::<Cpu>(&Default::default()));
}

#[test]
fn native_products_stay_inside_their_operands() {
    // What Burn's own products are without autotuning; with it, or in another version, they may be others.
    assert!(matches!(MatmulStrategy::default(), MatmulStrategy::Cube));
    let Some(device) = device() else { return };
    assert_eq!(native_products::<Vulkan>(&device), Ok(()));
    assert_eq!(native_products::<burn_flex::Flex>(&Default::default()), Ok(()));
}
