//! Extrema of a middle dimension, as [`ops::extremum`](super::super::ops::extremum) says.

use super::super::kernels::Extremum;
use super::chunks::in_rows;
use super::level::{Level, per_level};

/// Numbers compared side by side.
const LANES: usize = 16;
/// Columns compared together: what is best of them stays in the L1 cache.
const COLUMNS: usize = 256;

/// Index along the middle dimension of `values`, `[outer, length, inner]` row-major, of each first extremum: `[outer,
/// inner]`.
///
/// # Panics
/// When `values` is not a number of such blocks, or the length is 0 or beyond u32.
pub fn arg_extremum_dim(level: Level, extremum: Extremum, values: &[f32], length: usize, inner: usize) -> Vec<u32> {
    assert!(u32::try_from(length).is_ok(), "extremum of {length} values");
    let mut indices = vec![0; values.len() / length];
    in_rows(&mut indices, inner.max(1), length * inner, |outer, indices| {
        let values = &values[outer * length * inner..][..length * inner];
        per_level!(
            level,
            (extremum: Extremum = extremum, values: &[f32] = values, indices: &mut [u32] = indices),
            match extremum {
                Extremum::Max => each_index::<Max>(values, indices),
                Extremum::Min => each_index::<Min>(values, indices),
            }
        );
    });
    indices
}

/// The elements at those indices.
///
/// # Panics
/// As [`arg_extremum_dim`].
pub fn extremum_dim(level: Level, extremum: Extremum, values: &[f32], length: usize, inner: usize) -> Vec<f32> {
    if inner != 1 {
        let indices = arg_extremum_dim(level, extremum, values, length, inner);
        let places = indices.iter().enumerate().map(|(place, index)| (place / inner, place % inner, *index as usize));
        return places.map(|(outer, column, index)| values[(outer * length + index) * inner + column]).collect();
    }
    let mut out = vec![0.0; values.len() / length];
    in_rows(&mut out, 1, length, |row, out| {
        let values = &values[row * length..][..length];
        per_level!(
            level,
            (extremum: Extremum = extremum, values: &[f32] = values, out: &mut f32 = &mut out[0]),
            *out = match extremum {
                Extremum::Max => value::<Max>(values),
                Extremum::Min => value::<Min>(values),
            }
        );
    });
    out
}

/// Which of two numbers is beyond the other.
trait Direction {
    fn is_beyond(value: f32, best: f32) -> bool;
}

struct Max;
struct Min;

impl Direction for Max {
    #[inline(always)]
    fn is_beyond(value: f32, best: f32) -> bool {
        value > best
    }
}

impl Direction for Min {
    #[inline(always)]
    fn is_beyond(value: f32, best: f32) -> bool {
        value < best
    }
}

#[inline(always)]
fn each_index<D: Direction>(values: &[f32], indices: &mut [u32]) {
    match indices {
        [index] => *index = position(values, best::<D>(values)) as u32,
        _ => columns::<D>(values, indices),
    }
}

/// The element at the index, of which only the sign of a zero depends on which of equals it is.
#[inline(always)]
fn value<D: Direction>(values: &[f32]) -> f32 {
    let best = best::<D>(values);
    if best == 0.0 { values[position(values, best)] } else { best }
}

/// A NaN if there is one, else a number equal to the extremum.
#[inline(always)]
fn best<D: Direction>(values: &[f32]) -> f32 {
    let (whole, rest) = values.as_chunks::<LANES>();
    let mut best = [values[0]; LANES];
    let mut is_nan = [false; LANES];
    for values in whole {
        for ((best, is_nan), value) in best.iter_mut().zip(&mut is_nan).zip(values) {
            *best = if D::is_beyond(*value, *best) { *value } else { *best };
            *is_nan |= value.is_nan();
        }
    }
    for ((best, is_nan), value) in best.iter_mut().zip(&mut is_nan).zip(rest) {
        *best = if D::is_beyond(*value, *best) { *value } else { *best };
        *is_nan |= value.is_nan();
    }
    if is_nan.contains(&true) {
        return f32::NAN;
    }
    best.into_iter().reduce(|best, value| if D::is_beyond(value, best) { value } else { best }).expect("lanes")
}

