//! How good predictions are, beyond one number: the score with its standard error, whether σ is honest, which planets are worst.

use serde::Serialize;

use super::instrument::WAVELENGTHS;
use super::metric::{MetricError, NaivePrediction, Score, score};
use super::submission::Submission;

/// Planets that are named.
const WORST: usize = 5;

/// A submission, held against true spectra.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// The official score, and by instrument.
    pub score: Score,
    /// Standard error of the unclipped score: the jackknife over planets.
    pub standard_error: f64,
    /// Root mean square error of the means, parts per million of the star's light.
    pub rmse_ppm: f64,
    /// Standard deviation about 0 of the errors in units of σ; 1 where σ is honest.
    pub z_sd: f64,
    /// Share of errors within one σ; 0.683 where σ is honest and errors are normal.
    pub coverage_68: f64,
    /// The worst planets, the worst one first.
    pub worst: Vec<WorstPlanet>,
    /// Planets in all.
    pub planets: usize,
}

/// A planet with a low score.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WorstPlanet {
    /// The planet.
    pub planet: i64,
    /// Its score, unclipped.
    pub score: f64,
}

impl Evaluation {
    /// Holds a submission against `truth`, `[planets, 283]` in its order.
    ///
    /// # Errors
    /// When there is no score; see [`score`].
    pub fn of(truth: &[f64], submission: &Submission, naive: NaivePrediction) -> Result<Self, MetricError> {
        let Submission { planet_ids, mean, sigma } = submission;
        let whole = score(truth, mean, sigma, naive)?;
        let spectra = mean.chunks_exact(WAVELENGTHS).zip(sigma.chunks_exact(WAVELENGTHS));
        let each = planet_ids.iter().zip(truth.chunks_exact(WAVELENGTHS).zip(spectra));
        let mut scored = each
            .map(|(&planet, (truth, (mean, sigma)))| {
                Ok(WorstPlanet { planet, score: score(truth, mean, sigma, naive)?.unclipped })
            })
            .collect::<Result<Vec<_>, MetricError>>()?;
        let count = scored.len() as f64;
        // Of a mean the jackknife's error is the usual one.
        let squares: f64 = scored.iter().map(|planet| (planet.score - whole.unclipped).powi(2)).sum();
        let standard_error = if count > 1.0 { (squares / (count * (count - 1.0))).sqrt() } else { f64::NAN };
        let errors = truth.iter().zip(mean).map(|(truth, mean)| truth - mean);
        let z = || errors.clone().zip(sigma).map(|(error, sigma)| error / sigma);
        let cells = truth.len() as f64;
        let mean_square =
            |values: &mut dyn Iterator<Item = f64>| values.map(|value| value * value).sum::<f64>() / cells;
        scored.sort_by(|a, b| a.score.total_cmp(&b.score).then(a.planet.cmp(&b.planet)));
        scored.truncate(WORST);
        Ok(Self {
            score: whole,
            standard_error,
            rmse_ppm: mean_square(&mut errors.clone()).sqrt() * 1e6,
            z_sd: mean_square(&mut z()).sqrt(),
            coverage_68: z().filter(|z| z.abs() <= 1.0).count() as f64 / cells,
            worst: scored,
            planets: planet_ids.len(),
        })
    }

    /// The figures for a program.
    pub fn json(&self) -> serde_json::Value {
        let Self { score, standard_error, rmse_ppm, z_sd, coverage_68, worst, planets } = self;
        serde_json::json!({
            "score": score.official,
            "unclipped": score.unclipped,
            "standardError": standard_error,
            "fgs1": score.fgs1,
            "airs": score.airs,
            "rmsePpm": rmse_ppm,
            "zSd": z_sd,
            "coverage68": coverage_68,
            "planets": planets,
            "worst": worst,
        })
    }

    /// The figures for a person.
    pub fn text(&self) -> String {
        let Self { score, standard_error, rmse_ppm, z_sd, coverage_68, worst, planets } = self;
        let worst: Vec<_> = worst.iter().map(|worst| format!("{} ({:.3})", worst.planet, worst.score)).collect();
        format!(
            "score {:.6}  (FGS1 {:.6}, AIRS {:.6}, before clipping {:.6} +- {standard_error:.4} over {planets} planets)\n\
             error {rmse_ppm:.1} ppm; in units of sigma {z_sd:.3} (1 is honest), {:.1} % within one sigma (68.3)\n\
             worst {}",
            score.official,
            score.fgs1,
            score.airs,
            score.unclipped,
            100.0 * coverage_68,
            worst.join(", ")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_honest_sigma_has_unit_errors_and_the_worst_planet_is_named_first() {
        let naive = NaivePrediction { mean: 0.013, sigma: 0.01 };
        let truth: Vec<f64> = (0..4 * WAVELENGTHS).map(|cell| 0.01 + 1e-5 * (cell % 7) as f64).collect();
        let error = |cell: usize| 1e-4 * if cell.is_multiple_of(2) { 1.0 } else { -1.0 };
        let mut mean: Vec<f64> = truth.iter().enumerate().map(|(cell, truth)| truth + error(cell)).collect();
        let sigma = vec![1e-4 + 1e-12; truth.len()];
        let submission =
            |mean: &[f64]| Submission { planet_ids: vec![4, 5, 6, 7], mean: mean.to_vec(), sigma: sigma.clone() };
        let honest = Evaluation::of(&truth, &submission(&mean), naive).expect("scored");
        assert!((honest.z_sd - 1.0).abs() < 1e-6 && honest.coverage_68 == 1.0, "{honest:?}");
        assert!((honest.rmse_ppm - 100.0).abs() < 1e-6 && honest.standard_error < 1e-3, "{honest:?}");
        mean[2 * WAVELENGTHS + 9] += 1e-3;
        let off = Evaluation::of(&truth, &submission(&mean), naive).expect("scored");
        assert_eq!(off.worst[0].planet, 6);
        assert!(off.z_sd > honest.z_sd && off.score.unclipped < honest.score.unclipped);
        assert!(off.text().contains("worst 6 ("), "{}", off.text());
    }
}
