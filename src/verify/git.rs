//! The sources: is this work tree the one the run was made from?

use std::path::Path;

use super::{Check, VerifiedRun};
#[cfg(feature = "git")]
use crate::provenance::git::{GitRecord, SubmoduleRecord, read};

impl VerifiedRun {
    /// Compares the work tree at `work_tree` with the recorded one, byte for byte, submodules included.
    #[cfg(feature = "git")]
    pub fn check_git(&self, work_tree: &Path) -> Check {
        let mut check = Check::new("git");
        let Some(claim) = &self.claim().git else {
            check.not_checked("the run was made outside a git repository: there is nothing to compare with".into());
            return check;
        };
        match read(work_tree, &[]) {
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
    match (&claim.difference, &found.difference) {
        (None, None) => check.note(format!("commit {}, clean", claim.commit.as_str())),
        (Some(claimed), Some(got)) if claimed == got => {
            check.note(format!("commit {} with the recorded uncommitted changes", claim.commit.as_str()));
        }
        (Some(_), _) => {
            check.fail(format!("the run was made with uncommitted changes in {}", paths(claim)));
            if let Some(patch) = &claim.patch {
                check.note(format!("to get them: git apply --binary RUN/{patch}"));
            }
        }
        (None, Some(_)) if are_only_missing(found, work_tree) => {
            check.not_checked(format!("missing from the work tree: {}", paths(found)));
        }
        (None, Some(_)) => check.fail(format!("uncommitted changes in {}", paths(found))),
    }
    compare_submodules(check, claim, found);
    compare_lfs(check, claim, found);
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
                check.note(format!("to get it: git -C {path} checkout {expected}"));
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
fn compare_lfs(check: &mut Check, claim: &GitRecord, found: &GitRecord) {
    let list = |record: &GitRecord| listed(&record.lfs_pointers, record.lfs_pointer_count);
    if found.lfs_pointers.iter().any(|path| !claim.lfs_pointers.contains(path))
        || found.lfs_pointer_count > claim.lfs_pointer_count
    {
        check.not_checked(format!("only the LFS pointer is here of {}", list(found)));
        check.note("to get the content: git lfs pull".into());
    }
    if claim.lfs_pointer_count > 0 {
        check.note(format!("the run had only the LFS pointer of {}", list(claim)));
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
    listed(&record.changed, record.changed_count)
}

#[cfg(feature = "git")]
fn listed(paths: &[String], count: u64) -> String {
    let shown = paths.iter().take(5).map(String::as_str).collect::<Vec<_>>().join(", ");
    let more = count.saturating_sub(5);
    if more > 0 { format!("{shown} and {more} more") } else { shown }
}

#[cfg(all(test, feature = "git"))]
mod tests {
    use super::*;
    use crate::manifest::predicate::tests::example;
    use crate::provenance::git::ObjectFormat;
    use crate::verify::Verdict;

    fn clean() -> GitRecord {
        let example = example().git.expect("the example has sources");
        let submodule = |path: &str| SubmoduleRecord {
            path: path.into(),
            commit: example.commit.clone(),
            checked_out: Some(example.commit.clone()),
            difference: None,
        };
        GitRecord {
            clean: true,
            difference: None,
            changed: Vec::new(),
            changed_count: 0,
            submodules: vec![submodule("a"), submodule("b")],
            lfs_pointers: Vec::new(),
            lfs_pointer_count: 0,
            read_untracked: Vec::new(),
            read_ignored: Vec::new(),
            replaced: false,
            patch: None,
            ..example
        }
    }

    /// The verdict and the findings, a line each.
    fn compared(claim: &GitRecord, found: &GitRecord) -> (Verdict, String) {
        let mut check = Check::new("git");
        compare(&mut check, claim, found, Path::new("/nonexistent"));
        (check.verdict, check.findings.into_iter().map(|finding| finding.message).collect::<Vec<_>>().join("\n"))
    }

    #[test]
    fn the_same_work_tree_passes_and_says_only_that() {
        let (verdict, findings) = compared(&clean(), &clean());
        assert_eq!((verdict, findings.lines().count()), (Verdict::Passed, 1), "{findings}");
    }

    #[test]
    fn another_commit_is_found_and_how_to_get_the_right_one() {
        let other = GitRecord { tree: "9".repeat(40).parse().expect("an id"), ..clean() };
        let (verdict, findings) = compared(&clean(), &other);
        assert_eq!(verdict, Verdict::Failed);
        let command = format!("git checkout {} && git submodule update --init --recursive", clean().commit);
        assert!(findings.contains(&command) && findings.contains("https://example.org/a.git"), "{findings}");
    }

    #[test]
    fn a_submodule_that_is_not_there_is_not_checked_and_one_at_another_commit_fails() {
        let mut absent = clean();
        absent.submodules[1].checked_out = None;
        let (verdict, findings) = compared(&clean(), &absent);
        assert_eq!(verdict, Verdict::NotChecked);
        assert!(findings.contains("submodule b") && findings.contains("update --init"), "{findings}");
        assert_eq!(compared(&absent, &clean()).0, Verdict::Passed, "the run could not read what was not there");
        let mut other = clean();
        other.submodules[0].checked_out = Some("8".repeat(40).parse().expect("an id"));
        let (verdict, findings) = compared(&clean(), &other);
        assert_eq!(verdict, Verdict::Failed);
        assert!(findings.contains("git -C a checkout"), "{findings}");
    }

    #[test]
    fn a_pointer_in_place_of_the_content_is_not_checked_unless_the_run_had_no_more() {
        let pointer = GitRecord { lfs_pointers: vec!["big".into()], lfs_pointer_count: 1, ..clean() };
        let (verdict, findings) = compared(&clean(), &pointer);
        assert_eq!(verdict, Verdict::NotChecked);
        assert!(findings.contains("git lfs pull"), "{findings}");
        let (verdict, findings) = compared(&pointer, &pointer);
        assert_eq!(verdict, Verdict::Passed);
        assert!(findings.contains("the run had only the LFS pointer of big"), "{findings}");
    }

    #[test]
    fn a_repository_with_another_hash_cannot_be_compared() {
        let other = GitRecord { object_format: ObjectFormat::Sha256, ..clean() };
        assert_eq!(compared(&clean(), &other).0, Verdict::NotChecked);
    }

    #[test]
    fn what_git_does_not_hold_and_the_run_read_is_told() {
        let claim = GitRecord { read_ignored: vec!["data".into()], replaced: true, ..clean() };
        let (verdict, findings) = compared(&claim, &clean());
        assert_eq!(verdict, Verdict::Passed);
        assert!(findings.contains("ignored files") && findings.contains("replace refs"), "{findings}");
    }
}
