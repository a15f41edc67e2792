//! Where two files first differ, said as precisely as their kind allows.
//!
//! That two files differ is told by their digests; this module says *where*, so that a person who replays a run sees "row
//! 12, column `loss`" and not two hashes. It decides nothing: [`first_difference`] is `None` for equal bytes alone, and no
//! explanation turns a difference into an equality.
//!
//! | kind | recognised by | the place |
//! |---|---|---|
//! | zip, PyTorch's `.pt`, NumPy's `.npz` | its first bytes | the member, then by the member's kind |
//! | NumPy's `.npy` | its first bytes | the index of the element, with its bits |
//! | safetensors | its first bytes | the tensor, the index of the element, its bits |
//! | CSV, TSV | text, and its name | row and column |
//! | JSON | text, and its name | a JSON pointer (RFC 6901) |
//! | text | UTF-8 without NUL | line and column |
//! | anything else | | the offset of the byte |
//!
//! Both files may be a stranger's, made to hurt. They are streamed, no link is followed, headers are capped before memory is
//! taken for them, archives are inflated up to a budget, and what is shown is cut and free of control characters. A file
//! that cannot be read as its kind falls back to the next simpler one, with a note that says so.

mod bytes;
mod content;
mod csv;
mod element;
mod json;
mod npy;
mod safetensors;
mod shown;
mod text;
mod zip;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::foreign::{self, ForeignError};

use self::content::{Content, FileContent, Kind};
#[cfg(feature = "engine")]
pub(crate) use self::csv::Rows;

/// Where two files of one name first differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Difference {
    /// Name of the file, as the caller gave it.
    pub name: String,
    /// The place, and what stands there in either file.
    pub place: Place,
    /// Why a more specific place is not given, and what is the same all the same.
    pub notes: Vec<String>,
}

/// A place in a file, and what the two files have there. Everything shown is cut and safe to print.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Place {
    /// A line of text.
    Line {
        /// Counted from 1.
        line: u64,
        /// Byte within the line, counted from 1.
        column: u64,
        /// The line, or the part of it around the column; `None` when the file has ended.
        expected: Option<String>,
        /// As above.
        got: Option<String>,
    },
    /// A field of a table.
    Cell {
        /// Counted from 1; 0 is the header.
        row: u64,
        /// Name of the column by the expected header, or its number counted from 1.
        column: String,
        /// The value; `None` when there is no such field or row.
        expected: Option<String>,
        /// As above.
        got: Option<String>,
    },
    /// A value in a JSON document.
    Json {
        /// RFC 6901; empty for the whole document.
        pointer: String,
        /// The value as JSON; `None` when there is none.
        expected: Option<String>,
        /// As above.
        got: Option<String>,
    },
    /// An element of a tensor.
    Element {
        /// Name of the tensor; `None` where the file is one array.
        tensor: Option<String>,
        /// Type of the elements, as the file spells it.
        dtype: String,
        /// One number for each dimension, counted from 0.
        index: Vec<u64>,
        /// The value with its bits; `None` when the file has ended.
        expected: Option<String>,
        /// As above.
        got: Option<String>,
    },
    /// Something a file says of its content.
    Header {
        /// What of it: `shape of "layer.weight"`.
        subject: String,
        /// What is said; `None` when nothing is.
        expected: Option<String>,
        /// As above.
        got: Option<String>,
    },
    /// Within a member of an archive.
    Member {
        /// Its name.
        member: String,
        /// Where in it.
        place: Box<Place>,
    },
    /// A byte.
    Byte {
        /// Counted from 0.
        offset: u64,
        /// Its value; `None` when the file has ended.
        expected: Option<u8>,
        /// As above.
        got: Option<u8>,
    },
}

/// Two files that cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum DifferenceError {
    /// A file cannot be opened, or is no regular file.
    #[error(transparent)]
    Open(#[from] ForeignError),
    /// Reading failed.
    #[error("cannot read {path}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Compares the regular file `name` below the folder `expected` with that below `got`: `None` when their bytes are equal.
///
/// `name` has components joined by `/`, none of them `..` (see [`RelativePath`](crate::provenance::path::RelativePath)).
///
/// # Errors
/// [`DifferenceError`]; a file that only *looks* broken is no error.
pub fn first_difference(name: &str, expected: &Path, got: &Path) -> Result<Option<Difference>, DifferenceError> {
    let mut expected = FileContent::new(foreign::open(expected, name)?);
    let mut got = FileContent::new(foreign::open(got, name)?);
    let mut notes = Vec::new();
    let place = match place(name, &mut expected, &mut got, Depth::File, &mut notes) {
        Ok(place) => place,
        Err(source) => {
            // Which of the two it was is known to them alone.
            let path = if got.failed() { got.path() } else { expected.path() };
            return Err(DifferenceError::Read { path: path.to_owned(), source });
        }
    };
    Ok(place.map(|place| Difference { name: name.to_owned(), place, notes }))
}

/// Where the contents are: a member of an archive is not looked into as an archive, or a file of a few kilobytes would hold
/// a tower of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Depth {
    File,
    Member,
}

