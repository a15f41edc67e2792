//! What the spectra of the training planets say of a spectrum before it is measured, and what is left of that after.
//!
//! A spectrum relative to its own mean is, in the prior, a mean spectrum plus a few principal components of the training
//! spectra plus what they leave, independent from wavelength to wavelength:
//!
//! ```text
//! depth = m (a mean + Σ cᵢ componentᵢ + rest)       a ~ N(1, ½), cᵢ ~ N(0, varianceᵢ), rest ~ N(0, rest variance)
//! measured = depth + Σ ηⱼ modeⱼ + own error          ηⱼ ~ N(0, 1)
//! ```
//! m is the measured white-light depth. The posterior of (a, c, η) is a least-squares problem of a dozen numbers.

use serde::{Deserialize, Serialize};

use super::extraction::{MODES, Transit};
use super::instrument::WAVELENGTHS;
use super::linalg::{Cholesky, symmetric_eigen};

/// Principal components of relative spectra.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SpectrumPrior {
    /// Mean relative spectrum, `[283]`.
    pub mean: Vec<f64>,
    /// Unit vectors, `[components][283]`, the one of the largest variance first.
    pub components: Vec<Vec<f64>>,
    /// Variance along each.
    pub variances: Vec<f64>,
    /// Variance per wavelength that the components leave, `[283]`.
    pub rest: Vec<f64>,
}

/// A spectrum, measured and then drawn towards what spectra are like.
#[derive(Debug, Clone, PartialEq)]
pub struct Posterior {
    /// Mean depth per wavelength, `[283]`.
    pub mean: Vec<f64>,
    /// Standard deviation per wavelength, `[283]`.
    pub sd: Vec<f64>,
    /// Mean strength of each component, in its standard deviations.
    pub strengths: Vec<f64>,
}

/// Variance of a spectrum's level about the measured white-light depth, relative to it: next to no prior.
const LEVEL_VARIANCE: f64 = 0.5;
/// Least variance of a wavelength that the components leave: 10 ppm of the depth, so that few planets do not pass for all.
const LEAST_REST: f64 = 1e-10;
/// Rounds of the iteration that finds the components: their variances fall by a half and more from one to the next.
const ROUNDS: usize = 30;

impl SpectrumPrior {
    /// Learns at most `components` components from true spectra, `[planets][283]`.
    pub fn learn(truths: &[&[f64]], components: usize) -> Self {
        let count = truths.len() as f64;
        let relative = |truth: &&[f64]| -> Vec<f64> {
            let mean = truth.iter().sum::<f64>() / WAVELENGTHS as f64;
            truth.iter().map(|depth| depth / mean).collect()
        };
        let mut rows: Vec<Vec<f64>> = truths.iter().map(relative).collect();
        let mean: Vec<f64> = (0..WAVELENGTHS).map(|w| rows.iter().map(|row| row[w]).sum::<f64>() / count).collect();
        rows.iter_mut().for_each(|row| row.iter_mut().zip(&mean).for_each(|(value, mean)| *value -= mean));
        // As many as the planets can tell apart.
        let found = principal(&rows, components.min(truths.len().saturating_sub(2)));
        let (variances, components): (Vec<f64>, Vec<Vec<f64>>) = found.into_iter().unzip();
        let rest = (0..WAVELENGTHS).map(|w| {
            let all = rows.iter().map(|row| row[w] * row[w]).sum::<f64>() / count;
            let kept: f64 =
                components.iter().zip(&variances).map(|(unit, variance)| variance * unit[w] * unit[w]).sum();
            (all - kept).max(LEAST_REST)
        });
        Self { rest: rest.collect(), mean, components, variances }
    }

    /// Whether the lengths fit together: it may come from a file.
    pub fn is_whole(&self) -> bool {
        let whole = |values: &[f64]| values.len() == WAVELENGTHS && values.iter().all(|value| value.is_finite());
        whole(&self.mean)
            && whole(&self.rest)
            && self.rest.iter().all(|rest| *rest > 0.0)
            && self.components.len() == self.variances.len()
            && self.components.iter().all(|unit| whole(unit))
            && self.variances.iter().all(|variance| *variance > 0.0 && variance.is_finite())
    }

