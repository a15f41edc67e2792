//! x modulo y in f32, with the sign of y.
//!
//! r = x − y·trunc(x/y) exactly, with the sign of x (C99's `fmod`); then r + y, rounded once, if r is not zero and has
//! another sign than y. That is what Python and PyTorch compute. Not x − floor(x/y)·y with every operation rounded:
//! for |x/y| > 2²⁴ that is noise. Not ((r + y) mod y) either, which Burn's Flex computes and which gives 0 for small x
//! and y of one sign.
//!
//! r by long division in 14 steps of 20 bits, all exact: |x| = X·2ᵃ and |y| = Y·2ᵇ with X, Y in [1, 2), d = a − b, r =
//! X or X − Y if that is ≥ 0. A step takes k = min(max(d, 0), 20) bits: R = r·2ᵏ, q = fma(R, 1/Y, 12582912) −
//! 12582912, r = fma(−q, Y, R), r + Y if that is negative, d − k. As r < Y is a multiple of 2⁻²³, each of them is
//! exact, and 14·20 ≥ 276, the largest d. For d < 0, r is x itself; else r·2ᵇ with the sign of x.
//!
//! NaN for y = ±0 and x = ±∞; for y = ±∞ it is x or, if the signs differ and x is not zero, y. A zero has the sign of
//! x.

use super::exp::{power_of_two, scaled};
use super::number::{Integer, Number};

const STEPS: usize = 14;
const STEP_BITS: i32 = 20;
const SIGNIFICAND: i32 = 0x007f_ffff;
/// 1.5 · 2²³: adding it rounds to an integer.
const ROUNDER: f32 = 12_582_912.0;

/// `x` modulo `y`.
#[inline(always)]
pub fn remainder<N: Number>(x: N, y: N) -> N {
    let (zero, one, infinity) = (N::from(0.0), N::from(1.0), N::from(f32::INFINITY));
    let (numerator, numerator_exponent) = split(x);
    let (denominator, exponent) = split(y);
    let inverse = one / denominator;
    let mut bits = numerator_exponent - exponent;
    let less = numerator - denominator;
    let mut r = N::select(less.less(zero), numerator, less);
    let mut step = 0;
    while step < STEPS {
        let k = N::Integer::select(bits.less(0.into()), 0.into(), bits);
        let k = N::Integer::select(k.less(STEP_BITS.into()), k, STEP_BITS.into());
        let wide = r * power_of_two::<N>(k);
        let quotient = wide.fma(inverse, ROUNDER.into()) - ROUNDER.into();
        let rest = (-quotient).fma(denominator, wide);
        r = N::select(rest.less(zero), rest + denominator, rest);
        bits = bits - k;
        step += 1;
    }
    let r = scaled(r, exponent).copysign(x);
    let (a, b) = (x.abs(), y.abs());
    let r = N::select(a.less(b), x, r);
    let moved = (r.less(zero) & zero.less(y)) | (zero.less(r) & y.less(zero));
    let r = N::select(moved, r + y, r);
    N::select(a.less(infinity) & zero.less(b), r, f32::NAN.into())
}

/// |x| as a number from 1 to 2 and the exponent of a power of two; anything if it is zero or not finite.
#[inline(always)]
fn split<N: Number>(x: N) -> (N, N::Integer) {
    let a = x.abs();
    let subnormal = a.less(f32::MIN_POSITIVE.into());
    let bits = N::select(subnormal, a * 16_777_216.0.into(), a).to_bits();
    let start = N::Integer::select(subnormal, (-151).into(), (-127).into());
    let significand = (bits & SIGNIFICAND.into()) | N::Integer::from(1f32.to_bits() as i32);
    (N::from_bits(significand), bits.shift_right(23.into()) + start)
}

#[cfg(test)]
mod tests {
    use super::super::ulp;
    use super::*;

    #[test]
    fn special_values_are_those_documented() {
        let remainder = ulp::host_binary(remainder);
        let infinity = f32::INFINITY;
        for (x, y, expected) in [
            (5.5, 2.0, 1.5),
            (-5.5, 2.0, 0.5),
            (5.5, -2.0, -0.5),
            (-5.5, -2.0, -1.5),
            (4.0, -2.0, 0.0),
            (-4.0, 2.0, -0.0),
            (-0.0, 1.0, -0.0),
            (1e-10, 1.0, 1e-10),
            (-1e-10, 1.0, 1.0),
            (1.0, infinity, 1.0),
            (-1.0, infinity, infinity),
            (f32::MAX, 1e-45, 0.0),
        ] {
            assert_eq!(remainder(x, y).to_bits(), expected.to_bits(), "{x} modulo {y}");
        }
        for (x, y) in [(1.0, 0.0), (0.0, -0.0), (infinity, 1.0), (f32::NAN, 1.0), (1.0, f32::NAN)] {
            assert!(remainder(x, y).is_nan(), "{x} modulo {y}");
        }
    }
}
