//! asin x and acos x in f32; at most 0.8 ULP.
//!
//! p is minimax for the relative error of asin x = x + x·s·p(s), s = x·x, on [0, 1/2], of degree 5 (by Lawson's
//! algorithm), its coefficients rounded to f32 from the lowest up with the rest refitted each time (approximation
//! error 2.9e-10). With a =
//! |x|, z = (1 − a)/2, exact for a ≥ 1/2, and (h, l) = √z as a [`Double`]:
//!
//! - a < 1/2: t = (x·s)·p(s). **asin x** = x + t by one fma. **acos x** is π/2 less x and t.
//! - a ≥ 1/2: e = fma(h·z, p(z), l), so that asin √z = h + e. **asin x** is π/2 less 2h and 2e, with the sign of x.
//!   **acos x** is 2h + 2e for x > 0, and π less 2h and 2e for x < 0.
//!
//! π/2 stands for two f32, c + c′, and 2c, 2c′ for π; c less b and t is: (u, v) = the exact ordered sum of c and −b, then
//! u + (v + (c′ − t)).
//!
//! asin(±0) = ±0, acos(1) = +0; NaN for a > 1.

use super::angle::{HALF_PI_HIGH, HALF_PI_LOW};
use super::double::Double;
use super::number::Number;
use super::polynomial::horner;

/// (asin x − x) / x³, from the highest power of s down.
const ASIN: [f32; 6] = [
    f32::from_bits(0x3d1a_679b), // 3.76964621e-2
    f32::from_bits(0x3c6a_894f), // 1.43149635e-2
    f32::from_bits(0x3d02_69b3), // 3.18390839e-2
    f32::from_bits(0x3d36_53a8), // 4.45133746e-2
    f32::from_bits(0x3d99_9c56), // 7.50052184e-2
    f32::from_bits(0x3e2a_aaa6), // 1.66666597e-1
];

/// Arc sine.
#[inline(always)]
pub fn asin<N: Number>(x: N) -> N {
    let s = x * x;
    let small = (x * s).fma(horner(&ASIN, s), x);
    let Double { high, low } = root(x);
    let large = from_angle(1.0, high + high, low + low).copysign(x);
    N::select(x.abs().less(0.5.into()), small, large)
}

/// Arc cosine.
#[inline(always)]
pub fn acos<N: Number>(x: N) -> N {
    let s = x * x;
    let small = from_angle(1.0, x, (x * s) * horner(&ASIN, s));
    let Double { high, low } = root(x);
    let (high, low) = (high + high, low + low);
    let large = N::select(x.less(0.0.into()), from_angle(2.0, high, low), high + low);
    N::select(x.abs().less(0.5.into()), small, large)
}

/// quarters · π/2 − (high + low).
#[inline(always)]
fn from_angle<N: Number>(quarters: f32, high: N, low: N) -> N {
    let sum = Double::ordered_sum((quarters * HALF_PI_HIGH).into(), -high);
    sum.high + (sum.low + (N::from(quarters * HALF_PI_LOW) - low))
}

/// asin √((1 − |x|)/2) as a pair.
#[inline(always)]
fn root<N: Number>(x: N) -> Double<N> {
    let z = (N::from(1.0) - x.abs()) * 0.5.into();
    let Double { high, low } = Double { high: z, low: 0.0.into() }.sqrt();
    // √0 is exact; the quotient that corrects it is not a number.
    let low = N::select(z.equal(0.0.into()), 0.0.into(), low);
    Double { high, low: (high * z).fma(horner(&ASIN, z), low) }
}

#[cfg(test)]
mod tests {
    use super::super::ulp;
    use super::*;

    #[test]
    fn special_values_are_those_documented() {
        let asin = ulp::host(asin);
        let acos = ulp::host(acos);
        use std::f32::consts::{FRAC_PI_2, PI};
        for x in [0.0, -0.0, 1e-45, -1e-45] {
            assert_eq!(asin(x).to_bits(), x.to_bits());
            assert_eq!(acos(x), FRAC_PI_2);
        }
        assert_eq!([asin(1.0), asin(-1.0), acos(-1.0)], [FRAC_PI_2, -FRAC_PI_2, PI]);
        assert_eq!(acos(1.0).to_bits(), 0);
        for x in [1f32.next_up(), -1f32.next_up(), f32::INFINITY, f32::NEG_INFINITY, f32::NAN] {
            assert!(asin(x).is_nan() && acos(x).is_nan(), "{x}");
        }
    }
}
