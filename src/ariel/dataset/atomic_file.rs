//! Files of a data set appear under their name only when they are complete.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use super::DataError;
use crate::durable;

/// Writes a file through `fill`, whole or not at all; see [`durable::write_with`].
///
/// # Errors
/// What `fill` returns, or [`DataError::Io`].
pub fn write_atomically<E: From<DataError>>(
    path: &Path,
    fill: impl FnOnce(&mut BufWriter<File>) -> Result<(), E>,
) -> Result<(), E> {
    durable::write_with(path, |source| DataError::io("write", path, source).into(), fill)
}
