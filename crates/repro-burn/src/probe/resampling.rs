//! Probed ops that make planes of another size: average and maximum pools, interpolation, and their gradients.
//!
//! Averages and interpolation are one kernel with tables of weights; a device compiles the maximum anew for every
//! geometry, so there is one for one axis and one for two.

use burn_backend::ops::{InterpolateMode, InterpolateOptions, ModuleOps};
use burn_backend::tensor::FloatTensor;

use super::bench::Bench;
use super::input::{rounding, special};
use super::op::{Op, op};
use crate::Repro;
use crate::kernels::Kernels;

pub fn ops<B: Kernels>() -> Vec<Op<B>> {
    vec![
        op("avg_pool2d", |bench: &mut Bench<'_, B>| {
            for (count_pad, ceil) in COUNTED {
                let x = bench.numbers(0, &[2, 3, 8, 7]);
                bench.gives(Repro::<B>::avg_pool2d(x, [3, 2], [2, 2], [1, 0], count_pad, ceil));
            }
            let x = bench.floats([1, 1, 8, 4], special().into());
            bench.gives(Repro::<B>::avg_pool2d(x, [2, 2], [1, 1], [0, 0], true, false));
        }),
        op("avg_pool2d_backward", |bench| {
            for (count_pad, ceil) in COUNTED {
                let size = [4, 3].map(|size| size + usize::from(ceil));
                let (x, grad) = (bench.numbers(0, &[2, 3, 8, 7]), bench.numbers(1, &[2, 3, size[0], size[1]]));
                bench.gives(Repro::<B>::avg_pool2d_backward(x, grad, [3, 2], [2, 2], [1, 0], count_pad, ceil));
            }
        }),
        op("avg_pool1d", |bench| {
            let x = bench.numbers(0, &[2, 3, 11]);
            bench.gives(Repro::<B>::avg_pool1d(x, 3, 2, 1, false, false));
        }),
        op("avg_pool1d_backward", |bench| {
            let (x, grad) = (bench.numbers(0, &[2, 3, 11]), bench.numbers(1, &[2, 3, 6]));
            bench.gives(Repro::<B>::avg_pool1d_backward(x, grad, 3, 2, 1, false, false));
        }),
        op("adaptive_avg_pool2d", |bench| {
            for size in ADAPTED {
                let x = bench.numbers(0, &[2, 3, 7, 6]);
                bench.gives(Repro::<B>::adaptive_avg_pool2d(x, size));
            }
        }),
        op("adaptive_avg_pool2d_backward", |bench| {
            for [height, width] in ADAPTED {
                let (x, grad) = (bench.numbers(0, &[2, 3, 7, 6]), bench.numbers(1, &[2, 3, height, width]));
                bench.gives(Repro::<B>::adaptive_avg_pool2d_backward(x, grad));
            }
        }),
        op("adaptive_avg_pool1d", |bench| {
            let x = bench.numbers(0, &[2, 3, 11]);
            bench.gives(Repro::<B>::adaptive_avg_pool1d(x, 4));
        }),
        op("adaptive_avg_pool1d_backward", |bench| {
            let (x, grad) = (bench.numbers(0, &[2, 3, 11]), bench.numbers(1, &[2, 3, 4]));
            bench.gives(Repro::<B>::adaptive_avg_pool1d_backward(x, grad));
        }),
        op("max_pool2d", |bench| {
            let x = planes(bench);
            bench.gives(Repro::<B>::max_pool2d(x, [2, 3], [2, 1], [1, 1], [1, 2], true));
        }),
        op("max_pool2d_with_indices", |bench| {
            let x = planes(bench);
            let pooled = Repro::<B>::max_pool2d_with_indices(x, [2, 3], [2, 1], [1, 1], [1, 2], true);
            bench.gives(pooled.output);
            bench.gives_ints(pooled.indices);
        }),
        op("max_pool2d_with_indices_backward", |bench| {
            let (x, grad) = (planes(bench), bench.numbers(1, &[2, 4, 5, 5]));
            let (kernel, stride, padding, dilation) = ([2, 3], [2, 1], [1, 1], [1, 2]);
            let pooled = Repro::<B>::max_pool2d_with_indices(x.clone(), kernel, stride, padding, dilation, true);
            let back = Repro::<B>::max_pool2d_with_indices_backward(
                x,
                kernel,
                stride,
                padding,
                dilation,
                true,
                grad,
                pooled.indices,
            );
            bench.gives(back.x_grad);
        }),
        op("max_pool1d", |bench| {
            let x = rows(bench);
            bench.gives(Repro::<B>::max_pool1d(x, 3, 2, 1, 1, false));
        }),
        op("max_pool1d_with_indices", |bench| {
            let x = rows(bench);
            let pooled = Repro::<B>::max_pool1d_with_indices(x, 3, 2, 1, 1, false);
            bench.gives(pooled.output);
            bench.gives_ints(pooled.indices);
        }),
        op("max_pool1d_with_indices_backward", |bench| {
            let (x, grad) = (rows(bench), bench.numbers(1, &[4, 3, 4]));
            let pooled = Repro::<B>::max_pool1d_with_indices(x.clone(), 3, 2, 1, 1, false);
            let back = Repro::<B>::max_pool1d_with_indices_backward(x, 3, 2, 1, 1, false, grad, pooled.indices);
            bench.gives(back.x_grad);
        }),
        op("interpolate", |bench| {
            for (size, options) in interpolations() {
                let x = bench.numbers(0, &[2, 3, 5, 7]);
                bench.gives(Repro::<B>::interpolate(x, size, options));
            }
            let x = bench.floats([1, 1, 8, 4], special().into());
            bench.gives(Repro::<B>::interpolate(x, [9, 9], InterpolateOptions::new(InterpolateMode::Bilinear)));
        }),
        op("interpolate_backward", |bench| {
            for (size, options) in interpolations() {
                let (x, grad) = (bench.numbers(0, &[2, 3, 5, 7]), bench.numbers(1, &[2, 3, size[0], size[1]]));
                bench.gives(Repro::<B>::interpolate_backward(x, grad, size, options));
            }
        }),
    ]
}

