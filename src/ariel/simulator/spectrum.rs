//! Transmission spectra from a small physical model: an isothermal atmosphere of a few absorbers.
//!
//! Starlight that grazes the planet is absorbed up to a height at which the atmosphere becomes thin enough:
//!
//! ```text
//! radius(λ) = radius + H · (ln Σ xᵢ σᵢ(λ) − its mean over AIRS)      H = k T / (µ g), the scale height
//! ```
//! σᵢ are bell-shaped bands, in decades, where water, methane, carbon dioxide, carbon monoxide and ammonia absorb, beside
//! hydrogen, a grey cloud and a haze that scatters as λ⁻⁴ (and so is seen by FGS1 above all). Temperature and gravity follow from
//! the star, the orbit and the planet's mass; how much there is of each absorber is drawn over five decades.

use super::config::SpectrumConfig;
use super::draws::Draws;
use super::population::System;
use super::star::{FGS1_UM, wavelengths_um};

/// Bands of an absorber: centre and width in µm, height in decades.
type Bands = &'static [(f64, f64, f64)];

/// Water, methane, carbon dioxide, carbon monoxide, ammonia.
const ABSORBERS: [Bands; 5] = [
    &[(0.72, 0.05, 0.6), (1.13, 0.10, 2.2), (1.40, 0.10, 3.0), (1.87, 0.13, 3.3), (2.70, 0.22, 3.8), (3.20, 0.35, 2.2)],
    &[(0.70, 0.06, 0.2), (1.67, 0.10, 2.6), (2.32, 0.17, 3.0), (3.32, 0.17, 3.9)],
    &[(2.01, 0.07, 2.2), (2.72, 0.09, 3.4), (4.27, 0.17, 4.6)],
    &[(2.35, 0.10, 2.2), (4.67, 0.30, 3.8)],
    &[(1.52, 0.10, 2.6), (1.97, 0.12, 3.0), (2.22, 0.10, 2.4), (2.98, 0.20, 3.5)],
];

/// Decades between which the abundance of an absorber is drawn.
const ABUNDANCE: (f64, f64) = (-8.0, -3.0);
/// The same of the cloud, and of the haze at FGS1's wavelength.
const CLOUD: (f64, f64) = (-9.0, -3.0);
const HAZE: (f64, f64) = (-7.0, -2.5);
/// What hydrogen absorbs everywhere, in decades.
const HYDROGEN: f64 = -4.5;

/// How a planet absorbs.
#[derive(Debug, Clone)]
pub(super) struct Spectrum {
    /// At the mean of AIRS, radii of the star.
    radius: f64,
    /// Radii of the star.
    scale_height: f64,
    abundances: [f64; ABSORBERS.len()],
    cloud: f64,
    haze: f64,
    /// Mean logarithm of the opacity over AIRS.
    mean_opacity: f64,
}

impl Spectrum {
    pub fn draw(config: &SpectrumConfig, system: &System, draws: &mut Draws) -> Self {
        // The log-normal distribution with the mean and standard deviation asked for.
        let relative = config.depth_sd / config.depth_mean;
        let log_variance = libm::log1p(relative * relative);
        let depth = config.depth_mean * libm::exp(log_variance.sqrt() * draws.normal() - log_variance / 2.0);
        let radius = depth.clamp(config.depth_min, config.depth_max).sqrt();
        /// A share of the starlight, and how well it is spread over the planet.
        const HEATING: (f64, f64) = (0.8, 1.1);
        let heating = draws.between(HEATING.0, HEATING.1);
        let temperature = heating * system.temperature_kelvin * (0.5 / system.orbit.semi_major_axis_radii).sqrt();
        let scale_height = scale_height(system, radius, temperature).min(config.scale_height_max * radius);
        let mut decades = |(low, high): (f64, f64)| libm::exp10(draws.between(low, high));
        let mut spectrum = Self {
            radius,
            scale_height,
            abundances: std::array::from_fn(|_| decades(ABUNDANCE)),
            cloud: decades(CLOUD),
            haze: decades(HAZE),
            mean_opacity: 0.0,
        };
        let airs = &wavelengths_um()[1..];
        spectrum.mean_opacity = airs.iter().map(|um| spectrum.opacity(*um)).sum::<f64>() / airs.len() as f64;
        spectrum
    }

