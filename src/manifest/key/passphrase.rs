//! Passphrases of private keys.

use std::path::Path;

use zeroize::Zeroizing;

use super::{KeyError, in_file, open_secret, read_text};

/// What opens an encrypted private key: some text, never empty, erased from memory when dropped.
///
/// There is no `Debug` for it to show in.
pub struct Passphrase(Zeroizing<String>);

impl Passphrase {
    /// The text, exactly: white space counts.
    ///
    /// # Errors
    /// [`KeyError::EmptyPassphrase`].
    pub fn new(text: Zeroizing<String>) -> Result<Self, KeyError> {
        if text.is_empty() { Err(KeyError::EmptyPassphrase) } else { Ok(Self(text)) }
    }

    /// Reads the file `path`, of which one line break at the end does not count.
    ///
    /// # Errors
    /// [`KeyError`], as for a private key's file: others may not be able to read it.
    pub fn load(path: &Path) -> Result<Self, KeyError> {
        let mut text = read_text(path, open_secret(path)?)?;
        if text.ends_with('\n') {
            text.pop();
            if text.ends_with('\r') {
                text.pop();
            }
        }
        Self::new(text).map_err(|error| in_file(path, error))
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}
