//! What a planet takes from its star's light.
//!
//! The overlap of the two disks is exact (Mandel & Agol 2002, eq. 1); the limb darkening is quadratic and, as in
//! their small-planet approximation (section 5), taken at one radius of the star: the middle of what is covered.

/// A circular orbit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Orbit {
    pub period_days: f64,
    /// Radii of the star.
    pub semi_major_axis_radii: f64,
    pub inclination_degrees: f64,
}

impl Orbit {
    /// Distance of the two centres on the sky, radii of the star; infinite while the planet is behind the star.
    pub fn separation(&self, hours_from_mid_transit: f64) -> f64 {
        let (sin, cos) = libm::sincos(std::f64::consts::TAU * hours_from_mid_transit / (24.0 * self.period_days));
        if cos <= 0.0 {
            return f64::INFINITY;
        }
        let depth = cos * libm::cos(self.inclination_degrees.to_radians());
        self.semi_major_axis_radii * (sin * sin + depth * depth).sqrt()
    }
}

/// Quadratic limb darkening: intensity 1 − u1 (1 − μ) − u2 (1 − μ)².
#[derive(Debug, Clone, Copy)]
pub(super) struct LimbDarkening {
    pub u1: f64,
    pub u2: f64,
}

impl LimbDarkening {
    /// The same star at another wavelength: the coefficients fall from their value at 0.7 µm.
    pub fn at(self, wavelength_um: f64) -> Self {
        let factor = libm::pow(0.7 / wavelength_um, 0.6);
        Self { u1: self.u1 * factor, u2: self.u2 * factor }
    }

    /// Intensity at a radius, relative to the mean over the disk.
    fn relative_intensity(self, radius: f64) -> f64 {
        let darkness = 1.0 - (1.0 - radius * radius).max(0.0).sqrt();
        let mean = 1.0 - self.u1 / 3.0 - self.u2 / 6.0;
        (1.0 - self.u1 * darkness - self.u2 * darkness * darkness) / mean
    }
}

/// Share of the star's light that reaches us with a planet of radius `k` (star radii) at a `separation`.
pub(super) fn transmitted(separation: f64, k: f64, limb: LimbDarkening) -> f64 {
    if separation >= 1.0 + k {
        return 1.0;
    }
    if separation <= 1.0 - k {
        return 1.0 - k * k * limb.relative_intensity(separation);
    }
    let (z, k2) = (separation, k * k);
    let planet_angle = libm::acos(((k2 + z * z - 1.0) / (2.0 * k * z)).clamp(-1.0, 1.0));
    let star_angle = libm::acos(((1.0 - k2 + z * z) / (2.0 * z)).clamp(-1.0, 1.0));
    let chord = 1.0 + z * z - k2;
    let triangles = ((4.0 * z * z - chord * chord).max(0.0)).sqrt() / 2.0;
    let covered = (k2 * planet_angle + star_angle - triangles) / std::f64::consts::PI;
    1.0 - covered * limb.relative_intensity((z - k + 1.0) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNIFORM: LimbDarkening = LimbDarkening { u1: 0.0, u2: 0.0 };

    #[test]
    fn a_planet_wholly_in_front_of_an_even_star_takes_its_area() {
        assert_eq!(transmitted(0.0, 0.1, UNIFORM), 1.0 - 0.1 * 0.1);
        assert_eq!(transmitted(0.9, 0.1, UNIFORM), 1.0 - 0.1 * 0.1);
        assert_eq!(transmitted(1.1, 0.1, UNIFORM), 1.0);
    }

    #[test]
    fn ingress_joins_both_ends_and_halves_near_the_limb() {
        let k = 0.1;
        assert!((transmitted(0.9 + 1e-12, k, UNIFORM) - 0.99).abs() < 1e-9);
        assert!((transmitted(1.1 - 1e-12, k, UNIFORM) - 1.0).abs() < 1e-9);
        // A disk centred on the limb is covered by a little less than half of the star, whose edge curves away.
        let covered = 1.0 - transmitted(1.0, k, UNIFORM);
        assert!(covered < 0.005 && covered > 0.0047, "{covered}");
    }

    #[test]
    fn limb_darkening_deepens_the_middle_and_leaves_the_light_of_the_star() {
        let limb = LimbDarkening { u1: 0.5, u2: 0.2 };
        assert!(transmitted(0.0, 0.1, limb) < transmitted(0.85, 0.1, limb));
        // Mean of the intensity over the disk, in 10 000 rings.
        let rings = 10_000;
        let mean: f64 = (0..rings)
            .map(|ring| {
                let radius = (f64::from(ring) + 0.5) / f64::from(rings);
                limb.relative_intensity(radius) * 2.0 * radius / f64::from(rings)
            })
            .sum();
        assert!((mean - 1.0).abs() < 1e-6, "{mean}");
    }

    #[test]
    fn the_separation_at_mid_transit_is_the_impact_parameter() {
        let orbit = Orbit { period_days: 3.0, semi_major_axis_radii: 8.0, inclination_degrees: 88.0 };
        let impact = 8.0 * libm::cos(88.0f64.to_radians());
        assert!((orbit.separation(0.0) - impact).abs() < 1e-12);
        assert!(orbit.separation(1.0) > impact);
        assert_eq!(orbit.separation(36.0), f64::INFINITY);
    }
}
