//! A sheet: panels in columns, each with a title, a legend above the plot (never over the data), and two axes.

use std::sync::Once;

use plotters::coord::Shift;
use plotters::prelude::{
    Cartesian2d, ChartBuilder, ChartContext, Circle, Color, DashedLineSeries, DrawingArea, IntoDrawingArea, LineSeries,
    PathElement, Polygon, RGBColor, Rectangle, SVGBackend, WHITE,
};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontStyle, IntoFont, TextStyle, register_font};

use super::axis::Ticked;
use super::{Axis, Colour};

/// Units across: two of them are a pixel where a picture is shown 800 pixels wide.
const WIDTH: u32 = 1600;
/// Units of a row of panels, where a sheet has nothing else in mind.
pub const PANEL_HEIGHT: u32 = 620;
/// Letters of a sheet's title, of a panel's, of everything else.
const TITLE: u32 = 44;
const HEADING: u32 = 38;
const TEXT: u32 = 34;
/// Room around everything.
const MARGIN: u32 = 24;
/// A sample in a legend, and what is between one entry and the next.
const SAMPLE: i32 = 56;
const GAP: i32 = 36;
/// Most ticks of a vertical axis.
const Y_TICKS: usize = 6;
/// Points of a line: more than pixels, and few enough for a page.
const MOST_POINTS: usize = 4000;

const INK: RGBColor = RGBColor(27, 27, 31);
const GRID: RGBColor = RGBColor(222, 222, 228);

/// Panels under a title.
#[derive(Debug, Clone, PartialEq)]
pub struct Sheet {
    /// On top.
    pub title: String,
    /// Panels beside each other.
    pub columns: usize,
    /// Units of a row of panels, 1600 of which are the width of the sheet.
    pub row_height: u32,
    /// Row by row.
    pub panels: Vec<Panel>,
}

/// Series over two axes.
#[derive(Debug, Clone, PartialEq)]
pub struct Panel {
    /// On top of it.
    pub title: String,
    /// Across.
    pub x: Axis,
    /// Upwards.
    pub y: Axis,
    /// Drawn in this order.
    pub series: Vec<Series>,
}

/// What is drawn of one thing.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// What it is called in the legend; not at all where it is empty.
    pub name: String,
    /// Its colour.
    pub colour: Colour,
    /// Its shape.
    pub mark: Mark,
}

/// A shape. What is not finite is left out.
#[derive(Debug, Clone, PartialEq)]
pub enum Mark {
    /// A line through points from left to right.
    Line(Vec<(f64, f64)>, Stroke),
    /// What lies between two lines: x, from, to.
    Band(Vec<(f64, f64, f64)>),
    /// Points.
    Points(Vec<(f64, f64)>),
    /// Points with an error: x, y, and what is added and taken away.
    ErrorBars(Vec<(f64, f64, f64)>),
}

/// How a line is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stroke {
    /// Without a gap.
    Solid,
    /// With gaps: for what is not data, and for a second line that may lie on a first one.
    Dashed,
}

