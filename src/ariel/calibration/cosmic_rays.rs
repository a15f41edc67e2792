//! Hits of cosmic rays: bins of a pixel that stand out of their neighbours.

/// Standard deviations by which a hit stands out.
const HIT: f64 = 20.0;
/// Neighbours on either side whose median takes the place of a hit.
const NEIGHBOURS: usize = 2;
/// Fewest bins in which something can stand out.
const FEWEST: usize = 2 * NEIGHBOURS + 1;

/// Replaces hits by the median of their neighbours; a masked pixel is left alone.
pub(super) fn remove(bins: &mut [f64]) {
    if bins.len() < FEWEST || bins.iter().any(|value| value.is_nan()) {
        return;
    }
    let expected: Vec<f64> = (0..bins.len())
        .map(|bin| {
            let (from, to) = (bin.saturating_sub(NEIGHBOURS), (bin + NEIGHBOURS + 1).min(bins.len()));
            median((from..to).filter(|other| *other != bin).map(|other| bins[other]).collect())
        })
        .collect();
    let distances = bins.iter().zip(&expected).map(|(value, expected)| (value - expected).abs());
    // 1.48 times the median of absolute deviations is a normal distribution's standard deviation.
    let spread = 1.482_602_218_505_602 * median(distances.collect());
    for (value, expected) in bins.iter_mut().zip(expected) {
        if *value - expected > HIT * spread {
            *value = expected;
        }
    }
}

/// The middle one, the mean of the two in the middle of an even number.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len().is_multiple_of(2) { 0.5 * (values[middle - 1] + values[middle]) } else { values[middle] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hit_is_taken_out_and_a_transit_is_not() {
        let light = |bin: usize| {
            let transit = if (20..40).contains(&bin) { 0.98 } else { 1.0 };
            1e5 * transit + 100.0 * libm::sin(bin as f64 * 2.399_963)
        };
        let mut bins: Vec<f64> = (0..60).map(light).collect();
        let before = bins.clone();
        remove(&mut bins);
        assert_eq!(bins, before);
        bins[30] += 5e4;
        remove(&mut bins);
        assert!((bins[30] - before[30]).abs() < 400.0, "{}", bins[30]);
        assert_eq!((&bins[..30], &bins[31..]), (&before[..30], &before[31..]));
        let mut masked = vec![f64::NAN; 9];
        remove(&mut masked);
        assert!(masked.iter().all(|value| value.is_nan()));
    }
}
