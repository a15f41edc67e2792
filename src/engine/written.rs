//! The files of a run that one process writes whole, and reads back before the run is signed.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::run_dir::{RunDirError, at};
use crate::digest::{Blake3Digest, FileDigest};
use crate::durable;

/// A directory, and what this process wrote whole into it.
#[derive(Debug)]
pub struct WrittenFiles {
    root: PathBuf,
    /// By the paths inside the directory.
    written: RefCell<BTreeMap<String, Blake3Digest>>,
}

impl WrittenFiles {
    /// None yet, in a directory that is there.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), written: RefCell::default() }
    }

    /// The directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Writes a file whole, by its path inside the directory.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_file(&self, name: &str, bytes: &[u8]) -> Result<(), RunDirError> {
        let path = self.root.join(name);
        durable::write_whole(&path, bytes).map_err(at(&path))?;
        self.written.borrow_mut().insert(name.to_owned(), FileDigest::of_bytes(bytes).blake3);
        Ok(())
    }

    /// Forgets a file, which need not be there any more.
    pub(super) fn forget(&self, name: &str) {
        self.written.borrow_mut().remove(name);
    }

    /// Reads every file back: are they as they were written?
    ///
    /// # Errors
    /// [`RunDirError::Changed`] with the first that is not, and when one cannot be read.
    pub fn check_unchanged(&self) -> Result<(), RunDirError> {
        for (name, expected) in &*self.written.borrow() {
            let path = self.root.join(name);
            let got = FileDigest::of_file(&path).map_err(at(&path))?.blake3;
            if got != *expected {
                return Err(RunDirError::Changed { path, expected: *expected, got });
            }
        }
        Ok(())
    }
}
