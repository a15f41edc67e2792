//! The folder `configs/`, as it was when the program was built: what `spectramind init` writes where there are no sources.

/// Its files: paths below it, and texts, in the order of the paths.
pub const CONFIGS: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/configs.rs"));
