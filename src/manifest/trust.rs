//! Whom to believe: the keys whose signatures count, for what, and when.
//!
//! [`Trust`] is the checked value that verification asks. There are two ways to one: a single key that the verifier
//! names, or a [`TrustDocument`] that an organisation hands out, signed by its root keys ([`Trust::accept`]). The file
//! format is in [`document`]; what a verifier remembers against rollback is in [`state`]. Roots, versions and rotation
//! follow The Update Framework (sections 5.3 and 6.1), reduced to one file.
//!
//! The document fixes each key's scheme by its type (Ed25519, nothing else); an envelope has no say in it.

pub mod document;
pub mod state;

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use jiff::Timestamp;

use crate::digest::{Sha256Digest, sha256};

use super::dsse::{Decoded, Envelope, EnvelopeError, Profile, pae};
use super::key::{PublicKey, SigningKey};
use super::strict_json;
use super::timestamp::UtcTime;

pub use self::document::{Role, Root, RootSet, Thresholds, TrustDocument, TrustError, TrustedKey};
pub use self::state::TrustState;

/// The payload type of signed trust documents: no statement's signature can pass for one, nor the reverse.
pub const TRUST_PAYLOAD_TYPE: &str = "application/vnd.spectramind.trust.v1+json";

/// Whom to believe. Made from a key that the verifier names, or by [`accept`](Self::accept), and nowhere else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trust {
    keys: Vec<TrustedKey>,
    thresholds: Thresholds,
    source: Option<TrustSource>,
}

/// Which root must vouch for a trust document, and what is to be believed of it later.
///
/// Looking once at somebody's document must not make them an authority for good: whoever is talked into naming a root
/// for one audit would believe its every document from then on, and not see it.
#[derive(Debug, Clone, Copy)]
pub enum NamedRoot<'a> {
    /// The holder of this key, for this document only. Its newest version is remembered all the same, against rollback.
    Once(&'a PublicKey),
    /// The holder of this key, and later documents of theirs, too, when no root is named for them.
    Believed(&'a PublicKey),
    /// None was named: one that was remembered as believed must have signed.
    Remembered,
}

impl<'a> NamedRoot<'a> {
    fn key(self) -> Option<&'a PublicKey> {
        match self {
            Self::Once(key) | Self::Believed(key) => Some(key),
            Self::Remembered => None,
        }
    }
}

/// Why the root of a trust document was believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RootOrigin {
    /// It was named with the document.
    Named,
    /// It was named earlier, with the words that it is to be believed from then on.
    Remembered,
}

/// Which trust document was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrustSource {
    /// Id of the root key that was pinned first: whose document it is.
    pub anchor: Sha256Digest,
    /// Why that root was believed.
    pub root: RootOrigin,
    /// Its version.
    pub version: u64,
    /// SHA-256 of the signed bytes.
    pub sha256: Sha256Digest,
}

/// Why a trusted key's valid signature does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    /// The key is trusted for something else.
    #[error("its role is {}, expected {}", got.name(), expected.name())]
    Role {
        /// The role asked for.
        expected: Role,
        /// The role it has.
        got: Role,
    },
    /// Too early.
    #[error("it is not valid before {0}")]
    NotYetValid(UtcTime),
    /// Too late.
    #[error("it expired at {0}")]
    Expired(UtcTime),
    /// Withdrawn.
    #[error("it was revoked at {0}")]
    Revoked(UtcTime),
    /// The run is of a challenge that the key is not for, or of none.
    #[error("it may sign for runs of the challenge {}, got {}", challenges(.expected), challenge(.got.as_deref()))]
    Challenge {
        /// The challenges it may sign for.
        expected: Vec<String>,
        /// The run's.
        got: Option<String>,
    },
}

impl Trust {
    /// Trusts one key as a trainer, at any time.
    pub fn single(key: PublicKey) -> Self {
        Self::of_key(key, Role::Trainer)
    }

