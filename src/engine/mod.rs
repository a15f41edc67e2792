//! The training engine: knows tensors, not Ariel.

pub mod rng;
