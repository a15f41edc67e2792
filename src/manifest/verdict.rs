//! What a verifier claims about somebody else's run: which checks were made, and what came of each.
//!
//! Our own predicate says all of it. Beside it stand [`test_result`] and [`summary`], pure functions of it, so that
//! tools which know nothing of us can gate on them; a bundle in which they say anything else is refused.
//!
//! A check that could not be made is a check with that outcome, never a missing one, and keeps the whole from having
//! passed.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::digest::{Blake3Digest, Sha256Digest};

use super::predicate::{DeviceRecord, NumericsRecord};
use super::statement::{Predicate, StatementError};
use super::strict_json::{DecimalU64, ExactF64};
use super::timestamp::UtcTime;

pub mod summary;
pub mod test_result;

/// The URI of the predicate, version 1.
pub const REPLAY_VERDICT: &str = "urn:x-spectramind:replay-verdict:v1";

/// Most findings that a verdict repeats of one check: a data set that is another altogether has as many as it has
/// files.
pub const MAX_FINDINGS: usize = 32;

/// What was checked of a run, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReplayVerdict {
    /// The identity of the manifest this is about: SHA-256 of its payload.
    pub manifest: Sha256Digest,
    /// The run's own id.
    pub run_id: String,
    /// The worst outcome of the checks.
    pub result: Outcome,
    /// The checks, in the order they were made; at least one.
    #[schemars(length(min = 1))]
    pub checks: Vec<CheckRecord>,
    /// What was trained again; `None` when nothing was.
    #[serde(deserialize_with = "Option::deserialize")]
    pub replay: Option<ReplayRecord>,
    /// Who checked.
    pub verifier: VerifierRecord,
    /// When the checks began, by the verifier's clock: self-asserted.
    pub started_at: UtcTime,
    /// When the checks ended, by the verifier's clock: self-asserted.
    pub finished_at: UtcTime,
}

/// What came of a check, from best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// All that was asked holds.
    Passed,
    /// Something it needs was not there.
    NotChecked,
    /// Something does not hold.
    Failed,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CheckRecord {
    /// What was checked.
    pub name: String,
    /// What came of it.
    pub outcome: Outcome,
    /// Why, in sentences for a person; at most [`MAX_FINDINGS`].
    #[schemars(length(max = MAX_FINDINGS))]
    pub findings: Vec<String>,
}

/// What was done again, as far as it went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum ReplayRecord {
    /// A training.
    Training(TrainingReplay),
    /// A part of a training.
    Segments(SegmentsReplay),
    /// A command.
    Command(CommandReplay),
}

/// A command that was run again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CommandReplay {
    /// Number of outputs that were compared and equal.
    pub outputs: DecimalU64,
}

/// What was trained again, as far as it went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TrainingReplay {
    /// What computed.
    pub device: DeviceRecord,
    /// How it computed.
    pub numerics: NumericsRecord,
    /// Number of steps done.
    pub steps: DecimalU64,
    /// Merkle root over their leaves.
    pub step_root: Blake3Digest,
    /// Seconds that it took, data that were made again and the files at the end included: the verifier's own clock.
    pub seconds: ExactF64,
    /// Seconds that the computation for comparing devices took here, after it.
    pub reference_seconds: ExactF64,
}

/// A part of a training that was trained again, as far as it went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SegmentsReplay {
    /// What computed.
    pub device: DeviceRecord,
    /// How it computed.
    pub numerics: NumericsRecord,
    /// What the segments were drawn by, with the step root.
    pub nonce: String,
    /// Into how many segments the run is cut.
    pub segments: DecimalU64,
    /// The numbers of those that were drawn, from 0, in order.
    pub drawn: Vec<DecimalU64>,
    /// Number of their steps.
    pub steps: DecimalU64,
}

/// Who checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VerifierRecord {
    /// Id of the key that signs the verdict: no verdict can be passed off as another verifier's.
    pub keyid: Sha256Digest,
    /// Version of the program.
    pub version: String,
}

impl ReplayVerdict {
    /// The outcome of the checks with these names, which must all have been made: the worst, or `None` when one is
    /// missing.
    pub fn outcome_of(&self, names: &[&str]) -> Option<Outcome> {
        let outcome = |name: &&str| self.checks.iter().find(|check| check.name == **name).map(|check| check.outcome);
        names.iter().map(outcome).collect::<Option<Vec<_>>>()?.into_iter().max()
    }

    /// The URI of the manifest this is about.
    pub(super) fn manifest_uri(&self) -> String {
        format!("urn:x-spectramind:manifest:sha256:{}", self.manifest)
    }
}

impl Predicate for ReplayVerdict {
    const TYPE: &'static str = REPLAY_VERDICT;

