//! The folders of a repository, looked at before git's library opens anything in them.
//!
//! That library opens what it expects by name, follows links and waits for pipes, and reads whole files. So everything
//! that it may open has to be a regular file of a sane size here first, in the repository itself, in the one that a
//! linked work tree belongs to, and in the object folders that alternates name.

use std::collections::BTreeSet;
use std::fs::{self, DirEntry, FileType};
use std::io;
use std::path::{Path, PathBuf};

use gix::bstr::ByteSlice;

use super::budget::{Amount, Budget};
use super::opener::{self, not_a};
use super::{GitError, read_error};

/// Largest file that names a folder; what git's library reads of one.
const MAX_POINTER_BYTES: u64 = 64 << 10;

/// Largest reference.
const MAX_REFERENCE_BYTES: u64 = 64 << 10;

/// Most object folders that a repository borrows from.
pub(super) const MAX_ALTERNATES: usize = 64;

/// Checks the repository of the work tree at `root`.
///
/// # Errors
/// [`GitError`], naming what does not belong there.
pub(super) fn check(root: &Path, budget: &Budget) -> Result<(), GitError> {
    let own = own_folder(root)?;
    let walk = Walk { root, budget };
    walk.files(&own)?;
    walk.head(&own)?;
    let shared = match named_folder(root, &own.join("commondir"), b"")? {
        Some(shared) => own.join(shared),
        None => own.clone(),
    };
    if shared != own {
        walk.files(&shared)?;
        walk.references(&own.join("refs"))?;
    }
    walk.references(&shared.join("refs"))?;
    walk.object_folders(shared.join("objects"))
}

/// The folder that `.git` is or names.
fn own_folder(root: &Path) -> Result<PathBuf, GitError> {
    let path = root.join(".git");
    let failed = |source| read_error(&path, source);
    let found = fs::symlink_metadata(&path).map_err(failed)?.file_type();
    if found.is_dir() {
        return Ok(path);
    }
    if found.is_symlink() {
        // Some programs keep repositories elsewhere in this way.
        let target = fs::metadata(&path).map_err(failed)?.file_type();
        return if target.is_dir() { Ok(path) } else { Err(not_a("link to a folder", &path, target)) };
    }
    Ok(root.join(named_folder(root, &path, b"gitdir: ")?.unwrap_or_default()))
}

/// The largest that a file directly in a repository's folder may be; `None` for what is not read.
fn most_bytes(name: &[u8]) -> Option<u64> {
    Some(match name {
        b"HEAD" => MAX_REFERENCE_BYTES,
        b"commondir" | b"gitdir" => MAX_POINTER_BYTES,
        b"config" | b"config.worktree" => 1 << 20,
        b"packed-refs" => 128 << 20,
        b"shallow" => 64 << 20,
        b"index" => 1 << 30,
        name if name.starts_with(b"sharedindex.") => 1 << 30,
        _ => return None,
    })
}

struct Walk<'a> {
    root: &'a Path,
    budget: &'a Budget,
}

