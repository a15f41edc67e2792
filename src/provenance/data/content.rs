//! The digests of one file's bytes: BLAKE3, and the MD5s that DVC asks for, from one read.
//!
//! Read in pieces into a buffer per thread, never mapped: a mapped file that is truncated kills the process. A large
//! file is shared among the threads of the pool, as BLAKE3 is a tree; MD5 is a chain and keeps to one thread.

use std::cell::RefCell;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::path::Path;

use blake3::hazmat::{ChainingValue, HasherExt, Mode, left_subtree_len, merge_subtrees_non_root, merge_subtrees_root};

use super::cache::{DigestCache, FileKey};
use super::{DataError, kind_error, read_error};
use crate::digest::Blake3Digest;
use crate::foreign;
use crate::provenance::md5::{BLOCK_BYTES, Md5Hashers, Md5Kinds, Md5s};
use crate::provenance::path::RelativePath;

/// Bytes that one thread hashes at once: enough for the widest SIMD, few enough to stay in its cache.
const PIECE_BYTES: u64 = 256 << 10;

/// Size from which on a file is shared among threads.
const SHARED_FROM_BYTES: u64 = 4 << 20;

/// What a file's bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) size: u64,
    pub(super) blake3: Blake3Digest,
    pub(super) md5s: Md5s,
}

/// Digests one file, refusing a symlink at any component below the root. What a cache remembers is not read.
pub(super) fn of_file(
    root: &Path,
    path: &RelativePath,
    kinds: Md5Kinds,
    cache: Option<&DigestCache>,
) -> Result<Content, DataError> {
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
    if let Some(content) = cache.and_then(|cache| cache.get(&before, kinds)) {
        return Ok(content);
    }
    let file = foreign::open(root, path.as_str())?.into_file();
    let opened = file.metadata().map_err(|source| read_error(&full, source))?;
    // Between the look and the opening somebody may have put a symlink there.
    let content = match same_file(&before, &opened) {
        true => read(&file, &opened, kinds).map_err(|source| read_error(&full, source))?,
        false => None,
    };
    let content = content.ok_or(DataError::Changed { path: full })?;
    if let Some(cache) = cache {
        cache.put(&opened, &content);
    }
    Ok(content)
}

/// Reads and digests a file that was as `opened` says; none when it was written to meanwhile, or has another size.
pub(super) fn read(file: &File, opened: &Metadata, kinds: Md5Kinds) -> io::Result<Option<Content>> {
    let digested = match opened.len() {
        size if kinds == Md5Kinds::NONE && size >= SHARED_FROM_BYTES && cfg!(unix) => shared(file, size),
        _ => sequential(file, kinds),
    };
    let content = match digested {
        // It became shorter: the threads knew where they expected bytes.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    };
    let after = file.metadata()?;
    let unchanged = content.size == opened.len() && after.len() == opened.len() && same_times(opened, &after);
    Ok(unchanged.then_some(content))
}

fn sequential(mut file: &File, kinds: Md5Kinds) -> io::Result<Content> {
    let (mut blake3, mut md5s) = (blake3::Hasher::new(), Md5Hashers::new(kinds));
    let block_bytes = if kinds == Md5Kinds::NONE { PIECE_BYTES as usize } else { BLOCK_BYTES };
    with_buffer(block_bytes, |buffer| {
        loop {
            let count = fill(&mut file, buffer)?;
            if count == 0 {
                return Ok(());
            }
            blake3.update(&buffer[..count]);
            md5s.update(&buffer[..count]);
        }
    })?;
    Ok(Content {
        size: blake3.count(),
        blake3: Blake3Digest::from_bytes(*blake3.finalize().as_bytes()),
        md5s: md5s.finish(),
    })
}

/// Reads until the buffer is full or the file at its end: DVC's MD5 of text depends on where blocks end.
fn fill(file: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// BLAKE3 of a file of this size, by all threads.
fn shared(file: &File, size: u64) -> io::Result<Content> {
    let left = left_subtree_len(size);
    let halves = rayon::join(|| subtree(file, 0, left), || subtree(file, left, size - left));
    let root = merge_subtrees_root(&halves.0?, &halves.1?, Mode::Hash);
    Ok(Content { size, blake3: Blake3Digest::from_bytes(*root.as_bytes()), md5s: Md5s::default() })
}

fn subtree(file: &File, offset: u64, size: u64) -> io::Result<ChainingValue> {
    if size <= PIECE_BYTES {
        return with_buffer(size as usize, |buffer| {
            read_exact_at(file, buffer, offset)?;
            Ok(blake3::Hasher::new().set_input_offset(offset).update(buffer).finalize_non_root())
        });
    }
    let left = left_subtree_len(size);
    let halves = rayon::join(|| subtree(file, offset, left), || subtree(file, offset + left, size - left));
    Ok(merge_subtrees_non_root(&halves.0?, &halves.1?, Mode::Hash))
}

/// Lends the thread's buffer. Nothing inside may wait for other threads: the pool would give this one other work.
fn with_buffer<T>(bytes: usize, work: impl FnOnce(&mut [u8]) -> io::Result<T>) -> io::Result<T> {
    thread_local! {
        static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    }
    BUFFER.with_borrow_mut(|buffer| {
        if buffer.len() < bytes {
            buffer.resize(bytes, 0);
        }
        work(&mut buffer[..bytes])
    })
}

#[cfg(unix)]
fn read_exact_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, offset)
}

#[cfg(not(unix))]
fn read_exact_at(_: &File, _: &mut [u8], _: u64) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
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

/// Whether nothing was written between two looks, as far as the clocks tell: the time of writing can be set back, the
/// time of that cannot.
fn same_times(left: &Metadata, right: &Metadata) -> bool {
    FileKey::of(left) == FileKey::of(right) && left.modified().ok() == right.modified().ok()
}
