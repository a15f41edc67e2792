//! Pre-registration: is this the run that was committed to before it was made?

use super::{Check, VerifiedRun};
use crate::config::Config;
use crate::manifest::commitment::subject_digest;
use crate::manifest::predicate::TrainingRun;
use crate::manifest::verified::{Signer, VerifiedCommitment};

/// What a commitment does not say of itself.
const RECEIPT: &str = "it shows that the config was chosen before the run only if you received this file before the run: \
                       when it says it was made is self-asserted";

impl VerifiedRun {
    /// Compares the run with the commitment that the checker received before it. `config` is the config as the checker
    /// composed it, if they did.
    pub fn check_commitment(&self, commitment: &VerifiedCommitment, config: Option<&Config>) -> Check {
        let mut check = Check::new("commitment");
        for fault in faults(commitment, self.claim(), self.manifest.signers()) {
            check.fail(fault);
        }
        if let Some(config) = config.filter(|config| composed_as(config, self.claim())) {
            match subject_digest(config) {
                Ok(digest) if digest == commitment.subject() => {}
                Ok(digest) => check.fail(format!(
                    "subject of the commitment: expected the composed config, sha256 {digest}, got {}",
                    commitment.subject()
                )),
                Err(error) => check.not_checked(format!("subject of the commitment: {error}")),
            }
        }
        let claim = commitment.commitment();
        for signer in commitment.signers() {
            check.note(format!("signed by {} (keyid {})", signer.name, signer.keyid));
        }
        check.note(format!("config digest {}, made at {} (self-asserted)", claim.config.digest, claim.made_at));
        if let (Some(then), Some(run)) = (&claim.git, &self.claim().git)
            && then.commit != run.commit
        {
            check.note(format!("committed to at the commit {}, and the run is of {}", then.commit, run.commit));
        }
        check.note(RECEIPT.into());
        check
    }
}

/// Whether this is the config that the run says it was made with.
pub(super) fn composed_as(config: &Config, claim: &TrainingRun) -> bool {
    config.digest().is_ok_and(|digest| digest == claim.config.digest)
}

/// Why a run is not the one that was committed to.
pub(super) fn faults(commitment: &VerifiedCommitment, claim: &TrainingRun, signers: &[Signer]) -> Vec<String> {
    let committed = commitment.commitment();
    let mut faults = Vec::new();
    if committed.config.digest != claim.config.digest {
        faults.push(format!(
            "config: expected the one that was committed to, digest {}, got {}: every key counts, as run.dir and \
             ${{now:…}} do",
            committed.config.digest, claim.config.digest
        ));
    } else if claim.training().map(|training| training.seed) != Some(committed.seed) {
        let got = claim.training().map_or("none".to_owned(), |training| training.seed.to_string());
        faults.push(format!("seed: expected {}, which was committed to, got {got}", committed.seed));
    }
    if !signers.iter().any(|signer| commitment.signers().iter().any(|other| other.keyid == signer.keyid)) {
        let by: Vec<_> = commitment.signers().iter().map(|signer| signer.keyid.to_string()).collect();
        faults.push(format!("expected a signer of the manifest to have committed to it, got {}", by.join(", ")));
    }
    if committed.made_at > claim.started_at {
        faults.push(format!(
            "expected a commitment from before the run, got one made at {} of a run that started at {} (both \
             self-asserted)",
            committed.made_at, claim.started_at
        ));
    }
    faults
}

