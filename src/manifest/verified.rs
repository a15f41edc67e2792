//! The one verification routine.
//!
//! Order matters, and every step happens on what the step before let through: size and shape of the envelope, payload
//! type, signatures over the exact bytes, and only then the statement inside. The [`Profile`] says how an envelope
//! may be spelled; it changes nothing about who is believed, nor about how the payload is read.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Deserialize;

use crate::digest::{Sha256Digest, sha256};
use crate::failure::Advice;

use super::dsse::{Envelope, EnvelopeError, PAYLOAD_TYPE, Profile, bundle_envelopes, pae};
use super::key::PublicKey;
use super::predicate::TrainingRun;
use super::slsa::Provenance;
use super::statement::{Predicate, Statement, StatementError};
use super::strict_json::{self, JsonError};
use super::trust::{KeyFault, Role, Trust, TrustedKey};
use super::verdict::ReplayVerdict;

pub use self::commitment::{VerifiedCommitment, verify_commitment};
pub use self::verdict::{VerifiedVerdict, verify_verdict};

mod commitment;
mod verdict;

#[cfg(test)]
pub(crate) use self::commitment::tests as tests_of_commitment;

/// A manifest whose signatures were verified; made by [`verify`] and [`verify_bundle`] and nowhere else.
#[derive(Debug, Clone, PartialEq)]
pub struct VerifiedManifest {
    statement: Statement<TrainingRun>,
    signed: Signed,
    signers: Vec<Signer>,
}

/// A payload that enough trusted keys of a role signed; made by [`Signed::open`] and nowhere else.
#[derive(Debug, Clone, PartialEq)]
struct Signed {
    payload: Vec<u8>,
    /// Every signature of the envelope, also of keys that nobody here knows.
    signatures: Vec<Vec<u8>>,
    /// The trusted keys that signed, in the order of the policy.
    keys: Vec<TrustedKey>,
    /// How many of them it takes.
    threshold: u32,
}

/// A trusted key that signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signer {
    /// Its name in the trust policy.
    pub name: String,
    /// Its id.
    pub keyid: Sha256Digest,
}

impl Signer {
    fn of(key: &TrustedKey) -> Self {
        Self { name: key.name.clone(), keyid: key.public_key.keyid() }
    }
}

/// A valid signature by a key that does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedSigner {
    /// The key.
    pub signer: Signer,
    /// Why it does not count.
    pub fault: KeyFault,
}

