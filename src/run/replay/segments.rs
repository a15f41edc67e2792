//! Training a part of a run again: the first, the last and randomly drawn ones of the segments between its audit points.
//!
//! Every segment begins at a state whose digest a signed step leaf holds, or at the start, and ends where the next one
//! begins. So a log of which any step was not computed has at least one segment that does not come out. What is cheap is checked of
//! all steps every time.

use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::panic::resume_unwind;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use burn::tensor::backend::AutodiffBackend;

use super::compare::{compare_audit_points, compare_end, compare_file, compare_leaf};
use super::stage::Stage;
use super::state::{audit_points, signed_log, signed_state};
use super::stop::{Stop, conclude, failed, not_checked, stop};
use super::{Replay, Team, Training, plan, time_taken};
use crate::engine::device::{Job, Kind};
use crate::engine::fit::{Event, FitError, FitPlan, ledger};
use crate::engine::run_dir::{BEST_CHECKPOINT, CHECKPOINTS, FINAL_CHECKPOINT, RunDirectory};
use crate::engine::settings::LoggerSettings;
use crate::engine::step_log::StepLeaf;
use crate::engine::task::Task;
use crate::manifest::predicate::ExitReason;
use crate::manifest::strict_json::DecimalU64;
use crate::manifest::verdict::{ReplayRecord, SegmentsReplay};
use crate::run::origin::device_record;
use crate::verify::{Check, Draw, VerifiedRun};
use crate::workload::Workload;

/// How much of a run to train again, and by which draw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segments {
    /// How much.
    pub amount: Amount,
    /// What the trainer could not know when signing.
    pub nonce: String,
    /// How many at once, on a CPU, whose cores a small model does not keep busy; none for as many as there are cores.
    pub jobs: Option<NonZeroUsize>,
}

/// How much of a run to train again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Amount {
    /// So many segments, at least the first and the last.
    Count(usize),
    /// As many as take so long at the speed that the run recorded; at least two.
    Time(Duration),
}

/// The steps after `first` up to and with `last`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Segment {
    first: u64,
    last: u64,
    /// The state after step `first`, below the run directory; none at the start.
    state: Option<String>,
}

/// Trains some segments of the run again.
pub fn check<W: Workload>(workload: &W, replay: &Replay<'_>, segments: &Segments) -> (Check, Option<ReplayRecord>) {
    let (mut check, mut record) = (Check::new("segments"), None);
    conclude(train_again(workload, replay, segments, &mut record), &mut check);
    (check, record)
}

fn train_again<W: Workload>(
    workload: &W,
    replay: &Replay<'_>,
    Segments { amount, nonce, jobs }: &Segments,
    record: &mut Option<ReplayRecord>,
) -> Result<Vec<String>, Stop> {
    let run = replay.run;
    // The leaves that the segments are compared with must be the signed ones, those that are not drawn as well.
    signed_log(run)?;
    let stage = Stage::set(workload, replay)?;
    let mut findings = vec![check_plan(workload, replay, &stage)?];
    findings.push(audit_points(run, &stage)?);
    let steps = stage.training.steps.count;
    let all = segments(run, steps);
    let count = match *amount {
        Amount::Count(count) => count,
        Amount::Time(budget) => affordable(budget, run.claim().envelope.figures.wall_seconds.get(), all.len()),
    };
    let draw = Draw::of(all.len(), count, stage.training.steps.merkle_root, nonce);
    let trained: u64 = draw.chosen.iter().map(|&number| all[number].last - all[number].first).sum();
    *record = Some(ReplayRecord::Segments(SegmentsReplay {
        device: device_record(&stage.choice),
        numerics: stage.training.numerics,
        nonce: nonce.clone(),
        segments: DecimalU64(all.len() as u64),
        drawn: draw.chosen.iter().map(|&number| DecimalU64(number as u64)).collect(),
        steps: DecimalU64(trained),
    }));
    let chosen: Vec<&Segment> = draw.chosen.iter().map(|&number| &all[number]).collect();
    // Elsewhere there is one device.
    let jobs = match stage.choice.device.kind {
        Kind::Cpu => jobs.unwrap_or_else(|| thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)).get(),
        _ => 1,
    };
    let (run, scratch, stage) = (replay.run, replay.scratch, &stage);
    let again = side_by_side(&chosen, jobs, |segment| replay_segment(workload, run, scratch, stage, segment));
    for (segment, outcome) in chosen.iter().zip(again) {
        outcome?;
        findings.push(format!("steps {} to {} are bit for bit the signed ones", segment.first + 1, segment.last));
    }
    findings.push(format!(
        "{} of {} segments, {trained} of {steps} steps, drawn by BLAKE3 of step root and nonce {nonce}, on {}",
        draw.chosen.len(),
        all.len(),
        stage.choice.device
    ));
    findings.push(draw.odds());
    findings.push(time_taken(run.claim(), (replay.elapsed)()));
    Ok(findings)
}

