//! What a run reads from a work tree without git knowing it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use gix::bstr::{BStr, BString, ByteSlice, ByteVec};

/// The files and folders that a run reads, as paths below a work tree, and what was found out about them.
pub(super) struct Reads {
    paths: Vec<BString>,
    /// Those that are, or hold, files that git neither tracks nor ignores.
    pub(super) untracked: BTreeSet<BString>,
    /// Those that are, or hold, ignored files.
    pub(super) ignored: BTreeSet<BString>,
}

impl Reads {
    /// Those of `paths`, which are canonical, that lie below `root`, without the files that `is_tracked`.
    pub(super) fn new(paths: &[PathBuf], root: &Path, is_tracked: impl Fn(&BString) -> bool) -> Self {
        let relative = |path: &PathBuf| gix::path::into_bstr(path.strip_prefix(root).ok()?.to_owned()).ok();
        let to_slashes = |path| gix::path::to_unix_separators_on_windows(path).into_owned();
        let paths: Vec<_> =
            paths.iter().filter_map(relative).map(to_slashes).filter(|path| !is_tracked(path)).collect();
        // Nothing there is tracked, and the walk does not go there.
        let is_of_git = |path: &&BString| path.split_str("/").any(|name| name == b".git");
        let untracked = paths.iter().filter(is_of_git).cloned().collect();
        Self { paths, untracked, ignored: BTreeSet::new() }
    }

    /// Whether the run reads this very file.
    pub(super) fn is_read(&self, path: &BString) -> bool {
        self.paths.contains(path)
    }

    /// Notes that an untracked file is at `path`.
    pub(super) fn found_untracked(&mut self, path: &BStr) {
        self.untracked.extend(self.paths.iter().filter(|read| is_within(path, read)).cloned());
    }

    /// Notes that an ignored file or folder is at `path`.
    pub(super) fn found_ignored(&mut self, path: &BStr) {
        let concerned = |read: &&BString| is_within(path, read) || is_within(read.as_bstr(), path);
        self.ignored.extend(self.paths.iter().filter(concerned).cloned());
    }
}

/// Whether `path` is `folder` or lies below it; everything lies below the root, the empty path.
fn is_within(path: &BStr, folder: &[u8]) -> bool {
    let rest = path.strip_prefix(folder);
    folder.is_empty() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}

/// `name` below `prefix`; `prefix` itself for an empty name.
pub(super) fn join(prefix: &BStr, name: &BStr) -> BString {
    let mut path = prefix.to_owned();
    if !path.is_empty() && !name.is_empty() {
        path.push_byte(b'/');
    }
    path.push_str(name);
    path
}
