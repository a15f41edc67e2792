//! What a user implements to train a model of their own reproducibly.

use burn::module::AutodiffModule;
use burn::tensor::Tensor;
use burn::tensor::backend::AutodiffBackend;

use super::rng::{CounterRng, Stream};
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

    /// The name of one of its metrics, e.g. `val/score`.
    pub fn metric(self, name: &str) -> String {
        format!("{}/{name}", self.name())
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

impl Metric {
    /// A figure under a name.
    pub fn new(name: impl Into<String>, value: f64) -> Self {
        Self { name: name.into(), value }
    }
}

/// A figure that evaluations give, and which direction of it is better.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredMetric {
    /// Its name, without the split.
    pub name: String,
    /// Which direction is better.
    pub mode: MonitorMode,
}

impl DeclaredMetric {
    /// A figure that is better when it is larger.
    pub fn max(name: &str) -> Self {
        Self { name: name.to_owned(), mode: MonitorMode::Max }
    }

    /// A figure that is better when it is smaller.
    pub fn min(name: &str) -> Self {
        Self { name: name.to_owned(), mode: MonitorMode::Min }
    }
}

/// Any error of a task's own.
pub type TaskError = Box<dyn std::error::Error + Send + Sync>;

/// Where a run stands when samples are prepared or a loss is computed. By default at its very beginning.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Moment {
    /// Optimizer steps, the one that is being made included: the first one is 1. In an evaluation, steps done.
    pub step: u64,
    /// Epoch, from 0. In an evaluation, that of the last step.
    pub epoch: u32,
}

/// When samples are prepared, and the random numbers that each of them may be prepared with: for augmentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Draws {
    /// When.
    pub moment: Moment,
    rng: CounterRng,
}

impl Draws {
    /// Those of a split at a moment of a run. A training sample has other numbers at every step, a held-out one the same
    /// at every validation, so that validations can be compared.
    pub fn new(seed: u64, split: Split, moment: Moment) -> Self {
        let rng = match split {
            Split::Train => CounterRng::new(seed, Stream::AUGMENT, moment.step as u32),
            Split::Val | Split::Test => CounterRng::new(seed, Stream::AUGMENT_HELD_OUT, split as u32),
        };
        Self { moment, rng }
    }

    /// The random numbers of the sample at a place of the split: a function of the seed, the split, the step and that
    /// place, so that it does not matter with which others, in which order or by which thread it is prepared.
    pub fn of(&self, sample: usize) -> CounterRng {
        self.rng.part(sample as u32)
    }
}

/// A task's model in inference mode.
pub type InferenceModel<T, B> = <<T as Task>::Model<B> as AutodiffModule<B>>::InnerModule;

/// Data and a model: all that the engine does not know. One task is trained on whichever backend is chosen.
///
/// Everything must be a function of the arguments and of what the task was built from: no clock, no own random
/// numbers, no state that changes between calls. Burn's initialisers and dropout are fine, the engine feeds them from
/// the counter RNG.
pub trait Task: Sync {
    /// The model, made of Burn modules.
    type Model<B: AutodiffBackend>: AutodiffModule<B>;
    /// Samples made ready for the device on a loader thread.
    type Batch: Send;

    /// A model with initial parameters.
    fn init<B: AutodiffBackend>(&self, device: &B::Device) -> Self::Model<B>;

    /// Stable names of the samples of a split, in a fixed order. Samples are addressed by their place in it; the names
    /// go, digested, into every step leaf.
    fn sample_ids(&self, split: Split) -> &[String];

    /// Prepares samples of a split. Called from loader threads; what is drawn at random here comes from `draws`, for each
    /// sample from its own numbers.
    fn batch(&self, split: Split, samples: &[usize], draws: Draws) -> Self::Batch;

    /// The **sum** (not the mean) of the samples' losses, shape `[1]`: sums of shards add up to the batch's. `moment` is
    /// for losses that change in the course of a run.
    fn loss<B: AutodiffBackend>(
        &self,
        model: &Self::Model<B>,
        batch: &Self::Batch,
        moment: Moment,
        device: &B::Device,
    ) -> Tensor<B, 1>;

    /// Figures of merit over samples of a split, computed with the model in inference mode. What is drawn at random here
    /// is a function of the seed, the step and the split; `draws` are for [`batch`](Self::batch). A `loss` among the
    /// figures should be the mean of the samples' losses: `val/loss`.
    ///
    /// # Errors
    /// Whatever keeps the task from judging.
    fn evaluate<B: AutodiffBackend>(
        &self,
        model: &InferenceModel<Self, B>,
        split: Split,
        samples: &[usize],
        draws: Draws,
        device: &B::Device,
    ) -> Result<Vec<Metric>, TaskError>;

    /// The figures that [`evaluate`](Self::evaluate) gives. With them early stopping and the ranking of checkpoints know
    /// the direction of what they monitor, and a run that is to monitor another one is refused before anything is
    /// computed; without them, before the first step, after an evaluation of one sample.
    fn metrics(&self) -> Option<Vec<DeclaredMetric>> {
        None
    }

    /// What checkpoints are ranked by in a run whose settings name no monitor: the name with its split, e.g. `val/score`.
    fn monitor(&self) -> Option<String> {
        None
    }

    /// What a reader of a checkpoint needs, beside the parameters, to use the model: a JSON text of the task's own.
    fn describe(&self) -> String {
        "{}".into()
    }
}
