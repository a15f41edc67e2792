//! How long steps, validations and checkpoints take, and so whether a run that goes on still ends in time.
//!
//! No clock is read here: times come in. What has not been measured yet is estimated by what has: a sample takes no longer to be
//! judged than to be trained on, which is a pass forward and one back.

use std::collections::VecDeque;
use std::time::Duration;

/// A limit on the time of a run as a whole: it ends early enough for its test, its files and its signature to be done by then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WallLimit {
    /// Most time by [`FitPlan::elapsed`](super::FitPlan::elapsed), to the end of everything.
    pub limit: Duration,
    /// What whoever signs the run needs after it has been trained and its files have been written.
    pub signing: Duration,
}

/// Steps of which the longest says how long the next one takes: the first ones of a run, for which kernels are compiled, are
/// forgotten.
const REMEMBERED_STEPS: usize = 16;
/// Times that all samples of the test are passed through the model after the last step, at most: those of the last state and of the
/// best one, and two or three for the workload's files.
const PASSES: u32 = 5;
/// Checkpoints that are written or read after the last step: the last state, the best one, and the last one again for its digest.
const CHECKPOINTS: u32 = 4;
/// What is added to all estimates: machines are not the same all the time.
const MARGIN: f64 = 1.25;
/// Part of the limit that is kept free beside, for what is not measured.
const SPARE: u32 = 100;

/// What was measured.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// When the last step was over.
    last: Duration,
    /// What went since then into a validation or a checkpoint, and not into a step.
    aside: Duration,
    steps: VecDeque<Duration>,
    /// The longest time that training on one sample took, by the last step.
    trained: Duration,
    /// The longest time that judging one took.
    judged: Option<Duration>,
    checkpoint: Duration,
}

/// What is ahead of a run that makes another step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ahead {
    /// Samples that are judged after that step.
    pub validated: usize,
    /// Samples that are tested at the end.
    pub tested: usize,
}

impl Pace {
    /// A loop that begins now.
    pub fn from(now: Duration) -> Self {
        Self { last: now, ..Self::default() }
    }

    /// So many samples were judged.
    pub fn judged(&mut self, began: Duration, now: Duration, samples: usize) {
        let took = now.saturating_sub(began);
        self.aside += took;
        if let Ok(samples @ 1..) = u32::try_from(samples) {
            self.judged = self.judged.max(Some(took / samples));
        }
    }

    /// A checkpoint was written.
    pub fn checkpointed(&mut self, began: Duration, now: Duration) {
        let took = now.saturating_sub(began);
        self.aside += took;
        self.checkpoint = self.checkpoint.max(took);
    }

    /// A step on so many samples is over.
    pub fn stepped(&mut self, now: Duration, samples: usize) {
        let took = now.saturating_sub(self.last).saturating_sub(std::mem::take(&mut self.aside));
        self.last = now;
        self.trained = took / u32::try_from(samples.max(1)).unwrap_or(u32::MAX);
        self.steps.push_back(took);
        if self.steps.len() > REMEMBERED_STEPS {
            self.steps.pop_front();
        }
    }

    /// Whether another step would leave too little of the limit.
    pub fn is_over(&self, wall: &WallLimit, now: Duration, ahead: Ahead) -> bool {
        let step = self.steps.iter().max().copied().unwrap_or_default();
        let passes = |samples: usize| {
            self.judged.unwrap_or(self.trained).saturating_mul(u32::try_from(samples).unwrap_or(u32::MAX))
        };
        // One that was not written yet is no longer than a step: it is the state's size, and a step passes over it more than once.
        let checkpoint = if self.checkpoint.is_zero() { step } else { self.checkpoint };
        let needed = step
            .saturating_add(passes(ahead.validated))
            .saturating_add(passes(ahead.tested).saturating_mul(PASSES))
            .saturating_add(checkpoint.saturating_mul(CHECKPOINTS))
            .saturating_add(wall.signing);
        let needed = Duration::try_from_secs_f64(needed.as_secs_f64() * MARGIN).unwrap_or(Duration::MAX);
        let end = now.checked_add(needed).and_then(|end| end.checked_add(wall.limit / SPARE));
        end.is_none_or(|end| end > wall.limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    const NOTHING: Ahead = Ahead { validated: 0, tested: 0 };

    #[test]
    fn a_run_ends_when_another_step_its_test_and_its_signature_would_not_fit() {
        let mut pace = Pace::from(s(10));
        pace.stepped(s(12), 4);
        pace.judged(s(12), s(16), 8);
        pace.checkpointed(s(16), s(17));
        // Neither the validation nor the checkpoint counts as a step.
        pace.stepped(s(19), 4);
        let wall = WallLimit { limit: s(100), signing: s(3) };
        // (2 + 4 × 1 + 3) × 1.25 and one hundredth.
        let over = |now: f64, ahead| pace.is_over(&wall, Duration::from_secs_f64(now), ahead);
        assert!(!over(87.7, NOTHING) && over(87.8, NOTHING));
        // And (10 / 2 + 5 × 4 / 2) × 1.25.
        let ahead = Ahead { validated: 10, tested: 4 };
        assert!(!over(68.9, ahead) && over(69.1, ahead));
    }

    #[test]
    fn what_was_not_measured_is_estimated_by_the_step() {
        let mut pace = Pace::from(s(0));
        pace.stepped(s(8), 4);
        let wall = WallLimit { limit: s(1000), signing: s(0) };
        // (8 + 4 × 8 + 2 × 10 × 5) × 1.25 and ten.
        let ahead = Ahead { validated: 0, tested: 10 };
        assert!(!pace.is_over(&wall, s(814), ahead) && pace.is_over(&wall, s(816), ahead));
    }

    #[test]
    fn the_first_slow_steps_are_forgotten() {
        let mut pace = Pace::from(s(0));
        pace.stepped(s(60), 1);
        let wall = WallLimit { limit: s(200), signing: s(0) };
        assert!(pace.is_over(&wall, s(60), NOTHING));
        (1..=16).for_each(|step| pace.stepped(s(60 + step), 1));
        assert!(!pace.is_over(&wall, s(76), NOTHING));
    }

    #[test]
    fn no_time_that_anybody_writes_overflows() {
        let mut pace = Pace::from(s(0));
        pace.stepped(s(u64::MAX / 2), 1);
        let ahead = Ahead { validated: usize::MAX, tested: usize::MAX };
        assert!(pace.is_over(&WallLimit { limit: Duration::MAX, signing: Duration::MAX }, s(1), ahead));
    }
}
