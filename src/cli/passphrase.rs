//! Passphrases of private keys: from a file, the environment or a prompt, never from the command line, which every user
//! of the machine can read.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use crate::failure::{Advice, FailureKind, Result};
use crate::manifest::key::Passphrase;
use zeroize::Zeroizing;

/// Where it is looked for when no file is named.
pub const VARIABLE: &str = "SPECTRAMIND_PASSPHRASE";

/// Where the passphrase of an encrypted key comes from.
#[derive(clap::Args)]
// clap names a group after the struct, and commands flatten this beside others of that name.
#[group(skip)]
pub struct Arguments {
    /// Read the passphrase of an encrypted key from this file (mode 0600) [default: the environment variable
    /// SPECTRAMIND_PASSPHRASE, or a prompt]
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

/// A passphrase that cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum PassphraseError {
    /// Nobody is there to be asked.
    #[error("key file {key} needs a passphrase, and there is no terminal to ask for it")]
    NoTerminal {
        /// The key file.
        key: PathBuf,
    },
    /// The terminal cannot be read.
    #[error("cannot read the passphrase from the terminal")]
    Prompt(#[from] io::Error),
    /// What was typed first and what was typed again.
    #[error("the two passphrases differ")]
    Different,
    /// The environment variable is no text.
    #[error("environment variable {VARIABLE} is not UTF-8")]
    NotText,
}

impl Advice for PassphraseError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoTerminal { .. } => {
                format!("use --passphrase-file FILE (mode 0600) or the environment variable {VARIABLE}")
            }
            Self::Different => "type the same twice".into(),
            Self::Prompt(_) | Self::NotText => "use --passphrase-file FILE (mode 0600)".into(),
        })
    }

    fn kind(&self) -> FailureKind {
        match self {
            Self::NoTerminal { .. } => FailureKind::Usage,
            Self::Prompt(_) => FailureKind::Missing,
            Self::Different | Self::NotText => FailureKind::Failed,
        }
    }
}

impl Arguments {
    /// The passphrase that opens the key file.
    ///
    /// # Errors
    /// [`PassphraseError`], and what a file or an empty passphrase is refused for.
    pub fn to_open(&self, key: &Path) -> Result<Passphrase> {
        match self.given()? {
            Some(passphrase) => Ok(passphrase),
            None => Ok(Passphrase::new(prompt(key, "Passphrase of")?)?),
        }
    }

    /// A passphrase for a new key file; who types it does so twice.
    ///
    /// # Errors
    /// As [`to_open`](Self::to_open).
    pub fn to_encrypt(&self, key: &Path) -> Result<Passphrase> {
        if let Some(passphrase) = self.given()? {
            return Ok(passphrase);
        }
        let first = prompt(key, "New passphrase of")?;
        if first.is_empty() || *first == *prompt(key, "Again, passphrase of")? {
            return Ok(Passphrase::new(first)?);
        }
        Err(PassphraseError::Different.into())
    }

    /// The one of the file or the environment.
    fn given(&self) -> Result<Option<Passphrase>> {
        if let Some(path) = &self.passphrase_file {
            return Ok(Some(Passphrase::load(path)?));
        }
        let Some(value) = std::env::var_os(VARIABLE) else { return Ok(None) };
        let text = value.into_string().map_err(|_| PassphraseError::NotText)?;
        Ok(Some(Passphrase::new(Zeroizing::new(text))?))
    }
}

fn prompt(key: &Path, what: &str) -> Result<Zeroizing<String>, PassphraseError> {
    // A job of a scheduler may have a terminal that nobody sits at; its standard input is none.
    if !io::stdin().is_terminal() {
        return Err(PassphraseError::NoTerminal { key: key.to_owned() });
    }
    Ok(Zeroizing::new(rpassword::prompt_password(format!("{what} {}: ", key.display()))?))
}
