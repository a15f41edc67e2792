//! Transit depths, measured on calibrated light curves as an astronomer does: in float64, by least squares, with errors.
//!
//! ```text
//! white  FGS1 and the inverse-variance mean of AIRS together: mid-transit; of each depth, limb darkening, drift
//! channels  each AIRS channel, its limb darkening and the mid-transit those of the white light: depth, level, drift
//! ```
//! The template is the exact transit of a circular orbit from the star table, averaged over the time of a bin, times a drift
//! of third order in time. What white light does not know well (limb darkening, above all) is wrong in the same direction
//! in every channel: such errors are kept apart from the independent ones, as [`modes`](Transit::modes).

mod channels;
mod noise;
mod ratio;
mod template;
mod white;

use super::dataset::Star;
use super::instrument::WAVELENGTHS;
use super::transit::{LimbDarkening, Orbit};
use crate::failure::Advice;

pub use self::ratio::Ratios;
pub use self::template::{BinTimes, InstrumentTimes};
use self::white::White;

/// Errors that wavelengths share: two of limb darkening, one of its slope over wavelength, one of jitter.
pub const MODES: usize = 4;

/// What the light curves of a planet say of its transit.
#[derive(Debug, Clone, PartialEq)]
pub struct Transit {
    /// Mid-transit, hours from the first read, of the first visit.
    pub mid_hours: f64,
    /// Depth (Rp/Rs)² of the inverse-variance mean of all AIRS channels.
    pub white: f64,
    /// Its standard error, limb darkening and drift included.
    pub white_error: f64,
    /// Limb darkening at FGS1's wavelength.
    pub fgs1_limb: LimbDarkening,
    /// Limb darkening of AIRS' white light.
    pub airs_limb: LimbDarkening,
    /// Depth per wavelength, `[283]`.
    pub depths: Vec<f64>,
    /// Standard error of each depth that no other wavelength shares, `[283]`.
    pub errors: Vec<f64>,
    /// Errors that wavelengths share, one standard deviation of each, independent of each other, `[283]` each.
    pub modes: [Vec<f64>; MODES],
}

/// The light of an instrument, and the transit that was fitted to it with its drift.
#[derive(Debug, Clone, PartialEq)]
pub struct FittedLight {
    /// Middle of each bin, hours from the first read.
    pub hours: Vec<f64>,
    /// Relative to the light outside the transit.
    pub flux: Vec<f64>,
    /// What the fit says of it.
    pub model: Vec<f64>,
}

/// Light curves that no transit can be measured on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransitError {
    /// Too few time bins.
    #[error("expected at least {FEWEST_BINS} time bins in a light curve, got {got}")]
    TooFewBins {
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
    /// An orbit that no transit can be computed of.
    #[error("star table: expected {expected}, got {got}")]
    NoOrbit {
        /// What makes one.
        expected: &'static str,
        /// What the table says.
        got: String,
    },
    /// The least squares have no solution.
    #[error("{what}: the fit of a transit found no minimum")]
    NoFit {
        /// Which light.
        what: String,
    },
}

impl Advice for TransitError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::TooFewBins { .. } => "set smaller calib.airs_bin and calib.fgs1_bin: more bins of fewer reads".into(),
            Self::NoOrbit { .. } => {
                "correct the planet's row in the star table, or move the planet out of the data set".into()
            }
            Self::NoFlux { .. } | Self::NoFit { .. } => {
                "move the planet out of the data set, or get its files again".into()
            }
        })
    }
}

/// Fewest bins that leave enough on both sides of a transit for a slope.
pub const FEWEST_BINS: usize = 12;

/// The orbit that the star table gives.
///
/// # Errors
/// When the table holds no orbit: degrees that look like radians, a star inside its planet's orbit, a period of nothing.
pub fn orbit(star: &Star) -> Result<Orbit, TransitError> {
    let checks = [
        ("a period P above 0 days", star.period_days, 0.0..1e5),
        ("a semi-major axis sma above 1 radius of the star", star.semi_major_axis_radii, 1.0..1e5),
        ("an inclination i from 45 to 135 degrees", star.inclination_degrees, 45.0..135.0),
    ];
    match checks
        .into_iter()
        .find(|(_, value, range)| !(value.is_finite() && *value > range.start && *value < range.end))
    {
        Some((expected, got, _)) => Err(TransitError::NoOrbit { expected, got: got.to_string() }),
        None => Ok(Orbit {
            period_days: star.period_days,
            semi_major_axis_radii: star.semi_major_axis_radii,
            inclination_degrees: star.inclination_degrees,
        }),
    }
}

