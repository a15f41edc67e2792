//! The built-in workload: the Ariel Data Challenge 2025, from raw detector frames to a scored submission.
//!
//! What is here knows files, detectors and the official score; everything that is computed is in float64, in a fixed
//! order, with transcendental functions from the `libm` crate alone, so that two machines write the same bytes.

use crate::run::Workloads;

pub mod calibration;
pub mod dataset;
pub mod evaluation;
pub mod extraction;
pub mod instrument;
mod linalg;
pub mod metric;
pub mod prior;
pub mod simulator;
pub mod submission;
pub mod transit;

pub mod config;
mod configs;
pub mod features;
pub mod light_curve_kind;
pub mod loss;
pub mod model;
#[cfg(feature = "cli")]
pub mod package;
#[cfg(feature = "plots")]
mod plots;
pub mod predictor;
pub mod preparation;
mod subcommands;
pub mod task;
mod workload;

pub use self::workload::{Ariel, ArielError, PREDICTIONS};

/// The workloads of the programs `spectramind` and `spectramind-verify`.
///
/// Not generic, so that what is compiled for this workload is compiled once, here, and not in every program.
pub fn workloads() -> Workloads {
    Workloads::new().with(Ariel)
}
