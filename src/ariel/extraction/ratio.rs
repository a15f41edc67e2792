//! The simplest measurement: light in transit over light out of it, against a straight line.
//!
//! Kept as the baseline that everything else has to beat: no limb darkening, no curved drift.

use super::{BinTimes, TransitError, check_curves, noise, orbit};
use crate::ariel::dataset::Star;
use crate::ariel::instrument::WAVELENGTHS;

/// A typical planet-to-star radius ratio, for the transit's duration only.
const TYPICAL_RADIUS_RATIO: f64 = 0.12;

/// Depths of boxes.
#[derive(Debug, Clone, PartialEq)]
pub struct Ratios {
    /// Depth of the inverse-variance mean of all AIRS channels.
    pub white: f64,
    /// Depth per wavelength, `[283]`.
    pub depths: Vec<f64>,
    /// Standard error of each depth, from the scatter outside the transit.
    pub errors: Vec<f64>,
}

impl Ratios {
    /// Finds the transit in the white light and measures its depth at every wavelength.
    ///
    /// `curves` is `[bins, 283]`, row by row. The transit is the window of the orbit's duration with the largest drop
    /// against a straight line through the rest; a wavelength's depth is one minus the mean in-transit ratio to its own
    /// line.
    ///
    /// # Errors
    /// When the light curves or the orbit are none.
    pub fn measure(curves: &[f64], times: &BinTimes, star: &Star) -> Result<Self, TransitError> {
        check_curves(curves)?;
        let middles = &times.airs.middles;
        let bins = middles.len();
        let spacing = (middles[bins - 1] - middles[0]) / (bins - 1) as f64;
        // Enough bins on both sides of whatever the table says.
        let duration = (orbit(star)?.transit_hours(TYPICAL_RADIUS_RATIO) / spacing).clamp(3.0, 0.7 * bins as f64);
        let relative = noise::Relative::of(curves);
        let white = relative.white();
        let window = Window::find(&white, duration);
        let (depths, errors) = (0..WAVELENGTHS).map(|wavelength| window.depth(&relative.curves[wavelength])).unzip();
        Ok(Self { white: window.depth(&white).0, depths, errors })
    }

    /// Several visits of a planet as one.
    ///
    /// # Panics
    /// Without a visit.
    pub fn combine(visits: &[Self]) -> Self {
        let count = visits.len() as f64;
        assert!(count > 0.0, "a planet has a visit");
        let mean = |of: &dyn Fn(&Self) -> f64| visits.iter().map(of).sum::<f64>() / count;
        let root = |of: &dyn Fn(&Self) -> f64| visits.iter().map(|visit| of(visit) * of(visit)).sum::<f64>().sqrt();
        Self {
            white: mean(&|visit| visit.white),
            depths: (0..WAVELENGTHS).map(|w| mean(&|visit| visit.depths[w])).collect(),
            errors: (0..WAVELENGTHS).map(|w| root(&|visit| visit.errors[w]) / count).collect(),
        }
    }
}

/// Which bins are in transit and which are safely out of it.
struct Window {
    inside: Vec<usize>,
    outside: Vec<usize>,
}

impl Window {
    /// Bins by distance from `centre`: inside within 0.8 of the half duration, outside beyond 1.2 of it.
    fn around(centre: f64, duration_bins: f64, bins: usize) -> Self {
        let half = (duration_bins / 2.0).max(1.5);
        let distance = |bin: &usize| (*bin as f64 + 0.5 - centre).abs();
        Self {
            inside: (0..bins).filter(|bin| distance(bin) <= 0.8 * half).collect(),
            outside: (0..bins).filter(|bin| distance(bin) >= 1.2 * half).collect(),
        }
    }

    /// The window with the deepest drop, among centres in the middle half of the observation (the first one on a tie).
    fn find(white: &[f64], duration_bins: f64) -> Self {
        let bins = white.len();
        let mut best: Option<(f64, Self)> = None;
        // Half-bin steps from a quarter to three quarters of the observation.
        for half_bin in bins / 2..=bins + bins / 2 {
            let window = Self::around(half_bin as f64 / 2.0, duration_bins, bins);
            let (depth, _) = window.depth(white);
            if best.as_ref().is_none_or(|(deepest, _)| depth > *deepest) {
                best = Some((depth, window));
            }
        }
        best.expect("there is at least one centre").1
    }

    /// Depth of a curve in this window, and its standard error.
    fn depth(&self, curve: &[f64]) -> (f64, f64) {
        let line = Line::through(&self.outside, curve);
        let ratio = |bin: &usize| curve[*bin] / line.at(*bin);
        let inside = self.inside.iter().map(ratio).sum::<f64>() / self.inside.len() as f64;
        let squares: f64 = self.outside.iter().map(|bin| (ratio(bin) - 1.0) * (ratio(bin) - 1.0)).sum();
        let (count_in, count_out) = (self.inside.len() as f64, self.outside.len() as f64);
        // Two degrees of freedom went into the line.
        let scatter = (squares / (count_out - 2.0)).sqrt();
        (1.0 - inside, scatter * (1.0 / count_in + 1.0 / count_out).sqrt())
    }
}

/// A least-squares straight line.
struct Line {
    middle: f64,
    level: f64,
    slope: f64,
}

impl Line {
    fn through(bins: &[usize], curve: &[f64]) -> Self {
        let count = bins.len() as f64;
        let middle = bins.iter().map(|&bin| bin as f64).sum::<f64>() / count;
        let level = bins.iter().map(|&bin| curve[bin]).sum::<f64>() / count;
        let offset = |bin: usize| bin as f64 - middle;
        let covariance: f64 = bins.iter().map(|&bin| offset(bin) * (curve[bin] - level)).sum();
        let variance: f64 = bins.iter().map(|&bin| offset(bin) * offset(bin)).sum();
        Self { middle, level, slope: covariance / variance }
    }

    fn at(&self, bin: usize) -> f64 {
        self.level + self.slope * (bin as f64 - self.middle)
    }
}
