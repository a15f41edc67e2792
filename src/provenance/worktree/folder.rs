//! Sources without their repository, as an archive of a commit leaves them: is their tree the recorded one?
//!
//! The ids of the blobs and trees that git would make of a folder are computed from its files alone. Equal ids mean
//! equal files; which file differs cannot be told without the objects.
//!
//! Whoever unpacked an archive may have run something in it. So the folder is taken without what its own `.gitignore`
//! files name first, and with it then: a commit may hold ignored files, too. For either, the bytes are taken as they
//! are and then as the folder's own `.gitattributes` say that git would store them (CRLF, LFS), for `git archive`
//! writes what a checkout would. Those lists are files of the tree, so that they are the commit's when it is the
//! recorded one.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use gix::ObjectId;
use gix::bstr::{BStr, BString, ByteSlice};
use gix::glob::pattern::Case;
use gix::objs::tree::{Entry, EntryKind};
use gix::objs::{Kind, Tree, WriteTo};

use super::attributes::{Attributes, Conversion, GITATTRIBUTES, LfsPointer, MAX_POINTER_BYTES, with_lf};
use super::budget::{Amount, Budget};
use super::ignore::Rules;
use super::opener::read_at_most;
use super::reads::join;
use super::walk::{Found, MAX_ATTRIBUTES_BYTES, MAX_TEXT_BYTES, hashed};
use super::{GitError, canonical, git_id, printable, read_error, repository_error};
use crate::digest::FileDigest;
use crate::provenance::git::{GitId, ObjectFormat};

/// Most bytes that are hashed: sources are small, and a file with holes can say that it has exabytes.
const MAX_BYTES: u64 = 16 << 30;

/// Most bytes that are hashed when ignored files are taken, too: they may be what was built, or data.
const MAX_BYTES_WITH_IGNORED: u64 = 4 << 30;

/// A folder in no repository, compared with a tree.
#[derive(Debug)]
pub struct Folder {
    /// The id of its own tree, without what it ignores.
    pub tree: GitId,
    /// Whether its files are those of the expected tree.
    pub is_expected: bool,
    /// Files of which it holds the LFS pointer and not the content.
    pub lfs_pointers: Vec<String>,
    /// Of what was read, the files in it that are not in the tree.
    pub not_held: Vec<String>,
    /// Of what was read, the files that do not lie in it; links are resolved.
    pub outside: Vec<PathBuf>,
    /// Whether its `.gitattributes` make `git archive` leave out files, or change them.
    pub has_export_attributes: bool,
}

/// Compares the folder at `dir`, which is in no repository, with the tree `expected`; `reads` are the files that a run
/// reads.
///
/// # Errors
/// [`GitError`].
pub fn read_folder(dir: &Path, expected: &GitId, reads: &[PathBuf]) -> Result<Folder, GitError> {
    let root = canonical(dir)?;
    let reads: Vec<_> = reads.iter().map(|path| canonical(path)).collect::<Result<_, _>>()?;
    let kind = match ObjectFormat::of(expected) {
        ObjectFormat::Sha1 => gix::hash::Kind::Sha1,
        ObjectFormat::Sha256 => gix::hash::Kind::Sha256,
    };
    let mut files = Files::read(&root, kind, Ignored::LeftOut)?;
    let trees = files.trees(&root, kind)?.map(git_id);
    let mut is_expected = trees.contains(expected);
    let [tree, _] = trees;
    // What cannot be read among ignored files shows no more than that they are not of the tree.
    if !is_expected && let Ok(whole) = Files::read(&root, kind, Ignored::Taken) {
        is_expected = whole.trees(&root, kind)?.map(git_id).contains(expected);
        if is_expected {
            files = whole;
        }
    }
    let (mut not_held, mut outside) = (BTreeSet::new(), Vec::new());
    for path in reads {
        match path.strip_prefix(&root).ok().and_then(|path| gix::path::into_bstr(path.to_owned()).ok()) {
            Some(relative) if files.files.contains_key(relative.as_ref()) => {}
            Some(relative) => drop(not_held.insert(printable(relative.as_bstr()))),
            None => outside.push(path),
        }
    }
    let pointers = files.files.iter().filter(|(_, file)| file.is_pointer);
    Ok(Folder {
        tree,
        is_expected,
        lfs_pointers: pointers.map(|(path, _)| printable(path.as_bstr())).collect(),
        not_held: not_held.into_iter().collect(),
        outside,
        has_export_attributes: files.has_export_attributes,
    })
}

/// What becomes of the files that the folder's own `.gitignore` files name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ignored {
    LeftOut,
    Taken,
}

/// The files of a folder that git could track, by their paths below it.
struct Files {
    files: BTreeMap<BString, File>,
    has_export_attributes: bool,
}

struct File {
    kind: EntryKind,
    /// Id of the bytes as a blob.
    id: ObjectId,
    /// Id of the blob that git would store.
    stored: ObjectId,
    is_pointer: bool,
}

