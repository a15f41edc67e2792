//! One work tree's files beside those of the tree at `HEAD`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use gix::bstr::{BStr, BString, ByteSlice};
use gix::objs::tree::EntryKind;
use gix::objs::{Kind, TreeRefIter};
use gix::worktree::stack::state::ignore::Source;
use gix::{AttributeStack, ObjectId};

use super::attributes::{Attributes, Conversion, GITATTRIBUTES, LfsPointer, MAX_POINTER_BYTES, with_lf};
use super::reads::{Reads, join};
use super::{GitError, WorkTree, read_error};
use crate::digest::{Blake3Digest, FileDigest};

/// Most files a tree may have: a few hundred bytes of nested trees can name more files than there is memory.
const MAX_TREE_ENTRIES: usize = 1 << 20;

/// Largest `.gitattributes` that counts; git itself stops at 100 MiB.
const MAX_ATTRIBUTES_BYTES: u64 = 1 << 20;

/// Largest file of which line endings are compared; a larger one has to have the bytes of its object.
const MAX_TEXT_BYTES: u64 = 64 << 20;

/// A path's entry in the tree at `HEAD`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tracked {
    pub(super) kind: EntryKind,
    pub(super) id: ObjectId,
}

pub(super) type TrackedFiles = BTreeMap<BString, Tracked>;

/// One path that is not as the commit has it.
pub(super) struct Difference {
    pub(super) path: BString,
    pub(super) tracked: Tracked,
    pub(super) change: Change,
    pub(super) found: Found,
}

/// What happened to a tracked path.
#[derive(Clone, Copy)]
pub(super) enum Change {
    Modified,
    Deleted,
}

impl Change {
    pub(super) fn name(self) -> &'static [u8] {
        match self {
            Self::Modified => b"modified",
            Self::Deleted => b"deleted",
        }
    }
}

/// What stands at a path on the disk.
#[derive(Clone, Copy, Default)]
pub(super) struct Found {
    /// File, executable file, symlink or submodule; `None` when there is nothing, or nothing that git could track.
    pub(super) kind: Option<EntryKind>,
    /// The content's id as a blob.
    pub(super) id: Option<ObjectId>,
    /// BLAKE3 of the file's bytes, of the symlink's target, or of the hex digits of a submodule's commit.
    pub(super) content: Option<Blake3Digest>,
}

/// A place where the tree names a commit.
pub(super) struct Gitlink {
    pub(super) path: BString,
    pub(super) tracked: Tracked,
    /// The repository that is there; `None` when there is nothing.
    pub(super) checked_out: Option<PathBuf>,
}

/// What a walk found.
#[derive(Default)]
pub(super) struct Walked {
    pub(super) differences: Vec<Difference>,
    pub(super) untracked: Vec<BString>,
    pub(super) lfs_pointers: Vec<BString>,
    pub(super) gitlinks: Vec<Gitlink>,
}

/// How a file relates to its object.
enum Comparison {
    Same,
    /// The same bytes, and they are the pointer to the content.
    LfsPointer,
    Different,
}