impl Series {
    /// One.
    pub fn new(name: impl Into<String>, colour: Colour, mark: Mark) -> Self {
        Self { name: name.into(), colour, mark }
    }
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Chart<'a> = ChartContext<'a, SVGBackend<'a>, Cartesian2d<Ticked, Ticked>>;

impl Sheet {
    /// The document.
    pub(super) fn svg(&self) -> Result<String, String> {
        static FONT: Once = Once::new();
        // What plotters measures by; it draws by name.
        FONT.call_once(|| {
            register_font("sans-serif", FontStyle::Normal, super::FONT).unwrap_or_else(|_| panic!("our own font"));
        });
        let columns = self.columns.max(1);
        let rows = self.panels.len().div_ceil(columns).max(1) as u32;
        let title_height = MARGIN + TITLE + MARGIN / 2;
        let height = title_height + rows * self.row_height + MARGIN;
        let mut svg = String::new();
        {
            let root = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
            root.fill(&WHITE).map_err(told)?;
            write(&root, &self.title, (MARGIN as i32, MARGIN as i32), TITLE)?;
            let (_, below) = root.split_vertically(title_height);
            let (below, _) = below.split_vertically(rows * self.row_height);
            let areas = below.split_evenly((rows as usize, columns));
            // Panels one below the other begin at the same place.
            let mut lefts = vec![0; columns];
            for (place, panel) in self.panels.iter().enumerate() {
                panel.check()?;
                let left = &mut lefts[place % columns];
                *left = panel.left(&root).max(*left);
            }
            for (place, (panel, area)) in self.panels.iter().zip(&areas).enumerate() {
                panel.draw(area, lefts[place % columns])?;
            }
            root.present().map_err(told)?;
        }
        Ok(named(svg, &self.title))
    }
}

/// A document says what it is to whoever cannot see it.
fn named(svg: String, title: &str) -> String {
    let title = title.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let svg = svg.replacen("<svg ", "<svg role=\"img\" ", 1);
    svg.replacen(">\n", &format!(">\n<title>{title}</title>\n"), 1)
}

fn told(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn style(size: u32) -> TextStyle<'static> {
    let font = ("sans-serif", f64::from(size)).into_font();
    TextStyle::from(font).color(&INK).pos(Pos::new(HPos::Left, VPos::Top))
}

fn write(area: &Area<'_>, text: &str, at: (i32, i32), size: u32) -> Result<(), String> {
    area.draw_text(text, &style(size), at).map_err(told)
}

/// How wide a text is at most.
fn width(area: &Area<'_>, text: &str, size: u32) -> i32 {
    // plotters takes the size for the height of a line, which is 1.17 times that of the letters.
    area.estimate_text_size(text, &style(size)).map_or(0, |(width, _)| (f64::from(width) * 1.17).ceil() as i32)
}

impl Panel {
    fn check(&self) -> Result<(), String> {
        match [&self.x, &self.y].into_iter().find(|axis| !axis.has_extent()) {
            None => Ok(()),
            Some(Axis { label, range }) => {
                Err(format!("axis {label:?}: expected a range with an extent, got {range:?}"))
            }
        }
    }

    /// Units that the labels of the vertical axis take.
    fn left(&self, area: &Area<'_>) -> u32 {
        let labels = self.y.ticked(Y_TICKS).labels();
        let longest = labels.iter().map(|label| width(area, label, TEXT)).max().unwrap_or(0);
        longest as u32 + TEXT + 34
    }

    fn draw(&self, area: &Area<'_>, left: u32) -> Result<(), String> {
        let (wide, _) = area.dim_in_pixel();
        let (x, y) = (self.x.ticked(if wide > WIDTH / 2 { 8 } else { 5 }), self.y.ticked(Y_TICKS));
        let mut top = 8;
        if !self.title.is_empty() {
            write(area, &self.title, ((MARGIN + left) as i32, top), HEADING)?;
            top += HEADING as i32 + 14;
        }
        let top = self.legend(area, (MARGIN + left) as i32, top, wide as i32)?;
        let (_, plot) = area.split_vertically(top as u32 + 10);
        let mut chart = ChartBuilder::on(&plot)
            .margin_left(MARGIN)
            .margin_right(MARGIN + TEXT)
            .margin_bottom(16)
            .x_label_area_size(2 * TEXT + 26)
            .y_label_area_size(left)
            .build_cartesian_2d(x, y)
            .map_err(told)?;
        chart
            .configure_mesh()
            .x_desc(&self.x.label)
            .y_desc(&self.y.label)
            .label_style(style(TEXT))
            .axis_desc_style(style(TEXT))
            .axis_style(INK.stroke_width(2))
            .bold_line_style(GRID.stroke_width(2))
            .light_line_style(GRID.mix(0.0))
            .set_all_tick_mark_size(10)
            .draw()
            .map_err(told)?;
        self.series.iter().try_for_each(|series| series.draw(&mut chart))
    }

