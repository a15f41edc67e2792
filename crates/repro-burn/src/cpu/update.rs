//! An optimizer's step over all elements of a parameter, in one pass.

use super::super::update::AdamNumbers;
use super::chunks::{filled, write_copy};
use super::level::{Level, per_level};
use super::team::Team;

/// Elements of one task: seven arrays of them fit a core's own cache.
const ELEMENTS: usize = 1 << 13;

/// Moves `first` and `second` on and returns the new values, as [`AdamNumbers`] says.
///
/// # Panics
/// When the lengths differ.
pub fn adam(
    level: Level,
    numbers: AdamNumbers,
    values: &[f32],
    gradient: &[f32],
    first: &mut [f32],
    second: &mut [f32],
) -> Vec<f32> {
    let length = values.len();
    assert!([gradient.len(), first.len(), second.len()] == [length; 3], "tensors of one parameter");
    let mut new = filled(length, |start, out| {
        let values = &values[start..][..out.len()];
        write_copy(out, values);
    });
    let parts = new.chunks_mut(ELEMENTS).zip(gradient.chunks(ELEMENTS));
    let mut parts: Vec<_> = parts.zip(first.chunks_mut(ELEMENTS).zip(second.chunks_mut(ELEMENTS))).collect();
    Team::Pool.run_on(&mut parts, |_, ((values, gradient), (first, second))| {
        per_level!(
            level,
            (
                numbers: AdamNumbers = numbers,
                values: &mut [f32] = values,
                gradient: &[f32] = gradient,
                first: &mut [f32] = first,
                second: &mut [f32] = second,
            ),
            adam_part(numbers, values, gradient, first, second)
        );
    });
    new
}

#[inline(always)]
fn adam_part(numbers: AdamNumbers, values: &mut [f32], gradient: &[f32], first: &mut [f32], second: &mut [f32]) {
    for ((value, gradient), (first, second)) in values.iter_mut().zip(gradient).zip(first.iter_mut().zip(second)) {
        [*value, *first, *second] = numbers.step([*value, *gradient, *first, *second]);
    }
}
