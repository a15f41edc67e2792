//! Ed25519 keys: PKCS#8 and SPKI files, key ids, signing and strict verification.
//!
//! Private keys are written as PKCS#8 **v1**: OpenSSL 3.0 refuses v2, which adds the public key. They are encoded here
//! rather than by `ed25519-dalek`, whose `KeypairBytes` leaves the secret in memory. Encrypted private keys are
//! recognised and refused.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::Signer as _;
use ed25519_dalek::pkcs8::{ALGORITHM_ID, DecodePublicKey, EncodePublicKey};
use pkcs8::der::asn1::OctetStringRef;
use pkcs8::{LineEnding, PrivateKeyInfoRef, SecretDocument};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use crate::digest::{Sha256Digest, sha256};

/// Largest key file in bytes.
const MAX_KEY_BYTES: u64 = 16 << 10;

const PRIVATE_LABEL: &str = "PRIVATE KEY";
const ENCRYPTED_LABEL: &str = "ENCRYPTED PRIVATE KEY";

/// Tag and length of an OCTET STRING of 32 bytes, in DER.
const SEED_HEADER: [u8; 2] = [4, 32];

/// A private Ed25519 key. Erased from memory when dropped; its `Debug` shows the key id only.
pub struct SigningKey(ed25519_dalek::SigningKey);

/// A public Ed25519 key, never a weak one.
///
/// As text: SPKI PEM, or the 32 bytes in hex or standard Base64. Written as PEM.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(ed25519_dalek::VerifyingKey);

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
    /// The private key is encrypted.
    #[error("private key is encrypted, expected one with the label `{PRIVATE_LABEL}`")]
    Encrypted,
    /// Not a private key of the kind expected.
    #[error("not an Ed25519 private key in PKCS#8 PEM: {message}")]
    Private {
        /// What the decoder says.
        message: String,
    },
    /// Not a public key of the kind expected.
    #[error("not an Ed25519 public key (SPKI PEM, or 32 bytes in hex or Base64): {message}")]
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

impl SigningKey {
    /// The key of 32 random bytes. The caller takes them from the operating system, and erases them.
    pub fn from_random(bytes: &[u8; 32]) -> Self {
        Self(ed25519_dalek::SigningKey::from_bytes(bytes))
    }

    /// Reads PKCS#8 PEM, version 1 or 2; in version 2 the public key must be that of the private one.
    ///
    /// # Errors
    /// [`KeyError::Encrypted`] and [`KeyError::Private`].
    pub fn from_pkcs8_pem(pem: &str) -> Result<Self, KeyError> {
        let (label, document) = SecretDocument::from_pem(pem.trim_end()).map_err(|error| private_error(&error))?;
        match label {
            PRIVATE_LABEL => {}
            ENCRYPTED_LABEL => return Err(KeyError::Encrypted),
            other => return Err(private_error(&format_args!("expected the label `{PRIVATE_LABEL}`, got `{other}`"))),
        }
        let info = PrivateKeyInfoRef::try_from(document.as_bytes()).map_err(|error| private_error(&error))?;
        if info.algorithm != ALGORITHM_ID {
            return Err(private_error(&format_args!(
                "expected the algorithm {}, got {}",
                ALGORITHM_ID.oid, info.algorithm.oid
            )));
        }
        // RFC 8410: an OCTET STRING of 32 bytes within the OCTET STRING.
        let seed = info.private_key.as_bytes().strip_prefix(&SEED_HEADER).and_then(|seed| seed.try_into().ok());
        let key = Self::from_random(seed.ok_or_else(|| private_error(&"expected a key of 32 bytes"))?);
        match info.public_key.map(|bits| bits.as_bytes() == Some(key.public().as_bytes().as_slice())) {
            Some(false) => Err(private_error(&"its public key is another's")),
            Some(true) | None => Ok(key),
        }
    }

    /// Writes PKCS#8 version 1 as PEM.
    pub fn to_pkcs8_pem(&self) -> Zeroizing<String> {
        let mut private_key = Zeroizing::new([0; 34]);
        private_key[..2].copy_from_slice(&SEED_HEADER);
        private_key[2..].copy_from_slice(self.0.as_bytes());
        let private_key = OctetStringRef::new(&*private_key).expect("34 bytes are a short string");
        // Without the public key it is version 1.
        let info = PrivateKeyInfoRef { algorithm: ALGORITHM_ID, private_key, public_key: None };
        let document = SecretDocument::encode_msg(&info).expect("34 bytes fit a document");
        document.to_pem(PRIVATE_LABEL, LineEnding::LF).expect("the label is plain text")
    }

