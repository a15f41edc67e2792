//! What every op of one optimizer step gave, as digests: for whoever looks for the first one that differs on another device, or in
//! another program.
//!
//! A step is cut into parts that follow each other: each shard's forward and backward pass, the mean gradient, the update, the state
//! after it. Shards are computed side by side, and each has its own list.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use burn::tensor::TensorData;
use serde::{Deserialize, Serialize};

use super::repro::{with_trace, without_trace};
use crate::digest::{Blake3Digest, DomainHasher};

/// A part of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Part {
    /// The passes of a micro-shard, by its number.
    Shard(usize),
    /// The mean gradient of the whole batch.
    Gradient,
    /// The optimizer's step.
    Update,
    /// The parameters after it.
    State,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shard(number) => write!(f, "shard {number}"),
            Self::Gradient => f.write_str("mean gradient"),
            Self::Update => f.write_str("update"),
            Self::State => f.write_str("state"),
        }
    }
}

/// A tensor that an op gave, or one that has a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Traced {
    /// Where in the step.
    pub part: Part,
    /// The how manieth of the part, from 0.
    pub place: usize,
    /// The op's method, or the name of a parameter.
    pub what: String,
    /// The tensor's shape.
    pub shape: Vec<usize>,
    /// Digest of type, shape and elements.
    pub digest: Blake3Digest,
}

/// Hears of the ops of one step.
#[derive(Debug, Clone)]
pub struct Tracer {
    step: u64,
    /// Whose elements are kept.
    wanted: Option<(Part, usize)>,
    found: Arc<Mutex<Found>>,
}

#[derive(Debug, Default)]
struct Found {
    parts: BTreeMap<Part, Vec<Traced>>,
    wanted: Option<TensorData>,
}

impl Tracer {
    /// Of a step's ops; the elements of the wanted tensor are kept, too.
    pub fn of(step: u64, wanted: Option<(Part, usize)>) -> Self {
        Self { step, wanted, found: Arc::default() }
    }

    /// The step.
    pub fn step(&self) -> u64 {
        self.step
    }

    /// Itself, in that step.
    pub(super) fn at(&self, step: u64) -> Option<&Self> {
        (self.step == step).then_some(self)
    }

    /// Hears of the ops of a part.
    pub(super) fn hear<R>(&self, part: Part, body: impl FnOnce() -> R) -> R {
        let tracer = self.clone();
        with_trace(move |op, data| tracer.note(part, op, data), body)
    }

    /// Takes note of tensors with names.
    pub(super) fn named(&self, part: Part, tensors: impl IntoIterator<Item = (String, TensorData)>) {
        without_trace(|| tensors.into_iter().for_each(|(name, data)| self.note(part, &name, data)));
    }

    fn note(&self, part: Part, what: &str, data: TensorData) {
        let mut hasher = DomainHasher::new("spectramind/traced-tensor/v1");
        hasher.field(format!("{:?}", data.dtype).as_bytes()).u64(data.shape.len() as u64);
        let shape: Vec<usize> = data.shape.to_vec();
        for &length in &shape {
            hasher.u64(length as u64);
        }
        hasher.field(data.as_bytes());
        let mut found = self.found.lock().expect("nothing panics while it is held");
        let of_part = found.parts.entry(part).or_default();
        let place = of_part.len();
        of_part.push(Traced { part, place, what: what.to_owned(), shape, digest: hasher.finish() });
        if self.wanted == Some((part, place)) {
            found.wanted = Some(data);
        }
    }

    /// All that was heard of, part by part, and the elements of the wanted tensor.
    pub fn take(self) -> (Vec<Traced>, Option<TensorData>) {
        let mut found = self.found.lock().expect("nothing panics while it is held");
        (std::mem::take(&mut found.parts).into_values().flatten().collect(), found.wanted.take())
    }
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;
    use std::time::Duration;

    use super::*;
    use crate::engine::PortableCpu;
    use crate::engine::fit::{Event, FitPlan, fit};
    use crate::engine::repro::fault::with_fault_after;
    use crate::engine::run_dir::RunDirectory;
    use crate::engine::settings::{LoggerSettings, OptimizerSettings, TrainerSettings};
    use crate::engine::step_log::StepLeaf;
    use crate::engine::training_tests::Curve;

    /// Trains with the call of `float_matmul` after so many right ones broken, and traces a step; gives all leaves, too.
    fn train(right: Option<u64>, tracer: &Tracer) -> Vec<StepLeaf> {
        let settings =
            TrainerSettings { max_epochs: 2, early_stopping: None, micro_shards: 2, ..TrainerSettings::default() };
        let trainer = settings.check().expect("settings the engine takes");
        let plan = FitPlan {
            trace: Some(tracer.clone()),
            ..FitPlan::new(&trainer, OptimizerSettings::default(), 13, &|| Duration::ZERO)
        };
        let folder = tempfile::tempdir().expect("temp dir");
        let mut run = RunDirectory::create(&folder.path().join("run"), LoggerSettings::NONE).expect("a run directory");
        let mut leaves = Vec::new();
        let mut train = || {
            let observer = &mut |event: Event<'_>| {
                if let Event::Step { leaf, .. } = event {
                    leaves.push(leaf.clone());
                }
                ControlFlow::Continue(())
            };
            let task = Curve::new(1.0);
            fit::<PortableCpu, _>(&task, &plan, None, &mut run, observer, &Default::default()).expect("trains");
        };
        // A fault is of one thread: there is one.
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread");
        pool.install(|| match right {
            Some(right) => with_fault_after("float_matmul", right, train),
            None => train(),
        });
        leaves
    }

    #[test]
    fn one_wrong_bit_in_one_op_of_one_step_is_found_at_that_step_op_and_element() {
        let nobody = Tracer::of(u64::MAX, None);
        let honest = train(None, &nobody);
        let trace = |right, step, wanted| {
            let tracer = Tracer::of(step, wanted);
            train(right, &tracer);
            tracer.take()
        };
        // One bit may be lost in the next rounding, or show in no leaf before the next step, which then begins with another state: a
        // call whose bit shows in the loss or the gradient of its own step, past the first.
        let shows = |faulty: u64| -> Option<(u64, u64, Traced)> {
            let wrong = train(Some(faulty), &nobody);
            let step =
                honest.iter().zip(&wrong).position(|(honest, wrong)| honest != wrong).filter(|&step| step > 0)?;
            let step = step as u64 + 1;
            let ((right, _), (wrong, _)) = (trace(None, step, None), trace(Some(faulty), step, None));
            assert_eq!(right.len(), wrong.len());
            let first = right.into_iter().zip(wrong).find(|(right, wrong)| right != wrong)?.0;
            (matches!(first.part, Part::Shard(_)) && first.what == "float_matmul").then_some((faulty, step, first))
        };
        let (faulty, step, first) = (20..90).find_map(shows).expect("a bit that shows in its own step");
        let wanted = Some((first.part, first.place));
        let [honest, wrong] = [None, Some(faulty)].map(|right| trace(right, step, wanted).1.expect("elements"));
        let differ: Vec<_> = honest.as_bytes().iter().zip(wrong.as_bytes()).filter(|(a, b)| a != b).collect();
        assert_eq!(differ.len(), 1, "one bit: {differ:?}");
        let [(a, b)] = differ[..] else { unreachable!("one") };
        assert_eq!(a ^ b, 1);
    }

    #[test]
    fn listening_changes_no_bit() {
        let heard = train(None, &Tracer::of(3, None));
        assert_eq!(heard, train(None, &Tracer::of(u64::MAX, None)));
    }
}
