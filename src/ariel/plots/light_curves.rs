//! Light curves as the detectors read them, as calibrated, and the transit that was fitted to them.

use super::PPM;
use super::judged::{Judged, Planet};
use super::spectra::capital;
use super::{PREDICTIONS, PlotError};
use crate::ariel::calibration::{CalibConfig, CalibSteps, Calibrator};
use crate::ariel::config::{ArielConfig, DataLevel};
use crate::ariel::dataset::Visit;
use crate::ariel::extraction::{FittedLight, Transit};
use crate::ariel::instrument::WAVELENGTHS;
use crate::chart::{Axis, Colour, Mark, PANEL_HEIGHT, Panel, Picture, Series, Sheet, Stroke};
use crate::failure::Failure;

/// No step but those that make numbers electrons per bin.
const NO_STEPS: CalibSteps = CalibSteps {
    mask: false,
    linearity: false,
    dark: false,
    flat: false,
    cosmic_rays: false,
    background: false,
    aperture: false,
};

/// The light of an instrument and what it is called.
const INSTRUMENTS: [&str; 2] = ["FGS1", "AIRS-CH0"];

/// A picture for each of the planets whose spectra are drawn.
pub(super) fn draw(judged: &Judged, config: &ArielConfig) -> Result<Vec<Picture>, Failure> {
    judged.chosen().into_iter().map(|(what, planet)| picture(what, planet, judged, config)).collect()
}

fn picture(what: &str, planet: &Planet, judged: &Judged, config: &ArielConfig) -> Result<Picture, Failure> {
    let Judged { curves, stars, .. } = judged;
    let missing = |what| PlotError::NoPlanet { planet: planet.number, what };
    let row = curves.visits.iter().position(|visit| visit.planet == planet.number);
    let row = row.ok_or_else(|| missing("light curves"))?;
    let star = stars.binary_search_by_key(&planet.number, |star| star.planet_id);
    let star = &stars[star.map_err(|_| missing("star"))?];
    let length = curves.bins * WAVELENGTHS;
    let curve = &curves.values[row * length..][..length];
    let fitted = Transit::white_light(curve, &curves.times, star)
        .map_err(|error| Failure::new(format!("{PREDICTIONS}: planet {}: {error}", planet.number)))?;
    let visit = curves.visits[row];
    let mut panels = Vec::new();
    if config.data.level == DataLevel::Raw {
        let raw = raw(judged, config, visit)?;
        for (name, (light, FittedLight { hours, .. })) in INSTRUMENTS.into_iter().zip(raw.iter().zip(&fitted)) {
            let points = hours.iter().copied().zip(light.iter().map(|light| light / 1e6)).collect();
            panels.push(panel(format!("{name}, raw"), "10⁶ electrons in a bin", hours, points, None));
        }
    }
    for (name, FittedLight { hours, flux, model }) in INSTRUMENTS.into_iter().zip(&fitted) {
        let ppm = |light: &[f64]| hours.iter().copied().zip(light.iter().map(|light| PPM * (light - 1.0))).collect();
        let fit = ppm(model);
        panels.push(panel(format!("{name}, calibrated"), "light − 1 (ppm)", hours, ppm(flux), Some(fit)));
    }
    for (name, FittedLight { hours, flux, model }) in INSTRUMENTS.into_iter().zip(&fitted) {
        let left: Vec<f64> = flux.iter().zip(model).map(|(flux, model)| PPM * (flux - model)).collect();
        let scatter = (left.iter().map(|left| left * left).sum::<f64>() / left.len() as f64).sqrt();
        let zero = vec![(hours[0], 0.0), (hours[hours.len() - 1], 0.0)];
        let points = hours.iter().copied().zip(left).collect();
        let title = format!("{name}, left over: {scatter:.0} ppm");
        panels.push(panel(title, "light − fit (ppm)", hours, points, Some(zero)));
    }
    let raw = match config.data.level {
        DataLevel::Raw => "As read, in electrons without any step of the calibration; calibrated",
        DataLevel::Binned => "The data set holds light curves and no frames, so none is drawn as read. Calibrated",
    };
    let caption = format!(
        "Planet {}, the {what} one by score, visit {}. {raw}, relative to the light outside the transit, with the transit, \
         limb darkening and drift that were fitted to it; and what the fit leaves. AIRS-CH0 is the inverse-variance mean \
         of its 282 wavelengths, and where it is raw their sum.",
        planet.number, visit.number
    );
    let title = format!("{} planet {}: light curves", capital(what), planet.number);
    let sheet = Sheet { title, columns: 2, row_height: PANEL_HEIGHT, panels };
    Ok(Picture::draw(&format!("light-curves-{what}"), caption, &sheet)?)
}

/// FGS1's light and the sum of AIRS', as the detectors read it.
fn raw(judged: &Judged, config: &ArielConfig, visit: Visit) -> Result<[Vec<f64>; 2], Failure> {
    let calib = CalibConfig { steps: NO_STEPS, ..config.calib.clone() };
    let light = Calibrator::new(&judged.data_set, config.data.split, &calib)?.light_curve(visit)?;
    let bins = light.chunks_exact(WAVELENGTHS);
    Ok([bins.clone().map(|bin| bin[0]).collect(), bins.map(|bin| bin[1..].iter().sum()).collect()])
}

fn panel(title: String, label: &str, hours: &[f64], points: Vec<(f64, f64)>, fit: Option<Vec<(f64, f64)>>) -> Panel {
    let values = points.iter().chain(fit.iter().flatten()).map(|(_, value)| *value);
    let y = Axis::around(label, values);
    let mut series = vec![Series::new("measured", Colour::Blue, Mark::Points(points))];
    if let Some(fit) = fit {
        series.push(Series::new("fit", Colour::Vermilion, Mark::Line(fit, Stroke::Solid)));
    }
    let x = Axis::around("hours from the first read", hours.iter().copied());
    Panel { title, x, y, series }
}
