//! Opens what a stranger's checkout holds: regular files and nothing else, no link followed, nothing waited for.
//!
//! A named pipe would block whoever opens it for ever, a device never ends, and a link leads to the reader's own
//! secrets.

use std::fs::{self, File, FileType, Metadata};
use std::io::{self, Read};
use std::path::Path;

use super::{GitError, read_error};

/// Opens the regular file at `path`.
pub(super) fn open(path: &Path) -> Result<(File, Metadata), GitError> {
    let failed = |source| read_error(path, source);
    let regular = |found: Metadata| match found.is_file() {
        true => Ok(found),
        false => Err(not_a("regular file", path, found.file_type())),
    };
    // Looked at before it is opened: opening alone does something to some devices.
    regular(fs::symlink_metadata(path).map_err(failed)?)?;
    // It may have been exchanged since.
    let file = open_at(path).map_err(failed)?;
    let metadata = regular(file.metadata().map_err(failed)?)?;
    Ok((file, metadata))
}

/// The bytes of a regular file; `None` when there are more than `most`, of which none is kept.
pub(super) fn read_at_most(path: &Path, most: u64) -> Result<Option<Vec<u8>>, GitError> {
    let (file, metadata) = open(path)?;
    if metadata.len() > most {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    // Some files, those of `/proc` among them, have more bytes than they say.
    file.take(most + 1).read_to_end(&mut bytes).map_err(|source| read_error(path, source))?;
    Ok((bytes.len() as u64 <= most).then_some(bytes))
}

/// The bytes of a regular file.
pub(super) fn read(path: &Path, most: u64) -> Result<Vec<u8>, GitError> {
    let got = || fs::symlink_metadata(path).map_or(0, |found| found.len());
    read_at_most(path, most)?.ok_or_else(|| GitError::FileTooLarge { path: path.to_owned(), most, got: got() })
}

/// The error of something that is not what has to stand there.
pub(super) fn not_a(expected: &'static str, path: &Path, got: FileType) -> GitError {
    GitError::Kind { path: path.to_owned(), expected, got: kind(got) }
}

#[cfg(unix)]
fn open_at(path: &Path) -> io::Result<File> {
    use rustix::fs::{Mode, OFlags, open};
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    Ok(open(path, flags, Mode::empty())?.into())
}

#[cfg(not(unix))]
fn open_at(path: &Path) -> io::Result<File> {
    File::open(path)
}

/// What a person calls it.
fn kind(found: FileType) -> &'static str {
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
    match () {
        () if found.is_symlink() => "symbolic link",
        () if found.is_dir() => "folder",
        () if found.is_file() => "regular file",
        () => "something unknown",
    }
}