    /// What is believed of a planet's spectrum after it was measured; `None` for a measurement that is none.
    pub fn posterior(&self, transit: &Transit) -> Option<Posterior> {
        let (m, kept) = (transit.white, self.components.len());
        let size = 1 + kept + MODES;
        let row = |w: usize| -> Vec<f64> {
            let depth = std::iter::once(m * self.mean[w]).chain(self.components.iter().map(|unit| m * unit[w]));
            depth.chain(transit.modes.iter().map(|mode| mode[w])).collect()
        };
        let rest = |w: usize| m * m * self.rest[w];
        let variance = |w: usize| transit.errors[w] * transit.errors[w] + rest(w);
        let mut normal = vec![0.0; size * size];
        let mut right = vec![0.0; size];
        normal[0] = 1.0 / LEVEL_VARIANCE;
        right[0] = 1.0 / LEVEL_VARIANCE;
        for (place, variance) in self.variances.iter().copied().chain([1.0; MODES]).enumerate() {
            normal[(place + 1) * (size + 1)] = 1.0 / variance;
        }
        for w in 0..WAVELENGTHS {
            let (row, weight) = (row(w), 1.0 / variance(w));
            for (place, value) in row.iter().enumerate() {
                right[place] += weight * value * transit.depths[w];
                row.iter()
                    .enumerate()
                    .for_each(|(other, times)| normal[place * size + other] += weight * value * times);
            }
        }
        let cholesky = Cholesky::of(normal, size)?;
        cholesky.solve(&mut right);
        let (mut mean, mut sd) = (Vec::with_capacity(WAVELENGTHS), Vec::with_capacity(WAVELENGTHS));
        for w in 0..WAVELENGTHS {
            let row = row(w);
            // How much of what is left over belongs to the spectrum's rest and not to the error.
            let gain = rest(w) / variance(w);
            let dot = |row: &[f64]| row.iter().zip(&right).map(|(value, number)| value * number).sum::<f64>();
            mean.push(dot(&row[..=kept]) + gain * (transit.depths[w] - dot(&row)));
            let mut spread: Vec<f64> = row.iter().map(|value| -gain * value).collect();
            spread.iter_mut().zip(&row[..=kept]).for_each(|(spread, value)| *spread += value);
            cholesky.solve_lower(&mut spread);
            let shared: f64 = spread.iter().map(|value| value * value).sum();
            sd.push((shared + rest(w) * (1.0 - gain)).sqrt());
        }
        let strengths = right[1..=kept].iter().zip(&self.variances).map(|(c, variance)| c / variance.sqrt());
        Some(Posterior { strengths: strengths.collect(), mean, sd })
    }
}