/// Where the first value is that equals `best`, or is a NaN as it is.
#[inline(always)]
fn position(values: &[f32], best: f32) -> usize {
    let is_it = |value: &f32| if best.is_nan() { value.is_nan() } else { *value == best };
    let mut start = 0;
    for values in values.as_chunks::<LANES>().0 {
        let mut found = false;
        for value in values {
            found |= is_it(value);
        }
        if found {
            break;
        }
        start += LANES;
    }
    start + values[start..].iter().position(is_it).expect("the extremum is among the values")
}

#[inline(always)]
fn columns<D: Direction>(values: &[f32], indices: &mut [u32]) {
    let inner = indices.len();
    let mut best = [0.0; COLUMNS];
    for (group, indices) in indices.chunks_mut(COLUMNS).enumerate() {
        let (first, width) = (group * COLUMNS, indices.len());
        let mut rows = values.chunks_exact(inner).map(|row| &row[first..first + width]);
        best[..width].copy_from_slice(rows.next().expect("a length that is not 0"));
        indices.fill(0);
        for (number, row) in (1..).zip(rows) {
            for ((best, index), value) in best.iter_mut().zip(&mut *indices).zip(row) {
                let better = (D::is_beyond(*value, *best) | value.is_nan()) & !best.is_nan();
                *best = if better { *value } else { *best };
                *index = if better { number } else { *index };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::ops::extremum::arg_extremum;
    use super::super::adversarial::{adversarial, bits, on_threads};
    use super::*;

    #[test]
    fn every_shape_level_and_thread_count_equals_the_reference() {
        for (seed, (outer, length, inner)) in [
            (1, 1, 1),
            (3, 2, 1),
            (2, 15, 1),
            (5, 16, 1),
            (70, 33, 1),
            (2, 5, 7),
            (3, 40, 257),
            (1, 9000, 1),
            (40, 600, 1),
        ]
        .into_iter()
        .enumerate()
        {
            let mut values = adversarial(outer * length * inner, seed as u64);
            // Rows without a NaN, and with many equals.
            let plain = |value: &mut f32| *value = if value.is_nan() { -0.0 } else { value.clamp(-2.0, 2.0) };
            values.iter_mut().take(outer * length * inner / 2).for_each(plain);
            for extremum in [Extremum::Max, Extremum::Min] {
                let places = (0..outer).flat_map(|outer| (0..inner).map(move |column| (outer, column)));
                let lane = |outer: usize, column: usize| {
                    values[outer * length * inner + column..].iter().step_by(inner).take(length).copied()
                };
                let expected: Vec<usize> =
                    places.map(|(outer, column)| arg_extremum(extremum, lane(outer, column))).collect();
                let found = |place: usize| lane(place / inner, place % inner).nth(expected[place]).expect("inside");
                let expected_values = bits((0..expected.len()).map(found));
                for (level, threads) in Level::available().into_iter().flat_map(|level| [1, 3].map(|n| (level, n))) {
                    let (indices, found) = on_threads(threads, || {
                        (
                            arg_extremum_dim(level, extremum, &values, length, inner),
                            extremum_dim(level, extremum, &values, length, inner),
                        )
                    });
                    let indices: Vec<usize> = indices.into_iter().map(|index| index as usize).collect();
                    assert_eq!(indices, expected, "{extremum:?} [{outer}, {length}, {inner}] {level:?}");
                    assert_eq!(bits(found), expected_values, "{extremum:?} [{outer}, {length}, {inner}] {level:?}");
                }
            }
        }
    }

    #[test]
    fn nothing_has_no_extrema() {
        assert!(arg_extremum_dim(Level::detected(), Extremum::Max, &[], 3, 0).is_empty());
        assert!(extremum_dim(Level::detected(), Extremum::Max, &[], 3, 1).is_empty());
    }
}
