//! Re-checking a run: claim → checks → report. Prints nothing.
//!
//! [`VerifiedRun::open`] checks the signature; every other check is a method of what it returns, so none can be made
//! on a manifest that nobody vouched for. A check that could not be made is [`Verdict::NotChecked`], never a pass.

mod commitment;
mod config;
mod coverage;
mod data;
mod draw;
mod end;
mod envelope;
mod events;
mod expectation;
mod files;
mod git;
mod meaning;
mod policy;
mod program;
mod record;
mod report;
pub mod text;
mod verdict;

use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::foreign;
use crate::manifest::dsse::{MAX_BUNDLE_BYTES, Profile};
use crate::manifest::predicate::TrainingRun;
use crate::manifest::trust::Trust;
use crate::manifest::verified::{VerifiedManifest, verify_bundle};

pub use self::config::{ConfigsPlace, KnownWorkloads, command_configs};
pub use self::coverage::{COMMAND_CONFIG_JSON, COMMAND_CONFIG_YAML, COMMAND_END, COMMAND_STDERR, COMMAND_STDOUT};
pub use self::data::{DataPlaces, Derived, SignedData};
pub use self::draw::{Draw, detection_probability};
pub use self::envelope::check_plan;
pub use self::expectation::Expectation;
pub use self::files::{STEP_LEAVES, Unsigned};
pub use self::git::GitEvidence;
pub use self::meaning::{MEANINGS, meaning};
pub use self::policy::{BUILT_IN_POLICIES, Evidence, Policy, PolicyError, PolicyFile};
pub use self::program::ProgramPlace;
pub use self::report::{
    Check, Finding, NOT_PROVED, NamedCommit, NamedData, Report, SelfAssertedFigures, SelfAssertedTimes, SignedRun,
    SigningParty, TrainedAgain, Verdict,
};
pub use self::verdict::{Audit, VerdictError, VerdictReport, Verifiers, check_verdict};
pub use crate::manifest::claimed::MANIFEST;

/// Name of a verifier's verdict inside a run directory, unless it is kept elsewhere. No subject of the manifest: it is
/// written after it.
pub const VERDICT: &str = "verdict.intoto.jsonl";

/// Largest signed file that is read into memory: a list of five million data files, or as many steps.
const MAX_READ_BYTES: u64 = 1 << 30;

/// A run directory whose manifest carries the signatures that the trust policy asks for.
#[derive(Debug)]
pub struct VerifiedRun {
    root: PathBuf,
    manifest: VerifiedManifest,
}

impl VerifiedRun {
    /// Reads and verifies the manifest of the run in `root`, at time `at`.
    ///
    /// Returns the check that was made, and the run if it passed.
    pub fn open(root: &Path, trust: &Trust, at: Timestamp, profile: Profile) -> (Check, Option<Self>) {
        let mut check = Check::new("signature");
        match read_bundle(root, MANIFEST, &mut check) {
            Some(bytes) => Self::of_bundle(root, &bytes, trust, at, profile),
            None => (check, None),
        }
    }

    /// Verifies the manifest that was read from the run in `root`.
    fn of_bundle(root: &Path, bytes: &[u8], trust: &Trust, at: Timestamp, profile: Profile) -> (Check, Option<Self>) {
        let mut check = Check::new("signature");
        let path = root.join(MANIFEST);
        match verify_bundle(bytes, trust, at, profile) {
            Ok(manifest) => {
                for signer in manifest.signers() {
                    check.note(format!("signed by {} (keyid {})", signer.name, signer.keyid));
                }
                check.note(format!("manifest sha256 {}", manifest.identity()));
                (check, Some(Self { root: root.to_owned(), manifest }))
            }
            Err(error) => {
                check.fail_at(&path, format!("{}: {}", path.display(), chain(&error)));
                (check, None)
            }
        }
    }

    /// The run directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The verified manifest.
    pub fn manifest(&self) -> &VerifiedManifest {
        &self.manifest
    }

    /// What the trainer claims.
    pub fn claim(&self) -> &TrainingRun {
        self.manifest.predicate()
    }
}

/// Reads a bundle of signed statements from a folder, which may be hostile: a pipe that never ends, a link, terabytes.
/// Otherwise the reason is in `check`.
fn read_bundle(folder: &Path, name: &str, check: &mut Check) -> Option<Vec<u8>> {
    match foreign::open(folder, name).and_then(|file| file.read(MAX_BUNDLE_BYTES as u64)) {
        Ok(bytes) => Some(bytes),
        Err(error) => {
            files::refuse(&folder.join(name), error, check);
            None
        }
    }
}

/// An error and its causes on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