/// How many segments a budget pays for, of a run that took so long; nobody knows what data and tests take of that, so it is all put
/// down to the steps.
fn affordable(budget: Duration, took_seconds: f64, all: usize) -> usize {
    let of_one = took_seconds / all.max(1) as f64;
    (budget.as_secs_f64() / of_one.max(1e-9)) as usize
}

/// Holds every leaf against the plan, drawn or not: steps, samples, learning rates, and that a run which says it is complete is.
fn check_plan<W: Workload>(workload: &W, replay: &Replay<'_>, stage: &Stage<'_, W>) -> Result<String, Stop> {
    let (run, training) = (replay.run, stage.training);
    let plan = plan(workload, &stage.config, None, &|| Duration::ZERO);
    let ledger = Ledger { task: &stage.task, plan: &plan, leaves: &stage.signed };
    let (planned, difference) = stage.choice.device.run(ledger).map_err(failed)?;
    if let Some(difference) = difference {
        return Err(Stop::Failed(difference));
    }
    let steps = training.steps.count;
    if run.claim().exit.reason == ExitReason::Completed && steps != planned.steps {
        let planned = planned.steps;
        return Err(Stop::Failed(format!("completed: expected {planned} steps, as the config says, got {steps}")));
    }
    compare_audit_points(training, &planned.audit_points)?;
    Ok(format!("samples, learning rates and digests of states of all {steps} steps are where the config puts them"))
}

/// Holds leaves against a plan: how many audit points it has depends on the size of the model.
struct Ledger<'a, T> {
    task: &'a T,
    plan: &'a FitPlan<'a>,
    leaves: &'a [StepLeaf],
}

impl<T: Task> Job for Ledger<'_, T> {
    type Output = Result<(ledger::Planned, Option<String>), FitError>;

    fn run<B: AutodiffBackend>(self, device: &B::Device) -> Self::Output {
        ledger::audit::<B, T>(self.task, self.plan, self.leaves, device)
    }
}

/// The name of the checkpoint after a step, below the run directory.
fn checkpoint_of(step: u64) -> String {
    format!("{CHECKPOINTS}/step-{step:08}.safetensors")
}

/// The states that are signed, by their steps in order: step checkpoints and audit points before the last step.
pub(super) fn states(run: &VerifiedRun, count: u64) -> Vec<(u64, String)> {
    let step_of = |name: &str| {
        let digits = name.strip_prefix(CHECKPOINTS)?.strip_prefix("/step-")?.strip_suffix(".safetensors")?;
        digits.parse::<u64>().ok()
    };
    let subjects = run.manifest().statement().subject.iter().map(|subject| subject.name.as_str());
    let checkpoints = subjects.filter_map(|name| Some((step_of(name)?, 0, name.to_owned())));
    let points = run.claim().training().into_iter().flat_map(|training| &training.audit_points);
    let points = points.map(|point| (point.step, 1, point.file.as_str().to_owned()));
    let mut cuts: Vec<_> = checkpoints.chain(points).filter(|(step, ..)| (1..count).contains(step)).collect();
    cuts.sort();
    cuts.into_iter().map(|(step, _, name)| (step, name)).collect()
}

/// The run, cut at its audit points, which its config puts where they are; at the checkpoints that it kept where it has none.
fn segments(run: &VerifiedRun, count: u64) -> Vec<Segment> {
    let mut states = states(run, count);
    if states.iter().any(|(_, name)| run.is_audit_point(name)) {
        states.retain(|(_, name)| run.is_audit_point(name));
    }
    let lasts: Vec<_> = states.iter().map(|(step, _)| *step).chain([count]).collect();
    let starts = std::iter::once((0, None)).chain(states.into_iter().map(|(step, name)| (step, Some(name))));
    starts.zip(lasts).map(|((first, state), last)| Segment { first, last, state }).collect()
}

/// Does something with each item, some of them at once, and gives what came of each, in their order. What no longer matters, as an
/// item before it failed, may be left out.
fn side_by_side<T: Sync, R: Send, E: Send>(
    items: &[T],
    jobs: usize,
    work: impl Fn(&T) -> Result<R, E> + Sync,
) -> Vec<Result<R, E>> {
    let (next, has_failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let worker = || {
        let mut done = Vec::new();
        while !has_failed.load(Ordering::Relaxed) {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(at) else { break };
            let outcome = work(item);
            has_failed.fetch_or(outcome.is_err(), Ordering::Relaxed);
            done.push((at, outcome));
        }
        done
    };
    let mut done: Vec<_> = thread::scope(|scope| {
        let workers: Vec<_> = (0..jobs.min(items.len())).map(|_| scope.spawn(worker)).collect();
        let joined = workers.into_iter().map(|worker| worker.join().unwrap_or_else(|panic| resume_unwind(panic)));
        joined.flatten().collect()
    });
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, outcome)| outcome).collect()
}

