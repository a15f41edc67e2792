//! Tables: row and column.
//!
//! Parsed in lockstep with a buffer of fixed size, so that a quote that is never closed takes no more memory than any row.

use std::io::{self, Read};

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};

use super::content::{BUFFER_BYTES, Content};
use super::{Place, Unexplained, broken, shown};

/// Most bytes of the fields of one row.
const MAX_ROW_BYTES: usize = 1 << 20;

/// Most fields of one row.
const MAX_FIELDS: usize = 1 << 14;

/// The first field that differs. The first row is the header.
pub(super) fn first(expected: &mut dyn Content, got: &mut dyn Content, delimiter: u8) -> Result<Place, Unexplained> {
    let mut expected = Rows::new(expected.read_at(0)?, delimiter);
    let mut got = Rows::new(got.read_at(0)?, delimiter);
    let mut header: Vec<Vec<u8>> = Vec::new();
    let mut row = 0;
    loop {
        let (left, right) = (expected.next()?, got.next()?);
        if !left && !right {
            return Err(Unexplained::Equal("every value of the table is equal, only its spelling differs"));
        }
        if row == 0 {
            header = expected.fields().map(<[u8]>::to_vec).collect();
        }
        for index in 0..expected.fields.max(got.fields) {
            let (left, right) = (expected.field(index), got.field(index));
            if left != right {
                let named = header.get(index).filter(|name| row > 0 && !name.is_empty());
                let column = named.map_or_else(|| (index + 1).to_string(), |name| shown::text(name));
                let (expected, got) = (left.map(shown::text), right.map(shown::text));
                return Ok(Place::Cell { row, column, expected, got });
            }
        }
        row += 1;
    }
}

/// The rows of a table, one at a time; memory does not grow with them.
pub(crate) struct Rows<'a> {
    source: Box<dyn Read + 'a>,
    reader: Reader,
    input: Vec<u8>,
    /// The part of `input` that is still to be parsed.
    pending: std::ops::Range<usize>,
    output: Vec<u8>,
    ends: Vec<usize>,
    fields: usize,
}

impl<'a> Rows<'a> {
    pub(crate) fn new(source: Box<dyn Read + 'a>, delimiter: u8) -> Self {
        Self {
            source,
            reader: ReaderBuilder::new().delimiter(delimiter).build(),
            input: vec![0; BUFFER_BYTES],
            pending: 0..0,
            output: vec![0; MAX_ROW_BYTES],
            ends: vec![0; MAX_FIELDS],
            fields: 0,
        }
    }

    /// Goes on to the next row: whether there is one. After the last there is a row without fields.
    pub(crate) fn next(&mut self) -> Result<bool, RowError> {
        let (mut written, mut ended) = (0, 0);
        loop {
            if self.pending.is_empty() {
                let count = loop {
                    match self.source.read(&mut self.input) {
                        Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                        count => break count?,
                    }
                };
                self.pending = 0..count;
            }
            // No input tells the parser that the file has ended.
            let input = &self.input[self.pending.clone()];
            let (result, read, wrote, ends) =
                self.reader.read_record(input, &mut self.output[written..], &mut self.ends[ended..]);
            self.pending.start += read;
            written += wrote;
            ended += ends;
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull => {
                    return Err(RowError::Bytes);
                }
                ReadRecordResult::OutputEndsFull => {
                    return Err(RowError::Fields);
                }
                ReadRecordResult::Record => {
                    self.fields = ended;
                    return Ok(true);
                }
                ReadRecordResult::End => {
                    self.fields = 0;
                    return Ok(false);
                }
            }
        }
    }

    /// The fields of the row.
    pub(crate) fn fields(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.fields).filter_map(|index| self.field(index))
    }

    fn field(&self, index: usize) -> Option<&[u8]> {
        let end = *self.ends[..self.fields].get(index)?;
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        Some(&self.output[start..end])
    }
}

/// A row that is not read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RowError {
    #[error("a row has more than {MAX_ROW_BYTES} bytes")]
    Bytes,
    #[error("a row has more than {MAX_FIELDS} fields")]
    Fields,
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl From<RowError> for Unexplained {
    fn from(error: RowError) -> Self {
        match error {
            RowError::Io(error) => Self::Io(error),
            error => broken(error.to_string()),
        }
    }
}
