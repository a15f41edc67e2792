//! asinh x, acosh x and atanh x in f32; at most 0.8 ULP.
//!
//! Each is ln (1 + w) of a w > 0 by [`log_double`](super::log::log_double) of w + 1, its two parts added; a = |x|. The
//! operations on w are those of [`Double`], `sum`, `product`, `plus`, `over` and `sqrt`, in the order written.
//!
//! - **asinh x**: p = the product a·a; s = √(p + 1); w = p / (s + 1) + a. For a ≥ 4096 instead ln a + ln 2, 1/(4a²) less.
//!   For a < 2⁻¹²: x itself. The sign of x is put back.
//! - **acosh x**: t = x − 1, exact; w = √(t·t + 2t) + t, from the product t·t. For x ≥ 4096 instead ln x + ln 2. +0 for x =
//!   1, NaN for x < 1.
//! - **atanh x**: w = 2a / (1 − a), 1 − a as an exact sum; half the logarithm of w + 1, with the sign of x. For a < 2⁻¹²:
//!   x itself; ±∞ for a = 1, NaN for a > 1.
//!
//! asinh(±∞) = ±∞, acosh(+∞) = +∞.

use super::double::Double;
use super::log::log_double;
use super::number::Number;

/// From here on x² + 1 and x² − 1 are as good as x².
const LARGE: f32 = 4096.0;
/// Below, x³/6 and x³/3 are less than half a unit of x.
const SMALL: f32 = 2.441_406_2e-4; // 2⁻¹²

/// Inverse hyperbolic sine.
#[inline(always)]
pub fn asinh<N: Number>(x: N) -> N {
    let a = x.abs();
    let squared = Double::product(a, a);
    let quotient = squared.over(squared.plus(1.0.into()).sqrt().plus(1.0.into()));
    let value = log1p_or_double(quotient.plus(a), a).copysign(x);
    N::select(a.less(SMALL.into()), x, value)
}

/// Inverse hyperbolic cosine.
#[inline(always)]
pub fn acosh<N: Number>(x: N) -> N {
    let t = x - 1.0.into();
    let root = Double::product(t, t).plus(t + t).sqrt();
    let value = log1p_or_double(root.plus(t), x);
    let value = N::select(x.equal(1.0.into()), 0.0.into(), value);
    N::select(x.less(1.0.into()), f32::NAN.into(), value)
}

/// Inverse hyperbolic tangent.
#[inline(always)]
pub fn atanh<N: Number>(x: N) -> N {
    let (one, a) = (N::from(1.0), x.abs());
    let w = Double { high: a + a, low: 0.0.into() }.over(Double::sum(one, -a));
    let value = log_double(w.plus(one), 0.0.into()).rounded() * 0.5.into();
    let value = N::select(a.equal(one), f32::INFINITY.into(), value);
    let value = N::select(a.greater(one), f32::NAN.into(), value);
    N::select(a.less(SMALL.into()), x, value.copysign(x))
}

/// ln (1 + w), or ln 2a for large a.
#[inline(always)]
fn log1p_or_double<N: Number>(w: Double<N>, a: N) -> N {
    let large = a.greater_equal(LARGE.into());
    let u = w.plus(1.0.into());
    let u = Double { high: N::select(large, a, u.high), low: N::select(large, 0.0.into(), u.low) };
    let value = log_double(u, N::select(large, 1.0.into(), 0.0.into())).rounded();
    N::select(a.less(f32::INFINITY.into()), value, a)
}

#[cfg(test)]
mod tests {
    use super::super::ulp;
    use super::*;

    #[test]
    fn special_values_are_those_documented() {
        let asinh = ulp::host(asinh);
        let acosh = ulp::host(acosh);
        let atanh = ulp::host(atanh);
        for x in [0.0, -0.0, 1e-45, -1e-45, f32::INFINITY, f32::NEG_INFINITY] {
            assert_eq!(asinh(x).to_bits(), x.to_bits());
        }
        for x in [0.0, -0.0, 1e-45, -1e-45] {
            assert_eq!(atanh(x).to_bits(), x.to_bits());
        }
        assert_eq!([asinh(f32::MAX), acosh(f32::MAX), acosh(f32::INFINITY)], [89.415_985, 89.415_985, f32::INFINITY]);
        assert_eq!(acosh(1.0).to_bits(), 0);
        assert_eq!([atanh(1.0), atanh(-1.0)], [f32::INFINITY, f32::NEG_INFINITY]);
        assert!(asinh(f32::NAN).is_nan() && acosh(f32::NAN).is_nan() && atanh(f32::NAN).is_nan());
        for x in [1f32.next_down(), 0.0, -1.0, -2.0, f32::NEG_INFINITY] {
            assert!(acosh(x).is_nan(), "{x}");
        }
        for x in [1f32.next_up(), -1f32.next_up(), f32::INFINITY, f32::NEG_INFINITY] {
            assert!(atanh(x).is_nan(), "{x}");
        }
    }
}
