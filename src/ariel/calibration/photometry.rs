//! From pixels to light: sums over the pixels that the star falls on, less what the others see.
//!
//! A real trace has 95 % and more of its light on rows 9…22 of AIRS-CH0 and on rows and columns 10…22 of FGS1; what lies
//! further out adds more noise than light. The background of an AIRS column is the mean of its good edge pixels, averaged
//! over neighbouring columns; that of FGS1 the mean of the hundred good pixels that are darkest over the whole visit. Both are
//! taken bin by bin: the star's faint wings are in them, too, and so dim with it, and do not change a depth.

use std::ops::Range;

use super::CalibSteps;
use crate::ariel::instrument::{AIRS_WAVELENGTHS, Instrument, ROWS};

/// Rows of AIRS-CH0 that the star falls on.
const AIRS_APERTURE: Range<usize> = 9..23;
/// Rows of AIRS-CH0 that it does not: eight at either edge.
const AIRS_EDGES: [Range<usize>; 2] = [0..8, 24..32];
/// Columns on either side that a column's background is averaged over.
const NEIGHBOURS: usize = 7;
/// Rows and columns of FGS1 that the star falls on.
const FGS1_APERTURE: Range<usize> = 10..23;
/// Pixels of FGS1 that tell the background.
const DARKEST: usize = 100;

/// Light per bin and kept column of AIRS-CH0, `[bins, 282]` of a cube `[bins, 282, 32]`; NaN without a good pixel.
pub(super) fn airs(cube: &[f64], steps: &CalibSteps) -> Vec<f64> {
    let aperture = if steps.aperture { AIRS_APERTURE } else { 0..ROWS };
    let mut light = Vec::with_capacity(cube.len() / ROWS);
    for bin in cube.chunks_exact(AIRS_WAVELENGTHS * ROWS) {
        let columns: Vec<&[f64]> = bin.chunks_exact(ROWS).collect();
        let edges = |column: &[f64]| Sum::of(AIRS_EDGES.into_iter().flatten().map(|row| column[row]));
        let edges: Vec<Sum> =
            if steps.background { columns.iter().map(|column| edges(column)).collect() } else { Vec::new() };
        light.extend(columns.iter().enumerate().map(|(number, column)| {
            let star = Sum::of(column[aperture.clone()].iter().copied());
            if !steps.background {
                return star.total();
            }
            let around = number.saturating_sub(NEIGHBOURS)..(number + NEIGHBOURS + 1).min(columns.len());
            let background = edges[around].iter().fold(Sum::default(), |sum, edge| sum.and(*edge));
            star.total() - background.mean_or_nothing() * star.count as f64
        }));
    }
    light
}

/// Light per bin of FGS1, of a cube `[bins, 32, 32]` of columns, then rows; NaN without a good pixel.
pub(super) fn fgs1(cube: &[f64], steps: &CalibSteps) -> Vec<f64> {
    let pixels = Instrument::Fgs1.pixels();
    let in_aperture = |pixel: usize| FGS1_APERTURE.contains(&(pixel / ROWS)) && FGS1_APERTURE.contains(&(pixel % ROWS));
    let aperture: Vec<usize> = (0..pixels).filter(|&pixel| !steps.aperture || in_aperture(pixel)).collect();
    let dark = if steps.background { darkest(cube) } else { Vec::new() };
    cube.chunks_exact(pixels)
        .map(|bin| {
            let star = Sum::of(aperture.iter().map(|&pixel| bin[pixel]));
            let background = Sum::of(dark.iter().map(|&pixel| bin[pixel]));
            star.total() - background.mean_or_nothing() * star.count as f64
        })
        .collect()
}

/// What each pixel weighs in the light of a kept AIRS-CH0 column, or of FGS1, with background and aperture, where no pixel is
/// masked: the frame's pixels, row by row.
pub(in crate::ariel) fn weights(instrument: Instrument, column: usize) -> Vec<(usize, f64)> {
    let columns = instrument.columns();
    match instrument {
        Instrument::AirsCh0 => {
            let kept = instrument.kept_columns();
            let around = column.saturating_sub(NEIGHBOURS).max(kept.start)..(column + NEIGHBOURS + 1).min(kept.end);
            let edge_rows: Vec<usize> = AIRS_EDGES.into_iter().flatten().collect();
            let share = AIRS_APERTURE.len() as f64 / (edge_rows.len() * around.len()) as f64;
            let star = AIRS_APERTURE.map(|row| (row * columns + column, 1.0));
            let edges = edge_rows.into_iter().flat_map(|row| around.clone().map(move |column| row * columns + column));
            star.chain(edges.map(|pixel| (pixel, -share))).collect()
        }
        Instrument::Fgs1 => {
            // The corners stand for the darkest pixels.
            let side = DARKEST.isqrt() / 2;
            let far = |place: usize| place < side || place >= ROWS - side;
            let pixels = 0..instrument.pixels();
            let share = (FGS1_APERTURE.len() * FGS1_APERTURE.len()) as f64 / (4 * side * side) as f64;
            pixels
                .filter_map(|pixel| match (pixel / columns, pixel % columns) {
                    (row, column) if FGS1_APERTURE.contains(&row) && FGS1_APERTURE.contains(&column) => {
                        Some((pixel, 1.0))
                    }
                    (row, column) if far(row) && far(column) => Some((pixel, -share)),
                    _ => None,
                })
                .collect()
        }
    }
}

