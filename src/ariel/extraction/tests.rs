use super::*;
use crate::ariel::transit::{gauss_legendre, transmitted};
use crate::engine::rng::{CounterRng, Stream};

const BINS: usize = 187;
const HOURS: f64 = 7.5;

fn times() -> BinTimes {
    let width = HOURS / BINS as f64;
    let of = InstrumentTimes {
        middles: (0..BINS).map(|bin| (bin as f64 + 0.5) * width).collect(),
        widths: vec![width; BINS],
    };
    BinTimes { airs: of.clone(), fgs1: of }
}

fn wavelengths_um() -> Vec<f64> {
    (0..WAVELENGTHS).map(|w| if w == 0 { 0.7 } else { 1.95 + 1.95 * (w - 1) as f64 / 281.0 }).collect()
}

const fn star(period_days: f64, semi_major_axis_radii: f64, inclination_degrees: f64) -> Star {
    Star {
        planet_id: 1,
        radius_solar: 1.0,
        mass_solar: 1.0,
        temperature_kelvin: 5800.0,
        planet_mass_jupiter: 1.0,
        eccentricity: 0.0,
        period_days,
        semi_major_axis_radii,
        inclination_degrees,
    }
}

/// A transit as it is.
#[derive(Clone, Copy)]
struct Truth {
    star: Star,
    mid_hours: f64,
    depth: f64,
    limb: LimbDarkening,
    drift: [f64; 2],
}

const PLANET: Truth = Truth {
    star: star(4.0, 9.0, 88.0),
    mid_hours: 3.6,
    depth: 0.014,
    limb: LimbDarkening { u1: 0.45, u2: 0.2 },
    drift: [2e-4, -1e-4],
};

impl Truth {
    fn depth_at(&self, w: usize) -> f64 {
        self.depth * (1.0 + 0.03 * libm::sin(w as f64 / 30.0) + if w == 0 { 0.02 } else { 0.0 })
    }

    /// Light curves with noise of a relative standard deviation per bin, different for every seed.
    fn curves(&self, noise: f64, seed: u64) -> Vec<f64> {
        let (times, wavelengths, orbit) = (times(), wavelengths_um(), orbit(&self.star).expect("an orbit"));
        let rng = CounterRng::new(seed, Stream::workload(7), 0);
        let rule = gauss_legendre(3);
        let mut curves = Vec::with_capacity(BINS * WAVELENGTHS);
        for bin in 0..BINS {
            let (middle, half) = (times.airs.middles[bin], 0.5 * times.airs.widths[bin]);
            let x = 2.0 * middle / HOURS - 1.0;
            let drift = 1.0 + self.drift[0] * x + self.drift[1] * (1.5 * x * x - 0.5);
            for (w, um) in wavelengths.iter().enumerate() {
                let factor = libm::pow(0.7 / um, 0.6);
                let limb = LimbDarkening { u1: self.limb.u1 * factor, u2: self.limb.u2 * factor };
                let k = self.depth_at(w).sqrt();
                let light: f64 = rule
                    .iter()
                    .map(|(node, weight)| {
                        let separation = orbit.separation(middle + node * half - self.mid_hours);
                        0.5 * weight * transmitted(separation, k, limb)
                    })
                    .sum();
                let noise = if w == 0 { 0.3 * noise } else { noise };
                let normal = rng.normal_f64((bin * WAVELENGTHS + w) as u64);
                curves.push((1000.0 + w as f64) * light * drift * (1.0 + noise * normal));
            }
        }
        curves
    }

    fn measured(&self, noise: f64, seed: u64) -> Transit {
        Transit::measure(&self.curves(noise, seed), &times(), &wavelengths_um(), &self.star).expect("measured")
    }
}

fn assert_close(truth: &Truth, measured: &Transit, ppm: f64) {
    for w in [0, 1, 60, 150, 282] {
        let error = (measured.depths[w] - truth.depth_at(w)) * 1e6;
        assert!(error.abs() < ppm, "wl_{}: {error} ppm of {}", w + 1, truth.depth_at(w));
    }
    assert!((measured.mid_hours - truth.mid_hours).abs() < 0.003, "{}", measured.mid_hours);
}