#[cfg(test)]
pub(super) mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::{Composer, SearchPath};
    use crate::digest::{Blake3Digest, sha256};
    use crate::manifest::commitment::ConfigCommitment;
    use crate::manifest::commitment::tests::example;
    use crate::manifest::dsse::{Envelope, Profile};
    use crate::manifest::key::SigningKey;
    use crate::manifest::predicate::tests::example as run;
    use crate::manifest::statement::{Statement, Subject};
    use crate::manifest::strict_json::{self, DecimalU64};
    use crate::manifest::trust::Trust;
    use crate::manifest::verified::tests_of_commitment::signed;
    use crate::manifest::verified::verify_commitment;
    use crate::provenance::path::RelativePath;
    use crate::verify::Verdict;

    /// The commitment as the key signed it.
    pub(in crate::verify) fn by(commitment: ConfigCommitment, byte: u8) -> VerifiedCommitment {
        let trust = Trust::single(SigningKey::from_random(&[byte; 32]).public());
        let at = "2026-06-01T00:00:00Z".parse().expect("a time");
        verify_commitment(&signed(commitment, byte), &trust, at, Profile::Strict).expect("a sound commitment")
    }

    pub(in crate::verify) fn signer(byte: u8) -> Vec<Signer> {
        let keyid = SigningKey::from_random(&[byte; 32]).public().keyid();
        vec![Signer { name: "the given key".into(), keyid }]
    }

    #[track_caller]
    fn assert_fault(commitment: ConfigCommitment, byte: u8, piece: &str) {
        let found = faults(&by(commitment, byte), &run(), &signer(1));
        assert!(found.len() == 1 && found[0].contains(piece), "{piece}: {found:?}");
    }

    #[test]
    fn the_run_that_was_committed_to_has_no_fault() {
        assert_eq!(faults(&by(example(), 1), &run(), &signer(1)), Vec::<String>::new());
    }

    #[test]
    fn a_commitment_is_held_against_the_composed_config_and_says_what_it_cannot_show() {
        let files = |text: &str| [("train.yaml".to_owned(), text.to_owned())].into();
        let compose = |text| {
            let search_path = SearchPath::new().memory("main", files(text));
            Composer::new(search_path).compose::<&str>("train", &[]).expect("composes")
        };
        // What the example commitment's subject is the digest of.
        let (right, other) = (compose("a: 1\n"), compose("a: 2\n"));
        for (config, verdict) in
            [(Some(&right), Verdict::Passed), (Some(&other), Verdict::Failed), (None, Verdict::Passed)]
        {
            let digest = config.map_or(run().config.digest, |config| config.digest().expect("resolves").into());
            let mut claim = run();
            claim.config.digest = digest;
            let mut commitment = example();
            commitment.config.digest = digest;
            let check = signed_run(claim).check_commitment(&by(commitment, 1), config);
            assert_eq!(check.verdict, verdict, "{:?}", check.findings);
            assert!(check.findings.iter().any(|finding| finding.message.contains("only if you received this file")));
        }
    }

    /// A run of the key 1.
    fn signed_run(claim: TrainingRun) -> VerifiedRun {
        let key = SigningKey::from_random(&[1; 32]);
        let subject = Subject::new(RelativePath::parse("a").expect("a path"), sha256(b""));
        let payload = strict_json::to_vec(&Statement::new(vec![subject], claim).expect("a statement")).expect("small");
        let line = Envelope::sign(&payload, &[&key]).expect("signs").to_line().expect("small");
        let (trust, at) = (Trust::single(key.public()), "2026-06-01T00:00:00Z".parse().expect("a time"));
        let (_, run) = VerifiedRun::of_bundle(Path::new("run"), &line, &trust, at, Profile::Strict);
        run.expect("a good signature")
    }

    #[test]
    fn another_config_than_was_committed_to_is_found() {
        let mut other = example();
        other.config.digest = Blake3Digest::from_bytes([77; 32]);
        assert_fault(other, 1, "config: expected the one that was committed to");
    }

    #[test]
    fn a_commitment_by_somebody_else_is_none() {
        assert_fault(example(), 2, "expected a signer of the manifest");
    }

    #[test]
    fn a_commitment_that_says_it_was_made_after_the_run_began_is_none() {
        let late = ConfigCommitment { made_at: "2026-01-31T12:00:00.1Z".parse().expect("a time"), ..example() };
        assert_fault(late, 1, "from before the run");
    }

    #[test]
    fn a_commitment_to_another_seed_than_its_config_has_is_found() {
        assert_fault(ConfigCommitment { seed: DecimalU64(43), ..example() }, 1, "seed: expected 43");
    }
}
