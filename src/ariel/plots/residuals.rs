//! What predictions are off by, by wavelength.

use super::PPM;
use super::judged::{Judged, Planet};
use crate::ariel::instrument::WAVELENGTHS;
use crate::chart::{Axis, ChartError, Colour, Mark, PANEL_HEIGHT, Panel, Picture, Series, Sheet, Stroke};

/// Over all held-out planets.
pub(super) fn draw(judged: &Judged) -> Result<Picture, ChartError> {
    let um = |w: usize| judged.wavelengths_um[w];
    let residual = |planet: &Planet, w: usize| PPM * (planet.mean[w] - planet.truth[w]);
    let over_planets = |of: &dyn Fn(&Planet) -> f64| {
        let mut values: Vec<f64> = judged.planets.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values
    };
    let [low, middle, high] = [0.16, 0.5, 0.84].map(|share| {
        let of = |w| quantile(&over_planets(&|planet| residual(planet, w)), share);
        (0..WAVELENGTHS).map(of).collect::<Vec<f64>>()
    });
    let sigma: Vec<f64> = (0..WAVELENGTHS).map(|w| PPM * root_mean_square(judged, |planet| planet.sigma[w])).collect();
    let errors: Vec<f64> = (0..WAVELENGTHS).map(|w| root_mean_square(judged, |planet| residual(planet, w))).collect();
    let z: Vec<f64> = (0..WAVELENGTHS).map(|w| root_mean_square(judged, |planet| planet.z(w))).collect();
    let airs = |of: &dyn Fn(usize) -> f64| (1..WAVELENGTHS).map(|w| (um(w), of(w))).collect::<Vec<_>>();
    let line = |of: &dyn Fn(usize) -> f64, stroke| Mark::Line(airs(of), stroke);
    let point = |value: f64| Mark::Points(vec![(um(0), value)]);
    let x = Axis::new("wavelength (µm)", 0.5..4.0);
    let ends = (0..WAVELENGTHS).flat_map(|w| [low[w], high[w], sigma[w], -sigma[w]]);
    let half = 0.5 * (high[0] - low[0]);
    let spread = Panel {
        title: "Predicted − true depth, over planets".into(),
        x: x.clone(),
        y: Axis::around("residual (ppm)", ends),
        series: vec![
            Series::new(
                "central 68 %",
                Colour::Blue,
                Mark::Band((1..WAVELENGTHS).map(|w| (um(w), low[w], high[w])).collect()),
            ),
            Series::new("median", Colour::Blue, line(&|w| middle[w], Stroke::Solid)),
            Series::new("± σ (root mean square)", Colour::Vermilion, line(&|w| sigma[w], Stroke::Dashed)),
            Series::new("", Colour::Vermilion, line(&|w| -sigma[w], Stroke::Dashed)),
            Series::new("", Colour::Blue, Mark::ErrorBars(vec![(um(0), 0.5 * (low[0] + high[0]), half)])),
            Series::new("", Colour::Vermilion, Mark::Points(vec![(um(0), sigma[0]), (um(0), -sigma[0])])),
            Series::new("", Colour::Grey, Mark::Line(vec![(0.5, 0.0), (4.0, 0.0)], Stroke::Dashed)),
        ],
    };
    let size = Panel {
        title: "Root mean square of the error, and σ".into(),
        x: x.clone(),
        y: Axis::new("depth (ppm)", 0.0..1.08 * errors.iter().chain(&sigma).copied().fold(1e-9, f64::max)),
        series: vec![
            Series::new("error", Colour::Blue, line(&|w| errors[w], Stroke::Solid)),
            Series::new("σ", Colour::Vermilion, line(&|w| sigma[w], Stroke::Dashed)),
            Series::new("", Colour::Blue, point(errors[0])),
            Series::new("", Colour::Vermilion, point(sigma[0])),
        ],
    };
    let honest = Panel {
        title: "Error in units of its own σ".into(),
        x,
        y: Axis::new("root mean square", 0.0..1.12 * z.iter().copied().fold(1.0, f64::max)),
        series: vec![
            Series::new("error / σ", Colour::Blue, line(&|w| z[w], Stroke::Solid)),
            Series::new("", Colour::Blue, point(z[0])),
            Series::new("honest: 1", Colour::Grey, Mark::Line(vec![(0.5, 1.0), (4.0, 1.0)], Stroke::Dashed)),
        ],
    };
    let caption = format!(
        "By wavelength, over {} held-out planets: what predictions are off by, how large that is beside the predicted \
         sigma, and the error in units of the sigma of each planet, which is 1 where sigma is honest. FGS1 is the point \
         at the left.",
        judged.planets.len()
    );
    let sheet = Sheet {
        title: "Residuals by wavelength".into(),
        columns: 1,
        row_height: PANEL_HEIGHT,
        panels: vec![spread, size, honest],
    };
    Picture::draw("residuals", caption, &sheet)
}

fn root_mean_square(judged: &Judged, of: impl Fn(&Planet) -> f64) -> f64 {
    let squares: f64 = judged.planets.iter().map(|planet| of(planet) * of(planet)).sum();
    (squares / judged.planets.len() as f64).sqrt()
}

/// Between the two nearest of `sorted`, which is not empty.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len() - 1) as f64;
    let (below, part) = (place.floor() as usize, place.fract());
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] * (1.0 - part) + sorted[above] * part
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_lies_between_its_neighbours() {
        assert_eq!(quantile(&[3.0], 0.84), 3.0);
        assert_eq!(quantile(&[0.0, 1.0, 2.0, 3.0, 4.0], 0.5), 2.0);
        assert!((quantile(&[0.0, 10.0], 0.16) - 1.6).abs() < 1e-12);
    }
}
