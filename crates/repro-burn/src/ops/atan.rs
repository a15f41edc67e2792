//! atan x and atan2(y, x) in f32; at most 0.8 ULP.
//!
//! Both are the angle of a point: n and d are the smaller and the larger of its |y| and |x|, so that the slope n/d is
//! from 0 to 1. If 2n > d, the slope is turned back by π/4: j = 1 and z = (n − d) / (n + d), where n + d is an exact
//! ordered sum; else j = 0 and z = n/d. With z = q + q′ as [`Double::over`] gives it and t = fma(q·s, p(s), q′), 0 if
//! n < 2⁻¹⁰⁰, and s = q·q, the angle of the slope is j π/4 + (q + t); p is minimax for the relative error on [0, 1/2],
//! of degree 5 (by Lawson's algorithm), its coefficients rounded to f32 from the lowest up with the rest refitted each
//! time (approximation error 2.8e-10).
//!
//! The angle of the point is k π/4 ± (q + t): with |y| > |x| k = 2 − j and minus for x ≥ +0, k = 2 + j and plus for x
//! ≤ −0; else k = j and plus for x ≥ +0, k = 4 − j and minus for x ≤ −0. π/4 stands for two f32, h + l: (u, v) = the
//! exact product k·h, (a, b) = the exact ordered sum of u and ±q, and the result is a + (b + (fma(k, l, v) ± t)), with
//! the sign of y.
//!
//! - **atan x** is the angle of (min(|x|, 2¹⁰⁰), 1), with the sign of x.
//! - **atan2(y, x)** first multiplies n and d by 2⁶⁴ if d < 2⁻⁴⁰, by 2⁻⁶⁴ if d ≥ 2¹⁰⁰; n = d = 1 if both are infinite;
//!   n = 0 and d = 1 if d is zero or infinite else.
//!
//! atan(±0) = ±0, atan(±∞) = ±π/2. atan2 has the special values of C99, such as atan2(±0, −0) = ±π, atan2(±0, +0) = ±0.

use super::double::Double;
use super::number::{Integer, Number};
use super::polynomial::horner;

const QUARTER_PI_HIGH: f32 = f32::from_bits(0x3f49_0fdb); // 7.85398185e-1
const QUARTER_PI_LOW: f32 = f32::from_bits(0xb2bb_bd2e); // −2.18556941e-8
/// 2¹⁰⁰.
const HUGE: f32 = 1.267_650_6e30;
/// 2⁻¹⁰⁰.
const TINY: f32 = 7.888_609e-31;
/// (atan q − q) / q³, from the highest power of s down.
const ATAN: [f32; 6] = [
    f32::from_bits(0x3d1f_eaaa), // 3.90421525e-2
    f32::from_bits(0xbda4_06a0), // −8.00907612e-2
    f32::from_bits(0x3de0_3934), // 1.09484106e-1
    f32::from_bits(0xbe12_2818), // −1.42731071e-1
    f32::from_bits(0x3e4c_cba2), // 1.99995548e-1
    f32::from_bits(0xbeaa_aaa9), // −3.33333284e-1
];

/// Arc tangent.
#[inline(always)]
pub fn atan<N: Number>(x: N) -> N {
    let (a, one) = (x.abs(), N::from(1.0));
    // Else the rest of 1/∞ would not be a number.
    let bounded = N::select(a.greater(HUGE.into()), HUGE.into(), a);
    // |x| is never to the left.
    let (steep, left) = (a.greater(one), a.less(0.0.into()));
    let angle = angle(N::select(steep, one, bounded), N::select(steep, bounded, one), steep, left);
    angle.copysign(x)
}

