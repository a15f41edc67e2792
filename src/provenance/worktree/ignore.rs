//! Which files git ignores: by the `.gitignore` of each folder, and by the repository's own `info/exclude`.
//!
//! Lists that lie elsewhere do not count, whatever a configuration names: not the user's, and not `core.excludesFile`,
//! which could lead anywhere. As in git, a `.gitignore` that is a symlink is not read.

use std::fs;
use std::path::Path;
use std::rc::Rc;

use gix::bstr::{BStr, ByteSlice};
use gix::glob::pattern::Case;
use gix_ignore::Search;

use super::budget::{Amount, Budget};
use super::{GitError, opener, read_error};

/// Largest list of patterns.
const MAX_LIST_BYTES: u64 = 1 << 20;

/// The lists that count in one folder, the deepest first.
#[derive(Clone, Default)]
pub(super) struct Rules(Option<Rc<List>>);

struct List {
    above: Rules,
    /// Length of the path of its folder, with the `/` behind it.
    start: usize,
    patterns: Search,
    /// Number of its patterns and of those above it.
    count: u64,
}

impl Rules {
    /// Those of a repository, whose folder is `common_dir`.
    pub(super) fn of_repository(common_dir: &Path) -> Result<Self, GitError> {
        let path = common_dir.join("info/exclude");
        match fs::symlink_metadata(&path) {
            Ok(_) => Self::default().with(&path, 0),
            Err(_) => Ok(Self::default()),
        }
    }

    /// Those of the folder `directory`, whose path below the root is `prefix`.
    pub(super) fn within(&self, directory: &Path, prefix: &BStr) -> Result<Self, GitError> {
        let path = directory.join(".gitignore");
        match fs::symlink_metadata(&path) {
            Ok(found) if !found.is_symlink() && !found.is_dir() => {
                self.clone().with(&path, if prefix.is_empty() { 0 } else { prefix.len() + 1 })
            }
            _ => Ok(self.clone()),
        }
    }

    fn with(self, path: &Path, start: usize) -> Result<Self, GitError> {
        let bytes = opener::read(path, MAX_LIST_BYTES)?;
        let mut patterns = Search::default();
        patterns
            .add_patterns_buffer(&bytes, path, None, Default::default())
            .map_err(|source| read_error(path, source))?;
        let above = self.0.as_ref().map_or(0, |list| list.count);
        let count = above + patterns.patterns.iter().map(|list| list.patterns.len() as u64).sum::<u64>();
        Ok(Self(Some(Rc::new(List { above: self, start, patterns, count }))))
    }

    /// Whether the path, in a folder that is not ignored itself, is.
    pub(super) fn ignore(
        &self,
        path: &BStr,
        is_folder: bool,
        case: Case,
        (budget, root): (&Budget, &Path),
    ) -> Result<bool, GitError> {
        let mut next = self;
        budget.take(Amount::IgnoreComparisons, self.0.as_ref().map_or(0, |list| list.count), root)?;
        while let Some(list) = &next.0 {
            let below = path.get(list.start..).unwrap_or_default().as_bstr();
            if let Some(found) = list.patterns.pattern_matching_relative_path(below, Some(is_folder), case) {
                return Ok(!found.pattern.is_negative());
            }
            next = &list.above;
        }
        Ok(false)
    }
}