impl Walk<'_> {
    /// The files directly in a repository's folder, and those of its `info`.
    fn files(&self, folder: &Path) -> Result<(), GitError> {
        for entry in self.entries(folder)? {
            let (entry, found) = entry?;
            let name = entry.file_name();
            if let Some(most) = most_bytes(name.as_encoded_bytes()) {
                self.file(&entry, found, most)?;
            }
        }
        for entry in self.entries(&folder.join("info"))? {
            let (entry, found) = entry?;
            if !found.is_dir() {
                self.file(&entry, found, 64 << 20)?;
            }
        }
        Ok(())
    }

    /// `HEAD` names a commit or something below `refs`, which is looked at. Any other name is a file anywhere in the
    /// repository's folder.
    fn head(&self, folder: &Path) -> Result<(), GitError> {
        let path = folder.join("HEAD");
        let Some(content) = or_missing(opener::read(&path, MAX_REFERENCE_BYTES))? else { return Ok(()) };
        match content.strip_prefix(b"ref:") {
            Some(name) if !name.trim().starts_with(b"refs/") => {
                let message = format!("{}: expected the name of a branch below refs/, got another", path.display());
                Err(GitError::Repository { path: self.root.to_owned(), message })
            }
            _ => Ok(()),
        }
    }

    fn references(&self, folder: &Path) -> Result<(), GitError> {
        let mut pending = vec![folder.to_owned()];
        while let Some(folder) = pending.pop() {
            for entry in self.entries(&folder)? {
                let (entry, found) = entry?;
                if found.is_dir() {
                    pending.push(entry.path());
                } else {
                    self.file(&entry, found, MAX_REFERENCE_BYTES)?;
                }
            }
        }
        Ok(())
    }

    /// A repository's object folder and those that it borrows from, which may borrow, too.
    fn object_folders(&self, first: PathBuf) -> Result<(), GitError> {
        let mut seen = BTreeSet::new();
        let mut pending = vec![first.clone()];
        while let Some(folder) = pending.pop() {
            let Ok(canonical) = fs::canonicalize(&folder) else { continue };
            if !seen.insert(canonical) {
                continue;
            }
            if seen.len() > MAX_ALTERNATES {
                let (most, unit) = (MAX_ALTERNATES as u64, "object folders to borrow from");
                return Err(GitError::TooLarge { path: self.root.to_owned(), most, unit });
            }
            self.objects(&folder)?;
            let path = folder.join("info/alternates");
            let Some(alternates) = or_missing(opener::read(&path, MAX_POINTER_BYTES))? else { continue };
            let named = gix::odb::alternate::parse(&alternates);
            let named = named.map_err(|error| super::repository_error(self.root, &error))?;
            // Git's library takes all of them as paths from the first folder, git those of each from itself.
            pending.extend(named.iter().flat_map(|named| [first.join(named), folder.join(named)]));
        }
        Ok(())
    }

    /// What an object folder holds of objects; nothing else in it is read.
    fn objects(&self, folder: &Path) -> Result<(), GitError> {
        for entry in self.entries(folder)? {
            let (entry, found) = entry?;
            let name = entry.file_name();
            let name = name.as_encoded_bytes();
            let is_loose = name.len() == 2 && name.iter().all(u8::is_ascii_hexdigit);
            if !is_loose && ![&b"pack"[..], b"info"].contains(&name) {
                continue;
            }
            if !found.is_dir() {
                return Err(not_a("folder", &entry.path(), found));
            }
            for entry in self.entries(&entry.path())? {
                let (entry, found) = entry?;
                // Objects are mapped into memory and no more of them inflated than is asked for.
                if !found.is_file() && !found.is_dir() {
                    return Err(not_a("regular file", &entry.path(), found));
                }
            }
        }
        Ok(())
    }

    fn file(&self, entry: &DirEntry, found: FileType, most: u64) -> Result<(), GitError> {
        let path = entry.path();
        if !found.is_file() {
            return Err(not_a("regular file", &path, found));
        }
        match entry.metadata().map_err(|source| read_error(&path, source))?.len() {
            got if got > most => Err(GitError::FileTooLarge { path, most, got }),
            _ => Ok(()),
        }
    }

    /// What is directly in a folder, links not followed; nothing when there is no such folder.
    fn entries(&self, folder: &Path) -> Result<impl Iterator<Item = Result<(DirEntry, FileType), GitError>>, GitError> {
        let failed = |folder: &Path, source| read_error(folder, source);
        let entries = match fs::read_dir(folder) {
            Ok(entries) => Some(entries),
            Err(error) if [io::ErrorKind::NotFound, io::ErrorKind::NotADirectory].contains(&error.kind()) => None,
            Err(source) => return Err(failed(folder, source)),
        };
        let folder = folder.to_owned();
        Ok(entries.into_iter().flatten().map(move |entry| {
            self.budget.take(Amount::DiskEntries, 1, self.root)?;
            let entry = entry.map_err(|source| failed(&folder, source))?;
            let found = entry.file_type().map_err(|source| failed(&folder, source))?;
            Ok((entry, found))
        }))
    }
}

/// The folder that a file names behind `prefix`; `None` when there is no such file.
fn named_folder(root: &Path, path: &Path, prefix: &[u8]) -> Result<Option<PathBuf>, GitError> {
    let Some(content) = or_missing(opener::read(path, MAX_POINTER_BYTES))? else { return Ok(None) };
    let name = content.strip_prefix(prefix).map(ByteSlice::trim_end).filter(|name| !name.is_empty());
    let named = name.and_then(|name| gix::path::from_bstr(name.as_bstr()).ok());
    named.map(|name| Some(name.into_owned())).ok_or_else(|| GitError::Repository {
        path: root.to_owned(),
        message: format!("{}: expected the path of a folder", path.display()),
    })
}

/// `None` for a file that is not there.
fn or_missing(read: Result<Vec<u8>, GitError>) -> Result<Option<Vec<u8>>, GitError> {
    match read {
        Ok(bytes) => Ok(Some(bytes)),
        Err(GitError::Read { source, .. })
            if [io::ErrorKind::NotFound, io::ErrorKind::NotADirectory].contains(&source.kind()) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
