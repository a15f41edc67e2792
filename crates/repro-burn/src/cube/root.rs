//! √x correctly rounded, also on devices that promise less.

use cubecl::prelude::*;

use super::facts::Rounding;
use super::pack::{exponent, round, significand};

/// √x, rounded once to nearest, ties to even. `zero` is 0, which no compiler may know.
#[cube]
pub fn square_root(x: f32, zero: u32, #[comptime] kind: Rounding) -> f32 {
    match kind {
        Rounding::Native => f32::reinterpret(u32::reinterpret(f32::sqrt(x)) ^ zero),
        Rounding::Integer => with_integers(x),
    }
}

#[cube]
fn with_integers(x: f32) -> f32 {
    let bits = u32::reinterpret(x);
    let size = bits & 0x7fff_ffffu32;
    let exponent = exponent(bits);
    // A radicand of 62 or 63 bits with an even exponent, so a root of 31 or 32.
    let odd = (exponent & 1i32) == 1i32;
    let radicand = u64::cast_from(significand(bits)) << select(odd, 39u64, 38u64);
    let exponent = (exponent - select(odd, 39, 38)) >> 1;
    let mut root = 0u64;
    for index in 0..32u32 {
        let trial = root | (1u64 << u64::cast_from(31u32 - index));
        root = select(trial * trial <= radicand, trial, root);
    }
    let root = root << 1u64;
    let root = select((root >> 1u64) * (root >> 1u64) != radicand, root | 1u64, root);
    let rounded = round(0u32, select(root == 0u64, 1u64, root), exponent - 1);

    let nan = size > 0x7f80_0000u32 || (bits >= 0x8000_0000u32 && size != 0u32);
    let unchanged = size == 0u32 || size == 0x7f80_0000u32;
    f32::reinterpret(select(nan, 0x7fc0_0000u32, select(unchanged, bits, rounded)))
}
