//! A run directory and what its manifest says of it, **signatures not verified**: for pictures, reports and copies.
//!
//! Files are handed out only if they are those that the manifest names, byte for byte. So what is shown is what was signed;
//! who signed it, and whether it is true, is for an audit to say.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::dsse::MAX_BUNDLE_BYTES;
use super::predicate::{DataRecord, TrainingRun};
use super::statement::{Statement, Subject};
use super::verified::{VerificationError, unverified};
use crate::digest::{FileDigest, Sha256Digest, sha256};
use crate::failure::{Advice, FailureKind};
use crate::foreign::{self, ForeignError, ForeignFile};
use crate::provenance::data::{DataManifest, ListError, ListedFiles};

/// Name of the manifest inside a run directory.
pub const MANIFEST: &str = "manifest.intoto.jsonl";

/// Largest file that is read into memory.
const MAX_READ_BYTES: u64 = 1 << 30;

/// A run directory with its manifest.
#[derive(Debug, Clone)]
pub struct ClaimedRun {
    root: PathBuf,
    bundle: Vec<u8>,
    statement: Statement<TrainingRun>,
    identity: Sha256Digest,
}

/// A run whose files are not handed out.
#[derive(Debug, thiserror::Error)]
pub enum ClaimedError {
    /// No run that came to its end.
    #[error("{root}: expected a signed run, with {MANIFEST}, got none", root = root.display())]
    Unsigned {
        /// The directory.
        root: PathBuf,
    },
    /// A manifest that is none.
    #[error("{path}: {source}", path = path.display())]
    Manifest {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: VerificationError,
    },
    /// A file that nobody signed, whether or not it is there.
    #[error("{path}: expected a file that the manifest names, got one that it does not", path = path.display())]
    NotNamed {
        /// The file.
        path: PathBuf,
    },
    /// A file that cannot be read.
    #[error(transparent)]
    Foreign(#[from] ForeignError),
    /// A file that was changed.
    #[error("{path}: expected {expected}, as the manifest says, got {got}", path = path.display())]
    Other {
        /// The file.
        path: PathBuf,
        /// What was signed.
        expected: String,
        /// What is there.
        got: String,
    },
    /// A signed list of data files that is none.
    #[error("{path}: {source}", path = path.display())]
    List {
        /// The list.
        path: PathBuf,
        /// Why not.
        source: ListError,
    },
    /// A copy that cannot be written.
    #[error("{path}: {source}", path = path.display())]
    Write {
        /// The copy.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
}

impl Advice for ClaimedError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Unsigned { root } => Some(format!(
                "name a run directory (spectramind runs list); one that was stopped is finished by spectramind train --resume {}",
                root.display()
            )),
            Self::Foreign(error) => error.hint(),
            Self::Other { .. } => {
                Some("get the run directory again: nothing of it is used while a file is not the signed one".into())
            }
            Self::Manifest { .. } | Self::NotNamed { .. } | Self::List { .. } | Self::Write { .. } => None,
        }
    }

    fn kind(&self) -> FailureKind {
        match self {
            Self::Unsigned { .. } | Self::Write { .. } => FailureKind::Missing,
            Self::Foreign(error) => error.kind(),
            Self::Manifest { .. } | Self::NotNamed { .. } | Self::Other { .. } | Self::List { .. } => {
                FailureKind::Failed
            }
        }
    }
}

impl ClaimedRun {
    /// Reads the manifest of a run directory.
    ///
    /// # Errors
    /// [`ClaimedError`]
    pub fn open(root: &Path) -> Result<Self, ClaimedError> {
        let file = foreign::open(root, MANIFEST).map_err(|error| match error.is_missing() {
            true => ClaimedError::Unsigned { root: root.to_owned() },
            false => error.into(),
        })?;
        let bundle = file.read(MAX_BUNDLE_BYTES as u64)?;
        let path = root.join(MANIFEST);
        let (statement, identity) = unverified(&bundle).map_err(|source| ClaimedError::Manifest { path, source })?;
        Ok(Self { root: root.to_owned(), bundle, statement, identity })
    }

