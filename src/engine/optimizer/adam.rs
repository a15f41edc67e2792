//! AdamW (Loshchilov & Hutter 2019, algorithm 2) and Adam with an L2 penalty (Kingma & Ba 2015).
//!
//! ```text
//! Adam, with decay:  g ← g + p·decay
//! m ← m·β₁ + g·(1 − β₁)        v ← v·β₂ + (g·g)·(1 − β₂)
//! AdamW:  p ← p·(1 − lr·decay) − ( m/(1 − β₁ᵗ) ) / ( √(v/(1 − β₂ᵗ)) + ε ) · lr
//! Adam:   p ← p                − ( m/(1 − β₁ᵗ) ) / ( √(v/(1 − β₂ᵗ)) + ε ) · lr
//! ```

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use super::{Pace, Slots, penalized, scaled};
use crate::engine::settings::AdamSettings;

/// Running means of the gradient and its square, of AdamW.
pub(super) const ADAMW: [&str; 2] = ["adamw.first", "adamw.second"];
/// Running means of the gradient and its square, of Adam.
pub(super) const ADAM: [&str; 2] = ["adam.first", "adam.second"];

/// `powers` are βᵗ of the step.
pub(super) fn adamw<B: Backend>(
    rule: &AdamSettings,
    pace: Pace,
    powers: [f64; 2],
    slots: &mut Slots<'_, B>,
    value: Tensor<B, 1>,
    gradient: Tensor<B, 1>,
) -> Tensor<B, 1> {
    let direction = direction(rule, powers, ADAMW, slots, gradient);
    scaled(value, 1.0 - pace.lr * pace.weight_decay) - scaled(direction, pace.lr)
}

/// `powers` are βᵗ of the step.
pub(super) fn adam<B: Backend>(
    rule: &AdamSettings,
    pace: Pace,
    powers: [f64; 2],
    slots: &mut Slots<'_, B>,
    value: Tensor<B, 1>,
    gradient: Tensor<B, 1>,
) -> Tensor<B, 1> {
    let gradient = penalized(gradient, &value, pace.weight_decay);
    value - scaled(direction(rule, powers, ADAM, slots, gradient), pace.lr)
}

fn direction<B: Backend>(
    rule: &AdamSettings,
    powers: [f64; 2],
    names: [&str; 2],
    slots: &mut Slots<'_, B>,
    gradient: Tensor<B, 1>,
) -> Tensor<B, 1> {
    let [beta1, beta2] = rule.betas;
    let [first, second] = names.map(|name| slots.take(name, &gradient));
    let first = scaled(first, beta1) + scaled(gradient.clone(), 1.0 - beta1);
    let second = scaled(second, beta2) + scaled(gradient.clone() * gradient, 1.0 - beta2);
    let mean = first.clone().div_scalar((1.0 - powers[0]) as f32);
    let deviation = second.clone().div_scalar((1.0 - powers[1]) as f32).sqrt();
    slots.put(names[0], first);
    slots.put(names[1], second);
    mean / deviation.add_scalar(rule.eps as f32)
}
