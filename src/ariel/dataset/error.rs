//! What can be wrong with a data set.

use std::io;
use std::path::{Path, PathBuf};

use parquet::errors::ParquetError;

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
    /// A file that is not a whole, well-formed parquet file, or of a codec other than Snappy and Zstd.
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
