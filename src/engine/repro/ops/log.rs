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

use super::Fma;

const LN_2: f32 = f32::from_bits(0x3f31_7218);
const TWO_THIRDS: i32 = 0x3f2a_aaab;
const EXPONENT: i32 = 0xff80_0000u32 as i32;
const UNIT: f32 = 1.192_092_9e-7; // 2⁻²³

/// ln x.
#[inline(always)]
pub fn log<F: Fma>(x: f32) -> f32 {
    let subnormal = x < f32::MIN_POSITIVE;
    let scaled = if subnormal { x * 8_388_608.0 } else { x };
    let start = if subnormal { -23.0 } else { 0.0 };
    let bits = scaled.to_bits() as i32;
    let exponent = bits.wrapping_sub(TWO_THIRDS) & EXPONENT;
    let m = f32::from_bits(bits.wrapping_sub(exponent) as u32);
    let i = F::fma(exponent as f32, UNIT, start);
    let r = F::fma(i, LN_2, log1p_polynomial::<F>(m - 1.0));
    let r = if x < f32::INFINITY { r } else { x };
    let r = if x < 0.0 { f32::NAN } else { r };
    if x == 0.0 { f32::NEG_INFINITY } else { r }
}

/// ln (1 + x).
#[inline(always)]
pub fn log1p<F: Fma>(x: f32) -> f32 {
    let u = 1.0 + x;
    let exponent = (u.to_bits() as i32).wrapping_sub(TWO_THIRDS) & EXPONENT;
    let m = f32::from_bits((x.to_bits() as i32).wrapping_sub(exponent) as u32);
    let h = f32::from_bits(4f32.to_bits().wrapping_sub(exponent as u32));
    let f = m + F::fma(0.25, h, -1.0);
    let i = exponent as f32 * UNIT;
    let r = F::fma(i, LN_2, log1p_polynomial::<F>(f));
    let r = if u < f32::INFINITY { r } else { x };
    let r = if x < -1.0 { f32::NAN } else { r };
    let r = if x == -1.0 { f32::NEG_INFINITY } else { r };
    // A zero keeps its sign; the sum in the last step would lose it.
    if x == 0.0 { x } else { r }
}

/// ln (1 + f) for f in [−1/3, 1/3].
#[inline(always)]
fn log1p_polynomial<F: Fma>(f: f32) -> f32 {
    let s = f * f;
    let r = F::fma(f32::from_bits(0xbe03_e279), s, f32::from_bits(0xbdf9_993e)); // −1.28793612e-1, −1.21874318e-1
    let t = F::fma(f32::from_bits(0x3e0f_368b), s, f32::from_bits(0x3e0f_6aad)); // 1.39856502e-1, 1.40055373e-1
    let r = F::fma(r, s, f32::from_bits(0xbe2a_ce34)); // −1.66802227e-1
    let t = F::fma(t, s, f32::from_bits(0x3e4c_e828)); // 2.00104356e-1
    let r = F::fma(r, s, f32::from_bits(0xbe7f_ff7d)); // −2.49998048e-1
    let r = F::fma(t, f, r);
    let r = F::fma(r, f, f32::from_bits(0x3eaa_aa83)); // 3.33332151e-1
    let r = F::fma(r, f, -0.5);
    F::fma(r, s, f)
}

#[cfg(test)]
mod tests {
    use super::super::fma::Fused;
    use super::super::ulp;
    use super::*;

    #[test]
    fn the_error_of_log_is_below_its_documented_bound() {
        let (error, at) = ulp::worst(log::<Fused>, libm::log, 1009);
        assert!(error <= 0.94, "{error} at {at:e}");
    }

    #[test]
    fn the_error_of_log1p_is_below_its_documented_bound() {
        let (error, at) = ulp::worst(log1p::<Fused>, libm::log1p, 1009);
        assert!(error <= 1.55, "{error} at {at:e}");
    }

    #[test]
    fn special_values_are_those_documented() {
        assert_eq!(log::<Fused>(1.0).to_bits(), 0);
        assert_eq!(log::<Fused>(0.0), f32::NEG_INFINITY);
        assert_eq!(log::<Fused>(-0.0), f32::NEG_INFINITY);
        assert_eq!(log::<Fused>(f32::INFINITY), f32::INFINITY);
        assert!(log::<Fused>(-1e-45).is_nan() && log::<Fused>(f32::NAN).is_nan());
        assert_eq!(log1p::<Fused>(-0.0).to_bits(), (-0f32).to_bits());
        assert_eq!(log1p::<Fused>(-1.0), f32::NEG_INFINITY);
        assert_eq!(log1p::<Fused>(f32::MAX), 88.722_84);
        assert_eq!(log1p::<Fused>(f32::INFINITY), f32::INFINITY);
        assert!(log1p::<Fused>(-1.000_000_1).is_nan() && log1p::<Fused>(f32::NAN).is_nan());
    }
}
