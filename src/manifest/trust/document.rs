//! The trust document: what an organisation hands out to say whose signatures count.
//!
//! It lies in `trust.json` as the payload of a DSSE envelope of the type [`super::TRUST_PAYLOAD_TYPE`], signed by the
//! organisation's root keys. Each change makes the next version.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::digest::Sha256Digest;
use crate::failure::Advice;
use crate::manifest::dsse::{EnvelopeError, MAX_SIGNATURES};
use crate::manifest::key::PublicKey;
use crate::manifest::strict_json::{self, JsonError, MAX_INTEGER};
use crate::manifest::timestamp::UtcTime;

/// Most trusted keys: every signature is tried with every key.
pub const MAX_KEYS: usize = 64;

/// Most root keys: the signatures of all must fit into one envelope.
pub const MAX_ROOT_KEYS: usize = MAX_SIGNATURES;

/// Most challenges of a key.
pub const MAX_CHALLENGES: usize = 64;

/// Most characters of a name or a challenge's id.
pub const MAX_NAME_CHARACTERS: usize = 128;

/// Whom an organisation trusts for what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TrustDocument {
    /// Grows by one with every change; an older version than one seen is refused.
    #[schemars(range(min = 1, max = MAX_INTEGER))]
    pub version: u64,
    /// When it was signed, by the signer's own clock: no check uses it.
    pub issued_at: UtcTime,
    /// Last moment at which it is accepted: bounds how long an old version can be served to somebody new.
    #[serde(deserialize_with = "Option::deserialize")]
    pub expires_at: Option<UtcTime>,
    /// The trusted keys, at most [`MAX_KEYS`]; without any, nobody is trusted yet.
    #[schemars(length(max = MAX_KEYS))]
    pub keys: Vec<TrustedKey>,
    /// How many keys of each role have to sign.
    pub thresholds: Thresholds,
    /// Who may sign the next version of this document.
    pub root: Root,
}

/// One trusted key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TrustedKey {
    /// Whose key it is, for people.
    #[schemars(length(min = 1, max = MAX_NAME_CHARACTERS))]
    pub name: String,
    /// The key.
    pub public_key: PublicKey,
    /// What it may sign.
    pub role: Role,
    /// First moment at which it counts.
    #[serde(deserialize_with = "Option::deserialize")]
    pub not_before: Option<UtcTime>,
    /// Last moment at which it counts.
    #[serde(deserialize_with = "Option::deserialize")]
    pub not_after: Option<UtcTime>,
    /// Moment from which on it no longer counts.
    #[serde(deserialize_with = "Option::deserialize")]
    pub revoked_at: Option<UtcTime>,
    /// Ids of the challenges whose runs it may sign; null: any run. Never empty: that could be read either way.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schemars(length(min = 1, max = MAX_CHALLENGES))]
    pub challenges: Option<Vec<String>>,
}

/// What a key may sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Role {
    /// Claims about a training run.
    Trainer,
    /// Verdicts about somebody else's run.
    Verifier,
}

impl Role {
    /// As it is written in the document.
    pub fn name(self) -> &'static str {
        match self {
            Self::Trainer => "trainer",
            Self::Verifier => "verifier",
        }
    }
}

/// How many keys of each role have to sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Thresholds {
    /// Of the trainers; at least 1.
    #[schemars(range(min = 1, max = MAX_KEYS))]
    pub trainer: u32,
    /// Of the verifiers; at least 1.
    #[schemars(range(min = 1, max = MAX_KEYS))]
    pub verifier: u32,
}

/// The keys that vouch for a trust document. They sign nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Root {
    /// The keys; at least one, at most [`MAX_ROOT_KEYS`].
    #[schemars(length(min = 1, max = MAX_ROOT_KEYS))]
    pub keys: Vec<PublicKey>,
    /// How many of them have to sign; at least 1.
    #[schemars(range(min = 1, max = MAX_ROOT_KEYS))]
    pub threshold: u32,
}

/// Which root keys are too few.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RootSet {
    /// Those that the verifier knows already.
    Pinned,
    /// Those that the document lists.
    Listed,
}

