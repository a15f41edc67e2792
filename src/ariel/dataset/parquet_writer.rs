//! Parquet files of numbers, as the competition's: one column per element of a frame, or flattened.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::sync::Arc;

use parquet::basic::{Compression, Encoding, LogicalType, Repetition, Type as PhysicalType, ZstdLevel};
use parquet::data_type::{BoolType, DataType, DoubleType, Int32Type};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::{Type, TypePtr};

use super::atomic_file::write_atomically;
use super::{DataError, FrameLayout};

/// How a table of frames is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameWriteOptions {
    /// Columns, or one flattened column.
    pub layout: FrameLayout,
    /// The codec. Real files are Snappy or Zstd.
    pub compression: Compression,
}

impl FrameWriteOptions {
    /// Columns under Snappy: pages of a signal are small, and Zstd sets up a context for each.
    pub const SIGNAL: Self = Self { layout: FrameLayout::Columns, compression: Compression::SNAPPY };

    /// Columns under Zstd.
    pub fn zstd() -> Self {
        Self { layout: FrameLayout::Columns, compression: Compression::ZSTD(ZstdLevel::default()) }
    }
}

/// Writes a table of `frames` × `width` unsigned 16-bit numbers; `fill` puts the values of an element in every frame
/// into an empty vector, and is asked for elements in ascending order.
///
/// With [`FrameLayout::Columns`] one element is in memory at a time, with the other layouts the whole table.
///
/// # Errors
/// [`DataError::Shape`] when `fill` yields another number of frames, [`DataError::Io`] when the file cannot be
/// written.
pub fn write_frames(
    path: &Path,
    frames: usize,
    width: usize,
    options: FrameWriteOptions,
    mut fill: impl FnMut(usize, &mut Vec<u16>),
) -> Result<(), DataError> {
    let mut series = Vec::with_capacity(frames);
    let mut next = |element: usize| {
        series.clear();
        fill(element, &mut series);
        if series.len() != frames {
            return Err(DataError::shape(path, format!("{frames} frames"), series.len().to_string()));
        }
        Ok(series.iter().map(|&value| i32::from(value)).collect::<Vec<i32>>())
    };
    if options.layout == FrameLayout::Columns {
        // Neighbouring reads alternate between a short and a long exposure; packed differences of them are still
        // smaller than the 32-bit words that plain encoding spends.
        let properties = properties(options.compression, Encoding::DELTA_BINARY_PACKED);
        let fields = (0..width).map(|element| unsigned_16(&format!("column_{element}"))).collect();
        return write_file(path, fields, properties, |group| {
            for element in 0..width {
                write_column::<Int32Type>(path, group, &next(element)?, None)?;
            }
            Ok(())
        });
    }
    let mut table = vec![0i32; frames * width];
    for element in 0..width {
        for (frame, value) in next(element)?.into_iter().enumerate() {
            table[frame * width + element] = value;
        }
    }
    let properties = properties(options.compression, Encoding::PLAIN);
    if options.layout == FrameLayout::Flattened {
        return write_file(path, vec![unsigned_16("column_0")], properties, |group| {
            write_column::<Int32Type>(path, group, &table, None)
        });
    }
    let repetition: Vec<i16> = (0..table.len()).map(|leaf| i16::from(!leaf.is_multiple_of(width))).collect();
    let definition = vec![1; table.len()];
    write_file(path, vec![list_of(unsigned_16("element"))], properties, |group| {
        write_column::<Int32Type>(path, group, &table, Some((&definition, &repetition)))
    })
}

/// Writes columns of doubles of equal length; `None` is null.
pub(super) fn write_doubles(path: &Path, columns: &[(String, Vec<Option<f64>>)]) -> Result<(), DataError> {
    let nullable = |name: &str| primitive(name, PhysicalType::DOUBLE, Repetition::OPTIONAL, None);
    let fields = columns.iter().map(|(name, _)| nullable(name)).collect();
    // A dictionary would be a table of every double there is.
    let properties = properties(Compression::ZSTD(ZstdLevel::default()), Encoding::PLAIN);
    write_file(path, fields, properties, |group| {
        for (_, column) in columns {
            let values: Vec<f64> = column.iter().flatten().copied().collect();
            let definition: Vec<i16> = column.iter().map(|value| i16::from(value.is_some())).collect();
            write_column::<DoubleType>(path, group, &values, Some((&definition, &[])))?;
        }
        Ok(())
    })
}

