//! The dynamic loss scale of `16-mixed`, by the rule of PyTorch's `GradScaler`, as part of a run's state.
//!
//! f16 operands lose small gradients, so the loss is multiplied by a scale before the backward pass and the gradient
//! divided by it afterwards. Both are exact, because the scale is a power of two: it starts at 2¹⁶, doubles after 2000
//! steps in a row whose gradient was finite, and halves when one is not. That step is skipped: the model (running
//! statistics included), the optimizer and its count of steps stay as they were; the step itself counts and has its
//! leaf. bf16 has the exponents of f32 and needs no scale.
//!
//! Nothing here is a function of anything but the steps before, so a replay has the same scales and skips the same
//! steps.

use serde::{Deserialize, Serialize};

/// Steps with a finite gradient before the scale doubles.
const GROWTH_INTERVAL: u32 = 2000;
/// The scale of the first step, as an exponent of two.
const FIRST: i32 = 16;
/// Largest scale; its double would leave f32.
const LARGEST: i32 = 126;
/// Smallest scale. A gradient that is not finite here did not overflow because of the scale: the run has diverged.
const SMALLEST: i32 = -24;

/// The scale of the next step, and what decides the one after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LossScale {
    /// The scale is two to this power.
    pub exponent: i32,
    /// Steps with a finite gradient since the scale changed.
    pub good_steps: u32,
    /// Steps skipped so far.
    pub skipped_steps: u64,
}

impl LossScale {
    /// The scale of the first step.
    pub const START: Self = Self { exponent: FIRST, good_steps: 0, skipped_steps: 0 };

    /// What the loss of a shard is multiplied by: the scale, divided by the step's `samples` rounded up to a power of
    /// two. The engine's losses are sums; so scaled, their gradients are of the size of a mean's, as in PyTorch.
    pub fn factor(self, samples: usize) -> f32 {
        let exponent = self.exponent - samples.next_power_of_two().trailing_zeros() as i32;
        f32::from_bits(((exponent + 127) as u32) << 23)
    }

    /// The state after a step whose gradient was finite or not; `None` when the scale cannot be made smaller.
    pub fn after(self, finite: bool) -> Option<Self> {
        if !finite {
            let skipped_steps = self.skipped_steps + 1;
            return (self.exponent > SMALLEST).then_some(Self {
                exponent: self.exponent - 1,
                good_steps: 0,
                skipped_steps,
            });
        }
        let good_steps = self.good_steps + 1;
        Some(if good_steps < GROWTH_INTERVAL {
            Self { good_steps, ..self }
        } else {
            Self { exponent: (self.exponent + 1).min(LARGEST), good_steps: 0, ..self }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_follows_pytorchs_rule() {
        let mut scale = LossScale::START;
        assert_eq!(scale.factor(1), 65536.0);
        assert_eq!(scale.factor(13), 4096.0);
        for _ in 0..1999 {
            scale = scale.after(true).expect("a scale");
        }
        assert_eq!(scale.factor(1), 65536.0);
        assert_eq!(scale.after(true).expect("a scale"), LossScale { exponent: 17, good_steps: 0, skipped_steps: 0 });
        let backed_off = scale.after(false).expect("a scale");
        assert_eq!(backed_off, LossScale { exponent: 15, good_steps: 0, skipped_steps: 1 });
    }

    #[test]
    fn the_scale_has_an_end_below_and_above() {
        let mut scale = LossScale::START;
        while let Some(smaller) = scale.after(false) {
            scale = smaller;
        }
        assert_eq!((scale.factor(1), scale.skipped_steps), (2f32.powi(-24), 40));
        let largest = LossScale { exponent: LARGEST, good_steps: GROWTH_INTERVAL - 1, skipped_steps: 0 };
        assert_eq!(largest.after(true).expect("a scale").factor(1), 2f32.powi(126));
    }
}
