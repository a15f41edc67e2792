//! Thrift's compact protocol, as far as it takes to see what a parquet file is about to ask memory for.
//!
//! The parquet crate believes the numbers in a footer and in page headers: it reserves as many schema nodes and bytes as
//! they name, and follows nested groups by recursion. So they are looked at here first. Nothing is reserved, every length
//! is held against the bytes that are left, and nesting has a limit.
//!
//! The encoding: <https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md>.

/// Structs in structs that a parquet file has at most; its own come to five.
const MAX_DEPTH: usize = 16;

/// Bytes that are no such encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

/// What stands in a field or a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    True,
    False,
    Byte,
    /// Of 16, 32 or 64 bits: all are written alike.
    Integer,
    Double,
    Binary,
    List,
    Map,
    Struct,
    Uuid,
}

/// A place in encoded bytes.
#[derive(Debug, Clone)]
pub(super) struct Cursor<'a> {
    left: &'a [u8],
}

/// A struct whose fields are being read.
#[derive(Debug, Default)]
pub(super) struct Fields {
    last: i16,
}

impl Fields {
    /// The number and kind of the next field, `None` at the end of the struct. The field has to be read or skipped.
    pub fn next(&mut self, cursor: &mut Cursor<'_>) -> Result<Option<(i16, Kind)>, Malformed> {
        let byte = cursor.byte()?;
        if byte & 0x0f == 0 {
            return Ok(None);
        }
        self.last = match byte >> 4 {
            0 => i16::try_from(cursor.integer()?).map_err(|_| Malformed)?,
            delta => self.last.checked_add(delta.into()).ok_or(Malformed)?,
        };
        Ok(Some((self.last, Kind::of(byte & 0x0f)?)))
    }
}

impl Kind {
    fn of(code: u8) -> Result<Self, Malformed> {
        Ok(match code {
            1 => Self::True,
            2 => Self::False,
            3 => Self::Byte,
            4..=6 => Self::Integer,
            7 => Self::Double,
            8 => Self::Binary,
            9 | 10 => Self::List,
            11 => Self::Map,
            12 => Self::Struct,
            13 => Self::Uuid,
            _ => return Err(Malformed),
        })
    }
}

impl<'a> Cursor<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { left: bytes }
    }

    /// Bytes that were not read yet.
    pub fn left(&self) -> usize {
        self.left.len()
    }

    /// Passes over bytes.
    pub fn pass(&mut self, bytes: u64) -> Result<(), Malformed> {
        let bytes = usize::try_from(bytes).map_err(|_| Malformed)?;
        self.left = self.left.get(bytes..).ok_or(Malformed)?;
        Ok(())
    }

    /// An integer of any width.
    pub fn integer(&mut self) -> Result<i64, Malformed> {
        let zigzag = self.varint()?;
        Ok((zigzag >> 1) as i64 ^ -((zigzag & 1) as i64))
    }

    /// The kind and the number of a list's elements, each of which has to be read or skipped.
    pub fn list(&mut self) -> Result<(Kind, usize), Malformed> {
        let byte = self.byte()?;
        let count = match byte >> 4 {
            15 => usize::try_from(self.varint()?).map_err(|_| Malformed)?,
            count => count.into(),
        };
        // An element takes a byte at least.
        if count > self.left() {
            return Err(Malformed);
        }
        Ok((Kind::of(byte & 0x0f)?, count))
    }

    /// Passes over the value of a field.
    pub fn skip(&mut self, kind: Kind) -> Result<(), Malformed> {
        self.skip_nested(kind, 0)
    }

    fn skip_nested(&mut self, kind: Kind, depth: usize) -> Result<(), Malformed> {
        if depth > MAX_DEPTH {
            return Err(Malformed);
        }
        match kind {
            // A field's boolean is its kind.
            Kind::True | Kind::False => Ok(()),
            Kind::Byte => self.pass(1),
            Kind::Integer => self.varint().map(drop),
            Kind::Double => self.pass(8),
            Kind::Uuid => self.pass(16),
            Kind::Binary => {
                let length = self.varint()?;
                self.pass(length)
            }
            Kind::List => {
                let (kind, count) = self.list()?;
                (0..count).try_for_each(|_| self.skip_element(kind, depth + 1))
            }
            Kind::Map => {
                let count = self.varint()?;
                if count == 0 {
                    return Ok(());
                }
                let kinds = self.byte()?;
                let (key, value) = (Kind::of(kinds >> 4)?, Kind::of(kinds & 0x0f)?);
                for _ in 0..count {
                    self.skip_element(key, depth + 1)?;
                    self.skip_element(value, depth + 1)?;
                }
                Ok(())
            }
            Kind::Struct => {
                let mut fields = Fields::default();
                while let Some((_, kind)) = fields.next(self)? {
                    self.skip_nested(kind, depth + 1)?;
                }
                Ok(())
            }
        }
    }

    /// Unlike a field's, an element's boolean takes a byte.
    fn skip_element(&mut self, kind: Kind, depth: usize) -> Result<(), Malformed> {
        match kind {
            Kind::True | Kind::False => self.pass(1),
            kind => self.skip_nested(kind, depth),
        }
    }

    fn byte(&mut self) -> Result<u8, Malformed> {
        let (&byte, left) = self.left.split_first().ok_or(Malformed)?;
        self.left = left;
        Ok(byte)
    }

    fn varint(&mut self) -> Result<u64, Malformed> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(Malformed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_read_as_the_specification_writes_them() {
        for (bytes, number) in [(&[0][..], 0), (&[1], -1), (&[2], 1), (&[0xd8, 4], 300), (&[0xff; 9][..], 0)] {
            let read = Cursor::new(bytes).integer();
            if bytes.len() < 9 { assert_eq!(read, Ok(number)) } else { assert_eq!(read, Err(Malformed)) }
        }
    }

    #[test]
    fn fields_are_numbered_by_difference_and_skipped_by_kind() {
        // 1: i32 = 1, 3: struct { 1: true }, 4: binary "ab", 20: list of two bytes; end.
        let bytes = [0x15, 2, 0x2c, 0x11, 0, 0x18, 2, b'a', b'b', 0x09, 40, 0x23, 7, 8, 0];
        let mut cursor = Cursor::new(&bytes);
        let (mut fields, mut seen) = (Fields::default(), Vec::new());
        while let Some((number, kind)) = fields.next(&mut cursor).expect("a field") {
            seen.push(number);
            cursor.skip(kind).expect("skipped");
        }
        assert_eq!((seen.as_slice(), cursor.left()), (&[1, 3, 4, 20][..], 0));
    }

    #[test]
    fn lengths_beyond_the_end_and_endless_nesting_are_malformed() {
        assert_eq!(Cursor::new(&[0xff, 0xff, 0xff, 0xff, 7, 0]).skip(Kind::Binary), Err(Malformed));
        assert_eq!(Cursor::new(&[0xf3, 0xff, 0xff, 0xff, 0xff, 7]).skip(Kind::List), Err(Malformed));
        assert_eq!(Cursor::new(&[0x1c; 100_000]).skip(Kind::Struct), Err(Malformed));
        assert_eq!(Cursor::new(&[0xff, 0xff, 3, 0x33]).skip(Kind::Map), Err(Malformed));
    }
}
