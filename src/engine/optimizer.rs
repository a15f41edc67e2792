//! AdamW with decoupled weight decay (Loshchilov & Hutter 2019, algorithm 2), in a fixed order of exact operations.
//!
//! Burn's own AdamW keys its moments by random parameter ids and corrects the bias with `powi`, whose rounding Rust
//! leaves open. Here the powers are running f64 products, and every tensor operation is one correctly rounded f32
//! operation per element:
//!
//! ```text
//! m ← m·β₁ + g·(1 − β₁)        v ← v·β₂ + (g·g)·(1 − β₂)
//! p ← p·(1 − lr·decay) − ( m/(1 − β₁ᵗ) ) / ( √(v/(1 − β₂ᵗ)) + ε ) · lr
//! ```
//! Scalars are computed in f64 and rounded once to f32.

use std::collections::BTreeMap;

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use super::parameter::ByPath;
use super::settings::OptimizerSettings;

/// Running means of the gradient and its square, flat, one per parameter.
#[derive(Debug, Clone)]
pub struct Moments<B: Backend> {
    /// Mean of the gradient.
    pub first: Tensor<B, 1>,
    /// Mean of the squared gradient.
    pub second: Tensor<B, 1>,
}

/// The optimizer's state and rule.
#[derive(Debug, Clone)]
pub struct AdamW<B: Backend> {
    settings: OptimizerSettings,
    beta_powers: [f64; 2],
    /// Moments by parameter path.
    pub moments: BTreeMap<String, Moments<B>>,
}

impl<B: Backend> AdamW<B> {
    /// A state that has seen `steps` steps, with no moments yet.
    pub fn new(settings: OptimizerSettings, steps: u64) -> Self {
        let mut optimizer = Self { settings, beta_powers: [1.0; 2], moments: BTreeMap::new() };
        for _ in 0..steps {
            optimizer.advance();
        }
        optimizer
    }

    fn advance(&mut self) {
        for (power, beta) in self.beta_powers.iter_mut().zip(self.settings.betas) {
            *power *= beta;
        }
    }

    /// One step: the new values of the parameters that have a gradient.
    pub fn step(&mut self, values: ByPath<B>, mut gradients: ByPath<B>) -> ByPath<B> {
        self.advance();
        let mut updated = ByPath::new();
        for (path, value) in values {
            if let Some(gradient) = gradients.remove(&path) {
                let new = self.update(&path, value, gradient);
                updated.insert(path, new);
            }
        }
        updated
    }

    fn update(&mut self, path: &str, value: Tensor<B, 1>, gradient: Tensor<B, 1>) -> Tensor<B, 1> {
        let OptimizerSettings { lr, betas: [beta1, beta2], eps, weight_decay, .. } = self.settings;
        let scaled = |tensor: Tensor<B, 1>, factor: f64| tensor.mul_scalar(factor as f32);
        let (old_first, old_second) = match self.moments.remove(path) {
            Some(moments) => (moments.first, moments.second),
            None => (gradient.zeros_like(), gradient.zeros_like()),
        };
        let first = scaled(old_first, beta1) + scaled(gradient.clone(), 1.0 - beta1);
        let second = scaled(old_second, beta2) + scaled(gradient.clone() * gradient, 1.0 - beta2);
        let mean = first.clone().div_scalar((1.0 - self.beta_powers[0]) as f32);
        let deviation = second.clone().div_scalar((1.0 - self.beta_powers[1]) as f32).sqrt();
        self.moments.insert(path.to_owned(), Moments { first, second });
        scaled(value, 1.0 - lr * weight_decay) - scaled(mean / deviation.add_scalar(eps as f32), lr)
    }
}
