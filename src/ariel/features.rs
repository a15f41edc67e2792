//! What is known of a planet before a model sees it: its measured transit, its star, and its light curves in a form for
//! networks.
//!
//! Plain float64 with transcendental functions from `libm`, every sum in index order: the same bits everywhere.

use rayon::prelude::*;

use super::calibration::LightCurves;
use super::dataset::Star;
use super::extraction::{self, BinTimes, Ratios, Transit, TransitError};
use super::instrument::WAVELENGTHS;
use super::transit::Orbit;
use crate::failure::Advice;

/// Bands of AIRS whose light curves a network sees.
const BANDS: usize = 16;
/// Light curves that a network sees: FGS1, then the bands from short to long wavelengths.
pub const CURVES: usize = 1 + BANDS;
/// Numbers beside them that a network sees of a planet; the strengths of the prior's components come on top.
pub const SCALARS: usize = 24;

/// One planet, measured.
#[derive(Debug, Clone, PartialEq)]
pub struct MeasuredPlanet {
    /// The planet.
    pub planet: i64,
    /// Its transit, of all its visits together.
    pub transit: Transit,
    /// Boxes instead of transits.
    pub ratios: Ratios,
    /// `[SCALARS]`, before standardisation.
    pub scalars: Vec<f64>,
    /// `[CURVES, bins]`: flux of the first visit relative to that outside the transit, minus 1, in per cent.
    pub curves: Vec<f32>,
}

/// Light curves that cannot be turned into model inputs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MeasureError {
    /// No transit can be measured.
    #[error("planet {planet}, visit {visit}: {source}")]
    Transit {
        /// The planet.
        planet: i64,
        /// The visit.
        visit: u32,
        /// Why.
        source: TransitError,
    },
    /// The star table has no row for a planet.
    #[error("planet {planet}: expected a row in the star table, got none")]
    NoStar {
        /// The planet.
        planet: i64,
    },
}

impl Advice for MeasureError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Transit { source, .. } => source.hint(),
            Self::NoStar { .. } => Some("get the star table again, or move that planet out of the data set".into()),
        }
    }
}

/// Measures every planet, in ascending order; `stars` are in ascending order of planets, `wavelengths_um` those of the light
/// curves' columns.
///
/// # Errors
/// When a planet has no star, or a light curve no flux or too few bins.
pub fn measure(
    curves: &LightCurves,
    stars: &[Star],
    wavelengths_um: &[f64],
) -> Result<Vec<MeasuredPlanet>, MeasureError> {
    measure_each(curves, stars, wavelengths_um).into_iter().map(|(_, measured)| measured).collect()
}

/// As [`measure`], with what came of each planet.
pub fn measure_each(
    curves: &LightCurves,
    stars: &[Star],
    wavelengths_um: &[f64],
) -> Vec<(i64, Result<MeasuredPlanet, MeasureError>)> {
    let row_length = curves.bins * WAVELENGTHS;
    let rows: Vec<_> = curves.visits.iter().zip(curves.values.chunks_exact(row_length)).collect();
    let planets: Vec<_> = rows.chunk_by(|(a, _), (b, _)| a.planet == b.planet).collect();
    let measured = planets.par_iter().map(|visits| {
        let planet = visits[0].0.planet;
        let visits: Vec<_> = visits.iter().map(|(visit, curve)| (visit.number, *curve)).collect();
        (planet, measure_planet(planet, &visits, &curves.times, stars, wavelengths_um))
    });
    measured.collect()
}

