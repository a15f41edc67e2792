//! Training a random part of a run again: some of the stretches between the checkpoints that the run kept.
//!
//! Every stretch begins at a state whose digest a signed step leaf holds, or at the start, and ends where the next one
//! begins. So a log of which any step was not computed has at least one stretch that does not come out. Which stretches
//! are looked at must not be foreseeable for the trainer: the seed is the system's unless the checker names one.

use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use super::compare::{compare_end, compare_file, compare_leaf};
use super::stage::Stage;
use super::stop::{Stop, conclude, not_checked, stop, worst};
use super::{Replay, Team, Training, plan};
use crate::engine::fit::Event;
use crate::engine::rng::{CounterRng, Stream};
use crate::engine::run_dir::{BEST_CHECKPOINT, CHECKPOINTS, FINAL_CHECKPOINT, RunDirectory};
use crate::engine::settings::LoggerSettings;
use crate::engine::snapshot::Snapshot;
use crate::verify::{Check, Verdict, VerifiedRun, detection_probability};
use crate::workload::Workload;

/// How much to look at.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// How many stretches, at most all.
    pub stretches: usize,
    /// Which ones.
    pub seed: u64,
}

/// The steps after `first` up to and with `last`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stretch {
    first: u64,
    last: u64,
    /// The checkpoint of step `first`, below the run directory; none at the start.
    checkpoint: Option<String>,
}

/// Trains some stretches of the run again.
pub fn check<W: Workload>(workload: &W, replay: &Replay<'_>, sample: Sample) -> Check {
    let mut check = Check::new("sample");
    conclude(train_again(workload, replay, sample), &mut check);
    check
}

fn train_again<W: Workload>(workload: &W, replay: &Replay<'_>, sample: Sample) -> Result<Vec<String>, Stop> {
    let run = replay.run;
    // The leaves that the stretches are compared with must be the signed ones, the unsampled ones as well.
    if let Some(log) = run.check_steps().filter(|log| log.verdict != Verdict::Passed) {
        return Err(worst(log));
    }
    let stage = Stage::set(workload, replay)?;
    let steps = stage.training.steps.count;
    if let Some((step, leaf)) = (1..).zip(&stage.signed).find(|(step, leaf)| leaf.step != *step) {
        return Err(Stop::Failed(format!("step {step}: expected a leaf of that step, got one of {}", leaf.step)));
    }
    let all = stretches(run, steps);
    let chosen = choose(all.len(), sample);
    let mut findings = Vec::new();
    for &index in &chosen {
        let stretch = &all[index];
        replay_stretch(workload, replay, &stage, stretch)?;
        findings.push(format!("steps {} to {} are bit for bit the signed ones", stretch.first + 1, stretch.last));
    }
    let trained: u64 = chosen.iter().map(|&index| all[index].last - all[index].first).sum();
    findings.push(format!(
        "{} of {} stretches, {trained} of {steps} steps, seed {}, on {}",
        chosen.len(),
        all.len(),
        sample.seed,
        stage.choice.device
    ));
    findings.push(odds(all.len(), chosen.len()));
    Ok(findings)
}

/// What such a sample finds, in words.
fn odds(all: usize, looked_at: usize) -> String {
    let percent = |bad| 100.0 * detection_probability(all, bad, looked_at);
    let half = all.div_ceil(2).max(2);
    let one = format!("a sample like this finds 1 bad stretch of {all} with probability {:.1} %", percent(1));
    if half > all { one } else { format!("{one}, {half} bad ones with {:.1} %", percent(half)) }
}

/// Which of `count` stretches to look at, in order.
fn choose(count: usize, sample: Sample) -> Vec<usize> {
    let mut chosen = CounterRng::new(sample.seed, Stream::workload(0), 0).permutation(count);
    chosen.truncate(sample.stretches);
    chosen.sort_unstable();
    chosen
}

/// The name of the checkpoint after a step, below the run directory.
fn checkpoint_of(step: u64) -> String {
    format!("{CHECKPOINTS}/step-{step:08}.safetensors")
}

/// The run, cut at the step checkpoints that are signed.
fn stretches(run: &VerifiedRun, count: u64) -> Vec<Stretch> {
    let step_of = |name: &str| {
        let digits = name.strip_prefix(CHECKPOINTS)?.strip_prefix("/step-")?.strip_suffix(".safetensors")?;
        digits.parse::<u64>().ok().filter(|step| (1..count).contains(step))
    };
    let subjects = run.manifest().statement().subject.iter().map(|subject| subject.name.as_str());
    let mut cuts: Vec<_> = subjects.filter_map(|name| Some((step_of(name)?, Some(name.to_owned())))).collect();
    cuts.push((0, None));
    cuts.sort();
    cuts.dedup_by_key(|(step, _)| *step);
    let lasts: Vec<_> = cuts.iter().skip(1).map(|(step, _)| *step).chain([count]).collect();
    cuts.into_iter().zip(lasts).map(|((first, checkpoint), last)| Stretch { first, last, checkpoint }).collect()
}

