//! The end of a run: its last state is written, and its best one is tested.

use burn::tensor::backend::AutodiffBackend;

use super::{Exit, FitEnd, FitError, FitOutcome, FitPlan, State, begin, checkpoint_file, evaluate, figures};
use crate::engine::kept::Ranking;
use crate::engine::run_dir::{BEST_CHECKPOINT, FINAL_CHECKPOINT, RunDirectory};
use crate::engine::snapshot::Snapshot;
use crate::engine::task::{InferenceModel, Metric, Split, Task};
use crate::event_log::{FINAL_FIGURES, RunEvent};

/// Writes the last state, tests the best one, and says how the run ended.
pub(super) fn finish<B: AutodiffBackend, T: Task>(
    task: &T,
    plan: &FitPlan<'_>,
    ranking: &Ranking,
    state: State<B, T>,
    exit: Exit,
    run: &mut RunDirectory,
    device: &B::Device,
) -> Result<FitOutcome<InferenceModel<T, B>>, FitError> {
    let snapshot = state.snapshot();
    let step = snapshot.progress.position.step;
    // The steps that a checkpoint stands on must be there whenever the checkpoint is.
    run.sync()?;
    run.write_file(FINAL_CHECKPOINT, &snapshot.to_bytes())?;
    let test = |state: &_| evaluate(task, state, plan, Split::Test, usize::MAX, device);
    let last = test(&state)?;
    let best = best_state(task, plan, ranking, &snapshot, run, device)?;
    let best_is_elsewhere = matches!(best, Best::Elsewhere);
    let (metrics, model, checkpoint) = match best {
        Best::Last | Best::Elsewhere => (last, state.inference(), FINAL_CHECKPOINT),
        Best::Earlier(best) => {
            let of_last = last.into_iter().map(|Metric { name, value }| Metric { name: of_last_state(&name), value });
            let metrics = test(&best)?.into_iter().chain(of_last).collect();
            (metrics, best.inference(), BEST_CHECKPOINT)
        }
    };
    let test_samples = plan.evaluated(Split::Test, task.sample_ids(Split::Test).len()) as u64;
    let epoch = snapshot.progress.position.epoch;
    let finished = RunEvent::Finished { reason: exit.reason(), epoch, figures: figures(&metrics) };
    run.record(plan.seconds(), step, finished)?;
    run.sync()?;
    let state_digest = snapshot.state_digest();
    let end = FitEnd { exit, steps: step, state_digest, checkpoint, best_is_elsewhere, metrics, test_samples };
    Ok(FitOutcome { model, end })
}

/// Which state a run is judged by.
enum Best<S> {
    /// The last one: it is the best, or none was validated.
    Last,
    /// An earlier one.
    Earlier(S),
    /// An earlier one, which is not in this part of a run.
    Elsewhere,
}

fn best_state<B: AutodiffBackend, T: Task>(
    task: &T,
    plan: &FitPlan<'_>,
    ranking: &Ranking,
    last: &Snapshot,
    run: &RunDirectory,
    device: &B::Device,
) -> Result<Best<State<B, T>>, FitError> {
    let Some(file) = ranking.best(&last.progress.kept) else { return Ok(Best::Last) };
    if file == checkpoint_file(last.progress.position.step) {
        return Ok(Best::Last);
    }
    let Some((path, bytes)) = run.read_checkpoint(file)? else { return Ok(Best::Elsewhere) };
    let best = Snapshot::from_bytes(&bytes, &path)?;
    begin(task, plan, Some(best), device).map(Best::Earlier)
}

/// `test/score` of the last state, where the best one is another: `last/score`.
fn of_last_state(name: &str) -> String {
    let [test, last] = FINAL_FIGURES;
    name.replacen(test, last, 1)
}
