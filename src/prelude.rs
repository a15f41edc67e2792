//! What whoever writes a workload imports: `use spectramind::prelude::*;`.
//!
//! The two traits, the types in their methods, counted random numbers, and errors with a context. Tensors and layers are
//! Burn's, `spectramind::burn`.

pub use burn::tensor::backend::{AutodiffBackend, Backend};

pub use crate::engine::rng::{CounterRng, Stream};
pub use crate::engine::task::{DeclaredMetric, Draws, InferenceModel, Metric, Moment, Split, Task, TaskError};
pub use crate::failure::{Context, Failure};
pub use crate::provenance::data::ListedFiles;
pub use crate::workload::{DataRole, DataSet, Outputs, Progress, RunSettings, Workload};
