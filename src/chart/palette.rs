//! Colours that colour-blind readers can tell apart: those of Okabe and Ito (2008).

use plotters::style::RGBColor;

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// #0072B2
    Blue,
    /// #D55E00
    Vermilion,
    /// #009E73
    Green,
    /// #E69F00
    Orange,
    /// #CC79A7
    Purple,
    /// #56B4E9
    Sky,
    /// #1B1B1F
    Black,
    /// #767680: for what is only for comparison.
    Grey,
}

impl Colour {
    /// For series that are drawn one beside the other, in the order in which they are easiest to tell apart.
    pub const SERIES: [Self; 6] = [Self::Blue, Self::Vermilion, Self::Green, Self::Purple, Self::Orange, Self::Sky];

    pub(super) fn rgb(self) -> RGBColor {
        match self {
            Self::Blue => RGBColor(0, 114, 178),
            Self::Vermilion => RGBColor(213, 94, 0),
            Self::Green => RGBColor(0, 158, 115),
            Self::Orange => RGBColor(230, 159, 0),
            Self::Purple => RGBColor(204, 121, 167),
            Self::Sky => RGBColor(86, 180, 233),
            Self::Black => RGBColor(27, 27, 31),
            Self::Grey => RGBColor(118, 118, 128),
        }
    }
}