    /// Checks that the verdict follows from its checks.
    fn check(&self) -> Result<(), StatementError> {
        let refuse = |path: &str, message: String| Err(StatementError::Predicate { path: path.to_owned(), message });
        let mut names = BTreeSet::new();
        if let Some(check) = self.checks.iter().find(|check| !names.insert(check.name.as_str())) {
            return refuse("checks", format!("{:?} is named twice", check.name));
        }
        if let Some(check) = self.checks.iter().find(|check| check.findings.len() > MAX_FINDINGS) {
            let got = check.findings.len();
            return refuse("checks", format!("{:?} has {got} findings, expected at most {MAX_FINDINGS}", check.name));
        }
        let Some(worst) = self.checks.iter().map(|check| check.outcome).max() else {
            return refuse("checks", "nothing was checked".to_owned());
        };
        if self.result != worst {
            return refuse("result", format!("expected {worst:?}, the worst outcome, got {:?}", self.result));
        }
        let of_a_part = matches!(self.replay, Some(ReplayRecord::Segments(_)));
        for (name, is_recorded) in [("replay", self.replay.is_some() && !of_a_part), ("segments", of_a_part)] {
            if self.outcome_of(&[name]) == Some(Outcome::Passed) && !is_recorded {
                return refuse("replay", format!("the check {name} passed and no such thing was trained again"));
            }
        }
        if self.finished_at < self.started_at {
            return refuse("finishedAt", "before startedAt".to_owned());
        }
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::digest::sha256;
    use crate::manifest::predicate::tests::example as run;
    use crate::manifest::strict_json;

    fn check(name: &str, outcome: Outcome) -> CheckRecord {
        CheckRecord { name: name.to_owned(), outcome, findings: vec![format!("about {name}")] }
    }

    /// A verdict on the example run whose every check has this outcome.
    pub(crate) fn example(outcome: Outcome) -> ReplayVerdict {
        let names = ["signature", "files", "steps", "config", "git", "data", "envelope", "replay"];
        let run = run();
        let training = run.training().expect("a training").clone();
        ReplayVerdict {
            manifest: sha256(b"a manifest"),
            run_id: run.run.id,
            result: outcome,
            checks: names.iter().map(|name| check(name, outcome)).collect(),
            replay: Some(ReplayRecord::Training(TrainingReplay {
                device: training.device,
                numerics: training.numerics,
                steps: DecimalU64(training.steps.count),
                step_root: training.steps.merkle_root,
                seconds: ExactF64::new(2.5).expect("finite"),
                reference_seconds: ExactF64::new(0.001).expect("finite"),
            })),
            verifier: VerifierRecord { keyid: sha256(b"a key"), version: "0.1.0".into() },
            started_at: "2026-02-01T12:00:00Z".parse().expect("a time"),
            finished_at: "2026-02-01T12:00:09Z".parse().expect("a time"),
        }
    }

    #[test]
    fn a_verdict_round_trips() {
        for outcome in [Outcome::Passed, Outcome::NotChecked, Outcome::Failed] {
            let verdict = example(outcome);
            assert_eq!(verdict.check(), Ok(()));
            assert_eq!(strict_json::from_slice(&strict_json::to_vec(&verdict).expect("small")), Ok(verdict));
        }
    }

    fn refused_at(change: impl FnOnce(&mut ReplayVerdict)) -> String {
        let mut verdict = example(Outcome::Passed);
        change(&mut verdict);
        match verdict.check() {
            Err(StatementError::Predicate { path, .. }) => path,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_verdict_better_or_worse_than_its_checks_is_refused() {
        assert_eq!(refused_at(|verdict| verdict.checks[3].outcome = Outcome::NotChecked), "result");
        assert_eq!(refused_at(|verdict| verdict.result = Outcome::Failed), "result");
    }

    #[test]
    fn a_verdict_on_nothing_is_refused() {
        assert_eq!(refused_at(|verdict| verdict.checks.clear()), "checks");
    }

    #[test]
    fn a_check_named_twice_is_refused() {
        assert_eq!(refused_at(|verdict| verdict.checks.push(verdict.checks[0].clone())), "checks");
    }

    #[test]
    fn more_findings_than_are_repeated_are_refused() {
        let many = |verdict: &mut ReplayVerdict| verdict.checks[0].findings = vec![String::new(); MAX_FINDINGS + 1];
        assert_eq!(refused_at(many), "checks");
    }

    #[test]
    fn a_replay_that_passed_without_training_is_refused() {
        assert_eq!(refused_at(|verdict| verdict.replay = None), "replay");
    }

    #[test]
    fn a_verdict_that_ends_before_it_begins_is_refused() {
        let early = "2026-02-01T11:59:59Z".parse().expect("a time");
        assert_eq!(refused_at(|verdict| verdict.finished_at = early), "finishedAt");
    }
}
