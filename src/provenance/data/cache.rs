//! Digests of files that were read before, so that an unchanged data set is not read at the start of every run.
//!
//! A file is known again by device, inode, size, and the times of its last writing and last change in nanoseconds.
//! That is a good guess and no proof: times can be forged by whoever owns the machine, and the cache file edited.
//! Therefore only [`HashedData::remembered`](super::HashedData::remembered) takes a cache, and what judges data takes a
//! [`ReadData`](super::ReadData), for which every byte is read.
//!
//! **Format.** `spectramind-digests-1 ‖ space ‖ BLAKE3 of all that follows this line ‖ newline`, then one line per
//! file, sorted: `device inode size written changed blake3 md5 md5-dos2unix`, times in nanoseconds since 1970, `-` for an
//! MD5 nobody asked for. A file of any other shape is ignored as a whole. It is replaced, never edited: of two runs at
//! once the later one's stays, with what it found there.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::content::Content;
use crate::digest::Blake3Digest;
use crate::durable;
use crate::failure::{Advice, FailureKind, io_hint};
use crate::provenance::md5::{Md5Digest, Md5Kinds, Md5s};

/// Name of the file in the cache's folder.
const FILE: &str = "digests-1";

const MAGIC: &str = "spectramind-digests-1";

/// Largest cache file that is read: a hostile or forgotten one must not fill memory.
const MAX_BYTES: u64 = 64 << 20;

/// Most files remembered; beyond, only those of the newest run are. Some 200 bytes each, so below [`MAX_BYTES`].
const MAX_ENTRIES: usize = 1 << 18;

/// Age from which on a file can be remembered. One that was written just now may be written again within the same tick
/// of its file system's clock, unseen: the "racy" entries of git's index. FAT's tick is two seconds.
const MIN_AGE: Duration = Duration::from_secs(2);

/// Digests of files that were read before, and of those that are read now.
#[derive(Debug)]
pub struct DigestCache {
    file: PathBuf,
    now_ns: i128,
    known: BTreeMap<FileKey, Content>,
    fresh: Mutex<BTreeMap<FileKey, Content>>,
}

/// Why a cache begins empty though there is one.
#[derive(Debug, thiserror::Error)]
pub enum CacheFault {
    /// It cannot be read.
    #[error("cannot read the cache of digests {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is no cache of digests, or a damaged one.
    #[error("{path} is not a cache of digests, or a damaged one")]
    Shape {
        /// The file.
        path: PathBuf,
    },
}

impl Advice for CacheFault {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Read { path, source } => io_hint(source, path),
            Self::Shape { .. } => None,
        }
    }

    fn kind(&self) -> FailureKind {
        match self {
            Self::Read { .. } => FailureKind::Missing,
            Self::Shape { .. } => FailureKind::Failed,
        }
    }
}

/// What a file is known again by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FileKey {
    device: u64,
    inode: u64,
    size: u64,
    written_ns: i128,
    changed_ns: i128,
}

impl DigestCache {
    /// Opens the cache in a folder, which need not exist, at the time `now`. A file that is no cache is ignored, and the
    /// fault returned: a cache is never a reason not to work.
    pub fn open(folder: &Path, now: SystemTime) -> (Self, Option<CacheFault>) {
        let file = folder.join(FILE);
        let (known, fault) = match load(&file) {
            Ok(known) => (known, None),
            Err(fault) => (BTreeMap::new(), Some(fault)),
        };
        let now_ns = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as i128);
        (Self { file, now_ns, known, fresh: Mutex::default() }, fault)
    }

    /// Writes what is known now, with what another run wrote meanwhile. Does nothing when nothing was learnt.
    ///
    /// # Errors
    /// Whatever making the folder or writing the file fails with.
    pub fn save(&self) -> io::Result<()> {
        let fresh = self.fresh.lock().unwrap_or_else(PoisonError::into_inner);
        if fresh.is_empty() {
            return Ok(());
        }
        let mut entries = self.known.clone();
        entries.extend(load(&self.file).unwrap_or_default());
        entries.extend(fresh.clone());
        let entries = if entries.len() > MAX_ENTRIES { fresh.clone() } else { entries };
        std::fs::create_dir_all(durable::folder_of(&self.file))?;
        durable::write_whole(&self.file, written(entries.iter().take(MAX_ENTRIES)).as_bytes())
    }

    /// What is known of a file, if it is all that is asked for.
    pub(super) fn get(&self, found: &Metadata, kinds: Md5Kinds) -> Option<Content> {
        let content = self.known.get(&FileKey::of(found)?).filter(|content| content.md5s.cover(kinds))?;
        Some(Content { md5s: content.md5s.only(kinds), ..*content })
    }

    /// Remembers a file that was read, unless it is too young to be known again.
    pub(super) fn put(&self, found: &Metadata, content: &Content) {
        let Some(key) = FileKey::of(found) else { return };
        if key.written_ns.max(key.changed_ns) + MIN_AGE.as_nanos() as i128 <= self.now_ns {
            self.fresh.lock().unwrap_or_else(PoisonError::into_inner).insert(key, *content);
        }
    }
}

