//! Signing what was checked, and checking what somebody else signed about it.

use std::path::Path;

use jiff::Timestamp;

use super::{Check, MANIFEST, Report, SignedRun, Unsigned, VERDICT, Verdict, VerifiedRun, chain, read_bundle};
use crate::digest::Sha256Digest;
use crate::durable::folder_of;
use crate::foreign;
use crate::manifest::dsse::{Envelope, EnvelopeError, Profile};
use crate::manifest::key::SigningKey;
use crate::manifest::statement::{Predicate, Statement, StatementError};
use crate::manifest::strict_json::{self, JsonError};
use crate::manifest::timestamp::UtcTime;
use crate::manifest::trust::{Role, Trust};
use crate::manifest::verdict::summary::VerificationSummary;
use crate::manifest::verdict::test_result::TestResult;
use crate::manifest::verdict::{CheckRecord, MAX_FINDINGS, Outcome, ReplayRecord, ReplayVerdict, VerifierRecord};
use crate::manifest::verified::{VerifiedVerdict, verify_verdict};

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

    /// What trusted verifiers signed about this manifest, at time `at`, in the verdict in the run directory.
    ///
    /// It is held against the manifest that was verified, not against what lies on disk by now.
    pub fn verifiers(&self, trust: &Trust, at: Timestamp, profile: Profile) -> Verifiers {
        if matches!(foreign::open(&self.root, VERDICT), Err(error) if error.is_missing()) {
            return Verifiers::NoVerdict;
        }
        let mut check = Check::new("verdict");
        let Some(bytes) = read_bundle(&self.root, VERDICT, &mut check) else {
            let reasons: Vec<_> = check.findings.into_iter().map(|finding| finding.message).collect();
            return Verifiers::Refused(reasons.join("; "));
        };
        match self.manifest.verify_verdict(&bytes, trust, at, profile) {
            Ok(verified) => match shortcoming(verified.verdict()) {
                None => Verifiers::Replayed(verified.signers().len() as u32),
                Some(why) => Verifiers::Refused(why),
            },
            Err(error) => Verifiers::Refused(chain(&error)),
        }
    }
}

/// What trusted verifiers signed about a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verifiers {
    /// No verdict lies with the run.
    NoVerdict,
    /// The verdict does not count, for this reason.
    Refused(String),
    /// So many trusted verifiers signed that every check passed, training again among them.
    Replayed(u32),
}

/// Why a verdict with good signatures does not count where somebody is to have trained the run again.
fn shortcoming(verdict: &ReplayVerdict) -> Option<String> {
    let bad = verdict.checks.iter().find(|check| check.outcome != Outcome::Passed);
    match (bad, verdict.outcome_of(&[REPLAY])) {
        (Some(check), _) => Some(format!("it says of the check {}: {}", check.name, word(check.outcome))),
        (None, None) => Some(NOT_REPLAYED.to_owned()),
        (None, Some(_)) => None,
    }
}

/// Name of the check that trains a run again.
const REPLAY: &str = "replay";

const NOT_REPLAYED: &str = "the verifier did not train the run again";

fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Passed => "passed",
        Outcome::NotChecked => "not checked",
        Outcome::Failed => "failed",
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

/// What came of checking a verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerdictReport {
    /// Whose run the verdict is about; none when nobody who is trusted now signed the manifest.
    pub run: Option<SignedRun>,
    /// The checks: `signature` of the manifest, `verdict`, and `files` where both signatures are good.
    pub checks: Vec<Check>,
}

/// Checks the verdict in the file `verdict`, or the one in the run directory, on the run in `root`, at time `at`: that the
/// manifest carries the signatures that `trust` asks for **now**, that a trusted verifier signed a verdict about exactly
/// it, with every check passed and the run trained again, and that the files are those that it is about and, but for
/// those that are `unsigned`, no others.
///
/// Nothing else is checked again: that somebody trusted did so is what a verdict says. The manifest is: a verifier may
/// have believed whom you do not, and a key that counted then may be revoked by now.
pub fn check_verdict(
    root: &Path,
    verdict: Option<&Path>,
    unsigned: &Unsigned,
    trust: &Trust,
    at: Timestamp,
    profile: Profile,
) -> VerdictReport {
    let (mut signature, mut check) = (Check::new("signature"), Check::new("verdict"));
    let manifest = read_bundle(root, MANIFEST, &mut signature);
    let signed = match verdict {
        None => read_bundle(root, VERDICT, &mut check),
        Some(path) => match path.file_name().and_then(|name| name.to_str()) {
            Some(name) => read_bundle(folder_of(path), name, &mut check),
            None => {
                check.not_checked_at(path, format!("{}: expected the name of a file", path.display()));
                None
            }
        },
    };
    let Some(manifest) = manifest else {
        check.not_checked("there is no manifest that it could be about".into());
        return VerdictReport { run: None, checks: vec![signature, check] };
    };
    let run = if trust.source().is_none() && !trust.names_a(Role::Trainer) {
        signature.not_checked(
            "nobody said whose key the manifest has to carry: name the trainer's with --trainer-key PUB, or trainers and \
             verifiers with --trust FILE"
                .into(),
        );
        None
    } else {
        let (judged, run) = VerifiedRun::of_bundle(root, &manifest, trust, at, profile);
        signature = judged;
        run
    };
    let mut files = None;
    if let Some(signed) = signed {
        let verified = match &run {
            Some(run) => run.manifest.verify_verdict(&signed, trust, at, profile),
            None => verify_verdict(&signed, &manifest, trust, at, profile),
        };
        match verified {
            Ok(verified) => {
                judge(&verified, &mut check);
                match &run {
                    // The subjects of the verdict are those of the manifest.
                    Some(run) => files = Some(run.check_files(unsigned)),
                    None => check.not_checked("the manifest that it is about did not pass the check signature".into()),
                }
            }
            Err(error) => {
                let path = verdict.map_or_else(|| root.join(VERDICT), Path::to_owned);
                check.fail_at(&path, format!("{}: {}", path.display(), chain(&error)));
            }
        }
    }
    VerdictReport {
        run: run.as_ref().map(SignedRun::from),
        checks: [signature, check].into_iter().chain(files).collect(),
    }
}

/// Says what a verdict says, and what it leaves out.
fn judge(verified: &VerifiedVerdict, check: &mut Check) {
    let claim = verified.verdict();
    check.note(format!("about the run {:?}, manifest sha256 {}", claim.run_id, claim.manifest));
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
        let when = claim.finished_at;
        check.note(format!("signed by {} (keyid {}) at {when} (self-asserted)", signer.name, signer.keyid));
    }
    match &claim.replay {
        Some(ReplayRecord::Training(replay)) => {
            check.note(format!("{} steps replayed on {}", replay.steps, replay.device.name));
        }
        Some(ReplayRecord::Segments(replay)) => {
            let (drawn, all, nonce) = (replay.drawn.len(), replay.segments, &replay.nonce);
            check.note(format!(
                "{drawn} of {all} segments replayed on {}, drawn with nonce {nonce}",
                replay.device.name
            ));
        }
        Some(ReplayRecord::Command(replay)) => check.note(format!("run again, with {} equal outputs", replay.outputs)),
        None => {}
    }
    if claim.outcome_of(&[REPLAY]).is_none() {
        check.not_checked(format!("replay: {NOT_REPLAYED}"));
    }
}

#[cfg(test)]
mod tests;
