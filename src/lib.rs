//! Training runs that can be re-checked.

pub mod digest;
pub mod durable;
pub mod merkle;

#[cfg(feature = "engine")]
pub mod engine;
