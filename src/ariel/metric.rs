//! The official score of the challenge, as its notebook computes it, split by instrument as well.
//!
//! For each planet and wavelength: s = (L(prediction) − L(naive)) / (L(ideal) − L(naive)), where L is the Gaussian
//! log-density of the truth. Works on plain slices, FGS1's wavelength first in each spectrum.

use crate::ariel::instrument::WAVELENGTHS;
use crate::failure::Advice;

/// Weight of the FGS1 wavelength; each AIRS wavelength weighs 1.
pub const FGS1_WEIGHT: f64 = 57.846;
/// Standard deviation of an ideal FGS1 prediction.
pub const FGS1_IDEAL_SIGMA: f64 = 1e-6;
/// Standard deviation of an ideal AIRS prediction.
pub const AIRS_IDEAL_SIGMA: f64 = 1e-5;
/// Predicted standard deviations below this count as this.
pub const SIGMA_FLOOR: f64 = 1e-15;

/// Why there is no score.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum MetricError {
    /// A slice of the wrong length.
    #[error("wrong number of values in {what}: expected {expected}, got {got}")]
    Shape {
        /// Which slice.
        what: &'static str,
        /// What it should hold.
        expected: String,
        /// How many values it holds.
        got: usize,
    },
    /// A value the official score rejects.
    #[error("{what} at planet {row}, wl_{}: expected {expected}, got {got}", wavelength + 1)]
    Value {
        /// Which slice.
        what: &'static str,
        /// Row of the planet, from 0.
        row: usize,
        /// Wavelength, from 0.
        wavelength: usize,
        /// What was expected.
        expected: &'static str,
        /// The value.
        got: f64,
    },
    /// Training targets that are all equal leave nothing to compare with.
    #[error("training targets have no spread: expected a positive standard deviation, got {got}")]
    NoSpread {
        /// The standard deviation.
        got: f64,
    },
}

impl Advice for MetricError {}

/// The prediction that scores 0: one mean and one standard deviation for everything.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NaivePrediction {
    /// Mean of all training targets.
    pub mean: f64,
    /// Population standard deviation of all training targets.
    pub sigma: f64,
}

impl NaivePrediction {
    /// Over all `targets` at once, every planet and wavelength.
    ///
    /// # Errors
    /// When there is none, one is not finite, or all are equal.
    pub fn of_training_targets(targets: &[f64]) -> Result<Self, MetricError> {
        check_shape("training targets", targets.len(), None)?;
        check_values("training target", targets, "a finite number", f64::is_finite)?;
        let count = targets.len() as f64;
        let mean = targets.iter().sum::<f64>() / count;
        let variance = targets.iter().map(|target| (target - mean) * (target - mean)).sum::<f64>() / count;
        let sigma = variance.sqrt();
        if sigma > 0.0 && sigma.is_finite() {
            Ok(Self { mean, sigma })
        } else {
            Err(MetricError::NoSpread { got: sigma })
        }
    }
}

/// The score of a submission.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    /// The official number: the weighted mean, clipped to [0, 1].
    pub official: f64,
    /// The same before clipping.
    pub unclipped: f64,
    /// Mean over the FGS1 wavelength of all planets, not clipped.
    pub fgs1: f64,
    /// Mean over the AIRS wavelengths of all planets, not clipped.
    pub airs: f64,
}

