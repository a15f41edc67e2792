//! What DVC says about a data set, compared with the files.
//!
//! `.dvc` files and `dvc.lock` are found below the data set, beside it, and in every folder above it up to DVC's root (the
//! nearest folder with `.dvc/`; without one, git's; without either, the folder that holds the data set). DVC itself is
//! never run, and nothing is fetched from its cache.
//!
//! **A directory's MD5** is that of `[{"md5": "…", "relpath": "a/b"}, …]`: sorted by path in code-point order, the
//! separators `", "` and `": "`, without a newline, everything but printable ASCII escaped as Python's `json` does. Empty
//! directories and the executable bit do not show in it; what `.dvcignore` leaves out is listed in the record,
//! so that a verifier can count the same files elsewhere.
//!
//! An MD5 is no proof: see [`md5`](super::md5).

pub mod document;
mod ignore;

use std::collections::BTreeMap;
use std::fmt;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::document::{DocumentError, DvcChecksum, StatedOutput, outputs_of_dvc_file, outputs_of_lock};
use self::ignore::IgnoreRules;
use super::data::{DataError, HashedData, ReadData, paths_below};
use super::md5::{Md5Digest, Md5Kind, Md5Kinds};
use super::path::{PathError, RelativePath};
use crate::durable::folder_of;
use crate::failure::{Advice, FailureKind, io_hint};

/// Largest `.dvc` file, `dvc.lock` or `dvc.yaml` that is read.
const MAX_DOCUMENT_BYTES: u64 = 4 << 20;

/// Largest list that [`outputs_from_jsonl`] accepts.
const MAX_LIST_BYTES: usize = 64 << 20;

/// What DVC says of one output that has to do with a data set, and what was found: one line of the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DvcOutput {
    /// The `.dvc` file or `dvc.lock` that says it, below DVC's root.
    pub document: RelativePath,
    /// The stage of `dvc.lock` that made it; `null` in a `.dvc` file.
    #[serde(deserialize_with = "Option::deserialize")]
    pub stage: Option<String>,
    /// Where it lies.
    pub place: DvcPlace,
    /// Which MD5 of a file is meant.
    pub hash: Md5Kind,
    /// What DVC recorded.
    pub recorded: DvcChecksum,
    /// What the files yield; `null` when there is no such file.
    #[serde(deserialize_with = "Option::deserialize")]
    pub found: Option<DvcChecksum>,
    /// The size in bytes that DVC recorded; `null` when it did not. Not compared: the checksum covers it.
    #[serde(deserialize_with = "Option::deserialize")]
    pub size: Option<u64>,
    /// The number of files that DVC recorded of a directory; `null` when it did not. Not compared either.
    #[serde(deserialize_with = "Option::deserialize")]
    pub files: Option<u64>,
    /// Files that `.dvcignore` leaves out, below the output.
    pub ignored: Vec<RelativePath>,
}

/// Where an output lies, seen from a data set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum DvcPlace {
    /// It is the data set.
    Whole,
    /// It is a file or directory of the data set, at this path.
    Within(RelativePath),
    /// It is a directory that holds the data set at this path, and other files besides.
    Around(RelativePath),
}

/// DVC's entries about a data set, before its bytes are looked at.
#[derive(Debug)]
pub struct DvcEntries {
    /// The data set, without symlinks above it.
    root: PathBuf,
    /// DVC's root.
    top: PathBuf,
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    document: RelativePath,
    stated: StatedOutput,
    place: DvcPlace,
    /// The output itself.
    path: PathBuf,
}

/// Which files of a data set need which MD5s.
#[derive(Debug, Default)]
pub struct NeededMd5s {
    files: BTreeMap<String, Md5Kinds>,
    /// With a `/` at the end, unless it is the data set.
    directories: Vec<(String, Md5Kinds)>,
}

