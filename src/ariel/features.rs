//! What the model sees of a planet: transit depths measured on its light curves, how noisy they are, and its star.
//!
//! Plain float64 with transcendental functions from `libm`, every sum in index order: the same bits everywhere.

use super::dataset::Star;
use super::instrument::WAVELENGTHS;

/// Wavelength bands of AIRS whose mean contrast the network sees.
const BANDS: usize = 16;
/// Numbers the network sees of a planet.
pub const INPUTS: usize = 4 + BANDS + 7;
/// Length of an observation, in hours.
const OBSERVATION_HOURS: f64 = 7.5;
/// A typical planet-to-star radius ratio, for the transit's duration only.
const TYPICAL_RADIUS_RATIO: f64 = 0.12;

/// Duration of a transit of a typical planet on a circular orbit around `star`, in hours, kept within 0.5 to 4.
pub fn transit_hours(star: &Star) -> f64 {
    let axis = star.semi_major_axis_radii;
    let inclination = star.inclination_degrees.to_radians();
    let impact = axis * libm::cos(inclination);
    let chord = (1.0 + TYPICAL_RADIUS_RATIO) * (1.0 + TYPICAL_RADIUS_RATIO) - impact * impact;
    let sine = (chord.max(0.0).sqrt() / (axis * libm::sin(inclination))).clamp(0.0, 1.0);
    let hours = 24.0 * star.period_days / std::f64::consts::PI * libm::asin(sine);
    // A table of odd values must not leave us without bins in or out of transit.
    if hours.is_finite() { hours.clamp(0.5, 4.0) } else { 3.0 }
}

/// Depths measured on the light curves of one visit.
#[derive(Debug, Clone, PartialEq)]
pub struct Depths {
    /// Depth of the sum of all AIRS channels.
    pub white: f64,
    /// Depth per wavelength, `[283]`.
    pub depths: Vec<f64>,
    /// Standard error of each depth, from the scatter outside the transit.
    pub errors: Vec<f64>,
}

/// Light curves that no transit can be measured on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DepthError {
    /// Too few time bins.
    #[error("expected at least {expected} time bins in a light curve, got {got}")]
    TooFewBins {
        /// Fewest that will do.
        expected: usize,
        /// How many there are.
        got: usize,
    },
    /// A wavelength without signal.
    #[error("wl_{wavelength}: expected a positive finite flux in every bin, got {got}")]
    NoFlux {
        /// Number of the wavelength, from 1.
        wavelength: usize,
        /// The flux found.
        got: String,
    },
}

/// Fewest bins that leave enough on both sides of a transit for a slope.
const FEWEST_BINS: usize = 12;

impl Depths {
    /// Finds the transit in the white light and measures its depth at every wavelength.
    ///
    /// `curves` is `[bins, 283]`, row-major. The transit is the window of the expected duration with the largest
    /// drop against a straight line through the rest; a wavelength's depth is one minus the mean in-transit ratio to
    /// its own line.
    ///
    /// # Errors
    /// With too few bins, or a wavelength without flux.
    pub fn measure(curves: &[f64], transit_hours: f64) -> Result<Self, DepthError> {
        let bins = curves.len() / WAVELENGTHS;
        if bins < FEWEST_BINS {
            return Err(DepthError::TooFewBins { expected: FEWEST_BINS, got: bins });
        }
        if let Some(at) = curves.iter().position(|flux| !(flux.is_finite() && *flux > 0.0)) {
            return Err(DepthError::NoFlux { wavelength: at % WAVELENGTHS + 1, got: curves[at].to_string() });
        }
        let white: Vec<f64> = curves.chunks_exact(WAVELENGTHS).map(|bin| bin[1..].iter().sum()).collect();
        let window = Window::find(&white, transit_hours / OBSERVATION_HOURS * bins as f64);
        let measured = (0..WAVELENGTHS).map(|wavelength| {
            let curve: Vec<f64> = curves.iter().skip(wavelength).step_by(WAVELENGTHS).copied().collect();
            window.depth(&curve)
        });
        let (depths, errors) = measured.unzip();
        Ok(Self { white: window.depth(&white).0, depths, errors })
    }

    /// The network's inputs, `[INPUTS]`, before standardisation.
    pub fn inputs(&self, star: &Star) -> Vec<f64> {
        let airs = &self.depths[1..];
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let mut inputs = vec![self.white, self.depths[0] - self.white];
        inputs.extend(
            (0..BANDS).map(|band| mean(&airs[band * airs.len() / BANDS..(band + 1) * airs.len() / BANDS]) - self.white),
        );
        inputs.extend([libm::log(self.errors[0].max(1e-9)), libm::log(mean(&self.errors[1..]).max(1e-9))]);
        inputs.extend([
            star.radius_solar,
            star.mass_solar,
            star.temperature_kelvin,
            star.planet_mass_jupiter,
            libm::log(star.period_days.max(1e-3)),
            libm::log(star.semi_major_axis_radii.max(1e-3)),
            star.inclination_degrees,
        ]);
        inputs
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

#[cfg(test)]
mod tests {
    use super::*;

    const STAR: Star = Star {
        planet_id: 1,
        radius_solar: 1.0,
        mass_solar: 1.0,
        temperature_kelvin: 5800.0,
        planet_mass_jupiter: 1.0,
        eccentricity: 0.0,
        period_days: 3.5,
        semi_major_axis_radii: 9.0,
        inclination_degrees: 89.0,
    };

    fn box_transit(depth: impl Fn(usize) -> f64) -> Vec<f64> {
        let bins = 60;
        let mut curves = Vec::new();
        for bin in 0..bins {
            let inside = (22..46).contains(&bin);
            let drift = 1.0 + 3e-4 * bin as f64 / bins as f64;
            curves.extend(
                (0..WAVELENGTHS).map(|w| (1000.0 + w as f64) * drift * if inside { 1.0 - depth(w) } else { 1.0 }),
            );
        }
        curves
    }

    #[test]
    fn a_box_transit_under_a_drift_is_measured_at_every_wavelength() {
        let truth = |w: usize| 0.01 + 1e-5 * w as f64;
        let hours = transit_hours(&STAR);
        assert!((2.5..3.5).contains(&hours), "{hours}");
        let measured = Depths::measure(&box_transit(truth), hours).expect("measures");
        for (w, depth) in measured.depths.iter().enumerate() {
            assert!((depth - truth(w)).abs() < 2e-6, "wl {w}: {depth}");
        }
        assert_eq!(measured.inputs(&STAR).len(), INPUTS);
    }

    #[test]
    fn a_dead_wavelength_is_named() {
        let mut curves = box_transit(|_| 0.01);
        curves[5 * WAVELENGTHS + 7] = f64::NAN;
        assert_eq!(Depths::measure(&curves, 3.0), Err(DepthError::NoFlux { wavelength: 8, got: "NaN".into() }));
        assert!(matches!(Depths::measure(&curves[..WAVELENGTHS * 4], 3.0), Err(DepthError::TooFewBins { .. })));
    }
}
