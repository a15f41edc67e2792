//! Compares the bytes of a work tree with the objects of `HEAD`'s tree.
//!
//! Nothing here believes git's index: assume-unchanged, skip-worktree and unchanged times hide edits from it. Every
//! tracked file is read and hashed as git would hash it, and everything else that is not ignored is listed.
//!
//! - The environment (`GIT_DIR` and its kin), the user's and the system's git configuration are ignored; so are replace
//!   refs, grafts, `core.worktree` and `core.autocrlf`. No program is run: no filter, textconv, hook or fsmonitor.
//! - The bytes on the disk have to be the bytes of the object, with two exceptions, both only where the commit's own
//!   `.gitattributes` ask for them: with `filter=lfs` the content that the pointer names by SHA-256 and size, and in
//!   text files CRLF in place of LF. `ident` and `working-tree-encoding` count as differences.
//! - The commit and every tree is hashed again when read, so a doctored object database shows. Of blobs only LFS
//!   pointers, `.gitattributes` and, for a patch, those that changed are read, and hashed again, too.
//! - Ignored means: by a `.gitignore` in the work tree or by the repository's own `info/exclude`. No list that lies
//!   elsewhere counts.
//! - Whoever made the checkout may be hostile: before git's library opens a repository, what it will open is looked at
//!   (`layout`), everything else is opened by `opener`, and what a repository may cost is counted (`budget`).
//! - A submodule that is checked out is compared in the same way, and those within it.
//! - Files that a sparse checkout left out count as deleted.

mod attributes;
mod budget;
mod export;
mod files;
mod folder;
mod ignore;
mod layout;
mod opener;
mod patch;
mod reads;
mod remotes;
mod walk;

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};

use gix::bstr::{BStr, BString, ByteSlice};
use gix::objs::tree::EntryKind;
use gix::objs::{CommitRef, Kind};
use gix::{ObjectId, Repository};

use self::budget::Budget;
pub use self::export::export;
pub use self::files::{WorkTreeFiles, files};
pub use self::folder::{Folder, read_folder};
use self::opener::read_at_most;
use self::patch::Side;
use self::reads::{Reads, join};
use self::walk::{Change, Difference, Found, Gitlink, MAX_TEXT_BYTES};
use super::git::{GitId, GitRecord, MAX_CHANGED_PATHS, ObjectFormat, SubmoduleRecord};
use crate::digest::{Blake3Digest, DomainHasher};
use crate::failure::{Advice, FailureKind, io_hint};

/// Largest patch that is kept, in bytes.
pub const MAX_PATCH_BYTES: u64 = 64 << 20;

/// Largest object that is read into memory, and largest of those that it is stored as a difference to.
const MAX_OBJECT_BYTES: u64 = 256 << 20;

/// Most submodules within each other: each holds the stack of those around it.
const MAX_SUBMODULE_DEPTH: usize = 16;

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
    #[error("the git repository in {path} belongs to {}, expected the work tree {path}", work_tree(.got.as_deref()))]
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
    /// A file was written to while it was read.
    #[error("{path} changed while it was read")]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// The uncommitted changes are too large to be kept.
    #[error("the uncommitted changes in {path} are more than {} MiB, too much for a patch", MAX_PATCH_BYTES >> 20)]
    PatchTooLarge {
        /// The work tree.
        path: PathBuf,
    },
    /// The sources cannot be written out elsewhere.
    #[error("cannot write out the sources of {path}: {message}")]
    Export {
        /// The work tree.
        path: PathBuf,
        /// Why.
        message: String,
    },
    /// Submodules within submodules, deeper than anybody means.
    #[error("the submodule {path} is within {MAX_SUBMODULE_DEPTH} others, expected fewer")]
    TooDeep {
        /// The submodule.
        path: PathBuf,
    },
    /// There is more of something than is reasonable.
    #[error("{path} cannot be compared: expected at most {most} {unit}, got more")]
    TooLarge {
        /// The work tree.
        path: PathBuf,
        /// Most that there may be.
        most: u64,
        /// Of what.
        unit: &'static str,
    },
    /// A file is larger than anything that belongs there.
    #[error("{path}: expected at most {most} bytes, got {got}")]
    FileTooLarge {
        /// The file.
        path: PathBuf,
        /// Most bytes it may have.
        most: u64,
        /// How many it has.
        got: u64,
    },
    /// Something of another kind than what has to stand there; it was not opened.
    #[error("{path}: expected a {expected}, got a {got}")]
    Kind {
        /// What stands there.
        path: PathBuf,
        /// What may stand there.
        expected: &'static str,
        /// What it is.
        got: &'static str,
    },
}

