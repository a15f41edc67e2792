//! CSV files with columns found by name.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};

use super::DataError;
use super::atomic_file::write_atomically;

/// Writes comma-separated rows; no field of the data set's tables needs quotes.
pub(crate) fn write_csv<R: AsRef<[u8]>>(
    path: &Path,
    header: impl IntoIterator<Item = impl AsRef<str>>,
    rows: impl IntoIterator<Item = impl IntoIterator<Item = R>>,
) -> Result<(), DataError> {
    write_atomically(path, |file| {
        let refuse = |source: csv::Error| DataError::Csv { path: path.to_owned(), source };
        let mut writer = csv::Writer::from_writer(file);
        writer.write_record(header.into_iter().map(|name| name.as_ref().to_owned())).map_err(refuse)?;
        for row in rows {
            writer.write_record(row).map_err(refuse)?;
        }
        writer.flush().map_err(|source| DataError::io("write", path, source))
    })
}

/// A whole CSV file, its columns found by name.
pub(crate) struct CsvTable {
    path: PathBuf,
    header: csv::StringRecord,
    /// The records below the header.
    pub rows: Vec<csv::StringRecord>,
}

impl CsvTable {
    pub(crate) fn read(what: &'static str, path: &Path) -> Result<Self, DataError> {
        let file = File::open(path).map_err(|source| DataError::reading(what, path, source))?;
        let refuse = |source| DataError::Csv { path: path.to_owned(), source };
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(file);
        let header = reader.headers().map_err(refuse)?.clone();
        let rows = reader.records().collect::<Result<_, _>>().map_err(refuse)?;
        Ok(Self { path: path.to_owned(), header, rows })
    }

    pub(crate) fn column_count(&self) -> usize {
        self.header.len()
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
        let got = self.header.iter().take(12).collect::<Vec<_>>().join(", ");
        DataError::shape(&self.path, format!("a column {name:?}"), format!("{} columns: {got} …", self.header.len()))
    }

    pub(crate) fn bad_value(&self, row: &csv::StringRecord, column: usize, expected: &'static str) -> DataError {
        let line = row.position().map_or(0, csv::Position::line);
        let name = self.header.get(column).unwrap_or_default();
        DataError::value(&self.path, format!("line {line}, column {name}"), expected, &row[column])
    }
}
