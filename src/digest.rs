//! Digests: BLAKE3 for everything of ours, SHA-256 where a foreign format (in-toto, DSSE) asks for it.
//!
//! Every BLAKE3 digest here starts from a domain string, and every variable-length field is hashed behind its
//! length, so that no two different inputs, and no two different purposes, share a preimage.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::Digest as _;

macro_rules! digest_newtype {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 32]);

        impl $name {
            /// Wraps 32 bytes that already are such a digest.
            pub const fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// The 32 bytes.
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                for byte in self.0 {
                    write!(f, "{byte:02x}")?;
                }
                Ok(())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl FromStr for $name {
            type Err = DigestParseError;

            fn from_str(text: &str) -> Result<Self, DigestParseError> {
                parse_hex(text).map(Self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "pattern": "^[0-9a-f]{64}$" })
            }
        }
    };
}

digest_newtype!(
    /// A BLAKE3 digest, written as 64 lowercase hex digits.
    Blake3Digest
);
impl From<blake3::Hash> for Blake3Digest {
    fn from(hash: blake3::Hash) -> Self {
        Self(hash.into())
    }
}

impl PartialEq<Blake3Digest> for blake3::Hash {
    fn eq(&self, digest: &Blake3Digest) -> bool {
        self.as_bytes() == digest.as_bytes()
    }
}

digest_newtype!(
    /// A SHA-256 digest, written as 64 lowercase hex digits.
    Sha256Digest
);

/// A text that is not 64 lowercase hex digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected 64 lowercase hex digits, got {got:?}")]
pub struct DigestParseError {
    /// The text as given.
    pub got: String,
}

fn parse_hex(text: &str) -> Result<[u8; 32], DigestParseError> {
    let refuse = || DigestParseError { got: text.to_owned() };
    // Upper case is refused: one digest has one spelling, so text comparison is digest comparison.
    let nibble = |byte: u8| match byte {
        b'0'..=b'9' => Ok(byte - b'0'),
        b'a'..=b'f' => Ok(byte - b'a' + 10),
        _ => Err(refuse()),
    };
    let digits: &[u8; 64] = text.as_bytes().try_into().map_err(|_| refuse())?;
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
    }
    Ok(bytes)
}

/// SHA-256 of `bytes`.
pub fn sha256(bytes: &[u8]) -> Sha256Digest {
    Sha256Digest(sha2::Sha256::digest(bytes).into())
}

/// BLAKE3 over typed fields, behind a domain string.
///
/// The domain and every [`field`](Self::field) are preceded by their length as a little-endian `u64`.
#[derive(Clone)]
pub struct DomainHasher(blake3::Hasher);

impl DomainHasher {
    /// Starts a digest for one purpose, e.g. `"spectramind/state/v1"`.
    pub fn new(domain: &str) -> Self {
        let mut hasher = Self(blake3::Hasher::new());
        hasher.field(domain.as_bytes());
        hasher
    }

    /// Adds one variable-length field, length first.
    pub fn field(&mut self, bytes: &[u8]) -> &mut Self {
        self.u64(bytes.len() as u64);
        self.0.update(bytes);
        self
    }

    /// Adds one integer, little-endian.
    pub fn u64(&mut self, value: u64) -> &mut Self {
        self.0.update(&value.to_le_bytes());
        self
    }

    /// Adds another digest.
    pub fn digest(&mut self, digest: &Blake3Digest) -> &mut Self {
        self.0.update(digest.as_bytes());
        self
    }

    /// The digest of all that was added.
    pub fn finish(&self) -> Blake3Digest {
        Blake3Digest(*self.0.finalize().as_bytes())
    }
}

/// Plain BLAKE3 of a file's bytes, streamed: what `b3sum` prints.
///
/// # Errors
/// Whatever opening or reading the file fails with.
pub fn blake3_of_file(path: &Path) -> io::Result<Blake3Digest> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(File::open(path)?)?;
    Ok(Blake3Digest(*hasher.finalize().as_bytes()))
}

/// What a file's bytes are, by both hashes, from one read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileDigest {
    /// Size in bytes.
    pub size: u64,
    /// Plain BLAKE3 of the bytes: what `b3sum` prints.
    pub blake3: Blake3Digest,
    /// SHA-256 of the bytes: what `sha256sum` prints.
    pub sha256: Sha256Digest,
}

impl FileDigest {
    /// Digests bytes in memory.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        Self { size: bytes.len() as u64, blake3: Self::blake3_of_bytes(bytes), sha256: sha256(bytes) }
    }

    /// Plain BLAKE3 of bytes in memory.
    pub fn blake3_of_bytes(bytes: &[u8]) -> Blake3Digest {
        Blake3Digest(*blake3::hash(bytes).as_bytes())
    }

    /// Digests a file, streamed: memory does not grow with its size.
    ///
    /// # Errors
    /// Whatever opening or reading the file fails with; what is no regular file is refused unopened (a named pipe would
    /// block for ever).
    pub fn of_file(path: &Path) -> io::Result<Self> {
        if !std::fs::metadata(path)?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        Self::of_reader(File::open(path)?)
    }

    /// Digests what is read to its end.
    ///
    /// # Errors
    /// Whatever reading fails with.
    pub fn of_reader(mut reader: impl Read) -> io::Result<Self> {
        let (mut blake3, mut sha256, mut size) = (blake3::Hasher::new(), sha2::Sha256::new(), 0);
        let mut buffer = vec![0; 1 << 16];
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => {
                    blake3.update(&buffer[..count]);
                    sha256.update(&buffer[..count]);
                    size += count as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Self {
            size,
            blake3: Blake3Digest(*blake3.finalize().as_bytes()),
            sha256: Sha256Digest(sha256.finalize().into()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digest_text_round_trips_and_other_spellings_are_refused() {
        let digest = FileDigest::of_bytes(b"abc");
        assert_eq!(digest.blake3.to_string().parse(), Ok(digest.blake3));
        assert_eq!(digest.sha256.to_string(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        for bad in ["", "BA78", &digest.sha256.to_string().to_uppercase(), &"é".repeat(32)] {
            assert!(bad.parse::<Sha256Digest>().is_err(), "{bad}");
        }
    }

    #[test]
    fn fields_do_not_run_into_each_other() {
        let of = |parts: &[&str]| {
            let mut hasher = DomainHasher::new("test");
            for part in parts {
                hasher.field(part.as_bytes());
            }
            hasher.finish()
        };
        assert_ne!(of(&["ab", "c"]), of(&["a", "bc"]));
        assert_ne!(of(&["ab"]), of(&["ab", ""]));
        assert_ne!(DomainHasher::new("a").finish(), DomainHasher::new("b").finish());
    }
}
