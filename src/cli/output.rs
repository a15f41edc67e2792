//! Standard output: results. A reader that has seen enough (`| head`) ends nothing, a full disk is an error.

use std::fmt::Arguments;
use std::io::{ErrorKind, Write};

use crate::failure::{Context, Result};

/// Writes a text.
///
/// # Errors
/// When it cannot be written, unless nobody reads any more.
pub fn write(text: Arguments<'_>) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_fmt(text).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        // The place is not one that a key of the config names.
        written => written.context("cannot write to standard output").map_err(|failure| match failure.hint() {
            Some(_) => failure.with_hint("send it elsewhere, or make room where it goes"),
            None => failure,
        }),
    }
}

/// [`write`] with a format, its error returned from where it stands.
macro_rules! out {
    ($($format:tt)*) => { $crate::cli::output::write(format_args!($($format)*))? };
}

/// [`out`] with an end of line.
macro_rules! outln {
    ($($format:tt)*) => { $crate::cli::output::write(format_args!("{}\n", format_args!($($format)*)))? };
}

pub(crate) use {out, outln};
