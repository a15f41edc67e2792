//! MD5 as DVC takes it of a file: of its bytes, or of its text with Unix line ends.
//!
//! MD5 is broken: whoever can choose two contents can give them one MD5. It says here only whether data are those that
//! DVC speaks of; that they are those a run used is said by BLAKE3.

use std::fmt;
use std::str::FromStr;

use md5::{Digest as _, Md5};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Bytes that are hashed at once. DVC decides anew for each such block whether it is text, so the size matters.
pub(super) const BLOCK_BYTES: usize = 1 << 20;

/// Leading bytes of a block that DVC looks at to tell text from other things.
const LOOKED_AT_BYTES: usize = 512;

/// Which MD5 of a file DVC recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Md5Kind {
    /// Of the bytes: entries with `hash: md5`, as DVC writes since version 3.
    #[serde(rename = "md5")]
    Bytes,
    /// Of the bytes with CRLF made LF where they look like text: entries without `hash`.
    #[serde(rename = "md5-dos2unix")]
    Dos2Unix,
}

/// An MD5, written as 32 lowercase hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Md5Digest([u8; 16]);

/// A text that is not 32 lowercase hex digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected 32 lowercase hex digits, got {got:?}")]
pub struct Md5ParseError {
    /// The text as given.
    pub got: String,
}

/// Which MD5s of a file are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Md5Kinds {
    /// [`Md5Kind::Bytes`].
    pub bytes: bool,
    /// [`Md5Kind::Dos2Unix`].
    pub dos2unix: bool,
}

/// The MD5s of a file that were asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Md5s {
    /// [`Md5Kind::Bytes`].
    pub bytes: Option<Md5Digest>,
    /// [`Md5Kind::Dos2Unix`].
    pub dos2unix: Option<Md5Digest>,
}

/// Takes the MD5s of a file, block by block.
pub(super) struct Md5Hashers {
    bytes: Option<Md5>,
    dos2unix: Option<Md5>,
}

impl Md5Digest {
    /// MD5 of bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Md5::digest(bytes).into())
    }
}

impl Md5Kinds {
    /// No MD5 at all.
    pub const NONE: Self = Self { bytes: false, dos2unix: false };

    /// Only this one.
    pub fn only(kind: Md5Kind) -> Self {
        Self { bytes: kind == Md5Kind::Bytes, dos2unix: kind == Md5Kind::Dos2Unix }
    }

    /// These and those.
    pub fn and(self, other: Self) -> Self {
        Self { bytes: self.bytes || other.bytes, dos2unix: self.dos2unix || other.dos2unix }
    }
}

impl Md5s {
    /// The one of this kind, if it was asked for.
    pub fn of_kind(&self, kind: Md5Kind) -> Option<Md5Digest> {
        match kind {
            Md5Kind::Bytes => self.bytes,
            Md5Kind::Dos2Unix => self.dos2unix,
        }
    }

    /// Whether none that is asked for is missing.
    pub(super) fn cover(&self, kinds: Md5Kinds) -> bool {
        (self.bytes.is_some() || !kinds.bytes) && (self.dos2unix.is_some() || !kinds.dos2unix)
    }

    /// Those that are asked for.
    pub(super) fn only(&self, kinds: Md5Kinds) -> Self {
        Self { bytes: self.bytes.filter(|_| kinds.bytes), dos2unix: self.dos2unix.filter(|_| kinds.dos2unix) }
    }
}

impl Md5Hashers {
    pub(super) fn new(kinds: Md5Kinds) -> Self {
        Self { bytes: kinds.bytes.then(Md5::new), dos2unix: kinds.dos2unix.then(Md5::new) }
    }

    /// Adds a block: [`BLOCK_BYTES`] of them, or what is left at the end of the file.
    pub(super) fn update(&mut self, block: &[u8]) {
        if let Some(hasher) = &mut self.bytes {
            hasher.update(block);
        }
        if let Some(hasher) = &mut self.dos2unix {
            let mut rest = block;
            if is_text(&block[..block.len().min(LOOKED_AT_BYTES)]) {
                // A CR that ends a block stays, whatever the next block begins with: so it does in DVC.
                while let Some(at) = rest.windows(2).position(|pair| pair == b"\r\n") {
                    hasher.update(&rest[..at]);
                    rest = &rest[at + 1..];
                }
            }
            hasher.update(rest);
        }
    }

