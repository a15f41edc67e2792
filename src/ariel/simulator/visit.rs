//! One visit: when the planet passes, and what drift and jitter do to the light meanwhile.

use super::SimConfig;
use super::detector::Readout;
use super::draws::{self, Draws, Purpose, numbers};
use super::star::{FGS1_UM, Planet, airs_column_um};
use crate::ariel::instrument::Instrument;
use crate::ariel::transit::{LimbDarkening, transmitted};

/// What differs from visit to visit.
pub(super) struct Conditions {
    mid_transit_hours: f64,
    limb: LimbDarkening,
    /// Weights of a straight and a bent drift, times half the peak-to-peak amplitude, per instrument.
    airs_drift: [f64; 2],
    fgs1_drift: [f64; 2],
    /// How much stronger the drift is at the blue end of AIRS than in its middle.
    drift_slope: f64,
    pub background_factor: f64,
    /// Relative flux in steps of 0.4 s.
    jitter: Vec<f64>,
}

const JITTER_STEP_SECONDS: f64 = 0.4;

impl Conditions {
    pub fn draw(config: &SimConfig, test: bool, step: u32, visit: u32) -> Self {
        let mut draws = Draws::new(config.seed, Purpose::Visit, step, visit);
        let transit = &config.transit;
        let mid_transit_hours = draws.between(transit.mid_hours_min, transit.mid_hours_max);
        // The star, and so its limb, is the same in every visit.
        let mut star_draws = Draws::new(config.seed, Purpose::Visit, step, draws::MAX_VISITS - 1);
        let limb = LimbDarkening {
            u1: star_draws.between(0.0, transit.limb_u1_max),
            u2: star_draws.between(0.0, transit.limb_u2_max),
        };
        let mut drift = || {
            let half = 0.5 * draws.between(config.light.drift_min, config.light.drift_max);
            let (sin, cos) = libm::sincos(std::f64::consts::TAU * draws.unit());
            [half * cos, half * sin]
        };
        let (airs_drift, fgs1_drift) = (drift(), drift());
        let steps = (config.visit_hours * 3600.0 / JITTER_STEP_SECONDS).ceil() as usize;
        let jitter_sd = config.noise.jitter_ppm_in_24_seconds * 1e-6 * (24.0 / JITTER_STEP_SECONDS).sqrt();
        let rng = numbers(config.seed, Purpose::Jitter, step, visit);
        let normals = (0..steps.div_ceil(2)).flat_map(|pair| rng.normal_pair_f64(pair as u64));
        Self {
            mid_transit_hours,
            limb,
            airs_drift,
            fgs1_drift,
            drift_slope: draws.between(-0.5, 0.5),
            background_factor: draws.between(0.8, 1.2) * if test { config.test_shift.background } else { 1.0 },
            jitter: normals.take(steps).map(|normal| 1.0 + jitter_sd * normal).collect(),
        }
    }

    /// Distance of the planet from the star's centre on the sky, radii of the star.
    pub fn separation(&self, planet: &Planet, hours: f64) -> f64 {
        planet.orbit.separation(hours - self.mid_transit_hours)
    }

    /// The star's limb at a wavelength: the coefficients fall from their value at 0.7 µm.
    pub fn limb_at(&self, wavelength_um: f64) -> LimbDarkening {
        let factor = libm::pow(FGS1_UM / wavelength_um, 0.6);
        LimbDarkening { u1: self.limb.u1 * factor, u2: self.limb.u2 * factor }
    }

    /// What drift multiplies the light with, f(t)·g(λ) about 1.
    pub fn drift(&self, config: &SimConfig, is_fgs1: bool, wavelength_um: f64, hours: f64) -> f64 {
        let (shape, strength) = match is_fgs1 {
            true => (self.fgs1_drift, 1.0),
            false => (self.airs_drift, 1.0 + self.drift_slope * (3.0 - wavelength_um)),
        };
        // From −1 to 1 over the visit.
        let time = 2.0 * hours / config.visit_hours - 1.0;
        1.0 + strength * (shape[0] * time + shape[1] * (1.5 * time * time - 0.5))
    }

    /// Mean jitter over one of so many equal parts of the visit.
    pub fn mean_jitter(&self, part: usize, parts: usize) -> f64 {
        let edge = |part: usize| part * self.jitter.len() / parts;
        let window = &self.jitter[edge(part)..edge(part + 1)];
        window.iter().sum::<f64>() / window.len() as f64
    }

    /// Electrons per second in each pair: for each column of AIRS-CH0, or once for FGS1.
    pub fn star_light(&self, config: &SimConfig, planet: &Planet, readout: Readout) -> Vec<Vec<f64>> {
        let hours: Vec<f64> = (0..readout.pairs).map(|pair| readout.read_hours(2 * pair + 1)).collect();
        let separations: Vec<f64> = hours.iter().map(|hours| self.separation(planet, *hours)).collect();
        let jitter: Vec<f64> = hours.iter().map(|hours| self.jitter_at(*hours, readout)).collect();
        let is_fgs1 = readout.instrument == Instrument::Fgs1;
        let light = |wavelength_um: f64, electrons_per_second: f64| -> Vec<f64> {
            let k = planet.depth(wavelength_um).sqrt();
            let limb = self.limb_at(wavelength_um);
            (0..readout.pairs)
                .map(|pair| {
                    let drift = self.drift(config, is_fgs1, wavelength_um, hours[pair]);
                    electrons_per_second * transmitted(separations[pair], k, limb) * drift * jitter[pair]
                })
                .collect()
        };
        match readout.instrument {
            Instrument::Fgs1 => vec![light(FGS1_UM, planet.fgs1_electrons_per_second())],
            Instrument::AirsCh0 => (0..Instrument::AirsCh0.columns())
                .map(|column| light(airs_column_um(column), planet.airs_electrons_per_second(column)))
                .collect(),
        }
    }

    /// Mean jitter over the time that one pair takes.
    fn jitter_at(&self, hours: f64, readout: Readout) -> f64 {
        let steps = readout.jitter_steps();
        let last_start = self.jitter.len().saturating_sub(steps);
        let first = ((hours * 3600.0 / JITTER_STEP_SECONDS) as usize).min(last_start);
        let window = &self.jitter[first..(first + steps).min(self.jitter.len())];
        window.iter().sum::<f64>() / window.len() as f64
    }
}
