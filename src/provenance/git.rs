//! Which commit the sources were at, and whether the work tree equals it.
//!
//! The record is plain data, so that a verifier without git can read it. [`read`] (feature `git`) takes it from a
//! repository, by gix, without running any program; [`read_with_patch`] also yields the uncommitted changes themselves.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::digest::Blake3Digest;

use super::path::RelativePath;

#[cfg(feature = "git")]
pub use super::worktree::{
    Folder, GitError, Inspected, MAX_PATCH_BYTES, WorkTreeFiles, export, files, inspect, read, read_folder,
    read_with_patch,
};

/// Most paths that a list of the record names.
pub const MAX_CHANGED_PATHS: usize = 100;

/// Name of the uncommitted changes inside a run directory: a patch that `git apply --binary` takes.
pub const UNCOMMITTED_PATCH: &str = "provenance/uncommitted.patch";

/// Which commit the sources were at, and whether the work tree equalled it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GitRecord {
    /// The commit at `HEAD`.
    pub commit: GitId,
    /// Its tree.
    pub tree: GitId,
    /// The hash that ids are made with.
    pub object_format: ObjectFormat,
    /// The branch `HEAD` was on, without `refs/heads/`; `None` when detached.
    #[serde(deserialize_with = "Option::deserialize")]
    pub branch: Option<String>,
    /// The remotes of the repository's configuration, sorted by name.
    pub remotes: Vec<RemoteRecord>,
    /// Whether history was cut off below some commits; what `HEAD` names is complete all the same.
    pub shallow: bool,
    /// Whether there were replace refs or grafts, by which git shows other objects than those named. They were not
    /// followed.
    pub replaced: bool,
    /// Whether the bytes of the work tree were those of the commit, submodules included. Content that stands for its
    /// LFS pointer, and CRLF where the commit's attributes say that a file is text, are those of the commit.
    pub clean: bool,
    /// Digest over every difference; `None` exactly when clean.
    #[serde(deserialize_with = "Option::deserialize")]
    pub difference: Option<Blake3Digest>,
    /// Paths that differed, sorted by their bytes, the first [`MAX_CHANGED_PATHS`]; what is not printable UTF-8 is
    /// escaped.
    pub changed: Vec<String>,
    /// Number of paths that differed.
    pub changed_count: u64,
    /// Files that are neither tracked nor ignored, sorted and escaped as above, the first [`MAX_CHANGED_PATHS`]. They do
    /// not make a work tree unclean: a run's outputs and an auditor's key lie there. What a run reads of them, configs
    /// and data, is recorded by its bytes.
    pub untracked: Vec<String>,
    /// Number of such files.
    pub untracked_count: u64,
    /// The submodules, those of submodules too, sorted by path.
    pub submodules: Vec<SubmoduleRecord>,
    /// Tracked files of which the work tree held the LFS pointer and not the content, sorted and escaped as above, the
    /// first [`MAX_CHANGED_PATHS`].
    pub lfs_pointers: Vec<String>,
    /// Number of such files.
    pub lfs_pointer_count: u64,
    /// Of the files and folders that the run read: those that lie in the work tree and are, or hold, files that git
    /// neither tracks nor ignores; sorted and escaped as above.
    pub read_untracked: Vec<String>,
    /// Of those that the run read: the ones that are, or hold, ignored files; sorted and escaped as above.
    pub read_ignored: Vec<String>,
    /// The uncommitted changes, below the run directory; `None` when there were none or nobody asked to keep them.
    #[serde(deserialize_with = "Option::deserialize")]
    pub patch: Option<RelativePath>,
}

impl GitRecord {
    /// Whether the fields about the work tree agree with each other; a signed record may have been written by anybody.
    pub fn is_consistent(&self) -> bool {
        let is_listed = |list: &[String], count: u64| list.len() as u64 == count.min(MAX_CHANGED_PATHS as u64);
        [&self.commit, &self.tree].into_iter().all(|id| ObjectFormat::of(id) == self.object_format)
            && self.clean == self.difference.is_none()
            && self.clean == (self.changed_count == 0)
            && (!self.clean || self.submodules.iter().all(SubmoduleRecord::is_clean))
            && is_listed(&self.changed, self.changed_count)
            && is_listed(&self.untracked, self.untracked_count)
            && is_listed(&self.lfs_pointers, self.lfs_pointer_count)
            && self.submodules.is_sorted_by(|left, right| left.path < right.path)
    }

