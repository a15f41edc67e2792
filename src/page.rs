//! The look of a page that stands alone: no script, nothing loaded, for a screen of any width, a screen reader and paper.

/// The style. A verdict is told by its word; the colour only repeats it.
pub const STYLE: &str = include_str!("page.css");

/// For a `Content-Security-Policy`: even if some text escaped its quotes, the page could load and run nothing.
pub const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'";