/// Variance and unit vector of the `count` directions in which centred `rows` vary most.
///
/// By orthogonal iteration: of 283 wavelengths only a few directions matter, and a full decomposition would take longer than
/// the training.
fn principal(rows: &[Vec<f64>], count: usize) -> Vec<(f64, Vec<f64>)> {
    // Waves of growing frequency, no two alike: a start that no spectrum is orthogonal to.
    let start = |order: usize| -> Vec<f64> {
        let step = std::f64::consts::PI * order as f64 / WAVELENGTHS as f64;
        (0..WAVELENGTHS)
            .map(|w| libm::cos(step * (w as f64 + 0.5)) + 0.1 * libm::sin((order + 1) as f64 * w as f64))
            .collect()
    };
    let mut basis: Vec<Vec<f64>> = (0..count).map(start).collect();
    orthonormalise(&mut basis);
    for _ in 0..ROUNDS {
        basis = basis.iter().map(|unit| covariance_times(rows, unit)).collect();
        orthonormalise(&mut basis);
    }
    let count = basis.len();
    let images: Vec<Vec<f64>> = basis.iter().map(|unit| covariance_times(rows, unit)).collect();
    let inner: Vec<f64> = basis.iter().flat_map(|unit| images.iter().map(move |image| dot(unit, image))).collect();
    let turned = symmetric_eigen(inner, count).into_iter().map(|(variance, weights)| {
        let unit = (0..WAVELENGTHS).map(|w| basis.iter().zip(&weights).map(|(unit, weight)| unit[w] * weight).sum());
        (variance, unit.collect())
    });
    // Directions in which nothing varies are none.
    turned.filter(|(variance, _)| *variance > 1e-16).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn covariance_times(rows: &[Vec<f64>], vector: &[f64]) -> Vec<f64> {
    let mut image = vec![0.0; vector.len()];
    for row in rows {
        let along = dot(row, vector) / rows.len() as f64;
        image.iter_mut().zip(row).for_each(|(image, value)| *image += along * value);
    }
    image
}

/// Gram and Schmidt, twice; a vector that the ones before it explain is left out.
fn orthonormalise(basis: &mut Vec<Vec<f64>>) {
    let mut kept: Vec<Vec<f64>> = Vec::with_capacity(basis.len());
    for mut vector in std::mem::take(basis) {
        let before = dot(&vector, &vector).sqrt();
        for _ in 0..2 {
            for unit in &kept {
                let along = dot(&vector, unit);
                vector.iter_mut().zip(unit).for_each(|(value, unit)| *value -= along * unit);
            }
        }
        let length = dot(&vector, &vector).sqrt();
        if length > 1e-10 * before && length > 0.0 {
            vector.iter_mut().for_each(|value| *value /= length);
            kept.push(vector);
        }
    }
    *basis = kept;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ariel::transit::LimbDarkening;

    /// Spectra of two shapes in different strengths.
    fn spectra() -> Vec<Vec<f64>> {
        let shape = |w: usize| libm::sin(w as f64 / 40.0);
        let other = |w: usize| if w == 0 { 5.0 } else { libm::cos(w as f64 / 15.0) };
        (0..40)
            .map(|planet| {
                let (a, b) = (((planet * 7) % 13) as f64 / 13.0 - 0.5, ((planet * 5) % 11) as f64 / 11.0 - 0.5);
                let level = 0.005 + 0.0004 * f64::from(planet);
                (0..WAVELENGTHS).map(|w| level * (1.0 + 0.04 * a * shape(w) + 0.01 * b * other(w))).collect()
            })
            .collect()
    }

    fn measured(depths: Vec<f64>, error: f64) -> Transit {
        let limb = LimbDarkening { u1: 0.0, u2: 0.0 };
        let white = depths[1..].iter().sum::<f64>() / (WAVELENGTHS - 1) as f64;
        Transit {
            mid_hours: 3.5,
            white,
            white_error: error,
            fgs1_limb: limb,
            airs_limb: limb,
            errors: vec![error; WAVELENGTHS],
            modes: std::array::from_fn(|_| vec![0.0; WAVELENGTHS]),
            depths,
        }
    }

    #[test]
    fn two_shapes_are_two_components_and_nothing_is_left() {
        let spectra = spectra();
        let prior = SpectrumPrior::learn(&spectra.iter().map(Vec::as_slice).collect::<Vec<_>>(), 6);
        assert!(prior.is_whole());
        assert!(prior.variances[0] > prior.variances[1] && prior.variances[1] > 1e-6, "{:?}", prior.variances);
        assert!(prior.variances[2..].iter().all(|variance| *variance < 1e-8), "{:?}", prior.variances);
        for unit in &prior.components {
            assert!((dot(unit, unit) - 1.0).abs() < 1e-12);
        }
        assert!(prior.rest.iter().all(|rest| *rest < 1e-8));
    }

    #[test]
    fn a_noisy_spectrum_is_drawn_to_what_spectra_are_like_and_the_error_says_how_far_off_it_is() {
        let spectra = spectra();
        let prior = SpectrumPrior::learn(&spectra.iter().map(Vec::as_slice).collect::<Vec<_>>(), 4);
        let error = 2e-4;
        let (mut before, mut after, mut z) = (0.0, 0.0, 0.0);
        for (planet, truth) in spectra.iter().enumerate() {
            let noise = |w: usize| error * libm::sqrt(2.0) * libm::sin((planet * 283 + w) as f64 * 2.399_963);
            let depths: Vec<f64> = (0..WAVELENGTHS).map(|w| truth[w] + noise(w)).collect();
            let posterior = prior.posterior(&measured(depths.clone(), error)).expect("solved");
            for w in 0..WAVELENGTHS {
                before += (depths[w] - truth[w]).powi(2);
                after += (posterior.mean[w] - truth[w]).powi(2);
                z += ((posterior.mean[w] - truth[w]) / posterior.sd[w]).powi(2);
            }
        }
        assert!(after < 0.1 * before, "{after} of {before}");
        let z = (z / (40.0 * WAVELENGTHS as f64)).sqrt();
        assert!(z < 1.2, "{z}");
    }

    #[test]
    fn what_was_measured_well_is_left_as_it_is() {
        let spectra = spectra();
        let prior = SpectrumPrior::learn(&spectra.iter().map(Vec::as_slice).collect::<Vec<_>>(), 4);
        let mut odd = spectra[3].clone();
        odd[100] += 1e-4;
        let posterior = prior.posterior(&measured(odd.clone(), 1e-9)).expect("solved");
        assert!((posterior.mean[100] - odd[100]).abs() < 1e-6, "{}", posterior.mean[100] - odd[100]);
    }

    #[test]
    fn one_planet_is_enough_for_a_prior_without_components() {
        let spectra = spectra();
        let prior = SpectrumPrior::learn(&[&spectra[0]], 8);
        assert!(prior.components.is_empty() && prior.is_whole());
        assert!(prior.posterior(&measured(spectra[1].clone(), 1e-4)).is_some());
    }
}
