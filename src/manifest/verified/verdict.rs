//! Verifying a verdict: by a verifier, about exactly this manifest, and by nobody who signed the manifest.

use jiff::Timestamp;

use super::{Signed, Signer, VerificationError, VerifiedManifest, any_is_by, once, predicate_type, statement};
use crate::digest::{Sha256Digest, sha256};
use crate::manifest::dsse::{Decoded, Envelope, Profile, bundle_envelopes};
use crate::manifest::predicate::TrainingRun;
use crate::manifest::statement::{Predicate, Statement};
use crate::manifest::trust::{Role, Trust};
use crate::manifest::verdict::ReplayVerdict;
use crate::manifest::verdict::summary::VerificationSummary;
use crate::manifest::verdict::test_result::TestResult;

/// A verdict whose signatures were verified; made by [`verify_verdict`] and nowhere else.
///
/// It may be a bad one: see its [`result`](ReplayVerdict::result).
#[derive(Debug, Clone, PartialEq)]
pub struct VerifiedVerdict {
    statement: Statement<ReplayVerdict>,
    signers: Vec<Signer>,
}

impl VerifiedVerdict {
    /// The statement; its subjects are the run's.
    pub fn statement(&self) -> &Statement<ReplayVerdict> {
        &self.statement
    }

    /// The verdict.
    pub fn verdict(&self) -> &ReplayVerdict {
        &self.statement.predicate
    }

    /// The trusted verifiers that signed and count, in the order of the policy.
    pub fn signers(&self) -> &[Signer] {
        &self.signers
    }
}

/// What a verdict is about.
#[derive(Clone, Copy)]
struct Manifest<'a> {
    payload: &'a [u8],
    signatures: &'a [Vec<u8>],
    statement: &'a Statement<TrainingRun>,
}

/// A verdict whose signatures count, if it is about the manifest that it is held against.
struct Signatures {
    statement: Statement<ReplayVerdict>,
    verdict: Signed,
    result: Option<Signed>,
    summary: Option<Signed>,
}

impl VerifiedManifest {
    /// Verifies a verdict (a `verdict.intoto.jsonl`) on this manifest as of the time `at`. Nobody who signed the manifest
    /// may sign the verdict, trusted or not.
    ///
    /// # Errors
    /// [`VerificationError`].
    pub fn verify_verdict(
        &self,
        verdict: &[u8],
        trust: &Trust,
        at: Timestamp,
        profile: Profile,
    ) -> Result<VerifiedVerdict, VerificationError> {
        let Self { statement, signed, .. } = self;
        let manifest = Manifest { payload: &signed.payload, signatures: &signed.signatures, statement };
        Signatures::verify(verdict, trust, at, profile)?.about(manifest, trust)
    }
}

/// Verifies a verdict (a `verdict.intoto.jsonl`) on the run of the bundle `manifest` as of the time `at`.
///
/// Whether the manifest itself is to be believed is **not** asked: that is [`VerifiedManifest::verify_verdict`]. But nobody
/// who signed it may sign the verdict, trusted or not.
///
/// # Errors
/// [`VerificationError`].
pub fn verify_verdict(
    verdict: &[u8],
    manifest: &[u8],
    trust: &Trust,
    at: Timestamp,
    profile: Profile,
) -> Result<VerifiedVerdict, VerificationError> {
    let signatures = Signatures::verify(verdict, trust, at, profile)?;
    let (decoded, statement) = manifest_of(manifest, profile)?;
    let manifest = Manifest { payload: &decoded.payload, signatures: &decoded.signatures, statement: &statement };
    signatures.about(manifest, trust)
}

