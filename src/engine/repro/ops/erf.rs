//! The error function in f32 from add, mul, fma and integer operations; at most 2 ULP.
//!
//! With a = |x|: above 475/512, 1 − exp(q(a)) with the sign of x put back; else an odd polynomial, fma(p(x²), x, x).
//! Coefficients: N. Juffa's `erff`, Stack Overflow 35148199. erf(±0) = ±0, erf(±∞) = ±1.

use super::Fma;
use super::exp::exp;

/// Gauss error function.
#[inline(always)]
pub fn erf<F: Fma>(x: f32) -> f32 {
    // From 4 on the result is 1; without the bound q(∞) would be ∞ − ∞.
    let a = x.abs();
    let a = if a > 4.0 { 4.0 } else { a };
    let s = a * a;
    let q = F::fma(f32::from_bits(0xb791_0000), a, f32::from_bits(0x39c8_e7d9)); // −1.72853470e-5, 3.83197126e-4
    let u = F::fma(f32::from_bits(0xbb7e_8a1c), a, f32::from_bits(0x3cc6_b1a1)); // −3.88396438e-3, 2.42546219e-2
    let q = F::fma(q, s, u);
    let q = F::fma(q, a, f32::from_bits(0xbdda_ae5c)); // −1.06777877e-1
    let q = F::fma(q, a, f32::from_bits(0xbf22_8550)); // −6.34846687e-1
    let q = F::fma(q, a, f32::from_bits(0xbe03_ce86)); // −1.28717512e-1
    let q = F::fma(q, a, -a);
    let large = (1.0 - exp::<F>(q)).copysign(x);
    let p = F::fma(f32::from_bits(0xba1c_7000), s, f32::from_bits(0x3ba3_8d2c)); // −5.96761703e-4, 4.99119423e-3
    let p = F::fma(p, s, f32::from_bits(0xbcdb_48d9)); // −2.67681349e-2
    let p = F::fma(p, s, f32::from_bits(0x3de7_0e22)); // 1.12819925e-1
    let p = F::fma(p, s, f32::from_bits(0xbec0_9380)); // −3.76125336e-1
    let p = F::fma(p, s, f32::from_bits(0x3e03_75d4)); // 1.28379166e-1
    let small = F::fma(p, x, x);
    if a > 0.927_734_4 { large } else { small }
}

#[cfg(test)]
mod tests {
    use super::super::fma::Fused;
    use super::super::ulp;
    use super::*;

    #[test]
    fn the_error_is_below_its_documented_bound() {
        let (error, at) = ulp::worst(erf::<Fused>, libm::erf, 1009);
        assert!(error <= 2.0, "{error} at {at:e}");
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
