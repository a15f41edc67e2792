//! Compares the bytes of a work tree with the objects of `HEAD`'s tree.
//!
//! Nothing here believes git's index: assume-unchanged, skip-worktree and unchanged times hide edits from it. Every
//! tracked file is read and hashed as git would hash it, and everything else that is not ignored counts as a
//! difference.
//!
//! - The environment (`GIT_DIR` and its kin), the user's and the system's git configuration are ignored; so are replace
//!   refs and `core.worktree`. No program is run: filters (LFS, smudge/clean) and line-ending conversion are not
//!   applied, the bytes on the disk have to be the bytes of the object.
//! - The commit and every tree is hashed again when read, so a doctored object database shows. Blobs are not read.
//! - Ignored means: by a `.gitignore` in the work tree or by `.git/info/exclude`. The user's global list does not count.
//! - A submodule's directory that holds anything counts as a difference: what it holds is not examined.
//! - Files that a sparse checkout left out count as deleted.

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use gix::bstr::{BString, ByteSlice, ByteVec};
use gix::objs::tree::EntryKind;
use gix::objs::{CommitRef, Kind, TreeRefIter};
use gix::worktree::stack::state::ignore::Source;
use gix::{AttributeStack, ObjectId, Repository};

use crate::digest::{Blake3Digest, DomainHasher};

use super::git::{GitRecord, MAX_CHANGED_PATHS};

/// Most files a tree may have: a few hundred bytes of nested trees can name more files than there is memory.
const MAX_TREE_ENTRIES: usize = 1 << 20;

const DIFFERENCE_DOMAIN: &str = "spectramind/git-difference/v1";

/// A work tree that cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// The file system failed.
    #[error("cannot read {path}")]
    Read {
        /// What was to be read.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The repository cannot be opened or read.
    #[error("cannot read the git repository of {path}: {message}")]
    Repository {
        /// The work tree.
        path: PathBuf,
        /// What git's library says, causes included.
        message: String,
    },
    /// There is no commit yet, so there is nothing that a record could name.
    #[error("the git repository of {path} has no commit, expected one at HEAD")]
    NoCommit {
        /// The work tree.
        path: PathBuf,
    },
    /// The repository says that its work tree is somewhere else.
    #[error("the git repository in {path} belongs to the work tree {got:?}, expected {path}")]
    WorkTreeElsewhere {
        /// The directory that holds `.git`.
        path: PathBuf,
        /// What the repository's configuration names; `None` for a bare repository.
        got: Option<PathBuf>,
    },
    /// An object's content does not hash to its name, or it is not what refers to it says.
    #[error("git object {id} in {path} is corrupt, expected a {expected}")]
    Corrupt {
        /// The work tree.
        path: PathBuf,
        /// The object.
        id: String,
        /// What it should have been.
        expected: Kind,
    },
    /// The tree names more files than is reasonable.
    #[error("the git tree at HEAD in {path} has more than {MAX_TREE_ENTRIES} files")]
    TooLarge {
        /// The work tree.
        path: PathBuf,
    },
}

/// Reads which commit the work tree around `dir` is at, and whether its bytes are that commit's.
///
/// Returns `None` when neither `dir` nor a directory above it holds a `.git`. The whole work tree is compared, also when
/// `dir` is a part of it. Streamed: memory grows with the number of files, not with their sizes.
///
/// # Errors
/// [`GitError`]; also when there is no commit yet.
pub fn read(dir: &Path) -> Result<Option<GitRecord>, GitError> {
    let dir = fs::canonicalize(dir).map_err(|source| GitError::Read { path: dir.to_owned(), source })?;
    let Some(root) = dir.ancestors().find(|ancestor| fs::symlink_metadata(ancestor.join(".git")).is_ok()) else {
        return Ok(None);
    };
    let repository = WorkTree::open(root)?;
    repository.record().map(Some)
}

struct WorkTree<'a> {
    root: &'a Path,
    repository: Repository,
}

/// A path's entry in the tree at `HEAD`.
#[derive(Debug, Clone, Copy)]
struct Tracked {
    kind: EntryKind,
    id: ObjectId,
}