impl Signatures {
    fn verify(bundle: &[u8], trust: &Trust, at: Timestamp, profile: Profile) -> Result<Self, VerificationError> {
        let (mut verdicts, mut result, mut summary) = (Vec::new(), None, None);
        for envelope in bundle_envelopes(bundle, profile)? {
            let signed = Signed::open(envelope, trust, Role::Verifier, at, profile)?;
            match signed.predicate_type()?.as_str() {
                TestResult::TYPE => once(&mut result, signed, TestResult::TYPE)?,
                VerificationSummary::TYPE => once(&mut summary, signed, VerificationSummary::TYPE)?,
                _ => verdicts.push((statement::<ReplayVerdict>(&signed.payload)?, signed)),
            }
        }
        match (verdicts.len(), verdicts.pop()) {
            (1, Some((statement, verdict))) => Ok(Self { statement, verdict, result, summary }),
            (got, _) => Err(VerificationError::VerdictCount { got }),
        }
    }

    fn about(self, manifest: Manifest<'_>, trust: &Trust) -> Result<VerifiedVerdict, VerificationError> {
        let Self { statement, verdict, result, summary } = self;
        let challenge = manifest.statement.predicate.run.challenge.as_deref();
        let signers = verdict.signers(challenge)?;
        check_signers(&signers, &statement.predicate, manifest, trust)?;
        check_subject(&statement, manifest)?;
        if let Some(result) = result {
            let has_its_signers = result.signers(challenge)? == signers;
            result.repeats(&statement, has_its_signers, &TestResult::of(&statement.predicate))?;
        }
        if let Some(summary) = summary {
            let has_its_signers = summary.signers(challenge)? == signers;
            summary.repeats(&statement, has_its_signers, &VerificationSummary::of(&statement.predicate))?;
        }
        Ok(VerifiedVerdict { statement, signers })
    }
}

/// The training-run envelope of a bundle, of which nothing is verified.
fn manifest_of(bundle: &[u8], profile: Profile) -> Result<(Decoded, Statement<TrainingRun>), VerificationError> {
    let mut manifests = Vec::new();
    for envelope in bundle_envelopes(bundle, profile)? {
        let decoded = Envelope::parse(envelope, profile)?.decode(profile)?;
        if predicate_type(&decoded.payload)? == TrainingRun::TYPE {
            let statement = statement(&decoded.payload)?;
            manifests.push((decoded, statement));
        }
    }
    match (manifests.len(), manifests.pop()) {
        (1, Some(manifest)) => Ok(manifest),
        (got, _) => Err(VerificationError::RunCount { got }),
    }
}

/// Refuses the verdict of anybody who signed the manifest, and one in the name of somebody who did not sign it.
fn check_signers(
    signers: &[Signer],
    verdict: &ReplayVerdict,
    manifest: Manifest<'_>,
    trust: &Trust,
) -> Result<(), VerificationError> {
    for key in trust.keys() {
        let keyid = key.public_key.keyid();
        let signed_both = signers.iter().any(|signer| signer.keyid == keyid)
            && any_is_by(&key.public_key, manifest.payload, manifest.signatures);
        if signed_both {
            return Err(VerificationError::OwnVerdict { name: key.name.clone(), keyid });
        }
    }
    let named: Sha256Digest = verdict.verifier.keyid;
    if !signers.iter().any(|signer| signer.keyid == named) {
        return Err(VerificationError::OtherVerifier { got: named });
    }
    Ok(())
}

fn check_subject(statement: &Statement<ReplayVerdict>, manifest: Manifest<'_>) -> Result<(), VerificationError> {
    let (expected, got) = (sha256(manifest.payload), statement.predicate.manifest);
    if got != expected {
        return Err(VerificationError::OtherManifest { expected, got });
    }
    let run = manifest.statement;
    let differences = [
        ("subjects", statement.subject != run.subject),
        ("run id", statement.predicate.run_id != run.predicate.run.id),
    ];
    match differences.into_iter().find(|(_, differs)| *differs) {
        Some((what, _)) => {
            Err(VerificationError::Contradiction { kind: ReplayVerdict::TYPE, of: TrainingRun::TYPE, what })
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
