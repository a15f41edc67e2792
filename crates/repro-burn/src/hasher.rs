//! BLAKE3 over typed fields, behind a domain string: no two purposes, and no two different inputs, share a preimage.

use blake3::Hash;

/// A digest that is being made.
pub(crate) struct DomainHasher(blake3::Hasher);

impl DomainHasher {
    /// Starts a digest for one purpose.
    pub(crate) fn new(domain: &str) -> Self {
        let mut hasher = Self(blake3::Hasher::new());
        hasher.field(domain.as_bytes());
        hasher
    }

    /// Adds one variable-length field, length first.
    pub(crate) fn field(&mut self, bytes: &[u8]) -> &mut Self {
        self.u64(bytes.len() as u64);
        self.0.update(bytes);
        self
    }

    /// Adds one integer, little-endian.
    pub(crate) fn u64(&mut self, value: u64) -> &mut Self {
        self.0.update(&value.to_le_bytes());
        self
    }

    /// Adds another digest.
    pub(crate) fn digest(&mut self, digest: &Hash) -> &mut Self {
        self.0.update(digest.as_bytes());
        self
    }

    /// The digest of all that was added.
    pub(crate) fn finish(&self) -> Hash {
        self.0.finalize()
    }
}