/// A manifest that is not to be believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VerificationError {
    /// The envelope is refused.
    #[error("refused envelope")]
    Envelope(#[from] EnvelopeError),
    /// Too few trusted keys signed these bytes.
    #[error("signed by {counted} trusted keys, expected {threshold}{}", refusals(.refused))]
    Signatures {
        /// How many keys have to sign.
        threshold: u32,
        /// How many trusted keys did, each counted once.
        counted: u32,
        /// Trusted keys that signed and do not count.
        refused: Vec<RefusedSigner>,
    },
    /// The signed bytes are not such a document.
    #[error("signed payload")]
    Payload(#[from] JsonError),
    /// The signed statement is refused.
    #[error("signed statement")]
    Statement(#[from] StatementError),
    /// A signature that the strict profile has no room for: by an unknown key, under another key id, or a copy.
    #[error("signature {index}: expected one by a trusted key, once and under its own key id, got key id {keyid:?}")]
    UnknownSignature {
        /// Counted from 0.
        index: usize,
        /// The key id it states.
        keyid: String,
    },
    /// A bundle is about no run, or about several.
    #[error("bundle has {got} training-run statements, expected 1")]
    RunCount {
        /// Number of such statements.
        got: usize,
    },
    /// A bundle holds no statement of the kind that is looked for.
    #[error("bundle has no {expected} statement")]
    NoStatement {
        /// The URI of its kind.
        expected: &'static str,
    },
    /// A statement that repeats another is not what follows from that one, has other subjects or other signers.
    #[error("the {kind} statement contradicts the {of} statement in its {what}")]
    Contradiction {
        /// The URI of the one that repeats.
        kind: &'static str,
        /// The URI of the one that is repeated.
        of: &'static str,
        /// What differs.
        what: &'static str,
    },
    /// A statement of which there is at most one occurs twice.
    #[error("bundle has two {kind} statements")]
    Repeated {
        /// The URI of its kind.
        kind: &'static str,
    },
    /// A bundle holds no verdict, or several.
    #[error("bundle has {got} replay verdicts, expected 1")]
    VerdictCount {
        /// Number of such statements.
        got: usize,
    },
    /// A commitment's file holds none, or several.
    #[error("{got} envelopes, expected one with a config commitment")]
    CommitmentCount {
        /// Number of envelopes.
        got: usize,
    },
    /// A verdict is about another manifest.
    #[error("verdict on the manifest {got}, expected {expected}")]
    OtherManifest {
        /// The identity of the manifest at hand.
        expected: Sha256Digest,
        /// The identity that the verdict names.
        got: Sha256Digest,
    },
    /// A verdict is by somebody who signed the manifest.
    #[error("verdict signed by {name:?} (keyid {keyid}), who signed the manifest: nobody is their own verifier")]
    OwnVerdict {
        /// The name of the key in the trust policy.
        name: String,
        /// Its id.
        keyid: Sha256Digest,
    },
    /// A verdict names another verifier than signed it.
    #[error("verdict of the verifier {got}, who did not sign it")]
    OtherVerifier {
        /// The key id that the verdict names.
        got: Sha256Digest,
    },
}

impl Advice for VerificationError {}

/// Verifies one envelope with a training-run statement as of the time `at`.
///
/// `at` is the verifier's clock, or a time the verifier has from elsewhere; nothing in the envelope influences it.
///
/// # Errors
/// [`VerificationError`].
pub fn verify(
    envelope: &[u8],
    trust: &Trust,
    at: Timestamp,
    profile: Profile,
) -> Result<VerifiedManifest, VerificationError> {
    VerifiedManifest::of(Signed::open(envelope, trust, Role::Trainer, at, profile)?)
}

/// Verifies a bundle (a `manifest.intoto.jsonl`) as of the time `at`: every envelope must be signed as the policy
/// asks, exactly one must hold a training-run statement, and what else there may be is that run told as SLSA
/// Provenance, about the same subjects and by the same signers. Statements of any other kind are refused.
///
/// # Errors
/// [`VerificationError`].
pub fn verify_bundle(
    bundle: &[u8],
    trust: &Trust,
    at: Timestamp,
    profile: Profile,
) -> Result<VerifiedManifest, VerificationError> {
    let (mut runs, mut provenance) = (Vec::new(), None);
    for envelope in bundle_envelopes(bundle, profile)? {
        let signed = Signed::open(envelope, trust, Role::Trainer, at, profile)?;
        match signed.predicate_type()?.as_str() {
            Provenance::TYPE => once(&mut provenance, signed, Provenance::TYPE)?,
            _ => runs.push(VerifiedManifest::of(signed)?),
        }
    }
    let run = match (runs.len(), runs.pop()) {
        (1, Some(run)) => run,
        (got, _) => return Err(VerificationError::RunCount { got }),
    };
    if let Some(provenance) = provenance {
        let signers = provenance.signers(run.challenge())?;
        provenance.repeats(&run.statement, signers == run.signers, &Provenance::of(run.predicate()))?;
    }
    Ok(run)
}

/// Reads the training-run statement of a bundle **without verifying anything**: for listings, never for a check.
///
/// # Errors
/// [`VerificationError`], for what is no such bundle.
pub fn read_unverified(bundle: &[u8]) -> Result<Statement<TrainingRun>, VerificationError> {
    unverified(bundle).map(|(statement, _)| statement)
}

/// Reads the verdict of a bundle **without verifying anything**: for reports that say so.
///
/// # Errors
/// [`VerificationError`], for what is no such bundle.
pub fn read_unverified_verdict(bundle: &[u8]) -> Result<ReplayVerdict, VerificationError> {
    unverified(bundle).map(|(statement, _)| statement.predicate)
}

/// The first statement of a kind, and the SHA-256 of its payload.
pub(super) fn unverified<P: Predicate>(bundle: &[u8]) -> Result<(Statement<P>, Sha256Digest), VerificationError> {
    // Nothing is believed here, so the spelling does not matter.
    for envelope in bundle_envelopes(bundle, Profile::Tolerant)? {
        let decoded = Envelope::parse(envelope, Profile::Tolerant)?.decode(Profile::Tolerant)?;
        match statement(&decoded.payload) {
            Err(VerificationError::Statement(StatementError::PredicateType { .. })) => {}
            read => return read.map(|statement| (statement, sha256(&decoded.payload))),
        }
    }
    Err(VerificationError::NoStatement { expected: P::TYPE })
}

impl VerifiedManifest {
    fn of(signed: Signed) -> Result<Self, VerificationError> {
        let statement: Statement<TrainingRun> = statement(&signed.payload)?;
        let signers = signed.signers(statement.predicate.run.challenge.as_deref())?;
        Ok(Self { statement, signed, signers })
    }

    fn challenge(&self) -> Option<&str> {
        self.predicate().run.challenge.as_deref()
    }

    /// The statement.
    pub fn statement(&self) -> &Statement<TrainingRun> {
        &self.statement
    }

    /// The claim.
    pub fn predicate(&self) -> &TrainingRun {
        &self.statement.predicate
    }

    /// The identity of the manifest: SHA-256 of the payload, whatever the envelope around it looks like.
    pub fn identity(&self) -> Sha256Digest {
        sha256(&self.signed.payload)
    }

    /// The trusted keys that signed and count, in the order of the policy.
    pub fn signers(&self) -> &[Signer] {
        &self.signers
    }

    /// Whether any signature of the manifest is this key's, whoever trusts it.
    pub fn is_signed_by(&self, key: &PublicKey) -> bool {
        any_is_by(key, &self.signed.payload, &self.signed.signatures)
    }
}

impl Signed {
    /// Decodes an envelope and counts the trusted keys that signed it.
    fn open(
        envelope: &[u8],
        trust: &Trust,
        role: Role,
        at: Timestamp,
        profile: Profile,
    ) -> Result<Self, VerificationError> {
        let envelope = Envelope::parse(envelope, profile)?;
        let decoded = envelope.decode(profile)?;
        let keys = keys(&decoded.payload, &decoded.signatures, trust, role, at)?;
        if profile == Profile::Strict {
            refuse_unknown_signatures(&envelope, &decoded.payload, &decoded.signatures, trust)?;
        }
        let threshold = trust.threshold(role);
        Ok(Self { payload: decoded.payload, signatures: decoded.signatures, keys, threshold })
    }

    fn predicate_type(&self) -> Result<String, VerificationError> {
        predicate_type(&self.payload)
    }

    /// Those of the keys that may sign for the run's challenge, which is known only once the statement is parsed.
    fn signers(&self, challenge: Option<&str>) -> Result<Vec<Signer>, VerificationError> {
        let (mut signers, mut refused) = (Vec::new(), Vec::new());
        for key in &self.keys {
            match key.challenge_fault(challenge) {
                None => signers.push(Signer::of(key)),
                Some(fault) => refused.push(RefusedSigner { signer: Signer::of(key), fault }),
            }
        }
        enough(signers, refused, self.threshold)
    }

    /// Checks that this is a statement about the same subjects as `of`, by the same signers, and says `expected`.
    fn repeats<P: Predicate, Q: Predicate + PartialEq>(
        &self,
        of: &Statement<P>,
        has_its_signers: bool,
        expected: &Q,
    ) -> Result<(), VerificationError> {
        let Statement { subject, predicate, .. } = statement::<Q>(&self.payload)?;
        let differences =
            [("subjects", subject != of.subject), ("signers", !has_its_signers), ("predicate", predicate != *expected)];
        match differences.into_iter().find(|(_, differs)| *differs) {
            Some((what, _)) => Err(VerificationError::Contradiction { kind: Q::TYPE, of: P::TYPE, what }),
            None => Ok(()),
        }
    }
}

/// Keeps the one statement of its kind.
fn once(place: &mut Option<Signed>, signed: Signed, kind: &'static str) -> Result<(), VerificationError> {
    match place.replace(signed) {
        Some(_) => Err(VerificationError::Repeated { kind }),
        None => Ok(()),
    }
}

fn any_is_by(key: &PublicKey, payload: &[u8], signatures: &[Vec<u8>]) -> bool {
    let message = pae(PAYLOAD_TYPE, payload);
    signatures.iter().any(|signature| key.verifies(&message, signature))
}

/// In the strict profile nothing may stand in an envelope that nobody vouches for: a signature of an unknown key, or a
/// key id that is not its signer's, could be changed without anybody noticing.
fn refuse_unknown_signatures(
    envelope: &Envelope,
    payload: &[u8],
    signatures: &[Vec<u8>],
    trust: &Trust,
) -> Result<(), VerificationError> {
    let message = pae(PAYLOAD_TYPE, payload);
    let mut seen = BTreeSet::new();
    for (index, (stated, signature)) in envelope.signatures.iter().zip(signatures).enumerate() {
        let mut keys = trust.keys().iter().map(|key| &key.public_key);
        let is_own = |key: &PublicKey| key.keyid().to_string() == stated.keyid && key.verifies(&message, signature);
        if !keys.any(is_own) || !seen.insert(stated.keyid.as_str()) {
            return Err(VerificationError::UnknownSignature { index, keyid: stated.keyid.clone() });
        }
    }
    Ok(())
}

/// The trusted keys that signed, each once; an error when they are fewer than the role's threshold.
fn keys(
    payload: &[u8],
    signatures: &[Vec<u8>],
    trust: &Trust,
    role: Role,
    at: Timestamp,
) -> Result<Vec<TrustedKey>, VerificationError> {
    let message = pae(PAYLOAD_TYPE, payload);
    let (mut keys, mut refused) = (Vec::new(), Vec::new());
    // By key, not by signature: copies of one signature count once. Key ids are hints, so every pair is tried.
    for key in trust.keys() {
        if !signatures.iter().any(|signature| key.public_key.verifies(&message, signature)) {
            continue;
        }
        match key.fault(role, at) {
            None => keys.push(key.clone()),
            Some(fault) => refused.push(RefusedSigner { signer: Signer::of(key), fault }),
        }
    }
    enough(keys, refused, trust.threshold(role))
}

fn enough<T>(signers: Vec<T>, refused: Vec<RefusedSigner>, threshold: u32) -> Result<Vec<T>, VerificationError> {
    match signers.len() as u32 {
        counted if counted < threshold => Err(VerificationError::Signatures { threshold, counted, refused }),
        _ => Ok(signers),
    }
}

/// Parses verified bytes.
fn statement<P: Predicate>(payload: &[u8]) -> Result<Statement<P>, VerificationError> {
    // First, so that another kind of claim is called that, and not a claim with wrong fields.
    let got = predicate_type(payload)?;
    if got != P::TYPE {
        return Err(StatementError::PredicateType { expected: P::TYPE, got }.into());
    }
    let statement: Statement<P> = strict_json::from_slice(payload)?;
    statement.check()?;
    Ok(statement)
}

/// What kind of claim verified bytes make.
fn predicate_type(payload: &[u8]) -> Result<String, VerificationError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Header {
        predicate_type: String,
    }
    Ok(strict_json::from_slice::<Header>(payload)?.predicate_type)
}

fn refusals(refused: &[RefusedSigner]) -> String {
    refused.iter().map(|one| format!("; the key of {:?} does not count: {}", one.signer.name, one.fault)).collect()
}

#[cfg(test)]
mod bits;
#[cfg(test)]
mod tests;