/// What DVC says cannot be read, or does not hold.
#[derive(Debug, thiserror::Error)]
pub enum DvcError {
    /// Reading failed.
    #[error("cannot read {path}")]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A document that DVC did not write.
    #[error("{path}")]
    Document {
        /// The document.
        path: PathBuf,
        /// What is wrong with it.
        source: DocumentError,
    },
    /// A path that is not acceptable.
    #[error("{path}")]
    Path {
        /// The document that names it, or the document itself.
        path: PathBuf,
        /// Which, and why.
        source: PathError,
    },
    /// Files cannot be hashed.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The files are not those that DVC speaks of.
    #[error("{root} differs from what DVC says in {differing} of {outputs} entries: {first}")]
    Differs {
        /// The data set.
        root: PathBuf,
        /// Number of entries that do not hold.
        differing: usize,
        /// Number of entries.
        outputs: usize,
        /// The first that does not.
        first: String,
    },
}

impl Advice for DvcError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Differs { .. } => Some(
                "`dvc status` lists the files; `dvc checkout` brings back those that DVC knows, `dvc commit` makes it know \
                 these; provenance.dvc=record (of a command: command.dvc=record) goes on all the same and records the difference"
                    .into(),
            ),
            Self::Document { .. } | Self::Path { .. } => {
                Some("correct the file as DVC would have written it, or move it away".into())
            }
            Self::Read { path, source } => io_hint(source, path),
            Self::Data(error) => error.hint(),
        }
    }

    fn kind(&self) -> FailureKind {
        match self {
            Self::Read { .. } => FailureKind::Missing,
            Self::Data(error) => error.kind(),
            Self::Differs { .. } | Self::Document { .. } | Self::Path { .. } => FailureKind::Failed,
        }
    }
}

/// A list that is not what [`outputs_to_jsonl`] writes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DvcListError {
    /// Larger than the largest that is read.
    #[error("list of DVC outputs has {got} bytes, expected at most {MAX_LIST_BYTES}")]
    TooLarge {
        /// Its size.
        got: usize,
    },
    /// A line is no such object, or says the right thing in another spelling.
    #[error("list of DVC outputs, line {line}: {message}")]
    Line {
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        message: String,
    },
}

impl DvcEntries {
    /// Finds what DVC says about the data set at `root`. Of a single file only what is said of that very file counts: a
    /// directory around it is more than the data set.
    ///
    /// # Errors
    /// [`DvcError`]: also for a document that cannot be understood, so that no entry is overlooked.
    pub fn about(root: &Path) -> Result<Self, DvcError> {
        let single = root.is_file();
        let below = if single { Vec::new() } else { paths_below(root)? };
        let root = located(root).map_err(|source| read_error(root, source))?;
        let top = top_of(&root).to_owned();
        let mut documents = Vec::new();
        for folder in root.ancestors().skip(1).take_while(|folder| folder.starts_with(&top)) {
            documents.extend(documents_in(folder).map_err(|source| read_error(folder, source))?);
        }
        let names = below.iter().map(RelativePath::as_str).filter(|path| {
            let mut components = path.rsplit('/');
            components.next().is_some_and(is_document) && components.all(|folder| folder != ".dvc")
        });
        documents.extend(names.map(|path| root.join(path)));
        documents.sort();
        let mut entries = Vec::new();
        for document in documents {
            let folder = folder_of(&document);
            for stated in read_document(&document)? {
                let path = joined(folder, [stated.folder.as_str(), stated.path.as_str()]);
                let refuse = |source| DvcError::Path { path: document.clone(), source };
                let Some(mut place) = DvcPlace::of(&path, &root).map_err(refuse)? else { continue };
                if single {
                    let (true, Some(name)) = (place == DvcPlace::Whole, root.file_name()) else { continue };
                    place = DvcPlace::Within(RelativePath::parse(&name.to_string_lossy()).map_err(refuse)?);
                }
                let name = document.strip_prefix(&top).unwrap_or(&document).to_string_lossy().into_owned();
                let document = RelativePath::parse(&name).map_err(refuse)?;
                entries.push(Entry { document, stated, place, path });
            }
        }
        Ok(Self { root, top, entries })
    }

    /// Which MD5s the comparison needs.
    pub fn needed(&self) -> NeededMd5s {
        let entries = self.entries.iter().map(|entry| (&entry.place, entry.stated.checksum, entry.stated.hash));
        NeededMd5s::of(entries)
    }

