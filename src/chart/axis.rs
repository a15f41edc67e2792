//! An axis: what it says, how far it goes, and where its ticks are.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};

/// An axis of a panel.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    /// What is measured, and its unit.
    pub label: String,
    /// From where to where.
    pub range: Range<f64>,
}

impl Axis {
    /// An axis from `from` to `to`.
    pub fn new(label: impl Into<String>, range: Range<f64>) -> Self {
        Self { label: label.into(), range }
    }

    /// An axis that all finite `values` fit on, with some room; from 0 to 1 where there is none.
    pub fn around(label: impl Into<String>, values: impl IntoIterator<Item = f64>) -> Self {
        let finite = values.into_iter().filter(|value| value.is_finite());
        let (low, high) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
        if low > high {
            return Self::new(label, 0.0..1.0);
        }
        // One value alone has no extent, and what is left of it by rounding is none.
        let room = if high - low > 1e-9 * high.abs() { 0.06 * (high - low) } else { (0.5 * high.abs()).max(1e-9) };
        Self::new(label, low - room..high + room)
    }

    /// Whether something can be drawn on it.
    pub(super) fn has_extent(&self) -> bool {
        let Range { start, end } = self.range;
        start.is_finite() && end.is_finite() && end - start > 1e-12 * (start.abs() + end.abs())
    }

    /// With at most `most` ticks, at multiples of 1, 2 or 5 of a power of ten.
    pub(super) fn ticked(&self, most: usize) -> Ticked {
        let Range { start, end } = self.range;
        let extent = end - start;
        let mut exponent = (extent / most as f64).log10().floor() as i32 - 1;
        loop {
            let power: f64 = format!("1e{exponent}").parse().expect("a number");
            for factor in [1.0, 2.0, 5.0] {
                let step = factor * power;
                let (first, last) = ((start / step).ceil() as i64, (end / step).floor() as i64);
                if last - first < most as i64 {
                    let ticks = (first..=last).map(|count| count as f64 * step).collect();
                    return Ticked { range: start..end, ticks, decimals: (-exponent).max(0) as usize };
                }
            }
            exponent += 1;
        }
    }
}

/// An axis with its ticks.
#[derive(Clone)]
pub(super) struct Ticked {
    range: Range<f64>,
    ticks: Vec<f64>,
    decimals: usize,
}

impl Ticked {
    /// What stands at its ticks.
    pub(super) fn labels(&self) -> Vec<String> {
        self.ticks.iter().map(|tick| self.format_ext(tick)).collect()
    }
}

impl Ranged for Ticked {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (from, to): (i32, i32)) -> i32 {
        let share = (value - self.range.start) / (self.range.end - self.range.start);
        // A picture ends somewhere: what lies far outside must not wrap around.
        from + (share.clamp(-1.0, 2.0) * f64::from(to - from)).round() as i32
    }

    fn key_points<H: KeyPointHint>(&self, _: H) -> Vec<f64> {
        self.ticks.clone()
    }

    fn range(&self) -> Range<f64> {
        self.range.clone()
    }
}

impl ValueFormatter<f64> for Ticked {
    fn format_ext(&self, value: &f64) -> String {
        // −0 is 0, and a minus is as long as a plus.
        format!("{:.*}", self.decimals, value + 0.0).replace('-', "\u{2212}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_numbers_of_equal_length_within_the_range() {
        let labels = |range: Range<f64>| Axis::new("x", range).ticked(6).labels();
        assert_eq!(labels(0.0..1.0), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(labels(-1.2..2.9), ["\u{2212}1", "0", "1", "2"]);
        assert_eq!(labels(12_100.0..19_800.0), ["14000", "16000", "18000"]);
        assert_eq!(labels(0.0..2.4e-5), ["0.000000", "0.000005", "0.000010", "0.000015", "0.000020"]);
    }

    #[test]
    fn an_axis_around_one_value_or_none_has_extent() {
        for values in [vec![], vec![0.0], vec![7.0; 3], vec![f64::NAN, 1e300], vec![1.0, 2.0]] {
            assert!(Axis::around("y", values.clone()).has_extent(), "{values:?}");
        }
        assert!(!Axis::new("y", 1.0..1.0).has_extent());
        assert!(!Axis::new("y", 0.0..f64::NAN).has_extent());
    }
}
