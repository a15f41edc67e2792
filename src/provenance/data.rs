//! What data went into a run: path, size and BLAKE3 of every file, under one Merkle root.
//!
//! The list lies in the run directory as JSON Lines; the root and the totals are signed. This module hashes what is on
//! the disk when it is asked; whoever trains hashes again at the end, or hashes the bytes it feeds.
//!
//! **Leaf encoding.** One leaf per file, in the order of the paths' bytes. Lengths and sizes are little-endian `u64`:
//! `len(domain) ‖ domain ‖ len(path) ‖ path ‖ size ‖ BLAKE3(content)`, with the domain `spectramind/data-file/v1`.
//! The root is [`MerkleLog`]'s over these leaves.

use std::cmp::Ordering;
use std::fmt;
use std::fs::{self, File, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::digest::Blake3Digest;
use crate::merkle::MerkleLog;

use super::path::{PathError, PathSet, RelativePath};

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
    #[error("{path}: the name is not UTF-8")]
    Name {
        /// The path, approximately.
        path: PathBuf,
    },
    /// A path that is not acceptable, or clashes with another.
    #[error("data below {root}")]
    Path {
        /// The root of the data set.
        root: PathBuf,
        /// Which, and why.
        source: PathError,
    },
    /// The file was written to while it was read.
    #[error("{path} changed while it was hashed")]
    Changed {
        /// The file.
        path: PathBuf,
    },
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
    #[error("data list, line {line}: not in canonical form")]
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

impl DataManifest {
    /// Hashes every file below `root`, which may itself be reached through a symlink.
    ///
    /// Streamed: memory grows with the number of files, not with their sizes. Empty directories are not recorded.
    ///
    /// # Errors
    /// [`DataError`]: also for a symlink, a device or any other thing that is no regular file or directory.
    pub fn of_tree(root: &Path) -> Result<Self, DataError> {
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
                } else {
                    // The kind is checked again when the file is opened.
                    paths.push(RelativePath::parse(&relative).map_err(|source| path_error(root, source))?);
                }
            }
        }
        Self::of_paths(root, paths)
    }

    /// Hashes the named files below `root`, in any order.
    ///
    /// # Errors
    /// [`DataError`]: also for a symlink anywhere below the root, and for a path that is not acceptable or named twice.
    pub fn of_files<P: AsRef<str>>(root: &Path, paths: &[P]) -> Result<Self, DataError> {
        directory(root)?;
        let parse = |path: &P| RelativePath::parse(path.as_ref()).map_err(|source| path_error(root, source));
        Self::of_paths(root, paths.iter().map(parse).collect::<Result<_, _>>()?)
    }

    fn of_paths(root: &Path, mut paths: Vec<RelativePath>) -> Result<Self, DataError> {
        paths.sort();
        let mut set = PathSet::new();
        let mut files = Vec::with_capacity(paths.len());
        for path in paths {
            set.insert(&path).map_err(|source| path_error(root, source))?;
            files.push(hash(root, path)?);
        }
        Ok(Self { files })
    }

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
    pub fn compare(&self, found: &Self) -> Vec<DataDifference> {
        let mut differences = Vec::new();
        let (mut recorded, mut found) = (self.files.iter().peekable(), found.files.iter().peekable());
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

/// Hashes one file, refusing a symlink at any component below the root.
fn hash(root: &Path, path: RelativePath) -> Result<DataFile, DataError> {
    let mut full = root.to_owned();
    let mut components = path.as_str().split('/').peekable();
    let mut before = None;
    while let Some(component) = components.next() {
        full.push(component);
        let found = fs::symlink_metadata(&full).map_err(|source| read_error(&full, source))?;
        let (right, expected) = match components.peek() {
            Some(_) => (found.is_dir(), "directory"),
            None => (found.is_file(), "regular file"),
        };
        if !right {
            return Err(kind_error(&full, expected, &found));
        }
        before = Some(found);
    }
    let before = before.expect("a relative path has a component");
    let file = File::open(&full).map_err(|source| read_error(&full, source))?;
    let stat = || file.metadata().map_err(|source| read_error(&full, source));
    // Between the look and the opening somebody may have put a symlink there.
    let opened = stat()?;
    let mut hasher = blake3::Hasher::new();
    if same_file(&before, &opened) {
        hasher.update_reader(&file).map_err(|source| read_error(&full, source))?;
    }
    let after = stat()?;
    let size = hasher.count();
    let unchanged =
        same_file(&before, &after) && after.len() == size && after.modified().ok() == opened.modified().ok();
    if !unchanged {
        return Err(DataError::Changed { path: full });
    }
    Ok(DataFile { path, size, blake3: Blake3Digest::from_bytes(*hasher.finalize().as_bytes()) })
}

#[cfg(unix)]
fn same_file(left: &Metadata, right: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (left.dev(), left.ino()) == (right.dev(), right.ino())
}

#[cfg(not(unix))]
fn same_file(left: &Metadata, right: &Metadata) -> bool {
    left.is_file() && right.is_file() && left.created().ok() == right.created().ok()
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
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().expect("a temporary directory");
        for (path, content) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().expect("below the root")).expect("a directory");
            fs::write(path, content).expect("a file");
        }
        root
    }

    fn of(files: &[(&str, &str)]) -> DataManifest {
        DataManifest::of_tree(tree(files).path()).expect("acceptable data")
    }

    const FILES: [(&str, &str); 4] = [("b", "abc"), ("a/c", ""), ("a-b", "1"), ("a/b", "2")];

    #[test]
    fn files_are_listed_in_the_order_of_their_paths_bytes() {
        let manifest = of(&FILES);
        let paths: Vec<_> = manifest.files().iter().map(|file| file.path.as_str()).collect();
        assert_eq!(paths, ["a-b", "a/b", "a/c", "b"]);
        assert_eq!(manifest.total_bytes(), 5);
        assert_eq!(manifest.files()[3].blake3.as_bytes(), blake3::hash(b"abc").as_bytes());
    }

    #[test]
    fn the_root_is_stable() {
        assert_eq!(
            of(&FILES).merkle_root().to_string(),
            "53f7e489f4336e0d52ae6963d0f8f344bdbda8ed533b68ea75934190b46f0d4e"
        );
    }

    #[test]
    fn a_leaf_is_encoded_as_documented() {
        let file = &of(&[("b", "abc")]).files()[0].clone();
        let mut leaf = vec![24, 0, 0, 0, 0, 0, 0, 0];
        leaf.extend_from_slice(b"spectramind/data-file/v1\x01\0\0\0\0\0\0\0b\x03\0\0\0\0\0\0\0");
        leaf.extend_from_slice(blake3::hash(b"abc").as_bytes());
        assert_eq!(file.leaf(), leaf);
    }

    #[test]
    fn content_name_and_size_all_show_in_the_root() {
        let root = of(&[("a", "1")]).merkle_root();
        for other in [of(&[("a", "2")]), of(&[("b", "1")]), of(&[("a", "1"), ("b", "")]), of(&[])] {
            assert_ne!(other.merkle_root(), root);
        }
    }

    #[test]
    fn differences_are_named() {
        let recorded = of(&[("changed", "1"), ("missing", "1"), ("old", "1"), ("same", "1")]);
        let found = of(&[("added", "1"), ("changed", "22"), ("new", "1"), ("same", "1")]);
        let named: Vec<_> = recorded.compare(&found).iter().map(ToString::to_string).collect();
        assert_eq!(named.len(), 5);
        assert_eq!(named[0], "added was added");
        assert!(named[1].starts_with("changed changed: expected 1 bytes, BLAKE3 "), "{}", named[1]);
        assert_eq!(named[2..], ["missing is missing", "new was added", "old is missing"]);
        assert_eq!(recorded.compare(&recorded), []);
    }

    #[test]
    fn named_files_are_hashed_and_others_are_not() {
        let root = tree(&FILES);
        let some = DataManifest::of_files(root.path(), &["b", "a/c"]).expect("acceptable data");
        assert_eq!(some, of(&[("b", "abc"), ("a/c", "")]));
        let twice = DataManifest::of_files(root.path(), &["b", "b"]).expect_err("named twice");
        assert!(matches!(twice, DataError::Path { source: PathError::Duplicate { .. }, .. }), "{twice}");
        let climbing = DataManifest::of_files(root.path(), &["../b"]).expect_err("climbs");
        assert!(matches!(climbing, DataError::Path { source: PathError::Refused { .. }, .. }), "{climbing}");
    }

    #[test]
    fn a_missing_file_is_named() {
        let root = tree(&FILES);
        let error = DataManifest::of_files(root.path(), &["c"]).expect_err("no such file");
        assert_eq!(error.to_string(), format!("cannot read {}", root.path().join("c").display()));
    }

    #[test]
    fn a_root_that_is_a_file_is_refused() {
        let root = tree(&FILES);
        let error = DataManifest::of_tree(&root.path().join("b")).expect_err("a file");
        assert!(error.to_string().ends_with("expected a directory, got a regular file"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn a_symlink_is_refused() {
        let root = tree(&FILES);
        std::os::unix::fs::symlink("b", root.path().join("link")).expect("a symlink");
        let error = DataManifest::of_tree(root.path()).expect_err("a symlink");
        assert!(error.to_string().ends_with("link: expected a regular file, got a symlink"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn a_file_behind_a_symlinked_directory_is_refused() {
        let root = tree(&FILES);
        std::os::unix::fs::symlink("a", root.path().join("link")).expect("a symlink");
        let error = DataManifest::of_files(root.path(), &["link/b"]).expect_err("a symlink");
        assert!(error.to_string().ends_with("link: expected a directory, got a symlink"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn a_special_file_is_refused_and_never_opened() {
        let root = tree(&FILES);
        let _socket = std::os::unix::net::UnixListener::bind(root.path().join("socket")).expect("a socket");
        let error = DataManifest::of_tree(root.path()).expect_err("a socket");
        assert!(error.to_string().ends_with("expected a regular file, got a special file"), "{error}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_name_that_is_not_utf_8_is_refused() {
        use std::os::unix::ffi::OsStrExt;
        let root = tree(&FILES);
        fs::write(root.path().join(std::ffi::OsStr::from_bytes(b"\xff")), "").expect("a file");
        let error = DataManifest::of_tree(root.path()).expect_err("not UTF-8");
        assert!(matches!(error, DataError::Name { .. }), "{error}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn names_that_differ_in_case_only_are_refused() {
        let root = tree(&[("a/x", ""), ("A/y", "")]);
        let error = DataManifest::of_tree(root.path()).expect_err("a clash");
        assert!(matches!(error, DataError::Path { source: PathError::CaseClash { .. }, .. }), "{error}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_backslash_in_a_name_is_refused() {
        let root = tree(&[("a\\b", "")]);
        let error = DataManifest::of_tree(root.path()).expect_err("a backslash");
        assert!(matches!(error, DataError::Path { source: PathError::Refused { .. }, .. }), "{error}");
    }

    fn refusal(list: &str) -> ListError {
        DataManifest::from_jsonl(list.as_bytes()).expect_err(list)
    }

    fn line(path: &str) -> String {
        format!("{{\"path\":\"{path}\",\"size\":1,\"blake3\":\"{}\"}}\n", "0".repeat(64))
    }

    #[test]
    fn a_list_in_another_spelling_is_refused() {
        let spaced = line("a").replace(',', ", ");
        let escaped = line("a").replace("\"a\"", "\"\\u0061\"");
        let reordered = format!("{{\"size\":1,\"path\":\"a\",\"blake3\":\"{}\"}}\n", "0".repeat(64));
        for list in [spaced, escaped, reordered, line("a").replace('\n', "\r\n")] {
            assert_eq!(refusal(&list), ListError::Spelling { line: 1 });
        }
    }

    #[test]
    fn a_list_with_a_foreign_line_is_refused() {
        let unknown = line("a").replace("{", "{\"mode\":1,");
        let doubled = line("a").replace("\"size\":1", "\"size\":1,\"size\":1");
        for list in ["\n", "null\n", &unknown, &doubled, &line("/a"), &line("a").replace('1', "-1")] {
            assert!(matches!(refusal(list), ListError::Syntax { line: 1, .. }), "{list}");
        }
    }

    #[test]
    fn a_list_out_of_order_is_refused() {
        let path = RelativePath::parse("a").expect("a path");
        assert_eq!(refusal(&(line("b") + &line("a"))), ListError::Order { line: 2, path });
    }

    #[test]
    fn a_list_with_clashing_paths_is_refused() {
        for (first, second) in [("a", "a"), ("A", "a"), ("a", "a/b")] {
            assert!(matches!(refusal(&(line(first) + &line(second))), ListError::Clash { line: 2, .. }));
        }
    }

    #[test]
    fn a_truncated_list_is_refused() {
        let list = line("a") + &line("b");
        assert_eq!(refusal(list.trim_end()), ListError::Truncated { line: 2 });
    }

    #[test]
    fn a_size_that_json_cannot_hold_is_refused() {
        let list = line("a").replace(":1,", ":9007199254740992,");
        assert_eq!(refusal(&list), ListError::Size { line: 1, got: 1 << 53 });
    }

    proptest! {
        #[test]
        fn lists_round_trip(names in prop::collection::btree_map("[a-z\"é ]{1,8}", (0..MAX_FILE_BYTES, any::<[u8; 32]>()), 0..8)) {
            let files = names.into_iter().map(|(name, (size, digest))| DataFile {
                path: RelativePath::parse(&name).expect("no slash, no dot"),
                size,
                blake3: Blake3Digest::from_bytes(digest),
            });
            let manifest = DataManifest { files: files.collect() };
            prop_assert_eq!(DataManifest::from_jsonl(manifest.to_jsonl().as_bytes()), Ok(manifest));
        }
    }
}
