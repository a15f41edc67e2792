//! What a verifier said of a run, as it lies in the run directory; its signature is not verified.

use crate::failure::Result;
use crate::foreign;
use crate::manifest::claimed::ClaimedRun;
use crate::manifest::verdict::ReplayVerdict;
use crate::manifest::verified::read_unverified_verdict;
use crate::verify::VERDICT;

/// Largest verdict that is read.
const MAX_VERDICT_BYTES: u64 = 1 << 26;

/// What a verifier's verdict in the directory says; nothing where there is none.
pub(super) fn verdict(run: &ClaimedRun) -> Result<Option<Result<ReplayVerdict, String>>> {
    let file = match foreign::open(run.root(), VERDICT) {
        Err(error) if error.is_missing() => return Ok(None),
        opened => opened?,
    };
    let verdict = read_unverified_verdict(&file.read(MAX_VERDICT_BYTES)?).map_err(|error| error.to_string());
    Ok(Some(verdict.and_then(|verdict| match verdict.manifest == run.identity() {
        true => Ok(verdict),
        false => Err(format!("it is about another manifest: {}", verdict.manifest)),
    })))
}
