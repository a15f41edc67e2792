//! Which stars and orbits there are: drawn from the distribution of the challenge's own table of 1,100 training stars.
//!
//! Source: `train_star_info.csv` of the Ariel Data Challenge 2025, of which quantiles are kept, not rows. In that table mass,
//! radius and temperature go together, and the period, the inclination, the planet's mass and the deviation from Kepler's third
//! law are independent of them and of each other (normal-score correlations below 0.12). What is drawn reaches impact
//! parameters of 1.12 and semi-major axes of 4.2 radii, as the table does.

use super::draws::Draws;
use crate::ariel::transit::Orbit;

/// Shares of the table below the quantiles that follow.
const SHARES: [f64; 27] = [
    0.0, 0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8,
    0.85, 0.9, 0.95, 0.975, 0.99, 0.995, 1.0,
];

/// Quantiles of one column, at [`SHARES`].
type Quantiles = [f64; SHARES.len()];

/// Ms, masses of the Sun.
const MASS: Quantiles = [
    0.59949, 0.65275, 0.66605, 0.70383, 0.74979, 0.80511, 0.84156, 0.89513, 0.93675, 0.97001, 1.0032, 1.0365, 1.0671,
    1.097, 1.1287, 1.1463, 1.1714, 1.2091, 1.2473, 1.2828, 1.3203, 1.3514, 1.4329, 1.4928, 1.5217, 1.54, 1.8177,
];
/// Rs, radii of the Sun.
const RADIUS: Quantiles = [
    0.65381, 0.68607, 0.69823, 0.7275, 0.79603, 0.86151, 0.90002, 0.93511, 0.96619, 1.0095, 1.0762, 1.1333, 1.1748,
    1.2313, 1.2584, 1.2912, 1.3551, 1.4078, 1.4475, 1.5112, 1.6236, 1.7535, 1.8961, 2.061, 2.1839, 2.2292, 2.887,
];
/// Ts, kelvin.
const TEMPERATURE: Quantiles = [
    4236.0, 4445.4, 4585.2, 4681.2, 4823.0, 5080.4, 5248.7, 5469.3, 5571.2, 5635.8, 5687.0, 5753.3, 5815.1, 5887.4,
    5980.1, 6034.0, 6101.1, 6172.5, 6230.4, 6319.0, 6367.2, 6414.3, 6521.1, 6678.4, 6744.7, 6771.0, 6979.1,
];
/// Mp, masses of Jupiter.
const PLANET_MASS: Quantiles = [
    0.049275, 0.064715, 0.083267, 0.10974, 0.18963, 0.28302, 0.39397, 0.48375, 0.58676, 0.63902, 0.71196, 0.8014,
    0.87309, 0.93608, 0.99447, 1.0725, 1.2102, 1.3969, 1.6462, 1.9629, 2.2025, 2.9165, 5.9544, 7.6002, 9.3301, 13.203,
    24.693,
];
/// P, days.
const PERIOD: Quantiles = [
    2.7815, 2.7964, 2.8137, 2.8928, 3.0006, 3.2622, 3.4853, 3.727, 3.9472, 4.1812, 4.4512, 4.7331, 4.9429, 5.2005,
    5.4559, 5.6565, 5.9235, 6.1262, 6.3435, 6.6707, 6.9278, 7.1656, 7.4004, 7.5105, 7.5675, 7.5948, 7.6137,
];
/// i, degrees.
const INCLINATION: Quantiles = [
    85.566, 86.086, 86.222, 86.556, 86.847, 87.181, 87.366, 87.552, 87.71, 87.858, 88.039, 88.176, 88.347, 88.506,
    88.629, 88.777, 88.914, 89.054, 89.253, 89.439, 89.633, 89.845, 90.0, 90.0, 90.0, 90.0, 90.0,
];
/// sma times Rs over what Kepler's third law gives for Ms and P.
const KEPLER: Quantiles = [
    0.77936, 0.84118, 0.8596, 0.88763, 0.90334, 0.92678, 0.93943, 0.95062, 0.96107, 0.96962, 0.97762, 0.98731, 0.99578,
    1.0019, 1.0085, 1.0151, 1.0233, 1.0325, 1.043, 1.0516, 1.0623, 1.0794, 1.1067, 1.1461, 1.1895, 1.2058, 1.3359,
];

