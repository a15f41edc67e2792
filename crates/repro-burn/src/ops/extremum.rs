//! Where the smallest or largest value is: the first of equals, and the first NaN before any number.
//!
//! −0 and +0 are equal. Maxima and minima themselves are the element found, so they keep its bits.

use super::super::kernels::Extremum;

/// Index of the extremum of `values`.
///
/// # Panics
/// When there are no values.
pub fn arg_extremum(extremum: Extremum, values: impl IntoIterator<Item = f32>) -> usize {
    let mut values = values.into_iter().enumerate();
    let (mut at, mut best) = values.next().expect("an extremum needs at least one value");
    for (index, value) in values {
        if best.is_nan() {
            break;
        }
        let better = match extremum {
            Extremum::Min => value < best,
            Extremum::Max => value > best,
        };
        if better || value.is_nan() {
            (at, best) = (index, value);
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_equals_and_the_first_nan_win() {
        assert_eq!(arg_extremum(Extremum::Max, [-0.0, 0.0, -1.0]), 0);
        assert_eq!(arg_extremum(Extremum::Min, [1.0, -0.0, 0.0]), 1);
        assert_eq!(arg_extremum(Extremum::Max, [1.0, f32::NAN, f32::INFINITY, f32::NAN]), 1);
        assert_eq!(arg_extremum(Extremum::Min, [f32::NAN, -1.0]), 0);
        assert_eq!(arg_extremum(Extremum::Max, [f32::NEG_INFINITY; 3]), 0);
    }
}
