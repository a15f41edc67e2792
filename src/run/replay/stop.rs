//! Why a replay ended early: something is wrong, or something is not here.

use crate::failure::{Failure, FailureKind};
use crate::verify::{Check, Verdict};

/// Why a replay ended without all of it being the same.
pub(crate) enum Stop {
    /// Something is not what was signed.
    Failed(String),
    /// Something is not here: then nothing is known.
    NotChecked(String),
}

/// Puts what came of a replay into its check.
pub(crate) fn conclude(outcome: Result<Vec<String>, Stop>, check: &mut Check) {
    match outcome {
        Ok(findings) => findings.into_iter().for_each(|finding| check.note(finding)),
        Err(Stop::Failed(finding)) => check.fail(finding),
        Err(Stop::NotChecked(finding)) => check.not_checked(finding),
    }
}

/// The worst finding of a check that did not pass.
pub(crate) fn worst(check: Check) -> Stop {
    let verdict = check.verdict;
    let finding = check.findings.into_iter().find(|finding| finding.verdict == verdict);
    let message = finding.map_or_else(|| "it could not be checked".to_owned(), |finding| finding.message);
    if verdict == Verdict::Failed { Stop::Failed(message) } else { Stop::NotChecked(message) }
}

/// An error of this machine, whatever the run is like.
pub(crate) fn not_checked(error: impl Into<Failure>) -> Stop {
    Stop::NotChecked(error.into().to_string())
}

/// An error that the run is to blame for.
pub(crate) fn failed(error: impl Into<Failure>) -> Stop {
    Stop::Failed(error.into().to_string())
}

/// What is not there was not checked; what is there and of no use cannot be what the run was trained on.
pub(crate) fn stop(failure: Failure) -> Stop {
    match failure.kind() {
        FailureKind::Missing => not_checked(failure),
        FailureKind::Usage | FailureKind::Failed => failed(failure),
    }
}
