//! Stars and planets as they might be: tables, spectra, electrons.

use super::config::SimConfig;
use super::draws::{Draws, Purpose};
use super::population::System;
use super::spectrum::Spectrum;
use crate::ariel::dataset::Star;
use crate::ariel::instrument::{Instrument, WAVELENGTHS};
use crate::ariel::transit::Orbit;

/// Wavelength of FGS1, µm.
pub(super) const FGS1_UM: f64 = 0.7;

/// Wavelength of an AIRS-CH0 column, µm: the competition's axis, which is this polynomial.
pub(super) fn airs_column_um(column: usize) -> f64 {
    let column = column as f64;
    4.078463140898873 + column * (-0.004433634065929668 + column * -6.913472144801741e-6)
}

/// The wavelengths of a spectrum, FGS1 first, then the AIRS columns from short to long.
pub(super) fn wavelengths_um() -> [f64; WAVELENGTHS] {
    let last = Instrument::AirsCh0.kept_columns().end - 1;
    std::array::from_fn(|index| if index == 0 { FGS1_UM } else { airs_column_um(last + 1 - index) })
}

/// A planet and its star.
#[derive(Debug, Clone)]
pub(super) struct Planet {
    pub star: Star,
    pub orbit: Orbit,
    /// Relative to the star of [`airs_electrons_per_second`].
    pub brightness: f64,
    spectrum: Spectrum,
}

impl Planet {
    /// Planet number `index` of its split.
    pub fn draw(config: &SimConfig, test: bool, index: usize, step: u32) -> Self {
        let mut draws = Draws::new(config.seed, Purpose::Planet, step, 0);
        /// Ids of a split are drawn from disjoint intervals, in ascending order, odd ones for test planets.
        const ID_INTERVAL: u64 = 1 << 21;
        let id = (index as u64 * ID_INTERVAL + draws.below(ID_INTERVAL)) * 2 + u64::from(test);
        let mut spectrum_draws = Draws::new(config.seed, Purpose::Spectrum, step, 0);
        /// How far, in radii of the star, a planet reaches onto its disk at least: the table holds planets that transit.
        const REACH: f64 = 0.02;
        let (system, spectrum) = loop {
            let system = System::draw(&mut draws);
            let spectrum = Spectrum::draw(&config.spectrum, &system, &mut spectrum_draws);
            if system.orbit.impact() < 1.0 + spectrum.depth(FGS1_UM).sqrt() - REACH {
                break (system, spectrum);
            }
        };
        let System { mass_solar, radius_solar, temperature_kelvin, planet_mass_jupiter, orbit } = system;
        let star = Star {
            planet_id: id as i64,
            radius_solar,
            mass_solar,
            temperature_kelvin,
            planet_mass_jupiter,
            eccentricity: 0.0,
            period_days: orbit.period_days,
            semi_major_axis_radii: orbit.semi_major_axis_radii,
            inclination_degrees: orbit.inclination_degrees,
        };
        Self { star, orbit, brightness: libm::exp(config.light.brightness_log_sd * draws.normal()), spectrum }
    }

    /// (Rp/Rs)² at a wavelength.
    pub fn depth(&self, wavelength_um: f64) -> f64 {
        self.spectrum.depth(wavelength_um)
    }

    /// Electrons per second that the star gives in an AIRS-CH0 column, all rows together.
    pub fn airs_electrons_per_second(&self, column: usize) -> f64 {
        let wavelength_um = airs_column_um(column);
        let tilt =
            planck_ratio(wavelength_um, self.star.temperature_kelvin) / planck_ratio(2.5, self.star.temperature_kelvin);
        self.brightness * tilt * reference_electrons_per_second(column)
    }

    /// Electrons per second that the star gives on FGS1, all pixels together.
    pub fn fgs1_electrons_per_second(&self) -> f64 {
        2.67e6 * self.brightness
    }
}

/// Photons of a black body relative to one at 5800 K.
fn planck_ratio(wavelength_um: f64, temperature_kelvin: f64) -> f64 {
    /// hc/k in µm·K.
    const SECOND_RADIATION_CONSTANT: f64 = 14_387.768_77;
    let occupation = |kelvin: f64| libm::expm1(SECOND_RADIATION_CONSTANT / (wavelength_um * kelvin));
    occupation(5800.0) / occupation(temperature_kelvin)
}

/// A middling star of the real data: electrons in 4.5 s at columns counted back from 320, log-linear in between. Past
/// the kept columns the trace fades out.
fn reference_electrons_per_second(column: usize) -> f64 {
    const POINTS: [(f64, f64); 12] = [
        (-35.0, 800.0),
        (-20.0, 33e3),
        (0.0, 82e3),
        (8.0, 132e3),
        (50.0, 80e3),
        (100.0, 52e3),
        (150.0, 29e3),
        (200.0, 21e3),
        (250.0, 14e3),
        (281.0, 4.1e3),
        (300.0, 400.0),
        (320.0, 20.0),
    ];
    let channel = 320.0 - column as f64;
    let right = POINTS.iter().position(|point| point.0 >= channel).unwrap_or(POINTS.len() - 1).max(1);
    let (from, to) = (POINTS[right - 1], POINTS[right]);
    let share = (channel - from.0) / (to.0 - from.0);
    libm::exp(libm::log(from.1) * (1.0 - share) + libm::log(to.1) * share) / 4.5
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wavelengths_are_the_competitions() {
        let wavelengths = wavelengths_um();
        assert_eq!(wavelengths[0], 0.7);
        assert!((wavelengths[1] - 1.951_760_692_173_680_8).abs() < 1e-12, "{}", wavelengths[1]);
        assert!((wavelengths[282] - 3.895_036_021_195_372_7).abs() < 1e-12, "{}", wavelengths[282]);
        assert!(wavelengths.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn reference_star_gives_the_electrons_of_the_real_data() {
        for (channel, electrons) in [(0, 82e3), (8, 132e3), (100, 52e3), (281, 4.1e3)] {
            let got = reference_electrons_per_second(320 - channel) * 4.5;
            assert!((got - electrons).abs() < 1e-6 * electrons, "channel {channel}: {got}");
        }
        for column in 0..356 {
            assert!(reference_electrons_per_second(column) > 0.0, "column {column}");
        }
    }

    #[test]
    fn a_star_as_hot_as_the_reference_has_its_colour() {
        assert_eq!(planck_ratio(3.0, 5800.0), 1.0);
        assert!(planck_ratio(2.0, 6500.0) / planck_ratio(3.9, 6500.0) > 1.0);
    }
}
