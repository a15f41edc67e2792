//! What is copied: the files of the work tree, or of a folder that is in none; and the copies.

use std::collections::BTreeSet;
use std::fs::{self, File, FileTimes, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Component, Path, PathBuf};

use spectramind::foreign;
use spectramind::provenance::git;

/// Most files, links and folders that are copied.
const MAX_ENTRIES: usize = 1_000_000;

/// What is to be copied.
pub struct Source {
    pub root: PathBuf,
    /// Where the command runs, below the root.
    pub inside: PathBuf,
    /// Everything, relative to the root, sorted; folders only where they may be empty.
    pub paths: BTreeSet<PathBuf>,
    /// Whether git said which.
    pub by_git: bool,
}

/// What stands at a path that was copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    File,
    Link,
    Folder,
}

/// A copy that is never run in, which all others are made from.
pub struct Pristine {
    pub root: PathBuf,
    /// Where in it, and in every copy, the command runs.
    pub inside: PathBuf,
    entries: Vec<(PathBuf, Kind)>,
    pub files: usize,
    pub bytes: u64,
    /// Links that lead out of the folder: what they lead to is one and the same for all runs.
    pub links_out: Vec<PathBuf>,
    /// Pipes, sockets and devices.
    pub skipped: Vec<PathBuf>,
}

/// In which order the files of a copy are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    Sorted,
    Reversed,
}

impl Source {
    pub fn of(directory: &Path, include: &[PathBuf]) -> Result<Self, String> {
        let directory = directory.canonicalize().map_err(|error| format!("{}: {error}", directory.display()))?;
        let listed = git::files(&directory).map_err(|error| sentence(&error))?;
        let by_git = listed.is_some();
        let (root, mut paths) = match listed {
            Some(files) => (files.root, files.paths.into_iter().collect()),
            None => (directory.clone(), BTreeSet::new()),
        };
        let mut wanted: Vec<PathBuf> = if by_git { Vec::new() } else { vec![PathBuf::new()] };
        for path in include {
            // Not resolved: a link is copied as a link.
            let whole = std::path::absolute(directory.join(path)).map_err(|error| format!("--include: {error}"))?;
            let below = whole.strip_prefix(&root).ok().filter(|below| below.components().all(is_name));
            let below = below
                .ok_or_else(|| format!("--include {}: expected something below {}", path.display(), root.display()))?;
            wanted.push(below.to_owned());
        }
        for path in wanted {
            walk(&root, path, &mut paths)?;
        }
        if paths.len() > MAX_ENTRIES {
            return Err(format!("{}: expected at most {MAX_ENTRIES} files, got more", root.display()));
        }
        let inside = directory.strip_prefix(&root).map_err(|_| "the work tree is not around the folder".to_owned())?;
        Ok(Self { inside: inside.to_owned(), root, paths, by_git })
    }

    /// How many bytes its files have.
    pub fn bytes(&self) -> u64 {
        let sizes = self.paths.iter().filter_map(|path| fs::symlink_metadata(self.root.join(path)).ok());
        sizes.filter(fs::Metadata::is_file).map(|found| found.len()).sum()
    }

    /// Copies it. No link is followed.
    pub fn copy_to(&self, to: &Path) -> Result<Pristine, String> {
        let (mut entries, mut files, mut bytes) = (Vec::new(), 0, 0);
        let (mut links_out, mut skipped) = (Vec::new(), Vec::new());
        fs::create_dir_all(to.join(&self.inside)).map_err(|error| format!("{}: {error}", to.display()))?;
        for path in &self.paths {
            let (from, place) = (self.root.join(path), to.join(path));
            let failed = |error: io::Error| format!("{}: {error}", from.display());
            let found = match fs::symlink_metadata(&from) {
                Ok(found) => found,
                // Listed by git's index, and removed since.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(failed(error)),
            };
            fs::create_dir_all(place.parent().unwrap_or(to)).map_err(failed)?;
            let kind = if found.is_dir() {
                fs::create_dir_all(&place).map_err(failed)?;
                Kind::Folder
            } else if found.is_symlink() {
                let target = fs::read_link(&from).map_err(failed)?;
                if leads_out(path, &target) {
                    links_out.push(path.clone());
                }
                symlink(target, &place).map_err(failed)?;
                Kind::Link
            } else if found.is_file() {
                let name = path.to_str().ok_or_else(|| format!("{}: expected a name of UTF-8", path.display()))?;
                let opened = foreign::open(&self.root, name).map_err(|error| error.to_string())?;
                bytes += copy(&mut opened.into_file(), &place).map_err(failed)?;
                files += 1;
                Kind::File
            } else {
                skipped.push(path.clone());
                continue;
            };
            entries.push((path.clone(), kind));
        }
        Ok(Pristine { root: to.to_owned(), inside: self.inside.clone(), entries, files, bytes, links_out, skipped })
    }
}

impl Pristine {
    /// Makes a copy of it. Folders that are empty are made last.
    pub fn copy_to(&self, to: &Path, order: Order) -> io::Result<()> {
        fs::create_dir_all(to)?;
        let forward: Vec<_> = match order {
            Order::Sorted => self.entries.iter().collect(),
            Order::Reversed => self.entries.iter().rev().collect(),
        };
        for (path, kind) in forward {
            let (from, place) = (self.root.join(path), to.join(path));
            fs::create_dir_all(place.parent().unwrap_or(to))?;
            match kind {
                Kind::File => drop(copy(&mut File::open(&from)?, &place)?),
                Kind::Link => symlink(fs::read_link(&from)?, &place)?,
                Kind::Folder => fs::create_dir_all(&place)?,
            }
        }
        fs::create_dir_all(to.join(&self.inside))
    }
}

/// With its permissions and its time of change, which build tools and Python's caches go by.
fn copy(from: &mut File, to: &Path) -> io::Result<u64> {
    let found = from.metadata()?;
    let mut file = File::options().write(true).create_new(true).open(to)?;
    let bytes = io::copy(from, &mut file)?;
    file.set_permissions(Permissions::from_mode(found.permissions().mode() & 0o777))?;
    file.set_times(FileTimes::new().set_modified(found.modified()?))?;
    Ok(bytes)
}

/// Adds what is at `path` and below it; links are not followed.
fn walk(root: &Path, path: PathBuf, found: &mut BTreeSet<PathBuf>) -> Result<(), String> {
    let mut pending = vec![path];
    while let Some(path) = pending.pop() {
        let whole = root.join(&path);
        let failed = |error: io::Error| format!("{}: {error}", whole.display());
        if fs::symlink_metadata(&whole).map_err(failed)?.is_dir() {
            for entry in fs::read_dir(&whole).map_err(failed)? {
                pending.push(path.join(entry.map_err(failed)?.file_name()));
            }
        }
        if !path.as_os_str().is_empty() {
            found.insert(path);
        }
        if found.len() > MAX_ENTRIES {
            return Err(format!("{}: expected at most {MAX_ENTRIES} files, got more", root.display()));
        }
    }
    Ok(())
}

/// Whether a link leads out of the folder, by its text: what lies there is not looked at.
fn leads_out(path: &Path, target: &Path) -> bool {
    let mut depth = path.components().count() - 1;
    for component in target.components() {
        match component {
            Component::Normal(_) => depth += 1,
            Component::ParentDir if depth > 0 => depth -= 1,
            Component::CurDir => {}
            _ => return true,
        }
    }
    false
}

fn is_name(component: Component<'_>) -> bool {
    matches!(component, Component::Normal(_))
}

/// An error with its causes.
pub fn sentence(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