impl Advice for GitError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Read { path, source } => io_hint(source, path),
            Self::NoCommit { .. } => {
                Some("make a first commit: the record says which commit a run was made from".into())
            }
            Self::PatchTooLarge { .. } => {
                Some("commit them, or add provenance.keep_diff=false (of a command: command.keep_diff=false): their digest is signed in any case".into())
            }
            Self::Repository { path, .. } | Self::Corrupt { path, .. } => {
                let place = path.display();
                Some(format!("`git -C {place} fsck` says what of it is damaged; a fresh clone has it whole"))
            }
            Self::WorkTreeElsewhere { path, got: Some(_) } => {
                Some(format!("git -C {} config --unset core.worktree", path.display()))
            }
            Self::WorkTreeElsewhere { path, got: None } => {
                Some(format!("git -C {} config core.bare false", path.display()))
            }
            Self::Changed { .. } => Some("something else writes to the work tree: run again without it".into()),
            _ => None,
        }
    }

    fn kind(&self) -> FailureKind {
        match self {
            Self::Read { .. } => FailureKind::Missing,
            // What is there was read and is no repository that a record can be made of.
            _ => FailureKind::Failed,
        }
    }
}

fn work_tree(named: Option<&Path>) -> String {
    named.map_or_else(|| "no work tree (core.bare)".to_owned(), |path| format!("the work tree {}", path.display()))
}

/// Reads which commit the work tree around `dir` is at, and whether its bytes are that commit's; `reads` are the files
/// and folders that a run reads, of which those that git does not track are recorded.
///
/// Returns `None` when neither `dir` nor a directory above it holds a `.git`. The whole work tree is compared, also
/// when `dir` is a part of it. Streamed: memory grows with the number of files, not with their sizes.
///
/// # Errors
/// [`GitError`]; also when there is no commit yet.
pub fn read(dir: &Path, reads: &[PathBuf]) -> Result<Option<GitRecord>, GitError> {
    Ok(compare(dir, reads, None)?.map(|compared| compared.record))
}

/// As [`read`], and yields the uncommitted changes as a patch that `git apply --binary` takes on the recorded commit,
/// with its submodules at their commits; empty when there is nothing to tell.
///
/// In it is what differs from the commit, submodules' files included, and of the untracked files those that are in
/// git's index (`git add --intent-to-add` is enough) and those that the run reads. Other untracked and all ignored
/// files stay out: keys and other secrets lie there, and a patch is published with the run.
///
/// # Errors
/// [`GitError`]; also when the patch would be larger than [`MAX_PATCH_BYTES`].
pub fn read_with_patch(dir: &Path, reads: &[PathBuf]) -> Result<Option<(GitRecord, Vec<u8>)>, GitError> {
    let mut patch = Patch::default();
    Ok(compare(dir, reads, Some(&mut patch))?.map(|compared| (compared.record, patch.into_bytes())))
}

/// A work tree as a checker finds it.
#[derive(Debug)]
pub struct Inspected {
    /// Its root.
    pub root: PathBuf,
    /// What a run made from it would record.
    pub record: GitRecord,
    /// Of what was read, the files that do not lie in it; links are resolved.
    pub outside: Vec<PathBuf>,
    /// Whether there are differences and each is a file with CRLF where the commit has LF, as git writes them with
    /// `core.autocrlf=true`.
    pub only_line_endings: bool,
}

