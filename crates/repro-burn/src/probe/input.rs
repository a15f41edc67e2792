//! What the probed ops are given: fixed numbers from the counter-based generator among adversarial ones.

use crate::rng::{CounterRng, Stream};

/// Signed zeros, ties, subnormals, ends of the range, infinities, NaNs with payloads, neighbours of powers of two.
const SPECIAL: [u32; 32] = [
    0x0000_0000,
    0x8000_0000,
    0x3f00_0000,
    0xbf00_0000,
    0x3fc0_0000,
    0x4020_0000,
    0x3f80_0000,
    0xbf80_0000,
    0x3f80_0001,
    0x3f7f_ffff,
    0x0000_0001,
    0x8000_0001,
    0x007f_ffff,
    0x8040_0000,
    0x0080_0000,
    0x8080_0001,
    0x7f7f_ffff,
    0xff7f_ffff,
    0x7f00_0000,
    0x7f80_0000,
    0xff80_0000,
    0x7fc0_0000,
    0xffc1_2345,
    0x7f80_0001,
    0x4b00_0000,
    0x4aff_ffff,
    0xcb80_0001,
    0x4f00_0000,
    0x4eff_ffff,
    0xcf00_0000,
    0x5f00_0000,
    0x42b1_7218,
];

/// [`SPECIAL`] as numbers.
pub fn special() -> [f32; 32] {
    SPECIAL.map(f32::from_bits)
}

/// Every kind of number, 4096 of them: the special ones, random bits, and the ranges where functions bend.
pub fn mixed() -> Vec<f32> {
    let rng = numbers(0);
    let signed = |i| rng.uniform_f32(i) * 2.0 - 1.0;
    let bits = (0..1024).map(|i| f32::from_bits(rng.u32(i)));
    let ties = (1024..1280).map(|i| (rng.u32(i) % 64) as f32 / 2.0 - 16.0);
    let near_one = (1280..1536).map(|i| 1.0 + signed(i) / 512.0);
    let tiny = (1536..2048).map(|i| signed(i) / 1024.0);
    let ranges = [1.0, 10.0, 100.0].into_iter().zip([2048..2688, 2688..3392, 3392..4064]);
    let ranges = ranges.flat_map(|(scale, part)| part.map(move |i| (scale, i))).map(|(scale, i)| signed(i) * scale);
    special().into_iter().chain(bits).chain(ties).chain(near_one).chain(tiny).chain(ranges).collect()
}

/// Halfway between two neighbours of f16 and of bf16, over their ranges: 2048 numbers.
pub fn narrow_ties() -> Vec<f32> {
    (0..2048u32).map(|i| f32::from_bits(0x3300_0000 + i * 0x0001_5000)).collect()
}

/// Two operands for each of 4096 elements: all pairs of special numbers, random bits, numbers of one magnitude, and
/// pairs that nearly cancel.
pub fn pairs() -> (Vec<f32>, Vec<f32>) {
    let rng = numbers(1);
    let signed = |i| rng.uniform_f32(i) * 2.0 - 1.0;
    let special = special();
    let all = special.into_iter().flat_map(|a| special.into_iter().map(move |b| (a, b)));
    let bits = (0..1024).map(|i| (f32::from_bits(rng.u32(2 * i)), f32::from_bits(rng.u32(2 * i + 1))));
    let close = (2048..3072).map(|i| (signed(2 * i) * 4.0, signed(2 * i + 1)));
    let cancelling = (4096..5120).map(|i| {
        let a = signed(2 * i);
        (a, -f32::from_bits(a.to_bits() ^ (rng.u32(2 * i + 1) & 3)))
    });
    all.chain(bits).chain(close).chain(cancelling).unzip()
}

/// `count` finite numbers of both signs over 16 powers of two, so that their sums and products round at every step.
/// `seed` tells two operands of one op apart.
pub fn rounding(seed: u32, count: usize) -> Vec<f32> {
    let rng = numbers(seed + 2);
    let number = |i: u64| {
        let word = rng.u32(i);
        // Sign and mantissa as drawn, exponent from −8 to 7.
        f32::from_bits((word & 0x807f_ffff) | (119 + (word >> 23 & 15)) << 23)
    };
    (0..count as u64).map(number).collect()
}

/// `count` indices below `bound`, many of them more than once where `bound` is the smaller.
pub fn indices(count: usize, bound: u64) -> Vec<i32> {
    let rng = numbers(1000);
    (0..count as u64).map(|i| rng.below(i, bound) as i32).collect()
}

/// `count` truth values.
pub fn truths(count: usize) -> Vec<bool> {
    let rng = numbers(1001);
    (0..count as u64).map(|i| rng.u32(i) & 1 == 1).collect()
}

/// Integers of both signs, 512 of them: the ends of the range, small ones, and random bits.
pub fn integers() -> Vec<i32> {
    let rng = numbers(1002);
    let special = [0, 1, -1, 2, -2, 31, -31, i32::MAX, i32::MIN, i32::MAX - 1, 16_777_217, -16_777_219];
    let small = (0..244).map(|i| (rng.u32(i) % 100) as i32 - 50);
    special.into_iter().chain(small).chain((256..512).map(|i| rng.u32(i) as i32)).collect()
}

/// Numbers of the probe alone: changing them changes every stored digest.
fn numbers(step: u32) -> CounterRng {
    CounterRng::new(0, Stream::PROBE, step)
}
