//! Numbers out of parquet files, one column chunk at a time.
//!
//! Works on parquet's physical types rather than on Arrow's: a signal file has 11392 columns, and decoding them one
//! after the other needs the memory of one. A file is foreign bytes, so every offset is checked before it is used, and
//! what it promises is held against [bounds](super::parquet_bounds) before it is believed.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::{ConvertedType, LogicalType, Type as PhysicalType};
use parquet::column::page::PageReader;
use parquet::column::reader::ColumnReaderImpl;
use parquet::data_type::{BoolType, DataType, DoubleType, FloatType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData, ParquetMetaDataReader};
use parquet::file::serialized_reader::SerializedPageReader;
use parquet::schema::types::{ColumnDescPtr, ColumnDescriptor};

use super::DataError;
use super::parquet_bounds::{check_footer, check_pages};
use super::source::LoadedFile;

/// What a column is expected to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ColumnKind {
    /// Integers or floats.
    Numbers,
    /// Booleans, or the numbers 0 and 1.
    Flags,
}

impl ColumnKind {
    const fn expected(self) -> &'static str {
        match self {
            Self::Numbers => "an integer or float column",
            Self::Flags => "a boolean, integer or float column",
        }
    }
}

/// A parquet file in memory whose footer has been read.
#[derive(Debug, Clone)]
pub(super) struct ParquetFile {
    file: LoadedFile,
    /// The same bytes, as the decoder wants to hold them.
    source: Arc<Bytes>,
    metadata: Arc<ParquetMetaData>,
}

/// Some consecutive leaves of a column.
pub(super) struct Batch<'a> {
    /// The values that are there; nulls have none.
    pub values: &'a [f64],
    /// One level per leaf, empty for a column without nulls and lists.
    pub definition: &'a [i16],
    /// One level per leaf, empty for a column without lists.
    pub repetition: &'a [i16],
    /// The definition level of a value that is there.
    pub max_definition: i16,
}

impl Batch<'_> {
    /// Whether a value, or a whole list, is null.
    pub fn has_null(&self) -> bool {
        self.definition.iter().any(|&level| level < self.max_definition)
    }
}

impl ParquetFile {
    pub fn parse(file: LoadedFile) -> Result<Self, DataError> {
        let path = file.path.as_path();
        check_footer(path, &file.bytes)?;
        // A schema of kinds that do not go together panics in parquet 60.
        let parse = || ParquetMetaDataReader::new().parse_and_finish(&file.bytes);
        let metadata = caught("the footer's reader", parse).map_err(|source| DataError::parquet(path, source))?;
        Ok(Self { source: Arc::new(file.bytes.clone()), metadata: Arc::new(metadata), file })
    }

    pub fn path(&self) -> &Path {
        &self.file.path
    }

    pub fn columns(&self) -> &[ColumnDescPtr] {
        self.metadata.file_metadata().schema_descr().columns()
    }

    pub fn row_groups(&self) -> usize {
        self.metadata.num_row_groups()
    }

    /// Rows of the whole file.
    pub fn rows(&self) -> Result<usize, DataError> {
        let mut rows = 0usize;
        for group in self.metadata.row_groups() {
            let group_rows = usize::try_from(group.num_rows()).ok();
            rows = group_rows
                .and_then(|group_rows| rows.checked_add(group_rows))
                .ok_or_else(|| DataError::shape(self.path(), "a number of rows", group.num_rows().to_string()))?;
        }
        Ok(rows)
    }

    /// Refuses a column that holds something else.
    pub fn check_kind(&self, column: usize, kind: ColumnKind) -> Result<(), DataError> {
        let descriptor = &self.columns()[column];
        let accepted = match descriptor.physical_type() {
            PhysicalType::INT32 | PhysicalType::INT64 => is_integer(descriptor),
            PhysicalType::FLOAT | PhysicalType::DOUBLE => true,
            PhysicalType::BOOLEAN => kind == ColumnKind::Flags,
            PhysicalType::INT96 | PhysicalType::BYTE_ARRAY | PhysicalType::FIXED_LEN_BYTE_ARRAY => false,
        };
        if accepted { Ok(()) } else { Err(self.dtype_error(descriptor, kind)) }
    }

    /// The bytes of a column chunk in the file.
    fn byte_range(&self, row_group: usize, column: usize) -> Result<Range<usize>, DataError> {
        let chunk = self.chunk(row_group, column);
        let start = chunk.dictionary_page_offset().unwrap_or_else(|| chunk.data_page_offset());
        let range = usize::try_from(start).ok().zip(usize::try_from(chunk.compressed_size()).ok());
        range
            .and_then(|(start, length)| Some(start..start.checked_add(length)?))
            .filter(|range| range.end <= self.file.bytes.len())
            .ok_or_else(|| {
                let reason = format!("column chunk {column} of row group {row_group} lies outside of the file");
                DataError::parquet(self.path(), ParquetError::EOF(reason))
            })
    }

