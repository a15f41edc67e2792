//! Lookahead (Zhang et al. 2019, "Lookahead optimizer: k steps forward, 1 step back", algorithm 1) around any rule.
//!
//! The slow weights of a parameter begin as its value before its first step. After every k-th step, and for the inner rule's
//! own state nothing changes:
//!
//! ```text
//! slow ← slow + (p − slow)·α        p ← slow
//! ```

use std::collections::BTreeMap;

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use super::{scaled, slot};
use crate::engine::parameter::ByPath;
use crate::engine::settings::LookaheadSettings;

/// The slow weights.
pub(super) const SLOW: &str = "lookahead.slow";

/// Remembers the value of a parameter before its first step.
pub(super) fn begin<B: Backend>(state: &mut BTreeMap<String, Tensor<B, 1>>, path: &str, value: &Tensor<B, 1>) {
    state.entry(slot(SLOW, path)).or_insert_with(|| value.clone());
}

/// Moves the slow weights towards the parameters' values, and gives the values that the parameters get.
pub(super) fn meet<B: Backend>(
    settings: LookaheadSettings,
    state: &mut BTreeMap<String, Tensor<B, 1>>,
    values: ByPath<B>,
) -> ByPath<B> {
    let mut met = ByPath::new();
    for (path, fast) in values {
        let name = slot(SLOW, &path);
        let Some(slow) = state.remove(&name) else { continue };
        let slow = slow.clone() + scaled(fast - slow, settings.alpha);
        state.insert(name, slow.clone());
        met.insert(path, slow);
    }
    met
}
