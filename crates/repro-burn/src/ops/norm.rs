//! Batch norm: each channel made to have mean 0 and variance 1 over the batch, then scaled and shifted.
//!
//! Of a channel's n elements, sample by sample and in each in row-major order, every operation rounded once and every Σ as in
//! [`fold`](super::fold):
//!
//! - mean = Σ x / n, variance = Σ (x − mean)·(x − mean) / n, std = √(variance + ε),
//! - x̂ = (x − mean) / std, y = x̂·γ + β.
//!
//! The gradients, of those of the outputs dy:
//!
//! - dβ = Σ dy, dγ = Σ dy·x̂,
//! - dx = (dy − (dβ / n + x̂·(dγ / n)))·(γ / std).
//!
//! n is rounded to f32. Where a batch is in parts, Σ x, then Σ (x − mean)², dβ and dγ are those of all parts before anything
//! is made of them, and n is the number of all.

use super::super::kernels::Fold;
#[cfg(test)]
use super::fold::fold;

/// What an element of a channel is normalised by.
#[derive(Debug, Clone, Copy)]
pub struct Norm {
    /// Mean of the channel.
    pub mean: f32,
    /// √(variance + ε).
    pub std: f32,
}

/// What makes an output of a normalised element.
#[derive(Debug, Clone, Copy)]
pub struct Affine {
    /// The factor.
    pub gamma: f32,
    /// The summand.
    pub beta: f32,
}

/// What makes the gradient of an element of those of the outputs.
#[derive(Debug, Clone, Copy)]
pub struct Slope {
    /// γ / std.
    pub scale: f32,
    /// dβ / n.
    pub shift: f32,
    /// dγ / n.
    pub tilt: f32,
}

/// (x − mean)².
#[inline(always)]
pub fn squared(mean: f32, x: f32) -> f32 {
    let centred = x - mean;
    centred * centred
}

impl Norm {
    /// Of a channel's mean and variance.
    #[inline(always)]
    pub fn new(mean: f32, variance: f32, epsilon: f32) -> Self {
        Self { mean, std: (variance + epsilon).sqrt() }
    }

    /// x̂.
    #[inline(always)]
    pub fn normalised(self, x: f32) -> f32 {
        (x - self.mean) / self.std
    }

    /// y.
    #[inline(always)]
    pub fn output(self, affine: Affine, x: f32) -> f32 {
        self.normalised(x) * affine.gamma + affine.beta
    }
}

impl Slope {
    /// Of the sums over all n elements.
    #[inline(always)]
    pub fn new(std: f32, gamma: f32, sums: Sums, n: f32) -> Self {
        Self { scale: gamma / std, shift: sums.beta / n, tilt: sums.gamma / n }
    }

    /// dx, of x̂ and dy.
    #[inline(always)]
    pub fn gradient(self, normalised: f32, gradient: f32) -> f32 {
        (gradient - (self.shift + normalised * self.tilt)) * self.scale
    }
}

/// The gradients of a channel's parameters.
#[derive(Debug, Clone, Copy)]
pub struct Sums {
    /// dβ.
    pub beta: f32,
    /// dγ.
    pub gamma: f32,
}

/// How the sums of a channel are made.
pub const FOLD: Fold = Fold::Sum;

/// The outputs, mean and variance of a channel.
#[cfg(test)]
pub fn forward(values: &[f32], affine: Affine, epsilon: f32) -> (Vec<f32>, f32, f32) {
    let n = values.len() as f32;
    let mean = fold(FOLD, values) / n;
    let squares: Vec<f32> = values.iter().map(|x| squared(mean, *x)).collect();
    let variance = fold(FOLD, &squares) / n;
    let norm = Norm::new(mean, variance, epsilon);
    (values.iter().map(|x| norm.output(affine, *x)).collect(), mean, variance)
}

/// The gradients of a channel's elements and parameters, of those of its outputs.
#[cfg(test)]
pub fn backward(values: &[f32], gradients: &[f32], norm: Norm, gamma: f32) -> (Vec<f32>, Sums) {
    let normalised: Vec<f32> = values.iter().map(|x| norm.normalised(*x)).collect();
    let products: Vec<f32> = gradients.iter().zip(&normalised).map(|(dy, x)| dy * x).collect();
    let sums = Sums { beta: fold(FOLD, gradients), gamma: fold(FOLD, &products) };
    let slope = Slope::new(norm.std, gamma, sums, values.len() as f32);
    (normalised.iter().zip(gradients).map(|(x, dy)| slope.gradient(*x, *dy)).collect(), sums)
}