/// Measures the visits of a planet: number and light curves of each.
fn measure_planet(
    planet: i64,
    visits: &[(u32, &[f64])],
    times: &BinTimes,
    stars: &[Star],
    wavelengths_um: &[f64],
) -> Result<MeasuredPlanet, MeasureError> {
    let row = stars.binary_search_by_key(&planet, |star| star.planet_id);
    let star = row.map(|row| &stars[row]).map_err(|_| MeasureError::NoStar { planet })?;
    let (mut transits, mut ratios) = (Vec::new(), Vec::new());
    for (visit, curve) in visits {
        let named = |source| MeasureError::Transit { planet, visit: *visit, source };
        transits.push(Transit::measure(curve, times, wavelengths_um, star).map_err(named)?);
        ratios.push(Ratios::measure(curve, times, star).map_err(named)?);
    }
    let transit = Transit::combine(&transits);
    let orbit = extraction::orbit(star).expect("a transit of it was measured");
    Ok(MeasuredPlanet {
        planet,
        scalars: scalars(&transit, star, &orbit, times),
        curves: relative_curves(visits[0].1, &transits[0], &orbit, times),
        ratios: Ratios::combine(&ratios),
        transit,
    })
}

fn scalars(transit: &Transit, star: &Star, orbit: &Orbit, times: &BinTimes) -> Vec<f64> {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let log = |value: f64| libm::log(value.max(1e-9));
    let radius = transit.white.sqrt();
    let half = orbit.transit_hours(radius) / 2.0;
    let middles = &times.airs.middles;
    let (before, after) =
        (transit.mid_hours - half - middles[0], middles[middles.len() - 1] - transit.mid_hours - half);
    let airs_error = (1..WAVELENGTHS).map(|w| transit.error(w)).sum::<f64>() / (WAVELENGTHS - 1) as f64;
    let numbers = vec![
        radius,
        transit.white,
        log(transit.white_error),
        (transit.depths[0] - transit.white) / transit.white,
        log(transit.error(0)),
        (mean(&transit.depths[1..]) - transit.white) / transit.white,
        log(airs_error),
        log(mean(&transit.errors[1..])),
        transit.fgs1_limb.u1,
        transit.fgs1_limb.u2,
        transit.airs_limb.u1,
        transit.airs_limb.u2,
        transit.mid_hours,
        2.0 * half,
        before,
        after,
        orbit.impact(),
        star.radius_solar,
        star.mass_solar,
        star.temperature_kelvin,
        star.planet_mass_jupiter,
        log(star.period_days),
        log(star.semi_major_axis_radii),
        star.inclination_degrees,
    ];
    debug_assert_eq!(numbers.len(), SCALARS);
    numbers
}

/// `[CURVES, bins]`.
fn relative_curves(curve: &[f64], transit: &Transit, orbit: &Orbit, times: &BinTimes) -> Vec<f32> {
    let bins = curve.len() / WAVELENGTHS;
    let half = orbit.transit_hours(transit.white.sqrt()) / 2.0;
    let outside: Vec<usize> =
        (0..bins).filter(|&bin| (times.airs.middles[bin] - transit.mid_hours).abs() > half).collect();
    // A transit without a beginning and an end leaves the whole visit.
    let outside = if outside.len() < 3 { (0..bins).collect() } else { outside };
    let level = |w: usize| outside.iter().map(|bin| curve[bin * WAVELENGTHS + w]).sum::<f64>() / outside.len() as f64;
    let levels: Vec<f64> = (0..WAVELENGTHS).map(level).collect();
    // Relative errors of the depths stand for those of the light.
    let weights: Vec<f64> = transit.errors.iter().map(|error| 1.0 / (error * error).max(1e-18)).collect();
    let channels = WAVELENGTHS - 1;
    let bands = (0..BANDS).map(|band| 1 + band * channels / BANDS..1 + (band + 1) * channels / BANDS);
    std::iter::once(0..1)
        .chain(bands)
        .flat_map(|band| {
            let total: f64 = weights[band.clone()].iter().sum();
            let (levels, weights) = (&levels, &weights);
            (0..bins).map(move |bin| {
                let relative = |w: usize| weights[w] * (curve[bin * WAVELENGTHS + w] / levels[w] - 1.0);
                (100.0 * band.clone().map(relative).sum::<f64>() / total) as f32
            })
        })
        .collect()
}
