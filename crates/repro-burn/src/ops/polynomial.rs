//! Polynomials by Horner's scheme.

use super::number::Number;

/// Coefficients from the highest power down; each step is one fused multiply-add.
#[inline(always)]
pub fn horner<N: Number, const COUNT: usize>(coefficients: &[f32; COUNT], x: N) -> N {
    let mut value = N::from(coefficients[0]);
    let mut index = 1;
    // Not an iterator: this one is unrolled even in a debug build with a little optimisation.
    while index < COUNT {
        value = value.fma(x, coefficients[index].into());
        index += 1;
    }
    value
}
