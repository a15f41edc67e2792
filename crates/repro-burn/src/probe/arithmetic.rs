//! Probed ops that compute each element from the elements beside it: arithmetic, comparisons and functions.

use burn_backend::Distribution;
use burn_backend::ops::{ActivationOps, FloatTensorOps};
use burn_backend::{FloatDType, Shape};

use super::bench::Bench;
use super::input::mixed;
use super::op::{Op, op};
use crate::kernels::Kernels;
use crate::rng::{CounterRng, Stream};
use crate::{Repro, with_random};

/// Ordinary, subnormal, huge and zero: what a tensor is combined with.
const SCALARS: [f32; 5] = [1.1, -3.0, 1e-40, 1e38, -0.0];

pub fn ops<B: Kernels>() -> Vec<Op<B>> {
    vec![
        op("float_add", |bench: &mut Bench<'_, B>| bench.each_pair(Repro::<B>::float_add)),
        op("float_sub", |bench| bench.each_pair(Repro::<B>::float_sub)),
        op("float_mul", |bench| bench.each_pair(Repro::<B>::float_mul)),
        op("float_div", |bench| bench.each_pair(Repro::<B>::float_div)),
        op("float_add_scalar", |bench| bench.each_scalar(&SCALARS, Repro::<B>::float_add_scalar)),
        op("float_sub_scalar", |bench| bench.each_scalar(&SCALARS, Repro::<B>::float_sub_scalar)),
        op("float_mul_scalar", |bench| bench.each_scalar(&SCALARS, Repro::<B>::float_mul_scalar)),
        op("float_div_scalar", |bench| bench.each_scalar(&SCALARS, Repro::<B>::float_div_scalar)),
        op("float_neg", |bench| bench.each(Repro::<B>::float_neg)),
        op("float_recip", |bench| bench.each(Repro::<B>::float_recip)),
        op("float_sqrt", |bench| bench.each(Repro::<B>::float_sqrt)),
        op("float_abs", |bench| bench.each(Repro::<B>::float_abs)),
        op("float_floor", |bench| bench.each(Repro::<B>::float_floor)),
        op("float_ceil", |bench| bench.each(Repro::<B>::float_ceil)),
        op("float_trunc", |bench| bench.each(Repro::<B>::float_trunc)),
        op("float_round", |bench| bench.each(Repro::<B>::float_round)),
        op("float_equal", |bench| bench.compare(Repro::<B>::float_equal)),
        op("float_not_equal", |bench| bench.compare(Repro::<B>::float_not_equal)),
        op("float_greater", |bench| bench.compare(Repro::<B>::float_greater)),
        op("float_greater_equal", |bench| bench.compare(Repro::<B>::float_greater_equal)),
        op("float_lower", |bench| bench.compare(Repro::<B>::float_lower)),
        op("float_lower_equal", |bench| bench.compare(Repro::<B>::float_lower_equal)),
        op("float_equal_elem", |bench| bench.compare_scalar(Repro::<B>::float_equal_elem)),
        op("float_not_equal_elem", |bench| bench.compare_scalar(Repro::<B>::float_not_equal_elem)),
        op("float_greater_elem", |bench| bench.compare_scalar(Repro::<B>::float_greater_elem)),
        op("float_greater_equal_elem", |bench| bench.compare_scalar(Repro::<B>::float_greater_equal_elem)),
        op("float_lower_elem", |bench| bench.compare_scalar(Repro::<B>::float_lower_elem)),
        op("float_lower_equal_elem", |bench| bench.compare_scalar(Repro::<B>::float_lower_equal_elem)),
        op("float_is_nan", |bench| bench.test(Repro::<B>::float_is_nan)),
        op("float_is_inf", |bench| bench.test(Repro::<B>::float_is_inf)),
        op("float_exp", |bench| bench.each(Repro::<B>::float_exp)),
        op("float_log", |bench| bench.each(Repro::<B>::float_log)),
        op("float_log1p", |bench| bench.each(Repro::<B>::float_log1p)),
        op("float_tanh", |bench| bench.each(Repro::<B>::float_tanh)),
        op("float_erf", |bench| bench.each(Repro::<B>::float_erf)),
        op("sigmoid", |bench| bench.each(Repro::<B>::sigmoid)),
        op("gelu", |bench| bench.each(Repro::<B>::gelu)),
        op("relu", |bench| bench.each(Repro::<B>::relu)),
        op("sigmoid_backward", |bench| bench.each_pair(Repro::<B>::sigmoid_backward)),
        op("gelu_backward", |bench| bench.each_pair(Repro::<B>::gelu_backward)),
        op("relu_backward", |bench| bench.each_pair(Repro::<B>::relu_backward)),
        op("float_sin", |bench| bench.each(Repro::<B>::float_sin)),
        op("float_cos", |bench| bench.each(Repro::<B>::float_cos)),
        op("float_tan", |bench| bench.each(Repro::<B>::float_tan)),
        op("float_sinh", |bench| bench.each(Repro::<B>::float_sinh)),
        op("float_cosh", |bench| bench.each(Repro::<B>::float_cosh)),
        op("float_asin", |bench| bench.each(Repro::<B>::float_asin)),
        op("float_acos", |bench| bench.each(Repro::<B>::float_acos)),
        op("float_atan", |bench| bench.each(Repro::<B>::float_atan)),
        op("float_asinh", |bench| bench.each(Repro::<B>::float_asinh)),
        op("float_acosh", |bench| bench.each(Repro::<B>::float_acosh)),
        op("float_atanh", |bench| bench.each(Repro::<B>::float_atanh)),
        op("float_atan2", |bench| bench.each_pair(Repro::<B>::float_atan2)),
        op("float_powf", |bench| bench.each_pair(Repro::<B>::float_powf)),
        op("float_powi", |bench| {
            let tensor = bench.floats([4096], mixed());
            let exponents = bench.ints([4096], (0..4096).map(|i| i * 7 % 41 - 20).collect());
            bench.gives(Repro::<B>::float_powi(tensor, exponents));
        }),
        op("float_remainder", |bench| bench.each_pair(Repro::<B>::float_remainder)),
        op("float_remainder_scalar", |bench| bench.each_scalar(&SCALARS, Repro::<B>::float_remainder_scalar)),
        op("float_cross", |bench| {
            for (shape, dim) in [([7, 3, 5], 1), ([5, 7, 3], 2)] {
                let [left, right] = [0, 1].map(|seed| bench.numbers(seed, &shape));
                bench.gives(Repro::<B>::float_cross(left, right, dim));
            }
        }),
        op("float_powi_scalar_impl", |bench| {
            bench.each_scalar(&[3.0, -5.0, 11.0, 0.0], Repro::<B>::float_powi_scalar_impl);
        }),
        op("float_powf_scalar_impl", |bench| {
            bench.each_scalar(&[0.5, -0.5, 2.0, 3.0, 1.7, 65536.0], Repro::<B>::float_powf_scalar_impl);
        }),
        op("float_random", |bench| {
            for distribution in
                [Distribution::Default, Distribution::Normal(0.5, 2.0), Distribution::Uniform(-1.0, 3.0)]
            {
                let tensor = with_random(CounterRng::new(0, Stream::PROBE, u32::MAX), || {
                    Repro::<B>::float_random(Shape::new([1001]), distribution, bench.device, FloatDType::F32)
                });
                bench.gives(tensor);
            }
        }),
    ]
}
