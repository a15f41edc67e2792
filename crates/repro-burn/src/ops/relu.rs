//! max(x, 0): what is not greater than zero becomes +0, but NaN stays.

use super::number::Number;

/// Rectified linear unit.
#[inline(always)]
pub fn relu<N: Number>(x: N) -> N {
    relu_backward(x, x)
}

/// The gradient of [`relu`] by its input, made of its output: +0 where that is not greater than zero; a NaN passes it on.
#[inline(always)]
pub fn relu_backward<N: Number>(output: N, gradient: N) -> N {
    N::select(output.less_equal(0.0.into()), 0.0.into(), gradient)
}
