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
    #[schemars(length(min = 1, max = MAX_KEYS))]
    pub keys: Vec<TrustedKey>,
    /// How many keys of the role have to sign; at least 1.
    #[schemars(range(min = 1))]
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
        Self::of_key(key, Role::Trainer)
    }

    /// Trusts one key for one role, at any time.
    pub fn of_key(key: PublicKey, role: Role) -> Self {
        let key = TrustedKey {
            name: "the given key".to_owned(),
            public_key: key,
            role,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::key::SigningKey;

    fn public(byte: u8) -> PublicKey {
        SigningKey::from_random(&[byte; 32]).public()
    }

    fn trusted(byte: u8, role: Role) -> TrustedKey {
        let name = format!("key {byte}");
        TrustedKey { name, public_key: public(byte), role, not_before: None, not_after: None, revoked_at: None }
    }

    fn refusal(keys: Vec<TrustedKey>, threshold: u32) -> TrustError {
        Trust::try_from(TrustPolicy { keys, threshold }).expect_err("a faulty policy")
    }

    fn time(text: &str) -> UtcTime {
        text.parse().expect("a time")
    }

    #[test]
    fn a_policy_is_read_from_json() {
        let entry = |key: &str| {
            format!(
                r#"{{"keys":[{{"name":"ci","publicKey":"{key}","role":"trainer","notBefore":"2026-01-01T00:00:00Z","notAfter":null,"revokedAt":null}}],"threshold":1}}"#
            )
        };
        let expected = TrustedKey {
            name: "ci".into(),
            not_before: Some(time("2026-01-01T00:00:00Z")),
            ..trusted(1, Role::Trainer)
        };
        let hex = crate::digest::Sha256Digest::from_bytes(*public(1).as_bytes()).to_string();
        for key in [hex, public(1).to_spki_pem().replace('\n', "\\n")] {
            let trust = Trust::from_json(entry(&key).as_bytes()).expect("a policy");
            assert_eq!(trust.policy().keys, std::slice::from_ref(&expected));
        }
        let written = strict_json::to_vec(Trust::single(public(1)).policy()).expect("small");
        assert_eq!(Trust::from_json(&written), Ok(Trust::single(public(1))));
    }

    #[test]
    fn a_policy_without_one_of_its_fields_or_with_another_is_refused() {
        let text = String::from_utf8(strict_json::to_vec(Trust::single(public(1)).policy()).expect("small"));
        let text = text.expect("UTF-8");
        for (from, to) in [
            (r#","revokedAt":null"#, ""),
            (r#","notAfter":null"#, ""),
            (r#","threshold":1"#, ""),
            (r#""threshold":1"#, r#""threshold":1,"threshold":1"#),
            (r#""threshold":1"#, r#""threshold":1,"scheme":"none""#),
            (r#""role":"trainer""#, r#""role":"admin""#),
            (r#""role":"trainer""#, r#""role":"trainer","scheme":"rsa""#),
            (r#""threshold":1"#, r#""threshold":-1"#),
        ] {
            assert!(text.contains(from), "{from}");
            let changed = text.replace(from, to);
            assert!(matches!(Trust::from_json(changed.as_bytes()), Err(TrustError::Json(_))), "{changed}");
        }
    }

    #[test]
    fn a_policy_that_trusts_nobody_or_too_many_is_refused() {
        assert_eq!(refusal(vec![], 1), TrustError::KeyCount { got: 0 });
        let keys = (0..=MAX_KEYS as u8).map(|byte| trusted(byte, Role::Trainer)).collect();
        assert_eq!(refusal(keys, 1), TrustError::KeyCount { got: MAX_KEYS + 1 });
    }

    #[test]
    fn a_threshold_that_means_nothing_is_refused() {
        let role = Role::Trainer;
        assert_eq!(refusal(vec![trusted(1, role)], 0), TrustError::Threshold { got: 0, role, keys: 1 });
        assert_eq!(refusal(vec![trusted(1, role)], 2), TrustError::Threshold { got: 2, role, keys: 1 });
        // Two trainers could meet it, one verifier never.
        let keys = vec![trusted(1, role), trusted(2, role), trusted(3, Role::Verifier)];
        assert_eq!(refusal(keys, 2), TrustError::Threshold { got: 2, role: Role::Verifier, keys: 1 });
    }

    #[test]
    fn a_key_listed_twice_is_refused() {
        let again = TrustedKey { name: "again".into(), ..trusted(1, Role::Trainer) };
        let expected = TrustError::DuplicateKey { first: "key 1".into(), second: "again".into() };
        assert_eq!(refusal(vec![trusted(1, Role::Trainer), again], 2), expected);
    }

    #[test]
    fn a_trainer_cannot_be_the_verifier() {
        let both = TrustedKey { name: "again".into(), ..trusted(1, Role::Verifier) };
        assert!(matches!(refusal(vec![trusted(1, Role::Trainer), both], 1), TrustError::DuplicateKey { .. }));
    }

    #[test]
    fn a_name_given_twice_is_refused() {
        let same = TrustedKey { name: "key 1".into(), ..trusted(2, Role::Trainer) };
        let expected = TrustError::DuplicateName { name: "key 1".into() };
        assert_eq!(refusal(vec![trusted(1, Role::Trainer), same], 1), expected);
    }

    #[test]
    fn a_key_that_is_never_valid_is_refused() {
        let (first, last) = (Some(time("2026-01-02T00:00:00Z")), Some(time("2026-01-01T00:00:00Z")));
        let key = TrustedKey { not_before: first, not_after: last, ..trusted(1, Role::Trainer) };
        assert!(matches!(refusal(vec![key], 1), TrustError::EmptyPeriod { .. }));
    }

    #[test]
    fn a_weak_key_is_refused() {
        let text = format!(
            r#"{{"keys":[{{"name":"a","publicKey":"{}","role":"trainer","notBefore":null,"notAfter":null,"revokedAt":null}}],"threshold":1}}"#,
            "0".repeat(64)
        );
        let error = Trust::from_json(text.as_bytes()).expect_err("a weak key");
        assert!(
            matches!(&error, TrustError::Json(JsonError::Data { message, .. }) if message.contains("is weak")),
            "{error:?}"
        );
    }

    #[test]
    fn a_key_counts_from_its_first_to_its_last_moment_until_revoked() {
        let (first, last) = (time("2026-01-01T00:00:00Z"), time("2026-12-31T00:00:00Z"));
        let key = TrustedKey { not_before: Some(first), not_after: Some(last), ..trusted(1, Role::Trainer) };
        let fault = |key: &TrustedKey, at: &str| key.fault(Role::Trainer, time(at).0);
        assert_eq!(fault(&key, "2025-12-31T23:59:59.999999999Z"), Some(KeyFault::NotYetValid(first)));
        assert_eq!(fault(&key, "2026-01-01T00:00:00Z"), None);
        assert_eq!(fault(&key, "2026-12-31T00:00:00Z"), None);
        assert_eq!(fault(&key, "2026-12-31T00:00:00.000000001Z"), Some(KeyFault::Expired(last)));
        let revoked_at = time("2026-06-01T00:00:00Z");
        let revoked = TrustedKey { revoked_at: Some(revoked_at), ..key };
        assert_eq!(fault(&revoked, "2026-05-31T23:59:59Z"), None);
        assert_eq!(fault(&revoked, "2026-06-01T00:00:00Z"), Some(KeyFault::Revoked(revoked_at)));
        let wrong = KeyFault::Role { expected: Role::Verifier, got: Role::Trainer };
        assert_eq!(revoked.fault(Role::Verifier, first.0), Some(wrong));
    }
}