impl FileKey {
    #[cfg(unix)]
    pub(super) fn of(found: &Metadata) -> Option<Self> {
        use std::os::unix::fs::MetadataExt;
        let nanoseconds = |seconds: i64, rest: i64| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
        Some(Self {
            device: found.dev(),
            inode: found.ino(),
            size: found.size(),
            written_ns: nanoseconds(found.mtime(), found.mtime_nsec()),
            changed_ns: nanoseconds(found.ctime(), found.ctime_nsec()),
        })
    }

    /// Elsewhere no file is known again.
    #[cfg(not(unix))]
    pub(super) fn of(_: &Metadata) -> Option<Self> {
        None
    }
}

fn load(path: &Path) -> Result<BTreeMap<FileKey, Content>, CacheFault> {
    let read_error = |source| CacheFault::Read { path: path.to_owned(), source };
    // Looked at before it is opened: a named pipe would block for ever.
    match path.symlink_metadata() {
        Ok(found) if found.is_file() => {}
        Ok(_) => return Err(CacheFault::Shape { path: path.to_owned() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(read_error(error)),
    }
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes)).map_err(read_error)?;
    let parsed = std::str::from_utf8(&bytes).ok().filter(|_| bytes.len() as u64 <= MAX_BYTES).and_then(parsed);
    parsed.ok_or_else(|| CacheFault::Shape { path: path.to_owned() })
}

fn written<'a>(entries: impl Iterator<Item = (&'a FileKey, &'a Content)>) -> String {
    let mut body = String::new();
    for (key, content) in entries {
        let FileKey { device, inode, size, written_ns, changed_ns } = key;
        write!(body, "{device} {inode} {size} {written_ns} {changed_ns} {}", content.blake3)
            .expect("a String takes all");
        for md5 in [content.md5s.bytes, content.md5s.dos2unix] {
            write!(body, " {}", md5.map_or("-".to_owned(), |md5| md5.to_string())).expect("a String takes all");
        }
        body.push('\n');
    }
    format!("{MAGIC} {}\n{body}", Blake3Digest::from_bytes(*blake3::hash(body.as_bytes()).as_bytes()))
}

fn parsed(text: &str) -> Option<BTreeMap<FileKey, Content>> {
    let (heading, body) = text.split_once('\n')?;
    let digest: Blake3Digest = heading.strip_prefix(MAGIC)?.strip_prefix(' ')?.parse().ok()?;
    // What is whole was written by us: a bit that flipped on the disk must not become another digest.
    if digest.as_bytes() != blake3::hash(body.as_bytes()).as_bytes() {
        return None;
    }
    body.lines().map(entry).collect()
}

fn entry(line: &str) -> Option<(FileKey, Content)> {
    let mut fields = line.split(' ');
    let key = FileKey {
        device: next(&mut fields)?,
        inode: next(&mut fields)?,
        size: next(&mut fields)?,
        written_ns: next(&mut fields)?,
        changed_ns: next(&mut fields)?,
    };
    let blake3 = next(&mut fields)?;
    let mut md5 = || match fields.next()? {
        "-" => Some(None),
        text => text.parse::<Md5Digest>().ok().map(Some),
    };
    let md5s = Md5s { bytes: md5()?, dos2unix: md5()? };
    fields.next().is_none().then_some((key, Content { size: key.size, blake3, md5s }))
}

fn next<'a, T: FromStr>(fields: &mut impl Iterator<Item = &'a str>) -> Option<T> {
    fields.next()?.parse().ok()
}

#[cfg(all(test, unix))]
mod tests;
