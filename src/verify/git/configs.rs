//! Which of the config files that were composed no commit holds.
//!
//! The record has its own word for it, and a trainer could leave that out. So it is found out anew, and the record has
//! to say the same.

use std::path::{Path, PathBuf};

use crate::provenance::git::GitRecord;
use crate::verify::{Check, ConfigsPlace};

/// Judges the files that the commit does not hold, `not_held` below the root and `outside` of it, and returns them all.
pub(super) fn compare(
    check: &mut Check,
    claim: &GitRecord,
    mut not_held: Vec<String>,
    outside: &[PathBuf],
    (root, place): (&Path, ConfigsPlace),
) -> Vec<String> {
    for path in &not_held {
        if claim.read_untracked.contains(path) || claim.read_ignored.contains(path) {
            check.note(format!(
                "the config file {path} was composed and the commit does not hold it, as the record says"
            ));
        } else {
            check.fail(format!(
                "the config file {path} was composed and the commit does not hold it; the record does not say so"
            ));
        }
    }
    for path in outside {
        let path = path.display();
        match place {
            ConfigsPlace::InRepository => check.fail(format!(
                "the config file {path} was composed and lies outside the sources in {}, so that no commit holds it",
                root.display()
            )),
            ConfigsPlace::Elsewhere => {
                check.note(format!(
                    "the config file {path} was composed and lies outside the sources, as was asked for"
                ));
            }
        }
    }
    not_held.extend(outside.iter().map(|path| path.display().to_string()));
    not_held
}
