//! Light curves without frames: what a calibration of simulated frames gives, drawn at once.
//!
//! For each bin the expected light of the pixels that [photometry](crate::ariel::calibration) sums, less the background that it
//! subtracts, and noise of the variance that photons, background and reads give it: of an ideal detector, of which no pixel is
//! dead. Drift and jitter are those of [`visit`](super::visit).

use super::SimConfig;
use super::detector::{Readout, point_spread};
use super::draws::{Purpose, numbers};
use super::star::{FGS1_UM, Planet, airs_column_um};
use super::visit::Conditions;
use crate::ariel::calibration::photometry_weights;
use crate::ariel::extraction::{BinTimes, InstrumentTimes};
use crate::ariel::instrument::{Instrument, WAVELENGTHS};
use crate::ariel::transit::{Covered, LimbDarkening, gauss_legendre};

/// Pairs of reads in a bin: 144 s in a visit of full length.
pub(super) const AIRS_PAIRS: usize = 30;
pub(super) const FGS1_PAIRS: usize = 360;

/// Bins of a light curve.
pub(super) fn bins(config: &SimConfig) -> usize {
    (config.airs_frames / 2 / AIRS_PAIRS).min(config.fgs1_frames / 2 / FGS1_PAIRS)
}

/// When they are.
pub(super) fn times(config: &SimConfig) -> BinTimes {
    let of = |instrument, pairs| {
        let readout = Readout::new(config, instrument);
        let hours: Vec<f64> = (0..readout.pairs).map(|pair| readout.read_hours(2 * pair + 1)).collect();
        InstrumentTimes::of_reads(&hours[..bins(config) * pairs], pairs)
    };
    BinTimes { airs: of(Instrument::AirsCh0, AIRS_PAIRS), fgs1: of(Instrument::Fgs1, FGS1_PAIRS) }
}

/// What photometry makes of one electron of a star, and of a pixel's noise.
#[derive(Debug, Clone, Copy)]
struct Response {
    /// Electrons that are summed.
    light: f64,
    /// Their variance.
    variance: f64,
    /// Pixels whose noise comes with them.
    noise_pixels: f64,
}

/// How visits are seen: the same for all of them.
pub(super) struct Observatory<'a> {
    config: &'a SimConfig,
    times: BinTimes,
    /// By wavelength.
    responses: Vec<Response>,
}

impl<'a> Observatory<'a> {
    pub fn new(config: &'a SimConfig) -> Self {
        let response = |instrument: Instrument, spread: &[f64], column: usize| {
            let mut response = Response { light: 0.0, variance: 0.0, noise_pixels: 0.0 };
            for (pixel, weight) in photometry_weights(instrument, column) {
                response.light += weight * spread[pixel];
                response.variance += weight * weight * spread[pixel];
                response.noise_pixels += weight * weight;
            }
            response
        };
        let [airs, fgs1] = [Instrument::AirsCh0, Instrument::Fgs1].map(point_spread);
        let channels = (1..WAVELENGTHS).map(|w| response(Instrument::AirsCh0, &airs, airs_column(w)));
        let responses = std::iter::once(response(Instrument::Fgs1, &fgs1, 0)).chain(channels).collect();
        Self { config, times: times(config), responses }
    }

    pub fn times(&self) -> &BinTimes {
        &self.times
    }

    /// The light curves of a visit, `[bins, 283]`.
    pub fn light_curves(&self, planet: &Planet, conditions: &Conditions, step: u32, visit: u32) -> Vec<f64> {
        let rule = gauss_legendre(3);
        let noise = numbers(self.config.seed, Purpose::Bins, step, visit);
        let lights: Vec<Light> = (0..WAVELENGTHS).map(|w| self.light(planet, conditions, w)).collect();
        let bins = bins(self.config);
        let mut curves = Vec::with_capacity(bins * WAVELENGTHS);
        for bin in 0..bins {
            let separations = |times: &InstrumentTimes| -> Vec<f64> {
                let (middle, half) = (times.middles[bin], 0.5 * times.widths[bin]);
                rule.iter().map(|(node, _)| conditions.separation(planet, middle + node * half)).collect()
            };
            let (airs, fgs1) = (separations(&self.times.airs), separations(&self.times.fgs1));
            let jitter = conditions.mean_jitter(bin, bins);
            for (w, light) in lights.iter().enumerate() {
                let (separations, times) = if w == 0 { (&fgs1, &self.times.fgs1) } else { (&airs, &self.times.airs) };
                let dimmed = separations.iter().zip(&rule).map(|(separation, (_, weight))| {
                    0.5 * weight * Covered::at(*separation, light.radius).transmitted(light.limb)
                });
                let drift = conditions.drift(self.config, w == 0, light.um, times.middles[bin]);
                let star = light.electrons * dimmed.sum::<f64>() * drift * jitter;
                let sd = (light.variance_per_electron * star + light.variance).sqrt();
                let number = (bin * WAVELENGTHS + w) as u64;
                curves.push(self.responses[w].light * star + sd * noise.normal_f64(number));
            }
        }
        curves
    }

    /// Standard deviation of a bin outside the transit, per wavelength.
    #[cfg(test)]
    pub fn standard_deviations(&self, planet: &Planet, conditions: &Conditions) -> Vec<f64> {
        let lights = (0..WAVELENGTHS).map(|w| self.light(planet, conditions, w));
        lights.map(|light| (light.variance_per_electron * light.electrons + light.variance).sqrt()).collect()
    }

    fn light(&self, planet: &Planet, conditions: &Conditions, w: usize) -> Light {
        let config = self.config;
        let (instrument, pairs, um, per_second, background) = match w {
            0 => {
                let background = config.light.fgs1_background_per_second;
                (Instrument::Fgs1, FGS1_PAIRS, FGS1_UM, planet.fgs1_electrons_per_second(), background)
            }
            _ => {
                let (column, background) = (airs_column(w), config.light.airs_background_per_second);
                let per_second = planet.airs_electrons_per_second(column);
                (Instrument::AirsCh0, AIRS_PAIRS, airs_column_um(column), per_second, background)
            }
        };
        let seconds = pairs as f64 * Readout::new(config, instrument).exposure_seconds();
        let rate = background * conditions.background_factor + config.detector.dark_median_per_second;
        let reads = 2.0 * pairs as f64 * config.noise.read_electrons * config.noise.read_electrons;
        let photons = if config.noise.photon { 1.0 } else { 0.0 };
        let response = self.responses[w];
        Light {
            um,
            radius: planet.depth(um).sqrt(),
            limb: conditions.limb_at(um),
            electrons: per_second * seconds,
            variance_per_electron: photons * response.variance,
            variance: response.noise_pixels * (photons * rate * seconds + reads),
        }
    }
}

/// A wavelength of a visit.
struct Light {
    um: f64,
    radius: f64,
    limb: LimbDarkening,
    /// Of the undimmed star in a bin, all pixels together.
    electrons: f64,
    variance_per_electron: f64,
    /// Variance of a bin without the star.
    variance: f64,
}

/// The column that measures a wavelength.
fn airs_column(w: usize) -> usize {
    Instrument::AirsCh0.kept_columns().end - w
}
