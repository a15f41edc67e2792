//! How much light curves scatter, from themselves alone.

use crate::ariel::instrument::WAVELENGTHS;

/// Light curves relative to their own mean.
#[derive(Debug, Clone)]
pub(super) struct Relative {
    /// By wavelength.
    pub curves: Vec<Vec<f64>>,
    /// Standard deviation of a bin, by wavelength.
    pub scatter: Vec<f64>,
}

impl Relative {
    /// `curves` is `[bins, 283]`.
    pub fn of(curves: &[f64]) -> Self {
        let bins = (curves.len() / WAVELENGTHS) as f64;
        let relative = |wavelength: usize| -> Vec<f64> {
            let column = curves.iter().skip(wavelength).step_by(WAVELENGTHS);
            let mean = column.clone().sum::<f64>() / bins;
            column.map(|flux| flux / mean).collect()
        };
        let curves: Vec<_> = (0..WAVELENGTHS).map(relative).collect();
        let scatter = curves.iter().map(|curve| scatter(curve)).collect();
        Self { curves, scatter }
    }

    /// The inverse-variance mean of AIRS.
    pub fn white(&self) -> Vec<f64> {
        let weights = self.airs_weights();
        (0..self.curves[0].len())
            .map(|bin| self.curves[1..].iter().zip(&weights).map(|(curve, weight)| curve[bin] * weight).sum())
            .collect()
    }

    /// What each AIRS channel weighs in white light; the sum is 1.
    pub fn airs_weights(&self) -> Vec<f64> {
        let raw: Vec<f64> = self.scatter[1..].iter().map(|scatter| 1.0 / (scatter * scatter)).collect();
        let sum: f64 = raw.iter().sum();
        raw.into_iter().map(|weight| weight / sum).collect()
    }

    /// Variance that white light would have if the channels' noise were all of their own.
    pub fn white_photon_variance(&self) -> f64 {
        1.0 / self.scatter[1..].iter().map(|scatter| 1.0 / (scatter * scatter)).sum::<f64>()
    }
}

/// Standard deviation of a bin's noise: from the median of second differences, which a transit or a drift hardly moves.
pub(super) fn scatter(curve: &[f64]) -> f64 {
    /// A normal number's standard deviation over the median of its absolute value.
    const MEDIAN_TO_SD: f64 = 1.482_602_218_505_602;
    /// Noise-free light, and what float64 leaves of it.
    const FLOOR: f64 = 1e-7;
    let mut bends: Vec<f64> = curve.windows(3).map(|three| (three[0] - 2.0 * three[1] + three[2]).abs()).collect();
    bends.sort_by(f64::total_cmp);
    (MEDIAN_TO_SD * bends[bends.len() / 2] / 6f64.sqrt()).max(FLOOR)
}
