//! Public keys: SPKI PEM and what else people hand out.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::pkcs8::{DecodePublicKey, EncodePublicKey};
use pkcs8::LineEnding;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::digest::{Sha256Digest, sha256};

use super::{KeyError, foreign, hex, in_file, open, public_error, read_text};

/// A public Ed25519 key: never a weak one, and never in a second encoding.
///
/// As text: SPKI PEM, an OpenSSH line, a minisign key, or the 32 bytes in hex or standard Base64. Written as PEM.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(pub(super) ed25519_dalek::VerifyingKey);

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

    /// Writes the line of an OpenSSH public key file, without a comment.
    pub fn to_openssh(&self) -> String {
        foreign::to_openssh(self.as_bytes())
    }

    /// Writes SPKI PEM.
    pub fn to_spki_pem(&self) -> String {
        self.0.to_public_key_pem(LineEnding::LF).expect("32 bytes always fit SPKI")
    }

    /// Reads the key file `path`, in any of its forms.
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
        if key.is_weak() {
            return Err(KeyError::Weak { key: hex(key.as_bytes()) });
        }
        // Some points have a second encoding: one key under two ids could be counted twice.
        if key.to_edwards().compress().as_bytes() != key.as_bytes() {
            return Err(public_error(&"the point is not encoded canonically"));
        }
        Ok(Self(key))
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let text = text.trim_end();
        if text.starts_with("-----") {
            return Self::from_spki_pem(text);
        }
        if let Some(bytes) = foreign::openssh(text).or_else(|| foreign::minisign(text)) {
            return Self::from_bytes(&bytes?);
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
            "description": "An Ed25519 public key: SPKI PEM, an OpenSSH line, a minisign key, or its 32 bytes in lowercase hex or standard Base64.",
        })
    }
}
