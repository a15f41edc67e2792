//! The trust policy: whose signature counts, for what, and when.
//!
//! The policy fixes each key's scheme by its type (Ed25519, nothing else); an envelope has no say in it.

use std::collections::BTreeSet;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::key::PublicKey;
use super::strict_json::{self, JsonError};
use super::timestamp::UtcTime;

/// Most keys of a policy: every signature is tried with every key.
pub const MAX_KEYS: usize = 64;

/// A trust policy that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trust(TrustPolicy);

/// The trust policy file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TrustPolicy {
    /// The trusted keys; at least one, at most [`MAX_KEYS`].
    pub keys: Vec<TrustedKey>,
    /// How many keys of the role have to sign; at least 1.
    pub threshold: u32,
}

/// One trusted key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TrustedKey {
    /// Whose key it is, for people.
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

/// Why a trusted key's valid signature does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    /// The key is trusted for something else.
    #[error("its role is {got:?}, expected {expected:?}")]
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
}

/// A trust policy that is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// Its JSON is refused.
    #[error("trust policy")]
    Json(#[from] JsonError),
    /// It trusts nobody, or too many.
    #[error("trust policy has {got} keys, expected 1 to {MAX_KEYS}")]
    KeyCount {
        /// Number of keys.
        got: usize,
    },
    /// No number of signatures could meet it, or none would be needed.
    #[error("trust policy has threshold {got}, expected 1 to {keys}, the number of keys of the role {role:?}")]
    Threshold {
        /// The threshold.
        got: u32,
        /// The role that has the fewest keys, of those that have any.
        role: Role,
        /// Number of keys of that role.
        keys: usize,
    },
    /// Two keys have one name.
    #[error("trust policy names {name:?} twice")]
    DuplicateName {
        /// The name.
        name: String,
    },
    /// A key is listed twice: it would be counted twice, or be trainer and verifier at once.
    #[error("trust policy lists the key of {second:?} twice, first as {first:?}")]
    DuplicateKey {
        /// The name listed first.
        first: String,
        /// The name listed later.
        second: String,
    },
    /// A key is never valid.
    #[error("trust policy: the key of {name:?} is valid neither at nor after {not_before}, it ends at {not_after}")]
    EmptyPeriod {
        /// Its name.
        name: String,
        /// Its first moment.
        not_before: UtcTime,
        /// Its last moment.
        not_after: UtcTime,
    },
}

impl Trust {
    /// Trusts one key as a trainer, at any time.
    pub fn single(key: PublicKey) -> Self {
        let key = TrustedKey {
            name: "the given key".to_owned(),
            public_key: key,
            role: Role::Trainer,
            not_before: None,
            not_after: None,
            revoked_at: None,
        };
        Self(TrustPolicy { keys: vec![key], threshold: 1 })
    }

    /// Reads a trust policy file's bytes.
    ///
    /// # Errors
    /// [`TrustError`].
    pub fn from_json(bytes: &[u8]) -> Result<Self, TrustError> {
        strict_json::from_slice::<TrustPolicy>(bytes)?.try_into()
    }

    /// The policy.
    pub fn policy(&self) -> &TrustPolicy {
        &self.0
    }
}

impl TryFrom<TrustPolicy> for Trust {
    type Error = TrustError;

    fn try_from(policy: TrustPolicy) -> Result<Self, TrustError> {
        let keys = &policy.keys;
        if !(1..=MAX_KEYS).contains(&keys.len()) {
            return Err(TrustError::KeyCount { got: keys.len() });
        }
        let mut names = BTreeSet::new();
        for (index, key) in keys.iter().enumerate() {
            if !names.insert(&key.name) {
                return Err(TrustError::DuplicateName { name: key.name.clone() });
            }
            if let Some(first) = keys[..index].iter().find(|first| first.public_key == key.public_key) {
                return Err(TrustError::DuplicateKey { first: first.name.clone(), second: key.name.clone() });
            }
            if let (Some(not_before), Some(not_after)) = (key.not_before, key.not_after)
                && not_before > not_after
            {
                return Err(TrustError::EmptyPeriod { name: key.name.clone(), not_before, not_after });
            }
        }
        let count = |role| (keys.iter().filter(|key| key.role == role).count(), role);
        let fewest = [count(Role::Trainer), count(Role::Verifier)].into_iter().filter(|(count, _)| *count > 0).min();
        let (count, role) = fewest.expect("there is a key");
        if policy.threshold == 0 || policy.threshold as usize > count {
            return Err(TrustError::Threshold { got: policy.threshold, role, keys: count });
        }
        Ok(Self(policy))
    }
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
}