    /// The names of the series from `left` on, in as many lines as they take; returns where they end.
    fn legend(&self, area: &Area<'_>, left: i32, top: i32, right: i32) -> Result<i32, String> {
        let (mut x, mut y, line) = (left, top, TEXT as i32 + 12);
        let named = || self.series.iter().filter(|series| !series.name.is_empty());
        for series in named() {
            let whole = SAMPLE + 14 + width(area, &series.name, TEXT);
            if x > left && x + whole > right - MARGIN as i32 {
                (x, y) = (left, y + line);
            }
            series.sample(area, (x, y + TEXT as i32 / 2 - 3))?;
            write(area, &series.name, (x + SAMPLE + 14, y), TEXT)?;
            x += whole + GAP;
        }
        Ok(if named().next().is_some() { y + line } else { y })
    }
}

impl Series {
    /// What stands before its name.
    fn sample(&self, area: &Area<'_>, (x, y): (i32, i32)) -> Result<(), String> {
        let colour = self.colour.rgb();
        let middle = (x + SAMPLE / 2, y);
        match &self.mark {
            Mark::Line(_, Stroke::Solid) => {
                area.draw(&PathElement::new([(x, y), (x + SAMPLE, y)], colour.stroke_width(5)))
            }
            Mark::Line(_, Stroke::Dashed) => {
                let dash = |from: i32| PathElement::new([(x + from, y), (x + from + 14, y)], colour.stroke_width(5));
                [0, 21, 42].into_iter().try_for_each(|from| area.draw(&dash(from)))
            }
            Mark::Band(_) => area.draw(&Rectangle::new([(x, y - 13), (x + SAMPLE, y + 13)], colour.mix(0.3).filled())),
            Mark::Points(_) => area.draw(&Circle::new(middle, 8, colour.filled())),
            Mark::ErrorBars(_) => area
                .draw(&PathElement::new([(middle.0, y - 17), (middle.0, y + 17)], colour.stroke_width(4)))
                .and_then(|()| area.draw(&Circle::new(middle, 8, colour.filled()))),
        }
        .map_err(told)
    }

    fn draw(&self, chart: &mut Chart<'_>) -> Result<(), String> {
        let colour = self.colour.rgb();
        let finite = |(x, y): &(f64, f64)| x.is_finite() && y.is_finite();
        match &self.mark {
            Mark::Line(points, stroke) => {
                let points: Vec<_> = points.iter().copied().filter(finite).collect();
                let points = thinned(&points);
                if let &[alone] = points.as_slice() {
                    // A line of one point would not be seen.
                    return chart.draw_series([Circle::new(alone, 8, colour.filled())]).map(drop).map_err(told);
                }
                match stroke {
                    Stroke::Solid => chart.draw_series(LineSeries::new(points, colour.stroke_width(4))).map(drop),
                    Stroke::Dashed => {
                        let dashed = DashedLineSeries::new(points, 14, 9, colour.stroke_width(4));
                        chart.draw_series(dashed).map(drop)
                    }
                }
            }
            Mark::Band(band) => {
                let band = band.iter().filter(|(x, low, high)| finite(&(*x, *low)) && high.is_finite());
                let lower = band.clone().map(|(x, low, _)| (*x, *low));
                let outline: Vec<_> = lower.chain(band.rev().map(|(x, _, high)| (*x, *high))).collect();
                chart.draw_series([Polygon::new(outline, colour.mix(0.3))]).map(drop)
            }
            Mark::Points(points) => {
                // Many points are small ones: they shall not become a blot.
                let size = if points.len() > 150 { 5 } else { 7 };
                let points = points.iter().copied().filter(finite);
                chart.draw_series(points.map(|point| Circle::new(point, size, colour.filled()))).map(drop)
            }
            Mark::ErrorBars(bars) => {
                let bars = bars.iter().filter(|(x, y, error)| finite(&(*x, *y)) && error.is_finite());
                let whisker = |(x, y, error): &(f64, f64, f64)| {
                    PathElement::new([(*x, y - error), (*x, y + error)], colour.stroke_width(4))
                };
                let point = |(x, y, _): &(f64, f64, f64)| Circle::new((*x, *y), 8, colour.filled());
                chart.draw_series(bars.clone().map(whisker)).map_err(told)?;
                chart.draw_series(bars.map(point)).map(drop)
            }
        }
        .map_err(told)
    }
}

/// Of a line with more points than pixels the lowest and the highest of each part, so that no peak is lost.
fn thinned(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    if points.len() <= MOST_POINTS {
        return points.to_vec();
    }
    let part = points.len().div_ceil(MOST_POINTS / 2);
    let mut kept = Vec::with_capacity(MOST_POINTS);
    for part in points.chunks(part) {
        let by_height = |a: &&(f64, f64), b: &&(f64, f64)| a.1.total_cmp(&b.1);
        let (low, high) = (part.iter().min_by(by_height), part.iter().max_by(by_height));
        let (Some(low), Some(high)) = (low, high) else { continue };
        kept.extend(if low.0 <= high.0 { [*low, *high] } else { [*high, *low] });
    }
    kept
}
