//! x · (erf (x / √2) + 1) / 2 in f32: these operations from the inside out, each rounded once, √2 as a f32.
//!
//! Burn composes it of the same ones; here they are one pass. gelu(−∞) is NaN, −∞ · 0.

use std::f32::consts::SQRT_2;

use super::erf::erf;
use super::number::Number;
use super::tanh::tanh;

/// Gaussian error linear unit.
#[inline(always)]
pub fn gelu<N: Number>(x: N) -> N {
    x * (erf(x / SQRT_2.into()) + 1.0.into()) / 2.0.into()
}

/// The gradient of [`gelu`] by its input, times the output's: of GELU's approximation by tanh, as Burn composes it.
///
/// With x³ = (x·x)·x, t = tanh(x³·a + x·b) and u = x³·c + x·d, a to d being 0.0356774, 0.797885, 0.0535161 and 0.398942
/// rounded to f32: (t·0.5 + (u·(1 − t·t) + 0.5)) · gradient.
#[inline(always)]
pub fn gelu_backward<N: Number>(x: N, gradient: N) -> N {
    let cube = x * x * x;
    let tanh = tanh(cube * 0.0356774.into() + x * 0.797885.into());
    let slope = cube * 0.0535161.into() + x * 0.398942.into();
    let square = N::from(1.0) - tanh * tanh;
    (tanh * 0.5.into() + (slope * square + 0.5.into())) * gradient
}

#[cfg(test)]
mod tests {
    use super::super::ulp;
    use super::*;

    #[test]
    fn special_values_are_those_documented() {
        let gelu = ulp::host(gelu);
        assert_eq!(gelu(-0.0).to_bits(), (-0f32).to_bits());
        assert_eq!(gelu(f32::INFINITY), f32::INFINITY);
        assert!(gelu(f32::NEG_INFINITY).is_nan() && gelu(f32::NAN).is_nan());
    }
}
