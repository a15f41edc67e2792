//! Where the bytes of a data set come from.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::DataError;
use crate::digest::{Blake3Digest, blake3_of_file};
use crate::foreign;
use crate::provenance::data::ListedFiles;

/// The files that a data set is read from: a folder as it is now, or only what a list names.
///
/// Results that are signed, or compared with signed ones, come from a list: then the set that was checked is the set that
/// is used.
#[derive(Debug, Clone)]
pub enum DataSource {
    /// Whatever lies in the folder. Links are followed.
    Folder(PathBuf),
    /// What the list names, each file checked against it as it is read.
    Listed(ListedFiles),
}

/// A whole file in memory.
#[derive(Debug, Clone)]
pub struct LoadedFile {
    /// Where it was.
    pub path: PathBuf,
    /// Its bytes.
    pub bytes: Bytes,
}

impl LoadedFile {
    /// Reads a file that the user named, of at most `limit` bytes.
    ///
    /// # Errors
    /// [`DataError::Missing`], [`DataError::Io`], [`DataError::TooMuch`].
    pub fn named(what: &'static str, path: &Path, limit: u64) -> Result<Self, DataError> {
        let bytes = foreign::read_named(path, limit).map_err(|error| DataError::foreign(what, error))?;
        Ok(Self { path: path.to_owned(), bytes: bytes.into() })
    }
}

impl DataSource {
    /// The folder.
    pub fn root(&self) -> &Path {
        match self {
            Self::Folder(root) => root,
            Self::Listed(files) => files.root(),
        }
    }

    /// Reads a file, given by its path in the folder, of at most `limit` bytes.
    ///
    /// # Errors
    /// [`DataError::Missing`], [`DataError::Io`], [`DataError::TooMuch`]; with a list also [`DataError::NotListed`],
    /// [`DataError::NotAsListed`] and [`DataError::Foreign`].
    pub fn read(&self, what: &'static str, path: &Path, limit: u64) -> Result<LoadedFile, DataError> {
        let files = match self {
            Self::Folder(_) => return LoadedFile::named(what, path, limit),
            Self::Listed(files) => files,
        };
        let name = self.name(path);
        // A list may claim any size, and memory for it is reserved before the file is read.
        DataError::within(path, "bytes", limit, files.file(&name).map_or(0, |file| file.size))?;
        let bytes = files.read(&name).map_err(|error| DataError::listed(what, error))?;
        Ok(LoadedFile { path: path.to_owned(), bytes: bytes.into() })
    }

