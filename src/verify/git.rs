//! The sources: is this work tree the one the run was made from?

#[cfg(feature = "git")]
mod configs;
#[cfg(feature = "git")]
mod folder;

use std::path::{Path, PathBuf};

use super::{Check, ConfigsPlace, VerifiedRun};
#[cfg(feature = "git")]
use crate::provenance::git::{GitRecord, Inspected, SubmoduleRecord, inspect};

/// What the check of the sources found.
#[derive(Debug, Clone)]
pub struct GitEvidence {
    /// The check.
    pub check: Check,
    /// Config files that were composed and that the commit does not hold, whether the record says so or not: ignored
    /// and untracked ones below the work tree's root, others as absolute paths. Where nothing could be compared, none
    /// need be named; the check has not passed then.
    pub configs_not_held: Vec<String>,
}

impl VerifiedRun {
    /// Compares the work tree at `work_tree` with the recorded one, byte for byte, submodules included, and finds out
    /// which of the config files that were composed, `reads` (absolute paths), its commit does not hold.
    ///
    /// A folder in no repository is compared by the id of its tree.
    #[cfg(feature = "git")]
    pub fn check_git(&self, work_tree: &Path, reads: &[PathBuf], place: ConfigsPlace) -> GitEvidence {
        evidence(self.claim().git.as_ref(), work_tree, reads, place)
    }

    /// Without the `git` feature the sources cannot be compared.
    #[cfg(not(feature = "git"))]
    pub fn check_git(&self, _: &Path, _: &[PathBuf], _: ConfigsPlace) -> GitEvidence {
        let mut check = Check::new("git");
        check.not_checked("this program was built without the git feature".into());
        GitEvidence { check, configs_not_held: Vec::new() }
    }
}

#[cfg(feature = "git")]
fn evidence(claim: Option<&GitRecord>, work_tree: &Path, reads: &[PathBuf], place: ConfigsPlace) -> GitEvidence {
    let mut check = Check::new("git");
    let Some(claim) = claim else {
        check.not_checked("the run was made outside a git repository: there is nothing to compare with".into());
        // No commit holds anything.
        let configs_not_held = reads.iter().map(|path| path.display().to_string()).collect();
        return GitEvidence { check, configs_not_held };
    };
    let configs_not_held = match inspect(work_tree, reads) {
        Ok(Some(found)) => {
            compare(&mut check, claim, &found, work_tree);
            let not_held = found.record.read_untracked.iter().chain(&found.record.read_ignored).cloned().collect();
            configs::compare(&mut check, claim, not_held, &found.outside, (&found.root, place))
        }
        Ok(None) => folder::check(&mut check, claim, work_tree, reads, place),
        Err(error) => {
            check.not_checked(super::chain(&error));
            Vec::new()
        }
    };
    GitEvidence { check, configs_not_held }
}

#[cfg(feature = "git")]
fn compare(check: &mut Check, claim: &GitRecord, inspected: &Inspected, work_tree: &Path) {
    let Inspected { root, record: found, .. } = inspected;
    if claim.object_format != found.object_format {
        // The same files have other ids there: nothing could ever be equal.
        let (expected, got) = (claim.object_format, found.object_format);
        check.not_checked(format!("object format: expected {expected:?}, got {got:?}: get the repository anew"));
        return;
    }
    if claim.tree != found.tree {
        check.fail(format!("tree: expected {}, got {}", claim.tree.as_str(), found.tree.as_str()));
        check.note(checkout(claim));
    } else if claim.commit != found.commit {
        check.fail(format!("commit: expected {}, got {}", claim.commit.as_str(), found.commit.as_str()));
        check.note(checkout(claim));
    }
    if claim.commit != found.commit && work_tree.canonicalize().is_ok_and(|work_tree| work_tree != *root) {
        let (work_tree, root) = (work_tree.display(), root.display());
        check.note(format!("{work_tree} is in the repository at {root}, which is what was compared"));
    }
    match (&claim.difference, &found.difference) {
        (None, None) => check.note(format!("commit {}, clean", claim.commit.as_str())),
        (Some(claimed), Some(got)) if claimed == got => {
            check.note(format!("commit {} with the recorded uncommitted changes", claim.commit.as_str()));
        }
        (Some(_), _) => {
            check.fail(format!("the run was made with uncommitted changes in {}", paths(claim)));
            if let Some(patch) = &claim.patch {
                check.note(format!("to get them: git apply --binary RUN/{}", quoted(patch.as_str())));
            }
        }
        (None, Some(_)) if are_only_missing(found, root) => {
            check.not_checked(format!("missing from the work tree: {}", paths(found)));
        }
        (None, Some(_)) if inspected.only_line_endings => {
            let paths = paths(found);
            check.not_checked(format!(
                "CRLF in the work tree where the commit has LF, as core.autocrlf=true writes it, in {paths}"
            ));
            let commands = with_committed_line_endings(found);
            check.note(format!("to get the commit's bytes, in {}: {commands}", root.display()));
        }
        (None, Some(_)) => check.fail(format!("uncommitted changes in {}", paths(found))),
    }
    compare_submodules(check, claim, found);
    compare_lfs(check, claim, &found.lfs_pointers, found.lfs_pointer_count);
    tell(check, claim, found);
}

