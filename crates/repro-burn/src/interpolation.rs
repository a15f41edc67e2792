//! Interpolation of planes: the tables of weights of each mode.
//!
//! Output o of n lies at p = o · (m − 1) / (n − 1) of m inputs with aligned corners (0 if n = 1), else at p = (2 o + 1)
//! · m / 2 n − 1/2. Its integer part q is exact, its fraction t a quotient of integers rounded to f64. All weights are
//! made in f64, by the operations as written and in their order, and rounded to f32.
//!
//! - **Nearest**: input ⌊o · m / n⌋ with weight 1, aligned or not.
//! - **Bilinear**: p is at least 0; inputs q and q + 1 with weights 1 − t, itself a quotient of integers, and t.
//! - **Bicubic**: inputs q − 1 … q + 2 with weights c(1 + t), c(t), c(1 − t), c(2 − t), the cubic convolution with a =
//!   −3/4.
//! - **Lanczos3**: inputs q − 2 … q + 3, those outside left out, with weights l(2 + t) … l(3 − t), divided by their sum
//!   from the left: l(0) = 1, l(x) = sin πx · sin (πx/3) / (πx · (πx/3)).
//!
//! Inputs beyond an end are the last one, except for Lanczos3. A weight that rounds to 0 in f32 is left out.

use burn_backend::TensorMetadata;
use burn_backend::ops::{InterpolateMode, InterpolateOptions};
use burn_backend::tensor::FloatTensor;

use super::float::f32_only;
use super::kernels::Kernels;
use super::taps::Taps;

/// `x`, `[batch, channels, height, width]`, at another size.
pub fn interpolate<B: Kernels>(
    x: FloatTensor<B>,
    output_size: [usize; 2],
    options: InterpolateOptions,
) -> FloatTensor<B> {
    f32_only("interpolate", &x);
    let [rows, columns] = [0, 1].map(|axis| taps(x.shape()[2 + axis], output_size[axis], &options));
    B::resample(x, &rows, &columns)
}

/// Gradient of [`interpolate`] of `x`: the transposed tables.
pub fn interpolate_backward<B: Kernels>(
    x: FloatTensor<B>,
    grad: FloatTensor<B>,
    output_size: [usize; 2],
    options: InterpolateOptions,
) -> FloatTensor<B> {
    f32_only("interpolate_backward", &grad);
    let [rows, columns] = [0, 1].map(|axis| taps(x.shape()[2 + axis], output_size[axis], &options).transposed());
    B::resample(grad, &rows, &columns)
}

/// The table of one axis.
///
/// # Panics
/// When `inputs` is 0.
fn taps(inputs: usize, outputs: usize, options: &InterpolateOptions) -> Taps {
    assert!(inputs > 0, "`interpolate` of an empty plane");
    let last = inputs as i64 - 1;
    let clamped = |position: i64| position.clamp(0, last) as usize;
    let mut taps = Taps::new(inputs);
    for output in 0..outputs {
        let Place { whole, fraction: t, rest } = Place::new(output, inputs, outputs, options.align_corners);
        match options.mode {
            InterpolateMode::Nearest => taps.push([(output * inputs / outputs, 1.0)]),
            InterpolateMode::Bilinear if whole < 0 => taps.push([(0, 1.0)]),
            InterpolateMode::Bilinear => {
                taps.push([(clamped(whole), rest as f32), (clamped(whole + 1), t as f32)]);
            }
            InterpolateMode::Bicubic => {
                let weights = [far(1.0 + t), near(t), near(rest), far(1.0 + rest)];
                taps.push((-1..).zip(weights).map(|(k, weight)| (clamped(whole + k), weight as f32)));
            }
            InterpolateMode::Lanczos3 => {
                let distances = [2.0 + t, 1.0 + t, t, rest, 1.0 + rest, 2.0 + rest];
                let inside = (-2..).zip(distances).filter(|(k, _)| (0..=last).contains(&(whole + k)));
                let weights: Vec<_> = inside.map(|(k, x)| ((whole + k) as usize, lanczos(x))).collect();
                let sum = weights.iter().map(|(_, weight)| weight).fold(0.0, |sum, weight| sum + weight);
                taps.push(weights.into_iter().map(|(source, weight)| (source, (weight / sum) as f32)));
            }
        }
    }
    taps
}

/// Where an output lies among the inputs.
struct Place {
    /// ⌊p⌋.
    whole: i64,
    /// p − ⌊p⌋.
    fraction: f64,
    /// 1 − (p − ⌊p⌋).
    rest: f64,
}

