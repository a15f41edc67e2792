//! The exponential moving average of the weights.
//!
//! It covers the parameters that are trained, and begins as they are after `from_step`; after every later step that moved
//! them, per element in f32, scalars rounded once:
//!
//! ```text
//! a ← a·decay + p·(1 − decay)
//! ```
//! Running statistics and what is frozen have no average: the model in use has theirs as they are.

use std::collections::BTreeSet;

use burn::tensor::backend::Backend;

use super::parameter::ByPath;
use super::settings::EmaSettings;

/// What the name of an averaged tensor of a snapshot begins with.
pub(super) const AVERAGED: &str = "ema/";

/// Averaged weights.
#[derive(Debug, Clone)]
pub struct WeightAverage<B: Backend> {
    settings: EmaSettings,
    /// By path; empty before they begin.
    pub values: ByPath<B>,
}

impl<B: Backend> WeightAverage<B> {
    /// An average that has not begun.
    pub fn new(settings: EmaSettings) -> Self {
        Self { settings, values: ByPath::new() }
    }

    /// Takes note of the values after a step.
    pub fn update(&mut self, step: u64, mut values: ByPath<B>, trained: &BTreeSet<String>) {
        if step < self.settings.from_step {
            return;
        }
        values.retain(|path, _| trained.contains(path));
        let EmaSettings { decay, .. } = self.settings;
        self.values = match self.values.is_empty() {
            true => values,
            false => {
                let averages = std::mem::take(&mut self.values).into_iter().zip(values);
                let next = averages.map(|((path, average), (_, value))| {
                    (path, average.mul_scalar(decay as f32) + value.mul_scalar((1.0 - decay) as f32))
                });
                next.collect()
            }
        };
    }
}