    /// Whether a run from this work tree had the same files as one from `other`: the tree, what differs from it, which
    /// submodules are there, and where only the LFS pointer is.
    pub fn has_files_of(&self, other: &Self) -> bool {
        self.tree == other.tree
            && self.difference == other.difference
            && self.submodules == other.submodules
            && (self.lfs_pointer_count, &self.lfs_pointers) == (other.lfs_pointer_count, &other.lfs_pointers)
    }
}

/// The hash that a repository's ids are made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ObjectFormat {
    /// SHA-1.
    Sha1,
    /// SHA-256.
    Sha256,
}

impl ObjectFormat {
    /// The format of an id.
    pub fn of(id: &GitId) -> Self {
        if id.as_str().len() == 40 { Self::Sha1 } else { Self::Sha256 }
    }
}

/// Another repository that this one knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RemoteRecord {
    /// What it is called here; what is not printable UTF-8 is escaped.
    pub name: String,
    /// Its URL without user, password, query and fragment; `None` when it is no URL, or one that could hold a secret
    /// anywhere, as a command does.
    #[serde(deserialize_with = "Option::deserialize")]
    pub url: Option<String>,
}

/// A repository within the work tree, of which the commit names a commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SubmoduleRecord {
    /// Where it is, below the outermost work tree; what is not printable UTF-8 is escaped.
    pub path: String,
    /// The commit that the tree around it names.
    pub commit: GitId,
    /// The commit at its `HEAD`; `None` when it is not checked out.
    #[serde(deserialize_with = "Option::deserialize")]
    pub checked_out: Option<GitId>,
    /// Digest over every difference from the commit at its `HEAD`, submodules within included; `None` when there is
    /// none.
    #[serde(deserialize_with = "Option::deserialize")]
    pub difference: Option<Blake3Digest>,
}

impl SubmoduleRecord {
    /// Whether it is the commit that the tree around it names, or is not there at all.
    pub fn is_clean(&self) -> bool {
        self.difference.is_none() && self.checked_out.as_ref().is_none_or(|commit| *commit == self.commit)
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
            tree: "2".repeat(40).parse().expect("an id"),
            object_format: ObjectFormat::Sha1,
            branch: None,
            remotes: vec![RemoteRecord { name: "origin".into(), url: None }],
            shallow: false,
            replaced: false,
            clean: true,
            difference: None,
            changed: Vec::new(),
            changed_count: 0,
            untracked: Vec::new(),
            untracked_count: 0,
            submodules: vec![submodule("a", '3'), SubmoduleRecord { checked_out: None, ..submodule("b", '4') }],
            lfs_pointers: Vec::new(),
            lfs_pointer_count: 0,
            read_untracked: Vec::new(),
            read_ignored: Vec::new(),
            patch: None,
        }
    }

    fn submodule(path: &str, digit: char) -> SubmoduleRecord {
        let commit: GitId = digit.to_string().repeat(40).parse().expect("an id");
        SubmoduleRecord { path: path.into(), commit: commit.clone(), checked_out: Some(commit), difference: None }
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
            GitRecord { lfs_pointer_count: 1, ..clean() },
            GitRecord { object_format: ObjectFormat::Sha256, ..clean() },
            GitRecord { tree: "2".repeat(64).parse().expect("an id"), ..clean() },
            GitRecord { submodules: vec![SubmoduleRecord { difference, ..submodule("a", '3') }], ..clean() },
            GitRecord {
                submodules: vec![SubmoduleRecord { commit: clean().commit, ..submodule("a", '3') }],
                ..clean()
            },
            GitRecord { submodules: vec![submodule("b", '3'), submodule("a", '3')], ..clean() },
            GitRecord { submodules: vec![submodule("a", '3'), submodule("a", '3')], ..clean() },
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
    fn a_submodule_that_was_not_there_makes_it_another_work_tree() {
        assert!(clean().has_files_of(&GitRecord { branch: Some("main".into()), shallow: true, ..clean() }));
        let difference = Some(Blake3Digest::from_bytes([0; 32]));
        for other in [
            GitRecord { tree: clean().commit, ..clean() },
            GitRecord { difference, ..clean() },
            GitRecord { submodules: vec![submodule("a", '3'), submodule("b", '4')], ..clean() },
            GitRecord { lfs_pointers: vec!["a".into()], lfs_pointer_count: 1, ..clean() },
        ] {
            assert!(!clean().has_files_of(&other), "{other:?}");
        }
    }

    #[test]
    fn an_id_of_another_length_or_spelling_is_refused() {
        for text in ["", "1", &"1".repeat(41), &"A".repeat(40), &"g".repeat(40)] {
            assert_eq!(text.parse::<GitId>(), Err(GitIdError { got: text.to_owned() }));
        }
    }
}
