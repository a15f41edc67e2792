//! How much a repository may cost whoever looks at it.
//!
//! A few hundred bytes of nested trees name more files than there is memory, and a file of patterns times a tree of
//! files is more comparisons than there is time. Each amount is many times what honest repositories need.

use std::cell::Cell;
use std::path::Path;

use super::GitError;

/// What is counted, over a work tree and all its submodules.
#[derive(Debug, Clone, Copy)]
pub(super) enum Amount {
    /// Files and folders of the trees that `HEAD` names.
    TreeEntries,
    /// Bytes of their paths.
    PathBytes,
    /// Files and folders on the disk, those of git among them.
    DiskEntries,
    /// Bytes of `.gitattributes`: a tree can name one blob a million times.
    AttributeBytes,
    /// Patterns of `.gitattributes` that paths were compared with.
    AttributeComparisons,
    /// Patterns of `.gitignore` that paths were compared with.
    IgnoreComparisons,
    /// Bytes of files.
    FileBytes,
}

impl Amount {
    const COUNT: usize = 7;
    const ALL: [Self; Self::COUNT] = [
        Self::TreeEntries,
        Self::PathBytes,
        Self::DiskEntries,
        Self::AttributeBytes,
        Self::AttributeComparisons,
        Self::IgnoreComparisons,
        Self::FileBytes,
    ];

    fn most(self) -> u64 {
        match self {
            Self::TreeEntries => 1 << 21,
            Self::PathBytes => 1 << 28,
            Self::DiskEntries => 1 << 22,
            Self::AttributeBytes => 1 << 24,
            Self::AttributeComparisons => 1 << 26,
            Self::IgnoreComparisons => 1 << 28,
            Self::FileBytes => 1 << 38,
        }
    }

    fn unit(self) -> &'static str {
        match self {
            Self::TreeEntries => "files and folders in its trees",
            Self::PathBytes => "bytes of paths in its trees",
            Self::DiskEntries => "files and folders on the disk",
            Self::AttributeBytes => "bytes of .gitattributes",
            Self::AttributeComparisons => "comparisons of paths with patterns of .gitattributes",
            Self::IgnoreComparisons => "comparisons of paths with patterns of .gitignore",
            Self::FileBytes => "bytes in its files",
        }
    }
}

/// What may still be used of every [`Amount`].
#[derive(Debug)]
pub(super) struct Budget {
    left: [Cell<u64>; Amount::COUNT],
    most: [u64; Amount::COUNT],
}

impl Default for Budget {
    fn default() -> Self {
        let most = Amount::ALL.map(Amount::most);
        Self { left: most.map(Cell::new), most }
    }
}

impl Budget {
    /// The usual one, but for one amount.
    pub(super) fn with_at_most(amount: Amount, most: u64) -> Self {
        let mut budget = Self::default();
        budget.most[amount as usize] = most;
        budget.left[amount as usize] = Cell::new(most);
        budget
    }

    /// Counts `count` more.
    ///
    /// # Errors
    /// [`GitError::TooLarge`] when that is too much.
    pub(super) fn take(&self, amount: Amount, count: u64, root: &Path) -> Result<(), GitError> {
        let left = &self.left[amount as usize];
        let Some(now) = left.get().checked_sub(count) else {
            let (most, unit) = (self.most[amount as usize], amount.unit());
            return Err(GitError::TooLarge { path: root.to_owned(), most, unit });
        };
        left.set(now);
        Ok(())
    }
}
