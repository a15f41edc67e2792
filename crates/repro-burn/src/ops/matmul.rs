//! Matrix product: each output element is a fused chain over ascending k, in blocks of 512.
//!
//! For block b, pᵦ starts at +0 and becomes fma(a[i,k], b[k,j], pᵦ) for k = 512 b, 512 b + 1, … in ascending order; the last
//! block may be short. The element is p₀ + p₁ + … from the left, starting with p₀ itself; +0 if there is no k at all.

use super::Fma;

/// Length of a block of the inner dimension.
pub const BLOCK: usize = 512;

/// One output element from its row of the left and its column of the right matrix.
///
/// # Panics
/// When the lengths differ.
#[cfg_attr(not(test), expect(dead_code, reason = "the truth that kernels are tested against"))]
pub fn dot<F: Fma>(row: &[f32], column: &[f32]) -> f32 {
    assert_eq!(row.len(), column.len(), "inner dimensions of a matrix product");
    row.chunks(BLOCK)
        .zip(column.chunks(BLOCK))
        .map(|(row, column)| row.iter().zip(column).fold(0.0, |partial, (a, b)| F::fma(*a, *b, partial)))
        .reduce(|total, partial| total + partial)
        .unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::super::fma::Fused;
    use super::*;

    #[test]
    fn the_total_starts_from_the_first_partial_and_a_partial_from_positive_zero() {
        // The product −1e-60 rounds to −0, and +0 + −0 would hide it.
        assert_eq!(dot::<Fused>(&[-1e-30], &[1e-30]).to_bits(), (-0f32).to_bits());
        assert_eq!(dot::<Fused>(&[-0.0], &[1.0]).to_bits(), 0);
        assert_eq!(dot::<Fused>(&[], &[]).to_bits(), 0);
    }

    #[test]
    fn the_inner_dimension_is_cut_at_multiples_of_512() {
        let a: Vec<f32> = (0..1030).map(|k| 1.0 / (1.0 + k as f32)).collect();
        let b: Vec<f32> = (0..1030).map(|k| (k as f32).sqrt()).collect();
        let partial = |from: usize, to: usize| (from..to).fold(0f32, |sum, k| a[k].mul_add(b[k], sum));
        let expected = (partial(0, 512) + partial(512, 1024)) + partial(1024, 1030);
        assert_eq!(dot::<Fused>(&a, &b).to_bits(), expected.to_bits());
    }
}