    /// Reads the key file `path`.
    ///
    /// # Errors
    /// [`KeyError`]; on Unix also when its group or others may read, write or run the file.
    pub fn load(path: &Path) -> Result<Self, KeyError> {
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
        let pem = read_text(path, file)?;
        Self::from_pkcs8_pem(&pem).map_err(|error| in_file(path, error))
    }

    /// Writes the key to the new file `path`, for its owner only, at once or not at all.
    ///
    /// # Errors
    /// [`KeyError::Create`], also when there is such a file already: a key is never written over.
    pub fn create_new(&self, path: &Path) -> Result<(), KeyError> {
        let failed = |source| KeyError::Create { path: path.to_owned(), source };
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        // tempfile opens with O_EXCL and mode 0600; a link, unlike a rename, replaces nothing.
        let mut file = tempfile::NamedTempFile::new_in(directory).map_err(failed)?;
        file.write_all(self.to_pkcs8_pem().as_bytes()).map_err(failed)?;
        file.as_file().sync_all().map_err(failed)?;
        file.persist_noclobber(path).map_err(|error| failed(error.error))?;
        #[cfg(unix)]
        File::open(directory).and_then(|directory| directory.sync_all()).map_err(failed)?;
        Ok(())
    }

    /// The public key.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// Signs a message with pure Ed25519.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.public().keyid())
    }
}

impl PublicKey {
    /// The key of 32 bytes.
    ///
    /// # Errors
    /// [`KeyError::Public`] when they are no point of the curve, [`KeyError::Weak`].
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, KeyError> {
        let key = ed25519_dalek::VerifyingKey::from_bytes(bytes).map_err(|error| public_error(&error))?;
        Self::strong(key)
    }

    /// Reads SPKI PEM.
    ///
    /// # Errors
    /// [`KeyError::Public`] and [`KeyError::Weak`].
    pub fn from_spki_pem(pem: &str) -> Result<Self, KeyError> {
        let key = ed25519_dalek::VerifyingKey::from_public_key_pem(pem.trim_end());
        Self::strong(key.map_err(|error| public_error(&error))?)
    }

    /// Writes SPKI PEM.
    pub fn to_spki_pem(&self) -> String {
        self.0.to_public_key_pem(LineEnding::LF).expect("32 bytes always fit SPKI")
    }

    /// Reads the key file `path`, in any of the three forms.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn load(path: &Path) -> Result<Self, KeyError> {
        let text = read_text(path, open(path)?)?;
        text.parse().map_err(|error| in_file(path, error))
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// The key's id: SHA-256 of `{"keytype":"ed25519","keyval":{"public":"<hex>"},"scheme":"ed25519"}`.
    pub fn keyid(&self) -> Sha256Digest {
        let public = hex(self.as_bytes());
        sha256(format!(r#"{{"keytype":"ed25519","keyval":{{"public":"{public}"}},"scheme":"ed25519"}}"#).as_bytes())
    }

    /// Whether `signature` is this key's over `message`, by the strict rules: canonical encodings, no small order.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let signature = ed25519_dalek::Signature::from_slice(signature);
        signature.is_ok_and(|signature| self.0.verify_strict(message, &signature).is_ok())
    }

    fn strong(key: ed25519_dalek::VerifyingKey) -> Result<Self, KeyError> {
        if key.is_weak() { Err(KeyError::Weak { key: hex(key.as_bytes()) }) } else { Ok(Self(key)) }
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let text = text.trim_end();
        if text.starts_with("-----") {
            return Self::from_spki_pem(text);
        }
        // 64 digits are 48 bytes in Base64, so the forms cannot be confused.
        if let Ok(digits) = text.parse::<Sha256Digest>() {
            return Self::from_bytes(digits.as_bytes());
        }
        let bytes = STANDARD.decode(text).map_err(|error| KeyError::Public { message: error.to_string() })?;
        let bytes = <[u8; 32]>::try_from(bytes)
            .map_err(|bytes| KeyError::Public { message: format!("expected 32 bytes, got {}", bytes.len()) })?;
        Self::from_bytes(&bytes)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", hex(self.as_bytes()))
    }
}

impl Serialize for PublicKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_spki_pem())
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for PublicKey {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "PublicKey".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "An Ed25519 public key: SPKI PEM, or its 32 bytes in lowercase hex or standard Base64.",
        })
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
