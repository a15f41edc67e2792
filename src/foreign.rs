//! Files that somebody else wrote: opened without following links, without blocking, and never larger than expected.
//!
//! A stranger hands over a run directory, data and a checkout. A named pipe in them would block whoever opens it for
//! ever, a device never ends, a link leads to the reader's own secrets, a sparse file of terabytes fills memory. So
//! everything below a folder that is not the reader's own goes through [`open`]; what the reader named (a key, a policy)
//! goes through [`read_named`], which follows links and takes pipes, as a shell's `<(…)` is one.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::digest::FileDigest;
use crate::failure::{Advice, FailureKind, io_hint};

/// A file that is not read.
#[derive(Debug, thiserror::Error)]
pub enum ForeignError {
    /// The system refused.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Something that is no regular file, or a folder on the way to it that is none.
    #[error("{path}: expected a {expected}, got a {got}", path = path.display())]
    Kind {
        /// What stands there.
        path: PathBuf,
        /// What may stand there.
        expected: &'static str,
        /// What it is.
        got: &'static str,
    },
    /// More bytes than there may be. None was read.
    #[error("{path}: expected at most {limit} bytes, got {got}", path = path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Most bytes it may have.
        limit: u64,
        /// How many it has; at least so many, where that cannot be told before reading.
        got: u64,
    },
    /// Somebody wrote to it.
    #[error("{path} changed while it was read", path = path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
}

impl Advice for ForeignError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Io { path, source } => io_hint(source, path),
            Self::Changed { .. } => Some("something else writes to it: try again when nothing does".into()),
            Self::Kind { .. } | Self::TooLarge { .. } => None,
        }
    }

    fn kind(&self) -> FailureKind {
        match self {
            Self::Io { .. } => FailureKind::Missing,
            Self::Kind { .. } | Self::TooLarge { .. } | Self::Changed { .. } => FailureKind::Failed,
        }
    }
}

impl ForeignError {
    /// Whether there is no such file: narrower than [`FailureKind::Missing`], which is said of files that cannot be read,
    /// too.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }
}

/// A regular file that was opened below a folder without following a link.
#[derive(Debug)]
pub struct ForeignFile {
    file: File,
    path: PathBuf,
    size: u64,
}

/// Opens the regular file at `relative` below `root`: components joined by `/`, none of them `..` (see
/// [`RelativePath`](crate::provenance::path::RelativePath)). `root` itself may be reached through links: the reader
/// named it.
///
/// # Errors
/// [`ForeignError`]; also for a link at any component.
pub fn open(root: &Path, relative: &str) -> Result<ForeignFile, ForeignError> {
    let path = root.join(relative);
    let file = below(root, relative)?;
    let metadata = file.metadata().map_err(|source| ForeignError::Io { path: path.clone(), source })?;
    if !metadata.is_file() {
        return Err(ForeignError::Kind { path, expected: "regular file", got: kind(metadata.file_type()) });
    }
    Ok(ForeignFile { file, size: metadata.len(), path })
}

/// Reads a file that the reader named, of at most `limit` bytes. Links are followed and pipes are read.
///
/// # Errors
/// [`ForeignError`].
pub fn read_named(path: &Path, limit: u64) -> Result<Vec<u8>, ForeignError> {
    let failed = |source| ForeignError::Io { path: path.to_owned(), source };
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    let mut bytes = Vec::new();
    // A pipe has no size to go by.
    if metadata.is_file() {
        let got = metadata.len();
        if got > limit {
            return Err(ForeignError::TooLarge { path: path.to_owned(), limit, got });
        }
        bytes.reserve_exact(got as usize + 1);
    }
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
    match bytes.len() as u64 {
        got if got > limit => Err(ForeignError::TooLarge { path: path.to_owned(), limit, got }),
        _ => Ok(bytes),
    }
}

impl ForeignFile {
    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its size in bytes when it was opened.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The file itself.
    pub fn into_file(self) -> File {
        self.file
    }

    /// Its bytes, at most `limit` of them.
    ///
    /// # Errors
    /// [`ForeignError`].
    pub fn read(self, limit: u64) -> Result<Vec<u8>, ForeignError> {
        self.check_size(limit)?;
        let mut bytes = Vec::with_capacity(self.size as usize);
        let read = (&self.file).take(self.size + 1).read_to_end(&mut bytes);
        read.map_err(|source| ForeignError::Io { path: self.path.clone(), source })?;
        match bytes.len() as u64 == self.size {
            true => Ok(bytes),
            false => Err(ForeignError::Changed { path: self.path }),
        }
    }

