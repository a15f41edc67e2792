//! ln x and ln (1 + x) in f32 from add, mul, fma and integer operations; at most 1 and 1.6 ULP.
//!
//! x = 2ᵉ m with m in [2/3, 4/3) and f = m − 1; ln (1 + f) = f − f²/2 + f³ q(f), where q is the minimax polynomial of
//! degree 7 for the relative error (by Lawson's algorithm), its coefficients rounded to f32 from the lowest up with
//! the rest refitted each time (approximation error 4.7e-9). Steps of `log`, each rounded once:
//!
//! 1. A subnormal x is multiplied by 2²³ first, and i starts at −23 instead of 0.
//! 2. e = (bits(x) − bits(2/3)) with the low 23 bits cleared, as i32; m = float(bits(x) − e); i = fma(e, 2⁻²³, i).
//! 3. f = m − 1; s = f · f; the polynomial below; result = fma(i, ln 2, polynomial).
//!
//! For `log1p`: u = 1 + x; e from u as in 2; m = float(bits(x) − e) scaled exactly, h = float(bits(4) − e); f = m +
//! fma(1/4, h, −1); i = e · 2⁻²³; then 3.
//!
//! log(±0) = −∞, log(x < 0) = NaN, log(+∞) = +∞; log1p(−1) = −∞, log1p(x < −1) = NaN, log1p(±0) = ±0.

use super::number::Number;
use super::polynomial::horner;

const LN_2: f32 = f32::from_bits(0x3f31_7218);
const TWO_THIRDS: i32 = 0x3f2a_aaab;
const EXPONENT: i32 = 0xff80_0000u32 as i32;
const UNIT: f32 = 1.192_092_9e-7; // 2⁻²³
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
    fn the_error_of_log_is_below_its_documented_bound() {
        let (error, at) = ulp::worst(log, libm::log, 1009);
        assert!(error <= 0.94, "{error} at {at:e}");
    }

    #[test]
    fn the_error_of_log1p_is_below_its_documented_bound() {
        let (error, at) = ulp::worst(log1p, libm::log1p, 1009);
        assert!(error <= 1.55, "{error} at {at:e}");
    }

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
