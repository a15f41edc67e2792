//! What data went into a run: path, size and BLAKE3 of every file, under one Merkle root.
//!
//! The list lies in the run directory as JSON Lines; the root and the totals are signed. Files are hashed by the threads
//! of rayon's pool; the result depends neither on their number nor on the order they finish in.
//!
//! Three types keep apart what may be believed how far: a [`DataManifest`] is a list that anybody may have written;
//! [`HashedData`] were hashed here, some perhaps on an earlier day; of [`ReadData`] every byte was read just now, and only
//! by these are data judged.
//!
//! A data set is a folder with everything below it, or a single file: a set of one, whose path is its name
//! ([`folder_of_set`]).
//!
//! **Leaf encoding.** One leaf per file, in the order of the paths' bytes. Lengths and sizes are little-endian `u64`:
//! `len(domain) ‖ domain ‖ len(path) ‖ path ‖ size ‖ BLAKE3(content)`, with the domain `spectramind/data-file/v1`.
//! The root is [`MerkleLog`]'s over these leaves.

mod cache;
mod content;
mod listed;

use std::cmp::Ordering;
use std::fmt;
use std::fs::{self, Metadata};
use std::io;
use std::ops::Deref;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::digest::Blake3Digest;
use crate::durable::folder_of;
use crate::failure::{Advice, FailureKind, io_hint};
use crate::foreign::ForeignError;
use crate::merkle::MerkleLog;

use super::md5::{Md5Digest, Md5Kind, Md5Kinds, Md5s};
use super::path::{PathError, PathSet, RelativePath};

pub use self::cache::{CacheFault, DigestCache};
pub use self::listed::{ListedError, ListedFiles};

/// Largest list that [`DataManifest::from_jsonl`] accepts, in bytes; some five million files.
pub const MAX_LIST_BYTES: usize = 1 << 30;

/// Largest file size a list may claim: integers above 2^53 - 1 are not safe in JSON.
const MAX_FILE_BYTES: u64 = (1 << 53) - 1;

const LEAF_DOMAIN: &str = "spectramind/data-file/v1";

/// One file of a data set: one line of the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DataFile {
    /// Where it is, below the root of the data set.
    pub path: RelativePath,
    /// Size in bytes.
    pub size: u64,
    /// Plain BLAKE3 of its bytes: what `b3sum` prints.
    pub blake3: Blake3Digest,
}

/// Every file of a data set, sorted by path; no two paths clash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataManifest {
    files: Vec<DataFile>,
}

/// A data set whose files were hashed here: just now, or earlier if a cache remembers them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HashedData {
    manifest: DataManifest,
    /// Of each file of the manifest.
    md5s: Vec<Md5s>,
}

/// A data set of which every byte was read just now. No cache can make one, so a judgement that asks for it rests on the
/// bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadData(HashedData);

/// What is of a list in a folder.
#[derive(Debug)]
pub struct Listed {
    /// The listed files that are there and as large as listed.
    pub found: ReadData,
    /// The listed files that have another size, which is beside them.
    pub other_size: Vec<(DataFile, u64)>,
    /// The files that are not listed.
    pub added: Vec<RelativePath>,
}

/// How the data on one side differ from the data on the other. A renamed file is missing and added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DataDifference {
    /// On both sides, with another content.
    Changed {
        /// As recorded.
        recorded: DataFile,
        /// As found.
        found: DataFile,
    },
    /// Recorded and not found.
    Missing(DataFile),
    /// Found and not recorded.
    Added(DataFile),
}

