//! Which run the checker asked for: a good signature on an old manifest must not pass for another run.

use super::{Check, VerifiedRun};

/// What the checker expects to be signed. Nothing of it comes from the manifest: whoever asks knows what they asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expectation {
    /// The run's id.
    pub run: Option<String>,
    /// The challenge it was made for.
    pub challenge: Option<String>,
    /// The nonce that the checker handed out for it.
    pub nonce: Option<String>,
}

impl VerifiedRun {
    /// The run, if it is the one expected; otherwise the `signature` check fails by every difference.
    ///
    /// The comparison is exact: no case folding, no trimming, and an absent value equals nothing.
    pub fn expect(self, expected: &Expectation, signature: &mut Check) -> Option<Self> {
        let claim = &self.claim().run;
        let pairs = [
            ("run id", &expected.run, Some(&claim.id)),
            ("challenge", &expected.challenge, claim.challenge.as_ref()),
            ("nonce", &expected.nonce, claim.nonce.as_ref()),
        ];
        let asked = || pairs.iter().filter_map(|(what, expected, got)| Some((what, expected.as_ref()?, got)));
        let mut is_expected = true;
        for (what, expected, got) in asked() {
            if *got != Some(expected) {
                let got = got.map_or("none".to_owned(), |got| format!("{got:?}"));
                let finding = format!("{what}: expected {expected:?}, got {got}");
                signature.fail_at(&self.root.join(super::MANIFEST), finding);
                is_expected = false;
            }
        }
        match asked().map(|(what, ..)| *what).collect::<Vec<_>>() {
            none if none.is_empty() => signature.note(
                "no run id, challenge or nonce was expected: an old manifest of another run would pass here as well"
                    .into(),
            ),
            asked if is_expected => signature.note(format!("{} as expected", asked.join(", "))),
            _ => {}
        }
        is_expected.then_some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::sha256;
    use crate::manifest::dsse::{Envelope, Profile};
    use crate::manifest::key::SigningKey;
    use crate::manifest::predicate::TrainingRun;
    use crate::manifest::predicate::tests::{example, sparse_example};
    use crate::manifest::statement::{Statement, Subject};
    use crate::manifest::strict_json;
    use crate::manifest::trust::Trust;
    use crate::provenance::path::RelativePath;
    use crate::verify::{MANIFEST, Verdict};

    /// The verdict of the signature check on a signed claim.
    fn verdict(claim: TrainingRun, expected: &Expectation) -> (Verdict, Vec<String>) {
        let folder = tempfile::tempdir().expect("temp dir");
        let key = SigningKey::from_random(&[1; 32]);
        let subject = Subject::new(RelativePath::parse("a").expect("a path"), sha256(b""));
        let statement = Statement::new(vec![subject], claim).expect("a statement");
        let payload = strict_json::to_vec(&statement).expect("small");
        let line = Envelope::sign(&payload, &[&key]).expect("signs").to_line().expect("a line");
        std::fs::write(folder.path().join(MANIFEST), line).expect("write");
        let at = "2026-02-01T00:00:00Z".parse().expect("a time");
        let (mut check, run) = VerifiedRun::open(folder.path(), &Trust::single(key.public()), at, Profile::Strict);
        let run = run.expect("a good signature").expect(expected, &mut check);
        assert_eq!(run.is_some(), check.verdict == Verdict::Passed, "{:?}", check.findings);
        (check.verdict, check.findings.into_iter().map(|finding| finding.message).collect())
    }

    fn expectation(run: Option<&str>, challenge: Option<&str>, nonce: Option<&str>) -> Expectation {
        let [run, challenge, nonce] = [run, challenge, nonce].map(|text| text.map(str::to_owned));
        Expectation { run, challenge, nonce }
    }

    #[test]
    fn a_manifest_of_another_run_challenge_or_nonce_is_refused_and_every_difference_is_named() {
        let all = expectation(Some("another"), Some("ariel-2026"), Some("5C1D"));
        let (found, messages) = verdict(example(), &all);
        assert_eq!(found, Verdict::Failed);
        for difference in [
            "run id: expected \"another\", got \"20260131T120000Z-0123abcd\"",
            "challenge: expected \"ariel-2026\", got \"ariel-2025\"",
            "nonce: expected \"5C1D\", got \"5c1d\"",
        ] {
            assert!(messages.iter().any(|message| message == difference), "{difference}: {messages:?}");
        }
    }

    #[test]
    fn an_absent_challenge_or_nonce_is_not_the_expected_one() {
        for expected in [expectation(None, Some(""), None), expectation(None, None, Some(""))] {
            assert_eq!(verdict(sparse_example(), &expected).0, Verdict::Failed, "{expected:?}");
        }
    }

    #[test]
    fn what_was_expected_passes_and_expecting_nothing_is_said() {
        let all = expectation(Some("20260131T120000Z-0123abcd"), Some("ariel-2025"), Some("5c1d"));
        let (found, messages) = verdict(example(), &all);
        assert_eq!(found, Verdict::Passed);
        assert!(messages.contains(&"run id, challenge, nonce as expected".to_owned()), "{messages:?}");
        let (found, messages) = verdict(example(), &Expectation::default());
        assert_eq!(found, Verdict::Passed);
        assert!(messages.iter().any(|message| message.starts_with("no run id, challenge or nonce was expected")));
    }
}
