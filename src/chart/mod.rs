//! Pictures of numbers: panels with axes, lines, bands and points, as SVG and as PNG.
//!
//! Drawn by `plotters`; a PNG is the SVG, painted by `resvg` with the font that lies here. Nothing is asked of the machine (no
//! fonts, no locale, no clock), so the same numbers give the same bytes. Knows nothing of runs.

mod axis;
mod palette;
mod png;
mod sheet;

pub use self::axis::Axis;
pub use self::palette::Colour;
pub use self::sheet::{Mark, PANEL_HEIGHT, Panel, Series, Sheet, Stroke};

/// The one font: a part of DejaVu Sans (`DejaVuSans.LICENSE` lies beside it).
const FONT: &[u8] = include_bytes!("DejaVuSans.ttf");

/// A picture of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// A file name without its extension.
    pub name: String,
    /// What a person calls it.
    pub title: String,
    /// What it shows, in a sentence or two.
    pub caption: String,
    svg: String,
}

/// A picture that cannot be drawn.
#[derive(Debug, thiserror::Error)]
#[error("picture {name}: {reason}")]
pub struct ChartError {
    /// Its name.
    pub name: String,
    /// What the one that draws said.
    pub reason: String,
}

impl crate::failure::Advice for ChartError {}

impl Picture {
    /// Draws one.
    ///
    /// # Errors
    /// [`ChartError`], for an axis without extent.
    pub fn draw(name: &str, caption: String, sheet: &Sheet) -> Result<Self, ChartError> {
        let failed = |reason| ChartError { name: name.to_owned(), reason };
        let svg = sheet.svg().map_err(failed)?;
        Ok(Self { name: name.to_owned(), title: sheet.title.clone(), caption, svg })
    }

    /// An SVG document of its own, without an XML declaration: it can stand in a page.
    pub fn svg(&self) -> &str {
        &self.svg
    }

    /// The same as PNG.
    ///
    /// # Errors
    /// [`ChartError`].
    pub fn png(&self) -> Result<Vec<u8>, ChartError> {
        png::of(&self.svg).map_err(|reason| ChartError { name: self.name.clone(), reason })
    }
}

#[cfg(test)]
mod tests;
