//! Training again in a scratch folder, and comparing everything that comes out with what was signed.
//!
//! A replay reads through what was verified and nothing else: raw data file by file against their signed list as they are
//! read; derived data are made again here and have to be the signed ones, all of them and no more.

mod compare;
mod dispute;
mod rehearsal;
mod segments;
mod stage;
mod state;
mod step_trace;
pub(crate) mod stop;

use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use self::compare::{compare_audit_points, compare_checkpoints, compare_end, compare_leaf, compare_outputs};
use self::stage::Stage;
use self::state::audit_points;
use self::stop::{Stop, not_checked, stop};
use super::Team;
use super::origin::device_record;
use super::training::{Training, plan};
use crate::config::Config;
use crate::engine::fit::Event;
use crate::engine::reference;
use crate::engine::run_dir::RunDirectory;
use crate::engine::settings::{Accelerator, LoggerSettings};
use crate::manifest::predicate::TrainingRun;
use crate::manifest::strict_json::{DecimalU64, ExactF64};
use crate::manifest::verdict::{ReplayRecord, TrainingReplay};
use crate::verify::{Check, SignedData, VerifiedRun};
use crate::workload::Workload;

pub use self::dispute::{Dispute, check as check_dispute};
pub use self::rehearsal::{Digests, Manner, Rehearsal, Rehearsed, rehearse, rehearse_step};
pub use self::segments::{Amount, Segments, check as check_segments};
pub use self::step_trace::StepTrace;

/// What a replay is made from: all of it verified.
#[derive(Clone, Copy)]
pub struct Replay<'a> {
    /// The run.
    pub run: &'a VerifiedRun,
    /// The signed config, composed again.
    pub config: &'a Config,
    /// The signed data.
    pub data: &'a SignedData,
    /// Where to train.
    pub accelerator: Accelerator,
    /// A folder for what is made here, of this replay alone.
    pub scratch: &'a Path,
    /// Monotonic time since the replay began.
    pub elapsed: &'a dyn Fn() -> Duration,
}

/// Replays the run and compares every step leaf, the final state and every file that training writes. Returns what was
/// trained, too, as far as it went.
pub fn check<W: Workload>(workload: &W, replay: &Replay<'_>) -> (Check, Option<ReplayRecord>) {
    let (mut check, mut record) = (Check::new("replay"), None);
    stop::conclude(train_again(workload, replay, &mut record), &mut check);
    (check, record)
}

fn train_again<W: Workload>(
    workload: &W,
    replay: &Replay<'_>,
    record: &mut Option<ReplayRecord>,
) -> Result<Vec<String>, Stop> {
    let (run, claim) = (replay.run, replay.run.claim());
    let stage = Stage::set(workload, replay)?;
    let Stage { config, choice, training, signed, task } = &stage;
    // The log of metrics has no time in it: it comes out again, too.
    let logger = LoggerSettings { metrics: config.settings().logger.metrics, ..LoggerSettings::NONE };
    let mut again = RunDirectory::create(&replay.scratch.join("run"), logger).map_err(not_checked)?;
    let mut difference = None;
    let mut observer = |event: Event<'_>| {
        if let Event::Step { leaf, .. } = event {
            difference = compare_leaf(signed.get(leaf.step as usize - 1), leaf);
        }
        if difference.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    // A run that met its time limit is replayed to the same step, whatever the clock says here.
    let plan = plan(workload, config, Some(training.steps.count), &|| Duration::ZERO);
    let trained = Training { workload, task, plan: &plan, checkpoint: None, run: &mut again, is_watched: false };
    let trained = trained.on(&Team::alone(choice.clone()), &mut observer);
    // Whatever came of it after a step that differs, that step is what there is to tell.
    if let Some(difference) = difference {
        return Err(Stop::Failed(difference));
    }
    let (end, outputs) = trained.map_err(stop)?;
    let root = again.step_log().root();
    let took = (replay.elapsed)();
    *record = Some(ReplayRecord::Training(TrainingReplay {
        device: device_record(choice),
        numerics: training.numerics,
        steps: DecimalU64(end.steps),
        step_root: root,
        seconds: ExactF64::new(took.as_secs_f64()).map_err(not_checked)?,
        reference_seconds: ExactF64::new(reference::seconds(&choice.device, replay.elapsed)).map_err(not_checked)?,
    }));
    if end.steps != training.steps.count {
        return Err(Stop::Failed(format!("expected {} steps, got {}", training.steps.count, end.steps)));
    }
    // The leaves compared above are those on disk; what was signed is their root.
    if root != training.steps.merkle_root {
        return Err(Stop::Failed(format!("step root: expected {}, got {root}", training.steps.merkle_root)));
    }
    compare_end(claim, training, &end)?;
    let files = compare_outputs(run, again.root(), &outputs)?;
    compare_checkpoints(training, again.root())?;
    compare_audit_points(training, &again.audit_points().map_err(not_checked)?)?;
    let points = audit_points(run, &stage)?;
    Ok(vec![
        format!("data that were made, {} steps, metrics and {files} files are bit for bit the signed ones", end.steps),
        format!("step root {root}"),
        points,
        time_taken(claim, took),
        format!(
            "replayed on {}; the run says {}, {} (self-asserted)",
            choice.device, training.device.name, training.device.accelerator
        ),
    ])
}

/// How long the replay took, beside the limit that the run claims to have kept. A note, no verdict: the time on one
/// machine proves nothing of another, but a run that takes days here and is said to have taken minutes is worth a look.
pub(crate) fn time_taken(claim: &TrainingRun, took: Duration) -> String {
    let (took, said) = (took.as_secs_f64(), claim.envelope.figures.wall_seconds.get());
    match &claim.envelope.bounds.wall_seconds {
        Some(limit) => {
            let side = if took <= limit.0 as f64 { "within" } else { "beyond" };
            format!(
                "took {took:.1} s here, {side} the limit of {} s; the run says {said:.1} s (self-asserted)",
                limit.0
            )
        }
        None => format!("took {took:.1} s here; the run says {said:.1} s (self-asserted) and claims no limit"),
    }
}