#[test]
fn light_without_noise_gives_the_depth_of_transits_of_every_kind() {
    let kinds = [
        ("of three hours", PLANET, 3.0),
        ("of six hours", Truth { star: star(6.0, 6.5, 88.5), mid_hours: 3.7, ..PLANET }, 25.0),
        ("with a baseline on one side", Truth { mid_hours: 1.2, ..PLANET }, 10.0),
        ("of a large planet", Truth { depth: 0.05, ..PLANET }, 10.0),
        ("without limb darkening", Truth { limb: LimbDarkening { u1: 0.0, u2: 0.0 }, ..PLANET }, 3.0),
        ("near the limb", Truth { star: star(5.0, 10.0, 85.2), ..PLANET }, 40.0),
    ];
    for (name, truth, ppm) in kinds {
        eprintln!("{name}");
        assert_close(&truth, &truth.measured(0.0, 1), ppm);
    }
}

#[test]
fn a_grazing_planet_is_measured_within_its_errors() {
    let truth = Truth { star: star(5.0, 10.0, 84.0), depth: 0.02, ..PLANET };
    assert!(orbit(&truth.star).expect("an orbit").impact() > 1.0);
    let measured = truth.measured(4e-4, 1);
    let z = (measured.depths[0] - truth.depth_at(0)) / measured.error(0);
    assert!(z.abs() < 4.0 && measured.error(0) > 5e-4, "{z} {}", measured.error(0));
}

#[test]
fn errors_are_what_the_noise_makes_of_the_depths() {
    let count = 24;
    let mut squares = [0.0; 3];
    for seed in 0..count {
        let measured = PLANET.measured(8e-4, seed);
        for (sum, w) in squares.iter_mut().zip([0, 40, 200]) {
            let z = (measured.depths[w] - PLANET.depth_at(w)) / measured.error(w);
            *sum += z * z / count as f64;
        }
    }
    // Of 24 numbers the root mean square is within 0.35 of 1 in 99 % of all cases; shared errors are partly prior.
    for square in squares {
        assert!((0.5..1.35).contains(&square.sqrt()), "{squares:?}");
    }
}

#[test]
fn a_second_visit_makes_errors_smaller_by_the_root_of_two() {
    let (first, second) = (PLANET.measured(8e-4, 1), PLANET.measured(8e-4, 2));
    let both = Transit::combine(&[first.clone(), second]);
    for w in [0, 100, 282] {
        let ratio = both.error(w) / first.error(w);
        assert!((0.6..0.8).contains(&ratio), "wl_{}: {ratio}", w + 1);
    }
    assert_eq!(Transit::combine(std::slice::from_ref(&first)), first);
}

#[test]
fn ratios_of_a_box_are_its_depth() {
    let depth = |w: usize| 0.01 + 1e-5 * w as f64;
    let mut curves = Vec::new();
    for bin in 0..BINS {
        let inside = (60..120).contains(&bin);
        let drift = 1.0 + 3e-4 * bin as f64 / BINS as f64;
        curves
            .extend((0..WAVELENGTHS).map(|w| (1000.0 + w as f64) * drift * if inside { 1.0 - depth(w) } else { 1.0 }));
    }
    // Two and a half hours.
    let measured = Ratios::measure(&curves, &times(), &star(2.4, 8.0, 89.0)).expect("measured");
    for (w, got) in measured.depths.iter().enumerate() {
        assert!((got - depth(w)).abs() < 5e-6, "wl {w}: {got}");
    }
}

#[test]
fn what_is_no_light_curve_is_named() {
    let mut curves = PLANET.curves(0.0, 1);
    let refused =
        |curves: &[f64], star: &Star| Transit::measure(curves, &times(), &wavelengths_um(), star).expect_err("refused");
    assert_eq!(refused(&curves[..4 * WAVELENGTHS], &PLANET.star), TransitError::TooFewBins { got: 4 });
    for (what, star) in [
        ("inclination", star(4.0, 9.0, 1.55)),
        ("semi-major", star(4.0, 0.0, 88.0)),
        ("semi-major", star(4.0, -9.0, 88.0)),
        ("period", star(0.0, 9.0, 88.0)),
        ("period", star(f64::NAN, 9.0, 88.0)),
    ] {
        let error = refused(&curves, &star).to_string();
        assert!(error.contains("star table: expected") && error.contains(what), "{error}");
    }
    curves[5 * WAVELENGTHS + 7] = f64::NAN;
    let error = refused(&curves, &PLANET.star);
    assert_eq!(error, TransitError::NoFlux { wavelength: 8, got: "NaN".into() });
}
