//! What every op of one step gave, and where two sides part in it.

use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use burn::tensor::TensorData;
use serde::{Deserialize, Serialize};

use super::stop::Stop;
use super::{Team, Training, plan};
use crate::engine::device::Choice;
use crate::engine::fit::Event;
use crate::engine::repro::NUMERICS_VERSION;
use crate::engine::run_dir::RunDirectory;
use crate::engine::settings::LoggerSettings;
use crate::engine::snapshot::Snapshot;
use crate::engine::step_log::StepLeaf;
use crate::engine::trace::{Part, Traced, Tracer};
use crate::failure::{Context, Failure};
use crate::workload::{CheckedConfig, Workload};

/// What a step's ops gave somewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StepTrace {
    /// Version of the numerics contract.
    pub numerics: u32,
    /// The step.
    pub step: u64,
    /// What computed it.
    pub device: String,
    /// Its leaf.
    pub leaf: StepLeaf,
    /// Every tensor, part by part, in order.
    pub tensors: Vec<Traced>,
}

impl StepTrace {
    /// Where it parts from what was expected, in words.
    pub fn first_difference(&self, expected: &Self) -> Option<String> {
        match Difference::between(self, expected) {
            Ok(difference) => difference.map(|difference| difference.to_string()),
            Err(Stop::Failed(why) | Stop::NotChecked(why)) => Some(why),
        }
    }

    /// The same with the first micro-shard that has samples for all of them, which are computed by the same ops.
    pub fn of_one_shard(mut self) -> Self {
        let is_shard = |part: Part| matches!(part, Part::Shard(_));
        let first = self.tensors.iter().map(|tensor| tensor.part).find(|part| is_shard(*part));
        self.tensors.retain(|tensor| !is_shard(tensor.part) || Some(tensor.part) == first);
        self
    }
}

/// One side that computes here.
pub(super) struct Side {
    pub trace: StepTrace,
    /// The elements that were asked for.
    pub elements: Option<TensorData>,
}

/// Makes a step of a run from a state before it, and traces it.
pub(super) fn trace<W: Workload>(
    (workload, task): (&W, &W::Task),
    config: &CheckedConfig<W>,
    choice: &Choice,
    checkpoint: Option<Snapshot>,
    scratch: &Path,
    tracer: Tracer,
) -> Result<Side, Failure> {
    let step = tracer.step();
    let folder = tempfile::tempdir_in(scratch).with_context(|| format!("no folder below {}", scratch.display()))?;
    let mut again = RunDirectory::create_part(&folder.path().join("run"), LoggerSettings::NONE)?;
    let mut plan = plan(workload, config, Some(step), &|| Duration::ZERO);
    plan.trace = Some(tracer.clone());
    let mut made = None;
    // It ends where the step is made: what a run does at its end is not of the step.
    let mut observer = |event: Event<'_>| match event {
        Event::Step { leaf, .. } if leaf.step == step => {
            made = Some(leaf.clone());
            ControlFlow::Break(())
        }
        _ => ControlFlow::Continue(()),
    };
    let training = Training { workload, task, plan: &plan, checkpoint, run: &mut again, is_watched: false };
    let trained = training.on(&Team::alone(choice.clone()), &mut observer);
    let Some(leaf) = made else {
        trained?;
        return Err(Failure::new(format!("step {step}: training by the config does not come to it")));
    };
    let (tensors, elements) = tracer.take();
    let device = choice.device.to_string();
    Ok(Side { trace: StepTrace { numerics: NUMERICS_VERSION, step, device, leaf, tensors }, elements })
}

/// Whether both sides make the update by the same ops. An optimizer may update in one pass on one kind of device and op by op on another:
/// then what comes of it, the state, is compared alone.
pub(super) fn is_one_update(here: &StepTrace, theirs: &StepTrace) -> bool {
    let ops = |side: &StepTrace| -> Vec<_> {
        let update = side.tensors.iter().filter(|one| one.part == Part::Update);
        update.map(|one| (one.what.clone(), one.shape.clone())).collect()
    };
    ops(here) == ops(theirs)
}

/// The first tensor that differs, and the first gradient and parameter that do.
#[derive(Debug)]
pub(super) struct Difference {
    pub first: Traced,
    named: Vec<(Part, String)>,
}

impl Difference {
    pub fn between(here: &StepTrace, theirs: &StepTrace) -> Result<Option<Self>, Stop> {
        if (here.step, here.numerics) != (theirs.step, theirs.numerics) {
            return Err(Stop::NotChecked(format!(
                "expected a trace of step {} in numerics version {}, got one of step {} in version {}",
                here.step, here.numerics, theirs.step, theirs.numerics
            )));
        }
        let is_one_update = is_one_update(here, theirs);
        let of = |side: &StepTrace| -> Vec<Traced> {
            side.tensors.iter().filter(|one| is_one_update || one.part != Part::Update).cloned().collect()
        };
        let (ours, others) = (of(here), of(theirs));
        let pairs = || ours.iter().zip(&others);
        let first = pairs().find(|(here, theirs)| here != theirs);
        if let Some((here, theirs)) = first
            && (&here.part, &here.what, &here.shape) != (&theirs.part, &theirs.what, &theirs.shape)
        {
            let shown = |one: &Traced| format!("{}, {} {:?}", one.part, one.what, one.shape);
            return Err(Stop::Failed(format!(
                "the two sides do not make the same ops: number {} is {} here and {} there",
                here.place,
                shown(here),
                shown(theirs)
            )));
        }
        let named = |part: Part| {
            let mut of_part = pairs().filter(move |(here, theirs)| here.part == part && here != theirs);
            of_part.next().map(|(here, _)| (part, here.what.clone()))
        };
        match first {
            Some((first, _)) => {
                let named = [Part::Gradient, Part::State].into_iter().filter_map(named).collect();
                Ok(Some(Self { first: first.clone(), named }))
            }
            None if ours.len() != others.len() => Err(Stop::Failed(format!(
                "the two sides do not make the same ops: {} tensors here, {} there",
                ours.len(),
                others.len()
            ))),
            None => Ok(None),
        }
    }
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Traced { part, place, what, shape, .. } = &self.first;
        write!(f, "{part}, op {place}, {what} {shape:?}")?;
        for (part, name) in &self.named {
            write!(f, ", and then in {name} of the {part}")?;
        }
        Ok(())
    }
}