/// Whether an average counts the padding, and whether it has a window that does not fit.
const COUNTED: [(bool, bool); 4] = [(false, false), (true, false), (false, true), (true, true)];

/// Sizes that 7 × 6 planes are averaged to: overlapping windows, one window, more windows than rows.
const ADAPTED: [[usize; 2]; 3] = [[3, 4], [1, 1], [9, 6]];

/// Every mode, with its corners aligned and not, to more and to fewer rows and columns.
fn interpolations() -> Vec<([usize; 2], InterpolateOptions)> {
    use InterpolateMode::{Bicubic, Bilinear, Lanczos3, Nearest};
    let options = [Nearest, Bilinear, Bicubic, Lanczos3].map(InterpolateOptions::new);
    let aligned = options.iter().flat_map(|options| [true, false].map(|is| options.clone().with_align_corners(is)));
    aligned.flat_map(|options| [[9, 4], [2, 11]].map(|size| (size, options.clone()))).collect()
}

/// Planes in which a maximum is often there more than once, infinities and NaNs in them. The first row of windows is
/// half padding, the last one all of it.
fn planes<B: Kernels>(bench: &mut Bench<'_, B>) -> FloatTensor<B> {
    bench.floats([2, 4, 7, 7], repeated(2 * 4 * 7 * 7))
}

/// The same in one dimension.
fn rows<B: Kernels>(bench: &mut Bench<'_, B>) -> FloatTensor<B> {
    bench.floats([4, 3, 8], repeated(4 * 3 * 8))
}

fn repeated(count: usize) -> Vec<f32> {
    let few = [0.0, -0.0, 1.0, -1.0, 2.0, 2.5, f32::NEG_INFINITY, -1e-40];
    let plain = rounding(0, count).into_iter().map(|x| few[x.to_bits() as usize % few.len()]);
    plain.enumerate().map(|(at, x)| [x, f32::NAN, f32::INFINITY][if at % 29 == 7 { 1 + at % 2 } else { 0 }]).collect()
}
