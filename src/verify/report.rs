//! What was checked and what came of it, as data.

use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::VerifiedRun;
use crate::digest::{Blake3Digest, Sha256Digest};
use crate::manifest::predicate::{DataRecord, DataRole, ExitReason, MetricRecord, TrainingRun};
use crate::manifest::strict_json::{DecimalU64, ExactF64};
use crate::manifest::timestamp::UtcTime;
use crate::provenance::environment::BuiltFrom;
use crate::provenance::git::GitId;

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
    /// Whether anything was trained again here, and gave what was signed.
    pub trained_again: TrainedAgain,
    /// The checks, in the order they were made.
    pub checks: Vec<Check>,
    /// What no check here proves.
    pub not_proved: Vec<String>,
}

/// How much of the run was trained again here, and gave what was signed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum TrainedAgain {
    /// Nothing: nothing here shows that the run ever happened.
    #[default]
    Nothing,
    /// Some stretches of it.
    Part,
    /// Every step.
    Whole,
}

/// Which run the signatures vouch for, and what it says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SignedRun {
    /// The run's id.
    pub id: String,
    /// What was trained.
    pub workload: String,
    /// Why it ended.
    pub exit: ExitReason,
    /// Optimizer steps done; none of a command.
    #[serde(deserialize_with = "Option::deserialize")]
    pub steps: Option<u64>,
    /// The words of a command; none of a training.
    #[serde(deserialize_with = "Option::deserialize")]
    pub command: Option<Vec<String>>,
    /// What was measured at the end.
    pub metrics: Vec<MetricRecord>,
    /// Digest of the composed config.
    pub config: Blake3Digest,
    /// The overrides, as given.
    pub overrides: Vec<String>,
    /// The seed of every random stream; none of a command.
    #[serde(deserialize_with = "Option::deserialize")]
    pub seed: Option<DecimalU64>,
    /// The data sets.
    pub data: Vec<NamedData>,
    /// The recorded commit, where the sources were in a git repository.
    #[serde(deserialize_with = "Option::deserialize")]
    pub commit: Option<NamedCommit>,
    /// What the program that trained says it was built from.
    #[serde(deserialize_with = "Option::deserialize")]
    pub built_from: Option<BuiltFrom>,
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
    /// What it is said to have used.
    pub self_asserted_figures: SelfAssertedFigures,
}

/// A data set of the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NamedData {
    /// What the config calls it.
    pub name: String,
    /// Where it comes from.
    pub role: DataRole,
    /// Number of files.
    pub files: u64,
    /// Merkle root over path, size and content of every file.
    pub merkle_root: Blake3Digest,
}

/// The recorded commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NamedCommit {
    /// Its id.
    pub id: GitId,
    /// Whether the work tree is said to have been the commit's.
    pub clean: bool,
}

/// Figures of the trainer's machine, which nobody else measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SelfAssertedFigures {
    /// Monotonic seconds from start to end.
    pub wall_seconds: ExactF64,
    /// Most bytes of device memory.
    #[serde(deserialize_with = "Option::deserialize")]
    pub peak_device_bytes: Option<DecimalU64>,
    /// Name of the device; none of a command.
    #[serde(deserialize_with = "Option::deserialize")]
    pub device: Option<String>,
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
        let manifest = run.manifest();
        let party = |signer: &crate::manifest::verified::Signer| SigningParty {
            name: signer.name.clone(),
            keyid: signer.keyid,
        };
        Self::of(run.claim(), manifest.identity(), manifest.signers().iter().map(party).collect())
    }
}

impl SignedRun {
    /// A claim, the identity of its manifest, and who signed it.
    pub(crate) fn of(claim: &TrainingRun, manifest: Sha256Digest, signers: Vec<SigningParty>) -> Self {
        let training = claim.training();
        Self {
            id: claim.run.id.clone(),
            workload: claim.workload.clone(),
            exit: claim.exit.reason,
            steps: training.map(|training| training.steps.count),
            command: claim.command().map(|command| command.words.clone()),
            metrics: claim.metrics.clone(),
            config: claim.config.digest,
            overrides: claim.config.overrides.clone(),
            seed: training.map(|training| training.seed),
            data: claim.data.iter().map(NamedData::from).collect(),
            commit: claim.git.as_ref().map(|git| NamedCommit { id: git.commit.clone(), clean: git.clean }),
            built_from: claim.environment.built_from.clone(),
            challenge: claim.run.challenge.clone(),
            nonce: claim.run.nonce.clone(),
            manifest,
            signers,
            self_asserted_times: SelfAssertedTimes { started_at: claim.started_at, finished_at: claim.finished_at },
            self_asserted_figures: SelfAssertedFigures {
                wall_seconds: claim.envelope.figures.wall_seconds,
                peak_device_bytes: claim.envelope.figures.peak_device_bytes,
                device: training.map(|training| format!("{} ({})", training.device.name, training.device.accelerator)),
            },
        }
    }
}

impl From<&DataRecord> for NamedData {
    fn from(data: &DataRecord) -> Self {
        Self { name: data.name.clone(), role: data.role, files: data.files, merkle_root: data.merkle_root }
    }
}

/// What a passed report does not prove.
pub const NOT_PROVED: [&str; 7] = [
    "that the data are what they claim to be about",
    "that the signer was not coerced, or their key not used by somebody else",
    "that the run is the signer's own work: whoever signs a copy of another's run passes; a nonce that you handed out, or \
     a commitment that you received before the run, shows who knew of it first",
    "that the config was not picked among many that were tried: a policy can fix config keys, seed, data and the least \
     number of held-out samples, and demand a commitment made before the run",
    "that these fields of the record, which no check looks into, are true: run.id, config.composedAt, \
     config.utcOffsetSeconds, config.job, computation.training.device, computation.training.referenceSeconds, computation.training.stretches, computation.command.sandbox, environment, envelope.figures, git.branch, git.readIgnored, git.readUntracked, git.remotes, git.replaced, git.shallow, \
     git.untracked, startedAt, finishedAt",
    "the calendar time of the run: times and host figures are the trainer's own word",
    "that the limits were kept on the trainer's machine: a replay measures time only, on another machine, and neither \
     memory nor network",
];

impl Report {
    /// A report about `subject` with no checks yet.
    pub fn new(subject: String, self_check: bool) -> Self {
        let not_proved = NOT_PROVED.map(str::to_owned).to_vec();
        Self { subject, self_check, run: None, trained_again: TrainedAgain::Nothing, checks: Vec::new(), not_proved }
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
