//! What a run made, changed or removed in its copy.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Most files, links and folders of a copy that are looked at after a run.
const MAX_ENTRIES: usize = 1_000_000;

/// What tells whether a file was touched. Its time of change cannot be set by a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    inode: u64,
    changed: (i64, i64),
    size: u64,
    mode: u32,
}

/// What stands at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    File { mode: u32 },
    Link { target: PathBuf },
    Folder { mode: u32 },
    Odd,
    Nothing,
}

/// A copy before a run.
pub type Before = BTreeMap<PathBuf, Stamp>;

pub fn before(root: &Path) -> io::Result<Before> {
    let mut stamps = BTreeMap::new();
    each(root, &mut |path, found| {
        stamps.insert(path.to_owned(), Stamp::of(found));
        Ok(())
    })?;
    Ok(stamps)
}

/// Everything that is not as it was, by its path. A folder counts when it was made, removed, or got other permissions.
pub fn after(root: &Path, before: &Before) -> io::Result<BTreeMap<String, Seen>> {
    let mut outputs = BTreeMap::new();
    let mut gone = before.clone();
    each(root, &mut |path, found| {
        let was = gone.remove(path);
        let is_same = match was {
            // The time of a folder's change is that of its files.
            Some(stamp) if found.is_dir() => stamp.mode == found.mode(),
            Some(stamp) => stamp == Stamp::of(found),
            None => false,
        };
        if !is_same {
            outputs.insert(text(path)?, Seen::of(&root.join(path), found)?);
        }
        Ok(())
    })?;
    for path in gone.into_keys() {
        outputs.insert(text(&path)?, Seen::Nothing);
    }
    Ok(outputs)
}

/// Removes the files that are no outputs: of a run only those are kept.
pub fn keep_only(root: &Path, outputs: &BTreeMap<String, Seen>) -> io::Result<()> {
    let mut others = Vec::new();
    each(root, &mut |path, found| {
        if !found.is_dir() && !path.to_str().is_some_and(|path| outputs.contains_key(path)) {
            others.push(root.join(path));
        }
        Ok(())
    })?;
    others.iter().try_for_each(fs::remove_file)
}

impl Seen {
    fn of(path: &Path, found: &Metadata) -> io::Result<Self> {
        let mode = found.mode() & 0o777;
        Ok(match found.file_type() {
            kind if kind.is_file() => Self::File { mode },
            kind if kind.is_dir() => Self::Folder { mode },
            kind if kind.is_symlink() => Self::Link { target: fs::read_link(path)? },
            _ => Self::Odd,
        })
    }

    /// What stands at a path now.
    pub fn at(path: &Path) -> io::Result<Self> {
        match fs::symlink_metadata(path) {
            Ok(found) => Self::of(path, &found),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                Ok(Self::Nothing)
            }
            Err(error) => Err(error),
        }
    }

    pub fn name(&self) -> &'static str {
        match self {
            Self::File { .. } => "a file",
            Self::Link { .. } => "a link",
            Self::Folder { .. } => "a folder",
            Self::Odd => "a pipe, socket or device",
            Self::Nothing => "nothing",
        }
    }
}

impl Stamp {
    fn of(found: &Metadata) -> Self {
        Self {
            inode: found.ino(),
            changed: (found.ctime(), found.ctime_nsec()),
            size: found.size(),
            mode: found.mode(),
        }
    }
}

fn text(path: &Path) -> io::Result<String> {
    let refuse = || io::Error::other(format!("{}: expected a name of UTF-8", path.display()));
    path.to_str().map(str::to_owned).ok_or_else(refuse)
}

/// Everything below a folder, links not followed.
fn each(root: &Path, see: &mut dyn FnMut(&Path, &Metadata) -> io::Result<()>) -> io::Result<()> {
    let mut pending = vec![PathBuf::new()];
    let mut count = 0;
    while let Some(folder) = pending.pop() {
        let whole = root.join(&folder);
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", whole.display()));
        for entry in fs::read_dir(&whole).map_err(named)? {
            let entry = entry.map_err(named)?;
            let (path, found) = (folder.join(entry.file_name()), entry.metadata().map_err(named)?);
            count += 1;
            if count > MAX_ENTRIES {
                return Err(io::Error::other(format!(
                    "{}: expected at most {MAX_ENTRIES} files, got more",
                    root.display()
                )));
            }
            see(&path, &found)?;
            if found.is_dir() {
                pending.push(path);
            }
        }
    }
    Ok(())
}
