//! FGS1 and the white light of AIRS together: when the planet passes, and what the star's limb does.

use super::noise::{Relative, scatter};
use super::template::{BinTimes, InstrumentTimes};
use super::{FittedLight, LimbDarkening, Orbit, TransitError};
use crate::ariel::linalg::Cholesky;
use crate::ariel::transit::Covered;

/// Standard deviation of a drift's Legendre coefficients, relative to the light: 1e-4 to 4e-4 from end to end in real
/// frames, least of it of the third order.
pub(super) const DRIFT_SD: [f64; 3] = [3e-4, 3e-4, 1e-4];
/// Limb darkening at 0.7 µm (u1 within 0…0.8, u2 within 0…0.4) and about 2.6 µm: mean and standard deviation of (u1, u2).
const LIMB: [[(f64, f64); 2]; 2] = [[(0.40, 0.25), (0.20, 0.12)], [(0.18, 0.12), (0.09, 0.06)]];
/// Radii, relative to the star's.
const RADII: std::ops::RangeInclusive<f64> = 0.01..=0.5;

/// Numbers of one band: level, three of drift, radius, two of limb darkening.
const BAND: usize = 7;
/// Mid-transit, and two bands.
const NUMBERS: usize = 1 + 2 * BAND;
/// Places in a band.
const LEVEL: usize = 0;
const DRIFT: usize = 1;
const RADIUS: usize = 4;
const LIMB_PLACE: usize = 5;
/// Where AIRS begins among all numbers; FGS1 begins at 1.
const AIRS: usize = 1 + BAND;

/// A fit of both bands.
#[derive(Debug, Clone)]
pub(super) struct White {
    pub mid_hours: f64,
    pub fgs1: Band,
    pub airs: Band,
    /// Covariance of the AIRS limb darkening: of u1, of both, of u2.
    pub airs_limb_covariance: [f64; 3],
    /// Covariance of FGS1's radius with the AIRS limb darkening.
    pub fgs1_radius_with_limb: [f64; 2],
    /// Standard error of AIRS' radius if limb darkening were known.
    pub airs_radius_error_at_limb: f64,
    /// Share of the variance of white light's bins that its channels have in common.
    pub common_share: f64,
}

/// One band of a fit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Band {
    pub level: f64,
    pub radius: f64,
    pub radius_error: f64,
    pub limb: LimbDarkening,
    pub drift: [f64; 3],
}

/// The light of one band, and what its model needs.
struct Light<'a> {
    curve: &'a [f64],
    times: &'a InstrumentTimes,
    drift: Vec<[f64; 3]>,
    scatter: f64,
    limb_prior: [(f64, f64); 2],
}

impl Light<'_> {
    /// 1 + the drift in a bin.
    fn drifted(&self, band: &[f64], bin: usize) -> f64 {
        1.0 + (0..3).map(|order| band[DRIFT + order] * self.drift[bin][order]).sum::<f64>()
    }
}

fn limb_of(band: &[f64]) -> LimbDarkening {
    LimbDarkening { u1: band[LIMB_PLACE], u2: band[LIMB_PLACE + 1] }
}

/// What a place among the numbers costs, and where it is to go.
struct Evaluation {
    /// Half the curvature: AᵀWA and the priors.
    normal: Vec<f64>,
    /// AᵀWr and the priors.
    gradient: Vec<f64>,
}

/// The problem to be solved.
struct Problem<'a> {
    orbit: &'a Orbit,
    lights: [Light<'a>; 2],
}

