//! The replaced ops on slices, as fast as the processor allows, with the bits of [`ops`](super::ops).
//!
//! Speed comes from the order of *independent* elements only: lanes run across output elements, threads over output
//! rows; the operations that make one element never change.

#[cfg(test)]
pub mod adversarial;
pub mod batch;
pub mod cache;
pub mod chunks;
pub mod columns;
pub mod convolution;
pub mod crew;
pub mod extremum;
pub mod fold;
pub mod gemm;
pub mod lanes;
pub mod level;
pub mod map;
pub mod norm;
pub mod operand;
pub mod pack;
pub mod pool;
pub mod resample;
pub mod scan;
pub mod scratch;
pub mod strided;
pub mod team;
pub mod tile;
pub mod uniform;
pub mod update;
pub mod vector;

#[cfg(test)]
mod random_products;
