//! `Repro<B>`: a Burn backend whose results have specified bits.
mod activation;
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
#[cfg(test)]
mod training;
mod transaction;

pub use backend::Repro;
pub use random::with_random;

/// Version of the bits this module specifies; every change of a bit anywhere is a change of it.
pub const NUMERICS_VERSION: u32 = 1;

/// The reproducible backend on the CPU.
pub type Cpu = Repro<burn_flex::Flex>;
