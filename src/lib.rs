//! Training runs that can be re-checked.

pub mod config;
pub mod digest;
pub mod merkle;

#[cfg(feature = "engine")]
pub mod engine;
