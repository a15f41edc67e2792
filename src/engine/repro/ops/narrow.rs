//! Rounding an f32 to the nearest number of a 16-bit format, ties to even, by integer operations alone.
//!
//! The result is again an f32, which holds every f16 and every bf16 exactly.

/// The bf16 nearest to `x`: 8 bits of exponent as f32, 8 of significand. NaN stays NaN.
#[inline(always)]
pub fn bf16(x: f32) -> f32 {
    let bits = x.to_bits();
    // Just below half of the last kept bit, and the rest of it if that bit is odd; a carry runs into the exponent, up
    // to infinity.
    let rounded = bits.wrapping_add(0x7fff + (bits >> 16 & 1)) & 0xffff_0000;
    // A NaN whose payload is in the bits that fall away must not become infinity.
    f32::from_bits(if x.is_nan() { (bits | 0x0040_0000) & 0xffff_0000 } else { rounded })
}

/// The f16 nearest to `x`: from 2⁻²⁴, its smallest subnormal, to 65504; beyond that, from 65520 on, infinity. NaN stays
/// NaN.
#[inline(always)]
pub fn f16(x: f32) -> f32 {
    let bits = x.to_bits();
    let (sign, magnitude) = (bits & 0x8000_0000, bits & 0x7fff_ffff);
    let rounded = if magnitude >= SMALLEST_NORMAL {
        let rounded = (magnitude + (0x0fff + (magnitude >> 13 & 1))) & !0x1fff;
        if rounded > LARGEST { INFINITY } else { rounded }
    } else {
        // Multiples of 2⁻²⁴: as many of the significand's bits fall away as the exponent lies below −1; of a number
        // below 2⁻²⁵ all of them and more.
        let exponent = magnitude >> 23;
        let cut = (126 - exponent).min(25);
        let significand = magnitude & 0x007f_ffff | 0x0080_0000;
        let half_below = (1 << (cut - 1)) - 1;
        let count = (significand + half_below + (significand >> cut & 1)) >> cut;
        // An f32 has room for every count of 2⁻²⁴ without rounding.
        let scaled = count as f32 * QUANTUM;
        scaled.to_bits()
    };
    f32::from_bits(sign | if magnitude > INFINITY { (magnitude | 0x0040_0000) & !0x1fff } else { rounded })
}

/// Bits of 2⁻¹⁴, the smallest normal f16.
const SMALLEST_NORMAL: u32 = (127 - 14) << 23;
/// Bits of 65504, the largest f16.
const LARGEST: u32 = 0x477f_e000;
/// Bits of +∞.
const INFINITY: u32 = 0x7f80_0000;
/// 2⁻²⁴.
const QUANTUM: f32 = 5.960_464_5e-8;

#[cfg(test)]
mod tests {
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
        for x in inputs() {
            assert_equal("bf16", x, bf16(x), burn_backend::bf16::from_f32(x).to_f32());
            assert_equal("f16", x, f16(x), burn_backend::f16::from_f32(x).to_f32());
        }
    }

    #[test]
    fn the_ends_of_the_formats_are_where_they_should_be() {
        for (x, expected) in [(65519.0, 65504.0), (65520.0, f32::INFINITY), (-7e4, f32::NEG_INFINITY)] {
            assert_eq!(f16(x), expected);
        }
        assert_eq!(f16(2f32.powi(-25)).to_bits(), 0, "a tie, to even");
        assert_eq!(f16(-(2f32.powi(-25).next_up())), -QUANTUM);
        assert_eq!(f16(-0.0).to_bits(), (-0.0f32).to_bits());
        assert_eq!(bf16(f32::MAX), f32::INFINITY);
        assert!(bf16(f32::from_bits(0x7f80_0001)).is_nan() && f16(f32::from_bits(0x7f80_0001)).is_nan());
    }
}