/// What differs inside a submodule has been told with the work tree's differences; here it is about which are there.
#[cfg(feature = "git")]
fn compare_submodules(check: &mut Check, claim: &GitRecord, found: &GitRecord) {
    let of = |record: &'_ GitRecord, path: &str| -> Option<SubmoduleRecord> {
        record.submodules.iter().find(|submodule| submodule.path == path).cloned()
    };
    for claimed in &claim.submodules {
        let path = &claimed.path;
        match (&claimed.checked_out, of(found, path).and_then(|submodule| submodule.checked_out)) {
            (Some(expected), Some(got)) if *expected != got => {
                check.fail(format!("submodule {path}: expected commit {expected}, got {got}"));
                check.note(format!("to get it: git -C {} checkout {expected}", quoted(path)));
            }
            (Some(_), Some(_)) | (None, None) => {}
            (Some(expected), None) => {
                check.not_checked(format!("submodule {path}: expected commit {expected}, but it is not checked out"));
                check.note("to get it: git submodule update --init --recursive".into());
            }
            (None, Some(_)) => check.note(format!("submodule {path} was not checked out when the run was made")),
        }
    }
}

/// An LFS pointer is the file the commit names, and yet not what a program reads that was given the content.
#[cfg(feature = "git")]
fn compare_lfs(check: &mut Check, claim: &GitRecord, pointers: &[String], count: u64) {
    if pointers.iter().any(|path| !claim.lfs_pointers.contains(path)) || count > claim.lfs_pointer_count {
        check.not_checked(format!("only the LFS pointer is here of {}", listed(pointers, count)));
        check.note("to get the content: git lfs pull".into());
    }
    if claim.lfs_pointer_count > 0 {
        let pointers = listed(&claim.lfs_pointers, claim.lfs_pointer_count);
        check.note(format!("the run had only the LFS pointer of {pointers}"));
    }
}

/// What changes no verdict and should be known.
#[cfg(feature = "git")]
fn tell(check: &mut Check, claim: &GitRecord, found: &GitRecord) {
    for (whose, record) in [("the run had", claim), ("there are now", found)] {
        if record.untracked_count > 0 {
            check.note(format!("{whose} {} files that git does not track", record.untracked_count));
        }
    }
    for (kind, paths) in [("untracked", &claim.read_untracked), ("ignored", &claim.read_ignored)] {
        if !paths.is_empty() {
            check.note(format!("the run read {kind} files, which the commit does not hold: {}", paths.join(", ")));
        }
    }
    for (where_, record) in [("of the run", claim), ("here", found)] {
        if record.replaced {
            check.note(format!("the repository {where_} has replace refs or grafts, which were not followed"));
        }
    }
}

/// How to get the recorded commit.
#[cfg(feature = "git")]
fn checkout(claim: &GitRecord) -> String {
    let submodules = if claim.submodules.iter().any(|submodule| submodule.checked_out.is_some()) {
        " && git submodule update --init --recursive"
    } else {
        ""
    };
    let remote = claim.remotes.iter().find_map(|remote| remote.url.as_deref());
    let of = remote.map(|url| format!(" of {url}")).unwrap_or_default();
    format!("to get it{of}: git checkout {}{submodules}", claim.commit)
}

/// The commands that write every file again as the commit has it. Git believes that they are up to date, so that a
/// checkout alone would write none.
#[cfg(feature = "git")]
fn with_committed_line_endings(found: &GitRecord) -> String {
    let is_in = |path: &str, folder: &str| path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
    let innermost = |path: &str| {
        let around = found.submodules.iter().map(|submodule| submodule.path.as_str());
        around.filter(|folder| is_in(path, folder)).max_by_key(|folder| folder.len())
    };
    let places: std::collections::BTreeSet<_> = found.changed.iter().map(|path| innermost(path)).collect();
    let command = |place: &Option<&str>| {
        let git = place.map_or_else(|| "git".to_owned(), |folder| format!("git -C {}", quoted(folder)));
        format!("{git} config core.autocrlf false && {git} read-tree --empty && {git} reset -q --hard")
    };
    places.iter().map(command).collect::<Vec<_>>().join(" && ")
}

/// Whether every path that differs is one that is not there: nothing was changed, something cannot be compared.
#[cfg(feature = "git")]
fn are_only_missing(found: &GitRecord, root: &Path) -> bool {
    let is_all = found.changed.len() as u64 == found.changed_count;
    is_all && found.changed.iter().all(|path| root.join(path).symlink_metadata().is_err())
}

/// A name inside a command that somebody will type: whoever chose the name must not choose the command.
#[cfg(feature = "git")]
fn quoted(name: &str) -> String {
    match name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-./+@:".contains(&byte)) {
        true => name.to_owned(),
        false => format!("'{}'", name.replace('\'', r"'\''")),
    }
}

#[cfg(feature = "git")]
fn paths(record: &GitRecord) -> String {
    listed(&record.changed, record.changed_count)
}

#[cfg(feature = "git")]
fn listed(paths: &[String], count: u64) -> String {
    let shown = paths.iter().take(5).map(String::as_str).collect::<Vec<_>>().join(", ");
    let more = count.saturating_sub(5);
    if more > 0 { format!("{shown} and {more} more") } else { shown }
}

#[cfg(all(test, feature = "git"))]
mod tests;