/// Why a file has no place of its kind.
#[derive(Debug)]
enum Unexplained {
    /// It is not what it looks like, or too large to look at as that.
    Broken(String),
    /// All that its kind means is equal; the text says what may differ.
    Equal(&'static str),
    /// Reading failed.
    Io(io::Error),
}

impl From<io::Error> for Unexplained {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

fn broken(message: impl Into<String>) -> Unexplained {
    Unexplained::Broken(shown::note(&message.into()))
}

/// `Err` for failures of reading alone.
fn place(
    name: &str,
    expected: &mut dyn Content,
    got: &mut dyn Content,
    depth: Depth,
    notes: &mut Vec<String>,
) -> io::Result<Option<Place>> {
    let Some(byte) = bytes::first(expected, got)? else { return Ok(None) };
    let (kind, other) = (Kind::of(name, expected)?, Kind::of(name, got)?);
    if kind != other {
        notes.push(format!("expected {kind}, got {other}"));
        return Ok(Some(byte.place()));
    }
    let mut kind = kind;
    loop {
        let found = match kind {
            Kind::Zip if depth == Depth::Member => Err(broken("an archive within an archive is not looked into")),
            Kind::Zip => match expected.file().zip(got.file()) {
                Some((expected, got)) => zip::first(expected, got, notes),
                None => Err(broken("no file")),
            },
            Kind::Npy => npy::first(expected, got),
            Kind::Safetensors => safetensors::first(expected, got, notes),
            Kind::Csv { delimiter } => csv::first(expected, got, delimiter),
            Kind::Json => json::first(expected, got),
            Kind::Text => text::first(expected, got, &byte).map_err(Unexplained::Io),
            Kind::Bytes => return Ok(Some(byte.place())),
        };
        match found {
            Ok(place) => return Ok(Some(place)),
            Err(Unexplained::Io(error)) => return Err(error),
            Err(Unexplained::Broken(message)) => notes.push(format!("not compared as {kind}: {message}")),
            Err(Unexplained::Equal(what)) => notes.push(what.to_owned()),
        }
        kind = kind.simpler();
    }
}

impl fmt::Display for Difference {
    /// One line: the file, the place, what was expected and what was got, the notes in brackets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", shown::text(self.name.as_bytes()), self.place)?;
        match self.notes.is_empty() {
            true => Ok(()),
            false => write!(f, " ({})", self.notes.join("; ")),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let or = |value: &Option<String>, none: &str| value.clone().unwrap_or_else(|| none.to_owned());
        let pair = |f: &mut fmt::Formatter<'_>, expected: &Option<String>, got: &Option<String>, none: &str| {
            write!(f, "expected {}, got {}", or(expected, none), or(got, none))
        };
        match self {
            Self::Line { line, column, expected, got } => {
                write!(f, "line {line}, column {column}: ")?;
                let quoted = |text: &Option<String>| text.as_ref().map(|text| format!("`{text}`"));
                pair(f, &quoted(expected), &quoted(got), "the end of the file")
            }
            Self::Cell { row, column, expected, got } => {
                match row {
                    0 => write!(f, "header, column {column}: ")?,
                    row => write!(f, "row {row}, column {column}: ")?,
                }
                let quoted = |text: &Option<String>| text.as_ref().map(|text| format!("`{text}`"));
                pair(f, &quoted(expected), &quoted(got), "nothing")
            }
            Self::Json { pointer, expected, got } => {
                match pointer.as_str() {
                    "" => write!(f, "the document: ")?,
                    pointer => write!(f, "{pointer}: ")?,
                }
                pair(f, expected, got, "nothing")
            }
            Self::Element { tensor, dtype, index, expected, got } => {
                match tensor {
                    Some(tensor) => write!(f, "tensor \"{tensor}\" ({dtype}), element {index:?}: ")?,
                    None => write!(f, "array ({dtype}), element {index:?}: ")?,
                }
                pair(f, expected, got, "the end of the file")
            }
            Self::Header { subject, expected, got } => {
                write!(f, "{subject}: ")?;
                pair(f, expected, got, "nothing")
            }
            Self::Member { member, place } => write!(f, "member \"{member}\": {place}"),
            Self::Byte { offset, expected, got } => {
                write!(f, "byte {offset}: ")?;
                let hex = |byte: &Option<u8>| byte.map(|byte| format!("0x{byte:02x}"));
                pair(f, &hex(expected), &hex(got), "the end of the file")
            }
        }
    }
}

#[cfg(test)]
mod tests;