/// The good pixels with the least light over all bins, the first ones on a tie.
fn darkest(cube: &[f64]) -> Vec<usize> {
    let pixels = Instrument::Fgs1.pixels();
    let total = |pixel: usize| cube.iter().skip(pixel).step_by(pixels).sum::<f64>();
    let mut good: Vec<(f64, usize)> = (0..pixels).map(|pixel| (total(pixel), pixel)).collect();
    good.retain(|(total, _)| !total.is_nan());
    good.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    good.into_iter().take(DARKEST).map(|(_, pixel)| pixel).collect()
}

/// The sum of values that are not NaN, in their order.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    sum: f64,
    count: usize,
}

impl Sum {
    fn of(values: impl Iterator<Item = f64>) -> Self {
        values
            .filter(|value| !value.is_nan())
            .fold(Self::default(), |sum, value| sum.and(Self { sum: value, count: 1 }))
    }

    fn and(self, other: Self) -> Self {
        // Not 0 + x: that turns −0 into 0.
        let sum = if self.count == 0 { other.sum } else { self.sum + other.sum };
        Self { sum, count: self.count + other.count }
    }

    /// NaN of nothing.
    fn total(self) -> f64 {
        if self.count == 0 { f64::NAN } else { self.sum }
    }

    fn mean_or_nothing(self) -> f64 {
        if self.count == 0 { 0.0 } else { self.sum / self.count as f64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEPS: CalibSteps = CalibSteps { background: true, aperture: true, ..CalibSteps::OFFICIAL };

    /// A star of one electron per aperture pixel above a background of `level`, with a dead pixel in each part.
    fn airs_cube(level: f64) -> Vec<f64> {
        let mut cube = Vec::new();
        for column in 0..AIRS_WAVELENGTHS {
            for row in 0..ROWS {
                let star = if AIRS_APERTURE.contains(&row) { 1.0 } else { 0.0 };
                let dead = column == 5 && (row == 3 || row == 12);
                cube.push(if dead { f64::NAN } else { star + level });
            }
        }
        cube
    }

    #[test]
    fn the_background_of_the_edges_is_taken_from_every_good_pixel_of_the_aperture() {
        let light = airs(&airs_cube(7.0), &STEPS);
        for (column, light) in light.iter().enumerate() {
            let expected = if column == 5 { 13.0 } else { 14.0 };
            assert!((light - expected).abs() < 1e-9, "{column}: {light}");
        }
        let with = airs(&airs_cube(7.0), &CalibSteps { background: false, ..STEPS });
        assert_eq!((with[0], with[5]), (14.0 * 8.0, 13.0 * 8.0));
        let all = airs(&airs_cube(7.0), &CalibSteps::OFFICIAL);
        assert_eq!(all[0], 14.0 + 32.0 * 7.0);
    }

    #[test]
    fn the_background_of_fgs1_is_that_of_its_darkest_pixels() {
        let bin = |star: f64| {
            (0..1024).map(move |pixel| {
                let (column, row) = (pixel / ROWS, pixel % ROWS);
                let inside = FGS1_APERTURE.contains(&column) && FGS1_APERTURE.contains(&row);
                // Dark corners, and a glow everywhere else.
                let glow = if column < 4 { 2.0 } else { 5.0 };
                if inside { star + 2.0 } else { glow }
            })
        };
        let cube: Vec<f64> = bin(10.0).chain(bin(9.0)).collect();
        assert_eq!(fgs1(&cube, &STEPS), [1690.0, 1521.0]);
    }

    #[test]
    fn a_column_without_a_good_pixel_has_no_light() {
        let mut cube = airs_cube(7.0);
        cube[9 * ROWS..10 * ROWS].fill(f64::NAN);
        let light = airs(&cube, &STEPS);
        assert!(light[9].is_nan() && light[8].is_finite());
        assert!(fgs1(&[f64::NAN; 1024], &STEPS)[0].is_nan());
    }
}
