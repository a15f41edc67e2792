//! Private keys as PKCS#8 PEM.
//!
//! They are written as PKCS#8 **v1**: OpenSSL 3.0 refuses v2, which adds the public key. They are encoded here rather
//! than by `ed25519-dalek`, whose `KeypairBytes` leaves the secret in memory.

use std::fmt;
use std::io::Write;
use std::path::Path;

use ed25519_dalek::Signer as _;
use ed25519_dalek::pkcs8::ALGORITHM_ID;
use pkcs8::der::asn1::OctetStringRef;
use pkcs8::{LineEnding, PrivateKeyInfoRef, SecretDocument};
use zeroize::Zeroizing;

use crate::durable;

use super::encryption::{self, EncryptedKey, Salt};
use super::{KeyError, Passphrase, PublicKey, in_file, open_secret, private_error, read_text};

const PRIVATE_LABEL: &str = "PRIVATE KEY";
const ENCRYPTED_LABEL: &str = "ENCRYPTED PRIVATE KEY";

/// Tag and length of an OCTET STRING of 32 bytes, in DER.
const SEED_HEADER: [u8; 2] = [4, 32];

/// A private Ed25519 key. Erased from memory when dropped; its `Debug` shows the key id only.
pub struct SigningKey(pub(super) ed25519_dalek::SigningKey);

/// What a private key's PEM holds.
enum Content {
    Plain(SigningKey),
    Encrypted(EncryptedKey),
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
        match Content::from_pem(pem)? {
            Content::Plain(key) => Ok(key),
            Content::Encrypted(_) => Err(KeyError::Encrypted),
        }
    }

    /// Writes PKCS#8 version 1 as PEM.
    pub fn to_pkcs8_pem(&self) -> Zeroizing<String> {
        self.to_pkcs8_der().to_pem(PRIVATE_LABEL, LineEnding::LF).expect("the label is plain text")
    }

    /// Writes encrypted PKCS#8 as PEM, such that OpenSSL 3.0 reads it.
    pub fn to_encrypted_pem(&self, passphrase: &Passphrase, salt: Salt) -> Zeroizing<String> {
        let document = encryption::encrypt(self.to_pkcs8_der().as_bytes(), passphrase, salt);
        document.to_pem(ENCRYPTED_LABEL, LineEnding::LF).expect("the label is plain text")
    }

    /// Reads the key file `path`, which must not be encrypted.
    ///
    /// # Errors
    /// [`KeyError`]; on Unix also when its group or others may read, write or run the file.
    pub fn load(path: &Path) -> Result<Self, KeyError> {
        Self::load_with(path, || Err(in_file(path, KeyError::Encrypted)))
    }

    /// Reads the key file `path`; `passphrase` is asked only when the file is encrypted and what it asks for is sound.
    ///
    /// # Errors
    /// [`KeyError`] as from [`load`](Self::load), [`KeyError::WrongPassphrase`], and what `passphrase` returns.
    pub fn load_with<E: From<KeyError>>(
        path: &Path,
        passphrase: impl FnOnce() -> Result<Passphrase, E>,
    ) -> Result<Self, E> {
        let pem = read_text(path, open_secret(path)?)?;
        match Content::from_pem(&pem).map_err(|error| in_file(path, error))? {
            Content::Plain(key) => Ok(key),
            Content::Encrypted(key) => Ok(Self::open(&key, &passphrase()?).map_err(|error| in_file(path, error))?),
        }
    }

    /// Writes the key to the new file `path`, for its owner only, at once or not at all.
    ///
    /// # Errors
    /// [`KeyError::Create`], also when there is such a file already: a key is never written over.
    pub fn create_new(&self, path: &Path) -> Result<(), KeyError> {
        create_new(path, &self.to_pkcs8_pem())
    }

    /// [`create_new`](Self::create_new), encrypted.
    ///
    /// # Errors
    /// [`KeyError::Create`].
    pub fn create_new_encrypted(&self, path: &Path, passphrase: &Passphrase, salt: Salt) -> Result<(), KeyError> {
        create_new(path, &self.to_encrypted_pem(passphrase, salt))
    }

    /// The public key.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// Signs a message with pure Ed25519.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }

    fn to_pkcs8_der(&self) -> SecretDocument {
        let mut private_key = Zeroizing::new([0; 34]);
        private_key[..2].copy_from_slice(&SEED_HEADER);
        private_key[2..].copy_from_slice(self.0.as_bytes());
        let private_key = OctetStringRef::new(&*private_key).expect("34 bytes are a short string");
        // Without the public key it is version 1.
        let info = PrivateKeyInfoRef { algorithm: ALGORITHM_ID, private_key, public_key: None };
        SecretDocument::encode_msg(&info).expect("34 bytes fit a document")
    }

    fn from_pkcs8_der(der: &[u8]) -> Result<Self, KeyError> {
        let info = PrivateKeyInfoRef::try_from(der).map_err(|error| private_error(&error))?;
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

    fn open(key: &EncryptedKey, passphrase: &Passphrase) -> Result<Self, KeyError> {
        let der = key.decrypt(passphrase)?;
        // One wrong passphrase in 256 leaves sound padding around nonsense; a sound document of another kind is
        // called what it is.
        if PrivateKeyInfoRef::try_from(der.as_slice()).is_err() {
            return Err(KeyError::WrongPassphrase);
        }
        Self::from_pkcs8_der(&der)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.public().keyid())
    }
}

impl Content {
    fn from_pem(pem: &str) -> Result<Self, KeyError> {
        let (label, document) = SecretDocument::from_pem(pem.trim_end()).map_err(|error| private_error(&error))?;
        match label {
            PRIVATE_LABEL => SigningKey::from_pkcs8_der(document.as_bytes()).map(Self::Plain),
            ENCRYPTED_LABEL => EncryptedKey::from_der(document.as_bytes()).map(Self::Encrypted),
            other => Err(private_error(&format_args!(
                "expected the label `{PRIVATE_LABEL}` or `{ENCRYPTED_LABEL}`, got `{other}`"
            ))),
        }
    }
}

fn create_new(path: &Path, pem: &str) -> Result<(), KeyError> {
    let failed = |source| KeyError::Create { path: path.to_owned(), source };
    let directory = durable::folder_of(path);
    // tempfile opens with O_EXCL and mode 0600; a link, unlike a rename, replaces nothing.
    let mut file = tempfile::NamedTempFile::new_in(directory).map_err(failed)?;
    file.write_all(pem.as_bytes()).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist_noclobber(path).map_err(|error| failed(error.error))?;
    durable::sync_folder(directory).map_err(failed)
}