    /// (Rp/Rs)² at a wavelength.
    pub fn depth(&self, wavelength_um: f64) -> f64 {
        let radius = self.radius + self.scale_height * (self.opacity(wavelength_um) - self.mean_opacity);
        radius * radius
    }

    /// Natural logarithm of the opacity.
    fn opacity(&self, wavelength_um: f64) -> f64 {
        let haze = self.haze * libm::pow(FGS1_UM / wavelength_um, 4.0);
        let mut sum = libm::exp10(HYDROGEN) + self.cloud + haze;
        for (bands, abundance) in ABSORBERS.iter().zip(self.abundances) {
            let decades: f64 = bands
                .iter()
                .map(|(centre, width, height)| {
                    let distance = (wavelength_um - centre) / width;
                    height * libm::exp(-0.5 * distance * distance)
                })
                .sum();
            // Between its bands an absorber is transparent.
            sum += abundance * (libm::exp10(decades) - 1.0);
        }
        libm::log(sum)
    }
}

/// k T / (µ g) of hydrogen and helium, radii of the star.
fn scale_height(system: &System, radius: f64, temperature_kelvin: f64) -> f64 {
    /// J / (mol K), kg / mol.
    const GAS_CONSTANT: f64 = 8.314;
    const MOLAR_MASS: f64 = 0.0023;
    /// m/s² at the surface of Jupiter; radii of the Sun in one of Jupiter; metres in one of the Sun.
    const JUPITER_GRAVITY: f64 = 24.79;
    const JUPITER_RADIUS: f64 = 0.100_45;
    const SUN_RADIUS: f64 = 6.957e8;
    let radii = radius * system.radius_solar / JUPITER_RADIUS;
    let gravity = JUPITER_GRAVITY * system.planet_mass_jupiter / (radii * radii);
    GAS_CONSTANT * temperature_kelvin / (MOLAR_MASS * gravity) / (system.radius_solar * SUN_RADIUS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ariel::simulator::draws::Purpose;

    const CONFIG: SpectrumConfig = SpectrumConfig {
        depth_mean: 0.0147,
        depth_sd: 0.0107,
        depth_min: 5e-4,
        depth_max: 0.08,
        scale_height_max: 0.012,
    };

    fn spectra(count: u32) -> Vec<Spectrum> {
        (0..count)
            .map(|step| {
                let system = System::draw(&mut Draws::new(3, Purpose::Planet, step, 0));
                Spectrum::draw(&CONFIG, &system, &mut Draws::new(3, Purpose::Spectrum, step, 0))
            })
            .collect()
    }

    #[test]
    fn depths_have_the_mean_and_spread_asked_for_and_atmospheres_move_them_by_a_few_per_cent() {
        let depths: Vec<f64> = spectra(2000).iter().map(|spectrum| spectrum.radius * spectrum.radius).collect();
        let mean = depths.iter().sum::<f64>() / depths.len() as f64;
        let sd = (depths.iter().map(|depth| (depth - mean).powi(2)).sum::<f64>() / depths.len() as f64).sqrt();
        assert!((mean - 0.0147).abs() < 0.001 && (sd - 0.0107).abs() < 0.0015, "{mean} {sd}");
        let swing = |spectrum: &Spectrum| {
            let depths: Vec<f64> = wavelengths_um()[1..].iter().map(|um| spectrum.depth(*um)).collect();
            let (low, high) = depths.iter().fold((f64::MAX, 0.0f64), |(l, h), d| (l.min(*d), h.max(*d)));
            (high - low) / (spectrum.radius * spectrum.radius)
        };
        let swings: Vec<f64> = spectra(200).iter().map(swing).collect();
        let typical = swings.iter().sum::<f64>() / 200.0;
        assert!((0.03..0.2).contains(&typical), "{typical}");
        assert!(swings.iter().all(|swing| *swing < 0.5));
    }
}
