//! Weighted sums along the two axes of a plane: interpolation, average pooling and their gradients.

use super::super::taps::Taps;
use super::Fma;

/// One output element, at `row` and `column`, of the plane `[height, width]`.
///
/// A weighted sum of x₀, x₁, … with weights w₀, w₁, … is w₀·x₀, then fma(w₁, x₁, sum), and so on; +0 if there are no
/// taps. The element is the weighted sum, over the taps of its row, of the weighted sums over the taps of its column.
#[cfg_attr(not(test), expect(dead_code, reason = "the truth that kernels are tested against"))]
pub fn resample<F: Fma>(plane: &[f32], rows: &Taps, columns: &Taps, row: usize, column: usize) -> f32 {
    let of_row =
        |y: usize| weighted_sum::<F>(columns.of(column).map(|(x, weight)| (plane[y * columns.inputs + x], weight)));
    weighted_sum::<F>(rows.of(row).map(|(y, weight)| (of_row(y), weight)))
}

/// The weighted sum of values and weights.
#[inline(always)]
pub fn weighted_sum<F: Fma>(mut taps: impl Iterator<Item = (f32, f32)>) -> f32 {
    let first = taps.next().map_or(0.0, |(value, weight)| weight * value);
    taps.fold(first, |sum, (value, weight)| F::fma(weight, value, sum))
}
