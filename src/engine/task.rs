//! What a user implements to train a model of their own reproducibly.

use burn::module::AutodiffModule;
use burn::tensor::Tensor;
use burn::tensor::backend::AutodiffBackend;

use super::settings::MonitorMode;

/// Which part of the samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Split {
    /// Samples that gradients come from.
    Train,
    /// Samples that decide when to stop and which checkpoint is best.
    Val,
    /// Samples that only the final figure comes from.
    Test,
}

impl Split {
    /// The split's name in metrics: `train`, `val`, `test`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Val => "val",
            Self::Test => "test",
        }
    }
}

/// A named figure.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric {
    /// Name, e.g. `score`; the engine puts the split before it: `val/score`.
    pub name: String,
    /// Value, in the metric's own unit.
    pub value: f64,
}

/// A figure that decides which of two states is better.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Monitor {
    /// Its name with the split before it, e.g. `val/score`.
    pub metric: String,
    /// Which direction is better.
    pub mode: MonitorMode,
}

/// Any error of a task's own.
pub type TaskError = Box<dyn std::error::Error + Send + Sync>;

/// Data and a model: all that the engine does not know.
///
/// Everything must be a function of the arguments and of what the task was built from: no clock, no own random
/// numbers, no state that changes between calls. Burn's initialisers and dropout are fine, the engine feeds them from
/// the counter RNG.
pub trait Task<B: AutodiffBackend>: Sync {
    /// The model, made of Burn modules.
    type Model: AutodiffModule<B>;
    /// Samples made ready for the device on a loader thread.
    type Batch: Send;

    /// A model with initial parameters.
    fn init(&self, device: &B::Device) -> Self::Model;

    /// Stable names of the samples of a split, in a fixed order. Samples are addressed by their place in it; the names
    /// go, digested, into every step leaf.
    fn sample_ids(&self, split: Split) -> &[String];

    /// Prepares samples of a split. Called from loader threads; nothing may be drawn at random here.
    fn batch(&self, split: Split, samples: &[usize]) -> Self::Batch;

    /// The **sum** (not the mean) of the samples' losses, shape `[1]`: sums of shards add up to the batch's.
    fn loss(&self, model: &Self::Model, batch: &Self::Batch, device: &B::Device) -> Tensor<B, 1>;

    /// Figures of merit over samples of a split, computed with the model in inference mode. What is drawn at random here
    /// is a function of the seed, the step and the split. A `loss` among the figures should be the mean of the samples'
    /// losses: `val/loss`.
    ///
    /// # Errors
    /// Whatever keeps the task from judging.
    fn evaluate(
        &self,
        model: &<Self::Model as AutodiffModule<B>>::InnerModule,
        split: Split,
        samples: &[usize],
        device: &B::Device,
    ) -> Result<Vec<Metric>, TaskError>;

    /// The names of the figures that [`evaluate`](Self::evaluate) gives, without the split. A run that is to monitor
    /// another one is refused before anything is computed; without them, before the first step, after an evaluation of
    /// one sample.
    fn metrics(&self) -> Option<Vec<String>> {
        None
    }

    /// What checkpoints are ranked by in a run whose settings name no monitor.
    fn monitor(&self) -> Option<Monitor> {
        None
    }

    /// What a reader of a checkpoint needs, beside the parameters, to use the model: a JSON text of the task's own.
    fn describe(&self) -> String {
        "{}".into()
    }
}
