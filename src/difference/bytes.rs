//! The first byte in which two contents differ.

use std::io;

use super::Place;
use super::content::{BUFFER_BYTES, Content, fill};

/// The first differing byte, and the line it is in if the contents are text.
#[derive(Debug)]
pub(super) struct FirstByte {
    /// Counted from 0.
    pub offset: u64,
    /// `None` at the end.
    pub expected: Option<u8>,
    pub got: Option<u8>,
    /// Line ends before it.
    pub line_ends: u64,
    /// Offset of the first byte of its line.
    pub line_start: u64,
}

impl FirstByte {
    pub(super) fn place(&self) -> Place {
        Place::Byte { offset: self.offset, expected: self.expected, got: self.got }
    }
}

/// The first differing byte of the whole contents.
pub(super) fn first(expected: &mut dyn Content, got: &mut dyn Content) -> io::Result<Option<FirstByte>> {
    first_in(expected, 0, got, 0, u64::MAX)
}

/// The first differing byte of the `length` bytes from the given offsets on; its offset counts from there.
pub(super) fn first_in(
    expected: &mut dyn Content,
    expected_start: u64,
    got: &mut dyn Content,
    got_start: u64,
    length: u64,
) -> io::Result<Option<FirstByte>> {
    let (mut expected, mut got) = (expected.read_at(expected_start)?, got.read_at(got_start)?);
    let (mut left, mut right) = (vec![0; BUFFER_BYTES], vec![0; BUFFER_BYTES]);
    let (mut offset, mut line_ends, mut line_start) = (0_u64, 0, 0);
    while offset < length {
        let wanted = (length - offset).min(BUFFER_BYTES as u64) as usize;
        let left_count = fill(&mut *expected, &mut left[..wanted])?;
        let right_count = fill(&mut *got, &mut right[..wanted])?;
        let (left, right) = (&left[..left_count], &right[..right_count]);
        let common = match left == right {
            true => left_count,
            false => left.iter().zip(right).take_while(|(left, right)| left == right).count(),
        };
        for (at, byte) in left[..common].iter().enumerate() {
            if *byte == b'\n' {
                line_ends += 1;
                line_start = offset + at as u64 + 1;
            }
        }
        if common < left_count.max(right_count) {
            return Ok(Some(FirstByte {
                offset: offset + common as u64,
                expected: left.get(common).copied(),
                got: right.get(common).copied(),
                line_ends,
                line_start,
            }));
        }
        if common < wanted {
            return Ok(None);
        }
        offset += common as u64;
    }
    Ok(None)
}