/// Data that cannot be hashed.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// Reading failed.
    #[error("cannot read {path}")]
    Read {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Something that is no regular file, or a root that is no directory.
    #[error("{path}: expected a {expected}, got a {got}")]
    Kind {
        /// What was found.
        path: PathBuf,
        /// What may stand there.
        expected: &'static str,
        /// What stands there.
        got: &'static str,
    },
    /// A name that is not UTF-8.
    #[error("{path}: expected a name of UTF-8, got other bytes")]
    Name {
        /// The path, approximately.
        path: PathBuf,
    },
    /// A path that is not acceptable, or clashes with another.
    #[error("data below {root}: expected names that mean one file on every system")]
    Path {
        /// The root of the data set.
        root: PathBuf,
        /// Which, and why.
        source: PathError,
    },
    /// Somebody put something else there between the look and the opening.
    #[error(transparent)]
    Foreign(#[from] ForeignError),
    /// The file was written to while it was read.
    #[error("{path} changed while it was hashed")]
    Changed {
        /// The file.
        path: PathBuf,
    },
}

impl Advice for DataError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Read { path, source } => io_hint(source, path),
            Self::Foreign(error) => error.hint(),
            Self::Kind { .. } => {
                Some("a data set is read file by file: put a regular file there, or move it out".into())
            }
            Self::Name { .. } | Self::Path { .. } => Some("rename it, or move it out of the data set".into()),
            Self::Changed { .. } => Some("something else writes to the data set: start again without it".into()),
        }
    }

    fn kind(&self) -> FailureKind {
        match self {
            Self::Read { .. } => FailureKind::Missing,
            Self::Foreign(error) => error.kind(),
            Self::Kind { .. } | Self::Name { .. } | Self::Path { .. } | Self::Changed { .. } => FailureKind::Failed,
        }
    }
}

/// A list that is not what [`DataManifest::to_jsonl`] writes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// Larger than [`MAX_LIST_BYTES`].
    #[error("data list has {got} bytes, expected at most {MAX_LIST_BYTES}")]
    TooLarge {
        /// Its size.
        got: usize,
    },
    /// The last line has no end.
    #[error("data list ends within line {line}")]
    Truncated {
        /// Counted from 1.
        line: usize,
    },
    /// A line is no such object.
    #[error("data list, line {line}: {message}")]
    Syntax {
        /// Counted from 1.
        line: usize,
        /// What the parser says.
        message: String,
    },
    /// A line says the right thing in another spelling.
    #[error("data list, line {line}: expected the canonical form, got another spelling")]
    Spelling {
        /// Counted from 1.
        line: usize,
    },
    /// A line is not after the line before it.
    #[error("data list, line {line}: {path} is out of order")]
    Order {
        /// Counted from 1.
        line: usize,
        /// The path.
        path: RelativePath,
    },
    /// Two paths clash.
    #[error("data list, line {line}")]
    Clash {
        /// Counted from 1.
        line: usize,
        /// How.
        source: PathError,
    },
    /// A size that JSON cannot hold exactly.
    #[error("data list, line {line}: size {got}, expected at most {MAX_FILE_BYTES}")]
    Size {
        /// Counted from 1.
        line: usize,
        /// The size.
        got: u64,
    },
}

impl HashedData {
    /// Hashes every file of the data set at `root`, which may itself be reached through a symlink, but for those the cache
    /// remembers.
    /// `kinds` says which MD5s of a file are wanted besides.
    ///
    /// Streamed: memory grows with the number of files, not with their sizes. Empty directories are not recorded.
    ///
    /// # Errors
    /// [`DataError`]: also for a symlink, a device or any other thing that is no regular file or directory.
    pub fn remembered(
        root: &Path,
        kinds: impl Fn(&RelativePath) -> Md5Kinds + Sync,
        cache: &DigestCache,
    ) -> Result<Self, DataError> {
        Self::of_paths(folder_of_set(root), paths_of_set(root)?, kinds, Some(cache))
    }

