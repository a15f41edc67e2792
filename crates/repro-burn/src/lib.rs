//! `Repro<B>`: a Burn backend whose results have specified bits.
//!
//! It shares the tensors and devices of `B`, forwards the ops whose bits are fixed anyway, and replaces or refuses all
//! others. `Autodiff<Repro<B>>` then gives gradients made of the same ops, so an unmodified Burn model trains to the
//! same bits on any number of threads, any instruction set, any cache size, in debug and release builds, and on every
//! device that passes the [`probe`]: `B` is `Flex`, the CPU ([`Cpu`]), or a backend of CubeCL, for Vulkan and CUDA. It
//! implements the numerics contract of `numerics.md`; it is no claim about `B` itself, and none about other element
//! types than f32: a replaced op refuses them by name.
//!
//! # Layout
//! - `ops/` holds every replaced op as plain scalar code, the truth.
//! - `kernels.rs`: what a kind of device implements. `flex.rs` and `cpu/` do it for the CPU; `cube/` for Vulkan and
//!   CUDA, one source for both, in which the elementwise functions are the text of `ops/` again.
//! - `float.rs`, `int.rs`, `bool.rs`, `module.rs` and so on, one per backend trait, say what is done with each method,
//!   by a macro (`table.rs`) that is the code and the list of it. `convolution.rs`, `pooling.rs`, `interpolation.rs`
//!   and `order.rs` make methods of the kernels.
//! - `arithmetic.rs`: the modes of a run, native numerics and mixed precision.
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
//! # Numerics, version 1
//! All float tensors of replaced ops are f32. add, sub, mul, div and sqrt are those of IEEE 754, rounded to nearest, ties to
//! even, subnormals kept; fma(a, b, c) is a·b + c rounded once. Scalars are rounded from f64 to f32 before use.
//!
//! The floating-point environment is the default one: a host program must not have switched on flush-to-zero.
//!
//! - **NaN.** Which NaN an operation makes is not specified inside; a tensor that is read (`into_data`) has its NaNs replaced
//!   by the positive quiet NaN without payload, 0x7fc00000 in f32.
//! - **Matrix product** `[.., m, k] × [.., k, n]`, broadcast over the leading dimensions. For block b of the inner dimension,
//!   pᵦ starts at +0 and becomes fma(a\[i,k\], b\[k,j\], pᵦ) for k = 512 b, 512 b + 1, … in ascending order; the element is
//!   p₀ + p₁ + …, from the left and starting with p₀ itself; +0 if the inner dimension is empty.
//!   In mixed precision a and b are first rounded to f16 or bf16: to nearest, ties to even, subnormals kept, to infinity
//!   beyond the largest number; products and sums stay f32 ([`Arithmetic`]).
//! - **Sum, product** of n elements, of a dimension or of all in row-major order. n ≤ 4096: 32 lanes start at the identity (−0
//!   for a sum, 1 for a product); in ascending i, lane i mod 32 becomes lane ∘ xᵢ; then for h = 16, 8, 4, 2, 1 lane j becomes
//!   lane j ∘ lane j + h for j < h; the result is lane 0. n > 4096: the results of the consecutive blocks of 4096 are reduced
//!   in the same way until one is left. n = 0: +0 or 1.
//! - **Mean**: the sum divided by n rounded to f32.
//! - **Running sum, product, min, max** along a dimension: one chain in ascending order from +0, 1, +∞, −∞. Min and max take
//!   xᵢ if it is NaN or strictly beyond what they have.
//! - **Arg-max and arg-min**: the first NaN if there is one, else the first of the largest (smallest); −0 = +0. Max and min
//!   are the element at that index, with its bits.
//! - **Sorting**: IEEE 754 total order, −0 < +0, NaN last; stable in both directions.
//! - **scatter_add, select_add**: values are added one by one, in row-major order of the values (of their slices).
//! - **scatter_nd**: slice i of the values updates the slice that tuple i of the indices points to, in row-major order of
//!   the tuples: it is taken, added, multiplied, or taken where it is NaN or strictly beyond (min, max). Of integers, sums
//!   and products keep the low bits.
//! - **xⁿ** for an integer n, |n| ≥ 3: r = x; for each bit of |n| below the highest, from high to low, r = r·r, then r = r·x if
//!   the bit is set; 1/r for n < 0. n = 0, 1, 2: ones, x, x·x; −1, −2: 1/x, 1/(x·x). **x^½** is sqrt(x), **x^−½** is 1/sqrt(x), so
//!   (−0)^−½ = −∞. Any other exponent, an integer with |n| ≥ 65536 too, is a
//!   tensor of it, rounded to f32.
//! - **xʸ** of two tensors: `ops/pow.rs`; of an integer tensor y: of its elements rounded to f32.
//! - **remainder**: x − y·trunc(x/y) exactly; if that is not zero and has another sign than y, y is added, rounded once
//!   (`ops/remainder.rs`). Flex computes something else.
//! - **cross product** a × b: aᵢ·bⱼ − aⱼ·bᵢ, three roundings.
//! - **any, all** of floats: an element counts if it is not equal to zero; NaN counts.
//! - **round**: the nearest integer, ties to even, with the sign of x (Flex gives +0 for −0.5).
//! - **sigmoid(x)** = 1 / (1 + exp(−x)). **gelu(x)** = x·(erf(x / √2) + 1) / 2, √2 rounded to f32.
//! - **min(x, c), max(x, c)** of clamp: x is replaced where it compares beyond c, so NaN stays and −0 stays at a bound of +0.
//!   **relu**: x ≤ 0 becomes +0, NaN stays. **sign** of ±0 and NaN is +0.
//! - **f32 to integer**: towards zero, saturating; NaN gives 0.
//! - **Convolution** of one to three axes, with `[groups · out, in, kernel ..]` weights. For each sample, group and
//!   window position, the matrix product of the weights `[out, in · kernel positions]` with the column `[in · kernel
//!   positions]` of elements under the window: k counts channels, then kernel positions in row-major order; padding is
//!   +0 and takes part. The bias is added to the finished product.
//! - **Transposed convolution**, which is also the gradient of a convolution by its input: for each sample, group and
//!   position, the matrix product of the weights, as `[out · kernel positions, in]`, with the input `[in]`; an output
//!   element is x₀ + x₁ + … from the left, starting with x₀ itself, over the kernel positions through which an input
//!   reaches it, in ascending row-major order; +0 if there is none. The gradient of a transposed convolution by its
//!   input is a convolution.
//! - **Gradient by the weight** of both: the matrix product over k = sample, then window position in row-major order,
//!   of the columns of the larger image with the elements at the window positions. By the bias: the sum over the same
//!   k.
//! - **Deformable convolution**: the matrix product of a convolution, whose columns hold samples at the kernel positions,
//!   as f32, plus their offsets, times the mask. A sample and its slopes are in `ops/deformable.rs`. The gradients by
//!   weight and bias are those of a convolution. Let g be the gradient by the columns, the matrix product of the
//!   transposed weights with the output's. By the mask: the sum over the channels of the offset group of g · sample. With
//!   v = g · mask: by the offset the sums over those channels of slope · v; by the image +0, then + weight · v for each
//!   sample, of all samples in ascending order (kernel position, then window position) the low-low corners first, then
//!   low-high, high-low, high-high.
//! - **Weighted sum** of x₀, x₁, … by w₀, w₁, …: w₀·x₀, then fma(w₁, x₁, sum), and so on; +0 if it is empty.
//!   **Interpolation**: the weighted sum, over the rows of the input that the output row is made of, of the weighted
//!   sums along those rows. The weights of each mode are in `interpolation.rs`. The **gradient** is the same with
//!   transposed tables: for each input row (column), the output rows (columns) that it is part of, in ascending order.
//! - **Average pool**: the sums of the rows of the window, each from the left, added from the left; divided by the
//!   count rounded to f32. Padding counts if asked for but is not added; what `ceil_mode` adds beyond it never counts;
//!   an empty window is 0 / 1. Windows of an **adaptive** pool are from ⌊o·m/n⌋ to before ⌈(o+1)·m/n⌉. The **gradient**
//!   divides each output's by its count; an input's is the sum over the rows of windows that have it, of the sums along
//!   those rows.
//! - **Max pool**: the first NaN of the window in row-major order, else the first of the largest; padding takes no
//!   part. An empty window is −∞ at position −1. The **gradient** of an input is +0 + g₀ + g₁ + … over the windows
//!   whose maximum it is, in ascending order.
//! - **Cross product**: a\[1\]·b\[2\] − a\[2\]·b\[1\] and so on, each of the three operations rounded.
//! - **unfold4d** moves bits. Burn's autodiff backend does not call it but a convolution with weights of 1 and 0.
//! - **All other functions of one or two numbers**: the steps and coefficients are in the file of `ops/` that has the
//!   function's name; sin.rs has cos and tan, sinh.rs cosh, asin.rs acos, atan.rs atan2, asinh.rs acosh and atanh. What they
//!   share is in `ops/double.rs` (arithmetic on pairs), `ops/angle.rs` and at the end of `ops/exp.rs` and `ops/log.rs`. Real
//!   error in units of the last place of the correctly rounded result, from exp to erf, of sin and cos over all 2³²
//!   inputs, of the others over every 61st of them, of atan2 and pow over 16 million adversarial pairs.
//!   The bounds that the exhaustive tests hold all inputs to are in `accuracy.rs`:
//!
//! | function | largest error (ULP) | at | not correctly rounded |
//! |---|---|---|---|
//! | exp | 0.891 | −5.848642 | 0.25 % |
//! | log | 0.934 | 0.63565737 | 3.4 % |
//! | log1p | 1.548 | 0.3335218 | 1.3 % |
//! | tanh | 1.363 | 0.63000596 | 0.17 % |
//! | erf | 1.078 | 0.92170066 | 8.4 % |
//! | sigmoid (0 below −88.72284) | 2.481 | −16.635704 | 3.9 % |
//! | sin | 0.730 | 2.1518211e28 | 0.75 % |
//! | cos | 0.728 | 7.6361543e21 | 0.74 % |
//! | tan | 1.074 | 1463.2063 | 2.2 % |
//! | sinh | 0.697 | 0.8725575 | 0.08 % |
//! | cosh | 0.649 | 1.0718614 | 0.35 % |
//! | asin | 0.593 | 0.59212047 | 0.03 % |
//! | acos | 0.584 | 0.60737973 | 0.01 % |
//! | atan | 0.658 | 0.48382384 | 0.02 % |
//! | asinh | 0.515 | 4098.6807 | 0.004 % |
//! | acosh | 0.515 | 4210.77 | 0.008 % |
//! | atanh | 0.500 | 0.19907823 | 0.001 % |
//! | atan2 | 0.750 | (1.1492829e-7, 3.162919e30) | |
//! | pow | 0.775 | (2.7861729e22, −1.6960334) | |
//!
//! # Every method of Burn's backend traits
#![doc = include_str!("table.md")]

mod activation;
mod arithmetic;
mod backend;
mod bool;
mod convolution;
mod cpu;
#[cfg(feature = "gpu")]
mod cube;
mod deformable;
pub mod differentiable;
mod flex;
mod float;
mod hasher;
mod int;
mod interpolation;
mod kernels;
mod module;
mod ops;
mod order;
mod pooling;
pub mod probe;
mod quantized;
mod random;
pub mod rng;
mod scatter;
mod table;
mod taps;
mod transaction;
mod window;

#[cfg(test)]
mod accuracy;
#[cfg(test)]
mod conformance;
#[cfg(test)]
mod convnet;
#[cfg(test)]
mod fault;
#[cfg(test)]
mod layers;
#[cfg(test)]
mod training;

pub use arithmetic::{Arithmetic, Numerics, Precision, with_arithmetic};
pub use backend::Repro;
pub use cpu::level::{Level as CpuLevel, LevelError as CpuLevelError};
pub use kernels::{Capabilities, Kernels};
pub use random::with_random;
pub use table::REFUSED;

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
