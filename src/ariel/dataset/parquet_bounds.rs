//! What a parquet file may ask memory and time for, held against its bytes before the parquet crate reads them.
//!
//! Five megabytes can hold a column of 2³⁰ equal numbers, a footer can name 2³¹ schema nodes, a page can claim to unpack
//! to two gigabytes. Each of the limits is far above what the competition's files and the tools that write them need.

use std::path::Path;

use parquet::errors::ParquetError;

use super::DataError;
use super::thrift::{Cursor, Fields, Kind, Malformed};

/// Bytes of a footer. That of a signal file, 11392 columns with statistics, takes two to six million.
const MAX_FOOTER_BYTES: u64 = 1 << 25;
/// Nodes of a schema: a column for each pixel of a frame and a few more.
const MAX_SCHEMA_NODES: u64 = 1 << 14;
/// Groups in groups of a schema; a column of lists has three.
const MAX_SCHEMA_DEPTH: u64 = 8;
/// Column chunks of a file: some writers cut rows into groups of a thousand.
const MAX_CHUNKS: u64 = 1 << 18;
/// Bytes that a page unpacks to. Writers stop at one million, but for one that puts a whole chunk into a page.
const MAX_PAGE_BYTES: u64 = 1 << 29;

/// Looks at the footer of a file. What is no parquet file at all is left to the parquet crate to name.
pub(super) fn check_footer(path: &Path, bytes: &[u8]) -> Result<(), DataError> {
    let Some((body, tail)) = bytes.split_last_chunk::<8>() else { return Ok(()) };
    let [a, b, c, d, magic @ ..] = *tail;
    if magic != *b"PAR1" {
        return Ok(());
    }
    let length = u32::from_le_bytes([a, b, c, d]);
    DataError::within(path, "bytes of footer", MAX_FOOTER_BYTES, length.into())?;
    let Some(start) = body.len().checked_sub(length as usize) else { return Ok(()) };
    let counts = FooterCounts::of(&body[start..]).map_err(|Malformed| malformed(path, "footer"))?;
    for (unit, limit, got) in [
        ("schema nodes", MAX_SCHEMA_NODES, counts.nodes),
        ("children of a schema node", MAX_SCHEMA_NODES, counts.most_children),
        ("schema groups in each other", MAX_SCHEMA_DEPTH, counts.depth),
        ("column chunks", MAX_CHUNKS, counts.chunks),
    ] {
        DataError::within(path, unit, limit, got)?;
    }
    Ok(())
}

/// Looks at the headers of the pages of one column chunk, which together hold at most `most_values` values.
pub(super) fn check_pages(path: &Path, chunk: &[u8], most_values: u64) -> Result<(), DataError> {
    let mut cursor = Cursor::new(chunk);
    // Twice the eight bytes of a double leave room for levels, and the rest for headers of encodings.
    let most_bytes = most_values.saturating_mul(16).saturating_add(1 << 20).min(MAX_PAGE_BYTES);
    let mut values = 0u64;
    while cursor.left() > 0 {
        let page = Page::read(&mut cursor).map_err(|Malformed| malformed(path, "page header"))?;
        DataError::within(path, "bytes in an unpacked page", most_bytes, page.unpacked_bytes)?;
        values = values.saturating_add(page.values);
        DataError::within(path, "values in a column chunk", most_values, values)?;
        DataError::within(path, "values in a dictionary", most_values, page.dictionary_values)?;
    }
    Ok(())
}

fn malformed(path: &Path, what: &str) -> DataError {
    DataError::parquet(path, ParquetError::General(format!("malformed {what}")))
}

/// What a footer counts up to.
#[derive(Debug, Default, PartialEq, Eq)]
struct FooterCounts {
    nodes: u64,
    most_children: u64,
    depth: u64,
    chunks: u64,
}

impl FooterCounts {
    /// `FileMetaData` of parquet.thrift: 2 is the schema, 4 are the row groups.
    fn of(footer: &[u8]) -> Result<Self, Malformed> {
        let (mut cursor, mut fields, mut counts) = (Cursor::new(footer), Fields::default(), Self::default());
        while let Some((number, kind)) = fields.next(&mut cursor)? {
            match (number, kind) {
                (2, Kind::List) => counts.schema(&mut cursor)?,
                (4, Kind::List) => counts.row_groups(&mut cursor)?,
                _ => cursor.skip(kind)?,
            }
        }
        Ok(counts)
    }

