//! Probed ops that compute an element from many: sums, products, running reductions, extrema, order.

use burn_backend::ops::FloatTensorOps;
use burn_backend::tensor::{BoolTensor, FloatTensor};
use burn_backend::{BoolDType, IntDType};

use super::bench::Bench;
use super::input::{mixed, rounding, special};
use super::op::{Op, op};
use crate::Repro;
use crate::kernels::Kernels;

/// Around the 32 lanes and the blocks of 4096 of a reduction, and more than two blocks.
const LENGTHS: [usize; 9] = [1, 31, 32, 33, 127, 4095, 4096, 4097, 9000];

pub fn ops<B: Kernels>() -> Vec<Op<B>> {
    vec![
        op("float_sum_dim", |bench: &mut Bench<'_, B>| along(bench, Repro::<B>::float_sum_dim)),
        op("float_prod_dim", |bench| along(bench, Repro::<B>::float_prod_dim)),
        op("float_mean_dim", |bench| along(bench, Repro::<B>::float_mean_dim)),
        op("float_sum", |bench| all(bench, Repro::<B>::float_sum)),
        op("float_prod", |bench| all(bench, Repro::<B>::float_prod)),
        op("float_mean", |bench| all(bench, Repro::<B>::float_mean)),
        op("float_cumsum", |bench| running(bench, Repro::<B>::float_cumsum)),
        op("float_cumprod", |bench| running(bench, Repro::<B>::float_cumprod)),
        op("float_cummin", |bench| running(bench, Repro::<B>::float_cummin)),
        op("float_cummax", |bench| running(bench, Repro::<B>::float_cummax)),
        op("float_argmax", |bench| {
            with_ties(bench, |bench, tensor, dim| {
                bench.gives_ints(Repro::<B>::float_argmax(tensor, dim, IntDType::I32));
            });
        }),
        op("float_argmin", |bench| {
            with_ties(bench, |bench, tensor, dim| {
                bench.gives_ints(Repro::<B>::float_argmin(tensor, dim, IntDType::I32));
            });
        }),
        op("float_max_dim", |bench| {
            with_ties(bench, |bench, tensor, dim| bench.gives(Repro::<B>::float_max_dim(tensor, dim)));
        }),
        op("float_min_dim", |bench| {
            with_ties(bench, |bench, tensor, dim| bench.gives(Repro::<B>::float_min_dim(tensor, dim)));
        }),
        op("float_any", |bench| truth(bench, |tensor, _, dtype| Repro::<B>::float_any(tensor, dtype))),
        op("float_any_dim", |bench| truth(bench, Repro::<B>::float_any_dim)),
        op("float_all", |bench| truth(bench, |tensor, _, dtype| Repro::<B>::float_all(tensor, dtype))),
        op("float_all_dim", |bench| truth(bench, Repro::<B>::float_all_dim)),
        op("float_argsort", |bench| {
            with_ties(bench, |bench, tensor, dim| {
                bench.gives_ints(Repro::<B>::float_argsort(tensor, dim, false, IntDType::I32));
            });
        }),
        op("float_argtopk", |bench| {
            with_ties(bench, |bench, tensor, dim| {
                bench.gives_ints(Repro::<B>::float_argtopk(tensor, dim, 3, IntDType::I32));
            });
        }),
        op("float_sort_with_indices", |bench| {
            with_ties(bench, |bench, tensor, dim| {
                let (sorted, indices) = Repro::<B>::float_sort_with_indices(tensor, dim, true, IntDType::I32);
                bench.gives(sorted);
                bench.gives_ints(indices);
            });
        }),
        op("float_sort", |bench| {
            with_ties(bench, |bench, tensor, dim| bench.gives(Repro::<B>::float_sort(tensor, dim, false)));
        }),
    ]
}

/// Reductions of the last, the middle and the first dimension, over every length at which the tree changes.
fn along<B: Kernels>(bench: &mut Bench<'_, B>, op: impl Fn(FloatTensor<B>, usize) -> FloatTensor<B>) {
    for length in LENGTHS {
        let tensor = bench.floats([2, length], near_one(2 * length));
        bench.gives(op(tensor, 1));
    }
    for (shape, dim) in [([2, 4097, 2], 1), ([33, 8, 16], 0), ([5, 64, 24], 1)] {
        let tensor = bench.floats(shape, near_one(shape.iter().product()));
        bench.gives(op(tensor, dim));
    }
    let strided = bench.strided([33, 48], near_one(33 * 48));
    bench.gives(op(strided, 1));
    // Each special number by itself, beside the largest number, and all of them: overflow, −0 alone, NaN.
    for (shape, dim) in [([32, 1], 1), ([16, 2], 1), ([1, 32], 1)] {
        let tensor = bench.floats(shape, special().into());
        bench.gives(op(tensor, dim));
    }
}

fn all<B: Kernels>(bench: &mut Bench<'_, B>, op: impl Fn(FloatTensor<B>) -> FloatTensor<B>) {
    for length in [1, 33, 9000] {
        let tensor = bench.floats([length], near_one(length));
        bench.gives(op(tensor));
    }
    let strided = bench.strided([65, 66], near_one(65 * 66));
    bench.gives(op(strided));
}

fn running<B: Kernels>(bench: &mut Bench<'_, B>, op: impl Fn(FloatTensor<B>, usize) -> FloatTensor<B>) {
    for (shape, dim) in [([1, 2, 1000], 2), ([3, 65, 8], 1), ([40, 4, 6], 0)] {
        let tensor = bench.floats(shape, near_one(shape.iter().product()));
        bench.gives(op(tensor, dim));
    }
    let tensor = bench.floats([2, 16], special().into());
    bench.gives(op(tensor, 0));
    let tensor = bench.floats([2, 16], special().into());
    bench.gives(op(tensor, 1));
}

/// Few different numbers, zeros of both signs among them, and tensors with infinities and NaNs.
fn with_ties<B: Kernels>(bench: &mut Bench<'_, B>, op: impl Fn(&mut Bench<'_, B>, FloatTensor<B>, usize)) {
    let few: Vec<f32> =
        rounding(0, 960).into_iter().map(|x| [0.0, -0.0, 1.0, -1.0, 2.0][x.to_bits() as usize % 5]).collect();
    for (shape, dim) in [([4, 40, 6], 1), ([4, 8, 30], 2)] {
        let tensor = bench.floats(shape, few.clone());
        op(bench, tensor, dim);
    }
    let tensor = bench.floats([1024, 4], mixed());
    op(bench, tensor, 0);
    let tensor = bench.floats([1, 600], rounding(1, 600));
    op(bench, tensor, 1);
}

fn truth<B: Kernels>(bench: &mut Bench<'_, B>, op: impl Fn(FloatTensor<B>, usize, BoolDType) -> BoolTensor<B>) {
    let mixed_rows = [0.0, 0.0, -0.0, 1.0, f32::NAN, 1.0, 1e-45, 2.0];
    for rows in [&[0.0, -0.0, 0.0, 0.0][..], &mixed_rows, &[1.0, f32::NAN, 1e-45, -1.0]] {
        let tensor = bench.floats([rows.len() / 2, 2], rows.to_vec());
        let dtype = bench.bool_dtype();
        bench.gives_bools(op(tensor, 1, dtype));
    }
}

/// Numbers of both signs from ½ to 2, every second one near the reciprocal of the one before it: a product of thousands
/// stays in range and rounds at every step, as a sum does.
fn near_one(count: usize) -> Vec<f32> {
    let narrow = |x: f32| f32::from_bits((x.to_bits() & 0x80ff_ffff) | 0x3f00_0000);
    let number = |(index, x): (usize, f32)| if index % 2 == 0 { narrow(x) } else { 1.0 / narrow(x) };
    rounding(0, count).into_iter().enumerate().map(number).collect()
}
