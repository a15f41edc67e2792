//! Whether σ is honest: how often the truth lies within the interval that should hold it so often.

use super::judged::Judged;
use crate::ariel::instrument::WAVELENGTHS;
use crate::chart::{Axis, ChartError, Colour, Mark, Panel, Picture, Series, Sheet, Stroke};

/// Shares at which it is asked.
const POINTS: usize = 100;

/// Of FGS1 and of AIRS-CH0.
pub(super) fn draw(judged: &Judged) -> Result<Picture, ChartError> {
    let planets = judged.planets.len() as f64;
    let expected = (0..=POINTS).map(|point| point as f64 / POINTS as f64);
    let instruments =
        [("FGS1", Colour::Blue, 0..1, Stroke::Solid), ("AIRS-CH0", Colour::Vermilion, 1..WAVELENGTHS, Stroke::Dashed)];
    let mut within = Vec::new();
    let mut series = vec![
        // Of one number for each planet; the errors of AIRS' wavelengths are not independent, and no such band is known.
        Series::new(
            "scatter of FGS1 if honest (1σ)",
            Colour::Grey,
            Mark::Band(
                expected
                    .clone()
                    .map(|share| {
                        let scatter = (share * (1.0 - share) / planets).sqrt();
                        (share, (share - scatter).max(0.0), (share + scatter).min(1.0))
                    })
                    .collect(),
            ),
        ),
        Series::new("honest", Colour::Grey, Mark::Line(vec![(0.0, 0.0), (1.0, 1.0)], Stroke::Solid)),
    ];
    for (name, colour, wavelengths, stroke) in instruments {
        let z = |w: usize| judged.planets.iter().map(move |planet| planet.z(w));
        let mut levels: Vec<f64> = wavelengths.flat_map(z).map(level).collect();
        levels.sort_by(f64::total_cmp);
        let observed = |share: f64| levels.partition_point(|level| *level <= share) as f64 / levels.len() as f64;
        within.push(format!("{:.1} % of {name}", 100.0 * observed(level(1.0))));
        let line = expected.clone().map(|share| (share, observed(share))).collect();
        series.push(Series::new(name, colour, Mark::Line(line, stroke)));
    }
    let panel = Panel {
        title: format!("Within 1σ: {}; honest is 68.3 %", within.join(", ")),
        x: Axis::new("expected share within the interval", 0.0..1.0),
        y: Axis::new("observed share", 0.0..1.0),
        series,
    };
    let caption = format!(
        "Central intervals of the predicted normal distributions: how often the truth of {} held-out planets lies in \
         the one that should hold it with the given share. Below the diagonal sigma is too small, above it too large.",
        judged.planets.len()
    );
    let sheet = Sheet { title: "Reliability of σ".into(), columns: 1, row_height: 1000, panels: vec![panel] };
    Picture::draw("reliability", caption, &sheet)
}

/// The share of a normal distribution that lies nearer to its mean than this: P(|Z| ≤ |z|).
fn level(z: f64) -> f64 {
    libm::erf(z.abs() / std::f64::consts::SQRT_2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_sigma_holds_68_per_cent() {
        assert!((level(1.0) - 0.682_689_492_137_085_9).abs() < 1e-15 && level(-1.0) == level(1.0));
        assert!((level(1.959_963_984_540_054) - 0.95).abs() < 1e-12 && level(0.0) == 0.0);
    }
}
