//! Which commit the sources were at, and whether the work tree equals it.
//!
//! The record is plain data, so that a verifier without git can read it. [`read`] (feature `git`) takes it from a
//! repository, by gix, without running any program.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::digest::Blake3Digest;

#[cfg(feature = "git")]
pub use super::worktree::{GitError, read};

/// Most paths that a record names.
pub const MAX_CHANGED_PATHS: usize = 100;

/// Which commit the sources were at, and whether the work tree equalled it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GitRecord {
    /// The commit at `HEAD`.
    pub commit: GitId,
    /// Its tree.
    pub tree: GitId,
    /// The branch `HEAD` was on, without `refs/heads/`; `None` when detached.
    #[serde(deserialize_with = "Option::deserialize")]
    pub branch: Option<String>,
    /// Whether the bytes of the work tree were those of the commit.
    pub clean: bool,
    /// Digest over every difference; `None` exactly when clean.
    #[serde(deserialize_with = "Option::deserialize")]
    pub difference: Option<Blake3Digest>,
    /// Paths that differed, sorted by their bytes, the first [`MAX_CHANGED_PATHS`]; what is not printable UTF-8 is
    /// escaped.
    pub changed: Vec<String>,
    /// Number of paths that differed.
    pub changed_count: u64,
    /// Files that are neither tracked nor ignored, sorted and escaped as above, the first [`MAX_CHANGED_PATHS`]. They do not make a
    /// work tree unclean: a run's outputs and an auditor's key lie there. What a run reads of them, configs and data, is
    /// recorded by its bytes.
    pub untracked: Vec<String>,
    /// Number of such files.
    pub untracked_count: u64,
}

impl GitRecord {
    /// Whether the fields about the work tree agree with each other; a signed record may have been written by anybody.
    pub fn is_consistent(&self) -> bool {
        self.clean == self.difference.is_none()
            && self.clean == (self.changed_count == 0)
            && self.changed.len() as u64 == self.changed_count.min(MAX_CHANGED_PATHS as u64)
            && self.untracked.len() as u64 == self.untracked_count.min(MAX_CHANGED_PATHS as u64)
    }
}

/// The id of a git object: 40 (SHA-1) or 64 (SHA-256) lowercase hex digits.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GitId(String);

/// A text that is no git object id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a git object id of 40 or 64 lowercase hex digits, got {got:?}")]
pub struct GitIdError {
    /// The text as given.
    pub got: String,
}

impl GitId {
    /// The id as hex digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for GitId {
    type Err = GitIdError;

    fn from_str(text: &str) -> Result<Self, GitIdError> {
        let digits = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if digits && [40, 64].contains(&text.len()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(GitIdError { got: text.to_owned() })
        }
    }
}

impl fmt::Display for GitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for GitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GitId({})", self.0)
    }
}

impl Serialize for GitId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for GitId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for GitId {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "GitId".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^([0-9a-f]{40}|[0-9a-f]{64})$" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clean() -> GitRecord {
        GitRecord {
            commit: "1".repeat(40).parse().expect("an id"),
            tree: "2".repeat(64).parse().expect("an id"),
            branch: None,
            clean: true,
            difference: None,
            changed: Vec::new(),
            changed_count: 0,
            untracked: Vec::new(),
            untracked_count: 0,
        }
    }

    #[test]
    fn a_record_that_contradicts_itself_is_told_apart() {
        assert!(clean().is_consistent());
        let difference = Some(Blake3Digest::from_bytes([0; 32]));
        let dirty = GitRecord { clean: false, difference, changed: vec!["a".into()], changed_count: 1, ..clean() };
        assert!(dirty.is_consistent());
        for contradiction in [
            GitRecord { clean: true, ..dirty.clone() },
            GitRecord { clean: false, ..clean() },
            GitRecord { difference: None, ..dirty.clone() },
            GitRecord { changed: Vec::new(), ..dirty.clone() },
            GitRecord { changed_count: 2, ..dirty.clone() },
        ] {
            assert!(!contradiction.is_consistent(), "{contradiction:?}");
        }
    }

    #[test]
    fn an_absent_branch_must_be_an_explicit_null() {
        let text = serde_json::to_string(&clean()).expect("plain data");
        assert_eq!(serde_json::from_str::<GitRecord>(&text).expect("a record"), clean());
        let error = serde_json::from_str::<GitRecord>(&text.replace("\"branch\":null,", "")).expect_err("no branch");
        assert!(error.to_string().contains("missing field `branch`"), "{error}");
    }

    #[test]
    fn an_id_of_another_length_or_spelling_is_refused() {
        for text in ["", "1", &"1".repeat(41), &"A".repeat(40), &"g".repeat(40)] {
            assert_eq!(text.parse::<GitId>(), Err(GitIdError { got: text.to_owned() }));
        }
    }
}
