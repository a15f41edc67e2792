//! a / b correctly rounded, also on devices that promise less.

use cubecl::prelude::*;

use super::facts::Rounding;
use super::pack::{exponent, round, significand};

/// a / b, rounded once to nearest, ties to even. `zero` is 0, which no compiler may know.
#[cube]
pub fn divide(a: f32, b: f32, zero: u32, #[comptime] kind: Rounding) -> f32 {
    match kind {
        Rounding::Native => f32::reinterpret(u32::reinterpret(a / b) ^ zero),
        Rounding::Integer => with_integers(a, b),
    }
}

#[cube]
fn with_integers(a: f32, b: f32) -> f32 {
    let (a_bits, b_bits) = (u32::reinterpret(a), u32::reinterpret(b));
    let (a_size, b_size) = (a_bits & 0x7fff_ffffu32, b_bits & 0x7fff_ffffu32);
    let sign = (a_bits ^ b_bits) & 0x8000_0000u32;
    let infinity = 0x7f80_0000u32;
    let nan = a_size > infinity
        || b_size > infinity
        || (a_size == infinity && b_size == infinity)
        || (a_size == 0u32 && b_size == 0u32);
    let infinite = a_size == infinity || b_size == 0u32;
    let vanishes = a_size == 0u32 || b_size == infinity;

    // At least 39 bits of the quotient; the lowest says whether there are more.
    let dividend = u64::cast_from(significand(a_bits)) << 40u64;
    let divisor = u64::cast_from(significand(b_bits));
    let divisor = select(divisor == 0u64, 1u64, divisor);
    let quotient = dividend / divisor;
    let quotient = select(quotient * divisor != dividend, quotient | 1u64, quotient);
    let quotient = select(quotient == 0u64, 1u64, quotient);
    let finite = round(sign, quotient, exponent(a_bits) - exponent(b_bits) - 40);

    let bits = select(infinite, sign | infinity, select(vanishes, sign, finite));
    f32::reinterpret(select(nan, 0x7fc0_0000u32, bits))
}
