//! The step log, `steps.jsonl`: one leaf per optimizer step, a Merkle log over the lines.
//!
//! Nothing in it depends on time, place, machine or threads: two equal runs have byte-equal files. Floats stand as the
//! hex of their bits, because that is what is compared.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::digest::{Blake3Digest, DomainHasher};

/// What one optimizer step was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StepLeaf {
    /// Steps done, this one included: the first leaf has 1.
    pub step: u64,
    /// Epoch, from 0.
    pub epoch: u32,
    /// Digest of the ids of the samples, batch by batch, in order.
    pub samples: Blake3Digest,
    /// Learning rate, 16 hex digits of the f64's bits.
    pub learning_rate_bits: String,
    /// Mean loss over the samples, 8 hex digits of the f32's bits.
    pub loss_bits: String,
    /// Norm of the mean gradient before clipping, 8 hex digits of the f32's bits.
    pub gradient_norm_bits: String,
    /// Digest of parameters, moments and counters after the step; `null` where none was due.
    pub state: Option<Blake3Digest>,
    /// How the loss was scaled: in `16-mixed`, and only there. Absent otherwise, so that adding the mode changed no leaf
    /// of any other run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss_scale: Option<ScaledStep>,
}

/// The loss scale of one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ScaledStep {
    /// The scale is two to this power.
    pub exponent: i32,
    /// Whether the gradient was not finite, so that the step changed nothing but the scale.
    pub skipped: bool,
}

impl StepLeaf {
    /// The leaf's bytes: one line of compact JSON, without the line end.
    pub fn to_line(&self) -> String {
        serde_json::to_string(self).expect("a leaf is plain data")
    }

    /// The first field in which two leaves differ, as (name, this one's, the other's).
    pub fn first_difference(&self, other: &Self) -> Option<(&'static str, String, String)> {
        let state = |leaf: &Self| leaf.state.map_or("null".to_owned(), |digest| digest.to_string());
        let scale = |leaf: &Self| match leaf.loss_scale {
            Some(ScaledStep { exponent, skipped }) => format!("2^{exponent}, skipped {skipped}"),
            None => "none".to_owned(),
        };
        let fields = |leaf: &Self| {
            [
                ("step", leaf.step.to_string()),
                ("epoch", leaf.epoch.to_string()),
                ("samples", leaf.samples.to_string()),
                ("learningRateBits", leaf.learning_rate_bits.clone()),
                ("lossBits", leaf.loss_bits.clone()),
                ("gradientNormBits", leaf.gradient_norm_bits.clone()),
                ("lossScale", scale(leaf)),
                ("state", state(leaf)),
            ]
        };
        let mut pairs = fields(self).into_iter().zip(fields(other));
        pairs.find(|(mine, theirs)| mine != theirs).map(|((name, mine), (_, theirs))| (name, mine, theirs))
    }
}

/// Hex of an f32's bits, NaNs made one.
pub fn f32_bits(value: f32) -> String {
    let bits = if value.is_nan() { 0x7fc0_0000 } else { value.to_bits() };
    format!("{bits:08x}")
}

/// Hex of an f64's bits, NaNs made one.
pub fn f64_bits(value: f64) -> String {
    let bits = if value.is_nan() { 0x7ff8_0000_0000_0000 } else { value.to_bits() };
    format!("{bits:016x}")
}

/// Digest of the ids of a step's samples, batch by batch.
pub fn samples_digest(ids: &[String], batches: &[Vec<usize>]) -> Blake3Digest {
    let mut hasher = DomainHasher::new("spectramind/step-samples/v1");
    hasher.u64(batches.len() as u64);
    for batch in batches {
        hasher.u64(batch.len() as u64);
        for &sample in batch {
            hasher.field(ids[sample].as_bytes());
        }
    }
    hasher.finish()
}
