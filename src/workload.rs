//! What a user implements to have a model of their own trained, signed, audited and replayed.
//!
//! A [`Workload`] says what its part of a config is, which data sets a config names and how those that can be made are
//! made, and how data become a [`Task`]. Everything else (the run directory, the record, the replay, the commands) is the
//! same for all of them, and knows a workload by this trait alone.
//!
//! ```text
//! config ──► data sets ──► task ──► trained model ──► files
//!         data_sets    task      (engine)         write
//!         prepare
//! ```
//! A replay takes the signed config the same way, and makes the derived data sets again with [`derive`](Workload::derive).

mod derivation;
mod outputs;
mod progress;
mod settings;
mod subcommand;

#[cfg(feature = "plots")]
use std::collections::BTreeMap;
#[cfg(feature = "plots")]
use std::path::PathBuf;

use burn::tensor::backend::AutodiffBackend;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

#[cfg(feature = "plots")]
use crate::chart::Picture;
use crate::durable;
use crate::engine::observer::Look;
use crate::engine::task::{InferenceModel, Metric, Task};
use crate::failure::Failure;
#[cfg(feature = "plots")]
use crate::manifest::claimed::ClaimedRun;
use crate::provenance::data::ListedFiles;

pub use self::derivation::Derivation;
pub use self::outputs::Outputs;
pub use self::progress::Progress;
pub use self::settings::{
    CheckedConfig, Clock, DvcPolicy, EnvelopeConfig, ProvenanceConfig, RecordConfig, RunConfig, RunSettings,
};
pub use self::subcommand::{Answer, Subcommand, Work};
pub use crate::manifest::predicate::{DataRole, DataSet};

/// A model at the end of its training: of its best validated state, if any was validated, else of its last one.
pub struct TrainedModel<'a, T: Task, B: AutodiffBackend> {
    /// What was trained.
    pub task: &'a T,
    /// The checkpoint with its parameters, inside the run directory.
    pub checkpoint: &'static str,
    /// The model, in inference mode.
    pub model: &'a InferenceModel<T, B>,
    /// Where it is.
    pub device: &'a B::Device,
}

/// A model, its data and its config: all that the rest of the program does not know.
///
/// Everything must be a function of the arguments: no clock, no random numbers but counted ones, nothing from the
/// environment. What is read of the data is read through the [`ListedFiles`] that are handed in, which are signed: then what
/// was checked is what was used.
pub trait Workload: Send + Sync + 'static {
    /// The workload's own keys at the top of `train.yaml`; all others are [`RunSettings`].
    type Config: DeserializeOwned + JsonSchema + Send + Sync;
    /// Samples and a model.
    type Task: Task;

    /// Its name in configs (`workload`) and in the record: lowercase letters, digits and `-`.
    fn name(&self) -> &'static str;

    /// Refuses, by key, what cannot be trained: before any work is done.
    ///
    /// # Errors
    /// The first setting that cannot be.
    fn check(&self, config: &Self::Config, settings: &RunSettings) -> Result<(), Failure> {
        let _ = (config, settings);
        Ok(())
    }

    /// Samples per batch.
    fn batch_size(&self, config: &Self::Config) -> usize;

    /// The data sets that a config names, in the order in which they are made: a derived one may depend on those before
    /// it.
    fn data_sets(&self, config: &Self::Config) -> Vec<DataSet>;

    /// Makes sure that the data set with this number is there, in its own folder: makes what is missing and can be made,
    /// and refuses what is there and is not what the config asks for. `before` are the data sets before it, hashed.
    ///
    /// # Errors
    /// When it cannot be had.
    fn prepare(
        &self,
        config: &Self::Config,
        number: usize,
        before: &[ListedFiles],
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<(), Failure> {
        let set = &self.data_sets(config)[number];
        if set.role == DataRole::Raw || set.root.exists() {
            return Ok(());
        }
        // Whole or not at all: the half that a killed process left must not pass for a data set.
        let refuse = |error| Failure::from(error).context(format!("cannot make {}", set.root.display()));
        durable::make_folder(&set.root, refuse, |out| self.derive(config, Derivation { number, before, out, progress }))
    }

    /// Makes a derived data set from those before it: where it is missing, and for a replay, which compares it with what was
    /// signed.
    ///
    /// # Errors
    /// When it cannot be made.
    fn derive(&self, config: &Self::Config, derivation: Derivation<'_>) -> Result<(), Failure> {
        let name = &self.data_sets(config)[derivation.number].name;
        Err(Failure::new(format!("data set {name}: the workload {} does not say how it is made", self.name())))
    }

    /// Builds the task from the files of the data sets, and from no others.
    ///
    /// # Errors
    /// When a file is missing, not as listed, or cannot be used.
    fn task(&self, config: &Self::Config, data: &[ListedFiles]) -> Result<Self::Task, Failure>;

    /// Writes what is wanted of the trained model beside its checkpoints, such as predictions: signed with the run, and
    /// compared by a replay.
    ///
    /// # Errors
    /// When something cannot be computed or written.
    fn write<B: AutodiffBackend>(
        &self,
        trained: TrainedModel<'_, Self::Task, B>,
        outputs: &mut Outputs<'_>,
    ) -> Result<(), Failure> {
        let _ = (trained, outputs);
        Ok(())
    }

    /// Looks at the model whenever it was validated, such as to plot its predictions. It cannot change the run, and does not
    /// happen in a replay.
    fn look<B: AutodiffBackend>(&self, look: Look<'_, Self::Task, B>) {
        let _ = look;
    }

    /// One line about the trained model for a person, from the figures of the final test.
    fn summary(&self, metrics: &[Metric]) -> String {
        let figures: Vec<_> = metrics.iter().map(|metric| format!("{} {:.4}", metric.name, metric.value)).collect();
        if figures.is_empty() { "none: nothing was held out".into() } else { figures.join(", ") }
    }

    /// Pictures of a signed run beside its curves, for reports; by default none. `roots` says where data sets are, by name, that
    /// are not where the record says.
    ///
    /// # Errors
    /// When a file is missing, is not the signed one, or cannot be drawn.
    #[cfg(feature = "plots")]
    fn pictures(
        &self,
        run: &ClaimedRun,
        roots: &BTreeMap<String, PathBuf>,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Vec<Picture>, Failure> {
        let _ = (run, roots, progress);
        Ok(Vec::new())
    }

    /// The files of its folder of configs, by path below that folder, and their texts: what `init` writes for whoever has
    /// the program and not its sources. By default none.
    fn configs(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }

    /// What else the program does for this workload: a command each, such as `predict` and `evaluate`.
    fn subcommands(&self) -> Vec<Subcommand> {
        Vec::new()
    }
}
