//! sinh x and cosh x in f32; at most 0.8 ULP.
//!
//! With a = min(|x|, 90) and (h + l)·2ⁿ = eᵃ by [`exp_double`](super::exp::exp_double): k = min(n, 30), i = 1/h, c =
//! 2⁻ᵏ·2⁻ᵏ · fma(i, fma(−i, l, fma(−i, h, 1)), i), which is e⁻ᵃ·2⁻ⁿ, or too small to matter, and
//!
//! - **cosh x** = (u + (v + l)) · 2ⁿ⁻¹ with (u, v) = the exact ordered sum of h and c.
//! - **sinh x** for a ≥ 1: the same with −c instead of c, and the sign of x. For a < 1: x + (x·s)·p(s) by one fma, s =
//!   x·x, where p is the minimax polynomial of degree 3 for the relative error (by Lawson's algorithm), its
//!   coefficients rounded to f32 from the lowest up with the rest refitted each time (approximation error 3.0e-10).
//!
//! y·2ⁿ⁻¹ is (y·2^⌊(n−1)/2⌋) · 2^(n − 1 − ⌊(n−1)/2⌋). sinh(±0) = ±0, sinh(±∞) = ±∞, cosh(±0) = 1, cosh(±∞) = +∞.

use super::double::Double;
use super::exp::{exp_double, power_of_two, scaled};
use super::number::{Integer, Number};
use super::polynomial::horner;

/// (sinh x − x) / x³, from the highest power of s down.
const SINH: [f32; 4] = [
    f32::from_bits(0x363a_b60f), // 2.78221319e-6
    f32::from_bits(0x3950_115e), // 1.98428956e-4
    f32::from_bits(0x3c08_8870), // 8.33331048e-3
    f32::from_bits(0x3e2a_aaab), // 1.66666672e-1
];

/// Hyperbolic sine.
#[inline(always)]
pub fn sinh<N: Number>(x: N) -> N {
    let (value, inverse, n) = parts(x);
    let Double { high, low } = Double::ordered_sum(value.high, -inverse);
    let large = scaled(high + (low + value.low), n).copysign(x);
    let s = x * x;
    let small = (x * s).fma(horner(&SINH, s), x);
    // x·x of a large x is infinite, but then the other one is taken; NaN is in both.
    N::select(x.abs().less(1.0.into()), small, large)
}

/// Hyperbolic cosine.
#[inline(always)]
pub fn cosh<N: Number>(x: N) -> N {
    let (value, inverse, n) = parts(x);
    let Double { high, low } = Double::ordered_sum(value.high, inverse);
    scaled(high + (low + value.low), n)
}

/// h + l, c and n − 1.
#[inline(always)]
fn parts<N: Number>(x: N) -> (Double<N>, N, N::Integer) {
    let a = x.abs();
    let a = N::select(a.greater(90.0.into()), 90.0.into(), a);
    let (value, n) = exp_double(Double { high: a, low: 0.0.into() });
    let k = N::Integer::select(n.less(30.into()), n, 30.into());
    let scale = power_of_two::<N>(N::Integer::from(0) - k);
    let one = N::from(1.0);
    let inverse = one / value.high;
    let inverse = inverse.fma((-inverse).fma(value.low, (-inverse).fma(value.high, one)), inverse);
    (value, scale * scale * inverse, n - 1.into())
}

#[cfg(test)]
mod tests {
    use super::super::ulp;
    use super::*;

    #[test]
    fn special_values_are_those_documented() {
        let sinh = ulp::host(sinh);
        let cosh = ulp::host(cosh);
        for x in [0.0, -0.0, 1e-45, -1e-45, f32::INFINITY, f32::NEG_INFINITY] {
            assert_eq!(sinh(x).to_bits(), x.to_bits());
        }
        assert_eq!([cosh(0.0), cosh(-0.0), cosh(f32::NEG_INFINITY)], [1.0, 1.0, f32::INFINITY]);
        // The largest numbers whose results are finite.
        assert!(sinh(89.415_98).is_finite() && cosh(-89.415_98).is_finite());
        assert_eq!([sinh(-89.415_99), cosh(89.415_99)], [f32::NEG_INFINITY, f32::INFINITY]);
        assert!(sinh(f32::NAN).is_nan() && cosh(f32::NAN).is_nan());
    }
}