type TrackedFiles = BTreeMap<BString, Tracked>;

/// One path that is not as the commit has it.
struct Difference {
    path: BString,
    change: Change,
    /// The entry kind on the disk, as git's mode; 0 when there is nothing, or nothing that git could track.
    mode: u64,
    /// BLAKE3 of the file's bytes or of the symlink's target.
    content: Option<Blake3Digest>,
}

#[derive(Clone, Copy)]
enum Change {
    Modified,
    Deleted,
}

impl Change {
    fn name(self) -> &'static [u8] {
        match self {
            Self::Modified => b"modified",
            Self::Deleted => b"deleted",
        }
    }
}

/// What stands at a path on the disk.
struct Found {
    mode: u64,
    id: Option<ObjectId>,
    content: Option<Blake3Digest>,
}

impl<'a> WorkTree<'a> {
    fn open(root: &'a Path) -> Result<Self, GitError> {
        let repository = gix::open::Options::isolated()
            .config_overrides(["core.useReplaceRefs=false"])
            .open(root)
            .map_err(|error| repository_error(root, &error))?
            .to_thread_local();
        // Otherwise a dirty tree could be passed off as a clean one that lies elsewhere.
        let named = repository.workdir().and_then(|path| fs::canonicalize(path).ok());
        if named.as_deref() != Some(root) {
            return Err(GitError::WorkTreeElsewhere { path: root.to_owned(), got: named });
        }
        Ok(Self { root, repository })
    }

    fn record(&self) -> Result<GitRecord, GitError> {
        let head = self.repository.head().map_err(|error| self.error(&error))?;
        let branch = head.referent_name().map(|name| printable(name.shorten()));
        let Some(commit) = head.id().map(gix::Id::detach) else {
            return Err(GitError::NoCommit { path: self.root.to_owned() });
        };
        let data = self.object(commit, Kind::Commit)?;
        let tree = CommitRef::from_bytes(&data, commit.kind()).map_err(|error| self.error(&error))?.tree();
        let (mut differences, mut untracked) = self.differences(self.tracked(tree)?)?;
        differences.sort_by(|left, right| left.path.cmp(&right.path));
        untracked.sort();
        let named = |paths: &mut dyn Iterator<Item = &BString>| {
            paths.take(MAX_CHANGED_PATHS).map(|path| printable(path.as_bstr())).collect()
        };
        Ok(GitRecord {
            commit: commit.to_string().parse().expect("gix writes lowercase hex digits"),
            tree: tree.to_string().parse().expect("gix writes lowercase hex digits"),
            branch,
            clean: differences.is_empty(),
            difference: (!differences.is_empty()).then(|| digest(&differences)),
            changed: named(&mut differences.iter().map(|one| &one.path)),
            changed_count: differences.len() as u64,
            untracked: named(&mut untracked.iter()),
            untracked_count: untracked.len() as u64,
        })
    }

    /// An object's bytes, after checking that they are the object's.
    fn object(&self, id: ObjectId, expected: Kind) -> Result<Vec<u8>, GitError> {
        let mut object = self.repository.find_object(id).map_err(|error| self.error(&error))?;
        let hashed =
            gix::objs::compute_hash(id.kind(), object.kind, &object.data).map_err(|error| self.error(&error))?;
        if object.kind != expected || hashed != id {
            return Err(GitError::Corrupt { path: self.root.to_owned(), id: id.to_string(), expected });
        }
        Ok(std::mem::take(&mut object.data))
    }

    /// Every file, symlink and submodule of a tree.
    fn tracked(&self, tree: ObjectId) -> Result<TrackedFiles, GitError> {
        let mut tracked = BTreeMap::new();
        let mut pending = vec![(BString::default(), tree)];
        while let Some((prefix, tree)) = pending.pop() {
            let data = self.object(tree, Kind::Tree)?;
            for entry in TreeRefIter::from_bytes(&data, tree.kind()) {
                let entry = entry.map_err(|error| self.error(&error))?;
                let path = join(&prefix, entry.filename);
                match entry.mode.kind() {
                    EntryKind::Tree => pending.push((path, entry.oid.to_owned())),
                    kind => drop(tracked.insert(path, Tracked { kind, id: entry.oid.to_owned() })),
                }
            }
            if tracked.len() + pending.len() > MAX_TREE_ENTRIES {
                return Err(GitError::TooLarge { path: self.root.to_owned() });
            }
        }
        Ok(tracked)
    }

