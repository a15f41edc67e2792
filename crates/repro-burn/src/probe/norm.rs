//! Probed kernels that are no methods of Burn's: batch norm, which a layer of ours calls.

use burn_backend::tensor::FloatTensor;

use super::bench::Bench;
use super::input::{rounding, special};
use super::op::{Op, op};
use crate::kernels::Kernels;
use crate::norm::{Gradients, Normalised};
use crate::table::outcome;

/// `[batch, channels, positions]`: many rows of one, and two blocks of a sum with an end that is no whole lane.
const SIZES: [[usize; 3]; 2] = [[33, 8, 1], [3, 2, 1401]];

pub fn ops<B: Kernels>() -> Vec<Op<B>> {
    vec![
        op("batch_norm", |bench: &mut Bench<'_, B>| {
            for sizes in SIZES {
                let x = bench.floats(sizes, rounding(0, sizes.iter().product()));
                forward(bench, x, sizes[1]);
            }
            // Statistics of each special number by itself, and of all.
            for sizes in [[1, 32, 1], [32, 1, 1]] {
                let x = bench.floats(sizes, special().into());
                forward(bench, x, sizes[1]);
            }
        }),
        op("batch_norm_backward", |bench| {
            for sizes in SIZES {
                let [x, gradient] = [0, 1].map(|seed| bench.numbers(seed, &sizes));
                let by = [bench.numbers(2, &[sizes[1]]), bench.numbers(3, &[sizes[1]])];
                let gamma = bench.numbers(4, &[sizes[1]]);
                let Gradients { input, gamma, beta } = B::batch_norm_backward(x, gradient, by, gamma);
                bench.gives(outcome!(batch_norm_backward, input));
                bench.gives(gamma);
                bench.gives(beta);
            }
        }),
    ]
}

fn forward<B: Kernels>(bench: &mut Bench<'_, B>, x: FloatTensor<B>, channels: usize) {
    let affine = [1, 2].map(|seed| bench.numbers(seed, &[channels]));
    let Normalised { out, mean, variance, std } = B::batch_norm(x, affine, 1e-5);
    bench.gives(outcome!(batch_norm, out));
    [mean, variance, std].into_iter().for_each(|found| bench.gives(found));
}