/// As [`read`], with what tells a checker why something differs.
///
/// # Errors
/// [`GitError`].
pub fn inspect(dir: &Path, reads: &[PathBuf]) -> Result<Option<Inspected>, GitError> {
    let Some(Compared { root, record, differences, reads }) = compare(dir, reads, None)? else { return Ok(None) };
    let outside = reads.into_iter().filter(|path| !path.starts_with(&root)).collect();
    let mut only_line_endings = !differences.is_empty();
    for one in &differences {
        only_line_endings = only_line_endings && has_other_line_endings(&root, one)?;
    }
    Ok(Some(Inspected { root, record, outside, only_line_endings }))
}

/// Whether the file is the commit's but for CRLF in place of LF.
fn has_other_line_endings(root: &Path, difference: &Difference) -> Result<bool, GitError> {
    let Difference { path, tracked, found, .. } = difference;
    if found.kind != Some(tracked.kind) || !matches!(tracked.kind, EntryKind::Blob | EntryKind::BlobExecutable) {
        return Ok(false);
    }
    let file = root.join(gix::path::from_bstr(path.as_bstr()).map_err(|error| repository_error(root, &error))?);
    let Some(bytes) = read_at_most(&file, MAX_TEXT_BYTES)? else { return Ok(false) };
    let id = gix::objs::compute_hash(tracked.id.kind(), Kind::Blob, &bytes.replace("\r\n", "\n"));
    Ok(id.map_err(|error| repository_error(root, &error))? == tracked.id)
}

/// A work tree that was compared with its commit.
struct Compared {
    root: PathBuf,
    record: GitRecord,
    differences: Vec<Difference>,
    /// What was read, links resolved.
    reads: Vec<PathBuf>,
}

fn compare(dir: &Path, reads: &[PathBuf], patch: Option<&mut Patch>) -> Result<Option<Compared>, GitError> {
    let dir = canonical(dir)?;
    let Some(root) = dir.ancestors().find(|ancestor| fs::symlink_metadata(ancestor.join(".git")).is_ok()) else {
        return Ok(None);
    };
    let reads: Vec<_> = reads.iter().map(|path| canonical(path)).collect::<Result<_, _>>()?;
    let budget = Budget::default();
    let compared = || WorkTree::open(root, BString::default(), &budget)?.record(&reads, patch);
    // Git's library indexes into packs that somebody else wrote; where it panics, the repository is what is wrong.
    let compared = panic::catch_unwind(AssertUnwindSafe(compared)).map_err(|payload| {
        let said = payload.downcast_ref::<String>().map(String::as_str).or(payload.downcast_ref::<&str>().copied());
        let message = format!("git's library gave up on it: {}", said.unwrap_or("no reason given"));
        GitError::Repository { path: root.to_owned(), message }
    });
    let (record, differences) = compared??;
    Ok(Some(Compared { root: root.to_owned(), record, differences, reads }))
}

fn canonical(path: &Path) -> Result<PathBuf, GitError> {
    fs::canonicalize(path).map_err(|source| read_error(path, source))
}

struct WorkTree<'a> {
    root: &'a Path,
    /// Where it is, below the outermost work tree.
    prefix: BString,
    repository: Repository,
    budget: &'a Budget,
}

/// What there is to say of a work tree and the submodules in it; paths are below its root.
#[derive(Default)]
struct State {
    differences: Vec<Difference>,
    untracked: Vec<BString>,
    lfs_pointers: Vec<BString>,
    submodules: Vec<Submodule>,
    read_untracked: BTreeSet<BString>,
    read_ignored: BTreeSet<BString>,
    shallow: bool,
    replaced: bool,
}

struct Submodule {
    path: BString,
    commit: ObjectId,
    checked_out: Option<ObjectId>,
    difference: Option<Blake3Digest>,
}

/// The sections of a patch, by their paths below the outermost work tree.
#[derive(Default)]
struct Patch {
    sections: Vec<(BString, Vec<u8>)>,
    bytes: u64,
}

impl Patch {
    fn into_bytes(mut self) -> Vec<u8> {
        self.sections.sort();
        self.sections.into_iter().flat_map(|(_, section)| section).collect()
    }
}

