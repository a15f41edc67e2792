//! tanh x in f32 from add, mul, div, fma and integer operations; at most 1.4 ULP.
//!
//! With a = |x| and s = x·x: below 0.625 the odd polynomial x + x·(s·p(s)), where p is the minimax polynomial of
//! degree 4 for the relative error (by Lawson's algorithm), its coefficients rounded to f32 from the lowest up with
//! the rest refitted each time (approximation error 4.6e-9); from there on 1 − 2 / (exp(2a) + 1), with the sign of x
//! put back.
//!
//! tanh(±0) = ±0, tanh(±∞) = ±1.

use super::Fma;
use super::exp::exp;

/// Hyperbolic tangent.
#[inline(always)]
pub fn tanh<F: Fma>(x: f32) -> f32 {
    let a = x.abs();
    let large = (1.0 - 2.0 / (exp::<F>(2.0 * a) + 1.0)).copysign(x);
    let s = x * x;
    let p = F::fma(f32::from_bits(0xbbba_86eb), s, f32::from_bits(0x3ca8_fc77)); // −5.69235301e-3, 2.06281971e-2
    let p = F::fma(p, s, f32::from_bits(0xbd5c_1ad3)); // −5.37365191e-2
    let p = F::fma(p, s, f32::from_bits(0x3e08_837b)); // 1.33314058e-1
    let p = F::fma(p, s, f32::from_bits(0xbeaa_aa99)); // −3.33332807e-1
    // The +0 keeps the sign of x = ±0 in the sum after it.
    let small = F::fma(F::fma(p, s, 0.0), x, x);
    if a >= 0.625 { large } else { small }
}

#[cfg(test)]
mod tests {
    use super::super::fma::Fused;
    use super::super::ulp;
    use super::*;

    #[test]
    fn the_error_is_below_its_documented_bound() {
        let (error, at) = ulp::worst(tanh::<Fused>, libm::tanh, 1009);
        assert!(error <= 1.4, "{error} at {at:e}");
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
