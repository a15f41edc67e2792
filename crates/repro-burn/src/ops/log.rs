//! ln x and ln (1 + x) in f32 from add, mul, fma and integer operations; at most 1 and 1.6 ULP.
//!
//! x = 2ᵉ m with m in [2/3, 4/3) and f = m − 1; ln (1 + f) = f − f²/2 + f³ q(f), where q is the minimax polynomial of
//! degree 7 for the relative error (by Lawson's algorithm), its coefficients rounded to f32 from the lowest up with
//! the rest refitted each time (approximation error 4.7e-9). Steps of `log`, each rounded once:
//!
//! 1. A subnormal x is multiplied by 2²³ first, and i starts at −23 instead of 0.
//! 2. e = (bits(x) − bits(2/3)) with the low 23 bits cleared, as i32; m = float(bits(x) − e); i = fma(e, 2⁻²³, i).
//! 3. f = m − 1; s = f · f; a = Horner over `EVEN` at s, b = Horner over `ODD` at s, both below; c = fma(fma(fma(b, f, a),
//!    f, 3.33332151e-1), f, −1/2); result = fma(i, ln 2, fma(c, s, f)).
//!
//! For `log1p`: u = 1 + x; e from u as in 2; m = float(bits(x) − e) scaled exactly, h = float(bits(4) − e); f = m +
//! fma(1/4, h, −1); i = e · 2⁻²³; then 3.
//!
//! log(±0) = −∞, log(x < 0) = NaN, log(+∞) = +∞; log1p(−1) = −∞, log1p(x < −1) = NaN, log1p(±0) = ±0.
//!
//! For functions that need more than 24 bits, [`log_double`] takes u = h + l, normal and positive, and a number i₀,
//! and gives ln u + i₀ ln 2 as a pair, to about 2⁻³⁷ of itself where i₀ = 0. With e as in 2 but for √½ instead of 2/3,
//! m = float(bits(h) − e) and i = fma(e, 2⁻²³, i₀): (f, f′) = the exact sum of m − 1 and l · float(max(bits(1) − e,
//! 0)); d = the exact sum of 2 and f, with f′ added to its low part; (q, q′) = (f, f′) / d, so that ln u = i ln 2 + 2
//! atanh q. Then s = q·q, s′ = fma(q + q, q′, fma(q, q, −s)); c = the ordered sum of 1/3 and s·p(s), with 1/3's own
//! low part added to its low part; (v, v′) = (s, s′) · (q, q′) · c; (a, b) = the ordered sum of q and v; b = b + (q′ +
//! v′); and the result is the ordered sum of i·0.693145752 and 2a, with fma(i, 1.42860677e-6, 2b) added to its low
//! part, summed once more. p is minimax for the relative error of the whole, of degree 3 (approximation error
//! 7.1e-14). [`Double`] says what its operations are.

use super::double::Double;
use super::number::{Integer, Number};
use super::polynomial::horner;

const LN_2: f32 = f32::from_bits(0x3f31_7218);
const TWO_THIRDS: i32 = 0x3f2a_aaab;
const EXPONENT: i32 = 0xff80_0000u32 as i32;
const UNIT: f32 = 1.192_092_9e-7; // 2⁻²³
const SQRT_HALF: i32 = 0x3f35_04f3;
const LN_2_HIGH: f32 = f32::from_bits(0x3f31_7200); // 6.93145752e-1, of 15 bits
const LN_2_LOW: f32 = f32::from_bits(0x35bf_be8e); // 1.42860677e-6
const THIRD_HIGH: f32 = f32::from_bits(0x3eaa_aaab); // 3.33333343e-1
const THIRD_LOW: f32 = f32::from_bits(0xb22a_aaab); // −9.93410776e-9
/// (atanh q / q − 1 − s/3) / s², from the highest power of s = q² down.
const ATANH: [f32; 4] = [
    f32::from_bits(0x3dc8_41fd), // 9.77821127e-2
    f32::from_bits(0x3de3_1ed4), // 1.10898644e-1
    f32::from_bits(0x3e12_49db), // 1.42859861e-1
    f32::from_bits(0x3e4c_cccc), // 1.99999988e-1
];
/// Coefficients of f⁸, f⁶, f⁴ and f² in q·f − 1/2, from the highest power down.
const EVEN: [f32; 4] = [
    f32::from_bits(0xbe03_e279), // −1.28793612e-1
    f32::from_bits(0xbdf9_993e), // −1.21874318e-1
    f32::from_bits(0xbe2a_ce34), // −1.66802227e-1
    f32::from_bits(0xbe7f_ff7d), // −2.49998048e-1
];
/// Coefficients of f⁷, f⁵ and f³ there.
const ODD: [f32; 3] = [
    f32::from_bits(0x3e0f_368b), // 1.39856502e-1
    f32::from_bits(0x3e0f_6aad), // 1.40055373e-1
    f32::from_bits(0x3e4c_e828), // 2.00104356e-1
];