/// Refuses light curves, `[bins, 283]`, that hold no light.
///
/// # Errors
/// With too few bins, or a wavelength without flux.
pub fn check_curves(curves: &[f64]) -> Result<(), TransitError> {
    let bins = curves.len() / WAVELENGTHS;
    if bins < FEWEST_BINS {
        return Err(TransitError::TooFewBins { got: bins });
    }
    match curves.iter().position(|flux| !(flux.is_finite() && *flux > 0.0)) {
        Some(at) => Err(TransitError::NoFlux { wavelength: at % WAVELENGTHS + 1, got: curves[at].to_string() }),
        None => Ok(()),
    }
}

impl Transit {
    /// Measures one visit. `curves` is `[bins, 283]`, row by row; `wavelengths_um` are those of its columns.
    ///
    /// # Errors
    /// When the light curves or the orbit are none, or nothing fits.
    pub fn measure(
        curves: &[f64],
        times: &BinTimes,
        wavelengths_um: &[f64],
        star: &Star,
    ) -> Result<Self, TransitError> {
        check_curves(curves)?;
        let orbit = orbit(star)?;
        let relative = noise::Relative::of(curves);
        let white = White::fit(&relative, times, &orbit)?;
        channels::fit(&relative, times, wavelengths_um, &orbit, &white)
    }

    /// What is fitted first: FGS1, and the inverse-variance mean of AIRS, of one visit.
    ///
    /// # Errors
    /// As [`measure`](Self::measure).
    pub fn white_light(curves: &[f64], times: &BinTimes, star: &Star) -> Result<[FittedLight; 2], TransitError> {
        check_curves(curves)?;
        let (orbit, relative) = (orbit(star)?, noise::Relative::of(curves));
        Ok(White::fit(&relative, times, &orbit)?.fitted(&relative, times, &orbit))
    }

    /// Several visits of a planet as one: means weighted by what each is worth, of independent errors.
    ///
    /// # Panics
    /// Without a visit.
    pub fn combine(visits: &[Self]) -> Self {
        let first = visits.first().expect("a planet has a visit");
        if visits.len() == 1 {
            return first.clone();
        }
        let raw: Vec<f64> = visits.iter().map(|visit| 1.0 / (visit.white_error * visit.white_error)).collect();
        let sum: f64 = raw.iter().sum();
        let weights: Vec<f64> = raw.iter().map(|weight| weight / sum).collect();
        let mean = |of: &dyn Fn(&Self) -> f64| visits.iter().zip(&weights).map(|(visit, w)| w * of(visit)).sum::<f64>();
        let root = |of: &dyn Fn(&Self) -> f64| {
            visits.iter().zip(&weights).map(|(visit, w)| w * w * of(visit) * of(visit)).sum::<f64>().sqrt()
        };
        let limb = |of: &dyn Fn(&Self) -> LimbDarkening| LimbDarkening {
            u1: mean(&|visit| of(visit).u1),
            u2: mean(&|visit| of(visit).u2),
        };
        // A mode has the same sign in every visit of a planet, so its shape is the mean of theirs.
        let mode = |number: usize, w: usize| {
            let size = root(&|visit| visit.modes[number][w]);
            size.copysign(mean(&|visit| visit.modes[number][w]))
        };
        Self {
            mid_hours: first.mid_hours,
            white: mean(&|visit| visit.white),
            white_error: root(&|visit| visit.white_error),
            fgs1_limb: limb(&|visit| visit.fgs1_limb),
            airs_limb: limb(&|visit| visit.airs_limb),
            depths: (0..WAVELENGTHS).map(|w| mean(&|visit| visit.depths[w])).collect(),
            errors: (0..WAVELENGTHS).map(|w| root(&|visit| visit.errors[w])).collect(),
            modes: std::array::from_fn(|number| (0..WAVELENGTHS).map(|w| mode(number, w)).collect()),
        }
    }

    /// Standard error of a depth, shared errors included.
    pub fn error(&self, wavelength: usize) -> f64 {
        let own = self.errors[wavelength];
        self.modes.iter().fold(own * own, |sum, mode| sum + mode[wavelength] * mode[wavelength]).sqrt()
    }
}

#[cfg(test)]
mod tests;
