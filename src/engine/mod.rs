//! The training engine: knows tensors, not Ariel.
//!
//! A run is a function of a [`task::Task`], a [`fit::FitPlan`] and nothing else; every source of difference between
//! two runs is pinned in a module of its own, in the order in which a step meets them:
//!
//! | what could differ | where it is pinned |
//! |---|---|
//! | the order of samples | [`loader`], a function of (seed, epoch) |
//! | random numbers | [`rng`], a function of (seed, stream, step, index) |
//! | the arithmetic of a tensor operation | [`repro`] |
//! | the order in which gradients are added | [`shard`] |
//! | the parameter update | [`schedule`], [`optimizer`], [`loss_scale`] |
//! | which device computes, and how many | [`device`], [`workers`]: any conforming ones give the same bits |
//! | what is written | [`step_log`], [`snapshot`], [`run_dir`] |

pub mod audit_point;
mod average;
mod batches;
pub mod device;
pub(crate) mod early_stop;
pub mod fit;
pub(crate) mod kept;
pub mod loader;
mod logs;
pub mod loss_scale;
pub mod monitor;
pub mod observer;
pub mod optimizer;
pub(crate) mod parameter;
pub mod reference;
pub mod run_dir;
pub mod schedule;
pub mod settings;
pub mod shard;
pub mod snapshot;
pub mod splits;
pub mod state;
pub mod step_log;
pub mod task;
pub mod trace;
pub mod workers;
pub mod written;

#[cfg(test)]
mod checkpoint_tests;
#[cfg(test)]
mod draws_tests;
#[cfg(test)]
mod resume_tests;
#[cfg(test)]
mod task_tests;
#[cfg(test)]
mod training_tests;
#[cfg(test)]
mod update_tests;
#[cfg(test)]
mod worker_tests;

pub use repro_burn::{self as repro, rng};

/// The backend that a portable run trains on: Burn's CPU backend under the numerics contract, with gradients.
pub type PortableCpu = burn::backend::Autodiff<repro::Cpu>;
