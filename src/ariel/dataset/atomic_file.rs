//! Files that appear under their name only when they are complete.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use super::DataError;

/// Writes a file through `fill` under a temporary name in the same folder, flushes it to the disk, and renames it.
///
/// Whatever stood under `path` stays until the rename, and stays for good when `fill` fails. After a power cut there is
/// the old file or the new one, never a part of it; the folder is not synced, so it may be the old one.
///
/// # Errors
/// What `fill` returns, or [`DataError::Io`].
pub fn write_atomically<E: From<DataError>>(
    path: &Path,
    fill: impl FnOnce(&mut BufWriter<File>) -> Result<(), E>,
) -> Result<(), E> {
    let refuse = |source| DataError::io("write", path, source);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let temporary = temporary_file().tempfile_in(folder).map_err(refuse)?;
    let (file, temporary_path) = temporary.into_parts();
    let mut writer = BufWriter::with_capacity(1 << 18, file);
    fill(&mut writer)?;
    writer.flush().map_err(refuse)?;
    writer.get_ref().sync_all().map_err(refuse)?;
    drop(writer);
    temporary_path.persist(path).map_err(|error| refuse(error.error))?;
    Ok(())
}

fn temporary_file() -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".partial-");
    // A temporary file is private by default; what is renamed here is an ordinary file that the umask governs.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder
}

/// Makes a rename inside `folder` survive a power cut, where folders can be synced.
pub(crate) fn sync_folder(folder: &Path) -> std::io::Result<()> {
    #[cfg(unix)]
    File::open(folder)?.sync_all()?;
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("table.csv");
        let write = |text: &'static str, fail: bool| {
            write_atomically::<DataError>(&path, |writer| {
                writer.write_all(text.as_bytes()).map_err(|source| DataError::io("write", &path, source))?;
                if fail { Err(DataError::shape(&path, "a", "b")) } else { Ok(()) }
            })
        };
        write("old", false).expect("written");
        assert!(write("new", true).is_err());
        assert_eq!(std::fs::read_to_string(&path).expect("readable"), "old");
        assert_eq!(std::fs::read_dir(folder.path()).expect("listable").count(), 1);
    }
}