impl<'a> WorkTree<'a> {
    fn open(root: &'a Path, prefix: BString, budget: &'a Budget) -> Result<Self, GitError> {
        layout::check(root, budget)?;
        let largest = format!("gitoxide.objects.allocLimit={MAX_OBJECT_BYTES}");
        let repository = gix::open::Options::isolated()
            .config_overrides(["core.useReplaceRefs=false", &largest])
            // Nothing else is tried, the work tree itself as a bare repository for one: it was not looked at as such.
            .open_path_as_is(true)
            .open(root.join(".git"))
            .map_err(|error| repository_error(root, &error))?
            .to_thread_local();
        // Otherwise a dirty tree could be passed off as a clean one that lies elsewhere.
        let named = repository.workdir().and_then(|path| fs::canonicalize(path).ok());
        if named.as_deref() != Some(root) {
            return Err(GitError::WorkTreeElsewhere { path: root.to_owned(), got: named });
        }
        Ok(Self { root, prefix, repository, budget })
    }

    fn record(&self, reads: &[PathBuf], patch: Option<&mut Patch>) -> Result<(GitRecord, Vec<Difference>), GitError> {
        let (commit, tree) = self.head()?;
        let head = self.repository.head_name().map_err(|error| self.error(&error))?;
        let branch = head.map(|name| printable(name.shorten()));
        let mut state = self.state(tree, reads, patch, 0)?;
        state.untracked.sort();
        state.lfs_pointers.sort();
        let named = |paths: &mut dyn Iterator<Item = &BString>| -> Vec<String> {
            paths.take(MAX_CHANGED_PATHS).map(|path| printable(path.as_bstr())).collect()
        };
        // A run that reads the whole work tree reads `.`.
        let shown = |path: &BString| if path.is_empty() { ".".to_owned() } else { printable(path.as_bstr()) };
        let mut submodules: Vec<_> = state.submodules.iter().map(Submodule::record).collect();
        submodules.sort_by(|left, right| left.path.cmp(&right.path));
        let commit = git_id(commit);
        let record = GitRecord {
            object_format: ObjectFormat::of(&commit),
            commit,
            tree: git_id(tree),
            branch,
            remotes: remotes::remotes(&self.repository),
            shallow: state.shallow,
            replaced: state.replaced,
            clean: state.differences.is_empty(),
            difference: digest(&state.differences),
            changed: named(&mut state.differences.iter().map(|one| &one.path)),
            changed_count: state.differences.len() as u64,
            untracked: named(&mut state.untracked.iter()),
            untracked_count: state.untracked.len() as u64,
            submodules,
            lfs_pointers: named(&mut state.lfs_pointers.iter()),
            lfs_pointer_count: state.lfs_pointers.len() as u64,
            read_untracked: state.read_untracked.iter().map(shown).collect(),
            read_ignored: state.read_ignored.iter().map(shown).collect(),
            patch: None,
        };
        Ok((record, state.differences))
    }

    /// The commit at `HEAD` and its tree.
    fn head(&self) -> Result<(ObjectId, ObjectId), GitError> {
        let head = self.repository.head().map_err(|error| self.error(&error))?;
        let Some(commit) = head.id().map(gix::Id::detach) else {
            return Err(GitError::NoCommit { path: self.root.to_owned() });
        };
        let data = self.object(commit, Kind::Commit)?;
        let tree = CommitRef::from_bytes(&data, commit.kind()).map_err(|error| self.error(&error))?.tree();
        Ok((commit, tree))
    }

    /// Compares this work tree and the submodules in it with `tree`; differences come sorted.
    fn state(
        &self,
        tree: ObjectId,
        reads: &[PathBuf],
        mut patch: Option<&mut Patch>,
        depth: usize,
    ) -> Result<State, GitError> {
        if depth > MAX_SUBMODULE_DEPTH {
            return Err(GitError::TooDeep { path: self.root.to_owned() });
        }
        let tracked = self.tracked(tree)?;
        let mut own_reads = Reads::new(reads, self.root, |path| tracked.contains_key(path));
        let walked = self.walk(tracked, &mut own_reads)?;
        if let Some(patch) = patch.as_deref_mut() {
            self.add_to(patch, &walked.differences, &walked.untracked, &own_reads)?;
        }
        let is_there =
            |name: &str| self.repository.common_dir().join(name).metadata().is_ok_and(|metadata| metadata.len() > 0);
        let mut state = State {
            differences: walked.differences,
            untracked: walked.untracked,
            lfs_pointers: walked.lfs_pointers,
            submodules: Vec::new(),
            read_untracked: own_reads.untracked,
            read_ignored: own_reads.ignored,
            // Not asked of gix: the repository's configuration could name another file.
            shallow: is_there("shallow"),
            replaced: is_there("info/grafts") || self.has_replace_refs()?,
        };
        for gitlink in walked.gitlinks {
            self.add_submodule(&mut state, gitlink, reads, patch.as_deref_mut(), depth)?;
        }
        state.differences.sort_by(|left, right| left.path.cmp(&right.path));
        Ok(state)
    }