    /// A list of `SchemaElement`, parents before children, of which 5 is the number of children.
    fn schema(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Malformed> {
        let (kind, count) = cursor.list()?;
        // Children that each open group still waits for.
        let mut open: Vec<u64> = Vec::new();
        for _ in 0..count {
            if kind != Kind::Struct {
                return Err(Malformed);
            }
            let (mut fields, mut children) = (Fields::default(), 0);
            while let Some((number, kind)) = fields.next(cursor)? {
                match (number, kind) {
                    (5, Kind::Integer) => children = u64::try_from(cursor.integer()?).map_err(|_| Malformed)?,
                    _ => cursor.skip(kind)?,
                }
            }
            self.nodes += 1;
            self.most_children = self.most_children.max(children);
            if let Some(waiting) = open.last_mut() {
                *waiting -= 1;
            }
            open.push(children);
            while open.last() == Some(&0) {
                open.pop();
            }
            self.depth = self.depth.max(open.len() as u64);
        }
        Ok(())
    }

    /// A list of `RowGroup`, of which 1 are the column chunks.
    fn row_groups(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Malformed> {
        let (kind, count) = cursor.list()?;
        for _ in 0..count {
            if kind != Kind::Struct {
                return Err(Malformed);
            }
            // A group without columns costs memory, too.
            self.chunks += 1;
            let mut fields = Fields::default();
            while let Some((number, kind)) = fields.next(cursor)? {
                match (number, kind) {
                    (1, Kind::List) => {
                        let (kind, chunks) = cursor.list()?;
                        self.chunks += chunks as u64;
                        (0..chunks).try_for_each(|_| cursor.skip(kind))?;
                    }
                    _ => cursor.skip(kind)?,
                }
            }
        }
        Ok(())
    }
}

/// What a page says of itself.
struct Page {
    unpacked_bytes: u64,
    values: u64,
    dictionary_values: u64,
}

impl Page {
    /// `PageHeader` of parquet.thrift: 2 and 3 are the sizes, unpacked and packed, 5, 7 and 8 the headers of the three
    /// types of page, of each of which 1 is the number of values. Passes over the page's content.
    fn read(cursor: &mut Cursor<'_>) -> Result<Self, Malformed> {
        let mut page = Self { unpacked_bytes: 0, values: 0, dictionary_values: 0 };
        let (mut fields, mut packed_bytes) = (Fields::default(), 0);
        let size = |number: i64| u64::try_from(number).map_err(|_| Malformed);
        while let Some((number, kind)) = fields.next(cursor)? {
            match (number, kind) {
                (2, Kind::Integer) => page.unpacked_bytes = size(cursor.integer()?)?,
                (3, Kind::Integer) => packed_bytes = size(cursor.integer()?)?,
                (5 | 7 | 8, Kind::Struct) => {
                    let mut inner = Fields::default();
                    while let Some((field, kind)) = inner.next(cursor)? {
                        match (field, kind, number) {
                            (1, Kind::Integer, 7) => page.dictionary_values = size(cursor.integer()?)?,
                            (1, Kind::Integer, _) => page.values = size(cursor.integer()?)?,
                            _ => cursor.skip(kind)?,
                        }
                    }
                }
                _ => cursor.skip(kind)?,
            }
        }
        cursor.pass(packed_bytes)?;
        Ok(page)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of nothing but a footer.
    fn file(footer: &[u8]) -> Vec<u8> {
        [b"PAR1", footer, &(footer.len() as u32).to_le_bytes(), b"PAR1"].concat()
    }

    fn unit(result: Result<(), DataError>) -> &'static str {
        match result {
            Err(DataError::TooMuch { unit, .. }) => unit,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_schema_node_of_two_billion_children_is_refused() {
        // Field 2: a list of one struct, whose field 5 is 2^31 - 1.
        let bytes = file(&[0x29, 0x1c, 0x55, 0xfe, 0xff, 0xff, 0xff, 0x0f, 0, 0]);
        assert_eq!(unit(check_footer(Path::new("x"), &bytes)), "children of a schema node");
    }

    #[test]
    fn a_schema_of_a_thousand_groups_in_each_other_is_refused() {
        let mut footer = vec![0x29, 0xfc, 0xe8, 0x07];
        for _ in 0..1000 {
            footer.extend([0x55, 2, 0]);
        }
        footer.push(0);
        assert_eq!(unit(check_footer(Path::new("x"), &file(&footer))), "schema groups in each other");
    }

    #[test]
    fn a_million_row_groups_are_refused() {
        let mut footer = vec![0x49, 0xfc, 0xc0, 0x84, 0x3d];
        footer.extend([0; 1_000_000]);
        footer.push(0);
        assert_eq!(unit(check_footer(Path::new("x"), &file(&footer))), "column chunks");
    }

    #[test]
    fn a_footer_of_a_gigabyte_is_refused_before_it_is_looked_for() {
        let bytes = [&[0; 100][..], &(1u32 << 30).to_le_bytes(), b"PAR1"].concat();
        assert_eq!(unit(check_footer(Path::new("x"), &bytes)), "bytes of footer");
    }

    #[test]
    fn a_page_that_claims_gigabytes_or_more_values_than_rows_is_refused() {
        // 1: data page, 2: unpacked size, 3: packed size 0, 5: { 1: values }
        let page = |unpacked: &[u8], values: &[u8]| {
            [&[0x15, 0, 0x15][..], unpacked, &[0x15, 0, 0x2c, 0x15], values, &[0, 0]].concat()
        };
        let path = Path::new("x");
        let gigabytes = page(&[0xfe, 0xff, 0xff, 0xff, 0x0f], &[2]);
        assert_eq!(unit(check_pages(path, &gigabytes, 100)), "bytes in an unpacked page");
        let two_pages = [page(&[80], &[100]), page(&[80], &[102])].concat();
        assert_eq!(unit(check_pages(path, &two_pages, 100)), "values in a column chunk");
        assert!(check_pages(path, &two_pages, 101).is_ok());
        assert!(matches!(check_pages(path, &two_pages[..20], 101), Err(DataError::Parquet { .. })));
    }
}
