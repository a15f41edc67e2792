//! eˣ in f32 from add, mul, fma and integer operations; at most 1 ULP.
//!
//! Cody–Waite reduction x = n ln 2 + r and a polynomial of degree 6 for eʳ on |r| ≤ ln 2 / 2: 1 + r + r² q(r), where q
//! is the minimax polynomial of degree 4 for the relative error (by Lawson's algorithm), its coefficients rounded to
//! f32 from the lowest up with the rest refitted each time (approximation error 3.2e-9). Steps, each rounded once:
//!
//! 1. t = min(max(x, −104), 89) by comparisons; a NaN stays.
//! 2. s = fma(t, 1.442695, 12582912); n = s − 12582912, the integer nearest to t / ln 2.
//! 3. r = fma(n, −0.693145752, t); r = fma(n, −1.42860677e-6, r).
//! 4. p = Horner with fma over the seven coefficients below.
//! 5. e = (p · 2^⌊n/2⌋) · 2^(n − ⌊n/2⌋): the first product is exact, the second rounds once, also into the subnormals.
//!
//! exp(±0) = 1, exp(−∞) = +0, exp(+∞) = +∞.
//!
//! For functions that need more than 24 bits, [`exp_double`] takes h + l and gives e^(h + l) as (a + b) · 2ⁿ to about
//! 2⁻²⁷ of itself, for −104 ≤ h ≤ 90: n as in 2 from h; (r, l) = the exact ordered sum of fma(n, −0.693145752, h) and
//! fma(n, −1.42860677e-6, l); (s, e) = that of 1 and r; (a, b) = that of s and e + fma(r·r, q(r), fma(l, r, l)).

use super::double::Double;
use super::number::{Integer, Number};
use super::polynomial::horner;

/// 1.5 · 2²³: adding it rounds to an integer, kept in the low mantissa bits.
const ROUNDER: f32 = 12_582_912.0;
const LOG2_E: f32 = f32::from_bits(0x3fb8_aa3b);
const LN_2_HIGH: f32 = f32::from_bits(0x3f31_7200);
const LN_2_LOW: f32 = f32::from_bits(0x35bf_be8e);
/// From the highest power down.
const POLYNOMIAL: [f32; 7] = [
    f32::from_bits(0x3ab5_26b5), // 1.38207397e-3
    f32::from_bits(0x3c09_1cc7), // 8.36867746e-3
    f32::from_bits(0x3d2a_ac58), // 4.16682661e-2
    f32::from_bits(0x3e2a_aa49), // 1.66665211e-1
    f32::from_bits(0x3eff_fffe), // 4.99999940e-1
    1.0,
    1.0,
];

/// eˣ.
#[inline(always)]
pub fn exp<N: Number>(x: N) -> N {
    let t = N::select(x.greater(89.0.into()), 89.0.into(), x);
    let t = N::select(t.less((-104.0).into()), (-104.0).into(), t);
    let shifted = t.fma(LOG2_E.into(), ROUNDER.into());
    let n = shifted - ROUNDER.into();
    let r = n.fma((-LN_2_HIGH).into(), t);
    let r = n.fma((-LN_2_LOW).into(), r);
    let p = horner(&POLYNOMIAL, r);
    // For a NaN the integer is meaningless, but p is NaN already.
    let n = shifted.to_bits() - N::Integer::from(ROUNDER.to_bits() as i32);
    scaled(p, n)
}

/// e^(high + low) as a pair and the exponent of a power of two, for −104 ≤ high ≤ 90.
#[inline(always)]
pub fn exp_double<N: Number>(x: Double<N>) -> (Double<N>, N::Integer) {
    let shifted = x.high.fma(LOG2_E.into(), ROUNDER.into());
    let n = shifted - ROUNDER.into();
    let r = n.fma((-LN_2_HIGH).into(), x.high);
    let Double { high: r, low } = Double::ordered_sum(r, n.fma((-LN_2_LOW).into(), x.low));
    let one = Double::ordered_sum(1.0.into(), r);
    let [c6, c5, c4, c3, c2, ..] = POLYNOMIAL;
    let q = horner(&[c6, c5, c4, c3, c2], r);
    let value = Double::ordered_sum(one.high, one.low + (r * r).fma(q, low.fma(r, low)));
    (value, shifted.to_bits() - N::Integer::from(ROUNDER.to_bits() as i32))
}

/// x · 2ⁿ for −253 < n < 255, rounded once where x · 2^⌊n/2⌋ is exact.
#[inline(always)]
pub fn scaled<N: Number>(x: N, n: N::Integer) -> N {
    let half = n.shift_right(1.into());
    x * power_of_two::<N>(half) * power_of_two::<N>(n - half)
}

/// 2ⁿ for −127 < n < 128.
#[inline(always)]
pub fn power_of_two<N: Number>(n: N::Integer) -> N {
    N::from_bits((n + 127.into()).shift_left(23.into()))
}

#[cfg(test)]
mod tests {
    use super::super::ulp;
    use super::*;

    #[test]
    fn special_values_are_those_documented() {
        let exp = ulp::host(exp);
        assert_eq!(exp(0.0).to_bits(), 1f32.to_bits());
        assert_eq!(exp(-0.0).to_bits(), 1f32.to_bits());
        assert_eq!(exp(f32::NEG_INFINITY).to_bits(), 0);
        assert_eq!(exp(f32::INFINITY), f32::INFINITY);
        assert_eq!(exp(88.722_84), f32::INFINITY);
        assert!(exp(88.722_83).is_finite());
        assert_eq!(exp(-103.9).to_bits(), 1);
        assert!(exp(f32::NAN).is_nan());
    }
}
