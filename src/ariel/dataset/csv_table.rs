//! CSV files with columns found by name.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::DataError;
use super::atomic_file::write_atomically;
use super::source::LoadedFile;

/// Bytes of a table. The spectra of the competition's 1100 planets take six million.
pub(crate) const MAX_TABLE_BYTES: u64 = 1 << 28;
/// Rows of a table, so of planets: a hundred times the competition's.
pub(crate) const MAX_TABLE_ROWS: u64 = 100_000;
/// Columns of a table; a submission has 567.
const MAX_TABLE_COLUMNS: u64 = 1000;

/// Comma-separated rows as a file has them; no field of the data set's tables needs quotes.
///
/// # Panics
/// When a row has not as many fields as the header.
pub(crate) fn csv_bytes<R: AsRef<[u8]>>(
    header: impl IntoIterator<Item = impl AsRef<str>>,
    rows: impl IntoIterator<Item = impl IntoIterator<Item = R>>,
) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let in_memory = "rows of one length fit into memory";
    writer.write_record(header.into_iter().map(|name| name.as_ref().to_owned())).expect(in_memory);
    for row in rows {
        writer.write_record(row).expect(in_memory);
    }
    writer.into_inner().expect(in_memory)
}

/// Writes comma-separated rows.
pub(crate) fn write_csv<R: AsRef<[u8]>>(
    path: &Path,
    header: impl IntoIterator<Item = impl AsRef<str>>,
    rows: impl IntoIterator<Item = impl IntoIterator<Item = R>>,
) -> Result<(), DataError> {
    let bytes = csv_bytes(header, rows);
    write_atomically(path, |file| file.write_all(&bytes).map_err(|source| DataError::io("write", path, source)))
}

/// A whole CSV file, its columns found by name.
pub(crate) struct CsvTable {
    path: PathBuf,
    header: csv::StringRecord,
    /// The records below the header.
    pub rows: Vec<csv::StringRecord>,
}

impl CsvTable {
    /// Reads a table that the user named.
    pub(crate) fn read(what: &'static str, path: &Path) -> Result<Self, DataError> {
        Self::parse(LoadedFile::named(what, path, MAX_TABLE_BYTES)?)
    }

    pub(crate) fn parse(LoadedFile { path, bytes }: LoadedFile) -> Result<Self, DataError> {
        let refuse = |source| DataError::Csv { path: path.clone(), source };
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(bytes.as_ref());
        let header = reader.headers().map_err(refuse)?.clone();
        DataError::within(&path, "columns", MAX_TABLE_COLUMNS, header.len() as u64)?;
        let mut rows = Vec::new();
        for row in reader.records() {
            rows.push(row.map_err(refuse)?);
            DataError::within(&path, "rows", MAX_TABLE_ROWS, rows.len() as u64)?;
        }
        Ok(Self { path, header, rows })
    }

    /// The row of a table that has one.
    pub(crate) fn only_row(&self) -> Result<&csv::StringRecord, DataError> {
        match self.rows.as_slice() {
            [row] => Ok(row),
            rows => Err(DataError::shape(&self.path, "one row", format!("{} rows", rows.len()))),
        }
    }

    pub(crate) fn column_count(&self) -> usize {
        self.header.len()
    }

    /// The name of a column.
    pub(crate) fn name(&self, column: usize) -> &str {
        self.header.get(column).unwrap_or_default()
    }

    pub(crate) fn column(&self, name: &str) -> Result<usize, DataError> {
        self.header.iter().position(|column| column == name).ok_or_else(|| self.missing_column(name))
    }

    pub(crate) fn number(&self, row: &csv::StringRecord, column: usize) -> Result<f64, DataError> {
        let value = row[column].parse::<f64>().ok().filter(|value| value.is_finite());
        value.ok_or_else(|| self.bad_value(row, column, "a finite number"))
    }

    /// The `planet_id` of each row: whole numbers, which some tools write as `1103775.0`; none twice.
    pub(crate) fn planet_ids(&self) -> Result<Vec<i64>, DataError> {
        let column = self.column("planet_id")?;
        let mut seen = BTreeSet::new();
        let mut ids = Vec::with_capacity(self.rows.len());
        for row in &self.rows {
            let text = row[column].strip_suffix(".0").unwrap_or(&row[column]);
            let id = text.parse::<i64>().ok().filter(|id| *id >= 0);
            let id = id.ok_or_else(|| self.bad_value(row, column, "a planet's number"))?;
            if !seen.insert(id) {
                return Err(self.bad_value(row, column, "each planet once"));
            }
            ids.push(id);
        }
        Ok(ids)
    }

    fn missing_column(&self, name: &str) -> DataError {
        // Of hundreds, enough to see what file it is.
        let first = self.header.iter().take(12).collect::<Vec<_>>().join(", ");
        let got = match self.header.len() {
            0 => "an empty file".to_owned(),
            count @ 1..=12 => format!("{count} columns: {first}"),
            count => format!("{count} columns: {first} …"),
        };
        DataError::shape(&self.path, format!("a column {name:?}"), got)
    }

    pub(crate) fn bad_value(&self, row: &csv::StringRecord, column: usize, expected: &'static str) -> DataError {
        let line = row.position().map_or(0, csv::Position::line);
        let name = self.name(column);
        DataError::value(&self.path, format!("line {line}, column {name}"), expected, &row[column])
    }
}