    /// Compares with the files, hashed with the MD5s that are [`needed`](Self::needed).
    ///
    /// # Errors
    /// [`DvcError`]: other files of an output around the data set cannot be hashed, or `.dvcignore` not read.
    pub fn compare(&self, data: &HashedData) -> Result<Vec<DvcOutput>, DvcError> {
        self.entries.iter().map(|entry| self.compare_entry(entry, data)).collect()
    }

    fn compare_entry(&self, entry: &Entry, data: &HashedData) -> Result<DvcOutput, DvcError> {
        let Entry { document, stated, place, path } = entry;
        let mut ignored = Vec::new();
        let found = if stated.checksum.directory {
            let (top, output) = match path.strip_prefix(&self.top) {
                Ok(output) => (&self.top, output.to_string_lossy().into_owned()),
                // Above DVC's root there are no rules of its.
                Err(_) => (path, String::new()),
            };
            let rules = IgnoreRules::of(top, &output).map_err(|source| read_error(path, source))?;
            let mut members = place.members(stated.hash, data);
            if let DvcPlace::Around(inner) = place {
                members.extend(others(path, inner, stated.hash)?);
            }
            members.retain(|(path, _)| {
                let leave_out = rules.leave_out(path);
                if leave_out {
                    ignored.push(RelativePath::parse(path).expect("it was read below a folder, by an acceptable path"));
                }
                !leave_out
            });
            Some(of_directory(members))
        } else {
            place.file(stated.hash, data)
        };
        ignored.sort();
        Ok(DvcOutput {
            document: document.clone(),
            stage: stated.stage.clone(),
            place: place.clone(),
            hash: stated.hash,
            recorded: stated.checksum,
            found,
            size: stated.size,
            files: stated.files,
            ignored,
        })
    }

    /// Refuses data of which DVC says something else.
    ///
    /// # Errors
    /// [`DvcError::Differs`].
    pub fn refuse_differences(&self, outputs: &[DvcOutput]) -> Result<(), DvcError> {
        let mut differing = outputs.iter().filter(|output| !output.matches());
        match differing.next() {
            None => Ok(()),
            Some(first) => Err(DvcError::Differs {
                root: self.root.clone(),
                differing: 1 + differing.count(),
                outputs: outputs.len(),
                first: first.to_string(),
            }),
        }
    }
}

impl DvcOutput {
    /// Whether the files are those that DVC speaks of.
    pub fn matches(&self) -> bool {
        self.found == Some(self.recorded)
    }

    /// What the files of a data set yield now; only those count that `counts` accepts, by their path in the data set.
    /// Of an output around the data set: what the data set's part of it alone would yield.
    pub fn find_again(&self, data: &ReadData, counts: impl Fn(&str) -> bool) -> Option<DvcChecksum> {
        if !self.recorded.directory {
            return self.place.file(self.hash, data);
        }
        let counted = |path: &str| match &self.place {
            DvcPlace::Within(place) => counts(&format!("{}/{path}", place.as_str())),
            DvcPlace::Whole => counts(path),
            DvcPlace::Around(inner) => below(path, inner.as_str()).is_some_and(&counts),
        };
        let mut members = self.place.members(self.hash, data);
        members.retain(|(path, _)| counted(path));
        members.retain(|(path, _)| self.ignored.binary_search_by(|ignored| ignored.as_str().cmp(path)).is_err());
        Some(of_directory(members))
    }
}

impl DvcPlace {
    /// Where the output at `path` lies, seen from the data set in `root`; none when they share no file.
    fn of(path: &Path, root: &Path) -> Result<Option<Self>, PathError> {
        let relative = |path: &Path| RelativePath::parse(&path.to_string_lossy());
        Ok(match (path.strip_prefix(root), root.strip_prefix(path)) {
            (Ok(below), _) if below.as_os_str().is_empty() => Some(Self::Whole),
            (Ok(below), _) => Some(Self::Within(relative(below)?)),
            (_, Ok(inner)) => Some(Self::Around(relative(inner)?)),
            (Err(_), Err(_)) => None,
        })
    }

    /// What DVC would call the output, if it is a file of the data set.
    fn file(&self, kind: Md5Kind, data: &HashedData) -> Option<DvcChecksum> {
        let Self::Within(path) = self else { return None };
        Some(DvcChecksum { md5: data.md5(path.as_str(), kind)?, directory: false })
    }

