//! Predicted spectra with σ, and the true ones.

use super::judged::{Judged, Planet};
use super::{PPM, judged};
use crate::ariel::instrument::WAVELENGTHS;
use crate::chart::{Axis, ChartError, Colour, Mark, PANEL_HEIGHT, Panel, Picture, Series, Sheet, Stroke};

/// Of a planet that is better and one that is worse than others.
pub(super) fn draw(judged: &Judged) -> Result<Picture, ChartError> {
    let panels = judged.chosen().into_iter().map(|(what, planet)| panel(what, planet, &judged.wavelengths_um));
    let sheet = Sheet {
        title: "Predicted and true spectra".into(),
        columns: 1,
        row_height: PANEL_HEIGHT,
        panels: panels.collect(),
    };
    let caption = format!(
        "Transit depths of the best, the median and the worst of {} held-out planets by score: the prediction with \
         one sigma on either side, and the truth. FGS1 is the point at the left (the truth a little \
         beside it), AIRS-CH0 the curve.",
        judged.planets.len()
    );
    Picture::draw("spectra", caption, &sheet)
}

fn panel(what: &str, planet: &Planet, wavelengths_um: &[f64]) -> Panel {
    let judged::Planet { number, score, truth, mean, sigma } = planet;
    let airs = || (1..WAVELENGTHS).map(|w| (w, wavelengths_um[w]));
    let band = airs().map(|(w, um)| (um, PPM * (mean[w] - sigma[w]), PPM * (mean[w] + sigma[w])));
    let line = |of: &[f64]| Mark::Line(airs().map(|(w, um)| (um, PPM * of[w])).collect(), Stroke::Solid);
    let fgs1 = wavelengths_um[0];
    let ends = (0..WAVELENGTHS).flat_map(|w| [mean[w] - sigma[w], mean[w] + sigma[w], truth[w]]);
    Panel {
        title: format!("{}: planet {number}, score {score:.3}", capital(what)),
        x: Axis::new("wavelength (µm)", 0.5..4.0),
        y: Axis::around("transit depth (ppm)", ends.map(|depth| PPM * depth)),
        series: vec![
            Series::new("predicted ± σ", Colour::Blue, Mark::Band(band.collect())),
            Series::new("predicted", Colour::Blue, line(mean)),
            Series::new("true", Colour::Vermilion, line(truth)),
            Series::new("", Colour::Blue, Mark::ErrorBars(vec![(fgs1, PPM * mean[0], PPM * sigma[0])])),
            Series::new("", Colour::Vermilion, Mark::Points(vec![(fgs1 + 0.03, PPM * truth[0])])),
        ],
    }
}

pub(super) fn capital(word: &str) -> String {
    word[..1].to_uppercase() + &word[1..]
}
