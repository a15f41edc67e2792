//! Rounding an f32 to the nearest number of a 16-bit format, ties to even.
//!
//! The result is again an f32, which holds every f16 and every bf16 exactly.

use super::number::{Integer, Number};

/// The bf16 nearest to `x`: 8 bits of exponent as f32, 8 of significand. NaN stays NaN.
#[inline(always)]
pub fn bf16<N: Number>(x: N) -> N {
    let bits = x.to_bits();
    let kept = N::Integer::from(0xffff_0000u32 as i32);
    // Just below half of the last kept bit, and the rest of it if that bit is odd; a carry runs into the exponent, up
    // to infinity.
    let odd = bits.shift_right_logical(16.into()) & 1.into();
    let rounded = bits + 0x7fff.into() + odd;
    // A NaN whose payload is in the bits that fall away must not become infinity.
    N::from_bits(N::Integer::select(x.is_nan(), bits | QUIET.into(), rounded) & kept)
}

/// The f16 nearest to `x`: from 2⁻²⁴, its smallest subnormal, to 65504; beyond that, from 65520 on, infinity. NaN stays
/// NaN.
#[inline(always)]
pub fn f16<N: Number>(x: N) -> N {
    let a = x.abs();
    let bits = a.to_bits();
    let odd = bits.shift_right_logical(13.into()) & 1.into();
    let rounded = N::from_bits((bits + 0x0fff.into() + odd) & (!0x1fff).into());
    let rounded = N::select(rounded.greater(LARGEST.into()), f32::INFINITY.into(), rounded);
    // Multiples of 2⁻²⁴: the distance of the f32 from 1/2 to 1.
    let half = N::from(0.5);
    let small = (a + half) - half;
    let number = N::select(a.less(SMALLEST_NORMAL.into()), small, rounded);
    let nan = N::from_bits((bits | QUIET.into()) & (!0x1fff).into());
    N::select(x.is_nan(), nan, number).copysign(x)
}

/// The bit that makes a NaN quiet.
const QUIET: i32 = 0x0040_0000;
/// 2⁻¹⁴, the smallest normal f16.
const SMALLEST_NORMAL: f32 = 6.103_515_6e-5;
/// The largest f16.
const LARGEST: f32 = 65504.0;

#[cfg(test)]
mod tests {
    use super::super::ulp;
    use super::*;

    /// Every f32 near a boundary of the formats, and a grid over all of them.
    fn inputs() -> impl Iterator<Item = f32> {
        let near = |bits: u32| (0..4).flat_map(move |d| [bits.wrapping_add(d), bits.wrapping_sub(d)]);
        let boundaries = (0..=u16::MAX)
            .flat_map(move |high| near(u32::from(high) << 16).chain(near(u32::from(high) << 16 | 0x8000)));
        let halves = (0..=u16::MAX).flat_map(move |h| {
            let value = burn_backend::f16::from_bits(h).to_f32().to_bits();
            near(value).chain(near(value.wrapping_add(0x1000)))
        });
        let grid = (0..=u32::MAX).step_by(1009);
        boundaries.chain(halves).chain(grid).map(f32::from_bits)
    }

    fn assert_equal(name: &str, x: f32, got: f32, expected: f32) {
        let same = got.to_bits() == expected.to_bits() || got.is_nan() && expected.is_nan();
        assert!(same, "{name}({x:e} = {:08x}): expected {expected:e}, got {got:e}", x.to_bits());
    }

    #[test]
    fn every_kind_of_number_is_rounded_as_ieee_754_says() {
        let (f16, bf16) = (ulp::host(f16), ulp::host(bf16));
        for x in inputs() {
            assert_equal("bf16", x, bf16(x), burn_backend::bf16::from_f32(x).to_f32());
            assert_equal("f16", x, f16(x), burn_backend::f16::from_f32(x).to_f32());
        }
    }

    #[test]
    fn the_ends_of_the_formats_are_where_they_should_be() {
        let (f16, bf16) = (ulp::host(f16), ulp::host(bf16));
        for (x, expected) in [(65519.0, 65504.0), (65520.0, f32::INFINITY), (-7e4, f32::NEG_INFINITY)] {
            assert_eq!(f16(x), expected);
        }
        assert_eq!(f16(2f32.powi(-25)).to_bits(), 0, "a tie, to even");
        assert_eq!(f16(-(2f32.powi(-25).next_up())), -(2f32.powi(-24)));
        assert_eq!(f16(-0.0).to_bits(), (-0.0f32).to_bits());
        assert_eq!(bf16(f32::MAX), f32::INFINITY);
        assert!(bf16(f32::from_bits(0x7f80_0001)).is_nan() && f16(f32::from_bits(0x7f80_0001)).is_nan());
    }
}
