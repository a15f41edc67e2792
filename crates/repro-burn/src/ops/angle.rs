//! An angle brought into [−π/4, π/4], for every finite f32.
//!
//! x = n π/2 + r for |x| > π/4 by Payne and Hanek's method ("Radian reduction for trigonometric functions", SIGNUM
//! Newsletter 18, 1983) in 32-bit integers, which is exact enough for all x, so no other reduction is needed; up to
//! π/4 n = 0 and r = x. Steps, with a = |x|:
//!
//! 1. E = the exponent field of a − 96; S = the 24 bits of its significand, shifted left by 8.
//! 2. W₂ W₁ W₀ = the 96 bits from bit E on of the eight words 0, 0, w₀, …, w₅, where 0.w₀w₁… are the bits of 2/π; bits
//!    are counted from the top. i = ⌊E/32⌋ is one of 0 … 4.
//! 3. (H, L) = ⌊S · W₂W₁W₀ / 2³²⌋ mod 2⁶⁴: a · 2/π modulo 4, in units of 2⁻⁶², less than two of them too small.
//! 4. n = (H ≫ 30) + (H ≫ 29 mod 2); the two top bits of (H, L) are dropped and what is left is a signed 64-bit
//!    fraction of π/2, from −1/2 to 1/2.
//! 5. The fraction's top 24, next 24 and last 16 bits, the first signed, are each a f32 a, b, c without rounding; (s,
//!    e) = a + b exactly; s + (e + c).
//! 6. That times π/2 as a sum of two f32: p = s·h; r = (p, fma(s, l, fma(e, h, fma(s, h, −p)))).
//! 7. r changes its sign and n becomes −n if x < 0.
//!
//! The f32 nearest to a multiple of π/2 is 1.6e-9 away from it (n = 0 aside), so r is right to 2⁻³¹ of itself or
//! better.

use super::double::Double;
use super::number::{Integer, Number};

/// Two zeros and the bits of 2/π.
const TWO_OVER_PI: [u32; 8] = [0, 0, 0xa2f9_836e, 0x4e44_1529, 0xfc27_57d1, 0xf534_ddc0, 0xdb62_9599, 0x3c43_9041];
/// π/2 rounded to f32.
pub const HALF_PI_HIGH: f32 = f32::from_bits(0x3fc9_0fdb); // 1.57079637
/// What is missing there.
pub const HALF_PI_LOW: f32 = f32::from_bits(0xb33b_bd2e); // −4.37113883e-8
const QUARTER_PI: f32 = f32::from_bits(0x3f49_0fdb); // 7.85398185e-1

/// n and r with x = n π/2 + r; n is right modulo 4. For an infinity or NaN both are meaningless.
#[inline(always)]
pub fn reduce<N: Number>(x: N) -> (N::Integer, Double<N>) {
    let bits = x.to_bits() & i32::MAX.into();
    let start = bits.shift_right(23.into()) - 96.into();
    let significand = ((bits & 0x007f_ffff.into()) | 0x0080_0000.into()).shift_left(8.into());
    let [w2, w1, w0] = window::<N>(start);
    let (high, low) = (significand * w2 + significand.multiply_high_unsigned(w1), significand * w1);
    let sum = low + significand.multiply_high_unsigned(w0);
    let carry = N::Integer::select(less_unsigned::<N>(sum, low), 1.into(), 0.into());
    let (high, low) = (high + carry, sum);

    let n = high.shift_right_logical(30.into()) + (high.shift_right_logical(29.into()) & 1.into());
    let (high, low) = (high.shift_left(2.into()) | low.shift_right_logical(30.into()), low.shift_left(2.into()));
    // Units of 2⁻⁶⁴, so 2⁻²⁴, 2⁻⁴⁸ and 2⁻⁶⁴.
    let a = N::from_integer(high.shift_right(8.into())) * 5.960_464_5e-8.into();
    let b = (high & 0xff.into()).shift_left(16.into()) | low.shift_right_logical(16.into());
    let b = N::from_integer(b) * 3.552_713_7e-15.into();
    let c = N::from_integer(low & 0xffff.into()) * 5.421_011e-20.into();
    let fraction = Double::ordered_sum(a, b);
    let fraction = Double { high: fraction.high, low: fraction.low + c };
    let r = fraction.times(Double { high: HALF_PI_HIGH.into(), low: HALF_PI_LOW.into() });

    let negative = x.less(0.0.into());
    let small = x.abs().less_equal(QUARTER_PI.into());
    let n = N::Integer::select(negative, N::Integer::from(0) - n, n);
    let r = Double { high: N::select(negative, -r.high, r.high), low: N::select(negative, -r.low, r.low) };
    (
        N::Integer::select(small, 0.into(), n),
        Double { high: N::select(small, x, r.high), low: N::select(small, 0.0.into(), r.low) },
    )
}

/// Three words of [`TWO_OVER_PI`] from bit `start` on, for 0 ≤ `start` < 160; anything for others.
#[inline(always)]
fn window<N: Number>(start: N::Integer) -> [N::Integer; 3] {
    let (word, bit) = (start.shift_right(5.into()), start & 31.into());
    let at = |offset: usize| {
        let mut chosen = N::Integer::from(TWO_OVER_PI[offset] as i32);
        let mut index = 1;
        while index < 5 {
            let here = word.equal((index as i32).into());
            chosen = N::Integer::select(here, (TWO_OVER_PI[offset + index] as i32).into(), chosen);
            index += 1;
        }
        chosen
    };
    // A shift by 32 has no meaning, so the second one is made of two.
    let joined = |left: N::Integer, right: N::Integer| {
        left.shift_left(bit) | right.shift_right_logical(1.into()).shift_right_logical(N::Integer::from(31) - bit)
    };
    let words = [at(0), at(1), at(2), at(3)];
    [joined(words[0], words[1]), joined(words[1], words[2]), joined(words[2], words[3])]
}

/// a < b as unsigned numbers.
#[inline(always)]
fn less_unsigned<N: Number>(a: N::Integer, b: N::Integer) -> N::Mask {
    let sign = N::Integer::from(i32::MIN);
    (a ^ sign).less(b ^ sign)
}