    /// What its bytes are, streamed: memory does not grow with its size.
    ///
    /// # Errors
    /// [`ForeignError`].
    pub fn digest(self, limit: u64) -> Result<FileDigest, ForeignError> {
        self.check_size(limit)?;
        let digest = FileDigest::of_reader((&self.file).take(self.size + 1));
        let digest = digest.map_err(|source| ForeignError::Io { path: self.path.clone(), source })?;
        match digest.size == self.size {
            true => Ok(digest),
            false => Err(ForeignError::Changed { path: self.path }),
        }
    }

    fn check_size(&self, limit: u64) -> Result<(), ForeignError> {
        match self.size > limit {
            true => Err(ForeignError::TooLarge { path: self.path.clone(), limit, got: self.size }),
            false => Ok(()),
        }
    }
}

/// Something below a folder that is no folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it is, below the folder; what is no UTF-8 is replaced.
    pub name: String,
    /// What it is, when it is no regular file.
    pub odd: Option<&'static str>,
}

/// Everything below `root` but folders, sorted by name; links are not followed. At most `limit` entries are looked at,
/// folders included.
///
/// # Errors
/// [`ForeignError`]; [`ForeignError::TooLarge`] when there are more than `limit`.
pub fn list(root: &Path, limit: u64) -> Result<Vec<Entry>, ForeignError> {
    let mut entries = Vec::new();
    let mut pending = vec![(root.to_owned(), String::new())];
    let mut seen = 0;
    while let Some((folder, prefix)) = pending.pop() {
        let failed = |source| ForeignError::Io { path: folder.clone(), source };
        for entry in std::fs::read_dir(&folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            seen += 1;
            if seen > limit {
                return Err(ForeignError::TooLarge { path: root.to_owned(), limit, got: seen });
            }
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            let found = entry.file_type().map_err(failed)?;
            if found.is_dir() {
                pending.push((entry.path(), format!("{name}/")));
            } else {
                entries.push(Entry { name, odd: (!found.is_file()).then(|| kind(found)) });
            }
        }
    }
    entries.sort_by(|left, right| left.name.cmp(&right.name));
    Ok(entries)
}

#[cfg(unix)]
fn below(root: &Path, relative: &str) -> Result<File, ForeignError> {
    use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, openat, statat};

    let common = OFlags::RDONLY | OFlags::CLOEXEC;
    let failed =
        |path: &Path, source: rustix::io::Errno| ForeignError::Io { path: path.to_owned(), source: source.into() };
    let mut path = root.to_owned();
    let mut folder =
        openat(CWD, root, common | OFlags::DIRECTORY, Mode::empty()).map_err(|source| failed(root, source))?;
    let mut components = relative.split('/').peekable();
    while let Some(component) = components.next() {
        path.push(component);
        let is_last = components.peek().is_none();
        // Looked at before it is opened: opening alone does something to some devices.
        let found = statat(&folder, component, AtFlags::SYMLINK_NOFOLLOW).map_err(|source| failed(&path, source))?;
        let (expected, right) = match is_last {
            true => ("regular file", FileType::RegularFile),
            false => ("folder", FileType::Directory),
        };
        let got = FileType::from_raw_mode(found.st_mode);
        if got != right {
            let got = match got {
                FileType::RegularFile => "regular file",
                FileType::Directory => "folder",
                FileType::Symlink => "symbolic link",
                FileType::Fifo => "named pipe",
                FileType::Socket => "socket",
                FileType::CharacterDevice | FileType::BlockDevice => "device",
                FileType::Unknown => "something unknown",
            };
            return Err(ForeignError::Kind { path, expected, got });
        }
        // It may have been exchanged since: no link is followed and nothing waits, whatever stands there now.
        let flags = match is_last {
            true => common | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY,
            false => common | OFlags::NOFOLLOW | OFlags::DIRECTORY,
        };
        folder = openat(&folder, component, flags, Mode::empty()).map_err(|source| failed(&path, source))?;
    }
    Ok(File::from(folder))
}

/// Without `openat`: looked at component by component, which leaves a moment for an exchange.
#[cfg(not(unix))]
fn below(root: &Path, relative: &str) -> Result<File, ForeignError> {
    let mut path = root.to_owned();
    let mut components = relative.split('/').peekable();
    while let Some(component) = components.next() {
        path.push(component);
        let failed = |source| ForeignError::Io { path: path.clone(), source };
        let found = std::fs::symlink_metadata(&path).map_err(failed)?.file_type();
        let (expected, right) = match components.peek() {
            None => ("regular file", found.is_file()),
            Some(_) => ("folder", found.is_dir()),
        };
        if !right {
            return Err(ForeignError::Kind { path, expected, got: kind(found) });
        }
    }
    File::open(&path).map_err(|source| ForeignError::Io { path, source })
}

