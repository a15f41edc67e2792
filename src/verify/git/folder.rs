//! Sources without a repository, as an archive of the commit leaves them.

use std::path::{Path, PathBuf};

use super::{compare_lfs, configs, paths, quoted};
use crate::provenance::git::{Folder, GitRecord, read_folder};
use crate::verify::{Check, ConfigsPlace, chain};

/// Compares the files in `dir` with the recorded tree; returns the config files that the commit does not hold.
pub(super) fn check(
    check: &mut Check,
    claim: &GitRecord,
    dir: &Path,
    reads: &[PathBuf],
    place: ConfigsPlace,
) -> Vec<String> {
    let shown = dir.display();
    if claim.difference.is_some() {
        let paths = paths(claim);
        check.not_checked(format!("{shown} is in no git repository, and the run had uncommitted changes in {paths}"));
        check.note(clone(claim));
        if let Some(patch) = &claim.patch {
            check
                .note(format!("and then the changes, in the clone: git apply --binary RUN/{}", quoted(patch.as_str())));
        }
        return Vec::new();
    }
    if !claim.submodules.is_empty() {
        check.not_checked(format!("{shown} is in no git repository, and the commit names other repositories in it"));
        check.note(clone(claim));
        return Vec::new();
    }
    match read_folder(dir, &claim.tree, reads) {
        Ok(found) => {
            compare(check, claim, &found, dir, reads.is_empty());
            let root = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
            // Of a tree that is another one, nobody knows what its commit holds.
            let not_held = if found.is_expected { found.not_held } else { Vec::new() };
            configs::compare(check, claim, not_held, &found.outside, (&root, place))
        }
        Err(error) => {
            check.not_checked(chain(&error));
            check.note(clone(claim));
            Vec::new()
        }
    }
}

fn compare(check: &mut Check, claim: &GitRecord, found: &Folder, dir: &Path, has_no_configs: bool) {
    let (shown, commit) = (dir.display(), &claim.commit);
    if found.is_expected {
        check.note(format!("the files in {shown} are those of the recorded tree {}", claim.tree));
        check.note(format!("{shown} is in no git repository: that commit {commit} has this tree is the record's word"));
        let count = found.lfs_pointers.len() as u64;
        compare_lfs(check, claim, &found.lfs_pointers, count);
        return;
    }
    if has_no_configs {
        // Somebody who stands in another folder has not been lied to.
        check.not_checked(format!(
            "{shown} is in no git repository and holds no configs of the run: say where the work tree is with --repository DIR"
        ));
        return;
    }
    check.fail(format!("tree: expected {}, got {} from the files in {shown}", claim.tree, found.tree));
    check.note(format!(
        "{shown} is in no git repository: which file differs cannot be told; files that were added to it and that no \
         .gitignore in it names count, too"
    ));
    if found.has_export_attributes {
        check.note("its .gitattributes make an archive hold other files than the commit does".into());
    }
    check.note(clone(claim));
}

/// How to get a repository at the recorded commit.
fn clone(claim: &GitRecord) -> String {
    let urls = claim.remotes.iter().filter_map(|remote| remote.url.as_deref());
    let remote = urls.filter(|url| !url.starts_with('-')).map(quoted).next().unwrap_or_else(|| "URL".into());
    let commit = &claim.commit;
    let submodules = match claim.submodules.iter().any(|submodule| submodule.checked_out.is_some()) {
        true => " && git -C sources submodule update --init --recursive",
        false => "",
    };
    format!("to compare with the commit: git clone {remote} sources && git -C sources checkout {commit}{submodules}")
}
