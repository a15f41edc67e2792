//! Where a run goes, and what is there already.

use std::path::{Path, PathBuf};

use super::Surroundings;
use crate::engine::run_dir::{FINAL_CHECKPOINT, LAST_CHECKPOINT};
use crate::engine::snapshot::Snapshot;
use crate::failure::Failure;
use crate::manifest::predicate::ExitReason;
use crate::manifest::verified::read_unverified;
use crate::verify::MANIFEST;

/// Where a run goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Into a directory of its own, named by time and config below `run.root`.
    Own,
    /// Into a new directory that was chosen.
    New(PathBuf),
    /// Into the directory where an earlier process began it, and on from there; anew if that did not come far enough.
    Begun(PathBuf),
}

impl Place {
    /// The directory, where it is known already.
    pub fn directory(&self) -> Option<&Path> {
        match self {
            Self::Own => None,
            Self::New(directory) | Self::Begun(directory) => Some(directory),
        }
    }
}

/// A run's id: the time and the config.
pub(crate) fn run_id(surroundings: &Surroundings<'_>, digest: &str) -> String {
    format!("{}-{}", (surroundings.now)().0.strftime("%Y%m%dT%H%M%SZ"), &digest[..12])
}

/// Whether a run has a manifest that says it was completed.
pub fn is_complete(root: &Path) -> bool {
    matches!(signed_exit(root), Some(ExitReason::Completed | ExitReason::EarlyStopped))
}

/// Whether it has one that says it ended in time for its limit on wall time.
pub(super) fn met_wall_limit(root: &Path) -> bool {
    signed_exit(root) == Some(ExitReason::WallLimit)
}

fn signed_exit(root: &Path) -> Option<ExitReason> {
    let manifest = std::fs::read(root.join(MANIFEST)).ok()?;
    Some(read_unverified(&manifest).ok()?.predicate.exit.reason)
}

/// The one of `last` and `final` with more steps; none when the run ended before its first checkpoint.
pub(super) fn newest_checkpoint(root: &Path) -> Result<Option<Snapshot>, Failure> {
    let mut newest: Option<Snapshot> = None;
    for name in [LAST_CHECKPOINT, FINAL_CHECKPOINT] {
        let path = root.join(name);
        if path.exists() {
            let snapshot = Snapshot::read(&path)?;
            let step = |snapshot: &Snapshot| snapshot.progress.position.step;
            if newest.as_ref().is_none_or(|newest| step(&snapshot) > step(newest)) {
                newest = Some(snapshot);
            }
        }
    }
    Ok(newest)
}

/// The path, or the path with the first free number: two runs may start in one second.
pub(crate) fn unused(path: &Path) -> PathBuf {
    let numbered = (2..).map(|number| {
        path.with_file_name(format!("{}-{number}", path.file_name().unwrap_or_default().to_string_lossy()))
    });
    let mut candidates = std::iter::once(path.to_owned()).chain(numbered);
    candidates.find(|path| path.symlink_metadata().is_err()).expect("numbers do not end")
}