impl Problem<'_> {
    fn covered(&self, light: &Light<'_>, mid_hours: f64, radius: f64) -> Vec<Covered> {
        light.times.covered(self.orbit, mid_hours, radius)
    }

    /// Sum of squares over variances, the priors' included, and of each band's residuals.
    fn cost(&self, numbers: &[f64]) -> (f64, [f64; 2]) {
        let mut cost = 0.0;
        let squares = std::array::from_fn(|index| {
            let (light, band) = (&self.lights[index], &numbers[1 + index * BAND..][..BAND]);
            let covered = self.covered(light, numbers[0], band[RADIUS]);
            let model = |bin: usize| band[LEVEL] * light.drifted(band, bin) * covered[bin].transmitted(limb_of(band));
            let squares: f64 = light.curve.iter().enumerate().map(|(bin, flux)| (flux - model(bin)).powi(2)).sum();
            cost += squares / (light.scatter * light.scatter);
            cost += self.priors(index).map(|(place, mean, sd)| ((band[place] - mean) / sd).powi(2)).sum::<f64>();
            squares
        });
        (cost, squares)
    }

    /// Place in the band, mean and standard deviation.
    fn priors(&self, index: usize) -> impl Iterator<Item = (usize, f64, f64)> {
        let drift = DRIFT_SD.into_iter().enumerate().map(|(order, sd)| (DRIFT + order, 0.0, sd));
        let limb = self.lights[index].limb_prior.into_iter().enumerate();
        drift.chain(limb.map(|(which, (mean, sd))| (LIMB_PLACE + which, mean, sd)))
    }

    fn evaluate(&self, numbers: &[f64]) -> Evaluation {
        /// Steps of the differences that stand for derivatives: hours, radii, coefficients.
        const STEPS: [f64; 3] = [1e-4, 1e-5, 1e-5];
        let mut normal = vec![0.0; NUMBERS * NUMBERS];
        let mut gradient = vec![0.0; NUMBERS];
        for (index, light) in self.lights.iter().enumerate() {
            let base = 1 + index * BAND;
            let band = &numbers[base..][..BAND];
            let (mid, radius, limb) = (numbers[0], band[RADIUS], limb_of(band));
            let here = self.covered(light, mid, radius);
            let around_mid = [STEPS[0], -STEPS[0]].map(|step| self.covered(light, mid + step, radius));
            let around_radius = [STEPS[1], -STEPS[1]].map(|step| self.covered(light, mid, radius + step));
            let weight = 1.0 / (light.scatter * light.scatter);
            let slope = |pair: &[Vec<Covered>; 2], bin: usize, step: f64| {
                (pair[0][bin].transmitted(limb) - pair[1][bin].transmitted(limb)) / (2.0 * step)
            };
            for (bin, &flux) in light.curve.iter().enumerate() {
                let transmitted = here[bin].transmitted(limb);
                let drifted = light.drifted(band, bin);
                let by_limb = |u1: f64, u2: f64| {
                    let at = |sign: f64| {
                        here[bin].transmitted(LimbDarkening { u1: limb.u1 + sign * u1, u2: limb.u2 + sign * u2 })
                    };
                    band[LEVEL] * drifted * (at(1.0) - at(-1.0)) / (2.0 * STEPS[2])
                };
                let drift = light.drift[bin].map(|order| band[LEVEL] * transmitted * order);
                let derivatives = [
                    band[LEVEL] * drifted * slope(&around_mid, bin, STEPS[0]),
                    drifted * transmitted,
                    drift[0],
                    drift[1],
                    drift[2],
                    band[LEVEL] * drifted * slope(&around_radius, bin, STEPS[1]),
                    by_limb(STEPS[2], 0.0),
                    by_limb(0.0, STEPS[2]),
                ];
                let residual = flux - band[LEVEL] * drifted * transmitted;
                let place = |number: usize| if number == 0 { 0 } else { base + number - 1 };
                for (row, of_row) in derivatives.iter().enumerate() {
                    gradient[place(row)] += weight * of_row * residual;
                    for (column, of_column) in derivatives.iter().enumerate() {
                        normal[place(row) * NUMBERS + place(column)] += weight * of_row * of_column;
                    }
                }
            }
            for (place, mean, sd) in self.priors(index) {
                normal[(base + place) * (NUMBERS + 1)] += 1.0 / (sd * sd);
                gradient[base + place] -= (band[place] - mean) / (sd * sd);
            }
        }
        Evaluation { normal, gradient }
    }

    /// Levenberg's and Marquardt's descent.
    fn descend(&self, numbers: &mut Vec<f64>) -> Result<(), TransitError> {
        /// A step that gains less is the last one.
        const GAIN: f64 = 1e-4;
        let (mut cost, mut damping) = (self.cost(numbers).0, 1e-3);
        for _ in 0..30 {
            let Evaluation { normal, gradient } = self.evaluate(numbers);
            let mut gained = None;
            while gained.is_none() && damping < 1e8 {
                let mut damped = normal.clone();
                (0..NUMBERS).for_each(|number| damped[number * (NUMBERS + 1)] *= 1.0 + damping);
                let mut step = gradient.clone();
                Cholesky::of(damped, NUMBERS).ok_or_else(no_fit)?.solve(&mut step);
                let mut candidate: Vec<f64> = numbers.iter().zip(&step).map(|(number, step)| number + step).collect();
                self.keep_within(&mut candidate);
                let there = self.cost(&candidate).0;
                if there <= cost {
                    gained = Some(cost - there);
                    (*numbers, cost) = (candidate, there);
                    damping = (damping * 0.1).max(1e-9);
                } else {
                    damping *= 10.0;
                }
            }
            if gained.is_none_or(|gained| gained < GAIN) {
                break;
            }
        }
        Ok(())
    }

    /// A radius that reaches the star's disk, and a mid-transit about the visit.
    fn keep_within(&self, numbers: &mut [f64]) {
        let times = &self.lights[1].times.middles;
        let (first, last) = (times[0], times[times.len() - 1]);
        let margin = 0.2 * (last - first);
        numbers[0] = numbers[0].clamp(first - margin, last + margin);
        let smallest = smallest_radius(self.orbit);
        for base in [1, AIRS] {
            numbers[base + RADIUS] = numbers[base + RADIUS].clamp(smallest, *RADII.end());
        }
    }
}