/// A trust document that is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// It is in no such envelope; an unsigned document is none.
    #[error("trust document is not in a signed envelope")]
    Envelope(#[from] EnvelopeError),
    /// The signed bytes are no such document.
    #[error("trust document")]
    Json(#[from] JsonError),
    /// Too few root keys signed it.
    #[error("trust document is signed by {counted} of the {}, expected {threshold}", which(.set))]
    RootSignatures {
        /// Which root keys.
        set: RootSet,
        /// How many have to sign.
        threshold: u32,
        /// How many did, each counted once.
        counted: u32,
    },
    /// No root was named, and none that is known signed it.
    #[error("trust document is signed by no root that was pinned before")]
    UnknownRoot,
    /// It is older than one that was accepted before.
    #[error("trust document has version {got}, expected {seen} or later: that one was accepted before")]
    Rollback {
        /// Its version.
        got: u64,
        /// The newest version seen.
        seen: u64,
    },
    /// It is not the document that was accepted as this version before.
    #[error("trust document of version {version}: expected sha256 {expected} as accepted before, got {got}")]
    SameVersion {
        /// The version of both.
        version: u64,
        /// Digest of the one seen.
        expected: Sha256Digest,
        /// Digest of this one.
        got: Sha256Digest,
    },
    /// Its time is over.
    #[error("trust document expired at {expires_at}")]
    Expired {
        /// Its last moment.
        expires_at: UtcTime,
    },
    /// Its version is none.
    #[error("trust document has version {got}, expected 1 to {MAX_INTEGER}")]
    Version {
        /// The version.
        got: u64,
    },
    /// It trusts too many.
    #[error("trust document has {got} keys, expected at most {MAX_KEYS}")]
    KeyCount {
        /// Number of keys.
        got: usize,
    },
    /// No number of signatures could meet it, or none would be needed.
    #[error("trust document has threshold {got} for the role {}, expected 1 to {limit}", .role.name())]
    Threshold {
        /// The threshold.
        got: u32,
        /// The role.
        role: Role,
        /// Number of keys of that role, at least 1.
        limit: usize,
    },
    /// It has no root key, or too many.
    #[error("trust document has {got} root keys, expected 1 to {MAX_ROOT_KEYS}")]
    RootCount {
        /// Number of root keys.
        got: usize,
    },
    /// The same for the root keys.
    #[error("trust document has threshold {got} for its root keys, expected 1 to {limit}")]
    RootThreshold {
        /// The threshold.
        got: u32,
        /// Number of root keys.
        limit: usize,
    },
    /// A root key is listed twice: it would be counted twice.
    #[error("trust document lists the root key {keyid} twice")]
    DuplicateRoot {
        /// The key's id.
        keyid: Sha256Digest,
    },
    /// A key that vouches for the document is trusted by it, too: whoever trains could trust themselves.
    #[error("trust document lists the key of {name:?} as a root key, too")]
    RootIsTrusted {
        /// Its name.
        name: String,
    },
    /// A text that is empty, too long, or would move a terminal's cursor.
    #[error("trust document: {text:?} is no name or challenge id of 1 to {MAX_NAME_CHARACTERS} printable characters")]
    Text {
        /// The text.
        text: String,
    },
    /// Two keys have one name.
    #[error("trust document names {name:?} twice")]
    DuplicateName {
        /// The name.
        name: String,
    },
    /// There is no such key.
    #[error("trust document has no key of {name:?}")]
    UnknownName {
        /// The name.
        name: String,
    },
    /// A key is listed twice: it would be counted twice, or be trainer and verifier at once.
    #[error("trust document lists the key of {second:?} twice, first as {first:?}")]
    DuplicateKey {
        /// The name listed first.
        first: String,
        /// The name listed later.
        second: String,
    },
    /// A key is never valid.
    #[error("trust document: the key of {name:?} is valid neither at nor after {not_before}, it ends at {not_after}")]
    EmptyPeriod {
        /// Its name.
        name: String,
        /// Its first moment.
        not_before: UtcTime,
        /// Its last moment.
        not_after: UtcTime,
    },
    /// A key has an empty list of challenges, or too many.
    #[error("trust document: the key of {name:?} has {got} challenges, expected none given or 1 to {MAX_CHALLENGES}")]
    Challenges {
        /// Its name.
        name: String,
        /// Number of challenges.
        got: usize,
    },
}

impl Advice for TrustError {
    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Envelope(_) => "begin a signed one with `spectramind keys trust init --root-key ROOT.pem`",
            Self::RootSignatures { .. } => "name with --root-key, once each, as many root keys as have to sign",
            Self::Rollback { .. } => "get the newest trust document from whoever hands it out",
            Self::SameVersion { .. } => {
                "two documents of one version are about: ask whoever hands them out; a new one needs a new root"
            }
            Self::Expired { .. } => "its author renews it: spectramind keys trust renew --expires-at TIME",
            Self::UnknownName { .. } => "`spectramind keys trust list` shows the names",
            Self::Threshold { .. } => "add keys of that role first, or lower the threshold first",
            Self::RootIsTrusted { .. } => "make a root key of its own: spectramind keys generate --out FILE",
            _ => return None,
        };
        Some(hint.into())
    }
}

impl TrustDocument {
    /// The first version, which trusts nobody yet.
    pub fn first(root: Root, issued_at: UtcTime) -> Self {
        Self { version: 1, issued_at, expires_at: None, keys: Vec::new(), thresholds: Thresholds::default(), root }
    }

    /// The next version, for its author to change.
    #[must_use]
    pub fn successor(self, issued_at: UtcTime) -> Self {
        Self { version: self.version + 1, issued_at, ..self }
    }

    /// Withdraws the key of that name from `at` on; an earlier withdrawal stays.
    ///
    /// # Errors
    /// [`TrustError::UnknownName`].
    pub fn revoke(&mut self, name: &str, at: UtcTime) -> Result<(), TrustError> {
        let key = self.keys.iter_mut().find(|key| key.name == name);
        let key = key.ok_or_else(|| TrustError::UnknownName { name: name.to_owned() })?;
        key.revoked_at = Some(key.revoked_at.map_or(at, |before| before.min(at)));
        Ok(())
    }