    /// Trusts one key for one role, at any time.
    pub fn of_key(key: PublicKey, role: Role) -> Self {
        let key = TrustedKey::new("the given key".to_owned(), key, role);
        Self { keys: vec![key], thresholds: Thresholds::default(), source: None }
    }

    /// Trusts one key as a verifier and another as a trainer, at any time.
    pub fn of_verifier_and_trainer(verifier: PublicKey, trainer: PublicKey) -> Self {
        let mut trust = Self::of_key(verifier, Role::Verifier);
        trust.keys.push(TrustedKey::new("the given trainer's key".to_owned(), trainer, Role::Trainer));
        trust
    }

    /// Accepts a signed trust document as of the time `at`, and remembers it in `state`.
    ///
    /// The document must be signed by the threshold of the root keys that are pinned, and by that of the root keys it
    /// lists itself; it must not be older than the newest one seen of that root, nor another one of the same version,
    /// nor expired. Pinned are the root keys of the newest document seen for `root`; the first time, `root` alone.
    /// Without a named root it is one of the *believed* roots in `state` that must have signed; what is remembered of
    /// the others keeps their older versions out, and nothing more.
    ///
    /// # Errors
    /// [`TrustError`]; `state` is then as it was.
    pub fn accept(
        envelope: &[u8],
        root: NamedRoot<'_>,
        state: &mut TrustState,
        at: Timestamp,
    ) -> Result<Self, TrustError> {
        let Authentic { document, source } = authenticate(envelope, root.key(), state)?;
        if let Some(expires_at) = document.expires_at.filter(|last| UtcTime(at) > *last) {
            return Err(TrustError::Expired { expires_at });
        }
        state.remember(source, document.root, matches!(root, NamedRoot::Believed(_)));
        Ok(Self { keys: document.keys, thresholds: document.thresholds, source: Some(source) })
    }

    /// Trusts the keys, for tests of what verification does with them.
    #[cfg(test)]
    pub(crate) fn of_keys(keys: Vec<TrustedKey>, thresholds: Thresholds) -> Self {
        Self { keys, thresholds, source: None }
    }

    /// The trusted keys, of both roles, each once.
    pub fn keys(&self) -> &[TrustedKey] {
        &self.keys
    }

    /// Whether there is a key of that role, whatever came of it since.
    pub fn names_a(&self, role: Role) -> bool {
        self.keys.iter().any(|key| key.role == role)
    }

    /// How many keys of the role have to sign; at least 1.
    pub fn threshold(&self, role: Role) -> u32 {
        self.thresholds.of(role)
    }

    /// The document it comes from; none when it is a single key.
    pub fn source(&self) -> Option<TrustSource> {
        self.source
    }
}

impl TrustDocument {
    /// Reads a signed document in order to change it: all that [`Trust::accept`] checks, but an expired one is read too,
    /// or nobody could renew it.
    ///
    /// # Errors
    /// [`TrustError`].
    pub fn reopen(envelope: &[u8], root: &PublicKey, state: &TrustState) -> Result<Self, TrustError> {
        authenticate(envelope, Some(root), state).map(|authentic| authentic.document)
    }

    /// Reads a signed document **without verifying anything**: for listings, never for a check.
    ///
    /// # Errors
    /// [`TrustError`], for what is no such document.
    pub fn read_unverified(envelope: &[u8]) -> Result<Self, TrustError> {
        Self::parse(&decoded(envelope)?.payload)
    }

    /// Signs the document with every key given.
    ///
    /// # Errors
    /// [`TrustError`]: nothing is signed that would be refused for what it says, or for too few of its root keys.
    pub fn sign(&self, keys: &[&SigningKey]) -> Result<Envelope, TrustError> {
        self.check()?;
        let given: Vec<_> = keys.iter().map(|key| key.public()).collect();
        self.root.require(RootSet::Listed, |key| given.contains(key))?;
        Ok(Envelope::sign_as(TRUST_PAYLOAD_TYPE, &strict_json::to_vec(self)?, keys)?)
    }
}

