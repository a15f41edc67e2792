//! Why a device is refused: which op, on which input, what was expected and what it gave.

use blake3::Hash;

use super::bench::{Case, Number};

/// A device does not compute the bits of the numerics contract: nothing may be computed on it in portable mode.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the numerics probe fails at `{op}`: {difference}")]
pub struct ProbeFailure {
    /// The op: a method of Burn's backend traits, and of several entries for it which one.
    pub op: &'static str,
    /// What is wrong with it.
    pub difference: Difference,
}

impl ProbeFailure {
    /// The backend method at fault.
    pub fn method(&self) -> &'static str {
        self.op.split(' ').next().unwrap_or(self.op)
    }
}

/// What is wrong with an op.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Difference {
    /// An element has other bits.
    #[error("result {result}, element {position:?}: input {input}; expected {expected}, got {got}")]
    Element {
        /// Which of the op's results, counted from 1.
        result: usize,
        /// Position of the first element that differs.
        position: Vec<usize>,
        /// The operands of that element, or the first numbers of every input.
        input: String,
        /// What the reference gives.
        expected: Number,
        /// What the device gave.
        got: Number,
    },
    /// A result is missing, or of another shape.
    #[error("result {result}: expected shape {expected:?}, got {got:?}")]
    Shape {
        /// Which of the op's results, counted from 1.
        result: usize,
        /// The shape that the reference gives.
        expected: Vec<usize>,
        /// The shape that the device gave.
        got: Vec<usize>,
    },
    /// The op was not done at all: refused, or the device was lost.
    #[error("the device gave no result: {message}")]
    Panicked {
        /// What was said.
        message: String,
    },
    /// This machine's CPU does not give the stored digest either, so there is nothing to compare elements with.
    #[error("expected digest {expected}, got {got}; this machine's CPU does not give the expected one either")]
    Reference {
        /// The stored digest.
        expected: Hash,
        /// The digest of what the device gave.
        got: Hash,
    },
}

/// The first difference between what a device and the reference gave.
pub fn difference(got: &[Case], expected: &[Case]) -> Option<Difference> {
    let shape =
        |cases: &[Case], result: usize| cases.get(result).map(|case| case.output.shape.clone()).unwrap_or_default();
    for result in 0..got.len().max(expected.len()) {
        let (Some(got), Some(expected)) = (got.get(result), expected.get(result)) else {
            let (expected, got) = (shape(expected, result), shape(got, result));
            return Some(Difference::Shape { result: result + 1, expected, got });
        };
        if got.output.shape != expected.output.shape {
            let (expected, got) = (expected.output.shape.clone(), got.output.shape.clone());
            return Some(Difference::Shape { result: result + 1, expected, got });
        }
        let differs = |at: &usize| got.output.number(*at) != expected.output.number(*at);
        if let Some(at) = (0..expected.output.words.len()).find(differs) {
            return Some(Difference::Element {
                result: result + 1,
                position: position(at, &expected.output.shape),
                input: expected.describe(at),
                expected: expected.output.number(at),
                got: got.output.number(at),
            });
        }
    }
    None
}

fn position(mut at: usize, shape: &[usize]) -> Vec<usize> {
    let mut position: Vec<usize> = shape
        .iter()
        .rev()
        .map(|size| {
            let index = at % size;
            at /= size;
            index
        })
        .collect();
    position.reverse();
    position
}
