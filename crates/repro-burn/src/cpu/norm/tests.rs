//! Batch norm in passes against the composition that defines its bits.

use super::super::super::ops;
use super::super::adversarial::{adversarial, bits, on_threads};
use super::*;

/// Sizes with every way through: one element, rows of one, of less and more than a line or than a block, many blocks, more
/// channels than a task takes, and channels too large for one.
const SIZES: [[usize; 3]; 14] = [
    [1, 1, 1],
    [1, 5, 1],
    [2, 3, 1],
    [33, 40, 1],
    [5000, 3, 1],
    [300, 70, 1],
    [4, 7, 5],
    [3, 2, 33],
    [1, 3, 4096],
    [2, 17, 2049],
    [9, 4, 1000],
    [40, 33, 49],
    [2, 2, WHOLE / 2 + 1],
    [1, 1, 3 * BLOCK + 7],
];

/// Adversarial numbers would leave nothing but NaN in channels; half of these are of one kind and size.
fn numbers(count: usize, seed: u64) -> Vec<f32> {
    let sizes = adversarial(count, seed);
    let numbers = sizes.into_iter().enumerate();
    numbers.map(|(at, x)| if x.is_finite() && at % 977 != 5 { x % 8.0 + 1.0 } else { 0.5 }).collect()
}

/// What there is of one channel, sample by sample.
fn channel(planes: Planes, values: &[f32], channel: usize) -> Vec<f32> {
    let rows = values.chunks_exact(planes.positions).skip(channel).step_by(planes.channels);
    rows.flatten().copied().collect()
}

#[test]
fn every_size_level_and_thread_count_equals_the_reference_channel_by_channel() {
    for (case, [batch, channels, positions]) in SIZES.into_iter().enumerate() {
        let planes = Planes { batch, channels, positions };
        let seed = 10 * case as u64;
        for special in [false, true] {
            let of = |length, part| match special {
                true => adversarial(length, seed + part),
                false => numbers(length, seed + part),
            };
            let [values, gradient] = [0, 1].map(|part| of(planes.elements(), part));
            let [gamma, beta] = [2, 3].map(|part| of(channels, part));
            let epsilon = 1e-5;
            let mut expected = [(); 6].map(|()| Vec::new());
            let mut expected_rows = [(); 2].map(|()| Vec::new());
            for at in 0..channels {
                let (values, gradient) = (channel(planes, &values, at), channel(planes, &gradient, at));
                let affine = Affine { gamma: gamma[at], beta: beta[at] };
                let (out, mean, variance) = ops::norm::forward(&values, affine, epsilon);
                let norm = Norm::new(mean, variance, epsilon);
                let (input, sums) = ops::norm::backward(&values, &gradient, norm, gamma[at]);
                expected_rows[0].push(bits(out));
                expected_rows[1].push(bits(input));
                let squares: Vec<f32> = values.iter().map(|x| squared(mean, *x)).collect();
                let of_channel = [mean, variance, norm.std, sums.beta, sums.gamma, fold(FOLD, &squares)];
                expected.iter_mut().zip(of_channel).for_each(|(expected, of)| expected.push(of));
            }
            let [mean, variance, std, beta_sums, gamma_sums, squares] = &expected;
            let by = [&mean[..], &std[..]];
            let n = planes.count() as f32;
            let slopes: Vec<Slope> = (0..channels)
                .map(|at| Slope::new(std[at], gamma[at], Sums { beta: beta_sums[at], gamma: gamma_sums[at] }, n))
                .collect();
            let slope = [
                slopes.iter().map(|slope| slope.scale).collect::<Vec<_>>(),
                slopes.iter().map(|slope| slope.shift).collect(),
                slopes.iter().map(|slope| slope.tilt).collect(),
            ];
            let rows = |values: &[f32]| -> Vec<Vec<u32>> {
                (0..channels).map(|at| bits(channel(planes, values, at))).collect()
            };
            let same = |got: &[f32], expected: &[f32]| bits(got.to_vec()) == bits(expected.to_vec());
            for (level, threads) in Level::available().into_iter().flat_map(|level| [1, 2, 5, 16].map(|n| (level, n))) {
                let what = format!("{planes:?} {level:?} {threads} threads");
                on_threads(threads, || {
                    let got = forward(level, planes, &values, [&gamma, &beta], epsilon);
                    assert!(rows(&got.out) == expected_rows[0], "outputs {what}");
                    assert!(same(&got.mean, mean) && same(&got.variance, variance), "statistics {what}");
                    assert!(same(&got.std, std), "std {what}");
                    let got = backward(level, planes, &values, &gradient, by, &gamma);
                    assert!(rows(&got.input) == expected_rows[1], "gradients {what}");
                    assert!(same(&got.beta, beta_sums) && same(&got.gamma, gamma_sums), "sums {what}");
                    let mut place = gradient.clone();
                    let got = backward_in_place(level, planes, &values, &mut place, by, &gamma);
                    assert!(rows(&place) == expected_rows[1], "gradients in place {what}");
                    assert!(same(&got[0], gamma_sums) && same(&got[1], beta_sums), "sums in place {what}");
                    let means: Vec<f32> = channel_sums(level, planes, &values).into_iter().map(|sum| sum / n).collect();
                    assert!(same(&means, mean), "sums in blocks {what}");
                    assert!(same(&channel_squares(level, planes, &values, mean), squares), "squares {what}");
                    let got = gradient_sums(level, planes, &values, &gradient, by);
                    assert!(same(&got[0], beta_sums) && same(&got[1], gamma_sums), "sums of gradients {what}");
                    let got = normalise(level, planes, &values, by, [&gamma, &beta]);
                    assert!(rows(&got) == expected_rows[0], "normalise {what}");
                    let got = input_gradient(level, planes, &values, &gradient, by, slope.each_ref().map(|of| &of[..]));
                    assert!(rows(&got) == expected_rows[1], "input_gradient {what}");
                });
            }
        }
    }
}
