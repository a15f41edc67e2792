//! The one verification routine.
//!
//! Order matters, and every step happens on what the step before let through: size and shape of the envelope, payload
//! type, signatures over the exact bytes, and only then the statement inside.

use jiff::Timestamp;
use serde::Deserialize;

use crate::digest::{Sha256Digest, sha256};

use super::dsse::{Envelope, EnvelopeError, PAYLOAD_TYPE, bundle_lines, pae};
use super::predicate::TrainingRun;
use super::statement::{Predicate, Statement, StatementError};
use super::strict_json::{self, JsonError};
use super::trust::{KeyFault, Role, Trust, TrustedKey};

/// A manifest whose signatures were verified; made by [`verify`] and nowhere else.
#[derive(Debug, Clone, PartialEq)]
pub struct VerifiedManifest {
    statement: Statement<TrainingRun>,
    identity: Sha256Digest,
    signers: Vec<Signer>,
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
    /// A bundle is about no run, or about several.
    #[error("bundle has {got} training-run statements, expected 1")]
    RunCount {
        /// Number of such statements.
        got: usize,
    },
}

/// Verifies one envelope (one line of a bundle) as of the time `at`.
///
/// `at` is the verifier's clock, or a time the verifier has from elsewhere; nothing in the envelope influences it.
///
/// # Errors
/// [`VerificationError`].
pub fn verify(envelope: &[u8], trust: &Trust, at: Timestamp) -> Result<VerifiedManifest, VerificationError> {
    let decoded = Envelope::parse(envelope)?.decode()?;
    let keys = signers(&decoded.payload, &decoded.signatures, trust, Role::Trainer, at)?;
    let statement: Statement<TrainingRun> = statement(&decoded.payload)?;
    let signers = for_challenge(keys, statement.predicate.run.challenge.as_deref(), trust.threshold(Role::Trainer))?;
    Ok(VerifiedManifest { statement, identity: sha256(&decoded.payload), signers })
}

/// Verifies a bundle (a `manifest.intoto.jsonl`) as of the time `at`: every envelope must be signed as the policy asks,
/// and exactly one must hold a training-run statement. Signed statements of other kinds are passed over.
///
/// # Errors
/// [`VerificationError`].
pub fn verify_bundle(bundle: &[u8], trust: &Trust, at: Timestamp) -> Result<VerifiedManifest, VerificationError> {
    let mut runs = Vec::new();
    for line in bundle_lines(bundle)? {
        match verify(line, trust, at) {
            Ok(run) => runs.push(run),
            Err(VerificationError::Statement(StatementError::PredicateType { .. })) => {}
            Err(error) => return Err(error),
        }
    }
    match (runs.len(), runs.pop()) {
        (1, Some(run)) => Ok(run),
        (got, _) => Err(VerificationError::RunCount { got }),
    }
}

/// Reads the training-run statement of a bundle **without verifying anything**: for listings, never for a check.
///
/// # Errors
/// [`VerificationError`], for what is no such bundle.
pub fn read_unverified(bundle: &[u8]) -> Result<Statement<TrainingRun>, VerificationError> {
    for line in bundle_lines(bundle)? {
        match statement(&Envelope::parse(line)?.decode()?.payload) {
            Err(VerificationError::Statement(StatementError::PredicateType { .. })) => {}
            read => return read,
        }
    }
    Err(VerificationError::RunCount { got: 0 })
}

impl VerifiedManifest {
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
        self.identity
    }

    /// The trusted keys that signed and count, in the order of the policy.
    pub fn signers(&self) -> &[Signer] {
        &self.signers
    }
}

/// The trusted keys that signed, each once; an error when they are fewer than the role's threshold.
fn signers<'a>(
    payload: &[u8],
    signatures: &[Vec<u8>],
    trust: &'a Trust,
    role: Role,
    at: Timestamp,
) -> Result<Vec<&'a TrustedKey>, VerificationError> {
    let message = pae(PAYLOAD_TYPE, payload);
    let (mut signers, mut refused) = (Vec::new(), Vec::new());
    // By key, not by signature: copies of one signature count once. Key ids are hints, so every pair is tried.
    for key in trust.keys() {
        if !signatures.iter().any(|signature| key.public_key.verifies(&message, signature)) {
            continue;
        }
        match key.fault(role, at) {
            None => signers.push(key),
            Some(fault) => refused.push(RefusedSigner { signer: Signer::of(key), fault }),
        }
    }
    enough(signers, refused, trust.threshold(role))
}

/// Those of the signers that may sign for the run's challenge, which is known only once the statement is parsed.
fn for_challenge(
    keys: Vec<&TrustedKey>,
    challenge: Option<&str>,
    threshold: u32,
) -> Result<Vec<Signer>, VerificationError> {
    let (mut signers, mut refused) = (Vec::new(), Vec::new());
    for key in keys {
        match key.challenge_fault(challenge) {
            None => signers.push(Signer::of(key)),
            Some(fault) => refused.push(RefusedSigner { signer: Signer::of(key), fault }),
        }
    }
    enough(signers, refused, threshold)
}

fn enough<T>(signers: Vec<T>, refused: Vec<RefusedSigner>, threshold: u32) -> Result<Vec<T>, VerificationError> {
    match signers.len() as u32 {
        counted if counted < threshold => Err(VerificationError::Signatures { threshold, counted, refused }),
        _ => Ok(signers),
    }
}

/// Parses verified bytes.
fn statement<P: Predicate>(payload: &[u8]) -> Result<Statement<P>, VerificationError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Header {
        predicate_type: String,
    }
    // First, so that another kind of claim is called that, and not a claim with wrong fields.
    let header: Header = strict_json::from_slice(payload)?;
    if header.predicate_type != P::TYPE {
        return Err(StatementError::PredicateType { expected: P::TYPE, got: header.predicate_type }.into());
    }
    let statement: Statement<P> = strict_json::from_slice(payload)?;
    statement.check()?;
    Ok(statement)
}

fn refusals(refused: &[RefusedSigner]) -> String {
    refused.iter().map(|one| format!("; the key of {:?} does not count: {}", one.signer.name, one.fault)).collect()
}

#[cfg(test)]
mod tests;