/// The smallest radius whose planet touches the star's disk.
pub(super) fn smallest_radius(orbit: &Orbit) -> f64 {
    RADII.start().max(orbit.impact() - 1.0 + 1e-3).min(*RADII.end())
}

fn no_fit() -> TransitError {
    TransitError::NoFit { what: "white light".into() }
}

impl White {
    /// The light of both bands with the model that was fitted to it: FGS1, AIRS.
    pub fn fitted(&self, relative: &Relative, times: &BinTimes, orbit: &Orbit) -> [FittedLight; 2] {
        let white = relative.white();
        let bands = [(&relative.curves[0], &times.fgs1, self.fgs1), (&white, &times.airs, self.airs)];
        bands.map(|(curve, times, band)| {
            let covered = times.covered(orbit, self.mid_hours, band.radius);
            let drift = InstrumentTimes::drift(times);
            let model = |bin: usize| {
                let drifted = 1.0 + band.drift.iter().zip(drift[bin]).map(|(own, order)| own * order).sum::<f64>();
                drifted * covered[bin].transmitted(band.limb)
            };
            FittedLight {
                hours: times.middles.clone(),
                flux: curve.iter().map(|flux| flux / band.level).collect(),
                model: (0..curve.len()).map(model).collect(),
            }
        })
    }