/// The one spelling of a trust document: a single line, exactly as [`TrustDocument::sign`] has it written.
fn decoded(file: &[u8]) -> Result<Decoded, EnvelopeError> {
    let envelope = file.strip_suffix(b"\n").unwrap_or(file);
    Envelope::parse_as(TRUST_PAYLOAD_TYPE, envelope, Profile::Strict)?.decode(Profile::Strict)
}

impl TrustedKey {
    /// Why this key does not count for `role` at the time `at`, if it does not.
    ///
    /// The time is the verifier's: what a signer says about the time of a signature is worth nothing here.
    pub fn fault(&self, role: Role, at: Timestamp) -> Option<KeyFault> {
        let at = UtcTime(at);
        if self.role != role {
            return Some(KeyFault::Role { expected: role, got: self.role });
        }
        let revoked = self.revoked_at.filter(|revoked| at >= *revoked).map(KeyFault::Revoked);
        let early = self.not_before.filter(|first| at < *first).map(KeyFault::NotYetValid);
        let late = self.not_after.filter(|last| at > *last).map(KeyFault::Expired);
        revoked.or(early).or(late)
    }

    /// Why this key does not count for a run of that challenge, if it does not.
    pub fn challenge_fault(&self, challenge: Option<&str>) -> Option<KeyFault> {
        let expected = self.challenges.as_ref()?;
        let allowed = challenge.is_some_and(|got| expected.iter().any(|expected| expected == got));
        let fault = || KeyFault::Challenge { expected: expected.clone(), got: challenge.map(str::to_owned) };
        (!allowed).then(fault)
    }
}

/// Reads the bytes of a trust document's file, no more than [`Trust::accept`] needs to refuse a file that is too large.
///
/// # Errors
/// Whatever opening or reading fails with.
pub fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(strict_json::MAX_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A document that its root vouches for.
struct Authentic {
    document: TrustDocument,
    source: TrustSource,
}

/// Checks signatures, content and version, in this order: what nobody vouches for is not parsed.
fn authenticate(envelope: &[u8], root: Option<&PublicKey>, state: &TrustState) -> Result<Authentic, TrustError> {
    let decoded = decoded(envelope)?;
    let message = pae(TRUST_PAYLOAD_TYPE, &decoded.payload);
    // Asked by key, not by signature: copies of one signature count once.
    let has_signed = |key: &PublicKey| decoded.signatures.iter().any(|signature| key.verifies(&message, signature));
    let known = match root {
        Some(root) => state.of(root),
        None => Some(state.believed_signed_by(&has_signed).ok_or(TrustError::UnknownRoot)?),
    };
    // Somebody may list another's root key beside their own, and sign with their own: where the named key is not the
    // one that its entry was pinned by, it has to have signed itself.
    if let Some(root) = root.filter(|root| known.is_none_or(|known| known.anchor != root.keyid())) {
        Root { keys: vec![*root], threshold: 1 }.require(RootSet::Pinned, has_signed)?;
    }
    let anchor = match (known, root) {
        (Some(known), _) => {
            known.root.require(RootSet::Pinned, has_signed)?;
            known.anchor
        }
        (None, Some(root)) => root.keyid(),
        (None, None) => return Err(TrustError::UnknownRoot),
    };
    let document = TrustDocument::parse(&decoded.payload)?;
    document.root.require(RootSet::Listed, has_signed)?;
    let origin = if root.is_some() { RootOrigin::Named } else { RootOrigin::Remembered };
    let source = TrustSource { anchor, root: origin, version: document.version, sha256: sha256(&decoded.payload) };
    if let Some(known) = known {
        known.check_version(&source)?;
    }
    Ok(Authentic { document, source })
}

fn challenges(expected: &[String]) -> String {
    let quoted: Vec<_> = expected.iter().map(|challenge| format!("{challenge:?}")).collect();
    quoted.join(" or ")
}

fn challenge(got: Option<&str>) -> String {
    got.map_or_else(|| "one of none".to_owned(), |got| format!("one of {got:?}"))
}

#[cfg(test)]
mod tests;
