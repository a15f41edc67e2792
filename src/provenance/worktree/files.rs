//! What makes up the sources in a work tree: the files that git tracks or would let you add, whatever they hold.

use std::collections::BTreeSet;
use std::fs;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};

use gix::bstr::{BString, ByteSlice};
use gix::glob::pattern::Case;

use super::budget::{Amount, Budget};
use super::ignore::Rules;
use super::reads::join;
use super::{GitError, MAX_SUBMODULE_DEPTH, WorkTree, canonical, read_error, repository_error};

/// The files of a work tree.
#[derive(Debug)]
pub struct WorkTreeFiles {
    /// Its root.
    pub root: PathBuf,
    /// Everything below it that is no folder and that git tracks or does not ignore, submodules' included: relative to the
    /// root, sorted. Nothing of it was opened, and it may be anything.
    pub paths: Vec<PathBuf>,
}

/// Lists the files of the work tree around `dir`: those that git tracks, by its index or the commit at `HEAD`, and those that
/// it does not ignore. `None` when neither `dir` nor a directory above it holds a `.git`.
///
/// What is ignored is told as by [`read`](super::read). Links are not followed, and what `.git` holds is not listed.
///
/// # Errors
/// [`GitError`].
pub fn files(dir: &Path) -> Result<Option<WorkTreeFiles>, GitError> {
    let dir = canonical(dir)?;
    let Some(root) = dir.ancestors().find(|ancestor| fs::symlink_metadata(ancestor.join(".git")).is_ok()) else {
        return Ok(None);
    };
    let budget = Budget::default();
    let mut found = BTreeSet::new();
    let listed = || WorkTree::open(root, BString::default(), &budget)?.list(&mut found, 0);
    // As in `compare`: git's library may give up on what somebody else wrote.
    panic::catch_unwind(AssertUnwindSafe(listed)).map_err(|_| GitError::Repository {
        path: root.to_owned(),
        message: "git's library gave up on it".to_owned(),
    })??;
    let path = |path: BString| {
        let path = gix::path::from_bstr(path.as_bstr()).map_err(|error| repository_error(root, &error))?;
        Ok::<_, GitError>(path.into_owned())
    };
    Ok(Some(WorkTreeFiles { root: root.to_owned(), paths: found.into_iter().map(path).collect::<Result<_, _>>()? }))
}

impl WorkTree<'_> {
    /// Adds the files of this work tree and of the submodules in it, by their paths below the outermost one.
    fn list(&self, found: &mut BTreeSet<BString>, depth: usize) -> Result<(), GitError> {
        if depth > MAX_SUBMODULE_DEPTH {
            return Err(GitError::TooDeep { path: self.root.to_owned() });
        }
        let mut tracked = self.staged()?;
        match self.head() {
            Ok((_, tree)) => tracked.extend(self.tracked(tree)?.into_keys()),
            // Before the first commit the index is all there is.
            Err(GitError::NoCommit { .. }) => {}
            Err(error) => return Err(error),
        }
        let case = match self.repository.config_snapshot().boolean("core.ignoreCase") {
            Some(true) => Case::Fold,
            _ => Case::Sensitive,
        };
        let exclude = Rules::of_repository(self.repository.common_dir())?;
        let mut pending = vec![(BString::default(), self.root.to_owned(), false, exclude)];
        while let Some((prefix, directory, above_is_ignored, rules)) = pending.pop() {
            let rules = if above_is_ignored { rules } else { rules.within(&directory, prefix.as_bstr())? };
            let failed = |source| read_error(&directory, source);
            for entry in fs::read_dir(&directory).map_err(failed)? {
                self.budget.take(Amount::DiskEntries, 1, self.root)?;
                let entry = entry.map_err(failed)?;
                let (path, name) = (entry.path(), entry.file_name());
                let name = gix::path::os_str_into_bstr(&name).map_err(|error| self.error(&error))?;
                if name == b".git" {
                    continue;
                }
                let relative = join(prefix.as_bstr(), name);
                let is_folder = entry.file_type().map_err(failed)?.is_dir();
                let is_ignored = || -> Result<bool, GitError> {
                    let counted = (self.budget, self.root);
                    Ok(above_is_ignored || rules.ignore(relative.as_bstr(), is_folder, case, counted)?)
                };
                if !is_folder {
                    if tracked.contains(&relative) || !is_ignored()? {
                        found.insert(join(self.prefix.as_bstr(), relative.as_bstr()));
                    }
                } else if tracked.contains(&relative) && fs::symlink_metadata(path.join(".git")).is_ok() {
                    let prefix = join(self.prefix.as_bstr(), relative.as_bstr());
                    WorkTree::open(&path, prefix, self.budget)?.list(found, depth + 1)?;
                } else {
                    let is_ignored = is_ignored()?;
                    if !is_ignored || any_below(&tracked, &relative) {
                        pending.push((relative, path, is_ignored, rules.clone()));
                    }
                }
            }
        }
        Ok(())
    }
}

/// Whether anything tracked lies in the directory `path`.
fn any_below(tracked: &BTreeSet<BString>, path: &BString) -> bool {
    let mut prefix = path.clone();
    prefix.push(b'/');
    tracked.range(prefix.clone()..).next().is_some_and(|first| first.starts_with(&prefix))
}

#[cfg(all(test, unix))]
mod tests {
    use super::super::tests::Repo;
    use super::*;

    fn listed(dir: &Path) -> Vec<String> {
        let files = files(dir).expect("listed").expect("a repository");
        files.paths.iter().map(|path| path.to_str().expect("text").to_owned()).collect()
    }

    #[test]
    fn tracked_and_untracked_files_are_listed_and_ignored_ones_are_not() {
        let repo = Repo::new();
        repo.write("build/kept", "");
        repo.commit();
        repo.write(".gitignore", "*.log\n/build/\n");
        repo.write("x.log", "");
        repo.write("dir/y.log", "");
        repo.write("build/made", "");
        repo.write("new", "");
        std::os::unix::fs::symlink("/nowhere", repo.path().join("link")).expect("a link");
        fs::remove_file(repo.path().join("a")).expect("removed");
        let expected = [".gitignore", "build/kept", "dir/b", "dir/c", "link", "new"];
        assert_eq!(listed(repo.path()), expected);
        assert_eq!(listed(&repo.path().join("dir")), expected);
    }

    #[test]
    fn a_repository_without_a_commit_has_files_and_a_folder_without_a_repository_has_none() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(files(folder.path()).expect("looked at").is_none());
        let repo = Repo::new();
        fs::remove_file(repo.path().join(".git/refs/heads/main")).expect("removed");
        assert_eq!(listed(repo.path()), [".gitignore", "a", "dir/b", "dir/c"]);
    }
}