    /// Parses signed bytes.
    pub(super) fn parse(payload: &[u8]) -> Result<Self, TrustError> {
        let document: Self = strict_json::from_slice(payload)?;
        document.check()?;
        Ok(document)
    }

    /// Checks what the types do not say.
    pub(super) fn check(&self) -> Result<(), TrustError> {
        if !(1..=MAX_INTEGER).contains(&self.version) {
            return Err(TrustError::Version { got: self.version });
        }
        if self.keys.len() > MAX_KEYS {
            return Err(TrustError::KeyCount { got: self.keys.len() });
        }
        let mut names = BTreeSet::new();
        for (index, key) in self.keys.iter().enumerate() {
            key.check()?;
            if !names.insert(&key.name) {
                return Err(TrustError::DuplicateName { name: key.name.clone() });
            }
            if let Some(first) = self.keys[..index].iter().find(|first| first.public_key == key.public_key) {
                return Err(TrustError::DuplicateKey { first: first.name.clone(), second: key.name.clone() });
            }
            if self.root.keys.contains(&key.public_key) {
                return Err(TrustError::RootIsTrusted { name: key.name.clone() });
            }
        }
        for role in [Role::Trainer, Role::Verifier] {
            // Revoked keys are among them: revoking must be possible whatever the threshold.
            let (got, keys) = (self.thresholds.of(role), self.keys.iter().filter(|key| key.role == role).count());
            let limit = keys.max(1);
            if got == 0 || got as usize > limit {
                return Err(TrustError::Threshold { got, role, limit });
            }
        }
        self.root.check()
    }
}

impl TrustedKey {
    /// A key that counts at any time, for any challenge.
    pub fn new(name: String, public_key: PublicKey, role: Role) -> Self {
        Self { name, public_key, role, not_before: None, not_after: None, revoked_at: None, challenges: None }
    }

    fn check(&self) -> Result<(), TrustError> {
        let challenges = self.challenges.as_deref();
        if let Some(got) = challenges.map(<[_]>::len).filter(|got| !(1..=MAX_CHALLENGES).contains(got)) {
            return Err(TrustError::Challenges { name: self.name.clone(), got });
        }
        for text in std::iter::once(&self.name).chain(challenges.unwrap_or_default()) {
            let characters = text.chars().take(MAX_NAME_CHARACTERS + 1).count();
            if !(1..=MAX_NAME_CHARACTERS).contains(&characters) || text.chars().any(char::is_control) {
                return Err(TrustError::Text { text: text.clone() });
            }
        }
        if let (Some(not_before), Some(not_after)) = (self.not_before, self.not_after)
            && not_before > not_after
        {
            return Err(TrustError::EmptyPeriod { name: self.name.clone(), not_before, not_after });
        }
        Ok(())
    }
}

impl Thresholds {
    /// How many keys of the role have to sign.
    pub fn of(&self, role: Role) -> u32 {
        match role {
            Role::Trainer => self.trainer,
            Role::Verifier => self.verifier,
        }
    }

    /// Sets how many keys of the role have to sign.
    pub fn set(&mut self, role: Role, threshold: u32) {
        match role {
            Role::Trainer => self.trainer = threshold,
            Role::Verifier => self.verifier = threshold,
        }
    }
}

impl Default for Thresholds {
    /// One key of a role suffices.
    fn default() -> Self {
        Self { trainer: 1, verifier: 1 }
    }
}

impl Root {
    /// Whether as many keys have signed as must.
    pub(super) fn is_met(&self, has_signed: impl Fn(&PublicKey) -> bool) -> bool {
        self.count(has_signed) >= self.threshold
    }

    /// Refuses fewer signatures than must be.
    pub(super) fn require(&self, set: RootSet, has_signed: impl Fn(&PublicKey) -> bool) -> Result<(), TrustError> {
        let (threshold, counted) = (self.threshold, self.count(has_signed));
        if counted >= threshold { Ok(()) } else { Err(TrustError::RootSignatures { set, threshold, counted }) }
    }

    fn count(&self, has_signed: impl Fn(&PublicKey) -> bool) -> u32 {
        self.keys.iter().filter(|key| has_signed(key)).count() as u32
    }

    pub(super) fn check(&self) -> Result<(), TrustError> {
        let limit = self.keys.len();
        if !(1..=MAX_ROOT_KEYS).contains(&limit) {
            return Err(TrustError::RootCount { got: limit });
        }
        if let Some((_, key)) = self.keys.iter().enumerate().find(|(index, key)| self.keys[..*index].contains(key)) {
            return Err(TrustError::DuplicateRoot { keyid: key.keyid() });
        }
        match self.threshold {
            got if got == 0 || got as usize > limit => Err(TrustError::RootThreshold { got, limit }),
            _ => Ok(()),
        }
    }
}

fn which(set: &RootSet) -> &'static str {
    match set {
        RootSet::Pinned => "root keys that are pinned",
        RootSet::Listed => "root keys that it lists",
    }
}
