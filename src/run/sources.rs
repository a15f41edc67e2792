//! The sources of a run, and what of them is kept beside the record.

use std::path::{Path, PathBuf};

use crate::durable;
use crate::engine::written::WrittenFiles;
use crate::failure::{Context, Failure};
use crate::provenance::git::{self, GitRecord, UNCOMMITTED_PATCH};
use crate::provenance::path::RelativePath;

/// The work tree that a run is made from.
#[derive(Debug)]
pub struct Sources {
    record: Option<GitRecord>,
    patch: Vec<u8>,
}

impl Sources {
    /// Compares the work tree around the working directory with its commit, and lists which of the files that the run
    /// `reads` git does not know.
    ///
    /// # Errors
    /// When the repository cannot be read, or the changes are too many to keep.
    pub fn read(reads: &[PathBuf], keep_diff: bool) -> Result<Self, Failure> {
        let here = Path::new(".");
        if !keep_diff {
            return Ok(Self { record: git::read(here, reads)?, patch: Vec::new() });
        }
        let Some((mut record, patch)) = git::read_with_patch(here, reads)? else {
            return Ok(Self { record: None, patch: Vec::new() });
        };
        record.patch =
            (!patch.is_empty()).then(|| RelativePath::parse(UNCOMMITTED_PATCH).expect("a constant is a path"));
        Ok(Self { record: Some(record), patch })
    }

    /// What is recorded of them; nothing outside of a repository.
    pub fn record(&self) -> Option<&GitRecord> {
        self.record.as_ref()
    }

    /// Writes the uncommitted changes, if they are kept, into the run directory.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn write(&self, run: &WrittenFiles) -> Result<(), Failure> {
        if !self.patch.is_empty() {
            let path = run.root().join(UNCOMMITTED_PATCH);
            let folder = durable::folder_of(&path);
            std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
            run.write_file(UNCOMMITTED_PATCH, &self.patch)?;
        }
        Ok(())
    }
}
