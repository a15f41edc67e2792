//! The replaced ops on slices, as fast as the processor allows, with the bits of [`ops`](super::ops).
//!
//! Speed comes from the order of *independent* elements only: lanes run across output elements, threads over output
//! rows; the operations that make one element never change.

pub mod fold;
pub mod gemm;
pub mod lanes;
pub mod level;
pub mod map;
pub mod narrow;
pub mod tile;
