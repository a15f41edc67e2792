//! Where two sides of a run part: the first step, and in it the first op and the first tensor that differ.
//!
//! The sides are a signed log and a replay here, two signed logs, two devices here, or a trace that was made on another machine. The step
//! is traced from the nearest state before it that the run left behind.

use std::ops::ControlFlow;
use std::time::Duration;

use burn::tensor::TensorData;

use super::segments::states;
use super::stage::Stage;
use super::state::{signed_log, signed_state};
use super::step_trace::{self, Difference, Side, StepTrace, is_one_update};
use super::stop::{Stop, conclude, not_checked, stop};
use super::{Replay, Team, Training, plan};
use crate::engine::device::{self, Choice};
use crate::engine::fit::Event;
use crate::engine::run_dir::RunDirectory;
use crate::engine::settings::{Accelerator, LoggerSettings};
use crate::engine::step_log::StepLeaf;
use crate::engine::trace::{Part, Tracer};
use crate::verify::Check;
use crate::workload::Workload;

/// What a run is held against.
#[derive(Debug, Default)]
pub struct Dispute {
    /// The step to look into; where none is named, the first one that differs.
    pub step: Option<u64>,
    /// The step log of another run.
    pub other: Option<Vec<StepLeaf>>,
    /// Another device here.
    pub against: Option<Accelerator>,
    /// What somebody else traced.
    pub theirs: Option<StepTrace>,
}

/// Finds where the sides part; the trace that was made here comes with it, for another machine to compare with.
pub fn check<W: Workload>(workload: &W, replay: &Replay<'_>, dispute: &Dispute) -> (Check, Option<StepTrace>) {
    let (mut check, mut trace) = (Check::new("dispute"), None);
    conclude(look(workload, replay, dispute, &mut trace), &mut check);
    (check, trace)
}

fn look<W: Workload>(
    workload: &W,
    replay: &Replay<'_>,
    dispute: &Dispute,
    made: &mut Option<StepTrace>,
) -> Result<Vec<String>, Stop> {
    signed_log(replay.run)?;
    let stage = Stage::set(workload, replay)?;
    let numerics = stage.config.trainer().numerics;
    let against = dispute.against.map(|accelerator| device::choose(accelerator, numerics)).transpose();
    let against = against.map_err(not_checked)?;
    let mut findings = Vec::new();
    let Some(step) = disputed(workload, replay, &stage, dispute, against.as_ref(), &mut findings)? else {
        return Ok(findings);
    };
    if !(1..=stage.signed.len() as u64).contains(&step) {
        return Err(Stop::Failed(format!("step {step}: expected one of the {} steps of the log", stage.signed.len())));
    }
    let here = trace(workload, replay, &stage, &stage.choice, step, None)?;
    let signed = &stage.signed[step as usize - 1];
    let mut sentences =
        vec![format!("step {step}, traced on {}: {} tensors", here.trace.device, here.trace.tensors.len())];
    sentences.push(beside("the signed one of this run", signed, &here.trace.leaf));
    let other = dispute.other.as_ref().and_then(|leaves| leaves.get(step as usize - 1));
    sentences.extend(other.map(|leaf| beside("that of the other run", leaf, &here.trace.leaf)));
    let mut is_different =
        *signed != here.trace.leaf || dispute.other.is_some() && other.is_none_or(|leaf| *leaf != here.trace.leaf);
    let local = match &against {
        Some(choice) => Some(trace(workload, replay, &stage, choice, step, None)?),
        None => None,
    };
    for theirs in dispute.theirs.iter().chain(local.as_ref().map(|side| &side.trace)) {
        // Ops may all be the same, and what was made of them not.
        if theirs.leaf != here.trace.leaf {
            is_different = true;
            sentences.push(beside(&format!("that of {}", theirs.device), &theirs.leaf, &here.trace.leaf));
        }
        let Some(difference) = Difference::between(&here.trace, theirs)? else {
            let but = match is_one_update(&here.trace, theirs) {
                true => "",
                false => " but those inside of the update, which is made by other ops there,",
            };
            sentences.push(format!("every tensor of step {step}{but} is the same on {}", theirs.device));
            continue;
        };
        is_different = true;
        sentences.push(format!("{} and {} part at {difference}", here.trace.device, theirs.device));
        if let Some(choice) = against.as_ref().filter(|_| local.as_ref().is_some_and(|side| side.trace == *theirs)) {
            let wanted = Some((difference.first.part, difference.first.place));
            let [left, right] =
                [&stage.choice, choice].map(|choice| trace(workload, replay, &stage, choice, step, wanted));
            sentences.extend(element(left?.elements, right?.elements));
        }
    }
    *made = Some(here.trace);
    let said = sentences.join("; ");
    findings.push(said.clone());
    if is_different { Err(Stop::Failed(said)) } else { Ok(findings) }
}

