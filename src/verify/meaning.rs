//! What each check proves when it passes: one sentence, the same in every report.

/// The checks of a run, of a command that is run twice and of golden cases, in the order they are made, and what each proves when it passes.
///
/// The names are stable: reports for other programs use them as rule ids.
pub const MEANINGS: [(&str, &str); 22] = [
    (
        "trust",
        "The trust document is signed by a root that was named now, or earlier with the wish to remember it (the finding says \
         which), not expired, and not older than what this verifier saw of that root before. It does not prove that the root \
         belongs to whom you think.",
    ),
    (
        "signature",
        "Holders of trusted keys signed exactly these bytes, for the run, challenge and nonce that were expected, if \
         any were. It does not prove that what they say is true, nor that the run is their own work.",
    ),
    (
        "files",
        "Every signed file of the run directory has the bytes that were signed, and no other file is there but those that \
         were allowed. It does not prove how they came about; the finding names those that nothing looks into.",
    ),
    (
        "steps",
        "The step log and its list of hashes are those that were signed: no step was changed, removed, added or reordered \
         since. It does not prove that the steps were ever computed; a replay does.",
    ),
    (
        "record",
        "What the run started from and, of a training, the log of metrics and the log of events say what the signed \
         statement says; the events are a chain, with the figures of the step log, and the log of metrics says the same. It does not prove that any of it is true, nor \
         when it was.",
    ),
    (
        "config",
        "The config files that are composed are the recorded ones, all of them, with the recorded bytes, and composing \
         them with the recorded overrides gives the signed config, from which limits, seed, data sets, Hydra's files \
         and the config that a command was given follow.",
    ),
    (
        "git",
        "The work tree that was looked at is the recorded one, byte for byte, at the recorded commit; of a folder without \
         a repository, its files are those of the recorded tree. Config files that were composed and that the commit does \
         not hold are named, and the record names them, too.",
    ),
    (
        "program",
        "The trainer's program says that it was built from the recorded commit, or, where that was asked, from the commit \
         that this verifier was built from. It is the program's own word.",
    ),
    (
        "data",
        "In every data set that was looked at, the files are those of the signed list, with the recorded bytes, and no \
         others. A finding names derived data that are not here; a replay makes them again. It does not prove that the \
         data are what they claim to be about, nor that a command read no others than its config declares.",
    ),
    (
        "envelope",
        "The limits, if there are any, are kept by the figures in the record. The figures are the trainer's own word.",
    ),
    (
        "end",
        "The run ended as its config plans, by the signed steps and figures: it did every epoch, or says that it stopped \
         early, or met its time limit, or ended in time for its limits. How long it took is the trainer's own word, so an end by the clock may have been \
         picked. Of a command: the record says that it exited with 0. An end that somebody chose by a signal is not checked.",
    ),
    (
        "commitment",
        "A signer of the manifest also signed the file that was given as the commitment, and it names the digest of the \
         run's config. That the config was chosen before the run follows only if you received that file before the run, \
         which no file can show.",
    ),
    (
        "policy",
        "The record says what the verifier's policy demands; of the rules config, replay, commitment, nonce and \
         roles.verifier it was found here. Whether the record is true is for the other checks.",
    ),
    (
        "replay",
        "Making derived data and training again, by this program, from the recorded config and through the signed lists of \
         data, gave the signed data, every signed step, the metrics, every signed checkpoint and the predictions, bit for \
         bit. The check program says whether the program is built from the recorded sources. Of a command: running it again \
         from the recorded sources and inputs gave every output that its config declares and the metrics of the record, bit for bit; how it came to them nobody \
         looked at.",
    ),
    (
        "time",
        "Training again took no more than twice the limit on wall time and a minute, carried over to the device of the run by how long one computation \
         takes on both. How long it took there, and on how many devices the run was made, is the trainer's own word: a false one hides an excess.",
    ),
    (
        "segments",
        "Of all steps, samples, learning rates and the places of state digests are those that config and data give, and every \
         audit point that is here holds the state that its signed leaf names. The first, the last and some randomly drawn segments, \
         trained again, gave their signed steps and the states at their ends, bit for bit; with the last one the metrics, the final \
         checkpoint and the predictions. The finding says with what probability a false segment would have been among them.",
    ),
    (
        "dispute",
        "The step that was looked into, trained here from the signed state before it, gave the signed leaf, and every op of it gave the \
         same on the other device or in the other trace, if there was one. It proves nothing of other steps.",
    ),
    (
        "verdict",
        "A verifier whose key is trusted now, and did not sign the run itself, signed a verdict about exactly this manifest: \
         every check passed, and the run was made again. The check signature says whether the trainer's key is trusted \
         now. None of the verifier's checks was made again, but for the files.",
    ),
    ("signing", "The verifier's own verdict on these checks was signed and written."),
    (
        "twice",
        "Every run of the command ended alike and left the same, bit for bit, in what the findings say was compared. It does \
         not prove that it is right, nor that it would be the same on another machine, at another time, or with something \
         else varied.",
    ),
    ("variation", "With this varied, to the values that the finding names, nothing changed of what was compared."),
    ("golden", "The golden case still gives the expected digests: this program computes what it computed before."),
];

/// What the check of that name proves when it passes: `variation locale` is a `variation`. A name that is not in [`MEANINGS`]
/// is that of a golden case.
pub fn meaning(check: &str) -> (&'static str, &'static str) {
    let [.., golden] = MEANINGS;
    let kind = if check.starts_with("variation ") { "variation" } else { check };
    MEANINGS.into_iter().find(|(name, _)| *name == kind).unwrap_or(golden)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_without_a_meaning_of_its_own_is_a_golden_case() {
        assert_eq!(meaning("steps").0, "steps");
        assert_eq!(meaning("variation locale").0, "variation");
        assert_eq!(meaning("cpu-portable").0, "golden");
    }
}
