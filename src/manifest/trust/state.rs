//! What a verifier remembers of trust documents, so that an old one cannot be served again.
//!
//! One entry per organisation: the root key it was pinned by, the newest version accepted, the root keys of that version,
//! and whether that root is believed when none is named. It protects only a verifier that keeps it: a fresh machine
//! accepts any version that has not expired.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::digest::Sha256Digest;
use crate::durable;
use crate::failure::{Advice, FailureKind, io_hint};
use crate::manifest::key::PublicKey;
use crate::manifest::strict_json::{self, JsonError};

use super::{Root, TrustError, TrustSource, read_file};

/// Every root that was pinned.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TrustState {
    roots: Vec<PinnedRoot>,
}

/// A root, and the newest document that was accepted of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct PinnedRoot {
    /// Id of the root key that the verifier named the first time.
    pub(super) anchor: Sha256Digest,
    version: u64,
    sha256: Sha256Digest,
    /// Who has to sign the next version.
    pub(super) root: Root,
    /// Whether a document of theirs is believed when no root is named with it. Entries of before there was a choice say
    /// nothing, and nobody chose then.
    #[serde(default)]
    believed: bool,
}

/// A state file, held by this process alone until it is dropped.
#[derive(Debug)]
pub struct StateFile {
    path: PathBuf,
    /// What was read, and is changed by [`super::Trust::accept`].
    pub state: TrustState,
    stored: TrustState,
    _lock: File,
}

/// A state file that cannot be used. It is never begun anew by itself: that would forget every version seen.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// It cannot be read, written or locked.
    #[error("trust state {path}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is no file: nothing would be remembered in `/dev/null`, and every old document would be accepted.
    #[error("trust state {path}: expected a regular file, which remembers, got something else")]
    NoFile {
        /// What stands there.
        path: PathBuf,
    },
    /// It is damaged.
    #[error("trust state {path}")]
    Json {
        /// The file.
        path: PathBuf,
        /// Why.
        source: JsonError,
    },
    /// It is damaged in what it says of a root.
    #[error("trust state {path}")]
    Root {
        /// The file.
        path: PathBuf,
        /// Why.
        source: TrustError,
    },
}

impl Advice for StateError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Io { path, source } => io_hint(source, path),
            Self::NoFile { .. } => Some("name a file with --trust-state FILE; one that is not there is begun".into()),
            Self::Json { path, .. } | Self::Root { path, .. } => {
                let without = "without it older trust documents are accepted again";
                Some(format!("restore {} from a backup, or delete it: {without}", path.display()))
            }
        }
    }

    fn kind(&self) -> FailureKind {
        match self {
            Self::Io { .. } => FailureKind::Missing,
            Self::NoFile { .. } | Self::Json { .. } | Self::Root { .. } => FailureKind::Failed,
        }
    }
}

impl TrustState {
    /// What is known of the root that `key` names: the one pinned by it, else one that has come to list it.
    pub(super) fn of(&self, key: &PublicKey) -> Option<&PinnedRoot> {
        let anchor = key.keyid();
        // In this order: another organisation may list any key as its own root.
        let anchored = self.roots.iter().find(|pinned| pinned.anchor == anchor);
        let listing = |pinned: &&PinnedRoot| pinned.root.keys.contains(key);
        let believed = || self.roots.iter().filter(|pinned| pinned.believed).find(listing);
        anchored.or_else(believed).or_else(|| self.roots.iter().find(listing))
    }

    /// The first root that is believed without being named of which enough keys have signed.
    pub(super) fn believed_signed_by(&self, has_signed: &impl Fn(&PublicKey) -> bool) -> Option<&PinnedRoot> {
        self.roots.iter().find(|pinned| pinned.believed && pinned.root.is_met(has_signed))
    }

    /// Pins the root keys of a document that was accepted; a root that was believed before stays so.
    pub(super) fn remember(&mut self, source: TrustSource, root: Root, believe: bool) {
        let TrustSource { anchor, version, sha256, root: _ } = source;
        let pinned = PinnedRoot { anchor, version, sha256, root, believed: believe };
        match self.roots.iter_mut().find(|known| known.anchor == anchor) {
            Some(known) => *known = PinnedRoot { believed: believe || known.believed, ..pinned },
            None => self.roots.push(pinned),
        }
    }
}

impl PinnedRoot {
    /// Refuses what is older than the newest document seen, and another one of its version.
    pub(super) fn check_version(&self, source: &TrustSource) -> Result<(), TrustError> {
        let TrustSource { version, sha256, .. } = *source;
        if version < self.version {
            return Err(TrustError::Rollback { got: version, seen: self.version });
        }
        if version == self.version && sha256 != self.sha256 {
            return Err(TrustError::SameVersion { version, expected: self.sha256, got: sha256 });
        }
        Ok(())
    }
}

impl StateFile {
    /// Reads the state file `path`, or begins one; waits while another process holds it.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn open(path: &Path) -> Result<Self, StateError> {
        let failed = |source| StateError::Io { path: path.to_owned(), source };
        if path.metadata().is_ok_and(|found| !found.is_file()) {
            return Err(StateError::NoFile { path: path.to_owned() });
        }
        fs::create_dir_all(durable::folder_of(path)).map_err(failed)?;
        // A file of its own: the state file is replaced, and a lock on the old one would hold nobody.
        let lock = File::create(path.with_extension("lock")).map_err(failed)?;
        lock.lock().map_err(failed)?;
        let state = match read_file(path) {
            Ok(bytes) => parse(path, &bytes)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => TrustState::default(),
            Err(error) => return Err(failed(error)),
        };
        Ok(Self { path: path.to_owned(), stored: state.clone(), state, _lock: lock })
    }

    /// Writes the state back, if it changed.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn save(&mut self) -> Result<(), StateError> {
        if self.state == self.stored {
            return Ok(());
        }
        let refused = |source| StateError::Json { path: self.path.clone(), source };
        let bytes = strict_json::to_vec(&self.state).map_err(refused)?;
        durable::write_whole(&self.path, &bytes)
            .map_err(|source| StateError::Io { path: self.path.clone(), source })?;
        self.stored = self.state.clone();
        Ok(())
    }
}

fn parse(path: &Path, bytes: &[u8]) -> Result<TrustState, StateError> {
    let state: TrustState =
        strict_json::from_slice(bytes).map_err(|source| StateError::Json { path: path.to_owned(), source })?;
    for pinned in &state.roots {
        // A threshold of zero, say, would let anybody sign.
        pinned.root.check().map_err(|source| StateError::Root { path: path.to_owned(), source })?;
    }
    Ok(state)
}
