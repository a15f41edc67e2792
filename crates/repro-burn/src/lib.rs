//! `Repro<B>`: a Burn backend whose results have specified bits.
//!
//! It shares the tensors and devices of `B`, forwards the ops whose bits are fixed anyway, and replaces or refuses all
//! others. `Autodiff<Repro<B>>` then gives gradients made of the same ops, so an unmodified Burn model trains to the
//! same bits on any number of threads, any instruction set, any cache size, in debug and release builds, and on every
//! device that passes the [`probe`]: `B` is `Flex`, the CPU ([`Cpu`]), or a backend of CubeCL, for Vulkan and CUDA. Which
//! bits is the specification below, `NUMERICS.md`. It is no claim about `B` itself, and none about other element types
//! than f32: a replaced op refuses them by name.
//!
//! ```
//! use burn::tensor::{Distribution, Tensor};
//! use repro_burn::rng::{CounterRng, Stream};
//! use repro_burn::{Cpu, with_random};
//!
//! let device = Default::default();
//! // A number of a random tensor is a function of seed, stream, step and place, not of what else is running.
//! let x = with_random(CounterRng::new(7, Stream::INIT, 0), || {
//!     Tensor::<Cpu, 2>::random([64, 1000], Distribution::Normal(0.0, 1.0), &device)
//! });
//! let sum = x.clone().matmul(x.transpose()).tanh().sum().into_scalar();
//! assert_eq!(sum.to_bits(), 0x42f5_f09a); // on any machine
//! ```
//!
//! # Layout
//! - `ops/` holds every replaced op as plain scalar code, the truth.
//! - `kernels.rs`: what a kind of device implements. `flex.rs` and `cpu/` do it for the CPU; `cube/` for Vulkan and
//!   CUDA, one source for both, in which the elementwise functions are the text of `ops/` again.
//! - `float.rs`, `int.rs`, `bool.rs`, `module.rs` and so on, one per backend trait, say what is done with each method,
//!   by a macro (`table.rs`) that is the code and the list of it. `convolution.rs`, `pooling.rs`, `interpolation.rs`
//!   and `order.rs` make methods of the kernels.
//! - `arithmetic.rs`: the modes of a run, native numerics and mixed precision.
//! - `batch_norm.rs`, `graph.rs`, `norm.rs`, `statistics.rs`: a layer with an op of its own in the autodiff graph.
//! - `trace.rs`: what each op gave, for whoever looks for the first one that differs.
//! - `probe.rs` and `probe/`: whether a device computes these bits, asked before a run trusts it.
//!
//! # What is done with which ops
//!
//! | family | treatment |
//! |---|---|
//! | data movement: reshape, permute, slice, cat, gather, select, masks, expand, unfold, flip | forwarded |
//! | integer, bit and bool ops; comparisons | forwarded |
//! | f32 add, sub, mul, neg, abs, floor, ceil, trunc; casts to and from floats | forwarded |
//! | div, recip, sqrt | forwarded where the device rounds them correctly, else replaced |
//! | float to integer | replaced: devices differ beyond the range |
//! | matrix product, sums, means, products, running reductions, scatter-add, select-add, n-dimensional scatter | replaced |
//! | exp, log, log1p, tanh, erf, sigmoid, gelu, round; powers, remainder | replaced |
//! | trigonometric and hyperbolic functions and their inverses | replaced |
//! | arg-min/max and, with gather, min/max; sorting | replaced |
//! | convolutions, deformable convolution, pools, interpolation, unfolding, cross product | replaced |
//! | random tensors | replaced: [`with_random`], or, outside of the engine, `Backend::seed` |
//! | batch norm | [`BatchNorm`], in place of Burn's layer: one op forward and one backward |
//! | clamp, sign, activations, softmax, linear, embedding, layer norm, attention | Burn's own composition of the above |
//! | powers of integers by a tensor, FFT, quantisation | refused |
//!
//! The elementary functions and the matrix product are *fast* methods: in native numerics they go to the backend's own
//! kernels, and in mixed precision the operands of every matrix product are rounded to 16 bits: [`with_arithmetic`].
//! Both are modes of a run, not of the contract.
//!
//! A refused op panics with its name: the backend traits cannot return errors. What Burn's autodiff gets wrong above
//! every backend, with functions to use instead, is in [`differentiable`].
//!
#![doc = include_str!("../NUMERICS.md")]
//!
//! # Every method of Burn's backend traits
#![doc = include_str!("table.md")]

mod activation;
mod arithmetic;
mod backend;
mod batch_norm;
mod bool;
mod columns;
mod convolution;
mod cpu;
#[cfg(feature = "gpu")]
mod cube;
mod deformable;
pub mod differentiable;
mod flex;
mod float;
mod graph;
mod hasher;
mod int;
mod interpolation;
mod kernels;
mod module;
mod norm;
mod ops;
mod order;
mod pooling;
pub mod probe;
mod quantized;
mod random;
pub mod rng;
mod scatter;
mod statistics;
mod table;
mod taps;
mod trace;
mod transaction;
mod update;
mod window;

#[cfg(test)]
mod accuracy;
#[cfg(test)]
mod conformance;
#[cfg(test)]
mod convnet;
#[cfg(any(test, feature = "fault"))]
pub mod fault;
#[cfg(test)]
mod layers;
#[cfg(test)]
mod training;

pub use arithmetic::{Arithmetic, Numerics, Precision, with_arithmetic};
pub use backend::Repro;
pub use batch_norm::{BatchNorm, BatchNormConfig};
pub use cpu::level::{Level as CpuLevel, LevelError as CpuLevelError};
pub use kernels::{Capabilities, Kernels};
pub use random::with_random;
pub use statistics::{BatchStatistics, with_batch_statistics};
pub use table::REFUSED;
pub use trace::{with_trace, without_trace};
pub use update::AdamNumbers;

/// Version of the bits this module specifies; every change of a bit anywhere is a change of it.
pub const NUMERICS_VERSION: u32 = 1;

/// The reproducible backend on the CPU.
pub type Cpu = Repro<burn_flex::Flex>;

/// The reproducible backend on Vulkan, through wgpu.
#[cfg(feature = "wgpu")]
pub type Vulkan = Repro<burn::backend::Vulkan>;

/// The reproducible backend on CUDA.
#[cfg(feature = "cuda")]
pub type Cuda = Repro<burn::backend::Cuda>;

// Without SSE2 a 32-bit x86 keeps intermediate results in wider registers.
#[cfg(all(target_arch = "x86", not(target_feature = "sse2")))]
compile_error!("reproducible numerics need SSE2 on 32-bit x86");

/// In place of the kernels' tests where they are not compiled in: what may not be skipped has to fail.
#[cfg(all(test, not(feature = "gpu")))]
mod cube {
    #[test]
    fn the_kernels_are_compiled_in_where_vulkan_is_required() {
        let required = std::env::var("SPECTRAMIND_REQUIRE").unwrap_or_default();
        let is_required = required.split(',').any(|word| word == "vulkan");
        assert!(!is_required, "SPECTRAMIND_REQUIRE lists vulkan: test with the feature wgpu");
    }
}

/// The examples of the README are true.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
