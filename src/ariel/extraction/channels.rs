//! Each AIRS channel by itself, with the mid-transit and the limb darkening of the white light.

use super::noise::Relative;
use super::template::BinTimes;
use super::white::{DRIFT_SD, White, smallest_radius};
use super::{LimbDarkening, MODES, Orbit, Transit, TransitError};
use crate::ariel::instrument::WAVELENGTHS;
use crate::ariel::linalg::Cholesky;
use crate::ariel::transit::Covered;

/// Limb darkening falls with the wavelength as λ^SLOPE, give or take SLOPE_SD: what the errors of the channels allow for.
const SLOPE: f64 = -0.6;
const SLOPE_SD: f64 = 0.3;
/// A channel's drift differs from that of white light by so much of what a drift may be.
const OWN_DRIFT: f64 = 0.6;
/// Radii, relative to that of white light, at which the covered light is computed; between them it is interpolated.
const NODES: [f64; 5] = [0.88, 0.94, 1.0, 1.06, 1.12];
/// Steps of Gauss and Newton: the radius of white light is close.
const STEPS: usize = 3;
/// Level, drift, radius.
const NUMBERS: usize = 5;

pub(super) fn fit(
    relative: &Relative,
    times: &BinTimes,
    wavelengths_um: &[f64],
    orbit: &Orbit,
    white: &White,
) -> Result<Transit, TransitError> {
    let nodes = NODES.map(|node| node * white.airs.radius);
    let grid = nodes.map(|radius| times.airs.covered(orbit, white.mid_hours, radius));
    let drift = times.airs.drift();
    let weights = relative.airs_weights();
    // Limb darkening is linear in light: white light has the mean of its channels'.
    let mean = |of: &dyn Fn(f64) -> f64| -> f64 {
        wavelengths_um[1..].iter().zip(&weights).map(|(um, weight)| weight * of(*um)).sum()
    };
    let mean_logarithm = mean(&libm::log);
    let mean_power = mean(&|um| libm::pow(um, SLOPE));

    let fgs1 = white.fgs1;
    let (mut depths, mut errors) = (vec![fgs1.radius * fgs1.radius], Vec::with_capacity(WAVELENGTHS));
    // Square roots of the covariance of white light's limb darkening.
    let [v11, v12, v22] = white.airs_limb_covariance;
    let l11 = v11.sqrt();
    let l21 = v12 / l11;
    let l22 = (v22 - l21 * l21).max(0.0).sqrt();
    let [with_u1, with_u2] = white.fgs1_radius_with_limb.map(|covariance| 2.0 * fgs1.radius * covariance);
    let first = with_u1 / l11;
    let second = if l22 > 0.0 { (with_u2 - l21 * first) / l22 } else { 0.0 };
    let fgs1_error = 2.0 * fgs1.radius * fgs1.radius_error;
    errors.push((fgs1_error * fgs1_error - first * first - second * second).max(0.0).sqrt());
    let jitter = 2.0 * white.airs.radius * white.airs_radius_error_at_limb * white.common_share.sqrt();
    let mut modes: [Vec<f64>; MODES] = [vec![first], vec![second], vec![0.0], vec![0.0]];

    for (channel, curve) in relative.curves.iter().enumerate().skip(1) {
        let logarithm = libm::log(wavelengths_um[channel]) - mean_logarithm;
        let factor = libm::pow(wavelengths_um[channel], SLOPE) / mean_power;
        let limb = LimbDarkening { u1: white.airs.limb.u1 * factor, u2: white.airs.limb.u2 * factor };
        let problem = Channel { curve, scatter: relative.scatter[channel], nodes, grid: &grid, drift: &drift, limb };
        let smallest = smallest_radius(orbit);
        let Solved { radius, error, by_limb } = problem
            .solve(white.airs.radius, white.airs.drift, smallest)
            .ok_or_else(|| TransitError::NoFit { what: format!("wl_{}", channel + 1) })?;
        depths.push(radius * radius);
        errors.push(2.0 * radius * error);
        let [by_u1, by_u2] = by_limb.map(|shift| 2.0 * radius * shift * factor);
        modes[0].push(by_u1 * l11 + by_u2 * l21);
        modes[1].push(by_u2 * l22);
        let by_slope = by_u1 * white.airs.limb.u1 + by_u2 * white.airs.limb.u2;
        modes[2].push(by_slope * logarithm * SLOPE_SD);
        modes[3].push(jitter);
    }
    Ok(Transit {
        mid_hours: white.mid_hours,
        white: white.airs.radius * white.airs.radius,
        white_error: 2.0 * white.airs.radius * white.airs.radius_error,
        fgs1_limb: fgs1.limb,
        airs_limb: white.airs.limb,
        depths,
        errors,
        modes,
    })
}

/// One channel's least squares.
struct Channel<'a> {
    curve: &'a [f64],
    scatter: f64,
    nodes: [f64; NODES.len()],
    grid: &'a [Vec<Covered>; NODES.len()],
    drift: &'a [[f64; 3]],
    limb: LimbDarkening,
}

