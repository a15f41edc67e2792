//! Signing what was checked, and checking what somebody else signed about it.

use std::path::Path;

use jiff::Timestamp;

use super::{Check, MANIFEST, Report, VERDICT, Verdict, VerifiedRun, chain, read_bundle};
use crate::digest::Sha256Digest;
use crate::manifest::dsse::{Envelope, EnvelopeError, Profile};
use crate::manifest::key::SigningKey;
use crate::manifest::statement::{Predicate, Statement, StatementError};
use crate::manifest::strict_json::{self, JsonError};
use crate::manifest::timestamp::UtcTime;
use crate::manifest::trust::Trust;
use crate::manifest::verdict::summary::VerificationSummary;
use crate::manifest::verdict::test_result::TestResult;
use crate::manifest::verdict::{CheckRecord, MAX_FINDINGS, Outcome, ReplayRecord, ReplayVerdict, VerifierRecord};
use crate::manifest::verified::verify_verdict;

/// A report on a run, to be signed by whoever made it.
#[derive(Debug)]
pub struct Audit<'a> {
    /// The run.
    pub run: &'a VerifiedRun,
    /// All that was checked of it.
    pub report: &'a Report,
    /// What was trained again.
    pub replay: Option<ReplayRecord>,
    /// When the checks began.
    pub started_at: UtcTime,
    /// When they ended.
    pub finished_at: UtcTime,
}

/// A verdict that is not signed.
#[derive(Debug, thiserror::Error)]
pub enum VerdictError {
    /// The key signed the manifest.
    #[error("the key {keyid} signed the manifest: nobody is their own verifier")]
    OwnRun {
        /// Its id.
        keyid: Sha256Digest,
    },
    /// The verdict would contradict itself.
    #[error("verdict")]
    Statement(#[from] StatementError),
    /// The verdict is too large.
    #[error("verdict")]
    Json(#[from] JsonError),
    /// The verdict is too large in its envelope.
    #[error("verdict")]
    Envelope(#[from] EnvelopeError),
}

impl VerifiedRun {
    /// Refuses a verifier's key that signed this run's manifest, before any work is done for nothing.
    ///
    /// # Errors
    /// [`VerdictError::OwnRun`].
    pub fn check_verifier(&self, key: &SigningKey) -> Result<(), VerdictError> {
        let public = key.public();
        match self.manifest.is_signed_by(&public) {
            true => Err(VerdictError::OwnRun { keyid: public.keyid() }),
            false => Ok(()),
        }
    }

    /// How many trusted verifiers signed the verdict in the run directory, at time `at`: none of them where it is refused
    /// or a bad one; `None` where there is no verdict.
    pub fn verdict_signers(&self, trust: &Trust, at: Timestamp, profile: Profile) -> Option<u32> {
        let verdict = read_bundle(&self.root, VERDICT).ok()?;
        let manifest = read_bundle(&self.root, MANIFEST).ok()?;
        let verified = verify_verdict(&verdict, &manifest, trust, at, profile).ok();
        let good = verified.filter(|verified| {
            // The manifest on disk may have been exchanged since it was verified.
            let claim = verified.verdict();
            claim.result == Outcome::Passed && claim.manifest == self.manifest.identity()
        });
        Some(good.map_or(0, |verified| verified.signers().len() as u32))
    }
}

impl Audit<'_> {
    /// The bundle of replay verdict, test result and verification summary, signed.
    ///
    /// # Errors
    /// [`VerdictError`].
    pub fn sign(self, key: &SigningKey) -> Result<Vec<u8>, VerdictError> {
        self.run.check_verifier(key)?;
        let subject = &self.run.manifest.statement().subject;
        let verdict = ReplayVerdict {
            manifest: self.run.manifest.identity(),
            run_id: self.run.claim().run.id.clone(),
            result: outcome(self.report.verdict()),
            checks: self.report.checks.iter().map(record).collect(),
            replay: self.replay,
            verifier: VerifierRecord { keyid: key.public().keyid(), version: env!("CARGO_PKG_VERSION").to_owned() },
            started_at: self.started_at,
            finished_at: self.finished_at,
        };
        fn line<P: Predicate>(statement: &Statement<P>, key: &SigningKey) -> Result<Vec<u8>, VerdictError> {
            Ok(Envelope::sign(&strict_json::to_vec(statement)?, &[key])?.to_line()?)
        }
        let lines = [
            line(&Statement::new(subject.clone(), TestResult::of(&verdict))?, key)?,
            line(&Statement::new(subject.clone(), VerificationSummary::of(&verdict))?, key)?,
        ];
        let mut bundle = line(&Statement::new(subject.clone(), verdict)?, key)?;
        lines.iter().for_each(|line| bundle.extend_from_slice(line));
        Ok(bundle)
    }
}

fn record(check: &Check) -> CheckRecord {
    let mut findings: Vec<String> = check.findings.iter().map(|finding| finding.message.clone()).collect();
    if findings.len() > MAX_FINDINGS {
        let left_out = findings.len() - (MAX_FINDINGS - 1);
        findings.truncate(MAX_FINDINGS - 1);
        findings.push(format!("and {left_out} more"));
    }
    CheckRecord { name: check.name.clone(), outcome: outcome(check.verdict), findings }
}

fn outcome(verdict: Verdict) -> Outcome {
    match verdict {
        Verdict::Passed => Outcome::Passed,
        Verdict::NotChecked => Outcome::NotChecked,
        Verdict::Failed => Outcome::Failed,
    }
}

/// Verifies the verdict in the file `verdict` on the run in `root`, at time `at`, and hashes the files that it is
/// about.
///
/// Nothing else is checked again: that somebody trusted did so is what a verdict says.
pub fn check_verdict(root: &Path, verdict: &Path, trust: &Trust, at: Timestamp, profile: Profile) -> Vec<Check> {
    let mut check = Check::new("verdict");
    let mut read = |path: &Path| {
        crate::foreign::read_named(path, 1 << 22)
            .map_err(|error| check.not_checked(format!("{}: {error}", path.display())))
            .ok()
    };
    let (signed, manifest) = (read(verdict), read(&root.join(MANIFEST)));
    let (Some(signed), Some(manifest)) = (signed, manifest) else { return vec![check] };
    let verified = match verify_verdict(&signed, &manifest, trust, at, profile) {
        Ok(verified) => verified,
        Err(error) => {
            check.fail(format!("{}: {}", verdict.display(), chain(&error)));
            return vec![check];
        }
    };
    let claim = verified.verdict();
    for made in &claim.checks {
        match made.outcome {
            Outcome::Passed => check.note(format!("{} passed", made.name)),
            Outcome::NotChecked => {
                check.not_checked(format!("{} was not checked: {}", made.name, made.findings.join("; ")))
            }
            Outcome::Failed => check.fail(format!("{} failed: {}", made.name, made.findings.join("; "))),
        }
    }
    for signer in verified.signers() {
        check.note(format!("signed by {} (keyid {}) at {}", signer.name, signer.keyid, claim.finished_at));
    }
    match &claim.replay {
        Some(replay) => check.note(format!("{} steps replayed on {}", replay.steps, replay.device.name)),
        None => check.note("the run was not replayed".into()),
    }
    check.note(format!("manifest sha256 {}", claim.manifest));
    let mut files = Check::new("files");
    files.not_checked("MERGE".into());
    vec![check, files]
}