    /// The files of the data set that are the output's, by their path below the output.
    fn members(&self, kind: Md5Kind, data: &HashedData) -> Vec<(String, Md5Digest)> {
        let member = |(path, md5): (&RelativePath, Md5Digest)| {
            let path = match self {
                Self::Whole => path.as_str().to_owned(),
                Self::Within(place) => below(path.as_str(), place.as_str())?.to_owned(),
                Self::Around(inner) => format!("{inner}/{path}"),
            };
            Some((path, md5))
        };
        data.md5s(kind).filter_map(member).collect()
    }
}

impl NeededMd5s {
    /// What comparing these outputs needs.
    pub fn of_outputs(outputs: &[DvcOutput]) -> Self {
        Self::of(outputs.iter().map(|output| (&output.place, output.recorded, output.hash)))
    }

    fn of<'a>(entries: impl Iterator<Item = (&'a DvcPlace, DvcChecksum, Md5Kind)>) -> Self {
        let mut needed = Self::default();
        for (place, checksum, kind) in entries {
            let kinds = Md5Kinds::only(kind);
            match (place, checksum.directory) {
                (DvcPlace::Within(path), false) => {
                    let known = needed.files.entry(path.as_str().to_owned()).or_default();
                    *known = known.and(kinds);
                }
                (DvcPlace::Within(path), true) => needed.directories.push((format!("{path}/"), kinds)),
                (DvcPlace::Whole | DvcPlace::Around(_), true) => needed.directories.push((String::new(), kinds)),
                // A file where the data set's directory is: there is nothing to hash.
                (DvcPlace::Whole | DvcPlace::Around(_), false) => {}
            }
        }
        needed
    }

    /// Those of one file.
    pub fn of_file(&self, path: &RelativePath) -> Md5Kinds {
        let own = self.files.get(path.as_str()).copied().unwrap_or_default();
        let directories = self.directories.iter().filter(|(prefix, _)| path.as_str().starts_with(prefix));
        directories.fold(own, |kinds, (_, more)| kinds.and(*more))
    }
}

/// The list as JSON Lines, one output per line.
pub fn outputs_to_jsonl(outputs: &[DvcOutput]) -> String {
    outputs.iter().map(|output| line(output) + "\n").collect()
}

/// Reads a list; accepts exactly what [`outputs_to_jsonl`] writes, so one list has one spelling.
///
/// # Errors
/// [`DvcListError`].
pub fn outputs_from_jsonl(bytes: &[u8]) -> Result<Vec<DvcOutput>, DvcListError> {
    if bytes.len() > MAX_LIST_BYTES {
        return Err(DvcListError::TooLarge { got: bytes.len() });
    }
    let lines = bytes.split_inclusive(|byte| *byte == b'\n').enumerate();
    let parse = |(index, text): (usize, &[u8])| {
        let refuse = |message: String| DvcListError::Line { line: index + 1, message };
        let text = text.strip_suffix(b"\n").ok_or_else(|| refuse("has no end".into()))?;
        let output: DvcOutput = serde_json::from_slice(text).map_err(|error| refuse(error.to_string()))?;
        match line(&output).as_bytes() == text {
            true => Ok(output),
            false => Err(refuse("expected the canonical form, got another spelling".into())),
        }
    };
    lines.map(parse).collect()
}

fn line(output: &DvcOutput) -> String {
    serde_json::to_string(output).expect("strings and integers always serialize")
}

/// What DVC calls a directory with these files.
fn of_directory(mut members: Vec<(String, Md5Digest)>) -> DvcChecksum {
    // The order of UTF-8's bytes is that of code points.
    members.sort();
    let mut listing = String::from("[");
    for (index, (path, md5)) in members.iter().enumerate() {
        let separator = if index == 0 { "" } else { ", " };
        write!(listing, "{separator}{{\"md5\": \"{md5}\", \"relpath\": \"").expect("a String takes all");
        for character in path.chars() {
            match character {
                '"' | '\\' => listing.extend(['\\', character]),
                ' '..='~' => listing.push(character),
                _ => {
                    for unit in character.encode_utf16(&mut [0; 2]) {
                        write!(listing, "\\u{unit:04x}").expect("a String takes all");
                    }
                }
            }
        }
        listing.push_str("\"}");
    }
    listing.push(']');
    DvcChecksum { md5: Md5Digest::of(listing.as_bytes()), directory: true }
}