    /// The directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What is claimed.
    pub fn claim(&self) -> &TrainingRun {
        &self.statement.predicate
    }

    /// The identity of the manifest: SHA-256 of its payload.
    pub fn identity(&self) -> Sha256Digest {
        self.identity
    }

    /// A path beside the run directory, with its name and more.
    pub fn beside(&self, suffix: &str) -> PathBuf {
        // `.` and links have a name elsewhere.
        let named = self.root.file_name().is_some() && !self.root.is_symlink();
        let root = if named { None } else { self.root.canonicalize().ok() };
        let root = root.as_ref().unwrap_or(&self.root);
        let mut name = root.file_name().unwrap_or_default().to_owned();
        name.push(suffix);
        root.with_file_name(name)
    }

    /// Whether a path leads into the run directory, in which an audit refuses every file that nobody signed. It need not be
    /// there: then its nearest folder that is decides.
    pub fn holds(&self, path: &Path) -> bool {
        let Ok(root) = self.root.canonicalize() else { return false };
        let there = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        // Links and `..` may lead back.
        there.ancestors().find_map(|folder| folder.canonicalize().ok()).is_some_and(|folder| folder.starts_with(root))
    }

    /// The bytes of the manifest.
    pub fn bundle(&self) -> &[u8] {
        &self.bundle
    }