    fn of_paths(
        root: &Path,
        mut paths: Vec<RelativePath>,
        kinds: impl Fn(&RelativePath) -> Md5Kinds + Sync,
        cache: Option<&DigestCache>,
    ) -> Result<Self, DataError> {
        paths.sort();
        let mut set = PathSet::new();
        paths.iter().try_for_each(|path| set.insert(path)).map_err(|source| path_error(root, source))?;
        let hash = |path: RelativePath| -> Result<_, DataError> {
            let content = content::of_file(root, &path, kinds(&path), cache)?;
            Ok((DataFile { path, size: content.size, blake3: content.blake3 }, content.md5s))
        };
        // Collected in the order of the paths, whichever thread was faster.
        let hashed = paths.into_par_iter().map(hash).collect::<Result<Vec<_>, DataError>>()?;
        let (files, md5s) = hashed.into_iter().unzip();
        Ok(Self { manifest: DataManifest { files }, md5s })
    }

    /// The files.
    pub fn manifest(&self) -> &DataManifest {
        &self.manifest
    }

    /// The MD5 of a file, if there is such a file and its MD5 was asked for.
    pub fn md5(&self, path: &str, kind: Md5Kind) -> Option<Md5Digest> {
        let at = self.manifest.files.binary_search_by(|file| file.path.as_str().cmp(path)).ok()?;
        self.md5s[at].of_kind(kind)
    }

    /// The files that have an MD5 of this kind, in the order of their paths.
    pub fn md5s(&self, kind: Md5Kind) -> impl Iterator<Item = (&RelativePath, Md5Digest)> {
        let files = self.manifest.files.iter().zip(&self.md5s);
        files.filter_map(move |(file, md5s)| Some((&file.path, md5s.of_kind(kind)?)))
    }
}

impl ReadData {
    /// Hashes every file of the data set at `root`, as [`HashedData::remembered`] does, without a cache.
    ///
    /// # Errors
    /// As there.
    pub fn of_tree(root: &Path) -> Result<Self, DataError> {
        Self::of_tree_with(root, |_| Md5Kinds::NONE)
    }

    /// As [`of_tree`](Self::of_tree), with the MD5s that `kinds` asks for.
    ///
    /// # Errors
    /// As there.
    pub fn of_tree_with(root: &Path, kinds: impl Fn(&RelativePath) -> Md5Kinds + Sync) -> Result<Self, DataError> {
        HashedData::of_paths(folder_of_set(root), paths_of_set(root)?, kinds, None).map(Self)
    }

    /// Hashes the files of `list` in the data set at `root`; those that are not as large as listed are not read, and those that are
    /// not listed are named and left alone.
    ///
    /// # Errors
    /// [`DataError`], as [`HashedData::remembered`].
    pub fn of_listed(
        root: &Path,
        list: &DataManifest,
        kinds: impl Fn(&RelativePath) -> Md5Kinds + Sync,
    ) -> Result<Listed, DataError> {
        let (mut paths, root) = (paths_of_set(root)?, folder_of_set(root));
        paths.sort();
        let mut set = PathSet::new();
        paths.iter().try_for_each(|path| set.insert(path)).map_err(|source| path_error(root, source))?;
        let (mut right, mut other_size, mut added) = (Vec::new(), Vec::new(), Vec::new());
        for path in paths {
            let Ok(at) = list.files.binary_search_by(|file| file.path.cmp(&path)) else {
                added.push(path);
                continue;
            };
            let full = root.join(path.as_str());
            let size = fs::symlink_metadata(&full).map_err(|source| read_error(&full, source))?.len();
            match size == list.files[at].size {
                true => right.push(path),
                false => other_size.push((list.files[at].clone(), size)),
            }
        }
        Ok(Listed { found: HashedData::of_paths(root, right, kinds, None).map(Self)?, other_size, added })
    }

    /// Hashes the named files below `root`, in any order.
    ///
    /// # Errors
    /// [`DataError`]: also for a symlink anywhere below the root, and for a path that is not acceptable or named twice.
    pub fn of_files<P: AsRef<str>>(
        root: &Path,
        paths: &[P],
        kinds: impl Fn(&RelativePath) -> Md5Kinds + Sync,
    ) -> Result<Self, DataError> {
        directory(root)?;
        let parse = |path: &P| RelativePath::parse(path.as_ref()).map_err(|source| path_error(root, source));
        let paths = paths.iter().map(parse).collect::<Result<_, _>>()?;
        HashedData::of_paths(root, paths, kinds, None).map(Self)
    }
}

