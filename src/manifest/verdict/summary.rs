//! SLSA Verification Summary v1: a verdict as levels that a policy engine can ask for.
//!
//! | level | the checks that passed |
//! |---|---|
//! | `SPECTRAMIND_SIGNED` | `signature`, `files`, `steps`: these files, as somebody trusted signed them |
//! | `SPECTRAMIND_INPUTS` | `config`, `git`, `data`: what went in is what was recorded |
//! | `SPECTRAMIND_LIMITS` | `envelope`: by the trainer's own figures, the limits were kept |
//! | `SPECTRAMIND_REPLAYED` | `replay`: made again, every bit of what was signed is the same |
//!
//! The levels are tracks of their own: none implies another. Only a verdict whose every check passed has any; all
//! others have the one level `FAILED`, also where something merely could not be checked.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Outcome, ReplayVerdict};
use crate::manifest::descriptor::ResourceDescriptor;
use crate::manifest::statement::{Predicate, StatementError};
use crate::manifest::timestamp::UtcTime;

/// The URI of the predicate, version 1.
pub const VERIFICATION_SUMMARY: &str = "https://slsa.dev/verification_summary/v1";

/// What was decided by: every check that was asked for has to pass.
const POLICY: &str = "urn:x-spectramind:policy:every-check-passed:v1";

/// A decision about the subjects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VerificationSummary {
    /// Who decided.
    pub verifier: Verifier,
    /// When, by the verifier's clock: self-asserted.
    pub time_verified: UtcTime,
    /// About what: the manifest, by its identity.
    pub resource_uri: String,
    /// By what policy.
    pub policy: ResourceDescriptor,
    /// On what grounds: the manifest.
    pub input_attestations: Vec<ResourceDescriptor>,
    /// The decision.
    pub verification_result: Decision,
    /// What was reached.
    pub verified_levels: Vec<Level>,
    /// Version of the SLSA specification.
    pub slsa_version: SlsaVersion,
}

/// Who decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Verifier {
    /// A URI with the id of the verifier's key: consumers accept pairs of signer and verifier.
    pub id: String,
}

/// The decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Decision {
    /// Every check that was asked for passed.
    Passed,
    /// One did not.
    Failed,
}

/// What was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Level {
    /// These files, as somebody trusted signed them.
    #[serde(rename = "SPECTRAMIND_SIGNED")]
    Signed,
    /// What went in is what was recorded.
    #[serde(rename = "SPECTRAMIND_INPUTS")]
    Inputs,
    /// By the trainer's own figures, the limits were kept.
    #[serde(rename = "SPECTRAMIND_LIMITS")]
    Limits,
    /// Trained again, every bit is the same.
    #[serde(rename = "SPECTRAMIND_REPLAYED")]
    Replayed,
    /// Not every check that was asked for passed.
    #[serde(rename = "FAILED")]
    Failed,
}

/// The one value of `slsaVersion`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SlsaVersion {
    /// 1.0.
    #[serde(rename = "1.0")]
    V1,
}

/// The checks that each level stands for.
const LEVELS: [(Level, &[&str]); 4] = [
    (Level::Signed, &["signature", "files", "steps"]),
    (Level::Inputs, &["config", "git", "data"]),
    (Level::Limits, &["envelope"]),
    (Level::Replayed, &["replay"]),
];

impl VerificationSummary {
    /// The verdict as SLSA tells it.
    pub fn of(verdict: &ReplayVerdict) -> Self {
        let passed = verdict.result == Outcome::Passed;
        let reached = LEVELS.iter().filter(|(_, checks)| verdict.outcome_of(checks) == Some(Outcome::Passed));
        Self {
            verifier: Verifier { id: format!("urn:x-spectramind:verifier:keyid:{}", verdict.verifier.keyid) },
            time_verified: verdict.finished_at,
            resource_uri: verdict.manifest_uri(),
            policy: ResourceDescriptor { uri: Some(POLICY.to_owned()), ..ResourceDescriptor::default() },
            input_attestations: vec![ResourceDescriptor::of_sha256(verdict.manifest_uri(), verdict.manifest)],
            verification_result: if passed { Decision::Passed } else { Decision::Failed },
            verified_levels: if passed { reached.map(|(level, _)| *level).collect() } else { vec![Level::Failed] },
            slsa_version: SlsaVersion::V1,
        }
    }
}

impl Predicate for VerificationSummary {
    const TYPE: &'static str = VERIFICATION_SUMMARY;

    /// Nothing: it is compared as a whole with what [`VerificationSummary::of`] makes of the verdict.
    fn check(&self) -> Result<(), StatementError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::verdict::tests::example;

    #[test]
    fn a_level_is_reached_when_all_its_checks_were_made_and_passed() {
        let mut verdict = example(Outcome::Passed);
        let levels = |verdict: &ReplayVerdict| VerificationSummary::of(verdict).verified_levels;
        assert_eq!(levels(&verdict), [Level::Signed, Level::Inputs, Level::Limits, Level::Replayed]);
        verdict.checks.retain(|check| !["replay", "git"].contains(&check.name.as_str()));
        assert_eq!(levels(&verdict), [Level::Signed, Level::Limits]);
    }

    #[test]
    fn one_check_that_did_not_pass_leaves_no_level() {
        for outcome in [Outcome::NotChecked, Outcome::Failed] {
            let mut verdict = example(Outcome::Passed);
            verdict.checks[7].outcome = outcome;
            verdict.result = outcome;
            let summary = VerificationSummary::of(&verdict);
            assert_eq!((summary.verification_result, summary.verified_levels), (Decision::Failed, vec![Level::Failed]));
        }
    }
}
