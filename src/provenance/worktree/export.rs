//! The sources of a run, written out into an empty folder: from the objects of its commit, and from the work tree only what
//! the record says that differed and what git keeps apart from its objects (LFS).
//!
//! The commit is a stranger's: a name that leads out of the folder is refused, and links are made last, so that nothing is
//! written through one.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use gix::ObjectId;
use gix::bstr::{BString, ByteSlice};
use gix::objs::tree::EntryKind;
use gix::objs::{CommitRef, Kind};

use super::attributes::{Attributes, Conversion};
use super::budget::{Amount, Budget};
use super::opener::read_at_most;
use super::walk::{Difference, Tracked};
use super::{Compared, GitError, MAX_OBJECT_BYTES, WorkTree, canonical, compare, printable, read_error};
use crate::digest::sha256;
use crate::provenance::git::{GitRecord, SubmoduleRecord};
use crate::provenance::path::RelativePath;

/// Writes the files that `record` speaks of into the empty folder `to`, from the repository around `dir`. Returns where in
/// it `dir` is.
///
/// Of a clean record the commit alone is needed, wherever the work tree is; of one with uncommitted changes the work tree has
/// to have the very same ones.
///
/// # Errors
/// [`GitError`], and [`GitError::Export`] for what cannot be written out.
pub fn export(dir: &Path, record: &GitRecord, to: &Path) -> Result<PathBuf, GitError> {
    let dir = canonical(dir)?;
    let refuse = |message: &str| GitError::Export { path: dir.clone(), message: message.to_owned() };
    let root = dir.ancestors().find(|ancestor| fs::symlink_metadata(ancestor.join(".git")).is_ok());
    let root = root.ok_or_else(|| refuse("it is in no git repository"))?;
    if record.submodules.iter().any(|submodule: &SubmoduleRecord| submodule.checked_out.is_some()) {
        return Err(refuse("it has submodules, which are not written out"));
    }
    let differences = match record.clean {
        true => Vec::new(),
        false => match compare(&dir, &[], None)? {
            Some(Compared { record: found, differences, .. }) if found.has_files_of(record) => differences,
            _ => return Err(refuse("the run had uncommitted changes, and the work tree does not have the same ones")),
        },
    };
    let budget = Budget::default();
    WorkTree::open(root, BString::default(), &budget)?.write_out(record, &differences, to)?;
    Ok(to.join(dir.strip_prefix(root).expect("an ancestor")))
}

impl WorkTree<'_> {
    fn write_out(&self, record: &GitRecord, differences: &[Difference], to: &Path) -> Result<(), GitError> {
        let id = |text: &str| ObjectId::from_hex(text.as_bytes()).map_err(|error| self.error(&error));
        let (commit, tree) = (id(record.commit.as_str())?, id(record.tree.as_str())?);
        let data = self.object(commit, Kind::Commit)?;
        if CommitRef::from_bytes(&data, commit.kind()).map_err(|error| self.error(&error))?.tree() != tree {
            return Err(self.refuse(format!("commit {commit}: expected the tree {tree}, got another")));
        }
        let tracked = self.tracked(tree)?;
        let mut attributes = self.attributes(&tracked)?;
        let mut links = Vec::new();
        for (path, entry) in &tracked {
            let place = self.place(path, to)?;
            let changed = differences.iter().find(|one| one.path == *path);
            let (kind, content) = match changed {
                Some(Difference { found, .. }) => match (found.kind, self.content_of(path, *found)?) {
                    (Some(kind), Some(content)) => (kind, content),
                    _ => continue,
                },
                None if entry.kind == EntryKind::Commit => {
                    fs::create_dir_all(&place).map_err(|source| read_error(&place, source))?;
                    continue;
                }
                None => (entry.kind, self.content(&mut attributes, path, entry, record)?),
            };
            self.budget.take(Amount::FileBytes, content.len() as u64, self.root)?;
            match kind {
                EntryKind::Link => links.push((place, content)),
                kind => write(&place, &content, kind == EntryKind::BlobExecutable)
                    .map_err(|source| read_error(&place, source))?,
            }
        }
        for (place, target) in links {
            let target = gix::path::from_byte_slice(&target).map_err(|error| self.error(&error))?;
            link(target, &place).map_err(|source| read_error(&place, source))?;
        }
        Ok(())
    }

    /// Where a path goes.
    fn place(&self, path: &BString, to: &Path) -> Result<PathBuf, GitError> {
        let parsed = path.to_str().ok().and_then(|text| RelativePath::parse(text).ok());
        let parsed = parsed.filter(|path| path.as_str().split('/').all(|part| !part.eq_ignore_ascii_case(".git")));
        match parsed {
            Some(parsed) => Ok(to.join(parsed.as_str())),
            None => Err(self.refuse(format!("{}: no path that is written out", printable(path.as_bstr())))),
        }
    }

    /// What the run had at a path where it had what the commit says.
    fn content(
        &self,
        attributes: &mut Attributes,
        path: &BString,
        entry: &Tracked,
        record: &GitRecord,
    ) -> Result<Vec<u8>, GitError> {
        self.budget.take(Amount::AttributeComparisons, attributes.comparisons(), self.root)?;
        let pointer = match (entry.kind, attributes.conversion(path.as_bstr())) {
            (EntryKind::Blob | EntryKind::BlobExecutable, Conversion::Lfs) => self.pointer(entry.id)?,
            _ => None,
        };
        let name = printable(path.as_bstr());
        if let Some(pointer) = pointer.filter(|_| !record.lfs_pointers.contains(&name)) {
            let here = read_at_most(&self.on_disk(path)?, MAX_OBJECT_BYTES).ok().flatten();
            return match here.filter(|content| sha256(content) == pointer.sha256) {
                Some(content) => Ok(content),
                None => Err(self.refuse(format!("{name}: the content of its LFS pointer is not in the work tree"))),
            };
        }
        self.object(entry.id, Kind::Blob)
    }

    fn refuse(&self, message: String) -> GitError {
        GitError::Export { path: self.root.to_owned(), message }
    }
}

