//! The predictions of a run, held against the truths of its data set.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::{PREDICTIONS, PlotError, root_of};
use crate::ariel::calibration::{LightCurves, light_curves_path};
use crate::ariel::config::{ArielConfig, DataLevel};
use crate::ariel::dataset::{DataSet, DataSource, LoadedFile, Star};
use crate::ariel::instrument::WAVELENGTHS;
use crate::ariel::metric::{NaivePrediction, score};
use crate::ariel::preparation;
use crate::ariel::submission::Submission;
use crate::ariel::task::split_planets;
use crate::engine::task::Split;
use crate::failure::Failure;
use crate::manifest::claimed::ClaimedRun;
use crate::provenance::data::ListedFiles;

/// The predictions of a run, the truths, and what they were measured on.
pub(super) struct Judged {
    pub wavelengths_um: Vec<f64>,
    /// By the score, the best planet first.
    pub planets: Vec<Planet>,
    pub data_set: DataSet,
    pub stars: Vec<Star>,
    pub curves: LightCurves,
}

/// One planet's spectrum, `[283]` each.
pub(super) struct Planet {
    pub number: i64,
    /// Unclipped.
    pub score: f64,
    pub truth: Vec<f64>,
    pub mean: Vec<f64>,
    pub sigma: Vec<f64>,
}

impl Planet {
    /// What the prediction is off by, in units of its σ.
    pub fn z(&self, wavelength: usize) -> f64 {
        (self.mean[wavelength] - self.truth[wavelength]) / self.sigma[wavelength]
    }
}

impl Judged {
    /// `None` where no planet was predicted.
    pub fn read(
        run: &ClaimedRun,
        config: &ArielConfig,
        roots: &BTreeMap<String, PathBuf>,
    ) -> Result<Option<Self>, Failure> {
        let file = LoadedFile { path: run.root().join(PREDICTIONS), bytes: run.read(PREDICTIONS)?.into() };
        let Submission { planet_ids, mean, sigma } = Submission::parse(file)?;
        if planet_ids.is_empty() {
            return Ok(None);
        }
        let mut listed = run.claim().data.iter().map(|record| -> Result<ListedFiles, Failure> {
            Ok(run.data(record, &root_of(&record.name, &record.root, roots)?)?)
        });
        let mut next = |name: &str| {
            listed
                .next()
                .unwrap_or_else(|| Err(PlotError::NoData { run: run.root().to_owned(), name: name.to_owned() }.into()))
        };
        let data_set = preparation::listed_data_set(&config.data, &config.sim, &next(&config.data.name)?)?;
        let curves = match config.data.level {
            DataLevel::Binned => preparation::binned_light_curves(&data_set, &config.data)?,
            DataLevel::Raw => {
                let derived = next("of light curves")?;
                let path = light_curves_path(derived.root());
                LightCurves::read(&DataSource::Listed(derived), &path)?
            }
        };
        let targets = data_set.targets(config.data.split)?;
        let truth_of = |planet: i64| targets.of(planet).ok_or(PlotError::NoPlanet { planet, what: "true spectrum" });
        let mut numbers: Vec<i64> = curves.visits.iter().map(|visit| visit.planet).collect();
        numbers.dedup();
        let split_of = split_planets(&numbers, &config.data)?;
        let trained_on = numbers.iter().zip(&split_of).filter(|(_, split)| **split == Split::Train);
        let trained_on = trained_on.map(|(planet, _)| truth_of(*planet)).collect::<Result<Vec<_>, _>>()?;
        let naive = NaivePrediction::of_training_targets(&trained_on.concat())?;
        let spectra = mean.chunks_exact(WAVELENGTHS).zip(sigma.chunks_exact(WAVELENGTHS));
        let judge = |(&number, (mean, sigma)): (&i64, (&[f64], &[f64]))| -> Result<Planet, Failure> {
            let truth = truth_of(number)?;
            let score = score(truth, mean, sigma, naive)?.unclipped;
            Ok(Planet { number, score, truth: truth.to_vec(), mean: mean.to_vec(), sigma: sigma.to_vec() })
        };
        let mut planets = planet_ids.iter().zip(spectra).map(judge).collect::<Result<Vec<_>, _>>()?;
        planets.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.number.cmp(&b.number)));
        let (wavelengths_um, stars) = (data_set.wavelengths_um()?, data_set.stars(config.data.split)?);
        Ok(Some(Self { wavelengths_um, planets, data_set, stars, curves }))
    }

    /// The best, the median and the worst planet, of fewer than three those that there are: with what each is.
    pub fn chosen(&self) -> Vec<(&'static str, &Planet)> {
        let last = self.planets.len() - 1;
        let mut chosen = vec![("best", 0), ("median", last / 2), ("worst", last)];
        chosen.dedup_by_key(|(_, place)| *place);
        chosen.into_iter().map(|(what, place)| (what, &self.planets[place])).collect()
    }
}