impl Deref for ReadData {
    type Target = HashedData;

    fn deref(&self) -> &HashedData {
        &self.0
    }
}

impl From<ReadData> for HashedData {
    fn from(data: ReadData) -> Self {
        data.0
    }
}

impl DataManifest {
    /// The files, sorted by path.
    pub fn files(&self) -> &[DataFile] {
        &self.files
    }

    /// Sum of the files' sizes in bytes.
    pub fn total_bytes(&self) -> u64 {
        self.files.iter().map(|file| file.size).fold(0, u64::saturating_add)
    }

    /// The Merkle root over all files; see the module for the encoding of a leaf.
    pub fn merkle_root(&self) -> Blake3Digest {
        let mut log = MerkleLog::new();
        for file in &self.files {
            log.append(&file.leaf());
        }
        log.root()
    }

    /// The list as JSON Lines, one file per line, in order; equal data yield equal bytes.
    pub fn to_jsonl(&self) -> String {
        let mut text = String::new();
        for file in &self.files {
            text.push_str(&file.line());
            text.push('\n');
        }
        text
    }

    /// Reads a list; accepts exactly what [`to_jsonl`](Self::to_jsonl) writes, so one list has one spelling.
    ///
    /// # Errors
    /// [`ListError`] with the number of the line.
    pub fn from_jsonl(bytes: &[u8]) -> Result<Self, ListError> {
        if bytes.len() > MAX_LIST_BYTES {
            return Err(ListError::TooLarge { got: bytes.len() });
        }
        let mut files: Vec<DataFile> = Vec::new();
        let mut set = PathSet::new();
        for (index, text) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
            let line = index + 1;
            let text = text.strip_suffix(b"\n").ok_or(ListError::Truncated { line })?;
            let file: DataFile =
                serde_json::from_slice(text).map_err(|error| ListError::Syntax { line, message: error.to_string() })?;
            if file.line().as_bytes() != text {
                return Err(ListError::Spelling { line });
            }
            if file.size > MAX_FILE_BYTES {
                return Err(ListError::Size { line, got: file.size });
            }
            // A repeated path is left to the set, which names the fault better.
            if files.last().is_some_and(|last| last.path > file.path) {
                return Err(ListError::Order { line, path: file.path });
            }
            set.insert(&file.path).map_err(|source| ListError::Clash { line, source })?;
            files.push(file);
        }
        Ok(Self { files })
    }

    /// What differs in `found` from this record, in the order of the paths.
    pub fn compare(&self, found: &ReadData) -> Vec<DataDifference> {
        let mut differences = Vec::new();
        let (mut recorded, mut found) = (self.files.iter().peekable(), found.manifest().files.iter().peekable());
        loop {
            let order = match (recorded.peek(), found.peek()) {
                (None, None) => return differences,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(left), Some(right)) => left.path.cmp(&right.path),
            };
            let left = recorded.next_if(|_| order != Ordering::Greater);
            let right = found.next_if(|_| order != Ordering::Less);
            differences.extend(match (left, right) {
                (Some(left), Some(right)) if left == right => None,
                (Some(left), Some(right)) => {
                    Some(DataDifference::Changed { recorded: left.clone(), found: right.clone() })
                }
                (Some(left), None) => Some(DataDifference::Missing(left.clone())),
                (None, Some(right)) => Some(DataDifference::Added(right.clone())),
                (None, None) => None,
            });
        }
    }
}

impl DataFile {
    fn leaf(&self) -> Vec<u8> {
        let mut leaf = Vec::new();
        for field in [LEAF_DOMAIN, self.path.as_str()] {
            leaf.extend_from_slice(&(field.len() as u64).to_le_bytes());
            leaf.extend_from_slice(field.as_bytes());
        }
        leaf.extend_from_slice(&self.size.to_le_bytes());
        leaf.extend_from_slice(self.blake3.as_bytes());
        leaf
    }