impl Files {
    fn read(root: &Path, kind: gix::hash::Kind, ignored: Ignored) -> Result<Self, GitError> {
        let most = if ignored == Ignored::Taken { MAX_BYTES_WITH_IGNORED } else { MAX_BYTES };
        let budget = Budget::with_at_most(Amount::FileBytes, most);
        let counted = (&budget, root);
        let (mut files, mut lists) = (BTreeMap::new(), Vec::new());
        let mut pending = vec![(BString::default(), root.to_owned(), Rules::default())];
        while let Some((prefix, directory, rules)) = pending.pop() {
            let rules = match ignored {
                Ignored::LeftOut => rules.within(&directory, prefix.as_bstr())?,
                Ignored::Taken => rules,
            };
            let failed = |source| read_error(&directory, source);
            for entry in fs::read_dir(&directory).map_err(failed)? {
                let entry = entry.map_err(failed)?;
                let (path, name) = (entry.path(), entry.file_name());
                let name = gix::path::os_str_into_bstr(&name).map_err(|error| repository_error(root, &error))?;
                let relative = join(prefix.as_bstr(), name);
                budget.take(Amount::DiskEntries, 1, root)?;
                budget.take(Amount::PathBytes, relative.len() as u64, root)?;
                let metadata = fs::symlink_metadata(&path).map_err(|source| read_error(&path, source))?;
                if name == b".git" || rules.ignore(relative.as_bstr(), metadata.is_dir(), Case::Sensitive, counted)? {
                    continue;
                }
                if metadata.is_dir() {
                    pending.push((relative, path, rules.clone()));
                    continue;
                }
                // Git tracks no pipes, sockets and devices.
                let Found { kind: Some(kind), id: Some(id), .. } = hashed(&path, &metadata, kind, counted)? else {
                    continue;
                };
                if name == GITATTRIBUTES
                    && kind != EntryKind::Link
                    && let Some(content) = read_at_most(&path, MAX_ATTRIBUTES_BYTES)?
                {
                    budget.take(Amount::AttributeBytes, content.len() as u64, root)?;
                    lists.push((relative.clone(), content));
                }
                files.insert(relative, File { kind, id, stored: id, is_pointer: false });
            }
        }
        let has_export_attributes = lists.iter().any(|(_, list)| list.contains_str("export-"));
        let mut attributes = Attributes::new(lists).map_err(|source| read_error(root, source))?;
        for (path, file) in files.iter_mut().filter(|(_, file)| file.kind != EntryKind::Link) {
            budget.take(Amount::AttributeComparisons, attributes.comparisons(), root)?;
            file.store(root, path.as_bstr(), attributes.conversion(path.as_bstr()))?;
        }
        Ok(Self { files, has_export_attributes })
    }

    /// The ids of the trees of the bytes as they are and as git would store them.
    fn trees(&self, root: &Path, kind: gix::hash::Kind) -> Result<[ObjectId; 2], GitError> {
        Ok([self.tree(root, kind, |file| file.id)?, self.tree(root, kind, |file| file.stored)?])
    }

    fn tree(&self, root: &Path, hash: gix::hash::Kind, id: impl Fn(&File) -> ObjectId) -> Result<ObjectId, GitError> {
        // The deepest first: a folder's id is needed in the one above it.
        let mut folders = BTreeMap::from([((Reverse(0), BString::default()), Vec::new())]);
        for (path, file) in &self.files {
            let (above, filename) = split(path.as_bstr());
            let entry = Entry { mode: file.kind.into(), filename, oid: id(file) };
            folders.entry((Reverse(depth(&above)), above)).or_insert_with(Vec::new).push(entry);
        }
        loop {
            let ((_, path), mut entries) = folders.pop_first().expect("the root comes last and ends the loop");
            entries.sort();
            let mut bytes = Vec::new();
            Tree { entries }.write_to(&mut bytes).map_err(|source| read_error(root, source))?;
            let oid = gix::objs::compute_hash(hash, Kind::Tree, &bytes);
            let oid = oid.map_err(|error| repository_error(root, &error))?;
            if path.is_empty() {
                return Ok(oid);
            }
            let (above, filename) = split(path.as_bstr());
            let entry = Entry { mode: EntryKind::Tree.into(), filename, oid };
            folders.entry((Reverse(depth(&above)), above)).or_insert_with(Vec::new).push(entry);
        }
    }
}

impl File {
    /// Finds out what git would store of it.
    fn store(&mut self, root: &Path, path: &BStr, conversion: Conversion) -> Result<(), GitError> {
        if conversion == Conversion::None {
            return Ok(());
        }
        let on_disk = root.join(gix::path::from_bstr(path).map_err(|error| repository_error(root, &error))?);
        let stored = if conversion == Conversion::Lfs {
            let small = read_at_most(&on_disk, MAX_POINTER_BYTES)?;
            self.is_pointer = small.as_deref().and_then(LfsPointer::parse).is_some();
            if self.is_pointer {
                return Ok(());
            }
            let found = FileDigest::of_file(&on_disk).map_err(|source| read_error(&on_disk, source))?;
            Some(LfsPointer { sha256: found.sha256, size: found.size }.to_string().into_bytes())
        } else {
            read_at_most(&on_disk, MAX_TEXT_BYTES)?.and_then(|bytes| with_lf(&bytes, conversion))
        };
        if let Some(stored) = stored {
            let id = gix::objs::compute_hash(self.id.kind(), Kind::Blob, &stored);
            self.stored = id.map_err(|error| repository_error(root, &error))?;
        }
        Ok(())
    }
}

/// A path's folder, empty for the root, and its name there.
fn split(path: &BStr) -> (BString, BString) {
    match path.rsplit_once_str("/") {
        Some((above, name)) => (above.into(), name.into()),
        None => (BString::default(), path.to_owned()),
    }
}

/// How many folders it is below the root.
fn depth(folder: &BString) -> usize {
    if folder.is_empty() { 0 } else { folder.find_iter("/").count() + 1 }
}