/// Writes a `[rows, width]` matrix of doubles, one column per matrix column.
pub(super) fn write_matrix(path: &Path, width: usize, matrix: &[f64]) -> Result<(), DataError> {
    let double = |name: String| primitive(&name, PhysicalType::DOUBLE, Repetition::REQUIRED, None);
    write_matrix_of::<DoubleType>(path, width, matrix, double)
}

/// Writes a `[rows, width]` matrix of booleans, one column per matrix column.
pub(super) fn write_bool_matrix(path: &Path, width: usize, matrix: &[bool]) -> Result<(), DataError> {
    let boolean = |name: String| primitive(&name, PhysicalType::BOOLEAN, Repetition::REQUIRED, None);
    write_matrix_of::<BoolType>(path, width, matrix, boolean)
}

fn write_matrix_of<T: DataType>(
    path: &Path,
    width: usize,
    matrix: &[T::T],
    field: impl Fn(String) -> TypePtr,
) -> Result<(), DataError> {
    let fields = (0..width).map(|column| field(format!("column_{column}"))).collect();
    let properties = properties(Compression::SNAPPY, Encoding::PLAIN);
    write_file(path, fields, properties, |group| {
        for column in 0..width {
            let values: Vec<T::T> = matrix.iter().skip(column).step_by(width).cloned().collect();
            write_column::<T>(path, group, &values, None)?;
        }
        Ok(())
    })
}

fn properties(compression: Compression, encoding: Encoding) -> WriterProperties {
    WriterProperties::builder()
        .set_compression(compression)
        .set_dictionary_enabled(false)
        .set_encoding(encoding)
        // With 11392 columns of some hundred bytes, statistics and indexes would outweigh the data.
        .set_statistics_enabled(EnabledStatistics::None)
        .set_offset_index_disabled(true)
        .set_created_by("spectramind".to_owned())
        .build()
}

fn primitive(name: &str, physical: PhysicalType, repetition: Repetition, logical: Option<LogicalType>) -> TypePtr {
    let built =
        Type::primitive_type_builder(name, physical).with_repetition(repetition).with_logical_type(logical).build();
    Arc::new(built.expect("the types above are valid"))
}

fn unsigned_16(name: &str) -> TypePtr {
    let logical = LogicalType::integer(16, false);
    primitive(name, PhysicalType::INT32, Repetition::REQUIRED, Some(logical))
}

fn list_of(element: TypePtr) -> TypePtr {
    let group = |name: &str, repetition, logical, field| {
        let built = Type::group_type_builder(name)
            .with_repetition(repetition)
            .with_logical_type(logical)
            .with_fields(vec![field])
            .build();
        Arc::new(built.expect("a list is a valid group"))
    };
    let list = group("list", Repetition::REPEATED, None, element);
    group("column_0", Repetition::REQUIRED, Some(LogicalType::List), list)
}

type RowGroup<'group, 'file> = SerializedRowGroupWriter<'group, &'file mut BufWriter<File>>;

fn write_file(
    path: &Path,
    fields: Vec<TypePtr>,
    properties: WriterProperties,
    fill: impl FnOnce(&mut RowGroup<'_, '_>) -> Result<(), DataError>,
) -> Result<(), DataError> {
    let refuse = |source| write_error(path, source);
    write_atomically(path, |file| {
        let schema = Type::group_type_builder("schema").with_fields(fields).build().map_err(refuse)?;
        let mut writer = SerializedFileWriter::new(file, Arc::new(schema), Arc::new(properties)).map_err(refuse)?;
        let mut group = writer.next_row_group().map_err(refuse)?;
        fill(&mut group)?;
        group.close().map_err(refuse)?;
        writer.close().map_err(refuse)?;
        Ok(())
    })
}

fn write_error(path: &Path, source: ParquetError) -> DataError {
    DataError::io("write", path, std::io::Error::other(source))
}

fn write_column<T: DataType>(
    path: &Path,
    group: &mut RowGroup<'_, '_>,
    values: &[T::T],
    levels: Option<(&[i16], &[i16])>,
) -> Result<(), DataError> {
    let refuse = |source| write_error(path, source);
    let mut column = group.next_column().map_err(refuse)?.expect("as many columns as fields");
    let (definition, repetition) = levels.unwrap_or((&[], &[]));
    let optional = |levels| if <[i16]>::is_empty(levels) { None } else { Some(levels) };
    column.typed::<T>().write_batch(values, optional(definition), optional(repetition)).map_err(refuse)?;
    column.close().map_err(refuse)
}
