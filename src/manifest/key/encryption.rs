//! Encryption of private keys at rest: PKCS#8 with PBES2 (RFC 8018), as OpenSSL 3.0 reads and writes it.
//!
//! Written: scrypt (RFC 7914) and AES-256-CBC. Read: also PBKDF2 with HMAC-SHA-2, which `openssl genpkey -aes256` and
//! `openssl pkcs8 -topk8` write. PBES1, DES and HMAC-SHA-1 are refused. The derived key stays in `pkcs5`'s own buffer,
//! which that crate does not erase; passphrase and plain text are erased here.

use pkcs8::der::Decode as _;
use pkcs8::der::asn1::OctetStringRef;
use pkcs8::pkcs5::pbes2::{Kdf, Parameters};
use pkcs8::pkcs5::{EncryptionScheme, scrypt};
use pkcs8::{EncryptedPrivateKeyInfoRef, SecretDocument};
use zeroize::Zeroizing;

use super::{KeyError, Passphrase, private_error};

/// What we write: 16 MiB five times over, which OWASP holds equal to 2^17 once. OpenSSL's decoder refuses scrypt with
/// more than 32 MiB.
const LOG_N: u8 = 14;
const BLOCK_SIZE: u32 = 8;
const PARALLELISM: u32 = 5;

/// Most iterations of PBKDF2 that a file may ask for, some seconds of work: OpenSSL's default is 2048, OWASP's advice
/// 600,000. A hostile file must not keep us busy for days.
const MAX_ITERATIONS: u64 = 10_000_000;

/// Most memory in bytes that a file may ask for with scrypt.
const MAX_SCRYPT_BYTES: u64 = 256 << 20;

/// Most scrypt blocks mixed (cost · block size · parallelism), some seconds of work.
const MAX_SCRYPT_BLOCKS: u64 = 1 << 23;

/// Length of a cipher's block, and of what pads a plain text at most.
const AES_BLOCK: usize = 16;

/// Random bytes that make each encryption another one. Used once.
pub struct Salt([u8; 32]);

impl Salt {
    /// Of random bytes, which the caller takes from the operating system.
    pub fn from_random(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

/// An encrypted private key whose demands are bearable.
pub(super) struct EncryptedKey {
    parameters: Parameters,
    data: Vec<u8>,
}

/// Encrypts a PKCS#8 document.
pub(super) fn encrypt(document: &[u8], passphrase: &Passphrase, salt: Salt) -> SecretDocument {
    let (salt, iv) = salt.0.split_at(16);
    let cost = scrypt::Params::new(LOG_N, BLOCK_SIZE, PARALLELISM).expect("sound constants");
    let iv = iv.try_into().expect("16 bytes are left");
    let parameters = Parameters::generate_scrypt_aes256cbc(cost, salt, iv).expect("a salt of 16 bytes");
    let mut buffer = Zeroizing::new(vec![0; document.len() + AES_BLOCK]);
    buffer[..document.len()].copy_from_slice(document);
    let data = parameters.encrypt_in_place(passphrase.as_bytes(), &mut buffer, document.len());
    let encrypted_data = OctetStringRef::new(data.expect("there is room for the padding")).expect("a short string");
    let info = EncryptedPrivateKeyInfoRef { encryption_algorithm: parameters.into(), encrypted_data };
    SecretDocument::encode_msg(&info).expect("a short document")
}

impl EncryptedKey {
    /// Reads an `EncryptedPrivateKeyInfo`.
    ///
    /// # Errors
    /// [`KeyError::Private`] for another scheme, [`KeyError::DerivationCost`].
    pub(super) fn from_der(der: &[u8]) -> Result<Self, KeyError> {
        let info = EncryptedPrivateKeyInfoRef::from_der(der).map_err(|error| private_error(&error))?;
        let EncryptionScheme::Pbes2(parameters) = info.encryption_algorithm else {
            return Err(private_error(&"expected encryption by PBES2, got the older PBES1"));
        };
        check_cost(&parameters.kdf)?;
        Ok(Self { parameters, data: info.encrypted_data.as_bytes().to_vec() })
    }

    /// The document inside.
    ///
    /// # Errors
    /// [`KeyError::WrongPassphrase`], and [`KeyError::Private`] for an algorithm that is not supported.
    pub(super) fn decrypt(&self, passphrase: &Passphrase) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let mut buffer = Zeroizing::new(self.data.clone());
        let opened = self.parameters.decrypt_in_place(passphrase.as_bytes(), &mut buffer);
        let length = match opened {
            Ok(plain) => plain.len(),
            Err(pkcs8::pkcs5::Error::DecryptFailed) => return Err(KeyError::WrongPassphrase),
            Err(error) => return Err(private_error(&error)),
        };
        buffer.truncate(length);
        Ok(buffer)
    }
}

/// Refuses what would take too long, or more memory than there is.
fn check_cost(kdf: &Kdf) -> Result<(), KeyError> {
    let within = |parameter, got, limit| match (1..=limit).contains(&got) {
        true => Ok(()),
        false => Err(KeyError::DerivationCost { parameter, got, limit }),
    };
    match kdf {
        Kdf::Pbkdf2(params) => within("iterations", params.iteration_count.into(), MAX_ITERATIONS),
        Kdf::Scrypt(params) => {
            let (block, parallelism) = (u64::from(params.block_size), u64::from(params.parallelization));
            // A cost of zero would divide by itself further down; nothing overflows in saturating arithmetic.
            within("cost", params.cost_parameter, MAX_SCRYPT_BLOCKS)?;
            let blocks = params.cost_parameter.saturating_mul(block);
            within("memory in bytes", blocks.saturating_mul(128), MAX_SCRYPT_BYTES)?;
            within("blocks", blocks.saturating_mul(parallelism), MAX_SCRYPT_BLOCKS)
        }
        _ => Err(private_error(&"expected a key derivation by PBKDF2 or scrypt")),
    }
}
