//! in-toto test-result v0.1: a verdict as the outcome of a test suite whose tests are the checks.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Outcome, ReplayVerdict};
use crate::manifest::descriptor::ResourceDescriptor;
use crate::manifest::statement::{Predicate, StatementError};

/// The URI of the predicate, version 0.1.
pub const TEST_RESULT: &str = "https://in-toto.io/attestation/test-result/v0.1";

/// The outcome of a test suite.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TestResult {
    /// The worst outcome.
    pub result: SuiteResult,
    /// What the checks were made by: the manifest.
    pub configuration: Vec<ResourceDescriptor>,
    /// The checks that passed.
    pub passed_tests: Vec<String>,
    /// The checks that could not be made: nobody may read them as passed.
    pub warned_tests: Vec<String>,
    /// The checks that failed.
    pub failed_tests: Vec<String>,
}

/// The worst outcome of a suite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum SuiteResult {
    /// Every check passed.
    Passed,
    /// None failed, and not all could be made.
    Warned,
    /// One failed.
    Failed,
}

impl TestResult {
    /// The verdict as in-toto tells it.
    pub fn of(verdict: &ReplayVerdict) -> Self {
        let with = |outcome| {
            let checks = verdict.checks.iter().filter(|check| check.outcome == outcome);
            checks.map(|check| check.name.clone()).collect()
        };
        Self {
            result: match verdict.result {
                Outcome::Passed => SuiteResult::Passed,
                Outcome::NotChecked => SuiteResult::Warned,
                Outcome::Failed => SuiteResult::Failed,
            },
            configuration: vec![ResourceDescriptor::of_sha256(verdict.manifest_uri(), verdict.manifest)],
            passed_tests: with(Outcome::Passed),
            warned_tests: with(Outcome::NotChecked),
            failed_tests: with(Outcome::Failed),
        }
    }
}

impl Predicate for TestResult {
    const TYPE: &'static str = TEST_RESULT;

    /// Nothing: it is compared as a whole with what [`TestResult::of`] makes of the verdict.
    fn check(&self) -> Result<(), StatementError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::verdict::tests::example;

    #[test]
    fn what_was_not_checked_is_a_warning_and_no_pass() {
        let mut verdict = example(Outcome::Passed);
        assert_eq!(TestResult::of(&verdict).result, SuiteResult::Passed);
        verdict.checks[4].outcome = Outcome::NotChecked;
        verdict.result = Outcome::NotChecked;
        let result = TestResult::of(&verdict);
        assert_eq!((result.result, result.warned_tests), (SuiteResult::Warned, vec!["git".to_owned()]));
        assert_eq!((result.passed_tests.len(), result.failed_tests.len()), (7, 0));
        verdict.checks[5].outcome = Outcome::Failed;
        verdict.result = Outcome::Failed;
        let result = TestResult::of(&verdict);
        assert_eq!((result.result, result.failed_tests), (SuiteResult::Failed, vec!["data".to_owned()]));
    }
}
