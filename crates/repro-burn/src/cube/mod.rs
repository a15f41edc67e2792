//! The replaced ops on GPUs: one source for Vulkan and CUDA, through CubeCL.
//!
//! An elementwise op is the text in [`ops`](super::ops), run on [`traced`] numbers; reductions and matrix products are
//! kernels here, in the same documented order. What a device does not round correctly by itself is built from integers
//! or f64: [`facts`] finds out, the probe makes sure.

mod backend;
mod columns;
mod division;
mod elementwise;
mod extremum;
pub mod facts;
mod fma;
mod fold;
mod launch;
mod matmul;
mod pack;
mod resample;
mod root;
mod scan;
mod scatter;
mod traced;
mod window;

#[cfg(all(test, feature = "wgpu"))]
mod tests;
