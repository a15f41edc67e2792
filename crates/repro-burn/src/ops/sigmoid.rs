//! 1 / (1 + e⁻ˣ) in f32: these four operations, each rounded once.
//!
//! sigmoid(−∞) = +0, sigmoid(±0) = 1/2, sigmoid(+∞) = 1.

use super::exp::exp;
use super::number::Number;

/// Logistic function.
#[inline(always)]
pub fn sigmoid<N: Number>(x: N) -> N {
    N::from(1.0) / (exp(-x) + 1.0.into())
}

/// The gradient of [`sigmoid`] by its input, made of its output: output · (1 − output) · gradient.
#[inline(always)]
pub fn sigmoid_backward<N: Number>(output: N, gradient: N) -> N {
    output * (N::from(1.0) - output) * gradient
}

#[cfg(test)]
mod tests {
    use super::super::ulp;
    use super::*;

    #[test]
    fn special_values_are_those_documented() {
        let sigmoid = ulp::host(sigmoid);
        assert_eq!([f32::NEG_INFINITY, -0.0, 0.0, f32::INFINITY].map(&sigmoid), [0.0, 0.5, 0.5, 1.0]);
        assert!(sigmoid(f32::NAN).is_nan());
    }
}
