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

use super::{Pace, Slots, penalized};
use crate::engine::repro::AdamNumbers;
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
    let numbers = numbers(rule, pace.lr, powers, 1.0 - pace.lr * pace.weight_decay);
    step(numbers, ADAMW, slots, value, gradient)
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
    step(numbers(rule, pace.lr, powers, 1.0), ADAM, slots, value, gradient)
}

fn numbers(rule: &AdamSettings, lr: f64, powers: [f64; 2], shrink: f64) -> AdamNumbers {
    AdamNumbers {
        betas: rule.betas.map(|beta| beta as f32),
        rests: rule.betas.map(|beta| (1.0 - beta) as f32),
        corrections: powers.map(|power| (1.0 - power) as f32),
        eps: rule.eps as f32,
        shrink: shrink as f32,
        lr: lr as f32,
    }
}

/// In one pass where the device has it, else operation by operation, with the same bits.
fn step<B: Backend>(
    numbers: AdamNumbers,
    names: [&str; 2],
    slots: &mut Slots<'_, B>,
    value: Tensor<B, 1>,
    gradient: Tensor<B, 1>,
) -> Tensor<B, 1> {
    let [mut first, mut second] = names.map(|name| slots.take(name, &gradient));
    let moved = numbers.step_of(&value, &gradient, [&mut first, &mut second]).unwrap_or_else(|| {
        let AdamNumbers { betas, rests, corrections, eps, shrink, lr } = numbers;
        first = first.clone().mul_scalar(betas[0]) + gradient.clone().mul_scalar(rests[0]);
        second = second.clone().mul_scalar(betas[1]) + (gradient.clone() * gradient).mul_scalar(rests[1]);
        let mean = first.clone().div_scalar(corrections[0]);
        let deviation = second.clone().div_scalar(corrections[1]).sqrt();
        let shrunk = if shrink == 1.0 { value } else { value.mul_scalar(shrink) };
        shrunk - (mean / deviation.add_scalar(eps)).mul_scalar(lr)
    });
    slots.put(names[0], first);
    slots.put(names[1], second);
    moved
}