/// Scores predicted means and standard deviations, `[planets, 283]` each like `truth`.
///
/// # Errors
/// When the slices differ in length, hold no whole number of spectra, a value is not finite, or a predicted one is
/// negative (which rejects a submission officially).
pub fn score(truth: &[f64], mean: &[f64], sigma: &[f64], naive: NaivePrediction) -> Result<Score, MetricError> {
    check_shape("true spectra", truth.len(), None)?;
    check_shape("predicted means", mean.len(), Some(truth.len()))?;
    check_shape("predicted standard deviations", sigma.len(), Some(truth.len()))?;
    check_values("true depth", truth, "a finite number", f64::is_finite)?;
    let valid = |value: f64| value.is_finite() && value >= 0.0;
    check_values("predicted mean", mean, "a finite number that is not negative", valid)?;
    check_values("predicted standard deviation", sigma, "a finite number that is not negative", valid)?;

    let (mut fgs1, mut airs) = (0.0, 0.0);
    for (cell, &truth) in truth.iter().enumerate() {
        let is_fgs1 = cell.is_multiple_of(WAVELENGTHS);
        let ideal_sigma = if is_fgs1 { FGS1_IDEAL_SIGMA } else { AIRS_IDEAL_SIGMA };
        let predicted = log_density(truth, mean[cell], sigma[cell].max(SIGMA_FLOOR));
        let floor = log_density(truth, naive.mean, naive.sigma);
        let ideal = log_density(truth, truth, ideal_sigma);
        let cell_score = (predicted - floor) / (ideal - floor);
        *(if is_fgs1 { &mut fgs1 } else { &mut airs }) += cell_score;
    }
    let planets = (truth.len() / WAVELENGTHS) as f64;
    let airs_cells = planets * (WAVELENGTHS - 1) as f64;
    let unclipped = (FGS1_WEIGHT * fgs1 + airs) / (FGS1_WEIGHT * planets + airs_cells);
    Ok(Score { official: unclipped.clamp(0.0, 1.0), unclipped, fgs1: fgs1 / planets, airs: airs / airs_cells })
}

fn log_density(value: f64, mean: f64, sigma: f64) -> f64 {
    /// ln(2π) / 2.
    const HALF_LOG_TAU: f64 = 0.918_938_533_204_672_8;
    let deviation = (value - mean) / sigma;
    -0.5 * deviation * deviation - HALF_LOG_TAU - libm::log(sigma)
}

fn check_shape(what: &'static str, got: usize, expected: Option<usize>) -> Result<(), MetricError> {
    match expected {
        Some(expected) if got != expected => Err(MetricError::Shape { what, expected: expected.to_string(), got }),
        None if got == 0 || !got.is_multiple_of(WAVELENGTHS) => {
            Err(MetricError::Shape { what, expected: format!("a positive multiple of {WAVELENGTHS}"), got })
        }
        _ => Ok(()),
    }
}

