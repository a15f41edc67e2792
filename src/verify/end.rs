//! The end of the run, judged by its plan and its figures: an end that somebody chose by the score is no end.
//!
//! A command ends by itself or is stopped, or is not signed; of it nothing is left to judge.

use serde::Deserialize;

use super::files::LeafPosition;
use super::{Check, VerifiedRun, chain};
use crate::config::Config;
use crate::manifest::predicate::{CommandRecord, ExitReason, TrainingRecord};
use crate::wall_time::WallTime;

/// What the config says about the end.
#[derive(Deserialize)]
struct Plan {
    trainer: Trainer,
}

#[derive(Deserialize)]
struct Trainer {
    max_epochs: u64,
    max_time: Option<Time>,
    early_stopping: Option<serde_json::Value>,
}

/// A duration, or a text that no trainer reads as one: that is no limit, and keeps nothing else from being judged.
#[derive(Deserialize)]
#[serde(untagged)]
enum Time {
    Limit(WallTime),
    Unread(String),
}

impl VerifiedRun {
    /// Judges why the run says that it ended by the composed config, the step log and the figures; without the config
    /// there is nothing to judge by.
    pub fn check_end(&self, config: Option<&Config>) -> Check {
        let mut check = Check::new("end");
        let Some(config) = config else {
            check.not_checked("the plan is not known, as the signed config was not composed".into());
            return check;
        };
        if let Some(command) = self.claim().command() {
            self.judge_command_end(command, &mut check);
            return check;
        }
        let Some(training) = self.claim().training() else { return check };
        let plan: Plan = match config.extract() {
            Ok(plan) => plan,
            Err(error) => {
                check.not_checked(format!("the plan: {}", chain(&error)));
                return check;
            }
        };
        let Some(last) = self.last_leaf(training, &mut check) else { return check };
        self.judge_end(training, &plan.trainer, &last, &mut check);
        check
    }

    fn judge_command_end(&self, command: &CommandRecord, check: &mut Check) {
        let code = command.exit_code;
        match self.claim().exit.reason {
            ExitReason::Completed => {
                check.note("the command exited with 0, as the record says: no other run of one is signed, unless somebody stopped it".into());
            }
            ExitReason::Interrupted => check.not_checked(format!(
                "interrupted: somebody stopped the command, which exited with {code}, and nothing shows that this end was not chosen by \
                 what it had made"
            )),
            other => check.fail(format!("expected a command to have completed, or to be interrupted, got {other:?}")),
        }
    }

    fn judge_end(&self, training: &TrainingRecord, plan: &Trainer, last: &LeafPosition, check: &mut Check) {
        let claim = self.claim();
        let (steps, epochs) = (training.steps.count, plan.max_epochs);
        let epoch = last.epoch.saturating_add(1);
        check.note(format!("{:?} after {steps} steps, in epoch {epoch} of {epochs}", claim.exit.reason));
        if epoch > epochs {
            check.fail(format!("expected at most {epochs} epochs, as the config says, got steps of {epoch}"));
        }
        // A whole epoch ends with a digest of the state.
        let final_state =
            training.checkpoints.iter().rfind(|checkpoint| checkpoint.step == steps).map(|c| c.state_digest);
        let ends_an_epoch = matches!(claim.exit.reason, ExitReason::Completed | ExitReason::EarlyStopped);
        match (last.state, final_state) {
            (_, None) => check.fail(format!("expected a checkpoint of step {steps}, the last one, got none")),
            (Some(got), Some(expected)) if got != expected => {
                check.fail(format!(
                    "final state: expected digest {expected}, as the checkpoint, got {got} in the last leaf"
                ));
            }
            (None, Some(_)) if ends_an_epoch => {
                check.fail("the last leaf: expected the digest of the state at the end of an epoch, got none".into());
            }
            _ => {}
        }
        match claim.exit.reason {
            ExitReason::Completed if epoch < epochs => {
                check.fail(format!("completed: expected {epochs} epochs, as the config says, got {epoch}"));
            }
            ExitReason::Completed => {}
            ExitReason::EarlyStopped if plan.early_stopping.is_none() => {
                check.fail("earlyStopped: expected trainer.early_stopping in the config, got null".into());
            }
            ExitReason::EarlyStopped => check.note("whether the metric had stopped improving is for a replay".into()),
            ExitReason::MaxTime => self.judge_time(plan, check),
            ExitReason::WallLimit => self.judge_wall_limit(check),
            ExitReason::Interrupted => check.not_checked(
                "interrupted: somebody chose this end, and nothing shows that it was not chosen by its score".into(),
            ),
            ExitReason::Diverged => {
                check.fail("diverged: expected a run that ended with a state, as no other is signed".into());
            }
        }
    }

    /// A run that says it met its time limit has to have taken that long; by a clock that is the trainer's own.
    fn judge_time(&self, plan: &Trainer, check: &mut Check) {
        let figures = &self.claim().envelope.figures;
        let took = figures.wall_seconds.get();
        let limit = match &plan.max_time {
            Some(Time::Limit(limit)) => Some(limit.0.as_secs()),
            Some(Time::Unread(text)) => {
                return check
                    .fail(format!("maxTime: expected a duration as trainer.max_time in the config, got {text:?}"));
            }
            None => None,
        };
        match limit {
            None => check.fail("maxTime: expected trainer.max_time in the config, got none".into()),
            Some(limit) if took < limit as f64 => {
                check.fail(format!("maxTime: expected at least {limit} s, which trainer.max_time allows, got {took} s (self-asserted)"));
            }
            Some(limit) => check.note(format!(
                "stopped by the clock after {took} s of {limit} s (self-asserted): a trainer who lies about the time can pick \
                 the step to stop at"
            )),
        }
    }

    /// A run that says that it ended for its limit on wall time has to have one, and to have kept it: it ended for nothing else.
    fn judge_wall_limit(&self, check: &mut Check) {
        let envelope = &self.claim().envelope;
        let took = envelope.figures.wall_seconds.get();
        match &envelope.bounds.wall_seconds {
            None => check.fail("wallLimit: expected envelope.wall_seconds in the config, got none".into()),
            Some(limit) => check.note(format!(
                "ended after {took} s, in time for the limit of {} s (self-asserted): a trainer who lies about the time can pick the step \
                 to stop at",
                limit.0
            )),
        }
    }

    fn last_leaf(&self, training: &TrainingRecord, check: &mut Check) -> Option<LeafPosition> {
        let text = self.read_subject(training.steps.file.as_str(), check)?;
        let line = text.strip_suffix(b"\n").unwrap_or(&text).rsplit(|&byte| byte == b'\n').next();
        match line.map(serde_json::from_slice::<LeafPosition>) {
            Some(Ok(leaf)) => Some(leaf),
            _ => {
                check.fail("the step log: expected at least one step leaf, got none".into());
                None
            }
        }
    }
}