/// The step to look into; none where nothing differs.
fn disputed<W: Workload>(
    workload: &W,
    replay: &Replay<'_>,
    stage: &Stage<'_, W>,
    dispute: &Dispute,
    against: Option<&Choice>,
    findings: &mut Vec<String>,
) -> Result<Option<u64>, Stop> {
    if let Some(step) = dispute.step {
        return Ok(Some(step));
    }
    if let Some(theirs) = &dispute.theirs {
        return Ok(Some(theirs.step));
    }
    if let Some(other) = &dispute.other {
        let length = stage.signed.len().max(other.len());
        let first = (0..length).find(|&index| stage.signed.get(index) != other.get(index));
        if first.is_none() {
            findings.push(format!("both logs have the same {length} steps"));
        }
        return Ok(first.map(|index| index as u64 + 1));
    }
    for choice in std::iter::once(&stage.choice).chain(against) {
        let (mut first, mut last) = (None, 0);
        let mut observer = |event: Event<'_>| {
            if let Event::Step { leaf, .. } = event {
                last = leaf.step;
                if stage.signed.get(leaf.step as usize - 1) != Some(leaf) {
                    first = Some(leaf.step);
                }
            }
            if first.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let folder = tempfile::tempdir_in(replay.scratch).map_err(|error| Stop::NotChecked(error.to_string()))?;
        let mut again = RunDirectory::create(&folder.path().join("run"), LoggerSettings::NONE).map_err(not_checked)?;
        let plan = plan(workload, &stage.config, Some(stage.training.steps.count), &|| Duration::ZERO);
        let training =
            Training { workload, task: &stage.task, plan: &plan, checkpoint: None, run: &mut again, is_watched: false };
        let trained = training.on(&Team::alone(choice.clone()), &mut observer);
        if first.is_some() {
            return Ok(first);
        }
        trained.map_err(stop)?;
        // A log may have more steps than the config comes to.
        if last < stage.signed.len() as u64 {
            return Ok(Some(last + 1));
        }
        findings
            .push(format!("all {last} steps of the log come out on {}: there is nothing to dispute", choice.device));
    }
    Ok(None)
}

/// What is said of a leaf beside the one that was made here.
fn beside(whose: &str, leaf: &StepLeaf, here: &StepLeaf) -> String {
    match leaf.first_difference(here) {
        None => format!("its leaf is {whose}"),
        Some((field, expected, got)) => format!("its leaf is not {whose}: {field}: expected {expected}, got {got}"),
    }
}

/// Makes a step of the run on a device, from the nearest state before it that the run left behind, and traces it.
fn trace<W: Workload>(
    workload: &W,
    replay: &Replay<'_>,
    stage: &Stage<'_, W>,
    choice: &Choice,
    step: u64,
    wanted: Option<(Part, usize)>,
) -> Result<Side, Stop> {
    let run = replay.run;
    let before = states(run, stage.training.steps.count);
    let nearest = before.into_iter().rfind(|(at, name)| *at < step && run.root().join(name).exists());
    let checkpoint = nearest.map(|(at, name)| signed_state(run, stage, &name, Some(at))).transpose()?;
    let tracer = Tracer::of(step, wanted);
    step_trace::trace((workload, &stage.task), &stage.config, choice, checkpoint, replay.scratch, tracer).map_err(stop)
}

/// The first element that differs, as bits.
fn element(left: Option<TensorData>, right: Option<TensorData>) -> Option<String> {
    let (left, right) = (left?, right?);
    let shape: Vec<usize> = left.shape.to_vec();
    let count = shape.iter().product::<usize>().max(1);
    let width = left.as_bytes().len() / count;
    let elements = left.as_bytes().chunks_exact(width.max(1)).zip(right.as_bytes().chunks_exact(width.max(1)));
    let (index, (here, there)) = elements.enumerate().find(|(_, (here, there))| here != there)?;
    let mut rest = index;
    let mut place: Vec<usize> = shape
        .iter()
        .rev()
        .map(|length| {
            let at = rest % length;
            rest /= length;
            at
        })
        .collect();
    place.reverse();
    let bits = |bytes: &[u8]| bytes.iter().rev().map(|byte| format!("{byte:02x}")).collect::<String>();
    Some(format!("element {place:?}: 0x{} against 0x{}", bits(here), bits(there)))
}