    /// The names of the signed files.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.statement.subject.iter().map(|subject| subject.name.as_str())
    }

    /// Whether the manifest names a file.
    pub fn has(&self, name: &str) -> bool {
        self.names().any(|named| named == name)
    }

    /// A signed file.
    ///
    /// # Errors
    /// [`ClaimedError`], for one that is not there, is too large, or is not the signed one.
    pub fn read(&self, name: &str) -> Result<Vec<u8>, ClaimedError> {
        let (file, expected) = self.file(name)?;
        let bytes = file.read(MAX_READ_BYTES)?;
        self.compare(&self.root.join(name), expected, sha256(&bytes)).map(|()| bytes)
    }

    /// Copies a signed file of any size to where nothing is yet, and reads the copy back.
    ///
    /// # Errors
    /// As [`read`](Self::read), and when it cannot be written.
    pub fn copy(&self, name: &str, to: &Path) -> Result<(), ClaimedError> {
        let (file, expected) = self.file(name)?;
        let failed = |source| ClaimedError::Write { path: to.to_owned(), source };
        let mut copy = File::options().write(true).create_new(true).open(to).map_err(failed)?;
        std::io::copy(&mut file.into_file(), &mut copy).and_then(|_| copy.sync_all()).map_err(failed)?;
        // Of the copy: the file may have been changed while it was read.
        let got = FileDigest::of_file(to).map_err(failed)?.sha256;
        self.compare(&self.root.join(name), expected, got)
    }

    /// The files of a data set below `root`, by the list that was signed.
    ///
    /// # Errors
    /// As [`read`](Self::read), and for a list that is none.
    pub fn data(&self, record: &DataRecord, root: &Path) -> Result<ListedFiles, ClaimedError> {
        let name = record.list.as_str();
        let list = DataManifest::from_jsonl(&self.read(name)?);
        let list = list.map_err(|source| ClaimedError::List { path: self.root.join(name), source })?;
        Ok(ListedFiles::new(root, list))
    }

    /// Opens a signed file, which has to be as large as the record says before a byte of it is read.
    fn file(&self, name: &str) -> Result<(ForeignFile, Sha256Digest), ClaimedError> {
        let path = || self.root.join(name);
        let subject = self.statement.subject.iter().find(|subject| subject.name.as_str() == name);
        let size = self.claim().files.iter().find(|file| file.path.as_str() == name).map(|file| file.size.0);
        let (Some(Subject { digest, .. }), Some(size)) = (subject, size) else {
            return Err(ClaimedError::NotNamed { path: path() });
        };
        let file = foreign::open(&self.root, name)?;
        if file.size() != size {
            let (expected, got) = (format!("{size} bytes"), file.size().to_string());
            return Err(ClaimedError::Other { path: path(), expected, got });
        }
        Ok((file, digest.sha256))
    }

    fn compare(&self, path: &Path, expected: Sha256Digest, got: Sha256Digest) -> Result<(), ClaimedError> {
        match got == expected {
            true => Ok(()),
            false => Err(ClaimedError::Other {
                path: path.to_owned(),
                expected: format!("sha256 {expected}"),
                got: got.to_string(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::FileDigest;
    use crate::manifest::predicate::FileRecord;
    use crate::manifest::predicate::tests::example;
    use crate::manifest::statement::SubjectDigest;
    use crate::manifest::strict_json::DecimalU64;
    use crate::provenance::path::RelativePath;

    /// A run with one file, `logs/a`.
    fn run(folder: &Path) -> ClaimedRun {
        let root = folder.join("run");
        std::fs::create_dir_all(root.join("logs")).expect("made");
        std::fs::write(root.join("logs/a"), "abc").expect("written");
        let name = RelativePath::parse("logs/a").expect("a path");
        let sha256 = FileDigest::of_bytes(b"abc").sha256;
        let subject = vec![Subject { name: name.clone(), digest: SubjectDigest { sha256 } }];
        let claim = TrainingRun { files: vec![FileRecord { path: name, size: DecimalU64(3) }], ..example() };
        let statement = Statement::new(subject, claim).expect("a statement");
        ClaimedRun { root, bundle: Vec::new(), statement, identity: sha256 }
    }

    #[test]
    fn a_file_is_handed_out_only_as_it_was_signed() {
        let folder = tempfile::tempdir().expect("temp dir");
        let run = run(folder.path());
        let (path, copy) = (run.root().join("logs/a"), folder.path().join("copy"));
        assert_eq!(run.read("logs/a").expect("read"), b"abc");
        run.copy("logs/a", &copy).expect("copied");
        assert_eq!(std::fs::read(&copy).expect("read"), b"abc");
        assert!(matches!(run.copy("logs/a", &copy), Err(ClaimedError::Write { .. })), "nothing is written over");
        for (text, expected) in [("abd", "expected sha256"), ("abcd", "expected 3 bytes"), ("", "expected 3 bytes")] {
            std::fs::write(&path, text).expect("written");
            let error = run.read("logs/a").expect_err("changed").to_string();
            assert!(error.contains("logs/a: ") && error.contains(expected), "{error}");
            let error = run.copy("logs/a", &folder.path().join(format!("copy-{text}"))).expect_err("changed");
            assert!(error.to_string().contains(expected), "{error}");
        }
        std::fs::remove_file(&path).expect("removed");
        assert!(matches!(run.read("logs/a"), Err(ClaimedError::Foreign(error)) if error.is_missing()));
        std::fs::write(run.root().join("b"), "b").expect("written");
        for unsigned in ["b", "../copy", "manifest.intoto.jsonl"] {
            assert!(matches!(run.read(unsigned), Err(ClaimedError::NotNamed { .. })), "{unsigned}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_link_in_place_of_a_signed_file_is_not_followed() {
        let folder = tempfile::tempdir().expect("temp dir");
        let run = run(folder.path());
        std::fs::write(folder.path().join("elsewhere"), "abc").expect("written");
        std::fs::remove_file(run.root().join("logs/a")).expect("removed");
        std::os::unix::fs::symlink(folder.path().join("elsewhere"), run.root().join("logs/a")).expect("a link");
        assert!(run.read("logs/a").expect_err("a link").to_string().contains("symbolic link"));
    }

    #[test]
    fn a_path_into_the_run_is_told_from_one_beside_it() {
        let folder = tempfile::tempdir().expect("temp dir");
        let run = run(folder.path());
        let top = folder.path();
        let mut inside = vec![run.root().to_owned(), run.root().join("new/a"), run.root().join("logs/../b")];
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(run.root(), top.join("link")).expect("a link");
            inside.push(top.join("link/new"));
        }
        assert!(inside.iter().all(|path| run.holds(path)), "{inside:?}");
        for beside in [top.join("run-plots"), top.join("a/b"), run.root().join("../b")] {
            assert!(!run.holds(&beside), "{}", beside.display());
        }
        assert_eq!(run.beside("-plots"), top.join("run-plots"));
    }
}
