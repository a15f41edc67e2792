//! Reading the files of a list, each checked against the list as it is read.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{DataFile, DataManifest};
use crate::digest::{Blake3Digest, FileDigest};
use crate::failure::{Advice, FailureKind};
use crate::foreign::{self, ForeignError};

/// A folder of which nothing but the files of a list can be read.
///
/// A file is opened once, its bytes are read into memory and hashed there, and what is handed out is what was hashed. So
/// the set that was checked is the set that is used, whatever anybody does to the folder in between.
#[derive(Debug, Clone)]
pub struct ListedFiles {
    root: PathBuf,
    list: Arc<DataManifest>,
}

/// A file that is not handed out.
#[derive(Debug, thiserror::Error)]
pub enum ListedError {
    /// The list does not name it, whether or not it is there.
    #[error("{path}: expected a file of the data set's list, got one that it does not name", path = path.display())]
    NotListed {
        /// The file.
        path: PathBuf,
    },
    /// It cannot be read.
    #[error(transparent)]
    Foreign(#[from] ForeignError),
    /// It is not what the list says.
    #[error("{path}: expected {size} bytes with BLAKE3 {expected}, got other ones", path = path.display())]
    Other {
        /// The file.
        path: PathBuf,
        /// Its size by the list.
        size: u64,
        /// Its digest by the list.
        expected: Blake3Digest,
    },
}

impl Advice for ListedError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Foreign(error) => error.hint(),
            Self::NotListed { .. } | Self::Other { .. } => None,
        }
    }

    fn kind(&self) -> FailureKind {
        match self {
            Self::Foreign(error) => error.kind(),
            Self::NotListed { .. } | Self::Other { .. } => FailureKind::Failed,
        }
    }
}

impl ListedFiles {
    /// The files of `list` below `root`.
    pub fn new(root: impl Into<PathBuf>, list: DataManifest) -> Self {
        Self { root: root.into(), list: Arc::new(list) }
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The list.
    pub fn list(&self) -> &DataManifest {
        &self.list
    }

    /// What the list says of a file by its path below the folder.
    pub fn file(&self, path: &str) -> Option<&DataFile> {
        let files = self.list.files();
        files.binary_search_by(|file| file.path.as_str().cmp(path)).ok().map(|at| &files[at])
    }

    /// The bytes of a file by its path below the folder. Its size by the list is for the caller to judge before.
    ///
    /// # Errors
    /// [`ListedError`].
    pub fn read(&self, path: &str) -> Result<Vec<u8>, ListedError> {
        let Some(&DataFile { size, blake3: expected, .. }) = self.file(path) else {
            return Err(ListedError::NotListed { path: self.root.join(path) });
        };
        let other = || ListedError::Other { path: self.root.join(path), size, expected };
        let file = foreign::open(&self.root, path)?;
        if file.size() != size {
            return Err(other());
        }
        let bytes = file.read(size)?;
        match FileDigest::blake3_of_bytes(&bytes) == expected {
            true => Ok(bytes),
            false => Err(other()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provenance::data::ReadData;

    fn listed() -> (tempfile::TempDir, ListedFiles) {
        let folder = tempfile::tempdir().expect("temp dir");
        for name in ["a", "b"] {
            std::fs::write(folder.path().join(name), name).expect("write");
        }
        let list = ReadData::of_tree(folder.path()).expect("hashes").manifest().clone();
        let files = ListedFiles::new(folder.path(), list);
        (folder, files)
    }

    #[test]
    fn a_file_that_is_not_listed_is_not_handed_out_though_it_is_there() {
        let (folder, files) = listed();
        std::fs::write(folder.path().join("c"), "c").expect("write");
        assert!(matches!(files.read("c"), Err(ListedError::NotListed { .. })));
        assert!(matches!(files.read("../a"), Err(ListedError::NotListed { .. })));
        assert_eq!(files.read("a").expect("reads"), b"a");
    }

    #[test]
    fn a_file_that_was_exchanged_after_it_was_listed_is_not_handed_out() {
        let (folder, files) = listed();
        for other in ["x", "longer", ""] {
            std::fs::write(folder.path().join("b"), other).expect("write");
            assert!(matches!(files.read("b"), Err(ListedError::Other { size: 1, .. })), "{other}");
        }
        std::fs::remove_file(folder.path().join("b")).expect("remove");
        assert!(matches!(files.read("b"), Err(ListedError::Foreign(error)) if error.is_missing()));
    }
}