    /// Walks the work tree, never through a symlink: what differs from the tracked files, and what is not tracked.
    fn differences(&self, mut tracked: TrackedFiles) -> Result<(Vec<Difference>, Vec<BString>), GitError> {
        // Only the files on the disk say what is ignored, so the index stays empty.
        let index = gix::index::State::new(self.repository.object_hash());
        let mut ignored = self
            .repository
            .excludes(&index, None, Source::WorktreeThenIdMappingIfNotSkipped)
            .map_err(|error| self.error(&error))?;
        let (mut differences, mut untracked) = (Vec::new(), Vec::new());
        let mut pending = vec![(BString::default(), self.root.to_owned(), false)];
        while let Some((prefix, directory, above_is_ignored)) = pending.pop() {
            let entries = fs::read_dir(&directory).map_err(|source| read_error(&directory, source))?;
            for entry in entries {
                let entry = entry.map_err(|source| read_error(&directory, source))?;
                let (path, name) = (entry.path(), entry.file_name());
                let name = gix::path::os_str_into_bstr(&name).map_err(|error| self.error(&error))?;
                // git tracks nothing of that name, wherever it is. Another spelling is another name.
                if name == b".git" {
                    continue;
                }
                let relative = join(&prefix, name);
                let metadata = fs::symlink_metadata(&path).map_err(|source| read_error(&path, source))?;
                let entry = tracked.remove(&relative);
                let submodule = entry.filter(|entry| entry.kind == EntryKind::Commit);
                if metadata.is_dir() && submodule.is_none() {
                    differences.extend(entry.map(|_| difference(&relative, Change::Modified, None)));
                    let is_ignored = above_is_ignored || self.is_ignored(&mut ignored, &relative, &metadata)?;
                    if !is_ignored || any_below(&tracked, &relative) {
                        pending.push((relative, path, is_ignored));
                    }
                    continue;
                }
                match entry {
                    Some(entry) => {
                        let found = self.found(&path, &metadata)?;
                        if !is_as_tracked(&entry, &found, &path, &metadata)? {
                            differences.push(difference(&relative, Change::Modified, Some(found)));
                        }
                    }
                    None if above_is_ignored || self.is_ignored(&mut ignored, &relative, &metadata)? => {}
                    None => untracked.push(relative),
                }
            }
        }
        // A submodule that is not checked out is as git leaves it.
        tracked.retain(|_, entry| entry.kind != EntryKind::Commit);
        differences.extend(tracked.keys().map(|path| difference(path, Change::Deleted, None)));
        Ok((differences, untracked))
    }

    fn is_ignored(
        &self,
        ignored: &mut AttributeStack<'_>,
        path: &BString,
        metadata: &Metadata,
    ) -> Result<bool, GitError> {
        let mode = metadata.is_dir().then_some(gix::index::entry::Mode::DIR);
        Ok(ignored.at_entry(path.as_bstr(), mode).map_err(|error| self.error(&error))?.is_excluded())
    }

    /// Hashes what stands at `path`, as git and as we do.
    fn found(&self, path: &Path, metadata: &Metadata) -> Result<Found, GitError> {
        let failed = |source| read_error(path, source);
        if metadata.is_symlink() {
            let target = fs::read_link(path).map_err(failed)?;
            let target = gix::path::into_bstr(target).map_err(|error| self.error(&error))?;
            let (id, content) = self.hash(&mut target.as_bytes(), target.len() as u64, path)?;
            return Ok(Found { mode: EntryKind::Link as u64, id: Some(id), content: Some(content) });
        }
        if !metadata.is_file() {
            return Ok(Found { mode: 0, id: None, content: None });
        }
        let mut file = File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        let (id, content) = self.hash(&mut file, metadata.len(), path)?;
        let kind = if is_executable(&metadata) { EntryKind::BlobExecutable } else { EntryKind::Blob };
        Ok(Found { mode: kind as u64, id: Some(id), content: Some(content) })
    }