fn replay_stretch<W: Workload>(
    workload: &W,
    replay: &Replay<'_>,
    stage: &Stage<'_, W>,
    stretch: &Stretch,
) -> Result<(), Stop> {
    let (run, training) = (replay.run, stage.training);
    let checkpoint = match &stretch.checkpoint {
        Some(name) => Some(signed_state(run, stage, name, Some(stretch.first))?),
        None => None,
    };
    let folder = replay.scratch.join(format!("from-{}", stretch.first));
    let mut again = RunDirectory::create_part(&folder, LoggerSettings::NONE).map_err(not_checked)?;
    let ends = stretch.last == training.steps.count;
    if ends {
        bring_best(run, stage, &folder)?;
    }
    let mut difference = None;
    let mut observer = |event: Event<'_>| {
        if let Event::Step { leaf, .. } = event {
            difference = compare_leaf(stage.signed.get(leaf.step as usize - 1), leaf);
        }
        if difference.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let plan = plan(workload, &stage.config, Some(stretch.last), &|| Duration::ZERO);
    let trained = Training { workload, task: &stage.task, plan: &plan, checkpoint, run: &mut again, is_watched: false };
    let trained = trained.on(&Team::alone(stage.choice.clone()), &mut observer);
    if let Some(difference) = difference {
        return Err(Stop::Failed(difference));
    }
    let (trained, outputs) = trained.map_err(stop)?;
    if trained.steps != stretch.last {
        return Err(Stop::Failed(format!("expected to come to step {}, came to {}", stretch.last, trained.steps)));
    }
    if ends {
        if trained.best_is_elsewhere {
            return Err(Stop::Failed(format!(
                "{BEST_CHECKPOINT}: expected the state that the run is judged by, signed, got none"
            )));
        }
        compare_end(run.claim(), training, &trained)?;
        compare_file(run, again.root(), FINAL_CHECKPOINT)?;
        return outputs.iter().try_for_each(|output| compare_file(run, again.root(), output.as_str()));
    }
    // The stretch ends where a checkpoint was signed, whose every byte, counters included, the next stretch starts from.
    compare_file(run, again.root(), &checkpoint_of(stretch.last))?;
    match stage.signed[stretch.last as usize - 1].state {
        Some(state) if state == trained.state_digest => Ok(()),
        state => {
            let expected = state.map_or("none".to_owned(), |state| state.to_string());
            let got = trained.state_digest;
            Err(Stop::Failed(format!("state after step {}: expected digest {expected}, got {got}", stretch.last)))
        }
    }
}

/// Puts the signed best checkpoint, if there is one, where the end of a run looks for it: it may be of an earlier stretch.
fn bring_best<W: Workload>(run: &VerifiedRun, stage: &Stage<'_, W>, folder: &Path) -> Result<(), Stop> {
    let subjects = &run.manifest().statement().subject;
    if !subjects.iter().any(|subject| subject.name.as_str() == BEST_CHECKPOINT) {
        return Ok(());
    }
    let best = signed_state(run, stage, BEST_CHECKPOINT, None)?;
    let path = folder.join(checkpoint_of(best.progress.position.step));
    std::fs::write(&path, best.to_bytes()).map_err(|error| Stop::NotChecked(format!("{}: {error}", path.display())))
}

/// A checkpoint's state, if it is the one that the signed leaf of its step names; `step` is that step, where it is known.
fn signed_state<W: Workload>(
    run: &VerifiedRun,
    stage: &Stage<'_, W>,
    name: &str,
    step: Option<u64>,
) -> Result<Snapshot, Stop> {
    let mut check = Check::new("checkpoint");
    let Some(bytes) = run.read_subject(name, &mut check) else { return Err(worst(check)) };
    let snapshot =
        Snapshot::from_bytes(&bytes, &run.root().join(name)).map_err(|error| Stop::Failed(error.to_string()))?;
    let at = snapshot.progress.position.step;
    let leaf = usize::try_from(at).ok().and_then(|at| stage.signed.get(at.checked_sub(1)?));
    if step.is_some_and(|step| step != at) || leaf.is_none_or(|leaf| leaf.state != Some(snapshot.state_digest())) {
        let step = step.unwrap_or(at);
        return Err(Stop::Failed(format!("{name}: expected the state after step {step} that was signed, got another")));
    }
    Ok(snapshot)
}