fn check_values(
    what: &'static str,
    values: &[f64],
    expected: &'static str,
    valid: impl Fn(f64) -> bool,
) -> Result<(), MetricError> {
    match values.iter().position(|&value| !valid(value)) {
        None => Ok(()),
        Some(cell) => {
            let (row, wavelength) = (cell / WAVELENGTHS, cell % WAVELENGTHS);
            Err(MetricError::Value { what, row, wavelength, expected, got: values[cell] })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAIVE: NaivePrediction = NaivePrediction { mean: 0.01, sigma: 0.005 };

    fn flat(value: f64) -> Vec<f64> {
        vec![value; WAVELENGTHS]
    }

    fn ideal_sigma() -> Vec<f64> {
        let mut sigma = flat(AIRS_IDEAL_SIGMA);
        sigma[0] = FGS1_IDEAL_SIGMA;
        sigma
    }

    fn close(got: f64, expected: f64) {
        assert!((got - expected).abs() <= 1e-12 * expected.abs().max(1.0), "expected {expected}, got {got}");
    }

    #[test]
    fn the_naive_prediction_scores_zero_and_the_ideal_one_scores_one() {
        let truth = flat(0.012);
        let naive = score(&truth, &flat(NAIVE.mean), &flat(NAIVE.sigma), NAIVE).expect("scored");
        assert_eq!((naive.official, naive.fgs1, naive.airs), (0.0, 0.0, 0.0));
        let ideal = score(&truth, &truth, &ideal_sigma(), NAIVE).expect("scored");
        close(ideal.official, 1.0);
        close(ideal.fgs1, 1.0);
        close(ideal.airs, 1.0);
    }

    #[test]
    fn a_prediction_with_ten_times_the_ideal_sigma_scores_as_computed_by_hand() {
        // Truth at the naive mean: L(naive) = −ln(.005) − c, L(ideal) = −ln(σ) − c, L(prediction) = −ln(10σ) − c,
        // so s = (ln .005 − ln 10σ) / (ln .005 − ln σ): for FGS1 ln(500)/ln(5000), for AIRS ln(50)/ln(500).
        let truth = flat(NAIVE.mean);
        let sigma: Vec<f64> = ideal_sigma().iter().map(|sigma| sigma * 10.0).collect();
        let got = score(&truth, &truth, &sigma, NAIVE).expect("scored");
        let (fgs1, airs) = (0.729_654_471_696_775_9, 0.629_488_286_867_414_5);
        close(got.fgs1, fgs1);
        close(got.airs, airs);
        close(got.official, (57.846 * fgs1 + 282.0 * airs) / (57.846 + 282.0));
    }

    #[test]
    fn a_made_up_table_scores_as_the_official_formula_in_numpy() {
        let table = |cell: fn(usize, usize) -> f64| -> Vec<f64> {
            (0..3).flat_map(|planet| (0..WAVELENGTHS).map(move |wavelength| cell(planet, wavelength))).collect()
        };
        let truth = table(|planet, wavelength| 0.01 + 0.001 * ((7 * planet + 3 * wavelength) % 11) as f64);
        let mean = table(|planet, wavelength| 0.0102 + 0.001 * ((5 * planet + 2 * wavelength) % 13) as f64);
        let sigma = table(|planet, wavelength| 0.0005 + 0.0001 * ((planet + wavelength) % 17) as f64);
        let got = score(&truth, &mean, &sigma, NaivePrediction { mean: 0.013, sigma: 0.004 }).expect("scored");
        close(got.unclipped, -2.010_627_828_082_76);
        close(got.fgs1, -2.046_946_076_065_684_6);
        close(got.airs, -2.003_177_950_874_177_6);
        let naive = NaivePrediction::of_training_targets(&truth).expect("spread");
        close(naive.mean, 0.015_003_533_568_904_596);
        close(naive.sigma, 0.003_163_206_726_630_186_6);
    }

    #[test]
    fn clipping_happens_once_at_the_end() {
        let truth = [flat(0.012), flat(0.012)].concat();
        let mut mean = truth.clone();
        mean[WAVELENGTHS] = 1.0;
        let sigma = [ideal_sigma(), ideal_sigma()].concat();
        let got = score(&truth, &mean, &sigma, NAIVE).expect("scored");
        close(got.airs, 1.0);
        assert!(got.fgs1 < -1e9 && got.unclipped < 0.0, "{got:?}");
        assert_eq!(got.official, 0.0);
    }

    #[test]
    fn a_sigma_of_zero_counts_as_the_floor() {
        let truth = flat(0.012);
        let zero = score(&truth, &truth, &flat(0.0), NAIVE).expect("scored");
        let floor = score(&truth, &truth, &flat(SIGMA_FLOOR), NAIVE).expect("scored");
        assert_eq!(zero, floor);
    }

    #[test]
    fn a_negative_prediction_is_refused_and_named() {
        let truth = flat(0.012);
        let mut negative = truth.clone();
        negative[3] = -1e-9;
        let error = score(&truth, &negative, &ideal_sigma(), NAIVE).expect_err("negative mean");
        assert_eq!(
            error.to_string(),
            "predicted mean at planet 0, wl_4: expected a finite number that is not negative, got -0.000000001"
        );
        let error = score(&truth, &truth, &negative, NAIVE).expect_err("negative sigma");
        assert!(matches!(error, MetricError::Value { wavelength: 3, .. }), "{error}");
    }

    #[test]
    fn wrong_shapes_and_non_finite_values_are_refused() {
        let truth = flat(0.012);
        assert!(score(&truth[1..], &truth[1..], &truth[1..], NAIVE).is_err());
        assert!(score(&[], &[], &[], NAIVE).is_err());
        assert!(score(&truth, &truth[1..], &truth, NAIVE).is_err());
        for bad in [f64::NAN, f64::INFINITY] {
            let mut values = truth.clone();
            values[282] = bad;
            assert!(score(&values, &truth, &truth, NAIVE).is_err());
            assert!(score(&truth, &values, &truth, NAIVE).is_err());
            assert!(score(&truth, &truth, &values, NAIVE).is_err());
        }
    }

    #[test]
    fn naive_mean_and_sigma_are_those_of_the_whole_table() {
        let naive = NaivePrediction::of_training_targets(&[flat(0.01), flat(0.03)].concat()).expect("spread");
        close(naive.mean, 0.02);
        close(naive.sigma, 0.01);
        assert!(matches!(
            NaivePrediction::of_training_targets(&flat(0.5)),
            Err(MetricError::NoSpread { got }) if got == 0.0
        ));
    }
}