/// ln x.
#[inline(always)]
pub fn log<N: Number>(x: N) -> N {
    let subnormal = x.less(f32::MIN_POSITIVE.into());
    let scaled = N::select(subnormal, x * 8_388_608.0.into(), x);
    let start = N::select(subnormal, (-23.0).into(), 0.0.into());
    let bits = scaled.to_bits();
    let exponent = (bits - TWO_THIRDS.into()) & EXPONENT.into();
    let m = N::from_bits(bits - exponent);
    let i = N::from_integer(exponent).fma(UNIT.into(), start);
    let r = i.fma(LN_2.into(), log1p_polynomial(m - 1.0.into()));
    let r = N::select(x.less(f32::INFINITY.into()), r, x);
    let r = N::select(x.less(0.0.into()), f32::NAN.into(), r);
    N::select(x.equal(0.0.into()), f32::NEG_INFINITY.into(), r)
}

/// ln (1 + x).
#[inline(always)]
pub fn log1p<N: Number>(x: N) -> N {
    let u = N::from(1.0) + x;
    let exponent = (u.to_bits() - TWO_THIRDS.into()) & EXPONENT.into();
    let m = N::from_bits(x.to_bits() - exponent);
    let h = N::from_bits(N::Integer::from(4f32.to_bits() as i32) - exponent);
    let f = m + h.fma(0.25.into(), (-1.0).into());
    let i = N::from_integer(exponent) * UNIT.into();
    let r = i.fma(LN_2.into(), log1p_polynomial(f));
    let r = N::select(u.less(f32::INFINITY.into()), r, x);
    let r = N::select(x.less((-1.0).into()), f32::NAN.into(), r);
    let r = N::select(x.equal((-1.0).into()), f32::NEG_INFINITY.into(), r);
    // A zero keeps its sign; the sum in the last step would lose it.
    N::select(x.equal(0.0.into()), x, r)
}

/// ln u + start · ln 2 for normal u > 0 and a whole number `start`, as a pair.
#[inline(always)]
pub fn log_double<N: Number>(u: Double<N>, start: N) -> Double<N> {
    let bits = u.high.to_bits();
    let exponent = (bits - N::Integer::from(SQRT_HALF)) & N::Integer::from(EXPONENT);
    let m = N::from_bits(bits - exponent);
    let i = N::from_integer(exponent).fma(UNIT.into(), start);
    // 2⁻ⁱ; for i = 128 that is not a normal number, and the low part is 0.
    let scale = N::Integer::from(1f32.to_bits() as i32) - exponent;
    let scale = N::from_bits(N::Integer::select(scale.less(0.into()), 0.into(), scale));
    let f = Double::sum(m - 1.0.into(), u.low * scale);
    let Double { high, low } = Double::sum(2.0.into(), f.high);
    let q = f.over(Double { high, low: low + f.low });
    let s = q.high * q.high;
    let square = Double { high: s, low: (q.high + q.high).fma(q.low, q.high.fma(q.high, -s)) };
    let Double { high, low } = Double::ordered_sum(THIRD_HIGH.into(), s * horner(&ATANH, s));
    let beyond = square.times(q).times(Double { high, low: low + THIRD_LOW.into() });
    let Double { high: a, low: b } = Double::ordered_sum(q.high, beyond.high);
    let b = b + (q.low + beyond.low);
    let Double { high, low } = Double::ordered_sum(i * LN_2_HIGH.into(), a + a);
    Double::ordered_sum(high, low + i.fma(LN_2_LOW.into(), b + b))
}

/// ln (1 + f) for f in [−1/3, 1/3].
#[inline(always)]
fn log1p_polynomial<N: Number>(f: N) -> N {
    let s = f * f;
    let r = horner(&EVEN, s);
    let t = horner(&ODD, s);
    let r = t.fma(f, r);
    let r = r.fma(f, f32::from_bits(0x3eaa_aa83).into()); // 3.33332151e-1
    let r = r.fma(f, (-0.5).into());
    r.fma(s, f)
}

#[cfg(test)]
mod tests {
    use super::super::ulp;
    use super::*;

    #[test]
    fn special_values_are_those_documented() {
        let log = ulp::host(log);
        let log1p = ulp::host(log1p);
        assert_eq!(log(1.0).to_bits(), 0);
        assert_eq!(log(0.0), f32::NEG_INFINITY);
        assert_eq!(log(-0.0), f32::NEG_INFINITY);
        assert_eq!(log(f32::INFINITY), f32::INFINITY);
        assert!(log(-1e-45).is_nan() && log(f32::NAN).is_nan());
        assert_eq!(log1p(-0.0).to_bits(), (-0f32).to_bits());
        assert_eq!(log1p(-1.0), f32::NEG_INFINITY);
        assert_eq!(log1p(f32::MAX), 88.722_84);
        assert_eq!(log1p(f32::INFINITY), f32::INFINITY);
        assert!(log1p(-1.000_000_1).is_nan() && log1p(f32::NAN).is_nan());
    }
}
