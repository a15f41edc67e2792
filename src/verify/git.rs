//! The sources: is this work tree the one the run was made from?

use std::path::Path;

use super::{Check, VerifiedRun};
#[cfg(feature = "git")]
use crate::provenance::git::{GitRecord, read};

impl VerifiedRun {
    /// Compares the work tree at `work_tree` with the recorded one, byte for byte.
    #[cfg(feature = "git")]
    pub fn check_git(&self, work_tree: &Path) -> Check {
        let mut check = Check::new("git");
        let Some(claim) = &self.claim().git else {
            check.not_checked("the run was made outside a git repository: there is nothing to compare with".into());
            return check;
        };
        match read(work_tree) {
            Ok(Some(found)) => compare(&mut check, claim, &found, work_tree),
            Ok(None) => check.not_checked(format!("{} is in no git repository", work_tree.display())),
            Err(error) => check.not_checked(super::chain(&error)),
        }
        check
    }

    /// Without the `git` feature the sources cannot be compared.
    #[cfg(not(feature = "git"))]
    pub fn check_git(&self, _: &Path) -> Check {
        let mut check = Check::new("git");
        check.not_checked("this program was built without the git feature".into());
        check
    }
}

#[cfg(feature = "git")]
fn compare(check: &mut Check, claim: &GitRecord, found: &GitRecord, work_tree: &Path) {
    if claim.tree != found.tree {
        check.fail(format!("tree: expected {}, got {}", claim.tree.as_str(), found.tree.as_str()));
        check.note(format!("to get it: git checkout {}", claim.commit.as_str()));
    } else if claim.commit != found.commit {
        check.fail(format!("commit: expected {}, got {}", claim.commit.as_str(), found.commit.as_str()));
    }
    match (&claim.difference, &found.difference) {
        (None, None) => check.note(format!("commit {}, clean", claim.commit.as_str())),
        (Some(claimed), Some(got)) if claimed == got => {
            check.note(format!("commit {} with the recorded uncommitted changes", claim.commit.as_str()));
        }
        (Some(_), _) => {
            check.fail(format!("the run was made with uncommitted changes in {}", paths(claim)));
        }
        (None, Some(_)) if are_only_missing(found, work_tree) => {
            check.not_checked(format!("missing from the work tree: {}", paths(found)));
        }
        (None, Some(_)) => check.fail(format!("uncommitted changes in {}", paths(found))),
    }
    for (whose, record) in [("the run had", claim), ("there are now", found)] {
        if record.untracked_count > 0 {
            check.note(format!("{whose} {} files that git does not track", record.untracked_count));
        }
    }
}

/// Whether every path that differs is one that is not there: nothing was changed, something cannot be compared.
#[cfg(feature = "git")]
fn are_only_missing(found: &GitRecord, work_tree: &Path) -> bool {
    let is_all = found.changed.len() as u64 == found.changed_count;
    let Ok(work_tree) = work_tree.canonicalize() else { return false };
    let root = work_tree.ancestors().find(|folder| folder.join(".git").symlink_metadata().is_ok());
    is_all && root.is_some_and(|root| found.changed.iter().all(|path| root.join(path).symlink_metadata().is_err()))
}

#[cfg(feature = "git")]
fn paths(record: &GitRecord) -> String {
    let shown = record.changed.iter().take(5).map(String::as_str).collect::<Vec<_>>().join(", ");
    let more = record.changed_count.saturating_sub(5);
    if more > 0 { format!("{shown} and {more} more") } else { shown }
}
