//! What a verifier without the engine knows of workloads: nothing.

use spectramind::config::Config;
use spectramind::failure::Failure;
use spectramind::manifest::predicate::DataSet;

/// No workloads.
#[derive(Debug, Clone, Copy, Default)]
pub struct Workloads;

/// A workload that is known: there is none.
pub enum Known {}

impl Workloads {
    /// None.
    pub fn new() -> Self {
        Self
    }

    /// The one of that name: never any.
    pub fn get(&self, _: &str) -> Option<Known> {
        None
    }
}

impl Known {
    /// The data sets that a config names.
    ///
    /// # Errors
    /// Never.
    pub fn data_sets(&self, _: &Config) -> Result<Vec<DataSet>, Failure> {
        match *self {}
    }
}
