//! Training runs that can be re-checked.

pub mod config;
pub mod digest;
pub mod durable;
pub mod envelope;
pub mod manifest;
pub mod merkle;
pub mod provenance;
pub mod schema;
pub mod verify;

#[cfg(feature = "engine")]
pub mod engine;

#[cfg(feature = "engine")]
pub mod ariel;

#[cfg(feature = "engine")]
pub use burn;
