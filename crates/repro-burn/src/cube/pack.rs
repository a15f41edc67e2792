//! Rounding of an exact value to a f32 by integers: the end of every operation that a device does not round correctly.

use cubecl::prelude::*;

/// 2²³, the implicit leading bit of a significand.
const LEADING: u32 = 0x0080_0000u32;

/// The significand of a finite number that is not 0, shifted so that its leading bit is bit 23.
#[cube]
pub fn significand(bits: u32) -> u32 {
    let fraction = bits & 0x007f_ffffu32;
    let subnormal = fraction << (u32::leading_zeros(fraction) - 8u32);
    select((bits & 0x7f80_0000u32) == 0u32, subnormal, fraction | LEADING)
}

/// The exponent e of a finite number that is not 0: its magnitude is its [`significand`] · 2ᵉ.
#[cube]
pub fn exponent(bits: u32) -> i32 {
    let biased = i32::cast_from((bits >> 23u32) & 0xffu32);
    let subnormal = 9 - i32::cast_from(u32::leading_zeros(bits & 0x007f_ffffu32));
    select(biased == 0, subnormal, biased) - 150
}

/// Leading zeros of a number that is not 0.
#[cube]
pub fn leading_zeros(x: u64) -> u32 {
    let high = u32::cast_from(x >> 32u64);
    let low = u32::cast_from(x & 0xffff_ffffu64);
    select(high == 0u32, 32u32 + u32::leading_zeros(low), u32::leading_zeros(high))
}

/// x / 2ⁿ, with the lowest bit set if bits were lost. n may be any number of at least 0.
#[cube]
pub fn shift_right_jam(x: u64, count: u32) -> u64 {
    let within = select(count > 63u32, 63u32, count);
    let shifted = x >> u64::cast_from(within);
    let lost = (shifted << u64::cast_from(within)) != x;
    let jammed = select(lost, shifted | 1u64, shifted);
    select(count > 63u32, select(x == 0u64, 0u64, 1u64), jammed)
}

/// The bits of the f32 nearest to x · 2ᵉ, ties to even. x is not 0; its lowest bit may stand for lost ones if it has
/// at least 26 bits.
#[cube]
pub fn round(sign: u32, x: u64, exponent: i32) -> u32 {
    let zeros = leading_zeros(x);
    let x = x << u64::cast_from(zeros);
    let biased = exponent - i32::cast_from(zeros) + 190;
    let below = select(biased < 1, u32::cast_from(1 - biased), 0u32);
    let x = shift_right_jam(x, below);
    let biased = select(biased < 1, 1, biased);
    let kept = u32::cast_from(x >> 40u64);
    let lost = x & 0xff_ffff_ffffu64;
    let half = 0x80_0000_0000u64;
    let up = lost > half || (lost == half && (kept & 1u32) == 1u32);
    let kept = kept + select(up, 1u32, 0u32);
    let bits = (u32::cast_from(biased - 1) << 23u32) + kept;
    select(bits > 0x7f80_0000u32, 0x7f80_0000u32, bits) | sign
}
