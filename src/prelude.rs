//! What whoever writes a workload imports: `use spectramind::prelude::*;`.
//!
//! The two traits, the types in their methods, counted random numbers, errors with a context, and of Burn, under its own name
//! as its derive macros need it, what every model has.

pub use burn::module::Module;
pub use burn::tensor::backend::{AutodiffBackend, Backend};
pub use burn::tensor::{Tensor, TensorData};
pub use burn::{self};

pub use crate::engine::rng::{CounterRng, Stream};
pub use crate::engine::splits::Splits;
pub use crate::engine::task::{DeclaredMetric, Draws, InferenceModel, Metric, Moment, Split, Task, TaskError};
pub use crate::failure::{Context, Failure, Result};
pub use crate::provenance::data::ListedFiles;
pub use crate::run::Workloads;
pub use crate::workload::{DataRole, DataSet, Derivation, Outputs, Progress, RunSettings, TrainedModel, Workload};