    /// Decodes one column chunk, of at most `leaves_per_row` values in a row, handing on at most `batch_rows` rows at a
    /// time.
    ///
    /// # Errors
    /// When the bytes are not what the footer says, or what `visit` returns.
    pub fn read_chunk(
        &self,
        (row_group, column): (usize, usize),
        leaves_per_row: usize,
        batch_rows: usize,
        visit: &mut dyn FnMut(Batch<'_>) -> Result<(), DataError>,
    ) -> Result<(), DataError> {
        let range = self.byte_range(row_group, column)?;
        let chunk = self.chunk(row_group, column);
        let descriptor = &self.columns()[column];
        let rows = usize::try_from(self.metadata.row_group(row_group).num_rows()).unwrap_or(0);
        check_pages(self.path(), &self.file.bytes[range], (rows as u64).saturating_mul(leaves_per_row as u64))?;
        let pages: Box<dyn PageReader> = Box::new(
            SerializedPageReader::new(Arc::clone(&self.source), chunk, rows, None)
                .map_err(|source| DataError::parquet(self.path(), source))?,
        );
        let mut decoder = ChunkDecoder { path: self.path(), descriptor, rows, batch_rows, visit };
        let unsigned = is_unsigned(descriptor);
        match descriptor.physical_type() {
            PhysicalType::BOOLEAN => decoder.run::<BoolType>(pages, |&value| f64::from(u8::from(value))),
            PhysicalType::INT32 if unsigned => decoder.run::<Int32Type>(pages, |&value| f64::from(value as u32)),
            PhysicalType::INT32 => decoder.run::<Int32Type>(pages, |&value| f64::from(value)),
            PhysicalType::INT64 if unsigned => decoder.run::<Int64Type>(pages, |&value| value as u64 as f64),
            PhysicalType::INT64 => decoder.run::<Int64Type>(pages, |&value| value as f64),
            PhysicalType::FLOAT => decoder.run::<FloatType>(pages, |&value| f64::from(value)),
            PhysicalType::DOUBLE => decoder.run::<DoubleType>(pages, |&value| value),
            PhysicalType::INT96 | PhysicalType::BYTE_ARRAY | PhysicalType::FIXED_LEN_BYTE_ARRAY => {
                Err(self.dtype_error(descriptor, ColumnKind::Flags))
            }
        }
    }

    fn chunk(&self, row_group: usize, column: usize) -> &ColumnChunkMetaData {
        self.metadata.row_group(row_group).column(column)
    }

    fn dtype_error(&self, descriptor: &ColumnDescriptor, kind: ColumnKind) -> DataError {
        let got = match descriptor.converted_type() {
            ConvertedType::NONE => descriptor.physical_type().to_string(),
            converted => format!("{} ({converted})", descriptor.physical_type()),
        };
        DataError::Dtype {
            path: self.file.path.clone(),
            column: descriptor.path().string(),
            expected: kind.expected(),
            got,
        }
    }
}

struct ChunkDecoder<'a> {
    path: &'a Path,
    descriptor: &'a ColumnDescPtr,
    rows: usize,
    batch_rows: usize,
    visit: &'a mut dyn FnMut(Batch<'_>) -> Result<(), DataError>,
}

impl ChunkDecoder<'_> {
    fn run<T: DataType>(&mut self, pages: Box<dyn PageReader>, to_f64: impl Fn(&T::T) -> f64) -> Result<(), DataError> {
        let refuse = |source| DataError::parquet(self.path, source);
        let max_definition = self.descriptor.max_def_level();
        let mut reader = ColumnReaderImpl::<T>::new(Arc::clone(self.descriptor), pages);
        let (mut raw, mut definition, mut repetition) = (Vec::new(), Vec::new(), Vec::new());
        let mut values = Vec::new();
        let mut rows_read = 0;
        loop {
            raw.clear();
            definition.clear();
            repetition.clear();
            // On damaged data the delta decoder of parquet 60 subtracts past zero, which panics in a debug build.
            let mut read =
                || reader.read_records(self.batch_rows, Some(&mut definition), Some(&mut repetition), &mut raw);
            let (rows, _, _) = caught("the decoder", &mut read).map_err(refuse)?;
            if rows == 0 {
                break;
            }
            rows_read += rows;
            values.clear();
            values.extend(raw.iter().map(&to_f64));
            (self.visit)(Batch { values: &values, definition: &definition, repetition: &repetition, max_definition })?;
        }
        // A chunk that ends early would silently shift everything after it.
        if rows_read != self.rows {
            let column = self.descriptor.path();
            return Err(DataError::shape(
                self.path,
                format!("{} rows in column {column}", self.rows),
                rows_read.to_string(),
            ));
        }
        Ok(())
    }
}

/// What `read` returns, or an error where it panics on damaged data.
fn caught<T>(who: &str, read: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, ParquetError> {
    let damaged = |_| Err(ParquetError::General(format!("{who} panicked: damaged data")));
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(damaged)
}

fn is_integer(descriptor: &ColumnDescriptor) -> bool {
    use ConvertedType as C;
    let logical = matches!(descriptor.logical_type_ref(), None | Some(LogicalType::Integer(_)));
    let converted = matches!(
        descriptor.converted_type(),
        C::NONE | C::INT_8 | C::INT_16 | C::INT_32 | C::INT_64 | C::UINT_8 | C::UINT_16 | C::UINT_32 | C::UINT_64
    );
    logical && converted
}

fn is_unsigned(descriptor: &ColumnDescriptor) -> bool {
    use ConvertedType as C;
    matches!(descriptor.converted_type(), C::UINT_8 | C::UINT_16 | C::UINT_32 | C::UINT_64)
        || matches!(descriptor.logical_type_ref(), Some(LogicalType::Integer(integer)) if !integer.is_signed)
}
