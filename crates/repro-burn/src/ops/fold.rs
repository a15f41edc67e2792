//! Reductions: one tree whose shape depends on the length alone.
//!
//! For n elements x₀ … xₙ₋₁ and an operation ∘ with identity e (sum: −0, product: 1):
//!
//! - n = 0: +0 for a sum, 1 for a product.
//! - n ≤ 4096: 32 lanes start at e; in ascending i, lane i mod 32 becomes lane ∘ xᵢ. Then for h = 16, 8, 4, 2, 1 lane j
//!   becomes lane j ∘ lane j + h for all j < h. The result is lane 0.
//! - n > 4096: the results of the consecutive blocks of 4096 elements (the last may be shorter) are reduced in the same
//!   way, again and again until one is left.
//!
//! −0 is the identity of IEEE addition for every x, so an unused lane changes nothing, not even the sign of a zero.

use super::super::kernels::Fold;

/// Lanes of a block.
pub const LANES: usize = 32;
/// Elements of a block.
pub const BLOCK: usize = 4096;

/// The reduction of `values`.
pub fn fold(fold: Fold, values: &[f32]) -> f32 {
    match (values.len(), fold) {
        (0, Fold::Sum) => 0.0,
        (0, Fold::Product) => 1.0,
        (1..=BLOCK, _) => block(fold, values),
        _ => {
            let partials: Vec<f32> = values.chunks(BLOCK).map(|values| block(fold, values)).collect();
            self::fold(fold, &partials)
        }
    }
}

/// One step of the reduction.
#[inline(always)]
pub fn combine(fold: Fold, a: f32, b: f32) -> f32 {
    match fold {
        Fold::Sum => a + b,
        Fold::Product => a * b,
    }
}

/// What a lane starts with.
#[inline(always)]
pub fn identity(fold: Fold) -> f32 {
    match fold {
        Fold::Sum => -0.0,
        Fold::Product => 1.0,
    }
}

/// The reduction of at most [`BLOCK`] values.
pub(in super::super) fn block(fold: Fold, values: &[f32]) -> f32 {
    let mut lanes = [identity(fold); LANES];
    for row in values.chunks(LANES) {
        for (lane, value) in lanes.iter_mut().zip(row) {
            *lane = combine(fold, *lane, *value);
        }
    }
    let mut half = LANES / 2;
    while half > 0 {
        for lane in 0..half {
            lanes[lane] = combine(fold, lanes[lane], lanes[lane + half]);
        }
        half /= 2;
    }
    lanes[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_sum_is_the_tree_written_out() {
        let x: Vec<f32> = (0..35u8).map(|i| 1.0 / (1.0 + f32::from(i))).collect();
        let lane = |j: usize| if j < 3 { x[j] + x[j + 32] } else { x[j] };
        let level = |f: &dyn Fn(usize) -> f32, h: usize| (0..h).map(|j| f(j) + f(j + h)).collect::<Vec<_>>();
        let sixteen = level(&lane, 16);
        let eight = level(&|j| sixteen[j], 8);
        let four = level(&|j| eight[j], 4);
        let two = level(&|j| four[j], 2);
        assert_eq!(fold(Fold::Sum, &x).to_bits(), (two[0] + two[1]).to_bits());
    }

    #[test]
    fn a_long_sum_reduces_the_sums_of_its_blocks() {
        let x: Vec<f32> = (0..2 * BLOCK + 5).map(|i| (i as f32).sqrt()).collect();
        let partials =
            [block(Fold::Sum, &x[..BLOCK]), block(Fold::Sum, &x[BLOCK..2 * BLOCK]), block(Fold::Sum, &x[2 * BLOCK..])];
        assert_eq!(fold(Fold::Sum, &x).to_bits(), block(Fold::Sum, &partials).to_bits());
    }

    #[test]
    fn a_sum_of_negative_zeros_is_a_negative_zero_and_an_empty_sum_is_not() {
        assert_eq!(fold(Fold::Sum, &[-0.0; 33]).to_bits(), (-0f32).to_bits());
        assert_eq!(fold(Fold::Sum, &[-0.0, 0.0]).to_bits(), 0);
        assert_eq!(fold(Fold::Sum, &[]).to_bits(), 0);
        assert_eq!(fold(Fold::Product, &[]), 1.0);
        assert_eq!(fold(Fold::Product, &[2.0, -0.0]).to_bits(), (-0f32).to_bits());
    }
}