/// What a person calls it.
fn kind(found: std::fs::FileType) -> &'static str {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        if found.is_fifo() {
            return "named pipe";
        }
        if found.is_socket() {
            return "socket";
        }
        if found.is_char_device() || found.is_block_device() {
            return "device";
        }
    }
    match found {
        found if found.is_symlink() => "symbolic link",
        found if found.is_dir() => "folder",
        _ => "something unknown",
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("temp dir");
        std::fs::create_dir(folder.path().join("inner")).expect("a folder");
        std::fs::write(folder.path().join("inner/file"), b"abc").expect("a file");
        folder
    }

    fn pipe(path: &Path) {
        rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0)
            .expect("a pipe");
    }

    fn refused(root: &Path, name: &str) -> String {
        open(root, name).expect_err("refused").to_string()
    }

    #[test]
    fn a_regular_file_is_read_up_to_its_limit() {
        let folder = folder();
        let file = || open(folder.path(), "inner/file").expect("opens");
        assert_eq!(file().read(3).expect("reads"), b"abc");
        assert_eq!(file().digest(3).expect("digests"), FileDigest::of_bytes(b"abc"));
        assert!(matches!(file().read(2), Err(ForeignError::TooLarge { limit: 2, got: 3, .. })));
        assert!(matches!(file().digest(2), Err(ForeignError::TooLarge { .. })));
        assert!(open(folder.path(), "inner/none").expect_err("refused").is_missing());
    }

    #[test]
    fn a_pipe_a_device_and_a_folder_are_refused_without_waiting() {
        let folder = folder();
        pipe(&folder.path().join("pipe"));
        assert!(refused(folder.path(), "pipe").ends_with("expected a regular file, got a named pipe"));
        assert!(refused(Path::new("/dev"), "zero").ends_with("expected a regular file, got a device"));
        assert!(refused(folder.path(), "inner").ends_with("expected a regular file, got a folder"));
        assert!(refused(folder.path(), "inner/file/x").ends_with("expected a folder, got a regular file"));
    }

    #[test]
    fn a_link_is_followed_neither_at_the_end_nor_on_the_way() {
        let folder = folder();
        std::os::unix::fs::symlink("inner/file", folder.path().join("link")).expect("a link");
        std::os::unix::fs::symlink("inner", folder.path().join("way")).expect("a link");
        assert!(refused(folder.path(), "link").ends_with("expected a regular file, got a symbolic link"));
        assert!(refused(folder.path(), "way/file").ends_with("expected a folder, got a symbolic link"));
        // The reader may name a folder by a link.
        assert!(open(&folder.path().join("way"), "file").is_ok());
    }

    #[test]
    fn a_sparse_giant_is_refused_before_it_is_read() {
        let folder = folder();
        let giant = std::fs::File::create(folder.path().join("giant")).expect("a file");
        giant.set_len(1 << 40).expect("sparse");
        let file = open(folder.path(), "giant").expect("opens");
        assert!(matches!(file.read(1 << 30), Err(ForeignError::TooLarge { got, .. }) if got == 1 << 40));
    }

    #[test]
    fn everything_below_is_listed_with_what_is_odd_about_it() {
        let folder = folder();
        pipe(&folder.path().join("inner/pipe"));
        std::os::unix::fs::symlink("/", folder.path().join("root")).expect("a link");
        let listed = list(folder.path(), 10).expect("lists");
        let listed: Vec<_> = listed.iter().map(|entry| (entry.name.as_str(), entry.odd)).collect();
        assert_eq!(listed, [("inner/file", None), ("inner/pipe", Some("named pipe")), ("root", Some("symbolic link"))]);
        assert!(matches!(list(folder.path(), 3), Err(ForeignError::TooLarge { limit: 3, .. })));
    }

    #[test]
    fn a_named_giant_is_refused_before_it_is_read() {
        let folder = folder();
        let path = folder.path().join("giant");
        std::fs::File::create(&path).expect("a file").set_len(1 << 40).expect("sparse");
        assert!(matches!(read_named(&path, 1 << 32), Err(ForeignError::TooLarge { got, .. }) if got == 1 << 40));
    }

    #[test]
    fn what_the_reader_names_may_be_a_link_and_has_a_limit() {
        let folder = folder();
        std::os::unix::fs::symlink("inner/file", folder.path().join("link")).expect("a link");
        assert_eq!(read_named(&folder.path().join("link"), 3).expect("reads"), b"abc");
        assert!(matches!(read_named(Path::new("/dev/zero"), 10), Err(ForeignError::TooLarge { .. })));
    }
}
