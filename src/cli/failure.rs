//! What a person is told when something went wrong: `Error:`, causes, `Hint:`, and the exit code.

use std::io::Write;
use std::process::ExitCode;

use crate::failure::{Advice, Failure, FailureKind};

/// The work failed.
const FAILED: u8 = 1;
/// The arguments or the configuration are wrong; what clap exits with, too.
const USAGE: u8 = 2;
/// A bug in this program.
pub const BUG: u8 = 70;

/// How a command ended that did not fail: all that is to be said has been said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// It is done, or the answer is a yes.
    Done,
    /// The answer is a no.
    No,
    /// What was asked cannot be answered: the arguments or the configuration are wrong.
    Wrong,
}

impl From<Told> for ExitCode {
    fn from(told: Told) -> Self {
        match told {
            Told::Done => Self::SUCCESS,
            Told::No => Self::from(FAILED),
            Told::Wrong => Self::from(USAGE),
        }
    }
}

/// The exit code for a failure.
pub fn exit_code(failure: &Failure) -> ExitCode {
    ExitCode::from(exit_status(failure))
}

/// The same as a number.
pub fn exit_status(failure: &Failure) -> u8 {
    match failure.kind() {
        FailureKind::Usage => USAGE,
        FailureKind::Missing | FailureKind::Failed => FAILED,
    }
}

/// Says on standard error what failed, why, and what to do about it.
pub fn tell(failure: &Failure) {
    let warnings = failure.warnings().iter().map(|warning| format!("Warning: {warning}\n"));
    let error = format!("Error: {}\n", failure.message());
    let causes = failure.causes().map(|cause| format!("  caused by: {cause}\n"));
    let hint = failure.hint().map(|hint| format!("Hint: {hint}\n"));
    let text: String = warnings.chain([error]).chain(causes).chain(hint).collect();
    // At once: what several processes write to one place is mixed in pieces. Where nobody listens there is nobody to tell.
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// The user's folders cannot be found.
impl Advice for etcetera::HomeDirError {}
