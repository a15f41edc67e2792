//! What was checked and what came of it, as data.

use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::VerifiedRun;
use crate::digest::Sha256Digest;
use crate::manifest::timestamp::UtcTime;

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

/// One thing that a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Finding {
    /// What it means for the check; `passed` for news that change nothing.
    pub verdict: Verdict,
    /// A sentence for a person.
    pub message: String,
    /// The file it is about, as the checker's working directory reaches it; `null` when it is about none in particular.
    #[serde(deserialize_with = "Option::deserialize")]
    pub file: Option<String>,
}

/// One check of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Check {
    /// What was checked.
    pub name: String,
    /// The outcome: the worst of the findings' verdicts.
    pub verdict: Verdict,
    /// Why, in the order they were found.
    pub findings: Vec<Finding>,
}

impl Check {
    /// A check that nothing speaks against yet.
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), verdict: Verdict::Passed, findings: Vec::new() }
    }

    /// Adds a finding that changes nothing.
    pub fn note(&mut self, finding: String) {
        self.find(Verdict::Passed, finding, None);
    }

    /// Adds a finding that the check failed by.
    pub fn fail(&mut self, finding: String) {
        self.find(Verdict::Failed, finding, None);
    }

    /// Adds a finding about `file` that the check failed by.
    pub fn fail_at(&mut self, file: &Path, finding: String) {
        self.find(Verdict::Failed, finding, Some(file));
    }

    /// Adds a finding that kept the check from being made; a failure stays a failure.
    pub fn not_checked(&mut self, finding: String) {
        self.find(Verdict::NotChecked, finding, None);
    }

    /// Adds a finding about `file` that kept the check from being made; a failure stays a failure.
    pub fn not_checked_at(&mut self, file: &Path, finding: String) {
        self.find(Verdict::NotChecked, finding, Some(file));
    }

    fn find(&mut self, verdict: Verdict, message: String, file: Option<&Path>) {
        self.verdict = self.verdict.max(verdict);
        self.findings.push(Finding { verdict, message, file: file.map(|file| file.display().to_string()) });
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
    /// The run that the signatures vouch for; `null` when they vouch for none.
    #[serde(deserialize_with = "Option::deserialize")]
    pub run: Option<SignedRun>,
    /// The checks, in the order they were made.
    pub checks: Vec<Check>,
    /// What no check here proves.
    pub not_proved: Vec<String>,
}

/// Which run the signatures vouch for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SignedRun {
    /// The run's id.
    pub id: String,
    /// The challenge it was made for.
    #[serde(deserialize_with = "Option::deserialize")]
    pub challenge: Option<String>,
    /// The nonce that was signed with it.
    #[serde(deserialize_with = "Option::deserialize")]
    pub nonce: Option<String>,
    /// Identity of the manifest: SHA-256 of the signed bytes.
    pub manifest: Sha256Digest,
    /// The trusted keys that signed.
    pub signers: Vec<SigningParty>,
    /// When it is said to have been made.
    pub self_asserted_times: SelfAssertedTimes,
}

/// A trusted key that signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SigningParty {
    /// Its name in the trust policy.
    pub name: String,
    /// Its id.
    pub keyid: Sha256Digest,
}

/// Times by the trainer's own clock, which may lie: no timestamp authority vouches for them. The name stands in every
/// report for that reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SelfAssertedTimes {
    /// When the run started.
    pub started_at: UtcTime,
    /// When the run ended.
    pub finished_at: UtcTime,
}

impl From<&VerifiedRun> for SignedRun {
    fn from(run: &VerifiedRun) -> Self {
        let (claim, manifest) = (run.claim(), run.manifest());
        let party = |signer: &crate::manifest::verified::Signer| SigningParty {
            name: signer.name.clone(),
            keyid: signer.keyid,
        };
        Self {
            id: claim.run.id.clone(),
            challenge: claim.run.challenge.clone(),
            nonce: claim.run.nonce.clone(),
            manifest: manifest.identity(),
            signers: manifest.signers().iter().map(party).collect(),
            self_asserted_times: SelfAssertedTimes { started_at: claim.started_at, finished_at: claim.finished_at },
        }
    }
}

/// What a passed report does not prove.
pub const NOT_PROVED: [&str; 6] = [
    "that the data are what they claim to be about",
    "that the signer was not coerced, or their key not used by somebody else",
    "that the run is the signer's own work: whoever signs a copy of another's run passes; a nonce that you handed out, or \
     a commitment that you received before the run, shows who knew of it first",
    "that the config was not picked among many that were tried: a policy can fix config keys, seed, data and the least \
     number of held-out samples, and demand a commitment made before the run",
    "the calendar time of the run: times and host figures are the trainer's own word",
    "that the limits were kept on the trainer's machine: a replay measures time only, on another machine, and neither \
     memory nor network",
];

impl Report {
    /// A report about `subject` with no checks yet.
    pub fn new(subject: String, self_check: bool) -> Self {
        let not_proved = NOT_PROVED.map(str::to_owned).to_vec();
        Self { subject, self_check, run: None, checks: Vec::new(), not_proved }
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
        check.note("by the way".into());
        assert_eq!(check.verdict, Verdict::Failed);
        report.checks = vec![Check::new("b"), check];
        assert_eq!(report.verdict(), Verdict::Failed);
    }

    #[test]
    fn a_finding_names_its_file_and_what_it_means() {
        let mut check = Check::new("files");
        check.not_checked_at(Path::new("run/a"), "missing".into());
        check.fail_at(Path::new("run/b"), "wrong".into());
        let found = check.findings.iter().map(|finding| (finding.verdict, finding.file.as_deref()));
        let expected = [(Verdict::NotChecked, Some("run/a")), (Verdict::Failed, Some("run/b"))];
        assert!(found.eq(expected), "{:?}", check.findings);
    }
}
