//! sin x, cos x and tan x in f32 for every finite x; at most 0.8, 0.8 and 1.2 ULP.
//!
//! x = n π/2 + r with r = h + l by [`reduce`](super::angle::reduce), s = h·h. The polynomials are minimax for the
//! relative error on [0, π/4] (by Lawson's algorithm), their coefficients rounded to f32 from the lowest up with the
//! rest refitted each time. Steps, each rounded once:
//!
//! - **sin r** = h + fma(h·s, p(s), fma(−z, l, l)) with z = s/2 and p of degree 3 (approximation error 1.6e-10).
//! - **cos r** = w + (((1 − w) − z) + fma(s·s, c(s), −fma(h, l, s′/2))) with w = 1 − z, s′ = fma(h, h, −s) and c of
//!   degree 2 (1.2e-10).
//! - **sin x** is sin r, cos r, −sin r, −cos r for n mod 4 = 0, 1, 2, 3, and **cos x** is what sin is for n + 1.
//! - **tan r** = t + e, the exact ordered sum of h and fma(h·s, p(s), fma(l·t₀, t₀, l)) with t₀ = fma(h·s, p(s), h)
//!   and p of degree 6 (1.3e-9). **tan x** is t for even n; for odd n it is q + q·fma(q, e, fma(q, t, 1)) with q =
//!   −1/t.
//!
//! Odd functions keep the zero's sign; infinities and NaN give NaN.

use super::angle::reduce;
use super::double::Double;
use super::number::{Integer, Number};
use super::polynomial::horner;

/// (sin h − h) / h³, from the highest power of s down.
const SIN: [f32; 4] = [
    f32::from_bits(0x363e_19b6), // 2.83271720e-6
    f32::from_bits(0xb950_2caf), // −1.98530717e-4
    f32::from_bits(0x3c08_88ba), // 8.33337940e-3
    f32::from_bits(0xbe2a_aaab), // −1.66666672e-1
];
/// (cos h − 1 + s/2) / s².
const COS: [f32; 3] = [
    f32::from_bits(0x37cc_f489), // 2.44325656e-5
    f32::from_bits(0xbab6_0615), // −1.38873106e-3
    f32::from_bits(0x3d2a_aaa5), // 4.16666456e-2
];
/// (tan h − h) / h³.
const TAN: [f32; 7] = [
    f32::from_bits(0x3b8f_43dc), // 4.37210314e-3
    f32::from_bits(0x38d0_10d6), // 9.92134883e-5
    f32::from_bits(0x3c31_633b), // 1.08268810e-2
    f32::from_bits(0x3cae_60b3), // 2.12863442e-2
    f32::from_bits(0x3d5d_6cde), // 5.40589020e-2
    f32::from_bits(0x3e08_86cf), // 1.33326754e-1
    f32::from_bits(0x3eaa_aab0), // 3.33333492e-1
];

/// Sine.
#[inline(always)]
pub fn sin<N: Number>(x: N) -> N {
    let (n, r) = reduce(x);
    // The sign of a zero would be lost in h + …
    N::select(x.equal(0.0.into()), x, quarter(x, n, r))
}

/// Cosine.
#[inline(always)]
pub fn cos<N: Number>(x: N) -> N {
    let (n, r) = reduce(x);
    quarter(x, n + 1.into(), r)
}

/// sin (n π/2 + r), NaN unless x is finite.
#[inline(always)]
fn quarter<N: Number>(x: N, n: N::Integer, r: Double<N>) -> N {
    let Double { high: h, low: l } = r;
    let s = h * h;
    let (half, one) = (N::from(0.5), N::from(1.0));
    let z = s * half;
    let sin = h + (h * s).fma(horner(&SIN, s), (-z).fma(l, l));
    let w = one - z;
    let low = h.fma(l, h.fma(h, -s) * half);
    let cos = w + (((one - w) - z) + (s * s).fma(horner(&COS, s), -low));
    let value = N::select((n & 1.into()).equal(0.into()), sin, cos);
    let value = N::select((n & 2.into()).equal(0.into()), value, -value);
    N::select(x.abs().less(f32::INFINITY.into()), value, f32::NAN.into())
}

/// Tangent.
#[inline(always)]
pub fn tan<N: Number>(x: N) -> N {
    let (n, Double { high: h, low: l }) = reduce(x);
    let s = h * h;
    let (cube, p) = (h * s, horner(&TAN, s));
    let near = cube.fma(p, h);
    let beyond = cube.fma(p, (l * near).fma(near, l));
    let Double { high: t, low: e } = Double::ordered_sum(h, beyond);
    let q = N::from(-1.0) / t;
    let cotangent = q + q * q.fma(e, q.fma(t, 1.0.into()));
    let value = N::select((n & 1.into()).equal(0.into()), t, cotangent);
    let value = N::select(x.equal(0.0.into()), x, value);
    N::select(x.abs().less(f32::INFINITY.into()), value, f32::NAN.into())
}

#[cfg(test)]
mod tests {
    use super::super::ulp;
    use super::*;

    #[test]
    fn special_values_are_those_documented() {
        let sin = ulp::host(sin);
        let cos = ulp::host(cos);
        let tan = ulp::host(tan);
        for x in [f32::INFINITY, f32::NEG_INFINITY, f32::NAN] {
            assert!(sin(x).is_nan() && cos(x).is_nan() && tan(x).is_nan(), "{x}");
        }
        for x in [0.0, -0.0, 1e-45, -1e-45, f32::MIN_POSITIVE] {
            assert_eq!(sin(x).to_bits(), x.to_bits());
            assert_eq!(tan(x).to_bits(), x.to_bits());
            assert_eq!(cos(x).to_bits(), 1f32.to_bits());
        }
        // The f32 nearest to a multiple of π/2 relative to its size, and a large one.
        let nearest = 16_367_173.0 * 2f32.powi(72);
        assert_eq!(cos(nearest), libm::cos(f64::from(nearest)) as f32);
        assert_eq!(sin(f32::MAX), libm::sin(f64::from(f32::MAX)) as f32);
    }
}
