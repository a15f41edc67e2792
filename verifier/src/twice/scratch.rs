//! The folder that copies are made in. It is removed at the end.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{StatVfsMountFlags, statvfs};
use tempfile::TempDir;

/// Most files of a folder that is copied into memory: while a command runs there, what it writes is counted all the time.
const MAX_FILES_IN_MEMORY: usize = 20_000;

pub struct Scratch {
    folder: Option<TempDir>,
    pub path: PathBuf,
    /// Most bytes that a copy may grow to, where the folder is in memory.
    pub most_bytes: Option<u64>,
    /// Whether folders list their files in an order that follows from that in which they were made; if not, why not.
    pub listing: Result<(), String>,
}

impl Scratch {
    /// Makes it: where that is wanted, or where it is usual, or in memory if only there the order of listings can be varied
    /// and there is room.
    pub fn new(wanted: Option<&Path>, listing: bool, bytes: u64, files: usize) -> io::Result<Self> {
        let usual = std::env::temp_dir();
        let folder = make(wanted.unwrap_or(&usual))?;
        if !listing {
            return Ok(Self::of(folder, None, Err("not wanted".into())));
        }
        if shows_order(folder.path())? {
            return Ok(Self::of(folder, None, Ok(())));
        }
        let place = folder.path().parent().unwrap_or(folder.path()).display().to_string();
        let why = format!("the file system of {place} lists by an order of its own");
        let memory = Path::new("/dev/shm");
        if wanted.is_some() {
            return Ok(Self::of(folder, None, Err(why)));
        }
        let room = statvfs(memory).ok().filter(|found| !found.f_flag.contains(StatVfsMountFlags::NOEXEC));
        let room = room.map_or(0, |found| found.f_bavail.saturating_mul(found.f_frsize));
        // The copy that all others are made from, one to run in, and what is kept of others.
        let share = room / 4;
        if files > MAX_FILES_IN_MEMORY || share <= bytes {
            return Ok(Self::of(
                folder,
                None,
                Err(format!("{why}, and /dev/shm has no room for copies that programs can run in")),
            ));
        }
        match make(memory) {
            Ok(in_memory) if shows_order(in_memory.path())? => Ok(Self::of(in_memory, Some(share), Ok(()))),
            _ => Ok(Self::of(folder, None, Err(format!("{why}, and so does /dev/shm")))),
        }
    }

    fn of(folder: TempDir, most_bytes: Option<u64>, listing: Result<(), String>) -> Self {
        Self { path: folder.path().to_owned(), folder: Some(folder), most_bytes, listing }
    }

    /// Bytes that are free there.
    pub fn room(&self) -> Option<u64> {
        statvfs(&self.path).ok().map(|found| found.f_bavail.saturating_mul(found.f_frsize))
    }

    /// Removes a folder in it, also one that holds folders which nobody may write to.
    pub fn remove(path: &Path) -> io::Result<()> {
        match fs::remove_dir_all(path) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                open_up(path);
                fs::remove_dir_all(path)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result,
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Some(folder) = self.folder.take() {
            let path = folder.keep();
            if let Err(error) = Self::remove(&path) {
                eprintln!("Warning: cannot remove {}: {error}", path.display());
            }
        }
    }
}

fn make(place: &Path) -> io::Result<TempDir> {
    // Paths that a command is told have no links in them.
    tempfile::Builder::new().prefix("spectramind-twice-").tempdir_in(place.canonicalize()?)
}

/// Whether two folders with the same files, made in opposite orders, list them in different ones.
fn shows_order(folder: &Path) -> io::Result<bool> {
    let names: Vec<String> = (0..8).map(|number| format!("file-{number}")).collect();
    let reversed: Vec<String> = names.iter().rev().cloned().collect();
    let mut listed = Vec::new();
    for (place, names) in [("sorted", names), ("reversed", reversed)] {
        let place = folder.join(place);
        fs::create_dir(&place)?;
        for name in &names {
            fs::write(place.join(name), b"")?;
        }
        let entries = fs::read_dir(&place)?;
        listed.push(entries.map(|entry| Ok(entry?.file_name())).collect::<io::Result<Vec<_>>>()?);
        fs::remove_dir_all(&place)?;
    }
    Ok(listed[0] != listed[1])
}

/// Lets everything below a folder be removed; links are not followed.
fn open_up(path: &Path) {
    let mut pending = vec![path.to_owned()];
    while let Some(path) = pending.pop() {
        if fs::symlink_metadata(&path).is_ok_and(|found| found.is_dir()) {
            let _ = fs::set_permissions(&path, fs::Permissions::from_mode(0o700));
            pending.extend(fs::read_dir(&path).into_iter().flatten().flatten().map(|entry| entry.path()));
        }
    }
}
