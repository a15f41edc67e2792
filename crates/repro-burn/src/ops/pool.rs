//! Max pooling: the first of the largest elements of each window, and its gradient.
//!
//! A NaN is larger than every number and the first one wins, as in [`extremum`](super::extremum). Padding takes no
//! part.

use super::super::kernels::Extremum;
use super::super::window::Axis;
use super::extremum::arg_extremum;

/// Largest element of each window of a plane `[height, width]`, and its position in the plane.
///
/// A window without elements, which `ceil_mode` can make, has −∞ at position −1.
///
/// # Panics
/// When `plane` is not of the axes' input size.
#[cfg_attr(not(test), expect(dead_code, reason = "the truth that kernels are tested against"))]
pub fn max_pool(plane: &[f32], [rows, columns]: &[Axis; 2]) -> Vec<(f32, i32)> {
    assert_eq!(plane.len(), rows.input * columns.input, "a plane under a window");
    let mut out = Vec::with_capacity(rows.output * columns.output);
    for row in 0..rows.output {
        for column in 0..columns.output {
            let positions: Vec<usize> = (0..rows.kernel)
                .filter_map(|kernel| rows.source(row, kernel))
                .flat_map(|y| {
                    let sources = (0..columns.kernel).filter_map(move |kernel| columns.source(column, kernel));
                    sources.map(move |x| y * columns.input + x)
                })
                .collect();
            out.push(if positions.is_empty() {
                (f32::NEG_INFINITY, -1)
            } else {
                let at = positions[arg_extremum(Extremum::Max, positions.iter().map(|at| plane[*at]))];
                (plane[at], at as i32)
            });
        }
    }
    out
}

/// The gradient of a plane of `inputs` elements: each is +0 + g₀ + g₁ + … from the left, over the gradients of the
/// windows whose largest element it is, in ascending order. Negative positions have no element.
///
/// # Panics
/// When a position is outside of the plane.
#[inline(always)]
pub fn max_pool_backward<P: Copy>(gradients: &[f32], positions: &[P], out: &mut [f32])
where
    usize: TryFrom<P>,
{
    for (gradient, position) in gradients.iter().zip(positions) {
        if let Ok(position) = usize::try_from(*position) {
            out[position] += gradient;
        }
    }
}