struct Solved {
    radius: f64,
    error: f64,
    /// How far the radius moves when u1, or u2, is larger by 1 than it was taken to be.
    by_limb: [f64; 2],
}

impl Channel<'_> {
    fn solve(&self, radius: f64, white_drift: [f64; 3], smallest: f64) -> Option<Solved> {
        let bins = self.curve.len();
        let transmitted: [Vec<f64>; NODES.len()] =
            std::array::from_fn(|node| self.grid[node].iter().map(|covered| covered.transmitted(self.limb)).collect());
        let weight = 1.0 / (self.scatter * self.scatter);
        let (mut level, mut own, mut radius) = (1.0, white_drift, radius);
        let mut covariance = Vec::new();
        let derivatives = |bin: usize, level: f64, own: &[f64; 3], (values, slopes): &([f64; 5], [f64; 5])| {
            let at = |weights: &[f64; 5]| (0..5).map(|node| weights[node] * transmitted[node][bin]).sum::<f64>();
            let (light, slope) = (at(values), at(slopes));
            let drifted = 1.0 + own.iter().zip(self.drift[bin]).map(|(own, order)| own * order).sum::<f64>();
            let [first, second, third] = self.drift[bin].map(|order| level * light * order);
            [drifted * light, first, second, third, level * drifted * slope]
        };
        for _ in 0..STEPS {
            let polynomial = lagrange(&self.nodes, radius);
            let (mut normal, mut step) = (vec![0.0; NUMBERS * NUMBERS], [0.0; NUMBERS]);
            for bin in 0..bins {
                let row = derivatives(bin, level, &own, &polynomial);
                let residual = self.curve[bin] - level * row[0];
                for (place, value) in row.iter().enumerate() {
                    step[place] += weight * value * residual;
                    row.iter().enumerate().for_each(|(other, times)| {
                        normal[place * NUMBERS + other] += weight * value * times;
                    });
                }
            }
            for (order, sd) in DRIFT_SD.map(|sd| OWN_DRIFT * sd).into_iter().enumerate() {
                normal[(order + 1) * (NUMBERS + 1)] += 1.0 / (sd * sd);
                step[order + 1] -= (own[order] - white_drift[order]) / (sd * sd);
            }
            let cholesky = Cholesky::of(normal, NUMBERS)?;
            cholesky.solve(&mut step);
            covariance = cholesky.inverse();
            level += step[0];
            own.iter_mut().zip(&step[1..4]).for_each(|(own, step)| *own += step);
            radius = (radius + step[4]).clamp(smallest.min(radius), 0.5);
        }
        // The radius answers to a small change of the light by the last row of the solution.
        let polynomial = lagrange(&self.nodes, radius);
        let last = &covariance[NUMBERS * (NUMBERS - 1)..];
        let mut by_limb = [0.0; 2];
        for bin in 0..bins {
            let row = derivatives(bin, level, &own, &polynomial);
            let answer: f64 = row.iter().zip(last).map(|(value, of)| value * of).sum::<f64>() * weight;
            for (shift, direction) in by_limb.iter_mut().zip([(1.0, 0.0), (0.0, 1.0)]) {
                *shift -= answer * level * self.limb_slope(bin, direction);
            }
        }
        Some(Solved { radius, error: covariance[NUMBERS * NUMBERS - 1].sqrt(), by_limb })
    }

    /// Derivative of the light at the middle node.
    fn limb_slope(&self, bin: usize, (u1, u2): (f64, f64)) -> f64 {
        const STEP: f64 = 1e-4;
        let at = |sign: f64| {
            let LimbDarkening { u1: here1, u2: here2 } = self.limb;
            let moved = LimbDarkening { u1: here1 + sign * STEP * u1, u2: here2 + sign * STEP * u2 };
            self.grid[NODES.len() / 2][bin].transmitted(moved)
        };
        (at(1.0) - at(-1.0)) / (2.0 * STEP)
    }
}

/// What each node weighs in the polynomial through all of them at `x`, and in its slope there.
fn lagrange(nodes: &[f64; NODES.len()], x: f64) -> ([f64; NODES.len()], [f64; NODES.len()]) {
    let others = |this: usize| (0..NODES.len()).filter(move |&other| other != this);
    let values = std::array::from_fn(|this| {
        others(this).map(|other| (x - nodes[other]) / (nodes[this] - nodes[other])).product()
    });
    let slopes = std::array::from_fn(|this| {
        let without = |left_out: usize| -> f64 {
            let rest = others(this).filter(|&other| other != left_out);
            rest.map(|other| (x - nodes[other]) / (nodes[this] - nodes[other])).product()
        };
        others(this).map(|left_out| without(left_out) / (nodes[this] - nodes[left_out])).sum()
    });
    (values, slopes)
}
