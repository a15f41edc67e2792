//! What each check proves when it passes: one sentence, the same in every report.

/// The checks of a run and of golden cases, in the order an audit makes them, and what each proves when it passes.
///
/// The names are stable: reports for other programs use them as rule ids.
pub const MEANINGS: [(&str, &str); 14] = [
    (
        "trust",
        "The trust document is signed by its root, not expired, and not older than what this verifier saw before. It \
         does not prove that the root belongs to whom you think.",
    ),
    (
        "signature",
        "Holders of trusted keys signed exactly these bytes, for the run, challenge and nonce that were expected, if \
         any were. It does not prove that what they say is true.",
    ),
    (
        "files",
        "Every signed file of the run directory has the bytes that were signed. It does not prove how they came about.",
    ),
    (
        "steps",
        "The step log is the one that was signed: no step was changed, removed, added or reordered since. It does not \
         prove that the steps were ever computed; a replay does.",
    ),
    (
        "config",
        "The config files have the recorded bytes, and composing them again with the recorded overrides gives the \
         signed config.",
    ),
    (
        "git",
        "The work tree that was looked at is the recorded one, byte for byte, at the recorded commit; of a folder without \
         a repository, its files are those of the recorded tree. Config files that were composed and that the commit does \
         not hold are named, and the record names them, too.",
    ),
    (
        "data",
        "Every data file that the run used has the recorded bytes. It does not prove that the data are what they claim \
         to be about.",
    ),
    ("envelope", "The limits are kept by the figures in the record. The figures are the trainer's own word."),
    (
        "policy",
        "The record says what the verifier's policy demands. Whether the record is true is for the other checks.",
    ),
    (
        "replay",
        "Calibrating and training again from the recorded config, sources and data gave every signed step, the \
         metrics, the final checkpoint and the predictions, bit for bit.",
    ),
    (
        "sample",
        "Some randomly chosen stretches between checkpoints, trained again, gave their signed steps and states, bit \
         for bit. The finding says with what probability a bad stretch would have been among them.",
    ),
    ("verdict", "A trusted verifier, who did not sign the run itself, signed a verdict about exactly this manifest."),
    ("signing", "The verifier's own verdict on these checks was signed and written."),
    ("golden", "The golden case still gives the expected digests: this program computes what it computed before."),
];

/// What the check of that name proves when it passes. A name that is not in [`MEANINGS`] is that of a golden case.
pub fn meaning(check: &str) -> (&'static str, &'static str) {
    let [.., golden] = MEANINGS;
    MEANINGS.into_iter().find(|(name, _)| *name == check).unwrap_or(golden)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_without_a_meaning_of_its_own_is_a_golden_case() {
        assert_eq!(meaning("steps").0, "steps");
        assert_eq!(meaning("cpu-portable").0, "golden");
    }
}
