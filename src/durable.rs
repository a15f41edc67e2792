//! Writing files so that a reader, or a crash, never sees half of one.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// Writes `bytes` to `path` whole, durably.
///
/// # Errors
/// Whatever creating, writing, syncing or renaming fails with (a full disk, say); `path` is then as it was before.
pub fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_with(path, |error| error, |file| file.write_all(bytes))?;
    sync_folder(folder_of(path))
}

/// What the operating system said, without the temporary file that it said it of: nobody knows that one.
pub(crate) fn without_path(error: io::Error) -> io::Error {
    match error.to_string().split_once(" at path \"") {
        Some((said, _)) => io::Error::new(error.kind(), said),
        None => error,
    }
}

/// Writes a file through `fill`: a temporary file beside it, flush, fsync, rename.
///
/// What stood at `path` stays until the rename, and stays for good when `fill` fails. The folder is not synced: after a
/// power cut there is the old file or the new one, never a part of it.
///
/// # Errors
/// What `fill` returns, or `refuse` of what the operating system says.
pub fn write_with<E>(
    path: &Path,
    refuse: impl Fn(io::Error) -> E,
    fill: impl FnOnce(&mut BufWriter<File>) -> Result<(), E>,
) -> Result<(), E> {
    let folder = folder_of(path);
    // Otherwise the message would name the temporary file.
    if !folder.is_dir() {
        return Err(refuse(io::Error::new(
            io::ErrorKind::NotFound,
            format!("expected a folder at {}, got none", folder.display()),
        )));
    }
    let temporary = temporary_file().tempfile_in(folder).map_err(|error| refuse(without_path(error)))?;
    let (file, temporary_path) = temporary.into_parts();
    let mut writer = BufWriter::with_capacity(1 << 18, file);
    fill(&mut writer)?;
    writer.flush().map_err(&refuse)?;
    writer.get_ref().sync_all().map_err(&refuse)?;
    drop(writer);
    temporary_path.persist(path).map_err(|failure| refuse(failure.error))
}

/// Makes a folder whole or not at all: `fill` makes it in a place beside, which is not there yet, and then it is renamed. Where
/// another process was quicker, its folder stays.
///
/// # Errors
/// What `fill` returns, or `refuse` of what the operating system says.
pub fn make_folder<E>(
    path: &Path,
    refuse: impl Fn(io::Error) -> E,
    fill: impl FnOnce(&Path) -> Result<(), E>,
) -> Result<(), E> {
    let parent = folder_of(path);
    std::fs::create_dir_all(parent).map_err(&refuse)?;
    let temporary = tempfile::Builder::new().prefix(TEMPORARY_PREFIX).tempdir_in(parent).map_err(&refuse)?;
    let made = temporary.path().join("made");
    fill(&made)?;
    match std::fs::rename(&made, path) {
        Err(_) if path.is_dir() => Ok(()),
        renamed => renamed.map_err(&refuse),
    }
}

/// Removes what a killed process left of files it was writing directly in `folder`; nothing may be writing there.
///
/// # Errors
/// Whatever listing or removing fails with.
pub fn remove_leftovers(folder: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(TEMPORARY_PREFIX) && entry.file_type()?.is_file() {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// What names of unfinished files begin with.
const TEMPORARY_PREFIX: &str = ".partial-";

fn temporary_file() -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(TEMPORARY_PREFIX);
    // A temporary file is private by default; what is renamed here is an ordinary file that the umask governs.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder
}

/// Makes the directory entries of `folder` durable.
///
/// # Errors
/// Whatever opening or syncing the folder fails with.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// The folder that holds `path`.
pub fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn no_error_names_the_temporary_file() {
        let error = write_whole(Path::new("/proc/x"), b"").expect_err("nobody makes files there");
        assert_eq!(
            (error.kind(), error.to_string().as_str()),
            (io::ErrorKind::NotFound, "No such file or directory (os error 2)")
        );
    }

    #[test]
    fn a_folder_appears_whole_once_or_not_at_all() {
        let folder = tempfile::tempdir().expect("temp dir");
        let path = folder.path().join("a/b");
        let fill = |text: &'static str| {
            move |made: &Path| {
                std::fs::create_dir(made)?;
                std::fs::write(made.join("file"), text)
            }
        };
        let failed = make_folder(&path, |error| error, |made| fill("half")(made).and(Err(io::Error::other("full"))));
        assert!(failed.is_err() && !path.exists());
        make_folder(&path, |error| error, fill("first")).expect("made");
        make_folder(&path, |error| error, fill("second")).expect("there already");
        assert_eq!(std::fs::read(path.join("file")).expect("read"), b"first");
        assert_eq!(std::fs::read_dir(folder.path().join("a")).expect("list").count(), 1, "nothing is left beside it");
    }

    #[test]
    fn a_failed_write_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().expect("temp dir");
        let path = folder.path().join("file");
        write_whole(&path, b"old").expect("first write");
        // A directory in the way makes the rename fail after the bytes were written.
        let blocked = folder.path().join("blocked");
        fs::create_dir(&blocked).expect("mkdir");
        fs::write(blocked.join("x"), b"x").expect("write");
        assert!(write_whole(&blocked, b"new").is_err());
        assert_eq!(fs::read(&path).expect("read"), b"old");
        let names: Vec<_> = fs::read_dir(folder.path()).expect("list").map(|e| e.expect("entry").file_name()).collect();
        assert_eq!(names.len(), 2, "{names:?}");
    }

    #[test]
    fn a_writer_that_gives_up_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().expect("temp dir");
        let path = folder.path().join("file");
        write_whole(&path, b"old").expect("first write");
        let gave_up = write_with(
            &path,
            |_| "system",
            |file| {
                file.write_all(b"new").map_err(|_| "write")?;
                Err("no more")
            },
        );
        assert_eq!(gave_up, Err("no more"));
        assert_eq!(fs::read(&path).expect("read"), b"old");
        assert_eq!(fs::read_dir(folder.path()).expect("list").count(), 1);
    }
}
