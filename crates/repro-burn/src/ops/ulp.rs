//! Functions on the host, and their error against a f64 reference.

use super::Real;
use super::fma::Fused;

/// A function written over `Number`, on the host.
pub fn host(f: impl Fn(Real<Fused>) -> Real<Fused>) -> impl Fn(f32) -> f32 {
    move |x| f(x.into()).get()
}

/// A function of two numbers written over `Number`, on the host.
pub fn host_binary(f: impl Fn(Real<Fused>, Real<Fused>) -> Real<Fused>) -> impl Fn(f32, f32) -> f32 {
    move |x, y| f(x.into(), y.into()).get()
}

/// The error of `got` in units of the last place of `want` rounded to f32; infinite if one is NaN and the other not, or
/// they are zeros or infinities of different sign.
pub fn error(got: f32, want: f64) -> f64 {
    let rounded = want as f32;
    if got.is_nan() || want.is_nan() {
        return if got.is_nan() && want.is_nan() { 0.0 } else { f64::INFINITY };
    }
    if got.is_sign_negative() != rounded.is_sign_negative() && (got == rounded || got.is_infinite()) {
        return f64::INFINITY;
    }
    if rounded.is_infinite() || got.is_infinite() {
        // One step beyond the largest number is one unit.
        return f64::from(rounded.to_bits().abs_diff(got.to_bits()));
    }
    (f64::from(got) - want).abs() / spacing(rounded)
}

/// The distance to the next larger magnitude.
fn spacing(x: f32) -> f64 {
    let exponent = (x.to_bits() >> 23 & 0xff).max(1);
    f64::from_bits(u64::from(exponent + 1023 - 150) << 52)
}
