//! The error function in f32 from add, mul, fma and integer operations; at most 1.1 ULP.
//!
//! With a = |x| and s = a·a: up to 0.921875 the odd polynomial x + x·p(s) with p of degree 5; above, 1 − exp(a·q(a) −
//! a) with q of degree 6, computed at min(a, 4), and the sign of x put back. Both are minimax for the relative error,
//! found by Lawson's algorithm, their coefficients rounded to f32 from the lowest up with the rest refitted each time
//! (approximation errors 1.6e-8 and 7.3e-10). The shape is that of `erff` in Arm's optimized routines.
//!
//! erf(±0) = ±0, erf(±∞) = ±1.

use super::Fma;
use super::exp::exp;

/// Gauss error function.
#[inline(always)]
pub fn erf<F: Fma>(x: f32) -> f32 {
    // From 4 on the result is 1; without the bound q(∞) would be ∞ − ∞.
    let a = x.abs();
    let a = if a > 4.0 { 4.0 } else { a };
    let s = a * a;
    let q = F::fma(f32::from_bits(0xb73d_98c0), a, f32::from_bits(0x39a9_9c4c)); // −1.13008427e-5, 3.23506421e-4
    let u = F::fma(f32::from_bits(0xbb6e_e69f), a, f32::from_bits(0x3cc2_b582)); // −3.64533789e-3, 2.37681903e-2
    let q = F::fma(q, s, u);
    let q = F::fma(q, a, f32::from_bits(0xbdd9_9678)); // −1.06244028e-1
    let q = F::fma(q, a, f32::from_bits(0xbf22_98fe)); // −6.35146976e-1
    let q = F::fma(q, a, f32::from_bits(0xbe03_bcb6)); // −1.28649563e-1
    let q = F::fma(q, a, -a);
    let large = (1.0 - exp::<F>(q)).copysign(x);
    let p = F::fma(f32::from_bits(0xba1d_2467), s, f32::from_bits(0x3ba3_a506)); // −5.99449908e-4, 4.99403756e-3
    let p = F::fma(p, s, f32::from_bits(0xbcdb_4733)); // −2.67673489e-2
    let p = F::fma(p, s, f32::from_bits(0x3de7_0d5a)); // 1.12818435e-1
    let p = F::fma(p, s, f32::from_bits(0xbec0_9374)); // −3.76124978e-1
    let p = F::fma(p, s, f32::from_bits(0x3e03_75d3)); // 1.28379151e-1
    let small = F::fma(p, x, x);
    if a > 0.921_875 { large } else { small }
}

#[cfg(test)]
mod tests {
    use super::super::fma::Fused;
    use super::super::ulp;
    use super::*;

    #[test]
    fn the_error_is_below_its_documented_bound() {
        let (error, at) = ulp::worst(erf::<Fused>, libm::erf, 1009);
        assert!(error <= 1.1, "{error} at {at:e}");
    }

    #[test]
    fn special_values_are_those_documented() {
        assert_eq!(erf::<Fused>(0.0).to_bits(), 0);
        assert_eq!(erf::<Fused>(-0.0).to_bits(), (-0f32).to_bits());
        assert_eq!(erf::<Fused>(f32::INFINITY), 1.0);
        assert_eq!(erf::<Fused>(f32::NEG_INFINITY), -1.0);
        assert!(erf::<Fused>(f32::NAN).is_nan());
    }
}