    /// The blob id and the BLAKE3 of `size` bytes.
    fn hash(&self, bytes: &mut dyn Read, size: u64, path: &Path) -> Result<(ObjectId, Blake3Digest), GitError> {
        let mut git = gix::hash::hasher(self.repository.object_hash());
        git.update(&gix::objs::encode::loose_header(Kind::Blob, size));
        let mut content = blake3::Hasher::new();
        let mut buffer = vec![0; 1 << 16];
        loop {
            match bytes.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => {
                    git.update(&buffer[..count]);
                    content.update(&buffer[..count]);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(read_error(path, source)),
            }
        }
        // A file that changes its size meanwhile gets an id that no blob has: it shows as modified.
        let id = git.try_finalize().map_err(|error| self.error(&error))?;
        Ok((id, Blake3Digest::from_bytes(*content.finalize().as_bytes())))
    }

    fn error(&self, error: &dyn std::error::Error) -> GitError {
        repository_error(self.root, error)
    }
}

fn is_as_tracked(entry: &Tracked, found: &Found, path: &Path, metadata: &Metadata) -> Result<bool, GitError> {
    if entry.kind == EntryKind::Commit {
        // git leaves an empty directory where a submodule is not checked out.
        let is_empty = || fs::read_dir(path).map(|mut entries| entries.next().is_none());
        return if metadata.is_dir() { is_empty().map_err(|source| read_error(path, source)) } else { Ok(false) };
    }
    let mode = if cfg!(unix) { found.mode } else { entry.kind as u64 };
    Ok(mode == entry.kind as u64 && found.id == Some(entry.id))
}

fn difference(path: &BString, change: Change, found: Option<Found>) -> Difference {
    let (mode, content) = found.map_or((0, None), |found| (found.mode, found.content));
    Difference { path: path.clone(), change, mode, content }
}

/// Count, then for each difference: path, change, mode on the disk, whether there is content, BLAKE3 of the content.
fn digest(differences: &[Difference]) -> Blake3Digest {
    let mut hasher = DomainHasher::new(DIFFERENCE_DOMAIN);
    hasher.u64(differences.len() as u64);
    for one in differences {
        hasher.field(&one.path).field(one.change.name()).u64(one.mode).u64(u64::from(one.content.is_some()));
        if let Some(content) = &one.content {
            hasher.digest(content);
        }
    }
    hasher.finish()
}

/// Whether anything tracked lies in the directory `path`.
fn any_below(tracked: &TrackedFiles, path: &BString) -> bool {
    let prefix = join(path, b"".as_bstr());
    tracked.range(prefix.clone()..).next().is_some_and(|(first, _)| first.starts_with(&prefix))
}

fn join(prefix: &BString, name: &gix::bstr::BStr) -> BString {
    let mut path = prefix.clone();
    if !path.is_empty() {
        path.push_byte(b'/');
    }
    path.push_str(name);
    path
}

/// Text that is safe to print: what is no UTF-8 or a control character is escaped.
fn printable(bytes: &gix::bstr::BStr) -> String {
    match bytes.to_str() {
        Ok(text) if !text.contains(char::is_control) => text.to_owned(),
        _ => bytes.escape_ascii().to_string(),
    }
}

#[cfg(unix)]
fn is_executable(metadata: &Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    metadata.permissions().mode() & 0o100 != 0
}

#[cfg(not(unix))]
fn is_executable(_: &Metadata) -> bool {
    false
}

fn read_error(path: &Path, source: io::Error) -> GitError {
    GitError::Read { path: path.to_owned(), source }
}

fn repository_error(path: &Path, error: &dyn std::error::Error) -> GitError {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        message = format!("{message}: {error}");
        cause = error.source();
    }
    GitError::Repository { path: path.to_owned(), message }
}

#[cfg(test)]
mod tests;
