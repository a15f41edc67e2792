//! What of a run's leaves is known without computing it: which samples each step has, at which learning rate.

use burn::tensor::backend::AutodiffBackend;

use super::points::AuditPoints;
use super::{FitError, FitPlan, begin, check};
use crate::digest::Blake3Digest;
use crate::engine::schedule;
use crate::engine::step_log::{StepLeaf, f64_bits, samples_digest};
use crate::engine::task::{Split, Task};

/// Holds the leaves of a run against its plan: steps, epochs, samples and learning rates, the digests of the state that are due, and
/// that there are no more steps than planned.
///
/// Returns what is planned, and the first difference if there is one.
///
/// # Errors
/// When the task cannot be trained by this plan.
pub fn audit<B: AutodiffBackend, T: Task>(
    task: &T,
    plan: &FitPlan<'_>,
    leaves: &[StepLeaf],
    device: &B::Device,
) -> Result<(Planned, Option<String>), FitError> {
    let steps = check(task, plan)?;
    let state = begin::<B, T>(task, plan, None, device)?;
    let points = AuditPoints::of(&plan.audit, steps, state.tensor_bytes());
    let audit_points = (1..=leaves.len() as u64).filter(|&step| points.is_due(step)).collect();
    Ok((Planned { steps, audit_points }, difference(task, plan, points, steps, leaves)))
}

/// What a run of a plan has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// Steps, without early stopping.
    pub steps: u64,
    /// The steps with an audit point, as far as the run came.
    pub audit_points: Vec<u64>,
}

fn difference<T: Task>(
    task: &T,
    plan: &FitPlan<'_>,
    points: AuditPoints,
    planned: u64,
    leaves: &[StepLeaf],
) -> Option<String> {
    let ids = task.sample_ids(Split::Train);
    let (mut leaves, mut step) = (leaves.iter(), 0);
    for epoch in 0..plan.trainer.max_epochs {
        let steps = plan.epoch(epoch, ids.len()).into_steps();
        let count = steps.len() as u64;
        for (done_in_epoch, batches) in (1..).zip(&steps) {
            let leaf = leaves.next()?;
            step += 1;
            let lr = schedule::learning_rate(&plan.schedule, plan.optimizer.lr, step, planned);
            let is_due = plan.digest_due(step, epoch, done_in_epoch, count) || points.is_due(step);
            let expected = Expected {
                step,
                epoch,
                samples: samples_digest(ids, batches),
                learning_rate_bits: f64_bits(lr),
                has_state: is_due,
                is_scaled: plan.is_loss_scaled(),
            };
            if let Some(difference) = expected.difference(leaf) {
                return Some(difference);
            }
        }
    }
    leaves.next().map(|leaf| format!("step {}: expected at most {planned} steps, got more", leaf.step))
}

/// What a leaf has to say.
struct Expected {
    step: u64,
    epoch: u32,
    samples: Blake3Digest,
    learning_rate_bits: String,
    has_state: bool,
    is_scaled: bool,
}

impl Expected {
    fn difference(&self, leaf: &StepLeaf) -> Option<String> {
        let Self { step, epoch, samples, learning_rate_bits, has_state, is_scaled } = self;
        let some = |is_some: bool| if is_some { "one" } else { "none" }.to_owned();
        let fields = [
            ("step", step.to_string(), leaf.step.to_string()),
            ("epoch", epoch.to_string(), leaf.epoch.to_string()),
            ("samples", samples.to_string(), leaf.samples.to_string()),
            ("learningRateBits", learning_rate_bits.clone(), leaf.learning_rate_bits.clone()),
            ("lossScale", some(*is_scaled), some(leaf.loss_scale.is_some())),
            ("state", some(*has_state), some(leaf.state.is_some())),
        ];
        let (field, expected, got) = fields.into_iter().find(|(_, expected, got)| expected != got)?;
        Some(format!("step {step}, {field}: expected {expected}, as the config says, got {got}"))
    }
}