    fn add_submodule(
        &self,
        state: &mut State,
        gitlink: Gitlink,
        reads: &[PathBuf],
        patch: Option<&mut Patch>,
        depth: usize,
    ) -> Result<(), GitError> {
        let Gitlink { path, tracked, checked_out } = gitlink;
        let Some(root) = checked_out else {
            let (checked_out, difference) = (None, None);
            state.submodules.push(Submodule { path, commit: tracked.id, checked_out, difference });
            return Ok(());
        };
        let inner = WorkTree::open(&root, join(self.prefix.as_bstr(), path.as_bstr()), self.budget)?;
        let (commit, tree) = inner.head()?;
        let found = inner.state(tree, reads, patch, depth + 1)?;
        let difference = digest(&found.differences);
        let within = |inner: BString| join(path.as_bstr(), inner.as_bstr());
        let differences = found.differences.into_iter().map(|one| Difference { path: within(one.path), ..one });
        state.differences.extend(differences);
        state.untracked.extend(found.untracked.into_iter().map(within));
        state.lfs_pointers.extend(found.lfs_pointers.into_iter().map(within));
        state.read_untracked.extend(found.read_untracked.into_iter().map(within));
        state.read_ignored.extend(found.read_ignored.into_iter().map(within));
        let inner_modules = found.submodules.into_iter().map(|one| Submodule { path: within(one.path), ..one });
        state.submodules.extend(inner_modules);
        state.shallow |= found.shallow;
        state.replaced |= found.replaced;
        if commit != tracked.id {
            let content = Some(Blake3Digest::from_bytes(*blake3::hash(commit.to_string().as_bytes()).as_bytes()));
            let found = Found { kind: Some(EntryKind::Commit), id: None, content };
            let change = Change::Modified;
            state.differences.push(Difference { path: path.clone(), tracked, change, found });
        }
        state.submodules.push(Submodule { path, commit: tracked.id, checked_out: Some(commit), difference });
        Ok(())
    }