    pub fn fit(relative: &Relative, times: &BinTimes, orbit: &Orbit) -> Result<Self, TransitError> {
        let white = relative.white();
        let light = |curve, times, limb_prior| Light {
            curve,
            times,
            drift: InstrumentTimes::drift(times),
            scatter: scatter(curve),
            limb_prior,
        };
        let mut problem = Problem {
            orbit,
            lights: [light(&relative.curves[0], &times.fgs1, LIMB[0]), light(&white, &times.airs, LIMB[1])],
        };
        let (mid_hours, radius) = search(orbit, &problem.lights[1])?;
        let band = |[(u1, _), (u2, _)]: [(f64, f64); 2]| [1.0, 0.0, 0.0, 0.0, radius, u1, u2];
        let mut numbers = [&[mid_hours][..], &band(LIMB[0]), &band(LIMB[1])].concat();
        problem.descend(&mut numbers)?;
        // What is left is the better estimate of the noise, jitter included.
        let (_, squares) = problem.cost(&numbers);
        for (light, squares) in problem.lights.iter_mut().zip(squares) {
            light.scatter = (squares / (light.curve.len() - BAND) as f64).sqrt().max(1e-7);
        }
        problem.descend(&mut numbers)?;

        let normal = problem.evaluate(&numbers).normal;
        let known_limb = [0, AIRS, AIRS + 1, AIRS + 2, AIRS + 3, AIRS + RADIUS];
        let part: Vec<f64> =
            known_limb.iter().flat_map(|row| known_limb.map(|column| normal[row * NUMBERS + column])).collect();
        let at_limb = Cholesky::of(part, known_limb.len()).ok_or_else(no_fit)?.inverse();
        let covariance = Cholesky::of(normal, NUMBERS).ok_or_else(no_fit)?.inverse();
        let of = |row: usize, column: usize| covariance[row * NUMBERS + column];
        let band = |base: usize| Band {
            level: numbers[base + LEVEL],
            radius: numbers[base + RADIUS],
            radius_error: of(base + RADIUS, base + RADIUS).sqrt(),
            limb: limb_of(&numbers[base..][..BAND]),
            drift: std::array::from_fn(|order| numbers[base + DRIFT + order]),
        };
        let (u1, u2) = (AIRS + LIMB_PLACE, AIRS + LIMB_PLACE + 1);
        let variance = problem.lights[1].scatter * problem.lights[1].scatter;
        Ok(Self {
            mid_hours: numbers[0],
            fgs1: band(1),
            airs: band(AIRS),
            airs_limb_covariance: [of(u1, u1), of(u1, u2), of(u2, u2)],
            fgs1_radius_with_limb: [of(1 + RADIUS, u1), of(1 + RADIUS, u2)],
            airs_radius_error_at_limb: at_limb[known_limb.len() * known_limb.len() - 1].sqrt(),
            common_share: ((variance - relative.white_photon_variance()) / variance).clamp(0.0, 1.0),
        })
    }
}

/// Where to begin: the mid-transit and radius, of those on a grid, with which a transit of any depth and a quadratic drift
/// explain most (the first ones on a tie).
fn search(orbit: &Orbit, light: &Light<'_>) -> Result<(f64, f64), TransitError> {
    /// Mid-transits that are tried: a twelfth of the visit's length is shorter than any transit's half.
    const MIDDLES: usize = 48;
    /// Of a grazing planet the shape depends on the radius; of another one all are alike.
    const GRAZING: [f64; 5] = [0.05, 0.09, 0.13, 0.18, 0.24];
    const WHOLE: [f64; 1] = [0.1];
    let impact = orbit.impact();
    let grazes = impact > 0.85;
    let radii: &[f64] = if grazes { &GRAZING } else { &WHOLE };
    let [(u1, _), (u2, _)] = light.limb_prior;
    let (first, last) = (light.times.middles[0], light.times.middles[light.times.middles.len() - 1]);
    let mut best: Option<(f64, f64, f64)> = None;
    for &radius in radii {
        let radius = radius.max(smallest_radius(orbit) + 0.02);
        for step in 0..MIDDLES {
            let middle = first + (last - first) * (step as f64 + 0.5) / MIDDLES as f64;
            let covered = light.times.covered(orbit, middle, radius);
            let (mut normal, mut right) = (vec![0.0; 16], [0.0; 4]);
            for (bin, flux) in light.curve.iter().enumerate() {
                let dip = 1.0 - covered[bin].transmitted(LimbDarkening { u1, u2 });
                let row = [1.0, light.drift[bin][0], light.drift[bin][1], -dip];
                for (place, value) in row.iter().enumerate() {
                    right[place] += value * flux;
                    row.iter().enumerate().for_each(|(other, times)| normal[place * 4 + other] += value * times);
                }
            }
            // Where no bin is in transit the last column is empty.
            normal[15] += 1e-12;
            let mut solution = right;
            Cholesky::of(normal, 4).ok_or_else(no_fit)?.solve(&mut solution);
            let explained: f64 = solution.iter().zip(right).map(|(number, right)| number * right).sum();
            if solution[3] > 0.0 && best.is_none_or(|(most, ..)| explained > most) {
                // As much deeper as the dip has to be.
                let radius = if grazes { radius } else { radius * solution[3].sqrt() };
                best = Some((explained, middle, radius.clamp(smallest_radius(orbit), *RADII.end())));
            }
        }
    }
    best.map(|(_, middle, radius)| (middle, radius)).ok_or_else(no_fit)
}