fn replay_segment<W: Workload>(
    workload: &W,
    run: &VerifiedRun,
    scratch: &Path,
    stage: &Stage<'_, W>,
    segment: &Segment,
) -> Result<(), Stop> {
    let training = stage.training;
    let checkpoint = match &segment.state {
        Some(name) => Some(signed_state(run, stage, name, Some(segment.first))?),
        None => None,
    };
    let folder = scratch.join(format!("from-{}", segment.first));
    let mut again = RunDirectory::create_part(&folder, LoggerSettings::NONE).map_err(not_checked)?;
    let ends = segment.last == training.steps.count;
    let best = if ends { bring_best(run, stage, &folder)? } else { None };
    let mut difference = None;
    let mut observer = |event: Event<'_>| {
        if let Event::Step { leaf, .. } = event {
            difference = compare_leaf(stage.signed.get(leaf.step as usize - 1), leaf);
        }
        if difference.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let plan = plan(workload, &stage.config, Some(segment.last), &|| Duration::ZERO);
    let trained = Training { workload, task: &stage.task, plan: &plan, checkpoint, run: &mut again, is_watched: false };
    let trained = trained.on(&Team::alone(stage.choice.clone()), &mut observer);
    if let Some(difference) = difference {
        return Err(Stop::Failed(difference));
    }
    let (trained, outputs) = trained.map_err(stop)?;
    if trained.steps != segment.last {
        return Err(Stop::Failed(format!("expected to come to step {}, came to {}", segment.last, trained.steps)));
    }
    if ends {
        if trained.best_is_elsewhere {
            return Err(Stop::Failed(format!(
                "{BEST_CHECKPOINT}: expected the state that the run is judged by, signed, got {}",
                best.map_or("none".to_owned(), |step| format!("that after step {step}"))
            )));
        }
        compare_end(run.claim(), training, &trained)?;
        compare_file(run, again.root(), FINAL_CHECKPOINT)?;
        return outputs.iter().try_for_each(|output| compare_file(run, again.root(), output.as_str()));
    }
    // Where a checkpoint was signed, its every byte, counters included, is what the next segment starts from.
    let end = checkpoint_of(segment.last);
    if run.manifest().statement().subject.iter().any(|subject| subject.name.as_str() == end) {
        compare_file(run, again.root(), &end)?;
    }
    match stage.signed[segment.last as usize - 1].state {
        Some(state) if state == trained.state_digest => Ok(()),
        state => {
            let expected = state.map_or("none".to_owned(), |state| state.to_string());
            let got = trained.state_digest;
            Err(Stop::Failed(format!("state after step {}: expected digest {expected}, got {got}", segment.last)))
        }
    }
}

/// Puts the signed best checkpoint, if there is one, where the end of a run looks for it: it may be of an earlier segment. Returns
/// its step.
fn bring_best<W: Workload>(run: &VerifiedRun, stage: &Stage<'_, W>, folder: &Path) -> Result<Option<u64>, Stop> {
    let subjects = &run.manifest().statement().subject;
    if !subjects.iter().any(|subject| subject.name.as_str() == BEST_CHECKPOINT) {
        return Ok(None);
    }
    let best = signed_state(run, stage, BEST_CHECKPOINT, None)?;
    let step = best.progress.position.step;
    let path = folder.join(checkpoint_of(step));
    match std::fs::write(&path, best.to_bytes()) {
        Ok(()) => Ok(Some(step)),
        Err(error) => Err(Stop::NotChecked(format!("{}: {error}", path.display()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_done_side_by_side_comes_in_order() {
        let items: Vec<usize> = (0..50).collect();
        for jobs in [1, 3, 100] {
            let doubled = side_by_side(&items, jobs, |item| Ok::<_, ()>(2 * item));
            assert_eq!(doubled, items.iter().map(|item| Ok(2 * item)).collect::<Vec<_>>());
        }
        assert!(side_by_side(&[0; 0], 3, |_| Ok::<_, ()>(())).is_empty());
    }

    #[test]
    fn a_failure_is_kept_and_everything_before_it() {
        let items: Vec<usize> = (0..50).collect();
        for jobs in [1, 3] {
            let outcomes = side_by_side(&items, jobs, |&item| if item == 7 { Err(item) } else { Ok(item) });
            assert_eq!(outcomes[..8], [&(0..7).map(Ok).collect::<Vec<_>>()[..], &[Err(7)]].concat());
            assert!(jobs > 1 || outcomes.len() == 8, "{outcomes:?}");
        }
    }
}
