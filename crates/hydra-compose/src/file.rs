//! Reading a file that somebody else may have written: never more of it than a config can have.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::error::{ConfigError, ErrorKind};
use super::limits::MAX_FILE_BYTES;

/// The bytes of a config file. Links are followed and pipes are read, as a shell's `<(…)` is one.
///
/// # Errors
/// [`ErrorKind::Read`], and [`ErrorKind::Limit`] for more than [`MAX_FILE_BYTES`].
pub(super) fn read(path: &Path) -> Result<Vec<u8>, ConfigError> {
    let shown = path.display();
    let failed = |error| ConfigError::new(ErrorKind::Read, format!("{shown}: {error}"));
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(failed)?;
    let size = file.metadata().map_err(failed)?.len();
    if size <= MAX_FILE_BYTES {
        // It may grow while it is read, and a pipe has no size to go by.
        file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    }
    match size.max(bytes.len() as u64) {
        got if got > MAX_FILE_BYTES => Err(ConfigError::new(
            ErrorKind::Limit,
            format!("{shown}: expected at most {MAX_FILE_BYTES} bytes, got {got}"),
        )),
        _ => Ok(bytes),
    }
}
