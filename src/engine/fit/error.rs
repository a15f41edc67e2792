//! Why a run could not go on.

use super::MAX_STEPS;
use crate::engine::monitor::{MonitorError, UnknownDirection, UnknownMonitor};
use crate::engine::optimizer::group::UnmatchedGroup;
use crate::engine::run_dir::RunDirError;
use crate::engine::settings::UnsupportedSetting;
use crate::engine::snapshot::CheckpointError;
use crate::engine::state::SnapshotMismatch;
use crate::engine::task::TaskError;
use crate::engine::workers::WorkerError;
use crate::failure::{Advice, FailureKind};

/// A run that could not go on.
#[derive(Debug, thiserror::Error)]
pub enum FitError {
    /// The run directory failed.
    #[error("{0}")]
    RunDir(#[from] RunDirError),
    /// The checkpoint does not fit.
    #[error("{0}")]
    Snapshot(#[from] SnapshotMismatch),
    /// The best checkpoint cannot be read again.
    #[error("{0}")]
    Checkpoint(#[from] CheckpointError),
    /// A group of the optimizer without parameters.
    #[error("{0}")]
    Group(#[from] UnmatchedGroup),
    /// A setting that no step can be made with.
    #[error("{0}")]
    Setting(#[from] UnsupportedSetting),
    /// Early stopping or the ranking of checkpoints watches something that is not there.
    #[error("{0}")]
    Monitor(#[from] UnknownMonitor),
    /// Which direction of it is better is contradictory or open.
    #[error("{0}")]
    Direction(#[from] UnknownDirection),
    /// Something is monitored, and no samples are held out to compute it over.
    #[error("{key}={monitor}: expected samples to validate on, got none")]
    NothingToMonitor {
        /// The key that names it.
        key: &'static str,
        /// What was to be monitored.
        monitor: String,
    },
    /// An epoch is over before it is validated.
    #[error("trainer.val_check_interval: expected at most the {steps} steps of an epoch, got {got}")]
    NeverValidated {
        /// Steps of an epoch.
        steps: u64,
        /// Every how many it was to be validated.
        got: u64,
    },
    /// A share of the batches that is less than one of them.
    #[error("{key}={got}: expected at least one of the {batches} batches")]
    NoBatches {
        /// The key.
        key: &'static str,
        /// The share.
        got: f64,
        /// How many batches there are.
        batches: usize,
    },
    /// The task could not judge.
    #[error("evaluation on the {split} split failed: {source}")]
    Task {
        /// The split.
        split: &'static str,
        /// Why.
        source: TaskError,
    },
    /// Loss or gradient is not a number any more.
    #[error(
        "training diverged at step {step}: expected a finite loss and gradient, got loss {loss}, norm {norm}{}",
        worker.as_ref().map_or(String::new(), |worker| format!("; the first loss that is not finite is that of {worker}"))
    )]
    Diverged {
        /// The step.
        step: u64,
        /// Its loss.
        loss: f32,
        /// Its gradient norm.
        norm: f32,
        /// The first of several workers whose loss is not a finite number.
        worker: Option<String>,
    },
    /// Batch norm that was to normalise by the whole batch's statistics, and does not ask for them.
    #[error(
        "trainer.sync_batchnorm=true: expected a layer that normalises by the statistics of the whole batch, got none in a model with \
         running statistics ({})",
        statistics.join(", ")
    )]
    NotSynchronised {
        /// Their paths.
        statistics: Vec<String>,
    },
    /// The workers cannot go on together.
    #[error("{0}")]
    Worker(#[from] WorkerError),
    /// More steps than the random numbers of a run can be told apart for.
    #[error("trainer.max_epochs: expected at most {MAX_STEPS} steps in all, got {planned}")]
    TooManySteps {
        /// Steps planned.
        planned: u64,
    },
    /// Parameters that are to be trained and that no loss of an epoch depended on: they would silently never change.
    #[error(
        "no loss of epoch {epoch} has a gradient for {}: expected one in every epoch for a parameter that requires it",
        parameters.join(", ")
    )]
    NoGradient {
        /// The epoch.
        epoch: u32,
        /// Their paths.
        parameters: Vec<String>,
    },
    /// The model, the loss or an evaluation uses an op that portable numerics do not have.
    #[error("{0}")]
    Refused(String),
    /// Everything is frozen, by the model or by groups.
    #[error("expected at least one parameter to train, got none that requires a gradient")]
    NothingToTrain,
    /// There is nothing to train on.
    #[error("no training samples: expected at least one, got an empty split")]
    NoSamples,
}

impl From<MonitorError> for FitError {
    fn from(error: MonitorError) -> Self {
        match error {
            MonitorError::Unknown(error) => Self::Monitor(error),
            MonitorError::Direction(error) => Self::Direction(error),
        }
    }
}

impl Advice for FitError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::RunDir(error) => error.hint(),
            Self::Snapshot(error) => error.hint(),
            Self::Checkpoint(error) => error.hint(),
            Self::Setting(error) => error.hint(),
            Self::Monitor(error) => error.hint(),
            Self::Direction(error) => error.hint(),
            Self::Group(error) => error.hint(),
            Self::NothingToMonitor { .. } => Some(
                "hold more planets out with data.val_fraction, or add trainer.early_stopping=null \
                 trainer.checkpoint.monitor=null"
                    .into(),
            ),
            Self::NeverValidated { steps, .. } => {
                Some(format!("add trainer.val_check_interval=1.0, or a number up to {steps}"))
            }
            Self::NoBatches { key, .. } => Some(format!("add {key}=1, or a larger share")),
            Self::NotSynchronised { .. } => Some(
                "make them of spectramind's BatchNorm instead of Burn's, or set trainer.sync_batchnorm=false".into(),
            ),
            Self::Worker(_) => {
                Some("go on with --resume, with any allowed number of workers (--workers N); one that only took longer needs a larger \
                 trainer.worker_timeout, also where worker 0 validates for longer than that"
                    .into())
            }
            Self::Diverged { .. } => {
                Some("try a smaller optimizer.lr, trainer.gradient_clip_val, or trainer.precision=32".into())
            }
            Self::NothingToTrain => Some("leave some parameters out of the groups with frozen: true".into()),
            Self::Task { .. }
            | Self::TooManySteps { .. }
            | Self::NoGradient { .. }
            | Self::Refused(_)
            | Self::NoSamples => None,
        }
    }

    fn kind(&self) -> FailureKind {
        match self {
            Self::RunDir(error) => error.kind(),
            Self::Snapshot(error) => error.kind(),
            Self::Checkpoint(error) => error.kind(),
            Self::Setting(error) => error.kind(),
            Self::Monitor(error) => error.kind(),
            Self::Direction(error) => error.kind(),
            Self::Group(error) => error.kind(),
            Self::NothingToMonitor { .. } | Self::NeverValidated { .. } | Self::NoBatches { .. } => FailureKind::Usage,
            Self::Task { .. }
            | Self::Worker(_)
            | Self::NotSynchronised { .. }
            | Self::Diverged { .. }
            | Self::TooManySteps { .. }
            | Self::NoGradient { .. }
            | Self::Refused(_)
            | Self::NothingToTrain
            | Self::NoSamples => FailureKind::Failed,
        }
    }
}
