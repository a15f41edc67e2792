//! tanh x in f32 from add, mul, div, fma and integer operations; at most 1.4 ULP.
//!
//! With a = |x| and s = x·x: below 0.625 the odd polynomial x + x·(s·p(s)), where p is the minimax polynomial of
//! degree 4 for the relative error (by Lawson's algorithm), its coefficients rounded to f32 from the lowest up with
//! the rest refitted each time (approximation error 4.6e-9); from there on 1 − 2 / (exp(2a) + 1), with the sign of x
//! put back.
//!
//! tanh(±0) = ±0, tanh(±∞) = ±1.

use super::exp::exp;
use super::number::Number;
use super::polynomial::horner;

/// Of s, from the highest power down.
const POLYNOMIAL: [f32; 5] = [
    f32::from_bits(0xbbba_86eb), // −5.69235301e-3
    f32::from_bits(0x3ca8_fc77), // 2.06281971e-2
    f32::from_bits(0xbd5c_1ad3), // −5.37365191e-2
    f32::from_bits(0x3e08_837b), // 1.33314058e-1
    f32::from_bits(0xbeaa_aa99), // −3.33332807e-1
];

/// Hyperbolic tangent.
#[inline(always)]
pub fn tanh<N: Number>(x: N) -> N {
    let one = N::from(1.0);
    let a = x.abs();
    let large = (one - N::from(2.0) / (exp(N::from(2.0) * a) + one)).copysign(x);
    let s = x * x;
    // The +0 keeps the sign of x = ±0 in the sum after it.
    let small = horner(&POLYNOMIAL, s).fma(s, 0.0.into()).fma(x, x);
    N::select(a.greater_equal(0.625.into()), large, small)
}

#[cfg(test)]
mod tests {
    use super::super::ulp;
    use super::*;

    #[test]
    fn special_values_are_those_documented() {
        let tanh = ulp::host(tanh);
        assert_eq!(tanh(0.0).to_bits(), 0);
        assert_eq!(tanh(-0.0).to_bits(), (-0f32).to_bits());
        assert_eq!(tanh(f32::INFINITY), 1.0);
        assert_eq!(tanh(f32::NEG_INFINITY), -1.0);
        assert_eq!(tanh(-1e-45).to_bits(), (-1e-45f32).to_bits());
        assert!(tanh(f32::NAN).is_nan());
    }
}
