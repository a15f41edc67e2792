//! Hot pixels: outliers of the dark frame, as `astropy.stats.sigma_clip(dark, sigma=5, maxiters=5)` finds them.

const SIGMAS: f64 = 5.0;
const MAX_ROUNDS: usize = 5;

/// Marks the outliers of a dark frame (already cropped to the columns that are kept).
///
/// Each round takes the median and the population standard deviation of what is left, and drops what lies more than
/// five standard deviations from the median, until nothing is dropped or after five rounds. As in astropy, the last
/// round's bounds then judge every pixel, and a value that is not finite is an outlier.
pub fn hot_pixels(dark: &[f64]) -> Vec<bool> {
    let mut left: Vec<f64> = dark.iter().copied().filter(|value| value.is_finite()).collect();
    let mut bounds = (f64::NEG_INFINITY, f64::INFINITY);
    for _ in 0..MAX_ROUNDS {
        if left.is_empty() {
            break;
        }
        let (median, deviation) = (median(&left), population_deviation(&left));
        bounds = (median - SIGMAS * deviation, median + SIGMAS * deviation);
        let before = left.len();
        left.retain(|&value| value >= bounds.0 && value <= bounds.1);
        if left.len() == before {
            break;
        }
    }
    dark.iter().map(|&value| !value.is_finite() || value < bounds.0 || value > bounds.1).collect()
}

/// The middle value, or the mean of the two middle ones.
fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len().is_multiple_of(2) { (sorted[middle - 1] + sorted[middle]) * 0.5 } else { sorted[middle] }
}

fn population_deviation(values: &[f64]) -> f64 {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    (values.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>() / count).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dark_with(outliers: &[(usize, f64)]) -> Vec<f64> {
        let mut dark: Vec<f64> = (0..1000).map(|pixel| 0.007 + 1e-4 * f64::from(pixel % 11)).collect();
        for &(pixel, value) in outliers {
            dark[pixel] = value;
        }
        dark
    }

    fn marked(dark: &[f64]) -> Vec<usize> {
        hot_pixels(dark).iter().enumerate().filter(|(_, hot)| **hot).map(|(pixel, _)| pixel).collect()
    }

    #[test]
    fn an_outlier_hidden_behind_a_larger_one_is_found_in_a_later_round() {
        let dark = dark_with(&[(3, 12.0), (500, 0.5), (900, 0.02)]);
        assert_eq!(marked(&dark), [3, 500, 900]);
    }

    #[test]
    fn clipping_ends_after_five_rounds() {
        // Each outlier is a hundred times the next, so that a round finds one: the sixth stays.
        let dark = dark_with(&[(1, 1e10), (2, 1e8), (3, 1e6), (4, 1e4), (5, 1e2), (6, 1.0)]);
        assert_eq!(marked(&dark), [1, 2, 3, 4, 5]);
    }

    #[test]
    fn an_even_frame_has_no_hot_pixel_and_a_value_that_is_not_finite_is_one() {
        assert_eq!(marked(&[0.25; 64]), [0usize; 0]);
        assert_eq!(marked(&dark_with(&[(7, f64::NAN), (8, f64::INFINITY)])), [7, 8]);
    }

    #[test]
    fn a_cold_outlier_is_marked_like_a_hot_one() {
        assert_eq!(marked(&dark_with(&[(42, -3.0)])), [42]);
    }
}