impl WorkTree<'_> {
    /// Every file, symlink and submodule of a tree.
    pub(super) fn tracked(&self, tree: ObjectId) -> Result<TrackedFiles, GitError> {
        let mut tracked = BTreeMap::new();
        let mut pending = vec![(BString::default(), tree)];
        while let Some((prefix, tree)) = pending.pop() {
            let data = self.object(tree, Kind::Tree)?;
            for entry in TreeRefIter::from_bytes(&data, tree.kind()) {
                let entry = entry.map_err(|error| self.error(&error))?;
                let path = join(prefix.as_bstr(), entry.filename);
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

    /// Walks the work tree, never through a symlink and never into a submodule.
    pub(super) fn walk(&self, mut tracked: TrackedFiles, reads: &mut Reads) -> Result<Walked, GitError> {
        let mut attributes = self.attributes(&tracked)?;
        // Only the files on the disk say what is ignored, so the index stays empty.
        let index = gix::index::State::new(self.repository.object_hash());
        let mut ignored = self
            .repository
            .excludes(&index, None, Source::WorktreeThenIdMappingIfNotSkipped)
            .map_err(|error| self.error(&error))?;
        let mut walked = Walked::default();
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
                let relative = join(prefix.as_bstr(), name);
                let metadata = fs::symlink_metadata(&path).map_err(|source| read_error(&path, source))?;
                let entry = tracked.remove(&relative);
                if let (true, Some(link)) = (metadata.is_dir(), entry.filter(|entry| entry.kind == EntryKind::Commit)) {
                    self.gitlink(&mut walked, relative, link, path)?;
                    continue;
                }
                if metadata.is_dir() {
                    let replaced = entry.map(|entry| modified(&relative, entry, Found::default()));
                    walked.differences.extend(replaced);
                    let is_ignored = above_is_ignored || self.is_ignored(&mut ignored, &relative, &metadata)?;
                    if is_ignored {
                        reads.found_ignored(relative.as_bstr());
                    }
                    if !is_ignored || any_below(&tracked, &relative) {
                        pending.push((relative, path, is_ignored));
                    }
                    continue;
                }
                match entry {
                    Some(entry) => {
                        let found = self.found(&path, &metadata)?;
                        match self.compare(&mut attributes, &entry, &found, relative.as_bstr(), &path)? {
                            Comparison::Same => {}
                            Comparison::LfsPointer => walked.lfs_pointers.push(relative),
                            Comparison::Different => walked.differences.push(modified(&relative, entry, found)),
                        }
                    }
                    None if above_is_ignored || self.is_ignored(&mut ignored, &relative, &metadata)? => {
                        reads.found_ignored(relative.as_bstr());
                    }
                    None => {
                        reads.found_untracked(relative.as_bstr());
                        walked.untracked.push(relative);
                    }
                }
            }
        }
        for (path, tracked) in tracked {
            if tracked.kind == EntryKind::Commit {
                walked.gitlinks.push(Gitlink { path, tracked, checked_out: None });
            } else {
                let found = Found::default();
                walked.differences.push(Difference { path, tracked, change: Change::Deleted, found });
            }
        }
        Ok(walked)
    }

    /// Git leaves an empty directory where a submodule is not checked out; anything else without a repository is a
    /// difference.
    fn gitlink(&self, walked: &mut Walked, at: BString, tracked: Tracked, path: PathBuf) -> Result<(), GitError> {
        let is_empty = fs::read_dir(&path).map_err(|source| read_error(&path, source))?.next().is_none();
        if path.join(".git").symlink_metadata().is_ok() {
            walked.gitlinks.push(Gitlink { path: at, tracked, checked_out: Some(path) });
        } else if is_empty {
            walked.gitlinks.push(Gitlink { path: at, tracked, checked_out: None });
        } else {
            walked.differences.push(modified(&at, tracked, Found::default()));
        }
        Ok(())
    }

    /// The attributes that the tree itself holds.
    fn attributes(&self, tracked: &TrackedFiles) -> Result<Attributes, GitError> {
        let mut files = Vec::new();
        for (path, entry) in tracked {
            let name = path.rsplit_str("/").next().unwrap_or_default();
            let is_file = matches!(entry.kind, EntryKind::Blob | EntryKind::BlobExecutable);
            if name == GITATTRIBUTES
                && is_file
                && let Some(content) = self.blob_of_at_most(entry.id, MAX_ATTRIBUTES_BYTES)?
            {
                files.push((path.clone(), content));
            }
        }
        Attributes::new(files).map_err(|error| self.error(&error))
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

    /// Compares a file with its object, by the bytes and then by what the attributes let git do to them.
    fn compare(
        &self,
        attributes: &mut Attributes,
        entry: &Tracked,
        found: &Found,
        relative: &BStr,
        path: &Path,
    ) -> Result<Comparison, GitError> {
        let plain = |is_same| if is_same { Comparison::Same } else { Comparison::Different };
        let is_same = found.id == Some(entry.id);
        let kind = if cfg!(unix) { found.kind } else { found.kind.map(|_| entry.kind) };
        if kind != Some(entry.kind) || !matches!(entry.kind, EntryKind::Blob | EntryKind::BlobExecutable) {
            return Ok(plain(is_same && kind == Some(entry.kind)));
        }
        match attributes.conversion(relative) {
            Conversion::Lfs => {
                let blob = self.blob_of_at_most(entry.id, MAX_POINTER_BYTES)?;
                let Some(pointer) = blob.as_deref().and_then(LfsPointer::parse) else { return Ok(plain(is_same)) };
                if is_same {
                    return Ok(Comparison::LfsPointer);
                }
                let content = FileDigest::of_file(path).map_err(|source| read_error(path, source))?;
                Ok(plain((content.sha256, content.size) == (pointer.sha256, pointer.size)))
            }
            conversion if !is_same && conversion != Conversion::None => {
                let bytes = read_at_most(path, MAX_TEXT_BYTES)?;
                let Some(text) = bytes.and_then(|bytes| with_lf(&bytes, conversion)) else { return Ok(plain(false)) };
                let id = gix::objs::compute_hash(entry.id.kind(), Kind::Blob, &text);
                Ok(plain(id.map_err(|error| self.error(&error))? == entry.id))
            }
            _ => Ok(plain(is_same)),
        }
    }

    /// Hashes what stands at `path`, as git and as we do.
    pub(super) fn found(&self, path: &Path, metadata: &Metadata) -> Result<Found, GitError> {
        let failed = |source| read_error(path, source);
        if metadata.is_symlink() {
            let target = self.link_target(path)?;
            let (id, content) = self.hash(&mut target.as_bytes(), target.len() as u64, path)?;
            return Ok(Found { kind: Some(EntryKind::Link), id: Some(id), content: Some(content) });
        }
        if !metadata.is_file() {
            return Ok(Found::default());
        }
        let mut file = File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        let (id, content) = self.hash(&mut file, metadata.len(), path)?;
        let kind = if is_executable(&metadata) { EntryKind::BlobExecutable } else { EntryKind::Blob };
        Ok(Found { kind: Some(kind), id: Some(id), content: Some(content) })
    }

    /// The target of a symlink, as git stores it.
    pub(super) fn link_target(&self, path: &Path) -> Result<BString, GitError> {
        let target = fs::read_link(path).map_err(|source| read_error(path, source))?;
        Ok(gix::path::into_bstr(target).map_err(|error| self.error(&error))?.into_owned())
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

    /// The paths in git's index. What they are compared with never depends on it; it only says which new files
    /// somebody wants to be seen.
    pub(super) fn staged(&self) -> Result<BTreeSet<BString>, GitError> {
        let Some(index) = self.repository.try_index().map_err(|error| self.error(&error))? else {
            return Ok(BTreeSet::new());
        };
        Ok(index.entries().iter().map(|entry| entry.path(&index).to_owned()).collect())
    }
}

fn modified(path: &BString, tracked: Tracked, found: Found) -> Difference {
    Difference { path: path.clone(), tracked, change: Change::Modified, found }
}

/// The bytes of a file; `None` when there are more than `cap`.
pub(super) fn read_at_most(path: &Path, cap: u64) -> Result<Option<Vec<u8>>, GitError> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(cap + 1).read_to_end(&mut bytes))
        .map_err(|source| read_error(path, source))?;
    Ok((bytes.len() as u64 <= cap).then_some(bytes))
}

/// Whether anything tracked lies in the directory `path`.
fn any_below(tracked: &TrackedFiles, path: &BString) -> bool {
    let mut prefix = path.clone();
    prefix.push(b'/');
    tracked.range(prefix.clone()..).next().is_some_and(|(first, _)| first.starts_with(&prefix))
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
