//! Fused multiply-add: a·b + c with one rounding, with the instruction and without it.

/// A way to compute a·b + c, rounded once to nearest, ties to even. All ways give the same bits.
pub trait Fma: Copy + Send + Sync + 'static {
    /// a·b + c.
    fn fma(a: f32, b: f32, c: f32) -> f32;
}

/// `f32::mul_add`: one instruction where the target features in force have it, a slow library call where not.
#[derive(Debug, Clone, Copy)]
pub struct Fused;

impl Fma for Fused {
    #[inline(always)]
    fn fma(a: f32, b: f32, c: f32) -> f32 {
        a.mul_add(b, c)
    }
}

/// f64 arithmetic with round-to-odd, for processors without the instruction.
///
/// The product of two f32 is exact in f64. Their sum with `c` is rounded to odd, by the error term of Knuth's two-sum;
/// 53 ≥ 24 + 2 bits then make the second rounding innocent, also into the subnormals (Boldo and Melquiond, "Emulation of
/// FMA and correctly rounded sums: proved algorithms using rounding to odd", IEEE Trans. Computers 57, 2008).
#[derive(Debug, Clone, Copy)]
pub struct Emulated;

impl Fma for Emulated {
    #[inline(always)]
    fn fma(a: f32, b: f32, c: f32) -> f32 {
        let (product, c) = (f64::from(a) * f64::from(b), f64::from(c));
        let sum = product + c;
        let c_seen = sum - product;
        let error = (product - (sum - c_seen)) + (c - c_seen);
        let bits = sum.to_bits();
        // An infinite or NaN sum has a NaN error, which compares unequal to zero but is not finite.
        let inexact = error != 0.0 && error.is_finite() && bits & 1 == 0;
        // Towards the error: away from zero if it has the sum's sign, else towards zero. `sum` is not zero here, because
        // a zero sum is exact.
        let step = if (error > 0.0) == (sum > 0.0) { 1 } else { u64::MAX };
        let odd = if inexact { bits.wrapping_add(step) } else { bits };
        f64::from_bits(odd) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{CounterRng, Stream};

    /// Bits with all NaNs made one.
    fn bits(x: f32) -> u32 {
        if x.is_nan() { 0x7fc0_0000 } else { x.to_bits() }
    }

    #[test]
    fn the_emulated_fma_equals_the_fused_one_on_adversarial_triples() {
        let rng = CounterRng::new(1, Stream::workload(0), 0);
        let special =
            [0.0, -0.0, 1.0, -1.0, f32::MIN_POSITIVE, -1e-45, f32::MAX, f32::INFINITY, f32::NAN, 1.0 + f32::EPSILON];
        for index in 0..400_000u64 {
            let random = |k: u64| f32::from_bits(rng.u32(8 * index + k));
            let near_one = |k: u64| f32::from_bits(0x3f00_0000 | rng.u32(8 * index + k) & 0x00ff_ffff);
            let pick = |k: u64| special[rng.u32(8 * index + k) as usize % special.len()];
            let (a, b) = match index % 3 {
                0 => (random(0), random(1)),
                1 => (near_one(0), near_one(1)),
                _ => (pick(0), random(1)),
            };
            let c = match index % 5 {
                0 => random(2),
                // Cancels all but the rounding error of the product.
                1 => -(a * b),
                2 => -(a * b) * (1.0 + f32::EPSILON),
                // A tie or nearly one: half a unit in the last place of the product.
                3 => a * b * f32::from_bits(0x3300_0000),
                _ => pick(3),
            };
            assert_eq!(bits(Emulated::fma(a, b, c)), bits(Fused::fma(a, b, c)), "{a:e} {b:e} {c:e}");
        }
    }
}
