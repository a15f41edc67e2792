//! Probed ops with chains of sums: matrix products, additions at indices, attention.

use burn_backend::ops::{AttentionModuleOptions, FloatTensorOps, ModuleOps};
use burn_backend::tensor::IndexingUpdateOp;

use super::bench::Bench;
use super::input::{indices, mixed, narrow_ties, rounding, special, truths};
use super::op::{Op, op};
use crate::arithmetic::{Numerics, Precision};
use crate::kernels::Kernels;
use crate::{Arithmetic, Repro, with_arithmetic};

pub fn ops<B: Kernels>() -> Vec<Op<B>> {
    vec![
        op("float_scatter_add", |bench: &mut Bench<'_, B>| {
            for (shape, count, dim) in [([5, 4], [300, 4], 0), ([3, 7], [3, 200], 1)] {
                let (tensor, at) = (bench.numbers(0, &shape), indices(count[0] * count[1], shape[dim] as u64));
                let (at, value) = (bench.ints(count, at), bench.numbers(1, &count));
                bench.gives(Repro::<B>::float_scatter_add(dim, tensor, at, value));
            }
        }),
        op("float_select_add", |bench| {
            for (shape, count, dim) in [([5, 4, 3], [300, 4, 3], 0), ([3, 7, 5], [3, 90, 5], 1)] {
                let (tensor, at) = (bench.numbers(0, &shape), indices(count[dim], shape[dim] as u64));
                let (at, value) = (bench.ints([count[dim]], at), bench.numbers(1, &count));
                bench.gives(Repro::<B>::float_select_add(tensor, dim, at, value));
            }
        }),
        op("float_scatter_nd", |bench| {
            let updates = [
                IndexingUpdateOp::Assign,
                IndexingUpdateOp::Add,
                IndexingUpdateOp::Mul,
                IndexingUpdateOp::Min,
                IndexingUpdateOp::Max,
            ];
            for update in updates {
                // Some ten updates of each slice, special numbers among them.
                let (data, at) =
                    (bench.floats([4, 6, 2], mixed()[..48].to_vec()), bench.ints([240, 2], indices(480, 4)));
                let values = bench.floats([240, 2], mixed()[..480].to_vec());
                bench.gives(Repro::<B>::float_scatter_nd(data, at, values, update));
                let (data, at) = (bench.numbers(0, &[7, 9]), bench.ints([5, 20, 2], indices(200, 7)));
                let values = bench.numbers(1, &[5, 20]);
                bench.gives(Repro::<B>::float_scatter_nd(data, at, values, update));
            }
        }),
        op("float_matmul", |bench| {
            // Single elements, both sides of each block of 512, more than a tile in every direction, few columns.
            for [m, k, n] in
                [[1, 1, 1], [3, 511, 2], [5, 512, 3], [2, 513, 7], [33, 1025, 9], [67, 70, 65], [1, 600, 24]]
            {
                let (left, right) = (bench.numbers(0, &[m, k]), bench.numbers(1, &[k, n]));
                bench.gives(Repro::<B>::float_matmul(left, right));
            }
            for (left, right) in [([3, 5, 40], [3, 40, 6]), ([3, 5, 40], [1, 40, 6]), ([1, 16, 32], [4, 32, 16])] {
                let (left, right) = (bench.numbers(0, &left), bench.numbers(1, &right));
                bench.gives(Repro::<B>::float_matmul(left, right));
            }
            let left = bench.strided([37, 530], rounding(0, 37 * 530));
            let right = bench.strided([530, 8], rounding(1, 530 * 8));
            bench.gives(Repro::<B>::float_matmul(left, right));
            // Products of special numbers: subnormal, overflowing, −0, ∞ − ∞.
            let (left, right) = (bench.floats([32, 1], special().into()), bench.floats([1, 32], special().into()));
            bench.gives(Repro::<B>::float_matmul(left, right));
            // (1 + 2⁻¹²)² − (1 + 2⁻¹¹) is 2⁻²⁴ where the product is not rounded before the sum, else 0.
            let left = bench.floats([1, 2], vec![-(1.0 + 1.0 / 2048.0), 1.0 + 1.0 / 4096.0]);
            let right = bench.floats([2, 1], vec![1.0, 1.0 + 1.0 / 4096.0]);
            bench.gives(Repro::<B>::float_matmul(left, right));
        }),
        op("float_matmul in 16-mixed", |bench| mixed_precision(bench, Precision::MixedF16)),
        op("float_matmul in bf16-mixed", |bench| mixed_precision(bench, Precision::MixedBf16)),
        op("attention", |bench| {
            let [query, key, value] = [0, 1, 2].map(|seed| bench.numbers(seed, &[2, 2, 9, 8]));
            let options = AttentionModuleOptions { scale: None, softcap: Some(5.0), is_causal: true };
            bench.gives(Repro::<B>::attention(query, key, value, None, None, options));
            let [query, key, value] = [3, 4, 5].map(|seed| bench.numbers(seed, &[1, 2, 6, 8]));
            let (mask, bias) = (bench.bools([1, 2, 6, 6], truths(72)), bench.numbers(6, &[1, 2, 6, 6]));
            let options = AttentionModuleOptions { scale: Some(0.3), softcap: None, is_causal: false };
            bench.gives(Repro::<B>::attention(query, key, value, Some(mask), Some(bias), options));
        }),
    ]
}

/// Products of operands that are rounded to 16 bits: many of them, and each rounded number times 1 and times another.
fn mixed_precision<B: Kernels>(bench: &mut Bench<'_, B>, precision: Precision) {
    with_arithmetic(Arithmetic { numerics: Numerics::Portable, precision }, || {
        let (left, right) = (bench.numbers(0, &[5, 513]), bench.numbers(1, &[513, 7]));
        bench.gives(Repro::<B>::float_matmul(left, right));
        for values in [mixed(), narrow_ties()] {
            let left = bench.floats([values.len(), 1], values);
            let right = bench.floats([1, 2], vec![1.0, 0.1]);
            bench.gives(Repro::<B>::float_matmul(left, right));
        }
    });
}