/// The files of an output around a data set that are not the data set's, by their path below the output.
fn others(output: &Path, inner: &RelativePath, kind: Md5Kind) -> Result<Vec<(String, Md5Digest)>, DvcError> {
    let mut paths = paths_below(output)?;
    paths.retain(|path| below(path.as_str(), inner.as_str()).is_none());
    let paths: Vec<_> = paths.iter().map(RelativePath::as_str).collect();
    let data = ReadData::of_files(output, &paths, |_| Md5Kinds::only(kind))?;
    Ok(data.md5s(kind).map(|(path, md5)| (path.as_str().to_owned(), md5)).collect())
}

/// The rest of a path below a directory.
fn below<'a>(path: &'a str, directory: &str) -> Option<&'a str> {
    path.strip_prefix(directory)?.strip_prefix('/')
}

/// Where a data set lies, with no symlink above it. It may be one itself: DVC's files lie beside the name.
fn located(root: &Path) -> io::Result<PathBuf> {
    match root.file_name() {
        Some(name) => Ok(folder_of(root).canonicalize()?.join(name)),
        None => root.canonicalize(),
    }
}

fn top_of(root: &Path) -> &Path {
    let with = |name: &str, is: fn(&Path) -> bool| root.ancestors().find(|folder| is(&folder.join(name)));
    // A linked worktree or a submodule has a file `.git`.
    with(".dvc", Path::is_dir).or_else(|| with(".git", Path::exists)).or(root.parent()).unwrap_or(root)
}

fn is_document(name: &str) -> bool {
    name == "dvc.lock" || name.len() > ".dvc".len() && name.ends_with(".dvc")
}

fn documents_in(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut documents = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_str().is_some_and(is_document) && entry.file_type()?.is_file() {
            documents.push(entry.path());
        }
    }
    Ok(documents)
}

fn read_document(path: &Path) -> Result<Vec<StatedOutput>, DvcError> {
    let text = |path: &Path| {
        let mut text = String::new();
        let read = File::open(path).and_then(|file| file.take(MAX_DOCUMENT_BYTES + 1).read_to_string(&mut text));
        read.map(|_| text).map_err(|source| read_error(path, source))
    };
    let stated = if path.ends_with("dvc.lock") {
        let pipeline = path.with_file_name("dvc.yaml");
        let is_there = pipeline.symlink_metadata().is_ok_and(|found| found.is_file());
        let pipeline = is_there.then(|| text(&pipeline)).transpose()?;
        outputs_of_lock(&text(path)?, pipeline.as_deref())
    } else {
        outputs_of_dvc_file(&text(path)?)
    };
    stated.map_err(|source| DvcError::Document { path: path.to_owned(), source })
}

/// A path below a folder, by its text alone: what DVC means lies there, symlink or not.
fn joined(folder: &Path, tails: [&str; 2]) -> PathBuf {
    let mut path = folder.to_owned();
    for component in tails.iter().flat_map(|tail| Path::new(tail).components()) {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                path.pop();
            }
            other => path.push(other),
        }
    }
    path
}

fn read_error(path: &Path, source: io::Error) -> DvcError {
    DvcError::Read { path: path.to_owned(), source }
}

impl fmt::Display for DvcOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let subject = match &self.place {
            DvcPlace::Within(path) => path.as_str(),
            DvcPlace::Whole => "the data set",
            DvcPlace::Around(_) => "the directory around the data set",
        };
        let stage = self.stage.as_ref().map(|stage| format!(", stage {stage}")).unwrap_or_default();
        write!(f, "{subject} ({}{stage}): expected md5 {}, got ", self.document, self.recorded)?;
        match &self.found {
            Some(found) => write!(f, "{found}"),
            None => f.write_str("no such file"),
        }
    }
}

#[cfg(test)]
mod tests;
