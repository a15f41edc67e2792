//! What was checked and what came of it, as data.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Outcome of one check, from best to worst news.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// All that was asked holds.
    Passed,
    /// Something it needs is not there.
    NotChecked,
    /// Something does not hold.
    Failed,
}

/// One check of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Check {
    /// What was checked.
    pub name: String,
    /// The outcome.
    pub verdict: Verdict,
    /// Why, in sentences for a person; the first bad news first.
    pub findings: Vec<String>,
}

impl Check {
    /// A check that nothing speaks against yet.
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), verdict: Verdict::Passed, findings: Vec::new() }
    }

    /// Adds a finding that changes nothing.
    pub fn note(&mut self, finding: String) {
        self.findings.push(finding);
    }

    /// Adds a finding that the check failed by.
    pub fn fail(&mut self, finding: String) {
        self.verdict = Verdict::Failed;
        self.findings.push(finding);
    }

    /// Adds a finding that kept the check from being made; a failure stays a failure.
    pub fn not_checked(&mut self, finding: String) {
        self.verdict = self.verdict.max(Verdict::NotChecked);
        self.findings.push(finding);
    }
}

/// All that was checked of one run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Report {
    /// What was checked: a run directory, or a golden case.
    pub subject: String,
    /// Whether the key believed is the checker's own: nobody else vouches for the run then.
    pub self_check: bool,
    /// The checks, in the order they were made.
    pub checks: Vec<Check>,
    /// What no check here proves.
    pub not_proved: Vec<String>,
}

/// What a passed report does not prove.
pub const NOT_PROVED: [&str; 4] = [
    "that the data are what they claim to be about",
    "that the signer was not coerced, or their key not used by somebody else",
    "the calendar time of the run: times and host figures are the trainer's own word",
    "that the limits were kept on the trainer's machine: a replay measures them again on yours",
];

impl Report {
    /// A report about `subject` with no checks yet.
    pub fn new(subject: String, self_check: bool) -> Self {
        Self { subject, self_check, checks: Vec::new(), not_proved: NOT_PROVED.map(str::to_owned).to_vec() }
    }

    /// The worst verdict; of no check at all, `NotChecked`.
    pub fn verdict(&self) -> Verdict {
        self.checks.iter().map(|check| check.verdict).max().unwrap_or(Verdict::NotChecked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_outweighs_what_was_not_checked_and_nothing_checked_is_no_pass() {
        let mut report = Report::new("run".into(), false);
        assert_eq!(report.verdict(), Verdict::NotChecked);
        let mut check = Check::new("a");
        check.fail("wrong".into());
        check.not_checked("missing".into());
        assert_eq!(check.verdict, Verdict::Failed);
        report.checks = vec![Check::new("b"), check];
        assert_eq!(report.verdict(), Verdict::Failed);
    }
}
