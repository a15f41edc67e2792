//! One work tree's files beside those of the tree at `HEAD`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use gix::ObjectId;
use gix::bstr::{BStr, BString, ByteSlice};
use gix::glob::pattern::Case;
use gix::objs::tree::EntryKind;
use gix::objs::{Kind, TreeRefIter};

use super::attributes::{Attributes, Conversion, GITATTRIBUTES, LfsPointer, MAX_POINTER_BYTES, with_lf};
use super::budget::{Amount, Budget};
use super::ignore::Rules;
use super::opener::{self, read_at_most};
use super::reads::{Reads, join};
use super::{GitError, WorkTree, read_error};
use crate::digest::{Blake3Digest, FileDigest};

/// Longest path in a tree, in bytes: what systems take.
const MAX_PATH_BYTES: usize = 4096;

/// Largest file that is hashed though its commit has one of another size: a file with holes can say that it has
/// exabytes.
const MAX_UNEXPECTED_BYTES: u64 = 4 << 30;

/// Largest `.gitattributes` that counts; git itself stops at 100 MiB.
pub(super) const MAX_ATTRIBUTES_BYTES: u64 = 1 << 20;

/// Largest file of which line endings are compared; a larger one has to have the bytes of its object.
pub(super) const MAX_TEXT_BYTES: u64 = 64 << 20;

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
                self.budget.take(Amount::TreeEntries, 1, self.root)?;
                self.budget.take(Amount::PathBytes, path.len() as u64, self.root)?;
                if path.len() > MAX_PATH_BYTES {
                    let (most, unit) = (MAX_PATH_BYTES as u64, "bytes in a path of its trees");
                    return Err(GitError::TooLarge { path: self.root.to_owned(), most, unit });
                }
                match entry.mode.kind() {
                    EntryKind::Tree => pending.push((path, entry.oid.to_owned())),
                    kind => drop(tracked.insert(path, Tracked { kind, id: entry.oid.to_owned() })),
                }
            }
        }
        Ok(tracked)
    }

    /// Walks the work tree, never through a symlink and never into a submodule.
    pub(super) fn walk(&self, mut tracked: TrackedFiles, reads: &mut Reads) -> Result<Walked, GitError> {
        let mut attributes = self.attributes(&tracked)?;
        let case = match self.repository.config_snapshot().boolean("core.ignoreCase") {
            Some(true) => Case::Fold,
            _ => Case::Sensitive,
        };
        let exclude = Rules::of_repository(self.repository.common_dir())?;
        let mut walked = Walked::default();
        let mut pending = vec![(BString::default(), self.root.to_owned(), false, exclude)];
        while let Some((prefix, directory, above_is_ignored, rules)) = pending.pop() {
            // What is in an ignored folder is ignored, whatever a list there says.
            let rules = if above_is_ignored { rules } else { rules.within(&directory, prefix.as_bstr())? };
            let is_ignored = |path: &BString, is_folder| -> Result<bool, GitError> {
                let counted = (self.budget, self.root);
                Ok(above_is_ignored || rules.ignore(path.as_bstr(), is_folder, case, counted)?)
            };
            let entries = fs::read_dir(&directory).map_err(|source| read_error(&directory, source))?;
            for entry in entries {
                self.budget.take(Amount::DiskEntries, 1, self.root)?;
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
                    let is_ignored = is_ignored(&relative, true)?;
                    if is_ignored {
                        reads.found_ignored(relative.as_bstr());
                    }
                    if !is_ignored || any_below(&tracked, &relative) {
                        pending.push((relative, path, is_ignored, rules.clone()));
                    }
                    continue;
                }
                match entry {
                    Some(entry) => {
                        self.expect(&mut attributes, &entry, relative.as_bstr(), &path, &metadata)?;
                        let found = self.found(&path, &metadata)?;
                        let on_disk = (path.as_path(), metadata.len());
                        match self.compare(&mut attributes, &entry, &found, relative.as_bstr(), on_disk)? {
                            Comparison::Same => {}
                            Comparison::LfsPointer => walked.lfs_pointers.push(relative),
                            Comparison::Different => walked.differences.push(modified(&relative, entry, found)),
                        }
                    }
                    None if is_ignored(&relative, false)? => reads.found_ignored(relative.as_bstr()),
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
    pub(super) fn attributes(&self, tracked: &TrackedFiles) -> Result<Attributes, GitError> {
        let mut files = Vec::new();
        for (path, entry) in tracked {
            let name = path.rsplit_str("/").next().unwrap_or_default();
            let is_file = matches!(entry.kind, EntryKind::Blob | EntryKind::BlobExecutable);
            if name == GITATTRIBUTES
                && is_file
                && let Some(content) = self.blob_of_at_most(entry.id, MAX_ATTRIBUTES_BYTES)?
            {
                self.budget.take(Amount::AttributeBytes, content.len() as u64, self.root)?;
                files.push((path.clone(), content));
            }
        }
        Attributes::new(files).map_err(|error| self.error(&error))
    }

    /// Refuses a file that is huge and not of the size that the commit says.
    fn expect(
        &self,
        attributes: &mut Attributes,
        entry: &Tracked,
        relative: &BStr,
        path: &Path,
        metadata: &Metadata,
    ) -> Result<(), GitError> {
        if !metadata.is_file() || metadata.len() <= MAX_UNEXPECTED_BYTES || entry.kind == EntryKind::Commit {
            return Ok(());
        }
        let pointer = match attributes.conversion(relative) {
            Conversion::Lfs => self.pointer(entry.id)?,
            _ => None,
        };
        let expected = match pointer {
            Some(pointer) => pointer.size,
            None => self.repository.find_header(entry.id).map_err(|error| self.error(&error))?.size(),
        };
        match metadata.len() == expected {
            true => Ok(()),
            false => Err(GitError::FileTooLarge { path: path.to_owned(), most: expected, got: metadata.len() }),
        }
    }

    pub(super) fn pointer(&self, id: ObjectId) -> Result<Option<LfsPointer>, GitError> {
        Ok(self.blob_of_at_most(id, MAX_POINTER_BYTES)?.as_deref().and_then(LfsPointer::parse))
    }

    /// Compares a file with its object, by the bytes and then by what the attributes let git do to them.
    fn compare(
        &self,
        attributes: &mut Attributes,
        entry: &Tracked,
        found: &Found,
        relative: &BStr,
        (path, size): (&Path, u64),
    ) -> Result<Comparison, GitError> {
        let plain = |is_same| if is_same { Comparison::Same } else { Comparison::Different };
        let is_same = found.id == Some(entry.id);
        let kind = if cfg!(unix) { found.kind } else { found.kind.map(|_| entry.kind) };
        if kind != Some(entry.kind) || !matches!(entry.kind, EntryKind::Blob | EntryKind::BlobExecutable) {
            return Ok(plain(is_same && kind == Some(entry.kind)));
        }
        if is_same && size > MAX_POINTER_BYTES {
            return Ok(Comparison::Same);
        }
        self.budget.take(Amount::AttributeComparisons, attributes.comparisons(), self.root)?;
        match attributes.conversion(relative) {
            Conversion::Lfs => {
                let Some(pointer) = self.pointer(entry.id)? else { return Ok(plain(is_same)) };
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
        hashed(path, metadata, self.repository.object_hash(), (self.budget, self.root))
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

/// Hashes what stands at `path`, as git and as we do.
pub(super) fn hashed(
    path: &Path,
    metadata: &Metadata,
    kind: gix::hash::Kind,
    (budget, root): (&Budget, &Path),
) -> Result<Found, GitError> {
    if metadata.is_symlink() {
        let target = link_target(path)?;
        let (id, content) = hash(kind, &mut target.as_bytes(), target.len() as u64, path)?;
        return Ok(Found { kind: Some(EntryKind::Link), id: Some(id), content: Some(content) });
    }
    if !metadata.is_file() {
        return Ok(Found::default());
    }
    let (file, metadata) = opener::open(path)?;
    let size = metadata.len();
    budget.take(Amount::FileBytes, size, root)?;
    let (id, content) = hash(kind, &mut file.take(size + 1), size, path)?;
    let kind = if is_executable(&metadata) { EntryKind::BlobExecutable } else { EntryKind::Blob };
    Ok(Found { kind: Some(kind), id: Some(id), content: Some(content) })
}

/// The target of a symlink, as git stores it.
pub(super) fn link_target(path: &Path) -> Result<BString, GitError> {
    let target = fs::read_link(path).map_err(|source| read_error(path, source))?;
    Ok(gix::path::into_bstr(target).map_err(|error| super::repository_error(path, &error))?.into_owned())
}

/// The blob id and the BLAKE3 of `size` bytes.
fn hash(
    kind: gix::hash::Kind,
    bytes: &mut dyn Read,
    size: u64,
    path: &Path,
) -> Result<(ObjectId, Blake3Digest), GitError> {
    let mut git = gix::hash::hasher(kind);
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
    let id = git.try_finalize().map_err(|error| super::repository_error(path, &error))?;
    Ok((id, Blake3Digest::from_bytes(*content.finalize().as_bytes())))
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