    fn line(&self) -> String {
        serde_json::to_string(self).expect("strings and an integer always serialize")
    }
}

impl fmt::Display for DataDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed { recorded, found } => write!(
                f,
                "{} changed: expected {} bytes, BLAKE3 {}, got {} bytes, BLAKE3 {}",
                recorded.path, recorded.size, recorded.blake3, found.size, found.blake3
            ),
            Self::Missing(file) => write!(f, "{} is missing", file.path),
            Self::Added(file) => write!(f, "{} was added", file.path),
        }
    }
}

fn directory(root: &Path) -> Result<(), DataError> {
    let found = fs::metadata(root).map_err(|source| read_error(root, source))?;
    if found.is_dir() { Ok(()) } else { Err(kind_error(root, "directory", &found)) }
}

/// The folder that the paths of a data set's files are below: the data set's own, or the one around a single file.
pub fn folder_of_set(root: &Path) -> &Path {
    if root.is_file() { folder_of(root) } else { root }
}

/// Every file of the data set at `root`, in no order: of a single file, its name.
///
/// # Errors
/// [`DataError`], as [`HashedData::remembered`].
pub(super) fn paths_of_set(root: &Path) -> Result<Vec<RelativePath>, DataError> {
    if !root.is_file() {
        return paths_below(root);
    }
    // A link to a file would be followed here, and refused when it is opened: that is said at once.
    let found = fs::symlink_metadata(root).map_err(|source| read_error(root, source))?;
    if !found.is_file() {
        return Err(kind_error(root, "regular file", &found));
    }
    let name = root.file_name().unwrap_or_default();
    let name = name.to_str().ok_or_else(|| DataError::Name { path: root.to_owned() })?;
    Ok(vec![RelativePath::parse(name).map_err(|source| path_error(folder_of(root), source))?])
}

/// Every file below `root`, in no order.
///
/// # Errors
/// [`DataError`], as [`HashedData::remembered`].
pub(super) fn paths_below(root: &Path) -> Result<Vec<RelativePath>, DataError> {
    directory(root)?;
    let mut paths = Vec::new();
    let mut pending = vec![(root.to_owned(), String::new())];
    while let Some((directory, prefix)) = pending.pop() {
        let entries = fs::read_dir(&directory).map_err(|source| read_error(&directory, source))?;
        for entry in entries {
            let entry = entry.map_err(|source| read_error(&directory, source))?;
            let path = entry.path();
            let name = entry.file_name();
            let name = name.to_str().ok_or_else(|| DataError::Name { path: path.clone() })?;
            let relative = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}/{name}") };
            let kind = entry.file_type().map_err(|source| read_error(&path, source))?;
            if kind.is_dir() {
                pending.push((path, relative));
            } else if kind.is_file() {
                // The kind is checked again when the file is opened.
                paths.push(RelativePath::parse(&relative).map_err(|source| path_error(root, source))?);
            } else {
                // Said before a byte of the others is read.
                let found = fs::symlink_metadata(&path).map_err(|source| read_error(&path, source))?;
                return Err(kind_error(&path, "regular file", &found));
            }
        }
    }
    Ok(paths)
}

fn read_error(path: &Path, source: io::Error) -> DataError {
    DataError::Read { path: path.to_owned(), source }
}

fn path_error(root: &Path, source: PathError) -> DataError {
    DataError::Path { root: root.to_owned(), source }
}

fn kind_error(path: &Path, expected: &'static str, found: &Metadata) -> DataError {
    let got = match found.file_type() {
        kind if kind.is_symlink() => "symlink",
        kind if kind.is_dir() => "directory",
        kind if kind.is_file() => "regular file",
        _ => "special file",
    };
    DataError::Kind { path: path.to_owned(), expected, got }
}

#[cfg(test)]
mod tests;
