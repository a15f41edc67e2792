//! Training runs that can be re-checked.

pub mod digest;
pub mod merkle;

#[cfg(feature = "engine")]
pub mod engine;

#[cfg(feature = "engine")]
pub mod ariel;