    fn has_replace_refs(&self) -> Result<bool, GitError> {
        let references = self.repository.references().map_err(|error| self.error(&error))?;
        let mut replaced = references.prefixed("refs/replace/").map_err(|error| self.error(&error))?;
        Ok(replaced.next().is_some())
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

    /// A blob's bytes; `None` when there are more than `cap`.
    fn blob_of_at_most(&self, id: ObjectId, cap: u64) -> Result<Option<Vec<u8>>, GitError> {
        let header = self.repository.find_header(id).map_err(|error| self.error(&error))?;
        if header.size() > cap { Ok(None) } else { self.object(id, Kind::Blob).map(Some) }
    }

    /// Adds what differs, and the new files that are meant to be seen, to the patch.
    fn add_to(
        &self,
        patch: &mut Patch,
        differences: &[Difference],
        untracked: &[BString],
        reads: &Reads,
    ) -> Result<(), GitError> {
        let staged = self.staged()?;
        for one in differences.iter().filter(|one| one.tracked.kind != EntryKind::Commit) {
            let content = self.blob_of_at_most(one.tracked.id, MAX_PATCH_BYTES)?;
            let content = content.ok_or_else(|| GitError::PatchTooLarge { path: self.root.to_owned() })?;
            let old = Side { kind: one.tracked.kind, id: one.tracked.id, content: &content };
            self.add_section(patch, &one.path, Some(old), one.found)?;
        }
        for path in untracked.iter().filter(|path| staged.contains(*path) || reads.is_read(path)) {
            let file = self.on_disk(path)?;
            let metadata = fs::symlink_metadata(&file).map_err(|source| read_error(&file, source))?;
            if metadata.len() > MAX_PATCH_BYTES {
                return Err(GitError::PatchTooLarge { path: self.root.to_owned() });
            }
            self.add_section(patch, path, None, self.found(&file, &metadata)?)?;
        }
        Ok(())
    }

    fn add_section(
        &self,
        patch: &mut Patch,
        path: &BString,
        old: Option<Side<'_>>,
        found: Found,
    ) -> Result<(), GitError> {
        let content = self.content_of(path, found)?;
        let new = match (found.kind, found.id, &content) {
            (Some(kind), Some(id), Some(content)) => Some(Side { kind, id, content }),
            _ => None,
        };
        let whole_path = join(self.prefix.as_bstr(), path.as_bstr());
        let section = patch::section(&whole_path, old, new).map_err(|error| self.error(&error))?;
        patch.bytes += section.len() as u64;
        if patch.bytes > MAX_PATCH_BYTES {
            return Err(GitError::PatchTooLarge { path: self.root.to_owned() });
        }
        patch.sections.push((whole_path, section));
        Ok(())
    }

    /// The content on the disk, which has to be the one that was hashed; `None` where there is none.
    fn content_of(&self, path: &BString, found: Found) -> Result<Option<Vec<u8>>, GitError> {
        let (Some(kind), Some(expected)) = (found.kind, found.content) else { return Ok(None) };
        let file = self.on_disk(path)?;
        let content = match kind {
            EntryKind::Link => walk::link_target(&file)?.into(),
            _ => read_at_most(&file, MAX_PATCH_BYTES)?
                .ok_or_else(|| GitError::PatchTooLarge { path: self.root.to_owned() })?,
        };
        if *blake3::hash(&content).as_bytes() != *expected.as_bytes() {
            return Err(GitError::Changed { path: file });
        }
        Ok(Some(content))
    }

    fn on_disk(&self, path: &BString) -> Result<PathBuf, GitError> {
        Ok(self.root.join(gix::path::from_bstr(path.as_bstr()).map_err(|error| self.error(&error))?))
    }

    fn error(&self, error: &dyn std::error::Error) -> GitError {
        repository_error(self.root, error)
    }
}

impl Submodule {
    fn record(&self) -> SubmoduleRecord {
        SubmoduleRecord {
            path: printable(self.path.as_bstr()),
            commit: git_id(self.commit),
            checked_out: self.checked_out.map(git_id),
            difference: self.difference,
        }
    }
}

fn git_id(id: ObjectId) -> GitId {
    id.to_string().parse().expect("gix writes lowercase hex digits")
}

/// Count, then for each difference, sorted by path: path, change, mode on the disk or 0, whether there is content,
/// BLAKE3 of the content. `None` where nothing differs.
fn digest(differences: &[Difference]) -> Option<Blake3Digest> {
    if differences.is_empty() {
        return None;
    }
    let mut hasher = DomainHasher::new(DIFFERENCE_DOMAIN);
    hasher.u64(differences.len() as u64);
    for one in differences {
        let Found { kind, content, .. } = one.found;
        let mode = kind.map_or(0, |kind| kind as u64);
        hasher.field(&one.path).field(one.change.name()).u64(mode).u64(u64::from(content.is_some()));
        if let Some(content) = &content {
            hasher.digest(content);
        }
    }
    Some(hasher.finish())
}

/// Text that is safe to print: what is no UTF-8 or a control character is escaped.
fn printable(bytes: &BStr) -> String {
    match bytes.to_str() {
        Ok(text) if !text.contains(char::is_control) => text.to_owned(),
        _ => bytes.escape_ascii().to_string(),
    }
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
mod content_tests;
#[cfg(test)]
mod folder_tests;
#[cfg(all(test, unix))]
mod hostile_tests;
#[cfg(all(test, unix))]
mod patch_tests;
#[cfg(test)]
pub(crate) mod tests;