/// Cholesky factor of the normal-score correlations of mass, radius and temperature.
const TOGETHER: [[f64; 3]; 3] = [[1.0, 0.0, 0.0], [0.85289, 0.52208, 0.0], [0.80448, 0.03345, 0.59303]];

/// A star and the orbit of its planet.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct System {
    pub mass_solar: f64,
    pub radius_solar: f64,
    pub temperature_kelvin: f64,
    pub planet_mass_jupiter: f64,
    pub orbit: Orbit,
}

impl System {
    pub fn draw(draws: &mut Draws) -> Self {
        let normals = [draws.normal(), draws.normal(), draws.normal()];
        let score = |row: &[f64; 3]| row.iter().zip(normals).map(|(weight, normal)| weight * normal).sum::<f64>();
        let share = |row: &[f64; 3]| 0.5 * libm::erfc(-score(row) * std::f64::consts::FRAC_1_SQRT_2);
        let mass_solar = quantile(&MASS, share(&TOGETHER[0]));
        let radius_solar = quantile(&RADIUS, share(&TOGETHER[1]));
        let temperature_kelvin = quantile(&TEMPERATURE, share(&TOGETHER[2]));
        let planet_mass_jupiter = quantile(&PLANET_MASS, draws.unit());
        let period_days = quantile(&PERIOD, draws.unit());
        let inclination_degrees = quantile(&INCLINATION, draws.unit());
        /// Radii of the Sun in the semi-major axis of one day around one solar mass.
        const ONE_DAY: f64 = 4.2083;
        let kepler = ONE_DAY * libm::cbrt(mass_solar * period_days * period_days) / radius_solar;
        let semi_major_axis_radii = kepler * quantile(&KEPLER, draws.unit());
        let orbit = Orbit { period_days, semi_major_axis_radii, inclination_degrees };
        Self { mass_solar, radius_solar, temperature_kelvin, planet_mass_jupiter, orbit }
    }
}

/// The value that a share of the table is below, straight between its quantiles.
fn quantile(quantiles: &Quantiles, share: f64) -> f64 {
    let right = SHARES.partition_point(|from| *from <= share).clamp(1, SHARES.len() - 1);
    let part = (share - SHARES[right - 1]) / (SHARES[right] - SHARES[right - 1]);
    quantiles[right - 1] + part * (quantiles[right] - quantiles[right - 1])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ariel::simulator::draws::Purpose;

    fn systems(count: u32) -> Vec<System> {
        (0..count).map(|step| System::draw(&mut Draws::new(3, Purpose::Planet, step, 0))).collect()
    }

    fn share(systems: &[System], of: impl Fn(&System) -> bool) -> f64 {
        systems.iter().filter(|system| of(system)).count() as f64 / systems.len() as f64
    }

    #[test]
    fn systems_are_distributed_as_in_the_table() {
        let systems = systems(4000);
        // Of the 1,100 rows: 46.4 % of the transits of a planet of 0.12 radii are longer than 4 h, 17.3 % longer than 5 h;
        // 2.4 % have an impact parameter above 0.75 (drawn independently, a little more do), 5.1 % a semi-major axis below
        // 6.276 radii.
        let longer = |hours: f64| share(&systems, |system| system.orbit.transit_hours(0.12) > hours);
        assert!((longer(4.0) - 0.464).abs() < 0.03, "{}", longer(4.0));
        assert!((longer(5.0) - 0.173).abs() < 0.03, "{}", longer(5.0));
        let grazing = share(&systems, |system| system.orbit.impact() > 0.75);
        assert!((0.02..0.045).contains(&grazing), "{grazing}");
        let close = share(&systems, |system| system.orbit.semi_major_axis_radii < 6.276);
        assert!((close - 0.051).abs() < 0.015, "{close}");
    }

    #[test]
    fn quantiles_are_met_and_straight_between() {
        assert_eq!((quantile(&PERIOD, 0.0), quantile(&PERIOD, 1.0)), (PERIOD[0], PERIOD[26]));
        assert_eq!(quantile(&PERIOD, 0.5), PERIOD[13]);
        assert!((quantile(&PERIOD, 0.525) - 0.5 * (PERIOD[13] + PERIOD[14])).abs() < 1e-12);
    }
}