    /// As [`read`](Self::read); `None` for a file that is not there, or that the list does not name.
    ///
    /// # Errors
    /// As there.
    pub fn read_if_there(&self, what: &'static str, path: &Path, limit: u64) -> Result<Option<LoadedFile>, DataError> {
        match self.read(what, path, limit) {
            Ok(file) => Ok(Some(file)),
            Err(DataError::Missing { .. }) if matches!(self, Self::Folder(_)) => Ok(None),
            Err(DataError::NotListed { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// BLAKE3 of a file. A list knows it: whoever reads the file later gets bytes of that digest, or none.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn digest(&self, what: &'static str, path: &Path) -> Result<Blake3Digest, DataError> {
        match self {
            Self::Folder(_) => blake3_of_file(path).map_err(|source| DataError::reading(what, path, source)),
            Self::Listed(files) => match files.file(&self.name(path)) {
                Some(file) => Ok(file.blake3),
                None => Err(DataError::NotListed { what, path: path.to_owned() }),
            },
        }
    }

    /// Names of what lies directly in a folder.
    ///
    /// # Errors
    /// [`DataError`], when there is no such folder.
    pub(super) fn names(&self, what: &'static str, folder: &Path) -> Result<Vec<String>, DataError> {
        match self {
            Self::Folder(_) => {
                let listed = || -> io::Result<Vec<_>> { fs::read_dir(folder)?.collect() };
                let entries = listed().map_err(|source| DataError::reading(what, folder, source))?;
                // Nothing of the layout has a name that is no UTF-8.
                Ok(entries.into_iter().filter_map(|entry| entry.file_name().into_string().ok()).collect())
            }
            Self::Listed(files) => {
                let prefix = format!("{}/", self.name(folder));
                // The list is sorted, so what lies in a folder stands together.
                let all = files.list().files();
                let first = all.partition_point(|file| file.path.as_str() < prefix.as_str());
                let below = all[first..].iter().map_while(|file| file.path.as_str().strip_prefix(&prefix));
                let mut names: Vec<_> =
                    below.map(|path| path.split('/').next().unwrap_or_default().to_owned()).collect();
                names.dedup();
                match names.is_empty() {
                    true => Err(DataError::NotListed { what, path: folder.to_owned() }),
                    false => Ok(names),
                }
            }
        }
    }

    /// The error for something that the layout asks for and that is not there.
    pub(super) fn lacks(&self, what: &'static str, path: PathBuf) -> DataError {
        match self {
            Self::Folder(_) => DataError::Missing { what, path },
            Self::Listed(_) => DataError::NotListed { what, path },
        }
    }

    /// A path of the folder as a list spells it.
    fn name(&self, path: &Path) -> String {
        let below = path.strip_prefix(self.root()).unwrap_or(path);
        below.iter().map(|component| component.to_string_lossy()).collect::<Vec<_>>().join("/")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::{Advice, FailureKind};
    use crate::provenance::data::{DataManifest, ReadData};

    fn listed(folder: &Path) -> DataSource {
        let list = ReadData::of_tree(folder).expect("hashes").manifest().clone();
        DataSource::Listed(ListedFiles::new(folder, list))
    }

    #[test]
    fn a_planted_file_is_neither_named_nor_read() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = |name: &str| folder.path().join(name);
        fs::create_dir_all(path("train/1")).expect("a folder");
        fs::write(path("train/1/a"), "a").expect("written");
        let source = listed(folder.path());
        fs::create_dir_all(path("train/2")).expect("a folder");
        for name in ["train/1/b", "train/2/a"] {
            fs::write(path(name), "planted").expect("written");
        }
        assert_eq!(source.names("split", &path("train")).expect("named"), ["1"]);
        assert_eq!(source.names("planet", &path("train/1")).expect("named"), ["a"]);
        assert_eq!(source.read("a", &path("train/1/a"), 1).expect("read").bytes, "a");
        for name in ["train/1/b", "train/2/a"] {
            let error = source.read("file", &path(name), 100).expect_err("refused");
            assert!(matches!(error, DataError::NotListed { .. }) && error.kind() == FailureKind::Failed, "{error}");
            assert!(source.read_if_there("file", &path(name), 100).expect("no error").is_none());
        }
        assert!(matches!(source.names("planet", &path("train/2")), Err(DataError::NotListed { .. })));
    }

    #[test]
    fn a_file_that_is_gone_is_missing_and_one_that_was_exchanged_is_not() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("a");
        fs::write(&path, "abc").expect("written");
        let source = listed(folder.path());
        fs::write(&path, "abd").expect("written");
        let error = source.read("file", &path, 3).expect_err("refused");
        assert!(
            matches!(error, DataError::NotAsListed { size: 3, .. }) && error.kind() == FailureKind::Failed,
            "{error}"
        );
        fs::remove_file(&path).expect("removed");
        let error = source.read("file", &path, 3).expect_err("refused");
        assert!(matches!(error, DataError::Missing { .. }) && error.kind() == FailureKind::Missing, "{error}");
        assert!(source.read_if_there("file", &path, 3).is_err(), "listed and gone is not the same as not listed");
    }

    #[test]
    fn a_list_that_claims_an_exabyte_reserves_no_memory() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let digest = crate::digest::FileDigest::blake3_of_bytes(b"");
        let line = format!("{{\"path\":\"a\",\"size\":{},\"blake3\":\"{digest}\"}}\n", 1u64 << 52);
        let list = DataManifest::from_jsonl(line.as_bytes()).expect("a list");
        let source = DataSource::Listed(ListedFiles::new(folder.path(), list));
        let error = source.read("file", &folder.path().join("a"), 1 << 20).expect_err("refused");
        assert!(matches!(error, DataError::TooMuch { unit: "bytes", .. }), "{error}");
    }
}
