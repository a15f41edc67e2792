//! ln x and ln (1 + x) in f32 from add, mul, fma and integer operations; at most 1 ULP each.
//!
//! x = 2ᵉ m with m in [2/3, 4/3) and a polynomial for ln (1 + f), f = m − 1. Coefficients: N. Juffa's `logf`, Stack
//! Overflow 39821367; the reduction of `log1p` is that of CUDA's `log1pf` as he describes it there. Steps for `log`:
//!
//! 1. A subnormal x is multiplied by 2²³ first, and i starts at −23 instead of 0.
//! 2. e = (bits(x) − bits(2/3)) with the low 23 bits cleared, as i32; m = float(bits(x) − e); i = fma(e, 2⁻²³, i).
//! 3. f = m − 1; s = f · f; the polynomial below; result = fma(i, ln 2, polynomial).
//!
//! For `log1p`: u = 1 + x; e from u as in 2; m = float(bits(x) − e) scaled exactly, h = float(bits(4) − e);
//! f = m + fma(1/4, h, −1); i = e · 2⁻²³; then 3.
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
    let r = F::fma(f32::from_bits(0xbe05_7000), s, f32::from_bits(0xbdf8_cc59)); // −0.130310059, −0.121483512
    let t = F::fma(f32::from_bits(0x3e10_4000), s, f32::from_bits(0x3e0f_2ba0)); // 0.140869141, 0.139814854
    let r = F::fma(r, s, f32::from_bits(0xbe2a_d9b6)); // −0.166846126
    let t = F::fma(t, s, f32::from_bits(0x3e4c_ec59)); // 0.200120345
    let r = F::fma(r, s, f32::from_bits(0xbe7f_ff01)); // −0.249996200
    let r = F::fma(t, f, r);
    let r = F::fma(r, f, f32::from_bits(0x3eaa_aa7d)); // 0.333331972
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
        assert!(error <= 0.9, "{error} at {at:e}");
    }

    #[test]
    fn the_error_of_log1p_is_below_its_documented_bound() {
        let (error, at) = ulp::worst(log1p::<Fused>, libm::log1p, 1009);
        assert!(error <= 1.0, "{error} at {at:e}");
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
