//! `Repro<B>`: a Burn backend whose results have specified bits.
//!
//! It shares the tensors and devices of `B`, forwards the ops whose bits are fixed anyway, and replaces or refuses all
//! others. `Autodiff<Repro<B>>` then gives gradients made of the same ops, so an unmodified Burn model trains to the same
//! bits on any number of threads, any instruction set, any cache size, in debug and release builds. Today `B` is `Flex`,
//! the CPU ([`Cpu`]). It implements the numerics contract of `numerics.md`; it is no claim about `B` itself, and none
//! about other element types than f32: a replaced op refuses them by name.
//!
//! # Layout
//! `ops/` holds every replaced op as plain scalar code, the truth; `cpu/` the same bits fast; `Kernels`
//! is what a kind of device implements, `flex.rs` for the CPU; one file per backend trait says what is done with each
//! method, by a macro (`table.rs`) that is the code and the list of it.
//!
//! # What is done with which ops
//!
//! | family | treatment |
//! |---|---|
//! | data movement: reshape, permute, slice, cat, gather, select, masks, expand, unfold, flip | forwarded |
//! | integer, bit and bool ops; comparisons | forwarded |
//! | f32 add, sub, mul, div, sqrt, recip, neg, abs, floor, ceil, trunc, casts | forwarded |
//! | matrix product, sums, means, products, running reductions, scatter-add and select-add | replaced |
//! | exp, log, log1p, tanh, erf, sigmoid, round; integer powers, square root and its reciprocal as powers | replaced |
//! | arg-min/max and, with gather, min/max; sorting | replaced |
//! | random tensors | replaced: [`with_random`] |
//! | clamp, sign, activations, softmax, linear, embedding, layer norm, attention | Burn's own composition of the above |
//! | remainder, trigonometric and hyperbolic functions, other powers, cross product | refused |
//! | convolution, pooling, interpolation, FFT, quantisation | refused |
//!
//! The elementary functions and the matrix product are *fast* methods: in native numerics they go to the backend's own
//! kernels, and in mixed precision the operands of every matrix product are rounded to 16 bits: [`with_arithmetic`].
//! Both are modes of a run, not of the contract.
//!
//! A refused op panics with its name: the backend traits cannot return errors.
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
//! - **xⁿ** for an integer n, |n| ≥ 3: r = x; for each bit of |n| below the highest, from high to low, r = r·r, then r = r·x if
//!   the bit is set; 1/r for n < 0. n = 0, 1, 2: ones, x, x·x; −1, −2: 1/x, 1/(x·x). **x^½** is sqrt(x), **x^−½** is 1/sqrt(x), so
//!   (−0)^−½ = −∞. Other exponents are refused.
//! - **any, all** of floats: an element counts if it is not equal to zero; NaN counts.
//! - **round**: the nearest integer, ties to even, with the sign of x (Flex gives +0 for −0.5).
//! - **sigmoid(x)** = 1 / (1 + exp(−x)).
//! - **min(x, c), max(x, c)** of clamp: x is replaced where it compares beyond c, so NaN stays and −0 stays at a bound of +0.
//!   **relu**: x ≤ 0 becomes +0, NaN stays. **sign** of ±0 and NaN is +0.
//! - **f32 to integer**: towards zero, saturating; NaN gives 0.
//! - **exp, log, log1p, tanh, erf**: the steps and coefficients are in `ops/exp.rs`, `ops/log.rs`, `ops/tanh.rs`, `ops/erf.rs`. Real
//!   error over all 2³² inputs, in units of the last place of the correctly rounded result, of which the result is never
//!   more than one step away (log1p: two):
//!
//! | function | largest error (ULP) | at | not correctly rounded |
//! |---|---|---|---|
//! | exp | 0.891 | −5.848642 | 0.25 % |
//! | log | 0.934 | 0.63565737 | 3.4 % |
//! | log1p | 1.548 | 0.3335218 | 1.3 % |
//! | tanh | 1.363 | 0.63000596 | 0.17 % |
//! | erf | 1.078 | 0.92170066 | 8.4 % |
//!
//! # Every method of Burn's backend traits
#![doc = include_str!("table.md")]

mod activation;
mod arithmetic;
mod backend;
mod bool;
mod cpu;
mod flex;
mod float;
mod int;
mod kernels;
mod module;
mod ops;
mod order;
mod quantized;
mod random;
mod table;
mod transaction;

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod training;

pub use arithmetic::{Arithmetic, with_arithmetic};
pub use backend::Repro;
pub use random::with_random;

/// Version of the bits this module specifies; every change of a bit anywhere is a change of it.
pub const NUMERICS_VERSION: u32 = 1;

/// The reproducible backend on the CPU.
pub type Cpu = Repro<burn_flex::Flex>;

// Without SSE2 a 32-bit x86 keeps intermediate results in wider registers.
#[cfg(all(target_arch = "x86", not(target_feature = "sse2")))]
compile_error!("reproducible numerics need SSE2 on 32-bit x86");
