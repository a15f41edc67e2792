//! What a command made: the regular files below its run directory that were not there before.
//!
//! What *was* there, the config and Hydra's own files, the command must have left alone: it is looked at before and after.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::digest::FileDigest;
use crate::failure::Advice;
use crate::foreign::{self, ForeignError};
use crate::provenance::path::{PathError, PathSet, RelativePath};

/// Most files and folders of a run directory that are looked at.
pub const MAX_ENTRIES: u64 = 100_000;

/// A file that a command made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Where it is, below the run directory.
    pub path: RelativePath,
    /// Its size and digests.
    pub digest: FileDigest,
}

/// The files of a run directory before a command runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilesBefore {
    files: BTreeMap<RelativePath, FileDigest>,
}

/// A run directory that is not as it must be.
#[derive(Debug, thiserror::Error)]
pub enum OutputsError {
    /// Something that is no regular file.
    #[error("{path:?}: expected regular files and folders in the run directory, got a {got}")]
    Kind {
        /// What stands there.
        path: PathBuf,
        /// What it is.
        got: &'static str,
    },
    /// A file that the command should have left alone.
    #[error("{path} was there before the command ran: expected {expected}, got {got}", path = path.display())]
    Changed {
        /// The file.
        path: PathBuf,
        /// BLAKE3 of what it was.
        expected: String,
        /// BLAKE3 of what it is, or that it is gone.
        got: String,
    },
    /// A name that is not acceptable, or clashes with another.
    #[error("files below {root}: expected names that mean one file on every system", root = root.display())]
    Path {
        /// The run directory.
        root: PathBuf,
        /// Which, and why.
        source: PathError,
    },
    /// A file cannot be read, or there are too many.
    #[error(transparent)]
    Foreign(#[from] ForeignError),
}

impl Advice for OutputsError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Kind { .. } => {
                Some("a run is signed file by file: write regular files into the run directory".into())
            }
            Self::Changed { .. } => {
                Some("write files of other names: those that are there before the command are the record's".into())
            }
            Self::Path { .. } => Some("let the command choose other names".into()),
            Self::Foreign(error) => error.hint(),
        }
    }
}

impl FilesBefore {
    /// Looks at every file below the run directory.
    ///
    /// # Errors
    /// [`OutputsError`].
    pub fn of(run_directory: &Path) -> Result<Self, OutputsError> {
        let files = digests(run_directory, paths(run_directory)?)?;
        Ok(Self { files: files.into_iter().map(|file| (file.path, file.digest)).collect() })
    }

    /// The files.
    pub fn files(&self) -> impl Iterator<Item = (&RelativePath, &FileDigest)> {
        self.files.iter()
    }

    /// The files that are there now and were not, sorted by path, without those named in `others`: what the runner itself
    /// wrote meanwhile, the command's stdout and stderr, say.
    ///
    /// Nothing of the command may run any more.
    ///
    /// # Errors
    /// [`OutputsError`]: also for a link, a pipe, a socket or a device, and for a file that was there and is not as it was.
    pub fn outputs(&self, run_directory: &Path, others: &[&str]) -> Result<Vec<Output>, OutputsError> {
        let paths = paths(run_directory)?;
        let found = digests(run_directory, paths)?;
        let mut now: BTreeMap<RelativePath, FileDigest> =
            found.into_iter().map(|file| (file.path, file.digest)).collect();
        for (path, before) in &self.files {
            let after = now.remove(path);
            if after.as_ref() != Some(before) {
                return Err(OutputsError::Changed {
                    path: run_directory.join(path.as_str()),
                    expected: before.blake3.to_string(),
                    got: after.map_or_else(|| "nothing".to_owned(), |after| after.blake3.to_string()),
                });
            }
        }
        let outputs = now.into_iter().filter(|(path, _)| !others.contains(&path.as_str()));
        Ok(outputs.map(|(path, digest)| Output { path, digest }).collect())
    }
}

