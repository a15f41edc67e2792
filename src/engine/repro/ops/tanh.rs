//! tanh x in f32 from add, mul, div, fma and integer operations; at most 2 ULP.
//!
//! With a = |x|: below 0.55 an odd polynomial, fma(p(x²)·x², x, x); from there on 1 − 2 / (exp(2a) + 1), with the sign of x
//! put back. Coefficients: N. Juffa, Stack Overflow 39885815. tanh(±0) = ±0, tanh(±∞) = ±1.

use super::Fma;
use super::exp::exp;

/// Hyperbolic tangent.
#[inline(always)]
pub fn tanh<F: Fma>(x: f32) -> f32 {
    let a = x.abs();
    let large = (1.0 - 2.0 / (exp::<F>(2.0 * a) + 1.0)).copysign(x);
    let s = x * x;
    let p = F::fma(f32::from_bits(0x3c80_f000), s, f32::from_bits(0xbd56_3b35)); // 1.57394409e-2, −5.23025580e-2
    let p = F::fma(p, s, f32::from_bits(0x3e08_591f)); // 1.33152470e-1
    let p = F::fma(p, s, f32::from_bits(0xbeaa_a9ed)); // −3.33327681e-1
    let small = F::fma(p * s, x, x);
    if a >= 0.55 { large } else { small }
}

#[cfg(test)]
mod tests {
    use super::super::fma::Fused;
    use super::super::ulp;
    use super::*;

    #[test]
    fn the_error_is_below_its_documented_bound() {
        let (error, at) = ulp::worst(tanh::<Fused>, libm::tanh, 1009);
        assert!(error <= 2.0, "{error} at {at:e}");
    }

    #[test]
    fn special_values_are_those_documented() {
        assert_eq!(tanh::<Fused>(0.0).to_bits(), 0);
        assert_eq!(tanh::<Fused>(-0.0).to_bits(), (-0f32).to_bits());
        assert_eq!(tanh::<Fused>(f32::INFINITY), 1.0);
        assert_eq!(tanh::<Fused>(f32::NEG_INFINITY), -1.0);
        assert_eq!(tanh::<Fused>(-1e-45).to_bits(), (-1e-45f32).to_bits());
        assert!(tanh::<Fused>(f32::NAN).is_nan());
    }
}