fn write(place: &Path, content: &[u8], is_executable: bool) -> std::io::Result<()> {
    fs::create_dir_all(crate::durable::folder_of(place))?;
    fs::OpenOptions::new().write(true).create_new(true).open(place)?.write_all(content)?;
    #[cfg(unix)]
    if is_executable {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(place, fs::Permissions::from_mode(0o755))?;
    }
    let _ = is_executable;
    Ok(())
}

fn link(target: &Path, place: &Path) -> std::io::Result<()> {
    fs::create_dir_all(crate::durable::folder_of(place))?;
    #[cfg(unix)]
    return std::os::unix::fs::symlink(target, place);
    #[cfg(not(unix))]
    Err(std::io::Error::other(format!("a link to {} cannot be made here", target.display())))
}

#[cfg(all(test, unix))]
mod tests {
    use super::super::tests::Repo;
    use super::*;
    use crate::provenance::git::read;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().expect("a temporary directory")
    }

    #[test]
    fn sources_are_written_out_into_their_folder_and_nowhere_else() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let repo = Repo::new();
        symlink("../outside", repo.path().join("link")).expect("a link");
        fs::set_permissions(repo.path().join("dir/b"), fs::Permissions::from_mode(0o755)).expect("permissions");
        repo.commit();
        let record = repo.read();
        // Of a clean record the work tree does not matter.
        repo.write("a", "changed\n");
        repo.write("untracked", "");
        let to = folder();
        let inner = export(&repo.path().join("dir"), &record, to.path()).expect("written out");
        assert_eq!(inner, to.path().join("dir"));
        let text = |name: &str| fs::read_to_string(to.path().join(name)).expect("a file");
        assert_eq!((text("a"), text("dir/c")), ("1\n".into(), "3\n".into()));
        let mode = fs::metadata(to.path().join("dir/b")).expect("a file").permissions().mode();
        assert_eq!(mode & 0o111, 0o111);
        assert_eq!(fs::read_link(to.path().join("link")).expect("a link"), Path::new("../outside"));
        assert!(!to.path().join("untracked").exists() && !to.path().join(".git").exists());
        // A folder that holds something is not written into.
        assert!(export(repo.path(), &record, to.path()).is_err());
    }

    #[test]
    fn uncommitted_changes_are_written_out_where_they_are_the_recorded_ones() {
        let repo = Repo::new();
        repo.write("a", "changed\n");
        fs::remove_file(repo.path().join("dir/b")).expect("removed");
        let record = repo.read();
        let to = folder();
        export(repo.path(), &record, to.path()).expect("written out");
        assert_eq!(fs::read_to_string(to.path().join("a")).expect("a file"), "changed\n");
        assert!(!to.path().join("dir/b").exists() && to.path().join("dir/c").exists());
        repo.write("a", "changed again\n");
        let error = export(repo.path(), &record, folder().path()).expect_err("refused").to_string();
        assert!(error.contains("does not have the same ones"), "{error}");
    }

    #[test]
    fn a_commit_that_is_not_here_and_a_folder_without_a_repository_are_refused() {
        let (repo, other) = (Repo::new(), Repo::new());
        other.write("a", "another\n");
        other.commit();
        let record = read(other.path(), &[]).expect("readable").expect("a repository");
        assert!(export(repo.path(), &record, folder().path()).is_err());
        let outside = folder();
        let error = export(outside.path(), &record, folder().path()).expect_err("refused").to_string();
        assert!(error.contains("it is in no git repository"), "{error}");
    }
}
