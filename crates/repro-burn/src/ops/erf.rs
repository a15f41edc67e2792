//! The error function in f32 from add, mul, fma and integer operations; at most 1.1 ULP.
//!
//! With a = |x| and s = a·a: up to 0.921875 the odd polynomial x + x·p(s) with p of degree 5; above, 1 − exp(a·q(a) −
//! a) with q of degree 6, computed at min(a, 4), and the sign of x put back. Both are minimax for the relative error,
//! found by Lawson's algorithm, their coefficients rounded to f32 from the lowest up with the rest refitted each time
//! (approximation errors 1.6e-8 and 7.3e-10). The shape is that of `erff` in Arm's optimized routines.
//!
//! erf(±0) = ±0, erf(±∞) = ±1.

use super::exp::exp;
use super::number::Number;
use super::polynomial::horner;

/// The two highest and the two next coefficients of q.
const Q_PAIRS: [[f32; 2]; 2] = [
    [f32::from_bits(0xb73d_98c0), f32::from_bits(0x39a9_9c4c)], // −1.13008427e-5, 3.23506421e-4
    [f32::from_bits(0xbb6e_e69f), f32::from_bits(0x3cc2_b582)], // −3.64533789e-3, 2.37681903e-2
];
/// The other coefficients of q.
const Q: [f32; 3] = [
    f32::from_bits(0xbdd9_9678), // −1.06244028e-1
    f32::from_bits(0xbf22_98fe), // −6.35146976e-1
    f32::from_bits(0xbe03_bcb6), // −1.28649563e-1
];
/// p, from the highest power of s down.
const P: [f32; 6] = [
    f32::from_bits(0xba1d_2467), // −5.99449908e-4
    f32::from_bits(0x3ba3_a506), // 4.99403756e-3
    f32::from_bits(0xbcdb_4733), // −2.67673489e-2
    f32::from_bits(0x3de7_0d5a), // 1.12818435e-1
    f32::from_bits(0xbec0_9374), // −3.76124978e-1
    f32::from_bits(0x3e03_75d3), // 1.28379151e-1
];

/// Gauss error function.
#[inline(always)]
pub fn erf<N: Number>(x: N) -> N {
    // From 4 on the result is 1; without the bound q(∞) would be ∞ − ∞.
    let a = x.abs();
    let a = N::select(a.greater(4.0.into()), 4.0.into(), a);
    let s = a * a;
    let q = horner(&Q_PAIRS[0], a).fma(s, horner(&Q_PAIRS[1], a));
    let q = q.fma(a, Q[0].into()).fma(a, Q[1].into()).fma(a, Q[2].into()).fma(a, -a);
    let large = (N::from(1.0) - exp(q)).copysign(x);
    let small = horner(&P, s).fma(x, x);
    N::select(a.greater(0.921_875.into()), large, small)
}

#[cfg(test)]
mod tests {
    use super::super::ulp;
    use super::*;

    #[test]
    fn special_values_are_those_documented() {
        let erf = ulp::host(erf);
        assert_eq!(erf(0.0).to_bits(), 0);
        assert_eq!(erf(-0.0).to_bits(), (-0f32).to_bits());
        assert_eq!(erf(f32::INFINITY), 1.0);
        assert_eq!(erf(f32::NEG_INFINITY), -1.0);
        assert!(erf(f32::NAN).is_nan());
    }
}