    pub(super) fn finish(self) -> Md5s {
        let digest = |hasher: Md5| Md5Digest(hasher.finalize().into());
        Md5s { bytes: self.bytes.map(digest), dos2unix: self.dos2unix.map(digest) }
    }
}

/// Whether DVC takes a file that begins so for text: no NUL, and at most three tenths of bytes that text has not.
fn is_text(beginning: &[u8]) -> bool {
    let of_text = |byte: &u8| matches!(byte, 32..=126 | b'\n' | b'\r' | b'\t' | 0x0c | 0x08);
    let others = beginning.iter().filter(|byte| !of_text(byte)).count();
    // The division and the literal are DVC's: another rounding would decide otherwise about some lengths.
    !beginning.contains(&0) && (beginning.is_empty() || others as f64 / beginning.len() as f64 <= 0.30)
}

impl fmt::Display for Md5Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Md5Digest {
    type Err = Md5ParseError;

    fn from_str(text: &str) -> Result<Self, Md5ParseError> {
        let refuse = || Md5ParseError { got: text.to_owned() };
        let digits: &[u8; 32] = text.as_bytes().try_into().map_err(|_| refuse())?;
        // Upper case is refused: one digest has one spelling.
        let nibble = |digit: u8| match digit {
            b'0'..=b'9' => Ok(digit - b'0'),
            b'a'..=b'f' => Ok(digit - b'a' + 10),
            _ => Err(refuse()),
        };
        let mut bytes = [0; 16];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
        }
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both(content: &[u8]) -> [String; 2] {
        let mut hashers = Md5Hashers::new(Md5Kinds { bytes: true, dos2unix: true });
        content.chunks(BLOCK_BYTES).for_each(|block| hashers.update(block));
        let Md5s { bytes: Some(bytes), dos2unix: Some(dos2unix) } = hashers.finish() else {
            panic!("both were asked for")
        };
        [bytes.to_string(), dos2unix.to_string()]
    }

    fn md5(content: &[u8]) -> String {
        Md5Digest::of(content).to_string()
    }

    #[test]
    fn text_with_dos_line_ends_has_the_md5_of_its_unix_form() {
        assert_eq!(both(b"a\r\nb\r\r\n\n"), [md5(b"a\r\nb\r\r\n\n"), md5(b"a\nb\r\n\n")]);
        assert_eq!(both(b""), ["d41d8cd98f00b204e9800998ecf8427e"; 2].map(str::to_owned));
    }

    #[test]
    fn bytes_that_are_no_text_are_left_alone() {
        for content in [&b"a\r\n\0"[..], b"\r\n\xff\xff", b"\x01\x02\r\n"] {
            assert_eq!(both(content), [md5(content), md5(content)]);
        }
        // Three bytes of ten are no text: just text.
        assert_eq!(both(b"abcde\r\n\x01\x01\x01")[1], md5(b"abcde\n\x01\x01\x01"));
    }

    #[test]
    fn a_line_end_across_two_blocks_stays_and_each_block_is_judged_by_itself() {
        let mut content = vec![b'a'; BLOCK_BYTES - 1];
        content.extend_from_slice(b"\r\n\r\n");
        let mut unix = content.clone();
        unix.truncate(BLOCK_BYTES);
        unix.extend_from_slice(b"\n\n");
        assert_eq!(both(&content)[1], md5(&unix));
        let mut binary_later = vec![b'a'; BLOCK_BYTES];
        binary_later.extend_from_slice(b"\0\r\n");
        assert_eq!(both(&binary_later)[1], md5(&binary_later));
    }

    #[test]
    fn other_spellings_are_refused() {
        for bad in ["", "d41d8cd98f00b204e9800998ecf8427", "D41D8CD98F00B204E9800998ECF8427E", &"é".repeat(16)] {
            assert_eq!(bad.parse::<Md5Digest>(), Err(Md5ParseError { got: bad.to_owned() }));
        }
    }
}
