//! xʸ in f32; at most 0.8 ULP.
//!
//! e^(y ln |x|): (h, l) = ln |x| by [`log_double`](super::log::log_double), a subnormal x multiplied by 2²⁴ first and
//! i₀ = −24; c = y brought into [−2³⁴, 2³⁴], beyond which the result is 0, 1 or ∞ anyway; p = c·h, p′ = fma(c, l,
//! fma(c, h, −p)); if p lies outside [−104, 89] it is replaced by that bound and p′ by 0; (a + b)·2ⁿ = e^(p + p′) by
//! [`exp_double`](super::exp::exp_double); the magnitude is ((a + b)·2^⌊n/2⌋)·2^(n − ⌊n/2⌋).
//!
//! Special values are those of C99: 1 if x = 1 or y = 0, even if the other one is NaN; else NaN if one is. For x = ±0
//! and ±∞ the magnitude is 0 or ∞ by the signs of ln |x| and y. The result is negative if x is (−0 too) and y is an
//! odd integer; NaN if x < 0 is finite and y is finite and no integer. (−1)^±∞ = 1.

use super::double::Double;
use super::exp::{exp_double, scaled};
use super::log::log_double;
use super::number::{Integer, Number};
use super::round::round;

/// `x` to the power of `y`.
#[inline(always)]
pub fn pow<N: Number>(x: N, y: N) -> N {
    let (zero, one, infinity) = (N::from(0.0), N::from(1.0), N::from(f32::INFINITY));
    let a = x.abs();
    let subnormal = a.less(f32::MIN_POSITIVE.into());
    let normal = N::select(subnormal, a * 16_777_216.0.into(), a);
    let start = N::select(subnormal, (-24.0).into(), zero);
    let log = log_double(Double { high: normal, low: zero }, start);
    let c = bounded(y, -17_179_869_184.0, 17_179_869_184.0);
    let product = Double::product(c, log.high);
    let high = bounded(product.high, -104.0, 89.0);
    let low = N::select(high.equal(product.high), c.fma(log.low, product.low), zero);
    let (value, n) = exp_double(Double { high, low });
    let value = scaled(value.rounded(), n);

    let vanishing = a.equal(zero);
    let extreme = vanishing | a.equal(infinity);
    let value =
        N::select(extreme, N::select((vanishing & !y.less(zero)) | (y.less(zero) & !vanishing), zero, infinity), value);
    let magnitude = y.abs();
    let whole = round(magnitude).equal(magnitude);
    let half = magnitude * 0.5.into();
    let odd = whole & !round(half).equal(half);
    let negative = x.to_bits().less(0.into());
    let value = N::select(negative & odd, -value, value);
    let value = N::select(negative & !whole & !extreme, f32::NAN.into(), value);
    let value = N::select(x.is_nan() | y.is_nan(), f32::NAN.into(), value);
    N::select(x.equal(one) | y.equal(zero), one, value)
}

/// `x` brought into an interval; NaN stays.
#[inline(always)]
fn bounded<N: Number>(x: N, least: f32, most: f32) -> N {
    let x = N::select(x.less(least.into()), least.into(), x);
    N::select(x.greater(most.into()), most.into(), x)
}

#[cfg(test)]
mod tests {
    use super::super::ulp;
    use super::*;

    #[test]
    fn special_values_are_those_documented() {
        let pow = ulp::host_binary(pow);
        let (infinity, nan) = (f32::INFINITY, f32::NAN);
        for (x, y, power) in [
            (nan, 0.0, 1.0),
            (nan, -0.0, 1.0),
            (1.0, nan, 1.0),
            (1.0, infinity, 1.0),
            (-1.0, infinity, 1.0),
            (-1.0, -infinity, 1.0),
            (0.0, 3.0, 0.0),
            (-0.0, 3.0, -0.0),
            (-0.0, 2.0, 0.0),
            (-0.0, 0.5, 0.0),
            (-0.0, -3.0, -infinity),
            (-0.0, -2.0, infinity),
            (-0.0, -0.5, infinity),
            (0.0, infinity, 0.0),
            (-0.0, -infinity, infinity),
            (-infinity, 3.0, -infinity),
            (-infinity, 2.5, infinity),
            (-infinity, -3.0, -0.0),
            (-infinity, -2.0, 0.0),
            (0.5, infinity, 0.0),
            (-0.5, -infinity, infinity),
            (2.0, infinity, infinity),
            (-2.0, -infinity, 0.0),
            (-2.0, 3.0, -8.0),
            (-2.0, 16_777_216.0, infinity),
            (-1.0, 16_777_215.0, -1.0),
            (-1.0, 16_777_216.0, 1.0),
            (2.0, -149.0, 1e-45),
            (2.0, -150.0, 0.0),
            (2.0, 127.0, 1.701_411_8e38),
            (10.0, 2.0, 100.0),
            (9.0, 0.5, 3.0),
        ] {
            assert_eq!(pow(x, y).to_bits(), power.to_bits(), "{x} to the power of {y} is {}", pow(x, y));
        }
        assert!(pow(-2.0, 0.5).is_nan() && pow(-8_388_607.5, 8_388_607.5).is_nan());
        assert!(pow(nan, 1.0).is_nan() && pow(2.0, nan).is_nan() && pow(-1.0, nan).is_nan());
    }
}
