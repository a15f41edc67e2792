//! What can be wrong with a data set.

use std::io;
use std::path::{Path, PathBuf};

use parquet::errors::ParquetError;

use crate::digest::Blake3Digest;
use crate::failure::{Advice, FailureKind, io_hint};
use crate::foreign::ForeignError;
use crate::provenance::data::ListedError;

/// Why a file of the data set cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// A file or folder that the layout asks for does not exist.
    #[error("{what} is missing: {}", path.display())]
    Missing {
        /// What the layout calls it.
        what: &'static str,
        /// Where it should be.
        path: PathBuf,
    },
    /// The operating system refused.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A file that is needed and that the list of the data set does not name, whether or not it is there: nobody checked
    /// it.
    #[error("{what} is not in the list of the data set: {}", path.display())]
    NotListed {
        /// What the layout calls it.
        what: &'static str,
        /// Where it would be.
        path: PathBuf,
    },
    /// A file whose bytes are not those that the list names.
    #[error("{}: expected {size} bytes with BLAKE3 {expected}, as the list of the data set says, got other ones", path.display())]
    NotAsListed {
        /// The file.
        path: PathBuf,
        /// Its size by the list.
        size: u64,
        /// Its digest by the list.
        expected: Blake3Digest,
    },
    /// A listed file that is no regular file, or that changed while it was read.
    #[error("{0}")]
    Foreign(ForeignError),
    /// A file that is, or says it is, larger than any such file has to be. What it promises was not allocated.
    #[error("{}: expected at most {limit} {unit}, got {got}", path.display())]
    TooMuch {
        /// The file.
        path: PathBuf,
        /// What is counted.
        unit: &'static str,
        /// How many there may be.
        limit: u64,
        /// How many there are, or are said to be.
        got: u64,
    },
    /// A file that is not a whole, well-formed parquet file, or of a codec that no such file has (LZO).
    #[error("{} cannot be read as parquet", path.display())]
    Parquet {
        /// The file.
        path: PathBuf,
        /// The parquet reader's reason.
        source: ParquetError,
    },
    /// A table of the wrong shape.
    #[error("wrong shape in {}: expected {expected}, got {got}", path.display())]
    Shape {
        /// The file.
        path: PathBuf,
        /// The shape that the layout asks for.
        expected: String,
        /// The shape found.
        got: String,
    },
    /// A column of a type that holds no such numbers.
    #[error("wrong type of column {column:?} in {}: expected {expected}, got {got}", path.display())]
    Dtype {
        /// The file.
        path: PathBuf,
        /// The column's name.
        column: String,
        /// The types that are accepted.
        expected: &'static str,
        /// The type found.
        got: String,
    },
    /// A value that does not belong into its column.
    #[error("wrong value at {place} of {}: expected {expected}, got {got:?}", path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// Line or row, and column.
        place: String,
        /// What the column holds.
        expected: &'static str,
        /// The value as found.
        got: String,
    },
    /// A file that is not well-formed CSV.
    #[error("{} is not a well-formed CSV table", path.display())]
    Csv {
        /// The file.
        path: PathBuf,
        /// The CSV reader's reason.
        source: csv::Error,
    },
}

impl DataError {
    /// As [`reading`](Self::reading), for what stands in the way of a file that somebody else wrote.
    pub(super) fn foreign(what: &'static str, error: ForeignError) -> Self {
        match error {
            ForeignError::Io { path, source } => Self::reading(what, &path, source),
            ForeignError::TooLarge { path, limit, got } => Self::TooMuch { path, unit: "bytes", limit, got },
            error => Self::Foreign(error),
        }
    }

    /// Why a file of a list is not handed out.
    pub(super) fn listed(what: &'static str, error: ListedError) -> Self {
        match error {
            ListedError::NotListed { path } => Self::NotListed { what, path },
            ListedError::Foreign(error) => Self::foreign(what, error),
            ListedError::Other { path, size, expected } => Self::NotAsListed { path, size, expected },
        }
    }

    /// Refuses a number above its limit.
    pub(crate) fn within(path: &Path, unit: &'static str, limit: u64, got: u64) -> Result<(), Self> {
        match got > limit {
            true => Err(Self::TooMuch { path: path.to_owned(), unit, limit, got }),
            false => Ok(()),
        }
    }

    pub(crate) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { action, path: path.to_owned(), source }
    }

    /// As [`io`](Self::io) for reading, but a file that is not there is [`Missing`](Self::Missing).
    pub(crate) fn reading(what: &'static str, path: &Path, source: io::Error) -> Self {
        if source.kind() == io::ErrorKind::NotFound {
            Self::Missing { what, path: path.to_owned() }
        } else {
            Self::io("read", path, source)
        }
    }

    pub(super) fn parquet(path: &Path, source: ParquetError) -> Self {
        Self::Parquet { path: path.to_owned(), source }
    }

    pub(super) fn shape(path: &Path, expected: impl Into<String>, got: impl Into<String>) -> Self {
        Self::Shape { path: path.to_owned(), expected: expected.into(), got: got.into() }
    }

    pub(crate) fn value(path: &Path, place: impl Into<String>, expected: &'static str, got: impl Into<String>) -> Self {
        Self::Value { path: path.to_owned(), place: place.into(), expected, got: got.into() }
    }
}

impl Advice for DataError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Io { path, source, .. } => io_hint(source, path),
            // It is no part of a data set.
            Self::Missing { what: "submission", .. } => {
                Some("name the file that spectramind predict wrote: submission=FILE".into())
            }
            Self::Missing { .. } => Some("the data set is incomplete: get that file again".into()),
            Self::NotListed { .. } | Self::NotAsListed { .. } => Some(
                "the data set changed after it was hashed: get it as it was, or start again when nothing writes to it"
                    .into(),
            ),
            _ => Some("the file is damaged or of another kind: get it, or simulate it, again".into()),
        }
    }

    fn kind(&self) -> FailureKind {
        match self {
            Self::Missing { .. } | Self::Io { .. } => FailureKind::Missing,
            // It was read and is wrong, or is not what was listed.
            _ => FailureKind::Failed,
        }
    }
}
