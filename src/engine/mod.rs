//! The training engine: knows tensors, not Ariel.

pub mod repro;
pub mod rng;