impl Place {
    fn new(output: usize, inputs: usize, outputs: usize, align_corners: bool) -> Self {
        let [output, inputs, outputs] = [output, inputs, outputs].map(|size| size as i64);
        let (numerator, denominator) = if align_corners {
            (output * (inputs - 1), (outputs - 1).max(1))
        } else {
            ((2 * output + 1) * inputs - outputs, 2 * outputs)
        };
        let remainder = numerator.rem_euclid(denominator);
        Self {
            whole: numerator.div_euclid(denominator),
            fraction: remainder as f64 / denominator as f64,
            rest: (denominator - remainder) as f64 / denominator as f64,
        }
    }
}

/// Cubic convolution at a distance of at most 1: (5/4 · x − 9/4) · x · x + 1.
fn near(x: f64) -> f64 {
    (1.25 * x - 2.25) * x * x + 1.0
}

/// Cubic convolution at a distance from 1 to 2: ((−3/4 · x + 15/4) · x − 6) · x + 3.
fn far(x: f64) -> f64 {
    ((-0.75 * x + 3.75) * x - 6.0) * x + 3.0
}

/// The Lanczos window with three lobes at a distance from 0 to 3.
fn lanczos(x: f64) -> f64 {
    if x == 0.0 {
        return 1.0;
    }
    let third = x / 3.0;
    let sign = if (1.0..2.0).contains(&x) { -1.0 } else { 1.0 };
    let angle = std::f64::consts::PI * x;
    sign * half_turn(x - x.floor()) * half_turn(third) / (angle * (angle / 3.0))
}

/// sin πx for x from 0 to 1: with y = min(x, 1 − x), z = (πy)² and Horner's scheme, πy · (1 − z/3! + z²/5! − … +
/// z¹⁰/21!), each coefficient the quotient ±1/n! rounded to f64.
fn half_turn(x: f64) -> f64 {
    let angle = std::f64::consts::PI * x.min(1.0 - x);
    let square = angle * angle;
    // All these factorials are exact in f64.
    let coefficient = |n: u64| {
        let sign = if n % 4 == 1 { 1.0 } else { -1.0 };
        sign / (1..=n).map(|factor| factor as f64).product::<f64>()
    };
    let sum = (0..=10).rev().fold(0.0, |sum, k| sum * square + coefficient(2 * k + 1));
    angle * sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(mode: InterpolateMode, align_corners: bool, inputs: usize, outputs: usize) -> Vec<Vec<(usize, f32)>> {
        let taps = taps(inputs, outputs, &InterpolateOptions::new(mode).with_align_corners(align_corners));
        (0..outputs).map(|output| taps.of(output).collect()).collect()
    }

    #[test]
    fn the_sine_of_half_a_turn_is_that_of_the_library() {
        for i in 0..=1000 {
            let x = f64::from(i) / 1000.0;
            assert!((half_turn(x) - (std::f64::consts::PI * x).sin()).abs() < 4e-16, "{x}");
        }
        assert_eq!([half_turn(0.0), half_turn(1.0)], [0.0; 2]);
    }

    #[test]
    fn every_mode_at_the_same_size_is_the_identity() {
        for align_corners in [false, true] {
            for mode in [
                InterpolateMode::Nearest,
                InterpolateMode::Bilinear,
                InterpolateMode::Bicubic,
                InterpolateMode::Lanczos3,
            ] {
                let expected: Vec<_> = (0..9).map(|output| vec![(output, 1.0)]).collect();
                assert_eq!(table(mode.clone(), align_corners, 9, 9), expected, "{mode:?} {align_corners}");
            }
        }
    }

    #[test]
    fn weights_of_an_output_sum_to_one() {
        for (inputs, outputs) in [(1, 5), (2, 7), (5, 3), (7, 20), (64, 63)] {
            for align_corners in [false, true] {
                for mode in [InterpolateMode::Bilinear, InterpolateMode::Bicubic, InterpolateMode::Lanczos3] {
                    for taps in table(mode.clone(), align_corners, inputs, outputs) {
                        let sum: f64 = taps.iter().map(|(_, weight)| f64::from(*weight)).sum();
                        assert!((sum - 1.0).abs() < 3e-7, "{mode:?} {align_corners} {inputs} → {outputs}: {sum}");
                    }
                }
            }
        }
    }

    #[test]
    fn known_tables() {
        assert_eq!(
            table(InterpolateMode::Bilinear, false, 2, 4),
            [vec![(0, 1.0)], vec![(0, 0.75), (1, 0.25)], vec![(0, 0.25), (1, 0.75)], vec![(1, 0.75), (1, 0.25)]]
        );
        assert_eq!(table(InterpolateMode::Bilinear, true, 3, 2), [vec![(0, 1.0)], vec![(2, 1.0)]]);
        assert_eq!(
            table(InterpolateMode::Nearest, true, 2, 5).concat().iter().map(|tap| tap.0).collect::<Vec<_>>(),
            [0, 0, 0, 1, 1]
        );
    }
}
