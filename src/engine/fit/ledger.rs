//! What of a run's leaves is known without computing it: which samples each step has, at which learning rate.

use super::{FitError, FitPlan, check};
use crate::digest::Blake3Digest;
use crate::engine::schedule;
use crate::engine::step_log::{StepLeaf, f64_bits, samples_digest};
use crate::engine::task::{Split, Task};

/// Holds the leaves of a run against its plan: steps, epochs, samples and learning rates, the digests of the state that are due, and
/// that there are no more steps than planned. `points` are the steps of its audit points.
///
/// Returns the number of steps planned, and the first difference if there is one.
///
/// # Errors
/// When the task cannot be trained by this plan.
pub fn audit<T: Task>(
    task: &T,
    plan: &FitPlan<'_>,
    points: &[u64],
    leaves: &[StepLeaf],
) -> Result<(u64, Option<String>), FitError> {
    let planned = check(task, plan)?;
    let ids = task.sample_ids(Split::Train);
    let (mut leaves, mut step) = (leaves.iter(), 0);
    for epoch in 0..plan.trainer.max_epochs {
        let steps = plan.epoch(epoch, ids.len()).into_steps();
        let count = steps.len() as u64;
        for (done_in_epoch, batches) in (1..).zip(&steps) {
            let Some(leaf) = leaves.next() else { return Ok((planned, None)) };
            step += 1;
            let lr = schedule::learning_rate(&plan.schedule, plan.optimizer.lr, step, planned);
            let is_due = plan.digest_due(step, epoch, done_in_epoch, count) || points.contains(&step);
            let expected = Expected {
                step,
                epoch,
                samples: samples_digest(ids, batches),
                learning_rate_bits: f64_bits(lr),
                has_state: is_due,
                is_scaled: plan.is_loss_scaled(),
            };
            if let Some(difference) = expected.difference(leaf) {
                return Ok((planned, Some(difference)));
            }
        }
    }
    let left = leaves.next().map(|leaf| format!("step {}: expected at most {planned} steps, got more", leaf.step));
    Ok((planned, left))
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