/// Every regular file, sorted; anything else is refused.
fn paths(root: &Path) -> Result<Vec<RelativePath>, OutputsError> {
    let refuse = |source| OutputsError::Path { root: root.to_owned(), source };
    let mut set = PathSet::new();
    let mut paths = Vec::new();
    for entry in foreign::list(root, MAX_ENTRIES)? {
        if let Some(got) = entry.odd {
            return Err(OutputsError::Kind { path: root.join(entry.name), got });
        }
        let path = RelativePath::parse(&entry.name).map_err(refuse)?;
        set.insert(&path).map_err(refuse)?;
        paths.push(path);
    }
    paths.sort();
    Ok(paths)
}

/// In the order of the paths.
fn digests(root: &Path, paths: Vec<RelativePath>) -> Result<Vec<Output>, OutputsError> {
    let digest = |path: RelativePath| -> Result<Output, OutputsError> {
        let digest = foreign::open(root, path.as_str())?.digest(u64::MAX - 1)?;
        Ok(Output { path, digest })
    };
    paths.into_par_iter().map(digest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run_directory() -> (tempfile::TempDir, FilesBefore) {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join(".hydra")).expect("a folder");
        std::fs::write(folder.path().join(".hydra/config.yaml"), b"a: 1\n").expect("a file");
        let before = FilesBefore::of(folder.path()).expect("readable");
        (folder, before)
    }

    fn refused(folder: &tempfile::TempDir, before: &FilesBefore) -> String {
        before.outputs(folder.path(), &[]).expect_err("refused").to_string()
    }

    #[test]
    fn what_was_not_there_before_is_an_output_sorted_by_path() {
        let (folder, before) = run_directory();
        std::fs::create_dir_all(folder.path().join("b/empty")).expect("a folder");
        for name in ["b/c", "a", "stdout.txt", ".hydra/new"] {
            std::fs::write(folder.path().join(name), name).expect("a file");
        }
        let outputs = before.outputs(folder.path(), &["stdout.txt"]).expect("readable");
        let names: Vec<_> = outputs.iter().map(|output| output.path.as_str()).collect();
        assert_eq!(names, [".hydra/new", "a", "b/c"]);
        assert_eq!(outputs[1].digest, FileDigest::of_bytes(b"a"));
    }

    #[test]
    fn a_file_that_was_there_must_be_as_it_was() {
        let (folder, before) = run_directory();
        let config = folder.path().join(".hydra/config.yaml");
        std::fs::write(&config, b"a: 2\n").expect("a file");
        assert!(refused(&folder, &before).contains(".hydra/config.yaml was there before the command ran: expected "));
        std::fs::remove_file(&config).expect("removed");
        assert!(refused(&folder, &before).ends_with(", got nothing"));
    }

    #[cfg(unix)]
    #[test]
    fn a_link_a_pipe_and_a_socket_are_refused_by_name() {
        let (folder, before) = run_directory();
        let path = folder.path().join("odd");
        std::os::unix::fs::symlink(".hydra/config.yaml", &path).expect("a link");
        assert!(
            refused(&folder, &before)
                .ends_with("odd\": expected regular files and folders in the run directory, got a symbolic link")
        );
        std::fs::remove_file(&path).expect("removed");
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0)
            .expect("a pipe");
        assert!(refused(&folder, &before).ends_with("got a named pipe"));
        std::fs::remove_file(&path).expect("removed");
        let _socket = std::os::unix::net::UnixListener::bind(&path).expect("a socket");
        assert!(refused(&folder, &before).ends_with("got a socket"));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn names_that_mean_two_things_are_refused() {
        use std::os::unix::ffi::OsStrExt;
        for names in [&[&b"a\\b"[..]][..], &[b"line\nend"], &[b"Model", b"model"], &[b"\xff"]] {
            let (folder, before) = run_directory();
            for name in names {
                std::fs::write(folder.path().join(std::ffi::OsStr::from_bytes(name)), b"").expect("a file");
            }
            assert!(before.outputs(folder.path(), &[]).is_err(), "{names:?}");
        }
    }
}
