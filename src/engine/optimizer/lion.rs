//! Lion (Chen et al. 2023, "Symbolic discovery of optimization algorithms", algorithm 2).
//!
//! ```text
//! u = sign( m·β₁ + g·(1 − β₁) )        sign(±0) = 0
//! p ← p·(1 − lr·decay) − u·lr
//! m ← m·β₂ + g·(1 − β₂)
//! ```

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use super::{Pace, Slots, scaled};
use crate::engine::settings::LionSettings;

/// Running mean of the gradient.
pub(super) const MOMENTUM: &str = "lion.momentum";

pub(super) fn update<B: Backend>(
    rule: &LionSettings,
    pace: Pace,
    slots: &mut Slots<'_, B>,
    value: Tensor<B, 1>,
    gradient: Tensor<B, 1>,
) -> Tensor<B, 1> {
    let [beta1, beta2] = rule.betas;
    let momentum = slots.take(MOMENTUM, &gradient);
    let direction = (scaled(momentum.clone(), beta1) + scaled(gradient.clone(), 1.0 - beta1)).sign();
    slots.put(MOMENTUM, scaled(momentum, beta2) + scaled(gradient, 1.0 - beta2));
    scaled(value, 1.0 - pace.lr * pace.weight_decay) - scaled(direction, pace.lr)
}
