//! Ed25519 keys: the files they live in, key ids, signing and strict verification.
//!
//! Private keys are PKCS#8 ([`SigningKey`]), in the clear or behind a [`Passphrase`]; public keys are SPKI, and are also
//! read as OpenSSH and minisign write them ([`PublicKey`]). The scheme is fixed by these types: no file and no envelope
//! chooses another.

mod encryption;
mod foreign;
mod passphrase;
mod private;
mod public;

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::digest::Sha256Digest;
use crate::failure::{Advice, FailureKind, io_hint};

pub use self::encryption::Salt;
pub use self::passphrase::Passphrase;
pub use self::private::SigningKey;
pub use self::public::PublicKey;

/// Largest key file in bytes.
const MAX_KEY_BYTES: u64 = 16 << 10;

/// A key that is refused.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The key file cannot be read.
    #[error("cannot read key file {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The key file cannot be written; an existing file is never replaced.
    #[error("cannot create key file {path}")]
    Create {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file of a private key can be read by others.
    #[error("key file {path} has mode {got:04o}, expected 0600: others may read it")]
    Permissions {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        got: u32,
    },
    /// The key file is a directory or a device.
    #[error("key file {path} is not a regular file")]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// The key file is too large to be one.
    #[error("key file {path} is larger than {MAX_KEY_BYTES} bytes")]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// A key file's content is refused.
    #[error("key file {path}")]
    InFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Box<KeyError>,
    },
    /// The private key is encrypted, and no passphrase was given.
    #[error("private key is encrypted, expected one that needs no passphrase")]
    Encrypted,
    /// The passphrase opens nothing. A damaged file looks the same: nothing in it tells them apart.
    #[error("the passphrase does not open the private key")]
    WrongPassphrase,
    /// A passphrase without characters: it would protect nothing, and is what an unset variable gives.
    #[error("the passphrase is empty")]
    EmptyPassphrase,
    /// Deriving the key from the passphrase would take more time or memory than any honest file asks for.
    #[error("private key asks for a key derivation with {parameter} {got}, expected 1 to {limit}")]
    DerivationCost {
        /// Which figure.
        parameter: &'static str,
        /// The figure.
        got: u64,
        /// The most that is accepted.
        limit: u64,
    },
    /// Not a private key of the kind expected.
    #[error("not an Ed25519 private key in PKCS#8 PEM: {message}")]
    Private {
        /// What the decoder says.
        message: String,
    },
    /// Not a public key of the kind expected.
    #[error("not an Ed25519 public key (SPKI PEM, OpenSSH, minisign, or 32 bytes in hex or Base64): {message}")]
    Public {
        /// What the decoder says.
        message: String,
    },
    /// A public key of small order: there are signatures that it accepts for any message.
    #[error("public key {key} is weak")]
    Weak {
        /// The key in hex.
        key: String,
    },
}

/// Where a passphrase can come from.
const PASSPHRASE_SOURCES: &str = "--passphrase-file FILE, SPECTRAMIND_PASSPHRASE or at the prompt";

impl Advice for KeyError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Permissions { path, .. } => format!("chmod 600 {}", path.display()),
            Self::InFile { source, .. } => return source.hint(),
            Self::Encrypted | Self::WrongPassphrase => format!("give its passphrase with {PASSPHRASE_SOURCES}"),
            Self::EmptyPassphrase => format!("give one of some length, with {PASSPHRASE_SOURCES}"),
            Self::Public { .. } | Self::Weak { .. } => {
                "ask its owner for the output of `spectramind keys show --public`".into()
            }
            Self::Create { source, .. } if source.kind() == io::ErrorKind::AlreadyExists => {
                "name another with --out FILE: a key is never written over a file".into()
            }
            Self::Create { path, source } => return io_hint(source, path),
            Self::Read { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                "name one that is there, or make a key with `spectramind keys generate --out FILE`".into()
            }
            Self::Read { path, source } => return io_hint(source, path),
            _ => "make a new key with `spectramind keys generate --out FILE`".into(),
        })
    }

    fn kind(&self) -> FailureKind {
        match self {
            Self::Create { .. } | Self::Read { .. } => FailureKind::Missing,
            Self::InFile { source, .. } => source.kind(),
            // The file is there and no key that can be used.
            _ => FailureKind::Failed,
        }
    }
}

fn open(path: &Path) -> Result<File, KeyError> {
    // Looked at before it is opened: opening a FIFO would wait for a writer.
    let metadata = fs::metadata(path).map_err(|source| read_error(path, source))?;
    if !metadata.is_file() {
        return Err(KeyError::NotAFile { path: path.to_owned() });
    }
    File::open(path).map_err(|source| read_error(path, source))
}

/// Opens a file that holds a secret.
///
/// On Unix its group and others may neither read, write nor run it.
fn open_secret(path: &Path) -> Result<File, KeyError> {
    let file = open(path)?;
    // The open file is asked, not the path: nobody can exchange it meanwhile.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let metadata = file.metadata().map_err(|source| read_error(path, source))?;
        let got = metadata.permissions().mode() & 0o7777;
        if got & 0o077 != 0 {
            return Err(KeyError::Permissions { path: path.to_owned(), got });
        }
    }
    Ok(file)
}

fn read_text(path: &Path, file: File) -> Result<Zeroizing<String>, KeyError> {
    // Reserved at once: a string that grows leaves copies of the key behind.
    let mut text = Zeroizing::new(String::with_capacity(MAX_KEY_BYTES as usize + 1));
    let size = file.take(MAX_KEY_BYTES + 1).read_to_string(&mut text).map_err(|source| read_error(path, source))?;
    if size as u64 > MAX_KEY_BYTES { Err(KeyError::TooLarge { path: path.to_owned() }) } else { Ok(text) }
}

fn read_error(path: &Path, source: io::Error) -> KeyError {
    KeyError::Read { path: path.to_owned(), source }
}

fn in_file(path: &Path, error: KeyError) -> KeyError {
    KeyError::InFile { path: path.to_owned(), source: Box::new(error) }
}

fn private_error(error: &dyn fmt::Display) -> KeyError {
    KeyError::Private { message: error.to_string() }
}

fn public_error(error: &dyn fmt::Display) -> KeyError {
    KeyError::Public { message: error.to_string() }
}

fn hex(bytes: &[u8; 32]) -> String {
    Sha256Digest::from_bytes(*bytes).to_string()
}

#[cfg(test)]
mod tests;
