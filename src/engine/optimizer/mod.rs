//! Optimizers, in a fixed order of exact operations.
//!
//! Burn's own key their state by random parameter ids, and its AdamW corrects the bias with `powi`, whose rounding Rust
//! leaves open. Here the powers are running f64 products, state is kept by parameter path, and every tensor operation is
//! one correctly rounded f32 operation per element. Scalars are computed in f64 and rounded once to f32.
//!
//! | rule | formula | its state |
//! |---|---|---|
//! | AdamW, Adam | [`adam`] | `adamw.first`, `adamw.second`; `adam.first`, `adam.second` |
//! | SGD | [`sgd`] | `sgd.momentum`, with momentum |
//! | Lion | [`lion`] | `lion.momentum` |
//! | around any of them | [`lookahead`] | `lookahead.slow` |
//!
//! A parameter's own learning rate and weight decay come from its [`group`].

pub mod adam;
pub mod group;
pub mod lion;
pub mod lookahead;
#[cfg(test)]
mod reference_tests;
pub mod sgd;

use std::collections::BTreeMap;

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use super::parameter::ByPath;
use super::settings::{OptimizerSettings, Rule};
use group::Paces;

/// The optimizer's state and rule.
#[derive(Debug, Clone)]
pub(super) struct Optimizer<B: Backend> {
    settings: OptimizerSettings,
    paces: Paces,
    steps: u64,
    beta_powers: [f64; 2],
    /// Tensors by name, `<what>/<parameter path>`, flat.
    state: BTreeMap<String, Tensor<B, 1>>,
}

/// What a parameter is moved with at one step.
#[derive(Debug, Clone, Copy)]
struct Pace {
    lr: f64,
    weight_decay: f64,
}

/// The state of one parameter.
struct Slots<'a, B: Backend> {
    state: &'a mut BTreeMap<String, Tensor<B, 1>>,
    path: &'a str,
}

impl<B: Backend> Slots<'_, B> {
    /// The tensor of that name; zeros before the parameter's first step.
    fn take(&mut self, name: &str, like: &Tensor<B, 1>) -> Tensor<B, 1> {
        self.state.remove(&slot(name, self.path)).unwrap_or_else(|| like.zeros_like())
    }

    fn put(&mut self, name: &str, tensor: Tensor<B, 1>) {
        self.state.insert(slot(name, self.path), tensor);
    }
}

/// The name of a tensor of the state.
fn slot(name: &str, path: &str) -> String {
    format!("{name}/{path}")
}

impl<B: Backend> Optimizer<B> {
    /// An optimizer before its first step.
    pub fn new(settings: OptimizerSettings, paces: Paces) -> Self {
        Self { settings, paces, steps: 0, beta_powers: [1.0; 2], state: BTreeMap::new() }
    }

    /// Counts steps that were made by another process.
    pub fn pass(&mut self, steps: u64) {
        (0..steps).for_each(|_| self.advance());
    }

    fn advance(&mut self) {
        self.steps += 1;
        if let Rule::Adamw(rule) | Rule::Adam(rule) = self.settings.rule {
            for (power, beta) in self.beta_powers.iter_mut().zip(rule.betas) {
                *power *= beta;
            }
        }
    }

    /// The tensors of the state by name, `<what>/<parameter path>`.
    pub fn state(&self) -> &BTreeMap<String, Tensor<B, 1>> {
        &self.state
    }

    /// The names, without the path, that the state of a parameter has: all of them or none, before its first step.
    pub fn slots(&self) -> Vec<&'static str> {
        let own: &[_] = match &self.settings.rule {
            Rule::Adamw(_) => &adam::ADAMW,
            Rule::Adam(_) => &adam::ADAM,
            Rule::Sgd(rule) if rule.momentum == 0.0 => &[],
            Rule::Sgd(_) => &[sgd::MOMENTUM],
            Rule::Lion(_) => &[lion::MOMENTUM],
        };
        own.iter().copied().chain(self.settings.lookahead.map(|_| lookahead::SLOW)).collect()
    }

    /// Takes a tensor of the state as it was [`state`](Self::state)d.
    pub fn insert(&mut self, name: String, tensor: Tensor<B, 1>) {
        self.state.insert(name, tensor);
    }

    /// One step at a learning rate: the new values of the parameters that have a gradient. With lookahead, every so many
    /// steps, those of all parameters that ever had one.
    pub fn step(&mut self, mut values: ByPath<B>, gradients: ByPath<B>, lr: f64) -> ByPath<B> {
        self.advance();
        let mut updated = ByPath::new();
        for (path, gradient) in gradients {
            let Some(value) = values.get(&path).cloned() else { continue };
            if self.settings.lookahead.is_some() {
                lookahead::begin(&mut self.state, &path, &value);
            }
            let new = self.update(&path, value, gradient, lr);
            updated.insert(path, new);
        }
        if let Some(settings) = self.settings.lookahead
            && self.steps.is_multiple_of(settings.k.into())
        {
            values.append(&mut updated);
            updated = lookahead::meet(settings, &mut self.state, values);
        }
        updated
    }

    fn update(&mut self, path: &str, value: Tensor<B, 1>, gradient: Tensor<B, 1>, lr: f64) -> Tensor<B, 1> {
        let group = self.paces.get(path);
        let pace = Pace {
            lr: group.map_or(lr, |group| lr * group.lr_factor),
            weight_decay: group.and_then(|group| group.weight_decay).unwrap_or(self.settings.weight_decay),
        };
        let mut slots = Slots { state: &mut self.state, path };
        match &self.settings.rule {
            Rule::Adamw(rule) => adam::adamw(rule, pace, self.beta_powers, &mut slots, value, gradient),
            Rule::Adam(rule) => adam::adam(rule, pace, self.beta_powers, &mut slots, value, gradient),
            Rule::Sgd(rule) => sgd::update(rule, pace, &mut slots, value, gradient),
            Rule::Lion(rule) => lion::update(rule, pace, &mut slots, value, gradient),
        }
    }
}

/// A tensor times a scalar that is rounded to f32.
fn scaled<B: Backend>(tensor: Tensor<B, 1>, factor: f64) -> Tensor<B, 1> {
    tensor.mul_scalar(factor as f32)
}

/// The gradient of the loss and of an L2 penalty on the values: `g + p·decay`, and `g` itself without decay.
fn penalized<B: Backend>(gradient: Tensor<B, 1>, value: &Tensor<B, 1>, weight_decay: f64) -> Tensor<B, 1> {
    match weight_decay == 0.0 {
        true => gradient,
        false => gradient + scaled(value.clone(), weight_decay),
    }
}
