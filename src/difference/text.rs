//! Text: the line and the column.

use std::io;

use super::bytes::FirstByte;
use super::content::{Content, window};
use super::{Place, shown};

/// Bytes of a long line that are shown before the difference.
const BEFORE: u64 = 30;

/// The line in which the first differing byte is; of a long line the part around it.
pub(super) fn first(expected: &mut dyn Content, got: &mut dyn Content, byte: &FirstByte) -> io::Result<Place> {
    let column = byte.offset - byte.line_start;
    let start = if column > 2 * BEFORE { byte.offset - BEFORE } else { byte.line_start };
    let line = |content: &mut dyn Content| -> io::Result<Option<String>> {
        let bytes = window(content, start, 4 * shown::MAX_SHOWN + 4)?;
        if bytes.is_empty() {
            return Ok(None);
        }
        let mut line = bytes.split_inclusive(|byte| *byte == b'\n').next().unwrap_or_default();
        // The line's end is shown when it is what differs, or two equal lines would be shown.
        if (line.len() as u64) - 1 > byte.offset - start {
            line = line.strip_suffix(b"\n").unwrap_or(line);
        }
        if start == byte.line_start {
            return Ok(Some(shown::text(line)));
        }
        // Not from the middle of a character on.
        let within = line.iter().take_while(|byte| (0x80..0xc0).contains(*byte)).count();
        Ok(Some(format!("…{}", shown::text(&line[within..]))))
    };
    Ok(Place::Line { line: byte.line_ends + 1, column: column + 1, expected: line(expected)?, got: line(got)? })
}
