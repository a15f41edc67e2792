//! a · b + c with one rounding, on devices whose own `fma` has one and on those whose has two.

use cubecl::prelude::*;

use super::facts::FmaKind;
use super::pack::{exponent, round, shift_right_jam, significand};

/// a · b + c, rounded once to nearest, ties to even. `zero` is 0, which no compiler may know.
#[cube]
pub fn fused(a: f32, b: f32, c: f32, zero: u32, #[comptime] kind: FmaKind) -> f32 {
    match kind {
        FmaKind::Native => f32::reinterpret(u32::reinterpret(fma(a, b, c)) ^ zero),
        FmaKind::Float64 => with_float64(a, b, c, zero),
        FmaKind::Integer => with_integers(a, b, c, zero),
    }
}

/// By f64 arithmetic with round-to-odd: as [`Emulated`](super::super::ops::fma::Emulated), which says why it is exact.
#[cube]
fn with_float64(a: f32, b: f32, c: f32, zero: u32) -> f32 {
    // Exact, so that contracting it into the sum changes nothing.
    let product = f64::cast_from(a) * f64::cast_from(b);
    let c = f64::cast_from(c);
    let sum = hidden(product + c, zero);
    let c_seen = hidden(sum - product, zero);
    let product_seen = hidden(sum - c_seen, zero);
    let product_error = hidden(product - product_seen, zero);
    let c_error = hidden(c - c_seen, zero);
    let error = product_error + c_error;
    let bits = u64::reinterpret(sum);
    let finite = (u64::reinterpret(error) & 0x7ff0_0000_0000_0000u64) != 0x7ff0_0000_0000_0000u64;
    let inexact = error != 0.0f64 && finite && (bits & 1u64) == 0u64;
    let away = (error > 0.0f64) == (sum > 0.0f64);
    let odd = select(away, bits + 1u64, bits - 1u64);
    f32::cast_from(f64::reinterpret(select(inexact, odd, bits)))
}

/// The same f64, of which no compiler knows that it is the same.
#[cube]
fn hidden(x: f64, zero: u32) -> f64 {
    f64::reinterpret(u64::reinterpret(x) ^ u64::cast_from(zero))
}

/// By 64-bit integers alone.
#[cube]
fn with_integers(a: f32, b: f32, c: f32, zero: u32) -> f32 {
    let (a_bits, b_bits, c_bits) = (u32::reinterpret(a), u32::reinterpret(b), u32::reinterpret(c));
    let (a_size, b_size, c_size) = (a_bits & 0x7fff_ffffu32, b_bits & 0x7fff_ffffu32, c_bits & 0x7fff_ffffu32);
    let infinity = 0x7f80_0000u32;
    // Where an operand is no number, and where a product of zero or a sum with zero needs no care.
    let product = f32::reinterpret(u32::reinterpret(a * b) ^ zero);
    let plain = product + c;
    let special = a_size >= infinity || b_size >= infinity || c_size > infinity || a_size == 0u32 || b_size == 0u32;
    let simple = select(special, plain, select(c_size == infinity, c, product));

    // Both terms with their leading bit at bit 62, at the exponents below.
    let factors = u64::cast_from(significand(a_bits)) * u64::cast_from(significand(b_bits));
    let short = factors < 0x8000_0000_0000u64;
    let term = factors << select(short, 16u64, 15u64);
    let term_exponent = exponent(a_bits) + exponent(b_bits) - select(short, 16, 15);
    let addend = u64::cast_from(significand(c_bits)) << 39u64;
    let addend_exponent = exponent(c_bits) - 39;

    let distance = term_exponent - addend_exponent;
    let term_is_high = distance >= 0;
    let high = select(term_is_high, term, addend);
    let low = select(term_is_high, addend, term);
    let high_exponent = select(term_is_high, term_exponent, addend_exponent);
    let low = shift_right_jam(low, u32::cast_from(select(term_is_high, distance, -distance)));
    let term_sign = (a_bits ^ b_bits) & 0x8000_0000u32;
    let c_sign = c_bits & 0x8000_0000u32;
    let high_sign = select(term_is_high, term_sign, c_sign);
    let same_sign = term_sign == c_sign;
    let reversed = low > high;
    let difference = select(reversed, low - high, high - low);
    let sum = select(same_sign, high + low, difference);
    let sign = select(!same_sign && reversed, high_sign ^ 0x8000_0000u32, high_sign);
    // An exact zero of terms of different sign is +0.
    let rounded = select(sum == 0u64, 0u32, round(sign, select(sum == 0u64, 1u64, sum), high_exponent));
    let is_simple = special || c_size == infinity || c_size == 0u32;
    select(is_simple, simple, f32::reinterpret(rounded))
}
