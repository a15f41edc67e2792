//! x · (erf (x / √2) + 1) / 2 in f32: these operations from the inside out, each rounded once, √2 as a f32.
//!
//! Burn composes it of the same ones; here they are one pass. gelu(−∞) is NaN, −∞ · 0.

use std::f32::consts::SQRT_2;

use super::erf::erf;
use super::number::Number;

/// Gaussian error linear unit.
#[inline(always)]
pub fn gelu<N: Number>(x: N) -> N {
    x * (erf(x / SQRT_2.into()) + 1.0.into()) / 2.0.into()
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