/// The angle of the point (x, y), from −π to π.
#[inline(always)]
pub fn atan2<N: Number>(y: N, x: N) -> N {
    let (zero, one) = (N::from(0.0), N::from(1.0));
    let (b, a) = (y.abs(), x.abs());
    let steep = b.greater(a);
    let (n, d) = (N::select(steep, a, b), N::select(steep, b, a));
    // Else the rest of a division would be too small for a f32, or a sum too large.
    let scale = N::select(d.less(9.094_947e-13.into()), 1.844_674_4e19.into(), one);
    let scale = N::select(d.less(HUGE.into()), scale, 5.421_011e-20.into());
    let (n, d) = (n * scale, d * scale);
    let without = d.equal(zero) | d.equal(f32::INFINITY.into());
    let n = N::select(without, N::select(n.equal(f32::INFINITY.into()), one, zero), n);
    let d = N::select(without, one, d);
    // By the sign bit: −0 counts.
    let value = angle(n, d, steep, x.to_bits().less(0.into())).copysign(y);
    N::select(x.is_nan() | y.is_nan(), f32::NAN.into(), value)
}

/// The angle of the point with the smaller and the larger coordinates n and d: d is the y of a `steep` one, and the x of
/// one to the `left` is negative.
#[inline(always)]
fn angle<N: Number>(n: N, d: N, steep: N::Mask, left: N::Mask) -> N {
    let zero = N::from(0.0);
    let turned = (n + n).greater(d);
    let sum = Double::ordered_sum(d, n);
    let numerator = Double { high: N::select(turned, n - d, n), low: zero };
    let denominator = Double { high: N::select(turned, sum.high, d), low: N::select(turned, sum.low, zero) };
    let q = numerator.over(denominator);
    let s = q.high * q.high;
    let t = (q.high * s).fma(horner(&ATAN, s), q.low);
    // The rest of a division is too small for a f32 here, and q close enough.
    let t = N::select(n.less(TINY.into()), zero, t);

    let minus = (steep & !left) | (left & !steep);
    let (q, t) = (N::select(minus, -q.high, q.high), N::select(minus, -t, t));
    let j = N::select(turned, 1.0.into(), zero);
    let from = N::select(steep, 2.0.into(), N::select(left, 4.0.into(), zero));
    let k = from + N::select(minus, -j, j);
    let base = Double::product(k, QUARTER_PI_HIGH.into());
    let value = Double::ordered_sum(base.high, q);
    value.high + (value.low + (k.fma(QUARTER_PI_LOW.into(), base.low) + t))
}

#[cfg(test)]
mod tests {
    use super::super::ulp;
    use super::*;

    #[test]
    fn special_values_are_those_documented() {
        let atan = ulp::host(atan);
        let atan2 = ulp::host_binary(atan2);
        use std::f32::consts::{FRAC_PI_2, FRAC_PI_4, PI};
        for x in [0.0, -0.0, 1e-45, -1e-45] {
            assert_eq!(atan(x).to_bits(), x.to_bits());
        }
        assert_eq!([atan(f32::INFINITY), atan(f32::NEG_INFINITY), atan(1.0)], [FRAC_PI_2, -FRAC_PI_2, FRAC_PI_4]);
        assert!(atan(f32::NAN).is_nan());
        let infinity = f32::INFINITY;
        for (y, x, angle) in [
            (0.0, 0.0, 0.0),
            (0.0, -0.0, PI),
            (0.0, 1.0, 0.0),
            (0.0, -1.0, PI),
            (1.0, 0.0, FRAC_PI_2),
            (1.0, -0.0, FRAC_PI_2),
            (1.0, infinity, 0.0),
            (1.0, -infinity, PI),
            (infinity, 1.0, FRAC_PI_2),
            (infinity, infinity, FRAC_PI_4),
            (infinity, -infinity, (3.0 * std::f64::consts::FRAC_PI_4) as f32),
        ] {
            assert_eq!(atan2(y, x).to_bits(), angle.to_bits(), "{y} {x}");
            assert_eq!(atan2(-y, x).to_bits(), (-angle).to_bits(), "{y} {x}");
        }
        assert!(atan2(f32::NAN, 1.0).is_nan() && atan2(0.0, f32::NAN).is_nan());
    }
}
