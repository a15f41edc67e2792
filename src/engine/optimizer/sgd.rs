//! Stochastic gradient descent with momentum, as PyTorch defines it (without dampening).
//!
//! ```text
//! with decay:     g ← g + p·decay
//! with momentum:  m ← m·μ + g        u = m, with Nesterov g + m·μ
//! without:                           u = g
//! p ← p − u·lr
//! ```

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use super::{Pace, Slots, penalized, scaled};
use crate::engine::settings::SgdSettings;

/// Sum of the gradients, older ones weighted down.
pub(super) const MOMENTUM: &str = "sgd.momentum";

pub(super) fn update<B: Backend>(
    rule: &SgdSettings,
    pace: Pace,
    slots: &mut Slots<'_, B>,
    value: Tensor<B, 1>,
    gradient: Tensor<B, 1>,
) -> Tensor<B, 1> {
    let gradient = penalized(gradient, &value, pace.weight_decay);
    if rule.momentum == 0.0 {
        return value - scaled(gradient, pace.lr);
    }
    let momentum = scaled(slots.take(MOMENTUM, &gradient), rule.momentum) + gradient.clone();
    slots.put(MOMENTUM, momentum.clone());
    let direction = match rule.nesterov {
        true => gradient + scaled(momentum, rule.momentum),
        false => momentum,
    };
    value - scaled(direction, pace.lr)
}
